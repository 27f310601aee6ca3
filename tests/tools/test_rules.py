"""The rules of a chapter: the sample follows them all, and each of them sees the faults that are planted for it."""

import ast

import nbformat
import pytest

from tools import chapter, notebooks, rules
from vaecourse import labs

TEXT, PLUMBING, NOTES, FIGURE, IGNORED, CARD, STUB, CHECK, SOLUTION, QUIZ = range(10)  # the cells of the sample


def _without(*keys):
    """A fault: this cell's metadata lose an entry."""

    def plant(cell):
        metadata = cell.metadata
        for key in keys[:-1]:
            metadata = metadata[key]
        del metadata[keys[-1]]

    return plant


def _with(**metadata):
    return lambda cell: cell.metadata.update(metadata)


def _prints(text, name="stdout"):
    output = nbformat.v4.new_output("stream", name=name, text=text)
    return lambda cell: cell.outputs.append(output)


def _shows(**data):
    output = nbformat.v4.new_output("display_data", data={key.replace("_", "/"): value for key, value in data.items()})
    return lambda cell: cell.outputs.append(output)


def _ends_in_an_error(cell):
    cell.outputs.append(nbformat.v4.new_output("error", ename="KeyError", evalue="'K'", traceback=[]))


def _forgets_its_outputs(cell):
    cell.outputs = []


def _was_not_run(cell):
    cell.outputs, cell.execution_count = [], None


def _says(source):
    return lambda cell: cell.update(source=source)


def _reads(old, new):
    """A fault: this cell says something else in one place."""

    def plant(cell):
        assert old in cell.source
        cell.source = cell.source.replace(old, new, 1)

    return plant


def _is_tagged(*names):
    return lambda cell: cell.metadata.update(tags=list(names))


def _is_code(cell):
    cell.update(cell_type="code", outputs=[], execution_count=1)


