# %% [markdown] slideshow={"slide_type": "slide"}
# # Importance sampling: what a weight is worth
#
# Chapter 01 turned the likelihood of a data point, $p(x)$, into a bound, the ELBO. This chapter stays one step earlier, with
# the weights themselves. They estimate $p(x)$ without any bias. So why does nobody train an encoder on that estimate?
#
# After it you can
#
# - **estimate** $p(x)$ from samples of an encoder, with an error bar;
# - **tell** when that error bar can be trusted, from the width of $q$ alone;
# - **explain** why the mean weight teaches the encoder nothing, and what does;
# - **write** a score-function gradient with a baseline that does not bias it;
# - **say** why the encoder of a VAE needs noise.
#
# You need: chapter 01 (the ELBO, $\mathrm{KL}(q \,\|\, p(z|x))$), expectations and variances, PyTorch's `autograd`.
#
# **Part 1: reading 45 minutes, doing 45 minutes. Part 2: reading 50 minutes, doing 50 minutes.** At a first reading leave out what is marked with a dagger (†): nothing else needs it.

# %% slideshow={"slide_type": "skip"}
import math

import matplotlib.pyplot as plt
import torch
from torch.distributions import Normal
from tqdm import tqdm

from vaecourse import bounds, checks, exact, gradients, labs, models, plots

plots.use_style()

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **Teaching this chapter: 100 minutes**, without the parts marked †. Opening guess and lab 10 · unbiased weights 10 · coverage and effective sample size 15 · infinite
# variance 15 · the flat objective 10 · score function and baselines 25 · the Dirac encoder 15. Exercises 1, 3 and 7 in class,
# the rest at home. If time is short leave out the mixture (exercise 6); do not leave out "too narrow".

# %% [markdown] slideshow={"slide_type": "skip"} tags=["recall"]
# ## Before you begin: two questions from before
#
# **1 · (from 01)** A loss takes the mean over the 64 pixels and adds the sum of the KL over the latent units. Which weight
# does its KL have, beside the ELBO?
#
# <details><summary>A · One: it is the ELBO, divided by 64</summary>
#
# It would be if the KL were divided by 64 as well. Here the reconstruction alone is.
#
# </details>
#
# <details><summary>B · 64: the KL is too dear</summary>
#
# Right. Multiply the loss by 64, and the sum over pixels is back, with 64 times the KL beside it.
#
# </details>
#
# <details><summary>C · 1/64: the KL hardly counts</summary>
#
# The reconstruction has shrunk, not the KL. What is left as it was counts more.
#
# </details>
#
# **2 · (from 00)** The mean of 400 draws has a standard error of 0.1. What will it be with 1600 draws?
#
# <details><summary>A · 0.05</summary>
#
# Right. The standard error falls like $1/\sqrt N$: four times the draws, half the error.
#
# </details>
#
# <details><summary>B · 0.025, a quarter</summary>
#
# So the *variance* of the mean falls. The standard error is its root.
#
# </details>
#
# <details><summary>C · 0.1, for the draws scatter as before</summary>
#
# One draw scatters as before. The mean of more of them scatters less.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## Predict, drag, explain
#
# There is one data point $x$ and a model whose every integral is known. The encoder $q(z)$ proposes values of the hidden
# variable $z$; each gets a weight $w$, and the mean of $K$ weights is our estimate of $p(x)$.
#
# **Guess before you drag.** Centre $q$ on the posterior, and make it half as wide. A thousand weights are drawn, their mean
# is printed with the usual 95% interval.
#
# 1. Is the mean more often too low, or too high?
# 2. How often does the interval contain the true $p(x)$: 95%, 85% or 70% of the time?
# 3. Twice as wide instead of half: better or worse?
#
# The lab asks the second, and repeats the experiment forty times. Intervals that miss are red. Press *New noise* a few times;
# then *too wide*, and do it again. Section 4 has the answers.

# %% slideshow={"slide_type": "fragment"} mystnb={"image": {"alt": "Four states of the proposal lab: with q equal to the posterior all weights are equal; with q half as wide the weights have a long tail and the variance is infinite; with q twice as wide or off the centre the variance is finite"}}
labs.ALL["02.proposal"]()

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **10 minutes.** Ask now: "Who says 95%?" Count hands, press *too narrow*, then *New noise* five times and let the class count the misses.
# Do not explain yet. The answers are measured in the section on infinite variance: too low in about 7 of 10 runs, the
# interval holds the truth in about 7 of 10, and twice as wide is harmless.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1 · The mean weight is right
#
# A generative model has a prior $p(z)$ and a likelihood $p(x|z)$. What we want is the integral of their product. Multiply and
# divide by any density $q(z|x)$ we can sample from:
#
# $$p(x) = \int p(z)\,p(x|z)\,dz = \int q(z|x)\,\underbrace{\frac{p(z)\,p(x|z)}{q(z|x)}}_{w(z)}\,dz = E_q[w].$$
#
# $w$ is the **importance weight** of $z$; we write $q$ for $q(z|x)$ where $x$ stays the same. With $K$ samples $z_1, \dots, z_K$ of $q$ the estimate is the mean weight,
# $\hat p = \frac1K \sum_k w(z_k)$, and $E[\hat p] = p(x)$: **unbiased**, for every $K$, even for $K = 1$, and for every $q$ that
# covers (section 2). As before, `log_w[M, K, B]` holds $\log w$: $M$ estimates, $K$ samples in each, $B$ data points.
#
# Our **reference model** has $z \sim N(0, 1)$, $x|z \sim N(1.5 z, 0.7)$ (a variance) and $x = 1.3$. Its posterior is Gaussian
# with mean $m$ and variance $v$. The reference $q = N(\mu, \sigma^2)$ sits half a unit to the right of the posterior and is 1.3
# times as wide.

# %% slideshow={"slide_type": "fragment"}
model, x, mean, std = exact.reference(torch.float64)
# x [B, D]; mean and std are q's mu and sigma, [B, L]; here B = D = L = 1
posterior, v = model.posterior(x), model.covariance.item()
log_p = model.log_likelihood(x)
p = log_p.exp().item()


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def z_score(samples, truth):
    """How many standard errors lie between mean and truth; beyond 4 is an alarm."""
    return ((samples.mean() - truth) / (samples.std() / len(samples) ** 0.5)).item()


print(f"log p(x) = {log_p.item():.4f}   p(x) = {p:.4f}")
print(f"posterior N({posterior.mean.item():.4f}, {v:.4f})")
assert round(v, 4) == 0.2373 and round(log_p.item(), 4) == -1.7463

# %% slideshow={"slide_type": "fragment"}
estimates = {}  # for each K, [M]
for K in (1, 10, 100):
    log_w = model.log_weights(x, mean, std, M=20_000, K=K, generator=seeded(K))
    estimates[K] = each = log_w.exp().mean(1)[:, 0]  # [M, K, B] -> [M]
    print(f"K = {K:3}   mean {each.mean():.4f}   sd {each.std():.4f}", end="   ")
    print(f"z-score {z_score(each, p):+.2f}")
    assert abs(z_score(each, p)) < 4

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "Three histograms of estimates of p(x) with 1, 10 and 100 samples: they get narrower, and the mean of each lies on the exact value"}}
fig, ax = plt.subplots()
for (K, each), colour in zip(estimates.items(), (plots.MIWAE, plots.IWAE, plots.Q)):
    ax.hist(each, bins=80, range=(0, 0.45), density=True, histtype="step", color=colour, label=f"K = {K}", lw=2)
plots.exact_line(ax, p, "exact p(x)", vertical=True)
ax.set(xlabel="estimate of p(x)", ylabel="density", ylim=(0, 35))
_ = ax.legend()
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The picture shows: the spread shrinks like $1/\sqrt K$, and all three means lie on the exact value.
#
# **A logarithm spoils it.** $\log$ is concave, so by Jensen's inequality $E[\log w] \le \log E[w] = \log p(x)$: that is the ELBO of
# chapter 01. Equality holds exactly if $w$ is one constant, and then $q$ is the posterior and the constant is $p(x)$. A
# single weight is the answer:

# %% slideshow={"slide_type": "fragment"}
perfect = model.log_weights(x, posterior.mean, posterior.stddev, 1, 5, seeded(0)).exp()
five = [round(weight, 4) for weight in perfect.flatten().tolist()]
print("five weights at q = posterior:", five)
assert (perfect - p).abs().max() < 1e-9

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 1 · M estimates of p(x) (easy, 3 minutes)
#
# Given `log_w[M, K, B]`, return $M$ separate estimates of $p(x)$ for each of the $B$ data points: shape `[M, B]`.
#
# <details><summary>Hint 1</summary>
#
# The identity is about the mean of w, not of log w. How do you get the weights?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Take the exponential, then the mean over the axis that holds the samples of one estimate. That is K, axis 1.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def estimate(log_w):
    # Your line here: [M, K, B] -> [M, B]
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["02.estimate"](estimate)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def estimate(log_w):
    return log_w.exp().mean(1)


verdict = checks.ALL["02.estimate"](estimate)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2 · Coverage: what q never visits is missing
#
# "For every $q$ that covers" hides a condition. Let $z$ have three states. The third one is rare a priori, and explains $x$
# perfectly. This $q$ never proposes it.

# %% slideshow={"slide_type": "fragment"}
prior = torch.tensor([0.5, 0.3, 0.2])
likelihood = torch.tensor([0.3, 0.2, 1.0])  # p(x | z)
q = torch.tensor([0.7, 0.3, 0.0])

state = torch.multinomial(q, 100_000, replacement=True, generator=seeded(1))
w = (prior * likelihood / q)[state]  # the third, 0.2 / 0 = inf, is never asked for
print(f"p(x) = {(prior * likelihood).sum():.3f}")
print(f"mean weight = {w.mean():.3f} +- {w.std() / len(w) ** 0.5:.5f}")
assert round((prior * likelihood).sum().item(), 3) == 0.41 and abs(z_score(w, 0.21)) < 4 < -z_score(w, 0.41)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The mean weight is .21 and its error bar is tiny. The truth is .41.
#
# One often reads that the identity breaks because of a division by zero. No division by zero ever happens: the sampler never
# lands there, and that is the problem. The mass of the third state, $.2 \cdot 1.0 = .2$, is **missed in silence**.
#
# > **Theorem · the mean weight.** $E[\hat p] = p(x)$ for every $K$.
# >
# > *Condition.* $q$ **covers**: $q(z|x) > 0$ wherever $p(x, z) > 0$. The samples need not be independent. No second moment is needed.
# >
# > *Where it fails.* Without coverage the mean is $\int_{q > 0} p(x, z)\,dz$, here $.21$ in place of $.41$. Mass of $q$ in other places
# > costs $\hat p$ samples, and no more. (For the ELBO it is the other way round: there $q$ may miss places, and must not have mass
# > where $p(x, z) = 0$.)
# >
# > *Source.* The three lines of section 1.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 2 · What the mean weight tends to (easy, 5 minutes)
#
# For a discrete $z$ with `prior`, `likelihood` (that is $p(x|z)$) and `q`, all of shape `[states]`, return the exact $E_q[w]$, one
# number, also when `q` has zeros. Do not sample.
#
# <details><summary>Hint 1</summary>
#
# Write the expectation as a sum over the states that q can produce. What is left of q times w there?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# In such a state q cancels, and prior times likelihood is left. `(prior * likelihood)[q > 0]` has these states only.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def expected_weight(prior, likelihood, q):
    # Your line here: three times [states] -> a number
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["02.coverage"](expected_weight)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def expected_weight(prior, likelihood, q):
    covered = q > 0
    return (prior * likelihood)[covered].sum()


