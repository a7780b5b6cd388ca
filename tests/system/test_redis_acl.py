#!/usr/bin/env python3
"""Redis: an ACL user that may do only what is documented, passwords, and the private one."""

import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile
import unittest
import unittest.mock

from job_case import LONG
from material import job, points_of, write_dataset
from service import (PATIENCE, ROOT, Process, Redis, Service, ServiceCase, executable, redis_cli,
                     wait_until)

ADMIN, PASSWORD = "the-admins-own", "n0t:to@be seen"


def documented_user():
    """The line for Redis's ACL file, as docs/operations.md has it."""
    text = (ROOT / "docs/operations.md").read_text()
    return re.search(r"^    (user distill on .*)$", text, re.M)[1]


def commands_used():
    """Those of the scripts, and those that the store sends."""
    used = set()
    for script in (ROOT / "service/store/lua").glob("*.lua"):
        used.update(re.findall(r"redis\.p?call\('([A-Z]+)'", script.read_text()))
    for source in (ROOT / "service/store").glob("*.c"):
        used.update(re.findall(r'redis_args_text\(&\w+, "([A-Z]{3,})"\)', source.read_text()))
        used.update(re.findall(r'script_call\(&\w+, "([A-Z]+)"', source.read_text()))
    return used


class DocumentedUserTest(unittest.TestCase):
    def test_every_command_is_allowed(self):
        allowed = {word[1:].split("|")[0].upper() for word in documented_user().split()
                   if word.startswith("+")}
        options = {"AUTH", "GET", "BLOCK", "STREAMS", "COUNT"}  # anyone; words behind a command
        self.assertEqual(commands_used() - options - allowed, set())
        self.assertGreater(len(commands_used()), 20)
        self.assertEqual(allowed - commands_used() - {"XREVRANGE"}, set())


