"""tests/gpu in a process of its own, and what came of it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import torch

ROOT = Path(__file__).parents[2]
LONGEST = 120  # seconds
WORDS = "-q --no-header --tb=short -p no:cacheprovider -p no:xdist -o addopts="  # nbval need not be there


def run(device: torch.device, left: float, rehearse: bool, file: Path) -> dict[str, Any]:
    """How many tests passed, were skipped and failed, with the names and first words of those that failed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "tests/gpu", f"--junitxml={report}", *WORDS.split()]
        environment = {**os.environ, "VAECOURSE_DEVICE": device.type}
        try:
            subprocess.run(command, cwd=ROOT, env=environment, timeout=min(left, LONGEST), check=False)
        except subprocess.TimeoutExpired:
            failure = f"the tests took over {min(left, LONGEST):.0f} s"
            return {"passed": 0, "skipped": 0, "failed": 1, "failures": [failure]}
        return _counted(report)


def _counted(report: Path) -> dict[str, Any]:
    suite = next(ElementTree.parse(report).iter("testsuite"))
    found = {name: int(suite.get(name, 0)) for name in ("tests", "skipped", "failures", "errors")}
    failed = found["failures"] + found["errors"]
    told = []
    for case in suite.iter("testcase"):
        for kind in ("failure", "error"):
            if (node := case.find(kind)) is not None:
                told.append(f"{case.get('name')}: {(node.get('message') or '').splitlines()[0][:300]}")
    passed = found["tests"] - found["skipped"] - failed
    return {"passed": passed, "skipped": found["skipped"], "failed": failed, "failures": told}
