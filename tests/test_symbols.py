"""The letters of other texts beside ours: every row is found by its symbol and by its meaning, and nothing is lost."""

import html
import re

import nbformat
import pytest

from tools import chapter, edition
from vaecourse import symbols
from vaecourse.symbols import page, panel, words

ROWS = symbols.rows()
SIZES = {
    "The model and the guess": 12,
    "Weights, bounds, counts": 11,
    "InfoVAE and the hierarchical family": 11,
    "The same letter, another meaning": 19,
    "Words of the Chinese texts": 28,
}


def pieces(text):
    """The symbols in a cell of a table, as one would look them up."""
    return [text, *re.split(r"(?<!\\)[,;] |: ", text)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.meaning} {row.ours}"[:40])
def test_a_row_is_found_by_its_symbols_and_by_its_meaning(row):
    for text in [row.meaning, row.ours, *(symbol for _, symbol in row.theirs)]:
        for word in filter(None, pieces(text)):
            assert row in symbols.find(word), word
            assert row in symbols.find(words.plain(word)), words.plain(word)


def test_all_tables_are_there_and_every_text():
    assert {table.title: len(table.rows) for table in symbols.tables()} == SIZES
    assert len(ROWS) == sum(SIZES.values())
    for table in symbols.tables():
        assert all(len(row) == len(table.columns) for row in table.rows)
    for text in ("000", "001", "002", "003", "004", "papers", "IWAE", "Rainforth", "Kingma and Welling"):
        assert any(text in f"{where} {symbol}" for row in ROWS for where, symbol in row.theirs), text


@pytest.mark.parametrize(
    "typed, ours",
    [
        ("q_r(x|z)", r"$p_\theta(x \mid z)$"),
        ("q(z)", "$p(z)$"),  # of text 004; the aggregate posterior comes after it
        ("ψ", r"$\psi$"),
        ("psi", r"$\psi$"),
        (r"\psi", r"$\psi$"),
        ("λ", r"$\alpha$, $\lambda$"),
        ("num_samples", "$K$"),
        ("sg", "`.detach()`"),
        ("Baseline", "$c$"),
        ("true posterior", r"$p_\theta(z \mid x)$"),
        ("mmd", r"$\mathrm{MMD}^2$"),
    ],
)
def test_what_is_typed_as_it_looks_is_found_first(typed, ours):
    assert symbols.find(typed)[0].ours == ours


@pytest.mark.parametrize("typed", ["先验", "xiānyàn", "xianyan", "Xianyan"])
def test_chinese_is_found_as_it_is_and_in_pinyin(typed):
    assert [row.meaning for row in symbols.find(typed)] == ["prior"]


def test_capital_letters_count_in_a_symbol_and_not_in_a_word():
    small, large = symbols.find("k"), symbols.find("K")
    assert small != large and any("how many samples" in row.theirs[0][1] for row in small)
    assert symbols.find("PRIOR") == symbols.find("prior") != []
    assert symbols.find("") == symbols.find("  ") == symbols.find("$$") == []
    assert symbols.find("no such word") == []


def test_one_letter_is_no_part_of_a_word():
    assert all("sg" in words.plain(str(row)) for row in symbols.find("sg"))
    assert all(re.search(r"(?<!\w)S(?!\w)", words.plain(str(row))) for row in symbols.find("S"))


# What is shown -------------------------------------------------------------------------------------------------------


def test_the_whole_page_has_every_cell_and_marks_chinese():
    text = page.whole()
    for table in symbols.tables():
        assert table.title in text and table.note in text
        for cell in (cell for row in table.rows for cell in row):
            assert page.inline(cell) in text
    assert text.count("<tr>") == len(ROWS) + len(SIZES) and text.count('scope="row"') == len(ROWS)
    outside = re.sub(r'<span lang="zh">[^<]*</span>', "", text)
    assert not re.search(r"[\u4e00-\u9fff]", outside.replace(html.escape("中文"), ""))


def test_markdown_and_formulas_become_html():
    assert page.inline("**a** *b* `c<d` $x < y$ 先验") == (
        '<strong>a</strong> <em>b</em> <code>c&lt;d</code> $x &lt; y$ <span lang="zh">先验</span>'
    )


def test_the_field_says_what_it_found_and_shows_it():
    search = symbols.search()
    assert search.said.value == html.escape(panel.ASKED) and search.found.value == ""
    search.field.value = "q(z)"
    assert "rows have q(z)" in search.said.value and "004: $q(z)$, later $w(z)$" in search.found.value
    search.field.value = "<b>"
    assert search.said.value.startswith("Nothing has &lt;b&gt;") and search.found.value == ""
    search.field.value = "a"
    assert search.found.value.count("<tr>") <= panel.MOST + 1
    search.field.value, search.everything.value = "", True
    assert search.found.value == page.whole()
    search.field.value = "sg"
    assert search.said.value == "1 row has sg." and search.found.value.count("<tr>") == 2


def test_without_a_kernel_the_cell_is_all_tables():
    shown = symbols.search()._repr_mimebundle_()
    assert shown["text/html"] == page.whole() and shown["text/plain"] == f"{len(ROWS)} symbols and words"
    assert chapter.WIDGET in shown


def test_it_stands_at_the_end_of_the_first_chapter_and_every_chapter_leads_there():
    path = chapter.sources()[0].with_suffix(".ipynb")
    *_, heading, cell = nbformat.read(path, as_version=4).cells
    anchor = edition.LETTERS.partition("#")[2].replace("-", " ")
    assert heading.source.startswith(f"## {anchor}\n") and path.name == edition.LETTERS.partition("#")[0]
    assert cell.source.endswith("symbols.search()") and cell.outputs[0].data["text/html"] == page.whole()
    for number in ("000", "001", "002", "003", "004"):
        assert f"| {number} |" in heading.source
