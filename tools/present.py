"""The labs of a chapter live on a projector: Voila serves them full screen, without cells and menus.

    python -m tools.present 03                   the labs of chapter 03, one under the other, at http://localhost:8866
    python -m tools.present 03 --no-browser      the same, and no browser is opened

Page Down goes to the next lab; sliders take the arrow keys, Home and End. The slides beside it: ``make slides``.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from pathlib import Path

import nbformat
from jupyter_core.paths import jupyter_path

from tools import notebooks

FOLDER = notebooks.ROOT / "build/present"

# Everything larger, and each lab on a screen of its own: 1280 x 720 is what a projector shows.
STYLE = """\
from IPython.display import HTML, display

from vaecourse import labs

display(HTML('''<style>
body, .jp-Cell { background: #fff !important; }
.jp-Cell, .jp-Notebook { padding: 0 !important; margin: 0 !important; }
.vaecourse-lab { zoom: 1.15; min-height: calc(100vh / 1.15); box-sizing: border-box; padding: 4px 24px; }
</style>'''))"""


def labs_of(source: Path) -> list[str]:
    """The labs that a chapter shows, in its order."""
    text = "\n".join(cell.source for cell in notebooks.read(source).cells if cell.cell_type == "code")
    return list(dict.fromkeys(re.findall(r'labs\.ALL\["([^"]+)"\]\(\)', text)))


def notebook(source: Path) -> nbformat.NotebookNode:
    """A notebook of the chapter's labs alone."""
    found = labs_of(source)
    if not found:
        raise notebooks.ChapterError(f"{source.stem} has no lab to present")
    cells = [STYLE, *(f'display(labs.ALL["{name}"]())' for name in found)]
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=notebooks.METADATA
    )


def write(source: Path, folder: Path = FOLDER) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / source.with_suffix(".ipynb").name
    nbformat.write(notebook(source), path)
    return path


def offline(folder: Path = FOLDER) -> dict[str, str]:
    """The environment in which Voila asks nothing of the network: its page without a CDN's icons, used by no lab."""
    (lab,) = [path for data in jupyter_path("voila", "templates") if (path := Path(data, "lab")).is_dir()][:1]
    own = folder / "voila/templates/lab"
    shutil.copytree(lab, own, dirs_exist_ok=True)
    page = own / "index.html.j2"
    page.write_text("\n".join(line for line in page.read_text().splitlines() if "cdn.jsdelivr.net" not in line))
    paths = [str(folder), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    return {**os.environ, "JUPYTER_PATH": os.pathsep.join(paths)}


def command(path: Path, *more: str) -> list[str]:
    """What serves the notebook at ``path``."""
    return [sys.executable, "-m", "voila", str(path), "--strip_sources=True", "--theme=light", *more]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.present", description="A chapter's labs, full screen.")
    parser.add_argument("number", metavar="NN", help="the chapter's number, for example 03")
    options, more = parser.parse_known_args(arguments)
    try:
        (source,) = notebooks.sources([options.number])
        path = write(source)
    except notebooks.ChapterError as error:
        print(f"present: {error}", file=sys.stderr)
        return 1
    print(f"The labs of {source.stem}; end with Ctrl-C", flush=True)
    os.execve(sys.executable, command(path, *more), offline())


if __name__ == "__main__":
    raise SystemExit(main())
