"""Removes what the commands of the course have made, and nothing else: ``make clean``.

    python3 -m tools.clean

What somebody else has put into these folders, or changed there, is moved into kept/ first. It needs only Python itself.
"""

from __future__ import annotations

import filecmp
import shutil
import sys
from pathlib import Path

from tools import ending, made

CACHES = (".pytest_cache", ".ruff_cache", ".mypy_cache")  # each has a file that says that it is one
HYPOTHESIS = {"constants", "examples", "patches", "tmp", "unicode_data", ".gitignore"}
ENVIRONMENT = {"bin", "etc", "include", "lib", "lib64", "share", "Include", "Lib", "Scripts"}
ENVIRONMENT |= {"pyvenv.cfg", ".gitignore", ".lock", "installed-lab", "installed-test", "CACHEDIR.TAG"}


def clean(root: Path, tell: made.Tell = made.tell) -> None:
    """Clean the course's folder ``root``."""
    environment(root / ".venv", tell)
    build(root, tell)
    for name in CACHES:
        if (root / name / "CACHEDIR.TAG").is_file():
            shutil.rmtree(root / name)
    remove_all_but(root / ".hypothesis", HYPOTHESIS, tell)
    if (root / "vaecourse.egg-info" / "PKG-INFO").is_file():
        shutil.rmtree(root / "vaecourse.egg-info")
    for folder in ("vaecourse", "tools", "tests", "benchmarks", "site", "chapters"):
        bytecode(root / folder)


def environment(folder: Path, tell: made.Tell) -> None:
    """Remove a virtual environment; a folder of that name which is none stays."""
    if folder.is_symlink() or folder.exists() and not (folder / "pyvenv.cfg").is_file():
        tell(f"{folder} stays: it is no virtual environment that was made here.")
    else:
        remove_all_but(folder, ENVIRONMENT, tell)


def build(root: Path, tell: made.Tell) -> None:
    """Remove build/: each folder that a command here made, and what setuptools leaves there."""
    folder = root / "build"
    if folder.is_symlink() or not folder.is_dir():
        return
    strangers = []
    for path in sorted(folder.iterdir()):
        listed = path.name.startswith(".") and path.name.endswith((".made", ".lock", ".part"))
        if path.is_dir() and not path.is_symlink():
            found = made.strangers(path)
            strangers += [file for file in found if not is_copy(file, path, root)]
        elif not listed:
            strangers.append(path)
    remove(folder, strangers, tell)


def is_copy(file: Path, folder: Path, root: Path) -> bool:
    """Whether setuptools put the file there: build/lib/vaecourse/x.py is vaecourse/x.py."""
    twin = root / file.relative_to(folder)
    return folder.name.startswith(("lib", "bdist.")) and twin.is_file() and filecmp.cmp(file, twin, shallow=False)


def remove_all_but(folder: Path, own: set[str], tell: made.Tell) -> None:
    """Remove ``folder``, in which the files and folders named ``own`` are known; what else is in it is moved aside."""
    if folder.is_dir() and not folder.is_symlink():
        remove(folder, [path for path in made.walk(folder) if path.relative_to(folder).parts[0] not in own], tell)


def remove(folder: Path, strangers: list[Path], tell: made.Tell) -> None:
    """Remove ``folder`` after its ``strangers`` were moved aside."""
    made.move(strangers, folder, folder.parent / made.files.KEPT / folder.name, tell)
    shutil.rmtree(folder)


def bytecode(folder: Path) -> None:
    """Remove what Python compiled, and no other file of a __pycache__."""
    for cache in sorted(folder.rglob("__pycache__")):
        for path in cache.glob("*.py[co]"):
            path.unlink()
        if not any(cache.iterdir()):
            cache.rmdir()


@ending.told("clean")
def main() -> int:
    clean(made.ROOT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
