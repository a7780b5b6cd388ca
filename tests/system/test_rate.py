#!/usr/bin/env python3
"""What a key, or an address without keys, may use: requests in a second, and jobs at a time."""

import concurrent.futures
import time
import unittest

from material import add_dataset, job
from service import Redis, Service, ServiceCase, make_key


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


class AddressTest(unittest.TestCase):
    """Nobody is asked for a key."""

    def test_an_address_is_held_to_the_rate(self):
        with Redis() as redis, Service("serve", redis=redis.url, requests_per_s=0.5,
                                       requests_burst=3) as service:
            first = service.get("/models")
            self.assertEqual(first.headers["ratelimit-policy"], '"requests";q=3;w=6')
            self.assertEqual(first.headers["ratelimit"], '"requests";r=2;t=2')
            answers = [service.get("/models") for _ in range(3)]
            self.assertEqual([answer.status for answer in answers], [200, 200, 429])
            refused = answers[-1]
            self.assertEqual(refused.json()["type"], "urn:distilld:problem:rate_limited")
            self.assertRegex(refused.headers["ratelimit"], '^"requests";r=0;t=[456]$')
            wait_s = int(refused.headers["retry-after"])
            self.assertIn(wait_s, (1, 2))
            wrong = service.get("/v2/models/x")
            self.assertEqual([wrong.status, list(wrong.json())], [429, ["error"]])
            upload = service.post("/models?architecture=resnet8", b"x" * 1000)
            self.assertEqual(upload.status, 429)
            for path in ("/healthz", "/readyz", "/v2/health/live", "/openapi.yaml"):
                answer = service.get(path)
                self.assertEqual(answer.status, 200, path)
                self.assertNotIn("ratelimit", answer.headers)
            time.sleep(wait_s)
            self.assertEqual(service.get("/models").status, 200)

    def test_nothing_is_limited_unless_it_is_said(self):
        with Redis() as redis, Service("serve", redis=redis.url) as service:
            answers = [service.get("/models") for _ in range(200)]
            self.assertEqual({answer.status for answer in answers}, {200})
            self.assertNotIn("ratelimit", answers[0].headers)


class KeyRateTest(unittest.TestCase):
    def test_each_key_has_its_own(self):
        limits = {"plain": {}, "other": {}, "large": {"requests_burst": 5},
                  "fast": {"requests_per_s": 1000}}
        with Redis() as redis:
            service = Service("serve", redis=redis.url, requests_per_s=0.1, requests_burst=2)
            keys = {name: bearer(make_key(service.data, name, "read", **limits[name]))
                    for name in limits}
            with service:
                for name, allowed in (("plain", 2), ("other", 2), ("large", 5)):
                    codes = [service.get("/models", headers=keys[name]).status for _ in range(7)]
                    self.assertEqual(codes, [200] * allowed + [429] * (7 - allowed), name)
                refused = service.get("/models", headers=keys["plain"])
                self.assertIn("plain may send 0.1 requests", refused.json()["detail"])
                time.sleep(0.01)
                self.assertEqual(service.get("/models", headers=keys["fast"]).status, 200)
                for _ in range(20):  # without a key nothing is counted
                    self.assertEqual(service.get("/models").status, 401)

    def test_at_once(self):
        """However the requests come, no more pass than the bucket holds."""
        with Redis() as redis, Service("serve", redis=redis.url, requests_per_s=0.01,
                                       requests_burst=50) as service:
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                codes = list(pool.map(lambda _: service.get("/models").status, range(200)))
            self.assertEqual(codes.count(200), 50)
            self.assertEqual(codes.count(429), 150)


class QuotaTest(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service("up", device="ref", active_jobs=2)
        cls.admin = make_key(cls.service.data, "root", "admin")
        cls.services = [cls.service]
        cls.addClassCleanup(cls.service.__exit__)
        cls.service.start()
        cls.service.key = cls.admin
        add_dataset(cls.service)

    def make(self, name, **limits):
        made = self.service.post("/keys", {"name": name, "roles": ["read", "submit"], **limits})
        return bearer(made.json()["secret"])

    def submit(self, key, **more):
        return self.service.post("/jobs", job(**{"epochs": 3000, **more}), headers=key)

    def cancel(self, *answers):
        for answer in answers:
            job_id = answer.json()["id"]
            self.service.post(f"/jobs/{job_id}/cancel")
            self.service.wait_for_job(job_id)

    def test_a_key_has_so_many_jobs_at_a_time(self):
        mine, theirs = self.make("mine"), self.make("theirs", active_jobs=1)
        first, second = self.submit(mine), self.submit(mine)
        self.assertEqual([first.status, second.status], [201, 201])
        third = self.submit(mine)
        self.assertEqual(third.status, 429, third)
        self.assertEqual(third.json()["type"], "urn:distilld:problem:quota")
        self.assertEqual(third.json()["detail"],
                         "key mine has 2 jobs that have not ended, and may have no more")
        self.assertRegex(third.headers["retry-after"], "^[0-9]+$")
        other = self.submit(theirs)
        self.assertEqual([other.status, self.submit(theirs).status], [201, 429])
        paused = self.service.post(f"/jobs/{second.json()['id']}/pause")
        self.assertEqual([paused.status, self.submit(mine).status], [200, 429])
        rerun = self.service.post(f"/jobs/{first.json()['id']}/rerun", headers=mine)
        self.assertEqual(rerun.status, 429, rerun)
        dry = self.service.post("/jobs?dry_run=true", job(), headers=mine)
        self.assertEqual(dry.status, 200)
        self.cancel(second)
        fourth = self.submit(mine)
        self.assertEqual([fourth.status, self.submit(mine).status], [201, 429])
        self.cancel(first, other, fourth)
        self.assertEqual(self.service.wait_for_job(self.submit(theirs, epochs=1).json()["id"])
                         ["state"], "succeeded")
        again = self.submit(theirs)
        self.assertEqual(again.status, 201)
        self.cancel(again)

    def test_repeating_a_submission_is_none(self):
        key = self.make("repeats", active_jobs=1)
        once = {**key, "Idempotency-Key": "once"}
        answers = [self.submit(once) for _ in range(3)]
        self.assertEqual([answer.status for answer in answers], [201] * 3)
        self.assertEqual(len({answer.json()["id"] for answer in answers}), 1)
        self.cancel(answers[0])

    def test_a_failed_job_counts_when_it_is_retried(self):
        key = self.make("retries", active_jobs=1)
        failed = self.submit(key, deadline="2020-01-01T00:00:00Z")
        if failed.status != 201:  # too late to be taken: one that runs for too long, then
            failed = self.submit(key, max_runtime_s=1)
        job_id = failed.json()["id"]
        self.assertEqual(self.service.wait_for_job(job_id)["state"], "failed")
        running = self.submit(key)
        self.assertEqual(running.status, 201, running)
        refused = self.service.post(f"/jobs/{job_id}/retry", headers=key)
        self.assertEqual(refused.status, 429, refused)
        self.assertEqual(self.service.get(f"/jobs/{job_id}").json()["state"], "failed")
        self.cancel(running)
        self.assertEqual(self.service.post(f"/jobs/{job_id}/retry", headers=key).status, 200)
        self.cancel(failed)

    def test_at_once(self):
        key = self.make("many", active_jobs=3)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda seed: self.submit(key, seed=seed), range(16)))
        made = [answer for answer in answers if answer.status == 201]
        self.assertEqual(len(made), 3)
        self.assertEqual({answer.status for answer in answers}, {201, 429})
        self.cancel(*made)


if __name__ == "__main__":
    unittest.main()
