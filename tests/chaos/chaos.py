#!/usr/bin/env python3
"""Disturbs running jobs in all ways there are, at random, and checks after each that nothing is lost:

    chaos.py [seed=N] [faults=1000] [report=FILE]

Two workers, a server and Redis are killed, frozen for longer than a lease, told to die or stop at a
place around a transition; one of the workers or the server is cut from Redis, the disk filled, clocks
moved by an hour. Meanwhile users submit, pause, edit and cancel, and a webhook is told. The same seed chooses the same
faults; when things happen is the machine's affair. What the machine does not allow is left out and
said."""

import collections
import contextlib
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

from scene import BEYOND_LEASE_S, FINAL, SPEC, curve_of, is_retried, wait_until
from test_webhooks import EVENTS, Receiver
from world import World

JOBS = 2  # at a time
BY_WORKER = ("claim", "renew", "progress", "finish", "release", "reap")
BY_SERVER = ("submit", "edit", "pause", "cancel")
TOLD = {"submit": "job.submitted", "claim": "job.started", "resume": "job.resumed",
        "retry": "job.retried", "release": "job.interrupted", "reap": "job.interrupted"}


class Chaos(World):
    """The world, and users that do not give up."""

    def __init__(self, folder, rng):
        super().__init__(folder, webhook_private=1, webhook_retry_ms=20, webhook_timeout_ms=1000)
        self.rng = rng
        self.kinds = collections.Counter()
        self.places = collections.Counter()
        self.ends = collections.Counter()
        self.receiver = Receiver()
        self.expected = {}  # by job, what a webhook is told
        self.jobs = {}  # id: whether a user has cancelled it
        self.count = 0

    def close(self):
        super().close()
        self.receiver.stop()

    def start_workers(self):
        self.actor().start()
        self.worker().start()

    # Users, who ask again until they are answered

    def ask(self, method, path, body=None, headers=None):
        def answered():
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = self.service.request(method, path, body, headers, timeout_s=10)
                return None if answer.status == 503 else answer
            if not self.server.process.is_running():
                self.server.start()
            return None
        return wait_until(answered, 60, 0.05, f"{method} {path}")

    def submit_some(self):
        while len(self.jobs) < JOBS:
            self.count += 1
            key = {"Idempotency-Key": f"chaos-{self.count}"}
            answer = self.ask("POST", "/jobs", SPEC, key)
            assert answer.status == 201, answer
            self.jobs[answer.json()["id"]] = False

    def nudge(self, job_id):
        """What its user does with a job that stands still; True when it has ended for good."""
        found = self.ask("GET", f"/jobs/{job_id}").json()
        if found["state"] == "paused":
            self.ask("POST", f"/jobs/{job_id}/resume")
        elif found["state"] == "failed":
            assert is_retried(found["error"]), found
            self.ask("POST", f"/jobs/{job_id}/retry")
        return found["state"] in ("succeeded", "cancelled")

    def check(self, job_id):
        found = super().check(job_id)
        state, told = "absent", self.expected.setdefault(job_id, [])
        for event in self.service.job_events(job_id):
            if event["state"] != state:
                is_end = event["state"] in (*FINAL, "paused")
                told.append("job." + event["state"] if is_end else TOLD[event["event"]])
            state = event["state"]
        self.ends[found["state"]] += 1
        assert self.jobs.pop(job_id) or found["state"] == "succeeded", found
        if found["state"] == "succeeded":
            self.remove_model(found["model"])
        return found

    def remove_model(self, model_id):
        """As users do: the disk has no room for hundreds. 404: the answer was lost, not the wish."""
        answer = self.ask("DELETE", f"/models/{model_id}")
        assert answer.status in (204, 404), answer

    def check_messages(self):
        """Whatever happened was told; what a killed server was at comes when its lease is over."""
        for job_id, told in self.expected.items():
            wait_until(lambda: sorted(self.receiver.types(job_id)) == sorted(told), 60, 0.1,
                       f"messages of {job_id}: {self.receiver.types(job_id)}, not {told}")

    def check_running(self, job_id):
        """The curve so far is the beginning of what it must be."""
        curve = curve_of(self.service, job_id)
        assert curve == self.curve[:len(curve)], (job_id, curve)

    def look(self):
        """All jobs, after a fault: those that have ended are replaced."""
        for job_id in list(self.jobs):
            if not self.nudge(job_id):
                self.check_running(job_id)
                continue
            self.check(job_id)
        self.submit_some()

    def end(self):
        """Nothing is disturbed any more: all jobs end."""
        while self.jobs:
            for job_id in list(self.jobs):
                wait_until(lambda: self.nudge(job_id), 120, 0.1, f"{job_id} ends")
                self.check(job_id)
        self.check_messages()

    # Faults. Each begins, lasts and is over when its method returns.

    def any_worker(self):
        return self.rng.choice(self.workers)

    def revive(self, worker):
        worker.process.wait(10)
        worker.start()

    def kill_worker(self):
        worker = self.any_worker()
        worker.kill()
        worker.start()

    def kill_server(self):
        self.server.kill()
        self.server.start()

    def kill_redis(self):
        self.redis.kill()
        time.sleep(self.rng.choice([0, 0.5, BEYOND_LEASE_S]))
        self.redis.start()

    def freeze(self, process):
        process.signal(signal.SIGSTOP)
        time.sleep(BEYOND_LEASE_S)
        process.signal(signal.SIGCONT)

    def freeze_worker(self):
        self.freeze(self.any_worker().process)

    def freeze_server(self):
        self.freeze(self.server.process)

    def freeze_redis(self):
        self.freeze(self.redis.process)

    def end_worker(self):
        """In an orderly way: it gives its job back."""
        worker = self.any_worker()
        worker.process.signal(signal.SIGTERM)
        self.revive(worker)

    def cut_network(self):
        link = self.network.links[self.rng.choice(sorted(self.network.links))]
        link.cut()
        time.sleep(self.rng.choice([0.3, BEYOND_LEASE_S]))
        link.join()

    def fill_disk(self):
        self.disk.fill()
        time.sleep(0.5)
        self.disk.empty()

    def move_clock(self):
        clock = self.clocks[self.rng.choice(sorted(self.clocks))]
        clock.set(self.rng.choice(["+3600", "-3600"]))
        time.sleep(0.5)
        clock.set("+0")

    def fault_at_worker(self):
        """At a place around a transition, if it comes there soon."""
        worker = self.any_worker()
        place = f"{self.rng.choice(BY_WORKER)}.{self.rng.choice(['before', 'after'])}"
        action = self.rng.choice(["kill", "stop", "exit"])
        worker.arm(place, action)
        if place.startswith("release"):
            worker.process.signal(signal.SIGTERM)
        if place.startswith("claim") or place.startswith("finish"):
            self.submit_some()
        end = time.monotonic() + 3
        while not worker.done.exists() and worker.process.is_running() and time.monotonic() < end:
            time.sleep(0.02)
        worker.disarm()
        happened = worker.done.exists()
        if happened and action == "stop":
            time.sleep(BEYOND_LEASE_S)
            worker.go_on()
        if not worker.process.is_running() or (happened and action != "stop") or \
                place.startswith("release"):
            self.revive(worker)
        if happened:
            self.places[place] += 1
        return happened

    def fault_at_server(self):
        event = self.rng.choice(BY_SERVER)
        place = f"{event}.{self.rng.choice(['before', 'after'])}"
        job_id = self.rng.choice(sorted(self.jobs))
        request = {"submit": ("POST", "/jobs", SPEC),
                   "edit": ("PATCH", f"/jobs/{job_id}", {"priority": self.rng.randrange(10)}),
                   "pause": ("POST", f"/jobs/{job_id}/pause"),
                   "cancel": ("POST", f"/jobs/{job_id}/cancel")}[event]
        self.jobs[job_id] |= event == "cancel"
        self.server.arm(place, "kill")
        if event == "submit":  # under a key, so that it is there once
            self.count += 1
            answer = self.ask(*request, {"Idempotency-Key": f"chaos-{self.count}"})
            self.jobs[answer.json()["id"]] = False
        else:
            self.ask(*request)
        happened = self.server.done.exists()
        self.server.disarm()
        if happened:
            self.places[place] += 1
        return happened


