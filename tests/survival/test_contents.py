"""A link in a stranger's repository leads JupyterLab nowhere outside of the folder that it shows."""

import asyncio
import base64
import contextlib
import errno
import gc
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_server.services.contents.handlers import validate_model
from tornado.web import HTTPError

from tools import contents, lab

ROOT = Path(__file__).parents[2]
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


def test_a_full_disk_leaves_both_names_what_they_had(chapters, monkeypatch):
    file, over = chapters / "data/a.txt", contents._over
    file.write_text("an old and longer text")
    (chapters / "second.txt").hardlink_to(file)

    def full(opened, content):
        if content == b"written":
            opened.write(content[:3])
            raise OSError(errno.ENOSPC, "No space left on device")
        over(opened, content)

    monkeypatch.setattr(contents, "_over", full)
    with pytest.raises(HTTPError, match="No space left"):
        asyncio.run(manager(chapters).save(dict(TEXT), "data/a.txt"))
    assert file.read_text() == (chapters / "second.txt").read_text() == "an old and longer text"


def part(number, text):
    """What JupyterLab sends of a file of more than 15 MB, a megabyte at a time; the last has the number -1."""
    content = base64.b64encode(text.encode()).decode()
    return {"type": "file", "format": "base64", "chunk": number, "content": content}


@pytest.mark.parametrize("name", ["data/a.txt", "data/new.txt", "inside/a.txt", "data/second.txt"])
def test_an_upload_has_the_files_name_when_all_of_it_has_come(chapters, name):
    (chapters / "data/second.txt").hardlink_to(chapters / "data/a.txt")
    ours, before = manager(chapters), holds(chapters)
    for number in (1, 2, 3):
        told = asyncio.run(ours.save(part(number, f"{number} "), name))
        validate_model(told, expect_content=False)
        assert told["path"] == name and told["type"] == "file"
        assert {key: value for key, value in holds(chapters).items() if not key.endswith(".part")} == before
    told = asyncio.run(ours.save(part(-1, "last"), name))
    validate_model(told, expect_content=False)
    assert told["size"] == len("1 2 3 last") and (chapters / name).read_text() == "1 2 3 last"
    assert sorted(os.listdir(chapters / "data")) == sorted({"a.txt", "second.txt", os.path.basename(name)})
    if name == "data/second.txt":
        assert (chapters / "data/a.txt").read_text() == "1 2 3 last"


def test_an_upload_that_is_cut_off_leaves_the_file_as_it_was_and_nothing_beside_it(chapters, monkeypatch):
    ours, before = manager(chapters), holds(chapters)
    asyncio.run(ours.save(part(1, "half"), "data/a.txt"))
    monkeypatch.setattr(contents, "QUIET", -1)
    asyncio.run(ours.save(part(1, "begun anew, "), "data/a.txt"))  # the page was loaded again
    assert len(os.listdir(chapters / "data")) == 2
    with pytest.raises(HTTPError, match="cut off while it came, and is as it was: upload it again"):
        asyncio.run(ours.save(part(3, "a part is missing"), "data/a.txt"))
    with pytest.raises(HTTPError, match="upload it again"):
        asyncio.run(ours.save(part(-1, "of another server"), "data/b.txt"))
    monkeypatch.setattr(contents, "ABANDONED", -1)
    asyncio.run(ours.save(part(1, "another"), "data/b.txt"))
    assert [name[:7] for name in sorted(os.listdir(chapters / "data"))] == [".b.txt.", "a.txt"]
    with pytest.raises(HTTPError, match="cannot be read"):
        asyncio.run(ours.save(part(2, "") | {"content": "%"}, "data/b.txt"))
    assert holds(chapters) == before
    asyncio.run(ours.save(part(1, "half"), "data/a.txt"))
    del ours
    gc.collect()
    assert holds(chapters) == before


def test_two_uploads_of_one_name_at_once_are_no_mixture(chapters):
    ours, texts = manager(chapters), []
    for number, who in ((1, "A"), (1, "B"), (2, "A"), (2, "B"), (-1, "A"), (-1, "B")):
        if who in texts:
            continue  # a page that was told no sends nothing more
        try:
            asyncio.run(ours.save(part(number, f"{who}{number} "), "data/a.txt"))
        except HTTPError as refused:
            assert refused.status_code == 409 and "coming from another page" in str(refused)
            texts.append(who)
    assert (chapters / "data/a.txt").read_text() == "A1 A2 A-1 " and texts == ["B"]
    assert os.listdir(chapters / "data") == ["a.txt"]


