#!/usr/bin/env python3
"""Golden values of the losses, in float64 with Python's own arithmetic.

    python3 tests/golden/losses/losses.py > tests/golden/losses/losses.txt

Written from the definitions (softmax, power, KL), not from the formula the engine uses: the weight
of wttm is the sum of powers of a softmax, kd is T^2 KL of two softened softmaxes.

`losses.py check` compares the file beside it with these values and, where PyTorch is installed,
with those of its log_softmax and kl_div.
"""
import math
import pathlib
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


def lines():
    yield "# made by losses.py: loss <method> <temperature> <ce> <distill>, means over the batch"
    for method, temperature in CASES:
        yield "loss %s %g %.15f %.15f" % (method, temperature, *means(method, temperature))


def check_file():
    file = pathlib.Path(__file__).with_name("losses.txt").read_text().splitlines()
    for ours, theirs in zip(lines(), file, strict=True):
        for a, b in zip(ours.split(), theirs.split(), strict=True):
            assert a == b or abs(float(a) - float(b)) < 1e-14, (ours, theirs)


def torch_distill(torch, method, temperature):
    kl_div, log_softmax = torch.nn.functional.kl_div, torch.nn.functional.log_softmax
    z, t = torch.tensor(STUDENT, dtype=torch.float64), torch.tensor(TEACHER, dtype=torch.float64)
    tau = temperature if method == "kd" else 1
    rows = kl_div(log_softmax(z / tau, 1), (t / temperature).softmax(1), reduction="none").sum(1)
    factor = t.softmax(1).pow(1 / temperature).sum(1) if method == "wttm" else tau**2
    return (rows * factor).mean().item()


def check_torch():
    try:
        import torch
    except ImportError:
        return print("PyTorch is not installed: compared with the file only")
    for method, temperature in CASES:
        difference = torch_distill(torch, method, temperature) - means(method, temperature)[1]
        assert abs(difference) < 1e-12, (method, temperature, difference)


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        check_file()
        check_torch()
    else:
        print("\n".join(lines()))
