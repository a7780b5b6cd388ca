"""One live line about a job on a terminal."""

from __future__ import annotations

import shutil
import sys
from typing import IO, List, Optional, Tuple

from .types import Job


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: 1:02:03, or 2:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def describe(job: Job) -> str:
    """A job in one line: state, epoch, share done, time left, loss, accuracy, speed, id; what one
    most wants to know comes first, as a terminal may be narrow."""
    progress, metrics = job["progress"], job["metrics"]
    running = job["state"] == "running"
    parts: List[str] = [job["state"]]
    if progress["steps"]:
        parts.append(f"epoch {progress['epoch']}/{progress['epochs']}")
        parts.append(f"{100 * progress['fraction']:.0f} %")
    if running and progress["remaining_s"] is not None:
        parts.append(f"left {duration(progress['remaining_s'])}")
    train, evaluation = metrics["train"], metrics["eval"]
    if train and train["loss"] is not None:
        parts.append(f"loss {train['loss']:.4f}")
    if evaluation and evaluation["top1"] is not None:
        parts.append(f"top1 {100 * evaluation['top1']:.2f} %")
    if running and progress["images_per_s"]:
        parts.append(f"{progress['images_per_s']:.0f} images/s")
    parts.append(job["id"])
    return "  ".join(parts)


class ProgressLine:
    """Rewrites one line on a terminal; elsewhere writes a line whenever the epoch changes."""

    def __init__(self, stream: Optional[IO[str]] = None):
        self.stream = stream or sys.stderr
        self.is_terminal = self.stream.isatty()
        self.width = 0
        self.last_key: Optional[Tuple[str, int]] = None

    def show(self, job: Job) -> None:
        text = describe(job)
        if self.is_terminal:
            # a line that wraps could not be rewritten
            text = text[:shutil.get_terminal_size().columns - 1]
            self.stream.write("\r" + text.ljust(self.width))
            self.width = len(text)
        elif self.last_key != (job["state"], job["progress"]["epoch"]):
            self.stream.write(text + "\n")
        self.last_key = (job["state"], job["progress"]["epoch"])
        self.stream.flush()

    def close(self) -> None:
        if self.is_terminal and self.width:
            self.stream.write("\n")
