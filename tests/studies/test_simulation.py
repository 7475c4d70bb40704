"""The simulations of section 5 against an implementation of their own in plain NumPy, with its own random numbers."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax.studies import find, run

WINDOW, N_STEPS, N_SEQUENCES = 20, 160, 400
DISTANCE = np.arange(1, WINDOW + 1)


def one_sided(after, before):
    """Probabilities of the lags 1 ... K of either side, given no coincident spike; time runs along the last axis."""
    laws = []
    for side, other in ((after, before[..., ::-1]), (before[..., ::-1], after)):
        silent = np.concatenate([np.ones((*side.shape[:-1], 1)), np.cumprod(1 - side, axis=-1)[..., :-1]], axis=-1)
        laws.append(side * silent * np.prod(1 - other, axis=-1, keepdims=True))
    return laws


def plain_agreement(width, probability, both_sides=False):
    """Correlation of the nearest-neighbour update with Eq 1, over bins of time and over 30 bins of its value."""
    rng = np.random.default_rng(0)
    reach = int(4 * width)
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * width**2))
    weights /= np.sqrt((weights**2).sum())
    n_record = N_STEPS + 2 * WINDOW + 2
    noise = rng.standard_normal((2, N_SEQUENCES, n_record + 2 * reach))
    drive = np.lib.stride_tricks.sliding_window_view(noise, weights.size, axis=-1) @ weights
    pre, post = 0.48 * np.tanh(drive)
    slope, q = (post[:, 2:] - post[:, :-2]) / 2, probability * (post[:, 1:-1] + 0.5)
    pre_rate = pre[:, 1:-1] + 0.5
    x, y = (np.zeros((N_SEQUENCES, N_STEPS)) for _ in range(2))
    for t in range(N_STEPS):
        at = t + WINDOW
        laws = one_sided(q[:, at + 1 : at + 1 + WINDOW], q[:, at - WINDOW : at])
        x[:, t] = slope[:, at] * pre_rate[:, at]
        if both_sides:  # every spike counts, the nearest or not
            laws = q[:, at + 1 : at + 1 + WINDOW], q[:, at - WINDOW : at][:, ::-1]
        y[:, t] = pre_rate[:, at] * (1 - q[:, at]) * ((laws[0] - laws[1]) @ np.exp(-DISTANCE / 10))
    order = np.argsort(x.ravel())
    means = [[part.mean() for part in np.array_split(values.ravel()[order], 30)] for values in (x, y)]
    return np.corrcoef(x.ravel(), y.ravel())[0, 1], np.corrcoef(means)[0, 1]


CELLS = [(3.0, 0.1), (10.0, 0.05), (20.0, 0.3)]


@pytest.mark.parametrize(("width", "probability"), CELLS)
def test_the_rules_agree_as_in_plain_numpy(width, probability):
    per_bin, binned = plain_agreement(width, probability)
    settings = {"n_sequences": N_SEQUENCES, "widths": (width,), "probabilities": (0.02, probability)}
    table = run("rule_agreement", smoke=True, show_progress=False, **settings).data.table_binned
    assert float(table.sel(probability=probability).item()) == pytest.approx(binned, abs=0.02)
    study = find("rule_agreement")
    config = dataclasses.replace(study.config, n_sequences=N_SEQUENCES, n_trials=2, width=width)
    assert study.point is not None
    values = {name: jnp.asarray(getattr(config, name), float) for name in study.point.traced}
    values["max_probability"] = jnp.asarray(probability, float)
    found = study.point.function(stdpjax.random.key(1), values, config)
    assert float(found["per_bin_correlation_exact"]) == pytest.approx(per_bin, abs=0.03)


def test_the_plain_agreement_without_the_rule_for_both_sides_is_another():
    assert abs(plain_agreement(10.0, 0.2, both_sides=True)[0] - plain_agreement(10.0, 0.2)[0]) > 0.05


def mean_lag(probability, slope, is_nearest=False):
    """Mean lag given that the right half of the window alone has a spike, or the nearest, by a loop over its places."""
    rates = [probability + slope * k for k in range(-WINDOW, WINDOW + 1)]
    total, moment, silent = 0.0, 0.0, 1.0
    for d in range(1, WINDOW + 1):
        silent_before = np.prod([1 - rates[WINDOW - k] for k in range(1, d + 1)]) if is_nearest else 1.0
        here = silent * rates[WINDOW + d] * silent_before
        total, moment, silent = total + here, moment + d * here, silent * (1 - rates[WINDOW + d])
    return moment / total


def test_lags_on_ramps_are_those_of_a_plain_loop():
    data = run("rising_rate", smoke=True, show_progress=False).data
    for q in data.probability.values:
        for rise in data.rise.values:
            here, a = data.sel(probability=q, rise=rise), q * rise / WINDOW
            assert float(here.slope) == pytest.approx(a, abs=1e-12)
            assert float(here.mean_lag) == pytest.approx(mean_lag(q, a), abs=1e-4)
            both = float(here.mean_lag_both)
            assert both == pytest.approx(mean_lag(q, a, is_nearest=True), abs=1e-4)
    # A steeper slope shortens the lag above a probability of 0.105, and lengthens it below.
    for q, sign in ((0.1, 1), (0.11, -1)):
        assert sign * (mean_lag(q, 1e-5) - mean_lag(q, -1e-5)) > 0
