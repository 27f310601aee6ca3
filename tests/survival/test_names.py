"""Names as long as a disk allows, 255 bytes, and names that are no text: every writer works, or says why not."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.labs.test_live import GOAL, GoalTrainer
from tests.survival.test_two_writers import SMALL, call
from tests.test_train import new_model, run
from tools import contents, made
from vaecourse import files, recorded

ROOT = Path(__file__).parents[2]
MINE = files.Kind("a letter of mine", lambda path: path.read_bytes().startswith(b"mine"))


def longest(suffix):
    """A name of 255 bytes, of Chinese letters as far as it goes."""
    letters, rest = divmod(255 - len(suffix), 3)
    return "课" * letters + "x" * rest + suffix


def undecodable(suffix):
    return os.fsdecode(b"r\xe8" + suffix.encode())


NAMES = pytest.mark.parametrize("name", [longest, undecodable, lambda suffix: "课" * 75 + suffix])
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a name is text, and counted otherwise")


@NAMES
def test_the_door(tmp_path, name):
    path, said = tmp_path / name(".txt"), []
    known = {}
    with files.locked(path, "writing"):
        files.write(path, b"mine, first", MINE, known, said.append)
        with pytest.raises(files.Busy, match="writing since"), files.locked(path, "writing"):
            pass
    files.write(path, b"mine, second", MINE, known, said.append)
    files.write(path, b"mine, third", MINE, None, said.append)
    (copy,) = (tmp_path / "kept").iterdir()
    assert copy.read_bytes() == b"mine, second" and path.read_bytes() == b"mine, third" and len(said) == 1
    assert sorted(os.listdir(tmp_path)) == sorted(["kept", path.name])


def test_two_long_names_that_begin_alike_are_two(tmp_path):
    one, other = (tmp_path / ("课" * 80 + end) for end in ("a.txt", "b.txt"))
    with files.locked(one, "writing"), files.locked(other, "writing"):
        files.write(one, b"mine", MINE)
        files.write(other, b"mine", MINE)
    assert len(os.listdir(tmp_path)) == 2


def test_what_a_kill_left_of_a_file_with_a_long_name_is_removed(tmp_path):
    path = tmp_path / longest(".txt")
    part = files.part_of(path)
    part.touch()
    os.utime(part, (0, 0))
    files.replace(path, b"")
    assert os.listdir(tmp_path) == [path.name]


@NAMES
def test_a_checkpoint_of_a_run_and_of_a_lab(tmp_path, name):
    path = tmp_path / name(".safetensors")
    run(new_model(), epochs=1, checkpoint=path)
    assert os.listdir(tmp_path) == [path.name]
    path.unlink()
    trainer = GoalTrainer(3).train(GOAL, 12)
    trainer.save(path, GOAL)
    GoalTrainer(0).train(GOAL, 4).save(path, GOAL)  # another training: the first one is kept
    assert sorted(os.listdir(tmp_path)) == sorted(["kept", path.name]) and len(os.listdir(tmp_path / "kept")) == 1


@NAMES
def test_a_record_and_a_table(tmp_path, name):
    record = recorded.Record(tmp_path / name(".json"), {"K": 4})
    with record.claim(row="a", seed=0):
        record.add({"row": "a", "seed": 0})
    assert os.listdir(tmp_path) == [record.file.name]
    record.file.unlink()
    code, said = call(*SMALL, "--to", record.file)
    assert code == 0, said
    assert sorted(os.listdir(tmp_path)) == sorted([record.file.name, record.file.with_suffix(".md").name])


@NAMES
def test_a_folder_that_is_made(tmp_path, name):
    folder, said = tmp_path / name(""), []
    for words in ("first", "second"):
        with made.building(folder, tell=said.append) as built:
            (built / name(".html")).write_text(words)
        assert [path.read_text() for path in folder.iterdir()] == [words]
    folder.joinpath(name(".html")).write_text("typed")
    with made.building(folder, tell=said.append) as built:
        (built / name(".html")).write_text("third")
    assert [path.read_text() for path in tmp_path.glob("kept/**/*.html")] == ["typed"] and len(said) == 1


@NAMES
def test_a_notebook_in_jupyterlab(tmp_path, name):
    if name is undecodable:
        pytest.skip("JSON has no such names: JupyterLab does not show the file")
    ours, path = contents.Contents(root_dir=str(tmp_path)), name(".ipynb")
    model = {"type": "notebook", "format": "json", "content": nbformat.v4.new_notebook()}
    asyncio.run(ours.save(model, path))
    made_one = asyncio.run(ours.create_checkpoint(path))
    model["content"]["cells"] = [nbformat.v4.new_markdown_cell("typed")]
    asyncio.run(ours.save(model, path))
    asyncio.run(ours.restore_checkpoint(made_one["id"], path))
    assert nbformat.read(tmp_path / path, 4).cells == []
    for number in (1, -1):
        part = {"type": "file", "format": "text", "chunk": number, "content": "words"}
        asyncio.run(ours.save(part, name(".txt")))
    assert (tmp_path / name(".txt")).read_text() == "wordswords"


@pytest.mark.parametrize("command", [["tools.student", "00", "--folder", "{}"], ["tools.answers", "back", "{}"]])
@pytest.mark.parametrize("name", [longest, undecodable])
def test_a_command_in_a_terminal_that_knows_no_letters(tmp_path, command, name):
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    words = [word.format(tmp_path / name("")) for word in command]
    ran = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, env=environment, capture_output=True)
    assert b"Traceback" not in ran.stderr and ran.stderr.count(b"\n") == ran.returncode
    assert ran.returncode == (command[0] == "tools.answers") and (ran.returncode or (tmp_path / name("")).is_dir())
