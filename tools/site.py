"""The course as a site that works from disk with no network: ``make book`` builds it into build/site/.

    python -m tools.site                                           the site
    python -m tools.site --repository https://github.com/ME/COURSE     with buttons for Binder and Colab

Sphinx reads a folder that is laid out here: the chapters as they are stored (nothing is run), with what a page needs
and a notebook does not have; a page for each module of the package; the references of all chapters as one list.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

import vaecourse
from tools import chapter, edition, ending, front, learner, live, made, trained, typed, vendor
from vaecourse import files
from vaecourse.labs.frame import Experiment

ROOT = chapter.ROOT
SITE = ROOT / "build/site"
PAGES = ROOT / "site"

# Pages ---------------------------------------------------------------------------------------------------------------


def listed() -> list[str]:
    """The pages that book.yml names, in its order."""
    book = yaml.safe_load((ROOT / "book.yml").read_text(encoding="utf-8"))
    return [book["root"], *(entry["file"] for part in book["parts"] for entry in part["chapters"])]


def pages(repository: str | None = None) -> dict[str, str]:
    """Every source file of the site by its name: what Sphinx reads, whole."""
    chapters = [ROOT / f"{name}.ipynb" for name in listed() if re.fullmatch(r"chapters/\d\d-.+", name)]
    found = {f"chapters/{path.name}": nbformat.writes(chapter_page(path, repository)) for path in chapters}
    found |= {f"chapters/{path.name}": path.read_text(encoding="utf-8") for path in (ROOT / "chapters").glob("*.md")}
    found |= {path.name: path.read_text(encoding="utf-8") for path in PAGES.glob("*.md")}
    found |= {
        page: (ROOT / "docs" / page).read_text(encoding="utf-8")
        for page in ("install.md", "updating.md", "same-seed.md")
    }
    found["docs/sources.md"] = (ROOT / "docs/sources.md").read_text(encoding="utf-8")
    found |= {
        f"docs/how-to/{path.name}": path.read_text(encoding="utf-8") for path in (ROOT / "docs/how-to").glob("*.md")
    }
    found["vae.md"] = found["vae.md"].replace("@vae@", trained.block(trained.VAE, "_static/live"))
    found["index.md"] = front.page(found["index.md"], repository) + chapter_table()
    found["references.md"] += references(chapters)
    found["api.md"] += api_list()
    found |= {f"api/{module}.rst": api_page(module) for module in modules()}
    return found


def chapter_table() -> str:
    """The table of chapters that the README has, with links for the site."""
    (table,) = re.findall(
        r"(?:^\|.*\n)*\| \[00 .*\n(?:\|.*\n)*", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    return "\n" + table


# Chapters ------------------------------------------------------------------------------------------------------------


# What the site has beside a lab.
SEE_ALSO = {
    "03.iwae": "The same bound of a trained VAE, whose log p(x) is known too: [A VAE in the page](../vae.md). Choose "
    "or draw a digit there."
}


def chapter_page(path: Path, repository: str | None = None) -> NotebookNode:
    """The stored notebook at ``path`` as a page: solutions and notes folded, labs told in words, a way to run it."""
    notebook = chapter.stored(path)
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = linked(unfolded(explained(cell.source)))
            if "instructor" in chapter.tags(cell):
                cell.source = _details("For the teacher", cell.source, "instructor")
        elif "solution" in chapter.tags(cell):
            cell.metadata.tags = [*cell.metadata.tags, "hide-cell"]
            cell.metadata.mystnb = {**cell.metadata.get("mystnb", {}), "code_prompt_show": "Solution"}
        shown = [] if "solution" in chapter.tags(cell) else chapter.labs_of(cell)
        cells += [_text(question) for name in shown if (question := asked(name))]
        cells.append(cell)
        for name in shown:
            if name in live.ALL:
                cell.metadata.tags = [*chapter.tags(cell), "live-still"]  # its picture gives way to what is live
                cells.append(_text(live.block(name)))
            elif name not in trained.WORDS and asked(name):
                cell.metadata.tags = [*chapter.tags(cell), "hide-output"]  # its picture has the answer
            if name in trained.WORDS:
                cell.metadata.tags = [*chapter.tags(cell), "live-still"]
                cells.append(_text(trained.block(name)))
            cells.append(_text(lab_in_words(name)))
            if name in SEE_ALSO:
                cells.append(_text(SEE_ALSO[name]))
    if any(name in live.ALL for cell in notebook.cells for name in chapter.labs_of(cell)):
        cells.append(_text(live.loads()))
    cells.insert(1, _text(how_to_run(path.stem, repository)))
    notebook.cells = cells
    return notebook


def how_to_run(name: str, repository: str | None = None) -> str:
    """Three ways to run a chapter: here, on Binder, on Colab. The last two need the repository's public address."""
    local = f"""\
**On your machine.** In the course's folder, `make lab`; then open `{name}.ipynb` from the list on the left. It has no
solutions, as the notebook that this page's download button gives; `make teach` opens the chapters with them."""
    if repository is None:
        away = """\
**Binder and Colab** need a public address of the repository: `make book REPOSITORY=https://github.com/NAME/COURSE`
puts their buttons here."""
    else:
        name_there = repository.removesuffix("/").removesuffix(".git").removeprefix("https://github.com/")
        tag = f"v{vaecourse.__version__}"  # what the site was built from, and not what the repository has become since
        binder = f"https://mybinder.org/v2/gh/{name_there}/{tag}?urlpath=lab/tree/learn/{name}.ipynb"  # by postBuild
        colab = f"https://colab.research.google.com/github/{name_there}/blob/{tag}/chapters/{name}.ipynb"
        away = f"""\
[Launch on Binder]({binder}) [Open in Colab]({colab})

Colab opens the chapter with its solutions. It has not got the package: run
`%pip install git+https://github.com/{name_there}@{tag}` in a cell of its own first.
(Neither was tried where the course was written: that machine reaches package registries only.)"""
    return _details("Run this chapter", f"{local}\n\n{away}", "run")


