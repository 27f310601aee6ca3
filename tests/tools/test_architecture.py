"""The house keeps its measures: short files, short functions, an exercise on a page or two."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHON = sorted([*(ROOT / "vaecourse").rglob("*.py"), *(ROOT / "tools").glob("*.py")])
SCRIPTS = [path for folder in ("vaecourse/labs", "site") for path in (ROOT / folder).rglob("*.js")]
LINES, BODY = 350, 60
EXERCISE = 120  # lines; each known mistake takes four to six of them
LONGER = {  # exercises in which many things go wrong
    "01.loss": 150,
    "03.iwae_bound": 130,
}


@pytest.mark.parametrize("path", [*PYTHON, *SCRIPTS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_is_short(path):
    assert path.read_text(encoding="utf-8").count("\n") < LINES


def body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function without its docstring: that of ``train.fit`` says what each of many arguments is."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is not None:
        lines -= function.body[0].end_lineno - function.body[0].lineno + 1
    return lines


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_function_is_short(path):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    functions = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, kinds)]
    assert {function.name: body(function) for function in functions if body(function) >= BODY} == {}


def test_an_exercise_is_on_a_page_or_two():
    files = {
        f"{path.parent.name.removeprefix('chapter_')}.{path.stem}": path.read_text(encoding="utf-8").count("\n")
        for path in (ROOT / "vaecourse/checks").glob("chapter_*/*.py")
        if path.stem != "__init__"
    }
    assert len(files) > 50
    assert {name: lines for name, lines in files.items() if lines > LONGER.get(name, EXERCISE)} == {}
    assert all(files[name] > EXERCISE for name in LONGER)  # else it needs no excuse
