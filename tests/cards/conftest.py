import linecache

import pytest

from vaecourse.cards import judging, own


class Notebook(dict):
    """The names of a notebook. What is run in it is a cell, as in IPython: its text is kept."""

    def run(self, text):
        cells = self.setdefault("In", [])
        cells.append(text)
        place = f"<cell {len(cells)} of {id(self)}>"
        linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)
        exec(compile(text, place, "exec"), self)


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """An empty notebook in an empty folder."""
    names = Notebook()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(own, "notebook", lambda: names)
    monkeypatch.setattr(judging, "_judged", {})
    return names
