"""A training beside the page: a piece of work, then whatever has arrived, on the event loop that hears the page.

Whatever comes on another thread (``turns``) waits for the end of a piece.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vaecourse.labs.trainer import one_thread
from vaecourse.labs.turns import one_at_a_time

if TYPE_CHECKING:
    from vaecourse.labs.training_panel import TrainingPanel

MOMENT = 0.02  # seconds from look to look while a training rests, so that it goes at the speed that was asked for
YIELDS = 8  # turns of the loop between two pieces: what a message takes from the socket to the control


async def run(owner: weakref.ref[TrainingPanel], pieces: Iterator[None]) -> None:
    """A piece of work, then whatever else has arrived, until the work is done or the lab is gone.

    A pause ends it here, between two pieces.
    """
    stepped, steps = time.monotonic(), -1
    while (lab := owner()) is not None:
        with one_at_a_time:
            if lab._task is not asyncio.current_task():  # paused by another thread
                return
            try:
                with one_thread():
                    next(pieces)
            except StopIteration:
                return lab.finish()
            except Exception as error:  # noqa: BLE001 - a task has no cell: it must be told in the lab
                return lab.finish(error)
        await _whatever_has_arrived(lab)
        _refresh(lab)
        await _whatever_has_arrived(lab)
        if lab.trainer.steps != steps:
            steps = lab.trainer.steps
            while (rest := lab.rest(stepped)) > 0:  # a pause cancels it
                await asyncio.sleep(min(rest, MOMENT))
                _refresh(lab)
            stepped = time.monotonic()
        del lab


def _refresh(lab: TrainingPanel) -> None:
    with one_at_a_time:
        if lab._task is asyncio.current_task():
            lab.refresh()


async def _whatever_has_arrived(lab: TrainingPanel) -> None:
    """Whatever else has arrived."""
    for _ in range(YIELDS):
        await asyncio.sleep(0)
    while lab.pending:  # a control has moved: its picture comes first
        await asyncio.sleep(0.002)
