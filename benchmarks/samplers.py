"""The samplers behind lab "07.samplers": trained for every target, K and tau, and kept at a few moments of training.

    python benchmarks/samplers.py

A finished run is written at once to vaecourse/recorded/samplers.json, and a second call goes on where the first one
stopped. Parameters are kept as 16-bit floats (base64); bound and KL are those of the parameters that are kept.
"""

from __future__ import annotations

import argparse
import base64
import copy
import itertools
import sys
import time
from pathlib import Path

import torch

from vaecourse import recorded
from vaecourse.hierarchical import MixingPrior, samplers

MOMENTS = (0, 50, 150, 400, 800, 1500)  # steps of training
ALL_K = (0, 1, 5, 20)
SEED, ESTIMATES = 0, 10_000


def kept(target: samplers.Target, fitted: samplers.Fit, K: int, step: int) -> dict[str, object]:
    """What the record keeps of one moment: the parameters, the bound with its standard error, and KL(q || p)."""
    sampler = copy.deepcopy(fitted.sampler)
    flat = torch.nn.utils.parameters_to_vector(sampler.parameters()).detach().half()
    torch.nn.utils.vector_to_parameters(flat.float(), sampler.parameters())
    tau = MixingPrior(sampler) if isinstance(fitted.tau, MixingPrior) else fitted.tau
    runs = samplers.bound(target, samplers.Fit(sampler, tau), K, ESTIMATES, torch.Generator().manual_seed(1))
    return {
        "steps": step,
        "bound": round(float(runs.mean()), 4),
        "error": round(float(runs.std() / ESTIMATES**0.5), 4),
        "kl": round(samplers.divergence(sampler, target), 4),
        "parameters": base64.b64encode(flat.numpy().tobytes()).decode(),
    }


def measure(name: str, K: int, tau: str) -> dict[str, object]:
    """Train one sampler; its moments, and what it cost."""
    target, moments = samplers.TARGETS[name], []

    def watch(step: int, fitted: samplers.Fit) -> None:
        if step in MOMENTS:
            moments.append(kept(target, fitted, K, step))

    wall, processor = time.perf_counter(), time.process_time()
    samplers.fit(target, K, tau, steps=MOMENTS[-1], seed=SEED, watch=watch)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    cost = {"wall_seconds": round(wall, 1), "processor_seconds": round(processor, 1)}
    return {"target": name, "K": K, "tau": tau, **cost, "moments": moments}


def settings() -> dict[str, object]:
    """What every run has in common."""
    return {
        "fit": "samplers.fit: batches of 100, Adam from 5e-3 to 5e-4",
        "seed": SEED,
        "moments": MOMENTS,
        "K": ALL_K,
        "tau": samplers.TAUS,
        "targets": list(samplers.TARGETS),
        "bound": f"mean of {ESTIMATES} estimates of log p~ - U_K, in nats; kl by quadrature, in nats",
        "parameters": "NeuralSampler().parameters() in their order, little-endian float16, base64",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--to", type=Path, default=recorded.path("samplers"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    gaussian = {name: samplers.divergence(samplers.gaussian_fit(t), t) for name, t in samplers.TARGETS.items()}
    rounded = {name: round(kl, 4) for name, kl in gaussian.items()}
    record = recorded.Record(options.to, settings(), gaussian_kl=rounded)
    for K, tau, name in itertools.product(ALL_K, samplers.TAUS, samplers.TARGETS):
        if not record.has(target=name, K=K, tau=tau):
            record.add(measure(name, K, tau))
            moments = [(m["steps"], m["bound"], m["kl"]) for m in record.runs[-1]["moments"]]
            print(name, K, tau, moments, flush=True)


if __name__ == "__main__":
    import ending

    sys.exit(ending.told("samplers")(main)())
