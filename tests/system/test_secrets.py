#!/usr/bin/env python3
"""No secret stands in a log, on a command line, in an environment or in an answer."""

import os
import pathlib
import shutil
import tempfile
import unittest
import unittest.mock

from certificates import Certificates
from service import Redis, ServiceCase, wait_until

PASSWORD, TOKEN, COOKIE = "0pen-sesame-redis", "dk_bearer-of-a-client", "session=of-a-client"


@unittest.skipUnless(shutil.which("openssl"), "there is no openssl")
class SecretsTest(ServiceCase):
    """`up` with a password and a private key, which logs all that it ever logs."""

    @classmethod
    def setUpClass(cls):
        debugging = unittest.mock.patch.dict(os.environ, DISTILLD_LOG="debug")
        debugging.start()
        cls.addClassCleanup(debugging.stop)
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="distill-secrets-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        password = cls.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o600)
        cls.certificates = Certificates()
        cls.addClassCleanup(cls.certificates.remove)
        cls.redis = Redis("--requirepass", PASSWORD).start()
        cls.addClassCleanup(cls.redis.stop)
        cls.service = cls.start(redis=cls.redis.url, redis_password_file=password, device="ref",
                                **cls.certificates.settings())
        cls.secrets = [PASSWORD, TOKEN, COOKIE.split("=")[1],
                       *cls.certificates.key.read_text().splitlines()[1:-1]]

    def assert_no_secret(self, where, text):
        for secret in self.secrets:
            self.assertNotIn(secret, text, where)

    def test_logs_and_answers(self):
        """Requests that succeed, fail, and are malformed, with secrets in their headers."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Cookie": COOKIE}
        texts = []
        for method, path, body in (("GET", "/readyz", None), ("GET", "/metrics", None),
                                   ("GET", "/nothing", None), ("POST", "/jobs", {"method": "x"}),
                                   ("POST", "/jobs", b"{"), ("PUT", "/jobs", None),
                                   ("GET", "/workers", None)):
            answer = self.service.request(method, path, body, headers)
            texts.append(repr(answer.headers) + answer.body.decode())
        with self.service.connect() as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nAuthorization: Bearer " + TOKEN.encode() +
                               b"\r\nCookie : " + COOKIE.encode() + b"\r\n\r\n")
            texts.append(connection.recv(65536).decode())
        self.assertIn(" 400 ", texts[-1])
        wait_until(lambda: len(self.service.events("request")) >= len(texts) - 1, what="the log")
        self.assert_no_secret("answers", "\n".join(texts))
        self.assert_no_secret("log", self.service.log())

    def test_processes(self):
        """What ps shows of `up` and its children."""
        pids = [self.service.process.pid, self.service.child("serve"), self.service.child("work")]
        for pid in pids:
            for name in ("cmdline", "environ"):
                text = pathlib.Path(f"/proc/{pid}/{name}").read_text()
                self.assertTrue(text)
                self.assert_no_secret(f"{pid}/{name}", text)

    def test_what_is_stored(self):
        for path in self.service.data.rglob("*"):
            if path.is_file():
                self.assert_no_secret(path, path.read_text(errors="replace"))


if __name__ == "__main__":
    unittest.main()
