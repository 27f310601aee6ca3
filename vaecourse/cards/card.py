"""The card of an exercise: the verdict, hints one by one, the solution after a pass or on giving up, where to go on."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets

from vaecourse import progress
from vaecourse.cards import data, parts, ways
from vaecourse.cards.judging import Judged, judge
from vaecourse.labs.shown import take_away, view_of
from vaecourse.labs.turns import in_turn

MARKS = {"missing": "Not run yet.", "empty": "", "ours": "Not yours yet.", "wrong": "Not yet.", "passed": "✓ Right."}
SHOW, SURE, COMPARE = "Show the solution", "Really? It counts as seen. Show it", "Compare with the solution"
OPEN = "The solution is open"
TRIES = {1: "at the first try", 2: "at the second try", 3: "at the third try"}
AGAIN = """<p>The cell as it was at the start, to copy into yours:</p>{stub}
<p>Or close this notebook and type, in a terminal in the course's folder,
<code>.venv/bin/python -m tools.edition again {name}</code>: it puts this one cell back, and keeps a copy of the
notebook as it was.</p>"""

_shown: dict[str, Card] = {}  # the latest card of each exercise; an older one goes when its cell is run again


def show(exercise: data.Exercise) -> Card:
    """Judge the answer in the notebook; the card says what came of it."""
    judged = judge(exercise)
    made = Card(exercise, judged)
    ways.renew()
    return made


class Card:
    """As the last line of a cell it shows itself. ``widget`` is what the cell shows; ``judged`` what it says."""

    @in_turn
    def __init__(self, exercise: data.Exercise, judged: Judged) -> None:
        self.exercise, self.judged = exercise, judged
        if (before := _shown.pop(exercise.name, None)) is not None:
            take_away(before.widget)
        _shown[exercise.name] = self
        kept = progress.read().exercises.get(exercise.name)
        self.open_hints = min(kept.hints, len(exercise.hints)) if kept else 0
        self.is_sure = False
        self._meta = ipywidgets.HTML(self._about())
        self._verdict = parts.said(self._judgement(), "vaecourse-verdict", f"vaecourse-{judged.kind}")
        self._hints = parts.column([], "vaecourse-hints")
        self._more = parts.column([], "vaecourse-more")
        self._aloud = parts.said("", "vaecourse-unseen")
        self._hint = parts.button("", lambda _: self.hint())
        self._solution = parts.button(COMPARE if self.is_solved else SHOW, lambda _: self.show_solution())
        self._again = parts.button("Start again", lambda _: self.start_again())
        self.widget: ipywidgets.VBox = self._arrange()
        self._show_hints()

    @property
    def is_solved(self) -> bool:
        """Whether an answer of this learner has passed, now or earlier."""
        kept = progress.read().exercises.get(self.exercise.name)
        return self.judged.kind == "passed" or bool(kept and kept.solved)

    @in_turn
    def hint(self) -> None:
        """Open the next hint."""
        if self.open_hints < len(self.exercise.hints):
            self.open_hints += 1
            self._tell(progress.hinted(self.exercise.name, self.open_hints))
            self._aloud.value = f"Hint {self.open_hints} is open."
        self._show_hints()

    @in_turn
    def show_solution(self) -> None:
        """Show the course's solution: at once after a pass, else when asked twice."""
        if not self.is_solved and not self.is_sure:
            self.is_sure, self._solution.description = True, SURE
            self._aloud.value = SURE
            return
        self._tell(progress.solution_seen(self.exercise.name))
        title = "<p><b>The course's solution</b>, beside yours: it is run nowhere in your notebook.</p>"
        self._show_more(title + parts.code(self.exercise.solution) + self.exercise.explained, f"{OPEN}.")
        self._solution.description = OPEN
        self._meta.value = self._about()
        ways.renew()

    @in_turn
    def start_again(self) -> None:
        """Say how the cell comes to be as at the start."""
        stub = parts.code(self.exercise.stub)
        self._show_more(AGAIN.format(stub=stub, name=self.exercise.name), "How to start again is written below.")
        self._solution.description = COMPARE if self.is_solved else SHOW

    def __repr__(self) -> str:
        mark = MARKS[self.judged.kind]
        said = f"{mark} {self.judged.message}".strip()
        return f"Exercise {self.exercise.number} · {self.exercise.title}: {said}"

    @in_turn
    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """The live card, and its verdict as text for where there is no kernel."""
        return view_of(self.widget, **kwargs) | {"text/plain": repr(self)}

    def _arrange(self) -> ipywidgets.VBox:
        title = f"<h4>Exercise {self.exercise.number} · {html.escape(self.exercise.title, quote=False)}</h4>"
        following = ways.after(self.exercise)
        boxes = [
            ipywidgets.HTML(title),
            self._meta,
            self._verdict,
            self._hints,
            parts.row([self._hint, self._solution, self._again]),
            self._more,
            *([parts.page(following)] if following else []),
            self._aloud,
        ]
        return parts.column(boxes, "vaecourse-card")

    def _about(self) -> str:
        exercise, kept = self.exercise, progress.read().exercises.get(self.exercise.name)
        minutes = f"{exercise.minutes} minute{'s' if exercise.minutes > 1 else ''}"
        parts_of_it = [*["pen and paper"] * exercise.pen_and_paper, exercise.difficulty, minutes]
        if kept and kept.solved:
            parts_of_it.append(f"solved {TRIES.get(kept.attempts, f'after {kept.attempts} tries')}")
        elif kept and kept.attempts:
            parts_of_it.append(f"tried {kept.attempts} time{'s' if kept.attempts > 1 else ''}")
        if kept and kept.solution_seen and not kept.alone:
            parts_of_it.append("solution seen")
        return f'<p class="vaecourse-about">{" · ".join(parts_of_it)}</p>'

    def _judgement(self) -> str:
        mark = MARKS[self.judged.kind]
        told = f"<br><small>{parts.words(self.judged.told)}</small>" if self.judged.told else ""
        return f"{f'<b>{mark}</b> ' if mark else ''}{parts.words(self.judged.message)}{told}"

    def _tell(self, told: str) -> None:
        if told:
            self._aloud.value = told
            self._meta.value = self._about() + f"<p>{html.escape(told)}</p>"

    def _show_hints(self) -> None:
        count = len(self.exercise.hints)
        for number in range(len(self._hints.children), self.open_hints):
            opening = f"Hint {number + 1} of {count} ·" if count > 1 else "Hint ·"
            hint = parts.prose(parts.opened(opening, self.exercise.hints[number]), "vaecourse-hint")
            self._hints.children = (*self._hints.children, hint)
        following = f"Hint {self.open_hints + 1} of {count}" if count > 1 else "Hint"
        ended = {1: "The hint is open", 2: "Both hints are open"}.get(count, f"All {count} hints are open")
        self._hint.description = following if self.open_hints < count else ended
        self._hint.layout.display = None if count else "none"

    def _show_more(self, markup: str, aloud: str) -> None:
        self._more.children = (parts.prose(markup, "vaecourse-shown"),)
        self._aloud.value = aloud
