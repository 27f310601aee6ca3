# %% [markdown] slideshow={"slide_type": "slide"}
# # The ELBO: a bound, and the name of its gap
#
# When you leave this page you will be able to
#
# * **derive** the ELBO in two ways, and name its gap in one line;
# * **compute** it from log-weights, and hold it against an exact answer;
# * **say** what training the encoder does, and what training the decoder does;
# * **train** a VAE on digits and take its gap apart;
# * **predict** when its code $z$ dies, and **find** three bugs, one of which stands word for word in a well-known collection.
#
# You need chapter 00, expectations, the Gaussian density, a little PyTorch.
#
# **Part 1: reading 40 minutes, doing 40 minutes. Part 2: reading 35 minutes, doing 30 minutes.** Running everything takes about a minute; the cells that train say how long.

# %% slideshow={"slide_type": "skip"}
import math

import matplotlib.pyplot as plt
import torch
from torch.distributions import Bernoulli, MultivariateNormal, Normal, kl_divergence
from tqdm import tqdm

from vaecourse import bounds, checks, data, exact, labs, plots, train

plots.use_style()


def seeded(seed):
    """A source of noise that is the same on every run."""
    return torch.Generator().manual_seed(seed)


def standard_normal(*shape, seed):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)

# %% [markdown] slideshow={"slide_type": "skip"} tags=["recall"]
# ## Before you begin: two questions from before
#
# **1 · (from 00)** ELBO, MIWAE and IWAE are estimated from the same weights. In which order do they come out, for every draw?
#
# <details><summary>A · Any order: the draws are random</summary>
#
# Each of the three is random. But on the *same* weights their order is fixed, by Jensen's inequality.
#
# </details>
#
# <details><summary>B · ELBO ≤ MIWAE ≤ IWAE</summary>
#
# Right. The logarithm is concave, so averaging more before it never lowers the value. (With $M = 1$ the last two are one.)
#
# </details>
#
# <details><summary>C · IWAE ≤ MIWAE ≤ ELBO</summary>
#
# IWAE averages all weights before its one logarithm. That never lowers the value.
#
# </details>
#
# **2 · (from 00)** Every `log_w` lies near $-800$. What does `log_w.exp().mean(1).log()` give?
#
# <details><summary>A · Minus infinity, everywhere</summary>
#
# Right. A float cannot hold $e^{-800}$: it is 0, and so is the mean. `logsumexp` takes the largest log-weight out first.
#
# </details>
#
# <details><summary>B · About −800, up to an error of rounding</summary>
#
# That is what the formula says. The computer has lost every weight before it takes the logarithm.
#
# </details>
#
# <details><summary>C · An error, because exp cannot take −800</summary>
#
# `exp` takes any number, and it rounds the result to 0 without a word. This is what makes the slip dangerous.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Predict, drag, explain
#
# A hidden number $z$ was drawn from the **prior** $p(z) = N(0, 1)$. You saw $x = 1.3$, a noisy reading of $1.5\,z$ with
# noise variance 0.7. You bet on where $z$ was by naming a Gaussian $q$, its mean and its width (standard deviation). The
# score of your bet is called the **ELBO**, the orange bar. Guess before you drag; the lab asks for a part of the second:
#
# 1. Can any $q$ score above the dashed line on the right, $\log p(x)$?
# 2. With the centre right, which costs more: a $q$ half as wide as it should be, or one twice as wide?
# 3. You move $q$ until the orange bar is as high as it goes. What does $q$ look like then?
#
# All numbers of this course are in **nats**, the unit of the natural logarithm.

# %% slideshow={"slide_type": "subslide"} mystnb={"image": {"alt": "Four states of the lab. Left, the prior, the exact posterior and q; right, four bars in nats: reconstruction, minus KL to the prior, the ELBO, plus KL to the posterior. The last bar always ends at the dashed line, log p(x) = -1.75, whatever q is."}}
labs.ALL["01.gap"]()

# %% [markdown] slideshow={"slide_type": "fragment"}
# Section 2 says why the picture is as it is; the green and the grey bar wait for section 5.
#
# <details><summary>What came out</summary>
#
# Whatever you do to $q$, the purple bar stands on the orange one and ends at the dashed line.
#
# 1. No. The best is to touch it.
# 2. Twice as wide costs 0.807 nats, half as wide 0.318. With the centre right and a width $\rho$ times the posterior's, the
#    cost is $\tfrac12 (\rho^2 - 1) - \log \rho$. It grows like $\rho^2$ when $q$ is wide and only like $-\log \rho$ when it is narrow:
#    *this* score forgives a narrow bet.
# 3. It lies on the black dashed curve, the **posterior** $p(z \mid x)$: where $z$ can have been, given $x$.
#
# </details>

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
cost = lambda rho: 0.5 * (rho**2 - 1) - math.log(rho)
assert round(cost(2.0), 3) == 0.807 and round(cost(0.5), 3) == 0.318

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **For the teacher, 5 minutes.** Let everyone write the three guesses before anyone touches the lab; ask for hands on question 2, most
# people say "too narrow". Press *too narrow*, then *too wide*. Then *the prior*: the grey bar is 0, the purple bar is
# large. End on *exact posterior*. Leave the "why" open; sections 1 and 2 answer it.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The cast
#
# | symbol | what it is |
# |---|---|
# | $x$ | one data point, $D$ numbers; we see it |
# | $z$ | its **code** or latent variable, $L$ numbers; nobody sees it |
# | $p(z)$ | the prior, here $N(0, I)$ |
# | $p_\theta(x \mid z)$ | the **decoder**: how $x$ comes about from $z$; $\theta$ are its parameters |
# | $p_\theta(x) = \int p(z)\, p_\theta(x \mid z)\, dz$ | the **evidence**: how likely the model finds $x$ |
# | $p_\theta(z \mid x)$ | the **posterior**, what an encoder would be if it knew everything |
# | $q_\phi(z \mid x)$ | the **encoder**: our approximation of the posterior; $\phi$ are its parameters |
#
# We want $\theta$ with large $\log p_\theta(x)$. The integral is in the way: for a neural network nobody can do it.
# **Variational inference** bounds what it cannot integrate. A **variational autoencoder** (VAE) does so with networks for
# encoder and decoder. A diffusion model is built on the same bound: its codes $z_1, \dots, z_T$ are as large as $x$, its encoder is
# fixed, a little more noise at each step, and only its decoder learns (DDPM, Ho et al. 2020).
#
# In this chapter's small model the integral *can* be done. So every estimate can be laid beside the truth.
#
# **Other priors** (*may wait*). Of a prior the bound asks two things only: draws, and $\log p(z)$.
#
# | prior | what of it is learned |
# |---|---|
# | $N(0, I)$, as here | nothing |
# | a mixture of Gaussians | shares, means and widths; codes may fall into groups |
# | the *VampPrior*, the mean of the encoder's answers to made-up inputs (Tomczak and Welling 2018; chapter 07) | these inputs |
# | a *flow*, $N(0, I)$ through an invertible network (Rezende and Mohamed 2015, there for $q$) | the network |
# | a chain $z_T \to \dots \to z_1$ | each step's decoder |

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1 · First route: Jensen over importance weights
#
# Multiply and divide by $q$ under the integral:
#
# $$p(x) = \int q(z \mid x)\, \frac{p(x, z)}{q(z \mid x)}\, dz = E_{q}[w], \qquad w = \frac{p(x, z)}{q(z \mid x)} .$$
#
# $w$ is an **importance weight**. So $p(x)$ is a plain average over draws of $q$, whatever $q$ is (as long as it misses no
# place where $p(x, z) > 0$; chapter 02). Take logs. The logarithm is concave, so by Jensen's inequality
#
# $$\log p(x) = \log E_q[w] \;\ge\; E_q[\log w] =: \text{ELBO} .$$
#
# > **Jensen, in two lines.** The logarithm lies below each of its tangents: $\log w \le \log c + (w - c)/c$ for every $c > 0$. Put
# > $c = E[w]$ and take means: $E[\log w] \le \log E[w]$, and equality needs $w = c$ always.
# >
# > **Two conditions that point in opposite directions.** If $q$ *misses* places where $p(x, z) > 0$, then $E_q[w] < p(x)$: the average
# > is no longer $p(x)$, and the bound holds all the more. If $q$ has mass where $p(x, z) = 0$, the average does not mind, and
# > the ELBO is $-\infty$.
#
# The right side is the *evidence lower bound*. Its estimate is a mean of **log-weights**. Their tensor is the currency of
# this course: `log_w[M, K, B]`, with $M$ estimates of $K$ samples for each of $B$ data points.

# %% slideshow={"slide_type": "subslide"}
# The lab's model, its x, and a q that is off. x is [B, D], mean and std of q [B, L].
model, x, mean, std = exact.reference(torch.float64)  # here B = D = L = 1

M, K = 200, 1000
eps = standard_normal(M, K, 1, 1, seed=1)  # [M, K, B, L]
z = mean + std * eps  # draws from q: standard noise, scaled and shifted
log_q = Normal(mean, std).log_prob(z).sum(-1)  # [M, K, B]
log_w = model.log_joint(x, z) - log_q  # log p(x, z) - log q(z | x)
log_mean = log_w.exp().mean().log()

