"""Whether learning makes inference faster: relaxation times before and after (section 6.2 and 6.3)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax.lab import Estimate, at_least
from stdpjax.lab.settings import TRAINS, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.random import member_keys, named_key
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import labelled, limits, merged, on_host, required
from stdpjax.studies.section_6_hidden.inference_speedup_figure import plot
from stdpjax.studies.section_6_hidden.relaxations import (
    CHANGES,
    N_UNITS,
    STEP,
    Case,
    log_ratio,
    mean_at_rest,
    settle_networks,
)

CENTRES = {"high": 0.3, "middle": 0.0, "low": -0.3}
"""Activity of all units at the fixed point of networks without inputs, which learn by descent on J_h."""
CLAMPED = {"Eq 1": (0.005, 0.0), "descent on J": (0.02, 1.0), "more of Eq 1": (0.04, 0.0)}
"""Rate of learning with inputs clamped, and whether it is descent on J or has the next state frozen."""


@configuration
class InferenceSpeedupConfig:
    """Settings of the study of relaxation times; times in units of the time constant tau."""

    n_networks: int = setting(128, f"random networks of {N_UNITS} units for each case", **TRAINS)
    n_relaxations: int = setting(24, "relaxations from random starts while they learn")
    n_relaxation_steps: int = setting(100, "steps of 0.1 time constants in each")
    learning_rate: float = setting(0.01, "rate of descent on J_h in networks without inputs", above=0)
    n_visible: int = setting(3, "units clamped in networks with inputs", at_most=N_UNITS - 2)
    n_inputs: int = setting(4, "inputs of each of these")
    n_starts: int = setting(8, "starts of simulated relaxations for each network and input")
    n_steps: int = setting(300, "steps of these", at_least=100)


def _alone(data: xr.Dataset, name: str, after: str) -> list[Estimate]:
    """Return the mean log ratios of a time, after to before a change of networks without inputs, by fixed point."""
    mean = mean_at_rest if name == "time" else mean_interval
    return [mean(log_ratio(data, name, case, after)) for case in CENTRES]


def _mean_alone(data: xr.Dataset, after: str) -> Estimate:
    ratios = [log_ratio(data, "time", case, after) for case in CENTRES]
    return mean_at_rest(sum(ratios[1:], ratios[0]) / len(ratios))


def _share_alone(data: xr.Dataset, after: str) -> str:
    """Return the share of networks that come to rest at all fixed points after a change, in words."""
    return f"{float(data.settles.sel(case=list(CENTRES), change=after).all(('case', 'input')).mean()):.0%}"


def _with_inputs(data: xr.Dataset, after: str) -> list[Estimate]:
    """Return the mean log ratios of the simulated time after a change to that after patient updates, of both rules."""
    return [mean_at_rest(log_ratio(data, "time", case, after, "patient")) for case in list(CLAMPED)[:2]]


def _alone_note(data: xr.Dataset, name: str) -> str:
    found, random = (
        ", ".join(f"{case} {mean.value:+.3f}" for case, mean in zip(CENTRES, _alone(data, name, after), strict=True))
        for after in ("impatient", "random")
    )
    return f"Rates {found}; after random symmetric changes of the same size {random}."


_not_faster = partial(
    limits, control_is="what makes the slowest mode faster, which shows that a change of this size would be seen"
)

CLAIMS = (
    _not_faster(
        "sec6.2.relaxation",
        "Log ratio of the slowest mode's time constant, after to before descent on J_h along relaxations without "
        "noise; smallest mean of three fixed points.",
        criterion=at_least(-0.01),
        measure=lambda data: min(_alone(data, "relaxation_time", "impatient")),
        control=lambda data: min(_alone(data, "relaxation_time", "mode")).value,
        revised="It was at least 0.02 with one of three fixed points left out; to be no faster is enough.",
        note=partial(_alone_note, name="relaxation_time"),
    ),
    _not_faster(
        "sec6.2.simulated",
        "Log ratio of the simulated time to 5 % of the distance, after to before descent on J_h; mean of networks that "
        "come to rest at all of three fixed points.",
        criterion=at_least(0.0),
        measure=lambda data: _mean_alone(data, "impatient"),
        control=lambda data: _mean_alone(data, "mode").value,
        revised="Networks that do not come to rest counted with the time simulated; after descent there were none.",
        note=lambda data: (
            f"{_alone_note(data, 'time')} Networks that come to rest: {_share_alone(data, 'impatient')}, of the "
            f"control {_share_alone(data, 'mode')}."
        ),
    ),
    _not_faster(
        "sec6.3.time",
        "Log ratio of the simulated time to 5 % of the distance, inputs clamped, after updates at every step of "
        "inference to after patient ones, smaller mean of descent on J and Eq 1.",
        criterion=at_least(-0.01),
        measure=lambda data: min(_with_inputs(data, "impatient")),
        control=lambda data: max(_with_inputs(data, "mode")).value,
        control_is="what makes the slowest mode faster, as large; of both rules the one in which it shows less",
        revised="It asked for a difference, in one direction for each, and there was none.",
        note=lambda data: f"After random symmetric changes {min(_with_inputs(data, 'random')).value:+.4f}.",
    ),
    _not_faster(
        "sec6.3.unsettled",
        "Share of inputs with which networks do not come to rest from some start after more updates by Eq 1.",
        criterion=at_least(0.1),
        measure=lambda data: 1 - data.settles.sel(case="more of Eq 1", change="impatient").mean(),
        control=lambda data: 1 - data.settles.sel(case="more of Eq 1", change="patient").mean(),
        control_is="as many patient updates",
    ),
)


def run(key: Key[Array, ""], config: InferenceSpeedupConfig, progress: Progress) -> xr.Dataset:
    """Let networks learn while they relax, without inputs and with, and measure how long relaxations take."""
    keys = member_keys(named_key(key, "networks"), config.n_networks)
    names = ("n_relaxations", "n_relaxation_steps", "n_starts", "n_steps")
    sizes = {name: getattr(config, name) for name in names}

    def cases(*rows: tuple[float, float, float]) -> Case:
        return Case(*jnp.asarray(rows, float).T)

    progress(0.0, "learning without inputs")
    free = cases(*((centre, config.learning_rate, 1.0) for centre in CENTRES.values()))
    alone = settle_networks(keys, free, n_visible=0, n_inputs=1, **sizes)
    progress(0.4, "learning with inputs")
    clamped = cases(*((0.0, *numbers) for numbers in CLAMPED.values()))
    with_inputs = settle_networks(keys, clamped, n_visible=config.n_visible, n_inputs=config.n_inputs, **sizes)
    # Without inputs there is one relaxation for each start, which stands for all inputs.
    alone = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (*leaf.shape[:-1], config.n_inputs)), alone)
    found = on_host(jax.tree.map(lambda *leaves: jnp.concatenate(leaves, axis=1), alone, with_inputs))
    settles = np.isfinite(found.late_time)
    time = np.where(settles, found.time, STEP * config.n_steps), "time to 5 % of the distance"
    along = ("network", "case", "change", "input")
    return merged(
        labelled(along, "tau", relaxation_time=found.relaxation_time, time=time),
        labelled(along, settles=(settles, "whether all starts came close; if not, times are caps")),
        required(along, "fixed points that were found", has_fixed_point=found.converged),
        case=[*CENTRES, *CLAMPED],
        change=list(CHANGES),
        input=np.arange(config.n_inputs),
    )


STUDY = Study(
    name="inference_speedup",
    title="Does learning make inference faster?",
    figure="none",
    source="Bengio et al. 2015, sections 6.2 and 6.3",
    caption="By descent on J_h relaxations without noise take longer where rates are low and else about as long as "
    "before. With inputs clamped, updates at every step of inference make it no faster than patient ones; many of them "
    "by Eq 1 bring units to thresholds, where the network no longer comes to rest. Times are of those that do.",
    config=InferenceSpeedupConfig(),
    smoke=dict(n_networks=2, n_relaxations=2, n_relaxation_steps=40, n_inputs=2, n_starts=2, n_steps=100),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
