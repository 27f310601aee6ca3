"""04.two_goals: PIWAE in one step: theta's .grad from L_MK, phi's from MIWAE. Shapes: ``[M, K, B], two lists``."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vaecourse import bounds
from vaecourse.checks.cases import normal
from vaecourse.checks.effects import CheckOfEffects

Parameters = list[Tensor]
Goal = Callable[[Tensor], Tensor]  # log-weights to a loss
Answer = Callable[[Tensor, Parameters, Parameters], object]


def weigh(eps: Tensor, theta: Parameters, phi: Parameters, about: float) -> Tensor:
    """Log-weights of a small model: both lists reach every one of them. Shapes: ``[M, K, B, L] -> [M, K, B]``."""
    (slope, level), (mu, log_sigma) = theta, phi
    z = mu + log_sigma.exp() * eps
    log_joint = -0.5 * z.square().sum(-1) - 0.5 * (1.3 - (z * slope).sum(-1)).square() - level.square()
    return log_joint + 0.5 * eps.square().sum(-1) + log_sigma.sum(-1) + about


def watched(answer: Answer, eps: Tensor, theta: Parameters, phi: Parameters, about: float) -> dict[str, object]:
    """What the answer left in each ``.grad``: zeros where nothing is."""
    returned = answer(weigh(eps, theta, phi, about), theta, phi)
    seen: dict[str, object] = {}
    for name, leaves in (("theta", theta), ("phi", phi)):
        for place, leaf in enumerate(leaves):
            seen[f"{name}[{place}].grad"] = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad.clone()
    is_a_stub = returned is ... or isinstance(returned, tuple) and ... in returned
    return {"what it returned": returned} if is_a_stub else seen


def case(M: int, K: int, B: int, L: int, seed: int, about: float) -> tuple:
    theta = [normal(L, seed=seed), normal(1, seed=seed + 1)]
    phi = [normal(B, L, seed=seed + 2), 0.3 * normal(B, L, seed=seed + 3)]
    leaves = [[leaf.double().requires_grad_() for leaf in leaves] for leaves in (theta, phi)]
    return normal(M, K, B, L, seed=seed + 4).double(), *leaves, about


def tight(log_w: Tensor) -> Tensor:
    return -bounds.iwae(log_w).mean()


def loose(log_w: Tensor) -> Tensor:
    return -bounds.miwae(log_w).mean()


def elbo(log_w: Tensor) -> Tensor:
    return -log_w.mean()


def goals(name: str, *, for_theta: Goal | None, for_phi: Goal | None) -> Answer:
    """An answer that leaves in ``.grad`` what each list descends; nothing where it is None."""

    def answer(log_w: Tensor, theta: Parameters, phi: Parameters) -> None:
        for loss, leaves in ((for_theta, theta), (for_phi, phi)):
            if loss is not None:
                loss(log_w).backward(inputs=leaves, retain_graph=True)

    answer.__name__ = name
    return answer


def both(*losses: Goal) -> Goal:
    return lambda log_w: torch.stack([loss(log_w) for loss in losses]).sum()


def times(factor: Callable[[Tensor], float], loss: Goal) -> Goal:
    return lambda log_w: factor(log_w) * loss(log_w)


def over_the_M_axis(log_w: Tensor) -> Tensor:
    return loose(log_w.transpose(0, 1))


check = CheckOfEffects(
    "04.two_goals",
    goals("right", for_theta=tight, for_phi=loose),
    praise="One set of samples, two losses, and neither reaches the other's .grad. Your trainer knows PIWAE now.",
    cases=lambda: [
        case(3, 2, 4, 2, seed=101, about=0.0),  # here exp does no harm, and whatever else is wrong shows
        case(2, 5, 3, 1, seed=111, about=-800.0),
        case(4, 3, 2, 3, seed=121, about=-800.0),
    ],
    watched=watched,
)


def mistake(message: str, name: str, for_theta: Goal | None, for_phi: Goal | None) -> None:
    check.mistake(message)(goals(name, for_theta=for_theta, for_phi=for_phi))


mistake(
    """Every .grad is still empty, or 0, when your function ends. The optimiser reads .grad: call .backward(), or put
    there what torch.autograd.grad returns.""",
    "nothing is filled in", None, None,
)  # fmt: skip
mistake(
    """Each .grad has the sum of both gradients. .backward() reaches every parameter and adds to what is there, and so
    does one of a sum of losses. Say whom it may reach: .backward(inputs=theta), or torch.autograd.grad.""",
    "both step on the sum", both(tight, loose), both(tight, loose),
)  # fmt: skip
mistake(
    """theta is right. In phi's .grad both gradients are added up: the pass of L_MK reaches phi as well. Give it
    inputs=theta, or clear phi's .grad behind it and before MIWAE's pass.""",
    "phi steps on the sum", tight, both(tight, loose),
)  # fmt: skip
mistake(
    """phi is right. In theta's .grad both gradients are added up: MIWAE's pass reaches theta as well. Give it
    inputs=phi.""",
    "theta steps on the sum", both(tight, loose), loose,
)  # fmt: skip
mistake(
    """theta's .grad has both gradients, phi's has that of L_MK alone, as when phi's is cleared between the
    passes. theta climbs L_MK, phi MIWAE.""",
    "wrong one cleared", both(tight, loose), tight,
)  # fmt: skip
mistake(
    """theta's .grad has MIWAE's gradient alone, phi's has both, as when theta's is cleared between the passes
    and MIWAE's pass is the second. theta climbs L_MK, phi MIWAE.""",
    "wrong one cleared behind the first pass", loose, both(tight, loose),
)  # fmt: skip
mistake(
    """Both have the gradient of MIWAE. If you cleared everything between two passes (zero_grad), you threw
    theta's away: theta climbs L of all M K samples.""",
    "MIWAE for both", loose, loose,
)  # fmt: skip
mistake(
    """Both have the gradient of L_MK: that is IWAE. If you cleared everything between two passes (zero_grad), you threw
    phi's away: phi climbs MIWAE, M logarithms of K samples.""",
    "IWAE for both", tight, tight,
)  # fmt: skip
mistake("The two are exchanged: theta climbs L of all M K samples, phi climbs MIWAE.", "exchanged", loose, tight)
mistake("theta is right. phi's .grad is still empty, or 0: its own pass, of MIWAE, is missing.",
        "phi is left out", tight, None)  # fmt: skip
