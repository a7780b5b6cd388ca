"""What the tests of faults stand on: a Redis, a server and workers as processes of their own, each of
which can be told where to die or stop (service/common/fault.h), and what must hold of a job in the
end, whatever happened."""

import os
import pathlib
import re
import signal
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "system"))

from material import curve_of, job, weights_of, write_dataset  # noqa: E402
from service import Process, Redis, Service, executable, wait_until  # noqa: E402

# A second or so of training: several points and checkpoints, in the middle of epochs too.
SPEC = job(epochs=6, checkpoint_every=5, report_every=3, crop_padding=2)
LEASE_MS = 1000
BEYOND_LEASE_S = 1.3 * LEASE_MS / 1000
FINAL = ("succeeded", "failed", "cancelled")


def transitions():
    """The rows of the table in api/job.c: event, from, wish, to, wish then."""
    text = (ROOT / "api/job.c").read_text()
    rows = re.findall(r"^    ROW\((\w+), (\w+), (\w+), (\w+), (\w+)\),", text, re.MULTILINE)
    return [tuple(word.lower() for word in row) for row in rows]


def is_retried(error):
    """Whether a user tries again after it: a failure of the machine, not of the job or its limits."""
    return error["field"] not in ("deadline", "max_runtime_s", "depends_on") and error["code"] in (
        "internal", "no_space", "not_found", "timeout", "io", "conflict")


LEGAL = {row[:3]: row[3:] for row in transitions()}


class Actor:
    """A process that can be told to die or stop at a place."""

    kind = None  # "worker" or "server"

    def __init__(self, folder, name):
        self.fault = pathlib.Path(folder) / f"fault-{name}"
        self.done = self.fault.with_name(self.fault.name + ".done")

    def arm(self, place, action):
        """The next time it comes there."""
        self.done.unlink(missing_ok=True)
        partial = self.fault.with_name(self.fault.name + ".part")
        partial.write_text(f"{place}:{action}")
        partial.rename(self.fault)

    def disarm(self):
        self.fault.unlink(missing_ok=True)

    def wait_until_dead(self):
        """It has died of what it was armed with."""
        wait_until(self.done.exists, what=f"{self.fault.name} comes to its place")
        status = self.process.wait(10)
        assert status == -signal.SIGKILL, status

    def wait_until_stopped(self):
        wait_until(self.done.exists, what=f"{self.fault.name} comes to its place")
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat")
        wait_until(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] == "T", what="it stops")

    def go_on(self):
        self.process.signal(signal.SIGCONT)

    def kill(self):
        """Of a process that is running or stopped, and not dead yet."""
        self.process.signal(signal.SIGKILL)
        self.process.wait(10)


class Worker(Actor):
    """`prefix` may put it into a time of its own."""

    kind = "worker"
    count = 0

    def __init__(self, scene, prefix=(), **settings):
        Worker.count += 1
        super().__init__(scene.folder, f"worker-{Worker.count}")
        self.settings = {"data": scene.data, "redis": scene.redis.url, "lease_ms": LEASE_MS,
                         "redis_timeout_ms": 500, **settings}
        self.prefix = prefix
        self.log = pathlib.Path(scene.folder) / f"worker-{Worker.count}.log"
        self.process = None

    def start(self):
        words = [f"{name}={value}" for name, value in self.settings.items()]
        self.process = Process([*self.prefix, "env", f"DISTILLD_FAULT={self.fault}",
                                executable("distilld"), "work", *words], self.log)
        return self

    def end(self):
        if self.process and self.process.is_running():
            self.go_on()
            self.kill()


class Server(Actor):
    """`environment` may give it a time of its own. Its lease is so long that it hardly ever reaps: the
    workers are to come to that."""

    kind = "server"

    def __init__(self, scene, **settings):
        super().__init__(scene.folder, "server")
        self.environment = {}
        self.service = Service("serve", **{
            "redis": scene.redis.url, "device": "ref", "data": scene.data, "redis_timeout_ms": 500,
            "threads": 2, "lease_ms": 3600000, "import_roots": scene.folder, **settings})

    def start(self):
        more = {"DISTILLD_FAULT": str(self.fault), **self.environment}
        os.environ.update(more)
        self.service.start()
        for name in more:
            del os.environ[name]
        self.process = self.service.process
        return self


