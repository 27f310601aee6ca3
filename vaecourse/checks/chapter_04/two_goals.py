"""04.two_goals: PIWAE in one step: theta's .grad from L_MK, phi's from MIWAE. Shapes: ``[M, K, B], two lists``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from vaecourse.checks import losses, slips
from vaecourse.checks.cases import normal
from vaecourse.checks.effects import CheckOfEffects
from vaecourse.checks.losses import ALL, GROUP

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


def goals(for_theta: Goal | None, for_phi: Goal | None) -> Answer:
    """An answer that leaves in ``.grad`` what each list descends; nothing where it is None."""

    def answer(log_w: Tensor, theta: Parameters, phi: Parameters) -> None:
        for loss, leaves in ((for_theta, theta), (for_phi, phi)):
            if loss is not None:
                loss(log_w).backward(inputs=leaves, retain_graph=True)

    return answer


tight, loose = (partial(losses.of_bound, over=over) for over in (ALL, GROUP))  # minus L_MK, and minus MIWAE

check = CheckOfEffects(
    "04.two_goals",
    goals(tight, loose),
    praise="One set of samples, two losses, and neither reaches the other's .grad. Your trainer knows PIWAE now.",
    cases=lambda: [
        case(3, 2, 4, 2, seed=101, about=0.0),  # here exp does no harm, and whatever else is wrong shows
        case(2, 5, 3, 1, seed=111, about=-800.0),
        case(4, 3, 2, 3, seed=121, about=-800.0),
    ],
    watched=watched,
)


def mistake(name: str, for_theta: Goal | None, for_phi: Goal | None) -> Callable[[str], None]:
    return check.slip(name, goals(for_theta, for_phi))


def both(log_w: Tensor) -> Tensor:
    return tight(log_w) + loose(log_w)


def times(factor: float, loss: Goal) -> Goal:
    return lambda log_w: factor * loss(log_w)


def summed(loss: Goal) -> Goal:
    return lambda log_w: log_w.shape[2] * loss(log_w)


# Each has something else than its own goal

mistake("nothing is filled in", None, None)("""
    Every .grad is still empty, or 0, when your function ends. The optimiser reads .grad: call .backward(), or put there
    what torch.autograd.grad returns.""")
mistake("both step on the sum", both, both)("""
    Each .grad has the sum of both gradients. .backward() reaches every parameter and adds to what is there, and so does
    one of a sum of losses. Say whom it may reach: .backward(inputs=theta), or torch.autograd.grad.""")
mistake("wrong one cleared", both, tight)("""
    theta's .grad has both gradients, phi's has that of L_MK alone, as when phi's is cleared between the passes. theta
    climbs L_MK, phi MIWAE.""")
mistake("wrong one cleared behind the first pass", loose, both)("""
    theta's .grad has MIWAE's gradient alone, phi's has both, as when theta's is cleared between the passes and MIWAE's
    pass is the second. theta climbs L_MK, phi MIWAE.""")
mistake("MIWAE for both", loose, loose)("""
    Both have the gradient of MIWAE. If you cleared everything between two passes (zero_grad), you threw theta's away:
    theta climbs L of all M K samples.""")
mistake("IWAE for both", tight, tight)("""
    Both have the gradient of L_MK: that is IWAE. If you cleared everything between two passes (zero_grad), you threw
    phi's away: phi climbs MIWAE, M logarithms of K samples.""")
mistake("exchanged", loose, tight)("The two are exchanged: theta climbs L of all M K samples, phi climbs MIWAE.")
mistake("mean of both", times(0.5, both), times(0.5, both))("""
    Both climb the mean of the two bounds. Each network has a goal of its own: two losses, two gradients.""")
mistake("ELBO for both", losses.of_logs, losses.of_logs)("""
    Both climb the ELBO, the mean of the log-weights. theta climbs L of all M K samples, one logarithm for each x; phi
    climbs MIWAE, M logarithms of K samples.""")

# Both have their own goal, and each goes wrong the same way

mistake("the bounds and not losses", times(-1, tight), times(-1, loose))(
    "The sign is that of the bounds. An optimiser goes down, so .grad needs the gradients of minus the bounds."
)
mistake("the sum of the bounds and not of losses", times(-1, both), times(-1, both))("""
    Two things. Each .grad has the sum of both gradients, for .backward() reaches every parameter: say whom it may
    reach, as in .backward(inputs=theta). And the sign is that of the bounds, where an optimiser goes down.""")
mistake("summed over the batch", summed(tight), summed(loose))("""
    Both are added up over the B data points. Then a larger batch takes larger steps: a loss is the mean over B.""")
mistake("shares that move", *(partial(losses.of_moving_shares, over=over) for over in (ALL, GROUP)))("""
    Both are the gradient of shares times log w with the shares moving too. Detach them, or take the logarithm of the
    mean: autograd finds the shares.""")
mistake("exp first", *(lambda log_w, over=over: -slips.exp_first(log_w, over).mean() for over in (ALL, GROUP)))("""
    Right on paper. With log-weights near -800 every exp is 0, and the gradient is not a number: use logsumexp.""")

# One is right, and the other goes wrong: what its author is told about theta's, or about phi's

for one, other, goal, bound in (("theta", "phi", tight, "L_MK"), ("phi", "theta", loose, "MIWAE")):

    def alone(name: str, wrong: Goal | None, one: str = one) -> Callable[[str], None]:
        return mistake(name, wrong, loose) if one == "theta" else mistake(name, tight, wrong)

    right = f"{other} is right."
    alone(f"{one} is left out", None)(
        f"{right} {one}'s .grad is still empty, or 0: its own pass, of {bound}, is missing."
    )
    alone(f"sign of {one}", times(-1, goal))(
        f"{right} {one}'s .grad has the gradient of the bound, and an optimiser would go down on it."
    )
    alone(f"{one} summed over the batch", summed(goal))(f"""{right} {one}'s gradient is added up over the B data points.
        Then a larger batch takes larger steps, and {one} alone: a loss is the mean over B.""")

mistake("phi steps on the sum", tight, both)("""
    theta is right. In phi's .grad both gradients are added up: the pass of L_MK reaches phi as well. Give it
    inputs=theta, or clear phi's .grad behind it and before MIWAE's pass.""")
mistake("theta steps on the sum", both, loose)("""
    phi is right. In theta's .grad both gradients are added up: MIWAE's pass reaches theta as well. Give it
    inputs=phi.""")
mistake("ELBO for phi", tight, losses.of_logs)("""
    theta is right. phi climbs the ELBO, with weights 1/(MK): summaries of the paper say so, and it is only the case
    K = 1. phi climbs MIWAE.""")
mistake("over the M axis", tight, partial(losses.of_bound, over=(0,)))("""
    theta is right. For phi you put the M axis under the logarithm and averaged over K. The axes are M, K, B. With M = K
    nobody would notice.""")
mistake("groups added up", tight, lambda log_w: len(log_w) * loose(log_w))("""
    theta is right. For phi the M groups are added up: MIWAE is their mean, so this gradient is M times too large.""")
mistake("averaged over M first", tight, lambda log_w: loose(log_w.mean(0, keepdim=True)))("""
    theta is right. For phi you averaged the log-weights over M first and took the logarithm of a sum then. First the
    bound in each group, then the mean.""")
