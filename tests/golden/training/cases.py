"""The runs that are compared with PyTorch, once with stored weights and results and once with
fresh ones: about ten steps each."""

import dataclasses

import inputs
from pytorch import philox

COMMON = {
    "method": "ce",
    "epochs": 2,
    "batch_size": 16,
    "learning_rate": 0.05,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "ce_weight": 1.0,
    "schedule": "constant",
    "shuffle": False,
    "augment": "none",
}
KD = {"method": "kd", "temperature": 4.0, "ce_weight": 0.1, "beta": 0.9}
TTM = {"method": "ttm", "temperature": 5.0, "beta": 2.0}
WTTM = {"method": "wttm", "temperature": 2.5, "beta": 0.7}
DEIT = {"optimizer": "adamw", "learning_rate": 0.003, "weight_decay": 0.05, "decay_all": False,
        "clip_norm": 1.0, "label_smoothing": 0.1, "schedule": "cosine", "warmup_epochs": 0.6,
        "warmup_factor": 1e-3, "epsilon": 1e-4, "min_learning_rate": 1e-5}
MIXED = {"shuffle": True, "augment": "standard", "crop_padding": 3, "flip": True, "data_seed": 11}


@dataclasses.dataclass
class Case:
    """What differs from COMMON; count pictures make four batches and one of five."""

    spec: dict
    count: int = 69
    architectures: tuple = ("resnet8", "resnet14")

    def full_spec(self):
        """COMMON's momentum is of sgd alone."""
        common = dict(COMMON)
        if self.spec.get("optimizer") == "adamw":
            del common["momentum"]
        return {**common, **self.spec}

    def data(self, seed):
        """With the batches that shuffling and augmentation make of it."""
        spec, made = self.full_spec(), inputs.data(self.count, seed)
        if spec["shuffle"]:
            mixed = philox.shuffled(*made["train"], spec["data_seed"], spec["crop_padding"])
            made["epoch_batches"] = mixed
        return made


CASES = {
    "ce_cosine_warm_up": Case(
        {"schedule": "cosine", "warmup_epochs": 0.6, "min_learning_rate": 1e-3}
    ),
    "ce_without_momentum": Case({"momentum": 0.0}),
    "ce_label_smoothing": Case({"label_smoothing": 0.1}),
    "kd_label_smoothing_clipped": Case({**KD, "label_smoothing": 0.2, "clip_norm": 0.5}),
    "wttm_deit": Case({**WTTM, **DEIT}),
    "ce_adamw": Case({"optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.1,
                      "beta1": 0.8, "beta2": 0.9, "epsilon": 1e-3}),
    "kd_milestones": Case({**KD, "schedule": "multistep", "milestones": [1], "rate_factor": 0.3}),
    "ttm_nesterov": Case({**TTM, "nesterov": True, "schedule": "cosine"}),
    "wttm_matrices_decay": Case({**WTTM, "decay_all": False, "weight_decay": 0.02}),
    "wttm_last_batch_of_one": Case(WTTM, 33),
    "ttm_less_than_a_batch": Case({**TTM, "batch_size": 64, "epochs": 4}, 21),
    "wttm_shuffled_augmented": Case({**WTTM, **MIXED}),
    "wttm_wide": Case({**WTTM, "epochs": 1, "batch_size": 4}, 9, ("resnet8x4", "resnet20")),
}
