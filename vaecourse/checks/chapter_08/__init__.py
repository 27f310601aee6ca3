"""Chapter 08: standard errors, pairs of seeds, one K for all, what is missing, flat memory, bits, the Pareto set."""

ORDER = """standard_error paired spot_the_bound still_missing spot_the_stream bits_of_a_table pareto""".split()
