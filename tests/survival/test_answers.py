"""What was typed into a notebook survives the course's commands, a new version, and JupyterLab wherever it starts."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest

import tools.git
import tools.merging
import tools.put_back
import tools.update
from tests.chapters.conftest import SAMPLE
from tools import answers, browser, chapter, made, notebooks, student, typed

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
FOUR = [path for path in CHAPTERS if path.name[:2] in ("00", "02", "03", "06")]
ANSWER = "def {name}(*arguments):  # what the learner typed\n    return {number}"


def answer(path, number, exercise=None):
    """Type an answer into an exercise (the second, if none is named), a remark into a text, and a cell of one's own."""
    found = json.loads(path.read_text(encoding="utf-8"))
    stubs = typed.stubs(found)
    exercise = exercise or list(stubs)[1]
    stub = found["cells"][stubs[exercise]]
    stub["source"] = ANSWER.format(name="answer", number=number).splitlines(keepends=True)
    stub["outputs"], stub["execution_count"] = [], 7
    own = {"cell_type": "markdown", "id": f"mine-{number}", "metadata": {}, "source": [f"My note {number}, µ"]}
    found["cells"].insert(4, own)
    path.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
    return exercise


def texts(path):
    return [typed.source(cell) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]


# The mark ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_stored_chapter_carries_its_mark_and_names_its_exercises(path):
    assert typed.is_untouched(path)
    found = typed.read(path)
    tagged = [cell for cell in found["cells"] if "stub" in cell["metadata"].get("tags", [])]
    assert len(typed.stubs(found)) == len(tagged) and list(typed.typed(found)) == []


