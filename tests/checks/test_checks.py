"""Every check of the course: the solution passes, each known mistake is told its name, nothing makes a check raise."""

import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from vaecourse import checks
from vaecourse.checks import Check, folders

FRAME = Check(
    "99.mean",
    solution=lambda x: x.mean(0),
    cases=lambda: [(torch.arange(6.0).reshape(2, 3),), (torch.ones(4, 5),)],
    praise="Yes.",
)


@FRAME.mistake("That is the other axis.")
def wrong_axis(x):
    return x.mean(1)


CHECKS = [FRAME, *checks.ALL.values()]
CASES = [(check, mistake) for check in CHECKS for mistake in check.mistakes]


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_solution_passes(check):
    verdict = check(check.solution)
    assert verdict.passed, verdict
    assert verdict.mistake is None


@pytest.mark.parametrize("check, mistake", CASES, ids=lambda case: getattr(case, "name", ""))
def test_mistake_is_rejected_by_its_own_name(check, mistake):
    verdict = check(mistake.answer)
    assert not verdict.passed
    assert verdict.mistake == mistake.name, verdict
    assert verdict.message == mistake.message


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_stub_is_told_kindly(check):
    stubs = [None, ...]
    if callable(check.solution):
        stubs += [lambda *arguments: None, lambda *arguments: ..., _not_implemented, lambda *arguments: (1, ...)]
    for stub in stubs:
        verdict = check(stub)
        assert not verdict.passed
        assert verdict.mistake is None
        assert "Not solved yet" in verdict.message


def _not_implemented(*arguments):
    raise NotImplementedError


class Hostile:
    def __getattribute__(self, name):
        raise RuntimeError("no")


@pytest.mark.parametrize("check", CHECKS, ids=str)
@pytest.mark.parametrize("junk", range(15))
def test_nothing_makes_a_check_raise(check, junk):
    answer = [
        object(), "seven", float("nan"), [], {}, torch.zeros(0), Hostile(), print, lambda: 1, lambda *a: "x",
        lambda *a: 1 / 0, lambda *a: [object()], lambda *a: torch.zeros(7, 7, 7), lambda *a: sys.exit(1), int,
    ][junk]  # fmt: skip
    verdict = check(answer)
    assert not verdict.passed
    assert verdict.message
    assert repr(verdict)
    assert verdict._repr_html_()


def test_names_say_their_chapter_and_their_file():
    files = Path(checks.__file__).parent.glob("chapter_??/*.py")
    assert set(checks.ALL) == {f"{f.parent.name[-2:]}.{f.stem}" for f in files if f.stem != "__init__"}
    assert all(check.name == name for name, check in checks.ALL.items())


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_mistakes_have_names_in_words(check):
    names = [mistake.name for mistake in check.mistakes]
    assert len(set(names)) == len(names)
    assert not any(re.match(r"[AB]\d", name) or "<lambda>" in name or "_" in name for name in names)


def test_a_mistake_is_its_function():
    """Its name, its message on one line, and the function is still there; ``partial`` keeps the name."""
    check = Check("99.max", lambda x: x.max(), "Yes.", cases=lambda: [(torch.tensor([1.0, 3.0]),)])

    @check.mistake("""You took
        the smallest.""")
    def smallest_taken(x):
        return x.min()

    def times(factor, x):
        return factor * x.max()

    check.mistake("Twice.")(partial(times, 2))
    assert smallest_taken(torch.tensor([1.0, 3.0])) == 1
    assert check(smallest_taken) == checks.Verdict(False, "You took the smallest.", "smallest taken")
    assert check(lambda x: 2 * x.max()).mistake == "times"
    check.slip("halved", lambda x: x.max() / 2)("""Not
        half.""")
    assert check(lambda x: 0.5 * x.max()) == checks.Verdict(False, "Not half.", "halved")


def test_where_the_answer_is_a_value_the_mistake_is_what_its_function_returns():
    check = Check("99.shape", (2, 3), "Yes.")

    @check.mistake("Turned round.")
    def turned_round():
        return 3, 2

    assert check((2, 3)).passed
    assert check((3, 2)).mistake == "turned round"


# All of them ---------------------------------------------------------------------------------------------------------


