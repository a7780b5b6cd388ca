#!/usr/bin/env python3
"""schemathesis, as it is installed from PyPI, holds a running service to openapi.yaml: all checks.

It runs in an environment of its own beside the build; SCHEMATHESIS_PYTHON names an interpreter that
has it instead.
SCHEMATHESIS_SEED and SCHEMATHESIS_EXAMPLES make longer and other runs."""

import os
import subprocess
import sys
import unittest

import pictures
from service import ROOT, Service, make_key

sys.path.insert(0, str(ROOT / "tests" / "support"))
import python_environment  # noqa: E402

PACKAGES = ("schemathesis==4.32.5",)
PYTHON = (os.environ.get("SCHEMATHESIS_PYTHON")
          or python_environment.require("schemathesis", PACKAGES))
SEED = os.environ.get("SCHEMATHESIS_SEED", "1")
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "20")


class SchemathesisTest(unittest.TestCase):
    """The data sets of the contract's examples are there, so that these are jobs that run."""

    def run_against(self, service, *more):
        config = ROOT / "tests" / "contract" / "schemathesis.toml"
        command = [PYTHON, "-m", "schemathesis.cli", "--config-file", str(config), "run",
                   "--no-color", "--checks", "all", "--seed", SEED, "--max-examples", EXAMPLES,
                   "--warnings", "off", *more, service.url + "/openapi.yaml"]
        ran = subprocess.run(command, capture_output=True, text=True, cwd=service.folder, check=False)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        self.assertRegex(ran.stdout, r"Test cases:\n +[0-9]{3,} generated, [0-9]+ passed")

    def fill(self, service):
        for name in ("cifar100", "fashion_mnist"):
            pictures.add_dataset(service, name)

    def test_without_keys(self):
        """Nobody is asked for one, as the contract says in its text; `security` cannot say so."""
        with Service("up") as service:
            self.fill(service)
            self.run_against(service, "--exclude-checks", "ignored_auth")

    def test_with_keys(self):
        """It makes keys and removes them, but for its own, which cannot remove itself."""
        service = Service("up")
        service.key = make_key(service.data, "root", "admin")
        with service:
            self.fill(service)
            self.run_against(service, "--header", f"Authorization: Bearer {service.key}")


if __name__ == "__main__":
    unittest.main()
