"""The file of a learner's progress: two writers and a kill lose nothing, and no bad file stops a learner's cell."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.survival.test_full_disk import disk  # noqa: F401 - a fixture
from vaecourse import files, progress

NAME = "03.iwae_bound"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_is_noted_is_read_again_and_a_person_can_read_it(here):
    assert progress.tried(NAME, False, "sum") == progress.tried(NAME, False, "sum") == ""
    assert progress.tried(NAME, False, None) == progress.tried(NAME, True) == progress.tried(NAME, True) == ""
    assert progress.hinted(NAME, 2) == progress.hinted(NAME, 1) == progress.solution_seen(NAME) == ""
    assert progress.answered(NAME, "def bound(log_w):\n    return 'µ'") == ""
    assert progress.chose("03.quiz.1", "B", False) == progress.chose("03.quiz.1", "A", True) == ""
    assert progress.chose("03.quiz.1", "B", False) == progress.chose("04.recall.2", "C", True) == ""
    found = progress.read()
    exercise = found.exercises[NAME]
    assert (exercise.attempts, exercise.mistakes, exercise.hints) == (5, {"sum": 2}, 2)
    assert exercise.answer.endswith("'µ'") and exercise.alone
    question = found.questions["03.quiz.1"]
    assert (question.opened, question.first, question.right) == (["B", "A"], "B", False)
    assert found.questions["04.recall.2"].right and found.last == "04.recall.2" and found.told == ""
    text = (here / "progress.json").read_text(encoding="utf-8")
    assert '\n  "03.iwae_bound": {\n   "attempts": 5,' in text and "µ" in text
    assert os.listdir(here) == ["progress.json"] and progress.read(here) == found


def test_the_first_pass_is_when_it_was_solved(monkeypatch):
    monkeypatch.setattr(progress, "_now", lambda: "2026-01-01 10:00:00")
    progress.tried(NAME, True)
    monkeypatch.setattr(progress, "_now", lambda: "2026-01-02 10:00:00")
    progress.tried(NAME, True)
    progress.solution_seen(NAME)
    progress.solution_seen("03.gradient")
    monkeypatch.setattr(progress, "_now", lambda: "2026-01-03 10:00:00")
    progress.tried("03.gradient", True)
    found = progress.read().exercises
    assert found[NAME].solved == "2026-01-01 10:00:00" and found[NAME].alone
    assert found["03.gradient"].solution_seen == "2026-01-02 10:00:00" and not found["03.gradient"].alone


def test_it_may_be_deleted_at_any_time(here):
    progress.tried(NAME, True)
    (here / "progress.json").unlink()
    assert progress.read() == progress.Progress()
    assert progress.tried("04.rates", False) == "" and progress.read().exercises.keys() == {"04.rates"}


TRIES = """
import os
from vaecourse import progress
while not progress.tried("03.a", False):
    os.write(1, b".")
"""
SOME = """
import time
from vaecourse import progress
for _ in range(100):
    assert not progress.tried({!r}, False, "m")
    time.sleep(0.002)  # the others get a turn