verdict = checks.ALL["02.coverage"](expected_weight)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3 · How many samples are K samples?
#
# If one weight of a thousand carries the whole sum, the other 999 were drawn for nothing. The **effective sample size** counts:
#
# $$\mathrm{ESS} = \frac{\left(\sum_k w_k\right)^2}{\sum_k w_k^2} \in [1, K].$$
#
# Equal weights give $K$; one dominant weight gives 1. What does it estimate? Write $\chi^2 = \mathrm{Var}_q[w] / p(x)^2$, the squared
# relative spread of a weight (this is the chi-square divergence of the posterior from $q$). Then
#
# $$E[w^2] = p(x)^2 (1 + \chi^2), \qquad E\!\left[\frac{\sum_k w_k^2}{(K p(x))^2}\right] = \frac{1 + \chi^2}{K}.$$
#
# The bracket is $1/\mathrm{ESS}$ with $\sum_k w_k$ replaced by its mean $K p(x)$. So $\mathrm{ESS}/K \to 1/(1 + \chi^2)$ as $K$ grows, and
# the relative error of $\hat p$ is $\sqrt{\chi^2/K}$.

# %% slideshow={"slide_type": "fragment"}
chi2 = model.chi_squared(x, mean, std).item()
log_w = model.log_weights(x, mean, std, M=4_000, K=100, generator=seeded(2))
# 1/ESS, with the true p(x) below: [M]
inverse = (log_w - log_p).exp().square().sum(1)[:, 0] / 100**2
ess = bounds.effective_sample_size(log_w)  # [M, B]

print(f"chi^2 = {chi2:.4f}   (1 + chi^2)/K = {(1 + chi2) / 100:.5f}", end="   ")
print(f"mean = {inverse.mean():.5f}")
print(f"1/(1 + chi^2) = {1 / (1 + chi2):.3f}   mean ESS/K = {ess.mean() / 100:.3f}")
assert round(chi2, 4) == 0.7055 and abs(z_score(inverse, (1 + chi2) / 100)) < 4
assert abs(ess.mean().item() / 100 - 1 / (1 + chi2)) < 2 / 100  # no z-score: a ratio at a finite K, biased by O(1/K)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Dimensions multiply.** Let $z$ have $L$ independent dimensions and $q$ be 1.3 times as wide as the posterior in each, with the
# right centre. Then $w/p(x)$ is a product of $L$ independent factors, and $1 + \chi^2$, the mean of its square, is a product
# too. One dimension keeps 91% of the samples. How many do 50 dimensions keep?


# %% slideshow={"slide_type": "fragment"}
def effective_fraction(L, K=1_000):
    """Exactly, and from 20 sets of K samples; q is 1.3 times too wide everywhere."""
    wide = exact.LinearGaussian(1.5 * torch.eye(L, dtype=torch.float64), 0.7)
    x_L = x.expand(1, L)
    width = torch.full((1, L), 1.3 * v**0.5, dtype=torch.float64)
    case = x_L, wide.posterior(x_L).mean, width
    log_w = wide.log_weights(*case, M=20, K=K, generator=seeded(0))
    measured = bounds.effective_sample_size(log_w).mean().item() / K
    return 1 / (1 + wide.chi_squared(*case).item()), measured


dimensions = (1, 2, 5, 10, 20, 50, 100)
truth, measured = zip(*(effective_fraction(L) for L in dimensions))
for L, fraction, seen in zip(dimensions, truth, measured):
    print(f"L = {L:3}   exact {fraction:.5f}   measured {seen:.4f}")
assert [round(truth[i], 3) for i in (0, 5)] == [0.913, 0.010] and round(truth[6], 5) == 0.00011
assert measured[6] > 30 * truth[6]

# %% [markdown] slideshow={"slide_type": "subslide"}
# The lab draws both against $L$: the exact share (dashed), and what the weights say (dots). **Guess:** can the dots lie far
# *below* the dashed line? And what do they say of a $q$ that is too *narrow*, width 0.6, in a single dimension?

# %% slideshow={"slide_type": "fragment"} mystnb={"image": {"alt": "Three states of the lab. With q 1.3 times as wide the exact share of the samples falls exponentially with the dimensions; the dots from 1000 weights follow it to about 20 dimensions and then lie above it. With width 0.6 the exact share is 0 and the dots begin at a quarter. With the posterior both are 1."}}
labs.ALL["02.worth"]()

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Explain.** One sample in a hundred at $L = 50$: $.913^{50} \approx .01$. At $L = 100$ the truth is one in nine thousand. The dots leave the
# dashed line: the estimate from a thousand samples is more than 30 times too kind. **The effective sample size is computed from the samples that came; it
# cannot know of those that did not.**
#
# The dots err on the kind side: one over $K$ is the least they can say. For the narrow $q$ the truth is 0, as section 4 shows, and
# they say about a third of $K$. That $\mathrm{ESS}/K$ stands for $1/(1 + \chi^2)$ is **Kong's rule** (Kong, Liu and Wong 1994); it needs a finite $\chi^2$, and
# far more samples than $1 + \chi^2$. How many are enough goes by the KL and not by $\chi^2$: about $e^{\mathrm{KL}(p(z|x) \| q)}$, if
# $\log w$ does not scatter much under the posterior (Chatterjee and Diaconis 2015).

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
narrow = x, posterior.mean, 0.6 * posterior.stddev
said = bounds.effective_sample_size(model.log_weights(*narrow, 400, 1_000, seeded(0))).mean().item() / 1_000
assert model.chi_squared(*narrow).item() == math.inf and 0.3 < said < 0.45

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 3 · Effective sample size, for log-weights of any size (medium, 6 minutes)
#
# Return the effective sample size of each of the $M$ sets: `[M, K, B] -> [M, B]`. The check also tries log-weights near
# $-900$ and $+900$, as images have them.
#
# <details><summary>Hint 1</summary>
#
# Divide all weights of a set by the same number. What happens to the ratio?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `softmax` over K divides them by their sum, and nothing overflows. Of these shares the sum is 1, so the formula is one
# over the sum of their squares.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def effective_sample_size(log_w):
    # Your lines here: [M, K, B] -> [M, B]
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["02.effective_sample_size"](effective_sample_size)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def effective_sample_size(log_w):
    shares = log_w.softmax(1)  # w / sum of w, and nothing overflows
    return 1 / shares.square().sum(1)


verdict = checks.ALL["02.effective_sample_size"](effective_sample_size)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4 · Too narrow: infinite variance
#
# A Gaussian $q$ covers everything. Is that enough? The second moment of a weight is
#
# $$E_q[w^2] = \int q \,\frac{p(x,z)^2}{q^2}\,dz = \int \frac{p(x, z)^2}{q(z)}\,dz .$$
#
# Let $q = N(m + d, \sigma^2)$. As a function of $z$, $p(x, z) = p(x)\,p(z|x)$ is a Gaussian with variance $v$. So far out
# $p(x,z)^2$ falls like $e^{-(z-m)^2/v}$, and $1/q$ grows like $e^{+(z-m)^2/(2\sigma^2)}$. The product falls only if
#
# $$\frac1v > \frac{1}{2\sigma^2} \quad\Longleftrightarrow\quad \boxed{\sigma^2 > \tfrac{v}{2}} .$$
#
# Below that the integral is infinite. Above, completing the square gives (exact, one dimension)
#
# $$\frac{E_q[w^2]}{p(x)^2} = 1 + \chi^2 = \frac{\sigma^2}{\sqrt{v\,(2\sigma^2 - v)}}\; \exp\!\left(\frac{d^2}{2\sigma^2 - v}\right).$$


# %% slideshow={"slide_type": "fragment"}
def second_moment(d, variance, v):
    """E[w^2] / p(x)^2 of q = N(m + d, variance) against a posterior N(m, v)."""
    excess = 2 * variance - v
    if excess <= 0:
        return math.inf
    return variance / math.sqrt(v * excess) * math.exp(d**2 / excess)


for ratio in (0.5, 0.70, 0.72, 1.0, 1.3, 2.0):  # sigma over the posterior's sd
    moment = second_moment(0.0, ratio**2 * v, v)
    print(f"width {ratio:.2f}   sigma^2/v = {ratio**2:.3f}", end="   ")
    print(f"E[w^2]/p^2 = {moment:.3f}   effective fraction {1 / moment:.3f}")
    assert math.isclose(moment - 1, model.chi_squared(x, posterior.mean, ratio * posterior.stddev).item(), abs_tol=1e-9)
assert math.isclose(second_moment(0.5, std.item() ** 2, v) - 1, chi2, rel_tol=1e-9)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **What you see in practice** is worse than noise. It is *calm*: at half the width nine of ten weights lie between $0.5\,p(x)$
# and $1.4\,p(x)$, the interval is narrow, and now and then one enormous weight arrives.
#
# † **Why they arrive.** Let $d = 0$, $z = m + \sigma\epsilon$ and $\rho = \sigma^2/v < 1$. Then $\log w = \text{const} + \frac{1-\rho}{2}\epsilon^2$,
# so a weight beyond $u$ needs $\epsilon^2 > \frac{2 \log u}{1 - \rho} + \text{const}$. A normal $\epsilon$ has $P(\epsilon^2 > y) \approx e^{-y/2}$ up to slow
# factors, which makes $P(w > u) \approx u^{-1/(1-\rho)}$. Half the width is $\rho = \frac14$, power $-\frac43$. A finite mean needs a power below $-1$, a
# finite variance one below $-2$: the mean exists, the variance does not.

# %% slideshow={"slide_type": "fragment"}
half = 0.5 * posterior.stddev
log_w = model.log_weights(x, posterior.mean, half, M=1, K=20_000, generator=seeded(1))
w = log_w.exp().flatten()  # [K]
count = torch.arange(1, len(w) + 1)
running = w.cumsum(0) / count  # the estimate after so many weights
scatter = (w.square().cumsum(0) / count - running.square()).clamp_min(0)
error = (scatter / count).sqrt()  # its empirical standard error
for K in (5_000, 10_000):
    interval = f"{running[K - 1]:.4f} +- {1.96 * error[K - 1]:.4f}"
    largest = w[:K].max() / p
    print(f"K = {K:5}: {interval}, largest weight so far {largest:.0f} p(x)")
assert running[4_999] + 1.96 * error[4_999] < p < running[9_999] and error[9_999] > 3 * error[4_999]
assert 1_100 < w.max() / p < 1_300
assert w.min() / p > 0.499 and abs((w < 1.38 * p).double().mean() - 0.9) < 4 * (0.09 / len(w)) ** 0.5

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true} tags=["hide-input"] mystnb={"image": {"alt": "Left: the exact second moment against the width of q; it rises to infinity as the width falls to 0.71 and grows slowly to the right. Right: the running estimate for a q half as wide as the posterior settles below the exact value, jumps above it when one large weight comes, and sinks back"}}
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.9))
ratios = torch.linspace(0.708, 3, 400).tolist()
left.plot(ratios, [second_moment(0, ratio**2 * v, v) for ratio in ratios], "--", color=plots.EXACT)
left.axvspan(0, 0.5**0.5, color=plots.ELBO, alpha=0.15)
left.text(0.03, 2.6, "infinite", color=plots.ELBO)
left.set(ylim=(0.9, 3), xlim=(0, 3), xlabel=r"width of q, $\sigma/\sqrt{v}$", ylabel=r"$E[w^2]/p(x)^2$")
interval = running - 1.96 * error, running + 1.96 * error
right.fill_between(count, *interval, color=plots.Q, alpha=0.35, label="95% interval")
right.plot(count, running, color=plots.Q, label="mean weight, half width")
plots.exact_line(right, p, "exact p(x)")
right.set(xscale="log", xlim=(200, 2e4), ylim=(0.1, 0.26), xlabel="K", ylabel="estimate")
_ = right.legend(fontsize=10, loc="lower right")
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# Left, exact: the wall stands at $\sigma/\sqrt v = 1/\sqrt2 \approx .71$. It is steep on the narrow side and gentle on the wide side. Right, one
# run: at $K = 5000$ the interval has settled below the truth. Then a single weight arrives, some 1200 times $p(x)$. It lifts the estimate above
# the truth, and with twice as many samples the interval is more than three times as wide. Is that bad luck? Repeat the experiment 2000 times:


