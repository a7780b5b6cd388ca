#!/usr/bin/env python3
"""Compares `distill explain` with the dumps beside this file; usage: check.py DISTILL.

DISTILL_UPDATE_GOLDEN=1 rewrites them. Every architecture has to have a dump of its own name.
"""

import difflib
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).parent


def read_cases():
    """Yields name and arguments of each line of explain.cases."""
    for line in (HERE / "explain.cases").read_text().splitlines():
        if line and not line.startswith("#"):
            name, arguments = line.split(":", 1)
            yield name, arguments.split()


def explain(distill, arguments):
    return subprocess.run([distill, "explain", *arguments], capture_output=True, text=True)


def check(distill, name, arguments, update):
    """Returns what is wrong with one dump, or nothing."""
    path = HERE / f"{name}.txt"
    result = explain(distill, arguments)
    if result.returncode != 0 or result.stderr:
        return f"{name}: exit status {result.returncode}: {result.stderr}"
    if update:
        path.write_text(result.stdout)
    expected = path.read_text() if path.exists() else ""
    lines = difflib.unified_diff(expected.splitlines(), result.stdout.splitlines(),
                                 str(path), "distill explain", lineterm="")
    return "\n".join(list(lines)[:40])


def missing(distill, names):
    """Returns the architectures that the program knows and explain.cases does not."""
    message = explain(distill, ["student=none"]).stderr
    known = re.search(r"known are (.*)", message)
    if not known:
        return [f"no list of architectures in: {message}"]
    return [f"{name}: no dump" for name in known[1].split(", ") if name not in names]


def main():
    distill, cases = sys.argv[1], list(read_cases())
    update = os.environ.get("DISTILL_UPDATE_GOLDEN") == "1"
    faults = [check(distill, name, arguments, update) for name, arguments in cases]
    faults += missing(distill, [name for name, _ in cases])
    names = {name for name, _ in cases} | {"CMakeLists"}
    faults += [f"{path.name}: no line in explain.cases"
               for path in HERE.glob("*.txt") if path.stem not in names]
    faults = [fault for fault in faults if fault]
    print("\n".join(faults) or f"{len(cases)} dumps agree")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
