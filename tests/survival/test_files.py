"""The one door: a stranger's file stays, what was changed is kept, rights and links stay, one writer at a time.

Nothing else writes: the last test finds every call that could.
"""

import ast
import contextlib
import errno
import fcntl
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vaecourse import files
from vaecourse.files import locks, whole

ROOT = Path(__file__).parents[2]
MINE = files.Kind("a file of ours", lambda path: path.read_bytes().startswith(b"ours"))
IGNORES_ROOT = pytest.mark.skipif(os.name != "posix", reason="rights and links as POSIX has them")


def write(path, content, known=None, kind=MINE):
    said = []
    files.write(path, content, kind, known, tell=said.append)
    return said


def test_a_strangers_file_is_refused_and_stays(tmp_path):
    file = tmp_path / "thesis.txt"
    file.write_bytes(b"mine")
    with pytest.raises(files.NotOurs, match="thesis.txt is not a file of ours: it is left as it is. Name another file"):
        write(file, b"ours, new")
    assert file.read_bytes() == b"mine" and os.listdir(tmp_path) == ["thesis.txt"]


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path, make):
    make(tmp_path / "there")
    with pytest.raises(files.NotOurs):
        write(tmp_path / "there", b"ours")


def test_one_of_ours_that_somebody_changed_is_kept_first_and_told(tmp_path):
    file, known = tmp_path / "table.md", {}
    assert write(file, b"ours 1", known) == []
    assert write(file, b"ours 2", known) == []  # as this writer left it
    file.write_bytes(b"ours 2, and a remark")
    (said,) = write(file, b"ours 3", known)
    (copy,) = (tmp_path / "kept").iterdir()
    assert copy.read_bytes() == b"ours 2, and a remark" and str(copy) in said and file.read_bytes() == b"ours 3"
    assert re.fullmatch(r"table-\d{4}-\d\d-\d\d-\d{6}\.md", copy.name)


def test_another_writer_of_the_same_kind_is_not_replaced_without_a_copy(tmp_path):
    write(tmp_path / "file", b"ours, first", {})
    (said,) = write(tmp_path / "file", b"ours, second", {})
    assert "kept in" in said and [path.read_bytes() for path in (tmp_path / "kept").iterdir()] == [b"ours, first"]


def test_copies_of_one_second_have_names_of_their_own(tmp_path):
    (tmp_path / "file.txt").write_text("x")
    copies = [files.keep(tmp_path / "file.txt") for _ in range(5)]
    assert len(set(copies)) == 5 and all(copy.read_text() == "x" for copy in copies)


def test_a_copy_that_cannot_be_made_leaves_the_file_as_it_was(tmp_path):
    (tmp_path / "file").write_bytes(b"ours, changed")
    (tmp_path / "kept").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="could not be written"):
        write(tmp_path / "file", b"ours, new")
    assert (tmp_path / "file").read_bytes() == b"ours, changed"


@IGNORES_ROOT
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o200])
def test_rights_stay(tmp_path, mode):
    file = tmp_path / "file"
    file.write_bytes(b"old")
    file.chmod(mode)
    files.replace(file, b"new")
    assert stat.S_IMODE(file.stat().st_mode) == mode and time.time() - file.stat().st_mtime < 60


@IGNORES_ROOT
def test_a_read_only_file_and_one_with_two_names_are_refused(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"old")
    file.chmod(0o444)
    with pytest.raises(OSError, match="it is read-only.* change the rights of this one"):
        files.replace(file, b"new")
    file.chmod(0o644)
    os.link(file, tmp_path / "other")
    with pytest.raises(OSError, match="it has 2 names, hard links"):
        files.replace(file, b"new")
    assert file.read_bytes() == (tmp_path / "other").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["file", "other"]


