"""What sweeps compute: statistics of one configuration and one seed, as functions that can be traced.

They are the mean values of the studies of the same name, from the same protocol, without bootstrap and controls. One
table of lag counts gives them all, so nothing is simulated twice.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32, Key

from stdpjax.lab.study import Point, Variable
from stdpjax.random import named_key
from stdpjax.rules import mean_update
from stdpjax.spikes import sample_lag_counts
from stdpjax.studies.protocol import ProtocolConfig, Sequences, Values, exact_counts, kernel_of, lags_of, make_sequences


def stdp_window_point(key: Key[Array, ""], values: Values, config: ProtocolConfig) -> dict[str, Array]:
    """Return the curves of Figure 1 by lag, sampled and exact."""
    sequences = make_sequences(named_key(key, "sequences"), config, values)
    sampled = _sampled_counts(key, sequences, config)
    kernel = kernel_of(config, values)
    results = {}
    for suffix, table, n_trains in (
        ("", sampled.astype(kernel.dtype), config.n_sequences * config.n_trials),
        ("_exact", exact_counts(sequences, config), config.n_sequences),
    ):
        # One sequence first, then all: sums of few terms keep single precision.
        change = jnp.sum(jnp.einsum("st,stl->sl", sequences.slope, table, precision="highest"), axis=0)
        count = jnp.sum(jnp.sum(table, axis=1), axis=0)
        results[f"eq1_mean{suffix}"] = change / jnp.where(count > 0, count, jnp.nan)
        results[f"eq1_sum{suffix}"] = change / n_trains
        results[f"nearest_neighbour_sum{suffix}"] = kernel * count / n_trains
        results[f"lag_count{suffix}"] = count / n_trains
    results["lag_count"] = jnp.sum(sampled, axis=(0, 1), dtype=jnp.int32)
    return results


def rule_agreement_point(key: Key[Array, ""], values: Values, config: ProtocolConfig) -> dict[str, Array]:
    """Return the correlations of the two rules of Figure 2 (right), per bin and binned, sampled and exact."""
    sequences = make_sequences(named_key(key, "sequences"), config, values)
    kernel = kernel_of(config, values)
    eq1 = sequences.slope * sequences.pre_rate
    sampled = _sampled_counts(key, sequences, config)
    n_bins: int = config.n_bins  # pyright: ignore[reportAttributeAccessIssue] -- a setting of this study alone
    order = jnp.argsort(eq1.ravel(), stable=True)
    binned_eq1 = _bin_means(eq1, order, n_bins)
    results = {}
    for suffix, table, n_trials in (
        ("sampled", sampled.astype(kernel.dtype), float(config.n_trials)),
        ("exact", exact_counts(sequences, config), 1.0),
    ):
        update = mean_update(table, kernel) / n_trials
        results[f"per_bin_correlation_{suffix}"] = _correlation(update, eq1)
        results[f"binned_correlation_{suffix}"] = _correlation(_bin_means(update, order, n_bins), binned_eq1)
    return results


def _sampled_counts(
    key: Key[Array, ""], sequences: Sequences, config: ProtocolConfig
) -> Int32[Array, "sequence time lag"]:
    largest = (2**31 - 1) // (config.n_sequences * config.n_steps)
    if config.n_trials > largest:
        raise ValueError(
            f"n_trials: expected at most {largest} for {config.n_sequences} sequences of {config.n_steps} bins, so "
            f"that a sweep's counts fit into 32 bits, got {config.n_trials}; more seeds do the same"
        )
    rates = sequences.pre_probability, sequences.post_probability
    sizes = config.n_trials, config.window, config.coincidence
    return sample_lag_counts(named_key(key, "spikes"), *rates, *sizes, boundary=config.boundary)


def _bin_means(values: Float[Array, "sequence time"], order: Array, n_bins: int) -> Float[Array, "bin"]:
    """Means over bins of equal count of `order`'s key, the bins of `stats.quantile_bins`.

    A gather and a sum over one axis: a scatter would add in no fixed order on a GPU.
    """
    edges = -(-np.arange(n_bins + 1) * values.size // n_bins)
    widest = int(np.max(np.diff(edges)))
    starts, ends = jnp.asarray(edges[:-1], jnp.int32), jnp.asarray(edges[1:], jnp.int32)
    places = starts[:, None] + jnp.arange(widest, dtype=jnp.int32)[None, :]
    members = jnp.take(values.ravel(), order[jnp.minimum(places, values.size - 1)])
    inside = places < ends[:, None]
    return jnp.sum(jnp.where(inside, members, 0.0), axis=1) / (ends - starts).astype(values.dtype)


def _correlation(x: Float[Array, "*shape"], y: Float[Array, "*shape"]) -> Float[Array, ""]:
    """Pearson's correlation; sums along the last axis first, which keeps single precision."""
    x, y = x - _mean(x), y - _mean(y)
    return _mean(x * y) / jnp.sqrt(_mean(x * x) * _mean(y * y))


def _mean(values: Float[Array, "*shape"]) -> Float[Array, ""]:
    return jnp.mean(jnp.mean(values, axis=-1))


_TRACED = ("max_probability", "width", "voltage_scale", "tau")
_STRUCTURAL = ("window", "n_steps", "n_sequences", "n_trials", "drive", "voltage", "edges", "coincidence", "kernel")
_UNITS = {"max_probability": "1/bin", "width": "bins", "tau": "bins", "window": "bins", "n_steps": "bins"}


def _by_lag(long_name: str, units: str) -> Variable:
    return Variable(("lag",), {"long_name": long_name, "units": units})


_PER_TRAIN = "per sequence and trial"
_CURVES = {
    "eq1_mean": ("mean change of Eq 1", "1/bin"),
    "eq1_sum": (f"summed change of Eq 1, {_PER_TRAIN}", "1/bin"),
    "nearest_neighbour_sum": (f"summed change of nearest-neighbour STDP, {_PER_TRAIN}", "1"),
}

STDP_WINDOW_POINT = Point(
    function=stdp_window_point,
    variables={
        "lag_count": _by_lag("presynaptic spikes with this lag, all sequences and trials", "1"),
        "lag_count_exact": _by_lag(f"mean number of presynaptic spikes with this lag, {_PER_TRAIN}", "1"),
        **{name: _by_lag(text, unit) for name, (text, unit) in _CURVES.items()},
        **{f"{name}_exact": _by_lag(f"{text}, exact", unit) for name, (text, unit) in _CURVES.items()},
    },
    traced=_TRACED,
    structural=_STRUCTURAL,
    coords=lambda config: {"lag": lags_of(config)},
    ceilings=("width",),
    units={**_UNITS, "lag": "bins"},
)

_BINS = {"per_bin": "bins of time", "binned": "bins of the value of Eq 1"}
_OVER = "correlation of the rules over"

RULE_AGREEMENT_POINT = Point(
    function=rule_agreement_point,
    variables={
        f"{kind}_correlation_{how}": Variable((), {"long_name": f"{_OVER} {bins}{rest}", "units": "1"})
        for kind, bins in _BINS.items()
        for how, rest in (("sampled", ""), ("exact", ", exact"))
    },
    traced=_TRACED,
    structural=(*_STRUCTURAL, "n_bins"),
    coords=lambda config: {},
    ceilings=("width",),
    units=_UNITS,
)
