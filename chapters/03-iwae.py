# %% [markdown] slideshow={"slide_type": "slide"}
# # Many samples under one logarithm: IWAE
#
# When you leave this page you will be able to
#
# * **write** the importance-weighted bound $L_K$ so that it survives log-weights of $-10\,000$;
# * **prove** that it rises with $K$, and **predict** how fast;
# * **compute** its gradient by hand, as shares of credit, and **write** it as the loss of your own trainer;
# * **measure** what $K$ costs, and compare two models fairly, with $K = 5000$;
# * **find** bugs that live in other people's code of this bound.
#
# You need chapters 00 and 01: log-weights `[M, K, B]`, the ELBO, a VAE. Chapter 02 helps with importance sampling.
#
# **Part 1: reading 45 minutes, doing 45 minutes. Part 2: reading 40 minutes, doing 20 minutes.**

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **Teaching this chapter: 90 minutes.** 10 prediction and lab, 10 the bound and the proof, 10 the rate, 10 exercise 1 and
# 3 in pairs, 15 the gradient with exercise 4, 10 cost and $K = 5000$, 15 digits and the riddle, 10 a bug of your choice.
# Short of time: leave out *The posterior you get for free*, *The other way* and exercises 2, 5, 6 and 8. Never leave out the riddle: it is
# chapter 04's first slide.
#
# Run the cell under *Three models on digits* before the lesson begins. It trains for a minute or two.

# %% slideshow={"slide_type": "skip"}
import math
import time

import matplotlib.pyplot as plt
import torch
from torch.distributions import Normal

from vaecourse import bounds, checks, data, evaluate, exact, labs
from vaecourse import objectives, plots, train
from vaecourse.exact import case_with

plots.use_style()


def seeded(number):  # noise that is the same for everybody
    return torch.Generator().manual_seed(number)

# %% [markdown] slideshow={"slide_type": "skip"} tags=["recall"]
# ## Before you begin: two questions from before
#
# Choose an answer before you open one.
#
# **1 · (from 01)** On one data point the ELBO is $0.609$ nats below $\log p(x)$. You change only $q$. What can happen to
# the two numbers?
#
# <details><summary>A · Both may change: a better q makes the model more probable</summary>
#
# $\log p(x)$ is an integral over the prior and the likelihood. There is no $q$ in it.
#
# </details>
#
# <details><summary>B · The ELBO may rise, by 0.609 nats at most; log p(x) stays</summary>
#
# Right. The gap is $KL(q \,\|\, p(z \mid x))$. It is 0 where $q$ is the posterior, and never negative.
#
# </details>
#
# <details><summary>C · The ELBO may rise without a limit, for it contains the entropy of q</summary>
#
# The entropy grows with a wider $q$. In the end the other terms fall by more, and the sum never passes $\log p(x)$.
#
# </details>
#
# **2 · (from 02)** The effective sample size of 1000 importance weights is 990. What does that prove?
#
# <details><summary>A · That q covers the whole posterior</summary>
#
# Of a place that $q$ never visits no weight tells. A second mode there leaves no trace.
#
# </details>
#
# <details><summary>B · That the estimate of p(x) is right within about one percent, whatever q is</summary>
#
# It would, if the weights that were drawn stood for all. One that $q$ hardly ever draws can hold most of $p(x)$.
#
# </details>
#
# <details><summary>C · Only that the weights which were drawn are even</summary>
#
# Right. It is counted from the samples, and they come from where $q$ goes.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Predict, drag, explain
#
# The reference model again: $z \sim \mathcal N(0, 1)$, $x \mid z \sim \mathcal N(1.5\,z,\ 0.7)$, one data point $x = 1.3$.
# Its exact $\log p(x)$ is $-1.746$. The guess $q(z \mid x)$ is wrong on purpose: half a unit to the right of the posterior
# and 1.3 times as wide. So the ELBO is $0.609$ nats too low, and chapter 01 told you what that number is:
# $KL(q \,\|\, p(z \mid x))$.
#
# Chapter 01's remedy is a better $q$. This chapter leaves $q$ **exactly as it is**, draws $K$ samples from it, averages their
# weights $w = p(x, z)/q(z \mid x)$, and takes the logarithm last.
#
# **Your predictions.** The lab has you draw the curve that answers 1 and 2, and shows its own beside it:
#
# 1. $q$ stays wrong, its KL stays $0.609$. Can the gap close all the same?
# 2. Ten times more samples: how much less gap? $\sqrt{10}$ times, 10 times, 100 times?
# 3. With the same $K$: is a $q$ that is too *wide* worse, or one that is too *narrow*?
#
# Then drag $K$ from 1 upwards; the curve goes as far as you have been. (The blue density, *picked by weight*, waits for
# *The posterior you get for free*.)

# %% slideshow={"slide_type": "subslide"} mystnb={"image": {"alt": "The lab at K = 1, at K = 64 and with a q of 0.4 posterior widths at K = 64. Left, the exact bound rises with K towards the dashed line log p(x) = -1.746, next to the dotted law chi squared over 2K. Right, q, the posterior and the density of a sample picked by its weight, and 400 single estimates."}}
labs.ALL["03.iwae"]()

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **10 minutes.** Hands up for each of the three questions. Press *the ELBO (K = 1)*, drag $K$ to 64, and ask now: *which
# of the three curves at the top right moved?* (Only the blue one. $q$ did not.) Press *q too narrow* and *q too wide* at
# $K = 64$; ask which one they would rather have. Then drag $K$ to 1000 in both. Last: *a single estimate lies right of the
# dashed line, so is this a bound?* (In expectation. About half of the single estimates lie above it.)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Explain.** (1) Yes. The blue curve reaches $\log p(x)$ although the orange $q$ never moves. (2) Ten times, once $K$ is
# not tiny. The dotted line is a law in $1/K$, derived under *How fast*; the exact curve lies on it from about $K = 10$.
# (3) For *these* two presets it depends on $K$. At $K = 1$ the narrow $q$ is better, by more than two nats. At $K = 64$ it
# is worse: it has no $1/K$ law. Widen it beyond $0.71$ posterior widths and there is one, though near that wall $K$ must be
# huge before it shows (*How fast* has the figures).

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# The numbers in the text above, exact (E[L_K] by quadrature, as the lab draws it).
case = exact.reference(torch.float64)
model, x, mean, std = case
log_p = model.log_likelihood(x).item()
chi_squared = model.chi_squared(x, mean, std).item()
KL = model.kl(x, mean, std).item()


def exact_gap(Ks, width=1.3, shift=0.5):
    """log p(x) - E[L_K] on the reference model, for q of this width (in posterior widths) beside the posterior mean."""
    law = exact.WeightLaw.of(case_with(width, shift))
    return [log_p - law.lower(K).item() for K in Ks]


assert round(log_p, 3) == -1.746 and round(KL, 3) == 0.609
assert abs(exact_gap([10])[0] / exact_gap([100])[0] - 10) < 1 and exact_gap([10])[0] * 20 / chi_squared < 1.08
narrow, wide = exact_gap([1, 64], width=0.4, shift=0.0), exact_gap([1, 64], width=3.0, shift=0.0)
assert wide[0] - narrow[0] > 2 and wide[1] < narrow[1]

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One logarithm, moved
#
# A weight $w = p(x, z)/q(z \mid x)$ with $z$ drawn from $q$ is an unbiased estimate of what we want:
#
# $$ p(x) = \mathbb E_{z \sim q(z|x)}\!\left[ \frac{p(x, z)}{q(z \mid x)} \right]. $$
#
# (If you meet this line as $\mathbb E[\,q\,p\,]$ somewhere, a fraction bar got lost on the way to that page.) We want its
# logarithm. The ELBO takes the logarithm of *each* weight, and pays for it by Jensen's inequality,
# $\log \mathbb E[w] \ge \mathbb E[\log w]$. The **importance-weighted bound** (Burda, Grosse and Salakhutdinov 2016) draws
# $K$ independent samples $z_1, \dots, z_K$ from the same $q$, averages first, and takes one logarithm at the end:
#
# $$ L_K \;=\; \mathbb E_{z_1, \dots, z_K \sim q}\left[ \log \frac1K \sum_{k=1}^{K} \frac{p(x, z_k)}{q(z_k \mid x)} \right]. $$
#
# The steadier the average inside, the less there is for Jensen to take. That is the whole idea. A model trained with it is
# an **importance-weighted autoencoder**, IWAE: the networks of a VAE, another objective. (The lab writes $E[L_K]$ for this
# expectation, to tell it from a single estimate.)

# %% slideshow={"slide_type": "subslide"}
K = 6
log_w = model.log_weights(x, mean, std, M=1, K=K, generator=seeded(4))  # [1, 6, 1]
w = log_w.flatten().exp()  # [6], fine here: none of these is extreme

elbo_estimate = w.log().mean()  # K logarithms, then the mean
L_K_estimate = w.mean().log()  # the mean, then one logarithm
print("log w:", [round(v, 2) for v in w.log().tolist()])
print(f"mean of the logs {elbo_estimate:.3f}   log of the mean {L_K_estimate:.3f}")
print(f"exact log p(x)   {log_p:.3f}")
assert torch.isclose(bounds.elbo(log_w), elbo_estimate) and torch.isclose(bounds.iwae(log_w), L_K_estimate)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "Left: the curve of log w over z, highest left of the posterior's mean, with six samples on it whose areas are their shares of the sum of weights. Right: the six log-weights as bars, one far below the others; the mean of the logs is dragged down by it, the log of the mean is not."}}
z_samples = mean + std * torch.randn(1, K, 1, 1, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
z = torch.linspace(-0.6, 2.9, 200, dtype=torch.float64)[:, None, None]
curve = model.log_joint(x, z) - torch.distributions.Normal(mean, std).log_prob(z).sum(-1)
assert torch.allclose(log_w, model.log_joint(x, z_samples)
                      - torch.distributions.Normal(mean, std).log_prob(z_samples).sum(-1))

_, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4), sharey=True)
left.plot(z.flatten(), curve.flatten(), color=plots.Q, label="log w(z)")
left.scatter(z_samples.flatten(), log_w.flatten(), s=500 * w / w.sum() + 12, color=plots.IWAE, zorder=3,
             label="samples of q, area = share")
right.bar(range(1, K + 1), log_w.flatten() + 8, bottom=-8, color=plots.Q, width=0.5)
right.axhline(elbo_estimate, color=plots.ELBO, label="mean of the logs")
right.axhline(L_K_estimate, color=plots.IWAE, label="log of the mean")
for axes in (left, right):
    plots.exact_line(axes, log_p, "exact log p(x)" if axes is right else None)
