"""Ten training steps of an architecture, in `distill gradients` and in PyTorch.

A course is five steps of plain gradient descent from fresh random weights. The engine takes them by
itself. PyTorch repeats its updates: the learning rate is a power of two, so that rate times gradient
is exact, and both round the difference alike. Before each step the weights are the same bits, which
the end of the course proves.

Of the two courses one is calm: biases of the norms are 3 or -3 standard deviations, the same sign for
a channel in all of them. Then the inputs of ReLUs lie far from zero (and from 6), rounding moves
none of them to the other side, and gradients can be held as tightly as everything else."""

import collections
import dataclasses
import pathlib
import tempfile

import numpy
import torch
from torch.nn import functional

import distill_cli
from pytorch import safetensors_io

STEPS = 5
RATE = 2.0**-6
CLASSES = 10
MEMORY = pathlib.Path("/dev/shm")  # files of some networks are large


def temporary_folder():
    return tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)


@dataclasses.dataclass
class Course:
    """Pictures of side x side in batches; weights and inputs drawn from the seed."""

    name: str
    side: int
    batch: int
    calm: bool
    seed: int

    def draw(self, network):
        """Weights for the network by name, inputs and labels of all steps. A batch's labels differ:
        in a calm network, two pictures alike in label have gradients that cancel in the norms."""
        generator = torch.Generator().manual_seed(self.seed)
        state = network.state_dict()
        weights = {key: drawn(key, value, state, self.calm, generator)
                   for key, value in state.items() if value.is_floating_point()}
        count = STEPS * self.batch
        x = torch.randn((count, self.side, self.side, 3), generator=generator)
        labels = [torch.randperm(CLASSES, generator=generator)[: self.batch] for _ in range(STEPS)]
        return weights, x, torch.cat(labels)


def drawn(key, like, state, calm, generator):
    """Nothing is zero or one, so that a swapped or forgotten tensor shows."""
    shape, stem = like.shape, key.rpartition(".")[0]
    normed = f"{stem}.running_mean" in state
    if len(shape) == 1 and key.endswith((".weight", ".running_var")):
        return torch.empty(shape).uniform_(0.5, 1.0 if calm else 1.5, generator=generator)
    normal = torch.randn(shape, generator=generator)
    if calm and normed and key.endswith(".bias"):
        return 3.0 - 6.0 * (torch.arange(shape[0]) % 2) + 0.1 * normal
    if len(shape) == 4:
        return normal * (2 / (shape[0] * shape[2] * shape[3])) ** 0.5
    if len(shape) == 3:  # tokens
        return normal * 0.5
    if key.endswith(".qkv.weight"):  # larger ones leave attention no choice
        return normal / shape[1] ** 0.5
    if len(shape) == 2:  # a classifier that is certain has gradients of rounding errors
        return normal * (0.1 if shape[0] == CLASSES else 2.0) / shape[1] ** 0.5
    return normal * 0.1


def in_engine(course, weights, x, labels, device):
    """Runs it; yields loss and tensors (gradients and running statistics) of each step, and in the
    end the weights."""
    with temporary_folder() as place:
        folder = pathlib.Path(place)
        arrays = {key: value.numpy() for key, value in weights.items()}
        safetensors_io.save(folder / "model.safetensors", arrays)
        safetensors_io.save(folder / "in.safetensors", {"x": x.numpy(), "labels": labels.numpy()})
        lines = device.lines(
            "gradients", model=folder / "model.safetensors", architecture=course.name,
            out=folder / "out", batch_size=course.batch, learning_rate=RATE, threads=2,
            **{"in": folder / "in.safetensors"})
        for line in lines:
            path = folder / "out" / f"{line['step']}.safetensors"
            yield line["loss"], tensors_of(path)
            path.unlink()
        yield None, tensors_of(folder / "out" / "weights.safetensors")


def tensors_of(path):
    arrays = safetensors_io.load(path)
    return {key: torch.from_numpy(array.copy()) for key, array in arrays.items()}


def step_in_pytorch(network, tensors, x, labels):
    """Loss, gradients and running statistics by name, from these weights and statistics."""
    state = network.state_dict(keep_vars=True)
    with torch.no_grad():
        for key, value in tensors.items():
            state[key].copy_(value)
    network.train().zero_grad(set_to_none=True)
    loss = functional.cross_entropy(network(x), labels)
    loss.backward()
    found = {key: state[key] if state[key].grad is None else state[key].grad for key in tensors}
    return loss.item(), found


def scale_of(key, expected, start):
    """What an error is compared with: a statistic's change, or the length of a gradient. Where a
    norm follows, that of a bias is zero but for rounding: there it is the length of a gradient of
    the layer's weights, by as many as belong to one output."""
    if ".running_" in key:
        return (expected[key] - start[key]).norm()
    weight = expected.get(key.removesuffix(".bias") + ".weight")
    other = 0 if weight is None else weight.norm() / weight[0].numel() ** 0.5
    return expected[key].norm() + other


Errors = collections.namedtuple("Errors", "loss statistic gradient")
Worst = collections.namedtuple("Worst", "error name")


@torch.no_grad()
def errors_of(loss, got, expected_loss, expected, start):
    """Relative: of the loss, of the worst statistic and the worst gradient."""
    worst = {True: Worst(0.0, ""), False: Worst(0.0, "")}
    for key, value in expected.items():
        off = ((value - got[key]).norm() / scale_of(key, expected, start)).item()
        statistic = ".running_" in key
        worst[statistic] = max(worst[statistic], Worst(off, key))
    return Errors(abs(loss / expected_loss - 1), worst[True], worst[False])


def run(course, network, device):
    """The errors of each step, and whether the weights are the same at the end."""
    weights, x, labels = course.draw(network)
    dtype = next(network.parameters()).dtype
    batches = zip(x.permute(0, 3, 1, 2).to(dtype).split(course.batch), labels.split(course.batch))
    now, errors = dict(weights), []
    for loss, got in in_engine(course, weights, x, labels, device):
        if loss is None:
            return errors, all(torch.equal(now[key], got[key]) for key in now)
        expected = step_in_pytorch(network, now, *next(batches))
        errors.append(errors_of(loss, got, *expected, now))
        for key in now:
            now[key] = got[key] if ".running_" in key else now[key] - RATE * got[key]
    raise AssertionError("the engine wrote no weights")
