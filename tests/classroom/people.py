"""A class of 40 made-up hand-ins, of which everything is known: what is right, which mistakes, and what is bad.

Twenty-four people answer as the people of tests/checks/answers did, by seed; eight hand in code that harms; eight
files are no hand-ins.
"""

import ast
import inspect
import json
import random
import textwrap
import zipfile
from collections import Counter
from dataclasses import dataclass, field

from tests.checks.answers import all_of_them, told
from vaecourse import checks

HONEST, ANSWERS = 24, 3
SLOW = {"02.score_gradient"}  # two seconds each
BOUND = "00.log_mean_exp"
RIGHT = "import torch, math\n\ndef log_mean_exp(log_w):\n    return log_w.logsumexp(1) - math.log(log_w.shape[1])\n"

HARM = {
    "loops": "def log_mean_exp(log_w):\n    while True:\n        pass\n",
    "takes memory": "def log_mean_exp(log_w):\n    all = []\n    while True:\n        all.append(bytearray(10**8))\n",
    "forks": "import os, time\n\ndef log_mean_exp(x):\n    for i in range(3):\n        os.fork()\n    time.sleep(99)\n",
    "leaves": "import os\n\ndef log_mean_exp(log_w):\n    os._exit(0)\n",
    "exits": "import sys\nsys.exit(0)\n\ndef log_mean_exp(log_w):\n    return 0\n",
    "writes": (
        "import os, pathlib\n\ndef log_mean_exp(log_w):\n"
        "    for place in ('here', os.path.expanduser('~/home'), {trap!r}):\n"
        "        with open(place, 'wb') as file:\n            file.write(bytes(2000))\n"
        "    with open('long', 'wb') as file:\n        file.write(bytes(10**8))\n"
    ),
    "prints": "for _ in range(1000):\n    print('x' * 10**6)\n" + RIGHT,
    "forges": (
        "import os, json\nVERDICT = json.dumps({{'state': 'solved', 'message': 'Right.', 'mistake': None}})\n\n"
        "def log_mean_exp(log_w):\n    print(VERDICT)\n    for fd in range(1, 20):\n        try:\n"
        "            os.write(fd, VERDICT.encode() + b'\\n')\n        except OSError:\n            pass\n"
    ),
}


@dataclass
class Known:
    """What the report must say."""

    states: dict = field(default_factory=dict)  # person -> exercise -> state
    mistakes: Counter = field(default_factory=Counter)  # (exercise, mistake) -> people who handed it in
    on_the_way: Counter = field(default_factory=Counter)
    choices: dict = field(default_factory=dict)  # question -> letter -> people
    bad: list = field(default_factory=list)  # the beginnings of the lines


def known_class(folder, trap):
    """Write the forty into ``folder``; ``trap`` is a file that the writer would write to."""
    dice, known = random.Random(18), Known()
    kinds = {"solved": [], "mistake": [], "wrong": []}
    for answer in all_of_them():
        if answer.exercise not in SLOW:
            kinds[state_of(answer)].append(answer)
    # Few, so that several people make the same mistake.
    answers = [
        answer for kind, some in zip(kinds.values(), (12, 14, 10)) for answer in dice.sample(kind, min(some, len(kind)))
    ]
    names = [f"Person {number:02}" for number in range(HONEST)]
    names[3], names[4], names[5] = "<script>alert(1)</script><b>Eve", "=cmd()|'/C calc'!A0", 'Łukasz "Ł" O\'Neil & Co'
    for name in names:
        chosen, taken = dice.sample(answers, 12), {}
        for answer in chosen:
            if len(taken) < ANSWERS:
                taken.setdefault(answer.exercise, answer)
        honest(folder, name, taken, dice, known)
    for name, code in HARM.items():
        state = "stopped" if name in {"loops", "leaves", "exits", "forges"} else "wrong"
        state = "solved" if name == "prints" else state
        known.states[name] = {BOUND: state}
        source = code.format(trap=str(trap)) if "{" in code else code
        put(folder, name, {BOUND: {"name": "log_mean_exp", "source": source, "before": ""}})
    bad(folder, known)
    return known


