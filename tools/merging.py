"""What git is about to write is noted: a file that it left out or cut off is put back as it was."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from tools import ending, git
from vaecourse import files

MERGING = ".merging.json"  # beside it, while git writes: from which commit to which, and the files
ROOM = 16_000_000  # bytes that git and the copies may need beside the new files themselves


def refuse_without_room(root: Path, changed: Sequence[Path]) -> None:
    """Raise ``Refused`` where the disk has less room than the new files take, and notebooks that are moved aside."""
    new = set(git.differ(root, "HEAD", "FETCH_HEAD"))
    entries = [entry.split("\t", 1) for entry in git.names(root, "ls-tree", "-r", "-l", "FETCH_HEAD")]
    sizes = [words.split()[3] for words, name in entries if name in new]
    needed = sum(int(size) for size in sizes if size.isdecimal()) + sum(path.stat().st_size for path in changed) + ROOM
    free = shutil.disk_usage(root).free
    if new and free < needed:
        raise ending.Refused(
            f"The new version needs {-(-needed // 10**6)} MB of room on the disk, and {free // 10**6} MB are free: "
            "make room there, then give the same command again."
        )


def note(folder: Path, root: Path) -> None:
    """Note the files that git is about to write: those that are as this version has them, and new ones."""
    old, new = (git.text(root, "rev-parse", "--verify", f"{name}^{{commit}}") for name in ("HEAD", "FETCH_HEAD"))
    tracked = {entry[2:]: entry[0] for entry in git.names(root, "ls-files", "-v")}
    yours = git.changed(root)
    noted = [
        name
        for name in git.differ(root, old, new)
        if name not in yours
        and (tracked[name] == "H" if name in tracked else not os.path.lexists(root / name))  # H: git looks at it
    ]
    if noted:
        files.own_folder(folder / files.KEPT)
        files.replace(folder / files.KEPT / MERGING, json.dumps({"from": old, "to": new, "files": noted}).encode())


def undo(folder: Path, root: Path, lock: Sequence[int]) -> None:
    """Make those files this version's again that git left out or cut off, as on a full disk or when it was killed.

    Raises ``Refused`` if git cannot; the note stays then.
    """
    note = folder / files.KEPT / MERGING
    try:
        found = json.loads(files.content(note, files.LONGEST_TEXT))
        old, new, noted = str(found["from"]), str(found["to"]), set(map(str, found["files"]))
    except (OSError, ValueError, KeyError, TypeError):
        return
    broken: list[str] = []
    if git.text(root, "rev-parse", "HEAD") in (old, new):  # else somebody was at work with git since
        here = set(git.names(root, "ls-tree", "-r", "--name-only", "HEAD"))
        new_ones = {name for name in noted - here if os.path.lexists(root / name)}
        asked = noted & set(git.differ(root, old, new)) & (git.changed(root) | new_ones)
        broken = [name for name in sorted(asked) if _is_gits(root, new, name)]
        staged = noted & (git.staged(root, "HEAD") - git.staged(root, new))  # git had come as far as that
        for name in broken:  # all of them first: that makes room
            (root / name).unlink(missing_ok=True)
        lost = [name for name in broken if name in here]
        try:
            for command, names in ("reset", sorted({*broken, *staged})), ("checkout", lost):
                for start in range(0, len(names), 50):  # a command line has an end
                    some = names[start : start + 50]
                    git.text(root, "--literal-pathspecs", command, "--quiet", "HEAD", "--", *some, lock=lock)
        except git.GitRefused as failure:
            raise ending.Refused(
                f"{failure}\ngit was ended while it wrote, and files of the course are missing. Make room on the disk "
                f"if it is full. Then: git -C {shlex.quote(str(root))} checkout HEAD -- {shlex.join(lost)}\n"
                "Then the same command again."
            ) from None
    note.unlink(missing_ok=True)
    if broken:
        ending.say(f"git was ended while it wrote: {len(broken)} files are again as the version has them that is here.")


def _is_gits(root: Path, new: str, name: str) -> bool:
    """Whether a file is missing, or is the beginning of what a commit has; a power cut may leave zeros behind it."""
    path = root / name
    if not os.path.lexists(path):  # and no file or link stands where its folder was
        return all(above.is_dir() and not above.is_symlink() for above in _above(root, name) if os.path.lexists(above))
    if path.is_symlink() or not path.is_file():
        return False
    try:
        whole = git.raw(root, "cat-file", "--filters", f"{new}:{name}")
    except git.GitRefused:  # that commit has no such file
        return False
    return path.stat().st_size <= len(whole) and whole.startswith(path.read_bytes().rstrip(b"\0"))


def _above(root: Path, name: str) -> list[Path]:
    """The folders in which a file of the course lies."""
    return [root / folder for folder in Path(name).parents if folder.name]
