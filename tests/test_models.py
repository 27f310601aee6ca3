"""The VAE's densities against torch.distributions, the fused likelihood against the plain one, bad input."""

import copy

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Independent, Normal

from vaecourse import bernoulli
from vaecourse.models import VAE

M, K, B, L = 3, 2, 4, 5


@pytest.fixture(params=["bernoulli", "gaussian"])
def model(request):
    torch.manual_seed(0)
    return VAE(data_dim=9, latent_dim=L, hidden=(7, 6), likelihood=request.param).double()


@pytest.fixture
def x():
    return torch.rand(B, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).round()


def test_log_weights_are_joint_minus_q(model, x):
    if model.likelihood == "gaussian":
        model.log_noise.data.fill_(-0.4)
    eps = model.noise(x, M, K, torch.Generator().manual_seed(2))
    mean, log_std = model.encode(x)
    z = mean + log_std.exp() * eps
    zero = torch.zeros((), dtype=torch.float64)
    prior = Independent(Normal(zero.expand(L), 1.0), 1).log_prob(z)
    pixels = Bernoulli(logits=model.decoder(z)) if model.likelihood == "bernoulli" else None
    pixels = pixels or Normal(model.decoder(z), model.log_noise.exp())
    q = Independent(Normal(mean, log_std.exp()), 1)
    expected = prior + Independent(pixels, 1).log_prob(x) - q.log_prob(z)
    log_w = model.log_weights(x, M, K, torch.Generator().manual_seed(2))
    assert log_w.shape == (M, K, B)
    torch.testing.assert_close(log_w, expected)


