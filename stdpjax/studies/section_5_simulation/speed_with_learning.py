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
from stdpjax.lab import Claim, Estimate, Progress, Study, at_least, at_most
from stdpjax.lab.settings import TRAINS, configuration, setting
from stdpjax.random import member_keys, named_key
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import labelled, merged, required
from stdpjax.studies.section_5_simulation.plastic_networks import DRIVES, Case, drives_of, learn
from stdpjax.studies.section_5_simulation.speed_with_learning_figure import plot


@configuration
class SpeedWithLearningConfig:
    """Settings of the comparison; activities are in units of the hard sigmoid's width."""

    n_networks: int = setting(48, "independent networks", **TRAINS)
    n_units: int = setting(8, "units of each", at_least=2)
    n_steps: int = setting(6000, "steps of 0.1 time constants; the last third counts", at_least=60, multiple_of=3)
    n_fresh_steps: int = setting(
        3000, "steps of a fresh drive with the learned weights held; two thirds count", at_least=60, multiple_of=3
    )
    small_rate: float = setting(0.02, "learning rate, with either sign", above=0)
    large_rate: float = setting(0.1, "another, with either sign", above=0)
    bound: float = setting(3.0, "largest absolute weight", above=0)

    def __post_init__(self) -> None:
        _checks.number("large_rate", self.large_rate, above=self.small_rate)


# How the rule is told the two directions of a pair of units: each by its own, or their sum.
FORMS = {"Eq 1": 0.0, "tied": 1.0}
_WAVE = DRIVES.index("travelling wave")
_MAIN = tuple(name for name in DRIVES if name != "travelling wave")
_WAVES = ("not learning", "rate at the start", "rate at the midpoint")


def main_rates(config: SpeedWithLearningConfig) -> tuple[float, ...]:
    """Return the learning rates of the comparison, increasing."""
    return (-config.large_rate, -config.small_rate, 0.0, config.small_rate, config.large_rate)


def cases(config: SpeedWithLearningConfig) -> Case:
    """Return what is run: each form, drive and rate of the comparison, and then the waves."""
    main = product(FORMS.values(), _MAIN, main_rates(config))
    rows = [(DRIVES.index(drive), rate, tie, 0.0) for tie, drive, rate in main]
    waves = ((0.0, 0.0), (config.small_rate, 0.0), (config.small_rate, 0.5))
    rows += [(_WAVE, rate, 1.0, after) for rate, after in waves]
    drive, *numbers = zip(*rows, strict=True)
    return Case(jnp.asarray(drive, jnp.int32), *(jnp.asarray(column, float) for column in numbers))


def _signed(speed: xr.DataArray) -> xr.DataArray:
    """Return the log of the mean squared speed over that without learning, times the sign of the rate."""
    logs = speed.copy(data=np.log(speed.values))
    ratio = logs.sel(learning_rate=logs.learning_rate != 0) - logs.sel(learning_rate=0.0, drop=True)
    return np.sign(speed.learning_rate) * ratio


def _least(speed: xr.DataArray) -> Estimate:
    rows = _signed(speed).stack(cell=("form", "drive", "learning_rate")).transpose("cell", "network").values
    return min(mean_interval(row) for row in rows)


def _on_wave(data: xr.Dataset, wave: str) -> Estimate:
    logs = np.log(data.wave_speed)
    return mean_interval((logs.sel(wave=wave) - logs.sel(wave=_WAVES[0])).values)


