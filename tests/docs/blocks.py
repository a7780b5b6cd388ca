#!/usr/bin/env python3
"""The parts of README.md and docs/ that are made from the contract and the code.

    blocks.py           exit status 1 if a page is not up to date
    blocks.py write     rewrites the pages

A block stands between <!-- made: NAME --> and <!-- end -->. The executable `distill` is named by
DISTILL, or is build/distill.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/support"))
import contract  # noqa: E402

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
API = contract.load()


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def resolve(node):
    """A schema with what it refers to put in."""
    if "$ref" not in node:
        return node
    target = API
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**resolve(target), **{key: value for key, value in node.items() if key != "$ref"}}


def sentence(text):
    return " ".join(text.split()).replace("|", "\\|")


def number(value):
    return repr(value).removesuffix(".0")


def bounds(schema):
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None and high is None:
        return ""
    below = "<" if "exclusiveMinimum" in schema else "<="
    above = "<" if "exclusiveMaximum" in schema else "<="
    left = f"{number(low)} {below} " if low is not None else ""
    right = f" {above} {number(high)}" if high is not None else ""
    return f"{left}x{right}"


def range_of(schema):
    kinds = schema.get("type", "")
    kind = next((name for name in ([kinds] if isinstance(kinds, str) else kinds)
                 if name != "null"), "")
    if "enum" in schema:
        return ", ".join(str(item) for item in schema["enum"] if item is not None)
    if kind == "array":
        most = f"at most {schema['maxItems']}: " if "maxItems" in schema else ""
        return f"list, {most}{range_of(resolve(schema['items']))}"
    if kind == "string" and "maxLength" in schema:
        return f"{schema.get('minLength', 0)} to {schema['maxLength']} characters"
    return f"{kind}, {bounds(schema)}".rstrip(", ")


def default_of(schema):
    value = schema.get("default")
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else number(value)


def operations():
    for path, item in API["paths"].items():
        for method in ("get", "post", "put", "patch", "delete"):
            if method in item:
                yield method.upper(), path, item, item[method]


def routes():
    """Every route with its answers; `default` ones are described in the text."""
    rows = []
    for method, path, _, operation in operations():
        codes = " ".join(code for code in operation["responses"] if code != "default")
        role = next((choice["bearer"][0] for choice in operation["security"]), "")
        rows.append([f"`{method} {path}`", operation["summary"], role, codes])
    return table(["route", "", "role", "answers"], rows)


def parameters():
    rows = []
    for method, path, item, operation in operations():
        for parameter in map(resolve, operation.get("parameters", [])):
            rows.append([f"`{method} {path}`", f"`{parameter['name']}` ({parameter['in']})",
                         range_of(resolve(parameter["schema"])),
                         "required" if parameter.get("required")
                         else default_of(resolve(parameter["schema"])),
                         sentence(parameter["description"])])
    return table(["route", "parameter", "range", "default", ""], rows)


def fields(name):
    """A schema's members; of a request, also which are required (an answer has all of them)."""
    schema = resolve(API["components"]["schemas"][name])
    required = schema.get("required", []) if name.endswith("Request") else []
    return table(["field", "range", "default", ""],
                 [[f"`{field}`", range_of(resolve(row)),
                   "required" if field in required else default_of(resolve(row)),
                   sentence(resolve(row).get("description", ""))]
                  for field, row in schema["properties"].items()])


KINDS_OF_SETTING = {"INT": "integer", "FLOAT": "number", "TEXT": "text", "BOOL": "true, false"}


def words(name):
    """The choices of that name in engine/spec/train_spec.c."""
    text = (ROOT / "engine/spec/train_spec.c").read_text()
    return re.findall(r'"(\w+)"', re.search(rf"\b{name}\[\] = {{(.*?)}}", text)[1])


def settings():
    """The rows of the table in service/common/config.c; all but what up tells its children."""
    text = (ROOT / "service/common/config.c").read_text()
    rows = []
    for name, kind, more, doc in re.findall(
            r'\{ROW\((\w+)\), \.type = FIELD_(\w+),(.*?)\.doc =\s*((?:"[^"]*"\s*)+)\}', text, re.DOTALL):
        said = dict(re.findall(r'\.(\w+) = (".*?"|[^,]+),', more))
        kind = KINDS_OF_SETTING.get(kind) or ", ".join(words(said["choices"]))
        if name != "ready_fd":
            rows.append([f"`{name}`", kind, said.get("fallback", "").strip('"'),
                         sentence("".join(re.findall('"([^"]*)"', doc)))])
    assert len(rows) + 1 == text.count("ROW(") - 1, "a setting that is not read"
    return table(["setting", "values", "default", ""], rows)


