"""Mutation testing: plant every small bug that a machine can think of, and see whether the tests notice.

    python -m tools.mutants                    every module of MODULES, which takes hours
    python -m tools.mutants bounds exact       these modules
    python -m tools.mutants --sample 400 exact some of the module's bugs, drawn at random, for an estimate
    python -m tools.mutants --again exact      the unlisted survivors of its last run, with today's tests

mutmut changes one operator, number, name or argument at a time and runs the tests that reach it. A bug that no test
notices is a *survivor*. tools/mutants.toml lists those that change nothing a test could or should see, each with its
reason; the others are printed as they stand in the code. The exit code is 1 if a module's score is below LEAST, or if a
survivor is not listed. What --again needs is kept in build/mutants-ROOM; the package itself is never touched.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tools import ending, made

ROOT = Path(__file__).resolve().parents[1]
KNOWN = ROOT / "tools/mutants.toml"
LEAST = 0.95  # of the mutants are noticed
MODULES = {  # module of the package: the tests that must notice
    "bounds": ["tests/test_bounds.py"],
    "objectives": ["tests/test_objectives.py"],
    "gradients": ["tests/test_gradients.py"],
    "divergences": ["tests/divergences"],
    "hierarchical": ["tests/hierarchical"],
    "exact": ["tests/exact"],
}
SLOW = {  # left out: many draws or many steps, after which faster tests must have noticed whatever there is to notice
    "objectives": ["test_axes_are_estimates_then_samples"],
    "divergences": [
        "test_gradient_without_saturation_is_that_of_half_the_kl_minus_js",
        "test_js_is_exact_at_the_best_discriminator_and_lower_at_any_other",
        "test_expectation_is",
        "test_discriminator_learns_the_log_ratio",
        "test_figures_of_errata_b11",
        "test_narrow_kernels_are_blind",
        "test_u_statistic_is",
        "test_v_statistic_is_too_high",
        "test_bias_falls_like_one_over_b",
        "test_truth_lies_between",
        "test_fixed_point_on_a_gaussian",
    ],
    "exact": ["test_signal_to_noise_follows_the_rates"],
    "hierarchical": [
        "test_expected_bound_rises_to_the_exact_elbo",
        "test_training_finds_both_modes",
        "test_every_weight_has_the_mean_p",
        "test_bias_falls_like_one_over_the_number_of_psi",
        "test_m_iwhvi_lies_between",
        "test_signal_to_noise_of_tau_as_K_grows",
        "test_toy_with_training_is_nearer",
        "test_biases_are_those_of_chi_squared",
        "test_no_gaussian_is_nearer",
    ],
}
SHOW = """
import json, sys
from mutmut.__main__ import find_mutant, get_diff_for_mutant
print(json.dumps({name: get_diff_for_mutant(name, path=find_mutant(name).path) for name in sys.argv[1:]}))
"""  # what `mutmut show` prints, for many mutants at once
PATIENCE = 5  # a mutant may take so many times as long as its tests do by themselves, and a few seconds
SURVIVED, NO_TEST, NOT_RUN = {0}, {5, 33}, {None, 34}  # mutmut's exit codes; all others are a test that failed or hung


class Mutant(NamedTuple):
    """One planted bug: the lines before and after."""

    name: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.name}\n  - {self.before}\n  + {self.after}"


class Report(NamedTuple):
    """What became of a module's mutants."""

    module: str
    total: int
    survivors: list[Mutant]
    known: int  # of the survivors, those that are listed with a reason
    planted: int | None = None  # how many there are, if ``total`` is a sample of them

    @property
    def score(self) -> float:
        return 1 - len(self.survivors) / max(self.total, 1)

    @property
    def passed(self) -> bool:
        return self.total > 0 and self.score >= LEAST and self.known == len(self.survivors)

    def __str__(self) -> str:
        noticed = self.total - len(self.survivors)
        drawn = f", drawn from {self.planted}" if self.planted else ""
        score = f"{noticed:5} of {self.total:5} noticed{drawn}, {self.score:6.1%}"
        return f"{self.module:13} {score}; {self.known} survivors listed"


def test(bench: Path, module: str, workers: int, again: bool = False, sample: int | None = None) -> Report:
    """Plant the bugs of one module in a copy of the package, in the empty folder ``bench``; run its tests on each, on
    a sample of so many, or again on the unlisted few."""
    if again:
        refuse_old_bench(last_bench(module), module)
        shutil.copytree(last_bench(module), bench, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(bench / "tests")
        shutil.copytree(ROOT / "tests", bench / "tests")
        names = [mutant.name for mutant in survivors(bench) if not is_known(module, mutant)]
    else:
        for part in ("vaecourse", "tests", "benchmarks", "README.md", "LICENSE"):
            source = ROOT / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, bench / part)
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8") + settings(module)
        (bench / "pyproject.toml").write_text(project, encoding="utf-8")
        names = []
        if sample:
            mutmut(bench, "run", "*none of them*")  # plants the bugs, and times the tests
            planted = sorted(exit_codes(bench))
            names = random.Random(0).sample(planted, min(sample, len(planted)))
    if names or not again:
        with open(bench / "log", "w", encoding="utf-8") as log:
            mutmut(bench, "run", "--max-children", str(workers), *names, stdout=log)
        if "Failed to run clean test" in (bench / "log").read_text(encoding="utf-8", errors="replace"):
            raise ending.Refused(f"the tests of {module} fail with no bug planted.\n{end_of_log(bench)}")
    codes = exit_codes(bench)
    run = [name for name, code in codes.items() if code not in NOT_RUN]
    if not run or not set(names or codes) <= set(run) and not again:
        raise ending.Refused(f"mutmut did not run all mutants of {module}.\n{end_of_log(bench)}")
    left = survivors(bench)
    planted_in_all = len(codes) if len(run) < len(codes) else None
    return Report(module, len(run), left, sum(is_known(module, mutant) for mutant in left), planted_in_all)


