#!/usr/bin/python3
"""Writes resize.safetensors and crops.safetensors: pictures and what PIL makes of them.

Run it with Debian's python3-pil and python3-numpy; the versions used are in the files' metadata.
A case NAME has NAME.in [h,w,c] and NAME.out [h,w,c], both u8; differing channels mean that the
picture was converted first ("L" by Rec. 601, or "RGB"). resize.safetensors is of
Image.resize(BILINEAR). In crops.safetensors NAME.how, i32, says what was done: the filter (0
bilinear, 1 bicubic), the box that was cut (top, left, height, width), the size it was resized to
(height, width), and the box that was cut from that.
"""

import pathlib
import sys

import numpy
import PIL
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from pytorch.safetensors_io import save  # noqa: E402

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

CROPS = {  # name: in height, width, channels; filter; crop; size; window; out channels
    "bicubic_shrink": ((37, 53, 3), 1, (0, 0, 37, 53), (13, 11), (0, 0, 13, 11), 3),
    "bicubic_grow": ((5, 7, 3), 1, (0, 0, 5, 7), (16, 17), (0, 0, 16, 17), 3),
    "bicubic_same": ((9, 8, 1), 1, (0, 0, 9, 8), (9, 8), (0, 0, 9, 8), 1),
    "bicubic_mixed": ((40, 6, 1), 1, (0, 0, 40, 6), (11, 19), (0, 0, 11, 19), 1),
    "crop_bilinear": ((41, 47, 3), 0, (5, 9, 29, 31), (16, 16), (0, 0, 16, 16), 3),
    "crop_bicubic": ((41, 47, 3), 1, (5, 9, 29, 31), (16, 16), (0, 0, 16, 16), 3),
    "crop_corner": ((41, 47, 3), 1, (30, 40, 11, 7), (24, 24), (0, 0, 24, 24), 3),
    "crop_pixel": ((8, 8, 3), 1, (7, 7, 1, 1), (5, 4), (0, 0, 5, 4), 3),
    "crop_to_grey": ((33, 29, 3), 1, (2, 3, 20, 25), (14, 14), (0, 0, 14, 14), 1),
    "crop_to_rgb": ((33, 29, 1), 1, (2, 3, 20, 25), (14, 14), (0, 0, 14, 14), 3),
    "window_bilinear": ((60, 45, 3), 0, (0, 0, 60, 45), (42, 32), (7, 2, 28, 28), 3),
    "window_bicubic": ((45, 67, 3), 1, (0, 0, 45, 67), (32, 47), (2, 10, 28, 28), 3),
    "all": ((70, 80, 3), 1, (11, 13, 50, 49), (37, 33), (4, 8, 29, 21), 3),
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


def cut(image, box):
    top, left, height, width = box
    return image.crop((left, top, left + width, top + height))


def cropped(pixels, crop):
    _, pillow_filter, box, (height, width), window, channels = crop
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    image = cut(image.convert("L" if channels == 1 else "RGB"), box)
    image = image.resize((width, height), (Image.BILINEAR, Image.BICUBIC)[pillow_filter])
    return numpy.asarray(cut(image, window)).reshape(window[2], window[3], channels)


def crops():
    rng = numpy.random.default_rng(2)
    tensors = {}
    for name, crop in CROPS.items():
        _, pillow_filter, box, size, window, _ = crop
        tensors[name + ".in"] = picture(rng, *crop[0])
        tensors[name + ".out"] = cropped(tensors[name + ".in"], crop)
        tensors[name + ".how"] = numpy.int32([pillow_filter, *box, *size, *window])
    save(pathlib.Path(__file__).parent / "crops.safetensors", tensors, NOTES)


def main():
    rng = numpy.random.default_rng(1)
    tensors = {}
    for name, (h, w, c, height, width, channels) in CASES.items():
        tensors[name + ".in"] = picture(rng, h, w, c)
        tensors[name + ".out"] = resized(tensors[name + ".in"], height, width, channels)
    save(pathlib.Path(__file__).parent / "resize.safetensors", tensors, NOTES)
    crops()


if __name__ == "__main__":
    main()
