"""make bench-http: the service under load on loopback, beside Python servers with the same model.

    bench_http.py [rows=health,resnet8x4,resnet18,curve,streams,growth] [seconds=5] [record=NAME]

Each row has a service of its own. Each server runs alone, on all cores, which it shares with wrk.
The peers are FastAPI on uvicorn and LitServe, both with ONNX Runtime and the model that the service
exports; of some settings of each, the one with the most requests per second at 64 connections is
taken. A request is one JPEG file. One JSON line a row; record=NAME writes them to
tests/bench/records/<date>-<NAME>.jsonl too (docs/performance.md shows those named http-load).

    health     GET /healthz at 1, 8, 64 and 256 connections
    resnet8x4  POST /predict, 32 x 32, likewise
    resnet18   POST /predict, 224 x 224, likewise
    curve      GET /jobs/{id}/metrics with 10,000 points
    streams    memory of each of 1,000 idle live streams
    growth     resident memory over 2,000,000 requests of many kinds
"""
import base64
import contextlib
import datetime
import http.client
import io
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
import time

import numpy
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path += [str(ROOT / "tests" / "system"), str(ROOT / "tests" / "support" / "pytorch")]
import safetensors_io  # noqa: E402
from service import Service  # noqa: E402

CONNECTIONS = (1, 8, 64, 256)
CHOICE_CONNECTIONS = 64
SIDES = {"resnet8x4": 32, "resnet18": 224}
PEERS = {
    "fastapi": [("batch=0", "workers=2", "threads=1"), ("batch=0", "workers=1", "threads=2"),
                ("batch=1", "workers=2", "threads=1"), ("batch=1", "workers=1", "threads=2")],
    "litserve": [("batch=64", "workers=1", "threads=2"), ("batch=64", "workers=2", "threads=1"),
                 ("batch=1", "workers=2", "threads=1")],
}
POST = """
local file = io.open("{path}", "rb")
wrk.method, wrk.body = "POST", file:read("*a")
wrk.headers["Content-Type"] = "{media}"
file:close()
"""
GROWTH_REQUESTS = 2_000_000
GROWTH = """
local file = io.open("{path}", "rb")
local picture = file:read("*a")
file:close()
local jpeg, json = {{["Content-Type"] = "image/jpeg"}}, {{["Content-Type"] = "application/json"}}
local kinds = {{
  function() return wrk.format("GET", "/healthz") end,
  function() return wrk.format("GET", "/models/{model}") end,
  function() return wrk.format("GET", "/nothing?here=%20") end,
  function() return wrk.format("GET", "/jobs?limit=5") end,
  function() return wrk.format("POST", "/jobs", json, '{{"student": 1, "epochs": -1}}') end,
  function() return wrk.format("GET", "/datasets") end,
  function() return wrk.format("GET", "/healthz") end,
}}
local i = 0
function request()
  i = i + 1
  if i % 500 == 0 then return wrk.format("POST", "/predict?model={model}", jpeg, picture) end
  return kinds[i % #kinds + 1]()
end
"""


def options_of(arguments):
    options = {"rows": ",".join(ROWS), "seconds": "5", "record": ""}
    for word in arguments:
        key, value = word.split("=", 1)
        if key not in options:
            raise SystemExit(f"bench-http: unknown option {key}; known are {', '.join(options)}")
        options[key] = value
    return options


# ---- what is asked for ----

def make_dataset(folder, count, side):
    """Noise in 10 classes: only the network's size counts here."""
    folder.mkdir()
    for split in ("train", "test"):
        images = numpy.random.default_rng(1).integers(0, 256, (count, side, side, 3), dtype=numpy.uint8)
        safetensors_io.save(folder / f"{split}.safetensors",
                            {"images": images, "labels": numpy.arange(count, dtype=numpy.int64) % 10})


def register(service, name, count, side):
    make_dataset(service.folder / name, count, side)
    service.import_dataset(name, service.folder / name)


def train(service, student, dataset, **more):
    """The job of a network that has seen the data once."""
    job = service.post("/jobs", {"method": "ce", "student": student, "dataset": dataset, "epochs": 1,
                                 "batch_size": 2, "augment": "none", "learning_rate": 0.001, **more})
    assert job.status == 201, job
    return service.wait_for_job(job.json()["id"])


def make_picture(path, side):
    """A JPEG file with soft colours, as a photograph has."""
    coarse = numpy.random.default_rng(2).integers(0, 256, (8, 8, 3), dtype=numpy.uint8)
    Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC).save(path, quality=90)


# ---- load ----

