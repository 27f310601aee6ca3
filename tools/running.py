"""What other processes do in a folder, as far as Linux tells; elsewhere nothing is known. It needs only Python."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from vaecourse import foreign

PROCESSES = Path("/proc")
WRITES = os.O_WRONLY | os.O_RDWR


def at_work(folder: Path) -> list[str]:
    """The processes that run programs which lie in ``folder``, in sentences."""
    inside = os.fsencode(os.path.join(os.path.realpath(folder), ""))
    found = []
    for process in _others():
        with contextlib.suppress(OSError):  # another user's, or it has ended
            mapped = (line.split(maxsplit=5) for line in (process / "maps").read_bytes().splitlines())
            if any(len(parts) > 5 and parts[5].startswith(inside) for parts in mapped):
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                found.append(f"process {process.name}, {foreign.plain(words.strip(), 100)}")
    return found


def written(folder: Path) -> set[tuple[int, int]]:
    """The files in ``folder`` that a process has open to write, each by its disk and number."""
    inside = os.path.join(os.path.realpath(folder), "")
    found = set()
    for process in _others():
        with contextlib.suppress(OSError):
            for handle in os.listdir(process / "fd"):
                with contextlib.suppress(OSError, ValueError):
                    if os.readlink(process / "fd" / handle).startswith(inside) and _may_write(process, handle):
                        there = os.stat(process / "fd" / handle)
                        found.add((there.st_dev, there.st_ino))
    return found


def _others() -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for name in os.listdir(PROCESSES):
            if name.isdecimal() and int(name) != os.getpid():
                yield PROCESSES / name


def _may_write(process: Path, handle: str) -> bool:
    words = (process / "fdinfo" / handle).read_text(encoding="ascii").split()
    return bool(int(words[words.index("flags:") + 1], 8) & WRITES)
