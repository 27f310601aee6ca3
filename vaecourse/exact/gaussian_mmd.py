r"""The exact MMD^2 between a Gaussian and N(0, I): the truth beside every estimate of ``divergences.mmd2``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vaecourse import arguments

KERNELS = ["rbf", "imq"]


def gaussian_mmd2(mean: Tensor, std: Tensor, kernel: str, scale: float, times: Sequence[int] | None = None) -> Tensor:
    r"""Exact MMD^2 between N(mean, diag(std^2)) and N(0, I).

    The mean of the Gaussian kernel over two Gaussians is a Gaussian integral: with :math:`v_l` the sum of their
    variances, :math:`\delta` the difference of their means, :math:`h` the bandwidth,

    .. math:: E\, k(x, y) = \prod_l (1 + v_l / h^2)^{-1/2} \exp \left( -\frac{\delta_l^2}{2 (h^2 + v_l)} \right)

    and the inverse multiquadratic kernel is a mixture of Gaussian ones,
    :math:`C / (C + r^2) = \int_0^\infty e^{-t} e^{-t r^2 / C} dt`, taken here by quadrature to six digits or better.

    Arguments:
        mean, std: ``[L]``.
        kernel: ``"rbf"`` or ``"imq"``; ``scale`` is its bandwidth or its scale.
        times: how many dimensions have this mean and std, for each of the L; one if not given.

    Returns a scalar. Raises ``ValueError`` for an unknown kernel, and for a std or a scale that is not positive.

    >>> gaussian_mmd2(torch.tensor([1.0]), torch.tensor([1.0]), "rbf", 1.0)
    tensor(0.1773)
    """
    for name, value in {"mean": mean, "std": std}.items():
        arguments.finite(name, arguments.tensor(name, value, "L"))
    if len(mean) != len(std):
        raise ValueError(f"mean and std must have the same width L, got {len(mean)} and {len(std)}.")
    if (std <= 0).any():
        raise ValueError(f"std must be positive, got {float(std.min()):g} among its entries.")
    scale = arguments.scale("scale", scale)
    counts = [1] * len(mean) if times is None else arguments.counts("times", times)
    if len(counts) != len(mean):
        raise ValueError(f"times must have one entry for each of the L = {len(mean)} dimensions, got {len(counts)}.")
    often = torch.tensor(counts, dtype=torch.float64, device=mean.device)
    if arguments.choice("kernel", kernel, KERNELS) == "rbf":
        return _rbf(mean.double(), std.double(), often, often.new_tensor([scale**2]))[0].to(mean)
    t, weights = (torch.as_tensor(part, device=mean.device) for part in _exponential_quadrature())
    return (weights @ _rbf(mean.double(), std.double(), often, 0.5 * scale / t)).to(mean)


def _rbf(mean: Tensor, std: Tensor, often: Tensor, squared_bandwidth: Tensor) -> Tensor:
    """MMD^2 for each squared bandwidth, with each dimension there so many times: ``[L], [L], [L], [T] -> [T]``."""
    h2 = squared_bandwidth.unsqueeze(-1)  # [T, 1]

    def mean_kernel(variance: Tensor, offset: Tensor) -> Tensor:
        return (-0.5 * (torch.log1p(variance / h2) + offset**2 / (h2 + variance)) @ often).exp()

    one, none = torch.ones_like(std), torch.zeros_like(mean)
    return mean_kernel(2 * std**2, none) + mean_kernel(2 * one, none) - 2 * mean_kernel(std**2 + one, mean)


def _exponential_quadrature(step: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for an integral of e^-t f(t) over t > 0: equal steps of log t, as f may bend at any scale."""
    t = np.exp(np.arange(-50, 4.3, step))  # from 2e-22, where f is still f(0), to where e^-t is 1e-29
    return t, step * t * np.exp(-t)
