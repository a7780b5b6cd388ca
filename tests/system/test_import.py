#!/usr/bin/env python3
"""`distill import`: weights in, exactly; and every way in which they can be wrong.

Usage: DISTILL=build/distill test_import.py [unittest arguments]
"""

import json
import os
import pathlib
import struct
import unittest

from cli_case import CLASSES, Case
from material import tensors_of, write_tensors


def read(path):
    return tensors_of(pathlib.Path(path).read_bytes())


def floats(data):
    return struct.unpack(f"<{len(data) // 4}f", data)


def packed(values):
    return struct.pack(f"<{len(values)}f", *values)


def narrow(kind, data):
    """f32 bytes in a type of 16 bits, and the f32 bytes that these stand for."""
    if kind == "F16":
        halves = struct.pack(f"<{len(data) // 4}e", *floats(data))
        return halves, packed(struct.unpack(f"<{len(halves) // 2}e", halves))
    highs = b"".join(data[i + 2:i + 4] for i in range(0, len(data), 4))
    return highs, b"".join(b"\0\0" + highs[i:i + 2] for i in range(0, len(highs), 2))


class ImportCase(Case):
    def setUp(self):
        super().setUp()
        self.data = self.make_dataset()
        self.succeed("train", *self.train_arguments("own"))
        self.own, self.notes = read(self.folder / "own" / "model.safetensors")
        self.bare = self.folder / "bare.safetensors"
        self.out = self.folder / "out"
        write_tensors(self.bare, self.own)

    def arguments(self, **changes):
        fields = {"in": self.bare, "out": self.out, "architecture": "resnet8",
                  "dataset": self.data, **changes}
        return [f"{name}={value}" for name, value in fields.items() if value is not None]

    def take(self, **changes):
        return json.loads(self.succeed("import", *self.arguments(**changes)))

    def evaluate(self, model):
        return self.succeed("eval", f"model={model}", f"dataset={self.data}", "device=ref")


class WeightsIn(ImportCase):
    def test_same_model_as_the_one_that_was_trained(self):
        self.take()
        tensors, notes = read(self.out / "model.safetensors")
        self.assertEqual((tensors, notes), (self.own, self.notes))
        self.assertEqual(self.evaluate(self.out), self.evaluate(self.folder / "own"))
        card = json.loads((self.out / "model.json").read_text())
        own = json.loads((self.folder / "own" / "model.json").read_text())
        for name in ("architecture", "dataset", "input", "classes", "sha256", "parameters"):
            self.assertEqual(card[name], own[name], name)
        self.assertEqual(sorted(os.listdir(self.out)), ["model.json", "model.safetensors"])
        self.take(dataset=f"{self.data}/")
        self.assertEqual(read(self.out / "model.safetensors")[1], self.notes)

    def test_types_of_16_bits_are_converted_exactly(self):
        for kind in ("F16", "BF16"):
            changed, expected = {}, {}
            for name, (old, shape, data) in self.own.items():
                if old == "F32":
                    data, wide = narrow(kind, data)
                    changed[name], expected[name] = (kind, shape, data), ("F32", shape, wide)
                else:
                    changed[name] = expected[name] = (old, shape, data)
            write_tensors(self.bare, changed)
            self.take()
            self.assertEqual(read(self.out / "model.safetensors")[0], expected)
            self.evaluate(self.out)

    def test_counters_of_batches_may_be_missing(self):
        write_tensors(self.bare, {name: tensor for name, tensor in self.own.items()
                          if not name.endswith("num_batches_tracked")})
        self.take()
        tensors, _ = read(self.out / "model.safetensors")
        self.assertEqual(list(tensors), list(self.own))
        for name, tensor in tensors.items():
            expected = ("I64", [], bytes(8)) if name.endswith("tracked") else self.own[name]
            self.assertEqual(tensor, expected)

    def test_without_a_data_set(self):
        answer = self.take(dataset=None, height=16, width=24, mean="0.5,0.4,0.25",
                           deviation="0.5,0.25,0.125")
        self.assertEqual((answer["height"], answer["width"], answer["channels"]), (16, 24, 3))
        card = json.loads((self.out / "model.json").read_text())
        self.assertEqual(card["input"], {"height": 16, "width": 24, "channels": 3,
                                         "mean": [0.5, 0.4, 0.25], "deviation": [0.5, 0.25, 0.125],
                                         "resize_size": 0, "interpolation": "bilinear"})
        self.assertEqual(card["classes"], [str(i) for i in range(CLASSES)])

    def test_a_known_data_set_by_name(self):
        wide = {**self.own, "fc.weight": ("F32", [10, 64], bytes(2560)),
                "fc.bias": ("F32", [10], packed(range(10)))}
        write_tensors(self.bare, wide)
        self.take(dataset="cifar10")
        card = json.loads((self.out / "model.json").read_text())
        self.assertEqual((card["input"]["height"], card["input"]["width"]), (32, 32))
        self.assertEqual(card["classes"][:2], ["airplane", "automobile"])
        self.assertEqual(card["input"]["mean"], [0.4914, 0.4822, 0.4465])

    def test_pictures_that_differ_in_size(self):
        self.take(dataset="imagenet")
        card = json.loads((self.out / "model.json").read_text())["input"]
        self.assertEqual((card["height"], card["width"], card["resize_size"]), (224, 224, 256))
        self.assertEqual(card["mean"], [0.485, 0.456, 0.406])
        self.take(dataset="imagenet", height=64, width=64, interpolation="bicubic")
        card = json.loads((self.out / "model.json").read_text())["input"]
        self.assertEqual((card["resize_size"], card["interpolation"]), (73, "bicubic"))
        self.take(height=16, width=16, resize_size=20)
        card = json.loads((self.out / "model.json").read_text())["input"]
        self.assertEqual((card["height"], card["resize_size"]), (16, 20))

    def test_it_teaches(self):
        self.take()
        arguments = {"method": "wttm", "temperature": 2, "beta": 1, "epochs": 1}
        results = []
        for teacher in (self.out, self.folder / "own"):
            self.succeed("train", *self.train_arguments("student", teacher=teacher, **arguments))
            results.append(read(self.folder / "student" / "model.safetensors")[0])
        self.assertEqual(*results)


