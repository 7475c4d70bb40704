"""Section 3: the rule, and the predictive objective behind it."""
