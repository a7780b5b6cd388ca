#!/usr/bin/env python3
"""What clients can make more of ends at the number that api/limits.h names, with an answer that says
so, and goes on when some of it is removed."""

import json
import os
import re
import unittest

from job_case import NO_JOB
from material import add_dataset, job, write_dataset
from service import ROOT, Redis, ServiceCase, make_key

TEXT = (ROOT / "api/limits.h").read_text()
LIMITS = {name: int(value) for name, value in re.findall(r"\bLIMIT_(\w+) = (\d+)\b(?! [*<])", TEXT)}
PREFIX = "{distill}:"
OCTETS = {"Content-Type": "application/octet-stream"}


class HeaderTest(unittest.TestCase):
    def test_there_is_one_header(self):
        """Each of its limits is used; the scripts of Redis have no numbers of their own."""
        folders = ("api", "service")
        code = "\n".join(path.read_text() for folder in folders
                         for path in (ROOT / folder).rglob("*")
                         if path.suffix in (".c", ".def", ".h", ".lua"))
        code = code.replace(TEXT, "")
        names = set(re.findall(r"\bLIMIT_\w+(?= =)|(?<=define )LIMIT_\w+", TEXT))
        self.assertGreater(len(names), 50)
        self.assertEqual({name for name in names if not re.search(rf"\b{name}\b", code)}, set())
        defined = re.findall(r"\bLIMIT_[A-Z_]+ = |define LIMIT_[A-Z_]+ ", code)
        self.assertEqual(defined, [])
        for path in (ROOT / "service/store/lua").glob("*.lua"):
            self.assertEqual(re.findall(r"MAXLEN.*?'\d+'|[<>]=? \d{2,}", path.read_text()), [], path)


class LimitsTest(ServiceCase):
    """A server without a worker, so that nothing changes by itself."""

    @classmethod
    def setUpClass(cls):
        cls.redis = Redis().start()
        cls.addClassCleanup(cls.redis.stop)
        cls.service = cls.start("serve", redis=cls.redis.url, device="ref")
        cls.folder = write_dataset(cls.service.folder / "tiny")
        cls.service.import_dataset("tiny", cls.folder)

    def fill(self, kind, count, command="ZADD", score="0, "):
        """Makes so many entries of a set in Redis that stand for nothing."""
        self.redis.command("EVAL", f"for i = 1, {count} do redis.call('{command}', KEYS[1], "
                           f"{score}'filler' .. i) end", "1", PREFIX + kind)
        self.addCleanup(self.redis.command, "EVAL", f"for i = 1, {count} do redis.call("
                        f"'{command[0]}REM', KEYS[1], 'filler' .. i) end", "1", PREFIX + kind)

    def fill_folder(self, kind, count):
        """Makes so many entries that are nothing: one file by many names, which is quick."""
        first = self.service.data / kind / "filler"
        first.touch()
        for i in range(1, count):
            os.link(first, first.with_name(f"filler{i}"))
        self.addCleanup(lambda: [path.unlink() for path in first.parent.glob("filler*")])

    def empty_folder(self, kind):
        (self.service.data / kind / "filler").unlink()

    def submit(self, status=201, headers=None, **fields):
        answer = self.service.post("/jobs", job(**fields), headers=headers)
        self.assertEqual(answer.status, status, answer)
        return answer.json()

    def remove(self, job_id):
        self.service.post(f"/jobs/{job_id}/cancel")
        self.assertEqual(self.service.delete(f"/jobs/{job_id}").status, 204)

    def assert_full(self, answer, words):
        self.assertEqual(answer.status, 507, answer)
        self.assertEqual(answer.json()["type"], "urn:distilld:problem:no_space")
        self.assertIn(words, answer.json()["detail"])

    def test_jobs(self):
        self.fill("jobs", LIMITS["JOBS"] - 1)
        key = {"Idempotency-Key": "last"}
        last = self.submit(headers=key)["id"]
        words = f"there are {LIMITS['JOBS']} jobs already"
        for headers in (None, {"Idempotency-Key": "another"}):
            self.assert_full(self.service.post("/jobs", job(), headers=headers), words)
        self.assert_full(self.service.post(f"/jobs/{last}/rerun"), words)
        self.assertEqual(self.submit(headers=key)["id"], last)
        self.remove(last)
        self.remove(self.submit()["id"])

    def test_idempotency_keys_go_with_their_jobs(self):
        def known():
            return self.redis.command("KEYS", PREFIX + "idempotency:*")
        key = {"Idempotency-Key": "mine"}
        first = self.submit(headers=key)["id"]
        self.assertEqual([self.submit(headers=key)["id"], len(known())], [first, 1])
        self.remove(first)
        self.assertEqual(known(), [])
        second = self.submit(headers=key)["id"]
        self.assertNotEqual(second, first)
        self.remove(second)

    def test_models(self):
        self.fill_folder("models", LIMITS["MODELS"])
        words = f"there are {LIMITS['MODELS']} models already"
        self.assert_full(self.service.post("/jobs", job()), words)
        self.assert_full(self.service.post("/models?architecture=resnet8&dataset=tiny", b"x" * 100,
                                           headers=OCTETS), words)
        self.empty_folder("models")
        self.remove(self.submit()["id"])
        refused = self.service.post("/models?architecture=resnet8&dataset=tiny", b"x" * 100,
                                    headers=OCTETS)
        self.assertEqual(refused.status, 422, refused)

    def test_datasets(self):
        self.fill_folder("datasets", LIMITS["DATASETS"] - 1)
        words = f"there are {LIMITS['DATASETS']} datasets already"
        again = {"name": "again", "path": str(self.folder)}
        self.assert_full(self.service.post("/datasets", again), words)
        self.assert_full(self.service.post("/uploads", {"name": "again"}), words)
        self.assert_full(self.service.post("/datasets?name=again", b"x" * 1024,
                                           headers={"Content-Type": "application/x-tar"}), words)
        self.empty_folder("datasets")
        self.assertEqual(self.service.post("/datasets", again).status, 201)
        self.assertEqual(self.service.delete("/datasets/again").status, 204)

    def test_points_of_a_job(self):
        """128 pictures: with steps of one each, 128 points and an evaluation an epoch."""
        epochs = LIMITS["JOB_POINTS"] // 129
        dense = {"batch_size": 1, "report_every": 1}
        self.remove(self.submit(epochs=epochs, **dense)["id"])
        refused = self.submit(422, epochs=epochs + 1, **dense)
        self.assertEqual([error["field"] for error in refused["errors"]], ["report_every"])
        self.assertIn(f"more than {LIMITS['JOB_POINTS']} points", refused["detail"])
        self.remove(self.submit(epochs=epochs + 1, batch_size=1, report_every=2)["id"])
        self.remove(self.submit(epochs=100000, batch_size=1)["id"])  # as usual: a tenth

    def test_events_of_a_job(self):
        job_id = self.submit()["id"]
        connection = self.service.http_connection()
        for i in range(LIMITS["JOB_EVENTS"] + 300):
            connection.request("PATCH", f"/jobs/{job_id}", json.dumps({"name": str(i)}),
                               {"Content-Type": "application/json"})
            self.assertEqual(connection.getresponse().read()[:1], b"{")
        connection.close()
        kept = self.redis.command("XLEN", f"{PREFIX}events:{job_id}")
        self.assertGreaterEqual(kept, LIMITS["JOB_EVENTS"])
        self.assertLess(kept, LIMITS["JOB_EVENTS"] + 200)  # a node of the stream more
        self.assertLess(self.redis.command("XLEN", PREFIX + "changes"), LIMITS["CHANGES"] + 200)
        self.remove(job_id)

    def test_jobs_that_wait_for_one(self):
        first = self.submit()["id"]
        self.fill(f"dependants:{first}", LIMITS["DEPENDANTS"] - 1, "SADD", "")
        last = self.submit(depends_on=[first])["id"]
        refused = self.submit(422, depends_on=[first])
        self.assertIn(f"waited for by {LIMITS['DEPENDANTS']} jobs already", refused["detail"])
        self.assertEqual(self.service.get(f"/jobs/{NO_JOB}").status, 404)
        self.remove(last)
        self.remove(self.submit(depends_on=[first])["id"])
        self.remove(first)

    def test_parts_of_a_target(self):
        for target, status in (("/a" * LIMITS["TARGET_SEGMENTS"], 404),
                               ("/a" * (LIMITS["TARGET_SEGMENTS"] + 1), 400),
                               ("/jobs?" + "&".join(f"p{i}=" for i in
                                                    range(LIMITS["TARGET_PARAMS"])), 422),
                               ("/jobs?" + "&".join(f"p{i}=" for i in
                                                    range(LIMITS["TARGET_PARAMS"] + 1)), 400)):
            self.assertEqual(self.service.get(target).status, status, target)

    def test_idempotency_keys_are_short(self):
        for length, status in ((LIMITS["IDEMPOTENCY_KEY"], 201),
                               (LIMITS["IDEMPOTENCY_KEY"] + 1, 400)):
            answer = self.service.post("/jobs", job(), headers={"Idempotency-Key": "k" * length})
            self.assertEqual(answer.status, status, length)
            if status == 201:
                self.remove(answer.json()["id"])

    def test_pages(self):
        for path, name in (("jobs", "PAGE"), ("models", "PAGE"), ("datasets/tiny/samples", "SAMPLES")):
            for more, status in ((0, 200), (1, 422)):
                answer = self.service.get(f"/{path}?limit={LIMITS[name] + more}")
                self.assertEqual(answer.status, status, (path, more))


