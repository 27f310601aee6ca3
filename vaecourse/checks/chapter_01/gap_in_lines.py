"""01.gap_in_lines, pen and paper: the five lines from log p(x) to ELBO + KL, in order."""

from __future__ import annotations

from vaecourse.checks.frame import Check

check = Check(
    "01.gap_in_lines",
    "CEADB",
    praise="A constant, Bayes' rule, q in and out, a logarithm split, two names. No line needed an inequality.",
)


@check.mistake("""B is what is to be shown, so it comes last. Only one line has a left side, log p(x): with it the chain
    begins.""")
def begun_with_the_result() -> str:
    return "B..."


@check.mistake("""E begins with an equals sign and has no left side. Which line does, and puts log p(x) under the mean
    over q?""")
def begun_with_Bayes_rule() -> str:
    return "E..."


@check.mistake("A begins with an equals sign and has no left side. Which line does? With it the chain begins.")
def begun_with_the_product() -> str:
    return "A..."


@check.mistake("D begins with an equals sign and has no left side. Which line does? With it the chain begins.")
def begun_with_the_two_means() -> str:
    return "D..."


@check.mistake("""C is right. In A the model's fraction p(x, z) / p(z | x) is there already, with q multiplied in and
    divided out. Which line brings that fraction in the place of p(x)?""")
def q_before_Bayes_rule() -> str:
    return "CA..."


@check.mistake("""C is right. D has the logarithm of a product in two. After C there is no product yet: first p(x)
    becomes a fraction, then q is multiplied in and divided out.""")
def split_before_there_is_a_product() -> str:
    return "CD..."


@check.mistake("""C is right. B gives two means their names. After C there is one mean, of log p(x): what is between the
    two?""")
def names_before_the_means() -> str:
    return "CB..."


@check.mistake("""C and E are right. D has split the logarithm of a product into two. In E stands one fraction: which
    line makes a product of two of it?""")
def split_before_q_is_multiplied_in() -> str:
    return "CED..."


@check.mistake("C and E are right. B gives two means their names. Which line has these two?")
def names_after_Bayes_rule() -> str:
    return "CEB..."


@check.mistake("""C, E and A are right. B names two means, and in A the logarithm of the product is not yet split into
    them.""")
def names_before_the_split() -> str:
    return "CEAB..."