def test_without_the_score_only_the_path_through_z_is_left(model, x):
    eps = model.noise(x, M, K)
    (z, kept), (_, dropped) = model.draw(x, eps), model.draw(x, eps, keeps_score=False)
    torch.testing.assert_close(kept, dropped)
    mean, log_std = model.encode(x)
    fixed = Independent(Normal(mean.detach(), log_std.detach().exp()), 1).log_prob(z)
    parameters = list(model.phi().values())
    for one, other in zip(
        torch.autograd.grad(dropped.sum(), parameters),
        torch.autograd.grad(fixed.sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_theta_and_phi_share_out_all_parameters(model):
    assert sorted([*model.theta(), *model.phi()]) == sorted(name for name, _ in model.named_parameters())
    assert all(name.startswith("encoder") for name in model.phi())


def test_samples_and_decoded_means(model):
    samples = model.sample(6, torch.Generator().manual_seed(0))
    assert samples.shape == (6, 9)
    assert model.decode(torch.zeros(2, 3, L, dtype=torch.float64)).shape == (2, 3, 9)
    if model.likelihood == "bernoulli":
        assert ((samples >= 0) & (samples <= 1)).all()


def test_config_builds_the_model_again(model, x):
    again = VAE(**model.config()).double()
    again.load_state_dict(model.state_dict())
    torch.testing.assert_close(
        *(m.log_weights(x, M, K, torch.Generator().manual_seed(3)) for m in (model, again)),
        rtol=0,
        atol=0,
    )


def test_pixel_means_start_the_decoder():
    means = torch.tensor([0.0, 0.25, 0.5, 1.0])
    model = VAE(4, 1, hidden=()).start_at_pixel_means(means)
    torch.testing.assert_close(model.decode(torch.zeros(1)), means.clamp(0.001, 0.999))


@pytest.mark.parametrize("D", [1, 64, 101, 784])
@pytest.mark.parametrize("batch", [1, 3, 300])
def test_fused_likelihood_is_the_plain_one(D, batch):
    generator = torch.Generator().manual_seed(0)
    h = (5 * torch.randn(M, K, batch, 6, generator=generator)).double().requires_grad_()
    x = torch.rand(batch, D, generator=generator).double()
    head, seed = (
        nn.Linear(6, D).double(),
        torch.randn(M, K, batch, generator=generator).double(),
    )
    plain_head, plain_h = copy.deepcopy(head), h.detach().clone().requires_grad_()
    fused, plain = (
        bernoulli.linear_log_likelihood(head, h, x),
        bernoulli.log_likelihood(plain_head(plain_h), x),
    )
    (fused * seed).sum().backward()
    (plain * seed).sum().backward()
    torch.testing.assert_close(fused, plain)
    for mine, theirs in [
        (h, plain_h),
        (head.weight, plain_head.weight),
        (head.bias, plain_head.bias),
    ]:
        torch.testing.assert_close(mine.grad, theirs.grad)
    with torch.no_grad():
        torch.testing.assert_close(bernoulli.linear_log_likelihood(head, h, x), plain.detach())


@pytest.mark.parametrize("logit", [-1e4, -200.0, -20.0, 0.0, 20.0, 200.0, 1e4])
def test_fused_likelihood_at_extreme_logits_in_float32(logit):
    head = nn.Linear(1, 98)
    with torch.no_grad():
        head.weight.fill_(logit)
        head.bias.zero_()
    h, x = torch.ones(1, 2, 1), torch.tensor([0.0, 1.0])[:, None].expand(2, 98)
    value = bernoulli.linear_log_likelihood(head, h, x)
    expected = Bernoulli(logits=torch.tensor(logit).double()).log_prob(x.double()).sum(-1)
    torch.testing.assert_close(value[0].double(), expected, rtol=1e-5, atol=1e-4)
    value.sum().backward()
    assert head.weight.grad.isfinite().all()


def test_a_data_gradient_is_not_lost():
    model, x = VAE(9, 2), torch.full((1, 9), 0.5, requires_grad=True)
    model.log_weights(x, 1, 2).sum().backward()
    assert x.grad.abs().min() > 0


@pytest.mark.parametrize(
    "error, call, message",
    [
        (ValueError, lambda: VAE(0, 2), "data_dim must be at least 1, got 0"),
        (ValueError, lambda: VAE(4, 0), "latent_dim must be at least 1"),
        (ValueError, lambda: VAE(4, 2, hidden=(3, 0)), "hidden must be at least 1"),
        (
            ValueError,
            lambda: VAE(4, 2, likelihood="bernouli"),
            "Did you mean 'bernoulli'",
        ),
        (
            ValueError,
            lambda: VAE(4, 2).log_weights(torch.zeros(3, 5), 1, 1),
            "data_dim = 4 columns",
        ),
        (
            ValueError,
            lambda: VAE(4, 2).log_weights(torch.zeros(3), 1, 1),
            "x must have the 2 axes",
        ),
        (
            ValueError,
            lambda: VAE(4, 2).log_weights(torch.full((3, 4), 1.5), 1, 1),
            r"x must lie in \[0, 1\]",
        ),
        (
            ValueError,
            lambda: VAE(4, 2).log_weights(torch.full((3, 4), torch.nan), 1, 1),
            "x contains NaN",
        ),
        (
            TypeError,
            lambda: VAE(4, 2).log_weights(torch.zeros(3, 4, dtype=torch.int), 1, 1),
            "floating-point",
        ),
        (
            TypeError,
            lambda: VAE(4, 2).log_weights([[0.0]], 1, 1),
            "must be a torch.Tensor",
        ),
        (
            ValueError,
            lambda: VAE(4, 2).log_weights(torch.zeros(3, 4), 0, 1),
            "M must be at least 1, got 0",
        ),
        (
            ValueError,
            lambda: VAE(4, 2).log_weights(torch.zeros(3, 4), 1, 0),
            "K must be at least 1, got 0",
        ),
        (TypeError, lambda: VAE(4, 2, encoder=nn.Linear(4, 4)).config(), "built-in"),
    ],
)
def test_bad_input_is_told_in_a_sentence(error, call, message):
    with pytest.raises(error, match=message):
        call()


class _Tripled(nn.Linear):
    def forward(self, h):
        return 3 * super().forward(h)


class _TripledStack(nn.Sequential):
    def forward(self, z):
        return 3 * super().forward(z)


def _hooked(stack, where):
    where(stack).register_forward_hook(lambda module, given, out: 3 * out)
    return stack


@pytest.mark.parametrize(
    "decoder",
    [
        nn.Sequential(nn.Linear(2, 4), _Tripled(4, 7)),
        _TripledStack(nn.Linear(2, 4), nn.Linear(4, 7)),
        _hooked(nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 7)), lambda stack: stack),
        _hooked(nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 7)), lambda stack: stack[-1]),
    ],
    ids=["own Linear", "own Sequential", "hook on the stack", "hook on the head"],
)
def test_a_given_decoder_is_called_whole_if_it_does_more_than_its_layers(decoder):
    model = VAE(7, 2, decoder=decoder)
    x, z = torch.rand(5, 7), torch.randn(3, 5, 2)
    torch.testing.assert_close(model.log_likelihood(x, z), bernoulli.log_likelihood(decoder(z), x))


def test_a_given_network_without_layers_is_kept():
    """An empty Sequential, the identity, counts as false."""
    identity = nn.Sequential()
    assert VAE(2, 2, likelihood="gaussian", decoder=identity).decoder is identity


def test_half_precision_does_not_lose_the_likelihood():
    """A hundred factors of 1/2 underflow in float16."""
    model, x, z = VAE(100, 2, (11,)).half(), torch.rand(3, 100).half(), torch.zeros(1, 3, 2).half()
    torch.testing.assert_close(model.log_likelihood(x, z), bernoulli.log_likelihood(model.decoder(z), x))


def test_log_weights_under_autocast():
    model, x = VAE(7, 2, (11,)), torch.rand(5, 7)
    with torch.autocast("cpu", torch.bfloat16):
        assert model.log_weights(x, 2, 3).isfinite().all()


