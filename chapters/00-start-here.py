# %% [markdown] slideshow={"slide_type": "slide"}
# # Start here
#
# When you leave this page you will be able to
#
# * **run** a chapter, drag a lab and check an exercise;
# * **read** the shape `[M, K, B]` that runs through the whole course;
# * **compute** a lower bound of $\log p(x)$ from log-weights, in ten lines, without an overflow;
# * **judge** a random number by its standard error;
# * **translate** the letters of another text into ours.
#
# You need calculus, probability (a density, an expectation, Bayes' rule) and a little PyTorch (a tensor, an axis).
# You need not know what a variational autoencoder is.
#
# **Reading 45 minutes, doing 45 minutes.**

# %% [markdown] slideshow={"slide_type": "skip"}
# ## How to use these pages
#
# | you want to | do this |
# |---|---|
# | run a cell | click into it, then <kbd>Shift</kbd>+<kbd>Enter</kbd>; from top to bottom, for each cell uses the ones above |
# | move a lab | drag a slider, or <kbd>Tab</kbd> to it and use the arrow keys; the buttons under it set up a situation |
# | do an exercise | write your answer in place of the dots, run that cell, then run the check under it |
# | get a hint | open *Hint 1* on the exercise's card, later *Hint 2* |
#
# A check knows the usual mistakes of its exercise, many of them found in published code, and tells you which one you made.
# Try a wrong answer on purpose: that shows what a check can see.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **Teaching this chapter: 45 minutes.** 5 prediction and lab, 10 log-weights, 10 exercises 1 to 4 in pairs, 10 the
# exercise on the bug, 5 the map, 5 questions.
#
# Notes like this one carry the tag `instructor`. They are left off the slides, and so are long tables, checks and solutions.
# `make slides` makes the slides; in them the key S opens a window with these notes. To project the labs of a chapter alone,
# live: `make present CHAPTER=00`. Plans for whole courses are in [teaching.md](teaching.md).

# %% slideshow={"slide_type": "skip"}
import math

import matplotlib.pyplot as plt
import torch
from torch.distributions import Normal

from vaecourse import bounds, checks, exact, labs, plots

plots.use_style()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Predict, drag, explain
#
# A number $x$ has been measured. Something hidden, $z$, brought it about. How probable was this $x$, all hidden causes
# taken together? The logarithm of the answer is called $\log p(x)$, and it is what every model of this course is judged by.
# As a rule nobody can compute it. On this page we can: the model is so small that it has an exact answer, $-1.7463$ *nats*
# (the unit of the natural logarithm).
#
# Now pretend that you could not. You guess a $z$, and give the guess a score. The mean score of a single guess is
# $-2.3557$: too low by $0.6094$. But you may guess $K$ times and pool the guesses before you give the score. How guesses
# are scored and pooled comes right after the lab.
#
# **Your prediction:** how many guesses close nine tenths of that gap? About 7, about 70, or about 700?
# Say a number aloud. Then drag $K$ upwards and watch the distance from the blue dot, the **bound**, to the black dashed
# line, the exact answer. On the right you see 500 single runs of the same experiment.

# %% slideshow={"slide_type": "subslide"} mystnb={"image": {"alt": "The lab at K = 1, 8 and 64: the expected bound rises with K towards the dashed line log p(x) = -1.7463; beside it 500 single runs, which scatter less and less around the bound."}}
labs.ALL["00.bound"]()

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **5 minutes.** Let everybody raise a hand for 7, 70 or 700 before the slider moves. Drag slowly from 1 to
# 10, then jump to the end. Ask now: *does the bound ever cross the black line?* (Its mean does not; a single draw
# does, often.) And then: *what did we pay for it?* ($K$ guesses instead of one. Chapter 03 measures the price.)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Explain.** About seven guesses close nine tenths of the gap. To close nine tenths of the rest takes about sixty. The
# first few guesses are a bargain; after that, a tenth of the gap costs ten times the guesses. Chapter 03 shows why. The
# folded cell below is the evidence: 50 000 repetitions of the experiment, for every $K$ up to 64 at once. Its gaps are
# estimates, so the first is not exactly 0.6094.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"]
model, x, mean, std = exact.reference(torch.float64)  # x [1, 1], and the mean and width of the guess, [1, 1] each
log_w = model.log_weights(x, mean, std, M=50_000, K=64, generator=torch.Generator().manual_seed(0))
counts = torch.arange(1, 65)[:, None]  # [64, 1]: every K
L_K = log_w.logcumsumexp(1) - counts.log()  # [M, 64, 1]: the scores of 1, 2, ..., 64 pooled guesses
gap = (model.log_likelihood(x) - L_K).mean(0).flatten()  # [64]: how far the mean score stays under log p(x)
for K in (1, 2, 7, 10, 60):
    print(f"K = {K:2}   gap {gap[K - 1]:.3f} nats   {gap[K - 1] / gap[0]:6.1%} of the first")

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# The numbers in the text above: exact, and each estimate against its own standard error.
errors = L_K.std(0).flatten() / math.sqrt(len(L_K))  # [64]
law = exact.WeightLaw.of(exact.reference(torch.float64))  # the exact E[L_K], by quadrature; the lab draws it
exact_gap = {K: (model.log_likelihood(x) - law.lower(K)).item() for K in (1, 2, 6, 7, 10, 59, 60)}
assert exact_gap[7] < 0.1 * exact_gap[1] < exact_gap[6] and exact_gap[60] < 0.01 * exact_gap[1] < 0.0061
assert all(abs(gap[K - 1] - value) < 4 * errors[K - 1] for K, value in exact_gap.items())
assert (L_K[:, 0] > model.log_likelihood(x)).double().mean() > 0.4  # single draws cross the line, often

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The one idea: log-weights are the currency
#
# Here is the small model, the **reference model**. You will meet it again and again, always with these numbers.
#
# | | | what it is called |
# |---|---|---|
# | $p(z) = \mathcal N(z;\, 0,\, 1)$ | what $z$ is like before anything is measured | the *prior* |
# | $p(x \mid z) = \mathcal N(x;\, 1.5\,z,\, 0.7)$ | what $x$ a given $z$ brings about (0.7 is a variance) | the *likelihood*; a network that computes it is the *decoder*, its parameters $\theta$ |
# | $x = 1.3$ | what was measured | the *data point* |
# | $p(z \mid x) = \mathcal N(z;\, 0.661,\, 0.237)$ | what $z$ is like after $x$ was seen | the *posterior* |
# | $q(z \mid x)$, half a unit to the right of the posterior and 1.3 times as wide | a guess at the posterior, wrong on purpose | the *approximate posterior*; a network that computes it is the *encoder*, its parameters $\phi$ |
#
# Draw $z$ from the guess $q$. Its **weight** $w$ divides how often the model produces this $z$ together with our $x$ by how
# often the guess produces this $z$. Its logarithm is what we carry around; it was the *score* in the lab:
#
# $$ \log w \;=\; \log \frac{p(x, z)}{q(z \mid x)} \;=\; \log p(z) + \log p(x \mid z) - \log q(z \mid x). $$

