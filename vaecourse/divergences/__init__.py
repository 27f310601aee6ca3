"""How far the codes q(z) are from the prior p(z), told from samples: what InfoVAE may put in place of KL(q(z) || p(z)).

=================  ==========================================================================================
file               what it holds
=================  ==========================================================================================
``kernels``        ``rbf``, ``imq``, sums of them over scales, the median heuristic
``mmd``            the maximum mean discrepancy as U- and V-statistic, and its witness function
``stein``          the direction of Stein variational gradient descent, which is no divergence
``adversarial``    KL and Jensen-Shannon through a discriminator's estimate of log q(z) / p(z)
``minibatch``      KL through the encoder's own Gaussians
=================  ==========================================================================================

A cloud of points is ``[N, L]``. Two clouds may differ in N. Every function follows the type and the device of its
input, float16 and bfloat16 becoming float32, and raises ``ValueError`` for points that are not finite.
"""

from vaecourse.divergences.adversarial import Discriminator, adversarial_js, adversarial_kl, discriminator_loss
from vaecourse.divergences.kernels import (
    Kernel,
    Profile,
    imq,
    imq_profile,
    median_distance,
    multi_scale,
    rbf,
    rbf_profile,
    squared_distance,
)
from vaecourse.divergences.minibatch import minibatch_kl
from vaecourse.divergences.mmd import mmd2, u_statistics, witness, witness_slope
from vaecourse.divergences.stein import stein_direction

__all__ = [
    "Discriminator",
    "Kernel",
    "Profile",
    "adversarial_js",
    "adversarial_kl",
    "discriminator_loss",
    "imq",
    "imq_profile",
    "median_distance",
    "minibatch_kl",
    "mmd2",
    "multi_scale",
    "rbf",
    "rbf_profile",
    "squared_distance",
    "stein_direction",
    "u_statistics",
    "witness",
    "witness_slope",
]
