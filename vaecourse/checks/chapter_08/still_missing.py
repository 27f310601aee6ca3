"""08.still_missing: L_1000 = -23.09, L_5000 = -23.07; what is missing at 5000 if the gap falls like 1/K."""

from __future__ import annotations

from vaecourse.checks.frame import Check

STEP = 0.02  # L_5000 - L_1000

check = Check(
    "08.still_missing",
    STEP / 4,
    praise="c/1000 - c/5000 is four times c/5000, so a quarter of the step is missing. It is a quarter only where the "
    "1/K law has begun; the next pitfall has an encoder for which it has not.",
    rtol=5e-3,
)


@check.mistake("""0.02 is the step itself. The step is as long as what is missing when K is doubled, from 2500 to 5000.
    Here K grows fivefold: write both gaps as c/K and subtract.""")
def the_step_itself() -> float:
    return STEP


@check.mistake(
    """0.004 is a fifth of the step. c/5000 is a fifth of c/1000, not of the step: the step is c/1000 - c/5000."""
)
def a_fifth_of_the_step() -> float:
    return STEP / 5


@check.mistake("0.025 is what was missing at K = 1000. The question is what is missing at K = 5000.")
def missing_at_1000() -> float:
    return STEP * 5 / 4


@check.mistake("25 is c, the constant above the line. What is missing at K = 5000 is c/5000.")
def the_constant() -> float:
    return STEP / (1 / 1000 - 1 / 5000)


@check.mistake("""0.1 is five times the step. What is missing at 5000 is *less* than the step from 1000 to 5000: the
    curve flattens.""")
def five_times_the_step() -> float:
    return STEP * 5


@check.mistake("0.08 is four times the step. The step is four times c/5000: divide.")
def four_times_the_step() -> float:
    return STEP * 4


@check.mistake("""0.01 is half of the step. With both gaps written as c/K, the step is c/1000 - c/5000: how many times
    c/5000 is that?""")
def half_of_the_step() -> float:
    return STEP / 2


@check.mistake("0.0162 comes out if the gap falls like one over the *root* of K. It falls like 1/K: chi² / (2K).")
def root_of_K() -> float:
    return STEP / (5**0.5 - 1)


@check.mistake("-0.005 has the right size. Missing is what still has to be added to L_5000: a positive number.")
def sign_turned_round() -> float:
    return -STEP / 4


@check.mistake(
    "A number near -23 is a bound or log p(x) itself. The question is how much L_5000 still lacks of log p(x)."
)
def log_p_itself() -> float:
    return -23.07 + STEP / 4


@check.mistake("-0.02 is the step, turned round; L_K grows with K. And what is missing is not the step: write c/K.")
def step_turned_round() -> float:
    return -STEP
