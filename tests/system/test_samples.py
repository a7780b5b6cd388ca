#!/usr/bin/env python3
"""Pictures of data sets as GET /datasets/{name}/samples shows them, pixel for pixel."""

import base64
import random
import struct
import unittest
import zlib

import image_files
from material import add_dataset, png, split_of, write_tensors
from service import Redis, ServiceCase

SIDE = 8


def paeth(a, b, c):
    distances = [(abs(b - c), a), (abs(a - c), b), (abs(a + b - 2 * c), c)]
    return min(distances, key=lambda pair: pair[0])[1]


def decode(file):
    """Height, width, channels and pixels of an 8-bit PNG file."""
    assert file[:8] == b"\x89PNG\r\n\x1a\n"
    place, data, header = 8, b"", None
    while place < len(file):
        size, kind = struct.unpack(">I4s", file[place:place + 8])
        body = file[place + 8:place + 8 + size]
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        data += body if kind == b"IDAT" else b""
        place += size + 12
    width, height, depth, colour = header[:4]
    assert depth == 8 and header[6] == 0
    n = {0: 1, 2: 3}[colour]
    raw, before, pixels = zlib.decompress(data), bytes(width * n), b""
    for y in range(height):
        kind, row = raw[y * (width * n + 1)], bytearray()
        for x, value in enumerate(raw[y * (width * n + 1) + 1:(y + 1) * (width * n + 1)]):
            a = row[x - n] if x >= n else 0
            b, c = before[x], before[x - n] if x >= n else 0
            row.append(value + [0, a, b, (a + b) // 2, paeth(a, b, c)][kind] & 255)
        before = bytes(row)
        pixels += before
    return height, width, n, pixels


class SamplesTest(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.redis = Redis().start()
        cls.addClassCleanup(cls.redis.stop)
        cls.service = cls.start("serve", redis=cls.redis.url, device="ref")
        add_dataset(cls.service, side=SIDE)
        cls.images = image_files.save_images(cls.service.folder / "tints")
        (cls.images / "val" / "red" / "wide.png").write_bytes(
            png(600, 100, bytes([200, 30, 10]) * 60000))
        cls.service.import_dataset("tints", cls.images)

    def samples(self, name, query=""):
        answer = self.service.get(f"/datasets/{name}/samples{query}")
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def test_pixels_are_those_that_were_imported(self):
        for split, seed, count in (("train", 1, 128), ("test", 2, 32)):
            stored = split_of(count, SIDE, seed)["images"][2]
            page = self.samples("tiny", f"?split={split}&limit=64&offset=5")
            self.assertEqual(page["count"], count)
            self.assertEqual(len(page["items"]), min(64, count - 5))
            for i, item in enumerate(page["items"], 5):
                self.assertEqual((item["offset"], item["index"], item["label"]),
                                 (i, i % 4, ["ant", "bee", "cat", "dog"][i % 4]))
                height, width, channels, pixels = decode(base64.b64decode(item["image"]))
                self.assertEqual((height, width, channels), (SIDE, SIDE, 3))
                self.assertEqual((item["height"], item["width"]), (SIDE, SIDE))
                self.assertEqual(pixels, stored[i * len(pixels):(i + 1) * len(pixels)])

    def test_pages(self):
        page = self.samples("tiny")
        self.assertEqual((len(page["items"]), page["next"], page["count"]), (8, 8, 128))
        offset, seen = 0, []
        while offset is not None:
            page = self.samples("tiny", f"?split=test&limit=10&offset={offset}")
            seen += [item["offset"] for item in page["items"]]
            offset = page["next"]
        self.assertEqual(seen, list(range(32)))
        self.assertEqual(self.samples("tiny", "?offset=128"),
                         {"items": [], "count": 128, "next": None})

    def test_pictures_of_files(self):
        shown = self.samples("tints", "?split=test&limit=20")["items"]
        self.assertEqual(len(shown), 13)
        sizes = set()
        for item in shown:
            height, width, channels, pixels = decode(base64.b64decode(item["image"]))
            self.assertEqual((height, width, channels), (item["height"], item["width"], 3))
            self.assertEqual(image_files.CLASSES[item["index"]], item["label"])
            means = [sum(pixels[c::3]) for c in range(3)]
            self.assertEqual(means.index(max(means)), image_files.CHANNEL[item["label"]])
            sizes.add((height, width))
        self.assertIn((42, 256), sizes)  # 100 x 600, made smaller
        source = random.Random(2)
        first = [image_files.tinted(image_files.CLASSES[i % 3], source) for i in range(12)]
        self.assertIn(decode(first[0])[:2], sizes)

    def test_grey_pictures(self):
        folder = self.service.folder / "grey"
        folder.mkdir()
        pixels = bytes(range(2 * 3 * 3))
        split = {"images": ("U8", [2, 3, 3, 1], pixels),
                 "labels": ("I64", [2], struct.pack("<2q", 0, 1))}
        for name in ("train", "test"):
            write_tensors(folder / f"{name}.safetensors", split)
        self.service.import_dataset("grey", folder)
        item = self.samples("grey", "?offset=1")["items"][0]
        self.assertEqual(decode(base64.b64decode(item["image"])), (3, 3, 1, pixels[9:]))

    def test_what_is_refused(self):
        for query, field in (("limit=0", "limit"), ("limit=65", "limit"), ("offset=-1", "offset"),
                             ("split=val", "split"), ("offset=x", "offset"), ("more=1", "more")):
            answer = self.service.get(f"/datasets/tiny/samples?{query}")
            self.assertEqual(answer.status, 422, answer)
            self.assertEqual([error["field"] for error in answer.json()["errors"]], [field])
        for name in ("none", ".tmp-abc", "A"):
            self.assertEqual(self.service.get(f"/datasets/{name}/samples").status, 404)

    def test_a_damaged_file_is_found(self):
        add_dataset(self.service, "hurt")
        path = self.service.data / "datasets" / "hurt" / "train.safetensors"
        data = bytearray(path.read_bytes())
        data[-1000] ^= 1
        path.unlink()  # data sets of the same pictures share the file
        path.write_bytes(data)
        answer = self.service.get("/datasets/hurt/samples")
        self.assertEqual((answer.status, answer.json()["type"].split(":")[-1]), (500, "corrupt"))


if __name__ == "__main__":
    unittest.main()
