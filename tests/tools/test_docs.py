"""The examples of the pages for contributors are real: each lab lives, each check knows its mistakes."""

import re
import sys
import textwrap
import types

import pytest
import torch

from tools.chapter import ROOT
from vaecourse import checks


def examples(page):
    """The Python blocks of a page under docs/."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / page).read_text(), flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def labs():
    """The two modules of adding-a-lab.md."""
    made = []
    for number, source in enumerate(examples("adding-a-lab.md")):
        module = types.ModuleType(f"example_{number}")
        sys.modules[module.__name__] = module
        exec(compile(source, f"adding-a-lab.md, example {number}", "exec"), module.__dict__)
        made.append(module)
    yield made
    for module in made:
        del sys.modules[module.__name__]


def test_the_lab_lives_and_says_its_numbers(labs):
    lab = labs[0].WeightCurve().live()
    seen = {lab.sentence.value}
    for width in (0.2, 1.0, 2.0):
        lab.controls["width"].value = width
        assert lab.error is None
        seen.add(lab.sentence.value)
    assert len(seen) == 4 and len({lab.image.value for lab.controls["width"].value in (0.2, 2.0)}) == 2
    for preset in lab.presets:
        lab.apply(preset)
        assert lab.error is None
    assert lab.still()


def test_its_elbo_is_the_mean_of_its_curve_under_q(labs):
    model, x, mean, _ = labs[0].exact.reference(torch.float64)
    data = labs[0].WeightCurve().compute(0.4)
    q = torch.distributions.Normal(mean[0, 0], data.width).log_prob(labs[0].Z).exp()
    assert torch.trapezoid(q * data.log_w, labs[0].Z).item() == pytest.approx(data.elbo, abs=1e-3)
    assert data.log_likelihood == pytest.approx(model.log_likelihood(x).item())


def test_the_lab_that_trains_climbs_and_is_kept(labs, tmp_path):
    lab = labs[1].LiveBound().live()
    assert "Not trained yet, K = 1" in lab.sentence.value
    lab.controls["K"].value = 8
    lab.step(30)
    assert lab.error is None and "After 30 steps the bound of K = 8" in lab.sentence.value
    _, values = lab.trainer.curve("bound")
    assert values[-1] > values[0] + 1
    before = lab.sentence.value
    lab.save(tmp_path / "file")
    lab.reset()
    lab.load(tmp_path / "file")
    assert lab.sentence.value == before
    lab.close()


def test_the_check_knows_its_answer_and_its_mistakes():
    (source,) = examples("adding-an-exercise.md")
    example = {}
    exec(compile(source, "adding-an-exercise.md, example", "exec"), example)
    check = example["check"]
    assert check.name in checks.ALL and check(check.solution).passed and len(check.mistakes) == 2
    for mistake in check.mistakes:
        verdict = check(mistake.answer)
        assert not verdict.passed and mistake.message in str(verdict)


def test_what_a_seed_fixes():
    """The page's example, and its row on threads: two epochs differ by less than it says for thirty."""
    page = (ROOT / "docs/same-seed.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"^    import torch\n(?:^    .*\n|^\n)+", page, re.MULTILINE)
    threads = torch.get_num_threads()
    try:
        space = {}
        exec(textwrap.dedent(source), space)
        digits, train = space["digits"], space["train"]
        ends = []
        for number in (1, 2):
            torch.set_num_threads(number)
            model = train.untrained(digits, seed=0)
            train.fit(model, digits, "iwae", 1, 8, epochs=2, seed=0, device="cpu", progress=False)
            ends.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
        assert (ends[0] - ends[1]).abs().max() < 1e-6
    finally:
        torch.set_num_threads(threads)
