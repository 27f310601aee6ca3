"""Is this machine ready for the course? What is missing or wrong, each with the command that mends it.

It must work where the rest does not: it imports at its top only what Python itself brings.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata, util
from pathlib import Path

from vaecourse import cures, requirements
from vaecourse.cures import Finding

PYTHON = (3, 11)
GIGABYTE = 10**9

# What the extras of pyproject.toml are for, where a learner can do without them.
USES = {"test": " by the tests", "site": " by `make book`", "present": " by `make present`"}

# The names that a program goes by, the system's package, and what uses it.
PROGRAMS = (
    (("make", "gmake"), "make", "or type what the Makefile says"),
    (("git",), "git", "it takes a new version of the course"),
    (("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"), "chromium", "only `make test` uses it"),
    (("npm",), "npm", "only `make book` and `make slides` use it"),
)


def examine() -> Iterator[Finding]:
    """Look at everything, one finding after the other; a look that fails itself is a finding, too."""
    for look in LOOKS:
        try:
            yield from look()
        except Exception as failure:  # noqa: BLE001 - a doctor that falls ill helps nobody
            name = look.__name__.replace("_", " ")
            yield Finding(
                name, f"{type(failure).__name__}: {failure}", f"{cures.pip()} --force-reinstall {cures.course()}"
            )
        if sys.version_info < PYTHON:
            return  # what is missing in a Python that will not do is no matter


def report(write: Callable[[str], object] = print) -> int:
    """Say every finding; return 0 if all that the course needs is here, else 1."""
    wrong = 0
    for finding in examine():
        write(str(finding))
        wrong += finding.needed and finding.mend is not None
    if wrong:
        write(f"\n{wrong} of these must be mended before the course runs.")
    else:
        write("\nThe course can start: make lab, or python -m tools.lab")
    return int(wrong > 0)


def python() -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    least = ".".join(map(str, PYTHON))
    detail, mend = f"{found} at {sys.executable}, {least} or newer is needed", None
    if sys.version_info < PYTHON:
        mend = f"install Python {least} or newer, then: make lab PYTHON=python{least}"
    elif sys.maxsize < 2**32:
        detail, mend = f"{detail}; this one is built for 32 bits", "install the 64-bit Python: PyTorch has no other"
    yield Finding("Python", detail, mend)
    own = cures.ROOT / ".venv"
    if own.is_dir() and Path(sys.prefix).resolve() != own.resolve():
        detail = f"{sys.prefix}, and not the one that `make lab` made"
        yield Finding(
            "environment", detail, f"{shlex.quote(str(own / 'bin/python'))} -m vaecourse doctor", needed=False
        )
    elif sys.prefix == sys.base_prefix and not os.environ.get("CONDA_PREFIX"):
        detail = "none of its own: what is installed here can break other programs"
        yield Finding("environment", detail, "make lab, which makes .venv", needed=False)
    else:
        yield Finding("environment", sys.prefix)


def packages() -> Iterator[Finding]:
    """What pyproject.toml asks for: the package's own needs, JupyterLab's part, and, as a note, what the tests use."""
    try:
        asked = requirements.of_the_course()
    except metadata.PackageNotFoundError:
        yield Finding("vaecourse", "it is not installed in this Python", f"{cures.pip()} {cures.course()}")
        return
    for requirement in asked:
        name, least, extra = requirements.parse(requirement)
        if name == "vaecourse":
            continue
        found = requirements.version(name)
        if found is not None and requirements.numbers(found) >= requirements.numbers(least):
            yield Finding(name, found)
            continue
        detail = f"{found or 'not installed'}, {least} or newer is needed{USES.get(extra or '', '')}"
        yield Finding(name, detail, f'{cures.pip()} "{name}>={least}"', needed=extra in (None, "lab"))


def unmet(name: str) -> bool:
    """Whether a package that the course needs is missing here, or older than pyproject.toml admits."""
    return any(finding.mend is not None for finding in packages() if finding.what in (name, "vaecourse"))


def versions() -> Iterator[Finding]:
    """Whether the packages fit each other: ipywidgets with another jupyterlab_widgets shows no slider."""
    if requirements.version("packaging") is None:
        return  # it comes with matplotlib, of which packages() has said that it is missing
    from packaging.requirements import Requirement

    wrong = 0
    for name in filter(requirements.version, {requirements.parse(line)[0] for line in requirements.of_the_course()}):
        for line in metadata.requires(name) or []:
            needs = Requirement(line)
            if needs.marker and not needs.marker.evaluate({"extra": ""}):
                continue
            found = requirements.version(needs.name)
            if found is None or not needs.specifier.contains(found, prereleases=True):
                wrong += 1
                wanted = f"{needs.name}{needs.specifier}"
                yield Finding(name, f"needs {wanted}, found {found or 'none'}", f'{cures.pip()} "{wanted}"')
    if not wrong:
        yield Finding("versions", "the packages fit each other")


def home() -> Iterator[Finding]:
    """JupyterLab, the kernels and the caches keep what is theirs below it."""
    cure = "export HOME=FOLDER, a folder that you alone may write to"
    try:
        place = Path.home()
    except RuntimeError:
        yield Finding("HOME", "not set, and the system knows no home folder of this user", cure)
        return
    try:
        with tempfile.TemporaryFile(dir=place):
            yield Finding("HOME", f"{place} can be written to")
    except OSError as failure:  # other programs step aside, but for a place that says it can be written to
        detail = f"nothing can be written to {place} ({failure.strerror})"
        yield Finding("HOME", detail, cure, needed=os.access(place, os.W_OK))


def torch() -> Iterator[Finding]:
    if requirements.version("torch") is None:
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
    if device.type == "cuda":
        return
    built, card = torch.version.cuda, shutil.which("nvidia-smi") is not None
    if built and card:
        detail = f"torch is built for CUDA {built}, and the driver of the GPU here does not serve that"
        yield Finding("CUDA", detail, "update the driver, or: make clean, then make lab TORCH=cu126", needed=False)
    elif built:
        detail = (
            f"torch is built for CUDA {built}, and no NVIDIA GPU is here: it works, and fills gigabytes for nothing"
        )
        yield Finding("CUDA", detail, "make clean, then: make lab TORCH=cpu", needed=False)
    elif card:
        detail = "an NVIDIA GPU is here, and torch is built without CUDA: it works, on the CPU"
        yield Finding("CUDA", detail, "make clean, then: make lab TORCH=cu126", needed=False)


def jupyter() -> Iterator[Finding]:
    """What JupyterLab must find on its paths: live widgets, the right kernel."""
    if requirements.version("jupyterlab") is None or requirements.version("ipykernel") is None or _homeless():
        return
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    from jupyter_core.paths import jupyter_path, jupyter_runtime_dir

    for package, extension in (("ipywidgets", "@jupyter-widgets/jupyterlab-manager"), ("anywidget", "anywidget")):
        yield _extension(package, [Path(folder, extension) for folder in jupyter_path("labextensions")])

    mend = f"{cures.this_python()} -m ipykernel install --sys-prefix --name python3"
    try:
        starts = KernelSpecManager().get_kernel_spec("python3").argv[0]
        right = _is_this_python(starts)
        yield Finding("kernel python3", f"starts {'this Python' if right else starts}", None if right else mend)
    except NoSuchKernel:
        yield Finding("kernel python3", "there is none", mend)

    place = cures.existing(Path(jupyter_runtime_dir()))
    writes = os.access(place, os.W_OK)
    cure = None if writes else 'export JUPYTER_RUNTIME_DIR="$(mktemp -d)", then start JupyterLab again'
    yield Finding("Jupyter's own folder", f"{place} can{'' if writes else 'not'} be written to", cure)


def _is_this_python(command: str) -> bool:
    """Whether a kernel's command starts this Python. Two environments may share a binary; their folders differ."""
    if re.fullmatch(r"python(3(\.\d+)?)?", command):  # by such a name Jupyter means the Python that it runs in
        return True
    found = shutil.which(command)
    folders = [Path(path).parent.resolve() for path in (command, sys.executable)]
    same = found is not None and os.path.realpath(found) == os.path.realpath(sys.executable)
    return same and (sys.prefix == sys.base_prefix or folders[0] == folders[1])


