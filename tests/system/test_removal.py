#!/usr/bin/env python3
"""Models and data sets that go away, and what keeps them."""

import concurrent.futures
import time
import unittest

from job_case import LONG, JobCase
from material import job, picture, write_dataset

NO_MODEL = "model_01ARZ3NDEKTSV4RRFFQ69G5FAV"


class RemovalTest(JobCase):
    def remove_model(self, model, status):
        answer = self.service.delete(f"/models/{model}")
        self.assertEqual(answer.status, status, answer)
        return answer

    def import_again(self, name):
        folder = write_dataset(self.service.folder / f"{name}-{time.monotonic_ns()}")
        self.service.import_dataset(name, folder)

    def folders(self, kind):
        """All that is there, hidden or not."""
        return sorted(path.name for path in (self.service.data / kind).iterdir())

    def test_a_model_goes_away(self):
        trained = self.succeed(epochs=1)
        model = trained["model"]
        self.assertEqual(self.service.predict(model, [picture(1)]).status, 200)
        self.assertEqual(self.remove_model(model, 204).body, b"")
        self.assertFalse([name for name in self.folders("models") if name.startswith(".tmp-")])
        self.assertNotIn(model, self.folders("models"))
        self.remove_model(model, 404)
        for path in (f"/models/{model}", f"/models/{model}/weights"):
            self.assertEqual(self.service.get(path).status, 404)
        self.assertEqual(self.service.predict(model, [picture(1)]).status, 404)
        self.assertIn(model, [line["model"] for line in self.service.events("model_unloaded")])
        listed = self.service.get("/models?limit=200").json()["items"]
        self.assertNotIn(model, [item["id"] for item in listed])
        self.assertEqual(self.show(trained["id"])["model"], model)  # the job keeps the name
        self.assertEqual(self.service.post(f"/jobs/{trained['id']}/rerun").status, 201)

    def test_one_that_another_process_removed_is_not_used_any_more(self):
        model = self.succeed(epochs=1)["model"]
        self.assertEqual(self.service.predict(model, [picture(1)]).status, 200)
        folder = self.service.data / "models" / model
        folder.rename(folder.with_name(".tmp-elsewhere"))
        self.assertEqual(self.service.predict(model, [picture(1)]).status, 404)
        folder.with_name(".tmp-elsewhere").rename(folder)
        self.assertEqual(self.service.predict(model, [picture(1)]).status, 200)

    def test_a_job_keeps_its_models(self):
        teacher, start = self.succeed(epochs=1)["model"], self.succeed(epochs=1, seed=2)["model"]
        running = self.submit(method="kd", teacher=teacher, init=start, **LONG)
        self.wait_for_points(running)
        for model in (teacher, start):
            self.assertIn(running, self.remove_model(model, 409).json()["detail"])
        self.service.post(f"/jobs/{running}/pause")
        self.wait_for_state(running, "paused")
        self.remove_model(teacher, 409)
        self.finish(running)
        self.remove_model(teacher, 204)
        self.remove_model(start, 204)
        refused = self.service.post("/jobs", {"student": "resnet8", "dataset": "tiny",
                                              "method": "kd", "teacher": teacher})
        self.assertEqual(refused.status, 422, refused)
        self.assertEqual([e["field"] for e in refused.json()["errors"]], ["teacher"])
        self.assertEqual(self.service.post(f"/jobs/{running}/rerun").status, 422)

    def test_what_is_no_model(self):
        for name in (NO_MODEL, "x", "model_", ".tmp-abc"):
            self.remove_model(name, 404)
        for name in ("..", "%2e%2e", "%2Fetc"):
            self.remove_model(name, 400)
        self.remove_model(f"{NO_MODEL}?force=1", 422)

    def test_a_data_set_goes_away(self):
        self.import_again("short")
        model = self.succeed(dataset="short", epochs=1)["model"]
        running = self.submit(dataset="short", **LONG)
        answer = self.service.delete("/datasets/short")
        self.assertEqual(answer.status, 409, answer)
        self.assertIn(running, answer.json()["detail"])
        self.finish(running)
        self.assertEqual(self.service.delete("/datasets/short").status, 204)
        self.assertEqual(self.service.delete("/datasets/short").status, 404)
        self.assertEqual(self.service.get("/datasets/short").status, 404)
        self.assertEqual(self.folders("datasets"), ["tiny"])
        self.assertEqual(self.service.predict(model, [picture(1)]).status, 200)
        refused = self.service.post("/jobs", {"student": "resnet8", "dataset": "short"})
        self.assertEqual([e["field"] for e in refused.json()["errors"]], ["dataset"])
        self.import_again("short")  # the name is free
        self.assertEqual(self.service.delete("/datasets/short").status, 204)
        for name in ("none", ".tmp-abc", "A"):
            self.assertEqual(self.service.delete(f"/datasets/{name}").status, 404, name)
        self.assertEqual(self.service.delete("/datasets/tiny?x=1").status, 422)

    def test_no_job_names_what_is_going_away(self):
        """Jobs and a removal at the same time: either no job has been made, or the data set stays."""
        never = self.submit(**LONG)
        for turn in range(12):
            name = f"race{turn}"
            self.import_again(name)
            request = job(dataset=name, depends_on=[never])
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                jobs = [pool.submit(self.service.post, "/jobs", request) for _ in range(turn % 4)]
                removal = pool.submit(self.service.delete, f"/datasets/{name}")
                jobs += [pool.submit(self.service.post, "/jobs", request) for _ in range(3)]
            made = [task.result().json()["id"] for task in jobs if task.result().status == 201]
            status = removal.result().status
            self.assertEqual(status, 409 if made else 204, made)
            self.finish(*made)
        self.finish(never)


if __name__ == "__main__":
    unittest.main()