def transitions():
    """The rows of the table in api/job.c."""
    text = (ROOT / "api/job.c").read_text()
    rows = re.findall(r"^    ROW\((\w+), (\w+), (\w+), (\w+), (\w+)\),", text, re.MULTILINE)

    def standing(state, wish):
        return state.lower() + (f", wish {wish.lower()}" if wish != "NONE" else "")
    return table(["event", "from", "to"],
                 [[f"`{event.lower()}`", standing(state, wish), standing(to, wish_then)]
                  for event, state, wish, to, wish_then in rows])


def statuses():
    """Problem slugs with their codes, from api/errors.c, api/errors.h and engine/base/status.h."""
    slugs = dict(re.findall(r'X\((\w+), "(\w+)", "[^"]*"\)',
                            (ROOT / "engine/base/status.h").read_text()))
    codes = dict(re.findall(r"CODE_(\w+) = (\d+)", (ROOT / "api/errors.c").read_text()))
    sentences = dict(re.findall(r'X\((\w+), "\w+", "([^"]*)"\)',
                                (ROOT / "engine/base/status.h").read_text()))
    rows = [[codes[name], f"`{slug}`", sentences[name]] for name, slug in slugs.items()
            if name != "OK"]
    rows += [[code, f"`{slug}`", title] for code, slug, title in
             re.findall(r'X\(\w+, (\d+), "(\w+)", "([^"]*)"\)', (ROOT / "api/errors.h").read_text())]
    return table(["code", "type", "title"], sorted(rows))


def measured():
    """The newest row of each network in the bench's records."""
    rows = {}
    for path in sorted((ROOT / "tests/bench/records").glob("*-networks*.jsonl")):
        for row in map(json.loads, path.read_text().splitlines()):
            rows[row["network"]] = {**row, "record": path.name}
    return rows


KINDS = ("train", "infer_1", "infer_64")


def speed():
    """Milliseconds, ours and PyTorch's, and their ratio."""
    rows = []
    for name, row in measured().items():
        for precision in ("f32", "bf16"):
            cells = [row[f"{precision}_{kind}"] for kind in KINDS]
            rows.append([f"`{name}`", precision, *[
                f"{cell['ms']:.3g}, {cell['torch_ms']:.3g}, **{cell['ratio']:.2f}**"
                for cell in cells]])
    if not rows:
        return "Not measured yet.\n"
    return table(["network", "numbers", "training step", "1 picture", "64 pictures"], rows)


def networks():
    """Names from the zoo, numbers from `distill explain`, a step's ratio from the bench's records."""
    distill = os.environ.get("DISTILL", str(ROOT / "build/distill"))
    zoo = (ROOT / "engine/model/zoo.c").read_text()
    speeds = measured()
    origins = dict(re.findall(r'(\w+) = \{"(\w+)", \d+, \d+, \d+,', zoo))
    rows = []
    for name, origin in re.findall(r'^    \{"(\w+)", "[^"]*",\s+\w+, &(\w+)', zoo, re.MULTILINE):
        origin = origins[origin]
        text = subprocess.run([distill, "explain", f"student={name}", "mode=infer", "batch_size=1"],
                              capture_output=True, text=True, check=True).stdout
        counts = re.search(r"parameters (\d+), multiply-adds of a picture (\d+)", text).groups()
        parameters_, multiply_adds = map(int, counts)
        side = re.search(r"x(\d+)x3:u8", text).group(1)
        rows.append([f"`{name}`", origin, f"{side} x {side}", f"{parameters_:,}",
                     f"{multiply_adds / 1e6:,.1f} M",
                     f"{speeds[name]['f32_train']['ratio']:.2f}" if name in speeds else ""])
    return table(["name", "names of tensors as in", "pictures", "parameters", "multiply-adds",
                  "step, times PyTorch"], rows)


# Of the SXM card by its datasheet, dense: TFLOP/s by precision, TB/s.
CARDS = {"H100": ({"bf16": 989, "tf32": 495, "f32": 67}, 3.35),
         "H200": ({"bf16": 989, "tf32": 495, "f32": 67}, 4.8)}


def work_of_step(pair, precision):
    """FLOPs and bytes of a step's ops, each with its operands once."""
    distill = os.environ.get("DISTILL", str(ROOT / "build/distill"))
    # explain has no tf32: its numbers lie as those of f32
    given = {**pair, "precision": "bf16" if precision == "bf16" else "f32", "method": "wttm"}
    text = subprocess.run([distill, "explain", *[f"{key}={value}" for key, value in given.items()]],
                          capture_output=True, text=True, check=True).stdout
    totals = re.findall(r"^total (?!prologue).* ([\d.]+) MFLOP +([\d.]+) KiB$", text, re.MULTILINE)
    return sum(float(flop) for flop, _ in totals) * 1e6, sum(float(kib) for _, kib in totals) * 1024


