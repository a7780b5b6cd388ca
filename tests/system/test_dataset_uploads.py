#!/usr/bin/env python3
"""Data sets that come in over HTTP: file by file, and the upload as a resource."""

import unittest

import image_files
from material import write_dataset
from upload_case import (FORMATS, GZIP, NO_UPLOAD, TAR, UploadCase, cifar100, idx, idx_files,
                         numbers, tar_of, told, write_files)


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
        self.assertEqual(self.finish(upload["id"], 422)["detail"],
                         "files: test.bin has not been sent")
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


if __name__ == "__main__":
    unittest.main()
