"""Rules of one's own, through the public functions alone: fitted, compared, of states, traces and weight dependence."""

# pyright: reportOptionalSubscript=false, reportArgumentType=false, reportCallIssue=false

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import fitting, protocols, random, rules

RANGES = {"A": (0.01, 2.0), "tau": {"low": 1.0, "high": 200.0, "starts": 20.0, "unit": "ms"}}
TRUE = {"A": 0.2, "tau": 15.0}
PAIR = {"A_plus": 0.2, "A_minus": 0.2, "tau_plus": 15.0, "tau_minus": 15.0}
LAGS = [5.0, 10.0, 20.0, -5.0, -10.0, -20.0]
DONE = [protocols.pairs(lag, 10, 3) for lag in LAGS]
RATES = [protocols.constant_rates(20, 10, 100), protocols.ramping_rates(20, 0, 20, 100)]


def of_pairs(A, tau):
    return rules.pair_rule(A, A, tau, tau)


def of_traces(A, tau):
    """The same by traces of one's own, whose functions have the numbers in them."""

    def init(weights):
        return jnp.zeros((1, weights.shape[1])), jnp.zeros((weights.shape[0], 1))

    def decay(_, traces, elapsed):
        return jax.tree.map(lambda trace: trace * jnp.exp(-elapsed / tau), traces)

    def spikes(_, traces, pre, post, weights):
        before_post, before_pre = traces
        delta_w = A * (post[:, None] * before_post - pre[None] * before_pre)
        return delta_w, (before_post + pre[None], before_pre + post[:, None])

    return rules.trace_rule(rules.TraceRule((), init, decay, spikes))


def of_states(A, tau):
    """The same by a state and an update for each bin, without traces."""

    def init(weights):
        return jnp.zeros(weights.shape[1]), jnp.zeros(weights.shape[0])

    def update(sample, state, weights):
        x, y = (trace * jnp.exp(-sample.bin_ms / tau) for trace in state)
        pre, post = sample.pre_spikes.astype(weights.dtype), sample.post_spikes.astype(weights.dtype)
        return A * (post[:, None] * x[None] - y[:, None] * pre[None]), (x + pre, y + post)

    return rules.Rule(init, update)


def soft(A, tau):
    """Potentiation towards a weight of 2, depression towards 0."""
    return rules.bounded_rule(of_pairs(A, tau), 0.0, 2.0, exponent=1.0)


def reads_rates(A, tau):
    return rules.Rule(lambda weights: (), lambda sample, state, weights: (A * tau * sample.pre_rate[None], state))


def model(make_rule):
    return fitting.model_of(make_rule, RANGES)


def data(change, done=DONE, **options):
    return fitting.measurements("mine", done, change, np.full(len(done), 0.05), **options)


@pytest.mark.parametrize("make_rule", [of_pairs, of_traces, of_states])
def test_however_a_rule_is_written_it_predicts_and_is_fitted_as_the_built_in_one(make_rule):
    change = fitting.predict("pair", PAIR, DONE)
    np.testing.assert_allclose(fitting.predict(model(make_rule), TRUE, DONE), change, rtol=1e-12)
    options = {"n_starts": 2, "n_resamples": 20}
    found = fitting.fit(random.key(0), make_rule, data(change), parameters=RANGES, **options)
    assert found.numbers == pytest.approx(TRUE, rel=1e-6)
    same = fitting.fit(random.key(0), model(of_pairs), data(change), **options)
    for name, one in found.parameters.items():
        assert one.profile == pytest.approx(same.parameters[name].profile, rel=1e-4)
        assert one.bootstrap[0] < one.value < one.bootstrap[1]


@pytest.mark.parametrize(("own", "built_in"), [(of_traces, "pair"), (None, "pair"), (None, "window")])
def test_times_and_rates_are_predicted_together_in_any_order(own, built_in):
    name, numbers = (built_in, PAIR) if own is None else (model(own), TRUE)
    mixed = [RATES[0], *DONE[:2], RATES[1], DONE[5]]
    times, rates = fitting.predict(built_in, PAIR, DONE), fitting.predict(built_in, PAIR, RATES)
    expected = [rates[0], *times[:2], rates[1], times[5]]
    np.testing.assert_allclose(fitting.predict(name, numbers, mixed), expected, rtol=1e-12, atol=1e-15)
    assert np.any(expected)