mistake("phi is right. theta's .grad is still empty, or 0: its own pass, of L_MK, is missing.",
        "theta is left out", None, loose)  # fmt: skip
mistake(
    """theta is right. phi climbs the ELBO, with weights 1/(MK): summaries of the paper say so, and it is only the case
    K = 1. phi climbs MIWAE.""",
    "ELBO for phi", tight, elbo,
)  # fmt: skip
mistake(
    """Both climb the ELBO, the mean of the log-weights. theta climbs L of all M K samples, one logarithm for each x;
    phi climbs MIWAE, M logarithms of K samples.""",
    "ELBO for both", elbo, elbo,
)  # fmt: skip
mistake(
    """theta is right. For phi you put the M axis under the logarithm and averaged over K. The axes are M, K, B. With
    M = K nobody would notice.""",
    "over the M axis", tight, over_the_M_axis,
)  # fmt: skip
mistake(
    """theta is right. For phi the M groups are added up: MIWAE is their mean, so this gradient is M times too
    large.""",
    "groups added up", tight, times(len, loose),
)  # fmt: skip
mistake(
    """The sign is that of the bounds. An optimiser goes down, so .grad needs the gradients of minus the bounds.""",
    "the bounds and not losses", times(lambda _: -1.0, tight), times(lambda _: -1.0, loose),
)  # fmt: skip
mistake(
    """Two things. Each .grad has the sum of both gradients, for .backward() reaches every parameter: say whom it may
    reach, as in .backward(inputs=theta). And the sign is that of the bounds, where an optimiser goes down.""",
    "the sum of the bounds and not of losses",
    times(lambda _: -1.0, both(tight, loose)), times(lambda _: -1.0, both(tight, loose)),
)  # fmt: skip
mistake(
    """The sign of theta is right. phi's .grad has the gradient of the bound, and an optimiser would go down on it.""",
    "sign of phi", tight, times(lambda _: -1.0, loose),
)  # fmt: skip
mistake(
    """phi is right. theta's .grad has the gradient of the bound, and an optimiser would go down on it.""",
    "sign of theta", times(lambda _: -1.0, tight), loose,
)  # fmt: skip
mistake(
    """Both are added up over the B data points. Then a larger batch takes larger steps: a loss is the mean over B.""",
    "summed over the batch", times(lambda log_w: log_w.shape[2], tight), times(lambda log_w: log_w.shape[2], loose),
)  # fmt: skip
mistake(
    """Both climb the mean of the two bounds. Each network has a goal of its own: two losses, two gradients.""",
    "mean of both", times(lambda _: 0.5, both(tight, loose)), times(lambda _: 0.5, both(tight, loose)),
)  # fmt: skip


def surrogate(log_w: Tensor, over: tuple[int, ...]) -> Tensor:
    """Minus the mean of shares times log w, the shares moving too."""
    share = log_w.flatten(0, 1).softmax(0).view_as(log_w) if len(over) > 1 else log_w.softmax(1)
    return -(share * log_w).sum(over).mean()


mistake(
    """Both are the gradient of shares times log w with the shares moving too. Detach them, or take the logarithm of the
    mean: autograd finds the shares.""",
    "shares that move", lambda log_w: surrogate(log_w, (0, 1)), lambda log_w: surrogate(log_w, (1,)),
)  # fmt: skip
mistake(
    """Right on paper. With log-weights near -800 every exp is 0, and the gradient is not a number: use
    logsumexp.""",
    "exp first",
    lambda log_w: -log_w.exp().mean((0, 1)).log().mean(), lambda log_w: -log_w.exp().mean(1).log().mean(),
)  # fmt: skip
mistake(
    """theta is right. For phi you averaged the log-weights over M first and took the logarithm of a sum then. First
    the bound in each group, then the mean.""",
    "averaged over M first", tight, lambda log_w: -(log_w.mean(0).logsumexp(0) - math.log(log_w.shape[1])).mean(),
)  # fmt: skip
mistake(
    """theta is right. phi's gradient is added up over the B data points. Then a larger batch takes larger steps, and
    phi alone: a loss is the mean over B.""",
    "phi summed over the batch", tight, times(lambda log_w: log_w.shape[2], loose),
)  # fmt: skip
mistake(
    """phi is right. theta's gradient is added up over the B data points. Then a larger batch takes larger steps, and
    theta alone: a loss is the mean over B.""",
    "theta summed over the batch", times(lambda log_w: log_w.shape[2], tight), loose,
)  # fmt: skip
