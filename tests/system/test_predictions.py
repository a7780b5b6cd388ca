#!/usr/bin/env python3
"""Jobs that predict a split, and evaluations of models: the numbers are computed here once more."""

import csv
import io
import json
import math
import struct
import subprocess
import unittest

from job_case import NO_JOB, JobCase
from material import add_dataset, write_dataset
from service import executable, wait_until

MANY = 2048  # pictures that take a while
FORMATS = ["jsonl", "csv", "safetensors"]


def tensors_of(data):
    """A safetensors file of F32 and I32 as {name: (shape, values)}."""
    start = 8 + struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, entry in json.loads(data[8:start]).items():
        begin, end = (start + offset for offset in entry["data_offsets"])
        code = {"F32": "f", "I32": "i"}[entry["dtype"]]
        tensors[name] = (entry["shape"], struct.unpack(f"<{(end - begin) // 4}{code}",
                                                       data[begin:end]))
    return tensors


def softmax(row):
    top = max(row)
    powers = [math.exp(value - top) for value in row]
    return [power / sum(powers) for power in powers]


def evaluate(rows, labels):
    """The evaluation, in plain Python."""
    n, classes = len(rows), len(rows[0])
    matrix = [[0] * classes for _ in range(classes)]
    bins = [[] for _ in range(15)]
    losses, brier = [], 0
    for row, label in zip(rows, labels):
        p = softmax(row)
        best = p.index(max(p))
        matrix[label][best] += 1
        bins[min(14, math.ceil(p[best] * 15) - 1)].append((p[best], best == label))
        losses.append(-math.log(p[label]))
        brier += sum((q - (c == label)) ** 2 for c, q in enumerate(p))
    ece = sum(abs(sum(p for p, _ in b) - sum(right for _, right in b)) for b in bins) / n
    return {"loss": sum(losses) / n, "brier": brier / n, "ece": ece, "matrix": matrix,
            "top1": sum(matrix[c][c] for c in range(classes)) / n,
            "bins": [len(b) for b in bins],
            "worst": sorted(range(n), key=lambda i: (-losses[i], i))[:64]}


