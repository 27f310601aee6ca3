"""The learner's edition: nothing is given away in it, and no answer is lost when a chapter has a new text."""

import json
import shutil

import nbformat
import pytest

from tests.survival.test_answers import FOUR, answer, texts
from tests.tools.test_student import bound, loaded
from tools import chapter, edition, ending, made, typed, withheld

SOURCES = typed.notebooks(chapter.CHAPTERS)


@pytest.fixture
def chapters(tmp_path):
    """Four chapters, which a test may change."""
    folder = tmp_path / "chapters"
    folder.mkdir()
    for path in FOUR:
        shutil.copy(path, folder)
    return folder


def renewed(tmp_path, chapters):
    return list(edition.renew(tmp_path / "learn", chapters))


@pytest.mark.parametrize("place", range(len(SOURCES)), ids=[path.stem for path in SOURCES])
def test_nothing_is_given_away_and_nothing_else_is_gone(place):
    notebook = nbformat.reads(json.dumps(edition.edition(SOURCES, place)), as_version=4)
    nbformat.validate(notebook)
    stored = nbformat.read(SOURCES[place], as_version=4).cells
    gone = {"solution", "instructor"}
    stay = [cell for cell in stored if not gone & set(chapter.tags(cell))]
    grey = [cell for cell in stay if chapter.folded(cell) and not cell.outputs and cell.cell_type == "code"]
    own = [cell for cell in notebook.cells if not cell.id.endswith("-go-on") and not cell.id.startswith("the-way")]
    left_out = [cell for cell in stay if cell.id not in {mine.id for mine in own}]
    assert [cell.source for cell in own] == [cell.source for cell in stay if cell not in left_out]
    assert {cell.id for cell in left_out} <= {cell.id for cell in grey}
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
    assert not any("verdict.passed" in cell.source for cell in notebook.cells)
    given = bound(notebook.cells)
    assert not (bound(left_out) - given) & loaded(notebook.cells), "a name that a cell needs went with a grey row"
    assert set(typed.stubs(edition.edition(SOURCES, place))) == set(typed.stubs(typed.read(SOURCES[place])))


def test_most_grey_rows_are_gone():
    before = after = 0
    for place, source in enumerate(SOURCES):
        cells = nbformat.read(source, as_version=4).cells
        asserts = [cell for cell in cells if chapter.folded(cell) and "assert " in cell.source and not cell.outputs]
        before += len(asserts)
        ids = {cell["id"] for cell in edition.edition(SOURCES, place)["cells"]}
        after += sum(cell.id in ids for cell in asserts)
    assert before > 50 and after <= 0.1 * before, (before, after)


def test_the_way_leads_from_each_chapter_to_its_neighbours_and_to_the_map():
    for place, source in enumerate(SOURCES):
        cells = edition.edition(SOURCES, place)["cells"]
        for cell in (cells[1], cells[-1]):
            way = typed.source(cell)
            assert edition.MAP in way and edition.LETTERS in way
            for other in (place - 1, place + 1):
                assert (0 <= other < len(SOURCES)) == (other >= 0 and f"({SOURCES[other % 9].name})" in way), (
                    source.name
                )
    first = nbformat.read(SOURCES[0], as_version=4)
    assert any("## A map of the course" in cell.source for cell in first.cells), "the map's anchor"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_what_was_typed_into_a_chapter_is_no_text_of_the_edition(path, tmp_path):
    for suffix in (".ipynb", ".py"):
        shutil.copy(path.with_suffix(suffix), tmp_path)
    before = edition.edition([path], 0)
    mine = tmp_path / path.name
    answer(mine, 7)
    found = typed.read(mine)
    for cell in found["cells"]:  # all of them, and some are gone
        cell["source"] = typed.source(cell) + " typed" if cell["cell_type"] == "markdown" else "typed = 1"
    del found["cells"][9:12]
    mine.write_text(json.dumps(found), encoding="utf-8")
    now = edition.edition([mine], 0)
    assert [cell["source"] for cell in now["cells"][1:]] == [cell["source"] for cell in before["cells"][1:]]
    assert [cell["metadata"].get("tags") for cell in now["cells"]] == [
        cell["metadata"].get("tags") for cell in before["cells"]
    ]
    mine.with_suffix(".py").unlink()
    assert "typed" in "".join(map(typed.source, edition.edition([mine], 0)["cells"]))


@pytest.mark.parametrize(
    "source, takes, gives",
    [
        ("x = x + 1", {"x"}, {"x"}),
        ("for k in ks:\n    a = k + b", {"ks", "b"}, {"k", "a"}),
        ("y = [k for k in ks]\nz = y", {"ks"}, {"y", "z"}),
        ("def f(a):\n    b = a\n    return b + c\nf(1)", {"c"}, {"f"}),
        ("import a.b as c, d\nfrom e import g", set(), {"c", "d", "g"}),
        ("n += 1", {"n"}, {"n"}),
        ("if (m := 3) > 2:\n    pass", set(), {"m"}),
    ],
)
def test_what_a_cell_takes_and_gives(source, takes, gives):
    found = withheld.names(source)
    assert found[1] == gives and found[0] - {"m"} == takes


