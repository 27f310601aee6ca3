"""What lies in build/ and is not ours is moved aside and told: by whoever makes a folder there, and by make clean."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import pytest
from _pytest import cacheprovider
from hypothesis import configuration

from tests.chapters.conftest import SAMPLE
from tools import clean, ending, layout, made, mutants, notebooks, screenshots, site, slides, student, temporary, vendor
from vaecourse import files

ROOT = Path(__file__).parents[2]


SUM_OF_X = "sha256=LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE"
COMPILED = "\x2f\x0d\r\n and so on"  # how every file begins that Python has compiled
CACHED = [
    ".deno_cache/check_cache_v2",
    ".deno_cache/lint_incremental_cache_v2-wal",
    ".hypothesis/unicode_data/15.1.0/charmap.json.gz",
    ".hypothesis/unicode_data/15.1.0/codec-v2-utf-8.json.gz",
    ".hypothesis/constants/7cd52fa419184672",
    ".hypothesis/examples/7cd52fa419184672/8d97dc86902b86cf",
    ".mypy_cache/3.11/cache.12.db",
    ".pytest_cache/v/cache/lastfailed",
    ".ruff_cache/0.17.5/16538925855001593263",
]


def pytests_readme():
    """What it puts into its cache; before 9 under another name."""
    files = getattr(cacheprovider, "CACHEDIR_FILES", None)
    return files["README.md"].decode() if files else cacheprovider.README_CONTENT


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course's folder with all that its commands leave behind."""
    monkeypatch.setattr(made, "ROOT", tmp_path)
    monkeypatch.setattr(made, "BUILD", tmp_path / "build")
    monkeypatch.setattr(made, "KEPT", tmp_path / "kept")
    for name in ("slides", "site"):
        with made.building(tmp_path / "build" / name) as folder:
            (folder / "deep").mkdir()
            (folder / "deep/page.html").write_text("made")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    packages = tmp_path / ".venv/lib/python3.11/site-packages"
    write(packages / "torch/x.py", "x")
    write(packages / "torch/__pycache__/x.cpython-311.pyc", COMPILED)
    write(tmp_path / ".venv/bin/torchrun", "x")
    record = f"torch/x.py,{SUM_OF_X},1\n../../../bin/torchrun,,\ntorch-2.dist-info/RECORD,,\n"
    write(packages / "torch-2.dist-info/RECORD", record)
    write(packages / "half-1.dist-info/METADATA", "its installation was stopped")
    write(tmp_path / ".venv/installed-lab", "")
    for name in CACHED:
        write(tmp_path / name, "x")
    write(tmp_path / ".pytest_cache/README.md", pytests_readme())
    write(tmp_path / "vaecourse/a.py", "a = 1")
    write(tmp_path / "vaecourse/__pycache__/a.cpython-311.pyc", COMPILED)
    write(tmp_path / "vaecourse/__pycache__/a.cpython-311-pytest-9.2.0.pyc", COMPILED)
    write(tmp_path / "build/lib/vaecourse/a.py", "a = 1")
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_clean_removes_what_was_made_and_nothing_else(course):
    said = []
    clean.clean(course, said.append)
    assert below(course) == ["vaecourse/a.py"] and said == []


STRANGERS = [
    "build/thesis.txt",
    "build/slides/notes.txt",
    "build/site/deep/deeper/remark.md",
    "build/mine/a.ipynb",
    "build/lib/vaecourse/b.py",
    ".venv/project/main.py",
    ".venv/bin/mytool",
    ".venv/bin/python3.99",
    ".venv/bin/my/activate",
    ".venv/lib/python3.11/site-packages/torch-2.dist-info/notes.txt",
    "build/.mine.part",
    "build/.my.lock",
    "build/.my.made",
    ".venv/lib/python3.11/site-packages/mine.py",
    ".venv/share/overrides.json",
    ".pytest_cache/notes.txt",
    "vaecourse.egg-info/notes.txt",
    ".hypothesis/notes.txt",
    ".pytest_cache/v/notes.txt",
    ".pytest_cache/README.md",
    ".mypy_cache/3.11/notes.txt",
    ".ruff_cache/0.1/notes.txt",
    ".deno_cache/notes.txt",
    ".deno_cache/npm/notes.txt",
    ".ruff_cache/.gitignore",
    ".hypothesis/examples/notes.txt",
    "vaecourse.egg-info/requires.txt",
    ".venv/installed-test",
    ".venv/pyvenv.cfg",
    ".venv/lib/python3.11/site-packages/torch/__pycache__/mine.pyc",
    ".venv/lib/python3.11/site-packages/torch/__pycache__/mine.cpython-311.pyc",
    "build/.x.12345678.part",
    "build/..slides.made.12345678.part",
]


