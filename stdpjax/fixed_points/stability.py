"""Linear stability of a fixed point (section 7)."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Int

from stdpjax import _checks
from stdpjax.clamps import Clamps, InputClamp, SoftClamp, StateClamp, check_clamps, hold_state
from stdpjax.energy import Params, check_network, target_jacobian
from stdpjax.rates import RateFunction


class Stability(NamedTuple):
    """Linear stability of a fixed point under s + step (R(s) - s), of the units whose state is not clamped."""

    eigenvalues: Complex[Array, "free"]
    """Of R'(s). In continuous time the fixed point is stable if all real parts are below 1."""
    multipliers: Complex[Array, "free"]
    """1 - step + step * eigenvalue: what one step does to a deviation along the eigenvector."""
    spectral_radius: Float[Array, ""]
    """Largest absolute multiplier."""
    stable: Bool[Array, ""]
    """Whether the spectral radius is below 1."""
    determinant: Float[Array, ""]
    """Of R'(s): what the paper's criterion looks at, and what does not decide."""


def spectral_stability(
    params: Params,
    state: Float[Array, "unit"],
    rate_fn: RateFunction,
    step: float | Array,
    clamps: Clamps = (),
    *,
    is_free: Bool[Array, "unit"] | None = None,
) -> Stability:
    """Return eigenvalues and stability of an interior fixed point.

    Args:
        params: weights `[post, pre]`, tied or not, and biases.
        state: the fixed point, shape `[unit]`; not checked to be one. At a kink the written-out slope, 1, counts, while
            the kink itself holds the unit: the result then speaks of motion into the box only.
        rate_fn: the rate function rho.
        step: step size epsilon, in (0, 1].
        clamps: those of the relaxation, see `stdpjax.clamps`. Units whose state is clamped do not move and are left
            out, so their masks must be known before tracing; units whose input is clamped relax to it by themselves
            and have an eigenvalue of 0; a soft clamp takes its strength off its units' diagonal of R'.
        is_free: which units answer to the others, all by default; may be traced. One that does not, as a unit that a
            kink holds, has an eigenvalue of 0 and is no part of any other mode.

    Returns:
        The stability: stable if and only if all |1 - step + step * eigenvalue| < 1. There are as many eigenvalues as
        free units, those whose state is not clamped: of the block of R' that belongs to them. On a TPU, which cannot
        compute them where R' is not symmetric, the host does.

    Raises:
        ValueError: as in `stdpjax.energy.target`, a step out of range, clamps of other units or traced masks, or other
            than one truth value for each unit.

    Source: Bengio et al. 2015, section 7, whose criterion (determinant of R' below 1) is wrong.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> weights = 0.7 * (jnp.ones((3, 3)) - jnp.eye(3))
        >>> params = stdpjax.energy.make_params(weights, [-0.7, -0.7, -0.7])
        >>> rho, held = stdpjax.rates.hard_sigmoid(), stdpjax.clamps.clamp_state([True, False, False], 0.0)
        >>> result = stdpjax.fixed_points.spectral_stability(params, jnp.zeros(3), rho, step=0.1)
        >>> bool(result.stable), round(float(result.determinant), 3)
        (False, 0.686)
        >>> result = stdpjax.fixed_points.spectral_stability(params, jnp.zeros(3), rho, 0.1, (held,))
        >>> bool(result.stable), result.eigenvalues.shape
        (True, (2,))
    """
    state = check_network(params, state, rate_fn).astype(params.weights.dtype)
    clamps = check_clamps(clamps, state.shape[0], state.dtype)
    step = jnp.asarray(_checks.number("step", step, above=0, at_most=1), state.dtype)
    answers = None if is_free is None else _checks.truths("is_free", is_free, state.shape[0])
    moves = np.ones(state.shape, bool)
    for clamp in clamps:
        if isinstance(clamp, StateClamp):
            if not _checks.is_concrete(clamp.mask):
                raise ValueError("clamps: expected state clamps whose masks are known before tracing, got traced ones")
            moves &= ~np.asarray(clamp.mask)
    (free,) = np.nonzero(moves)
    return _spectral_stability(params, state, clamps, answers, free, step, rate_fn)


