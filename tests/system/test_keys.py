#!/usr/bin/env python3
"""API keys: who is asked for one, what their roles allow, and that a secret is nowhere but with its
holder."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from material import add_dataset, job
from service import (PATIENCE, ROOT, Redis, Service, ServiceCase, command_lines, executable,
                     make_key, wait_until)

sys.path.append(str(ROOT / "tests/support"))
import contract  # noqa: E402

ROLES = ("read", "predict", "submit", "admin")
SECRET = re.compile("distilld_[0-9a-f]{64}")
SEEN_WITHIN_S = PATIENCE
API = contract.load()


def operations():
    """Method, a path with something for its parameters, and the role that it asks for or None."""
    for path, item in API["paths"].items():
        for method in item.keys() & {"get", "post", "put", "patch", "delete"}:
            security = item[method]["security"]
            yield method.upper(), re.sub("{.*?}", "nothing", path), (
                security[0]["bearer"][0] if security else None)


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


class KeysCase(ServiceCase):
    """A service that asks for keys, with one for each role."""

    @classmethod
    def setUpClass(cls):
        os.environ["DISTILLD_LOG"] = "debug"
        cls.addClassCleanup(os.environ.pop, "DISTILLD_LOG")
        cls.service = Service("up", device="ref")
        cls.secret = {role: make_key(cls.service.data, f"{role}er", role) for role in ROLES}
        cls.services = [cls.service]
        cls.addClassCleanup(cls.service.__exit__)
        cls.service.start()
        cls.service.key = cls.secret["admin"]

    def make(self, name, *roles):
        made = self.service.post("/keys", {"name": name, "roles": list(roles)})
        self.assertEqual(made.status, 201, made)
        return made.json()["secret"]

    def remove(self, name):
        self.assertEqual(self.service.delete(f"/keys/{name}").status, 204)


class KeysTest(KeysCase):
    def ask(self, method, path, headers=None):
        return self.service.request(method, path, b"", headers or {"X-API-Key": ""}).status

    def test_each_route_asks_for_its_role(self):
        for method, path, role in operations():
            with self.subTest(method=method, path=path):
                for headers in ({"X-API-Key": ""}, bearer("distilld_" + "0" * 64)):
                    code = self.ask(method, path, headers)
                    self.assertEqual(code == 401, role is not None, code)
                for mine, secret in self.secret.items():
                    code = self.ask(method, path, bearer(secret))
                    allowed = role in (None, mine) or mine == "admin"
                    self.assertEqual(code in (401, 403), not allowed, (mine, code))
                    self.assertEqual(code == 403, not allowed, (mine, code))

    def test_what_a_refusal_says(self):
        refused = self.service.get("/jobs", headers={"X-API-Key": ""})
        self.assertEqual(refused.headers["www-authenticate"], 'Bearer error="invalid_token"')
        self.assertEqual(refused.headers["content-type"], "application/problem+json")
        self.assertEqual(refused.json()["type"], "urn:distilld:problem:unauthorized")
        self.service.key = None
        try:
            refused = self.service.get("/jobs")
            self.assertEqual(self.service.request("HEAD", "/jobs").status, 401)
        finally:
            self.service.key = self.secret["admin"]
        self.assertEqual([refused.status, refused.headers["www-authenticate"]], [401, "Bearer"])
        refused = self.service.post("/jobs", {}, headers=bearer(self.secret["read"]))
        self.assertEqual(refused.json()["type"], "urn:distilld:problem:forbidden")
        self.assertEqual(refused.json()["detail"], "key reader does not have the role submit")
        self.assertIn('scope="submit"', refused.headers["www-authenticate"])
        refused = self.service.get("/v2", headers={"X-API-Key": ""})
        self.assertEqual([refused.status, list(refused.json())], [401, ["error"]])

    def test_how_a_key_is_sent(self):
        secret = self.secret["read"]
        for headers in (bearer(secret), {"Authorization": f"bearer {secret}"}, {"x-api-key": secret},
                        {"AUTHORIZATION": f"Bearer   {secret}"}):
            self.assertEqual(self.ask("GET", "/jobs", headers), 200, headers)
            self.assertEqual(self.ask("GET", "/keys", headers), 403, headers)
        for value in ("", "Bearer", "Bearer ", secret, f"Basic {secret}", f"Bearer{secret}",
                      f"Bearer {secret}x", f"Bearer {secret[:-1]}", f"Bearer {secret.upper()}"):
            self.assertEqual(self.ask("GET", "/jobs", {"Authorization": value}), 401, value)
        both = {"Authorization": "Bearer x", "X-API-Key": secret}
        self.assertEqual(self.ask("GET", "/jobs", both), 401)
        self.assertEqual(self.ask("GET", f"/jobs?api_key={'x' * 9}"), 401)

    def test_nobody_sends_a_body_for_nothing(self):
        """The answer comes before the body, which need not come at all."""
        for more in (b"", b"Expect: 100-continue\r\n"):
            with self.service.connect() as client:
                client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
                               b"Content-Length: 60000000\r\n" + more + b"\r\n")
                answer = b""
                while piece := client.recv(4096):
                    answer += piece
            self.assertTrue(answer.startswith(b"HTTP/1.1 401 "), answer)

    def test_the_life_of_a_key(self):
        made = self.service.post("/keys", {"name": "robot", "roles": ["read", "predict"]})
        card, secret = made.json()["key"], made.json()["secret"]
        self.assertRegex(secret, SECRET)
        self.assertEqual(made.headers["cache-control"], "no-store")
        self.assertEqual([card["name"], card["roles"]], ["robot", ["read", "predict"]])
        self.assertEqual(self.ask("GET", "/models", bearer(secret)), 200)
        self.assertEqual(self.ask("GET", "/keys", bearer(secret)), 403)
        listed = self.service.get("/keys")
        self.assertIn(card, listed.json()["items"])
        self.assertNotRegex(listed.body.decode(), SECRET)
        self.assertNotIn(b"sha256", listed.body)
        again = self.service.post("/keys", {"name": "robot", "roles": ["read"]})
        self.assertEqual(again.status, 409, again)
        pid = self.service.kill_child("serve")
        wait_until(lambda: self.service.child("serve") != pid, what="the server")
        wait_until(self.answers, what="the server")
        self.assertEqual(self.ask("GET", "/models", bearer(secret)), 200)
        self.remove("robot")
        self.assertEqual(self.ask("GET", "/models", bearer(secret)), 401)
        self.assertEqual(self.service.delete("/keys/robot").status, 404)
        self.assertNotEqual(self.make("robot", "read"), secret)
        self.assertEqual(self.ask("GET", "/models", bearer(secret)), 401)
        self.remove("robot")

    def answers(self):
        try:
            return self.service.get("/healthz").status == 200
        except OSError:
            return False

    def edit(self, name, body, status=200):
        answer = self.service.request("PATCH", f"/keys/{name}", body)
        self.assertEqual(answer.status, status, answer)
        return answer.json()

    def test_a_key_is_changed(self):
        secret = bearer(self.make("changing", "read"))
        before = self.edit("changing", {})
        self.assertEqual(before["roles"], ["read"])
        self.assertEqual(self.edit("changing", {"active_jobs": 4}), {**before, "active_jobs": 4})
        for roles, codes in ((["predict", "admin"], [200, 200]), (["submit"], [403, 403]),
                             (["read"], [200, 403]), ([], [403, 403])):
            self.assertEqual(self.edit("changing", {"roles": roles}),
                             {**before, "active_jobs": 4, "roles": roles})
            self.assertEqual([self.ask("GET", path, secret) for path in ("/models", "/keys")], codes)
        self.edit("changing", {"roles": ["read"], "requests_per_s": 0.001, "requests_burst": 1})
        self.assertEqual([self.ask("GET", "/models", secret) for _ in range(3)], [200, 429, 429])
        for body, field in (({"roles": ["root"]}, "roles"), ({"active_jobs": -1}, "active_jobs"),
                            ({"name": "x"}, "name"), ({"sha256": "0" * 64}, "sha256")):
            refused = self.edit("changing", body, 422)
            self.assertEqual([e["field"] for e in refused["errors"]], [field])
        self.remove("changing")
        self.edit("changing", {"active_jobs": 1}, 404)
        self.edit("adminer", {"roles": ["read"]}, 409)
        self.edit("adminer", {"roles": []}, 409)
        self.assertEqual(self.edit("adminer", {"roles": ["admin", "read"]})["name"], "adminer")
        self.edit("adminer", {"roles": ["admin"]})

    def test_what_is_refused(self):
        for body, fields in (({}, ["name", "roles"]), ({"name": "x", "roles": []}, ["roles"]),
                             ({"name": "x", "roles": ["read", "root"]}, ["roles"]),
                             ({"name": "../x", "roles": ["read"]}, ["name"]),
                             ({"name": "x", "roles": "read"}, ["roles"]),
                             ({"name": "x", "roles": ["read"], "secret": "mine"}, ["secret"])):
            refused = self.service.post("/keys", body)
            self.assertEqual(refused.status, 422, refused)
            self.assertEqual([e["field"] for e in refused.json()["errors"]], fields)
        own = self.service.delete("/keys/adminer")
        self.assertEqual(own.status, 409)
        self.assertIn("a key cannot remove itself", own.json()["detail"])
        for name in ("Adminer", "a%20b", "x" * 64):
            self.assertEqual(self.service.delete(f"/keys/{name}").status, 404)

    def test_pages(self):
        names = sorted(f"{role}er" for role in ROLES)
        page = self.service.get("/keys?limit=3").json()
        self.assertEqual([[item["name"] for item in page["items"]], page["next"]],
                         [names[:3], names[2]])
        page = self.service.get(f"/keys?limit=3&after={page['next']}").json()
        self.assertEqual([[item["name"] for item in page["items"]], page["next"]],
                         [names[3:], None])

    def test_a_damaged_key_hides_no_other(self):
        broken = self.service.data / "keys" / "broken"
        broken.write_text("{")
        try:
            wait_until(lambda: self.ask("GET", "/jobs", bearer(self.secret["read"])) == 200 and
                       self.service.events("keys_not_read"), 5, what="the warning")
            self.assertEqual(len(self.service.get("/keys").json()["items"]), len(ROLES))
        finally:
            broken.unlink()

    def test_jobs_have_owners(self):
        add_dataset(self.service)
        other = self.make("other", "submit")
        mine, theirs = bearer(self.secret["submit"]), bearer(other)
        same = {"Idempotency-Key": "once"}
        first = self.service.post("/jobs", job(epochs=1), headers={**mine, **same})
        again = self.service.post("/jobs", job(epochs=1), headers={**mine, **same})
        second = self.service.post("/jobs", job(epochs=1), headers={**theirs, **same})
        self.assertEqual([first.status, again.status, second.status], [201, 201, 201])
        ids = [answer.json()["id"] for answer in (first, again, second)]
        self.assertEqual(ids[0], ids[1])
        self.assertNotEqual(ids[0], ids[2])
        self.assertEqual([first.json()["owner"], second.json()["owner"]], ["submiter", "other"])
        self.assertEqual(self.service.wait_for_job(ids[0])["state"], "succeeded")
        rerun = self.service.post(f"/jobs/{ids[0]}/rerun", headers=theirs).json()["job"]
        self.assertEqual(rerun["owner"], "other")
        for owner, wanted in (("submiter", [ids[0]]), ("other", [rerun["id"], ids[2]]),
                              ("nobody", [])):
            page = self.service.get(f"/jobs?owner={owner}").json()
            self.assertEqual([item["id"] for item in page["items"]], wanted)
        self.assertEqual(self.service.get(f"/jobs?owner={'x' * 64}").status, 422)
        self.remove("other")
        self.assertEqual(self.service.wait_for_job(ids[2])["owner"], "other")

    def change_everything(self):
        """Each change that the log tells of, but those of keys; returns their events."""
        service = self.service
        add_dataset(service, "changing")
        done = service.post("/jobs", job(dataset="changing", epochs=1)).json()["id"]
        model = service.wait_for_job(done)["model"]
        rerun = service.post(f"/jobs/{done}/rerun").json()["job"]["id"]
        service.request("PATCH", f"/jobs/{rerun}", {"priority": 1})
        service.post(f"/jobs/{rerun}/cancel")
        service.wait_for_job(rerun)
        service.request("PUT", "/aliases/changing", {"model": model})
        service.delete("/aliases/changing")
        weights = service.get(f"/models/{model}/weights").body
        service.post("/models?architecture=resnet8&dataset=changing", weights,
                     headers={"Content-Type": "application/octet-stream"})
        upload = service.post("/uploads", {"name": "changed"}).json()["id"]
        service.delete(f"/uploads/{upload}")
        hook = service.post("/webhooks", {"url": "https://example.org/"}).json()["id"]
        service.delete(f"/webhooks/{hook}")
        for path in (f"/jobs/{done}", f"/jobs/{rerun}", f"/models/{model}", "/datasets/changing"):
            self.assertIn(service.delete(path).status, (204, 409), path)
        return ("dataset_imported", "job_submitted", "job_changed", "job_removed", "alias_moved",
                "alias_removed", "model_uploaded", "model_removed", "upload_begun",
                "upload_removed", "webhook_created", "webhook_removed")

    def test_the_log_says_who(self):
        names = self.change_everything()
        for name in (*names, "request"):
            lines = self.service.events(name)
            self.assertTrue(lines, name)
            for line in lines:
                self.assertIn("by", line)
            self.assertIn("adminer", [line["by"] for line in lines], name)

    def test_no_secret_is_anywhere(self):
        """Not in a log, even in one of all that happens, nor in a file or on a command line."""
        secret = self.make("spilled", "read")
        self.ask("GET", "/jobs", bearer(secret))
        self.ask("GET", "/jobs", {"X-API-Key": secret})
        self.ask("GET", "/jobs", bearer(secret + "0"))
        self.ask("POST", "/jobs", bearer(secret))
        for path in ("/jobs", "/nothing", "/predict", "/keys/%zz"):  # where none belongs
            for name in ("api_key", "key", secret):
                self.ask("GET", f"{path}?{name}={secret}")
        self.remove("spilled")
        self.ask("GET", "/jobs", bearer(secret))
        self.assertTrue(self.service.events("request"))
        places = [path for path in self.service.folder.rglob("*") if path.is_file()]
        self.assertIn(self.service.folder / "log", places)
        texts = [path.read_bytes().decode(errors="replace") for path in places]
        for text in texts + command_lines():
            for known in (secret, *self.secret.values()):
                self.assertNotIn(known.removeprefix("distilld_"), text)


class OpenOrNotTest(unittest.TestCase):
    def status(self, service, path="/models", **more):
        return service.get(path, **more).status

    def close(self, service):
        """When somebody is asked for a key at last, in seconds."""
        begin = time.monotonic()
        wait_until(lambda: self.status(service) == 401, 10, what="a question for a key")
        return time.monotonic() - begin

    def test_the_first_key_closes_all_processes(self):
        with Redis() as redis, Service("serve", redis=redis.url) as one, \
                Service("serve", redis=redis.url, data=one.data) as other:
            self.assertEqual([self.status(one), self.status(other)], [200, 200])
            self.assertEqual(one.get("/keys").json(), {"items": [], "next": None})
            refused = one.post("/keys", {"name": "a", "roles": ["admin"]})
            self.assertEqual(refused.status, 409, refused)
            self.assertIn("distilld key", refused.json()["detail"])
            self.assertFalse((one.data / "keys").exists())
            admin = make_key(one.data, "root", "admin")
            for service in (one, other):
                self.assertLess(self.close(service), SEEN_WITHIN_S)
                self.assertEqual(self.status(service, headers=bearer(admin)), 200)
            made = one.post("/keys", {"name": "a", "roles": ["read"]}, headers=bearer(admin))
            reader = bearer(made.json()["secret"])
            wait_until(lambda: self.status(other, headers=reader) == 200, SEEN_WITHIN_S)
            self.assertEqual(other.delete("/keys/a", headers=bearer(admin)).status, 204)
            wait_until(lambda: self.status(one, headers=reader) == 401, SEEN_WITHIN_S)

    def test_nothing_is_opened_by_accident(self):
        with Redis() as redis, Service("serve", redis=redis.url) as service:
            admin = bearer(make_key(service.data, "root", "admin"))
            self.close(service)
            (service.data / "keys" / "root").unlink()
            wait_until(lambda: self.status(service, headers=admin) == 401, SEEN_WITHIN_S)
            with Service("serve", redis=redis.url, data=service.data) as later:
                self.assertEqual(self.status(later), 401)
            shutil.rmtree(service.data / "keys")
            time.sleep(2 * SEEN_WITHIN_S)
            self.assertEqual(self.status(service), 401)
            admin = bearer(make_key(service.data, "root", "admin"))
            wait_until(lambda: self.status(service, headers=admin) == 200, SEEN_WITHIN_S)

    def test_predictions_need_no_redis(self):
        with Redis() as redis, Service("serve", redis=redis.url) as service:
            secret = bearer(make_key(service.data, "robot", "predict"))
            self.close(service)
            redis.kill()
            unknown = service.post("/predict?model=nothing", b"x", headers={
                "Content-Type": "image/png", **secret})
            self.assertEqual(unknown.status, 404, unknown)


class CommandTest(unittest.TestCase):
    def run_key(self, *arguments, cwd=None):
        return subprocess.run([executable("distilld"), "key", *arguments], capture_output=True,
                              text=True, check=False, cwd=cwd)

    def test_a_forgotten_directory_makes_no_other(self):
        with tempfile.TemporaryDirectory() as folder:
            made = self.run_key("name=root", "roles=admin", cwd=folder)
            self.assertEqual([made.returncode, made.stdout], [2, ""])
            self.assertIn("distilld-data is no data directory yet", made.stderr)
            self.assertEqual(os.listdir(folder), [])
            data = pathlib.Path(folder) / "distilld-data"
            data.mkdir()
            (data / "id").touch()
            self.assertEqual(self.run_key("name=root", "roles=admin", cwd=folder).returncode, 0)

    def test_prints_the_secret_and_nothing_else(self):
        with Service("serve") as service:  # a folder that is there
            data = f"data={service.folder / 'other'}"
            made = self.run_key("name=root", "roles=admin,read", data)
            self.assertEqual(made.returncode, 0, made)
            self.assertRegex(made.stdout, rf"\A{SECRET.pattern}\n\Z")
            self.assertNotRegex(made.stderr, SECRET)
            again = self.run_key("name=root", "roles=admin", data)
            self.assertEqual([again.returncode, again.stdout], [1, ""])
            self.assertIn("there is a key root already", again.stderr)
            for wrong in (["name=root"], ["roles=read"], ["name=a/b", "roles=read"],
                          ["name=a", "roles=root"], ["name=a", "roles=read", "nothing=1"]):
                refused = self.run_key(*wrong, data)
                self.assertEqual([refused.returncode, refused.stdout], [2, ""], wrong)


if __name__ == "__main__":
    unittest.main()
