"""Images to learn from: the digits inside scikit-learn (the default, no network), MNIST and Fashion-MNIST.

Every set is an ``Images``: pixels in [0, 1], one image a row ``[N, D]``, split into train and test. MNIST and
Fashion-MNIST are looked for in the folder that the environment variable VAECOURSE_DATA names, then where Debian puts
them, then in the cache, and are fetched only then, over https. Wherever they come from, size and sha256 of the
uncompressed content must be the known ones; a file that has others is passed over where a right one lies beside it. No
more is read, decompressed or received than the right file could have.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import os
import stat
import threading
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import numpy as np
import torch
from torch import Tensor

from vaecourse import arguments, files

FOLDER_VARIABLE = "VAECOURSE_DATA"
DEBIAN = Path("/usr/share/datasets")  # where Debian's package dataset-fashion-mnist puts its files
SCHEMES = ("https",)  # what a mirror, and whatever it redirects to, must speak
SILENCE = 30.0  # seconds for which a mirror may say nothing
PATIENCE = 60.0  # seconds for a file, however often the mirror says something, and one more for each 100 kB of it
MEMBERS = 4096  # parts of a gzip file; those who pack in parallel make a part of each 64 kB or more


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


class Held(NamedTuple):
    """What a file must hold when uncompressed."""

    size: int  # bytes
    sha256: str

    @property
    def most(self) -> int:
        """The most bytes that a gzip file of it can have: what cannot be made smaller is stored, in numbered blocks."""
        return self.size + self.size // 100 + 4096


class Source(NamedTuple):
    """Where a set of four idx files comes from, and what each must hold when uncompressed."""

    name: str
    mirrors: tuple[str, ...]
    sums: dict[str, Held]


class Found(NamedTuple):
    """The first right file of a name on this machine, and what is wrong with those that come before it."""

    path: Path | None
    content: bytes
    damaged: dict[Path, str]


class NotAtHand(OSError):
    """A data set is not on this machine and could not be fetched."""


MNIST = Source(
    "mnist",
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    {
        "train-images-idx3-ubyte": Held(47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        "train-labels-idx1-ubyte": Held(60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        "t10k-images-idx3-ubyte": Held(7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        "t10k-labels-idx1-ubyte": Held(10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    },
)
FASHION_MNIST = Source(
    "fashion-mnist",
    (
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    ),
    {
        "train-images-idx3-ubyte": Held(47_040_016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
        "train-labels-idx1-ubyte": Held(60_008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        "t10k-images-idx3-ubyte": Held(7_840_016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
        "t10k-labels-idx1-ubyte": Held(10_008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
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

    Raises ``NotAtHand``, an ``OSError``, if it is neither on this machine nor to be fetched, and ``ValueError`` if
    VAECOURSE_DATA names no folder, or one whose file is not the one it is called while no right one is on this machine.
    Source: LeCun et al. 1998, doi 10.1109/5.726791.
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
    """Where fetched files are kept; pooch chooses the place that the system has for this.

    Raises ``ValueError`` if the system knows no home folder of this user.
    """
    import pooch

    try:
        return Path(pooch.os_cache("vaecourse")).expanduser()
    except RuntimeError as failure:
        raise ValueError("HOME must name a folder that you may write to: no home folder is known here.") from failure


def find(source: Source, file: str) -> Path | None:
    """The first path of a file of this set on this machine, unread and unverified; None if it must be fetched.

    Raises ``ValueError`` if VAECOURSE_DATA names no folder.
    """
    return next(iter(_candidates(source, file)), None)


def look(source: Source, file: str) -> Found:
    """The first right file of this name on this machine, verified. Raises ``ValueError`` as ``find`` does."""
    damaged: dict[Path, str] = {}
    for path in _candidates(source, file):
        try:
            return Found(path, _read(path, source.sums[file]), damaged)
        except ValueError as failure:
            if not _is_of_another_set(path, source, file):
                damaged[path] = str(failure)
    return Found(None, b"", damaged)


def _is_of_another_set(path: Path, source: Source, file: str) -> bool:
    """Whether this is a right file all the same: MNIST and Fashion-MNIST have the same names."""
    for other in (MNIST, FASHION_MNIST):
        known = other.sums.get(file)
        if other.name != source.name and known is not None and known.size == source.sums[file].size:
            with contextlib.suppress(ValueError):
                return bool(_read(path, known))
    return False


def why_no_folder(named: str) -> str | None:
    """What is wrong with ``named`` as the folder VAECOURSE_DATA, or None if nothing is."""
    try:
        folder = Path(named).expanduser()
        mode = folder.stat().st_mode
    except RuntimeError:  # from expanduser
        return "begins with the name of nobody here"
    except PermissionError:
        return "lies in a folder that you may not look into"
    except (OSError, ValueError):
        return "is no folder"
    if not stat.S_ISDIR(mode):
        return "is no folder but a file"
    ours = {"effective_ids": True} if os.access in os.supports_effective_ids else {}
    return None if os.access(folder, os.R_OK | os.X_OK, **ours) else "is a folder that you may not look into"


def _own_places(source: Source) -> list[Path]:
    """Where a file of this set may lie in the folder that VAECOURSE_DATA names; none if it is not set."""
    if not (named := os.environ.get(FOLDER_VARIABLE)):
        return []
    if why := why_no_folder(named):
        raise ValueError(f"{FOLDER_VARIABLE} must name a folder, got {named!r:.300}, which {why}.")
    folder = Path(named).expanduser()
    return [folder / source.name, folder]


def _candidates(source: Source, file: str) -> list[Path]:
    """All files of this name on this machine, the first choice first."""
    places = [*_own_places(source), DEBIAN / source.name, cache_folder() / source.name]
    return [path for place in places for name in (f"{file}.gz", file) if _is_file(path := place / name)]


def _is_file(path: Path) -> bool:
    """Whether this is a file; a pipe or a device is none, and one that may not be looked at counts, to be told."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError as failure:
        return isinstance(failure, PermissionError)


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
        for said in found.damaged.values():
            warnings.warn(f"{said} It is passed over for {found.path}.", stacklevel=2)
        return found.content
    why, own = f"{source.name} is not on this machine", _own_places(source)
    for path, said in found.damaged.items():
        cached = path.is_relative_to(cache_folder())
        if path.parent in own and not cached:
            raise ValueError(f"{said} It is left as it is: put the right file there, or move this one away.")
        place = "in the cache" if cached else f"in {path.parent}"
        warnings.warn(f"{said} It is {place}, so it is fetched again.", stacklevel=2)
        why = f"The cached file {path} is damaged" if cached else f"{path} is damaged"
    return _fetch_alone(source, file, why)


