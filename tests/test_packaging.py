"""The project's own papers agree with each other, and the package is what an installation of it needs to be."""

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import vaecourse.data
from tools import notebooks

ROOT = notebooks.ROOT
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGE = ROOT / "vaecourse"

# The floors of the package: a room uses its own floor and those under it, and there is no circle among rooms.
FLOORS = {
    **dict.fromkeys(("arguments", "files", "bernoulli", "latent"), 0),
    **dict.fromkeys(("bounds", "divergences", "exact", "data", "recorded"), 1),
    **dict.fromkeys(("objectives", "hierarchical", "models", "priors", "gradients", "checkpoint"), 2),
    **dict.fromkeys(("train", "infovae", "evaluate", "plots"), 3),
    **dict.fromkeys(("labs", "checks", "reproduce"), 4),
    **dict.fromkeys(("__main__", "doctor", "commands"), 5),
}


def requirements() -> list[Requirement]:
    """What pyproject.toml asks for, with the extras' lists."""
    project = PYPROJECT["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    found = [Requirement(line) for lines in lists for line in lines]
    return [requirement for requirement in found if requirement.name != "vaecourse"]


def pins(lines: list[str]) -> dict[str, str]:
    """The ``name==version`` lines."""
    found = re.findall(r"^([\w.-]+)==([\w.]+)$", "\n".join(lines), flags=re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def constraints() -> dict[str, str]:
    return pins((ROOT / "constraints.txt").read_text().splitlines())


def test_every_requirement_is_pinned_inside_its_range():
    pinned = constraints()
    for requirement in requirements():
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"constraints.txt has no pin for {name}"
        assert pinned[name] in requirement.specifier, f"{name}=={pinned[name]} is outside {requirement}"


def test_the_pins_are_what_the_tests_run_with():
    from importlib.metadata import version

    for requirement in requirements():
        installed = version(requirement.name).split("+")[0]  # torch 2.13.0+cpu is torch 2.13.0, built for CPUs
        assert installed == constraints()[canonicalize_name(requirement.name)]


def test_environment_has_the_same_pins_for_all_that_a_learner_needs():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    pinned = constraints()
    here = pins(pip)
    assert here == {name: pinned[name] for name in here}
    project = PYPROJECT["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["lab"]]
    assert set(here) == {canonicalize_name(Requirement(line).name) for line in needed}
    assert "--constraint constraints.txt" in pip and "--editable ." in pip
    python = next(entry for entry in environment["dependencies"] if str(entry).startswith("python="))
    assert python.removeprefix("python=") in Requirement(f"python{project['requires-python']}").specifier


def test_the_book_lists_the_chapters_that_exist():
    book = yaml.safe_load((ROOT / "book.yml").read_text())
    listed = [entry["file"] for part in book["parts"] for entry in part["chapters"]]
    chapters = [page for page in listed if re.match(r"chapters/\d\d-", page)]
    assert chapters == [f"chapters/{path.stem}" for path in notebooks.sources()]
    assert {path.stem for path in notebooks.CHAPTERS.glob("*.ipynb")} == {Path(entry).name for entry in chapters}
    for page in {book["root"], *listed} - set(chapters):
        folder = "" if "/" in page else "docs/" if page == "install" else "site/"
        assert (ROOT / f"{folder}{page}.md").exists(), f"book.yml names {page}, which is not there"


def test_version_and_licence_are_told_alike():
    assert vaecourse.__version__ == PYPROJECT["project"]["version"] == citation()["version"]
    assert citation()["license"] == ["MIT", "CC-BY-4.0"] and PYPROJECT["project"]["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    assert "SPDX-License-Identifier: CC-BY-4.0" in (ROOT / "LICENSE-CONTENT").read_text()


def citation() -> dict:
    """CITATION.cff as a reader of YAML sees it, with dates as the text they are."""
    return yaml.load((ROOT / "CITATION.cff").read_text(), Loader=yaml.BaseLoader)


def faults(record: dict) -> list[str]:
    """Where a citation breaks the schema of the Citation File Format 1.2.0 (CC BY 4.0, doi 10.5281/zenodo.5171937).

    Its own tool, cffconvert 2.0.0, wants a jsonschema older than JupyterLab's.
    """
    schema = json.loads((ROOT / "tests/cff/schema-1.2.0.json").read_text())
    validator = jsonschema.Draft7Validator(schema, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(record)]


def test_the_citation_is_valid():
    assert faults(citation()) == []


@pytest.mark.parametrize(
    "key, value, said",
    [
        ("license", ["MIT", "CC-BY-5.0"], "license"),
        ("date-released", "yesterday", "date-released"),
        ("authors", [], "authors"),
        ("colour", "green", "colour"),
        ("references", [{"type": "article", "title": "A paper without authors"}], "authors"),
    ],
)
def test_a_citation_that_is_not_valid_is_seen(key, value, said):
    assert any(said in fault for fault in faults(citation() | {key: value}))
    assert faults({name: text for name, text in citation().items() if name != "title"})


def test_every_source_of_data_is_named_with_its_licence():
    readme, content = (ROOT / "README.md").read_text(), (ROOT / "LICENSE-CONTENT").read_text()
    licences = {"digits": "CC BY 4.0", "mnist": "CC BY-SA 3.0", "fashion-mnist": "MIT"}
    assert licences.keys() == vaecourse.data.ALL.keys()
    rows = dict(re.findall(r"^\| ([\w-]+)[^|]*\|[^|]*\| ([^|]+) \|$", readme, flags=re.MULTILINE))
    assert {name.lower(): licence for name, licence in rows.items() if name.lower() in licences} == licences
    assert "[MIT licence](LICENSE)" in readme and "[CC BY 4.0](LICENSE-CONTENT)" in readme
    assert "Alpaydin" in content and "10.24432/C50P49" in content and "schema-1.2.0.json" in content
    kept = subprocess.run(["git", "ls-files", "*ubyte*", "*.gz", "*.npz"], cwd=ROOT, capture_output=True, text=True)
    assert kept.stdout == ""  # as README and LICENSE-CONTENT say


def test_spelling_is_checked_and_authors_keep_their_names(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Teh wrote about mutual informations of the HVAE, on x [N, D].\n")
    command = [sys.executable, "-m", "codespell_lib", "--toml", ROOT / "pyproject.toml", page]
    fine = subprocess.run(command, capture_output=True, text=True)
    assert fine.returncode == 0, fine.stdout + fine.stderr
    wrong = "t" + "eh"  # not spelt out: this file is checked, too
    page.write_text(f"Teh wrote about {wrong} bound.\n")
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode and f"page.md:1: {wrong} ==> the" in found.stdout


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


PAGES = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
EXAMPLES = re.compile(r"NN|/09-flows|/chapter_09|weight_curve|live_bound")  # files that a reader of the page will write


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_is_there(page):
    text = (ROOT / page).read_text()
    commands = set(re.findall(r"(?:^|`)(?:    )*(?:make) ([a-z]+)", text, flags=re.MULTILINE))
    assert commands and commands <= targets()
    prose = re.sub(r"^    .*", "", text, flags=re.MULTILINE)
    for link in re.findall(r"(?:\]\(|src=\")([^)\"#\s]+)", prose):
        assert "://" in link or (ROOT / page).parent.joinpath(link).exists(), f"{page}: no {link}"
    for path in re.findall(r"`((?:chapters|vaecourse|tests|tools|benchmarks|docs)/[\w./-]+)`", text):
        assert EXAMPLES.search(path) or (ROOT / path).exists(), f"{page} names {path}, which is not there"


def test_every_target_is_in_the_list_that_help_prints():
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^make ([a-z]+) +\S", said, flags=re.MULTILINE)) == targets()


@pytest.mark.parametrize("torch", ["", "cpu", "cu126"])
def test_one_variable_chooses_the_build_of_torch_and_of_nothing_else(torch, tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    command = ["make", "--dry-run", "lab", f"TORCH={torch}"]
    lines = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()
    special = [line for line in lines if "--index-url" in line]
    assert len(special) == bool(torch)
    for line in special:
        assert "--constraint constraints.txt" in line and "--no-deps" in line
        assert line.endswith(f"--index-url https://download.pytorch.org/whl/{torch} torch")
    installs = [line for line in lines if "pip install" in line]
    assert installs[: len(special)] == special and installs[-1].endswith("--editable '.[lab]'")


def test_the_examples_of_the_readme_run(tmp_path):
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert examples
    for example in examples:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-c", example], cwd=tmp_path, env=environment, check=True, timeout=120)


def test_importing_the_package_brings_no_plotting_and_no_widgets():
    heavy = ["matplotlib", "ipywidgets", "anywidget", "IPython", "sklearn"]
    code = f"import sys, vaecourse; print([name for name in {heavy} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def rooms_used(file: Path) -> set[str]:
    """The rooms of the package that a file imports."""
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


def rooms() -> dict[str, set[str]]:
    """Each room, a module or a folder, and the other rooms that it uses."""
    found: dict[str, set[str]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        room = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room != "__init__":
            found[room] = found.get(room, set()) | rooms_used(file) - {room}
    return found


def test_a_room_uses_only_its_own_floor_and_those_under_it():
    for room, used in rooms().items():
        assert room in FLOORS, f"vaecourse.{room} has no floor; give it one in FLOORS and in its __init__ table"
        for other in used - {"__version__"}:
            assert FLOORS[other] <= FLOORS[room], f"vaecourse.{room} imports vaecourse.{other}, which is above it"


def test_no_rooms_use_each_other_in_a_circle():
    left = rooms()
    while free := {room for room, used in left.items() if not used & left.keys()}:
        left = {room: used for room, used in left.items() if room not in free}
    assert not left, f"a circle among {sorted(left)}"


def test_only_plots_and_labs_draw():
    for file in sorted(PACKAGE.rglob("*.py")):
        room = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        names = set(re.findall(r"^\s*(?:import|from) (\w+)", file.read_text(), flags=re.MULTILINE))
        drawing = names & {"matplotlib", "ipywidgets", "anywidget", "IPython", "PIL"}
        assert not drawing or room in {"plots", "labs"}, f"vaecourse.{room} imports {sorted(drawing)}"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder that holds the package as a wheel installs it, with no right to write in it."""
    folder = tmp_path_factory.mktemp("installed")
    tracked = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True)
    for name in tracked.stdout.decode().split("\0"):
        if name.startswith("vaecourse/") or name in {"pyproject.toml", "README.md", "LICENSE"}:
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "source" / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", folder, folder / "source"]
    subprocess.run(command, check=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    for path in sorted((folder / "site").rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return folder / "site"


def contents(folder: Path) -> dict[str, str]:
    """Every file below the folder with the hash of what it holds: root may write where the mode says no."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_wheel_holds_all_that_the_package_reads(installed):
    kept = set(contents(installed))
    needed = {path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".js", ".css", ".mplstyle", ".typed"}}
    assert {".js", ".css", ".mplstyle"} <= {path.suffix for path in needed}
    assert {str(path.relative_to(ROOT)) for path in needed} <= kept
    assert any(name.endswith("licenses/LICENSE") for name in kept)
    assert not any(name.startswith(("tests", "tools", "chapters")) for name in kept)


def test_every_module_is_imported_from_a_folder_that_cannot_be_written(installed, tmp_path):
    before = contents(installed)
    code = """
import importlib, pkgutil, sys
import vaecourse
assert vaecourse.__file__.startswith(sys.argv[1]), vaecourse.__file__
for module in pkgutil.walk_packages(vaecourse.__path__, "vaecourse."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", code, installed], cwd=tmp_path, env=environment, check=True, timeout=120)
    assert contents(installed) == before


def test_a_chapter_runs_on_a_package_that_cannot_be_written(installed, tmp_path, monkeypatch):
    before = contents(installed)
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    source = notebooks.sources()[0]
    notebook = notebooks.read(source)
    proof = f"import vaecourse\nassert vaecourse.__file__.startswith({str(installed)!r}), vaecourse.__file__"
    notebook.cells.append(notebooks.nbformat.v4.new_code_cell(proof))
    notebooks.execute(notebook, source.stem, tmp_path)
    assert contents(installed) == before
    assert list(tmp_path.iterdir()) == []
