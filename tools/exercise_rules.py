"""Rules of what a learner reads, does and is asked: one function = one rule, as in rules.py."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nbformat import NotebookNode

from tools import lengths, questions, visible
from tools.chapter import Chapter, shown, sources, stored, tags
from tools.ruling import Finding, rule

LINES = 15  # of code in a cell that a learner reads
COLUMNS = 88  # of a line of it: what JupyterLab shows without scrolling beside its list of files
WIDTH = 120  # of a line of code that is folded
EXERCISES = 4  # fewest in a chapter
ON_PAPER = 2  # fewest of them with pen and paper
HINTS = 2  # fewest on a card
RECALLED = 2  # questions from before
HEADING = "### Exercise 2 · The bound (easy, 5 minutes)"
STUB = '`answer_name = ...  # a number`, `# a letter, "A" to "D"` or `# the letters in order, "BCA"`'
BEFORE_YOU_BEGIN = "## Before you begin: two questions from before"


@rule
def cells_are_short(chapter: Chapter) -> Iterator[Finding]:
    """A learner reads at most fifteen lines of code at a time, and each without scrolling."""
    for i, cell in chapter.code:
        seen = visible.lines(cell)
        if len(seen) > LINES:
            yield i, f"has {len(seen)} lines; at most {LINES}: split it, or fold the plumbing away"
        most = COLUMNS if seen else WIDTH
        for line in seen or cell.source.splitlines():
            if len(line) > most:
                yield i, f"has a line of {len(line)} characters; at most {most}: {line.strip()[:30]}..."


# Exercises -----------------------------------------------------------------------------------------------------------


@rule
def exercises(chapter: Chapter) -> Iterator[Finding]:
    """An exercise is a card, a stub, its check and the folded solution, in this order, and there are enough of them."""
    order = ["exercise", "stub", "check", "solution"]
    steps = [(i, kind) for i, cell in enumerate(chapter.notebook.cells) for kind in order if kind in tags(cell)]
    for step, (i, kind) in enumerate(steps):
        before = steps[step - 1][1] if step else "solution"
        if before not in _BEFORE[kind]:
            yield i, f"is tagged `{kind}` after `{before}`; the order is {' -> '.join(order)}"
    if steps and steps[-1][1] != "solution":
        yield steps[-1][0], f"is tagged `{steps[-1][1]}` and no solution follows"
    if (found := sum(kind == "stub" for _, kind in steps)) < EXERCISES:
        yield None, f"has {found} exercises (cells tagged `stub`); it needs at least {EXERCISES}"


_BEFORE = {"exercise": {"solution"}, "stub": {"exercise"}, "check": {"stub"}, "solution": {"check", "solution"}}


@rule
def checks_speak(chapter: Chapter) -> Iterator[Finding]:
    """As stored, a stub is told kindly that it is not solved, and a solution passes."""
    for i, cell in chapter.tagged("check"):
        if not re.search(rf"checks\.ALL\[.{chapter.number}\.", cell.source):
            yield i, f'is tagged `check` and calls no checks.ALL["{chapter.number}. ..."]'
        elif "Not solved yet" not in shown(cell):
            yield i, "does not show 'Not solved yet': the stub must run as it stands and return None or ..."
    for i, cell in chapter.tagged("solution"):
        if cell.cell_type == "code" and "Passed" not in shown(cell):
            yield i, "does not show 'Passed': end the solution with its check"


@rule
def cards(chapter: Chapter) -> Iterator[Finding]:
    """A card says its number, how hard it is in a word, and its minutes; its hints are numbered, from a question on."""
    found = chapter.tagged("exercise")
    for number, (i, cell) in enumerate(found, 1):
        card = questions.card(cell.source)
        if card is None:
            yield i, f"has no heading like {HEADING!r}, or `(pen and paper, medium, 4 minutes)`"
        elif card.number != number:
            yield i, f"is exercise {card.number} and the {number}. of the chapter; number them as they come"
        yield from ((i, fault) for fault in _faults_of_hints(questions.hints(cell.source)))


def _faults_of_hints(hints: list[tuple[str, str]]) -> Iterator[str]:
    names = [name for name, _ in hints]
    if names != [f"Hint {n}" for n in range(1, len(names) + 1)] or len(names) < HINTS:
        yield f"has the hints {names}; at least {HINTS} are wanted, `<summary>Hint 1</summary>`, `Hint 2` and so on"
    elif "?" not in hints[0][1]:
        yield "has a first hint that asks nothing; it is a question, and the last one nearly the answer"
    for name, text in hints:
        if "$" in text and not (text.startswith("\n\n") and text.endswith("\n\n")):
            yield f"has formulas in {name!r}; only with a blank line before and after its text are they shown"


@rule
def pen_and_paper(chapter: Chapter) -> Iterator[Finding]:
    """At least two exercises ask for a number, a letter or an order, found with pen and paper."""
    found = 0
    cells = chapter.notebook.cells
    for i, cell in chapter.tagged("exercise"):
        card = questions.card(cell.source)
        if card and card.on_paper:
            found += 1
            stub = next((cell for cell in cells[i + 1 :] if "stub" in tags(cell)), None)
            if stub is None or not re.fullmatch(r"\w+ = \.\.\.  # .+", stub.source.strip()):
                yield i, f"is of pen and paper, so its stub is one value: {STUB}"
    if found < ON_PAPER:
        yield None, f"has {found} exercises of pen and paper; it needs at least {ON_PAPER}"


# Questions -----------------------------------------------------------------------------------------------------------


@rule
def quiz(chapter: Chapter) -> Iterator[Finding]:
    """A chapter asks two to four questions, and each choice explains itself where it is opened."""
    found = chapter.tagged("quiz")
    if len(found) > 1 or not found:
        yield None, f"has {len(found)} cells tagged `quiz`; it needs one, before the recap"
    for i, cell in found:
        asked = questions.asked(cell.source)
        if not 2 <= len(asked) <= 4:
            yield i, f"asks {len(asked)} questions, each from `**1 ·** ` on; 2 to 4 are wanted"
        for number, question in enumerate(asked, 1):
            yield from ((i, f"has in question {number} {fault}") for fault in questions.faults_of(question))
        choices = [choice for question in asked for choice in questions.choices(question)]
        rights = [letter for letter, _, text in choices if questions.is_right(text)]
        if len(rights) > 1 and len(set(rights)) == 1:
            yield i, f"has {rights[0]} as the right answer every time; move one"


@rule
def recall(chapter: Chapter) -> Iterator[Finding]:
    """All chapters but the first open with two questions from earlier ones, right before their first section."""
    found = chapter.tagged("recall")
    if len(found) != (wanted := int(chapter.number != "00")):
        yield None, f"has {len(found)} cells tagged `recall`; it needs {wanted}"
    for i, cell in found:
        asked = questions.asked(cell.source)
        if not cell.source.startswith(BEFORE_YOU_BEGIN):
            yield i, f"asks what is known from before and does not begin with {BEFORE_YOU_BEGIN!r}"
        if any(map(_is_section, chapter.notebook.cells[:i])):
            yield i, "asks what is known from before and stands behind the first section; it comes before it"
        if len(asked) != RECALLED:
            yield i, f"asks {len(asked)} questions, each from `**1 · (from 01)** ` on; {RECALLED} are wanted"
        for number, question in enumerate(asked, 1):
            of = re.match(r"\(from (\d\d)\)\*\* ", question)
            if not of or of[1] >= chapter.number:
                yield i, f"has in question {number} no earlier chapter; it begins like **{number} · (from 01)**"
            yield from ((i, f"has in question {number} {fault}") for fault in questions.faults_of(question))


def _is_section(cell: NotebookNode) -> bool:
    is_text = cell.cell_type == "markdown" and "instructor" not in tags(cell)
    return is_text and bool(re.search(r"^## ", cell.source, flags=re.MULTILINE))


# Minutes -------------------------------------------------------------------------------------------------------------


@rule
def pauses(chapter: Chapter) -> Iterator[Finding]:
    """A part ends with a sentence on what one has and one on what comes, and something comes."""
    for number, (i, cell) in enumerate(chapter.tagged("pause"), 1):
        begins = f"**A natural pause.** Part {number} ends here:"
        if cell.cell_type != "markdown" or not " ".join(cell.source.split()).startswith(begins):
            yield i, f"is tagged `pause` and does not begin with {begins!r}"
        if not any(map(_is_section, chapter.notebook.cells[i + 1 :])):
            yield i, "is tagged `pause` and no section comes after it"


@rule
def honest_minutes(chapter: Chapter) -> Iterator[Finding]:
    """The title says what a chapter takes as tools.minutes counts it, and no part takes more than a hundred minutes."""
    found = lengths.parts(chapter.notebook)
    if (said := lengths.sentence(found)) not in " ".join(chapter.notebook.cells[0].source.split()):
        yield 0, f"does not say {said}, which is what it takes; {_WRITE}"
    for number, part in enumerate(found, 1):
        if part.together > lengths.LONGEST:
            yield (
                None,
                f"has {part.together} minutes in part {number}; at most {lengths.LONGEST}: cut, or tag a `pause`",
            )


_WRITE = "run `python -m tools.minutes write`"


@rule
def minutes_of_the_map(chapter: Chapter) -> Iterator[Finding]:
    """A table of chapters with their minutes has those that tools.minutes counts, and every chapter."""
    for i, cell in enumerate(chapter.notebook.cells):
        rows = list(lengths.rows(cell.source)) if cell.cell_type == "markdown" else []
        there = {source.name[:2]: source for source in sources(folder=chapter.source.parent)} if rows else {}
        for number, said, _ in rows:
            takes = lengths.on_the_map(lengths.parts(stored(there.pop(number)))) if number in there else "no chapter"
            if said != takes:
                yield i, f"has {said!r} as the minutes of {number}, which is {takes}; {_WRITE}"
        if there:
            yield i, f"has no row for {', '.join(there)} in its table of chapters"
