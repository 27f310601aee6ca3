"""What the labs of the package find and say where the labs of the site must find and say the same.

The numbers are asked of the package's own theory where the lab has it from there, and of the lab where it samples.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import torch

from tools import live
from vaecourse import exact, labs
from vaecourse.labs import baseline as score_baseline
from vaecourse.labs import estimators, hierarchical, signal


def cases() -> dict[str, Any]:
    """For every live lab of which JavaScript has the sentence too: constants, and settings with what comes of them."""
    return {
        name: {"facts": live.ALL[name].facts(), "cases": [_case(name, *case) for case in found()]}
        for name, found in FOUND.items()
    }


def _case(name: str, settings: dict[str, Any], numbers: dict[str, float]) -> dict[str, Any]:
    lab = labs.ALL[name]()
    here = lab.experiment.compute(**lab.defaults | settings)
    said = re.sub(r"-(0\.0+)(?!\d)", r"\1", lab.experiment.sentence(here))  # no zero has a minus
    finite = {key: value if math.isfinite(value) else "inf" for key, value in numbers.items()}
    return {"settings": settings, "numbers": finite, "sentence": said}


def bound() -> list[tuple[dict[str, Any], dict[str, float]]]:
    case = exact.reference(torch.float64)
    law, rows = exact.WeightLaw.of(case), []
    for K, seed in ((1, 0), (2, 3), (9, 1), (64, 0), (1000, 2)):
        eps = torch.randn(500, 1000, generator=torch.Generator().manual_seed(seed))[:, :K].double()
        runs = (exact.log_weights(case, eps).logsumexp(1) - math.log(K)).numpy()
        low, high = np.quantile(runs, [0.1, 0.9])
        numbers = {"log_likelihood": case.model.log_likelihood(case.x).item(), "expected": law.lower(K).item()}
        rows.append(({"K": K, "seed": seed}, numbers | {"low": float(low), "high": float(high)}))
    return rows


def gap() -> list[tuple[dict[str, Any], dict[str, float]]]:
    model, rows = exact.reference(torch.float64).model, []
    for mean, std, x in ((0.661, 0.4152, 1.3), (-3.0, 2.0, 3.0), (0.0, 1.0, 0.0), (1.5, 0.2, -2.4)):
        data, q = torch.tensor([[x]]).double(), (torch.tensor([[mean]]).double(), torch.tensor([[std]]).double())
        prior = torch.distributions.kl_divergence(torch.distributions.Normal(*q), torch.distributions.Normal(0.0, 1.0))
        numbers = {
            "reconstruction": model.elbo(data, *q).item() + prior.item(),
            "kl_to_prior": prior.item(),
            "elbo": model.elbo(data, *q).item(),
            "kl_to_posterior": model.kl(data, *q).item(),
            "log_likelihood": model.log_likelihood(data).item(),
        }
        rows.append(({"mean": mean, "std": std, "x": x}, numbers))
    return rows


def proposal() -> list[tuple[dict[str, Any], dict[str, float]]]:
    case, rows = exact.reference(torch.float64), []
    posterior = case.model.posterior(case.x)
    for width, shift, K, seed in ((1.3, 0.0, 1000, 1), (0.5, 0.0, 11, 0), (2.0, -1.5, 25, 4), (4.0, 3.0, 7000, 2)):
        mean, std = posterior.mean + shift * posterior.stddev, width * posterior.stddev
        eps = torch.randn(40, K, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)[0]
        w = exact.log_weights(case.replace(mean, std), eps).exp()
        numbers = {
            "p": case.model.log_likelihood(case.x).exp().item(),
            "estimate": w.mean().item(),
            "error": w.std().item() / math.sqrt(K),
            "effective": (w.sum() ** 2 / w.square().sum()).item(),
            "chi_squared": case.model.chi_squared(case.x, mean, std).item(),
        }
        rows.append(({"width": width, "shift": shift, "K": K, "seed": seed}, numbers))
    return rows


def baseline() -> list[tuple[dict[str, Any], dict[str, float]]]:
    """D, which the page has not, is 1."""
    rows = []
    for name, K, seed, width, shift, unit in (
        ("none", 8, 0, 1.3, 0.5, 0.0),
        ("mean", 2, 1, 1.3, 0.5, 3.0),
        ("leave-one-out", 5, 2, 0.3, 1.5, 0.0),
        ("optimal", 64, 0, 3.0, 0.0, 0.0),
        ("optimal", 4, 3, 1.1, 0.15, -4.0),
        ("exact c*", 3, 3, 0.6, 0.1, 0.0),
        ("exact c*", 9, 1, 1.0, 0.0, 1.7),
    ):
        settings = {"baseline": name, "K": K, "width": width, "shift": shift, "unit": unit, "seed": seed}
        here = score_baseline.ScoreBaseline().compute(**settings, D=1)
        numbers = {"exact": here.exact, "expected": here.means[name], "mean": float(here.estimates[name].mean())}
        numbers |= {"variance": here.variances[name], "path_variance": here.variances[score_baseline.PATH]}
        rows.append((settings, numbers))
    return rows


def signal_to_noise() -> list[tuple[dict[str, Any], dict[str, float]]]:
    rows = []
    for K, M, width, shift, beta, budget, pooled, seed in (
        (1, 1, 1.3, 0.5, 0.5, signal.FREE, False, 0),
        (1024, 1, 0.3, 1.5, 0.0, signal.FREE, False, 1),
        (64, 64, 2.1, 0.4, 0.0, signal.FREE, True, 2),
        (9, 3, 0.3, 0.0, 0.025, signal.FREE, False, 3),
        (30, 5, 3.0, 1.5, 0.6, signal.FIXED, True, 0),
        (64, 1, 1.0, 0.0, 0.0, signal.FREE, False, 0),
        (8, 1, 0.72, 0.1, 0.0, signal.FREE, False, 0),
    ):
        settings = {"K": K, "M": M, "width": width, "shift": shift, "beta": beta, "budget": budget, "pooled": pooled}
        settings["seed"] = seed
        here = signal.SignalToNoise().compute(**settings)
        log_p = exact.reference(torch.float64).model.log_likelihood(exact.reference(torch.float64).x).item()
        numbers = {"theta": here.theta, "phi": here.phi, "value": here.value, "log_likelihood": log_p}
        rows.append((settings, numbers))
    return rows


def single_gradients() -> list[tuple[dict[str, Any], dict[str, float]]]:
    """Every estimator at every q, too wide, too narrow, beside the posterior and the posterior itself."""
    rows, everywhere = [], [(1.3, 0.5), (0.5, 0.0), (2.5, 1.5), (1.0, 0.0), (0.3, 1.5), (0.8, 0.3), (1.0, 0.5)]
    for i, (name, K, alpha, order) in enumerate(
        [("ELBO", 8, 0.5, 1), ("IWAE", 64, 0.0, 2), ("MIWAE", 13, 1.0, 0), ("STL", 64, 0.3, 1), ("DReG", 7, 0.9, 4)]
        + [("VR-IWAE", 64, 0.9, 1), ("VR-IWAE", 8, 1.0, 1), ("jackknife", 64, 0.5, 2), ("jackknife", 3, 0.5, 4)]
        + [("jackknife", 12, 0.25, 4), ("DReG", 16, 0.5, 1), ("jackknife", 20, 0.5, 0), ("STL", 1, 0.5, 1)]
        + [("DReG", 1, 0.5, 1), ("STL", 9, 0.5, 1), ("IWAE", 1, 0.5, 1), ("DReG", 64, 0.2, 1), ("ELBO", 1, 0.5, 1)]
        + [("MIWAE", 32, 0.5, 1), ("jackknife", 6, 0.5, 1), ("VR-IWAE", 13, 0.4, 1)]
    ):
        parameter = list(estimators.PARAMETERS)[(i + i // 7) % 3]
        width, shift = everywhere[i % 7]
        settings = {"estimator": name, "parameter": parameter, "K": K, "width": width, "shift": shift}
        settings |= {"alpha": alpha, "order": order, "seed": i % 2}
        here = estimators.Estimators().compute(**settings)
        numbers = {"mean": here.mean, "sd": here.sd, "target": here.target, "of_log_p": here.of_log_p}
        numbers |= {"expected": here.expected, "log_likelihood": here.log_p}
        numbers |= dict(zip(["vr_iwae", "jackknife"], here.beside.values()))
        rows.append((settings, numbers))
    return rows


def explode() -> list[tuple[dict[str, Any], dict[str, float]]]:
    rows = []
    for tau, lam, floor in ((0.7, 1.0, 0.0), (2.0, 4.0, 0.5), (0.1, 1.0, 0.0), (0.1, 10.0, 0.2), (0.33, 30.0, 0.02)):
        now = exact.exploding_latent_space(torch.tensor([tau], dtype=torch.float64), floor)
        names = ("elbo", "log_likelihood", "posterior_kl", "mutual_information", "aggregate_kl")
        numbers = {name: getattr(now, name).item() for name in names}
        numbers["objective"] = numbers["elbo"] - (lam - 1) * numbers["aggregate_kl"]
        rows.append(({"tau": tau, "lam": lam, "floor": floor}, numbers))
    return rows


def mixture() -> list[tuple[dict[str, Any], dict[str, float]]]:
    rows = []
    for K, tau, steps, dim, z, seed in (
        (5, hierarchical.LEARNED, 10, 5, 1.0, 0),
        (0, hierarchical.PRIOR, 10, 1, 0.0, 1),
        (64, hierarchical.PRIOR, 10, 2, 2.0, 2),
        (50, hierarchical.LEARNED, 200, 3, 1.3, 3),
        (1000, hierarchical.PRIOR, 10, 50, 1.0, 0),
        (3, hierarchical.LEARNED, 60, 50, 2.0, 4),
        (0, hierarchical.POSTERIOR, 10, 7, 1.0, 0),
        (8, hierarchical.POSTERIOR, 10, 7, 1.0, 0),
    ):
        settings = {"K": K, "tau": tau, "steps": steps, "dim": dim, "z": z, "seed": seed}
        here = hierarchical.HierarchicalBounds().compute(**settings)
        numbers = {"log_q": here.log_q, "chi_squared": here.chi_squared, "upper": here.upper}
        numbers["first_upper_run"] = float(here.upper_runs[0])
        if K:
            numbers |= {"lower": here.lower, "first_lower_run": float(here.lower_runs[0])}
        rows.append((settings, numbers))
    return rows


FOUND = {
    "00.bound": bound,
    "01.gap": gap,
    "02.proposal": proposal,
    "02.baseline": baseline,
    "04.signal": signal_to_noise,
    "05.estimators": single_gradients,
    "06.explode": explode,
    "07.bounds": mixture,
}
