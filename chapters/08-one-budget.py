# %% [markdown] slideshow={"slide_type": "slide"}
# # One budget: which objective, and for what?
#
# When you leave this page you will be able to
#
# * **say** what *tight*, *low-variance*, *informative* and *expressive* each buy, in nats, and what each costs;
# * **read** a table of results with its standard errors, seed by seed, and **tell** a difference from luck;
# * **find** four ways in which an honest evaluation misleads: another $K$, a $K$ too small, too few images, an encoder that takes part in the judging;
# * **choose** an objective for a purpose, and **defend** the choice with a measured row;
# * **run** a comparison of your own, from prediction to verdict.
#
# You need chapters 04 and 05. Chapters 06 and 07 help with half of the table; where they are needed the text says so.
#
# **Reading 40 minutes, doing 50 minutes**, the project at the end not counted.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **Teaching this chapter: 90 minutes.** 20 cockpit (five presets, four minutes each), 5 predictions, 15 the table with exercises 1 and 2, 10 the four words, 20 pitfalls with exercises 3 and 4,
# 10 the guide with exercise 5, 5 the papers, 5 recap and project. Short of time: leave out the papers' tables. Never leave out the crossing curves: that figure is
# the one sentence of this chapter.
#
# Run the cells under *Explain: the numbers of the lecture* and *Pitfall 1* before the lesson; together they train for about half a minute.

# %% slideshow={"slide_type": "skip"}
import math

import matplotlib.pyplot as plt
import torch

from vaecourse import bounds, checks, data, labs, plots, recorded, reproduce, train
from vaecourse.labs import cockpit

plots.use_style()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Predict, drive, explain
#
# Below, a real VAE of the $8 \times 8$ digits trains while you turn its objective. Left, the two-dimensional codes of held-out digits, one colour for each digit. In the middle, the bound
# that is being climbed and $\log p(x)$ of held-out digits, in nats; under it the **signal-to-noise ratio** of the gradient, encoder and decoder (chapter 04). Right, samples and reconstructions.
#
# **Your predictions first.** Write them down; they are short.
#
# 1. The VAE has trained for a while. You press *drown the encoder*: IWAE with $K = 64$. Which of the two ratios falls, and does $\log p(x)$ fall with it?
# 2. Then *rescue it with MIWAE*: $M = K = 8$, still 64 samples. What comes back?
# 3. Then *collapse it*: InfoVAE with $\alpha = -9$, ten times the price for every nat in the code. What happens to the codes, and to the samples?
# 4. Then *save it with MMD*: $\alpha = 1$. Does the model come back at once?
# 5. And the question of this chapter: with 64 samples for every step, **which objective would you use**, and what would you measure to defend it?
#
# Press **Start**, and let the VAE run for about 200 steps before each new preset.

# %% slideshow={"slide_type": "subslide"} mystnb={"image": {"alt": "The training cockpit in two states: the ELBO after 80 steps, and InfoVAE with MMD. Left the codes of held-out digits in the plane, in the middle the bound and log p(x) above the signal-to-noise ratios of encoder and decoder, right samples and reconstructed digits."}}
labs.ALL["08.cockpit"]()

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **20 minutes, as a lecture.** Start with *VAE*; after 200 steps ask question 1, take hands, press. The encoder's curve (purple) drops onto the dotted line, which is what pure noise would read; **log p(x) goes on rising**.
# Ask now: *who is learning, if not the encoder?* Then *rescue it with MIWAE*: purple comes back up within forty steps. *Collapse it*: the cloud at the left shrinks to a blob that looks like the
# prior in every digit, all samples turn into the mean digit. Ask: *the bound is tight now. Is that good?* (The posterior **is** the prior; there is nothing left to infer.) Last *save it with MMD*: slowly. A
# collapsed code is a place where the gradient is small; leaving takes longer than falling in. Reset in between if you want each preset from the same start: same seed, same digits.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Explain: the numbers of the lecture.** The cell below drives the same trainer without the panel: 200 steps for each preset, one after the other, from the same seed.

# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
controls = {c.name: c.default for c in cockpit.CockpitLab.controls}
trainer, found = cockpit.CockpitTrainer(seed=0), {}
print("                        bound   log p(x)   SNR encoder   SNR decoder   rate")
for preset, turned in cockpit.CockpitLab.presets.items():
    trainer.train(controls | turned, steps=200)
    last = {name: sum(trainer.curve(name)[1][-2:]) / 2 for name in trainer.columns}  # of the last two measurements
    found[preset] = last
    print("{:>21}  {:7.2f}  {:9.2f}  {:12.2f}  {:12.2f}  {:5.2f}".format(preset, *last.values()))

# %% [markdown] slideshow={"slide_type": "fragment"}
# (1) The **encoder's** ratio falls to the floor, near $0.13$, that pure noise reads; the decoder's rises several times over, and $\log p(x)$ rises with it: the decoder learns, with codes that the encoder no longer improves. (2) With $M = K = 8$ the
# encoder's ratio comes back, the decoder's stays high. (3) The rate $KL(q(z \mid x) \,\|\, p(z))$, the nats in the code, drops to nearly nothing; so does $\log p(x)$, by more than two nats: every sample becomes the mean digit. (4) No.
# The rate grows again, slowly. With a two-dimensional code and a few hundred steps these are demonstrations. The measurements come now.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert round(cockpit.FLOOR, 2) == 0.13
vae_, drown, rescue, collapse, save = found.values()
assert drown["encoder"] < 0.2 and drown["encoder"] < 0.6 * vae_["encoder"] and drown["decoder"] > 3 * vae_["decoder"]
assert drown["log_p"] > vae_["log_p"] and rescue["encoder"] > 2 * drown["encoder"] and rescue["decoder"] > 3 * vae_["decoder"]
assert collapse["rate"] < 0.2 and collapse["log_p"] < rescue["log_p"] - 2 and collapse["rate"] < save["rate"] < rescue["rate"]

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Every objective, 64 samples
#
# The same experiment for everybody: the digits, the course's model with a ten-dimensional code, $MK = 64$ samples for every image at every step, the same schedule, the same seeds. Chapter 04 showed eight rows of it;
# three rows of chapter 05 have come in since. Judged on 360 test images, always in the same way:
#
# * **$\log p(x)$**, estimated with $K = 5000$: how good the *model* is (the decoder and the prior);
# * **ELBO**: $\log p(x)$ minus $KL(q \,\|\, p(z \mid x))$, so the *encoder* takes part;
# * **$L_{64}$**, the bound that IWAE climbs: between the two.
#
# Each run is in a file that ships with the course, with its settings, seeds, versions and machine. Nothing below is typed in.

# %% slideshow={"slide_type": "subslide"}
one, more = recorded.load("one_budget"), recorded.load("better_gradients")
same = [{name: s for name, s in r["settings"].items() if name != "rows"} for r in (one, more)]
assert same[0] == same[1]  # one experiment in two files
runs = {(r["row"], r["seed"]): r for r in one["runs"] + more["runs"]}
rows = [*one["settings"]["rows"], *more["settings"]["rows"]]


def column(runs, row, measure):
    """One measure of one row, seed -> nats."""
    return {seed: r[measure] for (name, seed), r in runs.items() if name == row}


