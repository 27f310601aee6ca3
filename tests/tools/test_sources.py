"""The page of the sources: each row points to a place that is there, as the site makes its anchors."""

import re
import runpy
from functools import cache

import nbformat
import pytest
from docutils.core import publish_doctree
from myst_parser.docutils_ import Parser

from tools import chapter, site

PAGE = chapter.ROOT / "docs/sources.md"
TEXTS = ["000", "001", "002", "003", "004"]
ROW = re.compile(r"^\| (\d{3})\.(\d+) \| (.+?) \| (.+?) \| (.*?) ?\|$", flags=re.MULTILINE)
LINK = re.compile(r"\[[^\]]+\]\(\.\./chapters/([^)#]+)\.ipynb#([^)]*)\)")


@cache
def rules() -> dict:
    """What site/conf.py asks of the Markdown, under docutils' names."""
    conf = runpy.run_path(str(site.PAGES / "conf.py"))
    names = ("myst_enable_extensions", "myst_heading_anchors", "myst_dmath_double_inline")
    return {name: conf[name] for name in names} | {"report_level": 5, "doctitle_xform": False}


@cache
def anchors(name: str) -> frozenset[str]:
    """Of the headings of a chapter, by the program that makes those of its page."""
    cells = chapter.stored(chapter.CHAPTERS / name).cells
    return anchors_of("\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown"))


def anchors_of(markdown: str) -> frozenset[str]:
    return frozenset(publish_doctree(markdown, parser=Parser(), settings_overrides=rules()).myst_slugs)


def faults(page: str) -> list[str]:
    """Rows that point nowhere, or to what is not there."""
    chapters = {path.stem for path in chapter.sources()}
    found = []
    for text, number, _, where, _ in ROW.findall(page):
        row = f"{text}.{number}"
        links = LINK.findall(where)
        if len(links) != where.count("](") or not links:
            found.append(f"{row} has a link that is none to a heading of a chapter: {where}")
        for name, anchor in links:
            if name not in chapters:
                found.append(f"{row} names the chapter {name}, which is not there")
            elif anchor not in anchors(name):
                found.append(f"{row} points to {name}#{anchor}, a heading that is not there")
    return found


def test_every_row_points_to_a_heading_that_is_there():
    assert faults(PAGE.read_text(encoding="utf-8")) == []


def test_each_text_has_its_rows_its_address_and_what_is_known_of_its_licence():
    page = PAGE.read_text(encoding="utf-8")
    rows = ROW.findall(page)
    assert len(rows) == len(re.findall(r"^\| \d", page, flags=re.MULTILINE)) >= 100  # no row that ROW does not read
    for text, part in zip(TEXTS, page.split("\n## ")[1:], strict=True):
        numbers = [int(number) for of, number, *_ in rows if of == text]
        assert part.startswith(f"{text} · ") and numbers == list(range(1, len(numbers) + 1)) and len(numbers) >= 20
        about = part.split("| |")[0]
        assert "](http" in about and "Licence: " in about
    assert len({item for _, _, item, *_ in rows}) == len(rows)


@pytest.mark.parametrize(
    "where, said",
    [
        ("[03: it rises](../chapters/03-iwae.ipynb#it-rises)", "03-iwae#it-rises, a heading that is not there"),
        ("[03: the page](../chapters/03-iwae.ipynb#)", "03-iwae#, a heading"),
        ("[09: more](../chapters/09-more.ipynb#more)", "the chapter 09-more, which is not there"),
        ("[the page](../chapters/03-iwae.ipynb)", "none to a heading"),
        ("in chapter 03", "none to a heading"),
    ],
)
def test_a_dead_anchor_is_found(where, said):
    rows = PAGE.read_text(encoding="utf-8")
    planted = rows.replace("| 003.1 | ", f"| 003.0 | planted | {where} | |\n| 003.1 | ", 1)
    (fault,) = faults(planted)
    assert fault.startswith("003.0 ") and said in fault


def test_anchors_are_those_of_the_site():
    assert anchors_of("## How fast: $x$\n\n## A (b), `c`\n\n#### Four\n\n## A (b), `c`\n") == {
        "how-fast-",
        "a-b-c",
        "a-b-c-1",
    }


def test_the_page_is_in_the_book(monkeypatch):
    monkeypatch.setattr(site, "chapter_page", lambda *_: nbformat.v4.new_notebook())
    assert "docs/sources" in site.listed()
    assert site.pages()["docs/sources.md"] == PAGE.read_text(encoding="utf-8")