def test_a_row_whose_name_is_needed_later_stays():
    folded = {"jupyter": {"source_hidden": True}}
    code = nbformat.v4.new_code_cell
    cells = [
        code("a = 1\nassert a", metadata=folded, id="needed"),
        code("b = 2\nassert b", metadata=folded, id="grey"),
        code("print(a)", id="seen"),
        code("c = 3", metadata=folded, outputs=[nbformat.v4.new_output("stream", text="3")], id="shows"),
        code("plot()", metadata=folded | {"mystnb": {"image": {"alt": "A line"}}}, id="cleared"),
    ]
    assert [cell.id for cell in withheld.without_assertions(cells)] == ["needed", "seen", "shows", "cleared"]


def test_it_is_made_once_and_then_left_as_it_is(tmp_path, chapters):
    assert renewed(tmp_path, chapters) == []
    made_files = sorted((tmp_path / "learn").glob("*.ipynb"))
    assert [path.name for path in made_files] == [path.name for path in FOUR]
    assert all(map(typed.is_untouched, made_files))
    answer(made_files[1], 7)
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in made_files]
    assert renewed(tmp_path, chapters) == []
    assert before == [(path.read_bytes(), path.stat().st_mtime_ns) for path in made_files]
    assert not (tmp_path / "learn/kept").exists()


def new_text(path, sentence="A sentence that is new.", of=None):
    """A new version of a chapter: more text at its beginning, and another stub if its exercise is named."""
    found = json.loads(path.read_text(encoding="utf-8"))
    if of is not None:
        stub = found["cells"][typed.stubs(found)[of]]
        stub["source"] = typed.source(stub) + "\n    # another hint"
    cell = {"cell_type": "markdown", "id": "new-text", "metadata": {}, "source": sentence}
    found["cells"].insert(2, cell)
    typed.mark(found)
    path.write_text(json.dumps(found), encoding="utf-8")


def test_answers_in_four_chapters_survive_a_new_text(tmp_path, chapters):
    renewed(tmp_path, chapters)
    learner = [tmp_path / "learn" / path.name for path in FOUR]
    exercises = [answer(path, number) for number, path in enumerate(learner)]
    old = [path.read_bytes() for path in learner]
    for path in FOUR[:3]:
        new_text(chapters / path.name)
    told = "\n".join(renewed(tmp_path, chapters))
    for number, path in enumerate(learner):
        found = typed.read(path)
        stub = found["cells"][typed.stubs(found)[exercises[number]]]
        assert typed.source(stub).endswith(f"return {number}")
        assert f"My note {number}, µ" in texts(path)
        assert ("A sentence that is new." in texts(path)) == (number < 3)
        assert (f"{path.name}: 2 of 2 cells that were typed are in it." in told) == (number < 3)
    kept = sorted((tmp_path / "learn/kept").iterdir())
    assert [path.read_bytes() for path in kept] == old[:3], "the notebooks as they were"
    assert renewed(tmp_path, chapters) == []


def test_of_a_notebook_that_lost_its_mark_only_what_was_typed_is_put_in(tmp_path, chapters):
    """Some programs drop all that they do not know."""
    renewed(tmp_path, chapters)
    learner = tmp_path / "learn" / FOUR[1].name
    exercise = answer(learner, 6)
    found = typed.read(learner)
    number = len(found["cells"])
    found["metadata"] = {}
    learner.write_text(json.dumps(found), encoding="utf-8")
    assert "2 of 2 cells that were typed are in it." in "\n".join(renewed(tmp_path, chapters))
    now = typed.read(learner)
    assert len(now["cells"]) == number and typed.marks(now)
    assert typed.source(now["cells"][typed.stubs(now)[exercise]]).endswith("return 6")


def test_where_the_exercise_is_new_as_well_both_stay(tmp_path, chapters):
    renewed(tmp_path, chapters)
    learner = tmp_path / "learn" / FOUR[1].name
    exercise = answer(learner, 5)
    new_text(chapters / FOUR[1].name, of=exercise)
    renewed(tmp_path, chapters)
    text = texts(learner)
    assert sum("# another hint" in one for one in text) == 1
    assert sum(one.endswith("return 5") for one in text) == 1


def test_an_untouched_one_is_renewed_without_a_copy(tmp_path, chapters):
    renewed(tmp_path, chapters)
    new_text(chapters / FOUR[0].name)
    assert renewed(tmp_path, chapters) == []
    assert "A sentence that is new." in texts(tmp_path / "learn" / FOUR[0].name)
    assert not (tmp_path / "learn/kept").exists()


def test_a_damaged_one_is_kept_and_begins_again(tmp_path, chapters):
    renewed(tmp_path, chapters)
    learner = tmp_path / "learn" / FOUR[2].name
    learner.write_bytes(learner.read_bytes()[:5000])
    assert "cannot be read" in "\n".join(renewed(tmp_path, chapters))
    assert typed.is_untouched(learner)
    assert [path.stat().st_size for path in (tmp_path / "learn/kept").iterdir()] == [5000]