left.set(xlabel="z", ylabel="nats", ylim=(-8, 0.2))
right.set(xlabel="sample k", xticks=range(1, K + 1))
left.legend(loc="lower left")
right.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=11, handlelength=1.4, columnspacing=1.0)
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# Six samples and what they are worth. One of them fell far to the right, where $q$ is much too generous. It drags the mean
# of the logs (vermilion) down; the log of the mean (blue) hardly notices it.
#
# **One unlucky sample costs little.** Let all weights be equal, and then one of them go to zero. The mean of the logs goes to
# $-\infty$; the log of the mean loses $\log \frac{K}{K-1}$, which is $0.182$ nats for $K = 6$. And **one lucky sample helps all**: it
# lifts the average by itself.
#
# **Lucky** has an exact meaning, and it is not *where the posterior is high*. From $p(x, z) = p(x)\,p(z \mid x)$,
#
# $$ w \;=\; p(x)\, \frac{p(z \mid x)}{q(z \mid x)} : $$
#
# a weight is large where the posterior is high **compared with q**. Here $w$ is largest at $z = -0.06$. That is one and a
# half posterior widths *left* of the posterior's peak at $0.66$, in a place where $q$ goes too seldom.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# The numbers above.
fine = torch.linspace(-2, 2, 4001, dtype=torch.float64)[:, None, None]
ratio = model.log_joint(x, fine) - torch.distributions.Normal(mean, std).log_prob(fine).sum(-1)
peak, posterior = fine[ratio.argmax()].item(), model.posterior(x)
assert round(peak, 2) == -0.06 and round(posterior.mean.item(), 2) == 0.66
assert 1.4 < (posterior.mean.item() - peak) / posterior.stddev.item() < 1.6
assert round(math.log(6 / 5), 3) == 0.182
assert torch.allclose(ratio, model.log_likelihood(x) + posterior.log_prob(fine)  # w = p(x) posterior / q
                      - torch.distributions.Normal(mean, std).log_prob(fine).sum(-1))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Three properties
#
# | | | why |
# |---|---|---|
# | it starts at the ELBO | $L_1 = \mathrm{ELBO}$ | with one sample there is nothing to average |
# | it rises | $\log p(x) \ge L_K \ge L_{K-1}$ for $K \ge 2$ | Jensen, twice; the proof is below |
# | it arrives | $L_K \to \log p(x)$ as $K \to \infty$ | the average of the weights tends to $p(x)$, under two conditions |
#
# **The proof of the middle line.** For the left inequality, one Jensen:
# $\mathbb E[\log \frac1K\sum w_k] \le \log \mathbb E[\frac1K\sum w_k] = \log p(x)$.
#
# For the right one, look at the $K$ subsets that leave one sample out. The mean over all samples is the mean of the means
# over these subsets:
#
# $$ \frac1K \sum_{k} w_k \;=\; \frac1K \sum_{j=1}^{K} \underbrace{\frac1{K-1} \sum_{k \ne j} w_k}_{\text{mean without sample } j}
# \qquad\text{so}\qquad
# \log \frac1K \sum_k w_k \;\ge\; \frac1K \sum_{j=1}^{K} \log \frac1{K-1} \sum_{k \ne j} w_k . $$
#
# The inequality is Jensen's again. Take expectations: the left side becomes $L_K$, and each of the $K$ terms on the right
# becomes $L_{K-1}$. Done. (The text that this chapter covers prints the line for $K \ge 1$; an $L_0$, the logarithm of a mean of
# nothing, there is not.) The proof does not say *strictly* larger; $L_K$ is, where it is finite and the weights are not all equal.
#
# > **When does it arrive?** (1) $q$ **covers**: $q(z \mid x) > 0$ wherever $p(x, z) > 0$. (2) $L_K$ is finite for *some* $K$. The
# > law of large numbers speaks of the average, not of the mean of its logarithm: (2) carries it over. The weights themselves
# > need no second moment.
# >
# > *Without (1)* it arrives elsewhere. Let $q$ live on $z > 0$ only: then $L_K$ tends to $\log p(x, z > 0)$, here $0.091$ nats
# > below $\log p(x)$, for ever. *Without finite terms* it starts late: for a Cauchy $q$ and this posterior
# > $L_1 = L_2 = -\infty$, and $L_3$ is the first that is finite.
# >
# > Rise and limit: Burda et al. (2016), theorem 1, for bounded weights.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
zero = torch.zeros(1, dtype=torch.float64)
above = 1 - Normal(posterior.mean, posterior.stddev).cdf(zero).item()  # the posterior's share of z > 0
assert round(-math.log(above), 3) == 0.091
half = torch.randn(1_000_000, generator=seeded(9)).double().abs()  # q is the prior's half on z > 0
w = (model.log_joint(x, half[:, None, None])[:, 0] - Normal(0.0, 1.0).log_prob(half) - math.log(2)).exp()
assert abs(w.mean().item() - above * math.exp(log_p)) < 4 * w.std().item() / len(w) ** 0.5
# Of K Cauchy draws the nearest to 0 decides: E[min z^2] is the integral of 2 r P(|z| > r)^K.
r = torch.logspace(-6, 6, 200_001, dtype=torch.float64)
for K, finite in ((2, False), (3, True)):
    grown = torch.cumulative_trapezoid(2 * r * (2 / math.pi * torch.atan(1 / r)) ** K, r)
    assert (grown[-1] - grown[150_000] < 0.01) == finite  # from a reach of a thousand to a million

# %% slideshow={"slide_type": "subslide"}
Ks = [1, 2, 5, 10, 64]
log_w = model.log_weights(x, mean, std, M=20_000, K=64, generator=seeded(1))
weight_law = exact.WeightLaw.of(case)  # what it says of K weights is exact
bound = {K: (log_w[:, :K].logsumexp(1) - math.log(K)).flatten() for K in Ks}  # [M]

for K, one in bound.items():
    expected, error = weight_law.lower(K).item(), one.std() / len(one) ** 0.5
    print(f"K = {K:2}   measured {one.mean():.4f} ± {error:.4f}", end="   ")
    print(f"exact {expected:.4f}   z-score {(one.mean() - expected) / error:+.1f}")
    assert abs((one.mean() - expected) / error) < 4
for small, large in zip(Ks, Ks[1:]):
    step = bound[large] - bound[small]  # on the same samples
    up = step.mean() / step.std() * len(step) ** 0.5
    print(f"from {small} to {large}: up by {up:.0f} standard errors")
    assert up > 4
assert abs(weight_law.lower(1).item() - model.elbo(x, mean, std).item()) < 1e-9

# %% [markdown] slideshow={"slide_type": "fragment"}
# The first row is the ELBO, every step goes up by many standard errors, and the measured values are the exact ones.
# A single estimate is *not* a bound: at $K = 64$ every second one lies above $\log p(x)$. The statement is about the mean.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert 0.45 < (bound[64] > log_p).double().mean() < 0.55

# %% [markdown] slideshow={"slide_type": "slide"}
# ## How fast: $\chi^2/(2K)$
#
# Write the average of the weights as $p(x)\,(1 + e)$. The error $e$ has mean $0$ and variance $\chi^2/K$, where
#
# $$ \chi^2 = \frac{\mathrm{Var}_q[w]}{p(x)^2} = \int \frac{p(z \mid x)^2}{q(z \mid x)}\,dz - 1 $$
#
# is the **chi-squared divergence** of the posterior from $q$ (chapter 02 met it as the enemy of the effective sample
# size). For small $e$, $\log(1+e) = e - \tfrac12 e^2 + \dots$. The first term scatters and has mean 0; the mean of the second
# is the gap:
#
# $$ \log p(x) - L_K \;=\; \frac{\chi^2}{2K} + o\!\left(\tfrac1K\right), \qquad \mathrm{sd}\left[\log \tfrac1K \textstyle\sum w\right] \approx \sqrt{\frac{\chi^2}{K}} . $$
#
# The bias falls like $1/K$, the scatter only like $1/\sqrt K$. Both need a finite $\chi^2$, so $p(z \mid x)^2/q$ must vanish in
# the tails. For Gaussians that means $\sigma_q^2 > \tfrac12 \sigma_\text{posterior}^2$: $q$ wider than $0.707$ posterior widths.
#
# > **How soon?** That is a question about higher moments of $w$. With a finite third moment, and weights that are not too often
# > near 0 (an inverse moment suffices), the remainder is $O(K^{-2})$. For a Gaussian $q$ at the posterior's place the third moment
# > needs a width of more than $0.816$. In between the law is true and late: at width $0.72$ the gap is $0.25$, $0.42$, $0.55$,
# > $0.65$ of $\chi^2/(2K)$ at $K = 10$, $100$, $1000$, $10\,000$. The remainder falls like $K^{-(a-1)}$ there, where $a$ is the
# > power of the weights' tail (chapter 02), $a = 1/(1 - \sigma_q^2/\sigma_\text{posterior}^2)$, until $a = 3$.
# >
# > The law: Domke and Sheldon (2018), theorem 3, under a finite moment above the second and a bounded mean of
# > $1/(\frac1K\sum w)$; higher orders: Nowozin (2018).

# %% slideshow={"slide_type": "subslide"}
print(f"chi squared {chi_squared:.4f}, KL(q || posterior) {KL:.4f}")
for K in (1, 2, 5, 10, 50, 1000):
    gap = exact_gap([K])[0]
    print(f"K = {K:4}   gap {gap:.4f}", end="   ")
    print(f"gap * 2K / chi^2 {gap * 2 * K / chi_squared:.3f}")

for width in (0.8, 0.72, 0.70):
    narrower = case_with(width, 0.0)  # this many posterior widths, at its place
    of_this_q = narrower.model.chi_squared(*narrower[1:]).item()
    print(f"q {width} times as wide: chi squared {of_this_q:.3f}")

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "Gap log p(x) minus L_K against K, both axes logarithmic. The reference q and a q three times too wide follow straight dotted lines of slope -1; a q of half the posterior's width follows a line of slope about -1/3 and is overtaken by both."}}
Ks = torch.logspace(0, 4, 25).round().int().unique().tolist()
for width, shift, color in ((3.0, 0.0, plots.CIWAE), (1.3, 0.5, plots.IWAE), (0.5, 0.0, plots.ELBO)):
    this = case_with(width, shift)
    chi2 = this.model.chi_squared(*this[1:]).item()
    plt.plot(Ks, exact_gap(Ks, width, shift), color=color, label=f"q {width} times as wide, {shift} beside")
    if math.isfinite(chi2):
        plt.plot(Ks, [chi2 / (2 * k) for k in Ks], ":", color=plots.EXACT)
