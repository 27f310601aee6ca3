"""The course's own models: how large they are for a set of images, and how long they are trained."""

from __future__ import annotations

from typing import NamedTuple

import torch

from vaecourse import descent
from vaecourse.data import Images
from vaecourse.models import VAE


class Setting(NamedTuple):
    """The size of the course's model for a set of images, and how many epochs it is trained for."""

    latent_dim: int
    hidden: tuple[int, ...]
    epochs: int


DIGITS = Setting(latent_dim=10, hidden=(40, 40), epochs=100)
"""Measured by benchmarks/digits.py (torch 2.13, CPU, three seeds, mean and standard error, in nats): test NLL at
K = 5000 is 23.87 ± .04 for the ELBO, 23.30 ± .06 for IWAE with K = 8, 23.10 ± .01 for IWAE with K = 64; the test ELBO
of these models is -24.13 ± .04, -24.50 ± .10, -26.42 ± .03."""
MNIST = Setting(latent_dim=50, hidden=(200, 200), epochs=50)  # the sizes of arXiv 1509.00519, one stochastic layer
SETTINGS = {"digits": DIGITS, "mnist": MNIST, "fashion-mnist": MNIST}


def untrained(images: Images, seed: int = 0, setting: Setting | None = None) -> VAE:
    """A VAE of the course's size for these images, with first weights from ``seed`` and its decoder at the pixel means.

    >>> from vaecourse import data
    >>> untrained(data.digits()).config()
    {'data_dim': 64, 'latent_dim': 10, 'hidden': [40, 40], 'likelihood': 'bernoulli'}
    """
    setting = SETTINGS.get(images.name, MNIST) if setting is None else setting
    with descent.seeded(seed):
        model = VAE(images.train.shape[1], setting.latent_dim, setting.hidden)
    return model.start_at_pixel_means(images.train.mean(0)).to(torch.get_default_device())
