"""Images to learn from: the digits inside scikit-learn (the default, no network), MNIST and Fashion-MNIST.

Every set is an ``Images``: pixels in [0, 1], one image a row ``[N, D]``, split into train and test. MNIST and
Fashion-MNIST are looked for in the folder that the environment variable VAECOURSE_DATA names, then where Debian puts
them, then in the cache, and are fetched only then. Wherever they come from, the sha256 of the uncompressed content must
be the known one.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import os
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vaecourse import arguments, files

FOLDER_VARIABLE = "VAECOURSE_DATA"
DEBIAN = Path("/usr/share/datasets")  # where Debian's package dataset-fashion-mnist puts its files


class Images(NamedTuple):
    """A set of grey images, one a row, with D = h w pixels in [0, 1]."""

    train: Tensor  # [N, D] float32
    test: Tensor  # [N_test, D] float32
    train_labels: Tensor  # [N] int64
    test_labels: Tensor  # [N_test] int64
    shape: tuple[int, int]  # h, w
    name: str

    def binary_test(self) -> Tensor:
        """The test images as zeros and ones, the same ones wherever they are asked for: one draw, with seed 0."""
        return binarise(self.test, torch.Generator().manual_seed(0))

    def __repr__(self) -> str:
        h, w = self.shape
        return f"{self.name}: {len(self.train)} training and {len(self.test)} test images of {h} x {w} pixels"


class Source(NamedTuple):
    """Where a set of four idx files comes from, and the sha256 of what each must hold when uncompressed."""

    name: str
    mirrors: tuple[str, ...]
    sums: dict[str, str]


class NotAtHand(OSError):
    """A data set is not on this machine and could not be fetched."""


MNIST = Source(
    "mnist",
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
)
FASHION_MNIST = Source(
    "fashion-mnist",
    (
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    {
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
)


def digits() -> Images:
    """The 1797 digits of 8 x 8 pixels inside scikit-learn: 1437 to train and 360 to test on, always the same ones.

    Source: Alpaydin and Kaynak 1998, UCI, doi 10.24432/C50P49; 17 grey levels, here divided by 16.

    >>> digits()
    digits: 1437 training and 360 test images of 8 x 8 pixels
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    pixels = torch.from_numpy(pixels / 16).float()
    labels = torch.from_numpy(labels).long()
    train, test = train_test_split(np.arange(len(labels)), test_size=360, random_state=0, stratify=labels)
    return Images(pixels[train], pixels[test], labels[train], labels[test], (8, 8), "digits")


def mnist() -> Images:
    """MNIST: 60 000 digits to train and 10 000 to test on, 28 x 28 pixels.

    Raises ``NotAtHand``, an ``OSError``, if it is neither on this machine nor to be fetched, and ``ValueError`` if a
    file in the folder VAECOURSE_DATA is not the one it is called. Source: LeCun et al. 1998, doi 10.1109/5.726791.
    """
    return _images(MNIST)


def fashion_mnist() -> Images:
    """Fashion-MNIST: 60 000 pieces of clothing to train and 10 000 to test on, 28 x 28 pixels.

    Raises as ``mnist`` does. Source: arXiv 1708.07747.
    """
    return _images(FASHION_MNIST)


ALL: dict[str, Callable[[], Images]] = {"digits": digits, "mnist": mnist, "fashion-mnist": fashion_mnist}


def load(name: str, otherwise: str | None = None) -> Images:
    """The set of this name; with ``otherwise="digits"`` the digits, and a warning, where it cannot be had.

    Raises ``ValueError`` for an unknown name, with the nearest known one, and ``NotAtHand`` as ``mnist`` does.

    >>> load("digits").shape
    (8, 8)
    """
    wanted = ALL[arguments.choice("name", name, list(ALL))]
    if otherwise is None:
        return wanted()
    instead = ALL[arguments.choice("otherwise", otherwise, list(ALL))]
    try:
        return wanted()
    except NotAtHand as failure:
        warnings.warn(f"{failure} This goes on with {otherwise}.", stacklevel=2)
        return instead()


