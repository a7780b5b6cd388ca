"""The client against a running service."""

import base64
import io
import json
import math
import os
import signal
import tarfile

import pytest

import pictures
from distilld import Client, JobFailed, ProblemError, ServiceUnreachable
from distilld.__main__ import main
from distilld.progress import ProgressLine, describe
from distilld.recipes import spec_of_recipe
from service import ROOT, wait_until
from tensor_files import load


def test_submit_and_wait(client, trained):
    assert trained["state"] == "succeeded"
    assert trained["model"].startswith("model_")
    assert trained["progress"]["fraction"] == 1
    assert client.job(trained["id"]) == trained


def test_distil_from_a_teacher(client, trained, fields):
    job = client.submit(**{**fields, "method": "wttm", "teacher": trained["model"], "gamma": 0.25,
                           "beta": 2, "tags": ["student"]})
    finished = client.wait(job["id"], progress=False, timeout=120)
    assert finished["spec"]["teacher"] == trained["model"]
    assert finished["spec"]["temperature"] == 4
    assert client.model(finished["model"])["teacher"] == trained["model"]


def test_wrong_fields(client, fields):
    with pytest.raises(ProblemError) as caught:
        client.submit(**{**fields, "epochs": 0, "colour": "red"})
    assert caught.value.status == 422
    assert {error["field"] for error in caught.value.errors} == {"epochs", "colour"}
    assert "epochs" in str(caught.value) and "colour" in str(caught.value)


def test_estimate_creates_nothing(client, fields):
    before = [job["id"] for job in client.jobs()]
    estimate = client.estimate(**fields)
    assert estimate["estimate"]["steps"] == 16
    assert estimate["spec"]["momentum"] == 0.9
    assert [job["id"] for job in client.jobs()] == before


def test_recipe(client, trained, fields):
    recipe = ROOT / "recipes/cifar100/wttm-resnet56-resnet20"
    more = {name: fields[name] for name in ("dataset", "student", "batch_size", "threads", "device")}
    job = client.submit(recipe=recipe, teacher=trained["model"], epochs=1, temperature=2, **more)
    spec = client.wait(job["id"], progress=False, timeout=120)["spec"]
    assert [spec[name] for name in ("method", "temperature", "beta", "epochs", "milestones", "flip")] \
        == ["wttm", 2, 1.5, 1, [150, 180, 210], True]
    assert client.estimate(recipe=str(recipe), teacher=trained["model"], **more)["spec"]["gamma"] == 0.3


def test_every_recipe_has_the_types_of_the_schema(client):
    properties = client.schema()["properties"]
    kinds = {"integer": int, "number": (int, float), "boolean": bool, "string": str, "array": list}
    recipes = [path for path in (ROOT / "recipes").glob("*/*") if path.suffix != ".md"]
    assert len(recipes) > 70
    for path in recipes:
        for name, value in spec_of_recipe(path, client.schema(), {}).items():
            kind = properties[name]["type"]
            assert isinstance(value, kinds[kind if isinstance(kind, str) else kind[0]]), (path, name)


def test_wrong_recipes(client, tmp_path):
    recipe = tmp_path / "recipe"
    for text, words in (("epochs", "not name=value"), ("epochs=1\nepochs=2", "twice")):
        recipe.write_text(text)
        with pytest.raises(ValueError, match=words):
            client.submit(recipe=recipe)
    recipe.write_text("# all wrong\n\n epochs=x \nflip=maybe\ncolour=red\nstudent=resnet8\ndataset=a")
    with pytest.raises(ProblemError) as caught:
        client.submit(recipe=recipe)
    assert {error["field"] for error in caught.value.errors} == {"epochs", "flip", "colour"}


def test_idempotency_key(client, fields):
    endless = {**fields, "epochs": 100000}
    first = client.submit(idempotency_key="k1", **endless)
    assert client.submit(idempotency_key="k1", **endless)["id"] == first["id"]
    others = [client.submit(**endless)["id"] for _ in range(2)]
    assert len({first["id"], *others}) == 3
    for job_id in (first["id"], *others):
        client.cancel(job_id)