def test_a_rule_that_depends_on_the_weight_starts_from_that_weight():
    one = [protocols.pairs(10, n_pairs=1)]
    at_one, at_half = (
        fitting.predict(fitting.model_of(soft, RANGES, weight=weight), TRUE, one)[0] for weight in (1.0, 0.5)
    )
    # (2 - w) / 2 of the change, as a share of w.
    assert at_one == pytest.approx(0.5 * 0.2 * np.exp(-10 / 15))
    assert at_half == pytest.approx(3 * at_one)
    found = fitting.fit(
        random.key(0),
        soft,
        data(fitting.predict(model(soft), TRUE, DONE)),
        parameters=RANGES,
        n_starts=2,
        n_resamples=0,
    )
    assert found.numbers == pytest.approx(TRUE, rel=1e-6)


def test_a_fit_of_both_kinds_is_compared_and_gives_rule_table_and_figure():
    done = [RATES[0], *DONE, *(protocols.pairs(10, hz, 3) for hz in (1, 20))]
    lag_ms, hz = [np.nan, *LAGS, 10, 10], [np.nan, *[10] * 6, 1, 20]
    points = data(fitting.predict("pair", PAIR, done), done, lag_ms=lag_ms, frequency_hz=hz)
    fits = fitting.compare(
        random.key(0), [fitting.model_of(of_traces, RANGES, held={"A": 0.3}), "pair"], points, n_starts=2
    )
    found = next(one for one in fits if one.model == "pair")
    table = found.table()
    assert found.numbers == pytest.approx(PAIR, rel=1e-5)
    np.testing.assert_array_equal(table.prediction, found.prediction)
    assert table.estimate.sel(parameter="tau_plus") == found.parameters["tau_plus"].value
    assert (table.profile.sel(end="low") < table.estimate).all()
    change = rules.event_weight_change(found.rule(), [0.0, 10.0], [1, 0], [0, 1])
    assert float(change) == pytest.approx(0.2 * np.exp(-10 / 15), rel=1e-4)
    words = repr(found).splitlines()
    assert words[0].startswith("Fit of pair to mine: 9 points, AIC ")
    assert len(words) == 5
    held = next(one for one in fits if one.model == "of_traces")
    assert repr(held).endswith("held: A = 0.3")
    axes = held.figure(fits).axes
    assert [ax.get_xlabel().partition(",")[0] for ax in axes[:2]] == ["lag", "pairs per second (Hz)"]
    # Rates have no curve: they are shown against what is predicted.
    assert axes[2].get_title() == "mine: against the fit"
    assert len(axes) == 5


@pytest.mark.parametrize(
    ("make_rule", "parameters", "message"),
    [
        (
            of_pairs,
            {"A": (0.0, 1.0), "tau": (1, 9)},
            "parameters 'A' low on a logarithmic scale: expected .* above 0",
        ),
        (of_pairs, {"A": (2.0, 1.0), "tau": (1, 9)}, "parameters 'A' high: expected .* above 2"),
        (of_pairs, {"A": 1.0, "tau": (1, 9)}, r"parameters 'A': expected \(low, high\)"),
        (of_pairs, {"A": {"low": 1, "high": 2, "start": 1}, "tau": (1, 9)}, "got 'start'"),
        (of_pairs, {"A": {"low": 1, "high": 2, "starts": 3}, "tau": (1, 9)}, "parameters 'A' starts: expected"),
        (of_pairs, {"A": (0.1, 1)}, "make_rule: expected a function that takes A by keyword"),
        (of_pairs, {}, "parameters: expected ranges"),
        (of_pairs, None, "parameters: expected the ranges"),
        ("pair", RANGES, "parameters: expected None for 'pair'"),
        (lambda A, tau: A * tau, RANGES, "make_rule: expected a plasticity rule"),
        (reads_rates, RANGES, "pre_rate: expected a sample that has it"),
    ],
)
@pytest.mark.usefixtures("no_annotations")
def test_what_is_no_rule_of_numbers_is_refused(make_rule, parameters, message):
    with pytest.raises(ValueError, match=message):
        fitting.fit(random.key(0), make_rule, data([0.1] * 6), parameters=parameters)


def test_what_a_rule_without_a_mean_or_without_traces_cannot_do_is_refused():
    with pytest.raises(ValueError, match="spike times for a rule without traces, whose mean is not known, got rates"):
        fitting.predict(model(of_states), TRUE, RATES)
    with pytest.raises(ValueError, match="changes do not depend on the weight"):
        fitting.predict(model(soft), TRUE, RATES)
    with pytest.raises(ValueError, match=r"at most 100000 bins of 1 ms .* got one of 600000"):
        fitting.predict(model(of_states), TRUE, [protocols.pairs(10, 0.1)])


def test_the_same_function_made_anew_is_not_compiled_again():
    def make(factor):
        return lambda A, tau: of_pairs(factor * A, tau)

    assert model(make(2.0)).predict == model(make(2.0)).predict
    assert model(make(2.0)).predict != model(make(3.0)).predict
