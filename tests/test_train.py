"""The training loop: it climbs, it can be stopped and resumed, and it never eats a file of somebody else."""

import functools
import signal

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal

from vaecourse import checkpoint, data, evaluate, exact, objectives, train
from vaecourse.models import VAE, DeepLatentVariableModel

M, K, N, D, EPOCHS = 2, 3, 45, 9, 4  # 45 points in batches of 10: the last batch is a smaller one
X = torch.rand(N, D, generator=torch.Generator().manual_seed(0))


def new_model(**changes):
    torch.manual_seed(1)
    return VAE(**({"data_dim": D, "latent_dim": 2, "hidden": (6, 5)} | changes))


def run(model=None, x=X, objective="piwae", epochs=EPOCHS, **options):
    """Train and return the model and its history, on the CPU, in batches of 10."""
    model = model or new_model()
    given = {"M": M, "K": K, "batch_size": 10, "progress": False, "device": "cpu"}
    return model, train.fit(model, x, objective, epochs=epochs, **(given | options))


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.fixture(scope="module")
def never_stopped():
    return run(held_out=X[:11])


def test_each_step_is_the_objective_on_fresh_pixels():
    """The loop, written out once more in the test."""
    model, history = run(epochs=2, learning_rate=0.01, seed=5)
    plain, generator = new_model(), torch.Generator().manual_seed(5)
    adam = torch.optim.Adam(plain.parameters(), lr=0.01, fused=True)
    means = []
    for _ in range(2):
        values = []
        for batch in torch.randperm(N, generator=generator).split(10):
            adam.zero_grad()
            x = torch.bernoulli(X[batch], generator=generator)
            values.append(objectives.backward(plain, x, "piwae", M, K, generator))
            adam.step()
        means.append(torch.cat(values).mean().item())
    assert same(model, plain)
    assert history.train == pytest.approx(means, rel=1e-6)
    assert history.held_out == [] and len(history.seconds) == 2 and not history.interrupted


def test_it_learns_what_the_pixel_means_cannot_say():
    """Two kinds of images: log p rises from 9 log(1/2) towards log(1/2), which says which, less the pixels' noise."""
    x = torch.cat([torch.full((100, D), 0.02), torch.full((100, D), 0.98)])
    torch.manual_seed(0)
    model = VAE(D, 2, hidden=(10,))
    train.fit(model, x, "iwae", M=1, K=5, epochs=60, learning_rate=0.01, progress=False)
    sample = data.binarise(x, torch.Generator().manual_seed(1))
    value = evaluate.log_likelihood(model, sample, K=500).mean()
    entropy = -torch.tensor(0.5).log() + D * -(0.02 * torch.tensor(0.02).log() + 0.98 * torch.tensor(0.98).log())
    assert value > -entropy - 0.3  # the pixel means alone would give -6.2; the best there is, about -1.6


def test_the_seed_decides_everything(never_stopped):
    model, history = run(held_out=X[:11])
    assert same(model, never_stopped[0]) and history.train == never_stopped[1].train
    assert history.held_out == never_stopped[1].held_out and len(history.held_out) == EPOCHS
    assert not same(run(seed=1)[0], model)


def test_watching_changes_nothing(never_stopped, tmp_path, capsys):
    """Neither held-out data, nor a checkpoint, nor the bar, nor the global generator touch the parameters."""
    torch.manual_seed(99)
    before = torch.get_rng_state()
    assert same(run(model=new_model(), progress=True, checkpoint=tmp_path / "file")[0], never_stopped[0])
    shown = capsys.readouterr().err
    assert "20/20" in shown and "nats" in shown and "00:00<" in shown  # steps, the bound, the time left
    torch.manual_seed(99)
    model = VAE(D, 2, hidden=(6, 5))
    after_model = torch.get_rng_state()
    run(model=model)
    assert torch.equal(torch.get_rng_state(), after_model) and not torch.equal(before, after_model)


def test_images_give_their_training_part():
    images = data.Images(X, X[:5], torch.zeros(N).long(), torch.zeros(5).long(), (3, 3), "small")
    assert same(run(x=images)[0], run()[0])


