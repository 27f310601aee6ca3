"""06.surgery: the rate, split in two: five lines in their order, "DCBEA"."""

from __future__ import annotations

from vaecourse.checks.frame import Check

check = Check(
    "06.surgery",
    "DCBEA",
    praise="Five lines and no approximation. Nothing was asked of q or of p but that these means exist.",
)


@check.mistake("A is where it ends: two KLs. The rate is one KL. What is a KL, written out as a mean?")
def A_first() -> str:
    return "A..."


@check.mistake("""B has two logarithms and q(z) in both. Where does q(z) come from? The rate has none. Begin with what
    the rate is, written out as a mean.""")
def B_first() -> str:
    return "B..."


@check.mistake("""C has q(z) twice already, above a line and below one. Before anything is put in, write out what the
    rate is: a mean over the data, and over the codes of each.""")
def C_first() -> str:
    return "C..."


@check.mistake("""E names the law of its second mean, q(z). Two means need two logarithms, and the rate is one. Write
    it out first.""")
def E_first() -> str:
    return "E..."


@check.mistake("""D is right. A is two KLs, and D is one logarithm. q(z) must come in, and the logarithm must be split,
    before that can be read off.""")
def D_then_A() -> str:
    return "DA..."


@check.mistake("""D is right. B has q(z) in both logarithms, and D has none of it: first multiply by q(z) / q(z), in
    one logarithm.""")
def D_then_B() -> str:
    return "DB..."


@check.mistake("""D is right. E has two means, and D is the mean of one logarithm without q(z). What has to be put in
    before a logarithm can be split there?""")
def D_then_E() -> str:
    return "DE..."


@check.mistake("""D and C are right. C is one logarithm of a product. A is two KLs: first the logarithm of the product
    becomes a sum.""")
def C_then_A() -> str:
    return "DCA..."


@check.mistake("""D and C are right. In E the second mean has lost x already, and C has not even two means yet: first
    the logarithm of the product becomes a sum.""")
def C_then_E() -> str:
    return "DCE..."


@check.mistake("""D, C and B are right. A calls the second term a KL of q(z), which is a mean over q(z). In B it is
    still a mean over x and its codes. Which line says that these are the same?""")
def B_then_A() -> str:
    return "DCBA..."