class AclTest(ServiceCase):
    """The whole service with that user, beside a default user that may do nothing."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="distill-acl-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.password = cls.folder / "password"
        cls.password.write_text(PASSWORD + "\n")
        cls.password.chmod(0o640)
        rules = cls.folder / "users.acl"
        digest = subprocess.run(["sha256sum"], input=PASSWORD.encode(), capture_output=True,
                                check=True).stdout.split()[0].decode()
        rules.write_text("user default off\n"
                         f"user admin on >{ADMIN} ~* &* +@all\n" +
                         documented_user().replace(">PASSWORD", "#" + digest) + "\n")
        cls.redis = Redis("--aclfile", str(rules)).start()
        cls.addClassCleanup(cls.redis.stop)
        cls.url = f"unix://distill@{cls.redis.socket}"
        debugging = unittest.mock.patch.dict(os.environ, DISTILLD_LOG="debug")
        debugging.start()
        cls.addClassCleanup(debugging.stop)
        cls.service = cls.start("serve", redis=cls.url, redis_password_file=cls.password,
                                device="ref", data=cls.folder / "data", import_roots=cls.folder)
        cls.worker = Process([executable("distilld"), "work", f"data={cls.folder}/data",
                              f"redis={cls.url}", f"redis_password_file={cls.password}"],
                             cls.folder / "worker.log")
        cls.addClassCleanup(cls.worker.end)
        cls.service.import_dataset("tiny", write_dataset(cls.folder / "tiny"))

    def admin(self, *words):
        done = subprocess.run(["redis-cli", "-s", str(self.redis.socket), "--json", "--user", "admin",
                               "--no-auth-warning", "-a", ADMIN, *words], check=True,
                              capture_output=True)
        return json.loads(done.stdout)

    def post(self, path, body=None, status=(200, 201, 202, 204)):
        answer = self.service.post(path, body)
        self.assertIn(answer.status, status, answer)
        return answer

    def run_everything(self):
        """Every transition, list and removal that there is."""
        service = self.service
        first = self.post("/jobs", job(tags=["a"])).json()["id"]
        self.assertEqual(service.wait_for_job(first)["state"], "succeeded")
        self.assertTrue(points_of(service, first))
        long = self.post("/jobs", job(**LONG, max_runtime_s=3600)).json()["id"]
        self.post("/jobs", job(**LONG, depends_on=[first]))  # needs the data set to the end
        wait_until(lambda: points_of(service, long), what="points")
        self.post(f"/jobs/{long}/pause")
        wait_until(lambda: service.get(f"/jobs/{long}").json()["state"] == "paused", what="pause")
        self.post(f"/jobs/{long}/resume")
        self.post(f"/jobs/{long}/cancel")
        self.assertEqual(service.wait_for_job(long)["state"], "cancelled")
        for path in ("/jobs?tag=a", "/jobs?state=succeeded", "/workers", "/metrics", "/readyz",
                     f"/jobs/{first}/events", f"/jobs/{first}/metrics", "/models", "/datasets"):
            self.assertEqual(service.get(path).status, 200, path)
        self.assertEqual(service.request("PUT", "/aliases/prod", {
            "model": service.get(f"/jobs/{first}").json()["model"]}).status, 201)
        self.assertEqual(service.delete(f"/jobs/{long}").status, 204)
        self.assertEqual(service.delete("/datasets/tiny").status, 409)

    def test_nothing_more_is_needed(self):
        """Redis itself notes what a user was refused."""
        self.admin("ACL", "LOG", "RESET")
        self.run_everything()
        self.assertEqual(self.admin("ACL", "LOG"), [])
        self.assertEqual({key.startswith("{distill}:") for key in self.admin("KEYS", "*")}, {True})
        self.assertEqual(self.worker.is_running(), True)

    def test_the_password_is_nowhere(self):
        secrets = (PASSWORD, PASSWORD.split(":")[0], "n0t%3A")
        seen = self.service.log() + (self.folder / "worker.log").read_text()
        for pid in (self.service.process.pid, self.worker.pid):
            for name in ("cmdline", "environ"):
                seen += pathlib.Path(f"/proc/{pid}/{name}").read_text()
        seen += self.service.get("/metrics").body.decode() + "\n".join(self.worker.lines)
        for secret in secrets:
            self.assertNotIn(secret, seen)

    def test_a_user_that_may_do_nothing_is_told_at_start(self):
        self.admin("ACL", "SETUSER", "poor", "on", ">" + PASSWORD)
        done = subprocess.run([executable("distilld"), "serve", f"data={self.folder}/data", "port=0",
                               f"redis=unix://poor@{self.redis.socket}",
                               f"redis_password_file={self.password}"],
                              capture_output=True, text=True, timeout=60 * PATIENCE)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("NOPERM", done.stderr)
        self.assertNotIn(PASSWORD, done.stderr)


class PasswordFilesTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="distill-password-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def refusal(self, *settings):
        done = subprocess.run([executable("distilld"), "work", f"data={self.folder}/data",
                               *settings], capture_output=True, text=True, timeout=60 * PATIENCE)
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("sesame", done.stdout + done.stderr)
        return done.stderr

    def file(self, text, mode=0o600):
        path = self.folder / "password"
        path.write_bytes(text)
        path.chmod(mode)
        return f"redis_password_file={path}"

    def test_in_the_url(self):
        for url in ("redis://:sesame@h", "redis://u:sesame@h:1/2", "unix://u:sesame@/run/r.sock"):
            self.assertIn("redis_password_file", self.refusal(f"redis={url}"))

    def test_files(self):
        url = "redis=redis://u@127.0.0.1:1"
        self.assertIn("No such file", self.refusal(url, f"redis_password_file={self.folder}/none"))
        self.assertIn("read by everyone", self.refusal(url, self.file(b"sesame", 0o644)))
        self.assertIn("is empty", self.refusal(url, self.file(b"")))
        self.assertIn("one line", self.refusal(url, self.file(b"\n")))
        self.assertIn("one line", self.refusal(url, self.file(b"sesame\nopen\n")))
        self.assertIn("no text", self.refusal(url, self.file(b"sesame\0")))
        self.assertIn("redis_password_file", self.refusal(url, self.file(b"sesame" * 100)))

    def test_settings_that_do_not_fit(self):
        self.assertIn("redis_password_file", self.refusal("redis=redis://u@127.0.0.1:1"))
        self.assertIn("private Redis has no password", self.refusal(self.file(b"sesame")))


def listening_inodes():
    """Of all TCP sockets that listen on this machine."""
    lines = [line.split() for name in ("tcp", "tcp6")
             for line in pathlib.Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return {line[9] for line in lines if line[3] == "0A"}


class PrivateRedisTest(unittest.TestCase):
    """The one of `up`, as it runs."""

    def test_it_is_private_and_durable(self):
        with Service() as service:
            url = f"unix://{service.data}/redis/redis.sock"
            wanted = {"appendonly": "yes", "appendfsync": "always", "save": "", "port": "0",
                      "maxmemory-policy": "noeviction", "unixsocketperm": "700",
                      "dir": str(service.data / "redis"),
                      "unixsocket": str(service.data / "redis" / "redis.sock")}
            for name, value in wanted.items():
                self.assertEqual(redis_cli(url, "CONFIG", "GET", name), {name: value})
            folder = os.stat(service.data / "redis")
            self.assertEqual(stat.S_IMODE(folder.st_mode), 0o700)
            conf = os.stat(service.data / "redis" / "redis.conf")
            self.assertEqual(stat.S_IMODE(conf.st_mode), 0o600)
            pid = service.child("redis")
            sockets = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
            self.assertFalse(sockets & {f"socket:[{inode}]" for inode in listening_inodes()})


if __name__ == "__main__":
    unittest.main()