@pytest.mark.parametrize("order", ["A1 B1 A2 B2 A-1 B-1", "A1 B1 B2 A2 B-1 A-1", "A1 A2 B1 A3 B2 B-1"])
def test_two_uploads_whose_pages_both_go_on_are_no_mixture(chapters, monkeypatch, order):
    """The first was still for so long that the second might begin, and then goes on."""
    monkeypatch.setattr(contents, "QUIET", -1)
    ours = manager(chapters)
    for word in order.split():
        with contextlib.suppress(HTTPError):
            asyncio.run(ours.save(part(int(word[1:]), word[0]), "data/a.txt"))
    assert (chapters / "data/a.txt").read_text() == "the course's" and os.listdir(chapters / "data") == ["a.txt"]


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("how", ["a second name", "a closed folder", "an upload"])
def test_a_kill_in_the_middle_of_a_save_in_place_leaves_a_whole_copy(chapters, how, monkeypatch):
    file, runtime = chapters / "data/a.txt", chapters.parent / "runtime"
    file.write_text("what was there, and is longer")
    if how == "a closed folder":
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime))
        closed = (
            "access = os.access; os.access = lambda place, mode: Path(place) != path.parent and access(place, mode)"
        )
        closed += "; contents.files.replace = lambda *_: (_ for _ in ()).throw(PermissionError(13, 'closed'))"
    else:
        (chapters / "second.txt").hardlink_to(file)
        closed = ""
    by = "by = path.with_name('.part'); by.write_bytes(text)" if how == "an upload" else "by = None"
    program = f"""
import os, signal, sys
from pathlib import Path
from tools import contents
path, text = Path(sys.argv[1]), b"what was typed " * 1000
{closed}
{by}
def over(file, content):
    file.seek(0)
    file.write(content[:5])
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
contents._over = over
contents.put(path, text, by)
"""
    ran = subprocess.run([sys.executable, "-c", program, file], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    place = runtime / "saving" if how == "a closed folder" else chapters / "data/kept"
    (copy,) = place.iterdir()
    assert copy.read_bytes() == b"what was typed " * 1000 and copy.suffix == ".txt"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_an_upload_for_which_there_is_no_room_is_told(chapters, monkeypatch):
    ours, before = manager(chapters), holds(chapters)
    asyncio.run(ours.save(part(1, "half"), "data/a.txt"))
    monkeypatch.setattr(
        contents.Upload, "add", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left"))
    )
    with pytest.raises(HTTPError, match="No space left"):
        asyncio.run(ours.save(part(2, "more"), "data/a.txt"))
    assert holds(chapters) == before


@pytest.mark.parametrize("path", OUT)
def test_no_upload_goes_through_a_link_that_leads_out(chapters, path):
    before = holds(chapters.parent / "home")
    for number in (1, 2, -1):
        with pytest.raises(HTTPError, match="leads out|not supported|cannot come|upload it again"):
            asyncio.run(manager(chapters).save(part(number, "written"), path))
    assert holds(chapters.parent / "home") == before


@pytest.mark.parametrize("which", [".ipynb_checkpoints", ".ipynb_checkpoints/01-checkpoint.ipynb"])
def test_a_checkpoint_is_not_put_behind_a_link(chapters, which):
    home, before = chapters.parent / "home", holds(chapters.parent / "home")
    (chapters / which).parent.mkdir(exist_ok=True)
    (chapters / which).symlink_to(home / "thesis.ipynb" if which.endswith(".ipynb") else home)
    for call in ("create_checkpoint", "list_checkpoints"):
        with pytest.raises(HTTPError, match="leads out of"):
            asyncio.run(getattr(manager(chapters), call)("01.ipynb"))
    assert holds(home) == before


@pytest.mark.parametrize("target", ["../home/thesis.ipynb", "other.ipynb", "../home/new.ipynb"])
@pytest.mark.parametrize("name", [".~01.ipynb", "01.ipynb.invalid", ".~01.ipynb.invalid"])
def test_a_save_writes_the_file_alone_and_no_link_beside_it(chapters, name, target):
    """Jupyter copies the file to .~NAME first, and reads that if the file is damaged."""
    (chapters / "other.ipynb").write_text("the learner's")
    (chapters / name).symlink_to(target)
    ours, before = manager(chapters), holds(chapters.parent / "home")
    answer = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("an answer")])
    asyncio.run(ours.save({**NOTEBOOK, "content": answer}, "01.ipynb"))
    asyncio.run(ours.create_checkpoint("01.ipynb"))
    assert "an answer" in (chapters / "01.ipynb").read_text()
    (chapters / "01.ipynb").write_text("damaged")
    with pytest.raises(HTTPError, match="Unreadable Notebook") as refused:
        asyncio.run(ours.get("01.ipynb"))
    assert refused.value.status_code == 400
    asyncio.run(ours.restore_checkpoint("checkpoint", "01.ipynb"))
    assert "an answer" in (chapters / "01.ipynb").read_text() and not (chapters / "01.ipynb").is_symlink()
    assert (chapters / "other.ipynb").read_text() == "the learner's" and (chapters / name).is_symlink()
    assert holds(chapters.parent / "home") == before


