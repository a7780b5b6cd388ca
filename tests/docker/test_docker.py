#!/usr/bin/env python3
"""docker/: Dockerfiles, compose file, and the list of libraries. No Docker engine is needed.

Usage: DISTILL=build/distill DISTILLD=build/distilld test_docker.py
"""

import os
import pathlib
import re
import shutil
import subprocess
import unittest

import yaml

from dockerfile import faults, is_pinned, last, stages

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
DOCKERFILES = sorted(DOCKER.glob("*.Dockerfile"))
GOOD = """FROM debian:12.11-slim AS build
RUN make
FROM debian:12.11-slim
COPY --from=build /a /a
USER 1000
HEALTHCHECK CMD true
ENTRYPOINT ["/a"]
"""


def output(command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout


class Lint(unittest.TestCase):
    """The lint itself finds what it is there for."""

    def test_nothing_wrong(self):
        self.assertEqual(faults(GOOD, ROOT), [])

    def test_each_fault_is_found(self):
        cases = [("debian:12.11-slim\n", "debian\n", "not pinned"),
                 ("debian:12.11-slim\n", "debian:latest\n", "not pinned"),
                 ("USER 1000", "USER root", "root"),
                 ("USER 1000\n", "", "root"),
                 ("USER 1000", "USER somebody", "no number"),
                 ("HEALTHCHECK CMD true\n", "", "HEALTHCHECK"),
                 ('["/a"]', "/a", "shell"),
                 ("--from=build", "--from=built", "no such stage"),
                 ("COPY --from=build /a", "COPY no/such/file", "not in the repository"),
                 ("RUN make", "ADD https://example.org/a.tar /", "ADD"),
                 ("RUN make", "RUN curl https://example.org/a | sh", "unseen"),
                 ("RUN make", "RUN make" + "\nRUN true" * 40, "lines")]
        for old, new, word in cases:
            with self.subTest(new):
                self.assertIn(old, GOOD)
                self.assertIn(word, "; ".join(faults(GOOD.replace(old, new), ROOT)))


class Dockerfiles(unittest.TestCase):
    def test_there_are_two(self):
        self.assertEqual([path.name for path in DOCKERFILES],
                         ["cpu.Dockerfile", "cuda.Dockerfile"])

    def test_no_faults(self):
        for path in DOCKERFILES:
            with self.subTest(path.name):
                self.assertEqual(faults(path.read_text(), ROOT), [])

    def test_they_build_as_make_does(self):
        for path in DOCKERFILES:
            with self.subTest(path.name):
                runs = [rest for name, rest in stages(path.read_text())[0] if name == "RUN"]
                self.assertIn("cmake/setup.sh build", runs)

    def test_the_context_is_small(self):
        ignored = (ROOT / ".dockerignore").read_text().split()
        self.assertLessEqual({".git", "build", "build-*"}, set(ignored))


class Cuda(unittest.TestCase):
    """The GPU's image has the module, where the programs look for it, and the libraries it loads."""

    def setUp(self):
        self.text = (DOCKER / "cuda.Dockerfile").read_text()

    def test_the_module_is_there(self):
        self.assertIn("-DDISTILL_CUDA=ON", self.text)
        folder = re.search(r"COPY \S+ /src/build/libdistill_cuda.so (\S+)", self.text)[1]
        programs = re.search(r"COPY .*/src/build/distilld (\S+)", self.text)[1]
        source = (ROOT / "engine/backend/module/cuda.c").read_text()
        places = re.findall(r'"([^"]+)"', re.search(r"places\[\] = (\{.*?\});", source)[1])
        self.assertIn(os.path.normpath(folder),
                      [os.path.normpath(f"{programs}/{place}") for place in places])

    def test_the_base_has_its_libraries(self):
        source = (ROOT / "engine/backend/cuda/library.c").read_text()
        major = re.search(r'"libcublasLt\.so\.(\d+)"', source)[1]
        bases = re.findall(r"FROM nvidia/cuda:(\d+)\.\S+-cudnn-(\w+)-", self.text)
        self.assertEqual(bases, [(major, "devel"), (major, "runtime")])


class Compose(unittest.TestCase):
    def setUp(self):
        self.text = (DOCKER / "compose.yaml").read_text()
        self.services = yaml.safe_load(self.text)["services"]

    def test_length(self):
        self.assertLessEqual(len(self.text.splitlines()), 30)

    def test_redis_keeps_what_it_acknowledged(self):
        command = self.services["redis"]["command"]
        for setting in ("--appendonly yes", "--appendfsync always",
                        "--maxmemory-policy noeviction"):
            self.assertIn(setting, command)
        self.assertTrue(is_pinned(self.services["redis"]["image"]))
        self.assertNotIn("ports", self.services["redis"])

    def test_nothing_runs_as_root_or_is_seen_from_outside(self):
        self.assertEqual(self.services["redis"]["user"], "redis")
        for name in ("serve", "work"):
            service = self.services[name]
            self.assertEqual(service["cap_drop"], ["ALL"])
            self.assertTrue(service["read_only"])
            self.assertNotIn("user", service) # that of the image
            for port in service.get("ports", []):
                self.assertRegex(port, r"^127\.0\.0\.1:")

    def test_volumes_are_declared(self):
        declared = yaml.safe_load(self.text)["volumes"]
        for service in self.services.values():
            for volume in service["volumes"]:
                name = volume.split(":")[0]
                self.assertTrue(name in declared or name.startswith(("$", ".", "/")), name)

    def test_images_are_built_from_here(self):
        for name in ("serve", "work"):
            build = self.services[name]["build"]
            context = DOCKER / build["context"]
            self.assertTrue((context / build["dockerfile"]).is_file())
            self.assertTrue(context.samefile(ROOT))

    @unittest.skipUnless("DISTILLD" in os.environ, "this build has no service")
    def test_the_service_knows_its_arguments(self):
        image = stages((DOCKER / "cpu.Dockerfile").read_text())[-1]
        commands = [self.services[name]["command"].split() for name in ("serve", "work")]
        commands.append(yaml.safe_load(last(image, "CMD")))
        text = output([os.environ["DISTILLD"], "help"])
        roles, settings = text.split("Settings:")
        for role, *arguments in commands:
            self.assertRegex(roles, rf"(?m)^\s*{role}\s")
            for argument in arguments:
                self.assertRegex(settings, rf"(?m)^\s*{argument.split('=')[0]}\b")

    def test_compose_reads_it(self):
        compose = ["docker", "compose"]
        if not shutil.which("docker") or subprocess.run(compose + ["version"], check=False,
                                                        capture_output=True).returncode:
            self.skipTest("no docker compose")
        done = subprocess.run(compose + ["-f", DOCKER / "compose.yaml", "config", "--quiet"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)


@unittest.skipUnless(shutil.which("dpkg"), "not Debian or Ubuntu")
class Libraries(unittest.TestCase):
    def test_every_library_has_its_package(self):
        executables = [os.environ[name] for name in ("DISTILL", "DISTILLD") if name in os.environ]
        packages = output([DOCKER / "libraries.sh"] + executables).split()
        self.assertIn("libc6", packages)
        linked = output(["ldd"] + executables)
        for stem in ("libmicrohttpd", "libjansson", "libhiredis", "libdnnl", "libturbojpeg"):
            if re.search(rf"\b{stem}\.so", linked):
                self.assertTrue(any(name.startswith(stem) for name in packages), stem)


if __name__ == "__main__":
    unittest.main()
