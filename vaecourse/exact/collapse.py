"""When a unit of a linear VAE dies: the exact threshold, and what it carries while it lives."""

from __future__ import annotations

from torch import Tensor

from vaecourse import arguments


def unit_kl(eigenvalues: Tensor, noise_variance: float, beta: float = 1.0) -> Tensor:
    r"""The mean KL to the prior of each unit of a linear VAE at its best, in nats: 0 where the unit is dead.

    Arguments:
        eigenvalues: of the data's covariance, those of the principal directions that the units take.
        noise_variance: s2 of the decoder.
        beta: the weight of the KL in the objective.

    The objective is :math:`\sum_l -\frac{E\|x_l - \hat x_l\|^2}{2 s^2} - \beta KL_l`, a share for each principal
    direction. Times :math:`1/\beta` it is the ELBO with the noise variance :math:`\tau = \beta s^2`. There the best
    unit has the exact posterior of :math:`W_l^2 = \max(\lambda_l - \tau, 0)`, and

    .. math:: E_x[KL_l] = I(x; z_l) = \tfrac12 \log \frac{W_l^2 + \tau}{\tau} = \tfrac12 \log \max(\lambda_l / \tau, 1)

    Shapes: ``[L] -> [L]``. Source: Tipping and Bishop 1999, eq. 15; Lucas et al. 2019. Raises ``ValueError`` for an
    eigenvalue below 0, and unless noise_variance and beta are above 0.

    >>> unit_kl(Tensor([2.7, 0.9, 0.3]), noise_variance=0.2, beta=3)
    tensor([0.7520, 0.2027, 0.0000])
    """
    arguments.finite("eigenvalues", arguments.tensor("eigenvalues", eigenvalues, "L"))
    if (eigenvalues < 0).any():
        raise ValueError(f"eigenvalues must not be negative, got {float(eigenvalues.min()):g} among its entries.")
    threshold = arguments.scale("noise_variance", noise_variance) * arguments.scale("beta", beta)
    return 0.5 * (eigenvalues / threshold).clamp_min(1).log()
