#!/usr/bin/env python3
"""Golden values of the losses, in float64 with Python's own arithmetic.

    python3 tests/golden/losses/losses.py > tests/golden/losses/losses.txt

Written from the definitions (softmax, power, KL), not from the formula the engine uses: the weight
of wttm is the sum of powers of a softmax, kd is T^2 KL of two softened softmaxes. Where PyTorch is
installed, `losses.py check` compares with its log_softmax and kl_div.
"""
import math
import sys

TEACHER = [[2, 1, 0, -1], [0.5, 0.5, 0.5, 3]]
STUDENT = [[1, 0, -1, 2], [0, 1, 2, 3]]
LABELS = [0, 3]


def softmax(x):
    e = [math.exp(v) for v in x]
    return [v / sum(e) for v in e]


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q))


def transformed(t, g):
    powers = [p**g for p in softmax(t)]
    return [p / sum(powers) for p in powers], sum(powers)


def distill(method, temperature, z, t):
    p, weight = transformed(t, 1 / temperature)
    if method == "kd":
        return temperature**2 * kl(p, softmax([v / temperature for v in z]))
    return (weight if method == "wttm" else 1) * kl(p, softmax(z))


def means(method, temperature):
    ce = [-math.log(softmax(z)[y]) for z, y in zip(STUDENT, LABELS)]
    rows = [distill(method, temperature, z, t) for z, t in zip(STUDENT, TEACHER)]
    return sum(ce) / len(ce), sum(rows) / len(rows)


CASES = [(m, t) for m in ("kd", "ttm", "wttm") for t in (1, 2, 5, 10)] + [("kd", 4)]


def check():
    import torch
    import torch.nn.functional as f

    z, t = torch.tensor(STUDENT, dtype=torch.float64), torch.tensor(TEACHER, dtype=torch.float64)
    for method, temperature in CASES:
        tau = temperature if method == "kd" else 1
        rows = f.kl_div(f.log_softmax(z / tau, 1), f.softmax(t / temperature, 1),
                        reduction="none").sum(1)
        if method == "kd":
            rows = rows * temperature**2
        if method == "wttm":
            rows = rows * f.softmax(t, 1).pow(1 / temperature).sum(1)
        assert abs(rows.mean().item() - means(method, temperature)[1]) < 1e-12, (method, temperature)


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        check()
    else:
        print("# made by losses.py: loss <method> <temperature> <ce> <distill>, means over the batch")
        for method, temperature in CASES:
            print("loss %s %g %.15f %.15f" % (method, temperature, *means(method, temperature)))
