"""One run of `distill train` on given tensors, in a folder of its own."""

import dataclasses
import pathlib

import distill_cli
import inputs
from pytorch import safetensors_io


@dataclasses.dataclass
class Run:
    """A case with its weights (student's and teacher's, by name) and data, on a device."""

    case: object
    weights: tuple
    data: dict
    device: distill_cli.Device
    folder: pathlib.Path

    def write(self):
        inputs.save_data(self.folder / "data", self.data)
        safetensors_io.save(self.folder / "init.safetensors", self.weights[0])
        teacher = self.case.architectures[1]
        inputs.save_model(self.folder / "teacher.safetensors", teacher, self.weights[1])

    def arguments(self):
        """Of `distill train`; every step is reported."""
        given = {
            **self.case.full_spec(),
            "student": self.case.architectures[0],
            "dataset": self.folder / "data",
            "init": self.folder / "init.safetensors",
            "out": self.folder / "out",
            "report_every": 1,
            "checkpoint_every": 1,
            "threads": 2,
        }
        if given["method"] != "ce":
            given["teacher"] = self.folder / "teacher.safetensors"
        return given

    def result(self, points):
        """Train points and evaluations, the last of each step, and the trained model's tensors."""
        of_phase = {"train": {}, "eval": {}}
        for point in points:
            of_phase[point["phase"]][point["step"]] = point
        return {
            "points": [point for _, point in sorted(of_phase["train"].items())],
            "evaluations": [point for _, point in sorted(of_phase["eval"].items())],
            "tensors": safetensors_io.load(self.folder / "out" / "model.safetensors"),
        }

    def train(self):
        self.write()
        return self.result(self.device.lines("train", **self.arguments()))

    def train_interrupted(self, step):
        """The same with an interrupt after that step's point, and another process to go on."""
        self.write()
        arguments = self.arguments()
        first = self.device.lines_until(lambda point: point["step"] >= step, "train", **arguments)
        second = self.device.lines("train", resume=True, **arguments)
        return self.result(first + second)