def standard_error(values):
    """Mean over the seeds, and its standard error."""
    values = torch.tensor(list(values), dtype=torch.float64)
    return values.mean().item(), (values.std() / len(values) ** 0.5).item()


# %% slideshow={"slide_type": "fragment"}
names = {"log_p": "log p(x)", "iwae_64": "L_64", "elbo": "ELBO", "active_units": "active units"}
print("              seeds" + "".join(f"{name:^19}" for name in names.values()))
for row in sorted(rows, key=lambda row: -standard_error(column(runs, row, "log_p").values())[0]):
    cells = [standard_error(column(runs, row, measure).values()) for measure in names]
    print(f"{row:>13}  {len(column(runs, row, 'log_p')):4}" + "".join(f"   {m:8.3f} ± {e:.3f}" for m, e in cells))

# %% [markdown] slideshow={"slide_type": "fragment"}
# Sorted by $\log p(x)$. A number behind ± is a **standard error**: how far the mean over the seeds may be off. Make one yourself before you read on.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 1 · The number behind ± (●○○, 4 minutes)
#
# You get `values` `[S]`, one for each of $S$ seeds. Return two numbers: their mean, and the standard error of that mean. ($S$ is small: divide by $S - 1$ in the variance.)
#
# <details><summary>Hint</summary>The standard deviation is about one more seed. The standard error is about the mean of S of them. Which root stands between the two?</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def mean_and_error(values):
    # Your lines here: return mean, error
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["08.standard_error"](mean_and_error)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def mean_and_error(values):
    return values.mean(), values.std() / len(values) ** 0.5


verdict = checks.ALL["08.standard_error"](mean_and_error)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Seed by seed
#
# Is DReG better than IWAE? Both means of $\log p(x)$ stand in the table with errors of about a hundredth and a half, and they are less than a twentieth of a nat apart. From the table alone you would shrug.
#
# But look at how the runs were made. A **seed** makes the first weights, the order of the images, the pixels and the noise. Run 3 of DReG and run 3 of IWAE began at the same weights and saw the same pixels and the same noise. A
# lucky seed is lucky for both. So subtract **seed by seed**, and take the standard error of the *differences*.


# %% slideshow={"slide_type": "subslide"}
def paired(runs, row, other, measure):
    """By how much ``row`` is better than ``other``: mean difference over the seeds they share, its error, z."""
    a, b = column(runs, row, measure), column(runs, other, measure)
    mean, error = standard_error(a[seed] - b[seed] for seed in sorted(a.keys() & b.keys()))
    return mean, error, mean / error


def unpaired(runs, row, other, measure):
    """The same as if the two rows had nothing in common."""
    (a, ea), (b, eb) = (standard_error(column(runs, name, measure).values()) for name in (row, other))
    return a - b, math.hypot(ea, eb), (a - b) / math.hypot(ea, eb)


said = "{:+.3f} ± {:.3f}   z = {:+.1f}".format
for row, other in (("DReG", "IWAE"), ("PIWAE(8, 8)", "IWAE"), ("CIWAE .05", "PIWAE(4, 16)"), ("IWAE", "VAE")):
    for kind in (unpaired, paired):
        print(f"{row:>12} - {other:12} {kind.__name__:>9} ", said(*kind(runs, row, other, "log_p")))

# %% [markdown] slideshow={"slide_type": "fragment"}
# $z$ is the difference in standard errors; beyond 3 or so it is no luck. Unpaired, DReG's lead over IWAE looks like nothing: $|z| < 3$. Paired it is $0.04 \pm 0.01$, and $z$ is above 5: a small gain, and a sure one. Pairing is free. It only needs the seeds
# to be shared, so share them. It does not help where the two rows part early (IWAE and VAE, last lines), and it cannot hurt by much.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert abs(unpaired(runs, "DReG", "IWAE", "log_p")[2]) < 3 < 5 < paired(runs, "DReG", "IWAE", "log_p")[2]
gain, error, _ = paired(runs, "DReG", "IWAE", "log_p")
assert round(gain, 2) == 0.04 and 0.003 < error < 0.012
assert all(0.012 < standard_error(column(runs, row, "log_p").values())[1] < 0.025 for row in ("DReG", "IWAE"))
assert standard_error(column(runs, "DReG", "log_p").values())[0] - standard_error(column(runs, "IWAE", "log_p").values())[0] < 0.05
assert 0.7 < paired(runs, "IWAE", "VAE", "log_p")[1] / unpaired(runs, "IWAE", "VAE", "log_p")[1] < 1.4

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 2 · A pair is a seed (●●○, 5 minutes)
#
# You get `a` and `b`, `[S]` each: one measure of two rows, for the same $S$ seeds in the same order. Return by how much `a` is better than `b` in the mean, and the standard error of that.
#
# <details><summary>Hint</summary>One subtraction, and then you have solved this already.</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def better_by(a, b):
    # Your lines here: return difference, error
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["08.paired"](better_by)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def better_by(a, b):
    return mean_and_error(a - b)


verdict = checks.ALL["08.paired"](better_by)
assert verdict.passed
verdict

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "subslide"} tags=["hide-input"] mystnb={"image": {"alt": "Three panels with a line for each of eleven objectives, the difference to IWAE with error bars of two standard errors. Left, log p(x): PIWAE, STL and DReG a little above zero, the VAE a third of a nat below. Middle, L_64: the same order, a little clearer. Right, ELBO: every row is above IWAE, VAE, CIWAE .5 and VR-IWAE by more than three nats, DReG by one."}}
order = sorted(rows, key=lambda row: 0.0 if row == "IWAE" else paired(runs, row, "IWAE", "log_p")[0])
_, axes = plt.subplots(1, 3, figsize=(10, 4.4), sharey=True)
for ax, measure in zip(axes, ("log_p", "iwae_64", "elbo")):
    for place, row in enumerate(order):
        mean, error = (0.0, 0.0) if row == "IWAE" else paired(runs, row, "IWAE", measure)[:2]
        ax.errorbar(mean, place, xerr=2 * error, fmt="o", color=plots.IWAE if mean >= -2 * error else plots.ELBO)
    ax.axvline(0, color=plots.PRIOR, linewidth=2)
    ax.set_xlabel(f"{names[measure].replace('L_64', '$L_{64}$')}, nats above IWAE")
axes[0].set_yticks(range(len(order)), order)
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# Each row minus IWAE, seed by seed, with bars of two standard errors. Orange: surely worse. Now read it as a whole, and mind the three scales.
#
# * **The model** (left): the leaders are STL, PIWAE and DReG, $0.04$ to $0.05$ nats ahead of IWAE and not to be told from each other. They share one thing: a *tight* bound for the decoder **and** a *clear* gradient for the encoder. (STL's is biased, chapter 05 said, and it leads all the same.)
# * **The encoder** (right): every row is better than IWAE, the ELBO's own rows by more than three nats.
# * The scales differ by a factor of ten. What you choose hardly moves $\log p(x)$; it moves the encoder a lot.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
leaders = ("STL", "PIWAE(4, 16)", "PIWAE(8, 8)", "DReG")
for row in leaders:
    gain, _, z = paired(runs, row, "IWAE", "log_p")
    assert 0.035 < gain < 0.055 and z > 3
