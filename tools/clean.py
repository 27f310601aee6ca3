"""Removes what the commands of the course have made, and nothing else: ``make clean``.

    python3 -m tools.clean

What somebody else has put into these folders, or changed in one under build/, is moved into kept/ first. It needs only
Python itself.
"""

from __future__ import annotations

import contextlib
import csv
import filecmp
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tools import bootstrap, ending, made

# The folders beside build/ and .venv, and what their programs put into them, by the first part of its way.
CACHES = {
    ".pytest_cache": r"README\.md|CACHEDIR\.TAG|\.gitignore|v",
    ".ruff_cache": r"CACHEDIR\.TAG|\.gitignore|[\d.]+",
    ".mypy_cache": r"CACHEDIR\.TAG|\.gitignore|[\d.]+|missing_stubs",
    ".hypothesis": r"constants|examples|patches|tmp|unicode_data|\.gitignore",
    "vaecourse.egg-info": r"PKG-INFO|(SOURCES|dependency_links|requires|top_level|entry_points)\.txt",
}
ENVIRONMENT = r"pyvenv\.cfg|\.gitignore|\.lock|lib64|CACHEDIR\.TAG|installed-(lab|test)"
PROGRAMS = r"python[\d.]*|pip[\d.]*|activate(\.\w+)?|Activate\.ps1|deactivate\.bat|pydoc\.bat|uvx?"


def clean(root: Path, tell: made.Tell) -> None:
    """Clean the course's folder ``root``."""
    environment(root / ".venv", tell)
    build(root, tell)
    for name, own in CACHES.items():
        remove(root / name, lambda path, own=own: bool(re.fullmatch(own, path.parts[0])), tell)
    for folder in ("vaecourse", "tools", "tests", "benchmarks", "site", "chapters", ".github"):
        bytecode(root / folder)


def environment(folder: Path, tell: made.Tell) -> None:
    """Remove the virtual environment, if a command here has made it or gone on with it, and none is at work on it."""
    with installing(folder.with_name(bootstrap.LOCK)) as who:
        if who:
            tell(f"{folder} stays: {who}. Wait until that has ended.")
        else:
            _environment(folder, tell)


@contextlib.contextmanager
def installing(lock: Path) -> Iterator[str]:
    """Hold the lock of an installation, and remove its file at the end; or say who holds it."""
    try:
        import fcntl

        file = open(lock, encoding="utf-8", errors="replace")
    except (ImportError, FileNotFoundError):
        yield ""
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield file.readline().strip() or "another process is installing the course"
            return
        yield ""
        lock.unlink(missing_ok=True)


def _environment(folder: Path, tell: made.Tell) -> None:
    if not any((folder / f"installed-{what}").is_file() for what in ("lab", "test")) or folder.is_symlink():
        if os.path.lexists(folder):
            tell(f"{folder} stays: `make lab` has not installed the course in it. Remove it yourself if you want to.")
        return
    installed = {path for packages in folder.glob("lib/python*/site-packages") for path in recorded(packages)}
    installed |= set(recorded(folder / "Lib/site-packages"))

    def is_own(path: Path) -> bool:
        if re.fullmatch(ENVIRONMENT, path.parts[0]) or path.suffix in (".pyc", ".pyo"):
            return True
        if path.parts[0] in ("bin", "Scripts") and re.fullmatch(PROGRAMS, path.stem if os.name == "nt" else path.name):
            return True
        return os.path.normpath(folder / path) in installed or any(part.endswith(".dist-info") for part in path.parts)

    remove(folder, is_own, tell)


def recorded(packages: Path) -> list[str]:
    """The files that the installed packages say they have."""
    found = []
    for record in packages.glob("*.dist-info/RECORD"):
        with open(record, encoding="utf-8", newline="") as lines:
            found += [os.path.normpath(packages / row[0]) for row in csv.reader(lines) if row]
    return found


def build(root: Path, tell: made.Tell) -> None:
    """Remove build/: each folder that a command here made, and what setuptools leaves there."""
    folder = root / "build"
    if folder.is_symlink() or not folder.is_dir():
        return
    if busy := made.being_made(folder):
        tell(f"{folder} stays: {busy[0]} is being made there. Wait until that has ended.")
        return
    for room in made.rooms(folder):  # that a kill left
        shutil.rmtree(room)
    strangers = {file for path in folder.iterdir() if path.is_dir() for file in made.strangers(path)}

    def is_own(path: Path) -> bool:
        if len(path.parts) == 1:
            return path.name.startswith(".") and path.name.endswith((".made", ".lock", ".part"))
        return folder / path not in strangers or is_copy(folder / path, folder / path.parts[0], root)

    remove(folder, is_own, tell)


def is_copy(file: Path, folder: Path, root: Path) -> bool:
    """Whether setuptools put the file there: build/lib/vaecourse/x.py is vaecourse/x.py."""
    twin = root / file.relative_to(folder)
    return folder.name.startswith(("lib", "bdist.")) and twin.is_file() and filecmp.cmp(file, twin, shallow=False)


def remove(folder: Path, is_own: Callable[[Path], bool], tell: made.Tell) -> None:
    """Remove ``folder`` after the files in it that are not ``is_own``, by their way from it, were moved aside."""
    if folder.is_symlink() or not folder.is_dir():
        return
    strangers = [path for path in made.walk(folder) if not is_own(path.relative_to(folder))]
    made.move(strangers, folder, folder.parent / made.files.KEPT / folder.name, tell)
    shutil.rmtree(folder)


def bytecode(folder: Path) -> None:
    """Remove what Python compiled, and no other file of a __pycache__."""
    for here, folders, _ in os.walk(folder):
        cache = Path(here, "__pycache__")
        if "__pycache__" in folders and not cache.is_symlink():
            for path in cache.glob("*.py[co]"):
                if path.is_file() or path.is_symlink():
                    path.unlink()
            if not any(cache.iterdir()):
                cache.rmdir()


@ending.told("clean")
def main() -> int:
    clean(made.ROOT, made.tell)
    return 0


if __name__ == "__main__":
    sys.exit(main())
