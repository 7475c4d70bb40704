"""MCMC-EM score matching (section 6.3): impatient and patient averages, hidden rows at equilibrium, consistency."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax.clamps import clamp_state
from stdpjax.dynamics import Langevin, simulate
from stdpjax.energy import Params, make_params
from stdpjax.lab import Claim, at_least, at_most, within
from stdpjax.lab.settings import TRAINS, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.observers import mean_of
from stdpjax.random import named_key
from stdpjax.rules import Sample
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import labelled, merged, required
from stdpjax.studies.section_6_hidden.em_training import METHODS, divergences, train_all
from stdpjax.studies.section_6_hidden.impatient_em_figure import plot
from stdpjax.theory.em_laws import SIGMOID, chain_law, flows, gradients_at_truth, stein_means, stein_terms


@configuration
class ImpatientEMConfig:
    """Settings of the study of EM by score matching; activities, weights and biases in units of activity."""

    average_step: float = setting(
        0.1, "step of the Langevin chain whose running average is taken", above=0, at_most=0.5
    )
    far_start: float = setting(3.0, "where its hidden unit starts")
    lengths: tuple[int, ...] = setting(
        (50, 100, 200, 400, 800, 1600), "steps T averaged over, increasing", at_most=100_000
    )
    n_chains: int = setting(2048, "chains for the running average", **TRAINS)
    stein_step: float = setting(
        0.02, "step of the Langevin chains on which Stein's identity is measured", above=0, at_most=0.5
    )
    n_stein_chains: int = setting(1000, "how many of these chains", **TRAINS)
    n_stein_steps: int = setting(1000, "their steps, after as many to settle", at_least=5)
    truth: tuple[float, float] = setting((4.0, -2.0), "weight and visible bias of the model that makes the data")
    start: tuple[float, float] = setting((0.5, 0.0), "weight and visible bias before learning")
    hidden_bias: float = setting(-1.0, "bias of the hidden unit, known")
    step: float = setting(0.05, "step of the Langevin chains while learning", above=0, at_most=0.5)
    learning_rate: float = setting(2.0, "factor on every update")
    n_updates: int = setting(120, "updates of each method", **TRAINS)
    n_patient: int = setting(8, "chain steps for each update of patient EM")
    n_samples: int = setting(1000, "samples of the visible unit for each seed", **TRAINS)
    n_seeds: int = setting(8, "independent data sets, starts and chains", **TRAINS)
    n_flow_updates: int = setting(260, "mean updates of the three-unit model", **TRAINS)
    n_nodes: int = setting(12, "quadrature nodes between two break points", at_least=4, at_most=60)

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if len(self.lengths) < 2 or list(self.lengths) != sorted(set(self.lengths)) or self.lengths[-1] < 400:
            raise ValueError(f"lengths: expected increasing numbers, the last at least 400, got {self.lengths}")


def _late_bias(data: xr.Dataset) -> xr.DataArray:
    return data.bias.sel(length=data.length >= 400)


def _change(values: xr.DataArray) -> float:
    """Return the largest relative change."""
    return float((values.max() - values.min()) / np.abs(values).max())


def _largest_apart(pairs: np.ndarray) -> float:
    """Return the largest of the numbers between different units."""
    return float(np.abs(pairs[~np.eye(len(pairs), dtype=bool)]).max())


def _from_second(data: xr.Dataset, term: str) -> float:
    """Return how far a sampled mean is from that of the second derivative, relative to the largest."""
    found, second = (data.sampled_terms.sel(term=name).values for name in (term, "second derivative"))
    return _largest_apart(found - second) / _largest_apart(second)


def _exact(data: xr.Dataset, term: str) -> np.ndarray:
    return data.exact_terms.sel(term=term).values


def _of_flow(data: xr.Dataset, flow: str) -> float:
    path = data.flow_divergence.sel(flow=flow)
    return float(path[-1] / path[0])


def _relative(data: xr.Dataset, learner: str) -> xr.DataArray:
    """Return the divergence after learning over that before, for each seed."""
    path = data.divergence.sel(learner=learner)
    return path.isel(round=-1) / path.isel(round=0)


def _learning_note(data: xr.Dataset) -> str:
    return f"{data.sizes['seed']} seeds. Maximum likelihood: {float(_relative(data, 'likelihood').mean()):.2g}."


def _bias_change(data: xr.Dataset, learner: str) -> float:
    return float(np.abs(data.visible_bias.sel(learner=learner) - data.first_bias).max())


_BURN_IN = "As the burn-in becomes small, the impatient updates become in average those of MCMC-EM."
_HIDDEN_ROWS = "Hidden rows learn along the chain as clamped rows do."

_section_6_3 = partial(Claim, statement="section 6.3", bearing="limits")
_hidden_rows = partial(Claim, statement="section 6.3", bearing="refutes")

CLAIMS = (
    _section_6_3(
        "T13.bias",
        "Largest relative change of T times the running average's bias over T >= 400 steps (exact law of the chain).",
        criterion=at_most(0.1),
        measure=lambda data: _change(_late_bias(data) * _late_bias(data).length),
        control=lambda data: _change(_late_bias(data)),
        control_is="the bias itself, not times T",
    ),
    _section_6_3(
        "T13.transient",
        "Summed transient c of simulated chains over that of the exact law.",
        criterion=within(1.0, 0.1),
        measure=lambda data: mean_interval(data.transient / data.exact_transient),
        control=lambda data: (data.transient + data.transient.mean()).mean() / data.exact_transient,
        control_is="the transient counted twice",
        note="The same noise from an equilibrium start subtracted.",
    ),
    _hidden_rows(
        "T14.identity",
        "Largest relative difference, over ordered pairs, of mean -g_i rho'_i rho_j and -rho''_i rho_j (Langevin .02).",
        criterion=at_most(0.2),
        measure=lambda data: _from_second(data, "gradient form"),
        control=lambda data: _from_second(data, "Eq 1"),
        control_is="Eq 1 without rho'",
        note="Relative to the largest.",
    ),
    _hidden_rows(
        "T14.full_gradient",
        "Largest mean update of a hidden row by the full gradient under exp(-E), by quadrature.",
        criterion=at_most(1e-3),
        measure=lambda data: _largest_apart(_exact(data, "gradient form") - _exact(data, "second derivative")),
        control=lambda data: _largest_apart(_exact(data, "gradient form")),
        control_is="without the second derivative",
    ),
    Claim(
        "T14.eq1",
        "Largest mean of Eq 1 between different units under exp(-E), by quadrature.",
        statement="Eq 1, section 6.3",
        criterion=at_most(1e-3),
        measure=lambda data: _largest_apart(_exact(data, "Eq 1")),
        control=lambda data: np.abs(np.diag(_exact(data, "Eq 1"))).max(),
        control_is="a unit with itself",
        bearing="refutes",
    ),
    _section_6_3(
        "T15.stationary",
        "Largest gradient of score matching at the truth, two units, one or both clamped, hard and sigmoid rates.",
        criterion=at_most(1e-4, double=1e-9),
        measure=lambda data: abs(data.gradient.sel(correction="kept")).max(),
        control=lambda data: abs(data.gradient.sel(correction="dropped")).max(),
        control_is="without the second derivative",
    ),
    _section_6_3(
        "T15.path",
        "Divergence after mean updates of three units, one hidden, over that before, by quadrature.",
        criterion=at_most(1e-3),
        measure=lambda data: _of_flow(data, "kept"),
        control=lambda data: _of_flow(data, "dropped"),
        control_is="without the second derivative",
    ),
    _section_6_3(
        "6.3.learns",
        "Divergence after impatient EM with the second derivative kept, over that before; mean over seeds.",
        criterion=at_most(0.9),
        measure=lambda data: mean_interval(_relative(data, "impatient")),
        control=lambda data: _relative(data, "literal").mean(),
        control_is="Eq 1 taken literally",
        note=_learning_note,
    ),
    _section_6_3(
        "6.3.impatient",
        "Divergence after impatient EM less that after patient EM, over that before learning; mean over seeds.",
        criterion=within(0.0, 0.3),
        measure=lambda data: mean_interval(_relative(data, "impatient") - _relative(data, "patient")),
        control=lambda data: (_relative(data, "dropped") - _relative(data, "patient")).mean(),
        control_is="without the second derivative",
        note=lambda data: f"{data.sizes['seed']} seeds.",
    ),
    Claim(
        "6.3.dropped",
        "Divergence after impatient EM without the second derivative, over that before; mean over seeds.",
        statement="section 6.3, Eq 24",
        criterion=at_least(1.2),
        measure=lambda data: mean_interval(_relative(data, "dropped")),
        control=lambda data: _relative(data, "impatient").mean(),
        control_is="with the second derivative",
        bearing="refutes",
        note=lambda data: f"{data.sizes['seed']} seeds.",
    ),
    Claim(
        "6.3.literal",
        "Largest change of the clamped unit's bias by Eq 1 taken literally.",
        statement="Eq 1, section 6.3",
        criterion=at_most(0.0),
        measure=lambda data: _bias_change(data, "literal"),
        control=lambda data: _bias_change(data, "impatient"),
        control_is="the corrected update",
        bearing="refutes",
    ),
)


_KERNEL = Langevin(SIGMOID)
_PAIR = ([[0.0, 1.5], [1.5, 0.0]], [-0.75, -0.75])
_ACTIVITY = "units of activity"


def _terms(params: Params):
    def of_sample(sample: Sample) -> Array:
        return stein_terms(params, sample.post_state[None])[0]

    return of_sample


def run(key: Key[Array, ""], config: ImpatientEMConfig, progress: Progress) -> xr.Dataset:
    """Average along chains, take means by quadrature, and learn known models from their samples."""
    progress(0.0, "running average")
    average = _running_average(key, config)
    progress(0.2, "hidden rows")
    rows = _hidden_row_updates(key, config)
    progress(0.4, "gradients at the truth")
    consistency = _consistency(config)
    progress(0.6, "learning")
    learning = _learning(named_key(key, "learning"), config)
    progress(1.0, "done")
    return merged(
        average,
        rows,
        consistency,
        learning,
        length=("length", np.array(config.lengths), {"units": "steps"}),
        term=["gradient form", "second derivative", "Eq 1"],
        rates=["hard", "sigmoid"],
        clamped=["one", "both"],
        correction=["kept", "dropped"],
        parameter=["weight", "first bias", "second bias"],
        flow=["kept", "dropped", "likelihood"],
        learner=list(METHODS),
    )


def _running_average(key: Key[Array, ""], config: ImpatientEMConfig) -> xr.Dataset:
    """The bias of a running average along a chain, by its exact law, and the transient by simulation."""
    lengths, pair = np.array(config.lengths), make_params(*_PAIR)
    means = chain_law(0.3, pair, config.average_step, config.far_start, config.lengths[-1])
    hyper, held = _KERNEL.Hyper(config.average_step), clamp_state([True, False], 0.3)

    def chains(key: Key[Array, ""], states: np.ndarray, n_steps: int) -> np.ndarray:
        start = jnp.asarray(states, float)
        found = simulate(
            key,
            make_params(*_PAIR),
            _KERNEL,
            hyper,
            state=start,
            clamps=(held,),
            n_steps=n_steps,
            trace_every=1,
        )
        assert found.trace is not None
        return np.asarray(found.trace[..., 1], np.float64)

    # The same noise from a start in equilibrium: the difference is the transient alone.
    still = np.tile([0.3, 0.0], (config.n_chains, 1))
    near, far = still.copy(), still.copy()
    near[:, 1], far[:, 1] = chains(named_key(key, "settle"), still, 400)[:, -1], config.far_start
    rates = []
    for states in (far, near):
        path = np.concatenate([states[:, 1:], chains(named_key(key, "average"), states, 400)[:, :-1]], axis=1)
        rates.append(1 / (1 + np.exp(-4 * path)))
    bias = np.cumsum(means[:-1])[lengths - 1] / lengths - means[-1]
    return merged(
        labelled("length", "1", bias=(bias, "bias of the running average of rho(h)")),
        labelled("trial", "steps", transient=((rates[0] - rates[1]).sum(1), "summed transient")),
        labelled((), "steps", exact_transient=np.sum(means[:-1] - means[-1])),
        labelled((), sampler_mean=(means[-1], "mean of rho(h) in the sampler's stationary law")),
    )


def _hidden_row_updates(key: Key[Array, ""], config: ImpatientEMConfig) -> xr.Dataset:
    """Mean updates of hidden rows under Langevin dynamics, and by quadrature."""
    network = make_params([[0.0, 1.0, -0.5], [1.0, 0.0, 0.8], [-0.5, 0.8, 0.0]], [1.0, 0.8, 1.2])
    states, observe = jnp.zeros((config.n_stein_chains, 3), float), {"terms": mean_of(_terms(network))}
    for name in ("settle", "measure"):
        found = simulate(
            named_key(key, name),
            network,
            _KERNEL,
            _KERNEL.Hyper(config.stein_step),
            state=states,
            n_steps=config.n_stein_steps,
            observe=observe,
        )
        states = found.state
    terms = mean_interval(np.asarray(found.observed["terms"].mean, np.float64), 0)
    return merged(
        labelled(
            ("term", "post", "pre"),
            _ACTIVITY,
            sampled_terms=terms.value,
            sampled_terms_error=terms.standard_error,
            exact_terms=stein_means(network, 10),
        ),
        required("chain", "chains with finite states", is_finite=found.is_finite),
    )


def _consistency(config: ImpatientEMConfig) -> xr.Dataset:
    """Gradients at the truth, and where mean updates lead, by quadrature."""
    hidden = np.zeros((2, 3, 3))
    for row, weight in zip(hidden, (4.0, 0.5), strict=True):
        row[2, :2] = row[:2, 2] = weight
    flow, _ = flows(
        make_params(hidden[0], [-2.0, -2.0, -4.0]),
        make_params(hidden[1], [0.0, 0.0, -4.0]),
        jnp.asarray(2.0, float),
        n_visible=2,
        n_nodes=min(10, config.n_nodes),
        n_updates=config.n_flow_updates,
    )
    gradient = gradients_at_truth(make_params(*_PAIR), 2 * config.n_nodes)
    return merged(
        labelled(("rates", "clamped", "correction", "parameter"), _ACTIVITY, gradient=gradient),
        labelled(("flow", "flow_update"), "nats", flow_divergence=flow),
    )


def _learning(key: Key[Array, ""], config: ImpatientEMConfig) -> xr.Dataset:
    """How each method learns a known model of two units from its samples."""
    theta = np.moveaxis(np.asarray(train_all(key, config), np.float64), 0, 1)
    distance = np.asarray(divergences(jnp.asarray(theta.reshape(-1, 2), float), config)).reshape(theta.shape[:-1])
    path = ("learner", "seed", "round")
    return merged(
        labelled(path, "nats", divergence=(distance, "divergence from the truth")),
        labelled(path, _ACTIVITY, weight=theta[..., 0], visible_bias=theta[..., 1]),
        labelled((), _ACTIVITY, first_bias=(config.start[1], "visible bias before learning")),
    )


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
        lengths=(50, 400),
        n_chains=8,
        n_stein_chains=20,
        n_stein_steps=50,
        n_updates=10,
        n_patient=2,
        n_samples=20,
        n_seeds=2,
        n_flow_updates=10,
        n_nodes=6,
    ),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
