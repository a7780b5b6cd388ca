"""Certificates for tests of TLS, made with the openssl program in a folder of their own."""

import pathlib
import shutil
import subprocess
import tempfile

CA_CONFIG = """
[ca]
default_ca = this
[this]
database = {folder}/index
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = any
[any]
commonName = supplied
"""


class Certificates:
    """cert and key of 127.0.0.1 that sign themselves, and others that are wrong."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="distill-tls-"))
        self.cert, self.key = self.folder / "cert.pem", self.folder / "key.pem"
        self.make(self.cert, self.key)

    def openssl(self, *words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)

    def make(self, cert, key):
        """A new key, readable by its owner only, and a certificate of today."""
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                     "-nodes", "-keyout", key, "-out", cert, "-days", 30, "-subj", "/CN=localhost",
                     "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        key.chmod(0o600)

    def dated(self, name, begin, end):
        """A certificate of the same key for other days, as 20200101000000Z."""
        config, request = self.folder / "ca.cnf", self.folder / "request.pem"
        config.write_text(CA_CONFIG.format(folder=self.folder))
        (self.folder / "index").write_text("")
        (self.folder / "serial").write_text("01")
        self.openssl("req", "-new", "-key", self.key, "-out", request, "-subj", "/CN=localhost")
        self.openssl("ca", "-config", config, "-batch", "-selfsign", "-notext", "-keyfile", self.key,
                     "-in", request, "-out", self.folder / name, "-startdate", begin, "-enddate",
                     end)
        return self.folder / name

    def settings(self):
        """What Service takes."""
        return {"tls_cert": self.cert, "tls_key": self.key}

    def remove(self):
        shutil.rmtree(self.folder)
