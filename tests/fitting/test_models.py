"""Predictions of the models: closed forms, published errors, plain pairing, and sampled against exact rates."""

# pyright: reportOptionalOperand=false, reportOptionalSubscript=false, reportArgumentType=false, reportCallIssue=false
# pyright: reportOperatorIssue=false, reportAttributeAccessIssue=false

import datetime

import jax.numpy as jnp
import numpy as np
import pytest
import quantities as pq

from stdpjax import fitting, protocols, random, rules, spikes
from stdpjax.fitting import MODELS, find_model, predict
from stdpjax.fitting.designs import lag_design

PAIR = {"A_plus": 0.8, "A_minus": 0.3, "tau_plus": 12.0, "tau_minus": 25.0}
TRIPLET = {
    "A2_plus": 0.01, "A3_plus": 0.02, "A2_minus": 0.03, "A3_minus": 0.004,
    "tau_x": 90.0, "tau_y": 110.0,
}  # fmt: skip


def curve(lag):
    return 0.8 * np.exp(-lag / 12) if lag > 0 else -0.3 * np.exp(lag / 25)


@pytest.mark.parametrize("name", [name for name in MODELS if name.startswith("pair")])
def test_one_pair_is_the_window_of_every_pair_rule(name):
    lags = [-40.0, -3.5, 2.0, 17.0]
    done = [protocols.pairs(lag, n_pairs=1) for lag in lags]
    np.testing.assert_allclose(predict(name, PAIR, done), [curve(lag) for lag in lags], rtol=1e-12)


def test_time_constants_may_carry_their_unit():
    done = [protocols.pairs(17.0, n_pairs=1)]
    np.testing.assert_allclose(predict("pair", {**PAIR, "tau_plus": 0.012 * pq.s}, done), [curve(17.0)], rtol=1e-12)


def test_all_pairs_add_up_however_protocols_differ_in_length():
    done = [protocols.pairs(10, 20, 7), protocols.pairs(-5, 50, 3), protocols.repeated([], [1.0])]

    def by_loops(protocol):
        return sum(curve(post - pre) for pre in protocol.pre_ms for post in protocol.post_ms)

    np.testing.assert_allclose(predict("pair", PAIR, done), [by_loops(protocol) for protocol in done], rtol=1e-10)


@pytest.mark.parametrize(
    ("name", "numbers", "error"),
    [
        ("triplet", (5e-10, 6.2e-3, 7e-3, 2.3e-4, 101.0, 125.0), 0.342),
        ("triplet_nearest", (8.8e-11, 5.3e-2, 6.6e-3, 3.1e-3, 714.0, 40.0), 0.232),
        ("triplet_minimal", (0.0, 6.5e-3, 7.1e-3, 0.0, 100.0, 114.0), 0.356),
    ],
)
def test_published_numbers_have_their_published_errors_on_the_ten_points(name, numbers, error):
    names = ("A2_plus", "A3_plus", "A2_minus", "A3_minus", "tau_x", "tau_y")
    points = fitting.sjostrom_2001()
    change = predict(name, dict(zip(names, numbers, strict=True)), points.protocols)
    assert np.mean(((change - points.change) / points.sem) ** 2) == pytest.approx(error, abs=0.005)


def dense(design):
    """Counts of the whole lags from -20 to 20."""
    counts = np.zeros((len(design.counts), 41))
    for row, lags, how_often in zip(counts, design.lag_ms, design.counts, strict=True):
        np.add.at(row, np.round(lags).astype(int) + 20, how_often)
    return counts


