# %% [markdown] slideshow={"slide_type": "slide"}
# # Hierarchical inference: an encoder without a density
#
# When you leave this page you will be able to
#
# * **build** a posterior of almost any shape from noise and a network, and **say** which number it then withholds;
# * **write** the one bound $U_K$ that contains three methods with long names (HVM, SIVI, IWHVI), **prove** it in three lines and **recognise** its special cases;
# * **predict** from one number, the gap at $K = 0$, how many samples a bound needs, and **tell** when more samples cannot help;
# * **measure** what a learned inverse model buys, on a law in 50 dimensions and on digits;
# * **choose** between an upper and a lower bound for the same mixture, as a posterior and as a prior.
#
# You need chapters 01 to 05, and above all two things from them: log-weights, and the sandwich $L_K \le \log p(x) \le U_K$ of chapter 05. From
# chapter 06 comes the mutual information, in question 2 below and twice on the page, and exercise 9 counts what the bug of its exercise 3 makes. Without 06, leave these out.
#
# **Part 1: reading 55 minutes, doing 40 minutes. Part 2: reading 65 minutes, doing 25 minutes.** That counts what is marked *may wait*; skip it on a first reading.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **Teaching this chapter: 90 minutes.** 10 prediction and lab, 10 the sampler and its missing number, 15 the bound, its three cases and the proof on the
# board, 10 exercises 2 and 4, 15 the Laplace law with exercise 5, 10 M-IWHVI with exercise 7, 10 the posteriors in two dimensions with the second lab, 10 when
# SIVI is the right tool. Short of time: leave out the gradient of tau, the jackknife and the digits. Never leave out
# the three lines of the proof, nor *psi_0 is free*.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
import math
import time
from functools import partial

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.distributions import Exponential, LogNormal, MultivariateNormal, Normal
from tqdm import tqdm

from vaecourse import bounds, checks, data, evaluate, exact, hierarchical, labs, objectives, plots, recorded, train
from vaecourse.hierarchical.vae import HierarchicalVAE
from vaecourse.models import VAE, mlp
from vaecourse.priors import VampPrior, mixture_log_prob

plots.use_style()

# %% [markdown] slideshow={"slide_type": "skip"} tags=["recall"]
# ## Before you begin: two questions from before
#
# Choose an answer before you open one.
#
# **1 · (from 05)** $K$ samples of $q$ give $K$ weights. You put one more weight among them, that of a sample of the exact posterior. Where does the logarithm of their mean lie, on average?
#
# <details><summary>A · Below log p(x), as every logarithm of a mean weight does</summary>
#
# Jensen says so where all samples come from $q$. This one comes from the posterior, where weights are larger.
#
# </details>
#
# <details><summary>B · Not below log p(x)</summary>
#
# Right. It is the upper bound $U_K$ of chapter 05, the other half of the sandwich.
#
# </details>
#
# <details><summary>C · Exactly at log p(x), for the posterior has no gap</summary>
#
# A sample of the posterior is not a $q$ that *equals* the posterior. The weight is still $p(x, z) / q(z \mid x)$, and it varies.
#
# </details>
#
# **2 · (from 06)** A VAE has a rate of $5$ nats, and its codes together are exactly the prior, $q(z) = p(z)$. How many nats does $z$ tell about $x$?
#
# <details><summary>A · 5</summary>
#
# Right. The rate is information plus $KL(q(z) \Vert p(z))$, and the second part is 0 here.
#
# </details>
#
# <details><summary>B · 0, for codes that look like the prior tell nothing</summary>
#
# *Together* they look like it. Each one may still sit at a place of its own: that is what the 5 nats are paid for.
#
# </details>
#
# <details><summary>C · Less than 5: a part of the rate is always wasted</summary>
#
# What is wasted is the mismatch of all codes together, and it is 0 here.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Predict, drag, explain
#
# A law $q(z)$ is made in two steps: nature draws a hidden $\psi$ from its prior $q(\psi)$, then $z$ from $q(z \mid \psi)$. You may *sample* it as often
# as you like. What you want is its log-density, $\log q(z)$, and that is an integral over $\psi$. So you *guess*: $K$ draws of $\psi$ from a law
# $\tau(\psi \mid z)$ of your choice. Out of them come two bounds, $U_K$ above $\log q(z)$ and $L_K$ below, both on average over the draws.
#
# The lab shows them: left both means against $K$, right single draws of them, and above those $\tau$ beside the prior and the posterior $q(\psi \mid z)$.
# The exact $\log q(z)$ is dashed; these laws were chosen so that it is known.
#
# **Your predictions.** The lab asks the second half of 1:
#
# 1. $\tau$ ignores $z$: it is the prior. In *one* dimension, how many guesses bring the upper bound within a tenth of a nat? And in
#    *fifty*: does $K = 1000$ do?
# 2. Now $\tau$ has learned for 60 steps to look at $z$. In fifty dimensions, with *no* guess at all, is it better or worse than the prior with a thousand?
# 3. $\tau$ is exactly right. How many guesses then?
#
# ($K = 0$ is allowed: the upper bound has one $\psi$ that comes free. Which one, you will see below.)

# %% slideshow={"slide_type": "subslide"} mystnb={"image": {"alt": "The lab in three states. SIVI in 5 dimensions with K = 50: both bounds are still about a nat from the exact line. IWHVI after 30 steps of learning, K = 50: both are a tenth of a nat away. SIVI in 50 dimensions with K = 1000: the upper bound is 33 nats above, the lower 63 below."}}
labs.ALL["07.bounds"]()

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **10 minutes.** Start in one dimension with tau the prior, drag K. Then the dimension. Ask now: *what would you rather have, ten times the samples or a tau
# that has seen z?* Then the learned tau, then the exact one. Leave the question open why fifty dimensions are so bad: the answer is exercise 4.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Explain.** At the lab's $z$, one standard deviation out in every dimension: (1) In one dimension $K = 8$ is enough. In fifty, $K = 1000$ leaves the bound $33.3$ nats above; it began at $40.2$. (2) Better by far: $4.3$ nats above with no guess, and $1.1$ with
# fifty. (3) None. Every single draw is exact. **One free sample and a $\tau$ that looks at $z$ are worth more than a thousand guesses that do not**, and this chapter says why.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# The numbers above, exact, as the lab draws them: z_d is one standard deviation, the square root of 5.
def above(K, dim, slope, std):
    """E[U_K] - log q(z) for tau = N(slope z, std^2), in nats."""
    return exact.Ratio.of(exact.MeanMixture(dim), 5**0.5, slope, std).law().upper(K).item()


prior, learned = (exact.learning_path(exact.MeanMixture(1), steps)[-1] for steps in (0, 60))
assert above(8, 1, *prior) < 0.1 < above(7, 1, *prior)
assert [round(above(K, 50, *prior), 1) for K in (0, 1000)] == [40.2, 33.3]
assert [round(above(K, 50, *learned), 1) for K in (0, 50)] == [4.3, 1.1]
many = exact.MeanMixture(50)
z = torch.full((1, 50), 5**0.5, dtype=torch.float64)
psi = many.sample_posterior(z, 40, torch.Generator().manual_seed(0))  # tau is exact: every single ratio is q(z)
ratios = many.log_mixing(psi) + many.log_conditional(z, psi) - many.log_posterior(psi, z) - many.log_prob(z)
assert ratios.abs().max() < 1e-6

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A sampler of any shape, and the number it withholds
#
# So far $q(z \mid x)$ was a Gaussian, and the ELBO's gap is $KL(q \,\|\, p(z \mid x))$. A posterior that is bent, or has two modes, is out of reach, and a
# model that climbs the bound avoids having such posteriors. There are two ways out.
#
# * **More samples of $z$.** With them $L_K$ closes the gap for almost any $q$. But each one costs a pass through the decoder, to all the pixels of $x$.
# * **A better $q$.** Feed noise through a network. (Until further notice $x$ is fixed, and $q(z)$ is short for $q(z \mid x)$.)
#
# $$ \psi \sim q(\psi), \qquad z \mid \psi \sim q(z \mid \psi) = \mathcal N(\mu(\psi), \sigma^2 I), \qquad q(z) = \int q(z \mid \psi)\, q(\psi)\, d\psi . $$
#
# The network $\mu$ says where a Gaussian of width $\sigma$ stands, and $q(z)$ is the mixture of infinitely many of them: a **neural sampler**. Here is one, untrained:

# %% slideshow={"slide_type": "fragment"} mystnb={"image": {"alt": "Two scatter plots. Left, the noise psi, a round cloud. Right, what a small untrained network makes of it: a folded, bent cloud that no Gaussian could have made."}}
torch.manual_seed(3)
network = nn.Sequential(nn.Linear(2, 30), nn.Tanh(), nn.Linear(30, 2))
with torch.no_grad():
    network[0].weight.mul_(3), network[2].weight.mul_(4)
    psi = torch.randn(2000, 2)
    z = network(psi) + 0.05 * torch.randn(2000, 2)
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4))
left.scatter(*psi.T, s=4, color=plots.PRIOR), left.set_title("noise ψ", fontsize=12)
right.scatter(*z.T, s=4, color=plots.Q), right.set_title("z = μ(ψ) + σ ε", fontsize=12)
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# Left the noise, right what the network makes of it. Sampling is two lines. But the ELBO wants
#
# $$ \mathrm{ELBO} = \mathbb E_{q(z)}\left[ \log p(x, z) - \log q(z) \right] , $$
#
# and $\log q(z)$ is the logarithm of an integral. **A lower bound of the ELBO needs an upper bound of $\log q(z)$.** A *lower* bound of $\log q(z)$ we know
# well how to make. It would push the "ELBO" up, beyond the truth. For a sampler like this one a good upper bound was missing for a while. (The trick was there, for another number: bidirectional Monte Carlo, 2015, brackets $\log p(x)$ from above with the $z$ of a simulated $x$.)
#
# **Of any shape?** Networks are *universal approximators*. With noise of as many dimensions as $z$ there is a network whose $z$ is as near as you like to a given law, in the Wasserstein
# distance or in MMD (Lu and Lu 2020, under conditions on the two laws); in the first its size may grow exponentially with the dimension. There *is* one: whether training finds it, and whether
# the KL is small, is not said. With fewer dimensions of noise all $z$ lie near a surface. Put $z = (\psi, 0)$, with one $\psi \sim \mathcal N(0, 1)$, under $\sigma = 0.01$: its $KL(q \,\|\, p)$ from $p = \mathcal N(0, I)$ is $4.1$ nats, and grows like $-\log \sigma$.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# z = (psi, 0) + 0.01 noise is a product of two Gaussians; its KL from N(0, I), and what a tenth of sigma adds.
flat = [sum(0.5 * (v - 1 - math.log(v)) for v in (1 + sigma**2, sigma**2)) for sigma in (0.01, 0.001)]
assert round(flat[0], 1) == 4.1 and abs(flat[1] - flat[0] - math.log(10)) < 1e-3 and round(math.log2(10**6)) == 20

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The sample that comes free
#
# Write $q(z, \psi) = q(\psi)\, q(z \mid \psi)$ and read $q(z) = \int q(z, \psi)\, d\psi$ as an *evidence*: $z$ is the data, $\psi$ the latent. Then all of
# chapters 01 to 05 applies one floor down. The **inverse model** $\tau(\psi \mid z)$, which guesses at the $\psi$ behind a $z$, plays the encoder, and the inner weight is
#
# $$ r(\psi) = \frac{q(z, \psi)}{\tau(\psi \mid z)}, \qquad \mathbb E_{\tau}[r] = q(z) . $$
#
# (The second needs $\tau(\psi \mid z) > 0$ wherever $q(z, \psi) > 0$. A $\tau$ that is zero where the posterior is not loses that part of the integral, and then $L_K$ does not arrive.)
#
# The **lower** bound is the $L_K$ that we know: $\log q(z) \ge \mathbb E_\tau \log \frac1K \sum_{k=1}^{K} r(\psi_k)$.
#
# The **upper** bound of chapter 05 needs one sample of the posterior $q(\psi \mid z)$. For data from the world nobody has one. Here we do: **we made $z$ ourselves, from a
# $\psi_0$ that we know.** A pair drawn as $\psi_0 \sim q(\psi)$, $z \sim q(z \mid \psi_0)$ is as good as one drawn as $z \sim q(z)$, $\psi_0 \sim q(\psi \mid z)$, for both have
# the density $q(z, \psi_0)$. So
#
# $$ \boxed{\; U_K = \mathbb E_{\psi_0 \sim q(\psi | z)}\, \mathbb E_{\psi_{1:K} \sim \tau(\psi | z)}\; \log \frac{1}{K+1} \sum_{k=0}^{K} \frac{q(z, \psi_k)}{\tau(\psi_k \mid z)} \;\ge\; \log q(z) \;} $$
#
# and the sample $\psi_0$ costs nothing. That it is a bound will be proved in a moment.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "subslide"} tags=["hide-input"] mystnb={"image": {"alt": "Four boxes from left to right. Dashed arrows of drawing lead from x to psi_0, from psi_0 to z, and from x to z. A plain arrow leads from z to the decoder's log p(x, z). A dotted arrow bends back from z to the guesses psi_1 to psi_K above psi_0: tau looks at z."}}
_, ax = plt.subplots(figsize=(9, 2.8))
free, guessed = "$\\psi_0$", "$\\psi_1, \\ldots, \\psi_K$"
places = {"x": (0, 0), free: (1.6, 0.7), "z": (3.2, 0), "log p(x, z)": (5.2, 0), guessed: (1.6, 1.6)}
drawn = [("x", free), (free, "z"), ("x", "z")]
plots.graph(ax, places, [("z", "log p(x, z)")], dashed=drawn, back=[("z", guessed)])
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# Who looks at whom. Dashed, the way a sample is made: $\psi_0$, then $z$ (both may look at $x$). The decoder sees $z$ once. Dotted, $\tau$ goes back from $z$ to guesses at what made it; $\psi_0$ is there already.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 1 · Where the free sample comes from (pen and paper, easy, 4 minutes)
#
# A reader does not believe the box. He takes $\tau = q(\psi)$ and argues:
#
# * **A** $\ \psi_0$ was drawn from $q(\psi)$, before there was a $z$.
# * **B** $\ $ So, given $z$, $\psi_0$ is a draw of $q(\psi)$, as $\psi_1, \dots, \psi_K$ are.
# * **C** $\ $ With $\tau = q(\psi)$ every ratio is $q(z, \psi_k) / \tau(\psi_k \mid z) = q(z \mid \psi_k)$.
# * **D** $\ $ If all $K + 1$ are draws of $\tau$, the mean of the ratios has expectation $q(z)$, and its logarithm lies *below* $\log q(z)$ on average.
#
# "So $U_K$ is a lower bound", he says. Which is the first step that does not hold?
#
# <details><summary>Hint 1</summary>Think of a psi that decides nearly everything about z. You see the z. Could the psi that made it still be anything?</details>
#
# <details><summary>Hint 2</summary>Ask of each step whether it speaks of psi_0 before z is known or after, and whether the paragraph above the box allows that.</details>

