#!/usr/bin/env python3
"""The command line `distill` from outside: every command, its output, and how it fails.

Usage: DISTILL=build/distill test_cli.py [unittest arguments]
"""

import json
import os
import pathlib
import pty
import random
import re
import select
import signal
import struct
import subprocess
import time
import unittest

import material
import pictures
from cli_case import CLASSES, DISTILL, Case, load_tensors, save_tensors
from pictures import CHANNELS, SIDE


class Usage(Case):
    def test_help(self):
        overview = self.succeed("help")
        for command in ["train", "eval", "predict", "loss", "forward", "gradients", "import",
                        "export", "explain", "diff", "bench", "data"]:
            self.assertIn(f"\n  {command} ", overview)
            text = self.succeed(command, "help=1")
            self.assertIn(f"usage: distill {command} ", text)
            self.assertEqual(self.succeed("help", command), text)
        self.refuse(2, '"fly"', "help", "fly")

    def test_version(self):
        self.assertRegex(self.succeed("--version"), r"^distill \d+\.\d+\.\d+\n$")

    def test_help_says_what_must_be_given(self):
        for command, usage in [("train", "student=... dataset=... out=... [key=value ...]"),
                               ("predict", "[FILE ...] model=... [key=value ...]"),
                               ("bench", "[key=value ...]")]:
            first, *rest = self.succeed(command, "help=1").splitlines()
            self.assertEqual(first, f"usage: distill {command} {usage}")
            required = {line.split()[0] for line in rest if line.endswith("(required)")}
            self.assertEqual(required, set(re.findall(r"(\w+)=\.\.\.", usage)))

    def test_help_of_train_names_every_field(self):
        text = self.succeed("train", "help=1")
        for field in ["student", "temperature", "gamma", "milestones", "out", "resume"]:
            self.assertIn(f"\n  {field} ", text)
        self.assertIn("one of ce, kd, ttm, wttm", text)
        for field in ["name", "tags", "priority"]:
            self.assertNotIn(f"\n  {field} ", text)

    def test_nothing_and_unknown(self):
        self.assertEqual(self.distill().returncode, 2)
        self.refuse(2, '"fly"', "fly")

    def test_wrong_arguments(self):
        self.refuse(2, "epochs", "train", "epoch=3")
        self.refuse(2, "1 to 100000", "train", "epochs=0")
        self.refuse(2, "twice", "train", "epochs=1", "epochs=2")
        self.refuse(2, "key=value", "train", "epochs")
        self.refuse(2, "student", "train", "dataset=x", "out=y")
        self.refuse(2, "out= is required", "train", "student=resnet8", "dataset=x")
        self.refuse(2, "tags", "train", "tags=a")
        self.refuse(2, "model= is required", "predict", "a.png")
        self.refuse(2, "teacher", "train", "student=resnet8", "dataset=x", "out=y", "method=kd")

    def test_missing_files(self):
        self.refuse(1, "/nonexistent", "eval", "model=/nonexistent", f"dataset={self.make_dataset()}")
        self.refuse(1, "open m: No such file", "eval", "model=m", "dataset=/nonexistent")
        self.refuse(1, "/nonexistent", "loss", "in=/nonexistent", f"out={self.folder}/out")

    def test_closed_output_is_an_error(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([DISTILL, "explain", "student=resnet8"], stdout=full,
                                    stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertIn("standard output", result.stderr)


class Train(Case):
    def setUp(self):
        super().setUp()
        self.make_dataset()

    def train(self, out, **changes):
        return [json.loads(line)
                for line in self.succeed("train", *self.train_arguments(out, **changes)).splitlines()]

    def test_from_data_to_predictions(self):
        points = self.train("teacher", epochs=6)
        self.assertEqual([point["epoch"] for point in points], [1, 2, 3, 4, 5, 6])
        self.assertGreaterEqual(points[-1]["top1"], 0.9)
        points = self.train("student", method="wttm", temperature=4, beta=2,
                            teacher=self.folder / "teacher")
        self.check_eval(points[-1])
        self.check_predict()
        self.check_forward()
        self.check_gradients()

    def check_eval(self, last):
        data = self.folder / "data"
        result = json.loads(self.succeed("eval", f"model={self.folder}/student", f"dataset={data}",
                                         "device=ref", "split=test"))
        self.assertEqual(result["pictures"], 20)
        self.assertAlmostEqual(result["top1"], last["top1"], delta=1e-6)
        self.assertAlmostEqual(result["loss"], last["loss"], delta=1e-4)
        self.check_report(result, data)

    def check_report(self, line, data):
        """The full report agrees with the line, with itself, and with what training left."""
        report = json.loads(self.succeed("eval", f"model={self.folder}/student", f"dataset={data}",
                                         "device=ref", "report=full"))
        left = json.loads((self.folder / "student" / "evaluation.json").read_text())
        matrix, classes = report["confusion"], report["classes"]
        self.assertEqual(report["count"], line["pictures"])
        for name in ["loss", "top1", "top5"]:
            self.assertAlmostEqual(report[name], line[name], delta=1e-6)
            self.assertAlmostEqual(report[name], left[name], delta=1e-5)
        self.assertEqual(sum(map(sum, matrix)), report["count"])
        self.assertEqual(sum(item["count"] for item in report["bins"]), report["count"])
        for item in classes:
            self.assertEqual(item["label"], pictures.CLASSES[item["index"]])
            self.assertEqual(item["count"], sum(matrix[item["index"]]))
            self.assertEqual(item["answered"], sum(row[item["index"]] for row in matrix))
        self.assertEqual(len(report["worst"]), 20)
        self.assertAlmostEqual(sum(item["loss"] for item in report["worst"]) / 20, report["loss"])
        self.refuse(2, "precision", "eval", "model=m", "dataset=d", "precision=tf32")

    def check_predict(self):
        source, files = random.Random(4), []
        for label in range(CLASSES):
            files.append(self.folder / f"{label}.png")
            files[-1].write_bytes(material.png(SIDE, SIDE, pictures.draw(label, source)))
        model = f"model={self.folder}/teacher"
        lines = self.succeed("predict", model, "top_k=2", "device=ref",
                             f"files={files[0]},{files[1]}", *files[2:]).splitlines()
        right = 0
        for label, line in enumerate(map(json.loads, lines)):
            best, second = line["predictions"]
            self.assertEqual(line["file"], str(files[label]))
            self.assertEqual(best["label"], pictures.CLASSES[best["index"]])
            self.assertGreaterEqual(best["score"], second["score"])
            right += best["index"] == label
        self.assertEqual(len(lines), CLASSES)
        self.assertGreaterEqual(right, CLASSES - 1)
        self.check_bad_picture(model, files)

    def check_bad_picture(self, model, files):
        broken = self.folder / "broken.png"
        broken.write_bytes(files[0].read_bytes()[:60])
        result = self.distill("predict", model, "device=ref", files[0], broken, "/nonexistent.png",
                              files[1])
        self.assertEqual(result.returncode, 1)
        self.assertEqual([json.loads(line)["file"] for line in result.stdout.splitlines()],
                         [str(files[0]), str(files[1])])
        self.assertEqual(result.stderr.count("\n"), 3, result.stderr)
        self.assertIn("broken.png", result.stderr)
        self.assertIn("/nonexistent.png", result.stderr)
        self.refuse(2, "no picture files", "predict", model)

    def check_forward(self):
        """The same logits with metadata and, for bare weights, with a told architecture."""
        source = random.Random(5)
        x = [source.gauss(0, 1) for _ in range(3 * SIDE * SIDE * CHANNELS)]
        save_tensors(self.folder / "x.safetensors",
                     {"x": ("F32", [3, SIDE, SIDE, CHANNELS], x)})
        common = [f"in={self.folder}/x.safetensors", f"out={self.folder}/y.safetensors",
                  "device=ref"]
        self.succeed("forward", f"model={self.folder}/teacher", *common)
        shape, logits = load_tensors(self.folder / "y.safetensors")["logits"]
        self.assertEqual(shape, [3, CLASSES])
        self.assertGreater(max(logits) - min(logits), 0.1)
        self.write_bare_weights()
        bare = f"model={self.folder}/bare.safetensors"
        self.succeed("forward", bare, "architecture=resnet8", *common)
        self.assertEqual(load_tensors(self.folder / "y.safetensors")["logits"][1], logits)
        self.refuse(1, "bare.safetensors", "forward", bare, *common)
        self.refuse(2, "layer1.1", "forward", bare, "architecture=resnet14", *common)

    def check_gradients(self):
        """Two steps; the classifier's bias has gradients that sum to zero, as probabilities do."""
        x = list(load_tensors(self.folder / "x.safetensors")["x"][1])
        shape = [4, SIDE, SIDE, CHANNELS]
        save_tensors(self.folder / "steps.safetensors",
                     {"x": ("F32", shape, x + x[:SIDE * SIDE * CHANNELS]),
                      "labels": ("I64", [4], [0, 1, 2, 3])})
        common = ["gradients", f"model={self.folder}/teacher", f"in={self.folder}/steps.safetensors",
                  f"out={self.folder}/gradients", "device=ref", "learning_rate=0.5"]
        lines = self.succeed(*common, "batch_size=2").splitlines()
        self.assertEqual([json.loads(line)["step"] for line in lines], [1, 2])
        files = [self.folder / "gradients" / f"{step}.safetensors" for step in (1, 2)]
        bias = [load_tensors(path)["fc.bias"][1] for path in files]
        for gradient in bias:
            self.assertAlmostEqual(sum(gradient), 0, delta=1e-6)
            self.assertGreater(max(gradient), 0.01)
        start = load_tensors(self.folder / "teacher" / "model.safetensors")["fc.bias"][1]
        end = load_tensors(self.folder / "gradients" / "weights.safetensors")["fc.bias"][1]
        for weight, first, second, reached in zip(start, *bias, end):
            self.assertAlmostEqual(weight - 0.5 * first - 0.5 * second, reached, delta=1e-6)
        self.refuse(1, "whole batches of 3", *common, "batch_size=3")

    def write_bare_weights(self):
        data = (self.folder / "teacher" / "model.safetensors").read_bytes()
        tensors, _ = material.tensors_of(data)
        material.write_tensors(self.folder / "bare.safetensors", tensors)

    def start(self, arguments, **options):
        return subprocess.Popen([DISTILL, "train", *map(str, arguments)], **options)

    def wait_for(self, path, process):
        deadline = time.monotonic() + 120
        while not path.exists():
            self.assertIsNone(process.poll(), "it ended before it could be stopped")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def test_stopped_and_resumed(self):
        self.train("whole", epochs=20, seed=7)
        for number in [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]:
            out = f"stopped{int(number)}"
            arguments = self.train_arguments(out, epochs=20, seed=7, checkpoint_every=1)
            process = self.start(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 text=True)
            self.wait_for(self.folder / out / "checkpoint.safetensors", process)
            process.send_signal(number)
            _, message = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 130, message)
            self.assertIn("resume=1", message)
            self.assertEqual(message.count("\n"), 1)
            self.assertFalse((self.folder / out / "model.safetensors").exists())
            self.refuse(2, "has not ended: go on with it by resume=1", "train", *arguments)
            self.succeed("train", *arguments, "resume=1")
            self.assertEqual((self.folder / out / "model.safetensors").read_bytes(),
                             (self.folder / "whole" / "model.safetensors").read_bytes())

    def test_terminal_shows_a_live_line(self):
        leader, follower = pty.openpty()
        process = self.start(self.train_arguments("out"), stdout=follower, stderr=follower)
        os.close(follower)
        seen, deadline = b"", time.monotonic() + 120
        while time.monotonic() < deadline and select.select([leader], [], [], 120)[0]:
            try:
                part = os.read(leader, 4096)
            except OSError:
                break
            seen += part
        os.close(leader)
        self.assertEqual(process.wait(timeout=120), 0)
        text = seen.decode()
        lines = re.findall(r"\r\x1b\[K(epoch \d/2  \w[^\r]*)", text)
        self.assertTrue(any(re.match(r"epoch \d/2  step [0-4]/4  left [\d:-]+  loss \S+  top1 \S+  "
                                     r"\d+ img/s$", line) for line in lines), lines)
        self.assertLess(max(map(len, lines)), 80)
        self.assertRegex(text, r"epoch 2  test loss \d+\.\d+  top1 \d\.\d+ .*\n")
        self.assertIn("model.safetensors", text)
        self.assertNotIn("{", text)

    def test_mismatch_of_model_and_data(self):
        self.train("model", epochs=1)
        other = self.folder / "other"
        other.mkdir()
        for split in ["train", "test"]:
            save_tensors(other / f"{split}.safetensors",
                         {"images": ("U8", [4, 9, 9, 1], [0] * 324),
                          "labels": ("I64", [4], [0, 1, 2, 3])})
        self.refuse(1, "the model takes 8x8x3", "eval", f"model={self.folder}/model",
                  f"dataset={other}", "device=ref")


class Programs(Case):
    SMALL = ["student=resnet8", "height=8", "width=8", "batch_size=4", "classes=10"]

    def test_explain(self):
        text = self.succeed("explain", *self.SMALL, "teacher=resnet14", "method=wttm")
        for part in ["prologue", "backward", "distill_loss", "gamma=0.25", "power_weight", "sgd"]:
            self.assertIn(part, text)
        text = self.succeed("explain", *self.SMALL, "mode=infer", "device=ref")
        self.assertNotIn("backward\n", text)
        self.assertIn("workspace", text)
        self.refuse(2, 'did you mean "resnet8"', "explain", "student=resnet9")
        self.refuse(2, "known are resnet8", "explain", "student=inception")
        self.refuse(2, "teacher", "explain", *self.SMALL, "method=kd")

    def test_diff(self):
        result = json.loads(self.succeed("diff", *self.SMALL, "backend=ref,ref"))
        self.assertEqual(result["largest"], 0)
        self.assertGreater(result["outputs"], result["ops"])
        self.refuse(2, '"gpu"', "diff", *self.SMALL, "backend=ref,gpu")
        self.refuse(2, "two", "diff", *self.SMALL, "backend=ref")

    def test_diff_names_the_first_op(self):
        arguments = ["diff", *self.SMALL, "teacher=resnet14", "method=wttm", "backend=ref,cpu"]
        result = self.distill(*arguments)
        if "has no cpu backend" in result.stderr:
            self.skipTest("this build has no cpu backend")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertGreater(json.loads(result.stdout)["largest"], 0)
        self.refuse(1, "differs in", *arguments, "tolerance=1e-12")

    def test_diff_of_sums_that_are_zero(self):
        """Biases in front of batch norms, means of what has none, depthwise convolutions."""
        for student in ("vgg8", "mobilenetv1", "mobilenetv2", "mobilenetv2_cifar", "shufflenetv1",
                        "shufflenetv2"):
            result = self.distill("diff", f"student={student}", "batch_size=2", "height=32",
                                  "width=32")
            if "has no cpu backend" in result.stderr:
                self.skipTest("this build has no cpu backend")
            self.assertEqual((result.returncode, result.stderr), (0, ""), student)
            self.assertLess(json.loads(result.stdout)["largest"], 1e-4)

    def test_bench(self):
        result = self.succeed("bench", *self.SMALL, "device=ref", "steps=2", "warmup=1", "ops=1")
        *table, last = result.splitlines()
        line = json.loads(last)
        self.assertEqual((line["bench"], line["steps"], line["batch_size"]), ("step", 2, 4))
        self.assertEqual(line["steps_per_launch"], 1)
        self.assertGreater(line["ms_median"], 0)
        self.assertLessEqual(line["ms_min"], line["ms_median"])
        self.assertEqual(line["allocations_per_step"], 0)
        self.assertLess(line["rss_growth_bytes"], 1 << 20)
        self.assertTrue(any("conv_dw" in row for row in table))
        line = json.loads(self.succeed("bench", *self.SMALL, "device=ref", "mode=infer",
                                       "steps=1"))
        self.assertEqual(line["bench"], "forward")
        line = json.loads(self.succeed("bench", *self.SMALL, "device=ref", "feed=device",
                                       "steps=3", "warmup=1"))
        self.assertEqual((line["steps"], line["steps_per_launch"]), (8, 8))
        self.assertEqual(line["allocations_per_step"], 0)

    def test_tf32_is_of_the_gpu_alone(self):
        for device in "cpu", "ref", "auto":
            self.refuse(2, "tf32 is for device cuda alone", "bench", *self.SMALL, "precision=tf32",
                        f"device={device}")
        self.refuse(2, "tf32 is for device cuda alone", "diff", *self.SMALL, "precision=tf32",
                    "backend=ref,ref")

    def test_bench_of_the_loss(self):
        line = json.loads(self.succeed("bench", "loss=8x100", "method=wttm", "device=ref",
                                       "steps=3"))
        self.assertEqual((line["rows"], line["classes"], line["precision"]), (8, 100, "f32"))
        self.refuse(2, "ROWSxCLASSES", "bench", "loss=8")
        self.refuse(2, "reads f32 only", "bench", "loss=8x100", "device=ref", "precision=bf16")
        self.refuse(2, "student", "bench")


class Data(Case):
    PACKAGE = pathlib.Path(os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))

    @unittest.skipUnless(PACKAGE.is_dir(), "Debian's dataset-fashion-mnist is not installed")
    def test_from_a_mirror(self):
        """The published files, and a line that follows the download on a terminal."""
        folder = self.folder / "fashion"
        folder.mkdir()
        name = "train-images-idx3-ubyte.gz"
        begun = (self.PACKAGE / name).read_bytes()[:1000000]
        (folder / f"{name}.part").write_bytes(begun)
        leader, follower = pty.openpty()
        result = subprocess.run([DISTILL, "data", "get", "fashion_mnist", f"dir={folder}"],
                                stdout=subprocess.PIPE, stderr=follower, text=True, timeout=120,
                                env={**os.environ, "DISTILL_MIRROR": str(self.PACKAGE)})
        os.close(follower)
        seen = os.read(leader, 65536).decode()
        os.close(leader)
        self.assertEqual(result.returncode, 0, seen)
        self.assertEqual([json.loads(result.stdout)[key] for key in ("train", "test", "classes")],
                         [60000, 10000, 10])
        self.assertIn(f"\r\x1b[K{name} 100 %", seen)
        self.assertEqual((folder / name).read_bytes(), (self.PACKAGE / name).read_bytes())
        result = self.distill("data", "get", "fashion_mnist", f"dir={folder}",
                              DISTILL_MIRROR="http://127.0.0.1:1")
        self.assertEqual(result.returncode, 0, result.stderr)  # all is there: nobody is asked

    def test_refusals(self):
        self.refuse(2, "data get NAME", "data")
        self.refuse(2, "data get NAME", "data", "put", "mnist")
        self.refuse(1, "fashion_mnist", "data", "get", "imagenet", f"dir={self.folder}/x")

    def test_mirror_is_explained(self):
        self.assertIn("DISTILL_MIRROR", self.succeed("data", "help=1"))

    def test_wrong_bytes_are_not_taken(self):
        mirror = self.folder / "mirror"
        mirror.mkdir()
        for name in ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
                     "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]:
            (mirror / name).write_bytes(b"not the data set")
        self.refuse(1, "idx", "data", "get", "mnist", f"dir={self.folder}/mnist",
                  DISTILL_MIRROR=str(mirror))

    def test_sample_is_the_picture(self):
        """What was written is classified as the data set's own picture is."""
        data, png = self.make_dataset(), self.folder / "one.png"
        line = json.loads(self.succeed("data", "sample", data, "index=6", f"out={png}"))
        self.assertEqual(line, {"file": str(png), "label": pictures.CLASSES[2], "index": 2})
        self.assertEqual(png.read_bytes()[16:24], struct.pack(">II", SIDE, SIDE))
        self.succeed("train", *self.train_arguments("out", epochs=6))
        found = json.loads(self.succeed("predict", f"model={self.folder}/out", png, "device=ref"))
        self.assertEqual(found["predictions"][0]["label"], pictures.CLASSES[2])
        train = json.loads(self.succeed("data", "sample", data, "split=train", "index=55",
                                        f"out={png}"))
        self.assertEqual(train["index"], 3)

    def test_sample_refusals(self):
        data, png = self.make_dataset(), self.folder / "one.png"
        self.refuse(2, "out= is required", "data", "sample", data)
        self.refuse(2, "below 20", "data", "sample", data, "index=20", f"out={png}")
        self.refuse(1, "nowhere", "data", "sample", self.folder / "nowhere", f"out={png}")
        self.assertFalse(png.exists())


if __name__ == "__main__":
    unittest.main()
