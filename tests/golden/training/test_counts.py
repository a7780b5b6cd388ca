#!/usr/bin/python3
"""Parameters and multiply-adds that `distill explain` prints, against the published ones."""

import pathlib
import re
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "support")]

import distill_cli  # noqa: E402

# Of RepDistiller's networks for 32x32 pictures and 100 classes: parameters, and multiply-adds of
# the convolutions and the classifier for a picture.
PUBLISHED = {
    "resnet8": (83_892, 12_507_392),
    "resnet14": (181_108, 26_663_168),
    "resnet20": (278_324, 40_818_944),
    "resnet32": (472_756, 69_130_496),
    "resnet44": (667_188, 97_442_048),
    "resnet56": (861_620, 125_753_600),
    "resnet110": (1_736_564, 253_155_584),
    "resnet8x4": (1_233_540, 177_071_104),
    "resnet32x4": (7_433_860, 1_083_040_768),
}
COUNTED = ("conv", "linear")


def explained(architecture):
    """Parameters, and MFLOP of the counted ops of a forward pass."""
    text = distill_cli.distill("explain", student=architecture, mode="infer", batch_size=1)
    parameters = int(re.search(r"^parameters (\d+)", text, re.MULTILINE).group(1))
    ops = re.findall(r"^ *\d+ (\w+) .*\[([\d.]+) MFLOP", text, re.MULTILINE)
    return parameters, [float(flops) for name, flops in ops if name in COUNTED]


class Counts(unittest.TestCase):
    def test_every_architecture(self):
        for architecture, (parameters, macs) in PUBLISHED.items():
            with self.subTest(architecture):
                got, flops = explained(architecture)
                self.assertEqual(got, parameters)
                # each op is printed to 0.001 MFLOP
                self.assertAlmostEqual(sum(flops), 2e-6 * macs, delta=0.0005 * len(flops) + 1e-9)

    def test_parameters_follow_channels_and_classes(self):
        text = distill_cli.distill("explain", student="resnet8", channels=1, classes=10)
        self.assertIn(f"parameters {83_892 - 2 * 16 * 9 - 90 * 65},", text)


if __name__ == "__main__":
    unittest.main()
