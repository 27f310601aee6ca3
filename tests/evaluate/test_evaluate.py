"""Evaluation against a VAE that is an exact linear Gaussian model, against bounds on the same noise, and in memory."""

import math
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Categorical, Independent, MixtureSameFamily, Normal
from torch.utils.data import DataLoader, TensorDataset

from tests.stats import assert_mean, assert_not_mean
from vaecourse import arguments, bounds, evaluate, exact, objectives
from vaecourse.exact import LinearGaussian
from vaecourse.hierarchical.vae import HierarchicalVAE
from vaecourse.latent import LatentVariableModel, mode
from vaecourse.models import VAE

D, L = 4, 2


@pytest.fixture
def linear():
    """A VAE without hidden layers is probabilistic PCA: the model, its exact twin, data, and q's mean and std."""
    torch.manual_seed(0)
    model = VAE(D, L, hidden=(), likelihood="gaussian").double()
    model.log_noise.data.fill_(-0.3)
    twin = LinearGaussian(model.decoder[0].weight.data, math.exp(-0.6), model.decoder[0].bias.data)
    x, _ = twin.sample(7, torch.Generator().manual_seed(1))
    encoder = model.encoder[0]  # the exact posterior, half a unit off and 1.2 times as wide
    encoder.weight.data[:L] = (twin.weight @ twin.covariance / twin.noise_variance).T
    encoder.bias.data[:L] = 0.3
    encoder.weight.data[L:] = 0
    encoder.bias.data[L:] = twin.covariance.diagonal().sqrt().mul(1.2).log()
    return model, twin, x


@pytest.fixture
def vae():
    torch.manual_seed(2)
    return VAE(9, 3, hidden=(7, 6)), torch.rand(11, 9).round()


@pytest.mark.parametrize("K, chunk", [(1, 3), (6, 2), (7, 3), (5, 50)])
def test_exp_of_it_is_unbiased_for_p_of_x(linear, K, chunk):
    """E[exp(L_K)] = p(x) for every K and every chunk: a chunk counted twice, or a wrong log K, would show."""
    model, twin, x = linear
    many = x[:3].repeat(20_000, 1)
    estimates = evaluate.log_likelihood(model, many, K, torch.Generator().manual_seed(3), chunk, batch_size=4096)
    ratio = (estimates.view(-1, 3) - twin.log_likelihood(x[:3])).exp()
    assert_mean(ratio, 1.0)
    assert_not_mean(ratio, (K + 1) / K if K < 7 else 1.1)


def test_at_5000_samples_it_is_log_p(linear):
    model, twin, x = linear
    mean, log_std = model.encode(x)
    bias = twin.chi_squared(x, mean, log_std.exp()).max() / 10_000
    runs = torch.stack(
        [evaluate.log_likelihood(model, x, generator=torch.Generator().manual_seed(s)) for s in range(30)]
    )
    assert bias < 1e-3
    assert_mean(runs + bias.item(), twin.log_likelihood(x))


def test_one_chunk_is_the_iwae_bound_on_the_same_noise(vae):
    model, x = vae
    value = evaluate.log_likelihood(model, x, 13, torch.Generator().manual_seed(4), chunk=13, batch_size=11)
    with torch.no_grad():
        expected = bounds.iwae(model.log_weights(x, 1, 13, torch.Generator().manual_seed(4)))
    torch.testing.assert_close(value, expected, rtol=3e-7, atol=0)  # sums in float64 against sums in float32


def test_chunks_are_the_iwae_bound_of_their_weights_together(vae):
    model, x = vae
    value = evaluate.log_likelihood(model, x, 13, torch.Generator().manual_seed(4), chunk=5, batch_size=4)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for start in range(0, 11, 4):
            points = x[start : start + 4]
            log_w = torch.cat([model.log_weights(points, 1, k, generator) for k in (5, 5, 3)], 1)
            torch.testing.assert_close(value[start : start + 4], bounds.iwae(log_w))


