"""Chapter 02: weights and what they are worth, coverage, the score function and its baselines."""

ORDER = (
    "estimate effective_sample_size coverage mixture score_gradient optimal_baseline frozen_guide log_likelihood".split()
)
