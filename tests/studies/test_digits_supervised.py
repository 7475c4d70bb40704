"""Supervised digits: splits, the two-sided rule against equilibrium propagation, readouts, a twin of wrong sign."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax.lab.train_settings import RATE
from stdpjax.learning import Labelled, Phases, phase_update, random_layers
from stdpjax.learning.data import Images
from stdpjax.studies import digit_training, run
from stdpjax.studies.digit_training import draw_split, draw_splits
from stdpjax.studies.section_8_backprop.digits_supervised import READOUTS, readout_accuracies

N_IMAGES = 40
# The first pixel says which image it is.
IMAGES = Images(
    np.stack([np.full((1, 2), i / N_IMAGES) for i in range(N_IMAGES)]).astype(np.float32),
    np.arange(N_IMAGES, dtype=np.int32) % 2,
)


def _numbers(part):
    return np.rint((np.asarray(part.inputs[..., 0]) + 0.5) * N_IMAGES).astype(int)


def test_no_image_is_in_both_parts_of_a_split():
    training, test = draw_splits(stdpjax.random.key(0), IMAGES, 3, N_IMAGES, 0.2)
    for network in range(3):
        seen, unseen = _numbers(training)[network], _numbers(test)[network]
        assert sorted([*seen, *unseen]) == list(range(N_IMAGES))
        assert len(unseen) == 8
        np.testing.assert_array_equal(test.labels[network], unseen % 2)
        np.testing.assert_array_equal(training.labels[network], seen % 2)
    assert not np.array_equal(_numbers(test)[0], _numbers(test)[1])


def test_images_of_a_split_of_their_own_stay_in_their_parts():
    is_test = np.arange(N_IMAGES) >= 30
    training, test = draw_split(np.random.default_rng(0), IMAGES._replace(is_test=is_test), 20, 6)
    assert (len(set(training)), len(set(test))) == (14, 6)
    assert max(training) < 30 <= min(test)
    with pytest.raises(ValueError, match="n_test: expected a whole number of at most 10"):
        draw_split(np.random.default_rng(0), IMAGES._replace(is_test=is_test), 20, 11)


@pytest.mark.parametrize("order", ["simultaneous", "alternating"])
def test_eq_1_over_a_pull_and_a_push_is_equilibrium_propagation_and_over_one_pull_is_not(order):
    sizes = (3, 4, 4, 2)
    params = random_layers(stdpjax.random.key(1), sizes)
    batch = Labelled(0.4 * jax.random.normal(stdpjax.random.key(2), (5, 3)), jnp.array([0, 1, 1, 0, 1]))
    rules = ("symmetric", "paper_two_sided", "paper")
    found, two_sided, printed = (
        phase_update(RATE, Phases(rule, 16, 6, sizes=sizes, order=order), 2)(jax.random.key(0), params, batch, ())[0]
        for rule in rules
    )
    scale = np.linalg.norm(found.weights)
    assert np.linalg.norm(two_sided.weights - found.weights) < 1e-5 * scale
    assert np.linalg.norm(printed.weights - found.weights) > 0.05 * scale


def test_hidden_units_that_learn_nothing_read_out_what_pixels_alone_do_not_say():
    # Whether the two pixels are alike.
    corners = np.random.default_rng(0).choice([-0.4, 0.4], (2, 1, 400, 2))
    training, test = (
        Labelled(jnp.asarray(part, float), jnp.asarray(np.prod(part, axis=2) > 0, jnp.int32)) for part in corners
    )
    found = readout_accuracies(stdpjax.random.key(0), training, test, 32)
    assert READOUTS == ("pixels", "frozen")
    assert found[0, 0] < 0.7
    assert found[1, 0] == 1


@pytest.mark.slow
def test_updates_with_the_wrong_sign_learn_nothing(monkeypatch):
    right = digit_training.phase_update

    def wrong(*arguments, **named):
        update = right(*arguments, **named)

        def turned(*inputs):
            delta, metrics, memory = update(*inputs)
            return jax.tree.map(jnp.negative, delta), metrics, memory

        return turned

    monkeypatch.setattr(digit_training, "phase_update", wrong)
    result = run(
        "digits_supervised",
        data="digits",
        n_networks=2,
        n_deep_networks=2,
        n_stages=2,
        n_epochs=2,
        n_hidden=16,
        show_progress=False,
    )
    verdicts = {record["id"]: record["verdict"] for record in result.records}
    assert "met" not in {verdicts[name] for name in ("sec8.hidden_layer", "sec8.behind", "sec8.two_layers")}
    assert float(result.data.accuracy.sel(rule="patient")[:, -1].max()) < 0.5