# %% [markdown] slideshow={"slide_type": "subslide"}
# We shall draw many $z$ for many data points at once. Their log-weights are one tensor, `log_w[M, K, B]`, with three axes,
# always in this order:
#
# | axis | letter | counts |
# |---|---|---|
# | 0 | **M** | independent **estimates** of the bound |
# | 1 | **K** | **samples** inside one estimate, pooled before the logarithm |
# | 2 | **B** | data points (the **batch**) |

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 1 · Which axis is which (pen and paper, easy, 1 minute)
#
# Five images, two independent estimates for each, seven samples in every estimate. Which shape has `log_w`?
# Put three numbers in brackets in place of the dots, like `(4, 7, 3)`.
#
# <details><summary>Hint 1</summary>
#
# Which of the three words, *estimates, samples, data points*, belongs to which letter?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The order is M, K, B. The images are the data points, and they come last.
#
# </details>

# %% slideshow={"slide_type": "skip"} tags=["stub"]
shape = ...  # three numbers in brackets, in the order of the axes

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["00.shape"](shape)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
shape = (2, 7, 5)  # M = 2 estimates, K = 7 samples, B = 5 images

verdict = checks.ALL["00.shape"](shape)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"}
# ### The log-weights of three data points
#
# Now in PyTorch, every line of the formula. We take three different numbers for $M$, $K$ and $B$ on purpose. With $M = K$ a
# slip between the two axes leaves every shape and every expected value as it was. Slips of this kind stand in published
# code; exercise 7 is one.

# %% slideshow={"slide_type": "subslide"}
M, K, B = 4, 7, 3  # estimates, samples in each estimate, data points
points = torch.tensor([1.3, -0.4, 2.0], dtype=torch.float64)  # [B]
centre = 1.5 * points / 2.95 + 0.5  # [B]: the posterior's mean, half a unit off
width = 1.3 * math.sqrt(0.7 / 2.95)  # the posterior's width, 1.3 times too wide

generator = torch.Generator().manual_seed(1)
noise = torch.randn(M, K, B, generator=generator, dtype=torch.float64)
z = centre + width * noise  # [M, K, B], drawn from q(z | x)

log_prior = Normal(0.0, 1.0).log_prob(z)  # [M, K, B]
log_likelihood = Normal(1.5 * z, math.sqrt(0.7)).log_prob(points)  # [M, K, B]
log_q = Normal(centre, width).log_prob(z)  # [M, K, B]
log_w = log_prior + log_likelihood - log_q  # [M, K, B], in nats
print(list(log_w.shape))

# %% [markdown] slideshow={"slide_type": "fragment"}
# Where a tensor has more axes they come after these: $D$ for the data's dimensions, $L$ for the latent's. Real code draws `z`
# as `[M, K, B, L]` and sums over $L$.

# %% [markdown] slideshow={"slide_type": "subslide"}
# Every bound of this course reduces `[M, K, B]` to `[B]`, one number for each data point. The three that you need now
# differ in one thing only, **where the logarithm stands**:
#
# $$
# \mathrm{ELBO} = \frac1{MK}\sum_{m,k} \log w_{mk}, \qquad
# \mathrm{MIWAE} = \frac1M \sum_m \log \frac1K \sum_k w_{mk}, \qquad
# \mathrm{IWAE} = \log \frac1{MK}\sum_{m,k} w_{mk}.
# $$
#
# Mean of the logs (*evidence lower bound*); log of the mean in each estimate; log of the mean of all (named after the
# *importance-weighted autoencoder*). The mean of the middle one over all draws is called $L_K$: the lab's blue dot. It is
# the same for every $M$, and $L_1$ is the mean of the first.

# %% slideshow={"slide_type": "fragment"}
elbo = log_w.mean((0, 1))  # [B]
miwae = (log_w.logsumexp(1) - math.log(K)).mean(0)  # [B]
iwae = log_w.logsumexp((0, 1)) - math.log(M * K)  # [B]
# Exact: x is a sum of two Gaussians, with the variances 1.5^2 and 0.7.
log_p = Normal(0.0, math.sqrt(2.95)).log_prob(points)  # [B]

print("            x =" + "".join(f"{value:8.1f}" for value in points))
rows = {"ELBO": elbo, "MIWAE": miwae, "IWAE": iwae, "exact log p(x)": log_p}
for name, values in rows.items():
    print(f"{name:>15}" + "".join(f"{value:8.3f}" for value in values))
assert torch.equal(bounds.elbo(log_w), elbo) and torch.allclose(bounds.miwae(log_w), miwae)
assert torch.allclose(bounds.iwae(log_w), iwae) and (elbo <= miwae).all() and (miwae <= iwae).all()
assert iwae[1] > log_p[1]  # an estimate may lie above; the bound itself never does

# %% [markdown] slideshow={"slide_type": "fragment"}
# Read the columns: from ELBO to MIWAE to IWAE the number rises. On the same weights this order cannot fail, because the
# logarithm is concave (Jensen's inequality). The last row is the exact answer, and here a warning belongs. In the middle column
# IWAE has landed *above* $\log p(x)$. That is no error: 28 draws are few, and an estimate may land on either side. A bound
# is a statement about the mean over all draws.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 2 · Where the logarithm stands (pen and paper, easy, 4 minutes)
#
# One estimate, $M = 1$, from $K = 2$ samples. Their weights came out as $w_1 = 1$ and $w_2 = 9$. By how many nats does the IWAE
# estimate lie above the ELBO estimate? Three digits are enough.
#
# <details><summary>Hint 1</summary>
#
# Which of the two takes the logarithm of each weight, and which the logarithm of their mean?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The ELBO estimate is half of log 1 + log 9. The IWAE estimate is the logarithm of 5.
#
# </details>

