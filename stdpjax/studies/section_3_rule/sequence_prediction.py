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
from stdpjax.lab import Claim, Progress, Study, at_most
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.lab.train_settings import RATE
from stdpjax.learning.data import load_digits
from stdpjax.random import member_keys, named_key
from stdpjax.stats import mean_interval
from stdpjax.studies.section_3_rule.sequence_prediction_figure import plot

BAR_WIDTH = 3
BASELINES = ("persistence", "ridge, one frame", "ridge, two frames")
LEARNED = ("no hidden units", "hidden units", "hidden units, frames in another order")


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


_PRINTED = "P(x_1, ..., x_T) = prod_t P(x_t | s_(t-1)): predicting what comes next from the state fits the sequence."
_CORRECTED = (
    "The state has to hold what the past says about the next frame: hidden units that remember. Clamped units learn by "
    "the prediction x - R_x, not by their own change."
)


def _relative(data: xr.Dataset, kind: str, model: str, baseline: str) -> NDArray[np.float64]:
    """Return last errors relative to those of a predictor that is not learned online, for each network."""
    final = data.error.sel(kind=kind, model=model).isel(epoch=-1)
    return final.values / data.baseline_error.sel(kind=kind, baseline=baseline).values


def _errors(data: xr.Dataset, kind: str) -> str:
    final, fixed = data.error.isel(epoch=-1).sel(kind=kind), data.baseline_error.sel(kind=kind)
    numbers = [*zip(LEARNED, final.mean("network").values, strict=True)]
    numbers += [*zip(BASELINES, fixed.mean("network").values, strict=True)]
    return "Errors: " + ", ".join(f"{name} {value:.4f}" for name, value in numbers) + "."


def _claim(name: str, measured: str, limit: float) -> Claim:
    """Return the claim on one kind of sequence, with hidden units or without."""
    kind, units = name.split("_")
    model, baseline = (LEARNED[0], BASELINES[0]) if units == "without" else (LEARNED[1], BASELINES[1])
    return Claim(
        f"E12.{name}",
        measured,
        statement="Eq 12",
        criterion=at_most(limit),
        measure=lambda data: mean_interval(_relative(data, kind, model, baseline)),
        control=lambda data: _relative(data, kind, LEARNED[2], baseline).mean(),
        control_is="hidden units trained with the frames in another order",
        bearing="limits",
        note=lambda data: _errors(data, kind),
    )


CLAIMS = (
    # The frame before leaves two ways: predicting their mean has half of persistence's error, and nothing has less.
    _claim("bars_without", "Error for travelling bars, no hidden units, relative to persistence.", 0.55),
    _claim("bars_hidden", "Error for travelling bars, hidden units, relative to ridge regression on one frame.", 0.5),
    _claim("digits_without", "Error for scanned digits, no hidden units, relative to persistence.", 0.8),
    _claim("digits_hidden", "Error for scanned digits, hidden units, relative to ridge regression on one frame.", 0.9),
)


def run(key: Key[Array, ""], config: SequencePredictionConfig, progress: Progress) -> xr.Dataset:
    """Learn both kinds of sequences, and compare with predictors that are fitted to all of them at once."""
    keys = member_keys(named_key(key, "networks"), config.n_networks)
    found = {}
    for number, (kind, frames) in enumerate(_sequences(keys, config).items()):
        progress(0.5 * number, kind)
        found[kind] = _one_kind(keys, frames, config)
    errors, baselines = (np.array([part[index] for part in found.values()]) for index in (0, 1))
    unit = {"units": "rate^2", "long_name": "squared error of the next frame per pixel, held-out sequences"}
    finite = np.isfinite(errors).all(axis=-1)
    examples = {kind: part[2] for kind, part in found.items()}
    return xr.Dataset(
        {
            "error": (("kind", "model", "network", "epoch"), errors, unit),
            "baseline_error": (("kind", "baseline", "network"), baselines, unit),
            "is_finite": (("kind", "model", "network"), finite, {"required": "finite errors"}),
            **{
                f"{kind}_example": (("row", f"{kind}_frame", f"{kind}_pixel"), example + 0.5, {"long_name": "rate"})
                for kind, example in examples.items()
            },
        },
        coords={
            "kind": list(found),
            "model": list(LEARNED),
            "baseline": list(BASELINES),
            "network": np.arange(config.n_networks),
            "epoch": np.arange(config.n_passes + 1),
            "row": ["seen", "no hidden units", "hidden units"],
            **{f"{kind}_frame": np.arange(1, example.shape[1] + 1) for kind, example in examples.items()},
            **{f"{kind}_pixel": np.arange(example.shape[2]) for kind, example in examples.items()},
        },
    )