@IGNORES_ROOT
def test_a_link_goes_on_pointing(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there/file")
    files.replace(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "there/file").read_bytes() == b"new"


def test_a_signed_text_knows_its_changes(tmp_path):
    file = tmp_path / "table.md"
    assert write(file, files.signed("| a |"), kind=files.TEXT) == []
    assert write(file, files.signed("| a | b |"), kind=files.TEXT) == []  # untouched, whoever wrote it
    file.write_bytes(file.read_bytes().replace(b"| b |", b"| B |"))
    assert "kept in" in write(file, files.signed("| c |"), kind=files.TEXT)[0]
    file.write_text("| a |\n")
    with pytest.raises(files.NotOurs, match="not a text that vaecourse made"):
        write(file, files.signed("| c |"), kind=files.TEXT)


@pytest.mark.parametrize("by", ["content", "part"])
@pytest.mark.parametrize("done", [True, False])
def test_a_renaming_that_is_done_and_told_as_a_failure_is_told_as_it_is(tmp_path, monkeypatch, by, done):
    file, part, rename = tmp_path / "file", tmp_path / "part", os.replace
    file.write_bytes(b"old")

    def fails(old, new):
        if done:
            rename(old, new)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    part.write_bytes(b"new")
    monkeypatch.setattr(files.whole.os, "replace", fails)
    with pytest.raises(OSError, match="has the new content, but the disk" if done else "the file is as it was") as told:
        files.replace(file, b"new") if by == "content" else files.replace_by(file, part)
    assert told.value.errno == errno.EIO and file.read_bytes() == (b"new" if done else b"old")


# Two writers ---------------------------------------------------------------------------------------------------------

HOLD = """
import sys, time
from vaecourse import files
with files.locked(sys.argv[1], "training"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "file"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_the_second_is_told_who_holds_the_file(tmp_path, holder):
    said = rf"file is in use by process {holder.pid} on \S+, which has been training since \d{{4}}-.*: wait until"
    with pytest.raises(files.Busy, match=said), files.locked(tmp_path / "file", "saving"):
        pass


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_kill_lets_go_of_the_lock(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with files.locked(tmp_path / "file", "saving", wait=10):
        assert json.loads((tmp_path / ".file.lock").read_text())["process"] == os.getpid()
    assert os.listdir(tmp_path) == []


def test_the_same_process_is_told_too(tmp_path):
    with files.locked(tmp_path / "file", "training"):
        with pytest.raises(files.Busy, match="this very process, which has been training"):
            with files.locked(tmp_path / "file", "saving"):
                pass


def test_a_file_that_happens_to_have_the_locks_name_stays(tmp_path):
    """filelock 3.24 would empty it, and 4.2 not."""
    (tmp_path / ".file.lock").write_text("my notes")
    with pytest.raises(files.NotOurs, match=r"\.file\.lock has a text in it that is not the course's.* move it away"):
        with files.locked(tmp_path / "file", "training"):
            pass
    assert (tmp_path / ".file.lock").read_text() == "my notes"
    for left in (b"", bytes(100)):  # by a kill, or a lost power line
        (tmp_path / ".file.lock").write_bytes(left)
        with files.locked(tmp_path / "file", "training"):
            pass
        assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_and_has_the_locks_name_is_told_and_stays(tmp_path, make):
    make(name := tmp_path / ".run.lock")
    with pytest.raises(files.NotOurs, match="run.lock is no file, and .*run needs it as its lock: move it away"):
        with files.locked(tmp_path / "run", "training"):
            pass
    assert name.exists() and os.listdir(tmp_path) == [".run.lock"]


def test_a_lock_that_is_freed_while_it_is_looked_at_is_no_strangers(tmp_path, monkeypatch):
    name, open_it = tmp_path / ".file.lock", files.opened
    name.write_text(json.dumps({**files.locks._self(), "doing": "training"}))

    def freed(path):
        file = open_it(path)
        name.unlink()
        return file

    monkeypatch.setattr(files.locks, "opened", freed)
    assert files.is_lock(name)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no place here where nobody can make a file")
def test_where_no_file_can_be_made_nobody_is_waited_for():
    """filelock would wait for the whole time, and then somebody would be told to hold it."""
    began = time.monotonic()
    with pytest.raises(OSError, match="could not be written"):
        with files.locked("/proc/x.json", "counting", wait=60):
            pass
    assert time.monotonic() - began < 30


COUNT = """
import sys
from pathlib import Path
from vaecourse import files
file = Path(sys.argv[1])
for _ in range(40):
    with files.locked(file, "counting", wait=60):
        files.replace(file, str(int(file.read_text()) + 1).encode())
"""


def test_four_processes_that_count_together_miss_nothing(tmp_path):
    """The lock's file is removed and made again all the time, and still no two hold it at once."""
    file = tmp_path / "count"
    file.write_text("0")
    command = [sys.executable, "-c", COUNT, file]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(4)]
    assert [process.wait(timeout=120) for process in processes] == [0] * 4
    assert file.read_text() == "160" and os.listdir(tmp_path) == ["count"]