# %% slideshow={"slide_type": "fragment"}
def repeat(ratio, K=1_000, M=2_000):
    """The shares of runs that are too low, and whose 95% interval holds p(x); ESS/K."""
    width = ratio * posterior.stddev
    log_w = model.log_weights(x, posterior.mean, width, M, K, seeded(3))  # [M, K, B]
    w = log_w.exp()[..., 0]
    each, error = w.mean(1), w.std(1) / K**0.5  # [M]
    low = (each < p).double().mean().item()
    inside = ((each - p).abs() < 1.96 * error).double().mean().item()
    return low, inside, bounds.effective_sample_size(log_w).median().item() / K


for ratio in (0.5, 0.7, 1.3, 2.0):
    low, inside, fraction = repeat(ratio)
    print(f"width {ratio:.1f}   too low {low:.0%}", end="   ")
    print(f"interval holds p(x) {inside:.0%}   median ESS/K {fraction:.2f}")
    assert (low > 0.7 and 0.66 < inside < 0.74 and 0.18 < fraction < 0.26) if ratio == 0.5 else inside > 0.88
    assert ratio < 2 or (0.47 < low < 0.53 and inside > 0.94)  # a share of 2000 runs has a standard error of about .01

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Explain.** These are the answers to the three guesses. Half the width: the estimate is too low in more than 70% of the runs, and the "95%"
# interval holds the truth in about 70%. The effective sample size is a fifth of $K$, the lowest of the four, and
# looks like a $q$ that is merely poor; by $\chi^2$ its share of $K$ should tend to 0. The estimate is *still unbiased*: rare huge weights make up for the many small deficits. Twice the width: nothing bad happens.
#
# A finite variance is not enough either. Press *off centre* in the lab, two standard deviations: $\chi^2 = e^4 - 1 = 53.6$ is
# finite, and the intervals hold the truth in about 85% of the runs.
#
# **A standard error is itself an estimate, of a quantity that may be infinite.** Decide from the tails of $q$, not from the
# samples. (The posterior of a real encoder is unknown. There one fits a power to the tail of the largest weights, a better
# alarm than the ESS: Pareto-smoothed importance sampling, Vehtari et al. 2015.)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert round(second_moment(2 * v**0.5, v, v) - 1, 1) == round(math.exp(4) - 1, 1) == 53.6
by_width = [round(second_moment(0.0, ratio**2 * v, v) - 1, 1) for ratio in (0.6, 0.7, 0.72, 0.75, 0.8)]  # of the note
assert by_width == [math.inf, math.inf, 1.7, 0.6, 0.2]
w = model.log_weights(x, posterior.mean + 2 * v**0.5, posterior.stddev, 2_000, 1_000, seeded(3)).exp()[..., 0]  # [M, K]
inside = ((w.mean(1) - p).abs() < 1.96 * w.std(1) / 1_000**0.5).double().mean().item()
print(f"two standard deviations off: the interval holds p(x) {inside:.0%}")
assert 0.82 < inside < 0.88

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **15 minutes.** Press *too narrow*, $K = 1000$. Ask now: "The ESS is 100 or 200 of 1000. Would you have trusted it?" Then drag the width slowly
# over 0.6, 0.7, 0.72, 0.75 and 0.8, and let the class read the exact variance: infinite, infinite, 1.7, 0.6, 0.2; the picture hardly changes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 4 · What a thousand draws are worth (pen and paper, medium, 5 minutes)
#
# A posterior has ten independent dimensions. $q$ has the right centre, and in each dimension its *standard deviation* is 0.8 times
# the posterior's. You draw $K = 1000$ samples. To how many draws of the posterior itself do they come, $K / (1 + \chi^2)$? Round to a
# whole number.
#
# <details><summary>Hint 1</summary>
#
# How do ten independent dimensions combine, and what is one of them worth by the formula of this section?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The formula has variances: 0.8 is a ratio of standard deviations. With d = 0 and that ratio put in, v cancels. This is
# $1 + \chi^2$ of one dimension; *Dimensions multiply* in section 3 has the rest.
#
# </details>

# %% slideshow={"slide_type": "skip"} tags=["stub"]
worth = ...  # a whole number of draws

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["02.worth_by_hand"](worth)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
worth = round(1000 / (0.64 / math.sqrt(0.28)) ** 10)

verdict = checks.ALL["02.worth_by_hand"](worth)
assert verdict.passed
verdict

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
ten = exact.LinearGaussian(1.5 * torch.eye(10, dtype=torch.float64), 0.7)  # of exercise 4: v is that of one dimension
case = x.expand(1, 10), ten.posterior(x.expand(1, 10)).mean, torch.full((1, 10), 0.8 * v**0.5, dtype=torch.float64)
assert round(1000 / (1 + ten.chi_squared(*case).item())) == 149

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 5 · The first false line (pen and paper, medium, 4 minutes)
#
# $q$ is a Gaussian in the posterior's centre, half as wide. Someone reasons like this. Which is the first line that is false?
#
# | | |
# |---|---|
# | **A** | A Gaussian is positive everywhere, so $q$ covers, and $E_q[w] = p(x)$. |
# | **B** | The weights are independent, and their mean exists. By the law of large numbers $\hat p$ tends to $p(x)$ as $K$ grows. |
# | **C** | $\hat p$ is a mean of $K$ independent weights, so its variance is $\mathrm{Var}_q[w]/K$, a finite number that falls as $K$ grows. |
# | **D** | So for large $K$ the interval $\hat p \pm 1.96\, \mathrm{sd}(w)/\sqrt K$ holds $p(x)$ in 95% of the runs. |
#
# <details><summary>Hint 1</summary>
#
# Which of the lines needs the second moment of a weight, and which the first only?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Half the width is a quarter of the variance. The boxed condition of this section says which moment that spoils, and
# which it leaves alone.
#
# </details>

# %% slideshow={"slide_type": "skip"} tags=["stub"]
first_false = ...  # a letter, "A" to "D"

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["02.first_false_line"](first_false)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
first_false = "C"
assert second_moment(0.0, 0.25 * v, v) == math.inf  # the variance that C divides by K

verdict = checks.ALL["02.first_false_line"](first_false)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 6 · A defensive mixture (medium, 10 minutes)
#
# A cure, where the likelihood has a maximum, costs one line (Hesterberg 1995): propose from $q_{\text{def}} = 0.9\,q + 0.1\,p(z)$. The weight is then at most
# $p(z)p(x|z) / (0.1\,p(z)) = 10\,p(x|z)$, which is bounded. Write the log-density of a mixture of $C$ diagonal Gaussians, whose
# shares add up to 1: from `z [K, L]`, `share [C]`, `mean [C, L]` and `std [C, L]` to `[K]`.
#
# <details><summary>Hint 1</summary>
#
# Two reductions: one over the L dimensions, one over the C components. Which is a sum of logarithms, and which a
# logarithm of a sum?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# First sum the log-densities over L: `[K, C]`. Then add the logarithm of the shares, and `logsumexp` over C.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def mixture_log_prob(z, share, mean, std):
    # Your lines here. Normal(mean, std).log_prob(z.unsqueeze(1)) is [K, C, L].
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["02.mixture"](mixture_log_prob)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def mixture_log_prob(z, share, mean, std):
    log_normal = Normal(mean, std).log_prob(z.unsqueeze(1)).sum(-1)  # [K, C]
    return (share.log() + log_normal).logsumexp(-1)  # [K]


verdict = checks.ALL["02.mixture"](mixture_log_prob)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "subslide"}
# What it buys for the $q$ of half the width, by a fine grid over $z$: the second moment falls from infinity to 2.17.

# %% slideshow={"slide_type": "fragment"}
z = torch.linspace(-9, 9, 180_001, dtype=torch.float64)[:, None]  # [N, L]
dz = z[1] - z[0]
mixture = mixture_log_prob(
    z,
    share=torch.tensor([0.9, 0.1], dtype=torch.float64),
    mean=torch.stack([posterior.mean[0], torch.zeros(1, dtype=torch.float64)]),
    std=torch.stack([0.5 * posterior.stddev[0], torch.ones(1, dtype=torch.float64)]),
)  # [N]
log_joint = model.log_joint(x, z[:, None])[:, 0]
defended = ((2 * (log_joint - log_p) - mixture).exp().sum() * dz).item()
print(f"E[w^2]/p^2: q alone {second_moment(0, 0.25 * v, v)}, defended {defended:.2f}")
assert abs((mixture.exp().sum() * dz).item() - 1) < 1e-9 and round(defended, 2) == 2.17

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5 · The mean weight teaches the encoder nothing
#
# Now train. Let $q_\phi$ have parameters $\phi$. The estimate $\hat p$ is unbiased, so why not climb it?
#
# Because $E_{q_\phi}[w] = p(x)$ **whatever $\phi$ is**. Importance sampling changes the variance of the estimate and not its mean. The
# derivative for $\phi$ must be zero. How does it do that? Write $s = \nabla_\phi \log q_\phi(z|x)$, the **score**, so that
# $\nabla_\phi q = q\,s$. By the product rule $\nabla_\phi \int q\,w\,dz$ has two parts: the samples move, and the weights move.
#
# $$\nabla_\phi E_{q_\phi}[w] = E_q[\,w\,s\,] + E_q[\nabla_\phi w], \qquad \nabla_\phi w = \nabla_\phi \frac{p(x,z)}{q_\phi(z|x)} = -\,w\,s .$$
#
# They cancel, and not only on average: at **every single sample** $w s - w s = 0$.

# %% slideshow={"slide_type": "fragment"}
mu = mean.clone().requires_grad_()
eps = torch.randn(4, 1, generator=seeded(4), dtype=torch.float64)
z = mean + std * eps  # fixed samples
log_q = Normal(mu, std).log_prob(z)  # [K, L = 1]
w = (model.log_joint(x, z[:, None]) - log_q).exp()  # depends on mu through log_q
slope = lambda value: torch.autograd.grad(value.sum(), mu, retain_graph=True)[0].item()
for k in range(4):
    moving_sample = w[k].item() * slope(log_q[k])
    moving_weight = slope(w[k])
    print(f"sample {k}: w s = {moving_sample:+.5f}   grad w = {moving_weight:+.5f}")
    assert abs(moving_sample + moving_weight) < 1e-12

# %% [markdown] slideshow={"slide_type": "subslide"}
# Move the samples with the parameters instead (**reparameterise**: $z = \mu + \sigma\epsilon$ with fixed noise $\epsilon$), and every sample gives a
# gradient. Their mean is zero still. An encoder trained so would walk at random.

# %% slideshow={"slide_type": "fragment"}
n = 200_000
mu = mean.expand(n, 1).clone().requires_grad_()  # a copy for each sample: n gradients
log_w = model.log_weights(x, mu, std.expand(n, 1), M=1, K=1, generator=seeded(5))
flat = torch.autograd.grad(log_w.exp().sum(), mu)[0].flatten()  # [n]
print(f"gradient of E[w]: mean {flat.mean():+.4f} +- {flat.std() / n**0.5:.4f}")
print(f"standard deviation of one sample: {flat.std():.2f}")
assert abs(z_score(flat, 0.0)) < 4 and round(flat.std().item(), 2) == 0.44

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Read this carefully.** It is *not* true that only the ELBO trains an encoder. Flat is one objective, $\log E_q[w]$. Put
# a curved function between the weights and their mean and the slope is back. The table has, for instance, $\log$; the
# square root, for the **Rényi bound** with $\alpha = \frac12$ (Li and Turner 2016) is $2 \log$ of the mean of $\sqrt w$; and the square, for
# minimising $\chi^2$ is minimising $E[w^2]$, an *upper* bound of $p(x)^2$ (Dieng et al. 2017).


