"""Do units move less when their weights change by Eq 1? The comparison that the paper announces (section 5.1)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax.energy import Params, random_params
from stdpjax.lab import Claim, Estimate, Progress, Study, at_least, at_most, within
from stdpjax.lab.settings import TRAINS, configuration, setting
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import labelled, merged, on_host, required
from stdpjax.studies.section_5_simulation.plastic_networks import (
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
from stdpjax.studies.section_5_simulation.speed_with_learning_figure import plot


@configuration
class SpeedWithLearningConfig:
    """Settings of the comparison; activities are in units of the hard sigmoid's width."""

    n_networks: int = setting(48, "independent networks", **TRAINS)
    n_units: int = setting(8, "units of each", at_least=2)
    n_steps: int = setting(6000, "steps of 0.1 time constants; the last third counts", at_least=60, multiple_of=3)
    n_fresh_steps: int = setting(
        3000,
        "the same for the learned weights, held, with a fresh drive; the first third is dropped",
        at_least=60,
        multiple_of=3,
    )
    small_rate: float = setting(0.02, "learning rate, with either sign", above=0)
    large_rate: float = setting(0.1, "another, with either sign", above=0)
    static_rate: float = setting(0.05, "learning rate of the network that is compared with a static one", above=0)
    bound: float = setting(3.0, "largest absolute weight", above=0)
    layer_rate: float = setting(0.2, "learning rate of the feedforward layer", above=0)
    layer_std: float = setting(0.17, "standard deviation of the rates of its inputs", above=0)

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
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


# Expected ratios of the mean squared speed to that without learning: [form, drive, rate], forms Eq 1, gradient form and
# tied, rates 0.02, -0.02, 0.1, -0.1. None for the gradient form.
REFERENCE = np.array(
    [
        [
            [1.041, 0.968, 1.54, 0.869],
            [1.040, 0.968, 1.50, 0.873],
            [1.07, 0.950, 1.85, 0.804],
            [1.05, 0.954, 1.40, 0.827],
            [1.24, 0.526, 0.75, 0.228],
        ],
        [[np.nan] * 4] * 5,
        [
            [1.039, 0.967, 1.34, 0.871],
            [1.038, 0.967, 1.29, 0.869],
            [1.05, 0.958, 1.61, 0.845],
            [1.07, 0.948, 1.78, 0.819],
            [0.973, 1.03, 1.82, 1.17],
        ],
    ]
)


def log_ratio(data: xr.Dataset, name: str = "speed") -> xr.DataArray:
    """Return the log of each network's mean squared speed over that of the same network without learning."""
    rates = data.learning_rate.values[data.learning_rate.values != 0]
    logs = data[name].copy(data=np.log(data[name].values))
    return logs.sel(learning_rate=rates) - logs.sel(learning_rate=0.0, drop=True)


def _held(data: xr.Dataset) -> xr.DataArray:
    return log_ratio(data, "held_speed")


def _small(data: xr.Dataset) -> float:
    return float(data.small_rate[-1])


def _mean(data: xr.Dataset, form: str, rate: float, name: str = "speed") -> Estimate:
    """Return the mean log ratio over networks, OU drive."""
    return mean_interval(log_ratio(data, name).sel(form=form, drive="OU", learning_rate=rate).values)


def _in_cells(values: xr.DataArray) -> xr.DataArray:
    # The wave's sign depends on the alignment, and gating makes the learning unstable: claims of their own.
    return values.sel(drive=list(DRIVES[:4]), form=["Eq 1", "tied"])


def _signed(ratios: xr.DataArray) -> xr.DataArray:
    return np.sign(ratios.learning_rate) * _in_cells(ratios)


def _least(signed: xr.DataArray) -> Estimate:
    rows = signed.stack(cell=("form", "drive", "learning_rate")).transpose("cell", "network").values
    return min(mean_interval(row) for row in rows)


