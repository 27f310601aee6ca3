"""Answers are run apart: nothing of ours is in their reach, and what one leaves behind is gone before the next."""

import os
import sys
import time
from pathlib import Path

import pytest

from vaecourse.classroom import apart, judging, worker
from vaecourse.classroom.notebooks import Answer

BOUND = "00.log_mean_exp"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="what only Linux can do")
RIGHT = "def log_mean_exp(log_w):\n    return log_w.logsumexp(1) - math.log(log_w.shape[1])\n"


@pytest.fixture(scope="module")
def judge():
    with judging.Judge(10.0) as one:
        yield one


@pytest.fixture(scope="module")
def hasty():
    with judging.Judge(1.0) as one:
        yield one


def said(judge, lines, name="log_mean_exp", before=""):
    return judge(BOUND, Answer(name, lines if isinstance(lines, str) else "\n".join(lines), before))


def seen(judge, expression, setting="import os"):
    """What an answer sees: the words of an error come back in the message."""
    return said(judge, [setting, "def log_mean_exp(log_w):", f"    raise ValueError({expression})"]).message


@pytest.mark.parametrize(
    "source, before, state, told",
    [
        (RIGHT, "import math", "solved", "It survives -800"),
        ("import math\n" + RIGHT, "", "solved", "It survives -800"),
        (RIGHT, "", "wrong", "nothing is called `math` here"),
        (RIGHT, "raise SystemExit\nimport math\n1 / 0\n", "solved", "It survives -800"),
        ("import math\n" + RIGHT + "1 / 0", "", "solved", "It survives -800"),
        ("1 / 0\n" + RIGHT, "import math", "stopped", "stops before `log_mean_exp` is there (ZeroDivisionError:"),
        ("%timeit f(x)\nimport math\n" + RIGHT + "log_mean_exp?", "", "solved", "It survives -800"),
        ("def log_mean_exp(log_w):\n    return log_w.logsumexp(1)", "", "mistake", "so subtract log K"),
        ("def log_mean_exp(log_w):\n    return None", "", "empty", "Not solved yet"),
        ("def log_mean_exp(log_w):\n    return None\n    return 1", "", "empty", "the line `return None` ends"),
        ("log_mean_exp = 3", "", "wrong", "asks for a function"),
        ("bound = 3", "", "wrong", "makes no `log_mean_exp`"),
        ("def log_mean_exp(:", "", "wrong", "The cell is no Python: line 1, invalid syntax"),
        ("x = '\0'", "", "wrong", "The cell is no Python"),
        ("(" * 5000, "", "wrong", "The cell is no Python"),
        ("import torch\ntorch.zeros = None\n" + RIGHT, "import math", "solved", "It survives -800"),
    ],
)
def test_an_answer_is_judged_as_in_a_notebook(judge, source, before, state, told):
    found = said(judge, source, before=before)
    assert (found.state, told in found.message) == (state, True), found


def test_what_one_answer_changes_the_next_does_not_see(judge):
    said(judge, "import torch, math\nfrom vaecourse.checks import frame\nframe.Check.__call__ = None\nmath.log = abs")
    assert said(judge, "import math\n" + RIGHT).state == "solved"


@LINUX
def test_nothing_of_ours_is_in_its_reach(judge, monkeypatch, tmp_path):
    monkeypatch.setenv("SECRET", "of the teacher")
    with judging.Judge(5.0) as fresh:
        environment = seen(fresh, "sorted(os.environ)")
        assert "HOME" in environment and "SECRET" not in environment and "PATH'" not in environment
        assert seen(fresh, "(os.getcwd() == os.environ['HOME'], os.listdir())").endswith("(True, []).")
        assert "['0', '1', '2', '3', '4']" in seen(fresh, "sorted(os.listdir('/proc/self/fd'))")  # the 4 is its own
        assert seen(fresh, "repr(sys.stdin.read())", "import sys").endswith("''.")
        assert seen(fresh, "sys.path[0]", "import sys").count(os.getcwd()) == 0 or "vaecourse" in os.listdir()


