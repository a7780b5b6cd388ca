#!/usr/bin/env python3
"""The version of what is stored, and the data directory that belongs to a Redis."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

from material import job, write_dataset
from service import PATIENCE, Process, Redis, Service, ServiceCase, executable, wait_until

VERSION = 2
SCHEMA, DATA = "{distill}:schema", "{distill}:data"


def content(folder):
    """All that lies in a folder, with its bytes and when it was written."""
    return sorted((str(path), path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
                  for path in pathlib.Path(folder).rglob("*"))


class SchemaTest(ServiceCase):
    def setUp(self):
        self.redis = Redis().start()
        self.addCleanup(self.redis.stop)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="distill-schema-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.data = self.folder / "data"

    def run_role(self, role, data=None, **more):
        """A process that is to end by itself: its status and what it says."""
        settings = {"data": data or self.data, "redis": self.redis.url, "port": 0, **more}
        arguments = [f"{name}={value}" for name, value in settings.items()]
        done = subprocess.run([executable("distilld"), role, *arguments], capture_output=True,
                              text=True, timeout=30 * PATIENCE)
        return done.returncode, done.stderr

    def serve(self, **more):
        return Service("serve", redis=self.redis.url, data=self.data, device="ref", **more)

    def stored_id(self):
        return (self.data / "id").read_text().strip()

    def check_stored(self):
        self.assertEqual((self.data / "schema").read_text(), f"{VERSION}\n")
        self.assertEqual(self.redis.command("GET", SCHEMA), str(VERSION))
        self.assertEqual(self.redis.command("HGET", DATA, "id"), self.stored_id())
        self.assertTrue(self.redis.command("HGET", DATA, "place").endswith(f":{self.data}"))

    def check_refused(self, sentence, roles=("serve", "work", "up"), **more):
        """Every role says why and ends, and nothing is touched."""
        before = content(self.folder), self.redis.command("KEYS", "*")
        for role in roles:
            with self.subTest(role):
                status, said = self.run_role(role, **more)
                self.assertEqual(status, 1, said)
                self.assertIn(sentence, said)
                self.assertEqual((content(self.folder), self.redis.command("KEYS", "*")), before)

    def test_a_new_one_has_version_and_id(self):
        with self.serve():
            self.check_stored()
        found = self.stored_id()
        with self.serve():
            self.check_stored()
            self.assertEqual(self.stored_id(), found)

    def test_an_older_one_is_brought_up_to_date_by_many_at_once(self):
        with self.serve(import_roots=self.folder) as service:
            service.import_dataset("tiny", write_dataset(self.folder / "tiny"))
            made = service.post("/jobs", job()).json()
        for name in ("schema", "id", "schema.lock"):
            (self.data / name).unlink()
        self.redis.command("DEL", SCHEMA, DATA)
        arguments = [f"data={self.data}", f"redis={self.redis.url}", "port=0", "device=ref"]
        started = [Process([executable("distilld"), "serve", *arguments], self.folder / f"log{i}")
                   for i in range(6)]
        for process in started:
            self.addCleanup(process.signal, signal.SIGKILL)
        wait_until(lambda: all(process.lines for process in started), what="all are ready")
        self.check_stored()
        with self.serve() as service:
            self.assertEqual(service.get(f"/jobs/{made['id']}").json()["spec"], made["spec"])
            worker = Process([executable("distilld"), "work", *arguments[:2]], self.folder / "log")
            self.assertEqual(service.wait_for_job(made["id"])["state"], "succeeded")
            self.assertEqual(worker.end(), 0)
        self.assertEqual([process.end() for process in started], [0] * 6)

    def test_a_step_that_was_interrupted_is_done_again(self):
        with self.serve():
            found = self.stored_id()
        (self.data / "schema").unlink()  # the id was written, the version not
        self.redis.command("DEL", SCHEMA)
        with self.serve():
            self.check_stored()
            self.assertEqual(self.stored_id(), found)

    def test_a_newer_directory_is_refused(self):
        self.data.mkdir()
        (self.data / "schema").write_text(f"{VERSION + 1}\n")
        self.check_refused(f"data directory {self.data} is of schema version {VERSION + 1}, this "
                           f"distilld knows versions up to {VERSION}")
        self.check_refused("schema version", roles=["up"], redis="")

    def test_a_newer_redis_is_refused(self):
        self.redis.command("SET", SCHEMA, "7")
        self.check_refused("Redis is of schema version 7, this distilld knows", ["serve", "work"])
        self.assertFalse(self.data.exists())

    def test_a_file_that_holds_something_else_is_refused(self):
        self.data.mkdir()
        (self.data / "schema").write_text("one\n")
        self.check_refused(f"{self.data}/schema holds no version")
        (self.data / "schema").write_text(f"{VERSION}\n")
        (self.data / "id").write_text("data_1\n")
        self.check_refused(f"{self.data}/id holds no id", ["serve", "work"])
        (self.data / "id").unlink()
        self.check_refused(f"{self.data}/id is missing", ["serve", "work"])

    def test_another_directory_is_refused(self):
        other = self.folder / "other"
        with self.serve():
            for role in ("work", "serve"):
                status, said = self.run_role(role, other)
                self.assertEqual(status, 1, said)
                for words in (str(other), (other / "id").read_text().strip(), str(self.data),
                              self.stored_id()):
                    self.assertIn(words, said)
            self.check_stored()
        self.redis.command("DEL", DATA)
        with Service("serve", redis=self.redis.url, data=other, device="ref"):
            self.assertEqual(self.redis.command("HGET", DATA, "id"),
                             (other / "id").read_text().strip())

    def test_a_redis_that_comes_later_is_looked_at_too(self):
        self.redis.command("SET", SCHEMA, "7")
        os.kill(self.redis.process.pid, signal.SIGSTOP)
        service = self.serve(redis_timeout_ms=200)
        service.start()
        self.assertEqual(service.get("/healthz").status, 200)
        os.kill(self.redis.process.pid, signal.SIGCONT)
        self.assertEqual(service.process.wait(), 1)
        self.assertIn("Redis is of schema version 7", service.log())
        shutil.rmtree(service.folder)


if __name__ == "__main__":
    unittest.main()