plt.plot([], [], ":", color=plots.EXACT, label=r"$\chi^2/(2K)$")
plt.loglog(), plt.xticks([1, 10, 100, 1000, 10_000], ["1", "10", "100", "1000", "10 000"])
plt.xlabel("samples K"), plt.ylabel("log p(x) − $L_K$, nats")
plt.legend()
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The picture shows exact gaps on logarithmic axes. Two lines run into their dotted law: slope $-1$, ten times the samples
# for a tenth of the gap. The third $q$ is too narrow for a finite $\chi^2$: its weights have a tail of power $a = \tfrac43$. It
# starts best of the three, and falls so slowly (slope $-(a - 1) = -\tfrac13$) that both others overtake it.
#
# Why *exact*, when no formula for $\mathbb E[\log]$ of a sum is known? Because $\log s = \int_0^\infty (e^{-t} - e^{-ts})\,dt/t$, and the mean of
# $e^{-t \sum w}$ over independent weights is a power: $\mathbb E[e^{-tw}]^K$. So $L_K$ is one integral over $t$ of a one-dimensional
# integral over $z$, for any $K$, without drawing anything. `exact.WeightLaw` does that.
#
# **And the decoder?** Hold $q$ where it is and move the slope $W$ of the decoder. The likelihood of this $x$ is highest at $W = 0.995$.
# The ELBO wants $0.863$ (chapter 01), $L_2$ $0.931$, $L_5$ $0.988$, $L_{10}$ $1.001$, $L_{64}$ $0.999$. A large $K$ arrives at the right slope,
# and not from one side: tighter is not nearer at every step.
#
# Read the table once more. At $K = 1000$ the gap is $0.0004$, and **$q$ is as wrong as before**: its KL is still $0.609$.
# A small gap says that the *average of many weights* is even. It does not say that $q$ is close to the posterior.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
gaps = dict(zip([1, 10, 50, 1000], exact_gap([1, 10, 50, 1000])))
assert round(0.5**0.5, 3) == 0.707 and round(gaps[1000], 4) == 0.0004 and round(KL, 3) == 0.609
assert round(chi_squared, 4) == 0.7055
assert [round(gaps[k] * 2 * k / chi_squared, 3) for k in (10, 50)] == [1.075, 1.014]
narrow = exact_gap([1000, 10_000], 0.5, 0.0)
assert -0.40 < math.log10(narrow[1] / narrow[0]) < -0.33
assert exact_gap([1], 0.5, 0.0) < exact_gap([1]) < exact_gap([1], 3.0, 0.0)
assert exact_gap([10_000], 3.0, 0.0)[0] < narrow[1]
assert model.chi_squared(x, mean * 0 + posterior.mean, 0.70 * posterior.stddev).item() == math.inf
late = case_with(0.72, 0.0)
chi2 = late.model.chi_squared(*late[1:]).item()
for k, slope in ((1, 0.863), (2, 0.931), (5, 0.988), (10, 1.001), (64, 0.999), (1000, 0.995)):
    moved = [exact.LinearGaussian(torch.tensor([[slope + d]], dtype=torch.float64), 0.7) for d in (-0.001, 0, 0.001)]
    below, at_it, above = (exact.WeightLaw.of(exact.Case(one, x, mean, std)).lower(k) for one in moved)
    assert at_it > max(below, above)
Ks = [10, 100, 1000, 10_000]
shares_of_the_law = [gap * 2 * k / chi2 for k, gap in zip(Ks, exact_gap(Ks, 0.72, 0.0))]
assert [round(one, 2) for one in shares_of_the_law] == [0.25, 0.42, 0.55, 0.65]
assert round((2 / 3) ** 0.5, 3) == 0.816 and round(1 / (1 - 0.5**2), 4) == 1.3333  # a = 3; a at half the width
for width in (0.75, 0.9):  # the remainder's slope, and at last -2
    this, power = case_with(width, 0.0), min(2, 1 / (1 - width**2) - 1)
    chi2 = this.model.chi_squared(*this[1:]).item()
    remainder = [abs(gap - chi2 / (2 * k)) for k, gap in zip((1000, 10_000), exact_gap([1000, 10_000], width, 0.0))]
    assert abs(math.log10(remainder[1] / remainder[0]) + power) < 0.05
t = torch.logspace(-9, 6, 60_001, dtype=torch.float64)
assert abs(torch.trapezoid(((-t).exp() - (-3 * t).exp()) / t, t).item() - math.log(3)) < 1e-6  # the integral of log 3

# %% [markdown] slideshow={"slide_type": "subslide"}
# **A posterior that no Gaussian fits.** Two humps, and two Gaussians that are each the best: one in $KL(q \,\|\, p)$, which is the ELBO's choice, the other in $KL(p \,\|\, q)$. **Predict** before you drag $K$: which has the higher $L_1$? Which the higher
# $L_{64}$?

# %% slideshow={"slide_type": "subslide"} mystnb={"image": {"alt": "The lab in three states. Left, a posterior with two humps; the Gaussian of least KL(q to p) sits on one hump, that of least KL(p to q) covers both. Right, the gap of the bound against K: the one that seeks stays at 0.69 nats, the one that covers starts above it and falls to 0.007 at K = 64. With humps close together both are alike."}}
labs.ALL["03.humps"]()

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Explain.** $KL(q \,\|\, p)$ punishes $q$ for being where $p$ is not, so its best $q$ sits on one hump and loses $0.69$ nats: $\log 2$, for half of $p$ is unseen. More samples from there see no more: $0.67$ at $K = 64$. The one that covers begins worse, $0.94$, and ends at
# $0.007$. **The $q$ that is best for the ELBO is not the best to draw many samples from.** Bring the humps together: at a distance of 2 the two agree.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
humps = exact.TwoHumps(6.0)
seeks, covers = (humps.law(*q) for q in (humps.seeking(), humps.covering()))
assert [round(-seeks.lower(K).item(), 2) for K in (1, 64)] == [0.69, 0.67] and round(math.log(2), 2) == 0.69
assert [round(-covers.lower(K).item(), 3) for K in (1, 64)] == [0.938, 0.007]
near = exact.TwoHumps(2.0)
assert all(abs(a - b) < 0.03 for a, b in zip(near.seeking(), near.covering()))

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **10 minutes.** Derive the law on the board: it is two lines. Ask now: *the gap is nearly zero; is q a good posterior?*
# Most will say yes. In the lab: preset *K = 64*, look at the gap and at the orange curve. The riddle at
# the end lives on this misunderstanding.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 1 · How many samples? (easy, 4 minutes)
#
# Write a function that takes two numbers, $\chi^2$ and a gap in nats. It returns the smallest whole $K \ge 1$ with
# $\chi^2/(2K) \le$ gap.
#
# <details><summary>Hint 1</summary>What does K have to be for the two sides to be equal, and on which side of that
# number lies the answer?</details>
#
# <details><summary>Hint 2</summary>Solve for K and round <i>up</i> with <code>math.ceil</code>. Then try a perfect q,
# with a chi-squared of 0: what does your formula say, and what does the card say?</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def samples_for_gap(chi_squared, gap):
    # Your lines here.
    ...

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["03.samples_for_gap"](samples_for_gap)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def samples_for_gap(chi_squared, gap):
    return max(1, math.ceil(chi_squared / (2 * gap)))


verdict = checks.ALL["03.samples_for_gap"](samples_for_gap)
assert verdict.passed and samples_for_gap(0.7055, 0.01) == 36
assert exact_gap([36])[0] < 0.0103  # the law is only the first term: at 36 samples the exact gap is 0.010
verdict

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 2 · A law too good to be true (pen and paper, medium, 4 minutes)
#
# Somebody claims: *for every Gaussian $q$, ten times the samples leave a tenth of the gap, once $K$ is large.* The proof:
#
# * **A** · The mean of $K$ weights is $p(x)\,(1 + e)$ with $\mathbb E[e] = 0$.
# * **B** · So the gap is $\log p(x) - L_K = -\mathbb E[\log(1 + e)]$.
# * **C** · The variance of $e$ is $\chi^2/K$, and $\chi^2$ is a finite number that does not depend on $K$.
# * **D** · For small $e$, $-\log(1 + e) \approx -e + \tfrac12 e^2$, whose mean is half the variance, $\chi^2/(2K)$.
#
# Take a $q$ at the posterior's place and half as wide. Which is the first line that is false for it? Answer with a letter.
#
# <details><summary>Hint 1</summary>Which of the lines would you have to change if the variance of a weight were infinite?</details>
#
# <details><summary>Hint 2</summary>For Gaussians chi-squared is finite only if q is wider than 0.707 posterior widths. Go
# through the lines from the top: what does each of them need of the weights, a mean or more?</details>

# %% slideshow={"slide_type": "skip"} tags=["stub"]
first_false = ...  # a letter, "A" to "D"

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["03.too_good_a_law"](first_false)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
first_false = "C"

verdict = checks.ALL["03.too_good_a_law"](first_false)
assert verdict.passed
verdict

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
half_as_wide = case_with(0.5, 0.0)
assert half_as_wide.model.chi_squared(*half_as_wide[1:]).item() == math.inf
late, later = exact_gap([1000, 10_000], 0.5, 0.0)
assert late / later < 3  # ten times the samples leave far more than a tenth of the gap

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The posterior you get for free
#
# There is a second way to read $L_K$ (Cremer, Morris and Duvenaud 2017). Draw $K$ samples from $q$, then **pick one of
# them** with probability proportional to its weight. The picked sample does not come from $q$ any more. It comes from an
# implied distribution $q_\text{IW}$, which nobody wrote down and which lies closer to the posterior:
#
# $$ \log p(x) - L_K \;\ge\; KL\left(q_\text{IW} \,\|\, p(z \mid x)\right) . $$
#
# In words: $L_K$ is never above the ELBO of this richer distribution. So the encoder stays a plain Gaussian, and the bound
# behaves as if $q$ were more flexible than it is. On the reference model $q_\text{IW}$ can be computed exactly.

# %% slideshow={"slide_type": "subslide"}
on_q = weight_law.mass  # q's mass on a grid of z, [601]
on_posterior = (weight_law.log_w + on_q.log()).softmax(0)  # the posterior's, there
for K in (1, 3, 20):
    picked = weight_law.implied_posterior(K)  # of one of K samples, picked by weight
    ratio = (picked.log() - on_posterior.log()).nan_to_num(0.0)
    KL_picked = (picked * ratio).nan_to_num(0.0).sum().item()
    print(f"K = {K:2}   KL(picked || posterior) {KL_picked:.4f}", end="   ")
    print(f"log p(x) - L_K {exact_gap([K])[0]:.4f}")
    assert KL_picked <= exact_gap([K])[0] + 1e-9

# %% [markdown] slideshow={"slide_type": "fragment"}
# The lab really does it: left one round, its draws and their shares, a star on the pick; right the picks of 2000 rounds and
# their exact density. **Guess:** how many draws does it take until the picks can hardly be told from the posterior? And with
# a $q$ that is too narrow, does picking bring it there as fast?

