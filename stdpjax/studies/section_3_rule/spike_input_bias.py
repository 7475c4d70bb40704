"""Eq 2 in a network, where the presynaptic spike itself moves the postsynaptic neuron."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float, Key
from numpy.typing import ArrayLike, NDArray

from stdpjax import _checks
from stdpjax.clamps import clamp_state
from stdpjax.dynamics import SpikingIntegrator, StepHyper, simulate
from stdpjax.energy import Params
from stdpjax.lab import Estimate, Progress, Study, within
from stdpjax.lab.settings import TRIALS, configuration, setting
from stdpjax.observers import LaggedProducts, lagged_products_of, mean_of
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.rules import Sample
from stdpjax.stats import normal_interval
from stdpjax.studies.measures import labelled, limits, merged, required
from stdpjax.studies.section_3_rule.spike_input_bias_figure import plot

# Units of the network: the postsynaptic neuron, one that drives it, and then one of the same rate that does not.
_POST, _DRIVING = 0, 1


@configuration
class SpikeInputBiasConfig:
    """Settings of the study of spikes that are the input; steps are fractions of the time constant."""

    step: float = setting(0.1, "step size", above=0, at_most=0.5)
    probability: float = setting(0.2, "presynaptic spike probability per step", above=0, below=1)
    weight: float = setting(0.5, "weight of the synapse: the postsynaptic neuron stays active", above=0, at_most=0.5)
    other_weights: tuple[float, ...] = setting((-0.5, -0.25, 0.25), "others to compare", at_least=-0.5, at_most=0.5)
    max_lag: int = setting(20, "longest time from a spike to a change, in steps", at_least=2)
    n_trials: int = setting(500, "independent trials", **TRIALS)
    n_steps: int = setting(2000, "steps of a trial")

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        _checks.count("n_steps", self.n_steps, minimum=self.max_lag + 2)


def _covariance(data: xr.Dataset, lag: int) -> Estimate:
    """Return the covariance of a change with the spike some steps before it, over step W p (1 - p)."""
    here = data.sel(weight=float(data.main_weight))
    chosen, exact = here.sel(neuron="connected", lag_before=lag), float(here.covariance_exact[0])
    return normal_interval(chosen.covariance.values / exact, chosen.covariance_error.values / exact)


CLAIMS = (
    limits(
        "eq2.same_step",
        "Covariance of the change of s_i with the spike that caused it, which Eq 2 adds to the mean of Eq 1, over step "
        "W_ij p (1 - p).",
        criterion=within(1.0, 0.0125),
        measure=lambda data: _covariance(data, 0),
        control=lambda data: _covariance(data, 1).value,
        control_is="the spike of the step before, as in Eq 5",
        note=lambda data: f"{data.sizes['trial']} trials.",
    ),
)


def closed_form(step: float, weight: ArrayLike, p: float, max_lag: int) -> NDArray[np.float64]:
    """Return the covariance of a change with the spike `lag` steps before, `[..., lag]`, for an active neuron."""
    lags = np.arange(max_lag + 1)
    shape = np.where(lags == 0, step, -(step**2) * (1 - step) ** (lags - 1.0))
    return np.asarray(weight, np.float64)[..., None] * p * (1 - p) * shape


def _change(sample: Sample) -> Float[Array, "1"]:
    return (sample.next_post_state - sample.post_state)[_POST : _POST + 1]


def _spikes_less_rates(sample: Sample) -> Float[Array, "2"]:
    """What is random in the spikes, whose products with anything earlier have mean 0."""
    assert sample.pre_spikes is not None
    return (sample.pre_spikes.astype(sample.pre_rate.dtype) - sample.pre_rate)[_DRIVING:]


def _slope(sample: Sample) -> Float[Array, ""]:
    assert sample.post_slope is not None
    return sample.post_slope[_POST]


def simulate_network(
    key: Key[Array, ""], weight: Float[Array, ""], config: SpikeInputBiasConfig
) -> tuple[Float[Array, "trial neuron lag"], Bool[Array, "trial"]]:
    """Return covariances of a neuron's change with spikes that drive it and that do not, and which are active."""
    weights = jnp.zeros((3, 3), float).at[_POST, _DRIVING].set(weight)
    start = jnp.full((config.n_trials, 3), config.probability - 0.5, float)
    held = clamp_state(jnp.array([False, True, True]), start[0])
    run = simulate(
        key,
        Params(weights, jnp.zeros(3, float)),
        SpikingIntegrator(hard_sigmoid()),
        StepHyper(config.step),
        state=start.at[:, _POST].set(weight * config.probability),
        clamps=(held,),
        n_steps=config.n_steps,
        observe={"products": lagged_products_of(_change, _spikes_less_rates, config.max_lag), "slope": mean_of(_slope)},
    )
    seen: LaggedProducts = run.observed["products"]
    # The memory holds nothing before the start: a lag has that many products less.
    share = (config.n_steps - jnp.arange(config.max_lag + 1, dtype=float)) / config.n_steps
    covariance = jnp.swapaxes(seen.mean[:, 0], -1, -2) / share[None, None]
    return covariance, run.is_finite & (run.observed["slope"].mean == 1)


def run(key: Key[Array, ""], config: SpikeInputBiasConfig, progress: Progress) -> xr.Dataset:
    """Measure how spikes and changes go together in networks of several weights."""
    progress(0.0, "networks that spikes drive")
    weights = np.array(sorted({config.weight, *config.other_weights}))
    networks = jax.jit(jax.vmap(partial(simulate_network, config=config)))
    found, is_active = networks(member_keys(named_key(key, "network"), len(weights)), jnp.asarray(weights, float))
    covariance = np.asarray(found, np.float64)
    error = covariance.std(1, ddof=1) / np.sqrt(config.n_trials)
    exact = closed_form(config.step, weights, config.probability, config.max_lag)
    dims, unit, text = ("weight", "neuron", "lag_before"), "activity per step", "covariance of change and spike"
    return merged(
        labelled(dims, unit, covariance=(covariance.mean(1), text), covariance_error=(error, text)),
        labelled(("weight", "lag_before"), unit, covariance_exact=(exact, text)),
        required(("weight", "trial"), "trials in the active region", stays_active=is_active),
        weight=weights,
        neuron=["connected", "unconnected"],
        lag_before=("lag_before", np.arange(config.max_lag + 1), {"units": "steps"}),
        main_weight=((), config.weight, {"long_name": "weight of the synapse"}),
    )


STUDY = Study(
    name="spike_input_bias",
    title="Eq 2: when the spike is the input",
    figure="Eq 2 in a network",
    source="Bengio et al. 2015, Eq 1 and 2, section 2.1",
    caption="Eq 2 puts spikes in the place of rates, which the paper takes to be the same on average. A spike that "
    "drives the neuron goes together with its own effect: the weight gains a term of its own sign, or, with the spike "
    "of the step before, loses a small one.",
    config=SpikeInputBiasConfig(),
    smoke=dict(n_trials=50, n_steps=300),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
