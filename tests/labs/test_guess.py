"""A lab that asks first: before the guess the truth is in neither picture nor sentence, and then beside the guess."""

import importlib
import json
import math
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from vaecourse import labs, progress
from vaecourse.labs import asking, guess
from vaecourse.labs.frame import Curve, Experiment, OnAxis, OneOf, Whole

SMALL = [name for name, place in labs.PLACES.items() if place.startswith("small.")]  # the text asks, in a line
ASKING = [name for name in labs.ALL if name not in ["06.latent", *SMALL]]  # 06.latent is behind no prediction
WORDS = {"truth": lambda lab: 4.0, "because": lambda lab: "Because of that.", "on": "line", "hides": ("line",)}
STOPS = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
KINDS = {
    "choice": (OneOf("How many?", options={"about 4": 4, "about 40": 40}, **WORDS), "about 40", 1),
    "number": (OnAxis("How high?", label="height", stops=STOPS, start=1, digits=1, **WORDS), 1.0, 1),
    "curve": (
        Curve("Draw it.", anchors={"1": 1, "9": 9}, stops=STOPS, start=1, **{**WORDS, "truth": lambda lab: [1.0, 4.0]}),
        [1.0, 2.0],
        [1, 2],
    ),
}


name_of = asking.name_of  # the tests have one of their own


def test_a_lab_knows_its_name():
    for name, place in labs.PLACES.items():
        file, kind = place.rsplit(".", 1)
        experiment = getattr(importlib.import_module(f"vaecourse.labs.{file}"), kind)
        assert name_of(experiment.__new__(experiment)) == name
    assert name_of(Line()) is None


