"""Requests per second of the running service, with wrk on loopback: /healthz and POST /predict with
a resnet8x4 and one 32 x 32 PNG a request."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests" / "system"), str(ROOT / "tests" / "support" / "pytorch")]

SECONDS = 5
POST = """
local file = io.open("{picture}", "rb")
wrk.method, wrk.body = "POST", file:read("*a")
wrk.headers["Content-Type"] = "image/png"
file:close()
"""


def make_dataset(folder):
    """128 pictures of noise in 10 classes: only the network's size counts here."""
    import numpy
    import safetensors_io

    folder.mkdir()
    for split in ("train", "test"):
        images = numpy.random.default_rng(1).integers(0, 256, (128, 32, 32, 3), dtype=numpy.uint8)
        safetensors_io.save(folder / f"{split}.safetensors",
                            {"images": images, "labels": numpy.arange(128, dtype=numpy.int64) % 10})


def train(service, folder):
    """The id of a resnet8x4 that has seen the data once."""
    make_dataset(folder / "noise")
    answer = service.post("/datasets", {"name": "noise", "path": str(folder / "noise")})
    assert answer.status == 201, answer
    job = service.post("/jobs", {"method": "ce", "student": "resnet8x4", "dataset": "noise",
                                 "epochs": 1}).json()
    return service.wait_for_job(job["id"])["model"]


def make_picture(build, folder):
    picture = folder / "picture.png"
    subprocess.run([str(build / "distill"), "data", "sample", str(folder / "noise"), "index=0",
                    f"out={picture}"], check=True, capture_output=True)
    return picture


def wrk(url, connections, script=None):
    """Requests per second, latencies in ms, and how many answers were not 2xx."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency"]
    command += ["-s", str(script)] if script else []
    text = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    units = {"us": 0.001, "ms": 1, "s": 1000}
    latency = {name: float(value) * units[unit] for name, value, unit in
               re.findall(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)$", text, re.MULTILINE)}
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return {"requests_per_s": float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)),
            "p50_ms": latency["50"], "p99_ms": latency["99"],
            "errors": int(errors.group(1)) if errors else 0}


def rows(build, threads):
    from service import Service

    with Service(predict_threads=threads) as service, tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        service_folder = service.folder / "import"
        service_folder.mkdir()
        model = train(service, service_folder)
        script = folder / "post.lua"
        script.write_text(POST.format(picture=make_picture(build, service_folder)), encoding="utf-8")
        for connections in (1, 64):
            yield {"row": f"healthz_c{connections}", **wrk(f"{service.url}/healthz", connections)}
        for connections in (1, 8, 64):
            yield {"row": f"predict_resnet8x4_c{connections}", "model": "resnet8x4",
                   **wrk(f"{service.url}/predict?model={model}", connections, script)}


if __name__ == "__main__":
    for row in rows(pathlib.Path(sys.argv[1]), 2):
        print(json.dumps(row))
