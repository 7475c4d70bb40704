"""How pairing depends on frequency: ten measured points under triplet rules, pair rules and the paper's window."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key
from numpy.typing import NDArray
from scipy import special

from stdpjax import _checks, protocols
from stdpjax.fitting import find_model, predict, random_starts, search, sjostrom_2001
from stdpjax.fitting.models import EventDesign, trace_design
from stdpjax.fitting.searches import Minima
from stdpjax.fitting.task import in_double
from stdpjax.random import named_key
from stdpjax.rules import ORDERS, Rule, event_weight_change, presets, triplet_rule
from stdpjax.rules.traces import Order
from stdpjax.rules.triplet import INTERACTIONS, Interaction
from stdpjax.stats import wilson_interval
from stdpjax.studies.base import Measurement, Progress, Study
from stdpjax.studies.figures.triplet_frequency import plot
from stdpjax.studies.frequency_claims import CLAIMS
from stdpjax.studies.settings import setting

POINTS = sjostrom_2001()
MODELS = dict(zip(INTERACTIONS, ("triplet", "triplet_nearest"), strict=True))
NAMES = tuple(parameter.name for parameter in find_model("triplet").parameters)
VISUAL = ("visual_cortex_full", "visual_cortex_minimal")
HIPPOCAMPUS = ("hippocampus_full", "hippocampus_minimal")
# What is fitted, and what stays where it is put; the pair rule is the triplet rule without its triplets.
_NO_TRIPLETS = {"A3_plus": 0.0, "A3_minus": 0.0, "tau_x": 100.0, "tau_y": 100.0}
_WINDOW = {"tau_plus": 16.8, "tau_minus": 33.7}
HELD: Mapping[str, Mapping[str, float]] = {
    "pair": _NO_TRIPLETS,
    "pair_of_window": {**_NO_TRIPLETS, **_WINDOW},
    "triplet_minimal": {**find_model("triplet_minimal").held},
    "triplet_full": _WINDOW,
}
# Pairs and triplets at 1 Hz: +10 ms, -10 ms, pre-post-pre, post-pre-post.
MOTIFS = {
    "pre-post": protocols.pairs(10),
    "post-pre": protocols.pairs(-10),
    "pre-post-pre": protocols.triplets(5, -5),
    "post-pre-post": protocols.triplets(-5, 5),
}
STATED = {"all_to_all": (0.202, -0.104, 0.043, 0.358), "nearest": (0.152, -0.134, 0.050, 0.378)}


@dataclasses.dataclass(frozen=True)
class TripletFrequencyConfig:
    """Settings of the study of pairing frequency."""

    n_starts: int = setting(20, "random starts of each fit")
    n_resamples: int = setting(192, "data sets drawn from a fitted rule and fitted again")
    n_frequencies: int = setting(51, "frequencies of the curves, from 0.1 to 50 Hz")
    longest_lag_ms: float = setting(60.0, "longest lag of the curves of pairs, in ms, at most 400")

    def __post_init__(self) -> None:
        """Refuse settings out of range."""
        _checks.count("n_starts", self.n_starts)
        _checks.count("n_resamples", self.n_resamples, minimum=2)
        _checks.count("n_frequencies", self.n_frequencies, minimum=2)
        _checks.number("longest_lag_ms", self.longest_lag_ms, above=0, at_most=400)


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


def fit_rules(key: Key[Array, ""], scheme: Interaction, n_starts: int) -> dict[str, Minima]:
    """Fit pair and triplet rules to the ten points, all by one program."""
    model, free = MODELS[scheme], tuple(_WINDOW)
    starts = random_starts(named_key(key, scheme), model, POINTS, n_starts, free=free)
    found = {}
    for name, held in HELD.items():
        placed = starts.copy()
        for i, parameter in enumerate(NAMES):
            placed[:, i] = held.get(parameter, placed[:, i])
        is_free = [parameter not in held for parameter in NAMES]
        found[name] = search(model, POINTS, placed, is_free=is_free, free=free)
    return found


def refits(key: Key[Array, ""], name: str, found: Minima, n_resamples: int) -> NDArray[np.float64]:
    """Return sums of squares of refits to data drawn from a fitted all-to-all rule."""
    assert POINTS.sem is not None
    best, model, free = found.best(), MODELS["all_to_all"], tuple(_WINDOW)
    noise = jax.random.normal(named_key(named_key(key, "resampling"), name), (n_resamples, POINTS.change.size), float)
    drawn = predict(model, best, POINTS.protocols) + POINTS.sem * np.asarray(noise, np.float64)
    starts = np.tile(list(best.values()), (n_resamples, 1))
    is_free = [parameter not in HELD[name] for parameter in NAMES]
    return search(model, POINTS, starts, changes=drawn, is_free=is_free, free=free).sum_of_squares


def numbers_of(scheme: Interaction, found: Mapping[str, Minima]) -> dict[str, dict[str, float]]:
    """Return the numbers of all rules of a scheme: published, fitted, and hippocampal pairs without triplets."""
    published = {
        name: {k: v for k, v in presets[_preset(scheme, name)].parameters.items() if k != "scheme"}
        for name in (*VISUAL, *HIPPOCAMPUS)
    }
    fitted = {name: minima.best() for name, minima in found.items()}
    return {**published, **fitted, "hippocampus_pairs": {**published["hippocampus_full"], **_NO_TRIPLETS}}


def _preset(scheme: str, name: str) -> str:
    region, terms = name.rsplit("_", 1)
    return f"pfister_gerstner_2006_{region}_{scheme}_{terms}"


def run(key: Key[Array, ""], config: TripletFrequencyConfig, progress: Progress) -> xr.Dataset:
    """Fit pair rules, and let all rules see the ten points, the frequencies between, and pairs and triplets."""
    progress(0.0, "fits")
    found = {scheme: fit_rules(key, scheme, config.n_starts) for scheme in INTERACTIONS}
    starts = random_starts(key, "window", POINTS, config.n_starts)
    window = search("window", POINTS, starts)
    progress(0.5, "refits")
    drawn = [refits(key, name, found["all_to_all"][name], config.n_resamples) for name in ("pair", "triplet_minimal")]

    progress(0.8, "frequencies and motifs")
    frequencies = np.linspace(0, 50, config.n_frequencies)
    frequencies[0] = 0.1
    half = np.arange(1, 21) * config.longest_lag_ms / 20
    lags = np.concatenate([-half[::-1], half])
    done = [
        *POINTS.protocols,
        *(protocols.pairs(lag, hz) for lag in (10, -10) for hz in frequencies),
        *MOTIFS.values(),
        *(protocols.pairs(lag) for lag in lags),
    ]
    ends = np.cumsum([len(POINTS.protocols), 2 * len(frequencies), len(MOTIFS)])
    made: dict[tuple[str, str], NDArray[np.float64]] = {}
    with in_double():
        design = jax.tree.map(jnp.asarray, trace_design(done))
        for scheme in INTERACTIONS:
            table = numbers_of(scheme, found[scheme])
            columns = {name: jnp.asarray([row[name] for row in table.values()], float) for name in NAMES}
            for order in ORDERS:
                made[scheme, order] = np.asarray(changes(columns, design, scheme, order))
    rules = list(numbers_of("all_to_all", found["all_to_all"]))
    points, curves, motifs, pairs = np.split(
        np.array([[made[scheme, order] for order in ORDERS] for scheme in INTERACTIONS]), ends, axis=-1
    )
    assert POINTS.sem is not None
    errors = np.mean(((points - POINTS.change) / POINTS.sem) ** 2, axis=-1)
    along, share = ("scheme", "order", "rule"), {"units": "share of the weight"}
    return xr.Dataset(
        {
            "measured": ("point", POINTS.change, {"long_name": "measured change", **share}),
            "sem": ("point", POINTS.sem, {"long_name": "its standard error", **share}),
            "point_lag": ("point", POINTS.lag_ms, {"units": "ms"}),
            "point_frequency": ("point", POINTS.frequency_hz, {"units": "Hz"}),
            "point_change": ((*along, "point"), points, share),
            "error": (along, errors, {"long_name": "mean squared error, in standard errors"}),
            "curve": (
                (*along, "pair_lag", "frequency"), curves.reshape(*curves.shape[:-1], 2, -1),
                {"long_name": "change by 60 pairs", **share},
            ),
            "motif_change": ((*along, "motif"), motifs, {"long_name": "change by 60 motifs at 1 Hz", **share}),
            "stated_reference": (("scheme", "motif"), [STATED[scheme] for scheme in INTERACTIONS], share),
            "window": ((*along, "lag"), pairs, {"long_name": "change by 60 pairs at 1 Hz", **share}),
            "window_error": ((), window.sum_of_squares.min() / POINTS.change.size, {"long_name": "paper's window"}),
            "n_agreeing": (
                ("scheme", "fitted"),
                [[np.sum(one.sum_of_squares <= one.sum_of_squares.min() + 0.01) for one in part.values()]
                 for part in found.values()],
                {"long_name": "starts that end at the best fit"},
            ),
            "numbers": (
                ("scheme", "fitted", "parameter"),
                [[list(one.best().values()) for one in part.values()] for part in found.values()],
                {"long_name": "fitted numbers; times in ms"},
            ),
            "refit": (("drawn_from", "resample"), drawn, {"long_name": "sum of squares of a refit to drawn data"}),
            "refit_is_finite": (
                ("drawn_from", "resample"), np.isfinite(drawn), {"required": "refits that lead somewhere"},
            ),
        },
        coords={
            "scheme": list(INTERACTIONS), "order": list(ORDERS), "rule": rules, "fitted": list(HELD),
            "parameter": list(NAMES), "drawn_from": ["pair", "triplet_minimal"], "motif": list(MOTIFS),
            "resample": np.arange(config.n_resamples),
            "pair_lag": ("pair_lag", [10.0, -10.0], {"units": "ms"}),
            "frequency": ("frequency", frequencies, {"units": "Hz"}),
            "lag": ("lag", lags, {"units": "ms"}),
        },
    )  # fmt: skip


def judge(data: xr.Dataset, config: TripletFrequencyConfig) -> dict[str, Measurement]:
    """Compare the run with the criteria."""
    right, wrong = (data.sel(order=order) for order in ("read_before", "read_after"))
    found = {}
    for scheme in INTERACTIONS:
        for name in VISUAL:
            cell = {"scheme": scheme, "rule": name}
            before, after = float(right.error.sel(cell)), float(wrong.error.sel(cell))
            found[f"TF.{scheme}_{name.rsplit('_', 1)[1]}"] = Measurement(
                before, control=after, note="Control: traces read after the spikes of the instant."
            )
            if name == "visual_cortex_full":
                found[f"TF.wrong_order_{scheme}"] = Measurement(
                    after, control=before, note="Control: traces read before."
                )

    assert POINTS.lag_ms is not None
    assert POINTS.frequency_hz is not None
    at = {(lag, hz): i for i, (lag, hz) in enumerate(zip(POINTS.lag_ms, POINTS.frequency_hz, strict=True))}
    first, last = at[10.0, 0.1], at[10.0, 40.0]
    spread = np.hypot(data.sem[first], data.sem[last])

    def distance(change: xr.DataArray) -> xr.DataArray:
        """Of a rule's growth of potentiation from the measured one."""
        grown = change.isel(point=last) - change.isel(point=first)
        return np.abs(grown - (data.measured[last] - data.measured[first])) / spread

    growth = distance(right.point_change)
    errors = right.error.sel(rule="pair")
    pair = min(float(errors.min()), float(data.window_error))
    worst = float(right.error.sel(rule=list(VISUAL)).max())
    minimal = float(right.error.sel(rule="triplet_minimal").max())
    n_points = data.sizes["point"]
    n_fitted = {name: len(NAMES) - len(HELD[name]) for name in ("pair", "triplet_minimal")}
    observed = {name: n_points * float(right.error.sel(scheme="all_to_all", rule=name)) for name in n_fitted}
    n_as_bad = {name: int((data.refit.sel(drawn_from=name) >= observed[name]).sum()) for name in n_fitted}
    law = {name: special.chdtrc(n_points - n, observed[name]) for name, n in n_fitted.items()}
    n = config.n_resamples
    refit = data.refit.sel(drawn_from="triplet_minimal") / (n_points - n_fitted["triplet_minimal"])
    reach = 1.96 * float(refit.std(ddof=1)) / np.sqrt(n)
    fitted, published = (
        right.error.sel(rule=[f"{start}_{terms}" for terms in ("full", "minimal")]).values
        for start in ("triplet", "visual_cortex")
    )
    motif = right.motif_change.sel(rule="hippocampus_full")
    asymmetry = right.motif_change.sel(motif="post-pre-post") - right.motif_change.sel(motif="pre-post-pre")
    by_name = {str(scheme): float(errors.sel(scheme=scheme)) for scheme in data.scheme.values}
    return {
        **found,
        "TF.growth": Measurement(
            float(growth.sel(rule=list(VISUAL)).max()),
            control=float(growth.sel(rule="pair_of_window").min()),
            note=f"Control: pairs with the time constants of the window, amplitudes fitted. With free time constants "
            f"all-to-all pairs grow so far too ({float(growth.sel(scheme='all_to_all', rule='pair')):.1f}), and fail "
            "elsewhere.",
        ),
        "TF.pair_error": Measurement(
            pair / worst,
            control=minimal / worst,
            note=f"Errors {by_name['all_to_all']:.2f} (all pairs), {by_name['nearest']:.2f} (nearest pairs), "
            f"{float(data.window_error):.2f} (paper's window). Control: the minimal triplet rule, fitted.",
        ),
        "TF.pair_goodness": Measurement(
            n_as_bad["pair"] / n,
            wilson_interval(n_as_bad["pair"], n),
            n_as_bad["triplet_minimal"] / n,
            f"{n} draws; by chi-square {law['pair']:.2g}. Control: the minimal triplet rule, by chi-square "
            f"{law['triplet_minimal']:.2g}.",
        ),
        "TF.refits": Measurement(
            float(refit.mean()),
            (float(refit.mean()) - reach, float(refit.mean()) + reach),
            observed["pair"] / (n_points - n_fitted["pair"]),
            "Control: the best pair rule on the measured points.",
        ),
        "TF.fitted": Measurement(
            float((fitted / published).max()),
            control=float(errors.min()) / float(published.max()),
            note="All spikes full and minimal, nearest spikes full and minimal: "
            f"{', '.join(f'{error:.3f}' for error in fitted.ravel())}. Control: the best pair rule.",
        ),
        "TF.hippocampus": Measurement(
            float(np.abs(motif - data.stated_reference).max()),
            control=float(
                np.abs(wrong.motif_change.sel(rule="hippocampus_full") - data.stated_reference).max("motif").min()
            ),
            note="Control: traces read after the spikes of the instant.",
        ),
        "TF.asymmetry": Measurement(
            float(asymmetry.sel(rule=list(HIPPOCAMPUS)).min()),
            control=float(asymmetry.sel(rule="hippocampus_pairs").max()),
            note="Control: the same numbers without triplets.",
        ),
    }


STUDY = Study(
    name="triplet_frequency",
    title="Frequent pairs",
    figure="Frequency of pairs",
    source="Sjöström, Turrigiano & Nelson 2001; Pfister & Gerstner 2006",
    caption="Sixty pairs of spikes change a weight differently at other frequencies: from 40 Hz on, either order "
    "potentiates. Rules of triplets give that, rules of pairs do not, and the paper's windowed rule is one of these. "
    "Whether traces are read before or after spikes are added to them decides the outcome.",
    config=TripletFrequencyConfig(),
    smoke=TripletFrequencyConfig(n_starts=4, n_resamples=16, n_frequencies=6),
    claims=CLAIMS,
    run=run,
    judge=judge,
    plot=plot,
)