# %% slideshow={"slide_type": "fragment"} mystnb={"image": {"alt": "Three states of the lab. Picked from K = 3 draws the density lies between q and the dashed posterior, from K = 20 on the posterior. With a q of 0.4 posterior widths beside it, K = 20 picks stay on the right half of the posterior."}}
labs.ALL["03.pick"]()

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Explain.** With $K = 1$ the pick is a sample of $q$; with $K = 20$ its density can hardly be told from the posterior's, and a
# $q$ that is much too wide gets there as well. A narrow one beside the posterior does not: its KL falls from $1.02$ to $0.54$
# only, for one can pick no draw that never came.
#
# This is what people mean by *IWAE makes q more flexible*: the $q$ you have **together with** the picking, which you must
# then really do. The encoder alone is the orange curve, whatever $K$ is.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
laws = {width: exact.WeightLaw.of(case_with(width, 0.5)) for width in (0.4, 1.3, 2.5)}
assert [round(laws[0.4].picked_kl(K).item(), 2) for K in (1, 20)] == [1.02, 0.54]
assert max(laws[width].picked_kl(20).item() for width in (1.3, 2.5)) < 0.002

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The arithmetic: log-sum-exp
#
# In one dimension weights are tame. For an MNIST image $\log w$ is about $-90$, for a photograph it is thousands below zero.
# `exp(-800)` is exactly 0 in a computer. So we never leave the logarithms. With the largest of them, $m = \max_k \log w_k$,
#
# $$ L_K = \mathrm{LogSumExp}(\log w_1, \dots, \log w_K) - \log K, \qquad
# \mathrm{LogSumExp}(\log w_1, \dots, \log w_K) = m + \log \sum_k e^{\log w_k - m} . $$
#
# The largest term in the sum is now $e^0 = 1$: nothing overflows, and whatever underflows did not matter. In PyTorch this
# is one call, `torch.logsumexp`.

# %% slideshow={"slide_type": "subslide"}
log_w = 2 * torch.randn(1, 100, 1, generator=seeded(0)) - 800.0  # [1, 100, 1], float32
answers = {
    "log-sum-exp, minus log K": log_w.logsumexp(1) - math.log(100),
    "exp first": log_w.exp().mean(1).log(),
    "exp first, + 1e-10": (log_w.exp().mean(1) + 1e-10).log(),
    "minus log K forgotten": log_w.logsumexp(1),
    "mean of the logs": log_w.mean(1),
    "over the wrong axis": (log_w.logsumexp(0) - math.log(1)).mean(0),
}
for name, value in answers.items():
    print(f"{name:>26}  {value.item():9.3f}")
assert answers["exp first"].item() == -math.inf and round(answers["exp first, + 1e-10"].item(), 2) == -23.03
assert torch.equal(answers["mean of the logs"], bounds.elbo(log_w).view(1, 1))
assert abs((answers["minus log K forgotten"] - answers["log-sum-exp, minus log K"]).item() - 4.605) < 1e-3

# %% [markdown] slideshow={"slide_type": "fragment"}
# Only the first line is $L_K$. The second is $-\infty$, and its gradient is *not a number*. The third looks like a
# wonderful model: $-23$ is the logarithm of the small constant somebody added "for stability", whatever the data are.
# The fourth is too high by $\log 100 = 4.605$. The fifth is the ELBO under a new name. So is the last: with the wrong axis
# under the logarithm there is one weight in each mean. None of the five wrong lines is far-fetched, and only one of
# them complains.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
leaf = log_w.clone().requires_grad_()
assert torch.autograd.grad(leaf.exp().mean(1).log().sum(), leaf)[0].isnan().all()  # the gradient of "exp first"

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 3 · The bound as a loss (medium, 8 minutes)
#
# The next piece of your trainer. Chapter 01's `training_step(loss_of, x, optimizer)` descends whatever loss it is given.
# Make that loss from log-weights `[M, K, B]`:
#
# * `pooled=True`: all $MK$ samples of an $x$ under one logarithm, $L_{MK}$;
# * `pooled=False`: each of the $M$ groups of $K$ under a logarithm of its own, then the mean over $M$.
#
# Return one number for `.backward()`: minus the bound, averaged over $B$. It must survive log-weights near $-800$, and its
# gradient must come back to `log_w`.
#
# <details><summary>Hint 1</summary>Which axes does the logarithm take away in each case, and how many weights stand under it
# then?</details>
#
# <details><summary>Hint 2</summary><code>log_w.logsumexp((0, 1))</code> takes two axes away at once. It is the logarithm of a
# sum: what makes a mean of it, in each of the two cases? And what is left between a bound for each x and one loss?</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def iwae_loss(log_w, pooled):
    # Your lines here: [M, K, B], True or False -> one number
    ...

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["03.iwae_bound"](iwae_loss)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def iwae_loss(log_w, pooled):
    M, K, B = log_w.shape
    if pooled:
        return -(log_w.logsumexp((0, 1)) - math.log(M * K)).mean()
    return -(log_w.logsumexp(1) - math.log(K)).mean()


verdict = checks.ALL["03.iwae_bound"](iwae_loss)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The gradient: shares of credit
#
# Differentiate one logarithm of a mean, for any parameter:
#
# $$ \nabla \log \frac1K \sum_k w_k = \frac{\sum_k \nabla w_k}{\sum_j w_j} = \sum_k \tilde w_k\, \nabla \log w_k,
# \qquad \tilde w_k = \frac{w_k}{\sum_j w_j} . $$
#
# The ELBO gives each sample's gradient the same credit, $1/K$. $L_K$ gives credit by share. A sample counts that the
# posterior would draw far more often than $q$ does; the others are nearly ignored. The shares $\tilde w$ add up to one, and in logs they are a softmax.
#
# For the encoder's parameters $\phi$ the sample itself must move with $\phi$. So write it as $z = \mu + \sigma \epsilon$ with
# fixed noise $\epsilon$, the reparameterisation of chapter 01. With $z$ held fixed the encoder's gradient would be wrong,
# unless the score term of chapter 02 makes up for it.

# %% slideshow={"slide_type": "subslide"}
K, B = 5, 3
mu = mean.repeat(B, 1).requires_grad_()  # [B, 1], three copies of one q
eps = torch.randn(K, B, 1, generator=seeded(2), dtype=torch.float64)
z = mu + std * eps  # [K, B, 1], moves with mu
log_q = Normal(mu, std).log_prob(z).sum(-1)  # [K, B]
log_w = model.log_joint(x.repeat(B, 1), z) - log_q  # [K, B]

slope_of = lambda value: torch.autograd.grad(value.sum(), mu, retain_graph=True)[0]
by_autograd = slope_of(log_w.logsumexp(0) - math.log(K))  # [B, 1]
share = log_w.softmax(0).detach()  # [K, B], adds up to one over K
by_shares = slope_of(share * log_w)  # the same, by hand
print("autograd", [round(g, 4) for g in by_autograd.flatten().tolist()])
print("  shares", [round(g, 4) for g in by_shares.flatten().tolist()])
assert torch.allclose(by_autograd, by_shares) and torch.allclose(share.sum(0), torch.ones(B, dtype=torch.float64))

# %% [markdown] slideshow={"slide_type": "subslide"}
# Three small slips turn this into something else. All three stand in one loss of a well-known collection (PyTorch-VAE,
# `models/iwae.py`, lines 149 to 158, commit a6896b9).
#
# **`detach` forgotten.** Then $\nabla \sum_k \tilde w_k \log w_k$ also differentiates the shares, and each share gains
# $\tilde w_k (\log w_k - \sum_j \tilde w_j \log w_j)$.
#
# **The surrogate is reported.** $\sum_k \tilde w_k \log w_k$ has the right *gradient*. Its *value* is not the bound:
#
# $$ \sum_k \tilde w_k \log w_k \;=\; \log \tfrac1K \textstyle\sum_k w_k \;+\; \log K - H(\tilde w) \;\ge\; \log \tfrac1K \sum_k w_k , $$
#
# with $H(\tilde w) \le \log K$ the entropy of the shares. For many samples it tends to the *upper* bound
# $\log p(x) + KL(p(z|x)\,\|\,q)$.
#
# **The softmax of a loss.** With the sign turned round, $-\log w_k$ in the softmax, the *worst* sample gets the credit.

# %% slideshow={"slide_type": "subslide"}
N = 20_000  # repetitions, and as many copies of mu: each gets a gradient of its own
for K in (1, 5, 64):
    mu = mean.repeat(N, 1).requires_grad_()
    copies = x.repeat(N, 1), mu, std.repeat(N, 1)
    log_w = model.log_weights(*copies, M=1, K=K, generator=seeded(K))[0]  # [K, N]
    share = log_w.softmax(0)
    held = slope_of(share.detach() * log_w)
    moving = slope_of(share * log_w)
    reported = (share * log_w).sum(0).mean().item()
    worst_first = ((-log_w).softmax(0) * log_w).sum(0).mean().item()
    print(f"K = {K:2} | gradient {held.mean():+.3f}", end=" ")
    print(f"± {held.std() / N**0.5:.3f}, sd {held.std():.2f}", end="; ")
    print(f"not detached {moving.mean():+.2f}", end=" | ")
    print(f"L_K {log_p - exact_gap([K])[0]:.2f}; reported {reported:.2f}", end="; ")
    print(f"worst first {worst_first:.2f}")
    assert K != 5 or (held.mean() < -0.3 < 0.5 < moving.mean() and worst_first < -2.356 < log_p < reported)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Read it from left to right. *Not detached*: at $K = 5$ the gradient has the wrong **sign**, $+0.59$ where $-0.37$ is right; the
