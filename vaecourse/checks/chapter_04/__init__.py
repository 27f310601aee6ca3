"""Chapter 04: the signal-to-noise ratio, its rates, PIWAE's two sets of weights, three bugs."""

ORDER = "signal_to_noise rates piwae spot_the_axis spot_the_trainer spot_the_noise".split()
