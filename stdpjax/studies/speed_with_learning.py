"""Do units move less when their weights change by Eq 1? The comparison that the paper announces (section 5.1)."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax import _checks
from stdpjax.energy import Params, random_params
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.studies.base import Measurement, Progress, Study
from stdpjax.studies.figures.speed_with_learning import plot
from stdpjax.studies.networks import mean_interval
from stdpjax.studies.plastic_networks import (
    DRIVES,
    Case,
    Form,
    Learned,
    drives_of,
    layer_growth,
    learn,
    predicted_growth,
    static_speed,
)
from stdpjax.studies.settings import setting
from stdpjax.studies.speed_claims import CLAIMS, REFERENCE


@dataclasses.dataclass(frozen=True)
class SpeedWithLearningConfig:
    """Settings of the comparison; activities are in units of the hard sigmoid's width."""

    n_networks: int = setting(48, "independent networks")
    n_units: int = setting(8, "units of each")
    n_steps: int = setting(6000, "steps of 0.1 time constants, a multiple of 3; the last third counts")
    n_fresh_steps: int = setting(
        3000, "the same for the learned weights, held, with a fresh drive; the first third is dropped"
    )
    small_rate: float = setting(0.02, "learning rate, with either sign")
    large_rate: float = setting(0.1, "another, with either sign")
    static_rate: float = setting(0.05, "learning rate of the network that is compared with a static one")
    bound: float = setting(3.0, "largest absolute weight")
    layer_rate: float = setting(0.2, "learning rate of the feedforward layer")
    layer_std: float = setting(0.17, "standard deviation of the rates of its inputs")

    def __post_init__(self) -> None:
        """Refuse settings out of range."""
        _checks.count("n_networks", self.n_networks, minimum=2, maximum=_checks.MAX_HELD_TRAINS)
        _checks.count("n_units", self.n_units, minimum=2)
        for name in ("n_steps", "n_fresh_steps"):
            if _checks.count(name, getattr(self, name), minimum=60) % 3:
                raise ValueError(f"{name}: expected a multiple of 3, got {getattr(self, name)}")
        for name in ("small_rate", "large_rate", "static_rate", "bound", "layer_rate", "layer_std"):
            _checks.number(name, getattr(self, name), above=0)
        if self.small_rate >= self.large_rate:
            raise ValueError(
                f"large_rate: expected a number above small_rate, {self.small_rate}, got {self.large_rate}"
            )


FORMS = {"Eq 1": Form(), "gradient form": Form(gate=1.0), "tied": Form(tie=1.0)}
PAIRINGS = {
    "previous": Form(tie=1.0, before=1.0),
    "midpoint": Form(tie=1.0, after=0.5),
    "next": Form(tie=1.0, after=1.0),
}
_ALIGNED = ("previous", "current", "midpoint", "next")
_OU, _WAVE, _SMALL = (DRIVES.index(name) for name in ("OU", "travelling wave", "small OU"))
_N_MAIN_DRIVES = 5


def main_rates(config: SpeedWithLearningConfig) -> tuple[float, ...]:
    """Return the learning rates of the comparison, increasing."""
    return (-config.large_rate, -config.small_rate, 0.0, config.small_rate, config.large_rate)


