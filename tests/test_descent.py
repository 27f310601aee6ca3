"""One seeded start, one finite check, one step: what they do, and that all trainings of the package go through them."""

import ast
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.tools.test_architecture import PACKAGE
from vaecourse import data, descent, objectives, train
from vaecourse.exact import LaplaceMixture
from vaecourse.hierarchical import learn, samplers, toy
from vaecourse.labs.cockpit import TrainingCockpit
from vaecourse.reproduce.ensemble import Ensemble
from vaecourse.reproduce.training import train_ensemble


def test_a_seed_decides_what_is_drawn_and_leaves_the_generator_alone():
    before = torch.get_rng_state()
    drawn = []
    for seed in (3, 3, 4):
        with descent.seeded(seed):
            drawn.append(nn.Linear(5, 4).weight)
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    assert torch.equal(torch.get_rng_state(), before)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        assert torch.equal(nn.Linear(5, 4).weight, drawn[0])
    with descent.seeded(3, gpus=True):
        assert torch.equal(nn.Linear(5, 4).weight, drawn[0])
    assert torch.equal(torch.get_rng_state(), before)


def test_gpus_are_seeded_only_if_asked_for(monkeypatch):
    seeded = []
    monkeypatch.setattr(torch, "manual_seed", seeded.append)
    with descent.seeded(3):
        pass
    assert seeded == []
    with descent.seeded(3, gpus=True):
        pass
    assert seeded == [3]


@pytest.mark.parametrize("seed, error", [(-1, ValueError), (0.5, TypeError), (True, TypeError), (2**63, ValueError)])
def test_what_is_no_seed_is_refused_and_the_generator_left_alone(seed, error):
    before = torch.get_rng_state()
    with pytest.raises(error, match="seed must be"), descent.seeded(seed):
        pytest.fail("the block ran")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_one_entry_that_is_not_finite_is_seen_and_no_step_taken(bad):
    weights = [nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(1))]
    optimizer = torch.optim.SGD(weights, lr=0.1)

    def backward():
        (weights[0].sum() + weights[1].sum()).backward()  # the last weight has no gradient
        weights[1].grad[1, 0] = bad

    with pytest.raises(FloatingPointError, match=r"^the gradient has entries that are not finite\.$"):
        descent.step(optimizer, weights, backward)
    assert all((weight == 1).all() for weight in weights)
    descent.step(optimizer, weights, lambda: (weights[0].sum() + weights[1].sum()).backward())
    assert [weight.mean().item() for weight in weights] == pytest.approx([0.9, 0.9, 1.0])


def test_a_sparse_gradient_is_looked_at_too():
    table = nn.Embedding(5, 2, sparse=True)
    optimizer, before = torch.optim.SGD(table.parameters(), lr=0.1), table.weight.detach().clone()
    descent.step(optimizer, table.parameters(), lambda: table(torch.tensor([1, 3])).sum().backward())
    assert (table.weight != before).any(1).tolist() == [False, True, False, True, False]
    with pytest.raises(FloatingPointError, match="the gradient has entries that are not finite"):
        descent.step(optimizer, table.parameters(), lambda: (math.inf * table(torch.tensor([0])).sum()).backward())


def test_a_step_forgets_the_gradient_before_it_and_returns_what_backward_does():
    weight = nn.Parameter(torch.tensor(2.0))
    weight.grad = torch.tensor(100.0)
    optimizer = torch.optim.SGD([weight], lr=0.25)
    assert descent.step(optimizer, [weight], lambda: (weight**2).backward() or "done") == "done"
    assert weight.item() == 1.0


def test_a_guarded_step_is_adams_and_skips_what_is_not_finite():
    weights = [nn.Parameter(torch.tensor([2.0, 3.0])) for _ in range(2)]
    guarded, plain = (torch.optim.Adam([weight], 0.1, fused=True) for weight in weights)
    guard = descent.Guard(guarded, [weights[0]])

    def gives(weight, slope):
        return lambda: (weight * torch.tensor(slope)).sum().backward() or "done"

    for slope in ([1.0, -1.0], [0.5, 2.0]):
        assert guard.step(gives(weights[0], slope)) == "done"
        descent.step(plain, [weights[1]], gives(weights[1], slope))
    guard.checked()
    assert torch.equal(*weights) and not torch.equal(weights[0], torch.tensor([2.0, 3.0]))
    before = weights[0].detach().clone()
    for slope in ([1.0, math.nan], [1.0, 1.0]):  # the good one after it changes nothing either
        guard.step(gives(weights[0], slope))
    assert torch.equal(weights[0].detach(), before)
    with pytest.raises(FloatingPointError, match="the gradient has entries that are not finite"):
        guard.checked()


# Every training of the package ---------------------------------------------------------------------------------------


def poisoned(module, at=1):
    """The first weight's gradient is inf from the step ``at`` on; the weights are given back, to be looked at."""
    calls = []

    def poison(gradient):
        calls.append(1)
        return gradient * math.inf if len(calls) >= at else gradient

    next(iter(module.parameters())).register_hook(poison)
    return list(module.parameters())


def fit():
    model = train.untrained(data.digits())
    return poisoned(model, 2), lambda: train.fit(model, data.digits(), "iwae", 1, 2, 1, progress=False, device="cpu")


def learned():
    tau = toy.untrained()
    return poisoned(tau, 2), lambda: learn(LaplaceMixture(3), tau, 5)


def sampler():
    made = []
    far = replace(samplers.TARGETS["X"], log_unnormalised=lambda z: (z * math.inf).sum(-1))
    watch = lambda step, fitted: made or made.extend(fitted.sampler.parameters())
    return made, lambda: samplers.fit(far, 1, steps=3, watch=watch)


def ensemble():
    models = Ensemble([train.untrained(data.digits(), seed) for seed in range(2)])
    row = objectives.get("iwae")
    return poisoned(models, 2), lambda: train_ensemble(models, data.digits().train[:60], row, 1, 2, [1e-3], (0, 1))


def lab():
    trainer = TrainingCockpit().begin(0)
    settings = {control.name: control.default for control in TrainingCockpit().controls}
    return poisoned(trainer.model, 2), lambda: [trainer.step(settings) for _ in range(3)]


@pytest.mark.parametrize("training", [fit, learned, sampler, ensemble, lab])
def test_no_training_takes_a_step_along_a_gradient_that_is_not_finite(training):
    weights, run = training()
    with pytest.raises(FloatingPointError, match="the gradient has entries that are not finite"):
        run()
    assert weights and all(weight.isfinite().all() for weight in weights)


MAY = {
    "descent.py": "here they are",
    "hierarchical/samplers.py": "L-BFGS asks for the gradient itself, as often as it likes",
    "checkpoint/__init__.py": "an optimizer's copy is tried; nobody's layer draws what it draws",
    "composition.py": "seeded by a generator, where a distribution draws",
    "checks/trying.py": "a learner's function",
    "checks/chapter_01/training_step.py": "what a learner writes there, and forgets",
}


def test_the_package_has_one_step_and_one_seeded_start():
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("zero_grad", "fork_rng"):
                if ast.unparse(node) not in ("self.model.zero_grad",):  # the cockpit measures gradients
                    found.setdefault(str(file.relative_to(PACKAGE)), []).append(ast.unparse(node))
    assert found.keys() == MAY.keys(), found
