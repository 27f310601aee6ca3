r"""KL and Jensen-Shannon from samples alone: a discriminator learns T(z) = log q(z) / p(z), and T gives the divergence.

The best discriminator's logit is that very ratio. A real one lags behind q while q moves, and then the numbers below
are estimates with an error that no sample size removes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import softplus

from vaecourse import arguments


class Discriminator(nn.Module):
    r"""A network T(z), the logit of "z was made by the encoder": at its best :math:`\log q(z) - \log p(z)`.

    Shapes: ``[..., L] -> [...]``. Raises ``ValueError`` for sizes below 1.

    >>> import torch
    >>> Discriminator(latent_dim=10)(torch.zeros(5, 10)).shape
    torch.Size([5])
    """

    def __init__(self, latent_dim: int, hidden: Sequence[int] = (64, 64)) -> None:
        super().__init__()
        self.latent_dim = arguments.count("latent_dim", latent_dim)
        sizes = [self.latent_dim, *arguments.counts("hidden", hidden)]
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], 1))

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(arguments.vectors("z", z, self.latent_dim)).squeeze(-1)


def discriminator_loss(logits_q: Tensor, logits_p: Tensor) -> Tensor:
    r"""What the discriminator minimises: the logistic loss of telling codes from draws of the prior.

    .. math:: E_q[-\log \sigma(T)] + E_p[-\log(1 - \sigma(T))] \ge 2 \log 2 - 2\, JS(q \| p)

    Equality holds at T = log q / p. Shapes: ``[N], [P]`` -> a scalar. Source: Goodfellow et al. 2014 (arXiv 1406.2661),
    theorem 1.

    >>> import torch
    >>> discriminator_loss(torch.zeros(3), torch.zeros(5))
    tensor(1.3863)
    """
    return softplus(-_logits("logits_q", logits_q)).mean() + softplus(_logits("logits_p", logits_p)).mean()


def adversarial_kl(logits_q: Tensor) -> Tensor:
    r"""KL(q || p) as the mean logit at codes z ~ q, in nats.

    .. math:: KL(q \| p) = E_q[T], \qquad T = \log q / p

    With T held fixed, its gradient through reparameterised z is that of the KL: log q's own change has mean 0.
    A p that learns needs :math:`- E_q \nabla \log p` besides, which T held fixed cannot give.
    Shapes: ``[N]`` -> a scalar. Source: Mescheder et al. 2017 (arXiv 1701.04722), section 3.
    """
    return _logits("logits_q", logits_q).mean()


def adversarial_js(logits_q: Tensor, logits_p: Tensor, saturating: bool = True) -> Tensor:
    r"""The Jensen-Shannon divergence from the discriminator's loss, in nats, at most log 2.

    .. math:: JS(q \| p) = \log 2 + \tfrac12 E_q[\log \sigma(T)] + \tfrac12 E_p[\log(1 - \sigma(T))]

    With T short of its best this is a lower bound. Where T is sure that z is a code, its gradient by z vanishes. With
    ``saturating=False`` the value is the same and the gradient by z that of :math:`\tfrac12 E_q[-\log(1 - \sigma(T))]`,
    which does not: at the best T it is the gradient of KL / 2 - JS, and near q = p the same as that of JS.
    Shapes: ``[N], [P]`` -> a scalar. Source: Makhzani et al. 2015 (arXiv 1511.05644), adversarial autoencoders;
    Goodfellow et al. 2014, section 3, for the other gradient.
    """
    if saturating:
        return math.log(2) - 0.5 * discriminator_loss(logits_q, logits_p)
    downhill = 0.5 * softplus(_logits("logits_q", logits_q)).mean()
    return math.log(2) - 0.5 * discriminator_loss(logits_q.detach(), logits_p) + downhill - downhill.detach()


def _logits(name: str, logits: Tensor) -> Tensor:
    return arguments.tensor(name, logits, "N")
