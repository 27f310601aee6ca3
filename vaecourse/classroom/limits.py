"""What the process of one answer may use: seconds, memory, sizes of files; on Linux also what it may ask the system.

No sandbox against malice: what an answer can read, it reads. docs/class.md has a container's command, which is one.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import struct
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

MEMORY = 1 << 30  # bytes, beside what Python and torch have taken before the answer begins
FILE = 10 << 20  # bytes of the largest file
FILES = 64  # that are open at once
PROCESSES = 64  # beside those that the user has, where the system cannot forbid them one by one


def lower(seconds: float, folder: str) -> None:
    """Limit this process, for good: it may write below ``folder`` only, where the system can hold it to that."""
    if resource is None:
        return
    of_files()
    at_most(resource.RLIMIT_CPU, int(seconds) + 1, room=1)
    with contextlib.suppress(OSError, ValueError):  # macOS has no /proc, and no such limit that holds
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        at_most(resource.RLIMIT_AS, pages * os.sysconf("SC_PAGE_SIZE") + MEMORY)
    _writes_below(folder)
    if not _asks_for_little():
        with contextlib.suppress(OSError, ValueError, AttributeError):
            at_most(resource.RLIMIT_NPROC, _threads_of_the_user() + PROCESSES)


def of_files() -> None:
    """Limit how many files this process has open, and how long they get."""
    if resource is not None:
        at_most(resource.RLIMIT_CORE, 0)
        at_most(resource.RLIMIT_FSIZE, FILE)
        at_most(resource.RLIMIT_NOFILE, FILES)


def at_most(what: int, value: int, room: int = 0) -> None:
    """Set a limit, and the hard one ``room`` above it, or leave a lower one that is there."""
    hard = resource.getrlimit(what)[1]
    above = value + room if hard == resource.RLIM_INFINITY else min(value + room, hard)
    resource.setrlimit(what, (min(value, above), above))


def _threads_of_the_user() -> int:
    own, found = os.getuid(), 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if process.stat().st_uid == own:
                found += len(os.listdir(process / "task"))
    return found


# Linux: what the system is asked for ---------------------------------------------------------------------------------

CALLS = {  # the number of each call that is refused, on the two kinds of processor that Linux people have
    "x86_64": {
        "arch": 0xC000003E,
        "clone": 56,
        "refused": [41, 57, 58, 59, 62, 101, 165, 200, 234, 272, 298, 310, 311, 321, 322, 424, 425, 434],
    },
    "aarch64": {
        "arch": 0xC00000B7,
        "clone": 220,
        "refused": [40, 97, 117, 129, 130, 131, 198, 221, 241, 270, 271, 280, 281, 424, 425, 434],
    },
}
# socket, fork, vfork, execve, kill, ptrace, mount, tkill, tgkill, unshare, perf_event_open, process_vm_readv, _writev,
# bpf, execveat, pidfd_send_signal, io_uring_setup, pidfd_open: no process, no network, no look into another process.
CLONE3, THREAD = 435, 0x10000
LOAD, EQUAL, SET, ABOVE, RETURN = 0x20, 0x15, 0x45, 0x35, 0x06  # of the filter's language
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2


def _asks_for_little() -> bool:
    """Have Linux refuse this process new processes, programs, the network and others' memory; whether it does."""
    calls = CALLS.get(platform.machine())
    if platform.system() != "Linux" or calls is None:
        return False
    code = b"".join(struct.pack("HBBI", *step) for step in _filter(calls))
    steps = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(steps))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    return bool(prctl(SECCOMP, FILTER, ctypes.create_string_buffer(program, len(program)), 0, 0) == 0)


def _filter(calls: dict[str, object]) -> list[tuple[int, int, int, int]]:
    """The filter's steps: (code, steps to jump if true, if false, value)."""
    refused = calls["refused"]
    assert isinstance(refused, list)
    steps = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, calls["arch"]), (RETURN, 0, 0, REFUSE | errno.EPERM), (LOAD, 0, 0, 0)]
    steps += [(ABOVE, 0, 1, 0x40000000), (RETURN, 0, 0, REFUSE | errno.EPERM)]  # the calls of x32
    for number in refused:
        steps += [(EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE | errno.EPERM)]
    steps += [(EQUAL, 0, 1, CLONE3), (RETURN, 0, 0, REFUSE | errno.ENOSYS)]  # then a thread is made by clone
    steps += [
        (EQUAL, 0, 3, calls["clone"]),
        (LOAD, 0, 0, 16),
        (SET, 1, 0, THREAD),
        (RETURN, 0, 0, REFUSE | errno.EPERM),
    ]
    return [*steps, (RETURN, 0, 0, ALLOW)]  # type: ignore[list-item]


CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
WRITE_FILE = 1 << 1
WRITES = WRITE_FILE | sum(1 << bit for bit in range(4, 13))  # and to remove and make files and folders of every kind


def _writes_below(folder: str) -> bool:
    """Have Linux let this process write below ``folder`` only (Landlock, since 5.13); whether it does."""
    if platform.system() != "Linux" or platform.machine() not in CALLS:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    handled = ctypes.create_string_buffer(struct.pack("Q", WRITES), 8)
    rules = libc.syscall(CREATE_RULESET, handled, ctypes.c_size_t(8), 0)
    if rules < 0:
        return False
    try:
        for path, may in ((folder, WRITES), (os.devnull, WRITE_FILE)):
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            rule = ctypes.create_string_buffer(struct.pack("=Qi", may, place), 12)
            added = libc.syscall(ADD_RULE, rules, 1, rule, 0)
            os.close(place)
            if added != 0:
                return False
        return bool(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0 and libc.syscall(RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)
