"""Every bad argument of a hierarchical bound, law or sampler is refused by its name."""

import math

import torch

from tests.refusals import (
    NO_CHOICE,
    NO_COUNT,
    NO_FLOATS,
    NO_NUMBER,
    NO_SEQUENCE,
    NO_TENSOR,
    OFTEN,
    ranks,
    taken_and_refused,
    vectors,
)
from vaecourse import exact, hierarchical
from vaecourse.hierarchical import samplers, vae

X, Z, PSI = torch.zeros(3, 4), torch.ones(5, 2), torch.ones(5, 2)
BD = [*ranks(2, 4), X + math.inf]
LOG_W = torch.zeros(2, 3, 4)
NAN = torch.full((4, 3, 2), math.nan)
RATIO = NO_TENSOR + NO_FLOATS + [torch.zeros(()), torch.zeros(0, 3), NAN, torch.full((3,), math.inf)]
LAPLACE = exact.LaplaceMixture(2)
PRIOR = hierarchical.MixingPrior(LAPLACE)
NO_LAW = [None, 3, "laplace", object(), torch.zeros(2)]
PAIR = {"z": [*vectors(), torch.ones(4, 2)], "psi_0": [*vectors(), torch.ones(4, 2), torch.ones(2)]}
SAMPLER, TARGET = samplers.NeuralSampler(), samplers.TARGETS["banana"]
HVAE = vae.HierarchicalVAE(4, 2, 3, hidden=(3,), inner=2)
CALLS = [  # function, good arguments, and for each argument what must be refused
    *[
        call
        for law in (SAMPLER,)
        for call in (
            (law.log_mixing, {"psi": PSI}, {"psi": vectors(2)}),
            (law.log_conditional, {"z": Z, "psi": PSI}, {"z": vectors(2), "psi": [*vectors(2), PSI[:4]]}),
            (law.sample_mixing, {"shape": (3, 4)}, {"shape": [v for v in NO_SEQUENCE if v != [0]]}),
            (law.sample, {"n": 4}, {"n": [*NO_COUNT, 0]}),
        )
    ],
    (hierarchical.upper_bound, {"log_ratio": LOG_W}, {"log_ratio": RATIO}),
    (hierarchical.lower_bound, {"log_ratio": LOG_W}, {"log_ratio": [*RATIO, LOG_W[:1]]}),
    (hierarchical.midpoint, {"log_ratio": LOG_W}, {"log_ratio": [*RATIO, LOG_W[:1]]}),
    (hierarchical.jackknife, {"log_ratio": LOG_W, "order": 1}, {"log_ratio": RATIO, "order": [*NO_COUNT, 2, 10**30]}),
    *[
        (
            function,
            {"law": LAPLACE, "tau": PRIOR, "z": Z, "psi_0": PSI, "K": 2},
            {**PAIR, "K": NO_COUNT, "law": NO_LAW, "tau": NO_LAW},
        )
        for function in (hierarchical.log_ratios, hierarchical.dreg)
    ],
    (
        hierarchical.curve,
        {"law": LAPLACE, "tau": PRIOR, "z": Z, "psi_0": PSI, "K": [2, 4], "chunk": 3},
        {
            **PAIR,
            "K": [None, 3, "ab", [], [2.0], [-1], [3, 3], [None]],
            "chunk": [*NO_COUNT, 0],
            "law": NO_LAW,
            "tau": NO_LAW,
        },
    ),
    (
        hierarchical.learn,
        {"law": LAPLACE, "tau": hierarchical.GatedInverse((3,)), "steps": 1, "K": 2, "batch": 3, "learning_rate": 0.1},
        {
            "law": NO_LAW,
            "tau": [*NO_LAW, PRIOR],
            "steps": NO_COUNT,
            "K": NO_COUNT,
            "batch": [*NO_COUNT, 0],
            "learning_rate": [*NO_NUMBER, 0, -1.0],
        },
    ),
    (
        hierarchical.laplace_toy,
        {"steps": 0, "K": (0, 2), "draws": 3, "dim": 2, "training_K": 2, "seed": 0},
        {
            "steps": NO_COUNT,
            "K": [None, 3, [], [2.0], [3, 2]],
            "draws": [*NO_COUNT, 1],
            "dim": [*NO_COUNT, 0],
            "training_K": NO_COUNT,
            "seed": NO_COUNT,
        },
    ),
    (hierarchical.MixingPrior, {"law": LAPLACE}, {"law": NO_LAW}),
    (hierarchical.Posterior, {"law": LAPLACE}, {"law": [*NO_LAW, SAMPLER]}),
    (
        hierarchical.LinearInverse,
        {"slope": 0.1, "std": 1.0},
        {"slope": NO_NUMBER, "std": [*NO_NUMBER, 0, -1.0]},
    ),
    (hierarchical.GatedInverse, {"hidden": (3,)}, {"hidden": NO_SEQUENCE}),
    *[
        call
        for tau in (
            PRIOR,
            hierarchical.Posterior(LAPLACE),
            hierarchical.LinearInverse(),
            hierarchical.GatedInverse((3,)),
            samplers.GaussianInverse((3,)),
        )
        for call in (
            (tau.sample, {"z": Z, "K": 3}, {"z": vectors(), "K": [*NO_COUNT, 0]}),
            (tau.log_prob, {"psi": torch.ones(3, 5, 2), "z": Z}, {"psi": vectors(2)}),
        )
    ],
    (samplers.NeuralSampler, {"hidden": (3,)}, {"hidden": NO_SEQUENCE}),
    (samplers.GaussianInverse, {"hidden": (3,)}, {"hidden": NO_SEQUENCE}),
    (
        samplers.fit,
        {"target": TARGET, "K": 1, "tau": "prior", "steps": 1, "seed": 0, "batch_size": 2, "learning_rate": 0.1},
        {
            "target": [None, "banana", 3],
            "K": NO_COUNT,
            "tau": NO_CHOICE,
            "steps": [*NO_COUNT, 0],
            "seed": NO_COUNT,
            "batch_size": [*NO_COUNT, 0],
            "learning_rate": [*NO_NUMBER, 0, -1.0],
        },
    ),
    (
        samplers.bound,
        {"target": TARGET, "fitted": samplers.Fit(SAMPLER, hierarchical.MixingPrior(SAMPLER)), "K": 1, "n": 2},
        {"target": [None, "banana"], "K": NO_COUNT, "n": [*NO_COUNT, 0]},
    ),
    (
        samplers.density,
        {"sampler": SAMPLER, "x": torch.zeros(3), "y": torch.zeros(2), "draws": 8},
        {"x": ranks(1), "y": ranks(1), "draws": [*NO_COUNT, 0]},
    ),
    (samplers.gaussian_fit, {"target": TARGET, "points": 8, "starts": 1}, {"target": [None, "X"], "points": NO_COUNT}),
    (TARGET.sample, {"n": 3}, {"n": [*NO_COUNT, 0]}),
    (
        vae.HierarchicalVAE,
        {"data_dim": 4, "latent_dim": 2, "mixing_dim": 3, "hidden": (3,), "tau": "prior", "inner": 1},
        {
            "data_dim": [*NO_COUNT, 0],
            "latent_dim": [*NO_COUNT, 0],
            "mixing_dim": [v for v in NO_COUNT if v is not None],
            "hidden": NO_SEQUENCE,
            "tau": NO_CHOICE,
            "gradient": NO_CHOICE,
            "likelihood": NO_CHOICE,
            "inner": NO_COUNT,
        },
    ),
    (HVAE.noise, {"x": X, "M": 2, "K": 3}, {"x": BD, **OFTEN}),
    (HVAE.log_weights, {"x": X, "M": 2, "K": 3}, {"x": BD, **OFTEN}),
    (HVAE.draw, {"x": X, "eps": torch.zeros(2, 5, 3, 11)}, {"x": BD, "eps": [*vectors(11), torch.zeros(2, 5, 3, 4)]}),
]

test_good_arguments_are_taken, test_a_bad_argument_is_named_and_nothing_else_is_raised = taken_and_refused(CALLS)