# %% slideshow={"slide_type": "skip"} tags=["stub"]
wrong_step = ...  # a letter, "A" to "D"

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["07.free_sample"](wrong_step)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
wrong_step = "B"
verdict = checks.ALL["07.free_sample"](wrong_step)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "subslide"}
# **In code.** Our test bench is a law whose integral is known (second number: the variance): $\psi \sim \mathcal N(0, 4)$, $z \mid \psi \sim \mathcal N(\psi, 1)$, so
# $q(z) = \mathcal N(0, 5)$ and $q(\psi \mid z) = \mathcal N(0.8\,z,\ 0.8)$. In the code $z$ has $L$ dimensions and $\psi$ has $P$; here both are 1.


# %% slideshow={"slide_type": "subslide"}
law = exact.MeanMixture(1, spread=2.0, noise=1.0)


def log_ratios(tau, z, psi_0, K, generator):
    """log r of psi_0, which made z, and of K guesses: [B, L], [B, P] -> [K + 1, B]."""
    psi = torch.cat([psi_0[None], tau.sample(z, K, generator)])  # [K + 1, B, P]
    log_joint = law.log_mixing(psi) + law.log_conditional(z, psi)  # log q(z, psi_k)
    return log_joint - tau.log_prob(psi, z)


generator = torch.Generator().manual_seed(0)
z, psi_0 = law.sample(7, generator)  # psi_0 made z
tau = hierarchical.LinearInverse(slope=0.6, std=1.1)  # looks at z, is not quite right
log_r = log_ratios(tau, z, psi_0, K=5, generator=generator).detach()  # [6, 7]
print("log q(z):", [round(v, 2) for v in law.log_prob(z).tolist()])
print("one U_5: ", [round(v, 2) for v in (log_r.logsumexp(0) - math.log(6)).tolist()])

# %% [markdown] slideshow={"slide_type": "fragment"}
# Seven $z$, the truth and one estimate for each. A single estimate may lie on either side; the bound $U_K$ is its mean. (The lab says *single $U_K$* and $E[U_K]$.)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 2 · The bound (easy, 3 minutes)
#
# Write $U_K$ (without the expectations) as a function: log-ratios `[K + 1, B]` to `[B]`. Log-ratios near $-800$ must not break it.
#
# You wrote a log-mean-exp in chapter 00. What is new is which draws stand on the axis, and how many they are.
#
# <details><summary>Hint 1</summary>It is the log of a mean over axis 0. How many ratios stand on that axis?</details>
#
# <details><summary>Hint 2</summary><code>logsumexp(0)</code> is the log of their sum. A mean divides by how many there are: <code>len(log_ratio)</code>, which is K + 1.</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def upper_bound(log_ratio):
    # Your line here: [K + 1, B] -> [B]
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["07.upper_bound"](upper_bound)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def upper_bound(log_ratio):
    return log_ratio.logsumexp(0) - math.log(len(log_ratio))


verdict = checks.ALL["07.upper_bound"](upper_bound)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One bound, three names
#
# $U_K$ has two free choices, $\tau$ and $K$. Three corners of it were found one after the other.
#
# | choice | multisample? | variational? | $U_K$ becomes | name |
# |---|---|---|---|---|
# | $K = 0$, any $\tau$ | no | yes | $\mathbb E_{\psi_0} \left[ \log q(z, \psi_0) - \log \tau(\psi_0 \mid z) \right]$ | HVM, hierarchical variational models (Ranganath et al. 2016) |
# | $\tau = q(\psi)$, any $K$ | yes | no | $\mathbb E \log \frac{1}{K+1} \sum_{k} q(z \mid \psi_k)$: the prior cancels | SIVI, semi-implicit variational inference (Yin and Zhou 2018) |
# | $\tau = q(\psi \mid z)$ | either | – | $\log q(z)$, exactly, for every draw | – |
# | any $\tau$, any $K$ | yes | yes | all of the above | IWHVI (Sobolev and Vetrov 2019) |
#
# *Multisample*: there are $K > 0$ guesses beside $\psi_0$. *Variational*: $\tau$ has parameters, and is fitted to the posterior. The authors call $U_K$ the **multisample variational upper bound**, and $L_K$, the bound of
# chapter 03, the **multisample variational lower bound**.
#
# * **HVM** has one sample and a learned $\tau$. Put $q(z, \psi_0) = q(z)\, q(\psi_0 \mid z)$ into the first row: its gap is $KL(q(\psi \mid z) \,\|\, \tau)$. Training
#   closes it from both ends. $\tau$ learns, and the sampler gets *simple* so that $\tau$ can follow. One could make $\tau$ itself a hierarchical law,
#   and would be back where we started.
# * **SIVI** has many samples, but they are *uninformed*: drawn before anyone looked at the $z$ that they are to explain. Take $\psi_0$ away and SIVI's upper bound
#   becomes the lower bound $L_K$ with the same $\tau$. One sample makes the difference.
# * **IWHVI** (importance-weighted hierarchical variational inference) has both cures, and each relieves the other: with more samples $\tau$ may stay simple without pressing on $q$.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 3 · A gap by hand (pen and paper, medium, 5 minutes)
#
# Let $\psi$ be $0$ or $1$, half of the time each. At our $z$ the densities are $q(z \mid \psi = 0) = 0.8$ and $q(z \mid \psi = 1) = 0.2$. $\tau$ is the prior, and $K = 0$. By how many nats does $U_0$ lie above $\log q(z)$?
#
# With natural logarithms $\log 0.8 = -0.223$, $\log 0.5 = -0.693$, $\log 0.2 = -1.609$.
#
# <details><summary>Hint 1</summary>What is q(z)? And with what probability was it psi = 0 that made this z?</details>
#
# <details><summary>Hint 2</summary>q(z) is 0.5, and q(psi | z) is 0.8 and 0.2, by Bayes. U_0 is the mean of log q(z | psi_0) over q(psi | z): two terms.</details>

# %% slideshow={"slide_type": "skip"} tags=["stub"]
gap_of_u_0 = ...  # a number of nats, to three digits

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["07.gap_by_hand"](gap_of_u_0)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
gap_of_u_0 = 0.8 * math.log(0.8) + 0.2 * math.log(0.2) - math.log(0.5)
verdict = checks.ALL["07.gap_by_hand"](gap_of_u_0)
assert verdict.passed
verdict

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# The same by the exact law of the two ratios.
two_values = exact.WeightLaw(torch.tensor([0.8, 0.2]).double().log(), torch.tensor([0.5, 0.5]).double())
assert math.isclose(two_values.upper(0).item() - math.log(0.5), gap_of_u_0, abs_tol=1e-6)

# %% [markdown] slideshow={"slide_type": "subslide"}
# Now the exact means at the test bench's $z = 3$, beside sampled ones.

# %% slideshow={"slide_type": "subslide"}
taus = {
    "SIVI: the prior": hierarchical.LinearInverse(slope=0.0, std=2.0),
    "IWHVI: a rough tau": hierarchical.LinearInverse(slope=0.6, std=1.1),
    "the posterior": hierarchical.LinearInverse(slope=law.slope, std=law.std),
}
eps = torch.linspace(-9, 9, 401, dtype=torch.float64)  # a grid, and its mass below
mass = Normal(0, 1).log_prob(eps).exp() * (eps[1] - eps[0])


# %% slideshow={"slide_type": "fragment"}
def weight_law(z, tau):
    """The law of r under tau, on a grid of psi: with it, exact means of U_K and L_K."""
    slope, std = tau.slope.item(), tau.log_std.exp().item()
    psi = (slope * z + std * eps)[:, None]  # [401, 1]
    log_tau = Normal(0, 1).log_prob(eps) - math.log(std)
    here = torch.tensor([[z]], dtype=torch.float64)
    joint = law.log_mixing(psi) + law.log_conditional(here, psi)
    return exact.WeightLaw(joint - log_tau, mass)


def z_score(samples, truth):
    """(mean - truth) in standard errors, for independent samples."""
    samples = samples.double()
    return ((samples.mean() - truth) / samples.std() * len(samples) ** 0.5).item()

# %% slideshow={"slide_type": "subslide"}
at, noise = torch.full((40_000, 1), 3.0), torch.Generator().manual_seed(1)
truth = law.log_prob(at[:1]).item()  # at holds 40 000 times the same z
print("      U_K - log q(z):     exact     drawn")
for name, tau in taus.items():
    for K in (0, 1, 8):
        psi_0 = law.sample_posterior(at, 1, noise)[0]  # at our z: of q(psi | z)
        log_r = hierarchical.log_ratios(law, tau, at, psi_0, K, noise).detach()
        drawn = upper_bound(log_r) - truth
        gap, found = weight_law(3.0, tau).upper(K).item() - truth, drawn.mean().item()
        error = drawn.std().item() / 40_000**0.5
        print(f"{name:>18} K = {K} {abs(gap):8.4f}", end="")
        print(f"  {round(found, 4) + 0:8.4f} ± {error:.4f}")
        assert abs(found - gap) < 4 * error + 1e-5 and gap > -1e-5
assert drawn.abs().max() < 1e-5  # the last tau is the posterior: every draw is exact

# %% [markdown] slideshow={"slide_type": "fragment"}
# Every sampled mean agrees with its exact value within four standard errors. More samples close the gap; a better $\tau$ closes more of it; with the exact $\tau$ there is none, and no noise either.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The proof, in three lines
#
# Fix $z$, and write $r_k$ for $r(\psi_k)$. Let $\tau^{K+1}$ be the law of $K + 1$ guesses $\psi_0, \dots, \psi_K$. Let $P$ be this other law of them: pick one of the $K + 1$ places
# by a fair die, fill it from the posterior $q(\psi \mid z)$ and the others from $\tau$. (A law and its density share a letter.)
#
# 1. The density of $P$ is $\displaystyle \frac{1}{K+1} \sum_k q(\psi_k \mid z) \prod_{j \ne k} \tau(\psi_j \mid z) = \tau^{K+1}\, \frac{\frac{1}{K+1} \sum_k r_k}{q(z)}$, because $q(\psi \mid z) = \tau\, r / q(z)$.
# 2. So $\displaystyle \log \frac{1}{K+1} \sum_k r_k = \log q(z) + \log \frac{P}{\tau^{K+1}}$ for any $\psi_{0:K}$.
# 3. Take means of line 2, once under $P$ and once under $\tau^{K+1}$:
#
# $$ U_K = \log q(z) + KL\left( P \,\|\, \tau^{K+1} \right), \qquad L_{K+1} = \log q(z) - KL\left( \tau^{K+1} \,\|\, P \right) . $$
#
# A KL is never negative, so one is above and the other below. (That $\psi_0$ has a fixed place in $U_K$ and a random one in $P$ makes no difference: the logarithm is of a sum, and a sum knows no places.)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **What comes with it.**
#
# * **It holds for every $z$**, not only on average over $z$.
# * **It falls with $K$.** Write $R_K = P / \tau^{K+1}$, the mean of $K + 1$ ratios divided by $q(z)$. Then $U_K - \log q(z) = \mathbb E_\tau[R_K \log R_K]$. Now $R_{K+1}$ is the average of $K + 2$ different $R_K$,
#   each of which leaves one ratio out. The function $R \log R$ is convex, so by Jensen $\mathbb E_\tau[R_{K+1} \log R_{K+1}] \le \mathbb E_\tau[R_K \log R_K]$.
# * **It arrives**: $R_K \to 1$ as $K \to \infty$, if the ratios are not too wild.
#
# Yin and Zhou had shown of SIVI only that it arrives. That it is a bound for every finite $K$ was shown by Molchanov et al. (2019), and for every $\tau$ by Sobolev and Vetrov.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Closing in.** Exact $U_K$ and $L_K$ at every $z$. **Predict**: where are they far apart, near $z = 0$ or far out? And which of two bounds with one guess is nearer to $\log q(z)$, the upper or the lower?

