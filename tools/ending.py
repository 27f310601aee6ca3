"""How a command ends: what went wrong for a reason that a person can mend is a sentence, and Ctrl-C is no traceback."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path


class Refused(Exception):
    """Why a command of the course cannot do what it was asked for."""


FULL = "The disk is full: make room there, then give the same command again."
NEW = '{}="$(mktemp -d)" before the command'  # a name that nobody else can know and take before
NO_HOME = f"It is in your home folder, where it cannot be made: take a new one, {NEW.format('HOME')}."

STARTUP = "profile_default/startup"  # IPython runs all that lies there


def sentence(error: Exception) -> str:
    """What happened; and what to do, where a place on the disk is the trouble."""
    if not isinstance(error, OSError):
        return str(error)
    full = error.errno in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
    if error.filename is None:  # a sentence of the course's own, or what writing to a file said
        message = error.strerror or str(error)
        return f"{message}. {FULL}" if full and message == os.strerror(error.errno) else message
    message, place = f"{error.filename}: {error.strerror}.", os.path.join(os.path.abspath(str(error.filename)), "")
    if full:
        return f"{message} {FULL}"
    at_home = place.startswith(os.path.join(os.path.expanduser("~"), ""))
    if at_home and error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{message} {NO_HOME}"
    return message


def refuse_a_shared_home() -> None:
    """Raise ``Refused`` where another user can put files that a kernel, or the server that starts it, runs."""
    if not hasattr(os, "getuid"):
        return
    home = Path(os.path.expanduser("~"))
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share", "jupyter")
    for variable, at_first, below in (
        ("HOME", home, ""),
        ("IPYTHONDIR", Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config", "ipython"), STARTUP),
        ("IPYTHONDIR", home / ".ipython", STARTUP),
        ("JUPYTER_CONFIG_DIR", home / ".jupyter", ""),
        ("JUPYTER_DATA_DIR", home / "Library/Jupyter" if sys.platform == "darwin" else data, "kernels/python3"),
        ("JUPYTER_RUNTIME_DIR", Path(os.environ.get("JUPYTER_DATA_DIR") or data, "runtime"), ""),
    ):
        place = Path(os.environ.get(variable) or at_first, below)
        for way in dict.fromkeys((os.path.abspath(place), os.path.realpath(place))):
            if why := not_ours_alone(Path(way)):
                raise Refused(f"{why}, and what lies there would run as you: take a new one, {NEW.format(variable)}.")


def not_ours_alone(place: Path) -> str | None:
    """Who else can change what is read in a folder, or make it if it is not there; or any folder above it."""
    above = [folder for folder in (*reversed(place.parents), place) if os.path.isdir(folder)]
    for folder in above:
        found = folder.stat()
        strangers = {folder.lstat().st_uid, found.st_uid} - {0, os.getuid()}
        if strangers:
            return f"{folder} belongs to {_name(strangers.pop())}"
        if found.st_mode & (stat.S_IWOTH | (stat.S_IWGRP if _has_others(found.st_gid) else 0)):
            if folder == above[-1] or not found.st_mode & stat.S_ISVTX:  # in /tmp, what is ours stays ours
                return f"Other users can write to {folder}"
    return None


def _has_others(group: int) -> bool:
    """Whether a group has another user in it than us and root."""
    import grp
    import pwd

    first = {user.pw_name for user in pwd.getpwall() if user.pw_gid == group}
    with contextlib.suppress(KeyError):
        first.update(grp.getgrgid(group).gr_mem)
    return group != 0 and bool(first - {"root", _name(os.getuid())})


def _name(user: int) -> str:
    import pwd

    with contextlib.suppress(KeyError):
        return pwd.getpwuid(user).pw_name
    return f"user {user}"


def reports(command: str) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
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


def say(sentence: str) -> None:
    """Print, and go on if nobody can hear it."""
    try:
        print(sentence, flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")
