"""Removes what the commands of the course have made, and nothing else: ``make clean``.

    python3 -m tools.clean

What is not known as made here is moved into kept/ first; what somebody put into a __pycache__ of the course stays.
A file is known by a list (tools/made.py's, or a package's RECORD), by what is in it, or, in the cache of a program, by
a name that only the program would give it. It needs only Python itself.
"""

from __future__ import annotations

import contextlib
import errno
import filecmp
import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from tools import bootstrap, ending, made, packages, running

# The folders beside build/ and .venv, and how their programs name what they put into them.
CACHES = {
    ".pytest_cache": r"v/cache/(lastfailed|nodeids|stepwise)",
    ".ruff_cache": r"[\d.]+/\d+",
    ".mypy_cache": r"3\.\d+/cache(\.\d+)?\.db(-journal|-wal|-shm)?|missing_stubs",
    ".deno_cache": r"\w+_cache_v\d+(-shm|-wal|-journal)?",
    ".hypothesis": r"constants/\w{16}|examples/\w{16}/\w{16}|unicode_data/[\d.]+/[\w-]+\.json\.gz|tmp/tmp\w{8}",
}
WRITTEN = {  # the sha256 of the texts that they put there, and venv and uv into an environment
    "73fd6fccdd802c419a6b2d983d6c3173b7da97558ac4b589edec2dfe443db9ad",  # pytest's README.md
    "3ed731b65d06150c138e2dadb0be0697550888a6b47eb8c45ecc9adba8b8e9bd",  # its .gitignore
    "37dc88ef9a0abeddbe81053a6dd8fdfb13afb613045ea1eb4a5c815a74a3bde4",  # its CACHEDIR.TAG
    "9e3a60f1e6ec4ae60215c11d54b171392745ec25e9dded433d5bd921363af316",  # ruff's .gitignore
    "5953156d7e0c564a427251316eaf26f8870e6483ae2197f916b630e4f93e31ae",  # its CACHEDIR.TAG, and uv's
    "6a69da670d11530d37f0f0cfdc7bed30b78ea6434e24f7a73208b982e29d322c",  # mypy's .gitignore
    "f1c13afc555358c9033b0f1f30aaa177fe88bda40f4b8a24598400d547876adc",  # its CACHEDIR.TAG
    "41e7ed0dbc23047cfa33374b5909f7b3c7875663fec73abdd23a22518567754a",  # hypothesis's .gitignore
    "36692e1840f82f75adce103fd03e65b1eaa35f798c885b3b545e3abc14ffcbf0",  # venv's .gitignore, since Python 3.13
    "684888c0ebb17f374298b65ee2807526c066094c701bcc7ebbe1c1095f494fc1",  # uv's
}
LONGEST = 10_000  # bytes, more than any of these has
EMPTY = rf"\.lock|installed-(lab|test)|{bootstrap.BEGUN}"  # in an environment
PYTHONS = r"pythonw?[\d.]*(\.exe)?"
COMPILED = re.compile(r"(.+)\.(?:cpython-\d+|pypy\d+-pp\d+)(?:\.opt-[12])?(?:-pytest-[\w.]+)?\.pyc")
SCRIPTS = "import sys, venv; make = venv.EnvBuilder(); what = make.ensure_directories(sys.argv[1]); "
SCRIPTS += "what.bin_path = sys.argv[2]; make.setup_scripts(what)"  # as venv writes them, but into another folder


def clean(root: Path, tell: made.Tell) -> None:
    """Clean the course's folder ``root``. Raises ``Refused`` where something runs that needs its .venv."""
    if uses := made.uses(root) or running.at_work(root / ".venv"):
        raise ending.Refused(
            f"nothing is removed, for what lies here is needed by {uses[0]}. End that first, then again."
        )
    environment(root / ".venv", tell)
    build(root, tell)
    for name, form in CACHES.items():
        cache = root / name
        is_own = lambda path, cache=cache, form=form: bool(re.fullmatch(form, path.as_posix())) or is_text(cache / path)
        remove(cache, is_own, tell)
    wheels(root, tell)
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

        file = made.files.opened(lock)
    except (ImportError, FileNotFoundError):
        yield ""
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield file.read(200).decode(errors="replace").strip() or "another process is installing the course"
            return
        ours = bootstrap.is_ours(file.read(200))
        yield ""
        if ours:
            lock.unlink(missing_ok=True)


