"""Chapter 01: the ELBO from log-weights, diagonal Gaussians, the loss of a VAE, two KLs, collapse."""

ORDER = "elbo kl_to_prior log_density recover_eps loss training_step two_kls active_units".split()
