"""The experiments: one file each, whose ``TABLE`` has the name of the file. A file that is put here is found."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping

from vaecourse.reproduce.table import Table


class Tables(Mapping[str, Table]):
    """``"iwae"`` -> the ``TABLE`` of ``iwae.py``; a file is read when its table is first asked for."""

    def __getitem__(self, name: str) -> Table:
        if name not in self:
            raise KeyError(f"There is no experiment {name!r}, only {', '.join(self)}.")
        table: Table = importlib.import_module(f"{__name__}.{name}").TABLE
        if table.name != name:
            raise ValueError(f"The experiment in {name}.py must have the name {name!r}, got {table.name!r}.")
        return table

    def __contains__(self, name: object) -> bool:
        return name in _names()  # Mapping's own would read the file

    def __iter__(self) -> Iterator[str]:
        return iter(_names())

    def __len__(self) -> int:
        return len(_names())


def _names() -> list[str]:
    """The experiments that there are, by their files."""
    return sorted(found.name for found in pkgutil.iter_modules(__path__))


ALL = Tables()