def gpu_work():
    """Every row of the GPU bench -> precision, FLOPs (0: bound by memory alone), bytes."""
    sys.path.insert(0, str(ROOT / "tests/bench"))
    import bench_gpu
    work = {f"{name}_{precision}": (precision, *work_of_step(pair, precision))
            for name, pair in bench_gpu.STEPS.items() for precision in bench_gpu.STEP_PRECISIONS}
    for name, (rows, classes) in bench_gpu.LOSSES.items():
        for precision, each in bench_gpu.LOGIT_BYTES.items():
            work[f"{name}_{precision}"] = (precision, 0, rows * classes * each)
    return work


def gpu():
    """Work, floor by the card's datasheet, and what has been measured: the newest record wins."""
    rows, found = [], {}
    for path in sorted((ROOT / "tests/bench/records").glob("*-gpu*.jsonl")):
        found.update({row["row"]: row for row in map(json.loads, path.read_text().splitlines())})
    for name, (precision, flops, moved) in gpu_work().items():
        row = found.get(name, {})
        device = row.get("participants", {}).get("distill", {}).get("device", "")
        card = next((card for card in CARDS if card in device), "H100")
        rate, bandwidth = CARDS[card]
        floor = max(flops / rate[precision] / 1e9, moved / bandwidth / 1e9)
        measured = ["unmeasured", "", "", ""]
        if "ms" in row:
            measured = [f"{row['ms']:.3g}", f"{100 * floor / row['ms']:.0f} %",
                        *[f"{row[ratio]:.2f}" if ratio in row else ""
                          for ratio in ("ratio_to_eager", "ratio_to_best")]]
        rows.append([f"`{name}`", f"{flops / 1e9:,.1f}" if flops else "", f"{moved / 1e6:,.1f}", card,
                     f"{floor:.3g}", *measured])
    return table(["row", "GFLOP", "MB", "card", "floor, ms", "measured, ms", "share of the floor",
                  "times eager PyTorch", "times its best"], rows)


SERVERS = ("distilld", "fastapi", "litserve")


def http():
    """The newest record of each row of bench-http: requests per second, median and 99th percentile."""
    found = {}
    for path in sorted((ROOT / "tests/bench/records").glob("*-http-load*.jsonl")):
        for row in map(json.loads, path.read_text().splitlines()):
            found.setdefault(row["row"], {})[row.get("server", "ratio")] = row
    rows = []
    for name, by_server in found.items():
        if "ratio" not in by_server or "ratio" not in by_server["ratio"]:
            continue
        cells = [f"{row['requests_per_s']:,.0f}; {row['p50_ms']:.3g}, {row['p99_ms']:.3g}"
                 for row in map(by_server.get, SERVERS)]
        ratio = by_server["ratio"]
        rows.append([*name.rsplit("_c", 1), *cells,
                     f"**{ratio['ratio']:.2f}**; {ratio['ratio_p99']:.2f}"])
    return table(["", "connections", *SERVERS, "times the best peer; p99"], rows)


def fuzzing():
    """What tests/fuzz/run and tests/fuzz/coverage have written down."""
    done = json.loads((ROOT / "tests/fuzz/records.json").read_text())
    rows = []
    for line in (ROOT / "tests/fuzz/coverage.tsv").read_text().splitlines():
        target, path, covered, count, share = line.split("\t")
        row = done.get(target, {"executions": 0, "processor_s": 0})
        rows.append([target, f"`{path}`", f"{covered} of {count}", f"{share} %",
                     f"{row['executions']:,}", f"{row['processor_s'] / 60:.0f}"])
    return table(["target", "reader", "lines reached", "", "inputs run", "processor minutes"], rows)


MAKERS = {"routes": routes, "parameters": parameters, "settings": settings, "transitions": transitions,
          "statuses": statuses, "networks": networks, "speed": speed, "gpu": gpu,
          "http": http, "fuzzing": fuzzing,
          "job": lambda: fields("TrainSpec"),
          "dataset": lambda: fields("DatasetRequest"), "point": lambda: fields("Point"), "event": lambda: fields("Event"), "worker": lambda: fields("Worker"),
          "webhook": lambda: fields("Webhook"), "webhookrequest": lambda: fields("WebhookRequest"),
          "key": lambda: fields("KeyRequest"), "upload": lambda: fields("Upload"),
          "predict": lambda: fields("PredictRequest"), "model": lambda: fields("Model"),
          "evaluation": lambda: fields("Evaluation")}


def made(text):
    """A page with its blocks as they should be."""
    return BLOCK.sub(lambda match: match[1] + MAKERS[match[2]]() + match[3], text)


def main():
    stale = [page for page in PAGES if made(page.read_text()) != page.read_text()]
    for page in stale:
        if sys.argv[1:] == ["write"]:
            page.write_text(made(page.read_text()))
        else:
            print(f"{page.relative_to(ROOT)} is not up to date: tests/docs/blocks.py write")
    return 1 if stale and sys.argv[1:] != ["write"] else 0


if __name__ == "__main__":
    sys.exit(main())