def test_data_can_be_taken_as_they_are():
    model, _ = run(new_model(likelihood="gaussian"), x=3 * X - 1, binarise=False, epochs=1)
    assert all(p.isfinite().all() for p in model.parameters())
    assert not same(run(binarise=False)[0], run()[0])


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_run_in_two_parts_is_the_run_in_one(never_stopped, tmp_path, stop):
    file = tmp_path / "new folder" / "file.safetensors"
    run(held_out=X[:11], epochs=stop, checkpoint=file)
    model = new_model()
    nn.init.zeros_(model.decoder[0].weight)  # what the model was before does not count
    _, history = run(model, held_out=X[:11], checkpoint=file)
    assert same(model, never_stopped[0])
    assert history.train == never_stopped[1].train and history.held_out == never_stopped[1].held_out
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    "optimizer",
    [
        functools.partial(torch.optim.SGD, momentum=0.9),
        functools.partial(torch.optim.Adam, eps=1e-4, amsgrad=True),
        torch.optim.SGD,
        torch.optim.Adagrad,
    ],
)
def test_networks_with_dropout_and_other_optimizers_resume_too(tmp_path, optimizer):
    def dropping():
        torch.manual_seed(3)
        decoder = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, D))
        return VAE(D, 2, hidden=(6,), decoder=decoder)

    whole, _ = run(dropping(), optimizer=optimizer)
    run(dropping(), optimizer=optimizer, epochs=2, checkpoint=tmp_path / "file")
    parts, _ = run(dropping(), optimizer=optimizer, checkpoint=tmp_path / "file")
    assert same(whole, parts)
    with pytest.raises(ValueError, match="networks, a prior or a class of its own: build it as before"):
        train.load(tmp_path / "file")


@pytest.mark.parametrize("after", [0, 7, 12])
def test_ctrl_c_leaves_a_usable_model_a_history_and_a_checkpoint(never_stopped, tmp_path, after):
    model, calls = new_model(), []

    def press(module, given, result):
        calls.append(1)
        if len(calls) == after + 1:
            signal.raise_signal(signal.SIGINT)

    hook = model.decoder[0].register_forward_hook(press)
    _, history = run(model, checkpoint=tmp_path / "file")
    hook.remove()
    assert history.interrupted and len(history.epochs) == after // 5 and "interrupted" in repr(history)
    assert model.training and evaluate.log_likelihood(model, X.round(), 10).isfinite().all()
    assert len(checkpoint.read(tmp_path / "file")[1]["history"]) == after // 5
    again, history = run(model, checkpoint=tmp_path / "file")  # the same cell, run again
    assert same(again, never_stopped[0]) and not history.interrupted


def test_a_checkpoint_gives_the_model_back(tmp_path):
    for model in (new_model(), new_model(likelihood="gaussian").double()):
        file = tmp_path / model.likelihood
        x = X.to(next(model.parameters()).dtype)
        run(model, x=x, checkpoint=file)
        loaded = train.load(file)
        assert same(model, loaded) and loaded.config() == model.config() and not loaded.training
        assert next(loaded.parameters()).dtype == x.dtype


def test_a_bound_that_is_not_finite_stops_the_run():
    model = new_model()
    with pytest.raises(FloatingPointError, match=r"Training stopped in epoch \d, step \d of 5: .*learning_rate"):
        run(model, learning_rate=1e30)
    assert all(p.isfinite().all() for p in model.parameters())


def test_a_mistake_in_the_model_is_told_as_it_is():
    model = VAE(data_dim=D, latent_dim=2, encoder=nn.Linear(D, 7))
    with pytest.raises(ValueError, match=r"^encoder must give 2 latent_dim = 4 numbers for each point, got 7\.$"):
        run(model)


def test_a_gradient_that_is_not_finite_is_not_taken():
    model, calls = new_model(), []

    def poison(grad):
        calls.append(1)
        return grad * float("inf") if len(calls) == 7 else grad

    model.encoder[0].weight.register_hook(poison)
    with pytest.raises(FloatingPointError, match="in epoch 2, step 2 of 5: the gradient has entries"):
        run(model)
    assert all(p.isfinite().all() for p in model.parameters()) and model.training


