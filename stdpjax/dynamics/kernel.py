"""What a kernel is, the numbers that it reads, and one step of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from stdpjax import _alike, _checks
from stdpjax.clamps import Clamps, InputClamp, check_clamps
from stdpjax.dynamics.field import Field
from stdpjax.energy import Params, check_params, check_state
from stdpjax.rates import RateFunction, check_rate_fn
from stdpjax.rules import Sample


class StepHyper(NamedTuple):
    """Numbers of a kernel without noise."""

    step: Any = 0.1
    """Step size epsilon = dt / tau, in (0, 1]."""


class NoiseHyper(NamedTuple):
    """Numbers of a kernel with the noise of the paper."""

    step: Any = 0.1
    """Step size epsilon = dt / tau, in (0, 1]."""
    noise_std: Any = 0.0
    """Standard deviation of the noise eta on each unit, 0 or more, in units of activity."""


class HeatHyper(NamedTuple):
    """Numbers of a kernel that samples exp(-E/T)."""

    step: Any = 0.1
    """Step size epsilon = dt / tau, in (0, 1]."""
    temperature: Any = 1.0
    """Temperature T of exp(-E/T), 0 or more (above 0 for Metropolis)."""


@dataclass(frozen=True)
class Kernel:
    """One time step of one trial, a value: kernels of the same class with equal fields are the same program.

    A subclass has a `__call__`. Its own `Hyper` is a NamedTuple of numbers, and its own fields, if any, need the
    decorator `@dataclass(frozen=True)`.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.dynamics import Kernel, StepHyper, simulate
        >>> class Heun(Kernel):
        ...     def __call__(self, key, state, field, hyper):
        ...         first = field.pull(state)
        ...         return state + 0.5 * hyper.step * (first + field.pull(state + hyper.step * first))
        >>> params = stdpjax.energy.make_params([[0.0, 0.5], [0.5, 0.0]])
        >>> heun = Heun(stdpjax.rates.hard_sigmoid())
        >>> key, start = stdpjax.random.key(0), jnp.array([0.25, 0.25])
        >>> simulate(key, params, heun, StepHyper(0.5), state=start, n_steps=1).state.tolist()
        [0.3046875, 0.3046875]
    """

    rate_fn: RateFunction
    """The rate function rho."""

    Hyper: ClassVar[type] = StepHyper
    """The NamedTuple of the numbers that it reads; no other is taken."""
    bounds: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "step": {"above": 0, "at_most": 1},
        "noise_std": {"at_least": 0},
        "temperature": {"at_least": 0},
    }
    """Bounds (`above`, `at_least`, `below`, `at_most`) of the numbers that have any."""
    needs_energy: ClassVar[bool] = False
    """Whether it needs tied weights, and clamps that have an energy."""

    def __post_init__(self) -> None:
        check_rate_fn(self.rate_fn)

    def __call__(self, key: Key[Array, ""], state: Float[Array, "unit"], field: Field, hyper: Any) -> Any:
        """Return the next state, or it and what observers see as `sample.info`; clamped units are held afterwards."""
        raise NotImplementedError

    def check_hyper(self, hyper: Any) -> Any:
        """Return numbers, refusing those of another kernel, and what is out of bounds."""
        kind: Any = type(self).Hyper
        expected = f"a `{type(self).__name__}.Hyper` of {', '.join(kind._fields)} alone"
        numbers = _checks.instance("hyper", hyper, kind, expected)._asdict()
        return kind(
            **{name: _checks.number(name, value, **self.bounds.get(name, {})) for name, value in numbers.items()}
        )

    def check(self, params: Params, hyper: Any, clamps: Clamps, dtype: Any) -> tuple[Any, Clamps]:
        """Return the numbers and the clamps as arrays of a dtype, refusing what the kernel cannot use."""
        hyper = jax.tree.map(lambda number: jnp.asarray(number, dtype), self.check_hyper(hyper))
        clamps = check_clamps(clamps, params.bias.shape[-1], dtype)
        if self.needs_energy:
            check_params(params, tied=True)
            if any(isinstance(clamp, InputClamp) for clamp in clamps):
                raise ValueError("clamps: expected clamps that have an energy (state, soft), got InputClamp")
        return hyper, clamps


class CarryingKernel(Kernel):
    """A kernel that knows of its new state what the next step needs, as the energy there.

    `begin(state, field, hyper)` gives what is known at a state, and `move(key, known, field, hyper)` the next state,
    info, and what is known there. It is carried from step to step where neither drive nor weights change.
    """

    def begin(self, state: Float[Array, "unit"], field: Field, hyper: Any) -> Any:
        """Return what is known at a state."""
        raise NotImplementedError

    def move(self, key: Key[Array, ""], known: Any, field: Field, hyper: Any) -> tuple[Float[Array, "unit"], Any, Any]:
        """Return the next state, info and what is known there."""
        raise NotImplementedError

    def __call__(self, key: Key[Array, ""], state: Float[Array, "unit"], field: Field, hyper: Any) -> Any:
        """Return the next state and info, beginning anew."""
        next_state, info, _ = self.move(key, self.begin(state, field, hyper), field, hyper)
        return next_state, info


class Spikes(NamedTuple):
    """Info of a kernel whose units spike: rules and observers see them as those of the sample."""

    spikes: Bool[Array, "unit"]


def check_kernel(kernel: Kernel) -> Kernel:
    """Return what is a kernel, refusing anything else, such as its class."""
    if not isinstance(kernel, Kernel):
        hint = f"; call it: `{kernel.__name__}(rate_fn)`" if isinstance(kernel, type) else ""
        got = _checks.described(kernel)
        raise ValueError(f"kernel: expected a `stdpjax.dynamics.Kernel`, as `Langevin(rate_fn)`, got {got}{hint}")
    if type(kernel).__call__ is Kernel.__call__:
        raise ValueError(f"kernel: expected a class with a __call__, got {type(kernel).__name__}")
    try:
        _alike.form_of(kernel)
    except TypeError as error:
        raise ValueError(f"kernel: expected a frozen dataclass of values that compare, got {error}") from error
    return kernel


def advance(
    key: Key[Array, ""],
    params: Params,
    kernel: Kernel,
    hyper: Any,
    *,
    state: _checks.ArrayLike,
    drive: _checks.ArrayLike | None = None,
    clamps: Clamps = (),
) -> tuple[Float[Array, "unit"], Sample]:
    """Do one step of one trial, from a state whose clamped units are at their values.

    Args:
        key: a scalar key, of the step alone.
        params: weights `[post, pre]` (0 on the diagonal) and biases `[unit]`.
        kernel: from this module, or your own.
        hyper: the kernel's `Hyper`.
        state: shape `[unit]`.
        drive: added to the biases, shape `[unit]`; None for nothing.
        clamps: units held at values, see `stdpjax.clamps`.

    Returns:
        The next state, in the floating-point type of the weights, and the sample of the step.

    Raises:
        ValueError: as in `simulate`.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.dynamics import LeakyIntegrator, advance
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> kernel = LeakyIntegrator(stdpjax.rates.hard_sigmoid())
        >>> key, start = stdpjax.random.key(0), jnp.array([0.0, 0.25])
        >>> advance(key, params, kernel, kernel.Hyper(step=0.5), state=start)[0].tolist()
        [0.375, 0.375]
    """
    _checks.key("key", key)
    state = check_state(params, state).astype(params.weights.dtype)
    hyper, clamps = check_kernel(kernel).check(params, hyper, clamps, state.dtype)
    now = None if drive is None else drive_for(state, drive)
    return step(kernel, key, state, params, now, clamps, hyper)[:2]


def field_at(kernel: Kernel, params: Params, drive: Float[Array, "unit"] | None, clamps: Clamps) -> Field:
    """Return the field of a step, unchecked."""
    driven = params if drive is None else params._replace(bias=params.bias + drive)
    return Field(driven, kernel.rate_fn, drive, clamps)


def step(
    kernel: Kernel,
    key: Key[Array, ""],
    state: Float[Array, "unit"],
    params: Params,
    drive: Float[Array, "unit"] | None,
    clamps: Clamps,
    hyper: Any,
    known: Any = None,
) -> tuple[Float[Array, "unit"], Sample, Any]:
    """Return the next state, the sample and what a carrying kernel knows of it, refusing what is no state."""
    field = field_at(kernel, params, drive, clamps)
    if known is not None and isinstance(kernel, CarryingKernel):
        made, info, known = kernel.move(key, known, field, hyper)
    else:
        made, info = kernel(key, state, field, hyper), None
        if isinstance(made, tuple) and len(made) == 2:
            made, info = made
    if (getattr(made, "shape", None), getattr(made, "dtype", None)) != (state.shape, state.dtype):
        raise ValueError(
            f"kernel: expected it to return the next state, or (next_state, info), of shape {state.shape} and dtype "
            f"{state.dtype}, got {made!r:.200}"
        )
    spikes = info.spikes if isinstance(info, Spikes) else None
    sample = Sample(
        post_state=state,
        next_post_state=field.hold(jnp.asarray(made)),
        pre_rate=kernel.rate_fn.value(state),
        pre_spikes=spikes,
        post_spikes=spikes,
        post_slope=kernel.rate_fn.slope(state),
        weights=params.weights,
        info=info,
    )
    return sample.next_post_state, sample, known


def drive_for(state: Float[Array, "unit"], drive: _checks.ArrayLike, source: str = "") -> Float[Array, "unit"]:
    """Return a drive of one step as an array like the state."""
    now = _checks.finite("drive", drive)
    if now.shape != state.shape:
        raise ValueError(f"drive: expected {source}shape {state.shape}, one number for each unit, got {now.shape}")
    return now.astype(state.dtype)
