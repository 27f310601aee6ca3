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
# **Reading 40 minutes, doing 50 minutes.**

# %% [markdown] slideshow={"slide_type": "skip"}
# ## How to use these pages
#
# | you want to | do this |
# |---|---|
# | run a cell | click into it, then <kbd>Shift</kbd>+<kbd>Enter</kbd>; from top to bottom, for each cell uses the ones above |
# | move a lab | drag a slider, or <kbd>Tab</kbd> to it and use the arrow keys; the buttons beside or under it set up a situation |
# | do an exercise | write your answer in place of the dots, run that cell, then run the check under it |
# | get a hint | on the exercise's card, *Hint 1*; then the next one |
#
# A check knows the usual mistakes of its exercise, some of them from well-known code, and tells you which one you made.
# Try a wrong answer on purpose: that shows what a check can see. What else you may want to do with these pages stands before the map.

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
# **Your prediction:** how many guesses close nine tenths of that gap? The lab asks before it lets you drag (*Skip*, or
# Escape, passes over it). Then drag $K$, and watch the distance from the blue dot, the **bound**, to the black dashed
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
# slip between the two axes leaves every shape and every expected value as it was. Exercise 7 is such a slip.

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
# The bounds of chapters 00 to 06 reduce `[M, K, B]` to `[B]`, one number for each data point. (Those of chapter 07 take the $K$ draws of
# another variable and the one that made $z$: `[K + 1, ...]`.) The three that you need now differ in one thing only, **where the logarithm stands**:
#
# $$
# \mathrm{ELBO} = \frac1{MK}\sum_{m,k} \log w_{mk}, \qquad
# \mathrm{MIWAE} = \frac1M \sum_m \log \frac1K \sum_k w_{mk}, \qquad
# \mathrm{IWAE} = \log \frac1{MK}\sum_{m,k} w_{mk}.
# $$
#
# Mean of the logs (*evidence lower bound*); log of the mean in each estimate; log of the mean of all (named after the
# *importance-weighted autoencoder*). The mean of the middle one over all draws is called $L_K$: the lab's blue dot. It is
# the same for every $M$, and $L_1$ is the mean of the first. (By these names people mean the estimate, from some draws, and its mean alike.
# The *bound* is the mean.)

# %% slideshow={"slide_type": "fragment"}
# The package's; what stands inside them you write yourself, in exercise 4.
elbo, miwae, iwae = bounds.elbo(log_w), bounds.miwae(log_w), bounds.iwae(log_w)  # [B]
# Exact: x is a sum of two Gaussians, with the variances 1.5^2 and 0.7.
log_p = Normal(0.0, math.sqrt(2.95)).log_prob(points)  # [B]

print("            x =" + "".join(f"{value:8.1f}" for value in points))
rows = {"ELBO": elbo, "MIWAE": miwae, "IWAE": iwae, "exact log p(x)": log_p}
for name, values in rows.items():
    print(f"{name:>15}" + "".join(f"{value:8.3f}" for value in values))
assert (elbo <= miwae).all() and (miwae <= iwae).all()
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
# The mean of the two weights is 5. Only one of the two estimates takes its logarithm; for the other, log 1 is 0.
#
# </details>

# %% slideshow={"slide_type": "skip"} tags=["stub"]
difference = ...  # a number, in nats

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["00.two_weights"](difference)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
difference = math.log(5) - (math.log(1) + math.log(9)) / 2  # log 5 - log 3

verdict = checks.ALL["00.two_weights"](difference)
assert verdict.passed
verdict

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
two = torch.tensor([1.0, 9.0], dtype=torch.float64).log().reshape(1, 2, 1)  # exercise 2, [M, K, B]
assert round((bounds.iwae(two) - bounds.elbo(two)).item(), 3) == 0.511

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Jensen's inequality, by hand
#
# The grey curve is $\log w$. Some draws have the weight 1, the others a heavier one; the straight line between their two
# points is a **chord**. Over the mean weight the curve has the log of the mean (dot), the chord the mean of the logs
# (square). **Guess:** when do they lie furthest apart, with a few heavy draws among many light ones, half and half, or
# with a few light ones among many heavy? Then drag the share. Is there a setting at which the square lies above the dot?

