# %% [markdown] slideshow={"slide_type": "slide"}
# # Better gradients, and less bias
#
# When you leave this page you will be able to
#
# * **split** the encoder's gradient into a path term and a score term, and **say** when the second is worth dropping;
# * **measure** what dropping one of them does to the mean of a gradient;
# * **derive** the doubly reparameterised gradient (DReG) in five lines, and the same for any bound you like;
# * **enclose** $\log p(x)$ from both sides, and **debias** $L_K$ with the jackknife or a roulette;
# * **choose** an estimator by what is wrong with $q$, also where samples cannot be moved;
# * **write** the table that this course is built on, and **compare** your own trainer with it, gradient by gradient.
#
# You need chapters 01 to 04: log-weights `[M, K, B]`, the score function, $L_K$ and its shares $\tilde w$, and the
# signal-to-noise ratio (SNR) of a gradient.
#
# **Part 1: reading 50 minutes, doing 50 minutes. Part 2: reading 65 minutes, doing 35 minutes.** What is marked *may wait* is counted; skip it on a first reading.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **Teaching this chapter: 90 minutes.** 10 prediction and lab, 10 the two terms with exercise 1, 10 sticking the landing,
# 15 the five lines on the board, 10 exercises 2 and 3 in pairs, 10 VR-IWAE and the table, 10 the sandwich, 10 the
# jackknife, 5 the choice at the end. Short of time: leave out *Without reparameterisation*, what follows it, and exercises 6 and 10. Never
# leave out the five lines; everything else on the page follows from them.

# %% slideshow={"slide_type": "skip"}
import math

import matplotlib.pyplot as plt
import torch
from torch.distributions import Normal

from vaecourse import bounds, cards, checks, control_variates, data, exact, gradients
from vaecourse import labs, models, objectives, plots, roulette, train
from vaecourse.exact import slopes

plots.use_style()


def seeded(number):  # noise that is the same for everybody
    return torch.Generator().manual_seed(number)

# %% [markdown] slideshow={"slide_type": "skip"} tags=["recall"]
# ## Before you begin: two questions from before
#
# Choose an answer before you open one.
#
# **1 · (from 04)** For large $K$, at $M = 1$, you go from $K$ to $4K$ samples under one logarithm. What becomes of the signal-to-noise
# ratio of IWAE's encoder?
#
# <details><summary>A · It doubles, as that of any average of four times as many samples does</summary>
#
# So it does for the decoder, and for the encoder with $4M$ in place of $4K$.
#
# </details>
#
# <details><summary>B · It stays, since mean and noise fall alike</summary>
#
# The mean falls like $1/K$ and the noise like $1/\sqrt K$. They do not fall alike.
#
# </details>
#
# <details><summary>C · It is halved</summary>
#
# Right. It follows $\sqrt{M/K}$: a quarter of the mean over half of the noise.
#
# </details>
#
# **2 · (from 01)** In `z = mu + sigma * eps` the noise is drawn first. What is that good for?
#
# <details><summary>A · The samples are independent of mu and sigma, which makes them unbiased</summary>
#
# They depend on both. Only the noise does not.
#
# </details>
#
# <details><summary>B · z moves with mu and sigma, so that their gradient can pass through it</summary>
#
# Right. With the noise held fixed $z$ is a differentiable function of the two: the path of this chapter.
#
# </details>
#
# <details><summary>C · It saves half of the random numbers that a normal distribution needs</summary>
#
# As many are drawn either way. What changes is what autograd sees.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Predict, drag, explain
#
# The reference model once more: $z \sim \mathcal N(0, 1)$, $x \mid z \sim \mathcal N(1.5\,z,\ 0.7)$, $x = 1.3$, and a
# $q = \mathcal N(\mu, \sigma^2)$ that sits half a unit right of the posterior and is 1.3 times as wide. A good encoder
# would move $\mu$ to the left: a **negative** gradient.
#
# The lab draws 1000 gradients of one estimator (left), the 1000 values that it reports (top right) and its exact
# SNR over $K$ (bottom right). The dashed line on the left is the exact gradient of the bound. Every estimator gets the same
# $K$ samples (MIWAE in four groups). Small triangles at the top right: mean values of VR-IWAE and the jackknife, both from this chapter.
#
# **Your predictions.** The lab asks where STL's histogram is, and shows none before.
#
# 1. *STL* leaves out a part of the gradient that has mean zero at $K = 1$. Is its histogram in the same place at $K = 64$?
# 2. *DReG* has the same mean as *IWAE*. How much narrower is it at $K = 64$: twice, ten times, eighty times?
# 3. The *jackknife* takes away most of the bias of $L_K$. Does it stay below $\log p(x)$?
# 4. Is *DReG* better than *IWAE* for every $q$? Drag its width down until it is not.

# %% slideshow={"slide_type": "subslide"} mystnb={"image": {"alt": "The lab in five states. IWAE at K = 64: a histogram around the exact gradient -0.024, much wider than that. STL at K = 64: a narrow histogram around -1.26, far left of the dashed exact gradient. DReG at K = 64: a spike on the exact gradient. The jackknife at K = 6: a wide histogram, and a mean value slightly to the right of log p(x). DReG at K = 64 with a q too narrow: a long tail, and a ratio below IWAE's. Bottom right in the first four, signal-to-noise falls with K for IWAE and rises for ELBO, STL and DReG."}}
labs.ALL["05.estimators"]()

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **10 minutes.** Press *IWAE, K = 1*, then *IWAE, K = 64*: the histogram gets narrow, and its mean goes to zero faster.
# Press *STL, K = 64* and ask now: *would you rather have this one?* (It points the right way, with little noise, and it
# is not the gradient of the bound.) Then *DReG, K = 64*. Last *jackknife, K = 6*: *is this still a lower bound?*

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Explain.** (1) No. It sits at $-1.257$, where $-0.024$ is exact. (2) Eighty times: an exact standard deviation
# of $0.0038$ against $0.32$. (The lab's 1000 draws have $0.004$ and $0.329$.) (3) No: at $K = 6$ and order 1 its mean is $0.011$ nats **above** $\log p(x)$.
# (4) No. At half the posterior's width and $K = 64$ the SNR of DReG is $0.59$, that of plain IWAE $1.56$. That DReG's SNR rises like $\sqrt K$ is a law for large $K$, and for a $q$ whose variance is above $\frac34$ of the posterior's, a width above $0.87$ (*Condition*, below).
# This is no border between the two: at width $0.75$ and $K = 64$ DReG still wins, $0.70$ against $0.53$. The jackknife flips too: order 1 is *below* at width $1.1$, by $0.001$ nats, and at half the width by $0.44$.

# %% [markdown] slideshow={"slide_type": "skip"}
# The folded cell under this one defines what the cells below use. `case` is the reference model with its $q$: `model`, `x`, and $q$'s `mean` and `std`. `posterior` and `log_p` are exact. `moments(row, parameter, K)` is
# the exact mean and standard deviation of a gradient. `exact_rows` and `weight_law` have it for every estimator and every bound. `grid` and `mass` are for integrals over $q$. `z_score(samples, truth)` is how many standard errors lie between a mean and a number.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# On this model mean and sd of every estimator are one-dimensional integrals.
case = exact.reference(torch.float64)
model, x, mean, std = case
log_p, posterior = model.log_likelihood(x).item(), model.posterior(x)
exact_rows, weight_law = exact.RowGradients(case), exact.WeightLaw.of(case)
grid, mass = exact_rows.slopes(), exact_rows.mass  # log w, path, score on a grid of noise, and q's mass there


def moments(row, parameter, K, alpha=0.0):
    """Exact mean and standard deviation of a row's gradient for q's "mean", or for the decoder's "weight"."""
    found = exact_rows.moments(row, parameter, K=K, alpha=alpha)
    return found.mean, found.sd


def z_score(samples, truth):
    """(mean - truth) in standard errors, for independent samples."""
    return ((samples.mean() - truth) / samples.std() * len(samples) ** 0.5).item()


stl, iwae, dreg = (moments(name, "mean", 64) for name in ("stl", "iwae", "dreg"))
assert [round(m, 3) for m in (stl[0], iwae[0], dreg[0])] == [-1.257, -0.024, -0.024]
assert round(dreg[1], 4) == 0.0038 and round(iwae[1], 2) == 0.32 and 80 < iwae[1] / dreg[1] < 85
drawn = slopes(case, torch.randn(64, 1000, generator=seeded(0), dtype=torch.float64))  # those of the lab
share = drawn.log_w.softmax(0)
drawn = [(share**2 * drawn.path).sum(0), (share * (drawn.path - drawn.score)).sum(0)]
assert [round(estimates.std().item(), 3) for estimates in drawn] == [0.004, 0.329]
assert round(exact_rows.value("jackknife", K=6, order=1) - log_p, 3) == 0.011
half, nearer = (exact.RowGradients(exact.case_with(width, 0.5)) for width in (0.5, 0.75))
for rows, quoted in ((half, (0.59, 1.56)), (nearer, (0.70, 0.53))):
    found = [round(rows.signal_to_noise(name, "mean", K=64), 2) for name in ("dreg", "iwae")]
    assert tuple(found) == quoted, found
assert round(0.75**0.5, 2) == 0.87 and round(half.value("jackknife", K=6, order=1) - log_p, 2) == -0.44
assert round(exact.RowGradients(exact.case_with(1.1, 0.5)).value("jackknife", K=6, order=1) - log_p, 3) == -0.001

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A gradient in two terms
#
# A sample moves with the encoder's parameters $\phi$: $z_k = \mu + \sigma \epsilon_k$ with fixed noise $\epsilon_k$. So $\phi$ enters
# $\log w_k = \log p(x, z_k) - \log q(z_k \mid x)$ in two ways: through the sample $z_k$, and directly, through the density
# $q$. Autograd adds both up. Write them apart:
#
# $$ \nabla_\phi \log w_k \;=\; \underbrace{\frac{\partial \log w_k}{\partial z_k} \frac{\partial z_k}{\partial \phi}}_{h_k,\ \text{the path term}}
# \;-\; \underbrace{\nabla_\phi \log q(z \mid x)\big|_{z = z_k}}_{s_k,\ \text{the score term}} . $$
#
# The score has mean zero, $\mathbb E_q[s] = \int \nabla_\phi q = \nabla_\phi 1 = 0$ (chapter 02). In the gradient of the ELBO, the plain mean of
# $h_k - s_k$, it contributes **nothing but noise**. In the gradient of $L_K$,
#
# $$ \nabla_\phi L_K = \mathbb E \sum_k \tilde w_k\, (h_k - s_k), \qquad \tilde w_k = \frac{w_k}{\sum_j w_j} , $$
#
# each score is multiplied with a share that depends on the same $z_k$. A product of two dependent things need not have mean zero.
#
# In code one line makes the difference: hold $\mu$ and $\sigma$ fixed *inside* $\log q$, and the score term is gone.

# %% slideshow={"slide_type": "subslide"}
K, B = 5, 4
eps = torch.randn(K, B, generator=seeded(0), dtype=torch.float64)
mu = mean.flatten().repeat(B).requires_grad_()  # [B], four copies
sigma = std.item()
z = mu + sigma * eps  # [K, B]
log_joint = lambda z: model.log_joint(x, z[..., None, None])[..., 0]  # [K, B] to [K, B]

moving = log_joint(z) - Normal(mu, sigma).log_prob(z)
held = log_joint(z) - Normal(mu.detach(), sigma).log_prob(z)
whole = torch.autograd.grad(moving.sum(), mu, retain_graph=True)[0]
path = torch.autograd.grad(held.sum(), mu)[0]
score = (eps / sigma).sum(0)  # of a Gaussian, for its mean: (z - mu) / sigma^2
for name, term in (("whole", whole), ("path", path), ("score", score)):
    print(f"{name:>5}", [round(v, 3) for v in term.tolist()])
assert torch.allclose(whole, path - score)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
by_hand = slopes(case, eps)  # the same terms, in closed form, from the package
assert torch.allclose(by_hand.path.sum(0), path) and torch.allclose(by_hand.score.sum(0), score)

# %% [markdown] slideshow={"slide_type": "fragment"}
# *Whole* is *path* minus *score*, for each of the four copies. From here on we have both terms for every sample.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 1 · Both terms, by share (easy, 4 minutes)
#
# From `log_w`, `path` and `score`, all `[K, B]`, return the gradient of $\log \frac1K \sum_k w_k$ that autograd would give:
# `[B]`.
#
# <details><summary>Hint 1</summary>What is the slope of one log-weight, and how much does it count?</details>
#
# <details><summary>Hint 2</summary>The slope of each log-weight is path minus score. Each counts by its share, a
# softmax over the K axis, and shares add up to one.</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def both_terms(log_w, path, score):
    # Your lines here: three times [K, B] -> [B]
    ...

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["05.two_terms"](both_terms)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def both_terms(log_w, path, score):
    share = log_w.softmax(0)
    return (share * (path - score)).sum(0)


verdict = checks.ALL["05.two_terms"](both_terms)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Sticking the landing
#
# Let $q$ be *exactly* the posterior. Then $\log w = \log p(x)$ for every $z$, and there is nothing left to learn. Does the
# gradient know?


# %% slideshow={"slide_type": "fragment"}
def draw(case, K, runs, seed):
    """log w, path and score of K samples in each of many runs: [K, runs]."""
    eps = torch.randn(K, runs, generator=seeded(seed), dtype=torch.float64)
    return slopes(case, eps)


arrived = case.replace(mean=posterior.mean, std=posterior.stddev)
landed = draw(arrived, K=1, runs=10_000, seed=1)
print(f"sd of the whole gradient {(landed.path - landed.score).std():.3f}", end="   ")
print(f"of the path term {landed.path.std():.0e}")
assert landed.path.abs().max() < 1e-12 and abs((landed.path - landed.score).std() - 1 / posterior.stddev).item() < 0.08

# %% [markdown] slideshow={"slide_type": "fragment"}
# The whole gradient goes on shaking with a standard deviation of 2: an encoder that has arrived is pushed away again. The path
# term is zero, sample by sample, because $\log w$ does not depend on $z$ any more. Dropping the score term lets the
# encoder **stick the landing**, STL (Roeder, Wu and Duvenaud 2017). For the ELBO this is unbiased, and on the reference model the SNR of one sample
# rises from $0.79$ to $1.93$.
#
# > **Mean zero is not the same as noise.** The score term is correlated with the path term, and may have cancelled a part of its noise. For
# > Gaussians, with $\sigma$ the width of $q$ and $\tau$ that of the posterior, the slope of $q$'s mean has the standard deviation $\sigma/\tau^2$ whole and
# > $|\tau^2 - \sigma^2|/(\sigma\,\tau^2)$ without the score. Dropping it pays where $\sigma^2 > \tau^2/2$, and **costs** where $q$ is narrower: at
# > $\sigma^2 = \tau^2/5$ the noise rises from $0.92$ to $3.67$.
#
# The same step is tempting for $L_K$: keep the shares, drop the score. What does it do to the mean?

