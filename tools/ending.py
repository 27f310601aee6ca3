"""How a command ends: what went wrong for a reason that a person can mend is a sentence, and Ctrl-C is no traceback."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable


class Refused(Exception):
    """Why a command of the course cannot do what it was asked for."""


def told(command: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Make ``main`` return 1 with a sentence, or 130 after Ctrl-C, where it would raise."""

    def decorate(main: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(main)
        def ending(*arguments: object) -> int:
            for stream in (sys.stdout, sys.stderr):  # a name that the terminal cannot show must not end a command
                with contextlib.suppress(AttributeError, ValueError):
                    stream.reconfigure(errors="backslashreplace")
            try:
                return main(*arguments)
            except KeyboardInterrupt:
                print(f"{command}: stopped", file=sys.stderr)
                return 130
            except (Refused, OSError, ValueError) as error:
                print(f"{command}: {error}", file=sys.stderr)
                return 1

        return ending

    return decorate