def test_each_point_is_encoded_once_and_no_gradient_is_kept(vae):
    model, x = vae
    encoded = []
    model.encoder.register_forward_hook(lambda module, given, result: encoded.append(len(given[0])))
    value = evaluate.log_likelihood(model, x, 100, chunk=7, batch_size=4)
    assert sum(encoded) == len(x) and not value.requires_grad


def test_no_more_than_a_chunk_of_a_group_is_in_the_decoder(vae):
    model, x = vae
    rows = []
    model.decoder[0].register_forward_hook(lambda module, given, result: rows.append(result[..., 0].numel()))
    for K in (50, 500):
        evaluate.log_likelihood(model, x, K, chunk=7, batch_size=4)
    assert max(rows) == 28


def test_the_mode_of_the_model_comes_back(vae):
    model, x = vae
    for training in (True, False):
        model.train(training)
        evaluate.log_likelihood(model, x, 3)
        assert model.training is training
    model.train()
    with pytest.raises(ValueError):
        evaluate.log_likelihood(model, x + 1)
    assert model.training


@pytest.mark.parametrize("name", objectives.TABLE)
def test_bound_is_the_row_on_the_same_noise(vae, name):
    model, x = vae
    value = evaluate.bound(model, x, name, M=3, K=2, generator=torch.Generator().manual_seed(5), batch_size=11)
    with torch.no_grad():
        log_w = model.log_weights(x, 3, 2, torch.Generator().manual_seed(5))
    assert torch.equal(value, objectives.get(name).value(log_w))
    assert evaluate.bound(model, x, name, M=3, K=2, batch_size=4).shape == (11,)


def test_the_bound_of_an_exact_model_is_its_elbo(linear):
    model, twin, x = linear
    mean, log_std = model.encode(x)
    noise = torch.Generator().manual_seed(6)
    runs = torch.stack([evaluate.bound(model, x, generator=noise) for _ in range(500)])
    assert_mean(runs, twin.elbo(x, mean, log_std.exp()))
    assert_not_mean(runs, twin.log_likelihood(x))


def test_active_units_are_those_whose_mean_moves():
    """Three units: one follows x, one moves with variance below the threshold, one stands still."""
    model = VAE(3, 3, hidden=())
    x = torch.rand(5000, 3, generator=torch.Generator().manual_seed(7)).round()  # variance 1/4 each
    model.encoder[0].weight.data = torch.cat([torch.diag(torch.tensor([1.0, 0.18, 0.0])), torch.ones(3, 3)])
    variance = x.var(0) * torch.tensor([1.0, 0.18**2, 0.0])
    torch.testing.assert_close(evaluate.activity(model, x, batch_size=37), variance)
    assert evaluate.active_units(model, x) == 1
    assert evaluate.active_units(model, x, threshold=0.005) == 2
    assert evaluate.active_units(model, x, threshold=0.0) == 2


def test_mutual_information_is_that_of_the_mixture(linear):
    """Against torch.distributions: the mean over points of KL(q(z | x_b) || q(z)), each KL by many draws."""
    model, _, x = linear
    mean, log_std = (part.detach() for part in model.encode(x))
    parts = Independent(Normal(mean, log_std.exp()), 1)
    whole = MixtureSameFamily(Categorical(torch.ones(len(x))), parts)
    torch.manual_seed(8)
    z = parts.sample((20_000,))
    draws = (parts.log_prob(z) - whole.log_prob(z)).mean(1)
    truth, error = draws.mean(), draws.std() / len(draws) ** 0.5
    noise = torch.Generator().manual_seed(9)
    runs = torch.tensor([evaluate.mutual_information(model, x, 10, noise, batch_size=3) for _ in range(100)])
    z_score = (runs.mean() - truth) / (error**2 + runs.var() / len(runs)).sqrt()
    assert z_score.abs() < 4
    assert_not_mean(runs, truth + 0.1)


