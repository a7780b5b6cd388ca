#!/usr/bin/env python3
"""Requests that are wrong: each gets a clear answer that names what is wrong, creates nothing, and
leaves the server as it was."""

import json
import socket
import unittest

from material import job, write_dataset
from service import Redis, ServiceCase

NO_MODEL = "model_01ARZ3NDEKTSV4RRFFQ69G5FAV"
JSON = {"Content-Type": "application/json"}

# A field of a job, a wrong value, and words of the range that the answer must name.
WRONG_FIELDS = [
    ("method", "kdd", "kd"), ("method", 3, "wttm"), ("student", "resnet9", ""),
    ("student", "", "1 to 500"), ("student", None, "1 to 500"), ("dataset", "nowhere", ""),
    ("dataset", "../tiny", ""), ("teacher", NO_MODEL, ""), ("init", "model_x/../../x", ""),
    ("epochs", 0, "1 to 100000"), ("epochs", 100001, "1 to 100000"), ("epochs", 1.5, "1 to 100000"),
    ("epochs", "2", "1 to 100000"), ("epochs", True, "1 to 100000"), ("epochs", [1], "1 to 100000"),
    ("batch_size", 0, "1 to 4096"), ("batch_size", 4097, "1 to 4096"),
    ("batch_size", -(2 ** 63), "1 to 4096"), ("learning_rate", 0, "100"),
    ("learning_rate", -1, "100"), ("learning_rate", 1e300, "100"), ("learning_rate", "x", "100"),
    ("momentum", 1, "0"), ("weight_decay", 1.1, "0 to 1"), ("label_smoothing", 1, "0"),
    ("schedule", "linear", "cosine"), ("milestones", [0], "1 to 100000"), ("milestones", 5, ""),
    ("milestones", [3, 2], ""), ("milestones", list(range(1, 18)), "16"),
    ("optimizer", "adam", "adamw"), ("beta1", 0.9, ""), ("beta2", 1, "0"), ("epsilon", 0, "1"),
    ("clip_norm", -1, "0 to"), ("warmup_factor", 2, "0 to 1"), ("rand_augment", 17, "0 to 16"),
    ("rand_augment_magnitude", 11, "0 to 10"), ("rand_augment_std", -1, "0 to 10"),
    ("erase", 1.5, "0 to 1"), ("nesterov", 1, "true or false"), ("augment", "all", "standard"),
    ("crop_padding", 17, "0 to 16"),
    ("flip", "yes", "true or false"), ("seed", -1, "0 to"), ("seed", 2 ** 53, "0 to"),
    ("seed", 2 ** 100, "0 to"), ("priority", -(2 ** 90), "0 to 9"),
    ("threads", 0, "1 to 256"), ("precision", "f16", "bf16"),
    ("precision", "tf32", ""),  # for device=cuda alone
    ("device", "tpu", "cpu"),
    ("name", "n" * 121, "120"), ("tags", ["x"] * 17, "16"), ("tags", [""], "1 to 63"),
    ("tags", [1], ""), ("priority", 10, "0 to 9"), ("checkpoint_every", -1, "0 to"),
    ("temperature", 4, ""), ("beta", 1, ""),  # not for ce
]

# Bodies that are no JSON object, or not only one.
NOT_JSON = [
    b"", b" ", b"{", b"[]", b"null", b"17", b'"x"', b"{]", b'{"method":}', b'{"method":"ce",}',
    b'{"method":"ce"}{}', b'{"method":"ce"} x', b"{'method':'ce'}", b'{"epochs":NaN}',
    b'{"epochs":Infinity}', b'{"epochs":01}', b'{"epochs":1e}', b'{"epochs":.5}',
    b'{"learning_rate":1e999}', b'{"epochs":1,"epochs":2}',
    b'{"name":"\\ud800"}', b'{"name":"\xff"}', b'{"name":"a\\u0000b"}',
    b'{"name":"\x00"}', b'{"name":"\n"}', b'\xef\xbb\xbf{}', b"\0" * 100,
    b'{"name":' * 100 + b"1" + b"}" * 100, b'{"tags":' + b"[" * 100000 + b"]" * 100000 + b"}",
    b"[" * 500000, b'{"name":"' + b"x" * 10000,
]


