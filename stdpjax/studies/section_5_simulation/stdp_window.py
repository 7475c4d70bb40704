"""Figure 1: does the rate-based rule produce the biological STDP window?"""

import dataclasses
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key
from numpy.typing import ArrayLike

from stdpjax import stats
from stdpjax.lab import Claim, Progress, Study, at_least, at_most, estimate, keep_estimate, within
from stdpjax.lab.settings import configuration, setting
from stdpjax.random import named_key
from stdpjax.rules import lag_kernel, slope_by_lag
from stdpjax.spikes import lag_probability
from stdpjax.studies.measures import labelled, largest, merged
from stdpjax.studies.protocol import (
    ProtocolConfig,
    Sequences,
    bisect_probability,
    exact_counts,
    kernel_of,
    lags_of,
    make_sequences,
    part_of,
    sampled_counts,
)
from stdpjax.studies.section_5_simulation.points import is_point, read_lag_points
from stdpjax.studies.section_5_simulation.stdp_window_figure import plot
from stdpjax.studies.section_5_simulation.sweep_points import STDP_WINDOW_POINT


@configuration
class StdpWindowConfig(ProtocolConfig):
    """Settings of the STDP window study."""

    bin_ms: float = setting(
        1.0, "width of a bin in ms, used only to lay the published curve over the simulated lags", above=0
    )
    sparse_probability: float = setting(
        0.05, "a second, lower spike probability per bin, at which the curve by lag does not decay", probability=True
    )
    data: tuple[tuple[float, ...], ...] = setting(
        (),
        "measured points (lag_ms, change_percent[, sem]) to draw into the left panel, from a CSV file",
        read=read_lag_points,
        placeholder="FILE.csv",
    )

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        super().__post_init__()
        for point in self.data:
            if not is_point(point):
                raise ValueError(
                    f"data: expected points (lag_ms, change_percent[, sem]) of finite numbers, got {point!r}"
                )


def _near(data: xr.Dataset) -> xr.Dataset:
    """Return the data at lags up to the drive's time scale."""
    reach = math.ceil(float(data.width))
    return data.sel(lag=[lag for lag in data.lag.values if 0 < abs(lag) <= reach])


def _share_clear(data: xr.Dataset, name: str) -> float:
    """Return the share of near lags at which a curve's interval lies on the side of the lag's sign."""
    near = _near(data)
    sign = np.sign(near.lag)
    return float((np.minimum(sign * near[f"{name}_low"], sign * near[f"{name}_high"]) > 0).mean())


def _exact(data: xr.Dataset, name: str) -> str:
    return f"Exact expectation: {float(data[f'{name}_exact']):.3f}."


def _biology(curve: str, measured: str, *, side: str = "middle", **others: Any) -> Claim:
    """Return the claim that the size of a curve varies with lag as the biological one does."""
    match = f"match_{curve}"
    return Claim(
        f"T9.biology_{curve.removeprefix('eq1_')}",
        measured,
        statement=f"Section 5.2, Figure 1 {side}",
        criterion=at_least(0.8),
        measure=lambda data: estimate(data, f"shape_{curve}"),
        bearing="limits",
        note=lambda data: (
            f"{_exact(data, f'shape_{curve}')} The signed curves correlate at {float(data[match]):.3f}, the bare sign "
            f"of the lag at {float(data.match_sign):.3f}."
        ),
        **others,
    )


def _per_critical(data: xr.Dataset) -> float:
    return (data.sizes["distance"] + 2) / 2


_RECOVERS = "We recover the biologically observed relationship between spike timing difference and weight update."
_HEBB = "plain Hebb, s for s_dot"

_middle = partial(Claim, statement="Section 5.2, Figure 1 middle")

