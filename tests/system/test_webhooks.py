#!/usr/bin/env python3
"""Webhooks: what happens to jobs arrives at a real receiver, signed, in spite of failures, and
nowhere where it must not."""

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest
import unittest.mock

from job_case import LONG, JobCase
from material import add_dataset, job
from service import PATIENCE, Process, Redis, ServiceCase, executable, wait_until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import python_environment  # noqa: E402

EVENTS = ["job.submitted", "job.started", "job.interrupted", "job.paused", "job.resumed",
          "job.retried", "job.succeeded", "job.failed", "job.cancelled"]
SLOW_S = 5  # of an answer that comes too late, also with a sanitizer's patience
QUICK = {"webhook_private": 1, "webhook_retry_ms": 20,
         "webhook_timeout_ms": 1000 if PATIENCE == 1 else 4000}


class Receiver:
    """An HTTP server on the loopback that remembers what it was sent; answer(path, tries) says with
    which status, after how many seconds, and with which headers."""

    def __init__(self, answer=None, host="127.0.0.1", port=0, certificate=None):
        self.answer = answer or (lambda path, tries: (204, 0, {}))
        self.messages = []
        self.seen = {}
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.take(self.path, dict(self.headers), body)
                tries = receiver.seen[self.headers["webhook-id"]]
                status, seconds, headers = receiver.answer(self.path, tries)
                time.sleep(seconds)
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.end_headers()

            def log_message(self, *words):
                pass

        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        server = type("Server", (http.server.ThreadingHTTPServer,),
                      {"address_family": family, "request_queue_size": 128})
        self.server = server((host, port), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, path, headers, body):
        headers = {name.lower(): value for name, value in headers.items()}
        key = headers["webhook-id"]
        self.seen[key] = self.seen.get(key, 0) + 1
        self.messages.append({"path": path, "headers": headers, "body": body,
                              "json": json.loads(body), "time": time.monotonic()})

    def types(self, job_id=None):
        """Types of the messages, all or those of a job, each message once."""
        kept = {}
        for message in self.messages:
            if job_id is None or message["json"]["data"].get("id") == job_id:
                kept.setdefault(message["headers"]["webhook-id"], message["json"]["type"])
        return list(kept.values())

    def wait_for(self, count, timeout_s=30):
        wait_until(lambda: len(self.messages) >= count, timeout_s, what=f"{count} messages")
        return self.messages

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def signature(secret, headers, body):
    """Independent of the service's own code."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


class Hooks:
    """Short words for what tests do with webhooks and receivers."""

    def receive(self, answer=None, **more):
        receiver = Receiver(answer, **more)
        self.addCleanup(receiver.stop)
        return receiver

    def hook(self, url, **fields):
        answer = self.service.post("/webhooks", {"url": url, **fields})
        self.assertEqual(answer.status, 201, answer)
        hook = answer.json()
        self.assertEqual(answer.headers["location"], f"/webhooks/{hook['id']}")
        self.addCleanup(self.service.delete, f"/webhooks/{hook['id']}")
        return hook

    def show_hook(self, hook):
        return self.service.get(f"/webhooks/{hook['id']}").json()

    def send_test(self, hook):
        answer = self.service.post(f"/webhooks/{hook['id']}/test")
        self.assertEqual(answer.status, 202, answer)
        return answer.json()["id"]

    def wait_for_hook(self, hook, condition, what):
        return wait_until(lambda: (lambda card: condition(card) and card)(self.show_hook(hook)),
                          what=what)


class WebhookTest(Hooks, JobCase):
    SETTINGS = QUICK

    def test_the_end_of_a_job_is_told_and_signed(self):
        receiver = self.receive()
        hook = self.hook(receiver.url + "/a?b=c")
        self.assertRegex(hook["id"], r"^webhook_[0-9A-Z]{26}$")
        self.assertRegex(hook["secret"], r"^whsec_[A-Za-z0-9+/]{32}$")
        self.assertEqual(hook["events"], ["job.succeeded", "job.failed", "job.cancelled"])
        job = self.succeed(name="a name")
        message, = receiver.wait_for(1)
        self.assertEqual(message["path"], "/a?b=c")
        self.assertEqual(message["json"]["type"], "job.succeeded")
        self.assertEqual(message["json"]["timestamp"], job["finished"])
        self.assertEqual(message["json"]["data"], job)
        headers = message["headers"]
        self.assertEqual(headers["content-type"], "application/json")
        self.assertLess(abs(int(headers["webhook-timestamp"]) - time.time()), 30)
        self.assertEqual(headers["webhook-signature"],
                         signature(hook["secret"], headers, message["body"]))
        card = self.wait_for_hook(hook, lambda card: card["delivered"] == 1, "the count")
        self.assertEqual((card["waiting"], card["failures"], card["last_status"]), (0, 0, 204))
        self.assertIsNone(card["last_error"])
        self.assertIsNone(card["secret"])
        self.assertNotIn(hook["secret"], self.service.log())
        self.check_with_their_library(hook, message)

    def test_secrets_in_urls_are_not_logged(self):
        for url in (self.receive().url, "http://127.0.0.1:1"):  # where nobody listens
            hook = self.hook(f"{url}/services/t0ken?key=t0ken")
            self.assertEqual(self.service.events("webhook_created")[-1]["to"], url)
            self.service.post(f"/webhooks/{hook['id']}/test")
            card = self.wait_for_hook(hook, lambda card: card["delivered"] or card["failures"],
                                      "a try")
            self.assertNotIn("t0ken", str(card["last_error"]))
            self.service.delete(f"/webhooks/{hook['id']}")
        self.assertNotIn("t0ken", self.service.log())

    def check_with_their_library(self, hook, message):
        """The verifier of Standard Webhooks; where it cannot be installed the check is left out."""
        try:
            python = python_environment.python("webhooks", ["standardwebhooks==1.0.0"])
        except (subprocess.SubprocessError, OSError):
            print("left out: standardwebhooks cannot be installed")
            return
        program = ("import json, sys; from standardwebhooks.webhooks import Webhook; "
                   "given = json.load(sys.stdin); "
                   "Webhook(given['secret']).verify(given['body'], given['headers'])")
        given = {"secret": hook["secret"], "body": message["body"].decode(),
                 "headers": message["headers"]}
        subprocess.run([python, "-c", program], input=json.dumps(given).encode(), check=True)
        given["body"] += " "
        wrong = subprocess.run([python, "-c", program], input=json.dumps(given).encode(),
                               capture_output=True, check=False)
        self.assertNotEqual(wrong.returncode, 0)

    def test_all_that_may_happen(self):
        """Users' wishes, an error, a retry and a rerun are told in order, to the one who asked."""
        receiver = self.receive()
        self.hook(receiver.url, events=EVENTS, tag="told")
        job_id = self.submit(**LONG, tags=["told"])
        self.wait_for_state(job_id, "running")
        self.service.post(f"/jobs/{job_id}/pause")
        self.wait_for_state(job_id, "paused")
        self.service.post(f"/jobs/{job_id}/resume")
        self.wait_for_state(job_id, "running")
        self.finish(job_id)
        told = ["job.submitted", "job.started", "job.paused", "job.resumed", "job.started",
                "job.cancelled"]
        wait_until(lambda: sorted(receiver.types(job_id)) == sorted(told), what="messages")
        self.succeed()  # another tag: nobody hears of it
        failed = self.submit(epochs=30, tags=["told"], learning_rate=100, momentum=0,
                             weight_decay=1)
        self.assertEqual(self.service.wait_for_job(failed)["state"], "failed")
        self.assertEqual(self.service.post(f"/jobs/{failed}/retry").status, 200)
        again = self.service.post(f"/jobs/{failed}/rerun").json()["job"]["id"]
        for one in (failed, again):
            self.service.wait_for_job(one)
        want = ["job.submitted", "job.started", "job.failed"]
        wait_until(lambda: sorted(receiver.types(again)) == sorted(want), what="messages of the rerun")
        want += ["job.retried", "job.started", "job.failed"]
        wait_until(lambda: sorted(receiver.types(failed)) == sorted(want), what="messages")
        jobs = {message["json"]["data"]["id"] for message in receiver.messages}
        self.assertEqual(jobs, {job_id, failed, again})
        error = next(message["json"]["data"]["error"] for message in receiver.messages
                     if message["json"]["type"] == "job.failed")
        self.assertEqual(error["code"], "diverged")

    def test_what_the_queue_decides(self):
        """Jobs that wait in vain, are too late, or lose their worker."""
        receiver = self.receive()
        self.hook(receiver.url, events=EVENTS)
        first = self.submit(**LONG)
        waits = self.submit(depends_on=[first])
        late = self.submit(max_runtime_s=1, **LONG)
        self.wait_for_state(first, "running")
        self.service.kill_child("work")
        wait_until(lambda: "job.interrupted" in receiver.types(first), what="interrupted")
        self.finish(first)
        wait_until(lambda: "job.failed" in receiver.types(waits), what="forsaken")
        wait_until(lambda: "job.failed" in receiver.types(late), what="expired")
        errors = {message["json"]["data"]["id"]: message["json"]["data"]["error"]
                  for message in receiver.messages if message["json"]["type"] == "job.failed"}
        self.assertEqual(errors[waits]["code"], "conflict")
        self.assertEqual(errors[late]["code"], "timeout")

    def test_a_refusing_receiver_is_asked_again(self):
        receiver = self.receive(lambda path, tries: (500 if tries < 3 else 200, 0, {}))
        hook = self.hook(receiver.url)
        message = self.send_test(hook)
        card = self.wait_for_hook(hook, lambda card: card["failures"], "a failure")
        self.assertEqual((card["last_status"], card["last_error"]), (500, "answered 500"))
        self.assertEqual(card["waiting"], 1)
        tries = receiver.wait_for(3)
        self.assertEqual({one["headers"]["webhook-id"] for one in tries}, {message})
        self.assertEqual(len({one["body"] for one in tries}), 1)
        self.assertGreater(tries[2]["time"] - tries[1]["time"], 60 * 0.02)
        for one in tries:
            self.assertEqual(one["headers"]["webhook-signature"],
                             signature(hook["secret"], one["headers"], one["body"]))
        card = self.wait_for_hook(hook, lambda card: card["delivered"], "its arrival")
        self.assertEqual((card["failures"], card["waiting"], card["given_up"]), (0, 0, 0))
        self.assertEqual(json.loads(tries[0]["body"])["data"], {"webhook": hook["id"]})

    def test_a_receiver_that_is_down_and_comes_back(self):
        receiver = Receiver()
        receiver.stop()
        hook = self.hook(receiver.url)
        self.send_test(hook)
        card = self.wait_for_hook(hook, lambda card: card["failures"], "a failure")
        self.assertEqual(card["last_status"], 0)
        self.assertIn("connect", card["last_error"])
        back = self.receive(port=receiver.port)
        back.wait_for(1)

    def test_redirects_are_not_followed(self):
        target = self.receive()
        receiver = self.receive(lambda path, tries: (302, 0, {"Location": target.url}))
        hook = self.hook(receiver.url)
        self.send_test(hook)
        self.wait_for_hook(hook, lambda card: card["last_status"] == 302, "the refusal")
        self.assertEqual(target.messages, [])

    def test_gone_disables(self):
        receiver = self.receive(lambda path, tries: (410, 0, {}))
        hook = self.hook(receiver.url, events=EVENTS)
        self.send_test(hook)
        card = self.wait_for_hook(hook, lambda card: card["disabled"], "disabled")
        self.assertEqual((card["waiting"], card["given_up"]), (0, 1))
        self.assertEqual(self.service.post(f"/webhooks/{hook['id']}/test").status, 409)
        self.succeed()
        self.assertEqual(len(receiver.messages), 1)

    def test_a_slow_receiver_holds_nobody_up(self):
        slow = self.receive(lambda path, tries: (200, SLOW_S, {}))
        quick = self.receive()
        hooks = [self.hook(f"{slow.url}/{i}") for i in range(5)]
        for _ in range(8):
            for hook in hooks:
                self.send_test(hook)
        slow.wait_for(20)
        start = time.monotonic()
        self.send_test(self.hook(quick.url))
        quick.wait_for(1)
        self.assertLess(time.monotonic() - start, SLOW_S)
        card = self.wait_for_hook(hooks[0], lambda card: card["failures"], "a timeout")
        self.assertIn("timed out", card["last_error"])

    def test_many(self):
        """The limit, pages, and each gets its message with a signature of its own."""
        receiver = self.receive()
        hooks = [self.hook(f"{receiver.url}/{i}") for i in range(64)]
        more = self.service.post("/webhooks", {"url": receiver.url})
        self.assertEqual((more.status, more.json()["detail"]),
                         (409, "there are 64 webhooks already"))
        listed, after = [], ""
        while after is not None:
            page = self.service.get(f"/webhooks?limit=30{after and '&after=' + after}").json()
            listed, after = listed + page["items"], page["next"]
        self.assertEqual([card["id"] for card in listed], [hook["id"] for hook in hooks])
        self.succeed()
        for message in receiver.wait_for(64):
            secret = hooks[int(message["path"][1:])]["secret"]
            self.assertEqual(message["headers"]["webhook-signature"],
                             signature(secret, message["headers"], message["body"]))
        self.assertEqual(len({message["path"] for message in receiver.messages}), 64)

    def test_a_removed_one_gets_nothing(self):
        receiver = self.receive(lambda path, tries: (500, 0, {}))
        hook = self.hook(receiver.url, events=EVENTS)
        self.send_test(hook)
        self.wait_for_hook(hook, lambda card: card["failures"], "a failure")
        self.assertEqual(self.service.delete(f"/webhooks/{hook['id']}").status, 204)
        count = len(receiver.messages)
        self.succeed()
        time.sleep(1.5)  # the next try would have been due
        self.assertLessEqual(len(receiver.messages), count + 1)
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/test")):
            answer = self.service.request(method, f"/webhooks/{hook['id']}{path}")
            self.assertEqual(answer.status, 404, answer)

    def test_long_answers_are_cut_off(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            def talk():
                client, _ = server.accept()
                with client, contextlib.suppress(OSError):
                    client.recv(65536)
                    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    while True:
                        client.sendall(b"x" * 65536)
            threading.Thread(target=talk, daemon=True).start()
            hook = self.hook(f"http://127.0.0.1:{server.getsockname()[1]}")
            self.send_test(hook)
            self.wait_for_hook(hook, lambda card: card["delivered"] == 1, "its arrival")

    def test_certificates_are_verified(self):
        path = self.service.folder / "certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-keyout", path, "-out", f"{path}.crt"],
                       check=True, capture_output=True)
        path.write_bytes(path.read_bytes() + pathlib.Path(f"{path}.crt").read_bytes())
        receiver = self.receive(certificate=path)
        hook = self.hook(f"https://localhost:{receiver.port}")
        self.send_test(hook)
        card = self.wait_for_hook(hook, lambda card: card["failures"], "a failure")
        self.assertIn("certificate", card["last_error"])
        self.assertEqual(receiver.messages, [])

    def test_wrong_requests(self):
        cases = [({}, "url"), ({"url": "x"}, "url"), ({"url": "ftp://a/"}, "url"),
                 ({"url": "http://u:p@a/"}, "url"), ({"url": "http://a b/"}, "url"),
                 ({"url": "file:///etc/passwd"}, "url"), ({"url": "http://"}, "url"),
                 ({"url": "http://a/", "events": []}, "events"),
                 ({"url": "http://a/", "events": ["job.exploded"]}, "events"),
                 ({"url": "http://a/", "event": ["job.failed"]}, "event"),
                 ({"url": "http://a/" + 1000 * "x"}, "url")]
        for body, field in cases:
            with self.subTest(body=body):
                answer = self.service.post("/webhooks", body)
                self.assertEqual(answer.status, 422, answer)
                self.assertIn(field, [error["field"] for error in answer.json()["errors"]])
        self.assertEqual(self.service.get("/webhooks").json(), {"items": [], "next": None})


