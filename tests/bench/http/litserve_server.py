"""The LitServe server to compare with; pictures come as base64 in JSON, the form that it reads.

    litserve_server.py PORT MODEL batch=N workers=N threads=N"""

import base64
import sys

import litserve
from classifier import Classifier


class Api(litserve.LitAPI):
    def __init__(self, model, threads, **options):
        super().__init__(**options)
        self.path, self.threads = model, threads

    def setup(self, device):
        self.classifier = Classifier(self.path, self.threads)

    def decode_request(self, request):
        return self.classifier.decode(base64.b64decode(request["image"]))

    def batch(self, inputs):
        return inputs

    def predict(self, inputs):
        if isinstance(inputs, list):
            return self.classifier.classify(inputs)
        return self.classifier.classify([inputs])[0]

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return {"predictions": [output]}


if __name__ == "__main__":
    port, model = int(sys.argv[1]), sys.argv[2]
    options = {key: int(value) for key, value in (word.split("=") for word in sys.argv[3:])}
    api = Api(model, options["threads"], max_batch_size=options["batch"], batch_timeout=0.0)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=options["workers"],
                                healthcheck_path="/healthz", track_requests=False)
    server.run(host="127.0.0.1", port=port, log_level="error", generate_client_file=False,
               access_log=False)
