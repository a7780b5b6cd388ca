"""PyTorch's networks, timed: a process that answers requests, one JSON line each.

    {"network": "resnet20", "mode": "train", "batch_size": 64, "side": 32, "classes": 100,
     "precision": "f32", "budget_s": 0.5}

The answer is the best median of all ways to run it: planes or channels_last; for inference also a
frozen graph with batch norms folded and oneDNN's fusions (torch.jit), and with numbers stored in
bf16 instead of autocast. Ways that are far behind with a few pictures are not timed with many.
Training is SGD with momentum and decay; inference is without a graph. torch.compile is left out: it
needs a compiler and minutes a network.
"""
import json
import os
import statistics
import sys
import time
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))

import torch
import torch.nn.functional as F

from pytorch import zoo

FAR_BEHIND = 1.15  # times the fastest way
FEW = 8  # pictures to choose by
FORMATS = {"planes": torch.contiguous_format, "channels_last": torch.channels_last}


def picture(request, memory_format):
    side = request["side"]
    x = torch.randn(request["batch_size"], 3, side, side)
    return x.contiguous(memory_format=memory_format)


def autocast(request):
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=request["precision"] == "bf16")


def network_of(request, memory_format):
    network = zoo.create(request["network"], 3, request["classes"], request["side"], request["side"])
    return network.to(memory_format=memory_format)


def training(request, memory_format):
    """A closure that makes one step."""
    network = network_of(request, memory_format).train()
    optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    x = picture(request, memory_format)
    labels = torch.randint(0, request["classes"], (request["batch_size"],))

    def run():
        optimiser.zero_grad(set_to_none=True)
        with autocast(request):
            z = network(x)
        F.cross_entropy(z.float(), labels).backward()
        optimiser.step()

    return run


def eager(request, memory_format):
    network, x = network_of(request, memory_format).eval(), picture(request, memory_format)

    def run():
        with torch.inference_mode(), autocast(request):
            network(x)

    return run


def stored_bf16(request, memory_format):
    network = network_of(request, memory_format).eval().bfloat16()
    x = picture(request, memory_format).bfloat16()

    def run():
        with torch.inference_mode():
            network(x)

    return run


def frozen(request, memory_format):
    """A traced graph, optimised for inference."""
    network, x = network_of(request, memory_format).eval(), picture(request, memory_format)
    if request["precision"] == "bf16":
        network, x = network.bfloat16(), x.bfloat16()
    with torch.no_grad():
        graph = torch.jit.freeze(torch.jit.trace(network, x))
        graph = torch.jit.optimize_for_inference(graph)

    def run():
        with torch.inference_mode():
            graph(x)

    return run


def ways(request):
    """Name and constructor of each way to run it."""
    makers = {"": training}
    if request["mode"] == "infer":
        makers = {"eager": eager, "frozen": frozen}
        if request["precision"] == "bf16":
            makers["stored_bf16"] = stored_bf16
    return {f"{name} {layout}".strip(): (make, memory_format) for name, make in makers.items()
            for layout, memory_format in FORMATS.items()}


def milliseconds(run):
    begin = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - begin)


def timed(run, budget_s):
    """Milliseconds of as many steps as fit into the time, at least two."""
    times, end = [], time.perf_counter() + budget_s
    while len(times) < 2 or time.perf_counter() < end:
        times.append(milliseconds(run))
    return times


def first_impression(request, make, memory_format):
    run = make({**request, "batch_size": min(FEW, request["batch_size"])}, memory_format)
    run()
    return min(timed(run, 0))


def measured(request, make, memory_format):
    run = make(request, memory_format)
    run()
    times = timed(run, request["budget_s"])
    return {"ms_median": statistics.median(times), "ms_min": min(times), "steps": len(times)}


def answer(request):
    torch.manual_seed(1)
    first = {name: first_impression(request, *way) for name, way in ways(request).items()}
    near = FAR_BEHIND * min(first.values())
    results = {name: measured(request, *way) for name, way in ways(request).items()
               if first[name] <= near}
    way = min(results, key=lambda name: results[name]["ms_median"])
    return {**results[way], "way": way, "version": torch.__version__}


def main():
    warnings.simplefilter("ignore")
    torch.set_num_threads(int(sys.argv[1]))
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
