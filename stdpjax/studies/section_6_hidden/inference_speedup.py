"""Whether learning makes inference faster: relaxation times before and after (section 6.2 and 6.3)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax.lab import Claim, Estimate, at_least, at_most
from stdpjax.lab.settings import TRAINS, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.learning import Labelled
from stdpjax.learning.data import load_digits
from stdpjax.random import member_keys, named_key
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import labelled, merged, on_host, required
from stdpjax.studies.section_6_hidden.inference_speedup_figure import plot
from stdpjax.studies.section_6_hidden.relaxations import STEP, Lesson, learn_networks, settle_networks, train_for_task

CENTRES = {"high": 0.3, "centre": 0.0, "low": -0.3}
"""Activity of all units at the fixed point of the random networks."""
LESSONS = ("Eq 1", "descent on J_h", "weight decay")
COURSES = ("weak", "strong")


@configuration
class InferenceSpeedupConfig:
    """Settings of the study of relaxation times; times in units of the time constant tau."""

    n_networks: int = setting(20, "random networks of 8 units for each fixed point", **TRAINS)
    n_stages: int = setting(4, "how often they are measured while they learn")
    n_relaxations: int = setting(12, "relaxations from random starts in each stage")
    n_relaxation_steps: int = setting(100, "steps of 0.1 time constants in each")
    learning_rate: float = setting(0.02, "rate of Eq 1; in descent on J_h half of it", above=0)
    decay: float = setting(1.0, "time constants of weight decay that learning lasts", above=0)
    n_starts: int = setting(8, "starts of simulated relaxations for each network")
    n_steps: int = setting(300, "steps of these", at_least=100)
    n_learners: int = setting(24, "networks that learn digits, of each kind", **TRAINS)
    n_hidden: int = setting(32, "hidden units of these")
    gains: tuple[float, float] = setting((0.2, 0.4), "spread of weak and strong weights", above=0, increasing=True)
    task_rate: float = setting(0.001, "step size of Adam in them", above=0)
    n_passes: int = setting(3, "passes over the training images")
    n_images: int = setting(800, "training images", at_least=20, at_most=1400)
    n_probes: int = setting(6, "test images with which relaxation is measured", at_most=300)


def log_ratio(values: xr.DataArray, along: str) -> xr.DataArray:
    """Return the log ratio of the last to the first value along a dimension."""
    logs: xr.DataArray = np.log(values)  # pyright: ignore[reportAssignmentType]
    return logs.isel({along: -1}) - logs.isel({along: 0})


def _changes(data: xr.Dataset, name: str, lesson: str, centres: tuple[str, ...] = tuple(CENTRES)) -> list[Estimate]:
    """Return the mean log ratio of a variable, after to before a lesson, about each fixed point."""
    ratio = log_ratio(data[name].sel(lesson=lesson), "stage")
    return [mean_interval(ratio.sel(centre=centre)) for centre in centres]


def _by_rates(data: xr.Dataset, name: str, lesson: str) -> str:
    means = zip(CENTRES, _changes(data, name, lesson), strict=True)
    return ", ".join(f"{centre} {mean.value:+.3f}" for centre, mean in means)


def _share_without(data: xr.Dataset, name: str, lesson: str) -> float:
    """Return the share of networks of which something is not true in the end, where rates are high."""
    return float(1.0 - data[name].isel(stage=-1).sel(centre="high", lesson=lesson).mean())


def _longer(data: xr.Dataset, lesson: str) -> xr.DataArray:
    return log_ratio(data.time.sel(lesson=lesson), "stage")


def _task(data: xr.Dataset, course: str) -> xr.DataArray:
    """Return the log ratio of the relaxation time for each learner of digits."""
    return log_ratio(data.task_relaxation_time.sel(course=course), "pass").mean("probe")


def _task_note(data: xr.Dataset, course: str) -> str:
    one = data.sel(course=course)
    accuracy, at_kinks = one.accuracy.mean("learner").values[-1], 1 - one.is_free.mean(("learner", "probe")).values
    return f"Accuracy {accuracy:.2f}; images with units at kinks: {at_kinks[0]:.0%} before, {at_kinks[-1]:.0%} after."


_faster = partial(Claim, statement="sec6.2.faster", bearing="refutes")
_task_claim = partial(Claim, statement="sec6.3.faster", bearing="limits")

CLAIMS = (
    _faster(
        "sec6.2.relaxation",
        "Log ratio of the relaxation time (spectrum), after to before descent on J_h along relaxations; the smaller "
        "mean of two fixed points, where rates are high and low.",
        criterion=at_least(0.02),
        measure=lambda data: min(_changes(data, "relaxation_time", "descent on J_h", ("high", "low"))),
        control=lambda data: min(_changes(data, "relaxation_time", "weight decay", ("high", "low"))).value,
        control_is="weight decay, which makes networks faster",
        note=lambda data: f"Rates {_by_rates(data, 'relaxation_time', 'descent on J_h')}.",
    ),
    _faster(
        "sec6.2.simulated",
        "Log ratio of the simulated time to 5 % of the distance, after to before descent on J_h; three fixed points.",
        criterion=at_least(0.0),
        measure=lambda data: mean_interval(_longer(data, "descent on J_h").mean("centre")),
        control=lambda data: _longer(data, "weight decay").mean(),
        control_is="weight decay",
    ),
    _faster(
        "sec6.2.kinks",
        "Share of networks that Eq 1 drives to a kink, where rates are high at the fixed point.",
        criterion=at_least(0.9),
        measure=lambda data: _share_without(data, "is_interior", "Eq 1"),
        control=lambda data: _share_without(data, "is_interior", "descent on J_h"),
        control_is="descent on J_h",
        note=lambda data: f"Do not settle from some start: {_share_without(data, 'settles', 'Eq 1'):.0%}.",
    ),
    _faster(
        "sec6.2.speed",
        "Log ratio of the speed at random states, after to before learning with Eq 1; least of three fixed points.",
        criterion=at_least(0.01),
        measure=lambda data: min(_changes(data, "speed", "Eq 1")),
        control=lambda data: max(_changes(data, "speed", "descent on J_h")).value,
        control_is="descent on J_h, largest",
        bearing="limits",
        note=lambda data: f"Rates {_by_rates(data, 'speed', 'Eq 1')}.",
    ),
    _faster(
        "sec6.2.transient",
        "Log ratio of the simulated time to 5 % of the distance, after to before learning by Eq 1, at low rates.",
        criterion=at_most(0.0),
        measure=lambda data: mean_interval(_longer(data, "Eq 1").sel(centre="low")),
        control=lambda data: _longer(data, "descent on J_h").sel(centre="low").mean(),
        control_is="descent on J_h",
        bearing="limits",
    ),
    _task_claim(
        "sec6.3.task",
        "Mean log ratio of the relaxation time, inputs clamped, after to before Eq 1 learns digits from weak weights.",
        criterion=at_least(0.03),
        measure=lambda data: mean_interval(_task(data, "weak")),
        control=lambda data: _task(data, "strong").mean(),
        control_is="from strong weights",
        note=lambda data: _task_note(data, "weak"),
    ),
    _task_claim(
        "sec6.3.strong",
        "The same from strong weights, with which inference is slow to begin with.",
        criterion=at_most(-0.02),
        measure=lambda data: mean_interval(_task(data, "strong")),
        control=lambda data: _task(data, "weak").mean(),
        control_is="from weak weights",
        note=lambda data: _task_note(data, "strong"),
    ),
)


def _lessons(config: InferenceSpeedupConfig) -> Lesson:
    """Return the lessons in the order of `LESSONS`."""
    n_steps = config.n_stages * config.n_relaxations * config.n_relaxation_steps
    each = (
        Lesson(eq1=config.learning_rate),
        Lesson(descent=config.learning_rate / 2, tie=1.0),
        Lesson(decay=config.decay / n_steps),
    )
    return jax.tree.map(lambda *rates: jnp.asarray(rates, float), *each)


def run(key: Key[Array, ""], config: InferenceSpeedupConfig, progress: Progress) -> xr.Dataset:
    """Let networks learn while they relax, and others for a task, and measure how long relaxations take."""
    progress(0.0, "learning over relaxations")
    over_relaxations = _over_relaxations(named_key(key, "networks"), config)
    progress(0.5, "learning digits")
    return merged(
        over_relaxations,
        _over_a_task(named_key(key, "task"), config),
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
    networks, is_finite = learn_networks(keys, jnp.asarray(list(CENTRES.values()), float), _lessons(config), **sizes)
    found = on_host(settle_networks(keys, networks, n_starts=config.n_starts, n_steps=config.n_steps))
    settles = np.isfinite(found.late_time)
    time = np.where(settles, found.time, STEP * config.n_steps), "time to 5 % of the distance"
    along = ("network", "centre", "lesson", "stage")
    return merged(
        labelled(along, "tau", relaxation_time=found.relaxation_time, time=time),
        labelled(along, settles=(settles, "whether all starts came close; if not, times are caps")),
        labelled(along, "activity/tau", speed=(found.speed, "mean speed at random states")),
        labelled(along, is_interior=found.is_interior),
        required(along[:3], "finite networks", is_finite=is_finite),
        required(along, "fixed points that were found", has_fixed_point=found.converged),
    )


def _over_a_task(key: Key[Array, ""], config: InferenceSpeedupConfig) -> xr.Dataset:
    """Relaxation times, inputs clamped, of networks that learn digits, from weak and strong weights."""
    images, n_learners = load_digits(), config.n_learners
    data = Labelled(jnp.asarray(images.pixels.reshape(len(images.labels), -1) - 0.5, float), jnp.asarray(images.labels))
    gains, rate = jnp.asarray(np.repeat(config.gains, n_learners), float), jnp.asarray(config.task_rate, float)
    numbers = jnp.tile(jnp.arange(n_learners, dtype=jnp.uint32), len(COURSES))
    sizes = (data.inputs.shape[1], config.n_hidden, 10)
    counts = {"n_stages": config.n_passes, "n_steps": 300, "n_images": config.n_images, "n_probes": config.n_probes}
    course = train_for_task(key, data, gains, numbers, rate, sizes=sizes, **counts)
    cells = (len(COURSES), n_learners)
    how, accuracy = jax.tree.map(lambda leaf: leaf.reshape(-1, *cells, *leaf.shape[2:]), on_host(course[:2]))
    passes = ("pass", "course", "learner")
    probes = (*passes, "probe")
    return merged(
        labelled(probes, "tau", task_relaxation_time=how.relaxation_time),
        labelled(passes, "1", accuracy=accuracy),
        labelled(probes, is_free=how.is_interior),
        required(probes, "images for which the network settles", task_settles=how.converged),
        required(passes[1:], "learners with finite weights", task_is_finite=course.is_finite.reshape(cells)),
    )


STUDY = Study(
    name="inference_speedup",
    title="Does learning make inference faster?",
    figure="none",
    source="Bengio et al. 2015, sections 6.2 and 6.3",
    caption="By descent on J_h the slowest mode becomes slower, wherever the fixed point lies. Eq 1 makes units move "
    "faster; where rates are low it shortens the first part of the way, where they are high it ends at kinks. Weight "
    "decay is faster. While digits are learned, inference becomes slower from weak weights, faster from strong ones.",
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
