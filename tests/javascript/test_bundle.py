"""Modules as one classic script: what it does is seen in a browser, by the tests of the site and of the slides."""

import re
from pathlib import Path

import pytest

from tools import bundle, javascript, live, slides


def written(folder: Path, **modules: str) -> Path:
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text)
    return folder / "entry.js"


def result(script: str, folder: Path) -> str:
    (folder / "out.cjs").write_text(script)
    return javascript.deno("run", "--no-remote", "--no-npm", folder / "out.cjs", capture_output=True, text=True).stdout


def test_each_module_once_those_that_are_needed_first(tmp_path):
    entry = written(
        tmp_path,
        entry='import { a, b } from "./a.js";\nimport c from "./c.js";\nconsole.log(a, b(), c.d);\n',
        a='import { n } from "./n.js";\nexport const a = n + 1;\nexport function b() {\n  return a + n;\n}\n',
        n='console.log("once");\nexport const n = 1;\n',
        c='import {\n  n,\n} from "./n.js";\nconst d = 10 * n;\nexport default { d };\n',
    )
    assert [path.stem for path in bundle.in_order(entry)] == ["n", "a", "c", "entry"]
    assert result(bundle.script(entry), tmp_path) == "once\n2 3 10\n"


@pytest.mark.parametrize(
    "text, said",
    [
        ('import { a as b } from "./a.js";\n', "imports a as b, which no line of"),
        ('import * as a from "./a.js";\n', "cannot read: import"),
        ("export default 1;\n", "cannot read: export default 1"),
        ('export { a } from "./a.js";\n', "cannot read: export { a }"),
        ('import { b } from "./a.js";\n', "imports b, which no line of"),  # the second of one line
        ('import a from "./a.js";\n', "imports default, which"),
    ],
)
def test_what_it_cannot_join_is_told(tmp_path, text, said):
    entry = written(tmp_path, entry=text, a="export const a = 1, b = 2;\n")
    with pytest.raises(ValueError, match=re.escape(said)):
        bundle.script(entry)


def test_two_modules_of_one_name_are_told(tmp_path):
    (tmp_path / "deep").mkdir()
    written(tmp_path / "deep", entry="export const a = 1;\n")
    entry = written(tmp_path, entry='import { a } from "./deep/entry.js";\nconsole.log(a);\n')
    with pytest.raises(ValueError, match="Two modules have one name"):
        bundle.script(entry)


def test_comments_and_types_stay_in_the_source(tmp_path):
    entry = written(
        tmp_path,
        entry="// A word.\n\n/**\n * @param {number} x\n */\nfunction f(x) {\n"
        "  // another\n  return /** @type {any} */ (x);\n}\n"
        '/** @typedef {number} N */\nconst at = "https://a/b"; // kept\nconsole.log(f(at));\n',
    )
    script = bundle.script(entry)
    assert result(script, tmp_path) == "https://a/b\n"
    assert not any(word in script for word in ("A word", "another", "@param", "@type"))


def test_the_labs_of_the_site_are_light():
    """All of them together, as one script, with their style: what a page loads, not compressed."""
    weight = len(live.bundle().encode()) + len((live.OWN / "live.css").read_bytes())
    assert weight < 150_000


@pytest.mark.parametrize("script", [live.bundle(), slides.script(slides.OWN / "slides.js")], ids=["labs", "slides"])
def test_the_courses_scripts_are_no_modules_and_ask_for_nothing(script):
    assert not re.search(r"^\s*(import|export) ", script, flags=re.MULTILINE)
    assert not re.search(r"\bfetch\(|XMLHttpRequest|https?://(?!www\.w3\.org)", script)
