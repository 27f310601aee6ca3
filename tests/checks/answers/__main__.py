"""How the checks judge answers of people who had not read them: ``make check-answers``.

python -m tests.checks.answers             the rates
python -m tests.checks.answers --all       and what each wrong answer is told
python -m tests.checks.answers --record    write told.json anew: read what has changed in it
"""

import argparse
import json

from tests.checks.answers import TOLD, all_of_them
from vaecourse.checks import ALL


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.checks.answers")
    parser.add_argument("--all", action="store_true", help="print what each wrong answer is told")
    parser.add_argument("--record", action="store_true", help="write told.json anew")
    parser.add_argument("exercise", nargs="?", default="", help="only exercises whose names begin so")
    options = parser.parse_args()
    judged = [(one, one.judged()) for one in all_of_them() if one.exercise.startswith(options.exercise)]
    rights = [(one, verdict) for one, verdict in judged if one.meant is None]
    wrongs = [(one, verdict) for one, verdict in judged if one.meant is not None]
    refused = [(one, verdict) for one, verdict in rights if not verdict.passed]
    passed = [one for one, verdict in wrongs if verdict.passed]
    named = [one for one, verdict in wrongs if verdict.mistake]
    own = [one for one, verdict in wrongs if verdict.mistake in [known.name for known in ALL[one.exercise].mistakes]]
    if options.all:
        for one, verdict in wrongs:
            print(f"{one.name}\n    meant: {one.meant}\n    told ({verdict.mistake}): {verdict.message}")
    for one, verdict in refused:
        print(f"REFUSED {one.name}: {verdict.message}")
    for one in passed:
        print(f"PASSED {one.name}: {one.meant}")
    print(
        f"{len(rights)} right answers, {len(refused)} refused; {len(wrongs)} wrong ones, {len(passed)} passed, ", end=""
    )
    print(f"{len(named)} named ({len(named) / len(wrongs):.0%}), {len(own)} of them by the exercise itself")
    if options.record:
        TOLD.write_text(json.dumps({one.name: verdict.mistake for one, verdict in wrongs}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
