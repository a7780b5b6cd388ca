"""onnx_runner.py FOLDER...: checks model.onnx, runs it on each tensor of x.safetensors, and writes
y.safetensors and notes.json, its metadata. Runs in the environment that onnx_runtime.py makes."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import onnx  # noqa: E402
import onnxruntime  # noqa: E402

from pytorch import safetensors_io  # noqa: E402


def run(folder):
    path = str(folder / "model.onnx")
    onnx.checker.check_model(path, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (x,), (y,) = session.get_inputs(), session.get_outputs()
    assert (x.name, x.shape[0], y.name, y.shape[0]) == ("input", "batch", "logits", "batch")
    (folder / "notes.json").write_text(json.dumps(session.get_modelmeta().custom_metadata_map))
    inputs = safetensors_io.load(folder / "x.safetensors")
    safetensors_io.save(folder / "y.safetensors",
                        {name: session.run(["logits"], {"input": array})[0]
                         for name, array in inputs.items()})


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        run(pathlib.Path(argument))
