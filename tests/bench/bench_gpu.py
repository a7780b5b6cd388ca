"""The CUDA backend beside PyTorch on the same card; and cuDNN beside cuBLASLt at 1x1 convolutions.

    bench_gpu.py [rows=NAME,...] [rounds=3] [out=FILE]

Every participant of a row is a process of its own; they take turns `rounds` times and the fastest
median counts. What each measured is printed at once; one JSON line a row is printed and added to `out`.
A participant that never succeeds is told as `failed` and the others go on. Times are of a step as a program sees it: all participants wait once for
as many steps as our trainer has in a launch, with the data set in the GPU's memory.
"""
import functools
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("DISTILL_BUILD", "build"))
COPY_FLOATS = 256 << 20
STEPS_PER_LAUNCH = 8  # STEP_SLOTS of engine/backend/backend.h
SECONDS = 240  # of one participant: compiling may take minutes
EAGER = ("torch_eager", "torch_paper")  # PyTorch as the papers' code has it

STEPS = {
    "resnet32x4": {"teacher": "resnet32x4", "student": "resnet8x4", "batch_size": 64},
    "resnet56": {"teacher": "resnet56", "student": "resnet20", "batch_size": 64},
    "resnet34": {"teacher": "resnet34", "student": "resnet18", "batch_size": 256},
    "deit_tiny": {"teacher": "deit3_small", "student": "deit_tiny", "batch_size": 256},
}
STEP_PRECISIONS = ("bf16", "tf32", "f32")
POINTWISE = ("resnet50_cifar", "resnet50", "mobilenetv2")
LIBRARIES = ("cudnn", "cublaslt")
# What explain says of a 1x1 convolution without stride, and bench of the time of an op.
POINTWISE_OP = re.compile(r"^ *(\d+) (?:conv|conv_dx|conv_dw) .* stride=1 pad=0(?! groups)", re.M)
OP_TIME = re.compile(r"^ *(\d+) (\S+) +(\S+) +([\d.]+) ms .* (\S+)$", re.M)
LOSSES = {"loss_64x100": (64, 100), "loss_1024x1000": (1024, 1000),
          "loss_1024x21843": (1024, 21843), "loss_256x200000": (256, 200000)}
LOGIT_BYTES = {"f32": 12, "bf16": 6}  # moved for a logit: student's, teacher's, gradient


def run_json(command):
    """The last line of a command's output, which is JSON, or what went wrong."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return {"failed": f"took longer than {SECONDS} s"}
    if done.returncode != 0:
        return {"failed": done.stderr.strip()[-300:]}
    return json.loads(done.stdout.splitlines()[-1])


def words(fields):
    return [f"{key}={value}" for key, value in fields.items()]


def ours(**fields):
    return [str(BUILD / "distill"), "bench", *words({"device": "cuda", **fields})]


def torch(kind, **fields):
    return [sys.executable, str(HERE / "torch_gpu.py"), kind, *words(fields)]


def take_turns(participants, rounds):
    """name -> the result with the smallest median of all rounds; one that failed is not repeated."""
    best, failed = {}, set()
    for _ in range(rounds):
        for name, command in participants.items():
            if name in failed:
                continue
            result = run_json(command)
            print(json.dumps({"participant": name, **result}), flush=True)
            if "failed" in result:
                failed.add(name)
                best.setdefault(name, result)
            elif name not in best or result["ms_median"] < best[name]["ms_median"]:
                best[name] = result
    return best


def row_of(name, result):
    mine = result["distill"].get("ms_median")
    peers = {peer: found["ms_median"] for peer, found in result.items()
             if peer not in ("distill", "copy") and "ms_median" in found}
    row = {"row": name, "participants": result}
    if mine and peers:
        row["ms"] = mine
        row.update({"ratio_to_eager": peers[peer] / mine for peer in EAGER if peer in peers})
        row["ratio_to_best"] = min(peers.values()) / mine
    return row


def check_launches(result):
    for name, found in result.items():
        if found.get("steps_per_launch", STEPS_PER_LAUNCH) != STEPS_PER_LAUNCH:
            raise SystemExit(f"bench_gpu: {name} had {found['steps_per_launch']} steps a launch")


def step_row(name, precision, rounds):
    """PyTorch's f32 is without TF32, as ours is; tf32 allows it in convolutions and products."""
    networks = STEPS[name]
    few = {"steps": 40 if networks["batch_size"] > 64 else 400}
    theirs = {"precision": precision, "steps_per_launch": STEPS_PER_LAUNCH, **networks, **few}
    result = take_turns({
        "distill": ours(method="wttm", precision=precision, **networks, **few),
        "torch_eager": torch("step", style="eager", **theirs),
        "torch_compiled": torch("step", style="compiled", **theirs),
    }, rounds)
    check_launches(result)
    return row_of(f"{name}_{precision}", result)


