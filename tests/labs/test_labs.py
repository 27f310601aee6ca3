"""What every lab of ``labs.ALL`` promises: each control and preset works, a storm of events leaves nothing behind."""

import asyncio
import base64
import gc
import html
import io
import re
import subprocess
import sys
import threading
import weakref

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from matplotlib.figure import Figure
from PIL import Image
from traitlets import TraitError

from vaecourse import labs
from vaecourse.labs.controls import ChoiceWidget, SeedWidget, Slider, SwitchWidget

NUMBER = re.compile(r"\d")
SMALL = [name for name, place in labs.PLACES.items() if place.startswith("small.")]


@pytest.fixture(scope="module", params=sorted(labs.ALL))
def shared(request):
    """One lab of each name for the whole module: making one takes half a second."""
    return labs.ALL[request.param]()


@pytest.fixture
def lab(shared):
    shared.reset()
    yield shared
    shared.reset()


def grid(widget):
    """Values over the whole range of a control, its ends included."""
    match widget:
        case Slider():
            stops = np.linspace(0, len(widget.stops) - 1, 9).round().astype(int)
            return [widget.stops[i] for i in stops]
        case ChoiceWidget():
            return list(widget.options)
        case SwitchWidget():
            return [True, False]
        case SeedWidget():
            return [1, 2, 3]
    raise AssertionError(f"a kind of control that no test knows: {widget!r}")


def size(png):
    return Image.open(io.BytesIO(png)).size


def test_every_control_over_its_range(lab):
    for name, widget in lab.controls.items():
        lab.reset()
        pictures, sentences = {lab.image.value}, {lab.sentence.value}
        for value in grid(widget):
            widget.value = value
            assert lab.error is None, f"{name} = {value}: {lab.error}"
            assert lab.settings[name] == value
            assert NUMBER.search(lab.sentence.value), f"{name} = {value}: the sentence says no value"
            assert not re.search(r"\bnan\b", lab.sentence.value.lower()), f"{name} = {value}: {lab.sentence.value}"
            pictures.add(lab.image.value)
            sentences.add(lab.sentence.value)
        in_vain = {words.partition("Not in use")[2] for words in sentences}  # said of a control that waits
        assert len(pictures) > 1 or len(in_vain) > 1, f"the picture does not follow {name}"
        if isinstance(widget, Slider):
            assert len(sentences) > 2, f"the sentence does not follow {name}"
    assert len({size(picture) for picture in pictures}) == 1, "the picture must not change its size"