def test_second_derivatives_of_the_fused_likelihood():
    head, h, x = nn.Linear(5, 7).double(), torch.randn(2, 3, 5).double().requires_grad_(), torch.rand(3, 7).double()

    def fused(h, weight, bias):
        return bernoulli._LinearLogLikelihood.apply(h, weight, bias, x)

    assert torch.autograd.gradgradcheck(fused, (h, head.weight, head.bias))


def test_networks_of_the_wrong_width_are_refused():
    """A width of 1 would broadcast, and train to nonsense."""
    x = torch.zeros(5, 7)
    for width in (1, 3, 8):
        model = VAE(7, 2, encoder=torch.nn.Linear(7, width))
        with pytest.raises(ValueError, match=f"encoder must give 2 latent_dim = 4 numbers for each point, got {width}"):
            model.log_weights(x, M=2, K=3)
    for likelihood in ("bernoulli", "gaussian"):
        for decoder in (torch.nn.Linear(2, 1), torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))):
            model = VAE(7, 2, likelihood=likelihood, decoder=decoder)
            with pytest.raises(ValueError, match="decoder must give data_dim = 7 numbers for each point, got 1"):
                model.log_weights(x, M=2, K=3)
            with pytest.raises(ValueError, match="decoder must give data_dim = 7"):
                model.sample(3)


def test_an_encoder_that_gives_another_axis_is_refused():
    """[B, 1, 2 L] would broadcast against [M, K, B] where K is B."""
    model, x = VAE(7, 2, encoder=nn.Sequential(nn.Linear(7, 4), nn.Unflatten(0, (-1, 1)))), torch.zeros(5, 7)
    for use in (lambda: model.log_weights(x, M=2, K=5), lambda: model.draw(x, model.noise(x, 2, 5))):
        with pytest.raises(ValueError, match=r"encoder must give one row .*, \[5, 4\], got shape \[5, 1, 4\]"):
            use()


class Wide(nn.Module):
    """A prior N(0, 25 I), without a parameter; ``sums`` over what it is given."""

    def __init__(self, sums=lambda each: each.sum(-1)):
        super().__init__()
        self.sums = sums

    def log_prob(self, z):
        return self.sums(Normal(0.0, 5.0).log_prob(z))


@pytest.mark.parametrize("sums", [lambda each: each.sum(), lambda each: each.sum(-1)[0, 0], lambda each: each])
def test_a_prior_of_the_wrong_shape_is_refused(sums):
    """It would broadcast."""
    model = VAE(7, 2, prior=Wide(sums))
    with pytest.raises(ValueError, match=r"prior must give one log_prob for each sample, of shape \[3, 2, 5\], got \["):
        model.log_weights(torch.zeros(5, 7), M=3, K=2)


def _exchanged():
    for name, other in [("decoder", nn.ReLU()), ("encoder", nn.Dropout(0.5))]:
        model = VAE(7, 2, (6,))
        getattr(model, name)[1] = other
        yield model
    for part, other in [("prior", Wide()), ("prior", Normal(0.0, 5.0)), ("decoder", nn.Linear(2, 7))]:
        model = VAE(7, 2, (6,))
        if part == "prior" and not isinstance(other, nn.Module):
            del model.prior
        setattr(model, part, other)
        yield model
    model = VAE(7, 2, (6,))
    nn.utils.parametrizations.weight_norm(model.decoder[0])
    yield model


@pytest.mark.parametrize("model", list(_exchanged()), ids=lambda model: "")
def test_config_refuses_a_model_whose_networks_are_other_ones_by_now(model):
    with pytest.raises(TypeError, match="describes only a VAE whose encoder, decoder and prior are the built-in ones"):
        model.config()


def test_config_describes_networks_that_are_the_built_in_ones_wherever_they_were_made():
    model = VAE(7, 2, (6,))
    given = VAE(7, 2, (6,), encoder=model.encoder, decoder=model.decoder, prior=model.prior)
    assert given.config() == model.config()


def test_a_decoder_of_whose_calls_more_is_known_is_called():
    """The fused likelihood takes the last layer's numbers and not its call; here the call is another."""
    torch.manual_seed(0)
    model, x, z = VAE(6, 2, (5,)), torch.rand(4, 6).round(), torch.randn(3, 4, 2)
    head = model.decoder[-1]
    usual = model.log_likelihood(x, z)
    twice = bernoulli.log_likelihood(2 * model.decoder(z), x)
    head.forward = lambda h: 2 * nn.functional.linear(h, head.weight, head.bias)
    torch.testing.assert_close(model.log_likelihood(x, z), twice)
    del head.forward
    hook = nn.modules.module.register_module_forward_hook(lambda layer, _, out: 2 * out if layer is head else out)
    torch.testing.assert_close(model.log_likelihood(x, z), twice)
    hook.remove()
    torch.testing.assert_close(model.log_likelihood(x, z), usual)