CLAIMS = (
    _middle(
        "T9.sign",
        "Under Eq 1 the mean weight change has the sign of the lag, at every lag up to the drive's time scale.",
        criterion=at_least(1.0),
        measure=lambda data: _share_clear(data, "eq1_mean"),
        control=lambda data: _share_clear(data, "eq1_mean_control"),
        control_is=_HEBB,
        bearing="supports",
        note=lambda data: (
            f"Share of the {_near(data).lag.size} lags up to {_near(data).lag.max():.0f} bins whose 95 % interval lies "
            "on the side of the lag's sign."
        ),
    ),
    _middle(
        "T9.antisymmetry",
        "Net area of the curve of Eq 1 by lag, relative to its area regardless of sign: 0 if antisymmetric.",
        criterion=within(0.0, 0.1),
        measure=lambda data: estimate(data, "net_area"),
        control=lambda data: data.net_area_control,
        control_is=_HEBB,
        bearing="limits",
        note=lambda data: _exact(data, "net_area"),
    ),
    _biology(
        "eq1_mean",
        "Correlation over lags of the size of the mean change under Eq 1 with that of the Bi & Poo curve, either side "
        "relative to its mean.",
        control=lambda data: data.shape_eq1_mean_sparse,
        control_is="the sparse spike probability",
    ),
    _biology(
        "eq1_sum",
        "The same for the summed change under Eq 1.",
        control=lambda data: data.shape_eq1_sum_sparse,
        control_is="the sparse spike probability",
    ),
    _biology(
        "nearest_neighbour",
        "The same for the summed change under the nearest-neighbour rule.",
        control=lambda data: data.shape_growing_kernel,
        control_is="a kernel that grows with lag",
        side="right",
    ),
    _middle(
        "T9.decay",
        "At the figure's spike probability: mean change at the longest lag over that at lag 1.",
        criterion=at_most(0.5),
        measure=lambda data: estimate(data, "decay"),
        control=lambda data: data.eq1_mean_sparse[-1] / data.eq1_mean_sparse.sel(lag=1),
        control_is="the sparse spike probability",
        bearing="limits",
        note=lambda data: _exact(data, "decay"),
    ),
    _middle(
        "T9.no_decay_when_sparse",
        "At the sparse spike probability: mean change at half a window over that at lag 1.",
        criterion=at_least(1.5),
        measure=lambda data: estimate(data, "rise_sparse"),
        control=lambda data: data.rise_exact_value,
        control_is="the spike probability of the figure",
        bearing="limits",
        note="Exact for each sequence of rates.",
    ),
    _middle(
        "T9.critical_probability",
        "Spike probability, times (window + 2) / 2, above which the curve on a ramp ends lower than it starts.",
        criterion=within(1.0, 1e-3),
        measure=lambda data: data.critical_probability * _per_critical(data),
        control=lambda data: data.critical_probability_half_window * _per_critical(data),
        control_is="half the window",
        bearing="limits",
        note=lambda data: f"Critical q = {float(data.critical_probability):.4f}.",
    ),
    Claim(
        "T9.ramp_profile",
        "Largest relative error of the closed form of the mean slope per lag on a small ramp, against the exact law.",
        statement="Section 5.2, Figure 1 middle",
        criterion=at_most(1e-4),
        measure=lambda data: largest(data.ramp_profile / data.ramp_profile_closed_form - 1),
        control=lambda data: largest(data.ramp_profile / data.ramp_profile_closed_form.values[:, ::-1] - 1),
        control_is="the profile reversed",
        bearing="supports",
    ),
    Claim(
        "5.2.sampling",
        "Chi-square per degree of freedom of the sampled lag counts against the exact lag law.",
        statement="Section 5.1",
        criterion=within(1.0, 0.05),
        measure=lambda data: data.chi_square,
        control=lambda data: data.chi_square_control,
        control_is="the law of the other reading of coincident spikes",
        bearing="supports",
    ),
)


def run(key: Key[Array, ""], config: StdpWindowConfig, progress: Progress) -> xr.Dataset:
    """Sample and compute the weight change by lag under Eq 1 and under the nearest-neighbour rule."""
    progress(0.0, "rate sequences")
    sequences = make_sequences(named_key(key, "sequences"), config)
    exact = np.asarray(exact_counts(sequences, config), dtype=np.float64)
    sampled = sampled_counts(named_key(key, "spikes"), sequences, config, part_of(progress, 0.05, 0.9))
    progress(0.9, "bootstrap over sequences")
    curves = _Curves(named_key(key, "bootstrap"), config)
    by_lag = _by_lag(curves, sequences, sampled, exact)
    progress(0.95, "conditions for the decay")
    sparse = dataclasses.replace(config, max_probability=config.sparse_probability)
    sparse_counts = np.asarray(exact_counts(make_sequences(named_key(key, "sequences"), sparse), sparse), np.float64)
    return merged(
        by_lag,
        _conditions(curves, sequences, sampled, exact, sparse_counts),
        _ramps(config.window),
        _sampling(sequences, sampled, exact, config),
        labelled(("point", "column"), measured=_points(config)),
        lag=("lag", curves.lags, {"units": "bins", "long_name": "post minus pre"}),
        probability=("probability", _PROBABILITIES, {"units": "1/bin"}),
        distance=("distance", np.arange(1, config.window + 1), {"units": "bins"}),
        column=["lag_ms", "change_percent", "sem"],
        width=((), config.width, {"units": "bins", "long_name": "time scale of the drive"}),
    )


# At which the law on a ramp is compared with its closed form.
_PROBABILITIES = np.array([0.02, 0.05, 0.1, 0.2])