# %% slideshow={"slide_type": "skip"} tags=["stub"]
difference = ...  # a number, in nats

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["00.two_weights"](difference)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
two = torch.tensor([1.0, 9.0], dtype=torch.float64).log().reshape(1, 2, 1)  # [M, K, B]
difference = math.log(5) - math.log(9) / 2
assert math.isclose(difference, (bounds.iwae(two) - bounds.elbo(two)).item())

verdict = checks.ALL["00.two_weights"](difference)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What the weights look like
#
# The picture shows the reference model at $x = 1.3$. On the left: the posterior (black, dashed), and the guess $q$ that sits to
# the right of it. On the right: $\log w$ for every $z$. If $q$ were the posterior, this curve would be a flat line at the
# height $\log p(x)$; one guess would do. It is not flat, so a draw from the right scores far too low, and the mean of the
# scores, the ELBO, is dragged down.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "Left: the posterior as a dashed bell around 0.66, and the guess q as a wider bell around 1.16. Right: log w as a function of z, above the dashed line log p(x) for z between -1 and 1, and seven nats below it at z = 3; the ELBO is a line below log p(x)."}}
grid = torch.linspace(-1.2, 3.2, 300, dtype=torch.float64)[:, None, None]  # [300, 1, 1]
posterior, q = model.posterior(x), Normal(mean, std)
density = lambda p: p.log_prob(grid).exp().flatten()
along = (model.log_joint(x, grid) - q.log_prob(grid).sum(-1)).flatten()  # log w, [300]

_, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6))
left.plot(grid.flatten(), density(posterior), "--", color=plots.EXACT, label="posterior $p(z\\,|\\,x)$")
left.plot(grid.flatten(), density(q), color=plots.Q, label="guess $q(z\\,|\\,x)$")
left.set(xlabel="z", ylabel="density", ylim=(0, 1.15))
left.legend(loc="upper left")
right.plot(grid.flatten(), along, color=plots.Q, label="log w")
plots.exact_line(right, model.log_likelihood(x).item(), "log p(x)")
right.axhline(model.elbo(x, mean, std).item(), color=plots.ELBO, label="ELBO")
right.set(xlabel="z", ylabel="nats", ylim=(-9, 0))
right.legend(loc="lower left")
plt.show()

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The exact numbers
#
# In this model everything is Gaussian, so nothing has to be estimated. These numbers come back throughout the course:
#
# | | exact value | in words |
# |---|---|---|
# | $\log p(x)$ | $-1.7463$ | what all the bounds aim at |
# | ELBO | $-2.3557$ | the mean score of one guess, $L_1$ |
# | $\mathrm{KL}(q \,\Vert\, p(z \mid x))$ | $0.6094$ | their difference: how wrong the guess is |
# | EUBO | $-1.3764$ | *evidence upper bound*: $\log p(x) + \mathrm{KL}(p(z \mid x) \,\Vert\, q)$ |
# | $\chi^2$ | $0.7055$ | the variance of $w / p(x)$; it rules how fast $K$ closes the gap |
#
# $\mathrm{KL}(a \,\Vert\, b) = E_a[\log a - \log b]$ is the Kullback-Leibler divergence: never negative, zero only
# if the two agree.

# %% slideshow={"slide_type": "fragment"}
case = x, mean, std
numbers = {
    "log p(x)": (model.log_likelihood(x), -1.7463),
    "ELBO": (model.elbo(*case), -2.3557),
    "KL(q || posterior)": (model.kl(*case), 0.6094),
    "EUBO": (model.eubo(*case), -1.3764),
    "chi squared": (model.chi_squared(*case), 0.7055),
    "posterior mean": (posterior.mean, 0.6610),
    "posterior variance": (posterior.variance, 0.2373),
}
for name, (value, printed) in numbers.items():
    print(f"{name:>20} {value.item():8.4f}")
    assert round(value.item(), 4) == printed

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Two things about logarithms
#
# **Nats and bits.** With the natural logarithm the unit is the *nat*, with base 2 the *bit*: 1 nat is $1/\log 2 = 1.443$
# bits. This course speaks nats, in every formula, table and figure. Papers about images often print *bits per
# dimension*, $-\log p(x) / (D \log 2)$ with $D$ the number of pixels: the length of a code, so smaller is better there.
#
# **Log-sum-exp.** A weight is a product of hundreds of densities. An image of 784 pixels easily has
# $\log w = -110$, and a 32-bit float cannot hold $e^{-110}$: it becomes 0, and the logarithm of 0 is $-\infty$. The way out is to take
# the largest log-weight out of the sum, and add it back outside:
#
# $$ \log \sum_k e^{a_k} = a_{\max} + \log \sum_k e^{a_k - a_{\max}}. $$
#
# Now the largest term is $e^0 = 1$. In PyTorch it is called `logsumexp`. The mean over $K$ needs one thing more, $-\log K$.

# %% slideshow={"slide_type": "fragment"}
a = torch.tensor([-110.0, -111.0, -112.0])  # three log-weights of an image, float32
floored = (a.exp().mean() + 1e-10).log().item()
print("exp, mean, log    ", a.exp().mean().log().item())
print("a floor of 1e-10  ", round(floored, 3), "  a number, and nonsense")
print("logsumexp - log K ", round((a.logsumexp(0) - math.log(3)).item(), 3))
bits = -1.7463 / math.log(2)
print(f"one nat is {1 / math.log(2):.3f} bits;  log p(x) = {bits:.3f} bits")
assert a.exp().sum() == 0 and round(1 / math.log(2), 3) == 1.443

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 3 · Nats to bits per dimension (easy, 3 minutes)
#
# `log_p` holds $\log p(x)$ in nats for a batch, `[B]`; an image has `D` dimensions. Return bits per dimension, `[B]`.
#
# <details><summary>Hint 1</summary>
#
# A bit is the larger unit. Does the number grow or shrink when you count in bits?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Three steps: turn the sign, because a cost is asked for; change the base of the logarithm, by log 2; share it
# out over the D dimensions.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def bits_per_dimension(log_p, D):
    # Your line here. log_p: [B] in nats. Return: [B].
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["00.bits_per_dimension"](bits_per_dimension)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def bits_per_dimension(log_p, D):
    return -log_p / (D * math.log(2))


