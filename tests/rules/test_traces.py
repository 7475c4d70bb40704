"""Rules of traces: bins, whole trains and single events against plain Python over pairs and triplets of spikes."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stdpjax import rules
from stdpjax.rules import (
    SCHEMES,
    Sample,
    event_updates,
    event_weight_change,
    expected_updates,
    merge_spike_times,
    pair_rule,
    suppression_rule,
    trace_rule,
    train_updates,
    triplet_rule,
)
from tests.rules.families import FAMILIES, READINGS, binned, rule_and_reference, times_of
from tests.tracing import is_traced, may_be_traced, watched

N_STEPS, N_PRE, N_POST, BIN_MS = 30, 2, 2, 0.5
reading = st.sampled_from(READINGS)
seeds, densities = st.integers(0, 2**32 - 1), st.floats(0.0, 1.0)


def random_spikes(seed, density, n=N_PRE + N_POST):
    return np.random.default_rng(seed).random((N_STEPS, n)) < density


@partial(jax.jit, static_argnums=0)
def step_through(rule, spikes):
    """Changes of all synapses in each bin."""
    weights = jnp.zeros((N_POST, N_PRE))

    def step(state, now):
        sample = Sample(jnp.zeros(N_POST), jnp.zeros(N_POST), jnp.zeros(N_PRE), now[:N_PRE], now[N_PRE:], bin_ms=BIN_MS)
        delta_w, state = rule.update(sample, state, weights)
        return state, delta_w

    return jax.lax.scan(step, rule.init(weights), spikes)[1]


@settings(max_examples=50, deadline=None)
@given(seeds, densities, reading)
def test_steps_and_whole_trains_equal_pairs_and_triplets_in_plain_python(seed, density, which):
    rule, reference = rule_and_reference(*which)
    spikes = random_spikes(seed, density)
    steps = step_through(rule, spikes)
    whole = train_updates(rule, *np.broadcast_arrays(spikes.T[:N_PRE, None], spikes.T[None, N_PRE:]), bin_ms=BIN_MS)
    for i in range(N_POST):
        for j in range(N_PRE):
            trains = times_of(spikes[:, j], BIN_MS), times_of(spikes[:, N_PRE + i], BIN_MS)
            expected = binned(reference(*trains), N_STEPS, BIN_MS)
            np.testing.assert_allclose(steps[:, i, j], expected, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(whole[j, i], expected, rtol=1e-4, atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(seeds, st.floats(0.0, 0.8), reading, st.floats(0.1, 10.0))
def test_events_equal_pairs_and_triplets_at_any_times(seed, density, which, scale):
    rule, reference = rule_and_reference(*which)
    spikes = random_spikes(seed, density, 2)
    # Anywhere, but some of the spikes at one time.
    moments = np.cumsum(np.random.default_rng(seed + 1).exponential(scale, N_STEPS))
    pre, post = moments[spikes[:, 0]], moments[spikes[:, 1]]
    updates = np.zeros(N_STEPS)
    # Events without spikes change nothing: all sequences have one length.
    updates[:] = event_updates(rule, moments, spikes[:, 0], spikes[:, 1])
    changes = reference(pre.tolist(), post.tolist())
    np.testing.assert_allclose(updates, [changes.get(t, 0.0) for t in moments], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("which", READINGS)
def test_events_at_bins_equal_the_train(which):
    rule, _ = rule_and_reference(*which)
    spikes = random_spikes(1, 0.4, 2)
    events = merge_spike_times(*(times_of(train, BIN_MS) for train in spikes.T))
    in_bins = train_updates(rule, spikes[:, 0], spikes[:, 1], bin_ms=BIN_MS)
    np.testing.assert_allclose(
        event_updates(rule, *events), in_bins[(events.times / BIN_MS).astype(int)], rtol=1e-4, atol=1e-6
    )


# The presynaptic neuron at 10 and 20 ms, the postsynaptic one at 20 ms: NEST's example for Morrison et al.'s schemes.
@pytest.mark.parametrize("scheme", [scheme for scheme in SCHEMES if scheme != "all_to_all"])
def test_the_worked_case_of_a_coincidence_gives_one_pair(scheme):
    rule = pair_rule(1.0, 1.0, 10.0, 10.0, scheme)
    events = merge_spike_times([10.0, 20.0], [20.0])
    np.testing.assert_allclose(event_updates(rule, *events), [0, np.exp(-1)], rtol=1e-6)
    # With lag 0 counted the same spikes make more of it.
    after = pair_rule(1.0, 0.0, 10.0, 10.0, scheme, "read_after")
    assert float(event_weight_change(after, *events)) > 0.99


def test_schemes_differ_where_they_should():
    # pre 0, 4, 6 and post 5, 7, 8: pairs by hand, weighted by nothing but their number.
    events = merge_spike_times([0.0, 4.0, 6.0], [5.0, 7.0, 8.0])
    potentiations = {"all_to_all": 8, "nearest_symmetric": 3, "presynaptic_centred": 3, "reduced_symmetric": 2}
    for scheme in SCHEMES:
        up = event_weight_change(pair_rule(1.0, 0.0, 1e9, 1e9, scheme), *events)
        both = event_weight_change(pair_rule(1.0, 1.0, 1e9, 1e9, scheme), *events)
        assert float(up) == pytest.approx(potentiations[scheme], rel=1e-6)
        assert float(up - both) == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_gradients_by_all_numbers_and_by_times_equal_finite_differences(name):
    family = FAMILIES[name]
    spikes = random_spikes(3, 0.4, 2)
    with jax.enable_x64(True):
        moments = jnp.asarray(np.cumsum(np.random.default_rng(4).exponential(2.0, N_STEPS)))
        for scheme in family.schemes:

            def change(numbers, moments, scheme=scheme):
                rule = family.make(*(numbers[i] for i in range(len(family.numbers))), scheme=scheme)
                return event_weight_change(rule, moments, spikes[:, 0], spikes[:, 1])

            numbers = jnp.asarray(family.numbers)
            change = jax.jit(change)
            by_number, by_time = jax.grad(change, argnums=(0, 1))(numbers, moments)
            for i in range(len(family.numbers)):
                h = 1e-6 * jnp.eye(len(family.numbers))[i]
                measured = (change(numbers + h, moments) - change(numbers - h, moments)) / 2e-6
                assert float(by_number[i]) == pytest.approx(float(measured), rel=1e-6, abs=1e-8)
            for i in (1, 7, N_STEPS - 1):
                h = 1e-6 * jnp.eye(N_STEPS)[i]
                measured = (change(numbers, moments + h) - change(numbers, moments - h)) / 2e-6
                assert float(by_time[i]) == pytest.approx(float(measured), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", FAMILIES)
def test_other_numbers_and_trains_compile_nothing(name):
    family = FAMILIES[name]
    spikes_seen = watched(family.make(*family.numbers).traces.spikes)

    def changes(factor, seed, n_steps=N_STEPS):
        rule = trace_rule(
            family.make(*(factor * number for number in family.numbers)).traces._replace(spikes=spikes_seen)
        )
        spikes, moments = random_spikes(seed, 0.4, 2)[:n_steps], factor * np.arange(float(n_steps))
        train_updates(rule, *spikes.T)
        expected_updates(rule, *(0.1 * factor * spikes.T))
        event_weight_change(rule, moments, *spikes.T)

    with may_be_traced():
        changes(1.0, 1)
    changes(1.5, 2)
    # Power: another length is another program.
    with is_traced():
        changes(1.0, 1, N_STEPS - 1)


def test_many_sets_of_numbers_at_once_are_one_program():
    spikes, moments = random_spikes(5, 0.4, 2), np.arange(N_STEPS, dtype=float)
    sets = jnp.asarray(np.random.default_rng(6).uniform(1.0, 5.0, (7, 8)), float)

    @jax.jit
    @jax.vmap
    def changes(numbers):
        return event_weight_change(triplet_rule(*(numbers[i] for i in range(8))), moments, spikes[:, 0], spikes[:, 1])

    one_by_one = [
        event_weight_change(triplet_rule(*numbers.tolist()), moments, spikes[:, 0], spikes[:, 1]) for numbers in sets
    ]
    np.testing.assert_allclose(changes(sets), one_by_one, rtol=1e-4)


def test_long_protocols_keep_their_lags():
    # 600 s in single precision would blur 0.3 ms.
    start = 1e4 * np.arange(60)
    rule = pair_rule(1.0, 0.0, 1.0, 1.0, "nearest_symmetric")
    change = event_weight_change(rule, *merge_spike_times(start, start + 0.3))
    assert float(change) == pytest.approx(60 * np.exp(-0.3), rel=1e-5)


def test_the_same_numbers_give_the_same_rule_and_other_numbers_another():
    assert pair_rule(1.0, 0.5, 10.0, 20.0) == pair_rule(1.0, 0.5, 10.0, 20.0)
    assert pair_rule(1.0, 0.5, 10.0, 20.0) != pair_rule(1.0, 0.5, 10.0, 21.0)
    of_arrays = pair_rule(jnp.asarray(1.0), 0.5, 10.0, 20.0)
    assert hash(of_arrays) == hash(of_arrays)
    assert of_arrays == of_arrays


def good(**changed):
    return pair_rule(**{"A_plus": 1.0, "A_minus": 1.0, "tau_plus": 10.0, "tau_minus": 10.0, **changed})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: good(tau_plus=0.0), "tau_plus: expected a finite number above 0, got 0.0"),
        (lambda: good(tau_minus=-1.0), "tau_minus: expected a finite number above 0, got -1.0"),
        (lambda: good(A_plus=np.nan), "A_plus: expected a finite number"),
        (lambda: good(A_minus=True), "A_minus: expected a finite number"),
        (lambda: train_updates(good(), [1], [1], bin_ms=0.0), "bin_ms: expected a finite number above 0"),
        (lambda: triplet_rule(*[1.0] * 7, tau_y=0.0), "tau_y: expected a finite number above 0"),
        (lambda: suppression_rule(*[1.0] * 4, tau_pre=-2.0, tau_post=1.0), "tau_pre: expected a finite number above"),
        (lambda: event_updates(good(), [1.0, 0.5], [1, 0], [0, 1]), "times: expected times in order, got 1 and then"),
        (
            lambda: event_updates(good(), [1.0, 1.0], [1, 0], [0, 1]),
            "times: expected spikes of the same instant as one",
        ),
        (lambda: event_updates(good(), [1.0, np.inf], [1, 0], [0, 1]), "times: expected finite numbers"),
        (lambda: event_updates(good(), [[1.0]], [[1]], [[0]]), "times: expected a sequence of times, got shape"),
        (lambda: event_updates(good(), [1.0, 2.0], [1, 0, 0], [0, 1, 0]), "pre_spikes: expected the shape of times"),
        (lambda: event_updates(good(), [1.0, 2.0], [1, 2], [0, 1]), "pre_spikes: expected spike indicators"),
        (lambda: merge_spike_times([1.0, 1.0], []), "pre_times: expected rising times, got 1 and then 1"),
        (lambda: merge_spike_times([], [2.0, 1.0]), "post_times: expected rising times, got 2 and then 1"),
        (lambda: merge_spike_times(np.ones((2, 2)), []), "pre_times: expected a sequence of times"),
        (lambda: merge_spike_times([np.nan], []), "pre_times: expected finite numbers"),
        (lambda: train_updates(good(), [1, 0], [1, 0, 0]), "post_spikes: expected the shape of pre_spikes"),
        (
            lambda: event_updates(rules.differential_rule(), [1.0], [1], [0]),
            "rule: expected a rule of traces, which pair",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_unknown_options_are_refused():
    from stdpjax.rules.traces import check_reading

    with pytest.raises(ValueError, match="order: expected one of 'read_before', 'read_after', got 'before'"):
        check_reading("before", "skip")
    with pytest.raises(ValueError, match="coincidence: expected one of 'skip', 'ignore', got 'no'"):
        check_reading("read_after", "no")