@pytest.mark.parametrize("name", STRANGERS)
def test_clean_moves_a_strangers_file_aside_and_says_where(course, name):
    write(course / name, "#!mine")
    said = []
    clean.clean(course, said.append)
    (kept,) = (path for path in (course / "kept").rglob("*") if path.is_file())
    assert kept.read_text() == "#!mine" and kept.name == Path(name).name
    assert len(said) == 1 and any(str(folder) in said[0] for folder in kept.parents)
    assert not (course / name).exists()


@pytest.mark.parametrize("text", ["[1, 2]", '{"a": "b"}', '{"a":[1,2]}', '{"a": [1, 2.5]}', "[]", '{"to do": []}'])
def test_clean_moves_a_strangers_table_aside(course, text):
    """A list of the course's has files with their sizes and times, and is written in one way."""
    write(course / "build/.mine.made", text)
    clean.clean(course, lambda said: None)
    assert [path.read_text() for path in (course / "kept").rglob(".mine.made")] == [text]


@pytest.mark.parametrize("name", ["mine.pyc", "mine.cpython-311.pyc", "a.cpython-312.pyc", "a.cpython-311.pyo"])
def test_clean_leaves_what_python_has_not_compiled_from_a_source_here(course, name):
    mine = write(course / "vaecourse/__pycache__" / name, "my words" if name.startswith("a") else COMPILED)
    before = mine.read_bytes()
    clean.clean(course, lambda said: pytest.fail(said))
    assert mine.read_bytes() == before and below(mine.parent) == [name]


def test_clean_removes_what_make_wheel_left_and_keeps_what_somebody_changed_there(course):
    with tarfile.open(write(course / "dist/vaecourse-1.tar.gz", ""), "w:gz") as archive:
        for name in ("PKG-INFO", "requires.txt"):
            archive.add(write(course / "vaecourse.egg-info" / name, name), f"vaecourse-1/vaecourse.egg-info/{name}")
    write(course / "vaecourse.egg-info/requires.txt", "mine too")
    clean.clean(course, lambda said: None)
    assert [path.read_text() for path in (course / "kept").rglob("*") if path.is_file()] == ["mine too"]
    assert not (course / "vaecourse.egg-info").exists()


@pytest.mark.pinned
def test_clean_knows_what_the_pinned_tools_put_into_their_caches(tmp_path):
    mypy = pytest.importorskip("mypy.build")
    mypy.add_catch_all_gitignore(str(tmp_path))
    mypy.exclude_from_backups(str(tmp_path))
    ruff = Path(sys.executable).with_name("ruff")
    (tmp_path / "x.py").touch()
    subprocess.run([ruff, "check", "--quiet", "--cache-dir", tmp_path / "ruff", tmp_path / "x.py"], check=True)
    texts = [path.read_bytes() for path in tmp_path.rglob("[C.]*") if path.is_file()]
    texts += [*cacheprovider.CACHEDIR_FILES.values(), configuration._GITIGNORE_STRING.encode()]
    assert len(texts) == 8 and {hashlib.sha256(text).hexdigest() for text in texts} <= clean.WRITTEN


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes")
@pytest.mark.parametrize("name", ["build/.x.made", "build/.x.lock", ".venv.lock", ".pytest_cache/pipe"])
def test_clean_waits_for_no_pipe(course, name):
    os.mkfifo(course / name)
    program = "import sys; from pathlib import Path; from tools import clean; clean.clean(Path(sys.argv[1]), print)"
    subprocess.run([sys.executable, "-c", program, course], cwd=ROOT, capture_output=True, timeout=30)


def test_clean_keeps_what_somebody_changed(course):
    write(course / "build/slides/deep/page.html", "made, and mended by hand")
    clean.clean(course, lambda said: None)
    (kept,) = (path for path in (course / "kept").rglob("*") if path.is_file())
    assert kept.read_text() == "made, and mended by hand" and not (course / "build").exists()


