"""Chapter 00: the axes M, K, B, another text's letters, nats and bits, log-mean-exp, z-scores, one bug."""

ORDER = "shape two_weights bits_per_dimension log_mean_exp z_score how_many_draws spot_the_bug passport".split()
