#!/usr/bin/env python3
"""Whatever is killed, stopped or frozen while a job runs: one result comes out, the same bytes as
without it, and a learning curve without gap or double."""

import os
import signal
import threading
import time
import unittest

from material import Stream, curve_of, evaluation_of, job, points_of, weights_of, write_dataset
from service import Process, Redis, Service, ServiceCase, executable, wait_until

EPOCHS = 8
# Checkpoints between reports and in the middle of epochs, so that steps are repeated.
SPEC = job(epochs=EPOCHS, checkpoint_every=5, report_every=3, crop_padding=2)
POINTS = 7 * EPOCHS  # an epoch: 5 reports, its last step, and the evaluation
MID_EPOCH_POINTS = 17


def import_tiny(service):
    service.tiny = write_dataset(service.folder / "tiny", train=256)
    service.import_dataset("tiny", service.tiny)


class KillCase(ServiceCase):
    """Knows what an undisturbed run gives: the first class finds it out."""

    weights = curve = evaluation = None

    @classmethod
    def learn(cls, service):
        import_tiny(service)
        if KillCase.weights:
            return
        job_id = service.post("/jobs", SPEC).json()["id"]
        found = service.wait_for_job(job_id)
        assert (found["state"], found["attempt"]) == ("succeeded", 1), found
        KillCase.weights, KillCase.curve = weights_of(service, job_id), curve_of(service, job_id)
        KillCase.evaluation = evaluation_of(service, job_id)
        assert len(KillCase.curve) == POINTS, len(KillCase.curve)

    def begin(self, service, points=MID_EPOCH_POINTS, **fields):
        """Submits a job and waits until it is in the middle of an epoch."""
        answer = service.post("/jobs", {**SPEC, **fields})
        self.assertEqual(answer.status, 201, answer)
        job_id = answer.json()["id"]
        wait_until(lambda: len(points_of(service, job_id)) >= points, what="points")
        return job_id

    def check(self, service, job_id, timeout_s=60):
        """The job ends as if nothing had happened; returns it."""
        found = service.wait_for_job(job_id, timeout_s)
        self.assertEqual((found["state"], found["error"]), ("succeeded", None))
        self.assertTrue(found["reproducible"])
        self.assertEqual(weights_of(service, job_id), self.weights)
        self.assertEqual(curve_of(service, job_id), self.curve)
        self.assertEqual(evaluation_of(service, job_id), self.evaluation)
        events = [event["event"] for event in service.job_events(job_id)]
        self.assertEqual((events[0], events[-1]), ("submit", "finish"))
        self.assertEqual(events.count("finish"), 1)
        self.assertEqual(events.count("claim"), found["attempt"])
        models = [item for item in service.get("/models?limit=200").json()["items"]
                  if item["job"] == job_id]
        self.assertEqual(len(models), 1)
        wait_until(lambda: not (service.data / "jobs" / job_id).exists(), what="folder removed")
        return found


