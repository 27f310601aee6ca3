"""Labs that are live on a page of the site, with no kernel: their numbers are computed in the page, in JavaScript.

What a lab computes there is one module of site/live/, what it shows another. Its controls, presets and constants come
from the lab in ``vaecourse.labs``, and the controls are drawn by the package's own control.js.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from tools.bundle import script
from tools.chapter import ROOT
from vaecourse import exact, files, labs
from vaecourse.labs import controls, estimators, first_bound, hierarchical, iwae, signal
from vaecourse.labs.frame import Experiment

OWN = ROOT / "site/live"
POINTS = 301  # of the grid of lab "03.iwae"
TRAITS = ("kind", "label", "value", "min", "max", "step", "stops", "digits", "whole", "options")


class Live(NamedTuple):
    """A question for the reader, what to try, what one sees then; and the constants that the page's numbers rest on."""

    question: str
    to_try: str
    to_see: str
    facts: Callable[[], dict[str, Any]] = dict
    without: tuple[str, ...] = ()  # controls of the lab that are not here, nor the presets that turn them
    at_most: Mapping[str, float] = {}  # where a slider ends earlier than in the lab, so that it answers within 50 ms


def reference() -> dict[str, Any]:
    """The reference model and data point, and where the exact curve is drawn."""
    model, x, q_mean, q_std = exact.reference(torch.float64)
    numbers = {"weight": model.weight.item(), "noiseVariance": model.noise_variance, "x": x.item()}
    return {**numbers, "allK": list(iwae.ALL_K), "points": POINTS, "mean": q_mean.item(), "std": q_std.item()}


def first_runs() -> dict[str, Any]:
    return {**reference(), "runs": first_bound.RUNS, "largestK": first_bound.LARGEST_K}


