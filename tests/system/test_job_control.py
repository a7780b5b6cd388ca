#!/usr/bin/env python3
"""What users can do to a job while it waits or runs."""

import concurrent.futures
import json
import os
import shutil
import time
import unittest

from job_case import LONG, NO_JOB, JobCase
from material import Stream, curve_of, weights_of
from service import wait_until


class PauseTest(JobCase):
    def pause(self, job_id):
        """Pauses a running job and waits until it is."""
        answer = self.service.post(f"/jobs/{job_id}/pause")
        self.assertEqual(answer.status, 200, answer)
        self.wait_for_state(job_id, "paused")

    def test_the_result_is_the_same(self):
        whole = self.succeed(epochs=40, seed=5)
        job_id = self.submit(epochs=40, seed=5)
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


class EditTest(JobCase):
    def edit(self, job_id, **fields):
        answer = self.service.request("PATCH", f"/jobs/{job_id}", fields)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(self.show(job_id)["spec"], answer.json()["spec"])
        return answer.json()

    def found(self, tag):
        return [job["id"] for job in self.service.get(f"/jobs?tag={tag}").json()["items"]]

    def test_priority_changes_the_order(self):
        running = self.submit(**LONG)
        self.wait_for_points(running)
        first, second, third = (self.submit(epochs=1, priority=4) for _ in range(3))
        self.assertEqual(self.edit(third, priority=9)["spec"]["priority"], 9)
        self.edit(first, priority=0)
        self.finish(running)
        started = [self.service.wait_for_job(job_id)["started"] for job_id in (third, second, first)]
        self.assertEqual(started, sorted(started))
        self.assertEqual(self.show(first)["spec"]["priority"], 0)

    def test_name_and_tags(self):
        running = self.submit(**LONG)
        self.wait_for_points(running)
        job_id = self.submit(epochs=1, name="old", tags=["a", "b"], priority=2)
        spec = self.edit(job_id, tags=["b", "c"])["spec"]
        self.assertEqual((spec["name"], spec["tags"], spec["priority"]), ("old", ["b", "c"], 2))
        self.assertEqual([self.found(tag) for tag in "abc"], [[], [job_id], [job_id]])
        self.assertEqual(self.edit(job_id, name="n\u00e9w \"x\"")["spec"]["name"], 'n\u00e9w "x"')
        self.assertIsNone(self.edit(job_id, name=None)["spec"]["name"])
        self.edit(job_id, name="last")
        self.assertEqual(self.edit(job_id)["spec"]["tags"], ["b", "c"])
        self.finish(running)
        done = self.service.wait_for_job(job_id)
        self.assertEqual(self.service.get(f"/models/{done['model']}").json()["name"], "last")
        self.assertEqual(self.edit(job_id, tags=[])["spec"]["tags"], [])
        self.assertEqual([self.found(tag) for tag in "abc"], [[], [], []])
        self.assertEqual([job["id"] for job in self.service.get(
            f"/jobs?model={done['model']}").json()["items"]], [job_id])

    def test_refusals(self):
        job_id = self.submit(**LONG)
        before = self.show(job_id)["spec"]
        for body, field in (({"priority": 10}, "priority"), ({"priority": None}, "priority"),
                            ({"epochs": 3}, "epochs"), ({"tags": "a"}, "tags"),
                            ({"tags": ["x" * 64]}, "tags"), ({"name": 3}, "name")):
            answer = self.service.request("PATCH", f"/jobs/{job_id}", body)
            self.assertEqual((answer.status, answer.json()["errors"][0]["field"]), (422, field))
        self.assertEqual(self.show(job_id)["spec"], before)
        for path, body, status in ((f"/jobs/{NO_JOB}", {}, 404), (f"/jobs/{job_id}", [], 400),
                                   (f"/jobs/{job_id}?x=1", {}, 422)):
            self.assertEqual(self.service.request("PATCH", path, body).status, status)
        plain = self.service.request("PATCH", f"/jobs/{job_id}", b"{}", {"Content-Type": "text/x"})
        self.assertEqual(plain.status, 415)
        self.finish(job_id)


