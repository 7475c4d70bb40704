"""MCMC-EM score matching (section 6.3): impatient and patient averages, hidden rows at equilibrium, consistency."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax import _checks
from stdpjax.clamps import clamp_state
from stdpjax.dynamics import Hyper, langevin, simulate
from stdpjax.energy import Params, make_params
from stdpjax.observers import mean_of
from stdpjax.random import named_key
from stdpjax.rules import Sample
from stdpjax.studies.base import Measurement, Progress, Study
from stdpjax.studies.em_claims import CLAIMS
from stdpjax.studies.em_laws import SIGMOID, chain_law, flows, gradients_at_truth, stein_means, stein_terms
from stdpjax.studies.em_training import METHODS, divergences, train_all
from stdpjax.studies.figures.impatient_em import plot
from stdpjax.studies.settings import setting


@dataclasses.dataclass(frozen=True)
class ImpatientEMConfig:
    """Settings of the study of EM by score matching; activities, weights and biases in units of activity."""

    average_step: float = setting(0.1, "step of the Langevin chain whose running average is taken")
    far_start: float = setting(3.0, "where its hidden unit starts")
    lengths: tuple[int, ...] = setting((50, 100, 200, 400, 800, 1600), "steps T averaged over, increasing")
    n_chains: int = setting(2048, "chains for the running average")
    stein_step: float = setting(0.02, "step of the Langevin chains on which Stein's identity is measured")
    n_stein_chains: int = setting(1000, "how many of these chains")
    n_stein_steps: int = setting(1000, "their steps, after as many to settle")
    truth: tuple[float, float] = setting((4.0, -2.0), "weight and visible bias of the model that makes the data")
    start: tuple[float, float] = setting((0.5, 0.0), "weight and visible bias before learning")
    hidden_bias: float = setting(-1.0, "bias of the hidden unit, known")
    step: float = setting(0.05, "step of the Langevin chains while learning")
    learning_rate: float = setting(2.0, "factor on every update")
    n_updates: int = setting(120, "updates of each method")
    n_patient: int = setting(8, "chain steps for each update of patient EM")
    n_samples: int = setting(1000, "samples of the visible unit for each seed")
    n_seeds: int = setting(8, "independent data sets, starts and chains")
    n_flow_updates: int = setting(260, "mean updates of the three-unit model")
    n_nodes: int = setting(12, "quadrature nodes between two break points")

    def __post_init__(self) -> None:
        """Refuse settings out of range."""
        for name in ("average_step", "stein_step", "step"):
            _checks.number(name, getattr(self, name), above=0, at_most=0.5)
        for name in ("n_chains", "n_stein_chains", "n_seeds", "n_samples", "n_updates", "n_flow_updates"):
            _checks.count(name, getattr(self, name), minimum=2, maximum=_checks.MAX_HELD_TRAINS)
        _checks.count("n_stein_steps", self.n_stein_steps, minimum=5)
        _checks.count("n_patient", self.n_patient)
        _checks.count("n_nodes", self.n_nodes, minimum=4, maximum=60)
        for length in self.lengths:
            _checks.count("lengths", length, maximum=100_000)
        if len(self.lengths) < 2 or list(self.lengths) != sorted(set(self.lengths)) or self.lengths[-1] < 400:
            raise ValueError(f"lengths: expected increasing numbers, the last at least 400, got {self.lengths}")
        for name in ("truth", "start"):
            if len(getattr(self, name)) != 2:
                raise ValueError(f"{name}: expected a weight and a bias, got {getattr(self, name)}")


_KERNEL = langevin(SIGMOID)


def _terms(params: Params):
    def of_sample(sample: Sample) -> Array:
        return stein_terms(params, sample.post_state[None])[0]

    return of_sample


def run(key: Key[Array, ""], config: ImpatientEMConfig, progress: Progress) -> xr.Dataset:
    """Average along chains, take means by quadrature, and learn known models from their samples."""
    progress(0.0, "running average")
    lengths, longest = np.array(config.lengths), config.lengths[-1]
    pair = make_params([[0.0, 1.5], [1.5, 0.0]], [-0.75, -0.75])
    means = chain_law(0.3, pair, config.average_step, config.far_start, longest)
    bias = np.cumsum(means[:-1])[lengths - 1] / lengths - means[-1]
    hyper = Hyper(step=config.average_step, clamps=(clamp_state([True, False], 0.3),))

    def chains(key: Key[Array, ""], states: np.ndarray, n_steps: int) -> np.ndarray:
        found = simulate(
            key, pair, None, hyper, kernel=_KERNEL, state=jnp.asarray(states, float), n_steps=n_steps, trace_every=1
        )
        assert found.trace is not None
        return np.asarray(found.trace[..., 1], np.float64)

    # The same noise from a start in equilibrium: the difference is the transient alone.
    still = np.tile([0.3, 0.0], (config.n_chains, 1))
    settled = chains(named_key(key, "settle"), still, 400)[:, -1]
    near, far = still.copy(), still.copy()
    near[:, 1], far[:, 1] = settled, config.far_start
    rates = []
    for states in (far, near):
        path = np.concatenate([states[:, 1:], chains(named_key(key, "average"), states, 400)[:, :-1]], axis=1)
        rates.append(1 / (1 + np.exp(-4 * path)))
    transient = (rates[0] - rates[1]).sum(1)
    exact_transient = float(np.sum(means[:-1] - means[-1]))

    progress(0.2, "hidden rows")
    network = make_params([[0.0, 1.0, -0.5], [1.0, 0.0, 0.8], [-0.5, 0.8, 0.0]], [1.0, 0.8, 1.2])
    quadrature = np.asarray(stein_means(network, 10), np.float64)
    langevin_hyper = Hyper(step=config.stein_step)
    states, observe = jnp.zeros((config.n_stein_chains, 3), float), {"terms": mean_of(_terms(network))}
    for name in ("settle", "measure"):
        found = simulate(
            named_key(key, name), network, None, langevin_hyper, kernel=_KERNEL, state=states,
            n_steps=config.n_stein_steps, observe=observe,
        )  # fmt: skip
        states = found.state
    terms = np.asarray(found.observed["terms"].mean, np.float64)

    progress(0.4, "gradients at the truth")
    gradient = np.asarray(gradients_at_truth(pair, 2 * config.n_nodes), np.float64)
    hidden = np.zeros((2, 3, 3))
    for row, weight in zip(hidden, (4.0, 0.5), strict=True):
        row[2, :2] = row[:2, 2] = weight
    flow, _ = flows(
        make_params(hidden[0], [-2.0, -2.0, -4.0]), make_params(hidden[1], [0.0, 0.0, -4.0]), jnp.asarray(2.0, float),
        n_visible=2, n_nodes=min(10, config.n_nodes), n_updates=config.n_flow_updates,
    )  # fmt: skip

    progress(0.6, "learning")
    theta = np.moveaxis(np.asarray(train_all(named_key(key, "learning"), config), np.float64), 0, 1)
    distance = divergences(jnp.asarray(theta.reshape(-1, 2), float), config)
    distance = np.asarray(distance, np.float64).reshape(theta.shape[:-1])

    progress(1.0, "done")
    nats, activity = {"units": "nats"}, {"units": "units of activity"}
    path, pairs = ("learner", "seed", "round"), ("term", "post", "pre")
    return xr.Dataset(
        {
            "bias": ("length", bias, {"long_name": "bias of the running average of rho(h)", "units": "1"}),
            "transient": ("trial", transient, {"long_name": "summed transient", "units": "steps"}),
            "exact_transient": ((), exact_transient, {"units": "steps"}),
            "sampler_mean": ((), means[-1], {"long_name": "mean of rho(h) in the sampler's stationary law"}),
            "sampled_terms": (pairs, terms.mean(0), activity),
            "sampled_terms_error": (pairs, terms.std(0, ddof=1) / np.sqrt(config.n_stein_chains), activity),
            "exact_terms": (pairs, quadrature, activity),
            "gradient": (("rates", "clamped", "correction", "parameter"), gradient, activity),
            "flow_divergence": (("flow", "flow_update"), np.asarray(flow, np.float64), nats),
            "divergence": (path, distance, {"long_name": "divergence from the truth", **nats}),
            "weight": (path, theta[..., 0], activity),
            "visible_bias": (path, theta[..., 1], activity),
            "is_finite": ("chain", np.asarray(found.is_finite), {"required": "chains with finite states"}),
        },
        coords={
            "length": ("length", lengths, {"units": "steps"}),
            "term": ("term", ["gradient form", "second derivative", "Eq 1"]),
            "post": ("post", np.arange(3)),
            "pre": ("pre", np.arange(3)),
            "rates": ("rates", ["hard", "sigmoid"]),
            "clamped": ("clamped", ["one", "both"]),
            "correction": ("correction", ["kept", "dropped"]),
            "parameter": ("parameter", ["weight", "first bias", "second bias"]),
            "flow": ("flow", ["kept", "dropped", "likelihood"]),
            "flow_update": ("flow_update", np.arange(config.n_flow_updates)),
            "learner": ("learner", list(METHODS)),
            "seed": ("seed", np.arange(config.n_seeds)),
            "round": ("round", np.arange(config.n_updates)),
            "chain": ("chain", np.arange(config.n_stein_chains)),
        },
    )


def over_seeds(values: xr.DataArray) -> tuple[float, tuple[float, float]]:
    """Return the mean over independent runs and its 95 % interval."""
    mean = float(values.mean())
    reach = 1.96 * float(values.std(ddof=1)) / np.sqrt(values.size)
    return mean, (mean - reach, mean + reach)


def judge(data: xr.Dataset, config: ImpatientEMConfig) -> dict[str, Measurement]:
    """Compare the run with the criteria."""
    late = data.bias.sel(length=data.length >= 400)
    scaled = late * late.length
    apart = ~np.eye(3, dtype=bool)

    def change(values: xr.DataArray) -> float:
        return float((values.max() - values.min()) / np.abs(values).max())

    gradient_form, second, rule = (data.sampled_terms[number].values for number in range(3))
    exact_form, exact_second, exact_rule = (data.exact_terms[number].values for number in range(3))
    largest = np.abs(second[apart]).max()
    ratio = data.transient / data.exact_transient
    relative = data.divergence.isel(round=-1) / data.divergence.isel(round=0)

    def apart_from_patient(method: str) -> xr.DataArray:
        return relative.sel(learner=method) - relative.sel(learner="patient")

    def of_flow(name: str) -> float:
        path = data.flow_divergence.sel(flow=name)
        return float(path[-1] / path[0])

    moved = {name: float(np.abs(data.visible_bias.sel(learner=name) - config.start[1]).max())
             for name in ("literal", "impatient")}  # fmt: skip
    seeds = f"{config.n_seeds} seeds."
    return {
        "T13.bias": Measurement(change(scaled), control=change(late), note="Control: the bias itself, not times T."),
        "T13.transient": Measurement(
            *over_seeds(ratio), control=float((data.transient + data.transient.mean()).mean() / data.exact_transient),
            note="The same noise from an equilibrium start subtracted. Control: the transient counted twice.",
        ),
        "T14.identity": Measurement(
            float(np.abs(gradient_form - second)[apart].max() / largest),
            control=float(np.abs(rule - second)[apart].max() / largest),
            note="Relative to the largest. Control: Eq 1 without rho'.",
        ),
        "T14.full_gradient": Measurement(
            float(np.abs(exact_form - exact_second)[apart].max()), control=float(np.abs(exact_form)[apart].max()),
            note="Control: without the second derivative.",
        ),
        "T14.eq1": Measurement(
            float(np.abs(exact_rule)[apart].max()), control=float(np.abs(np.diag(exact_rule)).max()),
            note="Control: a unit with itself.",
        ),
        "T15.stationary": Measurement(
            float(np.abs(data.gradient.sel(correction="kept")).max()),
            control=float(np.abs(data.gradient.sel(correction="dropped")).max()),
            note="Control: without the second derivative.",
        ),
        "T15.path": Measurement(
            of_flow("kept"), control=of_flow("dropped"), note="Control: without the second derivative."
        ),
        "6.3.learns": Measurement(
            *over_seeds(relative.sel(learner="impatient")), control=float(relative.sel(learner="literal").mean()),
            note=f"{seeds} Maximum likelihood: {float(relative.sel(learner='likelihood').mean()):.2g}. "
            "Control: Eq 1 taken literally.",
        ),
        "6.3.impatient": Measurement(
            *over_seeds(apart_from_patient("impatient")), control=float(apart_from_patient("dropped").mean()),
            note=f"{seeds} Control: without the second derivative.",
        ),
        "6.3.dropped": Measurement(
            *over_seeds(relative.sel(learner="dropped")), control=float(relative.sel(learner="impatient").mean()),
            note=f"{seeds} Control: with the second derivative.",
        ),
        "6.3.literal": Measurement(moved["literal"], control=moved["impatient"], note="Control: the corrected update."),
    }  # fmt: skip


STUDY = Study(
    name="impatient_em",
    title="Learning with hidden units, patiently or not",
    figure="none",
    source="Bengio et al. 2015, section 6.3",
    caption="Impatient updates average to the patient ones up to c / T. At equilibrium hidden rows teach nothing but "
    "the second derivative that the paper drops. With it kept, a model is learnt from its own samples; dropped, the "
    "model gets worse.",
    config=ImpatientEMConfig(),
    smoke=ImpatientEMConfig(
        lengths=(50, 400), n_chains=8, n_stein_chains=20, n_stein_steps=50, n_updates=10, n_patient=2, n_samples=20,
        n_seeds=2, n_flow_updates=10, n_nodes=6,
    ),
    claims=CLAIMS,
    run=run,
    judge=judge,
    plot=plot,
)  # fmt: skip