verdict = checks.ALL["00.bits_per_dimension"](bits_per_dimension)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 4 · Log-mean-exp (medium, 6 minutes)
#
# For each estimate and each data point, return the logarithm of the **mean** weight of its $K$ samples:
# `[M, K, B] -> [M, B]`. It must survive `log_w` around $-800$ and around $+100$.
#
# <details><summary>Hint 1</summary>
#
# `log_w.logsumexp(axis)` sums over an axis without overflow. Which axis holds the samples?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# A mean is a sum divided by K. Outside the logarithm, dividing by K is subtracting log K, and K is the length
# of that axis.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def log_mean_exp(log_w):
    # Your line here. log_w: [M, K, B]. Return: [M, B].
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["00.log_mean_exp"](log_mean_exp)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def log_mean_exp(log_w):
    return log_w.logsumexp(1) - math.log(log_w.shape[1])


verdict = checks.ALL["00.log_mean_exp"](log_mean_exp)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **6 minutes.** Have one pair hand in the mean of the logs and another the sum without $\log K$, and show both messages on the
# projector. Ask now: *which of the two mistakes would you notice in a training curve?* Neither: the first is a smaller bound, the
# second a number that is too good by a constant.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## How this course tells luck from error
#
# The mean weight is $p(x)$: $\;E_q[w] = \int q(z \mid x)\, \frac{p(x, z)}{q(z \mid x)}\, dz = \int p(x, z)\, dz = p(x)$. Draw,
# average, compare: the two will differ, for the draws are random. By how much may they differ? The mean of $N$ independent
# draws with standard deviation $s$ has the **standard error** $s / \sqrt N$. The difference in units of that is the **z-score**.
#
# A z-score of 1 or 2 is an ordinary day. Beyond 4 (one time in sixteen thousand) we do not believe in bad luck. Every
# random claim in these notebooks and every test of the package is judged like this, with a fixed seed. No tolerance is
# chosen because it is convenient.
#
# **The same seed, the same numbers?** On one machine, with one version of PyTorch and one number of threads: to the last bit.
# Elsewhere sums are added up in another order, and the last digits differ. The numbers stored in these pages were made with one
# thread, and `make lab` starts with one, so yours are the same up to those digits.

# %% slideshow={"slide_type": "fragment"}
generator = torch.Generator().manual_seed(2)
log_w = model.log_weights(*case, M=20_000, K=1, generator=generator)  # [N, 1, 1]
w = log_w.exp().flatten()  # [N]
p = model.log_likelihood(x).exp().item()  # exact
error = w.std().item() / math.sqrt(len(w))
z_of_w = (w.mean().item() - p) / error
print(f"mean of w {w.mean():.4f} +- {error:.4f}   exact {p:.4f}   z-score {z_of_w:+.1f}")
assert abs(w.mean() - p) < 4 * error
assert 15_000 < 1 / math.erfc(4 / math.sqrt(2)) < 17_000  # "one time in sixteen thousand"

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 5 · Luck or error? (medium, 5 minutes)
#
# `values` holds $N$ independent draws of an estimator, `[N]`, and `exact` is what their mean should be. Return the
# z-score of their mean. The standard deviation is the one that divides by $N - 1$, as `values.std()` does.
#
# <details><summary>Hint 1</summary>
#
# `values.std()` tells how one draw scatters. How does the mean of N draws scatter?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The mean minus the exact value, divided by the standard error, which is the standard deviation over the
# square root of N.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def z_score(values, exact):
    # Your line here. values: [N]; exact: a number. Return one number.
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["00.z_score"](z_score)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def z_score(values, exact):
    standard_error = values.std() / math.sqrt(len(values))
    return (values.mean() - exact) / standard_error


verdict = checks.ALL["00.z_score"](z_score)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 6 · How many draws show an error? (pen and paper, medium, 4 minutes)
#
# An estimator is off: its mean over all draws is 0.05 nats too high, and nobody knows. A single draw scatters with the standard
# deviation 0.6. How many draws must be averaged until an error of this size makes a z-score of 4?
#
# <details><summary>Hint 1</summary>
#
# With N draws, how large is the standard error?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Set 0.05 equal to four standard errors, each 0.6 divided by the square root of N, and solve for N.
#
# </details>

# %% slideshow={"slide_type": "skip"} tags=["stub"]
draws = ...  # a whole number

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["00.how_many_draws"](draws)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
draws = round((4 * 0.6 / 0.05) ** 2)
assert math.isclose(0.05 / (0.6 / math.sqrt(draws)), 4)  # that many draws give the z-score

verdict = checks.ALL["00.how_many_draws"](draws)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 7 · Spot the bug (medium, 8 minutes)
#
# A colleague keeps the batch first: the log-weights come as `[B, M, K]`. The function below should give MIWAE, `[B]`: one
# logarithm for each estimate, then the mean of the $M$. The colleague tested it at $M = K = 5$, by a z-score, and it passed.
# With $M = 1$ and $K = 50$ something is badly wrong: it gives no more than the ELBO. Run the next cell and look. Then write
# the function so that it is right.
#
# <details><summary>Hint 1</summary>
#
# In `[B, M, K]` the axes are 0, 1, 2. Over which one does the log-mean-exp of the colleague run?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The samples of one estimate are axis 2 here: `logsumexp` over it, minus the logarithm of its length. Then the
# mean over the estimates.
#
# </details>


# %% slideshow={"slide_type": "subslide"}
def colleague(log_w):  # [B, M, K] -> [B]
    log_mean = log_w.logsumexp(1) - math.log(log_w.shape[1])
    return log_mean.mean(1)


generator = torch.Generator().manual_seed(3)
copies = [part.expand(20_000, 1) for part in case]  # a batch of 20 000 times the same x
for M, K in ((5, 5), (1, 50)):
    log_w = model.log_weights(*copies, M, K, generator)  # [M, K, 20000]
    right, theirs = bounds.miwae(log_w), colleague(log_w.movedim(2, 0))
    off = (theirs - right).double()  # [20000]
    z_of_it = (off.mean() / off.std() * math.sqrt(len(off))).item()
    print(f"M = {M}, K = {K:2}:  right {right.mean():.3f}", end="   ")
    print(f"colleague {theirs.mean():.3f}   z-score {z_of_it:+.1f}")
    assert (abs(z_of_it) < 4) == (M == K)


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def miwae_batch_first(log_w):
    # Your lines here. log_w: [B, M, K]. Return: [B].
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["00.spot_the_bug"](miwae_batch_first)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def miwae_batch_first(log_w):
    log_mean = log_w.logsumexp(2) - math.log(log_w.shape[2])  # [B, M]: the K samples are axis 2 here
    return log_mean.mean(1)


