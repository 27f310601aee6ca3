"""The file of values against the package, the JavaScript against the file, and what looks at the JavaScript."""

import json
import re

import pytest

from tests.javascript.values import FILE, values
from tools import javascript, made

TESTS = sorted(FILE.parent.glob("*.test.js"))


def differences(stored, now, at=""):
    """Where the two are not the same, to ten digits."""
    if isinstance(stored, dict) and isinstance(now, dict):
        same = stored.keys() == now.keys()
        parts = [(f"{at}.{key}", stored[key], now[key]) for key in stored] if same else []
    elif isinstance(stored, list) and isinstance(now, (list, tuple)):
        same = len(stored) == len(now)
        parts = [(f"{at}[{i}]", *pair) for i, pair in enumerate(zip(stored, now))]
    elif isinstance(stored, (int, float)) and not isinstance(stored, bool):
        same, parts = now == pytest.approx(stored, rel=1e-10, abs=1e-10), []
    else:
        same, parts = stored == now and type(stored) is type(now), []
    here = [] if same else [f"{at}: {stored} in values.json, {now} in the package"]
    return here + [fault for place, a, b in parts for fault in differences(a, b, place)]


def test_the_file_has_what_the_package_computes_now():
    stored = json.loads(FILE.read_text(encoding="utf-8"))
    assert differences(stored, values()) == [], "mend the package, or: python -m tests.javascript.values"


def test_a_difference_is_seen():
    assert differences({"a": [1.0, "x", True]}, {"a": [1.0 + 1e-12, "x", True]}) == []
    for other in (
        {"a": [1.0 + 1e-8, "x", True]},
        {"a": [1.0, "y", True]},
        {"a": [1.0, "x"]},
        {"b": []},
        {"a": [1.0, "x", 0]},
    ):
        assert differences({"a": [1.0, "x", True]}, other)


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_javascript(file):
    ended = javascript.test(file, capture_output=True, encoding="utf-8", timeout=200)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert int(re.search(r"^ok \| (\d+) passed \| 0 failed \(", ended.stdout, flags=re.MULTILINE)[1]) > 2


# What `make lint` says of a file -------------------------------------------------------------------------------------

FINE = """\
/** @param {number} x */
export const twice = (x) => 2 * x;
"""


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course with one module, and deno's settings."""
    (tmp_path / "site/live").mkdir(parents=True)
    (tmp_path / "deno.json").write_bytes((made.ROOT / "deno.json").read_bytes())
    monkeypatch.setattr(made, "ROOT", tmp_path)
    return tmp_path


FAULTS = {
    "layout": ("const once  = 1;\ntwice(once)\n", "layout.js"),
    "columns121": (f"twice({'1 + ' * 27}12345);\n", "columns121.js:3: 121 columns"),
    "comment": (f"// {'1' * 118}\n", "comment.js:3: 121 columns"),
    "var": ("var once = 1;\ntwice(once);\n", "no-var"),
    "unused": ("const once = 1;\n", "no-unused-vars"),
    "argument": ('twice("1");\n', "TS2345"),
    "untyped": ("export const thrice = (x) => 3 * x;\n", "TS7006"),
}


def test_make_lint_has_nothing_to_say_of_a_module_that_is_fine(course):
    (course / "site/live/twice.js").write_text(f"{FINE}twice({'1 + ' * 27}1234);\n")  # 120 columns
    assert javascript.main([]) == 0


def test_make_lint_says_every_fault_of_javascript(course, capfd):
    for name, (more, _) in FAULTS.items():
        (course / f"site/live/{name}.js").write_text(FINE + more)
    assert javascript.main([]) == 1
    told = "".join(capfd.readouterr())
    assert [name for name, (_, said) in FAULTS.items() if said not in told] == []
    assert "Found 2 not formatted files in 7 files" in told


def test_every_script_of_the_course_is_looked_at():
    looked_at = {path.relative_to(made.ROOT).as_posix() for path in javascript.sources()}
    assert {
        "vaecourse/labs/js/control.js",
        "site/live/page.js",
        "site/slides/slides.js",
        "site/static/site.js",
    } < looked_at
    apart = {"build", "node_modules", "_site", "dist"}
    everywhere = {path.relative_to(made.ROOT) for path in made.ROOT.rglob("*.js")}
    ours = {path.as_posix() for path in everywhere if not apart & {*path.parts} and not path.parts[0].startswith(".")}
    assert ours <= looked_at