# %% slideshow={"slide_type": "fragment"}
def exact_slope(quantity):
    mu = mean.clone().requires_grad_()
    return torch.autograd.grad(quantity(x, mu, std).sum(), mu)[0].item()


def sampled_slopes(bound, K, n=20_000):
    mu = mean.expand(n, 1).clone().requires_grad_()
    log_w = model.log_weights(x, mu, std.expand(n, 1), M=1, K=K, generator=seeded(6))
    return torch.autograd.grad(bound(log_w).sum(), mu)[0].flatten()


elbo_slope = exact_slope(model.elbo)
several = sampled_slopes(bounds.iwae, K=5)
renyi = sampled_slopes(lambda log_w: bounds.vr_iwae(log_w, alpha=0.5), K=50)
assert round(elbo_slope, 3) == -2.107 and z_score(several, 0.0) < -8 and z_score(renyi, 0.0) < -8

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true} tags=["hide-input"]
rows = [
    ("log E[w] = log p(x)", 0.0, "does nothing"),
    ("E[log w], the ELBO", elbo_slope, "climb"),
    ("E[log of the mean of 5 weights]", several.mean().item(), "climb"),
    ("Renyi bound, alpha = 1/2, K = 50", renyi.mean().item(), "climb"),
    ("log p(x) + KL(posterior || q)", exact_slope(model.eubo), "descend"),
    ("chi^2 = Var[w] / p(x)^2", exact_slope(model.chi_squared), "descend"),
]
print(f"{'objective':36} {'slope in mu':>11}   to train q")
for name, slope, way in rows:
    print(f"{name:36} {slope:>+11.2f}   {way}")
assert [round(slope, 2) for _, slope, _ in rows[4:]] == [1.25, 3.02]

# %% [markdown] slideshow={"slide_type": "fragment"}
# $q$ sits to the right of the posterior, so every useful objective pushes $\mu$ to the left: negative slopes to climb, positive
# slopes to descend. The curved function makes the *spread* of the weights count, and $E[w]$ does not see the spread.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **10 minutes.** Ask now: "The mean does not depend on q. What does?" Wait for "the variance". The ELBO is a way of making the variance matter:
# to second order $E[\log w] \approx \log p(x) - \chi^2/2$. Five weights under one log is chapter 03.

# %% [markdown] slideshow={"slide_type": "skip"} tags=["pause"]
# **A natural pause.** Part 1 ends here: you can estimate $p(x)$, say when its error bar deserves trust, and say why this
# estimate teaches the encoder nothing. Part 2 has what does, and what its gradient costs.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 6 · Two gradients of the ELBO
#
# The same two parts for $\mathrm{ELBO} = E_q[\log w]$, with $\nabla_\phi \log w = -s$:
#
# $$\nabla_\phi \mathrm{ELBO} = E_q[\log w \cdot s] - E_q[s] = E_q[(\log w - 1)\, s].$$
#
# The lonely 1 looks odd, and it does not matter: for any constant $c$, $E_q[c\, s] = c \int \nabla_\phi q\,dz = c\, \nabla_\phi 1 = 0$. So
#
# $$\boxed{\;\nabla_\phi \mathrm{ELBO} = E_q\big[(\log w - c)\, s\big] \quad \text{for every constant } c\;}$$
#
# This is the **score-function** gradient (also: likelihood ratio; REINFORCE, Williams 1992; black-box variational inference,
# Ranganath et al. 2014). It only evaluates $\log p(x, z)$; it never
# differentiates it for $z$, so $z$ may be discrete. If $\log w$ is constant the gradient vanishes *on average*: $q$ is the posterior.
# One sample of it does not vanish: $\log w \cdot s$ has the variance $(\log p(x))^2/\sigma^2$, here $12.85$.
#
# The decoder's parameters $\theta$ need no such care. They are not in $q$, so $\nabla_\theta \mathrm{ELBO} = E_q[\nabla_\theta \log p_\theta(x, z)]$.
# So **one line trains both networks** (text 004's). With $\mathrm{sg}$, *stop gradient*, for `detach`:
#
# $$\mathrm{sg}\big(\log w - c\big)\, \log q_\phi(z|x) + \log p_\theta(x, z), \qquad z \sim q_\phi \text{, and not moved by } \phi .$$
#
# The **reparameterised** gradient puts $z = \mu + \sigma\epsilon$ into $\log w$ and differentiates through $z$. Which of the two is quieter?

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "Two graphs from left to right. Above, the path: phi and the noise epsilon go into z, z into log w, and the gradient comes back through z. Below, the score: phi goes into q, z is drawn from q by a dashed arrow that lets no gradient back; the gradient comes back through log q, times the number log w."}}
_, (above, below) = plt.subplots(2, 1, figsize=(9, 3.6))
plots.graph(above, {"φ": (0, 1), "ε": (0, 0), "z = μ + σε": (1.6, 0.5), "log w": (3.6, 0.5)},
            [("φ", "z = μ + σε"), ("ε", "z = μ + σε"), ("z = μ + σε", "log w")],
            back=[("log w", "z = μ + σε"), ("z = μ + σε", "φ")], title="path: the gradient comes back through z")
plots.graph(below, {"φ": (0, 0.5), "log q(z)": (1.6, 1), "z ~ q": (1.6, 0), "sg(log w) · log q": (3.6, 0.5)},
            [("φ", "log q(z)"), ("z ~ q", "log q(z)"), ("log q(z)", "sg(log w) · log q"),
             ("z ~ q", "sg(log w) · log q")], dashed=[("φ", "z ~ q")],
            back=[("sg(log w) · log q", "log q(z)"), ("log q(z)", "φ")],
            title="score: z is a number, the gradient comes back through log q")
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# Grey arrows: how a value is made. Orange: the way of the gradient. A dashed arrow is a draw, which no gradient passes.

# %% slideshow={"slide_type": "fragment"}
eps = torch.randn(n, 1, generator=seeded(17), dtype=torch.float64)
mu = mean.expand(n, 1).clone().requires_grad_()
log_p_xz = lambda z: model.log_joint(x, z)  # [n]
slopes = lambda value: torch.autograd.grad(value.sum(), mu)[0].flatten()  # [n]

z = (mu + std * eps).detach()  # score function: z is a number
log_q = Normal(mu, std).log_prob(z).sum(-1)
by_score = slopes((log_p_xz(z) - log_q).detach() * log_q)

z = mu + std * eps  # reparameterised: z moves with mu
by_path = slopes(log_p_xz(z) - Normal(mu, std).log_prob(z).sum(-1))

print(f"exact {elbo_slope:.3f}")
for name, sample in (("score function", by_score), ("reparameterised", by_path)):
    error = sample.std() / n**0.5
    print(f"{name:16} mean {sample.mean():+.3f} +- {error:.3f}", end="   ")
    print(f"variance of one sample {sample.var():.2f}")
    assert abs(z_score(sample, elbo_slope)) < 4

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# The one line for both networks: its gradients for q's mean and for the decoder's slope, against the exact ones.
slope_of = torch.full((50_000, 1), 1.5, dtype=torch.float64, requires_grad=True)  # a decoder for each sample
mu_of = mean.expand(50_000, 1).clone().requires_grad_()
z = (mu_of + std * eps[:50_000]).detach()
log_joint = Normal(0.0, 1.0).log_prob(z).sum(-1) + Normal(slope_of * z, 0.7**0.5).log_prob(x).sum(-1)
log_q = Normal(mu_of, std).log_prob(z).sum(-1)
line = (log_joint - log_q - model.elbo(x, mean, std)).detach() * log_q + log_joint
of_phi, of_theta = (part.flatten() for part in torch.autograd.grad(line.sum(), (mu_of, slope_of)))
del line, log_joint, log_q  # and their graph
second = mean.item() ** 2 + std.item() ** 2  # E[z^2]
assert abs(z_score(of_phi, elbo_slope)) < 4
assert abs(z_score(of_theta, (x.item() * mean.item() - 1.5 * second) / 0.7)) < 4

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Explain.** Both are right on average. Their variances are not alike: about 34 against about 7. Here both are known exactly. Along
# $z = \mu + \sigma\epsilon$, $\log q$ does not change with $\mu$, and $\log p(x, z)$ is $-(z - m)^2/(2v)$ plus a constant. So the reparameterised
# gradient is $-(z - m)/v$, with variance $\sigma^2/v^2$. For the score function we use a fine grid:

# %% slideshow={"slide_type": "fragment"}
t = torch.linspace(-12, 12, 48_001, dtype=torch.float64)  # z = mean + std t
z_grid = mean.item() + std.item() * t
weight = Normal(0.0, 1.0).log_prob(t).exp() * (t[1] - t[0])  # q(z) dz
log_q_grid = Normal(mean.item(), std.item()).log_prob(z_grid)
log_w_grid = model.log_joint(x, z_grid[:, None, None])[:, 0] - log_q_grid
score = t / std.item()  # of the mean


def expect(f):
    return (weight * f).sum().item()


def variance(c):
    return expect(((log_w_grid - c) * score) ** 2) - elbo_slope**2


path_variance = std.item() ** 2 / v**2
print(f"exact: score function {variance(0.0):.2f}, reparameterised {path_variance:.2f}")
assert abs(expect(log_w_grid * score) - elbo_slope) < 1e-6
assert round(variance(0.0), 2) == 33.79 and round(path_variance, 2) == 7.12

# %% [markdown] slideshow={"slide_type": "subslide"}
# † **Where does q rise?** Read the formula with $c = \mathrm{ELBO}$: each sample pulls $\log q$ up at its own $z$ by
# $\log w(z) - \mathrm{ELBO}$. A $q$ that could move freely would rise where that is positive:
#
# $$\log p(x) - \log\frac{q(z)}{p(z|x)} > \log p(x) - \mathrm{KL} \quad\Longleftrightarrow\quad q(z) < e^{\mathrm{KL}}\, p(z|x).$$
#
# It is tempting to say "$q$ rises where it is below the posterior". The border is higher, by the factor $e^{\mathrm{KL}}$. Here
# $\log w$ is quadratic in $z$, so a Gaussian can follow: the **natural gradient** (the gradient divided by $E[s^2]$) moves it in
# exactly this way. On a grid we count which rule tells the sign.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"]
grid = torch.linspace(-1.2, 2.6, 2_001, dtype=torch.float64)
q_now = Normal(mean.item(), std.item()).log_prob(grid).exp()
target, kl = posterior.log_prob(grid[:, None]).exp(), model.kl(x, mean, std).item()
# A small step along the natural gradient: E[s^2] is 1/var_q for mu, 2 for log sigma.
step, var_q = 1e-4, std.item() ** 2
mean_next, log_std_next = mean.item() + step * elbo_slope * var_q, math.log(std.item()) + step * (1 - var_q / v) / 2
rises = Normal(mean_next, math.exp(log_std_next)).log_prob(grid).exp() > q_now

