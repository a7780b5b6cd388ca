#!/usr/bin/env python3
"""Redis is away, comes back, or refuses: the server answers 503 where it needs it, works where it
does not, and recovers by itself."""

import os
import signal
import time
import unittest

from material import Stream, add_dataset, job, picture, points_of
from service import Redis, ServiceCase, wait_until

TIMEOUT_MS = 300
NEEDING_REDIS = [("GET", "/jobs"), ("GET", "/jobs/job_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
                 ("POST", "/jobs"), ("POST", "/jobs/job_01ARZ3NDEKTSV4RRFFQ69G5FAV/cancel"),
                 ("DELETE", "/jobs/job_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
                 ("GET", "/jobs/job_01ARZ3NDEKTSV4RRFFQ69G5FAV/metrics"), ("GET", "/readyz")]
NOT_NEEDING_REDIS = ["/healthz", "/datasets", "/datasets/tiny", "/models", "/metrics",
                     "/openapi.yaml"]


class RedisAwayTest(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.redis = Redis()
        cls.addClassCleanup(cls.redis.stop)
        cls.redis.start()
        cls.service = cls.start(redis=cls.redis.url, device="ref", lease_ms=1500,
                                redis_timeout_ms=TIMEOUT_MS)
        add_dataset(cls.service)
        cls.model = cls.service.run_job(job())["model"]

    def check_away(self, longest_s):
        for method, path in NEEDING_REDIS:
            body = job() if path == "/jobs" and method == "POST" else None
            start = time.monotonic()
            answer = self.service.request(method, path, body)
            self.assertLess(time.monotonic() - start, longest_s)
            self.assertEqual((answer.status, answer.json()["type"]),
                             (503, "urn:distilld:problem:unavailable"), (method, path, answer))
            self.assertGreater(int(answer.headers["retry-after"]), 0)
        for path in NOT_NEEDING_REDIS:
            self.assertEqual(self.service.get(path).status, 200, path)
        self.assertEqual(self.service.predict(self.model, [picture(1)]).status, 200)

    def check_back(self):
        wait_until(lambda: self.service.get("/readyz").status == 200, 10, what="ready again")
        self.assertEqual(self.service.run_job(job())["state"], "succeeded")
        self.assertEqual(self.service.events("child_ended"), [])

    def test_killed(self):
        before = self.service.get("/jobs?limit=200").json()
        self.redis.kill()
        self.check_away(longest_s=20)
        self.redis.start()
        wait_until(lambda: self.service.get("/readyz").status == 200, 10, what="ready again")
        self.assertEqual(self.service.get("/jobs?limit=200").json(), before)
        self.check_back()

    def test_frozen(self):
        """It accepts connections and says nothing."""
        os.kill(self.redis.process.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, self.redis.process.pid, signal.SIGCONT)
        self.check_away(longest_s=20)
        start = time.monotonic()
        for _ in range(100):  # one of them waits, or none
            self.assertEqual(self.service.get("/jobs").status, 503)
        self.assertLess(time.monotonic() - start, 50 * TIMEOUT_MS / 1000)
        os.kill(self.redis.process.pid, signal.SIGCONT)
        self.check_back()

    def test_bad_input_first(self):
        """What is wrong with a request can be said without Redis."""
        self.redis.kill()
        answer = self.service.post("/jobs", job(epochs=0))
        bad = (answer.status, self.service.get("/nowhere").status,
               self.service.request("PUT", "/jobs").status)
        self.redis.start()
        self.assertEqual(bad, (422, 404, 405))
        self.check_back()

    def test_stream_goes_on(self):
        job_id = self.service.post("/jobs", job(epochs=12)).json()["id"]
        stream = iter(Stream(self.service, job_id))
        seen = [next(stream) for _ in range(3)]
        self.redis.kill()
        time.sleep(0.5)
        self.redis.start()
        seen += list(stream)
        *points, (_, event, data) = seen
        self.assertEqual((event, data["state"]), ("end", "succeeded"))
        self.assertEqual([point for _, _, point in points], points_of(self.service, job_id))
        self.check_back()

    def test_many_requests_while_away(self):
        """Connections that fail are not leaked."""
        files = f"/proc/{self.service.child('serve')}/fd"
        self.redis.kill()
        self.service.get("/jobs")
        before = len(os.listdir(files))
        for _ in range(200):
            self.assertEqual(self.service.get("/jobs").status, 503)
        self.assertLess(len(os.listdir(files)), before + 20)
        self.redis.start()
        self.check_back()

    def test_flushed(self):
        """All keys are gone: jobs are unknown, nothing breaks, a worker ends what it had."""
        running = self.service.post("/jobs", job(epochs=3000)).json()["id"]
        wait_until(lambda: points_of(self.service, running), what="points")
        self.redis.command("FLUSHALL")
        self.assertEqual(self.service.get(f"/jobs/{running}").status, 404)
        self.check_back()


if __name__ == "__main__":
    unittest.main()
