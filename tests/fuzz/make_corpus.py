#!/usr/bin/env python3
"""Makes the seeds in corpus/: small inputs that are right, and the ways in which they go wrong.

    tests/fuzz/make_corpus.py

Inputs that a fuzzer found are added beside them by hand, named after what they broke. The pictures
of tests/golden/pictures are seeds too."""

import gzip
import hashlib
import json
import io
import pathlib
import struct
import tarfile
import zlib

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
CIFAR10, CIFAR100, IDX, IDX_GZIP, TENSORS, TAR = range(6)


def tensors_file(header, data, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def tensors_seeds():
    right = {
        "__metadata__": {"format": "pt"},
        "a": entry("F32", [2, 1], 0, 8),
        "b": entry("BF16", [3], 8, 14),
        "c": entry("I64", [], 14, 22),
    }
    data = bytes(range(22))
    yield "right", tensors_file(right, data)
    yield "empty", tensors_file({}, b"")
    yield "no_file", b""
    yield "short", struct.pack("<Q", 100) + b"{}"
    yield "huge_header", tensors_file(right, data, 2**63)
    yield "overlap", tensors_file(
        {"a": entry("U8", [4], 0, 4), "b": entry("U8", [4], 2, 6)}, data[:6]
    )
    yield "hole", tensors_file({"a": entry("U8", [2], 0, 2), "b": entry("U8", [2], 4, 6)}, data[:6])
    yield "out_of_range", tensors_file({"a": entry("U8", [40], 0, 40)}, data)
    yield "overflow", tensors_file({"a": entry("F32", [2**32, 2**32, 2**32], 0, 0)}, b"")
    yield "elements_overflow", tensors_file({"a": entry("U8", [2**62, 2, 0], 0, 0)}, b"")
    yield "negative", tensors_file({"a": entry("F32", [-1], 0, -4)}, b"")
    yield "zero", tensors_file({"a": entry("F32", [0, 2**62], 0, 0)}, b"")
    twice = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8"}}'
    yield "twice", tensors_file(twice, b"1")
    yield "types", tensors_file({"a": {"dtype": 4, "shape": "x", "data_offsets": [[], {}]}}, b"")


def json_seeds():
    yield "values", b'{"a": [1, -2.5e3, true, false, null, "x\\u00e9\\n\\ud83d\\ude00"], "b": {}}'
    yield "deep", b"[" * 40 + b"]" * 40
    yield "surrogate", b'"\\ud83d"'
    yield "zero_byte", b'"\\u0000"'
    yield "twice", b'{"a": 1, "a": 2}'
    yield "open", b'{"a": [1, '
    yield "numbers", b"[0, -0, 01, 1., .5, 1e999, 9223372036854775807, 9223372036854775808, +1]"
    yield "utf8", b'"\xc3\xa9 \xed\xa0\x80 \xff"'
    yield "behind", b"{} {}"


def fields_seeds():
    yield "ce", b"student=resnet8\ndataset=x\nmilestones=1,2,3\nflip=0"
    yield "wttm", b"method=wttm\nteacher=t\nstudent=s\ndataset=d\ngamma=0.25\nbeta=2\nepochs=3"
    yield "both", b"method=kd\nteacher=t\nstudent=s\ndataset=d\ngamma=0.25\ntemperature=4"
    yield "twice", b"epochs=1\nepochs=2"
    yield "unknown", b"epoch=1\n=\nx\n\nlearning_rate=1e400"
    yield "ranges", b"batch_size=-1\nmilestones=3,2\nlabel_smoothing=1\nseed=99999999999999999999"
    yield "long", b"student=" + b"x" * 600


def dataset_file(kind, first, second=b""):
    return struct.pack("<BH", kind, len(first)) + first + second


def idx(kind, dims, data):
    return struct.pack(f">BBBB{len(dims)}I", 0, 0, kind, len(dims), *dims) + data


def tar_file(form, entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, kind, data in entries:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(data), "elsewhere"
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def png():
    def chunk(kind, data):
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">II5B", 1, 1, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0\x80")
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def packed_file(ends):
    count, data = len(ends), png()
    tensors = {
        "labels": entry("I32", [count], 0, 4 * count),
        "ends": entry("I64", [count], 4 * count, 12 * count),
        "digests": entry("U8", [count, 32], 12 * count, 44 * count),
        "pictures": entry("U8", [2 * len(data)], 44 * count, 44 * count + 2 * len(data)),
    }
    labels = struct.pack(f"<{count}i", *range(count))
    digests = hashlib.sha256(data).digest() * count
    return tensors_file(tensors, labels + struct.pack(f"<{count}q", *ends) + digests + 2 * data)


def dataset_seeds():
    yield "cifar10", dataset_file(CIFAR10, b"\3" + bytes(3072))
    yield "cifar10_label", dataset_file(CIFAR10, b"\12" + bytes(3072))
    yield "cifar10_cut", dataset_file(CIFAR10, b"\3" + bytes(1000))
    yield "cifar100", dataset_file(CIFAR100, b"\3\7" + bytes(3072))
    images, labels = idx(8, [2, 3, 2], bytes(range(12))), idx(8, [2], b"\0\1")
    yield "idx", dataset_file(IDX, images, labels)
    yield "idx_huge", dataset_file(IDX, idx(8, [2**31, 2**31, 2**31], b""), labels)
    yield "idx_rank", dataset_file(IDX, idx(8, [2] * 9, b""), labels)
    yield "idx_count", dataset_file(IDX, images, idx(8, [3], b"\0\1\2"))
    packed = [gzip.compress(data, mtime=0) for data in (images, labels)]
    yield "idx_gzip", dataset_file(IDX_GZIP, *packed)
    yield "idx_gzip_cut", dataset_file(IDX_GZIP, packed[0][:-9], packed[1])
    header = {"images": entry("U8", [2, 2, 2, 1], 0, 8), "labels": entry("I64", [2], 8, 24)}
    data = bytes(range(8)) + struct.pack("<qq", 0, 1)
    yield "tensors", dataset_file(TENSORS, tensors_file(header, data), b"cat\ndog\n")
    wrong = bytes(range(8)) + struct.pack("<qq", -1, 2**40)
    yield "tensors_labels", dataset_file(TENSORS, tensors_file(header, wrong))
    header["images"] = entry("U8", [2, 2**31, 2**31, 0], 0, 0)
    yield "tensors_empty", dataset_file(TENSORS, tensors_file(header, data))

    size = len(png())
    yield "packed", dataset_file(TENSORS, packed_file([size, 2 * size]), b"cat\ndog\n")
    yield "packed_ends", dataset_file(TENSORS, packed_file([size, size - 1, 2**62]))
    files = [(name, tarfile.REGTYPE, png()) for name in ("train/cat/1.png", "train/dog/2.png")]
    yield "tar", dataset_file(TAR, tar_file(tarfile.USTAR_FORMAT, files), b"Cat\nDog\n")
    yield "tar_class", dataset_file(TAR, tar_file(tarfile.USTAR_FORMAT, files[:1]))
    broken = [("cat/1.png", tarfile.REGTYPE, png()[:-9]), ("dog/2.jpg", tarfile.REGTYPE, png())]
    yield "tar_broken", dataset_file(TAR, tar_file(tarfile.USTAR_FORMAT, broken))


def incoming_seeds():
    def seed(kind, data, piece=6):
        return bytes([kind, piece]) + data
    (cifar100, cifar10, text, images, archive, labels_gzip, tensors, labels, whole,
     images_gzip) = range(10)
    right = idx(8, [2, 3, 2], bytes(range(12)))
    yield "cifar100", seed(cifar100, (b"\3\7" + bytes(3072)) * 2, 200)
    yield "cifar100_label", seed(cifar100, (b"\3\7" + bytes(3072)) + b"\3\xc8" + bytes(3072), 255)
    yield "cifar10", seed(cifar10, b"\3" + bytes(3072))
    yield "cifar10_cut", seed(cifar10, b"\3" + bytes(1000))
    yield "text", seed(text, b"cat\ndog\n")
    yield "text_zero", seed(text, b"cat\0dog\n")
    yield "idx", seed(images, right)
    yield "idx_more", seed(images, right + b"x")
    yield "idx_fewer", seed(images, right[:-1])
    yield "idx_huge", seed(images, idx(8, [2**31 - 1, 16384, 16384], b"x"))
    yield "idx_labels", seed(labels, idx(8, [2], b"\0\1"))
    yield "idx_gzip", seed(images_gzip, gzip.compress(right, mtime=0))
    yield "idx_gzip_cut", seed(images_gzip, gzip.compress(right, mtime=0)[:-9])
    yield "idx_gzip_more", seed(labels_gzip, gzip.compress(idx(8, [2], b"\0\1"), mtime=0) + b"x")
    header = {"images": entry("U8", [2, 2, 2, 1], 0, 8), "labels": entry("I64", [2], 8, 24)}
    pixels = bytes(range(8))
    yield "tensors", seed(tensors, tensors_file(header, pixels + struct.pack("<qq", 0, 1)))
    yield "tensors_label", seed(tensors, tensors_file(header, pixels + struct.pack("<qq", 0, 2**40)))
    yield "tensors_first", seed(tensors, tensors_file(
        {"labels": entry("I32", [2], 0, 8), "images": entry("U8", [2, 2, 2, 1], 8, 16)},
        struct.pack("<ii", 0, 1) + pixels))
    yield "tensors_overflow", seed(tensors, tensors_file({"a": entry("U8", [2**62], 0, 2**62)}, b""))
    yield "packed", seed(tensors, packed_file([len(png()), 2 * len(png())]))
    files = [("a", tarfile.DIRTYPE, b""), ("./a//" + "n" * 120, tarfile.REGTYPE, b"picture")]
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        yield f"tar_{form}", seed(archive, tar_file(form, files), 255)
    yield "tar_cut", seed(archive, tar_file(tarfile.PAX_FORMAT, files)[:2000], 255)
    yield "tar_climbs", seed(archive, tar_file(tarfile.USTAR_FORMAT, [("a/../../b", tarfile.REGTYPE, b"")]))
    yield "tar_link", seed(archive, tar_file(tarfile.USTAR_FORMAT, [("a/b", tarfile.SYMTYPE, b"")]))
    yield "tar_gzip", seed(whole, gzip.compress(tar_file(tarfile.GNU_FORMAT, files), mtime=0), 100)
    yield "bomb", seed(whole, gzip.compress(bytes(1 << 20), mtime=0), 100)


def picture_seeds():
    magic = b"\x89PNG\r\n\x1a\n"
    size = struct.pack(">II5B", 2**30, 2**30, 8, 2, 0, 0, 0)
    yield "huge_png", magic + struct.pack(">I", 13) + b"IHDR" + size + bytes(4)
    yield "only_png", magic
    yield "only_jpeg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
    yield "no_segments", b"\xff\xd8" + b"\xff\xda\x00\x02" * 90 + b"\xff\xd9"
    yield "text", b"GIF89a, but it is not"


def inference_seeds():
    def seed(shape, datatype="UINT8", data=None, behind=b"", said=None, length=None, **more):
        tensor = {"name": "images", "datatype": datatype, "shape": shape}
        tensor.update({"data": data} if data is not None
                      else {"parameters": {"binary_data_size": said or len(behind)}})
        text = json.dumps({"inputs": [tensor], **more}).encode()
        return struct.pack("<H", len(text) if length is None else length) + text + behind
    files = struct.pack("<I", 1) + b"a" + struct.pack("<I", 2) + b"bc"
    yield "flat", seed([1, 1, 2, 3], data=[0, 1, 2, 3, 4, 255])
    yield "nested", seed([1, 1, 2, 3], data=[[[[0, 1, 2], [3, 4, 255]]]])
    yield "binary", seed([1, 1, 2, 3], behind=bytes(6))
    yield "files", seed([2], "BYTES", behind=files)
    yield "base64", seed([2], "BYTES", data=["YQ==", "YmM="])
    yield "outputs", seed([1, 1, 1, 1], data=[1], id="x", parameters={"binary_data_output": True},
                          outputs=[{"name": "logits", "parameters": {"classification": 2}},
                                   {"name": "probabilities", "parameters": {"binary_data": False}}])
    yield "size_lies", seed([1, 1, 2, 3], behind=bytes(6), said=7)
    yield "length_lies", seed([1, 1, 2, 3], behind=bytes(6), length=65535)
    yield "file_beyond", seed([1], "BYTES", behind=b"\xff\xff\xff\xffa")
    yield "shape_overflows", seed([1024] + 3 * [2 ** 31 - 1], behind=bytes(6))
    yield "empty", b"\0\0"


def multipart_seeds():
    yield "two", b"--b\r\nA: b\r\n\r\none\r\n--b \t\r\n\r\ntwo\r\n--b--\r\n"
    yield "before_and_behind", b"x\r\n--b\r\n\r\none\r\n--b--x"
    yield "none", b"--b--"
    yield "no_end", b"--b\r\nA: b\r\n\r\none"
    yield "no_headers_end", b"--b\r\nA: b\r\n--b--"
    yield "longer_boundary", b"--b\r\n\r\none\r\n--bb--"


def tar_seeds():
    files = [("a", tarfile.DIRTYPE, b""), ("./a//" + "n" * 120, tarfile.REGTYPE, b"picture")]
    yield "ustar", tar_file(tarfile.USTAR_FORMAT, [("b/c", tarfile.REGTYPE, bytes(513))])
    yield "gnu", tar_file(tarfile.GNU_FORMAT, files)
    yield "pax", tar_file(tarfile.PAX_FORMAT, files)
    yield "cut", tar_file(tarfile.PAX_FORMAT, files)[:2000]
    yield "no_end", tar_file(tarfile.USTAR_FORMAT, files[:1])[:512]
    for name, path, kind in [
        ("climbs", "a/../../b", tarfile.REGTYPE),
        ("absolute", "/etc/passwd", tarfile.REGTYPE),
        ("symlink", "a/b", tarfile.SYMTYPE),
        ("hard_link", "a/b", tarfile.LNKTYPE),
        ("fifo", "a/b", tarfile.FIFOTYPE),
    ]:
        yield name, tar_file(tarfile.USTAR_FORMAT, [(path, kind, b"")])
    huge = bytearray(tar_file(tarfile.USTAR_FORMAT, [("a", tarfile.REGTYPE, b"x")]))
    huge[124:136] = b"\x80" + b"\xff" * 11
    huge[148:156] = b"%06o\0 " % (sum(huge[:512]) - sum(huge[148:156]) + 8 * 32)
    yield "huge", bytes(huge)


def framing_seeds():
    host = b"Host:a"
    yield "get", b"/jobs/job_1?limit=5&after=a+b%20c\n" + host
    yield "absolute", b"http://a/v2/models/x\n" + host
    yield "escapes", b"/%C3%A9/%2e%2e/%2F/%00/%x\n" + host
    yield "relative", b"/a/../b\n" + host
    yield "twice", b"/?a=1&a=2&&b\n" + host
    yield "deep", b"/a" * 20 + b"\n" + host
    yield "params", b"/?" + b"&".join(b"p%d=" % i for i in range(20)) + b"\n" + host
    yield "length", b"/\n" + host + b"\nContent-Length:5\nExpect:100-continue"
    yield "lengths", b"/\n" + host + b"\nContent-Length:5\ncontent-length:6"
    yield "list", b"/\n" + host + b"\nContent-Length:5, 5"
    yield "plus", b"/\n" + host + b"\nContent-Length:+5"
    yield "both", b"/\n" + host + b"\nContent-Length:5\nTransfer-Encoding:chunked"
    yield "chunked", b"/\n" + host + b"\nTransfer-Encoding:chunked"
    yield "coding", b"/\n" + host + b"\nTransfer-Encoding:gzip, chunked"
    yield "space", b"/\n" + host + b"\nContent-Length :5"
    yield "hosts", b"/\n" + host + b"\n" + host
    yield "bad_host", b"/\nHost:a/b"
    yield "no_host", b"/\nAccept:*/*"
    yield "control", b"/\n" + host + b"\nX:\x01"
    yield "expect", b"/\n" + host + b"\nExpect:200-ok"
    yield "many", b"/\n" + host + b"\nX:1" * 80


SEEDS = {
    "framing": framing_seeds,
    "json": json_seeds,
    "safetensors": tensors_seeds,
    "fields": fields_seeds,
    "dataset": dataset_seeds,
    "incoming": incoming_seeds,
    "picture": picture_seeds,
    "tar": tar_seeds,
    "inference": inference_seeds,
    "multipart": multipart_seeds,
}


def main():
    for target, seeds in SEEDS.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
