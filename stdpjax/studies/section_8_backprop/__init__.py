"""Section 8: the link to back-propagation."""
