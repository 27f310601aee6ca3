"""The loop of the reproductions: a kill loses nothing, several processes give what one gives, a bad run says so."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from vaecourse import data, objectives, train
from vaecourse.reproduce import schedule
from vaecourse.reproduce.ensemble import Ensemble
from vaecourse.reproduce.machinery import Machinery
from vaecourse.reproduce.training import train_ensemble

RUN = """
import sys, time
from pathlib import Path
import torch
from vaecourse import objectives, train
from vaecourse.data import Images
from vaecourse.reproduce.ensemble import Ensemble
from vaecourse.reproduce.machinery import Machinery
from vaecourse.reproduce.processes import joined
from vaecourse.reproduce.training import train_ensemble

torch.set_num_threads(1)
grey = torch.rand(230, 64, generator=torch.Generator().manual_seed(0))  # the digits would need scikit-learn, a second
images = Images(grey, grey[:20], torch.zeros(230), torch.zeros(20), (8, 8), "digits")
ensemble = Ensemble([train.untrained(images, seed) for seed in (0, 1)])
with joined(torch.device("cpu")) as (processes, device):
    rates = [1e-3] * 3 + [5e-4] * 3
    train_ensemble(ensemble, images.train, objectives.get("piwae"), 2, 3, rates, (0, 1), batch_size=20, every=0.0,
                   machinery=Machinery(device, processes=processes), checkpoint=Path(sys.argv[1]))
    if processes.leads:
        torch.save([p.detach() for p in ensemble.parameters()], sys.argv[2])
"""


def run(*words, launch=(sys.executable,)):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([*launch, *map(str, words)], env=environment, stderr=subprocess.PIPE)


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    file = tmp_path_factory.mktemp("training") / "run.py"
    file.write_text(RUN)
    return file


@pytest.fixture(scope="module")
def undisturbed(script):
    """The parameters after a run that nobody killed, in this process."""
    threads, words = torch.get_num_threads(), sys.argv
    try:
        sys.argv = ["run.py", str(script.with_name("whole")), str(script.with_name("whole.pt"))]
        exec(compile(RUN, "run.py", "exec"), {"__name__": "run"})
    finally:
        sys.argv = words
        torch.set_num_threads(threads)
    return torch.load(script.with_name("whole.pt"))


def test_a_killed_run_goes_on_bit_for_bit(script, undisturbed, tmp_path):
    checkpoint = tmp_path / "killed"
    process = run(script, checkpoint, tmp_path / "never")
    deadline = time.monotonic() + 100
    first = None
    while process.poll() is None and time.monotonic() < deadline:  # until the second checkpoint
        if checkpoint.exists():
            first = first or checkpoint.stat().st_mtime_ns
            if checkpoint.stat().st_mtime_ns != first:
                break
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not (tmp_path / "never").exists()
    process = run(script, checkpoint, tmp_path / "again.pt")
    assert process.wait(120) == 0, process.stderr.read().decode()
    for one, other in zip(undisturbed, torch.load(tmp_path / "again.pt"), strict=True):
        assert torch.equal(one, other)


def test_two_processes_give_what_one_gives(script, undisturbed, tmp_path):
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    process = run(script, tmp_path / "shared", tmp_path / "shared.pt", launch=torchrun)
    assert process.wait(120) == 0, process.stderr.read().decode()
    for one, other in zip(undisturbed, torch.load(tmp_path / "shared.pt"), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def short(images, checkpoint=None, seeds=(0,), rates=(1e-3, 1e-3), **more):
    ensemble = Ensemble([train.untrained(images, seed) for seed in seeds])
    pixels = images.train[:60]
    return train_ensemble(ensemble, pixels, objectives.get("iwae"), 1, 3, rates, seeds, checkpoint=checkpoint, **more)


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    images = data.digits()
    done = short(images, tmp_path / "run")
    assert short(images, tmp_path / "run") == done  # nothing was run again: even the times are those of before
    with pytest.raises(ValueError, match="belongs to another run: seeds was"):
        short(images, tmp_path / "run", seeds=(1,))
    with pytest.raises(ValueError, match="belongs to another run: rates was"):
        short(images, tmp_path / "run", rates=(1e-3, 2e-3))
    with pytest.raises(ValueError, match="belongs to another run: precision was 'float32' and is now 'bf16'"):
        short(images, tmp_path / "run", machinery=Machinery(precision="bf16"))  # its record would say bf16


def test_every_pass_has_its_own_rate():
    images = data.digits()
    ensembles = [Ensemble([train.untrained(images, 0)]) for _ in range(2)]
    for ensemble, rates in zip(ensembles, ([1e-3, 1e-30], [1e-3]), strict=True):
        train_ensemble(ensemble, images.train[:60], objectives.get("iwae"), 1, 3, rates, (0,))
    for one, other in zip(*(ensemble.parameters() for ensemble in ensembles), strict=True):
        assert torch.equal(one, other)


def test_a_bound_that_is_not_finite_stops_the_run():
    with pytest.raises(FloatingPointError, match="Pass 1"):
        short(data.digits(), rates=(1e30,))


def test_the_schedule_is_the_papers():
    rates = schedule.rates()
    assert len(rates) == 3280 and rates[0] == 1e-3 and rates[-1] == pytest.approx(1e-4)
    assert [rates.count(rate) for rate in sorted(set(rates), reverse=True)] == [3**i for i in range(8)]
    assert schedule.rates(stages=4, epochs=5) == rates[:5]
    with pytest.raises(ValueError, match="epochs must be at most 4"):
        schedule.rates(stages=2, epochs=5)
    with pytest.raises(ValueError, match="stages must be at most 8, got 9"):
        schedule.rates(stages=9)


def test_the_short_schedule_falls_along_a_cosine():
    plan = schedule.get("short")
    assert (len(plan.rates), plan.batch_size) == (schedule.SHORT_PASSES, 100)
    assert sum(plan.rates) / len(plan.rates) == pytest.approx(schedule.SHORT_RATE / 2)
    assert plan.rates == sorted(plan.rates, reverse=True) and plan.rates[-1] > 0
    assert len(schedule.get("short", epochs=7).rates) == 7  # a whole cosine, and not the beginning of a longer one
    assert schedule.get("short", epochs=7).rates[-1] < 0.02 * schedule.SHORT_RATE
    assert schedule.get().rates == schedule.rates() and schedule.get().batch_size == 20
    with pytest.raises(ValueError, match="schedule must be one of paper, short, got 'shrt'. Did you mean 'short'"):
        schedule.get("shrt")
    with pytest.raises(ValueError, match="epochs must be at least 1, got 0"):
        schedule.get("short", epochs=0)