elbo, log_p = model.elbo(x, mean, std).item(), model.log_likelihood(x).item()
print(f"mean of log w     {log_w.mean():.4f}    exact ELBO      {elbo:.4f}")
print(f"log of mean of w  {log_mean:.4f}    exact log p(x)  {log_p:.4f}")

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert (round(elbo, 4), round(log_p, 4)) == (-2.3557, -1.7463)
half = standard_normal(100_000, 1, 1, 1, seed=5).abs()  # a q that misses z < 0
half_w = model.log_joint(x, half) - Normal(0.0, 1.0).log_prob(half).sum(-1) - math.log(2)
seen = 1 - Normal(model.posterior(x).mean, model.posterior(x).stddev).cdf(torch.zeros(1, dtype=torch.float64)).item()
assert seen < 0.92 and half_w.mean() < log_p
weighed = half_w.flatten().exp()
flat = log_w.flatten()
for estimate, truth in [(flat, elbo), (flat.exp(), math.exp(log_p)), (weighed, seen * math.exp(log_p))]:
    assert abs((estimate.mean() - truth) / (estimate.std() / len(estimate) ** 0.5)) < 4

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "Two histograms of log w. Left, for a q that is off, a broad skewed heap with a long tail to the left; its mean, the ELBO -2.36, lies left of the dashed exact log p(x) = -1.75. Right, for the posterior, a single bar exactly on the dashed line."}}
fig, axes = plt.subplots(1, 2, sharey=True)
at_posterior = model.log_weights(x, model.posterior(x).mean, model.posterior(x).stddev, 20, 100)
for ax, sample, title in zip(axes, [log_w, at_posterior],
                             ["q half a unit off, 1.3 times too wide", "q = the posterior"]):
    ax.hist(sample.flatten().numpy(), bins=torch.linspace(-7, -0.5, 40).numpy(), density=True, color=plots.Q, alpha=0.6)
    ax.axvline(sample.mean().item(), color=plots.ELBO, linewidth=3, label="mean of log w: the ELBO")
    plots.exact_line(ax, log_p, "log p(x), exact", vertical=True)
    ax.set(title=title, xlabel="log w (nats)", ylim=(0, 1.0), xlim=(-7, -0.5))
axes[0].legend(loc="upper left")
axes[0].set_ylabel("density")
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The picture shows: where $w$ varies, the mean of its logarithm falls behind the logarithm of its mean. On the right it
# does not vary, and nothing is lost.
#
# **When is Jensen's inequality an equality?** When $w$ is one constant $c$ everywhere: $p(x, z) = c\, q(z \mid x)$.
# Integrate both sides over $z$: $p(x) = c$. So $q(z \mid x) = p(x, z) / p(x) = p(z \mid x)$. The bound is tight for the
# posterior and for nothing else.

# %% slideshow={"slide_type": "skip"}
print(f"sd of log w for this q         {log_w.std():.2f}")
print(f"sd of log w for the posterior  {at_posterior.std():.2f}")
assert at_posterior.std() < 1e-12

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **For the teacher, 8 minutes.** Ask now: "Which of the two printed lines would change if I made $q$ wider?"
# Only the first, up to noise: the mean of $w$ is $p(x)$ for any $q$. Chapter 02 asks what its scatter costs. Have someone do the equality case at
# the board; "integrate both sides" is the only step.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 1 · The ELBO from log-weights (easy, 3 minutes)
#
# `log_w` has shape `[M, K, B]`: $M$ estimates, $K$ samples in each, $B$ data points. Return the estimate of the ELBO of
# each data point, shape `[B]`.
#
# <details><summary>Hint 1</summary>
#
# The ELBO is a mean of logarithms. What does `log_w` hold already?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# No exponential and no logarithm is left to take: a mean over the two axes that hold samples, 0 and 1.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def my_elbo(log_w):
    # Your line here.
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["01.elbo"](my_elbo)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def my_elbo(log_w):
    return log_w.mean((0, 1))


verdict = checks.ALL["01.elbo"](my_elbo)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2 · The gap has a name
#
# Write the joint the other way round, $p(x, z) = p(x)\, p(z \mid x)$, and put it into the log-weight:
#
# $$\log w = \log p(x) \;-\; \log \frac{q(z \mid x)}{p(z \mid x)} .$$
#
# The first term does not depend on $z$. Take the mean over $q$:
#
# $$\boxed{\;\log p(x) = \text{ELBO} + \mathrm{KL}\big(q(z \mid x) \,\|\, p(z \mid x)\big)\;}$$
#
# with the **Kullback-Leibler divergence** $\mathrm{KL}(a \,\|\, b) = E_a[\log a - \log b]$. It is never negative, by Jensen:
# $-\mathrm{KL} = E_a[\log (b/a)] \le \log E_a[b/a] \le \log 1 = 0$. No inequality is left in the box: it is an identity, for every
# $q$. Check it on five of them.

# %% slideshow={"slide_type": "subslide"}
posterior = model.posterior(x)
m, s = posterior.mean, posterior.stddev
print(f"{'q':18}{'ELBO':>9}{'KL(q, posterior)':>18}{'sum':>10}")
for name, mu, sigma in [
    ("posterior", m, s),
    ("half as wide", m, s / 2),
    ("twice as wide", m, 2 * s),
    ("one sd off", m + s, s),
    ("the prior", 0 * m, 0 * s + 1),
]:
    bound = model.elbo(x, mu, sigma).item()
    gap = kl_divergence(Normal(mu, sigma), Normal(m, s)).item()
    print(f"{name:18}{bound:9.4f}{gap:18.4f}{bound + gap:10.4f}")
    assert abs(bound + gap - log_p) < 1e-9

# %% [markdown] slideshow={"slide_type": "fragment"}
# The last column is $\log p(x) = -1.7463$ every time. Three things follow.
#
# - **It is a bound**, because a KL is never negative.
# - **For a fixed model, the encoder can only do one thing**: every nat the ELBO gains is a nat the KL to the posterior
#   loses. The ELBO cannot *show* you the gap, since $\log p(x)$ is unknown in a real model. Raising it over $\phi$ closes
#   the gap all the same.
# - **The encoder gets a direction.** $\log E_q[w]$ is the same for every $q$, so it cannot teach the encoder anything.
#   $E_q[\log w]$ can. (It is not the only way. Chapter 02 shows others, and what the gradient of each costs.)

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **For the teacher, 6 minutes.** Go back to the lab and drag $x$: now the dashed line moves, because $\log p(x)$ does. Ask: "The ELBO of a
# trained model went up by one nat. Is the encoder better or the model?" Nobody can tell from the ELBO alone. Section 6
# tells them apart.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 2 · The gap, line by line (pen and paper, medium, 4 minutes)
#
# The same identity by another way. Put its five lines in order.
#
# | | |
# |---|---|
# | **A** | $= E_q\left[\log \left(\frac{p(x, z)}{q(z \mid x)} \cdot \frac{q(z \mid x)}{p(z \mid x)}\right)\right]$ |
# | **B** | $= \text{ELBO} + \mathrm{KL}\big(q(z \mid x) \,\Vert\, p(z \mid x)\big)$ |
# | **C** | $\log p(x) = E_q\left[\log p(x)\right]$ |
# | **D** | $= E_q\left[\log \frac{p(x, z)}{q(z \mid x)}\right] + E_q\left[\log \frac{q(z \mid x)}{p(z \mid x)}\right]$ |
# | **E** | $= E_q\left[\log \frac{p(x, z)}{p(z \mid x)}\right]$ |
#
# <details><summary>Hint 1</summary>
#
# Only one line has a left side. Which one?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# After it, Bayes' rule puts a fraction in the place of p(x), and there is no q in that fraction. What has to happen before
# the logarithm can be split into one that names the ELBO and one that names the KL?
#
# </details>

# %% slideshow={"slide_type": "skip"} tags=["stub"]
lines = ...  # the letters in order, like "ABCDE"

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["01.gap_in_lines"](lines)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
lines = "CEADB"  # a constant; Bayes' rule; multiply and divide by q; split the logarithm; names

verdict = checks.ALL["01.gap_in_lines"](lines)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3 · Second route: two stories about the same pair
#
# Forget Jensen. There are two ways to make up a pair $(x, z)$:
#
# - **The data's story**: take $x$ from the data, then let the encoder name a $z$: $\; p_{\text{data}}(x)\, q(z \mid x)$.
# - **The model's story**: draw $z$ from the prior, then let the decoder make an $x$: $\; p(z)\, p(x \mid z)$.
#
# The two as graphs. The arrow is a conditional density: for a graphical model a table or a formula, for a VAE a **network**.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "Two graphs of the nodes x and z. Left, the data's story: an arrow from x to z, the encoder. Right, the model's story: an arrow from z to x, the decoder."}}
_, (left, right) = plt.subplots(1, 2, figsize=(9, 1.6))
plots.graph(left, {"x": (0, 0), "z": (2, 0)}, [("x", "z")], title="data first, then the encoder q(z | x)")
plots.graph(right, {"x": (0, 0), "z": (2, 0)}, [("z", "x")], title="prior first, then the decoder p(x | z)")
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The picture shows the same pair with its arrow turned round. Train both until the stories agree. The KL from the first joint to the second is
#
# $$\mathrm{KL}\big(p_{\text{data}}\, q \,\|\, p(x, z)\big)
#   = E_{p_{\text{data}}} E_{q} \log \frac{p_{\text{data}}(x)\, q(z \mid x)}{p(x, z)}
#   = E_{p_{\text{data}}} E_{q} \big[\log p_{\text{data}}(x) - \log w\big]
#   = -H(p_{\text{data}}) - E_{p_{\text{data}}}[\text{ELBO}(x)] .$$
#
# Here $H(p_{\text{data}}) = -E \log p_{\text{data}}(x)$ is the **entropy** of the data; no parameter changes it. So
# *minimising the joint KL is maximising the mean ELBO*: the second derivation (text 004 has it from Su 2018). It takes the data for a density. For a
# finite set of points of a continuous $x$ the joint KL is infinite whatever one trains; the mean ELBO over the points stays.
#
# Now with numbers, everything Gaussian: data $N(0, 2)$, encoder $N(0.6\,x,\ 0.6^2)$, and the model of the lab.

