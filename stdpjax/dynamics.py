"""The network in time: one-step kernels, and `simulate`, the scan that runs them (Eq 6, 7, 14, 15, 17, 20).

A kernel is `kernel(key, state, params, drive, hyper) -> (next_state, sample)`, one time step of one trial. The kernels
here are pure functions of traced numbers: step sizes, noise levels, temperatures, weights, drives and clamped values
vary without compiling again.

`step` is epsilon = dt / tau; with theta = step * time, continuous time is counted in tau.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key, PyTree, UInt32

from stdpjax import _checks
from stdpjax._units import Measured
from stdpjax.clamps import Clamps, InputClamp, check_clamps, clamp_energy, clamp_target, hold_state
from stdpjax.energy import Params, check_network, check_params, check_state, energy_of, target_of
from stdpjax.observers import Observer
from stdpjax.random import member_keys
from stdpjax.rates import RateFunction, check_rate_fn
from stdpjax.rules import Rule, Sample
from stdpjax.rules.base import change_by, check_use


class Hyper(NamedTuple):
    """Numbers of the dynamics, a pytree: a sweep is a `vmap` over them.

    What is None is not given: it has its default in a kernel that reads it, and no axis in a `vmap`. A number that is
    given to a kernel of this module that does not read it is refused.

    Example:
        >>> import jax, jax.numpy as jnp, stdpjax
        >>> from stdpjax.dynamics import Hyper, leaky_integrator, simulate
        >>> params, rho = stdpjax.energy.make_params([[0.0, 0.5], [0.5, 0.0]]), stdpjax.rates.hard_sigmoid()
        >>> held = stdpjax.clamps.clamp_state([True, False], 0.25)
        >>> def end(hyper):
        ...     hyper = hyper._replace(clamps=(held,))
        ...     kernel = leaky_integrator(rho, "none")
        ...     return simulate(
        ...         stdpjax.random.key(0), params, None, hyper, kernel=kernel, state=jnp.zeros(2), n_steps=1).state
        >>> jax.vmap(end)(Hyper(step=jnp.array([0.5, 1.0]))).tolist()
        [[0.25, 0.1875], [0.25, 0.375]]
    """

    step: Any = 0.1
    """Step size epsilon = dt / tau, in (0, 1]."""
    noise_std: Any = None
    """Standard deviation of the noise eta on each unit, 0 or more, in units of activity; None for 0."""
    temperature: Any = None
    """Temperature T of exp(-E/T) for the Langevin kernels, 0 or more (above 0 for Metropolis); None for 1."""
    clamps: Clamps = ()
    """Units held at values, see `stdpjax.clamps`."""

    def filled(self) -> "Hyper":
        """Return the same with the defaults of what is not given."""
        missing = {name: default for name, default in DEFAULTS.items() if getattr(self, name) is None}
        return self._replace(**missing)


# Of the numbers that a kernel may leave unread.
DEFAULTS = {"noise_std": 0.0, "temperature": 1.0}

Kernel = Callable[
    [Key[Array, ""], Float[Array, "unit"], Params, Float[Array, "unit"] | None, Hyper],
    tuple[Float[Array, "unit"], Sample],
]


@dataclass(frozen=True)
class CheckedKernel:
    """A kernel that says what it reads and demands, which `simulate` asks before anything is traced."""

    run: Kernel
    reads: tuple[str, ...] = ()
    """Which of `noise_std` and `temperature`."""
    demands: Callable[[Params, Hyper], None] | None = None
    """Raises ValueError for what the kernel cannot use."""

    def __call__(
        self,
        key: Key[Array, ""],
        state: Float[Array, "unit"],
        params: Params,
        drive: Float[Array, "unit"] | None,
        hyper: Hyper,
    ) -> tuple[Float[Array, "unit"], Sample]:
        """Do one step, as a kernel does, in the floating-point type of the weights."""
        _checks.key("key", key)
        state = check_state(params, state).astype(params.weights.dtype)
        numbers = check_hyper(hyper, state.shape[0], state.dtype)
        # What is traced may come from a simulation, which gives a kernel all numbers.
        traced = {name: None for name in DEFAULTS if not _checks.is_concrete(getattr(hyper, name))}
        self.check(params, hyper._replace(**traced))
        return self.run(key, state, params, None if drive is None else _drive_for(state, drive), numbers)

    def check(self, params: Params, hyper: Hyper) -> None:
        """Refuse a number that the kernel does not read, and what it cannot use.

        Raises:
            ValueError: which.
        """
        for name, default in DEFAULTS.items():
            value = getattr(hyper, name)
            is_default = value is None or (_checks.is_concrete(value) and bool(np.all(np.asarray(value) == default)))
            if name not in self.reads and not is_default:
                reads = ", ".join(("step", *self.reads, "clamps"))
                raise ValueError(f"{name}: expected none for a kernel that reads {reads} alone, got {value!r}")
        if self.demands is not None:
            self.demands(params, hyper)


def transition(
    params: Params, state: Float[Array, "unit"], noise: Float[Array, "unit"], rate_fn: RateFunction, hyper: Hyper
) -> Float[Array, "unit"]:
    """Return f(s, eta) = s + step (R(s + eta) - s), one step of the corrected leaky integrator with given noise.

    Args:
        params: weights `[post, pre]` and biases `[unit]`.
        state: shape `[unit]`.
        noise: eta, shape `[unit]`; 0 for the noise-free step.
        rate_fn: the rate function rho.
        hyper: of which step and clamps are read.

    Returns:
        The next state, shape `[unit]`, in the floating-point type of the weights.

    Raises:
        ValueError: as in `stdpjax.energy.target`, a noise of another shape or not finite, or a step out of range.

    Source: Bengio et al. 2015, Eq 6 and 7, with the leak -h_t instead of the printed -s_t.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.dynamics import Hyper, transition
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> rho = stdpjax.rates.hard_sigmoid()
        >>> transition(params, jnp.array([0.0, 0.25]), jnp.zeros(2), rho, Hyper(step=0.5)).tolist()
        [0.375, 0.375]
    """
    state, noise = check_network(params, state, rate_fn).astype(params.weights.dtype), _checks.finite("noise", noise)
    if noise.shape != state.shape:
        raise ValueError(f"noise: expected the shape of state, {state.shape}, got {noise.shape}")
    hyper, noise = check_hyper(hyper, state.shape[0], state.dtype), noise.astype(state.dtype)
    pulled = clamp_target(target_of(params, state + noise, rate_fn), state, hyper.clamps)
    return hold_state(state + hyper.step * (pulled - state), hyper.clamps)


def leaky_integrator(rate_fn: RateFunction, noise: Literal["inside", "added", "none"] = "inside") -> CheckedKernel:
    """Return the kernel s + step (R(s + eta) - s) (Eq 6, 14).

    Args:
        rate_fn: the rate function rho.
        noise: "inside", eta ~ N(0, noise_std^2) goes through R, as in the paper; "added", step * eta is added to the
            step instead, the bracket of Eq 14 read as Langevin; "none", noise-free descent, no random numbers drawn.

    Returns:
        The kernel; it reads `hyper.noise_std` unless the noise is "none", and no temperature.

    Raises:
        ValueError: no rate function, or unknown noise.

    Source: Bengio et al. 2015, Eq 6 with the leak corrected; Eq 14 is the same step.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.dynamics import Hyper, leaky_integrator
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> kernel = leaky_integrator(stdpjax.rates.hard_sigmoid(), noise="none")
        >>> kernel(stdpjax.random.key(0), jnp.array([0.0, 0.25]), params, None, Hyper(step=0.5))[0].tolist()
        [0.375, 0.375]
    """
    check_rate_fn(rate_fn)
    return _leaky_integrator(rate_fn, _checks.choice("noise", noise, ("inside", "added", "none")))


# The kernels are cached: the same arguments give the same object, so that a simulation is compiled once.
@cache
def _leaky_integrator(rate_fn: RateFunction, noise: str) -> CheckedKernel:
    def kernel(key, state, params, drive, hyper):
        params = _driven(params, drive)
        eta = 0.0 if noise == "none" else hyper.noise_std * _normal(key, state, hyper.noise_std)
        seen = state + eta if noise == "inside" else state
        pulled = clamp_target(target_of(params, seen, rate_fn), state, hyper.clamps)
        change = pulled - state + (eta if noise == "added" else 0.0)
        return _emit(state, state + hyper.step * change, rate_fn, hyper)

    return CheckedKernel(kernel, () if noise == "none" else ("noise_std",))


def printed_integrator(rate_fn: RateFunction) -> CheckedKernel:
    """Return Eq 17 as printed, which subtracts the leak twice: (1 - step) s + step (R(s + eta) - s - eta).

    It descends E with the quadratic term doubled and comes to rest at s = R(s) / 2. Here to be compared with.

    Args:
        rate_fn: the rate function rho.

    Returns:
        The kernel; it reads `hyper.noise_std`, not `hyper.temperature`.

    Raises:
        ValueError: no rate function.

    Source: Bengio et al. 2015, Eq 17.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.dynamics import Hyper, printed_integrator
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> kernel = printed_integrator(stdpjax.rates.hard_sigmoid())
        >>> kernel(stdpjax.random.key(0), jnp.array([0.0, 0.25]), params, None, Hyper(step=0.5))[0].tolist()
        [0.375, 0.25]
    """
    check_rate_fn(rate_fn)
    return _printed_integrator(rate_fn)


@cache
def _printed_integrator(rate_fn: RateFunction) -> CheckedKernel:
    def kernel(key, state, params, drive, hyper):
        params = _driven(params, drive)
        seen = state + hyper.noise_std * _normal(key, state, hyper.noise_std)
        pulled = clamp_target(target_of(params, seen, rate_fn), state, hyper.clamps)
        return _emit(state, (1 - hyper.step) * state + hyper.step * (pulled - seen), rate_fn, hyper)

    return CheckedKernel(kernel, ("noise_std",))


def langevin(rate_fn: RateFunction) -> CheckedKernel:
    """Return unadjusted Langevin dynamics of exp(-E/T): s + step (R(s) - s) + sqrt(2 step T) xi, xi ~ N(0, 1).

    What Eq 14 was meant to be. Its stationary law differs from exp(-E/T) by O(step): a linear mode of curvature
    lambda has variance T / (lambda (1 - step lambda / 2)).

    Args:
        rate_fn: the rate function rho.

    Returns:
        The kernel; it reads `hyper.temperature`, not `hyper.noise_std`.

    Raises:
        ValueError: no rate function.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.dynamics import Hyper, langevin
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> kernel = langevin(stdpjax.rates.hard_sigmoid())
        >>> cold = Hyper(step=0.5, temperature=0.0)
        >>> kernel(stdpjax.random.key(0), jnp.array([0.0, 0.25]), params, None, cold)[0].tolist()
        [0.375, 0.375]
    """
    check_rate_fn(rate_fn)
    return _langevin(rate_fn)


@cache
def _langevin(rate_fn: RateFunction) -> CheckedKernel:
    def kernel(key, state, params, drive, hyper):
        params = _driven(params, drive)
        xi = _normal(key, state, hyper.temperature)
        pulled = clamp_target(target_of(params, state, rate_fn), state, hyper.clamps)
        kick = jnp.sqrt(2 * hyper.step * hyper.temperature) * xi
        return _emit(state, state + hyper.step * (pulled - state) + kick, rate_fn, hyper)

    return CheckedKernel(kernel, ("temperature",))


def metropolis_langevin(rate_fn: RateFunction) -> CheckedKernel:
    """Return Metropolis-adjusted Langevin dynamics (MALA, through blackjax), whose stationary law is exp(-E/T).

    A rejected step repeats the state. Clamped states stay and do not enter the acceptance; an input clamp has no
    energy and is refused.

    Args:
        rate_fn: the rate function rho.

    Returns:
        The kernel; it reads `hyper.temperature`, above 0, not `hyper.noise_std`.

    Raises:
        ValueError: no rate function; by the kernel, for an input clamp, temperature 0, or weights that are not tied.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.dynamics import Hyper, metropolis_langevin
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> kernel = metropolis_langevin(stdpjax.rates.hard_sigmoid())
        >>> state, _ = kernel(stdpjax.random.key(0), jnp.zeros(2), params, None, Hyper(step=0.5))
        >>> state.shape
        (2,)
    """
    check_rate_fn(rate_fn)
    return _metropolis_langevin(rate_fn)


@cache
def _metropolis_langevin(rate_fn: RateFunction) -> CheckedKernel:
    # Takes a second to import, which nothing else here needs.
    from blackjax.mcmc import mala

    propose = mala.build_kernel()

    def kernel(key, state, params, drive, hyper):
        # blackjax draws in the default floating-point type, whatever that of the state.
        at, inside, numbers = jax.tree.map(
            lambda leaf: leaf if leaf.dtype == bool else leaf.astype(float), (state, _driven(params, drive), hyper)
        )

        def log_density(position):
            # Flat in clamped units: whatever the proposal does there, it is reset below and accepted for the rest.
            held = hold_state(position, numbers.clamps)
            total = energy_of(inside, held, rate_fn) + clamp_energy(held, numbers.clamps)
            return -total / numbers.temperature

        start = mala.init(hold_state(at, numbers.clamps), log_density)
        # Drift step * grad(-E) and noise sqrt(2 step T), the proposal of `langevin`.
        # blackjax needs `jit`, which turns its numbers into arrays.
        with jax.disable_jit(False):
            moved, _ = propose(key, start, log_density, numbers.step * numbers.temperature)
        return _emit(state, jnp.asarray(moved.position).astype(state.dtype), rate_fn, hyper)

    def demands(params: Params, hyper: Hyper) -> None:
        check_params(params, tied=True)
        _checks.number("temperature", hyper.filled().temperature, above=0)
        if any(isinstance(clamp, InputClamp) for clamp in hyper.clamps):
            raise ValueError("clamps: expected clamps that have an energy (state, soft), got InputClamp")

    return CheckedKernel(kernel, ("temperature",), demands)


def spiking_integrator(rate_fn: RateFunction) -> CheckedKernel:
    """Return a leaky integrator driven by Bernoulli spikes instead of rates: R_i = rho'(s_i) (b_i + sum_j W_ij xi_j).

    Spike probability per step is the rate rho(s_j); the spikes that moved the units are in the sample, so Eq 2 with
    them shows the covariance of an input with its own effect.

    Args:
        rate_fn: the rate function rho, with values in [0, 1].

    Returns:
        The kernel; it reads neither `hyper.noise_std` nor `hyper.temperature`.

    Raises:
        ValueError: no rate function.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.dynamics import Hyper, spiking_integrator
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> kernel = spiking_integrator(stdpjax.rates.hard_sigmoid())
        >>> _, sample = kernel(stdpjax.random.key(0), jnp.array([-1.0, 1.0]), params, None, Hyper())
        >>> sample.pre_spikes.tolist()
        [False, True]
    """
    check_rate_fn(rate_fn)
    return _spiking_integrator(rate_fn)


@cache
def _spiking_integrator(rate_fn: RateFunction) -> CheckedKernel:
    def kernel(key, state, params, drive, hyper):
        params = _driven(params, drive)
        # In single precision at least: half precision has too few numbers near 0.
        dtype = _checks.at_least_single(state.dtype)
        spikes = jax.random.uniform(key, state.shape, dtype) < rate_fn.value(state).astype(dtype)
        field = params.bias + params.weights @ spikes.astype(state.dtype)
        pulled = clamp_target(rate_fn.slope(state) * field, state, hyper.clamps)
        next_state, sample = _emit(state, state + hyper.step * (pulled - state), rate_fn, hyper)
        return next_state, sample._replace(pre_spikes=spikes, post_spikes=spikes)

    return CheckedKernel(kernel, ())


class Simulation(NamedTuple):
    """Where a simulation stands, and what was observed; `[trial]` leads every array if there is a trial axis."""

    state: Float[Array, "*trial unit"]
    params: Params
    """As given, or what the rule has made of them."""
    rule_state: PyTree
    """None without a rule."""
    observed: Mapping[str, PyTree]
    """The observers' statistics, by name."""
    trace: Float[Array, "*trial time unit"] | None
    """The state after every `trace_every` steps, of this call."""
    is_finite: Bool[Array, "*trial"]
    """Whether states and weights have stayed finite."""
    n_steps: int
    """Steps done since the start."""


