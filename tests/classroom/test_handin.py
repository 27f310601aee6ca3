"""What a learner's folder gives: the answers that were typed, the lines that they need, and nothing else."""

import json
import os
import time
from pathlib import Path

import pytest

from tests.test_cli import call
from tools import edition, typed
from vaecourse import progress
from vaecourse.cards import data
from vaecourse.classroom import handin, judging, notebooks, slices

BOUND = "03.iwae_bound"


@pytest.fixture(scope="module")
def learn(tmp_path_factory):
    """The learner's edition of chapter 03 and of 00."""
    folder = tmp_path_factory.mktemp("learn")
    sources = typed.notebooks(typed.CHAPTERS)
    for place in (0, 3):
        (folder / sources[place].name).write_text(json.dumps(edition.edition(sources, place)), encoding="utf-8")
    return folder


@pytest.fixture
def folder(learn, tmp_path, monkeypatch):
    """A copy of it to write in, as the current folder."""
    for path in learn.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, exercise, source, own=(), below=False, check=None):
    """Type an answer, and cells of one's own above or below it."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    place = typed.stubs(notebook)[exercise]
    notebook["cells"][place]["source"] = source
    if check is not None:
        cell = next(cell for cell in notebook["cells"] if f'.show("{exercise}")' in typed.source(cell))
        cell["source"] = check
    cells = [
        {"cell_type": "code", "metadata": {}, "source": text, "outputs": [], "id": f"own-{n}"}
        for n, text in enumerate(own)
    ]
    place += below
    notebook["cells"][place:place] = cells
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return notebook


def handed_in():
    code, said, error = call("hand-in", "--name", "Ada")
    assert (code, error) == (0, ""), error
    return handin.parsed(Path("Ada.vaecourse.json").read_bytes()), said


ANSWER = "def iwae_loss(log_w, pooled):\n    return -mean_of(log_w.flatten(0, 1)[None] if pooled else log_w)"
HELPER = "import math\n\ndef mean_of(log_w):\n    return (log_w.logsumexp(1) - math.log(log_w.shape[1])).mean()"


def test_what_nobody_typed_is_not_handed_in(folder):
    found, said = handed_in()
    assert found.answers == {} and "has 0 answers of Ada" in said


@pytest.mark.parametrize("check", [None, f'checks.ALL["{BOUND}"](iwae_loss)'])
@pytest.mark.parametrize("below", [False, True])
def test_an_answer_comes_with_the_helpers_that_it_needs_and_no_more(folder, check, below):
    unused = "import torch\nbig = torch.ones(10**9)\nprint(big)"
    own = [unused, "%matplotlib inline\nplot = 1", HELPER, "helper = 3  # of nobody"]
    write(folder / "03-iwae.ipynb", BOUND, ANSWER, own, below, check)
    found, said = handed_in()
    answer = found.answers[BOUND]
    assert found.answers.keys() == {BOUND} and (answer.name, answer.source) == ("iwae_loss", ANSWER)
    assert "def mean_of" in answer.before and "import math" in answer.before
    assert not any(word in answer.before for word in ("big", "plot", "helper", "checks"))
    assert "has 1 answer of Ada" in said and "Nothing was sent" in said
    with judging.Judge(5.0) as judge:
        assert judge(BOUND, answer).state == "solved"


def test_the_answer_of_another_exercise_and_numbers_of_the_notebook_come_along(folder):
    path = folder / "03-iwae.ipynb"
    write(path, "03.normalised_weights", "def shares(log_w):\n    return log_w.softmax(1)")
    write(
        path,
        BOUND,
        "def iwae_loss(log_w, pooled):\n    return (shares(log_w) * log_w * SCALE[0]).sum(1).mean(0)",
        ["SCALE = []", "SCALE.append(2)"],
    )
    before = handed_in()[0].answers[BOUND].before
    assert "def shares" in before and "SCALE" in before


def test_an_answer_that_was_solved_before_its_chapter_was_begun_anew_is_handed_in(folder):
    progress.tried(BOUND, True)
    progress.answered(BOUND, HELPER + "\n\n" + ANSWER)
    progress.chose("03.quiz.1", "B", True)
    found, _ = handed_in()
    imports = data.chapter("03").imports
    assert found.answers == {BOUND: notebooks.Answer("iwae_loss", HELPER + "\n\n" + ANSWER, imports)}
    assert found.progress.questions["03.quiz.1"].right and found.course["version"] and found.name == "Ada"


def test_a_notebook_that_cannot_be_read_is_told_and_the_others_are_handed_in(folder):
    write(folder / "03-iwae.ipynb", BOUND, HELPER + "\n" + ANSWER)
    (folder / "00-start-here.ipynb").write_text('{"cells": [')
    (folder / "progress.json").write_text("[]")
    found, said = handed_in()
    assert found.answers.keys() == {BOUND}
    assert (
        "00-start-here.ipynb is not handed in: it is no notebook" in said and "Your progress is not handed in" in said
    )


def test_it_is_read_from_learn_below_and_from_a_folder_that_is_named(folder, tmp_path_factory, monkeypatch):
    write(folder / "03-iwae.ipynb", BOUND, HELPER + "\n" + ANSWER)
    above = tmp_path_factory.mktemp("above")
    os.symlink(folder, above / "learn")
    monkeypatch.chdir(above)
    assert handed_in()[0].answers.keys() == {BOUND}
    assert call("hand-in", folder, "--name", "Ada", "--to", "mine.json")[0] == 0 and Path("mine.json").exists()
    code, said, _ = call("progress")
    assert (
        code == 0
        and "03-iwae        0 of 8" in said
        and said.endswith("Begin with exercise 1 of 00-start-here.ipynb (00.shape).\n")
    )


def test_a_strangers_file_is_not_written_over_and_another_persons_is_kept(folder):
    Path("Ada.vaecourse.json").write_text("a thesis")
    code, _, error = call("hand-in", "--name", "Ada")
    assert (
        code == 2
        and "is not a hand-in of this course" in error
        and Path("Ada.vaecourse.json").read_text() == "a thesis"
    )
    assert call("hand-in", "--name", "Eve", "--to", "one.json")[0] == 0
    assert call("hand-in", "--name", "Eve", "--to", "one.json")[0] == 0 and not Path("kept").exists()
    with pytest.warns(UserWarning, match="kept in"):
        assert call("hand-in", "--name", "Ada", "--to", "one.json")[0] == 0
    (kept,) = Path("kept").iterdir()
    assert handin.parsed(kept.read_bytes()).name == "Eve"


def test_what_only_the_file_has_is_kept(folder):
    """On Colab the notebooks of last week are gone, and the file that was handed in is all that is left of them."""
    write(folder / "03-iwae.ipynb", BOUND, HELPER + "\n" + ANSWER)
    before, _ = handed_in()
    progress.chose("03.quiz.1", "B", True)
    handed_in()
    assert not Path("kept").exists(), "all that was in it is in the new one"
    (folder / "03-iwae.ipynb").unlink()
    with pytest.warns(UserWarning, match="kept in"):
        assert handed_in()[0].answers == {}
    (copy,) = Path("kept").iterdir()
    assert handin.parsed(copy.read_bytes()).answers == before.answers
    (folder / progress.FILE).unlink()
    with pytest.warns(UserWarning, match="kept in"):
        handed_in()
    (other,) = set(Path("kept").iterdir()) - {copy}
    assert handin.parsed(other.read_bytes()).progress.questions["03.quiz.1"].right


@pytest.mark.parametrize("name", ["../../etc/passwd", "李" * 100, "<b>Ada</b>", "O'Neil & Co", "张三", "a\tb", "..."])
def test_a_file_gets_a_name_that_is_one(folder, name):
    code, said, _ = call("hand-in", "--name", name)
    (made,) = folder.glob("*.vaecourse.json")
    assert code == 0 and handin.parsed(made.read_bytes()).name == " ".join(name.split())


def test_a_name_is_asked_for(folder):
    from typer.testing import CliRunner

    from vaecourse.__main__ import app

    ran = CliRunner().invoke(app, ["hand-in"], input="Ada L.\n")
    assert ran.exit_code == 0 and "Your name" in ran.stdout and Path("Ada-L.vaecourse.json").exists()
    ran = CliRunner().invoke(app, ["hand-in"], input="\n")
    assert ran.exit_code == 2 and "name must have 1 to 100 letters, got 0" in ran.stderr


NOT_TO_BE_RUN = [
    "def f(a, a): return a",
    "nonlocal x",
    "def f():\n    x = 1\n    global x",
    "def f():\n    from math import *",
    "a = [y := 1 for z in (y := [1])]",
    "a = " + "-" * 900 + "1",
    "a = x" + ".a" * 2000,
    "a = 0x" + "f" * 10000,
    "a = 1" + "+1" * 3000,
]


@pytest.mark.parametrize("line", NOT_TO_BE_RUN)
def test_a_line_that_python_reads_and_cannot_run_costs_only_itself(folder, line):
    """It stopped the hand-in, and a whole class's report."""
    write(folder / "03-iwae.ipynb", BOUND, ANSWER, own=[line + "\nb = 1", HELPER])
    found, _ = handed_in()
    assert "def mean_of" in found.answers[BOUND].before and found.answers[BOUND].source == ANSWER
    write(folder / "03-iwae.ipynb", BOUND, line)
    assert handed_in()[0].answers[BOUND].source == line


