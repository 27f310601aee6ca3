"""Every bad argument of a divergence is refused by its name."""

import math
from functools import partial

import torch

from tests.refusals import (
    CLOUD,
    NO_CLOUD,
    NO_COUNT,
    NO_FUNCTION,
    NO_SEQUENCE,
    OUT_OF_SCALE,
    ranks,
    taken_and_refused,
    vectors,
)
from vaecourse import divergences

MEAN = torch.zeros(3, 2)
CALLS = [  # function, good arguments, and for each argument what must be refused
    (
        divergences.squared_distance,
        {"x": CLOUD, "y": CLOUD},
        {"x": NO_CLOUD, "y": [*NO_CLOUD, CLOUD.double(), torch.zeros(5, 3)]},
    ),
    (
        divergences.rbf,
        {"x": CLOUD, "y": CLOUD, "bandwidth": 1.0},
        {"x": NO_CLOUD, "y": NO_CLOUD, "bandwidth": OUT_OF_SCALE},
    ),
    (divergences.imq, {"x": CLOUD, "y": CLOUD, "scale": 1.0}, {"x": NO_CLOUD, "y": NO_CLOUD, "scale": OUT_OF_SCALE}),
    (
        divergences.multi_scale,
        {"kernel": divergences.rbf, "scales": [1.0]},
        {"kernel": NO_FUNCTION, "scales": [None, 3, "ab", []]},
    ),
    (
        divergences.median_distance,
        {"x": CLOUD, "y": CLOUD},
        {"x": NO_CLOUD, "y": [v for v in NO_CLOUD if v is not None]},
    ),
    (
        divergences.mmd2,
        {"x": CLOUD, "y": CLOUD, "kernel": partial(divergences.rbf, bandwidth=1.0)},
        {
            "x": [*NO_CLOUD, CLOUD[:1]],
            "y": [*NO_CLOUD, CLOUD[:1]],
            "kernel": [*NO_FUNCTION, lambda x, y: 1.0, lambda x, y: x],
        },
    ),
    (
        divergences.witness,
        {"at": CLOUD, "x": CLOUD, "y": CLOUD, "kernel": partial(divergences.rbf, bandwidth=1.0)},
        {"at": NO_CLOUD, "x": NO_CLOUD, "y": NO_CLOUD, "kernel": [*NO_FUNCTION, lambda x, y: None]},
    ),
    (
        divergences.stein_direction,
        {"z": CLOUD, "score": -CLOUD, "kernel": partial(divergences.rbf, bandwidth=1.0)},
        {"z": NO_CLOUD, "score": [*NO_CLOUD, CLOUD.double(), CLOUD[:1]], "kernel": [*NO_FUNCTION, lambda x, y: x]},
    ),
    (
        divergences.minibatch_kl,
        {"z": torch.zeros(2, 3, 2), "mean": MEAN, "log_std": MEAN},
        {"z": ranks(3, 2), "mean": [*ranks(2, 2), MEAN + math.inf], "log_std": [*ranks(2, 2), MEAN - math.inf]},
    ),
    (
        divergences.Discriminator,
        {"latent_dim": 2, "hidden": (3,)},
        {"latent_dim": [*NO_COUNT, 0], "hidden": NO_SEQUENCE},
    ),
    (divergences.Discriminator(2).forward, {"z": CLOUD}, {"z": vectors(2)}),
    (
        divergences.discriminator_loss,
        {"logits_q": torch.zeros(3), "logits_p": torch.zeros(4)},
        {"logits_q": ranks(1), "logits_p": ranks(1)},
    ),
    (divergences.adversarial_kl, {"logits_q": torch.zeros(3)}, {"logits_q": ranks(1)}),
    (
        divergences.adversarial_js,
        {"logits_q": torch.zeros(3), "logits_p": torch.zeros(4)},
        {"logits_q": ranks(1), "logits_p": ranks(1)},
    ),
]

test_good_arguments_are_taken, test_a_bad_argument_is_named_and_nothing_else_is_raised = taken_and_refused(CALLS)
