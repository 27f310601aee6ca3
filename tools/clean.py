"""Removes what the commands of the course have made, and nothing else: ``make clean``.

    python3 -m tools.clean

What somebody else has put into these folders, or changed in one under build/, is moved into kept/ first. It needs only
Python itself.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import filecmp
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
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
PYTHONS = r"pythonw?[\d.]*(\.exe)?"
HALF = (
    r"METADATA|WHEEL|INSTALLER|REQUESTED|RECORD|direct_url\.json|(entry_points|top_level)\.txt"  # without a RECORD yet
)
SCRIPTS = "import sys, venv; make = venv.EnvBuilder(); what = make.ensure_directories(sys.argv[1]); "
SCRIPTS += "what.bin_path = sys.argv[2]; make.setup_scripts(what)"  # as venv writes them, but into another folder


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
        ours = bootstrap.is_ours(lock.read_bytes()[:200])
        yield ""
        if ours:
            lock.unlink(missing_ok=True)


def _environment(folder: Path, tell: made.Tell) -> None:
    if not any((folder / f"installed-{what}").is_file() for what in ("lab", "test")) or folder.is_symlink():
        if os.path.lexists(folder):
            tell(f"{folder} stays: `make lab` has not installed the course in it. Remove it yourself if you want to.")
        return
    installed: dict[str, Recorded] = {}
    for packages in (*folder.glob("lib/python*/site-packages"), folder / "Lib/site-packages"):
        installed |= recorded(packages)
    scripts = shell_scripts(folder)

    def is_own(path: Path) -> bool:
        file = folder / path
        if path.suffix in (".pyc", ".pyo"):
            return True
        if (said := installed.get(os.path.normpath(file))) is not None:
            return is_as(file, said)
        if len(path.parts) == 1:
            return bool(re.fullmatch(ENVIRONMENT, path.name))
        if len(path.parts) == 2 and path.parts[0] in ("bin", "Scripts"):
            if re.fullmatch(PYTHONS, path.name):
                return file.is_symlink() or not is_script(file)
            return file.is_file() and scripts.get(path.name) == file.read_bytes()
        above = file.parent
        return above.suffix == ".dist-info" and not (above / "RECORD").exists() and bool(re.fullmatch(HALF, path.name))

    remove(folder, is_own, tell)


Recorded = tuple[str, str, float]  # a file's hash and size, and when that was written down


def recorded(packages: Path) -> dict[str, Recorded]:
    """The files that the installed packages say they have."""
    found = {}
    for record in packages.glob("*.dist-info/RECORD"):
        written = record.stat().st_mtime
        with open(record, encoding="utf-8", errors="replace", newline="") as lines:
            for row in csv.reader(lines):
                if row:
                    name, digest, size = [*row, "", ""][:3]
                    found[os.path.normpath(packages / name)] = (digest, size, written)
    return found


def is_as(file: Path, said: Recorded) -> bool:
    """Whether a file is as it was installed. Gigabytes need no sum: who types changes the time, or the size."""
    (digest, size, written), found = said, file.lstat()
    if size.isdigit() and found.st_size != int(size):
        return False
    if found.st_mtime <= written:
        return True
    kind, _, wanted = digest.partition("=")
    if kind not in hashlib.algorithms_guaranteed or file.is_symlink():
        return found.st_mtime <= written + 2
    with open(file, "rb") as content:
        found_sum = hashlib.file_digest(content, kind).digest()
    return base64.urlsafe_b64encode(found_sum).rstrip(b"=").decode() == wanted


def is_script(file: Path) -> bool:
    with open(file, "rb") as content:
        return content.read(2) == b"#!"


def shell_scripts(folder: Path) -> dict[str, bytes]:
    """``activate`` and its like as the Python of an environment writes them there; none where it can do so no more."""
    pythons = (folder / "bin/python", folder / "Scripts/python.exe")
    python = next((path for path in pythons if path.is_file() and not is_script(path)), None)
    if python is None:
        return {}
    with tempfile.TemporaryDirectory() as made_again:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            command = [python, "-I", "-S", "-c", SCRIPTS, folder, made_again]
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        return {path.name: path.read_bytes() for path in Path(made_again).iterdir() if path.is_file()}


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
            return is_note(folder / path)
        return folder / path not in strangers or is_copy(folder / path, folder / path.parts[0], root)

    remove(folder, is_own, tell)


def is_note(file: Path) -> bool:
    """Whether a file in build/ is a list of what was made, a lock, or what a kill left of writing one."""
    if not file.name.startswith(".") or file.is_symlink():
        return False
    if file.suffix == ".made":
        with contextlib.suppress(ValueError):
            return isinstance(json.loads(file.read_bytes() or "{}"), (dict, list))
    if file.suffix == ".lock":
        return made.files.is_lock(file)
    return bool(re.fullmatch(r"\..+\.[0-9a-f]{8}\.part", file.name))


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