CLAIMS = (
    Claim(
        "sec5.1.rises",
        "Least mean log ratio of the mean squared speed with to without learning, times the sign of the rate; four "
        "drives, four rates, Eq 1 and tied.",
        statement="sec5.1.speed",
        criterion=at_least(0.02),
        measure=lambda data: _least(data.speed),
        control=lambda data: _least(data.held_speed).value,
        control_is="the weights learned, held, on a fresh drive",
        bearing="supports",
        note=lambda data: f"{float((_signed(data.speed) > 0).mean()):.1%} of networks follow the sign.",
    ),
    Claim(
        "sec5.1.wave",
        "On a travelling wave, tied: mean log ratio with the presynaptic rate of the start of a step, rate +0.02.",
        statement="sec5.1.speed",
        criterion=at_most(-0.01),
        measure=lambda data: _on_wave(data, _WAVES[1]),
        control=lambda data: _on_wave(data, _WAVES[2]).value,
        control_is="the presynaptic rate midway through the step",
        bearing="limits",
    ),
)


_FINITE = "networks with finite states and weights"


def run(key: Key[Array, ""], config: SpeedWithLearningConfig, progress: Progress) -> xr.Dataset:
    """Run all networks with and without learning, and with their final weights held."""
    progress(0.0, "drives")
    n_networks, n_steps = config.n_networks, config.n_steps
    network_keys = member_keys(named_key(key, "networks"), n_networks)
    params = jax.jit(jax.vmap(lambda key: random_params(key, config.n_units, 0.3)))(network_keys)
    noise_keys, fresh_keys, *drive_keys = (
        member_keys(named_key(key, name), n_networks) for name in ("noise", "fresh noise", "drives", "fresh drives")
    )
    n_driven = max(n_steps, config.n_fresh_steps)
    sample = jax.jit(jax.vmap(partial(drives_of, n_units=config.n_units, n_steps=n_driven)))
    drives, fresh = map(sample, drive_keys)
    case, bound = cases(config), jnp.asarray(config.bound, float)
    start = Params(jnp.broadcast_to(params.weights, (case.rate.shape[0], *params.weights.shape)), params.bias)
    progress(0.1, "networks that learn")
    learned = learn(noise_keys, start, drives[:, :, :n_steps], case, bound, n_dropped=n_steps // 3 * 2, is_plastic=True)
    progress(0.7, "their weights, held")
    shape = (len(FORMS), len(_MAIN), len(main_rates(config)))
    main = slice(0, int(np.prod(shape)))
    end, fresh = Params(learned.weights[main], params.bias), fresh[:, :, : config.n_fresh_steps]
    of_main = jax.tree.map(lambda leaf: leaf[main], case)
    held = learn(fresh_keys, end, fresh, of_main, bound, n_dropped=config.n_fresh_steps // 3, is_plastic=False)
    cells, unit = ("form", "drive", "learning_rate", "network"), "(activity / time constant)^2"
    words = "mean squared speed of all units"
    return merged(
        labelled(cells, unit, speed=(learned.speed[main].reshape(*shape, -1), words)),
        labelled(cells, unit, held_speed=(held.speed.reshape(*shape, -1), f"{words}, learned weights held")),
        labelled(("wave", "network"), unit, wave_speed=(learned.speed[main.stop :], "tied, on a travelling wave")),
        required(("case", "network"), _FINITE, is_finite=learned.is_finite),
        required(("main_case", "network"), _FINITE, held_is_finite=held.is_finite),
        form=list(FORMS),
        drive=list(_MAIN),
        learning_rate=np.array(main_rates(config)),
        wave=list(_WAVES),
        case=np.arange(len(learned.speed)),
        main_case=np.arange(main.stop),
    )


STUDY = Study(
    name="speed_with_learning",
    title="With weight changes and without",
    figure="Section 5.1",
    source="Bengio et al. 2015, section 5.1, Eq 1, 3 and 9",
    caption="The comparison that the paper announces in section 5.1 and does not report. Where the network moves its "
    "units, Eq 1 makes them move more, and its reverse less: learning with it raises the objective as a number. At "
    "small rates all of this is the weights following the activity of the moment: held, they leave nothing of it. On "
    "a travelling wave the moment at which the presynaptic rate is read decides.",
    config=SpeedWithLearningConfig(),
    smoke=dict(n_networks=6, n_steps=300, n_fresh_steps=300),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
