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
    "wrn_16_1": (180_916, 26_663_168),
    "wrn_16_2": (703_284, 101_118_464),
    "wrn_40_1": (569_780, 83_286_272),
    "wrn_40_2": (2_255_156, 327_610_880),
    "vgg8": (3_965_028, 96_192_512),
    "vgg11": (9_277_284, 209_438_720),
    "vgg13": (9_462_180, 284_936_192),
    "vgg16": (14_774_436, 398_182_400),
    "vgg19": (20_086_692, 511_428_608),
    "mobilenetv2_cifar": (812_836, 6_523_648),
    "shufflenetv1": (949_258, 38_691_456),
    "shufflenetv2": (1_355_528, 44_504_448),
    "resnet50_cifar": (23_705_252, 1_298_014_208),
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