def test_corners_of_all_controls(lab):
    """Each corner is one control away from the one before, so each is drawn once; of hundreds, every fifth or so."""
    walk = [{}]
    for name, widget in lab.controls.items():
        ends = list(dict.fromkeys([grid(widget)[0], grid(widget)[-1]]))
        walk = [{**corner, name: end} for n, corner in enumerate(walk) for end in ends[:: -1 if n % 2 else 1]]
    for corner in walk[:: max(1, len(walk) // 48) | 1]:  # an odd step meets both ends of every control
        for name, value in corner.items():
            lab.controls[name].value = value
        assert lab.error is None, f"{lab.settings}: {lab.error}"
        assert lab.settings == corner


def test_presets_and_reset(lab):
    start = lab.settings, lab.image.value, lab.sentence.value
    assert lab.presets
    for name, settings in lab.presets.items():
        lab.apply(name)
        assert lab.error is None, f"{name}: {lab.error}"
        assert lab.settings == {**start[0], **settings}, "a preset names the whole state: the rest is at its default"
        assert NUMBER.search(lab.sentence.value)
    lab.reset()
    assert (lab.settings, lab.image.value, lab.sentence.value) == start


def test_unknown_preset_names_the_nearest(lab):
    name = next(iter(lab.presets))
    with pytest.raises(ValueError, match=re.escape(f"Did you mean {name!r}?")):
        lab.apply(name + "x")


def test_same_settings_same_picture(lab):
    """An update forgets nothing: whatever was shown before, the picture depends on the settings only."""
    fresh = lab.image.value
    for name in lab.presets:
        lab.apply(name)
        lab.reset()
        assert lab.image.value == fresh, f"after {name!r} the picture of the start looks different"
    lab.still()
    lab.flush()
    assert lab.image.value == fresh, "after the stills the picture of the start looks different"


def test_storm_ends_on_the_last_value(lab):
    slider = next(widget for widget in lab.controls.values() if isinstance(widget, Slider))
    gc.collect()
    figures = sum(type(thing) is Figure for thing in gc.get_objects()), plt.get_fignums()
    updates, problems = lab.updates, []
    last = slider.stops[-2] if slider.value != slider.stops[-2] else slider.stops[1]

    async def storm():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
        for event in range(1000):
            slider.value = slider.stops[event % len(slider.stops)]
            if event % 10 == 9:
                await asyncio.sleep(0)  # between messages a kernel gives its other tasks a turn
        slider.value = last
        await asyncio.sleep(0.05)
        while lab.updates == updates or lab.pending:
            await asyncio.sleep(0.01)
        return lab.updates

    done = asyncio.run(storm())
    assert not problems
    assert lab.error is None
    assert slider.value == last
    assert done - updates <= 100, f"{done - updates} updates for 1000 events"
    shown = lab.image.value, lab.sentence.value
    assert lab.updates == done, "nothing was queued any more"
    lab.flush()
    assert (lab.image.value, lab.sentence.value) == shown, "the last value is the one shown"
    gc.collect()
    assert (sum(type(thing) is Figure for thing in gc.get_objects()), plt.get_fignums()) == figures


def test_events_are_gathered_and_reading_is_never_behind(lab):
    name, slider = next((n, widget) for n, widget in lab.controls.items() if isinstance(widget, Slider))

    async def move():
        updates = lab.updates
        for stop in slider.stops[:5]:
            slider.value = stop
        assert lab.updates == updates and lab.pending
        assert lab.image.value and lab.updates == updates + 1 and not lab.pending
        lab.apply(next(iter(lab.presets)))
        assert not lab.pending

    asyncio.run(move())
    assert name in lab.settings


def test_what_a_screen_reader_gets(lab):
    for widget in lab.controls.values():
        assert widget.label.strip()
    for name in lab.presets:
        lab.apply(name)
        assert html.unescape(lab.sentence.value) in lab.image.alt
        assert lab.experiment.title in lab.image.alt
    assert isinstance(lab.image, ipywidgets.Image)
    assert isinstance(lab.sentence, ipywidgets.HTML)
    assert isinstance(lab.widget, ipywidgets.Widget)


def test_an_error_is_told_and_kept(lab, monkeypatch):
    picture = lab.image.value

    def broken(**_):
        raise RuntimeError("planted")

    monkeypatch.setattr(lab.experiment, "compute", broken)
    lab.flush()
    assert lab.error == "RuntimeError: planted"
    assert "RuntimeError: planted" in lab.sentence.value
    assert lab.image.value == picture
    monkeypatch.undo()
    lab.flush()
    assert lab.error is None
    assert "planted" not in lab.sentence.value


def test_where_there_is_no_kernel(lab):
    assert lab.experiment.stills
    data, metadata = lab._repr_mimebundle_()
    still = base64.b64decode(data["image/png"])
    width, height = size(still)
    assert height > 1.5 * size(lab.image.value)[1], "small multiples show at least two settings"
    assert len(still) < 200_000
    assert metadata["image/png"]["width"]
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == lab.widget.model_id
    assert data["text/plain"] == repr(lab) and "0x" not in repr(lab)


def test_bad_values_of_controls(lab):
    for name, widget in lab.controls.items():
        before = widget.value
        if isinstance(widget, Slider):
            widget.value = widget.max + 1e6
            assert lab.settings[name] == widget.max
            widget.value = before
        for bad in (None, "no such value", float("nan")):
            with pytest.raises(Exception, match=r"must be|expected|trait"):
                widget.value = bad
        assert widget.value == before


@pytest.mark.parametrize("name", sorted(set(labs.ALL) - set(SMALL[1:])))
def test_two_of_a_kind_show_the_same_and_neither_outlives_its_end(name):
    """What nbval compares and what a refreshed notebook stores must not depend on the instance."""
    view = "application/vnd.jupyter.widget-view+json"
    one, two = (shown_until_its_end(name, end) for end in ("close", "forget"))
    assert one.pop(view) != two.pop(view)
    assert one == two


def shown_until_its_end(name, end):
    """What a lab showed, of which nothing is left. What its widgets call knows it only while it is there."""
    gc.collect()
    widgets = dict(_instances)
    lab = labs.ALL[name]()
    shown = lab._repr_mimebundle_()[0]
    slider = next(widget for widget in lab.controls.values() if isinstance(widget, Slider))
    button = lab.widget.comm is not None and [it for it in _instances.values() if type(it) is ipywidgets.Button][-1]
    if hasattr(lab, "step"):
        lab.step(2)
    parts = [weakref.ref(it) for it in (lab, lab._canvas.figure, lab._image, getattr(lab, "trainer", lab))]
    if end == "close":
        lab.close()
        lab.close()  # again does no harm
        assert "image/png" in lab._repr_mimebundle_()[0]
    del lab
    gc.collect()
    assert [part() for part in parts] == [None] * len(parts)
    assert dict(_instances) == widgets, "a widget is open that nobody shows"
    slider.value = slider.max  # of a widget that somebody still holds
    button.click()
    return shown


def test_a_seed_is_a_whole_number(lab):
    for widget in lab.controls.values():
        if isinstance(widget, SeedWidget):
            for bad in ("3", 2.5, True, None, -1, 2**32, [1]):
                with pytest.raises(TraitError, match=r"must be a whole number from 0 to 4294967295, got"):
                    widget.value = bad
            widget.value = 2**32 - 1
            assert lab.error is None


def test_unknown_lab_names_the_nearest():
    with pytest.raises(KeyError, match=r"Did you mean '00.bound'"):
        labs.ALL["00.bounds"]


def test_labs_are_imported_lazily():
    code = "import sys, vaecourse.labs; sys.exit(bool({'matplotlib', 'torch', 'ipywidgets'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_page_writes_values_and_no_ends_and_options(lab):
    """A page may send what it likes: three million as the end of a slider took gigabytes."""
    own = [*lab.controls.values(), lab.image, lab.sentence, *filter(None, [getattr(lab, "transport", None)])]
    own += filter(None, [getattr(lab, "store", None)])
    for widget in own:
        before = {key: value for key, value in widget.get_state().items() if key not in widget.from_page}
        widget.set_state(dict.fromkeys(before, 3000000.0))
        now = widget.get_state()
        assert {key: now[key] for key in before} == before
    slider = next((widget for widget in lab.controls.values() if hasattr(widget, "max")), None)
    if slider is not None:
        slider.set_state({"max": 3e6, "value": 3e6, "heard": slider.turn})
        assert slider.value == slider.max < 3e6


def test_what_a_page_sent_before_it_heard_of_a_reset_does_not_count():
    lab = labs.ALL["00.bound"]()
    K = lab.controls["K"]
    K.set_state({"value": 50, "heard": K.turn})
    assert K.value == 50
    lab.reset()
    K.set_state({"value": 90})  # held back since before the reset
    assert K.value == lab.defaults["K"]
    K.set_state({"value": 90, "heard": K.turn})
    assert K.value == 90
    lab.apply(next(iter(lab.presets)))
    K.set_state({"value": 70, "heard": K.turn - 1})
    assert lab.settings == lab.defaults | lab.presets[next(iter(lab.presets))]
    lab.close()


def test_a_reset_on_another_thread_waits_for_the_picture_at_hand():
    """JupyterLab brings a slider's values on one thread of the kernel and a click on "Reset" on another."""
    drawing, done = threading.Event(), threading.Event()

    class Slow(labs.ALL["00.bound"]().experiment.__class__):
        def compute(self, **settings):
            if settings["K"] == 50:
                drawing.set()
                done.wait(1)
            return super().compute(**settings)

    lab = Slow().live()
    start, K = lab.sentence.value, lab.controls["K"]
    slider = threading.Thread(target=lambda: K.set_state({"value": 50, "heard": K.turn}))
    slider.start()
    assert drawing.wait(10)
    lab.reset()
    done.set()
    slider.join()
    assert (K.value, lab.sentence.value) == (lab.defaults["K"], start)
    assert lab.image.alt.endswith(html.unescape(start))
    lab.close()