def test_nothing_is_read_before_it_is_asked_for():
    """Not by the import, not by names, order, length and ``in``; then one file, and those that it builds on."""
    program = """
import sys
from vaecourse import checks
read = lambda: {name for name in sys.modules if name.startswith("vaecourse.checks.chapter_") and name.count(".") == 3}
assert len(checks.ALL) == len(list(checks.ALL)) == len(checks.ALL.keys()) > 50
assert "03.iwae_bound" in checks.ALL and "03.iwae" not in checks.ALL and None not in checks.ALL
assert not read(), read()
check = checks.ALL["03.iwae_bound"]
assert check.name == "03.iwae_bound" and checks.ALL["03.iwae_bound"] is check
assert read() == {"vaecourse.checks.chapter_03.iwae_bound"}, read()
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_the_order_is_the_chapters():
    names = list(checks.ALL)
    assert [name[:2] for name in names] == sorted(name[:2] for name in names)
    assert names[:3] == ["00.shape", "00.two_weights", "00.bits_per_dimension"]
    assert [name for name in names if name.startswith("08.")] == [
        "08.standard_error", "08.paired", "08.spot_the_bound", "08.still_missing", "08.spot_the_stream",
        "08.bits_of_a_table", "08.pareto",
    ]  # fmt: skip


def test_a_new_file_is_found_and_comes_last(tmp_path, monkeypatch):
    """Nobody has to enter it anywhere."""
    (tmp_path / "chapter_97").mkdir()
    (tmp_path / "chapter_97" / "__init__.py").write_text('ORDER = "second first gone".split()\n')
    for name in ("zuletzt", "first", "another", "second"):
        text = f'from vaecourse.checks import Check\ncheck = Check("97.{name}", 1.0, "Yes.")\n'
        (tmp_path / "chapter_97" / f"{name}.py").write_text(text)
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(tmp_path)])
    found = folders.Exercises(checks.__path__)
    assert list(found)[-4:] == ["97.second", "97.first", "97.another", "97.zuletzt"]
    assert found["97.zuletzt"](1.0).passed


@pytest.mark.parametrize(
    "name, nearest", [("03.iwae-bound", "03.iwae_bound"), ("iwae_bound", "03.iwae_bound"), (3, "")]
)
def test_an_unknown_exercise_is_told_the_nearest(name, nearest):
    with pytest.raises(KeyError, match=rf"There is no exercise {name!r}. The nearest name is '\d\d\.\w+'") as raised:
        checks.ALL[name]
    assert nearest in str(raised.value)
    assert checks.ALL.get(name) is None


# What it says --------------------------------------------------------------------------------------------------------


def test_an_unknown_mistake_is_told_the_values():
    verdict = FRAME(lambda x: x.mean(0) + 1.25)
    assert verdict.mistake is None
    assert "test case 1 of 2" in verdict.message
    assert "2.75" in verdict.message and "1.5" in verdict.message


def test_shapes_types_and_nan_are_told_apart():
    assert "shape [2]" in FRAME(lambda x: x.mean(1) * 2).message
    assert "NaN" in FRAME(lambda x: x.mean(0) * float("nan")).message
    assert "type str" in FRAME(lambda x: "three").message
    assert "a value" in FRAME(3.0).message
    assert "ZeroDivisionError" in FRAME(lambda x: 1 / 0).message


def test_an_answer_cannot_change_the_cases():
    def greedy(x):
        result = x.mean(0)
        x.zero_()
        return result

    for _ in range(2):
        assert FRAME(greedy).mistake == "input changed"
    assert FRAME(FRAME.solution).passed


def test_a_complex_answer_does_not_pass_by_its_real_part():
    check = Check("00.test", lambda: torch.tensor(1.0), "Right.")
    assert not check(lambda: 1 + 2j).passed


def test_the_difference_named_is_one():
    """inf - inf is NaN, and no difference."""
    check = Check("00.test", lambda: torch.tensor([torch.inf, 1.0]), "Right.")
    assert "2 where 1 is right" in check(lambda: torch.tensor([torch.inf, 2.0])).message


def test_a_tuple_that_is_missing_is_told_as_such():
    check = Check("00.test", lambda x: (x.sum(), x.mean()), "Right.", cases=lambda: [(torch.ones(3),)])
    assert "2 results" in check(lambda x: x.sum()).message
    assert "3 of them" in check(lambda x: (x.sum(), x.mean(), x)).message
    assert "2 of them, and one result is needed" in FRAME(lambda x: (x.mean(0), x.mean(0))).message
