"""Other rules of plasticity beside the paper's."""
