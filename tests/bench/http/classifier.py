"""What both Python servers share: pictures to classes with ONNX Runtime."""

import io

import numpy
import onnxruntime
from PIL import Image


class Classifier:
    """An ONNX model whose input is pixels in 0..1, channels first."""

    def __init__(self, path, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0]
        self.size = self.input.shape[3], self.input.shape[2]

    def decode(self, data):
        """One picture as float32 [channels,height,width]."""
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        if picture.size != self.size:
            picture = picture.resize(self.size, Image.Resampling.BILINEAR)
        return numpy.asarray(picture, numpy.float32).transpose(2, 0, 1) / 255

    def classify(self, pictures):
        """The five best classes of each picture."""
        logits = self.session.run(None, {self.input.name: numpy.stack(pictures)})[0]
        exponents = numpy.exp(logits - logits.max(axis=1, keepdims=True))
        scores = exponents / exponents.sum(axis=1, keepdims=True)
        best = numpy.argsort(-scores, axis=1)[:, :5]
        return [[{"index": int(i), "score": float(row[i])} for i in order]
                for row, order in zip(scores, best)]