# %% slideshow={"slide_type": "subslide"}
for K in (1, 2, 8, 64):
    runs = draw(case, K, runs=20_000, seed=K)
    stl = (runs.log_w.softmax(0) * runs.path).sum(0)  # [20000]
    truth, biased = moments("iwae", "mean", K)[0], moments("stl", "mean", K)[0]
    print(f"K = {K:2}   exact gradient of L_K {truth:+.4f}", end="   ")
    print(f"STL: exact mean {biased:+.4f}, measured {stl.mean():+.4f}", end="   ")
    print(f"z against the gradient {z_score(stl, truth):+8.1f}")
    assert abs(z_score(stl, biased)) < 4 and (abs(z_score(stl, truth)) < 4 if K == 1 else abs(z_score(stl, truth)) > 80)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Unbiased at $K = 1$; at $K = 2$ already off by a hundred standard errors; and at $K = 64$ fifty times too large. The measured mean agrees
# with an exact value each time, so this is no accident of sampling. **STL is not a gradient of $L_K$ for $K > 1$.**
#
# Whose gradient is it, then? STL is $\nabla_\phi L_K$ plus the dropped piece, $\mathbb E \sum_k \tilde w_k s_k$. For large $K$ the
# first goes to zero. In the second the shares pick samples of the posterior, so it tends to
#
# $$ \mathbb E_{z \sim p(z|x)}\left[ \nabla_\phi \log q(z \mid x) \right] = -\nabla_\phi\, KL(p(z|x) \,\|\, q) , $$
#
# on the reference model $-0.5/\sigma^2 = -1.247$: the score is $(z - \mu)/\sigma^2$, and the posterior's mean is $\mu - 0.5$. This is the encoder's update of *reweighted wake-sleep* (RWS, Bornschein and
# Bengio 2015). So STL at large $K$ trains the encoder by the KL divergence the other way round. That is a respectable thing to do, it
# points to the posterior too, but it is another objective than the one whose value you print.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# Exact: E[STL] = gradient of L_K + E[sum of w~ s], and where it tends to.
wake = {K: exact.WeightedSum(grid.log_w, mass, grid.score).moments(K).mean for K in (1, 2, 8, 64, 4096)}
for K, missing in wake.items():
    assert math.isclose(moments("stl", "mean", K)[0], moments("iwae", "mean", K)[0] + missing, abs_tol=1e-9)
limit = -0.5 / std.item() ** 2
spread = std.clone()
mu = mean.clone().requires_grad_()
reverse = -torch.autograd.grad(model.reverse_kl(x, mu, spread).sum(), mu)[0].item()
assert round(limit, 3) == round(reverse, 3) == -1.247 and abs(wake[4096] - limit) < 1e-3
assert [round(abs(m) / s, 2) for m, s in (moments("elbo", "mean", 1), moments("stl", "mean", 1))] == [0.79, 1.93]
assert 50 < moments("stl", "mean", 64)[0] / moments("iwae", "mean", 64)[0] < 55

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **10 minutes.** Ask now: *what exactly has mean zero?* The score alone. Let someone say why a share times the score has not:
# the share is large where $w$ is large, and there the score has a sign (here: left of $\mu$). Roeder et al. hoped it to be
# unbiased for $K > 1$ as well; Tucker et al. (2019) showed that it is not.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Doubly reparameterised: five lines
#
# The score term cannot be dropped. It can be **rewritten** (Tucker, Lawson, Gu and Maddison 2019). Hold all samples but $z_k$ fixed: they are independent of it.
#
# 1. What we want: $\nabla_\phi L_K = \mathbb E \sum_k \left( \tilde w_k h_k - \tilde w_k s_k \right)$.
# 2. For a smooth function $f$ whose own dependence on $\phi$ is held fixed, $\nabla_\phi \mathbb E_q[f(z)]$ can be written by score or by path:
#    $\displaystyle \mathbb E_q\left[ f(z)\, s \right] = \mathbb E_q\left[ \frac{\partial f}{\partial z} \frac{\partial z}{\partial \phi} \right]$.
# 3. Take $f = \tilde w_k$ as a function of $z_k$. It is a softmax, so
#    $\displaystyle \frac{\partial \tilde w_k}{\partial z_k} = \left( \tilde w_k - \tilde w_k^2 \right) \frac{\partial \log w_k}{\partial z_k}$.
# 4. Put 3 into 2: $\mathbb E\left[ \tilde w_k s_k \right] = \mathbb E\left[ (\tilde w_k - \tilde w_k^2)\, h_k \right]$. The score has become a path.
# 5. Put 4 into 1, and the plain shares cancel:
#
# $$ \boxed{ \nabla_\phi L_K = \mathbb E \sum_k \tilde w_k^2\, h_k } $$
#
# **DReG: drop the score term and square the shares.** "Doubly", because line 2 reparameterises a second time. At $K = 1$ the share is
# 1 and DReG is STL. The decoder's gradient has no such terms and keeps its plain shares.

# %% slideshow={"slide_type": "subslide"}
runs = draw(case, K=8, runs=100_000, seed=3)  # [8, 100000]
share = runs.log_w.softmax(0)
truth = moments("iwae", "mean", 8)[0]  # the exact gradient of L_8

difference = share * runs.score - (share - share**2) * runs.path
print(f"line 4, z-score of left - right: {z_score(difference.sum(0), 0.0):+.1f}")
factors = {"IWAE": share, "STL": share, "DReG": share**2}
for name, factor in factors.items():
    slope = runs.path - runs.score if name == "IWAE" else runs.path
    estimate = (factor * slope).sum(0)  # [100000]
    print(f"{name:>4}: mean {estimate.mean():+.4f}, exact {truth:+.4f}", end=", ")
    print(f"z {z_score(estimate, truth):+8.1f}   sd {estimate.std():.4f}", end="   ")
    print(f"SNR {estimate.mean().abs() / estimate.std():.2f}")
    assert (abs(z_score(estimate, truth)) < 4) == (name != "STL")
assert abs(z_score(difference.sum(0), 0.0)) < 4

# %% [markdown] slideshow={"slide_type": "fragment"}
# IWAE and DReG agree with the exact gradient; STL is off by hundreds of standard errors. At $K = 8$ DReG's standard deviation is a
# tenth of IWAE's.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Why its SNR rises.** Chapter 04 explained the fall: write $w_k = p(x)\, r_k$, so $\tilde w_k \approx r_k / K$. For every $\phi$
# $\mathbb E_q[r] = 1$, so its gradient $\mathbb E[r (h - s)]$ is 0.
#
# | | estimator, leading order | mean | standard deviation | SNR |
# |---|---|---|---|---|
# | IWAE | $\frac1K \sum r_k (h_k - s_k)$ | its leading term is 0; what is left is $O(K^{-1})$ | $O(K^{-1/2})$ | $O(K^{-1/2})$ |
# | DReG | $\frac1{K^2} \sum r_k^2 h_k$ | $\frac1K \mathbb E[r^2 h]$ | $O(K^{-3/2})$ | $O(K^{1/2})$ |
#
# Both means are the slope of $-\chi^2/(2K)$, the law of chapter 03, with $\chi^2 = \mathrm{Var}_q[r]$. DReG's noise is as small as its signal has to be.
#
# > **Condition.** The first row needs a finite $\mathbb E[r^2 (h-s)^2]$, the second a finite $\mathbb E[r^4 h^2]$. For Gaussians that is $\sigma^2 > \tfrac12 \tau^2$ and $\sigma^2 > \tfrac34 \tau^2$: $q$ must not be much narrower than the posterior. The cell after the picture moves $q$ across the second line.

# %% slideshow={"slide_type": "fragment"}
ROWS = {"IWAE": ("iwae", "mean"), "DReG": ("dreg", "mean")}
ROWS["decoder"] = ("iwae", "weight")
snr = {}
for K in (1, 4, 16, 64, 256, 1024):
    snr[K] = {name: exact_rows.signal_to_noise(*row, K=K) for name, row in ROWS.items()}
    print(f"K = {K:4}   SNR of the encoder's mean: IWAE {snr[K]['IWAE']:.3f}", end=", ")
    print(f"DReG {snr[K]['DReG']:.2f}; of the decoder's weight {snr[K]['decoder']:.2f}")
for name in ROWS:
    slope = math.log(snr[1024][name] / snr[256][name]) / math.log(4)
    print(f"{name}: slope of log SNR against log K, from 256 to 1024: {slope:+.2f}")
    assert abs(slope - (-0.5 if name == "IWAE" else 0.5)) < 0.02

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "Left: exact mean gradient against K. IWAE and DReG lie on one curve that falls towards zero like 1/K; STL levels out at 1.25. Right: signal-to-noise against K on logarithmic axes. IWAE's encoder falls with slope -1/2, DReG and the decoder rise with slope +1/2."}}
Ks = [1, 2, 4, 8, 16, 32, 64, 128, 256]
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.9))
for name, color, style in (("STL", plots.Q, "-"), ("IWAE", plots.IWAE, "-"), ("DReG", plots.CIWAE, ":")):
    pairs = [moments(name.lower(), "mean", K) for K in Ks]
    left.loglog(Ks, [abs(m) for m, _ in pairs], style, color=color, label=name, linewidth=3)
    right.loglog(Ks, [abs(m) / s for m, s in pairs], "-", color=color, label=name)
pairs = [moments("iwae", "weight", K) for K in Ks]
right.loglog(Ks, [abs(m) / s for m, s in pairs], "--", color=plots.DECODER, alpha=0.6, label="IWAE, decoder")
left.axhline(-limit, color=plots.EXACT, linestyle="--", linewidth=1.5, label="1.247")
left.set(xlabel="samples K", ylabel="|exact mean gradient|")
right.set(xlabel="samples K", ylabel="signal / noise")
left.legend(), right.legend()
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# Left: IWAE and DReG are one curve, STL goes elsewhere. Right: more samples drown the encoder's signal in plain IWAE, from $0.79$
# to $0.037$ between $K = 1$ and $256$, and lift it in DReG from $1.9$ to $12.5$. The decoder's SNR rises in both, from $0.69$ to $4.7$. The
# dip of DReG at $K = 3$ to $5$ is real: the law $\sqrt K$ is for large $K$.
#
# *May wait:* one caution about hierarchical models (chapter 07). Their bound has one sample that does not come from $q$ but from the
# posterior of the inner variable. Its term is as large as the signal, for every $K$, so there the SNR stays about constant in place of rising.

# %% slideshow={"slide_type": "subslide"}
Q_OF_THE_TABLE = [(1.69, 0.5), (1.0, 0.5), (0.7, 0.5), (0.4, 0.5)]
Q_OF_THE_TABLE += [(0.4, 0.1), (6.25, 0.5), (1.69, 3.0)]
print("SNR of q's mean, IWAE / DReG, exact; q's variance in those of the posterior")
print("variance  units off          K = 4         K = 64       K = 1024")
for variance, shift in Q_OF_THE_TABLE:
    here = exact.RowGradients(exact.case_with(variance**0.5, shift))
    print(f"{variance:8}  {shift:9}", end="")
    for K in (4, 64, 1024):
        pair = [here.signal_to_noise(row, "mean", K=K) for row in ("iwae", "dreg")]
        print(f"   {pair[0]:4.2f} / {pair[1]:5.2f}", end="")
    print()

# %% [markdown] slideshow={"slide_type": "fragment"}
# **DReG asks for a $q$ that is not narrow.** From the reference $q$, the first row, its SNR rises as the law says. At the posterior's own variance it dips, and rises late. Below $\tfrac34$ it falls as far as this table goes. At $0.4$,
# where neither condition holds, plain IWAE has *more* signal half a unit off; a tenth of a unit off, the row below, DReG leads again. Far too wide costs both: at $6.25$, which is $2.5$ widths, they have less than in the first row. And a wide $q$ is no remedy where it is far off: $3$ units off, in the last row, IWAE leads.
#
# All this is for the mean of $q$. And narrow is what the ELBO makes a Gaussian $q$ that lacks the posterior's correlations (chapter 04). So look before you choose: `gradients.signal_to_noise` measures both.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
table_of = {}
for variance, shift in Q_OF_THE_TABLE:
    here = exact.RowGradients(exact.case_with(variance**0.5, shift))
    for row in ("iwae", "dreg"):
        table_of[variance, shift, row] = [here.signal_to_noise(row, "mean", K=K) for K in (4, 64, 1024)]
at_q = lambda *q: [torch.tensor(table_of[*q, row]) for row in ("iwae", "dreg")]
rises, *falls = (at_q(variance, 0.5)[1].diff() for variance in (1.69, 0.7, 0.4))
assert (rises > 0).all() and (torch.stack(falls) < 0).all()
for q in ((1.69, 0.5), (6.25, 0.5)):
    assert [round((ratios[2] / ratios[1]).log2().item() / 4, 1) for ratios in at_q(*q)] == [-0.5, 0.5]
dips = at_q(1.0, 0.5)[1]
assert dips[1] < dips[0] < dips[2]
for q, leads in (((1.69, 0.5), 1), ((0.4, 0.1), 1), ((6.25, 0.5), 1), ((0.4, 0.5), 0), ((1.69, 3.0), 0)):
    assert (at_q(*q)[leads] > at_q(*q)[1 - leads])[1:].all(), q
assert (at_q(1.69, 3.0)[0] > at_q(1.69, 3.0)[1]).all() and (at_q(0.4, 0.5)[0] > at_q(0.4, 0.5)[1]).all()
assert all((far < near).all() for far, near in zip(at_q(6.25, 0.5), at_q(1.69, 0.5)))
s2, t2 = 0.2 * posterior.variance.item(), posterior.variance.item()
thin = draw(case.replace(mean=posterior.mean, std=posterior.stddev * 0.2**0.5), K=1, runs=100_000, seed=2)
for estimate, exact_sd in (((thin.path - thin.score), s2**0.5 / t2), (thin.path, abs(t2 - s2) / (s2**0.5 * t2))):
    assert abs(estimate.std().item() / exact_sd - 1) < 0.02
assert [round(s2**0.5 / t2, 2), round(abs(t2 - s2) / (s2**0.5 * t2), 2)] == [0.92, 3.67]

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert [round(snr[1][name], 2) for name in ROWS] == [0.79, 1.93, 0.69]
assert [round(snr[256][name], digits) for name, digits in zip(ROWS, (3, 1, 1))] == [0.037, 12.5, 4.7]
ratio = {K: abs(moments("dreg", "mean", K)[0]) / moments("dreg", "mean", K)[1] for K in range(1, 10)}
assert min(ratio, key=ratio.get) in (3, 4, 5) and ratio[9] > ratio[1]
assert 9 < moments("iwae", "mean", 8)[1] / moments("dreg", "mean", 8)[1] < 11

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **15 minutes.** Line 2 is the one to dwell on: both sides are the gradient of the same integral. Ask now: *where did we use that
# it is the logarithm of a mean?* Twice: in line 1 by its weight, in line 3 by that weight's derivative. Keep the answer for *The rule behind it*.
# In the lab: *DReG, K = 64*, then drag $K$ down to 3 and watch the green curve dip.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 2 · Two samples by hand (pen and paper, easy, 4 minutes)
#
# One $x$, two samples. Their weights are $w = 3, 1$, and for one parameter their path terms are $h = 2, -4$. What does DReG give for
# the gradient? A number.
#
# <details><summary>Hint 1</summary>What are the two shares, and to what power do they go in?</details>
#
# <details><summary>Hint 2</summary>The shares are 3/4 and 1/4, their squares 9/16 and 1/16. Each square is multiplied with its path
# term; mind the sign of the second.</details>