def faults_of(chaos):
    """Those that this machine allows, by name; the places around transitions come more often."""
    names = ["kill_worker", "kill_server", "kill_redis", "freeze_worker", "freeze_server",
             "freeze_redis", "end_worker", "fault_at_server", *4 * ["fault_at_worker"]]
    for name, thing in (("cut_network", chaos.network), ("fill_disk", chaos.disk),
                        ("move_clock", chaos.clocks["server"])):
        if thing.possible:
            names.append(name)
        else:
            print(f"left out: {name}: this machine does not allow it")
    return names


def report_of(chaos, seed, seconds):
    total = sum(chaos.kinds.values())
    return {"seed": seed, "faults": total, "seconds": round(seconds),
            "seconds_a_fault": round(seconds / max(1, total), 2), "jobs": dict(chaos.ends),
            "by_kind": dict(sorted(chaos.kinds.items())),
            "by_place": dict(sorted(chaos.places.items()))}


def disturb(chaos, wanted):
    names = faults_of(chaos)
    chaos.learn()
    hook = chaos.service.post("/webhooks", {"url": chaos.receiver.url, "events": EVENTS})
    assert hook.status == 201, hook
    chaos.start_workers()
    chaos.submit_some()
    while sum(chaos.kinds.values()) < wanted:
        time.sleep(chaos.rng.random() * 0.4)
        name = chaos.rng.choice(names)
        if getattr(chaos, name)() is not False:
            chaos.kinds[name] += 1
            print(f"{sum(chaos.kinds.values()):5} {name}", flush=True)
        chaos.look()
    chaos.end()


def main(words):
    settings = dict(word.split("=", 1) for word in words)
    seed = int(settings.get("seed") or int.from_bytes(os.urandom(4), "big"))
    print(f"seed={seed}", flush=True)
    folder = tempfile.mkdtemp(prefix="distill-chaos-")
    chaos = Chaos(folder, random.Random(seed))
    start = time.monotonic()
    try:
        disturb(chaos, int(settings.get("faults") or 1000))
    except BaseException:
        print(f"FAILED with seed={seed}; what is left: {folder}", flush=True)
        for worker in chaos.workers:
            print(worker.log, worker.log.read_text(errors="replace")[-3000:])
        print(chaos.service.log()[-3000:])
        raise
    finally:
        report = report_of(chaos, seed, time.monotonic() - start)
        chaos.close()
    shutil.rmtree(folder, ignore_errors=True)
    text = json.dumps(report, indent=1)
    print(text)
    if settings.get("report"):
        pathlib.Path(settings["report"]).write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
