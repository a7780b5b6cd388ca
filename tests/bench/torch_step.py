"""One PyTorch participant of the bench: prints one JSON line with times and memory.

    torch_step.py step|kd|loss|copy key=value...

step: a training step of `student`; kd: `teacher` forward, `student` forward and backward, WTTM, SGD;
loss: the WTTM loss and its gradient at `rows` x `classes`, as the paper's code writes it (style=paper)
or as well as it can be written in PyTorch (style=tuned); copy: `floats` numbers to another place.
"""
import json
import os
import resource
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support", "pytorch"))

import torch
import torch.nn.functional as F


def wttm_tuned(student, teacher, labels, gamma, beta):
    """log_softmax and logsumexp only; the teacher's part without a graph."""
    with torch.no_grad():
        log_p = F.log_softmax(gamma * teacher, dim=1)
        power_sum = torch.exp(torch.logsumexp(gamma * teacher, 1) - gamma * torch.logsumexp(teacher, 1))
        p = log_p.exp()
        entropy = (p * log_p).sum(1)
    log_q = F.log_softmax(student, dim=1)
    ce = F.nll_loss(log_q, labels)
    return ce + beta * (power_sum * (entropy - (p * log_q).sum(1))).mean()


def wttm_paper(student, teacher, labels, gamma, beta):
    """softmax, pow, kl_div, as research code has it."""
    log_q = F.log_softmax(student, dim=1)
    p = F.softmax(teacher, dim=1).pow(gamma)
    norm = p.sum(1)
    p = p / norm.unsqueeze(1)
    kl = F.kl_div(log_q, p, reduction="none").sum(1)
    return F.cross_entropy(student, labels) + beta * (norm * kl).mean()


def measure(run, steps, warm_up):
    """Milliseconds of each step."""
    for _ in range(warm_up):
        run()
    times = []
    for _ in range(steps):
        begin = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - begin))
    return sorted(times)


def rss_bytes():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def step_runner(kind, options):
    """A closure that runs one training step on random pictures."""
    import resnet

    channels_last = options.get("channels_last") == "1"
    bf16 = options.get("precision") == "bf16"
    batch, classes = int(options.get("batch_size", 64)), 100
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    student = resnet.create(options["student"], 3, classes).to(memory_format=memory_format).train()
    teacher = None
    if kind == "kd":
        teacher = resnet.create(options["teacher"], 3, classes).to(memory_format=memory_format).eval()
    optimiser = torch.optim.SGD(student.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    x = torch.randn(batch, 3, 32, 32).contiguous(memory_format=memory_format)
    labels = torch.randint(0, classes, (batch,))

    def run():
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            z = student(x)
            if teacher is not None:
                with torch.no_grad():
                    t = teacher(x)
        loss = F.cross_entropy(z.float(), labels) if teacher is None else \
            wttm_tuned(z.float(), t.float(), labels, 0.1, 3.0)
        loss.backward()
        optimiser.step()

    return run


def loss_runner(options):
    rows, classes = int(options["rows"]), int(options["classes"])
    student = torch.randn(rows, classes, requires_grad=True)
    teacher = 3 * torch.randn(rows, classes)
    labels = torch.randint(0, classes, (rows,))
    loss = wttm_paper if options["style"] == "paper" else wttm_tuned

    def run():
        student.grad = None
        loss(student, teacher, labels, 0.25, 2.25).backward()

    return run


def copy_runner(options):
    """So many floats read, and as many written."""
    floats = int(options["floats"])
    source, target = torch.randn(floats), torch.zeros(floats)
    return lambda: target.copy_(source)


RUNNERS = {
    "step": lambda options: step_runner("step", options),
    "kd": lambda options: step_runner("kd", options),
    "loss": loss_runner,
    "copy": copy_runner,
}


def main():
    kind, options = sys.argv[1], dict(word.split("=", 1) for word in sys.argv[2:])
    torch.manual_seed(1)
    torch.set_num_threads(int(options.get("threads", 2)))
    run = RUNNERS[kind](options)
    before = rss_bytes()
    times = measure(run, int(options.get("steps", 10)), int(options.get("warm_up", 3)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"ms_min": times[0], "ms_median": times[len(times) // 2], "steps": len(times),
                      "peak_rss_bytes": peak, "step_memory_bytes": peak - before,
                      "version": torch.__version__}))


if __name__ == "__main__":
    main()
