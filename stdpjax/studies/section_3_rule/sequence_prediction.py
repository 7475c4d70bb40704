"""Predicting the next frame of a sequence, learned online by J_x on clamped units (section 4, Eq 12)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key
from numpy.typing import NDArray

from stdpjax import _checks
from stdpjax.energy import Params, field_of
from stdpjax.lab import Claim, Criterion, Progress, Study, at_most, within
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.lab.train_settings import RATE
from stdpjax.learning.data import load_digits
from stdpjax.random import member_keys, named_key
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import labelled, limits, merged, required, supports
from stdpjax.studies.section_3_rule.sequence_prediction_figure import plot

BAR_WIDTH = 3
BASELINES = ("ridge, one frame", "ridge, one frame and hidden units that see it", "ridge, two frames")


@configuration
class SequencePredictionConfig:
    """Settings of the study of sequences; activities in [-1/2, 1/2]."""

    n_pixels: int = setting(16, "pixels of the ring on which a bar travels", at_least=BAR_WIDTH + 1)
    n_frames: int = setting(12, "frames of a sequence of bars", at_least=3)
    n_training: int = setting(200, "sequences that are learned, of each kind")
    n_test: int = setting(200, "held-out sequences of each kind")
    n_hidden: int = setting(64, "hidden units, whose own weights stay as they are")
    n_networks: int = setting(8, "networks, each with its own weights and sequences", at_least=2)
    n_passes: int = setting(6, "passes over the training sequences")
    learning_rate: float = setting(0.005, "step size of the delta rule", above=0)
    step: float = setting(0.5, "step of the hidden units per frame", **STEP)
    penalty: float = setting(0.01, "of the ridge regression", above=0)

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        _checks.count("n_training", self.n_training + self.n_test, maximum=1797)


def _relative(errors: xr.DataArray, data: xr.Dataset, kind: str) -> NDArray[np.float64]:
    """Return errors relative to those of a linear prediction from one frame, for each network."""
    return errors.sel(kind=kind).values / data.baseline_error.sel(kind=kind, baseline=BASELINES[0]).values


def _predicts(claim: partial[Claim], kind: str, words: str, criterion: Criterion, rival: str) -> Claim:
    return claim(
        f"eq12.{kind}",
        f"Error of the next frame of {words}, learned online, relative to ridge regression on one frame.",
        criterion=criterion,
        measure=lambda data: mean_interval(_relative(data.error.isel(epoch=-1), data, kind)),
        control=lambda data: _relative(data.baseline_error.sel(baseline=rival), data, kind).mean(),
        control_is=rival,
        note=lambda data: f"Two frames: {_relative(data.baseline_error.isel(baseline=2), data, kind).mean():.3f}.",
    )


CLAIMS = (
    _predicts(limits, "bars", "travelling bars", within(0.3, 0.2), BASELINES[2]),
    _predicts(supports, "digits", "digits scanned by columns", at_most(0.9), BASELINES[1]),
)


def run(key: Key[Array, ""], config: SequencePredictionConfig, progress: Progress) -> xr.Dataset:
    """Learn both kinds of sequences, and compare with predictors that are fitted to all of them at once."""
    keys = member_keys(named_key(key, "networks"), config.n_networks)
    found = {}
    for number, (kind, frames) in enumerate(_sequences(keys, config).items()):
        progress(0.5 * number, kind)
        found[kind] = _one_kind(keys, frames, config)
    errors, baselines = (np.array([part[index] for part in found.values()]) for index in (0, 1))
    finite, words = np.isfinite(errors).all(axis=-1), "squared error of the next frame per pixel, held-out sequences"
    return merged(
        labelled(("kind", "network", "epoch"), "rate^2", error=(errors, words)),
        labelled(("kind", "baseline", "network"), "rate^2", baseline_error=(baselines, words)),
        required(("kind", "network"), "finite errors", is_finite=finite),
        kind=list(found),
        baseline=list(BASELINES),
        epoch=np.arange(config.n_passes + 1),
    )


def _sequences(keys: Key[Array, "network"], config: SequencePredictionConfig) -> dict[str, Array]:
    """Return sequences of each kind for each network, those to learn before those to test."""
    n = config.n_training + config.n_test
    # Scanned column by column.
    scans = jnp.asarray(np.swapaxes(load_digits().pixels, 1, 2), float) - 0.5
    return {
        "bars": jax.vmap(lambda key: travelling_bars(named_key(key, "bars"), n, config))(keys),
        "digits": jax.vmap(lambda key: jax.random.choice(named_key(key, "scans"), scans, (n,), replace=False))(keys),
    }


def _one_kind(
    keys: Key[Array, "network"], frames: Float[Array, "network sequence frame pixel"], config: SequencePredictionConfig
) -> tuple[NDArray[np.floating], NDArray[np.float64]]:
    """Return errors `[network, epoch]`, and those of fitted predictors `[baseline, network]`."""
    sizes = {name: getattr(config, name) for name in ("n_hidden", "n_passes", "n_training")}
    errors, expanded = _learn(keys, frames, config.step, config.learning_rate, **sizes)
    # Double precision: the fit of bars to two frames is exact.
    seen, expanded = np.asarray(frames, np.float64), np.asarray(expanded, np.float64)
    fit = partial(ridge_error, n_training=config.n_training, penalty=config.penalty)
    baselines = [
        [fit(*pair, n_past=n_past) for pair in zip(inputs, seen, strict=True)]
        for inputs, n_past in ((seen, 1), (expanded, 1), (seen, 2))
    ]
    return np.asarray(errors), np.array(baselines)


def travelling_bars(
    key: Key[Array, ""], n_sequences: int, config: SequencePredictionConfig
) -> Float[Array, "sequence frame pixel"]:
    """Return bars that travel one pixel a frame around a ring, either way, from anywhere."""
    starts = jax.random.randint(named_key(key, "starts"), (n_sequences,), 0, config.n_pixels, jnp.int32)
    ways = jax.random.rademacher(named_key(key, "ways"), (n_sequences,), jnp.int32)
    place = starts[:, None] + ways[:, None] * jnp.arange(config.n_frames, dtype=jnp.int32)[None]
    behind = (jnp.arange(config.n_pixels, dtype=jnp.int32)[None, None] - place[:, :, None]) % config.n_pixels
    return (behind < BAR_WIDTH).astype(float) - 0.5


def ridge_error(inputs: np.ndarray, frames: np.ndarray, *, n_training: int, n_past: int, penalty: float) -> float:
    """Return the squared error of a linear prediction of each frame from inputs before it, fitted to the first ones."""
    past = [inputs[:, i : frames.shape[1] - n_past + i] for i in range(n_past)]
    past = np.concatenate([*past, np.ones((*past[0].shape[:2], 1))], axis=2)
    (x, x_new), (y, y_new) = (
        (part[:n_training].reshape(-1, part.shape[2]), part[n_training:].reshape(-1, part.shape[2]))
        for part in (past, frames[:, n_past:])
    )
    fit = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    return float(np.mean((x_new @ fit - y_new) ** 2))


def follow(
    params: Params, frames: Float[Array, "frame pixel"], step: float | Array, learning_rate: float | Array
) -> tuple[Params, Float[Array, "later pixel"]]:
    """Return the parameters after a sequence, and what was predicted, R_x, for each of its frames but the first.

    The visible units, which come first, are clamped to a frame; the rows of x learn by the delta rule for the next,
    (x - R_x) rho(s_j), unless the rate is 0. The hidden units go on by one step of the leaky integrator.
    """
    n_visible = frames.shape[1]

    def one_frame(carry, pair):
        params, hidden = carry
        now, following = pair
        rates = RATE.value(jnp.concatenate([now, hidden]))
        towards = field_of(params, rates)
        # In the active region, kinks included, rho' is 1 for the clamped units.
        error = following - towards[:n_visible]
        moved = Params(
            params.weights.at[:n_visible].add(learning_rate * jnp.outer(error, rates)),
            params.bias.at[:n_visible].add(learning_rate * error),
        )
        return (moved, hidden + step * (towards[n_visible:] - hidden)), towards[:n_visible]

    start = jnp.zeros(params.bias.shape[0] - n_visible, frames.dtype)
    (params, _), predicted = jax.lax.scan(one_frame, (params, start), (frames[:-1], frames[1:]))
    return params, predicted


def _first_params(key: Key[Array, ""], n_visible: int, n_hidden: int, mean_rate: Float[Array, ""]) -> Params:
    """Random weights into the hidden units, which balance around rest; none into the visible ones."""
    n_units = n_visible + n_hidden
    draws = jax.random.normal(key, (n_hidden, n_units), float)
    scale = jnp.where(jnp.arange(n_units) < n_visible, n_visible**-0.5, 0.9 * n_hidden**-0.5)
    weights = jnp.zeros((n_units, n_units)).at[n_visible:].set(draws * scale[None])
    weights = weights - jnp.diag(jnp.diagonal(weights))
    return Params(weights, -weights @ jnp.where(jnp.arange(n_units) < n_visible, mean_rate, 0.5))


@partial(jax.jit, static_argnames=("n_hidden", "n_passes", "n_training"))
def _learn(keys, frames, step, learning_rate, *, n_hidden: int, n_passes: int, n_training: int):
    """Return held-out errors, `[network, pass]`, and each frame with the rates that hidden units take on from it."""

    def one_network(key, frames):
        training, test = frames[:n_training], frames[n_training:]
        n_visible, mean_rate = frames.shape[2], jnp.mean(RATE.value(training))
        first = _first_params(named_key(key, "weights"), n_visible, n_hidden, mean_rate)

        def error(params):
            predicted = jax.vmap(lambda frames: follow(params, frames, step, 0.0)[1])(test)
            return jnp.mean((predicted - test[:, 1:]) ** 2)

        def one_pass(params, number):
            order = jax.random.permutation(jax.random.fold_in(named_key(key, "order"), number), n_training)
            after, _ = jax.lax.scan(
                lambda now, index: (follow(now, training[index], step, learning_rate)[0], None), params, order
            )
            return after, error(params)

        def seen(frame):
            rates = RATE.value(jnp.concatenate([frame, jnp.zeros(n_hidden, frame.dtype)]))
            return jnp.concatenate([frame, RATE.value(field_of(first, rates)[n_visible:])])

        last, errors = jax.lax.scan(one_pass, first, jnp.arange(n_passes, dtype=jnp.uint32))
        return jnp.append(errors, error(last)), jax.vmap(jax.vmap(seen))(frames)

    return jax.vmap(one_network)(keys, frames)


STUDY = Study(
    name="sequence_prediction",
    title="Predicting the next frame, online",
    figure="Eq 12",
    source="Bengio et al. 2015, section 4, Eq 12; section 6.1",
    caption="Clamped units learn to predict the next frame by the delta rule x - R_x, from that before it and from "
    "hidden units, which remember earlier ones: better than one frame can tell. For bars two frames tell all.",
    config=SequencePredictionConfig(),
    smoke=dict(n_training=20, n_test=10, n_hidden=8, n_networks=2, n_passes=2),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
