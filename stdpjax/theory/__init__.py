"""Closed forms, enumerations and quadrature that tests and studies measure against."""
