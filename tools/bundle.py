"""Modules of JavaScript as one classic script: from disk, a browser loads no module.

It reads what deno lays out, and no more: an ``import`` or ``export`` begins a line, exports one name and renames none.
"""

from __future__ import annotations

import re
from pathlib import Path

IMPORT = re.compile(r'^import (?:(\w+)|\{\s*([\w,\s]+?),?\s*\}) from "(\.{1,2}/[\w./-]+\.js)";\n', flags=re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", flags=re.MULTILINE)
COMMENT = re.compile(r"^ *//.*\n|^ */\*\*\n(?: *\*.*\n)+|^ */\*\*[^\n]*\*/\n", flags=re.MULTILINE)
TYPE = re.compile(r"/\*\* @type [^\n]*?\*/ ?")
DEFAULT = re.compile(r"^export default (?=\{)", flags=re.MULTILINE)
OTHER = re.compile(r"^(?:import|export) .*", flags=re.MULTILINE)


def script(entry: Path) -> str:
    """The module ``entry`` and all that it imports, each in a function of its own, those that are needed first."""
    functions = "".join(_function(path) for path in in_order(entry.resolve()))
    return f'"use strict";\n{{\nconst modules = {{}};\n{functions}}}\n'


def in_order(entry: Path) -> list[Path]:
    """A module after all those that it imports."""
    found: list[Path] = []

    def take(path: Path) -> None:
        if path not in found:
            for line in IMPORT.finditer(_read(path)):
                take(_place(path, line))
            found.append(path)

    take(entry)
    if len({path.stem for path in found}) < len(found):
        raise ValueError(f"Two modules have one name: {', '.join(map(str, found))}")
    return found


def exported(text: str) -> list[str]:
    return EXPORT.findall(text) + ["default"] * bool(DEFAULT.search(text))


def _function(path: Path) -> str:
    """A module, without its comments, as a function that is called at once and gives what it exports."""
    text = TYPE.sub("", COMMENT.sub("", IMPORT.sub(lambda line: _taken(path, line), _read(path))))
    names = exported(text)
    text = DEFAULT.sub("const whole = ", EXPORT.sub("", text))
    if left := OTHER.search(text):
        raise ValueError(f"{path} has a line that tools/bundle.py cannot read: {left[0]}")
    gives = ", ".join("default: whole" if name == "default" else name for name in names)
    return f"modules.{path.stem} = (() => {{\n{text}\nreturn {{ {gives} }};\n}})();\n"


def _taken(path: Path, line: re.Match[str]) -> str:
    """What stands in the place of an import."""
    other = _place(path, line)
    names = ["default"] if line[1] else re.split(r",\s*", line[2])
    if missing := set(names) - set(exported(_read(other))):
        raise ValueError(f"{path} imports {', '.join(sorted(missing))}, which no line of {other} exports by itself")
    pattern = f"default: {line[1]}" if line[1] else ", ".join(names)
    return f"const {{ {pattern} }} = modules.{other.stem};\n"


def _place(path: Path, line: re.Match[str]) -> Path:
    return (path.parent / line[3]).resolve()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
