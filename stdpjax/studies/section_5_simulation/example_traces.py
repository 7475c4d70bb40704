"""Figure 3: one example of presynaptic spikes, postsynaptic activity and the weight under Eq 2."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float, Key

from stdpjax.drives import DRIVES, bounded_voltage
from stdpjax.lab import Progress, Study, at_most
from stdpjax.lab.settings import TRAINS, configuration, setting
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.rules import Sample, differential_rule, run_along
from stdpjax.spikes import sample_spikes
from stdpjax.studies.measures import labelled, largest_z, merged, supports
from stdpjax.studies.section_5_simulation.example_traces_figure import plot


@configuration
class ExampleTracesConfig:
    """Settings of the example; times in bins."""

    n_steps: int = setting(160, "length of the example, in bins", at_least=2)
    max_probability: float = setting(0.2, "presynaptic spike probability per bin at rate 1", probability=True)
    drive: str = setting("smooth_noise", "random process behind the activities", choices=DRIVES)
    width: float = setting(10.0, "time scale of the drive, in bins", above=0)
    n_trials: int = setting(20_000, "presynaptic trains over which Eq 2 is averaged", **TRAINS)


CLAIMS = (
    supports(
        "eq2.mean",
        "Largest |z|, over time, of the weight averaged over spike trains against Eq 1 times the spike probability.",
        criterion=at_most(4.0),
        measure=lambda data: largest_z(data.mean_weight - data.expected_weight, data.mean_weight_error),
        control=lambda data: largest_z(data.mean_weight - data.weight_of_mean_rate, data.mean_weight_error),
        control_is="the mean presynaptic rate in place of that of the moment",
    ),
)


def run(key: Key[Array, ""], config: ExampleTracesConfig, progress: Progress) -> xr.Dataset:
    """Run Eq 2 along one pair of activities, once for the figure and over many spike trains for its mean."""
    progress(0.0, "one pair of activities")

    def activity(name: str) -> Float[Array, "time_plus_one"]:
        drive_key = named_key(named_key(key, "drive"), name)
        return bounded_voltage(DRIVES[config.drive](drive_key, config.n_steps + 1, config.width))

    pre_rate, post = hard_sigmoid().value(activity("pre"))[:-1], activity("post")
    probability, rule = config.max_probability * pre_rate, differential_rule("current", "spikes")

    def one_train(train_key: Key[Array, ""]) -> tuple[Bool[Array, "time"], Float[Array, "time"]]:
        spikes = sample_spikes(train_key, probability)
        samples = Sample(post[:-1, None], post[1:, None], pre_rate[:, None], pre_spikes=spikes[:, None])
        return spikes, run_along(rule, samples, jnp.zeros((1, 1), post.dtype)).weights[:, 0, 0]

    progress(0.2, "average over spike trains")
    train_keys = member_keys(named_key(key, "spikes"), config.n_trials)
    of_trains = jax.jit(partial(jax.lax.map, one_train, batch_size=min(1000, config.n_trials)))
    spikes, weights = (np.asarray(part) for part in of_trains(train_keys))
    weights, spread = weights.astype(np.float64), weights.astype(np.float64).std(0, ddof=1)
    change, p = np.diff(np.asarray(post, np.float64)), np.asarray(probability, np.float64)
    error, mean = spread / np.sqrt(config.n_trials), weights.mean(0)
    return merged(
        labelled("time", pre_rate=pre_rate, post_activity=post[:-1], pre_spikes=spikes[0], weight=weights[0]),
        labelled("time", mean_weight=mean, mean_weight_error=error, weight_std=spread),
        labelled("time", expected_weight=np.cumsum(p * change), weight_of_mean_rate=np.cumsum(p.mean() * change)),
        time=("time", np.arange(config.n_steps), {"units": "bins"}),
    )


STUDY = Study(
    name="example_traces",
    title="One example",
    figure="Figure 3",
    source="Bengio et al. 2015, Figure 3, Eq 1 and 2",
    caption="The paper's Figure 3: presynaptic spikes and rate, postsynaptic activity, and the weight under Eq 2, "
    "which moves only at presynaptic spikes. Its mean over many spike trains is Eq 1 times the spike probability.",
    config=ExampleTracesConfig(),
    smoke=dict(n_trials=500),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
