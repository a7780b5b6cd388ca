"""What device=cuda says where there is no GPU, and that it is one sentence."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path(os.environ["DISTILL_BUILD"])
MODULE = "libdistill_cuda.so"
PLANS = BUILD / "tests" / "test_gpu_plans"
PROPERTIES = pathlib.Path(__file__).resolve().parent / "h100.json"
SKIPPED = 77


def ask(program, **environment):
    command = [program, "bench", "device=cuda", "student=resnet8", "steps=1"]
    return subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, **environment})


class Missing(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name) / "bin"
        self.folder.mkdir()
        shutil.copy(BUILD / "distill", self.folder)

    def sentence(self, **environment):
        result = ask(self.folder / "distill", **environment)
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertEqual(result.stdout, "")
        return result.stderr

    def test_without_module(self):
        self.assertIn(f"{MODULE} is not beside this program", self.sentence())

    def test_broken_module(self):
        (self.folder / MODULE).write_bytes(b"no library")
        self.assertIn(MODULE, self.sentence())

    def test_foreign_module(self):
        other = next(pathlib.Path("/").glob("lib/*/libm.so.6"), None)
        if not other:
            self.skipTest("there is no library to put in its place")
        shutil.copy(other, self.folder / MODULE)
        self.assertIn("another version", self.sentence())

    def test_without_gpu(self):
        if not (BUILD / MODULE).exists():
            self.skipTest("the module is not built here")
        (self.folder.parent / "lib").mkdir()
        shutil.copy(BUILD / MODULE, self.folder.parent / "lib")
        if ask(self.folder / "distill").returncode == 0:
            self.skipTest("there is a GPU")
        self.assertRegex(self.sentence(), "device=cuda needs lib[a-zA-Z.0-9]+, which was not found; "
                         "|device=cuda: looking for a GPU: |device=cuda: the driver shows no GPU")


class MissingLibrary(unittest.TestCase):
    """cuBLASLt and cuDNN are looked for behind the driver, so a program asks that needs none."""

    def setUp(self):
        if not PLANS.exists():
            self.skipTest("the module is not built here")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.other = next(pathlib.Path("/").glob("lib/*/libm.so.6"), None)
        if not self.other:
            self.skipTest("there is no library to put in its place")

    def sentence(self):
        """What is said where libraries are in this folder alone."""
        environment = {"DISTILL_LIBRARY_PATH": str(self.folder), "PATH": "/nowhere"}
        result = subprocess.run([PLANS, PROPERTIES], capture_output=True, text=True, check=False,
                                env=environment)
        if result.returncode != SKIPPED:
            self.skipTest("the libraries are installed here")
        self.assertEqual(result.stdout.count("\n"), 1, result.stdout)
        self.assertEqual(result.stderr, "")
        return result.stdout

    def test_without_cublaslt(self):
        self.assertIn("device=cuda needs libcublasLt.so.13, which was not found; cuBLAS 13 (",
                      self.sentence())

    def test_foreign_cublaslt(self):
        shutil.copy(self.other, self.folder / "libcublasLt.so.13")
        self.assertRegex(self.sentence(), "device=cuda: there is no cublasLtCreate: .*libcublasLt")


if __name__ == "__main__":
    result = unittest.main(exit=False).result
    sys.exit(not result.wasSuccessful())
