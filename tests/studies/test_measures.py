"""What many studies do with numbers."""

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from stdpjax.studies import measures


def test_measures_of_agreement_are_those_of_the_definition():
    a, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 0.0], [-3.0, 2.0]])
    assert float(measures.relative_difference(jnp.array(a), jnp.array(b))) == pytest.approx(np.sqrt(44) / np.sqrt(14))
    assert float(measures.cosine(jnp.array(a), jnp.array(b))) == pytest.approx(0.0, abs=1e-7)
    assert float(measures.cosine(jnp.array(a), jnp.array(a + b))) == pytest.approx(30 / np.sqrt(30 * 44))
    np.testing.assert_array_equal(measures.off_diagonal(jnp.array(a)), [[0.0, 2.0], [3.0, 0.0]])


def test_labelled_parts_become_one_with_what_each_says_of_itself():
    part = measures.labelled("trial", "ms", time=(jnp.arange(3.0), "time of a spike"), count=np.arange(3))
    whole = measures.merged(
        part, measures.required("trial", "finite trials", is_finite=np.ones(3, bool)), trial=np.arange(1, 4)
    )
    assert whole.time.attrs == {"units": "ms", "long_name": "time of a spike"}
    assert whole.time.dtype == np.float64
    assert whole["count"].dtype == np.arange(3).dtype
    assert whole.is_finite.attrs == {"required": "finite trials"}
    assert whole.trial.values.tolist() == [1, 2, 3]


def test_the_largest_with_its_margin_may_be_of_another_element():
    difference, error = xr.DataArray([1.0, 0.9], dims="x"), xr.DataArray([0.0, 0.5], dims="x")
    assert measures.largest_with_margin(difference, error)[:3] == pytest.approx((1.0, 1.0, 0.9 + 1.96 * 0.5))
    assert measures.largest_z(difference, error) == pytest.approx(1.8)
