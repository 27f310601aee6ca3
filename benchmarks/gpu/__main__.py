"""The CUDA tests, the step table, and a training on MNIST, on a machine with one GPU: one command, no questions.

    make gpu                        (python3 -m benchmarks.gpu, for a machine with no network and no .venv)
    make gpu ARGS=--rehearse        the same on the CPU, small, within a minute or two: what CI runs

It needs PyTorch, what `vaecourse` imports to compute (numpy, tqdm, safetensors, filelock, pooch, typer), pytest for the
tests, and MNIST: fetched, or in the folder that VAECOURSE_DATA names. Each part is written to RESULT.json and to
RESULT.md beside it as soon as it is done; the same line again does what is missing. A result of another machine or
another commit is kept in kept/ first, and a file that is no result is refused.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu import checks, report, steps, training
from tools.ending import reports
from vaecourse import files, recorded

PARTS = {"tests": checks.run, "steps": steps.run, "table": training.table, "long": training.long}
FOLDER = Path(__file__).parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rehearse", action="store_true", help="on the CPU, small")
    parser.add_argument("--minutes", type=float, default=8.0, help="that all of it may take")
    parser.add_argument("--to", type=Path, default=FOLDER / "result.json", help="the JSON file; the table is beside it")
    parser.add_argument("--part", choices=list(PARTS), action="append", help="this part, even if it is there")
    options = parser.parse_args()
    begun = time.monotonic()
    if not options.rehearse and not torch.cuda.is_available():
        print("There is no CUDA device here. `make gpu ARGS=--rehearse` tries all of it on the CPU, small.")
        return 2
    device = torch.device("cpu" if options.rehearse else "cuda")
    minutes = min(options.minutes, 1.0) if options.rehearse else options.minutes
    if options.to.suffix != ".json":
        raise ValueError(f"to must end in .json, got {options.to}: the table goes beside it, with .md in its place.")
    with files.locked(options.to, "measuring"):
        result = _measured(options, device, minutes, begun)
    print(report.markdown(result))
    return 0 if result.get("tests", {}).get("failed", 0) == 0 else 1


def _measured(options: argparse.Namespace, device: torch.device, minutes: float, begun: float) -> dict[str, Any]:
    """The result, part by part, each of which is in the files once it is done."""
    page, known = options.to.with_suffix(".md"), files.Known()
    files.refuse(options.to, RESULT)
    files.refuse(page, files.TEXT)
    result = _begun(options.to, _machine(device), known)
    for name, run in PARTS.items():
        if options.part and name not in options.part:
            continue
        if name in result and not options.part:
            print(f"== {name}: done before")
            continue
        left = 60 * minutes - (time.monotonic() - begun)
        print(f"== {name}: {left:.0f} s are left", flush=True)
        start = time.monotonic()
        result[name] = run(device, left, options.rehearse, options.to)
        result[name]["seconds"] = round(time.monotonic() - start, 1)
        files.write(options.to, (json.dumps(result, indent=1) + "\n").encode(), RESULT, known)
        files.write(page, files.signed(report.markdown(result)), files.TEXT, known)
    return result


def _is_result(file: Path) -> bool:
    try:
        found = json.loads(files.content(file, files.LONGEST_TEXT))
        return {"machine"} <= found.keys() <= {"machine", *PARTS} and "commit" in found["machine"]
    except (ValueError, AttributeError, TypeError, RecursionError):
        return False


RESULT = files.Kind("a result of `make gpu`", _is_result)


def _begun(file: Path, machine: dict[str, Any], known: files.Known) -> dict[str, Any]:
    """What is in the file, if it is of this machine and this commit; else the beginning of a new one."""
    if file.is_file():
        files.saw(file, seen := files.Known())
        found: dict[str, Any] = json.loads(files.content(file, files.LONGEST_TEXT))
        if found["machine"] == machine:
            known |= seen
            return found
        print(f"{files.shown(file)} is of another machine or another commit: it is made anew.")
    return {"machine": machine}


def _machine(device: torch.device) -> dict[str, Any]:
    found = recorded.machine() | {"commit": recorded.commit(), "device": device.type}
    if device.type == "cuda":
        card = torch.cuda.get_device_properties(device)
        found |= {"device": card.name, "memory_GiB": round(card.total_memory / 2**30, 1), "cuda": torch.version.cuda}
    return found


if __name__ == "__main__":
    sys.exit(reports("gpu")(main)())