def test_mutual_information_from_nothing_to_log_B():
    model = VAE(3, 2, hidden=())
    x = torch.eye(3)
    model.encoder[0].weight.data.zero_()
    assert abs(evaluate.mutual_information(model, x)) < 1e-12  # the same q for every x
    model.encoder[0].weight.data[:2] = 50 * torch.tensor([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]])
    assert abs(evaluate.mutual_information(model, x) - math.log(3)) < 1e-9  # q's that never meet: log B


@pytest.mark.parametrize(
    "call, error, said",
    [
        (lambda m, x: evaluate.log_likelihood(m, x, K=0), ValueError, "K must be at least 1, got 0"),
        (lambda m, x: evaluate.log_likelihood(m, x, K=1.5), TypeError, "K must be a whole number, got 1.5"),
        (lambda m, x: evaluate.log_likelihood(m, x, chunk=0), ValueError, "chunk must be at least 1, got 0"),
        (lambda m, x: evaluate.log_likelihood(m, x, batch_size=0), ValueError, "batch_size must be at least 1, got 0"),
        (
            lambda m, x: evaluate.log_likelihood(m, x[0]),
            ValueError,
            r"x must have the 2 axes \[B, D\], got shape \[9\]",
        ),
        (lambda m, x: evaluate.log_likelihood(m, x[:, :5]), ValueError, r"x must have data_dim = 9.*\[11, 5\]"),
        (lambda m, x: evaluate.log_likelihood(m, 2 * x), ValueError, r"x must lie in \[0, 1\].*to 2"),
        (lambda m, x: evaluate.log_likelihood(m, x / 0), ValueError, "x contains NaN"),
        (lambda m, x: evaluate.bound(m, x, "iwea"), ValueError, "objective must be .*'iwea'.*'iwae'"),
        (lambda m, x: evaluate.bound(m, x, M=0), ValueError, "M must be at least 1, got 0"),
        (lambda m, x: evaluate.bound(m, x, K=0), ValueError, "K must be at least 1, got 0"),
        (lambda m, x: evaluate.active_units(m, x, -1), ValueError, r"threshold must lie in \[0, inf\), got -1"),
        (lambda m, x: evaluate.active_units(m, x[:1]), ValueError, "x must hold at least 2 points.*got 1"),
        (lambda m, x: evaluate.mutual_information(m, x, 0), ValueError, "samples must be at least 1, got 0"),
    ],
)
def test_bad_input_is_told(vae, call, error, said):
    with pytest.raises(error, match=said):
        call(*vae)


# Any model, any data ------------------------------------------------------------------------------------------------


