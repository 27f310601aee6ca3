# %% [markdown] slideshow={"slide_type": "slide"}
# # A sample chapter
#
# You will be able to **run** a tool on it. Reading: 1 minute.

# %% slideshow={"slide_type": "skip"}
import matplotlib.pyplot as plt
import torch

from vaecourse import bounds, checks

# %% [markdown] slideshow={"slide_type": "notes"} tags=["instructor"]
# One minute. Ask: what is the mean of a constant?

# %% slideshow={"slide_type": "fragment"} mystnb={"image": {"alt": "A line that rises from 0 to 2 in equal steps"}}
log_w = torch.arange(3.0).reshape(1, 3, 1)
print(f"{bounds.elbo(log_w).item():.3f}")
_ = plt.figure(figsize=(2, 1)), plt.plot(log_w.flatten())
plt.show()

# %% slideshow={"slide_type": "skip"} tags=["nbval-ignore-output"]
object()

# %% [markdown] slideshow={"slide_type": "slide"} tags=["exercise"]
# ### Exercise 1 · the mean (●○○, 1 minute)
#
# <details><summary>Hint</summary>Which axis holds the samples?</details>


# %% slideshow={"slide_type": "skip"} tags=["stub"]
def elbo(log_w):
    # Your line here.
    ...


# %% slideshow={"slide_type": "skip"} tags=["check"]
check = checks.Check("98.elbo", bounds.elbo, "Yes.", cases=lambda: [(torch.zeros(2, 3, 4),)])
verdict = {**checks.ALL, "98.elbo": check}["98.elbo"](elbo)  # checks.ALL["98.elbo"](elbo) in a real chapter
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