@LINUX
@pytest.mark.parametrize(
    "does, told",
    [
        ("os.fork()", "PermissionError|Resource temporarily"),
        ("subprocess.run(['true'])", "PermissionError|Resource temporarily"),
        ("os.execv('/bin/true', ['true'])", "PermissionError"),
        ("socket.create_connection(('127.0.0.1', 9))", "PermissionError"),
        ("os.kill(os.getppid(), 9)", "PermissionError"),
        ("open({trap!r}, 'w')", "PermissionError"),
        ("os.remove({trap!r} + '0')", "PermissionError"),
        ("os.mkdir({trap!r})", "PermissionError"),
        ("open('long', 'wb').write(bytes(10**8))", "File too large"),
        ("files = [open(str(number), 'w') for number in range(99)]", "Too many open files"),
        ("bytearray(2 * 10**9)", "MemoryError"),
        ("torch.ones(2 * 10**9)", "can't allocate memory"),
        ("resource.setrlimit(resource.RLIMIT_AS, (-1, -1))", "ValueError|PermissionError|not allowed"),
        ("os.truncate({trap!r} + '0', 0)", "PermissionError"),
        ("os.open({trap!r} + '0', os.O_RDONLY | os.O_TRUNC)", "PermissionError"),
        ("os.open({trap!r} + '0', 3 | os.O_TRUNC)", "PermissionError"),
        ("os.chmod({trap!r} + '0', 0o777)", "PermissionError"),
        ("os.fchmod(os.open({trap!r} + '0', 0), 0)", "PermissionError"),
        ("os.utime({trap!r} + '0', (5, 5))", "PermissionError"),
        ("os.setxattr({trap!r} + '0', 'user.x', b'1')", "PermissionError"),
        ("ask('sigqueue', os.getppid(), 0, None)", "PermissionError"),
        ("fcntl.fcntl(os.pipe()[0], 8, os.getppid())", "PermissionError"),
        ("fcntl.ioctl(0, 0x5412, b'x')", "PermissionError"),
        ("resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (0, 0))", "PermissionError"),
        ("os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)", "PermissionError"),
        ("os.sched_setaffinity(os.getppid(), {{0}})", "PermissionError"),
        ("ask('shmget', 1234, 4096, 0o1600)", "PermissionError"),
    ],
)
def test_the_system_refuses(judge, tmp_path, does, told):
    if not walls(judge) and told == "PermissionError":
        pytest.skip("this Linux has neither seccomp nor Landlock for us")
    trap = tmp_path / "trap0"
    trap.write_text("a thesis")
    trap.chmod(0o600)
    os.utime(trap, (10**9, 10**9))
    does = does.replace("{trap!r}", repr(str(tmp_path / "trap"))).replace("{{0}}", "{0}")
    found = said(judge, [*ASK, "def log_mean_exp(x):", "    " + does])
    assert found.state == "wrong" and any(word in found.message for word in told.split("|")), found
    assert os.listdir(tmp_path) == ["trap0"] and trap.read_text() == "a thesis"
    assert (trap.stat().st_mode & 0o777, trap.stat().st_mtime) == (0o600, 10**9)


ASK = [
    "import ctypes, fcntl, os, resource, socket, subprocess, torch",
    "def ask(name, *arguments):",
    "    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) < 0:",
    "        raise OSError(ctypes.get_errno(), 'refused')",
]


@LINUX
def test_what_an_answer_may_ask_it_gets(judge):
    """Threads, files of its own that it empties, pipes: whatever stands on the list of what is refused."""
    does = ["open('x', 'w').write('a')", "open('x', 'w').close()", "open('x', 'r+').truncate(3)", "os.mkdir('y')"]
    does += ["os.rename('x', 'z')", "os.set_inheritable(os.pipe()[0], True)", "open('/dev/null', 'w').isatty()"]
    does += ["threading.Thread(target=print).start()", "tempfile.TemporaryDirectory().cleanup()", "os.remove('z')"]
    does += ["torch.ones(300, 300) @ torch.ones(300, 300)", "resource.getrlimit(resource.RLIMIT_CPU)"]
    lines = [*ASK, "import tempfile, threading", *does, "import math"]
    assert said(judge, "\n".join(lines) + "\n" + RIGHT).state == "solved"


