#!/usr/bin/env python3
"""Uploads of data sets that break off and go on, and bytes that are refused as they come."""

import contextlib
import gzip
import io
import tarfile
import unittest

from material import job, raw_tensors_file, weights_of, write_dataset
from service import wait_until
from upload_case import FORMATS, STREAMS, UploadCase, cifar10, cifar_rows, idx, tar_of, told


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
        header = {"images": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
        for file, body, words in (
                ("train.bin", cifar_rows(2, 2, 100) + b"\0\x64", "byte 6148: label 100 of row 2"),
                ("data_batch_3.bin", b"\x0a", "byte 0: label 10 of row 0 is not in 0..9"),
                ("train-images-idx3-ubyte", idx([4], b"1234") + bytes(8), "wrong magic number"),
                ("train-images-idx3-ubyte", idx([1, 1, 1], b"12"), "byte 17: there is more than"),
                ("t10k-images.idx3-ubyte.gz", b"no gzip file", "not a sound gzip file"),
                ("train.safetensors", b"PK\3\4 a checkpoint", "a checkpoint of PyTorch"),
                ("train.safetensors", raw_tensors_file(header, b""),
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


if __name__ == "__main__":
    unittest.main()