verdict = checks.ALL["00.spot_the_bug"](miwae_batch_first)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **10 minutes.** Ask before running: *what does this function compute for M = 1, K = 50?* (A log-mean-exp of one number is the
# number itself. So: the ELBO.) Then: *which test would have caught it?* Any with $M \neq K$, or one that compares both functions on the same weights. This bug was found in published code, where it
# weakened the training of the encoder and left every shape correct.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The notation passport
#
# The course grew out of five texts and the papers behind them. Four of the five are in Chinese, and no two agree on their letters.
# This section is for reading with one of them open beside you; skip it until then, but do exercise 6.
#
# | number | text | covered by |
# |---|---|---|
# | 000 | 郑之杰 (Zheng Zhijie): *Tighter variational bounds are not necessarily better*, reading notes, 2022 | chapters 04, 05 |
# | 001 | 郑之杰 (Zheng Zhijie): *InfoVAE*, reading notes, 2020 | chapter 06 |
# | 002 | Artem Sobolev: *Importance weighted hierarchical variational inference*, blog post, 2019 (in English) | chapters 05, 07 |
# | 003 | a course page on the importance weighted autoencoder (IWAE) | chapter 03 |
# | 004 | CATSMILE-1032: 变分自编码器 *(variational autoencoder)*, notes, 2022 | chapters 01, 02 |
#
# A dash means that the text has no letter for it.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### The model and the guess
#
# | | ours | 000 | 001 | 002 | 003 | 004 | papers |
# |---|---|---|---|---|---|---|---|
# | data point | $x$ `[B, D]` | $x$; `input` in code | $x$, $x_i$ | $x$ | $x$ | $x$ | $x$ |
# | distribution of the data | $p_{\rm data}(x)$ | – | $p_{data}(x)$, later $p(x)$ | – | – | $p_{data}(x)$ | InfoVAE: $p_{\mathcal D}(x)$ |
# | latent variable | $z$ `[M, K, B, L]` | $z$, $z_i$, $z_{m,k}$ | $z$; encoder's sample $\tilde z$ | $z$, $z_m$ | $z$, $z_k$ | $z$ | IWAE: $h$ |
# | decoder's parameters | $\theta$ | $\theta$ | not written | $\theta$ | $\theta$ | index $r$ | $\theta$ |
# | encoder's parameters | $\phi$ | $\phi$ | not written | $\phi$ | $\phi$ | index $e$; as a parameter $m$ | $\phi$ |
# | prior | $p(z)$ | $p(z)$ | $p(z)$, $P_Z$ | inside $p_\theta(x, z)$ | $p(z)$ | $q(z)$, later $w(z)$ | $p_\theta(z)$, $p(z)$ |
# | likelihood, decoder | $p_\theta(x \mid z)$ | $p(x \mid z)$, $p_\theta(x \mid z)$ | $p(x \mid z)$ | $p_\theta(x \mid z)$ | $p_\theta(x \mid z)$ | $q_r(x \mid z)$ | $p_\theta(x \mid z)$ |
# | joint | $p_\theta(x, z)$ | $p(x, z)$ | – | $p_\theta(x, z)$ | $p_\theta(x, z)$ | $q(z)\,q_r(x \mid z)$, later $q(x, z)$ | IWAE: $p(x, h)$ |
# | approximate posterior, encoder | $q_\phi(z \mid x)$ | $q(z \mid x)$, $q_\phi(z \mid x)$ | $q(z \mid x)$, $N(\mu_i, \sigma_i^2)$ | $q_\phi(z \mid x)$ | $q_\phi(z \mid x)$ | $q_e(z \mid x)$ | IWAE: $q(h \mid x)$ |
# | true posterior | $p_\theta(z \mid x)$ | $p(z \mid x)$ | $p(z \mid x)$ | – | $p_\theta(z \mid x)$ | $q(z)\,q_r(x \mid z) / \int_z q(z)\,q_r(x \mid z)$ | $p_\theta(z \mid x)$ |
# | marginal likelihood | $p_\theta(x)$ | $p(x)$ | $p(x)$ | $p_\theta(x)$ | $p_\theta(x)$ | $p(x)$, $\sum_z w(z)\,q_r(x \mid z)$ | $p_\theta(x)$ |
# | aggregate posterior | $q(z)$ | – | $q(z)$, $Q_Z$ | $\frac1N \sum_n q_\phi(z \mid x_n)$ | – | – | InfoVAE: $q_\phi(z)$ |

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Weights, bounds, counts
#
# | | ours | 000 | 001 | 002 | 003 | 004 | papers |
# |---|---|---|---|---|---|---|---|
# | number of samples under one logarithm | $K$ | $k$, later $K$; `num_samples`, S in code | – | **$M$** (draws of $z$) | $K$ | – | IWAE: $k$; Kingma and Welling: $L$, without pooling |
# | number of independent estimates | $M$ | $M$; `num_estimates` | – | – | – | – | Rainforth: $M$ |
# | log-weight | $\log w$ `[M, K, B]` | written out | – | written out | $\log \tilde w_k$ | $\log \frac{q(z)\,q_r(x \mid z)}{q_e(z \mid x)}$ | IWAE: $\log w_i$ |
# | normalised weight | $\tilde w$, sums to 1 over $K$ | – | – | – | – | – | IWAE: $\tilde w_i$ |
# | ELBO | ELBO $= L_1$ | $\mathcal L_1$, $ELBO_{VAE}$ | ELBO | $\mathcal L$ | ELBO, $L_1(x)$ | ELBO; averaged over the data $L_{vae}$ | $\mathcal L$ |
# | importance-weighted bound | $L_K$ | $\mathcal L_k$, $ELBO_{IWAE}$ | – | $\mathcal L_K$ | $L_K(x)$ | – | IWAE: $\mathcal L_k$ |
# | mix of ELBO and IWAE | CIWAE, $\beta$ | $\beta$ | – | – | – | – | Rainforth: $\beta$ |
# | Kullback-Leibler divergence | $\mathrm{KL}(a \,\Vert\, b)$ | $KL(a \Vert b)$ and $KL[a \Vert b]$ | both too | KL | $KL(a \Vert b)$ | $D_{KL}(a \Vert b)$ | $D_{KL}$ |
# | signal-to-noise ratio of a gradient | SNR | $SNR(\theta)$, mean over $\sigma[\cdot]$ | – | in words | – | – | Rainforth: SNR |
# | baseline of a gradient | $c$ | – | – | – | – | $c$ | no common letter |
# | treated as a constant by the gradient | `.detach()` | – | – | – | – | $sg(\cdot)$ | in words |

# %% [markdown] slideshow={"slide_type": "skip"}
# ### InfoVAE and the hierarchical family
#
# | | ours | where it is from, and how it is written there |
# |---|---|---|
# | mutual information of $x$ and $z$ under the encoder | $I_q(x; z)$ | 001: $I(x, z)$; its joint distribution is $q(z, x)$ |
# | weights of the InfoVAE terms | $\alpha$, $\lambda$ | 001: $1-\alpha$ before the KL of the encoder, $\alpha+\lambda-1$ before the divergence of $q(z)$; in its code $\lambda$ is `reg_weight` |
# | a divergence of $q(z)$ from the prior | $D(q(z) \,\Vert\, p(z))$ | 001: $D(q(z) \Vert p(z))$, to be chosen |
# | squared maximum mean discrepancy | $\mathrm{MMD}^2$ | 001: $\text{MMD}_k(P_Z, Q_Z)$, the distance itself; what it prints below that is an *estimate of the square*, times $\lambda$ |
# | kernel, RBF | $\exp(-\lVert x-y\rVert^2 / (2\,\text{bandwidth}^2))$ | 001: $k$; $\exp(-\lVert x_1-x_2\rVert^2/\sigma)$, so its $\sigma$ is our $2\,\text{bandwidth}^2$ |
# | kernel, IMQ | $\text{scale} / (\text{scale} + \lVert x-y\rVert^2)$ | 001: $C/(C + \lVert x_1-x_2\rVert^2)$ |
# | auxiliary variable of a hierarchical $q$ | $\psi$ | 002: $\psi$; $q_\phi(z \mid x) = \int q_\phi(z, \psi \mid x)\,d\psi$ |
# | the draw of $\psi$ that made $z$ | $\psi_0$ | 002: $\psi_0 \sim q_\phi(\psi \mid z, x)$, free of charge |
# | auxiliary inverse model | $\tau(\psi \mid x, z)$, parameters $\eta$ | 002: $\tau_\eta(\psi \mid x, z)$ |
# | number of further draws of $\psi$ | $K$, in chapter 07 | 002: $K$; its mean runs over $K + 1$ terms, $k = 0, \dots, K$ |
# | upper bound of $\log q_\phi(z \mid x)$ | $U_K$ | 002: $\mathcal U_K$ |

# %% [markdown] slideshow={"slide_type": "slide"}
# ### The same letter, another meaning
#
# Look here first when a formula of another text makes no sense.
#
# | letter | here | elsewhere |
# |---|---|---|
# | $q(z)$ | the aggregate posterior, the encoder averaged over the data | 004: **the prior**. Its encoder is $q_e$, its decoder $q_r$, both with the letter $q$ |
# | $w$ | an importance weight | 004, second half: $w(z)$ is **the prior** |
# | $\tilde w$ | a normalised weight | 003: $\tilde w_k$ is the weight **before** normalising. (001: a tilde on $z$ marks the encoder's sample) |
# | $M$ | estimates outside the logarithm | 002: draws of $z$ **inside** the logarithm, our $K$. Kingma and Welling: the size of a minibatch |
# | $K$ | samples of $z$ | 002: draws of $\psi$ in an upper bound. 000 begins with $k$ and goes on with $K$ |
# | $k$ | an index, $1 \dots K$ | 000: how many samples. 001: the kernel. 004: a constant, where Jensen's inequality is an equality |
# | $L$ | $L_K$, a bound; as an axis, the latent dimensions | 004: $L_{vae}$, averaged over the data. Kingma and Welling: how many samples |
# | $p(x)$ | the model's probability of $x$ | 001, second half: **the data's** distribution |
# | $D$ | dimensions of the data | 000's code: dimensions of the latent. 001: a divergence, $D(\cdot \Vert \cdot)$ |
# | $B$ | the batch axis, last of three | 000's code: the batch axis, first of four, `[B x M x S x D]`. In its formula for SNR, a slip for the expectation |
# | $\beta$ | the share of the ELBO in CIWAE | 001's code: a factor before the reconstruction error. The $\beta$-VAE: a factor before the KL |
# | $\alpha$ | chapter 05: the order of VR-IWAE. Chapter 06: InfoVAE's $\alpha$ | 001: InfoVAE's $\alpha$ |
# | $\lambda$ | InfoVAE's $\lambda$ | 001: the same, first as a Lagrange multiplier; its code multiplies by it twice |
# | $\varepsilon$ | standard normal noise, $z = \mu + \sigma\varepsilon$ | 000's code: $(z-\mu)$ divided by the *logarithm of the variance*, which is a slip |
# | $\sigma$ | a standard deviation | 001: also the width of a kernel. 000: $\sigma[\cdot]$ is the standard deviation of a gradient |
# | $\theta$ | the decoder's parameters | 000, in $SNR(\theta)$: any parameters, the encoder's too |
# | $c$ | a baseline | 004, last third: the constant $-E_{p_{data}}[\log p_{data}(x)]$ |
# | $m$ | an index, $1 \dots M$ | 004: a parameter of the encoder |
# | MIWAE | the mean of $M$ bounds | Mattei and Frellsen's MIWAE is another method, for missing data |

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Words of the Chinese texts
#
# | 中文 | pinyin | English | text |
# |---|---|---|---|
# | 变分自编码器 | biànfēn zìbiānmǎqì | variational autoencoder | 000, 001, 003, 004 |
# | 变分下界 | biànfēn xiàjiè | variational lower bound | 000, 001 |
# | 证据下界 | zhèngjù xiàjiè | evidence lower bound (ELBO) | 000, 003 |
# | 对数边缘似然 | duìshù biānyuán sìrán | log marginal likelihood, $\log p(x)$ | 003 |
# | 边际概率 | biānjì gàilǜ | marginal probability | 004 |
# | 编码器, 解码器 | biānmǎqì, jiěmǎqì | encoder, decoder | 000, 001, 003, 004; 000, 003, 004 |
# | 推理网络, 推断网络 | tuīlǐ wǎngluò, tuīduàn wǎngluò | inference network (the encoder) | 000; 003 |
# | 生成网络, 生成模型 | shēngchéng wǎngluò, shēngchéng móxíng | generative network, model (the decoder) | 000; 003, 004 |
# | 隐变量, 潜在变量 | yǐnbiànliàng, qiánzài biànliàng | latent variable | 001, 004; 003 |
# | 观测变量 | guāncè biànliàng | observed variable, $x$ | 001 |
# | 先验 | xiānyàn | prior | 001, 003, 004 |
# | 近似后验, 变分后验 | jìnsì hòuyàn, biànfēn hòuyàn | approximate posterior, $q(z \mid x)$ | 001, 003; 004 |
# | 真实后验 | zhēnshí hòuyàn | true posterior, $p(z \mid x)$ | 001, 003, 004 |
# | 重要性采样 | zhòngyàoxìng cǎiyàng | importance sampling | 004 |
# | 重要性权重 | zhòngyàoxìng quánzhòng | importance weight, $w$ | 003 |
# | 未归一化的对数权重 | wèi guīyīhuà de duìshù quánzhòng | log-weight before normalising, $\log w$ | 003 |
# | 重要性加权自编码器 | zhòngyàoxìng jiāquán zìbiānmǎqì | importance weighted autoencoder (IWAE) | 000, 003 |
# | 对数和指数技巧 | duìshù hé zhǐshù jìqiǎo | log-sum-exp trick | 003 |
# | 重参数化 | chóng cānshùhuà | reparameterisation | 000, 003 |
# | 信噪比 | xìnzàobǐ | signal-to-noise ratio | 000 |
# | 凸组合 | tū zǔhé | convex combination | 000 |
# | 梯度, 方差 | tīdù, fāngchā | gradient, variance | 000, 003, 004; 003, 004 |
# | 支撑集, 覆盖率 | zhīchēngjí, fùgàilǜ | support, coverage | 004 |
# | 坍塌 | tāntā | collapse | 004 |
# | 互信息 | hùxìnxī | mutual information | 001 |
# | 散度 | sàndù | divergence | 001, 003, 004 |
# | 最大平均差异 | zuìdà píngjūn chāyì | maximum mean discrepancy (MMD) | 001 |
# | 正定核 | zhèngdìng hé | positive definite kernel | 001 |

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 8 · Another text's letters (easy, 3 minutes)
#
# No two texts agree on their letters. A page of notes on the variational autoencoder writes $q(z)$ for the **prior**, $q_r(x \mid z)$ for
# the decoder and $q_e(z \mid x)$ for the encoder. The quantity inside its logarithm is
#
# $$ \frac{q(z)\; q_r(x \mid z)}{q_e(z \mid x)}. $$
#
# You are given the logarithms of its three factors, each `[M, K, B]`: `log_q` for $q(z)$, `log_q_r` for $q_r(x \mid z)$ and `log_q_e` for
# $q_e(z \mid x)$. Return our `log_w`.
#
# <details><summary>Hint 1</summary>
#
# Which of the three is our prior, which our likelihood, and which our q(z | x)?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The logarithm of a product is a sum, and a factor below the line is subtracted.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def log_weights_of_004(log_q, log_q_r, log_q_e):
    # Your line here. Each: [M, K, B]. Return: [M, K, B].
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["00.passport"](log_weights_of_004)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def log_weights_of_004(log_q, log_q_r, log_q_e):
    return log_q + log_q_r - log_q_e  # prior + likelihood - encoder


verdict = checks.ALL["00.passport"](log_weights_of_004)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "skip"}
# ## When something does not run
#
# * **Read the check's message once more.** Then open the next hint.
# * **Run the cells again from the top**: *Kernel → Restart Kernel and Run All Cells*. A cell that was skipped is a common
#   cause of strange errors.
# * **Look at the solution** without regret, close it, and write it again from memory. In the notebooks of `make lab` the
#   exercise's card shows it, after a pass or when you give up. Those of `make teach` have it folded under the check.
# * **Ask the doctor** if a cell fails that you did not write. The next cell asks him a part of what
#   `python -m vaecourse doctor` asks in a terminal: it prints what you have, and whatever is missing with the command that
#   mends it. Two cores and one gigabyte of free memory are enough for every chapter; none needs a GPU or a network. Your
#   numbers may differ from the ones stored here.
#
# A paragraph that begins with a number of minutes in bold is a note for those who teach. The sentence under each lab says
# its values in words, and a screen reader reads it out.