def _off_table(data: xr.Dataset, sign: int) -> float:
    """Return how far log ratios are from the expected ones, or from their opposite, over what is allowed."""
    ratios, reference = log_ratio(data), data.log_ratio_reference
    error = ratios.std("network", ddof=1) / data.sizes["network"] ** 0.5
    allowed = error * (3 * 2**0.5) + abs(reference) * 0.1
    return float(_in_cells(abs(ratios.mean("network") - sign * reference) / allowed).max())


def _farthest(data: xr.Dataset, name: str) -> Estimate:
    """Return the largest size of a mean log ratio at small rates."""
    rates = (-_small(data), _small(data))
    cells = [_mean(data, form, rate, name) for form in ("Eq 1", "tied") for rate in rates]
    mean, low, high = max(cells, key=lambda cell: abs(cell.value))[:3]
    return Estimate(mean, low, high) if mean >= 0 else Estimate(-mean, -high, -low)


def _lasts(data: xr.Dataset) -> str:
    large = float(data.learning_rate[-1])
    held, learning = (_mean(data, "Eq 1", large, name).value for name in ("held_speed", "speed"))
    return f"At rate +{large:g}, untied, {held:.2f} of {learning:.2f} lasts."


def _effects(speed: xr.DataArray) -> str:
    logs = xr.DataArray(np.log(speed))
    both = np.exp((logs[[0, 2]] - logs.sel(static_rate=0.0)).mean("network"))
    return " and ".join(f"{float(value):.5f}" for value in both)


def _aligned(data: xr.Dataset) -> xr.DataArray:
    return np.sign(data.small_rate) * (np.log(data.aligned_speed) - np.log(data.wave_speed))


def _steps(data: xr.Dataset) -> xr.DataArray:
    """Return how much the log ratio of a network rises from one alignment to the next, averaged over both signs."""
    return _aligned(data).mean("small_rate").diff("pairing")


def _weakest_step(data: xr.Dataset) -> Estimate:
    return min(mean_interval(row) for row in _steps(data).transpose("pairing", "network").values)


def _by_alignment(data: xr.Dataset) -> str:
    means = _aligned(data).sel(small_rate=_small(data)).mean("network")
    signs = ", ".join(f"{float(value):+.3f}" for value in means)
    return f"Log ratios by alignment at rate +{_small(data):g}: {signs}."


def _gradient_over_eq1(data: xr.Dataset, index: int) -> Estimate:
    """Return the log ratio of the speeds with the gradient form and with Eq 1, at one of the rates."""
    ratios = log_ratio(data).sel(drive="OU").isel(learning_rate=index)
    return mean_interval((ratios.sel(form="gradient form") - ratios.sel(form="Eq 1")).values)


def _growth(data: xr.Dataset) -> xr.DataArray:
    return np.log(data.layer_growth.mean("network")) / np.log(data.layer_predicted)


def _listed(values: xr.DataArray) -> str:
    return " and ".join(f"{float(value):.3f}" for value in values)


_ANNOUNCED = (
    "The mean squared speed is to be measured with weight changes (Eq 1, called SGD on J) and without; no result."
)
_RISES = "Learning with Eq 1 raises the mean squared speed, and so the number J; with the opposite sign it falls."

_announced = partial(Claim, statement="Eq 1", bearing="refutes")