class BadWeights(ImportCase):
    def refuse_import(self, code, *parts, **changes):
        """The last line on stderr holds all parts, and nothing is left behind."""
        result = self.distill("import", *self.arguments(**changes))
        self.assertEqual((result.returncode, result.stdout), (code, ""), result.stderr)
        lines = result.stderr.splitlines()
        for line in lines:
            self.assertTrue(line.startswith("distill import: "), line)
        for part in parts:
            self.assertIn(part, lines[-1])
        self.assertFalse(self.out.exists())
        return lines

    def change(self, **tensors):
        """The file with other tensors, or without those that are None."""
        changed = {**self.own, **{name.replace("__", "."): tensor
                                  for name, tensor in tensors.items()}}
        write_tensors(self.bare, {name: tensor for name, tensor in changed.items() if tensor})

    def test_weights_of_another_network(self):
        lines = self.refuse_import(2, "do not fit resnet20", "missing", "those of resnet8",
                                   architecture="resnet20")
        self.assertIn("layer1.1.conv1.weight is missing", "\n".join(lines[:-1]))
        self.refuse_import(2, "do not fit vgg8", "missing", "unexpected", "those of resnet8",
                           architecture="vgg8")

    def test_all_that_is_wrong_is_listed(self):
        self.change(conv1__weight=("F32", [3, 16, 3, 3], bytes(1728)), bn1__bias=None,
                    aux__weight=("F32", [1], bytes(4)), bn1__weight=("F64", [16], bytes(128)))
        lines = self.refuse_import(1, "1 missing, 1 unexpected, 1 misshapen, 1 of a wrong type")
        self.assertEqual(sorted(lines[:-1]), [
            "distill import: tensor aux.weight is not one of the network's",
            "distill import: tensor bn1.bias is missing",
            "distill import: tensor bn1.weight is F64; F32, F16 and BF16 are read",
            "distill import: tensor conv1.weight has shape [3,16,3,3], the network needs "
            "[16,3,3,3]"])

    def test_weights_that_are_not_finite(self):
        nan, inf = float("nan"), float("inf")
        self.change(bn1__bias=("F32", [16], packed([nan, inf, nan, -inf] + [0] * 12)))
        lines = self.refuse_import(1, "tensor bn1.bias has 2 NaN and 2 infinite of 16 elements",
                                   "take an earlier checkpoint")
        self.assertEqual(len(lines), 1)

    def test_prefix_of_data_parallel_training(self):
        write_tensors(self.bare, {"module." + name: tensor for name, tensor in self.own.items()})
        self.refuse_import(1, 'take the prefix "module." off the names')

    def test_classes_that_do_not_fit(self):
        self.refuse_import(2, f"tell {CLASSES} classes apart, not 10 as data set cifar10",
                           "name the one that they were trained on", dataset="cifar10")
        self.refuse_import(2, "classes is 7, but data set data has 4", classes=7)
        self.refuse_import(2, f"tell {CLASSES} classes apart, not 7", dataset=None, classes=7,
                           height=8, width=8, mean="0,0,0", deviation="1,1,1")

    def test_options(self):
        self.refuse_import(2, "resnet9", architecture="resnet9")
        self.refuse_import(2, "height is required", dataset=None)
        self.refuse_import(2, "mean is required", dataset=None, height=8, width=8)
        self.refuse_import(2, "deviation is required", dataset=None, height=8, width=8, mean="0,0,0")
        self.refuse_import(2, "2 numbers for pictures with 3 channels", mean="0,0")
        self.refuse_import(2, '"x" is not a number', mean="0,0,x")
        self.refuse_import(2, "cannot be divided by", deviation="1,0,1")
        self.refuse_import(1, "/nonexistent", dataset="/nonexistent")
        self.refuse_import(1, "import: open /nonexistent", **{"in": "/nonexistent"})

    def test_what_is_no_safetensors_file(self):
        self.bare.write_bytes(b"no weights")
        self.refuse_import(1, f"import: {self.bare}: no safetensors file, or a cut one: a header of")
        of_today, before = b"PK\3\4", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
        for head in (of_today, before):
            self.bare.write_bytes(head + bytes(1000))
            self.refuse_import(1, f"import: {self.bare}: a checkpoint of PyTorch",
                               "python3 -m distilld convert")

    def test_bare_weights_where_a_model_is_wanted(self):
        self.refuse(1, "distill import makes one of weights alone", "eval", f"model={self.bare}",
                    f"dataset={self.data}")


if __name__ == "__main__":
    unittest.main()