# optimiser walks away. *Reported*: $-1.50$ at $K = 5$, above $\log p(x) = -1.746$; a table with this number in it is
# too good to be true. *Worst first*: falls as $K$ grows.
#
# And look at the **right** gradient, that of $q$'s mean. From $K = 1$ to 64 its standard deviation falls, from $2.7$ to $0.32$. So the common
# warning that large $K$ makes the gradient *noisier* is not what happens here. But its mean falls faster, from $-2.1$ to
# about $-0.025$. Keep this in mind until the last page of the chapter.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# The numbers above, each with 20 000 new repetitions.
worst_first = []
for K, truth_sd in ((1, 2.67), (5, 1.27), (64, 0.32)):
    many = mean.repeat(N, 1).requires_grad_()
    log_w = model.log_weights(x.repeat(N, 1), many, std.repeat(N, 1), 1, K, torch.Generator().manual_seed(90 + K))[0]
    right = torch.autograd.grad((log_w.softmax(0).detach() * log_w).sum(), many, retain_graph=True)[0]
    assert abs(right.std() / truth_sd - 1) < 0.03
    worst_first.append(((-log_w).softmax(0) * log_w).sum(0).mean().item())
    error = right.std() / N**0.5
    if K == 1:  # the exact gradient of the ELBO
        mu = mean.clone().requires_grad_()
        slope = torch.autograd.grad(model.elbo(x, mu, std).sum(), mu)[0].item()
        assert abs(right.mean() - slope) < 4 * error and round(slope, 1) == -2.1
    if K == 5:
        wrong = torch.autograd.grad((log_w.softmax(0) * log_w).sum(), many)[0]
        value = (log_w.softmax(0) * log_w).sum(0)
        assert abs(right.mean() + 0.37) < 0.005 + 4 * error
        assert abs(wrong.mean() - 0.59) < 0.005 + 4 * wrong.std() / N**0.5
        assert abs(value.mean() + 1.50) < 0.005 + 4 * value.std() / N**0.5
    if K == 64:  # the exact slope of E[L_64], by a central difference
        up, down = (exact.WeightLaw.of(case_with(1.3, 0.5 + h)).lower(K).item() for h in (1e-3, -1e-3))
        assert abs(right.mean() - (up - down) / 2e-3) < 4 * error and abs((up - down) / 2e-3 + 0.025) < 0.002
assert worst_first[0] > worst_first[1] + 1 > worst_first[2] + 2  # "worst first" falls as K grows
assert [round(share, 2) for share in torch.tensor([-2.0, -4.0, -9.0]).softmax(0).tolist()] == [0.88, 0.12, 0.0]

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **15 minutes with exercise 4.** Let them compute the shares of three samples with log-weights $-2, -4, -9$ in their heads
# (.88, .12, .00): *how many samples are teaching?* One. That is the effective sample size of chapter 02 inside a gradient.
# Ask now: *what does the encoder learn from a sample with share 0?* Nothing, and with it goes the news that q proposes badly
# there.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 4 · Credit by hand (pen and paper, easy, 4 minutes)
#
# Three samples of one $x$ have the weights $w = 6, 3, 1$. For one parameter the slopes $\nabla \log w_k$ are $1, -2, 5$. What
# is the gradient of $\log \frac13 \sum_k w_k$? A number.
#
# <details><summary>Hint 1</summary>How much of the sum of the weights belongs to each sample?</details>
#
# <details><summary>Hint 2</summary>The weights add up to 10, so the first sample's share is 0.6. What does a share multiply, and
# what becomes of the three products?</details>

# %% slideshow={"slide_type": "skip"} tags=["stub"]
credit = ...  # a number

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["03.credit"](credit)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
credit = 0.6 * 1 - 0.3 * 2 + 0.1 * 5

verdict = checks.ALL["03.credit"](credit)
assert verdict.passed
verdict

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
three = torch.tensor([6.0, 3.0, 1.0]).log().requires_grad_()
by_the_package = torch.autograd.grad(bounds.iwae(three.view(1, 3, 1)).sum(), three)[0]
assert math.isclose((by_the_package * torch.tensor([1.0, -2.0, 5.0])).sum(), 0.5, abs_tol=1e-6)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 5 · The shares (easy, 3 minutes)
#
# From log-weights `[M, K, B]`, return the shares $\tilde w$ of the same shape: inside each group of $K$ samples they add up
# to one. Log-weights near $-800$ must not break it.
#
# <details><summary>Hint 1</summary>Which function turns any numbers into positive ones that add up to one, and over
# which axis is it to add up here?</details>
#
# <details><summary>Hint 2</summary>A softmax. The axes are M, K, B, and it is the K samples of a group that
# compete.</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def shares(log_w):
    # Your line here.
    ...

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["03.normalised_weights"](shares)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def shares(log_w):
    return log_w.softmax(1)


verdict = checks.ALL["03.normalised_weights"](shares)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 6 · The gradient without autograd (medium, 8 minutes)
#
# You get `log_w` `[K, B]` and `slopes` `[K, B, P]`, the gradient of each $\log w_k$ for $P$ parameters. Return the gradient of
# $\log \frac1K \sum_k w_k$ for each data point, `[B, P]`. No autograd: a softmax and a sum. Log-weights near $-800$ must not
# break it.
#
# <details><summary>Hint 1</summary>What multiplies the gradient of each log-weight, and what do these factors add up
# to?</details>
#
# <details><summary>Hint 2</summary>A share for each sample, <code>[K, B]</code>. To multiply it by <code>[K, B,
# P]</code> it needs one more axis at its end: <code>share[..., None]</code>.</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def gradient(log_w, slopes):
    # Your lines here.
    ...

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["03.gradient"](gradient)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def gradient(log_w, slopes):
    share = log_w.softmax(0)  # [K, B]
    return (share[..., None] * slopes).sum(0)  # [B, P]


verdict = checks.ALL["03.gradient"](gradient)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "skip"} tags=["pause"]
# **A natural pause.** Part 1 ends here: you have the bound, how fast it closes, its gradient as shares of credit, and a loss
# for your trainer. Part 2 trains with it: what $K$ costs, what three models on digits look like, two bugs, and a riddle.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One training step of an IWAE
#
# The networks are those of the VAE in chapter 01. What changes is between the encoder and the loss:
#
# 1. encode $x$ once: $\mu(x)$, $\sigma(x)$;
# 2. draw $K$ samples $z_k = \mu + \sigma \epsilon_k$, and compute $\log q(z_k \mid x)$ for each;
# 3. decode every $z_k$: $\log p(x \mid z_k)$; add the prior, $\log p(z_k)$;
# 4. $\log w_k = \log p(x \mid z_k) + \log p(z_k) - \log q(z_k \mid x)$;
# 5. the bound, by log-sum-exp; the loss is minus its mean over the batch: your `iwae_loss`; backward; step.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "subslide"} tags=["hide-input"] mystnb={"image": {"alt": "Six boxes from left to right, joined by arrows: x of shape B, D; the encoder's mu and sigma, B, L; the samples z, K, B, L; the log-weights, K, B; the mean of the weights, B; its logarithm, the estimate of L K, B. Over the arrows: encoder, once; K draws, noise epsilon; decoder, K times; exp and mean over K; log."}}
STEPS = [("x", "[B, D]"), ("μ(x), σ(x)", "[B, L]"), ("z", "[K, B, L]"), ("log w", "[K, B]"), ("mean of w", "[B]"),
         ("log of it", "[B]")]  # fmt: skip
ARROWS = ["encoder,\nonce", "K draws,\nnoise ε", "decoder,\nK times", "exp, mean\nover K", "log"]
_, axes = plt.subplots(figsize=(9.8, 1.5))
for place, (name, shape) in enumerate(STEPS):
    axes.text(2 * place, 0, f"{name}\n{shape}", ha="center", va="center", size=11,
              bbox={"boxstyle": "round,pad=0.35", "edgecolor": plots.IWAE, "facecolor": "#D6E8F5"})
for place, over in enumerate(ARROWS):
    axes.annotate("", (2 * place + 1.3, 0), (2 * place + 0.7, 0), arrowprops={"arrowstyle": "->"})
    axes.text(2 * place + 1, 0.2, over, ha="center", va="bottom", size=10.5)
axes.set(xlim=(-0.7, 10.7), ylim=(-0.5, 0.9))
axes.axis("off")
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The way of one batch, with the shape of what travels. The axis $K$ comes in with the noise and goes under the logarithm. In
# code the last two arrows are one, log-sum-exp minus $\log K$: the weights never leave their logarithms.

# %% slideshow={"slide_type": "subslide"}
images = data.digits()
vae = train.untrained(images, seed=0)
x_batch = data.binarise(images.train[:100], seeded(0))  # [B, D], zeros and ones
K, B = 8, len(x_batch)

mu, log_sigma = vae.encode(x_batch)  # [B, L] each: it runs once, whatever K is
eps = vae.noise(x_batch, 1, K, seeded(1))[0]  # [K, B, L]
z = mu + log_sigma.exp() * eps  # [K, B, L]
log_q = Normal(mu, log_sigma.exp()).log_prob(z).sum(-1)  # [K, B]
log_prior = Normal(0.0, 1.0).log_prob(z).sum(-1)  # [K, B]
log_likelihood = vae.log_likelihood(x_batch, z)  # [K, B]: K decodings of each image
log_w = log_likelihood + log_prior - log_q  # [K, B]
loss = iwae_loss(log_w[None], pooled=True)  # yours, of exercise 3: M = 1
loss.backward()
print(f"loss {loss.item():.3f} nats")

# %% slideshow={"slide_type": "skip"} tags=["nbval-ignore-output"]
# The package does the same from its table of objectives. Compare every gradient.
by_hand = {name: p.grad.clone() for name, p in vae.named_parameters()}
vae.zero_grad()
value = objectives.backward(vae, x_batch, "iwae", M=1, K=K, generator=seeded(1))
apart = [(p.grad - by_hand[n]).abs().max().item() for n, p in vae.named_parameters()]
print(f"largest difference of any gradient to those of the package: {max(apart):.0e}")
assert torch.allclose(value.mean(), -loss.detach(), atol=1e-4)
assert all(torch.allclose(p.grad, by_hand[name], atol=1e-5) for name, p in vae.named_parameters())

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What K costs
#
# Does $K = 50$ take 50 times as long? So one reads, and so many are the decoder passes. But the encoder runs once, a step
# has fixed costs, and $K$ decodings go through the processor as one big matrix. The only way to know is to measure, on the
# machine that you have. The cell compares steps of this small VAE with $K = 1$, in a few seconds. The last column counts the bytes that
# autograd keeps for the backward pass.


