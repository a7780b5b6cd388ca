#!/usr/bin/env python3
"""Names that stand for models: moved while they are used, and what they keep from going away."""

import concurrent.futures
import contextlib
import threading
import unittest

from job_case import JobCase
from material import picture
from service import wait_until

NO_MODEL = "model_01ARZ3NDEKTSV4RRFFQ69G5FAV"


class AliasTest(JobCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        jobs = [cls.service.post("/jobs", {"student": "resnet8", "dataset": "tiny", "epochs": 1,
                                           "threads": 1, "seed": seed}).json()["id"]
                for seed in (1, 2)]
        cls.models = [cls.service.wait_for_job(job)["model"] for job in jobs]

    def put(self, name, body, status=None):
        if isinstance(body, str):
            body = {"model": body}
        answer = self.service.request("PUT", f"/aliases/{name}", body)
        if status:
            self.assertEqual(answer.status, status, answer)
        return answer

    def names(self):
        return [item["name"] for item in self.service.get("/aliases").json()["items"]]

    def forget(self, *names):
        for name in names:
            self.assertEqual(self.service.delete(f"/aliases/{name}").status, 204)

    def test_an_alias_stands_for_a_model_everywhere(self):
        first, second = self.models
        made = self.put("prod", first, 201).json()
        self.assertEqual([made["name"], made["model"]], ["prod", first])
        self.assertEqual(self.service.get("/aliases").json(), {"items": [made], "next": None})
        self.assertEqual(self.service.get("/models/prod").json()["id"], first)
        by_id = self.service.get(f"/models/{first}/weights")
        by_name = self.service.get("/models/prod/weights")
        self.assertEqual((by_name.body, by_name.headers["etag"]),
                         (by_id.body, by_id.headers["etag"]))
        onnx = self.service.get("/models/prod/weights?format=onnx")
        self.assertEqual(onnx.body, self.service.get(f"/models/{first}/weights?format=onnx").body)
        for answer in (self.service.predict("prod", [picture(1)]),
                       self.service.post("/predict?model=prod", picture(1),
                                         headers={"Content-Type": "image/png"})):
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(answer.json()["model"], first)
        student = self.submit(method="kd", teacher="prod", init="prod", epochs=1)
        self.assertEqual(self.put("prod", second, 200).json()["model"], second)
        spec = self.service.wait_for_job(student)["spec"]
        self.assertEqual([spec["teacher"], spec["init"]], [first, first])
        self.assertEqual(self.service.predict("prod", [picture(1)]).json()["model"], second)
        self.assertEqual(self.service.get("/models/prod").json()["id"], second)
        self.forget("prod")

    def test_an_alias_keeps_its_model(self):
        model = self.succeed(epochs=1)["model"]
        self.put("blue", model, 201)
        self.put("green", "blue", 201)  # the model, not the alias
        for name in ("blue", "green"):
            refused = self.service.delete(f"/models/{model}")
            self.assertEqual(refused.status, 409, refused)
            self.assertIn(f"alias {name} ", refused.json()["detail"])
            self.forget(name)
        self.assertEqual(self.service.delete(f"/models/{model}").status, 204)
        self.put("blue", model, 404)
        self.assertEqual(self.names(), [])

    def test_aliases_outlive_the_service(self):
        self.put("kept", self.models[0], 201)
        pid = self.service.kill_child("serve")

        def is_back():
            with contextlib.suppress(OSError):
                return self.service.child("serve") != pid and self.names() == ["kept"]
            return False
        wait_until(is_back, what="the server")
        self.assertEqual(self.service.get("/models/kept").json()["id"], self.models[0])
        self.forget("kept")

    def test_no_prediction_fails_while_an_alias_moves(self):
        """Each answer is of the model of before or of after, although the one of before is removed."""
        models = [self.succeed(epochs=1, seed=seed)["model"] for seed in range(3, 7)]
        self.put("live", models[0], 201)
        done = threading.Event()
        wrong, seen = [], set()

        def ask():
            while not done.is_set():
                answer = self.service.predict("live", [picture(1)])
                if answer.status != 200:
                    wrong.append(answer)
                else:
                    seen.add(answer.json()["model"])

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            tasks = [pool.submit(ask) for _ in range(4)]
            for before, after in zip(models, models[1:]):
                wait_until(lambda model=before: model in seen or wrong, what="an answer")
                self.put("live", after, 200)
                self.assertEqual(self.service.delete(f"/models/{before}").status, 204)
            wait_until(lambda: models[-1] in seen or wrong, what="an answer")
            done.set()
        for task in tasks:
            task.result()
        self.assertEqual(wrong, [])
        self.forget("live")

    def test_pages(self):
        names = ["a", "b.1", "c-2", "d_3"]
        for name in names:
            self.put(name, self.models[0], 201)
        page = self.service.get("/aliases?limit=3").json()
        self.assertEqual([item["name"] for item in page["items"]], names[:3])
        page = self.service.get(f"/aliases?limit=3&after={page['next']}").json()
        self.assertEqual([[item["name"] for item in page["items"]], page["next"]],
                         [names[3:], None])
        self.forget(*names)
        self.assertEqual(self.service.get("/aliases?limit=0").status, 422)

    def test_what_is_refused(self):
        for name in ("Prod", "-x", "a%20b", "model_x", "job_x", "x" * 64, NO_MODEL, ".tmp-abc",
                     "%C3%A9"):
            answer = self.put(name, self.models[0], 422)
            self.assertEqual([e["field"] for e in answer.json()["errors"]], ["name"], name)
            self.assertEqual(self.service.delete(f"/aliases/{name}").status, 404)
        self.put("..", self.models[0], 400)
        for model in (NO_MODEL, "nothing", "x/../y", "../models", "job_01ARZ3NDEKTSV4RRFFQ69G5FAV"):
            self.put("prod", model, 404)
        for body in ({}, {"model": 5}, {"model": ""}, {"model": "x" * 64}, {"model": None},
                     {"model": self.models[0], "more": 1}):
            self.put("prod", body, 422)
        self.put("prod", [], 400)
        self.assertEqual(self.service.request("PUT", "/aliases/prod", b"{").status, 415)
        self.assertEqual(self.service.request("PUT", "/aliases/prod?x=1",
                                              {"model": self.models[0]}).status, 422)
        self.assertEqual(self.service.post("/aliases/prod", {}).headers["allow"], "PUT, DELETE")
        self.assertEqual(self.service.delete("/aliases/prod").status, 404)
        self.assertEqual(self.service.get("/models/prod").status, 404)
        self.assertEqual(self.service.predict("prod", [picture(1)]).status, 404)
        self.assertEqual(self.names(), [])
        refused = self.service.post("/jobs", {"student": "resnet8", "dataset": "tiny",
                                              "method": "kd", "teacher": "prod"})
        self.assertEqual([e["field"] for e in refused.json()["errors"]], ["teacher"])


if __name__ == "__main__":
    unittest.main()
