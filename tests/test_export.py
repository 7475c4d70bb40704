"""Every program on every platform: public functions lower for CPUs, CUDA and TPUs, or are listed with the reason."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from stdpjax import random
from stdpjax.fixed_points.stability import _eigenvalues_on_host
from tests.surface.test_surface import TABLE, _made

PLATFORMS = ("cpu", "cuda", "tpu")

# Kinds of arguments of the table that are numbers, known or traced.
NUMBERS = {"key", "array", "probability", "column", "params", "spikes", "whole numbers", "times", "number", "positive"}
NUMBERS |= {"non-negative", "rate", "positive rate", "time", "positive time", "open probability", "one probability"}
NUMBERS |= {"column of ms", "column of Hz"}

# Numbers that the function wants to know before tracing.
STABILITY = "fixed_points.stability.spectral_stability"
KNOWN = {(STABILITY, "clamps")}

MAKES = "makes a rule, an observer, a kernel, a rate function or settings, which others take"
HOST = "works on known numbers, in NumPy: measured data, statistics of trials, protocols of experiments"
LAB = "reads or writes files, draws, or runs studies and processes"
NAMES = "looks up or checks, and gives no numbers"
NOT_PROGRAMS: dict[str, str] = {
    **dict.fromkeys(
        (
            "dynamics.NoisyIntegrator",
            "dynamics.LeakyIntegrator",
            "dynamics.PrintedIntegrator",
            "dynamics.Langevin",
            "dynamics.MetropolisLangevin",
            "dynamics.SpikingIntegrator",
            "learning.layers.all_to_all_mask",
            "learning.layers.layer_slices",
            "learning.layers.layered_mask",
            "learning.layers.scale_layers",
            "learning.supervised.phase_update",
            "learning.backpropagation.backpropagation_update",
            "learning.em.em_update",
            "tests.surface.rows_learning.phases",
            "observers.mean_of",
            "observers.autocovariance_of",
            "observers.lagged_products_of",
            "observers.histogram_of",
            "random.key",
            "rates.hard_sigmoid",
            "rates.smoothed_hard_sigmoid",
            "rates.sigmoid",
            "rates.either",
            "rules.pair_schemes.pair_rule",
            "rules.triplet.triplet_rule",
            "rules.triplet.suppression_rule",
            "rules.traces.trace_rule",
            "rules.pair.nearest_neighbour_rule",
            "rules.differential.differential_rule",
            "rules.rate_rules.xie_seung_rule",
            "rules.rate_rules.bcm_rule",
            "rules.differential.eq1_rule",
            "rules.rate_rules.hebb_rule",
            "rules.combine.sum_rules",
            "rules.combine.scale_rule",
            "rules.combine.mask_rule",
            "rules.combine.bounded_rule",
        ),
        MAKES,
    ),
    **dict.fromkeys(
        (
            "fitting.measurements.measurements",
            "fitting.models.predict",
            "fitting.own.model_of",
            "fitting.measurements.bi_poo_2001",
            "fitting.measurements.sjostrom_2001",
            "fitting.reading.load",
            "fitting.reading.read_measurements",
            "fitting.searches.random_starts",
            "fitting.searches.search",
            "fitting.fit.fit",
            "fitting.fit.compare",
            "learning.data.load_digits",
            "learning.data.load_mnist",
            "learning.data.load_images",
            "learning.data.count_classes",
            "learning.data.split",
            "networks.tied_networks",
            "power.t_test_power",
            "power.t_test_alarms",
            "power.sample_size",
            "protocols.spike_times.Protocol.binned",
            "protocols.spike_times.Protocol.falls_on_bins",
            "protocols.rates.RateProtocol.probabilities",
            "protocols.rates.RateProtocol.sample",
            "protocols.spike_times.pairs",
            "protocols.spike_times.triplets",
            "protocols.spike_times.quadruplets",
            "protocols.spike_times.bursts",
            "protocols.spike_times.repeated",
            "protocols.rates.constant_rates",
            "protocols.rates.ramping_rates",
            "protocols.rates.modulated_rates",
            "protocols.experiment.predicted_rates",
            "rules.events.merge_spike_times",
            "rules.events.event_updates",
            "rules.events.event_weight_change",
            "spikes.times.from_times",
            "spikes.times.to_times",
            "stats.bootstrap",
            "stats.intervals.mean_interval",
            "stats.intervals.normal_interval",
            "stats.intervals.wilson_interval",
            "stats.pairs.pair_sums",
            "stats.pairs.correlation",
            "stats.pairs.correlation_of_sums",
            "stats.cells.quantile_bins",
            "stats.cells.sums_by_bin",
            "stats.cells.chi_square_per_cell",
            "theory.linear_noise.weights_of_modes",
            "theory.linear_noise.linear_variance",
            "theory.linear_noise.mean_energy",
            "theory.principal_components.probabilistic_components",
            "theory.principal_components.fill_linearly",
            "theory.slopes.slope_agreement",
        ),
        HOST,
    ),
    **dict.fromkeys(
        (
            "parallel.processes.initialize",
            "parallel.devices.map_sharded",
            "parallel.devices.map_blocks",
            "parallel.processes.on_main_process",
            "parallel.processes.is_main_process",
            "parallel.devices.n_devices",
            "parallel.devices.mesh",
            "parallel.devices.is_placed",
            "studies.again.repeat",
            "studies.index.find",
            "studies.index.where",
            "studies.index.installed",
            "studies.run",
            "studies.run_into",
            "tests.surface.rows_studies.claim",
            "tests.surface.rows_studies.study",
            "tests.surface.rows_studies.statement",
            "lab.statement.verdict_of",
            "lab.claim.at_most",
            "lab.claim.at_least",
            "lab.claim.within",
            "lab.claim.estimate",
            "lab.claim.keep_estimate",
            "lab.fit_settings.FitConfig",
            "lab.fit.fit_into",
            "lab.again.compare.compare",
            "lab.again.record.read_record",
            "lab.from_file.read_studies",
            "plotting.style",
            "plotting.new_figure",
            "plotting.frame",
            "plotting.curve",
            "plotting.points",
            "plotting.bars",
            "plotting.table",
            "lab.own.places.studies_at",
            "lab.own.installed.installed",
            "lab.own.new.new_study",
            "lab.from_file.read_object",
            "lab.portraits.choose.find_rule",
            "lab.portraits.compare.compare_into",
            "lab.portraits.figure.figure",
            "lab.portraits.portrait.portrait",
            "lab.portraits.table.as_text",
            "lab.portraits.table.table",
            "lab.report.render",
            "lab.report.number",
            "lab.sweep.grid.parse_grid",
            "lab.sweep.memory.parse_memory",
            "lab.sweep.run.sweep",
            "lab.train_settings.make_learner",
            "lab.train.train",
            "tests.surface.rows_lab_train.config",
        ),
        LAB,
    ),
    **dict.fromkeys(
        (
            "fitting.models.find_model",
            "fixed_points.relaxation.natural_form",
            "rates.check_rate_fn",
        ),
        NAMES,
    ),
}


pytestmark = pytest.mark.usefixtures("no_annotations")


def _program(name: str) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return a function of the numbers among the arguments of a row, and their shapes."""
    row = TABLE[name]
    arguments = {key: (kind, _made(value)) for key, (kind, value) in row.arguments.items()}
    numbers = {key: value for key, (kind, value) in arguments.items() if kind in NUMBERS or _is_of_arrays(value)}
    numbers = {key: value for key, value in numbers.items() if (name, key) not in KNOWN}
    others = {key: value for key, (_, value) in arguments.items() if key not in numbers}
    if not numbers:
        raise ValueError("no number that could be traced")
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(jnp.shape(leaf), jnp.asarray(leaf).dtype), numbers)
    return lambda numbers: row.call(**numbers, **others), shapes