def signals() -> dict[str, Any]:
    """Half of the lab's samples at most, so that new noise is there within 50 ms: fewer in a histogram of large M K."""
    own = {"fixed": signal.FIXED, "budget": signal.BUDGET, "estimates": signal.ESTIMATES}
    return {**reference(), **own, "samples": signal.SAMPLES // 2}


def single_gradients() -> dict[str, Any]:
    ends = list(estimators.LARGEST_K_OF_ORDER.values())
    return {**reference(), "parameters": estimators.PARAMETERS, "largestK": estimators.LARGEST_K, "ends": ends}


def mixture() -> dict[str, Any]:
    """The law of lab "07.bounds", where its curves have their points, and the rule of ``exact.Ratio``."""
    law, (nodes, weights) = exact.MeanMixture(1), np.polynomial.legendre.leggauss(16)
    names = {"prior": hierarchical.PRIOR, "posterior": hierarchical.POSTERIOR, "most": hierarchical.MOST_STEPS}
    rule = {"nodes": nodes.tolist(), "weights": weights.tolist()}
    return {"law": {"spread": law.spread, "noise": law.noise}, "rule": rule, "allK": list(hierarchical.ALL_K), **names}


ALL = {
    "00.bound": Live(
        question="How near does the bound come, and how sure is one run of it?",
        to_try="Guess the gap at K = 8 before you drag there. Then go on to K = 64.",
        to_see="The mean of the bound climbs to log p(x) from below, fast at first; from K = 8 on eight times the "
        "samples leave about an eighth of the gap. The single runs close in on it too, and some land above it.",
        facts=first_runs,
    ),
    "01.gap": Live(
        question="What does the ELBO lose, and where does it go?",
        to_try="Drag the mean of q from one end to the other. Watch the tops of the last bar and of the first.",
        to_see="Whatever q is, ELBO and KL(q ‖ posterior) add up to log p(x): the last bar ends at the dashed line. "
        "Only a new data point moves that line.",
        facts=reference,
    ),
    "02.proposal": Live(
        question="Forty intervals of 95 %. How many of them miss?",
        to_try="Press <em>too narrow</em>, count those that miss, then press <em>too wide</em>.",
        to_see="Too wide costs samples, and the intervals still do what they say. Too narrow, a weight has no finite "
        "variance: a few heavy ones decide, and at K = 1000 about a quarter of the intervals miss p(x).",
        facts=reference,
    ),
    "02.baseline": Live(
        question="A number is taken off the weights, and the gradient's mean stays. Which number helps most?",
        to_try="Go from <em>none</em> to <em>leave-one-out</em>. Then press <em>mean, K = 2</em>.",
        to_see="A baseline of the other samples cuts the variance and keeps the mean. One in which the sample itself "
        "sits shrinks the gradient by 1/K. At this q the reparameterised gradient varies less than any unbiased one; "
        "where q is the posterior, log w is flat, and leave-one-out does not vary at all.",
        facts=reference,
        without=("D",),
    ),
    "03.iwae": Live(
        question="q is wrong. Do more samples help all the same?",
        to_try="Drag K to 64. Then make q narrow, 0.4 posterior widths, and look at the weights.",
        to_see="The blue curve climbs to log p(x), and q stays where it is. A narrow q has weights that grow without "
        "end on both sides: few samples land there, and they count for all.",
        facts=reference,
        without=("seed",),
    ),
    "04.signal": Live(
        question="More samples make a tighter bound. Do they make a better gradient?",
        to_try="Press <em>drown the encoder</em>, then <em>rescue it with MIWAE</em>.",
        to_see="At this q the decoder's signal grows with K and the encoder's drowns: its mean falls faster than "
        "its noise. Averages over M groups lift both. With a q too narrow the encoder may gain, or the decoder lose.",
        facts=signals,
    ),
    "05.estimators": Live(
        question="Many estimators, one bound. Whose gradient is right, and whose is quiet?",
        to_try="Press <em>IWAE, K = 64</em>, <em>STL, K = 64</em> and <em>DReG, K = 64</em>, one after the other.",
        to_see="IWAE is right on average, and noisy. STL is quiet, and at this q far from the gradient of its bound. "
        "DReG is quiet and right; where q is too narrow, it is noisier than IWAE.",
        facts=single_gradients,
    ),
    "06.explode": Live(
        question="Two data points, two codes, and the ELBO. Where do the codes end up?",
        to_try="Drag τ to the right end and back. Then press <em>noise 0.2 and λ = 10</em>.",
        to_see="As the codes shrink to needles, the ELBO climbs without end, and q is ever further from the "
        "posterior: the decoder gets sure faster than the KL to the prior grows. Least noise and a large λ give the "
        "objective a top.",
    ),
    "06.mmd": Live(
        question="Two clouds of points. Do they come from one law?",
        to_try="Press <em>shifted</em> and drag the bandwidth from one end to the other.",
        to_see="The strokes vanish at both ends. With a small bandwidth most points see no other and stay; with a "
        "large one all pairs look alike. In between the clouds are told apart, and the codes are pulled to the prior.",
        at_most={"n": 100},
    ),
    "07.bounds": Live(
        question="log q(z) lies between two bounds. How many draws of tau does it take to pin it down?",
        to_try="Press <em>SIVI</em>, then <em>SIVI in 50 dimensions</em>, then <em>IWHVI in 50 dimensions</em>.",
        to_see="A tau that does not look at z needs many draws, and ever more with each dimension. One that has "
        "learned a little needs few. With the exact posterior no draw is needed at all.",
        facts=mixture,
    ),
}


def block(name: str) -> str:
    """The lab ``name`` as HTML, hidden until it is live. An empty line would end the block."""
    live, lab = ALL[name], experiment(name)
    handles = [shortened(handle, live.at_most) for handle in traits(lab.controls) if handle["name"] not in live.without]
    given = {"title": lab.title, "controls": handles, "presets": presets(name), "facts": live.facts()}
    told = json.dumps(given).replace("<", r"\u003c")  # a script ends at the first </
    return f"""\
<div class="live" data-lab="{name}" hidden>
<p><strong>{live.question}</strong> {live.to_try}</p>
<details><summary>What you see</summary><p>{live.to_see}</p></details>
<script type="application/json">{told}</script>
</div>"""


def presets(name: str) -> dict[str, dict[str, Any]]:
    """Those of the lab ``name`` that turn no control which is left out here."""
    found = experiment(name).presets
    return {preset: dict(change) for preset, change in found.items() if not {*change} & {*ALL[name].without}}


def loads(static: str = "../_static/live") -> str:
    """What a page with live labs loads, once: their styles and their script."""
    styles = "".join(f'<link rel="stylesheet" href="{static}/{name}.css">' for name in ("lab", "live"))
    return f'{styles}<script defer src="{static}/live.js"></script>'


def traits(handles: Iterable[controls.Control]) -> list[dict[str, Any]]:
    """What control.js needs to know of each control, as its widget has it."""
    widgets = [(handle.name, handle.make()) for handle in handles]
    return [{"name": name, **{t: getattr(widget, t) for t in TRAITS if hasattr(widget, t)}} for name, widget in widgets]


def experiment(name: str) -> Experiment:
    """What a page tells of the lab ``name``: its panel would be drawn, which takes most of a second."""
    file, _, own = labs.PLACES[name].rpartition(".")
    return getattr(import_module(f"vaecourse.labs.{file}"), own)()


def stills(lab: Experiment) -> list[dict[str, Any]]:
    """Every control's value in each of the states that the still picture shows: ``stills`` of the panel."""
    start = {control.name: control.default for control in lab.controls}
    found = [lab.presets[still] if isinstance(still, str) else still for still in lab.stills or [{}]]
    return [start | dict(change) for change in found]


def shortened(handle: dict[str, Any], at_most: Mapping[str, float]) -> dict[str, Any]:
    """The control with no stop above what ``at_most`` says of it."""
    if (end := at_most.get(handle["name"])) is None:
        return handle
    return {**handle, "max": end, "stops": [stop for stop in handle["stops"] if stop < end] + [end]}


# The files -----------------------------------------------------------------------------------------------------------


def bundle() -> str:
    """The live labs, with the package's own controls, as one script."""
    return script(OWN / "page.js")


def copy(folder: Path) -> None:
    """Script and style of the live labs into ``folder``."""
    files.replace(folder / "live.js", bundle().encode())
    for style in (OWN / "live.css", controls.HERE / "lab.css"):
        files.replace(folder / style.name, style.read_bytes())
