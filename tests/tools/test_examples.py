"""The examples in the docstrings of the package and of the tools print what they say."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import tools
import vaecourse

MODULES = sorted(
    module.name
    for package in (vaecourse, tools)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module(name, tmp_path, monkeypatch):
    module = importlib.import_module(name)
    monkeypatch.chdir(tmp_path)
    ended = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert ended.failed == 0  # doctest has printed what it got
    assert list(Path.cwd().iterdir()) == []


SHOWN = {
    "bounds": "elbo iwae miwae ciwae vr_iwae jackknife effective_sample_size",
    "objectives": "get loss surrogate backward",
    "gradients": "baseline score_function log_variance",
    "evaluate": "log_likelihood bound",
    "data": "digits load binarise",
    "recorded": "load",
}


@pytest.mark.parametrize("module", SHOWN)
def test_what_a_user_calls_first_has_an_example(module):
    inside = [name for name in MODULES if f"{name}.".startswith(f"vaecourse.{module}.")]
    tests = [test for file in inside for test in doctest.DocTestFinder().find(importlib.import_module(file))]
    shown = {test.name.rpartition(".")[2] for test in tests if test.examples}
    assert set(SHOWN[module].split()) <= shown


def test_an_example_that_prints_something_else_is_seen(tmp_path, monkeypatch, capsys):
    (tmp_path / "wrong_example.py").write_text('"""\n>>> 1 + 1\n3\n"""\n', encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert doctest.testmod(importlib.import_module("wrong_example")).failed == 1
    assert "Expected:\n    3\nGot:\n    2" in capsys.readouterr().out
