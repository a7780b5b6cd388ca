"""The residual networks for CIFAR that RepDistiller made known.

Depth 6n + 2: a 3x3 convolution, three groups of n blocks at full, half and quarter resolution, mean
over the plane, one linear layer. A block is conv-norm-relu-conv-norm plus its input, then relu;
where the shape changes the input goes through a 1x1 convolution with a norm. The one of 50 layers
has bottlenecks at four resolutions. Module names are those of the original, so that state dicts are
interchangeable.
"""

from torch import nn


def conv3x3(inputs, outputs, stride=1):
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)


def side(inputs, outputs, stride):
    """What a block's input goes through."""
    if stride == 1 and inputs == outputs:
        return nn.Sequential()
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
    )


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = conv3x3(inputs, outputs, stride)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = conv3x3(outputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = side(inputs, outputs, stride)

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu()
        return (self.bn2(self.conv2(y)) + self.downsample(x)).relu()


class Bottleneck(nn.Module):
    """The 3x3 convolution works on a quarter of the channels and has the stride."""

    side_name = "downsample"

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        inside = outputs // 4
        self.conv1 = nn.Conv2d(inputs, inside, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv2 = conv3x3(inside, inside, stride)
        self.bn2 = nn.BatchNorm2d(inside)
        self.conv3 = nn.Conv2d(inside, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        setattr(self, self.side_name, side(inputs, outputs, stride))

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y)).relu()
        return (self.bn3(self.conv3(y)) + getattr(self, self.side_name)(x)).relu()


class CifarBottleneck(Bottleneck):
    side_name = "shortcut"


def add_groups(network, block, blocks, widths):
    """layer1, layer2 and so on; widths: of the stem and of the groups. All but the first halve."""
    for i, count in enumerate(blocks):
        first = block(widths[i], widths[i + 1], 2 if i else 1)
        rest = [block(widths[i + 1], widths[i + 1], 1) for _ in range(count - 1)]
        setattr(network, f"layer{i + 1}", nn.Sequential(first, *rest))


class ResNet(nn.Module):
    """widths: channels of the stem and of the three groups."""

    def __init__(self, depth, widths, channels, classes):
        super().__init__()
        self.conv1 = conv3x3(channels, widths[0])
        self.bn1 = nn.BatchNorm2d(widths[0])
        add_groups(self, Block, [(depth - 2) // 6] * 3, widths)
        self.fc = nn.Linear(widths[3], classes)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


class ResNet50(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.conv1 = conv3x3(channels, 64)
        self.bn1 = nn.BatchNorm2d(64)
        add_groups(self, CifarBottleneck, (3, 4, 6, 3), (64, 256, 512, 1024, 2048))
        self.linear = nn.Linear(2048, classes)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.linear(x.mean((2, 3)))


NARROW = (16, 16, 32, 64)
WIDE = (32, 64, 128, 256)  # the stem is 32: the first block has a 1x1 convolution too
FAMILY = {
    "resnet8": (8, NARROW),
    "resnet14": (14, NARROW),
    "resnet20": (20, NARROW),
    "resnet32": (32, NARROW),
    "resnet44": (44, NARROW),
    "resnet56": (56, NARROW),
    "resnet110": (110, NARROW),
    "resnet8x4": (8, WIDE),
    "resnet32x4": (32, WIDE),
    "resnet50_cifar": None,
}


def create(name, channels, classes):
    if name == "resnet50_cifar":
        return ResNet50(channels, classes)
    return ResNet(*FAMILY[name], channels, classes)
