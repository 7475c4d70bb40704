"""MCMC-EM score matching (section 6.3): impatient and patient averages, hidden rows at equilibrium, consistency."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax import _checks
from stdpjax.energy import make_params
from stdpjax.lab import at_most, within
from stdpjax.lab.settings import TRAINS, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.random import named_key
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import labelled, largest, limits, merged, supports
from stdpjax.studies.section_6_hidden.em_training import METHODS, divergences, train_all
from stdpjax.studies.section_6_hidden.impatient_em_figure import plot
from stdpjax.theory.em_laws import chain_law, flows, gradients_at_truth, stein_means


@configuration
class ImpatientEMConfig:
    """Settings of the study of EM by score matching; activities, weights and biases in units of activity."""

    average_step: float = setting(0.1, "step of the Langevin chain that is averaged", above=0, at_most=0.5)
    far_start: float = setting(3.0, "where its hidden unit starts")
    lengths: tuple[int, ...] = setting((50, 100, 200, 400, 800, 1600), "steps T", at_most=100_000, increasing=True)
    truth: tuple[float, float] = setting((4.0, -2.0), "weight and visible bias of the model that makes the data")
    start: tuple[float, float] = setting((0.5, 0.0), "weight and visible bias before learning")
    hidden_bias: float = setting(-1.0, "bias of the hidden unit, known")
    step: float = setting(0.05, "step of the Langevin chains while learning", above=0, at_most=0.5)
    learning_rate: float = setting(2.0, "factor on every update")
    n_updates: int = setting(120, "updates of each method", **TRAINS)
    n_burn_in: int = setting(80, "chain steps that patient EM waits before each update")
    n_patient: int = setting(8, "chain steps after them, over which it averages")
    n_samples: int = setting(2000, "samples of the visible unit for each seed", **TRAINS)
    n_seeds: int = setting(8, "independent data sets, starts and chains", **TRAINS)
    n_flow_updates: int = setting(260, "mean updates of the three-unit model", **TRAINS)
    n_nodes: int = setting(12, "quadrature nodes between two break points", at_least=4, at_most=60)

    def __post_init__(self) -> None:
        _checks.count("lengths", self.lengths[-1], minimum=400)


def _change_of_bias(data: xr.Dataset, power: float) -> float:
    """Return the largest relative change, late, of the bias times a power of the length."""
    late = data.sel(length=data.length >= 400)
    values = late.bias * late.length**power
    return float((values.max() - values.min()) / np.abs(values).max())


def _largest_apart(data: xr.Dataset, term: str) -> float:
    pairs = data.mean_update.sel(term=term).values
    return largest(pairs[~np.eye(len(pairs), dtype=bool)])


def _of_flow(data: xr.Dataset, flow: str) -> float:
    path = data.flow_divergence.sel(flow=flow)
    return float(path[-1] / path[0])


def _relative(data: xr.Dataset, learner: str) -> xr.DataArray:
    """Return the mean divergence over the last quarter of the updates, over that before, for each seed."""
    path = data.divergence.sel(learner=learner)
    late = path.isel(round=slice(3 * path.sizes["round"] // 4, None))
    return late.mean("round") / path.isel(round=0)


_consistent = partial(limits, control_is="without the second derivative, as Eq 24 has it")

CLAIMS = (
    supports(
        "sec6.3.bias",
        "Largest relative change of T times the running average's bias over T >= 400 steps (exact law of the chain).",
        criterion=at_most(0.1),
        measure=lambda data: _change_of_bias(data, 1.0),
        control=lambda data: _change_of_bias(data, 0.5),
        control_is="times the root of T, as the spread of an average falls",
    ),
    supports(
        "sec6.3.impatient",
        "Divergence over the last quarter of impatient EM less that of patient EM, over that before learning; mean.",
        criterion=within(0.0, 0.1),
        measure=lambda data: mean_interval(_relative(data, "impatient") - _relative(data, "patient")),
        control=lambda data: (_relative(data, "dropped") - _relative(data, "patient")).mean(),
        control_is="impatient EM without the second derivative",
        revised="It was within 0.3, with patient EM that did not wait, then after the last update alone, from half as "
        "many samples.",
    ),
    _consistent(
        "sec6.3.learns",
        "Divergence over the last quarter of impatient EM with the second derivative kept, over that before (sigmoid "
        "rates, mean).",
        criterion=at_most(0.9),
        measure=lambda data: mean_interval(_relative(data, "impatient")),
        control=lambda data: _relative(data, "dropped").mean(),
        revised="It was after the last update alone, from half as many samples.",
        note=lambda data: f"By maximum likelihood {float(_relative(data, 'likelihood').mean()):.2g}.",
    ),
    _consistent(
        "sec6.3.stationary",
        "Largest gradient of score matching at the truth, two units, one or both clamped, hard and sigmoid rates.",
        criterion=at_most(1e-4, double=1e-9),
        measure=lambda data: abs(data.gradient.sel(correction="kept")).max(),
        control=lambda data: abs(data.gradient.sel(correction="dropped")).max(),
    ),
    _consistent(
        "sec6.3.path",
        "Divergence after mean updates of three units with sigmoid rates, one hidden, over that before, by quadrature.",
        criterion=at_most(1e-3),
        measure=lambda data: _of_flow(data, "kept"),
        control=lambda data: _of_flow(data, "dropped"),
    ),
    limits(
        "sec9.rows",
        "Largest mean of Eq 1 between different units under exp(-E), as into sampled h (quadrature).",
        criterion=at_most(1e-3),
        measure=lambda data: _largest_apart(data, "Eq 1"),
        control=lambda data: _largest_apart(data, "with the slope"),
        control_is="the gradient of J_h with the target frozen, whose mean is that of the second derivative",
    ),
)


def run(key: Key[Array, ""], config: ImpatientEMConfig, progress: Progress) -> xr.Dataset:
    """Average along chains, take means by quadrature, and learn known models from their samples."""
    progress(0.0, "running average and quadrature")
    lengths, pair = np.array(config.lengths), make_params([[0.0, 1.5], [1.5, 0.0]], [-0.75, -0.75])
    means = chain_law(0.3, pair, config.average_step, config.far_start, config.lengths[-1])
    bias = np.cumsum(means[:-1])[lengths - 1] / lengths - means[-1]
    three = make_params([[0.0, 1.0, -0.5], [1.0, 0.0, 0.8], [-0.5, 0.8, 0.0]], [1.0, 0.8, 1.2])
    gradient = gradients_at_truth(pair, 2 * config.n_nodes)
    progress(0.4, "learning")
    flow, divergence = _flow(config), _learning(named_key(key, "learning"), config)
    return merged(
        labelled("length", "1", bias=(bias, "bias of the running average of rho(h)")),
        labelled((), "steps", transient=(np.sum(means[:-1] - means[-1]), "c, the summed transient")),
        labelled(("term", "post", "pre"), "activity", mean_update=stein_means(three, 10)),
        labelled(("rates", "clamped", "correction", "parameter"), "activity", gradient=gradient),
        labelled(("flow", "flow_update"), "nats", flow_divergence=flow),
        labelled(("learner", "seed", "round"), "nats", divergence=(divergence, "divergence from the truth")),
        length=("length", lengths, {"units": "steps"}),
        term=["with the slope", "second derivative", "Eq 1"],
        rates=["hard", "sigmoid"],
        clamped=["one", "both"],
        correction=["kept", "dropped"],
        parameter=["weight", "first bias", "second bias"],
        flow=["kept", "dropped", "likelihood"],
        learner=list(METHODS),
    )


def _flow(config: ImpatientEMConfig) -> Array:
    """Where mean updates of three units lead, one of them hidden, by quadrature; `[flow, update]`."""
    tied = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    truth, start = make_params(4.0 * tied, [-2.0, -2.0, -4.0]), make_params(0.5 * tied, [0.0, 0.0, -4.0])
    sizes = {"n_visible": 2, "n_nodes": min(10, config.n_nodes), "n_updates": config.n_flow_updates}
    return flows(truth, start, jnp.asarray(2.0, float), **sizes)


def _learning(key: Key[Array, ""], config: ImpatientEMConfig) -> np.ndarray:
    """How far each method is from a known model of two units while it learns from its samples."""
    theta = np.moveaxis(np.asarray(train_all(key, config), np.float64), 0, 1)
    return np.asarray(divergences(jnp.asarray(theta.reshape(-1, 2), float), config)).reshape(theta.shape[:-1])


STUDY = Study(
    name="impatient_em",
    title="Learning with hidden units, patiently or not",
    figure="none",
    source="Bengio et al. 2015, section 6.3",
    caption="Impatient updates average to the patient ones up to c / T. At equilibrium hidden rows teach nothing but "
    "the second derivative that the paper drops. With it kept, a model is learnt from its own samples; dropped, the "
    "model gets worse.",
    config=ImpatientEMConfig(),
    smoke=dict(
        lengths=(50, 400), n_updates=10, n_burn_in=2, n_patient=2, n_samples=20, n_seeds=2, n_flow_updates=10, n_nodes=6
    ),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
