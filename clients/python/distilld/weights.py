"""PyTorch checkpoints (.pth) to safetensors, without running any code that a checkpoint names.

A .pth file is a pickle, and unpickling may call anything. torch.load(weights_only=True) forbids
that where PyTorch is installed and supports it. The reader here needs no PyTorch: it rebuilds
tensors and plain containers itself, and puts an inert placeholder in the place of everything else
(checkpoints of training scripts often hold their options), so that nothing is ever imported. It
reads both formats of PyTorch, the zip archives of today and the files before version 1.6.
"""

from __future__ import annotations

import collections
import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from itertools import product
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional
from typing import Tuple, Union

from .errors import DistilldError

PathLike = Union[str, "os.PathLike[str]"]

# storage class of PyTorch -> name in safetensors, bytes of an element
STORAGES = {
    "DoubleStorage": ("F64", 8), "FloatStorage": ("F32", 4), "HalfStorage": ("F16", 2),
    "BFloat16Storage": ("BF16", 2), "LongStorage": ("I64", 8), "IntStorage": ("I32", 4),
    "ShortStorage": ("I16", 2), "CharStorage": ("I8", 1), "ByteStorage": ("U8", 1),
    "BoolStorage": ("BOOL", 1),
}
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
DAMAGED = (pickle.UnpicklingError, EOFError, KeyError, ValueError, TypeError, IndexError,
           AttributeError, OverflowError, RuntimeError, struct.error, zlib.error, zipfile.BadZipFile)
STATE_KEYS = ("state_dict", "model_state_dict", "model", "net", "weights")


class Tensor(NamedTuple):
    """A tensor as it is stored: type by its safetensors name, shape, row-major bytes."""

    dtype: str
    shape: Tuple[int, ...]
    data: bytes


class _Ignored:
    """Stands for an object of a checkpoint that is no tensor; does nothing."""

    def __init__(self, *arguments: Any, **named: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, item: Any) -> None:
        """Pickles fill lists and sets item by item."""

    extend = add = append

    def __call__(self, *arguments: Any, **named: Any) -> "_Ignored":
        return self


class _Storage(NamedTuple):
    """The memory that tensors are views of."""

    dtype: str
    item_bytes: int
    data: Callable[[], bytes]


class _View(NamedTuple):
    """A tensor whose storage may not have been read yet."""

    storage: _Storage
    offset: int
    shape: Tuple[int, ...]
    strides: Tuple[int, ...]


def _rebuild_tensor(storage: _Storage, offset: int, shape: Iterable[int], strides: Iterable[int],
                    *_: Any) -> _View:
    return _View(storage, offset, tuple(shape), tuple(strides))


def _rebuild_parameter(tensor: _View, *_: Any) -> _View:
    return tensor


def _storage_class(name: str) -> type:
    return type(name, (), {"storage": STORAGES[name]})


ALLOWED: Dict[Tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    **{("torch", name): _storage_class(name) for name in STORAGES},
}


class _Unpickler(pickle.Unpickler):
    """Knows tensors, storages and OrderedDict, and makes a placeholder of all else."""

    def __init__(self, file: BinaryIO, load: Optional[Callable[[Any], _Storage]] = None):
        super().__init__(file, encoding="utf-8")
        self.load_storage = load

    def find_class(self, module: str, name: str) -> Any:
        return ALLOWED.get((module, name), _Ignored)

    def persistent_load(self, identity: Any) -> Any:
        if self.load_storage is None:
            raise DistilldError("the checkpoint refers to a storage where none can be")
        return self.load_storage(identity)


def _storage_kind(identity: Any) -> Tuple[str, int]:
    kind: Optional[Tuple[str, int]] = getattr(identity[1], "storage", None)
    if identity[0] != "storage" or kind is None:
        raise DistilldError(f"the checkpoint has a storage of unknown type: {identity[1]!r}")
    return kind


def _read_zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        index = next((name for name in names if name.endswith("/data.pkl")), None)
        if index is None:
            raise DistilldError(f"{path}: a zip file, but no checkpoint")
        folder = index[:-len("data.pkl")]
        if folder + "byteorder" in names and archive.read(folder + "byteorder") != b"little":
            raise DistilldError(f"{path}: written on a big-endian machine")
        blobs: Dict[str, bytes] = {}

        def load(identity: Any) -> _Storage:
            dtype, item_bytes = _storage_kind(identity)
            key = str(identity[2])
            if key not in blobs:
                blobs[key] = archive.read(f"{folder}data/{key}")
            return _Storage(dtype, item_bytes, lambda: blobs[key])

        return _Unpickler(io.BytesIO(archive.read(index)), load).load()


def _read_legacy(path: Path) -> Any:
    blobs: Dict[str, bytes] = {}
    item_bytes_of: Dict[str, int] = {}

    def load(identity: Any) -> _Storage:
        dtype, item_bytes = _storage_kind(identity)
        key = str(identity[2])
        if len(identity) > 5 and identity[5] is not None:
            raise DistilldError(f"{path}: views of storages are not supported")
        item_bytes_of[key] = item_bytes
        return _Storage(dtype, item_bytes, lambda: blobs[key])

    with open(path, "rb") as file:
        if _Unpickler(file).load() != LEGACY_MAGIC or _Unpickler(file).load() != LEGACY_PROTOCOL:
            raise DistilldError(f"{path}: no PyTorch checkpoint")
        _Unpickler(file).load()  # about the system that wrote it
        value = _Unpickler(file, load).load()
        for key in _Unpickler(file).load():
            count, = struct.unpack("<q", file.read(8))
            blobs[key] = file.read(count * item_bytes_of[key])
    return value