assert all(abs(paired(runs, a, b, "log_p")[2]) < 2.5 for a in leaders for b in leaders if a != b)
assert set(sorted(rows, key=lambda row: 0.0 if row == "IWAE" else -paired(runs, row, "IWAE", "log_p")[0])[:4]) == set(leaders)
assert all(paired(runs, row, "IWAE", "elbo")[2] > 4 for row in rows if row != "IWAE")
assert all(3 < paired(runs, row, "IWAE", "elbo")[0] < 3.6 for row in ("VAE", "CIWAE .5", "VR-IWAE .5"))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What each word buys
#
# The whole course is about four words. Each has a price, and now each has a number.
#
# **Tight** ($K$ samples under one logarithm, chapter 03). IWAE against the VAE, 64 samples each: $+0.36 \pm 0.02$ nats of $\log p(x)$. Price: $3.4$ nats of ELBO, an encoder that cannot be used by itself.
#
# **Low-variance** (chapters 02, 04, 05). It buys in three places:
#
# * *more samples*: the VAE with $M = 64$ against the VAE with $M = 1$, same schedule: $+0.44 \pm 0.03$ nats of $\log p(x)$. **As much as tightness**, for the oldest trick there is, averaging;
# * *fewer samples under a logarithm*: MIWAE(8, 8) against IWAE: $+2.8$ nats of ELBO, for $0.03 \pm 0.01$ nats of $\log p(x)$, which is hardly a price;
# * *a better estimator of the same gradient*: DReG against IWAE: $+0.04 \pm 0.01$ of $\log p(x)$ **and** $+1.0$ of ELBO. No price at all: the same samples, the same bound, the same time.

# %% slideshow={"slide_type": "subslide"}
family = {(r["row"], r["seed"]): r for r in recorded.load("infovae")["runs"]}
for r in family.values():
    r["elbo"] = r["reconstruction"] - r["rate"]
# Same model, same schedule, same seeds; one sample in place of 64.
assert recorded.load("infovae")["settings"]["schedule"] == one["settings"]["schedule"]
single = {("one sample", seed): r for (row, seed), r in family.items() if row == "VAE"}
both = runs | single
for row, other in (("IWAE", "VAE"), ("VAE", "one sample"), ("MIWAE(8, 8)", "IWAE"), ("DReG", "IWAE")):
    for measure in ("log_p", "elbo"):
        print(f"{row:>12} - {other:10} {names[measure]:>9} ", said(*paired(both, row, other, measure)))

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
near = lambda value, said, by=0.006: abs(value - said) < by
gain, error, _ = paired(both, "IWAE", "VAE", "log_p")
assert near(gain, 0.36) and near(error, 0.02) and near(paired(both, "IWAE", "VAE", "elbo")[0], -3.4, 0.06)
gain, error, _ = paired(both, "VAE", "one sample", "log_p")
assert near(gain, 0.44, 0.02) and near(error, 0.03, 0.012)
gain, error, _ = paired(both, "MIWAE(8, 8)", "IWAE", "log_p")
assert near(gain, -0.03) and near(error, 0.01) and near(paired(both, "MIWAE(8, 8)", "IWAE", "elbo")[0], 2.8, 0.06)
gain, error, _ = paired(both, "DReG", "IWAE", "log_p")
assert near(gain, 0.04) and near(error, 0.01) and near(paired(both, "DReG", "IWAE", "elbo")[0], 1.0, 0.1)

# %% [markdown] slideshow={"slide_type": "slide"}
# **Informative** (chapter 06: $\alpha$, $\lambda$ and a divergence on the aggregate). These rows spend *one* sample a step, so they are compared with the VAE of their own record, and with no row above.

# %% slideshow={"slide_type": "subslide"}
chosen = ["VAE", "beta-VAE .5", "KL minibatch", "MMD-VAE, IMQ", "AAE (JS adversarial)"]
columns = {"log_p": "log p(x)", "mutual_information": "information"}
columns |= {"aggregate_kl": "aggregate KL", "linear_probe": "probe"}
print(" " * 21 + "".join(f"{name:^19}" for name in columns.values()))
for row in chosen:
    cells = [standard_error(column(family, row, measure).values()) for measure in columns]
    print(f"{row:>20} " + "".join(f"   {m:7.3f} ± {e:.3f} " for m, e in cells))

# %% [markdown] slideshow={"slide_type": "fragment"}
# Nats, and in the last column the share of test digits that a linear classifier reads off the code. The minibatch KL with $\alpha = 1$ has $2.1$ nats more information than the VAE, $4 \pm 1$ points more in the probe, **and** $0.35 \pm 0.02$ nats more $\log p(x)$; its
# price is an aggregate that fits the prior less well. MMD-VAE has even more information, $2.5$ nats above the VAE, and a **worse** probe, by $3.5$ points, and a nat less of $\log p(x)$. The adversarial autoencoder can name every training image,
# $7.27 = \log 1437$ nats, has a probe like the VAE's, and eighteen nats less of $\log p(x)$. **Information is not usefulness.** Measure what you want to use.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
against = lambda row, measure: paired(family, row, "VAE", measure)
assert near(against("KL minibatch", "mutual_information")[0], 2.1, 0.1)
assert near(against("KL minibatch", "linear_probe")[0], 0.04, 0.006) and near(against("KL minibatch", "linear_probe")[1], 0.01, 0.006)
assert near(against("KL minibatch", "log_p")[0], 0.35, 0.02) and against("KL minibatch", "log_p")[1] < 0.03
assert against("KL minibatch", "aggregate_kl")[2] > 4 and near(against("MMD-VAE, IMQ", "mutual_information")[0], 2.5, 0.15)
assert near(against("MMD-VAE, IMQ", "linear_probe")[0], -0.035, 0.005) and near(against("MMD-VAE, IMQ", "log_p")[0], -1.05, 0.1)
assert near(against("AAE (JS adversarial)", "log_p")[0], -18, 1.2) and abs(against("AAE (JS adversarial)", "linear_probe")[2]) < 3
assert round(math.log(1437), 2) == 7.27 and near(standard_error(column(family, "AAE (JS adversarial)", "mutual_information").values())[0], 7.27)

# %% [markdown] slideshow={"slide_type": "slide"}
# **Expressive** (chapter 07: a $q$ that is not a Gaussian). Where the posterior is strange it is everything: on the 50-dimensional Laplace law SIVI's bound with 50 samples is $6.9$ nats off, and a $\tau$ trained for 100 steps removes more than 98% of that. On the digits, with
# the course's small model, it buys **nothing that we can see**:

# %% slideshow={"slide_type": "subslide"}
hierarchical = {(r["row"], r["seed"]): r for r in recorded.load("hierarchical_digits")["runs"]}
for row in recorded.load("hierarchical_digits")["settings"]["rows"]:
    if row != "Gaussian":
        print(f"{row:>19} - Gaussian   log p(x) ", said(*paired(hierarchical, row, "Gaussian", "log_p")))
