#!/usr/bin/env python3
"""The HTTP interface without a worker: jobs that wait, data sets, errors, Redis going away."""

import concurrent.futures
import http.client
import json
import pathlib
import re
import signal
import tempfile
import threading
import time
import unittest

import pictures
from service import Redis, Service, ServiceCase, wait_until

SPEC = {"method": "ce", "student": "resnet8", "dataset": "quadrants", "epochs": 2,
        "batch_size": 32, "learning_rate": 0.05, "augment": "none", "device": "ref"}


class ApiTest(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.redis = Redis().start()
        cls.addClassCleanup(cls.redis.stop)
        cls.service = cls.start("serve", redis=cls.redis.url)
        pictures.add_dataset(cls.service)

    def get(self, path, **more):
        return self.service.get(path, **more)

    def submit(self, **changes):
        answer = self.service.post("/jobs", {**SPEC, **changes})
        self.assertEqual(answer.status, 201, answer)
        return answer.json()

    def assert_problem(self, answer, status, kind, field=None):
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers["content-type"], "application/problem+json")
        problem = answer.json()
        self.assertEqual(problem["type"], f"urn:distilld:problem:{kind}")
        self.assertEqual(problem["status"], status)
        self.assertTrue(problem["title"] and problem["detail"])
        if field:
            self.assertIn(field, [error["field"] for error in problem["errors"]])
        return problem

    # Jobs

    def test_job_from_birth_to_removal(self):
        answer = self.service.post("/jobs", {**SPEC, "name": "first", "tags": ["a", "b"]})
        self.assertEqual(answer.status, 201)
        job = answer.json()
        self.assertEqual(answer.headers["location"], f"/jobs/{job['id']}")
        self.assertRegex(job["id"], "^job_[0-9A-HJKMNP-TV-Z]{26}$")
        self.assertEqual((job["state"], job["requested"], job["attempt"]), ("queued", None, 0))
        self.assertEqual(job["spec"]["momentum"], 0.9)
        self.assertEqual(job["spec"]["tags"], ["a", "b"])
        self.assertEqual(self.get(f"/jobs/{job['id']}").json(), job)
        self.assert_problem(self.service.delete(f"/jobs/{job['id']}"), 409, "conflict")
        self.assert_problem(self.service.post(f"/jobs/{job['id']}/retry"), 409, "conflict")
        cancelled = self.service.post(f"/jobs/{job['id']}/cancel").json()
        self.assertEqual(cancelled["state"], "cancelled")
        self.assertEqual(self.service.post(f"/jobs/{job['id']}/cancel").status, 200)
        self.assertEqual(self.service.delete(f"/jobs/{job['id']}").status, 204)
        self.assert_problem(self.get(f"/jobs/{job['id']}"), 404, "not_found")
        self.assert_problem(self.service.delete(f"/jobs/{job['id']}"), 404, "not_found")

    def test_messages_say_what_to_do(self):
        job_id = self.submit()["id"]
        folder = self.service.folder
        json_type = {"Content-Type": "application/json"}
        for method, path, body, status, detail in (
                ("POST", "/predict?model=x", {"images": []}, 422,
                 "with JSON, model belongs in the body"),
                ("PATCH", f"/jobs/{job_id}", {"epochs": 3}, 422,
                 "epochs cannot be changed; name, tags and priority can"),
                ("PATCH", f"/jobs/{job_id}", {"nam": "x"}, 422,
                 'unknown job field "nam"; did you mean "name"?'),
                ("POST", "/jobs", {**SPEC, "dataset": "quadrant"}, 422,
                 'there is no data set quadrant; did you mean "quadrants"?'),
                ("POST", "/jobs", {**SPEC, "dataset": "zebra"}, 422,
                 "there is no data set zebra"),
                ("POST", "/datasets", {"name": "x", "path": f"{folder}/none"}, 422,
                 f"path: there is no folder {folder}/none"),
                ("POST", "/datasets", {"name": "x", "path": f"{folder}/../none"}, 422,
                 f"path: {folder}/../none is not under one of the import roots"),
                ("POST", "/datasets", {"name": "x", "path": "/etc"}, 422,
                 "path: /etc is not under one of the import roots"),
                ("POST", "/jobs", b"", 400, "the body is empty, a JSON object is expected")):
            with self.subTest(path=path, body=body):
                answer = self.service.request(method, path, body, headers=json_type)
                self.assertEqual((answer.status, answer.json()["detail"]), (status, detail))
        answer = self.service.post("/models?architecture=resnet8&dataset=quadrant", b"x", headers={
            "Content-Type": "application/octet-stream"})
        self.assertIn('did you mean "quadrants"?', answer.json()["detail"])

    def test_wrong_fields_are_all_named(self):
        wrong = {"method": "wtm", "epochs": 0, "batch_size": "many", "learning_rate": -1,
                 "colour": 1, "student": "resnet8", "dataset": "quadrants"}
        problem = self.assert_problem(self.service.post("/jobs", wrong), 422, "invalid")
        errors = {error["field"]: error for error in problem["errors"]}
        self.assertEqual(set(errors), {"method", "epochs", "batch_size", "learning_rate", "colour"})
        self.assertEqual(errors["epochs"]["value"], 0)
        self.assertEqual(errors["epochs"]["range"], "1 to 100000")
        self.assertIn("wttm", errors["method"]["range"])

    def test_inputs_that_do_not_exist_or_fit(self):
        for change, field in (({"dataset": "none"}, "dataset"), ({"student": "vgg"}, "student"),
                              ({"init": "model_0"}, "init"),
                              ({"method": "kd", "teacher": "model_0"}, "teacher"),
                              ({"dataset": "../quadrants"}, "dataset"),
                              ({"teacher": "model_0"}, "teacher"), ({"method": "kd"}, "teacher")):
            answer = self.service.post("/jobs", {**SPEC, **change})
            self.assert_problem(answer, 422, "invalid", field)
        problem = self.service.post("/jobs", {**SPEC, "student": "vgg"}).json()
        self.assertEqual(problem["errors"][0]["value"], "vgg")
        self.assertIn("resnet8x4", problem["errors"][0]["range"])

    def test_what_is_no_json_object(self):
        for body in (b"", b"{", b"[]", b"1", b'{"method":"ce","method":"ce"}', b"{}x", b"\xff",
                     b'{"name":"\\u0000"}', b"[" * 5000):
            answer = self.service.request("POST", "/jobs", body,
                                          {"Content-Type": "application/json"})
            self.assert_problem(answer, 400, "malformed")

    def test_dry_run_creates_nothing(self):
        before = self.get("/jobs?limit=200").json()
        answer = self.service.post("/jobs?dry_run=true", SPEC)
        self.assertEqual(answer.status, 200, answer)
        estimate = answer.json()["estimate"]
        self.assertEqual(estimate["steps"], 16)
        self.assertGreater(estimate["student_parameters"], 70000)
        self.assertGreater(estimate["flops_per_step"], 1e6)
        self.assertEqual(answer.json()["spec"]["weight_decay"], 0.0005)
        self.assertEqual(self.get("/jobs?limit=200").json(), before)
        self.assert_problem(self.service.post("/jobs?dry_run=maybe", SPEC), 422, "invalid",
                            "dry_run")

    def test_idempotency_key(self):
        headers = {"Idempotency-Key": "once"}
        first = self.service.post("/jobs", SPEC, headers=headers).json()
        second = self.service.post("/jobs", SPEC, headers=headers).json()
        self.assertEqual(first["id"], second["id"])
        other = self.service.post("/jobs", {**SPEC, "seed": 7}, headers=headers)
        self.assert_problem(other, 422, "invalid", "Idempotency-Key")
        quoted = self.service.post("/jobs", SPEC, headers={"Idempotency-Key": '"once"'}).json()
        self.assertEqual(quoted["id"], first["id"])
        before = self.get("/jobs?limit=200").json()
        for key in ("", '""', '"a', 'a"', '"a"b', '"a\\b"', "x" * 201, '"' + "x" * 201 + '"',
                    b"\xc3\xa4", "a\tb"):
            answer = self.service.post("/jobs", SPEC, headers={"Idempotency-Key": key})
            self.assert_problem(answer, 400, "malformed")
        self.assertEqual(self.get("/jobs?limit=200").json(), before)
        escaped = {"Idempotency-Key": '"a\\"b\\\\"'}
        self.assertEqual(self.service.post("/jobs", SPEC, headers=escaped).status, 201)

    def test_idempotency_key_at_the_same_time(self):
        """No request is ever half done for another: all get the one job."""
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: self.service.post(
                "/jobs", SPEC, headers={"Idempotency-Key": "race"}), range(24)))
        self.assertEqual({answer.status for answer in answers}, {201})
        self.assertEqual(len({answer.json()["id"] for answer in answers}), 1)

    def test_list_in_pages(self):
        ids = [self.submit(seed=i)["id"] for i in range(5)]
        found, path = [], "/jobs?limit=2&state=queued"
        while path:
            page = self.get(path).json()
            self.assertLessEqual(len(page["items"]), 2)
            found += [job["id"] for job in page["items"]]
            path = page["next"] and f"/jobs?limit=2&state=queued&after={page['next']}"
        self.assertEqual(found[:5], ids[::-1])
        self.assertEqual(len(found), len(set(found)))
        for query, field in (("limit=0", "limit"), ("limit=201", "limit"), ("limit=x", "limit"),
                             ("state=done", "state"), ("lmit=3", "lmit")):
            problem = self.assert_problem(self.get(f"/jobs?{query}"), 422, "invalid", field)
            self.assertEqual(problem["errors"][0]["value"], query.split("=")[1])

    # Metrics

    def test_metrics_of_a_job_that_waits(self):
        job_id = self.submit()["id"]
        self.assertEqual(self.get(f"/jobs/{job_id}/metrics").json(), {"points": [], "next": 0})
        table = self.get(f"/jobs/{job_id}/metrics?format=csv")
        self.assertTrue(table.headers["content-type"].startswith("text/csv"))
        self.assertTrue(table.body.startswith(b"seq,time,phase,"))
        by_accept = self.get(f"/jobs/{job_id}/metrics", headers={"Accept": "text/csv"})
        self.assertEqual(by_accept.body, table.body)
        self.assert_problem(self.get(f"/jobs/{job_id}/metrics", headers={"Accept": "image/png"}),
                            406, "not_acceptable")
        for query, field in (("format=xml", "format"), ("since=-1", "since"), ("limit=0", "limit")):
            self.assert_problem(self.get(f"/jobs/{job_id}/metrics?{query}"), 422, "invalid", field)
        self.assert_problem(self.get("/jobs/job_x/metrics"), 404, "not_found")

    def test_stream_ends_with_the_job(self):
        job_id = self.submit()["id"]
        connection = http.client.HTTPConnection(self.service.host, self.service.port, timeout=20)
        self.addCleanup(connection.close)
        connection.request("GET", f"/jobs/{job_id}/metrics?format=stream")
        response = connection.getresponse()
        self.assertEqual(response.getheader("Content-Type"), "text/event-stream")
        threading.Timer(0.3, self.service.post, (f"/jobs/{job_id}/cancel",)).start()
        start = time.monotonic()
        text = response.read().decode()
        self.assertLess(time.monotonic() - start, 5)
        event, data = re.search(r"event: (\w+)\ndata: (.*)\n\n$", text).groups()
        self.assertEqual(event, "end")
        self.assertEqual(json.loads(data)["state"], "cancelled")

    def test_many_streams_and_clients_that_leave(self):
        job_id = self.submit()["id"]
        connections = []
        for _ in range(40):
            connection = http.client.HTTPConnection(self.service.host, self.service.port)
            connection.request("GET", f"/jobs/{job_id}/metrics?format=stream")
            connections.append((connection, connection.getresponse()))
        for connection, response in connections[::2]:
            response.close()
            connection.close()
        self.service.post(f"/jobs/{job_id}/cancel")
        for connection, response in connections[1::2]:
            self.assertIn(b"event: end", response.read())
            connection.close()

    # Data sets, models, predictions

    def test_datasets(self):
        card = self.get("/datasets/quadrants").json()
        self.assertEqual((card["height"], card["classes"], card["train_count"]), (8, 4, 256))
        self.assertEqual(card["class_names"], pictures.CLASSES)
        self.assertIn("quadrants", [item["name"] for item in self.get("/datasets").json()["items"]])
        self.assert_problem(self.get("/datasets/none"), 404, "not_found")
        self.assert_problem(self.get("/datasets/..%5c"), 404, "not_found")

    def test_imports_that_are_refused(self):
        folder = self.service.folder
        with tempfile.TemporaryDirectory() as outside:
            pictures.save_dataset(pathlib.Path(outside) / "set")
            (folder / "link").symlink_to(outside)
            (folder / "broken").mkdir()
            (folder / "broken" / "train.safetensors").write_bytes(b"\xff" * 64)
            (folder / "broken" / "test.safetensors").write_bytes(b"\xff" * 64)
            (folder / "empty").mkdir()
            for name, path, status, field in (
                    ("quadrants", folder / "quadrants", 409, "name"),
                    ("../x", folder / "quadrants", 422, "name"),
                    ("Upper", folder / "quadrants", 422, "name"),
                    ("a", folder / "link" / "set", 422, "path"),
                    ("a", outside + "/set", 422, "path"),
                    ("a", str(folder) + "/../" + pathlib.Path(outside).name + "/set", 422, "path"),
                    ("a", "quadrants", 422, "path"),
                    ("a", folder / "none", 422, "path"),
                    ("a", folder / "broken", 422, "path"),
                    ("a", folder / "empty", 422, "path")):
                answer = self.service.post("/datasets", {"name": name, "path": str(path)})
                self.assertEqual(answer.status, status, (name, path, answer))
                self.assertEqual(answer.json()["errors"][0]["field"], field)
        self.assertEqual(self.get("/datasets/a").status, 404)
        leftovers = [path for path in (self.service.data / "datasets").iterdir()
                     if path.name != "quadrants"]
        self.assertEqual(leftovers, [])

    def test_models_and_predictions_without_models(self):
        self.assertEqual(self.get("/models").json(), {"items": [], "next": None})
        for path in ("/models/model_0", "/models/model_0/weights", "/models/..", "/models/x%20y"):
            self.assertIn(self.get(path).status, (400, 404))
        png = {"Content-Type": "image/png"}
        picture = pictures.png(0)
        self.assert_problem(self.service.post("/predict?model=model_0", picture, headers=png), 404,
                            "not_found")
        self.assert_problem(self.service.post("/predict", picture, headers=png), 422, "invalid",
                            "model")
        answer = self.service.post("/predict?model=a&top_k=x", picture, headers=png)
        self.assert_problem(answer, 422, "invalid", "top_k")
        self.assert_problem(self.service.post("/predict", {"model": "a", "images": ["?"]}), 422,
                            "invalid", "images[0]")
        answer = self.service.post("/predict?model=a", {"model": "a", "images": []})
        self.assert_problem(answer, 422, "invalid", "model")

    # The service itself

    def test_process_is_found_by_name(self):
        comm = pathlib.Path(f"/proc/{self.service.process.pid}/comm").read_text()
        self.assertEqual(comm, "distilld\n")

    def test_service(self):
        self.assertEqual(self.get("/healthz").json(), {"status": "ok"})
        self.assertEqual(self.get("/readyz").json(), {"status": "ready"})
        contract = self.get("/openapi.yaml")
        self.assertEqual(contract.body, (pathlib.Path(__file__).parents[2] /
                                         "openapi.yaml").read_bytes())

    def test_the_url_leads_to_the_contract(self):
        answer = self.get("/")
        self.assertEqual((answer.status, answer.body), (302, b""))
        has_page = self.get("/docs").status == 200  # built with Swagger UI
        self.assertEqual(answer.headers["location"], "/docs" if has_page else "/openapi.yaml")
        self.assertEqual(self.get(answer.headers["location"]).status, 200)

    def test_page_with_the_contract(self):
        page = self.get("/docs")
        if page.status == 501:
            self.assert_problem(page, 501, "unsupported")
            self.skipTest("built without Swagger UI")
        self.assertEqual(page.headers["content-type"], "text/html; charset=utf-8")
        self.assertIn("default-src 'none'", page.headers["content-security-policy"])
        parts = re.findall(r'(?:src|href)="(docs/[^"]+)"', page.body.decode())
        self.assertEqual(len(parts), 3)
        for part in parts:
            kind = "text/css" if part.endswith(".css") else "text/javascript"
            answer = self.get("/" + part)
            self.assertEqual(answer.headers["content-type"], f"{kind}; charset=utf-8", part)
            self.assertGreater(len(answer.body), 100)
        self.assertIn(b'"openapi.yaml"', self.get("/docs/docs.js").body)
        self.assert_problem(self.get("/docs/docs.html"), 404, "not_found")

    def test_prometheus_metrics(self):
        self.get("/healthz")
        text = self.get("/metrics").body.decode()
        self.assertRegex(text, r'distilld_http_requests_total\{route="health",code="200"\} [1-9]')
        self.assertRegex(text, r'distilld_jobs\{state="queued"\} \d')
        self.assertIn("distilld_redis_up 1", text)
        self.assertIn('distilld_workers{state="lost"} 0\n', text)
        self.assertRegex(text, r"distilld_queue_oldest_seconds \d")
        self.assertIn("distilld_webhook_waiting 0\n", text)
        self.assertRegex(text, r"distilld_data_free_bytes [1-9]")
        self.assertRegex(text, r'distilld_build_info\{version="[0-9.]+"\} 1\n')
        self.assertIn('route="health",le="+Inf"', text)
        self.assertRegex(text, r"process_resident_memory_bytes [1-9]")
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) \w+ .+|\w+(\{[^}]*\})? [0-9.e+-]+)$')


    def test_a_histogram_is_cumulative(self):
        for _ in range(20):
            self.get("/healthz")
        text = self.get("/metrics").body.decode()
        name = "distilld_http_request_duration_seconds"
        bounds, counts = zip(*re.findall(
            name + r'_bucket\{route="health",le="([^"]+)"\} (\d+)', text))
        bounds, counts = [float(bound) for bound in bounds], [int(count) for count in counts]
        self.assertEqual(bounds, sorted(bounds))
        self.assertEqual(bounds[-1], float("inf"))
        self.assertEqual(counts, sorted(counts))
        self.assertIn(f'{name}_count{{route="health"}} {counts[-1]}\n', text)
        answered = re.findall(r'requests_total\{route="health",code="\d+"\} (\d+)', text)
        self.assertGreaterEqual(counts[-1], sum(map(int, answered)))

    def test_browsers_are_told_not_to_guess(self):
        for path, status in (("/healthz", 200), ("/openapi.yaml", 200), ("/metrics", 200),
                             ("/nowhere", 404)):
            answer = self.get(path)
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.headers.get("x-content-type-options"), "nosniff", path)


