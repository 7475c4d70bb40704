"""Score matching, with the densities at the kinks that it asks for (Eq 23 and 24)."""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax.scipy.special import log_ndtr, logsumexp
from jaxtyping import Array, Bool, Float

from stdpjax import _checks
from stdpjax.energy import Params, check_params, field_of, target_of
from stdpjax.rates import RateFunction, check_rate_fn, curvature

Correction = Literal["exact", "dropped", "printed"]


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