def test_metrics_while_it_runs(client, fields):
    job = client.submit(**{**fields, "epochs": 3})
    points = list(client.metrics(job["id"]))
    assert [point["seq"] for point in points] == list(range(1, len(points) + 1))
    assert [point["epoch"] for point in points if point["phase"] == "eval"] == [1, 2, 3]
    assert client.job(job["id"])["state"] == "succeeded"
    assert client.curve(job["id"]) == points
    assert list(client.metrics(job["id"], since=len(points) - 1)) == points[-1:]


def test_events(client, trained):
    events = list(client.events(trained["id"]))
    assert events == client.history(trained["id"])
    assert [event["event"] for event in events if event["epoch"] < 0 and event["step"] < 0] == [
        "submit", "claim", "finish"]
    assert [event["epoch"] for event in events if event["event"] == "epoch"] == [
        *range(1, trained["progress"]["epochs"] + 1)]
    assert list(client.events(trained["id"], since=len(events) - 1)) == events[-1:]


def test_logs(client, trained):
    lines = client.logs(trained["id"]).splitlines()
    assert "claimed by" in lines[0] and trained["model"] in lines[-1]
    assert client.logs(trained["id"], tail=1).splitlines() == lines[-1:]


def test_workers(client, trained):
    (worker,) = client.workers()
    assert worker["name"] == trained["worker"]
    assert (worker["state"], worker["job"], worker["attempt"]) == ("idle", None, 0)
    assert "ref" in worker["devices"] and worker["version"] in worker["engine"]


def test_checkpoints(client, fields, tmp_path):
    job = client.wait(client.submit(**fields, keep_checkpoints=5)["id"], progress=False)
    kept = client.checkpoints(job["id"])
    assert [checkpoint["step"] for checkpoint in kept] == [16, 8]
    path = client.download_checkpoint(kept[1]["id"], tmp_path / "kept.safetensors")
    assert path.stat().st_size == kept[1]["bytes"]
    client.cancel(client.submit(**fields, init=kept[1]["id"])["id"])


def test_rerun(client, trained):
    made = client.rerun(trained["id"])
    assert (made["identical"], made["differences"]) == (True, [])
    again = client.wait(made["job"]["id"], progress=False, timeout=120)
    first, second = (client.model(job["model"])["weights_sha256"] for job in (trained, again))
    assert first == second


def test_cancel_and_remove(client, fields):
    job = client.submit(**{**fields, "epochs": 100000})
    client.cancel(job["id"])
    with pytest.raises(JobFailed) as caught:
        client.wait(job["id"], progress=False, timeout=60)
    assert caught.value.job["state"] == "cancelled"
    client.remove(job["id"])
    with pytest.raises(ProblemError) as gone:
        client.job(job["id"])
    assert gone.value.status == 404


def test_pause_and_resume(client, fields):
    job = client.submit(**{**fields, "epochs": 100000})
    wait_until(lambda: client.curve(job["id"]))
    assert client.pause(job["id"])["requested"] == "pause"
    wait_until(lambda: client.job(job["id"])["state"] == "paused")
    spec = client.edit(job["id"], priority=7, name="mine")["spec"]
    assert (spec["priority"], spec["name"], spec["tags"]) == (7, "mine", [])
    assert client.resume(job["id"])["state"] == "queued"
    wait_until(lambda: client.job(job["id"])["state"] == "running")
    client.cancel(job["id"])


def test_wait_gives_up(client, fields):
    job = client.submit(**{**fields, "epochs": 100000})
    with pytest.raises(TimeoutError):
        client.wait(job["id"], progress=False, timeout=0.3)
    client.cancel(job["id"])


def test_waiting_takes_longer_than_an_answer(client, service, fields):
    job = client.submit(**{**fields, "epochs": 100000})
    wait_until(lambda: client.job(job["id"])["state"] == "running")
    with Client(service.url, timeout=1, retries=0) as hasty:
        assert hasty.job(job["id"], wait_s=2)["state"] == "running"
        with pytest.raises(TimeoutError):
            hasty.wait(job["id"], progress=False, timeout=2.5)
    client.cancel(job["id"])


def test_jobs_over_several_pages(client, trained):
    client_pages = Client(client.url)
    with client_pages:
        ids = [job["id"] for job in client_pages.jobs()]
        small = client_pages._pages("/jobs", {"limit": 1})
        assert [job["id"] for job in small] == ids
    assert trained["id"] in [job["id"] for job in client.jobs(state="succeeded")]
    made = client.jobs(model=trained["model"], method="ce")
    assert [job["id"] for job in made] == [trained["id"]]