# %% slideshow={"slide_type": "skip"} tags=["stub"]
by_dreg = ...  # a number

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["05.two_shares"](by_dreg)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
by_dreg = (3 / 4) ** 2 * 2 + (1 / 4) ** 2 * -4

verdict = checks.ALL["05.two_shares"](by_dreg)
assert verdict.passed
verdict

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
weights = objectives.get("dreg").phi_weights(torch.tensor([3.0, 1.0]).log().view(1, 2, 1)).flatten()
assert math.isclose((weights * torch.tensor([2.0, -4.0])).sum().item(), 0.875, rel_tol=1e-6)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 3 · DReG's column of the table (easy, 4 minutes)
#
# Return the weights of the encoder's gradient for the row DReG: from log-weights `[M, K, B]` to weights of the same shape. The
# row pools all $MK$ samples of an $x$. Log-weights near $-800$ must not break it.
#
# <details><summary>Hint 1</summary>Which comes first, the share or the square, and over how many samples is a share
# taken here?</details>
#
# <details><summary>Hint 2</summary>A share over two axes at once: <code>log_w.flatten(0, 1)</code> makes one of them,
# and <code>view_as(log_w)</code> takes you back. Square what you have then.</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def dreg_weights(log_w):
    # Your lines here: [M, K, B] -> [M, K, B]
    ...

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["05.dreg_weights"](dreg_weights)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def dreg_weights(log_w):
    share = log_w.flatten(0, 1).softmax(0).view_as(log_w)
    return share**2


verdict = checks.ALL["05.dreg_weights"](dreg_weights)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One backward pass for two kinds of weights
#
# The decoder wants plain shares, the encoder squared ones. Two surrogates would need two backward passes. There is a cheaper way: send every sample out
# with its share $\tilde w_k$, and where the gradient passes through $z_k$ on its way to the encoder, multiply it with $\tilde w_k$ once
# more. In PyTorch that is a **hook** on $z$. (`objectives.backward` does it for every row of the table.)
#
# It is also an elegant place for a bug.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 4 · Spot the bug: the hook that never fires (medium, 8 minutes)
#
# The function should return DReG's gradient for $\mu$. No error, the right shape, the loss goes down. On the reference
# model with $K = 64$ its mean is $-1.257$ where $-0.024$ is right. Mend it. Until you have an answer, leave the first line as it is.
#
# <details><summary>Hint 1</summary>Print something inside the hook. Through which tensor does the gradient of log_w
# flow back to mu, and through which does it not?</details>
#
# <details><summary>Hint 2</summary><code>z.clone()</code> is a new tensor that nothing else was computed from, so no
# gradient comes back through it. Which tensor was <code>log_w</code> made of?</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def dreg_gradient(mu, sigma, eps, log_joint):
    # [B], a number, [K, B], a function from [K, B] to [K, B]
    return None  # take this line away when you have mended the rest
    mu = mu.clone().requires_grad_()
    z = mu + sigma * eps
    log_w = log_joint(z) - Normal(mu.detach(), sigma).log_prob(z)
    share = log_w.softmax(0).detach()
    z.clone().register_hook(lambda gradient: share * gradient)
    (share * log_w).sum().backward()
    return mu.grad

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["05.spot_the_hook"](dreg_gradient)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def dreg_gradient(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = mu + sigma * eps
    log_w = log_joint(z) - Normal(mu.detach(), sigma).log_prob(z)
    share = log_w.softmax(0).detach()
    z.register_hook(lambda gradient: share * gradient)  # on z itself, through which every gradient comes back
    (share * log_w).sum().backward()
    return mu.grad


verdict = checks.ALL["05.spot_the_hook"](dreg_gradient)
assert verdict.passed
verdict

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# The mended function on the reference model, and the number on the card.
eps = torch.randn(64, 4_000, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
found = dreg_gradient(mean.flatten().repeat(4_000), sigma, eps, log_joint)
assert abs(z_score(found, moments("dreg", "mean", 64)[0])) < 4
assert round(moments("stl", "mean", 64)[0], 3) == -1.257 and round(moments("dreg", "mean", 64)[0], 3) == -0.024

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 5 · DReG for your trainer (medium, 10 minutes)
#
# The last piece of your trainer. You get `log_p` and `log_q` `[M, K, B]`, and the samples `z` `[M, K, B, L]` that both were computed
# from; inside `log_q` the encoder's $\mu$ and $\sigma$ are held fixed already. Return one loss for your `training_step`: its value
# is minus $L_{MK}$, averaged over $B$. Its one `.backward()` gives the decoder plain shares and the encoder squared ones.
#
# <details><summary>Hint 1</summary>What does autograd send to each log-weight when you return minus the log of the mean weight, and what is
# still missing where the gradient passes z?</details>
#
# <details><summary>Hint 2</summary>The loss sends the shares by itself. A share <code>[M, K, B]</code>, taken over M and K together and
# detached, has to multiply the gradient of z: by a hook, as in exercise 4. z has one axis more than the share; where does it stand?</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def dreg_loss(log_p, log_q, z):  # [M, K, B], [M, K, B], [M, K, B, L]
    # Your lines here: a hook, and one number
    ...

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["05.dreg_loss"](dreg_loss)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def dreg_loss(log_p, log_q, z):
    log_w = log_p - log_q
    M, K, B = log_w.shape
    share = log_w.detach().flatten(0, 1).softmax(0).view(M, K, B, 1)
    z.register_hook(lambda gradient: share * gradient)
    return -(log_w.logsumexp((0, 1)) - math.log(M * K)).mean()


verdict = checks.ALL["05.dreg_loss"](dreg_loss)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What it buys
#
# An SNR is a promise. Does it train? Let 100 copies of the reference $q$ climb, each with its own noise, $K = 64$ samples a
# step, by Adam. We know the exact distance to the posterior at every step. **Your prediction:** after 400 steps, what is left of
# $KL = 0.609$ with IWAE, with STL, with DReG, with the ELBO? (It takes some seconds; each prints its line when it is done.)

# %% slideshow={"slide_type": "subslide"}
many_x = x.repeat(100, 1)  # 100 copies


def surrogate(row, mu, log_sigma, eps):
    """Its gradient is minus the row's, for the mean and the width of each copy."""
    z = mu + log_sigma.exp() * eps  # [1, K, 100, 1]
    held = (lambda t: t) if row.keeps_score else torch.Tensor.detach
    log_q = Normal(held(mu), held(log_sigma).exp()).log_prob(z).sum(-1)
    log_w = model.log_joint(many_x, z) - log_q  # [1, K, 100]
    return -(row.phi_weights(log_w) * log_w).sum()


# %% slideshow={"slide_type": "fragment"}
def climb(name, K=64, steps=400, std=std, mean=mean, rate=0.02):
    """Exact KL(q || posterior) after each step, the mean of the copies."""
    row, noise = objectives.get(name), seeded(5)
    mu = mean.repeat(100, 1).requires_grad_()
    log_sigma = std.log().repeat(100, 1).requires_grad_()
    adam, distance = torch.optim.Adam([mu, log_sigma], lr=rate), []
    for _ in range(steps):
        eps = torch.randn(1, K, 100, 1, generator=noise, dtype=torch.float64)
        adam.zero_grad()
        surrogate(row, mu, log_sigma, eps).backward()
        adam.step()
        q = mu.detach(), log_sigma.detach().exp()
        distance.append(model.kl(many_x, *q).mean().item())
    return distance

# %% slideshow={"slide_type": "fragment"}
climbed = {}
for name in ("iwae", "elbo", "stl", "dreg"):
    climbed[name] = climb(name)
    last = max(climbed[name][-1], 1e-6)  # nobody needs it closer
    print(f"{name:>4}: KL after 50 steps {climbed[name][49]:.4f}", end=", ")
    print(f"after 400 steps {'at most ' if last == 1e-6 else ''}{last:.1e}")

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "KL from q to the posterior against training steps, logarithmic axis. IWAE falls from 0.6 to 0.3 in 400 steps. The ELBO falls fast and then stays near 0.001. STL and DReG fall below a millionth."}}
for (name, distance), color in zip(climbed.items(), (plots.IWAE, plots.ELBO, plots.Q, plots.CIWAE)):
    plt.semilogy([max(d, 1e-8) for d in distance], color=color, label=name)
plt.xlabel("step"), plt.ylabel("KL(q || posterior), nats"), plt.ylim(1e-8, 1), plt.legend()
plt.show()
assert climbed["iwae"][-1] > 0.2 and 5e-4 < climbed["elbo"][-1] < 4e-3
assert climbed["stl"][-1] < 1e-6 and climbed["dreg"][-1] < 1e-6 and climbed["stl"][49] < climbed["dreg"][49] < 0.02


# %% [markdown] slideshow={"slide_type": "fragment"}
# IWAE's encoder wanders: after 400 steps half of the distance is left. The ELBO arrives and goes on shaking, the noise of the score
# term. DReG and STL arrive and **stay**: at the posterior, which this family holds, their noise is 0. DReG needs a few more steps than STL, and it climbs
# the bound whose value we print.
#
# And a network? Take a VAE of 64 pixels and 10 latent dimensions, half-trained on digits. The SNR of each of its thousands of
# parameters is measured from 400 gradients. The cells train for some seconds, measure for some more, and print the median over parameters.

# %% slideshow={"slide_type": "subslide"} tags=["nbval-ignore-output"]
images = data.digits()
vae = train.untrained(images, seed=0)
_ = train.fit(vae, images, "iwae", M=1, K=8, epochs=20, seed=0)

# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
x_digit = data.binarise(images.train[:1], seeded(0))  # [1, 64]
measured = {}
for K in (1, 8, 64):
    for name in ("iwae", "stl", "dreg"):
        ratios = gradients.signal_to_noise(vae, x_digit, name, 1, K, 400, seeded(1))
        medians = ratios.phi.nanmedian().item(), ratios.theta.nanmedian().item()
        measured[name, K] = medians
        print(f"K = {K:2} {name:>4}: median SNR, encoder {medians[0]:.3f}", end="   ")
        print(f"decoder {medians[1]:.3f}")

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert measured["iwae", 64][0] < 0.5 * measured["iwae", 1][0] < measured["dreg", 1][0]
assert measured["dreg", 64][0] > 2 * measured["iwae", 64][0] and measured["iwae", 64][1] > 3 * measured["iwae", 1][1]
for one, other in ((("stl", 1), ("dreg", 1)), (("iwae", 8), ("dreg", 8))):
    assert math.isclose(measured[one][1], measured[other][1], rel_tol=1e-3)  # one decoder column
assert measured["dreg", 8][0] < measured["dreg", 1][0] and measured["dreg", 64][0] < 2 * measured["dreg", 8][0]
assert math.isclose(measured["stl", 1][0], measured["dreg", 1][0], rel_tol=1e-3)  # one row at K = 1

# %% [markdown] slideshow={"slide_type": "fragment"}
# The pattern of the reference model: the encoder's SNR falls in the rows *iwae*, towards the $0.034$ that pure noise would show with 400 draws; the
# decoder's rises. DReG keeps the encoder's at a level that can be learnt from. Whether it rises or falls from $K = 8$ to $64$ this table cannot say: a ratio from 400 draws has an error of its own, about
# $1/\sqrt{400} = 0.05$.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Without reparameterisation (may wait, with exercise 6)
#
# Everything so far let the samples move. What if they cannot: a discrete $z$, or somebody wrote `q.sample()` where `q.rsample()` was
# meant? Then $z$ is a fixed number for autograd. Two things can happen, and neither raises an error.
#
# * **Score term dropped as well.** Nothing depends on $\phi$ any more. The encoder's gradient is *exactly zero*, for ever.
# * **Score term kept.** What is left is $-\sum_k \tilde w_k s_k$. Its mean is 0 at $K = 1$; for large $K$ it is *minus* the wake update above:
#   the encoder walks **away** from the posterior.

# %% slideshow={"slide_type": "fragment"}
for K in (1, 8, 64):
    runs = draw(case, K, runs=20_000, seed=60 + K)
    fixed = -(runs.log_w.softmax(0) * runs.score).sum(0)  # z = q.sample()
    print(f"K = {K:2}: exact gradient {moments('iwae', 'mean', K)[0]:+.3f}", end="   ")
    print(f"with sample() {fixed.mean():+.3f}")
    assert abs(z_score(fixed, -wake[K])) < 4
assert abs(wake[1]) < 1e-9 and round(-wake[64], 2) == 1.23

# %% [markdown] slideshow={"slide_type": "fragment"}
# At $K = 64$ the mean is $+1.23$ where $-0.024$ is right: the wrong sign, fifty times too large. The remedy is the score function of
# chapter 02. For one value $\hat L = \log \frac1K \sum_k w_k$ of $K$ samples,
#
# $$ \nabla_\phi L_K = \mathbb E\left[ \hat L \sum_k s_k \;-\; \sum_k \tilde w_k s_k \right]
# = \mathbb E \sum_k \left( \hat L - \tilde w_k \right) s_k : $$
#
# the first part because the *distribution* of the samples moves, the second because $\hat L$ itself contains $-\log q$.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 6 · Spot the bug: the guide that learns nothing (hard, 10 minutes)
#
# The samples of this encoder cannot be differentiated, so `z` is detached, and that must stay. Mend the function so that its mean is
# $\nabla_\mu L_K$ all the same: return `[B]`. The check compares numbers, so use the formula above as it stands, with no baseline.
#
# <details><summary>Hint 1</summary>Which of the two parts of the formula does autograd find in L by itself, and which
# one not?</details>
#
# <details><summary>Hint 2</summary>Build a surrogate whose gradient is the formula above: the bound itself already
# has the second part. Add a number that is held fixed, times the sum of the log q: which number?</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def guide_gradient(mu, sigma, eps, log_joint):
    # [B], a number, [K, B], a function from [K, B] to [K, B]
    return None  # take this line away when you have mended the rest
    mu = mu.clone().requires_grad_()
    z = (mu + sigma * eps).detach()  # a sample that cannot be differentiated
    log_q = Normal(mu, sigma).log_prob(z)
    L = (log_joint(z) - log_q).logsumexp(0) - math.log(len(eps))  # [B]
    return torch.autograd.grad(L.sum(), mu)[0]

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["05.spot_the_guide"](guide_gradient)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def guide_gradient(mu, sigma, eps, log_joint):
    mu = mu.clone().requires_grad_()
    z = (mu + sigma * eps).detach()
    log_q = Normal(mu, sigma).log_prob(z)
    L = (log_joint(z) - log_q).logsumexp(0) - math.log(len(eps))
    surrogate = L + L.detach() * log_q.sum(0)
    return torch.autograd.grad(surrogate.sum(), mu)[0]


