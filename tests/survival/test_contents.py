"""A link in a stranger's repository leads JupyterLab nowhere outside of the folder that it shows."""

import asyncio
import json
import os

import nbformat
import pytest
from tornado.web import HTTPError

from tools import contents, lab

NOTEBOOK = {"type": "notebook", "format": "json", "content": nbformat.v4.new_notebook()}
TEXT = {"type": "file", "format": "text", "content": "written"}


@pytest.fixture
def chapters(tmp_path):
    """A folder as JupyterLab shows it, with links in it and things of the user's beside it."""
    folder = tmp_path / "chapters"
    (folder / "data").mkdir(parents=True)
    (folder / "data/a.txt").write_text("the course's")
    (folder / "01.ipynb").write_text(nbformat.writes(nbformat.v4.new_notebook()))
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.ipynb").write_text(nbformat.writes(nbformat.v4.new_notebook()))
    (home / ".bashrc").write_text("mine")
    for name, target in (
        ("02.ipynb", home / "thesis.ipynb"),
        ("profile.txt", home / ".bashrc"),
        ("new.txt", home / "not-there-yet.txt"),
        ("relative.txt", "../home/.bashrc"),
        ("home", home),
        ("two-steps.txt", "home/.bashrc"),
        ("inside", "data"),
        ("100%.txt", home / ".bashrc"),
    ):
        (folder / name).symlink_to(target)
    return folder


def manager(folder):
    return contents.Contents(root_dir=str(folder))


def holds(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


OUT = ["02.ipynb", "profile.txt", "new.txt", "relative.txt", "home/thesis.ipynb", "home/new.txt", "two-steps.txt"]


@pytest.mark.parametrize("path", [*OUT, "100%.txt"])
def test_nothing_is_read_or_written_through_a_link_that_leads_out(chapters, path):
    home, before = chapters.parent / "home", holds(chapters.parent / "home")
    ours = manager(chapters)
    model = NOTEBOOK if path.endswith(".ipynb") else TEXT
    calls = {
        "save": lambda: ours.save(dict(model), path),
        "get": lambda: ours.get(path),
        "delete": lambda: ours.delete(path),
        "move away": lambda: ours.rename(path, "mine"),
        "move there": lambda: ours.rename("data/a.txt", path),
        "checkpoint": lambda: ours.create_checkpoint(path),
    }
    for name, call in calls.items():
        with pytest.raises(HTTPError, match="leads out of .*chapters") as refused:
            asyncio.run(call())
        assert refused.value.status_code == 403, name
    assert holds(home) == before


def test_a_list_shows_what_can_be_opened(chapters):
    found = asyncio.run(manager(chapters).get("", type="directory"))
    assert sorted(entry["name"] for entry in found["content"]) == ["01.ipynb", "data", "inside"]


def test_a_link_to_another_place_in_the_folder_is_followed(chapters):
    ours = manager(chapters)
    asyncio.run(ours.save(dict(TEXT), "inside/a.txt"))
    assert (chapters / "data/a.txt").read_text() == "written" and (chapters / "inside").is_symlink()


@pytest.mark.parametrize("which", [".ipynb_checkpoints", ".ipynb_checkpoints/01-checkpoint.ipynb"])
def test_a_checkpoint_is_not_put_behind_a_link(chapters, which):
    home, before = chapters.parent / "home", holds(chapters.parent / "home")
    (chapters / which).parent.mkdir(exist_ok=True)
    (chapters / which).symlink_to(home / "thesis.ipynb" if which.endswith(".ipynb") else home)
    for call in ("create_checkpoint", "list_checkpoints"):
        with pytest.raises(HTTPError, match="leads out of"):
            asyncio.run(getattr(manager(chapters), call)("01.ipynb"))
    assert holds(home) == before


def test_a_folder_that_is_a_link_itself_works_as_any(chapters, tmp_path):
    (tmp_path / "course").symlink_to(chapters)
    ours = manager(tmp_path / "course")
    asyncio.run(ours.save(dict(NOTEBOOK), "01.ipynb"))
    asyncio.run(ours.create_checkpoint("01.ipynb"))
    assert len(asyncio.run(ours.list_checkpoints("01.ipynb"))) == 1
    assert json.loads((chapters / "01.ipynb").read_text())["cells"] == []
    assert os.listdir(chapters / ".ipynb_checkpoints") == ["01-checkpoint.ipynb"]


def test_files_are_given_out_from_inside_only(chapters):
    ours = manager(chapters)
    assert ours.files_handler_class is contents.Files
    with pytest.raises(HTTPError, match="leads out of"):
        contents.Files.validate_absolute_path(None, str(chapters), str(chapters / "profile.txt"))


def test_it_is_what_make_lab_starts_with():
    server = lab.Lab.make_serverapp()
    try:
        assert server.contents_manager_class is contents.Contents
    finally:
        type(server).clear_instance()
