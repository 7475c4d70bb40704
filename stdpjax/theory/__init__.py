"""Closed forms and quadrature that measurements are held against."""
