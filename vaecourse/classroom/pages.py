"""The teacher's files: a page, a slide, a table for the gradebook, and all of it as JSON for other programs.

Every word in them that a learner wrote is shown as a word: escaped in a page, and in a table never a formula.
"""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vaecourse import files
from vaecourse.classroom.counting import Made, Report, quiz_score
from vaecourse.classroom.judging import Judged

MARK, VERSION = "vaecourse class", 1
PAGE, SLIDE, TABLE, DATA = "class.html", "class-slide.html", "class.csv", "class.json"
FIRST = ("person", "handed in", "files", "course", "solved", "of", "quiz right", "quiz answered")
SIGNS = {"solved": ("✓", "solved"), "mistake": ("✗", "a known mistake"), "wrong": ("~", "not right")}
SIGNS |= {"empty": ("·", "not begun"), "stopped": ("!", "stopped")}
ON_A_SLIDE = 4  # mistakes, in letters of 24 pixels on 720 lines
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 80rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; } .wide { overflow-x: auto; }
th, td { border: 1px solid #8886; padding: .25rem .6rem; text-align: left; vertical-align: top; }
td.sign { text-align: center; } th.up { font-weight: 500; font-size: .85rem; }
.solved { background: #009e7340; } .mistake { background: #d55e0040; } .wrong, .stopped { background: #e69f0040; }
"""
ON_SLIDE = """
html, body { margin: 0; background: #fff; color: #1a1a1a; font: 24px/1.3 system-ui, sans-serif; }
section { box-sizing: border-box; width: 1280px; height: 720px; padding: 36px 56px; overflow: hidden; margin: auto; }
h1 { font-size: 40px; margin: 0 0 20px; } ol { margin: 0; padding-left: 1.4em; } li { margin-bottom: 16px; }
p { margin: 2px 0 0; } .many { color: #a04700; font-weight: 600; }
"""


def write(found: Report, folder: Path) -> list[Path]:
    """Write the four files; return them. A stranger's file of such a name is refused, a changed one is kept."""
    table = _table(found)
    contents = {
        TABLE: table,
        PAGE: files.signed(_page(found)),
        SLIDE: files.signed(_slide(found)),
        DATA: _signed(data(found) | {"table": hashlib.sha256(table).hexdigest()}),
    }
    with files.locked(folder / DATA, "writing the report of a class", wait=30):
        for name, content in contents.items():
            files.write(folder / name, content, kind(folder / name))
    return [folder / name for name in contents]


def refuse(folder: Path) -> None:
    """Raise ``NotOurs`` where one of the files is somebody's: before the answers are run, not after."""
    for name in (TABLE, PAGE, SLIDE, DATA):
        files.refuse(folder / name, kind(folder / name))


# What is in them -----------------------------------------------------------------------------------------------------


def data(found: Report) -> dict[str, Any]:
    """All of it; ``mistakes`` is what a deck of slides needs."""
    return {
        MARK: VERSION,
        "made": found.made,
        "version": found.version,
        "exercises": found.exercises,
        "people": [
            {
                "name": person.name,
                "handed in": person.hand_in.written,
                "files": list(person.sources),
                "course": person.hand_in.course,
                "verdicts": {name: vars(one) for name, one in own.items()},
            }
            for person, own in zip(found.people, found.verdicts, strict=True)
        ],
        "mistakes": [vars(made) | {"people": made.people} for made in found.mistakes],
        "questions": [vars(question) for question in found.questions],
        "lines": found.lines,
    }


def _table(found: Report) -> bytes:
    """A row for each person, a column for each exercise; Excel, too, reads it as UTF-8."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow([*FIRST, *found.exercises])
    for place, (person, own) in enumerate(zip(found.people, found.verdicts, strict=True)):
        course = " ".join(person.hand_in.course.values())
        row = [person.name, person.hand_in.written, " ".join(person.sources), course]
        row += [str(found.solved(place)), str(len(found.exercises))]
        row += map(str, quiz_score(person))
        rows.writerow(map(harmless, [*row, *(_word(own.get(name)) for name in found.exercises)]))
    return b"\xef\xbb\xbf" + written.getvalue().encode()


def harmless(cell: str) -> str:
    """A cell that no program for tables takes for a formula, nor a part of it one that parts cells at ; or tabs."""
    return re.sub(r"(^|[;\t\r\n])(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])|^(?=[\t\r\n])", r"\1'", cell)


def _word(one: Judged | None) -> str:
    if one is None or one.state == "empty":
        return ""
    return f"mistake: {one.mistake}" if one.state == "mistake" else one.state


def _page(found: Report) -> str:
    parts = [
        f"<h1>The class: {len(found.people)} people</h1>",
        f"<p>Made {_e(found.made)} by version {_e(found.version)} of the course, which ran each answer again. What is "
        "said to be <em>on the way</em>, and the choices in the quizzes, are what the learners' own files say.</p>",
        "<h2>The most common mistakes</h2>",
        *_mistakes(found.mistakes),
        "<h2>Who solved what</h2>",
        "<p>" + ", ".join(f"{sign} {word}" for sign, word in SIGNS.values()) + ". An empty cell: not handed in.</p>",
        *_people(found),
        *(part for chapter in _chapters(found) for part in _of_chapter(found, chapter)),
        "<h2>The quizzes: first choices</h2>",
        *_quizzes(found),
        "<h2>What else there is to say</h2>",
        *([_list(found.lines)] if found.lines else ["<p>Every file was read.</p>"]),
    ]
    return _html("The class", STYLE, "\n".join(parts))


def _mistakes(mistakes: Sequence[Made]) -> Iterator[str]:
    if not mistakes:
        yield "<p>Nobody made a mistake that has a name.</p>"
        return
    head = ["people", "handed in", "on the way", "exercise", "mistake", "what it is told"]
    rows = [
        [str(made.people), str(len(made.handed_in)), str(len(made.on_the_way)), made.exercise, made.name, made.message]
        for made in mistakes
    ]
    yield f'<table id="mistakes">{_row(head, "th")}{"".join(_row(row) for row in rows)}</table>'


def _chapters(found: Report) -> list[str]:
    return list(dict.fromkeys(name[:2] for name in found.exercises))


def _people(found: Report) -> Iterator[str]:
    """A row for each person, a column for each chapter."""
    columns = {chapter: [name for name in found.exercises if name[:2] == chapter] for chapter in _chapters(found)}
    yield f'<div class="wide"><table id="people">{_row(["person", "solved", *columns], "th")}'
    for place, (person, own) in enumerate(zip(found.people, found.verdicts, strict=True)):
        parts = [(sum(_is_solved(own, name) for name in names), len(names)) for names in columns.values()]
        yield _row([person.name, str(found.solved(place)), *(f"{n} of {most}" if n else "" for n, most in parts)])
    yield "</table></div>"


def _is_solved(own: Mapping[str, Judged], name: str) -> bool:
    return name in own and own[name].state == "solved"


def _of_chapter(found: Report, chapter: str) -> Iterator[str]:
    """The table of one chapter: a row for each person who handed in something of it, a sign for each exercise."""
    names = [name for name in found.exercises if name[:2] == chapter]
    head = "".join(f'<th class="up" scope="col">{_e(name[3:])}</th>' for name in names)
    rows = []
    for person, own in zip(found.people, found.verdicts, strict=True):
        if not own.keys() & set(names):
            continue
        solved = sum(_is_solved(own, name) for name in names)
        cells = "".join(_sign(own.get(name)) for name in names)
        rows.append(f'<tr><th scope="row">{_e(person.name)}</th><td>{solved} of {len(names)}</td>{cells}</tr>')
    everybody = [sum(_is_solved(own, name) for own in found.verdicts) for name in names]
    rows.append(_row(["solved by", str(sum(everybody)), *map(str, everybody)], "th"))
    yield f"<h3>Chapter {chapter}</h3>"
    yield f'<div class="wide"><table id="chapter-{chapter}"><tr><th>person</th><th>solved</th>{head}</tr>'
    yield f"{''.join(rows)}</table></div>"


def _sign(one: Judged | None) -> str:
    if one is None:
        return "<td></td>"
    sign, word = SIGNS[one.state]
    told = _e(f"{one.mistake or word}: {one.message}")
    return f'<td class="sign {one.state}" title="{told}"><span role="img" aria-label="{told}">{sign}</span></td>'


def _quizzes(found: Report) -> Iterator[str]:
    if not found.questions:
        yield "<p>No choices were handed in.</p>"
        return
    rows = []
    for question in found.questions:
        chosen = [f"{letter}{' ✓' if letter == question.right else ''}: {n}" for letter, n in question.chosen.items()]
        rows.append(_row([question.question, str(sum(question.chosen.values())), " · ".join(chosen)]))
    yield f'<table id="quizzes">{_row(["question", "people", "chosen first"], "th")}{"".join(rows)}</table>'


def _slide(found: Report) -> str:
    """One slide of 1280 x 720 for the beginning of the next hour; no person is named on it."""
    shown = [
        f'<li><span class="many">{made.people} of {len(found.people)}</span> · {_e(made.exercise)} · '
        f"<strong>{_e(_cut(made.name, 50))}</strong><p>{_e(_cut(made.message, 170))}</p></li>"
        for made in found.mistakes[:ON_A_SLIDE]
    ]
    listed = f"<ol>{''.join(shown)}</ol>" if shown else "<p>Nobody made a mistake that has a name.</p>"
    body = f"<section>\n<h1>The most common mistakes today</h1>\n{listed}\n</section>"
    return _html("The most common mistakes today", ON_SLIDE, body)


def _cut(words: str, most: int) -> str:
    """So many letters of it, up to the end of a word."""
    return words if len(words) <= most else words[:most].rpartition(" ")[0].rstrip(",;:") + " …"


def _html(title: str, style: str, body: str) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{_e(title)}</title>'
    guard = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}{guard}<style>{style}</style></head>\n<body>{body}</body></html>'
    )


def _row(cells: Sequence[str], kind: str = "td") -> str:
    return "<tr>" + "".join(f"<{kind}>{_e(cell)}</{kind}>" for cell in cells) + "</tr>"


def _list(lines: Sequence[str]) -> str:
    return '<ul id="lines">' + "".join(f"<li>{_e(line)}</li>" for line in lines) + "</ul>"


_e = html.escape


# Whose they are ------------------------------------------------------------------------------------------------------


def _signed(content: dict[str, Any]) -> bytes:
    """The data with the sum of their text, by which a change is seen."""
    total = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return (json.dumps(content | {"sum": total}, indent=1, ensure_ascii=False) + "\n").encode()


def read(path: Path) -> dict[str, Any] | None:
    """The data of a report, None if the file is no such."""
    try:
        found = json.loads(files.content(path, files.LONGEST_TEXT))
        return found if found[MARK] == VERSION else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _is_as_written(path: Path) -> bool:
    found = read(path) or {}
    total = found.pop("sum", None)
    return total == hashlib.sha256(json.dumps(found).encode()).hexdigest()


def kind(path: Path) -> files.Kind:
    """What the file of this name is, when it is ours."""
    if path.name == DATA:
        return files.Kind("a report of this course's", lambda path: read(path) is not None, _is_as_written)
    if path.name == TABLE:
        return files.Kind("a table of this course's", _is_table, _is_table_of_data)
    return files.TEXT


def _is_table(path: Path) -> bool:
    with files.opened(path) as file:
        return file.read(200).startswith(b"\xef\xbb\xbf" + ",".join(FIRST).encode())


def _is_table_of_data(path: Path) -> bool:
    found = read(path.with_name(DATA)) or {}
    return found.get("table") == hashlib.sha256(files.content(path, files.LONGEST_TEXT)).hexdigest()