def test_predict(client, trained, tmp_path):
    model = trained["model"]
    path = tmp_path / "picture.png"
    path.write_bytes(pictures.png(2))
    by_path = client.predict(model, path)
    assert by_path[0]["label"] == "bottom left"
    assert sum(prediction["score"] for prediction in by_path) == pytest.approx(1, abs=1e-5)
    assert client.predict(model, str(path), top_k=1) == by_path[:1]
    assert client.predict(model, pictures.png(2)) == by_path
    many = client.predict(model, [pictures.png(i % 4) for i in range(70)], top_k=1)
    assert [predictions[0]["index"] for predictions in many] == [i % 4 for i in range(70)]
    assert client.predict(model, []) == []


def test_logits(client, trained):
    many = [pictures.png(i % 4) for i in range(70)]
    logits = client.logits(trained["model"], many)
    assert [row.index(max(row)) for row in logits] == [i % 4 for i in range(70)]
    scores = sorted((item["index"], item["score"])
                    for item in client.predict(trained["model"], many[0]))
    total = sum(math.exp(value) for value in logits[0])
    assert [math.exp(value) / total for value in logits[0]] == pytest.approx(
        [score for _, score in scores], abs=1e-4)
    with pytest.raises(ProblemError):
        client.logits(trained["model"], [b"no picture"])


def test_predict_what_is_no_picture(client, trained):
    with pytest.raises(ProblemError) as caught:
        client.predict(trained["model"], b"no picture")
    assert caught.value.status == 400


def test_models_and_weights(client, trained, tmp_path):
    model = client.model(trained["model"])
    assert model in list(client.models())
    assert model["class_names"] == pictures.CLASSES
    path = client.download(model["id"], tmp_path / "weights.safetensors")
    data = path.read_bytes()
    assert len(data) == model["weights_bytes"]
    header = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])
    assert header["conv1.weight"]["shape"] == [16, 3, 3, 3]
    assert [file.name for file in tmp_path.iterdir()] == ["weights.safetensors"]


def test_predict_a_split(client, trained, tmp_path):
    model = trained["model"]
    with pytest.raises(ProblemError) as caught:
        client.evaluation(model, split="train")
    assert caught.value.status == 404
    job = client.submit(method="predict", model=model, dataset=trained["spec"]["dataset"],
                        split="train")
    client.wait(job["id"], progress=False, timeout=120)
    found = list(client.predictions(job["id"]))
    evaluation = client.evaluation(model, split="train", confusion="full", images=True)
    right = sum(item["index"] == item["predicted_index"] for item in found)
    assert len(found) == evaluation["count"]
    assert right == sum(evaluation["confusion"][i][i] for i in range(4))
    assert base64.b64decode(evaluation["worst"][0]["image"]).startswith(b"\x89PNG")
    path = client.download_predictions(job["id"], tmp_path / "predictions.safetensors")
    assert load(path)[0]["logits"].shape == (len(found), 4)
    with pytest.raises(ProblemError):
        list(client.predictions(trained["id"]))
    client.remove(job["id"])


def test_upload_of_a_checkpoint(client, trained, tmp_path):
    torch = pytest.importorskip("torch")
    weights = client.download(trained["model"], tmp_path / "w.safetensors")
    same = client.upload(weights, "resnet8", dataset="quadrants", name="again")
    assert same["weights_sha256"] == client.model(trained["model"])["weights_sha256"]
    types = {"F32": torch.float32, "I64": torch.int64}
    state = {"module." + name: torch.frombuffer(bytearray(tensor.data), dtype=types[tensor.dtype])
             .reshape(tensor.shape) for name, tensor in load(weights)[0].items()}
    torch.save({"epoch": 3, "model": state}, str(tmp_path / "w.pth"))
    model = client.upload(tmp_path / "w.pth", "resnet8", height=8, width=8, mean=[0.5, 0.5, 0.5],
                          deviation="0.25,0.25,0.25")
    assert (model["parameters"], model["dataset"]) == (same["parameters"], None)
    main(["convert", str(tmp_path / "w.pth"), str(tmp_path / "v.safetensors")])
    assert load(tmp_path / "v.safetensors")[0] == load(weights)[0]


