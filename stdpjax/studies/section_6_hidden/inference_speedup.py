"""Whether learning makes inference faster: relaxation times before and after (section 6.2 and 6.3)."""

import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax.lab import Estimate, at_least, at_most
from stdpjax.lab.settings import TRAINS, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.random import member_keys, named_key
from stdpjax.studies.measures import labelled, limits, merged, on_device, on_host, supports
from stdpjax.studies.section_6_hidden.inference_speedup_figure import plot
from stdpjax.studies.section_6_hidden.relaxations import (
    CHANGES,
    N_UNITS,
    SHARES,
    STEP,
    Case,
    mean_ratio,
    settle_networks,
)

CENTRES = {"high": 0.3, "middle": 0.0, "low": -0.3}
"""Activity of all units at the fixed point of networks without inputs, which learn by descent on J_h."""
CLAMPED = {"Eq 1": (0.005, 0.0), "descent on J": (0.02, 1.0), "more of Eq 1": (0.04, 0.0)}
"""Rate of learning with inputs clamped, and whether it is descent on J or has the next state frozen."""
NOISY, LATER = ", noise", "middle, noise later"
"""What is added to the name of a case with noise, and the case that has it only after learning."""


@configuration
class InferenceSpeedupConfig:
    """Settings of the study of how soon networks forget their start; times in units of the time constant tau."""

    n_networks: int = setting(32, f"random networks of {N_UNITS} units for each case", **TRAINS)
    n_relaxations: int = setting(24, "relaxations from random starts while they learn")
    n_relaxation_steps: int = setting(100, "steps of 0.1 time constants in each, and after each for patient updates")
    learning_rate: float = setting(0.01, "rate of descent on J_h in networks without inputs", above=0)
    noise_std: float = setting(0.3, "standard deviation of the noise eta of Eq 7 in noisy chains", above=0)
    n_visible: int = setting(3, "units clamped in networks with inputs", at_most=N_UNITS - 2)
    n_inputs: int = setting(4, "inputs of each of these")
    n_starts: int = setting(8, "starts of relaxations that are timed, for each network and input", at_least=2)
    n_draws: int = setting(2, "draws of their noise")
    n_steps: int = setting(150, "their steps", at_least=100)


def _with_inputs(data: xr.Dataset, words: str, after: str) -> list[Estimate]:
    """Return the mean log ratios of the time after a change to that after patient updates, of both rules."""
    return [mean_ratio(data, f"{name}{words}", after, "patient") for name in list(CLAMPED)[:2]]


def _unsettled(data: xr.Dataset, change: str) -> xr.DataArray:
    return 1 - data.is_reached.sel(case="more of Eq 1", change=change, share=SHARES[1]).mean()


_AS_LARGE = "what makes the slowest mode faster, as large; of both rules the one in which it shows less"
_REVISED = "There was none before: it was set after a first run with noise."

