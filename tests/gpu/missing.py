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


if __name__ == "__main__":
    result = unittest.main(exit=False).result
    sys.exit(not result.wasSuccessful())