def test_a_notebook_of_thousands_of_cells_is_read_in_seconds(tmp_path):
    cells = []
    for number in range(1500):
        cells.append(cell(f"def f{number}(x):\n    return f{number - 1}(x) + a", "stub"))
        cells.append(cell(f'checks.ALL["00.of_{number % 90}"](f{number})'))
    start = time.monotonic()
    found = notebooks.answers({"metadata": {}, "cells": cells})
    assert len(found) == 90 and found["00.of_0"].source.startswith("def f1440(") and time.monotonic() - start < 30
    with pytest.raises(ValueError, match="it has more than 100 exercises"):
        notebooks.answers({"metadata": {}, "cells": [*cells[:2], *(one for n in range(200) for one in asked(n))]})


def cell(source, *tags):
    return {"cell_type": "code", "metadata": {"tags": [*tags]}, "source": source, "id": [source]}


def asked(number):
    return cell("a = 1", "stub"), cell(f'checks.ALL["01.x{number}"](a)')


def test_so_many_lines_around_an_answer_are_looked_at(monkeypatch):
    far, near = "a = 1", "b = 2\n" * 3
    assert slices.needed_lines("c = a + b", [far, near]) == "a = 1\nb = 2\nb = 2\nb = 2"
    monkeypatch.setattr(slices, "NEAR", 2)
    assert slices.needed_lines("c = a + b", [far, near]) == "b = 2\nb = 2\nb = 2"
    monkeypatch.setattr(slices, "NEAR", 9)
    monkeypatch.setattr(slices, "LETTERS", 20)
    assert slices.needed_lines("c = a + b", [far, near]) == "b = 2\nb = 2\nb = 2"


