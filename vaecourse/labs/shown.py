"""How long a lab lives: as long as a cell shows it, or a name in the notebook holds it.

A lab as the last line of a cell has no name, so what holds it is the list here. When the cell is run again, the page
drops its output, and the list drops the lab; so does IPython's ``Out``, where a line of text takes its place. If
nothing else holds it, it is gone, and its widgets are closed, here and in the browser. One with a name lives on. What
somebody has trained in it is not gone: the lab that the cell makes now goes on from it (``Left``).

Nothing here or in the frame may hold a lab otherwise: what a widget calls is ``while_there``.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets
from IPython import get_ipython
from IPython.display import HTML, display

from vaecourse import labs as course

if TYPE_CHECKING:
    from vaecourse.labs.frame import Panel

NAMELESS = 2  # labs that live of one line of code, where no cell has a name (nbclient): a cell run again, or two alike

_shown: dict[Hashable, list[Panel]] = {}  # by cell
_runs: dict[Hashable, str] = {}  # in which run of the cell
_left: dict[Hashable, list[Left]] = {}  # by cell, what labs of its former runs have left; of the latest cells only
_dropped = False  # whether a lab was, since the memory was last tidied up


def view_of(widget: ipywidgets.Widget, **kwargs: Any) -> dict[str, Any]:
    """What a cell that ends with this widget stores of it; nothing where it is closed."""
    view = bundle(**kwargs) if (bundle := widget._repr_mimebundle_) else {}
    return dict(view[0] if isinstance(view, tuple) else view)


# What stands under a cell whose notebook was opened again. While the lab is there, kernel.css hides it.
START = """<p class="vaecourse-start">No lab here? Then no kernel is behind it. Click into its cell, then press
<kbd>Shift</kbd>+<kbd>Enter</kbd>: it starts, and in this tab it comes back in the setting it had.</p>"""


def say_how_to_start() -> None:
    """Beside a lab, for the file: words, which JupyterLab shows where it has no kernel and where it trusts nothing."""
    shell = get_ipython()
    if hasattr(shell, "get_parent") and _cell(shell)[0] is not None:
        display(HTML(START))


def remember(experiment: object, controls: Mapping[str, Any]) -> None:
    """Name the places where the page keeps the controls of this cell's lab: they outlive the kernel, in this tab."""
    shell = get_ipython()
    if hasattr(shell, "get_parent"):
        place = f"{course.STARTED} {_cell(shell)[0] or ''} {type(experiment).__name__}"
        for name, control in controls.items():
            control.memory = f"vaecourse {place} {name}"


MOST_LEFT = 4  # cells that something is kept for, and labs in each


@dataclass
class Left:
    """What a lab whose cell is run again leaves to the next lab ``of`` the same kind in this cell: no widget, no lab.

    It is there until the lab that took it is shown, for a run may end with an error before that.
    """

    of: type
    what: Any
    taker: weakref.ref[Panel] | None = None
    giver: weakref.ref[Panel] | None = None


class Former:
    """What is in ``Out`` for a lab whose cell was run again."""

    def __init__(self, lab: Panel) -> None:
        self._said = f"{lab!r}, which is gone: its cell was run again, or it was closed"

    def __repr__(self) -> str:
        return self._said


def keep(lab: Panel) -> None:
    """Hold ``lab`` for as long as the cell that runs now shows it; outside of a notebook, not at all."""
    shell = get_ipython()
    if not hasattr(shell, "get_parent"):  # no kernel, so nothing is shown
        return
    for event, heard in (("pre_run_cell", _begin), ("post_run_cell", _end)):
        if heard not in shell.events.callbacks[event]:
            shell.events.register(event, heard)
    parent, (cell, run) = shell.get_parent(), _cell(shell)
    key = (parent.get("content", {}).get("code"), type(lab.experiment)) if cell is None else cell
    labs = [other for other in _shown.get(key, ()) if other is not lab] + [lab]
    if key in _left:
        _left[key] = [left for left in _left[key] if left.giver is None or left.giver() is not lab]  # it lives on
        lab.go_on()  # where one cell made it, and this one shows it
        _left[key] = [left for left in _left[key] if left.taker is None or left.taker() is not lab]
    _shown[key], _runs[key] = labs if cell else labs[-NAMELESS:], run
    _let_go([] if cell else labs[:-NAMELESS])


