"""Every architecture beside PyTorch at its best: a training step at batch 64 (16 for ImageNet's
pictures) and inference of 1 and of 64 pictures, in f32 and bf16.

Both take turns, two by default; what counts is a participant's best median. Where a step takes
longer than a second there is one turn of a few steps. On two quiet cores all of it takes about 20
minutes; networks= measures some, and tests/docs/blocks.py puts what all records named
<date>-networks*.jsonl hold into the tables of README.md and docs/performance.md.
"""
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TUNED = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
}
BUDGET_S = 0.5  # of a participant's turn
LONG_MS = 1000  # a step that needs no second turn
MOST_TURNS = 2
LARGE_SIDE = 64  # pictures above this are ImageNet's
PART = 4  # of those, a prediction of many takes so many at a time (engine/session/predictor.c)
KINDS = {"train": ("train", 64), "infer_1": ("infer", 1), "infer_64": ("infer", 64)}
PRECISIONS = ("f32", "bf16")


def names(wanted):
    zoo = (HERE.parents[1] / "engine" / "model" / "zoo.c").read_text(encoding="utf-8")
    known = re.findall(r'^    \{"(\w+)", ', zoo, re.MULTILINE)
    if wanted == "all":
        return known
    for name in wanted.split(","):
        if name not in known:
            raise SystemExit(f"bench: no network {name}; known are {', '.join(known)}")
    return wanted.split(",")


class Torch:
    """A process with PyTorch, for one network."""

    def __init__(self, threads):
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "torch_networks.py"), threads], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **TUNED})

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"bench: torch_networks.py ended at {request}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def ours(build, **fields):
    command = [str(build / "distill"), "bench", *[f"{key}={value}" for key, value in fields.items()]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bench: {' '.join(command)}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def ours_of(build, fields, parts):
    """A batch of ours, in parts."""
    fields = {**fields, "batch_size": fields["batch_size"] // parts}
    first = ours(build, **fields, steps=2, warmup=1)
    steps = int(1000 * BUDGET_S / first["ms_min"])
    mine = first if steps <= 2 else ours(build, **fields, steps=min(steps, 500), warmup=2)
    return {**mine, "ms_median": parts * mine["ms_median"]}


def turn(build, torch, fields, parts):
    """One of ours, one of PyTorch's."""
    mine = ours_of(build, fields, parts)
    theirs = torch.ask(network=fields["student"], mode=fields["mode"], side=mine["height"],
                       batch_size=fields["batch_size"], classes=mine["classes"],
                       precision=fields["precision"], budget_s=BUDGET_S)
    return mine, theirs


def compared(build, torch, fields, parts, turns):
    """Both at their best, and the ratio."""
    best = None
    for _ in range(turns):
        pair = turn(build, torch, fields, parts)
        best = pair if best is None else tuple(
            min(two, key=lambda one: one["ms_median"]) for two in zip(best, pair))
        if max(one["ms_median"] for one in best) > LONG_MS:
            break
    mine, theirs = best
    return {"ms": mine["ms_median"], "torch_ms": theirs["ms_median"], "torch_way": theirs["way"],
            "ratio": theirs["ms_median"] / mine["ms_median"], "batch_size": fields["batch_size"],
            "parts": parts,
            "activation_bytes": mine["activation_bytes"],
            "workspace_bytes": mine["workspace_bytes"]}, mine, theirs


def row(build, name, options):
    side = ours(build, student=name, mode="infer", batch_size=1, steps=1, warmup=0)["height"]
    turns = min(MOST_TURNS, int(options["rounds"]))
    result, torch = {"row": f"network_{name}", "network": name, "side": side}, None
    try:
        torch = Torch(options["threads"])
        for precision in PRECISIONS:
            for kind, (mode, batch) in KINDS.items():
                large = side > LARGE_SIDE
                parts = max(1, batch // PART) if large and mode == "infer" else 1
                batch = 16 if large and mode == "train" else batch
                fields = {"student": name, "mode": mode, "batch_size": batch,
                          "precision": precision, "threads": options["threads"]}
                compare, mine, theirs = compared(build, torch, fields, parts, turns)
                result[f"{precision}_{kind}"] = compare
                result[f"ratio_{precision}_{kind}"] = compare["ratio"]
    finally:
        if torch:
            torch.close()
    return {**result, "ms": result["f32_train"]["ms"], "torch_version": theirs["version"],
            "device": mine["device"]}


def rows(build, options):
    for name in names(options["networks"]):
        yield row(build, name, options)