agree = [(rises == (q_now < bar)).double().mean().item() for bar in (math.exp(kl) * target, target)]
print(f"rule q < e^KL posterior: {agree[0]:.0%} of the grid   rule q < posterior: {agree[1]:.0%}")
assert agree[0] > 0.998 and 0.89 < agree[1] < 0.93

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "Densities of q, of the posterior and of the posterior times e to the KL; q will rise in the shaded region where it lies below the last curve, which is wider than the region where it lies below the posterior"}}
fig, ax = plt.subplots()
ax.fill_between(grid, 0, 1.7, where=rises, color=plots.PRIOR, alpha=0.2, lw=0, label="q rises here")
ax.plot(grid, target, "--", color=plots.EXACT, label="posterior")
ax.plot(grid, math.exp(kl) * target, ":", color=plots.EXACT, label=r"$e^{KL}\cdot$ posterior")
ax.plot(grid, q_now, color=plots.Q, label="q")
ax.set(xlabel="z", ylabel="density", ylim=(0, 1.7))
_ = ax.legend()
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The shaded strip ends where the orange curve meets the dotted one.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 7 · Baselines: the freedom of c
#
# Every constant $c$ gives the right mean. Then choose it for the variance. For one parameter, the gradient sample is
# $X = (\log w - c)\,s$ and $\mathrm{Var}[X] = E[X^2] - E[X]^2$; the second term does not depend on $c$. So
#
# $$\frac{d}{dc} E[X^2] = 2\,E[s^2 (c - \log w)] = 0 \quad\Longrightarrow\quad c^* = \frac{E_q[s^2 \log w]}{E_q[s^2]}, \qquad \frac{d^2}{dc^2}E[X^2] = 2\,E[s^2] \ge 0 .$$
#
# The second derivative is a positive constant, so this is *the* minimum. $c^*$ is an average of $\log w$ in which the samples
# that pull hardest count most. For several parameters and one shared $c$, minimise the sum of the variances: $s^2$ becomes
# $\|s\|^2$, whose mean is the trace of the **Fisher information** of $q$. (A multiple of $s$, which has mean 0, taken off: text 004
# calls this an *additive variate*, others a **control variate**. The optimal constant: Greensmith et al. 2004.)
#
# > **Theorem · the baseline.** For every constant $c$ the mean of $(\log w - c)\,s$ is $\nabla_\phi\,\mathrm{ELBO}$; its variance is least at $c^*$.
# > The mean stays right for a random $c$ that is independent of $z$, such as that of the other samples, **leave-one-out**.
# >
# > *Conditions.* $\nabla_\phi \int = \int \nabla_\phi$, hence $E_q[s] = 0$: the places where $q > 0$ may not move with $\phi$, and something
# > integrable must stay above $|\nabla_\phi q\, \log w|$. For $c^*$, which is that of one parameter: $0 < E[s^2] < \infty$, and
# > $E[s^2 \log^2 w] < \infty$.
# >
# > *Where one fails.* A uniform $q$ on $[0, \phi]$ has $s = -1/\phi$ always, so a $c$ moves the mean by $c/\phi$. And leave-one-out
# > needs *independent* samples: with two mirrored ones, $\mu \pm \sigma\epsilon$, it gives **twice** the slope in $\mu$, $-4.214$
# > for $-2.107$, and **none** of that in $\log \sigma$, $0$ for $-0.690$.
# >
# > *Source.* Greensmith et al. (2004) derive the optimal baseline; leave-one-out: Mnih and Rezende (2016), Kool et al. (2019).
# > (Their theorems' numbers were not looked up.)

# %% slideshow={"slide_type": "fragment"}
elbo = model.elbo(x, mean, std).item()
c_star = expect(score**2 * log_w_grid) / expect(score**2)
for name, c in {"none": 0.0, "the one": 1.0, "ELBO": elbo, "c*": c_star}.items():
    print(f"{name:8} c = {c:6.3f}   variance of one sample {variance(c):.2f}")
assert [round(variance(c), 2) for c in (0.0, 1.0, elbo, c_star)] == [33.79, 51.48, 11.85, 10.66]
gain = [variance(0.0) - variance(c) for c in (elbo, c_star)]
assert round(c_star, 3) == -3.046 and round(gain[0] / gain[1], 2) == 0.95

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# The two failures in the box. Mirrored samples: the other one's log w is this one's at -t, so it is no constant for it.
mirrored = expect((log_w_grid - log_w_grid.flip(0)) * score)  # each of the two samples contributes the same
assert abs(t + t.flip(0)).max() < 1e-9 and abs(mirrored - 2 * elbo_slope) < 1e-6 and abs(expect(score)) < 1e-9
by_log_std = t**2 - 1  # d log q / d log sigma: the same for both, while log w less the other's changes its sign
assert abs(expect((log_w_grid - log_w_grid.flip(0)) * by_log_std)) < 1e-9
assert [round(value, 3) for value in (mirrored, elbo_slope, expect(log_w_grid * by_log_std))] == [-4.214, -2.107, -0.69]
# A uniform q on [0, phi] and log w = -z: d/dphi E[-z] is -1/2, and the formula gives 1/2 + c/phi.
phi, places = 2.0, torch.linspace(0, 2, 200_001, dtype=torch.float64)
of_c = lambda c: ((-places - c) * (-1 / phi)).mean().item()
assert abs(of_c(0.0) - 0.5) < 1e-4 and abs(of_c(1.0) - of_c(0.0) - 1 / phi) < 1e-9
trace = 1 / std.item() ** 2 + 2  # of q's Fisher information, for mu and log sigma
assert abs(expect(score**2 + (t**2 - 1) ** 2) - trace) < 1e-6

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "The variance of the score-function gradient is a parabola in c with its lowest point at c star; c = 0 and c = 1 lie high on its right arm, the ELBO lies near the bottom, and the reparameterised gradient is lower still"}}
fig, ax = plt.subplots()
constants = torch.linspace(-8, 2, 101).tolist()
ax.plot(constants, [variance(c) for c in constants], color=plots.PRIOR)
for label, c in {"c = 0": 0.0, "c = 1": 1.0, "c = ELBO": elbo, "c*": c_star}.items():
    ax.plot(c, variance(c), "o", label=f"{label}: {variance(c):.1f}")
ax.axhline(path_variance, color=plots.DECODER, lw=1.5, label=f"reparameterised: {path_variance:.1f}")
ax.set(xlabel="baseline c (nats)", ylabel="variance of one sample", ylim=(0, 80))
_ = ax.legend(loc="upper center")
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The picture shows a parabola. No baseline: 33.8. The 1 that fell out of the formula would make it worse, 51.5. The ELBO as
# baseline: 11.8. The best constant, $c^* = -3.05$: 10.7. The ELBO already takes 95% of the gain that is to be had.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Is the path always quieter?
#
# Here it is, 7.1 beside 10.7. **Guess:** put $q$ in the right place, at the posterior itself. Which of the two is quieter there? And
# what do more dimensions of $z$ change, for the gradient of the same one $\mu$? The lab has both variances, exact, for every width.

# %% slideshow={"slide_type": "fragment"} mystnb={"image": {"alt": "Three states of the lab, variances of one sample against the width of q on logarithmic axes. With the reference shift the line of the reparameterised gradient lies under the score function's everywhere. In the right place the score function falls to zero at width 1 and is lower from 0.74 to 2.33. With 100 dimensions it is lower from 0.94 to 1.08 only."}}
labs.ALL["02.quieter"]()

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Explain.** At the posterior $\log w$ is constant: with that constant as baseline the score function has *no* noise, and the
# path still has $1/v = 4.2$. At equal widths the two cross at a shift of $\sqrt{v/2} = 0.34$. In one dimension the score is quieter from $0.74$ to $2.33$ posterior widths. But $\log w$ holds the
# noise of all dimensions and the path that of its own: with $L = 100$ the strip is $0.94$ to $1.08$. So VAEs train by
# the path, and chapter 05 makes it as quiet at the posterior.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
strips = [exact.quieter_by_score(0.0, dimensions) for dimensions in (1, 100)]
assert [[round(width, 2) for width in strip] for strip in strips] == [[0.74, 2.33], [0.94, 1.08]]
assert round((v / 2) ** 0.5, 2) == 0.34 and round(1 / v, 1) == 4.2
assert round(model.log_likelihood(x).item() ** 2 / v, 2) == 12.85
assert exact.quieter_by_score(0.5 / v**0.5) is None
at_it, level = (exact.ScoreGradient.of(exact.case_with(1.0, shift)) for shift in (0.0, math.sqrt(v / 2)))
assert at_it.variance(at_it.level).item() < 1e-9 and abs(level.variance(level.level) - level.path).item() < 1e-6

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The trap: estimating c from the same samples
#
# $c^*$ and the ELBO are unknown in practice. We have $K$ samples; why not average over them? With $K = 1$ the answer is plain:
# $c = \log w$ and the gradient is 0. Less plain: the bias stays for **every** $K$. The sample's own $\log w_k$ is in its
# baseline, so $c$ is not a constant any more. For the mean over all $K$ the damage is exact:
#
# $$\log w_k - \frac1K \sum_j \log w_j = \frac{K-1}{K}\Big(\log w_k - \underbrace{\tfrac{1}{K-1}\sum_{j \ne k} \log w_j}_{c_k}\Big).$$
#
# The **leave-one-out** baseline $c_k$ is independent of $z_k$, so it is as good as a constant: unbiased. The mean baseline is that
# estimator times $(K-1)/K$: shrunk, at $K = 2$ to one half.


# %% slideshow={"slide_type": "fragment"}
def score_gradients(K, M, seed=8):
    """M gradients for q's mean from K samples each, by baseline."""
    eps = torch.randn(M, K, 1, generator=seeded(seed), dtype=torch.float64)  # [M, K, B]
    s = eps / std.item()
    log_q = Normal(0.0, 1.0).log_prob(eps) - std.log().item()
    log_w = model.log_joint(x, mean + std.item() * eps.unsqueeze(-1)) - log_q
    squares = s**2
    in_sample = (squares * log_w).sum(1, keepdim=True) / squares.sum(1, keepdim=True)
    baselines = {"c* from the same K": in_sample}
    for kind in ("mean", "leave_one_out", "optimal"):
        baselines[kind] = gradients.baseline(log_w, kind, squares)
    return {name: ((log_w - c) * s).mean(1).flatten() for name, c in baselines.items()}


# %% slideshow={"slide_type": "fragment"}
columns = ("c*, same K", "mean over K", "leave-one-out", "c*, the others")
print(f"exact {elbo_slope:.3f}\n   K" + "".join(f"{column:>16}" for column in columns))
for K in (2, 4, 8, 32):
    sample = score_gradients(K, M=100_000 if K < 32 else 40_000)
    same, shrunk, loo, others = sample.values()
    print(f"{K:4}" + "".join(f"{each.mean():16.3f}" for each in sample.values()))
    assert abs(z_score(loo, elbo_slope)) < 4 and abs(z_score(others, elbo_slope)) < 4
    assert abs(z_score(shrunk, elbo_slope * (K - 1) / K)) < 4 and z_score(same, elbo_slope) > 20
    if told := {2: 0.25, 32: 0.91}.get(K):  # to its last digit
        assert abs(z_score(same, told * elbo_slope)) < 4 or abs(same.mean() / elbo_slope - told) < 0.005

# %% [markdown] slideshow={"slide_type": "fragment"}
# The first column is the **plug-in** $c^*$, computed from the same $K$ samples: a quarter of the gradient at $K = 2$, still 9%
# short at $K = 32$. The second is $(K-1)/K$ of the truth. The last two are right. A shrunk gradient is not a disaster (a larger
# step undoes it, if $K$ never changes); the plug-in $c^*$ has no such excuse.
#
# **Guess**, the lab asks it: *optimal* is the last column, $c^*$ from the other $K - 1$ samples. At $K = 4$, does it beat
# *leave-one-out*? And at $K = 64$? (The bars are multiplied by $K$, so that you can compare different $K$.) Then **drag until it flips**:
# the shift to 0 at $K = 64$, the width to 1 and the shift to 0, then $D$ up, last the unit of $x$.

