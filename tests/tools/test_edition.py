"""The learner's edition: nothing is given away in it, and no answer is lost when a chapter has a new text."""

import ast
import copy
import json
import re
import shutil

import nbformat
import pytest

from tests.survival.test_answers import FOUR, answer, git, texts
from tests.tools.test_student import bound, loaded, touched
from tools import chapter, edition, ending, learner, made, notebooks, rules, typed, visible, withheld

SOURCES = typed.notebooks(chapter.CHAPTERS)


@pytest.fixture
def chapters(tmp_path):
    """Four chapters, which a test may change."""
    folder = tmp_path / "chapters"
    folder.mkdir()
    for path in FOUR:
        shutil.copy(path, folder)
        shutil.copy(path.with_suffix(".py"), folder)
    return folder


def renewed(tmp_path, chapters):
    return list(edition.renew(tmp_path / "learn", chapters))


def is_grey(cell):
    return chapter.folded(cell) or not visible.without_assertions(cell.source).strip()


@pytest.mark.parametrize("place", range(len(SOURCES)), ids=[path.stem for path in SOURCES])
def test_nothing_is_given_away_and_nothing_else_is_gone(place):
    notebook = nbformat.reads(json.dumps(edition.edition(SOURCES, place)), as_version=4)
    nbformat.validate(notebook)
    stored = nbformat.read(SOURCES[place], as_version=4).cells
    gone = {"solution", "instructor"}
    stay = [cell for cell in stored if not gone & set(chapter.tags(cell))]
    grey = [cell for cell in stay if cell.cell_type == "code" and not cell.outputs and is_grey(cell)]
    own = [cell for cell in notebook.cells if not cell.id.endswith(("-go-on", "-asks")) and cell.id[:4] != "the-"]
    left_out = [cell for cell in stay if cell.id not in {mine.id for mine in own}]
    assert [cell.id for cell in own] == [cell.id for cell in stay if cell not in left_out]
    assert {cell.id for cell in left_out} <= {cell.id for cell in grey}
    before = {cell.id: cell for cell in stay}
    for cell in own:
        if cell.cell_type == "code" and "check" not in chapter.tags(cell):
            was = cell.source.replace(withheld.OURS, "").removeprefix(f"{learner.LABS}\n\n")
            assert was == visible.without_assertions(before[cell.id].source).replace(withheld.OURS, "")
        elif cell.cell_type == "markdown" and not {"exercise", "quiz", "recall"} & set(chapter.tags(cell)):
            assert cell.source == before[cell.id].source or before[cell.id].source.startswith(learner.EXPLAIN)
    shown = [cell for cell in own if chapter.labs_of(cell)]
    assert shown and all("import labs" in cell.source for cell in shown), "a lab that cannot be run alone"
    assert all(cell.source.startswith(learner.STARTS) for cell in shown), "a lab that does not say how to start it"
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
    assert not any("verdict.passed" in cell.source for cell in notebook.cells)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(isinstance(node, ast.Assert) for cell in code for node in ast.walk(ast.parse(cell.source)))
    given = bound(notebook.cells)
    assert not (bound(stay) - given) & loaded(notebook.cells), "a name that a cell needs went with a grey row"
    assert set(typed.stubs(edition.edition(SOURCES, place))) == set(typed.stubs(typed.read(SOURCES[place])))


@pytest.mark.parametrize("place", range(len(SOURCES)), ids=[path.stem for path in SOURCES])
def test_no_text_points_at_a_cell_that_is_not_there(place):
    cells = nbformat.read(SOURCES[place], as_version=4).cells
    there = {cell["id"] for cell in edition.edition(SOURCES, place)["cells"]}
    for index, cell in enumerate(cells):
        if cell.cell_type != "markdown" or cell.id not in there:
            continue
        for found in re.finditer(r"the (folded )?cell (below|above)|the next cell", " ".join(cell.source.split())):
            beside = cells[:index][::-1] if found[2] == "above" else cells[index + 1 :]
            meant = next(c for c in beside if c.cell_type == "code" and (not found[1] or chapter.folded(c)))
            assert meant.id in there, f"{found[0]}: {meant.source[:80]}"


