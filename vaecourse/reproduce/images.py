"""The images of an experiment, and what several of them ask of a training."""

from __future__ import annotations

from vaecourse import data, train
from vaecourse.data import Images
from vaecourse.reproduce.table import Scale


def images_of(scale: Scale) -> Images:
    """The images of this scale, the first ``limit`` of both parts, and of the test part the first ``test``."""
    images = data.load(scale.data)
    parts = {part: getattr(images, part)[: scale.limit] for part in ("train", "test", "train_labels", "test_labels")}
    images = images._replace(**parts)
    return images._replace(test=images.test[: scale.test], test_labels=images.test_labels[: scale.test])


def size_of(scale: Scale) -> train.Setting:
    """The size of the course's model for these images."""
    return train.SETTINGS.get(scale.data, train.MNIST)


def whole(history: train.History) -> train.History:
    """The history of a training that went on to its end. Half a training is no measurement: Ctrl-C ends it again."""
    if history.interrupted:
        raise KeyboardInterrupt
    return history