def last_bench(module: str) -> Path:
    """Where the last run of a module was."""
    return made.BUILD / f"mutants-{module}"


def end_of_log(bench: Path) -> str:
    """What mutmut printed last."""
    log = bench / "log"
    return "".join(log.read_text(encoding="utf-8", errors="replace").splitlines(True)[-30:]) if log.exists() else ""


def refuse_old_bench(bench: Path, module: str) -> None:
    """Say so if the module has no bench yet, or has changed since its bugs were planted."""
    planted = [path for path in (bench / "vaecourse").rglob("*.py") if is_of(path.relative_to(bench), module)]
    if not planted or not (bench / "mutants").is_dir():
        raise ending.Refused(f"--again needs a first run: python -m tools.mutants {module}")
    for path in planted:
        now = ROOT / path.relative_to(bench)
        if not now.exists() or now.read_text(encoding="utf-8") != path.read_text(encoding="utf-8"):
            raise ending.Refused(f"{now} has changed since its bugs were planted: python -m tools.mutants {module}")


def is_of(path: Path, module: str) -> bool:
    """Whether vaecourse/... is a file of the module."""
    return path.with_suffix("").parts[1] == module


def exit_codes(bench: Path) -> dict[str, int | None]:
    """What the tests said of each mutant: its name -> mutmut's exit code."""
    codes: dict[str, int | None] = {}
    for meta in (bench / "mutants").rglob("*.meta"):
        codes |= json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
    return codes


def survivors(bench: Path) -> list[Mutant]:
    """The mutants that no test noticed."""
    left = [name for name, code in exit_codes(bench).items() if code in SURVIVED | NO_TEST]
    command = [sys.executable, "-X", "utf8", "-c", SHOW, *left]
    shown = subprocess.run(command, cwd=bench, capture_output=True, encoding="utf-8", check=True)
    return [changed_lines(name, difference) for name, difference in json.loads(shown.stdout).items()]


def settings(module: str) -> str:
    """What mutmut must know, for the end of the copy's pyproject.toml."""
    package = ROOT / "vaecourse" / module
    source = f"vaecourse/{module}" if package.is_dir() else f"vaecourse/{module}.py"
    words = ["-p", "no:cacheprovider", "-q"] + (["-k", f"not ({' or '.join(SLOW[module])})"] if module in SLOW else [])
    return (
        f"\n[tool.mutmut]\nsource_paths = {json.dumps([source])}\n"
        f"pytest_add_cli_args_test_selection = {json.dumps(MODULES[module])}\n"
        f"pytest_add_cli_args = {json.dumps(words)}\n"
        f"timeout_multiplier = {PATIENCE}\ntimeout_constant = 2.0\n"
        'also_copy = ["vaecourse", "tests", "benchmarks", "README.md", "LICENSE"]\n'
    )


def mutmut(bench: Path, *words: str, stdout: object = subprocess.PIPE) -> str:
    """Call mutmut in ``bench`` and return what it printed."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(bench)}
    command = [sys.executable, "-m", "mutmut", *words]
    done = subprocess.run(
        command, cwd=bench, env=environment, stdout=stdout, stderr=subprocess.STDOUT, encoding="utf-8", check=False
    )  # type: ignore[call-overload]
    return done.stdout or ""


def changed_lines(name: str, difference: str) -> Mutant:
    """The mutant in a unified difference."""
    lines = lambda sign: " ".join(
        line[1:].strip() for line in difference.splitlines() if re.match(rf"\{sign}(?!\{sign})", line)
    )
    return Mutant(name, lines("-"), lines("+"))


def is_known(module: str, mutant: Mutant) -> bool:
    """Whether the survivor is listed, with a reason, in tools/mutants.toml, or is about the device.

    A device that is left out or None is the CPU, and tests know no other.
    """
    if without_device(mutant.before) == without_device(mutant.after):
        return True
    listed = tomllib.loads(KNOWN.read_text(encoding="utf-8")).get(module, [])
    return any(mutant.before == row["before"] and mutant.after in row["after"] for row in listed)


def without_device(line: str) -> str:
    """The line without a device=... in its calls."""
    return re.sub(r"(, )?(device=[\w.]+|(?=\)))", "", line)


@ending.reports("mutants")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", choices=[[], *MODULES], default=list(MODULES), metavar="module")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="only the last run's survivors that are not listed")
    parser.add_argument("--sample", type=int, metavar="N", help="N of a module's bugs, drawn at random")
    options = parser.parse_args(arguments)
    outcome = Counter[bool]()
    for module in options.modules:
        if options.again:
            refuse_old_bench(last_bench(module), module)
        with made.building(last_bench(module), anew=True) as bench:
            report = test(bench, module, options.workers, options.again, options.sample)
        print(report, flush=True)
        for mutant in report.survivors:
            if not is_known(module, mutant):
                print(f"  survivor {mutant}", flush=True)
        outcome[report.passed] += 1
    return int(outcome[False] > 0)


if __name__ == "__main__":
    sys.exit(main())
