"""The paper's three conditions on an energy, for its own and for others, and the likelihood of Eq 12."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key

from stdpjax.dynamics import transition
from stdpjax.energy import Params, energy_of
from stdpjax.lab import Claim, Estimate, at_least, at_most, within
from stdpjax.lab.settings import STEP, TRIALS, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.networks import random_networks, random_states
from stdpjax.objectives import EnergyFunction, condition_1, condition_2, condition_3
from stdpjax.random import member_keys, named_key
from stdpjax.rates import RateFunction, curvature, hard_sigmoid, sigmoid, smoothed_hard_sigmoid
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import largest, off_diagonal, relative_difference
from stdpjax.studies.section_3_rule.conditions_figure import plot
from stdpjax.theory import hidden_chain

RATES: dict[str, RateFunction] = {"hard": hard_sigmoid(), "smoothed": smoothed_hard_sigmoid(0.1), "sigmoid": sigmoid()}


def _quadratic(state: Float[Array, "unit"]) -> Float[Array, ""]:
    return 0.5 * jnp.sum(state**2)


def _states_coupled(params: Params, state: Float[Array, "unit"]) -> Float[Array, ""]:
    return _quadratic(state) - jnp.sum(state * (0.5 * (params.weights @ state) + params.bias))


def _squared_weights(params: Params, state: Float[Array, "unit"]) -> Float[Array, ""]:
    return energy_of(params._replace(weights=params.weights**2), state, hard_sigmoid())


def _softplus_of_field(params: Params, state: Float[Array, "unit"]) -> Float[Array, ""]:
    rate = hard_sigmoid().value(state)
    return _quadratic(state) - jnp.sum(jax.nn.softplus(params.bias + params.weights @ rate))


def _of_rates(rate_fn: RateFunction) -> EnergyFunction:
    return lambda params, state: energy_of(params, state, rate_fn)


# Energies that the conditions are put to, with the rate function that conditions 1 and 2 speak of.
ENERGIES: dict[str, tuple[EnergyFunction, RateFunction]] = {
    **{f"Eq 16, {name} rate": (_of_rates(rate_fn), rate_fn) for name, rate_fn in RATES.items()},
    "states coupled": (_states_coupled, RATES["hard"]),
    "squared weights": (_squared_weights, RATES["hard"]),
    "softplus of the field": (_softplus_of_field, RATES["hard"]),
}
_N_PAPER = len(RATES)
# Of the single unit whose third derivative is drawn about its lower kink, -1/2.
_ACTIVITY = np.linspace(-1, 0, 401)


@configuration
class ConditionsConfig:
    """Settings of the study of conditions; activities in units of the width of the active region."""

    n_networks: int = setting(64, "random networks, tied, each at one random state", at_least=2)
    n_units: int = setting(5, "units of each network", at_least=5)
    weight_scale: float = setting(
        0.5, "standard deviation of the weights times the root of the number of units", above=0
    )
    step: float = setting(0.1, "step size epsilon = dt / tau", **STEP)
    noise_std: float = setting(0.1, "standard deviation of the noise eta on the activity", at_least=0)
    widths: tuple[float, ...] = setting(
        (0.1, 0.04), "widths of smoothing of the kinks of the hard sigmoid", above=0, at_most=0.1, distinct=True
    )
    n_sequences: int = setting(400, "sequences of the hidden chain", **TRIALS)
    n_symbols: int = setting(10, "symbols of each sequence", at_most=14)
    switching: float = setting(0.2, "probability per step that the hidden state switches", above=0, below=1)
    emission: tuple[float, float] = setting(
        (0.1, 0.8), "probabilities of symbol 1 in the two hidden states", above=0, below=1
    )


def _paper(data: xr.Dataset) -> xr.Dataset:
    """Return what concerns the energies of Eq 16."""
    return data.isel(energy=slice(0, _N_PAPER))


def _others(data: xr.Dataset) -> xr.Dataset:
    return data.isel(energy=slice(_N_PAPER, None))


def _hard(data: xr.Dataset) -> xr.Dataset:
    return _paper(data).isel(energy=0)


def _smooth(data: xr.Dataset) -> xr.Dataset:
    return _paper(data).isel(energy=slice(1, None))


def _off_none(data: xr.Dataset) -> float:
    """Return how far the third derivative with smooth rates is from that with the hard one, 0, in its own units."""
    hard, smooth = _hard(data).third_derivative, _smooth(data).third_derivative
    return largest(hard - smooth) / largest(smooth)


def _residuals(data: xr.Dataset) -> xr.DataArray:
    return np.maximum(data.residual_1, data.residual_2)


def _with_range(value: xr.DataArray, values: xr.DataArray) -> Estimate:
    return Estimate(float(value), float(values.min()), float(values.max()))


def _area(data: xr.Dataset) -> xr.DataArray:
    """Return the area under the bend of a kink; by width, the hard sigmoid first."""
    return data.bend.integrate("activity")


def _off_by(chain: xr.Dataset) -> dict[str, Estimate]:
    """Return how far log-likelihoods with one state are from the exact ones, for two choices of the state."""
    names = ("drawn_state", "actual_state")
    return {name: mean_interval(np.abs(chain[name] - chain.all_paths)) for name in names}


def _gaps(data: xr.Dataset) -> str:
    gaps = _off_by(data.isel(chain=0))
    return (
        "Nats per sequence; "
        + "; ".join(f"{name.replace('_', ' ')}: {gap.value:.2f}" for name, gap in gaps.items())
        + "."
    )


_CONDITION_2 = "dR_i(s~) / dW_ij is proportional to rho(s~_j)."
_MARKOV = "P(x_1, ..., x_T) is the product of P(x_t | s_{t-1}) when a state summarises the past."


_eq_24_condition_3 = partial(Claim, statement="Eq 24 (condition 3)")
_eq_4_condition_1 = partial(
    Claim,
    statement="Eq 4 (condition 1)",
    bearing="limits",
)
_eq_8_condition_2 = partial(Claim, statement="Eq 8 (condition 2)", bearing="limits")

CLAIMS = (
    _eq_4_condition_1(
        "E4.argument",
        "Largest relative difference of df/dW, with noise, from step rho'(s~_i) rho(s~_j).",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: largest(data.argument_difference),
        control=lambda data: largest(data.noise_free_difference),
        control_is="rates of the states without noise, as printed",
        note=lambda data: f"{data.sizes['network']} networks.",
    ),
    _eq_4_condition_1(
        "E4.coefficient",
        "Largest difference of the factor of rho(s_j) from step rho'(s_i), in units of step, three rate functions.",
        criterion=at_most(1e-4, double=1e-12),
        measure=lambda data: largest(_paper(data).coefficient_1 / float(data.step) - _paper(data).slope),
        control=lambda data: largest(_paper(data).coefficient_1 / float(data.step) - 1),
        control_is="one constant, the step",
    ),
    _eq_8_condition_2(
        "E8.coefficient",
        "Largest difference of the factor of rho(s_j) from rho'(s_i), over three rate functions.",
        criterion=at_most(1e-4, double=1e-12),
        measure=lambda data: largest(_paper(data).coefficient_2 - _paper(data).slope),
        control=lambda data: largest(_paper(data).coefficient_2 - 1),
        control_is="one constant, 1",
    ),
    _eq_8_condition_2(
        "E8.saturation",
        "Largest factor of rho(s_j) for saturated units of the hard sigmoid.",
        criterion=at_most(0.0),
        measure=lambda data: largest(_hard(data).coefficient_2.where(_hard(data).slope == 0, 0)),
        control=lambda data: largest(_hard(data).coefficient_2.where(_hard(data).slope != 0, 0)),
        control_is="active units",
        note=lambda data: f"{int((_hard(data).slope == 0).sum())} saturated units.",
    ),
    Claim(
        "E8.two_rows",
        "Share of a weight's effect that goes to the other unit of the pair (norm, mean over networks and units).",
        statement="Eq 8 and 16",
        criterion=within(float(np.sqrt(0.5)), 1e-4, double=1e-12),
        measure=lambda data: _with_range(_paper(data).other_rows.mean(), _paper(data).other_rows),
        control=lambda data: data.other_rows.sel(energy="softplus of the field").mean(),
        control_is="an energy whose weights reach third units",
        bearing="limits",
        note="Interval: range over networks.",
    ),
    Claim(
        "T8.satisfied",
        "Largest part of conditions 1 and 2 that no factor explains for the energy of Eq 16, three rate functions.",
        statement="Section 4.2",
        criterion=at_most(1e-4, double=1e-12),
        measure=lambda data: _residuals(_paper(data)).max(),
        control=lambda data: _residuals(_others(data)).min(),
        control_is="the smallest of other energies",
        bearing="limits",
        note=lambda data: f"{_others(data).sizes['energy']} other energies.",
    ),
    _eq_24_condition_3(
        "E24.almost_everywhere",
        "Largest |d^3E / ds_i^2 dtheta| for the hard sigmoid at random states away from its kinks.",
        criterion=at_most(0.0),
        measure=lambda data: largest(_hard(data).third_derivative),
        control=lambda data: largest(_smooth(data).third_derivative),
        control_is="smooth rates",
        bearing="limits",
    ),
    _eq_24_condition_3(
        "E24.smoothed_rates",
        "Largest relative difference of d^3E / ds_i^2 dtheta from rho''(s_i) rho(s_j) and rho''(s_i), smooth rates.",
        criterion=at_most(1e-4, double=1e-12),
        measure=lambda data: largest(_smooth(data).third_difference),
        control=lambda data: _off_none(data),
        control_is="0, as the paper has it",
        bearing="refutes",
    ),
    _eq_24_condition_3(
        "E24.mass",
        "Smallest area under |d^3E / ds^2 db| about a kink that is smoothed, over the widths of smoothing.",
        criterion=within(1.0, 1e-3, double=1e-5),
        measure=lambda data: _with_range(_area(data)[1:].min(), _area(data)[1:]),
        control=lambda data: _area(data)[0],
        control_is="the hard sigmoid away from its kinks",
        bearing="refutes",
        note="Interval: range over widths.",
    ),
    Claim(
        "E12.filtering",
        "Largest difference of log-likelihoods: all paths of states summed, and mean factors by filtering.",
        statement="Eq 12",
        criterion=at_most(1e-4, double=1e-12),
        measure=lambda data: largest((data.filtered - data.all_paths).isel(chain=0)),
        control=lambda data: largest((data.drawn_state - data.all_paths).isel(chain=0)),
        control_is="states drawn from the filtering distribution",
        bearing="limits",
        note=lambda data: f"{data.sizes['sequence']} sequences.",
    ),
    Claim(
        "E12.sampled",
        "Mean |difference| of log-likelihoods: the exact one, and P(x_t | s_{t-1}) with sampled states.",
        statement="Eq 12",
        criterion=at_least(0.1),
        measure=lambda data: min(_off_by(data.isel(chain=0)).values()),
        control=lambda data: max(_off_by(data.isel(chain=1)).values()).value,
        control_is="a chain whose state is its last symbol",
        bearing="refutes",
        note=_gaps,
    ),
)


def run(key: Key[Array, ""], config: ConditionsConfig, progress: Progress) -> xr.Dataset:
    """Measure the conditions in many random networks, and the likelihoods of a hidden chain."""
    progress(0.0, "conditions of six energies")
    n_networks, n_units = config.n_networks, config.n_units
    params = random_networks(key, n_networks, n_units, config.weight_scale)
    # Every other unit anywhere, so that some units are in saturation and never all.
    states, active = (
        random_states(named_key(key, name), n_networks, n_units, reach=reach, kinks=(-0.5, 0.5), margin=0.02)
        for name, reach in (("anywhere", 1.0), ("active", 0.4))
    )
    states = jnp.where(jnp.arange(n_units)[None, :] % 2 == 0, active, states)
    noise = config.noise_std * jax.random.normal(named_key(key, "noise"), states.shape, float)

    @jax.jit
    def of_energies():
        measured = [
            jax.vmap(lambda p, s, f=f, r=r: conditions_of(f, p, s, r, config.step))(params, states)
            for f, r in ENERGIES.values()
        ]
        argument = jax.vmap(lambda p, s, eta: argument_difference(p, s, eta, config.step))(params, states, noise)
        unit = Params(jnp.zeros((1, 1)), jnp.zeros(1))
        bends = jnp.stack(
            [
                jax.vmap(lambda s, r=r: condition_3(_of_rates(r), unit, s[None]).bias[0])(jnp.asarray(_ACTIVITY, float))
                for r in (hard_sigmoid(), *(smoothed_hard_sigmoid(width) for width in config.widths))
            ]
        )
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *measured), argument, bends

    measured, argument, bends = of_energies()
    progress(0.7, "likelihoods of a hidden chain")
    likelihoods = chain_likelihoods(key, config)
    dims = {2: ("energy", "network"), 3: ("energy", "network", "unit")}
    data = {name: (dims[value.ndim], np.asarray(value)) for name, value in measured.items()}
    data |= {name: ("network", np.asarray(value)) for name, value in argument.items()}
    data |= {name: (("chain", "sequence"), value) for name, value in likelihoods.items()}
    dataset = xr.Dataset(
        {
            **data,
            "state": (("network", "unit"), np.asarray(states)),
            "bend": (("width", "activity"), np.asarray(bends)),
        },
        coords={
            "energy": list(ENERGIES),
            "step": ((), config.step, {"units": "1", "long_name": "dt / tau"}),
            "width": np.array((0.0, *config.widths)),
            "activity": _ACTIVITY,
            "chain": ["hidden state", "state is the last symbol"],
        },
    )
    for name, variable in dataset.data_vars.items():
        variable.attrs = {"units": "nat" if name in likelihoods else "1", "long_name": str(name).replace("_", " ")}
    return dataset


def conditions_of(
    energy_fn: EnergyFunction, params: Params, state: Float[Array, "unit"], rate_fn: RateFunction, step: float | Array
) -> dict[str, Array]:
    """Return what the three conditions say of an energy at a state, with the formulas of Eq 16 beside it."""
    first = condition_1(energy_fn, params, state, rate_fn, step)
    second = condition_2(energy_fn, params, state, rate_fn)
    third = condition_3(energy_fn, params, state)
    slope, rate = rate_fn.slope(state), rate_fn.value(state)
    bend = jnp.abs(curvature(rate_fn, state))
    of_pair = off_diagonal(bend[:, None] * rate[None, :])
    formula = Params(jnp.maximum(of_pair, of_pair.T), bend)
    size = jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in formula))
    difference = jnp.sqrt(sum(jnp.sum((a - b) ** 2) for a, b in zip(third, formula, strict=True)))
    return {
        "coefficient_1": first.coefficient,
        "coefficient_2": second.coefficient,
        "slope": slope,
        "residual_1": first.residual,
        "residual_2": second.residual,
        "other_rows": second.other_rows,
        "third_derivative": jnp.maximum(jnp.max(third.weights), jnp.max(third.bias)),
        # Where the formula is 0 there is nothing to be relative to.
        "third_difference": difference / jnp.where(size > 0, size, 1.0),
        "third_size": size,
    }


def argument_difference(
    params: Params, state: Float[Array, "unit"], noise: Float[Array, "unit"], step: float | Array
) -> dict[str, Array]:
    """Return how far df/dW lies from step rho'(s~_i) rho(s~_j), and from the same with rho(s_j) as printed."""
    rho = hard_sigmoid()
    noisy = state + noise

    def after(weights: Float[Array, "post pre"]) -> Float[Array, "unit"]:
        return transition(params._replace(weights=weights), state, noise, rho, step)

    derivative = jax.jacobian(after)(params.weights)
    n_units = state.shape[0]

    def formula(rate: Float[Array, "unit"]) -> Float[Array, "unit unit unit"]:
        rows = step * rho.slope(noisy)[:, None] * rate[None, :]
        return jnp.eye(n_units)[:, :, None] * rows[None, :, :]

    return {
        "argument_difference": relative_difference(derivative, formula(rho.value(noisy))),
        "noise_free_difference": relative_difference(derivative, formula(rho.value(state))),
    }


