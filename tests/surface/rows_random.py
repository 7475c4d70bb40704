"""Rows of `stdpjax.random`."""

from stdpjax import random
from tests.surface.table import Row, rows

ROWS = rows(
    Row(random.key, {"seed": ("count", 3)}),
    Row(random.named_key, {"key": ("key", random.key(0)), "name": ("path", "drive")}),
    Row(random.member_keys, {"key": ("key", random.key(0)), "n_members": ("count", 3), "first": ("count", 0)}),
)