@pytest.mark.parametrize(
    "options, error, said",
    [
        ({"epochs": 0}, ValueError, "epochs must be at least 1, got 0"),
        ({"M": 0}, ValueError, "M must be at least 1, got 0"),
        ({"K": 0}, ValueError, "K must be at least 1, got 0"),
        ({"K": 2.0}, TypeError, "K must be a whole number, got 2.0"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"learning_rate": 0}, ValueError, r"learning_rate must lie in \(0, 1e\+30\], got 0"),
        ({"learning_rate": "fast"}, TypeError, "learning_rate must be a number, got 'fast'"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"objective": "iwea"}, ValueError, "objective must be .*got 'iwea'.*Did you mean 'iwae'"),
        ({"x": 255 * X}, ValueError, r"data must lie in \[0, 1\].*8-bit pixels need / 255"),
        ({"x": 2 * X, "binarise": False}, ValueError, r"data must lie in \[0, 1\]"),
        ({"x": X[0]}, ValueError, r"data must have the 2 axes \[B, D\], got shape \[9\]"),
        ({"x": X[:, :4]}, ValueError, r"data must have data_dim = 9 columns, got shape \[45, 4\]"),
        ({"x": X.numpy()}, TypeError, "data must be a torch.Tensor .*, got ndarray"),
        ({"x": X[:0]}, ValueError, r"data must have at least one entry along B, got shape \[0, 9\]"),
        ({"x": X / 0}, ValueError, "data"),
        ({"held_out": X[:, :4]}, ValueError, "held_out must have data_dim = 9 columns"),
        ({"device": "tpu9"}, ValueError, "device must be one of cuda, mps, cpu, got 'tpu9'"),
        ({"device": "meta"}, ValueError, "device must be one that is here .*, got 'meta'"),
    ],
)
def test_bad_input_is_told_before_the_first_step(monkeypatch, options, error, said):
    monkeypatch.setattr(train.steps, "step", lambda *_: pytest.fail("a step was taken"))
    with pytest.raises(error, match=said):
        run(**options)


def test_the_model_comes_back_to_where_it_was():
    device = train.choose_device()
    model = new_model()
    train.fit(model, X, "elbo", 1, 2, 1, progress=False, device=device)
    assert next(model.parameters()).device.type == "cpu"


def test_the_courses_setting_for_digits():
    images = data.Images(
        torch.rand(20, 64).round(), torch.rand(2, 64), torch.zeros(20), torch.zeros(2), (8, 8), "digits"
    )
    model = train.untrained(images, seed=3)
    assert same(model, train.untrained(images, seed=3)) and not same(model, train.untrained(images, seed=4))
    assert model.latent_dim == train.DIGITS.latent_dim and model.hidden == train.DIGITS.hidden
    torch.testing.assert_close(model.decoder[-1].bias.sigmoid(), images.train.mean(0).clamp(0.001, 0.999))


def lists(model):
    return [layer.training for layer in model.modules()]


def test_every_layer_comes_back_in_its_own_mode():
    model = new_model()
    model.encoder.eval()
    before = lists(model)
    run(model, epochs=1, held_out=X[:7])
    assert lists(model) == before and model.training and not model.encoder.training