def chain_likelihoods(key: Key[Array, ""], config: ConditionsConfig) -> dict[str, np.ndarray]:
    """Return log-likelihoods, `[chain, sequence]`, of a hidden chain and of one whose state is its last symbol."""
    laws = (
        hidden_chain.two_state_chain(config.switching, config.emission),
        hidden_chain.remembering_chain(config.emission),
    )

    def of_sequence(law: hidden_chain.ChainLaw, sequence_key: Key[Array, ""]):
        sample = hidden_chain.sample_chain(named_key(sequence_key, "sample"), law, config.n_symbols)
        return sample.symbols, hidden_chain.predict(named_key(sequence_key, "draw"), law, sample)

    keys = member_keys(named_key(key, "sequences"), config.n_sequences)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *laws)
    symbols, predictions = jax.jit(jax.vmap(jax.vmap(of_sequence, (None, 0)), (0, None)))(stacked, keys)
    exact = [hidden_chain.path_log_likelihood(law, x) for law, x in zip(laws, np.asarray(symbols), strict=True)]
    return {"all_paths": np.stack(exact), **{name: np.asarray(v) for name, v in predictions._asdict().items()}}


STUDY = Study(
    name="conditions",
    title="The three conditions, and the state that Eq 12 needs",
    figure="Equations 4, 8, 12 and 24",
    source="Bengio et al. 2015, sections 3.2, 3.3, 4, 4.2 and 6.1",
    caption="What the paper asks of an energy. Top left: conditions 1 and 2 hold for its energy and fail for others; "
    "condition 3 holds with the hard sigmoid, at almost every state. Top right: the factor of conditions 1 and 2 is no "
    "constant but follows rho'. Bottom left: condition 3 about a kink that is smoothed more and more narrowly; the "
    "area stays 1. Bottom right: the product of Eq 12 is the likelihood if it averages over the hidden state.",
    config=ConditionsConfig(),
    smoke=dict(n_networks=8, n_sequences=50, n_symbols=6),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
