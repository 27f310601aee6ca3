"""A learner's function is called: on copies of the arguments, with the same noise, and for so many seconds only.

Whatever it does there becomes a ``Result``: what it returned or raised, which arguments it changed, whether it printed.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import ctypes
import dis
import inspect
import io
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

SECONDS = 20.0  # for all cases of one check; the slowest solution takes a tenth of a second


class TooLong(BaseException):
    """Thrown into an answer that does not end; ``except Exception`` does not catch it."""


@dataclass(frozen=True)
class Result:
    """What a function did with one case."""

    value: object = None
    error: BaseException | None = None
    changed: tuple[int, ...] = ()  # the arguments, counted from 0, that are not what they were
    printed: bool = False


def results(answer: Callable[..., Any], cases: Sequence[tuple], seconds: float = SECONDS) -> list[Result]:
    """One for each case; after one that took too long, that one again for those that are left."""
    found: list[Result] = []
    here, over, turn = threading.get_ident(), threading.Event(), threading.Lock()
    watcher = threading.Thread(target=_watch, args=(here, seconds, over, turn), daemon=True)
    try:
        watcher.start()
        for case in cases:
            found.append(_result(answer, case))
    except TooLong as late:
        found += [Result(error=late)] * (len(cases) - len(found))
    finally:
        # It can arrive in any call, in these too, and none of them may be left out: the watcher would throw for ever.
        while True:
            try:
                with turn:
                    over.set()
                    _throw(here, None)  # one that was thrown and has not arrived
                watcher.join()
                break
            except TooLong:
                pass
    return found


def _result(answer: Callable[..., Any], case: tuple) -> Result:
    arguments, heard = copy.deepcopy(case), _Heard(sys.stdout)
    with torch.random.fork_rng(devices=[]), contextlib.redirect_stdout(heard):
        torch.manual_seed(0)
        try:
            value = answer(*arguments)
        except (KeyboardInterrupt, TooLong):
            raise
        except BaseException as error:  # noqa: BLE001 - the learner's own code
            return Result(error=error, printed=heard.any)
    changed = tuple(i for i, (a, b) in enumerate(zip(arguments, case)) if not _unchanged(a, b))
    return Result(value, None, changed, heard.any)


class _Heard(io.TextIOBase):
    """Hands on what is printed, and knows that something was."""

    def __init__(self, to: Any) -> None:
        self.to, self.any = to, False

    def write(self, text: str) -> int:
        self.any = True
        return int(self.to.write(text) or 0)


def _unchanged(a: Any, b: Any) -> bool:
    """Whether two arguments hold the same; what is neither numbers nor a collection of them is not looked into."""
    if isinstance(b, Tensor):
        return a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all())
    if isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(_unchanged, a, b))
    if isinstance(b, dict):
        return a.keys() == b.keys() and all(_unchanged(a[key], b[key]) for key in b)
    return True


def _watch(thread: int, seconds: float, over: threading.Event, turn: threading.Lock) -> None:
    """Throw ``TooLong`` into a thread after so many seconds, and again each second while it is caught there."""
    wait = seconds
    while not over.wait(wait):
        with turn:
            if not over.is_set():
                _throw(thread, TooLong)
        wait = 1.0


def _throw(thread: int, error: type[BaseException] | None) -> None:
    """Have ``error`` raised in a thread at its next step; None takes back one that is not raised yet."""
    what = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), what)


@contextlib.contextmanager
def as_at_the_start() -> Iterator[None]:
    """Numbers, gradients and device as a new kernel has them, whatever a cell has set; then again as they were."""
    dtype, gradients = torch.get_default_dtype(), torch.is_grad_enabled()
    with contextlib.ExitStack() as device:
        if torch.empty(0).device.type != "cpu":
            device.enter_context(torch.device("cpu"))
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            torch.set_grad_enabled(gradients)


# What a function is, without a call ----------------------------------------------------------------------------------


# What Python puts before the first line, also where the only lines that use a closure are dead.
SETTING_UP = ("RESUME", "NOP", "CACHE", "MAKE_CELL", "COPY_FREE_VARS")


def is_empty(answer: object) -> bool:
    """Does the function nothing but return None or ``...``, as a stub does?"""
    if not inspect.isfunction(answer):
        return False
    steps = [step for step in dis.get_instructions(answer) if step.opname not in SETTING_UP]
    constants = [step.argval for step in steps if step.opname in ("LOAD_CONST", "RETURN_CONST")]
    only = {step.opname for step in steps} <= {"LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}
    return only and len(constants) == 1 and (constants[0] is None or constants[0] is ...)


def ends_early(answer: object) -> bool:
    """Does a ``return`` of nothing stand before other lines of the function?"""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(answer)))  # type: ignore[arg-type]
    except (OSError, TypeError, SyntaxError):
        return False
    body = getattr(tree.body[0], "body", []) if tree.body else []
    return any(isinstance(line, ast.Return) and _is_nothing(line.value) for line in body[:-1])


def _is_nothing(value: ast.expr | None) -> bool:
    return value is None or isinstance(value, ast.Constant) and value.value in (None, ...)


def from_outside(answer: object) -> list[str]:
    """The names of numbers and tensors that the function uses and does not get."""
    if not inspect.isfunction(answer):
        return []
    codes, names = [answer.__code__], []
    for code in codes:
        codes += [const for const in code.co_consts if inspect.iscode(const)]
        names += [one.argval for one in dis.get_instructions(code) if one.opname == "LOAD_GLOBAL"]  # not x.mean
    return [name for name in dict.fromkeys(names) if isinstance(answer.__globals__.get(name), (int, float, Tensor))]


def argument(answer: object, index: int) -> str:
    """What the function calls its argument."""
    with contextlib.suppress(TypeError, ValueError):
        names = list(inspect.signature(answer).parameters.values())  # type: ignore[arg-type]
        if index < len(names) and names[index].kind is not inspect.Parameter.VAR_POSITIONAL:
            return f"`{names[index].name}`"
    return f"number {index + 1}"
