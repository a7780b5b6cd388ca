"""The residual network of 50 layers for CIFAR: bottlenecks at four resolutions, no pooling after
the first convolution."""

from torch import nn

from pytorch.resnet import conv3x3

FAMILY = {"resnet50_cifar": (3, 4, 6, 3)}


class Bottleneck(nn.Module):
    """The 3x3 convolution works on a quarter of the channels and has the stride."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        inside = outputs // 4
        self.conv1 = nn.Conv2d(inputs, inside, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv2 = conv3x3(inside, inside, stride)
        self.bn2 = nn.BatchNorm2d(inside)
        self.conv3 = nn.Conv2d(inside, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y)).relu()
        return (self.bn3(self.conv3(y)) + self.shortcut(x)).relu()


class ResNet50(nn.Module):
    def __init__(self, blocks, channels, classes):
        super().__init__()
        self.conv1 = conv3x3(channels, 64)
        self.bn1 = nn.BatchNorm2d(64)
        width = 64
        for i, count in enumerate(blocks):
            outputs = 256 << i
            rest = [Bottleneck(outputs, outputs, 1) for _ in range(count - 1)]
            first = Bottleneck(width, outputs, 2 if i else 1)
            setattr(self, f"layer{i + 1}", nn.Sequential(first, *rest))
            width = outputs
        self.linear = nn.Linear(width, classes)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.linear(x.mean((2, 3)))


def create(name, channels, classes):
    return ResNet50(FAMILY[name], channels, classes)
