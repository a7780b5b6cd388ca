"""Networks for ImageNet: torchvision's residual networks and MobileNetV2, mdistiller's MobileNetV1.

Module names are those of the originals. Means over the plane stand where the originals average
7x7 windows, so that other picture sizes do too; MobileNetV2 has no dropout."""

from torch import nn
from torch.nn import functional

from pytorch.resnet import Block, Bottleneck, add_groups

SIDE, CLASSES = 224, 1000  # what the originals are made for


class ResNet(nn.Module):
    """The stem quarters the picture."""

    def __init__(self, block, blocks, width, channels, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        add_groups(self, block, blocks, [64] + [width << i for i in range(4)])
        self.fc = nn.Linear(8 * width, classes)

    def forward(self, x):
        x = functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def conv_norm(inputs, outputs, kernel=1, stride=1, groups=1):
    """The two modules."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


class MobileNetV1(nn.Module):
    """Depthwise and pointwise convolutions in turn."""

    PLAN = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]  # channels, stride
    PLAN += [(512, 1)] * 5 + [(1024, 2), (1024, 1)]

    def __init__(self, channels, classes):
        super().__init__()
        self.model, width = nn.Sequential(), 32
        self.model.append(nn.Sequential(*conv_norm(channels, width, 3, 2), nn.ReLU()))
        for outputs, stride in self.PLAN:
            depthwise = conv_norm(width, width, 3, stride, width)
            pointwise = conv_norm(width, outputs)
            self.model.append(nn.Sequential(*depthwise, nn.ReLU(), *pointwise, nn.ReLU()))
            width = outputs
        self.fc = nn.Linear(width, classes)

    def forward(self, x):
        return self.fc(self.model(x).mean((2, 3)))


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, factor, stride):
        super().__init__()
        inside, layers = inputs * factor, []
        if factor > 1:
            layers.append(nn.Sequential(*conv_norm(inputs, inside), nn.ReLU6()))
        depthwise = conv_norm(inside, inside, 3, stride, inside)
        layers += [nn.Sequential(*depthwise, nn.ReLU6()), *conv_norm(inside, outputs)]
        self.conv = nn.Sequential(*layers)
        self.passes = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.conv(x) if self.passes else self.conv(x)


class MobileNetV2(nn.Module):
    STAGES = (  # factor of the channels inside, channels, blocks, stride of the first
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )

    def __init__(self, channels, classes):
        super().__init__()
        self.features, width = nn.Sequential(), 32
        self.features.append(nn.Sequential(*conv_norm(channels, width, 3, 2), nn.ReLU6()))
        for factor, outputs, count, stride in self.STAGES:
            for i in range(count):
                self.features.append(
                    InvertedResidual(width, outputs, factor, 1 if i else stride)
                )
                width = outputs
        self.features.append(nn.Sequential(*conv_norm(width, 1280), nn.ReLU6()))
        self.classifier = nn.Sequential(nn.Identity(), nn.Linear(1280, classes))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


FAMILY = {
    "resnet18": (ResNet, Block, (2, 2, 2, 2), 64),
    "resnet34": (ResNet, Block, (3, 4, 6, 3), 64),
    "resnet50": (ResNet, Bottleneck, (3, 4, 6, 3), 256),
    "resnet101": (ResNet, Bottleneck, (3, 4, 23, 3), 256),
    "resnet152": (ResNet, Bottleneck, (3, 8, 36, 3), 256),
    "mobilenetv1": (MobileNetV1,),
    "mobilenetv2": (MobileNetV2,),
}


def create(name, channels, classes):
    network, *arguments = FAMILY[name]
    return network(*arguments, channels, classes)
