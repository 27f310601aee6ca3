"""05.dreg_loss: plain shares for theta, squared ones for phi. Shapes: ``2 x [M, K, B], [M, K, B, L] -> []``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor
from torch.distributions import Normal

from vaecourse import bounds
from vaecourse.checks import losses
from vaecourse.checks.cases import normal
from vaecourse.checks.effects import CheckOfEffects, slopes_of
from vaecourse.checks.losses import ALL, GROUP

Loss = Callable[[Tensor, Tensor, Tensor], object]
Shares = Callable[[Tensor], Tensor]


def watched(answer: Loss, theta: Tensor, mu: Tensor, eps: Tensor, about: float) -> dict[str, object]:
    """The loss, and its gradients for theta and mu, on a model whose sigma is 0.6; ``about`` moves its log-weights."""
    z = mu + 0.6 * eps  # [M, K, B, L]
    log_q = Normal(mu.detach(), 0.6).log_prob(z).sum(-1)
    log_p = -0.5 * z.square().sum(-1) - 0.5 * (1.3 - (theta * z).sum(-1)).square() - 0.1 * z.pow(3).sum(-1) + about
    loss = answer(log_p, log_q, z)
    for_theta, for_phi = slopes_of(loss, [theta, mu])
    return {"the loss": loss, "its gradient for theta": for_theta, "its gradient for phi": for_phi}


def case(M: int, K: int, B: int, L: int, seed: int, about: float) -> tuple:
    theta, mu = normal(L, seed=seed).double(), normal(B, L, seed=seed + 1).double()
    return theta.requires_grad_(), mu.requires_grad_(), normal(M, K, B, L, seed=seed + 2).double(), about


def shares(log_w: Tensor, over: tuple[int, ...] = ALL) -> Tensor:
    return losses.shares(log_w.detach(), over)


by_group = partial(shares, over=GROUP)
loss, by_MIWAE = (partial(losses.of_bound, over=over) for over in (ALL, GROUP))


def hooked(
    *,
    value: Callable[[Tensor], Tensor] = loss,
    hook: Shares | None = shares,
    log_w: Callable[[Tensor, Tensor], Tensor] = lambda log_p, log_q: log_p - log_q,
) -> Loss:
    """An answer with a loss and, in a hook on z, what the gradient is multiplied with there."""

    def answer(log_p: Tensor, log_q: Tensor, z: Tensor) -> Tensor:
        weights = log_w(log_p, log_q)
        if hook is not None:
            factor = hook(weights)[..., None]
            z.register_hook(lambda gradient: factor * gradient)
        return value(weights)

    return answer


right = hooked()

check = CheckOfEffects(
    "05.dreg_loss",
    right,
    praise="Plain shares for theta, their squares for phi, and a loss that is still minus the bound: one pass.",
    cases=lambda: [
        case(2, 3, 4, 2, seed=201, about=0.0),  # here exp does no harm, and whatever else is wrong shows
        case(3, 2, 5, 1, seed=211, about=-800.0),
        case(1, 6, 2, 3, seed=221, about=-800.0),
    ],
    watched=watched,
)


def surrogate(power: int) -> Callable[[Tensor], Tensor]:
    return lambda log_w: -(shares(log_w) ** power * log_w).sum((0, 1)).mean()


losses.know_what_goes_wrong_on_the_way(check, lambda way: hooked(value=lambda log_w: way(bounds.iwae(log_w))))

check.slip("no hook that fires", hooked(hook=None))("""
    The loss and theta are right. phi gets plain shares, once: that is sticking the landing, with another mean. Where
    the gradient passes z it has to be multiplied with the share once more: z.register_hook, on this z and no copy of
    it, with a function that returns the new gradient.""")
check.slip("the surrogate is reported", hooked(value=surrogate(1)))("""
    Both gradients are right. The loss is not: shares times log w has the right slope, and its value is not minus the
    bound, which your training_step reports. Return minus the log of the mean weight; autograd sends the shares.""")
check.slip("squares for theta as well", hooked(value=surrogate(2), hook=None))(
    "theta gets squared shares as well. The squares are phi's alone: theta's gradient has no score term to pay for."
)
check.slip("squares for theta and a third power", hooked(value=surrogate(2)))("""
    theta gets squared shares, and phi gets the third power: the sum has squares, and the hook brings one share more.
    Plain shares belong in the sum.""")
check.slip("third power", hooked(hook=lambda log_w: shares(log_w) ** 2))("""
    The loss and theta are right. phi gets the third power of the shares: the loss sends one along already, so the hook
    brings one, not its square.""")
check.slip("shares of the groups in the hook", hooked(hook=by_group))("""
    The hook's shares add up to one in each of the M groups. This row pools all M K samples under one logarithm:
    flatten(0, 1), then softmax.""")
check.slip("by group", hooked(value=by_MIWAE, hook=by_group))("""
    This is the doubly reparameterised MIWAE: M logarithms of K samples each. DReG's row pools all M K samples under
    one.""")
check.slip("by group in the loss alone", hooked(value=by_MIWAE))("""
    Your loss is MIWAE's, M logarithms of K samples each, and the hook has the shares of all M K. DReG's row pools them
    in both places.""")
check.slip("log q detached", hooked(log_w=lambda log_p, log_q: log_p - log_q.detach()))("""
    log q is detached in your answer. Its parameters are held fixed already; z in it must move, for the path goes
    through log q(z) as well.""")
check.slip("log q detached and no hook", hooked(hook=None, log_w=lambda log_p, log_q: log_p - log_q.detach()))("""
    log q is detached in your answer, and no hook fires. Leave log_q as it is, for z moves in it, and multiply the
    gradient of z with the share.""")
check.slip("log MK missing", hooked(value=lambda log_w: -log_w.logsumexp((0, 1)).mean()))("""
    log(M K) is missing in the loss: this is the log of the *sum* of the weights. The gradients are right, for a number
    that is added has none.""")
check.slip("the ELBO", hooked(value=losses.of_logs))(
    "This is the ELBO: every sample counts alike. The loss is minus the log of the *mean weight* of all M K samples."
)
check.slip("the ELBO without a hook", hooked(value=losses.of_logs, hook=None))("""
    This is the ELBO, every sample counting alike, and no hook fires. The loss is minus the log of the *mean weight*,
    and the gradient of z is multiplied with the share.""")
check.slip("shares that move", hooked(value=partial(losses.of_moving_shares, over=ALL)))("""
    The shares in your sum move, so autograd differentiates them as well, and the value is not the bound. Return minus
    the log of the mean weight; detach the share for the hook.""")
check.slip("shares that move and no hook", hooked(value=partial(losses.of_moving_shares, over=ALL), hook=None))("""
    The shares in your sum move, so autograd differentiates them as well, and no hook fires. Return minus the log of the
    mean weight, and multiply the gradient of z with the share.""")
check.slip("shares over the batch", hooked(hook=lambda log_w: log_w.detach().softmax(2)))(
    "The hook's shares add up to one over the batch. It is the M K samples of one x that share the credit."
)
check.slip("shares times MK", hooked(hook=lambda log_w: shares(log_w) * log_w[..., 0].numel()))(
    "The hook multiplies with K M times the share. The share itself is needed: the shares of an x add up to one."
)
check.slip("weights in the hook", hooked(hook=lambda log_w: log_w.detach().exp()))(
    "The hook multiplies with the weight itself, not its share. exp(-800) is 0 in a computer; the share is a softmax."
)
check.slip("normalised squares in the hook", hooked(hook=lambda log_w: shares(2 * log_w)))("""
    The squares in the hook are made to add up to one. One plain share goes out with the loss, the hook brings the
    other, and their product adds up to less than one.""")
check.slip("exp first", hooked(value=partial(losses.of_exp_first, over=ALL)))("""
    Right on paper. With log-weights near -800 every exp is 0, the loss is inf and the gradients are not numbers: use
    logsumexp.""")
check.slip("log q added", hooked(log_w=lambda log_p, log_q: log_p + log_q))(
    "log_w is log p minus log q: the weight is p(x, z) over q(z | x)."
)
check.slip("product added to the old gradient", hooked(hook=lambda log_w: 1 + shares(log_w)))("""
    The hook returns the old gradient plus the product. What it returns takes the old one's place: return share times
    gradient alone.""")
