#!/usr/bin/env python3
"""POST /models: weights that come in over HTTP, whole or not at all; and ONNX out."""

import os
import pathlib
import struct
import subprocess
import tempfile
import unittest

from material import CLASSES, add_dataset, job, picture, tensors_file, tensors_of
from service import ServiceCase, executable, wait_until

OCTETS = {"Content-Type": "application/octet-stream"}
UPLOADS = 8  # at the same time, as in api/limits.h
LIMIT_BYTES = 1 << 30


class UploadCase(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.service = cls.start(device="ref")
        add_dataset(cls.service)
        cls.trained = cls.service.run_job(job())["model"]
        cls.weights = cls.service.get(f"/models/{cls.trained}/weights").body
        cls.tensors, _ = tensors_of(cls.weights)

    def upload(self, body, query="architecture=resnet8&dataset=tiny", headers=None):
        return self.service.post(f"/models?{query}", body, headers=headers or OCTETS)

    def stored(self):
        """What lies in the folder of models."""
        return sorted(os.listdir(self.service.data / "models"))


class UploadTest(UploadCase):
    def test_a_state_dict_becomes_the_model_that_it_was_of(self):
        answer = self.upload(tensors_file(self.tensors), "architecture=resnet8&dataset=tiny&name=mine")
        self.assertEqual(answer.status, 201, answer)
        card, own = answer.json(), self.service.get(f"/models/{self.trained}").json()
        self.assertEqual(answer.headers["location"], f"/models/{card['id']}")
        self.assertEqual(self.service.get(answer.headers["location"]).json(), card)
        self.assertIn(card, self.service.get("/models").json()["items"])
        for name in ("architecture", "dataset", "height", "width", "channels", "classes",
                     "class_names", "parameters", "weights_bytes", "weights_sha256"):
            self.assertEqual(card[name], own[name], name)
        self.assertEqual((card["name"], card["job"], card["method"], card["top1"], card["epoch"]),
                         ("mine", None, None, None, 0))
        self.assertEqual(self.service.get(f"/models/{card['id']}/weights").body, self.weights)

    def test_it_predicts_and_teaches(self):
        model = self.upload(tensors_file(self.tensors)).json()["id"]
        pictures = [picture(label) for label in range(CLASSES)]
        expected = self.service.predict(self.trained, pictures).json()["predictions"]
        self.assertEqual(self.service.predict(model, pictures).json()["predictions"], expected)
        done = self.service.run_job(job(method="kd", teacher=model, epochs=1))
        self.assertEqual(done["state"], "succeeded")

    def test_without_a_data_set_and_in_16_bits(self):
        halves = {name: ("BF16", shape, b"".join(data[i + 2:i + 4] for i in range(0, len(data), 4)))
                  if kind == "F32" else (kind, shape, data)
                  for name, (kind, shape, data) in self.tensors.items()}
        answer = self.upload(tensors_file(halves), "architecture=resnet8&height=16&width=24&"
                             "mean=0.5,0.5,0.5&deviation=0.25,0.25,0.25")
        card = answer.json()
        self.assertEqual(answer.status, 201, answer)
        self.assertEqual((card["height"], card["width"], card["channels"]), (16, 24, 3))
        self.assertEqual(card["class_names"], [str(i) for i in range(CLASSES)])
        self.assertEqual(card["dataset"], None)

    def test_body_in_chunks(self):
        body = tensors_file(self.tensors)
        pieces = [body[i:i + 10000] for i in range(0, len(body), 10000)]
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        with self.service.connect() as connection:
            connection.sendall(b"POST /models?architecture=resnet8&dataset=tiny HTTP/1.1\r\n"
                               b"Host: x\r\nContent-Type: application/octet-stream\r\n"
                               b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" +
                               chunks + b"0\r\n\r\n")
            answer = connection.makefile("rb").read()
        self.assertTrue(answer.startswith(b"HTTP/1.1 201 "), answer[:200])

    def test_onnx(self):
        with tempfile.TemporaryDirectory() as folder:
            weights, out = pathlib.Path(folder, "model.safetensors"), pathlib.Path(folder, "x")
            weights.write_bytes(self.weights)
            for normalize in ("false", "true"):
                subprocess.run([executable("distill"), "export", f"model={weights}", f"out={out}",
                                f"normalize={normalize}"], check=True, capture_output=True)
                answer = self.service.get(f"/models/{self.trained}/weights?format=onnx&"
                                          f"normalize={normalize}")
                self.assertEqual((answer.status, answer.body), (200, out.read_bytes()))
                self.assertIn(f"{self.trained}.onnx", answer.headers["content-disposition"])
        for query in ("format=pickle", "normalize=true", "format=onnx&normalize=2", "form=onnx"):
            answer = self.service.get(f"/models/{self.trained}/weights?{query}")
            self.assertEqual(answer.status, 422, query)
        wait_until(lambda: not [name for name in self.stored() if name.startswith(".")],
                   what="nothing left behind")


class RefusalTest(UploadCase):
    def tearDown(self):
        """Whatever was refused has left nothing behind, once its answer has been sent."""
        wait_until(lambda: self.stored() == [self.trained], what="nothing left behind")

    def refuse(self, body, query="architecture=resnet8&dataset=tiny"):
        """The errors of a 422."""
        answer = self.upload(body, query)
        self.assertEqual(answer.status, 422, answer)
        return answer.json()["errors"]

    def changed(self, **tensors):
        changed = {**self.tensors, **{name.replace("__", "."): tensor
                                      for name, tensor in tensors.items()}}
        return tensors_file({name: tensor for name, tensor in changed.items() if tensor})

    def test_every_tensor_that_does_not_fit_is_named(self):
        nan = struct.pack("<16f", *[float("nan")] * 3, *[0] * 13)
        errors = self.refuse(self.changed(conv1__weight=("F32", [3, 16, 3, 3], bytes(1728)),
                                          bn1__bias=None, aux=("F32", [1], bytes(4))))
        self.assertEqual({error["field"] for error in errors}, {"weights"})
        self.assertEqual({error["value"]: error["detail"] for error in errors}, {
            "conv1.weight": "tensor conv1.weight has shape [3,16,3,3], the network needs "
                            "[16,3,3,3]",
            "bn1.bias": "tensor bn1.bias is missing",
            "aux": "tensor aux is not one of the network's"})
        error, = self.refuse(self.changed(bn1__bias=("F32", [16], nan)))
        self.assertIn("3 NaN", error["detail"])

    def test_weights_of_another_network(self):
        answer = self.upload(tensors_file(self.tensors), "architecture=resnet20&dataset=tiny")
        self.assertEqual(answer.status, 422)
        errors = answer.json()["errors"]
        self.assertEqual((errors[0]["field"], errors[0]["value"]), ("architecture", "resnet20"))
        self.assertIn("they are those of resnet8", errors[0]["detail"])
        self.assertEqual([error["field"] for error in errors[1:]], ["weights"] * 15)  # all listed

    def test_what_is_no_weights_file(self):
        for body in (b"", b"hello", tensors_file(self.tensors)[:-1], bytes(100000), b"PK\3\4 a .pth"):
            error, = self.refuse(body)
            self.assertEqual(error["field"], "weights")
            self.assertNotIn(str(self.service.data), error["detail"])  # where it lay
        self.assertIn("convert", error["detail"])

    def test_wrong_parameters(self):
        good = tensors_file(self.tensors)
        for query, fields in (
                ("dataset=tiny", {"architecture"}),
                ("architecture=resnet9&dataset=tiny", {"architecture"}),
                ("architecture=resnet8", {"height"}),
                ("architecture=resnet8&dataset=/etc", {"dataset"}),
                ("architecture=resnet8&dataset=none", {"dataset"}),
                ("architecture=resnet8&dataset=tiny&classes=9", {"classes"}),
                ("architecture=resnet8&dataset=cifar10", {"dataset"}),
                ("architecture=resnet8&dataset=tiny&mean=a,b,c", {"mean"}),
                ("architecture=resnet8&dataset=tiny&out=/tmp/x", {"out"}),
                ("architecture=resnet8&height=-1&width=x", {"height", "width"})):
            with self.subTest(query):
                self.assertEqual({error["field"] for error in self.refuse(good, query)}, fields)

    def test_what_http_refuses(self):
        answer = self.upload(b"{}", headers={"Content-Type": "application/json"})
        self.assertEqual(answer.status, 415)
        self.assertIn("application/octet-stream", answer.json()["detail"])
        with self.service.connect() as connection:
            connection.sendall(b"POST /models?architecture=resnet8 HTTP/1.1\r\nHost: x\r\n"
                               b"Content-Type: application/octet-stream\r\n"
                               b"Content-Length: %d\r\n\r\n" % (LIMIT_BYTES + 1))
            self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 413 "))

    def begin(self, body):
        """A connection that has sent half of an upload."""
        connection = self.service.connect()
        connection.sendall(b"POST /models?architecture=resnet8&dataset=tiny HTTP/1.1\r\nHost: x\r\n"
                           b"Content-Type: application/octet-stream\r\n"
                           b"Content-Length: %d\r\n\r\n" % len(body) + body[:len(body) // 2])
        return connection

    def temporary(self):
        return [name for name in self.stored() if name.startswith(".tmp-")]

    def test_too_many_at_once_and_clients_that_go_away(self):
        body = tensors_file(self.tensors)
        connections = [self.begin(body) for _ in range(UPLOADS)]
        wait_until(lambda: len(self.temporary()) == UPLOADS, what="uploads under way")
        answer = self.upload(body)
        self.assertEqual((answer.status, "retry-after" in answer.headers), (503, True))
        for connection in connections:
            connection.close()
        wait_until(lambda: not self.temporary(), what="files of broken uploads gone")
        self.refuse(b"still working")


if __name__ == "__main__":
    unittest.main()
