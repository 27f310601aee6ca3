"""The Markdown page of a result."""

from __future__ import annotations

import statistics
from typing import Any


def markdown(result: dict[str, Any]) -> str:
    """What was measured, part by part."""
    machine = result["machine"]
    lines = [
        f"# On one {machine['device']}",
        "",
        f"torch {machine['torch']}, CUDA {machine.get('cuda', 'none')}, Python {machine['python']}, "
        f"{machine['processor']}, {machine['cores']} cores; commit {machine['commit']}. Made by `make gpu`: the files "
        "of this folder say what is measured and how.",
    ]
    parts = {"tests": _tests, "steps": _steps, "table": _training, "long": _training}
    for name, write in parts.items():
        if name in result:
            lines += ["", *write(result[name]), "", f"This part took {result[name]['seconds']:.0f} s."]
    return "\n".join(lines) + "\n"


def _tests(found: dict[str, Any]) -> list[str]:
    told = [f"* {failure}" for failure in found["failures"]]
    counts = f"{found['passed']} passed, {found['skipped']} skipped, {found['failed']} failed"
    return ["## Tests", "", f"tests/gpu: {counts}.", *([""] if told else []), *told]


def _steps(found: dict[str, Any]) -> list[str]:
    rates = ", ".join(f"{name} {rate / 1e12:.0f}" for name, rate in found["flop_per_second"].items())
    lines = [
        "## A step",
        "",
        f"784-200-200-50, Bernoulli pixels, Adam. One large product does, in TFLOP/s: {rates}; one large copy moves "
        f"{found['bytes_per_second'] / 1e12:.2f} TB/s. A share is the time that this would need over the step's own.",
        "",
        "| step | B | precision | ms | share of products | share of traffic | first steps, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in found["rows"]:
        shares = f"{row['products']:.2f} | {row['traffic']:.2f}"
        name = f"| {row['way']} | {row['B']} | {row['precision']} "
        lines.append(f"{name}| {row['ms']:.3f} | {shares} | {row['first_steps_s']:.1f} |")
    return [*lines, *([f"Left out: {found['left_out']}."] if "left_out" in found else [])]


def _training(found: dict[str, Any]) -> list[str]:
    lines = [
        f"## MNIST, {found['passes']} passes",
        "",
        f"The short schedule, {found['seeds']} seeds side by side, products in {found['precision']}, judged in float32."
        + (f" The aim is {found['aim']:.2f}." if "aim" in found else ""),
        "",
        "| row | NLL, mean over the seeds | its error | seconds of a pass |",
        "|---|---|---|---|",
    ]
    for row, values in found["nll"].items():
        error = f"{statistics.stdev(values) / len(values) ** 0.5:.3f}" if len(values) > 1 else ""
        mean = f"{statistics.mean(values):.3f}" if values else "not run"
        lines.append(f"| {row} | {mean} | {error} | {found['seconds_per_pass'][row]:.2f} |")
    return lines
