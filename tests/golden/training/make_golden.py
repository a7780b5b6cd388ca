#!/usr/bin/python3
"""Makes steps.json: the course of the cases in PyTorch, from weights that inputs.py makes again.

    tests/golden/training/make_golden.py

Computed in float64, so that the stored values are those of exact arithmetic as far as f32 can
tell. A case's seed is the first with which PyTorch's own f32 run stays within 1e-6 of them: then no
input of a ReLU lies so near zero that its sign is a matter of rounding, and tolerances can be
tight."""

import json
import pathlib
import platform
import sys

import numpy
import torch

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "support")]

import cases  # noqa: E402
import inputs  # noqa: E402
import reference  # noqa: E402
from pytorch import zoo  # noqa: E402


def shapes_of(case):
    return [zoo.shapes(name, inputs.CHANNELS, inputs.CLASSES) for name in case.architectures]


def compared(case, weights, seed):
    """The run in float64, and the worst relative error of the losses of the run in f32."""
    exact, single = (
        reference.run(case, weights, case.data(seed), dtype)
        for dtype in (torch.float64, torch.float32)
    )
    errors = [abs(a / b - 1) for a, b in zip(single["losses"], exact["losses"])]
    return exact, max(errors)


def stored_case(case):
    error, seed = 1, 0
    while error > 1e-6:
        seed += 1
        weights = inputs.all_weights(shapes_of(case), seed)
        exact, error = compared(case, weights, seed)
    tensors = exact.pop("tensors")
    changes = {
        name: float(numpy.linalg.norm(tensor - weights[0].get(name, 0)))
        for name, tensor in tensors.items()
    }
    return {
        "spec": case.full_spec(),
        "seed": seed,
        "torch_f32_error": error,
        **exact,
        "changes": changes,
        "fc.bias": tensors["fc.bias"].tolist(),
    }


def main():
    torch.set_num_threads(2)
    stored = {
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": numpy.__version__,
        },
        "shapes": {},
        "cases": {},
    }
    for name, case in cases.CASES.items():
        stored["shapes"].update(zip(case.architectures, shapes_of(case)))
        stored["cases"][name] = stored_case(case)
        print(name, stored["cases"][name]["seed"], stored["cases"][name]["torch_f32_error"])
    # a line each keeps the file short and its differences readable
    text = json.dumps(stored, indent=1).replace("\n   ", " ").replace("\n  ]", " ]")
    (HERE / "steps.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
