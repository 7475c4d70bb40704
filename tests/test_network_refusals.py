"""What the network's functions refuse, and how they say so."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import clamps, dynamics, energy, fixed_points, objectives, rates, rules
from stdpjax.dynamics import (
    HeatHyper,
    Kernel,
    Langevin,
    LeakyIntegrator,
    MetropolisLangevin,
    NoiseHyper,
    NoisyIntegrator,
    PrintedIntegrator,
    SpikingIntegrator,
    StepHyper,
)
from stdpjax.energy import Params
from stdpjax.observers import autocovariance_of, histogram_of, mean_of
from stdpjax.random import key as make_key

RHO, SMOOTH = rates.hard_sigmoid(), rates.sigmoid()
ZERO = jnp.zeros(2)
GOOD = energy.make_params([[0.0, 0.5], [0.5, 0.0]])
UNTIED = Params(jnp.array([[0.0, 0.5], [0.2, 0.0]]), ZERO)
SELF = Params(jnp.array([[0.1, 0.5], [0.5, 0.0]]), ZERO)
NAN = jnp.array([0.0, np.nan])
MASK = [True, False]
HELD = clamps.clamp_state(MASK, 0.1)
FOR_THREE = clamps.clamp_state([True, False, False], 0.1)
METROPOLIS = MetropolisLangevin(RHO)


# As users without annotations call them.
swapped: Any = dynamics.simulate
kernel_of: Any = LeakyIntegrator
untyped_mean_of: Any = mean_of
by_hand: Any = clamps.StateClamp
softly_by_hand: Any = clamps.SoftClamp
energy_of: Any = lambda function: function  # noqa: E731


pytestmark = pytest.mark.usefixtures("no_annotations")


def run(hyper: Any = None, *, params: Any = GOOD, kernel: Any = None, state: Any = ZERO, n_steps: Any = 2, **options):
    kernel = kernel or NoisyIntegrator(RHO)
    if "rule" in options:
        options.setdefault("learning_rate", 0.1)
    hyper = kernel.Hyper() if hyper is None else hyper
    return dynamics.simulate(make_key(0), params, kernel, hyper, state=state, n_steps=n_steps, **options)


def gives(made: Any) -> Kernel:
    class Wrong(Kernel):
        def __call__(self, key, state, field, hyper):
            return made

    return Wrong(RHO)


@dataclass(frozen=True)
class Listed(LeakyIntegrator):
    numbers: Any


def rule_of(update):
    return rules.Rule(lambda weights: (), lambda sample, rule_state, weights: (update(sample, weights), ()))


def one_step(drive: Any):
    return dynamics.advance(make_key(0), GOOD, LeakyIntegrator(RHO), StepHyper(0.5), state=ZERO, drive=drive)[0]


def matching(**options):
    return objectives.score_matching(GOOD, jnp.zeros((3, 2)), **{"rate_fn": SMOOTH, **options})


REFUSED = [
    # weights and biases
    (lambda: energy.make_params(np.zeros((2, 3))), r"weights: expected a square matrix .* got shape \(2, 3\)"),
    (lambda: energy.make_params(0.5), r"weights: expected a square matrix"),
    (lambda: energy.make_params(UNTIED.weights), r"weights: expected a symmetric matrix .* differ by 0\.3"),
    (lambda: energy.make_params(SELF.weights), r"weights: expected 0 on the diagonal, got 1 units"),
    (lambda: energy.make_params(np.full((2, 2), np.nan)), r"weights: expected finite numbers, got 4 of 4"),
    (lambda: energy.make_params(np.zeros((2, 2)), [1.0]), r"bias: expected one number for each of 2 units"),
    (lambda: energy.make_params(np.zeros((2, 2)), [1.0, np.inf]), r"bias: expected finite numbers, got 1 of 2"),
    (lambda: energy.random_params(make_key(0), 0), r"n_units: expected a whole number of at least 1, got 0"),
    *[
        (lambda f=f: f(UNTIED, ZERO, RHO), "weights: expected a symmetric matrix")
        for f in (energy.energy, energy.gradient, energy.hessian)
    ],
    *[
        (lambda f=f: f(SELF, ZERO, RHO), "weights: expected 0 on the diagonal")
        for f in (energy.energy, energy.target, energy.target_jacobian, fixed_points.relax)
    ],
    *[
        (lambda f=f: f(GOOD, NAN, RHO), "state: expected finite numbers, got 1 of 2")
        for f in (energy.energy, energy.target, energy.gradient, energy.hessian, fixed_points.relax)
    ],
    *[
        (lambda f=f: f(GOOD, jnp.zeros(3), RHO), r"state: expected shape \(2,\), .* got \(3,\)")
        for f in (energy.energy, energy.target, energy.gradient, energy.hessian, fixed_points.relax)
    ],
    # rate functions
    *[
        (lambda f=f, at=at: f(at), "threshold: expected a finite number above -1 and below 0, got")
        for f in (rates.hard_sigmoid, lambda at: rates.smoothed_hard_sigmoid(0.1, at))
        for at in (0.0, -1.0, 0.5, np.nan)
    ],
    # numbers of the dynamics
    *[
        (lambda step=step: run(NoiseHyper(step)), "step: expected a finite number above 0 and at most 1, got")
        for step in (0.0, -0.1, 1.1, np.nan)
    ],
    (lambda: run(NoiseHyper(noise_std=-0.1)), r"noise_std: expected a finite number at least 0, got -0\.1"),
    (
        lambda: run(HeatHyper(temperature=-1.0), kernel=Langevin(RHO)),
        r"temperature: expected a finite number at least 0, got -1\.0",
    ),
    (
        lambda: run(HeatHyper(temperature=0.0), kernel=METROPOLIS),
        "temperature: expected a finite number above 0, got 0",
    ),
    (
        lambda: dynamics.advance(make_key(0), GOOD, METROPOLIS, HeatHyper(temperature=0), state=ZERO),
        "temperature: expected a finite",
    ),
    (lambda: run(kernel=METROPOLIS, params=UNTIED), "weights: expected a symmetric matrix"),
    (
        lambda: run(clamps=(clamps.clamp_input(MASK, 0.1),), kernel=METROPOLIS),
        "clamps: expected clamps that have an energy .* got InputClamp",
    ),
    # clamps
    (lambda: clamps.clamp_state([1, 0], 0.1), "mask: expected one truth value for each unit, got dtype int64"),
    (lambda: clamps.clamp_state([MASK], 0.1), r"mask: expected one truth value .* shape \(1, 2\)"),
    (lambda: clamps.clamp_input(MASK, [0.1, 0.2, 0.3]), r"value: expected the shape of mask, \(2,\), got \(3,\)"),
    (lambda: clamps.clamp_input(MASK, np.nan), "value: expected finite numbers"),
    (lambda: clamps.clamp_softly(MASK, 0.1, np.inf), "strength: expected a finite number, got inf"),
    (lambda: run(clamps=(FOR_THREE,)), r"clamps: expected a mask for each of 2 units, got shape \(3,\)"),
    (lambda: fixed_points.relax(GOOD, ZERO, RHO, clamps=(FOR_THREE,)), "clamps: expected a mask for each of 2"),
    # states, drives and the rest of a run
    (lambda: run(state=NAN), "state: expected finite numbers, got 1 of 2"),
    (lambda: run(state=jnp.zeros(3)), r"state: expected shape \[unit\] or .* 2 units, got \(3,\)"),
    (lambda: run(state=jnp.zeros((1, 1, 2))), r"state: expected shape .* got \(1, 1, 2\)"),
    (lambda: run(state=None), "state: expected an initial state, or .* got both or neither"),
    (lambda: run(params=SELF), "weights: expected 0 on the diagonal"),
    (lambda: run(params=GOOD._replace(weights=jnp.zeros((3, 2, 2)))), r"weights: .* got shape \(3, 2, 2\)"),
    (lambda: run(drive=jnp.zeros((2, 3))), r"drive: expected shape \[time, unit\] .* got \(2, 3\)"),
    (lambda: run(drive=jnp.zeros(2)), r"drive: expected shape .* got \(2,\)"),
    (lambda: run(drive=jnp.zeros((1, 2, 2))), r"drive: expected shape .* got \(1, 2, 2\)"),
    (lambda: run(drive=jnp.zeros((4, 2, 2)), state=jnp.zeros((3, 2))), "drive: expected 3 trials, .* got 4"),
    (lambda: run(drive=jnp.zeros((1, 2))), "drive: expected at least 2 steps, got 1"),
    (lambda: run(drive=jnp.full((2, 2), np.nan)), "drive: expected finite numbers"),
    (lambda: run(n_steps=None), "n_steps: expected the number of steps"),
    (lambda: run(n_steps=0), "n_steps: expected a whole number of at least 1, got 0"),
    (lambda: run(n_steps=5, trace_every=2), "trace_every: expected a divisor of 5 steps, got 2"),
    (lambda: run(first_trial=-1, state=jnp.zeros((1, 2))), "first_trial: expected a whole number of at least 0"),
    (lambda: run(learning_rate=np.nan, rule=rules.differential_rule()), "learning_rate: expected a finite number"),
    (lambda: run(state=None, resume=run(), rule=rules.differential_rule()), "rule: expected none, as before, got"),
    (
        lambda: run(state=None, resume=run(), observe={"mean": mean_of(lambda sample: sample.post_state)}),
        r"observe: expected \(\), as before, got \('mean',\)",
    ),
    (lambda: run(rule=rules.differential_rule("current", "spikes")), "pre_spikes: expected a sample that has it"),
    # numbers that a kernel does not read
    *[
        (lambda make=make, hyper=hyper: run(hyper, kernel=make(RHO)), f"hyper: expected a `{make.__name__}.Hyper` of ")
        for make, hyper in (
            (Langevin, NoiseHyper(noise_std=0.3)),
            (MetropolisLangevin, NoiseHyper()),
            (SpikingIntegrator, NoiseHyper(noise_std=0.3)),
            (SpikingIntegrator, HeatHyper(temperature=0.5)),
            (NoisyIntegrator, HeatHyper()),
            (PrintedIntegrator, HeatHyper(temperature=0.5)),
            (LeakyIntegrator, NoiseHyper(noise_std=0.3)),
        )
    ],
    (
        lambda: dynamics.advance(make_key(0), GOOD, Langevin(RHO), NoiseHyper(noise_std=0.3), state=ZERO),
        "hyper: expected a `Langevin.Hyper` of step, temperature alone, got NoiseHyper",
    ),
    # things that are something else
    (
        lambda: run(StepHyper(), kernel=LeakyIntegrator),
        r"kernel: expected .* call it: `LeakyIntegrator\(",
    ),
    (lambda: run(StepHyper(), kernel=RHO), "kernel: expected a `stdpjax.dynamics.Kernel`"),
    (lambda: run(rule=rules.differential_rule), "rule: expected a plasticity rule, got <function differential_rule"),
    (lambda: run(rule=rules.pair_rule), "rule: expected a plasticity rule, got <function pair_rule"),
    (lambda: kernel_of(rates.sigmoid), "rate_fn: expected a rate function, as .* got <function"),
    (lambda: run(observe={"mean": mean_of}), "observe 'mean': expected an observer, as .* got <function mean_of"),
    (lambda: run(observe=[mean_of(lambda sample: sample.post_state)]), "observe: expected observers by name or None"),
    (lambda: untyped_mean_of(lambda: 0.0), r"function: expected a function of \(sample\), got"),
    (
        lambda: swapped(GOOD, make_key(0), METROPOLIS, HeatHyper(), state=ZERO, n_steps=1),
        "key: expected a key",
    ),
    (
        lambda: swapped(0, GOOD, METROPOLIS, HeatHyper(), state=ZERO, n_steps=1),
        r"key: expected a key, .* got 0; for a seed, give `stdpjax\.random\.key\(seed\)`",
    ),
    (lambda: run(params=make_key(0)), "params: expected weights and biases, as .* got an array"),
    (lambda: run(NoiseHyper("fast")), "step: expected a finite number above 0 and at most 1, got 'fast'"),
    (lambda: run(hyper=0.1), r"hyper: expected a `NoisyIntegrator\.Hyper` of step, noise_std alone, got 0\.1"),
    (lambda: run(clamps=HELD), "clamps: expected a tuple of clamps, see stdpjax.clamps, got StateClamp"),
    # what has another shape
    (lambda: run(drive=lambda t: jnp.zeros(3)), r"drive: expected a function that gives shape \(2,\), .* got \(3,\)"),
    (lambda: run(drive=lambda t: 0.1), r"drive: expected a function that gives shape \(2,\), .* got \(\)"),
    (lambda: run(drive=lambda: ZERO), r"drive: expected a function of \(step\), got"),
    *[
        (lambda made=made: run(kernel=gives(made)), r"kernel: expected it to return the next state, or .* \(2,\)")
        for made in (jnp.zeros(3), (jnp.zeros(3), "info"), jnp.zeros(2, jnp.int32), None, (ZERO, "info", "more"))
    ],
    (lambda: run(kernel=Listed(RHO, [0.1])), r"kernel: expected a frozen dataclass of values .* got \[0\.1\]"),
    (lambda: run(kernel=Kernel(RHO)), r"kernel: expected a class with a __call__, got Kernel"),
    *[
        (lambda update=update: run(rule=rule_of(update)), rf"rule: expected a delta_w .* \(2, 2\), got {got}")
        for update, got in (
            (lambda sample, weights: sample.post_state, r"\(2,\)"),
            (lambda sample, weights: jnp.zeros(()), r"\(\)"),
            (lambda sample, weights: weights[None], r"\(1, 2, 2\)"),
        )
    ],
    (lambda: run(rule=rules.pair_rule(1.0, -1.0, 10.0, 10.0)), "spikes: expected a sample that has it"),
    # half precision, and weights that would make the states whole numbers
    *[
        (
            lambda dtype=dtype: run(params=Params(jnp.zeros((2, 2), dtype), jnp.zeros(2, dtype))),
            f"params.weights: expected an array of single or double precision, got dtype {dtype}",
        )
        for dtype in ("bfloat16", "float16", "int32")
    ],
    # options that nothing reads
    (
        lambda: run(rule=rules.differential_rule(), learning_rate=None),
        "learning_rate: expected a number for the rule, got None",
    ),
    (lambda: run(learning_rate=0.1), r"learning_rate without a rule: expected 0, .* got 0\.1"),
    (lambda: run(first_trial=2), "first_trial: expected 0 for a state without trials, got 2"),
    (
        lambda: run(rule=rules.differential_rule(), weight_bounds=(-0.1, 0.1)),
        "weight_bounds: expected weights within them, got some from 0 to 0.5",
    ),
    (lambda: run(trace_every=1, trace_weights=True), "trace_weights: expected a rule, .* got True"),
    (lambda: run(rule=rules.differential_rule(), trace_weights=True), "trace_weights: expected .* trace_every, got"),
    # observers
    (
        lambda: run(observe={"accepted": mean_of(lambda sample: sample.info.is_accepted)}),
        "function: expected one that does without .*info, inputs, which the samples lack",
    ),
    (lambda: mean_of(lambda sample: sample.post_state, burn_in=-1), "burn_in: expected a whole number of at least 0"),
    (
        lambda: run(observe={"mean": autocovariance_of(lambda sample: sample.post_state[0], 1)}),
        r"function: expected a signal of shape \[unit\], got shape \(\)",
    ),
    (lambda: autocovariance_of(lambda sample: sample.post_state, -1), "max_lag: expected a whole number"),
    (lambda: histogram_of(lambda sample: sample.post_state, 1.0, 0.0, 3), "high: expected a finite number above 1"),
    (lambda: histogram_of(lambda sample: sample.post_state, np.nan, 0.0, 3), "low: expected a finite number"),
    (lambda: histogram_of(lambda sample: sample.post_state, 0.0, 1.0, 0), "n_bins: expected a whole number"),
    (
        lambda: run(observe={"spikes": mean_of(lambda sample: sample.pre_spikes)}),
        "function: expected a signal that the samples have, got None",
    ),
    (
        lambda: run(
            observe={
                "phase": autocovariance_of(lambda sample: jax.lax.complex(sample.post_state, sample.post_state), 1)
            }
        ),
        "function: expected one that gives an array of real numbers",
    ),
    (
        lambda: run(
            observe={
                "phase": histogram_of(lambda sample: jax.lax.complex(sample.post_state, sample.post_state), 0.0, 1.0, 2)
            }
        ),
        "function: expected one that gives an array of real numbers",
    ),
    # by hand
    (lambda: run(clamps=(by_hand([1, 0], ZERO),)), r"clamps\[0\]\.mask: expected one truth value"),
    (
        lambda: fixed_points.spectral_stability(GOOD, ZERO, RHO, 0.1, (by_hand(jnp.array([1, 0]), ZERO),)),
        r"clamps\[0\]\.mask: expected one truth value",
    ),
    (
        lambda: fixed_points.relax(GOOD, ZERO, RHO, clamps=(softly_by_hand(MASK, [0.0, np.nan], 1.0),)),
        r"clamps\[0\]\.value: expected finite numbers",
    ),
    (
        lambda: fixed_points.relax(GOOD, ZERO, RHO, clamps=(softly_by_hand(MASK, ZERO, np.inf),)),
        r"clamps\[0\]\.strength: expected a finite number",
    ),
    (lambda: one_step([0.1, np.nan]), "drive: expected finite numbers, got 1 of 2"),
    (lambda: one_step([0.1]), r"drive: expected shape \(2,\), one number for each unit, got \(1,\)"),
    (
        lambda: run(state=jnp.zeros((2, 2)), first_trial=2**32 - 1),
        r"first_trial: expected the first of 2 trials below 2\*\*32, .* got 4294967295",
    ),
    (lambda: run(state=jnp.zeros((1, 2)), first_trial=2**32), r"first_trial: expected the first of 1 trials"),
    (
        lambda: run(state=None, resume=run()._replace(n_steps=2**32 - 1)),
        r"n_steps: expected at most 2\*\*32 in all, .* got 4294967295 \+ 2",
    ),
    # fixed points
    (lambda: fixed_points.relax(GOOD, ZERO, RHO, step=1.5), "step: expected a finite number above 0 and at most 1"),
    (lambda: fixed_points.relax(GOOD, ZERO, RHO, tolerance=0.0), "tolerance: expected a finite number above 0"),
    (lambda: fixed_points.relax(GOOD, ZERO, RHO, max_steps=0), "max_steps: expected a whole number of at least 1"),
    (lambda: fixed_points.relax(GOOD, ZERO, SMOOTH, form="clip"), "form: expected 'gradient' for a rate function"),
    (
        lambda: fixed_points.relax(GOOD, ZERO, RHO, clamps=(clamps.clamp_softly(MASK, 0.9, 1.0),)),
        r"clamps: expected soft clamps with values between the kinks, -0\.5 and 0\.5, .* got 1 outside",
    ),
    (
        lambda: fixed_points.relax(GOOD, ZERO, RHO, clamps=(clamps.clamp_softly(MASK, 0.1, -1.0),)),
        "strength: expected a finite number above -1",
    ),
    (lambda: fixed_points.spectral_stability(GOOD, ZERO, RHO, 0.0), "step: expected a finite number above 0"),
    (
        lambda: fixed_points.relaxation_time(fixed_points.spectral_stability(GOOD, ZERO, RHO, 0.1), 2.0),
        "step: expected a finite number above 0 and at most 1, got 2.0",
    ),
    # objectives
    (lambda: objectives.stdp_objective(GOOD, ZERO, jnp.zeros((2, 2)), RHO, 2.0), "step: expected a finite number"),
    (lambda: objectives.stdp_objective(GOOD, ZERO, jnp.zeros((1, 2)), RHO, 0.1), r"noise: expected shape \(2, 2\)"),
    (lambda: objectives.stdp_objective(GOOD, NAN, jnp.zeros((2, 2)), RHO, 0.1), "state: expected finite numbers"),
    (lambda: objectives.prediction_error(GOOD, ZERO, jnp.zeros(2), jnp.zeros(2), RHO, 0.0), "step: expected a finite"),
    (lambda: objectives.condition_1(lambda p, s: s[0], GOOD, ZERO, RHO, 0.0), "step: expected a finite number"),
    (lambda: matching(temperature=0.0), "temperature: expected a finite number above 0, got 0"),
    (lambda: matching(rate_fn=RHO), "kink_density: expected the data's density .* got None"),
    (lambda: matching(rate_fn=RHO, kink_density=jnp.zeros((3, 2, 1))), r"kink_density: expected shape \(3, 2, 2\)"),
    (lambda: matching(kink_density=jnp.zeros((3, 2, 2))), "kink_density: expected None for a rate function without"),
    (
        lambda: matching(rate_fn=RHO, correction="dropped", kink_density=jnp.zeros((3, 2, 2))),
        "kink_density: expected None without a second derivative",
    ),
    (
        lambda: objectives.condition_2(energy_of(lambda p, s: s), GOOD, ZERO, RHO),
        "energy_fn: expected .* one real number, got",
    ),
    (
        lambda: objectives.condition_1(energy_of(lambda p, s: s), GOOD, ZERO, RHO, 0.1),
        "energy_fn: expected .* one real number",
    ),
    (
        lambda: objectives.condition_3(energy_of(lambda p, s: jax.lax.complex(s[0], s[0])), GOOD, ZERO),
        "energy_fn: expected .* one real number",
    ),
    (
        lambda: objectives.condition_3(energy_of(lambda p, s: None), GOOD, ZERO),
        "energy_fn: expected .* one real number, got None",
    ),
    (lambda: objectives.score_matching(UNTIED, jnp.zeros((3, 2)), SMOOTH), "weights: expected a symmetric matrix"),
    (lambda: objectives.score_matching(GOOD, jnp.zeros((3, 3)), SMOOTH), r"states: expected shape .* got \(3, 3\)"),
    (lambda: objectives.score_matching(GOOD, NAN[None], SMOOTH), "states: expected finite numbers, got 1 of 2"),
    (
        lambda: objectives.conditional_density(GOOD, jnp.zeros((3, 2)), ZERO, SMOOTH),
        "rate_fn: expected a rate function with kinks, got one without",
    ),
    (
        lambda: objectives.conditional_density(GOOD, jnp.zeros((3, 2)), ZERO, RHO, -1.0),
        "temperature: expected a finite number above 0",
    ),
    (lambda: objectives.kernel_density_at_kinks(jnp.zeros((3, 2)), SMOOTH, 0.1), "rate_fn: expected a rate function"),
    (lambda: objectives.kernel_density_at_kinks(jnp.zeros((3, 2)), RHO, 0.0), "bandwidth: expected a finite number"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message) as refusal:
        call()
    assert ": expected " in str(refusal.value)
    assert " got " in str(refusal.value)


def test_a_kernel_takes_a_list_as_its_drive():
    np.testing.assert_allclose(one_step([0.1, 0.0]), [0.5 * (0.25 + 0.1), 0.5 * 0.25], rtol=1e-6)


def test_edges_are_accepted():
    run(NoiseHyper(1.0, 0.0))
    run(HeatHyper(1.0, temperature=0.0), kernel=Langevin(RHO))
    run(clamps=(HELD,), kernel=METROPOLIS)
    energy.target(UNTIED, ZERO, RHO)
    fixed_points.relax(UNTIED, ZERO, RHO, step=1.0)
    assert float(jax.jit(lambda state: energy.energy(GOOD, state, RHO))(NAN)) != 0  # NaN, but a traced one
