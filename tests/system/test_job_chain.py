#!/usr/bin/env python3
"""Jobs that wait for others, and jobs whose time is limited."""

import datetime
import unittest

from job_case import LONG, NO_JOB, JobCase
from material import add_dataset, job, weights_of


def in_seconds(seconds):
    now = datetime.datetime.now(datetime.timezone.utc)
    return (now + datetime.timedelta(seconds=seconds)).isoformat()


class DependencyTest(JobCase):
    def test_teacher_and_student_in_one_go(self):
        teacher = self.submit(epochs=4)
        student = self.submit(method="kd", teacher=teacher, epochs=1, priority=9)
        grandchild = self.submit(init=student, epochs=1, priority=9)
        found = self.show(student)
        self.assertEqual((found["state"], found["waits_for"]), ("queued", [teacher]))
        model = teacher.replace("job_", "model_")
        self.assertEqual((found["spec"]["teacher"], found["spec"]["depends_on"]),
                         (model, [teacher]))
        done = [self.service.wait_for_job(job_id) for job_id in (teacher, student, grandchild)]
        self.assertEqual([item["state"] for item in done], ["succeeded"] * 3)
        self.assertEqual([item["waits_for"] for item in done], [[]] * 3)
        for before, after in zip(done, done[1:]):
            self.assertLessEqual(before["finished"], after["started"])
        self.assertEqual(self.service.get(f"/models/{done[1]['model']}").json()["teacher"], model)
        late = self.submit(method="kd", teacher=teacher, epochs=1)
        self.assertEqual(self.show(late)["waits_for"], [])
        self.assertEqual(self.service.wait_for_job(late)["state"], "succeeded")

    def test_who_waits_holds_nobody_up(self):
        first = self.submit(**LONG)
        self.wait_for_points(first)
        self.service.post(f"/jobs/{first}/pause")
        self.wait_for_state(first, "paused")
        waiting = self.submit(depends_on=[first], epochs=1, priority=9)
        self.succeed(epochs=1)
        self.assertEqual(self.show(waiting)["state"], "queued")
        self.finish(first, waiting)

    def test_a_chain_falls_with_its_first_job(self):
        first = self.submit(**LONG)
        second = self.submit(method="kd", teacher=first, epochs=1)
        third = self.submit(depends_on=[first, second], epochs=1)
        self.finish(first)
        for job_id, before in ((second, first), (third, None)):
            found = self.service.wait_for_job(job_id, 5)
            self.assertEqual((found["state"], found["error"]["code"], found["error"]["field"]),
                             ("failed", "conflict", "depends_on"))
            if before:
                self.assertEqual(found["error"]["message"],
                                 f"job {before}, on which it depends, is cancelled")
            self.assertEqual(found["attempt"], 0)
            self.assertEqual(self.service.job_events(job_id)[-1]["event"], "forsake")
        again = self.service.post(f"/jobs/{second}/retry")
        self.assertEqual((again.status, again.json()["detail"]),
                         (409, f"cannot retry: job {first}, on which it depends, is cancelled"))

    def test_refusals(self):
        cancelled = self.submit(**LONG)
        self.finish(cancelled)
        running = self.submit(**LONG)
        add_dataset(self.service, "large", side=12)
        before = self.service.get("/jobs?limit=200").json()
        for fields, field in (({"depends_on": [NO_JOB]}, "depends_on"),
                              ({"depends_on": [cancelled]}, "depends_on"),
                              ({"depends_on": ["job_1"]}, "depends_on"),
                              ({"depends_on": [running] * 17}, "depends_on"),
                              ({"method": "kd", "teacher": NO_JOB}, "teacher"),
                              ({"method": "kd", "teacher": cancelled}, "teacher"),
                              ({"init": cancelled}, "init"),
                              ({"method": "kd", "teacher": running, "dataset": "large"}, "teacher")):
            answer = self.service.post("/jobs", job(**fields))
            self.assertEqual((answer.status, answer.json()["errors"][0]["field"]), (422, field))
        dry = self.service.post("/jobs?dry_run=true", job(method="kd", teacher=running))
        self.assertEqual((dry.status, dry.json()["errors"][0]["field"]), (422, "teacher"))
        self.assertEqual([item["id"] for item in self.service.get("/jobs?limit=200").json()["items"]],
                         [item["id"] for item in before["items"]])
        self.finish(running)


