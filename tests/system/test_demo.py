#!/usr/bin/env python3
"""clients/demo.sh on a small data set: its output, its last line, and how it fails.

Usage: DISTILL=build/distill DISTILLD=build/distilld test_demo.py [unittest arguments]
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.request

from material import write_dataset
from service import ROOT, executable, wait_until

if "DISTILLD" not in os.environ or not shutil.which("jq"):
    print("skipped: needs the service and jq")
    sys.exit(77)


class Demo(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="distill-demo-"))
        self.addCleanup(shutil.rmtree, self.folder)
        for name in ("distill", "distilld"):
            (self.folder / name).symlink_to(pathlib.Path(executable(name)).resolve())

    def demo(self, dataset):
        environment = {**os.environ, "DISTILL_BUILD": str(self.folder),
                       "DISTILL_DATASET": str(dataset)}
        done = subprocess.run([ROOT / "clients/demo.sh"], capture_output=True, text=True,
                              env=environment, timeout=240)
        self.assert_nothing_runs()
        return done

    def assert_nothing_runs(self):
        listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
        self.assertNotIn(str(self.folder), listing.stdout)

    def test_to_the_end(self):
        done = self.demo(write_dataset(self.folder / "tiny"))
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        *lines, last = done.stdout.splitlines()
        result = json.loads(last)
        self.assertEqual(list(result), ["teacher_top1", "plain_top1", "distilled_top1", "predicted",
                                        "expected", "seconds"])
        for name in ("teacher_top1", "plain_top1", "distilled_top1"):
            self.assertTrue(0 <= result[name] <= 1, result)
        self.assertEqual(result["expected"], "ant")
        self.assertIn(result["predicted"], ("ant", "bee", "cat", "dog"))
        for name in ("teacher", "plain", "distilled"):
            self.assertTrue(any(line.startswith(f"{name}: epoch 2 of 2") for line in lines), lines)

    def test_twice_in_the_same_place(self):
        dataset = write_dataset(self.folder / "tiny")
        first, second = (json.loads(self.demo(dataset).stdout.splitlines()[-1]) for _ in range(2))
        del first["seconds"], second["seconds"]
        self.assertEqual(first, second)

    def test_broken_data_set(self):
        dataset = write_dataset(self.folder / "tiny")
        os.truncate(dataset / "test.safetensors", 100)
        done = self.demo(dataset)
        self.assertEqual(done.returncode, 1)
        self.assertIn("POST /datasets", done.stderr)
        self.assertIn("test.safetensors", done.stderr)
        self.assertNotIn("teacher_top1", done.stdout)

    def test_job_that_ends_otherwise(self):
        """Somebody cancels the first job while the demo waits for it."""
        dataset = write_dataset(self.folder / "tiny", train=20000)  # many seconds of work
        canceller = threading.Thread(target=self.cancel_first_job)
        canceller.start()
        done = self.demo(dataset)
        canceller.join()
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stderr, r"^demo: job job_\w+ \(teacher\) cancelled")
        self.assertNotIn("teacher_top1", done.stdout)

    def cancel_first_job(self):
        ready = self.folder / "demo-data/ready"
        wait_until(lambda: ready.exists() and ready.read_text().endswith("\n"), what="service")
        url = ready.read_text().split()[-1]

        def first_job():
            with urllib.request.urlopen(f"{url}/jobs", timeout=10) as answer:
                return [job["id"] for job in json.load(answer)["items"]]
        job = wait_until(first_job, what="job")[0]
        wish = urllib.request.Request(f"{url}/jobs/{job}/cancel", method="POST")
        urllib.request.urlopen(wish, timeout=10).close()


if __name__ == "__main__":
    unittest.main()