def binarise(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    r"""Dynamic binarisation: a pixel of grey level x_d becomes a draw of Bernoulli(x_d), a new one at each call.

    Shapes: ``[B, D] -> [B, D]``, zeros and ones. Raises ``ValueError`` for values outside [0, 1].
    Source: arXiv 1509.00519, section 5.

    >>> binarise(torch.tensor([[0.0, 1.0]]))
    tensor([[0., 1.]])
    """
    return torch.bernoulli(between_0_and_1("x", x), generator=generator)


def between_0_and_1(name: str, x: Tensor) -> Tensor:
    """Return ``x`` if it is a tensor ``[B, D]`` of values in [0, 1]."""
    low, high = arguments.tensor(name, x, "BD").aminmax()
    if low < 0 or high > 1:
        raise ValueError(f"{name} must lie in [0, 1], got values from {low:g} to {high:g}; 8-bit pixels need / 255.")
    return x


def read_idx(content: bytes) -> np.ndarray:
    """The array in an (uncompressed) idx file of unsigned bytes: two zeros, type 8, the rank, the sizes, the values.

    Raises ``ValueError`` if ``content`` is not that. Source: the MNIST page of LeCun, Cortes and Burges.
    """
    rank = content[3] if content[:3] == b"\x00\x00\x08" and len(content) > 3 else 0
    start = 4 + 4 * rank
    if rank == 0 or len(content) < start:
        raise ValueError(f"An idx file of unsigned bytes begins with 00 00 08, this one with {content[:4].hex(' ')!r}.")
    sizes = tuple(int(size) for size in np.frombuffer(content, ">u4", rank, offset=4))
    if len(content) != start + math.prod(sizes):
        raise ValueError(f"An idx file of sizes {sizes} has {start + math.prod(sizes)} bytes, this one {len(content)}.")
    return np.frombuffer(content, np.uint8, offset=start).reshape(sizes)


def cache_folder() -> Path:
    """Where fetched files are kept; pooch chooses the place that the system has for this."""
    import pooch

    return Path(pooch.os_cache("vaecourse"))


def find(source: Source, file: str) -> Path | None:
    """The path of a file of this set on this machine, unread and unverified; None if it must be fetched.

    Raises ``ValueError`` if VAECOURSE_DATA names no folder.
    """
    places = [DEBIAN / source.name, cache_folder() / source.name]
    if named := os.environ.get(FOLDER_VARIABLE):
        folder = Path(named).expanduser()
        if not folder.is_dir():
            raise ValueError(f"{FOLDER_VARIABLE} must name a folder, got {named!r}, which is none.")
        places = [folder / source.name, folder, *places]
    candidates = (place / name for place in places for name in (f"{file}.gz", file))
    return next((path for path in candidates if path.is_file()), None)


def _images(source: Source) -> Images:
    train, train_labels, test, test_labels = (read_idx(_content(source, file)) for file in source.sums)
    return Images(
        _pixels(train),
        _pixels(test),
        torch.from_numpy(train_labels.astype(np.int64)),
        torch.from_numpy(test_labels.astype(np.int64)),
        (train.shape[1], train.shape[2]),
        source.name,
    )


def _pixels(images: np.ndarray) -> Tensor:
    """Bytes to [0, 1]. Shapes: ``[N, h, w] -> [N, D]``."""
    return torch.from_numpy(images.reshape(len(images), -1).astype(np.float32)).div_(255)


def _content(source: Source, file: str) -> bytes:
    """The verified, uncompressed content of one file, from this machine if it is here and right, else from a mirror."""
    path = find(source, file)
    if path is None:
        return _fetch(source, file, f"{source.name} is not on this machine")
    try:
        return verified(path.read_bytes(), source.sums[file], str(path))
    except ValueError as damage:
        if not path.is_relative_to(cache_folder()):
            raise
        warnings.warn(f"{damage} It is in the cache, so it is fetched again.", stacklevel=2)
        return _fetch(source, file, f"The cached file {path} is damaged")


def verified(raw: bytes, expected: str, origin: str) -> bytes:
    """``raw``, gunzipped if it is gzip (a mirror may have done so already), if its sha256 is the expected one."""
    try:
        content = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as broken:
        raise ValueError(f"{origin} is not a whole gzip file: {broken}.") from broken
    if (found := hashlib.sha256(content).hexdigest()) != expected:
        raise ValueError(
            f"{origin} is the wrong file: the sha256 of its uncompressed content is {found}, it must be {expected}."
        )
    return content


def _fetch(source: Source, file: str, why: str) -> bytes:
    """Fetch a file from the first mirror that has the right one, and keep it uncompressed in the cache."""
    import pooch

    failures = []
    for mirror in source.mirrors:
        received = io.BytesIO()
        try:
            pooch.HTTPDownloader(timeout=30)(f"{mirror}{file}.gz", received, None)
            content = verified(received.getvalue(), source.sums[file], f"{mirror}{file}.gz")
        except (OSError, ValueError) as failure:  # requests' exceptions are OSErrors; the next mirror may do better
            failures.append(failure)
            continue
        _keep(cache_folder() / source.name / file, content)
        return content
    raise NotAtHand(
        f"{why}, and none of {len(source.mirrors)} mirrors sent {file}.gz: connect to the network, or set "
        f"{FOLDER_VARIABLE} to a folder with its four files, or take the digits, which need no network: data.digits()."
    ) from failures[-1]


def _keep(path: Path, content: bytes) -> None:
    try:
        files.replace(path, content)
    except OSError as failure:  # verified data in hand is worth more than the copy
        warnings.warn(f"{failure} Until then it is fetched each time.", stacklevel=2)
