"""Compares a run of `distill train` with one of PyTorch.

Reference values are computed in float64. The engine computes in f32, where a step's rounding is
about 1e-7 of a value; Winograd convolutions round about ten times as coarsely. Training carries it
on, harmlessly, until a ReLU whose input is nearly zero falls on the other side of it. Its step's
loss does not show that, but it moves the gradients of all layers before it: by 5e-3 where it is one
of the 9216 of resnet8's last group at 12x12, and losses some steps later as much.

In the stored runs no such input lies within reach of ref, whose sums are in double, so they are held
tight there: about ten times what they show. With f32 sums, which have another order on each kind of
processor, one may come in the last steps: a loss has been seen 1.6e-5 off at the tenth. Of fresh runs
one of a few must agree, on ref as tightly; the others may meet several such inputs, and what ten steps
make of them has no bound.
"""

import collections

import numpy

import inputs

# Relative: of the first loss, of the others, and of each tensor's change. top: in hits among the
# test set.
Tolerance = collections.namedtuple("Tolerance", "first loss tensor top")
TIGHT = Tolerance(2e-6, 5e-6, 5e-4, 0)
CLOSE = Tolerance(2e-6, 2e-3, 2e-2, 1)
ROUGH = Tolerance(5e-6, 3e-2, 2e-1, 3)
BOUNDS = {"ref": TIGHT, "cpu_direct": CLOSE, "cpu": ROUGH, "cuda": ROUGH}


def losses(test, got, expected, tolerance):
    test.assertEqual(len(got["points"]), len(expected["losses"]))
    for point, loss, rate in zip(got["points"], expected["losses"], expected["rates"]):
        message, within = f"step {point['step']}", tolerance.loss
        if point["step"] == 1:
            within = tolerance.first
        numpy.testing.assert_allclose(point["loss"], loss, within, err_msg=message)
        numpy.testing.assert_allclose(point["learning_rate"], rate, 1e-6, 1e-9, err_msg=message)


def evaluations(test, got, expected, tolerance):
    test.assertEqual(len(got["evaluations"]), len(expected["evaluations"]))
    for point, numbers in zip(got["evaluations"], expected["evaluations"]):
        message = f"epoch {point['epoch']}"
        numpy.testing.assert_allclose(
            point["loss"], numbers["loss"], tolerance.loss, err_msg=message
        )
        for name in ("top1", "top5"):
            hits = [round(row[name] * inputs.TEST_COUNT, 6) for row in (point, numbers)]
            test.assertLessEqual(abs(hits[0] - hits[1]), tolerance.top, message)


def changes(got, start, expected, tolerance):
    """expected: the norm of each tensor's change by name."""
    for name, norm in expected.items():
        change = got["tensors"][name] - start.get(name, numpy.zeros((), "int64"))
        length = numpy.linalg.norm(change.astype("float64"))
        numpy.testing.assert_allclose(length, norm, tolerance.tensor, err_msg=name)


def tensors(test, got, start, expected, tolerance):
    """expected: the final tensors by name; a difference is taken relative to the change."""
    test.assertEqual(sorted(got["tensors"]), sorted(expected))
    for name, tensor in expected.items():
        distance = numpy.linalg.norm((got["tensors"][name] - tensor).astype("float64"))
        change = numpy.linalg.norm((tensor - start.get(name, 0)).astype("float64"))
        test.assertLessEqual(distance, tolerance.tensor * change, name)
