"""Every command of the course ends with a sentence: after Ctrl-C, on a full disk, without a home folder."""

import ast
import errno
import importlib.util
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tools import browser, ending
from vaecourse import reproduce, train

ROOT = Path(__file__).parents[2]
COMMANDS = [
    path
    for folder in ("tools", "benchmarks")
    for path in sorted((ROOT / folder).glob("*.py"))
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8") and path.name != "bootstrap.py"  # which has its own
]


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_every_command_is_told_how_to_end(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and "__main__" in ast.unparse(node.test))
    mains = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main"]
    decorated = any(ast.unparse(one).startswith("ending.reports(") for main in mains for one in main.decorator_list)
    assert decorated or "ending.reports(" in ast.unparse(block)
    assert "exit" in ast.unparse(block).lower(), "the exit code is lost"


def stopped(folder, *command):
    """What a command says that gets a Ctrl-C while it imports torch."""
    (folder / "torch.py").write_text("import time\nprint('now', flush=True)\ntime.sleep(60)\n")
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "now\n"
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=60)[1]


@pytest.mark.skipif(os.name != "posix", reason="SIGINT")
@pytest.mark.parametrize("name", ["slides", "site"])
def test_a_command_is_stopped_while_it_imports(name, tmp_path):
    assert stopped(tmp_path, "-m", f"tools.{name}") == "stopped\n"


