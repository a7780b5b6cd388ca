"""What a run is: where its files lie does not matter, what they hold does."""

import unittest

from cli_case import Case


class Runs(Case):
    def setUp(self):
        super().setUp()
        self.make_dataset()
        self.succeed("train", *self.train_arguments("out"))

    def model(self, out):
        return (self.folder / out / "model.safetensors").read_bytes()

    def test_other_places_are_the_same_run(self):
        data, out = self.folder / "other" / "data", self.folder / "moved"
        data.parent.mkdir()
        (self.folder / "data").rename(data)
        (self.folder / "out").rename(out)
        before = self.model("moved")
        (out / "model.safetensors").unlink()
        self.succeed("train", *self.train_arguments("moved", dataset=data), "resume=1")
        self.assertEqual(self.model("moved"), before)

    def test_what_differs_is_named(self):
        for change, name in [({"epochs": 3}, "epochs"), ({"student": "resnet14"}, "student"),
                             ({"data_seed": 9}, "data_seed")]:
            self.refuse(1, f"another run: {name} differs", "train",
                        *self.train_arguments("out", **change), "resume=1")
        (self.folder / "data" / "classes.txt").write_text("a\nb\nc\nd\n")
        self.refuse(1, "another run: class names, mean or deviation differs", "train",
                    *self.train_arguments("out"), "resume=1")

    def test_a_finished_run_may_be_replaced(self):
        before = self.model("out")
        self.succeed("train", *self.train_arguments("out", seed=2))
        self.assertNotEqual(self.model("out"), before)

    def test_what_cannot_begin_leaves_no_folder(self):
        self.refuse(2, 'did you mean "resnet8"', "train",
                    *self.train_arguments("none", student="resnet9"))
        self.assertFalse((self.folder / "none").exists())

    def test_what_is_quickly_checked_goes_first(self):
        for split in ["train", "test"]:
            (self.folder / "data" / f"{split}.safetensors").write_bytes(b"broken")
        teacher = {"method": "ttm", "temperature": 4, "beta": 1, "teacher": self.folder / "nowhere"}
        self.refuse(1, "teacher: ", "train", *self.train_arguments("new", **teacher))
        self.refuse(2, "init: ", "train", *self.train_arguments("new", init="nowhere"))
        self.refuse(1, "open nowhere", "eval", "model=nowhere", f"dataset={self.folder}/data")

    def test_a_device_that_refuses_is_not_passed_over(self):
        arguments = self.train_arguments("new", device="auto", threads=2)
        if " cpu " not in self.succeed("help").split("backends")[1]:
            self.skipTest("this build has no cpu backend")
        self.refuse(2, "OMP_THREAD_LIMIT", "train", *arguments, OMP_THREAD_LIMIT="1")

    def test_precision_of_another_device(self):
        small = ["student=resnet8", "height=8", "width=8", "batch_size=4", "steps=1", "warmup=0"]
        self.refuse(2, "ref backend does not compute in bf16", "bench", *small, "device=ref",
                    "precision=bf16")
        self.refuse(2, "tf32 is for device cuda", "bench", "loss=4x10", "precision=tf32")


if __name__ == "__main__":
    unittest.main()
