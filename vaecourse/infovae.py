r"""InfoVAE: the ELBO with a word about the codes as a whole, and one interface for every divergence that may say it.

.. math:: E \log p_\theta(x|z) - (1 - \alpha)\, E\, KL(q(z|x) \| p(z)) - (\alpha + \lambda - 1)\, D(q(z) \| p(z))

With D = KL this is :math:`\alpha I_q - E\, KL(q(x|z) \| p_\theta(x|z)) - \lambda\, KL(q(z) \| p(z)) - H(p_D)`: alpha
pays for information, lambda for an aggregate q(z) that is the prior. Any other D is a substitution.

=======================  ============================
alpha, lambda            the name it has
=======================  ============================
0, 1                     VAE: the divergence drops out
1 - lambda, lambda       beta-VAE with beta = lambda
1, lambda, and JS        adversarial autoencoder
1, lambda, and MMD       MMD-VAE
=======================  ============================

Source: arXiv 1706.02262, eq. 6. Everything is in nats, but for the MMD, which has no unit.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call

from vaecourse import arguments, descent, divergences, train
from vaecourse.data import Images
from vaecourse.latent import LatentVariableModel, has_own
from vaecourse.models import VAE, standard_normal_log_prob


def coefficients(alpha: float, lambda_: float) -> tuple[float, float]:
    """What the rate KL(q(z|x) || p) and the divergence D(q(z) || p) are multiplied with: 1 - alpha, alpha + lambda - 1.

    Raises ``ValueError`` if one is negative: the objective would then reward what it is there to punish.

    >>> coefficients(alpha=-0.5, lambda_=11.5)
    (1.5, 10.0)
    """
    alpha, lambda_ = arguments.number("alpha", alpha), arguments.number("lambda_", lambda_)
    of_rate, of_divergence = 1 - alpha, alpha + lambda_ - 1
    if abs(of_divergence) < 1e-12:  # .9 + .1 - 1 is not quite 0
        of_divergence = 0.0
    if of_rate < 0:
        raise ValueError(
            f"alpha must be at most 1, got {alpha:g}: the coefficient 1 - alpha = {of_rate:g} of KL(q(z|x) || p) would "
            "reward codes far from the prior."
        )
    if of_divergence < 0:
        raise ValueError(
            f"alpha + lambda_ must be at least 1, got {alpha:g} + {lambda_:g}: the coefficient alpha + lambda_ - 1 = "
            f"{of_divergence:g} of D(q(z) || p) would reward a q(z) far from the prior."
        )
    return of_rate, of_divergence


class Codes(NamedTuple):
    """What a divergence may look at: the codes of a batch, and whatever else it asks of the model.

    The M codes of one point lie together: they are no independent draws of q(z), as one code of each of B points is.
    What compares codes with one another must do so within one m, and take the mean over m.
    """

    z: Tensor  # [M, B, L], with its path back to the encoder
    model: VAE
    x: Tensor  # [B, D]
    generator: torch.Generator | None = None
    gaussian: tuple[Tensor, Tensor] | None = None  # the mean and log_std [B, L] of the q(z|x) that drew z, if it is one

    def prior_draws(self) -> Tensor:
        """As many draws of the prior: ``[M, B, L]``."""
        M, B, _ = self.z.shape
        return self.model.prior.sample(M * B, self.z[0, 0].detach(), self.generator).unflatten(0, (M, B))


Divergence = Callable[[Codes], Tensor]
"""D(q(z) || p(z)) as a scalar, whose gradient by z is the one to train with."""


def mmd_imq(scale: float | Sequence[float] | None = None, unbiased: bool = True) -> Divergence:
    """MMD^2 with the IMQ kernel, between the codes and draws of the prior.

    ``scale`` is 2 L if not given, the mean squared distance of two draws of N(0, I); of several the mean is taken.
    """
    return partial(_mmd, divergences.imq, _lengths("scale", scale), unbiased)


def mmd_rbf(bandwidth: float | Sequence[float] | None = None, unbiased: bool = True) -> Divergence:
    """MMD^2 with the RBF kernel, between the codes and draws of the prior.

    ``bandwidth`` is sqrt(L) if not given, so that two draws of N(0, I) have a k of about 1/e; of several the mean.
    """
    return partial(_mmd, divergences.rbf, _lengths("bandwidth", bandwidth), unbiased)


def kl_minibatch(own: bool = True) -> Divergence:
    """KL with the mixture of the batch's B Gaussians for q(z); ``own`` and the bias as in ``divergences``."""
    return partial(_kl_minibatch, own)