laplace = recorded.load("laplace")
points = [(r["steps"], p) for r in laplace["runs"] for p in r["points"] if p["K"] == 50]
U = {steps: standard_error(p["upper"] for s, p in points if s == steps)[0] for steps in (0, 100)}
off = {steps: U[steps] - laplace["settings"]["exact"] for steps in U}
print(f"Laplace, K = 50: SIVI {off[0]:.2f} nats off, tau trained for 100 steps {off[100]:.2f}")
assert round(off[0], 1) == 6.9 and 1 - off[100] / off[0] > 0.98

# %% [markdown] slideshow={"slide_type": "fragment"}
# Three hierarchical encoders, none of them distinguishable from the Gaussian. What does help by $0.15$ nats is a **wider Gaussian** encoder, with about as many parameters as IWHVI has, and by $0.19$ a better *prior*, the VampPrior. Three seeds: the errors are
# $0.05$ and more, so these two are likely, not sure. The lesson is about bottlenecks: an expressive $q$ repairs the *family* of $q$. Here the amortised network and the prior were the narrower places.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
beside = lambda row: paired(hierarchical, row, "Gaussian", "log_p")
assert all(abs(beside(row)[2]) < 3 and abs(beside(row)[0]) < 0.1 for row in ("HVM", "SIVI", "IWHVI"))
assert near(beside("Gaussian, wide")[0], 0.15, 0.01) and near(beside("Gaussian, VampPrior")[0], 0.19, 0.01)
assert beside("Gaussian, wide")[1] > 0.04 and beside("Gaussian, VampPrior")[1] > 0.04
size = lambda row: hierarchical[row, 0]["encoder_parameters"]
assert 0.9 < size("Gaussian, wide") / size("IWHVI") < 1.1
# The three values of the teacher's note below.
three = (column(runs, "VAE", "log_p"), column(family, "VAE", "log_p"), column(hierarchical, "Gaussian", "log_p"))
assert all(near(standard_error(c.values())[0], nats) for c, nats in zip(three, (-23.25, -23.67, -23.71)))

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **10 minutes.** Ask now: *the VAE has three different log p(x) in our records: −23.25, −23.67, −23.71. Which one is right?* All three: 64 samples a step, one sample a step, one sample with another schedule. A name of an objective
# is not an experiment; a row without its budget compares with nothing.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Pitfall 1: another $K$
#
# Here are two models, trained before your eyes with 64 samples a step and the same seed: one by the ELBO, one by IWAE. Each is then given 5000 importance samples for each test image, **once**, and every $L_K$ is computed from these.

# %% slideshow={"slide_type": "subslide"} tags=["nbval-ignore-output"]
images, models = data.digits(), {}
x_test = images.binary_test()
short = {"epochs": 20, "learning_rate": 3e-3, "seed": 100, "progress": False, "device": "cpu"}
for name, objective, M, K in (("VAE", "elbo", 64, 1), ("IWAE", "iwae", 1, 64)):
    models[name] = train.untrained(images, seed=100)
    train.fit(models[name], images, objective, M, K, **short)


@torch.no_grad()
def log_weights(model, x, noise):
    """5000 for each point, a hundred at a time: [5000, B]."""
    return torch.cat([model.log_weights(x, 1, 100, noise)[0] for _ in range(50)])