def cases(config: SpeedWithLearningConfig) -> tuple[Case, dict[str, slice]]:
    """Return what is run, and which part of it is which."""
    small, static = config.small_rate, config.static_rate
    rates = main_rates(config)
    midpoint = PAIRINGS["midpoint"]
    parts = {
        "main": [
            (drive, rate, 0.0, form) for form in FORMS.values() for drive in range(_N_MAIN_DRIVES) for rate in rates
        ],
        "aligned": [(_WAVE, rate, 0.0, form) for form in PAIRINGS.values() for rate in (-small, small)],
        "static": [(_SMALL, rate, 0.0, midpoint) for rate in (-static, 0.0, static)],
        "current": [(_SMALL, rate, 0.0, FORMS["tied"]) for rate in (-static, static)],
        "prescribed": [(_OU, rate, 1.0, FORMS["Eq 1"]) for rate in (0.0, config.large_rate)],
    }
    rows = [row for part in parts.values() for row in part]
    ends = np.cumsum([len(part) for part in parts.values()])
    where = {name: slice(int(end) - len(part), int(end)) for (name, part), end in zip(parts.items(), ends, strict=True)}
    drive, rate, is_prescribed, forms = zip(*rows, strict=True)
    form = Form(*(jnp.asarray(column, float) for column in zip(*forms, strict=True)))
    case = Case(jnp.asarray(drive, jnp.int32), jnp.asarray(rate, float), jnp.asarray(is_prescribed, float), form)
    return case, where


@partial(jax.jit, static_argnames=("n_networks", "n_units"))
def _networks(key: Key[Array, ""], n_networks: int, n_units: int) -> Params:
    return jax.vmap(lambda key: random_params(key, n_units, 0.3))(member_keys(key, n_networks))


@partial(jax.jit, static_argnames=("n_networks", "n_units", "n_steps"))
def _drives(key: Key[Array, ""], n_networks: int, n_units: int, n_steps: int) -> Array:
    return jax.vmap(lambda key: drives_of(key, n_units, n_steps))(member_keys(key, n_networks))