def _sequences(keys: Key[Array, "network"], config: SequencePredictionConfig) -> dict[str, Array]:
    """Return sequences of each kind for each network, those to learn before those to test."""
    n_both = config.n_training + config.n_test
    # Scanned column by column.
    scans = jnp.asarray(np.swapaxes(load_digits().pixels, 1, 2), float) - 0.5

    def some_scans(key: Key[Array, ""]) -> Float[Array, "sequence frame pixel"]:
        return jax.random.choice(named_key(key, "scans"), scans, (n_both,), replace=False)

    return {
        "bars": jax.vmap(lambda key: travelling_bars(named_key(key, "bars"), n_both, config))(keys),
        "digits": jax.vmap(some_scans)(keys),
    }


def _one_kind(
    keys: Key[Array, "network"], frames: Float[Array, "network sequence frame pixel"], config: SequencePredictionConfig
) -> tuple[NDArray[np.floating], NDArray[np.float64], NDArray[np.floating]]:
    """Return errors `[model, network, epoch]`, those of predictors `[baseline, network]`, and a predicted sequence."""
    training, test = frames[:, : config.n_training], frames[:, config.n_training :]
    learn = partial(_learn, step=config.step, learning_rate=config.learning_rate, n_passes=config.n_passes)
    bare, bare_example = learn(keys, training, test, n_hidden=0)
    # The control is the same networks again: one program runs both.
    shuffled = jnp.concatenate([training, jax.vmap(_shuffle_frames)(keys, training)])
    twice = jnp.concatenate([keys, keys]), shuffled, jnp.concatenate([test, test])
    full, full_example = learn(*twice, n_hidden=config.n_hidden)
    seen, unseen = np.asarray(training, np.float64), np.asarray(test, np.float64)
    baselines = [
        ((unseen[:, :, 1:] - unseen[:, :, :-1]) ** 2).mean(axis=(1, 2, 3)),
        *([ridge_error(*pair, n_past, config.penalty) for pair in zip(seen, unseen, strict=True)] for n_past in (1, 2)),
    ]
    errors = np.stack([np.asarray(bare), *np.split(np.asarray(full), 2)])
    example = np.stack([np.asarray(part) for part in (test[0, 0, 1:], bare_example[0], full_example[0])])
    return errors, np.array(baselines), example


def travelling_bars(
    key: Key[Array, ""], n_sequences: int, config: SequencePredictionConfig
) -> Float[Array, "sequence frame pixel"]:
    """Return bars that travel one pixel a frame around a ring, either way, from anywhere."""
    starts = jax.random.randint(named_key(key, "starts"), (n_sequences,), 0, config.n_pixels, jnp.int32)
    ways = jax.random.rademacher(named_key(key, "ways"), (n_sequences,), jnp.int32)
    place = starts[:, None] + ways[:, None] * jnp.arange(config.n_frames, dtype=jnp.int32)[None]
    behind = (jnp.arange(config.n_pixels, dtype=jnp.int32)[None, None] - place[:, :, None]) % config.n_pixels
    return (behind < BAR_WIDTH).astype(float) - 0.5