@pytest.mark.parametrize("name", ["bin/activate", "lib/python3.11/site-packages/torch/x.py", "bin/torchrun"])
@pytest.mark.parametrize("how", ["more", "as long"])
def test_clean_keeps_what_somebody_changed_in_the_environment(course, name, how):
    path = course / ".venv" / name
    text = path.read_text()
    write(path, text + "\nexport MINE=1\n" if how == "more" else text[:-1] + "#")
    os.utime(path, (time.time() + 10,) * 2)  # a tick of the clock later
    (course / ".venv/installed-lab").touch()  # `make test` since
    before, said = path.read_text(), []
    clean.clean(course, said.append)
    (kept,) = (path for path in (course / "kept").rglob("*") if path.is_file())
    assert kept.read_text() == before and "Moved to" in said[0] and not (course / ".venv").exists()


def test_clean_knows_what_was_only_copied(course):
    """All its files are newer than their list, and the same."""
    for path in (course / ".venv").rglob("*.py"):
        os.utime(path, (time.time() + 100,) * 2)
    clean.clean(course, lambda said: pytest.fail(said))
    assert not (course / ".venv").exists()


def test_clean_removes_what_a_kill_left_of_the_courses_own_notes(course):
    for name, text in ((".slides.lock", ""), ("..slides.made.0123abcd.part", ""), (".gone.made", "{}")):
        write(course / "build" / name, text)
    clean.clean(course, lambda said: pytest.fail(said))
    assert not (course / "build").exists()


def test_clean_leaves_links_a_folder_that_is_no_environment_and_strange_caches(course, tmp_path_factory):
    elsewhere = write(tmp_path_factory.mktemp("elsewhere") / "data.txt", "mine")
    (course / "build/site/link").symlink_to(elsewhere.parent)
    (course / ".venv/installed-lab").unlink()
    write(elsewhere.parent / "important.pyc", "mine")
    (course / "tools").mkdir()
    (course / "tools/__pycache__").symlink_to(elsewhere.parent)
    (course / ".mypy_cache").rename(course / "cache")
    (course / ".mypy_cache").symlink_to(elsewhere.parent)
    write(course / "chapters/__pycache__", "a file")
    write(course / "vaecourse/__pycache__/notes.txt", "mine")
    write(course / "my.egg-info/notes.txt", "mine")
    write(course / "project/__pycache__/x.pyc", "another project's")
    said = []
    clean.clean(course, said.append)
    assert below(elsewhere.parent) == ["data.txt", "important.pyc"]
    assert any(".venv stays" in line for line in said) and (course / ".venv/pyvenv.cfg").exists()
    for name in ("vaecourse/__pycache__/notes.txt", "my.egg-info/notes.txt"):
        assert (course / name).read_text() == "mine"
    assert (course / "project/__pycache__/x.pyc").exists()


def test_clean_leaves_a_folder_that_is_being_made(course):
    said = []
    with made.building(course / "build/slides", tell=said.append) as folder:
        write(folder / "half.html", "half")
        clean.clean(course, said.append)
        assert (folder / "half.html").exists()
    assert len(said) == 1 and "slides is being made there" in said[0]


@pytest.mark.skipif(os.name != "posix", reason="another user's process")
def test_clean_leaves_a_folder_that_another_user_is_making(course, monkeypatch):
    write(course / "build/.slides.lock", json.dumps({"process": 1, "machine": "here", "doing": "x", "since": "10:15"}))

    def kill(process, number):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "kill", kill)
    said = []
    clean.build(course, said.append)
    assert said == [f"{course / 'build'} stays: slides is being made there. Wait until that has ended."]
    assert (course / "build/slides/deep/page.html").exists()


def test_a_lock_that_only_another_user_can_read_is_one_at_work(course, monkeypatch):
    """Locks are of their user alone."""
    write(course / "build/.slides.lock", "")
    can = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).suffix != ".lock" and can(path, mode))
    said = []
    clean.build(course, said.append)
    assert len(said) == 1 and "stays: slides is being made there" in said[0]
    assert (course / "build/slides/deep/page.html").exists()


