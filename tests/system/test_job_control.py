#!/usr/bin/env python3
"""What users can do to a job while it waits or runs."""

import unittest

from job_case import LONG, NO_JOB, JobCase
from material import curve_of, weights_of
from service import wait_until


class PauseTest(JobCase):
    def pause(self, job_id):
        """Pauses a running job and waits until it is."""
        answer = self.service.post(f"/jobs/{job_id}/pause")
        self.assertEqual(answer.status, 200, answer)
        self.wait_for_state(job_id, "paused")

    def test_the_result_is_the_same(self):
        whole = self.succeed(epochs=12, seed=5)
        job_id = self.submit(epochs=12, seed=5)
        for count in (2, 9):
            self.wait_for_points(job_id, count)
            self.pause(job_id)
            paused = self.show(job_id)
            self.assertIsNone(paused["requested"])
            self.assertTrue(list((self.service.data / "jobs" / job_id).glob("checkpoint*")))
            resumed = self.service.post(f"/jobs/{job_id}/resume")
            self.assertEqual((resumed.status, resumed.json()["state"]), (200, "queued"))
        found = self.service.wait_for_job(job_id)
        self.assertEqual((found["state"], found["attempt"]), ("succeeded", 3))
        self.assertEqual(weights_of(self.service, job_id), weights_of(self.service, whole["id"]))
        self.assertEqual(curve_of(self.service, job_id), curve_of(self.service, whole["id"]))

    def test_a_paused_job_leaves_the_worker_to_others(self):
        job_id = self.submit(**LONG)
        self.wait_for_points(job_id)
        self.pause(job_id)
        self.succeed(epochs=1)
        self.assertEqual(self.show(job_id)["state"], "paused")
        again = self.service.post(f"/jobs/{job_id}/pause")
        self.assertEqual((again.status, again.json()["state"]), (200, "paused"))
        self.finish(job_id)
        self.assertFalse((self.service.data / "jobs" / job_id).exists())

    def test_a_queued_job_waits_at_its_place(self):
        running = self.submit(**LONG)
        self.wait_for_points(running)
        first, second = self.submit(epochs=1), self.submit(epochs=1)
        self.assertEqual(self.service.post(f"/jobs/{first}/pause").json()["state"], "paused")
        self.assertEqual(self.service.post(f"/jobs/{first}/resume").json()["state"], "queued")
        self.finish(running)
        done = [self.service.wait_for_job(job_id) for job_id in (first, second)]
        self.assertLess(done[0]["started"], done[1]["started"])

    def test_a_wish_can_be_taken_back(self):
        job_id = self.submit(**LONG)
        self.wait_for_points(job_id)
        self.assertEqual(self.service.post(f"/jobs/{job_id}/pause").json()["requested"], "pause")
        back = self.service.post(f"/jobs/{job_id}/resume")
        self.assertIn(back.json()["state"], ("running", "queued"))
        count = len(curve_of(self.service, job_id))
        self.wait_for_points(job_id, count + 2)
        self.finish(job_id)

    def test_refusals(self):
        done = self.succeed(epochs=1)["id"]
        running = self.submit(**LONG)
        self.wait_for_state(running, "running")
        for job_id, wish, status in ((done, "pause", 409), (done, "resume", 409),
                                     (running, "resume", 409), (NO_JOB, "pause", 404),
                                     (NO_JOB, "resume", 404)):
            answer = self.service.post(f"/jobs/{job_id}/{wish}")
            self.assertEqual(answer.status, status, answer)
        problem = self.service.post(f"/jobs/{done}/pause").json()
        self.assertEqual(problem["detail"], f"cannot pause: job {done} is succeeded")
        self.assertEqual(self.service.post(f"/jobs/{done}/pause?now=1").status, 422)
        self.finish(running)


if __name__ == "__main__":
    unittest.main()
