"""The course's commands on a machine whose texts are not UTF-8, in a folder with a space and a Chinese letter, no home.

A Chinese Windows has GBK, a Western one CP1252; here the same encodings are compiled for Linux.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import vendor

ROOT = Path(__file__).parents[2]
ENCODINGS = {"GBK": "zh_CN", "CP1252": "en_US"}


def skip(reason):
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of the course."""
    folder = tmp_path_factory.mktemp("a course, 课程")
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


@pytest.fixture(scope="module", params=ENCODINGS)
def foreign(request, tmp_path_factory):
    """The environment of such a machine."""
    places = tmp_path_factory.mktemp("locales")
    name = f"{ENCODINGS[request.param]}.{request.param}"
    command = ["localedef", "-i", ENCODINGS[request.param], "-f", request.param, "--no-archive", places / name]
    if shutil.which("localedef") is None or subprocess.run(command, capture_output=True).returncode > 1:
        skip(f"{name} cannot be compiled here (Debian: apt-get install locales)")
    without = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHON", "XDG"))}
    return without | {"LOCPATH": str(places), "LC_ALL": name, "HOME": "/proc", "PYTHONUTF8": "0"}


def make(course, environment, *words):
    command = ["make", "--old-file", ".venv/installed-test", "--old-file", ".venv/bin/python", *words]
    ran = subprocess.run(command, cwd=course, env=environment, capture_output=True, timeout=400)
    assert ran.returncode == 0, (ran.stdout + ran.stderr).decode(errors="replace")[-3000:]


def test_this_machine_is_what_the_test_says(foreign):
    ask = "import locale, os; print(locale.getencoding(), os.access(os.path.expanduser('~'), os.W_OK))"
    ran = subprocess.run([sys.executable, "-c", ask], env=foreign, capture_output=True, text=True)
    assert ran.stdout.split()[0] in ENCODINGS and ran.stdout.split()[0] in foreign["LC_ALL"]


@pytest.mark.parametrize(
    "words",
    [("student", "CHAPTER=00"), ("slides", "CHAPTER=00"), ("chapters", "CHAPTER=00"), ("book",)],
    ids=lambda w: w[0],
)
def test_a_command_of_the_course(course, foreign, words):
    if words[0] in ("book", "slides") and "GBK" not in foreign["LC_ALL"]:
        pytest.skip("what takes long is made once, in the encoding that is further from UTF-8")
    make(course, foreign, *words)
    made = {
        "student": "build/student/00-start-here.ipynb",
        "slides": "build/slides/00-start-here.html",
        "chapters": "chapters/00-start-here.ipynb",
        "book": "build/site/chapters/00-start-here.html",
    }[words[0]]
    assert not (course / made).read_text(encoding="utf-8").isascii()