CLAIMS = (
    limits(
        "sec6.2.simulated",
        "Log ratio of the time in which relaxations without noise forget 95 % of the distance of their starts, after "
        "to before descent on J_h; mean of three fixed points.",
        criterion=at_least(0.0),
        measure=lambda data: mean_ratio(data, list(CENTRES), "impatient"),
        control=lambda data: mean_ratio(data, list(CENTRES), "mode").value,
        control_is="what makes the slowest mode faster, which shows that a change of this size would be seen",
        revised="Networks that do not come to rest counted with the time simulated; after descent there were none.",
    ),
    supports(
        "sec6.2.chain",
        "Log ratio of the time in which the means of noisy chains forget 95 % of the distance of their starts, after "
        "to before descent on J_h along such chains; fixed points at middle rates.",
        criterion=at_most(-0.05),
        measure=lambda data: mean_ratio(data, f"middle{NOISY}", "impatient"),
        control=lambda data: mean_ratio(data, LATER, "impatient").value,
        control_is="as many updates without noise",
        revised=_REVISED,
    ),
    limits(
        "sec6.2.rates",
        "The same for fixed points at low and at high rates, the smaller of the two.",
        criterion=at_least(0.05),
        measure=lambda data: min(mean_ratio(data, f"{name}{NOISY}", "impatient") for name in ("low", "high")),
        control=lambda data: mean_ratio(data, f"middle{NOISY}", "impatient").value,
        control_is="fixed points at middle rates",
        revised=_REVISED,
        note=lambda data: f"At low rates {mean_ratio(data, f'low{NOISY}', 'impatient').value:+.3f}.",
    ),
    limits(
        "sec6.3.time",
        "Log ratio of that time, inputs clamped and without noise, after updates at every step of inference to after "
        "patient ones, smaller mean of descent on J and Eq 1.",
        criterion=at_least(-0.01),
        measure=lambda data: min(_with_inputs(data, "", "impatient")),
        control=lambda data: max(_with_inputs(data, "", "mode")).value,
        control_is=_AS_LARGE,
        revised="It asked for a difference, in one direction for each, and there was none.",
    ),
    limits(
        "sec6.3.chain",
        "The same for noisy chains.",
        criterion=at_least(-0.005),
        measure=lambda data: min(_with_inputs(data, NOISY, "impatient")),
        control=lambda data: max(_with_inputs(data, NOISY, "mode")).value,
        control_is=_AS_LARGE,
        revised=_REVISED,
    ),
    supports(
        "sec6.3.more",
        "The same for noisy chains after eight times as many updates by Eq 1.",
        criterion=at_most(0.0),
        measure=lambda data: mean_ratio(data, f"more of Eq 1{NOISY}", "impatient", "patient"),
        control=lambda data: mean_ratio(data, "more of Eq 1", "impatient", "patient").value,
        control_is="the same without noise, where starts come near each other",
        revised=_REVISED,
    ),
    limits(
        "sec6.3.unsettled",
        "Share of inputs with which networks without noise do not come to rest from some start after eight times as "
        "many updates by Eq 1.",
        criterion=at_least(0.1),
        measure=lambda data: _unsettled(data, "impatient"),
        control=lambda data: _unsettled(data, "patient"),
        control_is="as many patient updates",
    ),
)


def run(key: Key[Array, ""], config: InferenceSpeedupConfig, progress: Progress) -> xr.Dataset:
    """Let networks learn while they relax, without inputs and with, and measure how soon they forget their start."""
    progress(0.0, "learning and relaxing")
    rows = {name: (0.0, centre, config.learning_rate, 1.0) for name, centre in CENTRES.items()}
    rows |= {name: (float(config.n_visible), 0.0, *numbers) for name, numbers in CLAMPED.items()}
    noise = (("", 0.0), (NOISY, config.noise_std))
    cases = {f"{name}{words}": (*row, std, std) for words, std in noise for name, row in rows.items()}
    cases[LATER] = (*rows["middle"], 0.0, config.noise_std)
    keys = member_keys(named_key(key, "networks"), config.n_networks)
    times = on_host(settle_networks(keys, Case(*map(on_device, np.transpose(list(cases.values())))), config))
    is_reached, along = np.isfinite(times), ("network", "case", "change", "input", "share")
    return merged(
        labelled(along, "tau", time=(np.where(is_reached, times, STEP * config.n_steps), "time to a share")),
        labelled(along, is_reached=(is_reached, "whether the share was reached; if not, the time is a cap")),
        case=list(cases),
        change=list(CHANGES),
        input=np.arange(config.n_inputs),
        share=("share", list(SHARES), {"long_name": "share of the first distance between starts"}),
    )


STUDY = Study(
    name="inference_speedup",
    title="Does learning make inference faster?",
    figure="none",
    source="Bengio et al. 2015, sections 6.2 and 6.3",
    caption="After descent on J_h relaxations without noise forget their start later; noisy chains forget theirs "
    "sooner where rates are in the middle, and later where they are low or high. With inputs clamped, updates at every "
    "step of inference make it no faster than patient ones; many by Eq 1 bring units to thresholds, where networks "
    "without noise no longer come to rest, and noisy chains are faster.",
    config=InferenceSpeedupConfig(),
    smoke=dict(n_networks=2, n_relaxations=2, n_relaxation_steps=40, n_inputs=2, n_starts=2, n_steps=100),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
