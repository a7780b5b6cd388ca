#!/usr/bin/python3
"""The way of a user: a teacher trained in PyTorch comes in as a checkpoint, teaches a student here,
and the student leaves for ONNX Runtime and for PyTorch. At each border the logits are the same."""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE.parents[1] / "support"), str(HERE.parent / "training")]

from pytorch import live  # noqa: E402

live.require_torch()

import onnx_runtime  # noqa: E402

onnx_runtime.require()

import numpy  # noqa: E402
import torch  # noqa: E402

import distill_cli  # noqa: E402
import inputs  # noqa: E402
from pytorch import safetensors_io, zoo  # noqa: E402

SEED = live.seed()
TOLERANCE = 1e-4  # of the largest logit
COUNT, STEPS, BATCH = 320, 40, 32


def pixels(images):
    """u8 NHWC to 0..1 NCHW."""
    return numpy.ascontiguousarray(images.transpose(0, 3, 1, 2).astype("f4") / 255)


def normalised(images, statistics):
    mean, deviation = (numpy.array(numbers, "f4")[:, None, None] for numbers in statistics)
    return ((pixels(images) - mean) / deviation).astype("f4")


def trained_in_pytorch(data):
    """A teacher after some steps of plain training."""
    torch.manual_seed(SEED)
    network = zoo.create("resnet14", inputs.CHANNELS, inputs.CLASSES)
    x = torch.from_numpy(normalised(data["train"][0], data["statistics"]))
    labels = torch.from_numpy(data["train"][1])
    optimiser = torch.optim.SGD(network.parameters(), 0.05, 0.9)
    for step in range(STEPS):
        rows = slice(step * BATCH % COUNT, step * BATCH % COUNT + BATCH)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(x[rows]), labels[rows]).backward()
        optimiser.step()
    return network.eval()


def logits_of(network, x):
    with torch.no_grad():
        return network(torch.from_numpy(x)).numpy()


def client(*arguments):
    """The Python client at the command line."""
    around = {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python")}
    subprocess.run([sys.executable, "-m", "distilld", *map(str, arguments)], check=True, env=around,
                   capture_output=True)


class RoundTrip(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="distill-round-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.data = inputs.data(COUNT, SEED % 10000)
        inputs.save_data(self.folder / "data", self.data)
        self.images, self.labels = self.data["test"]
        self.x = normalised(self.images, self.data["statistics"])

    def compare(self, got, expected):
        self.assertEqual(got.shape, expected.shape)
        self.assertLess(abs(got - expected).max(), TOLERANCE * abs(expected).max())

    def evaluate(self, model):
        return json.loads(distill_cli.distill("eval", model=model, dataset=self.folder / "data"))

    def forward(self, model):
        source, out = self.folder / "x.safetensors", self.folder / "y.safetensors"
        safetensors_io.save(source, {"x": numpy.ascontiguousarray(self.x.transpose(0, 2, 3, 1))})
        distill_cli.distill("forward", model=model, **{"in": source, "out": out})
        return safetensors_io.load(out)["logits"]

    def check_top1(self, model, logits):
        """eval counts the pictures that these logits classify rightly, but for those whose first
        two classes are as near to each other as logits may differ."""
        hits = int((logits.argmax(1) == self.labels).sum())
        second, first = numpy.sort(logits, 1)[:, -2:].T
        doubtful = int((first - second < 2 * TOLERANCE * abs(logits).max()).sum())
        found = round(self.evaluate(model)["top1"] * len(self.labels))
        self.assertLessEqual(abs(found - hits), doubtful)
        self.assertLess(doubtful, len(self.labels) // 4)

    def take_teacher(self, network):
        """A checkpoint as training scripts leave it, through the client."""
        state = {"module." + name: value for name, value in network.state_dict().items()}
        torch.save({"epoch": 1, "model": state, "opt": argparse.Namespace(lr=0.05)},
                   self.folder / "teacher.pth")
        client("convert", self.folder / "teacher.pth", self.folder / "teacher.safetensors")
        arguments = {"in": self.folder / "teacher.safetensors", "out": self.folder / "teacher"}
        distill_cli.distill("import", architecture="resnet14", dataset=self.folder / "data",
                            **arguments)
        return self.folder / "teacher"

    def run_onnx(self, model):
        """Of pictures as they are, which the file normalises."""
        distill_cli.distill("export", model=model, out=self.folder / "model.onnx", normalize=True)
        safetensors_io.save(self.folder / "x.safetensors", {"x": pixels(self.images)})
        _, logits = onnx_runtime.run(self.folder)
        return logits["x"]

    def test_from_pytorch_to_onnx_runtime_and_pytorch(self):
        network = trained_in_pytorch(self.data)
        teacher, expected = self.take_teacher(network), logits_of(network, self.x)
        self.compare(self.forward(teacher), expected)
        self.check_top1(teacher, expected)

        student = self.folder / "student"
        distill_cli.distill("train", method="wttm", temperature=2, beta=1, student="resnet8",
                            teacher=teacher, dataset=self.folder / "data", epochs=2,
                            batch_size=BATCH, learning_rate=0.05, threads=2, out=student)
        logits = self.run_onnx(student)
        self.check_top1(student, logits)
        original = zoo.create("resnet8", inputs.CHANNELS, inputs.CLASSES)
        weights = safetensors_io.load(student / "model.safetensors")
        original.load_state_dict({name: torch.from_numpy(value.copy())
                                  for name, value in weights.items()}, strict=True)
        self.compare(logits, logits_of(original.eval(), self.x))


if __name__ == "__main__":
    unittest.main()
