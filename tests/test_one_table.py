"""A row added to the table is known everywhere: in a process of its own, which adds it before anything else looks."""

import json
import subprocess
import sys

import pytest

from tools import chapter
from vaecourse import objectives

LAST = list(objectives.TABLE)[-1]

SCRIPT = """
import json

import torch
from typer.testing import CliRunner

from vaecourse import bounds, models, objectives, plots

def leaning(log_w, gamma):
    return objectives.mixed(log_w, gamma / 2)

def bound(log_w, gamma):
    return bounds.ciwae(log_w, gamma / 2)

GAMMA = objectives.Parameter("gamma", 0.5, 0.0, 2.0, "how far it leans")
objectives.TABLE["lean"] = objectives.Objective("lean", bound, leaning, leaning, takes=(GAMMA,))

from vaecourse.commands import app
from vaecourse.labs.cockpit import TrainingCockpit, plan

lines = ["--help", "--objective=lean --gamma=1.5 --limit=20 --epochs=1", "--objective=lean --gamma=3",
         "--objective=laen", "--gamma=1"]
said = {line: CliRunner().invoke(app, ["train", *line.split()]).output for line in lines}
controls = {control.name: control for control in TrainingCockpit.controls}
turned = {name: control.default for name, control in controls.items()} | {"objective": "lean", "beta": 0.1}
said["cockpit"] = f"{controls['objective']} {controls['beta'].label} {plan(**turned)}"
model = models.VAE(6, 2)
objectives.loss(model, torch.zeros(5, 6), "lean", 3, 4).backward()
said["loss"] = f"{model.encoder[0].weight.grad.isfinite().all().item()} {plots.of_row('lean')}"
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("where", "parts"),
    [
        ("--help", [f"{LAST}, lean", "--gamma", "of lean, gamma in [0, 2], 0.5 if not given"]),
        ("--objective=lean --gamma=1.5 --limit=20 --epochs=1", ["lean(gamma=1.5) on 20 test images"]),
        ("--objective=lean --gamma=3", ["gamma must lie in [0, 2], got 3"]),
        ("--objective=laen", [f"{LAST}, lean", "got 'laen'"]),
        ("--gamma=1", ["objective 'iwae' takes no parameters, got gamma"]),
        ("cockpit", ["'lean', 'infovae'", "Own β, α, γ", "lean(gamma=0.2), M = 1, K = 1"]),
        ("loss", ["True #8C8C8C"]),
    ],
)
def test_a_new_row_is_known(said, where, parts):
    for part in parts:
        assert part in " ".join(said[where].split())


@pytest.mark.parametrize("source", chapter.sources(), ids=lambda path: path.stem)
def test_what_a_chapter_prints_does_not_depend_on_what_else_is_in_the_table(source):
    """A new row touches no chapter: what it shows of the table, it names."""
    code = [cell.source for cell in chapter.read(source).cells if cell.cell_type == "code"]
    assert not [cell for cell in code if "objectives.TABLE" in cell]
