#!/usr/bin/python3
"""Writes small JPEG and PNG files of every kind, and pictures.safetensors with what they show.

Run it with Debian's python3-pil and python3-numpy; the versions used are in the file's metadata.
A tensor "NAME" [h,w,c] u8 is what PIL makes of the file NAME: upright, alpha over black, as grey
or RGB. `interlaced.png`, `grey16.png` and `text_bomb.png` are put together here: PIL writes no
such files.
"""

import pathlib
import struct
import sys
import zlib

import numpy
import PIL
from PIL import Image, ImageOps

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from pytorch.safetensors_io import save  # noqa: E402

NOTES = {"pillow": PIL.__version__, "numpy": numpy.__version__}

# PIL reads 16 bits another way and refuses the bomb; both pictures are known without it.
UNREADABLE = ("grey16.png", "text_bomb.png")
HERE = pathlib.Path(__file__).parent


def scene(height, width):
    """Smooth colours with an edge, and no symmetry that would hide a wrong orientation."""
    y, x = numpy.mgrid[0:height, 0:width]
    red = 255 * y // (height - 1)
    green = 255 * x // (width - 1)
    blue = numpy.where((x > width // 2) & (y < height // 3), 250, 20)
    return numpy.stack([red, green, blue], 2).astype(numpy.uint8)


def chunk(name, data):
    return (struct.pack(">I", len(data)) + name + data
            + struct.pack(">I", zlib.crc32(name + data)))


def png(width, height, depth, color, interlace, rows, extra=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra
            + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def adam7(pixels):
    rows = b""
    for y0, x0, dy, dx in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2),
                           (0, 1, 2, 2), (1, 0, 2, 1)):
        for row in pixels[y0::dy, x0::dx]:
            if row.size:
                rows += b"\0" + row.tobytes()
    return rows


def exif(orientation):
    out = Image.Exif()
    out[0x0112] = orientation
    return out


def write_files():
    rgb = Image.fromarray(scene(17, 22))
    rgb.save(HERE / "rgb.jpg", quality=90)
    rgb.save(HERE / "full_chroma.jpg", quality=95, subsampling=0)
    rgb.save(HERE / "progressive.jpg", quality=85, progressive=True)
    rgb.convert("L").save(HERE / "grey.jpg", quality=90)
    rgb.convert("CMYK").save(HERE / "cmyk.jpg", quality=95)
    for orientation in range(1, 9):
        rgb.save(HERE / f"exif{orientation}.jpg", quality=90, exif=exif(orientation))
    rgb.save(HERE / "rgb.png")
    rgb.convert("L").save(HERE / "grey.png")
    rgb.convert("1").save(HERE / "bits.png")
    rgb.quantize(7).save(HERE / "palette.png")
    rgb.save(HERE / "exif6.png", exif=exif(6))
    alpha = Image.fromarray((numpy.arange(17 * 22) * 7 % 256).astype(numpy.uint8).reshape(17, 22))
    rgba = rgb.copy()
    rgba.putalpha(alpha)
    rgba.save(HERE / "rgba.png")
    Image.merge("LA", (rgb.convert("L"), alpha)).save(HERE / "grey_alpha.png")
    rgb.quantize(7).save(HERE / "palette_transparent.png", transparency=2)
    pixels = scene(17, 22)
    (HERE / "interlaced.png").write_bytes(png(22, 17, 8, 2, 1, adam7(pixels)))
    grey16 = (scene(17, 22)[:, :, 0].astype(">u2") << 8) + 129
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in grey16)
    (HERE / "grey16.png").write_bytes(png(22, 17, 16, 0, 0, rows))
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(8 << 20), 9))
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    (HERE / "text_bomb.png").write_bytes(png(22, 17, 8, 2, 0, rows, bomb))
    return grey16


def shown(path):
    """The picture upright, over black, as array [h,w,c]."""
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode in ("RGBA", "LA") or "transparency" in image.info:
        image = image.convert("RGBA" if image.mode != "LA" else "LA")
        pixels = numpy.asarray(image).astype(numpy.int64)
        color, alpha = pixels[:, :, :-1], pixels[:, :, -1:]
        return ((color * alpha + 127) // 255).astype(numpy.uint8)
    image = image.convert("L" if image.mode in ("L", "1") else "RGB")
    pixels = numpy.asarray(image)
    return pixels.reshape(pixels.shape[0], pixels.shape[1], -1)


def main():
    grey16 = write_files()
    tensors = {path.name: shown(path) for path in sorted(HERE.iterdir())
               if path.suffix in (".jpg", ".png") and path.name not in UNREADABLE}
    tensors["text_bomb.png"] = scene(17, 22)
    tensors["grey16.png"] = (grey16 >> 8).astype(numpy.uint8)[:, :, None]
    save(HERE / "pictures.safetensors", tensors, NOTES)


if __name__ == "__main__":
    main()
