"""Data sets on their way to the service, file by file, each gone on with where it broke off."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path
from typing import IO, Callable, Dict, Iterator, Optional

from .types import Upload, UploadFile

FILES = re.compile(  # what the service knows by name
    r"(train|test|test_batch|data_batch_[1-5])\.bin|(batches\.meta|fine_label_names|classes)\.txt"
    r"|(train|t10k)-(images|labels)[-.]idx[13]-ubyte(\.gz)?|(train|test)\.safetensors"
    r"|(train|test|val|dataset)\.(tar|tar\.gz|tgz)")
ARCHIVES = {".tar": "dataset.tar", ".gz": "dataset.tar.gz", ".tgz": "dataset.tgz"}
SPLITS = ("train", "test", "val")
BLOCK_BYTES = 1 << 20


def sources(path: Path, folder: Path) -> Dict[str, Path]:
    """The files to send, by the name that they have for the service: what a folder holds, or an
    archive of one. A split that is a folder of pictures becomes an archive in `folder`."""
    if not path.is_dir():
        if path.suffix not in ARCHIVES:
            raise ValueError(f"{path} is neither a folder nor a .tar, .tar.gz or .tgz of one")
        return {ARCHIVES[path.suffix]: path}
    found: Dict[str, Path] = {}
    for item in sorted(path.iterdir()):
        if item.is_dir() and item.name in SPLITS:
            found[f"{item.name}.tar"] = _pack(item, folder)
        elif item.is_file() and FILES.fullmatch(item.name):
            found[item.name] = item
    if not found:
        raise ValueError(f"{path} holds no files of a data set")
    return found


def _pack(split: Path, folder: Path) -> Path:
    target = folder / f"{split.name}.tar"
    with tarfile.open(target, "w", dereference=True) as archive:
        for item in sorted(split.iterdir()):
            archive.add(item, item.name)
    return target


def pieces(file: IO[bytes], moved: Optional[Callable[[int], None]]) -> Iterator[bytes]:
    """What is left of a file; moved is told its place in the file each time."""
    for block in iter(lambda: file.read(BLOCK_BYTES), b""):
        yield block
        if moved:
            moved(file.tell())


def content_range(first: int, total: int) -> Dict[str, str]:
    """The headers of the part of a file that begins at first, perhaps an empty one at its end."""
    headers = {"Content-Length": str(total - first)}
    if first:
        part = "*" if first == total else f"{first}-{total - 1}"
        headers["Content-Range"] = f"bytes {part}/{total}"
    return headers


def find(upload: Upload, name: str) -> UploadFile:
    """What has arrived of a file."""
    for file in upload["files"]:
        if file["name"] == name:
            return file
    return {"name": name, "bytes": 0, "complete": False}
