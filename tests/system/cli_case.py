"""What tests of the command line share: files to give to `distill`, and ways to run it."""

import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import tempfile
import unittest
import zlib

DISTILL = os.environ["DISTILL"]
SIDE, CHANNELS, CLASSES = 8, 3, 4
TYPES = {"U8": "B", "I64": "q", "I32": "i", "F32": "f"}


def save_tensors(path, tensors):
    """Writes a safetensors file of {name: (type, shape, flat values)}."""
    header, blob = {}, b""
    for name, (kind, shape, values) in tensors.items():
        data = struct.pack(f"<{len(values)}{TYPES[kind]}", *values)
        header[name] = {"dtype": kind, "shape": shape,
                        "data_offsets": [len(blob), len(blob) + len(data)]}
        blob += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + blob)


def load_tensors(path):
    """Reads a safetensors file as {name: (shape, flat values)}."""
    data = pathlib.Path(path).read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, entry in json.loads(data[8:start]).items():
        if name != "__metadata__":
            begin, end = (start + offset for offset in entry["data_offsets"])
            code = TYPES[entry["dtype"]]
            count = (end - begin) // struct.calcsize(code)
            tensors[name] = (entry["shape"], struct.unpack(f"<{count}{code}", data[begin:end]))
    return tensors


def save_png(path, height, width, pixels):
    """Writes an RGB picture of height * width * 3 bytes."""
    def chunk(kind, body):
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc
    rows = b"".join(b"\0" + bytes(pixels[y * width * 3:(y + 1) * width * 3])
                    for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pathlib.Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
                                   + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def draw_picture(source, label):
    """A noisy picture whose bright quadrant is its class."""
    pixels = []
    for y in range(SIDE):
        for x in range(SIDE):
            bright = (y >= SIDE // 2) * 2 + (x >= SIDE // 2) == label
            pixels += [source.randrange(160, 256) if bright else source.randrange(0, 96)
                       for _ in range(CHANNELS)]
    return pixels


def save_split(path, count, seed):
    source = random.Random(seed)
    labels = [i % CLASSES for i in range(count)]
    pixels = [value for label in labels for value in draw_picture(source, label)]
    save_tensors(path, {"images": ("U8", [count, SIDE, SIDE, CHANNELS], pixels),
                        "labels": ("I64", [count], labels)})


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
        data = self.folder / "data"
        data.mkdir()
        save_split(data / "train.safetensors", 56, 1)
        save_split(data / "test.safetensors", 20, 2)
        (data / "classes.txt").write_text("".join(f"corner {i}\n" for i in range(CLASSES)))
        return data

    def train_arguments(self, out, **changes):
        fields = {"student": "resnet8", "dataset": self.folder / "data", "out": self.folder / out,
                  "method": "ce", "epochs": 2, "batch_size": 16, "learning_rate": 0.05,
                  "schedule": "constant", "augment": "none", "device": "ref", "threads": 1}
        fields.update(changes)
        return [f"{name}={value}" for name, value in fields.items()]