def _kl_minibatch(own: bool, codes: Codes) -> Tensor:
    if codes.gaussian is None:
        raise TypeError(
            "kl-minibatch needs the Gaussian of model.encode that drew z, and "
            f"{type(codes.model).__name__} has a draw of its own: take another divergence."
        )
    kl = divergences.minibatch_kl(codes.z, *codes.gaussian, own)  # to N(0, I)
    return kl + (standard_normal_log_prob(codes.z) - codes.model.prior.log_prob(codes.z)).mean()


def stein(bandwidth: float | None = None) -> Divergence:
    """No divergence: along its gradient the codes move in the Stein direction, with the RBF kernel.

    Its value is the mean squared length of that direction, which is 0 where the codes are at rest. ``bandwidth`` is
    sqrt(L) if not given.
    """
    if bandwidth is not None:
        arguments.number("bandwidth", bandwidth, 0.0, open_low=True)
    return partial(_stein, bandwidth)


def _stein(bandwidth: float | None, codes: Codes) -> Tensor:
    at = codes.z.detach().requires_grad_()
    with torch.enable_grad():
        (score,) = torch.autograd.grad(codes.model.prior.log_prob(at).sum(), at)
    kernel = partial(divergences.rbf, bandwidth=at.shape[-1] ** 0.5 if bandwidth is None else bandwidth)
    direction = torch.stack([divergences.stein_direction(*each, kernel) for each in zip(at, score)])  # [M, B, L]
    downhill = -(direction * codes.z).sum(-1).mean()
    return direction.square().sum(-1).mean() + downhill - downhill.detach()


class Adversarial:
    """KL or Jensen-Shannon from a discriminator, which takes its own ``steps`` each time before it is asked.

    It learns from z with the path to the encoder cut, and is held fixed while the encoder learns from it. It remembers:
    it belongs to one model in one run. Made at the first call, from ``seed``.
    """

    def __init__(
        self,
        kind: str,
        hidden: Sequence[int] = (64, 64),
        learning_rate: float = 3e-3,
        steps: int = 3,
        seed: int = 0,
        saturating: bool = False,
    ) -> None:
        self.kind, self.saturating = arguments.choice("kind", kind, ["kl", "js"]), saturating
        if saturating and kind == "kl":
            raise ValueError("saturating=True is for the Jensen-Shannon divergence: KL has one gradient only.")
        self.hidden = tuple(arguments.count("hidden", width) for width in hidden)
        self.learning_rate = arguments.number("learning_rate", learning_rate, 0.0, open_low=True)
        self.steps, self.seed = arguments.count("steps", steps), arguments.count("seed", seed, at_least=0)
        self.discriminator: divergences.Discriminator | None = None

    def __call__(self, codes: Codes) -> Tensor:
        z = arguments.at_least_float32(codes.z).flatten(0, 1)  # all, as each is judged without the others
        drawn = lambda: arguments.at_least_float32(codes.prior_draws()).flatten(0, 1)
        discriminator = self._prepared(z)
        with torch.enable_grad():
            for _ in range(self.steps):
                descent.step(self.optimizer, discriminator.parameters(), lambda: _tell_apart(discriminator, z, drawn()))
        held = {name: parameter.detach() for name, parameter in discriminator.named_parameters()}
        logits_q = functional_call(discriminator, held, (z,))
        if self.kind == "kl":
            log_p = codes.model.prior.log_prob(
                codes.z.detach()
            ).mean()  # T, held fixed, is blind to a prior that learns
            return divergences.adversarial_kl(logits_q) + (log_p.detach() - log_p)
        logits_p = functional_call(discriminator, held, (drawn(),))
        return divergences.adversarial_js(logits_q, logits_p, self.saturating)

    def _prepared(self, z: Tensor) -> divergences.Discriminator:
        if self.discriminator is None:
            with descent.seeded(self.seed):
                self.discriminator = divergences.Discriminator(z.shape[1], self.hidden).to(z)
            self.optimizer = torch.optim.Adam(self.discriminator.parameters(), self.learning_rate, betas=(0.5, 0.99))
        return self.discriminator


