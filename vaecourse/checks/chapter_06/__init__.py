"""Chapter 06: the rate split in two, the aggregate posterior, MMD, its kernel, the loss, the map, Stein."""

ORDER = "split_rate aggregate u_statistic spot_the_kernel spot_the_loss coefficients stein".split()