# %% slideshow={"slide_type": "subslide"}
v, a, r = 2.0, 0.6, 0.6  # p_data = N(0, v); encoder q(z | x) = N(a x, r^2)
W, noise = 1.5, 0.7  # the model of the lab


def story(var_x, cov, var_z):
    """Pairs (x, z) of these variances and this covariance."""
    matrix = torch.tensor([[var_x, cov], [cov, var_z]], dtype=torch.float64)
    return MultivariateNormal(torch.zeros(2, dtype=torch.float64), matrix)


data_story = story(v, a * v, a**2 * v + r**2)
model_story = story(W**2 + noise, W, 1.0)
joint = kl_divergence(data_story, model_story).item()
data_x, model_x = Normal(0.0, v**0.5), Normal(0.0, (W**2 + noise) ** 0.5)
marginal = kl_divergence(data_x, model_x).item()
print(f"joint KL {joint:.4f}   marginal KL {marginal:.4f}")

# %% slideshow={"slide_type": "fragment"}
# The KL to the posterior is quadratic in x: two points of variance v give its mean.
points = torch.tensor([[v**0.5], [-(v**0.5)]], dtype=torch.float64)
encoder = a * points, torch.full_like(points, r)
gap = model.kl(points, *encoder).mean().item()
print(f"mean KL to the posterior {gap:.4f}   both KLs {marginal + gap:.4f}")

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert abs(joint - marginal - gap) < 1e-6 and (round(joint, 4), round(marginal, 4)) == (0.1188, 0.0333)
entropy = 0.5 * math.log(2 * math.pi * math.e * v)
assert abs(-entropy - model.elbo(points, *encoder).mean().item() - joint) < 1e-6

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "Two panels with ellipses in the plane of x and z. Left, the data's story: a narrow tilted ellipse. Right, the model's story, also tilted and a little larger; the data's ellipse is repeated in orange and they overlap but do not agree."}}
angle = torch.linspace(0, 2 * math.pi, 200, dtype=torch.float64)
circle = torch.stack([angle.cos(), angle.sin()])
fig, axes = plt.subplots(1, 2, sharex=True, sharey=True)
for k in (1, 2):
    for ax in axes:
        ax.plot(*(k * data_story.scale_tril @ circle), color=plots.Q, label="data's story" if k == 1 else None)
    axes[1].plot(*(k * model_story.scale_tril @ circle), color=plots.DECODER, label="model's story" if k == 1 else None)
axes[0].set(title="data first, then the encoder", xlabel="x", ylabel="z")
axes[1].set(title="prior first, then the decoder", xlabel="x")
axes[1].legend(loc="upper left")
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The picture shows the two joints as ellipses of one and two standard deviations. They differ in two ways, and the
# **chain rule of the KL** separates them:
#
# $$\underbrace{\mathrm{KL}\big(p_{\text{data}}\,q \,\|\, p(x,z)\big)}_{0.1188}
#  = \underbrace{\mathrm{KL}\big(p_{\text{data}} \,\|\, p(x)\big)}_{0.0333,\ \text{the model misses the data}}
#  + \underbrace{E_{p_{\text{data}}} \mathrm{KL}\big(q(z \mid x) \,\|\, p(z \mid x)\big)}_{0.0855,\ \text{the encoder misses the posterior}}$$
#
# So the joint KL is **never smaller** than the marginal one, which is what maximum likelihood minimises, and with a
# perfect encoder they are equal.
#
# > **A slip to know.** Some texts work with *negative* KLs. The negative joint KL is a lower bound of the negative marginal
# > KL. Drop the minus signs and the inequality turns round: the joint KL is an *upper* bound of the marginal KL. The heading
# > of this chapter's source text, 004, drops the signs and keeps "lower". It also calls the negative joint KL *strictly* smaller, and
# > two lines on says rightly that a perfect encoder makes them equal; and a constant $c$ stays in its difference that cancels.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert round(gap, 4) == 0.0855 and joint >= marginal
perfect = model.posterior(points)  # a perfect encoder: nothing but the marginal KL is left
assert abs(-entropy - model.elbo(points, perfect.mean, perfect.stddev.expand(2, 1)).mean().item() - marginal) < 1e-6

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **For the teacher, 10 minutes.** Draw the two arrows $x \to z$ and $z \to x$ before showing formulas. Ask: "Which of the three numbers can
# the encoder change?" The first and the third. "Which would be 0 after perfect training?" All three, if the decoder can
# represent the data *and* the encoder's family holds that decoder's posterior. The slip is in the course's source text; the appendix of chapter 00 says where its letters stand here.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 3 · Two KLs (medium, 8 minutes)
#
# Everything is a table now: $x$ has `X` values and $z$ has `Z`. `p_data` is `[X]`. `q` is `[X, Z]` and holds $q(z \mid x)$,
# one row for each $x$. `p_joint` is `[X, Z]` and holds $p(x, z)$. Return two numbers: first the KL of the joints, then the
# KL of the marginals of $x$. In both, the data's side stands left of the $\|$. No entry of the tables is 0.
#
# <details><summary>Hint 1</summary>
#
# A KL is `(a * (a.log() - b.log())).sum()`. What are `a` and `b` for the joints, both `[X, Z]`?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The data's joint is `p_data[:, None] * q`. The model's marginal of x is `p_joint.sum(1)`.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def two_kls(p_data, q, p_joint):
    # Return two numbers: (joint, marginal).
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["01.two_kls"](two_kls)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def two_kls(p_data, q, p_joint):
    kl = lambda a, b: (a * (a.log() - b.log())).sum()
    return kl(p_data[:, None] * q, p_joint), kl(p_data, p_joint.sum(1))


verdict = checks.ALL["01.two_kls"](two_kls)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4 · One bound, two climbers
#
# One function trains both networks: $\;\text{ELBO}(\theta, \phi) = \log p_\theta(x) - \mathrm{KL}(q_\phi \,\|\, p_\theta(z \mid x))$.
#
# - **Maximise over $\phi$**: $\log p_\theta(x)$ stands still, so the encoder walks to the member of its family that is nearest
#   to the posterior, in $\mathrm{KL}(q \,\|\, \text{posterior})$.
# - **Maximise over $\theta$**: $q$ stands still, so $\nabla_\theta\,\text{ELBO} = E_q[\nabla_\theta \log p_\theta(x, z)]$: the
#   decoder makes the data likelier *from the codes the encoder hands it*. That is not quite the same as raising
#   $\log p_\theta(x)$: it also pays $\theta$ to pick a model whose posterior suits this $q$.
#
# Where the posterior is known, take turns and do each step to its end. That is the **EM algorithm**: E, set $q$ to the
# posterior (the bound touches $\log p$); M, maximise over $\theta$. Here $\theta$ is the slope $W$ of the decoder.

# %% slideshow={"slide_type": "subslide"}
x_train = 2.95**0.5 * standard_normal(500, 1, seed=0)  # [B, D] = [500, 1]
at = lambda W: exact.LinearGaussian(torch.tensor([[W]], dtype=torch.float64), 0.7)

W, path = 0.3, []
for step in range(40):
    q = at(W).posterior(x_train)  # E: the gap is 0 now
    path.append((W, q))
    squares = q.mean**2 + q.variance  # E[z^2] of each point
    W = ((x_train * q.mean).sum() / squares.sum()).item()  # M: sum x E[z] / sum E[z^2]

# Maximum likelihood: W^2 + 0.7 is the variance of the data.
best = (x_train.square().mean().item() - 0.7) ** 0.5
print("W:", ", ".join(f"{W:.3f}" for W, _ in path[:6]), f"... {W:.4f}")
print(f"maximum likelihood: {best:.4f}")
assert abs(W - best) < 1e-3

# %% [markdown] slideshow={"slide_type": "fragment"}
# The lab takes the same steps one at a time; it begins one earlier, with $q$ = the prior. **Guess:** after the first M step,
# does the bound still touch $\log p$? Which of the two rises more in an M step? And what happens if you start at $W = 0$?

# %% slideshow={"slide_type": "fragment"} mystnb={"image": {"alt": "Three states of the lab, log p(x) against the slope W as a black dashed curve. After the first E step the ELBO's curve touches it at W = 0.3. After the M step W is at that curve's maximum, 0.85, and a gap of 0.24 nats is open. After the next E step a new curve touches at 0.85."}}
labs.ALL["01.turns"]()

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Explain.** Each E step lifts a curve until it touches the dashed one; each M step climbs that curve. There the bound falls
# behind: $\log p$ gains what the ELBO gains *and* the new gap, $0.523$ nats beside $0.279$ in the first M step. So the likelihood
# cannot fall. At $W = 0$ both rest: the codes say nothing of $x$. A VAE takes both steps at once, a little at a time, with
# one encoder network for all $x$.
#
# And when $q$ is held where it is? For the single $x = 1.3$ and the lab's first $q$, the ELBO is highest at $W = 0.863$,
# the likelihood at $W = 0.995$. The bound's pull on $\theta$ is honest only as far as the encoder is good.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
highest_at = lambda w, value: value(at(w)) > max(value(at(w - 0.001)), value(at(w + 0.001)))
assert highest_at(0.863, lambda model: model.elbo(x, mean, std).item())
assert highest_at(0.995, lambda model: model.log_likelihood(x).item())
likelihoods = [at(w).log_likelihood(x_train).mean().item() for w, _ in path]
assert all(a < b + 1e-12 for a, b in zip(likelihoods, likelihoods[1:]))
first, q = path[0]  # the first M step
climbed = [at(w).elbo(x_train, q.mean, q.stddev.expand_as(q.mean)).mean().item() for w in (first, path[1][0])]
assert [round(climbed[1] - climbed[0], 3), round(likelihoods[1] - likelihoods[0], 3)] == [0.279, 0.523]

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **For the teacher, 8 minutes.** In the lab, ask after each M step where the next curve must touch. The two numbers 0.863 and 0.995 are the
# seed of chapters 03 and 04: a tighter bound pulls $\theta$ to another place, in the end to the right one (03 has the figures).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5 · Reconstruction minus KL: the same number, another noise
#
# Split $p(x, z) = p(z)\, p(x \mid z)$ inside the ELBO:
#
# $$\text{ELBO} = \underbrace{E_q[\log p(x \mid z)]}_{\text{reconstruction}} - \underbrace{\mathrm{KL}\big(q(z \mid x) \,\|\, p(z)\big)}_{\text{to the prior, not to the posterior}}$$
#
# These were the green and the grey bar of the lab. For $q = N(\mu, \mathrm{diag}\,\sigma^2)$ and $p(z) = N(0, I)$ the second term
# needs no samples:
#
# $$\mathrm{KL} = \tfrac12 \sum_{l=1}^{L} \left( \mu_l^2 + \sigma_l^2 - 1 - \log \sigma_l^2 \right) .$$
#
# Is it then always better to use the closed form? Guess, then look.


