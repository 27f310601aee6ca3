"""A class of 40: every count of the report is what is known, nothing is lost, and nothing harmful has happened."""

import csv
import json
import os
import re
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.classroom import people
from tests.test_cli import call
from vaecourse import cards, checks
from vaecourse.classroom import pages


def children():
    """This process's own."""
    own = Path(f"/proc/self/task/{os.getpid()}/children")
    return own.read_text().split() if own.exists() else []


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The class, what was said, and the folder of the report."""
    root = tmp_path_factory.mktemp("class")
    folder, to, trap, temporary = root / "handed in", root / "report", root / "trap", root / "temporary"
    folder.mkdir()
    temporary.mkdir()
    known = people.known_class(folder, trap)
    before = {path.name: path.lstat() for path in folder.iterdir()}
    own, start = children(), os.times()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(temporary))
        said = call("class", folder, "--to", to, "--seconds", 6)
    took = sum(os.times()[:4]) - sum(start[:4])  # of the processor: the clock runs on while others work
    assert len(before) == 40 and {path.name: path.lstat().st_mtime_ns for path in folder.iterdir()} == {
        name: found.st_mtime_ns for name, found in before.items()
    }
    assert children() == own and list(temporary.iterdir()) == []
    return known, said, to, trap, took


@pytest.fixture(scope="module")
def data(made):
    return json.loads((made[2] / "class.json").read_text(encoding="utf-8"))


def test_it_ends_and_says_so(made):
    known, (code, said, error), to, _, took = made
    assert code == 0 and error == "" and f"32 people, and {len(known.bad)} lines about files" in said
    assert sorted(path.name for path in to.iterdir()) == ["class-slide.html", "class.csv", "class.html", "class.json"]
    assert took < 60, took


def test_every_verdict_is_what_is_known(made, data):
    found = {one["name"]: {name: v["state"] for name, v in one["verdicts"].items()} for one in data["people"]}
    assert found == made[0].states
    assert made[0].mistakes.most_common(1)[0][1] > 2
    states = [state for own in found.values() for state in own.values()]
    assert min(states.count(state) for state in ("solved", "mistake", "wrong")) > 3  # the class tells something


def test_every_mistake_is_counted(made, data):
    known = made[0]
    handed_in = {(one["exercise"], one["name"]): len(one["handed_in"]) for one in data["mistakes"] if one["handed_in"]}
    on_the_way = {
        (one["exercise"], one["name"]): len(one["on_the_way"]) for one in data["mistakes"] if one["on_the_way"]
    }
    assert handed_in == known.mistakes and on_the_way == known.on_the_way
    assert [one["people"] for one in data["mistakes"]] == sorted(
        (one["people"] for one in data["mistakes"]), reverse=True
    )
    for one in data["mistakes"]:
        known_by_check = {mistake.name: mistake.message for mistake in checks.ALL[one["exercise"]].mistakes}
        assert one["message"] == known_by_check.get(one["name"], one["message"]) and one["message"]


def test_every_choice_is_counted(made, data):
    assert {one["question"]: one["chosen"] for one in data["questions"]} == made[0].choices
    right = {question.name: question.right for question in cards.data.asked()}
    assert {one["question"]: one["right"] for one in data["questions"]}.items() <= right.items()
    assert len({one["right"] for one in data["questions"]}) > 1, "what the files themselves call right is B"


def test_every_bad_file_is_one_line(made, data):
    lines = sorted(data["lines"])
    assert len(lines) == len(made[0].bad) == 8
    assert all(line.startswith(start) for line, start in zip(lines, made[0].bad, strict=True)), lines
    assert "has more than 20000000 bytes" in lines[3]  # and is not taken into memory
    assert "/etc/passwd" not in "".join(lines) and all("\n" not in line for line in lines)


@pytest.mark.parametrize(
    "name, told",
    [
        ("loops", "No answer after 6 seconds, so it was stopped."),
        ("takes memory", "with MemoryError."),
        ("leaves", "The answer ended its process before there was a verdict (exit code 0)."),
        ("exits", "The cell stops before `log_mean_exp` is there (SystemExit: 0)."),
        ("prints", "It survives -800 and +100"),
        ("forges", "The answer wrote by itself to where its verdict is read from, so there is none."),
    ],
)
def test_harm_is_told_in_words(data, name, told):
    (verdict,) = next(one["verdicts"] for one in data["people"] if one["name"] == name).values()
    assert told in verdict["message"]


def test_nothing_was_written_where_it_should_not(made, data):
    (verdict,) = next(one["verdicts"] for one in data["people"] if one["name"] == "writes").values()
    assert re.search("Permission denied|File too large", verdict["message"])
    if "Permission denied" in verdict["message"]:
        assert not made[3].exists()


def test_the_table_is_the_same_and_no_cell_is_a_formula(made, data):
    with open(made[2] / "class.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 32 and not [cell for row in rows for cell in row.values() if cell[:1] in ("=", "+", "-", "@")]
    by_name = {row["person"].removeprefix("'"): row for row in rows}
    assert "'=cmd()|'/C calc'!A0" in {row["person"] for row in rows}
    for one in data["people"]:
        row = by_name[one["name"]]
        for exercise, verdict in one["verdicts"].items():
            state = f"mistake: {verdict['mistake']}" if verdict["state"] == "mistake" else verdict["state"]
            assert row[exercise] == ("" if state == "empty" else state)
        assert int(row["solved"]) == sum(verdict["state"] == "solved" for verdict in one["verdicts"].values())
        assert int(row["of"]) == len(data["exercises"]) == len(row) - len(pages.FIRST)


@pytest.mark.parametrize(
    "cell, harmless",
    [
        ("Ada", "Ada"),
        ("=1+1", "'=1+1"),
        (" @a", "' @a"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("Eve;=1+1", "Eve;'=1+1"),
        ("Eve; \t-1;x", "Eve;' \t'-1;x"),
        ("\tEve", "'\tEve"),
        ("a-b; c", "a-b; c"),
        ("", ""),
    ],
)
def test_no_cell_and_no_part_of_one_is_a_formula(cell, harmless):
    """Excel parts cells at ; where the comma is that of numbers, and takes ＝ for = where letters are wide."""
    assert pages.harmless(cell) == harmless
    parts = re.split(r"[;\t]", pages.harmless(cell))
    assert not [part for part in parts if part.lstrip()[:1] in {*"=+-@\uff1d\uff0b\uff0d\uff20"}]


def test_only_questions_of_the_course_are_counted(tmp_path):
    """A file that said so had 10000 right answers. What is right, the course knows, and not the file."""
    asked = ["03.quiz.1", "03.quiz.2", "03.quiz.99", "03.recall.0", "99.quiz.1", "03.quiz.\u0661", "x.quiz.1"]
    questions = {name: {"opened": ["A"], "first": "A", "right": True} for name in asked}
    (tmp_path / "in").mkdir()
    people.put(tmp_path / "in", "Eve", {}, {"exercises": {}, "questions": questions, "last": None})
    assert call("class", tmp_path / "in", "--to", tmp_path / "report")[0] == 0
    with open(tmp_path / "report/class.csv", encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    right = sum(question.right == "A" for question in cards.data.questions("03.quiz")[:2])
    assert (row["quiz right"], row["quiz answered"]) == (str(right), "2") and right < 2
    counted = json.loads((tmp_path / "report/class.json").read_text(encoding="utf-8"))["questions"]
    assert [one["question"] for one in counted] == ["03.quiz.1", "03.quiz.2"]


class Reader(HTMLParser):
    """Tags, and the words of every cell of a table."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.tables, self.open = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "table":
            self.open = self.tables.setdefault(dict(attributes).get("id"), [])
        elif tag == "tr":
            self.open.append([])
        elif tag in ("td", "th"):
            self.open[-1].append("")

    def handle_endtag(self, tag):
        self.open = None if tag == "table" else self.open

    def handle_data(self, words):
        if self.open and self.open[-1]:
            self.open[-1][-1] += words.strip("\n")