def verified(raw: bytes, expected: Held, origin: str) -> bytes:
    """``raw``, gunzipped if it is gzip (a mirror may have done so already), if its content is the expected one."""
    content = _gunzipped(raw, expected.size, origin) if raw[:2] == GZIP else raw
    if len(content) != expected.size:
        raise ValueError(f"{origin} is the wrong file: it has {len(content)} bytes, it must have {expected.size}.")
    if (found := hashlib.sha256(content).hexdigest()) != expected.sha256:
        raise ValueError(
            f"{origin} is the wrong file: the sha256 of its uncompressed content is {found}, "
            f"it must be {expected.sha256}."
        )
    return content


GZIP = b"\x1f\x8b"  # how every gzip file begins


def _read(path: Path, expected: Held) -> bytes:
    """The verified content of a file. Raises ``ValueError`` for any other, of which no more is read than must be."""
    try:
        # a pipe that has taken the file's place since it was looked at must not be waited for
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(handle, "rb") as file:
            status, start = os.fstat(handle), file.read(2)
            most = expected.most if start == GZIP else expected.size
            if not stat.S_ISREG(status.st_mode) or status.st_size > most:
                raise ValueError(f"{path} is the wrong file: it has {status.st_size} bytes, {most} are the most.")
            raw = start + file.read(most)
    except OSError as failure:
        raise ValueError(f"{path} cannot be read ({failure.strerror or failure}).") from failure
    return verified(raw, expected, str(path))


def _gunzipped(raw: bytes, size: int, origin: str) -> bytes:
    """The content of a gzip file, of one part or several, if it has no more than ``size`` bytes."""
    content, part, parts = bytearray(), zlib.decompressobj(wbits=31), 1
    try:
        for start in range(0, len(raw), 65536):  # in pieces, for each part of the file copies the rest of its piece
            piece = raw[start : start + 65536]
            while piece := piece.lstrip(b"\0") if part.eof else piece:  # zeros fill up a tape behind the last part
                if part.eof:
                    part, parts = zlib.decompressobj(wbits=31), parts + 1
                content += part.decompress(piece, size + 1 - len(content))
                if len(content) > size or parts > MEMBERS:
                    raise ValueError(f"{origin} is the wrong file: unpacked, it has more than the right {size} bytes.")
                piece = part.unused_data
    except zlib.error as broken:
        raise ValueError(f"{origin} is not a whole gzip file: {broken}.") from broken
    if not part.eof:
        raise ValueError(f"{origin} is not a whole gzip file: its end is missing.")
    return bytes(content)


