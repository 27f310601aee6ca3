"""One version, with its hashes, of everything that is installed, for every platform and Python that the course names.

    python -m tools.pins               what pyproject.toml asks for; a version that is pinned already stays
    python -m tools.pins --upgrade     the newest versions

`make pins` runs it. It asks PyPI and writes

    pins/lab.txt          what `make lab` installs
    pins/test.txt         what `make test` installs
    pins/cuda.txt         what PyPI's PyTorch for Linux needs of CUDA; only that build gets it
    pins/torch-cpu.txt    PyTorch's build for CPUs, which is not on PyPI; it is taken where its wheel lies in a folder
    pins/uv.txt           uv, which installs the others
    constraints.txt       the versions of pins/test.txt without hashes, for an environment of your own

and then looks whether every Python on every platform finds a wheel for each pin.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tools import ending, made, temporary
from vaecourse import files

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT / "pins"

PYTHONS = ("3.11.0", "3.12.0", "3.13.0", "3.14.0")  # the first of each, so that Debian's 3.11.2 is not left out
GLIBC = "2.28"  # what the wheels of PyTorch are built for
MACOS = "14.0"  # PyTorch has no wheel for an older one
PLATFORMS = (
    *(f"{processor}-manylinux_{GLIBC.replace('.', '_')}" for processor in ("x86_64", "aarch64")),
    *("aarch64-apple-darwin", "x86_64-pc-windows-msvc"),
)

# Where some pin has no wheel: uv's names for platform, Python and macOS, and a reader's, as docs/install.md has them.
EXCLUDED = {
    ("x86_64-manylinux_2_17", PYTHONS[0], MACOS): f"Linux with a glibc older than {GLIBC}",
    ("x86_64-unknown-linux-musl", PYTHONS[0], MACOS): "Linux with musl in place of glibc: Alpine",
    ("riscv64-unknown-linux", PYTHONS[0], MACOS): "Linux on other processors than x86_64 and aarch64",
    ("x86_64-apple-darwin", PYTHONS[0], MACOS): "macOS on Intel processors",
    ("aarch64-apple-darwin", PYTHONS[0], "13.0"): f"macOS before {MACOS.removesuffix('.0')}",
    ("aarch64-pc-windows-msvc", PYTHONS[0], MACOS): "Windows on ARM",
    ("i686-pc-windows-msvc", PYTHONS[0], MACOS): "Windows of 32 bits",
    (PLATFORMS[0], "3.15.0", MACOS): "Python 3.15",
}

CUDA = re.compile(r"(cuda|nvidia|triton)\b")
HEAD = "# `make pins` wrote this from pyproject.toml. "
SAID = {
    "lab": "It is what `make lab` installs, on every platform and Python.",
    "test": "It is what `make test` installs, on every platform and Python.",
    "cuda": "What PyPI's PyTorch for Linux needs of CUDA: only that build gets it.",
    "torch-cpu": "PyTorch's build for CPUs, not on PyPI; its address is in environment.yml.",
    "uv": "uv installs the other pins; where it cannot be had, pip does.",
}


def blocks(text: str) -> list[str]:
    """The pins of a requirements file, each with the lines of its hashes."""
    return re.findall(r"^\w.*\n(?: +--hash=.*\n)*", text, flags=re.MULTILINE)


def pinned(name: str) -> list[str]:
    """What ``pins/name.txt`` holds now."""
    path = PINS / f"{name}.txt"
    return blocks(path.read_text(encoding="utf-8")) if path.exists() else []


def versions(pins: list[str]) -> str:
    """Pins without their hashes.

    >>> versions(["colorama==0.4.6 ; sys_platform == 'win32' \\\\\\n    --hash=sha256:4f1d\\n"])
    "colorama==0.4.6 ; sys_platform == 'win32'\\n"
    """
    return "".join(block.split("\n")[0].removesuffix(" \\") + "\n" for block in pins)


def write(path: Path, heading: str, pins: str) -> None:
    """Replace a file of pins; of one in which something stands that git does not have, a copy is kept."""
    new = f"{HEAD}{heading}\n{pins}".encode()
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", path], cwd=ROOT).returncode == 1
    if changed and path.read_bytes() != new:
        print(f"{path.relative_to(ROOT)} had changes that git does not have: a copy is {files.keep(path)}")
    files.replace(path, new)


def uv(*words: str | Path, asked: str | None = None, macos: str = MACOS, loud: bool = True) -> bool:
    """Run uv on PyPI alone, whatever other places its settings name on this machine. Did it do what it was told?"""
    settings = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    command = [Path(sys.executable).with_name("uv"), "pip", *words, "--quiet", "--no-config"]
    settings["MACOSX_DEPLOYMENT_TARGET"] = macos
    errors = None if loud else subprocess.DEVNULL
    return not subprocess.run(command, cwd=ROOT, env=settings, input=asked, encoding="utf-8", stderr=errors).returncode


def resolve(*words: str, asked: str = "", known: list[str]) -> list[str]:
    """The pins for all platforms and Pythons at once; a version that is ``known`` stays if it can."""
    with temporary.folder("pins") as folder:
        output = folder / "pins.txt"
        files.replace(output, versions(known).encode())
        for_all = ["--universal", "--python-version", PYTHONS[0], "--fork-strategy", "fewest", "--only-binary", ":all:"]
        how = ["--generate-hashes", "--no-annotate", "--output-file", output]
        if not uv("compile", *for_all, *how, *words, "-", asked=asked):
            raise ending.Refused("uv pip compile failed, and says above why")
        return blocks(output.read_text(encoding="utf-8"))


def torch_for_cpus(environment: str) -> str:
    """The pin of the one wheel that is not on PyPI, by its address and hash in environment.yml."""
    ((number, digest, where),) = re.findall(r"torch @ \S+/torch-([\d.]+)%2Bcpu-\S+#sha256=(\w+) ; (.+)", environment)
    return f"torch=={number}+cpu ; python_version == '3.11' and {where} \\\n    --hash=sha256:{digest}\n"


def pin_all(upgrade: bool) -> None:
    """Resolve pyproject.toml and write every file of pins."""
    again = ["--upgrade"] if upgrade else []
    build = "\n".join(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"])
    known = [block for name in ("test", "cuda", "uv") for block in pinned(name)]
    found = resolve("--extra", "test", *again, "pyproject.toml", asked=build, known=known)
    test = [block for block in found if not CUDA.match(block)]
    write(ROOT / "constraints.txt", "The versions of pins/test.txt, without hashes.", versions(test))
    lab = resolve("--extra", "lab", "--constraint", "constraints.txt", "pyproject.toml", asked=build, known=found)
    pins = {
        "lab": "".join(block for block in lab if not CUDA.match(block)),
        "test": "".join(test),
        "cuda": "".join(block for block in found if CUDA.match(block)),
        "torch-cpu": torch_for_cpus((ROOT / "environment.yml").read_text(encoding="utf-8")),
        "uv": "".join(resolve(*again, asked="uv", known=known)),
    }
    for name, text in pins.items():
        write(PINS / f"{name}.txt", SAID[name], text)


def has_wheels(name: str, platform: str, python: str, macos: str = MACOS, loud: bool = True) -> bool:
    """Whether this Python on this platform finds a wheel for every pin of ``pins/name.txt``."""
    with temporary.folder("pins") as empty:
        place = ["--target", empty, "--python-version", python, "--python-platform", platform]
        kind = ["--dry-run", "--require-hashes", "--no-deps", "--only-binary", ":all:"]
        return uv("install", *place, *kind, "--requirement", PINS / f"{name}.txt", macos=macos, loud=loud)


def check_wheels() -> None:
    """Fail, with uv's words, at the first Python and platform that has no wheel for a pin, or is told to have none."""
    for python in PYTHONS:
        for platform in PLATFORMS:
            print(f"wheels for Python {python}, {platform}", flush=True)
            if not all(has_wheels(name, platform, python) for name in ("test", "cuda", "uv")):
                raise ending.Refused(f"no wheel of some pin for Python {python} on {platform}: uv says above which")
    for (platform, python, macos), what in EXCLUDED.items():
        print(f"no wheels for {what}", flush=True)
        if has_wheels("lab", platform, python, macos, loud=False):
            raise ending.Refused(f"{what}: every pin has a wheel now; take it out of tools/pins.py and docs/install.md")


@ending.reports("pins")
def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.pins", description=__doc__.split("\n")[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    options = parser.parse_args()
    with made.alone(PINS, "making the pins anew"):
        pin_all(options.upgrade)
        check_wheels()
    return 0


if __name__ == "__main__":
    sys.exit(main())