def test_clean_removes_nothing_while_a_lab_or_an_update_runs(course, monkeypatch):
    before = below(course)
    with made.in_use("running JupyterLab"):
        with made.in_use("presenting"):  # the same process: the first one counts
            assert below(course) == sorted([*before, f".in-use-by-{os.getpid()}.lock"])
        with pytest.raises(
            ending.Refused, match="needed by this very process, which has been running JupyterLab since"
        ):
            clean.clean(course, pytest.fail)
    (course / "chapters").mkdir()
    with files.locked(course / "chapters/update", "updating the course"):
        with pytest.raises(ending.Refused, match="updating the course since"):
            clean.clean(course, pytest.fail)
    assert below(course) == before


@pytest.mark.parametrize("how", ["in place", "by a new file", "a new file beside it"])
@pytest.mark.parametrize("moment", ["the look", "the renaming", "another's renaming", "the last folder"])
def test_what_is_saved_while_clean_is_at_work_goes_into_kept(course, monkeypatch, moment, how):
    with made.building(course / "build/class") as room:
        write(room / "deep/page.html", "made")
        write(room / "other.html", "made")
    path, saved = course / "build/class/deep/page.html", []

    def save():
        if not saved and path.parent.is_dir():
            target = path.with_name("new.html") if how == "a new file beside it" else path
            part = path.with_name("part") if how == "by a new file" else target
            part.write_text("typed meanwhile")
            os.replace(part, target)
            saved.append(target)

    def before(module, name, is_now=lambda *_: True):
        real = getattr(module, name)

        def then(*arguments, **more):
            if is_now(*arguments):
                save()
            return real(*arguments, **more)

        monkeypatch.setattr(module, name, then)

    if moment == "the look":
        before(made, "walk")
    elif moment == "the last folder":
        before(clean, "_remove_empty")
    else:
        name = "page.html" if moment == "the renaming" else "other.html"
        before(clean.os, "rename", lambda old, new: Path(old).name == name)
    clean.build(course, lambda words: None)
    (target,) = saved
    assert [found.read_text() for found in course.rglob(f"kept/**/{target.name}")].count("typed meanwhile") == 1
    assert not (course / "build").exists()


@pytest.mark.parametrize("process", ["gone", "another's"])
def test_a_killed_lab_does_not_keep_clean_from_its_work(course, process):
    number = os.getpid()
    if process == "gone":
        (ended := subprocess.Popen([sys.executable, "-c", ""])).wait()
        number = ended.pid
    left = {"process": number, "machine": "here", "since": "2026-11-26 10:15", "doing": "running JupyterLab"}
    lock = write(course / f".in-use-by-{number}.lock", json.dumps(left))
    mine = write(course / ".in-use-by-me.lock", "a poem")
    clean.clean(course, lambda words: None)
    assert not lock.exists() and mine.exists() and not (course / ".venv").exists()


@pytest.mark.skipif(os.name != "posix", reason="flock")
@pytest.mark.parametrize("lock", [".in-use-by-7.lock", "build/.slides.lock"])
def test_what_runs_in_a_container_on_the_same_folder_keeps_its_ground(course, lock):
    """Its process has another number there, under which none may run here; the system's lock is one for both."""
    (ended := subprocess.Popen([sys.executable, "-c", ""])).wait()
    who = {"process": ended.pid, "machine": "box", "since": "2026-11-26 10:15", "doing": "running JupyterLab"}
    held = write(course / lock, json.dumps(who))
    before, said = below(course), []
    with open(held) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with contextlib.suppress(ending.Refused):
            clean.clean(course, said.append)
    assert held.exists() and (course / "build/slides/deep/page.html").exists()
    assert below(course) == before if "in-use" in lock else "slides is being made there" in "".join(said)


def test_a_disk_without_locks_tells_nothing_of_another_machine(course, monkeypatch):
    (ended := subprocess.Popen([sys.executable, "-c", ""])).wait()
    who = {"process": ended.pid, "machine": "box", "since": "2026-11-26 10:15", "doing": "running JupyterLab"}
    held = write(course / ".in-use-by-7.lock", json.dumps(who))

    def flock(*_):
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(made.fcntl, "flock", flock)
    with pytest.raises(ending.Refused, match="needed by process .* on box, which has been running JupyterLab"):
        clean.clean(course, pytest.fail)
    held.write_text(json.dumps(who | {"machine": socket.gethostname()}))
    assert made.uses(course) == [] and not held.exists()


HOLDS = """
import mmap, sys
with open(sys.argv[1], "r+b") as file:
    if sys.argv[2] == "mapped":
        held = mmap.mmap(file.fileno(), 1, mmap.MAP_PRIVATE, mmap.PROT_READ)
        file.close()
    print("open", flush=True)
    if sys.stdin.readline() and not file.closed:
        file.seek(0, 2)
        file.write(b" and typed on")
"""


