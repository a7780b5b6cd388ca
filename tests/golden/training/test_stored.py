#!/usr/bin/python3
"""`distill train` against the stored course of training in PyTorch; needs numpy only."""

import json
import pathlib
import sys
import tempfile
import unittest

import numpy

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "support")]

import cases  # noqa: E402
import compare  # noqa: E402
import distill_cli  # noqa: E402
import inputs  # noqa: E402
from run import Run  # noqa: E402

DEVICES = distill_cli.devices()
if distill_cli.CPU in DEVICES:
    DEVICES += (distill_cli.CPU_DIRECT,)
STORED = json.loads((HERE / "steps.json").read_text())


class StoredRuns(unittest.TestCase):
    def compare(self, name, case, device, folder):
        stored, tolerance = STORED["cases"][name], compare.BOUNDS[device.name]
        shapes = [STORED["shapes"][architecture] for architecture in case.architectures]
        weights = inputs.all_weights(shapes, stored["seed"])
        got = Run(case, weights, case.data(stored["seed"]), device, pathlib.Path(folder)).train()
        compare.losses(self, got, stored, tolerance)
        compare.evaluations(self, got, stored, tolerance)
        compare.changes(got, weights[0], stored["changes"], tolerance)
        numpy.testing.assert_allclose(
            got["tensors"]["fc.bias"], stored["fc.bias"], tolerance.tensor, tolerance.tensor
        )

    def test_every_case(self):
        for name, case in cases.CASES.items():
            self.assertEqual(STORED["cases"][name]["spec"], case.full_spec(), "make_golden.py")
            for device in DEVICES:
                with self.subTest(name, device=device.name), tempfile.TemporaryDirectory() as folder:
                    self.compare(name, case, device, folder)


if __name__ == "__main__":
    unittest.main()