class WaitTest(JobCase):
    def wait(self, job_id, wait_s=30):
        """The state that a waiting GET answers, and how long it took."""
        start = time.monotonic()
        answer = self.service.get(f"/jobs/{job_id}?wait_s={wait_s}")
        self.assertEqual(answer.status, 200, answer)
        return answer.json(), time.monotonic() - start

    def test_a_change_ends_the_wait(self):
        running = self.submit(**LONG)
        self.wait_for_points(running)
        job_id = self.submit(epochs=1)
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            waiting = [pool.submit(self.wait, job_id) for _ in range(2)]
            wish = pool.submit(self.wait, running)
            time.sleep(0.5)
            self.assertFalse(any(future.done() for future in (wish, *waiting)))
            self.service.post(f"/jobs/{job_id}/pause")
            for future in waiting:
                found, took = future.result()
                self.assertEqual(found["state"], "paused")
                self.assertLess(took, 10)
            self.service.post(f"/jobs/{running}/cancel")
            self.assertEqual(wish.result()[0]["requested"], "cancel")
        self.assertEqual(self.wait(running)[0]["state"], "cancelled")
        self.finish(job_id)
        self.assertLess(self.wait(job_id)[1], 5)  # it has finished

    def test_the_wait_is_bounded(self):
        running = self.submit(**LONG)
        self.wait_for_state(running, "running")
        found, took = self.wait(running, 1)
        self.assertEqual(found["state"], "running")
        self.assertGreater(took, 0.9)
        self.finish(running)

    def test_the_end_can_be_waited_for(self):
        job_id = self.submit(epochs=3)
        states = [self.show(job_id)["state"]]
        while states[-1] not in ("succeeded", "failed"):
            states.append(self.wait(job_id)[0]["state"])
        self.assertEqual(states[-1], "succeeded")
        self.assertLess(len(states), 5)

    def test_a_job_that_is_removed(self):
        job_id = self.submit(epochs=1)
        self.service.wait_for_job(job_id)
        self.assertEqual(self.service.delete(f"/jobs/{job_id}").status, 204)
        self.assertEqual(self.service.get(f"/jobs/{job_id}?wait_s=30").status, 404)

    def test_refusals(self):
        for value in ("-1", "61", "x", "1.5", ""):
            answer = self.service.get(f"/jobs/{NO_JOB}?wait_s={value}")
            self.assertEqual((answer.status, answer.json()["errors"][0]["field"]), (422, "wait_s"))
        self.assertEqual(self.service.get(f"/jobs/{NO_JOB}?wait_s=9").status, 404)


class EventsTest(JobCase):
    def events(self, job_id, query=""):
        return self.service.get(f"/jobs/{job_id}/events{query}").json()["events"]

    def test_what_happens_is_told_once_and_in_order(self):
        job_id = self.submit(epochs=40, checkpoint_every=40)
        stream = Stream(self.service, job_id, what="events")
        self.wait_for_points(job_id, 5)
        self.service.post(f"/jobs/{job_id}/pause")
        self.wait_for_state(job_id, "paused")
        self.service.post(f"/jobs/{job_id}/resume")
        *live, (_, last, job) = stream
        events = self.events(job_id)
        self.assertEqual([event for _, _, event in live], events)
        self.assertEqual({(name, int(seq) == event["seq"]) for seq, name, event in live},
                         {("event", True)})
        self.assertEqual((last, job), ("end", self.show(job_id)))
        self.assertEqual([event["seq"] for event in events], [*range(1, len(events) + 1)])
        told = [(event["event"], event["state"], event["requested"], event["attempt"])
                for event in events if event["event"] not in ("epoch", "checkpoint")]
        self.assertEqual(told, [("submit", "queued", None, 0), ("claim", "running", None, 1),
                                ("pause", "running", "pause", 1), ("release", "paused", None, 1),
                                ("resume", "queued", None, 1), ("claim", "running", None, 2),
                                ("finish", "succeeded", None, 2)])
        epochs = [(event["epoch"], event["step"]) for event in events if event["event"] == "epoch"]
        self.assertEqual(epochs, [(epoch, 8 * epoch) for epoch in range(1, 41)])
        checkpoints = [event["step"] for event in events if event["event"] == "checkpoint"]
        self.assertTrue(checkpoints)
        self.assertEqual(checkpoints, sorted(set(checkpoints)))
        self.assertTrue(all(event["worker"] == self.show(job_id)["worker"]
                            for event in events if event["event"] == "claim"))
        rest = list(Stream(self.service, job_id, last_event_id=3, what="events"))
        self.assertEqual([event for _, _, event in rest[:-1]], events[3:])
        self.assertEqual(self.events(job_id, "?since=2&limit=2"), events[2:4])

    def test_reasons_are_told(self):
        job_id = self.submit(learning_rate=100, momentum=0, weight_decay=1, epochs=30)
        reason = self.service.wait_for_job(job_id)["error"]["message"]
        self.service.post(f"/jobs/{job_id}/retry")
        self.service.wait_for_job(job_id)
        told = [(event["event"], event["message"]) for event in self.service.job_events(job_id)]
        self.assertEqual(told, [("submit", None), ("claim", None), ("fail", reason),
                                ("retry", reason), ("claim", None), ("fail", reason)])

    def test_a_lost_worker_is_told(self):
        job_id = self.submit(**LONG)
        self.wait_for_points(job_id)
        worker = self.show(job_id)["worker"]
        self.service.kill_child("work")
        wait_until(lambda: self.show(job_id)["attempt"] == 2, what="second attempt")
        reap, = (event for event in self.events(job_id) if event["event"] == "reap")
        self.assertEqual((reap["state"], reap["worker"], reap["attempt"]), ("queued", worker, 1))
        self.assertIn("lease ran out", reap["message"])
        self.finish(job_id)

    def test_refusals(self):
        job_id = self.succeed(epochs=1)["id"]
        path = f"/jobs/{job_id}/events"
        for query, field in (("format=csv", "format"), ("since=-1", "since"), ("limit=0", "limit"),
                             ("limit=1001", "limit"), ("from=1", "from")):
            answer = self.service.get(f"{path}?{query}")
            self.assertEqual((answer.status, answer.json()["errors"][0]["field"]), (422, field))
        answer = self.service.get(path, headers={"Accept": "text/csv"})
        self.assertEqual((answer.status, answer.json()["detail"]),
                         (406, "there are application/json, text/event-stream"))
        self.assertEqual(self.service.get(f"/jobs/{NO_JOB}/events").status, 404)


