"""The client and API keys, against a server of its own."""

import pytest

from distilld import Client, ProblemError
from service import Service, make_key, wait_until


@pytest.fixture(scope="module")
def closed():
    """A server that asks for keys."""
    with Service("serve") as running:
        running.key = make_key(running.data, "root", "admin")
        wait_until(lambda: running.get("/models", headers={"X-API-Key": ""}).status == 401)
        yield running


def test_a_key_is_sent(closed, monkeypatch):
    with Client(closed.url) as client, pytest.raises(ProblemError) as caught:
        list(client.models())
    assert caught.value.status == 401
    with Client(closed.url, key=closed.key) as client:
        assert not list(client.models())
    monkeypatch.setenv("DISTILLD_KEY", closed.key)
    with Client(closed.url) as client:
        assert not list(client.models())


def test_keys_are_managed(closed):
    with Client(closed.url, key=closed.key) as admin:
        made = admin.make_key("reader", ["read"], active_jobs=2)
        assert made["key"]["active_jobs"] == 2
        assert made["key"] in list(admin.keys())
        with Client(closed.url, key=made["secret"]) as reader:
            assert not list(reader.models())
            with pytest.raises(ProblemError) as caught:
                list(reader.keys())
            assert caught.value.status == 403
            assert admin.edit_key("reader", roles=["admin"])["active_jobs"] == 2
            assert list(reader.keys())
        admin.remove_key("reader")
        assert [key["name"] for key in admin.keys()] == ["root"]
