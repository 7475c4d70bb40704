"""Section 5: spikes simulated under Eq 1 and under STDP."""
