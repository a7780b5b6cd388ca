"""What tests of the command line share: files to give to `distill`, and ways to run it."""

import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

import pictures
from material import tensors_of, write_tensors

DISTILL = os.environ["DISTILL"]
CLASSES = len(pictures.CLASSES)
TYPES = {"U8": "B", "I64": "q", "I32": "i", "F32": "f"}


def save_tensors(path, tensors):
    """Writes a safetensors file of {name: (type, shape, flat values)}."""
    write_tensors(path, {name: (kind, shape, struct.pack(f"<{len(values)}{TYPES[kind]}", *values))
                         for name, (kind, shape, values) in tensors.items()})


def load_tensors(path):
    """Reads a safetensors file as {name: (shape, flat values)}."""
    tensors, _ = tensors_of(pathlib.Path(path).read_bytes())
    return {name: (shape, tuple(memoryview(data).cast(TYPES[kind])))
            for name, (kind, shape, data) in tensors.items()}


class Case(unittest.TestCase):
    """A folder of its own for each test, and ways to run the program."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="distill-cli-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def distill(self, *arguments, **environment):
        return subprocess.run([DISTILL, *map(str, arguments)], capture_output=True, text=True,
                              timeout=240, env={**os.environ, **environment})

    def succeed(self, *arguments):
        result = self.distill(*arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def refuse(self, code, part, *arguments, **environment):
        """One line on stderr that names the command and holds part; nothing on stdout."""
        result = self.distill(*arguments, **environment)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertTrue(result.stderr.startswith("distill"), result.stderr)
        self.assertIn(part, result.stderr)
        self.assertEqual(result.stdout, "")

    def make_dataset(self):
        return pictures.save_dataset(self.folder / "data", 56, 20)

    def train_arguments(self, out, **changes):
        fields = {"student": "resnet8", "dataset": self.folder / "data", "out": self.folder / out,
                  "method": "ce", "epochs": 2, "batch_size": 16, "learning_rate": 0.05,
                  "schedule": "constant", "augment": "none", "device": "ref", "threads": 1}
        fields.update(changes)
        return [f"{name}={value}" for name, value in fields.items()]
