#!/usr/bin/python3
"""Weights in and out, for every architecture with fresh random weights: a state dict of PyTorch's
network becomes a model that PyTorch's network takes back bit by bit, and ONNX files that ONNX Runtime
runs with PyTorch's logits: of normalised pictures, and of pixels that the file normalises."""

import dataclasses
import json
import pathlib
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "support"), str(HERE.parent / "training")]

from pytorch import live  # noqa: E402

live.require_torch()

import onnx_runtime  # noqa: E402

onnx_runtime.require()

import numpy  # noqa: E402
import torch  # noqa: E402

import distill_cli  # noqa: E402
import inputs  # noqa: E402
from pytorch import safetensors_io, zoo  # noqa: E402

SEED = live.seed()
TOLERANCE = 1e-4  # of the largest logit
CLASSES = 10
MEAN, DEVIATION = [0.45, 0.5, 0.55], [0.3, 0.25, 0.2]
OPTIONS = {"dataset": "cifar10", "mean": MEAN, "deviation": DEVIATION}
INPUT_NOTES = {False: "(pixels in 0..1 - mean) / deviation", True: "pixels in 0..1"}
BATCHES = (1, 3)
# How many tensors a state dict has: of RepDistiller's networks, of torchvision 0.28 and timm 1.0.
ENTRIES = {
    "resnet8": 56, "resnet14": 92, "resnet20": 128, "resnet32": 200, "resnet44": 272,
    "resnet56": 344, "resnet110": 668, "resnet8x4": 62, "resnet32x4": 206, "wrn_16_1": 82,
    "wrn_16_2": 83, "wrn_40_1": 226, "wrn_40_2": 227, "vgg8": 37, "vgg13": 72,
    "mobilenetv2_cifar": 320, "shufflenetv1": 296, "shufflenetv2": 338, "resnet50_cifar": 320,
    "resnet18": 122, "resnet34": 218, "resnet50": 320, "resnet101": 626, "resnet152": 932,
    "mobilenetv2": 314, "deit_tiny": 152, "deit3_small": 176,
}


def network_of(name, shape):
    """PyTorch's for pictures of [c,h,w], with random weights and counters of batches."""
    network = zoo.create(name, shape[0], CLASSES, *shape[1:])
    zoo.load(network, inputs.weights(zoo.shapes_of(network), SEED))
    for key, buffer in network.named_buffers():
        if key.endswith("num_batches_tracked"):
            buffer.fill_(7)
    return network.eval()


def save(path, network):
    """As the client does it: every tensor of the state dict, under its name."""
    safetensors_io.save(path, {key: value.numpy() for key, value in network.state_dict().items()})


def pictures(shape):
    """Of 0..1, NCHW; as many as the largest batch."""
    return numpy.random.RandomState(SEED).uniform(0, 1, (max(BATCHES), *shape)).astype("f4")


def batches(rows):
    """The first so many, by their number."""
    return {str(count): rows[:count] for count in BATCHES}


def normalised(x, mean, deviation):
    return ((x - numpy.array(mean, "f4")[:, None, None]) /
            numpy.array(deviation, "f4")[:, None, None]).astype("f4")


def logits_of(network, x):
    with torch.no_grad():
        return network(torch.from_numpy(x)).numpy()


class Case:
    """A network and what the program makes of it, in a folder of its own."""

    def __init__(self, folder, name, shape, **options):
        folder.mkdir()
        self.folder, self.model, self.shape = folder, folder / "model", shape
        self.network = network_of(name, shape)
        save(folder / "state.safetensors", self.network)
        arguments = {"in": folder / "state.safetensors", "out": self.model, "height": shape[1],
                     "width": shape[2]}
        distill_cli.distill("import", architecture=name, **arguments, **options)
        self.card = json.loads((self.model / "model.json").read_text())

    def written(self):
        """The model's tensors by name."""
        arrays = safetensors_io.load(self.model / "model.safetensors")
        return {key: torch.from_numpy(value.copy()) for key, value in arrays.items()}

    def export(self, normalize):
        """Writes the file and what it is run on, in a folder of their own."""
        out = File(self, normalize, self.folder / ("normalised" if normalize else "plain"))
        out.folder.mkdir()
        distill_cli.distill("export", model=self.model, out=out.folder / "model.onnx",
                            normalize=normalize)
        raw = pictures(self.shape)
        fed = normalised(raw, self.card["input"]["mean"], self.card["input"]["deviation"])
        safetensors_io.save(out.folder / "x.safetensors", batches(raw if normalize else fed))
        out.expected = batches(logits_of(self.network, fed))
        return out


