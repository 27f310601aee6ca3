"""What lies in a class's folder, in whatever layout; bad files are a line each."""

import json
import os
import sys

import pytest

from tests.classroom import people
from tests.test_cli import call
from vaecourse.classroom import gathering, handin

DAMAGED = "{} is not what the course notes there, and is not read (no text of the course's, or a damaged one)."
ANSWER = {"name": "log_mean_exp", "source": people.RIGHT, "before": ""}


def notebook(path, exercises, source=people.RIGHT):
    """A notebook without the course's mark, as other programs leave it."""
    cells = []
    for exercise in exercises:
        cells.append({"cell_type": "code", "metadata": {"tags": ["stub"]}, "source": source})
        cells.append({"cell_type": "code", "metadata": {}, "source": f'checks.ALL["{exercise}"](log_mean_exp)'})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


def names(folder):
    found = gathering.gathered(folder)
    return {person.name: sorted(person.hand_in.answers) for person in found.people}, found.lines


def test_nbgraders_layout(tmp_path):
    for student in ("ada", "eve"):
        notebook(tmp_path / f"submitted/{student}/week3/03-iwae.ipynb", [people.BOUND])
        notebook(tmp_path / f"submitted/{student}/week4/04.ipynb", ["04.rates"])
        (tmp_path / f"submitted/{student}/week3/timestamp.txt").write_text("2026-11-26")
    both, lines = names(tmp_path)
    assert both == {"ada": [people.BOUND, "04.rates"], "eve": [people.BOUND, "04.rates"]}
    assert len(lines) == 2 and lines[0].startswith("submitted/ada/week3/timestamp.txt is not read: it is neither")
    assert names(tmp_path / "submitted")[0] == both


def test_what_nobody_foresaw_in_one_file_is_a_line(tmp_path, monkeypatch):
    notebook(tmp_path / "ada/03-iwae.ipynb", [people.BOUND])
    notebook(tmp_path / "eve/03-iwae.ipynb", ["03.bad"])
    read = gathering.notebooks.answers
    monkeypatch.setattr(gathering.notebooks, "answers", lambda one: 1 / ("03.bad" not in str(one)) and read(one))
    everybody, lines = names(tmp_path)
    assert everybody == {"ada": [people.BOUND]}
    assert lines == ["eve/03-iwae.ipynb is not read: ZeroDivisionError division by zero."]


def test_plain_notebooks_are_of_their_folder_or_of_the_name_before_the_chapter(tmp_path):
    notebook(tmp_path / "ada-03-iwae.ipynb", [people.BOUND])
    notebook(tmp_path / "eve_04-tighter-is-not-better.ipynb", ["04.rates"])
    notebook(tmp_path / "eve-03-iwae (1).ipynb", [people.BOUND])
    notebook(tmp_path / "Bob.ipynb", [people.BOUND])
    notebook(tmp_path / "Zoe/learn/03-iwae.ipynb", [people.BOUND])
    (tmp_path / "Zoe/learn/progress.json").write_text("damaged")
    assert names(tmp_path) == (
        {"ada": [people.BOUND], "Bob": [people.BOUND], "eve": [people.BOUND, "04.rates"], "Zoe": [people.BOUND]},
        [DAMAGED.format(tmp_path / "Zoe/learn/progress.json")],
    )
    alone = tmp_path / "Zoe/learn"
    assert names(alone)[0] == {"learn": [people.BOUND]}


def test_the_same_person_twice_is_the_newest_and_told(tmp_path):
    people.put(tmp_path, "Ada", {}, written="2026-11-26 12:00:00", file="b.json")
    people.put(tmp_path, "ada ", {people.BOUND: ANSWER}, written="2026-11-26 13:00:00", file="a.json")
    people.put(tmp_path, "Eve", {people.BOUND: ANSWER}, written="soon", file="c.json")
    found, lines = names(tmp_path)
    assert found == {"ada": [people.BOUND], "Eve": [people.BOUND]}
    assert lines == [
        "ada has handed in twice: a.json of 2026-11-26 13:00:00 is the newest, and b.json of 2026-11-26 12:00:00 is "
        "not counted."
    ]


def test_of_two_notebooks_with_one_exercise_the_newest_counts(tmp_path):
    for number, when in enumerate((2_000_000_000, 1_000_000_000)):
        path = tmp_path / f"ada/{number}.ipynb"
        notebook(path, [people.BOUND], source=f"log_mean_exp = {number}")
        os.utime(path, (when, when))
    found = gathering.gathered(tmp_path)
    assert found.people[0].hand_in.answers[people.BOUND].source == "log_mean_exp = 0"
    assert found.lines == ["ada: 00.log_mean_exp is in two notebooks, and that of ada/0.ipynb is the newest."]


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
def test_no_link_is_followed_and_no_pipe_waited_for(tmp_path):
    folder, other = tmp_path / "class", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    people.put(other, "Ada", {people.BOUND: ANSWER})
    notebook(folder / "eve/03-iwae.ipynb", [people.BOUND])
    (other / "progress.json").write_text(
        '{"vaecourse progress": 1, "exercises": {}, "questions": {}, "last": "03.secret"}'
    )
    (folder / "eve/progress.json").symlink_to(other / "progress.json")
    (folder / "folder").symlink_to(other)
    os.mkfifo(folder / "pipe.json")
    found = gathering.gathered(folder)
    assert [person.name for person in found.people] == ["eve"] and found.people[0].hand_in.progress.last is None
    assert len(found.lines) == 3 and sum("links are not followed" in line for line in found.lines) == 2


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_links_in_a_circle_cost_nobody_the_report(tmp_path):
    """Python 3.11 and 3.12 follow such a link to no end, and say so by an error."""
    folder = tmp_path / "class"
    folder.mkdir()
    people.put(folder, "Ada", {people.BOUND: ANSWER})
    (folder / "loop").symlink_to("loop")
    (folder / "here").symlink_to("there")
    (folder / "there").symlink_to("here")
    found = gathering.gathered(folder, tmp_path / "report")
    assert [person.name for person in found.people] == ["Ada"]
    assert len(found.lines) == 3 and all("links are not followed" in line for line in found.lines)


