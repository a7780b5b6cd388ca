"""Writes the safetensors files of the golden values; needs numpy only."""

import json
import struct

import numpy

TYPES = {"uint8": "U8", "int32": "I32", "int64": "I64", "float32": "F32", "float64": "F64"}


def save(path, tensors, notes):
    """Writes arrays by name, in their order, and notes (strings by name) as metadata."""
    header, blob = {"__metadata__": notes}, b""
    for name, array in tensors.items():
        data = numpy.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": TYPES[str(array.dtype)], "shape": list(array.shape),
                        "data_offsets": [len(blob), len(blob) + len(data)]}
        blob += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + blob)