class _Curves:
    """The statistics of Figure 1: functions of the change and of the count by lag, summed over sequences."""

    def __init__(self, key: Key[Array, ""], config: StdpWindowConfig) -> None:
        self.key, self.config = key, config
        self.lags = lags_of(config)
        self.keep = self.lags != 0  # lag 0 means no update
        self.kernel = np.asarray(kernel_of(config), dtype=np.float64)
        self.biology = np.asarray(lag_kernel("bi_poo", config.window, bin_ms=config.bin_ms), dtype=np.float64)
        curves = {"eq1_mean": self.mean, "eq1_sum": self.sum, "nearest_neighbour": self.nearest_neighbour}
        self.statistics: dict[str, _Statistic] = {
            "eq1_mean": self.mean,
            "eq1_sum": self.sum,
            "nearest_neighbour_sum": self.nearest_neighbour,
            **{f"match_{name}": partial(self.match, curve) for name, curve in curves.items()},
            **{f"shape_{name}": partial(self.shape, curve) for name, curve in curves.items()},
            "net_area": self.net_area,
            "decay": partial(self.ratio, -1),
        }

    def estimate(self, statistic: "_Statistic", sums: "_Sums") -> stats.Estimate:
        """Return a statistic with its interval over sequences."""
        return stats.bootstrap(self.key, statistic, *sums, n_resamples=self.config.n_resamples)

    def mean(self, change: np.ndarray, count: np.ndarray) -> np.ndarray:
        """Return the mean change of Eq 1 at each lag."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return change / count

    def sum(self, change: np.ndarray, count: np.ndarray) -> np.ndarray:
        """Return the summed change of Eq 1."""
        return change / self.config.n_sequences

    def nearest_neighbour(self, change: np.ndarray, count: np.ndarray) -> np.ndarray:
        """Return the summed change of the nearest-neighbour rule."""
        return self.kernel * count / self.config.n_sequences

    def match(self, curve: "_Statistic", change: np.ndarray, count: np.ndarray) -> np.ndarray:
        """Return the correlation over lags with the biological curve."""
        values = curve(change, count)[..., self.keep]
        return stats.correlation(values, np.broadcast_to(self.biology[self.keep], values.shape))

    def shape(self, curve: "_Statistic", change: np.ndarray, count: np.ndarray) -> np.ndarray:
        """Return the same of what is beyond the signs."""
        return _shape_match(curve(change, count), self.biology)

    def net_area(self, change: np.ndarray, count: np.ndarray) -> np.ndarray:
        """Return the area of the mean curve over that regardless of sign."""
        curve = self.mean(change, count)[..., self.keep]
        return np.asarray(curve.sum(-1) / np.abs(curve).sum(-1))

    def ratio(self, place: int, change: np.ndarray, count: np.ndarray) -> np.ndarray:
        """Return the mean change at some lag over that at lag 1."""
        curve = self.mean(change, count)
        return np.asarray(curve[..., place] / curve[..., self.config.window + 1])


def _by_lag(curves: _Curves, sequences: Sequences, sampled: np.ndarray, exact: np.ndarray) -> xr.Dataset:
    """Return the curves and what is made of them: sampled, exact, and for plain Hebb as a negative control."""
    per_train = sampled / curves.config.n_trials
    eq1, control = _sums(sequences.slope, per_train), _sums(sequences.activity, per_train)
    totals = [part.sum(0) for part in _sums(sequences.slope, exact)]
    variables: dict = {}
    for name, statistic in curves.statistics.items():
        found, hebb = curves.estimate(statistic, eq1), curves.estimate(statistic, control)
        dims = ("lag",) if np.ndim(found.value) else ()
        variables |= keep_estimate(name, found, dims)
        variables[f"{name}_control"] = (dims, hebb.value)
        if name == "eq1_mean":
            variables |= keep_estimate(f"{name}_control", hebb, dims)
        variables[f"{name}_exact"] = (dims, statistic(*totals))
    # The mean per lag of the nearest-neighbour rule is the kernel itself, wherever the lag occurs at all.
    variables["nearest_neighbour_mean"] = ("lag", np.where(curves.keep, curves.kernel, np.nan))
    variables["lag_count"] = ("lag", sampled.sum((0, 1)), {"long_name": "presynaptic spikes with this lag"})
    variables["match_sign"] = float(stats.correlation(np.sign(curves.lags)[curves.keep], curves.biology[curves.keep]))
    variables["biology"] = ("lag", curves.biology)
    return xr.Dataset(variables)


def _conditions(
    curves: _Curves, sequences: Sequences, sampled: np.ndarray, exact: np.ndarray, sparse: np.ndarray
) -> xr.Dataset:
    """Return the curve with sparse spikes, its rise with lag, and the match of a kernel that grows with lag."""
    window = curves.config.window
    growing = np.sign(curves.lags) * np.abs(curves.lags) / window
    sums = {"exact": _sums(sequences.slope, exact), "sparse": _sums(sequences.slope, sparse)}
    totals = [part.sum(0) for part in sums["sparse"]]
    rise = partial(curves.ratio, window + max(1, window // 2))
    return xr.Dataset(
        {
            "eq1_mean_sparse": ("lag", curves.mean(*totals)),
            **{
                f"{name}_sparse": float(curves.statistics[name](*totals))
                for name in ("shape_eq1_mean", "shape_eq1_sum")
            },
            "shape_growing_kernel": float(_shape_match(growing * sampled.sum((0, 1)), curves.biology)),
            **keep_estimate("rise_exact", curves.estimate(rise, sums["exact"]), value="_value"),
            **keep_estimate("rise_sparse", curves.estimate(rise, sums["sparse"]), value="_value"),
        }
    )


def _ramps(window: int) -> xr.Dataset:
    """Return the slope of the log law of lags on a small ramp, and the closed form of it."""
    profile = [np.asarray(_ramp_profile(q, window)) for q in _PROBABILITIES]
    closed = [np.asarray(slope_by_lag(q, window)) for q in _PROBABILITIES]
    critical = [_critical_probability(size) for size in (window, max(1, window // 2))]
    return xr.Dataset(
        {
            "ramp_profile": (("probability", "distance"), profile),
            "ramp_profile_closed_form": (("probability", "distance"), closed),
            "critical_probability": critical[0],
            "critical_probability_half_window": critical[1],
        }
    )


def _sampling(sequences: Sequences, sampled: np.ndarray, exact: np.ndarray, config: StdpWindowConfig) -> xr.Dataset:
    """Compare the sampled counts with the exact law, and with that of the other reading of coincident spikes."""
    other = dataclasses.replace(config, coincidence="ignore" if config.coincidence == "skip" else "skip")
    keep = lags_of(config) != 0

    def chi_square(table: np.ndarray) -> float:
        return stats.chi_square_per_cell(sampled[..., keep], table[..., keep], config.n_trials)

    wrong = np.asarray(exact_counts(sequences, other), dtype=np.float64)
    return xr.Dataset({"chi_square": chi_square(exact), "chi_square_control": chi_square(wrong)})


_Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]
_Sums = tuple[np.ndarray, np.ndarray]


def _sums(signal: ArrayLike, counts: np.ndarray) -> _Sums:
    """Return what a signal adds up to at each lag of each sequence, and how often the lag occurs."""
    return np.einsum("st,stl->sl", np.asarray(signal, dtype=np.float64), counts), counts.sum(1)


def _shape_match(curve: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the correlation of two curves in how their size varies with lag, each side relative to its mean."""

    def sizes(values: np.ndarray) -> np.ndarray:
        window = values.shape[-1] // 2
        sides = (-values[..., :window][..., ::-1], values[..., window + 1 :])
        # By the size of the mean: a side of the wrong sign stays wrong.
        return np.concatenate([side / np.abs(side.mean(-1, keepdims=True)) for side in sides], axis=-1)

    reference = sizes(other)
    return stats.correlation(sizes(curve), np.broadcast_to(reference, (*curve.shape[:-1], reference.size)))