def test_the_windowed_rule_counts_lags_as_nearest_spike_pairing_does():
    rng = np.random.default_rng(2)
    trains = rng.random((6, 2, 3000)) < 0.01
    done = [protocols.Protocol(*spikes.to_times(pair, 0.0, 1.0), 3000.0) for pair in trains]
    lags = np.asarray(spikes.nearest_lag(trains[:, 0], trains[:, 1]))
    expected = np.stack([np.bincount(row + 20, minlength=41) for row in lags]).astype(float)
    expected[:, 20] = 0
    np.testing.assert_array_equal(dense(lag_design(done)), expected)
    assert expected.sum() > 30
    numbers = {**PAIR, "tau_plus": 10.0, "tau_minus": 10.0, "A_minus": 0.8}
    updates = rules.lag_update(lags, 0.8 * rules.lag_kernel("exponential", tau=10.0)).sum(axis=1)
    np.testing.assert_allclose(predict("window", numbers, done), updates, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("lead", [0.0, 0.4, 0.5, 0.999, 7 / 3])
def test_the_windowed_rule_takes_lags_as_they_are_whenever_pairs_begin(lead):
    lags = [0.6, -0.6, 2.5, -2.5, 19.99, -20.0, 1e-3]
    done = [protocols.pairs(lag, n_pairs=1, lead_ms=max(0.0, -lag) + lead) for lag in lags]
    np.testing.assert_allclose(predict("window", PAIR, done), [curve(lag) for lag in lags], rtol=1e-9)
    beyond = [protocols.pairs(lag, n_pairs=1, lead_ms=30 + lead) for lag in (20.01, -20.4, 0.0)]
    np.testing.assert_array_equal(predict("window", PAIR, beyond), 0)
    same = {"A_plus": 0.5, "A_minus": 0.5, "tau_plus": 8.0, "tau_minus": 8.0}
    change = predict("window", same, done[:4])
    np.testing.assert_allclose(change[::2], -change[1::2], rtol=1e-9)
    # Spikes on both sides of one, 20 ms and less, leave it without a change; on one side the nearest counts.
    both = protocols.repeated([30.0 + lead], [10.0 + lead, 49.9 + lead])
    nearest = protocols.repeated([30.0 + lead], [33.3 + lead, 34.1 + lead])
    np.testing.assert_allclose(predict("window", PAIR, [both, nearest]), [0, curve(3.3)], atol=1e-9)


@pytest.mark.parametrize("bin_ms", [0.5, 3.0])
def test_the_window_of_rates_is_as_long_as_that_of_spike_times_in_bins_of_any_width(bin_ms):
    arm = protocols.predicted_rates("rising", 40, 20, 80, 150, rest_ms=0, bin_ms=bin_ms)
    trials = predict("window", PAIR, [arm.sample(key) for key in random.member_keys(random.key(5), 400)])
    error = trials.std(ddof=1) / 20
    assert abs(trials.mean() - predict("window", PAIR, [arm])[0]) < 4 * error
    with pytest.raises(ValueError, match="bin_ms: expected bins of at most 20 ms"):
        predict("window", PAIR, [protocols.constant_rates(1, 1, 50, 25)])


WIDTHS = [
    np.timedelta64(10_000, "us"),
    datetime.timedelta(milliseconds=10),
    0.01 * pq.s,
    np.array(10.0),
    jnp.float32(10),
    np.uint8(10),
]


@pytest.mark.parametrize("name", ["pair", "window"])
@pytest.mark.parametrize("width", WIDTHS, ids=lambda width: type(width).__name__)
def test_rates_made_by_hand_may_be_lists_in_bins_of_any_unit(name, width):
    plain = protocols.constant_rates(40, 50, 400, 10)
    by_hand = protocols.RateProtocol(plain.pre_hz.tolist(), plain.post_hz / 1000 * pq.kHz, width)
    want = predict(name, PAIR, [plain])
    np.testing.assert_allclose(predict(name, PAIR, [by_hand]), want, rtol=1e-9)
    np.testing.assert_allclose(predict(name, PAIR, [by_hand, plain]), np.repeat(want, 2), rtol=1e-9)
    assert abs(want[0]) > 0.1
    with pytest.raises(ValueError, match="bin_ms: expected a"):
        predict(name, PAIR, [by_hand._replace(bin_ms=5 * pq.Hz)])


def test_spikes_that_differ_by_rounding_alone_coincide():
    # One period from pre to post: 59 post spikes coincide with a later pre spike, up to rounding.
    numbers = {"A_plus": 1.0, "A_minus": 1.0, "tau_plus": 10.0, "tau_minus": 10.0}
    period = 1000 / 30
    pre = np.arange(60) * period
    made_by_hand = protocols.Protocol(pre, pre + period, 61 * period)
    assert np.any(made_by_hand.post_ms[:-1] != pre[1:])
    steps = np.subtract.outer(np.arange(1, 61), np.arange(60))
    exact = (np.sign(steps) * np.exp(-np.abs(steps) * period / 10)).sum()
    for done in (made_by_hand, protocols.pairs(period, 30, n_pairs=60)):
        np.testing.assert_allclose(predict("pair", numbers, [done]), [exact], rtol=1e-8)
        # Of the paper's pairing nothing is left: each presynaptic spike has a postsynaptic one at its own instant.
        counts = lag_design([done]).counts[0]
        assert counts.sum() == 0


def test_equal_lags_are_one_and_crowded_spikes_have_one_each():
    slow = lag_design([protocols.pairs(10, 0.1, 60), protocols.pairs(-1.1, 7, 60)])
    assert (slow.lag_ms.tolist(), slow.counts.tolist()) == ([[10.0], [-1.1]], [[60.0], [60.0]])
    crowded = lag_design([protocols.repeated([0.1, 0.2], [5])])
    np.testing.assert_allclose((crowded.lag_ms, crowded.counts), ([[4.8, 4.9]], [[1, 1]]))


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("pair", PAIR), ("window", PAIR), ("triplet", TRIPLET), ("pair_nearest_symmetric", PAIR)],
)
def test_the_exact_mean_over_rates_is_that_of_sampled_trials(name, numbers):
    arms = [protocols.predicted_rates(course, 40, 20, 80, 150, rest_ms=0) for course in protocols.COURSES]
    exact = predict(name, numbers, arms)
    keys = random.member_keys(random.key(5), 300)
    trials = np.stack([predict(name, numbers, [arm.sample(key) for key in keys]) for arm in arms])
    z = (trials.mean(axis=1) - exact) / (trials.std(axis=1, ddof=1) / np.sqrt(len(keys)))
    assert np.abs(z).max() < 4, z
    # Another rule with the same numbers is told apart.
    if name == "pair":
        other = predict("pair_nearest_symmetric", numbers, arms)
        wrong = (trials.mean(axis=1) - other) / (trials.std(axis=1, ddof=1) / np.sqrt(len(keys)))
        assert np.abs(wrong).max() > 4


def test_refusals():
    with pytest.raises(ValueError, match=r"name: expected one of 'pair', .*got 'stdp'"):
        find_model("stdp")
    with pytest.raises(ValueError, match="numbers: expected a value of tau_plus, got A_plus, "):
        predict("pair", {name: value for name, value in PAIR.items() if name != "tau_plus"}, [protocols.pairs(1)])
    with pytest.raises(ValueError, match=r"numbers: expected one of 'A_plus', .*, got 'tau_z'"):
        predict("pair", {**PAIR, "tau_z": 1.0}, [protocols.pairs(1)])
    for wrong in (0.0, -1.0, np.nan, "10", 5 * pq.Hz):
        with pytest.raises(ValueError, match="numbers: tau_plus: expected a"):
            predict("pair", {**PAIR, "tau_plus": wrong}, [protocols.pairs(1)])
    with pytest.raises(ValueError, match="protocols: expected one width of bins"):
        predict("pair", PAIR, [protocols.constant_rates(1, 1, 10, bin_ms) for bin_ms in (1, 2)])
