"""Answers in learn/ and in chapters/: one update keeps both, by the commands that docs/updating.md says."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.survival.test_answers import FOUR, ROOT, answer, git, light, new_version, text_before_everything, texts
from tools import typed

__all__ = ["light"]  # a fixture

BESIDE = ("postBuild", ".gitignore")
NO_CODE = shutil.ignore_patterns("__pycache__", "*.png", "recorded")


@pytest.fixture
def courses(tmp_path, light):
    """The authors' repository with the course's own commands, and a learner's clone of it."""
    authors, clone = tmp_path / "authors", tmp_path / "clone"
    shutil.copytree(light, authors / "chapters")
    for path in FOUR:
        shutil.copy(path.with_suffix(".py"), authors / "chapters")
    for folder in ("tools", "vaecourse"):
        shutil.copytree(ROOT / folder, authors / folder, ignore=NO_CODE)
    for name in BESIDE:
        shutil.copy(ROOT / name, authors)
    git(authors, "init", "--quiet")
    git(authors, "add", ".")
    git(authors, "commit", "--quiet", "-m", "first")
    git(tmp_path, "clone", "--quiet", authors, clone)
    return authors, clone


def run(clone, *command):
    """A command of the course there, as a learner types it; its words and what it says."""
    bin_here = os.path.dirname(os.path.abspath(sys.executable))
    own = os.environ | {"PATH": f"{bin_here}{os.pathsep}{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(command, cwd=clone, env=own, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def typed_in(path):
    """The answer and the note of ``answer``, as they stand in a notebook now."""
    found = typed.read(path)
    return [typed.source(found["cells"][at]) for at in typed.stubs(found).values()], texts(path)


@pytest.mark.skipif(os.name != "posix", reason="a shell")
def test_one_update_keeps_answers_in_both_editions(courses):
    authors, clone = courses
    run(clone, "sh", "./postBuild")  # as on Binder
    learners = [clone / "learn" / path.name for path in FOUR]
    for number, path in enumerate(learners, 20):
        answer(path, number)
    progress = clone / "learn/progress.json"
    progress.write_text('{"exercises": {}}')
    whole = clone / "chapters" / FOUR[2].name
    answer(whole, 7)
    before = [path.read_bytes() for path in learners]

    for path in (authors / "chapters").glob("*.py"):
        first, second, rest = path.read_text(encoding="utf-8").split("# %%", 2)
        path.write_text(f"{first}# %%{second}# %% [markdown]\n# New words.\n\n# %%{rest}", encoding="utf-8")
    new_version(authors, text_before_everything)
    said = run(clone, "python", "-m", "tools.answers", "update")
    assert f"{whole.name}: 2 of 2 cells that were typed are in it." in said
    assert [path.read_bytes() for path in learners] == before, "git has nothing to do with learn/"
    said = run(clone, "python", "-m", "tools.edition")  # `make lab` does it
    for path in learners:
        assert f"{path.name} has a new text" in said
    for number, path in enumerate([*learners, whole], 20):
        number = 7 if path == whole else number
        stubs, words = typed_in(path)
        assert stubs and sum(f"return {number}" in stub and "what the learner typed" in stub for stub in stubs) == 1
        assert f"My note {number}, µ" in words and "New words." in words
        (copy,) = (path.parent / "kept").glob(f"{path.stem}-*.ipynb")
        assert f"My note {number}, µ" in texts(copy)
    assert progress.read_text() == '{"exercises": {}}'
    assert git(clone, "status", "--porcelain").splitlines() == [f" M chapters/{whole.name}"]


def test_the_page_has_both_commands():
    page = (ROOT / "docs/updating.md").read_text(encoding="utf-8")
    commands = set(re.findall(r"python -m tools\.(\w+ ?\w*)", page))
    assert {"edition", "edition again", "answers keep", "answers back"} <= {name.strip() for name in commands}
    assert "    make update" in page and "the next `make lab`" in " ".join(page.split())
