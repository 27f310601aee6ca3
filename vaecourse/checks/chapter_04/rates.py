"""04.rates: the signal-to-noise ratio at another M and K."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

from vaecourse.checks.frame import Check


def rate(root: Callable[[float, float, float], float]) -> Callable[..., float]:
    """``root(M ratio, K ratio, sign)`` times the old ratio; sign is +1 for the decoder, -1 for the encoder."""

    @wraps(root)
    def predicted(snr: float, network: str, M: int, K: int, new_M: int, new_K: int) -> float:
        return snr * root(new_M / M, new_K / K, 1.0 if network == "decoder" else -1.0)

    return predicted


def right(snr: float, network: str, M: int, K: int, new_M: int, new_K: int) -> float:
    power = 0.5 if network == "decoder" else -0.5
    return snr * math.sqrt(new_M / M) * (new_K / K) ** power


check = Check(
    "04.rates",
    right,
    praise="sqrt(M K) for the decoder, sqrt(M / K) for the encoder. Two letters, and half of this chapter.",
    cases=lambda: [
        (0.5, "encoder", 1, 16, 4, 64),
        (0.5, "decoder", 1, 16, 4, 64),
        (0.075, "encoder", 1, 64, 8, 8),
        (2.35, "decoder", 2, 32, 3, 500),
        (1.2, "encoder", 5, 10, 5, 1000),
        (0.9, "decoder", 400, 50, 100, 25),
    ],
)


def rated(message: str) -> Callable[[Callable[[float, float, float], float]], Callable[..., float]]:
    """A mistake in the rate."""
    return lambda root: check.mistake(message)(rate(root))


@rated("""Right for the decoder. For the encoder K stands *below*: its mean falls like 1/K and its spread like
    1/sqrt(K), so more K is less signal.""")
def decoder_rate_for_both(m: float, k: float, sign: float) -> float:
    return math.sqrt(m * k)


@rated("""Right for the encoder. The decoder's mean tends to the gradient of log p(x), a constant, so more K is more
    signal.""")
def encoder_rate_for_both(m: float, k: float, sign: float) -> float:
    return math.sqrt(m / k)


@rated("Encoder and decoder are exchanged: it is the encoder that loses signal with K.")
def both_exchanged(m: float, k: float, sign: float) -> float:
    return math.sqrt(m) * k ** (-0.5 * sign)


@rated("M stands above for both: it averages whole, independent estimates, and the spread of an average falls.")
def M_below_for_the_encoder(m: float, k: float, sign: float) -> float:
    return (m * k) ** (0.5 * sign)


@rated("The roots are missing. The standard deviation of a mean falls with the *root* of the number of terms.")
def without_the_roots(m: float, k: float, sign: float) -> float:
    return m * k**sign


@rated("K is right, and M is missing: averaging M estimates multiplies the ratio by sqrt(M).")
def M_forgotten(m: float, k: float, sign: float) -> float:
    return k ** (0.5 * sign)


@rated("""Right for the decoder. Your ratio of the encoder falls like 1/K, which is the fall of its *mean*. Its spread
    falls too, like 1/sqrt(K), and 1/sqrt(K) is left for the ratio.""")
def encoder_noise_forgotten(m: float, k: float, sign: float) -> float:
    return math.sqrt(m * k) if sign > 0 else math.sqrt(m) / k


@rated("Right for the encoder. K helps the decoder too: its mean stays, and its spread falls like 1/sqrt(K).")
def decoder_noise_forgotten(m: float, k: float, sign: float) -> float:
    return math.sqrt(m) if sign > 0 else math.sqrt(m / k)


@check.mistake("You used new_M and new_K only. What counts is new over old: new_M / M and new_K / K.")
def old_M_and_K_forgotten(snr: float, network: str, M: int, K: int, new_M: int, new_K: int) -> float:
    return snr * math.sqrt(new_M * (new_K if network == "decoder" else 1 / new_K))


@rated("New over old, not old over new.")
def upside_down(m: float, k: float, sign: float) -> float:
    return 1 / (math.sqrt(m) * k ** (0.5 * sign))


@check.mistake("This is the factor. Multiply the old ratio by it.")
def old_ratio_forgotten(snr: float, *rest: Any) -> float:
    return right(1.0, *rest)


@rated("""Right for the decoder. For the encoder K stands above and M below in your answer: more groups M are more
    signal, and more K is less.""")
def encoder_upside_down(m: float, k: float, sign: float) -> float:
    return math.sqrt(m * k) if sign > 0 else math.sqrt(k / m)


@rated("K is missing: it multiplies the decoder's ratio by its root and divides the encoder's.")
def K_forgotten(m: float, k: float, sign: float) -> float:
    return math.sqrt(m)


@rated("Two things. M is missing: averaging M estimates multiplies the ratio by sqrt(M). And K goes in by its root.")
def M_forgotten_and_no_root(m: float, k: float, sign: float) -> float:
    return k**sign


@rated("M goes in by its root, and K does not yet: the ratio of both networks goes by the root of K.")
def root_of_M_alone(m: float, k: float, sign: float) -> float:
    return math.sqrt(m) * k**sign


@check.mistake("What stands under your root is cut off to a whole number, as // does. Divide with a single /.")
def whole_number_division(snr: float, network: str, M: int, K: int, new_M: int, new_K: int) -> float:
    factor = new_M * new_K // (M * K) if network == "decoder" else new_M * K // (M * new_K)
    return snr * math.sqrt(factor)


@check.mistake("""This is the order at the new M and K by itself, without the ratio that was measured. The order hides a
    factor; what was measured brings it: old ratio times root of new over old.""")
def order_alone(snr: float, *rest: Any) -> float:
    return old_M_and_K_forgotten(1.0, *rest)


@rated("Right for the decoder. The encoder's ratio does not stay where it is: it goes by the root of M / K.")
def number_of_samples_only(m: float, k: float, sign: float) -> float:
    return 1.0 if sign < 0 else math.sqrt(m * k)
