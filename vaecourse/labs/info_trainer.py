"""Trainers of a VAE under InfoVAE's loss, for the labs in which its coefficients and its divergence are turned."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vaecourse import infovae
from vaecourse.labs.trainer import AnyOptimizer, Optimizers, Trainer
from vaecourse.models import VAE
from vaecourse.train import Setting

SIZE = Setting(latent_dim=2, hidden=(64, 64), epochs=0)
DIVERGENCES = ["mmd-imq", "mmd-rbf", "kl-minibatch", "kl-adversarial", "js-adversarial", "stein"]
# The divergences with a kernel, and what its width is called.
KERNEL_SETTING = {"mmd-rbf": "bandwidth", "stein": "bandwidth", "mmd-imq": "scale"}


class Loss(NamedTuple):
    """InfoVAE's loss, and alpha + lambda - 1 if that is negative and so refused: 0 is taken in its place."""

    objective: infovae.InfoVAE
    refused: float | None
    width: float

    def __str__(self) -> str:
        return (
            f"distortion + {self.objective.of_rate:.2f} rate + {self.objective.of_divergence:.4g} {self.objective.name}"
        )

    @property
    def has_kernel(self) -> bool:
        """Whether the divergence has a kernel."""
        return self.objective.name in KERNEL_SETTING

    @property
    def kernel(self) -> str:
        """The kernel's width, or that there is none."""
        return f"kernel width {self.width:.2f}" if self.has_kernel else "no kernel"

    @property
    def refusal(self) -> str:
        """What the sentence adds if a coefficient is refused."""
        if self.refused is None:
            return ""
        return f" (α + λ − 1 = {self.refused:.3g} is refused: it would push q(z) away from p(z). 0 is taken.)"


def loss(divergence: str, alpha: float, lambda_: float, width: float) -> Loss:
    """The loss at these controls. Kernels of the same ``width`` have the same curvature at 0."""
    given = {}
    if divergence in KERNEL_SETTING:
        given = {KERNEL_SETTING[divergence]: 2 * width**2 if divergence == "mmd-imq" else width}
    wanted = alpha + lambda_ - 1
    refused = wanted if wanted < -1e-9 else None
    return Loss(infovae.InfoVAE(divergence, alpha, lambda_ if refused is None else 1 - alpha, **given), refused, width)


class Critic(infovae.Adversarial):
    """The discriminator of a training, which both adversarial divergences ask. There from the start, to be kept."""

    def __init__(self, latent_dim: int, seed: int) -> None:
        super().__init__("kl", seed=seed)
        self.module: nn.Module = self._prepared(torch.zeros(1, latent_dim))


class InfoTrainer(Trainer):
    """A trainer of a VAE that can descend InfoVAE's loss with any divergence; it keeps the critic with the VAE."""

    model: VAE

    def __init__(self, model: VAE, pixels: Tensor, seed: int, batch_size: int = 100, rate: float = 5e-3) -> None:
        super().__init__(model, pixels, seed, batch_size, rate)
        self.critic = Critic(model.latent_dim, seed)

    def descend(
        self, x: Tensor, objective: infovae.InfoVAE, noise: torch.Generator, M: int = 1, learns: bool = True
    ) -> None:
        """Fill ``.grad``. A critic that is asked takes its own steps first, unless it is not to learn from this."""
        if isinstance(own := objective.divergence, infovae.Adversarial):
            self.critic.kind, self.critic.steps = own.kind, own.steps if learns else 0
            objective.divergence = self.critic
        objective.backward(self.model, x, noise, M)

    def saved_parts(self) -> tuple[nn.Module, AnyOptimizer]:
        both = nn.ModuleDict({"vae": self.model, "critic": self.critic.module})
        return both, Optimizers(self.optimizer, self.critic.optimizer)
