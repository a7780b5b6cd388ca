#!/usr/bin/env python3
"""A certificate that is replaced while the service runs: SIGHUP, and no connection is lost."""

import shutil
import signal
import socket
import ssl
import threading
import unittest

from certificates import Certificates
from service import Redis, Service, wait_until


def setUpModule():
    global old, new
    if not shutil.which("openssl"):
        raise unittest.SkipTest("there is no openssl")
    old, new = Certificates(), Certificates()
    for each in (old, new):
        unittest.addModuleCleanup(each.remove)


def shown(service):
    """The certificate of a new connection, as PEM."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((service.host, service.port), timeout=10) as plain, \
            context.wrap_socket(plain) as connection:
        return ssl.DER_cert_to_PEM_cert(connection.getpeercert(binary_form=True))


class ReloadTest(unittest.TestCase):
    def setUp(self):
        self.files = Certificates()  # those that the service reads
        self.addCleanup(self.files.remove)
        self.place(old.cert, old.key)

    def place(self, cert, key):
        for source, place in ((cert, self.files.cert), (key, self.files.key)):
            shutil.copyfile(source, place)

    def hang_up(self, service, event):
        """SIGHUP, and the one line that it leaves in the log."""
        before = len(service.events(event))
        service.process.signal(signal.SIGHUP)
        wait_until(lambda: len(service.events(event)) > before, 10, what=event)
        self.assertEqual(len(service.events(event)), before + 1)
        return service.events(event)[-1]

    def assert_shows(self, service, certificates):
        wanted = ssl.PEM_cert_to_DER_cert(certificates.cert.read_text())
        self.assertEqual(ssl.PEM_cert_to_DER_cert(shown(service)), wanted)

    def replace_while_it_is_used(self, service):
        self.assert_shows(service, old)
        kept = service.http_connection()
        self.addCleanup(kept.close)
        kept.request("GET", "/healthz")
        self.assertEqual(kept.getresponse().read(), b'{"status":"ok"}')
        self.place(new.cert, new.key)
        self.assert_shows(service, old)  # until it is told
        self.hang_up(service, "tls_reloaded")
        self.assert_shows(service, new)
        kept.request("GET", "/healthz")
        self.assertEqual(kept.getresponse().read(), b'{"status":"ok"}')
        with self.assertRaises(ssl.SSLCertVerificationError):
            service.get("/healthz")  # which trusts the old one
        service.context = ssl.create_default_context(cafile=new.cert)
        self.assertEqual(service.get("/healthz").status, 200)

    def test_serve(self):
        with Redis() as redis, Service("serve", redis=redis.url, **self.files.settings()) as service:
            self.replace_while_it_is_used(service)

    def test_up(self):
        """Which tells its server; nothing is restarted."""
        with Service(device="ref", **self.files.settings()) as service:
            self.replace_while_it_is_used(service)
            self.assertEqual(service.events("child_ended"), [])
            self.assertEqual(service.get("/readyz").status, 200)

    def test_wrong_files_change_nothing(self):
        expired = old.dated("expired.pem", "20200101000000Z", "20200102000000Z")
        with Redis() as redis, Service("serve", redis=redis.url, **self.files.settings()) as service:
            for cert, key, why in ((old.key, old.key, "holds no certificate"),
                                   (old.cert, old.cert, "holds no private key"),
                                   (expired, old.key, "has expired"),
                                   (new.cert, old.key, "is not the key of")):
                self.place(cert, key)
                line = self.hang_up(service, "tls_not_reloaded")
                self.assertEqual(line["level"], "error")
                self.assertIn(why, line["error"])
                self.assert_shows(service, old)
            self.files.cert.unlink()
            self.assertIn("tls_cert", self.hang_up(service, "tls_not_reloaded")["error"])
            self.place(old.cert, old.key)
            self.files.key.chmod(0o644)
            self.assertIn("by everyone", self.hang_up(service, "tls_not_reloaded")["error"])
            self.assertEqual(service.get("/healthz").status, 200)
            self.assertNotIn("PRIVATE", service.log())
            self.files.key.chmod(0o600)
            self.place(new.cert, new.key)
            self.hang_up(service, "tls_reloaded")
            self.assert_shows(service, new)

    def test_handshakes_meanwhile(self):
        """Each gets one of the two, whole."""
        with Redis() as redis, Service("serve", redis=redis.url, **self.files.settings()) as service:
            known = {ssl.PEM_cert_to_DER_cert(each.cert.read_text()) for each in (old, new)}
            seen, stop = [], threading.Event()

            def connect():
                while not stop.is_set():
                    seen.append(ssl.PEM_cert_to_DER_cert(shown(service)))

            threads = [threading.Thread(target=connect) for _ in range(4)]
            for thread in threads:
                thread.start()
            for i in range(10):
                each = (new, old)[i % 2]
                self.place(each.cert, each.key)
                self.hang_up(service, "tls_reloaded")
            stop.set()
            for thread in threads:
                thread.join()
            self.assertEqual(set(seen), known)
            self.assertGreater(len(seen), 10)


class PlainTest(unittest.TestCase):
    def test_without_tls_it_still_means_the_end(self):
        with Redis() as redis, Service("serve", redis=redis.url) as service:
            service.process.signal(signal.SIGHUP)
            self.assertEqual(service.process.wait(), 0)


if __name__ == "__main__":
    unittest.main()
