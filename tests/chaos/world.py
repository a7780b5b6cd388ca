"""Ways to disturb a machine: a network that can be cut for one process, a clock that can be moved for
one, a disk that can be filled. Each says with `possible` whether this machine lets it. And the scene
with all of them."""

import atexit
import contextlib
import os
import pathlib
import shutil
import subprocess

from scene import Redis, Scene, Server

DISK_MIB = 64


def run(*words):
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


class Network:
    """A network namespace, in which Redis is, and a link to it for everyone who is to be cut from it
    alone. Needs root; where there is none, `url` leads to Redis all the same."""

    def __init__(self, names):
        self.name = f"distill{os.getpid() % 100000}"
        self.port = 20000 + os.getpid() % 20000
        atexit.register(self.close)
        self.possible = shutil.which("ip") is not None and run("ip", "netns", "add", self.name)
        self.links = {name: Link(self, number) for number, name in enumerate(names)}
        self.possible = self.possible and all(link.make() for link in self.links.values())

    @property
    def prefix(self):
        """Of the program that is within."""
        return ["ip", "netns", "exec", self.name] if self.possible else []

    @property
    def addresses(self):
        """On which Redis listens."""
        return [link.there for link in self.links.values()] if self.possible else ["127.0.0.1"]

    def url(self, name):
        return f"redis://{self.links[name].there if self.possible else '127.0.0.1'}:{self.port}"

    def close(self):
        run("ip", "netns", "delete", self.name)


class Link:
    """A pair of devices: one here, one within the network, which takes its end down to cut it."""

    def __init__(self, network, number):
        base = f"198.18.{os.getpid() % 250}."  # of the block for benchmarks: nobody's
        self.network, self.device = network, f"eth{number}"
        self.outer = f"dl{number}-{os.getpid() % 100000}"
        self.here, self.there = f"{base}{4 * number + 1}", f"{base}{4 * number + 2}"

    def inside(self, *words):
        return run("ip", "-n", self.network.name, *words)

    def make(self):
        return (run("ip", "link", "add", self.outer, "type", "veth", "peer", "name", self.device,
                    "netns", self.network.name)
                and run("ip", "address", "add", self.here + "/30", "dev", self.outer)
                and run("ip", "link", "set", self.outer, "up")
                and self.inside("address", "add", self.there + "/30", "dev", self.device)
                and self.inside("link", "set", self.device, "up"))

    def cut(self):
        assert self.inside("link", "set", self.device, "down")

    def join(self):
        assert self.inside("link", "set", self.device, "up")


def forget_killed():
    """Removes what libfaketime has left in shared memory of processes that were killed."""
    for path in pathlib.Path("/dev/shm").glob("*faketime_s*_[0-9]*"):
        if not pathlib.Path("/proc", path.name.rpartition("_")[2]).exists():
            path.unlink(missing_ok=True)


class Clock:
    """The time of day of a process, by libfaketime; other clocks go on."""

    def __init__(self, folder, name):
        atexit.register(forget_killed)
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
    """Within the network, and on its unix socket. (Its clock cannot be moved: libfaketime and the
    allocator of redis-server wait for one another.)"""

    def __init__(self, network):
        super().__init__("--port", str(network.port), "--bind", *network.addresses,
                         "--protected-mode", "no")
        self.prefix = network.prefix


class World(Scene):
    """The scene on a machine that can be disturbed. The server, and workers that `actor` makes, are
    behind links of their own and have clocks of their own; all data lie on a small disk."""

    def __init__(self, folder, **settings):
        self.folder = pathlib.Path(folder)
        self.network = Network(["server", "worker"])
        self.disk = Disk(self.folder / "disk", DISK_MIB)
        self.data = self.disk.folder / "data"
        self.clocks = {name: Clock(folder, name) for name in ("server", "worker")}
        self.redis = NetworkRedis(self.network).start()
        self.server = Server(self, redis=self.network.url("server"), **settings)
        self.server.environment = self.clocks["server"].environment
        self.server.start()
        self.workers = []
        self.weights = self.curve = None

    def close(self):
        super().close()
        self.disk.close()

    def actor(self, **settings):
        return self.worker(self.clocks["worker"].prefix, redis=self.network.url("worker"), **settings)

    def disturbances(self):
        """Those that this machine allows."""
        def in_the_midst(begin):
            return lambda actor: (begin(actor), actor.go_on())

        def clock(offset):
            return lambda actor: self.clocks[actor.kind].set(offset)

        def cut(actor):
            self.network.links[actor.kind].cut()

        def join(actor):
            self.network.links[actor.kind].join()

        found = {"redis": (lambda actor: self.redis.kill(), lambda actor: self.redis.start())}
        if self.network.possible:
            found["cut"] = cut, join
        if self.disk.possible:
            found["full"] = (lambda actor: self.disk.fill()), (lambda actor: self.disk.empty())
        if self.clocks["server"].possible:
            found["ahead"] = clock("+3600"), clock("+0")
            found["behind"] = clock("-3600"), clock("+0")
        return {name: (in_the_midst(begin), end) for name, (begin, end) in found.items()}