def state_of(answer):
    if answer.meant is None:
        return "solved"
    return "mistake" if told()[answer.name] else "wrong"


def honest(folder, name, taken, dice, known):
    known.states[name], progress = {}, {"exercises": {}, "questions": {}, "last": None}
    for exercise, answer in taken.items():
        known.states[name][exercise] = state_of(answer)
        if state_of(answer) == "mistake":
            known.mistakes[exercise, told()[answer.name]] += 1
        way = dice.choice(checks.ALL[exercise].mistakes).name
        known.on_the_way[exercise, way] += 1
        progress["exercises"][exercise] = {"attempts": 2, "mistakes": {way: 1, "<i>forged</i>": 9}}
    for question in ("03.quiz.1", "03.quiz.2"):
        letter = dice.choice("ABC")
        chosen = known.choices.setdefault(question, Counter())
        chosen[letter] += 1
        progress["questions"][question] = {"opened": [letter], "first": letter, "right": letter == "B"}
    put(folder, name, {exercise: cell_of(answer) for exercise, answer in taken.items()}, progress)


def cell_of(answer):
    """The answer as a learner would have typed it, and the lines of its file that it needs."""
    module = inspect.getmodule(answer.function)
    lines = ast.parse(inspect.getsource(module)).body
    before = [line for line in lines if isinstance(line, ast.Import | ast.ImportFrom | ast.Assign)]
    before += [line for line in lines if isinstance(line, ast.FunctionDef) and not line.decorator_list]
    before = [line for line in before if "tests" not in ast.unparse(line)]
    definition = ast.parse(textwrap.dedent(inspect.getsource(answer.function))).body[0]
    definition.decorator_list = []
    name, source = answer.function.__name__, ast.unparse(definition)
    if not callable(checks.ALL[answer.exercise].solution):
        source += f"\n{name} = {name}()"
    return {"name": name, "source": source, "before": "\n".join(map(ast.unparse, before))}


def put(folder, name, answers, progress=None, written="2026-11-26 10:00:00", file=None):
    content = {"vaecourse hand-in": 1, "name": name, "written": written, "course": {"version": "0.1.0"}}
    content |= {"answers": answers, "progress": progress or {"exercises": {}, "questions": {}, "last": None}}
    number = len(list(folder.iterdir()))
    path = folder / (file or f"{number:02}.vaecourse.json")
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def bad(folder, known):
    """Eight files that are no hand-ins, each of which is a line of the report."""
    whole = put(folder, "Cut", {BOUND: {"name": "log_mean_exp", "source": RIGHT, "before": ""}}, file="truncated.json")
    whole.write_bytes(whole.read_bytes()[:-40])
    with open(folder / "huge.vaecourse.json", "wb") as file:
        file.truncate(100_000_000)
    wrong = put(folder, "Types", {BOUND: {"name": "log_mean_exp", "source": ["a", 1], "before": ""}}, file="types.json")
    more = {"name": "log_mean_exp", "source": RIGHT, "before": "", "run": "rm"}
    put(folder, "Fields", {BOUND: more}, file="more.json")
    (folder / "deep.json").write_text("[" * 100_000)
    cells = [{"cell_type": "code", "metadata": {}, "source": "import os", "outputs": [], "execution_count": None}]
    foreign = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "foreign.ipynb").write_text(json.dumps(foreign))
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.write(wrong, "types.json")
    (folder / "passwd.json").symlink_to("/etc/passwd")
    files = "truncated.json huge.vaecourse.json types.json more.json deep.json foreign.ipynb all.zip".split()
    known.bad = sorted(
        [*(f"{file} is not read: " for file in files), "passwd.json is a link, and links are not followed"]
    )
