#!/usr/bin/env python3
"""Data sets of JPEG and PNG files at the command line: train, kill and resume, evaluate, predict."""

import json
import random
import signal
import subprocess
import tarfile
import time
import unittest

import image_files
from cli_case import DISTILL, Case, load_tensors
from material import png


class Images(Case):
    def setUp(self):
        super().setUp()
        self.data = image_files.save_images(self.folder / "data")

    def arguments(self, out, **changes):
        return self.train_arguments(out, **{"augment": "standard", "image_size": 16, **changes})

    def train(self, out, **changes):
        return [json.loads(line)
                for line in self.succeed("train", *self.arguments(out, **changes)).splitlines()]

    def weights(self, out):
        return (self.folder / out / "model.safetensors").read_bytes()

    def tensors(self, out):
        return load_tensors(self.folder / out / "model.safetensors")

    def test_train_eval_predict(self):
        points = self.train("model", epochs=6, interpolation="bicubic", augment="none")
        self.assertGreaterEqual(points[-1]["top1"], 0.9)
        info = json.loads((self.folder / "model" / "model.json").read_text())["input"]
        self.assertEqual((info["height"], info["width"], info["channels"]), (16, 16, 3))
        self.assertEqual((info["resize_size"], info["interpolation"]), (18, "bicubic"))
        model = f"model={self.folder}/model"
        result = json.loads(self.succeed("eval", model, f"dataset={self.data}", "device=ref"))
        self.assertEqual(result["pictures"], 12)
        self.assertAlmostEqual(result["loss"], points[-1]["loss"], delta=1e-4)
        self.check_predict(model)

    def check_predict(self, model):
        """What lies beside the middle is not looked at: it is cut off."""
        def picture(edge):
            row = bytes([edge, 0, 0] * 60 + [0, 230, 20] * 40 + [edge, 0, 0] * 60)
            return png(160, 40, row * 40)
        files = [self.folder / "dark.png", self.folder / "bright.png"]
        files[0].write_bytes(picture(0))
        files[1].write_bytes(picture(255))
        lines = self.succeed("predict", model, "device=ref", *files).splitlines()
        answers = [json.loads(line)["predictions"] for line in lines]
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(answers[0][0]["label"], "green")

    def test_the_same_wherever_it_lies(self):
        """Folder, archive and imported files; pictures are another draw with another seed."""
        self.train("folder", epochs=1)
        report = json.loads(self.succeed("data", "import", self.data, f"dir={self.folder}/done/"))
        self.assertEqual((report["train"], report["test"], report["height"]), (31, 12, 0))
        self.train("imported", epochs=1, dataset=self.folder / "done")
        packed = self.folder / "packed"
        packed.mkdir()
        for split in ["train", "val"]:
            with tarfile.open(packed / f"{split}.tar", "w") as archive:
                archive.add(self.data / split, split)
        (packed / "classes.txt").write_text("blue\ngreen\nred\n")
        self.train("archive", epochs=1, dataset=packed)
        self.train("other", epochs=1, data_seed=2)
        for out, equal in [("imported", True), ("archive", True), ("other", False)]:
            self.assertEqual(self.tensors(out) == self.tensors("folder"), equal, out)

    def test_killed_and_resumed(self):
        fields = {"epochs": 12, "batch_size": 4, "checkpoint_every": 3, "seed": 5}
        self.train("whole", **fields)
        arguments = [*map(str, self.arguments("killed", **fields)), "resume=1"]
        killed = 0
        for delay in [0.2, 0.35, 0.5]:
            process = subprocess.Popen([DISTILL, "train", *arguments], stdout=subprocess.DEVNULL)
            checkpoint, deadline = self.folder / "killed" / "checkpoint.safetensors", 120
            while not checkpoint.exists() and process.poll() is None and deadline > 0:
                time.sleep(0.01)
                deadline -= 0.01
            time.sleep(delay * random.random())
            process.send_signal(signal.SIGKILL)
            killed += process.wait(timeout=60) == -signal.SIGKILL
        self.assertGreater(killed, 0)
        self.succeed("train", *arguments)
        self.assertEqual(self.weights("killed"), self.weights("whole"))

    def test_teacher_sees_the_same_pictures(self):
        self.train("teacher", epochs=1)
        distilled = {"method": "kd", "teacher": self.folder / "teacher", "epochs": 1}
        self.train("student", **distilled)
        self.refuse(2, "the teacher takes pictures of 16x16x3, the student 24x24x3", "train",
                    *self.arguments("out", **{**distilled, "image_size": 24}))

    def test_pictures_of_a_fixed_size_are_resized_too(self):
        self.data.rename(self.folder / "images")
        self.make_dataset()
        points = self.train("resized", image_size=20, epochs=1)
        info = json.loads((self.folder / "resized" / "model.json").read_text())["input"]
        self.assertEqual((info["height"], info["resize_size"]), (20, 23))
        result = json.loads(self.succeed("eval", f"model={self.folder}/resized", "device=ref",
                                         f"dataset={self.folder}/data"))
        self.assertAlmostEqual(result["loss"], points[-1]["loss"], delta=1e-4)
        self.refuse(2, "resize_size is for pictures that are resized", "train",
                    *self.arguments("out", image_size=0, resize_size=9))

    def test_sample(self):
        self.succeed("data", "sample", self.data, "split=train", f"out={self.folder}/s.png")
        self.assertEqual((self.folder / "s.png").read_bytes()[:4], b"\x89PNG")

    def test_refused(self):
        for change, reason in [({"image_size": 15}, "image_size must be 0 or 16 to 1024, not 15"),
                               ({"image_size": 2000}, "image_size"),
                               ({"resize_size": 15}, "resize_size must be at least image_size")]:
            self.refuse(2, reason, "train", *self.arguments("out", **change))
        self.refuse(2, "dir= is required", "data", "import", self.data)
        self.refuse(2, "exists already", "data", "import", self.data, f"dir={self.data}")
        (self.data / "train" / "red" / "bad.jpg").write_bytes(b"no picture")
        for command in [["train", *self.arguments("out")],
                        ["data", "import", self.data, f"dir={self.folder}/bad"]]:
            self.refuse(1, "1 of 32 pictures cannot be used; repair or remove them: red/bad.jpg: "
                           "the file is neither JPEG nor PNG", *command)
        self.assertFalse((self.folder / "bad").exists())


if __name__ == "__main__":
    unittest.main()