# %% slideshow={"slide_type": "subslide"}
def both_ways(mu, sigma, N=1_000_000):
    """N estimates of the ELBO: from log-weights, and with the closed-form KL."""
    z = mu + sigma * standard_normal(1, N, 1, 1, seed=2)
    log_w = model.log_joint(x, z) - Normal(mu, sigma).log_prob(z).sum(-1)
    log_likelihood = model.log_joint(x, z) - Normal(0.0, 1.0).log_prob(z).sum(-1)
    kl = 0.5 * (mu**2 + sigma**2 - 1 - 2 * sigma.log()).sum(-1)
    return log_w.flatten(), (log_likelihood - kl).flatten()


print(f"{'':18}{'from log-weights':>20}{'closed-form KL':>20}")
for name, mu, sigma in [
    ("the lab's first q", mean, std),
    ("its mirror image", 2 * m - mean, std),
    ("the posterior", m, s),
]:
    told = [f"{each.mean():.2f}, sd {each.std():.2f}" for each in both_ways(mu, sigma)]
    print(f"{name:18}{told[0]:>20}{told[1]:>20}")


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# The exact standard deviations: both are a + b eps + c eps^2, whose variance is b^2 + 2 c^2.
exact_sd = lambda b, c: math.hypot(b, math.sqrt(2) * c)
d, ratio = ((mean - m) / s).item(), (std / s).item()
off = exact_sd(d * ratio, 0.5 * (1 - ratio**2))
exact_sds = {}
for mu, sigma, from_weights in [(mean, std, off), (2 * m - mean, std, off), (m, s, 0.0)]:
    one, two = both_ways(mu, sigma)
    slope = (x - 1.5 * mu).item() * 1.5 * sigma.item() / 0.7
    closed = exact_sd(slope, 1.5**2 * sigma.item() ** 2 / 1.4)
    for sample, exact_one in ((one, from_weights), (two, closed)):  # by the error of a standard deviation itself
        error = ((sample - sample.mean()) ** 2).std().item() / len(sample) ** 0.5 / (2 * sample.std().item() + 1e-9)
        assert abs(sample.std().item() - exact_one) < 4 * error + 1e-9
    exact_sds[mu.item()] = round(from_weights, 2), round(closed, 2)
    elbo_here = model.elbo(x, mu, sigma).item()
    for estimate in (one, two):
        assert abs(estimate.mean().item() - elbo_here) < 4 * estimate.std().item() / len(estimate) ** 0.5 + 1e-9
assert list(exact_sds.values()) == [(1.42, 1.09), (1.42, 1.70), (0.0, 0.63)]
assert abs(model.kl(x, 2 * m - mean, std).item() - model.kl(x, mean, std).item()) < 1e-9

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Explain.** Same mean, different scatter, and no fixed winner. The first two $q$ are equally wrong, half a unit to the right
# of the posterior and half a unit to its left. To the right the closed form is quieter (1.09 against 1.42), to the left the
# log-weights are (1.42 against 1.70). At the posterior the log-weight has **no scatter at all**, while reconstruction alone still
# has a standard deviation of 0.63: its noise and the KL's would have cancelled.
#
# > **One thing the closed form must never do** is to go *inside* an average of weights, which chapter 03 will build. The
# > prior-to-$q$ ratio has to meet the same $z$ as the likelihood. With the closed KL in its place, many samples of the
# > posterior give $\log E_q[p(x \mid z)] - \mathrm{KL} = -1.619$ where $\log p(x) = -1.746$: above the truth, so no bound.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
predictive = Normal(1.5 * m, (0.7 + 1.5**2 * s**2).sqrt()).log_prob(x).item()
wrong = predictive - kl_divergence(Normal(m, s), Normal(0.0, 1.0)).item()
assert round(wrong, 3) == -1.619 and wrong > log_p

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **For the teacher, 6 minutes.** Ask for a vote on "closed form is always better" before running the cell. The lesson returns in chapter 05
# as *sticking the landing*. Exercises 4 to 6 fit a break: 4 is a formula, 5 and 6 are real bugs.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 4 · The KL to the prior (easy, 5 minutes)
#
# The encoder returns `mean` and `log_std`, both `[B, L]`. Return
# $\mathrm{KL}(N(\mu, \mathrm{diag}\,\sigma^2) \,\|\, N(0, I))$ for each data point, `[B]`. `log_std` is $\log \sigma$.
#
# <details><summary>Hint 1</summary>
#
# What are the variance and its logarithm, when you are given the logarithm of the standard deviation?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The variance is `(2 * log_std).exp()`, its logarithm `2 * log_std`. Put both into the formula above and sum over the last
# axis. Test yourself: mean 0 and log_std 0 must give 0.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def kl_to_prior(mean, log_std):
    # Your line here.
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["01.kl_to_prior"](kl_to_prior)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def kl_to_prior(mean, log_std):
    return 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)


verdict = checks.ALL["01.kl_to_prior"](kl_to_prior)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 5 · Spot the bug: a log-density (medium, 5 minutes)
#
# This line is meant to be $\log N(z; \mu, \mathrm{diag}\,\sigma^2)$ with
# `log_var` $= \log \sigma^2$:
#
# ```python
# log_q = -0.5 * (log_var + (z - mean)**2) / log_var.exp() - 0.5 * math.log(2 * math.pi)
# ```
#
# It runs, it has the right shape, and for `log_var = 0` it is even right. Write it correctly, and sum it over the last axis.
#
# <details><summary>Hint 1</summary>
#
# Try one dimension, z = mean, and a small variance. Is a density *higher* there than at variance one, and is this?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Only the squared distance may be divided by the variance. The logarithm of the variance stands beside it, and so does
# log 2π.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def log_density(z, mean, log_var):  # [M, K, B, L], [B, L], [B, L] -> [M, K, B]
    # Your lines here.
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["01.log_density"](log_density)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def log_density(z, mean, log_var):
    return -0.5 * (math.log(2 * math.pi) + log_var + (z - mean) ** 2 / log_var.exp()).sum(-1)


verdict = checks.ALL["01.log_density"](log_density)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 6 · Spot the bug: the noise behind z (medium, 4 minutes)
#
# A sample was made as $z = \mu + \sigma\,\epsilon$ with standard normal $\epsilon$. PyTorch-VAE (`models/iwae.py`, line 126, commit
# a6896b9) gets $\epsilon$ back like this, and so does [its `miwae.py`](https://github.com/AntixK/PyTorch-VAE/blob/master/models/miwae.py), which text 000 prints:
#
# ```python
# eps = (z - mean) / log_var  # Prior samples
# ```
#
# Rightly done they would be what the comment says, draws of $N(0, I)$. Write it correctly. `z` is `[M, K, B, L]`, `mean` and `log_var` are `[B, L]`; return $\epsilon$, `[M, K, B, L]`.
#
# <details><summary>Hint 1</summary>
#
# What does the line above give for a variance of one?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Divide by sigma. The logarithm of sigma squared is given, so sigma is the exponential of half of it.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def recover_eps(z, mean, log_var):
    # Your line here.
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["01.recover_eps"](recover_eps)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def recover_eps(z, mean, log_var):
    return (z - mean) * (-0.5 * log_var).exp()


verdict = checks.ALL["01.recover_eps"](recover_eps)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "skip"} tags=["pause"]
# **A natural pause.** Part 1 ends here: you have the bound, the name of its gap, and what each network does with it. Part 2 trains
# a VAE, takes its gap apart, and finds out when its code dies.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 6 · A first VAE
#
# Now the decoder is a network, and so is the encoder. The data: 1797 handwritten digits of 8 × 8 pixels. Each time an image
# is looked at, every pixel is drawn black or white, with its grey level as probability (**dynamic binarisation**). So the
# decoder's $p(x \mid z)$ is 64 independent coins, whose probabilities depend on $z$: a **Bernoulli** likelihood. The model
# to beat has 64 *fixed* coins and no $z$.
#
# A sample of the encoder is made as $z = \mu_\phi(x) + \sigma_\phi(x)\,\epsilon$ with standard normal $\epsilon$. The noise comes
# from outside, so a gradient can pass through $z$ to $\phi$: the **reparameterisation trick** (Kingma and Welling 2013; Rezende
# et al. 2014). It needs a sample that moves smoothly with $\phi$. Where there is none, the score function serves (chapter 02), or a
# relaxation, or a measure-valued gradient (Mohamed et al. 2020).
#
# The code has only $L = 2$ numbers. That is few for digits. But it fits on paper, and a 2-D integral can still be *done*: we
# shall know $\log p(x)$ of this network too.

# %% slideshow={"slide_type": "fragment"}
digits = data.digits()
size = train.Setting(latent_dim=2, hidden=(64, 64), epochs=50)
vae = train.untrained(digits, seed=0, setting=size)

