#!/usr/bin/python3
"""Parameters and multiply-adds that `distill explain` prints, against the published ones."""

import pathlib
import re
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "support")]

import distill_cli  # noqa: E402

# Parameters, and multiply-adds of the convolutions and the classifier for a picture: of 32x32 with
# 100 classes for RepDistiller's networks, of 224x224 with 1000 for those of ImageNet.
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
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet34": (21_797_672, 3_663_761_408),
    "resnet50": (25_557_032, 4_089_184_256),
    "resnet101": (44_549_160, 7_801_405_440),
    "resnet152": (60_192_808, 11_513_626_624),
    "mobilenetv1": (4_231_976, 568_740_352),
    "mobilenetv2": (3_504_872, 300_774_272),
    "deit_tiny": (5_717_416, 1_253_683_200 - 79_855_104),  # the last block's patches are left out
    "deit3_small": (22_059_496, 4_598_882_304 - 289_766_400),
}


def explained(architecture, **arguments):
    """Parameters and multiply-adds."""
    text = distill_cli.distill("explain", student=architecture, batch_size=1, **arguments)
    counts = re.search(r"parameters (\d+), multiply-adds of a picture (\d+)", text).groups()
    return tuple(map(int, counts))


class Counts(unittest.TestCase):
    def test_every_architecture(self):
        for architecture, counts in PUBLISHED.items():
            with self.subTest(architecture):
                self.assertEqual(explained(architecture), counts)

    def test_small_and_narrow_pictures(self):
        """Of all shapes that a network takes, the extremes."""
        for architecture in PUBLISHED:
            multiple = 16 if architecture.startswith("deit") else 8
            for height, width in ((multiple, multiple), (64, multiple), (multiple, 64)):
                with self.subTest(architecture, height=height, width=width):
                    explained(architecture, height=height, width=width)

    def test_counts_follow_channels_and_classes(self):
        parameters, macs = PUBLISHED["resnet8"]
        less, planes = 2 * 16 * 9, 32 * 32
        self.assertEqual(
            explained("resnet8", channels=1, classes=10),
            (parameters - less - 90 * 65, macs - less * planes - 90 * 64),
        )


if __name__ == "__main__":
    unittest.main()