# %% slideshow={"slide_type": "skip"} tags=["nbval-ignore-output"]
from vaecourse import doctor

looks = (doctor.python, doctor.packages, doctor.torch, doctor.images)
findings = [finding for look in looks for finding in look()]
for finding in findings:
    told = finding.what in ("torch", "device", "digits")
    if told or (finding.needed and finding.mend):
        print(finding)
print(len(findings), "things looked at.  More: python -m vaecourse doctor")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A map of the course
#
# Each chapter repairs something that the one before left open. The picture reads from top to bottom: on the left what a chapter
# gives you, on the right what is still wrong after it.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "Nine boxes from top to bottom, one for each chapter from 00 start here to 08 one budget. Beside each box stands what that chapter leaves open, and an arrow leads to the next."}}
STEPS = [
    ("00  start here", "log-weights, in nats", "why is the bound below, and by how much?"),
    ("01  ELBO", "one sample, one bound, a first VAE", "the gap is as large as q is wrong"),
    ("02  importance sampling", "weights without bias", "right for p(x), not yet for log p(x)"),
    ("03  IWAE", "K samples: the gap shrinks like 1/K", "the encoder's gradient drowns in noise"),
    ("04  tighter is not better", "MIWAE, CIWAE, PIWAE", "a compromise, not a cure"),
    ("05  better gradients", "sticking the landing, DReG, jackknife", "the code z may still carry nothing"),
    ("06  InfoVAE", "mutual information, MMD", "q is still one Gaussian"),
    ("07  hierarchical", "q with a hidden variable: IWHVI", "which of all these should I use?"),
    ("08  one budget", "all of them, for the same price", ""),
]
_, axes = plt.subplots(figsize=(9.8, 7.4))
for step, (title, gives, leaves) in enumerate(STEPS):
    y = -step
    axes.add_patch(plt.Rectangle((0, y - 0.33), 5.6, 0.66, linewidth=1.6, edgecolor=plots.IWAE, facecolor="#D6E8F5"))
    axes.text(0.15, y + 0.13, title, va="center", weight="bold", size=12.5)
    axes.text(0.15, y - 0.15, gives, va="center", size=11.5)
    if leaves:
        axes.text(6.2, y - 0.5, leaves, va="center", size=12, color="#A34700", style="italic")
        axes.annotate(
            "", (5.65, y - 0.9), (5.65, y - 0.1), arrowprops={"arrowstyle": "->", "color": "#A34700", "lw": 1.6,
                                                            "connectionstyle": "arc3,rad=-0.6"}
        )  # fmt: skip
