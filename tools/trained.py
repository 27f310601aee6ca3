"""What was trained, on pages of the site with no kernel: a VAE in the page, and recorded runs of the labs that train.

Their scripts are one bundle of site/live/, of its own; their data, in site/live/data/, are scripts too, for from disk a
browser loads nothing else, and come only when the reader does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from tools import live, page_vae, replays
from tools.bundle import script
from vaecourse import files
from vaecourse.labs import controls
from vaecourse.labs.controls import Choice, Seed, Whole

VAE = "vae"
MOST = 256  # samples in the page
THREE, DOUBTFUL = 12, 33  # of the digits to choose from: one that the encoder knows, one that it does not
NOBODYS = ("01010101" + "10101010") * 4
OWN, NONE = "encoder q(z | x)", "prior p(z)"


class Words(NamedTuple):
    """A question for the reader, what to try, and what one sees then."""

    question: str
    to_try: str
    to_see: str


WORDS = {
    VAE: Words(
        "How far below log p(x) is the ELBO of this digit, and whose fault is it?",
        "Choose a digit or draw one. Then give q to the prior, and look at which dots are large.",
        "For a digit that the encoder knows, its ellipse lies on the posterior, the samples share the weight, and the "
        "prior would need many more of them. For a pattern that nobody wrote, the encoder is as sure of itself as "
        "ever and looks in the wrong place: there the prior can be the better q.",
    ),
    "06.latent": Words(
        "What does the loss do to the codes?",
        "Press <em>Play</em>, or move the step. Then take another run.",
        "Each letter is the code of a held-out digit. With little weight on the divergence the codes fly apart; with "
        "much weight on the rate they fall into one heap, and the curve of the information goes to 0. What comes after "
        "the thin vertical line was trained under another loss: 200 steps of MMD-VAE do not mend the heap, whose codes "
        "still tell 0.07 nats of the digit.",
    ),
    "08.cockpit": Words(
        "The objective is turned while the model trains. What breaks first, and does it mend?",
        "Take the second run and stop at step 400, before you look on: which curve will fall?",
        "The curves are measured on the same held-out digits and noise at each point, so what moves is the model. "
        "A thin vertical line says that the objective was turned. IWAE with K = 64 drowns the encoder's signal, from "
        "0.28 to 0.13, while log p(x) goes on climbing; MIWAE lifts it to 0.56. The collapse costs 1.4 nats of log "
        "p(x), and 400 steps at half the rate's price, with MMD, give 0.9 of them back.",
    ),
}


def vae_given() -> dict[str, Any]:
    """Title, controls and presets of the VAE. Image and z are moved in the picture."""
    choices = [choice["pixels"] for choice in page_vae.read()["choices"]]
    moved = [
        {"name": "pixels", "kind": "own", "label": "x", "value": choices[THREE]},
        {"name": "z", "kind": "own", "label": "z", "value": [0.0, 0.0]},
    ]
    handles = [
        Whole("K", "Samples K", 1, MOST, default=8, log=True),
        Choice("q", "Samples from", [OWN, NONE], default=OWN),
        Seed(label="New samples"),
    ]
    presets = {
        "a clear 3": {},
        "a doubtful 8": {"pixels": choices[DOUBTFUL]},
        "nobody's digit": {"pixels": NOBODYS},
        "nobody's digit, q the prior": {"pixels": NOBODYS, "q": NONE},
    }
    return {"title": "A VAE in the page", "controls": [*moved, *live.traits(handles)], "presets": presets}


def replay_given(name: str) -> dict[str, Any]:
    """Title and controls of the runs of a lab."""
    of, runs = replays.ALL[name], [run.name for run in replays.ALL[name].runs]
    (choice,) = live.traits([Choice("run", "Recorded run", runs, default=runs[0])])
    steps = [float(step) for step in range(0, of.steps + 1, of.between)]
    scrubber = {"name": "step", "kind": "slider", "label": "Step", "whole": True, "digits": 0, "stops": steps}
    scrubber |= {"min": 0, "max": of.steps, "step": of.between, "value": 0}
    title = f"{live.experiment(name).title}: recorded runs"
    return {"title": title, "controls": [choice, scrubber], "presets": {}}


def block(name: str, static: str = "../_static/live") -> str:
    """The VAE, or the runs of the lab ``name``, as HTML, hidden until it is live. An empty line would end the block."""
    words = WORDS[name]
    given = vae_given() if name == VAE else replay_given(name)
    told = json.dumps(given).replace("<", r"\u003c")  # a script ends at the first </
    styles = "".join(f'<link rel="stylesheet" href="{static}/{style}.css">' for style in ("lab", "live", "trained"))
    return f"""\
{styles}
<div class="live" data-lab="{name}" data-from="{static}/{name}.js" hidden>
<p><strong>{words.question}</strong> {words.to_try}</p>
<details><summary>What you see</summary><p>{words.to_see}</p></details>
<script type="application/json">{told}</script>
</div>
<script defer src="{static}/trained.js"></script>"""


# The files -----------------------------------------------------------------------------------------------------------


def bundle() -> str:
    """The VAE and the player of runs, with the package's own controls, as one script."""
    return script(live.OWN / "trained_page.js")


def data_script(name: str) -> str:
    """What is stored under this name, as a script that hands it over."""
    stored = page_vae.read() if name == VAE else replays.read(name)
    return f"(globalThis.vaecourseData ??= {{}})[{json.dumps(name)}] = {json.dumps(stored, separators=(',', ':'))};\n"


def copy(folder: Path) -> None:
    """Script, style and data into ``folder``; the style of the controls is there by ``live.copy``."""
    files.replace(folder / "trained.js", bundle().encode())
    files.replace(folder / "trained.css", (live.OWN / "trained.css").read_bytes())
    files.replace(folder / "lab.css", (controls.HERE / "lab.css").read_bytes())
    for name in WORDS:
        files.replace(folder / f"{name}.js", data_script(name).encode())