def test_the_page_shows_the_same_counts(made, data):
    page = Reader((made[2] / "class.html").read_text(encoding="utf-8"))
    shown = [[*map(int, row[:3]), *row[3:]] for row in page.tables["mistakes"][1:]]
    assert shown == [
        [one["people"], len(one["handed_in"]), len(one["on_the_way"]), one["exercise"], one["name"], one["message"]]
        for one in data["mistakes"]
    ]
    signs = 0
    for chapter in {name[:2] for name in data["exercises"]}:
        head, *rows, last = page.tables[f"chapter-{chapter}"]
        here = [one for one in data["people"] if any(name[:2] == chapter for name in one["verdicts"])]
        assert [row[0] for row in rows] == [one["name"] for one in here]
        for row, one in zip(rows, here, strict=True):
            for exercise, sign in zip(head[2:], row[2:], strict=True):
                verdict = one["verdicts"].get(f"{chapter}.{exercise}")
                assert sign == (pages.SIGNS[verdict["state"]][0] if verdict else "")
                signs += bool(sign)
        assert last[2:] == [str(sum(row[place] == "✓" for row in rows)) for place in range(2, len(head))]
    assert signs == sum(map(len, made[0].states.values()))
    assert len(page.tables["quizzes"]) == 3
    head, *rows = page.tables["people"]
    for row, one in zip(rows, data["people"], strict=True):
        solved = [name for name, verdict in one["verdicts"].items() if verdict["state"] == "solved"]
        assert row[:2] == [one["name"], str(len(solved))]
        for chapter, cell in zip(head[2:], row[2:], strict=True):
            assert int(cell.partition(" of ")[0] or 0) == sum(name[:2] == chapter for name in solved)


