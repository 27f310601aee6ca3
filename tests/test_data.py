"""Images: the splits, the idx format, the mirrors, the cache, and the sentence when nothing is at hand."""

import gzip
import hashlib
import threading
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler

import numpy as np
import pytest
import torch

from tests.stats import assert_mean
from vaecourse import data, files


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.astype(np.uint8).tobytes()


@pytest.fixture
def contents():
    draw = np.random.default_rng(0)
    return {
        "train-images-idx3-ubyte": idx(draw.integers(0, 256, (7, 3, 2))),
        "train-labels-idx1-ubyte": idx(draw.integers(0, 10, 7)),
        "t10k-images-idx3-ubyte": idx(draw.integers(0, 256, (4, 3, 2))),
        "t10k-labels-idx1-ubyte": idx(draw.integers(0, 10, 4)),
    }


@pytest.fixture
def server(tmp_path, contents):
    """A mirror on this machine, and the list of what was asked of it."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    for name, content in contents.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    asked = []

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.path)

    mirror = HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=mirror.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield folder, f"http://127.0.0.1:{mirror.server_port}/", asked
    mirror.shutdown()
    thread.join()
    mirror.server_close()


@pytest.fixture
def source(monkeypatch, tmp_path, contents, server):
    """MNIST, as it were: small files, a dead mirror before the living one, nothing on this machine."""
    monkeypatch.delenv(data.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(data.places, "DEBIAN", tmp_path / "no debian")
    monkeypatch.setattr(data.places, "cache_folder", lambda: tmp_path / "cache")
    sums = {name: data.Held(len(content), hashlib.sha256(content).hexdigest()) for name, content in contents.items()}
    small = data.Source("mnist", ("http://127.0.0.1:9/", server[1]), sums)
    monkeypatch.setattr(data.sources, "MNIST", small)
    monkeypatch.setattr(data.fetching, "SCHEMES", ("https", "http"))  # the mirror of these tests has no certificate
    return small


def test_digits_are_the_same_split_each_time():
    first, second = data.digits(), data.digits()
    assert first.train.shape == (1437, 64) and first.test.shape == (360, 64) and first.shape == (8, 8)
    assert first.train.dtype == torch.float32 and first.train.amin() == 0 and first.train.amax() == 1
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    assert set(first.train_labels.tolist()) == set(first.test_labels.tolist()) == set(range(10))
    together = torch.cat([first.train, first.test])
    from sklearn.datasets import load_digits

    assert torch.allclose(together.sum(0), torch.from_numpy(load_digits().data).float().sum(0) / 16)  # none lost
    assert torch.equal(first.binary_test(), second.binary_test())
    assert set(first.binary_test().unique().tolist()) == {0.0, 1.0}


def test_images_cannot_be_changed():
    with pytest.raises(AttributeError):
        data.digits().train = torch.zeros(1, 64)


def test_binarise_draws_bernoulli_pixels_anew():
    x = torch.tensor([[0.0, 0.2, 0.7, 1.0]])
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([data.binarise(x, generator) for _ in range(4000)])
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    assert (draws[..., 0] == 0).all() and (draws[..., 3] == 1).all()
    assert_mean(draws[:, 0, 1:3], x[0, 1:3])


@pytest.mark.parametrize("wrong, said", [(torch.tensor([[255.0, 0.0]]), "255"), (torch.tensor([[-1.0]]), "-1")])
def test_binarise_needs_pixels_in_0_1(wrong, said):
    with pytest.raises(ValueError, match=rf"x must lie in \[0, 1\].*{said}"):
        data.binarise(wrong)


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(ValueError, match="name must be one of .*, got 'minst'.*Did you mean 'mnist'"):
        data.load("minst")
    with pytest.raises(ValueError, match="otherwise must be one of .*'digit'"):
        data.load("mnist", otherwise="digit")
    with pytest.raises(TypeError, match="name must be one of .*, got 7"):
        data.load(7)


def test_idx_is_read():
    array = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)
    assert np.array_equal(data.read_idx(idx(array)), array)


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "begins with 00 00 08"),
        (b"PK\x03\x04 zip", "begins with 00 00 08"),
        (bytes([0, 0, 13, 1]) + bytes(8), "begins with 00 00 08"),  # floats
        (bytes([0, 0, 8, 0]), "begins with 00 00 08"),  # no axis
        (bytes([0, 0, 8, 3, 0, 0]), "begins with 00 00 08"),  # cut inside the sizes
        (idx(np.zeros((2, 3)))[:-1], "has 18 bytes, this one 17"),
        (idx(np.zeros((2, 3))) + b"x", "has 18 bytes, this one 19"),
    ],
)
def test_a_file_that_is_no_idx_is_told(content, said):
    with pytest.raises(ValueError, match=said):
        data.read_idx(content)


def test_fetched_from_the_second_mirror_and_kept(source, server, contents):
    images = data.mnist()
    assert images.train.shape == (7, 6) and images.test.shape == (4, 6) and images.shape == (3, 2)
    pixels = np.frombuffer(contents["train-images-idx3-ubyte"], np.uint8, offset=16).reshape(7, 6)
    assert torch.equal(images.train, torch.from_numpy(pixels.astype(np.float32)) / 255)
    assert images.train_labels.tolist() == list(contents["train-labels-idx1-ubyte"][8:])
    assert len(server[2]) == 4
    data.mnist()
    assert len(server[2]) == 4  # the cache was enough
    assert not [path for path in (data.places.cache_folder() / "mnist").iterdir() if path.suffix == ".part"]


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b[:-1] + b"\x00\x01", lambda b: b"", lambda b: b"\x1f\x8b"]
)
def test_a_damaged_cache_is_told_and_fetched_again(source, server, contents, damage):
    data.mnist()
    kept = data.places.cache_folder() / "mnist" / "train-images-idx3-ubyte"
    kept.write_bytes(damage(kept.read_bytes()))
    with pytest.warns(UserWarning, match="train-images-idx3-ubyte is .* fetched again"):
        again = data.mnist()
    assert again.train.shape == (7, 6)
    assert kept.read_bytes() == contents["train-images-idx3-ubyte"]


def test_a_damaged_cache_without_a_network_is_told_and_left(source, server, monkeypatch):
    data.mnist()
    kept = data.places.cache_folder() / "mnist" / "train-images-idx3-ubyte"
    kept.write_bytes(half := kept.read_bytes()[:20])
    monkeypatch.setattr(data.sources, "MNIST", source._replace(mirrors=("http://127.0.0.1:9/",)))
    with pytest.warns(UserWarning, match="train-images-idx3-ubyte is the wrong file"):
        with pytest.raises(data.NotAtHand, match="The cached file .*ubyte is damaged, and none of 1 mirrors"):
            data.mnist()
    assert kept.read_bytes() == half and len(list(kept.parent.iterdir())) == 4


def test_a_mirror_that_sends_another_file_is_not_believed(source, server, contents):
    swapped = idx(np.zeros((7, 3, 2)))
    (server[0] / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(swapped))
    with pytest.raises(data.NotAtHand):
        data.mnist()
    assert not (data.places.cache_folder() / "mnist" / "train-images-idx3-ubyte").exists()


def test_a_mirror_may_send_it_uncompressed(source, server, contents):
    """Some servers gunzip on the way: it is the content that counts."""
    for name, content in contents.items():
        (server[0] / f"{name}.gz").write_bytes(content)
    assert data.mnist().train.shape == (7, 6)


def test_offline_says_what_to_do_and_the_course_goes_on(source, monkeypatch):
    monkeypatch.setattr(data.sources, "MNIST", source._replace(mirrors=("http://127.0.0.1:9/",)))
    with pytest.raises(data.NotAtHand, match="connect to the network.*VAECOURSE_DATA.*need no network: data.digits"):
        data.mnist()
    with pytest.warns(UserWarning, match="mnist is not on this machine.*goes on with digits"):
        assert data.load("mnist", otherwise="digits").name == "digits"


@pytest.mark.parametrize("sub, packed", [("mnist", True), ("mnist", False), ("", True), ("", False)])
def test_the_named_folder_is_read_without_the_network(source, monkeypatch, tmp_path, contents, sub, packed):
    folder = tmp_path / "given" / sub
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(content) if packed else content)
    monkeypatch.setenv(data.FOLDER_VARIABLE, str(tmp_path / "given"))
    monkeypatch.setattr(data.sources, "MNIST", source._replace(mirrors=()))
    assert data.mnist().train.shape == (7, 6)


def test_a_wrong_file_in_the_named_folder_is_told(source, monkeypatch, tmp_path, contents):
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content[:-1] + b"\xff")
    monkeypatch.setenv(data.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(ValueError, match="train-images-idx3-ubyte is the wrong file: the sha256 of its uncompressed"):
        data.mnist()


def test_a_named_folder_that_is_none_is_told(source, monkeypatch, tmp_path):
    monkeypatch.setenv(data.FOLDER_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="VAECOURSE_DATA must name a folder, got .*nowhere"):
        data.mnist()


def test_a_cache_that_cannot_be_written_costs_only_the_copy(source, monkeypatch, tmp_path):
    (tmp_path / "a file").touch()
    monkeypatch.setattr(data.places, "cache_folder", lambda: tmp_path / "a file" / "cache")
    with pytest.warns(UserWarning, match="could not be written"):
        assert data.mnist().train.shape == (7, 6)


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "kept"
    files.replace(path, b"old")
    monkeypatch.setattr(files.os, "fsync", lambda handle: (_ for _ in ()).throw(OSError("No space left on device")))
    with pytest.raises(OSError, match="No space"):
        files.replace(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


def test_what_a_kill_left_is_swept_later(tmp_path):
    import os

    stale, fresh = tmp_path / ".kept.0123abcd.part", tmp_path / ".kept.4567abcd.part"
    stale.touch()
    fresh.touch()
    os.utime(stale, (0, 0))
    files.replace(tmp_path / "kept", b"new")
    assert not stale.exists() and fresh.exists()


def test_the_known_sums_are_those_of_the_real_files():
    """Where the real files lie on this machine, they are what the sums say: 70 000 images of 28 x 28."""
    at_hand = []
    for name in ("mnist", "fashion-mnist"):
        known = {"mnist": data.sources.MNIST, "fashion-mnist": data.sources.FASHION_MNIST}[name]
        if all(data.find(known, file) for file in known.sums):
            at_hand.append(name)
            images = data.load(name)
            assert images.train.shape == (60_000, 784) and images.test.shape == (10_000, 784)
            assert images.train_labels.bincount().min() > 5000 and images.shape == (28, 28)
    if not at_hand:
        pytest.skip("neither MNIST nor Fashion-MNIST is on this machine")
