"""The numbers behind lab "08.cockpit": what the controls amount to, and the signal-to-noise it measures on the way."""

import copy

import pytest
import torch

from vaecourse import gradients
from vaecourse.labs import cockpit, info_trainer
from vaecourse.labs.cockpit import BUDGET, CockpitTrainer, TrainingCockpit, plan
from vaecourse.labs.info_trainer import DIVERGENCES
from vaecourse.labs.picture import Canvas

LAB = TrainingCockpit()
DEFAULTS = {control.name: control.default for control in LAB.controls}


def settings(**turned):
    return {**DEFAULTS, **turned}


def parameters(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


def finish(pieces):
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("objective", cockpit.OBJECTIVES)
def test_every_objective_trains_within_the_budget(objective):
    turned = settings(objective=objective, M=64, K=5, lambda_=7.0)
    now = plan(**turned)
    assert now.M * now.K <= BUDGET and "M = 64" in now.waits
    if objective != "infovae":
        assert (now.M, now.K) == (12, 5)
    trainer = CockpitTrainer(0)
    before = parameters(trainer)
    trainer.step(turned)
    assert not torch.equal(parameters(trainer), before)


INFO = ["InfoVAE's α", "λ", "divergence"]


@pytest.mark.parametrize(
    "objective, divergence, used",
    [
        ("elbo", "mmd-imq", ["K"]),
        ("ciwae", "mmd-imq", ["K", "β"]),
        ("vr_iwae", "mmd-imq", ["K", "β"]),
        ("infovae", "mmd-imq", [*INFO, "width"]),
        ("infovae", "stein", [*INFO, "width"]),
        ("infovae", "kl-minibatch", INFO),
        ("infovae", "js-adversarial", INFO),
    ],
)
def test_what_is_not_in_use_is_said(objective, divergence, used):
    waits = plan(**settings(objective=objective, divergence=divergence)).waits.replace(divergence, "divergence")
    for name in ("K", "β", "InfoVAE's α", "λ", "divergence", "width"):
        assert (name in waits) == (name not in used)


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_infovae_has_few_codes_however_far_M_is_turned(divergence):
    """The square of 64 M codes: at M = 64 a step would take seconds, and nothing could be answered."""
    now = plan(**settings(objective="infovae", M=64, divergence=divergence))
    assert now.M == cockpit.CODES and f"M = 64 (M is at most {cockpit.CODES})" in now.waits
    CockpitTrainer(0).step(settings(objective="infovae", M=64, divergence=divergence, lambda_=5.0))


def test_the_width_reaches_the_kernel():
    given = [plan(**settings(objective="infovae", divergence=name, width=3.0)).loss for name in ("mmd-rbf", "mmd-imq")]
    assert given[0].objective.parameters["bandwidth"] == 3.0 and given[1].objective.parameters["scale"] == 18.0
    usual = [info_trainer.loss(name, 0.0, 1.0, DEFAULTS["width"]).objective for name in ("mmd-rbf", "mmd-imq")]
    assert usual[0].parameters["bandwidth"] == pytest.approx(2**0.5)  # what the package takes if none is given
    assert usual[1].parameters["scale"] == pytest.approx(4.0)


def test_beta_reaches_the_objective():
    assert plan(**settings(objective="ciwae", beta=0.2)).row.parameters == {"beta": 0.2}
    assert plan(**settings(objective="vr_iwae", beta=0.2)).row.parameters == {"alpha": 0.2}


@pytest.mark.parametrize("turned", [{"objective": "miwae", "M": 3, "K": 4}, {"objective": "dreg", "K": 7}])
def test_signal_to_noise_is_that_of_the_package(turned):
    """The same noise gives the same ratios, by another road: gradients one after the other, against vmap."""
    trainer, now = CockpitTrainer(1).train(settings(), 5), plan(**settings(**turned))
    encoder, decoder = finish(trainer.signal(now, torch.Generator().manual_seed(9)))
    expected = gradients.signal_to_noise(
        trainer.model, trainer.few, now.row, now.M, now.K, cockpit.DRAWS, torch.Generator().manual_seed(9)
    )
    assert encoder == pytest.approx(expected.phi.nan_to_num(0.0).mean().item(), rel=2e-3)
    assert decoder == pytest.approx(expected.theta.nan_to_num(0.0).mean().item(), rel=2e-3)


def test_many_samples_drown_the_encoder_and_miwae_rescues_it():
    trainer = CockpitTrainer(0).train(settings(), 80)
    found = {}
    for name in ("VAE", "drown the encoder", "rescue it with MIWAE"):
        now = plan(**settings(**LAB.presets[name]))
        found[name] = finish(trainer.signal(now, torch.Generator().manual_seed(0)))
    assert found["drown the encoder"][0] < 2 * cockpit.FLOOR
    assert found["rescue it with MIWAE"][0] > 1.5 * found["drown the encoder"][0]
    assert found["drown the encoder"][1] > 2 * found["VAE"][1]


def test_collapse_and_rescue():
    """Saved is not only the code but the model: log p(x) comes back, too."""
    trainer = CockpitTrainer(0).train(settings(**LAB.presets["collapse it"]), 120)
    assert trainer.latest("rate") < 0.3
    collapsed = trainer.latest("log_p")
    trainer.train(settings(**LAB.presets["save it with MMD"]), 240)
    assert trainer.latest("rate") > 1.0 and trainer.latest("log_p") > collapsed + 0.7


def test_a_large_lambda_drowns_a_collapsed_encoder():
    """The codes are on the prior: of MMD^2 there is little but noise, and it is most of the gradient."""
    trainer = CockpitTrainer(0).train(settings(**LAB.presets["collapse it"]), 120)
    found = {}
    for lambda_ in (1.0, 200.0):
        now, noise = plan(**settings(objective="infovae", alpha=1.0, lambda_=lambda_)), torch.Generator().manual_seed(5)
        drawn = []
        for _ in range(20):
            trainer.model.zero_grad()
            trainer._fill(trainer.few, now, noise, learns=False)
            drawn.append(torch.cat([p.grad.flatten() for p in trainer.model.phi().values()]))
        found[lambda_] = torch.stack(drawn).std(0).norm().item()
    assert found[200.0] > 50 * found[1.0]


def test_it_goes_on_to_the_same_bits(tmp_path):
    drown, rescue = (settings(**LAB.presets[name]) for name in ("drown the encoder", "rescue it with MIWAE"))
    whole = CockpitTrainer(2).train(drown, 40).train(rescue, 5)
    CockpitTrainer(2).train(drown, 40).save(tmp_path / "half", rescue)
    half = CockpitTrainer(0)
    assert half.load(tmp_path / "half") == rescue
    half.train(rescue, 5)
    assert torch.equal(parameters(whole), parameters(half)) and whole.history == half.history


def everything(trainer):
    """All numbers that the next step depends on."""
    module, optimizer = trainer.saved_parts()
    kept = [*module.state_dict().values(), trainer.random.get_state()]
    return [kept, [s for state in optimizer.state_dict()["state"].values() for s in state.values()]]


@pytest.mark.parametrize("divergence", ["mmd-imq", "js-adversarial"])
def test_measuring_and_looking_change_nothing(divergence):
    """The critic above all, which learns whenever it is asked in a step."""
    turned = settings(objective="infovae", alpha=1.0, lambda_=50.0, divergence=divergence)
    trainer = CockpitTrainer(0).train(turned, 3)
    before = copy.deepcopy(everything(trainer))
    finish(trainer.measure(turned))
    LAB.look(trainer, turned)
    torch.testing.assert_close(everything(trainer), before, rtol=0, atol=0)


def test_nothing_that_a_control_or_a_training_does_draws_all_anew(monkeypatch):
    """All anew takes five times as long: the longest that a control may wait."""
    lab, drawn = LAB.live(), []
    keep = Canvas._keep_background
    monkeypatch.setattr(Canvas, "_keep_background", lambda canvas: (drawn.append(1), keep(canvas))[1])
    for name in [*LAB.presets, "VAE"]:
        lab.apply(name)
        lab.trainer.steps += 150  # the axis must double
        with torch.no_grad():
            for parameter in lab.trainer.model.phi().values():
                parameter.mul_(1.5)  # and so must the window of the codes
        lab.flush()
    assert not drawn and lab.error is None and lab.experiment._scatter.reach > 4
    lab.close()