axes.set(xlim=(-0.1, 11.4), ylim=(-8.5, 0.5))
axes.axis("off")
plt.show()

# %% [markdown] slideshow={"slide_type": "skip"}
# | chapter | it repairs | minutes, reading and doing | |
# |---|---|---|---|
# | 00 start here | | 25 + 30 | you are here |
# | [01 the ELBO](01-elbo.ipynb) | a score without a reason: why the bound lies below, and by how much | 50 + 50 | ready |
# | [02 importance sampling](02-importance-sampling.ipynb) | a bound whose weights we do not yet understand | 60 + 60 | ready |
# | [03 IWAE](03-iwae.ipynb) | the gap of the ELBO | 45 + 45 | ready |
# | [04 tighter is not better](04-tighter-is-not-better.ipynb) | the encoder's gradient, which drowns as $K$ grows | 45 + 45 | ready |
# | [05 better gradients](05-better-gradients.ipynb) | the compromise between encoder and decoder | 50 + 45 | ready |
# | [06 InfoVAE](06-infovae.ipynb) | a latent code that carries no information | 55 + 50 | ready |
# | [07 hierarchical](07-hierarchical.ipynb) | a guess $q$ that is only a Gaussian | 60 + 45 | ready |
# | [08 one budget](08-one-budget.ipynb) | the question which of all these to use | 40 + 50 | ready |

