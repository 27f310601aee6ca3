"""A new lab, exercise or chapter: the files that its page in docs/ names. They work; what is yours says "To fill in:".

    python -m tools.scaffold lab 02.weights --class WeightCurve
    python -m tools.scaffold exercise 03.my_bound
    python -m tools.scaffold chapter 09-flows --title "Normalising flows"

The texts are those of tools/templates/, where {{word}} stands for what differs. Nothing that is there is replaced, and
a file that gets a line gets no other change. All of it is written, or nothing.
"""

from __future__ import annotations

import argparse
import ast
import json
import keyword
import os
import re
import textwrap
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tools import all_or_none, chapter, ending
from vaecourse import files

TEMPLATES = Path(__file__).with_name("templates")
PLACES = (
    "vaecourse",
    "chapters",
    "tests/labs",
    "README.md",
    "book.yml",
    ".github/ISSUE_TEMPLATE",
)  # of what is to fill in
LABS, README, BOOK, TEACHING = "vaecourse/labs/__init__.py", "README.md", "book.yml", "chapters/teaching.md"
FORM = ".github/ISSUE_TEMPLATE/wrong-statement.yml"
MINUTES = 5  # of an exercise, as its card has it
ON_PAPER = 2  # of a new chapter's exercises, the last ones
BESIDE_THEM = 10  # minutes for its lab and its questions
FIRST = "first second third fourth"  # a chapter's exercises, if they are not named


class Draft:
    """The files as they will be. Nothing is written before ``write``."""

    def __init__(self, root: Path = chapter.ROOT) -> None:
        self.root = root
        self.before: dict[Path, bytes | None] = {}
        self.after: dict[Path, bytes] = {}

    def text(self, name: str) -> str:
        """What a file says now, or will."""
        path = self.root / name
        if path not in self.after:
            self.before[path] = self.after[path] = path.read_bytes()
        return self.after[path].decode()

    def new(self, name: str, text: str, cure: str = "take another name") -> None:
        """A file that is not there yet."""
        path = self.root / name
        if os.path.lexists(path):
            raise ending.Refused(f"{name} is there already, and stays as it is: {cure}.")
        self.before[path], self.after[path] = None, text.encode()

    def change(self, name: str, edit: Callable[[str], str]) -> None:
        """Another text for a file that is there."""
        text = edit(self.text(name))
        self.after[self.root / name] = text.encode()

    def names(self, new: bool) -> list[str]:
        """The files that are new, or those that are changed."""
        changed = [path for path, text in self.after.items() if text != self.before[path]]
        return [path.relative_to(self.root).as_posix() for path in changed if (self.before[path] is None) == new]

    def write(self) -> None:
        """All of it, the new files first; if one fails, the others are taken back."""
        paths = [self.root / name for new in (True, False) for name in self.names(new)]
        all_or_none.write({path: (self.before[path], self.after[path]) for path in paths})


def filled(template: str, **words: object) -> str:
    """The text of a template with its words put in."""
    text = (TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: str(words[found[1]]), text)


def unfilled(root: Path = chapter.ROOT) -> list[str]:
    """What is to fill in, "file:line: To fill in: ...", in the files that a draft writes."""
    found = []
    for place in PLACES:
        below = (root / place).rglob("*") if (root / place).is_dir() else [root / place]
        for path in sorted(path for path in below if path.suffix in {".py", ".md", ".yml"}):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if at := re.search(rf"{chapter.TO_FILL_IN}.*", line):
                    found.append(f"{path.relative_to(root).as_posix()}:{number}: {at[0]}")
    return found


# What a name looks like ----------------------------------------------------------------------------------------------


def _matched(pattern: str, name: str, what: str, example: str) -> re.Match[str]:
    found = re.fullmatch(pattern, name, flags=re.ASCII)
    if not found:
        raise ending.Refused(f"{what} looks like {example}, got {name!r}.")
    return found