class Images(LatentVariableModel):
    """p(x | z) of images [B, 1, 4, 4] with two latent variables, in nothing but the methods that a subclass owes."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Conv2d(1, 2, 4), nn.Linear(2, 16)

    def noise(self, x, M, K, generator=None):
        return torch.randn(M, K, len(x), 2, generator=generator, dtype=x.dtype)

    def draw(self, x, eps, keeps_score=True):
        mean = self.encoder(x).flatten(1)
        return (mean + eps).chunk(2, -1), Independent(Normal(torch.zeros(2), 1.0), 1).log_prob(eps)

    def log_joint(self, x, z):
        z = torch.cat(z, -1)
        pixels = Independent(Bernoulli(logits=self.decoder(z).unflatten(-1, (1, 4, 4))), 3)
        return Independent(Normal(torch.zeros(2), 1.0), 1).log_prob(z) + pixels.log_prob(x)


class Given(LatentVariableModel):
    """A model without a parameter, which says the same number for every sample, in the type that it is told."""

    def __init__(self, log_w=-90.0, dtype=torch.float32, shape=None):
        super().__init__()
        self.log_w, self.dtype, self.shape = log_w, dtype, shape

    def noise(self, x, M, K, generator=None):
        return torch.zeros(M, K, len(x), 1)

    def weigh(self, x):
        return lambda eps: torch.full(self.shape or eps.shape[:3], self.log_w, dtype=self.dtype)


@pytest.fixture
def images():
    torch.manual_seed(3)
    return Images(), torch.rand(7, 1, 4, 4).round()


def test_images_and_several_latent_variables(images):
    model, x = images
    value = evaluate.log_likelihood(model, x, 50, torch.Generator().manual_seed(4), chunk=50, batch_size=7)
    with torch.no_grad():
        log_w = model.log_weights(x, 1, 50, torch.Generator().manual_seed(4))
    torch.testing.assert_close(value, bounds.iwae(log_w))
    assert evaluate.bound(model, x, "miwae", M=2, K=3, batch_size=2).shape == (7,)


BATCHES = {
    "list": lambda x: list(x.split(4)),
    "labelled": lambda x: [(part, torch.zeros(len(part))) for part in x.split(4)],
    "generator": lambda x: (part for part in x.split(4)),
    "loader": lambda x: DataLoader(TensorDataset(x), batch_size=4),
    "labelled loader": lambda x: DataLoader(TensorDataset(x, torch.arange(len(x))), batch_size=4),
}


@pytest.mark.parametrize("kind", BATCHES)
def test_batches_of_any_kind_are_the_tensor(images, vae, kind):
    for model, x in (images, vae):
        seeded = lambda: torch.Generator().manual_seed(5)
        batches = lambda x=x: BATCHES[kind](x)
        whole = evaluate.log_likelihood(model, x, 20, seeded(), batch_size=4)
        assert torch.equal(evaluate.log_likelihood(model, batches(), 20, seeded(), batch_size=4), whole)
        whole = evaluate.bound(model, x, "iwae", 1, 3, seeded(), batch_size=2)
        assert torch.equal(evaluate.bound(model, batches(), "iwae", 1, 3, seeded(), batch_size=2), whole)
    model, x = vae
    torch.testing.assert_close(evaluate.activity(model, batches()), evaluate.activity(model, x))
    assert evaluate.active_units(model, batches()) == evaluate.active_units(model, x)
    runs = [evaluate.mutual_information(model, data, 3, seeded(), batch_size=4) for data in (batches(), x)]
    assert runs[0] == runs[1]


class Masked(Given):
    def weigh(self, x):
        x, mask = x
        return lambda eps: (x * mask).sum(-1).expand(eps.shape[:3])

    def noise(self, x, M, K, generator=None):
        return torch.zeros(M, K, len(x[0]), 1)


def test_a_batch_may_be_a_pair_that_the_model_takes_whole():
    x, mask = torch.rand(7, 3), torch.rand(7, 3).round()
    expected = (x * mask).sum(-1)
    loader = DataLoader(TensorDataset(x, mask), batch_size=4)
    for data in ((x, mask), (((x, mask),) for x, mask in loader), [([x, mask], "label")]):
        torch.testing.assert_close(evaluate.log_likelihood(Masked(), data, 10, batch_size=3), expected)


def test_batches_are_forgotten_one_by_one(vae):
    """No more than two are alive: the one in use, and the one that comes."""
    model, _ = vae
    seen, most = [], 0

    def batches():
        nonlocal most
        for _ in range(10):
            batch = torch.rand(11, 9).round()
            seen.append(weakref.ref(batch))
            most = max(most, sum(one() is not None for one in seen))
            yield batch

    for measure in (evaluate.log_likelihood, evaluate.bound, evaluate.activity):
        keywords = {"K": 3} if measure is not evaluate.activity else {}
        measure(model, batches(), batch_size=5, **keywords)
    assert most <= 2


# Modes and types ----------------------------------------------------------------------------------------------------


def test_every_layer_keeps_its_own_mode(vae):
    """An encoder frozen by ``.eval()`` stays so: ``model.train(was)`` would wake it."""
    model, x = vae
    model.train()
    model.encoder.eval()
    before = [layer.training for layer in model.modules()]
    calls = [
        lambda: evaluate.log_likelihood(model, x, 3),
        lambda: evaluate.bound(model, x, "iwae", K=3),
        lambda: evaluate.activity(model, x),
        lambda: evaluate.mutual_information(model, x, 1),
        lambda: evaluate.log_likelihood(model, [x, 2 * x], 3),
    ]
    inside = []
    model.encoder.register_forward_hook(
        lambda layer, given, out: inside.append(any(m.training for m in model.modules()))
    )
    for call in calls:
        try:
            call()
        except ValueError:
            assert call is calls[-1]
        assert [layer.training for layer in model.modules()] == before
    assert inside and not any(inside)


def test_mode_sets_and_restores():
    net = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    net[1].eval()
    with mode(net, training=True):
        assert all(layer.training for layer in net.modules())
    assert [layer.training for layer in net.modules()] == [True, True, False, False]
    with mode(object(), training=False):
        pass


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("K, chunk", [(1, 1), (5000, 100), (20_000, 7)])
def test_sums_are_exact_whatever_the_type_of_the_weights(dtype, K, chunk):
    """5000 equal weights of -90 nats: a sum in bfloat16 stands still at some nats below."""
    value = evaluate.log_likelihood(Given(dtype=dtype), torch.zeros(3, 2), K, chunk=chunk)
    assert value.dtype == torch.promote_types(dtype, torch.float32)
    assert (value + 90).abs().max() < 1e-5
    assert evaluate.bound(Given(dtype=dtype), torch.zeros(3, 2), "iwae", K=64).dtype == value.dtype


def test_weights_of_zero_in_a_chunk_are_zero():
    assert (evaluate.log_likelihood(Given(-math.inf), torch.zeros(3, 2), 20, chunk=6) == -math.inf).all()


def test_activity_of_a_large_mean_does_not_cancel():
    model = VAE(2, 1, hidden=(), encoder=nn.Linear(2, 2)).double()
    with torch.no_grad():
        model.encoder.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
        model.encoder.bias.fill_(1e7)
    x = torch.rand(500, 2, dtype=torch.float64)
    expected = model.encode(x)[0].detach().var(0)
    torch.testing.assert_close(evaluate.activity(model, x, batch_size=37), expected, rtol=1e-7, atol=0)
    half = VAE(9, 3).bfloat16()
    assert evaluate.activity(half, torch.rand(20, 9).round().bfloat16()).dtype == torch.float32


@pytest.mark.parametrize("log_std", [-3.0, -14.0, -20.0, -30.0])
def test_mutual_information_of_narrow_codes_is_log_of_their_number(log_std):
    """Each point twice: of six codes there are three, so log 3, however narrow they are."""
    model = VAE(3, 2, hidden=()).double()
    with torch.no_grad():
        model.encoder[0].weight.zero_()
        model.encoder[0].weight[:2] = torch.tensor([[3.0, 0.0, -1.0], [0.0, 3.0, -1.0]])
        model.encoder[0].bias[2:] = log_std
    x = torch.eye(3, dtype=torch.float64).repeat(2, 1)
    noise = torch.Generator().manual_seed(6)
    assert abs(evaluate.mutual_information(model, x, 20, noise) - math.log(3)) < 1e-5


# What is refused, and how -------------------------------------------------------------------------------------------


class Flattening(nn.Module):
    """The convolutional habit: leading axes folded, and never unfolded."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 9)

    def forward(self, z):
        return self.layer(z.reshape(-1, 3))