def test_most_grey_rows_are_gone():
    before = after = 0
    for place, source in enumerate(SOURCES):
        cells = nbformat.read(source, as_version=4).cells
        asserts = [cell for cell in cells if chapter.folded(cell) and "assert " in cell.source and not cell.outputs]
        before += len(asserts)
        ids = {cell["id"] for cell in edition.edition(SOURCES, place)["cells"]}
        after += sum(cell.id in ids for cell in asserts)
    assert before > 50 and after <= 0.1 * before, (before, after)


@pytest.mark.parametrize("place", range(len(SOURCES)), ids=[path.stem for path in SOURCES])
def test_hints_reasons_and_explanations_are_shut(place):
    """The cells that a learner reads say what is asked, and where the rest is."""
    stored = {cell.id: cell for cell in nbformat.read(SOURCES[place], as_version=4).cells}
    cells = edition.edition(SOURCES, place)["cells"]
    for number, cell in enumerate(cells):
        kinds, text = set(typed.tags(cell)), typed.source(cell)
        if "exercise" in kinds:
            hints = len(re.findall("<summary>Hint", stored[cell["id"]].source))
            assert "<details>" not in text and f"it judges, and has {hints} hint" in text
            assert text.startswith(stored[cell["id"]].source.split("\n\n<details>")[0])
        if {"quiz", "recall"} & kinds:
            asked = stored[cell["id"]].source
            assert "Right." not in text and text.count("<details>") == 1
            assert [line[2:] for line in text.splitlines() if re.match(r"- [A-D] ·", line)] == re.findall(
                r"<summary>([A-D] · .+?)</summary>", asked
            )
            kind = (kinds & {"quiz", "recall"}).pop()
            asks = typed.source(cells[number + 1]).splitlines()
            assert asks == ["from vaecourse import cards", "", f'cards.quiz("{SOURCES[place].name[:2]}.{kind}")']
        if "check" in kinds:
            assert re.fullmatch(r'from vaecourse import cards\n\ncards.show\("[\w.]+"\)', text)
        assert not text.startswith("**Explain.**")
    for cell in stored.values():
        if cell.source.startswith("**Explain.**"):
            (mine,) = [typed.source(one) for one in cells if one["id"] == cell.id]
            assert mine.startswith("<details><summary>Explain: open it when you have guessed</summary>\n\n")
            assert cell.source.removeprefix("**Explain.**").strip() in mine


def test_the_map_and_the_line_are_there():
    for place, source in enumerate(SOURCES):
        cells = edition.edition(SOURCES, place)["cells"]
        assert f'cards.line("{source.name[:2]}")' in typed.source(cells[2])
        assert sum("cards.map()" in typed.source(cell) for cell in cells) == (place == 0)


def test_the_way_leads_from_each_chapter_to_its_neighbours_and_to_the_map():
    first = edition.edition(SOURCES, 0)
    for place, source in enumerate(SOURCES):
        cells = edition.edition(SOURCES, place)["cells"]
        way = typed.source(cells[-1])
        for links in (typed.source(cells[1]), way):
            for name, section in (("map of the course", edition.MAP), ("their symbol, ours", edition.LETTERS)):
                (to,) = re.findall(rf"\[{name}\]\(00-start-here\.ipynb#cell-id=(\w+)\)", links)
                (there,) = [cell for cell in first["cells"] if cell["id"] == to]
                assert typed.source(there).startswith(f"## {section}\n")
        for other in (place - 1, place + 1):
            assert (0 <= other < len(SOURCES)) == (other >= 0 and f"({SOURCES[other % 9].name})" in way), source.name


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