# %% slideshow={"slide_type": "subslide"} tags=["nbval-ignore-output"]
def step_cost(K, repeats=7):
    """Seconds of a forward and backward pass, and the bytes kept in between."""
    kept, seconds = {}, []

    def keep(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    for _ in range(repeats):
        kept.clear()
        start = time.perf_counter()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
            objectives.backward(vae, x_batch, "iwae", M=1, K=K)
        seconds.append(time.perf_counter() - start)
    return min(seconds), sum(kept.values())

# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
costs = {K: step_cost(K) for K in (1, 8, 64, 256)}
for K, (fastest, kept) in costs.items():
    print(f"K = {K:3}   {1e3 * fastest:6.1f} ms", end="   ")
    print(f"= {fastest / costs[1][0]:5.1f} times K = 1", end="   ")
    print(f"{kept / 1e6:6.1f} MB kept")

# %% [markdown] slideshow={"slide_type": "fragment"}
# On the machine that made this page a step with $K = 8$ was far cheaper than eight steps with $K = 1$. For large $K$ both
# time and memory grow in proportion, and then the sentence is true in slope: twice the samples, twice the price.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# Memory is proportional once K is large; time is never more than proportional, but for the noise of a busy machine.
assert 3.5 < costs[256][1] / costs[64][1] < 4.1
assert costs[8][0] < 12 * costs[1][0]

# %% [markdown] slideshow={"slide_type": "slide"}
# ## log p(x) with K = 5000
#
# For a VAE nobody knows $\log p(x)$. But $L_K$ with a large $K$ comes close from below, and $K = 5000$ has become the
# custom for reporting test results (Burda et al. used it). Training at such a $K$ would be dear; evaluating once is not.
# `evaluate.log_likelihood` holds 100 samples at a time and adds them up in logarithms (LSE is LogSumExp), so that memory
# does not grow with $K$:
#
# $$ \mathrm{LSE}(\log w_1, \dots, \log w_{200}) = \mathrm{LSE}\big(\mathrm{LSE}(\log w_1, \dots, \log w_{100}),\ \mathrm{LSE}(\log w_{101}, \dots, \log w_{200})\big) . $$
#
# **How good is it?** On the reference model the gap at $K = 5000$ is $7 \cdot 10^{-5}$ nats. In high dimensions, with a $q$
# that misses part of the posterior, it can be much larger. On average the reported log-likelihood is too *low*, never too
# high. If 5000 weights are worth three, distrust the number. If they are worth 4000, nothing is proved: chapter 02 has a $q$
# that misses a part of the posterior, and its weights are calm.
#
# **The rule for comparing.** Two models are compared at **one and the same, large $K$**. The VAE's $L_1$ against an IWAE's
# $L_{64}$ mixes two things: part of the difference is the bound's tightness, which the VAE could have had too. What is left at
# $K = 5000$, about $\chi^2/(2K)$, still belongs to each model's *own* encoder; chapter 08 says how to ask a judge that does not use it.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert f"{exact_gap([5000])[0]:.0e}" == "7e-05"

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Three models on digits
#
# Three VAEs of one size and one seed, on the 8 x 8 digits: one climbs $L_1$, the ELBO; one $L_8$; one $L_{64}$. They see
# the same images in the same order. **Your predictions:** which has the best $\log p(x)$ on test images? And which has
# the best *ELBO*? And whose encoder is the best guess at its own posterior, so that $\log p(x) - \mathrm{ELBO}$ is smallest?
#
# Training takes one to two minutes; a bar shows how far each model is.

# %% slideshow={"slide_type": "subslide"} tags=["nbval-ignore-output"]
x_test = images.binary_test()  # [360, 64], the same zeros and ones for all models
trained, seconds = {}, {}
for K in (1, 8, 64):
    trained[K] = train.untrained(images, seed=0)
    epochs = train.DIGITS.epochs
    history = train.fit(trained[K], images, "iwae", M=1, K=K, epochs=epochs, seed=0)
    seconds[K] = sum(history.seconds)

# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
result = {}
for K, network in trained.items():
    log_p_test = evaluate.log_likelihood(network, x_test, K=5000, generator=seeded(2))
    elbo_test = evaluate.bound(network, x_test, "elbo", M=1, K=200, generator=seeded(3))
    result[K] = log_p_test, elbo_test  # [360] each
    print(f"trained with K = {K:2}   NLL {-log_p_test.mean():.2f}", end="   ")
    print(f"ELBO {elbo_test.mean():.2f}", end="   ")
    print(f"difference {(log_p_test - elbo_test).mean():.2f}   {seconds[K]:.0f} s")

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# What the text below says: paired z-scores over the 360 test images, and the values. Their centres are the means over
# three seeds that benchmarks/digits.py prints, with standard errors of at most 0.06 (NLL) and 0.10 (ELBO).
def paired_z(a, b):
    return ((a - b).mean() / (a - b).std() * len(a) ** 0.5).item()


assert paired_z(result[8][0], result[1][0]) > 4 and paired_z(result[64][0], result[1][0]) > 4  # better models
assert paired_z(result[64][0], result[8][0]) > 2
assert paired_z(result[1][1], result[64][1]) > 4 and paired_z(result[8][1], result[64][1]) > 4  # worse ELBO
for K, nll, elbo in ((1, 23.87, -24.13), (8, 23.30, -24.50), (64, 23.10, -26.42)):
    assert abs(-result[K][0].mean() - nll) < 0.3 and abs(result[K][1].mean() - elbo) < 0.4
x_train = data.binarise(images.train, torch.Generator().manual_seed(7))
on_train = {K: evaluate.bound(trained[K], x_train, "elbo", M=1, K=20) for K in (1, 64)}
assert paired_z(on_train[1], on_train[64]) > 4  # not overfitting: the training images say the same
units = {K: evaluate.active_units(network, images.test) for K, network in trained.items()}
assert units[1] <= units[8] and units[1] <= units[64] and units[64] == 10

# %% [markdown] slideshow={"slide_type": "fragment"}
# NLL is the negative log-likelihood, $-\log p(x)$ at $K = 5000$, in nats per image: lower is better.
#
# **The model gets better with $K$.** It explains unseen digits better, by about $0.6$ nats from $K = 1$ to 8, and by another
# $0.2$ from 8 to 64.
#
# **The ELBO gets worse with $K$.** Look at that column again. The model trained with 64 samples has the *worst* ELBO of the
# three, by about two nats.
#
# One seed is one seed. The means over three (`benchmarks/digits.py`) are NLL $23.87$, $23.30$, $23.10$, with standard errors
# of at most $0.06$, and ELBO $-24.13$, $-24.50$, $-26.42$.

# %% slideshow={"slide_type": "subslide"} tags=["nbval-ignore-output"]
widths = {}
for K, network in trained.items():
    with torch.no_grad():
        widths[K] = network.encode(x_test)[1].exp().mean().item()
    active = evaluate.active_units(network, images.test)
    print(f"trained with K = {K:2}   active units {active} of 10", end="   ")
    print(f"mean width of q {widths[K]:.2f}")
assert widths[1] < widths[8] and widths[1] < widths[64]

# %% [markdown] slideshow={"slide_type": "fragment"}
# Two more differences. **No fewer units of the code are in use.** A unit is *active* if the encoder's mean moves with $x$, with
# a variance above $0.01$. A unit that the ELBO prunes is worth keeping once a few bad samples cannot ruin the bound. This is
# what is meant by *richer representations*. One seed with ten units proves little; the paper's table below has 19, 22 and 25.
# **And q gets wider.** With $K$ tries one hit is enough and a miss costs little, so it pays to cover the posterior. With one try
# every miss is paid in full, and a narrow, cautious $q$ is safer. (Each width belongs to a model of its own, whose posterior
# differs too. Chapter 04 keeps the posterior and moves only $q$.)

# %% slideshow={"slide_type": "subslide"} tags=["nbval-ignore-output"]
POWERS = [1, 2, 4, 8, 16, 32, 64, 128, 256]
curves = {}
for trained_with, network in trained.items():
    with torch.no_grad():
        log_w = network.log_weights(x_test, M=1, K=256, generator=seeded(5))[0]
    groups = {K: log_w.view(256 // K, K, -1) for K in POWERS}
    curves[trained_with] = {K: bounds.miwae(groups[K]).mean().item() for K in POWERS}
    print(f"trained with K = {trained_with:2}", end="   ")
    print("   ".join(f"L_{K} {curves[trained_with][K]:.2f}" for K in (1, 8, 64)))

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input", "nbval-ignore-output"] mystnb={"image": {"alt": "L_K on test images against K for the three trained models. At K = 1 the VAE is highest and the model trained with 64 samples lowest, two nats below. The lines cross between K = 1 and K = 16; for large K the order is reversed."}}
for (trained_with, curve), color in zip(curves.items(), (plots.ELBO, plots.MIWAE, plots.IWAE)):
    plt.plot(curve.keys(), curve.values(), "o-", color=color, label=f"trained with K = {trained_with}")
    plt.axhline(result[trained_with][0].mean(), color=color, linestyle=":", linewidth=1)
plt.xscale("log", base=2), plt.xticks(list(curves[1]), list(curves[1]))
plt.xlabel("K in the evaluation"), plt.ylabel("$L_K$ on test images, nats")
plt.legend()
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# Each line is one trained model, evaluated with more and more samples; the thin dotted lines are at $K = 5000$. At the left
# end the VAE leads and the model trained with 64 samples is two nats behind; at the right end the order is reversed. **Who
# wins depends on the $K$ of the evaluation**, which is why it must be one, and large. The unfair comparison, the VAE's $L_1$
# against the IWAE's $L_{64}$, would claim about one nat. About a quarter of that is tightness.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert curves[1][1] > curves[8][1] > curves[64][1] and curves[1][256] < min(curves[8][256], curves[64][256])
unfair, fair = curves[64][64] - curves[1][1], curves[64][64] - curves[1][64]
assert 0.7 < unfair < 1.4 and 0.1 < (unfair - fair) / unfair < 0.4

# %% slideshow={"slide_type": "subslide"} tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Three rows of sixteen digits drawn from the three trained models, from top to bottom K = 1, 8 and 64. All three rows hold blurred but readable digits."}}
z_prior = torch.randn(16, trained[1].latent_dim, generator=seeded(6))
with torch.no_grad():
    rows = torch.cat([network.decode(z_prior) for network in trained.values()])
_, axes = plt.subplots(figsize=(9.5, 2.2))
axes.imshow(plots.mosaic(rows.view(-1, *images.shape), columns=16))
axes.set(yticks=[4, 13, 22], xticks=[])
axes.set_yticklabels([f"K = {K}" for K in trained])
axes.grid(False)
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# Digits drawn from the three models, one model a row. Papers and tutorials promise *higher-quality samples*. Can you see it
# here? From the first row to the last it is $0.8$ nats in 24: a measured difference, and none to the eye. Trust the number,
# and be wary of pictures.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What the paper found on MNIST
#
# Burda et al. (2016), table 1, one stochastic layer: NLL at $K = 5000$ in nats, and the number of active units of 50. These
# are the paper's numbers, not ours; 3280 passes over MNIST do not fit into a page.
#
# | trained with | K = 1 | K = 5 | K = 50 |
# |---|---|---|---|
# | ELBO, averaged over K samples | 86.76 / 19 | 86.47 / 20 | 86.35 / 20 |
# | $L_K$ | 86.76 / 19 | 85.54 / 22 | 84.78 / 25 |
#
# The first row answers an objection: perhaps it is only the *number of samples*? An ELBO averaged over 50 samples has less
# noise, and gains $0.41$ nats. The logarithm outside the average gains $1.98$. And the pattern is that of our digits: most of
# the gain comes early, more units stay in use.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert round(86.76 - 86.35, 2) == 0.41 and round(86.76 - 84.78, 2) == 1.98 and sum(3**i for i in range(8)) == 3280

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The other way: a richer q
#
# $L_K$ leaves $q$ as it is and pays with samples. Its main rival draws **one** sample from a $q$ that can bend. A
# **normalising flow** (Rezende and Mohamed 2015) draws noise $u \sim \mathcal N(0, I)$ and sends it through an invertible map,
# $z = f(u)$. Which density has $z$? The mass of a small piece of $u$ is that of the piece it becomes. So
#
# $$ \log q(z) = \log \mathcal N(u;\ 0, I) - \log \left| \det \frac{\partial f}{\partial u} \right|, $$
#
# the **change of variables**, and $\log w = \log p(x, z) - \log q(z)$ is a log-weight like any other. The map must be one-to-one and
# differentiable, with a determinant that is cheap. In one dimension that is a slope which is nowhere 0. Take a *planar* flow, one
# bend on top of a shift and a scale:
#
# $$ f(u) = \text{shift} + \text{scale} \cdot \big( u + \text{push} \cdot \tanh(\text{steep} \cdot u) \big), \qquad \text{scale, push, steep} > 0 . $$
#
# **Predict.** The posterior of the lab with two humps again, six apart. The best Gaussian for the ELBO loses $0.69$ nats there. How much
# does the best of these flows lose, with one sample: $0.5$, $0.05$, or nothing?

# %% slideshow={"slide_type": "subslide"}
u = torch.linspace(-8, 8, 1601, dtype=torch.float64)  # all noise, on a grid
log_noise = Normal(0.0, 1.0).log_prob(u)


def flow(shift, scale, push, steep):  # four numbers -> z [N] and log q(z) [N]
    bend = torch.tanh(steep * u)
    slope = scale * (1 + push * steep * (1 - bend**2))  # dz/du, positive
    return shift + scale * (u + push * bend), log_noise - slope.log()


def two_humps(z):
    left, right = Normal(-3.0, 1.0).log_prob(z), Normal(3.0, 1.0).log_prob(z)
    return torch.logaddexp(left, right) - math.log(2)

# %% slideshow={"slide_type": "subslide"}
mass = log_noise.exp() * (u[1] - u[0])
numbers = torch.zeros(4, dtype=torch.float64, requires_grad=True)
optimizer = torch.optim.Adam([numbers], lr=0.1)
for _ in range(200):
    z, log_q = flow(numbers[0], *numbers[1:].exp())
    loss = -(mass * (two_humps(z) - log_q)).sum()  # minus the ELBO, log p(x) = 0 here
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

z, log_q = flow(numbers[0].detach(), *numbers[1:].detach().exp())

# %% slideshow={"slide_type": "fragment"}
humps = exact.TwoHumps(6.0)  # the same posterior, and its two best Gaussians
seeks, covers = (humps.law(*q) for q in (humps.seeking(), humps.covering()))
bent = exact.WeightLaw(two_humps(z) - log_q, mass)  # of the flow's weights, for any K
for name, law in (("seeks", seeks), ("covers", covers), ("flow", bent)):
    gaps = [f"{-law.lower(K).item():.4f}" for K in (1, 8, 64)]
    print(f"{name:>6}: gap at K = 1, 8, 64 ", *gaps)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "Left, the posterior with two humps, dashed; the Gaussian that covers is one broad hill; the flow has two humps like the posterior, with a low bridge between them. Right, the gap against K on logarithmic axes: the Gaussian that seeks stays at 0.69, the one that covers falls from 0.94, and the flow, from 0.044, lies below both, parallel to the second."}}
_, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4))
left.plot(z, two_humps(z).exp(), "--", color=plots.EXACT, label="posterior")
left.plot(z, Normal(*humps.covering()).log_prob(z).exp(), color=plots.CIWAE, label="Gaussian that covers")
left.plot(z, log_q.exp(), color=plots.IWAE, label="flow")
left.set(xlabel="z", xlim=(-8, 8), ylim=(0, 0.32))
Ks = [1, 2, 4, 8, 16, 32, 64]
for law, color, name in ((seeks, plots.ELBO, "seeks"), (covers, plots.CIWAE, "covers"), (bent, plots.IWAE, "flow")):
    right.plot(Ks, [-law.lower(K).item() for K in Ks], "o-", color=color, label=name)
