"""Is a tag the package's version, and what does the CHANGELOG say of it? Prints that section, for a release on GitHub.

    python .github/release.py v0.1.0

The release workflow runs it before anything is built. Needs nothing but Python 3.11.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def section(changelog: str, name: str) -> str:
    """What ``changelog`` has between the heading ``## [name]``, with or without a date, and the next such heading.

    >>> section("# Changelog\\n\\n## [0.2.0] - 2027-01-02\\n\\nNew.\\n\\n## [0.1.0]\\n\\nOld.\\n", "0.2.0")
    'New.'
    """
    for part in re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        if re.fullmatch(rf"\[{re.escape(name)}\]( - \d{{4}}-\d\d-\d\d)?", heading.strip()):
            return text.strip()
    raise SystemExit(f"CHANGELOG.md has no section ## [{name}]: write it before the tag.")


def notes(tag: str, root: Path = ROOT) -> str:
    """The CHANGELOG's section of ``tag``. Exits with a sentence if a file of the course has another number."""
    package = (root / "vaecourse/__init__.py").read_text(encoding="utf-8")
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    (version,) = re.findall(r'^__version__ = "(\S+)"', package, flags=re.MULTILINE)
    (cited,) = re.findall(r"^version: *(\S+)$", citation, flags=re.MULTILINE)
    for place, number in (("vaecourse/__init__.py", version), ("CITATION.cff", cited.strip("\"'"))):
        if tag != f"v{number}":
            raise SystemExit(f"The tag is {tag}, and {place} has version {number}: the tag must be v{number}.")
    found = section((root / "CHANGELOG.md").read_text(encoding="utf-8"), version)
    if not found:
        raise SystemExit(f"The section ## [{version}] of CHANGELOG.md is empty: say what is new.")
    return found


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    print(notes(sys.argv[1]))