WITHOUT_LOCKS = """
import errno, fcntl
def flock(*_):
    raise OSError(errno.ENOSYS, "Function not implemented")
fcntl.flock = flock
"""


@pytest.mark.skipif(os.name != "posix", reason="flock")
def test_four_processes_that_count_together_on_a_disk_without_locks_miss_nothing(tmp_path):
    file = tmp_path / "count"
    file.write_text("0")
    command = [sys.executable, "-c", WITHOUT_LOCKS + COUNT.replace("40", "20"), file]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(4)]
    assert [process.wait(timeout=120) for process in processes] == [0] * 4
    assert file.read_text() == "80" and os.listdir(tmp_path) == ["count"]


@pytest.mark.skipif(os.name != "posix", reason="flock")
def test_a_disk_without_locks_has_one_that_a_kill_frees(tmp_path):
    command = [sys.executable, "-c", WITHOUT_LOCKS + HOLD, tmp_path / "file"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        said = rf"file is in use by process {process.pid} on \S+, which has been training since"
        assert second.returncode == 1 and re.search(said, second.stderr), second.stderr
        process.kill()
    assert (tmp_path / ".file.lock").exists()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        process.kill()
    (tmp_path / ".file.lock").write_bytes(b"")  # as an earlier version left it
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        process.kill()


@pytest.mark.skipif(os.name != "posix", reason="rights")
def test_nobody_else_can_open_a_lock_and_so_hold_it(tmp_path, holder):
    """Whoever can open it for reading can. It is made so, and one that was left otherwise becomes so."""
    name = tmp_path / ".file.lock"
    assert stat.S_IMODE(name.stat().st_mode) == 0o600
    holder.kill()
    holder.wait()
    name.chmod(0o644)
    with files.locked(tmp_path / "file", "saving", wait=10):
        assert stat.S_IMODE(name.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix", reason="flock")
def test_a_lock_whose_writer_has_ended_is_not_told_as_his(tmp_path, holder):
    holder.kill()
    holder.wait()
    with open(tmp_path / ".file.lock") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        said = (
            f"in use by another process .the lock was left by process {holder.pid}, which has ended; if none of yours"
        )
        with pytest.raises(files.Busy, match=said), files.locked(tmp_path / "file", "saving"):
            pass


# Nobody else writes --------------------------------------------------------------------------------------------------

WRITES = {"write_text", "write_bytes", "unlink", "rename", "rmtree", "rmdir", "remove", "copyfile", "copytree", "copy2"}
WRITES |= {"touch", "save_file", "savefig", "savetxt", "to_csv", "dump"}
SHUTIL = {"copy", "move"}  # methods of many things, and shutil's

# Who may, and why nothing of anybody's can be lost by it.
MAY = {
    "vaecourse/files/__init__.py": "the door",
    "vaecourse/files/whole.py": "the door's last step",
    "vaecourse/files/locks.py": "the locks, of which each is known by what is in it",
    "tools/made.py": "moves aside what is not ours",
    "tools/clean.py": "removes what the lists of tools/made.py name, after that",
    "tools/temporary.py": "folders of its own, in the system's place for such",
    "tools/browser.py": "in a temporary folder",
    "tools/contents.py": "what JupyterLab saves: by the door, and in place where that refuses and the user may write",
    "tools/mutants.py": "in a folder of its own that made.building gives",
    "tools/vendor.py": "in a folder of its own that made.building gives",
    "tools/present.py": "in a folder of its own that made.building gives",
    "tools/extremes.py": "an environment of its own, which nothing but it writes into",
    "tools/update.py": "moves notebooks into kept/ and back by renaming, and looks for what came in between",
    "tools/merging.py": "removes what git has cut off, which it noted before as its own, and its own note",
    "tools/ending.py": "what nobody can hear, into os.devnull",
    "tools/all_or_none.py": "takes back a file that it has just made, if it is as it made it",
    "vaecourse/classroom/apart.py": "takes away what an answer has made in the folder that was made for it",
    "vaecourse/classroom/judging.py": "takes away the folder that it has made for the answers",
    "vaecourse/data/fetching.py": "takes away a link in its cache, and not what it leads to, and an empty cache",
    "vaecourse/reproduce/__init__.py": "removes checkpoints by their mark, whose runs are in the record",
}


def calls_that_write(tree):
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        of = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if name in WRITES or (name in SHUTIL and of == "shutil") or (name == "replace" and of == "os"):
            yield name
        elif name == "open" and of in ("", "io", "gzip"):
            mode = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "mode")]
            if mode and not (isinstance(mode[0], ast.Constant) and set(mode[0].value) <= set("rbt")):
                yield "open for writing"