def _numbered(name: str, what: str, example: str) -> tuple[str, str]:
    """The number of the chapter and the word: "03.my_bound"."""
    number, word = _matched(r"(\d\d)\.([a-z][a-z0-9_]*)", name, what, example).groups()
    if keyword.iskeyword(word):
        raise ending.Refused(f"{word!r} is a word of Python itself, and no function can have it: take another name.")
    return number, word


def _source(draft: Draft, number: str) -> str:
    """The text file of the chapter of this number."""
    folder = draft.root / "chapters"
    found = sorted(folder.glob("[0-9][0-9]-*.py"))
    for path in found:
        if path.name.startswith(number):
            return f"chapters/{path.name}"
    raise ending.Refused(f"there is no chapter {number}; there are: {', '.join(path.stem for path in found)}.")


# A lab ---------------------------------------------------------------------------------------------------------------


def lab(draft: Draft, name: str, experiment: str = "") -> list[str]:
    """Its file, its test and its line in labs/__init__.py; return what is left to do."""
    number, word = _numbered(name, "The name of a lab", "02.weights")
    source = _source(draft, number)
    experiment = experiment or "".join(part.capitalize() for part in word.split("_"))
    _matched(r"[A-Z][A-Za-z0-9]*", experiment, "The class of a lab", "WeightCurve")
    if keyword.iskeyword(experiment) or re.search(rf"\b{experiment}\b", filled("lab.py", name="", lab="")):
        raise ending.Refused(f"{experiment!r} means something else in a lab's file: take another CLASS.")
    file = _snake(experiment)
    if f'"{name}":' in draft.text(LABS):
        raise ending.Refused(f"{LABS} has a lab {name} already: take another name.")
    cure = "take another name, or CLASS=... for another file"
    draft.new(f"vaecourse/labs/{file}.py", filled("lab.py", name=name, lab=experiment), cure)
    draft.new(f"tests/labs/test_{file}.py", filled("lab_test.py", name=name, lab=experiment, file=file), cure)
    line = f'    "{name}": "{file}.{experiment}",'
    draft.change(LABS, lambda text: _placed(text, line, number, r'    "(\d\d)\.\w+": ".*'))
    return [
        "the parts to fill in; then",
        f"OMP_NUM_THREADS=1 .venv/bin/pytest tests/labs -k '{name} or {file}'",
        f'a cell of {source} that ends in labs.ALL["{name}"](), with mystnb={{"image": {{"alt": "..."}}}}',
        f"make chapters CHAPTER={number}",
        f"if a lecturer should press its presets, their names in {TEACHING}",
    ]


def _snake(name: str) -> str:
    """``weight_curve`` for WeightCurve."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _placed(text: str, line: str, number: str, pattern: str) -> str:
    """``text`` with ``line`` after the last one of its chapter, or else before the first one of a later chapter."""
    lines = text.split("\n")
    found = [(i, at[1]) for i, one in enumerate(lines) if (at := re.fullmatch(pattern, one))]
    if not found:
        raise ending.Refused(f"no line looks like the one to be added, {line.strip()!r}: add it by hand.")
    same = [i + 1 for i, its in found if its == number]
    later = [i for i, its in found if its > number]
    lines.insert((same[-1:] or later[:1] or [found[-1][0] + 1])[0], line)
    return "\n".join(lines)


# An exercise ---------------------------------------------------------------------------------------------------------


def exercise(draft: Draft, name: str) -> list[str]:
    """The file of its check, its name in ORDER, and its four cells before the quiz; return what is left to do."""
    number, word = _numbered(name, "The name of an exercise", "03.my_bound")
    source = _source(draft, number)
    folder = f"vaecourse/checks/chapter_{number}"
    draft.new(f"{folder}/{word}.py", filled("exercise.py", name=name))
    if re.search(rf"\b{word}\b", _code(draft.text(source))):
        raise ending.Refused(f"{source} has something called {word} already: take another name.")
    draft.change(f"{folder}/__init__.py", lambda text: _ordered(text, [word]))
    draft.change(source, lambda text: _before_the_quiz(text, name, word, source))
    return [
        "the parts to fill in; then, with the cells where they belong, their number on the card and the place in ORDER",
        f"make chapters CHAPTER={number}",
        f"python -m tools.minutes write {number}, which puts what the chapter takes now into its title",
        "make check",
        "OMP_NUM_THREADS=1 .venv/bin/pytest tests/checks tests/chapters",
        f"its {MINUTES} minutes, if the class does it, in the teaching note of {source} and in {TEACHING}",
    ]


def _code(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def _ordered(text: str, more: list[str]) -> str:
    """The text of a chapter's ``__init__.py`` with more names at the end of its ORDER."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ORDER":
            call = node.value
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                names = ast.literal_eval(call.func.value).split()
                lines = text.split("\n")
                lines[node.lineno - 1 : node.end_lineno] = [_order([*names, *more])]
                return "\n".join(lines)
    raise ending.Refused(f'there is no ORDER = "...".split() to put {" ".join(more)} into: write it by hand.')


