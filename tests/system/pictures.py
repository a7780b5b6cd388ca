"""Small pictures that a network learns within seconds, as data sets and as PNG files.

A picture of class c is noise with one bright quadrant, the c-th of four.
"""

import json
import pathlib
import random
import struct
import zlib

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
    def chunk(kind, body):
        return (struct.pack(">I", len(body)) + kind + body
                + struct.pack(">I", zlib.crc32(kind + body)))
    pixels, row = draw(label, random.Random(seed)), SIDE * CHANNELS
    rows = b"".join(b"\0" + pixels[y * row:(y + 1) * row] for y in range(SIDE))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def save_tensors(path, tensors):
    """Writes a safetensors file of {name: (type, shape, bytes)}."""
    header, blob = {}, b""
    for name, (kind, shape, data) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape,
                        "data_offsets": [len(blob), len(blob) + len(data)]}
        blob += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + blob)


def save_split(path, count, seed):
    source = random.Random(seed)
    labels = [i % len(CLASSES) for i in range(count)]
    images = b"".join(draw(label, source) for label in labels)
    save_tensors(path, {"images": ("U8", [count, SIDE, SIDE, CHANNELS], images),
                        "labels": ("I64", [count], struct.pack(f"<{count}q", *labels))})


def save_dataset(folder, train=256, test=64):
    """A data set that `distilld` and `distill` read; returns its folder."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    save_split(folder / "train.safetensors", train, 1)
    save_split(folder / "test.safetensors", test, 2)
    (folder / "classes.txt").write_text("".join(name + "\n" for name in CLASSES))
    return folder
