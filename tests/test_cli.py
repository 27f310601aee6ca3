"""The command line: what it does, and that an error is a sentence with exit code 2; the doctor on sick machines."""

import ast
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from vaecourse import checkpoint, cures, data, doctor, evaluate, requirements, train
from vaecourse.__main__ import app
from vaecourse.models import VAE

LEAST = {name: least for name, least, extra in map(requirements.parse, requirements.of_the_course()) if extra is None}


def call(*words):
    """Run the command line in this process; return exit code, output and error output."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A checkpoint made by the command line, and what was said."""
    file = tmp_path_factory.mktemp("cli") / "digits.safetensors"
    words = ["train", "digits", "--objective", "ciwae", "--beta", 0.25, "--M", 2, "--K", 3, "--epochs", 2, "--seed", 4]
    words += ["--limit", 150, "--device", "cpu", "--checkpoint", file]
    return file, words, call(*words)


def test_train_says_the_bound_and_what_comes_next(trained):
    file, _, (code, said, bar) = trained
    assert code == 0 and "2 epochs, train bound -" in said and "ciwae(beta=0.25) on 150 test images: -" in said
    assert f"python -m vaecourse evaluate {file} --data digits" in said and "4/4" in bar and "nats" in bar


def test_train_is_fit_with_the_same_words(trained):
    file, _, _ = trained
    images = data.digits()
    images = images._replace(train=images.train[:150])
    model = train.untrained(images, seed=4)
    row = train.objectives.get("ciwae", beta=0.25)
    train.fit(model, images, row, 2, 3, 2, seed=4, progress=False, device="cpu")
    for one, other in zip(model.parameters(), train.load(file).parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_same_line_again_goes_on(trained):
    file, words, _ = trained
    words = [3 if before == "--epochs" else word for before, word in zip([None, *words], words, strict=False)]
    code, said, _ = call(*words)
    assert code == 0 and "3 epochs" in said
    code, _, error = call(*words, "--seed", 5)
    assert code == 2 and "belongs to another run: seed was 4 and is now 5" in error and "Traceback" not in error


def test_evaluate_says_log_p(trained):
    file = trained[0]
    code, said, _ = call("evaluate", file, "--K", 200, "--limit", 30, "--device", "cpu")
    assert code == 0
    value, error = map(float, re.search(r"log p\(x\), K = 200: (-[\d.]+) ± ([\d.]+) nats, mean over 30", said).groups())
    noise = torch.Generator().manual_seed(0)  # that of --seed 0
    again = evaluate.log_likelihood(train.load(file), data.digits().binary_test()[:30], 200, noise)
    assert abs(value - again.mean()) < 0.006 and abs(error - again.std() / 30**0.5) < 0.006  # but for the rounding
    assert re.search(r"ELBO: -\d+.*active units: \d+ of 10.*mutual information", said, re.S)


def test_without_a_checkpoint_it_is_said(tmp_path):
    code, said, _ = call("train", "--epochs", 1, "--limit", 20, "--objective", "vr_iwae", "--alpha", 0.5)
    assert code == 0 and "Nothing was kept: --checkpoint FILE" in said


@pytest.mark.parametrize(
    "words, said",
    [
        (["train", "minst"], "name must be one of digits, mnist, fashion-mnist, got 'minst'. Did you mean 'mnist'"),
        (["train", "--objective", "iwea"], "objective must be one of .*'iwea'. Did you mean 'iwae'"),
        (["train", "--objective", "ciwae", "--beta", 2], r"beta must lie in \[0, 1\], got 2"),
        (["train", "--beta", 0.5], "objective 'iwae' takes no parameters, got beta"),
        (["train", "--objective", "vr_iwae", "--alpha", -1], r"alpha must lie in \[0, 1\], got -1"),
        (["train", "--K", 0], "K must be at least 1, got 0"),
        (["train", "--M", 0], "M must be at least 1, got 0"),
        (["train", "--K", "many"], "'--K'.*valid integer"),
        (["train", "--epochs", 0], "epochs must be at least 1, got 0"),
        (["train", "--limit", 0], "limit must be at least 1, got 0"),
        (["train", "--seed", -1], "seed must be at least 0, got -1"),
        (["train", "--device", "abacus"], "device must be one of cuda, mps, cpu, got 'abacus'"),
        (["train", "--batch-size", 0], "batch_size must be at least 1, got 0"),
        (["train", "--learning-rate", 0], "learning_rate must lie in .*, got 0"),
        (["train", "--checkpoint", "."], "checkpoint must name a file, got the folder"),
        (["evaluate", "nowhere"], "checkpoint must name a file that is there, got nowhere"),
        (["evaluate", __file__], "test_cli.py is not a checkpoint, or is a damaged one"),
        (
            ["progress", "nowhere"],
            "folder must have a learner's notebooks or progress.json in it, and nowhere has neither",
        ),
        (["progress", __file__], "folder must have a learner's notebooks.*test_cli.py has neither"),
        (["hand-in", "nowhere", "--name", "Ada"], "folder must have a learner's notebooks.*nowhere has neither"),
        (["hand-in", "chapters", "--name", " "], "name must have 1 to 100 letters, got 0"),
        (["hand-in", "chapters", "--name", "x" * 101], "name must have 1 to 100 letters, got 101"),
        (["hand-in", "chapters", "--name", "Ada", "--to", __file__], "test_cli.py is not a hand-in of this course"),
        (["class", "nowhere"], "folder must be one with hand-ins, and nowhere is no folder"),
        (["class", __file__], "test_cli.py is no folder"),
        (["class"], "Missing argument"),
        (["class", "chapters", "--seconds", 0], "Invalid value for '--seconds'"),
        (["conjure"], "conjure"),
    ],
)
def test_an_error_is_a_sentence_and_exit_code_2(words, said):
    code, _, error = call(*words)
    plain = re.sub(r"\s+", " ", error)
    assert code == 2 and re.search(said, plain), error
    assert "Traceback" not in error


def test_evaluate_refuses_a_bad_K_and_other_data(trained, tmp_path):
    code, _, error = call("evaluate", trained[0], "--K", 0)
    assert code == 2 and "K must be at least 1, got 0" in error
    big = tmp_path / "big"
    train.fit(VAE(9, 2, hidden=(4,)), torch.rand(5, 9), "elbo", 1, 1, 1, progress=False, checkpoint=big, device="cpu")
    code, _, error = call("evaluate", big)
    assert code == 2 and "must have images of 9 pixels" in error and "name the data with --data" in error


def test_offline_without_the_data_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.delenv(data.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(data.places, "DEBIAN", tmp_path)
    monkeypatch.setattr(data.places, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(data.sources, "MNIST", data.sources.MNIST._replace(mirrors=("http://127.0.0.1:9/",)))
    code, _, error = call("train", "mnist")
    assert code == 2 and "VAECOURSE_DATA" in error and "digits, which need no network" in error


def test_ctrl_c_says_how_far_it_came(monkeypatch, tmp_path):
    def press(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(train.steps, "step", press)
    code, said, _ = call("train", "--checkpoint", tmp_path / "file", "--device", "cpu")
    assert code == 130 and "0 epochs, interrupted" in said


@pytest.mark.parametrize("command", ["progress", "hand-in", "class"])
def test_the_help_of_a_command_for_learners_and_teachers_needs_no_torch(command):
    line = "import sys; from vaecourse.__main__ import app\n"
    line += "try: app([sys.argv[1], '--help'])\nfinally: print('torch' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", line, command], capture_output=True, text=True)
    assert ended.returncode == 0 and ended.stdout.endswith("False\n") and "Usage" in ended.stdout, ended.stderr


def test_progress_says_what_is_solved_and_what_is_wrong_with_the_file(tmp_path, monkeypatch):
    from vaecourse import progress as kept

    monkeypatch.chdir(tmp_path)
    kept.tried("03.iwae_bound", True)
    code, said, _ = call("progress")
    assert code == 0 and re.search(r"^03 +1 of \d+ ", said, flags=re.MULTILINE) and "Go on with exercise" in said
    (tmp_path / "progress.json").write_text("{}")
    code, _, error = call("progress", tmp_path)
    assert code == 2 and "is not what the course notes there, and is not read" in error


def test_a_terminal_without_ticks_gets_letters(tmp_path, monkeypatch):
    from vaecourse import progress as kept

    monkeypatch.chdir(tmp_path)
    kept.tried("03.iwae_bound", True)
    command = [sys.executable, "-m", "vaecourse", "progress", tmp_path]
    ended = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert ended.returncode == 0 and b"x solved, ~ tried, . untouched" in ended.stdout and b" x . . ." in ended.stdout


def test_the_module_runs_as_a_command():
    ended = subprocess.run([sys.executable, "-m", "vaecourse", "train", "--help"], capture_output=True, text=True)
    assert ended.returncode == 0 and "--learning-rate" in ended.stdout


@pytest.mark.parametrize(
    "words, found", [(["train"], None), (["train"], "0.12.5"), (["doctor"], None), (["doctor"], "0.12.5")]
)
def test_a_machine_whose_command_line_cannot_start_gets_the_doctor(words, found):
    """Without typer, or with one that is too old, what starts is the doctor, and it names the package."""
    program = f"""
import runpy, sys
from importlib import metadata
sys.modules["typer"] = None
sys.argv = ["vaecourse", *{words}]
real, found = metadata.version, {found!r}
def version(name):
    if name != "typer":
        return real(name)
    if found is None:
        raise metadata.PackageNotFoundError(name)
    return found
metadata.version = version
runpy.run_module("vaecourse", run_name="__main__")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr, ended.stderr
    assert f"WRONG  typer: {found or 'not installed'}, {LEAST['typer']} or newer is needed" in ended.stdout
    assert f'"typer>={LEAST["typer"]}"' in ended.stdout and "must be mended before the course runs" in ended.stdout


# The doctor


def findings(look):
    return {finding.what: finding for finding in look()}


def wrong(look):
    return [finding for finding in look() if finding.mend is not None]


def test_the_doctor_of_this_machine_finds_what_the_tests_need():
    for look in (doctor.python, doctor.packages, doctor.versions, doctor.torch, doctor.jupyter, doctor.images):
        for finding in look():
            assert finding.mend is None or not finding.needed, str(finding)


def test_it_finds_an_old_python_and_one_of_32_bits(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    found = findings(doctor.python)["Python"]
    assert found.needed and "3.9.1" in found.detail and "install Python 3.11 or newer" in found.mend
    monkeypatch.undo()
    monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
    found = findings(doctor.python)["Python"]
    assert found.needed and "built for 32 bits" in found.detail and "install the 64-bit Python" in found.mend


FIRST_READ = [cures.ROOT / "vaecourse" / name for name in ("__init__.py", "__main__.py")]

# What Python 2.7 and 3.0 have: no f-string, `nonlocal` or `async`, no star outside a call. Annotations: see below.
OLD_WORDS = (
    *(ast.Module, ast.Expr, ast.Assign, ast.If, ast.FunctionDef, ast.Return, ast.Raise, ast.Import, ast.ImportFrom),
    *(ast.alias, ast.arguments, ast.arg, ast.Call, ast.Attribute, ast.Subscript, ast.Name, ast.Constant, ast.Tuple),
    *(ast.List, ast.keyword, ast.Compare, ast.BoolOp, ast.BinOp, ast.Slice, ast.expr_context, ast.operator),
    *(ast.boolop, ast.cmpop),
)


def newer_words(text: str) -> list[str]:
    """What of a file Python 2.7 or 3.0 would not understand."""
    found = [] if text.isascii() else ["letters beyond ASCII"]
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, OLD_WORDS):
            found.append(type(node).__name__)
        elif isinstance(node, ast.FunctionDef) and (node.returns or node.args.kwonlyargs or node.args.posonlyargs):
            found.append("the signature of a function")
        elif isinstance(node, ast.arg) and node.annotation or isinstance(node, ast.Raise) and node.cause:
            found.append("an annotation, or a cause")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            found.append("print")
        elif isinstance(node, ast.ImportFrom) and node.module == "__future__":
            found.append("__future__")
    return found


@pytest.mark.parametrize("file", FIRST_READ, ids=lambda path: path.name)
def test_every_python_can_read_what_says_that_it_is_too_old(file):
    text = file.read_text(encoding="utf-8")
    assert newer_words(text) == []
    for minor in range(4, 12):
        ast.parse(text, feature_version=(3, minor))


@pytest.mark.parametrize(
    "line", ["x: int = 1", "def f(*, a): pass", "f'{x}'", "print('é')", "(x := 1)", "def f() -> int: return 1", "[*x]"]
)
def test_a_line_that_an_old_python_cannot_read_is_seen(line):
    assert newer_words(line)


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7", "3.8", "3.9", "3.10"])
def test_a_real_old_python_gets_one_sentence(version, tmp_path):
    places = [*Path.home().glob(f".pyenv/versions/{version}.*/bin/python"), f"python{version}"]
    python = next(filter(None, map(shutil.which, places)), None)
    if python is None:
        pytest.skip(f"there is no Python {version} on this machine")
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [python, "-m", "vaecourse", "doctor"]
    ended = subprocess.run(
        command, capture_output=True, text=True, cwd=cures.ROOT, env=environment, timeout=60, stdin=subprocess.DEVNULL
    )
    assert (ended.returncode, ended.stderr) == (1, ""), ended.stderr
    (said,) = ended.stdout.splitlines()
    assert f"needs Python 3.11 or newer, and {python} is {version}: " in said and "make lab PYTHON=python3.11" in said


def test_an_old_python_is_told_even_where_there_is_none_here(tmp_path):
    """The Python that runs this says that it is an old one."""
    old = "import sys, runpy; sys.version_info = (3, 4, 1); sys.argv = ['vaecourse', 'doctor']; "
    program = old + "runpy.run_module('vaecourse', run_name='__main__')"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=cures.ROOT)
    assert ended.returncode == 1 and f"{sys.executable} is 3.4: install a newer one" in ended.stdout, ended.stderr
    assert ended.stdout.count("\n") == 1


def test_it_finds_another_environment_and_none(monkeypatch, tmp_path):
    monkeypatch.setattr(cures, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    found = findings(doctor.python)["environment"]
    assert not found.needed and "none of its own" in found.detail and found.mend == "make lab, which makes .venv"
    (tmp_path / ".venv").mkdir()
    found = findings(doctor.python)["environment"]
    assert "not the one that `make lab` made" in found.detail
    assert found.mend == f"{tmp_path}/.venv/bin/python -m vaecourse doctor"
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    assert findings(doctor.python)["environment"].mend is None


@pytest.fixture
def without(monkeypatch):
    """Let packages be missing, or be of another version."""
    real = metadata.version

    def plant(**planted):
        def version(name):
            if planted.get(key := name.replace("-", "_"), real) is None:
                raise metadata.PackageNotFoundError(name)
            return planted.get(key) or real(name)

        monkeypatch.setattr(metadata, "version", version)

    return plant


def test_it_finds_what_is_missing_and_what_is_old(without):
    without(anywidget=None, playwright=None, torch="2.3.1+cpu")
    found = findings(doctor.packages)
    assert str(found["anywidget"]).startswith("WRONG") and '"anywidget>=' in found["anywidget"].mend
    assert f"-m pip install --constraint {cures.ROOT}/constraints.txt" in found["anywidget"].mend
    assert f"2.3.1+cpu, {LEAST['torch']} or newer is needed" in found["torch"].detail and found["torch"].needed
    assert str(found["playwright"]).startswith("note") and "needed by the tests" in found["playwright"].detail
    assert str(found["jupyterlab"]).startswith("ok") and "vaecourse" not in found


@pytest.mark.parametrize("name", LEAST)
def test_it_knows_every_bound_of_pyproject(name, without):
    """The bounds are those of the installed metadata: one below is told in a sentence, the bound itself is fine."""
    numbers = [*map(int, LEAST[name].split("."))]
    last = max(place for place, number in enumerate(numbers) if number)
    below = ".".join(map(str, [*numbers[:last], numbers[last] - 1, 99]))
    without(**{name.replace("-", "_"): below})
    found = findings(doctor.packages)[name]
    assert found.needed and found.detail == f"{below}, {LEAST[name]} or newer is needed"
    assert found.mend.endswith(f'"{name}>={LEAST[name]}"') and doctor.unmet(name)
    without(**{name.replace("-", "_"): LEAST[name]})
    assert findings(doctor.packages)[name].mend is None and not doctor.unmet(name)


def test_the_bounds_are_of_the_kind_that_doctor_reads():
    lists = tomllib.loads((cures.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for line in [*lists["dependencies"], *sum(lists["optional-dependencies"].values(), [])]:
        assert re.fullmatch(r"[\w-]+>=[\d.]+|vaecourse\[[\w,-]+\]", line), f"requirements.parse does not know {line}"


def test_what_a_build_left_behind_is_not_what_is_asked_for(tmp_path):
    """`pip wheel .` leaves an .egg-info in the folder, and a Python started there finds it first."""
    left = tmp_path / "vaecourse.egg-info"
    left.mkdir()
    (left / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: vaecourse\nVersion: 0\nRequires-Dist: numpy>=99\n")
    code = "from vaecourse import requirements; print(requirements.of_the_course())"
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True).stdout
    assert "numpy>=" in said and "numpy>=99" not in said


def test_what_make_lab_does_not_install_is_no_fault(without):
    """Site, slides and tests have packages of their own: a learner's machine is well without them."""
    without(sphinx=None, voila=None, jupytext=None, codespell=None, myst_nb=None)
    found = findings(doctor.packages)
    for name, use in {"sphinx": "`make book`", "voila": "`make present`", "jupytext": "the tests"}.items():
        assert str(found[name]).startswith("note") and f"is needed by {use}" in found[name].detail
    assert not any(finding.needed for finding in wrong(doctor.packages))


def test_without_torch_it_goes_on(without):
    without(torch=None)
    assert findings(doctor.packages)["torch"].needed and wrong(doctor.torch) == [] and list(doctor.images()) == []


def test_it_finds_widgets_that_do_not_fit_each_other(without):
    without(jupyterlab_widgets="1.1.11")
    (found,) = wrong(doctor.versions)
    assert found.needed and found.what == "ipywidgets" and "found 1.1.11" in found.detail
    assert re.search(r'pip install .*"jupyterlab[_-]widgets~=3\.', found.mend)
    without(jupyterlab_widgets=None)
    assert "found none" in wrong(doctor.versions)[0].detail
    without()
    assert [finding.detail for finding in doctor.versions()] == ["the packages fit each other"]


@pytest.mark.parametrize(
    "cuda, card, said, mend",
    [
        ("12.6", None, "no NVIDIA GPU is here", "make clean, then: make lab TORCH=cpu"),
        ("12.6", "/usr/bin/nvidia-smi", "the driver of the GPU here does not serve", "update the driver"),
        (None, "/usr/bin/nvidia-smi", "torch is built without CUDA", "make lab TORCH=cu126"),
        (None, None, None, None),
    ],
)
def test_it_finds_a_torch_that_does_not_go_with_the_gpu(monkeypatch, cuda, card, said, mend):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: card)
    found = findings(doctor.torch)
    assert found["device"].mend is None
    if said is None:
        assert "CUDA" not in found
    else:
        assert not found["CUDA"].needed and said in found["CUDA"].detail and mend in found["CUDA"].mend


def test_it_finds_that_the_package_is_not_installed(monkeypatch):
    monkeypatch.setattr(metadata, "distributions", lambda name: [])
    found = findings(doctor.packages)["vaecourse"]
    assert found.needed and found.mend.endswith(f"--editable {cures.ROOT}")


def test_it_finds_a_jupyterlab_without_its_parts(monkeypatch, tmp_path):
    import jupyter_core.paths

    monkeypatch.setattr(jupyter_core.paths, "jupyter_path", lambda *_: [str(tmp_path)])
    found = findings(doctor.jupyter)
    assert "--force-reinstall --no-deps ipywidgets jupyterlab_widgets" in found["ipywidgets in JupyterLab"].mend


def test_it_finds_an_older_widget_in_the_users_folder(monkeypatch, tmp_path):
    import jupyter_core.paths

    real = jupyter_core.paths.jupyter_path
    (tmp_path / "anywidget").mkdir()
    (tmp_path / "anywidget" / "package.json").write_text('{"version": "0.1.2"}')
    monkeypatch.setattr(jupyter_core.paths, "jupyter_path", lambda *words: [str(tmp_path), *real(*words)])
    found = findings(doctor.jupyter)["anywidget in JupyterLab"]
    assert found.needed and f"version 0.1.2 at {tmp_path}/anywidget hides" in found.detail
    assert "JUPYTER_PREFER_ENV_PATH=1" in found.mend
    (tmp_path / "anywidget" / "package.json").write_text(json.dumps({"version": metadata.version("anywidget")}))
    assert findings(doctor.jupyter)["anywidget in JupyterLab"].mend is None


def test_it_finds_the_kernel_of_another_environment(monkeypatch, tmp_path):
    """A second environment made from the same Python has the same binary behind its link."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    twin = tmp_path / "bin" / "python"
    twin.parent.mkdir()
    twin.symlink_to(os.path.realpath(sys.executable))
    for starts in ("/bin/sh", str(twin), str(tmp_path / "gone")):
        other = type("Spec", (), {"argv": [starts]})
        monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", lambda *_, other=other: other)
        found = findings(doctor.jupyter)["kernel python3"]
        assert found.needed and found.detail == f"starts {starts}"
        assert found.mend == f"{sys.executable} -m ipykernel install --sys-prefix --name python3"
    for starts in ("python", "python3.11", sys.executable):
        other = type("Spec", (), {"argv": [starts]})
        monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", lambda *_, other=other: other)
        assert findings(doctor.jupyter)["kernel python3"].mend is None

    def none(*_):
        raise NoSuchKernel("python3")

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", none)
    assert findings(doctor.jupyter)["kernel python3"].detail == "there is none"


@pytest.fixture
def no_writing(monkeypatch):
    """Folders that may be read only; root may write where the mode says no."""
    monkeypatch.setattr(doctor.os, "access", lambda place, mode: False)


def test_it_finds_folders_that_cannot_be_written(no_writing, monkeypatch, tmp_path):
    (tmp_path / "chapters").mkdir()
    monkeypatch.chdir(tmp_path)
    (found,) = wrong(doctor.chapters)
    assert found.needed and "no answer would be saved" in found.detail and f"chmod -R u+w {tmp_path}" in found.mend
    found = findings(doctor.jupyter)["Jupyter's own folder"]
    assert found.needed and "cannot be written" in found.detail and "JUPYTER_RUNTIME_DIR" in found.mend
    for found in doctor.disk():
        assert "cannot be written" in found.detail and "chmod u+w" in found.mend and "XDG_CACHE_HOME" in found.mend


def test_it_finds_a_chapter_without_its_twin_and_a_broken_one(monkeypatch, tmp_path):
    (tmp_path / "chapters").mkdir()
    for name in ("01-elbo.py", "01-elbo.ipynb", "02-importance-sampling.py"):
        (tmp_path / "chapters" / name).write_text('{"cells": []}')
    monkeypatch.chdir(tmp_path)
    (found,) = doctor.chapters()
    assert "02-importance-sampling" in found.detail and "make chapters CHAPTER='02'" == found.mend
    half = tmp_path / "chapters" / "02-importance-sampling.ipynb"
    half.write_text('{"cells": [')
    found = findings(doctor.chapters)
    assert found["chapters"].mend is None and "no whole notebook" in found[half.name].detail
    away = half.with_suffix(".broken")
    assert f"mv {half} {away}, then: git -C {half.parent} checkout -- {half.name}" == found[half.name].mend
    away.write_text("an earlier one")  # which the command must not replace
    assert f"mv {half} {away}-2, then: " in findings(doctor.chapters)[half.name].mend
    half.write_text('{"cells": []}')
    assert wrong(doctor.chapters) == []


@pytest.mark.parametrize(
    "system, commands",
    [
        ("linux", ["apt-get install chromium (Debian", "apt-get install npm", "apt-get install make"]),
        ("darwin", ["brew install chromium", "brew install node", "brew install git"]),
        ("win32", ["apt-get install chromium (inside WSL)", "apt-get install npm (inside WSL)"]),
    ],
)
def test_it_finds_a_machine_without_the_programs(monkeypatch, system, commands):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor.sys, "platform", system)
    found = findings(doctor.programs)
    assert found.keys() == {"make", "git", "chromium", "npm"} and not any(one.needed for one in found.values())
    said = " ".join(one.mend for one in found.values())
    assert all(command in said for command in commands)


def test_it_finds_a_python_that_cannot_make_environments(monkeypatch):
    real = doctor.util.find_spec
    monkeypatch.setattr(doctor.util, "find_spec", lambda name: None if name == "ensurepip" else real(name))
    found = findings(doctor.programs)["venv"]
    assert not found.needed and "install python3-venv" in found.mend


def test_it_finds_a_wrong_data_folder_and_damaged_data(monkeypatch, tmp_path):
    monkeypatch.setattr(data.places, "DEBIAN", tmp_path / "debian")
    monkeypatch.setattr(data.places, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setenv(data.FOLDER_VARIABLE, str(tmp_path / "nowhere"))
    found = findings(doctor.images)["VAECOURSE_DATA"]
    assert found.needed and "no folder" in found.detail and "unset VAECOURSE_DATA" in found.mend
    monkeypatch.delenv(data.FOLDER_VARIABLE)
    found = findings(doctor.images)
    assert found["VAECOURSE_DATA"].mend is None and found["digits"].mend is None
    assert not found["mnist"].needed and "0 of 4 files on this machine" in found["mnist"].detail
    (tmp_path / "cache" / "mnist").mkdir(parents=True)
    (tmp_path / "debian" / "fashion-mnist").mkdir(parents=True)
    first = next(iter(data.sources.MNIST.sums))
    (tmp_path / "cache" / "mnist" / first).write_bytes(b"half a file")
    (tmp_path / "debian" / "fashion-mnist" / first).write_bytes(b"half a file")
    cached, missing = [one for one in doctor.images() if one.what == "mnist"]  # one damaged file is seen at once
    assert "is the wrong file" in cached.detail and "1 of 4 files" in missing.detail
    assert cached.mend == f"rm {tmp_path}/cache/mnist/{first}, and it is fetched again"
    own = next(one for one in doctor.images() if one.what == "fashion-mnist")
    assert own.mend.startswith(f"mv {tmp_path}/debian") and "put the right file there" in own.mend


def test_it_finds_whole_data(monkeypatch, tmp_path):
    monkeypatch.setattr(data.places, "DEBIAN", tmp_path)
    monkeypatch.setenv(data.FOLDER_VARIABLE, str(tmp_path))
    sums = {f"file-{number}": data.Held(1, hashlib.sha256(bytes([number])).hexdigest()) for number in range(4)}
    for number, name in enumerate(sums):
        (tmp_path / name).write_bytes(bytes([number]))
    monkeypatch.setattr(data.sources, "MNIST", data.sources.MNIST._replace(sums=sums))
    assert findings(doctor.images)["mnist"].detail == f"four files in {tmp_path}, as they should be"


def test_it_finds_that_there_is_no_home(monkeypatch):
    """Where nobody knows a home, the looks that would need one stay away, and one sentence says why."""

    def homeless(*_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(doctor.Path, "home", homeless)
    found = findings(doctor.home)["HOME"]
    assert found.needed and "knows no home folder" in found.detail and found.mend.startswith("export HOME=FOLDER")
    monkeypatch.delenv(data.FOLDER_VARIABLE, raising=False)  # which would be a place for the images
    assert list(doctor.jupyter()) == list(doctor.images()) == []
    assert "disk of the data cache" not in findings(doctor.disk)


@pytest.mark.parametrize("home, needed", [("/proc", True), ("/nowhere at all", False)])
def test_it_finds_a_home_that_cannot_be_written(monkeypatch, home, needed):
    """/proc says that root may write there: other programs believe it. What is missing they see for themselves."""
    if needed and not os.access(home, os.W_OK):
        pytest.skip("/proc says that it cannot be written to, as to everybody who is not root")
    monkeypatch.setenv("HOME", home)
    found = findings(doctor.home)["HOME"]
    assert found.needed == needed and f"nothing can be written to {home}" in found.detail
    assert found.mend.startswith("export HOME=FOLDER")
    assert (list(doctor.jupyter()) == []) == needed


def test_without_a_home_the_command_line_says_a_sentence(monkeypatch):
    import pooch

    def homeless(_):
        raise RuntimeError("could not determine the home directory for '~/.cache'")

    monkeypatch.delenv(data.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(pooch, "os_cache", homeless)
    code, _, error = call("train", "mnist")
    assert code == 2 and "HOME must name a folder that you may write to" in error and "Traceback" not in error


@pytest.mark.parametrize("folder", ["~nobody-of-this-name/x", __file__, "/nowhere", "a\nb"])
def test_a_bad_data_folder_is_a_sentence_here_and_there(monkeypatch, folder):
    monkeypatch.setenv(data.FOLDER_VARIABLE, folder)
    (found,) = wrong(doctor.images)
    assert found.what == "VAECOURSE_DATA" and repr(folder) in found.detail and "--force-reinstall" not in found.mend
    code, _, error = call("train", "mnist")
    assert code == 2 and f"VAECOURSE_DATA must name a folder, got {folder!r}" in error


def test_it_finds_a_full_disk(monkeypatch):
    usage = doctor.shutil.disk_usage(Path.home())
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda place: usage._replace(free=10**8))
    assert all("0.1 GB free" in found.detail and "make room" in found.mend for found in doctor.disk())


def test_a_look_that_fails_is_a_finding_and_the_exit_code_counts(monkeypatch):
    def broken_wheel():
        raise OSError("libcudart.so not found")

    said = []
    monkeypatch.setattr(doctor, "LOOKS", (doctor.programs, broken_wheel))
    assert doctor.report(said.append) == 1
    assert "WRONG  broken wheel: OSError: libcudart.so not found" in said[-2]
    assert "--force-reinstall" in said[-2] and "1 of these must be mended" in said[-1]
    monkeypatch.setattr(doctor, "LOOKS", (doctor.python,))
    assert doctor.report(said.append) == 0 and "can start" in said[-1]
    code, printed, _ = call("doctor")
    assert code == 0 and printed.startswith("ok     Python")


@pytest.mark.parametrize("kind", ["float64", "float16", "bfloat16"])
def test_a_model_of_another_precision_is_evaluated(tmp_path, kind):
    torch.manual_seed(0)
    model, file = VAE(64, 2, (8,)).to(getattr(torch, kind)), tmp_path / "file.safetensors"
    if kind != "float64":  # no such training: its file is made by hand
        run_of = checkpoint.Checkpoint(file, {"model": {"config": model.config(), "dtype": kind}}, model, None, {})
        run_of.optimizer = torch.optim.Adam(model.parameters())
        run_of.save([])
    else:
        x = torch.rand(20, 64, dtype=torch.float64)
        train.fit(model, x, "elbo", 1, 1, 1, checkpoint=file, progress=False, device="cpu")
    result = CliRunner().invoke(app, ["evaluate", str(file), "--K", "20", "--limit", "20"])
    assert result.exit_code == 0 and "log p(x), K = 20: -" in result.stdout, result.output


def test_the_doctors_command_is_one_command_whatever_a_file_is_called(monkeypatch, tmp_path):
    (tmp_path / "chapters").mkdir()
    for ending in (".py", ".ipynb"):
        (tmp_path / "chapters" / f"0;id>PWN;#{ending}").write_text("broken")
    monkeypatch.chdir(tmp_path)
    (mend,) = [found.mend for found in doctor.chapters() if "no whole notebook" in found.detail]
    words = shlex.split(mend.replace(", then: ", " ; "))
    assert words[-1] == "0;id>PWN;#.ipynb" and words[-2] == "--"
