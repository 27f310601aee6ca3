"""Every page of the web that the texts link to, asked for once. Which are dead?

    python -m tools.links                   ask; the exit code is 1 if a page is dead
    python -m tools.links --list            ask for nothing: print the links and where they stand

It needs a network, so `make test` does not run it.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tools import ending
from tools.chapter import ROOT

TEXTS = (
    *("*.md", "*.cff", "LICENSE*", "chapters/*.py", "chapters/*.md", "docs/*.md", "site/*.md", "benchmarks/*.md"),
    "vaecourse/recorded/*.md",
    "vaecourse/**/*.py",
)
LINK = re.compile(r"https?://\w[^\s<>\"'`\\|{}\]]+")
ARXIV = re.compile(r"arXiv[: ](\d{4}\.\d{4,5})")  # written without a link, as most papers here are
PLACES = re.compile(r"//(localhost|127\.|github\.com/(NAME|ME)/)")  # this machine, or a name to be filled in
MIRRORS = re.compile(r"//(ossci-datasets|fashion-mnist\.s3|storage\.googleapis|.*/raw/)")  # folders without a page
REFUSED = {401, 403, 429}  # a server that is there, and answers no programs
SECONDS = 20.0


def gather(paths: Iterable[Path]) -> dict[str, list[str]]:
    """Each link, arXiv numbers too, and the places where it stands, as ``file:line``."""
    found: dict[str, list[str]] = {}
    for path in sorted(paths):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            papers = [f"https://arxiv.org/abs/{paper}" for paper in ARXIV.findall(line)]
            for link in sorted({*map(_trimmed, LINK.findall(line)), *papers}):
                if not PLACES.search(link) and not MIRRORS.search(link):
                    found.setdefault(link, []).append(f"{path.name}:{number}")
    return found


def _trimmed(link: str) -> str:
    """Without the part after # and what is the sentence's: a full stop, a bracket that was opened before the link."""
    link = link.split("#")[0]
    while link[-1] in ".,;:!?*_" or (link[-1] == ")" and link.count(")") > link.count("(")):
        link = link[:-1]
    return link


def trouble(link: str, seconds: float = SECONDS) -> str | None:
    """What is wrong with a page, in words; None if it is there. A server that does not like HEAD is asked with GET."""
    try:
        for method in ("HEAD", "GET"):
            headers = {"User-Agent": "Mozilla/5.0 (a course that checks its links)"}
            with requests.request(
                method, link, timeout=seconds, allow_redirects=True, headers=headers, stream=True
            ) as answer:
                if answer.status_code < 400:
                    return None
    except requests.RequestException as failure:
        return f"no answer ({type(failure).__name__})"
    status = f"{answer.status_code} {answer.reason}"
    return f"refused to a program ({status}): look yourself" if answer.status_code in REFUSED else f"dead ({status})"


@ending.reports("links")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.links", description="Which links of the texts are dead?")
    parser.add_argument("--list", action="store_true", help="print the links and ask for none")
    parser.add_argument("--folder", type=Path, default=ROOT, help="where the texts are")
    options = parser.parse_args(arguments)
    links = gather(path for pattern in TEXTS for path in options.folder.glob(pattern))
    if options.list:
        for link, places in links.items():
            print(f"{link}  {', '.join(places)}")
        return 0
    with ThreadPoolExecutor(8) as several:
        answers = dict(zip(links, several.map(trouble, links), strict=True))
    wrong = {link: status for link, status in answers.items() if status}
    for link, status in wrong.items():
        print(f"{link}: {status}; in {', '.join(links[link])}", file=sys.stderr)
    print(f"{len(links)} links, {len(links) - len(wrong)} of them answer")
    return int(any("refused" not in status for status in wrong.values()))


if __name__ == "__main__":
    raise SystemExit(main())
