"""`make lowest` and `make newest`: what they install, from where, and what they run. Nothing is installed here."""

import subprocess
import sys

import pytest

from tools import extremes

CPU = "cp{}{}".format(*sys.version_info)


@pytest.fixture
def told(monkeypatch):
    """The commands that would be run, each with what it gets in its environment, and what pip says of its settings."""
    commands, settings, broken = [], [], []

    def run(command, **more):
        words = [str(word) for word in command]
        if words[-2:] == ["config", "list"]:
            return subprocess.CompletedProcess(command, 0, "".join(settings))
        bound = open(words[words.index("--constraint") + 1]).read() if "--constraint" in words else ""
        commands.append((words, {name: value for name, value in more["env"].items() if name in WATCHED}, bound))
        return subprocess.CompletedProcess(command, int(any(word in broken for word in words)))

    monkeypatch.setattr(extremes.subprocess, "run", run)
    return commands, settings, broken


WATCHED = ("OMP_NUM_THREADS", "UV_INDEX_URL", "UV_FIND_LINKS")


def call(monkeypatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["extremes", *words])
    return extremes.main()


@pytest.mark.parametrize("which, resolution", [("lowest", "lowest-direct"), ("newest", "highest")])
def test_it_installs_that_end_and_runs_doctor_and_the_tests(which, resolution, told, monkeypatch):
    commands, _, _ = told
    assert call(monkeypatch, which) == 0
    environment, uv, install, _, doctor, tests = [words for words, _, _ in commands]
    assert environment[1:3] == ["-m", "venv"] and "--require-hashes" in uv and uv[-1] == "pins/uv.txt"
    assert install[install.index("--resolution") + 1] == resolution and install[-2:] == ["--editable", ".[test]"]
    assert "pins" not in " ".join(install) and doctor[-2:] == ["vaecourse", "doctor"]
    assert tests[-3:] == ["--ignore", "tests/browser", "tests"] and tests[tests.index("-m", 2) + 1] == "not pinned"
    assert commands[-1][1]["OMP_NUM_THREADS"] == "1"


def test_a_wheel_for_cpus_where_pip_looks_is_taken_and_an_index_that_is_named(told, monkeypatch, tmp_path):
    commands, settings, _ = told
    for version in ("2.9.0", "2.13.0"):
        (tmp_path / f"torch-{version}+cpu-{CPU}-{CPU}-manylinux_2_28_x86_64.whl").touch()
    settings += [f":env:.find-links='{tmp_path}'\n", "user.index-url='https://mirror/'\n"]
    call(monkeypatch, "lowest", "-x", "tests/labs")
    words, environment, bound = commands[2]
    assert environment["UV_FIND_LINKS"] == str(tmp_path) and environment["UV_INDEX_URL"] == "https://mirror/"
    assert bound == "torch==2.13.0+cpu\n" and commands[-1][0][-2:] == ["-x", "tests/labs"]
    call(monkeypatch, "lowest", "--torch", "cpu")
    words, _, bound = commands[-4]
    assert words[words.index("--torch-backend") + 1] == "cpu" and bound == ""


@pytest.mark.parametrize("step", ["venv", "--resolution", "doctor", "pytest"])
def test_a_step_that_fails_is_the_end_and_a_sentence(step, told, monkeypatch, capsys):
    commands, _, broken = told
    broken.append(step)
    assert call(monkeypatch, "newest") == 1
    assert step in commands[-1][0] and "extremes: this failed: " in capsys.readouterr().err