def _extension(package: str, places: list[Path]) -> Finding:
    """The part of a package that JupyterLab loads: there, and this environment's and not an older one's."""
    there = [place for place in places if place.is_dir()]
    if not there:
        mend = f"{cures.pip()} --force-reinstall --no-deps {package} jupyterlab_widgets"
        return Finding(f"{package} in JupyterLab", "its JupyterLab part is missing", mend)
    own_place = next((place for place in there if place.is_relative_to(sys.prefix)), there[0])
    first, own = (
        json.loads((place / "package.json").read_text(encoding="utf-8"))["version"] for place in (there[0], own_place)
    )
    if first == own:
        return Finding(f"{package} in JupyterLab", "found")
    detail = f"version {first} at {there[0]} hides version {own} of this environment"
    return Finding(f"{package} in JupyterLab", detail, "export JUPYTER_PREFER_ENV_PATH=1, then start JupyterLab again")


def chapters() -> Iterator[Finding]:
    folder = next((place / "chapters" for place in (Path.cwd(), cures.ROOT) if (place / "chapters").is_dir()), None)
    if folder is None:
        yield Finding("chapters", "not beside the package", "run this in the folder of the course", needed=False)
        return
    single = {path.stem for path in folder.glob("[0-9]*.py")} ^ {path.stem for path in folder.glob("[0-9]*.ipynb")}
    mend = f"make chapters CHAPTER={sorted(single)[0][:2]!r}" if single else None
    detail = f"without its twin: {', '.join(sorted(single))}" if single else "every .py has its .ipynb"
    yield Finding("chapters", detail, mend)
    for path in sorted(folder.glob("[0-9]*.ipynb")):
        try:
            json.loads(path.read_text(encoding="utf-8"))["cells"]
        except (ValueError, KeyError, TypeError):
            detail = "is no whole notebook; .ipynb_checkpoints and kept may hold an earlier one, with your answers"
            away, where = shlex.quote(str(cures.free(path.with_suffix(".broken")))), shlex.quote(str(folder))
            mend = f"mv {shlex.quote(str(path))} {away}, then: git -C {where} checkout -- {shlex.quote(path.name)}"
            yield Finding(path.name, detail, mend)
    if not os.access(folder, os.W_OK):
        mend = f"chmod -R u+w {shlex.quote(str(folder))}"
        yield Finding("chapters", f"{folder} cannot be written to: no answer would be saved", mend)


