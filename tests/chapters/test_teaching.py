"""The teaching plans: minutes add up, agree with the notes in the chapters, and the presets to press are there."""

import re

import pytest

from tools import chapter
from vaecourse import labs
from vaecourse.labs.frame import Experiment
from vaecourse.labs.training import Training

TEXT = (chapter.CHAPTERS / "teaching.md").read_text()
PLANS = {"session one": 90, "session two": 90, "half a day": 240, "a semester": 13 * 90}


def sections() -> dict[str, str]:
    """Each heading and what stands under it."""
    parts = re.split(r"^##+ (.+)$", TEXT, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def minutes(text: str) -> tuple[list[int], int | None]:
    """The numbers in the column of minutes, and the sum that the last row claims."""
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in re.findall(r"^\|.*\|$", text, re.MULTILINE)]
    column = rows[0].index("minutes") if rows else 0
    counted = [int(row[column]) for row in rows[2:] if row[column].isdigit()]
    (claimed,) = [int(row[column].strip("*")) for row in rows[2:] if "**together**" in row] or [None]
    return counted, claimed


def notes_of(source) -> list[int]:
    """What the chapter's teaching notes say: its list of parts, or else the minutes of its notes one by one."""
    notes = [cell.source for cell in chapter.read(source).cells if "instructor" in chapter.tags(cell)]
    first = " ".join(notes[0].split())
    if plan := re.match(r"\*\*Teaching this chapter: (\d+) minutes\.?\*\*(?:, without[^.]*\.)?(.*?)\.(?: |$)", first):
        parts = [part.strip() for part in re.split(r", (?=\d)| · ", plan[2])]  # "10 the rate, 15 the toy"
        found = [int(re.search(r"^\d+|\d+$", part).group()) for part in parts]
        assert sum(found) == int(plan[1]), f"{source.stem}: {found} are not {plan[1]} minutes"
        return found
    return [int(m[1]) for note in notes if (m := re.match(r"\*\*For the teacher, (\d+) minutes", note))]


@pytest.mark.parametrize("title", [title for title in sections() if "minutes |" in sections()[title]])
def test_the_minutes_of_a_table_add_up(title):
    counted, claimed = minutes(sections()[title])
    assert sum(counted) == claimed


def test_each_plan_has_the_length_that_its_name_says():
    for start, length in PLANS.items():
        (text,) = [text for title, text in sections().items() if title.lower().startswith(start)]
        assert minutes(text)[1] == length


@pytest.mark.parametrize("source", chapter.sources(), ids=lambda path: path.stem)
def test_a_chapters_minutes_are_those_of_its_notes(source):
    found = [text for title, text in sections().items() if title.startswith(f"Chapter {source.name[:2]}")]
    assert found, f"teaching.md has no section for {source.stem}"
    assert minutes(found[0])[0] == notes_of(source)
    assert all(f"**{word}" in found[0] for word in ("Ask:", "Press:", "Misconceptions."))


def presses() -> list[tuple[str, str]]:
    """Every lab and preset that the page names: `03.iwae` *K = 64*, *q too narrow*."""
    flat = " ".join(TEXT.split())
    groups = re.findall(r"`(\d\d\.\w+)`((?:,? \*[^*]+\*)+)", flat)
    return sorted({(lab, preset) for lab, names in groups for preset in re.findall(r"\*([^*]+)\*", names)})


def test_every_preset_to_press_is_on_the_labs_panel(monkeypatch):
    monkeypatch.setattr(Experiment, "live", lambda experiment: experiment)
    monkeypatch.setattr(Training, "live", lambda experiment: experiment)
    experiments = {lab: labs.ALL[lab]().presets for lab, _ in presses()}
    assert len(experiments) >= 8
    for lab, preset in presses():
        assert preset in experiments[lab], f"{lab} has no preset {preset!r}; it has {list(experiments[lab])}"
