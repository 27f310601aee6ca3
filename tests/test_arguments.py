"""What every public function asks of its arguments: what it takes as it is, and the sentence for what it does not."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from vaecourse import arguments


def test_counts_and_numbers_come_back_as_python_has_them():
    assert arguments.count("K", np.int64(3)) == 3 and type(arguments.count("K", np.int64(3))) is int
    assert arguments.count("seed", 0, at_least=0) == 0 and arguments.count("seed", arguments.LARGEST) == 2**63 - 1
    assert arguments.number("beta", np.float32(0.5), 0, 1) == 0.5 and arguments.number("beta", Fraction(1, 4)) == 0.25
    assert arguments.counts("Ks", (1, np.int64(2))) == [1, 2]


@pytest.mark.parametrize(
    "value, kind, said",
    [
        (0, ValueError, "K must be at least 1, got 0."),
        (-(10**50), ValueError, "K must be at least 1, got minus one of more than 40 digits."),
        (2**63, ValueError, f"K must be at most {2**63 - 1}, got {2**63}."),
        (2.0, TypeError, "K must be a whole number, got 2.0 of type float."),
        (True, TypeError, "K must be a whole number, got True of type bool."),
        (None, TypeError, "K must be a whole number, got None of type NoneType."),
    ],
)
def test_what_is_no_count_is_told(value, kind, said):
    with pytest.raises(kind) as told:
        arguments.count("K", value)
    assert str(told.value) == said


@pytest.mark.parametrize(
    "value, limits, said",
    [
        (1.5, (0.0, 1.0), "beta must lie in [0, 1], got 1.5."),
        (-0.1, (0.0,), "beta must lie in [0, inf), got -0.1."),
        (math.nan, (), "beta must lie in (-inf, inf), got nan."),
        (math.inf, (), "beta must lie in (-inf, inf), got inf."),
        (10**400, (), f"beta must lie in (-inf, inf), got {10**400}."),
    ],
)
def test_a_number_outside_its_interval_is_told(value, limits, said):
    with pytest.raises(ValueError) as told:
        arguments.number("beta", value, *limits)
    assert str(told.value) == said


def test_an_end_that_is_open_is_outside():
    assert arguments.number("rate", 0.0, 0.0) == 0.0
    with pytest.raises(ValueError, match=r"^rate must lie in \(0, 1\], got 0.0.$"):
        arguments.number("rate", 0.0, 0.0, 1.0, open_low=True)
    with pytest.raises(TypeError, match="^rate must be a number, got '1' of type str.$"):
        arguments.number("rate", "1")
    for edge in (1e-15, 1e15):
        assert arguments.scale("bandwidth", edge) == edge and math.isfinite(torch.tensor(edge).square())
    with pytest.raises(ValueError, match="^bandwidth must lie in"):
        arguments.scale("bandwidth", 0.9e-15)


@pytest.mark.parametrize(
    "value, kind, said",
    [
        ([[1.0]], TypeError, r"x must be a torch.Tensor of shape \[B, D\], got list."),
        (torch.ones(2, 3, dtype=torch.int64), TypeError, "x must hold floating-point numbers, got torch.int64."),
        (torch.ones(3), ValueError, r"x must have the 2 axes \[B, D\], got shape \[3\]."),
        (torch.ones(0, 3), ValueError, r"x must have at least one entry along B, got shape \[0, 3\]."),
        (torch.tensor([[math.nan, 1.0]]), arguments.NotFinite, r"x contains NaN \(1 of 2 entries\)."),
    ],
)
def test_what_is_no_tensor_of_these_axes_is_told(value, kind, said):
    with pytest.raises(kind, match=f"^{said}$"):
        arguments.tensor("x", value, "BD")


def test_a_right_tensor_is_the_same_object():
    x = torch.tensor([[1.0, math.inf]])
    assert arguments.tensor("x", x, "BD") is x and arguments.vectors("x", x, 2) is x
    assert arguments.alike("x", x, "y", torch.zeros(1)) is x
    with pytest.raises(arguments.NotFinite, match="^x contains inf: it must be finite.$"):
        arguments.finite("x", x)
    with pytest.raises(
        TypeError, match="^x must share type and device with y, torch.float64 on cpu, got torch.float32"
    ):
        arguments.alike("x", x, "y", x.double())
    with pytest.raises(ValueError, match=r"^x must have the shape \[..., 3\], got \[1, 2\].$"):
        arguments.vectors("x", x, 3)
    with pytest.raises(ValueError, match="^x must broadcast with y in all axes but the last"):
        arguments.broadcast("x", torch.ones(2, 1), "y", torch.ones(3, 1))


def test_log_weights_may_be_zero_and_not_infinite():
    log_w = torch.tensor([[[0.0], [-math.inf]]], dtype=torch.float16)
    assert arguments.log_weights(log_w).dtype == torch.float32
    assert arguments.log_weights(log_w.double()).dtype == torch.float64
    for wrong, said in ((math.inf, r"contains \+inf"), (math.nan, r"contains NaN \(2 of 2")):
        with pytest.raises(arguments.NotFinite, match=f"^log_w {said}"):
            arguments.log_weights(torch.full((1, 2, 1), wrong))
    with arguments.looked_at():  # the caller has looked
        assert arguments.log_weights(torch.full((1, 2, 1), math.nan)).isnan().all()
    with pytest.raises(arguments.NotFinite):
        arguments.log_weights(torch.full((1, 2, 1), math.nan))


def test_numbers_of_samples_have_all_three_axes():
    assert arguments.of_samples("log_p", torch.ones(2, 3, 4), 2, 3, 4).shape == (2, 3, 4)
    for shape in ((2, 3, 1), (4,), (6, 4)):
        with pytest.raises(ValueError, match=r"^log_p must have the shape \[M, K, B\] = \[2, 3, 4\]"):
            arguments.of_samples("log_p", torch.ones(shape), 2, 3, 4)


def test_the_nearest_name_is_told_and_no_far_one():
    known = ["iwae", "miwae", "elbo"]
    assert arguments.choice("objective", "elbo", known) == "elbo"
    with pytest.raises(ValueError, match="got 'IWEA'. Did you mean 'iwae'"):
        arguments.choice("objective", "IWEA", known)
    with pytest.raises(ValueError, match="^objective must be one of iwae, miwae, elbo, got 'zzz'.$"):
        arguments.choice("objective", "zzz", known)
    with pytest.raises(TypeError, match="got 3 of type int.$"):
        arguments.choice("objective", 3, known)


def test_no_memory_is_known_from_any_other_error():
    with pytest.raises((RuntimeError, MemoryError)) as none:
        torch.empty(2**45)
    assert arguments.is_of_memory(none.value) and arguments.is_of_memory(MemoryError())
    assert not arguments.is_of_memory(RuntimeError("shapes do not fit")) and not arguments.is_of_memory(
        ValueError("out of memory")
    )
