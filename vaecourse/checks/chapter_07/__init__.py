"""Chapter 07: the free sample, the upper bound, its gap, how many samples, M-IWHVI, its jackknife, two bugs, ghosts."""

ORDER = """free_sample upper_bound gap_by_hand how_many spot_psi_0 spot_rate m_iwhvi jackknife ghost_modes""".split()
