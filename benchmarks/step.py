"""A training step, and log p(x), as ratios measured in one run: ours, matrix products, plain PyTorch, pythae, Pyro.

    make bench            (or: python benchmarks/step.py --rounds 40)

The model is the IWAE paper's: 784-200-200-50 tanh, Bernoulli pixels; B = 100, K = 50, Adam, 2 threads. In each round
every candidate takes one step, in turn, so that a busy machine slows all of them; a ratio is formed within a round, and
the median and the quartiles over the rounds are printed. "bfloat16" is ``torch.autocast`` around the loss. pythae 0.1.2
and Pyro take part if they can be imported.
"""

from __future__ import annotations

import argparse
import math
import platform
import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from vaecourse import bernoulli, evaluate, objectives
from vaecourse.models import VAE

D, L, HIDDEN, B, K = 784, 50, (200, 200), 100, 50


def our_step(
    objective: str, M: int, K: int, x: Tensor, compiled: bool = False, half: bool = False
) -> Callable[[], object]:
    """A whole step of ours: draw, weigh, backward, Adam, as ``train.fit`` takes it."""
    torch.manual_seed(0)
    model = VAE(D, L, HIDDEN)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)

    def loss() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return objectives.loss(model, x, objective, M, K)

    return _stepping(torch.compile(loss, fullgraph=True) if compiled else loss, optimizer)


def plain_step(x: Tensor, compiled: bool = False, half: bool = False) -> Callable[[], object]:
    """The same step as a tutorial would write it; compiled, with the fused Adam too."""
    torch.manual_seed(0)
    model = VAE(D, L, HIDDEN)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=compiled)
    log_2pi = math.log(2 * math.pi)

    def loss() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return minus_bound()

    def minus_bound() -> Tensor:
        mean, log_std = model.encoder(x).chunk(2, -1)
        std = log_std.exp()
        z = mean + std * torch.randn(K, B, L)
        logits = model.decoder(z)
        log_p = -nn.functional.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none").sum(-1)
        log_p = log_p + (-0.5 * z**2 - 0.5 * log_2pi).sum(-1)
        log_q = (-0.5 * ((z - mean) / std) ** 2 - log_std - 0.5 * log_2pi).sum(-1)
        return -(torch.logsumexp(log_p - log_q, 0) - math.log(K)).mean()

    return _stepping(torch.compile(loss) if compiled else loss, optimizer)


def _stepping(loss: Callable[[], Tensor], optimizer: torch.optim.Optimizer) -> Callable[[], object]:
    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def layers(B: int) -> list[tuple[int, int, int]]:
    """Rows, inputs and outputs of every linear layer of a step: the decoder sees K B rows, the encoder B."""
    decoder, encoder = [L, *HIDDEN, D], [D, *HIDDEN, 2 * L]
    return [(K * B, i, o) for i, o in pairwise(decoder)] + [(B, i, o) for i, o in pairwise(encoder)]


def matrix_products() -> Callable[[], object]:
    """The matrix products of a step and nothing else: forward, gradient for the input, gradient for the weight."""
    operands = [(torch.randn(n, i), torch.randn(i, o), torch.randn(n, o)) for n, i, o in layers(B)]
    out = [(torch.empty(n, o), torch.empty(n, i), torch.empty(i, o)) for n, i, o in layers(B)]

    def step() -> None:
        for (h, w, g), (forward, for_input, for_weight) in zip(operands, out, strict=True):
            torch.mm(h, w, out=forward)
            torch.mm(g, w.T, out=for_input)
            torch.mm(h.T, g, out=for_weight)

    return step


def least_step(x: Tensor) -> Callable[[], object]:
    """What no form of this step can leave out, each once, in place and in blocks that stay in the cache: the products,
    the noise and z, two tanh layers with their derivatives, one sigmoid and one difference a pixel, Adam. No sum over
    the pixels, no bias, no weights, no graph: it is no step, and no step of these operations is faster."""
    torch.manual_seed(0)
    products, rows = matrix_products(), K * B
    noise, z = torch.empty(rows, L), torch.empty(rows, L)
    mean, std = torch.randn(rows, L), torch.rand(rows, L)
    hidden = [(torch.randn(rows, width), torch.randn(rows, width)) for width in HIDDEN]
    logits = torch.randn(rows, D)
    pixels = x.repeat(bernoulli.ROWS // B, 1)
    model = VAE(D, L, HIDDEN)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)

    def step() -> None:
        products()
        torch.addcmul(mean, std, noise.normal_(), out=z)
        for h, gradient in hidden:
            h.tanh_()
            torch.ops.aten.tanh_backward.grad_input(gradient, h, grad_input=gradient)
        for block in logits.split(bernoulli.ROWS):
            torch.sub(pixels, block.sigmoid_(), out=block)
        optimizer.step()

    return step


