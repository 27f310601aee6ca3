"""Tests of random quantities: a z-score from the sample's own standard error, never a loose tolerance."""

from torch import Tensor


def z_score(samples: Tensor, truth: Tensor | float) -> Tensor:
    """(mean - truth) / standard error over the first axis of independent samples ``[N, ...]``."""
    samples = samples.double()
    return (samples.mean(0) - truth) / (samples.std(0) / len(samples) ** 0.5)


def assert_mean(samples: Tensor, truth: Tensor | float) -> None:
    """The mean of independent samples agrees with the truth: |z| < 4 in every entry."""
    z = z_score(samples, truth)
    assert z.abs().max() < 4, f"z = {z}: mean {samples.mean(0)} against {truth}"


def assert_not_mean(samples: Tensor, wrong: Tensor | float) -> None:
    """The samples tell the truth from a wrong value: |z| > 8 somewhere. Guards a test against having no power."""
    assert z_score(samples, wrong).abs().max() > 8
