"""Do units move less when their weights change by Eq 1? The comparison that the paper announces (section 5.1)."""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax import _checks
from stdpjax.energy import Params, random_params
from stdpjax.lab import Estimate, Progress, Study, at_least, at_most
from stdpjax.lab.settings import TRAINS, configuration, setting
from stdpjax.random import member_keys, named_key
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import labelled, limits, merged, required, supports
from stdpjax.studies.section_5_simulation.plastic_networks import DRIVES, Case, drives_of, learn
from stdpjax.studies.section_5_simulation.speed_with_learning_figure import plot


@configuration
class SpeedWithLearningConfig:
    """Settings of the comparison; activities are in units of the hard sigmoid's width."""

    n_networks: int = setting(48, "independent networks", **TRAINS)
    n_units: int = setting(8, "units of each", at_least=2)
    n_steps: int = setting(6000, "steps of 0.1 time constants; the last third counts", at_least=60, multiple_of=3)
    small_rate: float = setting(0.02, "learning rate, with either sign", above=0)
    large_rate: float = setting(0.1, "another, with either sign", above=0)
    bound: float = setting(3.0, "largest absolute weight", above=0)

    def __post_init__(self) -> None:
        _checks.number("large_rate", self.large_rate, above=self.small_rate)


# How the rule is told the two directions of a pair of units: each by its own, or their sum.
FORMS = {"Eq 1": 0.0, "tied": 1.0}
_WAVE = "travelling wave"
_MAIN = [name for name in DRIVES if name != _WAVE]


def main_rates(config: SpeedWithLearningConfig) -> tuple[float, ...]:
    """Return the learning rates of the comparison, increasing."""
    return (-config.large_rate, -config.small_rate, 0.0, config.small_rate, config.large_rate)


def cases(config: SpeedWithLearningConfig) -> dict[str, Case]:
    """Return what is run: each form, drive and rate, misplaced changes, and the rate read midway on a wave, tied."""
    forms, drives, small = FORMS.values(), range(len(DRIVES)), config.small_rate
    parts = {
        "main": [(drive, rate, tie, 0.0, 0) for tie, drive, rate in product(forms, drives, main_rates(config))],
        "misplaced": [(drive, small, tie, 0.0, 1) for tie, drive in product(forms, drives)],
        "midway": [(DRIVES.index(_WAVE), small, 1.0, 0.5, 0)],
    }
    types = (jnp.int32, float, float, float, jnp.int32)
    return {
        name: Case._make(jnp.asarray(column, of) for column, of in zip(zip(*rows, strict=True), types, strict=True))
        for name, rows in parts.items()
    }


def log_ratio(data: xr.Dataset, name: str) -> xr.DataArray:
    """Return the log of a mean squared speed over that of the same form and drive without learning."""
    ratio = data[name] / data.speed.sel(learning_rate=0.0, drop=True)
    return ratio.copy(data=np.log(ratio.values))


def _signed(data: xr.Dataset) -> xr.DataArray:
    logs = log_ratio(data, "speed").sel(learning_rate=data.learning_rate != 0, drive=_MAIN)
    return np.sign(logs.learning_rate) * logs


def _means(logs: xr.DataArray) -> list[Estimate]:
    return [mean_interval(row) for row in logs.transpose(..., "network").values.reshape(-1, logs.sizes["network"])]


def _slowest(data: xr.Dataset, drives: list[str]) -> Estimate:
    """Return the mean log ratio that is least with the whole of its interval, over drives, forms, positive rates."""
    positive = log_ratio(data, "speed").sel(learning_rate=data.learning_rate > 0, drive=drives)
    return min(_means(positive), key=lambda mean: mean.high)


def _moments(data: xr.Dataset) -> str:
    """Say what the moment does at which the rate is read, tied, at the smaller of the positive rates."""
    at_start = log_ratio(data, "speed").sel(form="tied", drive=_WAVE, learning_rate=data.learning_rate[-2])
    midway = log_ratio(data, "midway_speed").sel(form="tied", drive=_WAVE)
    return f"Tied, smaller rate: {float(at_start.mean()):+.3f}; read midway through a step {float(midway.mean()):+.3f}."


