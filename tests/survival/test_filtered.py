"""What git is told about notebooks, a filter as nbstripout's or to look away from them, costs nobody an answer."""

import os
import socket
import stat
import subprocess
import sys

import pytest

import tools.git
from tests.survival.test_answers import (  # noqa: F401
    ANSWER,
    CHAPTERS,
    FOUR,
    course,
    everything,
    git,
    light,
    new_version,
    text_before_everything,
    texts,
    update,
)
from tools import answers, typed

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

# As nbstripout does: no outputs, cells named by their places.
STRIP = """\
#!{python}
import json, sys
found = json.load(sys.stdin)
for number, cell in enumerate(found["cells"]):
    cell["id"] = str(number)
    if cell["cell_type"] == "code":
        cell["outputs"], cell["execution_count"] = [], None
json.dump(found, sys.stdout, indent=1, ensure_ascii=False)
"""
FORGET = """\
#!/bin/sh
cat > /dev/null
git cat-file blob HEAD:"$1"
"""  # whatever is typed, git sees the notebook of this version
FAIL = "#!/bin/sh\nexit 1\n"


def filtered(clone, program, required="false", smudge="cat"):
    """Run a program over every notebook that git reads, by settings of the learner's own."""
    script = clone.parent / "filter"
    script.write_text(program.format(python=sys.executable), encoding="utf-8")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    for name, value in (("clean", f'"{script}" %f'), ("smudge", smudge), ("required", required)):
        git(clone, "config", f"filter.of one's own.{name}".replace(" ", "-"), value)
    (clone / ".git/info").mkdir(exist_ok=True)
    (clone / ".git/info/attributes").write_text("*.ipynb filter=of-one's-own\n", encoding="utf-8")


@pytest.mark.skipif(os.name != "posix", reason="a filter that is a script")
@pytest.mark.parametrize("program", [STRIP, FORGET, FAIL], ids=["outputs off", "all as it was", "fails"])
@pytest.mark.parametrize("required", ["false", "true"])
def test_answers_come_through_a_new_version_whatever_filter_git_has_for_notebooks(course, program, required, capsys):  # noqa: F811
    authors, clone, given = course
    new_version(authors, text_before_everything)
    filtered(clone, program, required, "sed s/answer/reply/")
    update(clone)
    assert_all_is_there(clone, given)
    assert "Your notebooks are as they were" not in capsys.readouterr().out
    for path in CHAPTERS:  # written as the version has them, outputs and all
        if path not in FOUR:
            assert (clone / "chapters" / path.name).read_bytes() == (authors / "chapters" / path.name).read_bytes()


def assert_all_is_there(clone, given):
    for number, path in enumerate(FOUR, 10):
        here = clone / "chapters" / path.name
        found = typed.read(here)
        place = typed.stubs(found)[given[path.name]]
        assert typed.source(found["cells"][place]) == ANSWER.format(name="answer", number=number)
        assert texts(here)[1] == "New words." and f"My note {number}, µ" in texts(here)


@pytest.mark.parametrize("word", ["--assume-unchanged", "--skip-worktree"])
def test_answers_come_through_where_git_was_told_to_look_away(course, word):  # noqa: F811
    """So one makes `git status` and `git pull` quiet about the notebooks in which one works."""
    authors, clone, given = course
    new_version(authors, text_before_everything)
    git(clone, "update-index", word, *(f"chapters/{path.name}" for path in CHAPTERS))
    update(clone)
    assert_all_is_there(clone, given)


@pytest.mark.skipif(os.name != "posix", reason="a filter that is a script")
def test_a_filter_of_other_files_is_left_to_git(course):  # noqa: F811
    authors, clone, _ = course
    filtered(clone, STRIP)
    (clone / ".git/info/attributes").write_text("*.txt filter=of-one's-own\n", encoding="utf-8")
    git(clone, "config", "filter.of-one's-own.smudge", "sed s/a/b/")
    (authors / "words.txt").write_text("aaa\n", encoding="utf-8")
    git(authors, "add", ".")
    new_version(authors, text_before_everything)
    update(clone)
    assert (clone / "words.txt").read_text(encoding="utf-8") == "baa\n"


