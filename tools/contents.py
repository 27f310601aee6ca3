"""What JupyterLab reads and writes for the course: nothing outside of its folder, and no widgets that were saved.

A link in a stranger's repository can lead anywhere, and a save would follow it. One that leads to another place in the
same folder is followed; one that leads out of it is not, and the files list does not show it. Beside a file Jupyter
has places of its own, ``.~NAME`` while it writes and ``.ipynb_checkpoints``, where nobody looks for a link. The first
is not used here; the second is not written to if it is a link, wherever that leads.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import io
import json
import os
import secrets
import stat
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from anyio.to_thread import run_sync
from jupyter_core.paths import jupyter_runtime_dir
from jupyter_server.base.handlers import AuthenticatedFileHandler
from jupyter_server.services.contents.filecheckpoints import AsyncFileCheckpoints
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError
from traitlets import Bool, default

from tools import ending
from vaecourse import files

ABANDONED = 600  # seconds after which no further part of a file is waited for
QUIET = 20  # seconds after which another page may begin: nothing that is sent tells two pages apart
STILL_COMING = (
    f"{{}} is coming from another page, or was until just now, and is not mixed with that: upload it {QUIET} s later."
)
NOT_LISTED = "progress.json"  # what a learner has solved: the chapters show it
NOT_JUPYTERS = "Jupyter's own way to write, which cannot be chosen here: ``Whole`` is another."


class LeadsOut(HTTPError, OSError):
    """The answer to whoever asks for such a link. As an error of a loop of links, it is left out of a list."""

    errno = errno.ELOOP

    def __init__(self, path: str, root: str) -> None:
        super().__init__(403, f"{path} is, or lies behind, a link that leads out of {root}: it is not followed here.")


class IsLink(HTTPError):
    """The answer to whoever would write or read a checkpoint through a link."""

    def __init__(self, path: str) -> None:
        super().__init__(403, f"{path} is a link, and checkpoints are not kept behind one. Remove the link.")


def stay_in(root: str, path: str) -> str:
    """``path``, or ``LeadsOut`` if it is outside of ``root`` once all links are followed."""
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
        raise LeadsOut(path, root)
    return path


def put(path: str, content: bytes, by: Path | None = None) -> None:
    """Write a file whole or not at all; in place one that cannot be replaced: a hard link, or in a closed folder.

    A kill in the middle of that leaves half a file. So all of it is in a copy before, which is removed after.

    Arguments:
        by: a file beside it in which the content is already, and no other then.
    """
    path = os.path.realpath(path)
    try:
        files.replace(path, content) if by is None else files.replace_by(path, by)
    except OSError as failure:
        if by is not None and not by.exists():  # it has its name, whatever the disk told
            raise
        full = failure.errno in files.FULL
        if full or not os.path.isfile(path) or not os.access(path, os.W_OK) or not os.stat(path).st_mode & 0o222:
            raise
        content = content if by is None else by.read_bytes()
        handle = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        with open(handle, "r+b", buffering=0) as file, _copied(Path(path), content):
            before = file.read()
            try:
                _over(file, content)
            except OSError:  # a full disk has room for what was there
                _over(file, before)
                raise


@contextlib.contextmanager
def _copied(path: Path, content: bytes) -> Iterator[None]:
    """While the block runs, the content is whole on the disk, too: in kept/ beside, or at home if that is closed."""
    closed = not os.access(path.parent, os.W_OK)
    folder = Path(jupyter_runtime_dir(), "saving") if closed else path.parent / files.KEPT
    copy = folder / f"{files.short(path.stem)}-{time.strftime('%Y-%m-%d-%H%M%S')}-{secrets.token_hex(4)}{path.suffix}"
    try:
        try:
            files.own_folder(folder)
            handle = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
            with open(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as failure:
            if failure.errno in files.FULL:
                raise
        yield
    finally:
        with contextlib.suppress(OSError):
            copy.unlink()
            folder.rmdir()  # if nothing else is in it


def _over(file: io.FileIO, content: bytes) -> None:
    """Write over all that is in a file; not a byte is given up before the new ones have a place."""
    file.seek(0)
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
    file.truncate(len(content))
    os.fsync(file.fileno())


class Whole:
    """Writing without ``.~NAME``, and reading without it: a link of that name would be written through, or restored."""

    @contextlib.contextmanager
    def atomic_writing(self, os_path: str, text: bool = True, encoding: str = "utf-8", **_: Any) -> Iterator[IO[Any]]:
        whole = io.BytesIO()
        yield io.TextIOWrapper(whole, encoding, newline="\n", write_through=True) if text else whole
        with self.perm_to_403(os_path):
            put(os_path, whole.getvalue())

    async def _copy(self, src: str, dest: str) -> None:
        """With the time and the rights of the original, but so that it can be written again."""
        with self.perm_to_403(dest):
            await run_sync(put, dest, await run_sync(Path(src).read_bytes))
        with contextlib.suppress(OSError):
            before = os.stat(src)
            os.chmod(dest, stat.S_IMODE(before.st_mode) | stat.S_IWUSR)
            os.utime(dest, ns=(before.st_atime_ns, before.st_mtime_ns))


class Checkpoints(Whole, AsyncFileCheckpoints):
    """The copies in .ipynb_checkpoints; those of a read-only folder in one that is the user's alone."""

    use_atomic_writing = Bool(False, help=NOT_JUPYTERS)

    def _get_os_path(self, path: str) -> str:
        return stay_in(self.root_dir, super()._get_os_path(path))

    def checkpoint_path(self, checkpoint_id: str, path: str) -> str:
        parent, _, name = path.strip("/").rpartition("/")
        stem, suffix = os.path.splitext(name)
        beside = self._get_os_path(parent)
        folder, root, rights = os.path.join(beside, self.checkpoint_dir), self.root_dir, 0o777
        if not os.access(beside, os.W_OK):
            which = hashlib.sha256(os.fsencode(os.path.realpath(beside))).hexdigest()
            root, rights = jupyter_runtime_dir(), 0o700  # a server's is the user's alone
            folder = os.path.join(root, f"checkpoints-{which}")
        found = stay_in(root, os.path.join(folder, f"{files.short(stem)}-{checkpoint_id}{suffix}"))
        for one in (folder, found):
            if os.path.islink(one):
                raise IsLink(one)
        with self.perm_to_403():
            os.makedirs(folder, mode=rights, exist_ok=True)
        return found