CLAIMS = (
    supports(
        "sec5.1.rises",
        "Least mean log ratio of the mean squared speed with to without learning, times the sign of the rate; four "
        "drives, all but the travelling wave, four rates, Eq 1 and tied.",
        criterion=at_least(0.02),
        measure=lambda data: min(_means(_signed(data))),
        control=lambda data: min(_means(log_ratio(data, "misplaced_speed").sel(drive=_MAIN))).value,
        control_is="each change given to the weight between the next two units, at rate +0.02",
        note=lambda data: f"{float((_signed(data) > 0).mean()):.1%} of networks follow the sign.",
    ),
    limits(
        "sec5.1.wave",
        "Mean log ratio on a travelling wave: of both positive rates, Eq 1 and tied, that with the lowest upper end.",
        criterion=at_most(-0.01),
        measure=lambda data: _slowest(data, [_WAVE]),
        control=lambda data: _slowest(data, _MAIN).value,
        control_is="the other four drives",
        note=_moments,
    ),
)


def run(key: Key[Array, ""], config: SpeedWithLearningConfig, progress: Progress) -> xr.Dataset:
    """Run all networks with and without learning."""
    progress(0.0, "drives")
    n_networks, n_steps = config.n_networks, config.n_steps
    network_keys = member_keys(named_key(key, "networks"), n_networks)
    params = jax.jit(jax.vmap(lambda key: random_params(key, config.n_units, 0.3)))(network_keys)
    noise_keys, drive_keys = (member_keys(named_key(key, name), n_networks) for name in ("noise", "drives"))
    drives = jax.jit(jax.vmap(partial(drives_of, n_units=config.n_units, n_steps=n_steps)))(drive_keys)
    parts, bound = cases(config), jnp.asarray(config.bound, float)
    case = Case(*(jnp.concatenate(columns) for columns in zip(*parts.values(), strict=True)))
    start = Params(jnp.broadcast_to(params.weights, (case.rate.shape[0], *params.weights.shape)), params.bias)
    progress(0.1, "networks that learn")
    learned = learn(noise_keys, start, drives, case, bound, n_dropped=n_steps // 3 * 2)
    shape, unit = (len(FORMS), len(DRIVES), len(main_rates(config))), "(activity / time constant)^2"
    ends = np.cumsum([len(part.rate) for part in parts.values()])
    speed = dict(zip(parts, np.split(np.asarray(learned.speed), ends[:-1]), strict=True))
    words = "mean squared speed of all units"
    main, misplaced = speed["main"].reshape(*shape, -1), speed["misplaced"].reshape(*shape[:2], -1)
    between, midway = f"{words}, each change between the next two units", f"{words}, rate midway through a step"
    return merged(
        labelled(("form", "drive", "learning_rate", "network"), unit, speed=(main, words)),
        labelled(("form", "drive", "network"), unit, misplaced_speed=(misplaced, between)),
        labelled("network", unit, midway_speed=(speed["midway"][0], f"{midway}, tied, on a wave")),
        required(("case", "network"), "networks with finite states and weights", is_finite=learned.is_finite),
        form=list(FORMS),
        drive=list(DRIVES),
        learning_rate=np.array(main_rates(config)),
        case=np.arange(len(learned.speed)),
    )


STUDY = Study(
    name="speed_with_learning",
    title="With weight changes and without",
    figure="Section 5.1",
    source="Bengio et al. 2015, section 5.1, Eq 1, 3 and 9",
    caption="The comparison that the paper announces in section 5.1 and does not report. Where the network moves its "
    "units, Eq 1 makes them move more, and its reverse less: learning with it raises the objective as a number. The "
    "same changes between other units do not. On a travelling wave units can move less: the rate of learning and the "
    "moment at which the presynaptic rate is read decide.",
    config=SpeedWithLearningConfig(),
    smoke=dict(n_networks=6, n_steps=300),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
