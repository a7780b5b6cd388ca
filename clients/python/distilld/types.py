"""What the service answers, as typed dictionaries; openapi.yaml describes every field."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, TypedDict


class Progress(TypedDict):
    epoch: int
    epochs: int
    step: int
    steps: int
    checkpoint: int
    fraction: float
    images_per_s: Optional[float]
    remaining_s: Optional[float]
    phase: Optional[str]


class Point(TypedDict):
    """A point of a learning curve; missing numbers are None."""

    seq: int
    time: str
    phase: str
    epoch: int
    step: int
    loss: Optional[float]
    ce: Optional[float]
    distill: Optional[float]
    top1: Optional[float]
    top5: Optional[float]
    learning_rate: Optional[float]
    images_per_s: Optional[float]


class JobEvent(TypedDict):
    """Something that happened to a job; epoch and step are -1 where it is about none."""

    seq: int
    time: str
    event: str
    state: str
    requested: Optional[str]
    attempt: int
    worker: Optional[str]
    epoch: int
    step: int
    message: Optional[str]


class LatestMetrics(TypedDict):
    train: Optional[Point]
    eval: Optional[Point]
    best: Optional[Point]


class Job(TypedDict):
    id: str
    state: str
    requested: Optional[str]
    spec: Dict[str, Any]
    waits_for: List[str]
    attempt: int
    worker: Optional[str]
    progress: Progress
    metrics: LatestMetrics
    model: Optional[str]
    rerun_of: Optional[str]
    owner: Optional[str]
    reproducible: bool
    error: Optional[Dict[str, Any]]
    created: str
    started: Optional[str]
    finished: Optional[str]
    estimated_finish: Optional[str]
    updated: str


class DryRun(TypedDict):
    spec: Dict[str, Any]
    estimate: Dict[str, Any]


class Checkpoint(TypedDict):
    """Weights that a job kept on its way."""

    id: str
    created: str
    step: int
    bytes: int


class Worker(TypedDict):
    """A process that trains; state is idle, running, ended or lost."""

    name: str
    state: str
    host: Optional[str]
    pid: int
    version: Optional[str]
    engine: Optional[str]
    devices: List[str]
    since: Optional[str]
    heard: Optional[str]
    job: Optional[str]
    attempt: int


class Webhook(TypedDict):
    """A URL that is told what happens to jobs; the secret is known only where it was created."""

    id: str
    url: str
    events: List[str]
    tag: Optional[str]
    secret: Optional[str]
    created: str
    disabled: bool
    waiting: int
    delivered: int
    given_up: int
    failures: int
    last_time: Optional[str]
    last_status: int
    last_error: Optional[str]


class WebhookMessage(TypedDict):
    """What a webhook is sent; data is the job as it was then."""

    type: str
    timestamp: str
    data: Dict[str, Any]


class Rerun(TypedDict):
    job: Job
    identical: Optional[bool]
    differences: List[str]


class PredictedPicture(TypedDict):
    """What a model made of a picture at a place of a split."""

    offset: int
    index: int
    label: str
    predicted_index: int
    predicted: str
    score: float


class _Evaluation(TypedDict):
    count: int
    loss: Optional[float]
    top1: Optional[float]
    top5: Optional[float]
    ece: Optional[float]
    brier: Optional[float]
    precision: str
    dataset_sha256: str
    classes: List[Dict[str, Any]]
    confusions: List[Dict[str, Any]]
    bins: List[Dict[str, Any]]
    worst: List[Dict[str, Any]]
    model: str
    dataset: str
    split: str


class Evaluation(_Evaluation, total=False):
    """How well a model classifies a split; the whole matrix of confusion if it was asked for."""

    confusion: List[List[int]]


class Model(TypedDict):
    """A model; what only training tells is None of one that was uploaded."""

    id: str
    name: Optional[str]
    job: Optional[str]
    created: str
    architecture: str
    dataset: Optional[str]
    method: Optional[str]
    teacher: Optional[str]
    precision: Optional[str]
    height: int
    width: int
    channels: int
    classes: int
    parameters: int
    weights_bytes: int
    weights_sha256: str
    epoch: int
    loss: Optional[float]
    top1: Optional[float]
    top5: Optional[float]
    best_epoch: int
    best_top1: Optional[float]
    reproducible: bool
    engine: Optional[str]
    dataset_sha256: Optional[str]
    class_names: List[str]
    spec: Optional[Dict[str, Any]]


class Key(TypedDict):
    """An API key; roles are read, predict, submit and admin."""

    name: str
    roles: List[str]
    created: str
    requests_per_s: float
    requests_burst: int
    active_jobs: int


class NewKey(TypedDict):
    key: Key
    secret: str


class Alias(TypedDict):
    name: str
    model: str
    changed: str


class Dataset(TypedDict):
    name: str
    format: str
    created: str
    height: int
    width: int
    channels: int
    classes: int
    train_count: int
    test_count: int
    sha256: str
    mean: List[float]
    deviation: List[float]
    class_names: List[str]


class UploadFile(TypedDict):
    name: str
    bytes: int
    complete: bool


class Upload(TypedDict):
    id: str
    name: str
    created: str
    expires: str
    bytes: int
    files: List[UploadFile]


class Sample(TypedDict):
    offset: int
    label: str
    index: int
    height: int
    width: int
    image: str  # a PNG file in base64


class Architecture(TypedDict):
    name: str
    description: str
    origin: str
    height: int
    width: int
    channels: int
    classes: int
    parameters: int
    multiply_adds: int


class Prediction(TypedDict):
    label: str
    index: int
    score: float


class FieldError(TypedDict):
    field: str
    value: Any
    detail: str
    range: Optional[str]
