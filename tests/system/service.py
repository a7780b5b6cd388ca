"""Starts and stops what system tests talk to: `distilld` and a private Redis.

The executables are named by DISTILLD (and DISTILL), or lie in the folder DISTILL_BUILD, or in
build/. Everything lives in a temporary folder of its own and ends with it.

    with Service() as service:                    # distilld up: Redis, server and worker
        service.get("/jobs").json()
    with Redis() as redis, Service("serve", redis=redis.url) as service:
        ...
"""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_S = 30
PATIENCE = float(os.environ.get("DISTILL_PATIENCE", 1))  # a sanitized build is so much slower
SANITIZERS = ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error: ")


def executable(name):
    """Where distilld or distill lies."""
    build = pathlib.Path(os.environ.get("DISTILL_BUILD", ROOT / "build"))
    return os.environ.get(name.upper(), str(build / name))


def wait_until(condition, timeout_s=30, step_s=0.02, what="condition"):
    """Returns the first true value of the condition."""
    deadline = time.monotonic() + timeout_s * PATIENCE
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(step_s)
    raise TimeoutError(f"{what}: not within {timeout_s * PATIENCE} s")


def peak_kib(pid):
    """The most memory that a process had in use."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def redis_cli(url, *words):
    """What Redis answers to a command."""
    line = ["redis-cli", "-s", url.removeprefix("unix://"), "--json", *words]
    return json.loads(subprocess.run(line, check=True, capture_output=True).stdout)


def make_key(data, name, roles, **limits):
    """The secret of a new API key, from `distilld key`."""
    words = {"name": name, "roles": roles, "data": data, **limits}
    line = [executable("distilld"), "key", *(f"{word}={value}" for word, value in words.items())]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip()


def command_lines():
    """What `ps` shows of every process."""
    lines = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            lines.append(path.read_bytes().decode(errors="replace"))
    return lines


class Process:
    """A program that is started, watched and ended; its output goes to a file."""

    def __init__(self, arguments, log):
        self.log = pathlib.Path(log)
        self.output = open(self.log, "ab")
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=self.output)
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip("\n"))

    @property
    def pid(self):
        return self.process.pid

    def is_running(self):
        return self.process.poll() is None

    def signal(self, number):
        if self.is_running():
            self.process.send_signal(number)

    def wait(self, timeout_s=60):
        """The exit status."""
        status = self.process.wait(timeout_s * PATIENCE)
        self.reader.join(timeout_s * PATIENCE)
        self.process.stdout.close()
        self.output.close()
        return status

    def end(self, timeout_s=60):
        """SIGTERM, then the exit status; SIGKILL when that takes too long."""
        self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.wait()
            raise


class Redis:
    """A private redis-server on a unix socket, with the settings of `distilld up`."""

    def __init__(self, *settings):
        self.more = settings
        self.prefix = []  # of its command line
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="distill-redis-"))
        self.socket = self.folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self.process = None

    def start(self):
        self.process = Process(
            [*self.prefix, "redis-server", "--port", "0", "--unixsocket", str(self.socket), "--dir",
             str(self.folder), "--save", "", "--appendonly", "yes", "--appendfsync", "always",
             "--daemonize", "no", *self.more], self.folder / "log")
        wait_until(self.answers, START_S, what="Redis")
        return self

    def answers(self):
        with socket.socket(socket.AF_UNIX) as client:
            with contextlib.suppress(OSError):
                client.connect(str(self.socket))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith((b"+PONG", b"-NOAUTH"))
        return False

    def command(self, *words):
        """The answer of redis-cli."""
        return redis_cli(self.url, *words)

    def kill(self):
        self.process.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.is_running():
            self.process.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *error):
        self.stop()


class Answer:
    """What came back: status, headers (lower case) and body."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:400]!r}"


class ServiceCase(unittest.TestCase):
    """A test case that shows the services' logs when one of its tests fails."""

    @classmethod
    def start(cls, *arguments, **settings):
        """A service that ends with the class."""
        service = Service(*arguments, **settings)
        cls.addClassCleanup(service.__exit__)
        cls.services = [*getattr(cls, "services", []), service]
        return service.start()

    def run(self, result=None):
        count = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > count:
            for service in getattr(self, "services", []):
                print(f"--- log of {service.role} while {self.id()} failed", file=sys.stderr)
                print(service.log()[-8000:], file=sys.stderr)
        return result