x_batch = data.binarise(digits.train[:5], seeded(0))  # [B, D] = [5, 64]
log_w = vae.log_weights(x_batch, M=2, K=3, generator=seeded(0))  # [M, K, B], as before
loss = -bounds.elbo(log_w).mean()  # minus the ELBO, averaged over the batch
loss.backward()  # fills every .grad; the step is an optimiser's
print(digits)
print("log_w", list(log_w.shape))
print("parameters:", sum(parameter.numel() for parameter in vae.parameters()))

# %% [markdown] slideshow={"slide_type": "skip"}
# The next cell trains for 50 epochs, which takes about ten seconds.

# %% slideshow={"slide_type": "subslide"} tags=["nbval-ignore-output"]
how = {"batch_size": 50, "learning_rate": 3e-3, "held_out": digits.test}
history = train.fit(vae, digits, "elbo", M=1, K=1, epochs=size.epochs, **how)

x_test = data.binarise(digits.test, seeded(1))  # [360, 64]
coins = Bernoulli(digits.train.mean(0).clamp(1e-3, 1 - 1e-3))
no_code = coins.log_prob(x_test).sum(-1).mean().item()
print(f"{sum(history.seconds):.0f} seconds of training")
print(f"ELBO: train {history.train[-1]:.2f}, held out {history.held_out[-1]:.2f}")
print(f"64 fixed coins and no code: {no_code:.2f}")
assert history.held_out[-1] > no_code + 1

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "subslide"} tags=["hide-input", "nbval-ignore-output"] mystnb={"image": {"alt": "Left, the ELBO on training and held-out digits rises over 50 epochs, from the dotted line of a model without a code at about -27.3 to about -25. Right, the encoder's means of the test digits in the plane, coloured by digit: most digits form clusters of their own although no label was used."}}
fig, (curve, plane) = plt.subplots(1, 2, width_ratios=[1, 1.1], figsize=(8.8, 4.4))
curve.plot(range(1, 51), history.train, color=plots.IWAE, label="training digits")
curve.plot(range(1, 51), history.held_out, color=plots.ELBO, label="held-out digits")
curve.axhline(no_code, color=plots.PRIOR, linestyle=":", label="64 fixed coins, no code")
curve.set(xlabel="epoch", ylabel="ELBO (nats per image)")
curve.legend(loc="lower right", bbox_to_anchor=(1, 0.12))
codes = vae.encode(x_test)[0].detach()
for digit in range(10):
    here = codes[digits.test_labels == digit]
    plane.scatter(*here.T, s=14, color=plt.cm.tab10(digit), alpha=0.6)
    plane.text(*here.median(0).values, str(digit), weight="bold", fontsize=17, ha="center", va="center",
               bbox={"boxstyle": "circle,pad=0.15", "facecolor": "white", "edgecolor": plt.cm.tab10(digit),
                     "alpha": 0.85})
plane.set(xlabel="$z_1$", ylabel="$z_2$", title="the encoder's means")
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The picture shows: the bound rises above the model without a code, and equal digits come to lie together, though nobody
# told the network which digit is which. Now walk through the plane and decode.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "subslide"} tags=["hide-input", "nbval-ignore-output"] mystnb={"image": {"alt": "Three mosaics of 8 by 8 pixel digits. Left, test digits above their blurry reconstructions. Middle, samples from the prior that look like blurred digits. Right, a 12 by 12 map of the latent plane in which one digit changes smoothly into the next."}}
ticks = Normal(0.0, 1.0).icdf(torch.linspace(0.03, 0.97, 12))
everywhere = torch.cartesian_prod(ticks.flip(0), ticks).flip(1)  # rows from the top: z_2 falls
with torch.no_grad():
    tiles = {
        "digits and reconstructions": torch.stack([digits.test[:24], vae.decode(codes[:24])], 1)
        .view(4, 6, 2, 64).transpose(1, 2).reshape(48, 64),
        "samples from the prior": vae.sample(48, seeded(3)),
        "the whole plane of z": vae.decode(everywhere),
    }  # fmt: skip
fig, axes = plt.subplots(1, 3, width_ratios=[6, 6, 9.2], figsize=(8.8, 3.9))
for ax, (title, images), columns in zip(axes, tiles.items(), (6, 6, 12)):
    ax.imshow(plots.mosaic(images.view(-1, 8, 8), columns, gap=2), vmin=0, vmax=1)
    ax.set_title(title)
    ax.axis("off")
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The picture shows three things. Reconstructions keep most digits and lose the handwriting: two numbers cannot hold more.
# Samples of the prior decode to something, because the KL has packed the codes around the origin. And between the codes
# the pictures change step by step; walking through the plane is a **latent traversal**. What an encoder without noise does to
# it, chapter 02 measures.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The gap of a real network, measured
#
# With $L = 2$, the integral $p(x) = \int p(x, z)\,dz$ is a sum over a grid. So is the ELBO of any $q$, with no sample at all.

# %% slideshow={"slide_type": "fragment"}
axis = torch.linspace(-5, 5, 101)  # 0.1 apart
cell = 0.1**2


@torch.no_grad()
def log_joint_on_grid(vae, x):
    """log p(x, z) at every point of the grid: [B, D] -> [G, 2], [G, B]."""
    z = torch.cartesian_prod(axis, axis)  # [G, 2]
    logits = vae.decoder(z)  # [G, D]
    both = torch.nn.functional.softplus(logits).sum(-1, keepdim=True)  # [G, 1]
    return z, vae.prior.log_prob(z)[:, None] + logits @ x.T - both


def elbo_on_grid(z, log_joint, mean, log_std):
    log_q = Normal(mean, log_std.exp()).log_prob(z[:, None]).sum(-1)  # [G, B]
    return (log_q.exp() * (log_joint - log_q)).sum(0) * cell

# %% [markdown] slideshow={"slide_type": "fragment"}
# The encoder must answer for every $x$ with one network. That is **amortised** inference, and it has a price of its own. To
# see it, give each of 40 test images its own $\mu$ and $\sigma$, start them at the encoder's answer, and climb its ELBO. That takes a few seconds.

# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
few = x_test[:40]
z, log_joint = log_joint_on_grid(vae, few)
log_p_few = log_joint.logsumexp(0) + math.log(cell)  # [B], exact up to the grid
with torch.no_grad():
    amortised = vae.encode(few)
own = [part.clone().requires_grad_() for part in amortised]
climber = torch.optim.Adam(own, lr=0.06)
for step in tqdm(range(60), leave=False):
    climber.zero_grad()
    (-elbo_on_grid(z, log_joint, *own).mean()).backward()
    climber.step()

# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
with torch.no_grad():
    own_elbo = elbo_on_grid(z, log_joint, *own).mean()
    encoder_elbo = elbo_on_grid(z, log_joint, *amortised).mean()
evidence = log_p_few.mean()
print(f"log p(x)                        {evidence:.2f}")
print(f"ELBO, best Gaussian for each x  {own_elbo:.2f}")
print(f"ELBO, the encoder's Gaussian    {encoder_elbo:.2f}")
print(f"approximation gap  {evidence - own_elbo:.2f}")
print(f"amortisation gap   {own_elbo - encoder_elbo:.2f}")

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert evidence > own_elbo > encoder_elbo
with torch.no_grad():  # the grid against samples: two ways to the same numbers
    samples = vae.log_weights(few, 1, 4000, seeded(4))[0].mean(1)  # [K]
    assert abs(samples.mean().item() - encoder_elbo.item()) < 4 * samples.std().item() / len(samples) ** 0.5 + 2e-3

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "subslide"} tags=["hide-input", "nbval-ignore-output"] mystnb={"image": {"alt": "Four test digits. For each, grey contours of the exact posterior in the plane of z, the encoder's Gaussian as an orange ellipse and the best Gaussian as a purple dotted ellipse. The posteriors are bent or tilted; the ellipses are upright and miss part of them."}}
log_posterior = (log_joint - log_p_few).view(101, 101, -1)
fig, axes = plt.subplots(1, 4, figsize=(8.8, 2.9))
gaps = log_p_few - elbo_on_grid(z, log_joint, *amortised)
turn = torch.linspace(0, 2 * math.pi, 100)
ring = 2 * torch.stack([turn.cos(), turn.sin()], 1)  # two standard deviations
for ax, i in zip(axes, gaps.argsort()[[4, 16, 30, 39]]):
    ax.contourf(axis, axis, log_posterior[..., i].exp().T, levels=8, cmap="Greys")
    for (mu, log_sigma), colour, line in [(amortised, plots.Q, "-"), (own, plots.UPPER, ":")]:
        ax.plot(*(mu[i] + log_sigma[i].exp() * ring).detach().T, line, color=colour)
    centre, reach = amortised[0][i], 4.5 * amortised[1][i].exp().max()
    ax.set(xlim=(centre[0] - reach, centre[0] + reach), ylim=(centre[1] - reach, centre[1] + reach))
    ax.set_title(f"{digits.test_labels[i]}: gap {gaps[i]:.2f}")
    ax.grid(visible=False)
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The picture shows the exact posterior (grey), the encoder's answer (orange, two standard deviations) and the best upright
# Gaussian (purple, dotted). A posterior can bend, tilt or have two humps; an upright Gaussian cannot. The gap that is left
# when each image has its own best one is the **approximation gap**. What the shared encoder loses on top is the
# **amortisation gap** (Cremer et al. 2018).

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **For the teacher, 12 minutes.** Start the training cell, then ask what the map will look like before it is drawn. Ask at the gaps: "Would a
# bigger encoder help? Would a bigger decoder?" A bigger encoder can only close the amortisation gap.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 7 · What squared error means
#
# Many VAEs are trained with a squared error between $x$ and the reconstruction $\hat x(z)$. As a likelihood that is a
# Gaussian with a fixed noise variance $\sigma^2$:
#
# $$-\log p(x \mid z) = \frac{1}{2\sigma^2}\, \|x - \hat x(z)\|^2 + \frac D2 \log 2\pi\sigma^2 .$$
#
# (In this section and the next $\sigma^2$ is the decoder's noise; the encoder's spread is $\sigma_\phi$.)
# So the factor in front of the squared error, $1 / 2\sigma^2$, fixes the noise variance, said or unsaid. It is the exchange
# rate between a squared pixel and a nat of KL:
#
# | what the loss adds to $\sum_l \mathrm{KL}_l$ | its noise variance $\sigma^2$ | for $D = 64$ pixels |
# |---|---|---|
# | $\frac12 \sum_d (x_d - \hat x_d)^2$ | 1 | 1 |
# | $\sum_d (x_d - \hat x_d)^2$ | 1/2 | 0.5 |
# | $\frac1D \sum_d (x_d - \hat x_d)^2$ ("`reduction='mean'`") | $D/2$ | **32** |
# | any of these, with a weight $\beta$ on the KL | $\beta$ times as much | |
#
# The pixels of our digits lie between 0 and 1; their variance is 0.073 on average. A model that believes in noise of
# variance 32 sees nothing but noise. It has no reason to use a code, and section 8 shows that it will not.
#
# For Bernoulli pixels the same slip, a mean over pixels beside a sum over latent dimensions, makes the KL 64 times too
# expensive. And minus such a loss is no bound of $\log p(x)$.

