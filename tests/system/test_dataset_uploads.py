#!/usr/bin/env python3
"""Data sets that come in over HTTP: file by file, resumed, checked as they come, whole or not at all."""

import contextlib
import gzip
import io
import itertools
import json
import os
import pathlib
import random
import socket
import struct
import tarfile
import time
import unittest

import image_files
from material import job, weights_of, write_dataset
from service import PATIENCE, Redis, Service, ServiceCase, wait_until

TAR = {"Content-Type": "application/x-tar"}
GZIP = {"Content-Type": "application/gzip"}
NO_UPLOAD = "upload_01ARZ3NDEKTSV4RRFFQ69G5FAV"
OPEN_UPLOADS = 64  # as in api/limits.h
STREAMS = 8  # at the same time, as in api/limits.h
numbers = itertools.count()


def noise(count, seed):
    return random.Random(seed).randbytes(count)


def cifar_rows(count, label_bytes, classes, seed=1):
    return b"".join(bytes([i % 7] * (label_bytes - 1) + [i % classes]) + noise(3072, seed + i)
                    for i in range(count))


def idx(dims, data):
    return struct.pack(f">HBB{len(dims)}I", 0, 8, len(dims), *dims) + data


def write_files(folder, files):
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def cifar10(folder):
    files = {f"data_batch_{i}.bin": cifar_rows(20, 1, 10, 100 * i) for i in range(1, 6)}
    return write_files(folder, {**files, "test_batch.bin": cifar_rows(20, 1, 10)})


def cifar100(folder):
    return write_files(folder, {"train.bin": cifar_rows(120, 2, 100),
                                "test.bin": cifar_rows(100, 2, 100)})


def idx_files(folder, end="", pack=bytes):
    files = {}
    for part, count in (("train", 30), ("t10k", 20)):
        labels = bytes(i % 5 for i in range(count))
        files[f"{part}-images-idx3-ubyte"] = idx([count, 6, 4], noise(count * 24, count))
        files[f"{part}-labels-idx1-ubyte"] = idx([count], labels)
    return write_files(folder, {name + end: pack(data) for name, data in files.items()})


def idx_gzip(folder):
    return idx_files(folder, ".gz", gzip.compress)