def _order(names: list[str]) -> str:
    """The assignment, laid out as ruff does it."""
    words = " ".join(names)
    if len(words) <= 102:
        return f'ORDER = "{words}".split()'
    if len(words) <= 106:
        return f'ORDER = (\n    "{words}".split()\n)'
    parts = [words] if len(words) <= 114 else " \n".join(textwrap.wrap(words, 113)).split("\n")
    return "ORDER = (\n" + "".join(f'    "{part}"\n' for part in parts) + ").split()"


def _before_the_quiz(text: str, name: str, word: str, source: str) -> str:
    quiz = re.search(r'^# %% .*tags=\["quiz"\]', text, flags=re.MULTILINE)
    if not quiz:
        raise ending.Refused(f"{source} has no cell tagged `quiz`, before which the exercise comes: write that first.")
    number = len(re.findall(r'^# %% .*tags=\["stub"\]', text, flags=re.MULTILINE)) + 1
    return text[: quiz.start()] + _cells(name, word, number) + text[quiz.start() :]


def _cells(name: str, word: str, number: int, on_paper: bool = False) -> str:
    template = "cells_on_paper.py" if on_paper else "exercise_cells.py"
    return filled(template, name=name, exercise=word, number=number, minutes=MINUTES)


# A chapter -----------------------------------------------------------------------------------------------------------


def whole_chapter(draft: Draft, name: str, title: str, exercises: str = FIRST) -> list[str]:
    """Its text, its checks, and its name wherever the page says; return what is left to do."""
    number = _matched(r"(\d\d)-[a-z0-9]+(?:-[a-z0-9]+)*", name, "The name of a chapter", "09-flows")[1]
    _matched(r"[^\s|\[\]$\\<>\"`*#][^\n|\[\]$\\<>\"`*#]*", title, "The title of a chapter", "TITLE='Normalising flows'")
    if not title.isprintable():
        raise ending.Refused(f"The title of a chapter looks like one line to every program, got {title!r}.")
    words = [_numbered(f"{number}.{word}", "The name of an exercise", "density")[1] for word in exercises.split()]
    if len(words) < 4 or len(set(words)) < len(words):
        raise ending.Refused(f"A chapter has four exercises at least, each with its name, got {exercises!r}.")
    folder = f"vaecourse/checks/chapter_{number}"
    there = [
        *(draft.root / "chapters").glob(f"{number}-*"),
        *(draft.root / "vaecourse/checks").glob(f"chapter_{number}"),
    ]
    if there:
        raise ending.Refused(f"{there[0].relative_to(draft.root).as_posix()} is there already: take another number.")
    parts = {"the picture": 10} | {f"exercise {i}": MINUTES for i in range(1, len(words) + 1)}
    together, small = sum(parts.values()), _small(title)
    draft.new(f"chapters/{name}.py", _skeleton(number, title, words, parts))
    draft.new(f"{folder}/__init__.py", filled("chapter_checks.py", number=number, order=_order(words)))
    for place, word in enumerate(words):
        template = "exercise_on_paper.py" if place >= len(words) - ON_PAPER else "exercise.py"
        draft.new(f"{folder}/{word}.py", filled(template, name=f"{number}.{word}"))
    row = f"| [{number} {small}](chapters/{name}.ipynb) | To fill in: what you learn | To fill in: what you drag |"
    draft.change(README, lambda text: _placed(text, row, number, r"\| \[(\d\d) .*\]\(chapters/.*"))
    draft.change(
        BOOK, lambda text: _placed(text, f"      - file: chapters/{name}", number, r".*- file: chapters/(\d\d)-.*")
    )
    option = f"{number} {small}"
    option = json.dumps(option, ensure_ascii=False) if ":" in option else option
    draft.change(FORM, lambda text: _placed(text, f"        - {option}", number, r' +- "?(\d\d) .*'))
    rows = "\n".join(f"| {part} | {minutes} |" for part, minutes in parts.items())
    section = filled("teaching.md", number=number, title=small, rows=rows, together=together)
    draft.change(TEACHING, lambda text: _section(text, section, number))
    return [
        f"make chapters CHAPTER={number}, which makes the notebook; until then make check asks for it",
        "the parts to fill in, and make chapters again",
        "make check",
        f"make times CHAPTER={number}",
        "OMP_NUM_THREADS=1 .venv/bin/pytest tests/checks tests/chapters tests/tools",
    ]


