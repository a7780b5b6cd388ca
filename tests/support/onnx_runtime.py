"""Runs ONNX files in ONNX Runtime, in a Python environment of its own beside the build.

The environment is made once, from the registry that pip is set up for; ONNX_PYTHON names an
interpreter that has onnx and onnxruntime instead. Where neither is to be had, require() ends the
process as skipped."""

import atexit
import fcntl
import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys

from pytorch import safetensors_io

SKIPPED = 77
PACKAGES = ("onnx>=1.16", "onnxruntime>=1.18")
BUILD = pathlib.Path(os.environ.get("DISTILL_BUILD", "build")).resolve()
RUNNER = pathlib.Path(__file__).resolve().parent / "onnx_runner.py"


def make_environment(folder):
    """Whole or not at all: it gets its name when everything is installed."""
    partial = folder.with_name(folder.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", partial], check=True, capture_output=True)
    pip = [partial / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", *PACKAGES], check=True, capture_output=True, timeout=600)
    partial.rename(folder)


@functools.lru_cache
def python():
    """The interpreter."""
    if os.environ.get("ONNX_PYTHON"):
        return os.environ["ONNX_PYTHON"]
    folder = BUILD / "onnx-venv"
    with open(BUILD / "onnx-venv.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several tests may want it first
        if not folder.exists():
            make_environment(folder)
    return str(folder / "bin" / "python")


def require():
    """Ends the process as skipped where ONNX Runtime cannot be had."""
    try:
        python()
    except (subprocess.SubprocessError, OSError) as error:
        reason = getattr(error, "stderr", b"") or b""
        print(f"skipped: {' '.join(PACKAGES)} cannot be installed: {error}\n{reason.decode()}")
        sys.exit(SKIPPED)


@functools.lru_cache
def runner():
    """One process for all files: importing takes longer than running."""
    child = subprocess.Popen([python(), RUNNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True)
    atexit.register(end, child)
    return child


def end(child):
    child.stdin.close()
    child.wait()
    child.stdout.close()


def run(folder):
    """Checks the folder's model.onnx, runs it on the arrays of its x.safetensors, and returns the
    metadata and the logits by name."""
    child = runner()
    child.stdin.write(f"{folder}\n")
    child.stdin.flush()
    answer = child.stdout.readline()
    if not answer:
        raise RuntimeError(f"ONNX Runtime ended with status {child.wait()}")
    if wrong := json.loads(answer):
        raise RuntimeError(wrong)
    return (json.loads((folder / "notes.json").read_text()),
            safetensors_io.load(folder / "y.safetensors"))
