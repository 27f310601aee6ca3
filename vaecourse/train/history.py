"""What a training leaves behind: a line for each full epoch, and how it ended."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple


class Epoch(NamedTuple):
    """What one pass over the data left behind: mean bounds in nats, and the seconds it took."""

    train: float
    held_out: float | None
    seconds: float


@dataclass
class History:
    """The full epochs of a run; whether Ctrl-C or the stop button cut the next one short, or the callback ended it."""

    epochs: list[Epoch] = field(default_factory=list)
    interrupted: bool = False
    ended: bool = False

    @property
    def train(self) -> list[float]:
        """The mean bound on the training data during each epoch, in nats."""
        return [epoch.train for epoch in self.epochs]

    @property
    def held_out(self) -> list[float]:
        """The mean bound on the held-out data after each epoch, in nats; empty if there was no held-out data."""
        return [epoch.held_out for epoch in self.epochs if epoch.held_out is not None]

    @property
    def seconds(self) -> list[float]:
        """The seconds each epoch took."""
        return [epoch.seconds for epoch in self.epochs]

    def __repr__(self) -> str:
        last = f", train bound {self.train[-1]:.2f} nats" if self.epochs else ""
        how = ", interrupted" if self.interrupted else ", ended by the callback" if self.ended else ""
        return f"{len(self.epochs)} epochs{last}{how}"

    @contextlib.contextmanager
    def until_interrupted(self) -> Iterator[None]:
        """Ctrl-C ends the block, and the history says so."""
        try:
            yield
        except KeyboardInterrupt:
            self.interrupted = True
