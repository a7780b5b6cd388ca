#!/usr/bin/env python3
"""Files that are broken, lie or are too much: pictures and data sets."""

import json
import os
import pathlib
import struct
import subprocess
import tempfile
import threading
import time
import unittest
import zlib

from material import (add_dataset, job, jpeg, picture, png, png_chunk, raw_tensors_file, split_of,
                      write_dataset, write_tensors)
from service import PATIENCE, Redis, ServiceCase, peak_kib

RSS_MAX_KIB = 64 * 1024  # what refusing a bomb may cost

# The address sanitizer keeps freed memory for a while; that is no leak.
os.environ.setdefault("ASAN_OPTIONS", "quarantine_size_mb=1")


def bomb(side):
    """A PNG file of side x side black pixels, a hundredth of their size."""
    squeezer = zlib.compressobj(1)
    line = bytes(1 + 3 * side)
    rows = b"".join(squeezer.compress(line) for _ in range(side)) + squeezer.flush()
    return png(side, side, None, rows)


def broken_pictures():
    good, grey = picture(1), jpeg()
    yield "nothing that is a picture", b"hello"
    yield "GIF", b"GIF89a" + bytes(100)
    for length in (8, 20, 33, 45, len(good) // 2, len(good) - 13):
        yield f"PNG cut to {length}", good[:length]
    for length in (2, 20, 100, len(grey) // 2, len(grey) - 3):
        yield f"JPEG cut to {length}", grey[:length]
    yield "wrong checksum", good[:-20] + bytes([good[-20] ^ 1]) + good[-19:]
    yield "rows missing", png(8, 8, None, zlib.compress(bytes(25 * 3)))
    yield "no zlib data", png(8, 8, None, b"not zlib data")
    yield "no pixels", png(0, 8, b"")
    yield "JPEG without pixels", jpeg(height=0)
    yield "unknown filter", png(2, 1, None, zlib.compress(b"\x09" + bytes(6)))
    yield "IEND first", b"\x89PNG\r\n\x1a\n" + png_chunk(b"IEND", b"")
    yield "a chunk of 4 GiB", good[:33] + struct.pack(">I", 0xFFFFFFFF) + good[37:]


class BadPicturesTest(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.service = cls.start(device="ref")
        add_dataset(cls.service)
        cls.model = cls.service.run_job(job())["model"]

    def tearDown(self):
        self.assertEqual(self.service.predict(self.model, [picture(0)]).status, 200)
        self.assertEqual(self.service.events("child_ended"), [])

    def raw(self, data, kind="image/png"):
        return self.service.post(f"/predict?model={self.model}", data,
                                 headers={"Content-Type": kind})

    def test_broken(self):
        for what, data in broken_pictures():
            with self.subTest(what):
                answer = self.raw(data)
                self.assertEqual((answer.status, answer.json()["type"]),
                                 (400, "urn:distilld:problem:malformed"), answer)
                answer = self.service.predict(self.model, [picture(0), data])
                self.assertEqual(answer.status, 422, answer)
                self.assertEqual([error["field"] for error in answer.json()["errors"]],
                                 ["images[1]"])

    def test_empty(self):
        self.assertEqual(self.raw(b"").status, 400)

    def test_the_content_decides(self):
        self.assertEqual(self.raw(jpeg(), "image/png").status, 200)
        self.assertEqual(self.raw(picture(0), "image/jpeg").status, 200)

    def test_bombs(self):
        """A file may be small and its picture not."""
        before = peak_kib(self.service.child("serve"))
        for what, data in (("6400 x 6400", bomb(6400)), ("huge", png(2 ** 31 - 1, 1, None, b"x")),
                           ("wide", png(20000, 1, bytes(60000))),
                           ("JPEG", jpeg(width=65500, height=65500))):
            with self.subTest(what):
                answer = self.raw(data)
                self.assertEqual((answer.status, answer.json()["type"]),
                                 (413, "urn:distilld:problem:too_large"), answer)
                self.assertEqual(self.service.predict(self.model, [data] * 2).status, 413)
        self.assertLess(peak_kib(self.service.child("serve")) - before, RSS_MAX_KIB)

    def test_chunks_beside_the_pixels(self):
        """What a PNG file holds beside its pixels takes no memory and no time to speak of."""
        small = picture(1)
        head = small.index(b"IDAT") - 4
        large = zlib.compress(bytes(200 << 20), 9)
        self.raw(small)
        before = peak_kib(self.service.child("serve"))
        for what, chunks in (("text", png_chunk(b"tEXt", b"k\0v") * 200000),
                             ("packed text", png_chunk(b"zTXt", b"k\0\0" + large)),
                             ("packed international text",
                              png_chunk(b"iTXt", b"k\0\1\0\0\0" + large)),
                             ("profile", png_chunk(b"iCCP", b"k\0\0" + large)),
                             ("unknown", png_chunk(b"teSt", bytes(1000)) * 5000)):
            with self.subTest(what):
                begin = time.monotonic()
                answer = self.raw(small[:head] + chunks + small[head:])
                self.assertIn(answer.status, (200, 400), answer)
                self.assertLess(time.monotonic() - begin, 3 * PATIENCE)
        self.assertLess(peak_kib(self.service.child("serve")) - before, RSS_MAX_KIB)

    def test_scans(self):
        """Each scan of a JPEG file is a pass over all its pixels."""
        data = jpeg()
        scan, end = data.index(b"\xff\xda"), len(data) - 2
        answer = self.raw(data[:end] + data[scan:end] * 70 + data[end:], "image/jpeg")
        self.assertEqual(answer.status, 413, answer)
        self.assertIn("71 scans; at most 64", answer.json()["detail"])

    def test_many_broken_ones_leave_nothing_behind(self):
        pictures = [data for _, data in broken_pictures()]
        for repetition in range(60):
            if repetition == 20:
                before = peak_kib(self.service.child("serve"))
            for data in pictures:
                self.raw(data)
        self.assertLess(peak_kib(self.service.child("serve")) - before, 4096)


def lying_headers(images, labels):
    """Headers of a safetensors file whose data has this many bytes for images and labels."""
    size = images + labels
    good = {"images": {"dtype": "U8", "shape": [16, 8, 8, 3], "data_offsets": [0, images]},
            "labels": {"dtype": "I64", "shape": [16], "data_offsets": [images, size]}}

    def change(tensor, **fields):
        return {**good, tensor: {**good[tensor], **fields}}
    yield "end behind the file", change("labels", data_offsets=[images, size + 8])
    yield "offsets out of range", change("labels", data_offsets=[2 ** 60, 2 ** 60 + labels])
    yield "negative offsets", change("labels", data_offsets=[-labels, 0])
    yield "offsets that sink", change("labels", data_offsets=[size, images])
    yield "overlap", change("labels", data_offsets=[images - 8, size - 8])
    yield "gap", change("images", shape=[15, 8, 8, 3], data_offsets=[0, 15 * 192])
    yield "shape of another size", change("images", shape=[17, 8, 8, 3])
    yield "product overflows", change("images", shape=[2 ** 32, 2 ** 32, 2 ** 32, 3])
    yield "product overflows to the size", change("images", shape=[2 ** 62 + 16, 4, 16, 3])
    yield "negative shape", change("images", shape=[-16, -8, 8, 3])
    yield "fractional shape", change("images", shape=[16, 8, 8, 3.5])
    yield "no pictures", {name: {**entry, "shape": [0] + entry["shape"][1:],
                                 "data_offsets": [0, 0]} for name, entry in good.items()}
    yield "three dimensions", change("images", shape=[16, 64, 3])
    yield "wrong type", change("images", dtype="F64")
    yield "unknown type", change("labels", dtype="I128")
    yield "labels of another count", change("labels", shape=[labels // 16, 2])
    yield "no labels", {"images": {**good["images"], "data_offsets": [0, images]}}
    yield "no object", [1, 2]
    yield "no JSON", b"{" * 100
    yield "deep", b'{"a":' + b"[" * 50000
    yield "a name twice", json.dumps(good)[:-1].encode() + b',"images":' + json.dumps(
        good["images"]).encode() + b"}"


class BadDatasetsTest(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.redis = Redis()
        cls.addClassCleanup(cls.redis.stop)
        cls.redis.start()
        cls.outside = pathlib.Path(tempfile.mkdtemp(prefix="distill-outside-"))
        cls.addClassCleanup(subprocess.run, ["rm", "-rf", cls.outside], check=True)
        cls.service = cls.start("serve", redis=cls.redis.url, device="ref")
        cls.roots = cls.service.folder

    def tearDown(self):
        """Nothing has come into being, not even half."""
        self.assertEqual(self.service.get("/datasets").json()["items"], [])
        self.assertEqual(list((self.service.data / "datasets").iterdir()), [])
        self.assertTrue(self.service.process.is_running())

    def refuse(self, path, name="new"):
        """The field error of an import that must fail for its path."""
        answer = self.service.post("/datasets", {"name": name, "path": str(path)})
        self.assertEqual(answer.status, 422, answer)
        error, = answer.json()["errors"]
        self.assertEqual((error["field"], error["value"]), ("path", str(path)))
        return error["detail"]

    def folder(self):
        return pathlib.Path(tempfile.mkdtemp(dir=self.roots))

    def test_outside_the_roots(self):
        write_dataset(self.outside / "set")
        inside = self.folder()
        (inside / "link").symlink_to(self.outside / "set")
        said = {"path: PATH is not under one of the import roots": (
                    self.outside / "set", self.outside / "nothing", "/", "/etc", "/proc/self/cwd",
                    inside / ".." / ".." / ".." / self.outside.relative_to("/") / "set",
                    str(self.roots) + "-other"),
                "path: there is no folder PATH": (inside / "link", inside / "nothing")}
        for detail, paths in said.items():  # not even whether it exists is told
            for path in paths:
                self.assertEqual(self.refuse(path).replace(str(path), "PATH"), detail)

    def test_links_to_files_outside(self):
        write_dataset(self.outside / "linked")
        folder = self.folder()
        for path in (self.outside / "linked").iterdir():
            (folder / path.name).symlink_to(path)
        self.assertIn(f"path: {folder}/train.safetensors is a link", self.refuse(folder))

    def test_files_that_become_links(self):
        """A file is changed for a link to one outside, again and again, while it is imported."""
        write_dataset(self.outside / "secret", train=16, test=16)
        folder = self.folder()
        write_dataset(folder / "set", train=32, test=32)
        train, ends = folder / "set" / "train.safetensors", threading.Event()

        def swap():
            while not ends.is_set():
                os.symlink(self.outside / "secret" / "train.safetensors", folder / "link")
                os.rename(train, folder / "aside")
                os.rename(folder / "link", train)
                os.rename(folder / "aside", train)
        thread = threading.Thread(target=swap)
        thread.start()
        try:
            for i in range(100):
                answer = self.service.post("/datasets", {"name": f"swapped-{i}",
                                                         "path": str(folder / "set")})
                self.assertIn(answer.status, (201, 422), answer)
                if answer.status == 201:
                    self.assertEqual(answer.json()["train_count"], 32)
                    self.service.delete(f"/datasets/swapped-{i}")
        finally:
            ends.set()
            thread.join()

    def test_pipes_are_not_waited_for(self):
        folder = self.folder()
        for name in ("train.safetensors", "test.safetensors"):
            os.mkfifo(folder / name)
        self.assertIn("is neither a file nor a folder", self.refuse(folder))

    def test_unusable_folders(self):
        empty = self.folder()
        self.assertIn("safetensors", self.refuse(empty))
        special = self.folder()
        os.mkfifo(special / "train.safetensors")
        (special / "test.safetensors").symlink_to("/dev/zero")
        self.refuse(special)
        self.refuse(__file__)

    def test_cut_off_tensors(self):
        good = write_dataset(self.folder() / "set", train=16, test=16)
        data = (good / "train.safetensors").read_bytes()
        for length in (0, 7, 8, 9, 50, len(data) - 128, len(data) - 1):
            with self.subTest(length=length):
                (good / "train.safetensors").write_bytes(data[:length])
                self.assertIn("train.safetensors", self.refuse(good))
        (good / "train.safetensors").write_bytes(data + b"x")
        self.refuse(good)
        (good / "train.safetensors").write_bytes(struct.pack("<Q", 2 ** 63) + data[8:])
        self.refuse(good)
        (good / "train.safetensors").unlink()
        self.refuse(good)

    def test_lying_tensors(self):
        images, labels = (split_of(16, 8, 1)[name][2] for name in ("images", "labels"))
        good = write_dataset(self.folder() / "set", train=16, test=16)
        for what, header in lying_headers(len(images), len(labels)):
            with self.subTest(what):
                (good / "train.safetensors").write_bytes(raw_tensors_file(header, images + labels))
                self.assertIn("train.safetensors", self.refuse(good))

    def test_wrong_labels(self):
        good = write_dataset(self.folder() / "set", train=16, test=16)
        for label in (-1, 4, 2 ** 40):
            split = split_of(16, 8, 1)
            labels = struct.pack("<16q", *[0] * 15, label)
            write_tensors(good / "train.safetensors", {**split, "labels": ("I64", [16], labels)})
            self.assertIn(str(label), self.refuse(good))

    def test_splits_that_differ(self):
        good = write_dataset(self.folder() / "set", train=16, test=16)
        write_tensors(good / "test.safetensors", split_of(16, 9, 1))
        self.refuse(good)

    def test_cut_off_cifar(self):
        folder = self.folder()
        for name in ("train.bin", "test.bin"):
            (folder / name).write_bytes(bytes(3074 * 4))
        (folder / "train.bin").write_bytes(bytes(3074 * 4 - 1))
        self.assertIn("train.bin", self.refuse(folder))

    def test_cut_off_idx(self):
        def idx(shape, data):
            return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + data
        files = {"train-images-idx3-ubyte": idx([4, 8, 8], bytes(256)),
                 "train-labels-idx1-ubyte": idx([4], bytes(range(4))),
                 "t10k-images-idx3-ubyte": idx([4, 8, 8], bytes(256)),
                 "t10k-labels-idx1-ubyte": idx([4], bytes(range(4)))}
        wrong = {"train-images-idx3-ubyte": (idx([4, 8, 8], bytes(255)), idx([2 ** 31, 8, 8], b""),
                                             idx([2 ** 32 - 1] * 3, bytes(256)), b"", b"\0\0\10\3"),
                 "t10k-labels-idx1-ubyte": (idx([5], bytes(5)), idx([4], bytes(3)), b"\0\0\15\1")}
        for name, contents in wrong.items():
            for content in contents:
                with self.subTest(name, content=content[:20]):
                    folder = self.folder()
                    for file, data in files.items():
                        (folder / file).write_bytes(data)
                    (folder / name).write_bytes(content)
                    self.assertIn(name, self.refuse(folder))


if __name__ == "__main__":
    unittest.main()