def _ramp_profile(probability: float | Array, window: int) -> Float[Array, "window"]:
    """Return d log P(+d) / d slope at slope 0, at lags 1 ... window, by automatic differentiation of the exact law."""
    time = jnp.arange(-window, window + 1, dtype=float)

    def log_probability(slope: Float[Array, ""]) -> Float[Array, "window"]:
        law = lag_probability(probability + slope * time, window, boundary="valid")
        return jnp.log(law[0, window + 1 :])

    return jax.jacfwd(log_probability)(jnp.zeros(()))


def _critical_probability(window: int) -> float:
    """Return the spike probability at which the ramp profile ends as it starts; NaN for a single lag."""
    if window == 1:
        return math.nan

    @jax.jit
    def rise(probability: Float[Array, ""]) -> Float[Array, ""]:
        profile = _ramp_profile(probability, window)
        return profile[-1] - profile[0]

    return bisect_probability(rise)


def _points(config: StdpWindowConfig) -> np.ndarray:
    rows = [(*point, math.nan)[:3] for point in config.data]
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


STUDY = Study(
    name="stdp_window",
    title="The STDP window from a rate rule",
    figure="Figure 1",
    source="Bengio et al. 2015, Figure 1 and section 5",
    caption="Top: the paper's Figure 1. The published exponential fit of Bi & Poo (2001, Annu Rev Neurosci 24:139); "
    "the weight change of Eq 1 by lag; the nearest-neighbour rule by lag. Points are sampled means, bands their 95 % "
    "intervals over sequences, lines the exact expectation. Bottom: the shapes on one scale, and the condition for "
    "the decay with lag: the curve per lag falls only where spikes are frequent.",
    config=StdpWindowConfig(),
    smoke=dict(n_sequences=40, n_trials=50, n_resamples=200),
    claims=CLAIMS,
    run=run,
    plot=plot,
    point=STDP_WINDOW_POINT,
)
