"""Chapter 03: L_K from log-weights, the normalised weights, the gradient, samples for a gap, two bugs."""

ORDER = "iwae_bound normalised_weights gradient samples_for_gap spot_the_weight spot_the_report".split()
