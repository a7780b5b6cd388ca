"""Ratios against PyTorch and the machine's own limits, measured side by side.

    bench.py [rows=step_f32,step_bf16,kd_f32,kd_bf16,loss,networks] [rounds=3] [steps=10]
             [threads=2] [networks=all] [record=NAME]

The participants of a row take turns, each in a process of its own, `rounds` times; what counts is
the fastest median. PyTorch runs as it comes, and at its best: channels_last, its threads set, and
malloc kept from giving memory back after every step. One JSON line a row, then a short table.
The row `networks` times every architecture (networks=NAME,NAME for some): a training step and
inference, in f32 and bf16, beside PyTorch at its best.
record=NAME writes the lines to tests/bench/records/<date>-<NAME>.jsonl too.
"""
import datetime
import functools
import json
import os
import pathlib
import platform
import subprocess
import sys

import networks
from networks import TUNED

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("DISTILL_BUILD", "build"))
COPY_FLOATS = 64 << 20  # from memory to memory, larger than any cache


def options_of(arguments):
    options = {"rows": ",".join(KINDS), "rounds": "3", "steps": "10", "threads": "2",
               "networks": "all", "record": ""}
    for word in arguments:
        key, value = word.split("=", 1)
        if key not in options:
            raise SystemExit(f"bench: unknown option {key}; known are {', '.join(options)}")
        options[key] = value
    return options


def run_json(command, environment=None):
    """The last line of a command's output, which is JSON."""
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, **(environment or {})})
    if done.returncode != 0:
        raise SystemExit(f"bench: {' '.join(command)}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def words(**fields):
    return [f"{key}={value}" for key, value in fields.items()]


def ours(**fields):
    return lambda: run_json([str(BUILD / "distill"), "bench", *words(**fields)])


def torch(kind, environment=None, **fields):
    command = [sys.executable, str(HERE / "torch_step.py"), kind, *words(**fields)]
    return lambda: run_json(command, environment)


def take_turns(participants, rounds):
    """name -> the result with the smallest median of all rounds."""
    best = {}
    for _ in range(rounds):
        for name, run in participants.items():
            result = run()
            if name not in best or result["ms_median"] < best[name]["ms_median"]:
                best[name] = result
    return best


def step_row(kind, precision, options):
    """A training step of resnet8x4, or the KD step from resnet32x4, at batch 64."""
    common = {"threads": options["threads"], "steps": options["steps"], "precision": precision}
    networks = {"student": "resnet8x4"}
    mine = {"method": "ce"}
    if kind == "kd":
        networks["teacher"] = "resnet32x4"
        mine = {"method": "wttm"}
    result = take_turns({
        "distill": ours(**common, **networks, **mine),
        "torch_default": torch(kind, **common, **networks),
        "torch_channels_last": torch(kind, **common, **networks, channels_last=1),
        "torch_tuned": torch(kind, TUNED, **common, **networks, channels_last=1),
        "torch_default_malloc": torch(kind, TUNED, **common, **networks),
    }, int(options["rounds"]))
    mine, peers = result.pop("distill"), result
    fastest = min(peer["ms_median"] for peer in peers.values())
    memory = min(peer["step_memory_bytes"] for peer in peers.values())
    yield {
        "row": f"{kind}_{precision}", "networks": networks, "batch_size": 64,
        "ms": mine["ms_median"], "ms_min": mine["ms_min"], "gflop_per_s": mine["gflop_per_s"],
        "torch_ms": {name: peer["ms_median"] for name, peer in peers.items()},
        "ratio_to_best_torch": fastest / mine["ms_median"],
        "ratio_to_default_torch": peers["torch_default"]["ms_median"] / mine["ms_median"],
        "activation_bytes": mine["activation_bytes"],
        "workspace_bytes": mine["workspace_bytes"], "torch_step_memory_bytes": memory,
        "share_of_torch_memory": mine["activation_bytes"] / memory,
        "share_with_workspace": (mine["activation_bytes"] + mine["workspace_bytes"]) / memory,
        "allocations_per_step": mine["allocations_per_step"],
        "rss_growth_bytes": mine["rss_growth_bytes"],
        "torch_version": peers["torch_default"]["version"], "device": mine["device"],
    }


def loss_row(rows, classes, options):
    """The WTTM loss with its gradient, against autograd and the copy bandwidth."""
    size = {"rows": rows, "classes": classes, "threads": options["threads"]}
    many = max(10, min(2000, 200_000_000 // (rows * classes)))
    few = max(3, many // 20)
    result = take_turns({
        "distill": ours(loss=f"{rows}x{classes}", threads=options["threads"], steps=many,
                        method="wttm"),
        "paper": torch("loss", TUNED, **size, style="paper", steps=few),
        "tuned": torch("loss", TUNED, **size, style="tuned", steps=few),
        "copy": torch("copy", TUNED, threads=options["threads"], floats=COPY_FLOATS, steps=10),
    }, int(options["rounds"]))
    mine = result["distill"]["ms_median"]
    loss_gb_per_s = 12 * rows * classes / mine / 1e6
    copy_gb_per_s = 8 * COPY_FLOATS / result["copy"]["ms_median"] / 1e6
    yield {
        "row": f"loss_{rows}x{classes}", "ms": mine, "ms_min": result["distill"]["ms_min"],
        "torch_paper_ms": result["paper"]["ms_median"],
        "torch_tuned_ms": result["tuned"]["ms_median"],
        "gb_per_s": loss_gb_per_s, "copy_gb_per_s": copy_gb_per_s,
        "ratio_to_paper": result["paper"]["ms_median"] / mine,
        "ratio_to_tuned": result["tuned"]["ms_median"] / mine,
        "share_of_copy_bandwidth": loss_gb_per_s / copy_gb_per_s,
        "torch_version": result["tuned"]["version"], "device": result["distill"]["device"],
    }


def loss_rows(options):
    for rows, classes in ((64, 100), (1024, 1000), (4096, 21843)):
        yield from loss_row(rows, classes, options)


def network_rows(options):
    yield from networks.rows(BUILD, options)


KINDS = {
    **{f"{kind}_{precision}": functools.partial(step_row, kind, precision)
       for kind in ("step", "kd") for precision in ("f32", "bf16")},
    "loss": loss_rows,
    "networks": network_rows,
}


def machine():
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                            check=False).stdout.strip()
    with open("/proc/cpuinfo", encoding="ascii") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if "model name" in line), "?")
    return {"commit": commit, "cpu": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "date": datetime.date.today().isoformat()}


def table(rows):
    print(f"\n{'row':22} {'ours':>12}  ratios")
    for row in rows:
        ratios = ", ".join(f"{key} {value:.2f}" for key, value in row.items()
                           if isinstance(value, float) and key.startswith(("ratio", "share")))
        value = f"{row['ms']:.3f} ms" if "ms" in row else f"{row['requests_per_s']:.0f}/s"
        print(f"{row['row']:22} {value:>12}  {ratios}")


def record_path(name, date):
    folder = HERE / "records"
    folder.mkdir(exist_ok=True)
    return folder / f"{date}-{name}.jsonl"


def main():
    options, where, rows = options_of(sys.argv[1:]), machine(), []
    record = record_path(options["record"], where["date"]) if options["record"] else os.devnull
    with open(record, "w", encoding="utf-8") as file:
        for kind in options["rows"].split(","):
            for row in KINDS[kind](options):
                rows.append({**row, **where})
                print(json.dumps(rows[-1]), file=file, flush=True)
                print(json.dumps(rows[-1]), flush=True)
    table(rows)


main()
