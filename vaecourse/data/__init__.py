"""Images to learn from: the digits inside scikit-learn (the default, no network), MNIST and Fashion-MNIST.

Every set is an ``Images``: pixels in [0, 1], one image a row ``[N, D]``, split into train and test. MNIST and
Fashion-MNIST are looked for in the folder that the environment variable VAECOURSE_DATA names, then where Debian puts
them, then in the cache, and are fetched only then, over https. Wherever they come from, size and sha256 of the
uncompressed content must be the known ones; a file that has others is passed over where a right one lies beside it. No
more is read, decompressed or received than the right file could have.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vaecourse import arguments
from vaecourse.data import fetching, places, sources
from vaecourse.data.content import read_idx, verified
from vaecourse.data.fetching import NotAtHand
from vaecourse.data.places import FOLDER_VARIABLE, cache_folder, find, look, why_no_folder
from vaecourse.data.sources import Held, Source

__all__ = [
    "ALL",
    "FOLDER_VARIABLE",
    "Held",
    "Images",
    "NotAtHand",
    "Source",
    "between_0_and_1",
    "binarise",
    "cache_folder",
    "digits",
    "fashion_mnist",
    "find",
    "load",
    "look",
    "mnist",
    "read_idx",
    "verified",
    "why_no_folder",
]


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

    Raises ``NotAtHand``, an ``OSError``, if it is neither on this machine nor to be fetched, and ``ValueError`` if
    VAECOURSE_DATA names no folder, or one whose file is not the one it is called while no right one is on this machine.
    Source: LeCun et al. 1998, doi 10.1109/5.726791.
    """
    return _images(sources.MNIST)


def fashion_mnist() -> Images:
    """Fashion-MNIST: 60 000 pieces of clothing to train and 10 000 to test on, 28 x 28 pixels.

    Raises as ``mnist`` does. Source: arXiv 1708.07747.
    """
    return _images(sources.FASHION_MNIST)


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

    It is drawn where the generator is, and lies where x does, so that a seed gives the same pixels on every device.

    Shapes: ``[B, D] -> [B, D]``, zeros and ones. Raises ``ValueError`` for values outside [0, 1].
    Source: arXiv 1509.00519, section 5.

    >>> binarise(torch.tensor([[0.0, 1.0]]))
    tensor([[0., 1.]])
    """
    x = between_0_and_1("x", x)
    place = x.device if generator is None else generator.device
    return torch.bernoulli(x.to(place), generator=generator).to(x.device)


def between_0_and_1(name: str, x: Tensor) -> Tensor:
    """Return ``x`` if it is a tensor ``[B, D]`` of values in [0, 1]."""
    low, high = arguments.tensor(name, x, "BD").aminmax()
    if low < 0 or high > 1:
        raise ValueError(f"{name} must lie in [0, 1], got values from {low:g} to {high:g}; 8-bit pixels need / 255.")
    return x


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
    found = look(source, file)
    if found.path is not None:
        for reason in found.damaged.values():
            warnings.warn(f"{reason} It is passed over for {found.path}.", stacklevel=2)
        return found.content
    why, own = f"{source.name} is not on this machine", places.own_places(source)
    for path, reason in found.damaged.items():
        cached = path.is_relative_to(places.cache_folder())
        if path.parent in own and not cached:
            raise ValueError(f"{reason} It is left as it is: put the right file there, or move this one away.")
        place = "in the cache" if cached else f"in {path.parent}"
        warnings.warn(f"{reason} It is {place}, so it is fetched again.", stacklevel=2)
        why = f"The cached file {path} is damaged" if cached else f"{path} is damaged"
    return fetching.fetch(source, file, why)