def _skeleton(number: str, title: str, words: list[str], parts: dict[str, int]) -> str:
    by_hand = len(words) - ON_PAPER
    cells = "".join(_cells(f"{number}.{word}", word, i, i > by_hand) for i, word in enumerate(words, 1))
    plan = ", ".join(f"{minutes} {part}" for part, minutes in parts.items())
    doing = MINUTES * len(words) + BESIDE_THEM
    return filled("chapter.py", title=title, doing=doing, together=sum(parts.values()), plan=plan, exercises=cells)


def _small(title: str) -> str:
    """As it stands in a list: "normalising flows", and "InfoVAE" as it is."""
    return title[0].lower() + title[1:] if title[1:2].islower() and not title.split()[0][1:].isupper() else title


def _section(text: str, section: str, number: str) -> str:
    """The teaching plans with a chapter's section, before that of a later chapter or at the end."""
    later = [at for at in re.finditer(r"^### Chapter (\d\d)", text, flags=re.MULTILINE) if at[1] > number]
    if later:
        return text[: later[0].start()] + section + "\n" + text[later[0].start() :]
    return text.rstrip("\n") + "\n\n" + section


@ending.reports("scaffold")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.scaffold", description="A new lab, exercise or chapter.")
    parser.add_argument("kind", choices=["lab", "exercise", "chapter"])
    parser.add_argument("name", help="02.weights for a lab, 03.my_bound for an exercise, 09-flows for a chapter")
    parser.add_argument(
        "--class", default="", dest="experiment", help="of a lab: the class; its file has the same name"
    )
    parser.add_argument("--title", default="", help="of a chapter")
    parser.add_argument("--exercises", default=FIRST, help="of a chapter: the names of its exercises, four at least")
    options = parser.parse_args(arguments)
    draft = Draft()
    if options.kind == "lab":
        left = lab(draft, options.name, options.experiment)
    elif options.kind == "exercise":
        left = exercise(draft, options.name)
    else:
        left = whole_chapter(draft, options.name, options.title, options.exercises)
    draft.write()
    report(draft, left)
    return 0


def report(draft: Draft, left: list[str]) -> None:
    """What was written, what is to fill in there, and what is left to do."""
    names = {new: draft.names(new) for new in (True, False)}
    for new, what in ((True, "new"), (False, "changed")):
        for name in names[new]:
            print(f"{what:8} {files.shown(name)}")
    there = Counter(line.split(":")[0] for line in unfilled(draft.root))
    print(f'\nWhat is to fill in says so, "{chapter.TO_FILL_IN} ...".')
    print("tests/tools/test_scaffold.py fails until it is:\n")
    for name in sorted({*names[True], *names[False]} & there.keys()):
        print(f"  {there[name]:3} in {name}")
    print("\nLeft to do:\n")
    for number, what in enumerate(left, 1):
        print(f"  {number}. {what}")


if __name__ == "__main__":
    raise SystemExit(main())
