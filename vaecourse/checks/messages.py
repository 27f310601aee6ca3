"""What a check says where no exercise has a word of its own: of an empty answer, or of one that returns nothing."""

UNSOLVED = "Not solved yet:"  # of nothing but what stands there at the start; the class's version looks for it
NO_VALUE = f"{UNSOLVED} the check still gets `{{}}`, as at the start."
DOTS = f"{UNSOLVED} a `...` is still in the answer. Your own line belongs in its place."
STARTING_POINT = (
    f"{UNSOLVED} the function is still empty, as at the start. Take your time; a hint on the card is a good next step."
)
DEAD_LINES = (
    f"{UNSOLVED} the line `return None` ends the function, and nothing below it ever runs. Mend the rest, then take "
    "that line away."
)
TOO_LONG = (
    "No answer after {:.0f} seconds, so it was stopped. Is there a loop that does not end, or one over single numbers "
    "where a tensor would do?"
)
PRINTED = (
    "Your function prints, and returns nothing. A check, like the next line of a program, can only use what stands "
    "behind `return`."
)
NOTHING = "Your function has lines of its own and returns None: is `return` missing, or does nothing stand behind it?"
SOMETIMES_NOTHING = (
    "In test case {} of {} your function returns None, and not in all of them. Does every way through it end in a "
    "`return`?"
)
CHANGED = (
    "The values are right, and your function has changed its argument {}. Whoever calls it goes on with other numbers "
    "than before: work on a new tensor, not in place (no +=, no name that ends in _)."
)
OUTSIDE = (
    " Your function uses {} from the notebook. A test brings other numbers and shapes: take them from the arguments."
)
