"""Chapter 02: weights and what they are worth, coverage, the score function and its baselines, a judge of models."""

ORDER = (
    "estimate coverage effective_sample_size worth_by_hand first_false_line mixture score_gradient optimal_baseline "
    "frozen_guide log_likelihood"
).split()
