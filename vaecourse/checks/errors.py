"""What stopped a learner's function, in a sentence: where, why, and what to look at. Python's own words come last."""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

AUTOGRAD_LOST = (
    "it does not depend on what it is to be differentiated for: was something detached, or made anew, too early?"
)
ONE_NUMBER = "one number was needed and the tensor has more: math.log and float take one, torch's .log() takes all"
IN_PLACE = (
    "a tensor that autograd still needs was changed in place (+=, exp_(), a slice, or optimizer.step() before "
    "backward()): make a new one, or change it later"
)

# The error, what it says, what that means, with the groups of the pattern. The first one that fits speaks.
MEANS: list[tuple[type[BaseException], str, str]] = [
    (
        RuntimeError,
        r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at non-singleton dimension (\d+)",
        "two tensors do not fit together: on axis {2} one has length {0} and the other {1}. Shapes are lined up from "
        "the right; `keepdim=True` or `[:, None]` keeps or makes an axis of length 1",
    ),
    (
        RuntimeError,
        r"cannot be multiplied \((\S+) and (\S+)\)",
        "a matrix product of {0} and {1}: columns and rows differ",
    ),
    (
        IndexError,
        r"in range of (\[.*?\]), but got (-?\d+)",
        "there is no axis {1}; the tensor's are {0}, counted from 0",
    ),
    (IndexError, r"too many indices", "the tensor has fewer axes than there are indices in the brackets"),
    (RuntimeError, r"does not require grad|not have been used in the graph", AUTOGRAD_LOST),
    (
        RuntimeError,
        r"a second time",
        "the same graph was used for a second backward: keep it at the first (retain_graph=True), or compute it again",
    ),
    (RuntimeError, r"in-?place operation", IN_PLACE),
    (RuntimeError, r"Boolean value of Tensor", "`if`, `and` and `or` need one truth value: use torch.where, & or |"),
    (
        RuntimeError,
        r"expected .*(?:but (?:got|found)|same dtype)",
        "tensors of different precision met, float32 and float64",
    ),
    (ValueError, r"only one element tensors", ONE_NUMBER),
    (RuntimeError, r"cannot be converted to Scalar", ONE_NUMBER),
    (AttributeError, r"'(\w+)' object has no attribute '(\w+)'", "a {0} has no `.{1}`"),
    (
        NameError,
        r"^name '(\w+)' is not defined",
        "nothing is called `{0}` here. A slip of the pen, an import that is missing, or a cell above that was not run?",
    ),
    (UnboundLocalError, r"variable '(\w+)'", "`{0}` is used before the function has given it a value"),
    (RecursionError, "", "the function calls itself without end"),
    (ZeroDivisionError, "", "it divides by 0"),
    (ValueError, r"math domain error|positive input", "math.log or math.sqrt got a number that is not positive"),
    (OverflowError, "", "a number grew beyond what a float can hold"),
    (TypeError, r"type\(s\) for (\S+?):? '?(\w+)'? and '?(\w+)'?", "{1} and {2} do not go together with {0}"),
    (TypeError, r"'(\w+)' object is not callable", "round brackets stand behind a {0}, which is no function"),
    (TypeError, r"'(\w+)' object is not subscriptable", "square brackets stand behind a {0}, which has no parts"),
    (SystemExit, "", "it ended the program with exit()"),
]


def told(error: BaseException, answer: Callable[..., Any], case: Sequence[object]) -> str:
    """Why the function stopped on this case."""
    if isinstance(error, TypeError) and (count := _wrong_count(answer, case)):
        return count
    where, own = _line(error, answer), f"{type(error).__name__}: {error}".rstrip(": ").split("\n")[0]
    for kind, pattern, means in MEANS:
        if isinstance(error, kind) and (found := re.search(pattern, str(error))):
            sentence = means.format(*found.groups())
            return f"The function stopped{where}: {sentence}{'' if sentence.endswith('?') else '.'} ({own})"
    return f"The function stopped{where} with {own.rstrip('.')}."


def _wrong_count(answer: Callable[..., Any], case: Sequence[object]) -> str:
    try:
        signature = inspect.signature(answer)
        signature.bind(*case)
    except TypeError:
        kinds = ", ".join(
            f"a tensor {list(c.shape)}" if isinstance(c, Tensor) else f"a {type(c).__name__}" for c in case
        )
        takes = ", ".join(signature.parameters) or "none"
        return f"The check calls your function with {len(case)} arguments ({kinds}); it takes {takes}."
    except ValueError:
        pass
    return ""


def _line(error: BaseException, answer: Callable[..., Any]) -> str:
    """The line of the learner's own that was running, if it can be read."""
    file = getattr(getattr(answer, "__code__", None), "co_filename", None)
    lines = [frame.line for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file and frame.line]
    return f" in `{lines[-1]}`" if lines else ""