# %% slideshow={"slide_type": "subslide"} mystnb={"image": {"alt": "Four states of the baseline lab: no baseline, wider than the reparameterised gradients; the mean at K = 2, biased; q equal to the posterior, where the score function has no noise with leave-one-out and the reparameterised gradient has; a centred q at K = 64, where the optimal baseline beats leave-one-out"}}
labs.ALL["02.baseline"]()

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Explain.** No, twice no, **for this $q$**. Estimated from a few samples, $c^*$ is a ratio of two noisy sums. At $K = 4$ its variance is half as
# large again as that of leave-one-out; at $K = 64$ they are about equal. Each rule has its $q$:
#
# * *Centred, $K = 64$*: $c^*$ from the others has two thirds of the variance of leave-one-out. On the way to the goal $c^*$ pays.
# * *$q$ is the posterior*: $\log w$ is constant, leave-one-out has variance **0**, the reparameterised gradient $4.2$.
# * *Nearly there* ($1.15$ wide, $0.15$ off): $1.8$ against $5.6$. Sixteen such dimensions, $D = 16$: $11.5$ against $5.6$, since each adds its
#   noise to $\log w$, and none to the path.
# * *$x$ in another unit*: a unit 20 times as large adds 3 to $\log w$. No baseline has then $10.7$, leave-one-out $13.2$, as before.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
ratio = {}
for K in (4, 64):
    sample = score_gradients(K, M=20_000)
    ratio[K] = (sample["optimal"].var() / sample["leave_one_out"].var()).item()
assert 1.4 < ratio[4] < 1.7 and 0.95 < ratio[64] < 1.1


def of_q(width, shift, **more):
    return exact.ScoreGradient.of(exact.case_with(width, shift), **more)


noise_of_64 = torch.randn(20_000, 64, 1, generator=seeded(4), dtype=torch.float64)  # [M, K, B]
centred_log_w = exact.log_weights(exact.case_with(1.3, 0.0), noise_of_64)
spread_of = {
    kind: ((centred_log_w - gradients.baseline(centred_log_w, kind, noise_of_64**2)) * noise_of_64).mean(1).var()
    for kind in ("optimal", "leave_one_out")
}
assert 0.61 < (spread_of["optimal"] / spread_of["leave_one_out"]).item() < 0.72  # two thirds
there, near, far = of_q(1.0, 0.0), of_q(1.15, 0.15), of_q(1.15, 0.15, dimensions=16)
assert abs(there.leave_one_out(8).item()) < 1e-9 and round(there.path.item(), 1) == 4.2
assert [round(one.item(), 1) for one in (near.leave_one_out(8), near.path, far.leave_one_out(8))] == [1.8, 5.6, 11.5]
unit = of_q(1.3, 0.5, constant=3.0)
assert [round(number.item(), 1) for number in (unit.variance(0.0), unit.leave_one_out(8))] == [10.7, 13.2]
assert round(math.exp(3.0)) == 20 and round(of_q(1.3, 0.5).leave_one_out(8).item(), 1) == 13.2

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **25 minutes with exercise 7.** Press *mean, K = 2*: the blue histogram is narrow and sits in the wrong place. Ask now: "Which of the two would you rather
# have: narrow and shifted, or wide and right?" Then *leave-one-out*, and raise K.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 7 · The score-function gradient, leave-one-out (hard, 12 minutes)
#
# Estimate the gradient of the ELBO for `mean`, shape `[B, L]`: row $b$ is the gradient of data point $b$. Use the score function
# with the leave-one-out baseline (along $K$), and take the mean over $M$ and $K$. Given: `model` (an `exact.LinearGaussian`),
# `x [B, D]`, `mean` and `std [B, L]`, and noise `eps [M, K, B, L]`, so that `z = mean + std * eps`.
#
# <details><summary>Hint 1</summary>
#
# The surrogate is (log w − c) · log q. Through which of its parts may the gradient reach `mean`?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Only through the mean inside log q: call `requires_grad_` on a clone of `mean`, and detach z and log w.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# Leave-one-out along K: (sum over K − log w) / (K − 1). Mean over M and K, sum over B, then `torch.autograd.grad`.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def score_gradient(model, x, mean, std, eps):
    # Begin with mean = mean.clone().requires_grad_(), z = (mean + std * eps).detach();
    # then model.log_joint(x, z) is [M, K, B]. Your lines here.
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["02.score_gradient"](score_gradient)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def score_gradient(model, x, mean, std, eps):
    mean = mean.clone().requires_grad_()
    z = (mean + std * eps).detach()  # [M, K, B, L]
    log_q = Normal(mean, std).log_prob(z).sum(-1)  # [M, K, B]
    log_w = (model.log_joint(x, z) - log_q).detach()
    c = (log_w.sum(1, keepdim=True) - log_w) / (log_w.shape[1] - 1)
    surrogate = ((log_w - c) * log_q).mean((0, 1)).sum()
    return torch.autograd.grad(surrogate, mean)[0]


verdict = checks.ALL["02.score_gradient"](score_gradient)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 8 † · One c for all parameters (medium, 8 minutes)
#
# Given `log_w [M, K, B]` and the scores of $P$ parameters, `score [M, K, B, P]`. Estimate, for each data point, the one $c^*$
# that minimises the *sum* of the $P$ variances: `[B]`. Replace each expectation by an average over all $MK$ samples.
#
# <details><summary>Hint 1</summary>
#
# Repeat the derivation with X a vector. What becomes of s squared?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The second moment is the mean of (log w − c)² times the squared norm of s, a sum over P. So the best c is the average of
# log w, weighted by that norm.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def optimal_baseline(log_w, score):
    # Your lines here: [M, K, B], [M, K, B, P] -> [B]
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["02.optimal_baseline"](optimal_baseline)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def optimal_baseline(log_w, score):
    squared = score.square().sum(-1)  # [M, K, B], the squared norm
    return (squared * log_w).sum((0, 1)) / squared.sum((0, 1))


verdict = checks.ALL["02.optimal_baseline"](optimal_baseline)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "subslide"}
# † For the mean *and* the log standard deviation of our $q$ the shared optimum is between the two separate ones:

# %% slideshow={"slide_type": "fragment"}
score_log_std = t**2 - 1  # d log q / d log sigma at fixed z
both = torch.stack([score, score_log_std], -1)
alone = [expect(s**2 * log_w_grid) / expect(s**2) for s in (score, score_log_std)]
shared = expect(both.square().sum(-1) * log_w_grid) / expect(both.square().sum(-1))
print(f"c* for mu {alone[0]:.3f}, for log sigma {alone[1]:.3f}, shared {shared:.3f}")
assert [round(value, 3) for value in (*alone, shared)] == [-3.046, -3.736, -3.353]

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 8 † · The variance of log w as a loss
#
# If all weights are equal, $q$ is the posterior. So why not minimise $\mathrm{Var}[\log w]$? Its gradient is simple if the samples come
# from a *fixed* distribution $r$ (set $r = q$ after differentiating):
#
# $$\nabla_\phi\, \tfrac12 \mathrm{Var}_r[\log w] = E_r\big[(\log w - E_r \log w)(-s)\big] \;\overset{r = q}{=}\; -\nabla_\phi \mathrm{ELBO}.$$
#
# The right-hand side is our score function with $c = \mathrm{ELBO}$. Hold the samples still, take half the sample variance of $\log w$, call
# `backward`:
#
# > **Theorem · VarGrad.** With $K - 1$ in the sample variance, minus the gradient of that half *is* the leave-one-out gradient of the
# > ELBO, sample by sample: the factor $\frac{K-1}{K}$ of the last section cancels.
# >
# > *Conditions.* Those of the baseline; $K \ge 2$; the samples come from $r = q$ and **stay where they are** when $\phi$ is turned.
# >
# > *Where one fails.* Let the samples move with $\phi$, $z = \mu + \sigma\epsilon$. Then it is the slope of $\mathrm{Var}_q[\log w]$ itself, with another
# > value: for the reference $q$ half of it is $3.56$, where VarGrad gives $2.107$. Both end at the posterior if the family of $q$
# > holds it. Else not even the goal is the same: for $\log p(x, z) = 2z - e^z$ and a Gaussian $q$ the ELBO is highest at mean
# > $0.44$ and width $0.71$, and $\mathrm{Var}_q[\log w]$ is least at $0.51$ and $0.63$.
# >
# > *Source.* Richter et al. (2020), who name it and state it "under certain conditions"; derived above.

# %% slideshow={"slide_type": "fragment"}
mu = mean.clone().requires_grad_()
eps = torch.randn(3, 5, 1, 1, generator=seeded(9), dtype=torch.float64)  # [M, K, B, L]
z = mean + std * eps
log_q = Normal(mu, std).log_prob(z).sum(-1)
log_w = model.log_joint(x, z) - log_q  # not detached: its phi-gradient is -s

half_variance = gradients.log_variance(log_w).sum()
from_variance = torch.autograd.grad(half_variance, mu, retain_graph=True)[0].item()
c = gradients.baseline(log_w, "leave_one_out")
surrogate = gradients.score_function(log_w, log_q, c).sum()
from_score = torch.autograd.grad(surrogate, mu)[0].item()
print(f"-grad of half the variance {-from_variance:+.6f}   by score {from_score:+.6f}")
exact_vargrad = -expect((log_w_grid - elbo) * score)
print(f"exact, at r = q: {exact_vargrad:.4f}   -grad ELBO: {-elbo_slope:.4f}")
assert abs(from_variance + from_score) < 1e-10
assert abs(exact_vargrad + elbo_slope) < 1e-6

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# The samples move: log w = const - (d + sigma eps)^2 / 2v + eps^2 / 2; half its variance has slope d sigma^2 / v^2.
moved = mean.clone().requires_grad_()
z_moved = moved + std * t[:, None]
log_w_moved = model.log_joint(x, z_moved[:, None])[:, 0] - Normal(moved, std).log_prob(z_moved).sum(-1)
half = 0.5 * ((weight * log_w_moved**2).sum() - (weight * log_w_moved).sum() ** 2)
by_path_too = torch.autograd.grad(half, moved)[0].item()
assert round(by_path_too, 2) == 3.56 == round(0.5 * std.item() ** 2 / v**2, 2) and round(-elbo_slope, 3) == 2.107
# log p = 2z - e^z: both goals by quadrature, climbed from one start.


def loss_at(goal, at):
    places = at[0] + at[1].exp() * t[::40]
    log_ratio, share = 2 * places - places.exp() + t[::40] ** 2 / 2 + at[1], weight[::40] * 40
    mean_log_w = (share * log_ratio).sum()
    return -mean_log_w if goal == "ELBO" else (share * (log_ratio - mean_log_w) ** 2).sum()


def lowest(goal):
    """The mean and the width of q where a goal is least."""
    at = torch.tensor([0.0, 0.0], dtype=torch.float64, requires_grad=True)  # q's mean and log width
    newton = torch.optim.LBFGS([at], max_iter=200, line_search_fn="strong_wolfe", tolerance_change=1e-14)

    def loss():
        newton.zero_grad()
        (value := loss_at(goal, at)).backward()
        return value

    newton.step(loss)
    assert at.grad.abs().max() < 1e-6
    return at[0].item(), at[1].exp().item()


ends = {goal: lowest(goal) for goal in ("ELBO", "Var")}
assert [tuple(round(value, 2) for value in ends[goal]) for goal in ends] == [(0.44, 0.71), (0.51, 0.63)]
assert abs(ends["ELBO"][0] - (math.log(2) - 0.25)) < 1e-6 and abs(ends["ELBO"][1] - 0.5**0.5) < 1e-6  # by hand

# %% [markdown] slideshow={"slide_type": "fragment"}
# The same number twice, so one line of code gives an unbiased gradient with a baseline.
#
# Text 004 asks for this loss, $-\mathrm{Var}_q[\log w]$ added to the ELBO, and sees no way to differentiate the square. There are two: the
# samples still, or moved by $\phi$; the box has both numbers.
#
# Is such a loss *needed*, as an extra term that closes the gap? No. For a fixed decoder each nat of ELBO that the encoder gains
# is a nat of $\mathrm{KL}(q \,\|\, p(z|x))$ that is gone (chapter 01). How much is *left* the ELBO cannot tell; chapter 03 estimates it.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 9 · Why does the encoder need noise?
#
# Less spread means less variance. Why not take the spread away altogether: an encoder that returns one point $\hat z(x)$, a **Dirac**
# distribution? Three separate things happen.
#
# **The bound breaks.** $p(x)$ does not contain $q$ and does not care. What diverges is the ELBO, through $-E_q[\log q]$: it falls like
# $\log\sigma$ (per dimension) as $\sigma \to 0$. The estimate from the weights is *still* unbiased for every $\sigma > 0$, and useless:
# the variance is infinite as soon as $\sigma^2 \le v/2$ (section 4). At $\sigma = 0$ a point covers nothing (section 2), and no weight is
# defined.

