"""What a fit gives: numbers with their intervals, the rule, a table and a figure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from stdpjax.fitting.measurements import Measurements
from stdpjax.fitting.models import Model
from stdpjax.fitting.profile import Interval
from stdpjax.fitting.task import Floats
from stdpjax.rules import Rule

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

Bound = Literal["low", "high", "both"]


class Estimate(NamedTuple):
    """A fitted parameter."""

    value: float
    profile: Interval
    """Where the profile likelihood stays within the quantile: covers this parameter."""
    simultaneous: Interval
    """The same at a confidence that covers all parameters together (Bonferroni)."""
    bootstrap: Interval | None
    """Percentiles of refits to data drawn anew; None without resamples."""
    unit: str
    bound: Bound | None = None
    """The end of the parameter's range that the value sits on or cannot be told from; "both" where the measurements say
    nothing of the parameter."""


class Fit(NamedTuple):
    """A rule fitted to measurements."""

    model: str
    parameters: dict[str, Estimate]
    held: dict[str, float]
    prediction: Floats
    """Changes at the best parameters, shape `[point]`."""
    sum_of_squares: float
    """Of residuals, each divided by its standard error where that is known."""
    n_points: int
    log_likelihood: float
    n_fitted: int
    """Numbers that were fitted: parameters that were free, and the error where it is not known."""
    aic: float
    aicc: float
    """AIC with the correction for few points, infinite where these are too few for it. Where standard errors are known
    it is AIC: the correction is for the error that is estimated from the residuals."""
    bic: float
    n_starts: int
    n_agreeing: int
    """Starts that ended at the best sum of squares; below 2, more starts may find a better one."""
    confidence: float
    has_errors: bool
    """Whether standard errors are known."""
    source: Model
    """What was fitted."""
    data: Measurements
    """What it was fitted to."""

    @property
    def numbers(self) -> dict[str, float]:
        """All numbers of the rule, the held ones too."""
        return {**self.held, **{name: estimate.value for name, estimate in self.parameters.items()}}

    @property
    def mean_square(self) -> float:
        """Mean squared residual, E of Pfister & Gerstner (2006) where standard errors are known."""
        return self.sum_of_squares / self.n_points

    def __repr__(self) -> str:
        """Return the estimates with their intervals, a line for each."""
        starts = f"{self.n_agreeing} of {self.n_starts} starts"
        lines = [f"Fit of {self.model} to {self.data.name}: {self.n_points} points, AIC {self.aic:.4g}, {starts}"]
        for name, one in self.parameters.items():
            bound = {"both": ", not determined", None: ""}.get(one.bound, f", on the {one.bound} end of its range")
            ends = f"{one.profile.low:.4g} to {one.profile.high:.4g}"
            lines.append(f"  {name} = {one.value:.4g} {one.unit}".rstrip() + f" ({ends}{bound})")
        held = ", ".join(f"{name} = {value:.4g}" for name, value in self.held.items())
        return "\n".join([*lines, f"  held: {held}"] if held else lines)

    def rule(self) -> Rule:
        """Return the rule of the fitted numbers, for a simulation or a comparison with other rules.

        Raises:
            ValueError: a model that has changes alone, and no rule.

        Example:
            >>> import stdpjax
            >>> data = stdpjax.fitting.bi_poo_2001()
            >>> found = stdpjax.fitting.fit(stdpjax.random.key(0), "pair", data, n_starts=4, n_resamples=0)
            >>> round(float(stdpjax.rules.event_weight_change(found.rule(), [0, 10], [1, 0], [0, 1])), 3)
            0.428
        """
        return self.source.at(self.numbers)

    def table(self) -> "xr.Dataset":
        """Return the fit as labelled arrays, over `parameter` and over `point`.

        Returns:
            For each parameter `estimate`, the intervals `profile`, `simultaneous` and `bootstrap` (NaN without
            resamples) over `end`, `unit` and `bound` ("" for none); for each point the measured `change`, its `sem`
            (NaN where it is not known), the `prediction`, and where the measurements have them `lag_ms` and
            `frequency_hz`. Held numbers and criteria are attributes.

        Example:
            >>> import stdpjax
            >>> data = stdpjax.fitting.bi_poo_2001()
            >>> found = stdpjax.fitting.fit(stdpjax.random.key(0), "pair", data, n_starts=4, n_resamples=0)
            >>> round(float(found.table().estimate.sel(parameter="tau_plus")), 2)
            16.8
        """
        import xarray as xr

        found, nothing = self.parameters.values(), np.full(self.n_points, np.nan)
        ends = {
            kind: (("parameter", "end"), [getattr(one, kind) or (np.nan, np.nan) for one in found])
            for kind in ("profile", "simultaneous", "bootstrap")
        }
        data = self.data
        places = {"lag_ms": (data.lag_ms, "ms"), "frequency_hz": (data.frequency_hz, "Hz")}
        criteria = ("n_points", "n_fitted", "n_starts", "n_agreeing", "sum_of_squares", "aic", "aicc", "bic")
        share = {"units": "share of the weight before"}
        return xr.Dataset(
            {
                "estimate": ("parameter", [one.value for one in found]),
                **ends,
                "change": ("point", data.change, share),
                "sem": ("point", nothing if data.sem is None else data.sem, share),
                "prediction": ("point", self.prediction, share),
            },
            {
                "parameter": list(self.parameters),
                "end": ["low", "high"],
                "unit": ("parameter", [one.unit for one in found]),
                "bound": ("parameter", [one.bound or "" for one in found]),
                **{
                    name: ("point", values, {"units": unit})
                    for name, (values, unit) in places.items()
                    if values is not None
                },
            },
            {
                "model": self.model,
                "data": data.name,
                "confidence": self.confidence,
                **{f"held_{name}": value for name, value in self.held.items()},
                **{name: getattr(self, name) for name in criteria},
            },
        )

    def figure(self, compared: "Sequence[Fit]" = ()) -> "Figure":
        """Return a figure: measurements and rule, parameters with their intervals, and, if given, all fits compared.

        Args:
            compared: fits to the same measurements, as `compare` returns them.

        Example:
            >>> import stdpjax
            >>> data = stdpjax.fitting.bi_poo_2001()
            >>> found = stdpjax.fitting.fit(stdpjax.random.key(0), "pair", data, n_starts=4, n_resamples=0)
            >>> [ax.get_title() for ax in found.figure().axes][1]
            'What the data say: 95 % intervals'
        """
        from stdpjax import plotting
        from stdpjax.fitting.figure import draw

        with plotting.style():
            return draw(self, compared)
