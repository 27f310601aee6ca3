"""Is this machine ready for the course? What is missing or wrong, each with the command that mends it.

It must work where the rest does not: it imports at its top only what Python itself brings.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

PYTHON = (3, 11)
ROOT = Path(__file__).resolve().parents[1]  # the clone, when the package is installed from one
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
GIGABYTE = 10**9


class Finding(NamedTuple):
    """What one look found. ``mend`` is a command or a sentence; a finding without it is fine."""

    what: str
    said: str
    mend: str | None = None
    needed: bool = True

    def __str__(self) -> str:
        mark = "ok   " if self.mend is None else "WRONG" if self.needed else "note "
        mend = "" if self.mend is None else f"\n        -> {self.mend}"
        return f"{mark}  {self.what}: {self.said}{mend}"


def examine() -> Iterator[Finding]:
    """Look at everything, one finding after the other; a look that fails itself is a finding, too."""
    for look in LOOKS:
        try:
            yield from look()
        except Exception as failure:  # noqa: BLE001 - a doctor that falls ill helps nobody
            name = look.__name__.replace("_", " ")
            yield Finding(name, f"{type(failure).__name__}: {failure}", f"{_pip()} --force-reinstall {_course()}")


def report(write: Callable[[str], object] = print) -> int:
    """Say every finding; return 0 if all that the course needs is here, else 1."""
    wrong = 0
    for finding in examine():
        write(str(finding))
        wrong += finding.needed and finding.mend is not None
    if wrong:
        write(f"\n{wrong} of these must be mended before the course runs.")
    else:
        write("\nThe course can start: make lab, or jupyter lab chapters/00-start-here.ipynb")
    return int(wrong > 0)


def python() -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    least = ".".join(map(str, PYTHON))
    mend = (
        None if sys.version_info >= PYTHON else f"install Python {least} or newer, then: make lab PYTHON=python{least}"
    )
    yield Finding("Python", f"{found} at {sys.executable}, {least} or newer is needed", mend)


def packages() -> Iterator[Finding]:
    """What pyproject.toml asks for: the package's own needs, JupyterLab's part, and, as a note, what the tests use."""
    try:
        requirements = metadata.requires("vaecourse") or []
    except metadata.PackageNotFoundError:
        yield Finding("vaecourse", "it is not installed in this Python", f"{_pip()} --editable {ROOT}")
        return
    for requirement in requirements:
        name, least, extra = parse(requirement)
        if name == "vaecourse":
            continue
        found = _version(name)
        if found is not None and numbers(found) >= numbers(least):
            yield Finding(name, found)
            continue
        said = f"{found or 'not installed'}, {least} or newer is needed" + (" by the tests" if extra == "test" else "")
        yield Finding(name, said, f'{_pip()} "{name}>={least}"', needed=extra != "test")


def torch() -> Iterator[Finding]:
    if _version("torch") is None:
        return  # said by packages() already
    import torch

    from vaecourse import train

    device = train.choose_device()
    product = torch.ones(2, 3, device=device) @ torch.ones(3, 2, device=device)
    if not bool((product == 3).all()):
        yield Finding("device", f"a product of two matrices on {device} is wrong", "use --device cpu")
        return
    name = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    yield Finding("device", f"{device}{name}, {torch.get_num_threads()} CPU threads; nothing here needs a GPU")


def _pairing(settings: list[Path]) -> Finding:
    """Whether saving a notebook in JupyterLab writes its .py too; only those who change chapters need it."""
    enabled = any(
        json.loads(path.read_text())["ServerApp"]["jpserver_extensions"].get("jupyterlab_jupytext")
        for path in settings
        if path.is_file()
    )
    mend = None if enabled else f"{sys.executable} -m jupyter server extension enable jupyterlab_jupytext"
    said = "enabled" if enabled else "not enabled: saving a notebook would leave its .py behind"
    return Finding("jupytext in JupyterLab", said, mend, False)


def jupyter() -> Iterator[Finding]:
    """What JupyterLab must find on its paths: live widgets, the pairing of .py and .ipynb, the right kernel."""
    if _version("jupyterlab") is None or _version("ipykernel") is None:
        return
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_core.paths import jupyter_config_path, jupyter_path

    for package, extension in (("ipywidgets", "@jupyter-widgets/jupyterlab-manager"), ("anywidget", "anywidget")):
        there = any(Path(folder, extension).is_dir() for folder in jupyter_path("labextensions"))
        mend = None if there else f"{_pip()} --force-reinstall {package} jupyterlab_widgets"
        yield Finding(f"{package} in JupyterLab", "found" if there else "its JupyterLab part is missing", mend)

    if _version("jupytext") is not None:
        yield _pairing([Path(folder, "jupyter_server_config.d", "jupytext.json") for folder in jupyter_config_path()])

    command = KernelSpecManager().get_kernel_spec("python3").argv[0]
    plain = re.fullmatch(r"python(3(\.\d+)?)?", command)  # by such a name Jupyter means the Python that it runs in
    starts = sys.executable if plain else shutil.which(command)
    right = starts is not None and os.path.realpath(starts) == os.path.realpath(sys.executable)
    mend = None if right else f"{sys.executable} -m ipykernel install --sys-prefix --name python3"
    yield Finding("kernel python3", "starts this Python" if right else f"starts {starts}, not {sys.executable}", mend)


def chapters() -> Iterator[Finding]:
    folder = next((place / "chapters" for place in (Path.cwd(), ROOT) if (place / "chapters").is_dir()), None)
    if folder is None:
        yield Finding("chapters", "not beside the package", "run this in the folder of the course", needed=False)
        return
    single = {path.stem for path in folder.glob("[0-9]*.py")} ^ {path.stem for path in folder.glob("[0-9]*.ipynb")}
    mend = f"make chapters CHAPTER={sorted(single)[0][:2]!r}" if single else None
    said = f"without its twin: {', '.join(sorted(single))}" if single else "every .py has its .ipynb"
    yield Finding("chapters", said, mend)


def chromium() -> Iterator[Finding]:
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    mend = None if found else "apt-get install chromium (Debian, Ubuntu); only `make test` uses it"
    yield Finding("Chromium", found or "not found", mend, needed=False)


def images() -> Iterator[Finding]:
    if any(_version(name) is None for name in ("numpy", "torch", "scikit-learn", "pooch")):
        return
    from vaecourse import data

    yield Finding("digits", f"{data.digits()}, inside scikit-learn")
    named = os.environ.get(data.FOLDER_VARIABLE)
    if named and not Path(named).expanduser().is_dir():
        said = f"names {named!r}, which is no folder"
        yield Finding(data.FOLDER_VARIABLE, said, f"unset {data.FOLDER_VARIABLE}, or let it name a folder")
        return
    yield Finding(data.FOLDER_VARIABLE, f"names {named}" if named else "not set, which is fine")
    for source in (data.MNIST, data.FASHION_MNIST):
        paths = [data.find(source, file) for file in source.sums]
        here = [path for path in paths if path is not None]
        if len(here) < len(paths):
            said = "not on this machine; fetched when first asked for"
            mend = f"{sys.executable} -m vaecourse train {source.name} (with a network); the digits need none"
            yield Finding(source.name, said, mend, needed=False)
            continue
        try:
            for path, expected in zip(here, source.sums.values(), strict=True):
                data.verified(path.read_bytes(), expected, str(path))
            yield Finding(source.name, f"four files in {here[0].parent}, as they should be")
        except (OSError, ValueError) as damage:
            yield Finding(source.name, str(damage), f"rm {path}", needed=False)


def disk() -> Iterator[Finding]:
    for what, place in (("disk of the data cache", _existing(_cache())), ("disk of the course", Path.cwd())):
        free = shutil.disk_usage(place).free / GIGABYTE
        room = free >= 1 and os.access(place, os.W_OK)
        said = f"{free:.1f} GB free at {place}" + ("" if os.access(place, os.W_OK) else ", which cannot be written to")
        mend = None if room else f"make room, or let {place} be written to; 1 GB is enough for all data and checkpoints"
        yield Finding(what, said, mend, needed=False)


LOOKS = (python, packages, torch, jupyter, chapters, chromium, images, disk)


def parse(requirement: str) -> tuple[str, str, str | None]:
    """Name, least version and extra of a line such as ``jupyterlab>=4.2; extra == "lab"``.

    >>> parse('jupyterlab>=4.2; extra == "lab"')
    ('jupyterlab', '4.2', 'lab')
    """
    name, least = re.match(r"([\w.-]+)(?:\[[\w,]*\])?\s*(?:>=\s*([\w.]+))?", requirement).groups()  # type: ignore[union-attr]
    extra = re.search(r"extra\s*==\s*['\"](\w+)", requirement)
    return name, least or "0", extra and extra[1]


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, for comparing.

    >>> numbers("2.13.0+cpu") >= numbers("2.4")
    True
    """
    return tuple(int(part) for part in re.match(r"[\d.]*", version)[0].split(".") if part)  # type: ignore[index]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _pip() -> str:
    return f"{sys.executable} -m pip install"


def _course() -> str:
    return f"--editable {ROOT}" if (ROOT / "pyproject.toml").is_file() else "vaecourse"


def _cache() -> Path:
    return importlib.import_module("vaecourse.data").cache_folder() if _version("pooch") else Path.home()


def _existing(path: Path) -> Path:
    """The nearest folder above ``path`` that is there."""
    return next(place for place in (path, *path.parents) if place.is_dir())