# %% slideshow={"slide_type": "subslide"} mystnb={"image": {"alt": "The lab in three states with K = 8. Left, exact U_K and L_K over z, minus log q(z): the upper bound lies above zero for every z, the lower below; far apart at the edges if tau is the prior, close if tau looks at z, no distance to be seen if it is nearly the posterior. Right, at z = 3, both against K close in on zero."}}
labs.ALL["07.close"]()

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Explain.** $U_K$ is above zero for **every** $z$, $L_K$ below. With the prior as $\tau$ the gaps open far out: the few $\psi$ that could have made such a $z$ are rare among uninformed guesses. At $z = 3$ and $K = 1$ the upper bound is $0.68$ nats off, the lower
# $4.80$: one sample that fits, the free $\psi_0$, is most of it. With a $\tau$ that looks at $z$, even a rough one, the gaps hardly open: $0.019$ and $0.022$ nats at $K = 8$.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
uninformed_at, rough_at = (weight_law(3.0, taus[name]) for name in ("SIVI: the prior", "IWHVI: a rough tau"))
exact_q = law.log_prob(at[:1].double()).item()
off = lambda of, K: (of.upper(K).item() - exact_q, exact_q - of.lower(K).item())
assert [round(gap, 2) for gap in off(uninformed_at, 1)] == [0.68, 4.80]
assert [round(gap, 3) for gap in off(rough_at, 8)] == [0.019, 0.022]
for name in ("SIVI: the prior", "IWHVI: a rough tau"):
    sides = [(weight_law(v, taus[name]), law.log_prob(torch.tensor([[v]]).double())) for v in (-7.0, -2.0, 0.0, 5.0)]
    assert all(w.upper(K) > log_q > w.lower(K) for w, log_q in sides for K in (1, 8))

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **15 minutes** for the table and the proof. Ask now, before line 3: *which of the two means is the upper bound, and how can one see it without computing?* (Under P the sum contains a sample that
# fits.) The die in the definition of P is the whole trick; it comes back in M-IWHVI.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## How fast: $\chi^2 / (2(K+1))$
#
# Chapter 03's law, one floor down. Let $\chi^2 = \mathrm{Var}_\tau[r] / q(z)^2$, the chi-square divergence of $q(\psi \mid z)$ from $\tau$. Where $r$ has a finite third moment, and for $L_K$ no mass too near zero (a finite mean of some power $r^{-a}$, $a > 0$),
#
# $$ U_K - \log q(z) = + \frac{\chi^2}{2(K+1)} + O(K^{-2}), \qquad L_K - \log q(z) = - \frac{\chi^2}{2K} + O(K^{-2}) . $$
#
# The signs are opposite, and up to $O(K^{-2})$ the sizes agree. So the **midpoint** $\frac12(U_K + L_K)$ has no $1/K$ term. It is an estimate, not a bound.
#
# With a finite $\chi^2$ alone the first term stands, and the rest falls more slowly. For ratios with the density of a Pareto law of index $2.5$, which has $\chi^2 = 0.8$ and no third moment, it falls like $K^{-1.5}$ on both sides; with index $8$ like $K^{-2}$.

# %% slideshow={"slide_type": "fragment"}
tau, z_3 = taus["IWHVI: a rough tau"], torch.full((1, 1), 3.0, dtype=torch.float64)
chi_squared = law.chi_squared(z_3, slope=0.6, std=1.1).item()
print("         U_K above   of the law   L_K below   of the law   midpoint")
for K in (1, 4, 16, 64, 256):
    over = weight_law(3.0, tau).upper(K).item() - truth
    under = truth - weight_law(3.0, tau).lower(K).item()
    shares = over * 2 * (K + 1) / chi_squared, under * 2 * K / chi_squared
    print(f"K = {K:3} {over:10.5f} {shares[0]:12.3f}", end="")
    print(f" {under:11.5f} {shares[1]:12.3f} {(over - under) / 2:+10.6f}")
    psi_0 = law.sample_posterior(at, 1, noise)[0]
    drawn = hierarchical.curve(law, tau, at, psi_0, [K], noise).upper[0]  # 50 at a time
    assert abs(z_score(drawn, truth + over)) < 4
assert all(0 < v - 1 < 0.01 for v in shares) and abs(over - under) / 2 < 0.01 * min(over, under)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
def rest_slopes(index):
    """By which power of K what is left behind the first term falls, for Pareto ratios: below and above, exact."""
    t = torch.linspace(0, 80, 40_001, dtype=torch.float64)  # minus the log of a uniform number, whose density is e^-t
    mass = (-t).exp()
    mass[0] /= 2  # the end of a trapezoid
    mass = mass / mass.sum()
    pareto, mean = exact.WeightLaw(t / index, mass), (mass * (t / index).exp()).sum().log().item()
    chi = 1 / (index * (index - 2))
    rest = lambda K: (
        pareto.lower(K).item() - mean + chi / (2 * K),
        pareto.upper(K).item() - mean - chi / (2 * K + 2),
    )
    return [math.log2(abs(two / one)) for one, two in zip(rest(256), rest(512))]


assert all(-1.5 < slope < -1.4 for slope in rest_slopes(2.5)) and 1 / (2.5 * 0.5) == 0.8
assert all(-2.05 < slope < -1.95 for slope in rest_slopes(8.0))

# %% [markdown] slideshow={"slide_type": "fragment"}
# *Of the law*: the exact gap divided by $\chi^2/(2(K+1))$ or $\chi^2/(2K)$. It tends to 1 for both bounds, and at $K = 256$ the midpoint is more than a hundred times closer than either.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **That was the end of the curve.** Its *beginning* decides what a bound is worth, and there another law rules. One ratio of the $K + 1$ is $r_0$, and the sum of positive numbers is at least one of them:
#
# $$ \log \frac{1}{K+1} \sum_k r_k \;\ge\; \log \frac{r_0}{K+1} \qquad\Rightarrow\qquad U_0 - U_K \;\le\; \log (K + 1) . $$
#
# **$K$ guesses close at most $\log(K+1)$ nats.** How many are to be closed? $U_0$ starts $KL(q(\psi \mid z) \,\|\, \tau)$ above $\log q(z)$. For SIVI this is, on average over $z$, the mutual information of $z$ and $\psi$.
# The more $\psi$ decides about $z$, the more samples it takes: *exponentially* many. And a sampler with small $\sigma$, which can take any shape, is one whose $\psi$ decides nearly everything.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 4 · How many samples, at least? (easy, 4 minutes)
#
# $U_0$ lies `gap` nats above $\log q(z)$. At most `left` nats may remain. Return the smallest whole $K$ for which $\log(K+1)$ allows that.
#
# <details><summary>Hint 1</summary>What is the smallest K + 1 with gap - left ≤ log(K + 1)?</details>
#
# <details><summary>Hint 2</summary>K + 1 must be at least exp(gap - left). Solve for K, and round up with <code>math.ceil</code>.</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def how_many(gap, left):
    # Your line here: two numbers -> a whole number
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["07.how_many"](how_many)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def how_many(gap, left):
    return math.ceil(math.exp(gap - left) - 1)


verdict = checks.ALL["07.how_many"](how_many)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 5 · Spot the bug: the sample that was not used (medium, 6 minutes)
#
# A training script draws $z$ from $q(z \mid \psi_0)$, then estimates $\log q(z)$ by $K$ fresh draws of $q(\psi)$. It is given `log_joint` $= \log p(x, z)$ `[B]`, `log_q_own` $= \log q(z \mid \psi_0)$ `[B]` and
# `log_q_fresh` $= \log q(z \mid \psi_k)$ `[K, B]`, and it reports an ELBO `[B]` that is too good to be true. Mend it. Until you have an answer, leave the first line as it is.
#
# <details><summary>Hint 1</summary>Which argument is never used?</details>
#
# <details><summary>Hint 2</summary>It belongs under the logarithm, beside the others: <code>torch.cat</code>, once it has an axis for k. Over how many is the mean then?</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def semi_implicit_elbo(log_joint, log_q_own, log_q_fresh):  # [B], [B], [K, B]
    return None  # take this line away when you have mended the rest
    log_q = log_q_fresh.logsumexp(0) - math.log(len(log_q_fresh))
    return log_joint - log_q


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["07.spot_psi_0"](semi_implicit_elbo)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def semi_implicit_elbo(log_joint, log_q_own, log_q_fresh):
    together = torch.cat([log_q_own[None], log_q_fresh])  # [K + 1, B]
    log_q = together.logsumexp(0) - math.log(len(together))
    return log_joint - log_q


verdict = checks.ALL["07.spot_psi_0"](semi_implicit_elbo)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "subslide"}
# **What the bug is worth.** Let the target be $q(z)$ itself, so the true ELBO is exactly 0 and no honest lower bound can be positive. Both versions, $K$ fresh samples each:

# %% slideshow={"slide_type": "fragment"}
z, psi_0 = law.sample(20_000, torch.Generator().manual_seed(2))
target, own = law.log_prob(z), law.log_conditional(z, psi_0)  # log p(x, z) := log q(z)
print("true ELBO 0")
for K in (1, 4, 16):
    psi = law.sample_mixing((K, 20_000), torch.Generator().manual_seed(K))
    fresh = law.log_conditional(z, psi)  # [K, B]
    dropped = target - (fresh.logsumexp(0) - math.log(K))
    kept = semi_implicit_elbo(target, own, fresh)
    print(f"K = {K:2}   psi_0 dropped {dropped.mean():+.3f}   kept {kept.mean():+.3f}")
    assert z_score(dropped, 0.0) > 8 and z_score(kept, 0.0) < -8
    assert K == 16 or abs(dropped.mean() - {1: 3.2, 4: 0.55}[K]) < 0.05

# %% [markdown] slideshow={"slide_type": "fragment"}
# Without $\psi_0$ the report is $3.2$ nats above the truth at $K = 1$, half a nat at $K = 4$, and still above at $K = 16$, and an optimiser will gladly *widen* that error. With $\psi_0$ it is below, as a bound should be.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Fifty dimensions: the Laplace law
#
# The paper's test. The Laplace law is a Gaussian whose *variance* is drawn from an exponential law:
#
# $$ \prod_{d=1}^{50} \tfrac12 e^{-|z_d|} = \int \prod_{d=1}^{50} \mathcal N(z_d;\ 0,\ \psi_d)\ \mathrm{Exp}(\psi_d;\ \tfrac12)\ d\psi . $$
#
# The task is to bound $\mathbb E \log q(z)$ from above. The exact value is $-50\,(1 + \log 2) = -84.657$. Two readings of the formula are wrong, and both are easily coded: $\psi_d$ is a variance, not a
# standard deviation; and $\tfrac12$ is a *rate*, so the mean of $\psi_d$ is 2, not a half.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 6 · Spot the bug: two readings of one line (medium, 5 minutes)
#
# The function should return $\log q(z, \psi) = \log q(\psi) + \log q(z \mid \psi)$ of this law: `[..., 50], [..., 50]` to `[...]`. Mend it.
#
# <details><summary>Hint 1</summary>What do the arguments of <code>Exponential</code> and of <code>Normal</code> mean? A test: over many draws of the true law, the variance of z is 2.</details>
#
# <details><summary>Hint 2</summary><code>Exponential</code> takes the rate, one divided by the mean. <code>Normal</code> takes a standard deviation, and psi is a variance.</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def log_joint_of_laplace(z, psi):
    return None  # take this line away when you have mended the rest
    log_prior = Exponential(2.0).log_prob(psi)
    log_conditional = Normal(0.0, psi).log_prob(z)
    return (log_prior + log_conditional).sum(-1)


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["07.spot_rate"](log_joint_of_laplace)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def log_joint_of_laplace(z, psi):
    log_prior = Exponential(0.5).log_prob(psi)
    log_conditional = Normal(0.0, psi.sqrt()).log_prob(z)
    return (log_prior + log_conditional).sum(-1)


verdict = checks.ALL["07.spot_rate"](log_joint_of_laplace)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "subslide"}
# **SIVI first.** $\tau$ is the prior. To see the gap with little noise, average $U_K - \log q(z)$ over many $z$, and add the exact mean.

# %% slideshow={"slide_type": "fragment"}
laplace = exact.LaplaceMixture(50)
Ks, mean_log_q = [0, 1, 5, 10, 25, 50, 100, 1000], -laplace.entropy()


def gaps_of(tau, n, seed):
    """U_K - log q(z) at n draws of z, for every K: [J, n]."""
    z, psi_0 = laplace.sample(n, torch.Generator().manual_seed(seed))
    guesses = torch.Generator().manual_seed(seed + 1)
    upper = hierarchical.curve(laplace, tau, z, psi_0, Ks, guesses).upper
    return upper - laplace.log_prob(z)


