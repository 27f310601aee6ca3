"""The pages under docs/how-to/: each one's script runs whole, ends in asserts that hold, and is as short as it says."""

import importlib.util
import io
import os
import re
import subprocess
import sys
import tokenize
from collections import defaultdict

import pytest
import yaml

from benchmarks import half_precision
from tools.chapter import ROOT

FOLDER = ROOT / "docs/how-to"
PAGES = sorted(path.stem for path in FOLDER.glob("*.md") if path.stem != "index")
NEEDS = {"flow": "zuko", "pyro": "pyro", "lightning": "pytorch_lightning"}
MOST_LINES = 40  # that a user writes: under the heading *What you write*, without blank lines and docstrings


def text(page):
    return (FOLDER / f"{page}.md").read_text(encoding="utf-8")


def blocks(markdown):
    """The Python of a page, block by block."""
    return [found.strip("\n") for found in re.findall(r"^```python\n(.*?)^```", markdown, re.DOTALL | re.MULTILINE)]


def script(page):
    return "\n\n\n".join(blocks(text(page))) + "\n"


def run(source, folder):
    """The end of a script in a process and a folder of its own."""
    (folder / "page.py").write_text(source, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "page.py"],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("page", PAGES)
def test_the_script_of_a_page_runs(page, tmp_path):
    if page in NEEDS and importlib.util.find_spec(NEEDS[page]) is None:  # Pyro, imported here, changes torch for all
        pytest.skip(f"docs/how-to/{page}.md needs {NEEDS[page]}")
    ended = run(script(page), tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.strip(), "a page prints what it has found"


def test_a_number_that_does_not_hold_is_seen(tmp_path):
    source = script("large-data").replace("and error < 0.3", "and error < 0.0003")
    assert "AssertionError" in run(source, tmp_path).stderr


@pytest.mark.parametrize("page", PAGES)
def test_a_page_checks_what_it_says(page):
    source = script(page)
    assert "models.check(" in source and len(re.findall(r"\bassert", source)) >= 2
    assert "**The question.**" in text(page) and "## What you write" in text(page) and "## Where it fails" in text(page)


@pytest.mark.parametrize("page", PAGES)
def test_its_code_is_laid_out_as_all_code_here(page):
    for words in (["check"], ["format", "--check", "--diff"]):
        command = [sys.executable, "-m", "ruff", *words, "--stdin-filename", f"docs/how-to/{page}.py", "-"]
        said = subprocess.run(command, cwd=ROOT, input=script(page), capture_output=True, text=True)
        assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("page", PAGES)
def test_what_a_user_writes_is_short(page):
    mine = re.search(r"## What you write\n(.*?)^## ", text(page), re.DOTALL | re.MULTILINE)[1]
    source = "\n".join(blocks(mine))
    lines = {
        row
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT)
        and not token.string.startswith('"""')
        for row in range(token.start[0], token.end[0] + 1)
    }
    assert 0 < len(lines) <= MOST_LINES, len(lines)


def test_every_page_is_in_the_index_and_in_the_book():
    index = re.findall(r"^\|.*\]\(([\w-]+)\.md\) \|$", text("index"), re.MULTILINE)
    assert sorted(index) == PAGES
    book = yaml.safe_load((ROOT / "book.yml").read_text(encoding="utf-8"))
    (entry,) = [e for part in book["parts"] for e in part["chapters"] if e["file"] == "docs/how-to/index"]
    assert [section["file"] for section in entry["sections"]] == [f"docs/how-to/{page}" for page in index]


def test_links_between_the_pages_lead_somewhere():
    for page in ["index", *PAGES]:
        for link in re.findall(r"\]\(([^)#\s]+)", text(page)):
            assert "://" in link or (FOLDER / link).exists(), f"{page}: no {link}"


# Half precision ------------------------------------------------------------------------------------------------------

WITHIN = 2.5  # times the number of the page: another processor adds up in another order


def quoted():
    """The rows of the page's table: a case, a type, and the numbers."""
    return re.findall(
        r"^\| ((?:composed, )?\d+ pixels, \w+) \| ([^|]+) \| (.+) \|$", text("half-precision"), re.MULTILINE
    )


@pytest.fixture(scope="module")
def errors():
    """What the benchmark finds for the rows and the types that the page quotes, and for float32."""
    rows, wanted = defaultdict(dict), {(case, kind) for case, kind, _ in quoted()}
    for case in half_precision.cases():
        types = [kind for kind in half_precision.TYPES if kind.name == "float32" or (case.name, kind.name) in wanted]
        for found in half_precision.measured([case], ["iwae", "dreg", "piwae"], types):
            rows[found.case, found.type][found.row] = found
    return rows


def number(cell):
    return float(cell.removesuffix(" %")) / (100 if cell.endswith("%") else 1)


def test_a_training_in_bfloat16_loses_nothing():
    (lost,) = half_precision.lost(seeds=1, steps=300)
    assert 0 < abs(lost) < 0.01


def test_the_errors_of_half_precision_are_those_of_the_page(errors):
    assert len(quoted()) == 11 + 8
    for case, kind, cells in quoted():
        by_row = errors[case, kind]
        found = [by_row["iwae"].mean, by_row["iwae"].largest, by_row["iwae"].theta]
        found += [by_row[row].phi for row in ("iwae", "dreg", "piwae")]
        for now, then in zip(found, map(number, cells.split(" | ")), strict=True):
            assert then / WITHIN < now < then * WITHIN, (case, kind, now, then)


def test_float32_is_far_from_all_of_them(errors):
    assert sum(kind == "float32" for _, kind in errors) == 6
    for (_, kind), by_row in errors.items():
        if kind == "float32":
            for found in by_row.values():
                assert found.largest < 2e-4 and max(found.theta, found.phi) < 1e-5
