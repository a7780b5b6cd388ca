"""A case in PyTorch: what the engine's run is compared with."""

import torch

import inputs
from pytorch import training, zoo


def networks(case, weights):
    student, teacher = (
        zoo.load(zoo.create(name, inputs.CHANNELS, inputs.CLASSES, inputs.SIDE, inputs.SIDE), tensors)
        for name, tensors in zip(case.architectures, weights)
    )
    spec = case.full_spec()
    if spec.get("drop_path"):
        student.drop_path = (spec["drop_path"], spec["seed"])
    return student, None if spec["method"] == "ce" else teacher


def run(case, weights, data, dtype=torch.float64):
    """Losses, rates, evaluations, and the student's tensors at the end; weights: of the student
    and of the teacher, by name."""
    student, teacher = networks(case, weights)
    result = training.train(case.full_spec(), student, teacher, data, dtype)
    result["tensors"] = {key: value.numpy() for key, value in student.state_dict().items()}
    return result
