"""Monte Carlo EM by score matching: hidden units are sampled with the data clamped, and the weights follow (6.3).

Patient EM runs its chains for long before each update and averages over the run; impatient EM updates after each step
of chains that go on under the changing weights. One update function does both: they differ in its numbers of steps.
"""

from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from stdpjax import _checks
from stdpjax.clamps import Clamps, StateClamp, check_clamps, hold_state
from stdpjax.dynamics import Kernel, advance
from stdpjax.dynamics.kernel import check_kernel
from stdpjax.energy import Params, check_params, field_of
from stdpjax.learning.training import Update
from stdpjax.objectives import kernel_density_at_kinks, score_matching
from stdpjax.rates import RateFunction, check_rate_fn
from stdpjax.rules.contrastive import movement_update

EMRule = Literal["literal", "delta", "dropped", "exact"]
EM_RULES: tuple[EMRule, ...] = get_args(EMRule)


class Clamped(NamedTuple):
    """Data for the visible units, and which chain each sample has."""

    values: Float[Array, "sample unit"]
    """Activities, read at the visible units."""
    chain: Int[Array, "sample"]
    """Row of the chains."""


def start_chains(key: Key[Array, ""], values: Float[Array, "sample unit"], visible: Bool[Array, "unit"]) -> Array:
    """Return a chain for each sample: its values, and hidden units drawn from exp(-s^2 / 2).

    Args:
        key: a scalar key.
        values: activities, shape `[sample, unit]`, read at the visible units.
        visible: which units the data clamps, shape `[unit]`.

    Returns:
        The chains' states, shape `[sample, unit]`.

    Raises:
        ValueError: no key, values of another shape or not finite, or `visible` that is not one truth value a unit.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> visible = jnp.array([True, False])
        >>> stdpjax.learning.start_chains(stdpjax.random.key(0), jnp.ones((3, 2)), visible)[:, 0].tolist()
        [1.0, 1.0, 1.0]
    """
    key = _checks.key("key", key)
    visible = _checks.truths("visible", visible)
    values = _checks.finite("values", values)
    if values.ndim != 2 or values.shape[1] != visible.shape[0]:
        raise ValueError(f"values: expected the shape [sample, {visible.shape[0]}], got {values.shape}")
    return jnp.where(visible[None], values, jax.random.normal(key, values.shape, values.dtype))


def em_update(
    rate_fn: RateFunction,
    kernel: Kernel,
    visible: Bool[Array, "unit"],
    hyper: Any,
    *,
    clamps: Clamps = (),
    rule: EMRule = "exact",
    n_steps: int = 1,
    n_burn_in: int = 0,
    bandwidth: float | None = None,
) -> Update:
    """Return the update function of patient or impatient EM.

    Args:
        rate_fn: the rate function rho.
        kernel: the sampler, from `stdpjax.dynamics`; one that does not sample exp(-E/T) learns something else.
        visible: which units the data clamps, shape `[unit]`.
        hyper: the sampler's numbers, with a step, and a temperature if it is not 1.
        clamps: of the sampler, beside those of the data.
        rule: "literal", Eq 1 on all rows, so clamped units learn nothing; "delta", the delta rule
            (x - R_x) rho'(x) rho(s_j) on their rows and Eq 1 on the others; "dropped", the gradient of score matching
            on the visible units without its second derivative; "exact", with it.
        n_steps: steps of the chains whose updates are averaged; 1 for impatient EM.
        n_burn_in: steps before them, for patient EM.
        bandwidth: of the kernel estimate of the density at the kinks, 0.1 by default, for "exact" with a rate
            function that has any; to be left out elsewhere.

    Returns:
        `update(key, params, batch, chains) -> (delta, metrics, chains)` with `batch` a `Clamped`; `delta` is to be
        added, of tied weights; metrics: `objective`, |d_x E|^2 / 2 summed over visible units. All is computed in the
        floating-point type of the weights; the chains keep theirs.

    Raises:
        ValueError: no rate function or kernel, numbers that are not the kernel's, `visible` that is not one truth
            value a unit, unknown rule, or a number out of range; from `update`: no key, parameters that are no network,
            a batch that is no `Clamped`, values or chains that are not finite or of other units, or rows outside of
            the chains where they are known.

    Source: Bengio et al. 2015, section 6.3; corrections: Eq 23 and 24.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax import dynamics, learning
        >>> rho, visible = stdpjax.rates.hard_sigmoid(), jnp.array([True, False])
        >>> sampler = dynamics.Langevin(rho)
        >>> update = learning.em_update(rho, sampler, visible, sampler.Hyper(step=0.1))
        >>> params, values = stdpjax.energy.make_params([[0.0, 0.5], [0.5, 0.0]]), jnp.zeros((4, 2))
        >>> chains = learning.start_chains(stdpjax.random.key(0), values, visible)
        >>> batch = learning.Clamped(values, jnp.arange(4))
        >>> delta, metrics, chains = update(stdpjax.random.key(1), params, batch, chains)
        >>> delta.weights.shape, chains.shape
        ((2, 2), (4, 2))
    """
    check_rate_fn(rate_fn)
    check_kernel(kernel)
    visible = _checks.truths("visible", visible)
    hyper, clamps = kernel.check_hyper(hyper), check_clamps(clamps, visible.shape[0], float)
    _checks.choice("rule", rule, EM_RULES)
    _checks.count("n_steps", n_steps)
    _checks.count("n_burn_in", n_burn_in, minimum=0)
    if bandwidth is not None and (rule != "exact" or rate_fn.kinks is None):
        raise ValueError(
            "bandwidth: expected it to be left out but for the rule 'exact' with a rate function that has kinks, as it "
            f"has no effect elsewhere, got {bandwidth!r:.60}"
        )
    width = 0.1 if bandwidth is None else _checks.number("bandwidth", bandwidth, above=0)

    def update(key, params, batch, chains):
        key = _checks.key("key", key)
        check_params(params)
        chains = _check_batch(batch, chains, visible.shape[0])
        dtype = params.weights.dtype
        values = jnp.asarray(batch.values, dtype)
        keys = jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(values.shape[0], dtype=jnp.uint32))

        def one_step(keys, state, value):
            held = (*clamps, StateClamp(visible, value))
            return advance(keys, params, kernel, hyper, state=hold_state(state, held), clamps=held)[0]

        def advance_all(states, number):
            step_keys = jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, number)
            return jax.vmap(one_step)(step_keys, states, values)

        def measured(carry, number):
            states, total = carry
            moved = advance_all(states, number)
            delta = _delta(params, states, moved, rate_fn, visible, rule, hyper, width)
            return (moved, jax.tree.map(jnp.add, total, delta)), None

        numbers = jnp.arange(n_burn_in + n_steps, dtype=jnp.uint32)
        states = jnp.where(visible[None], values, chains[batch.chain].astype(dtype))
        states, _ = jax.lax.scan(
            lambda states, number: (advance_all(states, number), None), states, numbers[:n_burn_in]
        )
        nothing = jax.tree.map(jnp.zeros_like, params)
        (states, total), _ = jax.lax.scan(measured, (states, nothing), numbers[n_burn_in:])
        delta = jax.tree.map(lambda leaf: leaf / n_steps, total)
        objective = score_matching(params, states, rate_fn, "dropped", visible=visible)
        return delta, {"objective": objective}, chains.at[batch.chain].set(states.astype(chains.dtype))

    return update


