"""ShuffleNets for CIFAR: version 1 with three groups, version 2 of width 1."""

import torch
from torch import nn
from torch.nn import functional

BLOCKS = (4, 8, 4)


def shuffled(x, groups):
    """Channels as a matrix of groups rows, transposed."""
    n, c, h, w = x.shape
    return x.view(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)


def add_conv(module, number, inputs, outputs, kernel=1, stride=1, groups=1):
    """conv<number> and bn<number>."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    setattr(module, f"conv{number}", conv)
    setattr(module, f"bn{number}", nn.BatchNorm2d(outputs))


def add_depthwise(module, number, width, stride):
    add_conv(module, number, width, width, 3, stride, width)


def run(module, number, x):
    return getattr(module, f"bn{number}")(getattr(module, f"conv{number}")(x))


class Bottleneck(nn.Module):
    """Of version 1. outputs: of the branch; halving, the averaged input is put beside it."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        inside, self.groups, self.stride = outputs // 4, 1 if inputs == 24 else 3, stride
        add_conv(self, 1, inputs, inside, groups=self.groups)
        add_depthwise(self, 2, inside, stride)
        add_conv(self, 3, inside, outputs, groups=3)

    def forward(self, x):
        y = shuffled(run(self, 1, x).relu(), self.groups)
        y = run(self, 3, run(self, 2, y).relu())
        if self.stride == 1:
            return (y + x).relu()
        return torch.cat([y, functional.avg_pool2d(x, 3, 2, 1)], 1).relu()


class DownBlock(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        half = outputs // 2
        add_depthwise(self, 1, inputs, 2)
        add_conv(self, 2, inputs, half)
        add_conv(self, 3, inputs, half)
        add_depthwise(self, 4, half, 2)
        add_conv(self, 5, half, half)

    def forward(self, x):
        left = run(self, 2, run(self, 1, x)).relu()
        right = run(self, 4, run(self, 3, x).relu())
        return shuffled(torch.cat([left, run(self, 5, right).relu()], 1), 2)


class HalfBlock(nn.Module):
    """One half of the channels passes."""

    def __init__(self, width):
        super().__init__()
        self.half = width // 2
        add_conv(self, 1, self.half, self.half)
        add_depthwise(self, 2, self.half, 1)
        add_conv(self, 3, self.half, self.half)

    def forward(self, x):
        passing, y = x[:, : self.half], x[:, self.half :]
        y = run(self, 2, run(self, 1, y).relu())
        return shuffled(torch.cat([passing, run(self, 3, y).relu()], 1), 2)


def stages_v1():
    width = 24
    for outputs, blocks in zip((240, 480, 960), BLOCKS):
        rest = [Bottleneck(outputs, outputs, 1) for _ in range(blocks - 1)]
        yield nn.Sequential(Bottleneck(width, outputs - width, 2), *rest)
        width = outputs


def stages_v2():
    width = 24
    for outputs, blocks in zip((116, 232, 464), BLOCKS):
        rest = [HalfBlock(outputs) for _ in range(blocks - 1)]
        yield nn.Sequential(DownBlock(width, outputs), *rest)
        width = outputs


class ShuffleNet(nn.Module):
    """last: channels of a last convolution, if there is one."""

    def __init__(self, stages, channels, features, last, classes):
        super().__init__()
        add_conv(self, 1, channels, 24)
        for i, stage in enumerate(stages):
            setattr(self, f"layer{i + 1}", stage)
        if last:
            add_conv(self, 2, features, last)
        self.linear = nn.Linear(last or features, classes)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(run(self, 1, x).relu())))
        if hasattr(self, "conv2"):
            x = run(self, 2, x).relu()
        return self.linear(x.mean((2, 3)))


FAMILY = {"shufflenetv1": (stages_v1, 960, None), "shufflenetv2": (stages_v2, 464, 1024)}


def create(name, channels, classes):
    stages, features, last = FAMILY[name]
    return ShuffleNet(stages(), channels, features, last, classes)
