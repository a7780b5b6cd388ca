#!/usr/bin/env python3
"""How much uploads of data sets may take, and content that is stored once."""

import os
import time
import unittest

from material import write_dataset
from service import Redis, Service, wait_until
from upload_case import OPEN_UPLOADS, TAR, UploadCase, cifar100, cifar_rows, told


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
                            service.import_dataset(name, folder)
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
