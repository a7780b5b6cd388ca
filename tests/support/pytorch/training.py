"""A training run in PyTorch: what `distill train` must do too."""

import torch
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, MultiStepLR

from pytorch import losses


def normalised(images, statistics, dtype):
    """[n,c,h,w] from u8 [n,h,w,c] and a pair of mean and deviation by channel."""
    mean, deviation = (torch.tensor(x, dtype=dtype) for x in statistics)
    x = torch.from_numpy(images).to(dtype) / 255
    return ((x - mean) / deviation).permute(0, 3, 1, 2).contiguous()


def parameter_groups(network, spec):
    decay = spec["weight_decay"]
    if spec.get("decay_all", True):
        return [{"params": list(network.parameters()), "weight_decay": decay}]
    tokens = ("cls_token", "pos_embed")
    vectors = [p for name, p in network.named_parameters() if p.dim() == 1 or name in tokens]
    matrices = [p for name, p in network.named_parameters() if p.dim() > 1 and name not in tokens]
    return [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0}]


def new_optimizer(network, spec):
    groups, rate = parameter_groups(network, spec), spec["learning_rate"]
    if spec.get("optimizer", "sgd") == "adamw":
        return AdamW(groups, rate, (spec.get("beta1", 0.9), spec.get("beta2", 0.999)),
                     spec.get("epsilon", 1e-8))
    return SGD(groups, rate, spec["momentum"], nesterov=spec.get("nesterov", False))


class Schedule:
    """PyTorch's schedulers; the warm-up, which they lack, multiplies what they say."""

    def __init__(self, optimizer, spec, steps_per_epoch):
        self.optimizer, self.steps_per_epoch, self.step_index = optimizer, steps_per_epoch, 0
        self.warmup = round(spec.get("warmup_epochs", 0) * steps_per_epoch)
        self.factor = spec.get("warmup_factor", 1 / self.warmup if self.warmup else 1)
        self.cosine = spec["schedule"] == "cosine"
        self.scheduler = {
            "cosine": lambda: CosineAnnealingLR(
                optimizer,
                spec["epochs"] * steps_per_epoch - self.warmup,
                spec.get("min_learning_rate", 0),
            ),
            "multistep": lambda: MultiStepLR(
                optimizer, spec.get("milestones", []), spec.get("rate_factor", 0.1)
            ),
            "constant": lambda: LambdaLR(optimizer, lambda _: 1.0),
        }[spec["schedule"]]()
        self.rates = [group["lr"] for group in optimizer.param_groups]

    def before(self):
        factor = 1.0
        if self.step_index < self.warmup - 1:
            factor = self.factor + (1 - self.factor) * self.step_index / (self.warmup - 1)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        for group in self.optimizer.param_groups:
            group["lr"] *= factor

    def after(self):
        for group, rate in zip(self.optimizer.param_groups, self.rates):
            group["lr"] = rate
        self.step_index += 1
        if self.cosine and self.step_index > self.warmup:
            self.scheduler.step()
        if not self.cosine and self.step_index % self.steps_per_epoch == 0:
            self.scheduler.step()


def batches(count, size):
    return [slice(first, min(first + size, count)) for first in range(0, count, size)]


def evaluate(network, x, labels):
    network.eval()
    with torch.no_grad():
        z = network(x)
    top5 = z.topk(5, 1).indices.eq(labels[:, None]).any(1)
    return {
        "loss": losses.cross_entropy(z, labels).mean().item(),
        "top1": z.argmax(1).eq(labels).double().mean().item(),
        "top5": top5.double().mean().item(),
    }


def plain(images, labels):
    """The batches of an epoch without shuffling and augmentation; see philox.py for those with."""

    def epoch_batches(size, epoch):
        del epoch
        return [(images[part], labels[part]) for part in batches(len(labels), size)]

    return epoch_batches


class Step:
    """Networks and optimizer; a call is one step on u8 pictures and returns the mean loss."""

    def __init__(self, spec, networks, statistics, dtype):
        self.spec, self.statistics, self.dtype = spec, statistics, dtype
        self.student, self.teacher = networks
        self.student.to(dtype)
        if self.teacher:
            self.teacher.to(dtype).eval()
        self.optimizer = new_optimizer(self.student, spec)

    def backward(self, images, labels):
        x, teacher_x = (normalised(images, pair, self.dtype) for pair in self.statistics)
        with torch.no_grad():
            t = self.teacher(teacher_x) if self.teacher else None
        rows = losses.total(self.spec, self.student(x), t, torch.from_numpy(labels))
        self.optimizer.zero_grad()
        rows.mean().backward()
        if self.spec.get("clip_norm"):
            torch.nn.utils.clip_grad_norm_(self.student.parameters(), self.spec["clip_norm"])
        return rows.mean().item()


def train(spec, student, teacher, data, dtype=torch.float64):
    """data: train and test pairs of images and labels, statistics and teacher_statistics, and
    optionally epoch_batches as plain() makes it.

    Trains student in place; returns the mean loss and the learning rate of each step, and the
    evaluation after each epoch."""
    epoch_batches = data.get("epoch_batches") or plain(*data["train"])
    test_x = normalised(data["test"][0], data["statistics"], dtype)
    test_y = torch.from_numpy(data["test"][1])
    step = Step(spec, (student, teacher), (data["statistics"], data["teacher_statistics"]), dtype)
    count = len(epoch_batches(spec["batch_size"], 1))
    schedule = Schedule(step.optimizer, spec, count)
    result = {"losses": [], "rates": [], "evaluations": []}
    for epoch in range(1, spec["epochs"] + 1):
        student.train()
        for images, labels in epoch_batches(spec["batch_size"], epoch):
            result["losses"].append(step.backward(images, labels))
            schedule.before()
            result["rates"].append(step.optimizer.param_groups[0]["lr"])
            step.optimizer.step()
            schedule.after()
        result["evaluations"].append(evaluate(student, test_x, test_y))
    return result