# %% slideshow={"slide_type": "fragment"} mystnb={"image": {"alt": "The lab at half and half, a few heavy and a few light draws of the weights 1 and 9: over their mean the logarithm lies 0.511, 0.368 and 0.127 nats above the chord between the two points."}}
labs.ALL["00.chord"]()

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Explain.** A few heavy ones cost more: one in ten loses $0.368$ nats, nine in ten $0.127$. One in three loses most. The
# square is never above the dot: the curve bends down everywhere, so a chord lies under it. They meet where nothing varies.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
lost = lambda share: math.log(1 + 8 * share) - share * math.log(9)
assert [round(lost(share), 3) for share in (0.1, 0.5, 0.9)] == [0.368, 0.511, 0.127]
assert max(range(1, 100), key=lambda percent: lost(percent / 100)) == 33

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What the weights look like
#
# The reference model at $x = 1.3$. On the left: the posterior (black, dashed), and the guess $q$. On the right: $\log w$ for
# every $z$, thick where nearly all draws of $q$ fall; its mean there is the ELBO. In the reference, a draw from the right
# scores far too low, and drags the mean down. **Guess:** what becomes of the curve when $q$ has the right width and the
# wrong place? When it is too narrow? When it is the posterior?

# %% slideshow={"slide_type": "fragment"} mystnb={"image": {"alt": "Three states of the lab. With the reference q, wider than the posterior and to its right, log w bends down and falls to minus seven nats and lower on the right. With a q half as wide it bends up without end. With the posterior it is the flat line log p(x)."}}
labs.ALL["00.flat"]()

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Explain.** A straight line, a cup, a flat line. Flat is what one wants: every draw then scores $\log p(x)$, and one guess
# would do. A cup has no highest point: the best scores lie far out, where a narrow $q$ seldom goes. Chapter 02 lives on that.

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
posterior = model.posterior(x)
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
# dimension*, $-\log p(x) / (D \log 2)$ with $D$ the number of pixels, so smaller is better there. For whole numbers, such as pixels, it is
# the length of a code; for a density, as here, only another unit.
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
assert torch.allclose(log_mean_exp(log_w).mean(0), miwae)  # of the three data points above
assert torch.allclose(log_mean_exp(log_w.reshape(1, M * K, B))[0], iwae) and torch.allclose(log_w.mean((0, 1)), elbo)
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
# A z-score of 1 or 2 is an ordinary day. Beyond 4 (one time in sixteen thousand, where the mean is about normal; chapter 02 shows weights for
# which it is not) we do not believe in bad luck. Claims about a mean in these notebooks and tests are judged like this, with a fixed
# seed. Where a cell has another margin, it is half of the last digit that the text prints, or what the text itself claims ("within a tenth of a
# nat"), or what the cell gives a reason for, such as an optimiser that stops early.
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
print(f"mean of w {w.mean():.4f} +- {error:.4f}   exact {p:.4f}   z-score {z_of_w:.1f}")
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
# deviation 0.6. How many draws must be averaged until an error of this size makes a z-score of 4, on average?
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
assert math.isclose(0.05 / (0.6 / math.sqrt(draws)), 4)  # the mean of the z-score; it scatters by 1 around it