class _Carry(NamedTuple):
    state: Float[Array, "unit"]
    weights: Float[Array, "post pre"] | None
    """What the rule has made of the weights; None without a rule, as what loops carry is not optimised as well."""
    rule_state: PyTree
    observed: tuple[PyTree, ...]
    is_finite: Bool[Array, ""]


def simulate(
    key: Key[Array, ""],
    params: Params,
    drive: _checks.ArrayLike | Callable[[UInt32[Array, ""]], Float[Array, "unit"]] | None,
    hyper: Hyper,
    *,
    kernel: Kernel,
    state: _checks.ArrayLike | None = None,
    n_steps: int | None = None,
    rule: Rule | None = None,
    learning_rate: float | Array | None = None,
    weight_bounds: tuple[float | Array, float | Array] | None = None,
    observe: Mapping[str, Observer] | None = None,
    trace_every: int | None = None,
    resume: Simulation | None = None,
    first_trial: int = 0,
    bin_ms: Measured = 1.0,
) -> Simulation:
    """Run a network for some steps, and observe it on the way.

    Memory does not grow with the number of steps unless a trace is asked for. Step t of trial i has the key
    `fold_in(fold_in(key, i), t)` (without a trial axis `fold_in(key, t)`), so a run cut into several calls, by
    `resume` or by `first_trial`, gives the states of the whole, bit for bit on the same backend and batch size, and to
    rounding in other batch sizes, for which XLA may order a matrix product's sums in another way.

    Args:
        key: a scalar key.
        params: weights `[post, pre]` (0 on the diagonal) and biases `[unit]`.
        drive: added to the biases: `[time, unit]`, of time steps from the start of this call; `[trial, time, unit]`;
            a function of the step number (counted from the very start), better one defined once than a new lambda
            each time; or None.
        hyper: step in (0, 1], clamps, and the noise level or temperature that the kernel reads.
        kernel: from this module, or your own.
        state: initial state, `[unit]` or `[trial, unit]` for independent trials; not with `resume`. Computed with in
            the floating-point type of the weights.
        n_steps: how many; may be left out where `drive` is an array.
        rule: a plasticity rule whose updates, times `learning_rate`, are added to the weights after each step, but for
            those from a unit to itself, which stay 0; every trial then has weights of its own. It is for watching a
            rule at work; `stdpjax.learning` trains.
        learning_rate: of the rule, which needs one; None without a rule.
        weight_bounds: least and largest weight, the first at most 0 and the other at least 0; what the rule makes of
            the weights is clipped to them after each step. None for no bounds.
        observe: observers by name, see `stdpjax.observers`; they see each step's sample.
        trace_every: keep the state after every so many steps; must divide `n_steps`.
        resume: where an earlier call of the same settings ended; goes on from there, with a rule from the weights
            that it had reached.
        first_trial: number of the first trial, for a block of a longer trial axis.
        bin_ms: length of a step in ms, or with a unit, above 0, for the time constants of a rule.

    Returns:
        The simulation. Trials that have left the finite numbers are flagged, and the others are not affected.

    Raises:
        ValueError: a parameter out of range, shapes that do not fit, a known state or drive that is not finite, a
            `trace_every` that does not divide, a rule or observers that the resumed run had not, a number that the
            kernel does not read, an option that nothing reads (`learning_rate` without a rule), a drive, kernel or
            rule whose results have another shape, steps or trials beyond 2**32, a sample without what the rule or an
            observer reads (spikes where only rates are simulated), bins or weights that the rule cannot use, or what
            the kernel refuses.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.dynamics import Hyper, leaky_integrator, simulate
        >>> from stdpjax.observers import mean_of
        >>> params = stdpjax.energy.random_params(stdpjax.random.key(0), 8)
        >>> run = simulate(
        ...     stdpjax.random.key(1), params, None, Hyper(step=0.1, noise_std=0.2),
        ...     kernel=leaky_integrator(stdpjax.rates.hard_sigmoid()), state=jnp.zeros((100, 8)), n_steps=50,
        ...     observe={"state": mean_of(lambda sample: sample.next_post_state)})
        >>> run.observed["state"].mean.shape, bool(run.is_finite.all())
        ((100, 8), True)
    """
    key = _checks.key("key", key)
    # The weights that a rule has made of them may have an axis of trials, and are finite only in good trials.
    if resume is None or rule is None:
        check_params(params)
    else:
        _checks.instance("params", params, Params, "weights and biases")
    n_units = params.bias.shape[-1]
    if not isinstance(kernel, CheckedKernel):
        _checks.function("kernel", kernel, "key, state, params, drive, hyper", ", as `leaky_integrator(rate_fn)` gives")
    if resume is not None:
        _checks.instance("resume", resume, Simulation, "a simulation or None")
    observe = _check_observers(observe)
    if (state is None) == (resume is None):
        raise ValueError("state: expected an initial state, or a simulation to resume, got both or neither")
    if resume is not None and tuple(resume.observed) != tuple(observe):
        raise ValueError(f"observe: expected {tuple(resume.observed)}, as before, got {tuple(observe)}")
    if resume is not None and (rule is None) != (resume.rule_state is None):
        raise ValueError(f"rule: expected {'none' if resume.rule_state is None else 'one'}, as before, got {rule!r}")
    start = resume.state if resume is not None else _checks.finite("state", state)  # pyright: ignore[reportArgumentType]
    start = start.astype(params.weights.dtype)
    if start.ndim not in (1, 2) or start.shape[-1] != n_units:
        raise ValueError(f"state: expected shape [unit] or [trial, unit] with {n_units} units, got {start.shape}")
    is_batch = start.ndim == 2
    if callable(drive) or drive is None:
        if drive is not None:
            _checks.function("drive", drive, "step")
        if n_steps is None:
            raise ValueError("n_steps: expected the number of steps, as the drive does not say, got None")
        drive_function, drive_array = drive, None
    else:
        drive_function, drive_array = None, _checks.finite("drive", drive).astype(start.dtype)
        if drive_array.ndim not in (2, 2 + is_batch) or drive_array.shape[-1] != n_units:
            raise ValueError(
                f"drive: expected shape [time, unit] or [trial, time, unit] with {n_units} units and the state's "
                f"trials, got {drive_array.shape}"
            )
        if drive_array.ndim == 3 and drive_array.shape[0] != start.shape[0]:
            raise ValueError(f"drive: expected {start.shape[0]} trials, as the state has, got {drive_array.shape[0]}")
        n_steps = drive_array.shape[-2] if n_steps is None else n_steps
        if drive_array.shape[-2] < _checks.count("n_steps", n_steps):
            raise ValueError(f"drive: expected at least {n_steps} steps, got {drive_array.shape[-2]}")
    n_steps = _checks.count("n_steps", n_steps)
    if trace_every is not None and n_steps % _checks.count("trace_every", trace_every):
        raise ValueError(f"trace_every: expected a divisor of {n_steps} steps, got {trace_every}")
    numbers = check_hyper(hyper, n_units, start.dtype)
    if isinstance(kernel, CheckedKernel):
        kernel.check(params, hyper)
    hyper = numbers
    start = _hold_all(start, hyper.clamps)
    has_rate = learning_rate is not None
    learning_rate = _checks.number("learning_rate", learning_rate if has_rate else 0.0)
    if rule is None and not (_checks.is_concrete(learning_rate) and learning_rate == 0):
        raise ValueError(f"learning_rate without a rule: expected 0, as rules alone learn, got {learning_rate}")
    learning_rate = jnp.asarray(learning_rate, start.dtype)
    if rule is not None:
        # The weights from a unit to itself stay 0, whatever the rule's bounds.
        are_known = resume is None and _checks.is_concrete(params.weights)
        others = np.asarray(params.weights)[~np.eye(n_units, dtype=bool)] if are_known else np.zeros(0)
        bin_ms = check_use(rule, bin_ms, others)
        if not has_rate:
            raise ValueError("learning_rate: expected a number for the rule, got None")
    elif not (_checks.is_concrete(bin_ms) and _checks.milliseconds("bin_ms", bin_ms) == 1):
        raise ValueError(f"bin_ms without a rule: expected 1, as rules alone have time constants in ms, got {bin_ms}")
    bounds = None if weight_bounds is None else _check_bounds(weight_bounds, rule, params.weights)
    first_step = 0 if resume is None else resume.n_steps
    if first_step + n_steps > 2**32:
        raise ValueError(f"n_steps: expected at most 2**32 in all, whose keys differ, got {first_step} + {n_steps}")

    if resume is None:
        carry = _first_carry(start, params.weights, rule, tuple(observe.values()), is_batch)
    else:
        weights = None if rule is None else resume.params.weights
        carry = _Carry(start, weights, resume.rule_state, tuple(resume.observed.values()), resume.is_finite)
    first_trial = _checks.count("first_trial", first_trial, minimum=0)
    if first_trial and not is_batch:
        raise ValueError(f"first_trial: expected 0 for a state without trials, got {first_trial}")
    if is_batch and first_trial + start.shape[0] > 2**32:
        trials = f"{start.shape[0]} trials below 2**32, whose keys differ"
        raise ValueError(f"first_trial: expected the first of {trials}, got {first_trial}")
    keys = member_keys(key, start.shape[0], first_trial) if is_batch else key
    last, trace = _run(
        keys,
        carry,
        params,
        drive_array,
        hyper,
        learning_rate,
        bounds,
        jnp.asarray(bin_ms, start.dtype),
        jnp.asarray(first_step, jnp.uint32),
        kernel=kernel,
        rule=rule,
        observers=tuple(observe.values()),
        n_steps=n_steps,
        trace_every=trace_every,
        drive_function=drive_function,
        is_batch=is_batch,
    )
    return Simulation(
        last.state,
        params if last.weights is None else params._replace(weights=last.weights),
        last.rule_state,
        dict(zip(observe, last.observed, strict=True)),
        trace,
        last.is_finite,
        first_step + n_steps,
    )