# %% slideshow={"slide_type": "fragment"}
uninformed = gaps_of(hierarchical.MixingPrior(laplace), 2000, seed=10)
print(f"exact E log q = {mean_log_q:.3f}")
for K, gap in zip(Ks, uninformed):
    closed = (uninformed[0] - gap).mean()
    bound, error = mean_log_q + gap.mean(), gap.std() / 2000**0.5
    print(f"K = {K:4}   SIVI {bound:.2f} ± {error:.2f}", end="")
    print(f"   closed {closed:.2f}, at most log(K + 1) = {math.log(K + 1):.2f}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# It begins $10.8$ nats above, the mutual information of $z$ and $\psi$. A thousand samples close $6.7$ nats of it, nearly all that $\log 1001 = 6.9$ allows, and four are left. To come within *one* nat takes, by exercise 4, at
# the very least $18\,000$ samples. SIVI is not wrong here. It is uninformed.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# The numbers above. E log psi = log 2 - Euler's gamma gives U_0 of SIVI exactly; the reference values are an
# independent program's.
euler = 0.5772156649015329
start = -25 * (math.log(2 * math.pi) + 1 + math.log(2) - euler)
information = start - mean_log_q
assert abs(z_score(uninformed[0], information)) < 4 and round(information, 1) == 10.8 and round(start, 2) == -73.85
assert 18_000 < how_many(information, 1.0) < 18_500
reference = [-73.85, -74.52, -75.63, -76.22, -77.14, -77.77, -78.41, -80.53]
for gap, value in zip(uninformed, reference):
    assert abs(mean_log_q + gap.mean() - value) < 4 * ((gap.std() / 2000**0.5) ** 2 + 0.06**2) ** 0.5
closed = (uninformed[0] - uninformed[-1]).mean()
assert round(closed.item(), 1) == 6.7 and 3.9 < uninformed[-1].mean() < 4.4 and round(math.log(1001), 1) == 6.9
assert (uninformed[0] - uninformed).amax() <= math.log(1001) + 1e-3  # the law of the beginning holds for every draw

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Now $\tau$ learns.** The dimensions are independent, so the posterior is a product, and $\tau(\psi_d \mid z_d)$ needs to see $z_d$ alone: one tiny network serves all fifty dimensions. We let $\log \psi_d$ be Gaussian, with mean $a$ and standard deviation $b$ from the network: a log-normal law, reparameterised.
# (The posterior depends on $|z_d|$ alone, so that is what the network sees.)


# %% slideshow={"slide_type": "fragment"}
class LearnedTau(nn.Module):
    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(
            nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 2)
        )  # log psi_d: N(a, b²)

    def law(self, z):
        a, log_b = self.network(z.abs().unsqueeze(-1)).unbind(-1)
        return LogNormal(a, log_b.exp())

    def sample(self, z, K, generator=None):  # [B, 50] -> [K, B, 50]
        law, eps = self.law(z), torch.randn(K, *z.shape, generator=generator)
        return (law.loc + law.scale * eps).exp()

    def log_prob(self, psi, z):
        return self.law(z).log_prob(psi).sum(-1)


# %% slideshow={"slide_type": "fragment"}
def learn(tau, steps, K=5, seed=0):
    """Let tau descend U_K: fresh (z, psi_0) from the law at every step."""
    optimiser = torch.optim.Adam(tau.parameters(), lr=0.01)
    generator = torch.Generator().manual_seed(seed)
    for _ in tqdm(range(steps), leave=False):
        z, psi_0 = laplace.sample(100, generator)
        log_r = hierarchical.log_ratios(laplace, tau, z, psi_0, K, generator)
        loss = upper_bound(log_r).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return tau


# %% [markdown] slideshow={"slide_type": "fragment"}
# Three hundred steps and three measurements: a few seconds.

# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
torch.manual_seed(0)
learned = LearnedTau()
gap_after = {0: gaps_of(learned, 500, seed=20)}
gap_after[30] = gaps_of(learn(learned, 30), 500, seed=20)
gap_after[300] = gaps_of(learn(learned, 270, seed=1), 500, seed=20)
at_50 = Ks.index(50)
for name, gap in {"SIVI": uninformed, **gap_after}.items():
    named = name if name == "SIVI" else f"tau after {name} steps"
    start, later = gap[0].mean(), gap[at_50].mean()
    print(f"{named:>19}: gap {start:6.2f} at K = 0, {later:6.3f} at K = 50")

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "subslide"} tags=["hide-input", "nbval-ignore-output"] mystnb={"image": {"alt": "Gap of the upper bound against K plus one on logarithmic axes. SIVI falls from 10.8 to 4 nats over a thousand samples. The learned tau after 300 steps starts at about one nat with no sample at all and falls to a hundredth; after 30 steps it lies between."}}
for name, gap, color in (
    ("SIVI", uninformed, plots.PRIOR),
    ("IWHVI, 30 steps", gap_after[30], plots.MIWAE),
    ("IWHVI, 300 steps", gap_after[300], plots.IWAE),
):
    error = gap.std(1) / gap.shape[1] ** 0.5
    plt.errorbar([K + 1 for K in Ks], gap.mean(1), 2 * error, fmt="o-", color=color, label=name)
plt.loglog(), plt.xlabel("K + 1"), plt.ylabel("$U_K$ − log q(z), nats"), plt.legend()
plt.show()

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
error = lambda gap: (gap.std() / len(gap) ** 0.5).item()
assert gap_after[300][0].mean() < 1.6 < uninformed[-1].mean() - 4 * error(uninformed[-1])  # K = 0 beats SIVI's K = 1000
assert gap_after[300][at_50].mean() < 0.02 * uninformed[at_50].mean()
assert gap_after[300][-1].mean() > -4 * error(gap_after[300][-1])
assert gap_after[0][0].mean() > uninformed[0].mean() > gap_after[30][0].mean() > gap_after[300][0].mean()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The gap against the number of ratios, both on logarithmic axes; the bars are two standard errors. After 300 steps (a few seconds) the learned $\tau$ with **no** extra sample is closer than SIVI with a thousand.
# With $K = 50$ it removes more than 98% of the gap that SIVI has left at $K = 50$. An untrained $\tau$ is worse than the prior: "learned" has to be earned.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **The paper's figure, remade.** A recorded result, by `python -m vaecourse reproduce laplace_steps`, with several lengths of training, several seeds, and both bounds. Its $\tau$ is a Gamma law. What the network says about
# shape and rate is multiplied by a *gate* that begins at 0, so that $\tau$ begins as the prior: zero steps are SIVI.

# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
record = recorded.load("laplace_steps")
lengths = sorted({run["steps"] for run in record["runs"]})


def recorded_bound(steps, K, side="upper"):
    """Mean over the seeds and its standard error, from the draws and from the seeds."""
    of_steps = [run["points"] for run in record["runs"] if run["steps"] == steps]
    points = [p for found in of_steps for p in found if p["K"] == K and side in p]
    values = torch.tensor([p[side] for p in points], dtype=torch.float64)
    errors = torch.tensor([p[f"{side}_error"] for p in points], dtype=torch.float64)
    between = values.var() if len(values) > 1 else values.new_zeros(())
    error = max(errors.square().mean(), between).div(len(values)).sqrt()
    return values.mean().item(), error.item()


# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
for steps in lengths:
    cells = [recorded_bound(steps, K) for K in (0, 10, 50, 1000)]
    said = "  ".join(f"{mean:8.2f} ± {error:.2f}" for mean, error in cells)
    print(f"{steps:5} steps, K = 0, 10, 50, 1000:", said)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "Bounds on the expected log-density against K, for several lengths of training. SIVI's upper bound stays nats above the exact -84.66 up to K = 1000. Each longer training starts lower and reaches the exact line at a smaller K. The lower bounds come up from below in the same order."}}
Ks_recorded = [p["K"] for p in record["runs"][0]["points"]]
fig, (whole, near) = plt.subplots(1, 2, figsize=(10.5, 4.2))
for i, steps in enumerate(lengths):
    color = plots.PRIOR if steps == 0 else plt.cm.viridis(0.9 - 0.85 * i / len(lengths))
    for ax, side in ((ax, side) for ax in (whole, near) for side in ("upper", "lower")):
        ks = [K for K in Ks_recorded if side == "upper" or K >= 5]
        middle, error = (torch.tensor(column) for column in zip(*(recorded_bound(steps, K, side) for K in ks)))
        name = ("SIVI" if steps == 0 else f"{steps} steps") if side == "upper" else None
        stroke = "-" if side == "upper" else ":"
        plots.band(ax, [K + 1 for K in ks], middle, 2 * error, stroke, color=color, label=name)
for ax, limits in ((whole, (-92, -67)), (near, (-85.4, -83.0))):
    plots.exact_line(ax, record["settings"]["exact"], "exact"), ax.set(xscale="log", ylim=limits, xlabel="K + 1")
whole.set_ylabel("bound on E log q, nats"), whole.legend(fontsize=10, ncols=2)
near.set_title("the same, nearer", fontsize=12)
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# Solid the upper bounds, dotted the lower ones, bands of two standard errors; on the right the same, nearer. Grey is SIVI. **How much of SIVI's gap goes?** At $K = 50$ a hundred steps remove 98% of it, a thousand 99%; at $K = 1000$ nothing is left that one could see. And without any
# extra sample ($K = 0$) a hundred steps bring $\tau$ more than two nats closer than SIVI is with a thousand. From there on longer training gains little: the Gamma law is not the posterior, and what it cannot be, samples must do.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# The record against the exact value, against this page's own run of SIVI, and the shares quoted above.
exact_mean = record["settings"]["exact"]
assert abs(exact_mean - mean_log_q) < 1e-4
for K, gap in zip(Ks, uninformed):
    mean, error = recorded_bound(0, K)
    assert abs(mean_log_q + gap.mean() - mean) < 4 * math.hypot(error, gap.std() / 2000**0.5)
for steps in lengths:
    for K in Ks:
        mean, error = recorded_bound(steps, K)
        assert mean > exact_mean - 4 * error
removed = lambda steps, K: 1 - (recorded_bound(steps, K)[0] - exact_mean) / (recorded_bound(0, K)[0] - exact_mean)
assert 0.975 < removed(100, 50) < 0.99 and 0.985 < removed(1000, 50) < 0.995 and removed(100, 1000) > 0.99
assert recorded_bound(100, 0)[0] < recorded_bound(0, 1000)[0] - 2
assert 0 < recorded_bound(300, 0)[0] - recorded_bound(3000, 0)[0] < 0.25

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **15 minutes.** Ask now, before the learned tau: *the posterior of psi_d depends on z_d alone. What would you put into the network, all fifty numbers or one?* A network that sees all fifty (the paper's, as far as we know; unchecked) has to learn that forty-nine of them do not matter. Structure that one knows need not be learned.

# %% [markdown] slideshow={"slide_type": "skip"} tags=["pause"]
# **A natural pause.** Part 1 ends here: you have a bound for a density that nobody can write down, and you know when samples close its gap and when only a better $\tau$ does. Part 2 puts it into the ELBO and into a VAE, asks what it costs, and where SIVI is still the right tool.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## M samples outside, K inside: M-IWHVI
#
# **A question for this part; guess before you read.** There are $M$ samples of $z$, and $K$ guesses at the $\psi$ of each. Which of the two has to grow for the bound to reach $\log p(x)$: $M$, $K$, or both?
#
# Put $U_K$ into the ELBO. With $q(z \mid x)$ again,
#
# $$ \mathrm{IWHVI}_K = \mathbb E \left[ \log p(x, z) - \log \frac{1}{K+1} \sum_{k=0}^K \frac{q(z, \psi_k \mid x)}{\tau(\psi_k \mid z, x)} \right] \;\le\; \mathrm{ELBO} . $$
#
# As $K \to \infty$ it reaches the ELBO, and stops there: $KL(q \,\|\, p(z|x))$ is still open, also the part that comes from one encoder serving all $x$. To *evaluate* a model one wants $\log p(x)$.
# Do what IWAE does: put $M$ of these weights under one logarithm. With $\bar r_m$ for the mean of the $K + 1$ ratios that belong to $z_m$,
#
# $$ w_m = \frac{p(x, z_m)}{\bar r_m}, \qquad \bar r_m = \frac{1}{K+1} \sum_{k=0}^K r_{m,k}, \qquad \mathrm{IWHVI}_{K,M} = \mathbb E \log \frac1M \sum_{m=1}^M w_m \;\le\; \log p(x) . $$
#
# In code nothing is new. **Log-weights are the currency**: `bounds.iwae` of log-weights in which $U_K$ takes the place of $\log q$ everywhere.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Why is that a bound?** $\log q$ was *over*estimated on average; that alone does not make $w$ small enough. One line does, with the die of the proof above. Take $P$ again, the law of $\psi_{0:K}$
# with a random place filled from the posterior. Its density is $\tau^{K+1}\, \bar r / q(z)$, so
#
# $$ \mathbb E[w] = \int q(z) \int P\, \frac{p(x, z)}{\bar r}\; d\psi_{0:K}\, dz = \int q(z) \int \frac{\tau^{K+1}\, \bar r}{q(z)} \frac{p(x, z)}{\bar r} \; d\psi_{0:K}\, dz = \int p(x, z)\, dz = p(x) : $$
#
# **$w$ is unbiased, for every $K$ and every $\tau$.** ($q$ cancels, $\bar r$ cancels, and $\tau^{K+1}$ integrates to 1.) The rest is chapter 03: Jensen.
#
# ($q(z) > 0$ wherever $p(x, z) > 0$, as always.) Only $\mathbb E[w_m] = p(x)$ is used, so the $M$ weights need not be independent: they may *share* noise. SIVI's uninformed $\psi_{1:K}$ can serve all $M$ samples of $z$ at once.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 7 · M-IWHVI (medium, 5 minutes)
#
# From `log_joint` $= \log p(x, z_m)$ `[M, B]` and `log_ratio` `[K + 1, M, B]`, return the estimate `[B]`.
#
# <details><summary>Hint 1</summary>There are two means under logarithms. Over which axis is that of the ratios, and over which that of the weights?</details>
#
# <details><summary>Hint 2</summary>A log-mean-exp over axis 0 of <code>log_ratio</code> makes log w, [M, B], with <code>log_joint</code>. A second one over M is the answer.
# Mind what each of them divides by.</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def m_iwhvi(log_joint, log_ratio):
    # Your lines here: [M, B], [K + 1, M, B] -> [B]
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["07.m_iwhvi"](m_iwhvi)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def m_iwhvi(log_joint, log_ratio):
    log_w = log_joint - upper_bound(log_ratio)  # [M, B]
    return log_w.logsumexp(0) - math.log(len(log_w))


verdict = checks.ALL["07.m_iwhvi"](m_iwhvi)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "subslide"}
# On the reference model every claim can be held against a number. Chapter 00 gave it a Gaussian guess $q = \mathcal N(\mu, \sigma^2)$ at the posterior. Here the same $q$ is made in two steps, $\psi \sim \mathcal N(0, 0.35^2)$ and
# $z \mid \psi \sim \mathcal N(\mu + \psi, \sigma^2 - 0.35^2)$, and we act as if its density were unknown. $\tau$ is the prior.