def ridge_error(training: np.ndarray, test: np.ndarray, n_past: int, penalty: float) -> float:
    """Return the squared error of a linear prediction of each frame from those before it, fitted with a penalty."""

    def pairs(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n_frames = frames.shape[1]
        past = np.concatenate([frames[:, i : n_frames - n_past + i] for i in range(n_past)], axis=2)
        past = past.reshape(-1, past.shape[2])
        return np.c_[past, np.ones(len(past))], frames[:, n_past:].reshape(-1, frames.shape[2])

    past, following = pairs(training)
    fit = np.linalg.solve(past.T @ past + penalty * np.eye(past.shape[1]), past.T @ following)
    past, following = pairs(test)
    return float(np.mean((past @ fit - following) ** 2))


def follow(
    params: Params, frames: Float[Array, "frame pixel"], step: float | Array, learning_rate: float | Array
) -> tuple[Params, Float[Array, "later pixel"]]:
    """Return the parameters after a sequence, and what was predicted, R_x, for each of its frames but the first.

    The visible units, which come first, are clamped to a frame; the next frame is compared with R_x and the rows of x
    learn by the delta rule, (x - R_x) rho(s_j), unless the rate is 0. The hidden units go on by one step of the leaky
    integrator.
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
    scale = jnp.where(jnp.arange(n_units) < n_visible, n_visible**-0.5, 0.9 * max(n_hidden, 1) ** -0.5)
    weights = jnp.zeros((n_units, n_units)).at[n_visible:].set(draws * scale[None])
    weights = weights - jnp.diag(jnp.diagonal(weights))
    return Params(weights, -weights @ jnp.where(jnp.arange(n_units) < n_visible, mean_rate, 0.5))


def _shuffle_frames(key: Key[Array, ""], frames: Float[Array, "sequence frame pixel"]) -> Float[Array, "..."]:
    """Put frames into another order, the same for all sequences: it can be learned, but is not the test's."""
    return jax.random.permutation(named_key(key, "shuffled"), frames, axis=1, independent=False)


@partial(jax.jit, static_argnames=("n_hidden", "n_passes"))
def _learn(keys, training, test, step, learning_rate, *, n_hidden: int, n_passes: int):
    """Return held-out errors before and after each pass, `[network, pass]`, and predictions of one sequence."""

    def one_network(key, training, test):
        mean_rate = jnp.mean(RATE.value(training))
        first = _first_params(named_key(key, "weights"), test.shape[2], n_hidden, mean_rate)

        def error(params):
            predicted = jax.vmap(lambda frames: follow(params, frames, step, 0.0)[1])(test)
            return jnp.mean((predicted - test[:, 1:]) ** 2)

        def one_pass(params, number):
            order = jax.random.permutation(jax.random.fold_in(named_key(key, "order"), number), training.shape[0])
            after, _ = jax.lax.scan(
                lambda now, index: (follow(now, training[index], step, learning_rate)[0], None), params, order
            )
            return after, error(params)

        last, errors = jax.lax.scan(one_pass, first, jnp.arange(n_passes, dtype=jnp.uint32))
        return jnp.append(errors, error(last)), follow(last, test[0], step, 0.0)[1]

    return jax.vmap(one_network)(keys, training, test)


STUDY = Study(
    name="sequence_prediction",
    title="Predicting the next frame, online",
    figure="Eq 12",
    source="Bengio et al. 2015, section 4, Eq 12; section 6.1",
    caption="Clamped units learn to predict the next frame by the delta rule x - R_x. Without hidden units the "
    "prediction is as good as the best linear one from a frame; hidden units that remember earlier frames make it "
    "better. For bars a regression on two frames is exact, which online learning does not reach.",
    config=SequencePredictionConfig(),
    smoke=dict(n_training=20, n_test=10, n_hidden=8, n_networks=2, n_passes=2),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