def test_a_save_keeps_the_rights_and_a_second_name(chapters):
    ours, file = manager(chapters), chapters / "data/a.txt"
    file.chmod(0o600)
    asyncio.run(ours.save(dict(TEXT), "data/a.txt"))
    asyncio.run(ours.create_checkpoint("data/a.txt"))
    kept = chapters / "data/.ipynb_checkpoints/a-checkpoint.txt"
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE(kept.stat().st_mode) == 0o600
    (chapters / "second.txt").hardlink_to(file)
    asyncio.run(ours.save({**TEXT, "content": "again"}, "data/a.txt"))
    assert (chapters / "second.txt").read_text() == "again" and kept.read_text() == "written"


@pytest.mark.parametrize("which", [".ipynb_checkpoints", ".ipynb_checkpoints/01-checkpoint.ipynb"])
def test_a_checkpoint_goes_through_no_link_even_in_the_folder(chapters, which):
    (chapters / which).parent.mkdir(exist_ok=True)
    other = chapters / ("other.ipynb" if which.endswith(".ipynb") else "data/01-checkpoint.ipynb")
    other.write_text("the learner's")
    (chapters / which).symlink_to(other if which.endswith(".ipynb") else "data")
    ours = manager(chapters)
    for call in (
        lambda: ours.create_checkpoint("01.ipynb"),
        lambda: ours.list_checkpoints("01.ipynb"),
        lambda: ours.restore_checkpoint("checkpoint", "01.ipynb"),
        lambda: ours.delete_checkpoint("checkpoint", "01.ipynb"),
    ):
        with pytest.raises(HTTPError, match="is a link, and checkpoints are not kept behind one") as refused:
            asyncio.run(call())
        assert refused.value.status_code == 403
    assert other.read_text() == "the learner's"


def test_checkpoints_of_a_read_only_folder_are_in_one_of_the_users_alone(chapters, tmp_path, monkeypatch):
    """And not in /tmp, where any user of the machine may have put some."""
    runtime, shared = tmp_path / "runtime", tmp_path / "tmp"
    (shared / "jupyter_checkpoints").mkdir(parents=True)
    (shared / "jupyter_checkpoints/01-checkpoint.ipynb").symlink_to(chapters.parent / "home/thesis.ipynb")
    before = holds(chapters.parent / "home")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime))
    monkeypatch.setattr("tempfile.tempdir", str(shared))
    can = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(chapters) and can(path, mode))
    ours = manager(chapters)
    assert asyncio.run(ours.list_checkpoints("01.ipynb")) == []
    asyncio.run(ours.create_checkpoint("01.ipynb"))
    (made,) = runtime.rglob("*.ipynb")
    assert made.name == "01-checkpoint.ipynb" and stat.S_IMODE(made.parent.stat().st_mode) == 0o700
    assert holds(chapters.parent / "home") == before and not (chapters / ".ipynb_checkpoints").exists()
    assert len(asyncio.run(ours.list_checkpoints("01.ipynb"))) == 1
    assert asyncio.run(ours.list_checkpoints("data/01.ipynb")) == [], "a folder's own"


def test_what_is_refused_makes_no_folder_either(chapters):
    for call in ("create_checkpoint", "list_checkpoints"):
        with pytest.raises(HTTPError, match="leads out of"):
            asyncio.run(getattr(manager(chapters), call)("home/thesis.ipynb"))
    assert not (chapters.parent / "home/.ipynb_checkpoints").exists()


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


def test_a_save_leaves_in_a_notebook_the_widgets_that_its_page_does_not_get(chapters):
    ours, path = manager(chapters), chapters / "plain.ipynb"
    notebook = nbformat.v4.new_notebook(metadata={"widgets": {"state": {"text": "typed"}}})
    nbformat.write(notebook, path)
    model = asyncio.run(ours.get("plain.ipynb"))
    assert "widgets" not in model["content"]["metadata"]
    model["content"]["cells"] = [nbformat.v4.new_markdown_cell("new")]
    asyncio.run(ours.save({"type": "notebook", "content": model["content"]}, "plain.ipynb"))
    saved = nbformat.read(path, as_version=4)
    assert saved.metadata.widgets.state.text == "typed" and saved.cells[0].source == "new"
    asyncio.run(ours.save({"type": "notebook", "content": nbformat.v4.new_notebook()}, "new.ipynb"))
    assert (chapters / "new.ipynb").exists()
