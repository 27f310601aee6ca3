"""What a checkpoint says of a run: all that its weights do not tell, in words that another process has, too."""

import functools
import threading

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal

from tests.test_train import Around, D, X, new_model, run, same
from vaecourse import bounds, description, objectives, train
from vaecourse.models import VAE, DeepLatentVariableModel


class Wide(nn.Module):
    """A prior N(0, scale^2 I), which has no weights."""

    def __init__(self, scale=5.0):
        super().__init__()
        self.scale = scale

    def log_prob(self, z):
        return Normal(0.0, self.scale).log_prob(z).sum(-1)


class Plain:
    """The same, and no module."""

    def __init__(self, scale):
        self.scale, self.log_prob = scale, lambda z: Normal(0.0, scale).log_prob(z).sum(-1)


def composed(prior=1.0, **likelihood):
    torch.manual_seed(1)
    prior = Independent(Normal(torch.zeros(2), torch.full((2,), prior)), 1) if isinstance(prior, float) else prior
    return DeepLatentVariableModel(Around(2, D, **likelihood), Around(D, 2), prior)


def grouped(**group):
    """An optimizer whose group has settings of its own."""
    return lambda parameters, lr: torch.optim.Adam([{"params": list(parameters)} | group], lr=lr)


def powers(base):
    return functools.partial(torch.optim.lr_scheduler.LambdaLR, lr_lambda=lambda epoch: base**epoch)


def sequence(base):
    def schedule(optimizer):
        both = [torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma) for gamma in (0.5, base)]
        return torch.optim.lr_scheduler.SequentialLR(optimizer, both, milestones=[1])

    return schedule


def decay(epoch):
    return 0.9**epoch


def frozen():
    model = new_model()
    model.encoder.requires_grad_(False)
    return model


class Cubed(VAE):
    """A subclass with a likelihood of its own, whose weights are those of a VAE."""

    def log_likelihood(self, x, z):
        return 3 * super().log_likelihood(x, z)


def cube(log_w):
    return bounds.iwae(log_w) * 1.0


def test_a_checkpoint_knows_the_class_the_networks_and_what_a_row_computes(tmp_path):
    """The weights of each pair are alike in name and shape."""
    torch.manual_seed(0)
    file = tmp_path / "file"
    run(Cubed(D, 2, hidden=(6, 5)), epochs=1, checkpoint=file)
    with pytest.raises(ValueError, match="a class of its own"):
        train.load(file)
    with pytest.raises(ValueError, match="model was .*Cubed"):
        run(epochs=2, checkpoint=file)
    networks = lambda kind: VAE(D, 2, encoder=nn.Sequential(nn.Linear(D, 4), kind()))
    run(networks(nn.Tanh), epochs=1, checkpoint=tmp_path / "tanh")
    with pytest.raises(ValueError, match="belongs to another run: model was"):
        run(networks(nn.ReLU), epochs=2, checkpoint=tmp_path / "tanh")
    run(epochs=1, objective="iwae", checkpoint=tmp_path / "row")
    for other in (
        objectives.Objective("iwae", cube, objectives.pooled, objectives.pooled),
        objectives.Objective("iwae", bounds.iwae, objectives.pooled, objectives.within),
    ):
        with pytest.raises(ValueError, match="objective was 'iwae' and is now 'iwae of"):
            run(epochs=2, objective=other, checkpoint=tmp_path / "row")


@pytest.mark.parametrize("part", ["decoder", "encoder", "prior"])
def test_load_gives_no_other_model_than_was_trained(tmp_path, part):
    """The exchanged network has the weights, or the lack of them, that the built-in one has."""
    model = new_model()
    if part == "prior":
        model.prior = Wide()
    else:
        getattr(model, part)[1] = nn.ReLU()
    run(model, epochs=1, checkpoint=tmp_path / "file")
    with pytest.raises(ValueError, match="networks, a prior or a class of its own: build it as before"):
        train.load(tmp_path / "file")


