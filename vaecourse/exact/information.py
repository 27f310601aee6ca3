r"""What z tells about x, exactly, where data, encoder and decoder are all Gaussian.

Data :math:`p_D(x)`, encoder :math:`q(z|x) = N(A x + b, S)` and decoder :math:`p_\theta(x|z) = N(W z + c, \Sigma)` with
the prior N(0, I) make a joint :math:`q(x, z) = p_D(x) q(z|x)`, and every term of the ELBO and of InfoVAE is a Gaussian
integral. Everything is in nats; expectations are over the data.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from vaecourse import arguments
from vaecourse.exact.linear_gaussian import LinearGaussian


class Channel(NamedTuple):
    """A linear map with Gaussian noise: out = N(weight in + bias, covariance)."""

    weight: Tensor  # [out, in]
    bias: Tensor  # [out]
    covariance: Tensor  # [out, out]

    def marginal(self, given: MultivariateNormal | None = None) -> MultivariateNormal:
        """The law of what comes out, if N(0, I), or ``given``, goes in."""
        given = standard_normal(self.weight.shape[1], self.weight) if given is None else given
        spread = self.weight @ given.covariance_matrix @ self.weight.T
        return MultivariateNormal(self.weight @ given.mean + self.bias, spread + self.covariance)

    def reverse(self, given: MultivariateNormal | None = None) -> Channel:
        """What went in, seen from what came out: of a decoder whose prior is ``given``, the exact posterior."""
        given = standard_normal(self.weight.shape[1], self.weight) if given is None else given
        gain = torch.linalg.solve(self.marginal(given).covariance_matrix, self.weight @ given.covariance_matrix).T
        left = given.covariance_matrix - gain @ self.weight @ given.covariance_matrix
        return Channel(gain, given.mean - gain @ (self.weight @ given.mean + self.bias), 0.5 * (left + left.T))


class Information:
    r"""The exact terms of the ELBO and of InfoVAE.

    Arguments:
        data: p_D, with event shape ``[D]``.
        encoder: q(z|x), weight ``[L, D]``.
        decoder: p(x|z), weight ``[D, L]``; the prior is N(0, I).

    Each method gives a scalar, computed in the type of what is given. Float32 keeps little of a decoder of small noise:
    0.006 nats off at a noise variance of 1e-4, 0.5 at 1e-6; take float64 there. Raises ``ValueError`` if the shapes do
    not fit. Source: arXiv 1706.02262, with the
    derivation repaired.

    >>> figures = one_dimensional()
    >>> figures.mutual_information() - figures.data_entropy(), figures.reconstruction()
    (tensor(-1.3951), tensor(-1.5289))
    """

    def __init__(self, data: MultivariateNormal, encoder: Channel, decoder: Channel) -> None:
        _is_a("data", data, MultivariateNormal)
        _is_a("encoder", encoder, Channel)
        _is_a("decoder", decoder, Channel)
        D, L = arguments.tensor("decoder.weight", decoder.weight, "DL").shape
        _fits("decoder", decoder, D, L)
        _fits("encoder", encoder, L, D)
        if data.event_shape != (D,) or data.batch_shape:
            raise ValueError(f"data must be one law of D = {D} dimensions, got event shape {list(data.event_shape)}.")
        self.data, self.encoder, self.decoder = data, encoder, decoder
        self.prior = standard_normal(L, decoder.weight)

    @classmethod
    def of(cls, model: LinearGaussian, encoder: Channel | None = None) -> Information:
        """A pPCA model on data of its own, p_D = p_theta, with the exact posterior for an encoder if none is given."""
        _is_a("model", model, LinearGaussian)
        noise = model.noise_variance * torch.eye(len(model.weight)).to(model.weight)
        decoder = Channel(model.weight, model.bias, noise)
        return cls(decoder.marginal(), decoder.reverse() if encoder is None else encoder, decoder)

    def data_entropy(self) -> Tensor:
        """H(p_D) = -E log p_D(x)."""
        return self.data.entropy()

    def aggregate(self) -> MultivariateNormal:
        """The aggregate posterior q(z) = E q(z|x)."""
        return self.encoder.marginal(self.data)

    def mutual_information(self) -> Tensor:
        r"""I_q(x; z) = E KL(q(z|x) || q(z))."""
        return 0.5 * (torch.logdet(self.aggregate().covariance_matrix) - torch.logdet(self.encoder.covariance))

    def aggregate_kl(self) -> Tensor:
        """KL(q(z) || p(z))."""
        return torch.distributions.kl_divergence(self.aggregate(), self.prior)

    def rate(self) -> Tensor:
        """E KL(q(z|x) || p(z)), which is also I_q + KL(q(z) || p(z)): a test holds the two together."""
        second_moment = self.aggregate().covariance_matrix.trace() + self.aggregate().mean.square().sum()
        return 0.5 * (second_moment - len(self.encoder.weight) - torch.logdet(self.encoder.covariance))

    def reconstruction(self) -> Tensor:
        """E log p(x|z) over data and encoder."""
        joint = self.decoder.weight @ self.encoder.weight  # x - W z - c = (I - W A) x - W (A x + b + noise - A x) - c
        left = torch.eye(len(joint)).to(joint) - joint
        covariance = left @ self.data.covariance_matrix @ left.T
        covariance = covariance + self.decoder.weight @ self.encoder.covariance @ self.decoder.weight.T
        mean = left @ self.data.mean - self.decoder.weight @ self.encoder.bias - self.decoder.bias
        return -_cross_entropy(mean, covariance, self.decoder.covariance)

    def elbo(self) -> Tensor:
        """E ELBO = reconstruction - rate."""
        return self.reconstruction() - self.rate()

    def posterior_kl(self) -> Tensor:
        """E KL(q(z|x) || p(z|x)): how far the encoder is from the model's own posterior."""
        return self._between(self.encoder, self.decoder.reverse(), self.data)

    def marginal_kl(self) -> Tensor:
        """KL(p_D || p_theta) of the marginals over x."""
        return torch.distributions.kl_divergence(self.data, self.decoder.marginal())

    def decoder_kl(self) -> Tensor:
        """E_q(z) KL(q(x|z) || p(x|z)): how far the decoder is from the encoder's own reverse. The term that is missing
        where I_q + E log p_D = E log p(x|z) is claimed."""
        return self._between(self.encoder.reverse(self.data), self.decoder, self.aggregate())

    def objective(self, alpha: float, lambda_: float) -> Tensor:
        r"""InfoVAE with D = KL: reconstruction - (1 - alpha) rate - (alpha + lambda - 1) aggregate_kl.

        .. math:: = \alpha I_q - E\, KL(q(x|z) \| p_\theta(x|z)) - \lambda\, KL(q(z) \| p(z)) - H(p_D)
        """
        alpha, lambda_ = arguments.number("alpha", alpha), arguments.number("lambda_", lambda_)
        return self.reconstruction() - (1 - alpha) * self.rate() - (alpha + lambda_ - 1) * self.aggregate_kl()

    @staticmethod
    def _between(one: Channel, other: Channel, given: MultivariateNormal) -> Tensor:
        """E KL(one(. | in) || other(. | in)) over in ~ given."""
        weight, bias = one.weight - other.weight, one.bias - other.bias
        spread = weight @ given.covariance_matrix @ weight.T + one.covariance
        entropy = MultivariateNormal(one.bias, one.covariance).entropy()
        return _cross_entropy(weight @ given.mean + bias, spread, other.covariance) - entropy


