"""The losses by their definitions: a row each, summed over classes. Rows, not means."""

import torch
from torch.nn import functional


def cross_entropy(z, labels, smoothing=0.0):
    return functional.cross_entropy(z, labels, reduction="none", label_smoothing=smoothing)


def divergence(p, log_q):
    return functional.kl_div(log_q, p, reduction="none").sum(1)


def kd(z, t, temperature):
    softened = functional.log_softmax(z / temperature, 1)
    return temperature**2 * divergence(functional.softmax(t / temperature, 1), softened)


def ttm(z, t, temperature):
    """The teacher's probabilities raised to a power and normalised again; the student's as is."""
    power = functional.softmax(t, 1) ** (1 / temperature)
    return divergence(power / power.sum(1, keepdim=True), functional.log_softmax(z, 1))


def wttm(z, t, temperature):
    weight = (functional.softmax(t, 1) ** (1 / temperature)).sum(1)
    return weight * ttm(z, t, temperature)


DISTILLATION = {"kd": kd, "ttm": ttm, "wttm": wttm}


def total(spec, z, t, labels):
    """Rows of ce_weight CE + beta D."""
    rows = spec["ce_weight"] * cross_entropy(z, labels, spec.get("label_smoothing", 0.0))
    if spec["method"] != "ce":
        with torch.no_grad():
            t = t.detach()
        rows = rows + spec["beta"] * DISTILLATION[spec["method"]](z, t, spec["temperature"])
    return rows