class Scene:
    """Redis and server run; workers come and go."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.redis = Redis().start()
        self.server = Server(self).start()
        self.workers = []
        self.weights = self.curve = None

    @property
    def service(self):
        return self.server.service

    def close(self):
        self.clear()
        self.service.__exit__()
        self.redis.stop()

    def worker(self, prefix=(), **settings):
        worker = Worker(self, prefix, **settings)
        self.workers.append(worker)
        return worker

    def actor(self, **settings):
        """A worker that something is to befall."""
        return self.worker(**settings)

    def disturbances(self):
        """What can befall an actor that stands still, by name: how it begins and how it ends. It goes
        on in the midst of it, or, frozen, at its end."""
        return {"frozen": (lambda actor: None, Actor.go_on)}

    def clear(self):
        """No worker is left."""
        for worker in self.workers:
            worker.end()
        self.workers = []

    def learn(self):
        """What a run gives that nothing disturbs."""
        self.service.import_dataset("tiny", write_dataset(self.folder / "tiny"))
        worker = self.worker().start()
        job_id = self.submit()
        assert self.service.wait_for_job(job_id)["state"] == "succeeded"
        self.weights, self.curve = weights_of(self.service, job_id), curve_of(self.service, job_id)
        worker.end()
        return self

    def submit(self, key=None, **fields):
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.service.post("/jobs", {**SPEC, **fields}, headers=headers)
        assert answer.status == 201, answer
        return answer.json()["id"]

    def show(self, job_id):
        return self.service.get(f"/jobs/{job_id}").json()

    def wait_for_state(self, job_id, *states):
        return wait_until(lambda: (lambda found: found["state"] in states and found)(
            self.show(job_id)), what=f"{job_id} {states}")

    # What must hold

    def drive(self, job_id, timeout_s=60):
        """Lets the job end: resumes and retries it as its user would. Returns it."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            found = self.show(job_id)
            if found["state"] == "paused":
                self.service.post(f"/jobs/{job_id}/resume")
            elif found["state"] == "failed" and is_retried(found["error"]):
                self.service.post(f"/jobs/{job_id}/retry")
            elif found["state"] in FINAL:
                return found
            time.sleep(0.05)
        raise TimeoutError(f"{job_id} does not end: {found}")

    def check(self, job_id):
        """Everything that must hold of a job that has ended; returns it."""
        found = self.show(job_id)
        events = self.service.job_events(job_id)
        self.check_events(found, events)
        curve = curve_of(self.service, job_id)
        assert [point["seq"] for point in curve] == list(range(1, len(curve) + 1)), curve
        assert curve == self.curve[:len(curve)], "the curve differs from that of an undisturbed run"
        models = [item for item in self.service.get("/models?limit=200").json()["items"]
                  if item["job"] == job_id]
        if found["state"] == "succeeded":
            assert curve == self.curve, f"{len(curve)} points, not {len(self.curve)}"
            assert weights_of(self.service, job_id) == self.weights, "other weights"
            assert found["reproducible"] and len(models) == 1, (found, models)
        return found

    @staticmethod
    def check_events(found, events):
        """They are rows of the table, one after the other; attempts rise by claims alone, nobody but
        the newest is heard; the job has ended once since it was last queued."""
        state, wish, attempt, ends = "absent", "none", 0, 0
        for number, event in enumerate(events):
            place = f"event {number} of {events}"
            to = LEGAL.get((event["event"], state, wish))
            assert to == (event["state"], event["requested"] or "none"), f"{state}, {wish}: {place}"
            ends = 0 if to[0] not in FINAL else ends + (state not in FINAL)
            attempt += event["event"] == "claim"
            assert event["attempt"] == attempt and ends <= 1, place
            state, wish = to
        assert (found["state"], found["attempt"], ends) == (state, attempt, 1), (found, events)