def _environment(folder: Path, tell: made.Tell) -> None:
    stamps = ("installed-lab", "installed-test", bootstrap.BEGUN)
    if not any((folder / stamp).is_file() for stamp in stamps) or folder.is_symlink():
        if os.path.lexists(folder):
            tell(f"{folder} stays: no command here began it or installed the course in it. You may remove it yourself.")
        return
    installed: dict[str, packages.Recorded] = {}
    for place in (*folder.glob("lib/python*/site-packages"), folder / "Lib/site-packages"):
        installed |= packages.recorded(place)
    scripts = shell_scripts(folder)

    def is_own(path: Path) -> bool:
        file = folder / path
        if packages.is_packaged(file, installed) or is_bytecode(file):
            return True
        if len(path.parts) == 1:
            return is_of_environment(file)
        if len(path.parts) == 2 and path.parts[0] in ("bin", "Scripts"):
            if re.fullmatch(PYTHONS, path.name):
                return file.is_symlink() or not is_script(file)
            return file.is_file() and scripts.get(path.name) == file.read_bytes()
        return False

    remove(folder, is_own, tell)


def is_of_environment(file: Path) -> bool:
    """Whether venv, uv or the course has put a file into the folder of an environment itself."""
    if file.is_symlink():
        return file.name == "lib64"
    if file.name == "pyvenv.cfg":
        lines = content(file).decode("utf-8", "replace").splitlines()
        return file.stat().st_size < LONGEST and all(re.fullmatch(r"[\w-]+ = .*", line) for line in lines)
    return is_text(file) or (file.stat().st_size == 0 and bool(re.fullmatch(EMPTY, file.name)))


def is_text(file: Path) -> bool:
    """Whether a file is one of the texts that programs put beside what they make, as they write it."""
    return not file.is_symlink() and hashlib.sha256(content(file)).hexdigest() in WRITTEN


def content(file: Path, most: int = LONGEST) -> bytes:
    """What is in a file, or how it begins."""
    with made.files.opened(file) as opened:
        return opened.read(most)


def package(folder: Path, tell: made.Tell) -> None:
    """Remove the ``.dist-info`` folder of a package that is half installed."""
    installed = packages.recorded(folder.parent, folder.name)
    remove(folder, lambda path: packages.is_packaged(folder / path, installed), tell, made.KEPT / folder.name)


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
    lists = {path.name: made.as_left(path) for path in folder.iterdir() if path.is_dir()}

    def is_own(path: Path) -> bool:
        if len(path.parts) == 1:
            return is_note(folder / path)
        is_as_left = lists.get(path.parts[0], lambda _: False)
        return is_as_left(folder / path) or is_copy(folder / path, folder / path.parts[0], root)

    remove(folder, is_own, tell)


def is_note(file: Path) -> bool:
    """Whether a file in build/ is a list of what was made, a lock, or what a kill left of writing one."""
    if not file.name.startswith(".") or file.is_symlink():
        return False
    if file.suffix == ".made":
        return made.is_list(file)
    if file.suffix == ".lock":
        return made.files.is_lock(file)
    part = re.fullmatch(r"\.\..+\.made\.[0-9a-f]{8}\.part", file.name)
    return part is not None and (file.stat().st_size == 0 or made.is_list(file))


def is_copy(file: Path, folder: Path, root: Path) -> bool:
    """Whether setuptools put the file there: build/lib/vaecourse/x.py is vaecourse/x.py."""
    twin = root / file.relative_to(folder)
    return folder.name.startswith(("lib", "bdist.")) and twin.is_file() and filecmp.cmp(file, twin, shallow=False)


def wheels(root: Path, tell: made.Tell) -> None:
    """Remove what `make wheel` left beside dist/: it is in the archive there, too."""
    packed = set()
    for archive in (root / "dist").glob("*.tar.gz"):
        with contextlib.suppress(OSError, EOFError, zlib.error, tarfile.TarError), tarfile.open(archive) as members:
            for member in members:
                if member.isfile() and ".egg-info/" in member.name:
                    packed.add((member.name.partition("/")[2], members.extractfile(member).read()))
    folder = root / "vaecourse.egg-info"
    remove(folder, lambda path: (f"{folder.name}/{path.as_posix()}", content(folder / path, 10**7)) in packed, tell)