verdict = checks.ALL["05.spot_the_guide"](guide_gradient)
assert verdict.passed
verdict

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# The mended guide on the reference model: unbiased, and noisier than every estimator above.
eps = torch.randn(8, 100_000, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
found = guide_gradient(mean.flatten().repeat(100_000), sigma, eps, log_joint)
assert abs(z_score(found, moments("iwae", "mean", 8)[0])) < 4 and found.std() > 3 * moments("iwae", "mean", 8)[1]

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Less noise, and still no path (may wait)
#
# The mended guide is unbiased and noisy. As $\mathbb E[s_k] = 0$, anything that does not look at $z_k$ may be subtracted from what multiplies $s_k$, a **control variate** $c_k$:
#
# $$ \nabla_\phi L_K = \mathbb E \sum_k \left( \hat L - \tilde w_k - c_k \right) s_k . $$
#
# The best guess of $\hat L$ without a look at $z_k$ is $\hat L$ with another number in the place of $w_k$. VIMCO (Mnih and Rezende 2016) takes the geometric mean of the other weights, or the arithmetic one.
# OVIS (Liévin et al. 2020) asks for the smallest variance; for many small shares its answer is **zero** in the place of $w_k$. For the last two the factor of $s_k$ is
#
# $$ \underbrace{-\log(1 - \tilde w_k) - \tilde w_k + \log\left(1 - \tfrac1K\right)}_{\text{VIMCO, arithmetic}}, \qquad \underbrace{-\log(1 - \tilde w_k) - \tilde w_k}_{\text{OVIS}} . $$
#
# **Predict.** They differ by one number, the same for all samples, of mean zero once it is multiplied with scores. How much can it matter at $K = 64$?

# %% slideshow={"slide_type": "subslide"}
SCORES = {"none": control_variates.none, "VIMCO": control_variates.vimco}
SCORES["arithmetic"] = control_variates.vimco_arithmetic
SCORES["OVIS"] = control_variates.ovis
runs = draw(case, K=64, runs=10_000, seed=21)  # [64, 10000]
truth = moments("iwae", "mean", 64)[0]
for name, coefficient in SCORES.items():
    weights = coefficient(runs.log_w[None])[0]  # [64, 10000]
    estimate = (weights * runs.score).sum(0)  # [10000]
    print(f"{name:>10}: z {z_score(estimate, truth):+.1f}", end="   ")
    print(f"sd {estimate.std():.4f}   SNR {abs(truth) / estimate.std():.3f}")
    assert abs(z_score(estimate, truth)) < 4

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "Signal-to-noise against K, for q of half, 1.3 and 2.5 posterior widths, half a unit beside it. Narrow: plain IWAE is highest, DReG second, VIMCO and OVIS lie on one curve below, the plain score function far below. At 1.3 and 2.5: OVIS rises with slope 1/2, in the end above DReG; VIMCO falls from K = 4 and K = 32 on, IWAE and the plain score function fall from the start."}}
panels = {width: exact.RowGradients(exact.case_with(width, 0.5)) for width in (0.5, 1.3, 2.5)}
score_snr = {}
fig, axes = plt.subplots(1, 3, figsize=(11, 3.7), sharey=True)
for (width, rows), axis in zip(panels.items(), axes):
    for K in (Ks_drawn := [2, 4, 8, 16, 32, 64, 128, 256]):
        one = draw(exact.case_with(width, 0.5), K, runs=3_000, seed=K)
        for name, coefficient in SCORES.items():
            sd = (coefficient(one.log_w[None])[0] * one.score).sum(0).std().item()
            score_snr[width, name, K] = abs(rows.mean("iwae", "mean", K=K)) / sd
    for name, color, style in (("OVIS", plots.PIWAE, "o-"), ("VIMCO", plots.Q, "s-"), ("none", plots.PRIOR, "^-")):
        axis.loglog(Ks_drawn, [score_snr[width, name, K] for K in Ks_drawn], style, color=color, label=name)
    for name, color, style in (("dreg", plots.CIWAE, "--"), ("iwae", plots.IWAE, "--")):
        ratios = [rows.signal_to_noise(name, "mean", K=K) for K in Ks_drawn]
        axis.loglog(Ks_drawn, ratios, style, color=color, label={"dreg": "DReG", "iwae": "IWAE"}[name])
    axis.set(title=f"q {width} times as wide", xlabel="samples K", ylim=(2e-4, 30))
axes[0].set_ylabel("signal / noise"), axes[0].legend(fontsize=10)
plt.show()

print("SNR at K = 64: VIMCO and OVIS of 20 000 draws, IWAE and DReG exact")
print("widths  units off   VIMCO    OVIS    IWAE    DReG")
by_q = {}
for q in ((0.5, 0.5), (1.3, 0.5), (2.5, 0.5), (1.0, 1.5), (0.9, 0.1)):
    one, rows = draw(exact.case_with(*q), 64, runs=20_000, seed=4), exact.RowGradients(exact.case_with(*q))
    noise = [(SCORES[name](one.log_w[None])[0] * one.score).sum(0).std().item() for name in ("VIMCO", "OVIS")]
    by_q[q] = [abs(rows.mean("iwae", "mean", K=64)) / sd for sd in noise]
    by_q[q] += [rows.signal_to_noise(name, "mean", K=64) for name in ("iwae", "dreg")]
    print(f"{q[0]:6}  {q[1]:9}" + "".join(f"{ratio:8.2f}" for ratio in by_q[q]))

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
near = lambda found, quoted, tolerance=0.08: abs(found / quoted - 1) < tolerance
for name, quoted in (("VIMCO", 0.22), ("arithmetic", 0.12), ("OVIS", 7.0)):
    assert near(score_snr[1.3, name, 64], quoted)
assert score_snr[1.3, "none", 64] < 0.002
late = {name: math.log2(score_snr[1.3, name, 256] / score_snr[1.3, name, 64]) / 2 for name in SCORES}
assert abs(late["VIMCO"] + 0.5) < 0.06 and abs(late["arithmetic"] + 0.5) < 0.06 and abs(late["OVIS"] - 0.5) < 0.06
for q in ((0.5, 0.5), (1.0, 1.5)):  # one curve, under plain IWAE's and DReG's
    assert near(by_q[q][0], by_q[q][1], 0.03) and by_q[q][1] < 0.6 * min(by_q[q][2:])
assert by_q[2.5, 0.5][1] > 5 * by_q[2.5, 0.5][3] and by_q[0.9, 0.1][1] > 20 * by_q[0.9, 0.1][0]
assert by_q[1.3, 0.5][1] > by_q[1.3, 0.5][3]
of_stl = (control_variates.ovis(runs.log_w[None], gamma=1.0)[0] * runs.score).sum(0)
assert abs(z_score(of_stl, moments("stl", "mean", 64)[0])) < 4 and abs(z_score(of_stl, truth)) > 100
noise = torch.Generator().manual_seed(0)
ten = torch.randn(10, generator=noise, dtype=torch.float64).log_softmax(0)  # a posterior of ten states
by_states = {}
for which, log_q in (("near", ten + 0.1 * torch.randn(10, generator=noise, dtype=torch.float64)), ("sharp", 2 * ten)):
    log_q = log_q.log_softmax(0)
    state = torch.multinomial(log_q.exp(), 64 * 20_000, True, generator=noise).view(64, 20_000)
    for name in ("VIMCO", "OVIS"):
        weights = SCORES[name]((ten - log_q)[state][None])[0]
        gradient = torch.zeros(20_000, 10, dtype=torch.float64).scatter_add_(1, state.T, weights.T)
        gradient -= weights.sum(0)[:, None] * log_q.exp()  # for the logits
        by_states[which, name] = (gradient.mean(0).norm() / gradient.std(0).norm()).item()
assert near(by_states["near", "OVIS"], 0.47) and by_states["near", "VIMCO"] < 0.02
assert near(by_states["sharp", "OVIS"], 0.83) and near(by_states["sharp", "VIMCO"], 0.12, 0.15)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Some sixty times: OVIS has an SNR of $7.0$, arithmetic VIMCO of $0.12$. The constant is about $-1/K$, and $-\frac1K \sum_k s_k$ is noise of the size $K^{-1/2}$ over a signal of $1/K$. So VIMCO's SNR vanishes as that of plain IWAE does. What OVIS leaves is
# $\frac12 \tilde w_k^2$ and smaller terms: half a squared share times a score, where DReG has a squared share times a path.
#
# The picture shows three widths of $q$, half a unit beside the posterior; signals are exact, the noise of the score functions is from 3000 draws. The rows under it add two more $q$. **Middle and right:** OVIS rises like $\sqrt K$, and without a path it is in the end *above* DReG, most of all at $2.5$ widths.
# **Left:** where $q$ is narrow, the law needs moments that are infinite, as DReG's does. The noise comes from the few groups where one share is near 1. No guess without a look at its sample is good there: VIMCO and OVIS are one curve, under plain IWAE's.
# A $q$ of the right width, but $1.5$ units off, has moments that are finite and huge, and at $K = 64$ it is the same. Width alone does not tell: at $0.9$ widths, a tenth of a unit off, no share is large, and OVIS has far more than VIMCO.
#
# Two names more. OVIS has a second form, $\gamma = 1$. Its control variate contains $\tilde w_k$, looks at $z_k$, and is **biased**: its mean is that of STL, $-1.257$. And *VIMCO-★* (Daudel et al. 2026, who prove that VIMCO's SNR vanishes) has $\sqrt K$ too by its abstract;
# its formula we could not look up. All of it is in `control_variates`, not in the table below: a row weighs slopes of $\log w$ along samples that move.

# %% [markdown] slideshow={"slide_type": "skip"} tags=["pause"]
# **A natural pause.** Part 1 ends here: you have a gradient of $L_K$ that gets clearer with $K$, and your trainer has it too. Part 2
# finds the rule behind it, compares your trainer with the package, and goes from gradients to values: both sides, and less bias.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 7 · The rule in order (pen and paper, medium, 5 minutes)
#
# Two of the five lines knew which bound it was: line 1 by its weight, line 3 by that weight's derivative. Take **any** value $V$ that
# depends on $\phi$ through the log-weights, twice differentiable in them, and let $a_k = \partial V / \partial \log w_k$ be the weight that autograd gives to sample $k$. Put four of these lines in order; one of
# the five does not hold for every $V$, and is left out. Begin with what is wanted.
#
# * **A** · Into the first line:
#   $\nabla_\phi \mathbb E[V] = \mathbb E \sum_k \left( a_k - \partial a_k / \partial \log w_k \right) h_k$.
# * **B** · By the chain rule, the right side of the line before is $\mathbb E[(\partial a_k / \partial \log w_k)\, h_k]$.
# * **C** · Wanted: $\nabla_\phi \mathbb E[V] = \mathbb E \sum_k (a_k h_k - a_k s_k)$.
# * **D** · $\mathbb E[a_k s_k] = \mathbb E[a_k]\, \mathbb E[s_k] = 0$, for the score has mean zero.
# * **E** · From score to path:
#   $\mathbb E[a_k s_k] = \mathbb E[(\partial a_k / \partial z_k)(\partial z_k / \partial \phi)]$, with $\phi$ held fixed in $a_k$.
#
# <details><summary>Hint 1</summary>Which line treats two things as independent that depend on the same sample?</details>
#
# <details><summary>Hint 2</summary>Go down the five lines above with a_k in the place of the share. Which letter is line 1, and which
# two are lines 2 and 3?</details>

# %% slideshow={"slide_type": "skip"} tags=["stub"]
lines = ...  # the letters in order, "BCA"

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["05.rule_in_order"](lines)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
lines = "CEBA"

verdict = checks.ALL["05.rule_in_order"](lines)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The rule behind it
#
# For any value $V$ of the log-weights that has two derivatives, with $a_k = \partial V / \partial \log w_k$, the same lines end in
#
# $$ \nabla_\phi \mathbb E[V] \;=\; \mathbb E \sum_k \underbrace{a_k}_{\text{whole slopes}} (h_k - s_k)
# \;=\; \mathbb E \sum_k \underbrace{\left( a_k - \frac{\partial a_k}{\partial \log w_k} \right)}_{\text{path term only}} h_k . $$
#
# First derivative, minus the diagonal of the second. (A kink has no second derivative: for $V = \max_k \log w_k$ the rule does not hold.) For the ELBO $a = 1/K$ is constant and the correction vanishes: that is why its STL is
# unbiased. For $L_K$ it gives $\tilde w - (\tilde w - \tilde w^2) = \tilde w^2$. Autograd can do it for every row of the table.


# %% slideshow={"slide_type": "subslide"}
def weights_of(value, log_w):
    """The weights for whole slopes, and those for the path term alone: [M, K, B]."""
    slope = torch.func.grad(lambda log_w: value(log_w).sum())
    second = torch.func.jacrev(slope)(log_w)  # [M, K, B, M, K, B]
    return slope(log_w), slope(log_w) - torch.einsum("mkbmkb->mkb", second)


log_w = 2 * torch.randn(2, 3, 5, generator=seeded(0), dtype=torch.float64)  # [M, K, B]
for name in ("elbo", "iwae", "miwae", "ciwae"):
    whole, path_only = weights_of(objectives.get(name).value, log_w)
    sums = [part[..., 0].sum().item() for part in (whole, path_only)]
    print(f"{name:>5}: weights for whole slopes add up to {sums[0]:.3f}", end=", ")
    print(f"for the path alone to {sums[1]:.3f}")

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
share, pooled = log_w.softmax(1), dreg_weights(log_w).sqrt()
doubly = {name: weights_of(objectives.get(name).value, log_w)[1] for name in ("elbo", "iwae", "miwae", "ciwae")}
assert torch.allclose(doubly["elbo"], torch.full_like(log_w, 1 / 6))
assert torch.allclose(doubly["iwae"], pooled**2) and torch.allclose(doubly["miwae"], share**2 / 2)
assert torch.allclose(doubly["ciwae"], 0.5 / 6 + 0.5 * share**2 / 2)  # beta = 0.5

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Between ELBO and IWAE: VR-IWAE
#
# Chapter 04 mixed the two bounds outside the logarithm (CIWAE). Daudel, Benton, Shi and Doucet (2023) go between them *inside* it. For $0 \le \alpha < 1$,
#
# $$ L_K^{(\alpha)} = \frac{1}{1-\alpha}\; \mathbb E \log \frac1K \sum_k w_k^{1-\alpha} , $$
#
# which is $L_K$ at $\alpha = 0$ and tends to the ELBO as $\alpha \to 1$. (The estimate with $K$ samples is older: Li and Turner 2016.) The exponent makes the weights more even. For $K \to \infty$
# it tends to the variational Rényi bound $\frac{1}{1-\alpha} \log \mathbb E_q[w^{1-\alpha}]$, which is *below* $\log p(x)$ for every $\alpha > 0$, unless $q$ is the posterior.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "Left: exact VR-IWAE bounds against alpha for K = 1, 8, 64 and infinity. All meet at the ELBO for alpha = 1; at alpha = 0 they spread out to L_K, the one for infinity reaching log p(x). Right: exact signal-to-noise of the encoder's gradient against K for five alphas; it falls for alpha = 0 and rises for all others."}}
alphas = [i / 20 for i in range(21)]
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.9))
for K, color in ((1, plots.ELBO), (8, plots.MIWAE), (64, plots.IWAE)):
    left.plot(alphas, [exact_rows.value("vr_iwae", K=K, alpha=a) for a in alphas], color=color, label=f"K = {K}")
renyi = [(((1 - a) * grid.log_w + mass.log()).logsumexp(0) / (1 - a)).item() for a in alphas[:-1]]
left.plot(alphas[:-1], renyi, ":", color=plots.EXACT, label="K = ∞ (Rényi)")
plots.exact_line(left, log_p, "log p(x)")
for a in (0.0, 0.1, 0.25, 0.5, 0.9):
    pairs = [moments("vr_iwae", "mean", K, a) for K in Ks]
    right.loglog(Ks, [abs(m) / s for m, s in pairs], color=plt.cm.viridis(a), label=f"α = {a:g}")
