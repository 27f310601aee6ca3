"""The threshold of collapse against linear VAEs that climb their exact objective, and against pPCA's own likelihood."""

import pytest
import torch

from vaecourse import exact

EIGENVALUES = torch.tensor([2.7, 0.9, 0.3], dtype=torch.float64)


def climbed(eigenvalues, noise_variance, beta):
    """The KL of each unit of a linear VAE with a diagonal encoder, by gradients, from a start that favours none."""
    D = len(eigenvalues)
    draw = torch.Generator().manual_seed(1)
    turn = torch.linalg.qr(torch.randn(D, D, generator=draw, dtype=torch.float64))[0]
    S = turn @ torch.diag(eigenvalues) @ turn.T
    W, V = (0.3 * torch.randn(D, D, generator=draw, dtype=torch.float64) for _ in range(2))
    log_std = torch.zeros(D, dtype=torch.float64)
    parts = [part.requires_grad_() for part in (W, V, log_std)]

    def loss():
        R = torch.eye(D, dtype=torch.float64) - W @ V
        error = (R @ S * R).sum() + (W * log_std.exp()).square().sum()
        return error / (2 * noise_variance) + beta * kl().sum()

    def kl():
        return 0.5 * ((V @ S * V).sum(1) + (2 * log_std).exp() - 1 - 2 * log_std)

    climber = torch.optim.LBFGS(
        parts, max_iter=2000, tolerance_grad=1e-12, tolerance_change=1e-15, line_search_fn="strong_wolfe"
    )

    def closure():
        climber.zero_grad()
        value = loss()
        value.backward()
        return value

    climber.step(closure)
    return kl().detach().sort(descending=True).values


@pytest.mark.parametrize("noise_variance, beta", [(0.1, 1.0), (0.2, 3.0), (0.5, 1.0), (0.5, 0.5), (3.0, 1.0)])
def test_a_linear_vae_ends_there(noise_variance, beta):
    kl = exact.unit_kl(EIGENVALUES, noise_variance, beta)
    assert torch.allclose(climbed(EIGENVALUES, noise_variance, beta), kl, atol=1e-3)
    assert ((kl > 0) == (EIGENVALUES > beta * noise_variance)).all()


def test_it_is_what_the_best_ppca_tells_of_its_data():
    """W = sqrt(lambda - s2): the mutual information of x and z is the sum, and no other length of W is likelier."""
    model = exact.LinearGaussian((EIGENVALUES - 0.2).sqrt().diag(), 0.2)
    information = exact.Information.of(model)
    assert exact.unit_kl(EIGENVALUES, 0.2).sum().item() == pytest.approx(information.mutual_information().item())
    x = torch.cat([EIGENVALUES.sqrt().diag(), -EIGENVALUES.sqrt().diag()]) * 3**0.5  # of this covariance
    best = model.log_likelihood(x).mean()
    for factor in (0.98, 1.02):
        for unit in range(3):
            weight = model.weight.clone()
            weight[unit] *= factor
            assert exact.LinearGaussian(weight, 0.2).log_likelihood(x).mean() < best


def test_refusals():
    with pytest.raises(ValueError, match="eigenvalues must not be negative"):
        exact.unit_kl(torch.tensor([1.0, -0.1]), 0.5)
    with pytest.raises(ValueError, match="noise_variance"):
        exact.unit_kl(EIGENVALUES, 0.0)
    with pytest.raises(ValueError, match="beta"):
        exact.unit_kl(EIGENVALUES, 0.5, -1.0)