def test_every_other_call_that_writes_is_known():
    found = {}
    for path in sorted(
        path for folder in ("vaecourse", "tools", "benchmarks") for path in (ROOT / folder).rglob("*.py")
    ):
        name = str(path.relative_to(ROOT))
        if calls := set(calls_that_write(ast.parse(path.read_text(encoding="utf-8")))):
            found[name] = calls
    assert found.keys() - MAY.keys() == set(), {name: found[name] for name in found.keys() - MAY.keys()}


@pytest.mark.parametrize(
    "line", ["open(p, 'w')", "path.write_text('x')", "shutil.copy(a, b)", "os.replace(a, b)", "open(p, mode=how)"]
)
def test_a_call_that_writes_is_seen(line):
    assert list(calls_that_write(ast.parse(line)))


# Between the look and the writing ------------------------------------------------------------------------------------


def test_what_is_typed_between_the_look_and_the_writing_is_kept(tmp_path, monkeypatch):
    file, fsync = tmp_path / "file", os.fsync
    file.write_bytes(b"ours, as it was")

    def late(handle):
        monkeypatch.setattr(files.os, "fsync", fsync)
        file.write_bytes(b"ours, typed in the last moment")
        return fsync(handle)

    known = {file: files.stamp(file)}
    monkeypatch.setattr(files.os, "fsync", late)
    (said,) = write(file, b"ours, new", known)
    (copy,) = (tmp_path / "kept").iterdir()
    assert copy.read_bytes() == b"ours, typed in the last moment" and file.read_bytes() == b"ours, new"


@pytest.mark.parametrize("moment", ["replace", "_sync_folder"])
@pytest.mark.parametrize("how", ["in place", "by another file"])
def test_what_is_saved_in_the_moment_after_the_writing_is_not_taken_for_ours(tmp_path, monkeypatch, moment, how):
    file, known = tmp_path / "file", {}
    module = os if moment == "replace" else files.whole
    real, replace = getattr(module, moment), os.replace

    def save():
        if how == "in place":
            file.write_bytes(b"ours, typed in an editor")
        else:
            (tmp_path / "new").write_bytes(b"ours, typed in an editor")
            replace(tmp_path / "new", file)

    def late(*arguments):
        real(*arguments)
        save()

    monkeypatch.setattr(module, moment, late)
    write(file, b"ours 1", known)
    monkeypatch.undo()
    (said,) = write(file, b"ours 2", known)
    assert [path.read_bytes() for path in (tmp_path / "kept").iterdir()] == [b"ours, typed in an editor"]


