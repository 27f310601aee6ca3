"""07.free_sample: the step that does not hold in an argument that U_K is a lower bound: a letter, "A" to "D"."""

from __future__ import annotations

from vaecourse.checks.frame import Check

check = Check(
    "07.free_sample",
    "B",
    praise="Once z is there, psi_0 is a draw of q(psi | z): it is the psi that made this z. What was drawn first makes "
    "no difference, for both orders give the pair the same density q(z, psi_0).",
)


@check.mistake("""A holds: psi_0 came from q(psi), and z did not exist yet. What changes when z is known? Look for the
    first step that speaks of psi_0 with z given.""")
def A_the_draw_itself() -> str:
    return "A"


@check.mistake("""C holds. With tau = q(psi) the prior stands above and below the line and cancels, whatever psi_k is
    and wherever it came from.""")
def C_the_prior_cancels() -> str:
    return "C"


@check.mistake("""D holds as it stands: *if* all K + 1 were draws of tau, the mean would be unbiased, and Jensen gives
    a lower bound, L_(K+1). Which step before it claims the if?""")
def D_what_would_follow() -> str:
    return "D"