def test_remove_a_model(client, trained, fields, tmp_path):
    weights = client.download(trained["model"], tmp_path / "w.safetensors")
    model = client.upload(weights, "resnet8", dataset="quadrants")["id"]
    job = client.submit(**{**fields, "init": model, "epochs": 100000})
    with pytest.raises(ProblemError) as caught:
        client.remove_model(model)
    assert caught.value.status == 409 and job["id"] in str(caught.value)
    client.cancel(job["id"])
    with pytest.raises(JobFailed):
        client.wait(job["id"], progress=False, timeout=60)
    client.remove_model(model)
    assert model not in [found["id"] for found in client.models()]


def test_aliases(client, trained):
    model = trained["model"]
    alias = client.set_alias("prod", model)
    assert (alias["name"], alias["model"]) == ("prod", model)
    assert list(client.aliases()) == [alias]
    assert client.predict("prod", pictures.png(2)) == client.predict(model, pictures.png(2))
    with pytest.raises(ProblemError) as caught:
        client.remove_model(model)
    assert "alias prod" in caught.value.detail
    with pytest.raises(ProblemError) as caught:
        client.set_alias("Prod", model)
    assert [error["field"] for error in caught.value.errors] == ["name"]
    client.remove_alias("prod")
    assert list(client.aliases()) == []


def test_upload_of_what_does_not_fit(client, trained, tmp_path):
    weights = client.download(trained["model"], tmp_path / "w.safetensors")
    before = list(client.models())
    with pytest.raises(ProblemError) as caught:
        client.upload(weights, "resnet14", dataset="quadrants")
    assert caught.value.status == 422 and caught.value.errors[1]["field"] == "weights"
    assert "they are those of resnet8" in str(caught.value)
    assert list(client.models()) == before