@pytest.mark.parametrize("measure", [evaluate.log_likelihood, evaluate.bound])
def test_a_decoder_that_flattens_is_named(vae, measure):
    _, x = vae
    model = VAE(9, 3, decoder=Flattening())
    with pytest.raises(ValueError, match="decoder"):
        measure(model, x[:5], K=10, batch_size=1)
    said = r"\[M, K, B\] = \[1, 10, 1\], one number for each sample, got \[1, 10, 10\]: decoder.*flattens"
    with pytest.raises(ValueError, match=said):
        measure(Given(shape=(1, 10, 10)), x[:5], K=10, batch_size=1)


def test_a_type_that_is_not_the_models_is_told(vae):
    model, x = vae
    for given in (x.double(), torch.from_numpy(x.numpy().astype(np.float64))):
        for call in (evaluate.log_likelihood, evaluate.bound, evaluate.activity, evaluate.mutual_information):
            said = r"x must have the type of the model's parameters, torch.float32, got torch.float64: give x.float\(\)"
            with pytest.raises(TypeError, match=said):
                call(model, given)
    with pytest.raises(TypeError, match=r"torch.bfloat16, got torch.float32: give x.bfloat16\(\)"):
        evaluate.bound(VAE(9, 3).bfloat16(), x)
    with pytest.raises(RuntimeError, match="a failure of its own"):
        evaluate.bound(Broken(), x.double())