def run(key: Key[Array, ""], config: SpeedWithLearningConfig, progress: Progress) -> xr.Dataset:
    """Run all networks with and without learning, with their final weights held, and their static equivalents."""
    progress(0.0, "drives")
    n_networks, n_steps = config.n_networks, config.n_steps
    longest = max(n_steps, config.n_fresh_steps)
    params = _networks(named_key(key, "networks"), n_networks, config.n_units)
    drives, fresh = (
        _drives(named_key(key, name), n_networks, config.n_units, longest) for name in ("drives", "fresh drives")
    )
    noise_keys, fresh_keys = (member_keys(named_key(key, name), n_networks) for name in ("noise", "fresh noise"))
    case, where = cases(config)
    n_cases = case.rate.shape[0]
    first = jnp.broadcast_to(params.weights, (n_cases, *params.weights.shape))
    bound = jnp.asarray(config.bound, float)
    start = Params(first, params.bias)
    drives = drives[:, :, :n_steps]

    progress(0.1, "networks that learn")
    learned = learn(noise_keys, start, drives, case, bound, n_dropped=n_steps // 3 * 2, is_plastic=True)
    progress(0.7, "their weights, held")
    main = where["main"]
    held = learn(
        fresh_keys, Params(learned.weights[main], params.bias), fresh[:, :, : config.n_fresh_steps],
        jax.tree.map(lambda leaf: leaf[main], case), bound, n_dropped=config.n_fresh_steps // 3, is_plastic=False,
    )  # fmt: skip
    progress(0.9, "static networks and a layer")
    static_rates = np.array([-config.static_rate, 0.0, config.static_rate])
    still = static_speed(params, drives[:, _SMALL], jnp.asarray(static_rates, float), n_dropped=n_steps // 3 * 2)
    layer_rates = np.array([-config.layer_rate, config.layer_rate])
    n_layer_steps = n_steps // 2
    inputs = config.layer_std / 0.25 * drives[:, _OU, :n_layer_steps]
    growth, late_over_early = jax.vmap(layer_growth, (0, 0, None))(
        params.weights, inputs, jnp.asarray(layer_rates, float)
    )
    off_formula = partial(_off_formula, params, learned)
    progress(1.0, "done")

    def table(values: Array) -> np.ndarray:
        return _in_double(values[main]).reshape(len(FORMS), _N_MAIN_DRIVES, 5, *values.shape[1:])

    speed = _in_double(learned.speed)
    wave_of_tied = table(learned.speed)[list(FORMS).index("tied"), _WAVE]
    aligned = speed[where["aligned"]].reshape(3, 2, n_networks)
    aligned = np.insert(aligned, 1, wave_of_tied[[1, 3]], axis=0)
    cell, each = ("form", "drive", "learning_rate"), "network"
    squared = {"units": "(activity / time constant)^2"}
    finite = {"required": "networks with finite states and weights"}
    moved = learned.weights - first
    return xr.Dataset(
        {
            "speed": ((*cell, each), table(learned.speed), {"long_name": "mean squared speed of all units", **squared}),
            "held_speed": (
                (*cell, each), _in_double(held.speed).reshape(len(FORMS), _N_MAIN_DRIVES, 5, n_networks),
                {"long_name": "mean squared speed with the learned weights held, fresh drive", **squared},
            ),
            "saturation": (
                cell, table(learned.saturation).mean(-1), {"long_name": "share of units and time beyond the kinks"},
            ),
            "at_bound": (
                cell, table(jnp.abs(learned.weights) >= bound).mean((-1, -2, -3)),
                {"long_name": "share of weights at their bound"},
            ),
            "log_ratio_reference": (cell, _reference(config), {"long_name": "expected log ratio of speeds"}),
            "aligned_speed": (("pairing", "small_rate", each), aligned, squared),
            "wave_speed": ((each,), wave_of_tied[2], {"long_name": "the same without learning", **squared}),
            "plastic_speed": (("static_rate", each), speed[where["static"]], squared),
            "static_speed": (("static_rate", each), _in_double(still), squared),
            "off_formula": (
                (), off_formula(where["static"], static_rates),
                {"long_name": "largest difference of weights from those by the rates of the moment"},
            ),
            "off_formula_current": ((), off_formula(where["current"], static_rates[[0, 2]])),
            "prescribed_speed": (("prescribed_rate", each), speed[where["prescribed"]], squared),
            "prescribed_weight_change": ((), float(jnp.max(jnp.abs(moved[where["prescribed"]])))),
            "layer_growth": (
                ("layer_rate", each), _in_double(growth).T, {"long_name": "growth of a feedforward layer's weights"},
            ),
            "layer_predicted": (
                ("layer_rate",),
                [predicted_growth(float(rate), config.layer_std, n_layer_steps) for rate in layer_rates],
            ),
            "layer_speed_ratio": (
                ("layer_rate", each), _in_double(late_over_early).T,
                {"long_name": "late over early mean squared speed"},
            ),
            "is_finite": (("case", each), np.asarray(learned.is_finite), finite),
            "held_is_finite": (("main_case", each), np.asarray(held.is_finite), finite),
        },
        coords={
            "form": ("form", list(FORMS)),
            "drive": ("drive", list(DRIVES[:_N_MAIN_DRIVES])),
            "learning_rate": ("learning_rate", np.array(main_rates(config))),
            "network": ("network", np.arange(n_networks)),
            "pairing": ("pairing", list(_ALIGNED), {"long_name": "presynaptic rate taken"}),
            "small_rate": ("small_rate", [-config.small_rate, config.small_rate]),
            "static_rate": ("static_rate", static_rates),
            "prescribed_rate": ("prescribed_rate", [0.0, config.large_rate]),
            "layer_rate": ("layer_rate", layer_rates),
            "case": ("case", np.arange(n_cases)),
            "main_case": ("main_case", np.arange(main.stop)),
        },
    )  # fmt: skip


def _in_double(values: Array) -> np.ndarray:
    return np.asarray(values, np.float64)


def _off_formula(params: Params, learned: Learned, part: slice, rates: np.ndarray) -> float:
    """Return how far weights are from W(0) + rate (r r^T - r(0) r(0)^T) off the diagonal, r the final rates."""
    weights = _in_double(learned.weights[part])
    final = _in_double(hard_sigmoid().value(learned.state[part]))
    formula = rates[:, None, None, None] * (final[..., :, None] * final[..., None, :] - 0.25)
    off = np.abs(weights - _in_double(params.weights) - formula) * (1 - np.eye(weights.shape[-1]))
    return float(off.max())


def _reference(config: SpeedWithLearningConfig) -> np.ndarray:
    """Return the expected log ratios where the settings are those that they were found at."""
    found = np.full((len(FORMS), _N_MAIN_DRIVES, 5), np.nan)
    if (config.small_rate, config.large_rate) == (0.02, 0.1):
        found[:, :, [3, 1, 4, 0]] = np.log(REFERENCE)
    return found


def log_ratio(data: xr.Dataset, name: str = "speed") -> xr.DataArray:
    """Return the log of each network's mean squared speed over that of the same network without learning."""
    rates = data.learning_rate.values[data.learning_rate.values != 0]
    logs = data[name].copy(data=np.log(data[name].values))
    return logs.sel(learning_rate=rates) - logs.sel(learning_rate=0.0, drop=True)


def judge(data: xr.Dataset, config: SpeedWithLearningConfig) -> dict[str, Measurement]:
    """Compare the run with the criteria."""
    ratios, held = log_ratio(data), log_ratio(data, "held_speed")
    small, large = config.small_rate, config.large_rate

    def cell(values: xr.DataArray, form: str, drive: str, rate: float) -> tuple[float, float, float]:
        return mean_interval(values.sel(form=form, drive=drive, learning_rate=rate).values)

    def measured(values: tuple[float, float, float]) -> tuple[float, tuple[float, float]]:
        return values[0], values[1:]

    rise, fall = cell(ratios, "Eq 1", "OU", small), cell(ratios, "Eq 1", "OU", -small)
    # The wave's sign depends on the alignment, and gating makes the learning unstable: claims of their own.
    four, two = list(DRIVES[:4]), ["Eq 1", "tied"]
    signed = np.sign(ratios.learning_rate) * ratios.sel(drive=four, form=two)
    signed_held = np.sign(held.learning_rate) * held.sel(drive=four, form=two)

    def least(values: xr.DataArray) -> tuple[float, tuple[float, float]]:
        rows = values.stack(cell=("form", "drive", "learning_rate")).transpose("cell", "network").values
        mean, low, high = min(mean_interval(row) for row in rows)
        return mean, (low, high)

    shares = (signed > 0).mean("network")
    mean = ratios.mean("network")
    error = ratios.std("network", ddof=1) / config.n_networks**0.5
    reference = data.log_ratio_reference
    allowed = error * (3 * 2**0.5) + abs(reference) * 0.1
    table = (abs(mean - reference) / allowed).sel(drive=four, form=two)
    swapped = (abs(mean + reference) / allowed).sel(drive=four, form=two)
    lasting = [cell(held, form, "OU", rate) for form in two for rate in (-small, small)]
    online = [cell(ratios, form, "OU", rate) for form in two for rate in (-small, small)]

    def farthest(cells: list[tuple[float, float, float]]) -> tuple[float, tuple[float, float]]:
        mean, low, high = max(cells, key=lambda values: abs(values[0]))
        return (mean, (low, high)) if mean >= 0 else (-mean, (-high, -low))

    plastic, static = np.log(data.plastic_speed), np.log(data.static_speed)
    learning = [-config.static_rate, config.static_rate]

    def effect(logs: xr.DataArray) -> str:
        both = np.exp((logs - logs.sel(static_rate=0.0)).sel(static_rate=learning).mean("network"))
        return " and ".join(f"{float(value):.5f}" for value in both)

    aligned = np.sign(data.small_rate) * (np.log(data.aligned_speed) - np.log(data.wave_speed))
    # Of a network: how much the log ratio rises from one alignment to the next, on average over both signs.
    steps = aligned.mean("small_rate").diff("pairing")
    weakest = min(mean_interval(row) for row in steps.transpose("pairing", "network").values)
    gated = ratios.sel(form="gradient form", drive="OU") - ratios.sel(form="Eq 1", drive="OU")
    runaway = mean_interval(gated.sel(learning_rate=large).values)
    growth = np.log(data.layer_growth.mean("network")) / np.log(data.layer_predicted)
    signs = ", ".join(f"{float(value):+.3f}" for value in aligned.sel(small_rate=small).mean("network"))
    return {
        "5.1.prescribed": Measurement(
            float(np.abs(np.log(data.prescribed_speed).diff("prescribed_rate")).max()),
            control=float(np.abs(ratios.sel(form="Eq 1", drive="OU", learning_rate=large)).max()),
            note=f"Weights change by up to {float(data.prescribed_weight_change):.2g}. Control: driven by the network.",
        ),
        "5.1.rises": Measurement(*measured(rise), control=fall[0], note="Control: the opposite sign of Eq 1."),
        "5.1.falls_reversed": Measurement(*measured(fall), control=rise[0], note="Control: Eq 1 as printed."),
        "5.1.every_drive": Measurement(
            *least(signed), control=least(signed_held)[0], note="Control: the weights learned, held, on a fresh drive."
        ),
        "5.1.most_networks": Measurement(
            float(shares.mean()), control=float((signed_held > 0).mean()),
            note=f"At least {float(shares.min()):.0%} in each cell. Control: the weights learned, held.",
        ),
        "5.1.table": Measurement(
            float(table.max()), control=float(swapped.max()), note="Control: the table with its signs reversed.",
        ),
        "5.1.fast_weights": Measurement(
            *farthest(lasting), control=farthest(online)[0],
            note=f"At rate +{large:g}, untied, {cell(held, 'Eq 1', 'OU', large)[0]:.2f} of "
            f"{cell(ratios, 'Eq 1', 'OU', large)[0]:.2f} lasts. Control: the same while learning.",
        ),
        "5.1.static_network": Measurement(
            float(np.abs(plastic - static).max()),
            control=float(np.abs(plastic - static.sel(static_rate=0.0)).sel(static_rate=learning).max()),
            note=f"Speed over that without learning: {effect(plastic)}, static {effect(static)}. "
            "Control: without the quartic energy.",
        ),
        "5.1.weights_are_rates": Measurement(
            float(data.off_formula), control=float(data.off_formula_current),
            note="Control: presynaptic rate at the start of the step in place of the midpoint.",
        ),
        "5.1.alignment": Measurement(
            weakest[0], weakest[1:], control=float((-steps).mean("network").min()),
            note=f"Log ratios by alignment at rate +{small:g}: {signs}. Control: the order reversed.",
        ),
        "5.1.gradient_form": Measurement(
            *measured(runaway), control=mean_interval(gated.sel(learning_rate=-large).values)[0],
            note=f"{float(data.at_bound.sel(form='gradient form', drive='OU', learning_rate=large)):.0%} of weights at "
            "their bound. Control: the opposite sign of the rule.",
        ),
        "5.1.layer": Measurement(
            float(np.abs(growth - 1).max()), control=float(np.abs(-growth - 1).max()),
            note="Growth "
            + " and ".join(f"{float(value):.3f}" for value in data.layer_growth.mean("network"))
            + ", predicted "
            + " and ".join(f"{float(value):.3f}" for value in data.layer_predicted)
            + ". Control: the opposite sign of the rule.",
        ),
    }  # fmt: skip


STUDY = Study(
    name="speed_with_learning",
    title="With weight changes and without",
    figure="Section 5.1",
    source="Bengio et al. 2015, section 5.1, Eq 1, 3 and 9",
    caption="The comparison that the paper announces in section 5.1 and does not report. Where the network moves its "
    "units, Eq 1 makes them move more, and its reverse less: learning with it raises the objective as a number. Nearly "
    "all of this is the weights following the activity of the moment, which a static network can imitate.",
    config=SpeedWithLearningConfig(),
    smoke=SpeedWithLearningConfig(n_networks=6, n_steps=300, n_fresh_steps=300),
    claims=CLAIMS,
    run=run,
    judge=judge,
    plot=plot,
)
