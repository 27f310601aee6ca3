"""Stein variational gradient descent: an update of particles, and not a divergence whose value could be reported."""

from __future__ import annotations

import torch
from torch import Tensor

from vaecourse import arguments
from vaecourse.divergences.kernels import Kernel, matrix, points


def stein_direction(z: Tensor, score: Tensor, kernel: Kernel) -> Tensor:
    r"""Where to move each particle so that KL(q || p) falls fastest, among the directions that the kernel allows.

    .. math:: \phi(z_i) = \frac1N \sum_j k(z_j, z_i) \nabla \log p(z_j) + \nabla_{z_j} k(z_j, z_i)

    The first term pulls towards p, the second pushes the particles apart. If the z_j come from p its expectation is 0
    everywhere; elsewhere KL falls along it, at the rate of the squared kernel Stein discrepancy.

    ``score`` is :math:`\nabla \log p` at z: ``-z`` for p = N(0, I). The kernel must depend on z_j - z_i alone, as those
    of ``divergences`` do. The result carries no gradient.
    Shapes: ``[N, L], [N, L] -> [N, L]``. Raises ``ValueError`` if the two shapes differ.
    Source: Liu and Wang 2016 (arXiv 1608.04471), eq. 8.

    >>> from functools import partial
    >>> from vaecourse.divergences import rbf
    >>> z = torch.tensor([[0.0], [2.0]])
    >>> stein_direction(z, -z, partial(rbf, bandwidth=1.0))
    tensor([[-0.2707],
            [-0.8647]])
    """
    points("z", z)
    if points("score", score).shape != z.shape:
        raise ValueError(f"score must have the shape of z, {list(z.shape)}, got {list(score.shape)}.")
    arguments.alike("score", score, "z", z)
    z, score = arguments.at_least_float32(z), arguments.at_least_float32(score)
    with torch.enable_grad():
        here, there = z.detach(), z.detach().clone().requires_grad_()
        k = matrix(here, there, kernel)  # [N (j), N (i)]
        (pull_together,) = torch.autograd.grad(k.sum(), there)  # sum over j of the gradient by z_i, minus that by z_j
    return (k.detach().T @ score.detach() - pull_together) / len(z)