@pytest.mark.skipif(os.name != "posix", reason="a home folder by HOME")
@pytest.mark.parametrize("home", ["/proc/nobody", "/dev/null/home"])
def test_jupyterlab_without_a_home_says_what_to_do(home):
    words = ["--allow-root", "--no-browser", f"--port={browser.free_port()}", "chapters/00-start-here.ipynb"]
    command = [sys.executable, "-m", "tools.lab", *words]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "XDG"))}
    ended = subprocess.run(
        command, cwd=ROOT, env=environment | {"HOME": home}, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    last = ended.stderr.splitlines()[-1]
    assert last.startswith(f"lab: {home}") and last.endswith('HOME="$(mktemp -d)" before the command.')


def test_an_error_of_the_system_says_where_and_what_to_do(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    said = lambda number, path: ending.sentence(OSError(number, os.strerror(number), path))
    assert said(errno.ENOSPC, "/data/x") == "/data/x: No space left on device. " + ending.FULL
    assert said(errno.EACCES, "/home/me/.jupyter").endswith('HOME="$(mktemp -d)" before the command.')
    assert said(errno.EACCES, "/home/melon/x") == "/home/melon/x: Permission denied."
    assert ending.sentence(OSError("one of ours")) == "one of ours"
    assert ending.sentence(OSError(errno.ENOSPC, "one of ours, with its cure")) == "one of ours, with its cure"
    assert said(errno.ENOSPC, None) == "No space left on device. " + ending.FULL
    assert ending.sentence(ValueError("no")) == "no"


def test_no_text_of_the_course_advises_a_folder_that_somebody_else_may_have_made():
    texts = [path for folder in ("tools", "vaecourse", "docs") for path in (ROOT / folder).rglob("*.[pm][yd]")]
    for path in [*texts, *ROOT.glob("*.md")]:
        assert not re.search(r"(HOME|DIR)=[\"']?/tmp", path.read_text(encoding="utf-8")), path


VARIABLES = ("HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder that is ours alone, and nothing else is named."""
    for name in (*VARIABLES, "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir(mode=0o755)
    return tmp_path / "home"


@pytest.mark.skipif(os.name != "posix", reason="users and rights")
def test_a_home_of_ones_own_is_one_to_start_kernels_in(home, monkeypatch):
    ending.refuse_a_shared_home()
    (home / ".ipython/profile_default").mkdir(parents=True)
    (home / ".ipython").chmod(0o775)  # its group is ours
    ending.refuse_a_shared_home()
    for nowhere in ("/proc/nobody", "/dev/null/home"):  # the server says what is the matter there
        monkeypatch.setenv("HOME", nowhere)
        ending.refuse_a_shared_home()


@pytest.mark.skipif(os.name != "posix", reason="users and rights")
@pytest.mark.parametrize("name", VARIABLES)
def test_a_folder_that_others_can_write_to_is_none_to_start_kernels_in(home, name, tmp_path, monkeypatch):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)  # like /tmp, where everybody can make what is not there yet
    for place in (tmp_path / "shared", tmp_path / "shared/new"):
        monkeypatch.setenv(name, str(place))
        with pytest.raises(ending.Refused) as said:
            ending.refuse_a_shared_home()
        assert str(said.value).startswith(f"Other users can write to {tmp_path / 'shared'}, and ")
        assert f'{name}="$(mktemp -d)" before the command' in str(said.value)
    (tmp_path / "shared/mine").mkdir(mode=0o700)
    monkeypatch.setenv(name, str(tmp_path / "shared/mine"))
    ending.refuse_a_shared_home()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize(
    "way", ["", ".ipython", ".ipython/profile_default/startup", ".jupyter", ".local/share/jupyter"]
)
def test_a_folder_of_somebody_elses_is_none_to_start_kernels_in(home, way):
    (home / way).mkdir(parents=True, exist_ok=True)
    os.chown(home / way, 65534, 65534)
    with pytest.raises(ending.Refused, match="belongs to nobody, and what lies there would run as you"):
        ending.refuse_a_shared_home()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give a link away")
def test_a_home_behind_somebody_elses_link_is_none_to_start_kernels_in(home, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(home)
    os.chown(tmp_path / "link", 65534, 65534, follow_symlinks=False)
    monkeypatch.setenv("HOME", str(tmp_path / "link"))
    with pytest.raises(ending.Refused, match="link belongs to nobody"):
        ending.refuse_a_shared_home()


def benchmark(name, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location(name, ROOT / f"benchmarks/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MEASURED = {
    **{
        name: lambda monkeypatch, name=name: first_run(reproduce.TABLES[name])
        for name in ("one_budget", "better_gradients", "infovae_map", "infovae", "hierarchical_digits")
    },
    "digits": lambda monkeypatch: benchmark("digits", monkeypatch).measure("elbo", 1, 0),
}


def first_run(table):
    row = next(iter(table.rows))
    return next(iter(table.measure(row, [0], reproduce.Scale("digits"), reproduce.Machinery(), Path("x"), False)))


@pytest.mark.parametrize("name", MEASURED)
def test_half_a_training_is_no_measurement(name, monkeypatch):
    """Training ends early and in order after Ctrl-C; what an experiment made of it would look like all of it."""
    monkeypatch.setattr(train, "fit", lambda *_, **__: SimpleNamespace(interrupted=True))  # infovae's calls it, too
    with pytest.raises(KeyboardInterrupt):
        MEASURED[name](monkeypatch)


@pytest.mark.skipif(os.name != "posix", reason="a limit on the size of files")
def test_an_experiment_that_cannot_write_ends_in_a_sentence(tmp_path):
    (tmp_path / "mine.json").write_text("mine")
    command = [sys.executable, "-m", "vaecourse", "reproduce", "one_budget", "--to", tmp_path / "mine.json"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2 and ended.stderr.startswith("error: ") and "Traceback" not in ended.stderr
    assert (tmp_path / "mine.json").read_text() == "mine"


@pytest.mark.skipif(os.name != "posix", reason="groups as POSIX has them")
def test_a_group_is_ours_alone_only_if_nobody_else_is_in_it(monkeypatch):
    import grp
    import pwd

    me = pwd.getpwuid(os.getuid())
    other = pwd.struct_passwd(("other", "x", 4000, 4001, "", "/", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwall", lambda: [me, other])
    monkeypatch.setattr(
        grp, "getgrgid", lambda number: grp.struct_group(("g", "x", number, ["third"] * (number == 4002)))
    )
    assert [ending._has_others(number) for number in (4000, 4001, 4002)] == [False, True, True]