CHANGES = {
    "a letter": lambda cells: cells[5].update(source=typed.source(cells[5]) + "x"),
    "a cell of one's own": lambda cells: cells.insert(3, dict(cells[3], id="new", source="mine")),
    "a cell removed": lambda cells: cells.pop(3),
    "cells in another order": lambda cells: cells.insert(3, cells.pop(4)),
    "a picture pasted into a text": lambda cells: cells[0].update(attachments={"a.png": {"image/png": "AAAA"}}),
    "another kind": lambda cells: cells[5].update(cell_type="raw"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_by_hand_is_seen(tmp_path, change):
    found = typed.read(CHAPTERS[0])
    CHANGES[change](found["cells"])
    (tmp_path / "n.ipynb").write_text(json.dumps(found), encoding="utf-8")
    assert not typed.is_untouched(tmp_path / "n.ipynb")


def test_a_run_alone_is_no_change(tmp_path):
    found = typed.read(CHAPTERS[0])
    for cell in found["cells"]:
        if cell["cell_type"] == "code":
            cell.update(execution_count=99, outputs=[])
    (tmp_path / "n.ipynb").write_text(json.dumps(found), encoding="utf-8")
    assert typed.is_untouched(tmp_path / "n.ipynb")


# The course's commands -----------------------------------------------------------------------------------------------


def test_chapters_made_again_over_answers_keep_a_copy_and_say_where(tmp_path, capsys):
    for suffix in (".py", ".ipynb"):
        shutil.copy(SAMPLE.with_suffix(suffix), tmp_path)
    path = tmp_path / f"{SAMPLE.stem}.ipynb"
    answer(path, 17, list(typed.stubs(typed.read(path)))[0])
    before = path.read_bytes()
    assert notebooks.main(["refresh", "--folder", str(tmp_path)]) == 0
    (copy,) = (tmp_path / "kept").iterdir()
    assert copy.read_bytes() == before and str(copy) in capsys.readouterr().err
    assert typed.is_untouched(path)
    assert notebooks.main(["refresh", "--folder", str(tmp_path)]) == 0  # untouched: no second copy
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_a_second_class_version_keeps_what_was_written_into_the_first(tmp_path, capsys):
    source = chapter.sources(["00"])[0]
    path = student.write(source, tmp_path)
    answer(path, 17)
    before = path.read_bytes()
    student.write(source, tmp_path)
    (copy,) = (tmp_path / "kept").iterdir()
    assert copy.read_bytes() == before and str(copy) in capsys.readouterr().err and typed.is_untouched(path)


def test_copies_of_what_lies_in_build_are_outside_of_it():
    assert made.copies(ROOT / "build/student") == ROOT / "kept/build/student"
    assert made.copies(ROOT / "chapters") == ROOT / "chapters/kept"


# A new version -------------------------------------------------------------------------------------------------------


def git(folder, *words):
    own = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    environment = {**os.environ, **own, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    ran = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="session")
def light(tmp_path_factory):
    """The chapters with the beginning of each picture only, or json and git read six megabytes again and again."""
    folder = tmp_path_factory.mktemp("light")
    for path in CHAPTERS:
        found = json.loads(path.read_text(encoding="utf-8"))
        for shown in (output.get("data", {}) for cell in found["cells"] for output in cell.get("outputs", [])):
            shown |= {kind: content[:400] for kind, content in shown.items() if kind.startswith("image/")}
        (folder / path.name).write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return folder


WHOLE = pytest.mark.parametrize("course", ["with every picture"], indirect=True)


@pytest.fixture
def course(tmp_path, request, light):
    """The authors' repository, and a learner's clone of it with answers in four chapters and one chapter run only."""
    authors, clone = tmp_path / "authors", tmp_path / "the learner's clone, µ"
    (authors / "chapters").mkdir(parents=True)
    for path in CHAPTERS:
        shutil.copy(path if hasattr(request, "param") else light / path.name, authors / "chapters")
    (authors / ".gitignore").write_text("kept/\n")
    git(authors, "init", "--quiet")
    git(authors, "add", ".")
    git(authors, "commit", "--quiet", "-m", "first")
    git(tmp_path, "clone", "--quiet", authors, clone)
    given = {path.name: answer(clone / "chapters" / path.name, number) for number, path in enumerate(FOUR, 10)}
    ran = clone / "chapters" / CHAPTERS[1].name
    ran.write_text(ran.read_text(encoding="utf-8").replace('"execution_count": 1,', '"execution_count": 51,'), "utf-8")
    return authors, clone, given


def new_version(authors, change):
    for path in (authors / "chapters").glob("*.ipynb"):
        found = typed.read(path)
        change(path.name, found)
        for index, cell in enumerate(found["cells"]):
            cell["id"] = f"{path.name[:2]}-{index}"  # as in a real one: an id is of a place
        typed.mark(found)
        path.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
    git(authors, "commit", "--quiet", "--all", "-m", "second")


def text_before_everything(name, found):
    found["cells"].insert(1, {"cell_type": "markdown", "id": "x", "metadata": {}, "source": ["New words."]})


def update(clone):
    answers.update(clone / "chapters")


@WHOLE
def test_answers_in_four_chapters_come_through_a_new_version(course, capsys):
    authors, clone, given = course
    new_version(authors, text_before_everything)
    update(clone)
    said = capsys.readouterr().out
    for number, path in enumerate(FOUR, 10):
        here = clone / "chapters" / path.name
        found, new = typed.read(here), texts(here)
        place = typed.stubs(found)[given[path.name]]
        assert typed.source(found["cells"][place]) == ANSWER.format(name="answer", number=number)
        assert new[1] == "New words." and new[new.index(f"My note {number}, µ") - 1] == texts(path)[3]
        assert sum("what the learner typed" in text for text in new) == 1 and len(new) == len(texts(path)) + 2
        (copy,) = (clone / "chapters/kept").glob(f"{path.stem}-*.ipynb")
        assert str(copy) in said and f"My note {number}, µ" in texts(copy)
        assert f"{path.name}: 2 of 2 cells that were typed are in it." in said
        assert not typed.is_untouched(here) and len(list(typed.typed(found))) == 2
        nbformat.validate(nbformat.reads(here.read_text(encoding="utf-8"), as_version=4))
    assert typed.is_untouched(clone / "chapters" / CHAPTERS[1].name)
    assert len(list((clone / "chapters/kept").iterdir())) == 5  # with the one that was run, outputs and all
    new_version(authors, lambda name, found: text_before_everything(name, found))
    update(clone)  # and through the next one
    assert all(sum("what the learner typed" in text for text in texts(clone / "chapters" / p.name)) == 1 for p in FOUR)


def test_an_exercise_that_changed_keeps_both_and_one_that_went_keeps_the_answer(course):
    authors, clone, given = course
    changed, gone = FOUR[0].name, FOUR[1].name

    def change(name, found):
        stubs = typed.stubs(found)
        if name == changed:
            found["cells"][stubs[given[name]]]["source"] = ["def another(signature):\n", "    ..."]
        elif name == gone:
            del found["cells"][stubs[given[name]]]

    new_version(authors, change)
    update(clone)
    found = typed.read(clone / "chapters" / changed)
    sources = [typed.source(cell) for cell in found["cells"]]
    place = sources.index("def another(signature):\n    ...")
    assert "what the learner typed" in sources[place + 1]
    assert sum("what the learner typed" in text for text in texts(clone / "chapters" / gone)) == 1


def test_a_chapter_that_went_leaves_the_copy(course, capsys):
    authors, clone, _ = course
    git(authors, "rm", "--quiet", f"chapters/{FOUR[3].name}")
    git(authors, "commit", "--quiet", "-m", "gone")
    update(clone)
    assert "is of no chapter" in capsys.readouterr().out
    (copy,) = (clone / "chapters/kept").glob(f"{FOUR[3].stem}-*.ipynb")
    assert "My note 13, µ" in texts(copy)


def test_answers_go_into_the_chapter_that_has_their_exercises_when_it_has_another_name(course, capsys):
    authors, clone, given = course
    path = FOUR[2]
    git(authors, "mv", f"chapters/{path.name}", "chapters/09-called-otherwise.ipynb")
    new_version(authors, text_before_everything)
    update(clone)
    here = clone / "chapters/09-called-otherwise.ipynb"
    found = typed.read(here)
    assert "what the learner typed" in typed.source(found["cells"][typed.stubs(found)[given[path.name]]])
    assert "My note 12, µ" in texts(here) and "09-called-otherwise.ipynb: 2 of 2" in capsys.readouterr().out
    (copy,) = (clone / "chapters/kept").glob(f"{path.stem}-*.ipynb")
    assert tools.put_back.chapter_of(copy, clone / "chapters") == here


def test_answers_of_a_chapter_with_another_name_go_into_no_notebook_of_ones_own(course):
    """JupyterLab's Duplicate has the same exercises, and its name comes first."""
    authors, clone, given = course
    path = FOUR[2]
    own = clone / "chapters" / f"{path.stem}-Copy1.ipynb"
    shutil.copy(path, own)
    before = own.read_bytes()
    git(authors, "mv", f"chapters/{path.name}", "chapters/09-called-otherwise.ipynb")
    (authors / "chapters/09-called-otherwise.py").write_text("# its text\n")
    git(authors, "add", "chapters")
    git(authors, "commit", "--quiet", "-m", "called otherwise")
    update(clone)
    found = typed.read(clone / "chapters/09-called-otherwise.ipynb")
    assert "what the learner typed" in typed.source(found["cells"][typed.stubs(found)[given[path.name]]])
    assert own.read_bytes() == before


@pytest.mark.parametrize(
    "more", [{"GIT_DIR": ".git"}, {"GIT_DIR": ".git", "GIT_WORK_TREE": "."}, {"GIT_INDEX_FILE": "x"}]
)
def test_a_repository_that_the_environment_names_is_not_taken_for_the_courses(course, monkeypatch, more):
    """As in a hook or an alias of git's."""
    authors, clone, _ = course
    new_version(authors, text_before_everything)
    for name, value in more.items():
        monkeypatch.setenv(name, value)
    update(clone)
    for name in more:
        monkeypatch.delenv(name)
    assert "second" in git(clone, "log", "-1") and texts(clone / "chapters" / FOUR[0].name)[1] == "New words."


def test_an_update_that_cannot_be_alone_says_what_is_the_matter(course, tmp_path):
    _, clone, _ = course
    with answers.files.locked(clone / "chapters/update", "updating the course"):
        with pytest.raises(
            answers.ending.Refused, match="Another update of .* is not at its end: it is this very proc"
        ):
            update(clone)
    (clone / "chapters/.update.lock").write_text("a poem")
    with pytest.raises(answers.ending.Refused, match=r"cannot keep a second one .* its lock is .*\.update\.lock\. "):
        update(clone)
    assert (clone / "chapters/.update.lock").read_text() == "a poem"


def test_what_git_refuses_changes_nothing(course, monkeypatch, capsys):
    authors, clone, _ = course
    git(clone, "remote", "set-url", "origin", str(authors / "nowhere"))
    before = {path.name: path.read_bytes() for path in (clone / "chapters").glob("*.ipynb")}
    monkeypatch.setattr(answers, "CHAPTERS", clone / "chapters")
    monkeypatch.setattr(answers.update, "__defaults__", (clone / "chapters", ()))
    assert answers.main(["update"]) == 1
    assert "git fetch said:" in (said := capsys.readouterr().err) and "Your notebooks are as they were" in said
    assert before == {path.name: path.read_bytes() for path in (clone / "chapters").glob("*.ipynb")}


def test_answers_that_were_committed_come_through_a_new_version_by_the_lines_that_are_told(course):
    authors, clone, given = course
    git(clone, "commit", "--quiet", "--all", "-m", "mine")
    mine = git(clone, "rev-parse", "HEAD")
    new_version(authors, text_before_everything)
    with pytest.raises(tools.git.ending.Refused, match="commits of your own: docs/updating.md"):
        update(clone)
    page = (ROOT / "docs/updating.md").read_text(encoding="utf-8")
    assert len(answers.keep(clone / "chapters")) == len(given)
    branch = git(clone, "branch", "--show-current").strip()
    for line in ("git branch my-answers", "git checkout --no-overwrite-ignore -B main FETCH_HEAD"):
        assert line in page
        git(clone, *[branch if word == "main" else word for word in line.split()[1:]])
    kept = [str(path) for path in (clone / "chapters/kept").iterdir()]
    assert answers.all_back(kept, clone / "chapters") == 0
    for name, exercise in given.items():
        found = typed.read(clone / "chapters" / name)
        assert "what the learner typed" in typed.source(found["cells"][typed.stubs(found)[exercise]])
        assert "New words." in texts(clone / "chapters" / name)
    assert git(clone, "rev-parse", "my-answers") == mine
    update(clone)  # from now on as ever


def test_answers_are_brought_over_from_an_unpacked_older_folder(course, tmp_path):
    _, clone, given = course
    new = tmp_path / "new"
    new.mkdir()
    for path in CHAPTERS:
        shutil.copy(path, new)
    old = sorted((clone / "chapters").glob("[0-9]*.ipynb"))
    before = [path.read_bytes() for path in old]
    for path in old:
        list(answers.back(path, new))
        list(answers.back(path, new))  # twice is once
    for path in FOUR:
        place = typed.stubs(typed.read(new / path.name))[given[path.name]]
        assert (
            "what the learner typed" in texts(new / path.name)[place]
            and len(texts(new / path.name)) == len(texts(path)) + 1
        )
    assert [path.read_bytes() for path in old] == before
    shutil.rmtree(clone / ".git")
    with pytest.raises(answers.ending.Refused, match="was not cloned with git. Unpack the new version beside it"):
        answers.update(clone / "chapters")


def test_an_answer_in_the_new_notebook_is_not_replaced_by_an_older_one(tmp_path):
    old, new = tmp_path / "old" / FOUR[0].name, tmp_path / "new" / FOUR[0].name
    for path, number in ((old, 1), (new, 2)):
        path.parent.mkdir()
        shutil.copy(FOUR[0], path)
        answer(path, number)
    list(answers.back(old, new.parent))
    now = texts(new)
    assert {ANSWER.format(name="answer", number=number) for number in (1, 2)} <= set(now)
    assert {"My note 1, µ", "My note 2, µ"} <= set(now)


# What comes between --------------------------------------------------------------------------------------------------


@pytest.fixture
def hooked(tmp_path, monkeypatch):
    """A git that first does something else: ``hooked("merge", "a line of shell")``; and so for further commands."""
    real, lines = shutil.which("git"), {}

    def hook(command, line):
        lines[command] = f'*" {command} "*) {line}\n;;\n'
        script = tmp_path / "bin/git"
        script.parent.mkdir(exist_ok=True)
        script.write_text(f'#!/bin/sh\ncase " $* " in {"".join(lines.values())}esac\nexec {real} "$@"\n')
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
        return script

    return hook


def everything(folder):
    """All texts of all notebooks, copies too."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.ipynb")))


@pytest.mark.parametrize("moment", ["fetch", "merge", "cat-file"])
def test_what_is_saved_while_git_works_is_not_lost(course, hooked, moment, capsys):
    """JupyterLab saves by itself, every two minutes."""
    authors, clone, _ = course
    new_version(authors, text_before_everything)
    path = clone / "chapters" / FOUR[1].name
    late = authors.parent / "late.ipynb"
    late.write_text(path.read_text(encoding="utf-8").replace("what the learner typed", "TYPED MEANWHILE"), "utf-8")
    hooked(moment, f'cp "{late}" "{path}"')
    with contextlib.suppress(answers.ending.Refused):
        update(clone)
    assert everything(clone / "chapters").count("TYPED MEANWHILE") >= 1
    assert all(f"def answer(*arguments):  # {word}" in everything(clone / "chapters") for word in ("what", "TYPED"))


def test_a_pull_that_fails_leaves_every_notebook_as_it_was(course, hooked):
    _, clone, _ = course
    before = {path: (path.read_bytes(), path.stat().st_mode) for path in (clone / "chapters").glob("*.ipynb")}
    hooked("merge", "exit 1")
    with pytest.raises(answers.ending.Refused, match="as they were"):
        update(clone)
    assert before == {path: (path.read_bytes(), path.stat().st_mode) for path in before}
    assert not list((clone / "chapters/kept").iterdir())


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("how", ["KILL", "TERM", "HUP"])
def test_an_update_that_is_ended_is_finished_by_the_next(course, hooked, how):
    authors, clone, given = course
    new_version(authors, text_before_everything)
    script = hooked("merge", f"kill -{how} $PPID; sleep 1; exit 1")
    program = "import sys; from pathlib import Path; from tools import answers; answers.update(Path(sys.argv[1]))"
    ran = subprocess.run([sys.executable, "-c", program, clone / "chapters"], cwd=ROOT, capture_output=True)
    assert ran.returncode != 0
    if how != "KILL":
        assert "what the learner typed" in (clone / "chapters" / FOUR[0].name).read_text(encoding="utf-8")
    script.unlink()
    time.sleep(1.1)  # git's orphan
    update(clone)
    for path in FOUR:
        found = typed.read(clone / "chapters" / path.name)
        answered = typed.source(found["cells"][typed.stubs(found)[given[path.name]]])
        assert "what the learner typed" in answered and texts(clone / "chapters" / path.name)[1] == "New words."


def in_another_process(clone):
    program = "import sys; from pathlib import Path; from tools import answers; answers.update(Path(sys.argv[1]))"
    command = [sys.executable, "-c", program, clone / "chapters"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("how", ["TERM", "HUP", "INT"])
def test_a_polite_end_waits_for_every_git_that_writes_chapters(course, hooked, how, tmp_path):
    """The git that writes may be the child of the one that was started, and has looked at the chapters already."""
    authors, clone, _ = course
    new_version(authors, text_before_everything)
    path, done = clone / "chapters" / FOUR[1].name, tmp_path / "done"
    is_back = f'grep -q "what the learner typed" "{path}"'
    wait = f"for i in 1 2 3 4 5 6 7 8; do {is_back} && break; sleep 0.1; done"
    write = f'cp "{authors / "chapters" / path.name}" "{path}"; touch "{done}"'
    hooked("merge", f"({wait}; {write}) & kill -{how} $PPID; wait; exit 1")
    ran = in_another_process(clone)
    for _ in range(100):
        if done.exists():
            break
        time.sleep(0.05)
    assert done.exists() and ran.returncode != 0
    assert ANSWER.format(name="answer", number=11) in texts(path) and "My note 11, µ" in texts(path)
    assert "as they were before git began" in ran.stderr and not list((clone / "chapters/kept").iterdir())


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_polite_end_while_git_fetches_is_obeyed_at_once_and_nothing_has_moved(course, hooked):
    _, clone, _ = course
    hooked("fetch", "kill -TERM $PPID; exec sleep 60")
    start = time.monotonic()
    assert in_another_process(clone).returncode != 0 and time.monotonic() - start < 30
    assert not (clone / "chapters/kept").exists()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_polite_end_while_git_writes_is_obeyed_when_it_has_written(course, hooked):
    authors, clone, given = course
    new_version(authors, text_before_everything)
    script = hooked("merge", "kill -TERM $PPID")
    ended = in_another_process(clone)
    assert ended.returncode != 0 and "git had written the new version: it is here, but for the note" in ended.stdout
    assert "before git began" not in ended.stdout
    assert "second" in git(clone, "log", "-1") and not list((clone / "chapters/kept").iterdir())
    assert all("what the learner typed" in "".join(texts(clone / "chapters" / path.name)) for path in FOUR)
    script.unlink()
    update(clone)
    for path in FOUR:
        found = typed.read(clone / "chapters" / path.name)
        answered = typed.source(found["cells"][typed.stubs(found)[given[path.name]]])
        assert "what the learner typed" in answered and texts(clone / "chapters" / path.name)[1] == "New words."


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_nothing_is_put_back_while_the_git_of_a_killed_update_writes(course, hooked, monkeypatch, tmp_path):
    authors, clone, _ = course
    new_version(authors, text_before_everything)
    path, go = clone / "chapters" / FOUR[1].name, tmp_path / "go"
    write = f'cp "{authors / "chapters" / path.name}" "{path}"'
    script = hooked("merge", f'kill -KILL $PPID; until [ -e "{go}" ]; do sleep 0.05; done; {write}; exit 1')
    with open(tmp_path / "said", "w") as said:  # a pipe would be waited for until git ends
        program = "import sys; from pathlib import Path; from tools import answers; answers.update(Path(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", program, clone / "chapters"], cwd=ROOT, stdout=said, stderr=said)
    script.unlink()
    monkeypatch.setattr(tools.git, "PATIENCE", 0, raising=False)
    try:
        with pytest.raises(answers.ending.Refused, match="(?s)is still writing.*kept: the next `make update` puts it"):
            update(clone)
        assert "My note 11, µ" not in texts(path)
    finally:
        go.touch()
    monkeypatch.setattr(tools.git, "PATIENCE", 20, raising=False)
    update(clone)
    assert all("what the learner typed" in "".join(texts(clone / "chapters" / path.name)) for path in FOUR)
    assert texts(path)[1] == "New words." and "My note 11, µ" in texts(path)


def test_an_update_beside_another_git_moves_nothing(course, monkeypatch):
    """Windows has no lock that git could inherit: there this one says that a git lives on."""
    authors, clone, _ = course
    new_version(authors, text_before_everything)
    before = {path: path.read_bytes() for path in (clone / "chapters").glob("*.ipynb")}
    (lock := clone / ".git/index.lock").touch()
    monkeypatch.setattr(tools.git, "PATIENCE", 0, raising=False)
    with pytest.raises(answers.ending.Refused, match="If none runs any more: remove .*index.lock\nYour notebooks are"):
        update(clone)
    assert before == {path: path.read_bytes() for path in before} and not (clone / "chapters/kept").exists()
    lock.unlink()
    update(clone)
    assert texts(clone / "chapters" / FOUR[0].name)[1] == "New words."


def test_a_branch_that_follows_none_is_told_and_nothing_moves(course):
    authors, clone, _ = course
    new_version(authors, text_before_everything)
    branch = git(clone, "branch", "--show-current").strip()
    git(clone, "switch", "--quiet", "--create", "mine")
    with pytest.raises(answers.ending.Refused, match="git knows no branch to take the new version from"):
        update(clone)
    assert not (clone / "chapters/kept").exists()
    answers.update(clone / "chapters", ["origin", branch])
    assert texts(clone / "chapters" / FOUR[0].name)[1] == "New words."


@pytest.mark.parametrize("left", ["nothing", "an empty file", "half of it"])
def test_an_update_that_lost_a_chapter_is_finished_by_the_next(course, hooked, left, capsys):
    """Nothing: killed between two names. An empty file: the power went before the disk had it."""
    authors, clone, given = course
    new_version(authors, text_before_everything)
    ran_only, path = clone / "chapters" / CHAPTERS[1].name, clone / "chapters" / FOUR[0].name
    script = hooked("merge", "kill -KILL $PPID; sleep 1; exit 1")
    program = "import sys; from pathlib import Path; from tools import answers; answers.update(Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", program, clone / "chapters"], cwd=ROOT, capture_output=True)
    for lost in (path, ran_only):
        whole = lost.read_bytes()
        lost.unlink() if left == "nothing" else lost.write_bytes(b"" if left == "an empty file" else whole[:3000])
    script.unlink()
    time.sleep(1.1)
    update(clone)
    found = typed.read(path)
    answered = typed.source(found["cells"][typed.stubs(found)[given[path.name]]])
    assert "what the learner typed" in answered and texts(path)[1] == "New words." == texts(ran_only)[1]
    assert "not put back" not in (said := capsys.readouterr().out) and ("is damaged: what it held is in" in said) == (
        left == "half of it"
    )
    assert not (clone / "chapters/kept" / tools.update.OWED).exists()


@pytest.mark.parametrize("when", ["before", "after"])
def test_ctrl_c_beside_the_renaming_loses_nothing(course, monkeypatch, when):
    authors, clone, _ = course
    before = {path: path.read_bytes() for path in (clone / "chapters").glob("*.ipynb")}
    rename = os.rename

    def stopped(old, new):
        monkeypatch.setattr(answers.os, "rename", rename)
        if when == "after":
            rename(old, new)
        raise KeyboardInterrupt

    monkeypatch.setattr(answers.os, "rename", stopped)
    with pytest.raises(KeyboardInterrupt):
        update(clone)
    assert before == {path: path.read_bytes() for path in (clone / "chapters").glob("*.ipynb")}
    assert not (clone / "chapters/kept" / tools.update.OWED).exists()


def test_what_cannot_be_moved_back_stays_owed(course, hooked, monkeypatch, capsys):
    authors, clone, _ = course
    new_version(authors, text_before_everything)
    script, replace = hooked("merge", "exit 1"), os.replace

    def refuse(old, new):
        if FOUR[0].stem in str(old) and "kept" in str(old):
            raise OSError(5, "Input/output error")
        replace(old, new)

    monkeypatch.setattr(answers.os, "replace", refuse)
    with pytest.raises(
        answers.ending.Refused, match=rf"into {FOUR[0].name} is in .*kept: the next `make update`"
    ) as told:
        update(clone)
    assert "as they were" not in str(told.value)
    monkeypatch.setattr(answers.os, "replace", replace)
    assert "could not be put back" in capsys.readouterr().out
    script.unlink()
    update(clone)
    assert all("what the learner typed" in (clone / "chapters" / p.name).read_text(encoding="utf-8") for p in FOUR)


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for the name of an open file")
def test_a_full_disk_is_told_as_it_is_and_nothing_has_moved(course, monkeypatch, capsys):
    _, clone, _ = course
    before = {path: path.read_bytes() for path in (clone / "chapters").glob("*.ipynb")}
    fsync, files = os.fsync, answers.files

    def full(handle):
        if ".ipynb" in os.readlink(f"/proc/self/fd/{handle}"):
            raise OSError(28, "No space left on device")
        fsync(handle)

    monkeypatch.setattr(files.os, "fsync", full)
    monkeypatch.setattr(answers, "CHAPTERS", clone / "chapters")
    assert answers.main(["update"]) == 1
    said = capsys.readouterr()
    assert "saved meanwhile" not in said.out and answers.ending.FULL in said.err and "Errno" not in said.err
    assert before == {path: path.read_bytes() for path in (clone / "chapters").glob("*.ipynb")}


def test_a_git_that_finds_the_disk_full_puts_every_notebook_back(course, hooked, capsys, tmp_path):
    """Where it may take a lock to look at the chapters, it has no room for that either."""
    _, clone, _ = course
    before = {path.name: path.read_bytes() for path in (clone / "chapters").glob("*.ipynb")}
    full, told = tmp_path / "full", 'echo "fatal: No space left on device" >&2; exit 128'
    hooked("merge", f'touch "{full}"; {told}')
    hooked("status", f'[ -e "{full}" ] && [ "$GIT_OPTIONAL_LOCKS" != 0 ] && {{ {told}; }}')
    with pytest.raises(answers.ending.Refused, match="No space left on device\nYour notebooks are as they were"):
        update(clone)
    assert before == {path.name: path.read_bytes() for path in (clone / "chapters").glob("*.ipynb")}
    assert capsys.readouterr().out == ""


def test_answers_for_which_there_is_no_room_are_told_and_put_back_by_the_next(course, monkeypatch, capsys):
    authors, clone, _ = course
    new_version(authors, text_before_everything)
    write = answers.files.write

    def full(path, *_, **__):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(answers.files, "write", full)
    monkeypatch.setattr(answers, "CHAPTERS", clone / "chapters")
    assert answers.main(["update"]) == 1
    said = capsys.readouterr()
    assert "as they were" not in said.out + said.err
    assert f"{FOUR[3].name} is in {clone / 'chapters/kept'}: the next `make update` puts it back." in said.err
    monkeypatch.setattr(answers.files, "write", write)
    assert answers.main(["update"]) == 0
    assert all("what the learner typed" in (clone / "chapters" / p.name).read_text(encoding="utf-8") for p in FOUR)


# A git that does not come to its end ---------------------------------------------------------------------------------

SOURCES = {
    "vaecourse/bounds.py": 300,
    "vaecourse/files/whole.py": 200,
    "vaecourse/gone.py": 5,
    "vaecourse/own.py": 5,
    "go": 5,
}
END = "for later = 3\n"


def sources(folder, version):
    (folder / "vaecourse/files").mkdir(parents=True, exist_ok=True)
    for name, lines in SOURCES.items():
        (folder / name).write_text(f"x = {version}\n" * lines)
    (folder / "go").chmod(0o755)


@pytest.fixture
def sourced(course):
    """The course with a few files of code, executable, new and gone ones; the learner's own.py is not the course's."""
    authors, clone, given = course
    sources(authors, 1)
    git(authors, "add", ".")
    git(authors, "commit", "--quiet", "-m", "code")
    git(clone, "pull", "--quiet", "--ff-only")
    sources(authors, 2)
    (authors / "vaecourse/own.py").write_text("x = 1\n" * 5)
    (authors / "vaecourse/gone.py").unlink()
    (authors / "vaecourse/new é.py").write_text("new\n" * 50)
    (authors / "vaecourse/later.py").write_text(END)
    git(authors, "add", "--all")
    new_version(authors, text_before_everything)
    (clone / "vaecourse/own.py").write_text("what the learner made\n")
    return authors, clone, given


def half(authors, clone):
    """A line of shell that leaves the clone as a git does that was ended: files cut off, empty, missing, with zeros."""
    at = lambda name: f'"{clone}/{name}"'
    cut = [
        f'head -c 500 "{authors}/vaecourse/bounds.py" > {at("vaecourse/bounds.py")}',
        f"rm {at('vaecourse/gone.py')} {at('go')}; : > {at('vaecourse/files/whole.py')}",
        f'{{ head -c 40 "{authors}/vaecourse/new é.py"; head -c 30 /dev/zero; }} > {at("vaecourse/new é.py")}',
        *(f'head -c 3000 "{authors}/chapters/{path.name}" > {at(f"chapters/{path.name}")}' for path in FOUR[:2]),
    ]
    return "; ".join(cut)


def whole(clone):
    """Everything in the clone but git's own."""
    found = (path for path in clone.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(clone): (path.read_bytes(), path.stat().st_mode) for path in found}


def is_new(clone, given):
    assert (clone / "vaecourse/bounds.py").read_text() == "x = 2\n" * 300
    assert (clone / "vaecourse/new é.py").exists() and not (clone / "vaecourse/gone.py").exists()
    assert (clone / "vaecourse/own.py").read_text() == "what the learner made\n"
    assert git(clone, "status", "--short", "vaecourse", "go").split() == ["M", "vaecourse/own.py"]
    for path in FOUR:
        found = typed.read(clone / "chapters" / path.name)
        answered = typed.source(found["cells"][typed.stubs(found)[given[path.name]]])
        assert "what the learner typed" in answered and texts(clone / "chapters" / path.name)[1] == "New words."


@pytest.mark.skipif(os.name != "posix", reason="shell")
def test_a_git_that_finds_no_room_while_it_writes_leaves_every_file_as_it_was(sourced, hooked, capsys):
    authors, clone, given = sourced
    before = whole(clone)
    script = hooked("merge", f"{half(authors, clone)}; echo 'error: unable to write file' >&2; exit 1")
    with pytest.raises(answers.ending.Refused, match="unable to write file\nYour notebooks are as they were"):
        update(clone)
    assert whole(clone) == before and git(clone, "status", "--short", "vaecourse", "go") == " M vaecourse/own.py\n"
    assert "written meanwhile" not in capsys.readouterr().out
    script.unlink()
    update(clone)
    is_new(clone, given)


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("then", ["", "the index"])
def test_an_update_that_was_killed_with_its_git_while_that_wrote_is_finished_by_the_next(sourced, hooked, then, capsys):
    authors, clone, given = sourced
    index = (
        f'git -C "{clone}" read-tree FETCH_HEAD; ' if then else ""
    )  # git writes it before it says which version it is
    script = hooked("merge", f"{half(authors, clone)}; {index}kill -KILL $PPID; exit 1")
    assert in_another_process(clone).returncode != 0
    assert (clone / "vaecourse/files/whole.py").read_bytes() == b""
    script.unlink()
    time.sleep(0.3)  # git's orphan
    update(clone)
    is_new(clone, given)
    assert "git was ended while it wrote: " in capsys.readouterr().out
    assert not [path for path in (clone / "chapters/kept").iterdir() if path.name.startswith(".")]


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_what_somebody_wrote_after_a_git_was_killed_is_not_put_back(sourced, hooked):
    authors, clone, _ = sourced
    script = hooked("merge", f"{half(authors, clone)}; kill -KILL $PPID; exit 1")
    in_another_process(clone)
    (clone / "vaecourse/bounds.py").write_text("written since\n")
    script.unlink()
    time.sleep(0.3)
    with pytest.raises(answers.ending.Refused, match="would be overwritten"):
        update(clone)
    assert (clone / "vaecourse/bounds.py").read_text() == "written since\n"
    assert (clone / "vaecourse/own.py").read_text() == "what the learner made\n"


@pytest.mark.skipif(os.name != "posix", reason="shell")
def test_files_that_cannot_be_put_back_are_named_and_stay_noted(sourced, hooked, capsys):
    authors, clone, given = sourced
    hooked("merge", f"{half(authors, clone)}; echo 'error: unable to write file' >&2; exit 1")
    script = hooked("checkout", "echo 'error: no room' >&2; exit 1")
    with pytest.raises(answers.ending.Refused, match="unable to write file") as refused:
        update(clone)
    assert "as they were" not in str(refused.value)  # two chapters are missing
    said = capsys.readouterr().out
    assert "git checkout said:\nerror: no room" in said and "written meanwhile" not in said
    names = sorted(["go", *list(SOURCES)[:3], *(f"chapters/{path.name}" for path in FOUR[:2])])
    assert f"checkout HEAD -- {' '.join(names)}\n" in said
    assert all("what the learner typed" in "".join(texts(clone / "chapters" / path.name)) for path in FOUR)
    script.unlink()
    update(clone)
    is_new(clone, given)


@pytest.mark.skipif(os.name != "posix", reason="runs the line that is told in a shell")
@pytest.mark.parametrize(
    "lost",
    ["vaecourse/files/whole.py", "vaecourse/__init__.py", "tools/ending.py", "tools/typed.py", "tools/update.py"],
)
def test_a_course_whose_own_code_was_cut_off_tells_the_line_that_puts_it_back(tmp_path, lost):
    root = tmp_path / "a course, µ"
    ignored = shutil.ignore_patterns("__pycache__", "*.lock")
    for name in ("tools", "vaecourse"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    (root / "chapters/kept").mkdir(parents=True)
    (root / ".gitignore").write_text("kept/\n__pycache__/\n.*.lock\n")
    shutil.copy(FOUR[0], root / "chapters")
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "first")
    git(root, "remote", "add", "origin", str(root))
    head = git(root, "rev-parse", "HEAD").strip()
    before = (root / lost).read_bytes()
    (root / lost).write_bytes(before[: len(before) * 2 // 3] + b"(")
    (root / "tools/made.py").write_text((root / "tools/made.py").read_text() + "# mine\n")
    command = [sys.executable, "-m", "tools.answers", "update", "origin", git(root, "branch", "--show-current").strip()]
    start = lambda: subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert "Traceback" in start().stderr  # no git has left this
    note = {"from": head, "to": head, "files": [lost, "vaecourse/data/__init__.py"]}
    (root / "chapters/kept" / tools.merging.MERGING).write_text(json.dumps(note))
    told = start()
    assert told.returncode == 1 and told.stderr.startswith("answers: git was ended while it wrote, and files of the")
    line = told.stderr.partition("Then: ")[2].splitlines()[0]
    assert line.endswith(f"checkout HEAD -- {lost}")
    subprocess.run(line, shell=True, check=True, capture_output=True)
    assert (root / lost).read_bytes() == before and (root / "tools/made.py").read_text().endswith("# mine\n")
    assert (ran := start()).returncode == 0, ran.stderr
    assert not list((root / "chapters/kept").iterdir())


@WHOLE
def test_an_update_for_which_the_disk_has_no_room_is_refused_before_anything_moves(sourced, monkeypatch):
    _, clone, given = sourced
    before, usage = whole(clone), shutil.disk_usage(clone)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=17_000_000))
    with pytest.raises(
        answers.ending.Refused, match=r"needs 2\d MB of room on the disk, and 17 MB are free: make room"
    ):
        update(clone)
    assert whole(clone) == before
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=100_000_000))
    update(clone)
    is_new(clone, given)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=0))
    update(clone)  # nothing is new, so nothing is needed