class RedisAwayTest(unittest.TestCase):
    def test_redis_away_and_back(self):
        redis = Redis().start()
        self.addCleanup(redis.stop)
        with Service("serve", redis=redis.url, redis_timeout_ms=500) as service:
            pictures.add_dataset(service)
            job = service.post("/jobs", SPEC).json()
            stream = http.client.HTTPConnection(service.host, service.port, timeout=30)
            self.addCleanup(stream.close)
            stream.request("GET", f"/jobs/{job['id']}/metrics?format=stream")
            response = stream.getresponse()

            redis.kill()
            for method, path, body in (("GET", "/jobs", None), ("POST", "/jobs", SPEC),
                                       ("GET", f"/jobs/{job['id']}", None),
                                       ("GET", "/readyz", None)):
                answer = service.request(method, path, body)
                self.assertEqual(answer.status, 503, (path, answer))
                self.assertGreater(int(answer.headers["retry-after"]), 0)
            self.assertEqual(service.get("/healthz").status, 200)
            self.assertEqual(service.get("/datasets/quadrants").status, 200)
            self.assertEqual(service.get("/models").status, 200)
            self.assertIn("distilld_redis_up 0", service.get("/metrics").body.decode())

            redis.start()
            wait_until(lambda: service.get("/readyz").status == 200)
            self.assertEqual(service.get(f"/jobs/{job['id']}").json()["id"], job["id"])
            service.post(f"/jobs/{job['id']}/cancel")
            self.assertIn(b"event: end", response.read())

    def test_redis_that_hangs(self):
        with Redis() as redis, Service("serve", redis=redis.url, redis_timeout_ms=300) as service:
            redis.process.signal(signal.SIGSTOP)
            self.addCleanup(redis.process.signal, signal.SIGCONT)
            start = time.monotonic()
            self.assertEqual(service.get("/jobs").status, 503)
            self.assertLess(time.monotonic() - start, 5)
            redis.process.signal(signal.SIGCONT)
            wait_until(lambda: service.get("/jobs").status == 200)

    def test_started_before_redis(self):
        redis = Redis()
        self.addCleanup(redis.stop)
        with Service("serve", redis=redis.url, redis_timeout_ms=300) as service:
            self.assertEqual(service.get("/readyz").status, 503)
            redis.start()
            wait_until(lambda: service.get("/readyz").status == 200)


if __name__ == "__main__":
    unittest.main()