def check_hyper(hyper: Hyper, n_units: int, dtype: Any) -> Hyper:
    """Return the numbers as arrays of a dtype, refusing what no simulation can use.

    Raises:
        ValueError: a step outside (0, 1], a negative noise or temperature, or clamps as in `check_clamps`.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> float(stdpjax.dynamics.check_hyper(stdpjax.dynamics.Hyper(0.5), 2, jnp.float32).temperature)
        1.0
    """
    hyper = _checks.instance("hyper", hyper, Hyper, "a `stdpjax.dynamics.Hyper`").filled()
    clamps = check_clamps(hyper.clamps, n_units, dtype)
    step = _checks.number("step", hyper.step, above=0, at_most=1)
    noise_std = _checks.number("noise_std", hyper.noise_std, at_least=0)
    temperature = _checks.number("temperature", hyper.temperature, at_least=0)
    return Hyper(jnp.asarray(step, dtype), jnp.asarray(noise_std, dtype), jnp.asarray(temperature, dtype), clamps)


def _first_carry(
    start: Float[Array, "*trial unit"],
    weights: Float[Array, "post pre"],
    rule: Rule | None,
    observers: tuple[Observer, ...],
    is_batch: bool,
) -> _Carry:
    def first(state: Float[Array, "unit"]) -> _Carry:
        rule_state = None if rule is None else rule.init(weights)
        observed = tuple(observer.init(state) for observer in observers)
        return _Carry(state, None if rule is None else weights, rule_state, observed, jnp.asarray(True))

    return jax.vmap(first)(start) if is_batch else first(start)


