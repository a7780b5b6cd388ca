#!/usr/bin/env python3
"""`distill loss` from outside: the methods by their definition, and how it fails."""

import json
import math
import random
import struct
import unittest

from cli_case import Case, load_tensors, save_tensors


def softmax(row):
    top = max(row)
    powers = [math.exp(value - top) for value in row]
    return [power / sum(powers) for power in powers]


def expected_row(z, t, label, method, temperature, beta, ce_weight):
    """Loss and its gradient by the definition, in probabilities."""
    p = softmax(z)
    loss = -ce_weight * math.log(p[label])
    grad = [ce_weight * (p[k] - (k == label)) for k in range(len(z))]
    if method == "ce":
        return loss, grad
    tau, scale = (temperature, temperature ** 2) if method == "kd" else (1, 1)
    target = softmax([value / temperature for value in t])
    q = softmax([value / tau for value in z])
    weight = sum(x ** (1 / temperature) for x in softmax(t)) if method == "wttm" else 1
    loss += beta * weight * scale * sum(a * math.log(a / b) for a, b in zip(target, q))
    return loss, [g + beta * weight * scale / tau * (b - a) for g, a, b in zip(grad, target, q)]


class Loss(Case):
    ROWS, COLUMNS = 6, 7

    def write_input(self, **changes):
        source = random.Random(3)
        def logits():
            return [struct.unpack("f", struct.pack("f", source.gauss(0, 3)))[0]
                    for _ in range(self.ROWS * self.COLUMNS)]
        shape = [self.ROWS, self.COLUMNS]
        tensors = {"student": ("F32", shape, logits()), "teacher": ("F32", shape, logits()),
                   "labels": ("I64", [self.ROWS], [6, 0, 3, 3, 5, 1])}
        tensors.update(changes)
        path = self.folder / "in.safetensors"
        save_tensors(path, {name: value for name, value in tensors.items() if value})
        return path, tensors

    def run_loss(self, path, *arguments):
        out = self.folder / "out.safetensors"
        printed = json.loads(self.succeed("loss", f"in={path}", f"out={out}", "device=ref",
                                          *arguments))
        return printed, load_tensors(out)

    def check_method(self, method, temperature, beta, ce_weight, arguments):
        path, tensors = self.write_input()
        printed, out = self.run_loss(path, f"method={method}", *arguments)
        self.assertEqual(out["loss"][0], [self.ROWS])
        self.assertEqual(out["grad"][0], [self.ROWS, self.COLUMNS])
        total = 0
        for i in range(self.ROWS):
            row = slice(i * self.COLUMNS, (i + 1) * self.COLUMNS)
            loss, grad = expected_row(tensors["student"][2][row], tensors["teacher"][2][row],
                                      tensors["labels"][2][i], method, temperature, beta, ce_weight)
            total += loss
            self.assertAlmostEqual(out["loss"][1][i], loss, delta=1e-5 * (1 + abs(loss)))
            for actual, value in zip(out["grad"][1][row], grad):
                self.assertAlmostEqual(actual, value / self.ROWS, delta=1e-6)
        self.assertAlmostEqual(printed["loss"], total / self.ROWS, delta=1e-5 * total)

    def test_ce(self):
        self.check_method("ce", None, 0, 1, [])

    def test_kd_has_defaults(self):
        self.check_method("kd", 4, 0.9, 0.1, [])

    def test_ttm(self):
        self.check_method("ttm", 5, 45, 1, ["temperature=5", "beta=45"])

    def test_wttm(self):
        self.check_method("wttm", 10, 3, 0.5, ["gamma=0.1", "beta=3", "ce_weight=0.5"])

    def test_ce_needs_no_teacher(self):
        path, _ = self.write_input(teacher=None)
        printed, _ = self.run_loss(path, "method=ce")
        self.assertEqual((printed["rows"], printed["classes"], printed["distill"]), (6, 7, 0))

    def check_refused(self, part, *arguments, code=1, **changes):
        path, _ = self.write_input(**changes)
        out = self.folder / "out.safetensors"
        self.refuse(code, part, "loss", f"in={path}", f"out={out}", *(arguments or ["method=kd"]))
        self.assertFalse(out.exists())

    def test_bad_input(self):
        count = self.ROWS * self.COLUMNS
        nan = ("F32", [self.ROWS, self.COLUMNS], [0.0] * 15 + [math.nan] + [0.0] * (count - 16))
        self.check_refused('"teacher"', teacher=None)
        self.check_refused("student: row 2 holds nan", student=nan)
        self.check_refused("[6,2]", teacher=("F32", [6, 2], [0.0] * 12))
        self.check_refused("dimensions", student=("F32", [count], [0.0] * count))
        self.check_refused("labels: row 4 is 7, not in 0..6",
                           labels=("I64", [6], [0, 1, 2, 3, 7, 5]))
        self.check_refused("labels: row 0 is -1", labels=("I64", [6], [-1, 1, 2, 3, 4, 5]))
        self.check_refused("labels has 5 rows", labels=("I64", [5], [0] * 5))
        self.check_refused("labels is F32", labels=("F32", [6], [0.0] * 6))

    def test_fields_follow_the_rules_of_training(self):
        self.check_refused("beta", "method=wttm", "temperature=4", code=2)
        self.check_refused("temperature", "method=ttm", "beta=1", code=2)
        self.check_refused("temperature", "method=ce", "temperature=4", code=2)
        self.check_refused("only one", "method=ttm", "temperature=4", "gamma=0.25", code=2)


if __name__ == "__main__":
    unittest.main()
