#!/usr/bin/env python3
"""What browsers are told about pages of other origins."""

import re
import subprocess
import unittest

from service import ROOT, Redis, Service, ServiceCase, executable

PAGE, OTHER = "https://pages.example", "http://localhost:5173"


# What the code asks for and a browser sets by itself, or the service refuses.
NOT_OF_PAGES = {"Origin", "Access-Control-Request-Method", "Content-Length", "Content-Encoding"}
# What the code answers and any page may read, or none needs to.
NOT_EXPOSED = {"Cache-Control", "Vary", "Content-Security-Policy", "X-Accel-Buffering"}


def names_in_code(function):
    """The headers that this function is called with, as texts or by a macro."""
    names = set()
    for path in (ROOT / "service/http").glob("*.c"):
        text = path.read_text()
        for quoted, macro in re.findall(function + r'\([^,()]+,\s*(?:"([^"]+)"|([A-Z_]+))', text):
            names.add(quoted or re.search(rf'#define {macro} "([^"]+)"', text)[1])
    return names


def cors(answer):
    """The headers that tell a browser something."""
    return {name: value for name, value in answer.headers.items()
            if name.startswith("access-control-") or name == "vary"}


class CorsTest(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.redis = Redis().start()
        cls.addClassCleanup(cls.redis.stop)
        cls.service = cls.start("serve", redis=cls.redis.url, device="ref",
                                cors_origins=f"{PAGE},{OTHER}")

    def preflight(self, path, origin, method="POST", **headers):
        return self.service.request("OPTIONS", path, headers={
            "Origin": origin, "Access-Control-Request-Method": method, **headers})

    def get(self, path, origin, **headers):
        return self.service.get(path, headers={"Origin": origin, **headers})

    def check_readable(self, answer, origin):
        found = cors(answer)
        exposed = found.pop("access-control-expose-headers").split(", ")
        self.assertEqual(found, {"access-control-allow-origin": origin, "vary": "Origin"})
        for name in ("Retry-After", "Location", "ETag", "Content-Range"):
            self.assertIn(name, exposed)

    def test_answers_to_a_page(self):
        for origin in (PAGE, OTHER):
            self.check_readable(self.get("/jobs", origin), origin)

    def test_the_code_needs_no_others(self):
        exposed = cors(self.get("/jobs", PAGE))["access-control-expose-headers"].split(", ")
        allowed = cors(self.preflight("/jobs", PAGE))["access-control-allow-headers"].split(", ")
        looked_at = names_in_code("(?:request|find)_header")
        self.assertEqual(set(allowed), looked_at - NOT_OF_PAGES)
        sent = {name for name in names_in_code("reply_header")
                if not name.startswith("Access-Control-")}
        self.assertEqual(set(exposed), (sent - NOT_EXPOSED) | {"Content-Length"})

    def test_errors_can_be_read_too(self):
        for answer, status in ((self.get("/jobs/x", PAGE), 404), (self.get("/none", PAGE), 404),
                               (self.get("/jobs?x=1", PAGE), 422),
                               (self.service.post("/jobs", b"{", headers={"Origin": PAGE}), 415),
                               (self.service.post("/jobs", b"x" * 2000000, headers={
                                   "Origin": PAGE, "Content-Type": "application/json"}), 413)):
            self.assertEqual(answer.status, status, answer)
            self.check_readable(answer, PAGE)

    def test_preflight(self):
        answer = self.preflight("/jobs", PAGE, **{"Access-Control-Request-Headers": "content-type"})
        self.assertEqual((answer.status, answer.body), (204, b""))
        found = cors(answer)
        self.assertEqual(found["access-control-allow-origin"], PAGE)
        self.assertEqual(found["access-control-allow-methods"], "POST, GET, HEAD")
        allowed = found["access-control-allow-headers"].split(", ")
        for name in ("Content-Type", "Idempotency-Key", "Range", "If-None-Match", "Last-Event-ID"):
            self.assertIn(name, allowed)
        self.assertEqual(found["access-control-max-age"], "600")
        self.assertEqual(self.preflight("/jobs/x", PAGE, "PATCH").headers[
            "access-control-allow-methods"], "GET, HEAD, PATCH, DELETE")

    def test_what_is_no_preflight(self):
        for answer in (self.preflight("/jobs", "https://else.example"),
                       self.service.request("OPTIONS", "/jobs"),
                       self.service.request("OPTIONS", "/jobs", headers={"Origin": PAGE})):
            self.assertEqual(answer.status, 405, answer)
        self.assertEqual(self.preflight("/none", PAGE).status, 404)
        answer = self.service.request("OPTIONS", "/jobs", b"{}", headers={
            "Origin": PAGE, "Access-Control-Request-Method": "POST"})
        self.assertEqual(answer.status, 405, answer)

    def test_other_origins_and_none(self):
        for origin in ("https://else.example", "null", PAGE + ".example", PAGE.upper(), "*"):
            answer = self.get("/jobs", origin)
            self.assertEqual((answer.status, cors(answer)), (200, {"vary": "Origin"}))
        self.assertEqual(cors(self.service.get("/jobs")), {"vary": "Origin"})

    def test_all_origins(self):
        with Service("serve", redis=self.redis.url, data=self.service.data, device="ref",
                     cors_origins="*") as service:
            answer = service.get("/jobs", headers={"Origin": "https://anyone.example"})
            self.assertEqual(answer.headers["access-control-allow-origin"], "*")
            self.assertNotIn("vary", answer.headers)

    def test_nothing_of_it_by_default(self):
        with Service("serve", redis=self.redis.url, data=self.service.data,
                     device="ref") as service:
            headers = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
            for answer, status in ((service.get("/jobs", headers=headers), 200),
                                   (service.request("OPTIONS", "/jobs", headers=headers), 405)):
                self.assertEqual((answer.status, cors(answer)), (status, {}))

    def test_settings_that_are_wrong(self):
        for wrong in ("pages.example", "https://a.example/", "*,https://a.example", "https://A"):
            done = subprocess.run([executable("distilld"), "serve", f"cors_origins={wrong}"],
                                  capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("cors_origins", done.stderr)


if __name__ == "__main__":
    unittest.main()