@dataclasses.dataclass
class File:
    """An ONNX file of a case, and the logits that are expected of it."""

    case: Case
    normalize: bool
    folder: pathlib.Path
    expected: dict = None


class WeightsInAndOut(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="distill-onnx-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def check_state_dict(self, case):
        """The original loads the model's weights strictly, and they are the same bits."""
        written = case.written()
        before = {key: value.clone() for key, value in case.network.state_dict().items()}
        case.network.load_state_dict(written, strict=True)
        for key, value in case.network.state_dict().items():
            self.assertTrue(torch.equal(value, before[key]), key)

    def check_file(self, file, notes, got):
        """Logits for all sizes of batches; the notes that a program needs to feed the file."""
        self.assertEqual(sorted(got), sorted(file.expected))
        for count, logits in file.expected.items():
            self.assertEqual(got[count].shape, logits.shape)
            self.assertLess(abs(got[count] - logits).max(), TOLERANCE * abs(logits).max())
        card, (channels, height, width) = file.case.card, file.case.shape
        self.assertEqual(notes["input"], INPUT_NOTES[file.normalize])
        self.assertEqual((notes["architecture"], notes["dataset"]),
                         (card["architecture"], card["dataset"]))
        self.assertEqual([notes[name] for name in ("channels", "height", "width", "classes")],
                         [str(number) for number in (channels, height, width, CLASSES)])
        self.assertEqual(json.loads(notes["class_names"]), card["classes"])
        for name in ("mean", "deviation"):
            self.assertEqual(json.loads(notes[name]), card["input"][name])

    def check_files(self, case):
        for normalize in (False, True):
            with self.subTest(normalize=normalize, seed=SEED):
                file = case.export(normalize)
                self.check_file(file, *onnx_runtime.run(file.folder))

    def check_architecture(self, name):
        side = 32 if zoo.published(name)[0] == 32 else 64
        case = Case(self.folder / name, name, (3, side, side), **OPTIONS)
        self.check_state_dict(case)
        self.assertEqual(len(case.network.state_dict()), ENTRIES.get(name, len(case.written())))
        self.check_files(case)

    def test_labels_and_statistics_of_a_known_set(self):
        case = Case(self.folder / "x", "resnet8", (3, 20, 28), dataset="cifar10")
        self.check_files(case)
        self.assertEqual(case.card["classes"][:2], ["airplane", "automobile"])
        self.assertEqual(case.card["input"]["mean"], [0.4914, 0.4822, 0.4465])
        self.assertEqual(case.card["input"]["deviation"], [0.247, 0.2435, 0.2616])

    def test_one_channel(self):
        case = Case(self.folder / "x", "resnet20", (1, 28, 28), mean=[0.25], deviation=[0.5])
        self.check_state_dict(case)
        self.check_files(case)

    def test_file_depends_on_the_model_alone(self):
        case = Case(self.folder / "x", "shufflenetv2", (3, 32, 32), **OPTIONS)
        files = []
        for i in range(2):
            path = self.folder / f"{i}.onnx"
            distill_cli.distill("export", model=case.model, out=path)
            files.append(path.read_bytes())
        self.assertEqual(*files)

    def test_bad_arguments(self):
        out = self.folder / "x.onnx"
        for arguments in ({"model": "/nonexistent", "out": out},
                          {"model": self.folder, "out": out}):
            with self.assertRaisesRegex(distill_cli.DistillError, "distill export: .*"):
                distill_cli.distill("export", **arguments)
        self.assertFalse(out.exists())


zoo.add_tests(WeightsInAndOut, WeightsInAndOut.check_architecture)

if __name__ == "__main__":
    unittest.main()
