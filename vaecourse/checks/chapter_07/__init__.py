"""Chapter 07: the upper bound, how many samples it needs, M-IWHVI, its jackknife, three bugs."""

ORDER = "upper_bound spot_psi_0 how_many spot_rate m_iwhvi jackknife spot_ghosts".split()