verdict = checks.ALL["00.how_many_draws"](draws)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 7 · Spot the bug (medium, 8 minutes)
#
# A colleague keeps the batch first: the log-weights come as `[B, M, K]`. The function below should give MIWAE, `[B]`: one
# logarithm for each estimate, then the mean of the $M$. The colleague tested it at $M = K = 5$, by a z-score, and it passed.
# With $M = 1$ and $K = 50$ something is badly wrong. Run the next cell and look. Then write the function so that it is right.
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
# number itself. So: the ELBO.) Then: *which test would have caught it?* The same z-score with $M \neq K$ and enough draws,
# or one that compares both functions on the same weights, even at $M = K$. It weakens the training of the encoder and
# leaves every shape correct.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Their letters and ours
#
# The course grew out of five texts and the papers behind them, and no two agree on their letters. When you read one of them beside
# these pages, look a symbol up in the appendix at the end of this page: it says what the symbol is here. One exercise shows why that is
# worth a minute.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 8 · Their letters, our log-weight (easy, 3 minutes)
#
# Text 004 writes the quantity inside its logarithm as
#
# $$ \frac{q(z)\; q_r(x \mid z)}{q_e(z \mid x)}. $$
#
# You are given the logarithms of its three factors, each `[M, K, B]`: `log_q` for $q(z)$, `log_q_r` for $q_r(x \mid z)$ and `log_q_e` for
# $q_e(z \mid x)$. Return our `log_w`. In the appendix at the end of this page a field takes their symbol and says which is ours.
#
# <details><summary>Hint 1</summary>
#
# Type q(z) into the appendix's field. Which of the rows is text 004's, and what does it call so?
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# In text 004 $q(z)$ is the prior, $q_r(x \mid z)$ the decoder and $q_e(z \mid x)$ the encoder. The logarithm of a product is a sum,
# and that of a quotient a difference.
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
# ## More about these pages
#
# | you want to | do this |
# |---|---|
# | see the solution | it is shown when your answer passes, or when you give up. The whole chapters, which `make teach` opens, have it in the folded cell under the check: click on the bar at its left |
# | begin an exercise again | in a terminal, `.venv/bin/python -m tools.edition again 00.shape`; a chapter, `again 00`. What was there is kept |
# | see what you have solved | the line at the top of each chapter, or, in a terminal in the course's folder, `.venv/bin/python -m vaecourse progress`. It is noted in `learn/progress.json`, which goes nowhere and which JupyterLab's list leaves out. You may delete it: `rm learn/progress.json` |
# | go to another chapter or section | the line at the top and the end of each page; the table of contents, the icon of a list in JupyterLab's left column |
# | read a teaching note | `make teach`: it begins with a number of minutes in bold, and is for those who teach |
# | understand a letter of another text | the appendix at the end of this page |
# | hear what a picture says | the sentence under each lab says its values in words; a screen reader reads it out |
#
# **When something does not run.** Read the check's message once more, and open the next hint. Then run the cells again from the
# top (*Kernel → Restart Kernel and Run All Cells*): a cell that was skipped is a common cause of strange errors. After that, look
# at the solution without regret, close it, and write it again from memory. Where a lab or a card says that no kernel is behind it,
# or *Error displaying widget*, it was made by a kernel that has ended: run its cell again, and it is as before.
#
# If a cell fails that you did not write, ask the doctor. The next cell asks him a part of what
# `.venv/bin/python -m vaecourse doctor` asks in a terminal: it prints what you have, and whatever is missing with the command that
# mends it. Two cores and one gigabyte of free memory are enough for each chapter; none needs a GPU or a network. Your
# numbers may differ from the ones stored here.

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
# Each chapter repairs something that the one before left open. In the picture, from top to bottom: on the left what a
# chapter gives you, on the right what is still wrong after it.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "Nine boxes from top to bottom, one for each chapter from 00 start here to 08 one budget. Beside each box stands what that chapter leaves open, and an arrow leads to the next."}}
STEPS = [
    ("00  start here", "log-weights, in nats", "why is the bound below, and by how much?"),
    ("01  ELBO", "one sample, one bound, a first VAE", "the gap is as large as q is wrong"),
    ("02  importance sampling", "weights without bias", "right for p(x), not yet for log p(x)"),
    ("03  IWAE", "K samples, and a gap that shrinks", "the encoder's gradient drowns in noise"),
    ("04  tighter is not better", "MIWAE, CIWAE, PIWAE", "a compromise, not a cure"),
    ("05  better gradients", "sticking the landing, DReG, jackknife", "the code z may still carry nothing"),
    ("06  InfoVAE", "mutual information, MMD", "q is still one Gaussian"),
    ("07  hierarchical", "q with a hidden variable: IWHVI", "which of all these should I use?"),
    ("08  one budget", "all of them, for the same price", ""),
]
_, axes = plt.subplots(figsize=(9.8, 7.4))
plots.ladder(axes, STEPS)
plt.show()

