"""Runs ONNX files in ONNX Runtime, in a Python environment of its own beside the build.

ONNX_PYTHON names an interpreter that has onnx and onnxruntime instead. Where neither is to be had,
require() ends the process as skipped."""

import atexit
import functools
import json
import os
import pathlib
import subprocess

import python_environment
from pytorch import safetensors_io

PACKAGES = ("onnx==1.23.2", "onnxruntime==1.32.0")
RUNNER = pathlib.Path(__file__).resolve().parent / "onnx_runner.py"


@functools.lru_cache
def python():
    """The interpreter."""
    return os.environ.get("ONNX_PYTHON") or python_environment.python("onnx", PACKAGES)


def require():
    """Ends the process as skipped where ONNX Runtime cannot be had."""
    if not os.environ.get("ONNX_PYTHON"):
        python_environment.require("onnx", PACKAGES)


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
