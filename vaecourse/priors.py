r"""Priors that learn, and the aggregate posterior: mixtures whose components are the encoder's own Gaussians.

The same mixture has two uses. Where a sum over all components costs too much, they need bounds from opposite sides. As
a *prior* it stands in :math:`+\log p(z)`, where only a lower bound keeps the ELBO a bound. As a *posterior* it stands
in :math:`-\log q(z)`, where only an upper bound does. Everything is in nats.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vaecourse import arguments
from vaecourse.latent import mode
from vaecourse.models import VAE, gaussian_log_prob


def mixture_log_prob(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    r"""A mixture of N diagonal Gaussians of equal weight.

    .. math:: \log \frac1N \sum_n \prod_l N(z_l; \mu_{nl}, \sigma_{nl}^2)

    The product is inside the sum. A logarithm of the sum for each l, added up afterwards, has N^L ghost modes.
    Shapes: ``[..., L], [N, L], [N, L] -> [...]``. Raises ``ValueError`` for a z of another width.

    >>> corners = torch.tensor([[9.0, 9.0], [-9.0, -9.0]])  # two modes, and no third one at (9, -9)
    >>> mixture_log_prob(torch.tensor([[9.0, 9.0], [9.0, -9.0]]), corners, torch.zeros(2, 2))
    tensor([  -2.5310, -163.8379])
    """
    components = gaussian_log_prob(_codes(z, mean).unsqueeze(-2), mean, log_std)  # [..., N]
    return components.logsumexp(-1) - math.log(len(mean))


class VampPrior(nn.Module):
    r"""The variational mixture of posteriors: the encoder's answers to N pseudo-inputs, which are learned.

    .. math:: p(z) = \frac1N \sum_{n=1}^N q_\phi(z | u_n)

    Arguments:
        encoder: the very module that the VAE gets, ``[N, D] -> [N, 2 L]``. The prior looks at it and does not own it:
            it is not among the prior's parameters, nor a second time in a checkpoint.
        inputs: where the pseudo-inputs u begin, ``[N, D]``; training images are a good start. They may leave [0, 1]:
            the density is one for any u.

    The pseudo-inputs belong to theta, the encoder to phi, although log p(z) depends on it as well. Where the two get
    different weights (PIWAE, DReG), what reaches the encoder through log p(z) has theta's: it is the prior that learns.

    Source: arXiv 1705.07120, eq. 9; there the pseudo-inputs are clipped to [0, 1].

    >>> from vaecourse.models import mlp
    >>> encoder = mlp([64, 40, 2 * 8])
    >>> model = VAE(data_dim=64, latent_dim=8, encoder=encoder, prior=VampPrior(encoder, torch.rand(50, 64)))
    >>> model.log_weights(torch.zeros(5, 64), M=2, K=3).shape
    torch.Size([2, 3, 5])
    """

    def __init__(self, encoder: nn.Module, inputs: Tensor) -> None:
        super().__init__()
        if not isinstance(encoder, nn.Module):
            raise TypeError(f"encoder must be the VAE's own encoder, a module, got {type(encoder).__name__}.")
        self._looks_at = (encoder,)  # in a tuple, so that it is not registered here: it has its place in the VAE
        self.inputs = nn.Parameter(arguments.tensor("inputs", inputs, "ND").detach().clone())

    def components(self) -> tuple[Tensor, Tensor]:
        """The means and the log standard deviations of the N components: 2 x ``[N, L]``."""
        mean, log_std = self._looks_at[0](self.inputs).chunk(2, -1)
        return mean, log_std

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z), over all N components. Shapes: ``[..., L] -> [...]``."""
        return mixture_log_prob(z, *self.components())

    def sample(self, n: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """n draws ``[n, L]``, with the type and the device of ``like [L]``."""
        mean, log_std = self.components()
        return _draw(n, mean.to(like), log_std.to(like), generator)[0]


class AggregatePosterior:
    r"""Where the codes of a data set lie: a mixture whose hidden variable psi is the index of a data point.

    .. math:: q(z) = \frac1N \sum_{n=1}^N q(z | x_n) = \sum_\psi q(\psi)\, q(z | \psi), \qquad q(\psi) = \frac1N

    Arguments:
        mean, log_std: of the N components, ``[N, L]`` each. ``AggregatePosterior.of(model, x)`` encodes them.

    The exact density costs N components for each z; the two bounds cost K of them, drawn afresh with replacement.
    Source: arXiv 1905.03290, section 6 (when SIVI is the right tool: psi is discrete, and a learned tau would have to
    be a softmax over the data set).

    >>> q = AggregatePosterior(torch.randn(1000, 2), torch.zeros(1000, 2))
    >>> z, index = q.sample(5)
    >>> q.log_prob(z).shape, q.upper_bound(z, index, K=20).shape
    (torch.Size([5]), torch.Size([5]))
    """

    def __init__(self, mean: Tensor, log_std: Tensor) -> None:
        self.mean, self.log_std = arguments.tensor("mean", mean, "NL"), arguments.tensor("log_std", log_std, "NL")
        if mean.shape != log_std.shape:
            raise ValueError(f"log_std must have the shape of mean, {list(mean.shape)}, got {list(log_std.shape)}.")

    @classmethod
    def of(cls, model: VAE, x: Tensor) -> AggregatePosterior:
        """The aggregate posterior of a model with a Gaussian encoder over the data ``x [N, D]``, without gradients.

        The model is in evaluation mode for as long, without dropout. Raises as ``model.encode`` does.
        """
        with mode(model, training=False), torch.no_grad():
            return cls(*model.encode(x))

    def log_prob(self, z: Tensor) -> Tensor:
        """Exact log q(z), over all N components. Shapes: ``[..., L] -> [...]``."""
        return mixture_log_prob(z, self.mean, self.log_std)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """n draws, and which component made each of them: ``[n, L], [n]``."""
        return _draw(n, self.mean, self.log_std, generator)

    def log_ratios(self, z: Tensor, index: Tensor, K: int, generator: torch.Generator | None = None) -> Tensor:
        r""":math:`\log q(z | \psi_k)` for psi_0, which made z, and for K more from q(psi): tau = q(psi), which is SIVI.

        Shapes: ``[..., L], [...] -> [K + 1, ...]``, psi_0 first.
        """
        others = self._other_components(z, arguments.count("K", K, at_least=0), generator)  # [K, ...]
        chosen = torch.cat([index.unsqueeze(0), others])
        return gaussian_log_prob(z, self.mean[chosen], self.log_std[chosen])

    def upper_bound(self, z: Tensor, index: Tensor, K: int, generator: torch.Generator | None = None) -> Tensor:
        r"""SIVI's upper bound on log q(z), for z from component ``index``; K = N - 1 is still an estimate.

        .. math:: U_K = \log \frac{1}{K + 1} \sum_{k=0}^K q(z | \psi_k), \qquad \psi_0 | z \sim q(\psi | z),
                  \quad \psi_{1:K} \sim q(\psi)

        Shapes: ``[..., L], [...] -> [...]``. Source: arXiv 1805.11183; that it is a bound for any K, arXiv 1810.02789.
        """
        return self.log_ratios(z, index, K, generator).logsumexp(0) - math.log(K + 1)

    def lower_bound(self, z: Tensor, K: int, generator: torch.Generator | None = None) -> Tensor:
        r"""A lower bound on log q(z), for any z: what q(z) needs when it is used as a prior.

        .. math:: L_K = \log \frac1K \sum_{k=1}^K q(z | \psi_k), \qquad \psi_{1:K} \sim q(\psi)

        Shapes: ``[..., L] -> [...]``.
        """
        chosen = self._other_components(z, arguments.count("K", K), generator)
        return gaussian_log_prob(z, self.mean[chosen], self.log_std[chosen]).logsumexp(0) - math.log(K)

    def _other_components(self, z: Tensor, K: int, generator: torch.Generator | None) -> Tensor:
        z = _codes(z, self.mean)
        return torch.randint(len(self.mean), (K, *z.shape[:-1]), generator=generator, device=z.device)


def _codes(z: Tensor, mean: Tensor) -> Tensor:
    """z, if it is as wide as the components: one that is not might broadcast, silently."""
    if z.shape[-1] != mean.shape[-1]:
        raise ValueError(f"z must have L = {mean.shape[-1]} as its last axis, got shape {list(z.shape)}.")
    return z


def _draw(n: int, mean: Tensor, log_std: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """n draws of a mixture of equal weights, and the index of the component of each: ``[n, L], [n]``."""
    index = torch.randint(len(mean), (arguments.count("n", n),), generator=generator, device=mean.device)
    eps = torch.randn(n, mean.shape[1], generator=generator, dtype=mean.dtype, device=mean.device)
    return mean[index] + log_std[index].exp() * eps, index
