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
from stdpjax.studies.measures import labelled, limits, merged, on_device, refutes, required
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
        name: Case._make(on_device(column, of) for column, of in zip(zip(*rows, strict=True), types, strict=True))
        for name, rows in parts.items()
    }


def _signed(data: xr.Dataset) -> xr.DataArray:
    logs = data.log_ratio.sel(learning_rate=data.learning_rate != 0, drive=_MAIN)
    return np.sign(logs.learning_rate) * logs


def _means(logs: xr.DataArray) -> list[Estimate]:
    return [mean_interval(row) for row in logs.transpose(..., "network").values.reshape(-1, logs.sizes["network"])]


def _slowest(data: xr.Dataset, drives: list[str]) -> Estimate:
    """Return the mean log ratio that is least with the whole of its interval, over drives, forms, positive rates."""
    positive = data.log_ratio.sel(learning_rate=data.learning_rate > 0, drive=drives)
    return min(_means(positive), key=lambda mean: mean.high)


CLAIMS = (
    refutes(
        "sec5.1.rises",
        "Least mean log ratio of the mean squared speed with to without learning, times the sign of the rate; four "
        "drives, all but the travelling wave, four rates, Eq 1 and tied.",
        criterion=at_least(0.02),
        measure=lambda data: min(_means(_signed(data))),
        control=lambda data: min(_means(data.misplaced_log_ratio.sel(drive=_MAIN))).value,
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
        note=lambda data: f"Tied, smaller rate, read midway in a step: {float(data.midway_log_ratio.mean()):+.3f}.",
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
    shape = (len(FORMS), len(DRIVES), len(main_rates(config)), n_networks)
    ends = np.cumsum([len(part.rate) for part in parts.values()])
    logs = dict(zip(parts, np.split(np.log(np.asarray(learned.speed, np.float64)), ends[:-1]), strict=True))
    main, misplaced = logs["main"].reshape(shape), logs["misplaced"].reshape(*shape[:2], n_networks)
    still = main[:, :, main_rates(config).index(0.0)]
    words = "log ratio of mean squared speed, with to without learning"
    on_wave = still[list(FORMS).index("tied"), DRIVES.index(_WAVE)]
    return merged(
        labelled(("form", "drive", "learning_rate", "network"), "1", log_ratio=(main - still[:, :, None], words)),
        labelled(("form", "drive", "network"), "1", misplaced_log_ratio=(misplaced - still, words)),
        labelled("network", "1", midway_log_ratio=(logs["midway"][0] - on_wave, words)),
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
    "units, Eq 1 makes them move more, and its reverse less; the same changes between other units do not. On a "
    "travelling wave units can move less, as the rate of learning and the reading of the presynaptic rate have it.",
    config=SpeedWithLearningConfig(),
    smoke=dict(n_networks=6, n_steps=300),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