"""


def test_two_processes_at_once_lose_nothing():
    lines = [SOME.format(name) for name in ("03.a", "03.a", "03.b")]
    processes = [subprocess.Popen([sys.executable, "-c", line]) for line in lines]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    found = progress.read().exercises
    assert (found["03.a"].attempts, found["03.b"].attempts, found["03.b"].mistakes) == (200, 100, {"m": 100})


@pytest.mark.skipif(os.name != "posix", reason="a kill as POSIX has it")
def test_a_kill_in_between_leaves_what_was_there_whole(here):
    before = 0
    for turn in range(8):
        process = subprocess.Popen([sys.executable, "-c", TRIES], stdout=subprocess.PIPE)
        process.stdout.read(1)
        time.sleep(0.002 * turn)
        process.send_signal(signal.SIGKILL)
        noted = 1 + len(process.communicate()[0])
        found = progress.read()
        assert found.told == "" and noted <= found.exercises["03.a"].attempts - before <= noted + 1
        before = found.exercises["03.a"].attempts
        assert progress.tried("03.b", True) == ""  # the lock is free
    assert progress.read().exercises["03.b"].attempts == 8


def whole():
    progress.tried(NAME, True)
    progress.chose("03.quiz.1", "A", True)
    return json.loads(Path("progress.json").read_text(encoding="utf-8"))


def changed(*path_and_value):
    *path, last, value = path_and_value

    def make():
        content = inner = whole()
        for name in path:
            inner = inner[name]
        inner[last] = value
        return json.dumps(content).encode()

    return make


BAD = {
    "empty": lambda: b"",
    "cut": lambda: json.dumps(whole()).encode()[:-20],
    "bytes": lambda: b"\xff\xfe\0\1" * 100,
    "deep": lambda: b"[" * 100_000,
    "huge": lambda: json.dumps(whole()).encode() + b" " * 16_000_000,
    "a list": lambda: b"[1, 2]",
    "a number": lambda: b"7",
    "foreign": lambda: b'{"scores": [1, 2, 3]}',
    "another version": changed("vaecourse progress", 2),
    "a mark that is no number": changed("vaecourse progress", True),
    "exercises are a list": changed("exercises", []),
    "an exercise is a list": changed("exercises", NAME, [1]),
    "attempts are text": changed("exercises", NAME, "attempts", "9"),
    "attempts are true": changed("exercises", NAME, "attempts", True),
    "attempts are negative": changed("exercises", NAME, "attempts", -1),
    "mistakes are a list": changed("exercises", NAME, "mistakes", ["sum"]),
    "a mistake's count": changed("exercises", NAME, "mistakes", {"sum": None}),
    "solved is no time": changed("exercises", NAME, "solved", "yesterday"),
    "solved is a number": changed("exercises", NAME, "solved", 0),
    "an answer is a number": changed("exercises", NAME, "answer", 3),
    "half a character": changed("exercises", NAME, "answer", "\ud800"),
    "an unknown field": changed("exercises", NAME, "more", 3),
    "opened is text": changed("questions", "03.quiz.1", "opened", "AB"),
    "right is a number": changed("questions", "03.quiz.1", "right", 1),
    "last is a list": changed("last", [3]),
    "told": changed("told", "Your progress is forged."),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_a_bad_file_is_kept_and_begun_anew_with_one_sentence(here, content):
    raw = content()
    (here / "progress.json").write_bytes(raw)
    found = progress.read()
    assert found.exercises == {} and "progress.json is not what the course notes" in found.told
    assert (here / "progress.json").read_bytes() == raw  # reading changes nothing
    told = progress.tried("04.rates", False)
    (copy,) = (here / "kept").iterdir()
    assert copy.read_bytes() == raw and str(copy) in told and "begins anew" in told and "\n" not in told
    assert progress.read().exercises.keys() == {"04.rates"} and progress.tried("04.rates", True) == ""


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink(path, path)])
def test_what_is_no_file_is_a_sentence(here, make):
    make(here / "progress.json")
    told = progress.tried(NAME, True)
    assert told.startswith("Your progress is not kept: ") and "\n" not in told
    found = progress.read()
    assert found.exercises == {} and "progress.json cannot be read" in found.told


def test_a_folder_that_cannot_be_written_is_a_sentence(monkeypatch):
    monkeypatch.chdir("/proc/self")
    told = progress.tried(NAME, True)
    assert told.startswith("Your progress is not kept: ") and "/progress.json could not be written" in told


def test_a_folder_that_is_gone_is_a_sentence(here, monkeypatch):
    (here / "gone").mkdir()
    monkeypatch.chdir(here / "gone")
    (here / "gone").rmdir()
    assert progress.tried(NAME, True).startswith("Your progress is not kept: ")
    assert progress.read().exercises == {}
    monkeypatch.chdir(here)


def test_a_file_that_is_read_only_stays(here):
    progress.tried(NAME, True)
    (here / "progress.json").chmod(0o444)
    assert "it is read-only" in progress.tried(NAME, True) and progress.read().exercises[NAME].attempts == 1


def test_a_full_disk_leaves_the_old_file_and_is_a_sentence(disk, monkeypatch):  # noqa: F811
    monkeypatch.chdir(disk.folder)
    progress.tried(NAME, True)
    with disk.full():
        told = progress.tried(NAME, False, "sum")
    assert told.startswith("Your progress is not kept: ") and progress.read().exercises[NAME].attempts == 1
    assert progress.tried(NAME, False, "sum") == ""
    monkeypatch.chdir("/")  # else the disk is in use


def test_another_that_holds_the_lock_is_told_after_a_while(here, monkeypatch):
    monkeypatch.setattr(progress, "WAIT", 0.1)
    with files.locked(here / "progress.json", "marking"):
        assert "is in use by this very process, which has been marking" in progress.tried(NAME, True)


@pytest.mark.parametrize("name", ["", "iwae", "3.iwae", "03.", "03." + "a" * 61, "03.a\n", "03.<b>"])
def test_a_name_that_is_none_is_a_sentence(here, name):
    assert "the name of no exercise and no question" in progress.tried(name, True) and not os.listdir(here)


def test_a_text_that_is_too_long_or_odd_does_not_spoil_the_file():
    assert "more than 20000 letters" in progress.answered(NAME, "x" * 20_001)
    assert progress.answered(NAME, "a\ud800b") == "" and progress.read().exercises[NAME].answer == "a?b"


def test_a_file_that_would_be_too_long_to_be_read_is_not_written(monkeypatch):
    progress.tried(NAME, True)
    monkeypatch.setattr(progress, "LONGEST", 400)
    assert "more than 400 bytes" in progress.answered(NAME, "x" * 400)
    assert progress.read().exercises[NAME].answer is None


def test_an_editor_that_saves_in_between_loses_nothing(here, monkeypatch):
    progress.tried(NAME, False)
    parsed = progress.parsed

    def late(raw):
        monkeypatch.setattr(progress, "parsed", parsed)
        found = parsed(raw)
        content = json.loads(raw)
        content["exercises"]["04.rates"] = content["exercises"][NAME]
        (here / "progress.json").write_text(json.dumps(content))
        return found

    monkeypatch.setattr(progress, "parsed", late)
    assert progress.tried(NAME, False) == ""
    assert {name: one.attempts for name, one in progress.read().exercises.items()} == {NAME: 2, "04.rates": 1}


def test_it_imports_neither_torch_nor_widgets():
    line = "import sys; from vaecourse import progress; progress.tried('03.a', True); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "ipywidgets", "matplotlib", "urllib.request", "http.client"} & set(modules)


EXERCISES = ["00.a", "00.b", "03.a", "03.iwae_bound", "03.c"]


def test_the_table_has_ticks_attempts_scores_and_where_to_go_on():
    progress.tried("00.a", True)
    progress.tried("03.a", False)
    progress.tried("03.iwae_bound", False)
    progress.tried("03.iwae_bound", True)
    progress.chose("00.quiz.1", "A", True)
    progress.chose("00.quiz.2", "A", False)
    progress.chose("03.recall.1", "A", True)
    rows = progress.table(progress.read(), EXERCISES, {"03": "03-iwae.ipynb"}).splitlines()
    assert rows[:3] == [
        "chapter  solved  exercises  attempts  quiz",
        "00       1 of 2  ✓ ·        1         1 of 2",
        "03-iwae  1 of 3  ~ ✓ ·      3         1 of 1",
    ]
    assert rows[-1] == "Go on with exercise 1 of 03-iwae.ipynb (03.a)."


def test_one_goes_on_from_where_one_was_last():
    assert progress.table(progress.read(), EXERCISES).endswith("Begin with exercise 1 of chapter 00 (00.a).")
    progress.tried("03.iwae_bound", True)
    assert progress.table(progress.read(), EXERCISES).endswith("Go on with exercise 3 of chapter 03 (03.c).")
    progress.tried("03.c", True)
    assert progress.table(progress.read(), EXERCISES).endswith("Go on with exercise 1 of chapter 00 (00.a).")
    for name in EXERCISES:
        progress.tried(name, True)
    assert progress.table(progress.read(), EXERCISES).endswith("All 5 exercises are solved.")


def test_a_notebook_that_goes_elsewhere_notes_beside_itself(tmp_path, monkeypatch):
    """After %cd it noted in that folder, replaced a progress.json that was there, and said 0 solved."""
    work, elsewhere = tmp_path / "learn", tmp_path / "thesis"
    for folder in (work, elsewhere):
        folder.mkdir()
    (elsewhere / "progress.json").write_text("my own")
    lines = [
        "import os, sys",
        "from IPython.core.interactiveshell import InteractiveShell",
        "InteractiveShell.instance()",
    ]
    lines += ["from vaecourse import progress", "progress.tried('00.a', True)", f"os.chdir({str(elsewhere)!r})"]
    lines += ["progress.tried('00.b', True)", "print(sorted(progress.read().exercises))"]
    script = "\n".join(lines)
    ran = subprocess.run([sys.executable, "-c", script], cwd=work, capture_output=True, text=True, check=True)
    assert ran.stdout.split("\n")[0] == "['00.a', '00.b']", ran
    assert (elsewhere / "progress.json").read_text() == "my own" and os.listdir(elsewhere) == ["progress.json"]
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(progress, "STARTED", work)
    assert sorted(progress.read().exercises) == ["00.a", "00.b"]
    monkeypatch.setattr(progress, "STARTED", tmp_path / "renamed")  # then the current folder is as good as any
    assert "progress.json is not what" in progress.read().told and not (tmp_path / "renamed").exists()


def test_a_name_that_comes_twice_is_kept_and_not_forgotten():
    progress.tried("00.a", True)
    text = Path("progress.json").read_text().replace(' "questions"', ' "exercises": {},\n "questions"')
    Path("progress.json").write_text(text)
    assert "was damaged" in progress.tried("00.b", True)
    assert [path.read_text() for path in Path("kept").iterdir()] == [text]


def test_who_has_tried_as_often_as_can_be_noted_has_not_damaged_the_file():
    progress.tried("00.a", False, "K")
    text = Path("progress.json").read_text().replace('"K": 1', '"K": 999999999').replace(": 1,", ": 999999999,")
    Path("progress.json").write_text(text.replace('progress": 999999999', 'progress": 1'))
    assert progress.tried("00.a", False, "K") == "" == progress.read().told
    assert progress.read().exercises["00.a"].attempts == 999999999
