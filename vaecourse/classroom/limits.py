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
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Calls:
    """The numbers of the calls that are refused, on one kind of processor."""

    arch: int
    clone: int
    fcntl: int
    ioctl: int
    prlimit: int
    opens: dict[int, int]  # and which argument has the flags
    refused: tuple[int, ...]


CALLS = {  # of the two kinds of processor that Linux people have
    "x86_64": Calls(
        arch=0xC000003E,
        clone=56,
        fcntl=72,
        ioctl=16,
        prlimit=302,
        opens={2: 1, 257: 2},
        refused=(
            *(41, 57, 58, 59, 62, 101, 165, 200, 234, 272, 298, 310, 311, 321, 322, 424, 425, 434),
            *(129, 297),
            *(76, 90, 91, 92, 93, 94, 132, 188, 189, 190, 197, 198, 199, 235, 260, 261, 268, 280, 304, 452, 463, 466),
            *(141, 142, 144, 203, 251, 256, 279, 314),
            *(29, 30, 31, 64, 65, 66, 68, 69, 70, 71, 220, 240, 241, 248, 249, 250),
        ),
    ),
    "aarch64": Calls(
        arch=0xC00000B7,
        clone=220,
        fcntl=25,
        ioctl=29,
        prlimit=261,
        opens={56: 2},
        refused=(
            *(40, 97, 117, 129, 130, 131, 198, 221, 241, 270, 271, 280, 281, 424, 425, 434),
            *(138, 240),
            *(5, 6, 7, 14, 15, 16, 45, 52, 53, 54, 55, 88, 265, 452, 463, 466),
            *(30, 118, 119, 122, 140, 238, 239, 274),
            *(180, 181, 186, 187, 188, 189, 190, 191, 192, 193, 194, 195, 196, 217, 218, 219),
        ),
    ),
}
# A line each: socket, fork, vfork, execve, kill, ptrace, mount, tkill, tgkill, unshare, perf_event_open,
# process_vm_readv, _writev, bpf, execveat, pidfd_send_signal, io_uring_setup, pidfd_open: no process, no network, no
# look into another process. Signals with a word: rt_sigqueueinfo, rt_tgsigqueueinfo. What Landlock lets pass: truncate,
# and all that sets mode, owner, attributes and times of a file; open_by_handle_at. Priority, processors and pages of
# another process. What processes share by a key: memory, semaphores, messages, the keyring.
CLONE3, OPENAT2, THREAD = 435, 437, 0x10000
SENDS = (8, 10, 15)  # fcntl: whom a file signals, and by which signal
# ioctl: is it a terminal, how large is it, how much is there to read; FIOCLEX, FIONCLEX, FIONBIO
ASKS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
TRUNCATES, OPENING = 0x200, 0x203  # O_TRUNC, with O_ACCMODE: to empty a file that is opened for no writing
LOAD, AND, EQUAL, SET, ABOVE, RETURN = 0x20, 0x54, 0x15, 0x45, 0x35, 0x06  # of the filter's language
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


Step = tuple[int, int, int, int]  # code, steps to jump if true, if false, value
NO: Step = (RETURN, 0, 0, REFUSE | errno.EPERM)
ALLOWED: Step = (RETURN, 0, 0, ALLOW)


def _filter(calls: Calls) -> list[Step]:
    steps = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, calls.arch), NO, (LOAD, 0, 0, 0)]
    steps += [(ABOVE, 0, 1, 0x40000000), NO]  # the calls of x32
    for number in calls.refused:
        steps += [(EQUAL, 0, 1, number), NO]
    for number in (CLONE3, OPENAT2):  # then a thread is made by clone, a file opened by open
        steps += [(EQUAL, 0, 1, number), (RETURN, 0, 0, REFUSE | errno.ENOSYS)]
    steps += [(EQUAL, 0, 3, calls.clone), (LOAD, 0, 0, 16), (SET, 1, 0, THREAD), NO]
    for number, argument in calls.opens.items():
        steps += _where(number, argument, {TRUNCATES: NO, OPENING: NO}, ALLOWED, mask=OPENING)
    steps += _where(calls.fcntl, 1, dict.fromkeys(SENDS, NO), ALLOWED)
    steps += _where(calls.ioctl, 1, dict.fromkeys(ASKS, ALLOWED), NO)
    steps += _where(calls.prlimit, 0, {0: ALLOWED}, NO)  # of this very process
    return [*steps, ALLOWED]


def _where(number: int, argument: int, ends: dict[int, Step], else_: Step, mask: int = 0xFFFFFFFF) -> list[Step]:
    """A call of this number ends by one of its arguments, whose lower half the system looks at."""
    steps = [(LOAD, 0, 0, 16 + 8 * argument), (AND, 0, 0, mask)]
    for value, end in ends.items():
        steps += [(EQUAL, 0, 1, value), end]
    return [(EQUAL, 0, len(steps) + 1, number), *steps, else_]


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
