"""What a latent-variable model gives of itself: log-weights from its parts, its modes, and what it lacks."""

import pytest
import torch
from torch import nn

from vaecourse import exact, latent
from vaecourse.latent import LatentVariableModel
from vaecourse.models import VAE

M, K, B, D, L = 2, 3, 5, 4, 2
X = torch.rand(B, D, generator=torch.Generator().manual_seed(0))


def seeded(seed=1):
    return torch.Generator().manual_seed(seed)


def new_model():
    torch.manual_seed(1)
    return VAE(D, L, hidden=(6,))


def test_log_weights_are_the_two_densities_at_the_samples():
    model = new_model()
    z, log_q = model.propose(X, M, K, generator=seeded())
    assert z.shape == (M, K, B, L) and log_q.shape == (M, K, B)
    log_w = model.log_joint(X, z) - log_q
    torch.testing.assert_close(model.log_weights(X, M, K, seeded()), log_w)
    torch.testing.assert_close(model.weigher(X)(M, K, seeded()), log_w)
    log_p, of_forward = model(X, model.noise(X, M, K, seeded()))
    torch.testing.assert_close(log_p - of_forward, log_w)


def test_a_propose_of_its_own_is_what_weighs():
    class Shifted(VAE):
        def propose(self, x, M, K, keeps_score=True, generator=None):
            z, log_q = super().propose(x, M, K, keeps_score, generator)
            return z, log_q - 1.0

    model = Shifted(D, L, hidden=(6,))
    plain = VAE(D, L, hidden=(6,))
    plain.load_state_dict(model.state_dict())
    torch.testing.assert_close(model.log_weights(X, M, K, seeded()), plain.log_weights(X, M, K, seeded()) + 1.0)
    assert latent.has_own(model, "propose", LatentVariableModel) and not latent.has_own(
        plain, "propose", LatentVariableModel
    )


def test_what_is_missing_is_named():
    class Empty(LatentVariableModel):
        pass

    for method in ("theta", "phi"):
        with pytest.raises(NotImplementedError, match=rf"^model must have {method}\(\), .*: Empty has none.$"):
            getattr(Empty(), method)()
    with pytest.raises(
        NotImplementedError, match="^model must have noise.*or propose, which draws them itself: Empty has none"
    ):
        Empty().propose(X, M, K)


def test_parts_of_one_and_of_several():
    x, y = torch.zeros(2), torch.ones(3)
    assert latent.parts(x) == (x,) and latent.parts((x, y)) == (x, y)
    doubled = latent.each_part((x, (y, y)), lambda part: part + 1)
    assert doubled[0].tolist() == [1, 1] and doubled[1][1].tolist() == [2, 2, 2]
    assert latent.each_part(y, len) == 3


def test_noise_is_of_the_generator_or_of_pytorch():
    like = torch.zeros(1, dtype=torch.float64)
    one = latent.standard_normal((4, 2), like, seeded(3))
    assert one.dtype == torch.float64 and torch.equal(one, latent.standard_normal((4, 2), like, seeded(3)))
    torch.manual_seed(3)
    free = latent.standard_normal((4, 2), like)
    assert free.shape == (4, 2) and not torch.equal(free, latent.standard_normal((4, 2), like))


def test_every_layer_comes_back_in_the_mode_it_had():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.Linear(2, 1))
    model.train()
    model[1].eval()
    with pytest.raises(KeyError), latent.mode(model, training=False):
        assert not any(layer.training for layer in model.modules())
        raise KeyError
    assert [layer.training for layer in model] == [True, False, True] and model.training


def test_the_reference_case_is_such_a_model():
    case = exact.reference()
    assert isinstance(case, LatentVariableModel)
    assert set(case.phi()).isdisjoint(case.theta()) and case.log_weights(case.x, M, K, seeded()).shape[:2] == (M, K)
