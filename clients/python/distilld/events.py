"""Reads text/event-stream, line by line (the HTML standard's server-sent events)."""

from __future__ import annotations

from typing import Iterable, Iterator, List, NamedTuple, Optional


class Event(NamedTuple):
    """One event; id is the last one that the stream named so far."""

    name: str
    data: str
    id: Optional[str]


def read_lines(blocks: Iterable[bytes]) -> Iterator[str]:
    """The lines of a text, which end with \\n or \\r\\n alone: JSON may hold other ends of lines."""
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line.rstrip(b"\r").decode()
    if rest:
        yield rest.decode()


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """The events of a stream's lines, which have no line ends. Comments are dropped."""
    name, data, last_id = "", [], None  # type: str, List[str], Optional[str]
    for line in lines:
        if not line:
            if data:
                yield Event(name or "message", "\n".join(data), last_id)
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            last_id = value
