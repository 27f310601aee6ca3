"""What is in a file of images: no more is read or unpacked than the right one has, and its sum is the known one."""

from __future__ import annotations

import hashlib
import math
import os
import stat
import zlib
from pathlib import Path

import numpy as np

from vaecourse.data.sources import Held

GZIP = b"\x1f\x8b"  # how every gzip file begins
MEMBERS = 4096  # parts of a gzip file; those who pack in parallel make a part of each 64 kB or more


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


def read(path: Path, expected: Held) -> bytes:
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