@pytest.mark.parametrize(
    "source, made",
    [("a = 1\ndef f(): pass", ["a", "f"]), ("import math", []), ("def f(:", []), ("a = b = 2", ["a", "b"])],
)
def test_the_names_that_a_cell_makes(source, made):
    assert slices.names_made(source) == made


@pytest.mark.parametrize(
    "answer, before, needed",
    [
        (
            "def f(x): return g(x)",
            ["def g(x): return h(x)", "def h(x): return x"],
            "def g(x):\n    return h(x)\ndef h(x):\n    return x",
        ),
        ("def f(x): return K", ["K = 1", "K = 2"], "K = 2"),
        ("def f(x): return K", ["K = 1\nK += 1", "L = 2"], "K = 1\nK += 1"),
        ("def f(x): return m(x)", ["m = make()\nm.eval()\nn.eval()"], "m = make()\nm.eval()"),
        ("def f(x): return t.a", ["import t\nt.seed(1)"], "import t"),
        ("def f(x): return x.a + len(x)", ["x = 1", "len = 2"], "len = 2"),
        ("def f(x): return [y for y in x]", ["y = 1"], ""),
        ("def f(x): return f(x)", ["def f(x): return 1"], ""),
        ("def f(x): return g(x)", ["%time 1\n!ls\ndef g(x): return x"], "def g(x):\n    return x"),
        ("def f(:", ["K = 1"], ""),
        ("def f(x): return g(x)", ["class A:\n    def g(x): pass"], ""),
        (
            "def f(x): return a(x)",
            ["a = lambda x: b(x)", "b = lambda x: a(x)"],
            "a = lambda x: b(x)\nb = lambda x: a(x)",
        ),
    ],
)
def test_the_lines_that_an_answer_needs(answer, before, needed):
    found = slices.needed_lines(answer, before)
    assert found == needed or answer.endswith("len(x)") and found == ""  # a builtin is at hand


