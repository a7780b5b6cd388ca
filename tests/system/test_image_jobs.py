#!/usr/bin/env python3
"""Data sets of JPEG and PNG files in the service: import, a job, a kill in mid-epoch, predictions."""

import os
import pathlib
import random
import shutil
import threading
import unittest

import image_files
from material import png
from service import Redis, ServiceCase, wait_until

SPEC = {"method": "ce", "student": "resnet8", "dataset": "tints", "epochs": 6, "batch_size": 8,
        "learning_rate": 0.05, "schedule": "constant", "augment": "none", "image_size": 16,
        "threads": 1}


class ImageJobs(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.service = cls.start("up", lease_ms=3000)
        cls.source = image_files.save_images(cls.service.folder / "tints")
        cls.dataset = cls.service.import_dataset("tints", cls.source)

    def post_job(self, **changes):
        return self.service.post("/jobs", {**SPEC, **changes})

    def refused(self, answer, field, reason):
        self.assertEqual(answer.status, 422, answer)
        error = answer.json()["errors"][0]
        self.assertEqual(error["field"], field)
        self.assertIn(reason, error["detail"])

    def test_import(self):
        self.assertEqual(self.dataset.status, 201, self.dataset)
        card = self.dataset.json()
        self.assertEqual((card["format"], card["height"], card["width"]), ("images", 0, 0))
        self.assertEqual((card["train_count"], card["test_count"], card["classes"]), (31, 12, 3))
        self.assertEqual(card["class_names"], image_files.CLASSES)
        self.assertEqual(self.service.get("/datasets/tints").json(), card)

    def test_job_and_predictions(self):
        job = self.service.wait_for_job(self.post_job().json()["id"])
        self.assertEqual(job["state"], "succeeded", job)
        model = self.service.get(f"/models/{job['model']}").json()
        self.assertEqual((model["height"], model["width"], model["channels"]), (16, 16, 3))
        self.assertGreaterEqual(model["top1"], 0.9)
        files = [image_files.tinted(name, random.Random(5)) for name in image_files.CLASSES]
        files.append(image_files.JPEG.read_bytes())
        answer = self.service.predict(job["model"], files, top_k=1).json()["predictions"]
        self.assertEqual([row[0]["label"] for row in answer[:3]], image_files.CLASSES)
        self.assertIn(answer[3][0]["label"], image_files.CLASSES)
        student = self.post_job(method="kd", teacher=job["model"], epochs=1)
        self.assertEqual(self.service.wait_for_job(student.json()["id"])["state"], "succeeded")
        self.refused(self.post_job(method="kd", teacher=job["model"], image_size=24), "teacher",
                     "data set tints gives 24x24x3 with 3")

    def test_killed_in_mid_epoch(self):
        """The worker decodes ahead when it dies; the student is the same."""
        fields = {"augment": "standard", "epochs": 250, "checkpoint_every": 3}
        jobs = [self.post_job(**fields, name="whole").json()["id"]]
        self.service.wait_for_job(jobs[0])
        jobs.append(self.post_job(**fields, name="killed").json()["id"])
        wait_until(lambda: self.service.get(f"/jobs/{jobs[1]}").json()["progress"]["step"] > 5,
                   what="a few steps")
        self.service.kill_child("work")
        models = [self.service.wait_for_job(job)["model"] for job in jobs]
        whole, killed = (self.service.get(f"/models/{model}").json() for model in models)
        self.assertEqual(whole["weights_sha256"], killed["weights_sha256"])
        self.assertGreater(self.service.get(f"/jobs/{jobs[1]}").json()["attempt"], 1)

    def test_sizes(self):
        for changes, field, reason in [({"image_size": 15}, "image_size", "16 to 1024"),
                                       ({"resize_size": 4000}, "resize_size", "4000"),
                                       ({"image_size": 0, "resize_size": 100}, "resize_size",
                                        "at least image_size, 224, not 100")]:
            self.refused(self.post_job(**changes), field, reason)
        small = self.service.post("/jobs?dry_run=true", SPEC).json()["estimate"]
        large = self.service.post("/jobs?dry_run=true", {**SPEC, "image_size": 0}).json()["estimate"]
        self.assertGreater(large["flops_per_step"], 150 * small["flops_per_step"])

    def refuse_import(self, change, reason):
        folder = self.service.folder / f"bad-{random.randrange(10**9)}"
        shutil.copytree(self.source, folder)
        change(folder)
        self.refused(self.service.post("/datasets", {"name": "bad", "path": str(folder)}), "path",
                     reason)
        self.assertEqual(self.service.get("/datasets/bad").status, 404)
        shutil.rmtree(folder)

    def test_bad_folders(self):
        def break_two(folder):
            (folder / "train" / "red" / "photo.JPG").write_bytes(b"\xff\xd8\xff no picture")
            (folder / "train" / "blue" / "0.png").write_bytes(b"")

        def single(folder):
            for split in ["train", "val"]:
                shutil.rmtree(folder / split / "red")
                shutil.rmtree(folder / split / "green")

        def link(folder):
            (folder / "train" / "red" / "l.png").symlink_to("/etc/passwd")

        def link_out(folder):
            shutil.rmtree(folder / "val")
            (folder / "val").symlink_to("/usr")
        self.refuse_import(break_two, "2 of 31 pictures cannot be used; repair or remove them: "
                                      "blue/0.png: the file is neither JPEG nor PNG")
        self.refuse_import(single, "there is a single class, \"blue\"")
        self.refuse_import(link, "train/red/l.png is a link")
        self.refuse_import(link_out, "/val/ is a link or lies behind one")

    def test_damage_after_import_fails_the_job_with_the_picture(self):
        self.service.import_dataset("damaged", self.source)
        blob = self.service.data / "datasets" / "damaged" / "train.safetensors"
        bytes_ = bytearray(blob.read_bytes())
        bytes_[-1] ^= 1
        blob.unlink()  # data sets of the same pictures share the file
        blob.write_bytes(bytes_)
        job = self.service.wait_for_job(self.post_job(dataset="damaged").json()["id"])
        self.assertEqual(job["state"], "failed", job)
        self.assertIn("train.safetensors: picture 30: its bytes have changed",
                      job["error"]["message"])


def cpu_s(pid):
    """What a process has computed so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Stopped(ServiceCase):
    def test_import_does_not_hold_up_the_end(self):
        service = self.start("serve", redis=self.redis.url, drain_ms=60000)
        folder = image_files.save_images(service.folder / "many")
        large = folder / "train" / "red" / "large.png"
        large.write_bytes(png(2500, 2500, bytes(2500 * 2500 * 3)))
        for i in range(300 * os.cpu_count()):  # ten seconds of decoding, however many there are
            (folder / "train" / "red" / f"{i}-again.png").hardlink_to(large)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(
            service.post("/datasets", {"name": "many", "path": str(folder)})))
        idle = cpu_s(service.process.pid)
        thread.start()
        wait_until(lambda: cpu_s(service.process.pid) > idle + 0.5, what="the import under way")
        service.stop()
        thread.join()
        self.assertEqual(answers[0].status, 503, answers)
        self.assertFalse((service.data / "datasets" / "many").exists())

    def setUp(self):
        self.redis = Redis()
        self.redis.__enter__()
        self.addCleanup(self.redis.__exit__)


if __name__ == "__main__":
    unittest.main()
