#!/usr/bin/python3
"""`distill forward` against PyTorch: logits of every architecture, with fresh random weights."""

import pathlib
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "support")]

from pytorch import live  # noqa: E402

live.require_torch()

import numpy  # noqa: E402
import torch  # noqa: E402

import distill_cli  # noqa: E402
import inputs  # noqa: E402
from pytorch import safetensors_io, zoo  # noqa: E402

SEED = live.seed()
TOLERANCE = 1e-4  # of the largest logit; f32 sums of a deep network differ by about 1e-6

# Height, width, channels, classes, pictures. The published networks, and sizes that are not theirs.
SIZES = {"published": (32, 32, 3, 100, 2), "other": (20, 28, 1, 7, 3)}


def in_pytorch(architecture, size):
    """Random weights and input, and PyTorch's logits of them in float64."""
    height, width, channels, classes, count = size
    shape = (count, height, width, channels)
    x = numpy.random.RandomState(SEED).normal(0, 1, shape).astype("f4")
    weights = inputs.weights(zoo.shapes(architecture, channels, classes), SEED)
    network = zoo.load(zoo.create(architecture, channels, classes), weights).double().eval()
    with torch.no_grad():
        return weights, x, network(torch.from_numpy(x).double().permute(0, 3, 1, 2)).numpy()


def in_engine(architecture, weights, x, device):
    """The same by `distill forward`."""
    with tempfile.TemporaryDirectory() as folder:
        model, source, result = (f"{folder}/{name}.safetensors" for name in ("m", "x", "z"))
        safetensors_io.save(model, weights)
        safetensors_io.save(source, {"x": x})
        arguments = {"in": source, "out": result, "threads": 2}
        device.lines("forward", model=model, architecture=architecture, **arguments)
        return safetensors_io.load(result)["logits"]


class Forward(unittest.TestCase):
    def compare(self, architecture, size):
        weights, x, expected = in_pytorch(architecture, SIZES[size])
        for device in distill_cli.devices():
            with self.subTest(architecture, device=device.name, size=size, seed=SEED):
                got = in_engine(architecture, weights, x, device)
                self.assertEqual(got.shape, expected.shape)
                self.assertLess(abs(got - expected).max(), TOLERANCE * abs(expected).max())

    def test_every_architecture(self):
        for architecture in zoo.NAMES:
            for size in SIZES:
                self.compare(architecture, size)

    def test_every_architecture_of_the_engine_is_compared(self):
        with self.assertRaisesRegex(distill_cli.DistillError, "known are (.*)") as caught:
            distill_cli.distill("explain", student="none")
        known = str(caught.exception).strip().split("known are ")[1].split(", ")
        self.assertEqual(sorted(known), sorted(zoo.NAMES))


if __name__ == "__main__":
    unittest.main()