left.set(xlabel="α", ylabel="nats"), right.set(xlabel="samples K", ylabel="signal / noise")
left.legend(fontsize=10), right.legend(fontsize=10)
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# Left: $\alpha$ slides every bound down to the ELBO. Right, whole slopes, score term kept: for every $\alpha > 0$ in the picture the encoder's SNR **rises** in the end. At $K = 64$ it is
# $0.07$ for IWAE, $1.17$ for $\alpha = 0.25$, $2.58$ for $\alpha = 0.5$. The price stands on the left: at $\alpha = 0.5$ the bound stops
# $0.23$ nats below $\log p(x)$, and no number of samples closes that gap.
#
# Daudel and Roueff (2024) derive the SNR of whole and of path-only gradients of this bound for large $K$, and find the path-only one better. (We have read their abstract, not their proofs.) Our table of seven $q$ agrees in its first row and its sixth, with slopes $-\frac12$ and
# $+\frac12$. The second is on its way there, and for the last $K$ is too small. The rows with less than $\frac34$ of the variance have not the moment that the rate of DReG needs here.
#
# **In many dimensions.** Let $q$ be the posterior, moved by its own width in each of $D$ dimensions. Then $\log w$ is normal, and everything is exact. **Predict**: which part of what the ELBO lacks do 64 samples **give back**, at $D = 1$, $100$ and $10\,000$? Does $\alpha$ help?

# %% slideshow={"slide_type": "subslide"}
def lacks(D, K, alpha):
    """Nats below log p(x). log w has the variance D, its tilt (1 - alpha)^2 D."""
    law = exact.shifted_law((1 - alpha) * D**0.5)  # of a weight with a normal logarithm
    of_the_tilt = law.lower(K).item()
    return alpha * D / 2 - of_the_tilt / (1 - alpha)


print("     D   the ELBO lacks, nats    64 samples give back, at alpha = 0, 0.25, 0.5")
for D in (1, 10, 100, 1_000, 10_000):
    print(f"{D:6}   {D / 2:20.1f}", end="")
    for alpha in (0.0, 0.25, 0.5):
        print(f"{1 - lacks(D, 64, alpha) / (D / 2):11.3f}", end="")
    print()

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
back = lambda D, K, alpha: 1 - lacks(D, K, alpha) / (D / 2)
assert [round(back(D, 64, 0.0), digits) for D, digits in ((1, 3), (100, 2), (10_000, 3))] == [0.974, 0.39, 0.046]
assert round(back(1_000, 64, 0.0), 2) == 0.14 and round(back(1_000, 10**6, 0.0), 2) == 0.28
for D in (1, 10, 100, 1_000, 10_000):
    assert back(D, 64, 0.0) > back(D, 64, 0.25) > back(D, 64, 0.5)
assert back(10_000, 64, 0.0) - back(10_000, 64, 0.5) < 0.001
line = torch.linspace(-9, 9, 20_001, dtype=torch.float64)
below = torch.special.ndtr(line)
largest = 9 - torch.trapezoid(below**64, line).item()  # of 64 normal numbers: 9 less the integral of its law
assert round(largest, 3) == 2.344 and largest < math.sqrt(2 * math.log(64))
assert [round(2 * largest / D**0.5, 3) for D in (1_000, 10_000)] == [0.148, 0.047]
for D, K, alpha in ((10, 5, 0.5), (40, 5, 0.0), (40, 7, 0.25)):  # by draws in D dimensions
    eps = torch.randn(20_000, K, D, generator=torch.Generator().manual_seed(D), dtype=torch.float64)
    log_w = (-0.5 * ((eps + 1) ** 2 - eps**2)).sum(-1)  # [20000, K]
    assert abs(z_score(bounds.vr_iwae(log_w.T[None], alpha), -lacks(D, K, alpha))) < 4

# %% [markdown] slideshow={"slide_type": "fragment"}
# $0.974$, $0.39$ and $0.046$ of it. This is the **collapse of the weights** (Daudel et al. 2023; we could read its abstract only, the rest here is ours): one weight is all there is, the bound is that weight's, $\max_k \log w_k - \frac{\log K}{1 - \alpha}$. With $e_K$ for the mean of the largest of $K$ standard normal numbers, $e_{64} = 2.344$,
# $2 e_K / \sqrt D$ of what the ELBO lacks is given back, to the first order: $0.148$ at $D = 1000$, where $0.140$ is exact. As $e_K \le \sqrt{2 \log K}$, in this ratio every bound of the family becomes the ELBO unless $\log K$ grows like $D$. At $D = 1000$ a million samples in place of 64 give back $0.28$ in place of $0.14$.
# $\alpha$ makes weights even and does not help: at every $D$ less is given back, and at $D = 10\,000$ all are within $0.001$.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
found = {a: moments("vr_iwae", "mean", 64, a) for a in (0.0, 0.25, 0.5)}
assert [round(abs(m) / s, 2) for m, s in found.values()] == [0.07, 1.17, 2.58]
assert round(log_p - renyi[10], 2) == 0.23
assert abs(exact_rows.value("vr_iwae", K=100_000, alpha=0.5) - renyi[10]) < 1e-4
for a in (0.1, 0.25, 0.5, 0.9):
    late = [abs(m) / s for m, s in (moments("vr_iwae", "mean", K, a) for K in (128, 256))]
    assert late[1] > late[0]
log_w = model.log_weights(x, mean, std, 20_000, 8, torch.Generator().manual_seed(8))
values = (0.5 * log_w).logsumexp(1)[:, 0] / 0.5 - math.log(8) / 0.5
assert abs(z_score(values, exact_rows.value("vr_iwae", K=8, alpha=0.5))) < 4

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 8 · A row of your own (medium, 8 minutes)
#
# VR-IWAE's row in the table keeps the score term, with shares $v$ of $w^{1-\alpha}$ inside each of the $M$ groups, divided by $M$. Give it a doubly
# reparameterised twin: the weights for the path term alone, `[M, K, B]`. By the rule, on paper first.
#
# <details><summary>Hint 1</summary>Which a does the row have now, and what is its derivative for the log-weight of
# the same sample?</details>
#
# <details><summary>Hint 2</summary>Here a = v / M, and d v / d log w = (1 - alpha)(v - v²), because the exponent 1 -
# alpha stands inside the softmax. Subtract, and test alpha = 0 and alpha = 1.</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def vr_dreg_weights(log_w, alpha):
    # Your lines here: [M, K, B], a number -> [M, K, B]
    ...

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["05.own_row"](vr_dreg_weights)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def vr_dreg_weights(log_w, alpha):
    share = ((1 - alpha) * log_w).softmax(1)
    return (alpha * share + (1 - alpha) * share**2) / len(log_w)


verdict = checks.ALL["05.own_row"](vr_dreg_weights)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The finished table
#
# This is the summit of chapters 03 to 05: **an estimator is a row.** A value, the weights of the decoder's gradient, the weights of the
# encoder's gradient, and whether the score term of $\log q$ is kept. $\tilde w$ is normalised over what the column says, and carries no gradient of its own.
#
# | row | value | weights for $\theta$ | weights for $\phi$ | score term | path-only twin for $\phi$ |
# |---|---|---|---|---|---|
# | ELBO | mean of $\log w$ | $1/(MK)$ | $1/(MK)$ | kept | $1/(MK)$ |
# | IWAE | $L_{MK}$ | $\tilde w$ over $MK$ | $\tilde w$ over $MK$ | kept | $\tilde w^2$ (this is DReG) |
# | MIWAE | mean over $M$ of $L_K$ | $\tilde w$ over $K$, $/M$ | the same | kept | $\tilde w^2/M$ |
# | CIWAE($\beta$) | $\beta$ ELBO $+ (1-\beta)$ MIWAE | $\beta/(MK) + (1-\beta)\, \tilde w / M$ | the same | kept | $\beta/(MK) + (1-\beta)\, \tilde w^2/M$ |
# | PIWAE | $L_{MK}$ for $\theta$, MIWAE for $\phi$ | $\tilde w$ over $MK$ | $\tilde w$ over $K$, $/M$ | kept | $\tilde w^2/M$ |
# | STL | $L_{MK}$ | $\tilde w$ over $MK$ | $\tilde w$ over $MK$ | dropped | biased for $MK > 1$ |
# | DReG | $L_{MK}$ | $\tilde w$ over $MK$ | $\tilde w^2$ over $MK$ | dropped | it is one |
# | VR-IWAE($\alpha$) | $L_K^{(\alpha)}$, mean over $M$ | $v$ over $K$, $/M$ | the same | kept | $(\alpha v + (1-\alpha)\, v^2)/M$ |
#
# with $v$ the share of $w^{1-\alpha}$. The code of the package *is* this table: `objectives.TABLE`. Here both columns of weights are held against autograd: those for $\theta$ against the slopes of the value, those for $\phi$ against the first weights of the rule where the score is kept, against the second where it is dropped.

# %% slideshow={"slide_type": "subslide"}
NAMES = ["elbo", "iwae", "miwae", "ciwae", "piwae", "stl", "dreg", "vr_iwae"]
table = {name: objectives.get(name) for name in NAMES}
log_w = 2 * torch.randn(2, 3, 5, generator=seeded(1), dtype=torch.float64)  # [M, K, B]
print("largest difference from autograd of the weights for theta and for phi")
print("     row     value   score     theta        phi   phi's sum   for phi")
for name, row in table.items():
    climbed_by_phi = bounds.miwae if name == "piwae" else row.value
    whole, path_only = weights_of(climbed_by_phi, log_w)
    for_phi = row.phi_weights(log_w)
    phi = (for_phi - (whole if row.keeps_score else path_only)).abs().max()
    theta = (row.theta_weights(log_w) - weights_of(row.value, log_w)[0]).abs().max()
    print(f"{name:>8}  {row.value(log_w)[0]:+8.3f}", end="   ")
    print("kept   " if row.keeps_score else "dropped", end=" ")
    print(f"{theta:8.6f}   {phi:8.6f}   {for_phi[..., 0].sum():9.3f}", end="   ")
    print("unbiased" if phi < 1e-9 else "BIASED")
    assert theta < 1e-9 and (phi < 1e-9) == (name != "stl")
    assert name != "stl" or torch.allclose(for_phi, whole)
assert torch.allclose(vr_dreg_weights(log_w, 0.5), weights_of(objectives.get("vr_iwae", alpha=0.5).value, log_w)[1])

# %% [markdown] slideshow={"slide_type": "fragment"}
# Every weight agrees with autograd but STL's for $\phi$: those are the ones for whole slopes, and the score is dropped. Where whole slopes are used, the weights add up to one; DReG's add up to $1/\mathrm{ESS}$,
# the effective sample size of chapter 02 upside down.


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
def by_the_table(network, x, row, M, K, seed):
    """The loss's gradient for each parameter from the row's two columns, without any hook."""
    eps = network.noise(x, M, K, torch.Generator().manual_seed(seed))
    log_p, log_q = network(x, eps, row.keeps_score)
    log_w = (log_p - log_q).detach()
    for_theta = -(row.theta_weights(log_w) * log_p).sum() / len(x)
    for_phi = -(row.phi_weights(log_w) * (log_p - log_q)).sum() / len(x)
    theta, phi = list(network.theta().values()), list(network.phi().values())
    slopes = torch.autograd.grad(for_theta, theta, retain_graph=True) + torch.autograd.grad(for_phi, phi)
    return zip(theta + phi, slopes)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
x_five = data.binarise(images.train[:5], torch.Generator().manual_seed(2))  # [5, 64]
for name, row in table.items():
    vae.zero_grad()
    objectives.backward(vae, x_five, row, M=2, K=3, generator=torch.Generator().manual_seed(4))
    for parameter, slope in by_the_table(vae, x_five, row, M=2, K=3, seed=4):
        assert torch.allclose(parameter.grad, slope, rtol=1e-3, atol=1e-5), name
assert torch.allclose(dreg_weights(log_w).sum((0, 1)), 1 / bounds.effective_sample_size(log_w.flatten(0, 1)[None])[0])

# %% [markdown] slideshow={"slide_type": "fragment"}
# *May wait:* the twins' means, on the reference model.

# %% slideshow={"slide_type": "subslide"}
M, K = 2, 3
runs = draw(case, M * K, runs=100_000, seed=9)
log_w = runs.log_w.view(M, K, -1)  # [M, K, B]
path, score = runs.path.view(M, K, -1), runs.score.view(M, K, -1)

# %% slideshow={"slide_type": "fragment"}
twins = {"elbo": torch.full_like(log_w, 1 / (M * K)), "iwae": dreg_weights(log_w)}
twins["miwae"] = log_w.softmax(1) ** 2 / M
twins["vr_iwae"] = vr_dreg_weights(log_w, 0.5)
print("             exact      whole     z     sd       twin     z     sd")
for name, weights in twins.items():
    whole = (objectives.get(name).phi_weights(log_w) * (path - score)).sum((0, 1))
    twin = (weights * path).sum((0, 1))
    expected = exact_rows.mean(name, "mean", M, K)
    print(f"{name:>8}  {expected:+8.4f}", end="")
    for each in (whole, twin):
        z = z_score(each, expected)
        print(f"   {each.mean():+8.4f}  {z:+4.1f}  {each.std():5.2f}", end="")
        assert abs(z) < 4
    print()
    assert twin.std() < 0.42 * whole.std() and (name != "elbo" or round((twin.std() / whole.std()).item(), 2) == 0.41)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The twin has the same mean (no z-score is above 4) and, for this $q$, at most 41% of the standard deviation, in the first row. For a $q$ much narrower than the posterior it has more, as in the table of DReG's ratios. Score-function gradients
# (chapter 02), InfoVAE's extra terms (chapter 06) and the jackknife below stand beside the table, not inside it. (The rule holds for the jackknife too: it is a value made of log-weights.)

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **10 minutes.** Hide the table and let them fill in a blank one in pairs: five columns, eight rows. Ask now: *the twins aside, which rows differ in one
# entry only?* (STL and DReG in the weights for phi; IWAE and STL in the score term.) *Which row's value is not what phi climbs?* (PIWAE.) Then run the check.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Your trainer, and the package's
#
# From chapter 01 on you wrote a trainer, piece by piece. Does it compute what the package computes? Two models: the reference model,
# with its decoder's slope free to learn, and a small VAE. $M = 2$, $K = 3$, $B = 5$ and the VAE's $L = 4$ differ, so that no exchanged
# axis can hide. A learning rate of 0 keeps the parameters where they are; the gradients that the optimiser steps by are compared, tensor by tensor.

# %% slideshow={"slide_type": "subslide"} tags=["nbval-ignore-output"]
training_step = cards.mine("01.training_step")
iwae_loss = cards.mine("03.iwae_bound")
two_goals = cards.mine("04.two_goals")
dreg_piece = cards.mine("05.dreg_loss")


