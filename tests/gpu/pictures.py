"""pictures.py FOLDER [TRAIN TEST]: a data set of CIFAR's shape with so many random pictures (2000 and
500) that a network can tell apart."""

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
    train, test = map(int, sys.argv[2:] or ("2000", "500"))
    safetensors_io.save(folder / "train.safetensors", split(train, 1))
    safetensors_io.save(folder / "test.safetensors", split(test, 2))


main()
