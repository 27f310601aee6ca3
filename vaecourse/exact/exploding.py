r"""The exploding latent space: the ELBO grows without bound while the encoder runs away from the posterior.

Two data points, x = -1 and x = 1; z ~ N(0, 1). The decoder is N(sign(z), s^2) and the encoder N(x, tau^2), with
:math:`s = e^{-1/(8 \tau^2)}`. As tau falls, the decoder's noise falls much faster, and so its density at the data
rises: reconstruction about 1 / (8 tau^2), paid for with a KL of only about -log tau.
Source: arXiv 1706.02262, section 2.3 and its appendix. Everything is in nats.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vaecourse import arguments


class Exploding(NamedTuple):
    """The terms at each tau, ``[T]``: the same for both data points."""

    elbo: Tensor
    reconstruction: Tensor  # E log p(x|z)
    rate: Tensor  # KL(q(z|x) || p)
    log_likelihood: Tensor  # log p(x)
    posterior_kl: Tensor  # KL(q(z|x) || p(z|x))
    mutual_information: Tensor  # I_q, at most log 2
    aggregate_kl: Tensor  # KL(q(z) || p)


def exploding_latent_space(tau: Tensor, least_noise: float = 0.0) -> Exploding:
    r"""Every term of the toy, exactly; the mutual information alone by quadrature, to ten digits.

    With :math:`\Phi(-1/\tau)` the chance that z lands on the wrong side:

    .. math:: E \log p(x|z) = -\log s - \frac{2\, \Phi(-1/\tau)}{s^2} - \tfrac12 \log 2\pi, \qquad
              KL(q(z|x) \| p) = \tfrac12 \tau^2 - \log \tau

    and p(x) is half of each side's density. With a ``least_noise`` s is never below it: the decoder cannot get surer
    for ever, and the bound has a top. Shapes: ``[T]`` -> a tuple of ``[T]``, in float64. Raises ``ValueError`` unless
    every tau > 0 and least_noise >= 0.

    >>> terms = exploding_latent_space(torch.tensor([0.5, 0.1]))
    >>> terms.elbo, terms.posterior_kl
    (tensor([-1.3608,  9.2735], dtype=torch.float64), tensor([0.2530, 1.6144], dtype=torch.float64))
    """
    if (arguments.finite("tau", arguments.tensor("tau", tau, "T")) <= 0).any():
        raise ValueError(f"tau must be positive, got {float(tau.min()):g} among its entries.")
    tau = tau.double()
    log_precision = 1 / (4 * tau**2)  # log of 1 / s^2
    if arguments.number("least_noise", least_noise, 0.0) > 0:
        log_precision = log_precision.clamp(max=-2 * math.log(least_noise))
    miss = (torch.special.log_ndtr(-1 / tau) + log_precision).exp()  # the chance of the wrong side, over s^2
    reconstruction = 0.5 * log_precision - 2 * miss - 0.5 * math.log(2 * math.pi)
    rate = 0.5 * tau**2 - tau.log()
    other_side = torch.log1p((-2 * log_precision.exp()).exp())
    log_likelihood = 0.5 * log_precision - 0.5 * math.log(2 * math.pi) - math.log(2) + other_side
    posterior_kl = 2 * miss + rate - math.log(2) + other_side  # what is common to both terms has cancelled
    information = _two_sided_information(tau)
    elbo = reconstruction - rate
    return Exploding(elbo, reconstruction, rate, log_likelihood, posterior_kl, information, rate - information)


def _two_sided_information(tau: Tensor) -> Tensor:
    """I(x; z) for x = -1 or 1 with equal odds and z ~ N(x, tau^2): log 2 - E log(1 + e^(-2 z / tau^2)) given x = 1."""
    eps = torch.linspace(-10, 10, 1001, dtype=torch.float64, device=tau.device)
    density = (-0.5 * eps**2).exp() / math.sqrt(2 * math.pi)
    z = 1 + tau.unsqueeze(-1) * eps
    lost = torch.nn.functional.softplus(-2 * z / tau.unsqueeze(-1) ** 2)
    return math.log(2) - torch.trapezoid(density * lost, eps)