# %% slideshow={"slide_type": "subslide"}
model, x, mean, std = exact.reference(torch.float64)
log_p = model.log_likelihood(x).item()
rest = math.sqrt(std.item() ** 2 - 0.35**2)
encoder = exact.MeanMixture(1, spread=0.35, noise=rest)  # of z - mu


# %% slideshow={"slide_type": "fragment"}
def log_weights(M, K, runs, seed, shared=False):
    """log w with U_K inside [M, runs], log p(x, z), and log-ratios [K + 1, M, runs]."""
    generator = torch.Generator().manual_seed(seed)
    pair = encoder.sample(M * runs, generator)
    z, psi_0 = (part.view(M, runs, 1).double() for part in pair)
    guesses = encoder.sample_mixing((K, 1 if shared else M, runs), generator).double()
    psi = torch.cat([psi_0[None], guesses.expand(K, M, runs, 1)])
    log_r = encoder.log_conditional(z, psi)  # tau = q(psi): the prior cancels
    log_joint = model.log_joint(x, (z + mean)[..., None, :])[..., 0]
    return log_joint - upper_bound(log_r), log_joint, log_r

# %% slideshow={"slide_type": "fragment"}
print("                    E[w]/p(x)             M = 1     M = 8")
for K, shared in ((1, False), (4, False), (20, False), (4, True)):
    log_w, log_joint, log_r = log_weights(8, K, 25_000, seed=K, shared=shared)
    weight = (log_w - log_p).exp().mean(0)  # a run each: with shared psi the 8 are tied
    bound = bounds.iwae(log_w[:, None])  # [M, 1, runs] -> [runs]
    assert torch.allclose(bound, m_iwhvi(log_joint, log_r))
    print(f"K = {K:2}, {'shared' if shared else 'own'} psi".ljust(20), end="")
    print(f"{weight.mean():10.4f}", end="")
    print(f" (z {z_score(weight, 1.0):+.1f}) {log_w.mean():9.4f} {bound.mean():9.4f}")
    assert abs(z_score(weight, 1.0)) < 4 and bound.mean() < log_p
own_left_out = log_r[1:].logsumexp(0) - math.log(4)
no_psi_0 = (log_joint - own_left_out - log_p).exp().mean(0)
print(f"K =  4, psi_0 dropped {no_psi_0.mean():7.4f}, too much")
assert z_score(no_psi_0, 1.1) > 4  # without psi_0, again

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
def ceiling(guesses):
    """log E[w | psi_1:K] - log p(x) for each row of guesses [n, K]: w averaged over z and psi_0, on a grid."""
    grid = torch.linspace(-8, 8, 65, dtype=torch.float64)
    part = Normal(0, 1).log_prob(grid).softmax(0)
    own = (0.35 * grid)[:, None]  # psi_0
    offset = own + rest * grid  # z - mu, [psi_0, eps]
    log_q = lambda psi: Normal(psi, rest).log_prob(offset)
    joint = model.log_joint(x, (mean + offset.reshape(-1, 1))[:, None, :]).view_as(offset) - log_p
    ratio = torch.stack([torch.stack([log_q(own), *map(log_q, row)]).logsumexp(0) for row in guesses])
    weight = (joint - ratio + math.log(guesses.shape[1] + 1)).exp()
    return (weight * part[:, None] * part).sum((1, 2)).log()