@pytest.fixture(autouse=True)
def nobody_has_guessed(tmp_path, monkeypatch):
    """No guess of another test, and a folder of its own for progress.json."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(asking, "_answers", {})
    monkeypatch.setattr(
        asking, "name_of", lambda experiment: f"00.{experiment.guess.kind}" if experiment.guess else None
    )


@pytest.fixture
def by_itself(monkeypatch):
    """As in a notebook."""
    monkeypatch.setattr(asking, "get_ipython", lambda: SimpleNamespace(get_parent=dict))
    monkeypatch.delenv("VAECOURSE_PRESENTING", raising=False)
    monkeypatch.delenv("VAECOURSE_GUESS", raising=False)


class Line(Experiment):
    """A horizontal line at K."""

    title = "A line"
    controls = [Whole("K", "K", 1, 10, default=2)]
    presets = {"high": {"K": 9}}

    def compute(self, K):
        return K

    def build(self, figure: Figure):
        axes = figure.subplots()
        axes.set(xlim=(1, 10), ylim=(0, 10))
        return SimpleNamespace(line=axes.plot([1, 10], [0, 0], color="#00FF00", linewidth=6)[0])

    def update(self, artists, data):
        artists.line.set_ydata([data] * 2)

    def sentence(self, data):
        return f"The line is at {data}."


def lab_with(question):
    return type("Asked", (Line,), {"guess": question})().live()


def shows(lab, colour):
    """Whether the picture of a lab has this colour."""
    rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return bool((lab._canvas.pixels() == rgb).all(-1).any())


TRUTH, OWN = "#00FF00", "#A000A0"


@pytest.mark.parametrize("kind", list(KINDS))
def test_hidden_until_committed_then_both(by_itself, kind):
    question, answer, _ = KINDS[kind]
    lab = lab_with(question)
    assert lab.asking and lab.question.state == "asking"
    assert not shows(lab, TRUTH) and not shows(lab, OWN)
    assert lab.sentence.value == asking.WAITING[kind] and "The line is at" not in lab.image.alt
    lab.guess(answer)
    assert not lab.asking and shows(lab, TRUTH) and shows(lab, OWN)
    assert lab.sentence.value == "The line is at 2."
    assert lab.question.verdict.startswith("You ") and lab.question.verdict.endswith("Because of that.")
    for K in (9, 3):  # it stays
        lab.controls["K"].value = K
        assert shows(lab, OWN) and lab.question.state == "answered"
    lab.reset()
    assert shows(lab, OWN) and not lab.asking, "Reset brings no question"


@pytest.mark.parametrize("kind", list(KINDS))
def test_skipped_and_asked_again(by_itself, kind):
    question, answer, _ = KINDS[kind]
    lab = lab_with(question)
    lab._heard_guess({"do": "skip"})
    assert lab.question.state == "open" and shows(lab, TRUTH) and not shows(lab, OWN)
    assert lab.sentence.value == "The line is at 2." and not progress.read().guessed
    lab._heard_guess({"do": "ask"})
    assert lab.asking and not shows(lab, TRUTH)
    lab.guess(answer)
    lab.ask()
    assert lab.asking and not shows(lab, TRUTH) and not shows(lab, OWN), "the former guess would be an answer"


@pytest.mark.parametrize("kind", list(KINDS))
def test_what_a_page_sends(by_itself, kind):
    question, answer, sent = KINDS[kind]
    lab = lab_with(question)
    for bad in (None, -1, 99, "about 4", True, 1.0, [1], [1, 99], [1, "2"], [1, True], {"a": 1}, [1] * 10**5):
        lab._heard_guess({"do": "guess", "answer": bad})
        assert lab.asking and not shows(lab, TRUTH) and len(lab.question.verdict) < 200
    for bad in (None, 3, {}, {"do": "run"}, {"do": ["guess"]}):
        lab._heard_guess(bad)
        assert lab.asking
    lab._heard_guess({"do": "guess", "answer": sent})
    assert lab.answer == answer and not lab.asking
    before = lab.question.get_state()
    lab.question.set_state({"state": "asking", "verdict": "x", "texts": ["x"] * 9})
    assert lab.question.get_state() == before, "a page writes none of it"


@pytest.mark.parametrize("bad", ["about 5", None, 4])
def test_a_choice_that_is_none(bad):
    with pytest.raises(ValueError, match=r"the guess must be one of 'about 4', 'about 40', got"):
        lab_with(KINDS["choice"][0]).guess(bad)


@pytest.mark.parametrize("bad", [-0.1, 5.1, math.nan, "3", None, True, [3]])
def test_a_number_that_is_none(bad):
    with pytest.raises(ValueError, match=r"the guess must be a number from 0 to 5, got"):
        lab_with(KINDS["number"][0]).guess(bad)
    with pytest.raises(ValueError, match=r"the guess must be a number from 0 to 5, got"):
        lab_with(KINDS["curve"][0]).guess([1.0, bad])


def test_a_curve_that_is_none():
    for bad in ([1.0], [1.0, 2.0, 3.0], "12", 3.0, None):
        with pytest.raises(ValueError, match=r"the guess must be a number for each of 1, 9, got"):
            lab_with(KINDS["curve"][0]).guess(bad)


def test_verdicts():
    lab = lab_with(KINDS["choice"][0])
    lab.guess("about 40")
    assert lab.question.verdict == "You said “about 40”; it is “about 4”. Because of that."
    lab.guess("about 4")
    assert lab.question.verdict == "You said “about 4”, and so it is. Because of that."
    lab = lab_with(KINDS["number"][0])
    lab.guess(1.0)
    assert lab.question.verdict == "You said 1.0, it is 4.0: 3.0 too low. Because of that."
    lab.guess(4.0)
    assert lab.question.verdict == "You said 4.0, and so it is. Because of that."
    lab = lab_with(KINDS["curve"][0])
    lab.guess([2.0, 2.0])
    assert lab.question.verdict.startswith("You drew 2.00 at 9, where it is 4.00: nowhere is your curve farther off.")


def test_only_in_a_notebook_and_not_while_presenting_and_once(monkeypatch, by_itself):
    assert asking.asks_by_itself("00.test")
    monkeypatch.setenv("VAECOURSE_PRESENTING", "1")
    assert not asking.asks_by_itself("00.test")
    monkeypatch.delenv("VAECOURSE_PRESENTING")
    monkeypatch.setenv("VAECOURSE_GUESS", "0")
    assert not asking.asks_by_itself("00.test")
    monkeypatch.delenv("VAECOURSE_GUESS")
    assert not progress.guessed("00.test")
    assert not asking.asks_by_itself("00.test")
    monkeypatch.setattr(asking, "get_ipython", lambda: None)
    assert not asking.asks_by_itself("01.test")


def test_a_cell_that_is_run_again_shows_the_guess_that_was_made(by_itself):
    question, answer, sent = KINDS["number"]
    lab = lab_with(question)
    lab._heard_guess({"do": "guess", "answer": sent})
    again = lab_with(question)
    assert again.answer == answer and not again.asking and shows(again, OWN)
    assert again.question.verdict == lab.question.verdict
    kept = json.loads(Path(progress.FILE).read_text(encoding="utf-8"))
    assert kept.pop("guessed") == ["00.number"], "that there was one, and nothing more"
    assert not kept["exercises"] and not kept["questions"]


def test_on_paper_there_is_the_truth_and_nobodys_guess(by_itself):
    question, answer, _ = KINDS["curve"]
    lab = lab_with(question)
    still = lab.still()
    assert lab.asking and not shows(lab, TRUTH)
    lab.guess(answer)
    assert lab.still() == still and shows(lab, OWN)
    assert type("Asked", (Line,), {})().live().still() == still


def test_a_lab_without_a_question():
    lab = Line().live()
    assert lab.question is None and not lab.asking
    for call in (lab.ask, lab.skip, lambda: lab.guess(1)):
        with pytest.raises(ValueError, match="asks nothing"):
            call()


def test_where_a_pointer_is_on_any_scale():
    figure = Figure()
    axes = figure.subplots()
    axes.set(xscale="log", xlim=(1, 1000), ylim=(-4, 4))
    assert np.allclose(guess._fractions("x", [1, 10, 1000], axes), [0, 1 / 3, 1])
    assert np.allclose(guess._fractions("y", [-4, 0, 4], axes), [0, 0.5, 1])
    axes.set(xlim=(1000, 1))
    assert np.allclose(guess._fractions("x", [1, 10, 1000], axes), [1, 2 / 3, 0])
    axes.set_position([0.1, 0.2, 0.5, 0.6])
    assert np.allclose(guess._box(axes), (0.1, 0.2, 0.5, 0.6))
    axes.set_position([0.1, 0.3, 0.5, 0.6])
    assert np.allclose(guess._box(axes), (0.1, 0.1, 0.5, 0.6)), "from above"


# The labs ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=ASKING)
def lab(request):
    made = labs.ALL[request.param]()
    yield made
    made.close()


def test_every_lab_behind_a_prediction_asks(lab):
    asked = lab.experiment.guess
    assert set(asked.hides) <= set(vars(lab._canvas.artists))
    for settings in (asked.at, asked.then or {}):
        assert set(settings) <= set(lab.controls)
    assert 20 < len(asked.question) < 240 and asked.question.endswith((".", "?", ")"))


def test_its_truth_is_hidden_and_then_drawn(lab):
    asked = lab.experiment.guess
    lab.ask()
    assert lab.asking and lab.error is None and lab.settings == lab.defaults | dict(asked.at)
    before = lab._canvas.pixels().copy()
    assert not shows(lab, OWN)
    answers = {
        "choice": lambda: list(asked.options)[-1],
        "number": lambda: asked.stops[len(asked.stops) // 3],
        "curve": lambda: [asked.stops[len(asked.stops) // 3]] * len(asked.anchors),
    }
    lab.guess(answers[asked.kind]())
    assert lab.error is None and shows(lab, OWN)
    assert (lab._canvas.pixels() != before).any()
    if asked.hides:
        lab._set(lab.defaults | dict(asked.at))
        lab.flush()
        lab._drawn.show(None)
        assert (lab._canvas.pixels() != before).any(), "what it hides is not seen at all"
    lab.skip()


def test_its_truth_is_what_the_lab_computes(lab):
    """A number and a curve have their truth inside the picture's scale, and a choice among its options."""
    asked, experiment = lab.experiment.guess, lab.experiment
    truth = asked.truth(experiment)
    if asked.kind == "choice":
        assert asked.right(truth) in asked.options
    else:
        places = guess._fractions(getattr(asked, "axis", "y"), np.atleast_1d(truth), lab._drawn.axes)
        assert all(-0.01 <= place <= 1.01 for place in places)
        assert min(asked.stops) <= min(np.atleast_1d(truth)) and max(np.atleast_1d(truth)) <= max(asked.stops)
    assert re.search(r"\d", asked.explained(experiment))


def test_the_numbers_that_the_questions_quote():
    at = lambda name, **settings: labs.ALL[name]().experiment.at(**settings)
    bound = at("00.bound", K=1)
    assert round(bound.log_likelihood - bound.expected, 3) == 0.609
    assert round(at("01.gap").log_likelihood, 2) == -1.75
    assert round(at("05.estimators", estimator="IWAE", K=64).mean, 3) == -0.024
    assert round(at("07.bounds", K=0, dim=50, tau="prior (SIVI)").upper, 1) == 40.2
    first = labs.ALL["00.bound"]().experiment
    assert (first.closing(0.9), first.closing(0.99)) == (7, 59)


def test_all_three_kinds_are_used_and_every_chapter_asks():
    found = {name: labs.ALL[name]().experiment.guess for name in ASKING}
    assert {asked.kind for asked in found.values()} == {"choice", "number", "curve"}
    assert {name[:2] for name in found} == {f"{number:02}" for number in range(9)}