CLAIMS = (
    _announced(
        "5.1.prescribed",
        "Largest |log ratio| of the mean squared speed with and without learning, voltages prescribed.",
        statement="Section 5.1",
        criterion=at_most(0.0),
        measure=lambda data: np.abs(np.log(data.prescribed_speed).diff("prescribed_rate")).max(),
        control=lambda data: np.abs(log_ratio(data).sel(form="Eq 1", drive="OU")[-1]).max(),
        control_is="driven by the network",
        note=lambda data: f"Weights change by up to {float(data.prescribed_weight_change):.2g}.",
    ),
    _announced(
        "5.1.rises",
        "Mean log ratio of the mean squared speed with to without learning, OU drive, rate +0.02.",
        # 3 standard errors of 0.001 and 10 %.
        criterion=within(0.040, 0.007),
        measure=lambda data: _mean(data, "Eq 1", _small(data)),
        control=lambda data: _mean(data, "Eq 1", -_small(data)).value,
        control_is="the opposite sign of Eq 1",
    ),
    _announced(
        "5.1.falls_reversed",
        "The same with the sign of Eq 1 reversed, rate -0.02.",
        criterion=within(-0.033, 0.0063),
        measure=lambda data: _mean(data, "Eq 1", -_small(data)),
        control=lambda data: _mean(data, "Eq 1", _small(data)).value,
        control_is="Eq 1 as printed",
    ),
    _announced(
        "5.1.every_drive",
        "Least mean log ratio, times the sign of the rate; four drives, four rates, Eq 1 and tied.",
        criterion=at_least(0.02),
        measure=lambda data: _least(_signed(log_ratio(data))),
        control=lambda data: _least(_signed(_held(data))).value,
        control_is="the weights learned, held, on a fresh drive",
    ),
    _announced(
        "5.1.most_networks",
        "Share of networks that follow the sign, over the same cells.",
        criterion=at_least(0.95),
        measure=lambda data: (_signed(log_ratio(data)) > 0).mean(),
        control=lambda data: (_signed(_held(data)) > 0).mean(),
        control_is="the weights learned, held",
        note=lambda data: f"At least {float((_signed(log_ratio(data)) > 0).mean('network').min()):.0%} in each cell.",
    ),
    _announced(
        "5.1.table",
        "Largest difference of a log ratio from its expectation, over 3 standard errors of it and 10 %; same cells.",
        criterion=at_most(1.0),
        measure=lambda data: _off_table(data, 1),
        control=lambda data: _off_table(data, -1),
        control_is="the table with its signs reversed",
    ),
    _announced(
        "5.1.fast_weights",
        "Largest |mean log ratio| with the learned weights held, fresh OU drive, rates of 0.02.",
        criterion=at_most(0.01),
        measure=lambda data: _farthest(data, "held_speed"),
        control=lambda data: _farthest(data, "speed").value,
        control_is="the same while learning",
        note=_lasts,
    ),
    _announced(
        "5.1.static_network",
        "Largest |log ratio| of the speed of a network that learns to that of a static one with a quartic energy.",
        criterion=at_most(1e-4, double=1e-10),
        measure=lambda data: np.abs(np.log(data.plastic_speed) - np.log(data.static_speed)).max(),
        control=lambda data: np.abs(np.log(data.plastic_speed) - np.log(data.static_speed[1]))[[0, 2]].max(),
        control_is="without the quartic energy",
        note=lambda data: (
            f"Speed over that without learning: {_effects(data.plastic_speed)}, static {_effects(data.static_speed)}."
        ),
    ),
    _announced(
        "5.1.weights_are_rates",
        "Largest difference of these weights from W(0) + rate (r r^T - r(0) r(0)^T).",
        criterion=at_most(2e-5, double=1e-12),
        measure=lambda data: data.off_formula,
        control=lambda data: data.off_formula_current,
        control_is="presynaptic rate at the start of the step in place of the midpoint",
    ),
    _announced(
        "5.1.alignment",
        "Least rise of the signed log ratio, tied, on a travelling wave, as the presynaptic rate is taken later.",
        criterion=at_least(0.02),
        measure=_weakest_step,
        control=lambda data: (-_steps(data)).mean("network").min(),
        control_is="the order reversed",
        note=_by_alignment,
    ),
    Claim(
        "5.1.gradient_form",
        "Log ratio of the speeds with the gradient form and with Eq 1, OU drive, rate +0.1.",
        statement="Eq 5",
        criterion=at_least(3.0),
        measure=lambda data: _gradient_over_eq1(data, -1),
        control=lambda data: _gradient_over_eq1(data, 0).value,
        control_is="the opposite sign of the rule",
        bearing="refutes",
        note=lambda data: (
            f"{float(data.at_bound.sel(form='gradient form', drive='OU')[-1]):.0%} of weights at their bound."
        ),
    ),
    _announced(
        "5.1.layer",
        "Largest relative difference of a feedforward layer's log growth from rate c T / (1 + tau).",
        criterion=at_most(0.1),
        measure=lambda data: np.abs(_growth(data) - 1).max(),
        control=lambda data: np.abs(-_growth(data) - 1).max(),
        control_is="the opposite sign of the rule",
        note=lambda data: (
            f"Growth {_listed(data.layer_growth.mean('network'))}, predicted {_listed(data.layer_predicted)}."
        ),
    ),
)


