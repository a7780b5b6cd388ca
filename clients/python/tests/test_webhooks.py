"""Webhooks through the client, and what a receiver does with their messages."""

import http.server
import threading
import time

import pytest

from distilld import Client, ProblemError, WrongSignature, verify_webhook
from service import Service, wait_until


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.messages.append((dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *words):
        pass


@pytest.fixture
def receiver():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.messages = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_message_is_verified(receiver):
    with Service("up", webhook_private=1) as service, Client(service.url) as client:
        hook = client.add_webhook(f"http://127.0.0.1:{receiver.server_port}/", tag="vision")
        assert [one["id"] for one in client.webhooks()] == [hook["id"]]
        sent = client.test_webhook(hook["id"])
        wait_until(lambda: client.webhook(hook["id"])["delivered"] == 1, what="its arrival")
        (headers, body), = receiver.messages
        message = verify_webhook(hook["secret"], headers, body)
        assert message["type"] == "webhook.test" and message["data"] == {"webhook": hook["id"]}
        assert {name.lower(): value for name, value in headers.items()}["webhook-id"] == sent
        check_refusals(hook["secret"], headers, body)
        client.remove_webhook(hook["id"])
        with pytest.raises(ProblemError) as caught:
            client.webhook(hook["id"])
        assert caught.value.status == 404


def check_refusals(secret, headers, body):
    lower = {name.lower(): value for name, value in headers.items()}
    other = {**lower, "webhook-signature": "v1,AAAA " + lower["webhook-signature"]}
    assert verify_webhook(secret, other, body)  # one of several is enough
    late = {**lower, "webhook-timestamp": str(int(time.time()) - 1000)}
    wrong = [(secret, lower, body + b" "), ("whsec_AAAA", lower, body), (secret, late, body),
             (secret, {**lower, "webhook-id": "event_1"}, body), (secret, {}, body)]
    for case in wrong:
        with pytest.raises(WrongSignature):
            verify_webhook(*case)
    with pytest.raises(WrongSignature):
        verify_webhook(secret, lower, body, tolerance_s=-1)
