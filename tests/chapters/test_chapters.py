"""A chapter runs from any folder. (`make check` holds the chapters to the rules, `make execute` runs them all.)"""

from tools import chapter, notebooks


def test_a_chapter_runs_from_another_folder_and_leaves_nothing_there(tmp_path):
    source = chapter.sources()[0]  # the quickest
    notebooks.execute(chapter.read(source), source.stem, tmp_path)
    assert list(tmp_path.iterdir()) == []
