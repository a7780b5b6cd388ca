"""The FastAPI server to compare with: uvicorn with uvloop and httptools, ONNX Runtime.

    fastapi_server.py PORT MODEL batch=0|1 workers=N threads=N

batch=0 classifies each request alone in a thread of the pool; batch=1 puts what waits into one batch, as
distilld does."""

import asyncio
import os
import sys

import uvicorn
from classifier import Classifier
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool

MAX_BATCH = 64
app = FastAPI()


class Batcher:
    """One batch at a time, of all that waits; no delay when idle."""

    def __init__(self, classifier):
        self.classifier = classifier
        self.waiting = asyncio.Queue()
        self.task = asyncio.create_task(self.run())

    def work(self, bodies):
        return self.classifier.classify([self.classifier.decode(body) for body in bodies])

    async def run(self):
        while True:
            batch = [await self.waiting.get()]
            while len(batch) < MAX_BATCH and not self.waiting.empty():
                batch.append(self.waiting.get_nowait())
            answers = await run_in_threadpool(self.work, [body for body, _ in batch])
            for (_, future), answer in zip(batch, answers):
                future.set_result(answer)

    async def classify(self, body):
        future = asyncio.get_running_loop().create_future()
        await self.waiting.put((body, future))
        return await future


@app.on_event("startup")
async def load():
    app.state.classifier = Classifier(os.environ["PEER_MODEL"], int(os.environ["PEER_THREADS"]))
    app.state.batcher = Batcher(app.state.classifier) if os.environ["PEER_BATCH"] == "1" else None


@app.get("/healthz")
async def healthz():
    return {"status": "ok"}


def classify_one(body):
    classifier = app.state.classifier
    return classifier.classify([classifier.decode(body)])[0]


@app.post("/predict")
async def predict(request: Request):
    body = await request.body()
    if app.state.batcher:
        return {"predictions": [await app.state.batcher.classify(body)]}
    return {"predictions": [await run_in_threadpool(classify_one, body)]}


if __name__ == "__main__":
    port, model = int(sys.argv[1]), sys.argv[2]
    options = dict(word.split("=") for word in sys.argv[3:])
    os.environ.update(PEER_MODEL=model, PEER_THREADS=options["threads"], PEER_BATCH=options["batch"])
    uvicorn.run("fastapi_server:app", host="127.0.0.1", port=port, workers=int(options["workers"]),
                log_level="error", access_log=False)
