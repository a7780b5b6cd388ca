#!/usr/bin/env python3
"""The program distilld itself: how it is asked for help, what it logs, and how it begins and ends."""

import concurrent.futures
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from unittest import mock

from job_case import LONG
from material import add_dataset, job, picture
from service import Service, ServiceCase, executable, wait_until


def distilld(*arguments):
    """A run that ends by itself."""
    return subprocess.run([executable("distilld"), *map(str, arguments)], capture_output=True,
                          text=True, timeout=120, check=False)


class UsageTest(unittest.TestCase):
    def test_help(self):
        text = distilld("help").stdout
        for word in ("up", "serve", "work", "data", "port", "redis", "import_roots"):
            self.assertIn(f"\n  {word} ", text)
        self.assertIn("\nDISTILLD_LOG ", text)
        self.assertEqual(distilld("--help").stdout, text)

    def test_help_of_a_role(self):
        """What means something to it, and nothing that is not for users."""
        for role, has, lacks in (("up", "data port lease_ms", "name ready_fd"),
                                 ("serve", "data port lease_ms", "name ready_fd"),
                                 ("work", "data redis lease_ms", "port device ready_fd"),
                                 ("key", "name roles data", "port redis lease_ms ready_fd")):
            result = distilld(role, "port=1", "help=1")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            names = re.findall(r"(?m)^  (\w+) ", result.stdout)
            self.assertEqual(len(names), len(set(names)), role)
            self.assertLessEqual(set(has.split()), set(names), role)
            self.assertFalse(set(lacks.split()) & set(names), role)

    def test_wrong_arguments(self):
        for words, part in ((["up", "port=99999"], "0 to 65535"), (["work", "prot=1"], '"port"'),
                            (["up", "port=1", "port=2"], "twice"), (["up", "port"], "key=value"),
                            (["up", "host=0.0.0.0"], "insecure=1"), (["fly"], 'role "fly"')):
            result = distilld(*words)
            self.assertEqual((result.returncode, result.stdout), (2, ""), result)
            self.assertIn(part, result.stderr)
            self.assertEqual(result.stderr.count("\n"), 1)
        self.assertEqual(distilld().returncode, 2)

    def test_version(self):
        for word in ("version", "--version"):
            result = distilld(word)
            self.assertEqual(result.returncode, 0)
            self.assertRegex(result.stdout, r"^distilld \d+\.\d+\.\d+\n$")