def _check_batch(batch: Clamped, chains: Float[Array, "chain unit"], n_units: int) -> Float[Array, "chain unit"]:
    """Return the chains as an array."""
    _checks.instance("batch", batch, Clamped, "a stdpjax.learning.Clamped")
    chains = _checks.finite("chains", chains)
    for name, array in (("values", _checks.finite("values", batch.values)), ("chains", chains)):
        if np.ndim(array) != 2 or np.shape(array)[1] != n_units:
            raise ValueError(f"{name}: expected rows of {n_units} units, got shape {np.shape(array)}")
    rows = _checks.as_array("chain", batch.chain)
    if rows.dtype.kind not in "iu" or rows.shape != batch.values.shape[:1]:
        raise ValueError(
            f"chain: expected a row of the chains for each of {batch.values.shape[0]} samples, got dtype {rows.dtype} "
            f"and shape {rows.shape}"
        )
    if rows.size and _checks.is_concrete(rows):
        known = np.asarray(rows)
        if known.min() < 0 or known.max() >= chains.shape[0]:
            raise ValueError(
                f"chain: expected rows from 0 to {chains.shape[0] - 1}, got {known.min()} to {known.max()}"
            )
    return chains


def _delta(
    params: Params,
    states: Float[Array, "sample unit"],
    moved: Float[Array, "sample unit"],
    rate_fn: RateFunction,
    visible: Bool[Array, "unit"],
    rule: EMRule,
    hyper: Any,
    bandwidth: float,
) -> Params:
    """The update that one step of the chains gives, with the clamped data in the chains' visible units."""
    if rule in ("literal", "delta"):
        changes = moved - states
        if rule == "delta":
            slopes = rate_fn.slope(states)
            towards = slopes * (jax.vmap(partial(field_of, params))(rate_fn.value(states)))
            changes = jnp.where(
                visible[None], jnp.asarray(hyper.step, slopes.dtype) * slopes * (states - towards), changes
            )
        return Params(movement_update(changes, rate_fn.value(states)), jnp.mean(changes, axis=0))
    density, temperature = None, getattr(hyper, "temperature", 1.0)
    if rule == "exact" and rate_fn.kinks is not None:
        density = kernel_density_at_kinks(states, rate_fn, bandwidth)

    def objective(params):
        # The tied matrix enters twice, as its lower and as its upper half.
        weights = 0.5 * (params.weights + params.weights.T)
        tied = params._replace(weights=weights - jnp.diag(jnp.diagonal(weights)))
        chosen = {"visible": visible, "kink_density": density, "temperature": temperature}
        return score_matching(tied, states, rate_fn, rule, **chosen)

    slope = jax.grad(objective)(params)
    # By one number for each pair: the derivatives by W_ij and W_ji add up.
    return Params(-(slope.weights + slope.weights.T), -slope.bias)