@partial(
    jax.jit,
    static_argnames=("kernel", "rule", "observers", "n_steps", "trace_every", "drive_function", "is_batch"),
)
def _run(keys, carry, params, drive, hyper, learning_rate, bounds, bin_ms, first_step, *, is_batch, **static):
    one = partial(_run_trial, **static)
    if is_batch:
        drive_axis = 0 if drive is not None and drive.ndim == 3 else None
        one = jax.vmap(one, in_axes=(0, 0, None, drive_axis, None, None, None, None, None))
    return one(keys, carry, params, drive, hyper, learning_rate, bounds, bin_ms, first_step)


def _run_trial(
    key: Key[Array, ""],
    carry: _Carry,
    params: Params,
    drive: Float[Array, "time unit"] | None,
    hyper: Hyper,
    learning_rate: Float[Array, ""],
    bounds: tuple[Float[Array, ""], Float[Array, ""]] | None,
    bin_ms: Float[Array, ""],
    first_step: UInt32[Array, ""],
    *,
    kernel: Kernel,
    rule: Rule | None,
    observers: tuple[Observer, ...],
    n_steps: int,
    trace_every: int | None,
    drive_function: Callable[[UInt32[Array, ""]], Float[Array, "unit"]] | None,
) -> tuple[_Carry, Float[Array, "time unit"] | None]:
    def one_step(carry: _Carry, index: UInt32[Array, ""]) -> tuple[_Carry, None]:
        number = first_step + index
        if drive is not None:
            now = drive[index]
        else:
            now = None if drive_function is None else _drive_at(number, drive_function, carry.state)
        now_params = params if carry.weights is None else params._replace(weights=carry.weights)
        step = kernel.run if isinstance(kernel, CheckedKernel) else kernel
        made = step(jax.random.fold_in(key, number), carry.state, now_params, now, hyper)
        state, sample = _check_made(made, carry.state)
        observed = tuple(
            observer.update(sample, statistics) for observer, statistics in zip(observers, carry.observed, strict=True)
        )
        weights, rule_state = carry.weights, carry.rule_state
        is_finite = carry.is_finite & jnp.all(jnp.isfinite(state))
        if rule is not None:
            delta_w, rule_state = change_by(rule, sample._replace(bin_ms=bin_ms), rule_state, now_params.weights)
            weights = now_params.weights + learning_rate * jnp.where(_itself(delta_w), 0.0, delta_w)
            if bounds is not None:
                weights = jnp.clip(weights, *bounds)
            is_finite = is_finite & jnp.all(jnp.isfinite(weights))
        return _Carry(state, weights, rule_state, observed, is_finite), None

    indices = jnp.arange(n_steps, dtype=jnp.uint32)
    if trace_every is None:
        return jax.lax.scan(one_step, carry, indices)

    def stretch(carry: _Carry, indices: UInt32[Array, "step"]) -> tuple[_Carry, Float[Array, "unit"]]:
        carry, _ = jax.lax.scan(one_step, carry, indices)
        return carry, carry.state

    return jax.lax.scan(stretch, carry, indices.reshape(-1, trace_every))