# %% slideshow={"slide_type": "skip"}
pixel_variance = digits.train.var(0, unbiased=False).mean().item()
print(f"variance of a pixel: {pixel_variance:.3f}")

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
difference = torch.rand(64, generator=seeded(0))  # any x - x_hat
for factor, sigma2 in [(0.5, 1.0), (1.0, 0.5), (1 / 64, 32.0)]:
    minus_log_p = -Normal(0.0, sigma2**0.5).log_prob(difference).sum()
    constant = 32 * math.log(2 * math.pi * sigma2)  # D / 2 = 32
    assert torch.isclose(factor * (difference**2).sum() + constant, minus_log_p, rtol=1e-5)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 7 · Spot the bug: the loss (medium, 8 minutes)
#
# PyTorch-VAE's `models/vanilla_vae.py` (lines 139 to 145, commit a6896b9) takes a mean over pixels, and a weight on the KL that
# is $0.00025$ in training and 1 in validation (`configs/vae.yaml`; `experiment.py`, lines 40 and 54). This loss is its kin:
#
# ```python
# pixels = binary_cross_entropy(logits.sigmoid(), x)  # its default: a mean
# kl = 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)
# loss = pixels + kl.mean() / len(x)
# ```
#
# Write the loss whose minimum is the maximum of the mean ELBO: one number for the batch, no weight to tune. `x` and `logits` are
# `[B, D]`, `mean` and `log_std` are `[B, L]`. `logits` are the log-odds that a pixel is 1. In each test case the decoder is
# sure and wrong about one pixel.
#
# <details><summary>Hint 1</summary>
#
# Independent things multiply, so what do their logarithms do, over pixels and over latent dimensions? And what is
# averaged?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Two sums and one mean over the batch. `binary_cross_entropy_with_logits(..., reduction="none")` stays finite where
# `log(sigmoid(.))` does not.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def vae_loss(x, logits, mean, log_std):
    # Your lines here.
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["01.loss"](vae_loss)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def vae_loss(x, logits, mean, log_std):
    pixels = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)  # [B]
    kl = 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)  # [B]
    return (pixels + kl).mean()


verdict = checks.ALL["01.loss"](vae_loss)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 8 · One step of training (medium, 6 minutes)
#
# You have a loss. Now train with it: this is the first piece of a trainer of your own. Chapters 02 to 05 add a piece each,
# and in 05 you compare it with the package's.
#
# `loss_of(x)` gives one number, a tensor: minus the bound, averaged over the batch `x`. `optimizer` comes from `torch.optim` and
# knows the parameters. Do one step on this batch. Return the **bound** before the step, as a number that holds no
# graph.
#
# Gradients of an earlier step must not count, nor those that a cell above has left behind.
#
# <details><summary>Hint 1</summary>
#
# `backward()` *adds* to what stands in `.grad`. When must it be empty?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Of the optimiser's two calls, `zero_grad` and `step`, which comes before `backward()` and which after it? The loss is minus the
# bound, and `.item()` makes a number of a tensor that holds one.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def training_step(loss_of, x, optimizer):
    # Your lines here. loss_of(x): a tensor []. Return: a number.
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["01.training_step"](training_step)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def training_step(loss_of, x, optimizer):
    optimizer.zero_grad()
    loss = loss_of(x)
    loss.backward()
    optimizer.step()
    return -loss.item()


verdict = checks.ALL["01.training_step"](training_step)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **For the teacher, 8 minutes.** Ask: "Your colleague doubles the image size and keeps the loss with `mean`. What happens to the KL's weight?"
# It doubles. The third row of the table is the most common cause of a "broken" VAE in student projects.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 8 · Posterior collapse, with its exact threshold for linear models
#
# A latent unit has **collapsed** when $q(z_l \mid x)$ is the prior for every $x$: its KL is 0 and it carries nothing. Is that
# the fault of the ELBO? Take the smallest model again, $x = W z + $ noise of variance $\sigma^2$, with the exact posterior as
# encoder. Then the ELBO *is* $\log p(x)$, with no gap to blame. For data of variance $\lambda$,
#
# $$E[\log p(x)] = -\tfrac12 \log 2\pi(W^2 + \sigma^2) - \frac{\lambda}{2(W^2 + \sigma^2)}, \qquad
#   \text{highest at } W^2 = \max(\lambda - \sigma^2,\ 0) .$$
#
# Why there? Set the derivative with respect to $W^2 + \sigma^2$ to zero. **If the noise the model believes in is larger than the
# variance of the data, the best code is no code.** In many dimensions the same holds for each principal direction (Tipping
# and Bishop 1999; Lucas et al. 2019). Let $\lambda_1 \ge \lambda_2 \ge \dots$ be the eigenvalues of the data's covariance.
#
# > **Theorem · the threshold of a linear VAE.** At its best, unit $l$ is alive $\iff \lambda_l > \sigma^2$, and then
# > $E_x[\mathrm{KL}_l] = \tfrac12 \log (\lambda_l / \sigma^2)$. A weight $\beta$ on the KL acts as $\beta\sigma^2$ in the place of
# > $\sigma^2$, here too: $\tfrac12 \log (\lambda_l / \beta\sigma^2)$.
# >
# > *Conditions.* The prior is $N(0, I)$; encoder and decoder are matrices, with free intercepts or centred data; the noise is Gaussian,
# > $\sigma^2 I$, and fixed; the encoder's covariance is diagonal, free and the same for all $x$; the best model, not the one that
# > training happens to find.
# >
# > *Where one fails.* Without intercepts the second moments count, not the covariance: the largest of the digits is $10.5$, of their
# > covariance $0.70$. A decoder that is no matrix keeps a code above the threshold: the box at the end of this section.
# >
# > *Source.* Tipping and Bishop (1999) for the likelihood, Lucas et al. (2019) for the ELBO (their numbers were not looked up).
#
# Let us train linear VAEs on the digits and count.


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
def linear_vaes(S, noise_variance, beta, L=10, steps=700):
    """Train C linear VAEs at once on their exact ELBO; return the KL of each unit: [C, L]."""
    g, C, D = seeded(0), len(beta), len(S)
    W, V = (0.1 * torch.randn(C, *shape, generator=g) for shape in [(D, L), (L, D)])
    log_std = torch.zeros(C, L)
    climber = torch.optim.Adam([p.requires_grad_() for p in (W, V, log_std)], lr=0.08)
    decay = torch.optim.lr_scheduler.LinearLR(climber, 1.0, 0.01, steps)
    for _ in tqdm(range(steps), leave=False):
        R = torch.eye(D) - W @ V  # what a round trip x -> z -> x loses
        squared_error = (R @ S * R).sum((1, 2)) + ((W * log_std.exp()[:, None]) ** 2).sum((1, 2))
        kl = 0.5 * ((V @ S * V).sum(2) + (2 * log_std).exp() - 1 - 2 * log_std)  # [C, L]
        climber.zero_grad()
        (squared_error / (2 * noise_variance) + beta * kl.sum(1)).sum().backward()
        climber.step(), decay.step()
    return kl.detach().sort(descending=True).values

# %% [markdown] slideshow={"slide_type": "skip"}
# The folded cell above has the training. The expectation over $q$ and over all images is done in closed form there, so it has no
# noise at all: the data enter only through their covariance. It takes a few seconds.

# %% slideshow={"slide_type": "fragment"}
S = torch.cov(digits.train.T, correction=0)  # of the 64 pixels
eigenvalues = torch.linalg.eigvalsh(S).flip(0)[:10]
noise_variance = torch.tensor([0.1, 0.2, 0.05, 0.5, 1.0, 32.0])
betas = torch.tensor([1.0, 1.0, 4.0, 1.0, 1.0, 1.0])
trained = linear_vaes(S, noise_variance, betas)  # [6, 10]

print("eigenvalues:", ", ".join(f"{value:.3f}" for value in eigenvalues[:5]), "...")
print("noise  beta  units alive (theory)  KL (theory)")
for sigma2, beta, kl in zip(noise_variance.tolist(), betas.tolist(), trained):
    theory = 0.5 * (eigenvalues / (beta * sigma2)).clamp_min(1).log()
    alive, predicted = (kl > 0.003).sum().item(), (theory > 0).sum().item()
    units = f"{alive} ({predicted})"
    nats = f"{kl.sum().abs():.2f} ({theory.sum():.2f})"
    print(f"{sigma2:5g}  {beta:4g}  {units:>20}  {nats}")
    assert alive == predicted and (kl - theory).abs().max() < 0.05  # no noise: this much Adam leaves after 700 steps

