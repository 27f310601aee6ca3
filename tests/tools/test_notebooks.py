"""Refreshing a chapter: the same bytes every time, all or nothing, and an error that names the cell."""

import os
import subprocess
import sys

import nbformat
import pytest

from tools import chapter, notebooks

WIDGET_CELLS = """\
# %% [markdown]
# # Widgets

# %%
import ipywidgets


class Lab:
    def _repr_mimebundle_(self, **_):
        view = ipywidgets.IntSlider()._repr_mimebundle_()
        return {**view, "text/plain": "Live lab", "image/png": "iVBORw0KGgo="}, {"image/png": {"width": 100}}


Lab()

# %%
print(object(), "at", 17)
"""


def write(folder, name, *cells):
    source = folder / f"{name}.py"
    source.write_text("\n\n".join(f"# %%\n{cell}" for cell in cells) + "\n")
    return source


def outputs(source):
    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def test_two_refreshes_give_the_same_bytes_and_the_second_writes_nothing(sample):
    first, _ = notebooks.refresh(sample)
    before = sample.with_suffix(".ipynb").read_bytes()
    changed, cost = notebooks.refresh(sample)
    assert not changed
    assert sample.with_suffix(".ipynb").read_bytes() == before
    assert cost.seconds > 0
    assert sorted(path.suffix for path in sample.parent.iterdir()) == [".ipynb", ".py"]  # no temporary file is left


def test_a_time_that_nobody_compares_does_not_make_a_new_notebook(tmp_path):
    source = tmp_path / "90-time.py"
    source.write_text("""# %% tags=["nbval-ignore-output"]\nimport time\n\nprint(time.time_ns())\n\n# %%\nprint(1)\n""")
    assert notebooks.refresh(source)[0]
    before = source.with_suffix(".ipynb").read_bytes()
    assert not notebooks.refresh(source)[0]
    assert source.with_suffix(".ipynb").read_bytes() == before
    source.write_text(source.read_text().replace("print(1)", "print(2)"))
    assert notebooks.refresh(source)[0]
    assert [output.text.strip() for output in outputs(source)][1] == "2"
    assert source.with_suffix(".ipynb").read_bytes() != before


def test_a_widget_is_stored_as_its_picture_and_an_address_as_a_word(tmp_path):
    source = tmp_path / "97-widgets.py"
    source.write_text(WIDGET_CELLS)
    notebooks.refresh(source)
    lab, address = outputs(source)
    assert set(lab.data) == {"text/plain", "image/png"}
    assert lab.metadata == {"image/png": {"width": 100}}
    assert address.text == "<object object at 0xADDRESS> at 17\n"
    assert "widgets" not in nbformat.read(source.with_suffix(".ipynb"), as_version=4).metadata


def test_a_bar_of_progress_is_not_stored_and_other_words_are(tmp_path):
    """Whether it is left at its end or cleared; what else a cell says on stderr stays."""
    bars = "from tqdm import tqdm\n_ = list(tqdm(range(3), 'left')), list(tqdm(range(3), 'cleared', leave=False))"
    source = write(tmp_path, "90-bars", bars, "import sys\nprint('a word', file=sys.stderr)")
    notebooks.refresh(source)
    assert [output.text for output in outputs(source)] == ["a word\n"]


def test_a_chapter_that_fails_keeps_its_old_notebook_and_names_the_cell(tmp_path, capsys):
    bad = write(tmp_path, "90-bad", "x = 1", "print(x)\nx / 0")
    bad.with_suffix(".ipynb").write_text("the old notebook")
    good = write(tmp_path, "91-good", "print('fine')")
    assert notebooks.main(["refresh", "--folder", str(tmp_path)]) == 1
    assert bad.with_suffix(".ipynb").read_text() == "the old notebook"
    assert outputs(good)[0].text == "fine\n"  # the chapters after it are refreshed all the same
    said = capsys.readouterr()
    assert '90-bad, cell 2 ("print(x)")' in said.err
    assert "ZeroDivisionError" in said.err
    assert "\x1b[" not in said.err
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "90-bad.ipynb",
        "90-bad.py",
        "91-good.ipynb",
        "91-good.py",
    ]


def test_a_cell_that_does_not_end_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "SECONDS_PER_CELL", 2)
    source = write(tmp_path, "90-endless", "while True:\n    pass")
    with pytest.raises(chapter.ChapterError, match=r"cell 1 (.|\n)*more than 2 seconds"):
        notebooks.refresh(source)
    assert not source.with_suffix(".ipynb").exists()


def test_a_kernel_that_dies_is_told(tmp_path):
    source = write(tmp_path, "90-dead", "import os\n\nos._exit(1)")
    with pytest.raises(chapter.ChapterError, match=r"cell 1 (.|\n)*kernel died"):
        notebooks.refresh(source)


def test_a_chapter_runs_in_its_own_folder_with_one_thread_wherever_it_is_started_from(tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    source = write(tmp_path, "90-where", "import os\n\nprint(os.getcwd(), os.environ['OMP_NUM_THREADS'])")
    command = [sys.executable, "-m", "tools.notebooks", "refresh", "90", "--folder", ".."]
    environment = {**os.environ, "PYTHONPATH": str(chapter.ROOT), "OMP_NUM_THREADS": "2"}
    subprocess.run(command, cwd=here, env=environment, check=True, timeout=120)
    assert outputs(source)[0].text == f"{tmp_path} 1\n"


def test_times_writes_nothing(tmp_path, capsys):
    source = write(tmp_path, "90-short", "print(1)")
    assert notebooks.main(["times", "--folder", str(tmp_path)]) == 0
    assert not source.with_suffix(".ipynb").exists()
    assert "90-short" in capsys.readouterr().out


def test_an_unknown_chapter_is_told_which_there_are(tmp_path, capsys):
    write(tmp_path, "90-short", "print(1)")
    assert notebooks.main(["refresh", "42", "--folder", str(tmp_path)]) == 1
    assert "no chapter starts with 42; there are: 90-short" in capsys.readouterr().err
