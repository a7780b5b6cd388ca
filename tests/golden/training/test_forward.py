#!/usr/bin/python3
"""`distill forward` against PyTorch: logits of every architecture, with fresh random weights."""

import pathlib
import re
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
from pytorch import imagenet, safetensors_io, vgg, vit, zoo  # noqa: E402

SEED = live.seed()
TOLERANCE = 1e-4  # of the largest logit; f32 sums of a deep network differ by about 1e-6

# Height, width, channels, classes, pictures. CIFAR's networks as published, and in sizes that are not
# theirs; at 64 pixels VGG pools once more.
SIZES = ((32, 32, 3, 100, 2), (20, 28, 1, 7, 3))
SIZES_OF_VGG = (*SIZES, (64, 48, 3, 10, 2))
SIZES_FOR_IMAGENET = ((64, 64, 3, 10, 2), (96, 80, 1, 7, 1))
SIZES_OF_VIT = ((64, 64, 3, 10, 2), (48, 96, 1, 7, 3))
LARGE = ("resnet50", "resnet101", "resnet152")  # slow on ref; resnet34 has all of their ops


def sizes_of(architecture):
    if architecture in LARGE:
        return SIZES_FOR_IMAGENET[:1]
    if architecture in imagenet.FAMILY:
        return SIZES_FOR_IMAGENET
    if architecture in vit.FAMILY:
        return SIZES_OF_VIT
    return SIZES_OF_VGG if architecture in vgg.FAMILY else SIZES


def devices_for(architecture):
    return [each for each in distill_cli.devices()
            if each != distill_cli.REF or architecture not in LARGE]


def multiply_adds(network, side):
    """Of convolutions and linear layers, for one picture."""
    total = 0

    def count(module, _, output):
        nonlocal total
        total += module.weight[0].numel() * output.numel()

    for module in network.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            module.register_forward_hook(count)
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, side, side))
    return total


def in_pytorch(architecture, size):
    """Random weights and input, and PyTorch's logits of them."""
    height, width, channels, classes, count = size
    shape = (count, height, width, channels)
    x = numpy.random.RandomState(SEED).normal(0, 1, shape).astype("f4")
    network = zoo.create(architecture, channels, classes, height, width)
    weights = inputs.weights(zoo.shapes_of(network), SEED)
    zoo.load(network, weights).eval()
    with torch.no_grad():
        return weights, x, network(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()


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
        weights, x, expected = in_pytorch(architecture, size)
        for device in devices_for(architecture):
            with self.subTest(architecture, device=device.name, size=size, seed=SEED):
                got = in_engine(architecture, weights, x, device)
                self.assertEqual(got.shape, expected.shape)
                self.assertLess(abs(got - expected).max(), TOLERANCE * abs(expected).max())

    def check_architecture(self, architecture):
        for size in sizes_of(architecture):
            self.compare(architecture, size)

    def test_counts_of_every_architecture(self):
        for architecture in zoo.NAMES:
            with self.subTest(architecture):
                text = distill_cli.distill("explain", student=architecture, batch_size=1)
                counts = re.search(r"parameters (\d+), multiply-adds of a picture (\d+)", text)
                side, classes = zoo.published(architecture)
                network = zoo.create(architecture, 3, classes)
                parameters = sum(each.numel() for each in network.parameters())
                expected = (parameters, multiply_adds(network, side))
                if architecture in vit.FAMILY:
                    expected = (parameters, expected[1] + vit.more_multiply_adds(network, side))
                self.assertEqual(tuple(map(int, counts.groups())), expected)

    def test_every_architecture_of_the_engine_is_compared(self):
        with self.assertRaisesRegex(distill_cli.DistillError, "known are (.*)") as caught:
            distill_cli.distill("explain", student="none")
        known = str(caught.exception).strip().split("known are ")[1].split(", ")
        self.assertEqual(sorted(known), sorted(zoo.NAMES))


zoo.add_tests(Forward, Forward.check_architecture)

if __name__ == "__main__":
    unittest.main()
