#!/usr/bin/env python3
"""Checks the model of the queue: run.py DUMP_TABLE [TROUBLES]

All orders of two troubles (a kill, a lease that ends, a wish, a failure, ...) are searched, or of
TROUBLES, which takes ten times as long for each more. Every row of the table of transitions is to be
reached. Two models with a fault put in are to be found wrong: the checks do see something."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
HERE = pathlib.Path(__file__).resolve().parent
SAFETY = ["-DSAFETY", "-DNOCLAIM"]
MODELS = [  # name, its settings, how pan is compiled and called, whether it is right
    ("the second loss is too much", ["-DMAX_LOST=2"], SAFETY, [], True),
    ("the first one is", ["-DMAX_LOST=1"], SAFETY, [], True),
    ("nobody waits for ever", ["-DMAX_LOST=2"], ["-DNFAIR=3"], ["-a", "-f"], True),
    ("late writers are let in", ["-DMAX_LOST=2", "-DSTALE=state!=RUNNING"], SAFETY, [], False),
    ("points are not kept", ["-DMAX_LOST=2", "-DFORGETFUL"], SAFETY, [], False),
]


def check(folder, settings, compiled, called):
    """What pan prints. Its source is large: optimising it takes longer than it saves."""
    subprocess.run(["spin", *settings, "-a", "queue.pml"], cwd=folder, check=True,
                   capture_output=True)
    subprocess.run(["cc", "-w", "-DCOLLAPSE", "-DMEMLIM=8000", *compiled, "-o", "pan", "pan.c"],
                   cwd=folder, check=True)
    return subprocess.run(["./pan", "-m200000", *called], cwd=folder, check=True, text=True,
                          capture_output=True).stdout


def is_right(output):
    """No error, and nothing that was left out for want of room."""
    errors = int(re.search(r"errors: (\d+)", output).group(1))
    assert "max search depth too small" not in output and "out of memory" not in output, output
    return errors == 0


def main(dump, troubles="2"):
    if not shutil.which("spin"):
        print("skipped: there is no spin")
        return SKIPPED
    rows = int(subprocess.run([dump, "rows"], check=True, capture_output=True).stdout)
    reached, wrong = set(), 0
    with tempfile.TemporaryDirectory(prefix="distill-model-") as folder:
        shutil.copy(HERE / "queue.pml", folder)
        table = subprocess.run([dump], check=True, capture_output=True).stdout
        (pathlib.Path(folder) / "table.pml").write_bytes(table)
        for name, settings, compiled, called, expected in MODELS:
            output = check(folder, [f"-DTROUBLES={troubles}", *settings], compiled, called)
            states = re.search(r"(\S+) states, stored", output).group(1)
            fine = is_right(output) == expected
            wrong += not fine
            if expected:
                reached |= set(re.findall(r"^row (\d+)$", output, re.MULTILINE))
            print(f"{'ok' if fine else 'WRONG'}: {name}: {states} states", flush=True)
            if not fine:
                print(re.sub(r"^(row|Depth).*\n", "", output, flags=re.MULTILINE)[:4000])
    print(f"{len(reached)} of {rows} transitions reached")
    return 1 if wrong or len(reached) != rows else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