@partial(jax.jit, static_argnames="rate_fn")
def _spectral_stability(
    params: Params,
    state: Float[Array, "unit"],
    clamps: Clamps,
    answers: Bool[Array, "unit"] | None,
    free: Int[Array | np.ndarray, "free"],
    step: Float[Array, ""],
    rate_fn: RateFunction,
) -> Stability:
    jacobian = target_jacobian(params, hold_state(state, clamps), rate_fn)
    if answers is not None:
        jacobian = jnp.where(answers[:, None] & answers[None, :], jacobian, 0.0)
    for clamp in clamps:
        if isinstance(clamp, InputClamp):
            jacobian = jnp.where(clamp.mask[:, None], 0.0, jacobian)
        elif isinstance(clamp, SoftClamp):
            jacobian = jacobian - jnp.diag(jnp.where(clamp.mask, clamp.strength, 0.0))
    jacobian = jacobian[free[:, None], free[None, :]]
    eigenvalues = jax.lax.platform_dependent(jacobian, tpu=_eigenvalues_on_host, default=jnp.linalg.eigvals)
    multipliers, radius = _multipliers(eigenvalues, step)
    return Stability(eigenvalues, multipliers, radius, radius < 1, jnp.linalg.det(jacobian))


@jax.custom_jvp
def _eigenvalues_on_host(matrix: Float[Array, "free free"]) -> Complex[Array, "free"]:
    return _decomposed_on_host(matrix)[0]


@_eigenvalues_on_host.defjvp
def _(primals, tangents):
    eigenvalues, eigenvectors = _decomposed_on_host(*primals)
    turned = jnp.linalg.solve(eigenvectors, tangents[0].astype(eigenvectors.dtype) @ eigenvectors)
    return eigenvalues, jnp.diagonal(turned)


def _decomposed_on_host(matrix: Float[Array, "free free"]) -> tuple[Array, Array]:
    kind = jnp.complex128 if matrix.dtype == jnp.float64 else jnp.complex64
    shapes = (jax.ShapeDtypeStruct(matrix.shape[:1], kind), jax.ShapeDtypeStruct(matrix.shape, kind))

    def decompose(matrix: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(np.asarray(part, kind) for part in np.linalg.eig(np.asarray(matrix)))

    return jax.pure_callback(decompose, shapes, matrix, vmap_method="broadcast_all")


def _multipliers(
    eigenvalues: Complex[Array, "*fixed free"], step: Float[Array, ""]
) -> tuple[Complex[Array, "*fixed free"], Float[Array, "*fixed"]]:
    """Return what a step does to each deviation, and the largest absolute one."""
    multipliers = (1 - step).astype(eigenvalues.dtype) + step.astype(eigenvalues.dtype) * eigenvalues
    return multipliers, jnp.max(jnp.abs(multipliers), axis=-1, initial=0)


def relaxation_time(stability: Stability, step: float | Array) -> Float[Array, ""]:
    """Return the time constant of the slowest mode, in units of tau.

    Args:
        stability: from `spectral_stability`, of which the eigenvalues are read.
        step: step size, in (0, 1], that of the stability or another.

    Returns:
        `-step / log(radius)` with the spectral radius that this step has, for small steps 1 / (1 - largest
        eigenvalue); infinite if not stable, 0 where all units are clamped.

    Raises:
        ValueError: no stability, or a step out of range.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> params = stdpjax.energy.make_params([[0.0, 0.5], [0.5, 0.0]])
        >>> stability = stdpjax.fixed_points.spectral_stability(
        ...     params, jnp.zeros(2), stdpjax.rates.hard_sigmoid(), step=0.001)
        >>> round(float(stdpjax.fixed_points.relaxation_time(stability, 0.001)), 2)
        2.0
    """
    found = _checks.instance("stability", stability, Stability, "a result of `spectral_stability`")
    step = jnp.asarray(_checks.number("step", step, above=0, at_most=1), found.spectral_radius.dtype)
    _, radius = _multipliers(found.eigenvalues, step)
    return jnp.where(radius < 1, -step / jnp.log(radius), jnp.inf)
