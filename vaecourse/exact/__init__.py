"""Models whose every quantity is known in closed form: the truth that each estimate of the course is held against.

``LinearGaussian`` is probabilistic PCA, ``reference()`` the one-dimensional case that the chapters return to,
``GaussianToy`` the model of "Tighter variational bounds are not necessarily better", ``LaplaceMixture`` that of
hierarchical inference, ``gaussian_mmd2`` the exact distance that ``divergences.mmd2`` estimates.
"""

from vaecourse.exact.gaussian_mmd import gaussian_mmd2
from vaecourse.exact.gaussian_toy import GaussianToy
from vaecourse.exact.laplace import LaplaceMixture
from vaecourse.exact.linear_gaussian import Case, LinearGaussian, reference
from vaecourse.exact.mean_mixture import MeanMixture

__all__ = ["Case", "GaussianToy", "LaplaceMixture", "LinearGaussian", "MeanMixture", "gaussian_mmd2", "reference"]