class PrivateTest(Hooks, ServiceCase):
    """Without webhook_private=1 nothing goes to this machine, however it is named."""

    def test_private_addresses(self):
        self.service = self.start("up", device="ref", webhook_retry_ms=20)
        receiver = self.receive()
        six = self.receive(host="::1")
        for host in ("127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.169.254", "0x7f000001",
                     "2130706433", "127.1", "[::1]", "[::ffff:127.0.0.1]", "[fe80::1]", "0.0.0.0",
                     "100.64.0.1", "[64:ff9b::7f00:1]"):
            with self.subTest(host=host):
                answer = self.service.post("/webhooks", {"url": f"http://{host}:{receiver.port}/"})
                self.assertEqual(answer.status, 422, answer)
                error, = answer.json()["errors"]
                self.assertEqual(error["field"], "url")
                self.assertIn("private", error["range"])
        for port in (receiver.port, six.port):
            hook = self.hook(f"http://localhost:{port}/")
            self.send_test(hook)
            card = self.wait_for_hook(hook, lambda card: card["failures"], "a failure")
            self.assertEqual(card["last_error"], "the host's address is of a private network")
        self.assertEqual(receiver.messages + six.messages, [])


class ProxyTest(Hooks, ServiceCase):
    """A proxy of the environment would be asked for addresses that are not looked at here."""

    def test_the_environments_proxy_is_not_taken(self):
        trap, receiver = self.receive(), self.receive()
        names = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"), trap.url)
        with unittest.mock.patch.dict(os.environ, {**names, "no_proxy": "", "NO_PROXY": ""}):
            self.service = self.start("up", device="ref", **QUICK)
        self.send_test(self.hook(receiver.url + "/mine"))
        message, = receiver.wait_for(1)
        self.assertEqual(message["path"], "/mine")
        self.assertEqual(trap.messages, [])


