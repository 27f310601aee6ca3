"""07.gap_by_hand: U_0 - log q(z) for a psi of two values, q(z | psi) = 0.8 and 0.2, with tau the prior."""

from __future__ import annotations

import math

from vaecourse.checks.frame import Check

LIKELY, RARE = 0.8, 0.2  # q(z | psi = 0) and q(z | psi = 1) at this z; q(psi | z) happens to be the same two numbers
Q = 0.5 * LIKELY + 0.5 * RARE

check = Check(
    "07.gap_by_hand",
    LIKELY * math.log(LIKELY / Q) + RARE * math.log(RARE / Q),
    praise="It is KL(q(psi | z) || q(psi)), the first row of the table with tau the prior. No sample but psi_0, and "
    "only 0.19 nats: this psi decides little about z.",
    rtol=5e-3,
)


@check.mistake("""-0.223 is log 0.8. It is also the mean of both logarithms half and half, as if psi_0 came from the
    prior, less log q(z). In U_0 the psi is the one that made z: weight each by q(psi | z), then take log q(z)
    away.""")
def psi_0_from_the_prior() -> float:
    return 0.5 * math.log(LIKELY / Q) + 0.5 * math.log(RARE / Q)


@check.mistake("""0.223 is minus log 0.8. It is also the KL the other way round, of the prior from the posterior: how
    far L_1 lies *below*. For U_0 the mean is over q(psi | z), with the weights 0.8 and 0.2.""")
def KL_the_other_way_round() -> float:
    return -psi_0_from_the_prior()


@check.mistake("-0.5 is U_0 itself. The question is how far it lies above log q(z): take log 0.5 away.")
def U_0_itself() -> float:
    return LIKELY * math.log(LIKELY) + RARE * math.log(RARE)


@check.mistake("0.5 is minus U_0. The question is U_0 - log q(z), and log q(z) = log 0.5 is below U_0.")
def minus_U_0() -> float:
    return -U_0_itself()


@check.mistake("0.278 is the gap in bits. All gaps of this course are in nats: natural logarithms.")
def in_bits() -> float:
    return (LIKELY * math.log(LIKELY / Q) + RARE * math.log(RARE / Q)) / math.log(2)


@check.mistake("0.084 is the gap with logarithms of base 10. Nats are natural logarithms.")
def base_10() -> float:
    return LIKELY * math.log10(LIKELY / Q) + RARE * math.log10(RARE / Q)


@check.mistake("""0.307 is log 0.68 less log q(z): the logarithm of the mean of q(z | psi_0). U_0 is the mean of the
    logarithm: first the log of each, then weight them.""")
def log_of_the_mean() -> float:
    return math.log((LIKELY**2 + RARE**2) / Q)


@check.mistake("""-0.386 is log 0.68, the logarithm of the mean of q(z | psi_0). U_0 is the mean of the logarithm, and
    log q(z) is still to be taken away.""")
def log_of_the_mean_alone() -> float:
    return math.log(LIKELY**2 + RARE**2)


@check.mistake("""-0.916 is L_1, the mean of both logarithms half and half, and also log(0.2 / 0.5). In U_0 the psi is
    the one that made z: weight each logarithm by q(psi | z), then take log q(z) away.""")
def L_1_itself() -> float:
    return 0.5 * math.log(LIKELY) + 0.5 * math.log(RARE)


@check.mistake("""0.47 is the gap if psi_0 were 0 for certain. Given this z it is 0 in eight cases of ten, and 1 in
    two: weight both.""")
def only_the_likely_one() -> float:
    return math.log(LIKELY / Q)


@check.mistake("""0.376 is the first of two terms, that of psi = 0. The other one, 0.2 log(0.2 / 0.5), is negative, and
    belongs to the mean.""")
def one_term_only() -> float:
    return LIKELY * math.log(LIKELY / Q)


@check.mistake("-0.193 has the right size. U_0 lies above log q(z): U_0 - log q(z), in this order.")
def sign_turned_round() -> float:
    return -(LIKELY * math.log(LIKELY / Q) + RARE * math.log(RARE / Q))


@check.mistake("""0.693 is log 2: minus log q(z), and also what is left if psi decides everything. Here it does not: z
    may come from either psi.""")
def log_2() -> float:
    return math.log(2)


@check.mistake("-1.194 comes out if log q(z) = log 0.5 is added. It is taken away: U_0 - log q(z).")
def log_q_added() -> float:
    return U_0_itself() + math.log(Q)
