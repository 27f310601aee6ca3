"""Chapter 06: the rate split in two, the aggregate posterior, the map, MMD, its kernel, the loss, Stein."""

ORDER = """surgery split_rate aggregate coefficients two_points u_statistic spot_the_kernel spot_the_loss
stein""".split()
