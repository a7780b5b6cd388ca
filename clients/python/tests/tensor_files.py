"""Reads safetensors files."""

import json
import pathlib
import struct

from distilld import Tensor


def load(path):
    """A safetensors file as {name: Tensor} and its metadata."""
    data = pathlib.Path(path).read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    assert start % 8 == 0
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        blob = data[start + begin:start + end]
        tensors[name] = Tensor(entry["dtype"], tuple(entry["shape"]), blob)
    return tensors, metadata
