"""All networks by name, from the modules of their families."""

import numpy
import torch

from pytorch import imagenet, mobilenet, resnet, shufflenet, vgg, vit, wrn

FAMILIES = (resnet, wrn, vgg, mobilenet, shufflenet, imagenet, vit)
NAMES = [name for family in FAMILIES for name in family.FAMILY]


def create(name, channels=3, classes=100, *size):
    """size: height and width, which only transformers need to know."""
    for family in FAMILIES:
        if name in family.FAMILY:
            return family.create(name, channels, classes, *(size if family is vit else ()))
    raise KeyError(name)


def published(name):
    """Side of the pictures and number of classes that the original is made for."""
    is_large = name in imagenet.FAMILY or name in vit.FAMILY
    return (imagenet.SIDE, imagenet.CLASSES) if is_large else (32, 100)


def shapes_of(network):
    """Name and shape of every floating-point tensor, in the order of the state dict."""
    state = network.state_dict()
    return {key: list(value.shape) for key, value in state.items() if value.is_floating_point()}


def shapes(name, channels, classes, *size):
    return shapes_of(create(name, channels, classes, *size))


def load(network, weights):
    """Copies arrays by name into the network; counters of batches may be missing."""
    state = network.state_dict()
    for key, value in weights.items():
        assert key in state and list(value.shape) == list(state[key].shape), key
    missing = [key for key in state if key not in weights and "num_batches" not in key]
    assert not missing, missing
    network.load_state_dict({key: torch.from_numpy(numpy.array(value))
                             for key, value in weights.items()}, strict=False)
    return network


def add_tests(case, check):
    """Gives a test case a test_NAME for each network, which calls check(self, name)."""
    for name in NAMES:
        setattr(case, f"test_{name}", lambda self, name=name: check(self, name))
