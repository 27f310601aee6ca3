"""What `make lab`, `make teach`, a container, a codespace and Binder open: the edition to work in, or the chapters."""

import asyncio
import json
import os
import re
import subprocess

import pytest

from tools import contents, edition, lab, typed
from tools.chapter import CHAPTERS, ROOT


def commands(target):
    """What make would run, with all installed."""
    words = ["make", "--no-print-directory", "-n", "--old-file", ".venv/installed-lab", target, "ARGS=--port=9000"]
    printed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [line.replace("--allow-root ", "") for line in printed.splitlines()]


def test_lab_is_for_learners_and_teach_for_teachers():
    assert [line.split() for line in commands("lab")] == [".venv/bin/python -m tools.lab --port=9000".split()]
    (teach,) = commands("teach")
    assert teach.split() == ".venv/bin/python -m tools.lab --port=9000 chapters/00-start-here.ipynb".split()
    assert lab.START.parent == edition.FOLDER == ROOT / "learn"
    assert lab.START.name == typed.notebooks(CHAPTERS)[0].name


@pytest.mark.parametrize(
    "words, is_made",
    [
        ("", True),
        ("--no-browser --port=9000", True),
        ("--port 9000 --ServerApp.root_dir=/srv", True),
        ("learn/03-iwae.ipynb", True),
        (f"--allow-root {ROOT}/learn/03-iwae.ipynb", True),
        ("chapters/03-iwae.ipynb", False),
        ("--no-browser /tmp/somebody/else.ipynb", False),
        ("../other/", False),
        ("--help", False),
        ("--version", False),
    ],
)
def test_the_edition_is_made_where_it_is_opened(words, is_made, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert lab.opens_the_edition(words.split()) == is_made


@pytest.mark.parametrize("failed", [0, 1])
def test_jupyterlab_starts_when_the_edition_is_made(monkeypatch, failed):
    done = []
    monkeypatch.setattr(edition, "main", lambda arguments: done.append("edition") or failed)
    monkeypatch.setattr(lab.Lab, "launch_instance", lambda arguments: done.append(arguments))
    monkeypatch.setattr(lab.environment, "whole_addresses", lambda: None)
    monkeypatch.setattr(lab.ending, "refuse_a_shared_home", lambda: None)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert lab.main(["--no-browser"]) == failed
    assert done == ["edition", ["--no-browser"]][: 2 - failed]


def test_a_learner_sees_chapters_in_the_list_and_what_was_kept(tmp_path):
    for name in ("00-start-here.ipynb", "01-elbo.ipynb", "progress.json", ".progress.lock", "mine.json"):
        (tmp_path / name).write_text("{}")
    for name in ("kept", "__pycache__", ".ipynb_checkpoints"):
        (tmp_path / name).mkdir()
    manager = contents.Contents(root_dir=str(tmp_path))
    listed = asyncio.run(manager.get("", content=True, type="directory"))["content"]
    assert sorted(one["name"] for one in listed) == ["00-start-here.ipynb", "01-elbo.ipynb", "kept", "mine.json"]
    assert asyncio.run(manager.get("progress.json", type="file"))["content"] == "{}", "by its name it is there"


def test_binder_makes_the_edition_when_all_is_installed():
    text = (ROOT / "postBuild").read_text(encoding="utf-8")
    assert text.startswith("#!/bin/sh\n") and os.access(ROOT / "postBuild", os.X_OK)
    assert text.splitlines()[-1] == "python -m tools.edition"
    assert (ROOT / "environment.yml").exists() and not (ROOT / "binder").exists() and not (ROOT / ".binder").exists()


def test_a_codespace_opens_a_notebook_that_is_there_by_then():
    text = (ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8")
    container = json.loads(re.sub(r"^ *//.*", "", text, flags=re.MULTILINE))
    assert container["waitFor"] == "updateContentCommand"
    assert container["updateContentCommand"].endswith("&& .venv/bin/python -m tools.edition")
    opened = container["customizations"]["codespaces"]["openFiles"]
    assert [name for name in opened if name.startswith("learn/")] == [f"learn/{lab.START.name}"]


def test_the_image_has_the_edition_and_its_owner_is_the_learner():
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    places = [lines.index(line) for line in ("USER 1000:1000", "RUN .venv/bin/python -m tools.edition")]
    assert places[0] < next(i for i, line in enumerate(lines) if "make .venv/installed-lab" in line) < places[1]


def test_no_text_names_a_command_that_is_none():
    """`make learn` was one."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    texts = [
        path
        for folder in ("docs", "tools", "vaecourse", "site", ".devcontainer")
        for path in (ROOT / folder).rglob("*")
    ]
    texts += [*ROOT.glob("*.md"), *CHAPTERS.glob("*.py"), *CHAPTERS.glob("*.md"), *(ROOT / ".github").rglob("*.yml")]
    for path in texts:
        if path.suffix in {".py", ".md", ".txt", ".yml", ".js"} and "__pycache__" not in path.parts:
            named = re.findall(r"`make ([a-z-]+)[` ]", path.read_text(encoding="utf-8"))
            assert set(named) <= targets, f"{path.relative_to(ROOT)} names {set(named) - targets}"