# %% [markdown] slideshow={"slide_type": "skip"} tags=["quiz"]
# ## Before you go on: three questions
#
# Choose an answer before you open one. Each says why it is right, or what leads to it.
#
# **1 ·** MIWAE is averaged over more groups: $M$ goes from 10 to 1000, and $K$ stays 8. What happens to its expected
# value?
#
# <details><summary>A · It rises towards log p(x)</summary>
#
# That is what a larger $K$ does. The groups are averaged *after* their logarithms, and an average has the mean of its
# terms, however many they are.
#
# </details>
#
# <details><summary>B · It stays as it is</summary>
#
# Right. Each group has the mean $L_8$, so their average has it too. Only its scatter falls, like $1/\sqrt M$.
#
# </details>
#
# <details><summary>C · It falls to the ELBO</summary>
#
# The ELBO takes a logarithm of every single weight. Here each logarithm still holds the mean of eight, whatever $M$
# is.
#
# </details>
#
# **2 ·** The exact $\log p(x)$ of a toy is known. A colleague's IWAE estimate from 28 draws lies above it. What
# follows?
#
# <details><summary>A · The code is wrong: a lower bound cannot lie above</summary>
#
# The bound is a statement about the *mean* over all draws. A single estimate is a random number, and it may land on
# either side.
#
# </details>
#
# <details><summary>B · The guess q must be the posterior</summary>
#
# With that $q$ every weight is $p(x)$, and the estimate would be exact: neither above nor below.
#
# </details>
#
# <details><summary>C · The sum was not divided by the number of draws</summary>
#
# This slip would lift the estimate, by $\log 28$. But luck lifts an estimate too, and one value cannot tell the two
# apart.
#
# </details>
#
# <details><summary>D · Nothing yet: look at many of them</summary>
#
# Right. Repeat it, and compare the mean with its standard error. If the mean lies above $\log p(x)$ by more than four
# of them, then something is wrong.
#
# </details>
#
# **3 ·** A test with 100 draws gives a z-score of 1. With 10 000 draws of the same code the z-score is 10. What do
# you believe?
#
# <details><summary>A · There is a small error, which the first test could not see</summary>
#
# Right. The error stays as it is and the standard error shrinks like $1/\sqrt N$. A hundred times the draws make ten
# times the z-score.
#
# </details>
#
# <details><summary>B · The first test showed that the code is right; the second was bad luck</summary>
#
# A small z-score does not prove that there is no error: it may be hidden in the noise. And nobody has bad luck of ten
# standard errors.
#
# </details>
#
# <details><summary>C · z-scores grow with N, so the alarm at 4 should grow as well</summary>
#
# Only the z-score of an *error* grows. Where nothing is wrong it keeps its ordinary size of 1 or 2 for every $N$.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What you take with you
#
# | | |
# |---|---|
# | the currency | `log_w[M, K, B]` $= \log p(z) + \log p(x \mid z) - \log q(z \mid x)$, in nats |
# | a bound | a reducer `[M, K, B] -> [B]`; what matters is where the logarithm stands |
# | the order | ELBO $\le$ MIWAE $\le$ IWAE on the same weights, and in the mean all three $\le \log p(x)$ |
# | log-mean-exp | `log_w.logsumexp(1) - log(K)`, never `exp` first |
# | luck or error | the z-score: a difference in units of its standard error, alarm beyond 4 |
# | a good test | $M \neq K \neq B$, and an exact answer beside the estimate |
#
# **What is still open.** We saw that the ELBO stays 0.609 below $\log p(x)$, and that this is exactly
# $\mathrm{KL}(q \,\Vert\, p(z \mid x))$. Why that? And how do you train a guess that is less wrong? [Chapter 01](01-elbo.ipynb) answers both.
#
# ### References
#
# * D. P. Kingma, M. Welling: *Auto-Encoding Variational Bayes*, 2013. arXiv [1312.6114](https://arxiv.org/abs/1312.6114)
# * Y. Burda, R. Grosse, R. Salakhutdinov: *Importance Weighted Autoencoders*, 2015. arXiv [1509.00519](https://arxiv.org/abs/1509.00519)
# * T. Rainforth, A. R. Kosiorek, T. A. Le, C. J. Maddison, M. Igl, F. Wood, Y. W. Teh: *Tighter Variational Bounds are Not Necessarily Better*, 2018. arXiv [1802.04537](https://arxiv.org/abs/1802.04537)
# * S. Zhao, J. Song, S. Ermon: *InfoVAE: Information Maximizing Variational Autoencoders*, 2017. arXiv [1706.02262](https://arxiv.org/abs/1706.02262)
# * A. Sobolev, D. Vetrov: *Importance Weighted Hierarchical Variational Inference*, 2019. arXiv [1905.03290](https://arxiv.org/abs/1905.03290)
# * M. E. Tipping, C. M. Bishop: *Probabilistic Principal Component Analysis*, 1999, the reference model in one dimension. doi [10.1111/1467-9868.00196](https://doi.org/10.1111/1467-9868.00196)
# * P.-A. Mattei, J. Frellsen: *MIWAE: Deep Generative Modelling and Imputation of Incomplete Data Sets*, 2018, the other MIWAE. arXiv [1812.02633](https://arxiv.org/abs/1812.02633)