def test_load_refuses_a_file_that_was_written_with_a_config_that_is_not_the_models(tmp_path, monkeypatch):
    model = new_model()
    config = model.config()
    model.decoder[1] = nn.ReLU()
    monkeypatch.setattr(VAE, "config", lambda _: config)  # as config() was
    run(model, epochs=1, checkpoint=tmp_path / "file")
    with pytest.raises(ValueError, match="networks, a prior or a class of its own: build it as before"):
        train.load(tmp_path / "file")


CHANGES = {
    "prior of a VAE": ({"model": lambda: new_model(prior=Plain(1.0))}, {"model": lambda: new_model(prior=Plain(5.0))}),
    "prior's own number": ({"model": lambda: new_model(prior=Wide(1.0))}, {"model": lambda: new_model(prior=Wide())}),
    "prior of parts": ({"model": composed}, {"model": lambda: composed(prior=5.0)}),
    "no prior": ({"model": composed}, {"model": lambda: composed(prior=None)}),
    "likelihood's own number": ({"model": composed}, {"model": lambda: composed(sd=0.1)}),
    "likelihood's own function": ({"model": composed}, {"model": lambda: composed(link=torch.sigmoid)}),
    "frozen": ({"model": frozen}, {"model": new_model}),
    "lr of a group": ({"optimizer": grouped()}, {"optimizer": grouped(lr=1e-5)}),
    "weight_decay of a group": ({"optimizer": grouped()}, {"optimizer": grouped(weight_decay=0.5)}),
    "schedule in a schedule": ({"schedule": sequence(0.9)}, {"schedule": sequence(0.1)}),
    "number in a function": ({"schedule": powers(0.9)}, {"schedule": powers(0.1)}),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_history_is_of_one_model_and_one_run(tmp_path, change):
    """What the weights do not tell; and the same run, made anew, is the same."""

    def go_on(epochs, model=new_model, **options):
        return run(model(), epochs=epochs, checkpoint=tmp_path / "file", **({"binarise": False} | options))

    before, after = CHANGES[change]
    go_on(1, **before)
    with pytest.raises(ValueError, match="belongs to another run: (model|optimizer|schedule) was .* and is now"):
        go_on(2, **after)
    assert len(go_on(2, **before)[1].epochs) == 2


def test_a_file_of_a_version_that_wrote_less_loads_and_is_not_gone_on_with(tmp_path, monkeypatch):
    of_model = description.of_model
    less = lambda model: {key: of_model(model)[key] for key in ("class", "networks", "dtype", "config")}
    with monkeypatch.context() as patched:
        patched.setattr(description, "of_model", less)
        model, _ = run(epochs=1, checkpoint=tmp_path / "file")
    assert same(train.load(tmp_path / "file"), model)
    with pytest.raises(ValueError, match="belongs to another run: model was {'attributes': null.*Name another file"):
        run(checkpoint=tmp_path / "file")


def test_what_has_changed_is_named_alone(tmp_path):
    run(composed(), epochs=1, checkpoint=tmp_path / "file")
    with pytest.raises(ValueError, match="run: model was {'attributes': {'likelihood.sd': '1.0'}} and is now {'attrib"):
        run(composed(sd=0.1), checkpoint=tmp_path / "file")


@pytest.mark.parametrize("schedule", [decay, lambda epoch: 0.9**epoch, functools.partial(pow, 0.9)])
def test_no_address_is_in_a_description(schedule):
    """Another process has others."""
    optimizer = torch.optim.SGD(new_model().parameters(), lr=0.1)
    said = description.of_schedule(torch.optim.lr_scheduler.LambdaLR(optimizer, [schedule]))
    assert "0x" not in said and "lr_lambdas" in said
    model = composed(prior=Plain(1.0), link=schedule)
    model.posterior.anything = (schedule, torch.nn, object(), X, model, {"of": Normal(0.0, 1.0)}, threading.Lock(), run)
    model.prior.itself = model.prior
    assert "0x" not in str(description.of_model(model)) and "object at" not in str(description.of_model(model))


def test_a_lambda_is_known_by_its_code_where_there_is_no_text():
    one, same_code, other = (eval(f"lambda epoch: {factor} ** epoch") for factor in (0.9, 0.9, 0.1))
    assert description.words(one) == description.words(same_code) != description.words(other)
