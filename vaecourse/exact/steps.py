r"""The two steps of the EM algorithm on probabilistic PCA: the ELBO as a hill that is climbed in turns."""

from __future__ import annotations

import torch
from torch import Tensor

from vaecourse import arguments
from vaecourse.exact.linear_gaussian import LinearGaussian


def m_step(model: LinearGaussian, x: Tensor, mean: Tensor, std: Tensor) -> LinearGaussian:
    r"""The model whose W has the highest mean ELBO of the data x, where :math:`q_n = N(\mu_n, diag(\sigma_n^2))` stays
    as it is. Noise and bias stay as well.

    In W the ELBO is :math:`-\tfrac{1}{2 s^2} \sum_n E_{q_n} \|x_n - b - W z\|^2` and what does not move. Its
    slope is 0 at

    .. math:: W = \left[ \sum_n (x_n - b) \mu_n^T \right] \left[ \sum_n \mu_n \mu_n^T + diag(\sigma_n^2) \right]^{-1}

    Shapes: ``[B, D], [B, L], [B, L]``. Source: Tipping and Bishop 1999, appendix B. The E step is ``model.posterior``.

    >>> from vaecourse.exact import reference
    >>> m_step(*reference(torch.float64)).weight
    tensor([[0.8630]], dtype=torch.float64)
    """
    mean, std = model.gaussian(x, mean, std)
    mean, std = mean.expand(len(x), -1), std.expand(len(x), -1)
    second = mean.T @ mean + torch.diag(std.square().sum(0))  # [L, L]
    arguments.finite("mean and std", second)
    weight = torch.linalg.solve(second, mean.T @ (x - model.bias)).T
    return LinearGaussian(weight, model.noise_variance, model.bias)
