"""A check of a latent-variable model: what would make a number wrong, looked for before the first of them is used."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from vaecourse import objectives
from vaecourse.composition import DeepLatentVariableModel
from vaecourse.latent import Data, Latent, LatentVariableModel, each_part, has_own, parts
from vaecourse.objectives import graph


def check(model: LatentVariableModel, x: Data, M: int = 2, K: int = 3) -> list[str]:
    """What is wrong with a model, a sentence each; an empty list if nothing was found.

    Looks at the shapes of log p, log q and z; at NaN and inf; whether theta and phi cover every parameter once, and no
    parameter of anyone else moves log p or log q; whether phi is really held fixed for rows without the score term;
    whether a ``VampPrior`` looks at the model's own encoder; whether float16 hides where piwae and dreg cannot see it;
    whether log p of a point moves with the x of another, as it does where the axes of x and of what the decoder gives
    differ and broadcast (give it points that differ); and whether samples meet, as they do in a decoder with BatchNorm
    in train mode: piwae and dreg then have another gradient. What the model itself raises is one of the sentences. The
    model and PyTorch's generators are left as they were. Raises ``TypeError`` for what is no model.

    >>> from vaecourse.models import VAE
    >>> check(VAE(data_dim=64, latent_dim=8), torch.zeros(5, 64))
    []
    """
    if not isinstance(model, LatentVariableModel):
        raise TypeError(f"model must be a LatentVariableModel, got {type(model).__name__}.")
    original = {name: buffer.clone() for name, buffer in model.named_buffers()}
    found = _said_by(lambda: _ownership(model))
    try:
        with torch.enable_grad(), _drawing_from(_states(_places(model, x))):
            found += _said_by(lambda: _samples(model, x, M, K))
    finally:
        for name, buffer in model.named_buffers():
            buffer.data.copy_(original[name])
    return found


def _said_by(look: Callable[[], list[str]]) -> list[str]:
    """The sentences of a look at a model; where the model raises, its own."""
    try:
        return look()
    except Exception as failure:  # noqa: BLE001 - whatever a model of somebody else's raises
        return [f"{type(failure).__name__}: {failure}"]


def _ownership(model: LatentVariableModel) -> list[str]:
    theta, phi = model.theta(), model.phi()
    named = dict(model.named_parameters())
    both = sorted(theta.keys() & phi.keys() | {n for n, p in theta.items() if any(p is q for q in phi.values())})
    neither = sorted(named.keys() - theta.keys() - phi.keys())
    sentences = []
    if both:
        sentences.append(f"{', '.join(both)}: in theta and in phi, so an optimiser for each would move it twice.")
    if neither:
        sentences.append(f"{', '.join(neither)}: neither in theta nor in phi, so nothing trains it by name.")
    if any(all(network is not module for module in model.modules()) for network in _looked_at(model)):
        sentences.append("prior looks at an encoder that is not the model's: give both the very same module.")
    return sentences


def _looked_at(model: LatentVariableModel) -> tuple[nn.Module, ...]:
    """A VampPrior's encoder."""
    networks: tuple[nn.Module, ...] = getattr(getattr(model, "prior", None), "_looks_at", ())
    return networks


def _samples(model: LatentVariableModel, x: Data, M: int, K: int) -> list[str]:
    sentences = []
    for row in (objectives.get("miwae"), objectives.get("dreg")):
        try:
            objectives.estimate(model, x, row, M, K)
        except ValueError as error:
            sentences.append(f"{row.name}: {error}")
    if sentences:
        return sentences
    z, log_q = model.propose(x, M, K)
    return _strangers(model, x, model.log_joint(x, z), log_q) + _points(model, x, z) + _meeting(model, x, z)


def _points(model: LatentVariableModel, x: Data, z: Latent) -> list[str]:
    """Whether log p(x_b, z_b) moves with the x of another point."""
    if not all(isinstance(part, Tensor) for part in parts(x)):
        return []
    states = _states(_places(model, x))
    found: list[Tensor] = []
    for points in (x, each_part(x, lambda part: part[:1].expand_as(part).contiguous())):
        with torch.no_grad(), _drawing_from(states):  # the same dropout
            found.append(model.log_joint(points, z)[..., 0])
    if torch.allclose(found[0], found[1], rtol=1e-3, atol=1e-3):
        return []
    return [
        "log p(x, z) of a point moves with the x of other points: the axes of x and of what the decoder gives differ, "
        "and broadcast. Give x one axis B before those of the event, and log_prob(x, z) one number for each sample."
    ]


