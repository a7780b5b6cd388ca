"""Small pictures that a network learns within seconds, as data sets and as PNG files.

A picture of class c is noise with one bright quadrant, the c-th of four.
"""

import pathlib
import random
import struct

import material

SIDE, CHANNELS = 8, 3
CLASSES = ["top left", "top right", "bottom left", "bottom right"]


def draw(label, source):
    """The bytes of one picture [SIDE, SIDE, CHANNELS]."""
    half = SIDE // 2
    return bytes(source.randrange(160, 256) if 2 * (y >= half) + (x >= half) == label
                 else source.randrange(0, 96)
                 for y in range(SIDE) for x in range(SIDE) for _ in range(CHANNELS))


def png(label, seed=99):
    """A picture of that class as a PNG file."""
    return material.png(SIDE, SIDE, draw(label, random.Random(seed)))


def save_split(path, count, seed):
    source = random.Random(seed)
    labels = [i % len(CLASSES) for i in range(count)]
    images = b"".join(draw(label, source) for label in labels)
    material.write_tensors(path, {"images": ("U8", [count, SIDE, SIDE, CHANNELS], images),
                                  "labels": ("I64", [count], struct.pack(f"<{count}q", *labels))})


def save_dataset(folder, train=256, test=64):
    """A data set that `distilld` and `distill` read; returns its folder."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    save_split(folder / "train.safetensors", train, 1)
    save_split(folder / "test.safetensors", test, 2)
    (folder / "classes.txt").write_text("".join(name + "\n" for name in CLASSES))
    return folder


def add_dataset(service, name="quadrants"):
    """Saves a data set and imports it under its folder's name; the answer to that."""
    return service.import_dataset(name, save_dataset(service.folder / name))