def test_a_change_of_ones_own_is_not_taken_away_and_merged_whatever_git_is_told(sourced):
    authors, clone, _ = sourced
    git(clone, "config", "merge.autoStash", "true")
    (clone / "vaecourse/bounds.py").write_text("mine = 3\n" + "x = 1\n" * 299)
    with pytest.raises(answers.ending.Refused, match="would be overwritten"):
        update(clone)
    assert (clone / "vaecourse/bounds.py").read_text() == "mine = 3\n" + "x = 1\n" * 299


def is_ignored(clone, way, line, monkeypatch):
    """Tell git to ignore what a line says, in one of the three places where it looks."""
    place = {"everywhere": clone.parent / "ignore", "here": clone / ".git/info/exclude", "course": clone / ".gitignore"}
    with open(place[way], "a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    settings = clone.parent / "settings"
    settings.write_text(f"[core]\n\texcludesFile = {clone.parent}/ignore\n", encoding="utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))


@pytest.mark.parametrize(
    ("way", "mine", "theirs"),
    [
        ("everywhere", ".vscode/settings.json", ".vscode/settings.json"),
        ("here", "notes.md", "notes.md"),
        ("course", "notes.md", "notes.md"),
        ("here", "mine/deep/draft.txt", "mine"),
        ("here", "notes.md", "notes.md/of the course"),
        ("here", "a repository/draft.txt", "a repository"),
    ],
)
def test_what_git_ignores_and_the_new_version_brings_is_not_overwritten(course, way, mine, theirs, monkeypatch):
    authors, clone, _ = course
    if way == "course":
        (authors / ".gitignore").write_text(f"kept/\n{mine.split('/')[0]}\n", encoding="utf-8")
        git(authors, "commit", "--quiet", "--all", "-m", "ignored")
        git(clone, "pull", "--quiet", "--ff-only")
    else:
        is_ignored(clone, way, mine.split("/")[0], monkeypatch)
    (clone / mine).parent.mkdir(parents=True, exist_ok=True)
    (clone / mine).write_text("typed for weeks", encoding="utf-8")
    if "repository" in mine:
        git(clone / mine.split("/")[0], "init", "--quiet")
        git(clone / mine.split("/")[0], "add", ".")
        git(clone / mine.split("/")[0], "commit", "--quiet", "-m", "mine")
    (authors / theirs).parent.mkdir(parents=True, exist_ok=True)
    (authors / theirs).write_text("the course's", encoding="utf-8")
    git(authors, "add", "--force", theirs)
    new_version(authors, text_before_everything)
    before = everything(clone / "chapters")
    with pytest.raises(
        answers.ending.Refused, match="Nothing of it was touched. Move it away: cd .* && mv -- "
    ) as told:
        update(clone)
    assert (clone / mine).read_text() == "typed for weeks" and everything(clone / "chapters") == before
    line = str(told.value).partition("Move it away: ")[2].splitlines()[0]
    subprocess.run(["sh", "-c", line], check=True)  # to the letter
    update(clone)
    assert (clone / theirs).read_text() == "the course's" and texts(clone / "chapters" / FOUR[0].name)[
        1
    ] == "New words."
    moved = [path for path in clone.parent.rglob(Path(mine).name) if path.is_file() and clone not in path.parents]
    assert [path.read_text() for path in moved if authors not in path.parents] == ["typed for weeks"]


@pytest.mark.parametrize("what", ["a link", "a file"])
def test_copies_of_answers_are_not_removed_for_what_a_new_version_has_in_their_place(course, what):
    authors, clone, given = course
    old = clone / "chapters/kept/00-old.ipynb"
    old.parent.mkdir()
    old.write_text("an older copy")
    git(authors, "mv", "chapters", "lessons")
    if what == "a link":
        (authors / "chapters").symlink_to("lessons")
    else:
        (authors / "chapters").write_text("they are in lessons/")
    git(authors, "add", ".")
    git(authors, "commit", "--quiet", "-m", "moved")
    before = everything(clone / "chapters")
    with pytest.raises(answers.ending.Refused, match="copies of your answers are there, and stay. Unpack the new"):
        update(clone)
    assert everything(clone / "chapters") == before and old.read_text() == "an older copy"


@pytest.mark.parametrize("what", ["file", "link"])
def test_what_stands_where_a_lost_files_folder_was_stays(sourced, hooked, what):
    """After a git that was killed while it wrote: a file is missing, and somebody made another thing of its folder."""
    authors, clone, given = sourced
    script = hooked("merge", half(authors, clone) + "; kill -KILL $PPID; exit 1")
    assert in_another_process(clone).returncode != 0
    script.unlink()
    time.sleep(0.3)
    note = json.loads((clone / "chapters/kept/.merging.json").read_text())
    name = next(name for name in note["files"] if "/" in name and not name.startswith("chapters"))
    folder = clone / name.split("/")[0]
    shutil.rmtree(folder)
    if what == "file":
        folder.write_text("mine")
    else:
        (clone.parent / "elsewhere").mkdir()
        folder.symlink_to(clone.parent / "elsewhere")
    with contextlib.suppress(answers.ending.Refused):
        update(clone)
    assert folder.read_text() == "mine" if what == "file" else folder.is_symlink() and not any(folder.iterdir())
    assert everything(clone / "chapters").count("what the learner typed") >= len(FOUR)


def test_a_course_inside_another_repository_is_not_updated(tmp_path):
    inside = tmp_path / "outer/course/chapters"
    inside.mkdir(parents=True)
    shutil.copy(FOUR[0], inside)
    git(tmp_path / "outer", "init", "--quiet")
    with pytest.raises(
        answers.ending.Refused, match="lies in another repository, .*outer, which stays as it is. Unpack"
    ):
        answers.update(inside)


def test_answers_come_back_into_a_notebook_whose_cells_have_no_ids(pair, tmp_path):
    new = tmp_path / "new" / FOUR[0].name
    found = typed.read(new)
    for cell in found["cells"]:
        del cell["id"]
    new.write_text(json.dumps(found), encoding="utf-8")
    cells, said = pair(lambda cells, stubs: [cells[stubs[0]].update(source="mine = 1"), cells.insert(3, own("Mine."))])
    sources = [typed.source(cell) for cell in cells]
    assert "mine = 1" in sources and "Mine." in sources and "2 of 2" in said[0]


def test_one_notebook_that_cannot_be_read_keeps_no_other_from_its_answers(course, capsys):
    authors, clone, _ = course
    new_version(authors, text_before_everything)
    damaged = clone / "chapters" / FOUR[0].name
    damaged.write_bytes(damaged.read_bytes()[:5000])
    odd = clone / "chapters" / FOUR[1].name
    odd.write_text(odd.read_text(encoding="utf-8").replace('"metadata": {}', '"metadata": {"tags": null}', 1), "utf-8")
    update(clone)
    assert "is not a notebook, or is a damaged one" in capsys.readouterr().out
    for path in FOUR[1:]:
        assert "what the learner typed" in (clone / "chapters" / path.name).read_text(encoding="utf-8")
    (copy,) = (clone / "chapters/kept").glob(f"{FOUR[0].stem}-*.ipynb")
    assert copy.stat().st_size == 5000


def test_staged_answers_are_refused_and_stay(course):
    authors, clone, _ = course
    new_version(authors, text_before_everything)
    path = clone / "chapters" / FOUR[2].name
    git(clone, "add", f"chapters/{path.name}")
    shutil.copy(FOUR[2], path)
    before = git(clone, "show", f":chapters/{path.name}")
    with pytest.raises(answers.ending.Refused, match="is staged for a commit"):
        update(clone)
    assert git(clone, "show", f":chapters/{path.name}") == before and "what the learner typed" in before


def test_a_merge_that_has_not_ended_is_told_as_one_and_nothing_moves(course):
    """To be told that it is staged, and to restore that, loses what git knows of the two sides."""
    authors, clone, _ = course
    new_version(authors, text_before_everything)
    git(clone, "stash")
    git(clone, "pull", "--quiet", "--ff-only")
    assert subprocess.run(["git", "-C", clone, "stash", "pop"], capture_output=True).returncode, "a conflict"
    before = {path: path.read_bytes() for path in (clone / "chapters").iterdir()}
    with pytest.raises(answers.ending.Refused, match="has a conflict of a merge that has not ended"):
        update(clone)
    assert {path: path.read_bytes() for path in (clone / "chapters").iterdir()} == before
    assert git(clone, "stash", "list") and git(clone, "ls-files", "--unmerged")


def test_a_course_inside_a_machine_that_is_not_utf_8_is_updated(course, tmp_path):
    authors, clone, _ = course
    new_version(authors, text_before_everything)
    program = (
        "import sys; from pathlib import Path; from tools import answers\n"
        "answers.CHAPTERS = Path(sys.argv.pop()); sys.exit(answers.main(sys.argv[1:]))"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    command = [sys.executable, "-c", program, "update", clone / "chapters"]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True)
    assert ran.returncode == 0, ran.stderr
    assert all("what the learner typed" in (clone / "chapters" / p.name).read_text(encoding="utf-8") for p in FOUR)


# Odd notebooks -------------------------------------------------------------------------------------------------------


@pytest.fixture
def pair(tmp_path):
    """A chapter somebody works in, and a new version of it: ``again()`` puts the first into the second."""
    old, new = tmp_path / "old" / FOUR[0].name, tmp_path / "new" / FOUR[0].name
    for path in (old, new):
        path.parent.mkdir()
    found = typed.read(FOUR[0])
    old.write_text(json.dumps(found), encoding="utf-8")
    text_before_everything("", found)
    for index, cell in enumerate(found["cells"]):
        cell["id"] = f"n{index}"
    typed.mark(found)
    new.write_text(json.dumps(found), encoding="utf-8")

    def again(change):
        cells = typed.read(old)
        change(cells["cells"], list(typed.stubs(cells).values()))
        old.write_text(json.dumps(cells), encoding="utf-8")
        said = list(answers.back(old, new.parent))
        return typed.read(new)["cells"], said

    return again


def own(text, **more):
    return {"cell_type": "markdown", "id": f"own-{time.monotonic_ns()}", "metadata": {}, "source": text, **more}


def test_two_notes_with_the_same_words_are_two(pair):
    cells, said = pair(lambda cells, _: [cells.insert(3, own("Again.")), cells.insert(5, own("Again."))])
    assert [typed.source(cell) for cell in cells].count("Again.") == 2 and "2 of 2" in said[0]


def test_pasted_pictures_come_along(pair):
    pictures = [{"image.png": {"image/png": name}} for name in ("AAAA", "BBBB")]
    notes = [own("![image.png](attachment:image.png)", attachments=picture) for picture in pictures]
    cells, _ = pair(lambda cells, _: [cells.insert(3, note) for note in notes])
    assert [cell["attachments"] for cell in cells if cell.get("attachments")] == pictures[::-1]


def test_an_answer_that_is_the_courses_own_solution_is_put_in_too(pair):
    solution = next(cell for cell in typed.read(FOUR[0])["cells"] if "solution" in typed.tags(cell))
    cells, _ = pair(lambda cells, stubs: cells[stubs[0]].update(source=solution["source"]))
    assert sum(typed.source(cell) == typed.source(solution) for cell in cells) == 2


def test_an_answer_written_as_text_stays_text(pair):
    picture = {"a.png": {"image/png": "AAAA"}}

    def change(cells, stubs):
        cells[stubs[1]] = own("My reason, with a picture", attachments=picture) | {"id": cells[stubs[1]]["id"]}

    cells, _ = pair(change)
    (cell,) = [cell for cell in cells if "My reason" in typed.source(cell)]
    assert cell["cell_type"] == "markdown" and cell["attachments"] == picture and "outputs" not in cell
    assert cells.index(cell) == typed.stubs(typed.read(FOUR[0]))[list(typed.stubs(typed.read(FOUR[0])))[1]] + 1


def test_a_stub_that_was_split_and_one_whose_check_is_gone_are_answers(pair):
    def change(cells, stubs):
        cells[stubs[0]]["source"] = "first_half = 1"
        del cells[stubs[1] + 1]  # its check
        cells[stubs[1]]["source"] = "without_check = 2"
        cells.insert(stubs[0] + 1, {**cells[stubs[0]], "id": "new", "source": "second_half = 1"})

    cells, said = pair(change)
    sources = [typed.source(cell) for cell in cells]
    assert sources.index("second_half = 1") == sources.index("first_half = 1") + 1 and "without_check = 2" in sources
    assert said == [f"{FOUR[0].name}: 3 of 3 cells that were typed are in it."]


def test_a_notebook_whose_cells_lost_their_ids_brings_only_what_was_typed(pair):
    def change(cells, stubs):
        cells[stubs[0]]["source"] = "mine = 1"
        for cell in cells:
            del cell["id"]

    cells, _ = pair(change)
    assert len(cells) <= len(typed.read(FOUR[0])["cells"]) + 2 and "mine = 1" in [typed.source(cell) for cell in cells]


def test_two_updates_in_a_row_keep_the_newer_answer_in_its_place(course):
    """The exercise changed, so both cells stood; then the new one was filled; then the course changed elsewhere."""
    authors, clone, given = course
    name = FOUR[0].name

    def change(which, found):
        if which == name:
            found["cells"][typed.stubs(found)[given[which]]]["source"] = ["def another(signature):\n", "    ..."]

    new_version(authors, change)
    update(clone)
    path = clone / "chapters" / name
    found = typed.read(path)
    found["cells"][typed.stubs(found)[given[name]]]["source"] = ["def another(signature):\n", "    return 'NEW'"]
    path.write_text(json.dumps(found), encoding="utf-8")
    new_version(authors, text_before_everything)
    update(clone)
    found = typed.read(path)
    assert "NEW" in typed.source(found["cells"][typed.stubs(found)[given[name]]])
    assert sum("what the learner typed" in text for text in texts(path)) == 1


def test_tags_and_the_notebooks_own_metadata_count_as_typed(tmp_path):
    tagged = lambda found: found["cells"][3]["metadata"].update(tags=["ask"])
    signed = lambda found: found["metadata"].update(authors=[])
    remarked = lambda found: found["cells"][3]["metadata"].update(remark="mine")
    hidden = lambda found: found["cells"][3]["metadata"].update(jupyter={"source_hidden": True, "mine": "words"})
    marked = lambda found: found["metadata"]["vaecourse"].update(mine="words")
    for number, change in enumerate((tagged, signed, remarked, hidden, marked)):
        found = typed.read(FOUR[0])
        change(found)
        (path := tmp_path / f"{number}.ipynb").write_text(json.dumps(found), encoding="utf-8")
        assert not typed.is_untouched(path)


def marked(path, change):
    """A chapter with a mark as it is made today, and what a learner changes in its cell with a picture."""
    found = typed.read(FOUR[1])
    typed.mark(found)
    cell = next(cell for cell in found["cells"] if "mystnb" in cell["metadata"])
    change(cell["metadata"])
    path.write_text(json.dumps(found), encoding="utf-8")


SETTINGS = {
    "other words for a picture": lambda metadata: metadata["mystnb"]["image"].update(alt="What I see."),
    "no words for a picture": lambda metadata: metadata.pop("mystnb"),
    "another slide": lambda metadata: metadata["slideshow"].update(slide_type="notes"),
    "no slide": lambda metadata: metadata.pop("slideshow"),
    "a slide that is a list": lambda metadata: metadata["slideshow"].update(slide_type=[]),
}


@pytest.mark.parametrize("change", SETTINGS)
def test_words_for_a_picture_and_settings_of_slides_are_kept(tmp_path, change):
    path = tmp_path / FOUR[1].name
    marked(path, SETTINGS[change])
    before = path.read_bytes()
    assert not typed.is_untouched(path)
    assert answers.keep(tmp_path)[path].read_bytes() == before
    marked(path, lambda metadata: None)
    assert typed.is_untouched(path) and answers.keep(tmp_path) == {}


def test_chapters_made_again_keep_words_for_a_picture(tmp_path, capsys):
    for suffix in (".py", ".ipynb"):
        shutil.copy(SAMPLE.with_suffix(suffix), tmp_path)
    path = tmp_path / f"{SAMPLE.stem}.ipynb"
    found = typed.read(path)
    typed.mark(found)
    found["cells"][1]["metadata"]["mystnb"] = {"image": {"alt": "What I see."}}
    path.write_text(json.dumps(found), encoding="utf-8")
    assert notebooks.main(["refresh", "--folder", str(tmp_path)]) == 0
    (copy,) = (tmp_path / "kept").iterdir()
    assert "What I see." in copy.read_text(encoding="utf-8") and typed.is_untouched(path)


def test_what_jupyterlab_writes_by_itself_is_not_typed(tmp_path):
    found = typed.read(FOUR[0])
    ran = {"shell.execute_reply": "2026-11-26T10:15:00.123456Z", "iopub.status.busy": "2026-11-26T10:15:00+00:00"}
    lab = {"execution": ran, "collapsed": False, "scrolled": "auto", "trusted": True, "editable": True}
    for cell in found["cells"]:
        cell["metadata"] |= {**lab, "jupyter": {"outputs_hidden": True}, "jp-MarkdownHeadingCollapsed": True}
    found["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    (path := tmp_path / "n.ipynb").write_text(json.dumps(found), encoding="utf-8")
    assert typed.is_untouched(path)
    marked(path, lambda metadata: metadata.update(lab))
    assert typed.is_untouched(path)


def test_back_takes_the_newest_copy_and_goes_on_after_a_refusal(tmp_path, capsys):
    new, old = tmp_path / "new", tmp_path / "old, 旧"
    for folder in (new, old):
        folder.mkdir()
    shutil.copy(FOUR[0], new)
    for number, name in enumerate(("-2026-01-01-101010", "-2026-02-01-101010", "-Copy1")):
        shutil.copy(FOUR[0], path := old / f"{FOUR[0].stem}{name}.ipynb")
        answer(path, number)
    (old / "99-nothing.ipynb").write_text("{}")
    assert answers.all_back([str(old / "[0-9]*.ipynb")], new) == 1
    said = capsys.readouterr()
    assert "101010.ipynb is passed over for" in said.out and "Copy1.ipynb is of no chapter" in said.err
    assert "return 1" in "".join(texts(new / FOUR[0].name)) and "return 0" not in "".join(texts(new / FOUR[0].name))


def test_of_copies_made_in_one_second_the_last_is_the_newest(tmp_path, capsys):
    for folder in ("new", "old"):
        (tmp_path / folder).mkdir()
    shutil.copy(FOUR[0], new := tmp_path / "new")
    for number, name in enumerate(("", "-2", "-10")):
        shutil.copy(FOUR[0], path := tmp_path / f"old/{FOUR[0].stem}-2026-11-26-101500{name}.ipynb")
        answer(path, number)
    assert answers.all_back([str(tmp_path / "old/*.ipynb")], new) == 0
    assert "101500-2.ipynb is passed over for" in capsys.readouterr().out
    assert "return 2" in "".join(texts(new / FOUR[0].name)) and "return 1" not in "".join(texts(new / FOUR[0].name))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe with a name")
def test_back_waits_for_no_pipe_and_reads_no_file_that_is_too_long_to_be_a_notebook(tmp_path, capsys):
    for folder in ("new", "old"):
        (tmp_path / folder).mkdir()
    shutil.copy(FOUR[0], tmp_path / "new")
    os.mkfifo(pipe := tmp_path / "old" / FOUR[0].name)
    program = "import sys; from pathlib import Path; from tools import answers\n"
    program += "sys.exit(answers.all_back(sys.argv[1:2], Path(sys.argv[2])))"
    command = [sys.executable, "-c", program, pipe, tmp_path / "new"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1 and ran.stderr == f"answers: {pipe}: it is no file.\n"
    pipe.unlink()
    with open(pipe, "wb") as long:
        long.truncate(1_500_000_000)
    assert answers.all_back([str(pipe)], tmp_path / "new") == 1
    assert f"{pipe} has more than 64000000 bytes." in capsys.readouterr().err
    assert not typed.is_untouched(pipe)


def test_two_who_put_answers_back_at_once_lose_none(tmp_path):
    new = tmp_path / "new"
    new.mkdir()
    shutil.copy(FOUR[0], new)
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        shutil.copy(FOUR[0], path := tmp_path / str(number) / FOUR[0].name)
        answer(path, number)
    threads = [
        threading.Thread(target=lambda n=n: list(answers.back(tmp_path / str(n) / FOUR[0].name, new))) for n in (1, 2)
    ]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert {ANSWER.format(name="answer", number=number) for number in (1, 2)} <= set(texts(new / FOUR[0].name))


# What is handed in ---------------------------------------------------------------------------------------------------


def deep(levels):
    return json.loads("[" * levels + "]" * levels)


HOSTILE = {  # what a cell that was typed has in it
    "half a character": {"source": "x = '\ud800'"},
    "half a character in a line": {"source": ["x = 1\n", "y = '\udfff'"]},
    "half a character in a tag": {"metadata": {"tags": ["\ud800"]}},
    "a tag with a comma": {"metadata": {"tags": ["a,b"]}},
    "no known kind": {"cell_type": "evil"},
    "a kind that is a list": {"cell_type": []},
    "a source that is none": {"source": {}},
    "a source that is a mapping": {"source": {"a": 1}},
    "lines that are none": {"source": ["a", 1]},
    "a picture of code": {"attachments": {"a.png": {"image/png": "AAAA"}}},
    "pictures that are a text": {"cell_type": "markdown", "attachments": "zzz"},
    "pictures that are a list": {"cell_type": "markdown", "attachments": [1, 2]},
    "a picture that is no number": {"cell_type": "markdown", "attachments": {"a": float("nan")}},
    "no number in a picture": {"cell_type": "markdown", "attachments": {"a": {"application/json": [float("nan")]}}},
    "a deep picture": {"cell_type": "raw", "attachments": {"a": {"application/json": deep(400)}}},
    "deep pictures": {"cell_type": "markdown", "attachments": deep(900)},
    "a name that is a list": {"id": []},
    "a name that is a mapping": {"id": {}},
}


@pytest.mark.parametrize("where", ["an exercise", "a cell of one's own"])
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_hand_in_is_refused_in_a_sentence_and_the_chapter_stays(tmp_path, capsys, what, where):
    old, new = tmp_path / "old" / FOUR[0].name, tmp_path / "new" / FOUR[0].name
    for path in (old, new):
        path.parent.mkdir()
        shutil.copy(FOUR[0], path)
    answer(new, 7)  # the reader's own
    before = new.read_bytes()
    found = typed.read(old)
    cell = found["cells"][list(typed.stubs(found).values())[0]]
    if where != "an exercise":
        cell = {"cell_type": "code", "id": "mine", "metadata": {}, "outputs": [], "execution_count": None}
        found["cells"].append(cell)
    cell.update({"source": "x = 1", **HOSTILE[what]})
    old.write_text(json.dumps(found), encoding="utf-8")
    refused = answers.all_back([str(old)], new.parent)
    nbformat.validate(nbformat.reads(new.read_text(encoding="utf-8"), as_version=4))
    if "tag" in what and where == "an exercise":  # there the chapter's own tags stay
        assert what == "half a character in a tag" or refused == 0
        return
    said = capsys.readouterr().err
    assert refused == 1 and said.startswith("answers: ") and said.count("\n") == 1 and len(said) < 500
    assert new.read_bytes() == before and not (new.parent / "kept").exists()


SETTING = {
    "tags": ["mine", "raises-exception"],
    "slideshow": {"slide_type": "fragment"},
    "editable": False,
    "remark": {"read": ["again", None, 1.5]},
    "mystnb": {"image": {"alt": "What I see, µ."}},
}


def test_what_is_set_for_a_cell_of_ones_own_comes_along(pair):
    late = {"execution": {"iopub.status.busy": "2026-11-26T10:00:00Z"}, "trusted": True}
    cells, said = pair(lambda cells, _: cells.insert(3, own("Mine.", metadata={**SETTING, **late})))
    (cell,) = [cell for cell in cells if typed.source(cell) == "Mine."]
    assert cell["metadata"] == SETTING and len(said) == 1


def test_what_is_set_for_an_answer_comes_along_and_the_courses_settings_of_its_cell_stay(pair):
    def change(cells, stubs):
        cell = cells[stubs[1]]
        cell["source"] = "the answer"
        cell["metadata"]["tags"] = [*typed.tags(cell), "mine", "exercise"]
        cell["metadata"] |= {"remark": "mine", "slideshow": {"slide_type": "notes"}}

    cells, said = pair(change)
    (cell,) = [cell for cell in cells if typed.source(cell) == "the answer"]
    before = typed.read(FOUR[0])
    before = before["cells"][list(typed.stubs(before).values())[1]]["metadata"]
    assert cell["metadata"] == {"slideshow": {"slide_type": "notes"}} | before | {
        "tags": [*before["tags"], "mine"],
        "remark": "mine",
    }
    assert "Settings of cells" in said[-1]


@pytest.mark.parametrize("change", SETTINGS)
def test_settings_of_the_courses_cells_that_stay_in_the_copy_are_told(tmp_path, change):
    old = tmp_path / "old" / FOUR[1].name
    old.parent.mkdir()
    shutil.copy(FOUR[1], tmp_path)
    marked(old, SETTINGS[change])
    *_, last = answers.back(old, tmp_path)
    assert "Settings of cells" in last and str(old) in last
    marked(old, lambda metadata: None)
    assert len(list(answers.back(old, tmp_path))) == 1


UNSETTABLE = {
    "no number": {"remark": float("nan")},
    "half a character": {"remark": "\ud800"},
    "half a character in a name": {"\ud800": 1},
    "half a tag": {"tags": "a"},
    "an empty name": {"name": ""},
    "switches that are none": {"jupyter": []},
    "deep": {"remark": deep(400)},
    "deeper": {"remark": deep(900)},
    "no settings": [],
}


@pytest.mark.parametrize("what", UNSETTABLE)
def test_a_setting_that_no_notebook_may_have_costs_nobody_an_answer(pair, what):
    cells, said = pair(lambda cells, _: cells.insert(3, own("Mine.", metadata=UNSETTABLE[what])))
    (cell,) = [cell for cell in cells if typed.source(cell) == "Mine."]
    assert cell["metadata"] == {"tags": []} and "1 of 1" in said[0]


def test_a_tag_that_stands_twice_is_one(pair):
    cells, _ = pair(lambda cells, _: cells.insert(3, own("Mine.", metadata={"tags": ["a", "b", "a"]})))
    (cell,) = [cell for cell in cells if typed.source(cell) == "Mine."]
    assert cell["metadata"]["tags"] == ["a", "b"]


def test_a_notebook_with_odd_words_in_its_metadata_is_looked_at_without_a_failure(tmp_path):
    found = typed.read(FOUR[0])
    found["cells"][3]["metadata"]["slideshow"] = {"slide_type": []}
    (path := tmp_path / "n.ipynb").write_text(json.dumps(found), encoding="utf-8")
    assert not typed.is_untouched(path)


def test_a_check_without_an_end_is_looked_at_once():
    """Looking again from each of its beginnings to the end takes hours for as much as this."""
    program = "from tools import typed; print(typed.CHECK.search('checks.ALL[\\'' * 250_000))"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ran.stdout == "None\n"
    for quote in "'\"":
        assert typed.CHECK.search(f"checks.ALL[{quote}03.iwae_bound{quote}](f)")[2] == "03.iwae_bound"


def test_back_looks_at_every_cell_a_few_times_however_many_were_typed(pair, monkeypatch):
    sum_of, asked = typed.sum_of, []
    monkeypatch.setattr(typed, "sum_of", lambda cell: asked.append(1) or sum_of(cell))
    words = [f"Note {number}" for number in range(300)]
    cells, said = pair(lambda cells, _: cells.__setitem__(slice(4, 4), [own(word) for word in words]))
    assert [typed.source(cell) for cell in cells][5:305] == words and "300 of 300" in said[0]
    assert len(asked) < 5 * len(cells)


# JupyterLab ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [".", "chapters", ".."])
def test_jupyterlab_keeps_what_was_typed_wherever_it_is_started(tmp_path, start):
    """As a page does it: open, type, save; the .py is older, then newer. jupytext is here, and sees our settings."""
    root = tmp_path / "course"
    (root / "chapters").mkdir(parents=True)
    shutil.copy(ROOT / "pyproject.toml", root)
    for suffix in (".py", ".ipynb"):
        shutil.copy(ROOT / f"chapters/00-start-here{suffix}", root / "chapters")
    notebook, text = root / "chapters/00-start-here.ipynb", root / "chapters/00-start-here.py"
    answer(notebook, 41)
    before = text.read_bytes()
    with browser.server(root=(root / start).resolve()) as server:
        name = os.path.relpath(notebook, (root / start).resolve())
        for newer in (notebook, text):
            os.utime(newer, (time.time() + 100,) * 2)
            opened = json.loads(server.ask(f"api/contents/{name}"))
            cells = opened["content"]["cells"]
            assert any("what the learner typed" in typed.source(cell) for cell in cells)
            cells[0]["source"] = typed.source(cells[0]) + f"\nTyped while {newer.suffix} was newer."
            body = json.dumps({"type": "notebook", "format": "json", "content": opened["content"]})
            server.ask(f"api/contents/{name}", "PUT", body.encode())
            assert f"Typed while {newer.suffix} was newer." in texts(notebook)[0]
    assert text.read_bytes() == before and sum("what the learner typed" in one for one in texts(notebook)) == 1