# %% slideshow={"slide_type": "fragment"}
def step_of_mine(network, batch, name, theta, phi):
    """The gradients by which one step of your trainer steps."""
    eps = network.noise(batch, 2, 3, seeded(4))  # [M, K, B, L]
    nowhere, found = torch.optim.SGD([*theta, *phi], lr=0.0), []
    keep = lambda *_: found.extend(p.grad.clone() for p in [*theta, *phi])
    nowhere.register_step_post_hook(keep)
    if name == "piwae":
        nowhere.zero_grad()
        log_p, log_q = network(batch, eps)
        two_goals(log_p - log_q, theta, phi)
        nowhere.step()
    else:
        training_step(lambda x: loss_of(network, x, eps, name), batch, nowhere)
    return found


# %% slideshow={"slide_type": "fragment"}
def loss_of(network, batch, eps, name):
    """The loss of a row with one goal, of your pieces."""
    if name == "dreg":
        z, log_q = network.draw(batch, eps, keeps_score=False)
        return dreg_piece(network.log_joint(batch, z), log_q, z)
    log_p, log_q = network(batch, eps)
    return iwae_loss(log_p - log_q, name == "iwae")


def step_of_the_package(network, batch, name, parameters):
    for parameter in parameters:
        parameter.grad = None
    objectives.backward(network, batch, name, M=2, K=3, generator=seeded(4))

# %% slideshow={"slide_type": "fragment"}
slope = torch.nn.Parameter(model.weight.clone())  # theta of the reference model
five = torch.linspace(-1.0, 2.0, 5, dtype=torch.float64)[:, None]  # [B, 1]
reference = exact.Case(exact.LinearGaussian(slope, 0.7), five, mean, std)
with torch.random.fork_rng():
    torch.manual_seed(3)
    small = models.VAE(data_dim=64, latent_dim=4, hidden=(8,))
digits_five = data.binarise(images.train[:5], seeded(2))  # [5, 64]

compared = {  # model: (network, batch, theta by name, phi by name)
    "reference": (reference, five, {"slope": slope}, reference.phi()),
    "small VAE": (small, digits_five, small.theta(), small.phi()),
}

# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
MINE, differences = ("iwae", "miwae", "piwae", "dreg"), {}
for which, (network, batch, theta, phi) in compared.items():
    named = theta | phi
    for name in MINE:
        step_of_the_package(network, batch, name, named.values())
        expected = {key: p.grad.clone() for key, p in named.items()}
        lists = list(theta.values()), list(phi.values())
        for key, gradient in zip(named, step_of_mine(network, batch, name, *lists)):
            apart = (gradient - expected[key]).abs().max().item()
            differences[which, name, key] = apart, expected[key].abs().max().item()
    for key in named:
        print(f"{which} {key:>17}", end="")
        for name in MINE:
            print(f"   {name} {differences[which, name, key][0]:.0e}", end="")
        print()

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert len(differences) == 4 * (3 + 8)
assert all(apart < 1e-5 * max(1.0, largest) for apart, largest in differences.values())
assert all(largest > 0 for _, largest in differences.values())  # zeros would agree too

# %% [markdown] slideshow={"slide_type": "fragment"}
# The largest difference of each parameter's gradient, for IWAE, MIWAE, PIWAE and DReG. What is left is rounding. Where `cards.mine`
# said *your own answer*, these are your lines: **four rows of the table, in a trainer that you wrote.**

# %% [markdown] slideshow={"slide_type": "slide"}
# ## From both sides: L ≤ log p ≤ U
#
# Now the *value*. A lower bound alone never tells how far away it is. Write the average of $K + 1$ weights as $p(x)\, R$, with $\mathbb E[R] = 1$. Jensen
# works in both directions, for $\log$ is concave and $r \log r$ convex:
#
# $$ \mathbb E[\log R] \;\le\; \log \mathbb E[R] = 0 = \mathbb E[R] \log \mathbb E[R] \;\le\; \mathbb E[R \log R] . $$
#
# The left side is $L_{K+1} - \log p(x)$. What is the right side? $R$ is the mean of $K + 1$ ratios $w_k / p(x)$. Each turns the density of
# its own sample into the posterior, $q\, w / p(x) = p(z \mid x)$, and leaves the others alone. By symmetry all $K + 1$ terms are equal. So to
# weight by $R$ is to let **one sample, call it $z_0$, come from the posterior**:
#
# $$ \log p(x) \;\le\; U_K = \mathbb E_{z_0 \sim p(z|x)}\, \mathbb E_{z_1 \dots z_K \sim q}\; \log \frac{1}{K+1} \sum_{k=0}^{K} w_k . $$
#
# $U_0 = \log p(x) + KL(p(z|x) \,\|\, q)$ is the EUBO, the ELBO's twin. By the same two steps as in chapter 03, $U_K$ falls with $K$, and where $\chi^2$ is finite the gaps are
# mirror images for large $K$: $-\chi^2/(2(K+1))$ for $L_{K+1}$, $+\chi^2/(2(K+1))$ for $U_K$. Their midpoint has no $1/K$ term then. (How large must $K$ be? For a $q$ that is $1.5$ units off the gaps are still $0.86$ and $1.44$ nats at $K = 64$.)

# %% slideshow={"slide_type": "subslide"}
chi_squared = model.chi_squared(x, mean, std).item()
print(f"log p(x) {log_p:.4f}     U_0 = EUBO {model.eubo(x, mean, std).item():.4f}")
for K in (1, 4, 16, 64):
    lower, upper = weight_law.lower(K + 1).item(), weight_law.upper(K).item()
    law, middle = chi_squared / (2 * (K + 1)), (lower + upper) / 2
    print(f"K = {K:2}   L_K+1 {lower:.4f}   U_K {upper:.4f}", end="   ")
    print(f"gaps over the law {(log_p - lower) / law:.3f}", end=" ")
    print(f"{(upper - log_p) / law:.3f}", end="   ")
    print(f"midpoint {middle - log_p:+.6f}")
    assert lower < log_p < upper and abs(middle - log_p) < 0.05 * (upper - lower) + 0.02 / K
assert abs(weight_law.upper(0).item() - model.eubo(x, mean, std).item()) < 1e-8

# %% [markdown] slideshow={"slide_type": "fragment"}
# All exact. At $K = 64$ the two bounds enclose $\log p(x)$ within $0.011$ nats, and their midpoint is off by $0.00002$.
#
# **Where does one get a sample of the posterior?** For real data only in the limit of a long Markov chain. Two cases come with one free: *simulated* data, where the $z$ that made $x$ **is** a posterior
# sample (so one can test an encoder on the model's own fantasies: bidirectional Monte Carlo, Grosse et al. 2015), and hierarchical encoders, where $z$ was made
# by a distribution that one knows. Chapter 07 builds its whole bound on that sample.
#
# **A number that looks like an upper bound.** $\sum_k \tilde w_k \log w_k$ has the right *gradient*. As a value it is the
# ELBO at $K = 1$ and tends to the EUBO for $K \to \infty$. In between it crosses $\log p(x)$ and is a bound in **neither** direction:

# %% slideshow={"slide_type": "fragment"}
reported = {}
for K in (1, 2, 3, 8, 64, 1024):
    picked = weight_law.implied_posterior(K)  # the law of a sample picked by share
    reported[K] = (picked * grid.log_w).sum().item()
    where = "below" if reported[K] < log_p else "ABOVE"
    print(f"K = {K:4}   sum of w~ log w {reported[K]:.3f}", end="   ")
    print(f"{where} log p(x) = {log_p:.3f}")

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert reported[2] < log_p < reported[3] and abs(reported[1] - model.elbo(x, mean, std).item()) < 1e-9
assert abs(reported[1024] - model.eubo(x, mean, std).item()) < 1e-3
runs = draw(case, 3, runs=40_000, seed=11)
assert abs(z_score((runs.log_w.softmax(0) * runs.log_w).sum(0), reported[3])) < 4

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
lower, upper = weight_law.lower(65).item(), weight_law.upper(64).item()
far_off = exact.WeightLaw.of(exact.case_with(1.0, 1.5))
assert [round(abs(gap.item() - log_p), 2) for gap in (far_off.lower(65), far_off.upper(64))] == [0.86, 1.44]
assert round(upper - lower, 3) == 0.011 and round(abs((lower + upper) / 2 - log_p), 5) == 0.00002

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 9 · Spot the bug: a sandwich with one slice (medium, 7 minutes)
#
# An evaluation script is given `log_w` `[M, K, B]`, samples of $q$, and `log_w0` `[M, B]`, the log-weight of one posterior sample for each group. It
# reports a lower and an upper estimate, each averaged over $M$. Its upper one needs no posterior sample, which is suspicious. Mend it: return $L_K$ and $U_K$, stacked as `[2, B]`.
#
# <details><summary>Hint 1</summary>How many weights stand under the logarithm of U, and where does the first of them
# come from?</details>
#
# <details><summary>Hint 2</summary>Put the posterior's sample beside the other K: <code>torch.cat</code>
# along the K axis, which log_w0 has to get first. How many weights stand under the second logarithm then?</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def sandwich(log_w, log_w0):  # [M, K, B], [M, B]
    return None  # take this line away when you have mended the rest
    lower = (log_w.logsumexp(1) - math.log(log_w.shape[1])).mean(0)
    upper = (log_w.softmax(1) * log_w).sum(1).mean(0)
    return torch.stack([lower, upper])

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["05.sandwich"](sandwich)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def sandwich(log_w, log_w0):
    together = torch.cat([log_w0[:, None], log_w], 1)  # [M, K + 1, B]
    lower = (log_w.logsumexp(1) - math.log(log_w.shape[1])).mean(0)
    upper = (together.logsumexp(1) - math.log(together.shape[1])).mean(0)
    return torch.stack([lower, upper])


verdict = checks.ALL["05.sandwich"](sandwich)
assert verdict.passed
verdict

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# The mended sandwich, sampled, against the exact values.
generator = torch.Generator().manual_seed(12)
z_0 = posterior.mean + posterior.stddev * torch.randn(40_000, 1, 1, generator=generator, dtype=torch.float64)
log_w0 = model.log_joint(x, z_0) - Normal(mean, std).log_prob(z_0).sum(-1)  # [M, 1]
log_w = model.log_weights(x, mean, std, 40_000, 4, generator)  # [M, 4, 1]
each = torch.cat([sandwich(log_w[m : m + 100], log_w0[m : m + 100]) for m in range(0, 40_000, 100)], 1)  # [2, 400]
assert abs(z_score(each[0], weight_law.lower(4).item())) < 4
assert abs(z_score(each[1], weight_law.upper(4).item())) < 4

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The jackknife
#
# Here $L_K$ is one estimate from $K$ samples. Its bias has a known form, $-\frac{c_1}{K} - \frac{c_2}{K^2} - \dots$, with $c_1 = \chi^2/2$. From two values of $K$ one can solve for the limit. The subsets of the $K$ samples
# give us smaller $K$ for nothing: no new sample, no new decoding. Let $\bar L_{K-1}$ be the mean of the bound over the $K$ subsets that leave one sample out.
#
# $$ J_1 = K\, L_K - (K-1)\, \bar L_{K-1} \qquad\text{has bias}\qquad -c_1 + c_1 + O(K^{-2}) = O(K^{-2}). $$
#
# (A known form? It takes the moments that the law of chapter 03 takes, one more for each order.) Once more, and once more. The jackknife of order $m$ (Nowozin 2018; the general form is much older) is
#
# $$ J_m = \sum_{j=0}^{m} c(K, m, j)\, \bar L_{K-j}, \qquad c(K, m, j) = (-1)^j \frac{(K-j)^m}{(m-j)!\, j!}, $$
#
# whose bias is $O(K^{-(m+1)})$, with $\bar L_{K-j}$ the mean over all $\binom{K}{j}$ subsets of $K - j$ samples. Order 0 is $L_K$. The coefficients add up to one.

# %% slideshow={"slide_type": "subslide"}
log_w = model.log_weights(x, mean, std, M=2_000, K=8, generator=seeded(13))  # [M, 8, 1]
L_K = log_w.logsumexp(1) - math.log(8)  # [M, 1]
others = [[i for i in range(8) if i != j] for j in range(8)]  # without sample j
without = torch.stack([log_w[:, seven].logsumexp(1) - math.log(7) for seven in others])
first_order = (8 * L_K - 7 * without.mean(0)).mean(0)  # over the subsets, then over M

for order in range(5):
    each = bounds.jackknife(log_w.permute(2, 1, 0), order)  # one for each group, [2000]
    bias = exact_rows.value("jackknife", K=8, order=order) - log_p
    largest = max(map(abs, bounds.jackknife_coefficients(8, order)))
    error = each.std() / len(each) ** 0.5
    print(f"order {order}: bias, exact {bias:+.6f}", end=", ")
    print(f"measured {each.mean() - log_p:+.3f} ± {error:.3f}", end="   ")
    print(f"sd {each.std():.4f}   largest coefficient {largest:.1f}")
    assert abs(z_score(each, log_p + bias)) < 4 and round(error.item(), 3) == 0.007
assert torch.allclose(first_order, bounds.jackknife(log_w, order=1))

# %% [markdown] slideshow={"slide_type": "fragment"}
# Each order takes away most of the bias that is left: from $-0.048$ to $+0.005$ to $-0.0005$, in the exact column. Look at its **sign**: order 1 lies above $\log p(x)$. The measured column agrees, and cannot show a sign: its error is $0.007$.
# The coefficients tell why it is delicate: at order 4 they are in the hundreds, with both signs, and add up to one.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
for order, quoted, digits in ((0, -0.048, 3), (1, 0.005, 3), (2, -0.0005, 4)):
    assert round(exact_rows.value("jackknife", K=8, order=order) - log_p, digits) == quoted
assert 100 < max(bounds.jackknife_coefficients(8, 4)) < 1000
assert abs(sum(bounds.jackknife_coefficients(8, 4)) - 1) < 1e-9

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 10 · The coefficients (medium, 6 minutes)
#
# Return $c(K, m, j)$ for $j = 0, \dots, m$, in this order, as a list or a tensor. The order $m$ is `order` in the code.
#
# <details><summary>Hint 1</summary>What are they for order 1, by hand, and what do they add up to?</details>
#
# <details><summary>Hint 2</summary><code>math.factorial</code>, and a list over <code>range(order + 1)</code>: the
# sign (-1)^j, the power (K - j)^order, and two factorials below, of order - j and of j.</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def coefficients(K, order):
    # Your lines here.
    ...

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["05.coefficients"](coefficients)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def coefficients(K, order):
    below = [math.factorial(order - j) * math.factorial(j) for j in range(order + 1)]
    return [(-1) ** j * (K - j) ** order / below[j] for j in range(order + 1)]


verdict = checks.ALL["05.coefficients"](coefficients)
assert verdict.passed and coefficients(8, 1) == [8, -7]
verdict

# %% [markdown] slideshow={"slide_type": "subslide"}
# **The line behind it.** Draw the bound against $1/K$: what we want stands at $1/K = 0$. $J_1$ puts a straight line through the bounds of $K$ and $K - 1$ samples and reads it there, $J_2$ a parabola through three, and so on: the
# coefficients of exercise 10 are those of that reading. **Predict**: how must the bound bend for a line to land *above* $\log p(x)$, as in the table? And for a $q$ of $0.4$ posterior widths, at $K = 6$: how much of the bias does a line take away, and how much a quartic, order 4?

