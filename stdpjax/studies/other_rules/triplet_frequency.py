"""How pairing depends on frequency: ten measured points under triplet rules, pair rules and the paper's window."""

from collections.abc import Callable, Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key
from numpy.typing import NDArray
from scipy import special

from stdpjax import protocols
from stdpjax.fitting import find_model, predict, random_starts, search, sjostrom_2001
from stdpjax.fitting.designs import EventDesign, trace_design
from stdpjax.fitting.searches import Minima
from stdpjax.fitting.task import in_double
from stdpjax.lab import Estimate, Progress, Study, at_least, at_most
from stdpjax.lab.settings import configuration, setting
from stdpjax.random import named_key
from stdpjax.rules import ORDERS, Rule, event_weight_change, presets, triplet_rule
from stdpjax.rules.traces import Order
from stdpjax.rules.triplet import INTERACTIONS, Interaction
from stdpjax.stats import wilson_interval
from stdpjax.studies.measures import beyond, labelled, merged, required
from stdpjax.studies.other_rules.triplet_frequency_figure import plot

POINTS = sjostrom_2001()
MODELS = dict(zip(INTERACTIONS, ("triplet", "triplet_nearest"), strict=True))
NAMES = tuple(parameter.name for parameter in find_model("triplet").parameters)
VISUAL = ("visual_cortex_full", "visual_cortex_minimal")
# What is fitted, and what stays where it is put; the pair rule is the triplet rule without its triplets.
HELD: Mapping[str, Mapping[str, float]] = {
    "pair": {"A3_plus": 0.0, "A3_minus": 0.0, "tau_x": 100.0, "tau_y": 100.0},
    "triplet_minimal": {**find_model("triplet_minimal").held},
}
# Times that Pfister & Gerstner took from the window, and that pairs may fit.
_OF_WINDOW = ("tau_plus", "tau_minus")


@configuration
class TripletFrequencyConfig:
    """Settings of the study of pairing frequency."""

    n_starts: int = setting(20, "random starts of each fit")
    n_resamples: int = setting(192, "data sets drawn from a fitted rule and fitted again", at_least=2)
    n_frequencies: int = setting(51, "frequencies of the curves, from 0.1 to 50 Hz", at_least=2)


@partial(jax.jit, static_argnames=("scheme", "order"))
def changes(
    numbers: dict[str, Float[Array, "rule"]], design: EventDesign, scheme: Interaction, order: Order
) -> Float[Array, "rule protocol"]:
    """Return what triplet rules of several numbers make of protocols."""

    def one(numbers: dict[str, Float[Array, ""]]) -> Float[Array, "protocol"]:
        make: Callable[..., Rule] = triplet_rule
        rule = make(**numbers, scheme=scheme, order=order)
        return jax.vmap(partial(event_weight_change, rule))(*design)

    return jax.vmap(one)(numbers)


def search_held(
    model: str, starts: NDArray[np.float64], held: Mapping[str, float], changes: NDArray[np.float64] | None = None
) -> Minima:
    """Search for the numbers of a triplet rule but those that are held, by one program for all choices of these."""
    names = [parameter.name for parameter in find_model(model).parameters]
    placed = [np.full(len(starts), held[name]) if name in held else starts[:, i] for i, name in enumerate(names)]
    is_free = [name not in held for name in names]
    return search(model, POINTS, np.transpose(placed), changes=changes, is_free=is_free, free=_OF_WINDOW)


def _fit_rules(key: Key[Array, ""], scheme: Interaction, n_starts: int) -> dict[str, Minima]:
    starts = random_starts(named_key(key, scheme), MODELS[scheme], POINTS, n_starts, free=_OF_WINDOW)
    return {name: search_held(MODELS[scheme], starts, held) for name, held in HELD.items()}


def _refits(key: Key[Array, ""], name: str, found: Minima, n_resamples: int) -> NDArray[np.float64]:
    """Return sums of squares of refits to data drawn from a fitted all-to-all rule."""
    assert POINTS.sem is not None
    best, model = found.best(), MODELS["all_to_all"]
    noise = jax.random.normal(named_key(named_key(key, "resampling"), name), (n_resamples, POINTS.change.size), float)
    drawn = predict(model, best, POINTS.protocols) + POINTS.sem * np.asarray(noise, np.float64)
    starts = np.tile(list(best.values()), (n_resamples, 1))
    return search_held(model, starts, HELD[name], drawn).sum_of_squares


def _errors(data: xr.Dataset, order: Order = "read_before") -> xr.DataArray:
    return data.error.sel(order=order)


def _published(data: xr.Dataset, order: Order = "read_before") -> xr.DataArray:
    return _errors(data, order).sel(rule=list(VISUAL))


def _sum_of_squares(data: xr.Dataset, rule: str) -> float:
    return data.sizes["point"] * float(_errors(data).sel(scheme="all_to_all", rule=rule))


def _share_as_bad(data: xr.Dataset, rule: str) -> Estimate:
    n, n_as_bad = data.sizes["resample"], int((data.refit.sel(drawn_from=rule) >= _sum_of_squares(data, rule)).sum())
    return Estimate(n_as_bad / n, *wilson_interval(n_as_bad, n))


def _chi_square(data: xr.Dataset, rule: str) -> float:
    freedom = data.sizes["point"] - (len(NAMES) - len(HELD[rule]))
    return float(special.chdtrc(freedom, _sum_of_squares(data, rule)))