class RerunTest(JobCase):
    def rerun(self, job_id, **more):
        return self.service.post(f"/jobs/{job_id}/rerun", **more)

    def test_the_same_bytes_again(self):
        first = self.succeed(epochs=3, seed=11, name="first", tags=["a"], learning_rate=0.1)
        card = self.service.get(f"/models/{first['model']}").json()
        self.assertEqual(card["spec"], first["spec"])
        self.assertRegex(card["engine"], r"^distilld \d+\.\d+\.\d+, ref, glibc \d")
        data = self.service.get("/datasets/tiny").json()
        self.assertEqual(card["dataset_sha256"], data["sha256"])
        answer = self.rerun(first["id"], headers={"Idempotency-Key": "again"})
        self.assertEqual(answer.status, 201, answer)
        made = answer.json()
        self.assertEqual((made["identical"], made["differences"]), (True, []))
        job = made["job"]
        self.assertEqual(answer.headers["location"], f"/jobs/{job['id']}")
        self.assertEqual((job["spec"], job["rerun_of"]), (first["spec"], first["id"]))
        same = self.rerun(first["id"], headers={"Idempotency-Key": "again"})
        self.assertEqual(same.json()["job"]["id"], job["id"])
        done = self.service.wait_for_job(job["id"])
        self.assertEqual(weights_of(self.service, job["id"]), weights_of(self.service, first["id"]))
        self.assertEqual(curve_of(self.service, job["id"]), curve_of(self.service, first["id"]))
        again = self.service.get(f"/models/{done['model']}").json()
        self.assertEqual([again[name] for name in ("weights_sha256", "engine", "spec")],
                         [card[name] for name in ("weights_sha256", "engine", "spec")])

    def test_what_differs_is_told(self):
        first = self.succeed(epochs=1)
        path = self.service.data / "models" / first["model"] / "model.json"
        card = json.loads(path.read_text())
        path.write_text(json.dumps({**card, "engine": "distilld 0.0.9, ref", "reproducible": False,
                                    "dataset_sha256": "0" * 64}))
        made = self.rerun(first["id"]).json()
        self.assertEqual((made["identical"], made["differences"]),
                         (False, ["engine", "dataset", "first_run"]))
        self.finish(made["job"]["id"])

    def test_a_job_without_a_model(self):
        job_id = self.submit(**LONG)
        made = self.rerun(job_id).json()
        self.assertEqual((made["identical"], made["differences"]), (None, []))
        self.assertEqual(made["job"]["spec"], self.show(job_id)["spec"])
        self.finish(job_id, made["job"]["id"])

    def test_refusals(self):
        self.assertEqual(self.rerun(NO_JOB).status, 404)
        job_id = self.succeed(epochs=1)["id"]
        self.assertEqual(self.service.post(f"/jobs/{job_id}/rerun?n=2").status, 422)
        key = {"Idempotency-Key": "only once"}
        first = self.rerun(job_id, headers=key).json()["job"]["id"]
        other = self.rerun(first, headers=key)
        self.assertEqual((other.status, other.json()["errors"][0]["field"]),
                         (422, "Idempotency-Key"))
        self.service.wait_for_job(first)
        student = self.submit(method="kd", teacher=self.show(first)["model"], epochs=1)
        self.service.wait_for_job(student)
        shutil.rmtree(self.service.data / "models" / self.show(first)["model"])
        answer = self.rerun(student)
        self.assertEqual((answer.status, answer.json()["errors"][0]["field"]), (422, "teacher"))

    def test_a_repetition_outlives_the_first_run(self):
        key = {"Idempotency-Key": "for good"}
        teacher = self.succeed(epochs=1)
        first = self.submit(method="kd", teacher=teacher["model"], **LONG)
        made = self.rerun(first, headers=key).json()["job"]["id"]
        self.finish(first, made)
        shutil.rmtree(self.service.data / "models" / teacher["model"])
        self.assertEqual(self.rerun(first).status, 422)
        self.assertEqual(self.rerun(first, headers=key).json()["job"]["id"], made)
        self.assertEqual(self.service.delete(f"/jobs/{first}").status, 204)
        answer = self.rerun(first, headers=key)
        self.assertEqual((answer.status, answer.headers["location"]), (201, f"/jobs/{made}"))
        self.assertEqual((answer.json()["job"]["id"], answer.json()["identical"]), (made, None))


