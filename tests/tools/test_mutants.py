"""The tool that plants bugs: it knows every module, and its list of excused survivors is about code that exists."""

import tomllib

import pytest

from tools import ending, mutants

LISTED = [(module, row) for module, rows in tomllib.loads(mutants.KNOWN.read_text()).items() for row in rows]
DIFFERENCE = """\
--- vaecourse/bounds.py
+++ vaecourse/bounds.py
@@ -1,3 +1,3 @@
     pooled = log_w.flatten(0, 1)
-    return pooled.logsumexp(0) - math.log(len(pooled))
+    return pooled.logsumexp(0) + math.log(len(pooled))
"""


def source(module):
    place = mutants.ROOT / "vaecourse" / module
    files = sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    return "\n".join(file.read_text() for file in files)


@pytest.mark.parametrize("module", mutants.MODULES)
def test_every_module_has_code_and_tests(module):
    assert source(module)
    assert all((mutants.ROOT / path).exists() for path in mutants.MODULES[module])


@pytest.mark.parametrize(("module", "row"), LISTED)
def test_an_excused_survivor_is_about_a_line_that_exists_and_says_why(module, row):
    lines = " ".join(line.strip() for line in source(module).splitlines())
    assert row["before"] in lines, "the line has changed: run `make mutants` and look at it again"
    assert row["why"].endswith(".") and row["after"] and row["before"] not in row["after"]


def test_the_changed_lines_are_read_from_a_difference():
    mutant = mutants.changed_lines("a", DIFFERENCE)
    assert mutant.before == "return pooled.logsumexp(0) - math.log(len(pooled))"
    assert mutant.after == "return pooled.logsumexp(0) + math.log(len(pooled))"
    assert not mutants.is_known("bounds", mutant)


@pytest.mark.parametrize(
    ("after", "known"),
    [
        ("e = torch.eye(3, dtype=z.dtype, device=None)", True),
        ("e = torch.eye(3, dtype=z.dtype, )", True),
        ("e = torch.eye(3, device=z.device)", False),
        ("e = torch.eye(4, dtype=z.dtype, device=z.device)", False),
    ],
)
def test_a_device_is_excused_and_nothing_else_in_its_line(after, known):
    mutant = mutants.Mutant("a", "e = torch.eye(3, dtype=z.dtype, device=z.device)", after)
    assert mutants.is_known("exact", mutant) == known


@pytest.mark.parametrize(
    ("total", "survivors", "known", "passed"),
    [(100, 5, 5, True), (100, 6, 6, False), (100, 1, 0, False), (0, 0, 0, False)],
)
def test_a_module_passes_with_few_survivors_all_of_them_listed(total, survivors, known, passed):
    report = mutants.Report("bounds", total, [mutants.Mutant("a", "x", "y")] * survivors, known)
    assert report.passed == passed


def test_tests_that_fail_with_no_bug_planted_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(mutants, "mutmut", lambda bench, *words, stdout: stdout.write("Failed to run clean test"))
    with pytest.raises(ending.Refused, match="the tests of bounds fail with no bug planted"):
        mutants.test(tmp_path, "bounds", workers=1)
