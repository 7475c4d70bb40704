"""What the public functions do with input that they cannot use: a table of all of them, and of all that is wrong."""
