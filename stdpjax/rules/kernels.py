"""Lag kernels: the weight change of a pair as a function of its lag (the paper leaves the amplitude open)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax.numpy as jnp
from jaxtyping import Array, Float

from stdpjax import _checks
from stdpjax._units import Measured

Lags = Float[Array, "lag"]
Number = float | Float[Array, ""]


def lag_kernel(name: str, window: int = 20, **parameters: Measured) -> Float[Array, "2*{window}+1"]:
    """Return the weight change for each lag from -window to +window; lag 0 gives no change.

    | name | change at lag d > 0 | at lag -d | parameters (default) |
    |---|---|---|---|
    | exponential | exp(-d bin_ms / tau) | minus that | `tau` (10 ms), `bin_ms` (1) |
    | sign | 1 | -1 | |
    | inverse | 1 / d | minus that | |
    | linear | 1 - (d - 1) / window | minus that | |
    | bi_poo | A_plus exp(-d bin_ms / tau_plus) | -A_minus exp(-d bin_ms / tau_minus) | `A_plus` (0.777), \
`tau_plus` (16.8 ms), `A_minus` (0.273), `tau_minus` (33.7 ms), `bin_ms` (1) |

    Args:
        name: one of the names above.
        window: half-width in bins, at least 1.
        **parameters: as in the table; times in ms, or with a unit, above 0, amplitudes any finite number. `bin_ms` is
            the width of a bin; a kernel without times has none.

    Returns:
        The kernel, shape `[2 * window + 1]`. All but "bi_poo" are antisymmetric, so their mean update vanishes at
        constant rates.

    Raises:
        ValueError: unknown name (the known ones are listed), unknown parameter, or a value out of range.

    Source: exponential fit of Bi & Poo (2001, Annu Rev Neurosci 24:139) for "bi_poo"; section 5.1 for the rest.

    Example:
        >>> import stdpjax
        >>> stdpjax.rules.lag_kernel("linear", window=2).tolist()
        [-0.5, -1.0, 0.0, 1.0, 0.5]
    """
    _checks.choice("name", name, LAG_KERNELS)
    window = _checks.window(window)
    shape, defaults = LAG_KERNELS[name]
    unknown = sorted(set(parameters) - set(defaults))
    if unknown:
        known = ", ".join(defaults) or "none"
        raise ValueError(f"{unknown[0]}: expected a parameter of the {name!r} kernel ({known}), got {unknown[0]!r}")
    values = {
        parameter: _checks.number(parameter, value)
        if parameter.startswith("A_")
        else _checks.milliseconds(parameter, value, above=0)
        for parameter, value in {**defaults, **parameters}.items()
    }
    distance = jnp.arange(1, window + 1, dtype=float)
    depression, potentiation = shape(distance, **values)
    return jnp.concatenate([depression[::-1], jnp.zeros(1, distance.dtype), potentiation])


def _bi_poo(
    distance: Lags, A_plus: Number, tau_plus: Number, A_minus: Number, tau_minus: Number, bin_ms: Number
) -> tuple[Lags, Lags]:
    lag_ms = distance * bin_ms
    return -A_minus * jnp.exp(-lag_ms / tau_minus), A_plus * jnp.exp(-lag_ms / tau_plus)


def _odd(potentiation: Lags) -> tuple[Lags, Lags]:
    return -potentiation, potentiation


# Name -> (function of the distance giving depression and potentiation, default parameters).
LAG_KERNELS: Mapping[str, tuple[Callable[..., tuple[Lags, Lags]], Mapping[str, float]]] = MappingProxyType(
    {
        "exponential": (lambda d, tau, bin_ms: _odd(jnp.exp(-d * bin_ms / tau)), {"tau": 10.0, "bin_ms": 1.0}),
        "sign": (lambda d: _odd(jnp.ones_like(d)), {}),
        "inverse": (lambda d: _odd(1 / d), {}),
        "linear": (lambda d: _odd(1 - (d - 1) / d.size), {}),
        "bi_poo": (_bi_poo, {"A_plus": 0.777, "tau_plus": 16.8, "A_minus": 0.273, "tau_minus": 33.7, "bin_ms": 1.0}),
    }
)
