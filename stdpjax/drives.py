"""Drives: the externally prescribed activity over time, one sequence at a time (section 5.1).

The paper says "random variations" and leaves the process open. Every random drive here is stationary with mean 0
and variance 1; `bounded_voltage` then keeps it inside the active region of the rate function. `vmap` over keys
gives many sequences. `DRIVES` names those that share the signature `(key, n_steps, width)`.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from stdpjax import _checks
from stdpjax._checks import ArrayLike

# Beyond four standard deviations a Gaussian filter has weights under 4e-4 of its peak.
_FILTER_STDS = 4
# A time scale: a number, or a traced one under `jit` and `vmap`.
Width = float | Float[Array, ""]


def smooth_noise(
    key: Key[Array, ""], n_steps: int, width: Width = 10.0, *, support: int | None = None
) -> Float[Array, "time"]:
    """Return white noise filtered with a Gaussian: a differentiable process with one time scale.

    Args:
        key: a scalar key.
        n_steps: length, at least 1 bin.
        width: standard deviation of the filter in bins, above 0. The autocorrelation is exp(-lag^2 / (4 width^2)).
        support: bins that the filter reaches to either side, at least 1; by default four widths. The number of bins
            is part of the compiled program, so a traced width needs it given: four times the largest width, or more.
            With it the noise is laid out from the first bin of the record, so that a wider support leaves the drive
            as it is, up to rounding; without it the same key gives another drive of the same law. A support
            of less than four widths cuts the filter off.

    Returns:
        The drive, shape `[time]`, mean 0 and variance 1.

    Raises:
        ValueError: no key, the length or the support is below 1, the width is not above 0, or it is traced and the
            support is not given.

    Example:
        >>> import jax, stdpjax
        >>> keys = stdpjax.random.member_keys(stdpjax.random.key(0), 500)
        >>> drive = jax.vmap(lambda key: stdpjax.drives.smooth_noise(key, 160))(keys)
        >>> drive.shape
        (500, 160)
    """
    key, n_steps, width = _checked(key, n_steps, width)
    if support is not None:
        return _smooth_noise(key, n_steps, width, _checks.count("support", support))
    if not _checks.is_concrete(width):
        raise ValueError(
            "support: expected the number of bins that the filter reaches, as the width is traced, got None"
        )
    half_length = math.ceil(_FILTER_STDS * width)
    offsets = np.arange(-half_length, half_length + 1)
    weights = np.exp(-(offsets**2) / (2 * width**2))
    weights = jnp.asarray(weights / np.sqrt(np.sum(weights**2)), dtype=float)
    noise = jax.random.normal(key, (n_steps + 2 * half_length,), dtype=float)
    return jnp.convolve(noise, weights, mode="valid")


def _smooth_noise(key: Key[Array, ""], n_steps: int, width: Width, support: int) -> Float[Array, "time"]:
    before_key, key = jax.random.split(key)
    # Bins from the first of the record on, and those before it, counted backwards: neither depends on the support.
    onward = jax.random.normal(key, (n_steps + support,), dtype=float)
    before = jax.random.normal(before_key, (support,), dtype=float)
    offsets = jnp.arange(-support, support + 1, dtype=float)
    weights = jnp.exp(-(offsets**2) / (2 * width**2))
    weights = jnp.where(jnp.abs(offsets) <= jnp.ceil(_FILTER_STDS * width), weights, 0.0)
    weights = weights / jnp.sqrt(jnp.sum(weights**2))
    return jnp.convolve(jnp.concatenate([before[::-1], onward]), weights, mode="valid", precision="highest")


def ornstein_uhlenbeck(key: Key[Array, ""], n_steps: int, width: Width = 20.0) -> Float[Array, "time"]:
    """Return a discrete Ornstein-Uhlenbeck process: rough, its slope is white noise in the limit of small bins.

    Args:
        key: a scalar key.
        n_steps: length, at least 1 bin.
        width: correlation time in bins, above 0. The autocorrelation is exp(-|lag| / width).

    Returns:
        The drive, shape `[time]`, mean 0 and variance 1, stationary from the first bin.

    Raises:
        ValueError: no key, the length is below 1 or the width is not above 0.

    Example:
        >>> import stdpjax
        >>> stdpjax.drives.ornstein_uhlenbeck(stdpjax.random.key(0), 160).shape
        (160,)
    """
    key, n_steps, width = _checked(key, n_steps, width)
    exp, sqrt = _functions_for(width)
    decay = exp(-1 / width)
    kick = sqrt(1 - decay**2)
    noise = jax.random.normal(key, (n_steps,), dtype=float)

    def step(value: Float[Array, ""], draw: Float[Array, ""]) -> tuple[Float[Array, ""], Float[Array, ""]]:
        return decay * value + kick * draw, value

    # The first draw is the stationary start and therefore not scaled; the last value needs no further draw.
    _, path = jax.lax.scan(step, noise[0], jnp.roll(noise, -1))
    return path


def leaky_ornstein_uhlenbeck(key: Key[Array, ""], n_steps: int, width: Width = 20.0) -> Float[Array, "time"]:
    """Return an Ornstein-Uhlenbeck input after a leaky integrator of the same time constant.

    Args:
        key: a scalar key.
        n_steps: length, at least 1 bin.
        width: time constant of the input and of the integrator in bins, above 1.

    Returns:
        The drive, shape `[time]`, mean 0 and variance 1, stationary from the first bin.

    Raises:
        ValueError: no key, the length is below 1 or the width is not above 1.

    Example:
        >>> import stdpjax
        >>> stdpjax.drives.leaky_ornstein_uhlenbeck(stdpjax.random.key(0), 160).shape
        (160,)
    """
    key, n_steps, width = _checked(key, n_steps, width, narrowest=1.0)
    exp, sqrt = _functions_for(width)
    decay, keep = exp(-1 / width), 1 - 1 / width
    variance = (1 - keep) ** 2 * (1 + decay * keep) / ((1 - keep**2) * (1 - decay * keep))
    covariance = (1 - keep) * decay / (1 - decay * keep)
    input_key, start_key = jax.random.split(key)
    source = ornstein_uhlenbeck(input_key, n_steps, width)
    # Joint stationary law of input and integrator, so that no warm-up is needed.
    start = covariance * source[0] + sqrt(variance - covariance**2) * jax.random.normal(start_key, dtype=float)

    def step(value: Float[Array, ""], current: Float[Array, ""]) -> tuple[Float[Array, ""], Float[Array, ""]]:
        return keep * value + (1 - keep) * current, value

    _, path = jax.lax.scan(step, start, source)
    return path / sqrt(variance)


def sinusoids(key: Key[Array, ""], n_steps: int, width: Width = 20.0) -> Float[Array, "time"]:
    """Return a sum of six sinusoids with random phases and periods between 2 and 10 widths.

    Args:
        key: a scalar key.
        n_steps: length, at least 1 bin.
        width: time scale in bins, above 0; 20 gives periods from 40 to 200 bins.

    Returns:
        The drive, shape `[time]`; mean 0 and variance 1 over phases.

    Raises:
        ValueError: no key, the length is below 1 or the width is not above 0.

    Example:
        >>> import stdpjax
        >>> stdpjax.drives.sinusoids(stdpjax.random.key(0), 160).shape
        (160,)
    """
    key, n_steps, width = _checked(key, n_steps, width)
    n_components = 6
    period_key, phase_key = jax.random.split(key)
    periods = jax.random.uniform(period_key, (n_components, 1), dtype=float, minval=2 * width, maxval=10 * width)
    phases = jax.random.uniform(phase_key, (n_components, 1), dtype=float, maxval=2 * math.pi)
    time = jnp.arange(n_steps, dtype=float)[None, :]
    return math.sqrt(2 / n_components) * jnp.sum(jnp.sin(2 * math.pi * time / periods + phases), axis=0)


def ramp(n_steps: int, centre: float, slope: float) -> Float[Array, "time"]:
    """Return a linear ramp through `centre` in the middle of the record.

    Args:
        n_steps: length, at least 1 bin.
        centre: value in the middle (bin `(n_steps - 1) / 2`).
        slope: change per bin.

    Returns:
        The ramp, shape `[time]`.

    Raises:
        ValueError: the length is below 1, or another number is not finite.

    Example:
        >>> import stdpjax
        >>> stdpjax.drives.ramp(3, centre=0.5, slope=0.25).tolist()
        [0.25, 0.5, 0.75]
    """
    n_steps = _checks.count("n_steps", n_steps)
    _checks.number("centre", centre)
    _checks.number("slope", slope)
    return centre + slope * (jnp.arange(n_steps, dtype=float) - (n_steps - 1) / 2)


def constant(n_steps: int, level: float) -> Float[Array, "time"]:
    """Return a constant drive.

    Args:
        n_steps: length, at least 1 bin.
        level: the value.

    Returns:
        The drive, shape `[time]`.

    Raises:
        ValueError: the length is below 1, or another number is not finite.

    Example:
        >>> import stdpjax
        >>> stdpjax.drives.constant(2, 0.5).tolist()
        [0.5, 0.5]
    """
    return jnp.full((_checks.count("n_steps", n_steps),), _checks.number("level", level), dtype=float)


def bounded_voltage(drive: ArrayLike, threshold: float = -0.5, margin: float = 0.02) -> Float[Array, "..."]:
    """Squash a drive into the active region of the hard sigmoid, where the rate follows the voltage exactly.

    `threshold + margin + (1 - 2 margin) (1 + tanh(drive)) / 2`.

    Args:
        drive: any real numbers.
        threshold: lower end of the active region, in (-1, 0); the region has length 1.
        margin: distance kept from both kinks, in [0, 0.5).

    Returns:
        The integrated activity s, same shape as `drive`.

    Raises:
        ValueError: threshold or margin out of range, or a drive that is not finite.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> stdpjax.drives.bounded_voltage(jnp.array([-9.0, 0.0, 9.0])).round(2).tolist()
        [-0.479..., 0.0, 0.479...]
    """
    drive = _checks.finite("drive", drive)
    _checks.number("threshold", threshold, above=-1, below=0)
    _checks.number("margin", margin, at_least=0, below=0.5)
    return threshold + margin + (1 - 2 * margin) * (1 + jnp.tanh(drive)) / 2


# A random drive of one sequence: key, number of bins, time scale.
RandomDrive = Callable[[Key[Array, ""], int, Width], Float[Array, "time"]]

DRIVES: Mapping[str, RandomDrive] = MappingProxyType(
    {drive.__name__: drive for drive in (smooth_noise, ornstein_uhlenbeck, leaky_ornstein_uhlenbeck, sinusoids)}
)


def _functions_for(width: Width) -> tuple[Callable, Callable]:
    """Exponential and square root: in double precision for a plain number, traceable otherwise."""
    return (jnp.exp, jnp.sqrt) if isinstance(width, jax.Array) else (math.exp, math.sqrt)


def _checked(
    key: Key[Array, ""], n_steps: int, width: Width, narrowest: float = 0.0
) -> tuple[Key[Array, ""], int, Width]:
    """What the random drives have in common, refused where it is wrong."""
    return (_checks.key("key", key), _checks.count("n_steps", n_steps), _checks.number("width", width, above=narrowest))
