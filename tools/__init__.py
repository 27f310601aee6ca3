"""The commands of the course. Ctrl-C ends one with a word, also while Python still reads what it imports."""

import sys
from types import TracebackType


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write("stopped\n")
    else:
        sys.__excepthook__(kind, error, trace)


if sys.argv[:1] == ["-m"]:  # python -m tools.NAME is what has been started, and not a program that imports this
    sys.excepthook = _end