def _fetch_alone(source: Source, file: str, why: str) -> bytes:
    """As ``_fetch``, once for all who want the file at this moment: the others wait, and read it from the cache."""
    kept = cache_folder() / source.name / file
    try:
        with contextlib.ExitStack() as alone:
            with contextlib.suppress(OSError):  # a cache that cannot be written to has no lock and needs none
                alone.enter_context(files.locked(kept, "fetching", wait=_patience(source.sums[file])))
            with contextlib.suppress(ValueError):
                if _is_file(kept):
                    return _read(kept, source.sums[file])
            return _fetch(source, file, why)
    finally:
        with contextlib.suppress(OSError):  # there is something in them, as there should be
            kept.parent.rmdir()
            cache_folder().rmdir()


def _fetch(source: Source, file: str, why: str) -> bytes:
    """Fetch a file from the first mirror that has the right one, and keep it uncompressed in the cache."""
    failure: Exception | None = None
    for mirror in source.mirrors:
        url = f"{mirror}{file}.gz"
        try:
            content = verified(_received(url, source.sums[file]), source.sums[file], url)
        except (OSError, ValueError) as refused:  # requests' exceptions are OSErrors; the next mirror may do better
            failure = refused
            continue
        _keep(cache_folder() / source.name / file, content)
        return content
    raise NotAtHand(
        f"{why}, and none of {len(source.mirrors)} mirrors sent {file}.gz: connect to the network, or set "
        f"{FOLDER_VARIABLE} to a folder with its four files, or take the digits, which need no network: data.digits()."
    ) from failure


class _Body(io.BytesIO):
    """What a mirror sends: so many bytes, until then, and not one more or later."""

    def __init__(self, most: int, until: float) -> None:
        super().__init__()
        self.most, self.until = most, until

    def write(self, chunk: Any) -> int:
        if self.tell() + len(chunk) > self.most:
            raise ValueError(f"more than {self.most} bytes were sent.")
        if time.monotonic() > self.until:
            raise TimeoutError("it took too long.")
        return super().write(chunk)


def _patience(expected: Held) -> float:
    """Seconds that a file may take to come."""
    return PATIENCE + expected.size / 100_000


def _received(url: str, expected: Held) -> bytes:
    """What is sent from this address. Raises ``OSError`` or ``ValueError`` where that is too much or takes too long."""
    import pooch

    _may_ask(url)
    patience = _patience(expected)
    body, failures = _Body(expected.most, time.monotonic() + patience), []

    def receive() -> None:
        download = pooch.HTTPDownloader(timeout=SILENCE, chunk_size=65536, hooks={"response": _only_there})
        try:
            download(url, body, None)
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is told by the thread that waits
            failures.append(failure)

    # A time-out ends a silence, and not a mirror that sends a byte now and then: a thread receives, and this one waits.
    receiver = threading.Thread(target=receive, daemon=True)
    receiver.start()
    receiver.join(patience)
    if receiver.is_alive():
        body.until = -math.inf
        raise TimeoutError(f"{url} was not sent within {patience:.0f} seconds.")
    if failures:
        raise OSError(f"{url} was not received: {failures[0]}") from failures[0]
    return body.getvalue()


def _may_ask(url: str) -> None:
    if urlsplit(url).scheme not in SCHEMES:
        raise ValueError(f"{url} is not asked: only {' and '.join(SCHEMES)} is.")


def _only_there(response: Any, **_: object) -> None:
    """A hook of requests, called with each answer, before a redirect in it is followed."""
    _may_ask(response.url)
    if response.is_redirect:
        _may_ask(urljoin(response.url, response.headers["location"]))


def _keep(path: Path, content: bytes) -> None:
    try:
        if path.is_symlink():  # to a file of somebody's: the link gives way, and what it leads to stays
            path.unlink()
        files.replace(path, content)
    except OSError as failure:  # verified data in hand is worth more than the copy
        warnings.warn(f"{failure} Until then it is fetched each time.", stacklevel=2)
