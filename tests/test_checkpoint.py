"""The file of a training: another run's, a damaged one and a stranger's are refused, and left as they are."""

import pytest
import torch

from tests.test_train import D, X, run, same
from vaecourse import objectives, train
from vaecourse.models import VAE


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"K": 4}, "K was 3 and is now 4"),
        ({"M": 1}, "M was 2 and is now 1"),
        ({"objective": "iwae"}, "objective was 'piwae' and is now 'iwae'"),
        ({"objective": objectives.get("ciwae", beta=0.25)}, r"is now 'ciwae\(beta=0.25\)'"),
        ({"seed": 1}, "seed was 0 and is now 1"),
        ({"batch_size": 9}, "batch_size was 10 and is now 9"),
        ({"learning_rate": 0.01}, "learning_rate was 0.001 and is now 0.01"),
        ({"x": 1 - X}, "data was .* and is now"),
        ({"x": X[:-1]}, r"data was '\[45, 9\].* and is now '\[44, 9\]"),
        ({"held_out": X[:3]}, "held_out was null and is now"),
        ({"binarise": False}, "binarise was true and is now false"),
        ({"optimizer": torch.optim.SGD}, "optimizer was 'Adam.* and is now 'SGD"),
        ({"model": VAE(D, 3, hidden=(6, 5))}, "model was .*'latent_dim': 2.* and is now .*'latent_dim': 3"),
        ({"K": 4, "seed": 1}, "K was 3 and is now 4; seed was 0 and is now 1"),
    ],
)
def test_another_run_is_refused_and_the_file_stays(tmp_path, changes, said):
    file = tmp_path / "file"
    run(epochs=1, checkpoint=file)
    before = file.read_bytes()
    with pytest.raises(ValueError, match=f"file belongs to another run: .*{said}.*Name another file"):
        run(checkpoint=file, **changes)
    assert file.read_bytes() == before


def test_fewer_epochs_than_are_done_is_refused(tmp_path):
    run(epochs=3, checkpoint=tmp_path / "file")
    with pytest.raises(ValueError, match="epochs must be at least 3, which .* has behind it, got 2"):
        run(epochs=2, checkpoint=tmp_path / "file")
    model, history = run(epochs=3, checkpoint=tmp_path / "file")
    assert len(history.epochs) == 3 and same(model, run(epochs=3)[0])


def flip(content):
    """Change one bit of the last number."""
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize(
    "damage, said",
    [
        (lambda content: content[: len(content) // 2], "is not a checkpoint, or is a damaged one"),
        (lambda content: content[:5], "is not a checkpoint, or is a damaged one"),
        (lambda content: b"", "is not a checkpoint, or is a damaged one"),
        (lambda content: b"my thesis", "is not a checkpoint, or is a damaged one"),
        (lambda content: content.replace(b'\\"seed\\": 0', b'\\"seed\\": 7'), "does not match its own sha256"),
        (
            lambda content: content.replace(b"vaecourse checkpoint 1", b"vaecourse checkpoint 9"),
            "is not a checkpoint of",
        ),
        (flip, "does not match its own sha256"),
    ],
)
def test_a_damaged_file_is_told_and_kept(tmp_path, damage, said):
    file = tmp_path / "file"
    run(epochs=1, checkpoint=file)
    broken = damage(file.read_bytes())
    assert broken != file.read_bytes()
    file.write_bytes(broken)
    for use in (lambda: run(checkpoint=file), lambda: train.load(file)):
        with pytest.raises(ValueError, match=f"file.*{said}.*left as it is: name another file"):
            use()
    assert file.read_bytes() == broken


def test_a_file_of_somebody_else_is_kept(tmp_path):
    import safetensors.torch

    weights = tmp_path / "precious.safetensors"
    safetensors.torch.save_file({"decoder.weight": torch.ones(3)}, weights)
    before = weights.read_bytes()
    with pytest.raises(ValueError, match="precious.safetensors is not a checkpoint of vaecourse"):
        run(checkpoint=weights)
    assert weights.read_bytes() == before


def test_a_checkpoint_that_cannot_be_written_is_told_before_the_first_step(tmp_path, monkeypatch):
    monkeypatch.setattr(train.steps, "step", lambda *_: pytest.fail("a step was taken"))
    with pytest.raises(IsADirectoryError, match="checkpoint must name a file, got the folder"):
        run(checkpoint=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        run(checkpoint=tmp_path / "file" / "below a file")
    with pytest.raises(FileNotFoundError, match="checkpoint must name a file that is there, got .*nowhere"):
        train.load(tmp_path / "nowhere")
