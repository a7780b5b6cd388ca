"""Wide residual networks for CIFAR: norm and relu stand before each convolution.

Depth 6n + 4: a 3x3 convolution, three groups of n blocks at full, half and quarter resolution, norm
and relu, mean over the plane, one linear layer. Where a block changes the number of channels, its
shortcut is a 1x1 convolution of the input after norm and relu; else it is the input itself."""

from torch import nn

from pytorch.resnet import conv3x3


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = conv3x3(inputs, outputs, stride)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = conv3x3(outputs, outputs)
        self.convShortcut = None
        if inputs != outputs:
            self.convShortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x):
        active = self.bn1(x).relu()
        y = self.conv2(self.bn2(self.conv1(active)).relu())
        return y + (self.convShortcut(active) if self.convShortcut else x)


class Group(nn.Module):
    def __init__(self, blocks, inputs, outputs, stride):
        super().__init__()
        rest = [Block(outputs, outputs, 1) for _ in range(blocks - 1)]
        self.layer = nn.Sequential(Block(inputs, outputs, stride), *rest)

    def forward(self, x):
        return self.layer(x)


class WideResNet(nn.Module):
    def __init__(self, depth, factor, channels, classes):
        super().__init__()
        blocks = (depth - 4) // 6
        widths = (16, 16 * factor, 32 * factor, 64 * factor)
        self.conv1 = conv3x3(channels, widths[0])
        self.block1 = Group(blocks, widths[0], widths[1], 1)
        self.block2 = Group(blocks, widths[1], widths[2], 2)
        self.block3 = Group(blocks, widths[2], widths[3], 2)
        self.bn1 = nn.BatchNorm2d(widths[3])
        self.fc = nn.Linear(widths[3], classes)

    def forward(self, x):
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        return self.fc(self.bn1(x).relu().mean((2, 3)))


FAMILY = {
    "wrn_16_1": (16, 1),
    "wrn_16_2": (16, 2),
    "wrn_40_1": (40, 1),
    "wrn_40_2": (40, 2),
}


def create(name, channels, classes):
    return WideResNet(*FAMILY[name], channels, classes)