def pythae_model() -> nn.Module | None:
    """pythae 0.1.2's IWAE with the same networks, or None if pythae is not installed."""
    try:
        from pythae.models import IWAE, IWAEConfig
        from pythae.models.base.base_utils import ModelOutput
        from pythae.models.nn import BaseDecoder, BaseEncoder
    except ImportError:
        return None
    torch.manual_seed(0)
    ours = VAE(D, L, HIDDEN)

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = ours.encoder

        def forward(self, x: Tensor) -> ModelOutput:
            mean, log_std = self.layers(x).chunk(2, -1)
            return ModelOutput(embedding=mean, log_covariance=2 * log_std)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = ours.decoder

        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.layers(z).sigmoid())

    config = IWAEConfig(input_dim=(D,), latent_dim=L, number_samples=K, reconstruction_loss="bce")
    return IWAE(config, encoder=Encoder(), decoder=Decoder())


def pythae_step(x: Tensor) -> Callable[[], object] | None:
    """A step of pythae's, or None if it is not installed."""
    if (model := pythae_model()) is None:
        return None
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        model({"data": x}).loss.backward()
        optimizer.step()

    return step


def pyro_parts(x: Tensor, samples: int) -> tuple[nn.Module, Callable[[], float], Callable[[], float]] | None:
    """Pyro's RenyiELBO at alpha = 0, which is IWAE, with the same networks: the networks, the loss with its gradient,
    and the loss alone; None if Pyro is not installed. Its checks of arguments are off."""
    try:
        import pyro
        import pyro.distributions as law
        from pyro.infer import RenyiELBO
    except ImportError:
        return None
    torch.manual_seed(0)
    ours = VAE(D, L, HIDDEN)
    pyro.enable_validation(False)

    def model(x: Tensor) -> None:
        pyro.module("decoder", ours.decoder)
        with pyro.plate("data", len(x)):
            z = pyro.sample("z", law.Normal(torch.zeros(L), torch.ones(L)).to_event(1))
            pyro.sample("x", law.Bernoulli(logits=ours.decoder(z)).to_event(1), obs=x)

    def guide(x: Tensor) -> None:
        pyro.module("encoder", ours.encoder)
        with pyro.plate("data", len(x)):
            mean, log_std = ours.encoder(x).chunk(2, -1)
            pyro.sample("z", law.Normal(mean, log_std.exp()).to_event(1))

    bound = RenyiELBO(alpha=0, num_particles=samples, vectorize_particles=True, max_plate_nesting=1)
    return ours, lambda: bound.loss_and_grads(model, guide, x), lambda: bound.loss(model, guide, x)


