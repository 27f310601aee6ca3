"""What a learner and a lecturer see: pictures of every lab in JupyterLab, light and dark, laptop and projector.

    python -m tools.screenshots                  every lab                -> scratch/screens/
    python -m tools.screenshots 03.iwae          one lab
    python -m tools.screenshots 01-elbo.ipynb    a whole chapter, run, screen by screen (laptop, light)

The projector is 1280 x 720 with the browser zoomed to 125 %, side bar closed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools import browser, ending, made, temporary
from vaecourse import labs

ROOT = Path(__file__).resolve().parents[1]
SCREENS = ROOT / "scratch/screens"
LAPTOP, PROJECTOR = (1366, 768, 1.0), (1280, 720, 1.25)


def of_labs(names: list[str], screens: Path) -> None:
    """One picture a lab, theme and screen, into the folder ``screens``."""
    with temporary.folder("labs") as folder, browser.chromium() as chromium:
        code = "from vaecourse import labs\n\n" + "\n".join(f'display(labs.ALL["{name}"]())' for name in names)
        notebook = browser.notebook_of(code, Path(folder, "labs.ipynb"))
        for theme in ("Light", "Dark"):
            with browser.server(notebook, theme=f"JupyterLab {theme}") as server:
                for screen, (width, height, zoom) in {"laptop": LAPTOP, "projector": PROJECTOR}.items():
                    viewport = {"width": round(width / zoom), "height": round(height / zoom)}
                    page = chromium.new_page(viewport=viewport, device_scale_factor=zoom)
                    opened = browser.Notebook.open(page, server, notebook.name)
                    if screen == "projector":
                        page.evaluate("jupyterapp.shell.collapseLeft()")
                    opened.run_all()
                    for number, name in enumerate(names):
                        lab = opened.lab(name, number)
                        lab.locator("input").first.focus()
                        lab.evaluate("(lab) => lab.scrollIntoView({block: 'start'})")
                        page.wait_for_timeout(300)  # the notebook scrolls smoothly
                        path = screens / f"{name}-{screen}-{theme.lower()}.png"
                        page.screenshot(path=path)
                        box = lab.bounding_box()
                        print(
                            f"{path.name}: the lab is {box['width']:.0f} x {box['height']:.0f} of {viewport}",
                            flush=True,
                        )
                    page.close()
                    server.end_sessions()


def of_chapter(name: str, screens: Path) -> None:
    """A chapter after all its cells have run, from top to bottom, into the folder ``screens``."""
    with browser.chromium() as chromium, browser.server(ROOT / "chapters" / name) as server:
        page = chromium.new_page(viewport={"width": LAPTOP[0], "height": LAPTOP[1]})
        opened = browser.Notebook.open(page, server, name)
        opened.run_all(300)
        print(*opened.errors(), *opened.problems, sep="\n")
        view = f"{browser.WIDGET}.content"
        cells = page.evaluate(f"{view}.widgets.length")
        shown = set()
        for cell in range(cells):
            if cell in shown:
                continue
            page.evaluate(f"(cell) => {view}.scrollToItem(cell, 'start', 0)", cell)
            page.wait_for_timeout(400)
            page.screenshot(path=screens / f"{Path(name).stem}-{cell:03}.png")
            whole = f"""[...{view}.widgets.entries()].filter(([, cell]) => {{
                const box = cell.isAttached && cell.node.getBoundingClientRect();
                return box && box.height > 0 && box.top >= 0 && box.bottom <= window.innerHeight - 24;
            }}).map(([index]) => index)"""
            shown |= {cell, *page.evaluate(whole)}


@ending.reports("screenshots")
def main(names: list[str]) -> int:
    with made.building(SCREENS) as folder:
        for name in names:
            if name.endswith(".ipynb"):
                of_chapter(name, folder)
        if some := [name for name in names if name in labs.ALL] or (list(labs.ALL) if not names else []):
            of_labs(some, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
