#!/usr/bin/env python3
"""What is read live ends soon after the key that it was asked for with is gone."""

import socket
import threading
import time
import unittest

from job_case import LONG
from material import add_dataset, job
from service import PATIENCE, Redis, Service, ServiceCase, make_key, wait_until

ENDS_WITHIN_S = 3 * PATIENCE


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


class Stream:
    """A reader of a live stream over a connection of its own."""

    def __init__(self, service, path, secret=None):
        key = f"Authorization: Bearer {secret}\r\n" if secret else ""
        self.connection = service.connect()
        self.connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{key}"
                                "\r\n".encode())
        self.head = self.connection.recv(65536)
        self.ended_at = None
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        self.connection.settimeout(None)
        try:
            while self.connection.recv(65536):
                pass
        except OSError:
            pass
        self.ended_at = time.monotonic()

    def close(self):
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.reader.join()
        self.connection.close()


class KeyStreamsTest(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service("up", device="ref")
        cls.service.key = make_key(cls.service.data, "root", "admin")
        cls.services = [cls.service]
        cls.addClassCleanup(cls.service.__exit__)
        cls.service.start()
        add_dataset(cls.service)
        cls.job = cls.service.post("/jobs", job(**LONG)).json()["id"]
        cls.paths = [f"/jobs/{cls.job}/metrics?format=stream", f"/jobs/{cls.job}/logs?follow=1",
                     f"/jobs/{cls.job}/events?format=stream"]

    def make(self, name, *roles):
        made = self.service.post("/keys", {"name": name, "roles": list(roles)})
        self.assertEqual(made.status, 201, made)
        self.addCleanup(self.service.delete, f"/keys/{name}")
        return made.json()["secret"]

    def open(self, path, secret=None):
        stream = Stream(self.service, path, secret)
        self.addCleanup(stream.close)
        self.assertTrue(stream.head.startswith(b"HTTP/1.1 200 "), stream.head)
        return stream

    def assert_ends(self, streams):
        for stream in streams:
            wait_until(lambda: stream.ended_at, ENDS_WITHIN_S / PATIENCE, what="the end")

    def test_a_key_that_is_removed(self):
        going, staying = self.make("going", "read"), self.make("staying", "read")
        ending = [self.open(path, going) for path in self.paths]
        lasting = [self.open(path, staying) for path in self.paths]
        time.sleep(2)
        self.assertEqual([stream.ended_at for stream in ending + lasting], [None] * 6)
        self.service.delete("/keys/going")
        again = self.make("going", "read")  # the name alone opens nothing
        self.assert_ends(ending)
        self.open(self.paths[0], again)
        self.assertEqual([stream.ended_at for stream in lasting], [None] * 3)

    def test_a_key_that_may_not_read_any_more(self):
        secret = self.make("changing", "read")
        streams = [self.open(path, secret) for path in self.paths]
        self.service.request("PATCH", "/keys/changing", {"roles": ["predict"]})
        self.assert_ends(streams)

    def test_a_wait_for_a_change(self):
        """The answer is that the key is not known, and not the job."""
        secret = self.make("waiting", "read")
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(
            self.service.get(f"/jobs/{self.job}?wait_s=60", headers=bearer(secret))))
        waiting.start()
        time.sleep(1)
        self.assertEqual(answers, [])
        self.service.delete("/keys/waiting")
        waiting.join(ENDS_WITHIN_S)
        self.assertEqual([answer.status for answer in answers], [401])
        self.assertNotIn(self.job.encode(), answers[0].body)


class FirstKeyTest(unittest.TestCase):
    def test_who_was_asked_for_none(self):
        """The first key closes the service, also to those who read already; Redis may be away."""
        with Redis() as redis, Service("serve", redis=redis.url) as service:
            add_dataset(service)
            created = service.post("/jobs", job())
            self.assertEqual(created.status, 201, created)
            stream = Stream(service, f"/jobs/{created.json()['id']}/events?format=stream")
            self.addCleanup(stream.close)
            redis.kill()
            time.sleep(1)
            self.assertIsNone(stream.ended_at)
            make_key(service.data, "root", "admin")
            wait_until(lambda: stream.ended_at, ENDS_WITHIN_S / PATIENCE, what="the end")


if __name__ == "__main__":
    unittest.main()
