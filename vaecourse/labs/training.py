"""The frame of a lab that trains while its controls are turned.

.. code-block:: python

    class BoundTrainer(Trainer):                        # what is trained, without any widget: seeded, saved, tested
        columns = ["bound"]
        def backward(self, x, settings): ...       # fill .grad of the loss under the controls as they stand
        def measure(self, settings): yield; ...; return [value]   # in pieces; the numbers of ``columns``

    class LatentSpace(Training):
        controls, presets, stills = ...            # as in every lab
        def begin(self, seed): return BoundTrainer(...) # untrained
        def look(self, trainer, settings): ...     # -> what ``update`` and ``sentence`` need; a few milliseconds

The training lives on the event loop that hears the page: a piece of work, a few milliseconds long, then whatever has
arrived, then the next piece. It makes no thread, so nothing can outlive the kernel. benchmarks/live.py has the
measurement behind this choice. JupyterLab hears its widgets on a thread that the kernel keeps for them (a subshell),
and cells run on another: hence a lab does one thing at a time, and who comes second waits for the end of a piece.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

from vaecourse.labs.frame import Experiment
from vaecourse.labs.trainer import Settings, Trainer, digits, one_thread
from vaecourse.labs.training_panel import TrainingPanel

__all__ = ["Settings", "Trainer", "Training", "TrainingPanel", "digits"]


class Training(Experiment):
    """An experiment that trains: ``still_steps`` for a picture without a kernel, ``trained_steps`` for a deck."""

    still_steps: ClassVar[int] = 200
    trained_steps: ClassVar[int] = 200

    def begin(self, seed: int) -> Trainer:
        """An untrained trainer."""
        raise NotImplementedError

    def look(self, trainer: Any, settings: Settings) -> Any:
        """What the picture and the sentence need, from the state as it is. Leaves it as it is."""
        raise NotImplementedError

    def compute(self, trainer: Trainer | None = None, **settings: Any) -> Any:
        """What ``look`` sees in ``trainer``; without one, in one that trained ``still_steps`` steps from seed 0."""
        if trainer is None:
            trainer = self.trained(settings, self.still_steps)
        return self.look(trainer, settings)

    def trained(self, settings: Settings, steps: int) -> Trainer:
        """One that has trained so many steps from seed 0. It is shared: go on from it, and leave it as it is."""
        return _trained(type(self), steps, tuple(sorted(settings.items())))  # type: ignore[arg-type]

    def live(self) -> TrainingPanel:
        return TrainingPanel(self)


@lru_cache(maxsize=8)
def _trained(experiment: type[Training], steps: int, settings: tuple[tuple[str, Any], ...]) -> Trainer:
    with one_thread():
        return experiment().begin(0).train(dict(settings), steps)
