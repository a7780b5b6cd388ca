#!/usr/bin/python3
"""Writes resize.safetensors: pictures and what PIL's Image.resize(BILINEAR) makes of them.

Run it with Debian's python3-pil and python3-numpy; the versions used are in the file's metadata.
A case NAME has NAME.in [h,w,c] and NAME.out [h,w,c], both u8; differing channels mean that the
picture was converted first ("L" by Rec. 601, or "RGB").
"""

import pathlib
import sys

import numpy
import PIL
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from tensor_file import save  # noqa: E402

NOTES = {"pillow": PIL.__version__, "numpy": numpy.__version__}

CASES = {  # name: in height, width, channels; out height, width, channels
    "same": (7, 9, 3, 7, 9, 3),
    "half": (16, 12, 3, 8, 6, 3),
    "shrink": (37, 53, 3, 13, 11, 3),
    "much": (61, 83, 1, 4, 3, 1),
    "grow": (5, 7, 3, 16, 17, 3),
    "mixed": (40, 6, 1, 11, 19, 1),
    "row": (1, 50, 3, 8, 8, 3),
    "column": (50, 1, 1, 8, 8, 1),
    "pixel": (1, 1, 3, 3, 4, 3),
    "to_pixel": (33, 21, 3, 1, 1, 3),
    "to_grey": (30, 30, 3, 28, 28, 1),
    "to_rgb": (28, 28, 1, 32, 32, 3),
    "width_only": (12, 31, 3, 12, 10, 3),
    "height_only": (31, 12, 3, 10, 12, 3),
}


def picture(rng, height, width, channels):
    """Half noise, half extremes, so that clipping and rounding matter."""
    noise = rng.integers(0, 256, (height, width, channels))
    extremes = 255 * rng.integers(0, 2, (height, width, channels))
    return numpy.where(rng.random((height, width, 1)) < 0.5, noise, extremes).astype(numpy.uint8)


def resized(pixels, height, width, channels):
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    image = image.convert("L" if channels == 1 else "RGB")
    return numpy.asarray(image.resize((width, height), Image.BILINEAR)).reshape(
        height, width, channels)


def main():
    rng = numpy.random.default_rng(1)
    tensors = {}
    for name, (h, w, c, height, width, channels) in CASES.items():
        tensors[name + ".in"] = picture(rng, h, w, c)
        tensors[name + ".out"] = resized(tensors[name + ".in"], height, width, channels)
    save(pathlib.Path(__file__).parent / "resize.safetensors", tensors, NOTES)


if __name__ == "__main__":
    main()
