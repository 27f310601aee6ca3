"""The front page of the site: a lab under one question, and three doors."""

from __future__ import annotations

from html import escape

import vaecourse
from tools import live

LAB = "03.iwae"


def page(markdown: str, repository: str | None) -> str:
    """``site/index.md`` with its lab, its doors and the version in it."""
    lab = f"{live.block(LAB)}\n{live.loads('_static/live')}"
    found = {"@lab@": f"```{{raw}} html\n{lab}\n```", "@doors@": doors(repository), "@version@": vaecourse.__version__}
    for mark, text in found.items():
        markdown = markdown.replace(mark, text)
    return markdown


def doors(repository: str | None) -> str:
    """Learn here, install, teach; and the code, where its address is known."""
    clone = f"git clone {escape(repository)}" if repository else "in the folder of the course"
    found = [
        ("Learn here", "chapters/00-start-here.html", "In the browser, nothing to install: begin with chapter 00."),
        ("Install", "install.html", f"<code>{clone}</code>, then <code>make lab</code>: some minutes, Python 3.11."),
        ("Teach", "chapters/teaching.html", "Two lectures, half a day or thirteen weeks; decks, homework, a class."),
    ]
    if repository:
        found.append(("The code", escape(repository), "The package and the notebooks, and where to tell of a mistake."))
    cards = "".join(
        f'<a class="door" href="{where}"><strong>{name}</strong><span>{words}</span></a>'
        for name, where, words in found
    )
    return f'<nav class="doors" aria-label="Ways in">{cards}</nav>'