# %% [markdown] slideshow={"slide_type": "subslide"}
# The lab has the exact values: left, the variance of the digits along each principal direction, and the level $\beta\sigma^2$;
# right, what each unit carries. **Guess:** you train with $\tfrac12\|x - \hat x\|^2$, so $\sigma^2 = 1$. How many of the ten units
# live? And with $\|x - \hat x\|^2$? Is there a setting of both sliders at which unit 2 lives and unit 1 is dead?

# %% slideshow={"slide_type": "fragment"} mystnb={"image": {"alt": "Three states of the lab. With noise variance 0.1 all ten units live and carry 5.39 nats. With 0.5 three live and carry 0.35. With 1 the level lies above all variances of the digits and all ten are dead."}}
labs.ALL["01.units"]()

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Explain.** None; three, with $0.35$ nats; and no, they die in the order of their variance. On the logarithmic axis what
# stands above the level is twice the KL. In the table above, linear VAEs that were trained agree with all of this.
#
# The largest eigenvalue of the digits is $\lambda_1 = 0.701$. So a plain $\tfrac12\|x - \hat x\|^2$, noise 1, is enough to kill
# *every* unit on this data, and the pixel mean, noise 32, kills them 45 times over. "Don't blame the ELBO": the exact
# likelihood collapses in the same way. Mend the likelihood: learn $\sigma^2$ with the other parameters.
#
# > **And a decoder that is no matrix?** Then the variance is not what counts. For any decoder with Gaussian noise $\sigma^2$ the
# > *likelihood* is highest without a code exactly if $E[e^{u \cdot (x - Ex)}] \le e^{\sigma^2 |u|^2/2}$ for every $u$. The smallest such
# > $\sigma^2$ is the data's **sub-Gaussian variance proxy**. It is never below $\lambda_1$; for Gaussian data it is $\lambda_1$, for the digits
# > $0.754$. (Why: no code is the best of all mixtures $\int N(x; f, \sigma^2)\, dG(f)$ if and only if moving a little mass to any $f$ does not
# > help, and that is this inequality with $u = f/\sigma^2$.)
# >
# > With a Gaussian $q$ the ELBO's own threshold lies between the two. Rare and large values part them widely: let $x = \pm 10$ with
# > probability $0.005$ each, else 0. Its variance is 1. At noise 2 a linear VAE is dead, and a decoder with three steps, $-10$, 0 and 10,
# > still pays: ELBO $-0.097$ against $-0.250$, without the constant. All this is about the best model, not about the one that
# > training finds.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
as_they_are = digits.train.double()  # no intercept: the same training with second moments, at noise 1
about_zero = as_they_are.T @ as_they_are / len(as_they_are)
assert round(torch.linalg.eigvalsh(about_zero)[-1].item(), 1) == 10.5
uncentred = linear_vaes(about_zero.float(), torch.tensor([1.0, 1.0]), torch.tensor([1.0, 4.0]), steps=400)
law = 0.5 * (torch.linalg.eigvalsh(about_zero)[-1] / torch.tensor([1.0, 4.0])).log()
assert (uncentred[:, 0] - law).abs().max() < 0.05 and uncentred[:, 1].max() < 0.01
assert round(eigenvalues[0].item(), 3) == 0.701 and 45 < 32 / eigenvalues[0].item() < 46
centred = digits.train.double() - digits.train.double().mean(0)
towards = torch.linalg.eigh(S.double())[1][:, -5:].T * torch.tensor([0.5, 2.0, -0.5, -2.0])[:, None, None]
towards = towards.reshape(-1, 64).clone().requires_grad_()
finder = torch.optim.Adam([towards], lr=0.05)
for _ in range(400):  # the highest 2 log E[e^{u x}] / |u|^2
    proxy = 2 * ((towards @ centred.T).logsumexp(1) - math.log(len(centred))) / towards.square().sum(1)
    finder.zero_grad(), (-proxy.sum()).backward(), finder.step()
assert round(proxy.max().item(), 3) == 0.754
Phi = lambda value: Normal(0.0, 1.0).cdf(torch.tensor(value, dtype=torch.float64)).item()
step, narrow, far, sharp = 3.3, 0.93, 3.6, 0.12  # steps at -3.3 and 3.3; q of x = 0 and of x = 10
of_zero = (narrow**2 - 1) / 2 - math.log(narrow) + 2 * (1 - Phi(step / narrow)) * 10**2 / 4
of_ten = (far**2 + sharp**2 - 1) / 2 - math.log(sharp) + Phi((step - far) / sharp) * 10**2 / 4
assert round(-0.99 * of_zero - 0.01 * of_ten, 3) == -0.097 and -1 / 4 == -0.250
assert torch.allclose(trained[1], trained[2], atol=0.02)  # beta times the noise is what counts
assert round(pixel_variance, 3) == 0.073
squared = exact.unit_kl(eigenvalues.clamp_min(0), 0.5)  # what the lab shows of a squared error
assert (squared > 0).sum() == 3 and round(squared.sum().item(), 2) == 0.35

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 9 · How many nats survive (pen and paper, medium, 5 minutes)
#
# The covariance of some data has the eigenvalues 2.7, 0.9 and 0.3. A linear VAE with three units and the noise variance 0.2 is
# trained with the weight $\beta = 3$ on its KL. At its best, how many nats is the KL to the prior, averaged over the data and added up
# over the units? Three digits are enough.
#
# <details><summary>Hint 1</summary>
#
# What does an eigenvalue have to exceed, when the KL has a weight?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The weight acts as three times the noise variance, in the condition and in the formula for a unit that lives. Which of the
# three eigenvalues lie above that?
#
# </details>

# %% slideshow={"slide_type": "skip"} tags=["stub"]
nats_left = ...  # a number, in nats

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["01.collapse_by_hand"](nats_left)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
nats_left = 0.5 * (math.log(2.7 / 0.6) + math.log(0.9 / 0.6))  # 0.3 is below 3 * 0.2

verdict = checks.ALL["01.collapse_by_hand"](nats_left)
assert verdict.passed
verdict

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
data_covariance = torch.diag(torch.tensor([2.7, 0.9, 0.3]))  # of exercise 9
best_kl = linear_vaes(data_covariance, torch.tensor([0.2]), torch.tensor([3.0]), L=3)
assert abs(best_kl.sum().item() - 0.955) < 0.01  # no noise: what Adam leaves

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The same in a network
#
# Train the course's digit network, with $L = 10$ units, three times: with the ELBO, with $\beta = 4$ on the KL, and with pixel means in the place of
# sums, which is $\beta = 64$. A unit counts as **active** when the variance over $x$ of its mean $\mu_l(x)$ exceeds 0.01 (Burda et
# al. 2016). The three runs take about ten seconds.


# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
def train_with(beta, epochs=25, seed=0):
    vae = train.untrained(digits, seed)  # 64 - 40 - 40 - 10 - 40 - 40 - 64
    g, climber = seeded(seed), torch.optim.Adam(vae.parameters(), lr=4e-3)

    def loss_of(x):
        mean, log_std = vae.encode(x)
        z = mean + log_std.exp() * torch.randn(mean.shape, generator=g)
        kl = 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)
        return (beta * kl - vae.log_likelihood(x, z)).mean()

    for _ in tqdm(range(epochs), f"KL weight {beta}", leave=False):
        for batch in torch.randperm(len(digits.train), generator=g).split(100):
            training_step(loss_of, data.binarise(digits.train[batch], g), climber)
    return vae


networks = {beta: train_with(beta) for beta in (1, 4, 64)}

# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
print("KL weight  held-out ELBO     KL  active units")
active, held_out = {}, {}
for beta, network in networks.items():
    with torch.no_grad():
        log_w = network.log_weights(x_test, 1, 100, seeded(5))
        held_out[beta] = bounds.elbo(log_w).mean().item()
        mu, log_sigma = network.encode(x_test)
        kl = 0.5 * (mu**2 + (2 * log_sigma).exp() - 1 - 2 * log_sigma).sum(-1)
        active[beta] = (mu.var(0) > 0.01).sum().item()
    print(f"{beta:9}  {held_out[beta]:13.2f}  {kl.mean():5.2f}  {active[beta]:6} of 10")
assert active[1] >= 4 and active[4] == active[64] == 0 and len(digits.train) + len(digits.test) == 1797
assert held_out[1] > no_code + 2 and all(abs(held_out[b] - no_code) < 0.1 for b in (4, 64))

# %% [markdown] slideshow={"slide_type": "fragment"}
# With the KL too expensive the network falls back to the 64 fixed coins, within a tenth of a nat: all units dead, each
# reconstruction the same grey blur. Nothing in such a run crashes or warns. Look at the KL of each unit *first* when samples are blurry.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A decoder that needs no code
#
# The second road to collapse is a decoder that can do without $z$. Take data $x \sim N(0, WW^\top + \sigma^2 I)$ in two
# dimensions and two models:
#
# - **A**: $p(x \mid z) = N(Wz, \sigma^2 I)$, with the exact posterior as encoder. The code is used.
# - **B**: $p(x \mid z) = N(0, WW^\top + \sigma^2 I)$, a full covariance that ignores $z$, with the prior as encoder.

# %% slideshow={"slide_type": "fragment"}
weight, noise = torch.tensor([[1.5], [1.0]], dtype=torch.float64), 0.3
covariance = weight @ weight.T + noise * torch.eye(2, dtype=torch.float64)

