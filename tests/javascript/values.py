"""What the package computes where the JavaScript must compute the same: tests/javascript/values.json.

    python -m tests.javascript.values      writes the file anew

``test_values.py`` compares the file with what the package computes now, the .js files beside it compare the JavaScript
with the file. Every entry is one call: what is given, and what comes out. No two sizes of one case are equal.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.scale import SymmetricalLogTransform
from scipy import special
from torch import Tensor

from tests.javascript import labs
from tools import live
from vaecourse import divergences, exact
from vaecourse.labs import iwae, mmd
from vaecourse.labs.controls import Number

FILE = Path(__file__).with_name("values.json")


def values() -> dict[str, Any]:
    return {
        "controls": list(sliders()),
        "words": words(),
        "chart": chart(),
        "noise": list(noise()),
        "doubles": list(doubles()),
        "numpy": list(numpy_noise()),
        "iwae": {"facts": live.reference(), "cases": list(iwae_cases())},
        "gradients": list(gradients()),
        "bessel": list(bessel()),
        "labs": labs.cases(),
        "mmd": {"kernels": list(kernels()), "clouds": clouds(), "labs": list(mmd_labs())},
    }


# Controls and words --------------------------------------------------------------------------------------------------


SLIDERS = (
    Number("a", "", -3, 3, 0, stops=25),
    Number("b", "", 0.004, 30, 1, log=True),
    Number("c", "", 0, 9.1, 1, digits=0),
)


def sliders() -> list[dict[str, Any]]:
    """What stands beside a slider's handle at some of its stops, and the stop where it stands for a value between."""
    rows = []
    for slider in SLIDERS:
        widget = slider.make()
        stops, digits = list(widget.stops), widget.digits
        places = [0, 1, 3, len(stops) // 2, len(stops) - 2]
        between = [0.3 * stops[i] + 0.7 * stops[i + 1] for i in places]
        rows.append(
            {
                "stops": stops,
                "digits": digits,
                "texts": [[stops[i], as_text(stops[i], digits)] for i in places],
                "nearest": [[value, int(np.abs(np.array(stops) - value).argmin())] for value in between],
            }
        )
    return rows


def as_text(value: float, digits: int) -> str:
    if 0 < abs(value) < 10**-digits:
        return f"{value:#.2g}"
    return f"{value:.{digits}f}"


NUMBERS = (0.0, 1.0, -2.5e-7, 3.14159, -0.0004, 1234.5678, 12.0, 9.996, 6.02e23, 0.00012345, 2.4e-5, -99.95)


def words() -> dict[str, Any]:
    general = [[x, digits, sign, f"{x:{sign}.{digits}g}"] for x in NUMBERS for digits in (2, 3) for sign in ("", "+")]
    fixed = [[x, digits, f"{x:z.{digits}f}"] for x in NUMBERS if x < 1e20 for digits in (1, 3)]
    percent = [[share, f"{share:.0%}"] for share in (0.0, 0.005, 0.015, 0.125, 0.135, 0.1449, 0.145, 0.5, 0.995, 1.0)]
    return {"general": general, "fixed": fixed, "percent": percent}


# Charts --------------------------------------------------------------------------------------------------------------


def chart() -> dict[str, Any]:
    """Places, steps and shares, by numpy."""
    at = np.array([0.9, 3.0, 1000.0])
    linear = np.interp(at, [-4.0, 1200.0], [0.0, 300.0])
    around = [-300.0, -2.0, 0.05, 0.1, 30.0, 300.0]
    symlog = [float(place) for place in SymmetricalLogTransform(10, 0.1, 1).transform_non_affine(np.array(around))]
    logarithmic = np.interp(np.log(at), np.log([0.85, 1200.0]), [190.0, 10.0])
    edges, log_edges = np.linspace(-1, 2, 8), np.geomspace(0.1, 20, 6)
    numbers = np.sin(np.arange(1, 40) ** 2) * 3.1
    outside = np.clip(numbers, -0.999, 1.999)
    inside = np.histogram(numbers, edges)[0] / len(numbers)
    return {
        "linear": {"direction": {"from": -4, "to": 1200}, "ends": [0, 300], "at": list(at), "places": list(linear)},
        "log": {
            "direction": {"from": 0.85, "to": 1200, "log": True},
            "ends": [190, 10],
            "at": list(at),
            "places": list(logarithmic),
        },
        "around 0": {
            "direction": {"from": -300, "to": 300, "linear": 0.1},
            "ends": [symlog[0], symlog[-1]],
            "at": around,
            "places": symlog,
        },
        "steps": [[[-1, 2, 8], list(edges)], [[0.1, 20, 6, True], list(log_edges)]],
        "quantiles": [[share, float(np.quantile(numbers, share))] for share in (0.0, 0.1, 0.5, 0.93, 1.0)],
        "histogram": [
            [list(numbers), list(edges), False, list(inside)],
            [list(numbers), list(edges), True, list(np.histogram(outside, edges)[0] / len(numbers))],
            [list(abs(numbers)), list(log_edges), False, list(np.histogram(abs(numbers), log_edges)[0] / len(numbers))],
        ],
    }


# Noise ---------------------------------------------------------------------------------------------------------------


def noise() -> list[dict[str, Any]]:
    """The bits as numpy has them, the numbers as PyTorch has them."""
    rows = []
    for seed, count in ((0, 16), (1, 48), (5489, 1280)):
        bits = np.random.MT19937()
        bits._legacy_seeding(seed)
        draw = lambda how, seed=seed, count=count: how(count, generator=torch.Generator().manual_seed(seed))
        rows.append(
            {
                "seed": seed,
                "count": count,
                "bits": [int(word) for word in bits.random_raw(700)[[0, 1, 623, 624, 699]]],
                "uniforms": [int(u) for u in (draw(torch.rand) * 2**24)[-5:]],
                "normals": draw(torch.randn).double()[-11:].tolist(),
            }
        )
    return rows


def doubles() -> Iterator[dict[str, Any]]:
    for seed, count in ((0, 16), (2, 443), (2, 800), (7, 56)):
        found = torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        yield {"seed": seed, "count": count, "normals": found[-20:].tolist()}


def numpy_noise() -> Iterator[dict[str, Any]]:
    """Of 20 000 numbers the last ones: where one was refused too many or too few, all after it are others."""
    for entropy in ([0, 0], [3, 1], [2**32 - 1, 1]):
        draw = lambda how, *settings, entropy=entropy: getattr(np.random.default_rng(entropy), how)(
            *settings, 20_000, dtype=np.float32
        )[-9:].tolist()
        gammas = {str(shape): draw("standard_gamma", shape) for shape in (0.0, 0.5, 1.0, 1.5, 24.5)}
        raw = [str(word) for word in np.random.PCG64(np.random.SeedSequence(entropy)).random_raw(5)]
        yield {"entropy": entropy, "raw": raw, "normals": draw("standard_normal"), "gammas": gammas}


# Theory --------------------------------------------------------------------------------------------------------------


def gradients() -> Iterator[dict[str, Any]]:
    """Moments and values of every row for a q too wide, too narrow, beside the posterior, and the posterior itself."""
    facts = live.reference()
    for width, shift in ((1.3, 0.5), (0.5, 0.0), (2.5, -0.7), (0.8, 1.2), (1.0, 0.0)):
        rows, found = exact.RowGradients(exact.case_with(width, shift)), []
        for row, M, K, alpha, beta in (
            ("elbo", 3, 5, 0.5, 0.5), ("iwae", 1, 1, 0.5, 0.5), ("iwae", 2, 32, 0.5, 0.5), ("miwae", 4, 16, 0.5, 0.5),
            ("ciwae", 2, 9, 0.5, 0.3), ("stl", 1, 64, 0.5, 0.5), ("dreg", 1, 64, 0.5, 0.5), ("vr_iwae", 1, 8, 0.7, 0.5),
            ("vr_iwae", 1, 8, 1.0, 0.5),
        ):  # fmt: skip
            for parameter in ("mean", "std", "weight"):
                settings = {"row": row, "parameter": parameter, "M": M, "K": K, "alpha": alpha, "beta": beta}
                moments = rows.moments(**settings)
                value = rows.value(row, M, K, alpha, beta)
                found.append(settings | {"mean": moments.mean, "variance": moments.variance, "value": value})
        jackknife = [rows.value("jackknife", 1, 7, order=3), rows.mean("jackknife", "mean", 1, 7, order=3)]
        yield {
            "facts": facts, "width": width, "shift": shift, "rows": found, "jackknife": jackknife,
            "of_log_p": rows.of_log_p("weight"), "score": score_gradient(rows.case),
        }  # fmt: skip


def score_gradient(case: exact.Case) -> dict[str, float]:
    of = exact.ScoreGradient.of(case, constant=0.7)
    variances = {"none": of.variance(0.0), "left out": of.leave_one_out(5)}
    found = {"mean": of.mean, "level": of.level, "best": of.best} | variances
    return {name: value.item() for name, value in found.items()}


def bessel() -> Iterator[list[float]]:
    """log (I_order(x) e^-x), by scipy."""
    for order in (-0.5, 0.0, 0.5, 3.0, 11.5, 24.0):
        for x in (1e-3, 0.7, 9.0, 31.0, 143.0, 147.0, 900.0, 2e5):
            if (found := float(special.ive(order, x))) > 0:
                yield [order, x, math.log(found)]


# Lab "03.iwae" -------------------------------------------------------------------------------------------------------

EVERY = 12  # of the places where densities are drawn


def iwae_cases() -> list[dict[str, Any]]:
    rows = []
    for K, (width, shift) in zip([1, 2, 7, 64, 1000], [(0.3, 1.5), (0.71, 0.0), (1.3, 0.5), (1.0, 0.0), (3.0, 1.5)]):
        case = iwae.case_with(width, shift)
        lab = iwae.Iwae()
        here = lab.compute(K=K, width=width, shift=shift, seed=0)
        rows.append(
            {
                "settings": {"K": K, "width": width, "shift": shift},
                "posterior": [case.model.posterior(case.x).mean.item(), case.model.posterior(case.x).variance.item()],
                "mean": case.mean.item(),
                "std": case.std.item(),
                "log_likelihood": case.model.log_likelihood(case.x).item(),
                "kl": case.model.log_likelihood(case.x).item() - case.model.elbo(*case[1:]).item(),
                "chi_squared": _or_inf(case.model.chi_squared(*case[1:]).item()),
                "expected": exact.WeightLaw.of(case).lower(K).item(),
                "curve": here.curve.tolist(),
                "q": here.q[::EVERY].tolist(),
                "picked": here.picked[::EVERY].tolist(),
                "sentence": lab.sentence(here).replace("-0.000", "0.000").split(". ")[0],
            }
        )
    return rows


def _or_inf(value: float) -> float | str:
    return value if math.isfinite(value) else "inf"


# Lab "06.mmd" --------------------------------------------------------------------------------------------------------

BANDWIDTHS = (0.3, 1.0, 12.0)
KERNELS = {
    mmd.RBF: lambda h, d: partial(divergences.rbf, bandwidth=h),
    mmd.BLIND: lambda h, d: partial(divergences.rbf, bandwidth=h * d),
    mmd.IMQ: lambda h, d: partial(divergences.imq, scale=2 * h**2),
    mmd.MANY: lambda h, d: divergences.multi_scale(divergences.imq, [2 * h**2 * s for s in mmd.SCALES]),
}


def kernels() -> list[dict[str, Any]]:
    """Each kernel as a function of a squared distance, its slope, and the exact MMD^2 of two Gaussians."""
    rows = []
    for (name, h), (d, shift, spread) in zip(
        itertools.product(KERNELS, BANDWIDTHS), itertools.cycle([(2, 1.5, 0.5), (5, 0.0, 1.7), (128, 2.0, 1.0)])
    ):
        r = torch.tensor([0.0, 0.2, 3.0, 40.0], dtype=torch.float64, requires_grad=True)
        k = mmd.profile(name, h, d)(r + 0.0)
        (slope,) = torch.autograd.grad(k.sum(), r)
        rows.append(
            {
                "kernel": name,
                "h": h,
                "d": d,
                "r": r.tolist(),
                "k": k.tolist(),
                "slope": slope.tolist(),
                "shift": shift,
                "spread": spread,
                "exact": exact_mmd2(name, h, d, shift, spread),
            }
        )
    return rows


def exact_mmd2(name: str, h: float, d: int, shift: float, spread: float) -> float:
    mean = torch.zeros(d, dtype=torch.float64)
    mean[0] = shift
    kind, scales = {
        mmd.RBF: ("rbf", [h]),
        mmd.BLIND: ("rbf", [h * d]),
        mmd.IMQ: ("imq", [2 * h**2]),
        mmd.MANY: ("imq", [2 * h**2 * s for s in mmd.SCALES]),
    }[name]
    of = [exact.gaussian_mmd2(mean, torch.full_like(mean, spread), kind, scale) for scale in scales]
    return torch.stack(of).mean().item()


def clouds() -> dict[str, Any]:
    """Statistics of 2 x 5 points in 3 dimensions, the witness at 7 places, and the pull on 4 codes."""
    n, d, h, count, seed = 5, 3, 0.8, 4, 3
    pooled = torch.randn(2 * n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    pooled[n:] = 0.6 * pooled[n:] + torch.tensor([1.0, 0.0, 0.3], dtype=torch.float64)
    kernel = KERNELS[mmd.IMQ](h, d)
    prior, codes = pooled[:n], pooled[n:].clone().requires_grad_()
    plane = torch.linspace(-2, 2, 14, dtype=torch.float64).view(7, 2)
    elsewhere = torch.tensor([0.0, 0.0, 0.4], dtype=torch.float64)
    at = torch.cat([plane, elsewhere[2:].repeat(7, 1)], dim=1)
    (slope,) = torch.autograd.grad(divergences.witness(codes, pooled[n:], prior, kernel).sum(), codes)
    k = kernel(pooled, pooled)
    null = divergences.u_statistics(k, partings(n, seed))
    return {
        "n": n,
        "d": d,
        "h": h,
        "count": count,
        "seed": seed,
        "pooled": pooled.tolist(),
        "k": k.tolist(),
        "U": divergences.mmd2(prior, pooled[n:], kernel).item(),
        "V": divergences.mmd2(prior, pooled[n:], kernel, unbiased=False).item(),
        "plane": plane.tolist(),
        "elsewhere": elsewhere.tolist(),
        "witness": divergences.witness(at, pooled[n:], prior, kernel).tolist(),
        "pull": (-slope)[:count, :2].tolist(),
        "null": null[[0, 1, 150, 299]].tolist(),
        "null mean": null.mean().item(),
    }


def partings(n: int, seed: int) -> Tensor:
    """The lab's random ones; of two equal random numbers the first comes first."""
    order = torch.rand(mmd.PERMUTATIONS, 2 * n, generator=torch.Generator().manual_seed(10_000 + seed))
    return torch.where(order.argsort(dim=1, stable=True) < n, 1.0, -1.0).double()


def mmd_labs() -> list[dict[str, Any]]:
    """The whole lab, from the seed on."""
    rows = []
    for name, h, (shift, spread, n, d, seed) in (
        (mmd.RBF, 1.0, (0.0, 1.0, 8, 2, 0)),
        (mmd.IMQ, 0.7, (1.5, 0.5, 33, 5, 1)),
        (mmd.MANY, 11.3, (2.0, 2.0, 50, 128, 7)),
    ):
        noise = mmd._noise(seed).double()
        prior, codes = noise[0, :n, :d], spread * noise[1, :n, :d]
        codes[:, 0] += shift
        kernel, pooled = KERNELS[name](h, d), torch.cat([prior, codes])
        null = divergences.u_statistics(kernel(pooled, pooled), partings(n, seed))
        rows.append(
            {
                "settings": {"kernel": name, "bandwidth": h, "shift": shift, "spread": spread, "n": n, "d": d}
                | {"lam": 3.0, "seed": seed},
                "first": prior[:3, :2].tolist() + codes[-3:, :2].tolist(),
                "U": divergences.mmd2(prior, codes, kernel).item(),
                "V": divergences.mmd2(prior, codes, kernel, unbiased=False).item(),
                "exact": exact_mmd2(name, h, d, shift, spread),
                "sd": null.std(correction=0).item(),
                "median": torch.cdist(prior, codes).flatten().quantile(0.5).item(),
            }
        )
    return rows


def text(found: dict[str, Any]) -> str:
    """As JSON, a list of numbers on one line."""
    whole = json.dumps(found, indent=1, ensure_ascii=False)
    return re.sub(r"\[\s+[^][{}]*?\s+\]", lambda flat: re.sub(r"\s*\n\s*", " ", flat[0]), whole) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(values()), encoding="utf-8")
