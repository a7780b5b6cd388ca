"""One PyTorch participant of the GPU bench: prints one JSON line.

    torch_gpu.py step|loss|copy key=value...

step: a WTTM step of `teacher` and `student` (style=eager, or style=compiled: channels_last,
torch.compile max-autotune, the time of compiling told apart); precision=f32, tf32 or bf16 (autocast).
loss: the WTTM loss with its gradient at `rows` x `classes`, style=paper, tuned or compiled;
precision=bf16: of logits in bf16, in f32 inside, as autocast has it.
copy: `floats` numbers to another place of the GPU's memory.
steps_per_launch=N: so many are enqueued before they are waited for; times are of one.
"""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import torch
import torch.nn.functional as F
from pytorch import zoo
from torch_step import wttm_paper, wttm_tuned


def measure(run, steps, warm_up, per_launch):
    """Milliseconds of a step, as a program sees them: enqueued with others and waited for."""
    for _ in range(warm_up):
        run()
    torch.cuda.synchronize()
    times = []
    for _ in range((steps + per_launch - 1) // per_launch):
        begin = time.perf_counter()
        for _ in range(per_launch):
            run()
        torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - begin) / per_launch)
    return sorted(times)


def step_runner(options):
    compiled, precision = options["style"] == "compiled", options["precision"]
    memory_format = torch.channels_last if compiled else torch.contiguous_format
    batch = int(options["batch_size"])
    side, classes = zoo.published(options["student"])
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.benchmark = True  # as the papers' code has it
    student, teacher = (
        zoo.create(options[name], 3, classes).cuda().to(memory_format=memory_format)
        for name in ("student", "teacher")
    )
    student.train()
    teacher.eval()
    optimiser = torch.optim.SGD(student.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    x = torch.randn(batch, 3, side, side, device="cuda").contiguous(memory_format=memory_format)
    labels = torch.randint(0, classes, (batch,), device="cuda")

    def forward():
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=precision == "bf16"):
            with torch.no_grad():
                t = teacher(x)
            z = student(x)
        return wttm_paper(z.float(), t.float(), labels, 0.1, 3.0)

    if compiled:
        forward = torch.compile(forward, mode="max-autotune")

    def run():
        optimiser.zero_grad(set_to_none=True)
        forward().backward()
        optimiser.step()

    return run


def loss_runner(options):
    rows, classes = int(options["rows"]), int(options["classes"])
    dtype = torch.bfloat16 if options["precision"] == "bf16" else torch.float32
    student = torch.randn(rows, classes, device="cuda", dtype=dtype, requires_grad=True)
    teacher = 3 * torch.randn(rows, classes, device="cuda", dtype=dtype)
    labels = torch.randint(0, classes, (rows,), device="cuda")
    formula = wttm_paper if options["style"] == "paper" else wttm_tuned

    def loss(z, t, *rest):
        return formula(z.float(), t.float(), *rest)

    if options["style"] == "compiled":
        loss = torch.compile(loss, mode="max-autotune")

    def run():
        student.grad = None
        loss(student, teacher, labels, 0.25, 2.25).backward()

    return run


def copy_runner(options):
    source = torch.randn(int(options["floats"]), device="cuda")
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


RUNNERS = {"step": step_runner, "loss": loss_runner, "copy": copy_runner}


def main():
    kind, options = sys.argv[1], dict(word.split("=", 1) for word in sys.argv[2:])
    torch.manual_seed(1)
    run = RUNNERS[kind](options)
    begin = time.perf_counter()
    run()
    torch.cuda.synchronize()
    first_s = time.perf_counter() - begin
    per_launch = int(options.get("steps_per_launch", 1))
    times = measure(run, int(options.get("steps", 50)), int(options.get("warm_up", 10)), per_launch)
    print(json.dumps({"ms_min": times[0], "ms_median": times[len(times) // 2],
                      "steps": len(times) * per_launch, "steps_per_launch": per_launch,
                      "first_step_s": first_s, "version": torch.__version__,
                      "cudnn": torch.backends.cudnn.version(),
                      "device": torch.cuda.get_device_name(),
                      "peak_bytes": torch.cuda.max_memory_allocated()}))


if __name__ == "__main__":
    main()