log_w = {name: log_weights(model, x_test, torch.Generator().manual_seed(0)) for name, model in models.items()}
L = lambda w, K: bounds.miwae(w.view(5000 // K, K, -1))  # the mean of 5000 / K bounds of K samples: [B]
for K in (1, 10, 20, 100, 5000):
    print(f"K = {K:4}   " + "   ".join(f"{name} {L(w, K).mean():.2f}" for name, w in log_w.items()))

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Who wins?** Three people write three papers about these two models.
#
# * *"IWAE is better by a third of a nat"* compares each model by its own training bound: the VAE's ELBO with IWAE's $L_{64}$.
# * *"The VAE is better by three nats"* compares ELBOs.
# * *"IWAE is better by a quarter of a nat"* compares both at $K = 5000$.
#
# The first mixes two things, the model and the tightness of the bound; that its verdict is near the third one's is an accident. The second compares model *and encoder*. Only the third is about the models.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "fragment"} tags=["hide-input", "nbval-ignore-output"] mystnb={"image": {"alt": "Left: L_K of two models against K. The VAE's curve is nearly flat; IWAE's starts three nats lower, crosses it between K = 10 and K = 50 and ends a quarter of a nat higher. Right: for images drawn from the IWAE model itself, a lower and an upper bound on log p(x) close on each other as K grows, from five nats apart at K = 1 to less than a twentieth at K = 5000."}}
def sandwich(model, n=300, seed=1):
    """Lower and upper bounds for images of the model's own, whose z is known: {K: ([n], [n])}."""
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        z = torch.randn(n, model.latent_dim, generator=noise)
        x = torch.bernoulli(model.decode(z), generator=noise)
        mean, log_std = model.encode(x)
        eps = (z - mean) / log_std.exp()
        log_q = (-0.5 * eps**2 - log_std - 0.5 * math.log(2 * math.pi)).sum(-1)  # [n]
        own = (model.log_joint(x, z[None, None]) - log_q)[0, 0]  # the log-weight of the z that made x
        w = log_weights(model, x, noise)
    found = {}
    for K in every:
        groups = w.view(5000 // K, K, n).clone()
        groups[:, 0] = own
        found[K] = L(w, K), bounds.miwae(groups)
    return found


every = (1, 2, 5, 10, 20, 50, 100, 500, 1000, 5000)
width = sandwich(models["IWAE"])
_, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
for name, w in log_w.items():
    left.plot(every, [L(w, K).mean() for K in every], "o-", color=plots.ELBO if name == "VAE" else plots.IWAE, label=name)
left.set(xscale="log", xlabel="K of the evaluation", ylabel="test $L_K$, nats"), left.legend(loc="lower right")
for side, color, label in ((0, plots.IWAE, "lower: $L_K$"), (1, plots.UPPER, "upper: with the true z")):
    right.plot(every, [pair[side].mean() for pair in width.values()], "o-", color=color, label=label)
right.set(xscale="log", xlabel="K of the evaluation", title="images of the IWAE model itself"), right.legend(loc="lower right")
plt.show()

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Left: the two curves cross**, between $K = 10$ and $K = 50$. Every verdict can be had by choosing $K$, and only far to the right is it about the models. (The right half belongs to the next pitfall.)

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
# What the text says, with room for another machine's rounding.
gap = {K: L(log_w["IWAE"], K) - L(log_w["VAE"], K) for K in every}
z_of = lambda d: (d.mean() / d.std() * len(d) ** 0.5).item()
assert z_of(gap[1]) < -20 and -3.8 < gap[1].mean() < -2.6 and gap[10].mean() < 0 < gap[50].mean()
assert z_of(gap[5000]) > 4 and 0.15 < gap[5000].mean() < 0.4
naive = L(log_w["IWAE"], 50).mean() - L(log_w["VAE"], 1).mean()
assert 0.2 < naive < 0.55
lower, upper = zip(*width.values())
assert 4 < (upper[0] - lower[0]).mean() < 7 and (upper[-1] - lower[-1]).mean() < 0.05
assert all(z_of(u - low) > -4 for low, u in width.values())

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 3 · Spot the bug: a gain that is none (●●○, 6 minutes)
#
# `log_w_old` and `log_w_new`, `[M, K, B]` each, are log-weights of two models on the same test points. The function should return by how many nats the new **model** is better. It goes back to a table in which each model is
# reported by the bound that it was trained on. Mend it: one number.
#
# <details><summary>Hint</summary>Both models come with M K samples. What is the tightest bound that you can give to both?</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def gain(log_w_old, log_w_new):
    return None  # take this line away when you have mended the rest
    return bounds.iwae(log_w_new).mean() - bounds.elbo(log_w_old).mean()


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["08.spot_the_bound"](gain)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def gain(log_w_old, log_w_new):
    return bounds.iwae(log_w_new).mean() - bounds.iwae(log_w_old).mean()


verdict = checks.ALL["08.spot_the_bound"](gain)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Pitfall 2: is $K$ large enough?
#
# $L_{5000}$ is still a lower bound. What is missing is about $\chi^2 / (2K)$ (chapter 03), and $\chi^2$ belongs to the **encoder**: a bad encoder makes its own model look worse. Three ways to find out, from cheap to sure.
#
# **Look at the curve's end.** If the gap is like $1/K$, the step from $K = 2500$ to $K = 5000$ is as long as what is still missing.

# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
for name, w in log_w.items():
    step = L(w, 5000) - L(w, 2500)
    ess = bounds.effective_sample_size(w[None])[0]
    print(f"{name:>4}: L_5000 - L_2500 = {step.mean():.4f} ± {step.std() / len(step) ** 0.5:.4f},", end=" ")
    print(f"effective samples of 5000: median {ess.median():.0f}, least {ess.min():.0f}")
    assert step.mean() < 0.01

# %% [markdown] slideshow={"slide_type": "fragment"}
# Less than a hundredth of a nat for both, which is far below the quarter of a nat between the models. The effective sample size tells the same story: the IWAE-trained encoder wastes nine samples in ten. That is enough here, and the minimum says for which image it would first not be.
#
# **Sandwich it.** For an image *drawn from the model* the $z$ that made it is a draw of the exact posterior. Put it among the $K$ samples in place of one of them, and the log-mean becomes an **upper** bound of $\log p(x)$ in expectation. (Chapter 07's $U_K$ is made in the
# same way: there $\psi_0$ is the draw of the posterior.) The right half of the figure above: from five nats apart at $K = 1$ to less than $0.05$ at $K = 5000$. So $K = 5000$ is enough, for images like the model's own. For
# test images, which may be stranger, this is a strong hint and no proof.
#
# **Use a judge that is not the encoder.** *Annealed importance sampling* (Neal 2001) goes from the prior to the posterior through many intermediate laws, with a few steps of a Markov chain in each. Its weights have mean $p(x)$ like ours, and it needs no encoder. Wu and others (2017) used it
# to judge decoder-based models, and checked it by such a sandwich, *bidirectional Monte Carlo* (Grosse and others 2015). You need it where importance sampling fails: for models with a broken encoder or none. Remember the adversarial autoencoder above, eighteen nats
# below the VAE. How much of that is the model, and how much an encoder whose $q$ misses the posterior? $L_{5000}$ cannot say.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert 0.02 < bounds.effective_sample_size(log_w["IWAE"][None]).median() / 5000 < 0.2
# The sandwich where log p(x) is known: chapter 01's linear Gaussian model, images of its own.
from vaecourse import exact

ppca, noise = exact.LinearGaussian(torch.tensor([[1.5]], dtype=torch.float64), 0.7), torch.Generator().manual_seed(3)
x_own, z_own = ppca.sample(4000, noise)
m_own, s_own = 0.3 * x_own, torch.full_like(x_own, 0.8)
w_own = ppca.log_weights(x_own, m_own, s_own, 1, 20, noise)
log_q_own = torch.distributions.Normal(m_own, s_own).log_prob(z_own).sum(-1)
with_z = w_own.clone()
with_z[0, 0] = ppca.log_joint(x_own, z_own) - log_q_own
truth = ppca.log_likelihood(x_own)
assert z_of(bounds.iwae(with_z) - truth) > 4 and z_of(truth - bounds.iwae(w_own)) > 4

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 4 · Spot the bug: 5000 that are 100 (●●○, 6 minutes)
#
# 5000 samples do not fit into memory at once. So the log-weights come in parts, a list of tensors `[K_i, B]`; the last part may be shorter. The function should return $\log \hat p(x)$ from **all** samples, `[B]`. It is reported as $L_{5000}$, and it is not. Mend it.
#
# <details><summary>Hint</summary>Fifty estimates of L_100, averaged, have the expected value of ... ? Under how many logarithms does each sample stand?</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def log_likelihood(parts):
    return None  # take this line away when you have mended the rest
    each = [log_w.logsumexp(0) - math.log(len(log_w)) for log_w in parts]
    return torch.stack(each).mean(0)


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["08.spot_the_stream"](log_likelihood)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def log_likelihood(parts):
    total = torch.stack([log_w.logsumexp(0) for log_w in parts]).logsumexp(0)  # one number for each part is enough
    return total - math.log(sum(len(log_w) for log_w in parts))


verdict = checks.ALL["08.spot_the_stream"](log_likelihood)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Pitfall 3: which error?
#
# There are two kinds of luck: **which images** happen to be in the test set, and **which seed** happened to train the model. Each has a standard error of its own, and papers often print neither.

# %% slideshow={"slide_type": "fragment"} tags=["nbval-ignore-output"]
ours = L(log_w["IWAE"], 5000)
difference = ours - L(log_w["VAE"], 5000)
over_seeds = torch.tensor(list(column(runs, "IWAE", "log_p").values()))
print(f"360 images, one model:         ± {ours.std() / 360**0.5:.3f}")
print(f"360 images, two models paired: ± {difference.std() / 360**0.5:.3f}")
print(f"one seed:                      ± {over_seeds.std():.3f}")
print(f"ten seeds:                     ± {over_seeds.std() / 10**0.5:.3f}")
print(f"10 000 images, one model:      ± {ours.std() / 10_000**0.5:.3f}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# The images differ much: a single model's $\log p(x)$ is only known to about $\pm 0.2$ nats on 360 of them, half of what lies between the best and the worst row of our table. On **the same images** the difference of two models is known five times better: pairs again. And the
# seeds: one seed is off by about $0.05$, so **a table from one seed cannot see the leaders' gains**. All rows above share the test images. So the order of the rows is safe for *these* 360 images; for other images of the same kind the paired error is the honest one.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert 0.15 < ours.std() / 360**0.5 < 0.25 and 4 < ours.std() / difference.std() < 7
spread = paired(runs, "PIWAE(8, 8)", "VAE", "log_p")[0]
assert 0.35 < (ours.std() / 360**0.5) / spread < 0.65
assert near(over_seeds.std(), 0.05, 0.012)

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **20 minutes for the three pitfalls.** Show the crossing curves *before* the text and let the class write the abstract of the paper: half will write that IWAE is better, half that it is worse. Ask now: *what would you ask the
# authors, if you were the reviewer?* Wanted: which K, how many seeds, paired or not, which images.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The papers' tables beside ours
#
# Other data, a bigger network, a longer schedule: the *numbers* of MNIST and of the digits cannot agree. What can agree is the **sign** of a difference, and how sure it is. First Rainforth and others (2018), $MK = 64$ on MNIST, four runs. Each row minus IWAE; theirs unpaired, since the single
# runs are not printed. A dagger marks a number that we could not check against the paper.

# %% slideshow={"slide_type": "subslide"}
paper = reproduce.TABLES["tighter"].paper


def theirs(row, measure):
    """Row minus IWAE in the paper: difference, error (None if one is not printed), unchecked."""
    a, b = paper[measure][row], paper[measure]["IWAE"]
    error = None if a.error is None else math.hypot(a.error, b.error)
    return a.value - b.value, error, not (a.checked and b.checked)


for measure in ("iwae_64", "log_p"):
    print(f"{names[measure]:>13}      paper, MNIST            z      ours, digits            z")
    for row in list(one["settings"]["rows"])[1:]:
        d, e, dagger = theirs(row, measure)
        printed = f"{d:+.2f} ± {e:.2f} {d / e:+7.1f}" if e else f"{d:+.2f}              "
        mean, error, z = paired(runs, row, "IWAE", measure)
        print(f"{row:>13}  {'†' if dagger else ' '}   {printed:>22}      {mean:+.3f} ± {error:.3f} {z:+7.1f}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# Look for a row in which the two signs differ. In $L_{64}$ there is one, CIWAE with $\beta = 0.5$, and there the paper's $z$ is below 1. In $\log p(x)$ there is one more, CIWAE with $\beta = 0.05$, and neither $z$ reaches 1. **Every difference of which the paper is sure, $|z| > 3$, has the same sign here.** Where the
# paper is unsure, PIWAE's gain in $\log p(x)$, the digits are sure: pairs see more than unpaired runs.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
sure = 0
for measure in ("iwae_64", "log_p"):
    for row in list(one["settings"]["rows"])[1:]:
        d, e, _ = theirs(row, measure)
        z = paired(runs, row, "IWAE", measure)[2]
        assert not (e and abs(d / e) > 3 and abs(z) > 3 and d * z < 0), (measure, row)
        if e and abs(d / e) > 3:
            sure += 1
            assert d * z > 0, (measure, row, d, z)
d, e, _ = theirs("CIWAE .5", "iwae_64")
assert d > 0 and d / e < 1 and paired(runs, "CIWAE .5", "IWAE", "iwae_64")[2] < -3 and sure >= 4
signs = [(m, row) for m in ("iwae_64", "log_p") for row in [*one["settings"]["rows"]][1:] if theirs(row, m)[0] * paired(runs, row, "IWAE", m)[0] < 0]
assert signs == [("iwae_64", "CIWAE .5"), ("log_p", "CIWAE .05")]
d, e, _ = theirs("CIWAE .05", "log_p")
assert abs(d / e) < 1 and abs(paired(runs, "CIWAE .05", "IWAE", "log_p")[2]) < 1
assert all(theirs(row, "log_p")[0] / theirs(row, "log_p")[1] < 3 < paired(runs, row, "IWAE", "log_p")[2] for row in ("PIWAE(4, 16)", "PIWAE(8, 8)"))

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Where numbers can agree, they do.** The Laplace law of chapter 07 has no data and no training in SIVI's column: only an expectation. Known values, computed by other code with standard errors of at most $0.06$, beside our record:

# %% slideshow={"slide_type": "fragment"}
known = {int(name[2:]): quoted["SIVI"] for name, quoted in reproduce.TABLES["laplace"].paper.items()}
points = {K: [p for r in laplace["runs"] if r["steps"] == 0 for p in r["points"] if p["K"] == K] for K in known}
for K, quoted in known.items():
    mean = sum(p["upper"] for p in points[K]) / len(points[K])
    error = math.sqrt(sum(p["upper_error"] ** 2 for p in points[K])) / len(points[K])  # each run knows its own
    z = (mean - quoted.value) / math.hypot(error, quoted.error)
    print(f"K = {K:4}   known {quoted.value:.2f} ± {quoted.error:.2f}   ours {mean:.3f} ± {error:.3f}   z = {z:+.1f}")
    assert abs(z) < 4

# %% [markdown] slideshow={"slide_type": "fragment"}
# All within noise. Now MNIST. *IWAE* (Burda and others), negative $\log \hat p(x)$ with $K = 5000$, one stochastic layer:
#
# | | $k = 1$ | $k = 5$ | $k = 50$ |
# |---|---|---|---|
# | VAE | 86.76 | 86.47 | 86.35 |
# | IWAE | 86.76 | 85.54 | 84.78 |
#
# The paper has $1.57$ nats between VAE and IWAE at $k = 50$, where the digits have $0.36$ at 64; and $0.41$ nats from averaging 50 samples in the VAE, where the digits have $0.44$ from averaging 64. Same signs.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
nll = {row: quoted.value for row, quoted in reproduce.TABLES["iwae"].paper["nll"].items()}
assert nll == {"k = 1": 86.76, "VAE, k = 5": 86.47, "IWAE, k = 5": 85.54, "VAE, k = 50": 86.35, "IWAE, k = 50": 84.78}
assert round(nll["VAE, k = 50"] - nll["IWAE, k = 50"], 2) == 1.57 and round(nll["k = 1"] - nll["VAE, k = 50"], 2) == 0.41

# %% [markdown] slideshow={"slide_type": "subslide"}
# **And our own MNIST**, as far as a small machine gets: `python -m vaecourse reproduce iwae`, the paper's network and optimiser, a **shortened schedule**, one seed, the first 1000 test images.

# %% slideshow={"slide_type": "fragment"}
mnist = recorded.load("reproduce_iwae_mnist")
ours_nll = {r["row"]: r for r in mnist["runs"] if r["seed"] == 0}
passes, of, n = (*[mnist["settings"]["schedule"][k] for k in ("passes", "of")], mnist["settings"]["test_images"])
print(f"{passes} passes of {of}, {n} test images; ± is over the images")
for row in ("k = 1", "VAE, k = 5", "IWAE, k = 5"):
    r = ours_nll[row]
    print(f"{row:>11}: ours {r['nll']:.2f} ± {r['nll_spread'] / n**0.5:.2f}, active units {r['active_units']}; paper {nll[row]}")
assert (passes, of) == (13, 3280)

# %% [markdown] slideshow={"slide_type": "fragment"}
# After 13 passes of 3280 everybody is seven or eight nats short of the paper, so this compares rows, not papers. Five samples are worth $1.7$ nats already; and whether they are **averaged** or put **under one logarithm** makes no difference yet, less than $0.01$ nats, where the paper
# has $0.93$ in the end. (One seed, so there is no $z$. The number behind ± is about the images.) Our guess: tightness pays late, once the model is so good that its encoder cannot follow. A comparison on a short schedule misses it.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
got = {row: r["nll"] for row, r in ours_nll.items()}
assert all(6.5 < got[row] - nll[row] < 8.5 for row in ("k = 1", "VAE, k = 5", "IWAE, k = 5"))
assert near(got["k = 1"] - got["VAE, k = 5"], 1.7, 0.02) and abs(got["IWAE, k = 5"] - got["VAE, k = 5"]) < 0.01
assert round(nll["VAE, k = 5"] - nll["IWAE, k = 5"], 2) == 0.93

# %% [markdown] slideshow={"slide_type": "subslide"}
# One more table, quoted. *IWHVI* (Sobolev and Vetrov), $\log p(x)$ with an error of $0.1$, all from memory and unchecked (†):
#
# | IWHVI | SIVI | RealNVP | HVM | IAF | VAE |
# |---|---|---|---|---|---|
# | −83.9 † | −84.4 † | −84.8 † | −84.9 † | −84.9 † | −85.0 † |
#
# If these are right, an expressive $q$ is worth a nat on MNIST with a 32-dimensional code. On the digits it is worth nothing. **Not reproduced at our scale**, and the sentence above on bottlenecks is our explanation, not a measurement.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Which one, then?
#
# Before the guide, a tool. Some rows need no discussion: another row is at least as good in everything you care about, and better in something. Those are **dominated**. What remains is the **Pareto set**, the honest choices.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 5 · The rows nobody dominates (●●○, 7 minutes)
#
# You get `scores` `[R, C]`: $R$ rows, $C$ measures, **higher is better** in each. Row $i$ *dominates* row $j$ if it is at least as good in every measure and better in at least one. Return a boolean tensor `[R]`: `True` for every row that no other row dominates.
#
# <details><summary>Hint</summary>scores[:, None] against scores[None, :] compares all pairs, [R, R, C]. Then one `all`, one `any` over C, and one `any` over the right one of the two R axes.</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def pareto(scores):
    # Your lines here.
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
checks.ALL["08.pareto"](pareto)


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def pareto(scores):
    as_good = (scores[:, None] >= scores[None, :]).all(-1)  # [R, R]: i is nowhere worse than j
    better = (scores[:, None] > scores[None, :]).any(-1)
    return ~(as_good & better).any(0)


verdict = checks.ALL["08.pareto"](pareto)
assert verdict.passed
verdict

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "subslide"} tags=["hide-input"] mystnb={"image": {"alt": "Eleven objectives, ELBO to the right and log p(x) upwards. A line joins the rows that nobody dominates, from STL at the top left through MIWAE (8, 8) to VR-IWAE .5, CIWAE .5 and the VAE at the lower right; IWAE lies far inside at the left."}}
common = sorted(set.intersection(*({seed for name, seed in runs if name == row} for row in rows)))
scores = torch.tensor([[sum(runs[row, s][m] for s in common) / len(common) for m in ("elbo", "log_p")] for row in rows])
front = [i for i in scores[:, 0].argsort().tolist() if pareto(scores)[i]]
_, ax = plt.subplots(figsize=(8, 4.4))
ax.plot(*scores[front].T, color=plots.PRIOR, zorder=0)
for i, row in enumerate(rows):
    ax.plot(*scores[i], "o", color=plots.IWAE if i in front else plots.PRIOR)
    shift = {"CIWAE .5": (-60, -4), "VAE": (-34, -4), "VR-IWAE .5": (-74, -4), "PIWAE(4, 16)": (-30, -16), "PIWAE(8, 8)": (-50, 8), "MIWAE(4, 16)": (8, -8), "CIWAE .05": (-62, -14)}
    ax.annotate(row, scores[i], shift.get(row, (6, 6)), textcoords="offset points", fontsize=10)
ax.set(xlabel="ELBO, nats (the encoder, as it is)", ylabel="log p(x), nats (the model)")
ax.margins(0.12)
plt.show()
print("nobody dominates:", ", ".join(rows[i] for i in front))

# %% [markdown] slideshow={"slide_type": "fragment"}
# Means over the seeds that all eleven rows share; blue is the Pareto set. IWAE is dominated by STL, DReG, PIWAE, in both measures: **plain IWAE is the one row of the table that this course cannot recommend for a model whose encoder is trained by it.** (As a *judge*, $L_{5000}$, it is irreplaceable.) MIWAE(8, 8) is the
# knee of the curve: going left from it gains less than $0.08$ nats of model and costs $0.6$ of encoder and more; going right costs a tenth of a nat of model at the next stop.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
for row in ("STL", "DReG", "PIWAE(4, 16)", "PIWAE(8, 8)"):
    assert all(paired(runs, row, "IWAE", measure)[2] > 3 for measure in ("log_p", "elbo"))
kept = [rows[i] for i in front]
assert "MIWAE(8, 8)" in kept and "VAE" in kept and "IWAE" not in kept
knee = kept.index("MIWAE(8, 8)")
value = dict(zip(rows, scores.tolist()))
assert value[kept[0]][1] - value["MIWAE(8, 8)"][1] < 0.085 and value["MIWAE(8, 8)"][0] - value[kept[knee - 1]][0] > 0.55
assert 0.08 < value["MIWAE(8, 8)"][1] - value[kept[knee + 1]][1] < 0.16

# %% [markdown] slideshow={"slide_type": "slide"}
# **A guide, with its evidence.** The rows are measured on digits; the reasons are not bound to them.
#
# | you want | begin with | measured here | because |
# |---|---|---|---|
# | **a density** ($\log p(x)$, compression, outliers) | `dreg` or `piwae`, $K$ as large as you can pay | $+0.04$ over IWAE, $+0.40$ over the VAE | tight for $\theta$, a clear gradient for $\phi$ |
# | **a posterior** ($q$ used as it is) | `elbo` with many samples, or `vr_iwae` with $\alpha = .5$ | VR-IWAE: $0.08$ below the VAE's ELBO, and $0.23$ above its $\log p(x)$ | few weights decide under a tight bound |
# | **both** | `miwae`, $M = K = 8$ | gives up $0.03$ of $\log p(x)$ against IWAE, gains $2.8$ of ELBO | the knee |
# | **a representation** | InfoVAE: $\alpha > 0$, with a divergence that sees a misfit; probe it | KL minibatch: probe $+4$ points over the VAE; MMD-VAE: $-3.5$ | information is not usefulness |
# | **samples** | look at the aggregate, then at the prior: a VampPrior | $+0.19$ over $\mathcal N(0, I)$ | $p(z)$ must lie where the codes lie |
# | **a strange posterior** | IWHVI: learn $\tau$, keep $\psi_0$ | Laplace: 98% of SIVI's gap gone; digits: nothing | an expressive $q$ pays where $q$ is the bottleneck |
# | **speed** | `elbo`, one sample; then more samples before a tighter bound | 64 samples: $+0.44$; then IWAE: $+0.36$ more | all rows cost the same at the same $MK$ |
#
# On the last line: one encoder call, $MK$ decodings, one backward pass, whatever the row. In our record the rows' processor times differ by less than a third, on a busy machine, with no pattern.

# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["hide-input"]
assert near(paired(runs, "DReG", "VAE", "log_p")[0], 0.40, 0.012) and near(paired(runs, "PIWAE(8, 8)", "VAE", "log_p")[0], 0.41, 0.012)
assert near(paired(runs, "VR-IWAE .5", "VAE", "elbo")[0], -0.08, 0.012) and near(paired(runs, "VR-IWAE .5", "VAE", "log_p")[0], 0.23, 0.012)
seconds = [standard_error(column(runs, row, "processor_seconds").values())[0] for row in rows]
assert max(seconds) / min(seconds) < 1.33

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# **10 minutes.** Give each group one line of the guide and let it attack it: *what would you have to measure to overturn this line?* Good answers: another data set, a larger decoder, a rate tuned for each row (all rows here share one rate, which may suit some better).
# That last objection is the best; it is the project's second question.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Your project
#
# One question, one prediction, one table. Three to six hours of your time, less than an hour of the machine's. Some questions that we have not answered:
#
# 1. Does DReG's lead over IWAE grow with $K$? ($K = 16, 64, 256$, the budget growing with it.)
# 2. All rows share one learning rate. Give each row its best of three. Does the order change?
# 3. Where does an expressive $q$ pay? Give the decoder a two-dimensional code and compare a Gaussian and a hierarchical encoder.
# 4. Is the wider encoder's gain the same under IWAE as under the ELBO?
#
# `benchmarks/better_gradients.py` is a template of fifty lines: rows, seeds, evaluation, a record on disk that goes on where it stopped.
#
# | | 0 points | 1 point | 2 points |
# |---|---|---|---|
# | **prediction** | none | a direction | a number with a range, written down before the first run, and the reason |
# | **budget** | rows differ in more than the question | same samples and schedule | also stated: what is *not* equal, and whom it favours |
# | **evaluation** | each row by its own bound | one large $K$ for all | and shown to be large enough, by the curve or a sandwich |
# | **uncertainty** | one seed | three seeds, standard errors | pairs over shared seeds; says which luck the error covers |
# | **verdict** | "better" | a number with its error | says what would overturn it, and what was not tested |
# | **trust** | a screenshot | code and record | someone else ran one row again and got the same within the error |
#
# Twelve points. A clean *no difference* earns as many as a discovery.

# %% [markdown] slideshow={"slide_type": "skip"} tags=["quiz"]
# ## Before you close the book: three questions
#
# Choose an answer before you open one. Each says why it is right, or what leads to it.
#
# **1 ·** A paper reports $-23.9$ nats for its VAE (ELBO) and $-23.6$ for its new model ($L_{50}$). What do you know about the models?
#
# <details><summary>A · The new model is better by 0.3 nats</summary>
#
# The two numbers differ in the model **and** in the bound. With another $K$ for both, the sign may turn.
#
# </details>
#
# <details><summary>B · Nothing yet: ask for both at one large K</summary>
#
# Right. $L_{50}$ of the old model is above its ELBO too, by an amount that nobody has told you.
#
# </details>
#
# <details><summary>C · The new encoder is better</summary>
#
# An encoder shows in the *gap* between a bound and $\log p(x)$, and for neither model is that gap known.
#
# </details>
#
# **2 ·** Two rows share ten seeds. Unpaired $z = 1.7$, paired $z = 7.7$. Which one do you report?
#
# <details><summary>A · The paired one, and that it is paired</summary>
#
# Right. The runs *are* pairs: same weights, pixels and noise. Unpaired, the spread of the seeds is counted as doubt about the difference, although it moved both rows together.
#
# </details>
#
# <details><summary>B · The unpaired one, to be careful</summary>
#
# It answers another question: how would two rows with *different* seeds compare? Careful is to say how the runs were made.
#
# </details>
#
# <details><summary>C · The larger one</summary>
#
# It happens to be the right one here. But choosing by size, after looking, makes any table significant.
#
# </details>
#
# **3 ·** A model has a broken encoder. You estimate its $\log p(x)$ with $K = 5000$ and get a very low number. What follows?
#
# <details><summary>A · The model is bad</summary>
#
# Perhaps. But if $q$ misses the posterior, even 5000 samples miss it, and the estimate is low whatever the model is.
#
# </details>
#
# <details><summary>B · The estimate is too high, as the weights have a large variance</summary>
#
# $L_K$ is below $\log p(x)$ in expectation for every $K$ and every $q$.
#
# </details>
#
# <details><summary>C · A lower bound, and not more: use a judge that needs no encoder</summary>
#
# Right. Take annealed importance sampling, or train a new encoder for the frozen model and judge again.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What to take along: the course on one page
#
# | | what you found | the formula | in code |
# |---|---|---|---|
# | 00 | log-weights are the currency | $w = p(x, z) / q(z \mid x)$, `[M, K, B]` | `model.log_weights` |
# | 01 | the ELBO's gap is a KL | $\log p(x) - \mathrm{ELBO} = KL(q \,\|\, p(z \mid x))$ | `bounds.elbo` |
# | 02 | weights without bias, and their variance | $\mathbb E_q[w] = p(x)$; infinite variance if $q$ is too narrow | `bounds.effective_sample_size` |
# | 03 | more samples, a tighter bound | $\log p(x) - L_K \approx \chi^2 / (2K)$ | `bounds.iwae`, `evaluate.log_likelihood` |
# | 04 | tighter starves the encoder | $\mathrm{SNR}_\theta \sim \sqrt{MK}$, $\mathrm{SNR}_\phi \sim \sqrt{M / K}$ | `miwae`, `ciwae`, `piwae` |
# | 05 | repair the gradient, not the bound | $\sum_k \tilde w_k^2 \nabla \log w_k$, no score term | `dreg`, `stl`, `vr_iwae`, `bounds.jackknife` |
# | 06 | what the ELBO forgets | $\mathbb E\,KL(q(z \mid x) \,\|\, p) = I_q + KL(q(z) \,\|\, p)$ | `infovae`, `divergences` |
# | 07 | a $q$ of any shape, and its bound | $L_K \le \log q(z) \le U_K$, in expectation | `hierarchical` |
# | 08 | one budget, one judge, pairs | difference, error, $z$ | `recorded`, this page |
#
# **There is no next chapter.** There is a table with a row missing: yours.
#
# ### References
#
# * Y. Burda, R. Grosse, R. Salakhutdinov (2016). *Importance Weighted Autoencoders.* ICLR. arXiv 1509.00519
# * T. Rainforth, A. R. Kosiorek, T. A. Le, C. J. Maddison, M. Igl, F. Wood, Y. W. Teh (2018). *Tighter Variational Bounds are Not Necessarily Better.* ICML. arXiv 1802.04537
# * G. Tucker, D. Lawson, S. Gu, C. J. Maddison (2019). *Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives.* ICLR. arXiv 1810.04152
# * S. Zhao, J. Song, S. Ermon (2019). *InfoVAE: Balancing Learning and Inference in Variational Autoencoders.* AAAI. arXiv 1706.02262
# * A. Sobolev, D. Vetrov (2019). *Importance Weighted Hierarchical Variational Inference.* NeurIPS. arXiv 1905.03290
# * R. M. Neal (2001). *Annealed Importance Sampling.* Statistics and Computing 11, 125–139. arXiv physics/9803008
# * R. B. Grosse, Z. Ghahramani, R. P. Adams (2015). *Sandwiching the Marginal Likelihood Using Bidirectional Monte Carlo.* arXiv 1511.02543
# * Y. Wu, Y. Burda, R. Salakhutdinov, R. Grosse (2017). *On the Quantitative Analysis of Decoder-Based Generative Models.* ICLR. arXiv 1611.04273
