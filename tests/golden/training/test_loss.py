#!/usr/bin/python3
"""`distill loss` against PyTorch: rows and gradients of every method, with random logits."""

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
from pytorch import losses, safetensors_io  # noqa: E402

SEED = live.seed()
TOLERANCE = 1e-5  # relative, and of what is subtracted: a divergence of equals is 0 by cancellation
ROUNDING = 1e-6
PROBLEMS = 8  # for each method


def problem(method, random):
    """A spec and logits as networks give them: from nearly equal to one class far ahead."""
    rows, classes = random.choice([1, 7, 64]), random.choice([2, 10, 100, 1003])
    spread = random.uniform(0.5, 12)
    spec = {"method": method, "ce_weight": round(random.uniform(0.1, 2), 3)}
    spec["label_smoothing"] = float(random.choice([0, 0.1]))
    if method != "ce":
        spec["temperature"] = round(random.uniform(1, 20), 3)
        spec["beta"] = round(random.uniform(0.1, 40), 3)
    tensors = {
        "student": random.normal(0, random.uniform(0.5, 5), (rows, classes)).astype("f4"),
        "teacher": random.normal(0, spread, (rows, classes)).astype("f4"),
        "labels": random.randint(0, classes, rows).astype("i8"),
    }
    return spec, tensors


def expected(spec, tensors):
    z = torch.tensor(tensors["student"], dtype=torch.float64, requires_grad=True)
    t = torch.tensor(tensors["teacher"], dtype=torch.float64)
    rows = losses.total(spec, z, t, torch.tensor(tensors["labels"]))
    rows.mean().backward()
    return rows.detach().numpy(), z.grad.numpy()


def magnitudes(spec, tensors):
    """The size of the terms whose difference a row's loss is, and of those of its gradient."""
    z, t = (tensors[name].astype("f8") for name in ("student", "teacher"))
    slope = spec["ce_weight"] * numpy.ones(len(z))
    loss = slope * (abs(z).max(1) + 1)
    if spec["method"] != "ce":
        power = 1 / spec["temperature"]
        p = numpy.exp(t - t.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        weight = spec["beta"] * ((p**power).sum(1) if spec["method"] == "wttm" else 1)
        soft = spec["temperature"] if spec["method"] == "kd" else 1
        loss += weight * soft**2 * (abs(z).max(1) / soft + abs(t).max(1) * power + 1)
        slope += weight * soft
    return loss, slope


class Loss(unittest.TestCase):
    def compare(self, spec, tensors, device):
        rows, gradient = expected(spec, tensors)
        with tempfile.TemporaryDirectory() as folder:
            source, result = f"{folder}/in.safetensors", f"{folder}/out.safetensors"
            safetensors_io.save(source, tensors)
            arguments = {"in": source, "out": result}
            (means,) = device.lines("loss", **spec, **arguments)
            got = safetensors_io.load(result)
        loss_size, slope = magnitudes(spec, tensors)
        loss_error, gradient_error = abs(got["loss"] - rows), abs(got["grad"] - gradient).max(1)
        largest = abs(gradient).max(1)
        self.assertLessEqual((loss_error - TOLERANCE * rows - ROUNDING * loss_size).max(), 0)
        worst = TOLERANCE * largest + ROUNDING * slope / len(rows)
        self.assertLessEqual((gradient_error - worst).max(), 0)
        self.assertAlmostEqual(means["loss"], got["loss"].mean(), delta=1e-6 * got["loss"].mean())

    def test_every_method(self):
        random = numpy.random.RandomState(SEED)
        for method in ("ce", "kd", "ttm", "wttm"):
            for _ in range(PROBLEMS):
                spec, tensors = problem(method, random)
                for device in distill_cli.devices():
                    shape = tensors["student"].shape
                    with self.subTest(**spec, shape=shape, device=device.name, seed=SEED):
                        self.compare(spec, tensors, device)


if __name__ == "__main__":
    unittest.main()
