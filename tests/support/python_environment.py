"""Python environments of their own beside the build, for packages that tests need and the
distribution does not have.

An environment is made once, from the registry that pip is set up for. Where the packages are not to
be had, require() ends the process as skipped."""

import fcntl
import os
import pathlib
import shutil
import subprocess
import sys

SKIPPED = 77
BUILD = pathlib.Path(os.environ.get("DISTILL_BUILD", "build")).resolve()


def make_environment(folder, packages):
    """Whole or not at all: it gets its name when everything is installed."""
    partial = folder.with_name(folder.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", partial], check=True, capture_output=True)
    pip = [partial / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", *packages], check=True, capture_output=True, timeout=600)
    partial.rename(folder)


def python(name, packages):
    """The interpreter of the environment of that name."""
    folder = BUILD / f"{name}-venv"
    with open(BUILD / f"{name}-venv.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several tests may want it first
        if not folder.exists():
            make_environment(folder, packages)
    return str(folder / "bin" / "python")


def require(name, packages):
    """The same; ends the process as skipped where the packages cannot be had."""
    try:
        return python(name, packages)
    except (subprocess.SubprocessError, OSError) as error:
        reason = getattr(error, "stderr", b"") or b""
        print(f"skipped: {' '.join(packages)} cannot be installed: {error}\n{reason.decode()}")
        sys.exit(SKIPPED)