right.loglog()
right.set(xlabel="samples K", xticks=Ks, xticklabels=Ks, ylabel="log p(x) − $L_K$, nats")
left.legend(loc="upper left")
right.legend(loc="lower left")
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Explain.** $0.044$. Four numbers and one sample are worth what the Gaussian that covers reaches with $11$, and the one that
# seeks with no $K$ in sight. Left you see what is lost: four numbers have too little shape, so a bridge is left between the humps. (Continuity is not to blame: the quantile function of the posterior, fed with the normal's distribution function, is continuous and makes it exactly.)
# With humps $8$ apart it costs $0.09$ nats. The two ways **add up**: $8$ samples of the flow are at $0.005$.
#
# On the reference model the shift and the scale are enough (an *affine* flow, push $= 0$): they make $q$ the posterior, and the gap
# goes from $0.609$ to $0$ with one sample. $L_K$ came within $0.01$ with $36$ (exercise 1).
#
# | | more samples | a flow |
# |---|---|---|
# | the price | $K$ decodings, at every step and in every evaluation | one decoding; more encoder, trained |
# | the gap | $\chi^2/(2K)$ of the $q$ that one has: to 0, if it covers | stops where the family ends |
# | the encoder | the same | makes the numbers of $f$ from $x$ as well |
#
# In many dimensions one takes many layers, and coupling layers in the place of planar ones: `docs/how-to/flow.md` has a whole script.
# A third way is **structured** inference: a $q$ whose parts depend on each other as those of the posterior do, where ours has
# independent ones (Hoffman and Blei 2015). In chapter 04 two parts with a correlation of $0.8$ will cost an independent Gaussian $0.51$ nats, and
# a Gaussian with a correlation nothing.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert abs(torch.trapezoid(log_q.exp(), z).item() - 1) < 1e-3  # a density
moving = u.clone().requires_grad_()
inside = torch.tanh(numbers[3].detach().exp() * moving)
by_autograd = torch.autograd.grad((moving + numbers[2].detach().exp() * inside).sum(), moving)[0]
assert torch.allclose((log_noise - log_q).exp(), numbers[1].detach().exp() * by_autograd)
flow_gap = -bent.lower(1).item()
assert round(flow_gap, 3) == 0.044 and round(-bent.lower(8).item(), 3) == 0.005 and abs(bent.log_mean.item()) < 1e-6
assert -covers.lower(11).item() < flow_gap < -covers.lower(10).item() and -seeks.lower(64).item() > 0.6
far_apart = lambda z: torch.logaddexp(Normal(-4.0, 1.0).log_prob(z), Normal(4.0, 1.0).log_prob(z)) - math.log(2)
wider = numbers.detach().clone().requires_grad_()
optimizer = torch.optim.Adam([wider], lr=0.05)
for _ in range(200):
    z_far, log_q_far = flow(wider[0], *wider[1:].exp())
    gap = (mass * (log_q_far - far_apart(z_far))).sum()
    optimizer.zero_grad(), gap.backward(), optimizer.step()
assert round(gap.item(), 2) == 0.09
z_affine, log_q_affine = flow(posterior.mean.item(), posterior.stddev.flatten(), 0.0, 1.0)
at_posterior = Normal(posterior.mean.flatten(), posterior.stddev.flatten()).log_prob(z_affine)
assert (log_q_affine - at_posterior).abs().max() < 1e-9  # the affine flow is the posterior
assert math.ceil(chi_squared / 0.02) == 36 and exact_gap([36])[0] < 0.0103
assert round(-0.5 * math.log(1 - 0.8**2), 2) == 0.51

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Which K?
#
# | K | use it for | what you get |
# |---|---|---|
# | 1 | a first model; a well-fitting $q$ | the ELBO, cheapest; the encoder is trained to be a posterior |
# | 5 to 10 | the usual training choice | most of the gain at a small price |
# | 50 to 100 | training when the decoder matters and time does not | a little more; the price is proportional by now |
# | 5000 | evaluation, once | $\log p(x)$, nearly, from below |
#
# Reach for IWAE when you need an accurate $\log p(x)$, or a better decoder without a richer $q$, and have the compute.
#
# **Do you suspect that the ELBO's looseness holds a model back?** Measure it: $L_{5000} - \mathrm{ELBO}$ on test data. Several times what a
# seed moves (here up to $0.1$ nats), and it is worth a trial. A small value acquits nobody: the decoder was trained to have posteriors
# that suit its $q$ (chapter 01). Our VAE shows $0.26$ nats, and training with $L_{64}$ gained $0.77$. So train once with $K = 8$, and judge both at $K = 5000$.
#
# Two sentences that you will read elsewhere, the text that this chapter covers among them, need a footnote:
#
# * *It improves encoder and decoder.* The decoder, yes. About the encoder wait for the riddle below.
# * *The variance of the gradient can become a problem, above all if $K$ is very large or the weights are highly skewed;
#   reparameterisation keeps it under control.* It names two cases. **Very large $K$**, by itself: no. For our $q$
#   the standard deviation *falls* with $K$, and the mean falls faster; reparameterisation, which we used all along, does not repair that, and chapters
#   04 and 05 do (Rainforth et al. 2018). **Skewed weights**: yes. Take a centred $q$ half as wide as the posterior, whose $\chi^2$ is infinite:
#
# | standard deviation of one gradient | $K = 1$ | 16 | 256 |
# |---|---|---|---|
# | reference $q$: decoder's slope; $q$'s mean; $q$'s width | 2.32; 2.67; 4.32 | 0.20; 0.66; 0.97 | 0.05; 0.16; 0.25 |
# | half as wide: the same three | 0.30; 1.03; 1.45 | 0.29; 0.80; 1.79 | 0.26; 0.57; 1.77 |
#
# There $256$ times the samples hardly help the decoder, and the gradient of the width is noisier than with one. A $\chi^2$ that is finite and
# huge is no better: for a $q$ of $0.75$ of the width, one unit beside, it is $7 \cdot 10^{14}$, and the width's number goes up, $0.93$, $1.71$, $2.14$ at $K = 16$, $256$,
# $4096$.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
for width, shift, spreads in (
    (1.3, 0.5, [(2.32, 2.67, 4.32), (0.20, 0.66, 0.97), (0.05, 0.16, 0.25)]),
    (0.5, 0.0, [(0.30, 1.03, 1.45), (0.29, 0.80, 1.79), (0.26, 0.57, 1.77)]),
):
    rows = exact.RowGradients(case_with(width, shift))
    for K, spread in zip((1, 16, 256), spreads):
        assert tuple(round(rows.moments("iwae", one, K=K).sd, 2) for one in ("weight", "mean", "std")) == spread
