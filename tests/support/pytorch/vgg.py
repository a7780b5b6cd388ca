"""VGG with batch norm for CIFAR: five blocks of 3x3 convolutions with bias, norm and relu, 2x2
maxima after the first three, mean over the plane, one linear layer."""

from torch import nn
from torch.nn import functional

WIDTHS = (64, 128, 256, 512, 512)
FAMILY = {  # convolutions of each block
    "vgg8": (1, 1, 1, 1, 1),
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}


def block(inputs, outputs, convolutions):
    layers = []
    for _ in range(convolutions):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers)


class VGG(nn.Module):
    def __init__(self, convolutions, channels, classes):
        super().__init__()
        for i, outputs in enumerate(WIDTHS):
            inputs = WIDTHS[i - 1] if i else channels
            setattr(self, f"block{i}", block(inputs, outputs, convolutions[i]))
        self.classifier = nn.Linear(WIDTHS[-1], classes)

    def forward(self, x):
        halvings = 4 if x.shape[2] == 64 else 3
        for i in range(len(WIDTHS)):
            x = getattr(self, f"block{i}")(x)
            if i < halvings:
                x = functional.max_pool2d(x, 2, 2)
        return self.classifier(x.mean((2, 3)))


def create(name, channels, classes):
    return VGG(FAMILY[name], channels, classes)
