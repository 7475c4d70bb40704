"""The kernels of the paper, and those that sample exp(-E/T)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from stdpjax import _checks
from stdpjax.clamps import Clamps, check_clamps
from stdpjax.dynamics.field import Field
from stdpjax.dynamics.kernel import CarryingKernel, HeatHyper, Kernel, NoiseHyper, Spikes
from stdpjax.energy import Params, check_network
from stdpjax.rates import RateFunction


def transition(
    params: Params,
    state: Float[Array, "unit"],
    noise: Float[Array, "unit"],
    rate_fn: RateFunction,
    step: float | Array,
    clamps: Clamps = (),
) -> Float[Array, "unit"]:
    """Return f(s, eta) = s + step (R(s + eta) - s), one step of the corrected leaky integrator with given noise.

    Args:
        params: weights `[post, pre]` and biases `[unit]`.
        state: shape `[unit]`.
        noise: eta, shape `[unit]`; 0 for the noise-free step.
        rate_fn: the rate function rho.
        step: epsilon = dt / tau, in (0, 1].
        clamps: units held at values, see `stdpjax.clamps`.

    Returns:
        The next state, shape `[unit]`, in the floating-point type of the weights.

    Raises:
        ValueError: as in `stdpjax.energy.target`, a noise of another shape or not finite, a step out of range, or
            clamps that are none.

    Source: Bengio et al. 2015, Eq 6 and 7, with the leak -h_t instead of the printed -s_t.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.dynamics import transition
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> rho = stdpjax.rates.hard_sigmoid()
        >>> transition(params, jnp.array([0.0, 0.25]), jnp.zeros(2), rho, 0.5).tolist()
        [0.375, 0.375]
    """
    state, noise = check_network(params, state, rate_fn).astype(params.weights.dtype), _checks.finite("noise", noise)
    if noise.shape != state.shape:
        raise ValueError(f"noise: expected the shape of state, {state.shape}, got {noise.shape}")
    step = jnp.asarray(_checks.number("step", step, above=0, at_most=1), state.dtype)
    field = Field(params, rate_fn, None, check_clamps(clamps, state.shape[0], state.dtype))
    pulled = field.target(state + noise.astype(state.dtype), at=state)
    return field.hold(state + step * (pulled - state))


class LeakyIntegrator(Kernel):
    """The noise-free descent s + step (R(s) - s). No random numbers are drawn.

    Source: Bengio et al. 2015, Eq 17 with the leak corrected.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.dynamics import LeakyIntegrator, simulate
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> kernel = LeakyIntegrator(stdpjax.rates.hard_sigmoid())
        >>> key, start = stdpjax.random.key(0), jnp.array([0.0, 0.25])
        >>> simulate(key, params, kernel, kernel.Hyper(step=0.5), state=start, n_steps=1).state.tolist()
        [0.375, 0.375]
    """

    def __call__(self, key: Key[Array, ""], state: Float[Array, "unit"], field: Field, hyper: Any) -> Any:
        """Return the next state."""
        return state + hyper.step * field.pull(state)


@dataclass(frozen=True)
class NoisyIntegrator(Kernel):
    """The paper's noisy step s + step (R(s + eta) - s), eta ~ N(0, noise_std^2).

    Source: Bengio et al. 2015, Eq 6 with the leak corrected; Eq 14 is the same step.

    Example:
        >>> import stdpjax
        >>> from stdpjax.dynamics import NoisyIntegrator
        >>> rho = stdpjax.rates.hard_sigmoid()
        >>> NoisyIntegrator(rho) == NoisyIntegrator(rho, "inside"), NoisyIntegrator.Hyper(noise_std=0.2)
        (True, NoiseHyper(step=0.1, noise_std=0.2))
    """

    noise: Literal["inside", "added"] = "inside"
    """Whether eta goes through R, as in the paper, or step * eta is added to the step instead, the bracket of Eq 14
    read as Langevin."""
    Hyper: ClassVar[type] = NoiseHyper

    def __post_init__(self) -> None:
        super().__post_init__()
        _checks.choice("noise", self.noise, ("inside", "added"))

    def __call__(self, key: Key[Array, ""], state: Float[Array, "unit"], field: Field, hyper: Any) -> Any:
        """Return the next state."""
        if self.noise == "added":
            eta = hyper.noise_std * jax.random.normal(key, state.shape, state.dtype)
            return state + hyper.step * (field.pull(state) + eta)
        eta = hyper.noise_std * _normal(key, state, hyper.noise_std)
        return state + hyper.step * (field.target(state + eta, at=state) - state)


class PrintedIntegrator(Kernel):
    """Eq 17 as printed, which subtracts the leak twice: (1 - step) s + step (R(s + eta) - s - eta).

    It descends E with the quadratic term doubled and comes to rest at s = R(s) / 2. Here to be compared with.

    Source: Bengio et al. 2015, Eq 17.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.dynamics import PrintedIntegrator, simulate
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> kernel = PrintedIntegrator(stdpjax.rates.hard_sigmoid())
        >>> key, start = stdpjax.random.key(0), jnp.array([0.0, 0.25])
        >>> simulate(key, params, kernel, kernel.Hyper(step=0.5), state=start, n_steps=1).state.tolist()
        [0.375, 0.25]
    """

    Hyper: ClassVar[type] = NoiseHyper

    def __call__(self, key: Key[Array, ""], state: Float[Array, "unit"], field: Field, hyper: Any) -> Any:
        """Return the next state."""
        seen = state + hyper.noise_std * _normal(key, state, hyper.noise_std)
        return (1 - hyper.step) * state + hyper.step * (field.target(seen, at=state) - seen)


class Langevin(Kernel):
    """Unadjusted Langevin dynamics of exp(-E/T): s + step (R(s) - s) + sqrt(2 step T) xi, xi ~ N(0, 1).

    What Eq 14 was meant to be. Its stationary law differs from exp(-E/T) by O(step): a linear mode of curvature
    lambda has variance T / (lambda (1 - step lambda / 2)).

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.dynamics import Langevin, simulate
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> cold, start = Langevin.Hyper(step=0.5, temperature=0.0), jnp.array([0.0, 0.25])
        >>> kernel, key = Langevin(stdpjax.rates.hard_sigmoid()), stdpjax.random.key(0)
        >>> simulate(key, params, kernel, cold, state=start, n_steps=1).state.tolist()
        [0.375, 0.375]
    """

    Hyper: ClassVar[type] = HeatHyper

    def __call__(self, key: Key[Array, ""], state: Float[Array, "unit"], field: Field, hyper: Any) -> Any:
        """Return the next state."""
        xi = jax.random.normal(key, state.shape, state.dtype)
        kick = jnp.sqrt(2 * hyper.step * hyper.temperature) * xi
        return state + hyper.step * field.pull(state) + kick


class Acceptance(NamedTuple):
    """Info of a Metropolis step."""

    probability: Float[Array, ""]
    """With which the proposal is accepted."""
    is_accepted: Bool[Array, ""]
    """Whether it was; else the state is repeated."""


class MetropolisLangevin(CarryingKernel):
    """Metropolis-adjusted Langevin dynamics (MALA, through blackjax), whose stationary law is exp(-E/T).

    A rejected step repeats the state; `sample.info` is an `Acceptance`. Clamped states stay and do not enter the
    acceptance; an input clamp, which has no energy, temperature 0 and weights that are not tied are refused.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.dynamics import MetropolisLangevin, simulate
        >>> from stdpjax.observers import mean_of
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> kernel, key = MetropolisLangevin(stdpjax.rates.hard_sigmoid()), stdpjax.random.key(0)
        >>> run = simulate(
        ...     key, params, kernel, kernel.Hyper(step=0.5), state=jnp.zeros(2), n_steps=100,
        ...     observe={"accepted": mean_of(lambda sample: sample.info.is_accepted)})
        >>> bool(run.observed["accepted"].mean > 0.5)
        True
    """

    Hyper: ClassVar[type] = HeatHyper
    bounds: ClassVar = {**Kernel.bounds, "temperature": {"above": 0}}
    needs_energy: ClassVar[bool] = True

    def begin(self, state: Float[Array, "unit"], field: Field, hyper: Any) -> Any:
        """Return the position with its log density and gradient."""
        # Takes a second to import, which nothing else here needs.
        from blackjax.mcmc import mala

        # blackjax draws in the default floating-point type, whatever that of the state.
        field, hyper = _in_default_type(field, hyper)
        return mala.init(field.hold(state.astype(float)), _log_density(field, hyper))

    def move(self, key: Key[Array, ""], known: Any, field: Field, hyper: Any) -> tuple[Float[Array, "unit"], Any, Any]:
        """Return the next state, its acceptance, and the position with its log density and gradient."""
        from blackjax.mcmc import mala

        dtype, (field, hyper) = field.params.bias.dtype, _in_default_type(field, hyper)
        # Drift step * grad(-E) and noise sqrt(2 step T), the proposal of `Langevin`.
        # blackjax needs `jit`, which turns its numbers into arrays.
        with jax.disable_jit(False):
            moved, info = mala.build_kernel()(key, known, _log_density(field, hyper), hyper.step * hyper.temperature)
        position = field.hold(jnp.asarray(moved.position))
        acceptance = Acceptance(jnp.asarray(info.acceptance_rate), jnp.asarray(info.is_accepted))
        return position.astype(dtype), acceptance, moved._replace(position=position)


class SpikingIntegrator(Kernel):
    """A leaky integrator driven by Bernoulli spikes instead of rates: R_i = rho'(s_i) (b_i + sum_j W_ij xi_j).

    Spike probability per step is the rate rho(s_j), so rho has values in [0, 1]; the spikes that moved the units are
    in the sample, so Eq 2 with them shows the covariance of an input with its own effect.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.dynamics import SpikingIntegrator, advance
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> kernel, start = SpikingIntegrator(stdpjax.rates.hard_sigmoid()), jnp.array([-1.0, 1.0])
        >>> _, sample = advance(stdpjax.random.key(0), params, kernel, kernel.Hyper(), state=start)
        >>> sample.pre_spikes.tolist()
        [False, True]
    """

    def __call__(self, key: Key[Array, ""], state: Float[Array, "unit"], field: Field, hyper: Any) -> Any:
        """Return the next state and the spikes."""
        # In single precision at least: half precision has too few numbers near 0.
        dtype = _checks.at_least_single(state.dtype)
        uniform = _once(lambda: jax.random.uniform(key, state.shape, dtype), hyper.step)
        spikes = uniform < self.rate_fn.value(state).astype(dtype)
        return state + hyper.step * (field.driven_by(spikes.astype(state.dtype), state) - state), Spikes(spikes)


def _log_density(field: Field, hyper: Any) -> Callable[[Float[Array, "unit"]], Float[Array, ""]]:
    # Flat in clamped units: whatever the proposal does there, they are held afterwards and accepted for the rest.
    return lambda position: -field.energy(position) / hyper.temperature


def _in_default_type(field: Field, hyper: Any) -> tuple[Field, Any]:
    def as_default(leaf: Array) -> Array:
        return leaf if leaf.dtype == bool else leaf.astype(float)

    hyper, params, drive, clamps = jax.tree.map(as_default, (hyper, field.params, field.drive, field.clamps))
    return Field(params, field.rate_fn, drive, clamps), hyper


def _normal(key: Key[Array, ""], state: Float[Array, "unit"], level: float | Array) -> Float[Array, "unit"]:
    """Return normal noise for each unit that several loops read; `level` is any finite number."""
    return _once(lambda: jax.random.normal(key, state.shape, state.dtype), level)


def _once(draw: Callable[[], Float[Array, "unit"]], level: float | Array) -> Float[Array, "unit"]:
    """Return what is drawn, as one loop of its own; `level` is any finite number.

    On a CPU, XLA would draw again in every loop that reads the noise. Nothing fuses across a condition, even one that
    always holds.
    """

    def draw_once(level: float | Array) -> Float[Array, "unit"]:
        like = jax.eval_shape(draw)
        return jax.lax.cond(jnp.isfinite(level), draw, lambda: jnp.full(like.shape, jnp.nan, like.dtype))

    return jax.lax.platform_dependent(level, cpu=draw_once, default=lambda level: draw())