def programs() -> Iterator[Finding]:
    """Programs beside Python, of which a learner needs none once JupyterLab runs."""
    for names, package, use in PROGRAMS:
        found = next(filter(None, map(shutil.which, names)), None)
        mend = None if found else f"{cures.system(package)}; {use}"
        yield Finding(package, found or "not found", mend, needed=False)
    if util.find_spec("ensurepip") is None:
        yield Finding(
            "venv", "this Python cannot make an environment", f"{cures.system('python3-venv')}; `make lab` does", False
        )


def images() -> Iterator[Finding]:
    if any(requirements.version(name) is None for name in ("numpy", "torch", "scikit-learn", "pooch")):
        return
    from vaecourse import data

    if _homeless() and not os.environ.get(data.FOLDER_VARIABLE):
        return

    yield Finding("digits", f"{data.digits()}, inside scikit-learn")
    named = os.environ.get(data.FOLDER_VARIABLE)
    if named and (why := data.why_no_folder(named)):
        mend = f"unset {data.FOLDER_VARIABLE}, or let it name a folder that you may read"
        yield Finding(data.FOLDER_VARIABLE, f"names {named!r}, which {why}", mend)
        return
    yield Finding(data.FOLDER_VARIABLE, f"names {named}" if named else "not set, which is fine")
    for source in (data.sources.MNIST, data.sources.FASHION_MNIST):
        places = []
        damaged = False
        for file in source.sums:
            found = data.look(source, file)
            for path, detail in found.damaged.items():
                damaged, name = True, shlex.quote(str(path))
                mend = f"rm {name}, and it is fetched again"
                if not path.is_relative_to(data.places.cache_folder()):  # somebody's own
                    away = cures.free(path.with_name(f"{path.name}.damaged"))
                    mend = f"mv {name} {shlex.quote(str(away))}, and put the right file there"
                yield Finding(source.name, detail, mend, needed=False)
            if found.path or found.damaged:
                places.append(found.path or next(iter(found.damaged)))
        if len(places) < len(source.sums):
            detail = f"{len(places)} of 4 files on this machine; fetched when first asked for"
            mend = f"{cures.this_python()} -m vaecourse train {source.name} (with a network); the digits need none"
            yield Finding(source.name, detail, mend, needed=False)
        elif not damaged:
            folders = sorted({str(path.parent) for path in places})
            yield Finding(source.name, f"four files in {', '.join(folders)}, as they should be")


def disk() -> Iterator[Finding]:
    cure = "for the cache: export XDG_CACHE_HOME=FOLDER, a folder that you may write to"
    if not _homeless():
        yield _room("disk of the data cache", _cache(), cure)
    try:
        here = Path.cwd()
    except OSError as failure:  # somebody has removed it
        detail = f"the folder that you are in cannot be looked at ({failure.strerror})"
        yield Finding("disk of the course", detail, "cd into the folder of the course", needed=False)
        return
    yield _room("disk of the course", here, f"cd into a folder that you may write to; {cure}")


def _room(what: str, wanted: Path, cure: str) -> Finding:
    """How much is free at ``wanted``, or above it, and whether it can be written to."""
    place = next((above for above in (wanted, *wanted.parents) if os.path.isdir(above)), Path("/"))
    try:
        free, owner = shutil.disk_usage(place).free / GIGABYTE, place.stat().st_uid
    except OSError as failure:
        return Finding(what, f"{place} cannot be looked at ({failure.strerror})", cure, needed=False)
    detail, mend = f"{free:.1f} GB free at {place}", None
    if not os.access(place, os.W_OK):
        detail, mend = f"{detail}, which cannot be written to", cure
        if not hasattr(os, "geteuid") or owner == os.geteuid():  # the rights of others are theirs
            mend = f"chmod u+w {shlex.quote(str(place))}; or, {cure}"
    elif free < 1:
        mend = "make room: 1 GB is enough for all data and checkpoints; `pip cache purge` frees some"
    return Finding(what, detail, mend, needed=False)


LOOKS = (python, packages, versions, home, torch, jupyter, chapters, programs, images, disk)


def _homeless() -> bool:
    """Whether home() has said that nothing goes before that is mended."""
    return any(finding.needed and finding.mend is not None for finding in home())


def _cache() -> Path:
    return importlib.import_module("vaecourse.data").cache_folder() if requirements.version("pooch") else Path.home()
