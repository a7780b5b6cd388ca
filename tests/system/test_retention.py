#!/usr/bin/env python3
"""What is removed when it is old, and what is refused while the disk has little room."""

import time
import unittest

from job_case import NO_JOB
from material import add_dataset, job
from service import Redis, Service, ServiceCase, redis_cli, wait_until

DAY_MS = 24 * 60 * 60 * 1000
KEPT = {"epochs": 2, "keep_checkpoints": 2}



class RetentionCase(ServiceCase):
    def prepare(self, **settings):
        """A service with a worker and a data set."""
        self.service = self.start(device="ref", lease_ms=3000, **settings)
        add_dataset(self.service)
        return self.service

    def submit(self, **fields):
        answer = self.service.post("/jobs", job(**fields))
        self.assertEqual(answer.status, 201, answer)
        return answer.json()["id"]

    def succeed(self, **fields):
        job_id = self.submit(**fields)
        self.assertEqual(self.service.wait_for_job(job_id)["state"], "succeeded")
        return job_id

    def redis(self, *words):
        return redis_cli(f"unix://{self.service.data}/redis/redis.sock", *words)

    def age(self, job_id, days):
        """Lets a job have ended so long ago."""
        then = int(time.time() * 1000) - int(days * DAY_MS)
        self.redis("HSET", f"{{distill}}:job:{job_id}", "finished_ms", str(then))

    def status(self, path):
        return self.service.get(path).status

    def files_of(self, job_id):
        """The files and folders that bear the job's name."""
        return [path for path in self.service.data.rglob(f"{job_id}*")]


class RetentionTest(RetentionCase):
    def test_old_jobs_are_removed(self):
        self.prepare(keep_jobs_days=2)
        old, young = self.succeed(**KEPT), self.succeed(**KEPT)
        model = self.service.get(f"/jobs/{old}").json()["model"]
        paused = self.submit(epochs=3000)
        self.service.post(f"/jobs/{paused}/pause")
        wait_until(lambda: self.service.get(f"/jobs/{paused}").json()["state"] == "paused")
        cancelled = self.submit(epochs=3000)
        self.service.post(f"/jobs/{cancelled}/cancel")
        self.service.wait_for_job(cancelled)
        self.assertTrue(self.files_of(old))
        self.age(old, 2.01)
        self.age(cancelled, 3)
        self.age(young, 1.99)
        self.age(paused, 9)  # not in a final state, whatever its hash says
        for gone in (old, cancelled):
            wait_until(lambda: self.status(f"/jobs/{gone}") == 404, what=f"{gone} gone")
            wait_until(lambda: not self.files_of(gone), what=f"files of {gone} gone")
        time.sleep(4)  # a round of all states
        for job_id in (young, paused):
            self.assertEqual(self.status(f"/jobs/{job_id}"), 200)
        self.assertEqual(len(self.service.get(f"/jobs/{young}/checkpoints").json()["items"]), 2)
        self.assertEqual(self.status(f"/models/{model}/weights"), 200)
        self.assertEqual(self.redis("KEYS", f"*{old}*"), [])
        self.assertEqual({line["job"] for line in self.service.events("job_expired")},
                         {old, cancelled})
        self.assertEqual(self.service.events("retention_failed"), [])

    def test_old_checkpoints_are_removed(self):
        self.prepare(keep_checkpoints_days=1, keep_jobs_days=30)
        old, young = self.succeed(**KEPT), self.succeed(**KEPT)
        self.age(old, 1.5)
        wait_until(lambda: self.service.get(f"/jobs/{old}/checkpoints").json()["items"] == [],
                   what="checkpoints gone")
        self.assertEqual(len(self.service.get(f"/jobs/{young}/checkpoints").json()["items"]), 2)
        self.assertEqual(self.status(f"/jobs/{old}/logs"), 200)
        self.assertTrue(self.service.get(f"/jobs/{old}/metrics").json()["points"])

    def test_files_that_withstand_keep_no_others(self):
        self.prepare()
        folder = self.service.data / "jobs" / NO_JOB
        folder.mkdir()
        self.redis("ZADD", "{distill}:removed", "0", "a" * 2000, "0", NO_JOB)  # no path is that long
        wait_until(lambda: not folder.exists(), what="what can be removed is")
        wait_until(lambda: self.service.events("retention_failed"), what="the warning")

    def test_all_is_kept_by_default(self):
        self.prepare()
        old = self.succeed(**KEPT)
        self.age(old, 30000)
        time.sleep(4)
        self.assertEqual(len(self.service.get(f"/jobs/{old}/checkpoints").json()["items"]), 2)


class ManyServersTest(RetentionCase):
    def redis(self, *words):
        return self.store.command(*words)

    def test_servers_side_by_side(self):
        self.store = Redis().start()
        self.addCleanup(self.store.stop)
        settings = {"redis": self.store.url, "device": "ref", "keep_jobs_days": 1}
        self.service = self.start("serve", **settings)
        others = [self.start("serve", data=self.service.data, **settings) for _ in range(2)]
        add_dataset(self.service)
        jobs = [self.submit() for _ in range(70)]
        for job_id in jobs:
            self.service.post(f"/jobs/{job_id}/cancel")
        for job_id in jobs[:65]:
            self.age(job_id, 1.1)
        wait_until(lambda: len(self.service.get("/jobs?limit=200").json()["items"]) == 5,
                   what="65 jobs gone")
        time.sleep(2)
        left = [item["id"] for item in self.service.get("/jobs?limit=200").json()["items"]]
        self.assertEqual(sorted(left), sorted(jobs[65:]))
        removed = [line["job"] for server in (self.service, *others)
                   for line in server.events("job_expired")]
        self.assertEqual(sorted(removed), sorted(jobs[:65]))
        for server in (self.service, *others):
            self.assertEqual(server.events("retention_failed"), [])
        for server in others:
            server.stop()


class SpaceTest(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.store = Redis().start()
        cls.addClassCleanup(cls.store.stop)
        with Service("serve", redis=cls.store.url, device="ref", data=cls.store.folder / "data",
                     min_free_bytes=1 << 20) as service:
            add_dataset(service)
            cls.made = service.post("/jobs", job()).json()["id"]
        cls.service = cls.start("serve", redis=cls.store.url, device="ref", min_free_bytes=10 ** 15,
                                data=cls.store.folder / "data")

    def check_refused(self, answer):
        self.assertEqual(answer.status, 507, answer)
        problem = answer.json()
        self.assertEqual(problem["type"], "urn:distilld:problem:no_space")
        self.assertIn("min_free_bytes, which is 1000000000000000", problem["detail"])

    def test_what_is_refused(self):
        self.check_refused(self.service.post("/jobs", job()))
        self.check_refused(self.service.post(f"/jobs/{self.made}/rerun"))
        self.check_refused(self.service.post("/datasets", {"name": "more", "path": "/tmp"}))
        self.check_refused(self.service.post(
            "/models?architecture=resnet8&dataset=tiny", b"x" * 1000,
            headers={"Content-Type": "application/octet-stream"}))
        self.assertEqual(len(self.service.get("/jobs").json()["items"]), 1)

    def test_what_is_answered_all_the_same(self):
        self.assertEqual(self.service.post("/jobs?dry_run=true", job()).status, 200)
        self.assertEqual(self.service.get(f"/jobs/{self.made}").status, 200)
        self.assertEqual(self.service.post(f"/jobs/{self.made}/pause").status, 200)
        self.assertEqual(self.service.post("/jobs", {**job(), "epochs": 0}).status, 422)


if __name__ == "__main__":
    unittest.main()