def _check_bounds(
    bounds: tuple[float | Array, float | Array], rule: Rule | None, weights: Array
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    if rule is None:
        raise ValueError("weight_bounds: expected None without a rule, which alone changes weights, got bounds")
    if not isinstance(bounds, tuple | list) or len(bounds) != 2:
        raise ValueError(f"weight_bounds: expected the least and the largest weight, got {bounds!r}")
    # Within them 0, where the diagonal stays.
    low = _checks.number("weight_bounds", bounds[0], at_most=0)
    high = _checks.number("weight_bounds", bounds[1], at_least=0)
    if all(_checks.is_concrete(part) for part in (low, high, weights)):
        numbers = np.asarray(weights)
        least, largest = numbers.min(initial=0), numbers.max(initial=0)
        if least < np.asarray(low, numbers.dtype) or largest > np.asarray(high, numbers.dtype):
            raise ValueError(f"weight_bounds: expected weights within them, got some from {least:g} to {largest:g}")
    return jnp.asarray(low, weights.dtype), jnp.asarray(high, weights.dtype)


def _check_observers(observe: Mapping[str, Observer] | None) -> dict[str, Observer]:
    if observe is None:
        return {}
    _checks.instance("observe", observe, Mapping, "observers by name or None")
    for name, observer in observe.items():
        expected = "an observer, as `stdpjax.observers.mean_of(function)` gives"
        _checks.instance(f"observe {name!r}", observer, Observer, expected)
    return dict(observe)


def _drive_at(
    number: UInt32[Array, ""], drive: Callable[[UInt32[Array, ""]], Float[Array, "unit"]], state: Float[Array, "unit"]
) -> Float[Array, "unit"]:
    return _drive_for(state, drive(number), "a function that gives ")


def _drive_for(state: Float[Array, "unit"], drive: _checks.ArrayLike, source: str = "") -> Float[Array, "unit"]:
    """Return a drive of one step as an array like the state."""
    now = _checks.finite("drive", drive)
    if now.shape != state.shape:
        raise ValueError(f"drive: expected {source}shape {state.shape}, one number for each unit, got {now.shape}")
    return now.astype(state.dtype)


def _check_made(made: Any, state: Float[Array, "unit"]) -> tuple[Float[Array, "unit"], Sample]:
    """Refuse what a kernel has made of a state, if it is not the next one and a sample."""
    if not isinstance(made, tuple) or len(made) != 2 or not isinstance(made[1], Sample):
        raise ValueError(f"kernel: expected it to return the next state and a `rules.Sample`, got {made!r}")
    if (made[0].shape, made[0].dtype) != (state.shape, state.dtype):
        raise ValueError(
            f"kernel: expected a next state of shape {state.shape} and dtype {state.dtype}, got {made[0].shape} and "
            f"{made[0].dtype}"
        )
    return made


def _itself(matrix: Float[Array, "post pre"]) -> Bool[Array, "post pre"]:
    return jnp.eye(matrix.shape[0], dtype=bool)


def _hold_all(state: Float[Array, "*trial unit"], clamps: Clamps) -> Float[Array, "*trial unit"]:
    return hold_state(state, clamps) if state.ndim == 1 else jax.vmap(hold_state, in_axes=(0, None))(state, clamps)


def _normal(key: Key[Array, ""], state: Float[Array, "unit"], level: float | Array) -> Float[Array, "unit"]:
    """Return normal noise for each unit; `level` is any finite number."""

    def draw(level: float | Array) -> Float[Array, "unit"]:
        del level
        return jax.random.normal(key, state.shape, state.dtype)

    def draw_once(level: float | Array) -> Float[Array, "unit"]:
        # On a CPU, XLA would draw again in every loop that reads the noise. Nothing fuses across a condition, even
        # one that always holds.
        return jax.lax.cond(jnp.isfinite(level), draw, lambda _: jnp.full_like(state, jnp.nan), level)

    return jax.lax.platform_dependent(level, cpu=draw_once, default=draw)


def _driven(params: Params, drive: Float[Array, "unit"] | None) -> Params:
    return params if drive is None else params._replace(bias=params.bias + drive)


def _emit(
    state: Float[Array, "unit"], next_state: Float[Array, "unit"], rate_fn: RateFunction, hyper: Hyper
) -> tuple[Float[Array, "unit"], Sample]:
    next_state = hold_state(next_state, hyper.clamps)
    return next_state, Sample(
        post_state=state,
        next_post_state=next_state,
        pre_rate=rate_fn.value(state),
        post_slope=rate_fn.slope(state),
    )