def downloads() -> dict[str, str]:
    """What a chapter's download button gives: the learner's notebook in place of the page's source."""
    chapters = typed.notebooks(ROOT / "chapters")
    return {
        f"_sources/chapters/{path.name}": json.dumps(edition.edition(chapters, place), ensure_ascii=False, indent=1)
        for place, path in enumerate(chapters)
    }


def lab_in_words(name: str) -> str:
    """What the still picture of a lab says, setting by setting, in a fold if it answers a question; how to have it
    live."""
    lab = live.experiment(name)
    words = "\n".join(f"{i}. {words}" for i, words in enumerate(sentences(lab), 1))
    if (guess := lab.guess) is not None:
        words = _details("The answer, and the lab in words", f"{guess.explained(lab)}\n\n{words}", "answer")
    handles = ", ".join(f"*{control.label}*" for control in lab.controls)
    how = f"**Live in JupyterLab:** `make lab`, then run the cells down to this one and move {handles}."
    return f":::{{admonition}} The lab in words\n:class: lab\n{words}\n\n{how}\n:::"


def asked(name: str) -> str:
    """The question that opens a lab, for a page that nobody can answer on; nothing where it asks none."""
    if (guess := live.experiment(name).guess) is None:
        return ""
    options = "\n".join(f"- {option}" for option in guess.choices())
    return f"**Guess first.** {guess.question}\n\n{options}".strip()


def explained(markdown: str) -> str:
    """An explanation, shut until it is opened: the prediction stands right above it."""
    return learner.folded(markdown) if markdown.startswith(learner.EXPLAIN) else markdown


def sentences(lab: Experiment) -> Iterator[str]:
    """The live sentence of each state that the still picture shows."""
    for settings in live.stills(lab):
        yield lab.sentence(lab.compute(**settings))


def unfolded(markdown: str) -> str:
    """Blank lines around what a <details> holds, so that Markdown and formulas in it are read as such."""
    inner = re.compile(r"(<details[^>]*>\s*<summary>.*?</summary>)(.*?)(</details>)", flags=re.DOTALL)
    return inner.sub(lambda m: f"\n{m[1]}\n\n{m[2].strip()}\n\n{m[3]}\n", markdown)


def linked(markdown: str) -> str:
    """Papers that are named by a bare number get their address."""
    markdown = re.sub(r"(?<!\[)arXiv (\d{4}\.\d{4,5})", r"[arXiv \1](https://arxiv.org/abs/\1)", markdown)
    markdown = re.sub(
        r"(?<!\[)openreview ([\w-]{9,12})", r"[openreview \1](https://openreview.net/forum?id=\1)", markdown
    )
    return markdown


def _details(summary: str, markdown: str, kind: str) -> str:
    return f'<details class="{kind}"><summary>{summary}</summary>\n\n{markdown}\n\n</details>'


def _text(markdown: str) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(markdown)


# References ----------------------------------------------------------------------------------------------------------

NUMBER = re.compile(r"arxiv\.org/abs/(?P<arxiv>[\d.]+)|doi\.org/(?P<doi>10\.[^\s)]+)|forum\?id=(?P<review>[\w-]+)")


