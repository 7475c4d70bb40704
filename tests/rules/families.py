"""Every rule of traces in every reading, with its plain Python reference and numbers for it."""

from functools import partial
from typing import Any, NamedTuple

from stdpjax.rules import INTERACTIONS, ORDERS, SCHEMES, pair_rule, suppression_rule, triplet_rule
from stdpjax.spikes import COINCIDENCES
from tests.rules.reference import pair_changes, suppression_changes, triplet_changes


class Family(NamedTuple):
    make: Any
    reference: Any
    numbers: tuple[float, ...]
    schemes: tuple[str, ...]


FAMILIES = {
    "pair": Family(pair_rule, pair_changes, (0.8, 0.5, 3.0, 5.0), SCHEMES),
    "triplet": Family(triplet_rule, triplet_changes, (0.8, 0.6, 0.5, 0.4, 3.0, 5.0, 7.0, 4.0), INTERACTIONS),
    "suppression": Family(suppression_rule, suppression_changes, (1.0, 0.5, 3.0, 5.0, 4.0, 6.0), INTERACTIONS),
}
READINGS = [
    (name, scheme, order, coincidence)
    for name, family in FAMILIES.items()
    for scheme in family.schemes
    for order in ORDERS
    for coincidence in COINCIDENCES
]


def rule_and_reference(name, scheme, order, coincidence):
    """The rule of a reading, and the same by plain Python: (pre times, post times) -> {time: change}."""
    family = FAMILIES[name]
    rule = family.make(*family.numbers, scheme=scheme, order=order, coincidence=coincidence)
    reference = partial(family.reference, numbers=family.numbers, scheme=scheme, order=order, coincidence=coincidence)
    return rule, reference


def times_of(spikes, bin_ms=1.0):
    return [bin_ms * t for t, spike in enumerate(spikes) if spike]


def binned(changes, n_steps, bin_ms=1.0):
    """Changes of a reference, by bin."""
    return [changes.get(bin_ms * t, 0.0) for t in range(n_steps)]