_of_points = partial(beyond, statement="Sjöström et al. 2001")
_AFTER_TRIALS = "Chosen after trial fits."

CLAIMS = (
    _of_points(
        "pfister2006.order",
        "Mean squared error on the ten points, in standard errors, of the published sets (largest of four).",
        statement="Pfister & Gerstner 2006",
        criterion=at_most(1.0),
        measure=lambda data: _published(data).max(),
        control=lambda data: _published(data, "read_after").min(),
        control_is="traces read after the spikes of the instant, the set that it hurts least",
        revised="It asked each of the four for its own number, which is a test.",
    ),
    _of_points(
        "sjostrom2001.pairs",
        "Error of the best pair rule, four fitted numbers, over the largest of the four published triplet sets.",
        criterion=at_least(3.0),
        measure=lambda data: min(_errors(data).sel(rule="pair").min(), data.window_error) / _published(data).max(),
        control=lambda data: _errors(data).sel(rule="triplet_minimal").max() / _published(data).max(),
        control_is="the minimal triplet rule, three fitted numbers",
        revised=_AFTER_TRIALS,
    ),
    _of_points(
        "sjostrom2001.chance",
        "Share of data drawn from the best pair rule that it fits as badly as the measured ones.",
        criterion=at_most(0.05),
        measure=lambda data: _share_as_bad(data, "pair"),
        control=lambda data: _share_as_bad(data, "triplet_minimal").value,
        control_is="the minimal triplet rule",
        revised=_AFTER_TRIALS,
        note=lambda data: f"By chi-square {_chi_square(data, 'pair'):.2g}.",
    ),
)

_ALONG, _SHARE = ("scheme", "order", "rule"), "share of the weight"


def run(key: Key[Array, ""], config: TripletFrequencyConfig, progress: Progress) -> xr.Dataset:
    """Fit pair rules, and let all rules see the ten points, the frequencies between, and pairs and triplets."""
    progress(0.0, "fits")
    found: dict[Interaction, dict[str, Minima]] = {
        scheme: _fit_rules(key, scheme, config.n_starts) for scheme in INTERACTIONS
    }
    window = search("window", POINTS, random_starts(key, "window", POINTS, config.n_starts))
    progress(0.5, "refits")
    refits = [_refits(key, name, found["all_to_all"][name], config.n_resamples) for name in HELD]
    progress(0.8, "frequencies")
    assert POINTS.sem is not None
    cells = ("drawn_from", "resample")
    return merged(
        labelled("point", _SHARE, measured=(POINTS.change, "measured change"), sem=(POINTS.sem, "its standard error")),
        labelled("point", "ms", point_lag=POINTS.lag_ms),
        labelled("point", "Hz", point_frequency=POINTS.frequency_hz),
        labelled((), window_error=(window.sum_of_squares.min() / POINTS.change.size, "paper's window")),
        labelled(cells, refit=(refits, "sum of squares of a refit to drawn data")),
        required(cells, "refits that lead somewhere", refit_is_finite=np.isfinite(refits)),
        _predicted(found, config),
        scheme=list(INTERACTIONS),
        order=list(ORDERS),
        rule=[*VISUAL, *HELD],
        drawn_from=list(HELD),
        resample=np.arange(config.n_resamples),
        pair_lag=("pair_lag", [10.0, -10.0], {"units": "ms"}),
    )


def _predicted(found: Mapping[Interaction, Mapping[str, Minima]], config: TripletFrequencyConfig) -> xr.Dataset:
    """Return what published and fitted rules make of the ten points, and of pairs by frequency."""
    frequencies = np.linspace(0, 50, config.n_frequencies)
    frequencies[0] = 0.1
    done = [*POINTS.protocols, *(protocols.pairs(lag, hz) for lag in (10, -10) for hz in frequencies)]
    made = []
    with in_double():
        design = jax.tree.map(jnp.asarray, trace_design(done))
        for scheme in INTERACTIONS:
            names = [f"pfister_gerstner_2006_visual_cortex_{scheme}_{terms}" for terms in ("full", "minimal")]
            table = [*(presets[name].parameters for name in names), *(one.best() for one in found[scheme].values())]
            columns = {name: jnp.asarray([row[name] for row in table], float) for name in NAMES}
            made.append([np.asarray(changes(columns, design, scheme, order)) for order in ORDERS])
    points, curves = np.split(np.array(made), [len(POINTS.protocols)], axis=-1)
    assert POINTS.sem is not None
    errors = np.mean(((points - POINTS.change) / POINTS.sem) ** 2, axis=-1)
    curves = curves.reshape(*curves.shape[:-1], 2, -1)
    return merged(
        labelled(_ALONG, error=(errors, "mean squared error, in standard errors")),
        labelled((*_ALONG, "pair_lag", "frequency"), _SHARE, curve=(curves, "change by 60 pairs")),
        frequency=("frequency", frequencies, {"units": "Hz"}),
    )


STUDY = Study(
    name="triplet_frequency",
    title="Frequent pairs",
    figure="Frequency of pairs",
    source="Sjöström, Turrigiano & Nelson 2001; Pfister & Gerstner 2006",
    caption="Sixty pairs of spikes change a weight differently at other frequencies: from 40 Hz on, either order "
    "potentiates. Rules of triplets give that, rules of pairs do not, and the paper's windowed rule is one of these. "
    "Whether traces are read before or after spikes are added to them decides the outcome.",
    config=TripletFrequencyConfig(),
    smoke=dict(n_starts=4, n_resamples=16, n_frequencies=6),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