# %% [markdown] slideshow={"slide_type": "skip"}
# | chapter | it repairs | minutes, reading and doing |
# |---|---|---|
# | 00 start here | you are here: what a bound is, and how these pages work | 40 + 50 |
# | [01 the ELBO](01-elbo.ipynb) | a score without a reason: why the bound lies below, and by how much | 40 + 40, then 35 + 30 |
# | [02 importance sampling](02-importance-sampling.ipynb) | a bound whose weights we do not yet understand | 45 + 45, then 50 + 50 |
# | [03 IWAE](03-iwae.ipynb) | the gap of the ELBO | 45 + 45, then 40 + 20 |
# | [04 tighter is not better](04-tighter-is-not-better.ipynb) | the encoder's gradient, which drowns as $K$ grows | 50 + 25, then 40 + 35 |
# | [05 better gradients](05-better-gradients.ipynb) | the compromise between encoder and decoder | 50 + 50, then 65 + 35 |
# | [06 InfoVAE](06-infovae.ipynb) | a latent code that carries no information | 50 + 30, then 40 + 30, then 40 + 20 |
# | [07 hierarchical](07-hierarchical.ipynb) | a guess $q$ that is only a Gaussian | 55 + 40, then 65 + 25 |
# | [08 one budget](08-one-budget.ipynb) | the question which of all these to use | 35 + 15, then 50 + 35 |

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
# | a bound | a reducer of log-weights, here `[M, K, B] -> [B]`; what matters is where the logarithm stands |
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
# The papers whose letters stand in the appendix, and the one that has the reference model.
#
# * D. P. Kingma, M. Welling: *Auto-Encoding Variational Bayes*, 2013. [arXiv 1312.6114](https://arxiv.org/abs/1312.6114)
# * Y. Burda, R. Grosse, R. Salakhutdinov: *Importance Weighted Autoencoders*, 2015. [arXiv 1509.00519](https://arxiv.org/abs/1509.00519)
# * T. Rainforth, A. R. Kosiorek, T. A. Le, C. J. Maddison, M. Igl, F. Wood, Y. W. Teh: *Tighter Variational Bounds are Not Necessarily Better*, 2018. [arXiv 1802.04537](https://arxiv.org/abs/1802.04537)
# * S. Zhao, J. Song, S. Ermon: *InfoVAE: Information Maximizing Variational Autoencoders*, 2017. [arXiv 1706.02262](https://arxiv.org/abs/1706.02262)
# * A. Sobolev, D. Vetrov: *Importance Weighted Hierarchical Variational Inference*, 2019. [arXiv 1905.03290](https://arxiv.org/abs/1905.03290)
# * M. E. Tipping, C. M. Bishop: *Probabilistic Principal Component Analysis*, 1999, the reference model in one dimension. [doi 10.1111/1467-9868.00196](https://doi.org/10.1111/1467-9868.00196)
# * P.-A. Mattei, J. Frellsen: *MIWAE: Deep Generative Modelling and Imputation of Incomplete Data Sets*, 2018, the other MIWAE. [arXiv 1812.02633](https://arxiv.org/abs/1812.02633)

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Appendix: their symbol, ours
#
# The course's notation passport. Four of the five texts are in Chinese. Type a symbol of theirs, or a word: ψ may be typed as psi, a
# formula as it looks, `q(z|x)`, and Chinese as it is or in pinyin.
#
# | number | text | covered by |
# |---|---|---|
# | 000 | 郑之杰 (Zheng Zhijie): *Tighter variational bounds are not necessarily better*, reading notes, 2022 | chapters 04, 05 |
# | 001 | 郑之杰 (Zheng Zhijie): *InfoVAE*, reading notes, 2020 | chapter 06 |
# | 002 | Artem Sobolev: *Importance weighted hierarchical variational inference*, blog post, 2019 (in English) | chapters 05, 07 |
# | 003 | a course page on the importance weighted autoencoder (IWAE) | chapter 03 |
# | 004 | CATSMILE-1032: 变分自编码器 *(variational autoencoder)*, notes, 2022 | chapters 01, 02 |

# %% slideshow={"slide_type": "skip"}
from vaecourse import symbols

symbols.search()
