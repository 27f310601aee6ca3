"""log p(x | logits) against its equation in float64: where pixels are certain, in every type, values and gradients."""

import pytest
import torch
from torch import nn
from torch.nn.functional import logsigmoid
from torch.utils._pytree import tree_map

from vaecourse import bernoulli

D, H, B = 784, 5, 6


def truth(logits, x):
    """The sum over pixels of x log sigma(l) + (1 - x) log sigma(-l), none of whose terms cancel, in float64."""
    logits, x = logits.double(), x.double()
    return (x * logsigmoid(logits) + (1 - x) * logsigmoid(-logits)).sum(-1)


def case(scale, wrong=0.0, grey=False, seed=0):
    """A head whose logits are about +-scale, on the side of x but for a share of pixels, and h, x."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(B, D, generator=generator)
    x = x if grey else x.round()
    side = torch.where(torch.rand(D, generator=generator) < wrong, -1.0, 1.0) * (2 * x[0].round() - 1)
    x = x if grey else x[:1].expand(B, D).contiguous()
    head = nn.Linear(H, D)
    with torch.no_grad():
        head.weight.copy_(0.01 * scale * torch.randn(D, H, generator=generator))
        head.bias.copy_(scale * side)
    return head, torch.randn(3, 2, B, H, generator=generator), x


@pytest.mark.parametrize("grey", [False, True], ids=["binary", "grey"])
@pytest.mark.parametrize("wrong", [0.0, 0.01])
@pytest.mark.parametrize("scale", [0.0, 1.0, 5.0, 15.0, 37.0, 200.0])
def test_certain_pixels_in_float32(scale, wrong, grey):
    """At 37 nats a pixel x l and softplus(l) are 14 500 each, and what is left of them is the answer."""
    head, h, x = case(scale, wrong, grey)
    exact = truth(h.double() @ head.weight.double().T + head.bias.double(), x)
    # what float32 logits leave open: the slope of each pixel times the rounding of its logit
    logits = head(h).detach()
    slope = (x - logits.sigmoid()).abs()
    allowed = 4e-7 * ((slope * logits.abs()).sum(-1) + exact.abs().float()) + 3e-6
    for value in (bernoulli.linear_log_likelihood(head, h, x), bernoulli.log_likelihood(head(h), x)):
        assert value.dtype == torch.float32
        assert ((value.double() - exact).abs() < allowed).all(), (value.double() - exact).abs().max()


@pytest.mark.parametrize("scale", [0.0, 5.0, 25.0, 45.0])
def test_float64_is_exact(scale):
    head, h, x = case(scale, 0.01)
    head, h, x = head.double(), h.double(), x.double()
    exact = truth(head(h).detach(), x)
    for value in (bernoulli.linear_log_likelihood(head, h, x), bernoulli.log_likelihood(head(h), x)):
        torch.testing.assert_close(value.detach(), exact, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("grey", [False, True], ids=["binary", "grey"])
@pytest.mark.parametrize("scale", [0.0, 1.0, 15.0, 37.0, 200.0])
def test_gradients_of_certain_pixels(scale, grey):
    """x - sigma(l), also where it is 1e-16, also at a logit of exactly 0 and for x."""
    head, h, x = case(scale, 0.01, grey)
    if scale == 0:
        head.bias.data.zero_(), head.weight.data.zero_()
    logits = head(h).detach()
    expected = torch.where(x >= 0.5, (x - 1) + (-logits).sigmoid(), x - logits.sigmoid()).double()
    leaf = logits.requires_grad_()
    (plain,) = torch.autograd.grad(bernoulli.log_likelihood(leaf, x).sum(), leaf)
    torch.testing.assert_close(plain.double(), expected, rtol=1e-5, atol=1e-7 if grey else 1e-30)
    (by_bias,) = torch.autograd.grad(bernoulli.linear_log_likelihood(head, h, x).sum(), head.bias)
    torch.testing.assert_close(by_bias.double(), expected.sum((0, 1, 2)), rtol=1e-5, atol=1e-5)
    x = x.clone().requires_grad_()
    (by_x,) = torch.autograd.grad(bernoulli.log_likelihood(leaf.detach(), x).sum(), x)
    torch.testing.assert_close(by_x, leaf.detach().sum((0, 1)), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_in_float32(dtype):
    """784 pixels at log 1/2 are -543 nats, which bfloat16 knows to 2 nats: the logits are rough, the sum is not."""
    head, h, x = case(3.0, 0.05)
    head, h, x = head.to(dtype), h.to(dtype), x.to(dtype)
    logits = head(h).detach()
    for value in (bernoulli.log_likelihood(logits, x), bernoulli.linear_log_likelihood(head, h, x)):
        assert value.dtype == torch.float32
        torch.testing.assert_close(value.double(), truth(logits, x), rtol=1e-5, atol=1e-4)


def test_second_derivatives_where_a_logit_is_zero():
    logits = torch.zeros(2, 3, 4, dtype=torch.float64, requires_grad=True)
    x = torch.rand(3, 4, dtype=torch.float64)
    assert torch.autograd.gradgradcheck(lambda at: bernoulli.log_likelihood(at, x), (logits,))
    hessian = torch.autograd.functional.hessian(
        lambda at: bernoulli.log_likelihood(at, x[:1, :1]).sum(), logits[:1, :1, :1]
    )
    torch.testing.assert_close(hessian.flatten(), torch.tensor([-0.25], dtype=torch.float64))


@pytest.mark.parametrize("spread, least, most", [(0.0, 3e-8, 1.2e-7), (0.3, 0.0, 2e-8)], ids=["alike", "differ"])
@pytest.mark.parametrize("logit", [8.678, 14.0, 16.6, 20.0])
def test_what_float32_knows_of_pixels_that_are_all_explained(logit, spread, least, most):
    """Nats for each pixel, of the fused pass; the plain line is right relative to the value."""
    x = case(1.0)[2]
    head, h = nn.Linear(H, D), torch.zeros(3, 2, B, H)
    with torch.no_grad():
        head.bias.copy_(
            logit * (2 * x[0] - 1) * (1 + spread * torch.rand(D, generator=torch.Generator().manual_seed(2)))
        )
    exact = truth(head(h).detach(), x)
    off = lambda value: (value.detach().double() - exact).abs().max().item()
    value = bernoulli.linear_log_likelihood(head, h, x)
    assert off(value) < D * most
    if logit in (8.678, 16.6):  # where it is worst
        assert off(value) > D * least
    assert off(bernoulli.log_likelihood(head(h), x)) < 1e-6 * exact.abs().max()
    (slope,) = torch.autograd.grad(value[0, 0, 0], head.bias)
    assert (slope.double() - (x[0] - head.bias.double().sigmoid())).abs().max() < 1.2e-7


def broadcasts(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "h, x",
    [((2, 1, H), (B, D)), ((H,), (B, D)), ((H,), (D,)), ((2, B, H), (1, D)), ((B, H), (D,)), ((0, B, H), (B, D))],
    ids=str,
)
def test_shapes_that_broadcast(h, x):
    head, h, x = nn.Linear(H, D), broadcasts(*h), broadcasts(*x).sigmoid().round()
    expected = bernoulli.log_likelihood(head(h), x)
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            torch.testing.assert_close(bernoulli.linear_log_likelihood(head, h, x), expected)


def plain(head, h, x):
    return bernoulli.log_likelihood(head(h), x)


class Both(nn.Module):
    """A likelihood as a module of its head, for ``functional_call``."""

    def __init__(self, head, likelihood):
        super().__init__()
        self.head, self.likelihood = head, likelihood

    def forward(self, h, x):
        return self.likelihood(self.head, h, x)


def by_dual_numbers(f, at):
    ad = torch.autograd.forward_ad
    with ad.dual_level():
        return ad.unpack_dual(f(tree_map(lambda t: ad.make_dual(t, t), at))).tangent


TRANSFORMS = {
    "vmap": lambda f, at: torch.func.vmap(f)(tree_map(lambda t: torch.stack([t, 0.5 * t]), at)),
    "jvp": lambda f, at: torch.func.jvp(f, (at,), (at,)),
    "grad": lambda f, at: torch.func.grad(f)(at),
    "dual numbers": by_dual_numbers,
}


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated")  # torch.func.jvp uses it
@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("place", [0, 1, 2], ids=["h", "x", "head"])
def test_transforms_of_any_argument(name, place):
    head = nn.Linear(H, D)
    given = [
        broadcasts(3, B, H),
        broadcasts(B, D).sigmoid(),
        {f"head.{n}": p.detach() for n, p in head.named_parameters()},
    ]
    found = []
    for likelihood in (bernoulli.linear_log_likelihood, plain):

        def at(value, likelihood=likelihood):
            h, x, weights = (*given[:place], value, *given[place + 1 :])
            return torch.func.functional_call(Both(head, likelihood), weights, (h, x)).sum()

        found.append(TRANSFORMS[name](at, given[place]))
    torch.testing.assert_close(*found)
