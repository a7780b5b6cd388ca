"""onnx_runner.py: for each folder that a line of its input names, checks model.onnx, runs it on each
tensor of x.safetensors, and writes y.safetensors and notes.json, its metadata. Answers with a line of
JSON: what went wrong, or "". Runs in the environment that onnx_runtime.py makes."""

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


def main():
    for line in sys.stdin:
        wrong = ""
        try:
            run(pathlib.Path(line.rstrip("\n")))
        except Exception as error:  # pylint: disable=broad-except
            wrong = f"{type(error).__name__}: {error}"
        print(json.dumps(wrong), flush=True)


if __name__ == "__main__":
    main()
