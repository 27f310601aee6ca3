"""Models whose every quantity is known in closed form: the truth that each estimate of the course is held against.

``LinearGaussian`` is probabilistic PCA, ``reference()`` the one-dimensional case that the chapters return to,
``GaussianToy`` the model of "Tighter variational bounds are not necessarily better", ``LaplaceMixture`` that of
hierarchical inference. ``Information`` holds the exact terms of InfoVAE, ``exploding_latent_space`` the toy that breaks
the ELBO, ``gaussian_mmd2`` the exact distance that ``divergences.mmd2`` estimates.
"""

from vaecourse.exact.case import Case, reference
from vaecourse.exact.exploding import Exploding, exploding_latent_space
from vaecourse.exact.gaussian_mmd import gaussian_mmd2
from vaecourse.exact.gaussian_toy import GaussianToy
from vaecourse.exact.information import Channel, Information
from vaecourse.exact.laplace import LaplaceMixture
from vaecourse.exact.linear_gaussian import LinearGaussian
from vaecourse.exact.mean_mixture import MeanMixture

__all__ = [
    "Case",
    "Channel",
    "Exploding",
    "GaussianToy",
    "Information",
    "LaplaceMixture",
    "LinearGaussian",
    "MeanMixture",
    "exploding_latent_space",
    "gaussian_mmd2",
    "reference",
]