def remove(folder: Path, is_own: Callable[[Path], bool], tell: made.Tell, kept: Path | None = None) -> None:
    """Remove ``folder`` after the files in it that are not ``is_own``, by their way from it, were moved aside.

    A program may save there meanwhile: so no file is removed but one that is as it was when it was looked at, and none
    that a program has open to write.
    """
    if folder.is_symlink() or not folder.is_dir():
        return
    kept = kept or folder.parent / made.files.KEPT / folder.name
    for turn in range(TURNS):
        ours: dict[Path, Stamp] = {}
        strangers, written = [], running.written(folder)
        for path in made.walk(folder):
            with contextlib.suppress(FileNotFoundError):  # its program has removed it
                found = _stamp(path)  # before the look at what is in it
                if is_other(path) or _place(path) in written or not is_own(path.relative_to(folder)):
                    strangers.append(path)
                else:
                    ours[path] = found
        made.move(strangers, folder, kept.with_name(f"{kept.name}-{turn}") if turn else kept, tell)
        _remove(ours, folder, kept.with_name(f"{kept.name}-saved-{turn}"), tell)
        try:
            return _remove_empty(folder)
        except OSError as failure:
            if failure.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    raise ending.Refused(f"{folder} stays, for a program writes there all the time: end that, then again.")


TURNS = 20
Stamp = tuple[int, int, int]


def _stamp(path: Path) -> Stamp:
    """By what a save is seen, whatever the name of the file is meanwhile."""
    found = path.lstat()
    return found.st_size, found.st_mtime_ns, found.st_ino


def _place(path: Path) -> tuple[int, int]:
    """The disk and the number of a file."""
    found = path.lstat()
    return found.st_dev, found.st_ino


def _remove(ours: dict[Path, Stamp], folder: Path, kept: Path, tell: made.Tell) -> None:
    """Remove files that are as they were; each is taken out of its place first, where a program would save it."""
    going = Path(tempfile.mkdtemp(prefix=".going-", dir=folder))  # a kill leaves one file in it, for the next to keep
    one, saved = going / "one", going / "saved"
    for path, before in ours.items():
        with contextlib.suppress(FileNotFoundError):
            os.rename(path, one)
            if _stamp(one) == before:
                one.unlink()
            else:
                place = saved / path.relative_to(folder)
                place.parent.mkdir(parents=True, exist_ok=True)
                os.rename(one, place)
    made.move(list(made.walk(saved)), saved, kept, tell, folder)
    _remove_empty(going)


def _remove_empty(folder: Path) -> None:
    """Remove a folder in which there is no file. Raises ``OSError`` if there is one."""
    for here, *_ in os.walk(folder, topdown=False):
        os.rmdir(here)


def is_other(path: Path) -> bool:
    """Whether it is a pipe, a socket or a device: no command here makes one, and reading it may never end."""
    kind = path.lstat().st_mode
    return not stat.S_ISREG(kind) and not stat.S_ISLNK(kind)


def is_bytecode(file: Path) -> bool:
    """Whether Python compiled it from a source that lies there still: by its name, and how all that begins."""
    found = COMPILED.fullmatch(file.name)
    if found is None or file.parent.name != "__pycache__" or file.is_symlink():
        return False
    return (file.parent.parent / f"{found[1]}.py").is_file() and content(file, 4)[2:] == b"\r\n"


def bytecode(folder: Path) -> None:
    """Remove what Python compiled, and no other file of a __pycache__."""
    for here, folders, _ in os.walk(folder):
        cache = Path(here, "__pycache__")
        if "__pycache__" in folders and not cache.is_symlink():
            for path in list(cache.iterdir()):
                if path.is_file() and is_bytecode(path):
                    path.unlink()
            if not any(cache.iterdir()):
                cache.rmdir()


@ending.reports("clean")
def main() -> int:
    clean(made.ROOT, made.tell)
    return 0


if __name__ == "__main__":
    sys.exit(main())
