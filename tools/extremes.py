"""Does the course work with the lowest versions that pyproject.toml admits, and with the newest?

    python3 -m tools.extremes lowest                      `make lowest`
    python3 -m tools.extremes newest                      `make newest`
    python3 -m tools.extremes lowest -x tests/labs        these words for pytest, in place of `tests`

It installs them beside .venv, into an environment that is gone afterwards, then asks doctor and runs the unit tests and
the labs; those that are about the pins stay out. TORCH names PyTorch's index, as for `make lab`; a wheel for CPUs that
lies where pip looks for wheels is taken before PyPI's PyTorch, which on Linux brings gigabytes of CUDA.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

from tools import ending, temporary
from tools.made import ROOT
from vaecourse import files

RESOLUTIONS = {"lowest": "lowest-direct", "newest": "highest"}
TESTS = ["--numprocesses", "2", "--dist", "loadscope", "--no-loadscope-reorder", "-rs", "-m", "not pinned"]


def run(*command: str | Path, **more: str) -> None:
    """Run a command in the course's folder; a failure of it is the end."""
    print("$ " + " ".join(map(str, command)), flush=True)
    if subprocess.run(command, cwd=ROOT, env={**os.environ, **more}).returncode:
        raise ending.Refused(f"this failed: {' '.join(map(str, command))}")


def where_pip_looks(settings: str) -> dict[str, str]:
    """Index and folder of wheels in what ``pip config list`` says; uv does not read pip's settings.

    >>> where_pip_looks(":env:.find-links='/opt/wheels'\\nglobal.timeout='9'\\nuser.index-url='https://mirror/'\\n")
    {'UV_FIND_LINKS': '/opt/wheels', 'UV_INDEX_URL': 'https://mirror/'}
    """
    found = re.findall(r"^\S+\.(index-url|find-links)='(.*)'$", settings, flags=re.MULTILINE)
    return {f"UV_{name.replace('-', '_').upper()}": value for name, value in found}


def wheel_for_cpus(places: str, python: str) -> str | None:
    """The version of PyTorch's wheel for CPUs, and for this Python, in one of the folders.

    >>> wheel_for_cpus("/nowhere /nor/here", "cp311")
    """
    wheels = (path for place in places.split() for path in Path(place).glob(f"torch-*+cpu-{python}-*.whl"))
    found = [path.name.split("-")[1] for path in wheels]
    return max(found, key=lambda version: [int(number) for number in re.findall(r"\d+", version)], default=None)


def install(which: str, torch: str | None, folder: Path) -> Path:
    """An environment in ``folder`` with the versions of that end; returns its folder of programs."""
    run(sys.executable, "-m", "venv", folder / "venv")
    programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    hashed = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", "pins/uv.txt"]
    run(programs / "python", "-m", "pip", "install", "--quiet", *hashed)
    asked = subprocess.run([programs / "python", "-m", "pip", "config", "list"], capture_output=True, encoding="utf-8")
    where = {"UV_FIND_LINKS": "", **where_pip_looks(asked.stdout)}
    constraint = folder / "constraint.txt"
    version = None if torch else wheel_for_cpus(where["UV_FIND_LINKS"], "cp{}{}".format(*sys.version_info))
    files.replace(constraint, f"torch=={version}\n".encode() if version else b"")
    backend = ["--torch-backend", torch] if torch else []
    words = ["--python", programs / "python", "--resolution", RESOLUTIONS[which], "--constraint", constraint, *backend]
    run(programs / "uv", "pip", "install", "--quiet", *words, "--editable", ".[test]", **where)
    run(programs / "uv", "pip", "list", "--quiet", "--python", programs / "python")
    return programs


@ending.reports("extremes")
def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.extremes", description=__doc__.split("\n")[0])
    parser.add_argument("which", choices=RESOLUTIONS)
    parser.add_argument("--torch", metavar="INDEX", help="PyTorch's own index of that name: cpu, cu126, ...")
    given, words = parser.parse_known_args()
    with temporary.folder(given.which) as folder:
        folder.chmod(0o755)  # some tests run the course as another user
        programs = install(given.which, given.torch, folder)
        run(programs / "python", "-m", "vaecourse", "doctor")
        chosen = words or ["--ignore", "tests/browser", "tests"]
        run(programs / "python", "-m", "pytest", *TESTS, *chosen, OMP_NUM_THREADS="1")
    print(f"The course works with the {given.which} versions.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
