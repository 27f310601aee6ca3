"""The rules of a chapter: the sample follows them all, and each of them sees the faults that are planted for it."""

import ast

import nbformat
import pytest

from tools import chapter, exercise_rules, lengths, minutes, notebooks, rules, visible
from vaecourse import labs

# The cells of the sample.
TEXT, PLUMBING, NOTES, RECALL, FIGURE, IGNORED, CARD, STUB, CHECK, SOLUTION, QUIZ = range(11)


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
    "a card that nobody can read": ("cards_agree", CARD, _says("### Exercise one"), "a card that cannot be read"),
    "an answer from another cell": (
        "answers_are_the_learners",
        CHECK,
        _says('answer = 1\nchecks.ALL["98.elbo"](answer)'),
        "which is the answer to 98.elbo",
    ),
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
    "wide line": ("cells_are_short", FIGURE, _says("x = 1" + " + 1" * 21), "has a line of 89 characters; at most 88"),
    "wide line in a fold": (
        "cells_are_short",
        SOLUTION,
        _says("x = 1" + " + 1" * 30),
        "has a line of 125 characters; at most 120",
    ),
    "wide loop over an assertion": (
        "cells_are_short",
        FIGURE,
        _says(f"for n in (1, 2):\n    assert n{' + n' * 40}\n    print(n{' + n' * 20})"),
        "has a line of 92 characters; at most 88: print(n + n",
    ),
    "dots for a word": ("cards", CARD, _reads("easy", "●○○"), "has no heading like '### Exercise 2 · The bound (easy"),
    "no such difficulty": ("cards", CARD, _reads("easy", "tricky"), "has no heading like"),
    "no minutes on the card": ("cards", CARD, _reads("easy, 1 minute", "easy"), "has no heading like"),
    "number of another": ("cards", CARD, _reads("Exercise 1", "Exercise 3"), "is exercise 3 and the 1. of the chapter"),
    "one hint": ("cards", CARD, _reads("Hint 2", "Hint 1"), "has the hints ['Hint 1', 'Hint 1']"),
    "hint without a number": ("cards", CARD, _reads("Hint 1", "Hint"), "has the hints ['Hint', 'Hint 2']"),
    "hint that asks nothing": ("cards", CARD, _reads("samples?", "samples."), "has a first hint that asks nothing"),
    "hint that shows its formulas as letters": (
        "cards",
        CARD,
        _reads("axes.\n\n</details>", "axes.\n</details>"),
        "has formulas in 'Hint 2'",
    ),
    "a function on paper": (
        "pen_and_paper",
        CARD,
        _reads("(easy", "(pen and paper, easy"),
        "is of pen and paper, so its stub is one value",
    ),
    "no recall": ("recall", RECALL, _is_tagged(), "has 0 cells tagged `recall`; it needs 1"),
    "recall under another name": (
        "recall",
        RECALL,
        _reads("## Before", "## Long before"),
        "does not begin with '## Be",
    ),
    "recall after a section": ("recall", TEXT, _says("# A\n\n## B"), "stands behind the first section"),
    "one recalled": (
        "recall",
        RECALL,
        _reads("**2 · (from 97)** What", "What"),
        "asks 1 questions, each from `**1 · (f",
    ),
    "recall of nothing": ("recall", RECALL, _reads("(from 97)", ""), "has in question 2 no earlier chapter"),
    "recall of the future": ("recall", RECALL, _reads("from 97", "from 98"), "has in question 2 no earlier chapter"),
    "recall without its reason": ("recall", RECALL, _reads("Right. B is", "B is"), "in question 1 [] as right answers"),
    "recall in a long word": ("recall", RECALL, _reads("The last<", "The very last<"), "right choice C as the longest"),
    "pause of another part": ("pauses", TEXT, _is_tagged("pause"), "does not begin with '**A natural pause.** Part 1"),
    "pause at the end": ("pauses", QUIZ, _is_tagged("pause"), "is tagged `pause` and no section comes after it"),
    "promises too little": ("honest_minutes", TEXT, _reads("5 minutes", "10 minutes"), "does not say **Reading 5"),
    "reads long": (
        "honest_minutes",
        TEXT,
        lambda cell: cell.update(source=cell.source + " word" * 13000),
        "has 110 minutes in part 1; at most 100",
    ),
    "map of before": (
        "minutes_of_the_map",
        TEXT,
        _says(f"| chapter | {lengths.COLUMN} |\n|---|---|\n| [98 sample](98-sample.ipynb) | 25 + 30 |"),
        "has '25 + 30' as the minutes of 98, which is 5 + 5",
    ),
    "map with a chapter that is none": (
        "minutes_of_the_map",
        TEXT,
        _says(f"| chapter | {lengths.COLUMN} |\n|---|---|\n| 97 gone | 5 + 5 |"),
        "has '5 + 5' as the minutes of 97, which is no chapter",
    ),
    "map without a chapter": (
        "minutes_of_the_map",
        TEXT,
        _says(f"| chapter | {lengths.COLUMN} |\n|---|---|\n| 97 gone | 5 + 5 |"),
        "has no row for 98 in its table",
    ),
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
    "right is longest": (
        "quiz",
        QUIZ,
        _reads("A · 1<", "A · 1.0<"),
        "has in question 1 its right choice A as the longest",
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
SEEN_AT = {"a card that nobody can read": None, "no check": SOLUTION, "no solution": CHECK}
SEEN_AT |= dict.fromkeys(["a slide that it does not know", "no stub", "no notes", "no quiz", "two quizzes"])
SEEN_AT |= {"recall after a section": RECALL} | dict.fromkeys(["no recall", "reads long"])
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
    monkeypatch.setattr(exercise_rules, "EXERCISES", 1)
    monkeypatch.setattr(exercise_rules, "ON_PAPER", 0)


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
    monkeypatch.setattr(exercise_rules, "EXERCISES", 4)
    (found,) = rules.problems(sample)
    assert "has 1 exercises (cells tagged `stub`); it needs at least 4" in found


def test_a_chapter_with_too_few_exercises_on_paper(sample, monkeypatch):
    monkeypatch.setattr(exercise_rules, "ON_PAPER", 2)
    (found,) = rules.problems(sample)
    assert "has 0 exercises of pen and paper; it needs at least 2" in found


@pytest.mark.parametrize("value", ["answer = ...  # a number", 'answer = ...  # the letters in order, "BCA"'])
def test_a_stub_on_paper_is_a_value(sample, value, monkeypatch):
    monkeypatch.setattr(exercise_rules, "ON_PAPER", 1)
    notebook = nbformat.read(sample.with_suffix(".ipynb"), as_version=4)
    notebook.cells[CARD].source = notebook.cells[CARD].source.replace("(easy", "(pen and paper, easy")
    notebook.cells[STUB].source = value
    sample.with_suffix(".ipynb").write_text(nbformat.writes(notebook))
    assert rules.problems(sample, ["cards", "pen_and_paper"]) == []


def test_the_first_chapter_asks_nothing_from_before(sample):
    notebook = nbformat.read(sample.with_suffix(".ipynb"), as_version=4)
    first = sample.with_name("00-first.py")
    first.with_suffix(".ipynb").write_text(nbformat.writes(notebook))
    (found, *_) = rules.problems(first, ["recall"])
    assert "has 1 cells tagged `recall`; it needs 0" in found
    notebook.cells.pop(RECALL)
    first.with_suffix(".ipynb").write_text(nbformat.writes(notebook))
    assert rules.problems(first, ["recall"]) == []


# What a learner sees, and how long it takes --------------------------------------------------------------------------

SEEN = {
    "x = 1\nassert x": "x = 1",
    "assert x, (\n    'two lines'\n)\ny = 2  # stays": "y = 2  # stays",
    "for n in a:\n    assert n\n    print(n)": "for n in a:\n    print(n)",
    "for n in a:\n    assert n\nprint(a)": "print(a)",
    "with a:\n    for n in a:\n        assert n": "",
    "if a:\n    assert b\nelse:\n    print(a)": "if a:\n    pass\nelse:\n    print(a)",
    "if a:\n    print(a)\nelse:\n    assert b\n    assert c": "if a:\n    print(a)\nelse:\n    pass",
    "def f():\n    assert a": "def f():\n    pass",
    "def f():\n    assert a\n    return a": "def f():\n    return a",
    "try:\n    f()\nexcept E:\n    assert a": "try:\n    f()\nexcept E:\n    pass",
}


@pytest.mark.parametrize("source", SEEN)
def test_a_learner_sees_no_assertion(source):
    assert visible.without_assertions(source) == SEEN[source]
    ast.parse(SEEN[source])


@pytest.mark.parametrize("source", chapter.sources(), ids=lambda path: path.stem)
def test_no_assertion_is_left_in_a_chapter_and_nothing_else_goes(source):
    for cell in chapter.stored(source).cells:
        if cell.cell_type == "code":
            left = ast.parse(visible.without_assertions(cell.source))
            assert not any(isinstance(node, ast.Assert) for node in ast.walk(left))
            if "assert" not in cell.source:
                assert ast.dump(left) == ast.dump(ast.parse(cell.source))


def _cell(source, *names, picture=False, kind="code", **metadata):
    if kind == "markdown":
        return nbformat.v4.new_markdown_cell(source, metadata={"tags": list(names), **metadata})
    outputs = [nbformat.v4.new_output("display_data", data={"image/png": "A"})] * picture
    return nbformat.v4.new_code_cell(source, outputs=outputs, metadata={"tags": list(names), **metadata})


FOLDED = {"jupyter": {"source_hidden": True}}
TAKES = {
    "260 words": (_cell("word " * 260, kind="markdown"), 2, 0),
    "a formula in a line": (_cell("$a + b$ " * 130, kind="markdown"), 1, 0),
    "two display formulas": (_cell("$$ a $$\n\n$$\nb + c\n$$", kind="markdown"), 2, 0),
    "a picture in a text": (_cell("![seven words that nobody counts as words](a.png)", kind="markdown"), 1, 0),
    "a link is what it is called": (_cell("[one two](https://a.b/c) " * 65, kind="markdown"), 1, 0),
    "bars of a table": (_cell("| a | b |\n|---|---|\n" + "| c | d |\n" * 64, kind="markdown"), 1, 0),
    "code in a text": (_cell("```python\n" + "x = 1\n" * 8 + "```", kind="markdown"), 1, 0),
    "16 lines of code, of which two are empty": (_cell("x = 1\n" * 8 + "\n\n" + "x = 1\n" * 8), 2, 0),
    "code that only asserts": (_cell("assert 1\n" * 8), 0, 0),
    "a figure": (_cell("x = 1\n" * 8, picture=True), 2, 0),
    "a figure of folded code": (_cell("x = 1\n" * 8, "hide-input", picture=True, **FOLDED), 1, 0),
    "a lab": (_cell('labs.ALL["03.iwae"]()', picture=True, **FOLDED), 1, 5),
    "a small lab": (_cell('labs.ALL["00.chord"]()', picture=True, **FOLDED), 1, 2),
    "a teaching note": (_cell("word " * 260, "instructor", kind="markdown"), 0, 0),
    "a solution": (_cell("x = 1\n" * 8, "solution", picture=True), 0, 0),
    "a card": (
        _cell(
            "### Exercise 2 · A (of B) (pen and paper, hard, 12 minutes)\n" + "a " * 130, "exercise", kind="markdown"
        ),
        0,
        12,
    ),
    "a stub": (_cell("x = 1\n" * 8, "stub"), 0, 0),
    "three questions": (_cell("## Quiz\n\n**1 ·** a\n\n**2 ·** b\n\n**3 ·** c\n", "quiz", kind="markdown"), 0, 3),
    "two recalled": (_cell("**1 · (from 01)** a\n\n**2 · (from 02)** b\n", "recall", kind="markdown"), 0, 2),
}


@pytest.mark.parametrize("what", TAKES)
def test_what_is_read_and_done_is_counted(what):
    cell, reading, doing = TAKES[what]
    assert (lengths.reading(cell), lengths.doing(cell)) == (reading, doing)


def test_a_pause_ends_a_part_and_the_title_says_so():
    cells = [_cell("word " * 660, kind="markdown"), _cell("**A natural pause.**", "pause", kind="markdown")]
    cells += [_cell("", "exercise", kind="markdown"), _cell('labs.ALL["03.iwae"]()'), _cell('labs.ALL["03.iwae"]()')]
    found = lengths.parts(nbformat.v4.new_notebook(cells=cells))
    assert found == [lengths.Part(10, 0), lengths.Part(5, 10)]
    said = "**Part 1: reading 10 minutes, doing 0 minutes. Part 2: reading 5 minutes, doing 10 minutes.**"
    assert lengths.sentence(found) == said and lengths.on_the_map(found) == "10 + 0, then 5 + 10"
    assert lengths.sentence(found[1:]) == "**Reading 5 minutes, doing 10 minutes.**"


@pytest.mark.parametrize(
    "said",
    [
        "**Reading 50 minutes, doing 1 minute.** Running it takes a minute.",
        "**Reading 45 minutes,\n# doing 50 minutes**, without the project.",
        "**Part 1: reading 5 minutes, doing 5 minutes. Part 2: reading\n# 40 minutes, doing 25 minutes.**",
    ],
)
def test_write_puts_the_minutes_into_title_and_map_of_both_files(sample, said, capsys):
    table = f"# | chapter | {lengths.COLUMN} | |\n# |---|---|---|\n# | [98 a](98-sample.ipynb) | 1 + 1 | 5 |\n"
    right = sample.read_text()
    (before,) = [line for line in right.splitlines() if minutes.FIRST_LINE in line]
    with_map = f'# %% [markdown] slideshow={{"slide_type": "skip"}}\n{table}\n# %% [markdown] slideshow'
    sample.write_text(
        right.replace(minutes.FIRST_LINE, said)
        .replace("# %% [markdown] slideshow", with_map, 2)
        .replace(with_map, "# %% [markdown] slideshow", 1)
    )
    notebooks.refresh(sample)
    assert len(rules.problems(sample)) == 2
    folder = ["--folder", str(sample.parent)]
    assert minutes.main(["print", *folder]) == 0
    assert capsys.readouterr().out.split() == ["98-sample", "5", "+", "5", *"the title says otherwise".split()]
    assert minutes.main(["write", *folder]) == 0 and rules.problems(sample) == []
    assert "| 5 + 5 | 5 |" in sample.read_text() and capsys.readouterr().out.split() == ["98-sample", "written"]
    files = [path.read_bytes() for path in sorted(sample.parent.iterdir())]
    assert minutes.main(["write", *folder]) == 0 and "unchanged" in capsys.readouterr().out
    assert files == [path.read_bytes() for path in sorted(sample.parent.iterdir())] and len(files) == 2
    rest = said.rpartition("**")[2]
    assert before.replace(minutes.FIRST_LINE, minutes.FIRST_LINE + rest) in sample.read_text().splitlines()


def test_write_refuses_a_title_without_minutes(sample, capsys):
    sample.write_text(sample.read_text().replace(minutes.FIRST_LINE, "Five minutes."))
    assert minutes.main(["write", "98", "--folder", str(sample.parent)]) == 1
    assert "98-sample: write **Reading 5 minutes, doing 5 minutes.** into its first cell" in capsys.readouterr().err


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