# %% slideshow={"slide_type": "subslide"} mystnb={"image": {"alt": "The lab in two states. Left, the bound against 1/K, and a line through two of its points that meets 1/K = 0 a little above log p(x); for a q of 0.4 posterior widths far below it, for there the bound bends down steeply near 0. Right, the size of the bias against K for orders 0 to 4, on logarithmic axes: each order falls more steeply, but for the narrow q hardly any does."}}
labs.ALL["05.line"]()

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Explain.** On the reference $q$ the bound bends downwards, so the line lands *above*, and at $K = 6$ by $0.011$ nats where the bound itself is $0.067$ below. Narrow $q$: its $\chi^2$ is infinite, the bound comes to $\log p(x)$ by a power below 1 of
# $1/K$, and a polynomial in $1/K$ cannot follow. Every order lands *below*: at 0.4 posterior widths and $K = 6$ order 1 takes $0.12$ of $0.76$ nats away, order 4 $0.21$.
#
# Right, **the rates**: orders 0, 1 and 2 run along slopes $-1$, $-2$ and $-3$ soon. Orders 3 and 4 change their sign on the way (the kinks).

# %% [markdown] slideshow={"slide_type": "fragment"}
# *May wait:* do orders 3 and 4 settle, at slopes $-4$ and $-5$? Their biases get too small for a computer's sixteen digits. So take an example that can be added up in sixty: weights
# that are 1 or 3, with probability one half each. Then $\mathbb E[L_K]$ is a binomial sum.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
lands = [exact_rows.value("jackknife", K=6, order=order) - log_p for order in range(2)]
assert [round(bias, 3) for bias in lands] == [-0.067, 0.011]
too_narrow = exact.WeightLaw.of(exact.case_with(0.4, 0.5))
short = [too_narrow.lower(K).item() - log_p for K in range(1, 7)]
of_order = [sum(c * short[5 - j] for j, c in enumerate(bounds.jackknife_coefficients(6, order))) for order in range(5)]
assert max(of_order) < 0 and [round(of_order[m] - of_order[0], 2) for m in (1, 4)] == [0.12, 0.21]
assert round(-of_order[0], 2) == 0.76
rates = [[exact_rows.value("jackknife", K=K, order=order) - log_p for K in (32, 64)] for order in range(3)]
assert [round(math.log2(abs(late / early))) for early, late in rates] == [-1, -2, -3]

# %% slideshow={"slide_type": "subslide"}
from decimal import Decimal, getcontext


def two_valued_bound(K):
    """Exact L_K for weights that are 1 or 3 with probability 1/2 each: E[w] = 2."""
    terms = (math.comb(K, i) * (Decimal(K + 2 * i) / K).ln() for i in range(K + 1))
    return sum(terms) / Decimal(2) ** K


def two_valued_bias(K, order):
    below = [math.factorial(order - j) * math.factorial(j) for j in range(order + 1)]
    factors = [Decimal((-1) ** j * (K - j) ** order) / n for j, n in enumerate(below)]
    return sum(c * exact_L[K - j] for j, c in enumerate(factors)) - Decimal(2).ln()

# %% slideshow={"slide_type": "fragment"}
getcontext().prec = 60  # digits
exact_L = {K - j: two_valued_bound(K - j) for K in (256, 512) for j in range(5)}
for order in range(5):
    early, late = two_valued_bias(256, order), two_valued_bias(512, order)
    rate = math.log2(abs(late / early))
    print(f"order {order}: bias {early:+.1e} at 256, {late:+.1e} at 512", end=": ")
    print(f"slope {rate:.2f}")
    assert abs(rate + order + 1) < 0.06

# %% [markdown] slideshow={"slide_type": "fragment"}
# Slopes $-1, -2, -3, -4, -5$: bias $O(K^{-(m+1)})$, as promised, for weights that are bounded.
#
# > **Where it fails.** For a Gaussian $q$ narrower than the posterior the weights have a tail of power $\kappa = 1/(1 - \sigma^2/\tau^2)$, and the slope ends at $-\min(m + 1,\ \kappa - 1)$: the order buys nothing beyond that. At $0.4$ of the posterior's variance
# > $\kappa - 1 = 0.67$, and from $K = 32$ to $64$ the orders 0, 1 and 2 fall with the slopes $-0.63$, $-0.72$ and $-0.74$ for a centred $q$, and half a unit off with $-0.39$, $-0.41$ and $-0.42$.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
for shift, quoted in ((0.0, [-0.63, -0.72, -0.74]), (0.5, [-0.39, -0.41, -0.42])):
    tailed = exact.RowGradients(exact.case_with(0.4**0.5, shift))
    bias_at = {K: [tailed.value("jackknife", K=K, order=m) - log_p for m in (0, 1, 2)] for K in (32, 64)}
    assert [round(math.log2(b / a), 2) for a, b in zip(bias_at[32], bias_at[64])] == quoted
assert round(1 / (1 - 0.4) - 1, 2) == 0.67

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What the jackknife costs
#
# One often reads that the price is a larger variance, more computing, and the loss of the bound. One by one:
#
# **Variance: not here.** On the reference model the standard deviation *falls* (the column *sd* above): order 1 has $0.94$ to $0.99$ of that of $L_K$ for $K = 6$ to $32$, and higher orders
# come close to it. It depends on the weights. For a $q$ of half the posterior's width, whose weights have infinite variance, order 1 has a third more noise than $L_K$, order 4
# about 70% more.
#
# **Computing: for order 1 hardly any.** No new decodings; $K$ more logarithms. Order $m$ asks for all $\binom{K}{m}$ subsets: at $K = 64$ and order 4 that is $635\,376$.
#
# **The guarantee: gone, and this one is serious.** On the reference model order 1 is above $\log p(x)$ for every $K$ from 3 to 64. An estimate may lie above: that is no harm. A *training objective* that may lie above invites
# the optimiser to raise it by making $q$ **worse**. Look at the encoder's exact gradient:

# %% slideshow={"slide_type": "fragment"}
for K in (6, 8, 16):
    print(f"K = {K:2}   encoder's exact gradient", end="")
    for order in range(3):
        slope = exact_rows.mean("jackknife", "mean", K=K, order=order)
        print(f"   order {order} {slope:+.4f}", end="")
        assert order == 2 or (slope > 0) == (order == 1)
    print()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The posterior is to the left, so a helpful gradient is negative. Order 1 is **positive**: climbing it moves $q$ away. For the *decoder* the jackknife's gradient is closer
# to that of $\log p(x)$ than $L_K$'s; report it, evaluate with it, and do not train an encoder by it.
#
# The upper bound $U_K$ has a bias of the same kind, in powers of $1/(K+1)$, and takes the same treatment (keep $z_0$ in every subset). It flips as well: at $K = 4$ its bias goes from
# $+0.073$ to $-0.002$, below $\log p(x)$.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# The numbers above: sds, subsets, signs, the decoder, and U_K's jackknife.
for K in (6, 32):
    log_w = model.log_weights(x, mean, std, 20_000, K, torch.Generator().manual_seed(K))[..., 0].T  # [K, M]
    S, top = (log_w - log_w.amax(0)).exp(), log_w.amax(0)
    order_0 = S.mean(0).log() + top
    order_1 = K * order_0 - (K - 1) * (((S.sum(0) - S) / (K - 1)).log().mean(0) + top)
    assert abs(z_score(order_1, exact_rows.value("jackknife", K=K, order=1))) < 4
    assert 0.93 < (order_1.std() / order_0.std()).item() < 0.995
narrow = model.log_weights(x, posterior.mean, 0.5 * posterior.stddev, 10_000, 6,
                           torch.Generator().manual_seed(1)).permute(2, 1, 0)
noise = {order: bounds.jackknife(narrow, order).std().item() for order in (0, 1, 4)}  # [1, 6, B]
assert 1.25 < noise[1] / noise[0] < 1.4 and 1.6 < noise[4] / noise[0] < 1.8
assert math.comb(64, 4) == 635_376
assert all(exact_rows.value("jackknife", K=K, order=1) > log_p for K in range(3, 65))
weight = model.weight.clone().requires_grad_()
of_log_p = torch.autograd.grad(exact.LinearGaussian(weight, 0.7).log_likelihood(x).sum(), weight)[0].item()
errors = [abs(exact_rows.mean("jackknife", "weight", K=8, order=m) - of_log_p) for m in (0, 1)]
assert errors[1] < errors[0]
U = [weight_law.upper(K).item() - log_p for K in (3, 4)]
assert round(U[1], 3) == 0.073 and round(5 * U[1] - 4 * U[0], 3) == -0.002

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **10 minutes.** Ask now, before the gradient cell: *J_1 is closer to log p(x) than L_K in every row. Would you train with it?* Collect votes. Then the cell. In the lab:
# *jackknife, K = 6*, order 0, 1, 2, and watch the triangle at the top right jump over the dashed line, while the one on the left changes sides.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## No bias at all, and what that costs (may wait)
#
# The jackknife leaves a bias. SUMO (Luo et al. 2020) leaves none. With $\hat L_k = \log \frac1k \sum_{j \le k} w_j$, write $\log p(x)$ as the first bound and all steps after it, and cut the series at a random length $N$. A step that is there with probability $P(N \ge k)$ is divided by it:
#
# $$ \log p(x) = \mathbb E\left[ \hat L_1 + \sum_{k=1}^{N} \frac{\hat L_{k+1} - \hat L_k}{P(N \ge k)} \right] . $$
#
# With $Y_n$ for the bracket at $N = n$, its mean exists only if $\sum_n P(N = n)\, \mathbb E|Y_n|$ is finite. Take two $P$: a power, $k^{-1.2}$, and $1/k$ up to 80, then a tenth less at each step. **Predict**: which has a mean? And a variance?

# %% slideshow={"slide_type": "subslide"}
log_w = draw(case, K=388, runs=10_000, seed=0).log_w  # [388, 10000]
k = torch.arange(1, 389)
tails = {"power": roulette.survival(k)}
tails["geometric"] = 1 / k.clamp(max=80) * 0.9 ** (k - 80).clamp(min=0)
L = log_w.logcumsumexp(0) - k.double().log()[:, None]
part = {}
for name, P in tails.items():
    Y = L[0] - log_p + (L.diff(dim=0) / P[:-1, None]).cumsum(0)  # a row for each n
    print(f"{name:>9}: n P(N = n) E|Y_n - log p|", end="")
    for n in (100, 150, 200, 387):
        part[name, n] = (n * (P[n - 1] - P[n]) * Y[n - 1].abs().mean()).item()
        print(f"   {part[name, n]:.3f} at n = {n}", end="")
    print()

# %% slideshow={"slide_type": "fragment"}
for longest in (20, 80, 387):
    N = roulette.lengths(1, 10_000, longest, seeded(50))
    each = roulette.sumo(log_w[None], N)
    bound = weight_law.lower(longest + 1).item()
    print(f"at most {longest:3} steps: exact bias {bound - log_p:+.4f}", end="   ")
    print(f"measured {each.mean() - log_p:+.3f}, sd {each.std():.2f}", end="   ")
    print(f"samples {1 + tails['power'][:longest].sum():.1f} on average")
    assert abs(z_score(each, bound)) < 4
six = weight_law.lower(6).item() - log_p, weight_law.variance(6).sqrt().item()
print(f"L_6 beside it:     exact bias {six[0]:+.4f}          exact sd {six[1]:.2f}")

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
for n in (150, 387):
    assert round(part["geometric", n], 2) == 0.16
assert [round(part["power", n], 3) for n in (100, 387)] == [0.067, 0.035]
Y = L[0] + (L.diff(dim=0) / tails["power"][:-1, None]).cumsum(0) - log_p
errors = []
for longest in (80, 387):  # the mean over all lengths is taken exactly, that over the weights by draws
    chance = tails["power"][:longest] - tails["power"][1 : longest + 1]
    chance[-1] = tails["power"][longest - 1]
    errors.append((chance[:, None] * Y[:longest] ** 2).sum(0).mean().sqrt().item())
assert [round(error, 1) for error in errors] == [2.2, 2.9]  # what the sd of 10 000 estimates is near to
each_sd = {
    longest: roulette.sumo(log_w[None], roulette.lengths(1, 10_000, longest, seeded(50))).std().item()
    for longest in (80, 387)
}
assert 2.2 < each_sd[80] < 2.3 and 2.8 < each_sd[387] < 2.9 and errors[0] / six[1] > 5
assert round(1 + tails["power"][:80].sum().item(), 1) == 4.5
assert round(weight_law.lower(81).item() - log_p, 4) == -0.0044
assert round(six[1], 2) == 0.38 and round(six[0], 3) == -0.067
apart = exact.case_with(1.0, 1.5)
lost = []
for seed in range(3):
    far = apart.log_weights(apart.x, 10_000, 388, torch.Generator().manual_seed(seed)).permute(2, 1, 0)
    lost.append(log_p - roulette.sumo(far, roulette.lengths(1, 10_000, 387, seeded(seed + 50))).mean().item())
assert round(min(lost), 1) == 0.2 and round(max(lost), 1) == 0.5
assert round(log_p - far_off.lower(388).item(), 2) == 0.4

# %% [markdown] slideshow={"slide_type": "fragment"}
# For large $k$ a step has the variance $\chi^2/k^2$, if that is finite. With $k^{-a}$ the standard deviation of $Y_n$ is of the order $n^{a - 1/2}$ and $P(N = n)$ of $n^{-a-1}$: the terms fall like $n^{-3/2}$, and **the mean exists**. With the geometric tail they are $0.16/n$ at $n = 150$ and at $387$. Their sum has no end, above zero and below: **this estimate has no mean at all**, and 10 000 draws do not tell.
#
# The mean length of the power is $\sum k^{-a}$, finite for $a > 1$. Its variance is of the order $\sum k^{a-2}$, finite for $a < 1$. By Cauchy and Schwarz $\left(\sum \frac1k\right)^2 \le \sum P(N \ge k) \sum \frac{1}{k^2 P(N \ge k)}$: **added sample by sample, cost and variance are not both finite**, for any $P$ and any $q$ but the posterior. (Steps that double the samples and subtract the mean of both halves' bounds have both, if $\mathbb E[r^4]$ is finite: such a step is of the size $1/k$.)
#
# So one cuts at a longest length $T$, and the mean is then that of $L_{T+1}$, exactly. At $T = 80$ the bias is $-0.0044$ for $4.5$ samples on average, where $L_6$ has $-0.067$. The price: its standard deviation comes out at $2.26$ nats, and at $2.83$ for $T = 387$, where $L_6$ has $0.38$. Its use is where many estimates are added up, and their biases with them. And for a $q$ that is $1.5$ units off the bias at $T = 387$ is $-0.40$ nats, exactly, and three times 10 000 estimates come out $0.2$ to $0.5$ below.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What $L_K$ is, and what else an encoder may climb (may wait)
#
# **$L_K$ is an ELBO.** Domke and Sheldon (2018), on the space of all $K$ samples: with $\hat q(z_{1:K}) = \frac{p(x, z_1)}{\frac1K \sum_k w_k} \prod_{k \ge 2} q(z_k)$,
#
# $$ \log p(x) - L_K = KL\Big( \hat q(z_{1:K}) \,\Big\|\, p(z_1 \mid x) \prod_{k \ge 2} q(z_k) \Big) . $$
#
# The proof is one line: the ratio of the two densities is $p(x) / \frac1K \sum_k w_k$, and under $\hat q$ all $K$ places are alike. So a tighter $L_K$ *is* a smaller KL, of the resampled $\hat q$, not of $q$.
#
# **Why not train q directly?** Finke and Thiery (2019; AISLE) let the encoder, an importance proposal, descend a divergence from the posterior outright. With
# $r = w/p(x)$ the gradients are
#
# $$ -\nabla_\phi KL(p(z|x) \| q) = \mathbb E_q[r\, s] = \mathbb E_q[r\, h], $$
#
# $$ -\tfrac12 \nabla_\phi \chi^2(p(z|x) \| q) = \mathbb E_q[r^2 h] . $$
#
# Estimated with $\tilde w \approx r/K$, the first is STL and the second ($K$ times) DReG. Seen from there STL has another aim, and is biased only as its shares are: its mean at $K = 64$ is $-1.257$, where $-1.247$ is meant.

