"""The schedule of arXiv 1509.00519, section 5: stage i has 3^i passes over the data at a rate of 1e-3 10^(-i/7)."""

from __future__ import annotations

from vaecourse import arguments

STAGES = 8
PASSES = sum(3**i for i in range(STAGES))  # 3280


def rates(stages: int = STAGES, epochs: int | None = None) -> list[float]:
    """The learning rate of every pass over the data: of the first ``stages`` stages, or of the first ``epochs`` passes.

    >>> [f"{rate:.2e}" for rate in rates(stages=2)]
    ['1.00e-03', '7.20e-04', '7.20e-04', '7.20e-04']
    >>> len(rates())
    3280
    """
    stages = arguments.count("stages", stages)
    if stages > STAGES:
        raise ValueError(f"stages must be at most {STAGES}, got {stages}.")
    every = [1e-3 * 10 ** (-i / 7) for i in range(stages) for _ in range(3**i)]
    if epochs is None:
        return every
    epochs = arguments.count("epochs", epochs)
    if epochs > len(every):
        raise ValueError(f"epochs must be at most {len(every)}, the passes of {stages} stages, got {epochs}.")
    return every[:epochs]
