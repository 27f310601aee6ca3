"""torch.set_default_device is the caller's own affair: what the package makes lies where its input lies.

The default is "meta" here, whose tensors hold nothing, so that one made without a device is noticed on any machine.
"""

import contextlib

import pytest
import torch

from vaecourse import (
    control_variates,
    data,
    divergences,
    evaluate,
    gradients,
    infovae,
    inspection,
    objectives,
    roulette,
    train,
)
from vaecourse.bounds import jackknife
from vaecourse.hierarchical import ratios, samplers
from vaecourse.models import VAE
from vaecourse.priors import VampPrior
from vaecourse.reproduce.ensemble import Ensemble
from vaecourse.reproduce.training import train_ensemble

M, K, B, D, L = 2, 3, 20, 9, 2
PIXELS = torch.rand(B, D, generator=torch.Generator().manual_seed(1)).round()
WEIGHTS = torch.randn(M, K, B, generator=torch.Generator().manual_seed(1))
SAMPLER, TAU = samplers.NeuralSampler(), samplers.GaussianInverse()
IMAGES = data.Images(torch.rand(30, D), torch.rand(5, D), torch.zeros(30), torch.zeros(5), (3, 3), "grey")
SMALL = train.Setting(latent_dim=L, hidden=(7,), epochs=1)


@contextlib.contextmanager
def default(device):
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


def seeded():
    return torch.Generator().manual_seed(0)


def fit(model, x, objective, K=K, **more):
    return train.fit(model, x, objective, M, K, 2, device="cpu", progress=False, **more)


CALLS = {
    **{row: lambda m, x, row=row: objectives.loss(m, x, row, M, K, seeded()).backward() for row in objectives.TABLE},
    **{f"fit, {d}": lambda m, x, d=d: fit(m, x, infovae.InfoVAE(d, 0.5, 2.0), K=1) for d in infovae.DIVERGENCES},
    "fit": lambda m, x: fit(m, x, "piwae"),
    "held out": lambda m, x: fit(m, x, "iwae", held_out=x),
    "log_likelihood": lambda m, x: evaluate.log_likelihood(m, x, 50, seeded()),
    "bound": lambda m, x: evaluate.bound(m, x, "miwae", M, K, seeded()),
    "ais": lambda m, x: evaluate.ais(m, x, temperatures=5, chains=2, generator=seeded()),
    "sandwich": lambda m, x: evaluate.sandwich(m, n=3, temperatures=5, chains=2, generator=seeded()),
    "refit": lambda m, x: evaluate.refit(m, x, epochs=2),
    "aggregate_gap": lambda m, x: evaluate.aggregate_gap(m, x, steps=3, batch_size=10),
    "active_units": lambda m, x: evaluate.active_units(m, x),
    "information": lambda m, x: evaluate.mutual_information(m, x, 2, seeded()),
    "signal": lambda m, x: gradients.signal_to_noise(m, x, "dreg", M, K, draws=4, generator=seeded()),
    "check": lambda m, x: inspection.check(m, x),
    "jackknife": lambda m, x: jackknife(WEIGHTS, 1),
    "jackknife's gradient": lambda m, x: gradients.jackknife_gradient(WEIGHTS[0], WEIGHTS[1], 1),
    "vimco": lambda m, x: control_variates.vimco(WEIGHTS),
    "ovis": lambda m, x: control_variates.ovis(WEIGHTS, 0.5),
    "roulette": lambda m, x: roulette.sumo(WEIGHTS, roulette.lengths(M, B, 2, seeded())),
    "baseline": lambda m, x: gradients.baseline(WEIGHTS, "leave_one_out"),
    "mmd": lambda m, x: divergences.mmd2(x, x[:7], lambda a, b: divergences.rbf(a, b, 1.0)),
    "median": lambda m, x: divergences.median_distance(x),
    "minibatch": lambda m, x: divergences.minibatch_kl(x[None, :, :L], x[:, :L], x[:, L : 2 * L]),
    "samplers": lambda m, x: samplers.fit(samplers.TARGETS["banana"], 3, steps=2),
    "Gaussian fit": lambda m, x: samplers.gaussian_fit(samplers.TARGETS["banana"], points=64, starts=1),
    "quadrature": lambda m, x: samplers.divergence(SAMPLER, samplers.TARGETS["banana"]),
    "target": lambda m, x: samplers.TARGETS["two modes"].sample(5, seeded()),
    "log_ratios": lambda m, x: ratios.log_ratios(SAMPLER, TAU, x[:, :L], x[:, :L], 3, seeded()),
    "sample": lambda m, x: m.sample(4, seeded()),
    "vamp": lambda m, x: VampPrior(m.encoder, x[:4]).sample(5, x[0, :L], seeded()),
    "binarise": lambda m, x: data.binarise(0.5 * x, seeded()),
    "ensemble": lambda m, x: train_ensemble(
        Ensemble([m, m]), x, objectives.get("iwae"), M, K, [1e-3], (0, 1), batch_size=7
    ),
}


@pytest.mark.parametrize("name", list(CALLS))
def test_what_is_given_says_where(name):
    torch.manual_seed(3)
    model = VAE(D, L, hidden=(7,))
    with default("meta"):
        CALLS[name](model, PIXELS)


def test_a_seed_gives_the_same_model_everywhere():
    here = train.untrained(IMAGES, 3, SMALL)
    with default("meta"):
        assert next(train.untrained(IMAGES, 3, SMALL).parameters()).device.type == "meta"
    with default("cpu"):
        there = train.untrained(IMAGES, 3, SMALL)
    for one, other in zip(here.parameters(), there.parameters(), strict=True):
        assert torch.equal(one, other)