_SQUARED, _FINITE = "(activity / time constant)^2", "networks with finite states and weights"


def run(key: Key[Array, ""], config: SpeedWithLearningConfig, progress: Progress) -> xr.Dataset:
    """Run all networks with and without learning, with their final weights held, and their static equivalents."""
    progress(0.0, "drives")
    n_networks, n_steps = config.n_networks, config.n_steps
    params = _networks(named_key(key, "networks"), n_networks, config.n_units)
    drives, fresh = (
        _drives(named_key(key, name), n_networks, config.n_units, max(n_steps, config.n_fresh_steps))
        for name in ("drives", "fresh drives")
    )
    drives = drives[:, :, :n_steps]
    noise_keys, fresh_keys = (member_keys(named_key(key, name), n_networks) for name in ("noise", "fresh noise"))
    case, where = cases(config)
    bound = jnp.asarray(config.bound, float)
    start = Params(jnp.broadcast_to(params.weights, (case.rate.shape[0], *params.weights.shape)), params.bias)
    progress(0.1, "networks that learn")
    learned = learn(noise_keys, start, drives, case, bound, n_dropped=n_steps // 3 * 2, is_plastic=True)
    progress(0.7, "their weights, held")
    main = where["main"]
    held = learn(
        fresh_keys,
        Params(learned.weights[main], params.bias),
        fresh[:, :, : config.n_fresh_steps],
        jax.tree.map(lambda leaf: leaf[main], case),
        bound,
        n_dropped=config.n_fresh_steps // 3,
        is_plastic=False,
    )
    progress(0.9, "static networks and a layer")
    parts = [
        _main(learned, held, main, config),
        _alignments(learned, where),
        _statics(params, drives[:, _SMALL], learned, where, config),
        _prescribed(params, learned, where["prescribed"]),
        _layer(params, drives[:, _OU, : n_steps // 2], config),
    ]
    progress(1.0, "done")
    return merged(
        *parts,
        form=list(FORMS),
        drive=list(DRIVES[:_N_MAIN_DRIVES]),
        learning_rate=np.array(main_rates(config)),
        network=np.arange(n_networks),
        pairing=("pairing", list(_ALIGNED), {"long_name": "presynaptic rate taken"}),
        small_rate=[-config.small_rate, config.small_rate],
        prescribed_rate=[0.0, config.large_rate],
        case=np.arange(len(learned.speed)),
        main_case=np.arange(main.stop),
    )


def _by_case(values: Array | np.ndarray) -> np.ndarray:
    """Split the cases of the comparison into form, drive and learning rate."""
    return on_host(values).reshape(len(FORMS), _N_MAIN_DRIVES, 5, *values.shape[1:])


def _main(learned: Learned, held: Learned, main: slice, config: SpeedWithLearningConfig) -> xr.Dataset:
    """Return speeds while the networks learn, and with what they learned held."""
    cell = ("form", "drive", "learning_rate")
    found = jax.tree.map(lambda leaf: leaf[main], learned)
    at_bound = _by_case(jnp.abs(found.weights) >= config.bound).mean((-1, -2, -3))
    return merged(
        labelled(
            (*cell, "network"),
            _SQUARED,
            speed=(_by_case(found.speed), "mean squared speed of all units"),
            held_speed=(_by_case(held.speed), "mean squared speed with the learned weights held, fresh drive"),
        ),
        labelled(
            cell,
            saturation=(_by_case(found.saturation).mean(-1), "share of units and time beyond the kinks"),
            at_bound=(at_bound, "share of weights at their bound"),
            log_ratio_reference=(_reference(config), "expected log ratio of speeds"),
        ),
        required(("case", "network"), _FINITE, is_finite=learned.is_finite),
        required(("main_case", "network"), _FINITE, held_is_finite=held.is_finite),
    )


def _alignments(learned: Learned, where: dict[str, slice]) -> xr.Dataset:
    """Return speeds on a wave by the moment at which the presynaptic rate is read."""
    speed = on_host(learned.speed)
    wave_of_tied = _by_case(speed[where["main"]])[list(FORMS).index("tied"), _WAVE]
    aligned = np.insert(speed[where["aligned"]].reshape(3, 2, -1), 1, wave_of_tied[[1, 3]], axis=0)
    return merged(
        labelled(("pairing", "small_rate", "network"), _SQUARED, aligned_speed=aligned),
        labelled("network", _SQUARED, wave_speed=(wave_of_tied[2], "the same without learning")),
    )


def _statics(
    params: Params, drive: Array, learned: Learned, where: dict[str, slice], config: SpeedWithLearningConfig
) -> xr.Dataset:
    """Put networks that learn beside static ones of the energy that learning amounts to."""
    rates = np.array([-config.static_rate, 0.0, config.static_rate])
    still = static_speed(params, drive, jnp.asarray(rates, float), n_dropped=config.n_steps // 3 * 2)
    off = "largest difference of weights from those by the rates of the moment"
    return merged(
        labelled(
            ("static_rate", "network"), _SQUARED, plastic_speed=learned.speed[where["static"]], static_speed=still
        ),
        labelled(
            (),
            off_formula=(_off_formula(params, learned, where["static"], rates), off),
            off_formula_current=_off_formula(params, learned, where["current"], rates[[0, 2]]),
        ),
        static_rate=rates,
    )


def _prescribed(params: Params, learned: Learned, part: slice) -> xr.Dataset:
    moved = jnp.max(jnp.abs(learned.weights[part] - params.weights[None]))
    speed = labelled(("prescribed_rate", "network"), _SQUARED, prescribed_speed=learned.speed[part])
    return merged(speed, labelled((), prescribed_weight_change=moved))


def _layer(params: Params, drive: Array, config: SpeedWithLearningConfig) -> xr.Dataset:
    """Let a feedforward layer learn."""
    rates = np.array([-config.layer_rate, config.layer_rate])
    inputs = config.layer_std / 0.25 * drive
    growth = jax.vmap(layer_growth, (0, 0, None))(params.weights, inputs, jnp.asarray(rates, float))
    predicted = [predicted_growth(float(rate), config.layer_std, inputs.shape[1]) for rate in rates]
    return merged(
        labelled(("layer_rate", "network"), layer_growth=(growth.T, "growth of a feedforward layer's weights")),
        labelled("layer_rate", layer_predicted=predicted),
        layer_rate=rates,
    )


def _off_formula(params: Params, learned: Learned, part: slice, rates: np.ndarray) -> float:
    """Return how far weights are from W(0) + rate (r r^T - r(0) r(0)^T) off the diagonal, r the final rates."""
    weights = on_host(learned.weights[part])
    final = on_host(hard_sigmoid().value(learned.state[part]))
    formula = rates[:, None, None, None] * (final[..., :, None] * final[..., None, :] - 0.25)
    off = np.abs(weights - on_host(params.weights) - formula) * (1 - np.eye(weights.shape[-1]))
    return float(off.max())


def _reference(config: SpeedWithLearningConfig) -> np.ndarray:
    """Return the expected log ratios where the settings are those that they were found at."""
    found = np.full((len(FORMS), _N_MAIN_DRIVES, 5), np.nan)
    if (config.small_rate, config.large_rate) == (0.02, 0.1):
        found[:, :, [3, 1, 4, 0]] = np.log(REFERENCE)
    return found


STUDY = Study(
    name="speed_with_learning",
    title="With weight changes and without",
    figure="Section 5.1",
    source="Bengio et al. 2015, section 5.1, Eq 1, 3 and 9",
    caption="The comparison that the paper announces in section 5.1 and does not report. Where the network moves its "
    "units, Eq 1 makes them move more, and its reverse less: learning with it raises the objective as a number. Nearly "
    "all of this is the weights following the activity of the moment, which a static network can imitate.",
    config=SpeedWithLearningConfig(),
    smoke=dict(n_networks=6, n_steps=300, n_fresh_steps=300),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
