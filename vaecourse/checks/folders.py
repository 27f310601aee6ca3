"""The exercises, found in the chapters' folders; the file of one is read when its check is first asked for."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping

from vaecourse.checks.frame import Check


class Exercises(Mapping[str, Check]):
    """``"03.iwae_bound"`` -> the ``check`` of ``chapter_03/iwae_bound.py``.

    The exercises of a chapter come in its folder's ``ORDER``, and those that it does not name after them, by name.
    """

    def __init__(self, folder: Iterable[str]) -> None:
        chapters = sorted(found.name for found in pkgutil.iter_modules(folder) if found.name.startswith("chapter_"))
        self._modules = {
            f"{chapter.removeprefix('chapter_')}.{exercise}": f"vaecourse.checks.{chapter}.{exercise}"
            for chapter in chapters
            for exercise in _exercises(chapter)
        }

    def __getitem__(self, name: str) -> Check:
        if name not in self._modules:
            nearest = difflib.get_close_matches(str(name), self._modules, n=1, cutoff=0.0)[0]
            raise KeyError(f"There is no exercise {name!r}. The nearest name is {nearest!r}.")
        check: Check = importlib.import_module(self._modules[name]).check
        return check

    def __contains__(self, name: object) -> bool:
        return name in self._modules  # Mapping's own would read the file

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


def _exercises(chapter: str) -> list[str]:
    """The names of a chapter's exercises, in their order."""
    package = importlib.import_module(f"vaecourse.checks.{chapter}")
    order = getattr(package, "ORDER", [])
    files = sorted(found.name for found in pkgutil.iter_modules(package.__path__))
    return sorted(files, key=lambda name: order.index(name) if name in order else len(order))
