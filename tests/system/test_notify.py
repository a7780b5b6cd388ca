#!/usr/bin/env python3
"""What distilld tells a service manager, over sockets like those of systemd; and its unit file."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from service import PATIENCE, ROOT, Process, Redis, executable, wait_until

WATCHDOG_S = 1


class Manager:
    """A service manager's end: a datagram socket, and what came over it."""

    def __init__(self, abstract):
        self.folder = tempfile.mkdtemp(prefix="distill-notify-")
        name = f"{self.folder}/notify.sock"
        self.name = "@" + name if abstract else name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name if abstract else name)
        self.socket.settimeout(30 * PATIENCE)

    def wait_for(self, line):
        """Reads until a message has that line; returns that message's lines."""
        while True:
            lines = self.socket.recv(4096).decode().split("\n")
            if line in lines:
                return lines

    def close(self):
        self.socket.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class NotifyTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="distill-notify-data-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def manager(self, abstract=False):
        manager = Manager(abstract)
        self.addCleanup(manager.close)
        return manager

    def start(self, role, manager, *settings, **environment):
        """A role of distilld as a manager starts it."""
        variables = {"NOTIFY_SOCKET": manager.name, **environment}
        words = [f"{name}={value}" for name, value in variables.items()]
        process = Process(["env", *words, executable("distilld"), role, f"data={self.folder}/data",
                           "port=0", *settings], self.folder / "log")
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.is_running():
            process.end()

    def end_well(self, process, manager):
        process.signal(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        self.assertEqual(process.wait(), 0)

    def test_up(self):
        manager = self.manager()
        process = self.start("up", manager, WATCHDOG_USEC=str(WATCHDOG_S * 1000000))
        ready = manager.wait_for("READY=1")
        self.assertRegex(ready[1], r"STATUS=listening on http://127\.0\.0\.1:\d+$")
        said = f"distilld ready {ready[1].split()[-1]}"
        wait_until(lambda: said in process.lines, what=said)
        self.end_well(process, manager)

    def test_children_of_up_are_silent(self):
        manager = self.manager()
        process = self.start("up", manager)
        manager.wait_for("READY=1")
        manager.socket.settimeout(1)
        with self.assertRaises(TimeoutError):
            manager.wait_for("READY=1")
        manager.socket.settimeout(30 * PATIENCE)
        self.end_well(process, manager)

    def test_serve_and_work(self):
        with Redis() as redis:
            for role, abstract in (("serve", True), ("work", False)):
                manager = self.manager(abstract)
                process = self.start(role, manager, f"redis={redis.url}")
                self.assertTrue(manager.wait_for("READY=1")[1].startswith("STATUS="), role)
                self.end_well(process, manager)

    def test_signs_of_life(self):
        """Twice in the time asked for, until the process hangs."""
        with Redis() as redis:
            for role in ("serve", "work"):
                manager = self.manager()
                process = self.start(role, manager, f"redis={redis.url}",
                                     WATCHDOG_USEC=str(WATCHDOG_S * 1000000))
                manager.wait_for("READY=1")
                manager.wait_for("WATCHDOG=1")
                begin = time.monotonic()
                manager.wait_for("WATCHDOG=1")
                self.assertGreater(time.monotonic() - begin, WATCHDOG_S / 4)
                self.assertLess(time.monotonic() - begin, WATCHDOG_S * PATIENCE)
                process.signal(signal.SIGSTOP)
                time.sleep(0.2)
                manager.socket.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        manager.socket.recv(4096)
                manager.socket.settimeout(2 * WATCHDOG_S)
                with self.assertRaises(TimeoutError):
                    manager.wait_for("WATCHDOG=1")
                manager.socket.settimeout(30 * PATIENCE)
                process.signal(signal.SIGCONT)
                self.end_well(process, manager)

    def test_a_worker_lives_while_redis_is_away(self):
        manager = self.manager()
        process = self.start("work", manager, f"redis=unix://{self.folder}/none.sock",
                             WATCHDOG_USEC=str(WATCHDOG_S * 1000000))
        manager.wait_for("STATUS=waiting for Redis")
        manager.wait_for("WATCHDOG=1")
        manager.wait_for("WATCHDOG=1")
        process.signal(signal.SIGTERM)
        self.assertEqual(process.wait(), 0)

    def test_a_watchdog_for_someone_else(self):
        manager = self.manager()
        with Redis() as redis:
            process = self.start("serve", manager, f"redis={redis.url}", WATCHDOG_USEC="200000",
                                 WATCHDOG_PID="1")
            manager.wait_for("READY=1")
            manager.socket.settimeout(1)
            with self.assertRaises(TimeoutError):
                manager.wait_for("WATCHDOG=1")
            manager.socket.settimeout(30 * PATIENCE)
            self.end_well(process, manager)

    def test_a_socket_that_cannot_be(self):
        manager = self.manager()
        manager.name = "relative.sock"
        with Redis() as redis:
            process = self.start("work", manager, f"redis={redis.url}")
            wait_until(lambda: "worker_ready" in (self.folder / "log").read_text())
            self.assertEqual(process.end(), 0)
        self.assertIn("cannot_notify", (self.folder / "log").read_text())


@unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd-analyze")
class UnitTest(unittest.TestCase):
    def setUp(self):
        """The unit as it is installed, with a program that exists."""
        folder = tempfile.mkdtemp(prefix="distill-unit-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.unit = pathlib.Path(folder) / "distilld.service"
        text = (ROOT / "service/distilld.service.in").read_text()
        self.unit.write_text(text.replace("@CMAKE_INSTALL_FULL_BINDIR@/distilld",
                                          os.path.realpath(executable("distilld"))))

    def analyze(self, *words):
        return subprocess.run(["systemd-analyze", *words, str(self.unit)], capture_output=True,
                              text=True, env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"})

    def test_it_is_well_formed(self):
        done = self.analyze("verify", "--man=no", "--recursive-errors=no")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_it_is_hardened(self):
        """Exposure as systemd weighs it: 10 is none of its defences, 2 is what it calls OK."""
        done = self.analyze("security", "--offline=yes", "--threshold=20", "--no-pager")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