class Uploads:
    """Long files come in parts. They are put together beside the file, which has the new content when all is there."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.coming: dict[str, Upload] = {}  # by the file's own place
        weakref.finalize(self, forget, self.coming)

    async def upload(self, model: dict[str, Any], path: str) -> dict[str, Any]:
        """Take the part ``model["chunk"]`` of a file: 1 is the first, -1 the last."""
        number, place = model["chunk"], os.path.realpath(self._get_os_path(path))
        if model.get("type") != "file" or model.get("format") not in ("text", "base64"):
            raise HTTPError(400, f"{path} cannot come in parts, for only a file can.")
        if number == 1:
            if place in self.coming and time.monotonic() - self.coming[place].seen < QUIET:
                raise HTTPError(409, STILL_COMING.format(path))
            forget(self.coming, place)
            self.run_pre_save_hooks(model=model, path=path)
        elif place not in self.coming or number not in (self.coming[place].next, -1):
            forget(self.coming, place, old=False)  # whoever sends the others, it would be a mixture
            raise HTTPError(400, f"{path} was cut off while it came, and is as it was: upload it again.")
        try:
            with self.perm_to_403(place):
                one = self.coming.setdefault(place, Upload(files.part_of(Path(place)), seen=time.monotonic()))
                await run_sync(one.add, model["content"], model["format"])
                if number != -1:
                    return so_far(path)
                await run_sync(put, place, b"", one.part)
        except BaseException as failure:
            forget(self.coming, place, old=False)
            if isinstance(failure, OSError):
                raise HTTPError(500, ending.sentence(failure)) from failure
            if isinstance(failure, ValueError | AttributeError | TypeError | KeyError):
                raise HTTPError(400, f"{path} came in a part that cannot be read, and is as it was.") from None
            raise
        forget(self.coming, place, old=False)
        model = await self.get(path, content=False)
        self.run_post_save_hooks(model=model, os_path=place)
        self.emit(data={"action": "save", "path": path})
        return model


def so_far(path: str) -> dict[str, Any]:
    """What the page is told of a file that has not come yet."""
    now, empty = datetime.now(UTC), dict.fromkeys(("content", "format", "mimetype", "hash", "hash_algorithm"))
    name = path.rpartition("/")[2]
    return empty | {"name": name, "path": path, "type": "file", "writable": True, "created": now, "last_modified": now}


@dataclass
class Upload:
    """What has come of a file."""

    part: Path
    next: int = 1
    seen: float = 0.0

    def add(self, content: str, form: str) -> None:
        more = content.encode() if form == "text" else base64.b64decode(content.encode("ascii"), validate=True)
        whole = self.part.open("xb") if self.next == 1 else self.part.open("ab")
        with whole as file:
            file.write(more)
        self.next, self.seen = self.next + 1, time.monotonic()


def forget(coming: dict[str, Upload], place: str | None = None, old: bool = True) -> None:
    """Remove what has come of the file at ``place``; of all, if none is named; and of those that come no more."""
    for other, one in list(coming.items()):
        if place in (None, other) or (old and time.monotonic() - one.seen > ABANDONED):
            del coming[other]
            with contextlib.suppress(OSError):
                one.part.unlink(missing_ok=True)


class Files(AuthenticatedFileHandler):
    """Files as they are, for a picture in a text or a download."""

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        stay_in(root, absolute_path)
        return super().validate_absolute_path(root, absolute_path)


class Contents(Uploads, Whole, AsyncLargeFileManager):
    """Notebooks without the widgets that were saved in them: JupyterLab would run their JavaScript on opening.

    A stranger's notebook could so do all that its reader can, with no cell run. The course stores no widgets; what a
    file has of them, a save leaves in it. Saved outputs stay as they are, for a save writes what the page has;
    tools/lab.py sees to it that none runs.
    """

    use_atomic_writing = Bool(False, help=NOT_JUPYTERS)

    @default("hide_globs")
    def _not_listed(self) -> list[str]:
        """The folder of a learner is a list of chapters, and of kept/ where something had to be kept and was told."""
        return [*AsyncLargeFileManager.hide_globs.default(), NOT_LISTED]

    def _get_os_path(self, path: str) -> str:
        return stay_in(self.root_dir, super()._get_os_path(path))

    def _checkpoints_class_default(self) -> type[Checkpoints]:
        return Checkpoints

    def _files_handler_class_default(self) -> type[Files]:
        return Files

    async def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        if model.get("chunk") is not None:
            return await self.upload(model, path.strip("/"))
        if model.get("type") == "notebook" and isinstance(model.get("content"), dict):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, HTTPError):
                before = json.loads(await run_sync(Path(self._get_os_path(path.strip("/"))).read_bytes))
                model["content"]["metadata"].setdefault("widgets", before["metadata"]["widgets"])
        return await super().save(model, path)

    async def get(self, *arguments: Any, **more: Any) -> dict[str, Any]:
        model = await super().get(*arguments, **more)
        if model["type"] == "notebook" and model["content"] is not None:
            model["content"]["metadata"].pop("widgets", None)
        return model
