"""Which files the installed packages have brought, as the lists say that they have."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
from pathlib import Path

# An installer's notes on a package, of which there is no RECORD yet, or which are not in it yet.
HALF = r"METADATA|WHEEL|INSTALLER|REQUESTED|RECORD|direct_url\.json|uv_\w+\.json|(entry_points|top_level)\.txt"
Recorded = tuple[str, str, float]  # a file's hash and size, and when that was written down


def recorded(packages: Path, name: str = "*.dist-info") -> dict[str, Recorded]:
    """The files that the installed packages say they have."""
    found = {}
    for record in packages.glob(f"{name}/RECORD"):
        written = record.stat().st_mtime
        with open(record, encoding="utf-8", errors="replace", newline="") as lines:
            for row in csv.reader(lines):
                if row:
                    name, digest, size = [*row, "", ""][:3]
                    found[os.path.normpath(packages / name)] = (digest, size, written)
    return found


def is_as(file: Path, entry: Recorded) -> bool:
    """Whether a file is as it was installed. Gigabytes need no sum: who types changes the time, or the size."""
    (digest, size, written), found = entry, file.lstat()
    if size.isdigit() and found.st_size != int(size):
        return False
    if found.st_mtime <= written:
        return True
    kind, _, wanted = digest.partition("=")
    if kind not in hashlib.algorithms_guaranteed or file.is_symlink():
        return found.st_mtime <= written + 2
    with open(file, "rb") as content:
        found_sum = hashlib.file_digest(content, kind).digest()
    return base64.urlsafe_b64encode(found_sum).rstrip(b"=").decode() == wanted


def is_packaged(file: Path, installed: dict[str, Recorded]) -> bool:
    """Whether a file is as a package has brought it, or is an installer's note on one that has no list yet."""
    if (entry := installed.get(os.path.normpath(file))) is not None:
        return is_as(file, entry)
    return file.parent.suffix == ".dist-info" and not file.is_symlink() and bool(re.fullmatch(HALF, file.name))
