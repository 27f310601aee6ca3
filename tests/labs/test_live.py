"""A lab that trains: the trainer by itself, and the panel on an event loop, with a problem small enough to know."""

import asyncio
import gc
import threading
import time
import warnings
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from vaecourse import checkpoint, labs
from vaecourse.labs import training_panel
from vaecourse.labs.frame import Number
from vaecourse.labs.trainer import LONGEST, Trainer, thinned
from vaecourse.labs.training import Training


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.at = nn.Parameter(torch.zeros(3))


NEVER = 10**6  # a step that no test reaches, however fast the machine


class GoalTrainer(Trainer):
    """Moves a point towards ``goal``, with noise of its own; ``breaks`` is the step at which it goes wrong."""

    columns = ["distance", "goal"]
    every = 5

    def __init__(self, seed):
        super().__init__(Line(), torch.full((20, 3), 0.5), seed, batch_size=7, rate=0.1)
        self.seen = []

    def backward(self, x, settings):
        self.seen.append((self.steps, settings["goal"]))
        if self.steps == settings["breaks"]:
            raise RuntimeError("planted")
        noise = torch.randn(3, generator=self.random)
        (self.model.at - settings["goal"] + 0.01 * noise + 0.01 * x.mean()).square().sum().backward()

    def measure(self, settings):
        distance = (self.model.at - settings["goal"]).norm().item()
        yield
        return [distance, settings["goal"]]


class GoalTraining(Training):
    title = "A climb"
    controls = [Number("goal", "Goal", -2.0, 2.0, default=1.0), Number("breaks", "Breaks at", 0, NEVER, default=NEVER)]
    presets = {"down": {"goal": -1.0}}
    stills = ["down", {"goal": 2.0}]
    still_steps = 10

    def begin(self, seed):
        return GoalTrainer(seed)

    def look(self, trainer, settings):
        return trainer.steps, trainer.model.at.detach().numpy().copy(), settings["goal"]

    def build(self, figure):
        axes = figure.subplots()
        axes.set(xlim=(-2, 2), ylim=(-2, 2))
        return SimpleNamespace(dot=axes.plot([0], [0], "o")[0])

    def update(self, artists, data):
        artists.dot.set_data([data[1][0]], [data[2]])

    def sentence(self, data):
        return f"Step {data[0]}: at {data[1][0]:.3f}, goal {data[2]:.2f}."


@pytest.fixture
def lab():
    made = GoalTraining().live()
    yield made
    made.close()


GOAL = {"goal": 1.0, "breaks": NEVER}


