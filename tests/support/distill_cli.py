"""Runs the executable `distill` of the build that DISTILL_BUILD names."""

import dataclasses
import functools
import json
import os
import pathlib
import signal
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("DISTILL_BUILD", ROOT / "build")).resolve()
INTERRUPTED = 130  # exit status after SIGINT


class DistillError(Exception):
    """A command failed; the text is what it wrote on stderr."""


def text_of(value):
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (list, tuple)):
        return ",".join(text_of(item) for item in value)
    return str(value)


def command_line(command, arguments):
    line = [str(BUILD / "distill"), command]
    return line + [f"{key}={text_of(value)}" for key, value in arguments.items()]


def distill(command, environment=None, **arguments):
    """The command's output; arguments as key=value, environment is added to this process's."""
    line, around = command_line(command, arguments), {**os.environ, **(environment or {})}
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=around)
    if done.returncode != 0:
        raise DistillError(f"{' '.join(line)}: exit {done.returncode}: {done.stderr}")
    return done.stdout


@dataclasses.dataclass(frozen=True)
class Device:
    """A backend, for commands that take one. Output is a list of objects, one a line."""

    name: str
    kind: str
    environment: tuple = ()

    def lines(self, command, **arguments):
        output = distill(command, dict(self.environment), device=self.kind, **arguments)
        return [json.loads(line) for line in output.splitlines()]

    def lines_until(self, condition, command, **arguments):
        """The same of a command that is interrupted as by Ctrl-C when a line meets the condition."""
        found, line = [], command_line(command, {**arguments, "device": self.kind})
        around = {**os.environ, **dict(self.environment)}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(line, env=around, **pipes) as child:
            for text in child.stdout:
                found.append(json.loads(text))
                if condition(found[-1]):
                    child.send_signal(signal.SIGINT)
            error = child.stderr.read()
        if child.returncode not in (0, INTERRUPTED):
            raise DistillError(f"{' '.join(line)}: exit {child.returncode}: {error}")
        return found


REF = Device("ref", "ref")
CPU = Device("cpu", "cpu")
CUDA = Device("cuda", "cuda")
# Without AVX2 there are no Winograd convolutions: sums are as direct as PyTorch's.
CPU_DIRECT = Device("cpu_direct", "cpu", (("DNNL_MAX_CPU_ISA", "AVX"),))


@functools.lru_cache
def devices():
    """Of this build; DISTILL_TEST_DEVICES=cuda names the GPU's instead (tests/gpu/run)."""
    if os.environ.get("DISTILL_TEST_DEVICES") == CUDA.name:
        return (CUDA,)
    try:
        distill("explain", student="resnet8", batch_size=1, device="cpu")
    except DistillError as error:
        if "this build has no cpu backend" not in str(error):
            raise
        return (REF,)
    return (REF, CPU)
