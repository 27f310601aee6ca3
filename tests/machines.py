"""A copy of the course, and machines whose texts are not UTF-8: a Chinese Windows has GBK, a Western one CP1252.

The same encodings are compiled for Linux; home is a place that cannot be written.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import vendor

ROOT = Path(__file__).parents[1]
ENCODINGS = {"GBK": "zh_CN", "CP1252": "en_US"}


def skip(reason):
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


def course(folder):
    """A copy of the course in this folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file() and (not name.startswith("tests/") or name.endswith(".cfg")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(Path(os.path.abspath(sys.prefix)), target_is_directory=True)
    try:
        vendor.fetch()
    except vendor.NoPackages as error:
        skip(str(error))
    shutil.copytree(vendor.NPM, folder / "build/npm", symlinks=True)
    shutil.copy(vendor.NPM.with_name(".npm.made"), folder / "build")
    return folder


def foreign(encoding, folder):
    """The environment of such a machine; its locale is compiled into this folder."""
    name = f"{ENCODINGS[encoding]}.{encoding}"
    command = ["localedef", "-i", ENCODINGS[encoding], "-f", encoding, "--no-archive", folder / name]
    if shutil.which("localedef") is None or subprocess.run(command, capture_output=True).returncode > 1:
        skip(f"{name} cannot be compiled here (Debian: apt-get install locales)")
    without = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHON", "XDG"))}
    return without | {"LOCPATH": str(folder), "LC_ALL": name, "HOME": "/proc", "PYTHONUTF8": "0"}


def make(course, environment, *words):
    """``make`` there, with the packages of here."""
    command = ["make", "--old-file", ".venv/installed-test", "--old-file", ".venv/bin/python", *words]
    ran = subprocess.run(command, cwd=course, env=environment, capture_output=True, timeout=400)
    assert ran.returncode == 0, (ran.stdout + ran.stderr).decode(errors="replace")[-3000:]