# %% slideshow={"slide_type": "fragment"}
sigmas = torch.logspace(-3, 0, 25, dtype=torch.float64)
point = posterior.mean  # the best place for a point
elbos, from_weights = [], []
for sigma in sigmas:
    width = sigma.reshape(1, 1)
    elbos.append(model.elbo(x, point, width).item())
    log_w = model.log_weights(x, point, width, M=1, K=100_000, generator=seeded(0))
    from_weights.append(bounds.iwae(log_w).item())
print(f"sigma = 0.01: ELBO {elbos[8]:.2f}, from weights {from_weights[8]:.2f}")
print(f"log p(x) {log_p.item():.2f}")
assert math.isclose(sigmas[8], 0.01) and round(elbos[8], 2) == -5.13 and from_weights[8] < -3
assert math.isclose(elbos[8] - elbos[0], math.log(10), abs_tol=1e-3)  # one power of ten in sigma costs log 10

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "As sigma falls, the ELBO falls in a straight line on a logarithmic axis; the logarithm of the mean of 100000 weights looks right well below the point where sigma squared is v over 2, and then falls as well"}}
fig, ax = plt.subplots()
ax.semilogx(sigmas, elbos, color=plots.ELBO, label="ELBO, exact")
ax.semilogx(sigmas, from_weights, "o", color=plots.IWAE, label="log of the mean of 100 000 weights")
ax.axvline((v / 2) ** 0.5, color=plots.PRIOR, lw=1, label=r"$\sigma^2 = v/2$")
plots.exact_line(ax, log_p.item(), "log p(x)")
ax.set(xlabel=r"standard deviation $\sigma$ of q", ylabel="nats")
_ = ax.legend()
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The picture shows two failures. The exact line becomes straight towards the left: each power of ten in $\sigma$ costs
# $\log 10 = 2.30$ nats. The dots part from $\log p(x)$ for good at about a quarter of the width at which the variance becomes
# infinite. In between they look right to about a tenth of a nat, and no honest error bar backs them.

# %% slideshow={"slide_type": "skip"} jupyter={"source_hidden": true} tags=["hide-input"]
errors = torch.tensor(from_weights, dtype=torch.float64) - log_p
wall = (v / 2) ** 0.5
assert errors[(sigmas > 0.28 * wall) & (sigmas < wall)].abs().max() < 0.15  # looks right
assert (errors[sigmas < 0.25 * wall] < -0.15).all()  # parted for good

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **15 minutes.** Ask now, before the table: "A point encoder maximises log p(z) + log p(x|z). How do you cheat?" Someone will find the scaling. Let
# them say what happens to samples from the prior. Then show the table, then the picture.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **The codes collapse.** Drop the infinite $\log q$ and keep the rest, as a noise-free autoencoder does: maximise $\log p(z) + \log p(x|z)$ at one
# point. For a fixed model the best point is the top of the posterior, $\hat z(x) = \arg\max_z p(z)\,p(x|z)$. Then fit the model to
# these points, and again. Does it end in a heap of codes near 0?
#
# Yes. Let the decoder be $x|z \sim N(Wz, 0.7)$, with $W = 1.5$ in the reference model. Scale it up and the codes down, $W \to aW$,
# $\hat z \to \hat z/a$: the reconstruction does not change and $\log p(\hat z)$ rises. The best code is $\hat z = W x/(W^2 + 0.7)$. Averages over
# $x$ need only its variance, $1.5^2 + 0.7 = 2.95$ for data from the reference model. So everything is exact:

# %% slideshow={"slide_type": "fragment"}
var_x, noise = 1.5**2 + 0.7, 0.7
print("   a   E log p(x, z^)   var of codes   E log p(x)   sd of the model's samples")
marginals = []
for a in (1, 3, 10, 30, 100):
    W = 1.5 * a
    total = W**2 + noise  # the variance of x under the model
    misfit = 0.5 * var_x / total
    joint = -0.5 * math.log(2 * math.pi) - 0.5 * math.log(2 * math.pi * noise) - misfit
    marginal = -0.5 * math.log(2 * math.pi * total) - misfit
    var_code = W**2 * var_x / total**2
    marginals.append(marginal)
    print(f"{a:4}{joint:14.4f}{var_code:16.5f}{marginal:14.3f}{math.sqrt(total):16.1f}")
assert round(marginals[0], 2) == -1.96 and round(math.sqrt(var_x), 1) == 1.7 and round(math.sqrt(total)) == 150
assert [round(value, 2) for value in (joint, marginal)] == [-1.66, -5.93] and round(var_code, 5) == 0.00013

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
posterior_variance = [0.7 / ((1.5 * a) ** 2 + 0.7) for a in (1, 10, 100)]
assert [round(value, digits) for value, digits in zip(posterior_variance, (2, 3, 5))] == [0.24, 0.003, 0.00003]

# %% [markdown] slideshow={"slide_type": "fragment"}
# The noise-free objective rises with $a$ for ever (to $-1.66$). The codes shrink to a point, where the prior is at its top. And the
# true likelihood falls from $-1.96$ to $-5.93$: samples from this model have a standard deviation of 150, the data 1.7. (Text 004
# suspects that the prior then rules the posterior. The opposite holds: the posterior's variance is $0.24$, $0.003$, $0.00003$ at
# $a = 1$, $10$, $100$, and the prior's is 1.)
#
# **The gaps between the codes are empty.** A decoder that sees only isolated points $\hat z(x)$ is asked nothing in between. Noise asks
# it everywhere within a $\sigma$. Here is the direct comparison: twenty points near a curve, a small VAE, one run with noise
# and one without, the same seed. The two train for a few seconds. A grid over the one latent dimension gives $\log p(x)$.


# %% slideshow={"slide_type": "subslide"}
def curve(n, generator):
    t = 2 * torch.rand(n, generator=generator) - 1
    line = torch.stack([t, 0.6 * torch.sin(3 * t)], -1)
    return line + 0.1 * torch.randn(n, 2, generator=generator)


def fit(with_noise, x, steps=400, seed=0):
    torch.manual_seed(seed)
    vae = models.VAE(2, 1, hidden=(32,), likelihood="gaussian")
    vae.log_noise.data.fill_(math.log(0.1)).requires_grad_(False)
    optimizer = torch.optim.Adam(vae.parameters(), lr=5e-3)
    for _ in tqdm(range(steps), leave=False):
        z, log_q = vae.draw(x, vae.noise(x, 1, 1) * with_noise)
        loss = -(vae.log_joint(x, z) - log_q * with_noise).mean()
        optimizer.zero_grad(), loss.backward(), optimizer.step()
    return vae


# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
z_line = torch.linspace(-5, 5, 1_001)[:, None, None]  # [N, B, L], 0.01 apart


@torch.no_grad()
def by_grid(vae, x):
    log_joint = vae.log_joint(x, z_line.expand(-1, len(x), 1))  # [N, B]
    return (log_joint.logsumexp(0) + math.log(0.01)).mean().item()


train, test = curve(20, seeded(0)), curve(300, seeded(1))
vaes = {"without noise": fit(0, train), "with noise": fit(1, train)}
spread = {name: vae.encode(train)[0].var().item() for name, vae in vaes.items()}
on_test = {name: by_grid(vae, test) for name, vae in vaes.items()}
for name, vae in vaes.items():
    print(f"{name:14} variance of codes {spread[name]:.2f}", end="   ")
    print(f"log p(x): train {by_grid(vae, train):.2f}, test {on_test[name]:.2f}")
assert spread["without noise"] < 0.5 * spread["with noise"] and on_test["without noise"] < on_test["with noise"]

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input", "nbval-ignore-output"] mystnb={"image": {"alt": "Left, without noise: over most of the prior the decoder's curve runs far off the data. Right, with noise: the codes fill the prior and the decoder's curve stays near the data"}}
fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharex=True, sharey=True)
for ax, (name, vae) in zip(axes, vaes.items()):
    draws = vae.sample(300, seeded(2)).detach()
    ax.plot(*draws.T, ".", color=plots.DECODER, markersize=5, label="decoded from the prior")
    ax.plot(*train.T, "o", color=plots.Q, label="20 data points")
    ax.set(title=name, xlim=(-2.4, 2.4), ylim=(-1.6, 1.6))
_ = axes[0].legend(loc="upper left")
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# Without noise the codes huddle together, and many draws from the prior are decoded to places where no data are. (Train that one
# longer, `fit(0, train, steps=1500)`: its codes shrink further, and its likelihood falls.) With noise the codes fill the
# prior, and $\log p(x)$ is higher by more than a nat.
#
# **Does noise fight overfitting, then?** If so, says text 004, one should see it. Over five sets of twenty points, each with its own first
# weights, noise lifts $\log p(x)$ of the new points by about $1.2$ nats, and that of the training points by as much. The distance
# between the two, which is what overfitting opens, is about a quarter of a nat either way. So here: no. Noise makes a generative model of
# an autoencoder, for points that it saw and for others alike.
#
# An autoencoder without noise can still be a good compressor; it is no generative model. And noise costs: it blurs the reconstruction.
# The ELBO weighs that price against $\mathrm{KL}(q \,\|\, p(z))$.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input", "nbval-ignore-output"]
levels = {0: [], 1: []}  # [sets, 2]: log p(x) of the training points and of the new ones
for number in range(5):
    points = curve(20, seeded(100 + number))
    for with_noise, found in levels.items():
        fitted = fit(with_noise, points, seed=number)
        found.append([by_grid(fitted, points), by_grid(fitted, test)])
levels = torch.tensor([levels[0], levels[1]])  # [without or with, sets, train or test]
lifted = (levels[1] - levels[0]).mean(0)
distance = levels[..., 0] - levels[..., 1]  # [without or with, sets]
apart = distance[1] - distance[0]
print(f"lifted: train {lifted[0]:.2f}, new {lifted[1]:.2f}", end="; ")
print(f"distance without {distance[0].mean():.2f}, with {distance[1].mean():.2f}")
print(f"with minus without: {apart.mean():+.2f} +- {apart.std() / 5**0.5:.2f}")
assert (lifted - 1.2).abs().max() < 0.3 and abs(apart.mean()) < 4 * apart.std() / 5**0.5
assert (distance.mean(1) - 0.25).abs().max() < 0.3  # "about a quarter": five sets tell no more

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 9 · Spot the bug: the frozen guide (hard, 12 minutes)
#
# Sections 5 and 6 once more. A colleague trains a *discrete* encoder (a "guide") on the bound $E[\log \frac1K\sum_k w_k]$. The
# decoder learns. The encoder's logits never move: their gradient is exactly 0.
#
# ```python
# def guide_gradient(log_joint, logits, z):          # [states] from the decoder, [states], [K]; z ~ q
#     logits = logits.clone().requires_grad_()
#     log_q = logits.log_softmax(-1)[z]              # [K]
#     log_w = log_joint[z] - log_q.detach()          # weights are numbers
#     value = log_w.logsumexp(0) - math.log(len(z))  # log mean w
#     return torch.autograd.grad(value, logits, allow_unused=True, materialize_grads=True)[0]
# ```
#
# Return an unbiased estimate of the bound's own gradient (no minus sign) for `logits`, shape `[states]`, at these $K$ draws,
# without a baseline.
#
# <details><summary>Hint 1</summary>
#
# Two parts again: the draws move, and the weights move. Which of them does this code have? And what is the probability of all
# K draws together?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# One part is the value, detached, times the score of the whole draw, which is a sum over the K. In the other the weights must
# know their log q. One surrogate can hold both.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def guide_gradient(log_joint, logits, z):
    # Your lines here, after the colleague's first two: return the gradient, [states]
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["02.frozen_guide"](guide_gradient)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def guide_gradient(log_joint, logits, z):
    logits = logits.clone().requires_grad_()
    log_q = logits.log_softmax(-1)[z]
    value = (log_joint[z] - log_q).logsumexp(0) - math.log(len(z))  # the weights move
    surrogate = value.detach() * log_q.sum() + value  # and so do the draws
    return torch.autograd.grad(surrogate, logits)[0]


