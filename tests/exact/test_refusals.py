"""Every bad argument of an exact model is refused by its name."""

import math

import torch
from torch.distributions import MultivariateNormal

from tests.refusals import (
    NO_CHOICE,
    NO_COUNT,
    NO_NUMBER,
    NO_SEQUENCE,
    NO_TENSOR,
    OFTEN,
    OUT_OF_SCALE,
    ranks,
    taken_and_refused,
    vectors,
)
from vaecourse import exact
from vaecourse.exact import information

X, MEAN, STD = torch.zeros(3, 4), torch.zeros(3, 2), torch.ones(3, 2)
BD = [*ranks(2, 4), X + math.inf]
BL = [*ranks(2, 2), torch.zeros(2, 2), MEAN.double(), MEAN + math.inf]
GAUSSIAN = {"x": [*BD, X.double()], "mean": BL, "std": [*BL, 0 * STD, -STD]}
LINEAR = exact.LinearGaussian(torch.ones(4, 2), 0.5)
LAPLACE, MEANS = exact.LaplaceMixture(2), exact.MeanMixture(2)
Z, PSI = torch.ones(5, 2), torch.ones(5, 2)
TOY = exact.GaussianToy(X)
INFO = information.one_dimensional()
DATA = MultivariateNormal(torch.zeros(4), torch.eye(4))
CALLS = [  # function, good arguments, and for each argument what must be refused
    (
        exact.LinearGaussian,
        {"weight": torch.ones(4, 2), "noise_variance": 0.5, "bias": torch.zeros(4)},
        {
            "weight": [*ranks(2), torch.full((4, 2), math.inf), torch.full((4, 2), 1e30)],
            "noise_variance": OUT_OF_SCALE,
            "bias": [v for v in ranks(1, 4) if v is not None] + [torch.zeros(4).double()],
        },
    ),
    (LINEAR.log_likelihood, {"x": X}, {"x": [*BD, X.double()]}),
    (LINEAR.posterior, {"x": X}, {"x": [*BD, X.double()]}),
    (LINEAR.log_joint, {"x": X, "z": MEAN}, {"x": [*BD, X.double()], "z": [*vectors(2), MEAN.double(), MEAN[:2]]}),
    *[
        (getattr(LINEAR, name), {"x": X, "mean": MEAN, "std": STD}, GAUSSIAN)
        for name in ("kl", "reverse_kl", "elbo", "eubo", "chi_squared")
    ],
    (LINEAR.log_weights, {"x": X, "mean": MEAN, "std": STD, "M": 2, "K": 3}, {**GAUSSIAN, **OFTEN}),
    (LINEAR.sample, {"n": 3}, {"n": [*NO_COUNT, 0]}),
    (exact.exploding_latent_space, {"tau": torch.ones(3)}, {"tau": [*ranks(1), torch.zeros(3), torch.ones(3) / 0]}),
    (
        exact.gaussian_mmd2,
        {"mean": torch.zeros(2), "std": torch.ones(2), "kernel": "rbf", "scale": 1.0},
        {
            "mean": [*ranks(1), torch.zeros(3), torch.zeros(2) - math.inf],
            "std": [*ranks(1), torch.zeros(2), -torch.ones(2), torch.ones(3), torch.ones(2) / 0],
            "kernel": NO_CHOICE,
            "scale": OUT_OF_SCALE,
        },
    ),
    (exact.GaussianToy, {"x": X, "variance": 0.5}, {"x": [*ranks(2), X + math.inf], "variance": OUT_OF_SCALE}),
    (exact.m_step, {"model": LINEAR, "x": X, "mean": MEAN, "std": STD}, GAUSSIAN),
    (
        exact.unit_kl,
        {"eigenvalues": torch.ones(3), "noise_variance": 0.5, "beta": 2.0},
        {"eigenvalues": [*ranks(1), -torch.ones(3)], "noise_variance": OUT_OF_SCALE, "beta": OUT_OF_SCALE},
    ),
    (
        exact.ScoreGradient.of,
        {"case": exact.case_with(1.3, 0.5), "dimensions": 2, "constant": 0.5},
        {"dimensions": [*NO_COUNT, 0], "constant": NO_NUMBER},
    ),
    (
        exact.ScoreGradient.of(exact.case_with(1.3, 0.5)).variance,
        {"baseline": 0.5},
        {"baseline": [v for v in NO_NUMBER if not isinstance(v, torch.Tensor)]},  # each of the B has one of its own
    ),
    (exact.quieter_by_score, {"shift": 0.5, "dimensions": 2}, {"shift": NO_NUMBER, "dimensions": [*NO_COUNT, 0]}),
    (TOY.perturb, {"scale": 0.01}, {"scale": [*NO_NUMBER, -1.0]}),
    (TOY.log_likelihood, {"x": X}, {"x": [*BD, X.double()]}),
    (TOY.elbo, {"x": X}, {"x": [*BD, X.double()]}),
    (TOY.log_weights, {"x": X, "M": 2, "K": 3}, {"x": [*BD, X.double()], **OFTEN}),
    (TOY.draw, {"x": X, "eps": torch.zeros(2, 5, 3, 4)}, {"x": BD, "eps": [*vectors(4), torch.zeros(2, 4)]}),
    (TOY.log_joint, {"x": X, "z": torch.zeros(2, 5, 3, 4)}, {"x": BD, "z": [*vectors(4), torch.zeros(2, 4)]}),
    (
        exact.Information,
        {"data": INFO.data, "encoder": INFO.encoder, "decoder": INFO.decoder},
        {
            "data": [*NO_TENSOR, INFO.encoder, DATA],
            "encoder": [*NO_TENSOR, DATA, exact.Channel(X, MEAN, STD), exact.Channel(None, None, None)],
            "decoder": [*NO_TENSOR, DATA, exact.Channel(X, MEAN, STD), exact.Channel(X[0], MEAN, STD)],
        },
    ),
    (exact.Information.of, {"model": LINEAR}, {"model": [*NO_TENSOR, DATA]}),
    (INFO.objective, {"alpha": 0.5, "lambda_": 2.0}, {"alpha": NO_NUMBER, "lambda_": NO_NUMBER}),
    (information.without_latent, {"data": DATA, "latent_dim": 2}, {"data": NO_TENSOR, "latent_dim": [*NO_COUNT, 0]}),
    (exact.LaplaceMixture, {"dim": 2}, {"dim": [*NO_COUNT, 0]}),
    (
        exact.MeanMixture,
        {"dim": 2, "spread": 2.0, "noise": 1.0},
        {"dim": [*NO_COUNT, 0], "spread": OUT_OF_SCALE, "noise": OUT_OF_SCALE},
    ),
    (
        MEANS.chi_squared,
        {"z": Z, "slope": 0.5, "std": 1.0},
        {"z": vectors(2), "slope": NO_NUMBER, "std": OUT_OF_SCALE},
    ),
    (LAPLACE.log_mixing, {"psi": PSI}, {"psi": [*vectors(2), -PSI, 0 * PSI]}),
    *[
        call
        for law in (LAPLACE, MEANS)
        for call in (
            (law.log_mixing, {"psi": PSI}, {"psi": vectors(2)}),
            (law.log_conditional, {"z": Z, "psi": PSI}, {"z": vectors(2), "psi": [*vectors(2), PSI[:4]]}),
            (law.sample_mixing, {"shape": (3, 4)}, {"shape": [v for v in NO_SEQUENCE if v != [0]]}),
            (law.sample, {"n": 4}, {"n": [*NO_COUNT, 0]}),
        )
    ],
    *[
        call
        for law in (LAPLACE, MEANS)
        for call in (
            (law.log_prob, {"z": Z}, {"z": vectors(2)}),
            (law.log_posterior, {"psi": PSI, "z": Z}, {"psi": [*vectors(2), PSI[:4]], "z": vectors(2)}),
            (law.sample_posterior, {"z": Z, "K": 3}, {"z": vectors(2), "K": [*NO_COUNT, 0]}),
        )
    ],
]

test_good_arguments_are_taken, test_a_bad_argument_is_named_and_nothing_else_is_raised = taken_and_refused(CALLS)
