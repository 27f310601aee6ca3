"""07.ghost_modes: the modes of 3 components far apart in 4 dimensions, mixed in each dimension by itself."""

from __future__ import annotations

from vaecourse.checks.frame import Check

N, L = 3, 4

check = Check(
    "07.ghost_modes",
    N**L,
    praise="Each of the 4 coordinates picks one of 3 places by itself. 3 of the 81 modes are real, 78 are ghosts; with "
    "50 components in ten dimensions it would be 50 to the power 10.",
    rtol=1e-9,
)


@check.mistake("3 modes is what the right mixture has. The bug lets every dimension choose a component by itself.")
def the_right_mixture() -> int:
    return N


@check.mistake("""78 are the ghosts alone. The question is how many modes there are in all, and the three real ones are
    still among them.""")
def ghosts_alone() -> int:
    return N**L - N


@check.mistake("""12 is 3 times 4. In every dimension there are 3 places to choose from, and the choices of different
    dimensions go together in every way: multiply 3 by itself.""")
def multiplied() -> int:
    return N * L


@check.mistake("""64 is 4 to the power 3: base and exponent have changed places. Each of 4 dimensions chooses among 3
    places.""")
def base_and_exponent_exchanged() -> int:
    return L**N


@check.mistake("9 is the number for two dimensions, 3 times 3. Here there are four.")
def two_dimensions() -> int:
    return N**2


@check.mistake("16 is the number for two components, 2 to the power 4. Here there are three.")
def two_components() -> int:
    return 2**L


@check.mistake("24 counts orders, where no place is used twice. Two dimensions may well choose the same component.")
def orders_counted() -> int:
    return 24


@check.mistake(
    """27 is 3 to the power 3: with one coordinate fixed, the three others choose. The first one chooses, too."""
)
def one_dimension_short() -> int:
    return N ** (L - 1)


@check.mistake("""4 was the count in the picture of two components in two dimensions, 2 to the power 2; and 4 is the
    number of dimensions here. Count the choices: 3 places in each of 4 dimensions.""")
def four() -> int:
    return 4
