"""Whether learning makes inference faster: relaxation times before and after (section 6.2 and 6.3)."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax import _checks
from stdpjax.energy import Params
from stdpjax.learning import Labelled
from stdpjax.learning.data import load_digits
from stdpjax.random import member_keys, named_key
from stdpjax.studies.base import Measurement, Progress, Study
from stdpjax.studies.figures.inference_speedup import plot
from stdpjax.studies.hidden_objective import CENTRES
from stdpjax.studies.networks import centred_network, mean_interval
from stdpjax.studies.relaxations import Lesson, learn_stages, settling, train_for_task
from stdpjax.studies.settings import setting
from stdpjax.studies.speedup_claims import CLAIMS

LESSONS = ("frozen", "Eq 1", "Eq 1 reversed", "descent on J_h", "weight decay")
COURSES = ("weak", "strong", "weak, wrong sign", "strong, frozen")


@dataclasses.dataclass(frozen=True)
class InferenceSpeedupConfig:
    """Settings of the study of relaxation times; times in units of the time constant tau."""

    n_networks: int = setting(20, "random networks of 8 units for each fixed point")
    n_stages: int = setting(4, "how often they are measured while they learn")
    n_relaxations: int = setting(12, "relaxations from random starts in each stage")
    n_relaxation_steps: int = setting(100, "steps of 0.1 time constants in each")
    learning_rate: float = setting(0.02, "rate of Eq 1; tied and in descent on J_h half of it")
    slow_rate: float = setting(0.0005, "rate with which the law of small changes is checked")
    decay: float = setting(1.0, "time constants of weight decay that learning lasts")
    n_starts: int = setting(8, "starts of simulated relaxations for each network")
    n_steps: int = setting(300, "steps of these")
    n_learners: int = setting(6, "networks that learn digits, of each kind")
    n_hidden: int = setting(32, "hidden units of these")
    gains: tuple[float, ...] = setting((0.2, 0.4), "spread of their weak and strong first weights")
    task_rate: float = setting(0.001, "step size of Adam in them")
    n_passes: int = setting(3, "passes over the training images")
    n_images: int = setting(800, "training images")
    n_probes: int = setting(6, "test images with which relaxation is measured")

    def __post_init__(self) -> None:
        """Refuse settings out of range."""
        for name in ("n_stages", "n_relaxations", "n_relaxation_steps", "n_starts", "n_hidden", "n_passes", "n_probes"):
            _checks.count(name, getattr(self, name))
        for name in ("n_networks", "n_learners"):
            _checks.count(name, getattr(self, name), minimum=2, maximum=_checks.MAX_HELD_TRAINS)
        _checks.count("n_steps", self.n_steps, minimum=100)
        _checks.count("n_images", self.n_images, minimum=20, maximum=1400)
        _checks.count("n_probes", self.n_probes, maximum=300)
        for name in ("learning_rate", "slow_rate", "decay", "task_rate"):
            _checks.number(name, getattr(self, name), above=0)
        if len(self.gains) != 2 or not 0 < self.gains[0] < self.gains[1]:
            raise ValueError(f"gains: expected two increasing numbers above 0, got {self.gains}")


def lessons(config: InferenceSpeedupConfig) -> Lesson:
    """Return the lessons in the order of `LESSONS`, then slow learning by the tied Eq 1 and its reverse."""
    rate, slow = config.learning_rate, config.slow_rate
    n_steps = config.n_stages * config.n_relaxations * config.n_relaxation_steps
    rows = np.zeros((len(LESSONS) + 2, len(Lesson._fields)))
    rows[1, 0], rows[2, 0] = rate, -rate
    rows[3, 1], rows[4, 2] = rate / 2, config.decay / n_steps
    rows[5, 0], rows[6, 0] = slow, -slow
    rows[[3, 5, 6], 3] = 1
    return Lesson(*(jnp.asarray(column, float) for column in rows.T))


@partial(jax.jit, static_argnames=("n_stages", "n_relaxations", "n_steps"))
def _learned(keys, centres, lessons, *, n_stages: int, n_relaxations: int, n_steps: int):
    """Weights, gains and whether all was finite, with leading axes `[network, centre, lesson]`; and the biases."""

    def one(key, centre, lesson):
        params = centred_network(named_key(key, "weights"), centre, 8)
        sizes = {"n_stages": n_stages, "n_relaxations": n_relaxations, "n_steps": n_steps}
        return *learn_stages(named_key(key, "starts"), params, lesson, **sizes), params.bias

    one = jax.vmap(jax.vmap(jax.vmap(one, (None, None, 0)), (None, 0, None)), (0, None, None))
    return one(keys, centres, lessons)


@partial(jax.jit, static_argnames=("n_starts", "n_steps"))
def _measured(keys, weights, bias, *, n_starts: int, n_steps: int):
    def one(weights, bias, key):
        starts = jax.random.uniform(named_key(key, "tests"), (n_starts, 8), float, -0.5, 0.5)
        return settling(Params(weights, bias), starts, n_steps=n_steps)

    n_networks = weights.shape[0]
    bias = jnp.broadcast_to(bias[..., None, :], weights.shape[:-1]).reshape(n_networks, -1, 8)
    found = jax.vmap(jax.vmap(one, (0, 0, None)))(weights.reshape(n_networks, -1, 8, 8), bias, keys)
    return jax.tree.map(lambda leaf: leaf.reshape(weights.shape[:-2]), found)


def slow_law(weights: np.ndarray, gained: np.ndarray, rate: float) -> np.ndarray:
    """Return how the largest eigenvalue changes with slow learning: measured, by the law, and by another.

    Args:
        weights: of networks that learned by the tied Eq 1 and by its reverse, `[..., sign, stage, unit, unit]`.
        gained: what rates' products r r^T have gained over their relaxations, same shape.
        rate: of learning.

    Returns:
        Changes per rate after the first stage, `[3, ...]`: half the difference of both signs; v^T (gain) v off the
        diagonal, for the slowest mode v; the same with the diagonal.
    """
    weights, gained = np.asarray(weights, np.float64), np.asarray(gained, np.float64)
    largest = np.linalg.eigvalsh(weights[..., 1, :, :])[..., -1]
    measured = (largest[..., 0] - largest[..., 1]) / (2 * rate)
    mode = np.linalg.eigh(weights[..., 0, 0, :, :])[1][..., -1]
    gain = gained[..., 1, :, :].mean(axis=-3)
    own = np.einsum("...i,...ii->...", mode**2, gain)
    whole = np.einsum("...i,...ij,...j->...", mode, gain, mode)
    return np.stack([measured, whole - own, whole])


def run(key: Key[Array, ""], config: InferenceSpeedupConfig, progress: Progress) -> xr.Dataset:
    """Let networks learn while they relax, and others for a task, and measure how long relaxations take."""
    progress(0.0, "learning over relaxations")
    keys = member_keys(named_key(key, "networks"), config.n_networks)
    weights, gained, is_finite, bias = _learned(
        keys, jnp.asarray(list(CENTRES.values()), float), lessons(config),
        n_stages=config.n_stages, n_relaxations=config.n_relaxations, n_steps=config.n_relaxation_steps,
    )  # fmt: skip
    n_main = len(LESSONS)
    found = _measured(
        keys, weights[:, :, :n_main], bias[:, :, :n_main], n_starts=config.n_starts, n_steps=config.n_steps
    )
    law = slow_law(np.asarray(weights[:, :, n_main:]), np.asarray(gained[:, :, n_main:]), config.slow_rate)
    # What the untied Eq 1 would have added to units' connections to themselves: the change of r^2 / 2.
    own = 0.5 * config.learning_rate * np.diagonal(np.asarray(gained[:, :, 1], np.float64), axis1=-2, axis2=-1)

    progress(0.5, "learning digits")
    images = load_digits()
    data = Labelled(jnp.asarray(images.pixels.reshape(len(images.labels), -1) - 0.5, float), jnp.asarray(images.labels))
    gains = np.repeat([config.gains[0], config.gains[1], config.gains[0], config.gains[1]], config.n_learners)
    course = train_for_task(
        named_key(key, "task"), data, jnp.asarray(gains, float),
        jnp.asarray(np.repeat([1.0, 1.0, -1.0, 0.0], config.n_learners), float),
        jnp.tile(jnp.arange(config.n_learners, dtype=jnp.uint32), len(COURSES)), jnp.asarray(config.task_rate, float),
        sizes=(data.inputs.shape[1], config.n_hidden, 10), n_stages=config.n_passes, n_steps=300,
        n_images=config.n_images, n_probes=config.n_probes,
    )  # fmt: skip

    def of_course(values: Array) -> np.ndarray:
        found = np.asarray(values, np.float64)
        return found.reshape(found.shape[0], len(COURSES), config.n_learners, *found.shape[2:])

    progress(1.0, "done")
    time, late_time = np.asarray(found.time, np.float64), np.asarray(found.late_time, np.float64)
    settles, longest = np.isfinite(late_time), 0.1 * config.n_steps
    along, tau, share = ("network", "centre", "lesson", "stage"), {"units": "tau"}, {"units": "1"}
    passes, probes = ("pass", "course", "learner"), ("pass", "course", "learner", "probe")
    slow = {"long_name": "change of the largest eigenvalue per learning rate", "units": "1"}
    return xr.Dataset(
        {
            "relaxation_time": (along, np.asarray(found.relaxation_time, np.float64), tau),
            "time": (along, np.where(settles, time, longest), {"long_name": "time to 5 % of the distance", **tau}),
            "late_time": (along, np.where(settles, late_time, longest), {"long_name": "from 5 % to 0.5 %", **tau}),
            "settles": (along, settles, {"long_name": "whether all starts came so close; if not, times are caps"}),
            "mean_rate": (along, np.asarray(found.mean_rate, np.float64), {"units": "1/tau"}),
            "own_change": (("network", "centre", "stage"), own.mean(-1), {"long_name": "self-connection", **share}),
            "is_interior": (along, np.asarray(found.is_interior)),
            "slow_shift": (("network", "centre"), np.asarray(law[0], np.float64), slow),
            "predicted_shift": (("network", "centre"), np.asarray(law[1], np.float64), slow),
            "own_shift": (("network", "centre"), np.asarray(law[2], np.float64), slow),
            "task_relaxation_time": (probes, of_course(course.settling.relaxation_time), tau),
            "task_time": (
                probes, np.nan_to_num(of_course(course.settling.time), nan=30.0),
                {"long_name": "time to 5 % of the way, 30 for longer ones", **tau},
            ),
            "largest": (passes, of_course(course.largest), {"long_name": "largest eigenvalue", **share}),
            "accuracy": (passes, of_course(course.accuracy), share),
            "is_free": (probes, of_course(course.settling.is_interior)),
            "is_finite": (along[:3], np.asarray(is_finite)[:, :, :n_main], {"required": "finite networks"}),
            "has_fixed_point": (along, np.asarray(found.converged), {"required": "fixed points that were found"}),
            "task_settles": (
                probes, of_course(course.settling.converged) > 0, {"required": "images for which the network settles"},
            ),
            "task_is_finite": (
                ("course", "learner"), np.asarray(course.is_finite).reshape(len(COURSES), -1),
                {"required": "learners with finite weights"},
            ),
        },
        coords={
            "network": np.arange(config.n_networks), "centre": list(CENTRES), "lesson": list(LESSONS),
            "stage": ("stage", np.arange(config.n_stages + 1) * config.n_relaxations, {"units": "relaxations"}),
            "pass": np.arange(config.n_passes + 1), "course": list(COURSES),
            "learner": np.arange(config.n_learners), "probe": np.arange(config.n_probes),
        },
    )  # fmt: skip


def log_ratio(values: xr.DataArray, along: str) -> xr.DataArray:
    """Return the log ratio of the last to the first value along a dimension."""
    logs: xr.DataArray = np.log(values)  # pyright: ignore[reportAssignmentType]
    return logs.isel({along: -1}) - logs.isel({along: 0})


def judge(data: xr.Dataset, config: InferenceSpeedupConfig) -> dict[str, Measurement]:
    """Compare the run with the criteria."""
    slower, longer = log_ratio(data.relaxation_time, "stage"), log_ratio(data.time, "stage")

    def interval(values: xr.DataArray) -> tuple[float, tuple[float, float]]:
        value, low, high = mean_interval(values.values)
        return value, (low, high)

    def means(values: xr.DataArray, lesson: str, centres: tuple[str, ...]):
        return [mean_interval(values.sel(lesson=lesson, centre=centre).values) for centre in centres]

    def least(values: xr.DataArray, lesson: str, control: str, centres: tuple[str, ...]) -> Measurement:
        value, low, high = min(means(values, lesson, centres))
        every = means(values, lesson, tuple(CENTRES))
        note = ", ".join(f"{name} {mean:+.3f}" for name, (mean, _, _) in zip(CENTRES, every, strict=True))
        worst = min(means(values, control, centres))[0]
        return Measurement(value, (low, high), worst, f"Rates {note}. Control: {control}.")

    def most_at_low(values: xr.DataArray) -> Measurement:
        (value, low, high), (control, _, _) = (means(values, name, ("low",))[0] for name in LESSONS[1:3])
        return Measurement(value, (low, high), control, "Control: Eq 1 reversed.")

    def distance(of: xr.DataArray) -> float:
        return float(np.linalg.norm(data.slow_shift - of) / np.linalg.norm(data.slow_shift))

    # Networks that still settle, and whose slowest mode has changed.
    after = [name for name in LESSONS if name != "frozen"]
    pair = [log_ratio(values, "stage").sel(lesson=after) for values in (data.relaxation_time, data.late_time)]
    settles = (data.is_interior & data.settles).all("stage").sel(lesson=after).values
    x, y = (values.values[settles] for values in pair)
    slope = float(x @ y / (x @ x)) if x.size else float("nan")

    task = (
        np.log(data.task_relaxation_time / data.task_relaxation_time.isel({"pass": 0})).mean("probe").isel({"pass": -1})
    )
    simulated = log_ratio(data.task_time, "pass").mean("probe")
    grown = data.largest.isel({"pass": -1}) - data.largest.isel({"pass": 0})
    right = data.accuracy.isel({"pass": -1}).mean("learner")

    def of_task(course: str, control: str) -> Measurement:
        value, low, high = mean_interval(task.sel(course=course).values)
        note = (
            f"Accuracy {float(right.sel(course=course)):.2f}; simulated time to 5 %: "
            f"{float(simulated.sel(course=course).mean()):+.3f}. Control: {control}, accuracy "
            f"{float(right.sel(course=control)):.2f}."
        )
        return Measurement(value, (low, high), float(task.sel(course=control).mean()), note)

    decayed = max(means(slower, "weight decay", tuple(CENTRES)))
    growth = min(mean_interval(grown.sel(course=course).values) for course in COURSES[:2])
    held = 1.0 - data.is_interior.isel(stage=-1).sel(centre="high").mean("network")
    apart = ("high", "low")
    return {
        "T12.sum": Measurement(
            float(np.abs(data.mean_rate - 1).max()), control=float(np.abs(data.own_change).max()),
            note=f"Shortest relaxation time {float(data.relaxation_time.min()):.3f} tau, of a lone unit "
            f"{-0.1 / np.log(0.9):.3f}. Control: self-connections that Eq 1 changes too.",
        ),
        "T12.law": Measurement(
            distance(data.predicted_shift), control=distance(data.own_shift),
            note=f"Rate {config.slow_rate:g}, half the difference of both signs after {config.n_relaxations} "
            "relaxations. Control: self-connections counted.",
        ),
        "T12.descent": least(slower, "descent on J_h", "weight decay", apart),
        "T12.reversed": least(slower, "Eq 1 reversed", "frozen", apart),
        "T12.eq1": least(slower, "Eq 1", "frozen", ("low",)),
        "T12.kinks": Measurement(
            float(held.sel(lesson="Eq 1")), control=float(held.sel(lesson="Eq 1 reversed")),
            note=f"Do not settle in {0.1 * config.n_steps:g} tau from some start: "
            f"{1 - float(data.settles.isel(stage=-1).sel(centre='high', lesson='Eq 1').mean()):.0%}. "
            "Control: Eq 1 reversed.",
        ),
        "T12.simulated": Measurement(
            *interval(longer.sel(lesson="descent on J_h").mean("centre")),
            float(longer.sel(lesson="weight decay").mean()), "Control: weight decay.",
        ),
        "T12.transient": most_at_low(longer),
        "T12.agrees": Measurement(
            slope, control=0.0 if not x.size else float(x @ np.roll(y, config.n_networks // 2) / (x @ x)),
            note=f"{x.size} networks, from 5 % to 0.5 % of the distance. Control: another network's simulation.",
        ),
        "T12.decay": Measurement(
            decayed[0], decayed[1:], max(means(slower, "frozen", tuple(CENTRES)))[0], "Control: frozen weights."
        ),
        "6.3.task_weak": of_task("weak", "weak, wrong sign"),
        "6.3.task_strong": of_task("strong", "strong, frozen"),
        "6.3.task_weights": Measurement(
            growth[0], growth[1:], float(grown.sel(course="strong, frozen").mean()), "Control: frozen weights."
        ),
    }  # fmt: skip


STUDY = Study(
    name="inference_speedup",
    title="Does learning make inference faster?",
    figure="none",
    source="Bengio et al. 2015, sections 6.2 and 6.3",
    caption="With either sign of Eq 1, and by descent on J_h, the slowest mode becomes slower: the rates of all modes "
    "have a fixed sum. Where rates are low, Eq 1 shortens the first part of the way all the same; where they are high "
    "it ends at kinks. Weight decay is faster. Learned digits slow inference through the weights, and only units that "
    "come to rest at kinks make it faster.",
    config=InferenceSpeedupConfig(),
    smoke=InferenceSpeedupConfig(
        n_networks=2, n_stages=1, n_relaxations=2, n_relaxation_steps=40, n_starts=2, n_steps=100, n_learners=2,
        n_hidden=8, n_passes=1, n_images=40, n_probes=2,
    ),
    claims=CLAIMS,
    run=run,
    judge=judge,
    plot=plot,
)  # fmt: skip
