"""The objectives behind the rule: prediction of the next state, its parts, and score matching (Eq 3-5, 9-11, 19-24).

The numbers J are one thing, their gradients another: Eq 1 is minus the gradient of the predictive objective only if
the target, the next state, is held fixed. `target` says what is held.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient
from jax.scipy.special import log_ndtr, logsumexp
from jaxtyping import Array, Bool, Float

from stdpjax import _checks
from stdpjax.clamps import Clamps
from stdpjax.dynamics import transition
from stdpjax.energy import Params, check_network, check_params, check_state, field_of, target_of
from stdpjax.rates import RateFunction, check_rate_fn, curvature

GradientTarget = Literal["stop", "free", "predictor_stop"]
Correction = Literal["exact", "dropped", "printed"]
EnergyFunction = Callable[[Params, Float[Array, "unit"]], Float[Array, ""]]


def stdp_objective(
    params: Params,
    state: Float[Array, "unit"],
    noise: Float[Array, "two unit"],
    rate_fn: RateFunction,
    step: float | Array,
    target: GradientTarget = "stop",
) -> Float[Array, ""]:
    """Return J_STDP, half the squared error of predicting the state after two steps from the state before them.

    The prediction f(s, eta) of the first step is compared with the state f(f(s, eta), eta') after the second.

    Args:
        params: weights `[post, pre]` and biases `[unit]`.
        state: s before the two steps, shape `[unit]`.
        noise: eta of the first and of the second step, shape `[2, unit]`; 0 for none.
        rate_fn: the rate function rho.
        step: step size epsilon, in (0, 1].
        target: what derivatives hold fixed, the value being the same: "stop", the target, which gives Eq 5 (its
            negative gradient is Eq 1 times `step * rho'`); "predictor_stop", the prediction (Eq 9 to 11, whose
            descent is the opposite of Eq 1); "free", nothing, the true gradient.

    Returns:
        J, a scalar.

    Raises:
        ValueError: unknown target, step out of range, or shapes that do not fit.

    Source: Bengio et al. 2015, Eq 3.

    Example:
        >>> import jax, jax.numpy as jnp, stdpjax
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> state, noise, rho = jnp.array([0.0, 0.25]), jnp.zeros((2, 2)), stdpjax.rates.hard_sigmoid()
        >>> def slope(target):
        ...     return jax.grad(stdpjax.objectives.stdp_objective)(params, state, noise, rho, 0.5, target).weights[0, 1]
        >>> float(slope("stop")) < 0 < float(slope("free"))
        True
    """
    _checks.choice("target", target, get_args(GradientTarget))
    state, noise = check_network(params, state, rate_fn), _checks.finite("noise", noise)
    if noise.shape != (2, *state.shape):
        raise ValueError(f"noise: expected shape {(2, *state.shape)}, for two steps, got {noise.shape}")
    prediction = transition(params, state, noise[0], rate_fn, step)
    if target == "predictor_stop":
        prediction = stop_gradient(prediction)
    reached = transition(params, prediction, noise[1], rate_fn, step)
    if target == "stop":
        reached = stop_gradient(reached)
    return 0.5 * jnp.sum((prediction - reached) ** 2)


def prediction_error(
    params: Params,
    state: Float[Array, "unit"],
    noise: Float[Array, "unit"],
    goal: Float[Array, "unit"],
    rate_fn: RateFunction,
    step: float | Array,
    mask: Bool[Array, "unit"] | None = None,
    clamps: Clamps = (),
) -> Float[Array, ""]:
    """Return half the squared error of f(s, eta) against a given next state, over some units: J_x or J_h.

    With the clamped units in the mask and their values as goal it is J_x of Eq 19, with the hidden units and their
    next state J_h. The goal is a constant to derivatives unless the caller makes it depend on the parameters.

    Args:
        params: weights `[post, pre]` and biases `[unit]`.
        state: s before the step, shape `[unit]`.
        noise: eta, shape `[unit]`.
        goal: what is predicted, shape `[unit]`; read at the units of the mask.
        rate_fn: the rate function rho.
        step: step size epsilon, in (0, 1].
        mask: over which units, shape `[unit]`; None for all.
        clamps: of the prediction itself; without them the clamped units predict their own value freely.

    Returns:
        A scalar; the parts of a partition of the units add up to the whole.

    Raises:
        ValueError: step out of range or shapes that do not fit.

    Source: Bengio et al. 2015, Eq 19; with J_x approximately step^2 / 2 |grad_x E|^2, Eq 22.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> state, rho = jnp.array([0.0, 0.25]), stdpjax.rates.hard_sigmoid()
        >>> visible = jnp.array([True, False])
        >>> j_x = stdpjax.objectives.prediction_error(params, state, jnp.zeros(2), state, rho, 0.5, visible)
        >>> float(j_x), float(0.5 * (0.5 * stdpjax.energy.gradient(params, state, rho)[0]) ** 2)
        (0.0703125, 0.0703125)
    """
    state = check_network(params, state, rate_fn)
    noise, goal = _checks.finite("noise", noise), _checks.finite("goal", goal)
    for name, array in (("noise", noise), ("goal", goal)):
        _checks.same_shape("state", state, name, array)
    error = transition(params, state, noise, rate_fn, step, clamps) - goal.astype(params.weights.dtype)
    if mask is not None:
        mask = _checks.truths("mask", mask, state.shape[0])
        error = jnp.where(mask, error, 0.0)
    return 0.5 * jnp.sum(error**2)


class WeightCondition(NamedTuple):
    """How well the target of unit i changes by `coefficient[i] * rho(s_j)` with the weight of the pair i, j."""

    coefficient: Float[Array, "unit"]
    """The factor of each row that fits best."""
    residual: Float[Array, ""]
    """What no factor explains within the rows, relative to the norm of the derivative."""
    other_rows: Float[Array, ""]
    """Norm of the derivatives of the targets of other units, relative to the same; a tied weight has two rows."""


def condition_1(
    energy_fn: EnergyFunction, params: Params, state: Float[Array, "unit"], rate_fn: RateFunction, step: float | Array
) -> WeightCondition:
    """Return how far d f_i / d W_ij is proportional to rho(s_j), for the dynamics of any energy (condition 1, Eq 4).

    An energy has one weight for each pair, W_ij = W_ji, and the derivative is with respect to that.

    Args:
        energy_fn: `energy_fn(params, state) -> scalar`; f(s) = s - step * gradient.
        params: what the energy takes; the derivative is with respect to `weights`.
        state: where, shape `[unit]`, away from kinks; of a noisy step the noisy state.
        rate_fn: the rate function that the condition speaks of.
        step: step size epsilon, in (0, 1].

    Returns:
        Coefficients (step * rho'(s_i) for the energy of Eq 16) and residuals.

    Raises:
        ValueError: no energy function that gives one real number, step out of range, and as in
            `stdpjax.energy.target`.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> rho = stdpjax.rates.hard_sigmoid()
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> def network(params, state):
        ...     return stdpjax.energy.energy(params, state, rho)
        >>> found = stdpjax.objectives.condition_1(network, params, jnp.array([0.25, 1.0]), rho, 0.5)
        >>> found.coefficient.tolist(), float(found.residual)
        ([0.5, 0.0], 0.0)
    """
    step = _checks.number("step", step, above=0, at_most=1)
    found = condition_2(energy_fn, params, state, rate_fn)
    return found._replace(coefficient=jnp.asarray(step, found.coefficient.dtype) * found.coefficient)


def condition_2(
    energy_fn: EnergyFunction, params: Params, state: Float[Array, "unit"], rate_fn: RateFunction
) -> WeightCondition:
    """Return how far d R_i / d W_ij is proportional to rho(s_j), with R = s - gradient (condition 2, Eq 8).

    Arguments and result as in `condition_1`, without the step.

    Raises:
        ValueError: no energy function that gives one real number, and as in `stdpjax.energy.target`.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> rho = stdpjax.rates.sigmoid()
        >>> params = stdpjax.energy.make_params(jnp.ones((3, 3)) - jnp.eye(3))
        >>> def without_rates(params, state):
        ...     return 0.5 * state @ (state - params.weights @ state)
        >>> bad = stdpjax.objectives.condition_2(without_rates, params, jnp.array([0.25, 0.5, 0.0]), rho)
        >>> float(bad.residual) > 0.1
        True
    """
    state = check_network(params, state, rate_fn).astype(params.weights.dtype)
    _check_energy(energy_fn, params, state)

    def drive(weights: Float[Array, "post pre"]) -> Float[Array, "unit"]:
        return state - jax.grad(energy_fn, argnums=1)(params._replace(weights=weights), state)

    derivative = jax.jacobian(drive)(params.weights)  # [k, i, j]: target of k by weight from j to i
    derivative = derivative + jnp.swapaxes(derivative, 1, 2)  # tied: the weights of a pair are one number
    n_units = state.shape[0]
    own = jnp.arange(n_units)
    off_diagonal = 1.0 - jnp.eye(n_units, dtype=derivative.dtype)
    derivative = derivative * off_diagonal[None]  # no unit has a weight to itself
    rows, rates = derivative[own, own], rate_fn.value(state)[None, :] * off_diagonal
    coefficient = _ratio(jnp.sum(rows * rates, axis=1), jnp.sum(rates * rates, axis=1))
    whole = jnp.sqrt(jnp.sum(derivative**2))
    unexplained = jnp.sqrt(jnp.sum((rows - coefficient[:, None] * rates) ** 2))
    others = derivative.at[own, own].set(0.0)
    return WeightCondition(coefficient, _ratio(unexplained, whole), _ratio(jnp.sqrt(jnp.sum(others**2)), whole))


def condition_3(energy_fn: EnergyFunction, params: Params, state: Float[Array, "unit"]) -> Params:
    """Return the largest |d^3 E / d s_i^2 d theta| over units i, for each parameter (condition 3, Eq 24).

    As in `condition_1`, the weights of a pair are one parameter.

    Zero is what lets score matching drop its second derivative. For the hard sigmoid it is zero at almost every
    state, and not zero as a distribution: the jumps at the kinks, which no derivative at a point sees, carry the term.

    Args:
        energy_fn: `energy_fn(params, state) -> scalar`, three times differentiable at the state.
        params: what the energy takes.
        state: where, shape `[unit]`.

    Returns:
        The same tree as `params`.

    Raises:
        ValueError: no energy function that gives one real number, parameters that are no network, or a state that is
            not finite or of another shape.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> def network(rho):
        ...     return lambda params, state: stdpjax.energy.energy(params, state, rho)
        >>> state = jnp.array([0.25, 0.125])
        >>> hard = stdpjax.objectives.condition_3(network(stdpjax.rates.hard_sigmoid()), params, state)
        >>> smooth = stdpjax.objectives.condition_3(network(stdpjax.rates.sigmoid()), params, state)
        >>> float(jnp.max(hard.weights)), float(jnp.max(smooth.weights)) > 0.1
        (0.0, True)
    """
    state = check_state(params, state).astype(params.weights.dtype)
    _check_energy(energy_fn, params, state)

    def curvatures(params: Params) -> Float[Array, "unit"]:
        return jnp.diagonal(jax.hessian(energy_fn, argnums=1)(params, state))

    derivative = jax.jacobian(curvatures)(params)
    # Tied: the weights of a pair are one number.
    derivative = derivative._replace(weights=derivative.weights + jnp.swapaxes(derivative.weights, 1, 2))
    largest = jax.tree.map(lambda leaf: jnp.max(jnp.abs(leaf), axis=0), derivative)
    # There are no weights on the diagonal to differentiate by.
    off_diagonal = 1.0 - jnp.eye(state.shape[0], dtype=largest.weights.dtype)
    return largest._replace(weights=largest.weights * off_diagonal)


def score_matching(
    params: Params,
    states: Float[Array, "sample unit"],
    rate_fn: RateFunction,
    correction: Correction = "exact",
    *,
    visible: Bool[Array, "unit"] | None = None,
    sample_weights: Float[Array, "sample"] | None = None,
    kink_density: Float[Array, "sample unit two"] | None = None,
    temperature: float | Array = 1.0,
) -> Float[Array, ""]:
    """Return the score-matching objective of data under the model exp(-E/T), up to a constant of the data.

        J_SM = mean over data of sum over visible i of [ |d_i E|^2 / (2 T) - d_i^2 E ]

    The second derivative is 1 - rho''(s_i) u_i. For the hard sigmoid rho'' is a jump at each kink, which contributes
    u_i times the density of the data at the lower kink minus that at the upper one.

    Args:
        params: tied weights and biases.
        states: data, with hidden units filled in, shape `[sample, unit]`.
        rate_fn: the rate function rho.
        correction: "exact" keeps the second derivative, kinks included; "dropped" ignores it, as the paper does;
            "printed" adds it with the printed sign of Eq 23, for comparison.
        visible: which units the sum runs over, shape `[unit]`; None for all.
        sample_weights: weight of each sample, as of quadrature, shape `[sample]`; they should sum to 1. None for
            equal weights.
        kink_density: for a rate function with kinks unless the correction is "dropped", else None: density of s_i at
            the lower and at the upper kink given the rest of the sample, under the law of the data, shape
            `[sample, unit, 2]`, 0 for data that keep away from kinks. `conditional_density` gives that of a model,
            `kernel_density_at_kinks` estimates it from samples.
        temperature: T, above 0.

    Returns:
        The objective, a scalar, differentiable in `params`.

    Raises:
        ValueError: unknown correction, a kink density that is missing or that nothing reads, temperature out of range,
            or shapes that do not fit.

    Source: Bengio et al. 2015, Eq 23 and 24, with the sign of the second derivative corrected.

    Example:
        >>> import jax, jax.numpy as jnp, stdpjax
        >>> params = stdpjax.energy.make_params([[0.0]], [0.5])
        >>> rho = stdpjax.rates.sigmoid()
        >>> states = jax.random.normal(stdpjax.random.key(0), (1000, 1))
        >>> with_it = stdpjax.objectives.score_matching(params, states, rho)
        >>> without = stdpjax.objectives.score_matching(params, states, rho, "dropped")
        >>> bool(with_it != without)
        True
    """
    _checks.choice("correction", correction, get_args(Correction))
    temperature = _checks.number("temperature", temperature, above=0)
    states = _check_states(params, states, rate_fn)
    n_samples, n_units = states.shape
    if kink_density is not None:
        kink_density = _checks.finite("kink_density", kink_density).astype(states.dtype)
    if sample_weights is not None:
        sample_weights = _checks.finite("sample_weights", sample_weights).astype(states.dtype)
    reads_density = rate_fn.kinks is not None and correction != "dropped"
    if kink_density is None and reads_density:
        raise ValueError("kink_density: expected the data's density at the kinks of the rate function, got None")
    if kink_density is not None and not reads_density:
        why = "without a second derivative" if correction == "dropped" else "for a rate function without kinks"
        raise ValueError(f"kink_density: expected None {why}, got shape {kink_density.shape}")
    if kink_density is not None and kink_density.shape != (n_samples, n_units, 2):
        raise ValueError(f"kink_density: expected shape {(n_samples, n_units, 2)}, got {kink_density.shape}")
    visible = None if visible is None else _checks.truths("visible", visible, n_units)
    if sample_weights is not None and sample_weights.shape != (n_samples,):
        raise ValueError(f"sample_weights: expected {n_samples} weights, got shape {sample_weights.shape}")
    gradients = states - jax.vmap(lambda state: target_of(params, state, rate_fn))(states)
    terms = jnp.asarray(0.5 / temperature, states.dtype) * gradients**2
    if correction != "dropped":
        fields = jax.vmap(lambda state: field_of(params, rate_fn.value(state)))(states)
        second = 1 - curvature(rate_fn, states) * fields
        if kink_density is not None:
            second = second - fields * (kink_density[..., 0] - kink_density[..., 1])
        terms = terms - second if correction == "exact" else terms + second
    if visible is not None:
        terms = jnp.where(visible[None], terms, 0.0)
    by_sample = jnp.sum(terms, axis=1)
    return jnp.mean(by_sample) if sample_weights is None else jnp.sum(sample_weights * by_sample)


def conditional_density(
    params: Params,
    states: Float[Array, "sample unit"],
    at: Float[Array, "point"],
    rate_fn: RateFunction,
    temperature: float | Array = 1.0,
) -> Float[Array, "sample unit point"]:
    """Return the density of each unit at some values given the other units of a sample, under exp(-E/T).

    Only for rate functions with kinks, for which the three pieces integrate to normal distribution functions.

    Args:
        params: tied weights and biases.
        states: shape `[sample, unit]`.
        at: values of s_i, shape `[point]`; the kinks for `score_matching`.
        rate_fn: a rate function with kinks.
        temperature: T, above 0.

    Returns:
        Densities, shape `[sample, unit, point]`, per unit of activity.

    Raises:
        ValueError: a rate function without kinks, or a temperature out of range.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> params = stdpjax.energy.make_params([[0.0]])
        >>> rho = stdpjax.rates.hard_sigmoid()
        >>> density = stdpjax.objectives.conditional_density(params, jnp.zeros((1, 1)), jnp.array([0.0]), rho)
        >>> round(float(density[0, 0, 0] * jnp.sqrt(2 * jnp.pi)), 5)
        1.0
    """
    low, high = _kinks_of(rate_fn)
    states, at = _check_states(params, states, rate_fn), _checks.finite("at", at)
    temperature = jnp.asarray(_checks.number("temperature", temperature, above=0), states.dtype)
    at = at.astype(states.dtype)
    if at.ndim != 1:
        raise ValueError(f"at: expected shape [point], got {at.shape}")
    fields = jax.vmap(lambda state: field_of(params, rate_fn.value(state)))(states)
    std = jnp.sqrt(temperature)
    # Logarithms throughout, as exp(u / T) overflows at low temperatures. In the middle -E/T is a parabola about u:
    # -(s - u)^2 / 2T + (u^2 / 2 - u low) / T.
    below = jnp.broadcast_to(log_ndtr(low / std), fields.shape)
    above = fields / temperature + log_ndtr(-high / std)
    between = (0.5 * fields**2 - fields * low) / temperature
    between = between + _log_normal_mass((low - fields) / std, (high - fields) / std)
    total = logsumexp(jnp.stack([below, between, above]), axis=0) + jnp.log(std * jnp.sqrt(2 * jnp.pi))
    exponent = (fields[..., None] * rate_fn.value(at)[None, None] - 0.5 * at[None, None] ** 2) / temperature
    return jnp.exp(exponent - total[..., None])


def kernel_density_at_kinks(
    states: Float[Array, "sample unit"], rate_fn: RateFunction, bandwidth: float | Array
) -> Float[Array, "sample unit two"]:
    """Return a Gaussian kernel's estimate, for `score_matching`, of the data's density at the kinks.

    Each sample stands for itself: averaged with any function of the other units, the kernel at s_i - kink estimates
    that function times the density. It equals smoothing the slope of the rate function by the kernel. Its bias goes as
    the square of the bandwidth for a smooth density, and as the bandwidth for the model's own: the slope of exp(-E/T)
    jumps at the kinks. Twice the estimate less that of double the bandwidth is free of the first order.

    Args:
        states: data, shape `[sample, unit]`.
        rate_fn: a rate function with kinks.
        bandwidth: standard deviation of the kernel, above 0.

    Returns:
        Shape `[sample, unit, 2]`, lower and upper kink.

    Raises:
        ValueError: a rate function without kinks, or a bandwidth that is not above 0.

    Example:
        >>> import jax, stdpjax
        >>> states = jax.random.normal(stdpjax.random.key(0), (100_000, 1))
        >>> rho = stdpjax.rates.hard_sigmoid()
        >>> estimate = stdpjax.objectives.kernel_density_at_kinks(states, rho, 0.05).mean((0, 1))
        >>> bool(abs(estimate[0] / jax.scipy.stats.norm.pdf(0.5) - 1) < 0.05)
        True
    """
    kinks = _kinks_of(rate_fn)
    bandwidth, states = _checks.number("bandwidth", bandwidth, above=0), _checks.finite("states", states)
    if states.ndim != 2:
        raise ValueError(f"states: expected shape [sample, unit], got {states.shape}")
    kinks, bandwidth = jnp.asarray(kinks, states.dtype)[None, None], jnp.asarray(bandwidth, states.dtype)
    return jax.scipy.stats.norm.pdf((states[..., None] - kinks) / bandwidth) / bandwidth


def _check_energy(energy_fn: EnergyFunction, params: Params, state: Float[Array, "unit"]) -> None:
    """Refuse what is no function of parameters and state that gives one real number."""
    _checks.function("energy_fn", energy_fn, "params, state")
    made = jax.eval_shape(energy_fn, params, state)
    if getattr(made, "shape", None) != () or not jnp.issubdtype(made.dtype, jnp.floating):
        raise ValueError(f"energy_fn: expected a function that gives one real number, got {made}")


def _kinks_of(rate_fn: RateFunction) -> tuple[float, float]:
    check_rate_fn(rate_fn)
    if rate_fn.kinks is None:
        raise ValueError("rate_fn: expected a rate function with kinks, got one without")
    return rate_fn.kinks


def _check_states(
    params: Params, states: Float[Array, "sample unit"], rate_fn: RateFunction
) -> Float[Array, "sample unit"]:
    check_params(params, tied=True)
    check_rate_fn(rate_fn)
    n_units = params.bias.shape[0]
    states = _checks.finite("states", states)
    if states.ndim != 2 or states.shape[1] != n_units:
        raise ValueError(f"states: expected shape [sample, unit] with {n_units} units, got {states.shape}")
    return states.astype(params.weights.dtype)


def _log_normal_mass(low: Float[Array, "..."], high: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return the logarithm of the standard normal probability between two numbers, `low` below `high`."""
    # Mirrored into the lower tail, where the difference of two probabilities loses no digits.
    low, high = jnp.where(low > 0, -high, low), jnp.where(low > 0, -low, high)
    log_high = log_ndtr(high)
    return log_high + jnp.log1p(-jnp.exp(log_ndtr(low) - log_high))


def _ratio(part: Float[Array, "..."], whole: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return part / whole, 0 where there is no whole."""
    return jnp.where(whole > 0, part / jnp.where(whole > 0, whole, 1.0), 0.0)
