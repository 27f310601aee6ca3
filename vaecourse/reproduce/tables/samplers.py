"""The samplers behind lab "07.samplers": trained for every target, K and tau, and saved at a few moments of training.

Parameters are saved as 16-bit floats (base64); bound and KL are those of the parameters that are saved.
"""

from __future__ import annotations

import base64
import copy
import itertools
import time
from typing import Any

import torch

from vaecourse.hierarchical import MixingPrior, samplers
from vaecourse.reproduce.laplace_bounds import shortened
from vaecourse.reproduce.machinery import Machinery
from vaecourse.reproduce.table import Run, Scale, Table, one_by_one

MOMENTS = (0, 50, 150, 400, 800, 1500)  # steps of training
ALL_K = (0, 1, 5, 20)
ROWS: dict[str, dict[str, Any]] = {
    f"{target}: K = {K}, tau {tau}": {"target": target, "K": K, "tau": tau}
    for K, tau, target in itertools.product(ALL_K, samplers.TAUS, samplers.TARGETS)
}
ESTIMATES = 10_000


def moments_of(scale: Scale) -> list[int]:
    """The moments that a training of this scale comes to."""
    return [step for step in MOMENTS if step <= scale.steps(MOMENTS[-1])]


def moment(target: samplers.Target, fitted: samplers.Fit, K: int, step: int, estimates: int) -> dict[str, Any]:
    """What is saved of one moment: the parameters, the bound with its standard error, and KL(q || p)."""
    sampler = copy.deepcopy(fitted.sampler)
    flat = torch.nn.utils.parameters_to_vector(sampler.parameters()).detach().half()
    torch.nn.utils.vector_to_parameters(flat.float(), sampler.parameters())
    tau = MixingPrior(sampler) if isinstance(fitted.tau, MixingPrior) else fitted.tau
    runs = samplers.bound(target, samplers.Fit(sampler, tau), K, estimates, torch.Generator().manual_seed(1))
    return {
        "steps": step,
        "bound": round(float(runs.mean()), 4),
        "error": round(float(runs.std() / estimates**0.5), 4),
        "kl": round(samplers.divergence(sampler, target), 4),
        "parameters": base64.b64encode(flat.numpy().tobytes()).decode(),
    }


def measure(row: str, seed: int, scale: Scale, machinery: Machinery) -> Run:
    """Train one sampler; its moments, and what it cost."""
    setting, steps, moments = ROWS[row], moments_of(scale), []
    target, estimates = samplers.TARGETS[setting["target"]], max(2, scale.limit or ESTIMATES)

    def watch(step: int, fitted: samplers.Fit) -> None:
        if step in steps:
            moments.append(moment(target, fitted, setting["K"], step, estimates))

    wall, processor = time.perf_counter(), time.process_time()
    samplers.fit(target, setting["K"], setting["tau"], steps=steps[-1], seed=seed, watch=watch)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    cost = {"wall_seconds": round(wall, 1), "processor_seconds": round(processor, 1), "device": "cpu"}
    return {"row": row, "seed": seed, **setting, **cost, "moments": moments}


def numbers(run: Run) -> Run:
    """A run with the measures of its last moment."""
    last = run["moments"][-1]
    return run | {"bound": last["bound"], "bound_error": last["error"], "kl": last["kl"]}


def gaussian_kl() -> dict[str, float]:
    """KL(q || p) of the best Gaussian for each target."""
    best = {name: samplers.divergence(samplers.gaussian_fit(t), t) for name, t in samplers.TARGETS.items()}
    return {name: round(kl, 4) for name, kl in best.items()}


def settings(scale: Scale) -> dict[str, Any]:
    """What every run has in common."""
    return {
        "fit": "samplers.fit: batches of 100, Adam from 5e-3 to 5e-4",
        "moments": moments_of(scale),
        "K": ALL_K,
        "tau": samplers.TAUS,
        "targets": list(samplers.TARGETS),
        "bound": f"mean of {scale.limit or ESTIMATES} estimates of log p~ - U_K, in nats; kl by quadrature, in nats",
        "parameters": "NeuralSampler().parameters() in their order, little-endian float16, base64",
        "rows": ROWS,
    }


TABLE = Table(
    "samplers",
    "The samplers of lab 07.samplers, at the end of their training",
    "the course, chapter 07, after arXiv 1805.11183",
    ROWS,
    {"bound": "bound", "kl": "KL(q, p)"},
    paper={},
    settings=settings,
    measure=one_by_one(measure),
    remark=lambda settings: (
        f"{shortened(settings)}In nats, of the parameters after {settings['moments'][-1]} steps that are in the record."
    ),
    digits=3,
    most_seeds=20,
    numbers=numbers,
    facts={"gaussian_kl": gaussian_kl},
)