# rule, the cell, what is done to it, what the rule then says
FAULTS = {
    "source drifted": ("pair_agrees", FIGURE, _says("print('other')"), "another source"),
    "a cell that the mark does not know": (
        "knows_its_cells",
        FIGURE,
        _says("print('other')"),
        "as the notebook's mark",
    ),
    "a slide that it does not know": (
        "knows_its_cells",
        CARD,
        _with(slideshow={"slide_type": "-"}),
        "or settings that",
    ),
    "tag drifted": ("pair_agrees", FIGURE, _is_tagged("hide-input"), "another metadata"),
    "kind drifted": ("pair_agrees", TEXT, _is_code, "another kind"),
    "not run": ("executed", FIGURE, _was_not_run, "has not been run"),
    "skipped by a comment": ("nothing_is_skipped", FIGURE, _says("# NBVAL_SKIP\nx = 1"), "the comment NBVAL_SKIP"),
    "print without output": ("outputs_are_stored", FIGURE, _forgets_its_outputs, "stores no output"),
    "verdict without output": ("outputs_are_stored", CHECK, _forgets_its_outputs, "stores no output"),
    "error": ("no_errors", FIGURE, _ends_in_an_error, "ends in KeyError: 'K'"),
    "warning": ("no_errors", FIGURE, _prints("CELL.py:1: UserWarning: no", name="stderr"), "shows a warning"),
    "address": ("nothing_volatile", FIGURE, _prints("<object at 0x7f0011223344>"), "0x7f0011223344"),
    "folder": ("nothing_volatile", FIGURE, _prints(f"{chapter.ROOT}/data"), "of this machine"),
    "widget": ("nothing_volatile", FIGURE, _shows(**{chapter.WIDGET: {"model_id": "1"}}), "a widget model"),
    "heavy cell": ("sizes", FIGURE, _shows(image_png="A" * 1_600_000), "has outputs of 1.6 MB"),
    "no alt text": ("pictures_have_words", FIGURE, _without("mystnb"), "a picture without words"),
    "empty alt text": ("pictures_have_words", FIGURE, _with(mystnb={"image": {"alt": " "}}), "a picture without words"),
    "alt text of a word": ("pictures_have_words", FIGURE, _with(mystnb={"image": {"alt": "Plot"}}), "without words"),
    "markdown picture": ("pictures_have_words", CARD, _says("![](map.png)"), "between the brackets"),
    "no slide": ("slides", CARD, _without("slideshow"), "has slide_type None"),
    "unknown slide": ("slides", CARD, _with(slideshow={"slide_type": "page"}), "has slide_type 'page'"),
    "open solution": ("folding", SOLUTION, _without("jupyter"), "lies open"),
    "folded card": ("folding", CARD, _with(jupyter={"source_hidden": True}), "is folded"),
    "long cell": ("cells_are_short", FIGURE, _says("x = 1\n" * 16), "has 16 lines"),
    "wide line": ("cells_are_short", FIGURE, _says("x = 1" + " + 1" * 30), "has a line of 125 characters; at most 120"),
    "theory in a lab": (
        "nothing_but_labs",
        FIGURE,
        _says("from vaecourse.labs.signal import SignalToNoise, signal_to_noise\nprint(signal_to_noise)"),
        "takes labs.signal.signal_to_noise, which is no lab",
    ),
    "a lab's file": (
        "nothing_but_labs",
        FIGURE,
        _says("from vaecourse.labs import mmd\nprint(mmd)"),
        "labs.mmd, which",
    ),
    "by its full name": ("nothing_but_labs", FIGURE, _says("print(labs.trainer.Trainer)"), "labs.trainer, which"),
    "no check": ("exercises", CHECK, _is_tagged(), "is tagged `solution` after `stub`"),
    "no solution": ("exercises", SOLUTION, _is_tagged(), "no solution follows"),
    "no stub": ("exercises", STUB, _is_tagged(), "has 0 exercises"),
    "check of nothing": ("checks_speak", CHECK, _says("verdict"), "calls no checks.ALL"),
    "stub solved": ("checks_speak", CHECK, _forgets_its_outputs, "does not show 'Not solved yet'"),
    "solution fails": ("checks_speak", SOLUTION, _forgets_its_outputs, "does not show 'Passed'"),
    "no notes": ("notes_for_the_teacher", NOTES, _is_tagged(), "has no teaching notes"),
    "notes on a slide": ("notes_for_the_teacher", NOTES, _with(slideshow={"slide_type": "slide"}), "on a slide"),
    "notes in code": ("notes_for_the_teacher", FIGURE, _is_tagged("instructor"), "is not text"),
    "no title": ("begins_with_its_title", TEXT, _says("Welcome"), "must be text that begins with"),
    "no quiz": ("quiz", QUIZ, _is_tagged(), "has 0 cells tagged `quiz`"),
    "two quizzes": ("quiz", TEXT, _is_tagged("quiz"), "has 2 cells tagged `quiz`"),
    "one question": ("quiz", QUIZ, _reads("**2 ·** And", "And"), "asks 1 questions"),
    "two choices": ("quiz", QUIZ, _reads("<summary>C ·", "<summary>"), "in question 1 the choices 'AB'"),
    "letters out of order": ("quiz", QUIZ, _reads("<summary>B ·", "<summary>D ·"), "in question 1 the choices 'ADC'"),
    "no blank line": ("quiz", QUIZ, _reads("three.\n\n</details>", "three.\n</details>"), "a blank line around"),
    "no explanation": ("quiz", QUIZ, _reads("They add up to $3$, and there are three.", ""), "no reason for ['A']"),
    "nothing right": ("quiz", QUIZ, _reads("Right. They", "They"), "in question 1 [] as right answers"),
    "two right": ("quiz", QUIZ, _reads("This is their", "Right. This is their"), "in question 1 ['A', 'B'] as right"),
    "formula in a summary": (
        "quiz",
        QUIZ,
        _reads("B · −∞", r"B · $-\infty$"),
        "in question 2 a formula in the summary of ['B']",
    ),
    "always B": (
        "quiz",
        QUIZ,
        lambda cell: (_reads("Right. They", "They")(cell), _reads("This is their", "Right. This is their")(cell)),
        "has B as the right answer every time",
    ),
    "text to fill in": ("filled_in", CARD, _says("To fill in: what is asked"), 'says "To fill in: what is asked"'),
    "two titles": ("begins_with_its_title", CARD, _says("# Exercise"), "second heading"),
}
# Where a fault is seen, if not at the cell that it was planted in; None is the chapter as a whole.
SEEN_AT = {"no check": SOLUTION, "no solution": CHECK}
SEEN_AT |= dict.fromkeys(["a slide that it does not know", "no stub", "no notes", "no quiz", "two quizzes"])
# What is wrong with the text file, as a replacement in it.
SLIPS = {
    "unknown tag": ("metadata_is_known", 'tags=["stub"]', 'tags=["stubb"]', "['stubb']"),
    "unknown metadata": ("metadata_is_known", 'tags=["stub"]', 'tag="stub"', "['tag']"),
    "new cell in the text": (
        "pair_agrees",
        "# %% [markdown] slideshow",
        "# %%\n1\n\n# %% [markdown] slideshow",
        "only in",
    ),
}


