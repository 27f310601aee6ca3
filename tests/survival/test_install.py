"""An installation that fails ends in a sentence that says why and what to do; of two at once the second waits."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools import bootstrap, clean, made, unfinished

fcntl = pytest.importorskip("fcntl", reason="make is not what installs the course on Windows")
ROOT = Path(__file__).parents[2]
DEAD = "http://127.0.0.1:9"


@pytest.fixture
def course(tmp_path):
    """A course in which nothing is installed."""
    return copy_into(tmp_path / "the 课")


def copy_into(folder):
    tools = [f"tools/{name}.py" for name in ("__init__", *"bootstrap clean ending made temporary unfinished".split())]
    package = [f"vaecourse/{name}.py" for name in ("__init__", "foreign")]
    package += [f"vaecourse/files/{name}.py" for name in ("__init__", "locks", "marks", "whole")]
    names = ["Makefile", "pyproject.toml", *tools, *package]
    for name in [*names, *(f"pins/{path.name}" for path in (ROOT / "pins").glob("*.txt"))]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


def make(course, *words, target="lab", **variables):
    """The lines that a command ends with, without make's own."""
    outside = {"https_proxy": DEAD, "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull, "UV_HTTP_RETRIES": "0"}
    path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    environment = {"PATH": path, "HOME": str(course), **outside, **variables}
    command = ["make", "--no-print-directory", target, f"PYTHON={sys.executable}", *words]
    ended = subprocess.run(command, cwd=course, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode, ended.stdout
    return [line for line in (ended.stdout + ended.stderr).splitlines() if line and not line.startswith("make")]


@pytest.fixture
def installing(course):
    """A course whose .venv has a python and a pip that do nothing well."""
    for name in ("python", "pip"):
        (course / ".venv/bin").mkdir(parents=True, exist_ok=True)
        (course / ".venv/bin" / name).write_text('#!/bin/sh\ncase "$*" in *tools.unfinished*) exit 0 ;; esac\nexit 1\n')
        (course / ".venv/bin" / name).chmod(0o755)
    return course


@pytest.mark.parametrize("target", ["lab", "test"])
def test_a_python_that_is_not_there_is_named(course, target):
    (said,) = make(course, "PYTHON=/nonexistent", target=target)
    assert said.startswith("There is no Python called /nonexistent here.") and "PYTHON=python3.12" in said


def test_an_old_python_is_told(course):
    old = course / "old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    (said,) = make(course, f"PYTHON={old}")
    assert said == "vaecourse needs Python 3.11 or newer; name one: make lab PYTHON=python3.12"


def test_a_python_without_venv_is_told(course):
    without = course / "without"
    without.write_text(f'#!/bin/sh\n[ "$*" = "-m venv .venv" ] && exit 1\nexec {sys.executable} "$@"\n')
    without.chmod(0o755)
    said = make(course, f"PYTHON={without}")
    number = "{}.{}".format(*sys.version_info)
    assert "made no .venv, as it does without its module venv" in said[-1] and f"python{number}-venv" in said[-1]
    assert "give the same command again" in said[-1] and not (course / ".venv/bin/python").exists()
    clean.environment(course / ".venv", pytest.fail)
    assert not (course / ".venv").exists()


@pytest.mark.parametrize("name", ["a$x", "the {x}", "e}"])
def test_a_name_that_setuptools_takes_for_a_variable_is_told_before_anything_is_installed(tmp_path, name):
    (said,) = make(copy_into(tmp_path / name))
    assert said.startswith(f"{tmp_path / name} has a ") and "setuptools cannot install" in said
    assert not (tmp_path / name / ".venv").exists()


def test_a_dollar_before_a_number_is_no_variable(tmp_path):
    assert bootstrap.no_variable("/home/me/5$ a day/$") is None and "$x" in bootstrap.no_variable("/a/$x")
    assert os.name != "posix" or "/a:b has a : in its name" in bootstrap.no_variable("/a:b")


@pytest.mark.parametrize("target", ["lab", "test"])
def test_a_dead_proxy_is_told_after_all_that_pip_says(installing, target):
    said = make(installing, target=target)
    assert said[-1].startswith("https://pypi.org/simple/ by the proxy http://127.0.0.1:9, which https_proxy names,")
    assert "cannot be reached" in said[-1] and "give the same command again" in said[-1]


def test_a_dead_index_is_told_and_its_password_is_not(installing):
    said = make(installing, https_proxy="", PIP_INDEX_URL="http://me:secret@127.0.0.1:9/simple")
    assert said[-1].startswith("http://127.0.0.1:9/simple cannot be reached") and "secret" not in "".join(said)


def test_what_cannot_be_seen_is_left_to_the_installer(installing):
    said = make(installing, PIP_NO_INDEX="1")
    assert said[-1].startswith("The installation failed, and what stands above says why: mend that, then")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_may_not_be_written_is_told(course):
    for above in (course, *course.parents[:4]):
        above.chmod(above.stat().st_mode | 0o055)
    program = "import os, sys; os.setuid(65534); os.execvp(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", program, "/usr/bin/env", "make", "lab", "PYTHON=/usr/bin/python3"]
    if subprocess.run([sys.executable, "-c", program, "/usr/bin/python3", "-c", ""]).returncode:
        pytest.skip("nobody has no Python here")
    ended = subprocess.run(command, cwd=course, capture_output=True, text=True, timeout=60)
    assert f"Nothing can be written in {course} (Permission denied): copy the course" in ended.stderr


def test_a_full_disk_is_told(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    with contextlib.suppress(FileNotFoundError):
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True)
        if not mounted.returncode:
            try:
                said = make(copy_into(disk / "course"))
            finally:
                subprocess.run(["umount", "--lazy", disk], check=True)
            assert f"The disk of {disk / 'course'} is full (No space left on device; the course needs" in said[-1]
            return
    pytest.skip("a disk cannot be mounted here")


def test_pips_settings_do_not_lead_out_of_the_environment(installing):
    (installing / ".venv/bin/python").write_text(
        '#!/bin/sh\ncase "$*" in *tools.unfinished*) exit 0 ;; *"pip install"*) env | grep ^PIP_ >>seen; esac\nexit 1\n'
    )
    make(installing, PIP_USER="1", PIP_TARGET="/elsewhere", PIP_PREFIX="/elsewhere", PIP_REQUIRE_VIRTUALENV="1")
    seen = (installing / "seen").read_text()
    assert (
        "PIP_USER=0" in seen
        and "PIP_DRY_RUN=0" in seen
        and "PIP_REQUIRE_VIRTUALENV=1" in seen
        and "elsewhere" not in seen
    )


@pytest.mark.parametrize("name", bootstrap.ELSEWHERE)
@pytest.mark.parametrize("section", ["global", "install"])
def test_a_pip_that_would_install_elsewhere_is_told_before_anything_is_installed(installing, name, section):
    (installing / ".venv/bin/python").write_text(
        f"""#!/bin/sh\ncase "$*" in *"pip config list") echo "{section}.{name}='/elsewhere'"; exit 0 ;;\n"""
        """*"pip install"*) touch seen ;; esac\nexit 1\n"""
    )
    (said,) = make(installing)
    assert f"pip's settings say {name} = /elsewhere, so that it would install there and not into .venv" in said
    assert f"pip config unset {section}.{name}" in said and not (installing / "seen").exists()


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_pipe_that_has_the_locks_name_is_not_waited_for_and_stays(installing):
    os.mkfifo(installing / bootstrap.LOCK)
    (said,) = make(installing)
    assert "is no file: move it away" in said and (installing / bootstrap.LOCK).is_fifo()


def test_a_strangers_file_that_has_the_locks_name_stays(installing):
    (installing / bootstrap.LOCK).write_text("my notes on doors")
    (said,) = make(installing)
    assert "has a text in it that is not the course's: move that file away, then give the same command again" in said
    (installing / ".venv/installed-lab").touch()
    clean.environment(installing / ".venv", lambda said: None)
    assert (installing / bootstrap.LOCK).read_text() == "my notes on doors" and not (installing / ".venv").exists()


# What an installation that was stopped has left ----------------------------------------------------------------------


@pytest.fixture
def stopped(course):
    """A course whose .venv was begun, and the installation killed before it had said that all is installed."""
    program = f"#!{sys.executable}\nimport os, sys, venv\n"
    program += "sys.argv[1:2] == ['--silent'] and sys.exit()\n"  # make is asked for pip alone first
    program += "venv.main(['--without-pip', '.venv']) if sys.argv[1:3] == ['-m', 'venv'] else None\n"
    program += "os.execv(sys.executable, [sys.executable, *sys.argv[1:]]) if sys.argv[1] != '-m' else None\n"
    (course / "python").write_text(program)
    (course / "python").chmod(0o755)
    subprocess.run(
        [sys.executable, "tools/bootstrap.py", course / "python", "-m", "venv", ".venv"], cwd=course, check=True
    )
    assert (course / ".venv/bin/python").exists()
    return course


def test_clean_removes_an_environment_that_the_course_began(stopped):
    said = []
    clean.environment(stopped / ".venv", said.append)
    assert not (stopped / ".venv").exists() and not (stopped / "kept").exists() and said == []


def test_clean_keeps_what_somebody_put_into_an_environment_that_the_course_began(stopped):
    (stopped / ".venv/notes.txt").write_text("mine")
    (stopped / ".venv" / bootstrap.BEGUN).write_text("mine too")
    said = []
    clean.environment(stopped / ".venv", said.append)
    assert sorted(path.read_text() for path in (stopped / "kept").rglob("*") if path.is_file()) == ["mine", "mine too"]
    assert not (stopped / ".venv").exists() and len(said) == 1


@pytest.mark.parametrize("empty", [True, False])
def test_an_environment_is_the_courses_if_nothing_was_in_it(course, empty):
    (course / ".venv").mkdir()
    if not empty:
        (course / ".venv/pyvenv.cfg").write_text("home = /usr/bin")
    subprocess.run([sys.executable, "tools/bootstrap.py", "true"], cwd=course, check=True)
    said = []
    clean.environment(course / ".venv", said.append)
    assert (course / ".venv").exists() != empty and (said == []) == empty


@pytest.fixture
def site(course, monkeypatch):
    """The site-packages of an environment in which packages are half installed."""
    site = course / ".venv/lib/python3.11/site-packages"
    for name in ("torch-2.13.0", "vaecourse-0.1.0", "myown-1.0", "a zzz b", "pip-23.0"):
        (site / f"{name}.dist-info").mkdir(parents=True)
        (site / f"{name}.dist-info/METADATA").write_text("Name: x")
    (site / "myown-1.0.dist-info/NOTES.txt").write_text("mine")
    (course / "zzz").mkdir()
    (course / "zzz/thesis.txt").write_text("mine")
    monkeypatch.setattr(unfinished.sysconfig, "get_path", lambda _: str(site))
    monkeypatch.setattr(made, "KEPT", course / "kept")
    monkeypatch.chdir(course)
    return site


def test_only_packages_of_the_pins_are_taken_for_half_installed(site, capsys):
    assert unfinished.main() == 0
    assert sorted(path.name for path in site.iterdir()) == [
        f"{x}.dist-info" for x in ("a zzz b", "myown-1.0", "pip-23.0")
    ]
    assert Path("zzz/thesis.txt").exists() and not Path("kept").exists()
    said = capsys.readouterr()
    assert said.out == "" and [line.split()[-1] for line in said.err.splitlines()] == [
        "torch-2.13.0",
        "vaecourse-0.1.0",
    ]


def test_what_somebody_put_beside_the_notes_of_a_half_installed_package_is_kept(site):
    (site / "torch-2.13.0.dist-info/NOTES.txt").write_text("mine too")
    assert unfinished.main() == 0
    assert [path.read_text() for path in Path("kept").rglob("*.txt")] == ["mine too"]
    assert not (site / "torch-2.13.0.dist-info").exists()


def test_make_takes_no_words_of_a_folders_name_for_folders(installing):
    (installing / "zzz").mkdir()
    (installing / "zzz/thesis.txt").write_text("mine")
    (installing / ".venv/bin/python").write_text(
        '#!/bin/sh\ncase "$*" in *tools.unfinished*) echo ".venv/lib/a zzz b.dist-info" ;; esac\nexit 1\n'
    )
    make(installing)
    assert (installing / "zzz/thesis.txt").exists()


# Two at once ---------------------------------------------------------------------------------------------------------

SLOW = """\
#!/bin/sh
case "$*" in
    *"config list"*|*tools.unfinished*) exit ;;
    *"--editable ."*) echo end >>log ;;
    *pins/lab.txt*) echo begin >>log; sleep "${SECONDS_EACH:-1}" ;;
esac
"""


def start(course, **variables):
    command = ["make", "--no-print-directory", ".venv/installed-lab", f"PYTHON={sys.executable}"]
    environment = {**os.environ, **variables}
    return subprocess.Popen(
        command, cwd=course, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def slow(installing):
    (installing / ".venv/bin/python").write_text(SLOW)
    return installing


def test_of_two_installations_the_second_waits_says_for_whom_and_has_nothing_left_to_do(slow):
    first = start(slow)
    wait_for((slow / "log").exists)
    second = start(slow)
    said = second.communicate(timeout=60)[1]
    assert first.wait(timeout=60) == second.returncode == 0
    assert re.search(r"Waiting: process \d+ has been installing the course since \d\d:\d\d\.", said)
    assert (slow / "log").read_text().split() == ["begin", "end"]
    assert re.fullmatch(rb"process \d+ has been .* since \d\d:\d\d", (slow / bootstrap.LOCK).read_bytes())


def test_a_killed_installation_holds_nobody_up(slow):
    first = start(slow, SECONDS_EACH="60")
    wait_for((slow / "log").exists)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    second = start(slow)
    said = second.communicate(timeout=60)[1]
    assert second.returncode == 0 and "Waiting" not in said


def test_clean_leaves_an_environment_into_which_is_installed(slow):
    (slow / ".venv/installed-lab").touch()
    said = []
    with open(slow / bootstrap.LOCK, "w") as lock:
        lock.write("process 7 has been installing the course since 10:15")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        clean.environment(slow / ".venv", said.append)
    assert (slow / ".venv").exists() and "stays: process 7 has been installing" in said[0]
    clean.environment(slow / ".venv", said.append)
    assert not (slow / ".venv").exists() and not (slow / bootstrap.LOCK).exists()
