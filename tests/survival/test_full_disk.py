"""A full disk, for real: what was on it stays byte by byte, no half-made file is left, and the error names the cure."""

import contextlib
import errno
import os
import subprocess
from pathlib import Path

import pytest
import torch

from tests.test_data import contents, server, source  # noqa: F401 - fixtures
from tests.test_train import new_model, run, same
from tools import chapter, notebooks
from vaecourse import checkpoint, data, files, labs, recorded
from vaecourse.labs import training_panel
from vaecourse.labs.cockpit import TrainingCockpit


class FullDisk:
    """A tmpfs of two megabytes; ``full()`` lets a file take all that is left of it."""

    def __init__(self, folder):
        self.folder = folder

    @contextlib.contextmanager
    def full(self):
        filler = self.folder / "filler"
        with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        yield
        filler.unlink()


class ShortFiles:
    """No file may grow beyond 16 bytes, which every POSIX system can promise to a process, without root."""

    def __init__(self, folder):
        self.folder = folder

    @contextlib.contextmanager
    def full(self):
        resource = pytest.importorskip("resource", reason="Windows has no limit on the size of a file")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(params=[FullDisk, ShortFiles])
def disk(request, tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if request.param is ShortFiles:
        yield ShortFiles(folder)
        return
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("there is no mount here; the limit on the size of a file is tested")
    if mounted.returncode:
        pytest.skip(f"a disk cannot be mounted ({mounted.stderr.strip()}); the limit on the size of a file is tested")
    yield FullDisk(folder)
    if subprocess.run(["umount", folder]).returncode:
        subprocess.run(["umount", "--lazy", folder], check=True)
        pytest.fail("a file of the disk is still open, or mapped into memory")


def bytes_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


TOLD = r"{name} could not be written \(.*(No space left|too large).*\), and {before}\. Make room there, or name a file"


def test_the_disk_is_full(disk):
    """The test's own tool: a write fails, and works again after."""
    with disk.full():
        with pytest.raises(OSError) as failure, open(disk.folder / "new", "wb") as file:
            file.write(bytes(100_000))
        assert failure.value.errno in (errno.ENOSPC, errno.EFBIG)
    (disk.folder / "new").write_bytes(bytes(100_000))


def test_a_checkpoint_outlives_it_and_the_run_goes_on(disk):
    file = disk.folder / "file.safetensors"
    run(epochs=2, checkpoint=file)
    before, model = bytes_of(disk.folder), new_model()
    with disk.full():
        with pytest.raises(OSError, match=TOLD.format(name="file.safetensors", before="the file is as it was")):
            run(model, checkpoint=file)
    assert bytes_of(disk.folder) == before
    assert model.training and all(p.isfinite().all() for p in model.parameters())
    assert same(run(checkpoint=file)[0], run()[0])


def test_a_run_that_could_not_keep_anything_is_told_before_its_first_step(disk):
    with disk.full():
        with pytest.raises(OSError, match=TOLD.format(name="new.safetensors", before="nothing was written")):
            run(checkpoint=disk.folder / "new.safetensors")
    assert bytes_of(disk.folder) == {}


def test_fetched_data_are_given_and_the_cache_stays(disk, source, server, monkeypatch):  # noqa: F811
    monkeypatch.setattr(data.places, "cache_folder", lambda: disk.folder)
    images = data.mnist()
    lost = disk.folder / "mnist" / "train-images-idx3-ubyte"
    lost.write_bytes(lost.read_bytes()[:-1])
    before = bytes_of(disk.folder)
    with disk.full():
        with pytest.warns(UserWarning) as told:
            again = data.mnist()
    said = " ".join(str(warning.message) for warning in told)
    assert "is the wrong file" in said and "fetched again" in said
    assert "could not be written" in said and "Make room" in said and "fetched each time" in said
    assert torch.equal(images.train, again.train) and bytes_of(disk.folder) == before


def test_a_record_keeps_the_runs_it_has(disk):
    file = disk.folder / "record.json"
    record = recorded.Record(file, {"K": 4})
    record.add({"seed": 0, "draws": "x" * 500})
    before = bytes_of(disk.folder)
    with disk.full():
        with pytest.raises(OSError, match=TOLD.format(name="record.json", before="the file is as it was")):
            record.add({"seed": 1, "draws": "x" * 500})
    assert bytes_of(disk.folder) == before
    record.add({"seed": 2, "draws": ""})
    assert [run["seed"] for run in recorded.Record(file, {"K": 4}).runs] == [0, 1, 2]  # what was in hand was not lost


@pytest.mark.parametrize(
    "damage", [lambda content: content[: len(content) // 2], lambda content: b"\xff\xfe" + content]
)
def test_a_damaged_record_is_told_and_kept(tmp_path, damage):
    file = tmp_path / "record.json"
    recorded.Record(file, {"K": 4}).add({"seed": 0})
    file.write_bytes(broken := damage(file.read_bytes()))
    with pytest.raises(ValueError, match="record.json is not a recorded result: name another file, or move it away"):
        recorded.Record(file, {"K": 4})
    assert file.read_bytes() == broken


def test_a_saved_cockpit_outlives_it_and_the_panel_says_so(disk, monkeypatch):
    monkeypatch.setattr(labs, "STARTED", disk.folder.resolve())
    file = disk.folder / "state.safetensors"
    lab = TrainingCockpit().live()
    lab.step(2)
    lab.save(file)
    before = bytes_of(disk.folder)
    lab.step(1)
    with disk.full():
        lab._obey({"do": "save", "file": str(file)}, training_panel.FILES)
    assert "state.safetensors could not be written" in lab.transport.state and "Make room" in lab.transport.state
    assert bytes_of(disk.folder) == before and lab.trainer.steps == 3
    lab.load(file)
    assert lab.trainer.steps == 2
    lab.close()


def test_a_chapter_and_the_answers_in_it_outlive_it(disk):
    """What was typed is kept before the new text is written; with no room for the copy nothing is written."""
    text, path = disk.folder / "90-full.py", disk.folder / "90-full.ipynb"
    text.write_text("# %%\nprint(1)\n")
    notebooks.write(chapter.read(text), path)
    path.write_text(path.read_text().replace("print(1)", "print(1)  # my answer"))
    text.write_text("# %%\nprint(2)\n")
    before = bytes_of(disk.folder)
    with disk.full(), pytest.raises(OSError, match="could not be written .* Make room there"):
        notebooks.write(chapter.read(text), path)
    assert bytes_of(disk.folder) == before
    notebooks.write(chapter.read(text), path)
    (copy,) = (disk.folder / "kept").iterdir()
    assert "my answer" in copy.read_text()


def test_a_file_where_a_folder_must_be_is_told(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="below could not be written .*, and nothing was written. Name another file"):
        run(epochs=1, checkpoint=tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become somebody who may not write")
def test_a_folder_that_may_not_be_written_is_told(tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o755)
    for above in (tmp_path, *tmp_path.parents[:3]):
        above.chmod(above.stat().st_mode | 0o011)
    os.seteuid(65534)
    try:
        with pytest.raises(PermissionError, match="file could not be written .* in a folder that you may write to"):
            files.replace(folder / "file", b"content")
    finally:
        os.seteuid(0)
    assert not any(folder.iterdir())


def test_a_checkpoint_that_a_run_goes_on_from_is_not_held_open(tmp_path):
    """Windows could not replace it."""
    run(epochs=1, checkpoint=tmp_path / "file")
    optimizer = torch.optim.Adam(new_model().parameters())
    kept = checkpoint.Checkpoint(
        tmp_path / "file", checkpoint.read(tmp_path / "file")[1]["settings"], new_model(), optimizer, {}
    )
    kept.resume(1)
    maps = Path("/proc/self/maps")
    assert optimizer.state_dict()["state"] and (not maps.exists() or str(tmp_path) not in maps.read_text())
