#!/usr/bin/env python3
"""POST /predict: answers, broken pictures, many clients, few places for models, a full queue."""

import base64
import collections
import concurrent.futures
import http.client
import json
import math
import os
import random
import re
import signal
import socket
import time
import unittest
import zlib

import material
import pictures
from service import Service, ServiceCase

SPEC = {"method": "ce", "student": "resnet8", "dataset": "quadrants", "epochs": 1, "batch_size": 32,
        "learning_rate": 0.05, "augment": "none", "threads": 1}
PNG = {"Content-Type": "image/png"}
MODELS, CLIENTS, REQUESTS = 3, 16, 30


def bomb(width, height):
    """A small PNG file of a very large black picture."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + 3 * width)
    data = b"".join(packer.compress(row) for _ in range(min(height, 200))) + packer.flush()
    return material.png(width, height, b"", data)


def flat(side):
    """A small PNG file of a black picture."""
    return material.png(side, side, b"", zlib.compress((b"\0" + bytes(3 * side)) * side))


def same_predictions(a, b):
    """The same classes, and scores that only differ by rounding (a batch of another size)."""
    return ([[item["label"] for item in row] for row in a]
            == [[item["label"] for item in row] for row in b]
            and all(abs(x["score"] - y["score"]) < 1e-4
                    for row, other in zip(a, b) for x, y in zip(row, other)))


class PredictTest(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.service = cls.start("up", models_loaded=2)
        pictures.add_dataset(cls.service)
        jobs = [cls.service.post("/jobs", {**SPEC, "seed": seed}).json() for seed in range(MODELS)]
        cls.models = [cls.service.wait_for_job(job["id"])["model"] for job in jobs]

    def predict(self, picture, model=None, top_k=1, kind="image/png"):
        return self.service.post(f"/predict?model={model or self.models[0]}&top_k={top_k}", picture,
                                 headers={"Content-Type": kind})

    def test_both_forms_agree(self):
        files = [pictures.png(label) for label in range(4)]
        answer = self.service.predict(self.models[0], files, top_k=4)
        self.assertEqual(answer.status, 200, answer)
        body = answer.json()
        self.assertEqual(body["model"], self.models[0])
        for label, (file, predictions) in enumerate(zip(files, body["predictions"])):
            alone = self.predict(file, top_k=4).json()["predictions"]
            self.assertTrue(same_predictions(alone, [predictions]), (alone, predictions))
            self.assertEqual(sorted(item["index"] for item in predictions), [0, 1, 2, 3])
            scores = [item["score"] for item in predictions]
            self.assertEqual(scores, sorted(scores, reverse=True))
            self.assertAlmostEqual(sum(scores), 1, places=5)
            self.assertEqual(predictions[0]["label"], pictures.CLASSES[predictions[0]["index"]])

    def test_top_k(self):
        file = pictures.png(1)
        self.assertEqual(len(self.predict(file, top_k=2).json()["predictions"][0]), 2)
        self.assertEqual(len(self.predict(file, top_k=1000).json()["predictions"][0]), 4)
        self.assertEqual(self.predict(file, top_k=1001).status, 422)
        plain = self.service.post(f"/predict?model={self.models[0]}", file, headers=PNG)
        self.assertEqual(len(plain.json()["predictions"][0]), 4)

    def test_broken_pictures(self):
        good = pictures.png(0)
        for picture in (b"", b"x", good[:20], good[:-20], good[:60] + b"\xff" * 40 + good[100:],
                        b"\xff\xd8\xff\xe0" + b"\0" * 100, b"GIF89a" + b"\0" * 50):
            answer = self.predict(picture)
            self.assertEqual(answer.status, 400, (picture[:20], answer))
            self.assertTrue(answer.json()["detail"])
        answer = self.service.predict(self.models[0], [good, good[:20]])
        self.assertEqual(answer.status, 422)
        self.assertEqual(answer.json()["errors"][0]["field"], "images[1]")

    def test_decompression_bombs(self):
        for width, height in ((60000, 60000), (16384, 16384), (100000, 1)):
            start = time.monotonic()
            answer = self.predict(bomb(width, height))
            self.assertIn(answer.status, (400, 413), answer)
            self.assertLess(time.monotonic() - start, 20)

    def test_json_that_is_wrong(self):
        good = base64.b64encode(pictures.png(0)).decode()
        model = self.models[0]
        for body, field in (({"model": model}, "images"), ({"images": [good]}, "model"),
                            ({"model": model, "images": []}, "images"),
                            ({"model": model, "images": [good] * 65}, "images"),
                            ({"model": model, "images": "x"}, "images"),
                            ({"model": model, "images": [good], "top_k": 0}, "top_k"),
                            ({"model": model, "images": [good], "k": 1}, "k")):
            answer = self.service.post("/predict", body)
            self.assertEqual(answer.status, 422, answer)
            self.assertIn(field, [error["field"] for error in answer.json()["errors"]])
        self.assertEqual(self.service.post("/predict", {"model": "none", "images": [good]}).status,
                         404)

    def form(self, parts, query="", boundary="b", close=True):
        """The answer to a form of (headers, bytes)."""
        body = b"".join(b"--b\r\n" + head + b"\r\n\r\n" + data + b"\r\n"
                        for head, data in parts) + (b"--b--\r\n" if close else b"")
        return self.service.post(f"/predict?model={self.models[0]}{query}", body, headers={
            "Content-Type": f"multipart/form-data; boundary={boundary}"})

    def test_forms(self):
        files = [pictures.png(label) for label in range(4)]
        names = (b'Content-Disposition: form-data; name="a"; filename="x.png"', b"X: y",
                 b'content-disposition: form-data; name="a"\r\nContent-Type: image/png', b"A: b")
        answer = self.form(zip(names, files), "&top_k=2")
        self.assertEqual(answer.status, 200, answer)
        right = self.service.predict(self.models[0], files, top_k=2).json()
        self.assertEqual(answer.json().keys(), {"model", "predictions"})
        self.assertTrue(same_predictions(answer.json()["predictions"], right["predictions"]))
        self.assertEqual(self.form([(b"A: b", files[0])] * 64).status, 200)

    def test_forms_that_are_wrong(self):
        good = pictures.png(0)
        for parts, more, field in (([], {}, "images"), ([(b"A: b", good)] * 65, {}, "images"),
                                   ([(b"A: b", good), (b"A: b", good[:30])], {}, "images[1]"),
                                   ([(b"A: b", good)], {"query": "&k=1"}, "k"),
                                   ([(b"A: b", good)], {"query": "&output=x"}, "output")):
            answer = self.form(parts, **more)
            self.assertEqual(answer.status, 422, answer)
            self.assertEqual(answer.json()["errors"][0]["field"], field)
        for more in ({"close": False}, {"boundary": ""}, {"boundary": "c"}):
            answer = self.form([(b"A: b", good)], **more)
            self.assertEqual(answer.status, 400, answer)
            self.assertIn("boundary", answer.json()["detail"])
        answer = self.predict(good, kind="multipart/mixed; boundary=b")
        self.assertEqual(answer.status, 415, answer)

    def test_logits(self):
        """Of all classes, whatever top_k is, in each form of the body."""
        file = pictures.png(2)
        answers = [self.form([(b"A: b", file)], "&output=logits&top_k=1"),
                   self.predict(file, model=self.models[0] + "&output=logits"),
                   self.service.post("/predict", {
                       "model": self.models[0], "output": "logits", "top_k": 1,
                       "images": [base64.b64encode(file).decode()]})]
        for answer in answers:
            self.assertEqual(answer.status, 200, answer)
            body = answer.json()
            self.assertEqual([len(body["logits"]), len(body["logits"][0])], [1, 4])
            best = body["predictions"][0][0]
            powers = [math.exp(value) for value in body["logits"][0]]
            self.assertAlmostEqual(powers[best["index"]] / sum(powers), best["score"], places=5)
            self.assertEqual(body["logits"], answers[0].json()["logits"])

    def test_many_clients_and_few_places(self):
        """More models than may be loaded, clients that leave: each answer is of the right model."""
        files = [pictures.png(label) for label in range(4)]
        expected = {(model, i): self.predict(file, model).json()
                    for model in self.models for i, file in enumerate(files)}

        def leave(source, model, file):
            with socket.create_connection((self.service.host, self.service.port)) as connection:
                connection.sendall(f"POST /predict?model={model} HTTP/1.1\r\nHost: x\r\n"
                                   f"Content-Type: image/png\r\nContent-Length: {len(file)}\r\n\r\n"
                                   .encode() + file[:source.randrange(len(file) + 1)])

        def client(seed):
            source, codes = random.Random(seed), collections.Counter()
            connection = http.client.HTTPConnection(self.service.host, self.service.port)
            for _ in range(REQUESTS):
                model, i = source.choice(self.models), source.randrange(4)
                if source.random() < 0.1:
                    leave(source, model, files[i])
                connection.request("POST", f"/predict?model={model}&top_k=1", files[i], PNG)
                response = connection.getresponse()
                body = json.loads(response.read())
                codes[response.status] += 1
                right = expected[model, i]
                if (body["model"] != model
                        or not same_predictions(body["predictions"], right["predictions"])):
                    codes["wrong"] += 1
            connection.close()
            return codes

        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as executor:
            codes = sum(executor.map(client, range(CLIENTS)), collections.Counter())
        self.assertEqual(codes, {200: CLIENTS * REQUESTS})
        text = self.service.get("/metrics").body.decode()
        self.assertIn("distilld_models_loaded 2\n", text)


class BudgetTest(ServiceCase):
    """Servers with little memory for models, beside one that has made two models."""

    @classmethod
    def setUpClass(cls):
        cls.service = cls.start("up")
        pictures.add_dataset(cls.service)
        jobs = [cls.service.post("/jobs", {**SPEC, "seed": seed}).json() for seed in range(2)]
        cls.models = [cls.service.wait_for_job(job["id"])["model"] for job in jobs]

    def serve(self, **settings):
        return Service("serve", data=self.service.data, redis="unix:///nowhere/r.sock", **settings)

    def gauge(self, service, name):
        text = service.get("/metrics").body.decode()
        return int(re.search(rf"^distilld_{name} (\d+)$", text, re.MULTILINE).group(1))

    def ask(self, service, model):
        answer = service.post(f"/predict?model={model}", pictures.png(0), headers=PNG)
        self.assertEqual(answer.status, 200, answer)
        return self.gauge(service, "models_loaded"), self.gauge(service, "models_bytes")

    def test_budget(self):
        first, second = self.models
        with self.serve() as service:
            count, one = self.ask(service, first)
            self.assertEqual(count, 1)
            self.assertGreater(one, 1 << 20)
            count, both = self.ask(service, second)
            self.assertEqual(count, 2)
            self.assertEqual(self.ask(service, first), (2, both))  # all batch sizes were there
            self.assertEqual(service.predict(first, [pictures.png(0)] * 64).status, 200)
            self.assertEqual(self.gauge(service, "models_bytes"), both)
        with self.serve(models_bytes=both - 1) as service:
            for model in (first, second, second, first):
                self.assertEqual(self.ask(service, model)[0], 1)
            self.assertEqual(service.log().count("model_loaded"), 3)
            self.assertEqual(service.log().count("model_unloaded"), 2)
        with self.serve(models_bytes=both) as service:
            for model in (first, second, first):
                self.ask(service, model)
            self.assertEqual(self.gauge(service, "models_loaded"), 2)
            self.assertNotIn("model_unloaded", service.log())

    def test_too_large_for_it(self):
        with self.serve(models_bytes=1 << 20) as service:
            answer = service.post(f"/predict?model={self.models[0]}", pictures.png(0), headers=PNG)
            self.assertEqual(answer.status, 503, answer)
            self.assertIn("models_bytes allows 1048576", answer.json()["detail"])
            self.assertEqual(self.gauge(service, "models_loaded"), 0)


class BusyTest(ServiceCase):
    """One thread for all requests, and room for two pictures that wait."""

    @classmethod
    def setUpClass(cls):
        cls.service = cls.start("up", predict_queue=2, threads=1, request_timeout_ms=2000)
        pictures.add_dataset(cls.service)
        cls.model = cls.service.run_job(SPEC)["model"]

    def test_full_queue(self):
        """What does not fit beside others that wait is refused; alone, any request is taken."""
        many = [pictures.png(0)] * 64
        self.assertEqual(self.service.predict(self.model, many).status, 200)
        refused = []

        def ask(_):
            while not refused:
                answer = self.service.predict(self.model, many)
                if answer.status != 200:
                    refused.append(answer)
        with concurrent.futures.ThreadPoolExecutor(4) as executor:
            list(executor.map(ask, range(4)))
        for answer in refused:
            self.assertEqual(answer.status, 429, answer)
            self.assertEqual(answer.json()["type"], "urn:distilld:problem:too_many_requests")
            self.assertGreater(int(answer.headers["retry-after"]), 0)
        self.assertEqual(self.service.predict(self.model, [pictures.png(0)]).status, 200)

    def test_large_pictures_hold_nobody_up(self):
        """They are decoded elsewhere: many other requests are answered meanwhile."""
        large = flat(5000)
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            answer = executor.submit(self.service.predict, self.model, [large] * 8)
            self.service.get("/healthz")
            time.sleep(0.5)
            for _ in range(20):
                self.assertEqual(self.service.get("/healthz").status, 200)
            self.assertFalse(answer.done())
            self.assertEqual(answer.result().status, 200)

    def test_a_stopped_server_blames_nobody(self):
        """All has arrived in time; that the server was not there to read it is not their fault."""
        file = flat(1300)  # the first ones take the thread's time, as they are just not large
        head = (f"POST /predict?model={self.model} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
                f"Connection: close\r\nContent-Length: {len(file)}\r\n\r\n").encode()
        pid = self.service.child("serve")
        connections = [self.service.connect() for _ in range(40)]
        for connection in connections:
            connection.sendall(head + file[:10])
        time.sleep(0.5)
        os.kill(pid, signal.SIGSTOP)
        for connection in connections:
            connection.sendall(file[10:])
        time.sleep(3)
        os.kill(pid, signal.SIGCONT)
        answers = [connection.recv(12) for connection in connections]
        for connection in connections:
            connection.close()
        self.assertLessEqual(set(answers), {b"HTTP/1.1 200", b"HTTP/1.1 429"})


if __name__ == "__main__":
    unittest.main()