def tar_of(path, top="", mode="w"):
    """An archive of what is in a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for item in sorted(path.iterdir()):
            archive.add(item, f"{top}{item.name}")
    return out.getvalue()


def image_archives(folder):
    source = image_files.save_images(folder.with_name(folder.name + "-source"))
    return write_files(folder, {"train.tar": tar_of(source / "train"),
                                "val.tar.gz": tar_of(source / "val", "val/", "w:gz")})


FORMATS = {"cifar10": cifar10, "cifar100": cifar100, "idx": idx_files, "idx_gzip": idx_gzip,
           "tensors": write_dataset, "images": image_archives}


class UploadCase(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.service = cls.start_service()
        cls.folder = cls.service.folder

    @classmethod
    def start_service(cls):
        cls.store = Redis().start()
        cls.addClassCleanup(cls.store.stop)
        return cls.start("serve", redis=cls.store.url, device="ref", **cls.settings())

    @staticmethod
    def settings():
        return {}

    def begin(self, name=None, status=201):
        answer = self.service.post("/uploads", {"name": name or f"set{next(numbers)}"})
        self.assertEqual(answer.status, status, answer)
        return answer.json()["id"] if status == 201 else answer.json()

    def show(self, upload):
        return self.service.get(f"/uploads/{upload}").json()

    def files(self, upload):
        return {file["name"]: (file["bytes"], file["complete"])
                for file in self.show(upload)["files"]}

    def put(self, upload, file, body, first=0, total=None, status=200):
        headers = {}
        if first or total:
            headers["Content-Range"] = f"bytes {first}-{first + len(body) - 1}/{total or '*'}"
        answer = self.service.request("PUT", f"/uploads/{upload}/files/{file}", body, headers)
        self.assertEqual(answer.status, status, answer)
        return answer.json()

    def finish(self, upload, status=201):
        answer = self.service.post(f"/uploads/{upload}/finish")
        self.assertEqual(answer.status, status, answer)
        return answer.json()

    def upload(self, folder, name=None):
        upload = self.begin(name)
        for path in sorted(folder.iterdir()):
            self.put(upload, path.name, path.read_bytes())
        return self.finish(upload)

    def import_folder(self, folder):
        answer = self.service.post("/datasets", {"name": f"set{next(numbers)}",
                                                 "path": str(folder)})
        self.assertEqual(answer.status, 201, answer)
        return answer.json()

    def remove(self, upload, status=204):
        answer = self.service.delete(f"/uploads/{upload}")
        self.assertEqual(answer.status, status, answer)

    def stored(self, kind):
        """All that is there, hidden or not."""
        return sorted(path.name for path in (self.service.data / kind).iterdir())

    def send(self, path, promised, body, headers=""):
        """A connection on which only a part of a promised body has been sent."""
        method = "POST" if path.startswith("/datasets") else "PUT"
        connection = self.service.connect()
        connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}"
                           f"Content-Length: {promised}\r\n\r\n".encode() + body)
        return connection

    def answer_of(self, connection):
        """Status and problem of an answer that comes although the body has not been sent."""
        connection.settimeout(20 * PATIENCE)
        data = b""
        with connection, contextlib.suppress(ConnectionResetError):
            while b"\r\n\r\n" not in data or not data.endswith(b"}"):
                piece = connection.recv(65536)
                if not piece:
                    break
                data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)

    def refused_early(self, upload, file, body):
        """The detail of a 422 that comes while nearly everything is still to be sent."""
        path = f"/uploads/{upload}/files/{file}"
        status, problem = self.answer_of(self.send(path, 1 << 30, body))
        self.assertEqual(status, 422, problem)
        self.assertEqual(problem["errors"][0]["field"], file)
        self.assertNotIn(str(self.service.data), problem["detail"])
        wait_until(lambda: file not in self.files(upload), what="the wrong file is gone")
        return problem["detail"]


def told(card):
    """What a data set is, whatever its name."""
    return {key: value for key, value in card.items() if key not in ("name", "created")}


class FormatTest(UploadCase):
    def test_each_format_is_what_an_import_makes_of_it(self):
        for name, make in FORMATS.items():
            with self.subTest(name):
                folder = make(self.folder / name)
                imported, uploaded = self.import_folder(folder), self.upload(folder)
                self.assertEqual(told(uploaded), told(imported))
                self.assertEqual(self.service.get(f"/datasets/{uploaded['name']}").json(), uploaded)
        self.assertEqual(self.stored("uploads"), [])

    def test_an_archive_of_a_whole_folder(self):
        folder = image_files.save_images(self.folder / "whole")
        write_files(self.folder / "published", {})
        cifar100(self.folder / "published" / "cifar-100-binary")
        imported = told(self.import_folder(folder))
        for mode, headers in (("w", TAR), ("w:gz", GZIP)):
            for top in ("", "./", "any/"):
                answer = self.service.post(f"/datasets?name=set{next(numbers)}",
                                           tar_of(folder, top, mode), headers=headers)
                self.assertEqual(answer.status, 201, answer)
                self.assertEqual(answer.headers["location"], f"/datasets/{answer.json()['name']}")
                self.assertEqual(told(answer.json()), imported)
        upload = self.begin()
        self.put(upload, "dataset.tgz", tar_of(folder, mode="w:gz"))
        self.assertEqual(told(self.finish(upload)), imported)
        answer = self.service.post(f"/datasets?name=set{next(numbers)}",
                                   tar_of(self.folder / "published", mode="w:gz"), headers=GZIP)
        self.assertEqual((answer.json()["format"], answer.json()["train_count"]),
                         ("cifar100", 120), answer)
        self.assertEqual(self.stored("uploads"), [])

    def test_in_chunks(self):
        folder = write_dataset(self.folder / "chunks")
        body = tar_of(folder)
        pieces = [body[i:i + 3000] for i in range(0, len(body), 3000)]
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        with self.service.connect() as connection:
            connection.sendall(b"POST /datasets?name=chunks HTTP/1.1\r\nHost: x\r\nContent-Type: "
                               b"application/x-tar\r\nTransfer-Encoding: chunked\r\n"
                               b"Connection: close\r\n\r\n" + chunks + b"0\r\n\r\n")
            self.assertTrue(connection.makefile("rb").read().startswith(b"HTTP/1.1 201 "))


class ResourceTest(UploadCase):
    def test_it_is_seen_as_it_grows_and_then_no_more(self):
        folder = cifar100(self.folder / "seen")
        begun = self.service.post("/uploads", {"name": "seen"})
        upload = begun.json()
        self.assertEqual(begun.headers["location"], f"/uploads/{upload['id']}")
        self.assertEqual((upload["name"], upload["bytes"], upload["files"]), ("seen", 0, []))
        self.assertGreater(upload["expires"], upload["created"])
        data = (folder / "train.bin").read_bytes()
        whole = self.put(upload["id"], "train.bin", data)
        self.assertEqual(whole, {"name": "train.bin", "bytes": len(data), "complete": True})
        shown = self.show(upload["id"])
        self.assertEqual((shown["bytes"], shown["files"]), (len(data), [whole]))
        self.assertIn(shown, self.service.get("/uploads").json()["items"])
        self.assertEqual(self.service.get("/datasets/seen").status, 404)
        self.assertIn("test.bin", self.finish(upload["id"], 422)["detail"])
        self.put(upload["id"], "test.bin", (folder / "test.bin").read_bytes())
        self.finish(upload["id"])
        self.assertEqual(self.service.get("/datasets/seen").status, 200)
        self.finish(upload["id"], 404)  # it is a data set now
        self.assertEqual(self.service.get(f"/uploads/{upload['id']}").status, 404)

    def test_pages(self):
        mine = [self.begin() for _ in range(3)]
        first = self.service.get("/uploads?limit=2").json()
        rest = self.service.get(f"/uploads?after={first['next']}").json()
        ids = [item["id"] for item in first["items"] + rest["items"]]
        self.assertEqual(ids, sorted(ids))
        self.assertLessEqual(set(mine), set(ids))
        self.assertIsNone(rest["next"])
        for upload in mine:
            self.remove(upload)
        self.remove(mine[0], 404)

    def test_a_refused_import_leaves_the_upload(self):
        folder = idx_files(self.folder / "leaves")
        upload = self.begin("leaves")
        for path in folder.iterdir():
            self.put(upload, path.name, path.read_bytes())
        self.put(upload, "t10k-labels-idx1-ubyte", idx([3], b"\0\1\2"))
        problem = self.finish(upload, 422)
        self.assertEqual(problem["errors"][0]["field"], "files")
        self.assertIn("t10k-labels-idx1-ubyte: 3 labels, but there are 20 pictures",
                      problem["detail"])
        self.assertNotIn(str(self.service.data), problem["detail"])
        self.assertEqual(self.service.get("/datasets/leaves").status, 404)
        self.put(upload, "t10k-labels-idx1-ubyte",
                 (folder / "t10k-labels-idx1-ubyte").read_bytes())
        self.finish(upload)

    def test_names(self):
        folder = write_dataset(self.folder / "names")
        upload = self.begin("taken")
        for path in folder.iterdir():
            self.put(upload, path.name, path.read_bytes())
        self.upload(folder, "taken")
        self.begin("taken", 409)
        self.assertEqual(self.finish(upload, 409)["errors"][0]["field"], "name")
        for name in ("../x", "A", "", ".hidden"):
            answer = self.service.post("/uploads", {"name": name})
            self.assertEqual((answer.status, answer.json()["errors"][0]["field"]), (422, "name"))
        for query, status in (("", 422), ("?name=", 422), ("?name=../x", 422), ("?name=taken", 409),
                              ("?name=b&path=/etc", 422)):
            answer = self.service.post(f"/datasets{query}", tar_of(folder), headers=TAR)
            self.assertEqual(answer.status, status, answer)
        self.remove(upload)

    def test_files_that_no_data_set_has(self):
        upload = self.begin()
        for file in ("x.bin", "train", "card.json", "train.bin.part"):
            problem = self.put(upload, file, b"x", status=422)
            self.assertEqual(problem["errors"][0]["field"], "file", file)
            self.assertIn("train.bin", problem["errors"][0]["range"])
        self.put(NO_UPLOAD, "train.bin", b"x", status=404)
        self.put("upload_1", "train.bin", b"x", status=404)
        self.assertEqual(self.finish(upload, 422)["detail"], "files: none has arrived")
        self.put(upload, "classes.txt", b"a\nb\n")
        self.put(upload, "dataset.tar", tar_of(write_dataset(self.folder / "beside")))
        self.assertIn("others beside it", self.finish(upload, 422)["detail"])
        self.remove(upload)

    def test_what_http_refuses(self):
        upload = self.begin()
        for value in ("bytes 0-/9", "bytes 5-4/9", "bytes 0-9/9", "octets 0-0/1", "bytes 0-0/+1"):
            answer = self.service.request("PUT", f"/uploads/{upload}/files/classes.txt", b"x",
                                          {"Content-Range": value})
            self.assertEqual((answer.status, answer.json()["errors"][0]["field"]),
                             (422, "Content-Range"), value)
        answer = self.service.request("PUT", f"/uploads/{upload}/files/classes.txt", b"x",
                                      {"Content-Range": "bytes 0-1/2"})
        self.assertIn("promised 2 bytes, the body had 1", answer.json()["detail"])
        answer = self.service.request("PUT", f"/uploads/{upload}/files/classes.txt", b"x",
                                      {"Content-Encoding": "gzip"})
        self.assertEqual(answer.status, 415)
        answer = self.service.post("/datasets?name=x", b"x", headers={"Content-Type": "text/plain"})
        self.assertEqual(answer.status, 415)
        self.assertIn("application/x-tar", answer.json()["detail"])
        self.remove(upload)


class ResumeTest(UploadCase):
    @classmethod
    def start_service(cls):
        return cls.start(device="ref")

    def is_back(self, pid):
        with contextlib.suppress(OSError):
            return self.service.child("serve") != pid and \
                self.service.get("/healthz").status == 200
        return False

    def kill(self):
        pid = self.service.kill_child("serve")
        wait_until(lambda: self.is_back(pid), what="the server")

    def test_parts(self):
        folder = cifar10(self.folder / "parts")
        upload = self.begin()
        for path in sorted(folder.iterdir()):
            data, at = path.read_bytes(), 0
            for size in (1, 1000, 20000, len(data)):
                part = data[at:at + size]
                answer = self.put(upload, path.name, part, at, len(data))
                at += len(part)
                self.assertEqual((answer["bytes"], answer["complete"]), (at, at == len(data)))
        self.assertEqual(told(self.finish(upload)), told(self.import_folder(folder)))

    def test_the_length_may_come_last(self):
        data = cifar_rows(3, 2, 100)
        upload = self.begin()
        for at in range(0, len(data), 1000):
            part = data[at:at + 1000]
            total = len(data) if at + 1000 >= len(data) else "*"
            answer = self.put(upload, "train.bin", part, at, total)
            self.assertEqual(answer["complete"], total != "*")
        self.remove(upload)

    def test_a_file_that_only_lacks_its_end(self):
        data = cifar_rows(3, 2, 100)
        upload = self.begin()
        self.put(upload, "train.bin", data, 0, "*")
        path = f"/uploads/{upload}/files/train.bin"
        for total, status in ((len(data) - 1, 409), (len(data) + 1, 409), ("", 422), ("-1", 422)):
            answer = self.service.request("PUT", path, b"",
                                          {"Content-Range": f"bytes */{total}"})
            self.assertEqual(answer.status, status, answer)
        self.assertEqual(self.files(upload), {"train.bin": (len(data), False)})
        answer = self.service.request("PUT", path, b"", {"Content-Range": f"bytes */{len(data)}"})
        self.assertEqual(answer.json()["complete"], True, answer)
        self.remove(upload)

    def test_what_there_is_stays_until_a_byte_comes(self):
        data = cifar_rows(3, 2, 100)
        upload = self.begin()
        whole, path = {"train.bin": (len(data), True)}, f"/uploads/{upload}/files/train.bin"
        self.put(upload, "train.bin", data)
        self.put(upload, "train.bin", data[:9], 0, 1 << 50, 413)
        self.put(upload, "train.bin", b"", status=422)
        connection = self.send(path, len(data), b"")
        wait_until(lambda: self.finish_status(upload) == 409, what="the request is there")
        connection.close()
        wait_until(lambda: self.finish_status(upload) == 422, what="it is gone")
        self.assertEqual(self.files(upload), whole)
        self.break_off(upload, "train.bin", data, 5000).close()
        wait_until(lambda: self.finish_status(upload, "has not arrived whole"), what="it is gone")
        self.assertEqual(self.files(upload), {"train.bin": (5000, False)})
        self.remove(upload)

    def finish_status(self, upload, words=None):
        answer = self.service.post(f"/uploads/{upload}/finish")
        return words in answer.json()["detail"] if words else answer.status

    def test_another_offset_is_told_the_right_one(self):
        data = cifar_rows(3, 2, 100)
        upload = self.begin()
        self.assertEqual(self.put(upload, "train.bin", data[9:], 9, len(data), 409)
                         ["expected_offset"], 0)
        self.put(upload, "train.bin", data[:5000], 0, len(data))
        for first in (1, 4999, 5001):
            problem = self.put(upload, "train.bin", data[first:], first, len(data), 409)
            self.assertEqual(problem["expected_offset"], 5000)
        self.assertEqual(self.files(upload), {"train.bin": (5000, False)})
        self.assertIn("train.bin has not arrived whole", self.finish(upload, 409)["detail"])
        self.put(upload, "train.bin", data[:10], 0, len(data))  # begins anew
        self.assertEqual(self.files(upload), {"train.bin": (10, False)})
        self.put(upload, "train.bin", data[10:], 10, len(data))
        self.assertIn("has arrived whole",
                      self.put(upload, "train.bin", data[10:], 10, len(data), 409)["detail"])
        self.remove(upload)

    def break_off(self, upload, file, data, part, first=0):
        """Sends a part of a file and breaks off."""
        headers = f"Content-Range: bytes {first}-{len(data) - 1}/{len(data)}\r\n"
        connection = self.send(f"/uploads/{upload}/files/{file}", len(data) - first,
                               data[first:first + part], headers)
        wait_until(lambda: self.files(upload).get(file, (0,))[0] == first + part, what="bytes come")
        return connection

    def test_connections_that_break(self):
        for name, make in FORMATS.items():
            folder = make(self.folder / f"break-{name}")
            upload = self.begin()
            for path in sorted(folder.iterdir()):
                data, at = path.read_bytes(), 0
                while at < len(data) // 2:
                    part = len(data) // 3
                    self.break_off(upload, path.name, data, part, at).close()
                    at += part
                    wait_until(lambda: self.is_free(upload, path.name, at), what="free again")
                self.put(upload, path.name, data[at:], at, len(data))
            self.assertEqual(told(self.finish(upload)), told(self.import_folder(folder)))

    def is_free(self, upload, file, at):
        """The server knows that the connection is gone: another offset is what it refuses."""
        answer = self.service.request("PUT", f"/uploads/{upload}/files/{file}", b"x",
                                      {"Content-Range": f"bytes {at + 1}-{at + 1}/{1 << 20}"})
        return answer.json().get("expected_offset") == at

    def test_killed_servers(self):
        for name in ("cifar100", "idx_gzip", "tensors", "images"):
            make = FORMATS[name]
            folder = make(self.folder / f"kill-{name}")
            imported = told(self.import_folder(folder))
            upload = self.begin()
            for path in sorted(folder.iterdir())[-2:]:
                data = path.read_bytes()
                at = len(data) * 2 // 3
                self.break_off(upload, path.name, data, at)
                self.kill()
                self.assertEqual(self.files(upload)[path.name], (at, False))
                self.put(upload, path.name, data[at:], at, len(data))
            for path in sorted(folder.iterdir())[:-2]:
                self.put(upload, path.name, path.read_bytes())
            self.assertEqual(told(self.finish(upload)), imported)

    def test_a_wrong_byte_after_going_on(self):
        for file, data in (("train.bin", cifar_rows(5, 2, 100) + b"\0\x65"),
                           ("train.tar", tar_of(cifar10(self.folder / "wrong"))[:9000] + b"x" * 64000),
                           ("train-labels-idx1-ubyte.gz",
                            gzip.compress(idx([4], bytes(5)), mtime=0))):
            upload = self.begin()
            self.break_off(upload, file, data, 4000 if len(data) > 4000 else 15).close()
            at = self.files(upload)[file][0]
            wait_until(lambda: self.is_free(upload, file, at), what="free again")
            problem = self.put(upload, file, data[at:], at, len(data), 422)
            self.assertEqual(problem["errors"][0]["field"], file)
            self.assertEqual(self.files(upload), {})
            self.remove(upload)

    def test_one_request_a_file(self):
        data = cifar_rows(30, 2, 100)
        upload = self.begin()
        with self.break_off(upload, "train.bin", data, 5000) as connection:
            self.assertIn("another request",
                          self.put(upload, "train.bin", data, status=409)["detail"])
            self.put(upload, "test.bin", data)  # a file beside it is another matter
            self.assertIn("being worked at", self.finish(upload, 409)["detail"])
            self.remove(upload, 409)
            connection.sendall(data[5000:])
            self.assertEqual(self.answer_of(connection)[1]["complete"], True)
        self.assertEqual(self.finish(upload)["train_count"], 30)

    def test_a_job_on_it_gives_the_same_weights(self):
        folder = write_dataset(self.folder / "tiny")
        weights = []
        for register in (lambda: self.upload(folder, "tiny"),
                         lambda: self.service.post("/datasets",
                                                   {"name": "tiny", "path": str(folder)})):
            register()
            posted = self.service.post("/jobs", job(epochs=1)).json()
            self.assertEqual(self.service.delete("/datasets/tiny").status, 409)  # in use
            self.assertEqual(self.service.wait_for_job(posted["id"])["state"], "succeeded")
            weights.append(weights_of(self.service, posted["id"]))
            self.assertEqual(self.service.delete("/datasets/tiny").status, 204)
        self.assertEqual(*weights)


class EarlyTest(UploadCase):
    def setUp(self):
        self.id = self.begin()

    def tearDown(self):
        wait_until(lambda: self.service.delete(f"/uploads/{self.id}").status == 204)

    def test_wrong_bytes_are_refused_before_the_rest_is_sent(self):
        header = json.dumps({"images": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})
        for file, body, words in (
                ("train.bin", cifar_rows(2, 2, 100) + b"\0\x64", "byte 6148: label 100 of row 2"),
                ("data_batch_3.bin", b"\x0a", "byte 0: label 10 of row 0 is not in 0..9"),
                ("train-images-idx3-ubyte", idx([4], b"1234") + bytes(8), "wrong magic number"),
                ("train-images-idx3-ubyte", idx([1, 1, 1], b"12"), "byte 17: there is more than"),
                ("t10k-images.idx3-ubyte.gz", b"no gzip file", "not a sound gzip file"),
                ("train.safetensors", b"PK\3\4 a checkpoint", "a checkpoint of PyTorch"),
                ("train.safetensors", struct.pack("<Q", len(header)) + header.encode(),
                 '"images" has 1 dimensions, expected 4'),
                ("val.tar", bytes(300) + b"x" * 300, "not a tar file, or damaged"),
                ("classes.txt", b"a\0", "not a text file")):
            with self.subTest(file):
                self.assertIn(words, self.refused_early(self.id, file, body))

    def test_archives_that_attack(self):
        def entry(name, kind=tarfile.REGTYPE, target="", size=0):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, target, size
            return info.tobuf(tarfile.GNU_FORMAT)
        for kind, words in ((tarfile.SYMTYPE, "is a link"), (tarfile.LNKTYPE, "is a hard link"),
                            (tarfile.CHRTYPE, "neither a file nor a folder"),
                            (tarfile.BLKTYPE, "neither a file nor a folder"),
                            (tarfile.FIFOTYPE, "neither a file nor a folder")):
            self.assertIn(words, self.refused_early(self.id, "dataset.tar",
                                                    entry("a/b", kind, "/etc/passwd")))
        for name, words in (("../x", "leads out of its folder"), ("/etc/x", "is absolute"),
                            ("a/../../x", "leads out of its folder"),
                            ("/" + "n" * 200, "is absolute"), ("n/" * 600, "is not in 1..1023")):
            for file in ("dataset.tar", "train.tar"):
                self.assertIn(words, self.refused_early(self.id, file, entry(name)))
        packed = gzip.compress(entry("../x"), mtime=0)
        self.assertIn("leads out", self.refused_early(self.id, "dataset.tar.gz", packed))
        status, problem = self.answer_of(self.send(
            "/datasets?name=evil", 1 << 30, entry("../x"), "Content-Type: application/x-tar\r\n"))
        self.assertEqual((status, problem["errors"][0]["field"]), (422, "dataset.tar"))
        wait_until(lambda: self.stored("uploads") == [self.id], what="nothing left behind")

    def test_names_that_come_twice_or_below_a_file(self):
        for names, words in ((["train.bin", "./train.bin"], "train.bin is there twice"),
                             (["a", "a/b"], "lies below a file"),
                             (["a/b", "a"], "a is there twice")):
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w") as archive:
                for name in names:
                    archive.addfile(tarfile.TarInfo(name), io.BytesIO())
            self.put(self.id, "dataset.tar", out.getvalue())
            problem = self.finish(self.id, 422)
            self.assertIn(words, problem["detail"])
            self.assertNotIn(str(self.service.data), problem["detail"])
            self.assertEqual(self.stored(f"uploads/{self.id}"), ["files", "lock", "name"])

    def test_a_file_that_ends_too_early_is_not_taken(self):
        data = cifar_rows(2, 2, 100)
        self.assertIn("cut off", self.put(self.id, "train.bin", data[:-1], status=422)["detail"])
        self.put(self.id, "train.bin", b"", status=422)
        self.assertEqual(self.files(self.id), {})

    def test_too_many_at_once(self):
        data = cifar_rows(30, 2, 100)
        uploads = [self.begin() for _ in range(STREAMS)]
        connections = [self.send(f"/uploads/{upload}/files/train.bin", len(data), data[:5000])
                       for upload in uploads]
        wait_until(lambda: all(self.files(upload) for upload in uploads), what="all begun")
        answer = self.service.request("PUT", f"/uploads/{self.id}/files/train.bin", data)
        self.assertEqual((answer.status, "retry-after" in answer.headers), (503, True))
        for connection in connections:
            connection.close()
        wait_until(lambda: self.service.request(
            "PUT", f"/uploads/{self.id}/files/train.bin", data).status == 200)
        for upload in uploads:
            wait_until(lambda: self.service.delete(f"/uploads/{upload}").status == 204)

    def test_a_client_that_goes_away_leaves_no_archive(self):
        connection = self.send("/datasets?name=away", 1 << 20, bytes(0),
                               "Content-Type: application/x-tar\r\n")
        wait_until(lambda: len(self.stored("uploads")) == 2, what="an upload")
        connection.close()
        wait_until(lambda: self.stored("uploads") == [self.id], what="nothing left behind")


class LimitTest(UploadCase):
    @staticmethod
    def settings():
        return {"upload_bytes": 200000, "uploads_bytes": 300000, "datasets_bytes": 100000}

    def test_bytes_of_uploads(self):
        data = cifar_rows(48, 2, 100)  # 147552 bytes
        first, second = self.begin(), self.begin()
        self.put(first, "train.bin", data)
        self.put(first, "train.bin", data)  # in place of the other
        self.assertIn("upload_bytes", self.put(first, "test.bin", data, 0, len(data), 413)["detail"])
        answer = self.service.request("PUT", f"/uploads/{first}/files/test.bin", data)
        self.assertEqual(answer.status, 413, answer)
        self.assertEqual(self.put(second, "train.bin", data, 0, len(data))["complete"], True)
        third = self.begin()
        problem = self.put(third, "train.bin", data, 0, len(data), 507)
        self.assertIn("uploads_bytes", problem["detail"])
        with self.send(f"/uploads/{third}/files/train.bin", 200001, b"") as connection:
            self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 413 "))
        for upload in (first, second, third):
            self.remove(upload)

    def test_bytes_of_data_sets(self):
        folder = write_dataset(self.folder / "small")  # 31648 bytes of pictures
        other = write_dataset(self.folder / "other", train=400)
        self.upload(folder, "small1")
        self.upload(folder, "small2")  # the same pictures: nothing more
        self.assertEqual(len(self.stored("blobs")), 1)
        upload = self.begin()
        for path in other.iterdir():
            self.put(upload, path.name, path.read_bytes())
        self.assertIn("datasets_bytes", self.finish(upload, 507)["detail"])
        answer = self.service.post("/datasets", {"name": "other", "path": str(other)})
        self.assertEqual(answer.status, 507)
        self.assertEqual(len(self.stored("blobs")), 1)
        self.service.delete("/datasets/small1")
        self.service.delete("/datasets/small2")
        self.assertEqual(self.finish(upload)["train_count"], 400)

    def test_open_uploads(self):
        uploads = [self.begin() for _ in range(OPEN_UPLOADS)]
        answer = self.service.post("/uploads", {"name": "more"})
        self.assertEqual((answer.status, "retry-after" in answer.headers), (503, True))
        for upload in uploads:
            self.remove(upload)

    def test_expiry(self):
        old, young = self.begin(), self.begin()
        for upload in (old, young):
            self.put(upload, "classes.txt", b"a\nb\n")
        yesterday = time.time() - 25 * 3600
        for path in (self.service.data / "uploads" / old).rglob("*"):
            os.utime(path, (yesterday, yesterday))
        wait_until(lambda: self.service.get(f"/uploads/{old}").status == 404, what="expired")
        self.assertEqual(self.service.get(f"/uploads/{young}").status, 200)
        wait_until(lambda: [line["upload"] for line in self.service.events("upload_expired")] ==
                   [old], what="the log says so")
        self.remove(young)


class FullTest(UploadCase):
    @staticmethod
    def settings():
        return {"min_free_bytes": 10 ** 15}

    def test_nothing_is_taken_without_room(self):
        self.assertEqual(self.begin("x", 507)["type"], "urn:distilld:problem:no_space")
        answer = self.service.post("/datasets?name=x", b"x", headers=TAR)
        self.assertEqual(answer.status, 507, answer)
        self.assertEqual(self.stored("uploads"), [])


class BlobTest(UploadCase):
    def inode(self, name):
        return (self.service.data / "datasets" / name / "train.safetensors").stat().st_ino

    def samples(self, name):
        return self.service.get(f"/datasets/{name}/samples").status

    def test_the_same_content_is_stored_once(self):
        folder = cifar100(self.folder / "content")
        one, two = self.upload(folder, "one"), self.import_folder(folder)
        self.assertEqual(one["sha256"], two["sha256"])
        self.assertEqual(self.inode("one"), self.inode(two["name"]))
        self.assertIn(one["sha256"], self.stored("blobs"))
        self.service.delete("/datasets/one")
        self.assertEqual(self.samples(two["name"]), 200)
        self.assertIn(one["sha256"], self.stored("blobs"))
        three = self.upload(folder, "three")
        self.assertEqual(self.inode("three"), self.inode(two["name"]))
        for name in (two["name"], "three"):
            self.assertEqual(self.service.delete(f"/datasets/{name}").status, 204)
        self.assertNotIn(one["sha256"], self.stored("blobs"))
        self.assertEqual(told(three), told(one))

    def test_a_damaged_blob_is_not_shared(self):
        folder = write_dataset(self.folder / "damaged")
        card = self.upload(folder, "before")
        blob = self.service.data / "blobs" / card["sha256"] / "train.safetensors"
        data = bytearray(blob.read_bytes())
        data[-1] ^= 1
        blob.write_bytes(data)
        self.assertEqual(self.samples("before"), 500)
        self.upload(folder, "after")
        self.assertEqual(self.samples("after"), 200)
        self.assertNotEqual(self.inode("before"), self.inode("after"))
        self.assertEqual(self.inode("after"), blob.stat().st_ino)

    def test_data_sets_of_before_are_shared_at_the_next_start(self):
        with Redis() as redis:
            data = self.folder / "older"
            folder = write_dataset(self.folder / "older-source")
            for turn in range(2):
                with Service("serve", redis=redis.url, data=data, device="ref",
                             import_roots=self.folder) as service:
                    if turn == 0:
                        for name in ("a", "b"):
                            service.post("/datasets", {"name": name, "path": str(folder)})
                    found = [data / "datasets" / name / "train.safetensors" for name in ("a", "b")]
                    self.assertEqual(found[0].stat().st_ino, found[1].stat().st_ino)
                    self.assertEqual(found[0].stat().st_nlink, 3)
                if turn == 0:  # as the version before left it
                    for path in found + [p.with_name("test.safetensors") for p in found]:
                        content = path.read_bytes()
                        path.unlink()
                        path.write_bytes(content)
                    for path in (data / "blobs").rglob("*.safetensors"):
                        path.unlink()
                    (data / "schema").write_text("1\n")
                    redis.command("SET", "{distill}:schema", "1")


if __name__ == "__main__":
    unittest.main()