@pytest.mark.parametrize(
    "source, wanted",
    [
        ("y = f(x)  # f of x", "y = our_f(x)  # f of x"),
        ("y = a.f(x, f=f)", "y = a.f(x, f=our_f)"),
        ("f2, 'f', f_ = f, 1, 2", "f2, 'f', f_ = our_f, 1, 2"),
        ('print(f"{f(x):.2f} of f")', 'print(f"{our_f(x):.2f} of f")'),
        (
            "def g(x):\n    return f(\n        x, f(x)\n    )",
            "def g(x):\n    return our_f(\n        x, our_f(x)\n    )",
        ),
    ],
)
def test_a_later_cell_takes_an_answer_under_another_name(source, wanted):
    assert withheld.renamed(source, "f") == wanted


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
    for suffix in (".py", ".ipynb"):
        (chapters / FOUR[1].name).with_suffix(suffix).rename(chapters / f"02-weights{suffix}")
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


# All cells run, and nothing solved -----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", range(len(SOURCES)), ids=[path.stem for path in SOURCES])
def test_after_all_cells_have_run_no_exercise_passes_that_nobody_solved(place, tmp_path):
    """What a chapter's later cells need, they take without touching a learner's name: each card, run last, says so."""
    notebook = nbformat.reads(json.dumps(edition.edition(SOURCES, place)), as_version=4)
    checks = [cell for cell in notebook.cells if "check" in chapter.tags(cell)]
    assert len(checks) >= rules.exercise_rules.EXERCISES
    notebook.cells = [*touched(notebook), *map(copy.deepcopy, checks)]
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    notebooks.execute(notebook, SOURCES[place].stem, tmp_path)
    for cell in notebook.cells[-len(checks) :]:
        assert "Not solved yet" in chapter.shown(cell), chapter.shown(cell)
    assert not list(tmp_path.iterdir()), "what nobody did is noted"


def test_git_is_not_asked_where_the_chapters_are_as_they_were_stored(monkeypatch):
    """It has a hundred versions of each, and whoever starts the lab waits for them."""
    monkeypatch.setattr(edition.released.git, "raw", lambda *_, **__: pytest.fail("git is asked"))
    assert edition.edition(SOURCES, 3)["cells"]


# What was typed or run in chapters/ -----------------------------------------------------------------------------------


def run_in_part(path):
    """As JupyterLab leaves it after Restart and Clear Outputs, and one cell run, which failed."""
    found = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in found["cells"] if cell["cell_type"] == "code"]
    for cell in code:
        cell.update(outputs=[], execution_count=None)
    error = {"output_type": "error", "ename": "NameError", "evalue": "name 'a' is not defined", "traceback": []}
    code[-1].update(outputs=[error], execution_count=1)
    path.write_text(json.dumps(found), encoding="utf-8")


@pytest.fixture
def cloned(chapters):
    """The same four, in a clone."""
    (chapters.parent / ".gitignore").write_text("learn/\nkept/\n")
    for words in ("init --quiet", "add .", "commit --quiet -m first"):
        git(chapters.parent, *words.split())
    return chapters


def made_of(tmp_path, chapters):
    renewed(tmp_path, chapters)
    return {path.name: typed.read(path)["cells"] for path in (tmp_path / "learn").glob("*.ipynb")}


def test_what_was_typed_into_a_chapter_is_never_taken_for_the_courses(tmp_path, cloned):
    """It would be gone from learn/ without a copy as soon as the chapter is as released again."""
    exercise = answer(cloned / FOUR[1].name, 8)
    told = renewed(tmp_path, cloned)
    learner = tmp_path / "learn" / FOUR[1].name
    assert f"{FOUR[1].name}: 2 of 2 cells that were typed are in it." in "\n".join(told)
    assert not typed.is_untouched(learner)
    git(tmp_path, "checkout", "--quiet", "--", "chapters")
    assert renewed(tmp_path, cloned) == []
    found = typed.read(learner)
    assert typed.source(found["cells"][typed.stubs(found)[exercise]]).endswith("return 8")
    assert "My note 8, µ" in texts(learner)
    edition.again(exercise, tmp_path / "learn", cloned)
    assert "return 8" not in "\n".join(texts(learner))


