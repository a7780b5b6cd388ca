"""Client of distilld, a service that distils image classifiers.

    from distilld import Client

    with Client("http://127.0.0.1:8080") as client:
        teacher = client.submit(method="ce", student="resnet20", dataset="fashion_mnist", epochs=2)
        teacher = client.wait(teacher["id"])
        job = client.submit(method="wttm", teacher=teacher["model"], student="resnet8",
                            dataset="fashion_mnist", gamma=0.25, beta=2, epochs=2)
        for point in client.metrics(job["id"]):
            print(point["step"], point["loss"])
        print(client.predict(client.job(job["id"])["model"], "shoe.png"))
"""

from .client import Client
from .errors import (DistilldError, JobFailed, ProblemError, ServiceUnreachable,
                     WrongSignature)
from .types import (Alias, Architecture, Checkpoint, Dataset, DryRun, Evaluation, FieldError, Job,
                    JobEvent, Key, Model, NewKey, Point, PredictedPicture, Prediction, Progress,
                    Rerun, Sample, Upload, UploadFile, Webhook, WebhookMessage, Worker)
from .webhooks import verify_webhook
from .weights import Tensor, pth_to_safetensors, read_pth, write_safetensors

__all__ = [
    "Alias", "Architecture", "Checkpoint", "Client", "Dataset", "DistilldError", "DryRun",
    "Evaluation", "FieldError", "Job", "JobEvent", "JobFailed", "Key", "Model", "NewKey", "Point",
    "PredictedPicture", "Prediction", "ProblemError", "Progress", "Rerun", "Sample",
    "ServiceUnreachable", "Tensor", "Upload", "UploadFile", "Webhook", "WebhookMessage", "Worker",
    "WrongSignature", "pth_to_safetensors", "read_pth", "verify_webhook", "write_safetensors",
]
__version__ = "0.1.0"
