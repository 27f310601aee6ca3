"""make new-lab, new-exercise, new-chapter: they write what their pages name, all or nothing, and it works."""

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import chapter, ending, made, scaffold
from tools.chapter import ROOT
from vaecourse import files


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """The files of the repository, as git lists them."""
    folder = tmp_path_factory.mktemp("copy")
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():  # git lists what has been removed and not yet committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def course(copied, tmp_path):
    """A copy of what the scaffolds read and write."""
    for place in (*scaffold.PLACES, "docs"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        if (copied / place).is_dir():
            shutil.copytree(copied / place, tmp_path / place, ignore=shutil.ignore_patterns("*.ipynb"))
        else:
            shutil.copy(copied / place, tmp_path / place)
    return tmp_path


def held(folder: Path) -> dict[str, bytes | None]:
    """Every file and folder below, with what it holds."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*")}
    return {name: path.read_bytes() if path.is_file() else None for name, path in found.items()}


EXERCISES = "density volume inverse spot_the_sign"
NEXT = (
    f"{len(chapter.sources()):02d}"  # the number of a chapter that is not there, though somebody has followed the page
)
OURS = {"weight_curve": "lab_of_a_test", "my_bound": "exercise_of_a_test", "09-flows": f"{NEXT}-test"}
OURS |= {"chapter_09": f"chapter_{NEXT}"}  # what the pages call so has another name here
PLANS = {
    "lab": lambda draft: scaffold.lab(draft, "02.test", "LabOfATest"),
    "exercise": lambda draft: scaffold.exercise(draft, "03.exercise_of_a_test"),
    "chapter": lambda draft: scaffold.whole_chapter(draft, f"{NEXT}-test", "Normalising flows", EXERCISES),
}
PAGES = {"lab": "adding-a-lab.md", "exercise": "adding-an-exercise.md", "chapter": "adding-a-chapter.md"}


def drafted(kind: str, root: Path) -> scaffold.Draft:
    draft = scaffold.Draft(root)
    assert PLANS[kind](draft)
    return draft


def named(page: str) -> dict[str, str]:
    """The table of files at the head of a page under docs/: each one, and who writes it."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    table = re.search(r"^\| file \| .*\n\|---.*\n((?:\|.*\n)+)", text, flags=re.MULTILINE)[1]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]
    files_and_who = {re.search(r"`([^`]+)`", row[0])[1]: row[1] for row in rows}
    other = re.compile("|".join(OURS))
    return {other.sub(lambda name: OURS[name[0]], name): who for name, who in files_and_who.items()}


@pytest.mark.parametrize("kind", PLANS)
def test_a_page_names_the_files_that_its_command_writes_and_no_other(kind, course):
    draft = drafted(kind, course)
    command = f"`make new-{kind}`"
    rows = {name: who for name, who in named(PAGES[kind]).items() if command in who}
    assert sorted(rows) == sorted([*draft.names(new=True), *draft.names(new=False)])
    assert sorted(name for name, who in rows.items() if "new" in who.split(", ")) == sorted(draft.names(new=True))


@pytest.mark.parametrize("page", [*PAGES.values(), "adding-an-estimator.md"])
def test_what_a_page_says_is_changed_is_there(page):
    for name, who in named(page).items():
        is_new = "new" in who.split(", ") or name.endswith(".ipynb")
        assert is_new or (ROOT / name).exists(), f"{page} says that {name} is there"


def parted(lines: list[str]) -> tuple[list[str], list[str]]:
    """The lines of a chapter's ORDER, which is laid out anew, and all others."""
    first = next((n for n, line in enumerate(lines) if line.startswith("ORDER = ")), len(lines))
    end = next((n for n, line in enumerate(lines) if n >= first and line.endswith(".split()")), len(lines))
    return lines[first : end + 1], lines[:first] + lines[end + 1 :]


@pytest.mark.parametrize("kind", PLANS)
def test_a_line_is_added_in_its_place_and_no_other_changes(kind, course):
    before = held(course)
    draft = drafted(kind, course)
    assert held(course) == before, "nothing is written before it is asked for"
    draft.write()
    after = held(course)
    for name in draft.names(new=False):
        old, new = (text[name].decode().splitlines() for text in (before, after))
        (old_order, old), (new_order, new) = map(parted, (old, new))
        assert not [line for line in old if line not in new]
        assert len(new) > len(old) or new_order != old_order
    changed = {name for name in before if after[name] != before[name]}
    assert changed == set(draft.names(new=False))
    assert {name for name in after.keys() - before.keys() if after[name] is not None} == set(draft.names(new=True))


def test_where_the_lines_come(course):
    last = chapter.sources()[-1].stem
    for kind in PLANS:
        drafted(kind, course).write()
    text = {
        name: (course / name).read_text(encoding="utf-8")
        for name, who in named(PAGES["chapter"]).items()
        if "make chapters" not in who
    }
    assert f"chapters/{last}\n      - file: chapters/{NEXT}-test\n" in text[scaffold.BOOK]
    assert f"\n        - {NEXT} normalising flows\n        - elsewhere" in text[scaffold.FORM]
    assert f"\n| [{NEXT} normalising flows](chapters/{NEXT}-test.ipynb) |" in text[scaffold.README]
    _, _, after = text[scaffold.TEACHING].partition(f"### Chapter {last[:2]}")
    assert after.count(f"### Chapter {NEXT}: normalising flows\n") == 1
    labs = (course / scaffold.LABS).read_text(encoding="utf-8")
    assert re.search(r'"02\.\w+": .*\n +"02\.test": "lab_of_a_test\.LabOfATest",\n +"03\.iwae"', labs)
    cells = (course / "chapters/03-iwae.py").read_text(encoding="utf-8")
    solution = r'ALL\["03\.exercise_of_a_test"\]\(exercise_of_a_test\)\nassert verdict\.passed\nverdict\n\n'
    assert re.search(rf'{solution}# %% .*\["quiz"\]', cells)
    stubs = cells.count('tags=["stub"]')
    assert f"### Exercise {stubs} · To fill in: its title" in cells
    order = (course / "vaecourse/checks/chapter_03/__init__.py").read_text(encoding="utf-8")
    assert re.search(r'[" ]exercise_of_a_test"', order)


@pytest.mark.parametrize("number, place", [("05", 2), ("06", 4), ("07", 4), ("04", 1), ("09", 5)])
def test_a_line_comes_after_its_chapter_or_before_a_later_one(number, place):
    text = 'x\n"05.a"\n"06.b"\n"06.c"\n"08.d"\ny'
    lines = scaffold._placed(text, "new", number, r'"(\d\d)\.\w"').split("\n")
    assert lines.index("new") == place and [line for line in lines if line != "new"] == text.split("\n")


REFUSED = {
    "lab": {
        "weights": "The name of a lab looks like 02.weights, got 'weights'",
        "": "The name of a lab looks like 02.weights, got ''",
        "02.Weights": "looks like 02.weights, got '02.Weights'",
        "02.../x": "looks like 02.weights",
        "٠٢.weights": "looks like 02.weights",
        "02.lambda": "'lambda' is a word of Python itself",
        "42.weights": "there is no chapter 42; there are: 00-start-here, 01-elbo",
        "03.iwae": "vaecourse/labs/__init__.py has a lab 03.iwae already",
        "02.frame": "vaecourse/labs/frame.py is there already, and stays as it is: .* CLASS=",
    },
    "exercise": {
        "iwae_bound": "The name of an exercise looks like 03.my_bound, got 'iwae_bound'",
        "03.iwae_bound": "chapter_03/iwae_bound.py is there already, and stays",
        "03.log_w": "chapters/03-iwae.py has something called log_w already",
        "42.bound": "there is no chapter 42",
        "03.class": "'class' is a word of Python itself",
    },
    "chapter": {
        "flows": "The name of a chapter looks like 09-flows, got 'flows'",
        "09-Flows": "looks like 09-flows",
        "09-": "looks like 09-flows",
        "08-flows": "chapters/08-one-budget.* is there already: take another number",
        "../09-flows": "looks like 09-flows",
    },
}
CALLS = {
    "lab": lambda draft, name: scaffold.lab(draft, name),
    "exercise": lambda draft, name: scaffold.exercise(draft, name),
    "chapter": lambda draft, name: scaffold.whole_chapter(draft, name, "Normalising flows"),
}


def test_a_link_that_leads_nowhere_is_something(course):
    (course / "vaecourse/labs/lab_of_a_test.py").symlink_to(course / "gone")
    with pytest.raises(ending.Refused, match="lab_of_a_test.py is there already"):
        drafted("lab", course)


@pytest.mark.parametrize("kind, name", [(kind, name) for kind in REFUSED for name in REFUSED[kind]])
def test_what_cannot_be_is_refused_in_a_sentence(kind, name):
    """In the repository itself: a draft writes nothing."""
    with pytest.raises(ending.Refused, match=REFUSED[kind][name]):
        CALLS[kind](scaffold.Draft(), name)


@pytest.mark.parametrize(
    "name, file",
    [("WeightCurve", "weight_curve"), ("LabOfATest", "lab_of_a_test"), ("IWAE", "iwae"), ("D3Lab", "d3_lab")],
)
def test_a_file_is_called_as_its_class(name, file):
    assert scaffold._snake(name) == file


@pytest.mark.parametrize(
    "experiment", ["weightCurve", "Weight Curve", "Experiment", "Normal", "Numbers", "True", "None"]
)
def test_a_class_is_a_name_that_the_file_does_not_use(experiment):
    with pytest.raises(ending.Refused, match="WeightCurve, got|means something else in a lab's file"):
        scaffold.lab(scaffold.Draft(), "02.test", experiment)


@pytest.mark.parametrize(
    "title", ["", " flows", "a | b", "a\nb", "[a](b)", "$z$", "# a", "a\rb", "a\u2028b", "a\x85b", "a\tb"]
)
def test_a_title_is_one_line_of_words(title):
    with pytest.raises(ending.Refused, match="The title of a chapter looks like"):
        scaffold.whole_chapter(scaffold.Draft(), f"{NEXT}-test", title)


@pytest.mark.parametrize("exercises", ["", "a b c", "a b c a", "a b c D", "a b c if"])
def test_a_chapter_has_four_exercises(exercises):
    with pytest.raises(ending.Refused, match="four exercises at least|looks like density|word of Python"):
        scaffold.whole_chapter(scaffold.Draft(), f"{NEXT}-test", "Normalising flows", exercises)


def test_a_title_with_a_colon_is_one_option_of_the_form(course):
    import yaml

    draft = scaffold.Draft(course)
    scaffold.whole_chapter(draft, f"{NEXT}-test", "Flows: a density that moves")
    form = yaml.safe_load(draft.text(scaffold.FORM))
    assert f"{NEXT} flows: a density that moves" in form["body"][0]["attributes"]["options"]


@pytest.mark.parametrize("length", [1, 2, 3, 5, 9, 14])
def test_an_order_of_any_length_is_read_again(length):
    names = [f"exercise_number_{n}" for n in range(length)]
    text = scaffold._ordered('"""Chapter 09."""\n\nORDER = "first".split()\n', names)
    space = {}
    exec(text, space)
    assert space["ORDER"] == ["first", *names] and max(map(len, text.splitlines())) <= 120
    laid_out = subprocess.run([sys.executable, "-m", "ruff", "format", "-"], input=text, capture_output=True, text=True)
    assert laid_out.stdout == text


# All or nothing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("kind", PLANS)
def test_a_file_that_fails_takes_back_those_before_it(kind, failure, course, monkeypatch):
    before, draft, replace = held(course), drafted(kind, course), files.replace
    several = len(draft.names(new=True)) + len(draft.names(new=False))
    for fails in range(several):
        calls = []

        def full(path, *more, calls=calls, fails=fails, **words):
            calls.append(path)
            if len(calls) == fails + 1:
                raise failure
            return replace(path, *more, **words)

        monkeypatch.setattr(files, "replace", full)
        with pytest.raises(type(failure)):
            draft.write()
        monkeypatch.undo()
        assert held(course) == before
    draft.write()


def test_what_somebody_else_writes_meanwhile_stays(course):
    draft = drafted("lab", course)
    (course / scaffold.LABS).write_text("somebody's\n")
    (course / "vaecourse/labs/lab_of_a_test.py").write_text("hers\n")
    before = held(course)
    with pytest.raises(files.Changed, match="written by somebody else just now, and is left as it is"):
        draft.write()
    assert held(course) == before


def test_what_was_typed_into_a_new_file_is_not_taken_back(course, monkeypatch):
    draft, replace, said = drafted("exercise", course), files.replace, []
    mine = course / "vaecourse/checks/chapter_03/exercise_of_a_test.py"

    def slow(path, *more, **words):
        if path == mine:
            replace(path, *more, **words)
            mine.write_text("typed at once\n")
            return None
        raise OSError(errno.EIO, "the disk is gone")

    monkeypatch.setattr(files, "replace", slow)
    monkeypatch.setattr(made, "tell", said.append)
    with pytest.raises(OSError, match="the disk is gone"):
        draft.write()
    assert mine.read_text() == "typed at once\n"


# The commands --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words, called",
    [
        (["new-lab", "NAME=02.weights"], 'lab "02.weights"'),
        (["new-lab", "NAME=02.weights", "CLASS=WeightCurve"], 'lab "02.weights" --class "WeightCurve"'),
        (["new-exercise", "NAME=03.my_bound"], 'exercise "03.my_bound"'),
        (["new-chapter", "NAME=09-flows", "TITLE=Normalising flows"], 'chapter "09-flows" --title "Normalising flows"'),
        (["new-lab"], 'lab ""'),
    ],
)
def test_make_calls_it(words, called):
    said = subprocess.run(["make", "--dry-run", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"-m tools.scaffold {called}" in " ".join(said.split())


def test_it_says_what_it_wrote_what_is_to_fill_in_and_what_is_left(course, capsys, monkeypatch):
    monkeypatch.setattr(scaffold.Draft.__init__, "__defaults__", (course,))
    assert scaffold.main(["lab", "02.test", "--class", "LabOfATest"]) == 0
    said = capsys.readouterr().out
    assert "new      vaecourse/labs/lab_of_a_test.py\n" in said and "changed  vaecourse/labs/__init__.py\n" in said
    assert re.search(r"^ +5 in vaecourse/labs/lab_of_a_test\.py$", said, flags=re.MULTILINE)
    assert "a cell of chapters/02-importance-sampling.py that ends in" in said and "make chapters CHAPTER=02" in said
    assert scaffold.main(["lab", "02.test", "--class", "LabOfATest"]) == 1
    assert capsys.readouterr().err.startswith("scaffold: vaecourse/labs/__init__.py has a lab 02.test already")


# It works ------------------------------------------------------------------------------------------------------------

CHECKED = """
import sys
from pathlib import Path
import pytest
from tools import chapter, minutes, notebooks, rules
source = chapter.sources()[-1]
assert source.is_relative_to(Path.cwd()), source
notebooks.refresh(source)
assert "does not say **Reading 5 minutes, doing 35 minutes.**" in str(rules.problems(source, ["honest_minutes"]))
assert minutes.main(["write", source.name[:2]]) == 0
said = rules.problems(source)
assert said and all(line.endswith("[filled_in]") for line in said), said
readme, book = (Path(name).read_text(encoding="utf-8") for name in ("README.md", "book.yml"))
assert f"({source.with_suffix('.ipynb').relative_to(Path.cwd())})" in readme
assert f"chapters/{source.stem}" in book.split()
sys.exit(pytest.main(sys.argv[1:]))
"""
ALL_GREEN = [
    "tests/labs/test_lab_of_a_test.py",
    "tests/labs/test_labs.py::test_every_control_over_its_range[02.test]",
    "tests/labs/test_labs.py::test_presets_and_reset[02.test]",
    "tests/labs/test_labs.py::test_where_there_is_no_kernel[02.test]",
    "tests/checks/test_checks.py::test_names_say_their_chapter_and_their_file",
    "tests/checks/test_checks.py::test_the_order_is_the_chapters",
    f"tests/chapters/test_teaching.py::test_a_chapters_minutes_are_those_of_its_notes[{NEXT}-test]",
    f"tests/chapters/test_teaching.py::test_the_minutes_of_a_table_add_up[Chapter {NEXT}: normalising flows]",
    "tests/tools/test_frame.py::test_the_forms_that_there_are",
]
ALL_GREEN += [
    f"tests/checks/test_checks.py::{test}[<Check {NEXT}.{exercise}>]"
    for exercise in [*EXERCISES.split(), "fifth"]
    for test in ("test_solution_passes", "test_stub_is_told_kindly")
]
TO_FILL_IN = "tests/tools/test_scaffold.py::test_nothing_is_left_to_fill_in"


def test_all_is_green_but_what_says_that_it_is_to_be_filled_in(copied):
    """This one is the last that reads the copy as it was."""
    for kind in ("lab", "chapter"):
        drafted(kind, copied).write()
    draft = scaffold.Draft(copied)
    scaffold.exercise(draft, f"{NEXT}.fifth")
    draft.write()
    environment = {**os.environ, "PYTHONPATH": str(copied), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", CHECKED, "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *ALL_GREEN, TO_FILL_IN]
    ended = subprocess.run(command, cwd=copied, env=environment, capture_output=True, text=True, timeout=600)
    said = ended.stdout + ended.stderr
    assert re.findall(r"^FAILED (\S+)", said, flags=re.MULTILINE) == [TO_FILL_IN], said
    assert "1 failed," in said and "error" not in said.splitlines()[-1], said
    assert "vaecourse/labs/lab_of_a_test.py:1: To fill in: what it shows" in said
    new = [copied / name for name in named(PAGES["lab"]) if "lab_of_a_test" in name]
    new += sorted((copied / f"vaecourse/checks/chapter_{NEXT}").glob("*.py"))
    for command in (["check"], ["format", "--check"]):
        ruff = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *new], cwd=copied, capture_output=True, text=True
        )
        assert ruff.returncode == 0, ruff.stdout
    linted = [sys.executable, "-m", "ruff", "check", f"chapters/{NEXT}-test.py"]
    assert subprocess.run(linted, cwd=copied, capture_output=True).returncode == 0


def test_nothing_is_left_to_fill_in():
    left = scaffold.unfilled()
    assert not left, "\n".join(left)