def test_the_card_says_what_an_answer_is_called():
    text = "def bound(x):\n    return x\n\n\ndef helper(x):\n    return x"
    assert notebooks.named("01.elbo", text) == "my_elbo" == data.exercise("01.elbo").answer
    assert notebooks.named("01.of_no_card", text) == "helper" and notebooks.named("01.bound", text) == "bound"
    assert "import" in notebooks.imports("01.elbo") and notebooks.imports("77.elbo") == ""


def test_a_cells_sum_is_that_of_the_mark(learn):
    for path in learn.iterdir():
        notebook = typed.read(path)
        assert [notebooks.sum_of(cell) for cell in notebook["cells"]] == [*map(typed.sum_of, notebook["cells"])]
        assert {name: place for name, place, _ in notebooks.exercises(notebook)} == typed.stubs(notebook)


def whole():
    answers = {BOUND: notebooks.Answer("a", "b")}
    return json.loads(
        handin.text(handin.HandIn("Ada", "2026-11-26 10:00:00", {"version": "1"}, answers, progress.Progress()))
    )


@pytest.mark.parametrize(
    "change, told",
    [
        ({"vaecourse hand-in": 2}, "it is of version 2, and this course reads 1"),
        ({"vaecourse hand-in": True}, "it is of version True"),
        ({"name": None}, "not as the course writes it"),
        ({"name": "\ud800"}, "not as the course writes it"),
        ({"written": 3}, "not as the course writes it"),
        ({"course": []}, "not as the course writes it"),
        ({"answers": []}, "not as the course writes it"),
        ({"answers": {BOUND: {"name": "a", "source": "b", "before": 1}}}, "not as the course writes it"),
        ({"answers": {BOUND: {"name": "a", "source": "b", "run": "rm"}}}, "not as the course writes it"),
        ({"answers": {"../../x": {"name": "a", "source": "b"}}}, "../../x is the name of no exercise"),
        ({"answers": {BOUND: {"name": "a", "source": "b" * 100_001}}}, "more than 100000 letters"),
        ({"progress": {"exercises": {"03.a": {"attempts": "many"}}}}, "not as the course writes it"),
        ({"progress": None}, "not as the course writes it"),
    ],
)
def test_a_hand_in_that_is_not_as_it_is_written_is_refused(change, told):
    assert handin.parsed(json.dumps(whole()).encode()).answers[BOUND].source == "b"
    with pytest.raises(ValueError, match=told.replace(".", r"\.")):
        handin.parsed(json.dumps(whole() | change).encode())
