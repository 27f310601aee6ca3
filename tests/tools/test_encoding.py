"""Every text is UTF-8, whatever the locale of the machine: a read or write of text that does not say so is found."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("vaecourse", "tools", "benchmarks", "site")


def without_encoding(tree):
    """The lines of calls that read or write text in the encoding of the locale."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        of = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        words = {word.arg: word.value for word in node.keywords}
        if "encoding" in words:
            continue
        positional = [value.value for value in node.args if isinstance(value, ast.Constant)]
        if name in ("read_text", "write_text") and len(node.args) <= (name == "write_text"):
            yield node.lineno
        elif name == "open" and of in ("", "io") and not any("b" in str(mode) for mode in positional[-1:]):
            mode = words.get("mode")
            if not (isinstance(mode, ast.Constant) and "b" in mode.value):
                yield node.lineno
        elif name in ("run", "Popen", "check_output") and ("text" in words or "universal_newlines" in words):
            yield node.lineno


def test_every_text_is_utf_8():
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in without_encoding(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    ["p.read_text()", "p.write_text(x)", "open(p)", "open(p, 'w')", "subprocess.run(c, text=True)", "io.open(p, 'r')"],
)
def test_one_without_is_seen(line):
    assert list(without_encoding(ast.parse(line))) == [1]


@pytest.mark.parametrize(
    "line",
    [
        "p.read_text('utf-8')",
        "p.write_text(x, 'utf-8')",
        "open(p, 'rb')",
        "open(p, encoding='utf-8')",
        "open(p, mode='xb')",
    ],
)
def test_one_with_is_not(line):
    assert list(without_encoding(ast.parse(line))) == []
