"""What a public function must refuse, and how: with a TypeError or a ValueError whose sentence names the argument."""

import inspect
import math
import re
from functools import partial

import numpy as np
import pytest
import torch

NO_TENSOR = [None, 3.0, "x", [[1.0]], {}, object(), np.zeros((2, 3))]
NO_FLOATS = [torch.zeros(2, 3, dtype=torch.int64), torch.ones(2, 3, dtype=torch.bool), torch.zeros(2, 3) * 1j]
NO_NUMBER = [None, "1", [0.5], 1j, True, math.nan, math.inf, -math.inf, torch.tensor(0.5), 10**400, -(10**400)]
NO_COUNT = [None, "2", 2.0, [1], True, math.nan, -1, -(10**30), torch.tensor(2)]
NO_SEQUENCE = [None, 3, 2.5, "ab", [0], [2.0], [None], [-4], [True]]
NO_CHOICE = [None, 3, "", "no such thing", b"elbo", ["elbo"]]
NO_FUNCTION = [None, 3, "rbf", [1]]


def ranks(rank, *widths):
    """Tensors with another number of axes, empty ones, with NaN, and with the wrong width where it is known."""
    wrong = [torch.zeros([2] * axes) for axes in range(5) if axes != rank]
    empty = [torch.zeros([0] + [2] * (rank - 1)), torch.zeros([2] * (rank - 1) + [0])]
    nan = [torch.full([2] * (rank - 1) + [width], math.nan) for width in (widths or (2,))]
    return NO_TENSOR + NO_FLOATS + wrong + empty + nan + [torch.zeros([2] * (rank - 1) + [w + 1]) for w in widths]


def vectors(width=None):
    """What is no float tensor [..., width]."""
    wrong = [] if width is None else [torch.zeros(5, width + 1)]
    return NO_TENSOR + NO_FLOATS + [torch.zeros(()), torch.full((5, width or 2), math.nan)] + wrong


OUT_OF_SCALE = [*NO_NUMBER, 0, -1.0, 1e-200, 1e200]
CLOUD = torch.arange(10.0).view(5, 2)
NO_CLOUD = ranks(2) + [CLOUD * math.inf]
OFTEN = {"M": [*NO_COUNT, 0], "K": [*NO_COUNT, 0]}
SAID = {"name": "objective", "kind": "baseline", "training_K": "K"}  # arguments that a sentence calls by another name


def label(function):
    function = function.func if isinstance(function, partial) else function
    owner = type(function.__self__).__name__ + "." if inspect.ismethod(function) else ""
    return owner + function.__name__


def taken_and_refused(calls):
    """Two tests of a table of (function, good arguments, {argument: what it must refuse})."""
    cases = [
        pytest.param(function, good, argument, values, id=f"{label(function)}-{argument}-{i}")
        for i, (function, good, bad) in enumerate(calls)
        for argument, values in bad.items()
    ]

    @pytest.mark.parametrize("function, good", [pytest.param(f, good, id=label(f)) for f, good, _ in calls])
    def taken(function, good):
        function(**good)

    @pytest.mark.parametrize("function, good, argument, values", cases)
    def refused(function, good, argument, values):
        assert_refused(function, good, argument, values)

    return taken, refused


def assert_refused(function, good, argument, values):
    for value in values:
        shown = f"{value.dtype} {list(value.shape)}" if isinstance(value, torch.Tensor) else repr(value)[:60]
        try:
            function(**good | {argument: value})
        except (TypeError, ValueError) as error:
            named = re.search(rf"(?<!\w){SAID.get(argument, argument)}(?!\w)", str(error))
            assert named, f"{argument} = {shown} is not named: {error}"
        except Exception as error:  # noqa: BLE001 - that no other kind is raised is the point
            pytest.fail(f"{argument} = {shown} raises {type(error).__name__}: {error}")
        else:
            pytest.fail(f"{argument} = {shown} is taken")
