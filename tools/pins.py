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

from tools import temporary
from vaecourse import files

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT / "pins"

PYTHONS = ("3.11.0", "3.12.0", "3.13.0", "3.14.0")  # the first of each, so that Debian's 3.11.2 is not left out
PLATFORMS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "aarch64-apple-darwin", "x86_64-pc-windows-msvc")
MACOS = "14.0"  # PyTorch has no wheel for an older one

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


def write(path: Path, said: str, pins: str) -> None:
    files.replace(path, f"{HEAD}{said}\n{pins}".encode())


def uv(*words: str | Path, asked: str | None = None) -> None:
    """Run uv on PyPI alone, whatever other places its settings name on this machine."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    command = [Path(sys.executable).with_name("uv"), "pip", *words, "--quiet", "--no-config"]
    settings["MACOSX_DEPLOYMENT_TARGET"] = MACOS
    if subprocess.run(command, cwd=ROOT, env=settings, input=asked, encoding="utf-8").returncode:
        raise SystemExit(f"uv pip {words[0]} failed, and says above why")


def resolve(*words: str, asked: str = "", known: list[str]) -> list[str]:
    """The pins for all platforms and Pythons at once; a version that is ``known`` stays if it can."""
    with temporary.folder("pins") as folder:
        output = folder / "pins.txt"
        files.replace(output, versions(known).encode())
        for_all = ["--universal", "--python-version", PYTHONS[0], "--fork-strategy", "fewest", "--only-binary", ":all:"]
        uv("compile", *for_all, "--generate-hashes", "--no-annotate", "--output-file", output, *words, "-", asked=asked)
        return blocks(output.read_text(encoding="utf-8"))


def torch_for_cpus(environment: str) -> str:
    """The pin of the one wheel that is not on PyPI, by its address and hash in environment.yml."""
    ((number, digest, where),) = re.findall(r"torch @ \S+/torch-([\d.]+)%2Bcpu-\S+#sha256=(\w+) ; (.+)", environment)
    return f"torch=={number}+cpu ; python_version == '3.11' and {where} \\\n    --hash=sha256:{digest}\n"


def renew(upgrade: bool) -> None:
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


def check_wheels() -> None:
    """Fail, with uv's words, at the first Python and platform that has no wheel for a pin."""
    with temporary.folder("pins") as empty:
        for python in PYTHONS:
            for platform in PLATFORMS:
                print(f"wheels for Python {python}, {platform}", flush=True)
                place = ["--target", empty, "--python-version", python, "--python-platform", platform]
                kind = ["--dry-run", "--require-hashes", "--no-deps", "--only-binary", ":all:"]
                for name in ("test", "cuda", "uv"):
                    uv("install", *place, *kind, "--requirement", PINS / f"{name}.txt")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.pins", description=__doc__.split("\n")[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    renew(parser.parse_args().upgrade)
    check_wheels()


if __name__ == "__main__":
    main()