skewed = case_with(0.75, 1.0)
assert f"{skewed.model.chi_squared(*skewed[1:]).item():.0e}" == "7e+14"
rows = exact.RowGradients(skewed)
assert [round(rows.moments("iwae", "std", K=K).sd, 2) for K in (16, 256, 4096)] == [0.93, 1.71, 2.14]
assert 0.16 < (result[1][0] - result[1][1]).mean() < 0.36 and 0.6 < (result[64][0] - result[1][0]).mean() < 0.95
assert round(-23.87 + 24.13, 2) == 0.26 and round(23.87 - 23.10, 2) == 0.77

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 7 · Spot the bug: a bound that passes its tests (medium, 8 minutes)
#
# This function is reviewed code. It has the KL of $q$ from the prior, log-sum-exp and $-\log K$; its loss goes down. Yet on
# the reference model, with $q$ *equal* to the posterior and many samples, it gives $-1.62$ where $\log p(x) = -1.746$: too
# good to be a bound.
#
# The KL is written as a mean of $\log q - \log p(z)$ over the samples; an exact KL behaves in the same way. Mend the code so
# that it returns $L_{MK}$, all samples pooled under one logarithm, `[B]`. Until you have an answer, leave the first line as
# it is.
#
# <details><summary>Hint 1</summary>Write down the weight of <i>one</i> sample. Which of its three factors can still
# tell one sample from another in this code?</details>
#
# <details><summary>Hint 2</summary>Only the likelihood can. Put the other two back to where they belong, sample by
# sample, before the <code>logsumexp</code>; no mean over the samples is needed then.</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def mended(log_likelihood, log_prior, log_q):  # three times [M, K, B]
    return None  # take this line away when you have mended the rest
    M, K, B = log_q.shape
    kl = (log_q - log_prior).mean(1, keepdim=True)  # [M, 1, B]
    return (log_likelihood - kl).logsumexp((0, 1)) - math.log(M * K)

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["03.spot_the_weight"](mended)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def mended(log_likelihood, log_prior, log_q):
    M, K, B = log_q.shape
    return (log_likelihood + log_prior - log_q).logsumexp((0, 1)) - math.log(M * K)


verdict = checks.ALL["03.spot_the_weight"](mended)
assert verdict.passed
verdict

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# The number on the card: for q = posterior and large K the old code tends to
# log E_q[p(x|z)] - KL(q || prior), exactly -1.62.
q = model.posterior(x)
KL_prior = 0.5 * (q.mean**2 + q.stddev**2 - 1 - 2 * q.stddev.log()).sum()
spread = torch.distributions.Normal(1.5 * q.mean, (0.7 + 2.25 * q.stddev**2).sqrt())
assert round((spread.log_prob(x).sum() - KL_prior).item(), 2) == -1.62

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 8 · Spot the bug: the table that beats the truth (medium, 6 minutes)
#
# A training script computes one thing for `backward()` and prints the same thing in its table of results. The table is better
# than every published one. The *training* is right. Mend the *report*: return $L_K$ in each of the $M$ groups, averaged over $M$.
#
# <details><summary>Hint 1</summary>This sum has the right gradient. Which number would be the bound, and how far is
# this one from it?</details>
#
# <details><summary>Hint 2</summary>Under <i>The gradient</i> stands what this sum is: the bound, plus log K, minus
# the entropy of the shares. Do not correct it. Report something else: what exercise 3 has, without its minus sign and
# for each x.</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def report(log_w):  # [M, K, B]
    return None  # take this line away when you have mended the rest
    share = log_w.softmax(1).detach()
    return (share * log_w).sum(1).mean(0)

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["03.spot_the_report"](report)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def report(log_w):
    return (log_w.logsumexp(1) - math.log(log_w.shape[1])).mean(0)


verdict = checks.ALL["03.spot_the_report"](report)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The riddle
#
# Three facts from this page, all measured:
#
# * the bound is **tighter** with $K = 64$ than with $K = 1$;
# * the model trained with it is **better**: a higher $\log p(x)$ on images that it has never seen;
# * its encoder is **worse**: the ELBO of the same model is the lowest of the three, so its $KL(q \,\|\, p(z \mid x))$ is the
#   largest.
#
# A tighter bound is closer to the thing we want. Everything else was equal. **So why did the encoder get worse?**
#
# Write down your guess before you turn the page: which of two suspects, or both? *Noise*: from $K = 1$ to 64, on the reference model, the
# standard deviation of the gradient of $q$'s mean fell from $2.7$ to $0.32$, and its expectation from $-2.1$ to about $-0.025$.
# *Another goal*: where no $q$ of the family is the posterior, the $q$ that is best for $L_{64}$ need not be the one that is best
# for the ELBO.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **10 minutes, and end here.** Collect guesses on the board. "Overfitting": no, the ELBO is lower on the *training* images
# too, a hidden cell asserts it. "Too few epochs": all three had the same. "Noise": the sd fell. Ask now: *if L_K is tight for
# any q, what reason has q to be good?* Leave it open. Chapter 04 starts with the division of the two numbers.

# %% [markdown] slideshow={"slide_type": "skip"} tags=["quiz"]
# ## Before you go on: three questions
#
# Choose an answer before you open one. Each says why it is right, or what leads to it.
#
# **1 ·** For some $q$ and $K = 1000$ the gap $\log p(x) - L_K$ is nearly 0. What does that say about $q$?
#
# <details><summary>A · It is nearly the posterior, for the gap measures how far it is</summary>
#
# The gap is $KL(q \,\|\, p(z \mid x))$ for $K = 1$ only. With many samples a poor $q$ has a small gap too: about
# $\chi^2/(2K)$.
#
# </details>
#
# <details><summary>B · It is at least as wide as the posterior, so that no weight is huge</summary>
#
# A somewhat narrower $q$ will do: for Gaussians a variance above half the posterior's makes $\chi^2$ finite.
#
# </details>
#
# <details><summary>C · Nothing about its KL: only that a mean of 1000 weights is even</summary>
#
# Right. The gap measures how even the *average* of the weights is. For a fixed $q$ the KL does not change with $K$.
#
# </details>
#
# **2 ·** Model A was trained with the ELBO and model B with $L_{64}$. A table reports the ELBO of A and $L_{64}$ of
# B, and B is one nat higher. What follows?
#
# <details><summary>A · B is the better model, by about one nat on these images</summary>
#
# Perhaps. The nat contains a difference of models *and* a difference of bounds, and the table cannot tell them apart.
#
# </details>
#
# <details><summary>B · Nothing yet: judge both by one large K</summary>
#
# Right. $L_{64}$ of A lies above the ELBO of A as well. Which part of the nat is tightness you see when both are
# measured alike.
#
# </details>
#
# <details><summary>C · B is not better: L₆₄ lies above log p(x)</summary>
#
# $L_{64}$ is a lower bound, like the ELBO. It is nearer to $\log p(x)$, from below.
#
# </details>
#
# <details><summary>D · A has the better encoder</summary>
#
# The table holds nothing about that. For it one would compare the ELBO of each model with its *own* $\log p(x)$.
#
# </details>
#
# **3 ·** A script trains on $\sum_k \tilde w_k \log w_k$ with detached shares, and prints this number as the bound.
# What is right in it?
#
# <details><summary>A · The gradient; the number is too high</summary>
#
# Right. The number exceeds $\log \frac1K \sum_k w_k$ by $\log K - H(\tilde w)$, which is 0 only if all weights are
# equal.
#
# </details>
#
# <details><summary>B · Both are right, since the shares are held fixed</summary>
#
# Detaching makes the *gradient* right. The value is a weighted mean of logarithms, and not the logarithm of a mean.
#
# </details>
#
# <details><summary>C · Neither: the gradient has to flow through the shares as well</summary>
#
# The shares already come from differentiating the logarithm. Differentiate them once more, and the gradient gets a
# second term that can turn its sign.
#
# </details>
#
# <details><summary>D · Neither: gradient and number are those of the ELBO</summary>
#
# The ELBO gives each sample the credit $1/K$. Here the larger weights count more, in both, so the number is higher.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What to take along
#
# | | formula | in code |
# |---|---|---|
# | the bound | $L_K = \mathbb E \log \frac1K \sum_k w_k$ | `log_w.logsumexp(1) - math.log(K)` |
# | it starts, rises, arrives | $\mathrm{ELBO} = L_1 \le L_{K-1} \le L_K \to \log p(x)$ | `bounds.iwae`, `bounds.miwae` |
# | how fast | $\log p(x) - L_K \approx \chi^2 / (2K)$, if $\chi^2$ is finite | `model.chi_squared` of an exact model |
# | credit | $\nabla L_K = \mathbb E \sum_k \tilde w_k \nabla \log w_k$ | `log_w.softmax(1).detach()` |
# | the implied posterior | pick one of $K$ by $\tilde w$ | `torch.multinomial` |
# | fair comparison | one large $K$ for all | `evaluate.log_likelihood(model, x, K=5000)` |
#
# **Next.** Chapter 04 solves the riddle: tighter bounds are not necessarily better, and what to do about it. The other
# way to tighten a bound, a richer $q$, comes back in chapter 07, where $q$ has no density at all.
#
# ### References
#
# * Y. Burda, R. Grosse, R. Salakhutdinov (2016). *Importance Weighted Autoencoders.* ICLR. [arXiv 1509.00519](https://arxiv.org/abs/1509.00519)
# * C. Cremer, Q. Morris, D. Duvenaud (2017). *Reinterpreting Importance-Weighted Autoencoders.* [arXiv 1704.02916](https://arxiv.org/abs/1704.02916)
# * J. Domke, D. Sheldon (2018). *Importance Weighting and Variational Inference.* NeurIPS. [arXiv 1808.09034](https://arxiv.org/abs/1808.09034)
# * S. Nowozin (2018). *Debiasing Evidence Approximations: On Importance-weighted Autoencoders and Jackknife Variational
#   Inference.* ICLR, [openreview HyZoi-WRb](https://openreview.net/forum?id=HyZoi-WRb) (the bias and variance of $L_K$ in powers of $1/K$)
# * D. Rezende, S. Mohamed (2015). *Variational Inference with Normalizing Flows.* ICML. [arXiv 1505.05770](https://arxiv.org/abs/1505.05770)
# * M. Hoffman, D. Blei (2015). *Structured Stochastic Variational Inference.* AISTATS. [arXiv 1404.4114](https://arxiv.org/abs/1404.4114)
# * T. Rainforth et al. (2018). *Tighter Variational Bounds are Not Necessarily Better.* ICML. [arXiv 1802.04537](https://arxiv.org/abs/1802.04537)
# * The text that this chapter covers, and corrects where it slips: a page of ApX's course on VAEs, [重要性加权自编码器](https://apxml.com/zh/courses/vae-representation-learning/chapter-4-vae-inference-techniques/importance-weighted-autoencoders-iwaes) (in Chinese)
