"""The run-time type checker of the tests."""

from beartype import BeartypeConf, beartype

# As type checkers do, take a whole number where a float is annotated.
typechecker = beartype(conf=BeartypeConf(is_pep484_tower=True))
