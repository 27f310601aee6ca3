"""Chapter 05: the two terms, DReG's weights, a row of one's own, the jackknife, a sandwich, three bugs."""

ORDER = "two_terms dreg_weights spot_the_hook own_row coefficients sandwich spot_the_guide".split()
