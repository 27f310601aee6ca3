"""The class's notebooks: nothing of the teacher's is in them, all else is, and they run with no exercise solved."""

import ast
import symtable
from collections.abc import Iterator

import nbformat
import pytest

from tools import chapter, exercise_rules, student

CHAPTERS = chapter.sources()


def tables(cells) -> Iterator[symtable.SymbolTable]:
    """Of every code cell its table of names, and those of the functions and classes in it."""
    waiting = [symtable.symtable(cell.source, cell.id, "exec") for cell in cells if cell.cell_type == "code"]
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        yield table


def bound(cells) -> set[str]:
    """The names that the cells leave behind in the notebook."""
    modules = [table for table in tables(cells) if table.get_type() == "module"]
    return {symbol.get_name() for table in modules for symbol in table.get_symbols() if symbol.is_local()}


def loaded(cells) -> set[str]:
    """The names of the notebook that the cells use, at their top or inside a function."""
    symbols = [(table.get_type() == "module", symbol) for table in tables(cells) for symbol in table.get_symbols()]
    return {symbol.get_name() for top, symbol in symbols if symbol.is_referenced() and (top or symbol.is_global())}


@pytest.mark.parametrize("source", CHAPTERS, ids=lambda path: path.stem)
def test_it_is_the_chapter_without_what_the_teacher_keeps(source, tmp_path):
    given = nbformat.read(student.write(source, tmp_path), as_version=4)
    nbformat.validate(given)
    whole = chapter.read(source).cells
    kept = [cell for cell in whole if not {"solution", "instructor"} & set(chapter.tags(cell))]
    assert len(kept) < len(whole)
    own = [cell for cell in given.cells if cell.id != "class-version" and not cell.id.endswith("-go-on")]
    assert [cell.source for cell in own] == [cell.source for cell in kept]
    assert {"stub", "check", "exercise"} <= {tag for cell in given.cells for tag in chapter.tags(cell)}
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in given.cells)


@pytest.mark.parametrize("source", CHAPTERS, ids=lambda path: path.stem)
def test_what_a_later_cell_needs_is_there_without_a_solution(source):
    given = student.without_answers(source).cells
    solutions = [cell for cell in chapter.read(source).cells if "solution" in chapter.tags(cell)]
    assert not (bound(solutions) - bound(given)) & loaded(given)
    stubs = bound([cell for cell in given if "stub" in chapter.tags(cell)])
    own = [cell for cell in given if not {"stub", "check"} & set(chapter.tags(cell)) and not cell.id.endswith("-go-on")]
    stand_ins = bound([cell for cell in given if cell.id.endswith("-go-on")])
    assert (stubs - bound(own)) & loaded(own) == stand_ins


def test_a_name_that_only_a_solution_gives_is_seen():
    code = nbformat.v4.new_code_cell
    solution = [code("def f(a):\n    b = a\n    return b\n\nimport c as d\nx = f(1)")]
    assert bound(solution) == {"f", "d", "x"}
    assert loaded([code("def g(x, b):\n    return d(x) + b\n\ny = 1")]) == {"d"}


def grown(cell) -> set[str]:
    """The names that a cell adds to: ``names |= more`` needs what they were."""
    nodes = ast.walk(ast.parse(cell.source))
    return {node.target.id for node in nodes if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name)}


def touched(notebook) -> list[nbformat.NotebookNode]:
    """The code cells that may do something else here than in the chapter, and all that these need.

    They are the stubs, the checks, the stand-ins, and what uses a stand-in. The others do here what they do in the
    chapter, for they find what they find there; and that nbval has seen.
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    gives = [bound([cell]) for cell in cells]
    takes = [(loaded([cell]) - bound([cell])) | grown(cell) for cell in cells]  # one that needs more will say so
    stand_ins = bound([cell for cell in cells if cell.id.endswith("-go-on")])
    own = [bool({"stub", "check"} & set(chapter.tags(cell))) or cell.id.endswith("-go-on") for cell in cells]
    needed = {index for index, cell in enumerate(cells) if own[index] or takes[index] & stand_ins}
    waiting = list(needed)
    while waiting:
        index = waiting.pop()
        last = {name: before for before in range(index) for name in gives[before] & takes[index]}
        waiting += set(last.values()) - needed
        needed |= set(last.values())
    return [cells[index] for index in sorted(needed)]


@pytest.mark.parametrize("source", CHAPTERS, ids=lambda path: path.stem)
def test_it_runs_to_its_end_with_nothing_solved(source, tmp_path, monkeypatch):
    """What may do something else than in the chapter; ``python -m tools.student --run`` runs all of it."""
    whole = student.without_answers(source)
    checks = [cell for cell in whole.cells if "check" in chapter.tags(cell)]
    whole.cells = touched(whole)
    monkeypatch.setattr(student, "without_answers", lambda _: whole)
    ran = student.run(source, tmp_path)
    kind = [cell for cell in ran.cells if "check" in chapter.tags(cell) and student.UNSOLVED in chapter.shown(cell)]
    assert len(kind) == len(checks) >= exercise_rules.EXERCISES
    assert not list(tmp_path.iterdir())


def test_what_may_do_something_else_is_run():
    notebook = nbformat.v4.new_notebook()
    code = nbformat.v4.new_code_cell
    notebook.cells = [
        code("import a, b", id="imports"),
        code("x = y = a.train()", id="trains"),
        code("y = b.load()", id="loads"),
        code("def f(z): ...", id="stub", metadata={"tags": ["stub"]}),
        code("f(y)", id="check", metadata={"tags": ["check"]}),
        code("f = b.f", id="check-go-on"),
        code("n = 1", id="begins"),
        code("for x in (1, 2):\n    n += f(x)", id="uses"),
        code("print(x)", id="shows"),
    ]
    ids = [cell.id for cell in touched(notebook)]
    assert ids == ["imports", "loads", "stub", "check", "check-go-on", "begins", "uses"]


CHAPTER = """\
# %%
from vaecourse import checks

# %% tags=["stub"]
shape = ...

# %% tags=["check"]
checks.ALL["00.shape"](shape)

# %%
print("going on with", shape)
"""


def test_a_later_cell_goes_on_with_the_courses_answer_or_with_the_learners(tmp_path):
    source = tmp_path / "90-needy.py"
    source.write_text(CHAPTER)
    assert student.run(source, tmp_path).cells[-1].outputs[0].text == "going on with (2, 7, 5)\n"
    source.write_text(CHAPTER.replace("shape = ...", "shape = [2, 7, 5]"))  # right, in the learner's own words
    with pytest.raises(chapter.ChapterError, match="does not say"):
        student.run(source, tmp_path)
    source.write_text(CHAPTER.replace("print(", "shape = 1\nprint("))
    assert not [cell for cell in student.without_answers(source).cells if cell.id.endswith("-go-on")]


def test_a_check_that_is_not_kind_is_told(sample, tmp_path, monkeypatch):
    monkeypatch.setattr(student, "UNSOLVED", "words that no check says")
    with pytest.raises(chapter.ChapterError, match=r"98-sample, cell \d+ \(.*does not say"):
        student.run(sample, tmp_path)


def test_the_chapters_themselves_are_never_written(sample, capsys):
    before = sample.with_suffix(".ipynb").read_bytes()
    with pytest.raises(chapter.ChapterError, match="name another one"):
        student.write(sample, sample.parent)
    assert student.main(["42"]) == 1 and "no chapter starts with 42" in capsys.readouterr().err
    assert sample.with_suffix(".ipynb").read_bytes() == before