# Of A, under the model itself: E log N(x; Wz, noise I), and the mean KL to the prior.
used = -(math.log(2 * math.pi * noise) + 1)
kl_used = 0.5 * math.log(1 + weight.square().sum().item() / noise)
origin = torch.zeros(2, dtype=torch.float64)
ignored = -MultivariateNormal(origin, covariance).entropy().item()

for name, reconstruction, kl in [("A", used, kl_used), ("B", ignored, 0.0)]:
    print(f"{name}  reconstruction {reconstruction:.4f} - KL {kl:.4f}", end=" ")
    print(f"= mean ELBO {reconstruction - kl:.4f}")
assert abs(used - kl_used - ignored) < 1e-9

# %% [markdown] slideshow={"slide_type": "fragment"}
# The same ELBO to the last digit, which is $-H(x)$, the best that any model can do. One code carries 1.24 nats about $x$, the
# other none. **The ELBO does not ask for a useful code.** A powerful decoder, such as one that predicts each pixel from the
# ones before it, often settles for B (Bowman et al. 2016; Alemi et al. 2018). Chapter 06 adds to the objective what is
# missing.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert round(kl_used, 2) == 1.24
pair = exact.LinearGaussian(weight, noise)  # the same by samples: the mean of log p(x) and the mean KL of the posterior
sample, _ = pair.sample(20_000, seeded(6))
kl_each = kl_divergence(pair.posterior(sample), MultivariateNormal(torch.zeros(1).double(), torch.eye(1).double()))
for each, truth in [(pair.log_likelihood(sample), ignored), (kl_each, kl_used)]:
    assert abs(each.mean().item() - truth) < 4 * each.std().item() / len(each) ** 0.5

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **For the teacher, 12 minutes.** Draw $\lambda$ against $\sigma^2$ on the board before the formula. Ask: "I multiply all pixels by 255 and keep
# the squared error. What happens?" The eigenvalues grow by 65 025 and all ten units live: the unit of the data matters.
# The A/B comparison is the bridge to chapter 06.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 10 · Count the active units (medium, 4 minutes)
#
# `mean` and `log_std`, both `[N, L]`, are what an encoder says about $N$ images. Return how many of the $L$ units are active: those
# whose mean has a variance over the images above 0.01.
#
# <details><summary>Hint 1</summary>
#
# A mean that is far from 0 but never moves says nothing about x. Which of the two arguments tells what moves?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The variance over the images is over axis 0. It gives one number for each of the L units; compare, and count.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def count_active(mean, log_std):
    # Your line here.
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["01.active_units"](count_active)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def count_active(mean, log_std):
    return (mean.var(0) > 0.01).sum()


verdict = checks.ALL["01.active_units"](count_active)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "skip"} tags=["quiz"]
# ## Before you go on: three questions
#
# Choose an answer before you open one. Each says why it is right, or what leads to it.
#
# **1 ·** The decoder is frozen and the encoder is trained further. The ELBO of a data point, computed exactly, rises
# by one nat. What do you know?
#
# <details><summary>A · log p(x) rose by one nat, so the model itself is better</summary>
#
# $\log p(x)$ contains the prior and the decoder only. Both are frozen, so it cannot move.
#
# </details>
#
# <details><summary>B · The KL from q to the prior fell by one nat</summary>
#
# The KL to the *prior* is one of two terms, and it may well have risen while the reconstruction gained more.
#
# </details>
#
# <details><summary>C · The KL from q to the posterior fell by one nat</summary>
#
# Right. ELBO + KL to the posterior is $\log p(x)$, and that stands still. What one gains the other loses.
#
# </details>
#
# **2 ·** For one $x$ the encoder returns exactly the posterior. What is then true?
#
# <details><summary>A · Every sample z has log w = log p(x)</summary>
#
# Right. $p(x, z) / p(z \mid x) = p(x)$ for every $z$, so there is no scatter at all, and one sample is enough.
#
# </details>
#
# <details><summary>B · The KL from q to the prior is 0</summary>
#
# That is a *collapsed* encoder. The posterior differs from the prior as soon as $x$ says something about $z$.
#
# </details>
#
# <details><summary>C · The reconstruction log p(x | z) has no scatter</summary>
#
# By itself it has: it differs from one $z$ to the next. Only together with $\log p(z) - \log q(z \mid x)$ does the
# scatter cancel.
#
# </details>
#
# <details><summary>D · The ELBO is 0</summary>
#
# The *gap* is 0. The ELBO itself has then reached $\log p(x)$, which is some other number.
#
# </details>
#
# **3 ·** A linear VAE has a fixed noise variance of 1. The largest eigenvalue of the data's covariance is 0.7, and
# all units are dead. What helps?
#
# <details><summary>A · A better encoder</summary>
#
# Even the exact posterior does not help: then the ELBO is $\log p(x)$, and the likelihood itself prefers no code.
#
# </details>
#
# <details><summary>B · A noise variance below 0.7</summary>
#
# Right. One that is learned helps too. A unit lives if and only if its eigenvalue exceeds $\sigma^2$. The likelihood was wrong, not
# the bound.
#
# </details>
#
# <details><summary>C · More latent units</summary>
#
# Each unit needs a direction in which the data vary by more than the noise. There is none, for ten units or for a
# thousand.
#
# </details>
#
# <details><summary>D · The mean over pixels in place of the sum</summary>
#
# This makes the reconstruction count less, as a *larger* noise variance would: the units die more surely.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What you have now
#
# | statement | number beside it |
# |---|---|
# | ELBO $= E_q[\log w] \le \log E_q[w] = \log p(x)$ | −2.3557 and −1.7463 |
# | gap = KL($q$ ‖ posterior), exactly; 0 for the posterior only | 0.6094 |
# | joint KL = marginal KL + mean KL to the posterior | 0.1188 = 0.0333 + 0.0855 |
# | over $\phi$: closes the gap. Over $\theta$: raises the likelihood, pulled aside by a poor $q$ | 0.863 beside 0.995 |
# | reconstruction − KL to the prior: the same mean, another scatter | 0 beside 0.63 at the posterior |
# | squared error is a Gaussian; its factor is the noise variance | pixel mean: $\sigma^2 = D/2 = 32$ |
# | a unit lives if and only if its eigenvalue exceeds $\beta\sigma^2$ | 0.701 is the largest here |
# | the ELBO does not ask for a useful code | 1.24 nats or 0, same ELBO |
#
# **What comes next.** The ELBO threw the average of $w$ away because its logarithm was easier. Chapter 02 looks at the weights
# themselves: when their average can be trusted, why it teaches the encoder nothing, and how gradients without
# reparameterisation work. Chapter 03 then puts the average back inside the logarithm.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert round(model.kl(x, mean, std).item(), 4) == 0.6094

# %% [markdown] slideshow={"slide_type": "slide"}
# ## References
#
# - D. P. Kingma, M. Welling. *Auto-encoding variational Bayes*. 2013. [arXiv 1312.6114](https://arxiv.org/abs/1312.6114)
# - D. J. Rezende, S. Mohamed, D. Wierstra. *Stochastic backpropagation and approximate inference in deep generative
#   models*. ICML 2014. [arXiv 1401.4082](https://arxiv.org/abs/1401.4082)
# - R. M. Neal, G. E. Hinton. *A view of the EM algorithm that justifies incremental, sparse, and other variants*. In: Learning
#   in Graphical Models, 355–368. 1998. [The authors' page](https://www.cs.toronto.edu/~hinton/absps/em.htm)
# - M. E. Tipping, C. M. Bishop. *Probabilistic principal component analysis*. J. R. Statist. Soc. B 61(3), 611–622. 1999.
#   [doi 10.1111/1467-9868.00196](https://doi.org/10.1111/1467-9868.00196)
# - J. Lucas, G. Tucker, R. Grosse, M. Norouzi. *Don't blame the ELBO! A linear VAE perspective on posterior collapse*.
#   NeurIPS 2019. [paper](https://papers.nips.cc/paper/9138-dont-blame-the-elbo-a-linear-vae-perspective-on-posterior-collapse)
# - S. R. Bowman et al. *Generating sentences from a continuous space*. 2016. [arXiv 1511.06349](https://arxiv.org/abs/1511.06349)
# - Y. Burda, R. Grosse, R. Salakhutdinov. *Importance weighted autoencoders*. 2016. [arXiv 1509.00519](https://arxiv.org/abs/1509.00519)
# - A. A. Alemi et al. *Fixing a broken ELBO*. ICML 2018. [arXiv 1711.00464](https://arxiv.org/abs/1711.00464)
# - C. Cremer, X. Li, D. Duvenaud. *Inference suboptimality in variational autoencoders*. ICML 2018.
#   [arXiv 1801.03558](https://arxiv.org/abs/1801.03558)
# - J. Ho, A. Jain, P. Abbeel. *Denoising diffusion probabilistic models*. 2020. [arXiv 2006.11239](https://arxiv.org/abs/2006.11239)
# - J. M. Tomczak, M. Welling. *VAE with a VampPrior*. 2018. [arXiv 1705.07120](https://arxiv.org/abs/1705.07120)
# - D. J. Rezende, S. Mohamed. *Variational inference with normalizing flows*. 2015. [arXiv 1505.05770](https://arxiv.org/abs/1505.05770)
# - 苏剑林 (Su Jianlin), on the joint KL of section 3: [kexue.fm 5716](https://kexue.fm/archives/5716), also
#   [zhuanlan.zhihu.com/p/40105143](https://zhuanlan.zhihu.com/p/40105143) (2018, in Chinese).
# - The text this chapter covers, together with chapter 02, and corrects where it slips:
#   [zhuanlan.zhihu.com/p/555924600](https://zhuanlan.zhihu.com/p/555924600), which is [CATSMILE-1032](http://catsmile.info/1032-vae.html) and refers
#   to CATSMILE-1019 (variational approximation), 1004 (gradients of expectations) and 1014 of the same site (2022, in Chinese).