class LogTest(JobCase):
    def lines(self, job_id, query=""):
        answer = self.service.get(f"/jobs/{job_id}/logs{query}")
        self.assertEqual(answer.headers["content-type"], "text/plain; charset=utf-8")
        return answer.body.decode().splitlines()

    def follow(self, job_id, query=""):
        """The lines and the job of a log that is followed to its end."""
        answer = self.service.get(f"/jobs/{job_id}/logs?follow=true{query}")
        self.assertEqual(answer.headers["content-type"], "text/event-stream")
        *events, last = [event.split("\n", 1) for event in answer.body.decode().split("\n\n")
                         if event.startswith("event")]
        self.assertEqual({name for name, _ in events} - {"event: line"}, set())
        self.assertEqual(last[0], "event: end")
        return ([text.removeprefix("data: ") for _, text in events],
                json.loads(last[1].removeprefix("data: ")))

    def test_what_a_run_says(self):
        job_id = self.submit(epochs=30, seed=9)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            following = pool.submit(self.follow, job_id)
            self.wait_for_points(job_id, 5)
            self.service.post(f"/jobs/{job_id}/pause")
            self.wait_for_state(job_id, "paused")
            self.service.post(f"/jobs/{job_id}/resume")
            followed, job = following.result()
        lines = self.lines(job_id)
        self.assertEqual(followed, lines)
        self.assertEqual(job, self.show(job_id))
        texts = [line.split(" ", 1)[1] for line in lines]
        self.assertEqual(texts[:2], [f"attempt 1: claimed by {job['worker']}",
                                     "attempt 1: training from step 0 of 240"])
        self.assertTrue(any("given back" in text and "paused" in text for text in texts))
        self.assertTrue(any(text.startswith("attempt 2: training from step") for text in texts))
        self.assertTrue(texts[-1].startswith(f"attempt 2: model {job['model']}: top1"))
        self.assertEqual(sum(": epoch " in text for text in texts), 30)
        self.assertEqual(self.lines(job_id, "?tail=3"), lines[-3:])
        self.assertEqual(self.lines(job_id, "?tail=0"), [])
        self.assertEqual(self.follow(job_id, "&tail=2")[0], lines[-2:])
        self.assertEqual(self.service.delete(f"/jobs/{job_id}").status, 204)
        self.assertEqual(self.service.get(f"/jobs/{job_id}/logs").status, 404)
        self.assertEqual(list((self.service.data / "logs").glob(f"{job_id}*")), [])

    def test_threads_without_processors_are_told(self):
        processors = len(os.sched_getaffinity(0))
        job_id = self.submit(epochs=1, device="auto", threads=processors + 1)
        self.service.wait_for_job(job_id)
        words = f"{processors + 1} threads on {processors} processors"
        self.assertIn(words, "\n".join(self.lines(job_id)))
        warning, = self.service.events("many_threads")
        self.assertEqual((warning["job"], warning["threads"]), (job_id, processors + 1))
        self.assertNotIn("processors", "\n".join(self.lines(self.succeed(epochs=1)["id"])))

    def test_a_failure_is_told(self):
        job_id = self.submit(learning_rate=100, momentum=0, weight_decay=1, epochs=30)
        found = self.service.wait_for_job(job_id)
        self.assertTrue(self.lines(job_id)[-1].endswith(
            f"attempt 1: failed: diverged: {found['error']['message']}"))

    def test_refusals(self):
        running = self.submit(**LONG)
        waiting = self.submit(epochs=1)
        self.assertEqual(self.lines(waiting), [])
        for query, field in (("tail=-1", "tail"), ("tail=100001", "tail"), ("follow=2", "follow"),
                             ("since=1", "since")):
            answer = self.service.get(f"/jobs/{waiting}/logs?{query}")
            self.assertEqual((answer.status, answer.json()["errors"][0]["field"]), (422, field))
        self.assertEqual(self.service.get(f"/jobs/{NO_JOB}/logs?follow=true").status, 404)
        self.finish(waiting, running)


