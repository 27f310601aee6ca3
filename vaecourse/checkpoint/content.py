"""What is in a checkpoint's file, looked at name by name and shape by shape before a tensor is read from it."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from vaecourse import files, foreign

FORMAT = "vaecourse checkpoint 1"
LARGEST = 2**30  # bytes of a file whose size nothing here tells; the course's largest has 5 MB

Head = dict[str, tuple[str, tuple[int, ...]]]  # what a file says of its tensors: the type and the shape of each


def run_of(path: Path) -> dict[str, Any] | None:
    """Settings and history in the head of a checkpoint, unverified; None for any other file. No tensor is read."""
    try:
        with files.opened(path) as file:
            length = int.from_bytes(file.read(8), "little")
            head = json.loads(file.read(length)) if length <= LONGEST_HEAD else {}
        run = json.loads(head["__metadata__"]["run"])
        ours = head["__metadata__"]["format"] == FORMAT and isinstance(run["settings"], dict)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return run if ours else None


LONGEST_HEAD = 2**24  # bytes; enough for 200 000 epochs


def read(
    path: Path, compare: Callable[[Head, dict[str, Any]], None] | None = None, largest: int = LARGEST
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the settings and history in a checkpoint; no pickle is ever opened.

    ``compare`` is given what the file says of its tensors, and the run, before a tensor is read: it raises to refuse.
    Raises ``OSError`` where no file can be read, ``ValueError`` for one that is no checkpoint, or a damaged one.

    The file is opened once and read: of one that is mapped into memory a page is gone when somebody cuts it short, and
    with the page the process.
    """
    with _opened(path) as file:
        try:
            begin, header, size = _head(path, file, largest)
            metadata = header.pop("__metadata__", {})
            if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
                raise ValueError(f"{files.shown(path)} is not a checkpoint of vaecourse {FORMAT.split()[-1]}; {_CURE}")
            text = str(metadata.get("run", ""))
            run = _run(path, text)
            head = {name: _type_and_shape(path, name, tensor) for name, tensor in header.items()}
            if compare is not None:
                compare(head, run)
            if size != (wanted := sum(_bytes(*tensor) for tensor in head.values())):
                raise _no_checkpoint(path, f"its tensors need {wanted} bytes, and it has {size}")
            file.seek(0)
            tensors = _tensors(path, begin, file.read(len(begin) + size), size)
        except OSError as failure:
            raise _unreadable(path, failure) from failure
    if head_of(tensors) != head or metadata.get("sha256") != digest(tensors, text):
        raise damaged(path, "its content does not match its own sha256")
    return tensors, run


def _head(path: Path, file: BinaryIO, largest: int) -> tuple[bytes, dict[str, Any], int]:
    """How a safetensors file begins, what it says there of its tensors, and how many bytes follow; none is read."""
    size, start = os.fstat(file.fileno()).st_size, file.read(8)
    length = int.from_bytes(start, "little")
    if length > min(size, LONGEST_HEAD):
        raise ValueError(f"{files.shown(path)} is not a checkpoint, or is a damaged one (its head has no end); {_CURE}")
    if size > largest:
        raise malformed(path, f"it has {size / 1e9:.1f} GB, and {largest / 1e9:.1f} are the most")
    head = file.read(length)
    try:
        header = json.loads(head, parse_int=_whole)
        if not isinstance(header, dict):
            raise ValueError("its head is no table of tensors")
    except (ValueError, RecursionError) as failure:
        raise _no_checkpoint(path, failure) from failure
    return start + head, header, size - 8 - length


def _tensors(path: Path, begin: bytes, content: bytes, size: int) -> dict[str, Tensor]:
    """The tensors in a whole safetensors file, of which ``begin`` was looked at."""
    if len(content) < len(begin) + size or not content.startswith(begin):
        raise damaged(path, "somebody has changed it while it was read")
    try:
        return safetensors.torch.load(content)
    except safetensors.SafetensorError as failure:
        raise _no_checkpoint(path, failure) from failure


def _no_checkpoint(path: Path, failure: object) -> ValueError:
    reason = "nested too deeply" if isinstance(failure, RecursionError) else foreign.plain(failure)
    return ValueError(f"{files.shown(path)} is not a checkpoint, or is a damaged one ({reason}); {_CURE}")


def damaged(path: Path, what: str) -> ValueError:
    """The error for a checkpoint that is not as it was written."""
    return ValueError(f"{files.shown(path)} is a damaged checkpoint: {what}; {_CURE}")


_CURE = "it is left as it is: name another file, or move this one away."


def malformed(path: str | Path, what: str) -> ValueError:
    """The error for a file that is whole and holds what no run of the course has written."""
    return ValueError(f"{files.shown(path)} is no checkpoint to go on from: {what}; {_CURE}")


