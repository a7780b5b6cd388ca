"""Pictures that are sent, and files that are downloaded."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Union

import httpx

from .errors import DistilldError
from .weights import PathLike

Picture = Union[PathLike, bytes]

PICTURES_PER_REQUEST = 64
BYTES_PER_REQUEST = 24 << 20  # 32 MiB in base64; a service takes 64 MiB unless it is told otherwise


def picture_bytes(picture: Picture) -> bytes:
    """The JPEG or PNG file itself."""
    return picture if isinstance(picture, bytes) else Path(os.fspath(picture)).read_bytes()


def content_type(picture: bytes) -> str:
    """The media type of a JPEG or PNG file."""
    return "image/png" if picture.startswith(b"\x89PNG") else "image/jpeg"


def batches(pictures: Sequence[Picture]) -> Iterator[List[bytes]]:
    """The files of pictures, as many at a time as a request may hold, but at least one."""
    batch: List[bytes] = []
    for picture in pictures:
        body = picture_bytes(picture)
        total = sum(map(len, batch)) + len(body)
        if batch and (len(batch) == PICTURES_PER_REQUEST or total > BYTES_PER_REQUEST):
            yield batch
            batch = []
        batch.append(body)
    if batch:
        yield batch


def save(response: httpx.Response, path: PathLike, *, tag: Optional[str] = None) -> Path:
    """Makes a file of an answer, once it is whole and its SHA-256 is the tag, if there is one; until
    then it lies beside it, and a file of that name stays as it was."""
    target = Path(os.fspath(path))
    partial = target.with_name(target.name + ".part")
    digest = hashlib.sha256()
    try:
        with open(partial, "wb") as file:
            for block in response.iter_bytes():
                digest.update(block)
                file.write(block)
        if tag is not None and tag.strip('W/"') != digest.hexdigest():  # W/ by a proxy that packs
            raise DistilldError(f"{target}: what it was to hold was damaged on its way")
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return target
