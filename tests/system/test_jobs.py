#!/usr/bin/env python3
"""A job from submission to prediction, and everything a user can ask on the way."""

import base64
import csv
import datetime
import hashlib
import io
import json
import struct
import time
import unittest

from job_case import LONG, NO_JOB, JobCase
from material import Stream, add_dataset, curve_of, job, jpeg, picture, points_of, weights_of
from service import wait_until

POINT_FIELDS = ["seq", "time", "phase", "epoch", "step", "loss", "ce", "distill", "top1", "top5",
                "learning_rate", "images_per_s"]
JOB_FIELDS = {"id", "state", "requested", "spec", "waits_for", "attempt", "worker", "progress", "metrics",
              "model", "rerun_of", "owner", "reproducible", "error", "created", "started", "finished",
              "estimated_finish", "updated"}


class WholeWayTest(JobCase):
    """Teacher, student and predictions, done once and looked at from all sides."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        test = cls()
        cls.teacher = test.succeed(epochs=8, crop_padding=1, flip=False, name="my teacher",
                                   tags=["a", "b"])
        cls.student_id = test.submit(method="wttm", teacher=cls.teacher["model"], temperature=4,
                                     beta=2, epochs=8, crop_padding=1, flip=False, seed=7)
        cls.stream = list(Stream(cls.service, cls.student_id))
        cls.student = test.show(cls.student_id)

    def test_dataset(self):
        self.assertEqual(self.imported.status, 201)
        self.assertEqual(self.imported.headers["location"], "/datasets/tiny")
        card = self.imported.json()
        self.assertEqual([card[name] for name in ("height", "width", "channels", "classes",
                                                  "train_count", "test_count")],
                         [8, 8, 3, 4, 128, 32])
        self.assertEqual(card["class_names"], ["ant", "bee", "cat", "dog"])
        self.assertEqual(self.service.get("/datasets/tiny").json(), card)
        self.assertEqual(self.service.get("/datasets").json(), {"items": [card], "next": None})

    def test_job(self):
        found = self.student
        self.assertEqual(found["state"], "succeeded")
        self.assertEqual(set(found), JOB_FIELDS)
        self.assertEqual(found["spec"]["gamma"], 0.25)
        self.assertEqual(found["spec"]["data_seed"], 7)
        self.assertEqual(found["spec"]["learning_rate"], 0.05)
        self.assertEqual((found["attempt"], found["error"], found["requested"]), (1, None, None))
        self.assertTrue(found["reproducible"])
        self.assertLessEqual(found["created"], found["started"])
        self.assertLess(found["started"], found["finished"])
        progress = found["progress"]
        self.assertEqual([progress[name] for name in ("epoch", "epochs", "step", "steps",
                                                      "fraction")], [8, 8, 64, 64, 1])
        self.assertEqual(found["metrics"]["eval"]["epoch"], 8)
        self.assertGreater(found["metrics"]["best"]["top1"], 0.7)
        self.assertEqual(self.teacher["spec"]["name"], "my teacher")
        self.assertEqual(self.teacher["spec"]["tags"], ["a", "b"])

    def test_stream(self):
        points = points_of(self.service, self.student_id)
        *before, (_, last, data) = self.stream
        self.assertEqual([event for _, event, _ in before], ["point"] * len(points))
        self.assertEqual([(int(seq), point["seq"]) for seq, _, point in before],
                         [(i, i) for i in range(1, len(points) + 1)])
        self.assertEqual([point for _, _, point in before], points)
        self.assertEqual((last, data), ("end", self.student))

    def test_stream_of_the_rest(self):
        rest = list(Stream(self.service, self.student_id, last_event_id=5))
        self.assertEqual(rest, self.stream[5:])

    def test_head_of_a_stream(self):
        """No byte of a body, which would begin the next answer."""
        with self.service.connect() as connection:
            connection.sendall(f"HEAD /jobs/{self.student_id}/metrics?format=stream HTTP/1.1\r\n"
                               "Host: x\r\n\r\n".encode())
            data = b"".join(iter(lambda: connection.recv(65536), b""))
        self.assertTrue(data.startswith(b"HTTP/1.1 200 ") and data.endswith(b"\r\n\r\n"), data)
        self.assertEqual(data.count(b"\r\n\r\n"), 1)
        self.assertIn(b"\r\nContent-Type: text/event-stream\r\n", data)

    def test_points(self):
        answer = self.service.get(f"/jobs/{self.student_id}/metrics")
        points = answer.json()["points"]
        self.assertEqual(list(points[0]), POINT_FIELDS)
        self.assertEqual([point["seq"] for point in points], list(range(1, len(points) + 1)))
        self.assertEqual(answer.json()["next"], len(points))
        evals = [(point["epoch"], point["step"]) for point in points if point["phase"] == "eval"]
        self.assertEqual(evals, [(epoch, 8 * epoch) for epoch in range(1, 9)])
        trained = [point["step"] for point in points if point["phase"] == "train"]
        self.assertEqual(trained, sorted(set(trained)))
        self.assertTrue(all(point["distill"] > 0 for point in points
                            if point["phase"] == "train"))

    def test_points_since(self):
        path = f"/jobs/{self.student_id}/metrics"
        points = self.service.get(path).json()["points"]
        some = self.service.get(f"{path}?since=3&limit=2").json()
        self.assertEqual(some, {"points": points[3:5], "next": 5})
        self.assertEqual(self.service.get(f"{path}?since=100000").json(),
                         {"points": [], "next": 100000})
        greatest = 2**53 - 1
        for kind, name in (("metrics", "points"), ("events", "events")):
            self.assertEqual(self.service.get(f"/jobs/{self.student_id}/{kind}?since={greatest}").json(),
                             {name: [], "next": greatest})

    def test_since_ends_with_the_numbers_of_json(self):
        last = 2 ** 53 - 1
        for path in (f"/jobs/{self.student_id}/{what}" for what in ("metrics", "events")):
            self.assertEqual(self.service.get(f"{path}?since={last}").json()["next"], last)
            self.assertEqual(self.service.get(f"{path}?since={last + 1}").status, 422)
            over = self.service.get(path, headers={"Last-Event-ID": str(last + 1)})
            self.assertEqual(over.status, 422)

    def test_points_as_csv(self):
        path = f"/jobs/{self.student_id}/metrics"
        for answer in (self.service.get(f"{path}?format=csv", headers={"Accept": "text/html"}),
                       self.service.get(path, headers={"Accept": "text/csv"})):
            self.assertTrue(answer.headers["content-type"].startswith("text/csv"))
            head, *rows = csv.reader(io.StringIO(answer.body.decode(), newline=""))
            self.assertEqual(head, POINT_FIELDS)
            points = points_of(self.service, self.student_id)
            self.assertEqual([(int(row[0]), row[2], float(row[5])) for row in rows],
                             [(point["seq"], point["phase"], point["loss"]) for point in points])

    def test_not_acceptable(self):
        path = f"/jobs/{self.student_id}/metrics"
        self.assertEqual(self.service.get(path, headers={"Accept": "image/png"}).status, 406)

    def test_model(self):
        card = self.service.get(f"/models/{self.student['model']}").json()
        self.assertEqual([card[name] for name in ("job", "architecture", "dataset", "method",
                                                  "teacher", "epoch", "classes")],
                         [self.student_id, "resnet8", "tiny", "wttm", self.teacher["model"], 8, 4])
        last = self.student["metrics"]["eval"]
        self.assertEqual((card["loss"], card["top1"]), (last["loss"], last["top1"]))
        items = self.service.get("/models").json()["items"]
        self.assertIn(card, items)

    def test_weights(self):
        card = self.service.get(f"/models/{self.student['model']}").json()
        path = f"/models/{self.student['model']}/weights"
        answer = self.service.get(path)
        self.assertEqual(hashlib.sha256(answer.body).hexdigest(), card["weights_sha256"])
        self.assertEqual(answer.headers["etag"], f"\"{card['weights_sha256']}\"")
        self.assertEqual(len(answer.body), card["weights_bytes"])
        size, = struct.unpack("<Q", answer.body[:8])
        names = json.loads(answer.body[8:8 + size])
        self.assertEqual(names["fc.weight"]["shape"], [4, 64])
        part = self.service.get(path, headers={"Range": "bytes=10-19"})
        self.assertEqual((part.status, part.body), (206, answer.body[10:20]))
        same = self.service.get(path, headers={"If-None-Match": answer.headers["etag"]})
        self.assertEqual((same.status, same.body), (304, b""))
        self.check_conditions(path, answer.headers["etag"], answer.body)

    def check_conditions(self, path, tag, whole):
        """What a client sends that has the file, or a part of it."""
        for known, status in ((f'"x", {tag}', 304), (f"W/{tag}", 304), ("*", 304), ('"x"', 206)):
            answer = self.service.get(path, headers={"If-None-Match": known,
                                                     "Range": "bytes=0-9"})
            self.assertEqual((answer.status, answer.headers["etag"]), (status, tag), known)
        for held, status in ((tag, 206), ('"x"', 200), (f"W/{tag}", 200)):
            answer = self.service.get(path, headers={"If-Range": held, "Range": "bytes=5-"})
            self.assertEqual((answer.status, answer.body),
                             (status, whole[5:] if status == 206 else whole), held)

    def test_predict_a_picture(self):
        model = self.student["model"]
        for kind, body in (("image/png", picture(2)), ("image/jpeg", jpeg())):
            answer = self.service.post(f"/predict?model={model}&top_k=2", body,
                                       headers={"Content-Type": kind})
            self.assertEqual(answer.status, 200, answer)
            (first, second), = answer.json()["predictions"]
            self.assertGreaterEqual(first["score"], second["score"])
        self.assertEqual(answer.json()["model"], model)

    def test_predict_pictures(self):
        pictures = [picture(label, seed=10 + label) for label in (0, 1, 2, 3)]
        lists = self.service.predict(self.student["model"], pictures).json()["predictions"]
        self.assertEqual([[entry["index"] for entry in sorted(best, key=lambda e: e["index"])]
                          for best in lists], [[0, 1, 2, 3]] * 4)
        for best in lists:
            self.assertAlmostEqual(sum(entry["score"] for entry in best), 1, places=5)
        right = sum(best[0]["label"] == ("ant", "bee", "cat", "dog")[i]
                    for i, best in enumerate(lists))
        self.assertGreaterEqual(right, 3)

    def test_predictions_do_not_depend_on_company(self):
        model = self.student["model"]
        together = self.service.predict(model, [picture(1), jpeg(), picture(3)], top_k=4).json()
        alone = self.service.predict(model, [picture(3)], top_k=4).json()
        for one, other in zip(together["predictions"][2], alone["predictions"][0]):
            self.assertEqual((one["label"], one["index"]), (other["label"], other["index"]))
            self.assertAlmostEqual(one["score"], other["score"], places=5)
        self.assertEqual(len(self.service.predict(model, [jpeg()], 1).json()["predictions"][0]), 1)

    def test_larger_picture_is_resized(self):
        model = self.student["model"]
        body = {"model": model, "images": [base64.b64encode(picture(2, scale=8)).decode()]}
        answer = self.service.post("/predict", body)
        self.assertEqual(answer.json()["predictions"][0][0]["label"], "cat")

    def test_same_spec_same_bytes(self):
        spec = {name: value for name, value in self.student["spec"].items()
                if value is not None and name != "gamma"}
        again = self.succeed(**{**spec, "name": "again", "priority": 3})
        self.assertEqual(weights_of(self.service, again["id"]),
                         weights_of(self.service, self.student_id))
        self.assertEqual(curve_of(self.service, again["id"]),
                         curve_of(self.service, self.student_id))

    def test_prometheus_counts(self):
        text = self.service.get("/metrics").body.decode()
        self.assertRegex(text, r'(?m)^distilld_jobs\{state="succeeded"\} [1-9]')


class WishesTest(JobCase):
    """Cancel, retry, remove, list, dry run, idempotency."""

    def test_cancel_a_queued_job(self):
        running = self.submit(**LONG)
        queued = self.submit()
        self.assertEqual(self.show(queued)["state"], "queued")
        answer = self.service.post(f"/jobs/{queued}/cancel")
        self.assertEqual((answer.status, answer.json()["state"]), (200, "cancelled"))
        self.assertEqual(self.service.post(f"/jobs/{queued}/cancel").status, 200)
        self.assertEqual(self.show(queued)["attempt"], 0)
        self.finish(running)

    def test_cancel_a_running_job(self):
        job_id = self.submit(**LONG)
        self.wait_for_points(job_id)
        answer = self.service.post(f"/jobs/{job_id}/cancel").json()
        self.assertEqual((answer["state"], answer["requested"]), ("running", "cancel"))
        found = self.service.wait_for_job(job_id, 10)
        self.assertEqual((found["state"], found["requested"], found["model"]),
                         ("cancelled", None, None))
        wait_until(lambda: not (self.service.data / "jobs" / job_id).exists(),
                   what="checkpoint removed")
        *_, (_, event, data) = Stream(self.service, job_id)
        self.assertEqual((event, data["state"]), ("end", "cancelled"))

    def test_priority_goes_first(self):
        running = self.submit(**LONG)
        self.wait_for_points(running)
        low, high = self.submit(epochs=1), self.submit(epochs=1, priority=5)
        self.finish(running)
        first, second = self.service.wait_for_job(high), self.service.wait_for_job(low)
        self.assertLess(first["started"], second["started"])

    def test_failed_job_and_retry(self):
        job_id = self.submit(learning_rate=100, momentum=0, weight_decay=1, epochs=30)
        found = self.service.wait_for_job(job_id)
        self.assertEqual((found["state"], found["model"]), ("failed", None))
        self.assertEqual((found["error"]["code"], found["error"]["attempt"]), ("diverged", 1))
        again = self.service.post(f"/jobs/{job_id}/retry")
        self.assertEqual((again.status, again.json()["state"]), (200, "queued"))
        self.assertIsNone(again.json()["error"])
        found = self.service.wait_for_job(job_id)
        self.assertEqual((found["state"], found["error"]["attempt"]), ("failed", 2))

    def test_only_failed_jobs_are_retried(self):
        done = self.succeed(epochs=1)
        self.assertEqual(self.service.post(f"/jobs/{done['id']}/retry").status, 409)
        self.assertEqual(self.service.post(f"/jobs/{done['id']}/cancel").status, 409)

    def test_remove(self):
        job_id = self.submit(**LONG)
        self.wait_for_state(job_id, "running")
        answer = self.service.delete(f"/jobs/{job_id}")
        self.assertEqual((answer.status, answer.json()["type"]),
                         (409, "urn:distilld:problem:conflict"))
        self.finish(job_id)
        self.assertEqual(self.service.delete(f"/jobs/{job_id}").status, 204)
        for again in (self.service.get(f"/jobs/{job_id}"), self.service.delete(f"/jobs/{job_id}"),
                      self.service.get(f"/jobs/{job_id}/metrics")):
            self.assertEqual(again.status, 404)
        self.assertNotIn(job_id, [item["id"] for item in self.list_all()])

    def test_model_outlives_its_job(self):
        done = self.succeed(epochs=1)
        self.assertEqual(self.service.delete(f"/jobs/{done['id']}").status, 204)
        self.assertEqual(self.service.get(f"/models/{done['model']}").status, 200)
        self.assertEqual(self.service.predict(done["model"], [picture(0)]).status, 200)

    def list_all(self, query="", limit=200):
        items, after = [], ""
        while after is not None:
            page = self.service.get(f"/jobs?limit={limit}{query}{after}").json()
            self.assertLessEqual(len(page["items"]), limit)
            items += page["items"]
            after = page["next"] and f"&after={page['next']}"
        return items

    def test_list(self):
        running = self.submit(**LONG)
        waiting = [self.submit(epochs=1, name=f"job {i}") for i in range(5)]
        everything = self.list_all()
        ids = [item["id"] for item in everything]
        self.assertEqual(ids[:6], [*reversed(waiting), running])
        self.assertEqual(len(set(ids)), len(ids))
        self.assertEqual([item["id"] for item in self.list_all(limit=2)], ids)
        self.assertEqual([item["id"] for item in self.list_all("&state=queued", limit=2)],
                         [*reversed(waiting)])
        self.assertEqual([item["spec"]["name"] for item in self.list_all("&state=queued")],
                         [f"job {i}" for i in (4, 3, 2, 1, 0)])
        self.finish(*waiting, running)

    def test_dry_run(self):
        before = self.list_all()
        answer = self.service.post("/jobs?dry_run=true", job(epochs=3))
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.json()["spec"]["epochs"], 3)
        estimate = answer.json()["estimate"]
        self.assertEqual((estimate["steps"], estimate["teacher_parameters"]), (24, 0))
        self.assertGreater(estimate["student_parameters"], 70000)
        self.assertGreater(estimate["flops_per_step"], 1e6)
        self.assertEqual(self.list_all(), before)

    def test_idempotency_key(self):
        key = {"Idempotency-Key": "once"}
        first = self.service.post("/jobs", job(epochs=1), headers=key)
        self.assertEqual(first.status, 201)
        job_id = first.json()["id"]
        self.service.wait_for_job(job_id)
        again = self.service.post("/jobs", job(epochs=1), headers=key)
        self.assertEqual((again.status, again.json()["id"]), (201, job_id))
        other = self.service.post("/jobs", job(epochs=2), headers=key)
        self.assertEqual((other.status, other.json()["errors"][0]["field"]),
                         (422, "Idempotency-Key"))

    def test_a_repetition_outlives_what_the_request_names(self):
        """The deadline passes, the job that makes the teacher is cancelled, the data set goes."""
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)
        add_dataset(self.service, "brief")
        teacher = self.submit(**LONG)
        requests = {"late": job(**LONG, deadline=soon.isoformat(timespec="milliseconds")),
                    "student": job(method="kd", teacher=teacher),
                    "brief": job(**LONG, dataset="brief")}
        made = {name: self.service.post("/jobs", body, headers={"Idempotency-Key": name}).json()["id"]
                for name, body in requests.items()}
        self.finish(teacher, *made.values())
        self.assertEqual(self.service.delete("/datasets/brief").status, 204)
        time.sleep(max(0, soon.timestamp() - time.time()))
        for name, body in requests.items():
            self.assertEqual(self.service.post("/jobs", body).status, 422, name)
            again = self.service.post("/jobs", body, headers={"Idempotency-Key": name})
            self.assertEqual((again.status, again.json().get("id")), (201, made[name]), name)
            self.assertEqual(again.headers["location"], f"/jobs/{made[name]}")

    def test_two_watchers(self):
        job_id = self.submit(epochs=6)
        streams = [Stream(self.service, job_id) for _ in range(2)]
        self.assertEqual(*[list(stream) for stream in streams])

    def test_unknown(self):
        for answer in (self.service.get(f"/jobs/{NO_JOB}"),
                       self.service.post(f"/jobs/{NO_JOB}/cancel"),
                       self.service.post(f"/jobs/{NO_JOB}/retry"),
                       self.service.delete(f"/jobs/{NO_JOB}"),
                       self.service.get(f"/jobs/{NO_JOB}/metrics")):
            self.assertEqual((answer.status, answer.json()["type"]),
                             (404, "urn:distilld:problem:not_found"))


if __name__ == "__main__":
    unittest.main()
