"""What an accelerator computes is what a processor computes: `pytest -m gpu -n 0` on a machine that has one."""

import jax
import numpy as np
import pytest

import stdpjax
from stdpjax import rules, spikes

pytestmark = pytest.mark.gpu


@pytest.fixture(params=["high", "low"])
def rates(request):
    shape = (2, 20, 80)
    rng = np.random.default_rng(0)
    # Low ones take the finer grid of the sampler.
    rates = rng.uniform(0, 0.3, shape) if request.param == "high" else 10 ** rng.uniform(-6, -2, shape)
    return rates.astype(np.float32)


def on(device, function, *arrays):
    """Call with arrays on a device."""
    with jax.default_device(device):
        return np.asarray(function(*(jax.device_put(array, device) for array in arrays)))


def both(function, *arrays):
    return (on(device, function, *arrays) for device in (jax.devices()[0], jax.devices("cpu")[0]))


def test_counts_are_the_same_bits(rates):
    def count(pre, post):
        return spikes.sample_lag_counts(stdpjax.random.key(0), pre, post, 1000)

    there, here = both(count, *rates)
    assert there.sum() > 0
    np.testing.assert_array_equal(there, here)


def test_spikes_are_the_same_bits(rates):
    there, here = both(lambda pre: spikes.sample_spikes(stdpjax.random.key(1), pre), np.tile(rates[0], (100, 1)))
    assert there.sum() > 0
    np.testing.assert_array_equal(there, here)


@pytest.mark.parametrize("draw", [jax.random.bits, jax.random.uniform])
def test_draws_are_the_same_bits(draw):
    there, here = both(lambda: draw(stdpjax.random.key(3), (1000,)))
    np.testing.assert_array_equal(there, here)


def test_exact_means_agree_to_round_off(rates):
    def mean(pre, post):
        return rules.mean_update(spikes.expected_lag_counts(pre, post), rules.lag_kernel("exponential"))

    there, here = both(mean, *rates)
    np.testing.assert_allclose(there, here, atol=1e-6)
