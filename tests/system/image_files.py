"""Folders of PNG and JPEG files of different sizes, for data sets that are not of a fixed size."""

import pathlib
import random
import shutil

from material import png

ROOT = pathlib.Path(__file__).resolve().parents[2]
JPEG = ROOT / "tests" / "golden" / "pictures" / "rgb.jpg"
CLASSES = ["blue", "green", "red"]
CHANNEL = {"red": 0, "green": 1, "blue": 2}


def tinted(name, source):
    """Noise in which the colour that the class is called prevails, of some size, as PNG."""
    height, width = source.randrange(17, 40), source.randrange(17, 40)
    pixels = bytes(source.randrange(120, 256) if c == CHANNEL[name] else source.randrange(0, 130)
                   for _ in range(height * width) for c in range(3))
    return png(width, height, pixels)


def save_split(folder, count, seed):
    source = random.Random(seed)
    for i in range(count):
        name = CLASSES[i % len(CLASSES)]
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f"{i}.png").write_bytes(tinted(name, source))


def save_images(folder, train=30, test=12):
    """train/ and val/ with a folder a class; returns the folder."""
    folder = pathlib.Path(folder)
    save_split(folder / "train", train, 1)
    save_split(folder / "val", test, 2)
    shutil.copy(JPEG, folder / "train" / "red" / "photo.JPG")
    return folder