def pyro_step(x: Tensor) -> Callable[[], object] | None:
    """A step of Pyro's, with the Adam of all the others."""
    if (parts := pyro_parts(x, K)) is None:
        return None
    networks, loss_and_gradient, _ = parts
    optimizer = torch.optim.Adam(networks.parameters(), lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        loss_and_gradient()
        optimizer.step()

    return step


def decoder_products(points: int, samples: int, chunk: int = 100) -> Callable[[], object]:
    """The matrix products of an evaluation and nothing else, as many samples at once as ``evaluate`` takes."""
    widths = [L, *HIDDEN, D]
    at_once = points * chunk
    layers = [(torch.randn(at_once, i), torch.randn(i, o), torch.empty(at_once, o)) for i, o in pairwise(widths)]

    def products() -> None:
        for _ in range(samples // chunk):
            for h, w, out in layers:
                torch.mm(h, w, out=out)

    return products


def least_evaluation(points: int, samples: int, chunk: int = 100) -> Callable[[], object]:
    """Its products, and what none can leave out: the noise and z, two tanh layers, one sigmoid a pixel, in blocks."""
    products, rows = decoder_products(points, samples, chunk), points * chunk
    noise, z, mean, std = (torch.rand(rows, L) for _ in range(4))
    hidden, logits = [torch.randn(rows, width) for width in HIDDEN], torch.randn(rows, D)

    def call() -> None:
        products()
        for _ in range(samples // chunk):
            torch.addcmul(mean, std, noise.normal_(), out=z)
            for h in hidden:
                h.tanh_()
            for block in logits.split(bernoulli.ROWS):
                block.sigmoid_()

    return call


def evaluations(x: Tensor, samples: int) -> dict[str, Callable[[], object] | None]:
    """log p(x) of the same points with the same number of samples."""
    torch.manual_seed(0)
    ours, pythae, pyro = VAE(D, L, HIDDEN), pythae_model(), pyro_parts(x, samples)

    def without_gradients(call: Callable[[], object]) -> Callable[[], object]:
        return torch.no_grad()(call)

    return {
        "bare matrix products": decoder_products(len(x), samples),
        "the products, and what none can leave out": least_evaluation(len(x), samples),
        "vaecourse log_likelihood": lambda: evaluate.log_likelihood(ours, x, samples),
        "pythae 0.1.2 get_nll": pythae and without_gradients(lambda: pythae.get_nll(x, samples, 100)),
        "Pyro RenyiELBO(alpha=0).loss": pyro and without_gradients(pyro[2]),
    }


def measure(candidates: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every candidate in every round; what is compiled says how long that takes."""
    for name, step in candidates.items():
        start = time.perf_counter()
        step()
        if "compiled" in name:
            print(f"{name}: the first step took {time.perf_counter() - start:.0f} s")
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for round_ in range(-3, rounds):  # three rounds to warm up
        for name, step in candidates.items():
            start = time.perf_counter()
            step()
            if round_ >= 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def row(name: str, times: list[float], base: list[float]) -> str:
    ratios = [t / b for t, b in zip(times, base, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"| {name} | {1e3 * statistics.median(times):.0f} | {middle:.2f} | {low:.2f} to {high:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    x = torch.rand(B, D, generator=torch.Generator().manual_seed(0)).round()
    candidates: dict[str, Callable[[], object] | None] = {
        "bare matrix products": matrix_products(),
        "the products, and what no step can leave out": least_step(x),
        "vaecourse iwae, K = 50": our_step("iwae", 1, K, x),
        "vaecourse dreg, K = 50": our_step("dreg", 1, K, x),
        "vaecourse piwae, M = 5, K = 10": our_step("piwae", 5, 10, x),
        "vaecourse iwae, K = 50, compiled": our_step("iwae", 1, K, x, compiled=True),
        "vaecourse dreg, K = 50, compiled": our_step("dreg", 1, K, x, compiled=True),
        "vaecourse piwae, M = 5, K = 10, compiled": our_step("piwae", 5, 10, x, compiled=True),
        "plain PyTorch iwae": plain_step(x),
        "plain PyTorch iwae, compiled, fused Adam": plain_step(x, compiled=True),
        "vaecourse iwae, K = 50, compiled, bfloat16": our_step("iwae", 1, K, x, compiled=True, half=True),
        "vaecourse dreg, K = 50, compiled, bfloat16": our_step("dreg", 1, K, x, compiled=True, half=True),
        "vaecourse piwae, M = 5, K = 10, compiled, bfloat16": our_step("piwae", 5, 10, x, compiled=True, half=True),
        "plain PyTorch iwae, compiled, fused Adam, bfloat16": plain_step(x, compiled=True, half=True),
        "pythae 0.1.2 iwae": pythae_step(x),
        "Pyro RenyiELBO(alpha=0)": pyro_step(x),
    }
    print(f"torch {torch.__version__}, {options.threads} threads, {platform.processor() or platform.machine()}")
    seconds = measure({name: step for name, step in candidates.items() if step}, options.rounds)
    for base in ("bare matrix products", "vaecourse iwae, K = 50"):
        print(f"\n| step | ms | times {base} | quartiles |\n|---|---|---|---|")
        print("\n".join(row(name, times, seconds[base]) for name, times in seconds.items()))
    points, samples = x[:20], 5000
    seconds = measure({name: call for name, call in evaluations(points, samples).items() if call}, options.rounds // 4)
    for base in ("bare matrix products", "vaecourse log_likelihood"):
        print(f"\n| log p(x), {len(points)} points, K = {samples} | ms | times {base} | quartiles |\n|---|---|---|---|")
        print("\n".join(row(name, times, seconds[base]) for name, times in seconds.items()))


if __name__ == "__main__":
    import ending

    sys.exit(ending.reports("step")(main)())
