"""Chapter 04: the signal-to-noise ratio, its rates, PIWAE's two sets of weights, three bugs."""

ORDER = "signal_to_noise first_false_line rates same_bound piwae spot_the_trainer two_goals".split()
