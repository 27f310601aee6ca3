"""Chapter 05: the two terms, DReG on paper, as weights and as a loss, the rule, a row, a sandwich, the jackknife."""

ORDER = (
    "two_terms two_shares dreg_weights spot_the_hook dreg_loss spot_the_guide rule_in_order own_row sandwich "
    "coefficients"
).split()