class SupervisedTest(KillCase):
    """kill -9 under `distilld up`, which starts again what dies."""

    @classmethod
    def setUpClass(cls):
        cls.service = cls.start(device="ref", lease_ms=3000)
        cls.learn(cls.service)

    def reasons(self, job_id):
        return [event["event"] for event in self.service.job_events(job_id)]

    def test_worker(self):
        job_id = self.begin(self.service)
        first = self.service.kill_child("work")
        found = self.check(self.service, job_id)
        self.assertEqual(found["attempt"], 2)
        self.assertEqual(self.reasons(job_id), ["submit", "claim", "reap", "claim", "finish"])
        ended = [event for event in self.service.events("child_ended")
                 if event["child_pid"] == first]
        self.assertEqual([(event["child"], event["signal"]) for event in ended], [("work", 9)])

    def test_worker_again_and_again(self):
        job_id = self.begin(self.service, points=2)
        for _ in range(3):
            pid = self.service.kill_child("work")
            wait_until(lambda: self.service.child("work") != pid, what="new worker")
            time.sleep(0.3)  # somewhere: while starting, claiming, loading or training
        self.assertGreaterEqual(self.check(self.service, job_id)["attempt"], 2)

    def test_worker_at_the_end(self):
        """Killed around the last evaluation, while the model is written and handed in."""
        job_id = self.begin(self.service, points=POINTS - 1)
        self.service.kill_child("work")
        self.check(self.service, job_id)

    def test_redis(self):
        job_id = self.begin(self.service)
        self.service.kill_child("redis")
        found = self.check_after_return(job_id)
        self.assertEqual(found["attempt"], 1)

    def check_after_return(self, job_id):
        wait_until(lambda: self.service.get(f"/jobs/{job_id}").status == 200, what="Redis is back")
        return self.check(self.service, job_id)

    def test_redis_frozen_beyond_the_lease(self):
        job_id = self.begin(self.service)
        redis = self.service.kill_child("redis", signal.SIGSTOP)
        time.sleep(4)
        self.assertEqual(self.service.get(f"/jobs/{job_id}").status, 503)
        os.kill(redis, signal.SIGCONT)
        self.check_after_return(job_id)

    def test_server(self):
        job_id = self.begin(self.service)
        stream = Stream(self.service, job_id)
        seen = []
        with self.assertRaises((OSError, ValueError, EOFError)):
            for seq, _, point in stream:
                seen.append((int(seq), point["seq"]))
                if len(seen) == MID_EPOCH_POINTS:
                    self.service.kill_child("serve")
            raise EOFError("the connection is gone")
        wait_until(self.is_alive, what="the server is back under its address")
        rest = list(Stream(self.service, job_id, last_event_id=seen[-1][0]))
        seen += [(int(seq), point["seq"]) for seq, event, point in rest if event == "point"]
        self.assertEqual(seen, [(i, i) for i in range(1, len(self.curve) + 1)])
        self.assertEqual(rest[-1][1], "end")
        self.assertEqual(self.check(self.service, job_id)["attempt"], 1)

    def is_alive(self):
        try:
            return self.service.get("/healthz").status == 200
        except OSError:
            return False


class RestartTest(KillCase):
    """The whole of `distilld up` ends and is started again on the same data."""

    @classmethod
    def setUpClass(cls):
        cls.service = cls.start(device="ref", lease_ms=3000)
        cls.learn(cls.service)

    def start_again(self):
        """Its data stay in the first one's folder."""
        type(self).service = self.start(data=self.service.data, device="ref", lease_ms=3000)
        return self.service

    def test_kill_all(self):
        job_id = self.begin(self.service)
        before = points_of(self.service, job_id)
        self.service.kill_all()
        again = self.start_again()
        self.assertEqual(points_of(again, job_id)[:len(before)], before)
        self.assertEqual(self.check(again, job_id)["attempt"], 2)
        self.assertEqual([event["event"] for event in again.job_events(job_id)],
                         ["submit", "claim", "reap", "claim", "finish"])

    def test_orderly_end(self):
        job_id = self.begin(self.service)
        self.service.stop()
        released = self.service.events("job_released")
        self.assertEqual([(event["job"], event["state"]) for event in released],
                         [(job_id, "queued")])
        again = self.start_again()
        self.check(again, job_id)
        self.assertEqual([event["event"] for event in again.job_events(job_id)],
                         ["submit", "claim", "release", "claim", "finish"])