def _contiguous_strides(shape: Tuple[int, ...]) -> Tuple[int, ...]:
    strides: List[int] = []
    step = 1
    for side in reversed(shape):
        strides.append(step)
        step *= side
    return tuple(reversed(strides))


def _gather(view: _View) -> Tensor:
    """Copies a view's elements in row-major order."""
    dtype, size, load = view.storage
    blob, count = load(), 1
    for side in view.shape:
        count *= side
    last = view.offset + sum((side - 1) * step for side, step in zip(view.shape, view.strides))
    if count and (view.offset < 0 or min(view.strides, default=0) < 0
                  or (last + 1) * size > len(blob)):
        raise DistilldError("the checkpoint has a tensor that is larger than its storage")
    if count and view.strides != _contiguous_strides(view.shape):
        places = (view.offset + sum(i * step for i, step in zip(index, view.strides))
                  for index in product(*map(range, view.shape)))
        data = b"".join(blob[place * size:(place + 1) * size] for place in places)
    else:
        data = blob[view.offset * size:(view.offset + count) * size]
    return Tensor(dtype, view.shape, data)


def _from_torch(path: Path) -> Any:
    """The checkpoint as PyTorch reads it with weights_only; None if it cannot."""
    try:
        import torch
    except ImportError:
        return None
    try:
        return torch.load(str(path), map_location="cpu", weights_only=True)
    except DAMAGED:
        return None  # too old for weights_only, or there is more in it than weights, or less


def _is_tensor(value: Any) -> bool:
    """A tensor of ours or of PyTorch."""
    is_torch = type(value).__module__.split(".")[0] == "torch" and hasattr(value, "detach")
    return isinstance(value, _View) or is_torch


def _to_tensor(value: Any) -> Optional[Tensor]:
    """The tensor as it is stored; None for anything else."""
    if isinstance(value, _View):
        return _gather(value)
    if not _is_tensor(value):
        return None
    import torch
    names = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16",
             torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32", torch.int16: "I16",
             torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}
    tensor = value.detach().cpu().contiguous()
    name = names.get(tensor.dtype)
    if name is None:
        raise DistilldError(f"the checkpoint has a tensor of type {tensor.dtype}")
    plain = tensor.view(torch.int16) if name == "BF16" else tensor
    return Tensor(name, tuple(tensor.shape), plain.numpy().tobytes())


def _find_state(value: Any, source: Path) -> Mapping[str, Any]:
    """The weights by name: the checkpoint's part of a usual name, its only part that holds any, or
    the checkpoint itself."""
    if not isinstance(value, Mapping):
        return {}
    usual = [key for key in STATE_KEYS if isinstance(value.get(key), Mapping)]
    parts = [key for key, part in value.items()
             if isinstance(part, Mapping) and any(map(_is_tensor, part.values()))]
    chosen = usual[:1] or parts
    if len(chosen) > 1:
        names = ", ".join(map(str, chosen))
        raise DistilldError(f"{source}: weights under several names: {names}; save one alone")
    return _find_state(value[chosen[0]], source) if chosen else value


def read_pth(path: PathLike, *, use_torch: bool = True) -> Dict[str, Tensor]:
    """The tensors of a PyTorch checkpoint by name.

    The checkpoint is a state_dict or holds one, under a usual name ("state_dict", "model", ...) or
    as its only one; the prefix "module." of data-parallel training is dropped.
    """
    source = Path(os.fspath(path))
    value = _from_torch(source) if use_torch else None
    if value is None:
        try:
            value = _read_zip(source) if zipfile.is_zipfile(source) else _read_legacy(source)
        except DAMAGED as error:
            raise DistilldError(f"{source}: no PyTorch checkpoint: {error}") from error
    found = {str(name): _to_tensor(item) for name, item in _find_state(value, source).items()}
    tensors = {name: tensor for name, tensor in found.items() if tensor is not None}
    if not tensors:
        raise DistilldError(f"{source}: no weights found; save what a network's state_dict() gives")
    if all(name.startswith("module.") for name in tensors):
        tensors = {name[len("module."):]: tensor for name, tensor in tensors.items()}
    return tensors


def write_safetensors(path: PathLike, tensors: Mapping[str, Tensor],
                      metadata: Optional[Mapping[str, str]] = None) -> None:
    """Writes a safetensors file, in the order of the mapping, under a temporary name first."""
    header: Dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    offset = 0
    for name, tensor in tensors.items():
        end = offset + len(tensor.data)
        header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape),
                        "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    target = Path(os.fspath(path))
    partial = target.with_name(target.name + ".part")
    with open(partial, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(tensor.data)
    partial.replace(target)


def pth_to_safetensors(source: PathLike, target: PathLike, *,
                       metadata: Optional[Mapping[str, str]] = None,
                       use_torch: bool = True) -> Dict[str, Tensor]:
    """Converts a PyTorch checkpoint to safetensors and returns what was written.

    Names and values stay as they are; metadata (texts by name) goes into the file's header.
    """
    tensors = read_pth(source, use_torch=use_torch)
    write_safetensors(target, tensors, metadata)
    return tensors
