"""The live panels: ``labs.ALL["00.bound"]()`` makes one, and as the last line of a cell it shows itself.

A lab has ``.controls`` {name: widget}, ``.presets`` {name: {control: value}}, ``.apply(preset)``, ``.reset()``,
``.image``, ``.sentence``, ``.settings``, ``.error`` and ``.widget``. How to write one: ``vaecourse.labs.frame``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vaecourse.labs.frame import Panel

__all__ = ["ALL"]


def _here() -> Path | None:
    try:
        return Path.cwd().resolve()
    except OSError:  # it has been removed
        return None


STARTED = _here()  # the one folder that a page reaches; where a notebook goes later makes no difference


def _lab(place: str) -> Callable[[], Panel]:
    """A factory of the experiment at ``place``, "file.Class". Nothing is imported before the lab is asked for."""
    file, _, experiment = place.rpartition(".")  # "small.file.Class" too

    def make() -> Panel:
        return getattr(import_module(f"vaecourse.labs.{file}"), experiment)().live()

    return make


class _Labs(dict[str, Callable[[], "Panel"]]):
    def __missing__(self, name: str) -> Callable[[], Panel]:
        near = difflib.get_close_matches(str(name), self, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise KeyError(f"there is no lab {name!r}; there are {', '.join(self)}.{hint}")


PLACES = {  # the name of each lab: the file of its experiment, and its class there
    "00.bound": "first_bound.FirstBound",
    "00.chord": "small.chord.Chord",
    "00.flat": "small.flat.FlatWeight",
    "01.gap": "gap.ElboGap",
    "01.turns": "small.turns.Turns",
    "01.units": "small.units.DyingUnits",
    "02.proposal": "proposal.ProposalWidth",
    "02.worth": "small.worth.Worth",
    "02.quieter": "small.quieter.Quieter",
    "02.baseline": "baseline.ScoreBaseline",
    "03.iwae": "iwae.Iwae",
    "03.pick": "small.pick.PickByWeight",
    "03.humps": "small.two_humps.SeekOrCover",
    "04.signal": "signal.SignalToNoise",
    "04.widths": "small.three_widths.ThreeWidths",
    "04.pull": "small.encoder_pull.EncoderPull",
    "05.estimators": "estimators.Estimators",
    "05.line": "small.jackknife_line.JackknifeLine",
    "06.latent": "latent_space.LatentSpace",
    "06.explode": "explode.ExplodingLatentSpace",
    "06.mmd": "mmd.TwoClouds",
    "07.samplers": "samplers.LearnedSamplers",
    "07.bounds": "hierarchical.HierarchicalBounds",
    "07.close": "small.closing_in.ClosingIn",
    "08.cockpit": "cockpit.TrainingCockpit",
    "08.dimension": "small.dimension.Dimension",
}

ALL: dict[str, Callable[[], Panel]] = _Labs({name: _lab(place) for name, place in PLACES.items()})
