"""Chapter 04: the ratio, its mechanism and rates, PIWAE's weights and its step, a bug."""

ORDER = "signal_to_noise first_false_line rates same_bound piwae spot_the_trainer two_goals".split()