def walls(judge):
    return "1" in seen(judge, "[l for l in open('/proc/self/status') if 'NoNewPrivs' in l][0]")


@pytest.mark.parametrize(
    "source, told",
    [
        ("while True: pass", "No answer after 1 second"),
        (
            "def log_mean_exp(x):\n    while True:\n        try:\n            while 1: pass\n        except: pass",
            "No answer",
        ),
        ("import time\ndef log_mean_exp(x):\n    time.sleep(1000)", "No answer after 1 second"),
        ("import os\nos._exit(7)", "ended its process before there was a verdict (exit code 7)"),
        ("import ctypes\nctypes.string_at(0)", "ended its process before there was a verdict (signal 11)"),
    ],
)
def test_what_does_not_end_or_ends_too_much_is_stopped_and_the_next_is_judged(hasty, source, told):
    start = time.monotonic()
    found = said(hasty, source)
    assert found.state == "stopped" and told in found.message, found
    assert time.monotonic() - start < 60
    assert said(hasty, "import math\n" + RIGHT).state == "solved"


@LINUX
@pytest.mark.parametrize(
    "does, told",
    [
        ("for _ in range(3000): os.mkdir('a'); os.chdir('a')", "more than 1000 files or wrote more than 100 MB"),
        ("for n in range(10**6): open(str(n), 'wb').write(bytes(10**7))", "more than 1000 files or wrote more than"),
        ("for n in range(10**6): open(str(n), 'wb').close()", "more than 1000 files or wrote more than"),
        ("for _ in range(17): os.mkdir('a' * 250); os.chdir('a' * 250)", "more than 1000 files or wrote more than"),
        ("os.mkdir('a', 0); os.mkdir('b', 0o500); os.symlink({trap!r}, 'c'); 1 / 0", "ZeroDivisionError"),
        ("[os.write(n, b'[' * 90000 + bytes([10])) for n in (3,)]", "wrote by itself"),
    ],
)
def test_whatever_is_made_in_its_folder_is_ended_and_gone(hasty, tmp_path, does, told):
    """A folder a thousand deep stopped a whole class's report, and 10 MB a file filled the teacher's disk."""
    (tmp_path / "thesis").write_text("a thesis")
    found = said(hasty, "import os, time\n" + does.replace("{trap!r}", repr(str(tmp_path))) + "\ntime.sleep(9)\n")
    assert found.state == "stopped" and told in found.message, found
    process = hasty._process
    assert said(hasty, "import math\n" + RIGHT).state == "solved" and hasty._process is process
    assert list(Path(hasty._folder).glob("vaecourse-*")) == [] and os.listdir(tmp_path) == ["thesis"]


def test_a_folder_is_removed_whatever_is_in_it(tmp_path):
    (tmp_path / "thesis").write_text("a thesis")
    with apart.folder("vaecourse-test-") as made:
        inside = Path(made)
        for name in ("a/b/c/d", "a/b/e", "f"):
            (inside / name).mkdir(parents=True)
        (inside / "a/b/c/d/file").write_text("x")
        (inside / "a/b/file").write_text("x")
        if os.name == "posix":
            (inside / "a/link").symlink_to(tmp_path)
            (inside / "a/b/thesis").symlink_to(tmp_path / "thesis")
            for name in ("a/b/c/d", "a/b", "f"):
                (inside / name).chmod(0)
        assert not apart.has_too_much(made) or os.getuid() != 0
    assert not inside.exists() and (tmp_path / "thesis").read_text() == "a thesis"
    apart.remove(made)  # of what is not there any more, nothing


@LINUX
def test_the_time_is_that_of_the_processor(monkeypatch):
    """On a busy machine the clock runs on: a right answer is not stopped for it, and a loop all the same."""
    without(monkeypatch, "worker.PATIENCE = 100.0")
    with judging.Judge(1.0) as judge:
        monkeypatch.setattr(worker, "PATIENCE", 50.0)
        assert said(judge, "import time, math\ntime.sleep(4)\n" + RIGHT).state == "solved"
        start = time.monotonic()
        assert "No answer after 1 second" in said(judge, "while True: pass").message
        assert time.monotonic() - start < 40


