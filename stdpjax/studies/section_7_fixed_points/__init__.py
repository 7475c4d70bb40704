"""Section 7: fixed points and their stability."""