class DurableTest(Hooks, ServiceCase):
    """A message is there as soon as the transition is, and until it has arrived."""

    def setUp(self):
        self.redis = Redis().start()
        self.addCleanup(self.redis.stop)
        self.service = self.start("serve", redis=self.redis.url, device="ref", **QUICK)

    def kill_server(self):
        self.service.process.signal(signal.SIGKILL)
        self.service.process.wait()

    def test_killed_between_transition_and_delivery(self):
        receiver = self.receive()
        hook = self.hook(receiver.url)
        add_dataset(self.service)
        worker = Process([executable("distilld"), "work", f"data={self.service.data}",
                          f"redis={self.redis.url}"], self.service.folder / "log")
        self.addCleanup(worker.end)
        job_id = self.service.post("/jobs", job(epochs=20)).json()["id"]
        self.service.process.signal(signal.SIGSTOP)  # nothing is delivered while the job ends
        state = f"{{distill}}:job:{job_id}"
        wait_until(lambda: self.redis.command("HGET", state, "state") == "succeeded", what="end")
        self.kill_server()
        worker.end()
        self.redis.kill()
        self.redis.start()
        self.assertEqual(receiver.messages, [])
        self.service.start()
        message, = receiver.wait_for(1)
        self.assertEqual(message["json"]["type"], "job.succeeded")
        self.assertEqual(message["json"]["data"], self.service.get(f"/jobs/{job_id}").json())
        self.assertEqual(message["headers"]["webhook-signature"],
                         signature(hook["secret"], message["headers"], message["body"]))

    def test_killed_before_the_answer(self):
        receiver = self.receive(lambda path, tries: (200, 0.5 if tries == 1 else 0, {}))
        hook = self.hook(receiver.url)
        message = self.send_test(hook)
        receiver.wait_for(1)
        self.kill_server()
        self.service.start()
        first, second = receiver.wait_for(2)  # when the lease of the killed one is over
        for one in (first, second):
            self.assertEqual(one["headers"]["webhook-id"], message)
        self.assertEqual(first["body"], second["body"])
        self.wait_for_hook(hook, lambda card: card["delivered"] == 1, "its arrival")

    def test_an_orderly_end_gives_back_what_is_on_its_way(self):
        receiver = self.receive(lambda path, tries: (200, 0.7 if tries == 1 else 0, {}))
        hook = self.hook(receiver.url)
        self.send_test(hook)
        receiver.wait_for(1)
        self.service.stop()
        start = time.monotonic()
        self.service.start()
        receiver.wait_for(2)
        self.assertLess(time.monotonic() - start, 4)  # without waiting for the lease of 6 s


if __name__ == "__main__":
    unittest.main()