def test_begin_again(tmp_path, chapters):
    renewed(tmp_path, chapters)
    folder, learner = tmp_path / "learn", tmp_path / "learn" / FOUR[3].name
    first = answer(learner, 1)
    other = next(name for name in typed.stubs(typed.read(learner)) if name != first)
    answer(learner, 2, other)
    was = learner.read_bytes()
    assert str(tmp_path) in edition.again(first, folder, chapters)
    text = "\n".join(texts(learner))
    assert "return 1" not in text and "return 2" in text and "My note 1, µ" in text
    assert [path.read_bytes() for path in (folder / "kept").iterdir()] == [was]
    edition.again(first[:2], folder, chapters)
    assert typed.is_untouched(learner)
    assert len(list((folder / "kept").iterdir())) == 2


@pytest.mark.parametrize("name", ["77", "03.nothing", "x", "", "0", "3"])
def test_an_unknown_name_changes_nothing(tmp_path, chapters, name):
    renewed(tmp_path, chapters)
    with pytest.raises(ending.Refused, match="there is no chapter or exercise"):
        edition.again(name, tmp_path / "learn", chapters)
    assert not (tmp_path / "learn/kept").exists()


def test_answers_of_a_chapter_with_another_name_now(tmp_path, chapters):
    renewed(tmp_path, chapters)
    learner = tmp_path / "learn" / FOUR[1].name
    exercise = answer(learner, 41)
    was = learner.read_bytes()
    (chapters / FOUR[1].name).rename(chapters / "02-weights.ipynb")
    told = "\n".join(renewed(tmp_path, chapters))
    found = typed.read(tmp_path / "learn/02-weights.ipynb")
    assert typed.source(found["cells"][typed.stubs(found)[exercise]]).endswith("return 41")
    assert learner.read_bytes() == was and str(learner) in told
    assert renewed(tmp_path, chapters) == []


@pytest.mark.parametrize("minor", [4, 5])
def test_an_exercise_begins_again_whatever_became_of_its_cell(tmp_path, chapters, minor):
    renewed(tmp_path, chapters)
    learner = tmp_path / "learn" / FOUR[3].name
    exercise = answer(learner, 1)
    found = typed.read(learner)
    cell = found["cells"][typed.stubs(found)[exercise]]
    cell |= {"cell_type": "markdown", "source": "My thoughts", "attachments": {}}
    del cell["outputs"], cell["execution_count"]
    if minor < 5:  # cells have no names then
        found["nbformat_minor"] = minor
        for cell in found["cells"]:
            del cell["id"]
    learner.write_text(json.dumps(found), encoding="utf-8")
    edition.again(exercise, tmp_path / "learn", chapters)
    now = typed.read(learner)
    cell = now["cells"][typed.stubs(now)[exercise]]
    assert cell["cell_type"] == "code" and "My thoughts" not in texts(learner)


@pytest.mark.parametrize("whole", [False, True], ids=["one notebook", "the folder"])
def test_a_chapter_is_not_written_over_through_a_link(tmp_path, chapters, whole):
    learn = tmp_path / "learn"
    if whole:
        learn.symlink_to("chapters")
    else:
        learn.mkdir()
        (learn / FOUR[2].name).symlink_to(chapters / FOUR[2].name)
    before = {path: path.read_bytes() for path in chapters.iterdir()}
    with pytest.raises(ending.Refused, match="leads to the chapter"):
        renewed(tmp_path, chapters)
    with pytest.raises(ending.Refused, match="leads to the chapter"):
        edition.again(FOUR[2].name[:2], learn, chapters)
    assert {path: path.read_bytes() for path in chapters.iterdir()} == before


def test_a_folder_of_the_name_stays_and_the_others_are_made(tmp_path, chapters):
    (tmp_path / "learn" / FOUR[1].name).mkdir(parents=True)
    assert "is no file, and stays" in "\n".join(renewed(tmp_path, chapters))
    assert all((tmp_path / "learn" / path.name).exists() for path in FOUR)


def test_in_use_only_what_is_not_there_is_made(tmp_path, chapters):
    renewed(tmp_path, chapters)
    learn = tmp_path / "learn"
    answer(learn / FOUR[1].name, 9)
    for path in FOUR[:2]:
        new_text(chapters / path.name)
    (learn / FOUR[3].name).unlink()
    before = [(learn / path.name).read_bytes() for path in FOUR[:3]]
    assert list(edition.renew(learn, chapters, in_use=True)) == []
    assert [(learn / path.name).read_bytes() for path in FOUR[:3]] == before
    assert (learn / FOUR[3].name).exists()


def test_while_a_server_runs_it_says_so(monkeypatch, capsys):
    renewals = []
    monkeypatch.setattr(made, "uses", lambda root: ["process 7 (running JupyterLab)"])
    monkeypatch.setattr(edition, "renew", lambda in_use: renewals.append(in_use) or [])
    assert edition.main([]) == 0
    assert "may be in use by process 7 (running JupyterLab)" in capsys.readouterr().out
    assert renewals == [True]
