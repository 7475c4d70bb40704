"""A rule beside others: what pairs, triplets, rates, ramps and the paper's drives make of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from stdpjax import _checks
from stdpjax.lab import settings as settings_of
from stdpjax.lab.portraits import parts, records
from stdpjax.lab.portraits.parts import Part, Parts
from stdpjax.lab.portraits.runs import needs_of
from stdpjax.lab.portraits.settings import PortraitConfig
from stdpjax.protocols import COURSES
from stdpjax.random import key, named_key
from stdpjax.rules import Rule
from stdpjax.rules.base import check_rule

_ENDS = ("low", "high")


def portrait(rule: Rule | str | Mapping[str, Rule | str], *, seed: int = 0, **settings: Any) -> xr.Dataset:
    """Return a portrait of a plasticity rule, or of several side by side.

    The change of a protocol is counted whole, with silence after it, so it makes no difference whether a rule emits it
    at a presynaptic or a postsynaptic spike, or later. The weight is held. Numbers are exact where an exact mean is
    known and sampled elsewhere; all rules see the same spikes and drives.

    Args:
        rule: any rule; or the name of one, as `stdpjax compare` takes it; or several by names of one's own.
        seed: whole number, 0 or more and below 2**32, of spikes and drives.
        **settings: of `PortraitConfig`, as `weight=1.0` or `n_trials=50`.

    Returns:
        Labelled arrays along `rule`, each with its 95 % interval in `NAME_low` and `NAME_high`: `window` (change by a
        pair, by lag), `frequency` (by pairs per second, either order), `triplet`, `drift` (change per second at
        constant rates) and `ramp` (by a constant, rising or falling rate) with what was sampled beside it
        (`drift_sampled`, `ramp_sampled`), `cells_contrast` and `cells_constant` (cells that an experiment needs),
        `curve` (by lag on the paper's drives), `agreement` and `gain` (correlation and slope with Eq 1 there). What a
        rule has no answer to is NaN, and the attribute `missing` says why.

    Raises:
        ValueError: what is no rule, a name that is not known, a rule that does not run, or a setting out of range.

    Example:
        >>> from stdpjax import lab, rules
        >>> pair = rules.pair_rule(1.0, 0.5, 10.0, 20.0)
        >>> small = dict(n_pairs=1, n_trials=2, n_ramp_trials=2, n_sequences=4, n_trains=2, n_resamples=2)
        >>> data = lab.portrait(pair, **small)
        >>> data.window.sel(lag=[10, -20]).values.round(3).tolist()  # 1 / e and -0.5 / e
        [[0.368, -0.184]]
    """
    config = settings_of.replace(PortraitConfig(), settings, "portrait")
    found = named(rule)
    needs = {name: needs_of(one, name, config) for name, one in found.items()}
    random = key(_checks.seed(seed))
    protocols, rows = records.by_protocols(config)
    drawn = {
        "drives": records.on_drives(named_key(random, "drives"), config),
        "rates": records.at_constant_rates(named_key(random, "rates"), config),
        "ramps": records.on_ramps(named_key(random, "ramps"), config),
    }
    made: list[Parts] = []
    for name, one in found.items():
        needed = needs[name]
        made.append(
            parts.of_protocols(one, needed, protocols, rows, config)
            | parts.of_constant_rates(one, needed, drawn["rates"], config)
            | parts.of_ramps(one, needed, drawn["ramps"], config)
            | parts.of_drives(named_key(random, "resampling"), one, needed, drawn["drives"], config)
        )
    variables = {}
    for name in made[0]:
        variables |= _variables(name, list(found), [each[name] for each in made])
    return xr.Dataset(variables, {"rule": list(found), **_coordinates(config)}, {"seed": seed, **_plain(config)})


def named(rule: Any) -> dict[str, Rule]:
    """Return rules by their names, refusing what is none."""
    from stdpjax.lab.portraits.choose import find_rule

    if isinstance(rule, Mapping):
        if not rule:
            raise ValueError("rule: expected at least one rule, got none")
        return {_checks.text("rule", name): _one(part, find_rule) for name, part in rule.items()}
    if isinstance(rule, str):
        chosen = find_rule(rule)
        return {chosen.name: chosen.rule}
    return {"rule": _one(rule, find_rule)}


def _one(rule: Any, find_rule: Any) -> Rule:
    if isinstance(rule, str):
        return find_rule(rule).rule
    check_rule(rule)
    return rule


def _variables(name: str, names: Sequence[str], found: Sequence[Part]) -> dict[str, Any]:
    """Return a variable of all rules with its interval."""
    first = found[0]
    attributes = {"units": first.units, "long_name": first.words}
    reasons = [f"{rule}: {part.missing}" for rule, part in zip(names, found, strict=True) if part.missing]
    dims = ("rule", *first.dims)
    value = np.array([part.found.value for part in found], np.float64)
    ends = {
        f"{name}_{end}": (dims, np.array([getattr(part.found, end) for part in found], np.float64), attributes)
        for end in _ENDS
    }
    return {name: (dims, value, attributes | ({"missing": "; ".join(reasons)} if reasons else {})), **ends}


def _coordinates(config: PortraitConfig) -> dict[str, Any]:
    return {
        "lag": ("lag", records.lags_ms(config), {"units": "ms", "long_name": "postsynaptic minus presynaptic spike"}),
        "pair_lag": ("pair_lag", [config.pair_lag_ms, -config.pair_lag_ms], {"units": "ms"}),
        "pairs_hz": ("pairs_hz", np.array(config.frequencies_hz), {"units": "Hz"}),
        "order": list(records.ORDERS),
        "gaps": ("gaps", [f"{one:g}, {two:g}" for one, two in records.GAPS_MS], {"units": "ms"}),
        "post_hz": ("post_hz", np.array(config.rates_hz), {"units": "Hz"}),
        "course": list(COURSES),
        "nearest_lag": (
            "nearest_lag",
            config.bin_ms * np.arange(-config.window, config.window + 1),
            {"units": "ms", "long_name": "nearest postsynaptic minus presynaptic spike"},
        ),
    }


def _plain(config: PortraitConfig) -> dict[str, Any]:
    """Return the settings as netCDF takes them."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(config).items()}
