"""One thing at a time in the labs of a kernel.

JupyterLab has a widget heard on a thread that the kernel keeps for them (a subshell), or on the one on which cells run:
the values of a slider came on the former, the click on "Reset" on the latter. Hence whoever comes second waits until
the first has done: a setting, its picture and its sentence are never of two.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

one_at_a_time = threading.RLock()  # whoever holds it has the labs for himself


def in_turn(method: Callable[..., Any]) -> Callable[..., Any]:
    """The same method, which first waits until no other thread is in one of them."""

    @functools.wraps(method)
    def when_free(*args: Any, **settings: Any) -> Any:
        with one_at_a_time:
            return method(*args, **settings)

    return when_free