class BadInputTest(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.redis = Redis()
        cls.addClassCleanup(cls.redis.stop)
        cls.redis.start()
        cls.service = cls.start("serve", redis=cls.redis.url, device="ref",
                                request_timeout_ms=4000)
        write_dataset(cls.service.folder / "tiny")
        cls.post_dataset = {"name": "tiny", "path": str(cls.service.folder / "tiny")}
        assert cls.service.post("/datasets", cls.post_dataset).status == 201
        assert cls.service.post("/jobs", job()).status == 201  # waits for ever: there is no worker

    def setUp(self):
        self.before = self.everything()

    def tearDown(self):
        self.assertEqual(self.everything(), self.before)
        self.assertTrue(self.service.process.is_running())

    def everything(self):
        """All that a request could have created, also on disk."""
        folders = sorted(str(path) for kind in ("datasets", "models", "jobs")
                         for path in (self.service.data / kind).iterdir())
        return [self.service.get(f"/{kind}?limit=200").json()
                for kind in ("jobs", "datasets", "models")] + folders

    def problem(self, answer, status, slug):
        """The problem details of an answer, which must be as RFC 9457 wants them."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers["content-type"], "application/problem+json")
        problem = answer.json()
        self.assertEqual((problem["type"], problem["status"]),
                         (f"urn:distilld:problem:{slug}", status))
        self.assertTrue(problem["title"] and problem["detail"])
        return problem

    def errors(self, answer):
        """The field errors of a 422: field -> error."""
        errors = self.problem(answer, 422, "invalid")["errors"]
        for error in errors:
            self.assertEqual(set(error), {"field", "value", "detail", "range"})
        return {error["field"]: error for error in errors}

    # Fields of a job.

    def test_each_wrong_field(self):
        for name, value, words in WRONG_FIELDS:
            with self.subTest(field=name, value=str(value)[:50]):
                method = {"method": "kd"} if name == "teacher" else {}
                errors = self.errors(self.service.post("/jobs", job(**{**method, name: value})))
                error = next((error for field, error in errors.items()
                              if field.split("[")[0] == name), None)
                self.assertIsNotNone(error, errors)
                self.assertIn(words, error["range"] or "")
                if name not in ("milestones", "tags", "name"):
                    self.assertEqual(error["value"], value)
                self.assertTrue(error["detail"])

    def test_values_come_back(self):
        answer = self.service.post("/jobs", job(epochs=0, flip="yes", learning_rate=-2.5))
        errors = self.errors(answer)
        self.assertEqual({field: error["value"] for field, error in errors.items()},
                         {"epochs": 0, "flip": "yes", "learning_rate": -2.5})

    def test_long_values_are_cut(self):
        answer = self.service.post("/jobs", job(name="n" * 200000))
        self.errors(answer)
        self.assertLess(len(answer.body), 5000)

    def test_many_errors_are_bounded(self):
        answer = self.service.post("/jobs", {f"field_{i}": i for i in range(5000)})
        self.assertLessEqual(len(self.errors(answer)), 16)

    def test_unknown_field_is_explained(self):
        errors = self.errors(self.service.post("/jobs", job(epoch=3)))
        self.assertIn("epochs", errors["epoch"]["detail"])

    def test_missing_fields(self):
        self.assertEqual(set(self.errors(self.service.post("/jobs", {}))), {"student", "dataset"})

    def test_distillation_needs_its_fields(self):
        for method in ("ttm", "wttm"):
            fields = job(method=method)
            self.assertLessEqual({"teacher"}, set(self.errors(self.service.post("/jobs", fields))))
        both = job(method="wttm", teacher=NO_MODEL, beta=1, temperature=4, gamma=0.5)
        self.assertTrue(set(self.errors(self.service.post("/jobs", both))) &
                        {"gamma", "temperature"})

    def test_command_line_only_fields(self):
        for name, value in (("out", "/tmp/x"), ("resume", True), ("init", "/etc/passwd"),
                            ("dataset", str(self.service.folder / "tiny"))):
            self.assertIn(name, self.errors(self.service.post("/jobs", job(**{name: value}))))

    def test_dry_run_checks_the_same(self):
        self.assertIn("epochs", self.errors(self.service.post("/jobs?dry_run=1", job(epochs=0))))
        errors = self.errors(self.service.post("/jobs?dry_run=perhaps", job()))
        self.assertEqual(errors["dry_run"]["value"], "perhaps")

    # What is no JSON.

    def test_not_json(self):
        for path in ("/jobs", "/datasets", "/predict"):
            for body in NOT_JSON:
                with self.subTest(path=path, body=body[:50]):
                    answer = self.service.post(path, body, headers=JSON)
                    problem = self.problem(answer, 400, "malformed")
                    self.assertNotIn("errors", problem)

    def test_json_is_told_from_text(self):
        for kind in ("text/json", "application/jsonx", "application/x-www-form-urlencoded",
                     "image/png", ""):
            answer = self.service.post("/jobs", b"{}", headers={"Content-Type": kind})
            self.problem(answer, 415, "unsupported_media_type")
        answer = self.service.post("/predict", b"{}", headers={"Content-Type": "text/plain"})
        self.problem(answer, 415, "unsupported_media_type")

    # Data sets and predictions.

    def test_dataset_fields(self):
        for fields, wrong in (({}, {"name", "path"}), ({"name": 1, "path": "/x"}, {"name"}),
                              ({"name": "A", "path": "/x"}, {"name"}),
                              ({"name": "../x", "path": "/x"}, {"name"}),
                              ({"name": "x", "path": "x"}, {"path"}),
                              ({"name": "x", "path": "/" + "x" * 1000}, {"path"}),
                              ({"name": "x" * 64, "path": "/x"}, {"name"}),
                              ({"name": "x", "path": "/x", "more": 1}, {"more"})):
            with self.subTest(fields=str(fields)[:60]):
                self.assertEqual(set(self.errors(self.service.post("/datasets", fields))), wrong)

    def test_dataset_that_exists(self):
        answer = self.service.post("/datasets", self.post_dataset)
        self.problem(answer, 409, "conflict")

    def test_predict_fields(self):
        picture = "iVBORw0KGgo="
        for fields, wrong in (({}, {"model"}), ({"model": "m", "images": []}, {"images"}),
                              ({"model": "m", "images": "x"}, {"images"}),
                              ({"model": "m", "images": [1]}, {"images[0]"}),
                              ({"model": "m", "images": ["?"]}, {"images[0]"}),
                              ({"model": "m", "images": [picture, "AAA"]}, {"images[1]"}),
                              ({"model": "m", "images": [picture] * 65}, {"images"}),
                              ({"model": "m", "images": [picture], "top_k": 0}, {"top_k"}),
                              ({"model": "", "images": [picture]}, {"model"})):
            with self.subTest(fields=str(fields)[:60]):
                self.assertEqual(set(self.errors(self.service.post("/predict", fields))), wrong)
        for fields, value in (({}, None), ({"images": []}, []), ({"images": "x"}, "x")):
            error = self.errors(self.service.post("/predict", {"model": "m", **fields}))["images"]
            self.assertEqual((error["value"], error["range"]), (value, "a list of 1 to 64 pictures"))
        raw = {"Content-Type": "image/png"}
        for query, wrong in (("", {"model"}), ("?model=m&top_k=0", {"top_k"}),
                             ("?model=m&top_k=x", {"top_k"}), ("?model=m&k=1", {"k"})):
            answer = self.service.post(f"/predict{query}", b"x", headers=raw)
            self.assertEqual(set(self.errors(answer)), wrong)

    # Query parameters, ids, methods.

    def test_query(self):
        for path, field in (("/jobs?limit=0", "limit"), ("/jobs?limit=201", "limit"),
                            ("/jobs?limit=1e1", "limit"), ("/jobs?limit=", "limit"),
                            ("/jobs?limit=99999999999999999999", "limit"),
                            ("/jobs?state=done", "state"), ("/jobs?x=1", "x"),
                            ("/jobs?after=zzz", "after"),
                            ("/jobs?after=model_01ARZ3NDEKTSV4RRFFQ69G5FAV", "after"),
                            ("/models?after=model_01", "after"),
                            ("/models?limit=-1", "limit"), ("/datasets?state=queued", "state")):
            with self.subTest(path=path):
                error = self.errors(self.service.get(path))[field]
                self.assertEqual(error["value"], path.partition("=")[2])
        job_id = self.before[0]["items"][0]["id"]
        for query in ("since=-1", "limit=0", "format=xml", "since=x"):
            answer = self.service.get(f"/jobs/{job_id}/metrics?{query}")
            self.assertEqual(set(self.errors(answer)), {query.partition("=")[0]})

    def test_unknown_ids(self):
        for kind in ("jobs", "models", "datasets"):
            for name in (NO_MODEL, "x", "job_01ARZ3NDEKTSV4RRFFQ69G5FAV", "..", "a%20b",
                         "%2e%2e", "x" * 200, "*", "job_*"):
                answer = self.service.get(f"/{kind}/{name}")
                if ".." not in name and "%2e" not in name:
                    self.problem(answer, 404, "not_found")
                self.assertIn(answer.status, (400, 404))
        self.problem(self.service.get(f"/models/{NO_MODEL}/weights"), 404, "not_found")
        self.problem(self.service.predict(NO_MODEL, [b"x"]), 404, "not_found")
        for path in ("//", "/job", "/jobs/", "/jobs/x/y", "/v1/jobs", "/jobs/x/cancel/now"):
            self.problem(self.service.get(path), 404, "not_found")

    def test_wrong_methods(self):
        for method, path, allowed in (("PUT", "/jobs", {"GET", "HEAD", "POST"}),
                                      ("POST", "/jobs/x", {"GET", "HEAD", "DELETE", "PATCH"}),
                                      ("GET", "/jobs/x/cancel", {"POST"}),
                                      ("GET", "/predict", {"POST"}),
                                      ("PUT", "/models/x", {"GET", "HEAD", "DELETE"}),
                                      ("PATCH", "/healthz", {"GET", "HEAD"})):
            answer = self.service.request(method, path)
            self.problem(answer, 405, "method_not_allowed")
            self.assertEqual(set(answer.headers["allow"].split(", ")), allowed)

    # Size.

    def refused_by_its_head(self, path, kind, length):
        """The answer to a head alone: nobody waits for the body."""
        with self.service.connect() as connection:
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
                               f"Content-Length: {length}\r\n\r\n".encode())
            connection.settimeout(5)
            data = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = data.partition(b"\r\n\r\n")
        self.assertEqual(head[:13], b"HTTP/1.1 413 ")
        problem = json.loads(body)
        self.assertEqual(problem["type"], "urn:distilld:problem:too_large")
        self.assertIn(str(length), problem["detail"])

    def test_too_large(self):
        self.refused_by_its_head("/jobs", "application/json", (1 << 20) + 1)
        self.refused_by_its_head("/jobs", "application/json", 2 ** 62)
        self.refused_by_its_head("/datasets", "application/json", 1 << 30)
        self.refused_by_its_head("/predict?model=x", "image/png", 1 << 40)
        self.refused_by_its_head("/predict", "application/json", (64 << 20) + 1)

    def test_largest_that_fits(self):
        body = json.dumps(job(epochs=0)).encode()
        self.errors(self.service.post("/jobs", body.ljust(1 << 20), headers=JSON))
        self.problem(self.service.post("/jobs", body.ljust((1 << 20) + 1), headers=JSON), 413,
                     "too_large")

    def test_cut_off_body(self):
        with self.service.connect() as connection:
            connection.sendall(b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json"
                               b"\r\nContent-Length: 500\r\n\r\n" + json.dumps(job()).encode())
            connection.shutdown(socket.SHUT_WR)
            self.assertIn(connection.recv(65536)[:13], (b"", b"HTTP/1.1 400 ", b"HTTP/1.1 408 "))


if __name__ == "__main__":
    unittest.main()
