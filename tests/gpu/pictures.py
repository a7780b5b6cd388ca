"""pictures.py FOLDER: a data set of CIFAR's shape, of random pictures that a network can tell apart."""

import pathlib
import sys

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from pytorch import safetensors_io  # noqa: E402


def split(count, seed):
    draw = numpy.random.default_rng(seed)
    labels = draw.integers(0, 100, count)
    images = draw.integers(0, 156, (count, 32, 32, 3)) + labels[:, None, None, None]
    return {"images": images.astype("uint8"), "labels": labels.astype("int64")}


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    safetensors_io.save(folder / "train.safetensors", split(2000, 1))
    safetensors_io.save(folder / "test.safetensors", split(500, 2))


main()
