"""The project's own papers agree with each other, and the package is what an installation of it needs to be."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import metadata, requires, version
from pathlib import Path

import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import vaecourse.data
from tools import chapter, ending, notebooks, pins, site, unfinished

ROOT = chapter.ROOT
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGE = ROOT / "vaecourse"


def requirements() -> list[Requirement]:
    """What pyproject.toml asks for, with the extras' lists."""
    project = PYPROJECT["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    found = [Requirement(line) for lines in lists for line in lines]
    return [requirement for requirement in found if requirement.name != "vaecourse"]


def locked(name: str) -> dict[str, list[Requirement]]:
    """The pins of ``pins/name.txt``, or of constraints.txt: a name has several where its versions differ by Python."""
    path = ROOT / ("constraints.txt" if name == "constraints" else f"pins/{name}.txt")
    found: dict[str, list[Requirement]] = {}
    for line in path.read_text(encoding="utf-8").replace("\\\n", "").splitlines():
        if not line.startswith("#"):
            requirement = Requirement(line.split(" --hash=")[0])
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


LOCKS = ("lab", "test", "cuda", "torch-cpu", "uv")
SYSTEMS = {
    "Linux x86_64": ("linux", "posix", "Linux", "x86_64"),
    "Linux aarch64": ("linux", "posix", "Linux", "aarch64"),
    "macOS arm64": ("darwin", "posix", "Darwin", "arm64"),
    "Windows": ("win32", "nt", "Windows", "AMD64"),
}


def machine(system: str, python: str) -> dict[str, str]:
    """What the markers of a pin are asked about."""
    platform = dict(zip(("sys_platform", "os_name", "platform_system", "platform_machine"), SYSTEMS[system]))
    kind = {"implementation_name": "cpython", "platform_python_implementation": "CPython", "extra": ""}
    number = {"python_version": python.rpartition(".")[0], "python_full_version": python}
    return platform | kind | number | {"implementation_version": python}


MACHINES = {f"{system}, {python}": machine(system, python) for system in SYSTEMS for python in pins.PYTHONS}


def there(name: str, environment: dict[str, str] | None = None) -> dict[str, str]:
    """The versions that a lock gives one machine, this one if it is not said which."""
    found = {}
    for package, choices in locked(name).items():
        for requirement in choices:
            if requirement.marker is None or requirement.marker.evaluate(environment):
                assert package not in found, f"{name}: {package} is pinned twice for {environment}"
                found[package] = str(requirement.specifier).removeprefix("==")
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_is_one_version_with_hashes_and_from_nowhere_but_an_index(name):
    text = (ROOT / f"pins/{name}.txt").read_text(encoding="utf-8")
    blocks = pins.blocks(text)
    assert re.sub(r"^#.*\n", "", text, flags=re.MULTILINE) == "".join(blocks) and blocks
    for block in blocks:
        assert re.fullmatch(r"[\w.-]+==[\w.+]+( ; .+)? \\\n( +--hash=sha256:[0-9a-f]{64}( \\)?\n)+", block), block


def test_the_locks_agree_with_each_other():
    assert pins.versions(pins.pinned("test")) in (ROOT / "constraints.txt").read_text(encoding="utf-8")
    for each in MACHINES.values():
        test = there("test", each)
        assert there("lab", each).items() <= test.items() and there("constraints", each) == test
    assert not [name for name in locked("test") if pins.CUDA.match(name)]
    assert all(pins.CUDA.match(name) for name in locked("cuda"))


@pytest.mark.parametrize("which", MACHINES)
def test_every_requirement_is_pinned_inside_its_range_for_every_machine(which):
    pinned = there("test", MACHINES[which])
    for requirement in requirements():
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"pins/test.txt has no pin for {name} on {which}: make pins"
        assert pinned[name] in requirement.specifier, f"{name}=={pinned[name]} is outside {requirement}"
    project = PYPROJECT["project"]
    for line in [*project["dependencies"], *project["optional-dependencies"]["lab"]]:
        assert canonicalize_name(Requirement(line).name) in there("lab", MACHINES[which])
    assert ("pywinpty" in pinned) == ("colorama" in pinned) == ("Windows" in which)
    assert ("nvidia-cublas" in there("cuda", MACHINES[which])) == ("Linux" in which)
    assert ("torch" in there("torch-cpu", MACHINES[which])) == ("Linux x86_64, 3.11" in which)


@pytest.mark.pinned
def test_the_pins_are_what_the_tests_run_with():
    for name, pinned in there("test").items():
        installed = version(name).split("+")[0]  # torch 2.13.0+cpu is torch 2.13.0, built for CPUs
        assert installed == pinned, f"{name} {installed} is installed, {pinned} is pinned: make .venv/installed-test"


@pytest.mark.pinned
def test_the_pins_lack_nothing_that_a_pin_needs():
    pinned = there("test")
    for name in pinned:
        for line in requires(name) or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                found = pinned.get(canonicalize_name(needed.name))
                assert found and found in needed.specifier, f"{name} needs {needed}, and {found} is pinned"


@pytest.mark.pinned
def test_every_pin_admits_each_python_from_the_first_that_the_course_names():
    assert pins.PYTHONS[0] == PYPROJECT["project"]["requires-python"].removeprefix(">=") + ".0"
    for name in there("test"):
        for requirement in locked("test")[name]:
            installed = version(name).split("+")[0]
            for python in pins.PYTHONS if f"=={installed}" == str(requirement.specifier) else []:
                environment = machine("Linux x86_64", python)
                if requirement.marker is None or requirement.marker.evaluate(environment):
                    asked = metadata(name)["Requires-Python"] or ""
                    assert python in SpecifierSet(asked), f"{requirement} needs Python {asked}, and not all have that"


def test_what_builds_the_package_is_pinned():
    for line in PYPROJECT["build-system"]["requires"]:
        requirement = Requirement(line)
        for each in MACHINES.values():
            assert str(requirement.specifier) == f"=={there('lab', each)[requirement.name]}"


def test_environment_takes_the_pins_and_no_package_from_two_indices():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    constraint, torch, course = pip
    assert (constraint, course) == ("--constraint constraints.txt", "--editable .[lab]")
    python = next(entry for entry in environment["dependencies"] if str(entry).startswith("python="))
    number = python.removeprefix("python=")
    assert number in Requirement(f"python{PYPROJECT['project']['requires-python']}").specifier
    wheel = Requirement(torch)  # by its address and hash, as it is on PyTorch's own index only
    pin = locked("lab")["torch"][0].specifier
    tag = number.replace(".", "")
    assert wheel.url.startswith(f"https://download.pytorch.org/whl/cpu/torch-{str(pin)[2:]}%2Bcpu-cp{tag}-cp{tag}-")
    for which, each in MACHINES.items():
        assert wheel.marker.evaluate(each) == ("Linux x86_64" in which)
    assert pins.pinned("torch-cpu") == [pins.torch_for_cpus((ROOT / "environment.yml").read_text(encoding="utf-8"))]


def test_the_sites_links_install_a_version():
    said = site.how_to_run("03-iwae", "https://github.com/me/course.git")
    tag = f"v{vaecourse.__version__}"
    assert f"/gh/me/course/{tag}?" in said and f"/blob/{tag}/" in said and "HEAD" not in said
    assert re.findall(r"git\+\S+course(\S*)`", said) == [f"@{tag}"]


def test_the_pages_name_the_pins_that_there_are_and_the_command_that_makes_them():
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    said = subprocess.run(["make", "--dry-run", "pins"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "-m tools.pins" in said  # there is a folder of the same name
    assert "    make pins " in contributing and f"git tag v{vaecourse.__version__}`" in contributing
    page = (ROOT / "docs/install.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if "--requirement pins/" in line and line.startswith("    ")]
    assert len(lines) == 3 and all("--require-hashes --no-deps" in line for line in lines)
    assert {file for line in lines for file in re.findall(r"--requirement (\S+)", line)} == {
        "pins/lab.txt",
        "pins/cuda.txt",
    }


def test_install_says_where_the_pins_do_not_go():
    """`make pins` asks PyPI whether it is so: some pin has no wheel for these, every pin has one for the others."""
    page = (ROOT / "docs/install.md").read_text(encoding="utf-8")
    part = page.partition("## Where it does not go\n")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^- (.+)$", part, flags=re.MULTILINE)) == sorted(pins.EXCLUDED.values())
    first, last = (each.rpartition(".")[0] for each in (pins.PYTHONS[0], pins.PYTHONS[-1]))
    after = f"3.{int(last.partition('.')[2]) + 1}"
    words = " ".join(part.split())
    assert f"glibc {pins.GLIBC} or newer" in words and f"Python {first} to {last}." in words
    assert f"macOS {pins.MACOS.removesuffix('.0')} or newer on Apple silicon" in words
    assert f"Python {after}" in pins.EXCLUDED.values()
    assert {platform.split("-")[0] for platform in pins.PLATFORMS} == {"x86_64", "aarch64"}
    assert len(pins.PLATFORMS) == len(SYSTEMS)


def test_install_names_the_lower_bound_of_torch():
    page = (ROOT / "docs/install.md").read_text(encoding="utf-8")
    (torch,) = [requirement for requirement in requirements() if requirement.name == "torch"]
    number = str(torch.specifier).removeprefix(">=")
    assert f"PyTorch must be {number} or newer." in page and f"the course needs {number}:" in page


def uv_says(monkeypatch, tmp_path, missing: set[tuple[str, str, str]]) -> None:
    """A uv that finds a wheel of everything but what is missing: of platform, Python, macOS."""

    def run(command, env, **more):
        words = [str(word) for word in command]
        python, platform = (words[words.index(f"--python-{what}") + 1] for what in ("version", "platform"))
        ended = (platform, python, env["MACOSX_DEPLOYMENT_TARGET"]) in missing
        return subprocess.CompletedProcess(command, int(ended))

    monkeypatch.setattr(pins.subprocess, "run", run)


def test_pins_that_miss_a_wheel_or_reach_further_than_the_page_says_are_told(monkeypatch, tmp_path):
    uv_says(monkeypatch, tmp_path, set(pins.EXCLUDED))
    pins.check_wheels()
    uv_says(monkeypatch, tmp_path, {*pins.EXCLUDED, (pins.PLATFORMS[1], pins.PYTHONS[2], pins.MACOS)})
    with pytest.raises(ending.Refused, match=f"no wheel of some pin for Python 3.13.0 on {pins.PLATFORMS[1]}"):
        pins.check_wheels()
    for place, said in pins.EXCLUDED.items():
        uv_says(monkeypatch, tmp_path, set(pins.EXCLUDED) - {place})
        with pytest.raises(ending.Refused, match=f"^{said}: every pin has a wheel now"):
            pins.check_wheels()


def test_the_book_lists_the_chapters_that_exist():
    book = yaml.safe_load((ROOT / "book.yml").read_text())
    listed = [entry["file"] for part in book["parts"] for entry in part["chapters"]]
    chapters = [page for page in listed if re.match(r"chapters/\d\d-", page)]
    assert chapters == [f"chapters/{path.stem}" for path in chapter.sources()]
    assert {path.stem for path in chapter.CHAPTERS.glob("*.ipynb")} == {Path(entry).name for entry in chapters}
    for page in {book["root"], *listed} - set(chapters):
        folder = "" if "/" in page else "docs/" if page in ("install", "updating", "same-seed") else "site/"
        assert (ROOT / f"{folder}{page}.md").exists(), f"book.yml names {page}, which is not there"


def test_version_and_licence_are_told_alike():
    assert vaecourse.__version__ == version("vaecourse") == citation()["version"]
    assert PYPROJECT["project"]["dynamic"] == ["version"]  # pyproject.toml has no number of its own, but reads that one
    assert PYPROJECT["tool"]["setuptools"]["dynamic"] == {"version": {"attr": "vaecourse.__version__"}}
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
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


PAGES = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
EXAMPLES = re.compile(
    r"NN|/09-flows|/09\.json|/chapter_09|my_bound|weight_curve|live_bound|/kept|/\.ipynb_"
)  # what a reader will have


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_is_there(page):
    text = (ROOT / page).read_text()
    commands = set(re.findall(r"(?:^|`)(?:    )*(?:make) ([a-z-]+)", text, flags=re.MULTILINE))
    of_none = ("docs/class.md", "docs/sources.md")  # in the one all is `python -m vaecourse`, in the other nothing
    assert commands <= targets() and (commands or page in of_none)
    prose = re.sub(r"^    .*", "", text, flags=re.MULTILINE)
    for link in re.findall(r"(?:\]\(|src=\")([^)\"#\s]+)", prose):
        assert "://" in link or (ROOT / page).parent.joinpath(link).exists(), f"{page}: no {link}"
    for path in re.findall(r"`((?:chapters|vaecourse|tests|tools|benchmarks|docs)/[\w./-]+)`", text):
        assert EXAMPLES.search(path) or (ROOT / path).exists(), f"{page} names {path}, which is not there"


def test_every_target_is_in_the_list_that_help_prints():
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^make ([a-z-]+) +\S", said, flags=re.MULTILINE)) == targets()


# The Makefile's part is tested with a python and a uv that only write down what they are told.

STUB = """\
#!/bin/sh
case "$*" in
    *"config list"*) cat "$COURSE/pip-settings"; exit ;;
    *tools.unfinished*) exit ;;
    "-m venv .venv") echo "$*" >>"$COURSE/told"; : >.venv/bin/pip; exit ;;
    *pins/uv.txt*) echo "$*" >>"$COURSE/told"; exit 1 ;;
esac
echo "$(basename "$0") $*" >>"$COURSE/told"
[ "$(basename "$0")" = uv ] && echo "uv looks in $UV_INDEX_URL$UV_FIND_LINKS" >>"$COURSE/told"
! grep -qs "^$(basename "$0")$" "$COURSE/broken"
"""


@pytest.fixture
def course(tmp_path):
    """A course with a space and a Chinese letter in its path, whose .venv is only written down."""
    folder = tmp_path / "the 课"
    (folder / ".venv/bin").mkdir(parents=True)
    for name in (
        "Makefile",
        "pyproject.toml",
        "constraints.txt",
        "tools/bootstrap.py",
        *(f"pins/{lock}.txt" for lock in LOCKS),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    for name in ("python", "uv"):
        (folder / ".venv/bin" / name).write_text(STUB)
        (folder / ".venv/bin" / name).chmod(0o755)
    (folder / ".venv/bin/pip").touch()
    (folder / "pip-settings").touch()
    return folder


def install(course: Path, stamp: str = "lab", **variables: str) -> tuple[bool, list[str]]:
    """Does ``make`` succeed, and what were python and uv told?"""
    (course / "told").write_text("")
    names = [f"{name}={value}" for name, value in variables.items()]
    environment = {"PATH": os.environ["PATH"], "COURSE": str(course)}
    command = ["make", f".venv/installed-{stamp}", *names]
    ended = subprocess.run(command, cwd=course, env=environment, capture_output=True, text=True, timeout=60)
    assert (course / f".venv/installed-{stamp}").exists() == (ended.returncode == 0), ended.stdout + ended.stderr
    return ended.returncode == 0, (course / "told").read_text().splitlines()


def commands(told: list[str]) -> list[str]:
    """What was installed, without who did it."""
    told = [line for line in told if " install " in line]
    return [re.sub(r"^(uv pip install --python \S+|python -m pip install) ", "", line) for line in told]


PINNED = "--require-hashes --no-deps --only-binary :all: --requirement"
ITSELF = "--no-deps --no-build-isolation --editable ."


@pytest.mark.parametrize("name", ["lab", "test"])
def test_an_installation_takes_hashed_wheels_and_then_the_course_itself(name, course):
    well, told = install(course, name)
    assert well and commands(told) == [f"{PINNED} pins/{name}.txt", ITSELF]
    assert all(line.startswith("uv ") for line in told)
    assert install(course, name) == (True, [])  # a second call has nothing to do


@pytest.mark.parametrize("missing", [True, False], ids=["no uv", "a uv that fails"])
def test_where_uv_cannot_be_had_pip_installs_the_same(missing, course):
    (course / "broken").write_text("uv\n")
    if missing:
        (course / ".venv/bin/uv").unlink()
    well, told = install(course)
    assert well and commands([line for line in told if line.startswith("python ")]) == [
        f"{PINNED} pins/lab.txt",
        ITSELF,
    ]
    assert (f"-m pip install --quiet {PINNED} pins/uv.txt" in told) == missing


def test_where_neither_can_install_there_is_no_stamp(course):
    (course / "broken").write_text("uv\npython\n")
    well, told = install(course)
    assert not well and commands(told) == [f"{PINNED} pins/lab.txt"] * 2


@pytest.mark.parametrize("torch", ["cpu", "cu126"])
def test_one_variable_chooses_the_build_of_torch_and_of_nothing_else(torch, course):
    well, told = install(course, TORCH=torch)
    index = f"--no-deps --index-url https://download.pytorch.org/whl/{torch} --constraint constraints.txt torch"
    assert well and commands(told) == [index, f"{PINNED} pins/lab.txt", ITSELF]


def test_only_a_torch_that_asks_for_cuda_gets_it(course):
    metadata = course / ".venv/lib/python3.12/site-packages/torch-2.13.0.dist-info/METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text('Requires-Dist: nvidia-nvtx==13.0.85; platform_system == "Linux"\n')
    assert commands(install(course)[1]) == [f"{PINNED} pins/lab.txt", f"{PINNED} pins/cuda.txt", ITSELF]
    (course / ".venv/installed-lab").unlink()
    assert "--constraint constraints.txt torch" in commands(install(course, TORCH="cu126")[1])


def test_uv_looks_where_pip_looks_and_a_wheel_for_cpus_there_is_taken_by_its_hash(course):
    (course / "wheels").mkdir()
    (course / "wheels/torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    settings = (
        ":env:.find-links='wheels'\nglobal.extra-index-url='https://other/simple'\nuser.index-url='https://mirror/'\n"
    )
    (course / "pip-settings").write_text(settings)
    told = install(course)[1]
    assert commands(told) == [f"{PINNED} pins/torch-cpu.txt", f"{PINNED} pins/lab.txt", ITSELF]
    assert set(told) >= {"uv looks in https://mirror/wheels"} and "other" not in "".join(told)


def test_an_environment_without_pip_is_made_again(course):
    (course / ".venv/bin/pip").unlink()
    well, told = install(course)
    assert well and told[0] == "-m venv .venv" and len(commands(told)) == 2


def test_a_package_that_is_half_installed_is_seen(tmp_path):
    def package(name: str, *missing: str) -> Path:
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (tmp_path / f"{name}.py").touch()
        (folder / "INSTALLER").write_text("uv")
        (folder / "RECORD").write_text(f'{name}.py,,\n"{name}-1.0.dist-info/INSTALLER",,\n__pycache__/{name}.pyc,,\n')
        for file in missing:
            (tmp_path / file.format(name)).unlink()
        return folder

    package("whole")
    package("pip", "{}.py")  # no pin would bring it back
    broken = [package(f"broken{i}", file) for i, file in enumerate(("{}.py", "{}-1.0.dist-info/INSTALLER"))]
    broken.append(package("broken2", "{}-1.0.dist-info/RECORD"))
    assert unfinished.halves(tmp_path) == broken


def test_the_examples_of_the_readme_run(tmp_path):
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert examples
    for example in examples:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-c", example], cwd=tmp_path, env=environment, check=True, timeout=120)


def test_importing_the_package_brings_no_plotting_and_no_widgets():
    heavy = ["matplotlib", "ipywidgets", "anywidget", "IPython", "sklearn", "torch", "numpy"]
    code = f"import sys, vaecourse; print([name for name in {heavy} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_a_module_is_there_when_it_is_asked_for_and_not_before():
    table = re.findall(r"^``(\w+)``|; ``(\w+)`` is", vaecourse.__doc__, flags=re.MULTILINE)
    assert sorted(vaecourse.MODULES) == sorted(max(row) for row in table)
    code = """
import sys, vaecourse
loaded = [name for name in sys.modules if name.startswith("vaecourse.") or name == "torch"]
assert loaded == [], loaded
assert set(vaecourse.MODULES) <= set(dir(vaecourse)) and "__version__" in dir(vaecourse)
assert [name for name in sys.modules if name.startswith("vaecourse.")] == []  # to list them brings none
for module in vaecourse.MODULES:
    assert getattr(vaecourse, module) is sys.modules["vaecourse." + module]
print(vaecourse.bounds.elbo.__module__)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    assert said.stdout.strip() == "vaecourse.bounds"


def test_a_module_that_is_not_there_is_a_sentence():
    with pytest.raises(AttributeError, match="no attribute 'bonds'; its modules are bounds, .*train$"):
        vaecourse.bonds  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'bonds'"):
        from vaecourse import bonds  # noqa: F401


def test_a_type_checker_knows_the_modules(tmp_path):
    file = tmp_path / "asks.py"
    lines = ["import vaecourse", *(f"vaecourse.{module}" for module in vaecourse.MODULES)]
    file.write_text("\n".join([*lines, "reveal_type(vaecourse.bounds.elbo)", "vaecourse.bounds.elbow", ""]))
    command = [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", file]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    errors = [line for line in said.splitlines() if "asks.py" in line and ": error:" in line]
    assert "Tensor" in re.search(r"Revealed type is (.*)", said)[1]
    assert len(errors) == 1 and f"asks.py:{len(lines) + 2}" in errors[0] and "elbow" in errors[0], said


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder that holds the package as a wheel installs it, with no right to write in it."""
    folder = tmp_path_factory.mktemp("installed")
    tracked = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True)
    for name in tracked.stdout.decode().split("\0"):
        if name.startswith("vaecourse/") or name in {"pyproject.toml", "README.md", "LICENSE"}:
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "source" / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir"]
    command += [folder, folder / "source"]  # built by the setuptools that is pinned
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
    needed = {
        path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".js", ".json", ".css", ".mplstyle", ".typed"}
    }
    assert {".js", ".json", ".css", ".mplstyle"} <= {path.suffix for path in needed}
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
    source = chapter.sources()[0]
    notebook = chapter.read(source)
    proof = f"import vaecourse\nassert vaecourse.__file__.startswith({str(installed)!r}), vaecourse.__file__"
    notebook.cells.append(notebooks.nbformat.v4.new_code_cell(proof))
    notebooks.execute(notebook, source.stem, tmp_path)
    assert contents(installed) == before
    assert list(tmp_path.iterdir()) == []
