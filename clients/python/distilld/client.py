"""The client: one method for each thing that the service does."""

from __future__ import annotations

import base64
import json
import os
import tempfile
import time
import uuid
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Union, cast, overload

import httpx

from .errors import JobFailed, ProblemError, ServiceUnreachable
from .events import Event, read_events, read_lines
from .files import Picture, batches, content_type, picture_bytes, save
from .progress import ProgressLine
from .recipes import spec_of_recipe
from .transport import COME_BACK_LATER, Transport, path_of, pause_s
from .types import (Alias, Architecture, Checkpoint, Dataset, DryRun, Evaluation, Job, JobEvent,
                    Key, Model, NewKey, Point, PredictedPicture, Prediction, Rerun, Sample, Upload,
                    Webhook, Worker)
from .uploads import content_range, find, pieces, sources
from .weights import PathLike, pth_to_safetensors

FINISHED = ("succeeded", "failed", "cancelled")
CHECKPOINTS = (".pth", ".pt", ".tar")  # of PyTorch
CONFLICT = 409  # while the server does not know yet that a connection is gone
HEARTBEAT_S = 15  # a stream is never silent for longer


class Client(Transport):
    """A connection to one service; close it, or use it as a context manager.

    url is the service's address; by default what the environment variable DISTILLD_URL says, or
    http://127.0.0.1:8080. key is the secret of an API key, where the service asks for one; by default
    what DISTILLD_KEY says. A request that may safely be repeated is sent up to `retries` times more
    when the service cannot be reached or asks to come back later. A client may be used by several
    threads.
    """

    # Jobs

    def submit(self, *, recipe: Optional[PathLike] = None,
               idempotency_key: Optional[str] = None, **spec: Any) -> Job:
        """Launches a job; the keywords are its fields (method, student, dataset, teacher, ...).

        recipe is a file of name=value lines, whose fields those of the keywords replace.
        Repeating it with the same key and fields gives the job that exists. Without a key each call
        is a job of its own, however often it has to be sent.
        """
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return cast(Job, self._json("POST", "/jobs", json=self._spec(recipe, spec),
                                    headers=headers))

    def estimate(self, *, recipe: Optional[PathLike] = None,
                 **spec: Any) -> DryRun:
        """What a job would cost, and its fields with all defaults, without launching it."""
        return cast(DryRun, self._json("POST", "/jobs", json=self._spec(recipe, spec),
                                       params={"dry_run": "true"}))

    def _spec(self, recipe: Optional[PathLike],
              said: Dict[str, Any]) -> Dict[str, Any]:
        return said if recipe is None else spec_of_recipe(recipe, self.schema(), said)

    def job(self, job_id: str, wait_s: int = 0) -> Job:
        """The job as it is now, or as soon as its state changes, within so many seconds."""
        path = path_of("jobs", job_id)
        if not wait_s:
            return cast(Job, self._json("GET", path))
        return cast(Job, self._json("GET", path, params={"wait_s": wait_s},
                                    timeout=self.timeout + wait_s))

    def jobs(self, state: Optional[str] = None, **terms: str) -> Iterator[Job]:
        """Jobs, newest first: all, or those in a state and of these method, student, dataset,
        teacher, model, tag and owner."""
        params = {**terms, "state": state} if state else dict(terms)
        return cast(Iterator[Job], self._pages("/jobs", params))

    def cancel(self, job_id: str) -> Job:
        """Cancels a job; one that runs has `requested` set until its worker has stopped."""
        return cast(Job, self._json("POST", path_of("jobs", job_id, "cancel")))

    def edit(self, job_id: str, **fields: Any) -> Job:
        """Changes name, tags or priority; what is not given stays as it is."""
        return cast(Job, self._json("PATCH", path_of("jobs", job_id), json=fields))

    def pause(self, job_id: str) -> Job:
        """Lets a job wait; one that runs has `requested` set until its checkpoint is written."""
        return cast(Job, self._json("POST", path_of("jobs", job_id, "pause")))

    def resume(self, job_id: str) -> Job:
        """Lets a paused job go on from its checkpoint."""
        return cast(Job, self._json("POST", path_of("jobs", job_id, "resume"), safe=False))

    def retry(self, job_id: str) -> Job:
        """Queues a failed job again."""
        return cast(Job, self._json("POST", path_of("jobs", job_id, "retry"), safe=False))

    def rerun(self, job_id: str, *, idempotency_key: Optional[str] = None) -> Rerun:
        """Launches a job with the exact spec of another; says whether its bytes will be the same."""
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return cast(Rerun, self._json("POST", path_of("jobs", job_id, "rerun"), headers=headers))

    def remove(self, job_id: str) -> None:
        """Removes a finished job; its model stays."""
        self._request("DELETE", path_of("jobs", job_id), safe=False)

    def wait(self, job_id: str, *, progress: bool = True, timeout: Optional[float] = None) -> Job:
        """Waits until a job has succeeded and returns it; JobFailed when it did not.

        Shows a live line on standard error unless progress is False. TimeoutError after timeout
        seconds.
        """
        line = ProgressLine() if progress else None
        end = None if timeout is None else time.monotonic() + timeout
        try:
            job = self._follow(job_id, line, end)
        finally:
            if line:
                line.close()
        if job["state"] != "succeeded":
            raise JobFailed(job)
        return job

    def _follow(self, job_id: str, line: Optional[ProgressLine], end: Optional[float]) -> Job:
        """Looks every second to show the progress, or else only when the state changes."""
        longest = 1.0 if line else 30.0
        wait_s = 0
        while True:
            job = self.job(job_id, wait_s)
            if line:
                line.show(job)
            if job["state"] in FINISHED:
                return job
            left = longest if end is None else end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{job_id} is still {job['state']}")
            wait_s = max(1, int(min(longest, left)))

    # Learning curves

    def metrics(self, job_id: str, since: int = 0) -> Iterator[Point]:
        """The points of a job's learning curve as they appear, until the job ends.

        A connection that is lost is opened again; no point is missed or given twice.
        """
        return cast(Iterator[Point], self._follow_series(path_of("jobs", job_id, "metrics"), since))

    def events(self, job_id: str, since: int = 0) -> Iterator[JobEvent]:
        """What happens to a job (claim, epoch, checkpoint, pause, ...), until it ends."""
        path = path_of("jobs", job_id, "events")
        return cast(Iterator[JobEvent], self._follow_series(path, since))

    def history(self, job_id: str, since: int = 0) -> List[JobEvent]:
        """What has happened to a job so far."""
        page = self._json("GET", path_of("jobs", job_id, "events"), params={"since": since})
        return cast(List[JobEvent], page["events"])

    def _follow_series(self, path: str, since: int) -> Iterator[Any]:
        failures = 0
        while True:
            try:
                for event in self._events(path, since):
                    failures = 0
                    if event.name == "end":
                        return
                    item = json.loads(event.data)
                    since = item["seq"]
                    yield item
            except ServiceUnreachable:
                failures += 1
                if failures > self.retries:
                    raise
            except ProblemError as error:
                failures += 1
                if failures > self.retries or error.status not in COME_BACK_LATER:
                    raise
            time.sleep(pause_s(failures))

    def _events(self, path: str, since: int) -> Iterator[Event]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(since)}
        timeout = httpx.Timeout(self.timeout, read=3 * HEARTBEAT_S)
        with self._stream(path, headers=headers, timeout=timeout, retries=0) as response:
            yield from read_events(read_lines(response.iter_bytes()))

    def curve(self, job_id: str, since: int = 0) -> List[Point]:
        """The points so far."""
        points: List[Point] = []
        while True:
            page = self._json("GET", path_of("jobs", job_id, "metrics"), params={"since": since})
            points += page["points"]
            if not page["points"]:
                return points
            since = page["next"]

    def logs(self, job_id: str, tail: Optional[int] = None) -> str:
        """What a job's runs said: all lines that are kept, or the last so many."""
        params = {} if tail is None else {"tail": tail}
        return self._request("GET", path_of("jobs", job_id, "logs"), params=params).text

    def checkpoints(self, job_id: str) -> List[Checkpoint]:
        """The weights that a job kept on its way, the newest first; init takes their ids."""
        page = self._json("GET", path_of("jobs", job_id, "checkpoints"))
        return cast(List[Checkpoint], page["items"])

    def download_checkpoint(self, checkpoint_id: str, path: PathLike) -> Path:
        """Writes the weights of a checkpoint (safetensors) to a file."""
        return self._save(path_of("checkpoints", checkpoint_id), {}, path)

    def predictions(self, job_id: str) -> Iterator[PredictedPicture]:
        """What a job of method predict has predicted, picture by picture."""
        with self._stream(path_of("jobs", job_id, "predictions")) as response:
            for line in read_lines(response.iter_bytes()):
                yield cast(PredictedPicture, json.loads(line))

    def download_predictions(self, job_id: str, path: PathLike, *,
                             form: str = "safetensors") -> Path:
        """Writes them to a file: safetensors (logits and labels), csv or jsonl."""
        return self._save(path_of("jobs", job_id, "predictions"), {"format": form}, path)

    # Models

    def models(self) -> Iterator[Model]:
        """All models, newest first."""
        return cast(Iterator[Model], self._pages("/models", {}))

    def model(self, model_id: str) -> Model:
        """A model's description."""
        return cast(Model, self._json("GET", path_of("models", model_id)))

    def evaluation(self, model_id: str, **terms: Any) -> Evaluation:
        """How well a model classifies: classes, confusions, calibration, worst pictures.

        The keywords are the parameters of GET /models/{id}/evaluation: dataset and split of an
        evaluation that a job of method predict has made, confusion="full", images=True.
        """
        params = {name: str(value).lower() if isinstance(value, bool) else value
                  for name, value in terms.items()}
        return cast(Evaluation, self._json("GET", path_of("models", model_id, "evaluation"),
                                           params=params))

    def remove_model(self, model_id: str) -> None:
        """Removes a model; a ProblemError of status 409 while a job needs it."""
        self._request("DELETE", path_of("models", model_id), safe=False)

    def aliases(self) -> Iterator[Alias]:
        """The names that stand for models, by name; wherever a model is named one is taken."""
        return cast(Iterator[Alias], self._pages("/aliases", {}))

    def set_alias(self, name: str, model: str) -> Alias:
        """Lets a name stand for a model from now on."""
        return cast(Alias, self._json("PUT", path_of("aliases", name), json={"model": model}))

    def remove_alias(self, name: str) -> None:
        """Removes an alias; its model stays."""
        self._request("DELETE", path_of("aliases", name), safe=False)

    def upload(self, path: PathLike, architecture: str, *,
               timeout: float = 3600.0, **fields: Any) -> Model:
        """Makes a model of a state dict: a .safetensors file, or a .pth, which is converted first.

        The keywords are the parameters of POST /models: dataset, or height, width, mean and
        deviation; name, classes, resize_size, interpolation. Lists may be lists.
        """
        params = {name: ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value
                  for name, value in {"architecture": architecture, **fields}.items()}
        with tempfile.TemporaryDirectory() as folder:
            source = Path(os.fspath(path))
            if source.suffix in CHECKPOINTS:
                converted = Path(folder) / "weights.safetensors"
                pth_to_safetensors(source, converted)
                source = converted
            with open(source, "rb") as file:
                return cast(Model, self._json(
                    "POST", "/models", params=params, content=file, timeout=timeout, safe=False,
                    headers={"Content-Type": "application/octet-stream",
                             "Content-Length": str(source.stat().st_size)}))

    def download(self, model_id: str, path: PathLike) -> Path:
        """Writes a model's weights (safetensors) to a file, checked against their SHA-256."""
        with self._stream(path_of("models", model_id, "weights")) as response:
            return save(response, path, tag=response.headers.get("ETag", ""))

    def export(self, model_id: str, path: PathLike, *,
               normalize: bool = False) -> Path:
        """Writes a model as ONNX; with normalize it takes pixels in 0..1, else normalised ones."""
        params = {"format": "onnx", "normalize": str(normalize).lower()}
        return self._save(path_of("models", model_id, "weights"), params, path)

    def _save(self, source: str, params: Dict[str, str], path: PathLike) -> Path:
        with self._stream(source, params=params) as response:
            return save(response, path)

    @overload  # a str is a path, though it is a sequence as well
    def predict(self, model: str, pictures: Picture,  # type: ignore[overload-overlap]
                top_k: int = 5) -> List[Prediction]: ...

    @overload
    def predict(self, model: str, pictures: Sequence[Picture],
                top_k: int = 5) -> List[List[Prediction]]: ...

    def predict(self, model: str, pictures: Union[Picture, Sequence[Picture]],
                top_k: int = 5) -> Any:
        """Classifies a picture, or several, given as paths or as the bytes of JPEG or PNG files.

        One picture gives a list of predictions, best first; several give a list of such lists.
        """
        if isinstance(pictures, (str, bytes, os.PathLike)):
            body = picture_bytes(pictures)
            answer = self._json("POST", "/predict", content=body,
                                headers={"Content-Type": content_type(body)},
                                params={"model": model, "top_k": top_k})
            return answer["predictions"][0]
        found: List[List[Prediction]] = []
        for bodies in batches(pictures):
            images = [base64.b64encode(body).decode() for body in bodies]
            request = {"model": model, "top_k": top_k, "images": images}
            found += self._json("POST", "/predict", json=request)["predictions"]
        return found

    def logits(self, model: str, pictures: Sequence[Picture]) -> List[List[float]]:
        """What a model says of pictures before the softmax: a list of all classes for each."""
        found: List[List[float]] = []
        for bodies in batches(pictures):
            form = [("images", ("picture", body, content_type(body))) for body in bodies]
            found += self._json("POST", "/predict", files=form,
                                params={"model": model, "output": "logits", "top_k": 1})["logits"]
        return found

    # Data sets

    def datasets(self) -> Iterator[Dataset]:
        """All registered data sets, by name."""
        return cast(Iterator[Dataset], self._pages("/datasets", {}))

    def dataset(self, name: str) -> Dataset:
        """A registered data set."""
        return cast(Dataset, self._json("GET", path_of("datasets", name)))

    def import_dataset(self, name: str, path: str, *, timeout: float = 3600.0) -> Dataset:
        """Registers a folder on the server (under one of its import roots) as a data set."""
        return cast(Dataset, self._json("POST", "/datasets", json={"name": name, "path": path},
                                        timeout=timeout, safe=False))

    def upload_dataset(self, name: str, path: PathLike, *,
                       upload: Optional[str] = None, timeout: float = 3600.0,
                       progress: Optional[Callable[[str, int, int], None]] = None) -> Dataset:
        """Registers a folder of this machine as a data set, or a .tar or .tar.gz of one.

        It is sent file by file; what breaks off goes on where it ended, also in another call with
        `upload`, the id of an upload that was begun before. progress is told a file's name, how much
        of it has been read, and its size.
        """
        with tempfile.TemporaryDirectory() as folder:
            found = sources(Path(os.fspath(path)), Path(folder))
            if upload is None:
                upload = self._json("POST", "/uploads", json={"name": name}, safe=False)["id"]
            for file, source in found.items():
                self._send_file(upload, file, source, progress)
        return cast(Dataset, self._json("POST", path_of("uploads", upload, "finish"),
                                        timeout=timeout, safe=False))

    def _send_file(self, upload: str, name: str, source: Path,
                   progress: Optional[Callable[[str, int, int], None]]) -> None:
        total, last, failures = source.stat().st_size, -1, 0
        while True:
            part = find(cast(Upload, self._json("GET", path_of("uploads", upload))), name)
            if part["complete"]:
                return
            failures = 0 if part["bytes"] > last else failures + 1
            last = part["bytes"]
            if failures:
                time.sleep(pause_s(failures))
            try:
                with open(source, "rb") as file:
                    file.seek(last)
                    moved = progress and partial(_tell, progress, name, total)
                    self._json("PUT", path_of("uploads", upload, "files", name), safe=False,
                               headers=content_range(last, total), content=pieces(file, moved))
            except (ServiceUnreachable, ProblemError) as error:
                refused = isinstance(error, ProblemError) and \
                    error.status not in (CONFLICT, *COME_BACK_LATER)
                if refused or failures >= self.retries:
                    raise

    def uploads(self) -> Iterator[Upload]:
        """The uploads that are open, the oldest first."""
        return cast(Iterator[Upload], self._pages("/uploads", {}))

    def remove_upload(self, upload_id: str) -> None:
        """Removes an upload with all that has arrived."""
        self._request("DELETE", path_of("uploads", upload_id), safe=False)

    def samples(self, name: str, split: str = "train", *, offset: int = 0,
                limit: int = 8) -> List[Sample]:
        """Some pictures of a data set with their classes; `image` is a PNG file in base64."""
        params = {"split": split, "offset": offset, "limit": limit}
        page = self._json("GET", path_of("datasets", name, "samples"), params=params)
        return cast(List[Sample], page["items"])

    def remove_dataset(self, name: str) -> None:
        """Removes a data set; a ProblemError of status 409 while a job needs it."""
        self._request("DELETE", path_of("datasets", name), safe=False)

    # What can be trained

    def architectures(self, **size: int) -> List[Architecture]:
        """The networks that take pictures of a size (height, width, channels, classes)."""
        return cast(List[Architecture], self._json("GET", "/architectures", params=size)["items"])

    def schema(self) -> Dict[str, Any]:
        """The fields of a job as a JSON Schema."""
        return cast(Dict[str, Any], self._json("GET", "/schema"))

    # Webhooks

    def add_webhook(self, url: str, **fields: Any) -> Webhook:
        """Registers a URL that is told what happens to jobs; fields are events and tag. Keep the
        secret: it is told only now, and verify_webhook needs it."""
        return cast(Webhook, self._json("POST", "/webhooks", safe=False, json={"url": url, **fields}))

    def webhooks(self) -> Iterator[Webhook]:
        """All webhooks, oldest first."""
        return cast(Iterator[Webhook], self._pages("/webhooks", {}))

    def webhook(self, webhook_id: str) -> Webhook:
        """A webhook and how its last message fared."""
        return cast(Webhook, self._json("GET", path_of("webhooks", webhook_id)))

    def test_webhook(self, webhook_id: str) -> str:
        """Sends it a message of type webhook.test; answers the message's id."""
        sent = self._json("POST", path_of("webhooks", webhook_id, "test"), safe=False)
        return cast(str, sent["id"])

    def remove_webhook(self, webhook_id: str) -> None:
        """Removes it with what it was not sent yet."""
        self._request("DELETE", path_of("webhooks", webhook_id), safe=False)

    # The service

    def workers(self) -> List[Worker]:
        """The workers that are there or were in the last hour, by name."""
        return cast(List[Worker], self._json("GET", "/workers")["items"])

    def keys(self) -> Iterator[Key]:
        """The API keys, by name, without their secrets."""
        return cast(Iterator[Key], self._pages("/keys", {}))

    def make_key(self, name: str, roles: Sequence[str], **limits: float) -> NewKey:
        """Makes an API key; the secret is answered this once. The keywords are limits of its own:
        requests_per_s, requests_burst, active_jobs."""
        body = {"name": name, "roles": list(roles), **limits}
        return cast(NewKey, self._json("POST", "/keys", json=body, safe=False))

    def edit_key(self, name: str, **fields: Any) -> Key:
        """Changes roles or limits of an API key; what is not given stays as it is."""
        return cast(Key, self._json("PATCH", path_of("keys", name), json=fields))

    def remove_key(self, name: str) -> None:
        """Removes an API key; it is refused from then on."""
        self._request("DELETE", path_of("keys", name), safe=False)

    def is_ready(self) -> bool:
        """The service answers and can take work."""
        try:
            return self._http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False


def _tell(progress: Callable[[str, int, int], None], name: str, total: int, at: int) -> None:
    progress(name, at, total)