@functools.lru_cache(maxsize=1)
def copy():
    """What the card's memory gives, measured once for all rows."""
    return run_json(torch("copy", floats=COPY_FLOATS))


def loss_row(name, precision, rounds):
    """Two logits are read and one gradient is written; compiling is told as compile_s."""
    rows, classes = LOSSES[name]
    size = {"rows": rows, "classes": classes, "precision": precision, "steps": 100 * STEPS_PER_LAUNCH,
            "steps_per_launch": STEPS_PER_LAUNCH}
    result = take_turns({
        "distill": ours(loss=f"{rows}x{classes}", method="wttm", precision=precision,
                        steps=100 * STEPS_PER_LAUNCH),
        "torch_paper": torch("loss", style="paper", **size),
        "torch_tuned": torch("loss", style="tuned", **size),
        "torch_compiled": torch("loss", style="compiled", **size),
    }, rounds)
    check_launches(result)
    result["copy"] = copy()
    row = row_of(f"{name}_{precision}", result)
    if "first_step_s" in result["torch_compiled"]:
        row["compile_s"] = result["torch_compiled"]["first_step_s"]
    if "ms" in row and "ms_median" in result["copy"]:
        row["gb_per_s"] = LOGIT_BYTES[precision] * rows * classes / row["ms"] / 1e6
        row["copy_gb_per_s"] = 8 * COPY_FLOATS / result["copy"]["ms_median"] / 1e6
        row["share_of_copy_bandwidth"] = row["gb_per_s"] / row["copy_gb_per_s"]
    return row


def run_text(command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS).stdout


def op_times(command):
    """Index of an op -> name, shape, ms, name of its output."""
    return {int(index): (name, shape, float(ms), out)
            for index, name, shape, ms, out in OP_TIME.findall(run_text(command))}


def pointwise_row(name, precision, rounds):
    """A training step with all 1x1 convolutions by either library, and each of them alone."""
    network = {"student": name, "batch_size": 64, "precision": precision}
    # fed by the host, as the program is that explain numbers
    commands = {library: ["env", f"DISTILL_CUDA_POINTWISE={library}",
                          *ours(steps=50, feed="host", **network)] for library in LIBRARIES}
    result = take_turns(commands, rounds)
    row = {"row": f"pointwise_{name}_{precision}", "participants": result}
    if any("failed" in one for one in result.values()):
        return row
    explained = run_text([str(BUILD / "distill"), "explain", *words(network)])
    times = {library: op_times([*commands[library], "ops=1"]) for library in LIBRARIES}
    row["ops"] = [{"op": times["cudnn"][op][0], "y": times["cudnn"][op][1],
                   "name": times["cudnn"][op][3],
                   **{f"{library}_ms": times[library][op][2] for library in LIBRARIES}}
                  for op in map(int, POINTWISE_OP.findall(explained))]
    for library in LIBRARIES:
        row[f"{library}_ops_ms"] = sum(op[f"{library}_ms"] for op in row["ops"])
    row["best_ops_ms"] = sum(min(op[f"{library}_ms"] for library in LIBRARIES)
                             for op in row["ops"])
    return row


KINDS = {
    **{f"{name}_{precision}": (lambda rounds, name=name, precision=precision:
                               step_row(name, precision, rounds))
       for name in STEPS for precision in STEP_PRECISIONS},
    **{f"pointwise_{name}_{precision}": (lambda rounds, name=name, precision=precision:
                                         pointwise_row(name, precision, rounds))
       for name in POINTWISE for precision in STEP_PRECISIONS},
    **{f"{name}_{precision}": (lambda rounds, name=name, precision=precision:
                               loss_row(name, precision, rounds))
       for name in LOSSES for precision in LOGIT_BYTES},
}


def main():
    options = {"rows": ",".join(KINDS), "rounds": "3", "out": ""}
    for word in sys.argv[1:]:
        key, value = word.split("=", 1)
        if key not in options:
            raise SystemExit(f"bench_gpu: unknown option {key}; known are {', '.join(options)}")
        options[key] = value
    unknown = set(options["rows"].split(",")) - set(KINDS)
    if unknown:
        raise SystemExit(f"bench_gpu: unknown rows {', '.join(sorted(unknown))}")
    for name in options["rows"].split(","):
        line = json.dumps(KINDS[name](int(options["rounds"])))
        print(line, flush=True)
        if options["out"]:
            with open(options["out"], "a", encoding="utf-8") as file:
                file.write(line + "\n")


if __name__ == "__main__":
    main()
