"""MobileNetV2 for CIFAR at half width: inverted residuals with plain relu, a first convolution of
stride 2, mean over the plane, one linear layer."""

from torch import nn

STAGES = (  # factor of the channels inside, channels, blocks, stride of the first
    (1, 8, 1, 1),
    (6, 12, 2, 1),
    (6, 16, 3, 2),
    (6, 32, 4, 2),
    (6, 48, 3, 1),
    (6, 80, 3, 2),
    (6, 160, 1, 1),
)
FAMILY = {"mobilenetv2_cifar": STAGES}


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, factor, stride):
        super().__init__()
        inside = inputs * factor
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, inside, 1, bias=False),
            nn.BatchNorm2d(inside),
            nn.ReLU(),
            nn.Conv2d(inside, inside, 3, stride, 1, groups=inside, bias=False),
            nn.BatchNorm2d(inside),
            nn.ReLU(),
            nn.Conv2d(inside, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.passes = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.conv(x) if self.passes else self.conv(x)


def conv_norm_relu(inputs, outputs, kernel, stride):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class MobileNetV2(nn.Module):
    def __init__(self, stages, channels, classes):
        super().__init__()
        self.conv1 = conv_norm_relu(channels, 16, 3, 2)
        self.blocks, width = nn.ModuleList(), 16
        for factor, outputs, count, stride in stages:
            blocks = []
            for i in range(count):
                blocks.append(InvertedResidual(width, outputs, factor, 1 if i else stride))
                width = outputs
            self.blocks.append(nn.Sequential(*blocks))
        self.conv2 = conv_norm_relu(width, 1280, 1, 1)
        self.classifier = nn.Sequential(nn.Linear(1280, classes))

    def forward(self, x):
        x = self.conv1(x)
        for stage in self.blocks:
            x = stage(x)
        return self.classifier(self.conv2(x).mean((2, 3)))


def create(name, channels, classes):
    return MobileNetV2(FAMILY[name], channels, classes)
