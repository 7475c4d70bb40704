"""Eq 2 in a network, where the presynaptic spike itself moves the postsynaptic neuron."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float, Key
from numpy.typing import ArrayLike, NDArray

from stdpjax import _checks
from stdpjax.clamps import clamp_state
from stdpjax.drives import bounded_voltage, smooth_noise
from stdpjax.dynamics import SpikingIntegrator, StepHyper, simulate
from stdpjax.energy import Params
from stdpjax.lab import Claim, Criterion, Estimate, Progress, Study, at_most, within
from stdpjax.lab.settings import TRAINS, TRIALS, configuration, setting
from stdpjax.observers import LaggedProducts, lagged_products_of, mean_of
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.rules import Sample, spike_update
from stdpjax.spikes import sample_spikes
from stdpjax.stats import normal_interval
from stdpjax.studies.measures import labelled, largest_z, merged, required
from stdpjax.studies.section_3_rule.spike_input_bias_figure import plot

# Units of the network: the postsynaptic neuron, one that drives it, and one of the same rate that does not.
_POST, _DRIVING, _SILENT = 0, 1, 2


@configuration
class SpikeInputBiasConfig:
    """Settings of the study of spikes that are the input; steps are fractions of the time constant."""

    step: float = setting(0.1, "step size", above=0, at_most=0.5)
    probability: float = setting(0.2, "presynaptic spike probability per step", above=0, below=1)
    weight: float = setting(0.5, "weight of the synapse: the postsynaptic neuron stays active", above=0, at_most=0.5)
    other_weights: tuple[float, ...] = setting(
        (-0.5, -0.25, 0.25), "more weights to compare the bias with", at_least=-0.5, at_most=0.5
    )
    max_lag: int = setting(20, "longest time from a spike to a change, in steps", at_least=2)
    n_trials: int = setting(500, "independent trials", **TRIALS)
    n_steps: int = setting(2000, "steps of a trial")
    n_prescribed: int = setting(60, "steps of the prescribed activity", at_least=2)
    n_trains: int = setting(10_000, "spike trains beside the prescribed activity", **TRAINS)

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        _checks.count("n_steps", self.n_steps, minimum=self.max_lag + 2)


_PRINTED = "Since we are talking about the average change, Eq 2 could be written for Eq 1."
_BIAS = (
    "Only for spikes that do not themselves move s_i. A spike that does adds +step rho'(s_i) W_ij p (1-p) to the mean "
    "of Eq 2, and one l steps earlier -step^2 (1-step)^(l-1) rho'(s_i) W_ij p (1-p)."
)


def _main(data: xr.Dataset, neuron: str) -> xr.Dataset:
    """Return what was found of a neuron at the weight of the synapse."""
    return data.sel(weight=float(data.main_weight), neuron=neuron)


def _decay(trials: NDArray[np.float64]) -> Estimate:
    """Return the factor per lag from lag 1 on: later covariances summed over earlier ones."""
    later, earlier = trials[:, 2:].sum(1), trials[:, 1:-1].sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):  # without any covariance there is no factor
        value = later.mean() / earlier.mean()
        error = (later - value * earlier).std(ddof=1) / np.sqrt(len(trials)) / abs(earlier.mean())
    return normal_interval(value, error)


def _off_zero(neuron: xr.Dataset) -> float:
    return largest_z(neuron.covariance, neuron.covariance_error)


def _off_law(data: xr.Dataset, law: xr.DataArray) -> float:
    connected = data.sel(neuron="connected")
    return largest_z(connected.covariance - law, connected.covariance_error)


def _bias(data: xr.Dataset) -> float:
    """Return what a spike that is the input adds to the mean of Eq 2."""
    return float(_main(data, "connected").covariance_exact.sel(lag_before=0))


_biased = partial(Claim, statement="Eq 2", bearing="limits")


def _at_lag(lag: int, name: str, measured: str, *, criterion: Criterion, statement: str = "Eq 2") -> Claim:
    """Return the claim on the covariance of a change with the spike some steps earlier."""

    def covariance(data: xr.Dataset) -> Estimate:
        here = _main(data, "connected").sel(lag_before=lag)
        return normal_interval(here.covariance.values, here.covariance_error.values)

    return _biased(
        name,
        measured,
        statement=statement,
        criterion=criterion,
        measure=covariance,
        control=lambda data: _main(data, "unconnected").covariance.sel(lag_before=lag),
        control_is="a neuron that is not connected",
        note=lambda data: f"{data.sizes['trial']} trials.",
    )


CLAIMS = (
    _at_lag(
        0,
        "3.2.same_step",
        "Covariance of the change of s_i with the spike that caused it (step 0.1, weight 0.5, p = 0.2).",
        criterion=within(0.008, 0.0001),
    ),
    _at_lag(
        1,
        "3.2.step_before",
        "Covariance of the change of s_i with the spike one step earlier.",
        statement="Eq 2, read as Eq 5",
        criterion=within(-0.0008, 0.00005),
    ),
    Claim(
        "3.2.decay",
        "Factor by which the covariance with an earlier spike shrinks for each further step.",
        statement="Eq 2",
        criterion=within(0.9, 0.03),
        measure=lambda data: _decay(data.trial_covariance.values),
        control=lambda data: _decay(data.other_step_covariance.values).value,
        control_is="twice the step",
        bearing="supports",
    ),
    _biased(
        "3.2.law",
        "Largest |z| of the covariances against their closed form, over weights of both signs and lags.",
        criterion=at_most(4.5),
        measure=lambda data: _off_law(data, data.covariance_exact),
        control=lambda data: _off_law(data, data.covariance_exact / (1 - float(data.probability))),
        control_is="p in place of p (1-p)",
        note=lambda data: f"{data.covariance_exact.size} values.",
    ),
    Claim(
        "3.2.unconnected",
        "Largest |z|, over lags, of the covariance with the spikes of a neuron of the same rate that is not connected.",
        statement="Eq 2",
        criterion=at_most(4.0),
        measure=lambda data: _off_zero(_main(data, "unconnected")),
        control=lambda data: _off_zero(_main(data, "connected")),
        control_is="the neuron that is connected",
        bearing="limits",
    ),
    Claim(
        "3.2.prescribed",
        "Largest |z|, over time, of the mean of Eq 2 over trains against p times Eq 1, for a prescribed activity.",
        statement="Eq 1 and 2",
        criterion=at_most(4.0),
        measure=lambda data: largest_z(data.spike_update - data.rate_update, data.spike_error),
        control=lambda data: largest_z(data.spike_update - data.rate_update - _bias(data), data.spike_error),
        control_is="the bias of a spike that is the input",
        bearing="limits",
    ),
    Claim(
        "3.2.variance",
        "Variance of Eq 2 over trains, summed over time, relative to the sum of p (1-p) (change of s_i)^2.",
        statement="Eq 2",
        criterion=within(1.0, 0.05),
        measure=lambda data: data.spike_variance.sum() / data.predicted_variance.sum(),
        control=lambda data: data.spike_variance.sum() / data.poisson_variance.sum(),
        control_is="Poisson counts, p in place of p (1-p)",
        bearing="supports",
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


class Network(NamedTuple):
    """Trials of the network."""

    covariance: Float[Array, "trial neuron lag"]
    """Of the postsynaptic change with spikes of the neuron that drives it, and of the one that does not."""
    is_active: Bool[Array, "trial"]


def simulate_network(
    key: Key[Array, ""], weight: Float[Array, ""], step: Float[Array, ""], config: SpikeInputBiasConfig
) -> Network:
    """Let two neurons spike at a constant rate, of which one drives a third."""
    rho = hard_sigmoid()
    weights = jnp.zeros((3, 3), float).at[_POST, _DRIVING].set(weight)
    at_rate = jnp.array([False, True, True])
    held = clamp_state(at_rate, jnp.full(3, config.probability - 0.5, float))
    start = jnp.full((config.n_trials, 3), config.probability - 0.5, float)
    start = start.at[:, _POST].set(weight * config.probability)
    run = simulate(
        key,
        Params(weights, jnp.zeros(3, float)),
        SpikingIntegrator(rho),
        StepHyper(step),
        state=start,
        clamps=(held,),
        n_steps=config.n_steps,
        observe={"products": lagged_products_of(_change, _spikes_less_rates, config.max_lag), "slope": mean_of(_slope)},
    )
    seen: LaggedProducts = run.observed["products"]
    # The memory holds nothing before the start: a lag has that many products less.
    share = (config.n_steps - jnp.arange(config.max_lag + 1, dtype=float)) / config.n_steps
    covariance = jnp.swapaxes(seen.mean[:, 0], -1, -2) / share[None, None]
    return Network(covariance, run.is_finite & (run.observed["slope"].mean == 1))


def prescribed_updates(
    key: Key[Array, ""], post: Float[Array, "time_plus_one"], config: SpikeInputBiasConfig
) -> Float[Array, "train time"]:
    """Return Eq 2 at each step of a prescribed activity, for independent spike trains."""
    probability = jnp.full(post.shape[0] - 1, config.probability, float)
    spikes = jax.vmap(lambda key: sample_spikes(key, probability))(member_keys(key, config.n_trains))
    # Time in the place of a batch; one postsynaptic and, for each train, one presynaptic neuron.
    return spike_update(post[:-1, None], post[1:, None], spikes.T)[:, 0].T


def run(key: Key[Array, ""], config: SpikeInputBiasConfig, progress: Progress) -> xr.Dataset:
    """Measure how spikes and changes go together, in a network and beside a prescribed activity."""
    progress(0.0, "a network that spikes drive")
    network = _in_networks(named_key(key, "network"), config)
    progress(0.8, "a prescribed activity")
    return merged(
        network,
        _beside(named_key(key, "activity"), named_key(key, "trains"), config),
        weight=np.array(sorted({config.weight, *config.other_weights})),
        neuron=["connected", "unconnected"],
        lag_before=("lag_before", np.arange(config.max_lag + 1), {"units": "steps"}),
        case=np.arange(network.sizes["case"]),
        main_weight=((), config.weight, {"long_name": "weight of the synapse"}),
        probability=((), config.probability, {"units": "1/step", "long_name": "spike probability"}),
        time=("time", np.arange(config.n_prescribed), {"units": "steps"}),
    )


def _in_networks(key: Key[Array, ""], config: SpikeInputBiasConfig) -> xr.Dataset:
    """Return covariances of changes with earlier spikes over weights and, as a control, at twice the step."""
    # The control, last: twice the step.
    weights = np.array([*sorted({config.weight, *config.other_weights}), config.weight])
    steps = np.append(np.full(len(weights) - 1, config.step), 2 * config.step)

    @jax.jit
    def networks(keys: Key[Array, "case"], weights: Float[Array, "case"], steps: Float[Array, "case"]) -> Network:
        return jax.vmap(partial(simulate_network, config=config))(keys, weights, steps)

    keys = member_keys(key, len(weights))
    found = jax.tree.map(np.asarray, networks(keys, jnp.asarray(weights, float), jnp.asarray(steps, float)))
    covariance = found.covariance.astype(np.float64)
    error = covariance.std(1, ddof=1) / np.sqrt(config.n_trials)
    main = int(np.flatnonzero(weights[:-1] == config.weight)[0])
    exact = closed_form(config.step, weights[:-1], config.probability, config.max_lag)
    unit, text, trials = "activity per step", "covariance of change and spike", ("trial", "lag_before")
    return merged(
        labelled(
            ("weight", "neuron", "lag_before"),
            unit,
            covariance=(covariance.mean(1)[:-1], text),
            covariance_error=(error[:-1], text),
        ),
        labelled(("weight", "lag_before"), unit, covariance_exact=(exact, text)),
        labelled(trials, unit, trial_covariance=(covariance[main, :, 0], text)),
        labelled(trials, unit, other_step_covariance=(covariance[-1, :, 0], text)),
        required(("case", "trial"), "trials in the active region", stays_active=found.is_active),
    )


def _beside(key: Key[Array, ""], train_key: Key[Array, ""], config: SpikeInputBiasConfig) -> xr.Dataset:
    """Return mean and variance of Eq 2 over trains beside a prescribed activity."""
    post = bounded_voltage(smooth_noise(key, config.n_prescribed + 1, 5.0))
    updates = np.asarray(prescribed_updates(train_key, post, config), np.float64)
    activity, p = np.asarray(post, np.float64), config.probability
    change, variance = np.diff(activity), updates.var(0, ddof=1)
    return merged(
        labelled("time", activity=(activity[:-1], "prescribed activity")),
        labelled(
            "time",
            "per step",
            rate_update=(p * change, "p times Eq 1"),
            spike_update=(updates.mean(0), "mean of Eq 2"),
            spike_error=(np.sqrt(variance / config.n_trains), "standard error of the mean of Eq 2"),
        ),
        labelled(
            "time",
            "per step^2",
            spike_variance=variance,
            predicted_variance=p * (1 - p) * change**2,
            poisson_variance=p * change**2,
        ),
    )


STUDY = Study(
    name="spike_input_bias",
    title="Eq 2: when the spike is the input",
    figure="Eq 2 in a network",
    source="Bengio et al. 2015, Eq 1 and 2, section 2.1",
    caption="Eq 2 puts spikes in the place of rates, which the paper takes to be the same on average. It is, where the "
    "postsynaptic activity is prescribed. A spike that drives the neuron goes together with its own effect: the weight "
    "gains a term of its own sign, or, with the spike of the step before, loses a small one.",
    config=SpikeInputBiasConfig(),
    smoke=dict(n_trials=50, n_steps=300, n_trains=500),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