def _strangers(model: LatentVariableModel, x: Data, *of: Tensor) -> list[str]:
    """Parameters that move log p or log q and are not the model's, nor behind x."""
    given = [leaf for part in parts(x) if isinstance(part, Tensor) for leaf in graph.leaves(part)]
    known = {id(one) for one in (*model.parameters(), *given)}
    known |= {id(one) for network in _looked_at(model) for one in network.parameters()}  # ``_ownership`` has said it
    others = {id(leaf): leaf for log in of if log.requires_grad for leaf in graph.leaves(log) if id(leaf) not in known}
    if not others:
        return []
    shapes = ", ".join(str(list(leaf.shape)) for leaf in others.values())
    return [
        f"log p or log q moves with {len(others)} parameter(s) that are not the model's, of shape {shapes}: nothing "
        "trains them, nor are they in a checkpoint. Register them: a module that holds them, as a part of the model."
    ]


def _meeting(model: LatentVariableModel, x: Data, z: Latent) -> list[str]:
    """Whether log p or log q of one sample moves with another sample, or with another point's; and float16 in log p."""
    leaves = tuple(part.detach().requires_grad_() for part in parts(z))
    again = leaves if isinstance(z, tuple) else leaves[0]
    with _Types() as types:
        log_p = model.log_joint(x, again)
    sentences = _meets(model, "log p(x, z)", log_p, leaves, "piwae and dreg")
    if isinstance(model, DeepLatentVariableModel) and not has_own(model, "propose", DeepLatentVariableModel):
        sentences += _meets(model, "log q(z | x)", model._family(x).log_prob(again), leaves, "stl and dreg")
    if torch.float16 in types.seen and not (graph.starts_in_float16(z) or graph.goes_through_float16(log_p, again)):
        sentences.append(
            "log p(x, z) computes in float16 where autograd's graph does not show it, as in a checkpoint with "
            "use_reentrant=True: piwae and dreg lose gradients of phi in it. Put the autocast around the loss, or give "
            "use_reentrant=False."
        )
    return sentences


def _meets(model: LatentVariableModel, name: str, log: Tensor, leaves: tuple[Tensor, ...], rows: str) -> list[str]:
    if not log.requires_grad:
        return []
    for slope in _slopes_of_one(log, leaves):
        others = slope.detach().clone()
        others[0, 0, 0] = 0
        if others.abs().max() > 0:
            guilty = [n or "model" for n, m in model.named_modules() if m.training and "BatchNorm" in type(m).__name__]
            cause = f" {', '.join(guilty)} in train mode does that: use eval mode, or LayerNorm." if guilty else ""
            return [f"samples meet in {name}: {rows} would have another gradient for phi.{cause}"]
    return []


def _slopes_of_one(log: Tensor, leaves: tuple[Tensor, ...]) -> list[Tensor]:
    """The slopes of the first sample's number along all samples; none through a checkpoint that refuses to tell."""
    try:
        slopes = torch.autograd.grad(log[0, 0, 0], leaves, allow_unused=True)
    except RuntimeError as failure:
        if not graph.is_of_checkpoint(failure):
            raise
        return []
    return [slope for slope in slopes if slope is not None]


class _Types(TorchDispatchMode):
    """Which types are computed in, in a checkpoint and in a Function of one's own, too."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[torch.dtype] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.seen |= {one.dtype for one in tree_leaves(out) if isinstance(one, Tensor)}
        return out


GENERATORS: dict[str, tuple[Callable[..., Tensor], Callable[..., object]]] = {
    "cpu": (lambda device: torch.get_rng_state(), lambda state, device: torch.set_rng_state(state)),
    "cuda": (torch.cuda.get_rng_state, torch.cuda.set_rng_state),
    "mps": (lambda device: torch.mps.get_rng_state(), lambda state, device: torch.mps.set_rng_state(state)),
}
"""How the state of PyTorch's generator of a device is read, and set: what dropout on that device draws from."""


def _places(model: nn.Module, x: Data) -> set[torch.device]:
    """The CPU, and the devices that the model and x live on."""
    several = x if isinstance(x, tuple | list) else (x,)
    tensors = [part for part in several if isinstance(part, Tensor)]
    return {torch.device("cpu")}.union(t.device for t in (*tensors, *model.parameters(), *model.buffers()))


def _states(devices: Iterable[torch.device]) -> dict[torch.device, Tensor]:
    """The states of the generators of these devices."""
    return {device: GENERATORS[device.type][0](device) for device in devices if device.type in GENERATORS}


@contextlib.contextmanager
def _drawing_from(states: dict[torch.device, Tensor]) -> Iterator[None]:
    """The generators in these states; afterwards again in those that they are in now."""
    now = _states(states)
    try:
        for device, state in states.items():
            GENERATORS[device.type][1](state, device)
        yield
    finally:
        for device, state in now.items():
            GENERATORS[device.type][1](state, device)