def is_there(path: Path) -> bool:
    """Whether there is something of this name, be it one that cannot be read; a link to nothing is nothing."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as failure:
        raise _unreadable(path, failure) from failure
    return True


def _opened(path: Path) -> BinaryIO:
    """The file, to be read from; what else has this name is told as what it is, and never waited for."""
    try:
        if (what := _what(path.stat().st_mode)) is None:
            return files.opened(path)
    except (OSError, ValueError) as failure:
        raise _unreadable(path, failure) from failure
    kind = IsADirectoryError if what == "folder" else ValueError
    raise kind(f"checkpoint must name a file, got the {what} {files.shown(path)}.")


def _what(mode: int) -> str | None:
    """What this is if it is not a file."""
    kinds = {stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
    return None if stat.S_ISREG(mode) else kinds.get(stat.S_IFMT(mode), "device")


def _unreadable(path: Path, failure: OSError | ValueError) -> OSError | ValueError:
    """The same error in a sentence."""
    if isinstance(failure, (FileNotFoundError, NotADirectoryError)):
        return FileNotFoundError(f"checkpoint must name a file that is there, got {files.shown(path)}.")
    if not isinstance(failure, OSError):
        return ValueError(f"checkpoint must name a file, got {str(path)!r}, a name that no file can have.")
    cure = "change its rights, or those of its folder" if isinstance(failure, PermissionError) else "name another file"
    why = failure.strerror or failure
    return type(failure)(f"{files.shown(path):.300} cannot be read as a checkpoint ({why}): {cure}.")


def _run(path: Path, text: str) -> dict[str, Any]:
    """Settings and history, a dictionary and a list of lists; what is in these is for the run to compare."""
    try:
        run = json.loads(text, parse_int=_whole)
    except (ValueError, RecursionError) as failure:
        reason = "nested too deeply" if isinstance(failure, RecursionError) else foreign.plain(failure)
        raise damaged(path, f"no run can be read ({reason})") from failure
    if not (isinstance(run, dict) and isinstance(run.get("settings"), dict) and isinstance(run.get("history"), list)):
        raise malformed(path, "it has no settings and no history")
    for number, row in enumerate(run["history"], 1):
        if not isinstance(row, list):
            raise malformed(path, f"row {number} of its history is {short(row)}")
    return run


def _whole(digits: str) -> int:
    """A whole number of JSON, if a float can hold it: others make arithmetic fail, or take minutes."""
    if len(digits) > 100:
        raise ValueError(f"a whole number of {len(digits)} digits")
    return int(digits)


_TYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "I16": "int16", "U16": "uint16", "I32": "int32", "U32": "uint32",
    "I64": "int64", "U64": "uint64", "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64",
    "C64": "complex64", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
}  # fmt: skip # what safetensors calls them, and what torch does


def _type_and_shape(path: Path, name: str, tensor: Any) -> tuple[str, tuple[int, ...]]:
    """What the file says of a tensor."""
    kind, shape = (str(tensor.get("dtype")), tensor.get("shape")) if isinstance(tensor, dict) else ("", tensor)
    if isinstance(shape, list) and kind in _TYPES and len(shape) <= 8:
        whole = all(type(size) is int and size >= 0 for size in shape)
        if whole and math.prod(max(size, 1) for size in shape) <= 2**48:
            return _TYPES[kind], tuple(shape)
    raise malformed(path, f"{name!r:.80} is {foreign.plain(kind, 80)} {foreign.plain(shape, 80)}")


def _bytes(kind: str, shape: tuple[int, ...]) -> int:
    return math.prod(shape) * getattr(torch, kind).itemsize


def head_of(tensors: Mapping[str, Tensor]) -> Head:
    """What a file of these tensors would say of them."""
    return {name: (str(x.dtype).removeprefix("torch."), tuple(x.shape)) for name, x in tensors.items()}


_NAMES = re.compile(r"model\..+|random\.\w+|optimizer\.(0|[1-9][0-9]{0,8})\.\w+", re.ASCII | re.DOTALL)


def compare(found: Head, wanted: Head, prefixes: tuple[str, ...]) -> str | None:
    """The first difference, in words; a name that has one of the ``prefixes`` and is not wanted is one."""
    for name, (kind, shape) in wanted.items():
        if name not in found:
            return f"it has no {name}"
        if found[name] != (kind, shape):
            return f"{name} is {found[name][0]} {list(found[name][1])}, and {kind} {list(shape)} is needed"
    for name in found:
        if (name.startswith(prefixes) and name not in wanted) or not _NAMES.fullmatch(name):
            return f"it has {name!r:.80}, which is not needed"
    return None


def same_settings(path: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    different = [name for name in now if before.get(name) != now[name]]
    if different:
        pairs = {name: _unlike(before.get(name), now[name]) for name in different}
        changes = "; ".join(f"{name} was {short(old)} and is now {short(new)}" for name, (old, new) in pairs.items())
        raise ValueError(
            f"{files.shown(path)} belongs to another run: {changes}. Name another file, "
            "or use the settings of that run."
        )


def _unlike(before: Any, now: Any) -> tuple[Any, Any]:
    """Of two tables the entries that differ."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return before, now
    keys = [key for key in before | now if key not in before or key not in now or before[key] != now[key]]
    pairs = {key: _unlike(before.get(key), now.get(key)) for key in keys}
    return {key: old for key, (old, _) in pairs.items()}, {key: new for key, (_, new) in pairs.items()}


def short(value: object) -> str:
    try:
        return f"{json.dumps(value):.1000}".replace('"', "'")
    except RecursionError:
        return "nested too deeply"


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def digest(tensors: dict[str, Tensor], run: str) -> str:
    """The sha256 over all names, shapes, types, values and the text of the run."""
    total = hashlib.sha256(run.encode())
    for name in sorted(tensors):
        total.update(f"{name} {fingerprint(tensors[name])}".encode())
    return total.hexdigest()


def fingerprint(x: Tensor) -> str:
    """Shape, type and the beginning of the sha256 of the values."""
    values = x.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return f"{list(x.shape)} {str(x.dtype).removeprefix('torch.')} {hashlib.sha256(values.data).hexdigest()[:16]}"
