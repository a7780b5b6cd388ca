"""What tests of uploads of data sets stand on: files of every format, and how they are sent."""

import contextlib
import gzip
import io
import itertools
import json
import random
import struct
import tarfile

import image_files
from material import write_dataset
from service import PATIENCE, Redis, ServiceCase, wait_until

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
        return self.service.import_dataset(f"set{next(numbers)}", folder).json()

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