def test_any_model_learns_from_any_batches():
    """A DataLoader of images with labels, a schedule, and a callback that ends it."""
    from tests.test_composition import Gaussian, Pixels
    from vaecourse.models import DeepLatentVariableModel

    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Gaussian(nn.Linear(D, 4))

        def forward(self, x):
            return self.inner(x.flatten(1))

    class Square(Pixels):
        def forward(self, z):
            logits = self.network(z).unflatten(-1, (1, 3, 3))
            return torch.distributions.Independent(torch.distributions.Bernoulli(logits=logits, validate_args=False), 3)

    torch.manual_seed(0)
    model = DeepLatentVariableModel(Square(nn.Linear(2, D)), Flat())
    images = X.round().view(N, 1, 3, 3)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(images, torch.arange(N)), batch_size=10, shuffle=True
    )
    rates, seen = [], []

    def schedule(optimizer):
        return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: rates.append(epoch) or 0.5**epoch)

    def callback(epoch, trained):
        seen.append(epoch.held_out)
        return len(seen) == 3

    history = train.fit(
        model, loader, "dreg", 2, 3, 9, held_out=loader, progress=False, device="cpu", schedule=schedule,
        callback=callback, learning_rate=0.05,
    )  # fmt: skip
    assert len(history.epochs) == 3 and history.held_out == seen and rates == [0, 1, 2, 3]
    assert history.train[-1] > history.train[0]
    with pytest.raises(ValueError, match="checkpoint needs data and held_out as tensors"):
        train.fit(model, loader, "iwae", 1, 2, 1, checkpoint="never", progress=False)
    with pytest.raises(TypeError, match="gone through again and again"):
        train.fit(model, iter(loader), "iwae", 1, 2, 1, progress=False)
    with pytest.raises(ValueError, match="binarise must be False for a DataLoader"):
        train.fit(model, loader, "iwae", 1, 2, 1, progress=False, binarise=True)
    with pytest.raises(ValueError, match="x must hold at least one batch"):
        train.fit(model, [], "iwae", 1, 2, 1, progress=False)


@pytest.mark.parametrize("stop", [1, 2])
def test_a_schedule_goes_on_where_it_was(tmp_path, stop):
    schedule = functools.partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=3)
    whole, _ = run(epochs=3, schedule=schedule)
    run(epochs=stop, schedule=schedule, checkpoint=tmp_path / "file")
    parts, _ = run(epochs=3, schedule=schedule, checkpoint=tmp_path / "file")
    assert same(whole, parts) and not same(whole, run(epochs=3)[0])
    with pytest.raises(ValueError, match="schedule was 'CosineAnnealingLR.*and is now null"):
        run(epochs=3, checkpoint=tmp_path / "file")


def test_pixels_are_drawn_for_a_likelihood_of_zeros_and_ones_alone():
    torch.manual_seed(0)
    gaussian = VAE(D, 2, likelihood="gaussian")
    seen = []
    gaussian.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    train.fit(gaussian, X, "elbo", 1, 1, 1, progress=False, device="cpu")
    assert any((x != x.round()).any() for x in seen)
    with pytest.raises(ValueError, match="binarise must be False for a Gaussian likelihood"):
        train.fit(gaussian, X, "elbo", 1, 1, 1, progress=False, binarise=True)


def test_what_cannot_be_trained_is_told():
    frozen = new_model().requires_grad_(False)
    with pytest.raises(ValueError, match="model must have a parameter that requires a gradient"):
        run(frozen)
    with pytest.raises(TypeError, match="model must be a latent-variable model, got Linear"):
        run(nn.Linear(2, 2))
    case = exact.reference()
    history = train.fit(case, case.x.repeat(3, 1), "elbo", 1, 5, 2, progress=False, device="cpu")
    assert len(history.train) == 2


def test_the_optimizer_is_one_pass_where_there_is_one():
    assert train.adam(new_model().parameters(), lr=0.1).defaults["fused"] is True
    whole = [nn.Parameter(torch.ones(2, dtype=torch.complex64))]
    assert isinstance(train.adam(whole, lr=0.1), torch.optim.Adam)


class Around(nn.Linear):
    """A likelihood or a posterior with a constant of its own."""

    def __init__(self, inputs, outputs, sd=1.0, link=torch.tanh):
        super().__init__(inputs, outputs)
        self.sd, self.link = sd, link

    def forward(self, y):
        return Independent(Normal(self.link(super().forward(y)), self.sd), 1)


