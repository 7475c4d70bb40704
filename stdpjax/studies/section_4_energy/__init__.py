"""Section 4: the energy, and noisy descent of it."""
