r"""S models of the same shape as one: their parameters stacked ``[S, ...]``, their data points side by side.

S seeds with B points each are a model of S B points, so that log-weights are ``[M, K, S B]`` and every objective works
unchanged. No parameter is shared between seeds; hence the gradient of the sum over seeds is the gradients of all.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from vaecourse.latent import LatentVariableModel
from vaecourse.models import VAE


class Ensemble(LatentVariableModel):
    """S VAEs that are trained side by side. One VAE is called as it is; several go through ``torch.func.vmap``.

    Arguments:
        models: S of them, alike but for their parameters.

    >>> ensemble, noise = Ensemble([VAE(data_dim=64, latent_dim=8) for _ in range(3)]), Noise(seeds=range(3))
    >>> x = noise.binary(torch.rand(100, 64), [order[:5] for order in noise.orders(100)])  # [3 * 5, 64]
    >>> ensemble.log_weights(x, M=2, K=4, generator=noise).shape
    torch.Size([2, 4, 15])
    """

    def __init__(self, models: Sequence[VAE]) -> None:
        super().__init__()
        self.S = len(models)
        parameters, _ = stack_module_state(list(models))
        self.member = copy.deepcopy(models[0])
        for name, parameter in parameters.items():
            owner, _, leaf = name.rpartition(".")
            setattr(self.member.get_submodule(owner), leaf, nn.Parameter(parameter.detach()))

    def models(self) -> list[VAE]:
        """The S models, apart again."""
        alone = [copy.deepcopy(self.member) for _ in range(self.S)]
        for s, model in enumerate(alone):
            for name, parameter in self.member.named_parameters():
                owner, _, leaf = name.rpartition(".")
                setattr(model.get_submodule(owner), leaf, nn.Parameter(parameter[s].detach().clone()))
        return alone

    def noise(self, x: Tensor, M: int, K: int, generator: Any = None) -> Tensor:
        """Each seed's share of its own noise, ``[M, K, S b, L]``: see ``Noise``, which is the generator here."""
        return generator.normal((M, K), self.member.latent_dim)

    def draw(self, x: Tensor, eps: Tensor, keeps_score: bool = True) -> tuple[Tensor, Tensor]:
        """As ``VAE.draw`` does: ``[S B, D], [M, K, S B, L] -> [M, K, S B, L], [M, K, S B]``."""
        z, log_q = self._of_each_model("draw", self._apart(x, 0), self._apart(eps, 2), keeps_score)
        return self._beside(z, 2), self._beside(log_q, 2)

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """As ``VAE.log_joint`` does: ``[S B, D], [M, K, S B, L] -> [M, K, S B]``."""
        return self._beside(self._of_each_model("log_joint", self._apart(x, 0), self._apart(z, 2)), 2)

    def theta(self) -> dict[str, nn.Parameter]:
        """The generative parameters by name, stacked."""
        return self.member.theta()

    def phi(self) -> dict[str, nn.Parameter]:
        """The inference parameters by name, stacked."""
        return self.member.phi()

    def _apart(self, x: Tensor, axis: int) -> Tensor:
        """``[..., S B, ...] -> [S, ..., B, ...]``."""
        return x.unflatten(axis, (self.S, -1)).movedim(axis, 0)

    def _beside(self, x: Tensor, axis: int) -> Tensor:
        """``[S, ..., B, ...] -> [..., S B, ...]``."""
        return x.movedim(0, axis).flatten(axis, axis + 1)

    def _of_each_model(self, method: str, *inputs: Any) -> Any:
        """A method of every member on its own part of the inputs: tensors ``[S, ...]``; a flag is everybody's."""
        parameters = dict(self.member.named_parameters())
        if self.S == 1:  # a plain call: it keeps the fused likelihood, which vmap cannot use
            own = {name: parameter.squeeze(0) for name, parameter in parameters.items()}
            out = self._call(method, own, *(x[0] if isinstance(x, Tensor) else x for x in inputs))
            return tuple(x[None] for x in out) if isinstance(out, tuple) else out[None]
        axes = tuple(0 if isinstance(x, Tensor) else None for x in inputs)
        return vmap(self._call, in_dims=(None, 0, *axes))(method, parameters, *inputs)

    def _call(self, method: str, parameters: Mapping[str, Tensor], *inputs: Any) -> Any:
        named = {f"member.{name}": parameter for name, parameter in parameters.items()}
        return functional_call(_Method(self.member, method), named, inputs)


class _Method(nn.Module):
    """A model whose call is one of its methods."""

    def __init__(self, member: VAE, method: str) -> None:
        super().__init__()
        self.member, self.method = member, method

    def forward(self, *inputs: Any) -> Any:
        return getattr(self.member, self.method)(*inputs)


class Noise:
    """The random numbers of S seeds, each from a generator of its own, and the share of a batch that is ours.

    A seed draws the same numbers whoever stands beside it, and whoever shares the work: every process draws the noise
    of the whole batch, which is cheap beside the networks, and keeps its own points. ``rank`` of ``size`` says which.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        device: torch.device | str = "cpu",
        rank: int = 0,
        size: int = 1,
    ) -> None:
        self.generators = {str(seed): torch.Generator(device).manual_seed(seed) for seed in seeds}
        self.device, self.rank, self.size = torch.device(device), rank, size
        self.batch = 0  # B of the latest batch

    def orders(self, n: int) -> list[Tensor]:
        """A new order of the n data points for each seed: S times ``[n]``."""
        return [torch.randperm(n, generator=g, device=self.device) for g in self.generators.values()]

    def binary(self, data: Tensor, orders: Sequence[Tensor]) -> Tensor:
        """Our share of each seed's batch, as fresh zeros and ones: ``[N, D]``, S times ``[B] -> [S b, D]``."""
        self.batch = len(orders[0])
        draws = zip(orders, self.generators.values(), strict=True)
        return torch.cat([self._share(torch.bernoulli(data[order], generator=g)) for order, g in draws])

    def normal(self, axes: tuple[int, ...], L: int) -> Tensor:
        """Our share of standard normal noise for the latest batch: ``[M, K, S b, L]``."""
        shape = *axes, self.batch, L
        draws = (torch.randn(shape, generator=g, device=self.device) for g in self.generators.values())
        return torch.cat([self._share(eps, len(axes)) for eps in draws], len(axes))

    def _share(self, whole: Tensor, axis: int = 0) -> Tensor:
        return whole if self.size == 1 else whole.tensor_split(self.size, axis)[self.rank]
