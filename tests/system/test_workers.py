#!/usr/bin/env python3
"""GET /workers: who is there, what they do, who has ended and who is lost."""

import datetime
import re
import signal
import socket
import unittest

from job_case import LONG
from material import add_dataset, job
from service import Process, Redis, ServiceCase, executable, wait_until

LEASE_MS = 900


class WorkersTest(ServiceCase):
    def setUp(self):
        self.redis = Redis().start()
        self.addCleanup(self.redis.stop)
        self.service = self.start("serve", redis=self.redis.url, device="ref",
                                  lease_ms=LEASE_MS)
        add_dataset(self.service)

    def tearDown(self):
        self.service.stop()

    def start_worker(self):
        settings = {"data": self.service.data, "redis": self.redis.url, "lease_ms": LEASE_MS}
        arguments = [f"{name}={value}" for name, value in settings.items()]
        worker = Process([executable("distilld"), "work", *arguments], self.service.folder / "log")
        self.addCleanup(worker.signal, signal.SIGKILL)
        return worker

    def workers(self):
        answer = self.service.get("/workers")
        self.assertEqual(answer.status, 200, answer)
        self.assertIsNone(answer.json()["next"])
        return answer.json()["items"]

    def wait_for(self, *states):
        wait_until(lambda: [worker["state"] for worker in self.workers()] == list(states),
                   what=f"workers {states}")
        return self.workers()

    def test_leases_and_deadlines_end_without_a_living_worker(self):
        worker = self.start_worker()
        jobs = [self.service.post("/jobs", job(**LONG)).json()["id"]]
        self.wait_for("running")
        worker.signal(signal.SIGSTOP)
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)
        late = job(**LONG, deadline=soon.isoformat(timespec="milliseconds"))
        jobs.append(self.service.post("/jobs", late).json()["id"])
        self.assertEqual(self.service.post(f"/jobs/{jobs[0]}/cancel").status, 200)
        self.assertEqual([self.service.wait_for_job(name)["state"] for name in jobs],
                         ["cancelled", "failed"])
        worker.signal(signal.SIGCONT)
        self.wait_for("idle")

    def test_a_job_waits_for_its_device(self):
        self.start_worker()
        (shown,) = self.wait_for("idle")
        if "cuda" in shown["devices"]:
            self.skipTest("there is a GPU")
        first = self.service.post("/jobs", job(epochs=1, device="cuda")).json()["id"]
        self.assertEqual(self.service.run_job(job(epochs=1))["state"], "succeeded")
        found = self.service.get(f"/jobs/{first}").json()
        self.assertEqual((found["state"], found["attempt"]), ("queued", 0))
        self.assertEqual(self.service.post(f"/jobs/{first}/cancel").json()["state"], "cancelled")

    def test_life_of_workers(self):
        self.assertEqual(self.workers(), [])
        first = self.start_worker()
        (shown,) = self.wait_for("idle")
        self.assertEqual((shown["pid"], shown["host"]), (first.pid, socket.gethostname()))
        self.assertTrue(shown["name"].startswith(socket.gethostname()) and
                        shown["name"].endswith("-1"), shown)
        self.assertIn("ref", shown["devices"])
        self.assertTrue(shown["engine"].startswith(f"distilld {shown['version']}, "), shown)
        self.assertEqual((shown["job"], shown["attempt"]), (None, 0))
        wait_until(lambda: self.workers()[0]["heard"] > shown["heard"], what="a later word")
        self.assertEqual(self.workers()[0]["since"], shown["since"])

        job_id = self.service.post("/jobs", job(**LONG)).json()["id"]
        (running,) = self.wait_for("running")
        self.assertEqual((running["job"], running["attempt"]), (job_id, 1))
        wait_until(lambda: self.workers()[0]["heard"] > running["heard"], what="a word in a run")
        second = self.start_worker()
        running, idle = self.wait_for("running", "idle")
        self.assertEqual((idle["pid"], idle["job"]), (second.pid, None))

        first.signal(signal.SIGKILL)
        first.wait()
        lost, running = self.wait_for("lost", "running")
        self.assertEqual((lost["pid"], lost["job"]), (first.pid, None))
        self.assertEqual((running["job"], running["attempt"]), (job_id, 2))
        self.check_metrics(running=1, lost=1)

        third = self.start_worker()  # takes the place of the first
        fresh = self.wait_for("idle", "running")[0]
        self.assertEqual((fresh["name"], fresh["pid"]), (lost["name"], third.pid))
        self.assertGreater(fresh["since"], lost["since"])
        self.service.post(f"/jobs/{job_id}/cancel")
        self.assertEqual(third.end(), 0)
        self.assertEqual(second.end(), 0)
        self.wait_for("ended", "ended")
        self.check_metrics(ended=2)

    def check_metrics(self, **count):
        text = self.service.get("/metrics").body.decode()
        for state in ("idle", "running", "ended", "lost"):
            self.assertIn(f'distilld_workers{{state="{state}"}} {count.get(state, 0)}\n', text)

    def oldest_s(self):
        text = self.service.get("/metrics").body.decode()
        return int(re.search(r"(?m)^distilld_queue_oldest_seconds (\d+)$", text)[1])

    def test_nobody_trains(self):
        """The oldest job that waits for a worker says so; what waits for another job does not."""
        self.assertEqual(self.oldest_s(), 0)
        job_id = self.service.post("/jobs", job()).json()["id"]
        self.service.post("/jobs", job(depends_on=[job_id], seed=2))
        wait_until(lambda: self.oldest_s() > 0, what="an age")
        self.service.post(f"/jobs/{job_id}/pause")
        self.assertEqual(self.oldest_s(), 0)

    def test_they_are_forgotten(self):
        worker = self.start_worker()
        (shown,) = self.wait_for("idle")
        worker.end()
        keys = [f"{{distill}}:worker:{shown['name']}", "{distill}:heard"]
        left_ms = int(self.redis.command("PTTL", keys[0]))
        self.assertTrue(0 < left_ms <= 3600 * 1000, left_ms)
        self.redis.command("DEL", keys[0])
        self.assertEqual(self.workers(), [])

    def test_what_is_refused(self):
        answer = self.service.get("/workers?state=idle")
        self.assertEqual(answer.status, 422, answer)
        self.assertEqual(answer.json()["errors"][0]["field"], "state")
        self.assertEqual(self.service.post("/workers").status, 405)
        self.redis.kill()
        answer = self.service.get("/workers")
        self.assertEqual((answer.status, "retry-after" in answer.headers), (503, True))


if __name__ == "__main__":
    unittest.main()
