#!/usr/bin/env python3
"""What the server makes of requests that are malformed, ambiguous, slow or too large.

Raw sockets, because HTTP libraries refuse to send most of this.
"""

import ctypes
import json
import re
import ssl
import time
import unittest

from service import Redis, ServiceCase, peak_kib, wait_until

TIMEOUT_MS = 1500
BODY = b'{"method":"ce"}'

LIBRARY = ctypes.CDLL("libmicrohttpd.so.12")
LIBRARY.MHD_get_version.restype = ctypes.c_char_p
# Later ones than Debian 12's refuse by themselves much of what is malformed: 400, and a page of their
# own.
REFUSES_ITSELF = LIBRARY.MHD_get_version() > b"0.9.75"


class Reply:
    """One answer as it came over the wire."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def problem(self):
        return json.loads(self.body)


def parse_replies(data):
    """All answers in the bytes of a connection."""
    replies = []
    while data:
        match = re.match(rb"HTTP/1\.1 (\d+) [^\r\n]*\r\n(.*?)\r\n\r\n", data, re.S)
        assert match, f"not an answer: {data[:200]!r}"
        status = int(match[1])
        lines = [line.split(b":", 1) for line in match[2].split(b"\r\n") if b":" in line]
        headers = {name.lower().decode(): value.strip().decode() for name, value in lines}
        length = int(headers.get("content-length", 0))
        replies.append(Reply(status, headers, data[match.end():match.end() + length]))
        data = data[match.end() + length:]
    return replies


class FramingTest(ServiceCase):
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.redis = Redis().start()
        cls.addClassCleanup(cls.redis.stop)
        cls.service = cls.start("serve", redis=cls.redis.url, request_timeout_ms=TIMEOUT_MS,
                                max_body_bytes=1 << 20, connections=64, **cls.settings)

    def connect(self):
        connection = self.service.connect()
        self.addCleanup(connection.close)
        return connection

    def read_all(self, *parts):
        """Sends the parts and reads until the server closes."""
        connection = self.connect()
        for part in parts:
            connection.sendall(part)
        data = b""
        while True:
            try:
                received = connection.recv(65536)
            except (ConnectionResetError, ssl.SSLError):
                break
            if not received:
                break
            data += received
        return data

    def exchange(self, *parts):
        """The answers to the parts on one connection."""
        return parse_replies(self.read_all(*parts))

    def assert_refused(self, *parts, status=400):
        """One answer of that status, as problem details, and the connection closed."""
        start = time.monotonic()
        replies = self.exchange(*parts)
        self.assertEqual(len(replies), 1)
        self.assertEqual(replies[0].headers["connection"], "close")
        self.assertLess(time.monotonic() - start, 5)
        if REFUSES_ITSELF and "content-type" not in replies[0].headers:
            self.assertEqual(replies[0].status, 400)
            return replies[0]
        self.assertEqual(replies[0].status, status)
        self.assertEqual(replies[0].headers["content-type"], "application/problem+json")
        self.assertEqual(replies[0].problem()["status"], status)
        return replies[0]

    def assert_alive(self):
        self.assertEqual(self.service.get("/healthz").status, 200)

    # Two servers could see different ends of the request.

    def test_two_content_lengths(self):
        for second in (b"6", b"5"):
            self.assert_refused(b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                                b"Content-Length: " + second + b"\r\n\r\nabcdeG")

    def test_content_length_beside_chunked(self):
        for lines in (b"Transfer-Encoding: chunked\r\nContent-Length: 4",
                      b"Content-Length: 4\r\nTransfer-Encoding: chunked"):
            self.assert_refused(b"POST /healthz HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n\r\n"
                                b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n")

    def test_other_transfer_codings(self):
        for coding in (b"gzip", b"gzip, chunked", b"chunked, chunked", b"chunked;x", b"xchunked"):
            self.assert_refused(b"POST /jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + coding +
                                b"\r\n\r\n0\r\n\r\n", status=501)
        self.assert_refused(b"POST /jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        self.assert_refused(b"POST /jobs HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    def test_header_names_with_spaces(self):
        for name in (b"Content-Length ", b"Content-Length\t", b"Con tent-Length", b"X(y)"):
            self.assert_refused(b"POST /jobs HTTP/1.1\r\nHost: x\r\n" + name + b": 5\r\n\r\nabcde")

    def test_content_length_that_is_no_number(self):
        # libmicrohttpd answers these itself before it shows them (0.9.75 with two heads), and
        # closes.
        for value in (b"+5", b"5, 5", b"abc", b"-1"):
            data = self.read_all(b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: " + value +
                                 b"\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(data.startswith(b"HTTP/1.1 400 "), value)
            self.assertNotIn(b"HTTP/1.1 200", data)

    def test_folded_lines(self):
        for fold in (b"X-A: 1\r\n 2", b"X-A: 1\r\n\t2", b"Content-: 5\r\n Length",
                     b"Transfer-Encoding:\r\n chunked", b"X-A: 1\r\n \r\nX-B: 2",
                     b"X-A: 1\r\n 2\r\nX-B: 3"):
            self.assert_refused(b"POST /healthz HTTP/1.1\r\nHost: x\r\n" + fold +
                                b"\r\n\r\nabcde")

    def test_lone_line_feeds_and_carriage_returns(self):
        for line in (b"X-A: 1\nContent-Length: 5", b"X-A: 1\rContent-Length: 5"):
            self.assert_refused(b"POST /healthz HTTP/1.1\r\nHost: x\r\n" + line +
                                b"\r\n\r\nabcde")

    def test_hosts(self):
        self.assert_refused(b"GET /healthz HTTP/1.1\r\n\r\n")
        self.assert_refused(b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        self.assert_refused(b"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n")
        replies = self.exchange(b"GET /healthz HTTP/1.0\r\n\r\n")
        self.assertEqual([reply.status for reply in replies], [200])

    def test_unknown_expectation(self):
        self.assert_refused(b"POST /jobs HTTP/1.1\r\nHost: x\r\nExpect: money\r\n"
                            b"Content-Length: 5\r\n\r\nabcde")

    # The request target.

    def test_targets(self):
        close = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        for target in (b"/jobs/%2e%2e%2fetc%00x", b"/jobs/a%2fb", b"/jobs/%00", b"/jobs/../x",
                       b"/jobs/%zz", b"/jobs?limit=%00", b"/jobs?limit=1&limit=2", b"jobs", b"*",
                       b"/jobs/%ff", b"/jobs/%0d%0aX:y"):
            replies = self.exchange(b"GET " + target + close)
            self.assertEqual([reply.status for reply in replies], [400], target)
            self.assertEqual(replies[0].problem()["status"], 400)

    def test_absolute_target(self):
        replies = self.exchange(b"GET http://x/healthz HTTP/1.1\r\nHost: x\r\n"
                                b"Connection: close\r\n\r\n")
        self.assertEqual([reply.status for reply in replies], [200])

    # Size.

    def test_headers_too_large(self):
        large = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40000 + b"\r\n\r\n"
        self.assertEqual([reply.status for reply in self.exchange(large)], [431])
        many = b"".join(b"X-%d: y\r\n" % i for i in range(100))
        self.assert_refused(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + many + b"\r\n", status=431)

    def test_many_headers_that_fit(self):
        lines = b"".join(b"X-%d: %s\r\n" % (i, b"v" * 400) for i in range(40))
        connection = self.connect()
        head = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + lines + b"\r\n"
        for i in range(0, len(head), 1000):  # arrives in pieces, so that buffers must grow
            connection.sendall(head[i:i + 1000])
            time.sleep(0.005)
        data = b"".join(iter(lambda: connection.recv(65536), b""))
        self.assertEqual([reply.status for reply in parse_replies(data)], [200])

    def test_too_large_before_the_body(self):
        reply = self.assert_refused(b"POST /jobs HTTP/1.1\r\nHost: x\r\n"
                                    b"Content-Type: application/json\r\n"
                                    b"Content-Length: 2000000\r\n\r\n", status=413)
        self.assertIn("2000000", reply.problem()["detail"])

    def test_too_large_for_who_expects_continue(self):
        self.assert_refused(b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                            b"Expect: 100-continue\r\nContent-Length: 2000000\r\n\r\n", status=413)

    def test_too_large_while_sending(self):
        self.assert_refused(b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                            b"Content-Length: 1500000\r\n\r\n" + b"x" * 300000, status=413)

    def test_too_large_in_chunks(self):
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        self.assert_refused(b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                            b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 20, status=413)

    def test_many_tiny_chunks(self):
        head = (b"POST /predict?model=none HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
                b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        before = peak_kib(self.service.process.pid)
        replies = self.exchange(head + b"1\r\nx\r\n" * 500000 + b"0\r\n\r\n")
        self.assertEqual([reply.status for reply in replies], [404])
        self.assertLess(peak_kib(self.service.process.pid) - before, 32 << 10)

    def test_wrong_body_where_none_is_used(self):
        replies = self.exchange(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                                b"Connection: close\r\n\r\nabcde")
        self.assertEqual([reply.status for reply in replies], [200])

    # Time.

    def test_slow_head(self):
        connection = self.connect()
        start = time.monotonic()
        with self.assertRaises((BrokenPipeError, ConnectionResetError, ssl.SSLError)):
            while time.monotonic() - start < 10:
                connection.sendall(b"G" if time.monotonic() - start < 0.01 else b"E")
                time.sleep(0.1)
            raise AssertionError("a dribbled head was waited for")
        self.assertLess(time.monotonic() - start, 3 * TIMEOUT_MS / 1000 + 1)

    def test_slow_headers_get_408(self):
        self.check_dribble(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ", b"a")

    def test_dribbled_bodies_get_408(self):
        """Byte by byte, each in time, the whole not."""
        head = b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        self.check_dribble(head + b"Content-Length: 500\r\n\r\n", b" ")
        self.check_dribble(head + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n")

    def check_dribble(self, head, more):
        connection = self.connect()
        connection.sendall(head)
        start, data = time.monotonic(), b""
        connection.settimeout(0.1)
        while time.monotonic() - start < 10:
            try:
                connection.sendall(more)
                received = connection.recv(65536)
                if not received:
                    break
                data += received
            except TimeoutError:
                continue
            except OSError:
                break
        self.assertLess(time.monotonic() - start, 2 * TIMEOUT_MS / 1000 + 1)
        self.assertEqual([reply.status for reply in parse_replies(data)], [408])

    def test_slow_body_gets_408(self):
        start = time.monotonic()
        replies = self.exchange(b"POST /jobs HTTP/1.1\r\nHost: x\r\n"
                                b"Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{")
        self.assertEqual([reply.status for reply in replies], [408])
        self.assertLess(time.monotonic() - start, 2 * TIMEOUT_MS / 1000 + 1)

    def test_idle_connection_is_closed(self):
        connection = self.connect()
        self.assertEqual(connection.recv(16), b"")

    # What is fine.

    def test_pipelining_and_keep_alive(self):
        get = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        replies = self.exchange(get * 3 + last)
        self.assertEqual([reply.status for reply in replies], [200] * 4)

    def test_expect_continue(self):
        connection = self.connect()
        connection.sendall(b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                           b"Expect: 100-continue\r\nConnection: close\r\n"
                           b"Content-Length: %d\r\n\r\n" % len(BODY))
        self.assertEqual(connection.recv(65536), b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(BODY)
        data = b"".join(iter(lambda: connection.recv(65536), b""))
        self.assertEqual([reply.status for reply in parse_replies(data)], [422])

    def test_chunked_body(self):
        extension = b"" if REFUSES_ITSELF else b";ext=1"  # libmicrohttpd 1.0.1 knows none
        replies = self.exchange(b"POST /jobs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                b"Content-Type: application/json\r\n"
                                b"Transfer-Encoding: chunked\r\n\r\n"
                                b"8" + extension + b"\r\n{\"method\r\n7\r\n\":\"ce\"}\r\n"
                                b"0\r\nTrailer: x\r\n\r\n")
        self.assertEqual([reply.status for reply in replies], [422])
        self.assertEqual(replies[0].problem()["errors"][0]["field"], "student")

    def test_head(self):
        connection = self.connect()
        connection.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data = b"".join(iter(lambda: connection.recv(65536), b""))
        self.assertIn(b"Content-Length: 15\r\n", data)
        self.assertTrue(data.endswith(b"\r\n\r\n"))

    def test_methods(self):
        answer = self.service.request("PUT", "/jobs")
        self.assertEqual(answer.status, 405)
        self.assertEqual(answer.headers["allow"], "POST, GET, HEAD")
        self.assertEqual(self.service.request("DELETE", "/healthz").headers["allow"], "GET, HEAD")

    def test_content_types(self):
        for kind in (None, "text/plain", "image/png"):
            headers = {"Content-Type": kind} if kind else {}
            answer = self.service.request("POST", "/jobs", BODY, headers)
            self.assertEqual(answer.status, 415, kind)
        answer = self.service.request("POST", "/jobs", BODY,
                                      {"Content-Type": "Application/JSON; charset=utf-8"})
        self.assertEqual(answer.status, 422)

    def test_content_codings(self):
        for coding, status in (("gzip", 415), ("br, gzip", 415), ("identity", 422)):
            answer = self.service.request("POST", "/jobs", BODY,
                                          {"Content-Type": "application/json",
                                           "Content-Encoding": coding})
            self.assertEqual(answer.status, status, coding)

    def test_connections_are_given_back(self):
        """More than the limit of connections, one after the other and left half done."""
        for _ in range(3):
            idle = [self.connect() for _ in range(30)]
            for connection in idle:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHo")
            for connection in idle:
                connection.close()
        wait_until(lambda: self.service.get("/healthz").status == 200)

    def tearDown(self):
        self.assert_alive()


if __name__ == "__main__":
    unittest.main()