def test_the_same_size_and_time_are_not_taken_for_the_same_file(tmp_path):
    file, known = tmp_path / "file", {}
    write(file, b"ours 1", known)
    times = file.stat()
    file.write_bytes(b"ours X")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert "kept in" in write(file, b"ours 2", known)[0]


def test_a_kill_in_the_middle_of_a_copy_leaves_no_file_that_looks_like_one(tmp_path, monkeypatch):
    (tmp_path / "file.txt").write_text("x" * 1000)

    def die(source, target):
        target.write(b"x")
        raise KeyboardInterrupt

    monkeypatch.setattr(files.shutil, "copyfileobj", die)
    with pytest.raises(KeyboardInterrupt):
        files.keep(tmp_path / "file.txt")
    assert not list((tmp_path / "kept").glob("*.txt"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become somebody else")
def test_somebody_elses_file_is_refused(tmp_path):
    for above in (tmp_path, *tmp_path.parents[:3]):
        above.chmod(above.stat().st_mode | 0o011)
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "file").write_bytes(b"ours, hers")
    (folder / "file").chmod(0o666)
    os.seteuid(65534)
    try:
        with pytest.raises(OSError, match="it belongs to somebody else, who would lose it"):
            files.replace(folder / "file", b"new")
        with pytest.raises(OSError, match="it belongs to somebody else"):
            write(folder / "file", b"ours, mine", {folder / "file": files.stamp(folder / "file")})
    finally:
        os.seteuid(0)
    assert (folder / "file").read_bytes() == b"ours, hers"


# Places and files that are not what they seem -----------------------------------------------------------------------


@IGNORES_ROOT
@pytest.mark.parametrize("leads", ["beside", "to nothing"])
def test_kept_that_is_a_link_leads_nobody_out_of_the_folder(tmp_path, leads):
    """What is in it goes nowhere else, and nothing is lost: it is refused, and told."""
    course, other = tmp_path / "course", tmp_path / "other"
    course.mkdir()
    if leads == "beside":
        other.mkdir()
    (course / "kept").symlink_to(other)
    (course / "file").write_bytes(b"ours, changed")
    for folder in (None, course / "kept" / "inner"):
        with pytest.raises(OSError, match="kept.* is a link that leads to another place: move it away"):
            files.keep(course / "file", folder)
    with pytest.raises(OSError, match="kept is a link that leads to another place"):
        write(course / "file", b"ours, new")
    assert (course / "file").read_bytes() == b"ours, changed" and not (other.exists() and os.listdir(other))


@IGNORES_ROOT
def test_a_course_in_a_folder_that_is_reached_by_a_link_keeps(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "way").symlink_to("kept")
    (tmp_path / "way" / "file").write_text("x")
    assert files.keep(tmp_path / "way" / "file").read_text() == "x"


def test_a_text_too_long_to_be_ours_is_not_read(tmp_path):
    file = tmp_path / "table.md"
    file.touch()
    os.truncate(file, 2**40)
    with pytest.raises(files.NotOurs, match="not a text that vaecourse made"):
        files.refuse(file, files.TEXT)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes")
def test_what_is_no_file_is_not_waited_for_and_a_long_one_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is no file"):
        files.content(tmp_path / "pipe", 10)
    (tmp_path / "file").write_bytes(b"0123456789")
    assert files.content(tmp_path / "file", 10) == b"0123456789"
    with pytest.raises(ValueError, match="has more than 9 bytes"):
        files.content(tmp_path / "file", 9)


def test_what_another_wrote_into_a_lock_is_told_as_words(tmp_path):
    with files.locked(tmp_path / "file", "training"):
        said = json.loads((tmp_path / ".file.lock").read_text())
        said |= {"machine": "\x1b[2Jhost\n", "doing": "\x9b31mharm\u202e"}
        (tmp_path / ".file.lock").write_text(json.dumps(said))
        with pytest.raises(files.Busy) as busy, files.locked(tmp_path / "file", "saving"):
            pass
        assert str(busy.value).isprintable() and r"on \x1b[2Jhost, which has been \x9b31mharm\u202e" in str(busy.value)


# In a folder in which others write ----------------------------------------------------------------------------------

ROOT_ONLY = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become somebody else")


def in_that_instant(monkeypatch, module, name, act):
    """``act`` just before the first call of this function."""
    real, done = getattr(module, name), []

    def then(*arguments, **more):
        if not done:
            done.append(act(*arguments))
        return real(*arguments, **more)

    monkeypatch.setattr(module, name, then)


@pytest.mark.skipif(os.name != "posix", reason="links")
@pytest.mark.parametrize("by", ["a link", "a second name"])
def test_nothing_is_written_through_what_was_put_in_the_place_of_a_lock(tmp_path, monkeypatch, by):
    """Whoever can write in the folder can do so at any moment: after the look at the lock, too."""
    thesis, name = tmp_path / "thesis.tex", tmp_path / ".file.lock"
    thesis.write_text("ten years")

    def swap(*_):
        name.unlink()
        name.symlink_to(thesis) if by == "a link" else name.hardlink_to(thesis)

    in_that_instant(monkeypatch, locks.json, "dumps", swap)  # what is written then
    with files.locked(tmp_path / "file", "saving"):
        assert thesis.read_text() == "ten years"
    assert thesis.read_text() == "ten years"


@ROOT_ONLY
def test_root_gives_no_file_away_in_somebody_elses_folder(tmp_path, monkeypatch):
    """The folder's owner may put a link in the place of the new file, before that gets its rights and its owner."""
    secret, folder = tmp_path / "shadow", tmp_path / "hers"
    secret.write_text("secret")
    secret.chmod(0o600)
    folder.mkdir()
    (folder / "file").write_text("hers")
    (folder / "file").chmod(0o666)
    for path in (folder, folder / "file"):
        os.chown(path, 65534, 65534)

    def swap(path, before, part):
        part.unlink()
        part.symlink_to(secret)

    in_that_instant(monkeypatch, whole, "_pass_on", swap)
    with contextlib.suppress(OSError):
        files.replace(folder / "file", b"new")
    found = secret.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode), secret.read_text()) == (0, 0o600, "secret")


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="attributes of a file")
def test_attributes_stay(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    try:
        os.setxattr(path, "user.note", b"mine")
    except OSError:
        pytest.skip("this disk takes no attributes")
    files.replace(path, b"new")
    assert os.getxattr(path, "user.note") == b"mine" and path.read_bytes() == b"new"


@ROOT_ONLY
@pytest.mark.parametrize("who", ["left", "held", "sticky", "closed"])
def test_a_lock_of_another_user(tmp_path, who):
    """One that a kill left is no trouble where it can be read and removed, and elsewhere it is told as what it is."""
    for above in (tmp_path, *tmp_path.parents[:3]):
        above.chmod(above.stat().st_mode | 0o011)
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777 if who == "sticky" else 0o777)
    name = folder / ".file.lock"
    name.write_text(json.dumps({"process": 1, "machine": "here", "since": "2026-11-26 10:15", "doing": "saving"}))
    name.chmod(0o600 if who == "closed" else 0o644)
    with open(name) as file:
        if who == "held":
            fcntl.flock(file, fcntl.LOCK_EX)
        os.seteuid(65534)
        try:
            if who == "left":
                with files.locked(folder / "file", "saving"):
                    assert name.stat().st_uid == 65534
            else:
                with pytest.raises(OSError, match="its lock, which belongs to user 0, and only that user can open it"):
                    with files.locked(folder / "file", "saving"):
                        pass
        finally:
            os.seteuid(0)
    assert name.exists() == (who != "left")
