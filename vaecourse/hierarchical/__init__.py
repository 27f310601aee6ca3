r"""Hierarchical variational distributions: q(z) is an integral over psi, and bounds stand in for log q(z).

.. math:: q(z) = \int q(z | \psi)\, q(\psi)\, d\psi

A law is that pair of densities, an inverse model tau guesses the psi that made a z, and a tensor of log-ratios
``[K + 1, ...]``, psi_0 first, is the currency. HVM is K = 0, SIVI is tau = q(psi), IWHVI is any tau and any K.
Sources: arXiv 1511.02386 (HVM), 1805.11183 (SIVI), 1905.03290 (IWHVI). Everything is in nats.
"""

from vaecourse.hierarchical.bounds import jackknife, lower_bound, midpoint, upper_bound
from vaecourse.hierarchical.gradient import dreg
from vaecourse.hierarchical.inverse import GatedInverse, LinearInverse, MixingPrior, Posterior
from vaecourse.hierarchical.law import InverseModel, Law
from vaecourse.hierarchical.learning import learn
from vaecourse.hierarchical.ratios import Curve, curve, log_ratios
from vaecourse.hierarchical.toy import Toy, laplace_toy

__all__ = [
    "Curve",
    "GatedInverse",
    "InverseModel",
    "Law",
    "LinearInverse",
    "MixingPrior",
    "Posterior",
    "Toy",
    "curve",
    "dreg",
    "jackknife",
    "laplace_toy",
    "learn",
    "log_ratios",
    "lower_bound",
    "midpoint",
    "upper_bound",
]
