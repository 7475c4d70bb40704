"""The paper's experimental prediction: no mean weight change while the postsynaptic rate is constant."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key
from numpy.typing import NDArray

from stdpjax import _checks
from stdpjax.dynamics import NoiseHyper, NoisyIntegrator, simulate
from stdpjax.energy import random_params
from stdpjax.lab import Estimate, Progress, Study, at_least, at_most
from stdpjax.lab.settings import TRAINS, TRIALS, configuration, setting
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid, smoothed_hard_sigmoid
from stdpjax.rules import lag_kernel, lag_update, mean_update, rate_update
from stdpjax.spikes import lag_probability, nearest_lag, sample_lag_counts, sample_spikes
from stdpjax.stats import normal_interval
from stdpjax.studies.measures import labelled, largest, largest_z, limits, merged, on_device
from stdpjax.studies.section_5_simulation.constant_rate_figure import plot

KERNELS = ("exponential", "sign", "inverse", "linear", "bi_poo")


@configuration
class ConstantRateConfig:
    """Settings of the constant-rate study; probabilities per bin, times in bins."""

    window: int = setting(20, "longest lag on either side, in bins")
    probabilities: tuple[float, ...] = setting(
        (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3),
        "constant postsynaptic spike probabilities per bin",
        probability=True,
        at_most=2 / 3,
        distinct=True,
    )
    n_trials: int = setting(200_000, "presynaptic spikes sampled at each probability", **TRIALS)
    decay: float = setting(0.01, "step over time constant of that decay", above=0, below=1)
    causal_probability: float = setting(
        0.03, "background spike probability per bin of the excited postsynaptic neuron", probability=True, below=1
    )
    causal_weights: tuple[float, ...] = setting(
        (0.0, 0.01, 0.03), "by how much a presynaptic spike raises it; the first is 0", at_least=0, increasing=True
    )
    causal_bins: int = setting(5, "how many bins the rise lasts")
    causal_pre_probability: float = setting(0.02, "presynaptic spike probability per bin", probability=True, below=1)
    n_causal_trains: int = setting(20_000, "pairs of spike trains at each causal weight", **TRAINS)

    def __post_init__(self) -> None:
        for value in self.causal_weights:
            _checks.number("causal_weights", value, at_most=(1 - self.causal_probability) / self.causal_bins)
        if self.causal_weights[0] != 0:
            raise ValueError(f"causal_weights: expected 0, the control, and then others, got {self.causal_weights}")


_N_STEPS = 160
_NOISE_STD = 0.1
"""Of eta in Eq 6, where a network decays in saturation."""


def _chosen(data: xr.Dataset, is_antisymmetric: bool) -> xr.Dataset:
    return data.isel(kernel=data.is_antisymmetric == is_antisymmetric)


def _sampled_z(data: xr.Dataset, is_antisymmetric: bool) -> float:
    chosen = _chosen(data, is_antisymmetric)
    return largest_z(chosen.sampled, chosen.sampled_error)


def _causal_share(data: xr.Dataset, index: int) -> Estimate:
    """Return the mean update of a synapse over the size of that by the exact law of the weakest one that excites."""
    chosen, exact = data.isel(causal_weight=index), abs(float(data.causal_exact[1]))
    return normal_interval(chosen.causal_sampled.values / exact, chosen.causal_sampled_error.values / exact)


CLAIMS = (
    limits(
        "sec3.2.antisymmetric",
        "Largest |z| of the sampled mean update at constant rate, over antisymmetric kernels and rates.",
        criterion=at_most(4.0),
        measure=lambda data: _sampled_z(data, True),
        control=lambda data: _sampled_z(data, False),
        control_is="the published asymmetric kernel of Bi & Poo, on the same spikes",
        note=lambda data: f"By the exact law at most {largest(_chosen(data, True).exact):.1g}.",
    ),
    limits(
        "sec3.2.saturated",
        "Summed change of Eq 1, mean over pairs, while a network of Eq 6 decays in saturation, at constant rates.",
        criterion=at_most(-0.5),
        measure=lambda data: data.saturated_eq1.sum(),
        control=lambda data: data.saturated_eq5.sum(),
        control_is="Eq 5 with the factor rho' of the noisy state, in the same decay",
        note=lambda data: f"Rates stay above {float(data.saturated_rate.min()):.2f}.",
    ),
    limits(
        "sec3.2.causal",
        "Mean update per presynaptic spike, the weakest synapse that excites, over the exact law of an isolated spike.",
        criterion=at_least(0.5),
        measure=lambda data: _causal_share(data, 1),
        control=lambda data: _causal_share(data, 0).value,
        control_is="spikes that are independent given the rates, as the paper assumes",
        revised="It asked for 0.0182 within 0.006, the number of one earlier run with a margin that its error nearly "
        "used up; what the statement needs is a change that is clearly there, half of what the law says.",
        note=lambda data: (
            f"That law: {float(data.causal_exact[1]):.4f} with a rise by {float(data.causal_weight[1]):g}."
        ),
    ),
)


def run(key: Key[Array, ""], config: ConstantRateConfig, progress: Progress) -> xr.Dataset:
    """Compute and sample the mean update at constant rates, in saturation, and for a synapse that works."""
    progress(0.0, "exact mean updates")
    kernels = jnp.stack([lag_kernel(name, config.window) for name in KERNELS])
    exact = _exact(kernels, config)
    sampled = _sampled(named_key(key, "spikes"), np.asarray(kernels, np.float64), config, progress)
    progress(0.7, "decay inside saturation")
    return merged(
        exact,
        sampled,
        _saturated(named_key(key, "saturated"), config),
        _causal(named_key(key, "causal"), kernels[0], config, progress),
        kernel=list(KERNELS),
        is_antisymmetric=("kernel", [name != "bi_poo" for name in KERNELS]),
        probability=("probability", np.array(config.probabilities), {"units": "1/bin"}),
        time=("time", np.arange(_N_STEPS), {"units": "bins"}),
        causal_weight=("causal_weight", np.array(config.causal_weights), {"units": "1/bin"}),
    )


def _exact(kernels: Float[Array, "kernel lag"], config: ConstantRateConfig) -> xr.Dataset:
    """Return mean updates at constant rates by the exact law of lags."""
    rates = on_device(np.tile(np.array(config.probabilities)[:, None], 2 * config.window + 1))
    law = lag_probability(rates, config.window, boundary="valid")[:, 0]
    return labelled(
        ("kernel", "probability"), exact=[np.asarray(mean_update(law, kernel), np.float64) for kernel in kernels]
    )


def _sampled(
    key: Key[Array, ""], kernels: NDArray[np.float64], config: ConstantRateConfig, progress: Progress
) -> xr.Dataset:
    n_bins = 2 * config.window + 1
    only_centre = jnp.zeros(n_bins, float).at[config.window].set(1)
    counts = np.zeros((len(config.probabilities), n_bins))
    for index, q in enumerate(config.probabilities):
        progress(0.1 + 0.6 * index / len(config.probabilities), f"sampled updates at probability {q:g}")
        cell = named_key(key, str(index)), only_centre, jnp.full(n_bins, q, float)
        counts[index] = sample_lag_counts(*cell, config.n_trials, config.window, boundary="valid")[0]
    mean = kernels @ counts.T / config.n_trials
    error = np.sqrt((kernels**2 @ counts.T / config.n_trials - mean**2) / config.n_trials)
    return labelled(("kernel", "probability"), sampled=mean, sampled_error=error)


def _saturated(key: Key[Array, ""], config: ConstantRateConfig) -> xr.Dataset:
    """Let a network decay in saturation to its upper threshold: the change of each step under Eq 1 and 5."""
    n_units = 8
    # A bias that asks for more than the threshold holds the units there.
    params = random_params(named_key(key, "weights"), n_units, 0.3)._replace(bias=jnp.ones(n_units, float))
    numbers, start = NoiseHyper(config.decay, _NOISE_STD), jnp.full(n_units, 2.0, float)
    kernel, noise = NoisyIntegrator(hard_sigmoid()), named_key(key, "noise")
    trace = simulate(noise, params, kernel, numbers, state=start, n_steps=_N_STEPS + 1, trace_every=1).trace
    assert trace is not None
    rate, factor = hard_sigmoid().value(trace), smoothed_hard_sigmoid(_NOISE_STD).slope(trace[:-1])
    eq1 = rate_update(trace[:-1], trace[1:], rate[:-1])
    return labelled(
        "time",
        saturated_activity=trace[:-1].mean(1),
        saturated_rate=rate[:-1].min(1),
        saturated_eq1=np.asarray(eq1, np.float64).mean((1, 2)),
        saturated_eq5=np.asarray(factor[:, :, None] * eq1, np.float64).mean((1, 2)),
    )


def _causal(
    key: Key[Array, ""], kernel: Float[Array, "lag"], config: ConstantRateConfig, progress: Progress
) -> xr.Dataset:
    """Return the mean update per presynaptic spike where presynaptic spikes excite the postsynaptic neuron."""
    window, rows = config.window, []
    train_keys = member_keys(key, config.n_causal_trains)
    for index, weight in enumerate(config.causal_weights):
        progress(0.8 + 0.2 * index / len(config.causal_weights), f"causal synapse of weight {weight:g}")
        excited = jnp.full(2 * window + 1, config.causal_probability, float)
        excited = excited.at[window + 1 : window + 1 + config.causal_bins].add(weight)
        exact = float(mean_update(lag_probability(excited, window, boundary="valid"), kernel)[0])
        # The same keys at every weight: paired comparisons.
        totals = _causal_totals(train_keys, jnp.asarray(weight, float), kernel, config)
        change, n_spikes = (np.asarray(part, np.float64) for part in totals)
        mean = change.sum() / n_spikes.sum()
        error = (change - mean * n_spikes).std() * np.sqrt(config.n_causal_trains) / n_spikes.sum()
        rows.append((exact, mean, error))
    exact, sampled, error = np.transpose(rows)
    return labelled("causal_weight", causal_exact=exact, causal_sampled=sampled, causal_sampled_error=error)


# Compiled once for all weights and kernels.
@partial(jax.jit, static_argnames="config")
def _causal_totals(
    train_keys: Key[Array, "train"], weight: Float[Array, ""], kernel: Float[Array, "lag"], config: ConstantRateConfig
) -> tuple[Float[Array, "train"], Float[Array, "train"]]:
    """The change of weight and the number of presynaptic spikes of each pair of trains."""
    window, n_steps = config.window, _N_STEPS + 2 * config.window

    def one_train(train_key: Key[Array, ""]) -> tuple[Float[Array, ""], Float[Array, ""]]:
        pre_key, post_key = jax.random.split(train_key)
        pre = sample_spikes(pre_key, jnp.full(n_steps, config.causal_pre_probability, float))
        recent = jnp.convolve(pre.astype(float), jnp.ones(config.causal_bins, float))[: n_steps - 1]
        excited = config.causal_probability + weight * jnp.concatenate([jnp.zeros(1, float), recent])
        post = sample_spikes(post_key, excited)
        lags = nearest_lag(pre, post, window, boundary="valid")
        return lag_update(lags, kernel).sum(), pre[window : n_steps - window].sum().astype(float)

    return jax.lax.map(one_train, train_keys, batch_size=min(1000, config.n_causal_trains))


STUDY = Study(
    name="constant_rate",
    title="The prediction: constant rate, no change",
    figure="Prediction of sections 3.2 and 9",
    source="Bengio et al. 2015, sections 3.2 and 9",
    caption="The paper predicts no mean weight change at constant postsynaptic rate. Top: exact for antisymmetric "
    "lag kernels, false for the published asymmetric one. Bottom left: Eq 1 itself follows the activity, so it "
    "changes weights in saturation, where the rate is constant. Bottom right: the prediction also needs spikes that "
    "are independent given the rates.",
    config=ConstantRateConfig(),
    smoke=dict(n_trials=2000, n_causal_trains=500),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