# Where the walls are not: another Linux, another system --------------------------------------------------------------


def without(monkeypatch, *lines):
    """A worker of a system that lacks something."""
    begin = judging.BEGIN.replace("worker.main()", "; ".join([*lines, "worker.main()"]))
    monkeypatch.setattr(judging, "BEGIN", begin)


NO_WALLS = (
    "from vaecourse.classroom import limits",
    "limits._asks_for_little = lambda: False",
    "limits._writes_below = lambda _: False",
)


@LINUX
def test_a_bomb_without_walls_is_ended_with_all_it_has_made(monkeypatch, tmp_path):
    without(monkeypatch, *NO_WALLS)
    bomb = ["import os, time", "def log_mean_exp(x):", "    for _ in range(4):"]
    bomb += ["        if os.fork() == 0: os.setsid()"]
    mark = f"b18-{os.getpid()}"
    bomb += [f"    open('/proc/self/comm', 'w').write('{mark[:15]}')", "    time.sleep(1000)"]
    with judging.Judge(1.0) as judge:
        assert said(judge, bomb).state == "stopped"
        left = [path for path in os.listdir("/proc") if path.isdigit() and comm(path) == mark[:15]]
        assert left == []
        assert said(judge, "import math\n" + RIGHT).state == "solved"


def comm(process):
    try:
        with open(f"/proc/{process}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""


@LINUX
def test_a_judge_that_an_answer_ends_is_begun_anew(monkeypatch):
    without(monkeypatch, *NO_WALLS)
    with judging.Judge(2.0) as judge:
        found = said(judge, "import os\nos.kill(os.getppid(), 9)\nimport time; time.sleep(100)")
        assert found.state == "stopped" and "ended the process in which it was run" in found.message
        assert said(judge, "import math\n" + RIGHT).state == "solved"


@LINUX
def test_a_verdict_with_half_a_character_can_be_written(monkeypatch):
    forged = '{"state": "mistake", "message": "\\ud800\\n", "mistake": "\\udfff"}'
    assert judging._verdict(forged.encode()) == judging.Judged("mistake", "\\ud800\\n", "\\udfff")
    assert judging._verdict(b'{"state": "right", "message": "", "mistake": null}') is None
    assert judging._verdict(b'{"state": "solved", "message": 1, "mistake": null}') is None


def test_a_system_without_fork_judges_too(monkeypatch):
    without(monkeypatch, "worker.FORKS = False")
    monkeypatch.setattr(worker, "FORKS", False)
    monkeypatch.setattr(worker, "PATIENCE", 0.1)
    with judging.Judge(30.0) as judge:
        assert said(judge, "import math\n" + RIGHT).state == "solved"
        assert said(judge, "import os\nos._exit(0)").state == "stopped"
        assert said(judge, "import math\n" + RIGHT).state == "solved"
        found = said(judge, "while True: pass")
        assert found.state == "stopped" and "No verdict came" in found.message
        process = judge._process
        judge.next_person()
        assert process is None and judge._process is None


@pytest.mark.parametrize("begin", ["raise ImportError('no torch')", "print(1)", "pass"])
def test_where_no_answer_can_be_run_that_is_told_and_nobody_is_called_wrong(monkeypatch, begin):
    monkeypatch.setattr(judging, "BEGIN", begin)
    told = "ImportError: no torch" if "torch" in begin else "cannot begin, and no report was written"
    with judging.Judge(5.0) as judge, pytest.raises(judging.CannotRun, match=told):
        said(judge, RIGHT)


def test_a_python_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with judging.Judge(5.0) as judge, pytest.raises(judging.CannotRun, match="cannot begin.*No such file"):
        said(judge, RIGHT)


def test_nothing_is_imported_from_the_folder_of_the_hand_ins(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise SystemExit('taken over')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with judging.Judge(5.0, tmp_path) as judge:
        assert said(judge, "import math\n" + RIGHT).state == "solved"
