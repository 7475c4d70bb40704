"""Whether learning makes inference faster: relaxation times before and after (section 6.2 and 6.3)."""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax.energy import Params
from stdpjax.lab import Claim, Estimate, at_least, at_most, within
from stdpjax.lab.settings import TRAINS, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.learning import Labelled
from stdpjax.learning.data import load_digits
from stdpjax.networks import centred_network
from stdpjax.random import member_keys, named_key
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import labelled, merged, on_host, required
from stdpjax.studies.section_6_hidden.hidden_objective import CENTRES
from stdpjax.studies.section_6_hidden.inference_speedup_figure import plot
from stdpjax.studies.section_6_hidden.relaxations import Lesson, Settling, learn_stages, settling, train_for_task

LESSONS = ("frozen", "Eq 1", "Eq 1 reversed", "descent on J_h", "weight decay")
COURSES = ("weak", "strong", "weak, wrong sign", "strong, frozen")


@configuration
class InferenceSpeedupConfig:
    """Settings of the study of relaxation times; times in units of the time constant tau."""

    n_networks: int = setting(20, "random networks of 8 units for each fixed point", **TRAINS)
    n_stages: int = setting(4, "how often they are measured while they learn")
    n_relaxations: int = setting(12, "relaxations from random starts in each stage")
    n_relaxation_steps: int = setting(100, "steps of 0.1 time constants in each")
    learning_rate: float = setting(0.02, "rate of Eq 1; tied and in descent on J_h half of it", above=0)
    slow_rate: float = setting(0.0005, "rate with which the law of small changes is checked", above=0)
    decay: float = setting(1.0, "time constants of weight decay that learning lasts", above=0)
    n_starts: int = setting(8, "starts of simulated relaxations for each network")
    n_steps: int = setting(300, "steps of these", at_least=100)
    n_learners: int = setting(6, "networks that learn digits, of each kind", **TRAINS)
    n_hidden: int = setting(32, "hidden units of these")
    gains: tuple[float, float] = setting(
        (0.2, 0.4), "spread of their weak and strong first weights", above=0, increasing=True
    )
    task_rate: float = setting(0.001, "step size of Adam in them", above=0)
    n_passes: int = setting(3, "passes over the training images")
    n_images: int = setting(800, "training images", at_least=20, at_most=1400)
    n_probes: int = setting(6, "test images with which relaxation is measured", at_most=300)


_APART = ["high", "low"]


def log_ratio(values: xr.DataArray, along: str) -> xr.DataArray:
    """Return the log ratio of the last to the first value along a dimension."""
    logs: xr.DataArray = np.log(values)  # pyright: ignore[reportAssignmentType]
    return logs.isel({along: -1}) - logs.isel({along: 0})


def over(part: float, whole: float) -> float:
    """Return a ratio, NaN where there is nothing to divide by."""
    return part / whole if whole else float("nan")


def _slower(data: xr.Dataset, lesson: str, centres: Sequence[str] = tuple(CENTRES)) -> list[Estimate]:
    """Return the mean log ratio of the spectrum's relaxation time about each fixed point."""
    ratio = log_ratio(data.relaxation_time.sel(lesson=lesson), "stage")
    return [mean_interval(ratio.sel(centre=centre)) for centre in centres]


def _longer(data: xr.Dataset, lesson: str) -> xr.DataArray:
    """Return the log ratio of the simulated time to 5 % of the distance."""
    return log_ratio(data.time.sel(lesson=lesson), "stage")


def _sum_note(data: xr.Dataset) -> str:
    return (
        f"Shortest relaxation time {float(data.relaxation_time.min()):.3f} tau, of a lone unit "
        f"{-0.1 / np.log(0.9):.3f}."
    )


def _from_shift(data: xr.Dataset, expected: xr.DataArray) -> float:
    return over(float(np.linalg.norm(data.slow_shift - expected)), float(np.linalg.norm(data.slow_shift)))


