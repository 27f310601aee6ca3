"""A file from the first mirror that has the right one, once for all who want it, kept in the cache."""

from __future__ import annotations

import contextlib
import io
import math
import threading
import time
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from vaecourse import files
from vaecourse.data import places
from vaecourse.data.content import read, verified
from vaecourse.data.sources import Held, Source

SCHEMES = ("https",)  # what a mirror, and whatever it redirects to, must speak
SILENCE = 30.0  # seconds for which a mirror may say nothing
PATIENCE = 60.0  # seconds for a file, however often the mirror says something, and one more for each 100 kB of it


class NotAtHand(OSError):
    """A data set is not on this machine and could not be fetched."""


def fetch(source: Source, file: str, why: str) -> bytes:
    """The content of a file, fetched once for all who want it at this moment: the others wait, and read it."""
    cached = places.cache_folder() / source.name / file
    try:
        with contextlib.ExitStack() as alone:
            with contextlib.suppress(OSError):  # a cache that cannot be written to has no lock and needs none
                alone.enter_context(files.locked(cached, "fetching", wait=_patience(source.sums[file])))
            with contextlib.suppress(ValueError):
                if places.is_file(cached):
                    return read(cached, source.sums[file])
            return _from_a_mirror(source, file, why)
    finally:
        with contextlib.suppress(OSError):  # there is something in them, as there should be
            cached.parent.rmdir()
            places.cache_folder().rmdir()


def _from_a_mirror(source: Source, file: str, why: str) -> bytes:
    """Fetch a file from the first mirror that has the right one, and keep it uncompressed in the cache."""
    failure: Exception | None = None
    for mirror in source.mirrors:
        url = f"{mirror}{file}.gz"
        try:
            content = verified(_received(url, source.sums[file]), source.sums[file], url)
        except (OSError, ValueError) as refused:  # requests' exceptions are OSErrors; the next mirror may do better
            failure = refused
            continue
        _keep(places.cache_folder() / source.name / file, content)
        return content
    raise NotAtHand(
        f"{why}, and none of {len(source.mirrors)} mirrors sent {file}.gz: connect to the network, or set "
        f"{places.FOLDER_VARIABLE} to a folder with its four files, or take the digits, which need no network: "
        "data.digits()."
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
        response.raw.close()  # requests would read, and unpack, all that is sent beside the new address
        _may_ask(urljoin(response.url, response.headers["location"]))


def _keep(path: Path, content: bytes) -> None:
    try:
        if path.is_symlink():  # to a file of somebody's: the link gives way, and what it leads to stays
            path.unlink()
        files.replace(path, content)
    except OSError as failure:  # verified data in hand is worth more than the copy
        warnings.warn(f"{failure} Until then it is fetched each time.", stacklevel=2)
