"""Chapters as pairs: ``refresh`` runs NN-name.py into NN-name.ipynb, ``check`` compares the two, ``times`` measures.

    python -m tools.notebooks refresh          every chapter
    python -m tools.notebooks refresh 01 03    these chapters
    python -m tools.notebooks check            nothing is run: the rules of tools/rules.py, chapter by chapter
    python -m tools.notebooks times            seconds and peak memory from a fresh kernel, nothing is written

A refreshed notebook is the same bytes on every run on the same machine: cell ids come from the cell's place, timings
and widget states are not stored, addresses are replaced by the patterns of tests/chapters/sanitize.cfg. Where only the
output of cells tagged `nbval-ignore-output` is new (seconds, the machine's name), the notebook stays as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbval.plugin import get_sanitize_patterns

from tools import chapter, ending, made, rules, temporary, typed
from vaecourse import files

SANITIZE = chapter.ROOT / "tests/chapters/sanitize.cfg"

SECONDS_PER_CELL = 300
SECONDS_PER_CHAPTER, MEGABYTES = 90, 1000  # what a chapter may take


@dataclass(frozen=True)
class Cost:
    """What one run of a chapter took; ``megabytes`` is None where the system does not tell."""

    seconds: float
    megabytes: float | None


def execute(notebook: NotebookNode, name: str, folder: Path) -> Cost:
    """Run the notebook in place, from a fresh kernel of this Python with ``folder`` as its working directory."""
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=SECONDS_PER_CELL,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.create_kernel_manager()
    start = time.perf_counter()
    # One thread a kernel: what `make test` compares with, and sums of floats do not depend on the machine's core count.
    with _sockets(client), client.setup_kernel(env={**os.environ, "OMP_NUM_THREADS": "1"}):
        for index, cell in enumerate(notebook.cells):
            try:
                client.execute_cell(cell, index)
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                raise chapter.ChapterError(
                    f"{name}, {chapter.place(index, cell)}\n\n{cell.source}\n\n{_reason(error)}"
                ) from None
        megabytes = _peak_megabytes(client)
    return Cost(time.perf_counter() - start, megabytes)


def tidy(notebook: NotebookNode) -> None:
    """Take out of the outputs what a stored notebook cannot keep: widget models, addresses, bars of progress."""
    patterns = get_sanitize_patterns(SANITIZE.read_text(encoding="utf-8"))
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if not _is_progress(output)]
        for output in cell.get("outputs", []):
            if "text" in output:
                output.text = _sanitize(output.text, patterns)
            for mime, content in output.get("data", {}).items():
                if mime.startswith("text/"):
                    output.data[mime] = _sanitize(content, patterns)
            output.get("data", {}).pop(chapter.WIDGET, None)


def _is_progress(output: NotebookNode) -> bool:
    """A bar of tqdm, or the blanks that one leaves: whoever reads the page waits for nothing."""
    lines = re.split(r"[\r\n]", output.get("text", ""))
    return output.get("name") == "stderr" and all(not line.strip() or re.search(r"\d%\|.*\[", line) for line in lines)


def write(notebook: NotebookNode, path: Path) -> bool:
    """Write the notebook whole or not at all; False, and the file stays, where nothing differs that anyone compares.

    What somebody has typed into the file that was there is kept as a copy, and told.
    """
    typed.mark(notebook)
    nbformat.validate(notebook)
    before = path.read_bytes().decode(errors="replace") if path.is_file() else None
    if before is not None and _compared(before) == _compared(nbformat.writes(notebook)):
        return False
    content = (nbformat.writes(notebook).rstrip("\n") + "\n").encode()
    files.write(path, content, typed.NOTEBOOK, tell=made.tell, folder=made.copies(path.parent))
    return True


def refresh(source: Path) -> tuple[bool, Cost]:
    """Run a chapter and store its outputs. ``ChapterError`` if a cell fails: then the old notebook stays."""
    path = source.with_suffix(".ipynb")
    with made.alone(path, "running it and storing its outputs"):
        notebook = chapter.read(source)
        cost = execute(notebook, source.stem, source.parent)
        tidy(notebook)
        return write(notebook, path), cost


def _compared(text: str) -> object:
    """The notebook without what its cells tagged `nbval-ignore-output` say: times, and what machine this is."""
    try:
        notebook = json.loads(text)
        for cell in notebook["cells"]:
            if "nbval-ignore-output" in cell["metadata"].get("tags", []):
                cell.pop("outputs", None)
    except (ValueError, TypeError, KeyError, AttributeError):  # no notebook
        return text
    return notebook


@contextmanager
def _sockets(client: NotebookClient) -> Iterator[None]:
    """Talk to the kernel through files of this user where the system can, not through ports that anyone may try.

    IPython's settings are its own, so that a chapter does not depend on somebody's; nor does it need a home.
    """
    with temporary.folder("kernel") as folder:
        if os.name == "posix":
            client.km.transport, client.km.ip = "ipc", f"{folder}/s"
        own = {"IPYTHONDIR": f"{folder}/ipython", "JUPYTER_RUNTIME_DIR": f"{folder}/runtime"}
        if not _can_be_written(Path(os.path.expanduser("~"))):
            own |= {"MPLCONFIGDIR": f"{folder}/matplotlib"}
        before = {name: os.environ.get(name) for name in own}
        os.environ |= own
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def _can_be_written(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _reason(error: Exception) -> str:
    if isinstance(error, CellExecutionError):
        return chapter.plain(error.traceback)
    if isinstance(error, CellTimeoutError):
        return f"The cell ran for more than {SECONDS_PER_CELL} seconds."
    return f"The kernel died: {error}"


def _sanitize(text: str, patterns: list[tuple[str, str]]) -> str:
    for pattern, replacement in patterns:
        text = re.sub(pattern, replacement, text)
    return text


def _peak_megabytes(client: NotebookClient) -> float | None:
    """The kernel's peak resident memory, from Linux's own book-keeping."""
    status = Path(f"/proc/{client.km.provisioner.pid}/status")
    if not status.exists():
        return None
    return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"))[1]) / 1e3


def _run_each(paths: list[Path], run: Callable[[Path], tuple[str, Cost]]) -> int:
    """A line for each chapter; one that fails is told at the end and does not keep the others from running."""
    failures = []
    total = 0.0
    print(f"{'chapter':32} {'seconds':>8} {'peak MB':>8}", flush=True)
    for path in paths:
        try:
            note, cost = run(path)
        except (chapter.ChapterError, OSError, ValueError) as error:
            failures.append(error)
            print(f"{path.stem:32} {'':8} {'':8}  failed", flush=True)
            continue
        total += cost.seconds
        memory = "?" if cost.megabytes is None else f"{cost.megabytes:.0f}"
        print(f"{path.stem:32} {cost.seconds:8.1f} {memory:>8}  {note}", flush=True)
    print(f"{'together':32} {total:8.1f}")
    for error in failures:
        print(f"\n{error}", file=sys.stderr)
    return 1 if failures else 0


def _refresh(paths: list[Path]) -> int:
    def run(path: Path) -> tuple[str, Cost]:
        changed, cost = refresh(path)
        return ("written" if changed else "unchanged"), cost

    return _run_each(paths, run)


def _times(paths: list[Path]) -> int:
    def run(path: Path) -> tuple[str, Cost]:
        cost = execute(chapter.read(path), path.stem, path.parent)
        over = [f"over {SECONDS_PER_CHAPTER} s"] * (cost.seconds > SECONDS_PER_CHAPTER)
        over += [f"over {MEGABYTES} MB"] * ((cost.megabytes or 0) > MEGABYTES)
        return ", ".join(over), cost

    return _run_each(paths, run)


def _check(paths: list[Path]) -> int:
    problems = [problem for path in paths for problem in rules.problems(path)]
    for problem in problems:
        print(problem)
    print(f"{len(paths)} chapters, {len(problems)} problems")
    return 1 if problems else 0


@ending.reports("notebooks")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.notebooks", description="Chapters as pairs of .py and .ipynb."
    )
    parser.add_argument("command", choices=["refresh", "check", "times"])
    parser.add_argument("numbers", nargs="*", metavar="NN", help="chapter numbers, for example 01 03; all by default")
    parser.add_argument("--folder", type=Path, default=chapter.CHAPTERS, help="where the chapters are")
    options = parser.parse_args(arguments)
    paths = chapter.sources(options.numbers, options.folder.resolve())
    return {"refresh": _refresh, "check": _check, "times": _times}[options.command](paths)


if __name__ == "__main__":
    raise SystemExit(main())
