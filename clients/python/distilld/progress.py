"""One live line about a job on a terminal."""

from __future__ import annotations

import sys
from typing import IO, List, Optional, Tuple

from .types import Job


def describe(job: Job) -> str:
    """A job in one line: state, epoch, step, speed, loss, accuracy, time left."""
    progress, metrics = job["progress"], job["metrics"]
    parts: List[str] = [job["id"], job["state"]]
    if progress["steps"]:
        parts.append(f"epoch {progress['epoch']}/{progress['epochs']}")
        parts.append(f"{100 * progress['fraction']:.0f} %")
    if job["state"] == "running" and progress["images_per_s"]:
        parts.append(f"{progress['images_per_s']:.0f} images/s")
    train, evaluation = metrics["train"], metrics["eval"]
    if train and train["loss"] is not None:
        parts.append(f"loss {train['loss']:.4f}")
    if evaluation and evaluation["top1"] is not None:
        parts.append(f"top1 {100 * evaluation['top1']:.2f} %")
    if job["state"] == "running" and progress["remaining_s"] is not None:
        parts.append(f"{progress['remaining_s']:.0f} s left")
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
            self.stream.write("\r" + text.ljust(self.width))
            self.width = len(text)
        elif self.last_key != (job["state"], job["progress"]["epoch"]):
            self.stream.write(text + "\n")
        self.last_key = (job["state"], job["progress"]["epoch"])
        self.stream.flush()

    def close(self) -> None:
        if self.is_terminal and self.width:
            self.stream.write("\n")