# %% slideshow={"slide_type": "skip"}
# r s, r h and r^2 h on the reference model, against exact divergences.
r = (grid.log_w - log_p).exp()
expectation = lambda f: (mass * f).sum().item()
mu = mean.clone().requires_grad_()
KL_slope = torch.autograd.grad(model.reverse_kl(x, mu, std).sum(), mu)[0].item()
chi_slope = torch.autograd.grad(model.chi_squared(x, mu, std).sum(), mu)[0].item()
print(f"-grad KL(posterior || q) {-KL_slope:+.4f}", end="   ")
print(f"E[r s] {expectation(r * grid.score):+.4f}", end="   ")
print(f"E[r h] {expectation(r * grid.path):+.4f}")
print(f"-grad chi^2 / 2          {-chi_slope / 2:+.4f}", end="   ")
print(f"E[r^2 h] {expectation(r**2 * grid.path):+.4f}")
at_1024 = 1024 * moments("iwae", "mean", 1024)[0]
print(f"K times the gradient of L_K at K = 1024: {at_1024:+.4f}")
assert abs(expectation(r * grid.score) + KL_slope) < 1e-6 and abs(expectation(r * grid.path) + KL_slope) < 1e-6
assert abs(expectation(r**2 * grid.path) + chi_slope / 2) < 1e-6
assert abs(1024 * moments("iwae", "mean", 1024)[0] + chi_slope / 2) < 0.01

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Which estimator?
#
# For the encoder: first what $q$ is for, then who has the signal. The numbers first, for a $q$ that starts so many posterior widths wide and so many units off: exact SNRs, and the KL that is left after climbs like those of *What it buys*, by Adam in steps of $0.02$ or $0.1$. An SNR is of one point and does not rank trainings: the step size and the last step count too.

# %% slideshow={"slide_type": "subslide"}
STARTS = {"the reference q": (1.3, 0.5), "2.5 widths, 0.5 units off": (2.5, 0.5)}
STARTS |= {"half the width, 0.5 off": (0.5, 0.5), "1 width, 1.5 off": (1.0, 1.5)}
print("SNR for q's mean at K = 64          ELBO      IWAE      DReG")
for start, q in STARTS.items():
    here = exact.RowGradients(exact.case_with(*q))
    print(f"{start:>30}", end="")
    for name in ("elbo", "iwae", "dreg"):
        print(f"{here.signal_to_noise(name, 'mean', K=64):10.3f}", end="")
    print()

# %% slideshow={"slide_type": "fragment"}
far = {"mean": posterior.mean + 1.5, "std": posterior.stddev}
thin = {"std": 0.05**0.5 * posterior.stddev}
CLIMBS = {
    "1 width, 1.5 off; by 0.02": far,
    "0.22 widths, 0.5 off; by 0.02": thin,
    "0.22 widths, 0.5 off; by 0.1": thin | {"rate": 0.1},
}
left = {}
print("KL left (1e-06: or less) after  steps     ELBO     IWAE     DReG      STL")
for start, settings in CLIMBS.items():
    climbs = [climb(name, **settings) for name in ("elbo", "iwae", "dreg", "stl")]
    for steps in (100, 400):
        left[start, steps] = [max(climb[steps - 1], 1e-6) for climb in climbs]
        print(f"{start:>30}  {steps:5}", end="")
        print("".join(f"{kl:9.2g}" for kl in left[start, steps]))

# %% [markdown] slideshow={"slide_type": "subslide"}
# | you want | and $q$ | climb | because |
# |---|---|---|---|
# | the posterior, which the family holds | starts wide, narrow or far off | STL | after 400 steps it is nearest in each of the three climbs. (In the first 100 steps of $0.02$ the ELBO is ahead.) |
# | the best $L_K$ | is near, or wider: small shares | DReG | first and second row of SNRs: more signal than IWAE |
# | the best $L_K$ | is narrow or far off: at times a share near 1 | STL or the ELBO first | third and fourth row: IWAE has more signal than DReG, the ELBO more than both. Which of IWAE and DReG is ahead after 100 steps from a narrow $q$, the step size decides |
# | the best $L_K$ | lacks the posterior | DReG or IWAE; STL and the ELBO go elsewhere (chapter 04) | at the ELBO's width for a correlation of $0.8$, half a unit off, they are alike: SNRs of $0.28$ and $0.27$ (drawn, $\pm 0.01$) |
# | the best $L_K$ | is discrete, or its samples cannot move | OVIS; with a share near 1 VIMCO is as good | the rows under the picture of *Less noise*. With ten states and a $q$ twice too sharp OVIS has $0.83$, VIMCO $0.12$ (drawn) |
#
# | purpose | take | because |
# |---|---|---|
# | the decoder | plain shares over all $MK$ | its SNR rises from $0.69$ to $4.7$ between $K = 1$ and $256$ |
# | to report $\log p(x)$ | $L_K$ with a large $K$; with $U_K$ where a posterior sample comes with $x$ | at $K = 64$ they enclose it within $0.011$ nats |
# | to see how far $L_K$ is | the jackknife, if shares are small; do not climb it | at $K = 6$ its bias is $+0.011$, that of $L_K$ $-0.067$; but at $1.5$ units off, $K = 64$, it shows $0.36$ of $0.865$ nats |
# | many dimensions | a better $q$, not a larger $K$ | at $D = 100$ and a shift of one width 64 samples give back $0.39$ of what the ELBO lacks |

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# What the table adds: a q of the right width that is far off, and a q in two dimensions that cannot be the posterior.
for start, q in STARTS.items():
    here = exact.RowGradients(exact.case_with(*q))
    elbo, iwae, dreg = (here.signal_to_noise(name, "mean", K=64) for name in ("elbo", "iwae", "dreg"))
    assert (dreg > iwae) == (q[0] > 1.2) and (q[0] > 1.2 or elbo > iwae)
for start in CLIMBS:
    assert left[start, 400][3] == 1e-6 == min(left[start, 400])
far, slow, fast = ([left[start, steps] for steps in (100, 400)] for start in CLIMBS)
assert all(climb[0][0] == min(climb[0]) for climb in (far, slow))
assert slow[0][1] < slow[0][2] and fast[0][1] > fast[0][2]
shown = 63 * (far_off.lower(64) - far_off.lower(63)).item()  # order 1 less order 0
assert round(shown, 2) == 0.36 and abs(log_p - far_off.lower(64).item() - 0.865) < 0.001
precision = torch.linalg.inv(torch.tensor([[1.0, 0.8], [0.8, 1.0]], dtype=torch.float64))
width = precision[0, 0].rsqrt()  # the best of the ELBO: variance 0.36
eps = torch.randn(64, 20_000, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
z = torch.tensor([0.5, 0.0]) + width * eps
log_w = -0.5 * torch.einsum("kni,ij,knj->kn", z, precision, z) + 0.5 * eps.square().sum(-1)  # up to a constant
share, path, score = log_w.softmax(0), (eps / width - z @ precision)[..., 0], (eps / width)[..., 0]
for weighed, quoted in (((share**2 * path).sum(0), 0.28), ((share * (path - score)).sum(0), 0.27)):
    assert abs(weighed.mean().abs() / weighed.std() - quoted) < 0.03

# %% [markdown] slideshow={"slide_type": "skip"} tags=["quiz"]
# ## Before you go on: three questions
#
# Choose an answer before you open one. Each says why it is right, or what leads to it.
#
# **1 ·** The score term has mean zero. Why may one drop it from the gradient of the ELBO, and not from that of $L_K$
# for $K > 1$?
#
# <details><summary>A · One may: for large K the difference vanishes, as the whole gradient does</summary>
#
# It does not vanish. It tends to $-\nabla_\phi KL(p(z \mid x) \,\|\, q)$, while the gradient that is wanted vanishes.
#
# </details>
#
# <details><summary>B · There a share of the same sample multiplies each score</summary>
#
# Right. The score alone has mean zero. Its product with something that goes up and down with it need not have.
#
# </details>
#
# <details><summary>C · There the score has a larger variance</summary>
#
# Noise never moves a mean. What is dropped must have *mean* zero, be it quiet or noisy.
#
# </details>
#
# **2 ·** Two samples have shares ½ and ½. DReG weighs their path terms with ¼ and ¼, which do not add up to 1. Is the
# gradient too small?
#
# <details><summary>A · Yes: the squared shares should be divided by their sum</summary>
#
# Then the mean would be another one. How small $\sum_k \tilde w_k^2$ is belongs to the gradient: for large $K$ it is
# of the order $1/K$, and so is the signal.
#
# </details>
#
# <details><summary>B · Yes, but Adam makes up for the scale</summary>
#
# Nothing is to be made up for. The mean is that of the full gradient, exactly.
#
# </details>
#
# <details><summary>C · No: the score term took the rest away on average</summary>
#
# Right. $\mathbb E[\tilde w_k s_k] = \mathbb E[(\tilde w_k - \tilde w_k^2)\, h_k]$, so $\tilde w_k h_k - \tilde w_k
# s_k$ has the mean of $\tilde w_k^2 h_k$.
#
# </details>
#
# **3 ·** The jackknife of order 1 is much nearer to $\log p(x)$ than $L_K$ is. Why not train an encoder on it?
#
# <details><summary>A · It may lie above log p(x): a worse q can raise it</summary>
#
# Right. It is a good *estimate* and no bound. On the reference model its gradient pushes $q$ away from the posterior.
#
# </details>
#
# <details><summary>B · Its variance is too large</summary>
#
# Not in general: on the reference model its standard deviation is *below* that of $L_K$.
#
# </details>
#
# <details><summary>C · It needs many more decoder passes, one for each subset of samples</summary>
#
# It needs none. It puts the same $K$ log-weights under more logarithms, one for each subset.
#
# </details>
#
# <details><summary>D · A smaller bias is of no use for a gradient</summary>
#
# It is of use for the *decoder*: on the reference model the jackknife's gradient is the one nearer to that of $\log
# p(x)$.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What to take along
#
# | | formula | in code |
# |---|---|---|
# | two terms | $\nabla_\phi \log w = h - s$ | hold $\mu, \sigma$ fixed inside $\log q$: only $h$ is left |
# | STL | $\sum \tilde w\, h$: unbiased at $K = 1$ only | `objectives.get("stl")` |
# | DReG | $\sum \tilde w^2 h$: IWAE's mean; SNR $\sim \sqrt K$ if $\sigma^2 > \tfrac34 \tau^2$ | `objectives.get("dreg")` |
# | the rule | path-only weight $= a_k - \partial a_k / \partial \log w_k$ | `weights_of` above |
# | between ELBO and IWAE | $\frac{1}{1-\alpha} \log \frac1K \sum w^{1-\alpha}$ | `bounds.vr_iwae(log_w, alpha)` |
# | both sides | $L_{K+1} \le \log p(x) \le U_K$, for large $K$ mirror-image gaps if $\chi^2$ is finite | one posterior sample among the $K + 1$ |
# | no path | $-\log(1-\tilde w) - \tilde w$ times the score: SNR $\sim \sqrt K$ as DReG's | `control_variates.ovis(log_w)` |
# | jackknife | $\sum_j c(K, m, j)\, \bar L_{K-j}$: bias $O(K^{-(m+1)})$ where the moments exist; no bound | `bounds.jackknife(log_w, order)` |
#
# **Next.** All these bounds give $q(z \mid x)$ a better posterior to chase. Chapter 06 asks another question: what if the *code* is what we want, and the bound does not care whether $z$
# says anything about $x$?
#
# ### References
#
# * G. Roeder, Y. Wu, D. Duvenaud (2017). *Sticking the Landing: Simple, Lower-Variance Gradient Estimators for Variational Inference.* NeurIPS. [arXiv 1703.09194](https://arxiv.org/abs/1703.09194)
# * G. Tucker, D. Lawson, S. Gu, C. Maddison (2019). *Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives.* ICLR. [arXiv 1810.04152](https://arxiv.org/abs/1810.04152)
# * T. Rainforth et al. (2018). *Tighter Variational Bounds are Not Necessarily Better.* ICML. [arXiv 1802.04537](https://arxiv.org/abs/1802.04537)
# * J. Bornschein, Y. Bengio (2015). *Reweighted Wake-Sleep.* ICLR. [arXiv 1406.2751](https://arxiv.org/abs/1406.2751)
# * S. Nowozin (2018). *Debiasing Evidence Approximations: On Importance-weighted Autoencoders and Jackknife Variational Inference.* ICLR, [openreview HyZoi-WRb](https://openreview.net/forum?id=HyZoi-WRb)
# * K. Daudel, J. Benton, Y. Shi, A. Doucet (2023). *Alpha-divergence Variational Inference Meets Importance Weighted Auto-Encoders.* [arXiv 2210.06226](https://arxiv.org/abs/2210.06226)
# * Y. Li, R. Turner (2016). *Rényi Divergence Variational Inference.* NeurIPS. [arXiv 1602.02311](https://arxiv.org/abs/1602.02311)
# * K. Daudel, F. Roueff (2024). *Learning with Importance Weighted Variational Inference: Asymptotics for Gradient Estimators of the VR-IWAE Bound.* [arXiv 2410.12035](https://arxiv.org/abs/2410.12035)
# * R. Grosse, Z. Ghahramani, R. Adams (2015). *Sandwiching the marginal likelihood using bidirectional Monte Carlo.*
# * J. Domke, D. Sheldon (2018). *Importance Weighting and Variational Inference.* NeurIPS. [arXiv 1808.09034](https://arxiv.org/abs/1808.09034)
# * A. Finke, A. Thiery (2019). *On importance-weighted autoencoders.* [openreview ryg7jhEtPB](https://openreview.net/forum?id=ryg7jhEtPB)
# * V. Liévin, A. Dittadi, A. Christensen, O. Winther (2020). *Optimal Variance Control of the Score-Function Gradient Estimator for Importance-Weighted Bounds.* NeurIPS. [arXiv 2008.01998](https://arxiv.org/abs/2008.01998)
# * A. Mnih, D. Rezende (2016). *Variational Inference for Monte Carlo Objectives.* ICML. [arXiv 1602.06725](https://arxiv.org/abs/1602.06725)
# * K. Daudel et al. (2026). *Importance Weighted Variational Inference without the Reparameterization Trick.* [arXiv 2602.01412](https://arxiv.org/abs/2602.01412)
# * Y. Luo et al. (2020). *SUMO: Unbiased Estimation of Log Marginal Probability for Latent Variable Models.* ICLR. [arXiv 2004.00353](https://arxiv.org/abs/2004.00353)
