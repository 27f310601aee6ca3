"""Models whose every quantity is known in closed form: the truth that each estimate of the course is held against.

``LinearGaussian`` is probabilistic PCA, ``reference()`` the one-dimensional case that the chapters return to,
``GaussianToy`` the model of "Tighter variational bounds are not necessarily better", ``LaplaceMixture`` that of
hierarchical inference, ``TwoHumps`` a posterior that no Gaussian fits. ``Information`` holds the exact terms of
InfoVAE, ``exploding_latent_space`` the toy that breaks the ELBO, ``gaussian_mmd2`` the exact distance that
``divergences.mmd2`` estimates.

What follows from them, for one data point and one latent dimension: ``WeightLaw`` is the law of an importance weight
and has E[L_K] and E[U_K] for any K, ``RowGradients`` has mean and variance of the gradient of every row of
``objectives.TABLE``, for any q, ``Pull`` the mean alone, for every K at once. ``ScoreGradient`` has them of the score
function, by baseline, and of the path, ``Ratio`` is the law of a hierarchical ratio, ``shifted_law`` that of a q that
is the posterior, moved; all three in any dimension.
"""

from vaecourse.exact.baselines import ScoreGradient, quieter_by_score
from vaecourse.exact.case import Case, case_with, reference
from vaecourse.exact.collapse import unit_kl
from vaecourse.exact.exploding import Exploding, exploding_latent_space
from vaecourse.exact.gaussian_mmd import gaussian_mmd2
from vaecourse.exact.gaussian_toy import GaussianToy
from vaecourse.exact.gradients import Moments, RowGradients, Slopes, WeightedSum, optimal_baseline, slopes
from vaecourse.exact.information import Channel, Information
from vaecourse.exact.laplace import LaplaceMixture
from vaecourse.exact.linear_gaussian import LinearGaussian
from vaecourse.exact.mean_mixture import MeanMixture
from vaecourse.exact.pull import Pull
from vaecourse.exact.ratios import Ratio, learning_path
from vaecourse.exact.shifted import shifted_law
from vaecourse.exact.steps import m_step
from vaecourse.exact.two_humps import TwoHumps
from vaecourse.exact.weights import WeightLaw, log_weights

__all__ = [
    "Case",
    "Channel",
    "Exploding",
    "GaussianToy",
    "Information",
    "LaplaceMixture",
    "LinearGaussian",
    "MeanMixture",
    "Moments",
    "Pull",
    "Ratio",
    "RowGradients",
    "ScoreGradient",
    "Slopes",
    "TwoHumps",
    "WeightLaw",
    "WeightedSum",
    "case_with",
    "exploding_latent_space",
    "gaussian_mmd2",
    "learning_path",
    "log_weights",
    "m_step",
    "optimal_baseline",
    "quieter_by_score",
    "reference",
    "shifted_law",
    "slopes",
    "unit_kl",
]
