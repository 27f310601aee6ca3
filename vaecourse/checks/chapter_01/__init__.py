"""Chapter 01: the ELBO from log-weights, its gap, diagonal Gaussians, a VAE's loss and step of training, collapse."""

ORDER = (
    "elbo gap_in_lines two_kls kl_to_prior log_density recover_eps loss training_step collapse_by_hand active_units"
).split()