def standard_normal(dim: int, like: Tensor) -> MultivariateNormal:
    """N(0, I) of ``dim`` dimensions with the type and the device of ``like``."""
    return MultivariateNormal(torch.zeros(dim).to(like), torch.eye(dim).to(like))


def one_dimensional(dtype: torch.dtype = torch.float32) -> Information:
    """x|z ~ N(1.2 z, .5) on data of its own, N(0, 1.94), seen by a q(z|x) = N(.4 x, .3) that is not the posterior."""
    number = lambda value: torch.tensor([[value]], dtype=dtype)
    model = LinearGaussian(number(1.2), noise_variance=0.5)
    return Information.of(model, Channel(number(0.4), torch.zeros(1, dtype=dtype), number(0.3)))


def four_dimensional(noise_variance: float = 0.3, dtype: torch.dtype = torch.float32) -> LinearGaussian:
    """pPCA with D = 4, L = 2, whose z says much about x: 2.816 nats at a noise variance of .3, the more the less noise.

    >>> Information.of(four_dimensional()).mutual_information()
    tensor(2.8160)
    """
    rows = [[0.1891, -0.5227], [-0.4131, -2.4415], [1.7997, 1.1442], [-0.3254, 0.7738]]
    return LinearGaussian(torch.tensor(rows, dtype=dtype), noise_variance)


def without_latent(data: MultivariateNormal, latent_dim: int, spherical: bool = False) -> Information:
    """The best model of the data whose decoder ignores z, and whose encoder therefore is the prior.

    A decoder with a full covariance is p_D itself: nothing is lost but the code. A ``spherical`` one has the mean of
    p_D's variances in every direction.
    """
    _is_a("data", data, MultivariateNormal)
    D, covariance = len(data.mean), data.covariance_matrix
    unit = torch.eye(D).to(covariance)
    weight = torch.zeros(D, arguments.count("latent_dim", latent_dim)).to(covariance)
    decoder = Channel(weight, data.mean, covariance.trace() / D * unit if spherical else covariance)
    return Information(data, decoder.reverse(), decoder)


def _cross_entropy(mean: Tensor, covariance: Tensor, of: Tensor) -> Tensor:
    """-E log N(r; 0, of) over r with this mean and covariance: ``[D], [D, D], [D, D]`` -> a scalar."""
    trace = torch.linalg.solve(of, covariance + torch.outer(mean, mean)).trace()
    return 0.5 * (trace + torch.logdet(of) + len(mean) * math.log(2 * math.pi))


def _fits(name: str, channel: Channel, out: int, into: int) -> None:
    for part, axes in (("weight", ("out", "in")), ("bias", ("out",)), ("covariance", ("out", "out"))):
        arguments.finite(f"{name}.{part}", arguments.tensor(f"{name}.{part}", getattr(channel, part), axes))
    shapes = tuple(channel.weight.shape), tuple(channel.bias.shape), tuple(channel.covariance.shape)
    if shapes != ((out, into), (out,), (out, out)):
        needs = f"weight [{out}, {into}], bias [{out}], covariance [{out}, {out}]"
        raise ValueError(f"{name} must have {needs}, got {', '.join(str(list(shape)) for shape in shapes)}.")


def _is_a(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, got {type(value).__name__}.")
