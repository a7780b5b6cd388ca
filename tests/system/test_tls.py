#!/usr/bin/env python3
"""HTTPS: what works over HTTP works over TLS, refusals and all; and files that are wrong."""

import importlib.util
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import warnings

import test_framing
from certificates import Certificates
from job_case import LONG
from material import add_dataset, job
from service import PATIENCE, ROOT, Redis, Service, ServiceCase, executable, wait_until


def setUpModule():
    global certificates
    if not shutil.which("openssl"):
        raise unittest.SkipTest("there is no openssl")
    certificates = Certificates()
    unittest.addModuleCleanup(certificates.remove)


class FramingOverTls(test_framing.FramingTest):
    """Malformed, ambiguous, slow and large requests, over TLS."""

    @classmethod
    def setUpClass(cls):
        cls.settings = certificates.settings()
        super().setUpClass()


class TlsTest(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.service = cls.start(device="ref", request_timeout_ms=2000, **certificates.settings())
        add_dataset(cls.service)
        created = cls.service.post("/jobs", job())
        assert created.status == 201, created
        cls.job = cls.service.wait_for_job(created.json()["id"])
        assert cls.job["state"] == "succeeded", cls.job

    def test_url(self):
        self.assertTrue(self.service.url.startswith("https://127.0.0.1:"))

    def test_versions(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context(cafile=certificates.cert)
            context.minimum_version = context.maximum_version = version
            with socket.create_connection((self.service.host, self.service.port)) as plain, \
                    context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
                self.assertEqual(connection.version(), version.name.replace("_", "."))

    def test_old_versions_are_refused(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection((self.service.host, self.service.port)) as plain:
            with self.assertRaises((ssl.SSLError, ConnectionResetError)):
                context.wrap_socket(plain)

    def test_curl(self):
        url = f"{self.service.url}/models/{self.job['model']}/weights"
        common = ["curl", "-sS", "--fail-with-body", "--cacert", str(certificates.cert)]
        whole = subprocess.run([*common, url], capture_output=True, check=True).stdout
        part = subprocess.run([*common, "-r", "100-5099", url], capture_output=True,
                              check=True).stdout
        self.assertEqual(part, whole[100:5100])
        untrusting = subprocess.run(["curl", "-sS", url], capture_output=True)
        self.assertEqual(untrusting.returncode, 60)

    def test_scripts(self):
        done = subprocess.run(["clients/curl/ready.sh"], cwd=ROOT, capture_output=True, check=True,
                              env={**os.environ, "DISTILLD_URL": self.service.url,
                                   "CURL_CA_BUNDLE": str(certificates.cert)})
        self.assertEqual(json.loads(done.stdout)["status"], "ready")

    def test_python_client(self):
        if not importlib.util.find_spec("httpx"):
            self.skipTest("there is no httpx")
        program = "from distilld import Client; print(Client().job('%s')['state'])" % self.job["id"]
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                              env={**os.environ, "PYTHONPATH": str(ROOT / "clients/python"),
                                   "DISTILLD_URL": self.service.url,
                                   "SSL_CERT_FILE": str(certificates.cert)})
        self.assertEqual(done.stdout, "succeeded\n", done.stderr)

    def test_upload_and_download(self):
        """A model goes out and comes in again, in one piece and in chunks."""
        weights = self.service.get(f"/models/{self.job['model']}/weights").body
        for body in (weights, iter([weights[:70000], weights[70000:]])):
            answer = self.service.post("/models?architecture=resnet8&dataset=tiny", body,
                                       headers={"Content-Type": "application/octet-stream"})
            self.assertEqual(answer.status, 201, answer)
            copy = self.service.get(f"/models/{answer.json()['id']}/weights").body
            self.assertEqual(copy, weights)

    def test_a_large_body_in_one_request(self):
        """More than any socket buffer holds, so that TLS records arrive in pieces."""
        body = b"\x89PNG\r\n\x1a\n" + os.urandom(8 << 20)
        answer = self.service.post(f"/predict?model={self.job['model']}", body,
                                   headers={"Content-Type": "image/png"})
        self.assertEqual(answer.status, 400, answer)
        self.assertIn("broken PNG", answer.json()["detail"])

    def test_stream(self):
        connection = self.service.http_connection()
        self.addCleanup(connection.close)
        connection.request("GET", f"/jobs/{self.job['id']}/metrics?format=stream")
        text = connection.getresponse().read().decode()
        points = [line for line in text.splitlines() if line.startswith("data: ")]
        self.assertGreater(len(points), 1)

    def test_a_live_stream_and_many_requests(self):
        """A stream that sleeps beside connections that are kept, pipelined and dropped."""
        with self.service.connect() as stream:
            created = self.service.post("/jobs", job(**LONG)).json()["id"]
            stream.sendall(b"GET /jobs/%s/events HTTP/1.1\r\nHost: x\r\n"
                           b"Accept: text/event-stream\r\n\r\n" % created.encode())
            self.assertIn(b" 200 OK", stream.recv(65536))
            connection = self.service.http_connection()
            for _ in range(50):
                connection.request("GET", "/healthz")
                self.assertEqual(connection.getresponse().read(), b'{"status":"ok"}')
            connection.close()
            self.service.post(f"/jobs/{created}/cancel")
            data = b""
            while b'"cancelled"' not in data:
                received = stream.recv(65536)
                self.assertTrue(received, data)
                data += received

    def test_handshakes_that_do_not_end(self):
        """They are cut in time, and nobody waits for them."""
        idle = [socket.create_connection((self.service.host, self.service.port), timeout=10)
                for _ in range(20)]
        for connection in idle[::2]:
            connection.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
        begin = time.monotonic()
        self.assertEqual(self.service.get("/healthz").status, 200)
        self.assertLess(time.monotonic() - begin, 1 * PATIENCE)
        for connection in idle:
            with connection:
                self.assertEqual(connection.recv(16), b"")
        self.assertLess(time.monotonic() - begin, 5 * PATIENCE)

    def test_what_is_not_tls(self):
        with socket.create_connection((self.service.host, self.service.port), timeout=10) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            data = b""
            try:
                while received := plain.recv(65536):
                    data += received
            except ConnectionResetError:
                pass
            self.assertNotIn(b"HTTP/1.1", data)

    def test_clients_that_vanish(self):
        for _ in range(30):
            connection = self.service.connect()
            connection.sendall(b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n"
                               b"Content-Type: application/json\r\n\r\n{")
            plain = connection.detach()
            socket.socket(fileno=plain).close()
        self.assertEqual(self.service.get("/healthz").status, 200)


class DrainTest(unittest.TestCase):
    @staticmethod
    def refuses(service):
        try:
            service.connect().close()
        except OSError:
            return True
        return False

    def test_requests_under_way_are_answered(self):
        with Redis() as redis:
            service = Service("serve", redis=redis.url, **certificates.settings())
            with service:
                answers = []
                waiting = threading.Thread(
                    target=lambda: answers.append(service.get("/readyz", headers={"X": "y"})))
                with service.connect() as slow:
                    slow.sendall(b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                                 b"Content-Type: application/json\r\n\r\n{")
                    waiting.start()
                    waiting.join()
                    self.assertEqual(answers[0].status, 200)
                    service.process.signal(15)
                    wait_until(lambda: self.refuses(service), what="draining")
                    slow.sendall(b"}")
                    data = b"".join(iter(lambda: slow.recv(65536), b""))
                    self.assertIn(b"HTTP/1.1 422 ", data)
                    self.assertIn(b"Connection: close", data)
                self.assertEqual(service.process.wait(), 0)


class WrongFilesTest(unittest.TestCase):
    """One sentence each, and nothing listens."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="distill-tls-data-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def refusal(self, **settings):
        given = {**certificates.settings(), **settings}
        words = [f"{name}={value}" for name, value in given.items() if value]
        done = subprocess.run([executable("distilld"), "serve", f"data={self.folder}/data", "port=0",
                               f"redis=unix://{self.folder}/none", *words],
                              capture_output=True, text=True, timeout=60 * PATIENCE)
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("listening", done.stdout + done.stderr)
        self.assertNotIn("PRIVATE", done.stdout + done.stderr)
        return done.stderr.strip().split("\n")[-1]

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def test_one_without_the_other(self):
        self.assertIn("go together", self.refusal(tls_key=None))
        self.assertIn("go together", self.refusal(tls_cert=None))

    def test_files_that_are_not_there(self):
        for name in ("tls_cert", "tls_key"):
            self.assertIn(f"{name}: ", self.refusal(**{name: self.folder / "none.pem"}))

    def test_files_that_are_something_else(self):
        text = self.file("text", "hello\n")
        self.assertIn("holds no certificate", self.refusal(tls_cert=text))
        self.assertIn("holds no certificate", self.refusal(tls_cert=certificates.key))
        self.assertIn("holds no private key", self.refusal(tls_key=text))
        copy = self.file("cert", certificates.cert.read_text())
        self.assertIn("holds no private key", self.refusal(tls_key=copy))

    def test_a_key_with_a_password(self):
        locked = self.folder / "locked.pem"
        certificates.openssl("ec", "-in", certificates.key, "-aes128", "-passout", "pass:x",
                             "-out", locked)
        locked.chmod(0o600)
        self.assertIn("without a password", self.refusal(tls_key=locked))

    def test_the_key_of_another(self):
        cert, key = self.folder / "other.pem", self.folder / "other.key"
        certificates.make(cert, key)
        self.assertIn("is not the key of", self.refusal(tls_key=key))

    def test_a_key_that_everyone_can_read(self):
        key = self.file("open.key", certificates.key.read_text())
        key.chmod(0o644)
        self.assertIn("can be read by everyone", self.refusal(tls_key=key))

    def test_certificates_of_other_days(self):
        old = certificates.dated("old.pem", "20200101000000Z", "20200102000000Z")
        self.assertIn("has expired at 2020-01-02", self.refusal(tls_cert=old))
        early = certificates.dated("early.pem", "20480101000000Z", "20480102000000Z")
        self.assertIn("is not valid before 2048-01-01", self.refusal(tls_cert=early))


if __name__ == "__main__":
    unittest.main()
