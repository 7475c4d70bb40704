"""Every refusal names the argument, what was expected and what came."""

import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import _checks


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: _checks.probability("p", [0.2, -0.1]), r"p: expected spike probabilities per bin in \[0, 1\], got"),
        (lambda: _checks.probability("p", [0.2, 1.5]), r"got values from 0\.2 to 1\.5$"),
        (
            lambda: _checks.probability("p", np.array([5.0, 40.0])),
            r"got values from 5 to 40; these look like rates in Hz",
        ),
        (lambda: _checks.probability("p", jnp.array([0.1, np.nan])), "p: expected finite numbers, got 1 of 2"),
        (lambda: _checks.probability("p", [0.1, np.inf]), "p: expected finite numbers"),
        (lambda: _checks.finite("x", ["a"]), "x: expected an array of real numbers, got dtype"),
        (lambda: _checks.finite("x", [1j]), "x: expected an array of real numbers, got dtype complex"),
        (lambda: _checks.finite("x", [[1.0], [1.0, 2.0]]), "x: expected a rectangular array"),
        (lambda: _checks.spikes("pre", [0, 2]), "pre: expected spike indicators"),
        (
            lambda: _checks.same_shape("a", jnp.zeros(3), "b", jnp.zeros(4)),
            r"b: expected the shape of a, \(3,\), got \(4,\)",
        ),
        (lambda: _checks.same_shape("a", jnp.zeros(()), "b", jnp.zeros(())), "a: expected an array with a time axis"),
        (lambda: _checks.count("n", -1), "n: expected a whole number of at least 1, got -1"),
        (lambda: _checks.window(0), "window: expected a whole number of at least 1, got 0"),
        (lambda: _checks.window(11, 10), "window: expected at most the record's 10 bins, got 11"),
        (lambda: _checks.number("tau", 0.0, above=0), "tau: expected a finite number above 0, got 0.0"),
        (
            lambda: _checks.number("x", 2, at_least=0, below=1),
            "x: expected a finite number at least 0 and below 1, got 2",
        ),
        (lambda: _checks.number("x", np.nan), "x: expected a finite number, got nan"),
        (lambda: _checks.one_probability("p", 20.0), "p: expected spike probabilities .* Hz"),
        (lambda: _checks.choice("kind", "c", ("a", "b")), "kind: expected one of 'a', 'b', got 'c'"),
    ],
)
def test_refusal_names_argument_expectation_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_edges_are_accepted():
    assert _checks.probability("p", [0, 1]).tolist() == [0.0, 1.0]
    assert _checks.spikes("pre", [0, 1]).tolist() == [False, True]
    assert _checks.window(10, 10) == 10
    assert _checks.number("x", 0, at_least=0) == 0


def test_tracers_pass_and_known_values_are_checked_under_a_trace():
    known = jnp.array([2.0])

    def traced(value):
        _checks.probability("p", value)
        return value

    assert float(jax.jit(traced)(jnp.array([2.0]))[0]) == 2.0  # a tracer has no values yet
    with pytest.raises(ValueError, match="p: expected spike probabilities"):
        jax.jit(lambda value: _checks.probability("p", known) + value)(jnp.ones(1))


def test_public_functions_refuse_unknown_options_without_the_type_checker():
    # The checker of the tests stops a wrong literal before the library can; a plain interpreter has no such checker.
    program = """
import jax.numpy as jnp, stdpjax
from stdpjax import spikes, rules, drives, rates
p, key = jnp.full(50, 0.1), stdpjax.random.key(0)
calls = [
    lambda: spikes.nearest_lag(p > 0, p > 0, coincidence="A"),
    lambda: spikes.sample_lag_counts(key, p, p, 10, sides="left"),
    lambda: spikes.expected_lag_counts(p, p, boundary="periodic"),
    lambda: spikes.sample_lag_counts(key, p, p, 2.5),
    lambda: spikes.sample_lag_counts(key, p, p, 10, window="20"),
    lambda: rules.lag_kernel("gaussian"),
    lambda: rules.rate_update([0.0], [1.0], [0.5], pairing="later"),
    lambda: rules.state_slope(p, "backward"),
    lambda: rules.differential_rule(presynaptic="voltage"),
    lambda: stdpjax.random.key(1.5),
    lambda: rates.hard_sigmoid("low"),
    lambda: drives.smooth_noise(key, 160, "wide"),
    lambda: stdpjax.studies.run("nope"),
    lambda: stdpjax.studies.run("example_traces", smoke=True, n_trials="many"),
]
for call in calls:
    try:
        call()
    except ValueError as error:
        text = str(error)
        assert ": expected " in text and ", got " in text, text
    else:
        raise AssertionError("nothing was refused")
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=120)


@pytest.mark.parametrize("is_on_host", [True, False])
def test_numbers_are_checked_where_they_lie(is_on_host, monkeypatch):
    monkeypatch.setattr(_checks, "_is_on_host", lambda array: is_on_host)
    half = jnp.asarray([0.0, 0.5, 1.0], jnp.bfloat16)
    assert _checks.probability("p", half) is half
    assert _checks.probability("p", jnp.zeros((0, 3))).shape == (0, 3)
    for bad, message in (([0.5, 1.25], "from 0.5 to 1.25"), ([-0.5, np.nan, np.inf], "got 2 of 3 that are NaN")):
        known = jnp.asarray(bad)
        with pytest.raises(ValueError, match=message):
            _checks.probability("p", known)
        with pytest.raises(ValueError, match=message):  # while something else is being traced
            jax.jit(lambda x, known: x + known(), static_argnums=1)(1.0, partial(_checks.probability, "p", known))


@pytest.mark.parametrize("value", [np.bool_(True), np.complex64(1), np.ma.masked, np.ma.masked_array(5.0, True)])
def test_what_is_no_number_is_none(value):
    with pytest.raises(ValueError, match="x: expected"):
        _checks.number("x", value)
    assert _checks.number("x", np.ma.masked_array(5.0)) == 5.0


def test_a_bound_of_another_name_is_an_error_whatever_its_value():
    for bound in (0, None):
        with pytest.raises(TypeError, match="atleast"):
            _checks.milliseconds("tau", 1.0, atleast=bound)
