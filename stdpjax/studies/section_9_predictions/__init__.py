"""Section 9: predictions, and related work."""
