"""A small data set and weights from numpy's RandomState, whose numbers never change."""

import numpy

from pytorch import safetensors_io

SIDE, CHANNELS, CLASSES = 12, 3, 10
TEST_COUNT = 50
TEACHER_STATISTICS = ([0.45, 0.5, 0.55], [0.3, 0.25, 0.2])


def weights(shapes, seed):
    """Weights for tensors of these names and shapes: nothing is zero or one, so that a swapped or
    forgotten tensor shows."""
    random = numpy.random.RandomState(seed)
    drawn = {}
    for name, shape in shapes.items():
        if len(shape) == 1 and name.endswith((".weight", ".running_var")):
            value = random.uniform(0.5, 1.5, shape)
        elif len(shape) == 1:
            value = random.normal(0, 0.1, shape)
        elif len(shape) == 3:
            value = random.normal(0, 0.5, shape)
        elif name.endswith(".qkv.weight"):  # larger ones leave attention no choice
            value = random.normal(0, 1 / numpy.sqrt(shape[1]), shape)
        elif len(shape) == 2:
            value = random.normal(0, 2 / numpy.sqrt(shape[1]), shape)
        else:
            value = random.normal(0, numpy.sqrt(2 / (shape[0] * shape[2] * shape[3])), shape)
        drawn[name] = value.astype(numpy.float32)
    return drawn


def all_weights(shapes_of_networks, seed):
    """Of several networks, each drawn on its own."""
    return [weights(shapes, seed + 1000 * i) for i, shapes in enumerate(shapes_of_networks)]


def pictures(count, seed):
    """A noisy pattern for each class; images u8 [n,h,w,c] and labels i64."""
    patterns = numpy.random.RandomState(0).normal(0, 1, (CLASSES, SIDE, SIDE, CHANNELS))
    random = numpy.random.RandomState(seed)
    labels = random.randint(0, CLASSES, count).astype(numpy.int64)
    images = 120 + 30 * patterns[labels] + 40 * random.normal(0, 1, (count, SIDE, SIDE, CHANNELS))
    return images.clip(0, 255).astype(numpy.uint8), labels


def statistics(images):
    """Mean and deviation by channel of pixels in 0..1."""
    flat = images.reshape(-1, images.shape[-1]) / 255.0
    return flat.mean(0).tolist(), flat.std(0).tolist()


def data(count, seed):
    train, test = pictures(count, seed), pictures(TEST_COUNT, seed + 1)
    return {
        "train": train,
        "test": test,
        "statistics": statistics(train[0]),
        "teacher_statistics": TEACHER_STATISTICS,
    }


def save_data(folder, sets):
    """Names all classes: few random labels need not have the last."""
    folder.mkdir()
    (folder / "classes.txt").write_text("".join(f"{i}\n" for i in range(CLASSES)))
    for part in ("train", "test"):
        images, labels = sets[part]
        path = folder / f"{part}.safetensors"
        safetensors_io.save(path, {"images": images, "labels": labels})


def save_model(path, architecture, tensors, side=SIDE, channels=CHANNELS, classes=CLASSES):
    """A model that `distill` takes as a teacher, in the format of its own files."""
    mean, deviation = ([numbers[i] for i in range(channels)] for numbers in TEACHER_STATISTICS)
    names = ",".join(f'"{i}"' for i in range(classes))
    notes = {
        "format": "distill-1",
        "architecture": architecture,
        "dataset": "test",
        "height": str(side),
        "width": str(side),
        "channels": str(channels),
        "classes": str(classes),
        "mean": str(mean),
        "deviation": str(deviation),
        "class_names": f"[{names}]",
    }
    safetensors_io.save(path, tensors, notes)
