"""Reads and writes safetensors files with numpy alone."""

import json
import struct

import numpy

TYPES = {"U8": "u1", "I32": "<i4", "I64": "<i8", "F32": "<f4", "F64": "<f8"}
NAMES = {numpy.dtype(code): name for name, code in TYPES.items()}


def save(path, tensors, notes=None):
    """Writes arrays by name, in their order; notes are strings by name."""
    header, chunks, end = {}, [], 0
    if notes:
        header["__metadata__"] = notes
    for name, array in tensors.items():
        data = numpy.asarray(array, order="C").tobytes()
        header[name] = {
            "dtype": NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [end, end + len(data)],
        }
        chunks.append(data)
        end += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(chunks)


def load(path):
    """The arrays by name, without the metadata."""
    with open(path, "rb") as file:
        blob = file.read()
    (length,) = struct.unpack("<Q", blob[:8])
    header = json.loads(blob[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, row in header.items():
        begin, end = (8 + length + offset for offset in row["data_offsets"])
        flat = numpy.frombuffer(blob[begin:end], TYPES[row["dtype"]])
        tensors[name] = flat.reshape(row["shape"])
    return tensors
