#!/usr/bin/env python3
"""Clients that send or read so slowly that they would hold a connection for ever, where the time for
a whole request is long: a minimum rate holds after some grace, and nobody else waits."""

import contextlib
import re
import socket
import threading
import time
import unittest

from service import PATIENCE, ROOT, Redis, ServiceCase

TEXT = (ROOT / "api/limits.h").read_text()


def limit(name):
    """A product of numbers of api/limits.h."""
    value = 1
    for factor in re.search(rf"LIMIT_{name} = ([\d *]+)", TEXT)[1].split("*"):
        value *= int(factor)
    return value


GRACE_S = limit("GRACE_MS") / 1000
SLACK_S = 4 * PATIENCE


class SlowClientsTest(ServiceCase):
    """All at the same time, as each takes its time."""

    @classmethod
    def setUpClass(cls):
        cls.redis = Redis().start()
        cls.addClassCleanup(cls.redis.stop)
        cls.service = cls.start("serve", redis=cls.redis.url, request_timeout_ms=300000, threads=1)

    def dribble(self, head, bytes_per_s):
        """Sends a body at a rate. Returns the answer, and when it came."""
        with self.service.connect() as connection:
            begin, answer = time.monotonic(), b""
            connection.sendall(head)
            connection.settimeout(0.1)
            while time.monotonic() - begin < 5 * GRACE_S:
                try:
                    connection.sendall(b"x" * (bytes_per_s // 10))
                    received = connection.recv(65536)
                    if not received:
                        break
                    answer += received
                except TimeoutError:
                    continue
                except OSError:
                    break
            return answer, time.monotonic() - begin

    def check_sender(self, head, bytes_per_s):
        answer, seconds = self.dribble(head, bytes_per_s)
        self.assertTrue(answer.startswith(b"HTTP/1.1 408 "), answer[:200])
        self.assertGreater(seconds, GRACE_S - 1)
        self.assertLess(seconds, GRACE_S * 1.5 + SLACK_S)

    def check_body(self):
        """A tenth of 4 KiB/s."""
        self.check_sender(b"POST /predict?model=none HTTP/1.1\r\nHost: x\r\nContent-Type: image/png"
                          b"\r\nContent-Length: 1000000\r\n\r\n", limit("RATE_BYTES_PER_S") // 10)

    def check_upload(self):
        """A tenth of 64 KiB/s, which is more than enough for other bodies."""
        self.check_sender(b"POST /models?architecture=resnet8&dataset=cifar10 HTTP/1.1\r\nHost: x\r\n"
                          b"Content-Type: application/octet-stream\r\n"
                          b"Content-Length: 10000000\r\n\r\n",
                          limit("UPLOAD_RATE_BYTES_PER_S") // 10)

    def pipeline(self, count, read, wait_s=0):
        """Asks for many answers at once, reads them with read() for a time, then all that is left.
        Returns how many there were."""
        ask = b"GET /schema HTTP/1.1\r\nHost: x\r\n"
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(30 * PATIENCE)
            connection.connect((self.service.host, self.service.port))
            asked = (ask + b"\r\n") * (count - 1) + ask + b"Connection: close\r\n\r\n"
            sender = threading.Thread(target=self.send, args=(connection, asked), daemon=True)
            sender.start()
            data, end = [], time.monotonic() + wait_s
            while time.monotonic() < end:
                data.append(read(connection))
            with contextlib.suppress(ConnectionResetError):
                while received := connection.recv(1 << 20):
                    data.append(received)
            return b"".join(data).count(b"HTTP/1.1 200")

    @staticmethod
    def send(connection, data):
        with contextlib.suppress(OSError):
            connection.sendall(data)

    def check_reader(self):
        """One that takes a byte now and then gets no more than fits into buffers."""
        def sip(connection):
            time.sleep(0.1)
            return connection.recv(1)
        answer_bytes = len(self.service.get("/schema").body)
        count = (32 << 20) // answer_bytes  # more than sockets hold
        wait_s = GRACE_S + answer_bytes / limit("RATE_BYTES_PER_S") + SLACK_S
        self.assertLess(self.pipeline(count, sip, wait_s), count)

    def test_they_are_cut(self):
        failures = []

        def run(check):
            try:
                check()
            except BaseException as error:  # seen below
                failures.append((check.__name__, error))
        threads = [threading.Thread(target=run, args=(check,)) for check in
                   (self.check_body, self.check_upload, self.check_reader)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            begin = time.monotonic()
            self.assertEqual(self.service.get("/healthz").status, 200)
            self.assertLess(time.monotonic() - begin, PATIENCE)
            time.sleep(0.2)
        self.assertEqual(failures, [])

    def test_who_reads_gets_all(self):
        self.assertEqual(self.pipeline(200, None), 200)


if __name__ == "__main__":
    unittest.main()
