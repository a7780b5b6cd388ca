"""The engine's random numbers in Python: order of an epoch, crop and flip of a picture.

Philox 4x32 with 10 rounds, keyed by the seed; the counter is (item, epoch, stream, block). The
published test vectors are checked by the tests that use it."""

import numpy

MASK = 0xFFFFFFFF
SHUFFLE, AUGMENT = 2, 3
DROP_PATH = 9


def philox(seed, counter):
    c, key = list(counter), [seed & MASK, seed >> 32]
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(q >> 32) ^ c[1] ^ key[0], q & MASK, (p >> 32) ^ c[3] ^ key[1], p & MASK]
        key = [(key[0] + 0x9E3779B9) & MASK, (key[1] + 0xBB67AE85) & MASK]
    return c


def keeps_path(seed, step, branch, picture, rate):
    """Whether stochastic depth keeps the branch."""
    return (philox(seed, (picture, step, DROP_PATH, branch))[0] >> 8) / 2**24 >= rate


def below(word, n):
    return word * n >> 32


def order(count, seed, epoch):
    """Fisher and Yates from the end."""
    items = list(range(count))
    for i in range(count - 1, 0, -1):
        j = below(philox(seed, (i, epoch, SHUFFLE, 0))[0], i + 1)
        items[i], items[j] = items[j], items[i]
    return items


def augmented(image, index, seed, epoch, padding):
    """A crop of the picture in a black frame of that width, mirrored or not."""
    dy, dx, flip, _ = philox(seed, (index, epoch, AUGMENT, 0))
    dy, dx = below(dy, 2 * padding + 1), below(dx, 2 * padding + 1)
    height, width, _ = image.shape
    frame = numpy.pad(image, ((padding, padding), (padding, padding), (0, 0)))
    crop = frame[dy : dy + height, dx : dx + width]
    return crop[:, ::-1] if flip & 1 else crop


def shuffled(images, labels, seed, padding):
    """Batches as training.train wants them, shuffled and augmented."""

    def epoch_batches(size, epoch):
        places = order(len(labels), seed, epoch)
        for first in range(0, len(places), size):
            part = places[first : first + size]
            pictures = [augmented(images[i], i, seed, epoch, padding) for i in part]
            yield numpy.stack(pictures), labels[part]

    return lambda size, epoch: list(epoch_batches(size, epoch))