class AloneTest(KillCase):
    """Roles as processes of their own around one Redis."""

    @classmethod
    def setUpClass(cls):
        cls.redis = Redis()
        cls.addClassCleanup(cls.redis.stop)
        cls.redis.start()
        cls.service = cls.start("serve", redis=cls.redis.url, device="ref")
        test = cls()
        worker = test.start_worker()
        cls.learn(cls.service)
        worker.end()

    def start_worker(self, lease_ms=10000, **settings):
        settings = {"data": self.service.data, "redis": self.redis.url, "lease_ms": lease_ms,
                    **settings}
        log = self.service.folder / f"worker-{time.monotonic_ns()}"
        worker = Process([executable("distilld"), "work",
                          *(f"{name}={value}" for name, value in settings.items())], log)
        self.addCleanup(lambda: worker.is_running() and
                        (worker.signal(signal.SIGKILL), worker.wait()))
        return worker

    def state(self, job_id):
        return self.service.get(f"/jobs/{job_id}").json()["state"]

    def test_worker_drains(self):
        worker = self.start_worker()
        job_id = self.begin(self.service)
        start = time.monotonic()
        self.assertEqual(worker.end(), 0)
        self.assertLess(time.monotonic() - start, 5)
        found = self.service.get(f"/jobs/{job_id}").json()
        self.assertEqual((found["state"], found["attempt"]), ("queued", 1))
        step = found["progress"]["step"]
        self.assertTrue((self.service.data / "jobs" / job_id / "checkpoint.safetensors").exists())
        self.assertEqual(found["progress"]["fraction"], step / found["progress"]["steps"])
        self.start_worker()
        found = self.check(self.service, job_id)
        self.assertEqual([event["event"] for event in self.service.job_events(job_id)],
                         ["submit", "claim", "release", "claim", "finish"])

    def test_drain_costs_nothing(self):
        """max_lost=1: a single loss would fail the job, a release is none."""
        job_id = None
        for _ in range(3):
            worker = self.start_worker(max_lost=1)
            job_id = job_id or self.begin(self.service, points=2)
            wait_until(lambda: self.state(job_id) == "running", what="running")
            worker.end()
            self.assertEqual(self.state(job_id), "queued")
        self.start_worker(max_lost=1)
        self.assertEqual(self.check(self.service, job_id)["attempt"], 4)

    def test_frozen_worker(self):
        """The one that wakes up late must not write any more."""
        frozen = self.start_worker(lease_ms=1000)
        job_id = self.begin(self.service)
        frozen.signal(signal.SIGSTOP)
        known = len(points_of(self.service, job_id))
        other = self.start_worker(lease_ms=1000)
        wait_until(lambda: self.service.get(f"/jobs/{job_id}").json()["attempt"] > 1, what="reaped")
        self.assertEqual(len(points_of(self.service, job_id)), known)
        frozen.signal(signal.SIGCONT)
        found = self.check(self.service, job_id)
        self.assertGreaterEqual(found["attempt"], 2)
        self.assertIn("reap", [event["event"] for event in self.service.job_events(job_id)])
        self.assertIn('"event":"claim_lost"', frozen.log.read_text())
        self.assertIn('"event":"job_succeeded"', other.log.read_text())
        self.assertNotIn('"event":"job_succeeded"', frozen.log.read_text()
                         .split('"event":"claim_lost"')[0])
        self.assertTrue(frozen.is_running())  # and works on, for other jobs

    def test_poison_and_retry(self):
        worker = self.start_worker(max_lost=1)
        job_id = self.begin(self.service)
        worker.signal(signal.SIGKILL)
        worker.wait()
        self.start_worker(max_lost=1)
        found = self.service.wait_for_job(job_id)
        self.assertEqual((found["state"], found["attempt"]), ("failed", 1))
        self.assertIn("worker", found["error"]["message"])
        self.assertEqual(self.service.post(f"/jobs/{job_id}/retry").status, 200)
        self.assertEqual(self.check(self.service, job_id)["attempt"], 2)
        self.assertEqual([event["event"] for event in self.service.job_events(job_id)],
                         ["submit", "claim", "poison", "retry", "claim", "finish"])

    def test_two_workers_two_jobs(self):
        workers = [self.start_worker(lease_ms=2000) for _ in range(2)]
        jobs = [self.service.post("/jobs", SPEC).json()["id"] for _ in range(2)]
        wait_until(lambda: len(points_of(self.service, jobs[1])) >= 3, what="both work")
        workers[0].signal(signal.SIGKILL)
        workers[0].wait()
        for job_id in jobs:
            self.check(self.service, job_id)


class ServerDrainTest(ServiceCase):
    """SIGTERM to the server: what has begun is finished, what has not is refused."""

    def test_requests_in_flight(self):
        redis = Redis()
        self.addCleanup(redis.stop)
        redis.start()
        service = Service("serve", redis=redis.url, device="ref")
        self.addCleanup(service.__exit__)
        self.services = [service]
        service.start()
        import_tiny(service)
        job_id = service.post("/jobs", SPEC).json()["id"]
        ends = []
        stream = Stream(service, job_id)
        watcher = threading.Thread(target=lambda: ends.extend(stream))
        watcher.start()
        late = service.connect()
        body = b'{"method": "ce"}'
        late.sendall(b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n%s" % (len(body), body[:5]))
        service.process.signal(signal.SIGTERM)
        wait_until(lambda: service.events("draining"), what="draining")
        late.sendall(body[5:])
        self.assertEqual(late.recv(65536)[:13], b"HTTP/1.1 422 ")
        late.close()
        self.assertEqual(service.process.wait(5), 0)
        watcher.join(5)
        self.assertEqual(ends, [])
        self.assertIn("stopping", b"".join(stream.comments).decode())


if __name__ == "__main__":
    unittest.main()