@pytest.mark.skipif(os.name != "posix", reason="a filter that is a script")
def test_answers_that_went_through_such_a_filter_come_back(course):  # noqa: F811
    """Committed and taken out again, or stashed: no outputs any more, and no cell has its name."""
    authors, clone, given = course
    filtered(clone, STRIP)
    for path in FOUR:
        here = clone / "chapters" / path.name
        with open(here, "rb") as before:
            ran = subprocess.run([clone.parent / "filter"], stdin=before, capture_output=True, check=True)
        here.write_bytes(ran.stdout)
        assert typed.read(here)["cells"][0]["id"] == "0"
    new_version(authors, text_before_everything)
    update(clone)
    assert all("what the learner typed" in "".join(texts(clone / "chapters" / path.name)) for path in FOUR)
    assert everything(clone / "chapters").count("My note 13, µ") >= 2


# The lock of an update ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="locks, and other users")
def test_nobody_else_can_hold_an_update_up(course):  # noqa: F811
    """A lock on what everybody may open, as .git itself, keeps nobody waiting; our own file nobody else may open."""
    authors, clone, given = course
    new_version(authors, text_before_everything)
    (lock := clone / ".git" / tools.git.LOCK).touch(0o666)
    lock.chmod(0o666)
    held = [os.open(clone / name, os.O_RDONLY) for name in (".git", ".git/HEAD", ".git/config", "chapters")]
    for handle in held:
        fcntl.flock(handle, fcntl.LOCK_EX)
    update(clone)
    for handle in held:
        os.close(handle)
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600 and lock.stat().st_uid == os.geteuid()
    assert_all_is_there(clone, given)


@pytest.mark.skipif(os.name != "posix", reason="locks")
def test_a_lock_that_is_held_for_ever_is_named(course, monkeypatch):  # noqa: F811
    authors, clone, given = course
    new_version(authors, text_before_everything)
    lock = clone / ".git" / tools.git.LOCK
    with open(lock, "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        monkeypatch.setattr(tools.git, "PATIENCE", 0.1)
        with pytest.raises(answers.ending.Refused, match="If none runs any more: remove .*vaecourse-update.lock"):
            update(clone)
        lock.unlink()
        update(clone)
    assert_all_is_there(clone, given)


def somebody_elses(path):
    path.touch()
    os.chown(path, 65534, 65534)


THINGS = {
    "pipe": os.mkfifo,
    "folder": os.mkdir,
    "socket": lambda path: socket.socket(socket.AF_UNIX).bind(os.path.relpath(path)),
    "link": lambda path: path.symlink_to("elsewhere"),
    "somebody else's": somebody_elses,
}


@pytest.mark.skipif(os.name != "posix", reason="pipes")
@pytest.mark.parametrize("what", THINGS)
@pytest.mark.parametrize("where", [f".git/{tools.git.LOCK}", "chapters/.update.lock", "chapters/kept/.owed.json"])
def test_a_thing_that_has_the_name_of_a_lock_is_told_and_stays(course, what, where, monkeypatch, capsys):  # noqa: F811
    _, clone, _ = course
    monkeypatch.chdir(clone)
    (clone / where).parent.mkdir(exist_ok=True)
    if what == "somebody else's" and (os.geteuid() or not where.startswith(".git")):
        pytest.skip("root alone can give a file away; the others are empty, and nobody's loss")
    THINGS[what](clone / where)
    before = (clone / where).lstat()
    monkeypatch.setattr(answers.update, "__defaults__", (clone / "chapters", ()))
    monkeypatch.setattr(answers, "CHAPTERS", clone / "chapters")
    code = answers.main(["update"])
    said = capsys.readouterr().err
    assert code in ((0, 1) if "owed" in where else (1,)) and "Traceback" not in said and said.count("\n") <= 3
    assert "owed" in where or (clone / where).lstat() == before  # that one is the course's own, in its own folder
