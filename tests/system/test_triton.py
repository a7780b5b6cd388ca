#!/usr/bin/env python3
"""Triton's own client, as it is installed from PyPI, against the service's /v2.

It runs in an environment of its own beside the build; TRITON_PYTHON names an interpreter that has
tritonclient instead."""

import importlib.util
import os
import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import python_environment  # noqa: E402

PACKAGES = ("tritonclient[http]==2.73.0",)
if not importlib.util.find_spec("tritonclient"):
    PYTHON = os.environ.get("TRITON_PYTHON") or python_environment.require("triton", PACKAGES)
    os.execv(PYTHON, [PYTHON, *sys.argv])

import numpy  # noqa: E402
import tritonclient.http  # noqa: E402
from tritonclient.utils import InferenceServerException  # noqa: E402

import pictures  # noqa: E402
from service import ServiceCase  # noqa: E402

SPEC = {"method": "ce", "student": "resnet8", "dataset": "quadrants", "epochs": 1, "batch_size": 32,
        "learning_rate": 0.05, "augment": "none", "threads": 1}
CLASSES = len(pictures.CLASSES)


def softmax(logits):
    shifted = numpy.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def pixels(count):
    source = random.Random(99)
    drawn = b"".join(pictures.draw(i % CLASSES, source) for i in range(count))
    side = pictures.SIDE
    return numpy.frombuffer(drawn, numpy.uint8).reshape(count, side, side, pictures.CHANNELS)


def tensor(array, datatype="UINT8", binary=True):
    made = tritonclient.http.InferInput("images", list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def output(name, **more):
    return tritonclient.http.InferRequestedOutput(name, **more)


class TritonTest(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.service = cls.start("up")
        pictures.add_dataset(cls.service)
        cls.model = cls.service.run_job(SPEC)["model"]
        cls.client = tritonclient.http.InferenceServerClient(
            f"{cls.service.host}:{cls.service.port}")
        cls.addClassCleanup(cls.client.close)

    def test_health_and_metadata(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        self.assertTrue(self.client.is_model_ready(self.model))
        self.assertFalse(self.client.is_model_ready("none"))
        server = self.client.get_server_metadata()
        self.assertEqual(server["name"], "distilld")
        self.assertIn("binary_tensor_data", server["extensions"])
        model = self.client.get_model_metadata(self.model)
        self.assertEqual(model["name"], self.model)
        self.assertEqual(model["inputs"], [{"name": "images", "datatype": "UINT8",
                                            "shape": [-1, 8, 8, 3]}])
        self.assertEqual([item["name"] for item in model["outputs"]], ["logits", "probabilities"])

    def test_all_ways_agree(self):
        """Binary and JSON, in and out, give the numbers of POST /predict."""
        array = pixels(5)
        first = self.client.infer(self.model, [tensor(array)], request_id="a \"b\"")
        logits, shares = first.as_numpy("logits"), first.as_numpy("probabilities")
        self.assertEqual(first.get_response()["id"], "a \"b\"")
        self.assertEqual([logits.shape, logits.dtype], [(5, CLASSES), numpy.float32])
        numpy.testing.assert_allclose(shares, softmax(logits), atol=1e-6)
        self.assertEqual(shares.argmax(axis=1).tolist(), [0, 1, 2, 3, 0])
        for into in (True, False):
            for out in (True, False):
                result = self.client.infer(self.model, [tensor(array, binary=into)],
                                           outputs=[output("logits", binary_data=out)])
                numpy.testing.assert_allclose(result.as_numpy("logits"), logits, atol=1e-5)
                self.assertIsNone(result.get_output("probabilities"))

    def test_encoded_pictures(self):
        files = [pictures.png(label) for label in range(CLASSES)]
        array = numpy.array(files, dtype=numpy.object_)
        result = self.client.infer(self.model, [tensor(array, "BYTES")],
                                   outputs=[output("probabilities")])
        expected = self.service.predict(self.model, files, top_k=CLASSES).json()["predictions"]
        for row, right in zip(result.as_numpy("probabilities"), expected):
            for item in right:
                self.assertAlmostEqual(row[item["index"]], item["score"], places=4)

    def test_classification(self):
        array = pixels(3)
        for binary in (True, False):
            result = self.client.infer(
                self.model, [tensor(array)],
                outputs=[output("logits", binary_data=binary, class_count=2),
                         output("probabilities", binary_data=True)])
            best, shares = result.as_numpy("logits"), result.as_numpy("probabilities")
            self.assertEqual([best.shape, shares.shape], [(3, 2), (3, CLASSES)])
            for i, row in enumerate(best):
                text = row[0].decode() if isinstance(row[0], bytes) else row[0]
                score, index, label = text.split(":")
                self.assertEqual([int(index), label], [i, pictures.CLASSES[i]])
                self.assertEqual(int(index), shares[i].argmax())
                self.assertTrue(float(score))
        many = self.client.infer(self.model, [tensor(array)],
                                 outputs=[output("probabilities", class_count=100)])
        self.assertEqual(many.as_numpy("probabilities").shape, (3, CLASSES))

    def test_many_at_once(self):
        array = pixels(200)
        whole = self.client.infer(self.model, [tensor(array)]).as_numpy("logits")
        for i in (0, 63, 64, 199):
            alone = self.client.infer(self.model, [tensor(array[i:i + 1])]).as_numpy("logits")
            numpy.testing.assert_allclose(alone[0], whole[i], atol=1e-4)

    def test_errors_are_shown(self):
        for model, asked, status, words in (
                ("none", tensor(pixels(1)), "404", "none"),
                (self.model, tensor(pixels(1)[:, :4]), "400", r"\[n,8,8,3\]"),
                (self.model, tensor(numpy.array([b"x"], numpy.object_), "BYTES"), "400",
                 "element 0")):
            with self.assertRaisesRegex(InferenceServerException, words) as caught:
                self.client.infer(model, [asked])
            self.assertEqual(caught.exception.status(), status)
        with self.assertRaisesRegex(InferenceServerException, "unknown output"):
            self.client.infer(self.model, [tensor(pixels(1))], outputs=[output("x")])


if __name__ == "__main__":
    unittest.main()
