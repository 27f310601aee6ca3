"""JavaScript, by the deno that is pinned for `make test`: how it is laid out, what is faulty, and whether types agree.

    python -m tools.javascript       all three, on every file; `make lint` calls it

deno.json has the settings. The tests of the JavaScript are in tests/javascript, and `make unit` runs them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from tools import ending, made

FOLDERS = ("vaecourse/labs/js", "site", "tests/javascript")
TYPED = FOLDERS[:-1]  # a test hands over what is no element and no model, as far as what it tests can tell
KINDS = ("*.js", "*.d.ts")
CACHE = ".deno_cache"
SETTINGS = {"DENO_DIR": CACHE, "DENO_NO_UPDATE_CHECK": "1", "DENO_NO_PACKAGE_JSON": "1", "NO_COLOR": "1"}
COLUMNS = 120  # deno wraps code, and no comment
LOOKS = (("fmt", "--check"), ("lint", "--quiet"), ("check", "--quiet", "--no-remote", "--no-npm"))


def sources(folders: tuple[str, ...] = FOLDERS) -> list[Path]:
    """The JavaScript there, and the types that it names."""
    return sorted(path for folder in folders for kind in KINDS for path in (made.ROOT / folder).rglob(kind))


def deno(*words: str | Path, **more: object) -> subprocess.CompletedProcess:
    """Run deno in the course's folder, with nothing but the course's settings."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("DENO_")}
    command = [Path(sysconfig.get_path("scripts"), "deno"), *words]
    return subprocess.run(command, cwd=made.ROOT, env=others | SETTINGS, **more)  # type: ignore[call-overload]


def test(file: Path, **more: object) -> subprocess.CompletedProcess:
    """Run a file of tests, which may read what lies in the course's folder and do nothing else."""
    return deno("test", "--no-check", "--no-remote", "--no-npm", "--allow-read=.", file, **more)


def too_long(path: Path) -> list[str]:
    """Where a line is longer than 120 columns."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [f"{path}:{i}: {len(line)} columns" for i, line in enumerate(lines, 1) if len(line) > COLUMNS]


@ending.reports("javascript")
def main(arguments: list[str] | None = None) -> int:
    argparse.ArgumentParser(prog="python -m tools.javascript", description=__doc__.split("\n")[0]).parse_args(arguments)
    faulty = [deno(*look, *sources(TYPED if look[0] == "check" else FOLDERS)).returncode for look in LOOKS]
    long = [line for path in sources() for line in too_long(path)]
    print(*long, sep="\n", end="\n" * bool(long))
    return int(any(faulty) or bool(long))


if __name__ == "__main__":
    sys.exit(main())
