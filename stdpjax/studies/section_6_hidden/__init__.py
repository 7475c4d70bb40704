"""Section 6: hidden units, score matching and impatient MCMC-EM."""