class Service:
    """A running distilld (role up or serve) on a free port, with a data folder of its own."""

    def __init__(self, role="up", redis=None, data=None, **settings):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="distill-service-"))
        self.data = pathlib.Path(data) if data else self.folder / "data"
        self.role = role
        self.settings = {"data": self.data, "port": 0, "import_roots": self.folder, **settings}
        if redis:
            self.settings["redis"] = redis
        self.process = None
        self.url = None
        self.key = None  # the secret that is sent, unless a request brings its own
        cert = settings.get("tls_cert")  # which its clients trust
        self.context = ssl.create_default_context(cafile=cert) if cert else None
        self.last_log = ""

    def start(self):
        arguments = [f"{name}={value}" for name, value in self.settings.items()]
        self.process = Process([executable("distilld"), self.role, *arguments],
                               self.folder / "log")
        line = wait_until(self._ready_line, START_S, what="distilld ready")
        self.url = line.split()[-1]
        address = urllib.parse.urlsplit(self.url)
        self.host, self.port = address.hostname, address.port
        return self

    def _ready_line(self):
        if not self.process.is_running():
            raise RuntimeError(f"distilld ended at once:\n{self.log()}")
        lines = [line for line in self.process.lines if line.startswith("distilld ready")]
        return lines[0] if lines else None

    def log(self):
        """All that it has written; after its end, too."""
        path = self.folder / "log"
        if path.exists():
            self.last_log = path.read_text(errors="replace")
        return self.last_log

    def events(self, name=None):
        """The log's lines, all or those of one event."""
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line for line in lines if name is None or line["event"] == name]

    def child(self, name):
        """The process id of the child of `up` that runs now: redis, serve or work."""
        started = [event for event in self.events("child_started") if event["child"] == name]
        return started[-1]["child_pid"]

    def kill_child(self, name, number=signal.SIGKILL):
        pid = self.child(name)
        os.kill(pid, number)
        return pid

    def kill_all(self):
        """kill -9 of everything at once; the supervisor first cannot restart what dies."""
        self.process.signal(signal.SIGSTOP)
        for name in ("serve", "work", "redis"):
            self.kill_child(name)
        self.process.signal(signal.SIGKILL)
        self.process.wait()

    def job_events(self, job_id):
        """The transitions that a job went through, without epochs and checkpoints."""
        events = self.get(f"/jobs/{job_id}/events").json()["events"]
        return [event for event in events if event["event"] not in ("epoch", "checkpoint")]

    def connect(self):
        """A raw connection to the server, within TLS if it speaks that."""
        connection = socket.create_connection((self.host, self.port), timeout=10 * PATIENCE)
        if not self.context:
            return connection
        return self.context.wrap_socket(connection, server_hostname=self.host)

    def http_connection(self, timeout_s=60):
        """A connection that speaks HTTP, not opened yet."""
        if not self.context:
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout_s * PATIENCE)
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout_s * PATIENCE,
                                           context=self.context)

    def request(self, method, path, body=None, headers=None, timeout_s=60):
        """One request on a connection of its own. A dict or list becomes JSON."""
        headers = dict(headers or {})
        if self.key and not {name.lower() for name in headers} & {"authorization", "x-api-key"}:
            headers["Authorization"] = f"Bearer {self.key}"
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        connection = self.http_connection(timeout_s)
        try:
            connection.request(method, path, body, headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)

    def import_dataset(self, name, folder):
        """The answer to a folder that becomes a data set of that name."""
        answer = self.post("/datasets", {"name": name, "path": str(folder)})
        assert answer.status == 201, answer
        return answer

    def predict(self, model, pictures, top_k=5):
        """Classifies encoded pictures (a list of bytes) in one request."""
        images = [base64.b64encode(picture).decode() for picture in pictures]
        return self.post("/predict", {"model": model, "top_k": top_k, "images": images})

    def wait_for_job(self, job_id, timeout_s=300):
        """The job once it has finished."""
        def finished():
            job = self.get(f"/jobs/{job_id}").json()
            return job if job["state"] in ("succeeded", "failed", "cancelled") else None
        return wait_until(finished, timeout_s, 0.05, f"job {job_id}")

    def run_job(self, fields):
        """Submits a job; it is returned once it has finished."""
        return self.wait_for_job(self.post("/jobs", fields).json()["id"])

    def stop(self):
        """Ends the service in an orderly way, if it runs; anything but status 0 is an error."""
        if self.process and self.process.is_running():
            status = self.process.end()
            if status:
                raise RuntimeError(f"distilld ended with status {status}:\n{self.log()[-8000:]}")

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *error):
        try:
            self.stop()
        finally:
            log = self.log()
            shutil.rmtree(self.folder, ignore_errors=True)
        if any(words in log for words in SANITIZERS):
            raise AssertionError(f"a sanitizer complains:\n{log[-20000:]}")
        if any(error):
            print(f"--- log of {self.role} when it failed\n{log[-8000:]}", file=sys.stderr)
