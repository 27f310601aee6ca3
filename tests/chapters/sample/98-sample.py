# %% [markdown] slideshow={"slide_type": "slide"}
# # A sample chapter
#
# You will be able to **run** a tool on it. **Reading 5 minutes, doing 5 minutes.**

# %% slideshow={"slide_type": "skip"}
import matplotlib.pyplot as plt
import torch

from vaecourse import bounds, checks

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# One minute. Ask: what is the mean of a constant?

# %% [markdown] slideshow={"slide_type": "skip"} tags=["recall"]
# ## Before you begin: two questions from before
#
# **1 · (from 00)** Which axis of `[M, K, B]` counts the data points?
#
# <details><summary>A · The first</summary>
#
# The first counts independent estimates of the bound.
#
# </details>
#
# <details><summary>B · The second</summary>
#
# The second counts samples inside of one estimate.
#
# </details>
#
# <details><summary>C · The last</summary>
#
# Right. B is the batch, and it comes last of the three.
#
# </details>
#
# **2 · (from 97)** What is the mean of a constant?
#
# <details><summary>A · The constant</summary>
#
# Right. All terms are the same, and so is their mean.
#
# </details>
#
# <details><summary>B · Nothing at all</summary>
#
# That would be the mean of the constant's deviations.
#
# </details>
#
# <details><summary>C · One over K of it</summary>
#
# This divides the constant by K and forgets to add K of them.
#
# </details>

# %% slideshow={"slide_type": "fragment"} mystnb={"image": {"alt": "A line that rises from 0 to 2 in equal steps"}}
log_w = torch.arange(3.0).reshape(1, 3, 1)
print(f"{bounds.elbo(log_w).item():.3f}")
_ = plt.figure(figsize=(2, 1)), plt.plot(log_w.flatten())
plt.show()

# %% slideshow={"slide_type": "skip"} tags=["nbval-ignore-output"]
object()

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 1 · the mean (easy, 1 minute)
#
# <details><summary>Hint 1</summary>Which axis holds the samples?</details>
#
# <details><summary>Hint 2</summary>
#
# The mean is $\frac1{MK}$ times the sum, over the first two axes.
#
# </details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def elbo(log_w):
    # Your line here.
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
cases = lambda: [(torch.zeros(2, 3, 4),)]
check = checks.Check("98.elbo", bounds.elbo, "Yes.", cases=cases)
# In a real chapter: checks.ALL["98.elbo"](elbo)
verdict = {**checks.ALL, "98.elbo": check}["98.elbo"](elbo)
verdict


# %% jupyter={"source_hidden": true} slideshow={"slide_type": "skip"} tags=["solution"]
def elbo(log_w):
    return log_w.mean((0, 1))


verdict = check(elbo)
assert verdict.passed
verdict

# %% [markdown] slideshow={"slide_type": "skip"} tags=["quiz"]
# ## Before you go on: two questions
#
# **1 ·** What is the mean of $0$, $1$ and $2$?
#
# <details><summary>A · 1</summary>
#
# Right. They add up to $3$, and there are three.
#
# </details>
#
# <details><summary>B · 3</summary>
#
# This is their sum. It was not divided by three.
#
# </details>
#
# <details><summary>C · 2</summary>
#
# This is the largest of them, not the mean.
#
# </details>
#
# **2 ·** And of their logarithms?
#
# <details><summary>A · log 1</summary>
#
# This is the logarithm of the mean, which is larger.
#
# </details>
#
# <details><summary>B · −∞</summary>
#
# Right. The logarithm of $0$ outweighs the two others.
#
# </details>
#
# <details><summary>C · log 3</summary>
#
# This is the logarithm of their sum, which is larger.
#
# </details>