def test_what_is_hidden_or_was_kept_and_the_reports_own_folder_are_left_out(tmp_path):
    for place in (".ipynb_checkpoints", "kept", "report", "__MACOSX"):
        (tmp_path / place).mkdir()
        people.put(tmp_path / place, place, {})
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    assert gathering.gathered(tmp_path, (tmp_path / "report").resolve()).people == []


@pytest.mark.skipif(sys.platform != "linux", reason="other disks refuse such names")
def test_names_that_are_no_text_and_odd_courses_can_be_written_into_a_report(tmp_path):
    folder = tmp_path / "class"
    folder.mkdir()
    path = people.put(folder, "Ada", {})
    content = json.loads(path.read_text()) | {"course": {"version": "\ud800\n"}}
    path.write_text(json.dumps(content))
    os.rename(path, os.fsencode(folder) + b"/\xff.json")
    os.symlink("x", os.fsencode(folder) + b"/\xfe.json")
    assert call("class", folder, "--to", tmp_path / "report")[0] == 0
    (one,) = json.loads((tmp_path / "report/class.json").read_text(encoding="utf-8"))["people"]
    assert one["files"] == ["\\udcff.json"] and one["course"] == {"version": "\\ud800"}


def test_folders_without_end_have_one(tmp_path):
    deep = tmp_path / "/".join("abcdefghij")
    deep.mkdir(parents=True)
    people.put(deep, "Ada", {})
    found, lines = names(tmp_path)
    assert found == {} and lines == ["g is not read: it lies 6 folders deep."]


@pytest.mark.parametrize("name", ["", " ", "x" * 101])
def test_a_name_that_is_none_is_a_line(tmp_path, name):
    people.put(tmp_path, name, {}, file="one.json")
    assert names(tmp_path)[1][0].startswith("one.json is not read: name must have 1 to 100 letters")


def test_a_name_is_one_line(tmp_path):
    people.put(tmp_path, "Ada\x1b[2J\nEve\u202e", {})
    assert list(names(tmp_path)[0]) == ["Ada\\x1b[2J Eve\\u202e"]


def test_an_exercise_that_this_version_has_not_is_a_line(tmp_path):
    folder = tmp_path / "class"
    folder.mkdir()
    people.put(folder, "Ada", {"09.new": ANSWER, "09.other": ANSWER})
    code, said, _ = call("class", folder, "--to", tmp_path / "report")
    assert code == 0 and "Ada: this version of the course has no exercise 09.new, 09.other." in said


@pytest.mark.parametrize(
    "words, told",
    [
        (["{}/nowhere"], "is no folder"),
        (["{}/one.json"], "is no folder"),
        (["{}"], "folder must not be the one that you are in"),
        (["{}/class", "--to", "{}/class"], "to must be a folder of the report's own"),
        (["{}/class", "--to", "{}"], "to must be a folder of the report's own"),
        (["{}/class", "--to", "{}/mine"], "class.csv is not a table of this course's: it is left as it is"),
        (["{}/class", "--seconds", "0"], "Invalid value"),
    ],
)
def test_a_bad_folder_is_a_sentence(tmp_path, monkeypatch, words, told):
    (tmp_path / "class").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/class.csv").write_text("my marks")
    (tmp_path / "one.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    code, _, error = call("class", *(word.format(tmp_path) for word in words))
    assert code == 2 and told in error and "Traceback" not in error
    assert (tmp_path / "mine/class.csv").read_text() == "my marks"


@pytest.mark.parametrize("name", ["class.html", "class-slide.html", "class.json", "class.csv"])
def test_a_strangers_file_of_each_name_is_refused_before_anything_is_run(tmp_path, monkeypatch, name):
    (tmp_path / "class").mkdir()
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / name).write_text("somebody's")
    monkeypatch.setattr(handin, "parsed", lambda _: pytest.fail("a hand-in was read"))
    code, _, error = call("class", tmp_path / "class", "--to", tmp_path / "report")
    assert code == 2 and "it is left as it is" in error and os.listdir(tmp_path / "report") == [name]


def test_an_empty_class_has_a_report(tmp_path):
    (tmp_path / "class").mkdir()
    code, said, _ = call("class", tmp_path / "class", "--to", tmp_path / "report")
    assert code == 0 and "0 people" in said
    assert "Nobody made a mistake" in (tmp_path / "report/class-slide.html").read_text(encoding="utf-8")
    assert sys.version_info and len(os.listdir(tmp_path / "report")) == 4