def _tell_apart(discriminator: divergences.Discriminator, z: Tensor, drawn: Tensor) -> None:
    """Fill ``.grad`` of the discriminator, and of nothing else."""
    logits_q, logits_p = discriminator(z.detach()), discriminator(drawn.detach())
    divergences.discriminator_loss(logits_q, logits_p).backward()


DIVERGENCES: dict[str, Callable[..., Divergence]] = {
    "mmd-imq": mmd_imq,
    "mmd-rbf": mmd_rbf,
    "kl-minibatch": kl_minibatch,
    "kl-adversarial": partial(Adversarial, "kl"),
    "js-adversarial": partial(Adversarial, "js"),
    "stein": stein,
}


class Terms(NamedTuple):
    """One estimate of each term, detached: nats, but for an MMD and for what ``stein`` says instead of a value."""

    reconstruction: Tensor  # [B], log p(x|z)
    rate: Tensor  # [B], log q(z|x) - log p(z), whose mean over z is KL(q(z|x) || p)
    divergence: Tensor  # scalar


class InfoVAE:
    """One point of the family, with its divergence.

    Arguments:
        divergence: a name of ``DIVERGENCES``.
        alpha, lambda_: as in ``coefficients``.
        settings: of the divergence: ``scale`` or ``bandwidth``, ``unbiased``, ``own``, or those of ``Adversarial``.

    Raises ``ValueError`` for an unknown name, a negative coefficient or a bad setting, ``TypeError`` for a setting that
    the divergence does not have.

    >>> model = VAE(data_dim=64, latent_dim=8)
    >>> InfoVAE("mmd-imq", alpha=0.0, lambda_=100.0, scale=16.0).backward(model, torch.zeros(5, 64)).rate.shape
    torch.Size([5])
    """

    def __init__(self, divergence: str = "mmd-imq", alpha: float = 0.0, lambda_: float = 1.0, **settings: Any) -> None:
        self.name = arguments.choice("divergence", divergence, list(DIVERGENCES))
        self.of_rate, self.of_divergence = coefficients(alpha, lambda_)
        known = list(inspect.signature(DIVERGENCES[self.name]).parameters)
        if unknown := [name for name in settings if name not in known]:
            raise TypeError(f"divergence {self.name!r} takes {', '.join(known)}, got {', '.join(sorted(unknown))}.")
        self.parameters = {"alpha": alpha, "lambda_": lambda_, **settings}
        self._settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget what a run has taught the divergence: a discriminator begins anew."""
        self.divergence = DIVERGENCES[self.name](**self._settings)

    def begin(self, M: int, K: int, smallest: int, saved: bool) -> None:
        """``reset``, before ``train.fit`` trains on batches of ``smallest`` points or more, ``saved`` in a checkpoint.

        Raises ``ValueError`` unless K = 1, as there are no importance weights, for a batch of one point, and for a
        discriminator with a checkpoint, which holds the VAE alone.
        """
        if K != 1:
            raise ValueError(f"K must be 1, as InfoVAE has no importance weights, got {K}.")
        if smallest < 2:
            raise ValueError(
                "batch_size must leave no batch of one point, of whose code nobody can say how it is spread."
            )
        if saved and isinstance(self.divergence, Adversarial):
            raise ValueError(
                f"checkpoint must be None with {self.name!r}: it would hold the VAE without the discriminator."
            )
        self.reset()

    def backward(self, model: VAE, x: Tensor, generator: torch.Generator | None = None, M: int = 1) -> Terms:
        r"""Fill ``.grad`` with the gradient of minus the objective, from M codes of each point; return its terms.

        The rate is taken at the same z as the reconstruction, so that alpha = 0, lambda = 1 has the ELBO's gradient,
        number for number. The divergence compares codes within one m, and is the mean over M: an unbiased one stays
        so. x is encoded once. Gradients add to what is in ``.grad`` already. A discriminator takes its own step here.
        Shapes: ``[B, D]`` -> ``Terms``. Raises as ``model.noise`` does, ``ValueError`` if B is too small for the
        divergence or x or a code is not finite, and ``TypeError`` for ``kl-minibatch`` and a model whose ``draw`` is
        not that of ``VAE``.
        """
        z, log_q, gaussian = _codes(model, x, M, generator)
        reconstruction = model.log_likelihood(x, z).mean((0, 1))
        rate = (log_q - model.prior.log_prob(z)).mean((0, 1))
        loss = (self.of_rate * rate - reconstruction).mean()
        if self.of_divergence > 0:
            divergence = self.divergence(Codes(z.squeeze(1), model, x, generator, gaussian))
            loss = loss + self.of_divergence * divergence
        else:
            with torch.no_grad():
                divergence = self.divergence(Codes(z.detach().squeeze(1), model, x, generator, gaussian))
        loss.backward()
        return Terms(reconstruction.detach(), rate.detach(), divergence.detach())

    def gradients_and_bound(
        self, model: VAE, x: Tensor, M: int, K: int, generator: torch.Generator | None = None
    ) -> Tensor:
        """As ``backward``; return the ELBO of each point, ``[B]``. What ``train.fit`` asks of an objective; K is 1."""
        terms = self.backward(model, x, generator, M)
        return terms.reconstruction - terms.rate

    def __str__(self) -> str:
        settings = ", ".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"infovae({self.name}, {settings})"


def fit(model: VAE, data: Tensor | Images, objective: InfoVAE, epochs: int, *, M: int = 1, **how: Any) -> train.History:
    """Train ``model`` in place to climb ``objective``; ``how`` and the history are those of ``train.fit``.

    The history holds the ELBO, which stays a bound on log p(x) while something else is climbed.
    """
    return train.fit(model, data, objective, M, 1, epochs, **how)


def _codes(
    model: VAE, x: Tensor, M: int, generator: torch.Generator | None
) -> tuple[Any, Tensor, tuple[Tensor, Tensor] | None]:
    """z ``[M, 1, B, L]``, its log q(z | x) ``[M, 1, B]``, and the Gaussian that drew it, if ``VAE`` itself does."""
    if has_own(model, "draw", VAE) or has_own(model, "propose", LatentVariableModel):
        z, log_q = model.propose(x, M, 1, generator=generator)
        arguments.finite("x", x)
        return z, log_q, None
    eps = model.noise(x, M, 1, generator)
    arguments.finite("x", x)
    mean, log_std = map(arguments.at_least_float32, model.encode(x))
    z = (mean + log_std.exp() * eps).to(eps.dtype)
    return z, standard_normal_log_prob(eps) - log_std.sum(-1), (mean, log_std)


def _lengths(name: str, lengths: float | Sequence[float] | None) -> list[float]:
    given = list(lengths) if isinstance(lengths, Sequence) else [] if lengths is None else [lengths]
    if lengths is not None and not given:
        raise ValueError(f"{name} must hold at least one number, got none.")
    return [arguments.number(name, length, 0.0, open_low=True) for length in given]


def _mmd(
    kernel: Callable[[Tensor, Tensor, float], Tensor], lengths: list[float], unbiased: bool, codes: Codes
) -> Tensor:
    L = codes.z.shape[-1]
    several = divergences.multi_scale(kernel, lengths or [2.0 * L if kernel is divergences.imq else L**0.5])
    pairs = zip(codes.z, codes.prior_draws())
    return torch.stack([divergences.mmd2(*pair, several, unbiased) for pair in pairs]).mean()
