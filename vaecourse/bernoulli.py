r"""log p(x | z) of independent Bernoulli pixels, from logits: in a plain line, and in one pass over cache-sized blocks.

.. math:: \log p(x | l) = \sum_d x_d l_d - \mathrm{softplus}(l_d), \qquad
          \frac{\partial}{\partial l_d} \log p(x | l) = x_d - \sigma(l_d)

The second form is why the fused pass pays: likelihood and gradient need the same sigmoid of the same logits. As
x l and softplus(l) cancel where a pixel is well explained, l is turned so that x prefers what is below zero:

.. math:: \log p(x | l) = \sum_d c_d l_d - \mathrm{softplus}(t_d l_d), \qquad
          (t, c) = (-1, x - 1) \text{ if } x \ge \tfrac12, \quad (1, x) \text{ if } x < \tfrac12

whose two parts are both at most as large as the result, and c is 0 for a pixel that is black or white. What is float16
or bfloat16 is computed, and comes back, in float32. In nats.

What float32 knows: the plain line is right to a few units of rounding of its own size, however small that is. The fused
pass takes logarithms of sigmoids, and rounds each to 1e-7. So beside its own rounding it is right to D times 1.2e-7
nats, 1e-4 at D = 784, where all logits are alike, and to D times 2e-8 where they differ; each pixel's part of the
gradient is right to 1.2e-7. What is smaller is noise.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, softplus

from vaecourse import arguments

ROWS = 500  # of a block: its 2 MB stay in the shared cache, and two threads have enough to do between waits


def log_likelihood(logits: Tensor, x: Tensor) -> Tensor:
    """log p(x | logits), in float32 at least. Shapes: ``[..., B, D], [B, D] -> [..., B]``."""
    logits = arguments.at_least_float32(logits)
    turn, rest = _turned(x.to(torch.promote_types(x.dtype, logits.dtype)))
    softened = softplus(turn * logits, threshold=50)  # beyond it softplus is the identity in float64 too
    return -torch.addcmul(softened, rest, logits, value=-1).sum(-1)


def _turned(x: Tensor) -> tuple[Tensor, Tensor]:
    """t and c of the first page."""
    light = x >= 0.5
    return torch.where(light, -1.0, 1.0).to(x), torch.where(light, x - 1, x)


def linear_log_likelihood(head: nn.Linear, h: Tensor, x: Tensor) -> Tensor:
    """log p(x | head(h)), on a CPU in one fused pass. Shapes: ``[..., B, H], [B, D] -> [..., B]``."""
    if head.bias is None or not _fusible(h, head.weight, head.bias, x):
        return log_likelihood(linear(h, head.weight, head.bias), x)
    rows = h.reshape(-1, *h.shape[-2:])  # [N, B, H]
    if torch.is_grad_enabled():
        return _LinearLogLikelihood.apply(rows, head.weight, head.bias, x).reshape(h.shape[:-1])
    return _forward(rows, head.weight, head.bias, x, keep_residual=False)[0].reshape(h.shape[:-1])


def _fusible(h: Tensor, weight: Tensor, bias: Tensor, x: Tensor) -> bool:
    """On a CPU, row by row, in one type wide enough for a product of 8 pixels, for a gradient of h, weight, bias."""
    rows = x.dim() == 2 and h.shape[-2:-1] == x.shape[:1] and h.numel() > 0
    wide = h.dtype == weight.dtype == x.dtype and h.dtype in (torch.float32, torch.float64)
    plain = all(map(_plain, (h, weight, bias, x))) and not x.requires_grad and not torch.is_autocast_enabled("cpu")
    return h.device.type == "cpu" and rows and wide and plain


def _plain(value: Tensor) -> bool:
    """Whether autograd's backward pass is all that may be asked of this tensor."""
    return arguments.is_concrete(value) and torch.autograd.forward_ad.unpack_dual(value).tangent is None


class _LinearLogLikelihood(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor, weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
        value, residual = _forward(h, weight, bias, x, keep_residual=True)
        ctx.save_for_backward(h, weight, bias, x, residual)
        return value

    @staticmethod
    def backward(ctx: Any, seed: Tensor) -> tuple[Tensor | None, ...]:
        h, weight, bias, x, residual = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph: the residual must know what it was made of
            turn, rest = _turned(x)
            residual = rest - turn * (turn * linear(h, weight, bias)).sigmoid()
        residual, seed = residual.flatten(0, 1), seed.flatten()  # [N B, D], [N B]
        grad_h = (residual @ weight).mul_(seed[:, None]).view_as(h) if ctx.needs_input_grad[0] else None
        seeded = h.flatten(0, 1) * seed[:, None]  # the seed scales a row: cheaper on H columns than on D
        return grad_h, residual.T @ seeded, seed @ residual, None


def _forward(h: Tensor, weight: Tensor, bias: Tensor, x: Tensor, keep_residual: bool) -> tuple[Tensor, Tensor]:
    r"""The value [N, B] and, if it is kept, the residual x - sigmoid(logits) [N, B, D], all that backward needs.

    With s = sigma(-t l), the value is the sum of log s, taken of products of up to 8 pixels, and a product with h whose
    width is H and not D, which black and white pixels do not need; the residual is c - t (1 - s). A block with a
    product below what the type resolves, 8 pixels that are wrong by 80 nats together, is done again pixel by pixel.
    """
    N, B, _ = h.shape
    step, group = max(1, ROWS // B), _group(len(weight))
    turn, rest = _turned(x)
    value = (h * (rest @ weight)).sum(-1) + rest @ bias if rest.any() else h.new_zeros(N, B)  # sum_d c_d l_d
    residual = h.new_empty(N if keep_residual else step, B, len(weight))
    away, base = -turn, rest - turn
    for start in range(0, N, step):
        block = h[start : start + step]
        out = residual[start : start + step] if keep_residual else residual[: len(block)]
        torch.addmm(bias, block.flatten(0, 1), weight.T, out=out.flatten(0, 1))
        likely = out.mul_(away).sigmoid_().unflatten(-1, (group, -1)).prod(-2)
        if likely.amin() > torch.finfo(h.dtype).tiny:
            value[start : start + step] += likely.log_().sum(-1)
        else:
            value[start : start + step] = log_likelihood(linear(block, weight, bias), x)
        if keep_residual:
            torch.addcmul(base, turn, out, out=out)
    return value, residual


def _group(D: int) -> int:
    """The largest divisor of D that is at most 8."""
    return max(size for size in range(1, 9) if D % size == 0)
