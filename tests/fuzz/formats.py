"""Files of the formats that seeds are of, also with fields that are wrong."""

import hashlib
import io
import json
import struct
import tarfile
import zlib

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
CIFAR10, CIFAR100, IDX, IDX_GZIP, TENSORS, TAR = range(6)


def tensors_file(header, data, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


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


def tar_changed(archive, at, data):
    """With other bytes in the first header, and the checksum that they need."""
    out = bytearray(archive)
    out[at:at + len(data)] = data
    out[148:156] = b" " * 8
    out[148:156] = b"%06o\0 " % sum(out[:512])
    return bytes(out)


def chunk(kind, data):
    crc = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + crc


def png(width=1, height=1, depth=8, color=0, interlace=0, rows=b"\0\x80", before=b""):
    header = struct.pack(">II5B", width, height, depth, color, 0, 0, interlace)
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return PNG_MAGIC + chunk(b"IHDR", header) + before + pixels + chunk(b"IEND", b"")


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