@contextlib.contextmanager
def another_program(path, how):
    command = [sys.executable, "-c", HOLDS, path, how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "open\n"
        yield process
        process.stdin.write("on\n")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_clean_removes_nothing_under_a_training_that_runs_from_the_environment(course):
    before = below(course)
    with another_program(course / ".venv/lib/python3.11/site-packages/torch/x.py", "mapped") as process:
        with pytest.raises(ending.Refused, match=f"is needed by process {process.pid}, .*python"):
            clean.clean(course, pytest.fail)
        assert below(course) == before
    clean.clean(course, lambda words: None)
    assert not (course / ".venv").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("name", ["build/slides/deep/page.html", ".venv/bin/torchrun", ".pytest_cache/README.md"])
def test_what_a_program_goes_on_writing_through_clean_is_kept(course, name):
    before, said = (course / name).read_text(), []
    with another_program(course / name, "open"):
        clean.clean(course, said.append)
        assert not (course / name).exists()
    (kept,) = course.rglob(f"kept/**/{Path(name).name}")
    assert kept.read_text() == before + " and typed on" and any(
        f"Moved to {course / 'kept'}" in words for words in said
    )


def test_a_course_that_may_only_be_read_is_used_all_the_same(monkeypatch, tmp_path):
    monkeypatch.setattr(made, "ROOT", tmp_path / "nowhere" / "\0")
    with made.in_use("running JupyterLab"):
        pass


def test_a_folder_with_something_in_it_is_no_place_to_make_anything(tmp_path):
    write(tmp_path / "thesis/chapter.tex", "mine")
    with pytest.raises(ending.Refused, match="has something in it that is not the course's"):
        with made.building(tmp_path / "thesis"):
            pass
    assert below(tmp_path) == ["thesis/chapter.tex"]


def test_clean_twice_and_with_nothing_there(tmp_path):
    for _ in range(2):
        clean.clean(tmp_path, lambda said: pytest.fail(said))


def test_make_clean_needs_python_alone(tmp_path):
    """Debian's own where it is here, isolated from every package."""
    for folder in ("tools", "vaecourse"):
        for path in (ROOT / folder).rglob("*.py"):
            (tmp_path / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path.relative_to(ROOT)).write_bytes(path.read_bytes())
    write(tmp_path / "build/thesis.txt", "mine")
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    ran = subprocess.run([python, "-S", "-m", "tools.clean"], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0 and "thesis.txt in" in ran.stderr, ran.stderr
    assert [path.read_text() for path in (tmp_path / "kept").rglob("*.txt")] == ["mine"]


def test_a_damaged_list_loses_nothing(course):
    (course / "build/.slides.made").write_text("[]")
    clean.clean(course, lambda said: None)
    assert sorted(path.read_text() for path in (course / "kept").rglob("*") if path.is_file()) == ["[]", "made"]


# A room of one's own to build in -------------------------------------------------------------------------------------

# What each command calls while it builds, and how the command is called.
MAKERS = {
    "student": (student, "write", lambda: student.main(["00"])),
    "slides": (slides, "write", lambda: slides.main(["00"])),
    "site": (site.subprocess, "run", lambda: site.main([])),
    "npm": (vendor.subprocess, "run", vendor.main),
    "mutants-bounds": (mutants, "test", lambda: mutants.main(["bounds"])),
    "screens": (screenshots, "of_labs", lambda: screenshots.main([])),
}


@pytest.mark.parametrize("name", MAKERS)
def test_what_somebody_puts_into_a_folder_while_it_is_made_is_not_taken_for_ours(course, name, monkeypatch):
    module, called, main = MAKERS[name]
    folder = course / "build" / name
    for maker, constant in ((student, "FOLDER"), (slides, "FOLDER"), (site, "SITE"), (screenshots, "SCREENS")):
        monkeypatch.setattr(maker, constant, folder)
    monkeypatch.setattr(vendor, "NPM", folder)
    monkeypatch.setattr(site.vendor, "fetch", lambda: ROOT / "build/npm/node_modules") if name == "site" else None
    monkeypatch.setattr(vendor, "copy", lambda *_: None)
    monkeypatch.setattr(site, "pages", lambda repository: {})
    monkeypatch.setattr(vendor.shutil, "which", lambda program: program)

    def meanwhile(*arguments, **more):
        write(folder / "notes.txt", "mine")
        found = [words for words in arguments if isinstance(words, Path)]
        built = found[-1] if found else more.get("cwd") or arguments[0][-1]
        write(Path(built) / "made.html", "made")
        done = subprocess.CompletedProcess([], 0)
        return mutants.Report("bounds", 1, [], 0) if called == "test" else built / "x" if called == "write" else done

    monkeypatch.setattr(module, called, meanwhile)
    assert main() == 0
    assert {"made.html", "notes.txt"} <= set(below(folder))
    assert [path.name for path in made.strangers(folder)] == ["notes.txt"]
    clean.clean(course, lambda said: None)
    assert [path.read_text() for path in (course / "kept").rglob("*.txt")] == ["mine"] and not folder.exists()


def test_what_is_in_the_way_of_what_was_built_is_moved_aside_and_no_link_is_followed(course, tmp_path_factory):
    folder, said = course / "build/slides", []
    elsewhere = write(tmp_path_factory.mktemp("elsewhere") / "page.html", "somebody's")
    with made.building(folder, tell=said.append) as built:
        write(built / "a/b.html", "built")
        write(built / "deep/page.html", "built")
        write(built / "c", "built")
        write(folder / "a", "mine")  # where a folder must be
        write(folder / "c/d.txt", "mine too")  # where a file must be
        (folder / "deep/page.html").unlink()
        (folder / "deep").rmdir()
        (folder / "deep").symlink_to(elsewhere.parent)
        write(folder / "notes.txt", "in nobody's way")
    assert elsewhere.read_text() == "somebody's" and below(elsewhere.parent) == ["page.html"]
    with made.building(folder, tell=said.append) as built:
        write(built / "a", "built")
    assert below(folder) == ["a", "c", "deep/page.html", "notes.txt"] and len(said) == 1
    assert all((folder / name).read_text() == "built" for name in ("a", "c", "deep/page.html"))
    kept = {path.name for path in (course / "kept").rglob("*") if path.is_symlink() or path.is_file()}
    assert kept == {"a", "d.txt", "deep"}


def test_what_is_built_anew_replaces_all_that_was_built_and_nothing_else(course, tmp_path_factory):
    folder = course / "build/slides"
    elsewhere = write(tmp_path_factory.mktemp("elsewhere") / "page.html", "somebody's")
    with made.building(folder, anew=True) as built:
        write(built / "new/page.html", "new")
    assert below(folder) == ["new/page.html"] and not (folder / "deep").exists()
    with made.building(folder, anew=True) as built:
        write(built / "other.html", "other")
        (folder / "new/page.html").unlink()
        (folder / "new").rmdir()
        (folder / "new").symlink_to(elsewhere.parent)
    assert elsewhere.exists() and (folder / "new").is_symlink() and below(folder) == ["other.html"]


def test_a_building_that_fails_keeps_what_was_there(course):
    folder = course / "build/slides"
    for anew in (True, False):
        with pytest.raises(RuntimeError), made.building(folder, anew=anew) as built:
            write(built / "half.html", "half")
            raise RuntimeError
        assert below(folder) == ["deep/page.html", *([] if anew else ["half.html"])] and made.strangers(folder) == []
    assert made.rooms(folder.parent) == []


def test_a_file_that_is_built_again_as_it_was_is_not_touched(course):
    folder = course / "build/slides"
    before = (folder / "deep/page.html").stat()
    with made.building(folder) as built:
        write(built / "deep/page.html", "made")
    now = (folder / "deep/page.html").stat()
    assert (now.st_mtime_ns, now.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_the_second_of_two_who_build_waits_and_says_for_whom(course):
    folder, said, building, go_on = course / "build/slides", [], threading.Event(), threading.Event()

    def first():
        with made.building(folder, tell=said.append) as built:
            building.set()
            go_on.wait(20)
            write(built / "first.html", "1")

    def second():
        with made.building(folder, tell=said.append) as built:
            write(built / "second.html", "2")

    threads = [threading.Thread(target=each) for each in (first, second)]
    threads[0].start()
    assert building.wait(20)
    threads[1].start()
    end = time.monotonic() + 20
    while not said and time.monotonic() < end:
        time.sleep(0.01)
    go_on.set()
    [thread.join() for thread in threads]
    assert len(said) == 1 and re.search(r"slides is in use by .*making slides since .*: waiting until", said[0])
    assert below(folder) == ["deep/page.html", "first.html", "second.html"] and made.strangers(folder) == []


def test_the_second_of_two_who_run_a_chapter_waits_and_says_for_whom(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(made, "PATIENCE", 0.2)
    source = write(tmp_path / SAMPLE.name, SAMPLE.read_text())
    with files.locked(source.with_suffix(".ipynb"), "running it"), pytest.raises(files.Busy, match="running it since"):
        notebooks.refresh(source)
    assert "waiting until that has ended" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_the_room_of_a_killed_command_is_removed_by_the_next_and_by_clean(course):
    program = (
        "import sys, time; from pathlib import Path; from tools import made\n"
        "made.BUILD = Path(sys.argv[1]).parent\n"
        "with made.building(Path(sys.argv[1])) as built:\n"
        "    (built / 'half.html').touch(); print(built, flush=True); time.sleep(60)"
    )
    for folder in (course / "build/slides", course / "build/first-time"):
        command = [sys.executable, "-c", program, folder]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        left = Path(process.stdout.readline().strip()).parent
        said = []
        clean.clean(course, said.append)
        assert len(said) == 1 and f"{folder.name} is being made there" in said[0] and left.is_dir()
        process.kill()
        process.wait()
        if folder.name == "slides":
            with made.building(folder):
                assert not left.exists()
    clean.clean(course, lambda words: pytest.fail(words))
    assert not (course / "build").exists() and not (course / "kept").exists()


DELIVERS = """
import os, signal, sys
from pathlib import Path
from tools import made
put, folder = made._put, Path(sys.argv[1])
made.ROOT, made.BUILD, made.KEPT = folder.parents[1], folder.parent, folder.parents[1] / "kept"

def and_then_die(path, target):
    put(path, target)
    if path.name == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

made._put = and_then_die
with made.building(folder, anew=sys.argv[3] == "anew") as built:
    for number in range(6):
        (built / f"{number}.html").write_text(f"{number}, {sys.argv[4]}")
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize("name", ["slides", "first-time"])
@pytest.mark.parametrize("how", ["anew", "added"])
@pytest.mark.parametrize("then", ["build", "clean"])
def test_what_a_killed_command_had_delivered_is_known_as_its_own(course, name, how, then):
    folder, said = course / "build" / name, []

    def deliver(last, words):
        return subprocess.run([sys.executable, "-c", DELIVERS, folder, last, how, words], cwd=ROOT).returncode

    assert deliver("3.html", "first") == deliver("1.html", "the second") == -signal.SIGKILL
    assert sorted(path.read_text()[3:] for path in folder.glob("*.html")) == ["first"] * 2 + ["the second"] * 2
    write(folder / "2.html", "typed")
    if then == "build":
        with made.building(folder, tell=said.append) as built:
            for number in range(6):
                (built / f"{number}.html").write_text("at last")
        assert sorted(path.read_text() for path in folder.glob("*.html")) == ["at last"] * 6
        assert not folder.with_name(f".{name}.coming.made").exists()
    else:
        clean.clean(course, said.append)
        assert not folder.parent.exists()
    assert [path.read_text() for path in (course / "kept").rglob("*.html")] == ["typed"] and len(said) == 1


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_folder_of_ones_own_whose_first_delivery_was_killed_is_made_by_the_next(tmp_path):
    (tmp_path / "a").mkdir()
    folder = tmp_path / "a/mine"
    program = DELIVERS.replace("folder.parent, ", "folder / 'elsewhere', ")
    for last, code in (("2.html", -signal.SIGKILL), ("none", 0)):
        ran = subprocess.run([sys.executable, "-c", program, folder, last, "added", "x"], cwd=ROOT, capture_output=True)
        assert ran.returncode == code and not ran.stderr
    assert below(tmp_path / "a") == [".mine.made", *(f"mine/{number}.html" for number in range(6))]


# Ctrl-C, and what a kill leaves -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure, code, said",
    [(KeyboardInterrupt(), 130, "book: stopped\n"), (OSError("disk full"), 1, "book: disk full\n")]
    + [(ending.Refused("no"), 1, "book: no\n"), (ValueError("not ours"), 1, "book: not ours\n")],
)
def test_a_command_ends_with_a_sentence(failure, code, said, capsys):
    @ending.reports("book")
    def main() -> int:
        raise failure

    assert main() == code and capsys.readouterr().err == said


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_the_folder_of_a_killed_process_is_removed_by_the_next_and_a_living_ones_stays():
    program = (
        "import time; from tools import temporary\n"
        "with temporary.folder('test') as folder:\n"
        "    (folder / 'file').touch(); print(folder, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program]
    start = lambda: subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    killed, living = start(), start()
    left, used = (Path(process.stdout.readline().strip()) for process in (killed, living))
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert left.is_dir()
    with temporary.folder("test"):
        assert not left.exists() and used.is_dir()
    living.terminate()
    living.wait()
    with temporary.folder("test"):
        assert not used.exists()


def test_a_folder_of_somebodys_that_has_such_a_name_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(temporary.tempfile, "gettempdir", lambda: str(tmp_path))
    for name in ("vaecourse-notes-2024-thesis", "vaecourse-keep-20261126101500-x", "vaecourse-x"):
        write(tmp_path / name / "t", "mine")
    write(tmp_path / "vaecourse-x" / temporary.MARK, "99999999999999999999 here")
    temporary.sweep()
    assert len(below(tmp_path)) == 4


ASKED = """\
import os, resource, sys, tempfile
from pathlib import Path
from tools import temporary
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
if sys.argv[2] == "pipe":
    os.mkfifo(sys.argv[1])
elif sys.argv[2] == "endless":
    os.symlink("/dev/zero", sys.argv[1])
else:
    Path(sys.argv[1]).write_text(f"{sys.argv[3]} {temporary.socket.gethostname()}")
tempfile.tempdir = os.path.dirname(os.path.dirname(sys.argv[1]))
if sys.argv[2] == "another":
    os.getuid = lambda: 12345
sys.addaudithook(lambda event, args: event == "open" and temporary.MARK in str(args[0]) and print("read"))
temporary.sweep()
"""


@pytest.mark.skipif(os.name != "posix", reason="users, pipes")
@pytest.mark.parametrize("how, read", [("pipe", "read\n"), ("endless", "read\n"), ("another", "")])
def test_a_strangers_mark_is_not_waited_for_nor_read_to_its_end(tmp_path, how, read):
    """It is a pipe, or leads to a file without an end; and nothing is read in a folder of another user's."""
    (tmp_path / "vaecourse-x").mkdir()
    mark = tmp_path / "vaecourse-x" / temporary.MARK
    command = [sys.executable, "-c", ASKED, mark, how, "999999999"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, read, "")
    assert os.path.lexists(mark)


@pytest.mark.parametrize(
    "name, rough, neat",
    [
        ("a.py", "import os\nimport abc\nx = {  'a':1 }\n", 'import abc\nimport os\n\nx = {"a": 1}\n'),
        ("a.js", "const x = {  'a':1 }\n", 'const x = { "a": 1 };\n'),
        ("a.d.ts", "type A = {  'a':1 }\n", 'type A = { "a": 1 };\n'),
    ],
)
def test_a_file_is_laid_out_whole_or_stays(tmp_path, monkeypatch, capsys, name, rough, neat):
    path = write(tmp_path / name, rough)
    assert layout.main([str(tmp_path)]) == 0 and path.read_text() == neat
    before = write(path, rough).read_text()
    monkeypatch.setattr(layout.files.os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left")))
    assert layout.main([str(path)]) == 1 and path.read_text() == before
    assert "could not be written" in capsys.readouterr().err


def test_a_file_that_is_saved_while_a_new_one_is_delivered_goes_into_kept(tmp_path, monkeypatch):
    folder, said = tmp_path / "student", []
    with made.building(folder, tell=said.append) as room:
        (room / "a.txt").write_text("first")
    looked = made.strangers

    def and_then_somebody_saves(where):
        found = looked(where)
        (folder / "a.txt").write_text("typed")
        return found

    monkeypatch.setattr(made, "strangers", and_then_somebody_saves)
    with made.building(folder, tell=said.append) as room:
        (room / "a.txt").write_text("second")
    assert (folder / "a.txt").read_text() == "second"
    assert [path.read_text() for path in tmp_path.rglob("kept/**/a.txt")] == ["typed"] and "kept" in said[-1]