class Broken(Images):
    def noise(self, x, M, K, generator=None):
        raise RuntimeError("a failure of its own")


def test_a_model_without_parameters_is_evaluated():
    assert evaluate.log_likelihood(Given(), torch.zeros(3, 2), 10).shape == (3,)
    assert evaluate.bound(Given(), torch.zeros(3, 2), "iwae", K=10).shape == (3,)


@pytest.mark.parametrize("model", [exact.reference().model, nn.Linear(2, 2), None, 3])
def test_what_is_no_latent_variable_model_is_told(model):
    said = f"model must be a latent-variable model.*got {type(model).__name__}"
    for call in (evaluate.log_likelihood, evaluate.bound):
        with pytest.raises(TypeError, match=said):
            call(model, torch.zeros(3, 2))


def test_a_wrapped_model_is_told_where_it_is(vae):
    class Wrapped(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

    with pytest.raises(TypeError, match="got Wrapped, which does not. Give its .module."):
        evaluate.bound(Wrapped(vae[0]), vae[1])


@pytest.mark.parametrize("call", [evaluate.activity, evaluate.active_units, evaluate.mutual_information])
def test_measures_of_the_code_say_what_they_need(images, call):
    model, x = images
    needed = "model must have encode\\(x\\), the mean and the log standard deviation"
    with pytest.raises(TypeError, match=f"{needed}.*got Images without it"):
        call(model, x)
    with pytest.raises(TypeError, match="a hierarchical encoder has no mean"):
        call(HierarchicalVAE(9, 3), torch.zeros(4, 9))
    for answer, got in (
        (Normal(0.0, 1.0), "got Normal for B = 7"),
        ((torch.zeros(7, 2), torch.zeros(7, 3)), r"got \[7, 2\] and \[7, 3\]"),
        ((torch.zeros(7, 2),) * 3, r"got \[7, 2\] and \[7, 2\] and"),
        ((torch.zeros(3, 2),) * 2, r"got \[3, 2\] and \[3, 2\] for B = 7"),
        (((torch.zeros(7, 2),) * 2,) * 2, "got tuple and tuple"),
    ):
        model.encode = lambda x, answer=answer: answer
        with pytest.raises(TypeError, match=f"{needed}.*{got}"):
            call(model, x)


def test_batch_norm_and_a_batch_of_one_point(vae):
    """In evaluation mode it takes what it has learned; a layer that has learned nothing takes the batch."""
    _, x = vae
    for tracks in (True, False):
        net = nn.Sequential(nn.Linear(9, 6), nn.BatchNorm1d(6, track_running_stats=tracks))
        model = VAE(9, 3, encoder=net)
        if tracks:
            assert evaluate.bound(model, x, batch_size=10).shape == (11,)
        else:
            with pytest.raises(ValueError, match="x must hold several points.*BatchNorm.*Choose a batch_size"):
                evaluate.bound(model, x, batch_size=10)


@pytest.mark.parametrize(
    "data, error, said",
    [
        (np.zeros((3, 9)), TypeError, r"x must be a torch.Tensor .*got ndarray. torch.from_numpy\(x\).float\(\)"),
        (None, TypeError, r"x must be a torch.Tensor \[B, ...\] or an iterable of such batches, got NoneType"),
        ("x", TypeError, "x must be a torch.Tensor .*got str"),
        ({"x": torch.zeros(3, 9)}, TypeError, "x must be a torch.Tensor .*got dict"),
        (TensorDataset(torch.zeros(3, 9)), TypeError, "TensorDataset gives single points: put a DataLoader around it"),
        ([], ValueError, "x must hold at least one batch, got none"),
        (iter(()), ValueError, "x must hold at least one batch, got none"),
        ([torch.zeros(3, 9), 4.0], TypeError, "batch 2 of x must be a torch.Tensor .*got float"),
        ([{"x": 1}], TypeError, "batch 1 of x must be a torch.Tensor .*got dict"),
        ([torch.zeros(0, 9)], ValueError, r"batch 1 of x must have at least one entry along B, got shape \[0, 9\]"),
        (torch.zeros(()), ValueError, r"x must have at least one entry along B, got shape \[\]"),
        ((torch.zeros(3, 9), torch.zeros(4, 9)), ValueError, r"as many points in each of its tensors, got \[3, 4\]"),
    ],
)
def test_data_of_another_kind_are_told(vae, data, error, said):
    for call in (evaluate.log_likelihood, evaluate.bound, evaluate.activity, evaluate.mutual_information):
        with pytest.raises(error, match=said):
            call(vae[0], data)
        if hasattr(data, "__next__"):
            break


@pytest.mark.parametrize("call", [evaluate.activity, evaluate.active_units, evaluate.mutual_information])
def test_measures_of_the_code_refuse_what_is_not_finite(linear, call):
    """An encoder that ends in tanh makes a good code of an infinite x, and NaN > threshold is False."""
    model, _, x = linear
    for bad in (math.inf, -math.inf):
        spoilt = x.clone()
        spoilt[1, 2] = bad
        with pytest.raises(arguments.NotFinite, match="^x contains inf: it must be finite.$"):
            call(model, [x, spoilt])
    model.encode = lambda x: (x[:, :2] / 0, x[:, :2])
    with pytest.raises(arguments.NotFinite, match="^mean of q.z . x. contains (inf|NaN)"):
        call(model, x)
    model.encode = lambda x: (x[:, :2], x[:, :2] * math.nan)
    if call is evaluate.mutual_information:
        with pytest.raises(arguments.NotFinite, match="^log_std of q.z . x. contains NaN"):
            call(model, x)


@pytest.mark.parametrize(
    "bound, error, words",
    [
        (lambda log_w: log_w.logsumexp(1), ValueError, r"give one number for each point, \[B\] = \[7\], got \[3, 7\]"),
        (lambda log_w: log_w.mean(), ValueError, r"give one number for each point, \[B\] = \[7\], got \[\]"),
        (lambda log_w: 1.0, TypeError, "give one number for each point, a torch.Tensor, got float"),
        (lambda log_w: log_w.mean((0, 1)) * math.nan, arguments.NotFinite, "contains NaN"),
    ],
)
def test_a_bound_of_ones_own_is_one_number_for_each_point(linear, bound, error, words):
    model, _, x = linear
    row = objectives.Objective("own", bound, objectives.pooled, objectives.pooled)
    with pytest.raises(error, match=f"^the bound of 'own' .*{words}"):
        evaluate.bound(model, x, row, M=3, K=2)