@pytest.mark.parametrize("name", ["class.html", "class-slide.html"])
def test_names_and_words_are_words_and_nothing_is_fetched(made, name):
    text = (made[2] / name).read_text(encoding="utf-8")
    assert not {"script", "i", "b", "img", "iframe", "link", "a"} & set(Reader(text).tags) and "forged" not in text
    assert "<script" not in text and "default-src 'none'" in text
    assert ("&lt;script&gt;alert(1)&lt;/script&gt;&lt;b&gt;Eve" in text) == (name == "class.html")


def test_the_slide_has_the_four_most_frequent_and_nobodys_name(made, data):
    slide = (made[2] / "class-slide.html").read_text(encoding="utf-8")
    items = re.findall(r"<li>.*?>(\d+) of 32<.*?· ([\w.]+) · <strong>(.*?)</strong>", slide)
    assert [int(count) for count, _, _ in items] == [one["people"] for one in data["mistakes"][:4]]
    assert [exercise for _, exercise, _ in items] == [one["exercise"] for one in data["mistakes"][:4]]
    assert "Person" not in slide and "loops" not in slide


def test_the_same_line_again_writes_the_same_and_keeps_what_a_teacher_added(made, tmp_path):
    to = made[2]
    before = {path.name: path.read_bytes() for path in to.iterdir()}
    few = tmp_path / "few"
    few.mkdir()
    people.put(few, "One", {people.BOUND: {"name": "log_mean_exp", "source": people.RIGHT, "before": ""}})
    (to / "class.csv").write_bytes(before["class.csv"] + b"a remark\n")
    with pytest.warns(UserWarning, match="class.csv was not as this had left it: what it held is kept in"):
        assert call("class", few, "--to", to)[0] == 0
    (kept,) = (to / "kept").iterdir()
    assert kept.read_bytes().endswith(b"a remark\n") and b"One" in (to / "class.csv").read_bytes()
