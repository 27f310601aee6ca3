"""How a command ends: what went wrong for a reason that a person can mend is a sentence, and Ctrl-C is no traceback."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import sys
from collections.abc import Callable


class Refused(Exception):
    """Why a command of the course cannot do what it was asked for."""


FULL = "The disk is full: make room there, then give the same command again."
NO_HOME = "It is in your home folder, where it cannot be made: name another, HOME=/tmp/home before the command."


def sentence(error: Exception) -> str:
    """What happened; and what to do, where a place on the disk is the trouble."""
    if not isinstance(error, OSError):
        return str(error)
    full = error.errno in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
    if error.filename is None:  # a sentence of the course's own, or what writing to a file said
        said = error.strerror or str(error)
        return f"{said}. {FULL}" if full and said == os.strerror(error.errno) else said
    said, place = f"{error.filename}: {error.strerror}.", os.path.join(os.path.abspath(str(error.filename)), "")
    if full:
        return f"{said} {FULL}"
    at_home = place.startswith(os.path.join(os.path.expanduser("~"), ""))
    if at_home and error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{said} {NO_HOME}"
    return said


def told(command: str) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Make ``main`` return 1 with a sentence, or 130 after Ctrl-C, where it would raise."""

    def decorate(main: Callable[..., int | None]) -> Callable[..., int | None]:
        @functools.wraps(main)
        def ending(*arguments: object) -> int | None:
            for stream in (sys.stdout, sys.stderr):  # a name that the terminal cannot show must not end a command
                with contextlib.suppress(AttributeError, ValueError):
                    stream.reconfigure(errors="backslashreplace")
            try:
                return main(*arguments)
            except KeyboardInterrupt:
                print(f"{command}: stopped", file=sys.stderr)
                return 130
            except (Refused, OSError, ValueError) as error:
                print(f"{command}: {sentence(error)}", file=sys.stderr)
                return 1

        return ending

    return decorate
