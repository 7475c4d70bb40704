"""Lag kernels: values, symmetry, refusals."""

import numpy as np
import pytest
import quantities as pq

from stdpjax.rules import LAG_KERNELS, lag_kernel

DISTANCE = np.arange(1, 21)


@pytest.mark.parametrize(
    ("name", "parameters", "potentiation", "depression"),
    [
        ("exponential", {}, np.exp(-DISTANCE / 10), -np.exp(-DISTANCE / 10)),
        ("exponential", {"tau": 4.0}, np.exp(-DISTANCE / 4), -np.exp(-DISTANCE / 4)),
        ("exponential", {"tau": 5 * pq.ms, "bin_ms": 500 * pq.us}, np.exp(-DISTANCE / 10), -np.exp(-DISTANCE / 10)),
        ("sign", {}, np.ones(20), -np.ones(20)),
        ("inverse", {}, 1 / DISTANCE, -1 / DISTANCE),
        ("linear", {}, 1 - (DISTANCE - 1) / 20, -(1 - (DISTANCE - 1) / 20)),
        ("bi_poo", {}, 0.777 * np.exp(-DISTANCE / 16.8), -0.273 * np.exp(-DISTANCE / 33.7)),
        ("bi_poo", {"bin_ms": 0.5}, 0.777 * np.exp(-DISTANCE / 33.6), -0.273 * np.exp(-DISTANCE / 67.4)),
        ("bi_poo", {"A_minus": -0.2, "tau_minus": 5}, 0.777 * np.exp(-DISTANCE / 16.8), 0.2 * np.exp(-DISTANCE / 5)),
    ],
)
def test_values(name, parameters, potentiation, depression):
    kernel = np.asarray(lag_kernel(name, **parameters))
    np.testing.assert_allclose(kernel[21:], potentiation, rtol=1e-6)
    np.testing.assert_allclose(kernel[:20][::-1], depression, rtol=1e-6)
    assert kernel[20] == 0


@pytest.mark.parametrize("window", [1, 2, 33])
@pytest.mark.parametrize("name", LAG_KERNELS)
def test_shape_and_symmetry(name, window):
    kernel = np.asarray(lag_kernel(name, window))
    assert kernel.shape == (2 * window + 1,)
    is_antisymmetric = np.allclose(kernel, -kernel[::-1])
    assert is_antisymmetric == (name != "bi_poo")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lag_kernel("gauss"), "name: expected one of 'exponential', 'sign', 'inverse', 'linear', 'bi_poo'"),
        (lambda: lag_kernel("linear", bin_ms=0.5), r"bin_ms: expected a parameter of the 'linear' kernel \(none\)"),
        (lambda: lag_kernel("sign", tau=1.0), r"tau: expected a parameter of the 'sign' kernel \(none\)"),
        (lambda: lag_kernel("exponential", tau=0.0), "tau: expected a finite number above 0"),
        (lambda: lag_kernel("bi_poo", A_plus=np.inf), "A_plus: expected a finite number"),
        (lambda: lag_kernel("sign", 0), "window: expected a whole number of at least 1"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
