"""The course's commands on a machine whose texts are not UTF-8, in a folder with a space and a Chinese letter, no home.

``make book`` is run so by the browser's tests, which need a site anyway: tests/browser/conftest.py.
"""

import shutil
import subprocess
import sys

import pytest

from tests import machines
from tests.chapters.conftest import SAMPLE


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    found = machines.course(tmp_path_factory.mktemp("a course, 课程"))
    for suffix in (".py", ".ipynb"):
        shutil.copy(SAMPLE.with_suffix(suffix), found / "chapters")
    return found


@pytest.fixture(scope="module", params=machines.ENCODINGS)
def foreign(request, tmp_path_factory):
    return machines.foreign(request.param, tmp_path_factory.mktemp("locales"))


def test_this_machine_is_what_the_test_says(foreign):
    ask = "import locale, os; print(locale.getencoding(), os.access(os.path.expanduser('~'), os.W_OK))"
    ran = subprocess.run([sys.executable, "-c", ask], env=foreign, capture_output=True, text=True)
    assert ran.stdout.split()[0] in machines.ENCODINGS and ran.stdout.split()[0] in foreign["LC_ALL"]


@pytest.mark.parametrize("command", ["student", "slides", "chapters"])
def test_a_command_of_the_course(course, foreign, command):
    if command == "slides" and "GBK" not in foreign["LC_ALL"]:
        pytest.skip("what takes long is made once, in the encoding that is further from UTF-8")
    short = command == "chapters" and "GBK" not in foreign["LC_ALL"]  # it is read and written as a chapter is
    name = SAMPLE.stem if short else "00-start-here"
    found = {
        "student": f"build/student/{name}.ipynb",
        "slides": f"build/slides/{name}.html",
        "chapters": f"chapters/{name}.ipynb",
    }
    made = course / found[command]
    if command == "chapters":
        made.unlink()
    machines.make(course, foreign, command, f"CHAPTER={name[:2]}")
    assert not made.read_text(encoding="utf-8").isascii()
