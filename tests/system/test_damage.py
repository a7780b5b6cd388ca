#!/usr/bin/env python3
"""Files of the data directory that are missing or broken: the server says that they are damaged, not
that they never were, and its log has more to say than its answers, which name no path."""

import json
import unittest

from material import add_dataset, job, picture
from service import ServiceCase


class DamageTest(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.service = cls.start(device="ref")
        for name in ("tiny", "torn"):
            add_dataset(cls.service, name, test=32 if name == "tiny" else 33)
        ids = [cls.service.post("/jobs", job(seed=seed)).json()["id"] for seed in range(3)]
        cls.good, cls.bare, cls.nameless = [cls.service.wait_for_job(id)["model"] for id in ids]
        models = cls.service.data / "models"
        (models / cls.bare / "model.safetensors").unlink()
        (models / cls.nameless / "model.json").unlink()

    def check(self, answer, status, kind):
        """The kind of an answer that names no path."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.json()["type"], f"urn:distilld:problem:{kind}", answer)
        self.assertNotIn(str(self.service.data), answer.body.decode())
        return answer.json()

    def classify(self, model):
        return self.service.predict(model, [picture(0)])

    def test_weights_are_missing(self):
        self.check(self.service.get(f"/models/{self.bare}/weights"), 500, "corrupt")
        self.check(self.service.get(f"/models/{self.bare}/weights?format=onnx"), 500, "corrupt")
        self.check(self.classify(self.bare), 500, "corrupt")
        self.assertIn(f"models/{self.bare}/model.safetensors",
                      self.service.events("request_failed")[-1]["error"])
        self.assertEqual(self.service.get(f"/models/{self.bare}").status, 200)

    def test_the_card_is_missing(self):
        self.check(self.service.get(f"/models/{self.nameless}"), 500, "corrupt")
        self.check(self.classify(self.nameless), 500, "corrupt")

    def test_no_such_model(self):
        nobody = "model_01ARZ3NDEKTSV4RRFFQ69G5FAV"
        self.check(self.service.get(f"/models/{nobody}/weights"), 404, "not_found")
        self.check(self.classify(nobody), 404, "not_found")
        self.assertEqual(self.classify(self.good).status, 200)

    def test_what_a_job_would_cost(self):
        """A model that the request names is one of its fields."""
        for spec in (job(method="kd", teacher=self.bare), job(method="predict", model=self.bare)):
            if "teacher" not in spec:
                spec = {name: spec[name] for name in ("method", "dataset", "model")}
            problem = self.check(self.service.post("/jobs?dry_run=true", spec), 422, "invalid")
            field = "teacher" if "teacher" in spec else "model"
            self.assertEqual([error["field"] for error in problem["errors"]], [field])

    def test_a_job_that_needs_them(self):
        job_id = self.service.post("/jobs", job(method="kd", teacher=self.bare)).json()["id"]
        failed = self.service.wait_for_job(job_id)
        self.assertEqual(failed["state"], "failed")
        self.assertIn("model.safetensors", failed["error"]["message"])
        log = self.service.get(f"/jobs/{job_id}/logs").body.decode()
        self.assertNotIn(str(self.service.data), json.dumps(failed) + log)

    def test_pictures_are_missing(self):
        folder = self.service.data / "datasets" / "torn"
        for path in folder.resolve().rglob("*.safetensors"):
            path.unlink()
        self.check(self.service.get("/datasets/torn/samples"), 500, "corrupt")


if __name__ == "__main__":
    unittest.main()
