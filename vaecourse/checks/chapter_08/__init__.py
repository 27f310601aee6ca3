"""Chapter 08: standard errors, pairs of seeds, one K for all, flat memory, the rows nobody dominates."""

ORDER = "standard_error paired spot_the_bound spot_the_stream pareto".split()
