"""Where ds/dt and d rho/dt part: quadrature against draws, and limits that are known."""

import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import rates
from stdpjax.theory import slopes


@pytest.mark.parametrize("rate_fn", [rates.hard_sigmoid(), rates.sigmoid()], ids=["hard", "smooth"])
def test_mean_products_of_slopes_are_those_of_draws(rate_fn):
    rng = np.random.default_rng(0)
    s, other = 0.6 * rng.normal(size=(2, 200_000))
    correlation = np.array([0.0, 0.7])
    found = slopes._mean_slope_product(rate_fn, 0.6, correlation)
    for c, product in zip(correlation, found, strict=True):
        u = c * s + np.sqrt(1 - c**2) * other
        drawn = np.asarray(rate_fn.slope(jnp.asarray(s)) * rate_fn.slope(jnp.asarray(u)))
        assert abs(product - drawn.mean()) < 4 * drawn.std() / np.sqrt(drawn.size)


def test_theory_of_a_linear_rate_says_that_there_is_one_rule():
    found = slopes.slope_agreement(rates.hard_sigmoid(), 0.05, 5.0, np.ones(20))
    assert found == pytest.approx((1.0, 1.0), abs=1e-3)
    # A drive that crosses the rate function within a window, and one that takes long.
    fast, slow = (slopes.slope_agreement(rates.hard_sigmoid(), 0.6, width, np.ones(20)).ratio for width in (4.0, 200.0))
    assert fast > 1 > slow