class PredictionCase(JobCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        add_dataset(cls.service, "many", train=MANY)
        trained = cls.service.post("/jobs", cls.spec(epochs=3)).json()["id"]
        cls.trained = cls.service.wait_for_job(trained)
        cls.model = cls.trained["model"]

    @staticmethod
    def spec(**fields):
        return {"student": "resnet8", "dataset": "tiny", "batch_size": 16, "threads": 1,
                "device": "ref", **fields}

    def predict(self, **fields):
        """Submits a job that predicts; its id."""
        body = {"method": "predict", "model": self.model, "dataset": "tiny", "threads": 1,
                "device": "ref", **fields}
        answer = self.service.post("/jobs", body)
        self.assertEqual(answer.status, 201, answer)
        return answer.json()["id"]

    def predicted(self, **fields):
        found = self.service.wait_for_job(self.predict(**fields))
        self.assertEqual((found["state"], found["error"]), ("succeeded", None), found)
        return found

    def files_of(self, job_id):
        answers = [self.service.get(f"/jobs/{job_id}/predictions?format={name}")
                   for name in FORMATS]
        self.assertEqual([answer.status for answer in answers], [200] * 3, answers)
        return [answer.body for answer in answers]

    def evaluation(self, query="", status=200):
        answer = self.service.get(f"/models/{self.model}/evaluation{query}")
        self.assertEqual(answer.status, status, answer)
        return answer.json()


class NumbersTest(PredictionCase):
    def test_all_forms_say_the_same(self):
        job = self.predicted()
        lines, table, tensors = self.files_of(job["id"])
        tensors = tensors_of(tensors)
        (shape, logits), (_, labels) = tensors["logits"], tensors["labels"]
        rows = [logits[i * shape[1]:(i + 1) * shape[1]] for i in range(shape[0])]
        lines = [json.loads(line) for line in lines.decode().splitlines()]
        table = list(csv.DictReader(io.StringIO(table.decode())))
        self.assertEqual((shape, len(lines), len(table)), ([32, 4], 32, 32))
        for i, (line, cells) in enumerate(zip(lines, table)):
            p = softmax(rows[i])
            self.assertEqual({name: str(value) for name, value in line.items()}, cells)
            self.assertEqual((line["offset"], line["index"]), (i, labels[i]))
            self.assertEqual(line["predicted_index"], p.index(max(p)))
            self.assertEqual(line["predicted"], "ant bee cat dog".split()[p.index(max(p))])
            self.assertAlmostEqual(line["score"], max(p), places=5)
        self.check_numbers(evaluate(rows, labels), self.evaluation("?confusion=full"))
        self.assertEqual(job["metrics"]["eval"]["top1"], evaluate(rows, labels)["top1"])

    def check_numbers(self, expected, found):
        for name in ["loss", "brier", "ece", "top1"]:
            self.assertAlmostEqual(found[name], expected[name], places=6, msg=name)
        self.assertEqual(found["confusion"], expected["matrix"])
        self.assertEqual([item["count"] for item in found["bins"]], expected["bins"])
        self.assertEqual([item["offset"] for item in found["worst"]], expected["worst"])
        for item in found["classes"]:
            row = expected["matrix"][item["index"]]
            self.assertEqual((item["count"], item["right"]), (sum(row), row[item["index"]]))
        for item in found["confusions"]:
            self.assertEqual(item["count"],
                             expected["matrix"][item["index"]][item["predicted_index"]])

    def test_a_trained_model_has_that_of_distill_eval(self):
        job = self.service.wait_for_job(self.submit(epochs=2))
        model = job["model"]
        path = self.service.folder / "weights.safetensors"
        path.write_bytes(self.service.get(f"/models/{model}/weights").body)
        line = [executable("distill"), "eval", f"model={path}", "device=ref", "threads=1",
                f"dataset={self.service.folder}/tiny", "report=full"]
        told = json.loads(subprocess.run(line, check=True, capture_output=True).stdout)
        found = self.service.get(f"/models/{model}/evaluation?confusion=full").json()
        self.assertEqual([found.pop(name) for name in ["model", "dataset", "split"]],
                         [model, "tiny", "test"])
        self.assertEqual(found["top1"], job["metrics"]["eval"]["top1"])
        self.assertEqual(found["dataset_sha256"], self.imported.json()["sha256"])
        for name in ["loss", "ece", "brier"]:
            self.assertAlmostEqual(found.pop(name), told.pop(name), places=6)
        for name in ["count", "top1", "top5", "classes", "confusions", "confusion"]:
            self.assertEqual(found[name], told[name], name)

    def test_pictures(self):
        sample = self.service.get("/datasets/tiny/samples?split=test&limit=32").json()["items"]
        worst = self.evaluation("?images=true")["worst"]
        self.assertEqual(len(worst), 32)
        for item in worst:
            same = sample[item["offset"]]
            for name in ["image", "label", "index", "height", "width"]:
                self.assertEqual(item[name], same[name])

    def test_pictures_of_another_data_set(self):
        """The numbers stay when a data set of the same name takes the place of theirs."""
        for train in (64, 48):
            folder = write_dataset(self.service.folder / f"twice{train}", train=train)
            self.service.import_dataset("twice", folder)
            if train == 64:
                model = self.service.wait_for_job(self.submit(dataset="twice"))["model"]
                path = f"/models/{model}/evaluation"
                self.assertEqual(self.service.get(path + "?images=true").status, 200)
                self.assertEqual(self.service.delete("/datasets/twice").status, 204)
                self.assertEqual(self.service.get(path + "?images=true").status, 404)
        self.assertEqual(self.service.get(path).status, 200)
        self.assertEqual(self.service.get(path + "?images=true").status, 409)

    def test_the_other_split_is_another_evaluation(self):
        model = self.service.wait_for_job(self.submit())["model"]
        path = f"/models/{model}/evaluation?split=train"
        answer = self.service.get(path)
        self.assertEqual(answer.status, 404)
        self.assertIn("method predict", answer.json()["detail"])
        self.predicted(model=model, split="train")
        self.assertEqual(self.service.get(path).json()["count"], 128)
        self.assertEqual(self.service.get(f"/models/{model}/evaluation").json()["count"], 32)
        other = self.service.get(f"/models/{model}/evaluation?dataset=many")
        self.assertEqual(other.status, 404)


class JobsTest(PredictionCase):
    def test_shows_what_it_is(self):
        job = self.predicted(split="train", name="all", tags=["batch"])
        spec = job["spec"]
        self.assertEqual((spec["student"], spec["model"], spec["split"]),
                         ("resnet8", self.model, "train"))
        self.assertNotIn("epochs", spec)
        self.assertIsNone(job["model"])
        self.assertEqual(job["progress"]["fraction"], 1)
        self.assertGreater(job["progress"]["images_per_s"], 0)
        self.assertEqual(len(self.service.get(f"/jobs/{job['id']}/metrics").json()["points"]), 1)
        for query in ["method=predict", f"model={self.model}", "tag=batch", "student=resnet8"]:
            items = self.service.get(f"/jobs?limit=200&{query}").json()["items"]
            self.assertIn(job["id"], [item["id"] for item in items], query)
        logs = self.service.get(f"/jobs/{job['id']}/logs").body
        self.assertIn(b"predictions are there", logs)

    def test_dry_run(self):
        body = {"method": "predict", "model": self.model, "dataset": "many", "split": "train"}
        before = len(self.service.get("/jobs?method=predict&limit=200").json()["items"])
        answer = self.service.post("/jobs?dry_run=true", body)
        self.assertEqual(answer.status, 200, answer)
        estimate = answer.json()["estimate"]
        parameters = self.service.get(f"/models/{self.model}").json()["parameters"]
        self.assertEqual((estimate["student_parameters"], estimate["teacher_parameters"]),
                         (parameters, 0))
        self.assertEqual(estimate["steps"], MANY // 64)
        self.assertGreater(estimate["flops_per_step"], 1e6)
        after = len(self.service.get("/jobs?method=predict&limit=200").json()["items"])
        self.assertEqual(before, after)

    def test_waits_for_the_job_that_makes_its_model(self):
        first = self.submit(epochs=30)
        second = self.predict(model=first)
        self.assertEqual(self.show(second)["spec"]["depends_on"], [first])
        self.assertEqual(self.show(second)["spec"]["student"], "resnet8")
        found = self.service.wait_for_job(second)
        self.assertEqual(found["state"], "succeeded", found)
        self.assertEqual(found["spec"]["model"], self.show(first)["model"])

    def test_alias(self):
        self.service.request("PUT", "/aliases/best", {"model": self.model})
        self.assertEqual(self.predicted(model="best")["spec"]["model"], self.model)
        self.assertEqual(self.service.get("/models/best/evaluation").status, 200)
        self.assertEqual(self.service.delete("/aliases/best").status, 204)

    def test_again_gives_the_same_bytes(self):
        job = self.predicted()
        again = self.service.post(f"/jobs/{job['id']}/rerun").json()["job"]["id"]
        self.assertEqual(self.service.wait_for_job(again)["state"], "succeeded")
        self.assertEqual(self.files_of(again), self.files_of(job["id"]))

    def test_parts_and_tags(self):
        path = f"/jobs/{self.predicted()['id']}/predictions?format=csv"
        whole = self.service.get(path)
        part = self.service.get(path, headers={"Range": "bytes=10-19"})
        self.assertEqual((part.status, part.body), (206, whole.body[10:20]))
        known = self.service.get(path, headers={"If-None-Match": whole.headers["etag"]})
        self.assertEqual((known.status, known.body), (304, b""))
        beyond = self.service.get(path, headers={"Range": "bytes=9999999-"})
        self.assertEqual((beyond.status, beyond.json()["type"]),
                         (416, "urn:distilld:problem:bad_range"))
        self.assertEqual(beyond.headers["content-range"], f"bytes */{len(whole.body)}")
        self.assertNotIn("content-disposition", beyond.headers)

    def test_goes_with_its_job(self):
        job = self.predicted(split="train")
        folder = self.service.data / "predictions" / job["id"]
        self.assertEqual(len(list(folder.iterdir())), 3)
        self.assertEqual(self.service.delete(f"/jobs/{job['id']}").status, 204)
        self.assertFalse(folder.exists())
        self.assertEqual(self.service.get(f"/jobs/{job['id']}/predictions").status, 404)
        self.evaluation("?split=train")

    def test_wrong_requests(self):
        body = {"method": "predict", "model": self.model, "dataset": "tiny"}
        trained, done = self.trained["id"], self.predicted()["id"]
        for change, fields in [
                ({"epochs": 3, "seed": 2, "student": "resnet8"}, ["student", "epochs", "seed"]),
                ({"split": "validation"}, ["split"]),
                ({"model": None}, ["model"]),
                ({"model": "model_01ARZ3NDEKTSV4RRFFQ69G5FAV"}, ["model"]),
                ({"model": NO_JOB}, ["model"]),
                ({"model": done}, ["model"]),
                ({"dataset": "nothing"}, ["dataset"]),
                ({"precision": "tf32", "device": "cpu"}, ["precision"]),
                ({"method": "ce", "student": "resnet8"}, ["model"])]:
            answer = self.service.post("/jobs", {**body, **change})
            self.assertEqual(answer.status, 422, (change, answer))
            told = [error["field"] for error in answer.json()["errors"]]
            self.assertEqual(sorted(told), sorted(fields), change)
        for path, code in [(f"/jobs/{trained}/predictions", 404),
                           (f"/jobs/{NO_JOB}/predictions", 404),
                           (f"/jobs/{done}/predictions?format=xml", 422),
                           (f"/models/{self.model}/evaluation?split=x", 422),
                           (f"/models/{self.model}/evaluation?confusion=x", 422),
                           (f"/models/{self.model}/evaluation?dataset=../x", 422),
                           (f"/models/{self.model}/evaluation?images=x", 422),
                           ("/models/model_01ARZ3NDEKTSV4RRFFQ69G5FAV/evaluation", 404)]:
            self.assertEqual(self.service.get(path).status, code, path)

    def test_pictures_or_classes_that_do_not_fit(self):
        add_dataset(self.service, "large", side=16)
        answer = self.service.post("/jobs", {"method": "predict", "model": self.model,
                                             "dataset": "large"})
        self.assertEqual(answer.status, 422, answer)
        self.assertEqual(answer.json()["errors"][0]["field"], "model")
        self.assertIn("8x8x3", answer.json()["detail"])


class DisturbedTest(PredictionCase):
    """A prediction takes long enough here to be disturbed."""

    def begin(self):
        job_id = self.predict(model=self.slow, dataset="many", split="train")
        wait_until(lambda: self.show(job_id)["progress"]["step"] >= 3, what="some batches")
        return job_id

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        body = cls.spec(student="resnet56", dataset="many", epochs=1, train_limit=16)
        cls.slow = cls.service.run_job(body)["model"]

    def check_same(self, job_id, other):
        self.assertEqual(self.files_of(job_id), self.files_of(other))
        self.assertFalse((self.service.data / "jobs" / job_id).exists())

    def test_killed_paused_and_not(self):
        plain = self.predicted(model=self.slow, dataset="many", split="train")
        path = f"/models/{self.slow}/evaluation?dataset=many&split=train"
        told = self.service.get(path).body
        killed = self.begin()
        self.service.kill_child("work")
        found = self.service.wait_for_job(killed)
        self.assertEqual((found["state"], found["attempt"]), ("succeeded", 2))
        self.check_same(killed, plain["id"])
        paused = self.begin()
        self.service.post(f"/jobs/{paused}/pause")
        self.wait_for_state(paused, "paused")
        self.assertEqual(self.service.get(f"/jobs/{paused}/predictions").status, 404)
        self.service.post(f"/jobs/{paused}/resume")
        self.assertEqual(self.service.wait_for_job(paused)["state"], "succeeded")
        self.check_same(paused, plain["id"])
        self.assertEqual(self.service.get(path).body, told)

    def test_cancelled(self):
        job_id = self.begin()
        self.assertEqual(self.service.delete(f"/models/{self.slow}").status, 409)
        self.assertEqual(self.service.delete("/datasets/many").status, 409)
        self.service.post(f"/jobs/{job_id}/cancel")
        self.assertEqual(self.service.wait_for_job(job_id)["state"], "cancelled")
        self.assertFalse((self.service.data / "predictions" / job_id).exists())
        wait_until(lambda: not (self.service.data / "jobs" / job_id).exists(), what="no folder")

    def test_killed_at_the_end(self):
        """While the files are handed in, a few times over: whatever is there, is whole."""
        plain = self.files_of(self.predicted()["id"])
        for _ in range(4):
            job_id = self.predict()
            wait_until(lambda: self.show(job_id)["state"] != "queued", what="claimed")
            self.service.kill_child("work")
            self.assertEqual(self.service.wait_for_job(job_id)["state"], "succeeded")
            self.assertEqual(self.files_of(job_id), plain)


if __name__ == "__main__":
    unittest.main()