def parameters(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


def on_a_loop(scenario):
    """Run a coroutine, and prove that it left no task and no thread behind, and no exception that nobody heard of."""
    problems, threads = [], set(threading.enumerate())

    async def run():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
        result = await scenario()
        await asyncio.sleep(0.02)
        assert asyncio.all_tasks() == {asyncio.current_task()}, "a task is left"
        return result

    result = asyncio.run(run())
    gc.collect()
    assert not problems
    assert set(threading.enumerate()) <= threads, "a thread is left"
    return result


async def until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        await asyncio.sleep(0.002)


# The trainer ---------------------------------------------------------------------------------------------------------


def test_same_seed_same_settings_same_bits():
    one, same, other = (GoalTrainer(seed).train(GOAL, 23) for seed in (3, 3, 4))
    assert torch.equal(parameters(one), parameters(same)) and one.history == same.history
    assert not torch.equal(parameters(one), parameters(other))


def test_measuring_leaves_the_training_alone():
    one, pieces = GoalTrainer(0).train(GOAL, 20), GoalTrainer(0)
    for _ in range(20):
        pieces.train(GOAL, 1)
    assert torch.equal(parameters(one), parameters(pieces))
    assert [row[0] for row in one.history] == [0, 5, 10, 15, 20]
    assert [row[0] for row in pieces.history] == list(range(1, 21)) or pieces.history[0][0] == 0


def test_the_next_step_has_the_new_setting():
    trainer, settings = GoalTrainer(0), dict(GOAL)
    for step, _ in enumerate(trainer.work(lambda: settings, 12)):
        settings["goal"] = float(step)  # turned after each piece of work, measurements among them
    assert len(trainer.seen) == 12
    pieces_before = [-(-(step + 1) // 5) for step, _ in trainer.seen]  # one yield for each measurement so far
    assert [goal for _, goal in trainer.seen][1:] == [
        float(step + measured - 1) for (step, _), measured in zip(trainer.seen, pieces_before)
    ][1:]
    assert trainer.turns == list(range(1, 12))


def test_a_saved_run_goes_on_to_the_same_bits(tmp_path):
    whole = GoalTrainer(5).train(GOAL, 20).train({**GOAL, "goal": -1.0}, 20)
    half = GoalTrainer(5).train(GOAL, 20)
    half.save(tmp_path / "run", {**GOAL, "goal": 0.5})
    taken_up = GoalTrainer(0)
    assert taken_up.load(tmp_path / "run") == {**GOAL, "goal": 0.5}
    taken_up.train({**GOAL, "goal": -1.0}, 20)
    assert torch.equal(parameters(whole), parameters(taken_up))
    assert (whole.history, whole.turns, whole.steps, whole.seed) == (
        taken_up.history, taken_up.turns, taken_up.steps, taken_up.seed,
    )  # fmt: skip
    assert whole.turns == [20]


@pytest.fixture
def started(tmp_path, monkeypatch):
    """The folder in which the course was started."""
    monkeypatch.setattr(labs, "STARTED", tmp_path.resolve())
    return tmp_path.resolve()


def page(widget, content):
    """What the page sends to a widget. ipywidgets would log an exception of a callback: here it is one."""
    for callback in widget._msg_callbacks.callbacks:
        callback(widget, content, [])


def steps_in(file):
    return checkpoint.run_of(file)["settings"]["steps"]


OTHERS = {  # training -> how a lab comes to one that is not what its file holds
    "reset": lambda lab, other: lab.reset(),
    "reinitialise": lambda lab, other: lab.reinitialise(0),
    "another file": lambda lab, other: lab.load(other),
    "another file, by its trainer": lambda lab, other: lab.trainer.load(other),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_save_keeps_what_another_training_left_in_the_file(started, lab, name):
    """The lab is the same; what it trains is not."""
    file, other = started / "file.safetensors", started / "other.safetensors"
    lab.step(2)
    lab.save(other)
    lab.reinitialise(1)
    lab.step(9)
    page(lab.store, {"do": "save", "file": file.name})
    OTHERS[name](lab, other)
    page(lab.store, {"do": "save", "file": file.name})
    (copy,) = (started / "kept").iterdir()
    assert steps_in(copy) == 9 and steps_in(file) == lab.trainer.steps < 9
    assert copy.name in lab.transport.state
    lab.step(1)
    page(lab.store, {"do": "save", "file": file.name})
    assert list((started / "kept").iterdir()) == [copy], "from now on the file is this training's"


def test_a_save_keeps_the_later_steps_that_an_older_file_does_not_have(started, lab):
    old, new = started / "old.safetensors", started / "new.safetensors"
    lab.step(3)
    lab.save(old)
    lab.step(3)
    lab.save(new)
    lab.load(old)
    with pytest.warns(UserWarning, match="kept in"):
        lab.save(new)
    assert [steps_in(copy) for copy in (started / "kept").iterdir()] == [6] and steps_in(new) == 3


def test_a_training_that_goes_on_makes_no_copies_of_its_files(started, lab):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            lab.step(1)
            lab.save(started / "one.safetensors")
            lab.save(started / "two.safetensors")
        lab.load(started / "one.safetensors")
        lab.step(1)
        lab.save(started / "one.safetensors")
        next_run = GoalTrainer(0)  # of the cell, see TrainingPanel.go_on
        next_run.go_on_from(lab.trainer)
        next_run.train(GOAL, 1).save(started / "one.safetensors", GOAL)
    assert steps_in(started / "one.safetensors") == 5 and not (started / "kept").exists()


def test_a_load_keeps_the_steps_that_are_in_no_file(started, lab):
    lab.step(3)
    lab.save(started / "file.safetensors")
    lab.step(training_panel.AT_STAKE + 20)
    lab.controls["goal"].value = -0.5
    before = parameters(lab.trainer)
    page(lab.store, {"do": "load", "file": "file.safetensors"})
    (copy,) = (started / "kept").iterdir()
    assert f"{training_panel.AT_STAKE + 20} steps that were in no file are kept in {copy}" in lab.transport.state
    assert lab.trainer.steps == 3 and steps_in(started / "file.safetensors") == 3
    page(lab.store, {"do": "load", "file": f"kept/{copy.name}"})
    assert torch.equal(parameters(lab.trainer), before) and lab.settings["goal"] == -0.5
    assert lab.transport.state.endswith(f"loaded from kept/{copy.name}"), "all of it was in a file"
    assert list((started / "kept").iterdir()) == [copy]


def test_a_load_says_that_a_few_steps_were_let_go(started, lab):
    lab.step(5)
    lab.save(started / "file.safetensors")
    lab.step(2)
    page(lab.store, {"do": "load", "file": "file.safetensors"})
    assert "(2 steps that were in no file were let go.)" in lab.transport.state
    lab.step(2)
    with pytest.warns(UserWarning, match="2 steps that were in no file were let go"):
        lab.load(started / "file.safetensors")
    assert not (started / "kept").exists()


def test_a_load_that_cannot_keep_the_steps_in_no_file_changes_nothing(started, lab):
    lab.save(started / "file.safetensors")
    lab.step(training_panel.AT_STAKE + 1)
    lab.controls["goal"].value = -0.5
    (started / "kept").write_text("a file of this name")
    page(lab.store, {"do": "load", "file": "file.safetensors"})
    assert f"{training_panel.AT_STAKE + 1} steps in no file could not be kept" in lab.transport.state
    assert lab.trainer.steps == training_panel.AT_STAKE + 1 and lab.settings["goal"] == -0.5
    assert (started / "kept").read_text() == "a file of this name"


def test_a_file_that_is_none_of_ours_changes_nothing(started, lab):
    lab.step(7)
    before = parameters(lab.trainer), lab.sentence.value
    (started / "torn.safetensors").write_bytes(b"no checkpoint")
    lab.save(started / "cut.safetensors")
    (started / "cut.safetensors").write_bytes((started / "cut.safetensors").read_bytes()[:-5])
    for name, kind in (("torn", ValueError), ("cut", ValueError), ("missing", FileNotFoundError)):
        with pytest.raises(kind, match=name):
            lab.load(started / f"{name}.safetensors")
        page(lab.store, {"do": "load", "file": f"{name}.safetensors"})
        assert name in lab.transport.state
    assert torch.equal(parameters(lab.trainer), before[0]) and lab.sentence.value == before[1]


@pytest.mark.parametrize("controls", [{"goal": 0.5, "gaol": 3}, {"goal": 0.5}, {"goal": 0.5, "breaks": "never"}])
def test_a_file_with_other_controls_changes_nothing(tmp_path, lab, controls):
    lab.trainer.train(GOAL, 5).save(tmp_path / "old", controls)
    lab.step(2)
    before = parameters(lab.trainer), lab.settings, lab.sentence.value

    async def scenario():
        lab.start(1)
        with pytest.raises(ValueError, match="old .*control"):
            lab.load(tmp_path / "old")
        assert lab.running
        await until(lambda: not lab.running)

    with pytest.raises(ValueError, match="old .*control"):
        lab.load(tmp_path / "old")
    assert torch.equal(parameters(lab.trainer), before[0]) and (lab.settings, lab.sentence.value) == before[1:]
    on_a_loop(scenario)
    assert lab.trainer.steps == 8 and lab.failure is None


def test_no_steps_measure_and_do_not_fail(lab):
    assert GoalTrainer(0).train(GOAL, 0).history[0][0] == 0
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        lab.step(0)
    assert lab.failure is None


def test_a_gradient_that_is_not_finite_is_not_taken():
    trainer = GoalTrainer(0).train(GOAL, 3)
    before = parameters(trainer)
    with pytest.raises(FloatingPointError, match="not finite"):
        trainer.train({**GOAL, "goal": float("inf")}, 1)
    assert torch.equal(parameters(trainer), before) and trainer.steps == 3


def test_a_long_history_is_thinned_and_keeps_its_ends():
    trainer = GoalTrainer(0)
    trainer.every = 1
    trainer.train({**GOAL, "breaks": -1}, 3 * LONGEST)
    steps, values = trainer.curve("distance")
    assert LONGEST / 2 <= len(steps) <= LONGEST
    assert steps[0] == 0 and steps[-1] == trainer.steps and (steps[1:] > steps[:-1]).all()
    assert values[-1] == trainer.latest("distance")


# The panel -----------------------------------------------------------------------------------------------------------


def test_start_turn_pause(lab):
    async def scenario():
        lab.start()
        assert lab.running and lab.transport.running
        await until(lambda: lab.trainer.steps > 20)
        lab.controls["goal"].value = -2.0
        at = lab.trainer.steps
        await until(lambda: lab.trainer.steps > at + 20)
        lab.pause()
        steps = lab.trainer.steps
        await asyncio.sleep(0.05)
        assert lab.trainer.steps == steps and not lab.running and not lab.transport.running
        assert lab.trainer.turns == [at]
        assert all(goal == (1.0 if step < at else -2.0) for step, goal in lab.trainer.seen)
        assert f"Step {steps}:" in lab.sentence.value and lab.error is None

    on_a_loop(scenario)


def test_training_is_the_same_live_and_by_itself(lab):
    async def scenario():
        lab.start(steps=33)
        await until(lambda: not lab.running)

    on_a_loop(scenario)
    assert torch.equal(parameters(lab.trainer), parameters(GoalTrainer(0).train(GOAL, 33)))


def test_the_page_runs_so_many_steps_at_a_speed(lab):
    """At 50 steps in a second 10 take a fifth of one, and a pause is heard meanwhile."""
    lab.transport.set_state({"speed": 50.0})

    async def scenario():
        start = time.monotonic()
        page(lab.transport, {"do": "run", "steps": 10})
        await until(lambda: not lab.running)
        assert time.monotonic() - start >= 9 / 50 and lab.trainer.steps == 10
        lab.transport.set_state({"speed": 0.01})
        page(lab.transport, {"do": "start"})
        await until(lambda: lab.trainer.steps == 11)
        await asyncio.sleep(0.1)
        assert lab.trainer.steps == 11 and lab.running
        page(lab.transport, {"do": "pause"})
        assert not lab.running

    on_a_loop(scenario)


@pytest.mark.parametrize("steps", [None, 0, -3, 2.5, "many", float("nan"), 10**30])
def test_a_run_of_no_number_of_steps_is_told(lab, steps):
    async def scenario():
        page(lab.transport, {"do": "run", "steps": steps})
        assert "steps must be" in lab.transport.state and not lab.running

    on_a_loop(scenario)
    assert lab.trainer.steps == 0


def test_states_to_show(lab):
    """Untrained is the first weights of the seed; trained is the same from page and Python, to the last bit."""
    lab.experiment.trained_steps = 12
    lab.step(3)
    lab.untrained()
    assert lab.trainer.steps == 0 and torch.equal(parameters(lab.trainer), parameters(GoalTrainer(0)))

    async def scenario():
        page(lab.transport, {"do": "trained"})
        await until(lambda: not lab.running)

    on_a_loop(scenario)
    climbed = parameters(lab.trainer)
    lab.step(5)
    lab.trained()
    assert lab.trainer.steps == 12 and torch.equal(parameters(lab.trainer), climbed)
    lab.step(1)
    lab.trained()
    assert torch.equal(parameters(lab.trainer), climbed), "the state to show was trained on"


def test_what_is_told_of_a_training_once_its_kernel_has_ended(lab, started):
    assert lab.transport.at_stake == ""
    lab.step(7)
    assert lab.transport.at_stake == "Its training is lost: 7 steps in no file."
    page(lab.store, {"do": "save", "file": "run.safetensors"})
    assert lab.transport.at_stake == "Its training is saved: 7 steps in run.safetensors. Load takes it up."
    lab.step(1)
    saved = "Its training is saved up to step 7 in run.safetensors. Load takes it up. What came after is lost: 1 step."
    assert lab.transport.at_stake == saved
    page(lab.store, {"do": "load", "file": "run.safetensors"})
    assert lab.transport.at_stake == "Its training is saved: 7 steps in run.safetensors. Load takes it up."
    lab.untrained()
    assert lab.transport.at_stake == ""


def test_pictures_and_sentences_are_few(lab, monkeypatch):
    told = []
    lab.sentence.observe(lambda change: told.append(change["new"]), "value")

    async def scenario():
        updates, start = lab.updates, time.monotonic()
        lab.start()
        await asyncio.sleep(1.2)
        lab.pause()
        assert 2 <= lab.updates - updates <= 2 + (time.monotonic() - start) / training_panel.PICTURES

    on_a_loop(scenario)
    assert lab.trainer.steps > 20
    assert len(told) == 1, "the sentence waits for its turn, and for the pause"


def test_an_error_is_told_stays_told_and_can_be_mended(lab):
    lab.controls["breaks"].value = 12

    async def scenario():
        lab.start()
        await until(lambda: not lab.running)

    on_a_loop(scenario)
    for _ in range(2):
        assert lab.error == "RuntimeError: planted"
        assert "Training stopped after step 12. RuntimeError: planted" in lab.sentence.value
        assert "stopped by an error" in lab.transport.state
        lab.controls["goal"].value = 0.3  # redraws, and must not hide it
    lab.step()
    assert lab.error == "RuntimeError: planted" and lab.trainer.steps == 12
    lab.controls["breaks"].value = NEVER
    lab.step(3)
    assert lab.error is None and lab.trainer.steps == 15 and "planted" not in lab.sentence.value


def test_an_error_at_the_first_step_is_told(lab):
    """Step 0 of a training that stopped is not the start of one that has not begun."""
    lab.controls["breaks"].value = 0
    assert "not started" in lab.transport.state

    async def scenario():
        lab.start()
        await until(lambda: not lab.running)

    for run in (lambda: on_a_loop(scenario), lab.step):
        run()
        assert lab.transport.state == "step 0, seed 0: stopped by an error"
        assert "Training stopped after step 0. RuntimeError: planted" in lab.sentence.value
    lab.reset()
    assert "not started" in lab.transport.state


@pytest.mark.parametrize("bad", ["3", 2.5, True, None, -1, 10**12, 10**5000], ids=lambda bad: type(bad).__name__)
def test_seed_and_steps_are_whole_numbers(lab, bad):
    async def scenario():
        lab.start(2)
        with pytest.raises((TypeError, ValueError)):
            lab.reinitialise(bad)
        assert lab.running, "what trains goes on"
        await until(lambda: not lab.running)

    on_a_loop(scenario)
    before = lab.transport.state, parameters(lab.trainer)
    for what, call in (("seed", lab.reinitialise), ("steps", lab.step), ("steps", lab.start), ("seed", GoalTrainer)):
        with pytest.raises((TypeError, ValueError), match=f"^{what} must be (a whole number|at least|at most)"):
            call(bad)
    with pytest.raises((TypeError, ValueError), match="^steps must be"):
        lab.trainer.train(GOAL, bad)
    assert lab.transport.state == before[0] and torch.equal(parameters(lab.trainer), before[1])


@pytest.mark.parametrize("name", ["steps", "seed"])
def test_a_file_with_a_wrong_number_changes_nothing(tmp_path, lab, name):
    lab.step(2)
    for number, bad in enumerate(("3", 2.5, None, -1, 10**12)):
        other = GoalTrainer(1).train(GOAL, 3)
        setattr(other, name, bad)
        other.save(tmp_path / f"run {number}", GOAL)
        with pytest.raises(ValueError, match=f"run {number} .*{name}"):
            lab.load(tmp_path / f"run {number}")
        assert (lab.trainer.steps, lab.trainer.seed) == (2, 0), bad


# The page ------------------------------------------------------------------------------------------------------------

ODD = [
    None, "save", 3, [], ["do", "save"], {}, {"file": "x.safetensors"}, {"do": None}, {"do": ["save"]}, {"do": {}},
    {"do": "drop"}, {"do": "SAVE"}, {"do": "x" * 10**6}, {"do": 10**400},
]  # fmt: skip


@pytest.mark.parametrize("widget", ["transport", "store"])
def test_an_odd_message_is_a_sentence(lab, started, widget):
    for content in ODD:
        lab.transport.state = "before"
        page(getattr(lab, widget), content)
        said = lab.transport.state
        assert "Nothing was done: these buttons ask for" in said and len(said) < 250, f"{content!r:.40}"
        assert not lab.running and not list(started.iterdir()), f"{content!r:.40}"


def test_each_widget_has_its_own_messages(lab, started):
    async def scenario():
        for ask in training_panel.FILES:
            page(lab.transport, {"do": ask, "file": "x.safetensors"})
            assert (
                "ask for start or pause or step or run or reinitialise or untrained or trained, got"
                in lab.transport.state
            )
        for ask in training_panel.PRESSES:
            page(lab.store, {"do": ask})
            assert "ask for save or load, got" in lab.transport.state and not lab.running

    on_a_loop(scenario)
    assert not list(started.iterdir())
    for widget in (lab.transport, lab.store):
        assert len(widget._msg_callbacks.callbacks) == 1
    for widget in (*lab.controls.values(), lab.image, lab.sentence):
        assert not widget._msg_callbacks.callbacks


@pytest.mark.parametrize("value", ["1", "yes"])
def test_no_file_is_reached_while_presenting(lab, started, monkeypatch, value):
    monkeypatch.setenv("VAECOURSE_PRESENTING", value)
    shown = GoalTraining().live()
    try:
        assert shown.store is None
        assert not any(type(widget).__name__ == "Store" for widget in everything(shown.widget))
        page(lab.store, {"do": "save", "file": "x.safetensors"})  # of a lab that was there before
        assert "While the labs are presented" in lab.transport.state and not list(started.iterdir())
        shown.step(2)
        shown.save(started / "x.safetensors")  # from Python
        page(lab.store, {"do": "load", "file": "x.safetensors"})
        assert "While the labs are presented" in lab.transport.state and lab.trainer.steps == 0
    finally:
        shown.close()


@pytest.mark.parametrize("value", ["", "0"])
def test_presenting_can_be_left_off(monkeypatch, value):
    monkeypatch.setenv("VAECOURSE_PRESENTING", value)
    made = GoalTraining().live()
    assert made.store in everything(made.widget)
    made.close()


def everything(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from everything(child)


def test_the_panel_says_which_file_it_was(lab, started):
    (started / "folder").mkdir()
    (started / "link.safetensors").symlink_to(started / "folder/other.safetensors")
    page(lab.store, {"do": "save", "file": "link.safetensors"})
    assert lab.transport.state.endswith("saved in folder/other.safetensors")
    assert (started / "folder/other.safetensors").is_file() and (started / "link.safetensors").is_symlink()


def test_one_trains_at_a_time(lab):
    async def scenario():
        second = GoalTraining().live()
        lab.start()
        await until(lambda: lab.trainer.steps > 3)
        second.start()
        assert not lab.running and "another lab" in lab.transport.state
        third = GoalTraining().live()  # what running the cell again does
        assert not second.running and "opened again" in second.transport.state
        for made in (second, third):
            made.close()

    on_a_loop(scenario)


@pytest.mark.parametrize("end", ["close", "reset", "reinitialise", "close_all"])
def test_nothing_is_left(end):
    async def scenario():
        made = GoalTraining().live()
        made.start()
        await until(lambda: made.trainer.steps > 3)
        match end:
            case "close":
                made.close()
            case "reset":
                made.reset()
                assert made.trainer.steps == 0
            case "reinitialise":
                made.reinitialise(4)
                assert made.trainer.seed == 4 and "seed 4" in made.transport.state
            case "close_all":
                made.widget.close()  # what closing the panel from the page does
        await until(lambda: not made.running)

    on_a_loop(scenario)


def test_it_trains_on_while_the_page_is_slow(lab):
    """With a chapter to draw on a busy machine, a page is still for half a minute and more."""

    async def scenario():
        lab.start()
        lab.transport.seen = lab.transport.shown
        lab._answered -= 60
        lab.refresh()
        assert lab.running
        lab._answered -= 60
        lab.refresh()
        assert not lab.running

    on_a_loop(scenario)


def test_it_pauses_when_the_page_has_gone(lab, monkeypatch):
    monkeypatch.setattr(training_panel, "SILENCE", 0.3)

    async def scenario():
        lab.start()
        await asyncio.sleep(0.5)
        assert lab.running, "a page that never answered may be a notebook that runs without one"
        lab.transport.seen = lab.transport.shown
        await until(lambda: not lab.running)
        assert "no longer answers" in lab.transport.state

    on_a_loop(scenario)


def test_the_buttons(lab, started):
    file = "runs/state.safetensors"

    async def scenario():
        for message in ("start", "pause", "step", "reinitialise"):
            page(lab.transport, {"do": message})
            await asyncio.sleep(0.05)
            if message == "step":
                await until(lambda: not lab.running)
        assert lab.trainer.seed == 1 and lab.trainer.steps == 0
        lab.step(4)
        lab.controls["goal"].value = 0.2
        page(lab.store, {"do": "save", "file": file})
        assert lab.transport.state.endswith(f"saved in {file}") and (started / file).is_file()
        lab.reset()
        page(lab.store, {"do": "load", "file": file})
        assert (lab.trainer.steps, lab.trainer.seed, lab.settings["goal"]) == (4, 1, 0.2)
        assert lab.transport.state.endswith(f"loaded from {file}")
        (started / "file").write_text("")
        page(lab.store, {"do": "save", "file": "file/below.safetensors"})
        assert "Error" in lab.transport.state

    on_a_loop(scenario)


@pytest.mark.parametrize("trains", [False, True])
def test_what_became_of_a_file_is_said_until_something_changes(lab, started, monkeypatch, trains):
    monkeypatch.setattr(training_panel, "STATUS", 0.4)

    async def scenario():
        if trains:
            lab.start()
        page(lab.store, {"do": "save", "file": "state.safetensors"})
        await asyncio.sleep(0.3)
        assert "saved in" in lab.transport.state
        if trains:
            await until(lambda: "training" in lab.transport.state)
            page(lab.store, {"do": "save", "file": "state.safetensors"})
        lab.controls["goal"].value = 0.25
        await asyncio.sleep(0.05)
        assert "saved" not in lab.transport.state and ("training" if trains else "not started") in lab.transport.state
        lab.pause()

    on_a_loop(scenario)


@pytest.mark.parametrize("trains", [False, True])
def test_the_sentence_comes_before_the_picture_and_the_last_of_a_storm_wins(lab, trains):
    told, drawn = [], []
    lab.sentence.observe(lambda change: told.append(change["new"]), "value")
    lab.image.observe(lambda change: drawn.append(len(told)), "value")

    async def scenario():
        if trains:
            lab.start()
            await until(lambda: lab.trainer.steps > 3)
        told.clear()
        drawn.clear()
        lab.controls["goal"].value = 0.1
        assert len(told) == 1 and "goal 0.10" in told[0] and not drawn, "at once, in the message itself"
        for goal in (0.2, 0.3, 0.4):
            lab.controls["goal"].value = goal
        assert len(told) == 1 and lab.pending
        steps = lab.trainer.steps
        await until(lambda: not lab.pending)
        assert "goal 0.40" in told[-1] and len(told) == 2 and len(drawn) == 1
        assert lab.trainer.steps == steps, "the picture comes before the next piece of work"
        lab.pause()

    on_a_loop(scenario)


def on_another_thread(lab, what):
    """The training on a loop of its own, as JupyterLab has it, while the test is a cell."""
    ready, over = threading.Event(), threading.Event()

    async def there():
        lab.start()
        ready.set()
        while not over.is_set():
            await asyncio.sleep(0.002)
        return asyncio.all_tasks() - {asyncio.current_task()}

    left = []
    page = threading.Thread(target=lambda: left.append(asyncio.run(there())))
    page.start()
    try:
        assert ready.wait(20)
        what()
    finally:
        over.set()
        page.join()
    assert left == [set()], "a task is left on the page's loop"


def test_a_cell_does_not_come_between(lab, monkeypatch):
    """JupyterLab's widgets have a thread of their own: a step and a call of a cell must not be at the lab together."""
    inside, together = [], []

    def alone(kind, method):
        def watched(*args):
            inside.append(kind)
            time.sleep(0.001)
            together.extend([tuple(inside)] if len(set(inside)) > 1 else [])
            try:
                return method(*args)
            finally:
                inside.remove(kind)

        return watched

    monkeypatch.setattr(GoalTrainer, "backward", alone("step", GoalTrainer.backward))
    monkeypatch.setattr(type(lab), "_draw", alone("draw", type(lab)._draw))

    def cell():
        for goal in range(15):
            lab.controls["goal"].value = goal / 10
            time.sleep(0.003)
        steps = lab.trainer.steps
        lab.apply("down")
        assert steps > 0 and "goal -1.00" in lab.sentence.value
        lab.pause()
        steps = lab.trainer.steps
        time.sleep(0.05)
        assert lab.trainer.steps == steps and not lab.running

    on_another_thread(lab, cell)
    assert not together, together


@pytest.mark.parametrize("end", ["pause", "close", "reinitialise", "again"])
def test_a_cell_ends_what_the_page_began(lab, end):
    def cell():
        {
            "pause": lab.pause,
            "close": lab.close,
            "reinitialise": lambda: lab.reinitialise(3),
            "again": lambda: GoalTraining().live().close(),
        }[end]()
        assert not lab.running
        time.sleep(0.05)

    on_another_thread(lab, cell)


def test_without_an_event_loop_start_says_so_and_step_works(lab):
    with pytest.raises(RuntimeError, match="no running event loop"):
        lab.start()
    assert not lab.running
    lab.step(4)
    assert "Step 4:" in lab.sentence.value


def test_the_loop_turns_between_the_pieces(lab):
    """A count, not a time: whatever else the machine does, everybody gets a turn after each piece of work."""

    async def scenario():
        ticks = 0
        lab.start()
        while lab.trainer.steps < 200:
            await asyncio.sleep(0)
            ticks += 1
        lab.pause()
        assert ticks >= 200

    on_a_loop(scenario)


def test_torch_has_its_threads_back(lab):
    before = torch.get_num_threads()
    lab.step(2)
    assert torch.get_num_threads() == before


def test_the_marks_of_turned_controls_are_few_however_often_they_were_turned():
    """Each is a line in the picture: twenty thousand took a second to draw, and a million ended the lab."""
    turns = []
    for step in range(5000):
        turns = thinned([*turns, step])
    assert len(turns) <= LONGEST and turns == sorted(set(turns)) and turns[0] == 0 and turns[-1] == 4999
    assert len(thinned(list(range(10**6)))) <= LONGEST