def take(lab: Panel) -> Left | None:
    """What a lab of this kind has left in this cell, which is now for ``lab``; None if there is nothing."""
    if (left := waiting(lab)) is not None:
        left.taker = weakref.ref(lab)
    return left


def waiting(lab: Panel) -> Left | None:
    """The same, and it stays there."""
    shell = get_ipython()
    if not hasattr(shell, "get_parent"):
        return None
    left = _left.get(_cell(shell)[0], ())
    return next((one for one in left if one.of is type(lab.experiment) and one.taker is None), None)


def forget(lab: Panel) -> None:
    """Let ``lab`` go wherever it is shown."""
    for cell, labs in list(_shown.items()):
        _shown[cell] = [other for other in labs if other is not lab]
        if not _shown[cell]:
            del _shown[cell], _runs[cell]
    _let_go([lab])


def while_there(lab: object, action: Callable[..., Any]) -> Callable[..., Any]:
    """A function that calls ``action`` with ``lab`` before its own arguments, and holds no lab: without it, nothing."""
    there = weakref.ref(lab)
    return lambda *arguments: None if (it := there()) is None else action(it, *arguments)


def take_away(widget: ipywidgets.Widget) -> None:
    """Close a widget and all that it holds, layout and style among them: here, and by a message in the browser."""
    held = list(_parts(widget))
    widget.close()
    for part in held:
        take_away(part)


def _parts(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    for value in (getattr(widget, name) for name in widget.keys):
        yield from (it for it in (value if isinstance(value, tuple) else [value]) if isinstance(it, ipywidgets.Widget))


def _cell(shell: Any) -> tuple[str | None, str]:
    """The name that the page has for the cell that runs now, and that of this run."""
    parent = shell.get_parent()
    return parent.get("metadata", {}).get("cellId"), parent.get("header", {}).get("msg_id", "")


def _begin(_info: object) -> None:
    """A cell is run: what it showed before is shown no more. Within one run there may be others, as of ``%run``."""
    cell, run = _cell(get_ipython())
    if cell is not None and _runs.get(cell) != run:
        _runs.pop(cell, None)
        gone = _shown.pop(cell, [])
        _leave(cell, gone)
        _let_go(gone)


def _leave(cell: Hashable, gone: list[Panel]) -> None:
    """Keep for the cell what its labs leave that no other cell shows, and what is there of earlier runs."""
    given = [(lab, left) for lab in gone if not _is_shown(lab) and (left := lab.leave()) is not None]
    new = [Left(left.of, left.what, giver=weakref.ref(lab)) for lab, left in given]
    old = [left for left in _left.pop(cell, []) if not any(left.what[0] is other.what[0] for other in new)]
    if both := [*new, *(Left(left.of, left.what, giver=left.giver) for left in old)][:MOST_LEFT]:
        _left[cell] = both
        for other in list(_left)[:-MOST_LEFT]:
            del _left[other]


def _is_shown(lab: Panel) -> bool:
    return any(lab is other for others in _shown.values() for other in others)


def _end(_result: object) -> None:
    """The cell has run; what its labs did until now is its own doing.

    Figures refer to themselves in circles, and Python looks for those too seldom by itself: half a gigabyte late.
    """
    global _dropped
    for lab in _shown.get(_cell(get_ipython())[0], ()):
        lab.settle()
    if _dropped:
        _dropped = False
        gc.collect()


def _let_go(labs: list[Panel]) -> None:
    """Of these labs, those that no cell shows: out of ``Out``, too."""
    global _dropped
    for lab in labs:
        if not _is_shown(lab):
            _dropped = True
            _leave_out(lab)


def _leave_out(lab: Panel) -> None:
    """Put a line of text where IPython keeps ``lab`` among its results: Out[n], _n, _, __ and ___."""
    shell = get_ipython()
    if shell is None:
        return
    former, hook = Former(lab), shell.displayhook
    results: MutableMapping[int, Any] = shell.user_ns.get("_oh", {})
    numbers = [number for number, result in list(results.items()) if result is lab]
    for number in numbers:
        results[number] = former
        for output in getattr(shell.history_manager, "outputs", {}).get(number, ()):
            output.bundle.pop("image/png", None)  # the still picture: a quarter of a megabyte for each run
    names = ["_", "__", "___"]
    for name in names:
        if getattr(hook, name, None) is lab:
            setattr(hook, name, former)
    for space in (shell.user_ns, shell.user_ns_hidden):
        for name in (*names, *(f"_{number}" for number in numbers)):
            if space.get(name) is lab:
                space[name] = former
