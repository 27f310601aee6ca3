"""What the site adds to the chapters: ways to run them, labs in words, papers with their addresses."""

import json
import re

import pytest

from tools import chapter, front, live, site, typed
from vaecourse import labs


def test_a_public_address_gives_buttons_and_none_gives_the_way_to_get_them():
    with_address = site.how_to_run("03-iwae", "https://github.com/me/course.git")
    assert "https://mybinder.org/v2/gh/me/course/v0.1.0?urlpath=lab/tree/learn/03-iwae.ipynb" in with_address
    assert "https://colab.research.google.com/github/me/course/blob/v0.1.0/chapters/03-iwae.ipynb" in with_address
    without = site.how_to_run("03-iwae")
    assert "make lab" in without and "REPOSITORY=" in without and "https://mybinder" not in without


def test_a_download_is_the_learners_notebook():
    found = site.downloads()
    assert set(found) == {f"_sources/chapters/{path.stem}.ipynb" for path in chapter.sources()}
    for name, text in found.items():
        notebook = json.loads(text)
        kept_by_the_teacher = {"solution", "instructor"}
        assert not any(kept_by_the_teacher & set(typed.tags(cell)) or cell.get("outputs") for cell in notebook["cells"])
        assert (
            typed.stubs(notebook).keys() == typed.stubs(typed.read(site.ROOT / name.removeprefix("_sources/"))).keys()
        )


def test_a_lab_is_told_in_words_for_each_state_of_its_picture():
    words = site.lab_in_words("00.bound")
    assert "1. K = 1" in words and "3. " in words and "make lab" in words


@pytest.mark.parametrize("name", ["03.iwae", "06.latent"])
def test_what_a_page_tells_of_a_lab_is_what_its_panel_has(name):
    panel, lab = labs.ALL[name](), live.experiment(name)
    assert type(lab) is type(panel.experiment)
    assert live.stills(lab) == panel.stills and len(panel.stills) > 1
    assert {trait["name"]: trait["value"] for trait in live.traits(lab.controls)} == panel.defaults


def test_a_paper_named_by_its_number_gets_its_address():
    assert site.linked("arXiv 1509.00519") == "[arXiv 1509.00519](https://arxiv.org/abs/1509.00519)"
    done = "[arXiv 1509.00519](https://arxiv.org/abs/1509.00519)"
    assert site.linked(done) == done
    assert "forum?id=HyZoi-WRb" in site.linked("ICLR, openreview HyZoi-WRb (the bias)")


def test_what_a_hint_holds_is_read_as_markdown():
    folded = site.unfolded("<details><summary>Hint</summary>How $K$ goes</details>")
    assert folded.split("\n\n")[1] == "How $K$ goes"


def test_every_paper_is_there_once_with_all_chapters_that_name_it():
    chapters = [path.with_suffix(".ipynb") for path in chapter.sources()]
    (burda,) = [line for line in site.references(chapters).splitlines() if "1509.00519" in line]
    assert "[00](chapters/00" in burda and "[03](chapters/03" in burda


def test_every_module_of_the_package_has_a_page():
    assert {"bounds", "objectives", "exact", "labs"} <= set(site.modules())
    for module in site.modules():
        assert f"automodule:: vaecourse.{module}" in site.api_page(module)


def test_the_front_page_has_a_live_lab_and_three_doors_and_the_code_where_its_address_is_known():
    markdown = (site.PAGES / "index.md").read_text(encoding="utf-8")
    with_address = front.page(markdown, "https://github.com/me/course")
    assert '<div class="live" data-lab="03.iwae" hidden>' in with_address and "live.js" in with_address
    assert "git clone https://github.com/me/course" in with_address and "@" not in re.sub(r"\S+@\S+", "", with_address)
    doors = re.findall(r'class="door" href="([^"]+)"', with_address)
    assert doors == [
        "chapters/00-start-here.html",
        "install.html",
        "chapters/teaching.html",
        "https://github.com/me/course",
    ]
    pages = {f"{name}.html".removeprefix("docs/") for name in site.listed()}
    assert set(doors[:3]) <= pages
    assert len(re.findall('class="door"', front.page(markdown, None))) == 3