class AliasesTest(ServiceCase):
    def test_aliases(self):
        """Of a model that a job has made."""
        service = self.start(device="ref")
        add_dataset(service)
        model = service.run_job(job(epochs=1))["model"]
        self.assertEqual(service.request("PUT", "/aliases/first", {"model": model}).status, 201)
        card = (service.data / "aliases/first").read_text()
        for i in range(LIMITS["ALIASES"] - 2):
            (service.data / f"aliases/a{i}").write_text(card.replace('"first"', f'"a{i}"'))
        answers = [service.request("PUT", f"/aliases/{name}", {"model": model})
                   for name in ("last", "more", "last")]
        self.assertEqual([answer.status for answer in answers], [201, 507, 200], answers)
        self.assertIn(f"there are {LIMITS['ALIASES']} aliases already", answers[1].json()["detail"])


class KeysTest(ServiceCase):
    def test_keys(self):
        with Redis() as redis:
            service = self.start("serve", redis=redis.url)
            service.key = make_key(service.data, "root", "admin")
            card = (service.data / "keys/root").read_text()
            for i in range(LIMITS["KEYS"] - 2):
                (service.data / f"keys/k{i}").write_text(card.replace('"root"', f'"k{i}"'))
            answers = [service.post("/keys", {"name": name, "roles": ["read"]}) for name in ("a", "b")]
            self.assertEqual([answer.status for answer in answers], [201, 507], answers)
            self.assertIn(f"there are {LIMITS['KEYS']} keys already", answers[1].json()["detail"])
            self.assertEqual(service.delete("/keys/k0").status, 204)
            again = service.post("/keys", {"name": "b", "roles": ["read"]})
            self.assertEqual(again.status, 201, again)


if __name__ == "__main__":
    unittest.main()
