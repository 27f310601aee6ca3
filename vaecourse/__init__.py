"""vaecourse: variational bounds that you can trust, from the ELBO to IWHVI.

Log-weights are the currency. One tensor, ``log_w[M, K, B] = log p(x, z) - log q(z | x)`` in nats, with M independent
estimates, K importance samples in each, and B data points. A model makes log-weights; a bound reduces them to ``[B]``.

=================  ==========================================================================================
room               what it holds
=================  ==========================================================================================
``bounds``         ELBO, IWAE, MIWAE, CIWAE, VR-IWAE, the jackknife, the effective sample size
``divergences``    kernels and MMD, KL and JS by a discriminator, the minibatch KL, the Stein direction
``exact``          models whose every quantity is known in closed form
``objectives``     the table of estimators, and one function that fills ``.grad`` for a row of it
``gradients``      score-function gradients with baselines, VarGrad, signal-to-noise
``hierarchical``   HVM, SIVI, IWHVI: bounds on log q(z) where q is a mixture, and inverse models tau
``models``         the VAE: encoders, decoders, priors
``priors``         the VampPrior; the aggregate posterior with its bounds from both sides
``data``           digits, MNIST, Fashion-MNIST, dynamic binarisation
``train``          the training loop; ``checkpoint`` is its file, which survives a kill
``infovae``        the InfoVAE family: a rate, and a divergence of the codes as a whole from the prior
``evaluate``       log p(x) at K = 5000 in flat memory, active units, mutual information
``recorded``       results that take too long for a page, with their settings, seeds and times
``plots``          the course's figures and their one style
``labs``           the live panels
``checks``         what an exercise calls
``reproduce``      the papers' tables, made again: seeds side by side, several processes, at any scale
=================  ==========================================================================================
"""

__version__ = "0.1.0"
