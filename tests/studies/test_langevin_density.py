"""The study of the stationary law: its quadrature and statistics, and wrong samplers that lose their verdicts."""

import math
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax.dynamics import HeatHyper, Kernel, Langevin, NoiseHyper, NoisyIntegrator
from stdpjax.lab.reproduce import make_config
from stdpjax.studies import find, run
from stdpjax.studies.section_4_energy import langevin_density
from tests.wrong_kernels import AtTemperatureOneWhateverTheNoise


def test_quadrature_of_one_unit_is_a_normal_law_with_known_pieces():
    params = stdpjax.energy.make_params([[0.0]], [0.4])
    grid, probability = langevin_density._quadrature(params, 6.0, 4800)
    # Density: exp(-s^2/2) below, times exp(0.4 rho) between and above the kinks.
    cdf = np.vectorize(lambda x: 0.5 * (1 + math.erf(x / math.sqrt(2))))
    below, above = cdf(-0.5), math.exp(0.4) * (1 - cdf(0.5))
    between = math.exp(0.4**2 / 2 + 0.4 * 0.5) * (cdf(0.1) - cdf(-0.9))
    assert probability[np.abs(grid) <= 0.5].sum() == pytest.approx(between / (below + between + above), abs=1e-5)


def test_quadrature_of_two_units_without_a_weight_is_a_product():
    one = stdpjax.energy.make_params([[0.0]], [0.4])
    two = stdpjax.energy.make_params(np.zeros((2, 2)), [0.4, 0.4])
    _, single = langevin_density._quadrature(one, 4.0, 80)
    _, joint = langevin_density._quadrature(two, 4.0, 80)
    np.testing.assert_allclose(joint, np.outer(single, single), rtol=1e-4, atol=1e-9)


def test_statistics_and_histogram_equal_plain_loops():
    states = np.random.default_rng(0).normal(size=(3, 4, 2))
    found = langevin_density._statistics_of(states)
    for trial in range(3):
        pairs = [states[trial, time] for time in range(4)]
        rates = [[min(max(s + 0.5, 0.0), 1.0) for s in pair] for pair in pairs]
        assert found[trial, 0] == pytest.approx(np.mean([s * s for pair in pairs for s in pair]))
        assert found[trial, 1] == pytest.approx(np.mean([a * b for a, b in rates]))
        assert found[trial, 2] == pytest.approx(np.mean([-0.5 <= s <= 0.5 for pair in pairs for s in pair]))
    shares = langevin_density._histogram(np.array([[0.1, -0.1], [9.0, -9.0]]))
    assert shares.sum() == pytest.approx(1)
    assert shares[25, 24] == 0.5
    assert shares[-1, 0] == 0.5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_steps": 30}, "n_steps: expected a multiple of 40"),
        ({"mode_weight": 1.0}, "mode_weight: expected a finite number above 2"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make_config(find("langevin_density"), True, settings)


class HalfTheNoise(Kernel):
    """The paper's noise with the variance of the step times the temperature, where a sampler needs twice as much."""

    Hyper: ClassVar[type] = HeatHyper

    def __call__(self, key, state, field, hyper):
        noise = NoiseHyper(hyper.step, jnp.sqrt(hyper.temperature / hyper.step))
        return NoisyIntegrator(self.rate_fn)(key, state, field, noise)


class Cold(Kernel):
    """Langevin dynamics at a temperature a hundred times too low."""

    Hyper: ClassVar[type] = HeatHyper

    def __call__(self, key, state, field, hyper):
        return Langevin(self.rate_fn)(key, state, field, HeatHyper(hyper.step, 0.01 * hyper.temperature))


def test_shares_of_one_unit_between_the_kinks_are_those_of_the_normal_law():
    points, probability = langevin_density._quadrature(stdpjax.energy.make_params([[0.0]]), 5.0, 5000)
    assert probability[np.abs(points) <= 0.5].sum() == pytest.approx(math.erf(0.5 / math.sqrt(2)), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "wrong", "lost"),
    [
        ("MetropolisLangevin", HalfTheNoise, {"ours.langevin"}),
        ("Langevin", Cold, {"sec4.1.modes"}),
        ("NoisyIntegrator", AtTemperatureOneWhateverTheNoise, {"sec4.1.towards", "sec4.1.spread", "sec4.1.modes"}),
    ],
)
def test_other_noise_loses_the_verdicts(name, wrong, lost, monkeypatch):
    monkeypatch.setattr(langevin_density, name, wrong)
    found = {record["id"]: record["verdict"] for record in run("langevin_density", show_progress=False).records}
    assert "met" not in {found[claim] for claim in lost}
