"""vaecourse: variational bounds that you can trust, from the ELBO to IWHVI.

Log-weights are the currency. One tensor, ``log_w[M, K, B] = log p(x, z) - log q(z | x)`` in nats, with M independent
estimates, K importance samples in each, and B data points. A model makes log-weights; a bound reduces them to ``[B]``.

====================  ==========================================================================================
module                what it holds
====================  ==========================================================================================
``bounds``            ELBO, IWAE, MIWAE, CIWAE, VR-IWAE, the jackknife, the effective sample size
``divergences``       kernels and MMD, KL and JS by a discriminator, the minibatch KL, the Stein direction
``exact``             models whose every quantity is known in closed form
``objectives``        the table of estimators, and one rule that makes a row of it a loss
``control_variates``  score-function gradients of L_K: VIMCO, OVIS
``roulette``          SUMO, an unbiased estimate of log p(x)
``gradients``         score-function gradients with baselines, VarGrad, signal-to-noise
``hierarchical``      HVM, SIVI, IWHVI: bounds on log q(z) where q is a mixture, and inverse models tau
``models``            the VAE, and any model put together from prior, likelihood and posterior (``composition``)
``priors``            the VampPrior; the aggregate posterior with its bounds from both sides
``data``              digits, MNIST, Fashion-MNIST, dynamic binarisation
``train``             the training loop over ``batches``; ``checkpoint`` is its file, which survives a kill, and
                      ``description`` what that says of the run
``infovae``           the InfoVAE family: a rate, and a divergence of the codes as a whole from the prior
``evaluate``          log p(x) at K = 5000 in flat memory, or by judges that are not the encoder; what codes carry
``recorded``          results that take too long for a page, with their settings, seeds, commit and times
``plots``             the course's figures and their one style
``labs``              the live panels
``checks``            what an exercise calls; ``cards`` is what a learner sees of it, and of quizzes and progress
``symbols``           the letters of other texts beside ours, and a field to look one up
``reproduce``         every recorded result, the papers' tables and the course's own: one command, at any scale
====================  ==========================================================================================
"""

__version__ = "0.1.0"  # the one place that has it: pyproject.toml reads it here, tests hold the other papers to it

TYPE_CHECKING = False
if TYPE_CHECKING:  # what a type checker knows without running __getattr__
    from vaecourse import bounds as bounds
    from vaecourse import cards as cards
    from vaecourse import checkpoint as checkpoint
    from vaecourse import checks as checks
    from vaecourse import control_variates as control_variates
    from vaecourse import data as data
    from vaecourse import divergences as divergences
    from vaecourse import evaluate as evaluate
    from vaecourse import exact as exact
    from vaecourse import gradients as gradients
    from vaecourse import hierarchical as hierarchical
    from vaecourse import infovae as infovae
    from vaecourse import labs as labs
    from vaecourse import models as models
    from vaecourse import objectives as objectives
    from vaecourse import plots as plots
    from vaecourse import priors as priors
    from vaecourse import recorded as recorded
    from vaecourse import reproduce as reproduce
    from vaecourse import roulette as roulette
    from vaecourse import symbols as symbols
    from vaecourse import train as train

MODULES = (
    "bounds cards checkpoint checks control_variates data divergences evaluate exact gradients hierarchical infovae "
    "labs models objectives plots priors recorded reproduce roulette symbols train"
).split()


def __getattr__(name):  # type: ignore[no-untyped-def] # Python 2.7 reads this file, too, before it hears that it is too old
    """Import a module when it is first asked for, so that ``import vaecourse`` takes no time: ``vaecourse.bounds``."""
    if name not in MODULES:
        raise AttributeError("module 'vaecourse' has no attribute %r; its modules are %s" % (name, ", ".join(MODULES)))
    import importlib

    return importlib.import_module("vaecourse." + name)


def __dir__():  # type: ignore[no-untyped-def]
    return sorted(set(globals()) | set(MODULES))