def _law_note(data: xr.Dataset) -> str:
    return f"Rate {float(data.slow_rate):g}, half the difference of both signs after {int(data.stage[1])} relaxations."


def _rates_note(data: xr.Dataset, lesson: str) -> str:
    means = zip(CENTRES, _slower(data, lesson), strict=True)
    return f"Rates {', '.join(f'{name} {mean.value:+.3f}' for name, mean in means)}."


def _share_held(data: xr.Dataset, lesson: str) -> float:
    """Return the share of networks with units at kinks in the end, where rates are high."""
    return float(1.0 - data.is_interior.isel(stage=-1).sel(centre="high", lesson=lesson).mean())


def _kinks_note(data: xr.Dataset) -> str:
    settled = float(data.settles.isel(stage=-1).sel(centre="high", lesson="Eq 1").mean())
    return f"Do not settle in {float(data.longest):g} tau from some start: {1 - settled:.0%}."


def _settled_ratios(data: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return both log ratios of networks that still settle, and whose slowest mode has changed."""
    changed = data.sel(lesson=data.lesson != "frozen")
    settles = (changed.is_interior & changed.settles).all("stage").values
    spectrum, simulated = (log_ratio(times, "stage").values for times in (changed.relaxation_time, changed.late_time))
    return spectrum[settles], simulated[settles]


def _slope(data: xr.Dataset, is_apart: bool = False) -> float:
    """Return the slope of simulated log ratios, those of other networks if these are taken apart."""
    spectrum, simulated = _settled_ratios(data)
    if is_apart:
        simulated = np.roll(simulated, data.sizes["network"] // 2)
    return over(float(spectrum @ simulated), float(spectrum @ spectrum))


def _task(data: xr.Dataset, course: str) -> xr.DataArray:
    """Return the log ratio of the relaxation time for each learner of digits."""
    return log_ratio(data.task_relaxation_time.sel(course=course), "pass").mean("probe")


def _task_note(data: xr.Dataset, course: str, control: str) -> str:
    simulated = float(log_ratio(data.task_time.sel(course=course), "pass").mean())
    right, right_control = (
        float(data.accuracy.isel({"pass": -1}).sel(course=name).mean()) for name in (course, control)
    )
    return f"Accuracy {right:.2f}, of the control {right_control:.2f}; simulated time to 5 %: {simulated:+.3f}."


def _grown(data: xr.Dataset, course: str) -> xr.DataArray:
    largest = data.largest.sel(course=course)
    return largest.isel({"pass": -1}) - largest.isel({"pass": 0})


_FASTER = "J_h tries to make the Markov chain converge faster (section 6.2)."

_section_6_2 = partial(Claim, statement="Section 6.2", bearing="refutes")
_section_6_3 = partial(
    Claim,
    statement="Section 6.3",
)

CLAIMS = (
    _section_6_2(
        "T12.sum",
        "Largest difference from 1 of the mean, over modes, of their rates of relaxation, over all that was learned.",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: abs(data.mean_rate - 1).max(),
        control=lambda data: abs(data.own_change).max(),
        control_is="self-connections that Eq 1 changes too",
        note=_sum_note,
    ),
    _section_6_2(
        "T12.law",
        "Change of the slowest mode's rate by slow learning with tied Eq 1, against -v^T sum(r r^T - r_0 r_0^T) v off "
        "the diagonal: relative distance over networks and fixed points.",
        criterion=at_most(0.05),
        measure=lambda data: _from_shift(data, data.predicted_shift),
        control=lambda data: _from_shift(data, data.own_shift),
        control_is="self-connections counted",
        note=_law_note,
    ),
    _section_6_2(
        "T12.descent",
        "Log ratio of the relaxation time (spectrum), after to before descent on J_h along relaxations; the smaller "
        "mean of two fixed points, where rates are high and low.",
        criterion=at_least(0.02),
        measure=lambda data: min(_slower(data, "descent on J_h", _APART)),
        control=lambda data: min(_slower(data, "weight decay", _APART)).value,
        control_is="weight decay",
        note=lambda data: _rates_note(data, "descent on J_h"),
    ),
    _section_6_2(
        "T12.reversed",
        "The same for Eq 1 with the opposite sign.",
        criterion=at_least(0.02),
        measure=lambda data: min(_slower(data, "Eq 1 reversed", _APART)),
        control=lambda data: min(_slower(data, "frozen", _APART)).value,
        control_is="frozen weights",
        note=lambda data: _rates_note(data, "Eq 1 reversed"),
    ),
    _section_6_2(
        "T12.eq1",
        "The same for Eq 1 itself, where rates are low at the fixed point.",
        criterion=at_least(0.02),
        measure=lambda data: min(_slower(data, "Eq 1", ["low"])),
        control=lambda data: min(_slower(data, "frozen", ["low"])).value,
        control_is="frozen weights",
        note=lambda data: _rates_note(data, "Eq 1"),
    ),
    _section_6_2(
        "T12.kinks",
        "Share of networks that Eq 1 drives to a kink, where rates are high at the fixed point.",
        criterion=at_least(0.9),
        measure=lambda data: _share_held(data, "Eq 1"),
        control=lambda data: _share_held(data, "Eq 1 reversed"),
        control_is="Eq 1 reversed",
        note=_kinks_note,
    ),
    _section_6_2(
        "T12.simulated",
        "Log ratio of the simulated time to 5 % of the distance, after to before descent on J_h; mean over networks "
        "and three fixed points.",
        criterion=at_least(0.0),
        measure=lambda data: mean_interval(_longer(data, "descent on J_h").mean("centre")),
        control=lambda data: _longer(data, "weight decay").mean(),
        control_is="weight decay",
    ),
    Claim(
        "T12.transient",
        "Log ratio of the simulated time to 5 % of the distance, after to before learning by Eq 1, at low rates.",
        statement="Section 6.2",
        criterion=at_most(0.0),
        measure=lambda data: mean_interval(_longer(data, "Eq 1").sel(centre="low")),
        control=lambda data: _longer(data, "Eq 1 reversed").sel(centre="low").mean(),
        control_is="Eq 1 reversed",
        bearing="limits",
    ),
    Claim(
        "T12.agrees",
        "Slope of the simulated time constant's log ratio on that of the spectrum's, over networks that learned.",
        statement="Section 6.2",
        criterion=within(1.0, 0.15),
        measure=_slope,
        control=lambda data: _slope(data, is_apart=True),
        control_is="another network's simulation",
        bearing="supports",
        note=lambda data: f"{_settled_ratios(data)[0].size} networks, from 5 % to 0.5 % of the distance.",
    ),
    _section_6_2(
        "T12.decay",
        "Log ratio of the relaxation time after to before the weights decay; largest mean of three fixed points.",
        criterion=at_most(-0.2),
        measure=lambda data: max(_slower(data, "weight decay")),
        control=lambda data: max(_slower(data, "frozen")).value,
        control_is="frozen weights",
    ),
    _section_6_3(
        "6.3.task_weak",
        "Log ratio of the relaxation time, inputs clamped, after to before digits are learned by Eq 1 from weak "
        "weights; mean over networks.",
        criterion=at_least(0.03),
        measure=lambda data: mean_interval(_task(data, "weak")),
        control=lambda data: _task(data, "weak, wrong sign").mean(),
        control_is="weak, wrong sign",
        bearing="refutes",
        note=lambda data: _task_note(data, "weak", "weak, wrong sign"),
    ),
    _section_6_3(
        "6.3.task_strong",
        "The same from strong weights, with which inference is slow to begin with.",
        criterion=at_most(-0.02),
        measure=lambda data: mean_interval(_task(data, "strong")),
        control=lambda data: _task(data, "strong, frozen").mean(),
        control_is="strong, frozen",
        bearing="limits",
        note=lambda data: _task_note(data, "strong", "strong, frozen"),
    ),
    _section_6_3(
        "6.3.task_weights",
        "Change of the largest eigenvalue of the weights among free units while digits are learned; the smaller mean "
        "of weak and strong beginnings.",
        criterion=at_least(0.01),
        measure=lambda data: min(mean_interval(_grown(data, course)) for course in ("weak", "strong")),
        control=lambda data: _grown(data, "strong, frozen").mean(),
        control_is="frozen weights",
        bearing="refutes",
    ),
)


def _lessons(config: InferenceSpeedupConfig) -> Lesson:
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
def _learn(keys, centres, lessons, *, n_stages: int, n_relaxations: int, n_steps: int):
    """Weights, gains and whether all was finite, with leading axes `[network, centre, lesson]`; and the biases."""

    def one(key, centre, lesson):
        params = centred_network(named_key(key, "weights"), centre, 8)
        sizes = {"n_stages": n_stages, "n_relaxations": n_relaxations, "n_steps": n_steps}
        return *learn_stages(named_key(key, "starts"), params, lesson, **sizes), params.bias

    one = jax.vmap(jax.vmap(jax.vmap(one, (None, None, 0)), (None, 0, None)), (0, None, None))
    return one(keys, centres, lessons)


@partial(jax.jit, static_argnames=("n_starts", "n_steps"))
def _settle_from_random_starts(keys, weights, bias, *, n_starts: int, n_steps: int) -> Settling:
    """How each network relaxes at each stage of each lesson."""

    def one(weights, bias, key):
        starts = jax.random.uniform(named_key(key, "tests"), (n_starts, 8), float, -0.5, 0.5)
        return settling(Params(weights, bias), starts, n_steps=n_steps)

    n_networks = weights.shape[0]
    bias = jnp.broadcast_to(bias[..., None, :], weights.shape[:-1]).reshape(n_networks, -1, 8)
    found = jax.vmap(jax.vmap(one, (0, 0, None)))(weights.reshape(n_networks, -1, 8, 8), bias, keys)
    return jax.tree.map(lambda leaf: leaf.reshape(weights.shape[:-2]), found)


def _slow_law(weights: np.ndarray, gained: np.ndarray, rate: float) -> np.ndarray:
    """Return how the largest eigenvalue changes with slow learning: measured, by the law, and by another.

    Changes are per rate and after the first stage: half the difference of both signs of learning, `[..., sign, stage,
    unit, unit]`; v^T (gain) v off the diagonal, for the slowest mode v; the same with the diagonal.
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
    over_relaxations = _over_relaxations(named_key(key, "networks"), config)
    progress(0.5, "learning digits")
    task = _over_a_task(named_key(key, "task"), config)
    progress(1.0, "done")
    return merged(
        over_relaxations,
        task,
        centre=list(CENTRES),
        lesson=list(LESSONS),
        stage=("stage", np.arange(config.n_stages + 1) * config.n_relaxations, {"units": "relaxations"}),
        course=list(COURSES),
        **{"pass": np.arange(config.n_passes + 1)},
    )


def _over_relaxations(key: Key[Array, ""], config: InferenceSpeedupConfig) -> xr.Dataset:
    """Relaxation times of networks that learn over many relaxations, by each lesson."""
    keys = member_keys(key, config.n_networks)
    sizes = {"n_stages": config.n_stages, "n_relaxations": config.n_relaxations, "n_steps": config.n_relaxation_steps}
    weights, gained, is_finite, bias = _learn(
        keys, jnp.asarray(list(CENTRES.values()), float), _lessons(config), **sizes
    )
    n_main = len(LESSONS)
    found = on_host(
        _settle_from_random_starts(
            keys, weights[:, :, :n_main], bias[:, :, :n_main], n_starts=config.n_starts, n_steps=config.n_steps
        )
    )
    law = _slow_law(np.asarray(weights[:, :, n_main:]), np.asarray(gained[:, :, n_main:]), config.slow_rate)
    # What the untied Eq 1 would have added to units' connections to themselves: the change of r^2 / 2.
    own = 0.5 * config.learning_rate * np.diagonal(np.asarray(gained[:, :, 1], np.float64), axis1=-2, axis2=-1)
    settles, longest = np.isfinite(found.late_time), 0.1 * config.n_steps
    along = ("network", "centre", "lesson", "stage")
    words = "change of the largest eigenvalue per learning rate"
    return merged(
        labelled(
            along,
            "tau",
            relaxation_time=found.relaxation_time,
            time=(np.where(settles, found.time, longest), "time to 5 % of the distance"),
            late_time=(np.where(settles, found.late_time, longest), "from 5 % to 0.5 %"),
        ),
        labelled(along, settles=(settles, "whether all starts came so close; if not, times are caps")),
        labelled(along, "1/tau", mean_rate=found.mean_rate),
        labelled(along, is_interior=found.is_interior),
        labelled(("network", "centre", "stage"), "1", own_change=(own.mean(-1), "self-connection")),
        labelled(
            ("network", "centre"),
            "1",
            slow_shift=(law[0], words),
            predicted_shift=(law[1], words),
            own_shift=(law[2], words),
        ),
        labelled((), slow_rate=(config.slow_rate, "rate of slow learning")),
        labelled((), "tau", longest=(longest, "longest time that is simulated")),
        required(along[:3], "finite networks", is_finite=is_finite[:, :, :n_main]),
        required(along, "fixed points that were found", has_fixed_point=found.converged),
    )


def _over_a_task(key: Key[Array, ""], config: InferenceSpeedupConfig) -> xr.Dataset:
    """Relaxation times, inputs clamped, of networks that learn digits, from weak and strong weights."""
    images, n_learners = load_digits(), config.n_learners
    data = Labelled(jnp.asarray(images.pixels.reshape(len(images.labels), -1) - 0.5, float), jnp.asarray(images.labels))
    weak, strong = config.gains
    course = train_for_task(
        key,
        data,
        jnp.asarray(np.repeat([weak, strong, weak, strong], n_learners), float),
        jnp.asarray(np.repeat([1.0, 1.0, -1.0, 0.0], n_learners), float),
        jnp.tile(jnp.arange(n_learners, dtype=jnp.uint32), len(COURSES)),
        jnp.asarray(config.task_rate, float),
        sizes=(data.inputs.shape[1], config.n_hidden, 10),
        n_stages=config.n_passes,
        n_steps=300,
        n_images=config.n_images,
        n_probes=config.n_probes,
    )

    def by_course(values: np.ndarray) -> np.ndarray:
        return values.reshape(values.shape[0], len(COURSES), n_learners, *values.shape[2:])

    how, largest, accuracy = jax.tree.map(by_course, on_host(course[:3]))
    passes = ("pass", "course", "learner")
    probes = (*passes, "probe")
    words = "time to 5 % of the way, 30 for longer ones"
    return merged(
        labelled(
            probes,
            "tau",
            task_relaxation_time=how.relaxation_time,
            task_time=(np.nan_to_num(how.time, nan=30.0), words),
        ),
        labelled(passes, "1", largest=(largest, "largest eigenvalue"), accuracy=accuracy),
        labelled(probes, is_free=how.is_interior),
        required(probes, "images for which the network settles", task_settles=how.converged),
        required(
            passes[1:],
            "learners with finite weights",
            task_is_finite=np.asarray(course.is_finite).reshape(len(COURSES), -1),
        ),
    )


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
    smoke=dict(
        n_networks=2,
        n_stages=1,
        n_relaxations=2,
        n_relaxation_steps=40,
        n_starts=2,
        n_steps=100,
        n_learners=2,
        n_hidden=8,
        n_passes=1,
        n_images=40,
        n_probes=2,
    ),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
