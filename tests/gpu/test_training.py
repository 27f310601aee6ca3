"""Training on the device: graphs and eager steps are one training, a seed decides all of it, a file goes anywhere."""

import json

import pytest
import torch

from vaecourse import data, evaluate, infovae, objectives, train
from vaecourse.models import VAE
from vaecourse.reproduce.captured import EAGER, Graph
from vaecourse.reproduce.ensemble import Ensemble
from vaecourse.reproduce.machinery import Machinery
from vaecourse.reproduce.training import train_ensemble

M, K, B, D, L = 2, 3, 20, 64, 4
GREY = torch.rand(230, D, generator=torch.Generator().manual_seed(0))  # 11 batches of 20 and one of 10
IMAGES = data.Images(GREY, GREY[:20], torch.zeros(230), torch.zeros(20), (8, 8), "grey")
SETTING = train.Setting(latent_dim=L, hidden=(16,), epochs=1)


def ensemble(seeds):
    return Ensemble([train.untrained(IMAGES, seed, SETTING) for seed in seeds])


def trained(seeds, name, machinery, rates=(3e-3, 1e-3, 5e-4), checkpoint=None):
    models = ensemble(seeds)
    passes = train_ensemble(
        models, GREY, objectives.get(name), M, K, rates, seeds, batch_size=B, machinery=machinery, checkpoint=checkpoint
    )
    return models, [one.bounds for one in passes]