def references(chapters: list[Path]) -> str:
    """Every paper that a chapter names under its *References*, once, with the chapters that name it."""
    papers: dict[str, str] = {}
    named_in: dict[str, list[str]] = {}
    for path in chapters:
        cells = nbformat.read(path, as_version=4).cells
        for entry in _entries(linked("\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown"))):
            key = next((m.group() for m in NUMBER.finditer(entry)), re.sub(r"\W", "", entry).lower())
            papers[key] = max(papers.get(key, ""), entry, key=lambda text: (text.count("](http"), len(text)))
            here = f"[{path.stem[:2]}](chapters/{path.name})"
            if here not in named_in.setdefault(key, []):
                named_in[key].append(here)
    lines = [f"- {paper} <br>Chapters {', '.join(named_in[key])}" for key, paper in papers.items()]
    return "\n" + "\n".join(sorted(lines, key=_surname)) + "\n"


def _entries(markdown: str) -> list[str]:
    """The items of the list under the heading *References*."""
    _, _, tail = re.sub(r"^#+ .*References.*$", "\f", markdown, flags=re.MULTILINE).partition("\f")
    tail = re.split(r"^#", tail, flags=re.MULTILINE)[0]
    return [" ".join(item.split()) for item in re.split(r"^[*-] +", tail, flags=re.MULTILINE)[1:]]


def _surname(line: str) -> str:
    """What the first author is sorted by: initials left out."""
    return re.sub(r"^- (?:(?:[A-Z]\.[- ]?)+ *)?", "", line).lower()


# The package ---------------------------------------------------------------------------------------------------------


def modules() -> dict[str, str]:
    """The package's modules and what they hold, as its own docstring says it."""
    rows = re.findall(r"^``(\w+)`` +(.+)$", vaecourse.__doc__, flags=re.MULTILINE)
    return dict(rows)


def api_list() -> str:
    rows = "\n".join(f"| [{module}](api/{module}.rst) | {holds} |" for module, holds in modules().items())
    return f"\n| module | what it holds |\n|---|---|\n{rows}\n"


# The other files there are experiments, answers, what is in a file, and how a row becomes a loss.
INSIDE = {
    "data": ["sources", "places", "fetching"],
    "labs": ["frame", "controls"],
    "checks": ["frame"],
    "objectives": ["table"],
}


def api_page(name: str) -> str:
    """One page for a module: its docstring, and every public function and class of it with signature and docstring."""
    module = importlib.import_module(f"vaecourse.{name}")
    prefix = f"{module.__name__}."
    inside = [found.name for found in pkgutil.walk_packages(getattr(module, "__path__", []), prefix)]
    names = [module.__name__, *([prefix + file for file in INSIDE[name]] if name in INSIDE else inside)]
    blocks = [f"{name}\n{'=' * len(name)}"]
    for file in names:
        if len(names) > 1:
            blocks.append(f"{file}\n{'-' * len(file)}")
        own = "\n   :ignore-module-all:" if file == module.__name__ and inside else ""  # its files have the others
        blocks.append(f".. automodule:: {file}{own}")
    return "\n\n".join(blocks) + "\n"


# Building ------------------------------------------------------------------------------------------------------------


def build(repository: str | None = None) -> None:
    """Lay out and build; a warning of Sphinx is an error, and leaves the site as it was."""
    vendor.fetch()
    with made.building(SITE, anew=True) as built:  # what Sphinx reads lies beside it, and goes when it is built
        source, static, doctrees = (built.with_name(name) for name in ("source", "static", "doctrees"))
        for name, text in pages(repository).items():
            files.replace(source / name, text.encode())
        vendor.copy(vendor.MATHJAX, static / "mathjax")
        live.copy(static / "live")
        trained.copy(static / "live")
        files.replace(source / "lab.png", (ROOT / "docs/lab.png").read_bytes())
        command = [sys.executable, "-m", "sphinx", "--write-all", "--fail-on-warning", "--keep-going", "--quiet"]
        if repository:  # without an address the theme's two buttons end the build
            options = {"repository_url": repository, "use_repository_button": "true", "use_issues_button": "true"}
            command += [f"--define=html_theme_options.{name}={value}" for name, value in options.items()]
        subprocess.run([*command, "--conf-dir", PAGES, "--doctree-dir", doctrees, source, built], check=True)
        for name, text in downloads().items():
            files.replace(built / name, text.encode())


@ending.reports("site")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.site", description="The course as a site.")
    parser.add_argument("--repository", help="the public address, for the buttons of Binder and Colab")
    options = parser.parse_args(arguments)
    try:
        build(options.repository or None)
    except subprocess.CalledProcessError:
        print("site: not built; mend what is said above", file=sys.stderr)
        return 1
    print(f"{SITE}/index.html")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
