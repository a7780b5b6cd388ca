#!/usr/bin/env python3
"""Every script of clients/curl against a running service, as a user would go through them."""

import json
import os
import pathlib
import re
import subprocess
import unittest

import pictures
from service import ServiceCase, command_lines, make_key, wait_until

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "clients" / "curl"
MISUSED, REFUSED = 2, 22
CUT = (18, 56)  # closed, reset
SPEC = {"method": "ce", "student": "resnet8", "dataset": "quadrants", "epochs": 2, "batch_size": 32,
        "learning_rate": 0.05, "augment": "none", "threads": 1, "tags": ["a b"],
        "keep_checkpoints": 1}


class CurlTest(ServiceCase):
    @classmethod
    def setUpClass(cls):
        cls.service = cls.start("up")
        cls.used = set()
        cls.key = ""

    def run_script(self, name, *arguments, status=0, stdin=""):
        self.used.add(name)
        result = subprocess.run([str(SCRIPTS / f"{name}.sh"), *map(str, arguments)], input=stdin,
                                capture_output=True, text=True, timeout=120,
                                env=self.environment())
        self.assertEqual(result.returncode, status, result)
        return result.stdout

    def json(self, name, *arguments, **more):
        return json.loads(self.run_script(name, *arguments, **more))

    def check_keys(self):
        """With a key of the environment, which no command line shows."""
        self.assertEqual(self.json("keys"), {"items": [], "next": None})
        self.key = make_key(self.service.data, "root", "admin")
        wait_until(lambda: self.service.get("/models").status == 401, what="a question for a key")
        made = self.json("key", "reader", "read,predict")
        self.assertEqual(made["key"]["roles"], ["read", "predict"])
        self.assertEqual([key["name"] for key in self.json("keys")["items"]], ["reader", "root"])
        self.assertEqual(self.json("edit_key", "reader", '{"active_jobs": 4}')["active_jobs"], 4)
        self.run_script("remove_key", "reader")
        self.json("import", "quadrants", self.service.folder / "quadrants")
        job = self.json("submit", json.dumps({**SPEC, "epochs": 3000}))
        self.assertEqual(job["owner"], "root")
        with subprocess.Popen([str(SCRIPTS / "events.sh"), job["id"]], stdout=subprocess.PIPE,
                              env=self.environment()) as follower:
            self.assertEqual(json.loads(follower.stdout.readline())["event"], "submit")
            lines = command_lines()
            self.assertTrue(any("curl" in line and job["id"] in line for line in lines))
            self.assertFalse([line for line in lines if self.key in line])
            self.run_script("cancel", job["id"])
            follower.stdout.read()

    def environment(self):
        return {**os.environ, "DISTILLD_URL": self.service.url, "DISTILLD_KEY": self.key}

    def test_all_scripts(self):
        folder = self.service.folder
        source = pictures.save_dataset(folder / "quadrants")
        self.assertEqual(self.json("ready")["status"], "ready")
        self.assertEqual(self.json("import", "quadrants", source)["classes"], 4)
        self.assertEqual(self.json("datasets")["items"][0]["name"], "quadrants")
        self.assertEqual(self.json("datasets", "quadrants")["height"], 8)
        self.check_dataset_uploads(source)
        shown = self.json("samples", "quadrants", "split=test", "limit=3")
        self.assertEqual([item["label"] for item in shown["items"]], pictures.CLASSES[:3])
        self.assertEqual(len(self.json("samples", "quadrants")["items"]), 8)
        small = self.json("architectures", "height=8&width=8&classes=4")["items"]
        self.assertIn("resnet8", [network["name"] for network in small])
        workers = self.json("workers")["items"]
        self.assertEqual([worker["state"] for worker in workers], ["idle"])
        self.assertEqual(self.json("schema")["required"], ["dataset"])
        self.assertEqual(self.json("estimate", json.dumps(SPEC))["estimate"]["steps"], 16)

        self.check_recipe()

        job = self.json("submit", json.dumps(SPEC))
        lines = [json.loads(line) for line in self.run_script("watch", job["id"]).splitlines()]
        self.assertEqual(lines[-1]["state"], "succeeded")
        self.assertEqual([line["seq"] for line in lines[:-1]], list(range(1, len(lines))))
        self.assertEqual(self.json("job", job["id"]), lines[-1])
        self.assertEqual(self.json("job", job["id"], 20), lines[-1])
        events = [json.loads(line) for line in self.run_script("events", job["id"]).splitlines()]
        self.assertEqual([events[0]["event"], events[-1]], ["submit", lines[-1]])
        self.assertEqual(self.run_script("curve", job["id"]).count("\n"), len(lines))
        self.assertEqual(self.json("jobs")["items"], [lines[-1]])
        self.assertEqual(self.json("jobs", "state=queued")["items"], [])
        self.assertEqual(self.json("jobs", "tag=a b", "method=ce")["items"], [lines[-1]])
        self.assertEqual(self.json("jobs", "tag=a&b", status=0)["items"], [])

        log = self.run_script("logs", job["id"])
        self.assertEqual(self.run_script("logs", job["id"], "follow"), log)
        self.assertEqual(self.run_script("logs", job["id"], 1), log.splitlines(True)[-1])
        kept = self.json("checkpoints", job["id"])["items"]
        self.assertEqual([item["step"] for item in kept], [16])
        self.run_script("checkpoint", kept[0]["id"], folder / "checkpoint.safetensors")
        self.assertEqual((folder / "checkpoint.safetensors").stat().st_size, kept[0]["bytes"])
        self.check_refused_download("checkpoint", job["id"], folder / "checkpoint.safetensors")
        again = self.json("rerun", job["id"])
        self.assertEqual([again["identical"], again["job"]["rerun_of"]], [True, job["id"]])
        self.assertEqual(self.json("job", again["job"]["id"], 20)["spec"], lines[-1]["spec"])
        wait_until(lambda: self.json("job", again["job"]["id"])["state"] == "succeeded")

        model = lines[-1]["model"]
        self.assertEqual(self.json("models")["items"][1]["id"], model)
        self.assertEqual(self.json("models", model)["job"], job["id"])
        picture = folder / "picture.png"
        picture.write_bytes(pictures.png(3))
        predictions = self.json("predict", model, picture, 2)["predictions"][0]
        self.assertEqual([len(predictions), predictions[0]["label"]], [2, "bottom right"])
        many = self.json("predict_many", model, "logits", picture, picture)
        self.assertEqual([len(many["predictions"]), len(many["logits"])], [2, 2])
        self.assertEqual(many["predictions"][1][0]["label"], "bottom right")
        self.json("predict_many", model, "x", picture, status=REFUSED)
        self.assertEqual(self.json("warm", model), {"name": model, "ready": True})
        self.assertEqual(self.json("warm", model, "tensors")["name"], model)
        best = self.json("infer", model, picture, 2)["outputs"][0]["data"]
        self.assertEqual([len(best), best[0].split(":")[1:]], [2, ["3", "bottom right"]])
        self.assertIn("error", self.json("infer", "none", picture, status=REFUSED))
        self.check_evaluation(model, folder / "predictions.csv")
        self.check_weights(model, folder / "weights.safetensors")
        self.check_upload(model, folder / "weights.safetensors")
        self.check_changes()
        self.check_webhooks()
        self.check_service()
        self.check_removal(model)
        self.check_keys()
        self.check_routes()
        self.check_broken_streams()
        self.assertEqual(self.used, {script.stem for script in SCRIPTS.glob("*.sh")})

    def check_recipe(self):
        """A recipe is the JSON that its lines say, by the types of the fields."""
        recipe = SCRIPTS.parents[1] / "recipes/imagenet/ce-deit_tiny"
        more = ("student=resnet8", "dataset=quadrants", "drop_path=0", "flip=0", "milestones=1,2", "tags=a")
        spec = self.json("estimate", recipe, *more)["spec"]
        self.assertEqual([spec[name] for name in ("method", "epochs", "epsilon", "decay_all", "flip",
                                                  "milestones", "tags", "optimizer")],
                         ["ce", 300, 1e-8, False, False, [1, 2], ["a"], "adamw"])
        problem = self.json("submit", recipe, *more[1:], "gamma=0.5", "seed=x", status=REFUSED)
        self.assertEqual({error["field"] for error in problem["errors"]}, {"seed"})
        self.assertEqual(self.run_script("submit", recipe / "none", status=1), "")

    def check_service(self):
        self.assertEqual(self.json("health"), {"status": "ok"})
        live, ready = map(json.loads, self.run_script("health", "v2").splitlines())
        self.assertEqual([live, ready], [{"live": True}, {"ready": True}])
        self.assertEqual(self.json("server")["name"], "distilld")
        self.assertIn("distilld_redis_up 1", self.run_script("prometheus"))
        self.assertTrue(self.run_script("contract").startswith("openapi: 3.1"))

    def check_broken_streams(self):
        """The server dies under them: the end of curl is the end of the script."""
        job = self.json("submit", json.dumps({**SPEC, "epochs": 100000}))["id"]
        followers = [subprocess.Popen([str(SCRIPTS / f"{name}.sh"), job, *more], text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      env=self.environment())
                     for name, *more in (("watch",), ("events",), ("logs", "follow"))]
        for follower in followers:
            self.assertTrue(follower.stdout.readline())
        self.service.kill_child("serve")
        for follower in followers:
            follower.communicate(timeout=60)
            self.assertIn(follower.returncode, CUT)
        self.json("ready")
        self.json("cancel", job)

    def check_routes(self):
        """Each route of the contract has been asked, but for the page, which is for browsers."""
        routes = set(re.findall("  operationId: (.*)", self.run_script("contract")))
        asked = set(re.findall(r'requests_total\{route="([^"]+)"', self.run_script("prometheus")))
        self.assertEqual(routes - asked, {"root", "docs", "docs_file", "webhook_message"})

    def check_webhooks(self):
        made = self.json("webhook", '{"url": "https://example.org/hook"}')
        self.assertTrue(made["secret"].startswith("whsec_"))
        self.assertEqual(self.json("webhooks")["items"][0]["id"], made["id"])
        self.assertEqual(self.json("webhooks", made["id"])["url"], made["url"])
        self.run_script("remove_webhook", made["id"])
        self.json("test_webhook", made["id"], status=REFUSED)
        self.json("webhook", '{"url": "http://127.0.0.1/"}', status=REFUSED)

    def check_dataset_uploads(self, source):
        """In one request; file by file, with a part of one before; and refused."""
        files = sorted(source.iterdir(), key=lambda path: -path.stat().st_size)
        digest = self.json("datasets", "quadrants")["sha256"]
        self.assertEqual(self.json("upload_folder", "whole", source)["sha256"], digest)
        self.json("upload_folder", "whole", source, status=REFUSED)
        begun = self.service.post("/uploads", {"name": "files"}).json()["id"]
        data = files[0].read_bytes()
        self.service.request("PUT", f"/uploads/{begun}/files/{files[0].name}", data[:100],
                             {"Content-Range": f"bytes 0-99/{len(data)}"})
        end = files[1].read_bytes()
        self.service.request("PUT", f"/uploads/{begun}/files/{files[1].name}", end,
                             {"Content-Range": f"bytes 0-{len(end) - 1}/*"})
        self.assertEqual(self.json("uploads")["items"][0]["bytes"], 100 + len(end))
        self.run_script("upload_dataset", begun, files[0], source / "none", status=26)
        self.assertIn({"name": files[0].name, "bytes": len(data), "complete": True},
                      self.json("uploads", begun)["files"])
        self.assertEqual(self.json("upload_dataset", begun, *files)["sha256"], digest)
        self.assertEqual(self.json("upload_dataset", "again", *files)["sha256"], digest)
        self.json("upload_dataset", "again", *files, status=REFUSED)
        self.run_script("upload_dataset", "other", files[0], status=REFUSED)
        gone = self.json("upload_dataset", "upload_01ARZ3NDEKTSV4RRFFQ69G5FAV", files[0], status=REFUSED)
        self.assertEqual(gone["status"], 404)
        other, = self.json("uploads")["items"]
        self.assertEqual(self.run_script("remove_upload", other["id"]), "")
        self.json("remove_upload", other["id"], status=REFUSED)
        for name in ("whole", "files", "again"):
            self.run_script("remove_dataset", name)

    def check_evaluation(self, model, path):
        shown = self.json("evaluation", model)
        self.assertEqual([shown["split"], len(shown["classes"])], ["test", 4])
        self.json("evaluation", model, "split=train", status=REFUSED)
        spec = {"method": "predict", "model": model, "dataset": "quadrants", "split": "train"}
        job = self.json("submit", json.dumps(spec))
        wait_until(lambda: self.json("job", job["id"])["state"] == "succeeded")
        shown = self.json("evaluation", model, "split=train", "confusion=full")
        self.assertEqual(sum(map(sum, shown["confusion"])), shown["count"])
        self.run_script("predictions", job["id"], path, "csv")
        self.assertEqual(path.read_text().count("\n"), shown["count"] + 1)
        self.run_script("predictions", job["id"], path)
        self.assertEqual(json.loads(path.read_text().splitlines()[0])["offset"], 0)
        self.check_refused_download("predictions", model, path)

    def check_refused_download(self, name, thing, path):
        """It prints what is wrong, and a file of that name stays as it was, alone in its folder."""
        before, beside = path.read_bytes(), sorted(path.parent.iterdir())
        self.assertEqual(self.json(name, thing, path, status=REFUSED)["status"], 404)
        self.assertEqual((path.read_bytes(), sorted(path.parent.iterdir())), (before, beside))
        path.unlink()
        self.assertEqual(self.json(name, thing, path, status=REFUSED)["status"], 404)
        self.assertFalse(path.exists())
        path.write_bytes(before)

    def check_removal(self, model):
        job = self.json("submit", json.dumps({**SPEC, "epochs": 100000, "init": model}))
        self.assertEqual(self.json("remove_model", model, status=REFUSED)["status"], 409)
        self.assertEqual(self.json("remove_dataset", "quadrants", status=REFUSED)["status"], 409)
        alias = self.json("alias", "prod", model)
        self.assertEqual(self.json("aliases")["items"], [alias])
        self.assertEqual(self.json("models", "prod")["id"], model)
        self.assertEqual(self.json("alias", "prod", "none", status=REFUSED)["status"], 404)
        for name in ("prod#2", "prod?x", "prod/x", "prod/../prod"):
            self.assertEqual(self.run_script("remove_alias", name, status=MISUSED), "")
        self.json("remove_alias", "{prod,b}", status=REFUSED)
        self.assertEqual(self.run_script("remove_alias", "prod"), "")
        self.json("cancel", job["id"])
        wait_until(lambda: self.json("job", job["id"])["state"] == "cancelled")
        self.assertEqual(self.run_script("remove_model", model), "")
        self.assertEqual(self.json("models", model, status=REFUSED)["status"], 404)
        self.assertEqual(self.run_script("remove_dataset", "quadrants"), "")
        self.assertEqual(self.json("datasets")["items"], [])

    def check_weights(self, model, path):
        """Whole, again, going on with the first part of it, and with what is no part of it."""
        self.run_script("weights", model, path)
        whole = path.read_bytes()
        self.assertEqual(len(whole), self.json("models", model)["weights_bytes"])
        path.write_bytes(whole[:1000])
        for _ in range(2):
            self.run_script("weights", model, path)
            self.assertEqual(path.read_bytes(), whole)
        other = bytes(len(whole))
        for there in (other, other[:1000], b"", whole + b"x"):
            path.write_bytes(there)
            self.run_script("weights", model, path)
            self.assertEqual(path.read_bytes(), whole)
        self.check_weights_of_two(model, path)
        self.check_refused_download("weights", "none", path)

    def check_weights_of_two(self, model, path):
        """An alias that moves on to weights of the same size, once they are whole and once halfway."""
        whole = path.read_bytes()
        other = path.with_name("other.safetensors")
        other.write_bytes(whole[:-4] + bytes(4))
        second = self.json("upload", other, "architecture=resnet8&dataset=quadrants")["id"]
        for cut in (len(whole), len(whole) // 2):
            for mine, data in ((second, other.read_bytes()), (model, whole)):
                path.write_bytes(path.read_bytes()[:cut])
                self.json("alias", "moving", mine)
                self.run_script("weights", "moving", path)
                self.assertEqual(path.read_bytes(), data)
        self.run_script("remove_alias", "moving")
        self.run_script("remove_model", second)
        other.unlink()

    def check_upload(self, model, path):
        """The same weights as another model, and that one as ONNX."""
        query = "architecture=resnet8&dataset=quadrants&name=taken"
        taken = self.json("upload", path, query)
        self.assertEqual([taken["name"], taken["weights_sha256"]],
                         ["taken", self.json("models", model)["weights_sha256"]])
        self.assertEqual(self.json("upload", path, "architecture=vgg8", status=REFUSED)["status"],
                         422)
        files = []
        for normalize in ((), ("true",)):
            self.run_script("onnx", taken["id"], path, *normalize)
            files.append(path.read_bytes())
        self.check_refused_download("onnx", "none", path)
        self.assertTrue(len(files[0]) < len(files[1]))

    def check_changes(self):
        job = self.json("submit", stdin=json.dumps({**SPEC, "epochs": 100000}))
        self.assertEqual(self.json("remove", job["id"], status=REFUSED)["status"], 409)
        self.assertEqual(self.json("retry", job["id"], status=REFUSED)["status"], 409)
        self.json("pause", job["id"])
        wait_until(lambda: self.json("job", job["id"])["state"] == "paused")
        self.assertEqual(self.json("edit", job["id"], '{"priority": 9}')["spec"]["priority"], 9)
        self.assertEqual(self.json("edit", job["id"], '{"epochs": 1}', status=REFUSED)["status"], 422)
        self.assertEqual(self.json("resume", job["id"])["state"], "queued")
        self.json("cancel", job["id"])
        wait_until(lambda: self.json("job", job["id"])["state"] == "cancelled")
        self.assertEqual(self.run_script("remove", job["id"]), "")
        for name in ("job", "watch", "events", "checkpoints", "logs", "rerun", "curve", "cancel", "pause", "resume"):
            self.assertEqual(self.json(name, job["id"], status=REFUSED)["status"], 404)
        self.assertEqual(self.json("logs", job["id"], "follow", status=REFUSED)["status"], 404)
        self.assertEqual(self.json("submit", "{}", status=REFUSED)["status"], 422)


if __name__ == "__main__":
    unittest.main()