@pytest.fixture(autouse=True)
def one_exercise_is_enough(monkeypatch):
    monkeypatch.setattr(rules, "EXERCISES", 1)


def test_the_sample_follows_every_rule(sample):
    assert rules.problems(sample) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_rule_sees_a_planted_fault_and_names_the_cell(sample, fault):
    rule, index, plant, says = FAULTS[fault]
    notebook = nbformat.read(sample.with_suffix(".ipynb"), as_version=4)
    plant(notebook.cells[index])
    sample.with_suffix(".ipynb").write_text(nbformat.writes(notebook))
    found = rules.problems(sample, [rule])
    assert any(says in problem for problem in found), found
    named = SEEN_AT.get(fault, index)
    where = "98-sample has" if named is None else f"98-sample, cell {named + 1} ("
    assert any(problem.startswith(where) for problem in found), found


@pytest.mark.parametrize("slip", SLIPS)
def test_a_rule_sees_a_slip_in_the_text(sample, slip):
    rule, old, new, says = SLIPS[slip]
    sample.write_text(sample.read_text().replace(old, new, 1))
    found = rules.problems(sample, [rule])
    assert any(says in problem for problem in found), found


def test_every_rule_has_a_fault_that_it_sees():
    assert {rule for rule, *_ in [*FAULTS.values(), *SLIPS.values()]} == set(rules.RULES)


def test_a_cell_that_is_only_in_the_notebook(sample):
    notebook = nbformat.read(sample.with_suffix(".ipynb"), as_version=4)
    notebook.cells.insert(2, nbformat.v4.new_markdown_cell("A late thought", id="late"))
    sample.with_suffix(".ipynb").write_text(nbformat.writes(notebook))
    (found,) = rules.problems(sample, ["pair_agrees"])
    assert 'cell 3 ("A late thought") is only in the .ipynb' in found


def test_a_notebook_of_more_than_two_megabytes(sample):
    notebook = nbformat.read(sample.with_suffix(".ipynb"), as_version=4)
    for index in (PLUMBING, FIGURE):
        _shows(image_png="A" * 1_100_000)(notebook.cells[index])
    sample.with_suffix(".ipynb").write_text(nbformat.writes(notebook))
    (found,) = rules.problems(sample, ["sizes"])
    assert found.startswith("98-sample is 2.2 MB")


def test_a_chapter_without_its_notebook_is_told_how_to_make_one(sample):
    sample.with_suffix(".ipynb").unlink()
    (found,) = rules.problems(sample)
    assert "make chapters" in found


def test_a_chapter_with_too_few_exercises(sample, monkeypatch):
    monkeypatch.setattr(rules, "EXERCISES", 4)
    (found,) = rules.problems(sample)
    assert "has 1 exercises (cells tagged `stub`); it needs at least 4" in found


@pytest.mark.parametrize(
    "code", ["labs.ALL['03.iwae']()", "from vaecourse.labs.cockpit import TrainingCockpit", "x = labs"]
)
def test_a_chapter_may_take_labs(sample, code):
    nothing = rules._taken_from_labs(ast.parse(code))
    assert set(nothing) <= {"ALL", *labs.PLACES.values()}
    assert list(labs.PLACES) == list(labs.ALL)


def test_a_chapter_without_a_quiz(sample):
    notebook = nbformat.read(sample.with_suffix(".ipynb"), as_version=4)
    notebook.cells.pop(QUIZ)
    sample.with_suffix(".ipynb").write_text(nbformat.writes(notebook))
    assert rules.problems(sample, ["quiz"])


def test_check_prints_the_problems_and_fails(sample, capsys):
    assert notebooks.main(["check", "--folder", str(sample.parent)]) == 0
    sample.write_text(sample.read_text() + "\n# %%\nprint('late')\n")
    assert notebooks.main(["check", "--folder", str(sample.parent)]) == 1
    assert "only in the .py; run `make chapters`" in capsys.readouterr().out
