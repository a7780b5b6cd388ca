#!/usr/bin/env python3
"""The Open Inference Protocol as it is on the wire: answers, and one clear error for all that is
wrong. tests/system/test_triton.py has a client that others wrote."""

import base64
import http.client
import json
import random
import struct
import unittest

import pictures
from service import Service, ServiceCase

SPEC = {"method": "ce", "student": "resnet8", "dataset": "quadrants", "epochs": 1, "batch_size": 32,
        "learning_rate": 0.05, "augment": "none", "threads": 1}
SIDE, CHANNELS = pictures.SIDE, pictures.CHANNELS
SHAPE = [1, SIDE, SIDE, CHANNELS]
ELEMENTS = SIDE * SIDE * CHANNELS
LENGTH = "Inference-Header-Content-Length"


def images(data=None, shape=None, datatype="UINT8", **more):
    made = {"name": "images", "datatype": datatype, "shape": shape or SHAPE, **more}
    return made if data is None else {**made, "data": data}


def packed(files):
    return b"".join(struct.pack("<I", len(file)) + file for file in files)


class V2Test(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.service = cls.start("up", max_body_bytes=1 << 20)
        pictures.add_dataset(cls.service)
        cls.model = cls.service.run_job(SPEC)["model"]
        cls.path = f"/v2/models/{cls.model}/infer"

    def infer(self, *inputs, behind=None, length=None, **more):
        """The answer to a request of these inputs, with bytes behind the JSON."""
        text = json.dumps({"inputs": list(inputs), **more}).encode()
        headers = {"Content-Type": "application/json"}
        if behind is not None or length is not None:
            headers[LENGTH] = str(len(text) if length is None else length)
        return self.service.post(self.path, text + (behind or b""), headers=headers)

    def refused(self, answer, words, status=400):
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers["content-type"], "application/json")
        self.assertEqual(list(answer.json()), ["error"])
        self.assertIn(words, answer.json()["error"])

    def test_server(self):
        self.assertEqual(self.service.get("/v2/health/live").json(), {"live": True})
        self.assertEqual(self.service.get("/v2/health/ready").json(), {"ready": True})
        self.assertEqual(self.service.get("/v2").json()["name"], "distilld")
        self.refused(self.service.get("/v2/nothing"), "no such resource", 404)
        self.refused(self.service.get(self.path), "does not know this method", 405)

    def test_model(self):
        answer = self.service.get(f"/v2/models/{self.model}").json()
        self.assertEqual(answer["outputs"][0], {"name": "logits", "datatype": "FP32",
                                                "shape": [-1, 4]})
        for path in ("/v2/models/none", "/v2/models/none/ready",
                     "/v2/models/model_01ARZ3NDEKTSV4RRFFQ69G5FAV/ready"):
            self.refused(self.service.get(path), "there is no model", 404)

    def test_ready_is_warm(self):
        """.../ready loads the model, once, and needs no Redis for it."""
        with Service("serve", data=self.service.data, redis="unix:///nowhere/r.sock") as service:
            self.assertIn("distilld_models_loaded 0\n", service.get("/metrics").body.decode())
            answer = service.get(f"/v2/models/{self.model}/ready")
            self.assertEqual(answer.json(), {"name": self.model, "ready": True})
            self.assertIn("distilld_models_loaded 1\n", service.get("/metrics").body.decode())
            self.assertEqual(service.get(f"/v2/models/{self.model}/ready").status, 200)
            self.assertEqual(service.log().count("model_loaded"), 1)
            self.assertEqual(service.get("/v2/health/ready").status, 200)

    def test_forms_of_data(self):
        pixels = list(pictures.draw(2, random.Random(5)))
        nested = [[[pixels[(y * SIDE + x) * CHANNELS:][:CHANNELS] for x in range(SIDE)]
                   for y in range(SIDE)]]
        answers = [self.infer(images(pixels)), self.infer(images(nested)),
                   self.infer(images(parameters={"binary_data_size": ELEMENTS}),
                              behind=bytes(pixels))]
        for answer in answers:
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(answer.json(), answers[0].json())
        body = answers[0].json()
        self.assertEqual(body["model_name"], self.model)
        self.assertEqual([item["name"] for item in body["outputs"]], ["logits", "probabilities"])
        self.assertAlmostEqual(sum(body["outputs"][1]["data"]), 1, places=5)
        self.assertEqual(body["outputs"][1]["data"].index(max(body["outputs"][1]["data"])), 2)

    def test_encoded(self):
        files = [pictures.png(label) for label in range(4)]
        text = [base64.b64encode(file).decode() for file in files]
        plain = self.infer(images(text, [4], "BYTES"))
        data = packed(files)
        binary = self.infer(images(shape=[4], datatype="BYTES",
                                   parameters={"binary_data_size": len(data)}), behind=data)
        self.assertEqual(plain.status, 200, plain)
        self.assertEqual(binary.json(), plain.json())

    def test_outputs_as_asked(self):
        pixels = [0] * ELEMENTS
        answer = self.infer(images(pixels), id="7", parameters={"binary_data_output": True},
                            outputs=[{"name": "probabilities"},
                                     {"name": "logits", "parameters": {"binary_data": False}}])
        self.assertEqual(answer.headers["content-type"], "application/octet-stream")
        length = int(answer.headers[LENGTH.lower()])
        body, behind = json.loads(answer.body[:length]), answer.body[length:]
        self.assertEqual(body["id"], "7")
        first, second = body["outputs"]
        self.assertEqual(first["parameters"], {"binary_data_size": 16})
        self.assertNotIn("data", first)
        self.assertEqual(len(second["data"]), 4)
        self.assertAlmostEqual(sum(struct.unpack("<4f", behind)), 1, places=5)
        best = self.infer(images(pixels), outputs=[{"name": "probabilities",
                                                    "parameters": {"classification": 1}}]).json()
        self.assertEqual([best["outputs"][0]["datatype"], best["outputs"][0]["shape"]],
                         ["BYTES", [1, 1]])
        score, index, label = best["outputs"][0]["data"][0].split(":")
        self.assertEqual(label, pictures.CLASSES[int(index)])
        self.assertLessEqual(float(score), 1)

    def test_what_is_not_json(self):
        for body in (b"", b"{", b"[]", b"\xff", b'{"inputs": [}', b'{"inputs": 1, "inputs": 2}'):
            self.refused(self.service.post(self.path, body), "")
        self.refused(self.service.post(self.path, b"[" * 1000), "32 levels", 413)

    def test_wrong_members(self):
        good = images([0] * ELEMENTS)
        for inputs, more, words in (
                ([], {}, "inputs must be a list of one input"),
                ([good, good], {}, "inputs must be a list of one input"),
                ([1], {}, "an input must be an object"),
                ([good], {"input": []}, 'unknown member "input"'),
                ([good], {"id": 7}, "id of the request must be a string"),
                ([{**good, "name": "x"}], {}, 'unknown input "x"'),
                ([{**good, "datatype": "FP32"}], {}, "datatype of input images"),
                ([{**good, "more": 1}], {}, 'unknown member "more"'),
                ([good], {"outputs": [{"name": "x"}]}, 'unknown output "x"'),
                ([good], {"outputs": [{"name": "logits"}] * 2}, "asked for twice"),
                ([good], {"outputs": [{"name": "logits", "parameters": {"classification": 0}}]},
                 "classification must be"),
                ([good], {"parameters": {"binary_data_output": 1}}, "must be true or false"),
                ([images()], {}, "must have data or a parameter")):
            self.refused(self.infer(*inputs, **more), words)

    def test_wrong_shapes(self):
        for shape, count, words in (
                ([SIDE, SIDE, CHANNELS], ELEMENTS, "[n,h,w,c]"), ([0, 8, 8, 3], 0, "shape[0]"),
                ([-1, 8, 8, 3], ELEMENTS, "shape[0]"), ([1, 8, 8, 1.5], ELEMENTS, "shape[3]"),
                ([2, 8, 8, 3], ELEMENTS, "192 elements, its shape says 384"),
                ([1, 8, 8, 3], ELEMENTS + 1, "193 elements, its shape says 192"),
                ([3, 8, 8, 1], ELEMENTS, "the model takes [n,8,8,3]"),
                ([1, 1, 1, 1], 1, "the model takes [n,8,8,3]")):
            self.refused(self.infer(images([0] * count, shape)), words)
        for pixel in (256, -1, 0.5, "1", None):
            self.refused(self.infer(images([0] * (ELEMENTS - 1) + [pixel])), "element 191")
        self.refused(self.infer(images(["x"], [1], "BYTES")), "base64")
        broken = base64.b64encode(pictures.png(0)[:30]).decode()
        self.refused(self.infer(images([broken], [1], "BYTES")), "element 0 of input images")

    def test_lying_sizes(self):
        data = bytes(ELEMENTS)

        def said(size, **more):
            return images(parameters={"binary_data_size": size}, **more)
        self.refused(self.infer(said(ELEMENTS), behind=data[1:]), "191 bytes follow the JSON")
        self.refused(self.infer(said(ELEMENTS - 1), behind=data), "192 bytes follow the JSON")
        self.refused(self.infer(said(1 << 62), behind=data), "192 bytes follow the JSON")
        self.refused(self.infer(said(-1), behind=data), "at least 1")
        self.refused(self.infer(said(ELEMENTS, shape=[1000, 2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1]),
                                behind=data), "192 elements")
        self.refused(self.infer(images([0] * ELEMENTS), behind=data), "belong to no input")
        for length in (10 ** 6, 0, -1, "x", 2 ** 64):
            self.refused(self.infer(said(ELEMENTS), behind=data, length=length), LENGTH)
        for blob in (b"\xff\xff\xff\xff", b"\1\0\0", packed([b"a"]) + b"x", packed([b"ab"])[:-1]):
            answer = self.infer(said(len(blob), shape=[1], datatype="BYTES"), behind=blob)
            self.refused(answer, "of input images" if blob != packed([b"a"]) + b"x" else "behind")

    def test_too_large(self):
        self.refused(self.infer(images([0], [1025, 8, 8, 3])), "at most 1024", 413)
        self.refused(self.infer(images(["eA=="] * 65, [65], "BYTES")), "at most 64", 413)
        self.refused(self.infer(images([0], [1024, 1024, 1024, 3])), "send them as binary", 413)
        self.refused(self.service.post(self.path, b" " * (1 << 20) + b"{}"), "the limit is", 413)

    def test_content_types(self):
        text = json.dumps({"inputs": [images([0] * ELEMENTS)]})
        for kind, status in ((None, 200), ("application/json", 200),
                             ("application/octet-stream", 200), ("text/plain", 415)):
            connection = http.client.HTTPConnection(self.service.host, self.service.port)
            connection.request("POST", self.path, text, {"Content-Type": kind} if kind else {})
            response = connection.getresponse()
            body = json.loads(response.read())
            connection.close()
            self.assertEqual(response.status, status, body)


if __name__ == "__main__":
    unittest.main()