class ListTest(JobCase):
    """Filters alone and together, on jobs that wait behind one that runs."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        test = cls()
        done = test.succeed(epochs=1, tags=["x y", "paper"])
        cls.teacher = done["model"]
        cls.made = {"teacher": done["id"], "long": test.submit(**LONG, student="resnet14"),
                    "started": test.submit(init=cls.teacher, tags=["paper"])}
        for i in range(4):
            cls.made[f"kd{i}"] = test.submit(method="kd", teacher=cls.teacher, seed=i,
                                             tags=["even" if i % 2 == 0 else "odd", "paper"])

    def names(self, query, limit=200):
        """The jobs of all pages, by their names in `made`."""
        found, after = [], ""
        while after is not None:
            page = self.service.get(f"/jobs?limit={limit}&{query}{after}").json()
            self.assertLessEqual(len(page["items"]), limit)
            found += [job["id"] for job in page["items"]]
            after = page["next"] and f"&after={page['next']}"
        self.assertEqual(found, sorted(found, reverse=True))
        return {name for name, job_id in self.made.items() if job_id in found}

    def test_each_filter(self):
        distilled = {"kd0", "kd1", "kd2", "kd3"}
        for query, expected in (("method=kd", distilled), ("student=resnet14", {"long"}),
                                (f"teacher={self.teacher}", distilled),
                                (f"model={self.teacher}", distilled | {"teacher", "started"}),
                                ("dataset=tiny", set(self.made)), ("dataset=other", set()),
                                ("tag=x%20y", {"teacher"}), ("tag=even", {"kd0", "kd2"}),
                                ("state=succeeded", {"teacher"}), ("tag=none", set()),
                                ("tag=paper&state=queued&method=ce", {"started"}),
                                ("tag=paper&tag2=x", None),
                                ("tag=odd&method=kd&state=queued", {"kd1", "kd3"})):
            if expected is None:
                self.assertEqual(self.service.get(f"/jobs?{query}").status, 422)
                continue
            for limit in (1, 3, 200):
                with self.subTest(query=query, limit=limit):
                    self.assertEqual(self.names(query, limit), expected)

    def test_values_that_no_job_has(self):
        for query, field in (("method=sgd", "method"), ("tag=", "tag"), ("tag=" + "x" * 64, "tag"),
                             ("student=", "student"), ("model=" + "x" * 501, "model")):
            answer = self.service.get(f"/jobs?{query}")
            self.assertEqual((answer.status, answer.json()["errors"][0]["field"]), (422, field))

    def test_a_removed_job_is_in_no_list(self):
        job_id = self.submit(epochs=1, tags=["gone"])
        self.assertEqual(len(self.service.get("/jobs?tag=gone").json()["items"]), 1)
        self.finish(job_id)
        self.service.delete(f"/jobs/{job_id}")
        self.assertEqual(self.service.get("/jobs?tag=gone").json(), {"items": [], "next": None})


if __name__ == "__main__":
    unittest.main()