class CheckpointTest(JobCase):
    def kept(self, job_id):
        return self.service.get(f"/jobs/{job_id}/checkpoints").json()["items"]

    def test_the_last_are_kept(self):
        done = self.succeed(epochs=5, keep_checkpoints=3)
        kept = self.kept(done["id"])
        self.assertEqual([item["step"] for item in kept], [40, 32, 24])
        self.assertEqual([item["id"] for item in kept],
                         [f"{done['id']}-{step}" for step in (40, 32, 24)])
        files = [self.service.get(f"/checkpoints/{item['id']}").body for item in kept]
        self.assertEqual([len(body) for body in files], [item["bytes"] for item in kept])
        self.assertEqual(files[0], weights_of(self.service, done["id"]))
        self.assertEqual(len(set(files)), 3)
        self.check_parts(f"/checkpoints/{kept[1]['id']}", files[1])
        self.assertEqual(self.service.delete(f"/jobs/{done['id']}").status, 204)
        self.assertEqual(self.service.get(f"/checkpoints/{kept[0]['id']}").status, 404)
        self.assertFalse((self.service.data / "checkpoints" / done["id"]).exists())

    def check_parts(self, path, whole):
        tag = self.service.get(path).headers["etag"]
        part = self.service.get(path, headers={"Range": "bytes=100-", "If-Range": tag})
        self.assertEqual((part.status, part.body), (206, whole[100:]))
        known = self.service.get(path, headers={"If-None-Match": tag})
        self.assertEqual((known.status, known.body), (304, b""))

    def test_they_are_the_same_after_a_kill(self):
        whole = self.succeed(epochs=30, seed=3, keep_checkpoints=2)
        job_id = self.submit(epochs=30, seed=3, keep_checkpoints=2)
        self.wait_for_points(job_id, 30)
        self.service.kill_child("work")
        self.assertEqual(self.service.wait_for_job(job_id)["attempt"], 2)
        pair = self.kept(whole["id"]), self.kept(job_id)
        for kept in pair:
            self.assertEqual([item["step"] for item in kept], [240, 232])
        for one, other in zip(*pair):
            self.assertEqual(self.service.get(f"/checkpoints/{one['id']}").body,
                             self.service.get(f"/checkpoints/{other['id']}").body)

    def test_a_job_starts_from_one(self):
        """From the last checkpoint it is as from the model; from another one it is not."""
        first = self.succeed(epochs=3, keep_checkpoints=3)
        last, *_, early = self.kept(first["id"])
        runs = [self.succeed(epochs=1, seed=2, init=init)
                for init in (first["model"], last["id"], early["id"])]
        same, as_well, other = (weights_of(self.service, run["id"]) for run in runs)
        self.assertEqual(same, as_well)
        self.assertNotEqual(same, other)
        self.assertEqual(runs[1]["spec"]["init"], last["id"])

    def test_refusals(self):
        done = self.succeed(epochs=1)
        self.assertEqual(self.kept(done["id"]), [])
        self.assertEqual(self.service.get(f"/jobs/{NO_JOB}/checkpoints").status, 404)
        for name in (f"{done['id']}-8", done["id"], "x", f"{done['id']}-../8"):
            self.assertIn(self.service.get(f"/checkpoints/{name}").status, (400, 404))
        for fields, field in (({"init": f"{done['id']}-8"}, "init"),
                              ({"keep_checkpoints": 101}, "keep_checkpoints"),
                              ({"method": "kd", "teacher": f"{done['id']}-8"}, "teacher")):
            answer = self.service.post("/jobs", job(**fields))
            self.assertEqual((answer.status, answer.json()["errors"][0]["field"]), (422, field))


class TimeTest(JobCase):
    def check_timeout(self, job_id, field):
        found = self.service.wait_for_job(job_id, 15)
        self.assertEqual((found["state"], found["error"]["code"], found["error"]["field"]),
                         ("failed", "timeout", field))
        self.assertEqual(self.service.job_events(job_id)[-1]["event"], "expire")

    def test_max_runtime(self):
        job_id = self.submit(**LONG, max_runtime_s=2)
        self.check_timeout(job_id, "max_runtime_s")
        self.succeed(epochs=1, max_runtime_s=600)  # the worker is free again
        again = self.service.post(f"/jobs/{job_id}/retry")
        self.assertEqual(again.status, 200, again)
        self.wait_for_state(job_id, "running")
        self.check_timeout(job_id, "max_runtime_s")

    def test_deadline(self):
        running = self.submit(**LONG, deadline=in_seconds(2))
        waiting = self.submit(epochs=1, deadline=in_seconds(2))
        self.check_timeout(running, "deadline")
        self.check_timeout(waiting, "deadline")
        self.succeed(epochs=1, deadline=in_seconds(600))

    def test_refusals(self):
        for fields, field in (({"deadline": "tomorrow"}, "deadline"),
                              ({"deadline": "2026-01-01T00:00:00Z"}, "deadline"),
                              ({"deadline": 5}, "deadline"),
                              ({"max_runtime_s": -1}, "max_runtime_s"),
                              ({"max_runtime_s": 1.5}, "max_runtime_s")):
            answer = self.service.post("/jobs", job(**fields))
            self.assertEqual((answer.status, answer.json()["errors"][0]["field"]), (422, field))


if __name__ == "__main__":
    unittest.main()
