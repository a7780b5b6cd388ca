#!/usr/bin/env python3
"""A full disk: the job fails with that reason, keeps its last checkpoint, and a retry after tidying
up comes to the same bytes as if nothing had happened."""

import contextlib
import os
import pathlib
import subprocess
import tempfile
import unittest

from material import curve_of, job, points_of, weights_of, write_dataset
from service import Process, Redis, ServiceCase, executable, wait_until

DISK_MIB = 8
SKIPPED = 77


def mount(folder, mib):
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", folder],
                          capture_output=True, check=False).returncode == 0


class DiskCase(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.disk = pathlib.Path(tempfile.mkdtemp(prefix="distill-disk-"))
        cls.addClassCleanup(cls.disk.rmdir)
        if not mount(cls.disk, DISK_MIB):
            raise unittest.SkipTest("mounting a small disk needs root")
        cls.addClassCleanup(subprocess.run, ["umount", "-l", cls.disk], check=True)
        cls.start_on_disk()
        write_dataset(cls.service.folder / "tiny")
        cls.import_dataset("tiny")

    @classmethod
    def import_dataset(cls, name):
        return cls.service.post("/datasets", {"name": name,
                                              "path": str(cls.service.folder / "tiny")})

    def setUp(self):
        self.addCleanup(self.make_room)

    def fill(self, left=0):
        """Leaves only so many bytes free."""
        with open(self.disk / "ballast", "wb", buffering=0) as ballast:
            with contextlib.suppress(OSError):
                while True:
                    ballast.write(bytes(65536))
            with contextlib.suppress(OSError):
                while True:
                    ballast.write(bytes(512))
            size = ballast.tell()
            os.ftruncate(ballast.fileno(), max(0, size - left))

    def make_room(self):
        (self.disk / "ballast").unlink(missing_ok=True)

    def job_in_progress(self):
        job_id = self.service.post("/jobs", job(epochs=20, checkpoint_every=5)).json()["id"]
        wait_until(lambda: len(points_of(self.service, job_id)) >= 20, what="points")
        return job_id


class FullDiskTest(DiskCase):
    """Redis has a disk of its own."""

    @classmethod
    def start_on_disk(cls):
        cls.redis = Redis()
        cls.addClassCleanup(cls.redis.stop)
        cls.redis.start()
        cls.service = cls.start("serve", redis=cls.redis.url, device="ref", data=cls.disk / "data")
        log = cls.service.folder / "worker-log"
        cls.worker = Process([executable("distilld"), "work", f"data={cls.service.data}",
                              f"redis={cls.redis.url}", "lease_ms=2000"], log)
        cls.addClassCleanup(cls.worker.end)

    def check_failure(self, job_id):
        """The job failed for want of space, and its checkpoint is whole."""
        found = self.service.wait_for_job(job_id)
        self.assertEqual((found["state"], found["model"]), ("failed", None))
        self.assertEqual(found["error"]["code"], "no_space")
        self.assertEqual(found["error"]["attempt"], found["attempt"])
        folder = self.service.data / "jobs" / job_id
        self.assertGreater((folder / "checkpoint.safetensors").stat().st_size, 300000)
        self.assertEqual([path.name for path in folder.iterdir() if path.name.startswith(".")], [])
        return found

    def check_retry(self, job_id):
        """Room made, the job goes on where it was and ends as one that was left alone."""
        points = len(points_of(self.service, job_id))
        self.make_room()
        self.assertEqual(self.service.post(f"/jobs/{job_id}/retry").status, 200)
        found = self.service.wait_for_job(job_id)
        self.assertEqual((found["state"], found["attempt"]), ("succeeded", 2), found)
        self.assertGreater(len(points_of(self.service, job_id)), points)
        other = self.service.post("/jobs", job(epochs=20)).json()["id"]
        self.service.wait_for_job(other)
        self.assertEqual(weights_of(self.service, job_id), weights_of(self.service, other))
        self.assertEqual(curve_of(self.service, job_id), curve_of(self.service, other))
        self.assertTrue(self.worker.is_running())

    def test_not_a_byte_left(self):
        job_id = self.job_in_progress()
        self.fill()
        self.check_failure(job_id)
        self.check_retry(job_id)

    def test_room_for_half_a_checkpoint(self):
        job_id = self.job_in_progress()
        self.fill(left=200000)
        self.check_failure(job_id)
        self.check_retry(job_id)

    def test_import(self):
        before = sorted((self.service.data / "datasets").iterdir())
        self.fill(left=10000)
        answer = self.import_dataset("another")
        self.assertEqual((answer.status, answer.json()["type"]),
                         (507, "urn:distilld:problem:no_space"), answer)
        self.assertEqual(sorted((self.service.data / "datasets").iterdir()), before)
        self.assertEqual(self.service.get("/healthz").status, 200)
        self.make_room()
        self.assertEqual(self.import_dataset("another").status, 201)


class FullDiskUnderUpTest(DiskCase):
    """The private Redis cannot write either, and ends: it must come back with the room."""

    @classmethod
    def start_on_disk(cls):
        cls.service = cls.start(device="ref", data=cls.disk / "data", lease_ms=2000)

    def write_and_count_restarts(self):
        self.service.post("/jobs", job(name="n" * 120))
        return len(self.service.events("child_started")) >= 3 + 7

    def test_service_recovers(self):
        job_id = self.job_in_progress()
        self.fill()
        # whatever is left in Redis' last block, or was freed by an abandoned file, fills up too
        wait_until(self.write_and_count_restarts, 90, 0.1, "seven restarts of Redis")
        self.assertTrue(self.service.process.is_running())
        self.assertEqual(self.service.get("/healthz").status, 200)
        self.make_room()
        wait_until(lambda: self.service.get("/readyz").status == 200, what="ready again")
        for item in self.service.get("/jobs?limit=200").json()["items"]:
            if item["id"] != job_id:
                self.service.post(f"/jobs/{item['id']}/cancel")
        found = self.service.wait_for_job(job_id)
        self.assertEqual((found["state"], found["error"]["code"]), ("failed", "no_space"))
        self.service.post(f"/jobs/{job_id}/retry")
        self.assertEqual(self.service.wait_for_job(job_id)["state"], "succeeded")


if __name__ == "__main__":
    program = unittest.main(exit=False)
    skipped = len(program.result.skipped)
    raise SystemExit(0 if program.result.wasSuccessful() and not skipped else
                     SKIPPED if program.result.wasSuccessful() else 1)
