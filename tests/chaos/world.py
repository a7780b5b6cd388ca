"""Ways to disturb a machine for one process: a network that can be cut, a clock that can be moved, a
disk that can be filled. Each says with `possible` whether this machine lets it."""

import atexit
import contextlib
import os
import pathlib
import shutil
import subprocess

from scene import Process, Redis, wait_until


def run(*words):
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


class Network:
    """A network namespace, joined to this one by a pair of links. Needs root."""

    def __init__(self):
        self.name = f"distill{os.getpid() % 100000}"
        self.link = f"dl{os.getpid() % 100000}"
        # a /30 of the block for benchmarks: nobody's
        self.base = f"198.18.{os.getpid() % 250}."
        self.address = "127.0.0.1"
        self.prefix = []
        atexit.register(self.close)
        self.possible = self._make()
        if self.possible:
            self.address = self.base + "1"
            self.prefix = ["ip", "netns", "exec", self.name]

    def _make(self):
        inside = ["ip", "-n", self.name]
        return (shutil.which("ip") is not None and run("ip", "netns", "add", self.name)
                and run("ip", "link", "add", self.link, "type", "veth", "peer", "name", "eth0",
                        "netns", self.name)
                and run("ip", "address", "add", self.base + "1/30", "dev", self.link)
                and run("ip", "link", "set", self.link, "up")
                and run(*inside, "address", "add", self.base + "2/30", "dev", "eth0")
                and run(*inside, "link", "set", "eth0", "up")
                and run(*inside, "link", "set", "lo", "up"))

    def cut(self):
        assert run("ip", "link", "set", self.link, "down")

    def join(self):
        assert run("ip", "link", "set", self.link, "up")

    def close(self):
        run("ip", "link", "delete", self.link)
        run("ip", "netns", "delete", self.name)


class Clock:
    """The time of day of a process, by libfaketime; other clocks go on."""

    def __init__(self, folder, name):
        found = sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        self.possible = bool(found)
        self.file = pathlib.Path(folder) / f"clock-{name}"
        self.set("+0")
        self.environment = {"LD_PRELOAD": str(found[0]), "FAKETIME_TIMESTAMP_FILE": str(self.file),
                            "FAKETIME_NO_CACHE": "1",
                            "FAKETIME_DONT_FAKE_MONOTONIC": "1"} if found else {}

    def set(self, offset):
        """As "+3600" or "-3600" seconds."""
        partial = self.file.with_name(self.file.name + ".part")
        partial.write_text(offset + "\n")
        partial.rename(self.file)

    @property
    def prefix(self):
        return ["env", *(f"{name}={value}" for name, value in self.environment.items())]


class Disk:
    """A small disk of its own. Needs root."""

    def __init__(self, folder, mib):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        atexit.register(self.close)
        self.possible = run("mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder))

    def fill(self):
        with open(self.folder / "ballast", "wb", buffering=0) as ballast:
            for size in (65536, 512):
                with contextlib.suppress(OSError):
                    while True:
                        ballast.write(bytes(size))

    def empty(self):
        (self.folder / "ballast").unlink(missing_ok=True)

    def close(self):
        if os.path.ismount(self.folder):
            run("umount", "-l", str(self.folder))


class NetworkRedis(Redis):
    """On a port of the network beside its unix socket. (Its clock cannot be moved: libfaketime and
    the allocator of redis-server wait for one another.)"""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.port = 20000 + os.getpid() % 20000
        self.network_url = f"redis://{network.address}:{self.port}"

    def start(self):
        self.process = Process(
            ["redis-server", "--port", str(self.port), "--bind",
             self.network.address, "--protected-mode", "no", "--unixsocket", str(self.socket),
             "--dir", str(self.folder), "--save", "", "--appendonly", "yes", "--appendfsync",
             "always", "--daemonize", "no"], self.folder / "log")
        wait_until(self.answers, 30, what="Redis")
        return self