verdict = checks.ALL["02.frozen_guide"](guide_gradient)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 10 · The judge of your trainer (medium, 8 minutes)
#
# In chapter 01 you wrote a step of training. Now write what tells two trained models apart: $\log p(x)$ from many more samples
# than fit into memory at once.
#
# `draw(n)` draws `n` samples of $q$ for each of the $B$ data points and gives their log-weights, `[n, B]`. Return
# $\log \frac1K \sum_k w_k$, shape `[B]`, from exactly `K` samples, with at most `chunk` of them in one call. `K` need not be a multiple
# of `chunk`. The log-weights of an image may lie near $-900$.
#
# <details><summary>Hint 1</summary>
#
# What must you carry from one chunk to the next, so that at the end all $K$ weights stand under one logarithm?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Carry the logarithm of the sum so far. It begins at $-\infty$, the logarithm of an empty sum.
# `torch.logaddexp(a, b)` is $\log(e^a + e^b)$. What turns the sum into a mean comes once, at the end.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# The loop is `for start in range(0, K, chunk):`. The last chunk has what is left, `min(chunk, K - start)` samples.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def log_likelihood(draw, K, chunk):
    # Your lines here. draw(n): [n, B], n at most chunk. Return: [B].
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["02.log_likelihood"](log_likelihood)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def log_likelihood(draw, K, chunk):
    total = torch.tensor(-math.inf)
    for start in range(0, K, chunk):
        log_w = draw(min(chunk, K - start))
        total = torch.logaddexp(total, log_w.logsumexp(0))
    return total - math.log(K)


verdict = checks.ALL["02.log_likelihood"](log_likelihood)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "skip"}
# Let it judge the VAE that was trained with noise, on the 300 new points of section 9. There the grid knows the answer.

# %% slideshow={"slide_type": "skip"} tags=["nbval-ignore-output"]
source = seeded(11)
draw = lambda n: vaes["with noise"].log_weights(test, 1, n, source)[0]  # [n, B]
with torch.no_grad():
    judged = {K: log_likelihood(draw, K, chunk=500) for K in (1, 10, 1_000, 10_000)}
for K, value in judged.items():
    print(f"K = {K:6}   judge {value.mean():.3f}")
print(f"the grid     {on_test['with noise']:.3f}")

# %% [markdown] slideshow={"slide_type": "skip"}
# The judge comes from below, as the logarithm of a mean weight does. Ten thousand samples are still short on the new
# points, by less than a tenth of a nat. On the twenty points that the encoder was trained on, the same judge agrees with the grid to two
# hundredths. Why the new points are harder is not tested here. A likely reason: a $q$ that is too narrow for some of their posteriors, and
# section 4 said how slowly more samples mend that.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert 0 < on_test["with noise"] - judged[10_000].mean().item() < 0.1 < on_test["with noise"] - judged[1].mean().item()
with torch.no_grad():
    again = log_likelihood(lambda n: vaes["with noise"].log_weights(train, 1, n, source)[0], 10_000, 500)
assert abs(again.mean().item() - by_grid(vaes["with noise"], train)) < 0.02

# %% [markdown] slideshow={"slide_type": "skip"} tags=["quiz"]
# ## Before you go on: three questions
#
# Choose an answer before you open one. Each says why it is right, or what leads to it.
#
# **1 ·** The mean weight $\frac1K \sum_k w_k$ estimates $p(x)$. Why does nobody train an encoder by climbing it?
#
# <details><summary>A · Only the ELBO gives an encoder a gradient</summary>
#
# Many objectives do: $E \log$ of the mean weight, the Rényi bounds, $\chi^2$, the KL in the other direction. Flat is
# this one.
#
# </details>
#
# <details><summary>B · It is biased when K is small</summary>
#
# It is unbiased for every $K$, even for $K = 1$. Its *logarithm* is biased.
#
# </details>
#
# <details><summary>C · Its mean is p(x) for every q</summary>
#
# Right. There is no slope to climb: the encoder changes the spread of the weights and not their mean. A curved function, such as the logarithm,
# makes the spread count.
#
# </details>
#
# <details><summary>D · The weights overflow</summary>
#
# They may, and log-sum-exp mends that. In exact arithmetic the slope would be zero as well.
#
# </details>
#
# **2 ·** $q$ is a Gaussian in the posterior's centre, half as wide. Of a thousand weights most are near each other, the
# effective sample size is 220, and the 95% interval is narrow. What do you conclude?
#
# <details><summary>A · The estimate is as good as one from 220 draws of the posterior</summary>
#
# The effective sample size is computed from the samples that came. The weights that make the variance infinite are
# those that did not come yet.
#
# </details>
#
# <details><summary>B · The interval means little: the variance of a weight is infinite</summary>
#
# Right. $\sigma^2 = v/4$ is below $v/2$. The tails of $q$ decide that, and no sample shows it.
#
# </details>
#
# <details><summary>C · Some of the posterior's mass is missing, for q does not cover it</summary>
#
# A Gaussian is positive everywhere, so it covers. Coverage gives the right mean; it does not give a finite variance.
#
# </details>
#
# <details><summary>D · The estimate is biased: its expectation is too low</summary>
#
# Most *runs* are too low. Rare huge weights make up for it, and the expectation is $p(x)$.
#
# </details>
#
# **3 ·** A score-function gradient uses the mean of all $K$ values $\log w_k$ as baseline, the sample's own value
# included. What does that do to its expectation?
#
# <details><summary>A · It is multiplied by (K − 1)/K</summary>
#
# Right. A part of each $\log w_k$ is subtracted from itself. Leave the own sample out, and the baseline is as good as
# a constant.
#
# </details>
#
# <details><summary>B · Nothing: every baseline leaves the mean as it is</summary>
#
# Every *constant* does. This baseline contains $\log w_k$ and so depends on $z_k$; their product does not average to
# zero.
#
# </details>
#
# <details><summary>C · It is wrong for K = 1 only</summary>
#
# For $K = 1$ the gradient is 0, which anybody sees. For $K = 2$ it is still only half of what it should be.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What we learned
#
# | question | answer |
# |---|---|
# | Is $\frac1K\sum_k w_k$ right? | On average, for every $K$ and every $q$ that covers. Its logarithm is too low. |
# | How much is a sample worth? | By Kong's rule of thumb $1/(1+\chi^2)$ of a sample of the posterior; exponentially less with the dimensions. |
# | When is the variance infinite? | Gaussian $q$ and posterior: $\sigma^2 \le v/2$. The error bar does not tell, nor does the ESS: it is low, and should be 0. |
# | Does $E[w]$ train the encoder? | No, its slope is 0. The ELBO, $E\log$ mean $w$, Rényi, $\chi^2$ and $\mathrm{KL}(p(z \mid x) \,\Vert\, q)$ do. |
# | Which gradient? | Far from the posterior, or in many dimensions, the reparameterised one (7.1 here; score function 33.8, 10.7 with $c^*$). Where $\log w$ is nearly flat the score function with a baseline: 0 against 4.2 at the posterior. |
# | Which baseline? | Leave-one-out: unbiased, and best from few samples; $c^*$ of the others has two thirds of its variance for a centred $q$ at $K = 64$. The mean over all $K$ shrinks by $(K-1)/K$. The plug-in $c^*$ is biased for every $K$. |
# | † Minimise $\mathrm{Var}[\log w]$? | At $r = q$ its gradient is minus the ELBO's: VarGrad is leave-one-out. |
# | Why noise? | Without it the ELBO is $-\infty$, the codes collapse and nothing ties down the decoder between them. |
#
# **What chapter 03 repairs.** The ELBO takes the logarithm of one weight at a time. Put the mean of $K$ weights *inside* the logarithm: the
# bound gets tighter with every sample, and $\chi^2$ of this chapter is its speed.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## References
#
# - D. P. Kingma, M. Welling. Auto-Encoding Variational Bayes. 2013. [arXiv 1312.6114](https://arxiv.org/abs/1312.6114)
# - R. Ranganath, S. Gerrish, D. M. Blei. Black Box Variational Inference. 2014. [arXiv 1401.0118](https://arxiv.org/abs/1401.0118)
# - R. J. Williams. Simple statistical gradient-following algorithms for connectionist reinforcement learning. Machine Learning 8, 1992.
#   [doi 10.1007/BF00992696](https://doi.org/10.1007/BF00992696)
# - E. Greensmith, P. L. Bartlett, J. Baxter. Variance Reduction Techniques for Gradient Estimates in Reinforcement Learning. JMLR 5, 2004,
#   1471–1530. [jmlr.org](https://www.jmlr.org/papers/volume5/greensmith04a/greensmith04a.pdf)
# - A. Mnih, D. J. Rezende. Variational Inference for Monte Carlo Objectives. 2016. [arXiv 1602.06725](https://arxiv.org/abs/1602.06725)
# - W. Kool, H. van Hoof, M. Welling. Buy 4 REINFORCE Samples, Get a Baseline for Free! ICLR workshop, 2019.
#   [author's page](https://wouterkool.github.io/publication/buy-4-samples-free-baseline/)
# - L. Richter, A. Boustati, N. Nüsken, F. J. R. Ruiz, Ö. D. Akyildiz. VarGrad: A Low-Variance Gradient Estimator for Variational
#   Inference. NeurIPS, 2020. [arXiv 2010.10436](https://arxiv.org/abs/2010.10436)
# - A. Kong, J. S. Liu, W. H. Wong. Sequential Imputations and Bayesian Missing Data Problems. JASA 89, 1994.
#   [doi 10.1080/01621459.1994.10476469](https://doi.org/10.1080/01621459.1994.10476469)
# - T. Hesterberg. Weighted Average Importance Sampling and Defensive Mixture Distributions. Technometrics 37, 1995.
#   [doi 10.1080/00401706.1995.10484303](https://doi.org/10.1080/00401706.1995.10484303)
# - Y. Li, R. E. Turner. Rényi Divergence Variational Inference. 2016. [arXiv 1602.02311](https://arxiv.org/abs/1602.02311)
# - A. B. Dieng, D. Tran, R. Ranganath, J. Paisley, D. M. Blei. Variational Inference via χ Upper Bound Minimization. 2017.
#   [arXiv 1611.00328](https://arxiv.org/abs/1611.00328)
# - S. Chatterjee, P. Diaconis. The sample size required in importance sampling. 2015. [arXiv 1511.01437](https://arxiv.org/abs/1511.01437)
# - A. Vehtari, D. Simpson, A. Gelman, Y. Yao, J. Gabry. Pareto Smoothed Importance Sampling. 2015.
#   [arXiv 1507.02646](https://arxiv.org/abs/1507.02646)
# - The view of the VAE as importance sampling plus Jensen's inequality, on which sections 1, 2 and 5 to 9 build:
#   [zhuanlan.zhihu.com/p/555924600](https://zhuanlan.zhihu.com/p/555924600) (in Chinese). Where this chapter says otherwise, it says so
#   with a number. Its sources on the noise: [Cross Validated 247778](https://stats.stackexchange.com/a/247778/187914); on $\log p(x)$ of one
#   point by many weights, as in exercise 10: 苏剑林 (Su Jianlin), [kexue.fm 8791](https://kexue.fm/archives/8791).