class BeginningTest(ServiceCase):
    """What stands in the way of `distilld up`."""

    def test_one_for_a_data_directory(self):
        service = self.start(device="ref")
        result = distilld("up", "port=0", f"data={service.data}")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertEqual(result.stderr, f"distilld up: data directory {service.data} is in use by "
                                        f"process {service.process.pid}\n")
        self.assertEqual(service.get("/readyz").status, 200)

    def test_import_roots_that_are_missing(self):
        service = self.start("serve", redis="unix:///nonexistent/redis", import_roots="/nowhere:/tmp")
        wait_until(lambda: service.events("redis_unavailable"), what="the checks at the start")
        self.assertEqual([event["path"] for event in service.events("no_such_import_root")],
                         ["/nowhere"])
        service = self.start("serve", redis="unix:///nonexistent/redis", import_roots="")
        answer = service.post("/datasets", {"name": "a", "path": "/tmp"})
        self.assertEqual(answer.status, 422)
        self.assertIn("import_roots= is not set", answer.json()["detail"])

    def test_settings_that_are_wrong_are_told_once(self):
        """No restarts: the reason is the last sentence."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="distill-service-"))
        self.addCleanup(shutil.rmtree, folder)
        key = folder / "key.pem"
        key.touch(0o600)
        with socket.create_server(("127.0.0.1", 0)) as other:
            taken = other.getsockname()[1]
            for words, reason in (([f"port={taken}"], "serve: .*the address is in use"),
                                  (["port=0", "host=192.0.2.1", "insecure=1"], "serve: .*cannot listen"),
                                  (["port=0", f"tls_key={key}", "tls_cert=/nowhere"],
                                   "serve: .*/nowhere"),
                                  (["port=0", "redis=ftp://x"], "redis: expected unix:")):
                result = distilld("up", f"data={folder}/data", *words)
                self.assertEqual((result.returncode, result.stdout), (1, ""), result)
                *log, last = result.stderr.splitlines()
                self.assertRegex(last, f"^distilld up: {reason}")
                started = [line["child"] for line in map(json.loads, log)
                           if line["event"] == "child_started"]
                self.assertEqual(len(started), len(set(started)), result)


class LogTest(unittest.TestCase):
    """Standard error: a JSON object a line, or readable text on a terminal."""

    def test_json_in_a_pipe(self):
        with Service("up", device="ref") as service:
            pass
        lines = [json.loads(line) for line in service.last_log.splitlines()]
        self.assertTrue({"child_started", "listening", "worker_ready", "draining", "stopped"} <=
                        {line["event"] for line in lines})
        for line in lines:
            self.assertEqual(list(line)[:4], ["time", "level", "event", "pid"])
            self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def test_only_what_is_asked_for(self):
        with mock.patch.dict(os.environ, DISTILLD_LOG="warn"), Service("up", device="ref") as service:
            pass
        self.assertEqual(service.last_log, "")

    def test_text_on_a_terminal(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="distill-service-"))
        self.addCleanup(shutil.rmtree, folder)
        leader, follower = pty.openpty()
        process = subprocess.Popen([executable("distilld"), "up", "port=0", f"data={folder}/data"],
                                   stdout=follower, stderr=follower)
        os.close(follower)
        text = self.read(leader, "distilld ready ")
        process.send_signal(signal.SIGTERM)
        text += self.read(leader, None)
        os.close(leader)
        self.assertEqual(process.wait(60), 0, text)
        self.assertNotIn("{", text)
        self.assertRegex(text, r'(?m)^\d\d:\d\d:\d\d info  listening  url="http://127\.0\.0\.1:\d+"')
        self.assertRegex(text, r"(?m)^\d\d:\d\d:\d\d info  draining")

    def read(self, terminal, words, timeout_s=120):
        """What is written until these words, or the end."""
        seen, deadline = "", time.monotonic() + timeout_s
        while words is None or words not in seen:
            self.assertTrue(select.select([terminal], [], [], deadline - time.monotonic())[0], seen)
            try:
                seen += os.read(terminal, 4096).decode()
            except OSError:
                break
        return seen


class EndTest(ServiceCase):
    """SIGTERM while a job runs and pictures wait to be classified."""

    def test_nothing_is_lost(self):
        service = self.start(device="ref", predict_threads=1)
        add_dataset(service)
        trained = service.wait_for_job(
            service.post("/jobs", job(student="resnet8x4", epochs=1, train_limit=16)).json()["id"])
        model, pictures = trained["model"], [picture(1)] * 64
        alone = service.predict(model, pictures).json()
        running = service.post("/jobs", job(**LONG)).json()["id"]
        wait_until(lambda: service.events("job_claimed")[-1]["job"] == running, what="a claim")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = [pool.submit(service.predict, model, pictures) for _ in range(8)]
            wait_until(lambda: self.waiting(service) > 0, what="pictures that wait")
            service.process.signal(signal.SIGTERM)
            for answer in answers:
                self.assertEqual((answer.result().status, answer.result().json()), (200, alone))
        self.assertEqual(service.process.wait(), 0)
        released = service.events("job_released")
        self.assertEqual([(event["job"], event["state"]) for event in released],
                         [(running, "queued")])

    def test_terminal_that_is_closed(self):
        """An end in order, unless it was started to outlive its terminal."""
        service = self.start(device="ref")
        service.process.signal(signal.SIGHUP)
        self.assertEqual(service.process.wait(), 0)
        self.assertEqual(len(service.events("stopped")), 1)
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does, for the children
        try:
            service = self.start(device="ref")
        finally:
            signal.signal(signal.SIGHUP, before)
        service.process.signal(signal.SIGHUP)
        self.assertEqual(service.get("/readyz").status, 200)
        self.assertEqual(service.events("draining"), [])

    def waiting(self, service):
        """Pictures that wait to be classified."""
        text = service.get("/metrics").body.decode()
        return int(re.search(r"(?m)^distilld_predictions_waiting (\d+)", text)[1])


if __name__ == "__main__":
    unittest.main()
