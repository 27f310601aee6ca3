"""Chapter 03: samples for a gap, a law too good, the bound as a loss, credit by hand and in code, two bugs."""

ORDER = (
    "samples_for_gap too_good_a_law iwae_bound credit normalised_weights gradient spot_the_weight spot_the_report"
).split()
