#!/usr/bin/env python3
"""Connections: what waits when the server ends, how many there may be, what is still answered."""

import concurrent.futures
import http.client
import json
import signal
import socket
import time
import unittest

import pictures
from service import Redis, Service

SPEC = {"method": "ce", "student": "resnet8", "dataset": "quadrants", "epochs": 2, "device": "ref"}


class WaitingTest(unittest.TestCase):
    def test_waits_end_with_the_server(self):
        with Redis() as redis, Service("serve", redis=redis.url) as service:
            pictures.add_dataset(service)
            job = service.post("/jobs", SPEC).json()
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                answers = [pool.submit(service.get, f"/jobs/{job['id']}?wait_s=60")
                           for _ in range(4)]
                time.sleep(0.5)
                service.process.signal(signal.SIGTERM)
                self.assertEqual([answer.result().json()["state"] for answer in answers],
                                 ["queued"] * 4)
            self.assertEqual(service.process.wait(20), 0)


class ConnectionsTest(unittest.TestCase):
    def ask(self, service):
        connection = http.client.HTTPConnection(service.host, service.port, timeout=20)
        self.addCleanup(connection.close)
        connection.request("GET", "/healthz")
        return connection

    def test_those_above_the_limit_wait(self):
        with Service("serve", redis="unix:///nowhere/r.sock", connections=4) as service:
            first = [self.ask(service) for _ in range(4)]
            for connection in first:
                self.assertEqual(connection.getresponse().read(), b'{"status":"ok"}')
            late = self.ask(service)
            late.sock.settimeout(0.5)
            with self.assertRaises(TimeoutError):
                late.sock.recv(1)
            first[2].close()
            late.sock.settimeout(20)
            self.assertTrue(late.sock.recv(4096).startswith(b"HTTP/1.1 200 "))

    @staticmethod
    def connect(service, address):
        return socket.create_connection((service.host, service.port), 20, (address, 0))

    def test_an_address_cannot_take_them_all(self):
        most = 4
        with Service("serve", redis="unix:///nowhere/r.sock", connections=100,
                     address_connections=most) as service:
            for _ in range(3):  # those that have ended are given back
                held = [self.connect(service, "127.0.0.2") for _ in range(most)]
                for connection in held:
                    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                    self.assertTrue(connection.recv(4096).startswith(b"HTTP/1.1 200 "))
                with self.connect(service, "127.0.0.2") as late:
                    self.assertEqual(late.recv(1), b"")
                for connection in held:
                    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                    self.assertTrue(connection.recv(4096).startswith(b"HTTP/1.1 200 "))
                self.assertEqual(service.get("/healthz").status, 200)  # from 127.0.0.1
                for connection in held:
                    connection.close()
                time.sleep(0.5)


class DrainTest(unittest.TestCase):
    def connect(self, service):
        connection = http.client.HTTPConnection(service.host, service.port, timeout=20)
        self.addCleanup(connection.close)
        return connection

    def test_requests_under_way_are_answered(self):
        """SIGTERM while a body is still being sent: it is read, answered, and the server ends."""
        with Redis() as redis, Service("serve", redis=redis.url) as service:
            connection = self.connect(service)
            body = json.dumps(SPEC).encode()
            connection.putrequest("POST", "/jobs")
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders()
            connection.send(body[:10])
            idle = self.connect(service)
            idle.request("GET", "/healthz")
            self.assertEqual(idle.getresponse().read(), b'{"status":"ok"}')
            time.sleep(0.3)
            service.process.signal(signal.SIGTERM)
            time.sleep(0.5)
            with self.assertRaises(OSError):
                service.get("/healthz")
            connection.send(body[10:])
            response = connection.getresponse()
            self.assertEqual(response.status, 422)  # no such data set
            self.assertEqual(response.getheader("Connection").lower(), "close")
            self.assertEqual(service.process.wait(20), 0)

    def test_streams_end(self):
        with Redis() as redis, Service("serve", redis=redis.url) as service:
            pictures.add_dataset(service)
            job = service.post("/jobs", SPEC).json()
            connection = self.connect(service)
            connection.request("GET", f"/jobs/{job['id']}/metrics?format=stream")
            response = connection.getresponse()
            service.process.signal(signal.SIGTERM)
            self.assertNotIn(b"event: end", response.read())
            self.assertEqual(service.process.wait(20), 0)


if __name__ == "__main__":
    unittest.main()