on_a_grid = torch.linspace(-8, 8, 65, dtype=torch.float64)
limit = (ceiling(0.35 * on_a_grid[:, None]) * Normal(0, 1).log_prob(on_a_grid).softmax(0)).sum()
assert round(limit.item(), 3) == -0.024
four = ceiling(0.35 * torch.randn(1200, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
four = four - four.expm1()  # E[e^x] = 1, so this has the same mean and less noise
assert abs(four.mean() + 0.016) < 0.002 and four.std() / 1200**0.5 < 0.001

# %% [markdown] slideshow={"slide_type": "fragment"}
# $\mathbb E[w] = p(x)$ in the first four rows, with shared $\psi$ too. **What sharing costs:** more $z$ do not average over guesses that all of them have. With growing $M$ the bound rises to $\mathbb E \log \mathbb E[w \mid \psi_{1:K}]$ and
# stops there: $0.024$ nats below $\log p(x)$ with $K = 1$, $0.016$ with $K = 4$. With guesses of its own for each $z$ it arrives. Without $\psi_0$ the mean is more than a tenth too large: such an "estimate of $\log p(x)$" passes the truth once $M$ is large.
#
# How do $M$ and $K$ work together?

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} mystnb={"image": {"alt": "M-IWHVI against M on a logarithmic axis for K = 1, 4 and 20, beside the exact L_M of the marginal q. All rise to log p(x); those with small K lie below and arrive later."}} tags=["hide-input"]
Ms = [1, 2, 4, 8, 16, 32, 64, 128]
of_q = exact.WeightLaw.of(exact.reference(torch.float64))  # of q itself, exact
plain = torch.stack([of_q.lower(M) for M in Ms])
for K, color in ((1, plots.MIWAE), (4, plots.IWAE), (20, plots.CIWAE)):
    log_w = log_weights(128, K, 1000, seed=30 + K)[0]  # [128, 1000]
    groups = [log_w.view(128 // M, M, -1) for M in Ms]
    curve = torch.stack([(some.logsumexp(1) - math.log(some.shape[1])).mean() for some in groups])
    plt.semilogx(Ms, curve, "o-", color=color, base=2, label=f"M-IWHVI, K = {K}")
    assert curve[0] < plain[0] + 0.01 and log_p - curve[-1] < 0.06 and (K < 20 or (curve - plain).abs().max() < 0.03)
plt.semilogx(Ms, plain, ":", color=plots.Q, base=2, label="exact $L_M$, if q were known")
plots.exact_line(plt.gca(), log_p, "log p(x)"), plt.xlabel("M"), plt.ylabel("nats"), plt.legend()
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The means of M-IWHVI against $M$, and dotted chapter 03's bound $L_M$ for the same $q$ with its density. $M$ leads to $\log p(x)$ whatever $K$ is. $K$ sets how soon: with $K = 20$ the curve is nearly that of a $q$ whose density is known.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Posteriors where a Gaussian fails
#
# Three targets from the SIVI paper: a **banana**, an **X**, and **two modes**. For each the best Gaussian (full covariance, the smallest $KL(q \,\|\, p)$), and a sampler of three noise dimensions trained by SIVI's $U_{50}$.
# These targets are normalised densities $p(z)$. So the mean of $U_K - \log p(z)$ is at least $KL(q \,\|\, p)$: what we minimise is also an upper bound of the distance.


# %% slideshow={"slide_type": "subslide"}
def banana(z):
    along, across = z[..., 0], z[..., 1]
    return Normal(0, 2).log_prob(along) + Normal(along**2 / 4, 1).log_prob(across)


def mixture_of(*parts):
    together = lambda z: torch.stack([p.log_prob(z) for p in parts]).logsumexp(0)
    return lambda z: together(z) - math.log(len(parts))


def tilted(c):
    return MultivariateNormal(torch.zeros(2), torch.tensor([[2.0, c], [c, 2.0]]))


# %% slideshow={"slide_type": "fragment"}
shifted_by = lambda c: MultivariateNormal(torch.tensor([c, 0.0]), torch.eye(2))
targets = {"banana": banana, "X": mixture_of(tilted(1.8), tilted(-1.8))}
targets["two modes"] = mixture_of(shifted_by(2.0), shifted_by(-2.0))

# %% slideshow={"slide_type": "subslide"}
class Sampler(nn.Module):
    """psi ~ N(0, I_3), z | psi ~ N(network(psi), diag sigma²)."""

    def __init__(self):
        super().__init__()
        hidden = nn.Linear(3, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh()
        self.network = nn.Sequential(*hidden, nn.Linear(40, 2))
        self.network[-1].weight.data.mul_(3)  # spread out: no mode is missed
        self.log_sigma = nn.Parameter(torch.full((2,), -1.0))

    def log_conditional(self, z, psi):  # [B, 2], [..., 3] -> [..., B] or [...]
        return Normal(self.network(psi), self.log_sigma.exp()).log_prob(z).sum(-1)

    def draw(self, n):  # z and the psi_0 that made it
        psi_0 = torch.randn(n, 3)
        return self.network(psi_0) + self.log_sigma.exp() * torch.randn(n, 2), psi_0

# %% slideshow={"slide_type": "subslide"}
def negative_elbo(sampler, target, n, K):
    """U_K - log p(z) at n draws of z, which share the K guesses, as SIVI may: [n]."""
    z, psi_0 = sampler.draw(n)
    own = sampler.log_conditional(z, psi_0)  # [n]
    others = sampler.log_conditional(z, torch.randn(K, 1, 3))  # [K, n]
    return upper_bound(torch.cat([own[None], others])) - target(z)


# %% slideshow={"slide_type": "fragment"}
def fit_sampler(target, steps=900, K=50, seed=0):
    torch.manual_seed(seed)
    sampler = Sampler()
    optimiser = torch.optim.Adam(sampler.parameters(), lr=0.01)
    fades = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in tqdm(range(steps), leave=False):
        optimiser.zero_grad()
        negative_elbo(sampler, target, 100, K).mean().backward()
        optimiser.step(), fades.step()
    return sampler


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
def fit_gaussian(target, steps=600):
    """The full-covariance Gaussian that climbs the ELBO, and its KL(q || p) from 100 000 draws."""
    torch.manual_seed(0)
    mean, factor = torch.zeros(2, requires_grad=True), torch.eye(2).requires_grad_()
    optimiser = torch.optim.Adam([mean, factor], lr=0.02)
    log_q = lambda eps: -0.5 * eps.square().sum(-1) - math.log(2 * math.pi) - torch.linalg.slogdet(factor)[1]
    for _ in tqdm(range(steps), leave=False):
        eps = torch.randn(200, 2)
        optimiser.zero_grad(), (log_q(eps) - target(mean + eps @ factor.T)).mean().backward()
        optimiser.step()
    with torch.no_grad():
        eps = torch.randn(100_000, 2)
        kl = (log_q(eps) - target(mean + eps @ factor.T)).mean().item()
        return MultivariateNormal(mean, factor @ factor.T), kl


# %% slideshow={"slide_type": "subslide"} tags=["nbval-ignore-output"]
gaussians, samplers = {}, {}
print("three trainings of about ten seconds; each says when it is done")
for name, target in targets.items():
    gaussians[name], kl_gaussian = fit_gaussian(target)
    samplers[name] = fit_sampler(target)
    with torch.no_grad():
        bound = torch.cat(
            [negative_elbo(samplers[name], target, 500, K=2000) for _ in range(8)]
        )
    at_most, error = bound.mean().item(), bound.std().item() / len(bound) ** 0.5
    print(f"{name:>9}: KL(q || p)   best Gaussian {kl_gaussian:.3f}", end="")
    print(f"   neural sampler at most {at_most:.3f} ± {error:.3f}")
    assert at_most + 4 * error < 0.25 * kl_gaussian

# %% slideshow={"slide_type": "fragment"} tags=["hide-input", "nbval-ignore-output"] jupyter={"source_hidden": true} mystnb={"image": {"alt": "Nine density plots: in the rows banana, X and two modes; in the columns the exact density, the best Gaussian and the neural sampler. The Gaussians are ellipses. The sampler's densities are bent, crossed and two-peaked like the exact ones."}}
side = torch.linspace(-5, 5, 70)
plane = torch.stack(torch.meshgrid(side, side, indexing="xy"), -1).reshape(-1, 2)
fig, axes = plt.subplots(3, 3, figsize=(8, 8))
for row, (name, target) in zip(axes, targets.items()):
    shift = torch.tensor([0.0, 1.5]) if name == "banana" else torch.zeros(2)
    with torch.no_grad():
        psi = torch.randn(1500, 1, 3)
        learned_density = torch.cat([samplers[name].log_conditional(part, psi).logsumexp(0)
                                     for part in (plane + shift).split(700)])
        densities = [target(plane + shift), gaussians[name].log_prob(plane + shift), learned_density - math.log(1500)]
    for ax, density, title in zip(row, densities, ("exact", "best Gaussian", "neural sampler")):
        top = densities[0].exp().max()
        plots.density(ax, density.exp().view(70, 70), title if name == "banana" else "", top)
    row[0].set_ylabel(name, fontsize=12)
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# Left the exact density, in the middle the best that a Gaussian can do, on the right the sampler. (Its density on the right is an average over 1500 fresh $\psi$.) In KL it has less than a quarter of the Gaussian's distance,
# in a few seconds of training.
#
# In the lab below you choose the target, $K$ and $\tau$, and look at recorded trainings. Its targets are *not* normalised, as a posterior's $p(x, z)$ is not. The logarithm of their integral, $\log Z$, stands where $\log p(x)$ stood:
# the bound ends $KL(q \,\|\, p)$ plus the gap of $U_K$ below it. The lab asks first: the X, a $\tau$ that does not look at $z$, and $K = 0$. What shape will the sampler take?

# %% slideshow={"slide_type": "subslide"} mystnb={"image": {"alt": "The lab in three states, the X after 1500 steps: HVM with K = 0 has learned one slanted blob, little better than the best Gaussian; SIVI with K = 20 an X with a loose bound; IWHVI with K = 20 an X whose bound is within 0.04 nats of log Z."}}
labs.ALL["07.samplers"]()

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Explain.** With $K = 0$ and the prior as $\tau$ the bound charges for all that $\psi$ decides about $z$. So the sampler lets $\psi$ decide nothing, and becomes a Gaussian with two widths, $\sigma_1$ and $\sigma_2$, and no slant: that is the pressure on $q$, visible. The X again, $KL(q \,\|\, p)$ after 1500 steps:
#
# | | $K = 0$ | $K = 5$ | $K = 20$ |
# |---|---|---|---|
# | $\tau$ does not look at $z$ (SIVI) | 0.41 | 0.41 | 0.05 |
# | $\tau$ learned (HVM, then IWHVI) | 0.30 | 0.03 | 0.01 |
#
# The best Gaussian has $0.365$. Five uninformed samples do not pay for an X; five informed ones do.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# The table above, from the record that the lab shows.
record = recorded.load("samplers")
kl = {(run["tau"], run["K"]): run["moments"][-1]["kl"] for run in record["runs"] if run["target"] == "X"}
for tau, row in (("prior", (0.41, 0.41, 0.05)), ("learned", (0.30, 0.03, 0.01))):
    assert [round(kl[tau, K], 2) for K in (0, 5, 20)] == list(row)
assert abs(record["gaussian_kl"]["X"] - 0.365) < 0.001

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **10 minutes.** Ask the prediction before the lab is touched. (The bound is $\mathbb E \log q(z|\psi_0)$: the mutual information of z and psi is charged in full.) Then raise K and watch the shape come back. That is the regularisation that the
# bound puts on q, live.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A VAE with a hierarchical encoder
#
# Now for every $x$ at once. Three networks: $q(\psi \mid x)$, $q(z \mid \psi, x)$ and $\tau(\psi \mid z, x)$, all Gaussian given their inputs. The marginal $q(z \mid x)$ is not. The lines of this slide and the next are the whole estimator; the package's
# `HierarchicalVAE` does the same for every bound and objective of the course. (`project(x)` is what a network makes of $x$ alone. Why it is kept apart, the section on cost will say.)


# %% slideshow={"slide_type": "fragment"}
def normal(out):
    """The Gaussian of a network's output: means beside log standard deviations."""
    mean, log_std = out.chunk(2, -1)
    return Normal(mean, log_std.exp())


def normal_of_tau(vae, x, z, mixing):
    """tau begins as q(psi | x), and learns how to move and stretch it for a z."""
    inverse = vae.encoder.inverse
    shift, stretch = inverse(inverse.project(x), z).chunk(2, -1)
    return Normal(mixing.mean + mixing.stddev * shift, mixing.stddev * stretch.exp())


# %% slideshow={"slide_type": "subslide"}
def hierarchical_log_weights(vae, x, K):
    """log p(x, z) - U_K for one z of each x: [B, D] -> [B]."""
    mixing, conditional = (
        normal(vae.encoder.mixing(x)),
        vae.encoder.conditional,
    )  # q(psi | x), q(z | psi, x)
    of_x = conditional.project(x)
    psi_0 = mixing.rsample()
    z = normal(conditional(of_x, psi_0)).rsample()
    tau = normal_of_tau(vae, x, z, mixing)
    psi = torch.cat([psi_0[None], tau.rsample((K,))])  # [K + 1, B, P]
    log_q = mixing.log_prob(psi) + normal(conditional(of_x, psi)).log_prob(
        z
    )  # [K + 1, B, P], P = L here
    return vae.log_joint(x, z) - upper_bound((log_q - tau.log_prob(psi)).sum(-1))


# %% slideshow={"slide_type": "subslide"} tags=["nbval-ignore-output"]
images = data.digits()  # two trainings of some ten seconds
x_test = images.binary_test()  # [360, 64]
torch.manual_seed(0)
iwhvi = HierarchicalVAE(
    64, 10, hidden=(40, 40), inner=5, gradient="dreg"
)  # trained with K = 5
iwhvi.start_at_pixel_means(images.train.mean(0))
gaussian = train.untrained(images, seed=0)
training = {"epochs": 15, "learning_rate": 0.003, "batch_size": 100, "seed": 0}
training |= {"device": "cpu"}
for network in (iwhvi, gaussian):
    _ = train.fit(network, images, "elbo", M=1, K=1, **training)

# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
fresh_noise = torch.Generator().manual_seed(0)
with torch.no_grad():
    drawn = [hierarchical_log_weights(iwhvi, x_test, K=5) for _ in range(60)]
    by_hand = torch.stack(drawn)  # [60, B]
    package = iwhvi.log_weights(x_test, M=60, K=1, generator=fresh_noise)[:, 0]
z_value = z_score((by_hand - package).mean(1), 0.0)
print(f"mean of log w: our lines {by_hand.mean():.3f}", end=", ")
print(f"the package {package.mean():.3f} (z {z_value:+.1f})")
assert abs(z_value) < 4

# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
elbo_of = lambda vae: evaluate.bound(
    vae, x_test, "elbo", 20, 1, torch.Generator().manual_seed(1), batch_size=60
)
rows = {}
for K in (0, 5, 50):
    iwhvi.inner = K
    rows[K] = elbo_of(iwhvi).mean().item()
    print(f"IWHVI encoder after 15 passes: bound with K = {K:2}: {rows[K]:.3f}")
alone = elbo_of(gaussian).mean().item()
print(f"Gaussian encoder after 15 passes:  ELBO        {alone:.3f}")
assert (
    rows[0] <= rows[5] + 0.02
    and abs(rows[5] - rows[50]) < 0.05
    and abs(rows[50] - alone) < 1.5
)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Our lines and the package agree. More $K$ at *evaluation* lifts the bound of one and the same encoder towards its ELBO. By $K = 5$ it has arrived: what still changes at $K = 50$ is noise. Fifteen passes are too short to compare encoders.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **The record is longer.** `python -m vaecourse reproduce hierarchical_digits`: every row takes the same steps on the same digits, several seeds; $K$ grows during training (HVM stays at 0), $\tau$ has DReG's gradient, and $\log p(x)$ is estimated from below by M-IWHVI. *Gaussian, wide* has as many
# encoder parameters as IWHVI. **Your prediction:** which row wins, and by how much?

# %% slideshow={"slide_type": "subslide"} tags=["nbval-ignore-output"]
digits = recorded.load("hierarchical_digits")
names, schedule = list(digits["settings"]["rows"]), digits["settings"]["schedule"]
cell = {(run["row"], run["seed"]): run for run in digits["runs"]}
each = sorted({seed for _, seed in cell})
seeds = [seed for seed in each if all((name, seed) in cell for name in names)]


def of_row(name, key):
    """One measure of one row, a number for each seed that all rows have."""
    return torch.tensor([cell[name, seed][key] for seed in seeds], dtype=torch.float64)


# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
says = lambda v: f"{v.mean():.2f} ± {v.std() / len(v) ** 0.5:.2f}"
print(f"{len(seeds)} seeds, K = {schedule['inner']} for {schedule['epochs']} passes")
for name in names:
    bound, estimate = of_row(name, "elbo"), of_row(name, "log_p")
    print(f"{name:>19}   bound {says(bound)}   log p {says(estimate)}", end="")
    print(f"   difference {(bound - estimate).mean():+.2f}", end="")
    print(f"   encoder parameters {cell[name, seeds[0]]['encoder_parameters']}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Explain.** On these digits a hierarchical encoder buys **nothing**. Look at the column *difference* of the plain Gaussian: a quarter of a nat is *all* that a better $q$ could win for that decoder. The posteriors are nearly Gaussian already. HVM, SIVI and IWHVI end where the Gaussian ends, within
# a tenth of a nat; the same number of parameters in one wide Gaussian encoder is worth more. So is another prior (last row; its turn comes below).
#
# The lesson is the order of questions. First measure $\log p(x) - \mathrm{ELBO}$. If it is small, a better $q$ has little to win with *this* decoder. What a decoder could reach that is held less tightly, it does not say: on the same digits IWAE, DReG and STL raise $\log p(x)$ by $0.36$ to $0.41$ nats over a VAE whose gap is $0.29$ (chapter 08). And the rows here were trained with one sample a step, where the gradient's noise alone costs $0.44$ nats (chapter 08 again): it may hide what a family is worth. The paper's models, 32 dimensions on MNIST, had more to win: $-83.9$ for IWHVI against $-84.4$ for SIVI, $-84.9$ for HVM and $-85.0$ for the Gaussian encoder (†).
#
# † From a copy that we could not check against the paper.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# What the text above says, over the seeds of the record.
assert 0.15 < (of_row("Gaussian", "log_p") - of_row("Gaussian", "elbo")).mean() < 0.35
for name in ("HVM", "SIVI", "IWHVI"):
    assert abs((of_row(name, "log_p") - of_row("Gaussian", "log_p")).mean()) < 0.1
    assert (of_row("Gaussian, wide", "log_p") - of_row(name, "log_p")).mean() > 0.05
parameters = [cell[name, seeds[0]]["encoder_parameters"] for name in ("Gaussian, wide", "IWHVI")]
assert 0.95 < parameters[0] / parameters[1] < 1.05
assert (of_row("Gaussian, VampPrior", "log_p") - of_row("Gaussian", "log_p")).mean() > 0.05

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What it costs
#
# Per $z$, a hierarchical encoder makes $K + 1$ passes through $q(z \mid \psi, x)$ and one through $\tau$. The decoder, with all the pixels, runs **once**. IWAE with $K$ samples runs the decoder $K$ times. That is the authors' case for it: $z$ has far fewer dimensions than $x$.
#
# One trap: $q(z \mid \psi, x)$ takes $x$ *and* $\psi$. Fed naively, $x$ is copied $K + 1$ times and multiplied with the same matrix $K + 1$ times. A linear layer can be split,
#
# $$ W \begin{pmatrix} x \\ \psi \end{pmatrix} + b = \left( W_x\, x + b \right) + W_\psi\, \psi , $$
#
# and the first part is computed once per $x$.

# %% slideshow={"slide_type": "fragment"}
D, P, H, K, B = 784, 32, 300, 50, 7  # the authors' sizes for MNIST
layer = nn.Linear(D + P, H)
x_some, psi = torch.rand(B, D), torch.randn(K + 1, B, P)
copied = layer(torch.cat([x_some.expand(K + 1, B, D), psi], -1))
W_x, W_psi = layer.weight.split([D, P], 1)
once = (x_some @ W_x.T + layer.bias) + psi @ W_psi.T
assert torch.allclose(copied, once, atol=1e-5)
products = {
    "x copied": (K + 1) * (D + P) * H,
    "x projected once": D * H + (K + 1) * P * H,
}  # for each x
for name, count in products.items():
    print(f"{name:>16}: {count / 1e6:4.1f} million products")
assert round(products["x copied"] / products["x projected once"]) == 17


# %% [markdown] slideshow={"slide_type": "fragment"}
# Seventeen times fewer products, and the same numbers. What a step costs in all, forward and back:

# %% slideshow={"slide_type": "subslide"}
pixels, hidden = torch.rand(20, D).round(), (H, H)
hvae = HierarchicalVAE(D, P, hidden=hidden, tau="learned")
sivi = HierarchicalVAE(D, P, hidden=hidden, tau="prior")
plain_vae = VAE(D, P, hidden=hidden)


# %% slideshow={"slide_type": "fragment"}
def step_seconds(network, K, repeats=8):
    """A step, the quickest of a few. K counts psi, or z if q is a plain Gaussian."""
    outer = max(K, 1)
    if isinstance(network, HierarchicalVAE):
        network.inner, outer = K, 1
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        objectives.backward(network, pixels, "iwae", M=1, K=outer)
        seconds.append(time.perf_counter() - start)
    return min(seconds)

# %% slideshow={"slide_type": "subslide"} tags=["nbval-ignore-output"]
base, cost = step_seconds(plain_vae, 1), {}
print("a step of the VAE is 1; some seconds")
for K in (0, 5, 50, 200):
    row = [step_seconds(network, K) / base for network in (hvae, sivi, plain_vae)]
    print(f"K = {K:3}   IWHVI {row[0]:5.1f}   SIVI {row[1]:5.1f}", end="   ")
    print(f"IWAE with as many z {row[2]:5.1f}")
    cost[K] = row

# %% [markdown] slideshow={"slide_type": "fragment"}
# Measured on the machine that made this page, in steps of a plain VAE of the same size. With few samples the larger encoder is what one pays for. From a few dozen on IWAE with as many $z$ is the dearer one: its samples pass
# through 784 pixels, the inner ones through 32 numbers. And for large $K$ IWHVI costs little more than SIVI: its extra pass through $\tau$ disappears beside $K + 1$ passes through $q(z \mid \psi, x)$.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# Loose, for times of a busy machine: more samples cost more, and less than in proportion to their number.
assert cost[200][0] > cost[5][0] and cost[50][0] < 51 * cost[0][0] and cost[200][0] < 3 * cost[200][1]
assert cost[200][2] > cost[200][0]

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Is a tighter $U_K$ better for $\tau$? (may wait)
#
# Chapter 04 again, one floor down: does $\tau$'s gradient drown as $K$ grows? As in chapter 05, with $\eta$ for the parameters of $\tau$: the shares are $\tilde r_k = r_k / \sum_{j=0}^K r_j$, the path terms
# $h_k = \frac{\partial \log r_k}{\partial \psi_k} \frac{\partial \psi_k}{\partial \eta}$, the scores $s_k = \nabla_\eta \log \tau_\eta(\psi_k \mid z)$. Three estimators of $\nabla_\eta U_K$:
#
# * **plain** (autograd): $\sum_{k \ge 1} \tilde r_k (h_k - s_k) - \tilde r_0\, s_0$. The first sum has the noise of IWAE's encoder: SNR $O(K^{-1/2})$.
# * **DReG**: the five lines of chapter 05 hold for $k \ge 1$: $\sum_{k \ge 1} \tilde r_k^2\, h_k - \tilde r_0\, s_0$. In IWAE the SNR now *rises* like $\sqrt K$. Not here: $\psi_0$ is **one** sample, not drawn from $\tau$, so its score cannot be rewritten
#   in the same way. Mean and noise of $\tilde r_0 s_0$ are both $O(1/K)$. The claim is that the SNR stays "approximately constant".
# * **both rewritten**: it can be rewritten in another way, GDReG's (chapter 05's last page): under $\psi_0 \sim q(\psi \mid z)$, $\mathbb E[\tilde r_0\, s_0] = \mathbb E[(2 \tilde r_0 - \tilde r_0^2)\, h_0]$. Then every term is a path term and vanishes when $\tau$ is right.


# %% slideshow={"slide_type": "subslide"}
def draws_at_3(K, runs, generator):
    """psi_0 and K guesses at z = 3, [K + 1, runs], and their shares."""
    normal = partial(torch.randn, generator=generator, dtype=torch.float64)
    psi = 0.6 * 3 + 1.1 * normal(K + 1, runs)  # of tau
    psi[0] = law.slope * 3 + law.std * normal(runs)  # psi_0, of the posterior
    log_joint = law.log_mixing(psi[..., None])
    log_joint = log_joint + law.log_conditional(z_3[0], psi[..., None])
    return psi, (log_joint - Normal(0.6 * 3, 1.1).log_prob(psi)).softmax(0)


# %% slideshow={"slide_type": "fragment"}
def tau_gradients(K, runs, generator):
    """Gradients of U_K for tau's mean, three estimators: 3 x [runs]."""
    psi, share = draws_at_3(K, runs, generator)
    s = (psi - 0.6 * 3) / 1.1**2
    h = s - (psi - law.slope * 3) / law.std**2  # slope of log r along psi
    plain = (share[1:] * (h - s)[1:]).sum(0) - share[0] * s[0]
    dreg = (share[1:] ** 2 * h[1:]).sum(0)
    rewritten = (2 * share[0] - share[0] ** 2) * h[0]
    return plain, dreg - share[0] * s[0], dreg - rewritten

# %% slideshow={"slide_type": "fragment"}
def exact_slope(K, step=1e-3):
    """d U_K / d (tau's mean) at z = 3, by a central difference of exact values."""
    shifted = lambda d: hierarchical.LinearInverse(0.6 + d / 3.0, 1.1).double()
    right, left = (weight_law(3.0, shifted(d)).upper(K).item() for d in (step, -step))
    return (right - left) / (2 * step)


# %% slideshow={"slide_type": "fragment"}
snr, form = {}, "  SNR: plain {:.3f}   DReG {:.3f}   both {:.3f}".format
print("          exact gradient   z-scores")
for K in (1, 4, 16, 64, 256, 1024):
    found = tau_gradients(K, 1_500_000 // (K + 20), torch.Generator().manual_seed(K))
    slope = exact_slope(K)
    z_scores = [z_score(g, slope) for g in found]
    snr[K] = [abs(slope) / g.std().item() for g in found]
    print(f"K = {K:4} {slope:+14.5f} ", *(f"{v:+.1f}" for v in z_scores), form(*snr[K]))
    assert all(abs(v) < 4 for v in z_scores)
assert all(abs(snr[K][j] / snr[1024][j] - 1) < 0.1 for K in (16, 64, 256) for j in (1, 2))
assert snr[1024][2] > snr[1024][1] and 1.8 < snr[64][0] / snr[256][0] < 2.2

# %% [markdown] slideshow={"slide_type": "fragment"}
# All three are unbiased. The plain one loses half of its SNR with every fourfold $K$; DReG's changes little from $K = 16$ on: **the claim holds**. Rewriting the last score as well makes the constant larger, and it is still a constant: there is only one $\psi_0$.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The jackknife, and what is lost (may wait, with exercise 8)
#
# $U_K$ has a bias in powers of $1/(K+1)$, so chapter 05's trick applies. Let $\bar U_{K-1}$ be the mean over the $K$ subsets that leave out one of the *guesses*; $\psi_0$ stays in all of them.
#
# $$ J_1 = (K+1)\, U_K - K\, \bar U_{K-1}, \qquad \text{bias } O(K^{-2}) . $$
#
# Order $d$, which leaves out up to $d$ guesses at a time, has a bias of $O(K^{-(d+1)})$. The price: more computing, by most accounts more variance, and it is a bound no longer.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 8 · The jackknife of the upper bound (medium, 7 minutes)
#
# Return $J_1$ for log-ratios `[K + 1, B]` (psi_0 first): `[B]`.
#
# <details><summary>Hint 1</summary>Which of the K + 1 ratios may never be left out? How many ratios does a subset hold, and what does <code>upper_bound</code> divide by?</details>
#
# <details><summary>Hint 2</summary>For k = 1 ... K: <code>torch.cat([log_ratio[:k], log_ratio[k + 1:]])</code>. The mean of their K upper bounds gets the factor -K.</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def jackknife(log_ratio):
    # Your lines here: [K + 1, B] -> [B]
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["07.jackknife"](jackknife)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def jackknife(log_ratio):
    K = len(log_ratio) - 1
    without = [upper_bound(torch.cat([log_ratio[:k], log_ratio[k + 1 :]])) for k in range(1, K + 1)]
    return (K + 1) * upper_bound(log_ratio) - K * torch.stack(without).mean(0)


verdict = checks.ALL["07.jackknife"](jackknife)
assert verdict.passed
verdict

# %% slideshow={"slide_type": "subslide"}
tau, truth = taus["IWHVI: a rough tau"], law.log_prob(z_3).item()
print("         exact bias of U_K   of the jackknife     ratio of standard deviations")
for K in (2, 4, 8, 16):
    above_by = [weight_law(3.0, tau).upper(k).item() - truth for k in (K - 1, K)]
    bias = (K + 1) * above_by[1] - K * above_by[0]
    psi_0 = law.sample_posterior(at, 1, noise)[0]
    log_r = hierarchical.log_ratios(law, tau, at, psi_0, K, noise).detach()
    J, order_0 = jackknife(log_r), upper_bound(log_r)
    print(f"K = {K:2} {above_by[1]:+19.4f} {bias:+18.5f}", end="")
    print(f" (z {z_score(J, truth + bias):+.1f}) {J.std() / order_0.std():10.2f}")
    assert abs(z_score(J, truth + bias)) < 4
    assert torch.allclose(J, hierarchical.jackknife(log_r, 1), atol=1e-4)
    assert bias < 0 < above_by[1] and abs(bias) < 0.1 * above_by[1] and J.std() < 1.5 * order_0.std()

# %% [markdown] slideshow={"slide_type": "fragment"}
# The bias shrinks by a factor of ten and more, and **changes its sign**. What was an upper bound of $\log q$ now lies below it on average, and the ELBO made of it lies *above* the truth. As an estimate of $\log q(z)$ it is welcome. As a training objective it is not: an
# optimiser climbs whatever is not nailed down. The authors tried it on a toy and left it out of their experiments for that reason. The standard deviation grows here, by less than a half: "increased variance" is true of this bound, and not by much.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Is SIVI obsolete?
#
# No. Let $\psi$ be the **index of a data point**, and look at where the codes of a whole data set lie, the *aggregate posterior*
#
# $$ q(z) = \frac1N \sum_{n=1}^N q(z \mid x_n) = \sum_{\psi} q(\psi)\, q(z \mid \psi), \qquad q(\psi) = \frac1N . $$
#
# Here a learned $\tau(\psi \mid z)$ would be a softmax over all $N$ data points. To learn it one needs gradients through discrete samples (chapter 02's score function) and a way round a softmax over a large $N$. SIVI asks only for random indices: `torch.randint`.
#
# One way round is the *sampled softmax* (Jean et al. 2015): $S$ random indices stand for all $N$, so $S + 1$ scores a step in place of $N$. Its normaliser is an average, and the logarithm of an average is too low on average. So $\log \tau$ comes out too high and $U_K$ too
# low: good enough to train $\tau$, and no bound any more. A softmax over a tree of $\log_2 N$ choices, 20 for a million, is normalised; somebody has to build the tree.
#
# Chapter 06 needed this density for the mutual information; the exact sum over $N$ is affordable for 1437 digits, and not for a million.


# %% slideshow={"slide_type": "subslide"}
def aggregate_bounds(mean, log_std, z, own, K, generator):
    """SIVI's upper bound, with z's own component, and the lower one: 2 x [B]."""
    fresh = torch.randint(len(mean), (K, len(z)), generator=generator)  # tau, uniform
    chosen = torch.cat([own[None], fresh])  # [K + 1, B]
    log_q = Normal(mean[chosen], log_std[chosen].exp()).log_prob(z).sum(-1)
    return upper_bound(log_q), log_q[1:].logsumexp(0) - math.log(K)


# %% slideshow={"slide_type": "fragment"}
with torch.no_grad():
    mean_n, log_std_n = gaussian.encode(images.train)  # [N, L] each: the components
N, generator = len(mean_n), torch.Generator().manual_seed(5)
own = torch.randint(N, (3000,), generator=generator)
centre, width = mean_n[own], log_std_n[own].exp()
z = centre + width * torch.randn(3000, 10, generator=generator)
in_parts = [mixture_log_prob(some, mean_n, log_std_n) for some in z.split(300)]
everything = torch.cat(in_parts)  # exact: all N
U_0 = Normal(centre, width).log_prob(z).sum(-1)  # psi_0 alone
information = (U_0 - everything).mean().item()

# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
print(f"N = {N}, exact E log q(z) = {everything.mean():.3f}", end=". ")
print(f"In nats from it, the upper bound with K = 0: {information:+.3f}")
for K in (1, 10, 100, 300):
    pair = aggregate_bounds(mean_n, log_std_n, z, own, K, generator)
    (over, z_over), (under, z_under) = (
        ((b - everything).mean(), z_score(b - everything, 0.0)) for b in pair
    )
    print(f"K = {K:4}   upper {over:+.4f} (z {z_over:+.0f})", end="   ")
    print(f"lower {under:+.4f} (z {z_under:+.0f})")
    assert K > 100 or (z_over > 3 and z_under < -3)
assert over - under < 0.1 and 1 < information < 4 < math.log(N)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Three hundred random indices enclose the exact value within a tenth of a nat, with no network and no training. **Why so few?** The gap at $K = 0$ is the mutual information of index and code (chapter 06), and these short trainings
# leave it at a few nats: far from the $\log N = 7.3$ of a code that tells all images apart. The one number of exercise 4 says beforehand whether SIVI will do.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The same mixture as a prior: turn the bound round
#
# Such a mixture is also a good *prior*: $p(z) = \frac1N \sum_n q(z \mid u_n)$ with $N$ learned *pseudo-inputs* $u_n$, images that no camera saw, is the **VampPrior** (Tomczak and Welling 2018). The authors of IWHVI speak of "VampPrior-like" laws when they mean the aggregate posterior. Take care: as a *prior* the mixture needs the other bound.
#
# | the mixture stands in | the ELBO has | it needs | from samples |
# |---|---|---|---|
# | $q(z \mid x)$ or the aggregate posterior | $-\log q(z)$ | an **upper** bound | $U_K$, with the $\psi_0$ that made $z$ |
# | the prior $p(z)$ | $+\log p(z)$ | a **lower** bound | $L_K$: fresh indices only, or the exact sum |
#
# There is no $\psi_0$ for a prior: $z$ came from the encoder, not from $p(z)$. (Molchanov et al. have mixtures in both places, with both bounds: *doubly* semi-implicit.) With 50 components one takes the exact sum.
#
# That sum has a bug of its own, found in published code. You mended it in chapter 06 (exercise 3): mixed in each dimension by itself, and then multiplied, a mixture grows **ghosts**.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input"] mystnb={"image": {"alt": "Two density plots. Left, the right mixture: two round modes at (3, 3) and (-3, -3). Right, what the bug makes of it: four modes, two of them ghosts at (3, -3) and (-3, 3)."}}
corners, narrow = torch.tensor([[3.0, 3.0], [-3.0, -3.0]]), torch.full((2, 2), math.log(0.7))
ghost = lambda z: (Normal(corners, 0.7).log_prob(z[:, None]).logsumexp(1) - math.log(2)).sum(-1)
fig, panels = plt.subplots(1, 2, figsize=(7, 3.4))
for panel, density, title in zip(panels, (mixture_log_prob(plane, corners, narrow), ghost(plane)),
                                 ("right", "a mixture for each dimension")):
    plots.density(panel, density.exp().view(70, 70), title, extent=(-5, 5, -5, 5))
plt.show()
place = torch.tensor([[3.0, -3.0]])
assert round(ghost(place).item(), 1) == -2.5 and round(mixture_log_prob(place, corners, narrow).item(), 1) == -37.9

# %% [markdown] slideshow={"slide_type": "fragment"}
# Two components, and the bug's density (right) has four modes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 9 · Counting ghosts (pen and paper, easy, 4 minutes)
#
# Now $3$ components in $4$ dimensions, narrow, and no two of them near each other in any coordinate. The bug, that of exercise 3 in chapter 06, mixes in each dimension by itself and multiplies. How many modes does its density have in all, the real ones included?
#
# <details><summary>Hint 1</summary>In one dimension the mixture has 3 modes. In two dimensions each of them meets each mode of the other. How many is that?</details>
#
# <details><summary>Hint 2</summary>Every further dimension multiplies the number by 3, for each coordinate picks its place by itself.</details>

# %% slideshow={"slide_type": "skip"} tags=["stub"]
modes = ...  # a whole number

# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["07.ghost_modes"](modes)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
modes = 3**4
verdict = checks.ALL["07.ghost_modes"](modes)
assert verdict.passed
verdict

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# Counted: the places at which the density is as high as anywhere.
places = torch.cartesian_prod(*[torch.tensor([-6.0, 0.0, 6.0])] * 4)  # where coordinates may stand: [81, 4]
three = torch.tensor([-6.0, 0.0, 6.0])[:, None].expand(3, 4)  # means; unit width
by_the_bug = (Normal(three, 1.0).log_prob(places[:, None]).logsumexp(1) - math.log(3)).sum(-1)
assert (by_the_bug > by_the_bug.max() - 1e-3).sum() == modes  # the same height in all of them
assert (mixture_log_prob(places, three, torch.zeros(3, 4)) > by_the_bug.max() - 1e-3).sum() == 3

# %% [markdown] slideshow={"slide_type": "subslide"}
# **A working VampPrior.** Pseudo-inputs that begin at 50 training images, encoded by the VAE's own encoder; `mixture_log_prob` is the package's, which adds up over the dimensions before it mixes.


# %% slideshow={"slide_type": "subslide"}
class PseudoInputs(nn.Module):
    """p(z) = mean over n of q(z | u_n), with learned u."""

    def __init__(self, encoder, start):
        super().__init__()
        self.encode = lambda u: encoder(
            u
        )  # the VAE's own encoder; the prior does not own its parameters
        self.inputs = nn.Parameter(start.clone())

    def log_prob(self, z):
        mean, log_std = self.encode(self.inputs).chunk(2, -1)
        return mixture_log_prob(z.reshape(-1, z.shape[-1]), mean, log_std).view(
            z.shape[:-1]
        )


# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
torch.manual_seed(1)  # one more training of some ten seconds
shared_encoder = mlp([64, 40, 40, 20])
prior = PseudoInputs(shared_encoder, images.train[torch.randperm(N)[:50]])
vamp = VAE(64, 10, (40, 40), prior=prior, encoder=shared_encoder)
vamp.start_at_pixel_means(images.train.mean(0))
_ = train.fit(vamp, images, "elbo", M=1, K=1, **training)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input", "nbval-ignore-output"] mystnb={"image": {"alt": "Two rows of sixteen blurred digits: pixel means decoded from draws of the normal prior, and of the VampPrior. Both rows look like digits, some of them between two classes."}}
with torch.no_grad():
    mean_u, log_std_u = shared_encoder(prior.inputs).chunk(2, -1)
    z_u = mean_u[:16] + log_std_u[:16].exp() * torch.randn(16, 10, generator=torch.Generator().manual_seed(0))
    drawn = torch.cat([gaussian.sample(16, torch.Generator().manual_seed(0)), vamp.decode(z_u)])  # [32, 64]
_, axes = plt.subplots(figsize=(9.5, 1.6))
plots.pictures(axes, drawn.view(-1, *images.shape), columns=16, rows=["N(0, I)", "VampPrior"])
plt.show()

# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
judge, nats, units = torch.Generator().manual_seed(2), {}, {}
for name, network in {"N(0, I)": gaussian, "VampPrior": vamp}.items():
    nats[name] = evaluate.log_likelihood(network, x_test, 500, judge).mean().item()
    units[name] = evaluate.active_units(network, images.test, 0.1)
    print(f"{name:>9} after 15 passes: log p {nats[name]:.2f}", end=", ")
    print(f"{units[name]} units above 0.1")

# %% [markdown] slideshow={"slide_type": "fragment"}
# Pixel means, decoded from draws of either prior. The VampPrior trains like any VAE. Fifteen passes are too few to judge $\log p(x)$; after those of the record above it is between $0.1$ and $0.3$ nats ahead of the same VAE with $\mathcal N(0, I)$. A prior that lies where the codes lie does
# not press unused units to zero: nine or ten of the ten move with $x$ (a variance of their means above $0.1$), against about half.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# The package's prior is the same density; samples of p(z) by index, lower bounds from fresh indices only.
package_prior = VampPrior(shared_encoder, prior.inputs.detach())
some = torch.randn(5, 3, 10, generator=torch.Generator().manual_seed(3))
with torch.no_grad():
    assert torch.allclose(package_prior.log_prob(some), prior.log_prob(some), atol=1e-4)
assert units["VampPrior"] >= 9 and 3 <= units["N(0, I)"] <= 6 and abs(nats["VampPrior"] - nats["N(0, I)"]) < 2
assert 0.1 < (of_row("Gaussian, VampPrior", "log_p") - of_row("Gaussian", "log_p")).mean() < 0.3

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **10 minutes.** Ask now: *the VampPrior is a mixture over psi. We have a wonderful upper bound for such things. May we use it for log p(z)?* Let them find the sign. Then: *which psi_0 would you use?*

# %% [markdown] slideshow={"slide_type": "skip"} tags=["quiz"]
# ## Before you go on: three questions
#
# Choose an answer before you open one. Each says why it is right, or what leads to it.
#
# **1 ·** The ELBO needs $-\log q(z)$. Somebody estimates $\log q(z)$ by the log of the mean of $q(z \mid \psi_k)$
# over $K$ fresh draws of $\psi$. What becomes of the reported ELBO?
#
# <details><summary>A · It is unbiased: the mean over fresh draws is q(z)</summary>
#
# The mean is. Its *logarithm* is too low on average, by Jensen, as in every chapter since the first.
#
# </details>
#
# <details><summary>B · It is a lower bound still, and only looser than it was</summary>
#
# Fresh draws alone give a *lower* bound of $\log q(z)$. With the minus sign the report moves up, to the wrong side.
#
# </details>
#
# <details><summary>C · It is too high on average</summary>
#
# Right. The draw that made $z$ is missing. With $\psi_0$, which is a draw of $q(\psi \mid z)$ for nothing, the same sum bounds $\log q(z)$ from above.
#
# </details>
#
# **2 ·** With the prior as $\tau$ and no extra sample the bound $U_0$ lies ten nats above $\log q(z)$. How do you get
# within one nat?
#
# <details><summary>A · A hundred extra samples: the gap falls like 1/K</summary>
#
# That law holds at the end of the curve. At its beginning $K$ samples close at most $\log(K+1)$ nats, here less than
# five.
#
# </details>
#
# <details><summary>B · A τ that has learned to look at z</summary>
#
# Right. The gap of $U_0$ is $KL(q(\psi \mid z) \,\|\, \tau)$, and learning lowers it at its root. The prior would
# need thousands of samples.
#
# </details>
#
# <details><summary>C · A thousand extra samples of the prior</summary>
#
# $\log 1001$ is less than seven, and nine are to be closed. Uninformed samples get exponentially dear.
#
# </details>
#
# **3 ·** A mixture with very many components is used as the *prior* $p(z)$ of a VAE. Which bound of $\log p(z)$
# belongs in the ELBO?
#
# <details><summary>A · A lower bound, from fresh indices only</summary>
#
# Right. $\log p(z)$ has a plus sign, so what replaces it must lie below. There is no free sample either: $z$ came
# from the encoder.
#
# </details>
#
# <details><summary>B · The upper bound, as for a hierarchical encoder</summary>
#
# There the density has a minus sign. Here an upper bound would lift the report above the ELBO.
#
# </details>
#
# <details><summary>C · Either of the two: they meet when K grows</summary>
#
# They meet in the limit. At any finite $K$ the wrong one gives the optimiser something to climb that is no bound.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What to take along
#
# | | formula | in code |
# |---|---|---|
# | a neural sampler | $q(z) = \int q(z \mid \psi)\, q(\psi)\, d\psi$: easy to draw, hard to evaluate | two lines |
# | the free sample | $\psi_0$ that made $z$ is a draw of $q(\psi \mid z)$ | keep it |
# | the bound | $U_K = \log \frac{1}{K+1} \sum_{k=0}^K q(z, \psi_k) / \tau(\psi_k \mid z) \ge \log q(z)$ in mean, for every $z$ | `hierarchical.upper_bound(log_ratio)` |
# | its corners | $K = 0$ HVM; $\tau = q(\psi)$ SIVI; $\tau = q(\psi \mid z)$ exact | `LinearInverse`, `MixingPrior`, `Posterior` |
# | how many | at most $\log(K+1)$ nats can be closed; in the end $\chi^2 / (2(K+1))$ | exercise 4 |
# | M-IWHVI | $\mathbb E[w] = p(x)$ for every $K$ and $\tau$ | `bounds.iwae(log_w)` |
# | the jackknife | bias $O(K^{-2})$, no bound any more | `hierarchical.jackknife(log_ratio, 1)` |
# | a mixture as prior | needs a lower bound, or the exact sum | `priors.VampPrior` |
#
# **Which one?** If $\psi$ is continuous and $\tau$ can be reparameterised, learn $\tau$: it is one more pass for each $z$. If $\psi$ is an index, use SIVI. Increase $K$ during training, and keep $\psi_0$.
#
# **The circle is broken.** A better $q$ asked for a better $\tau$, and that for a better one still. With $K$ samples $\tau$ may stay simple, and the pressure that it puts on $q$ goes down as $K$ goes up.
#
# **Next.** Chapter 08 puts every objective of the course under one budget, and asks which to choose.
#
# ### References
#
# * A. Sobolev, D. Vetrov (2019). *Importance Weighted Hierarchical Variational Inference.* NeurIPS. [arXiv 1905.03290](https://arxiv.org/abs/1905.03290)
# * M. Yin, M. Zhou (2018). *Semi-Implicit Variational Inference.* ICML. [arXiv 1805.11183](https://arxiv.org/abs/1805.11183)
# * R. Ranganath, D. Tran, D. Blei (2016). *Hierarchical Variational Models.* ICML. [arXiv 1511.02386](https://arxiv.org/abs/1511.02386)
# * D. Molchanov, V. Kharitonov, A. Sobolev, D. Vetrov (2019). *Doubly Semi-Implicit Variational Inference.* AISTATS. [arXiv 1810.02789](https://arxiv.org/abs/1810.02789)
# * J. Tomczak, M. Welling (2018). *VAE with a VampPrior.* AISTATS. [arXiv 1705.07120](https://arxiv.org/abs/1705.07120)
# * Y. Lu, J. Lu (2020). *A Universal Approximation Theorem of Deep Neural Networks for Expressing Probability Distributions.* NeurIPS. [arXiv 2004.08867](https://arxiv.org/abs/2004.08867)
# * S. Jean, K. Cho, R. Memisevic, Y. Bengio (2015). *On Using Very Large Target Vocabulary for Neural Machine Translation.* ACL. [arXiv 1412.2007](https://arxiv.org/abs/1412.2007) (the sampled softmax)
# * Y. Burda, R. Grosse, R. Salakhutdinov (2016). *Importance Weighted Autoencoders.* ICLR. [arXiv 1509.00519](https://arxiv.org/abs/1509.00519)
# * T. Rainforth et al. (2018). *Tighter Variational Bounds are Not Necessarily Better.* ICML. [arXiv 1802.04537](https://arxiv.org/abs/1802.04537)
# * G. Tucker, D. Lawson, S. Gu, C. Maddison (2019). *Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives.* ICLR. [arXiv 1810.04152](https://arxiv.org/abs/1810.04152)
# * M. Bauer, A. Mnih (2021). *Generalized Doubly-Reparameterized Gradient Estimators.* ICML
# * S. Nowozin (2018). *Debiasing Evidence Approximations: On Importance-weighted Autoencoders and Jackknife Variational Inference.* ICLR, [openreview HyZoi-WRb](https://openreview.net/forum?id=HyZoi-WRb)
# * The text that this chapter covers: Artem Sobolev, [Importance Weighted Hierarchical Variational Inference](http://artem.sobolev.name/posts/2019-05-10-importance-weighted-hierarchical-variational-inference.html), 2019, the end of a
#   series that began with [Neural Samplers and Hierarchical Variational Inference](http://artem.sobolev.name/posts/2019-04-26-neural-samplers-and-hierarchical-variational-inference.html); there is a [talk](https://youtu.be/pdSu7XfGhHw)