def test_a_run_that_its_callback_ended_stays_ended(tmp_path):
    whole, history = run(callback=lambda epoch, model: True)
    assert history.ended and len(history.epochs) == 1 and "ended by the callback" in repr(history)
    calls = []
    for _ in range(2):
        parts, history = run(callback=lambda *seen: calls.append(seen) or True, checkpoint=tmp_path / "file")
        assert same(whole, parts) and history.ended and len(history.epochs) == len(calls) == 1
    _, history = run(checkpoint=tmp_path / "file")  # without a callback it goes on
    assert len(history.epochs) == EPOCHS and not history.ended
    assert not run(callback=lambda *_: None, checkpoint=tmp_path / "file")[1].ended


class Masked(nn.Module):
    """A q and a p of what is seen of x."""

    def __init__(self):
        super().__init__()
        self.network, self.batches = nn.Linear(2, D), []

    def log_prob(self, pair, z):
        self.batches.append(pair)
        return (Normal(self.network(z), 1.0).log_prob(pair[0]) * pair[1]).sum(-1)


class Seen(Around):
    def forward(self, pair):
        return super().forward(pair[0] * pair[1])


def masked():
    torch.manual_seed(2)
    return DeepLatentVariableModel(Masked(), Seen(D, 2))


def test_a_pair_of_tensors_is_shuffled_and_cut_like_one(tmp_path):
    pair = X, (X > 0.3).float()
    model, _ = run(masked(), x=pair, epochs=2)
    seen = model.likelihood.batches
    assert [len(x) for x, _ in seen] == 2 * [10, 10, 10, 10, 5]
    for start in (0, 5):
        x, mask = (torch.cat(parts) for parts in zip(*seen[start : start + 5]))
        assert not torch.equal(x, X) and torch.equal(mask, (x > 0.3).float())  # the pairs stay pairs
        assert torch.equal(x.sort(0).values, X.sort(0).values)
    assert not torch.equal(seen[0][0], seen[5][0])
    run(masked(), x=pair, epochs=1, checkpoint=tmp_path / "file", held_out=pair)
    parts, _ = run(masked(), x=pair, epochs=2, checkpoint=tmp_path / "file", held_out=pair)
    assert same(model, parts)
    with pytest.raises(ValueError, match="belongs to another run: data was"):
        run(masked(), x=(X, X.round()), epochs=2, checkpoint=tmp_path / "file", held_out=pair)


@pytest.mark.parametrize(
    "options, error, said",
    [
        ({"x": (X, X[:-1])}, ValueError, r"data must have as many points in each of its tensors, got \[45, 44\]"),
        ({"x": (X, 3)}, TypeError, r"data must be .* a tuple of them, got int"),
        ({"x": ()}, ValueError, "data must hold at least one tensor, got an empty tuple"),
        ({"x": (X, X), "binarise": True}, ValueError, "binarise must be False for a tuple of tensors"),
        ({"held_out": (x for x in [X])}, TypeError, "held_out must be .*again and again.*, got generator"),
        ({"optimizer": torch.optim.LBFGS}, TypeError, "optimizer must take a step without arguments, got LBFGS"),
        (
            {"schedule": torch.optim.lr_scheduler.ReduceLROnPlateau},
            TypeError,
            "schedule must take a step without arguments, got ReduceLROnPlateau.*metrics",
        ),
        ({"model": "gaussian", "x": X / 0}, ValueError, "data contains (inf|NaN)"),
        ({"model": "gaussian", "held_out": X.clone().fill_(torch.inf)}, ValueError, "held_out contains inf"),
    ],
)
def test_what_would_fail_later_is_told_before_the_first_step(monkeypatch, options, error, said):
    monkeypatch.setattr(train.steps, "step", lambda *_: pytest.fail("a step was taken"))
    if "model" in options:
        options = options | {"model": new_model(likelihood="gaussian")}
    with pytest.raises(error, match=said):
        run(**options)


def test_a_loader_is_taken_as_it_is():
    """Nothing was said of ``binarise``."""
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X), batch_size=10)
    model = new_model()
    seen = []
    model.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    run(model, x=loader, epochs=1, held_out=X[:11])
    assert torch.equal(torch.cat(seen[:5]), X) and torch.equal(torch.cat(seen[5:]), X[:11])
    with pytest.raises(ValueError, match="binarise must be False for a DataLoader"):
        run(x=loader, binarise=True)