def wrk(url, connections, seconds, script=None):
    """Requests per second, latencies in ms, and how many answers were not 2xx."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "20s"]
    command += ["-s", str(script)] if script else []
    text = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    units = {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}
    latency = {name: float(value) * units[unit] for name, value, unit in
               re.findall(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.MULTILINE)}
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    lost = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    return {"requests_per_s": float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)),
            "requests": int(re.search(r"(\d+) requests in", text).group(1)),
            "p50_ms": latency["50"], "p99_ms": latency["99"],
            "errors": int(errors.group(1) if errors else 0) + sum(map(int, lost.groups() if lost else ()))}


def answers(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@contextlib.contextmanager
def peer(name, model, settings):
    """The URL of a Python server that runs."""
    port = 18080 + os.getpid() % 1000
    command = [sys.executable, str(HERE / f"{name}_server.py"), str(port), str(model), *settings]
    process = subprocess.Popen(command, cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"bench-http: {' '.join(command)} does not answer")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        time.sleep(1)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


class Material:
    """A service with a model of each size that is asked for, its export, and pictures."""

    def __init__(self, folder, students):
        self.folder = folder
        self.service = Service(predict_threads=os.cpu_count(), predict_batches=os.cpu_count(),
                               connections=4096)
        self.students, self.models = students, {}

    def __enter__(self):
        self.service.start()
        for student in self.students:
            side = SIDES[student]
            register(self.service, f"noise{side}", 16, side)
            self.models[student] = train(self.service, student, f"noise{side}")["model"]
            onnx = self.service.get(f"/models/{self.models[student]}/weights?format=onnx&normalize=true")
            self.path(student, "onnx").write_bytes(onnx.body)
            make_picture(self.path(student, "jpg"), side)
            self.write_scripts(student)
            self.load(student)
        return self

    def __exit__(self, *error):
        self.service.__exit__(*error)

    def load(self, student):
        """The first picture waits until the model is in memory."""
        answer = self.service.request("POST", f"/predict?model={self.models[student]}",
                                      self.path(student, "jpg").read_bytes(),
                                      {"Content-Type": "image/jpeg"})
        assert answer.status == 200, answer

    def path(self, student, kind):
        return self.folder / f"{student}.{kind}"

    def write_scripts(self, student):
        jpeg = self.path(student, "jpg")
        body = {"image": base64.b64encode(jpeg.read_bytes()).decode()}
        self.path(student, "json").write_text(json.dumps(body))
        for script, path, media in (("jpeg", jpeg, "image/jpeg"),
                                    ("base64", self.path(student, "json"), "application/json")):
            self.path(student, script).write_text(POST.format(path=path, media=media))


# ---- rows ----

def best_settings(name, material, student, script):
    """The settings of a peer with the most requests per second."""
    def rate(settings):
        with peer(name, material.path(student, "onnx"), settings) as url:
            wrk(url + "/predict", 8, 1, script)
            return wrk(url + "/predict", CHOICE_CONNECTIONS, 3, script)["requests_per_s"]
    return max(PEERS[name], key=rate)


def beside(row, connections, results):
    """Each server's row, and how many times the best peer the service is."""
    for server, result in results.items():
        yield {"row": f"{row}_c{connections}", "server": server, **result}
    best = max((r for s, r in results.items() if s != "distilld"), key=lambda r: r["requests_per_s"])
    mine = results["distilld"]
    yield {"row": f"{row}_c{connections}", "ratio": mine["requests_per_s"] / best["requests_per_s"],
           "ratio_p99": best["p99_ms"] / mine["p99_ms"]}


def predict_rows(student, material, seconds):
    jpeg, base64_script = material.path(student, "jpeg"), material.path(student, "base64")
    results = {connections: {} for connections in CONNECTIONS}
    url = f"{material.service.url}/predict?model={material.models[student]}"
    wrk(url, 8, 1, jpeg)
    for connections in CONNECTIONS:
        results[connections]["distilld"] = wrk(url, connections, seconds, jpeg)
    for name, script in (("fastapi", jpeg), ("litserve", base64_script)):
        settings = best_settings(name, material, student, script)
        with peer(name, material.path(student, "onnx"), settings) as peer_url:
            wrk(peer_url + "/predict", 8, 1, script)
            for connections in CONNECTIONS:
                results[connections][name] = {
                    **wrk(peer_url + "/predict", connections, seconds, script), "settings": settings}
    for connections in CONNECTIONS:
        yield from beside(f"predict_{student}", connections, results[connections])


