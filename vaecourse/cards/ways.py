"""The line at the top of a chapter and the map of all: what is solved, and links to where one goes on.

Both are HTML that JupyterLab shows itself, so a link opens the notebook; whatever is noted in this kernel renews them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from IPython import get_ipython
from IPython.display import display

from vaecourse import progress
from vaecourse.cards import data
from vaecourse.labs.turns import in_turn

ALL = "all"
STYLE = """<style>
.vaecourse-way { display: flex; align-items: center; justify-content: space-between; gap: 18px; padding: 8px 14px;
  border: 1px solid var(--jp-border-color2, #ccc); border-radius: 8px; font-size: 15px; }
.vaecourse-way > * { max-width: 27%; }
.vaecourse-way > .vaecourse-done { flex: 1 1 0; max-width: none; text-align: center; }
.vaecourse-way > .vaecourse-done + * { text-align: right; }
.vaecourse-way > .vaecourse-done a { text-decoration: underline; }
table.vaecourse-map.vaecourse-map { margin: 0; border-collapse: collapse; font-size: 15px; }
table.vaecourse-map.vaecourse-map :is(th, td) { padding: 4px 14px 4px 4px; text-align: left; }
</style>"""

_displayed: list[str] = []  # the numbers of the chapters whose line is shown in this kernel, or ALL


@in_turn
def show(which: str) -> None:
    """Show a chapter's line, or with ``ALL`` the map; it is renewed from then on."""
    if which not in _displayed:
        _displayed.append(which)
    if get_ipython() is None:
        print(_bundle(which)["text/plain"])
    else:
        display(_bundle(which), raw=True, display_id=f"vaecourse-way-{which}")


@in_turn
def renew() -> None:
    """Bring what is shown up to date with what is noted."""
    for which in _displayed if get_ipython() is not None else ():
        display(_bundle(which), raw=True, display_id=f"vaecourse-way-{which}", update=True)


def after(exercise: data.Exercise) -> str:
    """A link to the exercise behind this one, or to the next chapter; nothing behind the last."""
    number = exercise.name[:2]
    following = [one for one in data.chapter(number).exercises.values() if one.number > exercise.number]
    if following:
        return f"<p>Next: {_to(number, following[0].cell, f'exercise {following[0].number}')}&nbsp;→</p>"
    later = [other for other in data.numbers() if other > number]
    return f"<p>Next: {_to(later[0], '', data.chapter(later[0]).short)}&nbsp;→</p>" if later else ""


def solved(number: str, kept: progress.Progress) -> tuple[int, int]:
    """How many exercises of a chapter are solved, of how many."""
    names = data.chapter(number).exercises
    return sum(bool(name in kept.exercises and kept.exercises[name].solved) for name in names), len(names)


def right(number: str, kept: progress.Progress) -> tuple[int, int]:
    """How many questions of a chapter's quiz were right at the first choice, of how many."""
    names = [question.name for question in data.chapter(number).quiz]
    return sum(bool(name in kept.questions and kept.questions[name].right) for name in names), len(names)


def _bundle(which: str) -> dict[str, str]:
    kept = progress.read()
    markup = _map(kept) if which == ALL else _line(which, kept)
    plain = " ".join(html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", markup, flags=re.DOTALL)).split())
    return {"text/html": markup, "text/plain": plain}


def _line(number: str, kept: progress.Progress) -> str:
    every, place = data.numbers(), data.numbers().index(number)
    before = f"<span>←&nbsp;{_to(every[place - 1], '', data.chapter(every[place - 1]).short)}</span>" if place else ""
    behind = every[place + 1 : place + 2]
    later = f"<span>{_to(behind[0], '', data.chapter(behind[0]).short)}&nbsp;→</span>" if behind else ""
    done, count = solved(number, kept)
    said = [f"Chapter {number}", f"<b>{done} of {count} solved</b>", *_scores(number, kept), *_next(number, kept)]
    told = f"<br>{html.escape(kept.told)}" if kept.told else ""
    middle = f'<span class="vaecourse-done">{" · ".join(said)}{told}</span>'
    return f'{STYLE}<nav class="vaecourse-way" aria-label="Chapter {number}">{before}{middle}{later}</nav>'


def _scores(number: str, kept: progress.Progress) -> list[str]:
    """The quiz, once a question of it is answered."""
    names = [question.name for question in data.chapter(number).quiz]
    if not any(name in kept.questions for name in names):
        return []
    return ["quiz {} of {}".format(*right(number, kept))]


def _next(number: str, kept: progress.Progress) -> Iterator[str]:
    """A link to where one goes on in this chapter, if an exercise of it is left."""
    exercises = data.chapter(number).exercises
    if (name := progress.unsolved(kept, exercises)) is not None:
        begun = any(one in kept.exercises for one in exercises)
        words = f"exercise {exercises[name].number}"
        yield f"{'go on at' if begun else 'begin with'} {_to(number, exercises[name].cell, words)}"


def _map(kept: progress.Progress) -> str:
    rows = []
    for number in data.numbers():
        done, count = solved(number, kept)
        ticks = "✓" * done + "·" * (count - done)
        cells = [
            _to(number, "", data.chapter(number).short),
            f'<span aria-hidden="true">{ticks} </span>{done} of {count} solved',
            ", ".join(_scores(number, kept)).removeprefix("quiz "),
        ]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "<tr><th>chapter</th><th>exercises</th><th>quiz, at the first choice</th></tr>"
    told = f"<p>{html.escape(kept.told)}</p>" if kept.told else ""
    return f'{STYLE}<table class="vaecourse-map">{head}{"".join(rows)}</table>{_last(kept)}{told}'


def _last(kept: progress.Progress) -> str:
    """A link to where the learner stopped."""
    number = (kept.last or "")[:2]
    if number not in data.numbers():
        return ""
    exercise = data.chapter(number).exercises.get(kept.last or "")
    at = f", exercise {exercise.number}" if exercise else ""
    return f"<p>You stopped at {_to(number, exercise.cell if exercise else '', f'chapter {number}{at}')}.</p>"


def _to(number: str, cell: str, words: str) -> str:
    """A link into a chapter's notebook, to a cell there if one is named."""
    fragment = f"#cell-id={cell}" if cell else ""
    return f'<a href="{data.chapter(number).notebook}{fragment}">{html.escape(words, quote=False)}</a>'
