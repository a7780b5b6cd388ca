#!/usr/bin/env python3
"""recipes/ and `distill train recipe=FILE`: every recipe is read, and the command line wins.

Usage: DISTILL=build/distill test_recipes.py [unittest arguments]
"""

import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import image_files
from material import write_dataset
from service import ROOT, executable

RECIPES = sorted(path for path in (ROOT / "recipes").rglob("*")
                 if path.is_file() and path.suffix != ".md")
USAGE = 2


def fields(path):
    """What a recipe says, as {key: text}."""
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="distill-recipes-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def train(self, **arguments):
        items = [f"{name}={value}" for name, value in arguments.items()]
        return subprocess.run([executable("distill"), "train", *items], capture_output=True,
                              text=True, timeout=240)

    def recipe(self, text):
        path = self.folder / "recipe"
        path.write_text(text)
        return path


class Recipes(Case):
    def test_there_are_all_of_cifar100(self):
        alike = ["wrn_40_2-wrn_16_2", "wrn_40_2-wrn_40_1", "resnet56-resnet20",
                 "resnet110-resnet20", "resnet110-resnet32", "resnet32x4-resnet8x4", "vgg13-vgg8"]
        unlike = ["vgg13-mobilenetv2_cifar", "resnet50_cifar-mobilenetv2_cifar",
                  "resnet50_cifar-vgg8", "resnet32x4-shufflenetv1", "resnet32x4-shufflenetv2",
                  "wrn_40_2-shufflenetv1"]
        pairs = alike + unlike
        names = {f"{method}-{pair}" for method in ("kd", "ttm", "wttm") for pair in pairs}
        names |= {f"wttm_alone-{pair}" for pair in alike}
        names |= {f"ce-{network}" for pair in pairs for network in pair.split("-")}
        self.assertEqual({path.name for path in RECIPES if path.parent.name == "cifar100"}, names)

    def test_there_are_those_of_imagenet(self):
        teachers = ["resnet34", "resnet50", "resnet101", "resnet152"]
        names = {f"ce-{network}" for network in [*teachers, "resnet18", "mobilenetv1"]}
        names |= {f"wttm-{teacher}-resnet18" for teacher in teachers}
        names |= {"wttm-resnet50-mobilenetv1", "kd-resnet34-resnet18", "kd-resnet50-mobilenetv1"}
        names |= {"ce-deit_tiny", "kd-deit3_small-deit_tiny", "wttm-deit3_small-deit_tiny"}
        self.assertEqual({path.name for path in RECIPES if path.parent.name == "imagenet"}, names)

    def test_names_and_contents_agree(self):
        for path in RECIPES:
            with self.subTest(path.name):
                method, *networks = path.name.split("-")
                said = fields(path)
                loss = method.removesuffix("_alone")
                self.assertEqual((said["method"], said["student"]), (loss, networks[-1]))
                if method == "ce":
                    continue
                imported = networks[0] == "deit3_small"  # its data set is not open
                source = "distill import" if imported else f"ce-{networks[0]}"
                self.assertIn(source, path.read_text())

    def test_each_is_read(self):
        """What is wrong is only a file, which is looked for after all arguments."""
        missing = self.folder / "missing"
        for path in RECIPES:
            with self.subTest(path.name):
                teacher = {} if path.name.startswith("ce-") else {"teacher": missing}
                done = self.train(recipe=path, dataset=missing, out=self.folder / "out", **teacher)
                self.assertIn(str(missing), done.stderr)
                self.assertNotEqual(done.returncode, USAGE, done.stderr)

    def test_networks_are_known(self):
        for path in RECIPES:
            with self.subTest(path.name):
                said = fields(path)
                size = said.get("image_size", 32)
                done = subprocess.run([executable("distill"), "explain", "classes=100",
                                       f"student={said['student']}", f"height={size}",
                                       f"width={size}", "batch_size=2"],
                                      capture_output=True, text=True, timeout=60)
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_one_runs(self):
        data = write_dataset(self.folder / "data", train=32, test=16)
        small = {"dataset": data, "epochs": 1, "device": "ref", "threads": 1}
        plain = ROOT / "recipes/cifar100/ce-resnet20"
        done = self.train(recipe=plain, out=self.folder / "a", **{**small, "student": "resnet8"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        wttm = ROOT / "recipes/cifar100/wttm-resnet56-resnet20"
        done = self.train(recipe=wttm, out=self.folder / "b", teacher=self.folder / "a", **small)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        spec = json.loads((self.folder / "b/model.json").read_text())["spec"]
        self.assertEqual([spec[name] for name in ("method", "student", "gamma", "beta", "epochs",
                                                  "milestones", "weight_decay")],
                         ["wttm", "resnet20", 0.3, 1.5, 1, [150, 180, 210], 0.0005])

    def test_one_of_imagenet_runs(self):
        """On few small pictures; the network is a small one too."""
        data = image_files.save_images(self.folder / "data")
        small = {"dataset": data, "epochs": 1, "device": "ref", "threads": 1, "batch_size": 16,
                 "image_size": 16, "resize_size": 20, "student": "resnet8"}
        plain, wttm = (ROOT / "recipes/imagenet" / name
                       for name in ("ce-resnet34", "wttm-resnet34-resnet18"))
        done = self.train(recipe=plain, out=self.folder / "a", **small)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = self.train(recipe=wttm, out=self.folder / "b", teacher=self.folder / "a", **small)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        spec = json.loads((self.folder / "b/model.json").read_text())["spec"]
        self.assertEqual([spec[name] for name in ("gamma", "beta", "learning_rate", "milestones",
                                                  "weight_decay", "resize_size")],
                         [0.8, 1.6, 0.1, [30, 60, 90], 0.0001, 20])

    def test_the_transformers_run(self):
        """The student is its own teacher, with pictures of four patches."""
        data = image_files.save_images(self.folder / "data")
        small = {"dataset": data, "epochs": 1, "warmup_epochs": 1, "threads": 2, "batch_size": 16,
                 "image_size": 32, "resize_size": 36}
        plain, wttm = (ROOT / "recipes/imagenet" / name
                       for name in ("ce-deit_tiny", "wttm-deit3_small-deit_tiny"))
        done = self.train(recipe=plain, out=self.folder / "a", **small)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = self.train(recipe=wttm, out=self.folder / "b", teacher=self.folder / "a", **small)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        spec = json.loads((self.folder / "b/model.json").read_text())["spec"]
        self.assertEqual([spec[name] for name in ("optimizer", "beta1", "momentum", "clip_norm",
                                                  "rand_augment", "erase", "interpolation")],
                         ["adamw", 0.9, None, 5, 2, 0.25, "bicubic"])


class Reading(Case):
    """With a data set that is not there, what is said about the arguments comes first."""

    def error(self, text, **arguments):
        done = self.train(recipe=self.recipe(text), dataset=self.folder / "missing",
                          out=self.folder / "out", **arguments)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        return done.stderr

    def test_comments_and_white_space(self):
        text = "\n# a comment\n  student=resnet8  \r\n\tmethod=ce\n#epochs=x"
        self.assertIn("missing", self.error(text))

    def test_wrong_lines_are_named_with_the_file(self):
        cases = [("student=resnet8\nepoch=3\n", "epochs"), ("student=resnet8\nepochs=0\n", "0"),
                 ("student\n", "key=value"), ("student=a\nstudent=b\n", "twice"),
                 ("student=resnet8\ngamma=1\ntemperature=1\n", "only one"),
                 ("student=resnet8\nrecipe=other\n", "another"),
                 ("student=resnet8\ntags=a\n", "tags")]
        for text, word in cases:
            with self.subTest(text):
                message = self.error(text)
                self.assertIn(str(self.folder / "recipe"), message)
                self.assertIn(word, message)

    def test_the_command_line_wins(self):
        text = "method=ttm\nstudent=resnet8\ngamma=0.5\nbeta=-1\n"
        self.assertIn("beta", self.error(text))
        text = text.replace("-1", "1")
        self.assertIn("teacher is required", self.error(text, temperature=3))
        self.assertIn("missing", self.error(text, temperature=3, teacher=self.folder / "missing"))
        self.assertIn("epochs", self.error(text, epochs=0, teacher=self.folder))

    def test_no_such_file(self):
        done = self.train(recipe=self.folder / "none", student="resnet8", dataset="x", out="y")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(self.folder / "none"), done.stderr)


if __name__ == "__main__":
    unittest.main()