@pytest.mark.parametrize("seeds", [(5,), (5, 6, 8)], ids=["one", "three"])
@pytest.mark.parametrize("name", list(objectives.TABLE))
def test_a_graph_trains_as_eager_steps_do(name, seeds, cuda):
    """The same noise, so the same training: fused or not, a kernel adds up in its own order."""
    one, its_bounds = trained(seeds, name, Machinery(cuda, graphs=False))
    other, bounds = trained(seeds, name, Machinery(cuda))
    torch.testing.assert_close(torch.tensor(bounds), torch.tensor(its_bounds), rtol=1e-5, atol=1e-4)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_a_graph_is_replayed_and_reads_the_rate(cuda, monkeypatch):
    replays = []
    replay = torch.cuda.CUDAGraph.replay
    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", lambda graph: (replays.append(1), replay(graph)))
    still, _ = trained((5,), "iwae", Machinery(cuda), rates=(3e-3, 0.0, 0.0))
    assert len(replays) == 3 * 11 - EAGER
    first, _ = trained((5,), "iwae", Machinery(cuda), rates=(3e-3,))
    for a, b in zip(still.parameters(), first.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_run_goes_on_from_its_checkpoint(cuda, tmp_path):
    whole, _ = trained((5, 6), "piwae", Machinery(cuda))
    file = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        with pytest.MonkeyPatch.context() as patch:
            save, saved = train_ensemble.__globals__["Checkpoint"].save, []

            def stop(self, passes, *rest):
                save(self, passes, *rest)
                saved.append(passes)
                if len(passes) == 2:
                    raise KeyboardInterrupt

            patch.setattr(train_ensemble.__globals__["Checkpoint"], "save", stop)
            models = ensemble((5, 6))
            rates = (3e-3, 1e-3, 5e-4)
            how = {"batch_size": B, "machinery": Machinery(cuda), "checkpoint": file, "every": 0.0}
            train_ensemble(models, GREY, objectives.get("piwae"), M, K, rates, (5, 6), **how)
    again, bounds = trained((5, 6), "piwae", Machinery(cuda), checkpoint=file)
    assert len(bounds) == 3
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


class Spoiling(list):
    """Rates; the second pass begins with a poisoned gradient."""

    def __init__(self, rates, poison):
        super().__init__(rates)
        self.poison = poison

    def __getitem__(self, where):
        found = super().__getitem__(where)
        return self._from(found) if isinstance(where, slice) else found

    def _from(self, rates):
        for number, rate in enumerate(rates, 1):
            self.poison.fill_(float("inf") if number == 2 else 1.0)
            yield rate


def test_a_gradient_that_is_not_finite_changes_nothing(cuda):
    row, poison = objectives.get("iwae"), torch.ones((), device=cuda)
    models, first = ensemble((5,)), ensemble((5,))
    next(models.parameters()).register_hook(lambda gradient: gradient * poison)
    how = {"batch_size": 10, "machinery": Machinery(cuda)}  # 23 batches of the same size: all but three are replayed
    with pytest.raises(FloatingPointError, match="Pass 2: the gradient has entries that are not finite"):
        train_ensemble(models, GREY, row, M, K, Spoiling([1e-3, 1e-3, 1e-3], poison), (5,), **how)
    train_ensemble(first, GREY, row, M, K, [1e-3], (5,), **how)
    for one, other in zip(models.parameters(), first.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_data_on_the_device_trains_as_data_on_the_cpu(device):
    found = []
    for place in (torch.device("cpu"), device):
        model = train.untrained(IMAGES, 4, SETTING)
        grey, how = GREY.to(place), {"batch_size": B, "device": device, "progress": False}
        history = train.fit(model, grey, "iwae", M, K, 2, held_out=grey[:30], **how)
        found.append([torch.tensor(history.epochs[-1].held_out), *(p.detach().clone() for p in model.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_graph_draws_new_noise_each_time(cuda):
    generator = torch.Generator(cuda).manual_seed(3)
    draw = Graph(lambda batches: torch.randn(len(batches[0]), generator=generator, device=cuda), [generator])
    eager = torch.Generator(cuda).manual_seed(3)
    for _ in range(EAGER + 4):
        numbers = draw([torch.arange(7, device=cuda)]).clone()
        assert torch.equal(numbers, torch.randn(7, generator=eager, device=cuda))
    assert torch.equal(generator.get_state(), eager.get_state())


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_a_precision_learns(precision, cuda):
    _, bounds = trained((5, 6), "iwae", Machinery(cuda, precision), rates=[3e-3] * 8)
    assert min(bounds[-1]) > max(bounds[0]) + 0.5


@pytest.mark.parametrize("objective", [*objectives.TABLE, *infovae.DIVERGENCES])
def test_a_seed_decides_a_training(objective, device):
    pairs = []
    for _ in range(2):
        model = train.untrained(IMAGES, 4, SETTING)
        loss = (
            infovae.InfoVAE(alpha=0.5, lambda_=2.0, divergence=objective)
            if objective in infovae.DIVERGENCES
            else objective
        )
        before = torch.get_rng_state(), torch.cuda.get_rng_state_all() if device.type == "cuda" else []
        how = {"batch_size": B, "device": device, "seed": 3, "progress": False}
        history = train.fit(model, IMAGES, loss, M, 1 if objective in infovae.DIVERGENCES else K, 2, **how)
        assert torch.equal(torch.get_rng_state(), before[0])
        for state, old in zip(torch.cuda.get_rng_state_all() if device.type == "cuda" else [], before[1], strict=True):
            assert torch.equal(state, old)
        pairs.append((history.epochs[-1].train, [p.detach().clone() for p in model.parameters()]))
    (one, its), (other, theirs) = pairs
    assert one == pytest.approx(other, abs=1e-4)
    for a, b in zip(its, theirs, strict=True):
        assert a.device.type == "cpu"  # the model came back
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_a_checkpoint_of_the_device_is_read_on_the_cpu(device, tmp_path):
    model = train.untrained(IMAGES, 4, SETTING)
    file = tmp_path / "run.safetensors"
    how = {"batch_size": B, "progress": False, "checkpoint": file}
    train.fit(model, IMAGES, "iwae", M, K, 2, device=device, **how)
    found = train.load(file)
    for a, b in zip(model.parameters(), found.parameters(), strict=True):
        assert b.device.type == "cpu" and torch.equal(a.detach(), b.detach())
    if device.type == "cuda":
        with pytest.raises(ValueError, match="device was 'cuda' and is now 'cpu'"):
            train.fit(train.untrained(IMAGES, 4, SETTING), IMAGES, "iwae", M, K, 3, device="cpu", **how)
    again = train.untrained(IMAGES, 4, SETTING)
    history = train.fit(again, IMAGES, "iwae", M, K, 3, device=device, **how)
    assert len(history.epochs) == 3


def test_memory_is_flat_in_K(cuda):
    torch.manual_seed(0)
    model, x = VAE(784, 50, (200, 200)).to(cuda), torch.rand(100, 784).round()
    peaks = []
    for samples in (100, 5000):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        evaluate.log_likelihood(model, x, samples)
        peaks.append(torch.cuda.max_memory_allocated())
    assert peaks[1] - peaks[0] < 2**20


def test_a_recorded_step_waits_for_nothing(cuda):
    """In a graph nothing can: recording would fail. Around it, replaying waits for no number either."""
    generator = torch.Generator(cuda).manual_seed(3)
    step = Graph(lambda batches: torch.randn(7, generator=generator, device=cuda).sum()[None], [generator])
    batches = [torch.arange(7, device=cuda)]
    for _ in range(EAGER + 1):
        step(batches)
    torch.cuda.set_sync_debug_mode("error")
    try:
        total = torch.zeros(1, device=cuda)
        for _ in range(3):
            total += step(batches)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_table_is_made_on_the_device(device, tmp_path, monkeypatch):
    from vaecourse import reproduce

    monkeypatch.setitem(data.ALL, "mnist", lambda: IMAGES)
    scale = reproduce.Scale(schedule="short", epochs=2, samples=20)
    file = tmp_path / "iwae.json"
    made = reproduce.make("iwae", file, scale, seeds=2, rows=["IWAE, k = 5"], machinery=Machinery(device))
    record = json.loads(file.read_text())
    assert len(record["runs"]) == 2 and "**A short schedule**: 2 passes in batches of 100" in made
    assert record["runs"][0]["device"].startswith(str(Machinery(device)).split(",")[0])
