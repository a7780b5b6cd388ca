#!/usr/bin/python3
"""Ten training steps of each architecture against PyTorch, from fresh random weights, set equal
before each step: loss, running statistics, every gradient. courses.py says what the two courses of
five steps are.

Tolerances are relative, some ten times what is seen:

- A convolution's f32 sums are off by about 1e-7 of what they sum, those by Winograd's 4x4 tiles by
  several times that: in the free course vgg19's losses by 2e-6, and by 3e-7 with direct convolutions.
  Through the layers it adds up, and a batch norm magnifies it where its inputs differ little from
  their mean, as in the calm course: most in VGG, whose layers no shortcut passes (losses 1e-5, one of
  twenty 3e-5; statistics 1e-4, with direct convolutions as with Winograd's). The same where few
  numbers make up a statistic: in the last groups of ResNets at batch 2.
- Gradients go the same way twice: in the calm course they are off by 1e-6 to 3e-4 in networks of up
  to 20 norms, by 1e-3 in deeper ones and 6e-3 in VGG. One of millions of inputs may be near zero
  nonetheless, so it is the median of the steps that counts.
- In the free course the inputs of some ReLUs lie so near zero that their sign is a matter of
  rounding: one of the 9216 of resnet8's last group moves the gradients before it by 5e-3, one in a
  channel that hardly varies by 2e-1 (mobilenetv1), for a norm divides its gradient by the deviation.
  Deep networks meet several in each step, and half of the steps are off by up to 8e-2 (resnet152).
  Shallow networks must be free of them in one step; of all others the median step shows that they
  are right in the large."""

import collections
import pathlib
import statistics
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "support")]

from pytorch import live  # noqa: E402

live.require_torch()

import torch  # noqa: E402

import courses  # noqa: E402
import distill_cli  # noqa: E402
from pytorch import vgg, zoo  # noqa: E402

SEED = live.seed()
Tolerance = collections.namedtuple("Tolerance", "loss statistic gradient")
SHALLOW = Tolerance(1e-5, 1e-4, 1e-3)
DEEP_CALM = Tolerance(1e-4, 1e-3, 2e-2)
DEEP_FREE = Tolerance(5e-4, 2e-2, None)
FLIPPED = 3e-1  # a gradient where inputs of ReLUs are near zero, in the median step
SHALLOW_NORMS = 20

# On ref too; the others are slow there, and nothing in them is theirs alone.
ON_REF = ("resnet8", "wrn_16_1", "vgg8", "mobilenetv2_cifar", "shufflenetv1", "shufflenetv2",
          "resnet18", "mobilenetv1", "mobilenetv2")
# PyTorch computes these in float64; it would take minutes for all.
EXACT = ("resnet8", "wrn_16_1", "vgg8")


def course_of(name, calm):
    """Large networks see few pictures."""
    side, batch = (64, 2) if zoo.published(name)[0] > 32 else (12, 8)
    return courses.Course(name, side, batch, calm, SEED)


def network_of(name):
    side = course_of(name, False).side
    network = zoo.create(name, 3, courses.CLASSES, side, side)
    return network.to(torch.float64 if name in EXACT else torch.float32)


def devices_for(name):
    return [device for device in distill_cli.devices()
            if device != distill_cli.REF or name in ON_REF]


def is_shallow(name, network):
    norms = sum(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    return norms <= SHALLOW_NORMS and name not in vgg.FAMILY


class TenSteps(unittest.TestCase):
    def check_sums(self, errors, tolerance):
        for step in errors:
            self.assertLess(step.loss, tolerance.loss)
            self.assertLess(step.statistic.error, tolerance.statistic, step.statistic.name)

    def check(self, course, network, device):
        errors, same = courses.run(course, network, device)
        self.assertEqual(len(errors), courses.STEPS)
        self.assertTrue(same, "weights at the end differ")
        gradients = [step.gradient.error for step in errors]
        shallow = is_shallow(course.name, network)
        tolerance = SHALLOW if shallow else DEEP_CALM if course.calm else DEEP_FREE
        self.check_sums(errors, tolerance)
        if course.calm:
            self.assertLess(statistics.median(gradients), tolerance.gradient, errors)
            return
        self.assertLess(statistics.median(gradients), FLIPPED, errors)
        if shallow:
            self.assertLess(min(gradients), tolerance.gradient, errors)

    def check_architecture(self, name):
        network = network_of(name)
        for calm in (True, False):
            for device in devices_for(name):
                with self.subTest(name, calm=calm, device=device.name, seed=SEED):
                    self.check(course_of(name, calm), network, device)


zoo.add_tests(TenSteps, TenSteps.check_architecture)

if __name__ == "__main__":
    unittest.main()