@pytest.mark.parametrize("words", ["def half(", "%timeit 1", "!ls"])
def test_a_chapter_in_which_something_is_half_written_keeps_nobody_from_learning(tmp_path, cloned, words):
    found = typed.read(cloned / FOUR[1].name)
    found["cells"][list(typed.stubs(found).values())[0]]["source"] = words
    (cloned / FOUR[1].name).write_text(json.dumps(found), encoding="utf-8")
    renewed(tmp_path, cloned)
    assert all((tmp_path / "learn" / path.name).exists() for path in FOUR)
    assert words in texts(tmp_path / "learn" / FOUR[1].name)


@pytest.mark.parametrize("how", ["run in part", "damaged", "committed with answers", "without its mark"])
def test_what_became_of_a_chapters_notebook_changes_nothing_for_the_learner(tmp_path, cloned, how):
    before = made_of(tmp_path, cloned)
    path = cloned / FOUR[2].name
    if how == "run in part":
        run_in_part(path)
    elif how == "damaged":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        answer(path, 3)
    if how == "without its mark":
        path.write_text(json.dumps(typed.read(path) | {"metadata": {}}), encoding="utf-8")
    if how == "committed with answers":
        git(tmp_path, "commit", "--quiet", "-am", "my answers")
    assert made_of(tmp_path, cloned) == before
    assert not (tmp_path / "learn/kept").exists()


def test_without_git_a_chapter_that_was_typed_into_is_told_and_the_others_are_made(tmp_path, chapters):
    renewed(tmp_path, chapters)
    learner = tmp_path / "learn" / FOUR[1].name
    was = learner.read_bytes()
    answer(chapters / FOUR[1].name, 8)
    run_in_part(chapters / FOUR[2].name)
    new_text(chapters / FOUR[3].name)
    told = "\n".join(renewed(tmp_path, chapters))
    assert all(f"{chapters / path.name} was changed, or run in part" in told for path in FOUR[1:3])
    assert learner.read_bytes() == was
    assert "A sentence that is new." in texts(tmp_path / "learn" / FOUR[3].name)
    with pytest.raises(ending.Refused, match="was changed, or run in part"):
        edition.again(FOUR[1].name[:2], tmp_path / "learn", chapters)
    assert learner.read_bytes() == was


def test_notebooks_of_ones_own_beside_the_chapters_are_none(tmp_path, chapters):
    shutil.copy(chapters / FOUR[1].name, chapters / f"{FOUR[1].stem}-Copy1.ipynb")  # JupyterLab's Duplicate
    nbformat.write(nbformat.v4.new_notebook(), chapters / "01-mine.ipynb")
    assert sorted(made_of(tmp_path, chapters)) == [path.name for path in FOUR]
    answer(tmp_path / "learn" / FOUR[1].name, 4)
    edition.again(FOUR[1].name[:2], tmp_path / "learn", chapters)
    assert typed.is_untouched(tmp_path / "learn" / FOUR[1].name)


def test_outputs_are_kept_where_a_chapter_has_a_new_text(tmp_path, chapters):
    """A night's training may be in them."""
    renewed(tmp_path, chapters)
    learner = tmp_path / "learn" / FOUR[0].name
    found = typed.read(learner)
    shown = {"output_type": "stream", "name": "stdout", "text": "after eight hours: -84.3"}
    next(cell for cell in found["cells"] if cell["cell_type"] == "code").update(outputs=[shown], execution_count=1)
    learner.write_text(json.dumps(found), encoding="utf-8")
    was = learner.read_bytes()
    new_text(chapters / FOUR[0].name)
    assert "as it was, it is in" in "\n".join(renewed(tmp_path, chapters))
    assert [path.read_bytes() for path in (tmp_path / "learn/kept").iterdir()] == [was]