def test_command_line(client, trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DISTILLD_URL", client.url)
    weights = client.download(trained["model"], tmp_path / "w.safetensors")
    assert main(["upload", str(weights), "architecture=resnet8", "dataset=quadrants"]) == 0
    assert client.model(json.loads(capsys.readouterr().out)["id"])["architecture"] == "resnet8"
    assert main(["upload", str(weights), "architecture=resnet8", "dataset=none"]) == 1
    assert "there is no data set none" in capsys.readouterr().err
    assert main(["convert", str(tmp_path / "none.pth"), str(tmp_path / "out")]) == 1
    assert main(["convert"]) == main(["fly"]) == main([]) == 2


def test_export(client, trained, tmp_path):
    plain = client.export(trained["model"], tmp_path / "a.onnx").read_bytes()
    whole = client.export(trained["model"], tmp_path / "b.onnx", normalize=True).read_bytes()
    assert b"class_names" in plain and len(whole) > len(plain)
    with pytest.raises(ProblemError):
        client.export("model_01ARZ3NDEKTSV4RRFFQ69G5FAV", tmp_path / "c.onnx")
    assert sorted(os.listdir(tmp_path)) == ["a.onnx", "b.onnx"]


def test_datasets(client):
    assert client.dataset("quadrants")["train_count"] == 256
    assert [dataset["name"] for dataset in client.datasets()] == ["quadrants"]
    with pytest.raises(ProblemError) as caught:
        client.import_dataset("other", "/etc")
    assert caught.value.errors[0]["field"] == "path"


def test_samples(client, trained):
    found = client.samples("quadrants", "test", offset=4, limit=3)
    assert [(item["offset"], item["label"]) for item in found] == [
        (4 + i, pictures.CLASSES[i]) for i in range(3)]
    picture = base64.b64decode(found[1]["image"])
    assert client.predict(trained["model"], picture, top_k=1)[0]["label"] == found[1]["label"]


def test_upload_of_a_data_set(client, service, tmp_path):
    source = pictures.save_dataset(tmp_path / "here")
    (source / "README").write_text("not sent")
    told = []
    found = client.upload_dataset("here", source, progress=lambda *place: told.append(place))
    assert found["sha256"] == client.dataset("quadrants")["sha256"]
    assert {(name, at) for name, at, total in told if at == total} == {
        (name, (source / name).stat().st_size)
        for name in ("train.safetensors", "test.safetensors", "classes.txt")}
    with tarfile.open(tmp_path / "here.tar.gz", "w:gz") as archive:
        archive.add(source, "anything")
    assert client.upload_dataset("archive", tmp_path / "here.tar.gz")["sha256"] == found["sha256"]
    with pytest.raises(ProblemError) as caught:
        client.upload_dataset("here", source)
    assert caught.value.status == 409
    for name in ("here", "archive"):
        client.remove_dataset(name)
    with pytest.raises(ValueError):
        client.upload_dataset("nothing", tmp_path)
    assert list(client.uploads()) == []


def test_upload_of_pictures(client, tmp_path):
    for split in ("train", "val"):
        for label in range(2):
            for i in range(3):
                path = tmp_path / split / f"class{label}" / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(pictures.png(label, i))
    found = client.upload_dataset("pictures", tmp_path)
    assert (found["format"], found["train_count"], found["test_count"]) == ("images", 6, 6)
    client.remove_dataset("pictures")


def test_upload_that_is_refused(client, tmp_path):
    (tmp_path / "train.bin").write_bytes(b"\0\xff" + bytes(3072))
    with pytest.raises(ProblemError) as caught:
        client.upload_dataset("refused", tmp_path)
    assert caught.value.errors[0]["field"] == "train.bin"
    left, = client.uploads()
    client.remove_upload(left["id"])


def test_upload_survives_a_restart_of_the_server(client, service, tmp_path):
    row = b"\0\1" + bytes(3072)
    for name in ("train.bin", "test.bin"):
        (tmp_path / name).write_bytes(row * 3000)
    killed = []

    def kill(name, at, total):
        if name == "train.bin" and at > total // 2 and not killed:
            killed.append(service.kill_child("serve"))
    found = client.upload_dataset("large", tmp_path, progress=kill)
    assert killed and (found["train_count"], found["test_count"]) == (3000, 3000)
    client.remove_dataset("large")


def test_remove_a_dataset(client, service):
    source = pictures.save_dataset(service.folder / "short", train=8, test=8)
    client.import_dataset("short", str(source))
    client.remove_dataset("short")
    with pytest.raises(ProblemError) as caught:
        client.remove_dataset("short")
    assert caught.value.status == 404


def test_what_can_be_trained(client):
    networks = {network["name"]: network for network in client.architectures(classes=10)}
    assert networks["resnet8"]["parameters"] == 78042
    assert client.schema()["properties"]["epochs"]["default"] == 240


def test_progress_line(client, trained):
    assert "succeeded" in describe(trained) and "top1" in describe(trained)
    plain = io.StringIO()
    line = ProgressLine(plain)
    for _ in range(3):
        line.show(trained)
    line.close()
    assert plain.getvalue().count("\n") == 1


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_line_fits_a_terminal(trained, monkeypatch):
    progress = {**trained["progress"], "epoch": 120, "epochs": 240, "fraction": 0.5,
                "remaining_s": 3723.4, "images_per_s": 1234.5}
    monkeypatch.setenv("COLUMNS", "80")
    terminal = Terminal()
    line = ProgressLine(terminal)
    line.show({**trained, "state": "running", "progress": progress})
    line.show(trained)
    first, second = terminal.getvalue().split("\r")[1:]
    assert first.startswith("running  epoch 120/240  50 %  left 1:02:03  loss ")
    assert len(first) <= len(second) == 79 and "top1" in first


def test_service_that_is_not_there():
    with Client("http://127.0.0.1:9", retries=1) as absent:
        assert not absent.is_ready()
        with pytest.raises(ServiceUnreachable):
            absent.job("job_x")
        with pytest.raises(ServiceUnreachable):
            next(absent.metrics("job_x"))


def test_metrics_survive_a_restart_of_the_server(client, service, fields):
    """The stream is opened again where it was; no point is missed or given twice."""
    job = client.submit(**{**fields, "epochs": 6})
    points = []
    for point in client.metrics(job["id"]):
        points.append(point)
        if len(points) == 5:
            server = next(event for event in reversed(service.events("child_started"))
                          if event["child"] == "serve")
            os.kill(server["child_pid"], signal.SIGKILL)
    assert points == client.curve(job["id"])
    assert [point["seq"] for point in points] == list(range(1, len(points) + 1))
