#!/usr/bin/python3
"""Writes ops.safetensors: pictures and what PIL makes of them with the ops of RandAugment.

Run it with Debian's python3-pil and python3-numpy; the versions used are in the file's metadata.
PICTURE is u8 [h,w,c]; PICTURE.OP.I is what OP makes of it with the value numbers[I] of OP.values
(f64). The ops are written as in timm's list of increasing strength; SolarizeAdd, which PIL lacks,
is a table of levels.
"""

import pathlib
import sys

import numpy
import PIL
from PIL import Image, ImageEnhance, ImageOps

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from pytorch.safetensors_io import save  # noqa: E402

NOTES = {"pillow": PIL.__version__, "numpy": numpy.__version__}
FILL = (124, 116, 104)  # ImageNet's mean


def fill_of(image):
    return FILL if image.mode == "RGB" else FILL[0]


def affine(image, *matrix):
    return image.transform(image.size, Image.AFFINE, matrix, resample=Image.BICUBIC,
                           fillcolor=fill_of(image))


def enhanced(kind):
    return lambda image, value: kind(image).enhance(1 + value)


def solarize_add(image, value):
    table = [min(255, i + int(value)) if i < 128 else i for i in range(256)]
    return image.point(table * len(image.getbands()))


OPS = {  # name: function of picture and value, values
    "auto_contrast": (lambda image, _: ImageOps.autocontrast(image), [0]),
    "equalize": (lambda image, _: ImageOps.equalize(image), [0]),
    "invert": (lambda image, _: ImageOps.invert(image), [0]),
    "rotate": (lambda image, value: image.rotate(value, resample=Image.BICUBIC,
                                                 fillcolor=fill_of(image)), [27, -13.7, 0]),
    "posterize": (lambda image, value: ImageOps.posterize(image, int(numpy.ceil(value))),
                  [4, 2.2, 0.4]),
    "solarize": (lambda image, value: ImageOps.solarize(image, value), [256, 25.6, 0]),
    "solarize_add": (solarize_add, [0, 99, 56.7]),
    "color": (enhanced(ImageEnhance.Color), [0.81, -0.81, 0, -0.9]),
    "contrast": (enhanced(ImageEnhance.Contrast), [0.81, -0.81, 0]),
    "brightness": (enhanced(ImageEnhance.Brightness), [0.81, -0.81, 0]),
    "sharpness": (enhanced(ImageEnhance.Sharpness), [0.81, -0.81, 0]),
    "shear_x": (lambda image, value: affine(image, 1, value, 0, 0, 1, 0), [0.27, -0.3]),
    "shear_y": (lambda image, value: affine(image, 1, 0, 0, value, 1, 0), [0.27, -0.3]),
    "translate_x": (lambda image, value: affine(image, 1, 0, value * image.size[0], 0, 1, 0),
                    [0.405, -0.13]),
    "translate_y": (lambda image, value: affine(image, 1, 0, 0, 0, 1, value * image.size[1]),
                    [0.405, -0.13]),
}


def pictures():
    """Waves with noise, in part flat, of middle contrast; grey; a picture of one color."""
    rng = numpy.random.default_rng(3)
    y, x = numpy.mgrid[0:23, 0:31]
    waves = numpy.stack([numpy.sin(x / 3 + c) + numpy.cos(y / 4 - c) for c in range(3)], axis=2)
    color = 120 + 45 * waves + rng.normal(0, 9, waves.shape)
    color[5:9, 4:20] = (200, 30, 90)
    color = color.clip(0, 255).astype(numpy.uint8)
    return {"color": color, "grey": color[2:15, 3:20, :1].copy(),
            "flat": numpy.full((4, 5, 3), (7, 130, 255), numpy.uint8)}


def main():
    tensors = {}
    for name, pixels in pictures().items():
        tensors[name] = pixels
        image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
        for op, (function, values) in OPS.items():
            for i, value in enumerate(values):
                out = numpy.asarray(function(image, value)).reshape(pixels.shape)
                tensors[f"{name}.{op}.{i}"] = out
    for op, (_, values) in OPS.items():
        tensors[op + ".values"] = numpy.float64(values)
    save(pathlib.Path(__file__).parent / "ops.safetensors", tensors, NOTES)


if __name__ == "__main__":
    main()
