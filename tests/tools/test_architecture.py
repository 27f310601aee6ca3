"""The house is as docs/architecture.md draws it, and keeps its measures: floors, short files, short functions."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = sorted([*(ROOT / "vaecourse").rglob("*.py"), *(ROOT / "tools").glob("*.py")])
SCRIPTS = [path for folder in ("vaecourse/labs", "site") for path in (ROOT / folder).rglob("*.js")]
PACKAGE = ROOT / "vaecourse"
LINES, BODY = 350, 60
EXERCISE = 150  # lines: ninety of a hundred mistakes that people make are named, and each name needs its words
LONGER = {
    "02.log_likelihood": 185,  # a running mean, chunks of another size, and how many were drawn
    "04.two_goals": 165,  # two goals, two lists of parameters
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


# The floors of the package: a module uses its own floor and those under it, and there is no circle among modules.


def floors() -> dict[str, int]:
    """The floor of each module, as docs/architecture.md has it."""
    rows = re.findall(r"^\| (\d) \| (`.+`) \|$", (ROOT / "docs/architecture.md").read_text(), flags=re.MULTILINE)
    return {name: int(floor) for floor, names in rows for name in re.findall(r"`(\w+)`", names)}


FLOORS = floors()


def modules_used(file: Path) -> set[str]:
    """The modules of the package that a file imports."""
    used = set()
    for node in ast.walk(ast.parse(file.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: write imports in full"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        used |= {name.split(".")[1] for name in names if name.startswith("vaecourse.")}
    return used


def modules() -> dict[str, set[str]]:
    """Each module of the package, a file or a folder, and the other modules that it uses."""
    found: dict[str, set[str]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        module = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if module != "__init__":
            found[module] = found.get(module, set()) | modules_used(file) - {module}
    return found


def test_a_module_uses_only_its_own_floor_and_those_under_it():
    for module, used in modules().items():
        assert module in FLOORS, f"vaecourse.{module} has no floor; give it one in docs/architecture.md"
        for other in used - {"__version__"}:
            assert FLOORS[other] <= FLOORS[module], f"vaecourse.{module} imports vaecourse.{other}, which is above it"


def test_the_page_names_no_module_that_is_not_there_and_nothing_looks_out_of_the_package():
    assert FLOORS.keys() == modules().keys()
    for file in sorted(PACKAGE.rglob("*.py")):
        outside = r"^\s*(?:import|from) (tools|site|tests|benchmarks)\b"
        assert not re.search(outside, file.read_text(), flags=re.MULTILINE), file


def tools_used(file: Path) -> set[str]:
    """The other modules of tools/ that a file imports, wherever in it."""
    imports = r"^\s*from tools(?: import ([\w, ]+)|\.(\w+) import)"
    found = re.findall(imports, file.read_text(), flags=re.MULTILINE)
    return {name.split(" as ")[0].strip() for several, one in found for name in (several or one).split(",")}


@pytest.mark.parametrize(
    "uses",
    [modules(), {file.stem: tools_used(file) for file in (ROOT / "tools").glob("*.py")}],
    ids=["package", "tools"],
)
def test_no_modules_import_each_other_in_a_circle(uses):
    left = dict(uses)
    assert any(left.values())
    while free := {module for module, used in left.items() if not used & left.keys()}:
        left = {module: used for module, used in left.items() if module not in free}
    assert not left, f"a circle among {sorted(left)}"


def test_only_plots_and_labs_draw():
    for file in sorted(PACKAGE.rglob("*.py")):
        module = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        names = set(re.findall(r"^\s*(?:import|from) (\w+)", file.read_text(), flags=re.MULTILINE))
        drawing = names & {"matplotlib", "ipywidgets", "anywidget", "IPython", "PIL"}
        assert not drawing or module in {"plots", "labs", "symbols", "cards"}, (
            f"vaecourse.{module} imports {sorted(drawing)}"
        )
