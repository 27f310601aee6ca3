"""00.passport: log_w in the letters of another text. Shapes: ``3 x [M, K, B] -> [M, K, B]``."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from vaecourse.checks import slips
from vaecourse.checks.cases import normal
from vaecourse.checks.frame import Check


def right(log_q: Tensor, log_q_r: Tensor, log_q_e: Tensor) -> Tensor:
    return log_q + log_q_r - log_q_e


check = Check(
    "00.passport",
    right,
    praise="Prior plus likelihood minus encoder. Two letters mean other things there, and the sum is our log_w.",
    cases=lambda: [
        (normal(2, 3, 4, seed=1) - 1, normal(2, 3, 4, seed=2) - 2, normal(2, 3, 4, seed=3)),
        (normal(3, 1, 2, seed=4), 2 * normal(3, 1, 2, seed=5), normal(3, 1, 2, seed=6) + 1),
        (normal(2, 2, 3, seed=7), normal(2, 2, 3, seed=8) - 800, normal(2, 2, 3, seed=9)),  # as of an image
    ],
)


@check.mistake("""You read q(z) as the approximate posterior, as our own letters would have it. In this text q(z) is the
    prior, and the encoder is the q with the small e.""")
def prior_read_as_the_encoder(log_q: Tensor, log_q_r: Tensor, log_q_e: Tensor) -> Tensor:
    return log_q_e + log_q_r - log_q


@check.mistake("""The decoder q_r(x | z) belongs to the joint p(x, z), in the numerator. What is divided by is the
    distribution that z was drawn from.""")
def decoder_divided_out(log_q: Tensor, log_q_r: Tensor, log_q_e: Tensor) -> Tensor:
    return log_q + log_q_e - log_q_r


@check.mistake("""All three are added. A weight divides by the density that z was drawn from, so its logarithm is
    subtracted.""")
def encoder_multiplied(log_q: Tensor, log_q_r: Tensor, log_q_e: Tensor) -> Tensor:
    return log_q + log_q_r + log_q_e


@check.mistake("The prior is missing. The numerator is the joint p(x, z), prior times likelihood.")
def prior_forgotten(log_q: Tensor, log_q_r: Tensor, log_q_e: Tensor) -> Tensor:
    return log_q_r - log_q_e


@check.mistake("""This is log p(x, z). It becomes a weight when you subtract the logarithm of the density that z was
    drawn from.""")
def encoder_forgotten(log_q: Tensor, log_q_r: Tensor, log_q_e: Tensor) -> Tensor:
    return log_q + log_q_r


@check.mistake("The data never enter: the likelihood q_r(x | z) is missing. This is the (negative) KL part alone.")
def likelihood_forgotten(log_q: Tensor, log_q_r: Tensor, log_q_e: Tensor) -> Tensor:
    return log_q - log_q_e


check.mistake("""The ratio is upside down: this is -log w, the sign of a loss. The model's joint stands in the
    numerator.""")(partial(slips.sign_turned_round, right))

check.mistake("This is w itself. Stay in logarithms: w of an image is too small for a float.")(
    partial(slips.not_a_logarithm, right)
)


@check.mistake("You divided logarithms. The logarithm of a ratio is a difference: log(a / b) = log a - log b.")
def ratio_of_logarithms(log_q: Tensor, log_q_r: Tensor, log_q_e: Tensor) -> Tensor:
    return (log_q + log_q_r) / log_q_e


@check.mistake("""You put logarithms into the formula of the densities. Of logarithms a product becomes a sum, and a
    ratio a difference.""")
def formula_on_the_logarithms(log_q: Tensor, log_q_r: Tensor, log_q_e: Tensor) -> Tensor:
    return log_q * log_q_r / log_q_e


@check.mistake("""You went through the factors themselves, and back. The likelihood of an image is exp(-800), which is 0
    in floating point, and its log -inf. Stay in logarithms.""")
def exp_and_log_again(log_q: Tensor, log_q_r: Tensor, log_q_e: Tensor) -> Tensor:
    return (log_q.exp() * log_q_r.exp() / log_q_e.exp()).log()


@check.mistake("""The sum is right, and averaged over M and K: that is a bound already, the ELBO. Asked for is log_w,
    [M, K, B].""")
def averaged_over_the_samples(log_q: Tensor, log_q_r: Tensor, log_q_e: Tensor) -> Tensor:
    return right(log_q, log_q_r, log_q_e).mean((0, 1))


@check.mistake("""Two things: in this text q(z) is the prior, and the encoder is the q with the small e; and log_w is
    [M, K, B], before any mean.""")
def prior_read_as_the_encoder_and_averaged(log_q: Tensor, log_q_r: Tensor, log_q_e: Tensor) -> Tensor:
    return prior_read_as_the_encoder(log_q, log_q_r, log_q_e).mean((0, 1))