def _shapes_of_result(name: str) -> Any:
    function, shapes = _program(name)
    return jax.eval_shape(jax.jit(function), shapes)


def _is_of_arrays(value: Any) -> bool:
    leaves = jax.tree.leaves(value)
    return bool(leaves) and all(isinstance(leaf, jax.Array | np.ndarray) for leaf in leaves)


@pytest.mark.parametrize("name", [name for name in TABLE if name not in (*NOT_PROGRAMS, STABILITY)])
def test_a_public_function_lowers_for_every_platform(name):
    function, shapes = _program(name)
    made = export.export(jax.jit(function), platforms=PLATFORMS)(shapes)
    assert made.platforms == PLATFORMS


@pytest.mark.parametrize("name", NOT_PROGRAMS)
def test_what_is_listed_as_no_program_is_none(name):
    # Of whatever kind the host's arithmetic raises at a traced number.
    with pytest.raises((ValueError, TypeError, jax.errors.JAXTypeError)):
        _shapes_of_result(name)


def test_eigenvalues_lower_for_cpu_and_cuda():
    # JAX calls a library there, of which it does not promise that it stays; on a TPU the host computes them, and a
    # call to the host lowers only where there is one.
    function, shapes = _program(STABILITY)
    allowed = [export.DisabledSafetyCheck.custom_call("cuhybrid_eig_real")]
    with jax.numpy_dtype_promotion("standard"):  # in JAX's own lowering
        made = export.export(jax.jit(function), platforms=("cpu", "cuda"), disabled_checks=allowed)(shapes)
    assert made.platforms == ("cpu", "cuda")


def test_eigenvalues_and_their_derivatives_on_the_host_are_those_of_jax():
    matrix, tangent = jax.random.normal(random.key(0), (2, 4, 5, 5))
    ours, theirs = (
        jax.jit(jax.vmap(lambda matrix, tangent, values=values: jax.jvp(values, (matrix,), (tangent,))))(
            matrix, tangent
        )
        for values in (_eigenvalues_on_host, jnp.linalg.eigvals)
    )
    assert ours[0].dtype == theirs[0].dtype
    for values, changes, values_of_jax, changes_of_jax in zip(*ours, *theirs, strict=True):
        nearest = jnp.argmin(jnp.abs(values[:, None] - values_of_jax[None, :]), axis=1)
        assert sorted(nearest.tolist()) == list(range(5))
        np.testing.assert_allclose(values, values_of_jax[nearest], atol=1e-5)
        np.testing.assert_allclose(changes, changes_of_jax[nearest], atol=1e-3)