def health_rows(material, seconds):
    results = {connections: {} for connections in CONNECTIONS}
    for connections in CONNECTIONS:
        results[connections]["distilld"] = wrk(material.service.url + "/healthz", connections, seconds)
    for name, settings in (("fastapi", PEERS["fastapi"][0]), ("litserve", PEERS["litserve"][0])):
        with peer(name, material.path("resnet8x4", "onnx"), settings) as url:
            for connections in CONNECTIONS:
                results[connections][name] = wrk(url + "/healthz", connections, seconds)
    for connections in CONNECTIONS:
        yield from beside("healthz", connections, results[connections])


def curve_rows(material, seconds):
    service = material.service
    register(service, "many", 19998, 8)
    job = train(service, "resnet8", "many", report_every=1)
    path = f"/jobs/{job['id']}/metrics"
    points = len(service.get(path).json()["points"])
    for connections in (1, 8):
        yield {"row": f"metrics_10000_points_c{connections}", "points": points,
               "bytes": len(service.get(path).body), **wrk(service.url + path, connections, seconds)}


def resident_bytes(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text).group(1)) * 1024


def stream_rows(material, seconds):
    count, service = 1000, material.service
    register(service, "idle", 64, 8)
    first = service.post("/jobs", {"student": "resnet8", "dataset": "idle", "epochs": 100000}).json()
    job = service.post("/jobs", {"student": "resnet8", "dataset": "idle", "epochs": 1}).json()
    service.post(f"/jobs/{first['id']}/pause")
    service.post(f"/jobs/{job['id']}/pause")
    pid = service.child("serve")
    before, clients = resident_bytes(pid), []
    for _ in range(count):
        client = service.connect()
        client.sendall(f"GET /jobs/{job['id']}/metrics?format=stream HTTP/1.1\r\n"
                       f"Host: {service.host}\r\n\r\n".encode())
        head = client.recv(4096)
        assert head.startswith(b"HTTP/1.1 200"), head
        clients.append(client)
    time.sleep(seconds)
    grown = resident_bytes(pid) - before
    ticks = sum(map(int, pathlib.Path(f"/proc/{pid}/stat").read_text().split()[13:15]))
    time.sleep(seconds)
    busy = sum(map(int, pathlib.Path(f"/proc/{pid}/stat").read_text().split()[13:15])) - ticks
    for client in clients:
        client.close()
    for made in (first, job):
        service.post(f"/jobs/{made['id']}/cancel")
    yield {"row": "idle_streams", "streams": count, "bytes_each": grown / count,
           "processor_share": busy / os.sysconf("SC_CLK_TCK") / seconds}


def growth_rows(material, seconds):
    service, student = material.service, "resnet8x4"
    script = material.folder / "growth.lua"
    script.write_text(GROWTH.format(path=material.path(student, "jpg"), model=material.models[student]))
    pid, done, first, sizes = service.child("serve"), 0, None, []
    while done < GROWTH_REQUESTS:
        done += wrk(service.url, 64, seconds, script)["requests"]
        sizes.append(resident_bytes(pid))
        if first is None and done >= GROWTH_REQUESTS / 10:
            first = sizes[-1]
    yield {"row": "growth", "requests": done, "bytes_after_a_tenth": first,
           "grown_bytes": max(sizes[-3:]) - first}


ROWS = {
    "health": (["resnet8x4"], health_rows),
    "resnet8x4": (["resnet8x4"], lambda *rest: predict_rows("resnet8x4", *rest)),
    "resnet18": (["resnet18"], lambda *rest: predict_rows("resnet18", *rest)),
    "curve": ([], curve_rows),
    "streams": ([], stream_rows),
    "growth": (["resnet8x4"], growth_rows),
}


def machine():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                            cwd=ROOT, check=False).stdout.strip()
    return {"commit": commit, "cpu": re.search(r"model name\s*: (.*)", text).group(1),
            "cores": os.cpu_count(), "kernel": platform.release(),
            "date": datetime.date.today().isoformat()}


def main():
    options = options_of(sys.argv[1:])
    names = options["rows"].split(",")
    out = io.StringIO()
    for name in names:
        students, rows_of = ROWS[name]
        with tempfile.TemporaryDirectory() as folder, \
                Material(pathlib.Path(folder), students) as material:
            for row in rows_of(material, int(options["seconds"])):
                line = json.dumps({**row, **machine()})
                print(line, flush=True)
                out.write(line + "\n")
    if options["record"]:
        name = f"{datetime.date.today()}-{options['record']}.jsonl"
        (ROOT / "tests" / "bench" / "records" / name).write_text(out.getvalue())


if __name__ == "__main__":
    main()
