"""What the learner's cards say, taken from a chapter: vaecourse/cards/data/NN.json, which ``make chapters`` writes.

Exercises with their hints, stub and solution, the quiz and the questions of recall; prose as HTML, formulas left as
$..$, which JupyterLab typesets.
"""

from __future__ import annotations

import ast
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from tools import chapter, questions, visible, withheld
from tools.ruling import Finding, rule
from vaecourse import files

FOLDER = chapter.ROOT / "vaecourse/cards/data"


def of(source: Path, notebook: NotebookNode | None = None) -> dict[str, Any]:
    """The cards of the chapter at ``source``; ``ChapterError`` where a card cannot be read."""
    cells = (notebook or chapter.read(source)).cells
    return {
        "notebook": source.with_suffix(".ipynb").name,
        "title": next((line[2:] for line in cells[0].source.splitlines() if line.startswith("# ")), ""),
        "imports": imports(cells),
        "exercises": dict(_exercises(source, cells)),
        "quiz": _asked(cells, "quiz"),
        "recall": _asked(cells, "recall"),
    }


def imports(cells: list[NotebookNode]) -> str:
    """What the chapter imports, and nothing else of it: in a namespace with these an answer runs by itself."""
    lines = [line for cell in cells if cell.cell_type == "code" for line in ast.parse(cell.source).body]
    return "\n".join(
        dict.fromkeys(ast.unparse(line) for line in lines if isinstance(line, ast.Import | ast.ImportFrom))
    )


def _exercises(source: Path, cells: list[NotebookNode]) -> Iterator[tuple[str, dict[str, Any]]]:
    card: dict[str, Any] = {}
    for index, cell in enumerate(cells):
        kinds = set(chapter.tags(cell))
        if "exercise" in kinds:
            card = _card(source, index, cell)
        elif "stub" in kinds:
            card["stub"] = cell.source
        elif "check" in kinds and card and (check := chapter.check_of(cell)):
            name, card["answer"] = check
            yield name, card
        elif "solution" in kinds and card:
            more = without_verdict(cell.source) if cell.cell_type == "code" else rendered(cell.source)
            part = "solution" if cell.cell_type == "code" else "explained"
            card[part] = f"{card.get(part, '')}\n\n{more}".strip()


def _card(source: Path, index: int, cell: NotebookNode) -> dict[str, Any]:
    """What an exercise's text says beside the task."""
    found = questions.card(cell.source)
    if found is None:
        raise chapter.ChapterError(
            f"{source.stem}, {chapter.place(index, cell)} begins no exercise as the course writes it: "
            "### Exercise 2 · The bound (easy, 5 minutes)"
        )
    return {
        "number": found.number,
        "title": found.title,
        "cell": cell.id,
        "pen_and_paper": found.on_paper,
        "difficulty": found.difficulty,
        "minutes": found.minutes,
        "hints": [rendered(hint) for _, hint in questions.hints(cell.source)],
    }


def without_verdict(solution: str) -> str:
    """A solution's lines up to those that judge it: what comes from there on is the teacher's evidence."""
    for line in ast.parse(solution).body:
        if any(isinstance(node, ast.Name) and node.id == "verdict" for node in ast.walk(line)):
            solution = "\n".join(solution.splitlines()[: line.lineno - 1])
            break
    return visible.without_assertions(solution).strip()


# Questions -----------------------------------------------------------------------------------------------------------


def _asked(cells: list[NotebookNode], tag: str) -> list[dict[str, Any]]:
    text = "\n\n".join(cell.source for cell in cells if tag in chapter.tags(cell))
    return [_question(*question) for question in asked(text)[1]]


def asked(text: str) -> tuple[str, list[tuple[str | None, str]]]:
    """What stands before the questions of a quiz, and each of them: the chapter that it is from, and its text."""
    before, *_ = re.split(r"^\*\*1 ·", text, maxsplit=1, flags=re.MULTILINE)
    found = [re.fullmatch(r"(?:\(from (\d\d)\)\*\* )?(.*)", one, re.DOTALL) for one in questions.asked(text)]
    return before.strip(), [(one[1], one[2].strip()) for one in found if one]


def _question(origin: str | None, text: str) -> dict[str, Any]:
    return {
        "from": origin,
        "text": rendered(text.split("<details>")[0]),
        "choices": [
            {"letter": letter, "text": in_words(summary), "right": questions.is_right(why), "reason": rendered(why)}
            for letter, summary, why in questions.choices(text)
        ],
    }


def in_words(markup: str) -> str:
    """A choice as a button can show it."""
    return html.unescape(re.sub(r"<[^>]+>|[`*]", "", markup))


def rendered(markdown: str) -> str:
    """Markdown as HTML, its formulas as they stand there."""
    from markdown_it import MarkdownIt  # a learner's environment need not have the second
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    parser = MarkdownIt("commonmark", {"html": True}).enable("table").use(dollarmath_plugin, double_inline=True)
    for kind, mark in (("math_inline", "$"), ("math_inline_double", "$$"), ("math_block", "$$")):
        parser.add_render_rule(
            kind, lambda _, tokens, i, *rest, mark=mark: f"{mark}{html.escape(tokens[i].content)}{mark}"
        )
    made: str = parser.render(markdown.strip())
    return made.strip()


# The files -----------------------------------------------------------------------------------------------------------


def path_of(source: Path) -> Path | None:
    """Where the cards of a chapter are; a chapter elsewhere than in chapters/ has none."""
    return FOLDER / f"{source.name[:2]}.json" if source.resolve().parent == chapter.CHAPTERS else None


def write(source: Path) -> None:
    """Write the cards of a chapter, if they are others than before."""
    path = path_of(source)
    if path is not None and (new := _text(of(source))) != _stored(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(path, new)


def _text(cards: dict[str, Any]) -> bytes:
    return (json.dumps(cards, indent=1, ensure_ascii=False) + "\n").encode()


def _stored(path: Path) -> bytes | None:
    return path.read_bytes().replace(b"\r\n", b"\n") if path.is_file() else None


@rule
def answers_are_the_learners(found: chapter.Chapter) -> Iterator[Finding]:
    """No cell but the learner's gives the name of an answer a value: after it, a card would judge something else."""
    answers = {check[1]: check[0] for _, cell in found.tagged("check") if (check := chapter.check_of(cell))}
    for i, cell in found.code:
        if not {"stub", "solution"} & set(chapter.tags(cell)):
            for name in sorted(answers.keys() & withheld.names(cell.source)[1]):
                yield i, f"gives `{name}` a value, which is the answer to {answers[name]}: take another name"


@rule
def cards_agree(found: chapter.Chapter) -> Iterator[Finding]:
    """What the learner's cards say is what the chapter says."""
    path = path_of(found.source)
    try:
        now = _text(of(found.source, found.notebook))
    except chapter.ChapterError as unread:
        yield None, f"has a card that cannot be read: {unread}"
        return
    if path is not None and now != _stored(path):
        yield None, f"says something else than {path.relative_to(chapter.ROOT).as_posix()}; run `make chapters`"
