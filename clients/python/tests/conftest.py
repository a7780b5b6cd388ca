"""A real service for the tests: `distilld up` on a free port, with a data set of small pictures."""

import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "clients" / "python"), str(ROOT / "tests" / "system")]

import pictures  # noqa: E402
from distilld import Client  # noqa: E402
from service import Service  # noqa: E402

FIELDS = {"method": "ce", "student": "resnet8", "dataset": "quadrants", "epochs": 2,
          "batch_size": 32, "learning_rate": 0.05, "augment": "none", "threads": 1,
          "device": os.environ.get("DISTILL_TEST_DEVICE", "auto")}


@pytest.fixture(scope="session")
def service():
    with Service("up") as running:
        yield running


@pytest.fixture(scope="session")
def client(service):
    with Client(service.url) as connected:
        source = pictures.save_dataset(service.folder / "quadrants")
        connected.import_dataset("quadrants", str(source))
        yield connected


@pytest.fixture
def fields():
    return dict(FIELDS)


@pytest.fixture(scope="session")
def trained(client):
    """A job that has succeeded."""
    return client.wait(client.submit(**FIELDS)["id"], progress=False, timeout=120)
