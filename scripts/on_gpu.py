"""What an accelerator is for, timed with its name beside the numbers; `scripts/on_gpu.sh` runs the parts and the table.

python scripts/on_gpu.py protocol --out FOLDER            one part, into FOLDER/protocol.json
python scripts/on_gpu.py table --out FOLDER --ended tests=0 protocol=0     the table of all parts, FOLDER/on_gpu.md
"""

import argparse
import importlib.metadata
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from rows_networks import products_alone, squared_change
from rows_spikes import SEQUENCES, STEPS, TRIALS, rates
from timing import Row, machine

import stdpjax
from stdpjax import dynamics, learning, observers, rules, spikes
from stdpjax.lab.train import TrainConfig, make_learner, train

PROTOCOL_MS = 2.0  # what the protocol of section 5.1 should take at most on an H100 or H200


class Program(NamedTuple):
    """One thing to time: a function that `jit` takes, of arrays."""

    what: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    steps: int = 1
    """Its time is shared out over so many."""
    bound_ms: float | None = None


def protocol(is_small: bool) -> list[Program]:
    """The table of section 5.1, sampled and exact."""
    n_sequences, n_steps, n_trials = (20, 80, 100) if is_small else (SEQUENCES, STEPS, TRIALS)
    pre, post = (jnp.asarray(rate) for rate in rates(n_sequences, n_steps))
    size = f"{n_sequences} sequences x {n_steps} steps"
    sample = partial(spikes.sample_lag_counts, n_trials=n_trials)
    return [
        Program(
            f"sampled table, {size} x {n_trials} trials", sample, (stdpjax.random.key(0), pre, post), 1, PROTOCOL_MS
        ),
        Program(f"exact table, {size}", spikes.expected_lag_counts, (pre, post), 1, PROTOCOL_MS),
    ]


def network(is_small: bool) -> list[Program]:
    """A noisy step of many chains with a streaming statistic, and its matrix products alone."""
    n_units, n_chains, n_steps = (64, 16, 20) if is_small else (1024, 256, 1000)
    params = stdpjax.energy.random_params(stdpjax.random.key(0), n_units)
    start = jnp.zeros((n_chains, n_units))
    kernel = dynamics.NoisyIntegrator(stdpjax.rates.hard_sigmoid())
    observe = {"speed": observers.mean_of(squared_change)}

    def run(key: jax.Array, params: stdpjax.energy.Params, start: jax.Array) -> Any:
        hyper = kernel.Hyper(0.1, 0.2)
        done = dynamics.simulate(key, params, kernel, hyper, state=start, n_steps=n_steps, observe=observe)
        return done.state, done.observed

    size = f"{n_units} units x {n_chains} chains, of {n_steps}"
    products = partial(products_alone, n_steps=n_steps)
    return [
        Program(f"a noisy step, {size}", run, (stdpjax.random.key(1), params, start), n_steps),
        Program(f"a step's matrix products alone, {size}", products, (params.weights, start), n_steps),
    ]


def training(is_small: bool) -> list[Program]:
    """One pass of a layered network over images of MNIST's size, by two phases and by back-propagation."""
    hidden, n_images, batch_size = ((16,), 20, 10) if is_small else ((512, 256), 5000, 100)
    sizes = (64 if is_small else 784, *hidden, 10)
    generator = np.random.default_rng(0)
    activities = jnp.asarray(generator.uniform(-0.5, 0.5, (n_images, sizes[0])), float)
    data = learning.Labelled(activities, jnp.asarray(generator.integers(0, 10, n_images)))
    mask, n_updates = learning.layered_mask(sizes), n_images // batch_size
    programs = []
    for rule in ("symmetric", "backpropagation"):
        learner = make_learner(TrainConfig(hidden=hidden, rule=rule, batch_size=batch_size), sizes, n_updates)
        state = learning.start(learner, learning.random_layers(stdpjax.random.key(0), sizes, gain=0.3))

        def epoch(key: jax.Array, state: Any, data: Any, mask: jax.Array, learner: Any = learner) -> Any:
            return learning.train_epoch(key, learner, state, data, mask, batch_size)

        layers = "-".join(map(str, sizes))
        what = f"an update of {layers}, {batch_size} images, {rule}, of {n_updates}"
        programs.append(Program(what, epoch, (stdpjax.random.key(2), state, data, mask), n_updates))
    return programs


def mean_change(pre: jax.Array, post: jax.Array, amplitude: jax.Array, tau: jax.Array) -> jax.Array:
    """Return the exact mean change of a pair rule over a record."""
    return rules.expected_updates(rules.pair_rule(0.01, amplitude, tau_plus=20.0, tau_minus=tau), pre, post).sum()


def sweep(is_small: bool) -> list[Program]:
    """The exact mean change of a pair rule on a rising rate, all points of a grid side by side."""
    n_amplitudes, n_taus = (5, 4) if is_small else (250, 400)
    pre, post = jnp.full(100, 0.01), jnp.linspace(0.01, 0.03, 100)
    grid = jnp.meshgrid(jnp.linspace(0.0, 0.02, n_amplitudes), jnp.linspace(10.0, 40.0, n_taus))
    points = tuple(axis.ravel() for axis in grid)
    over_points = jax.vmap(mean_change, in_axes=(None, None, 0, 0))
    return [Program(f"exact means of {len(points[0])} pair rules", jax.jit(over_points), (pre, post, *points))]


PARTS: dict[str, Callable[[bool], list[Program]]] = {
    "protocol": protocol,
    "network": network,
    "training": training,
    "sweep": sweep,
}


def timed(program: Program, call: Callable[..., Any], how: str, n_repeats: int) -> Row:
    """Return the milliseconds of a call, the first one's seconds apart."""
    seconds = []
    for _ in range(n_repeats + 1):
        start = time.perf_counter()
        jax.block_until_ready(call(*program.arguments))
        seconds.append(time.perf_counter() - start)
    again = [1000 * one / program.steps for one in seconds[1:]]
    return {
        "what": program.what + how,
        "ms": statistics.median(again),
        "range": [min(again), max(again)],
        "bound": program.bound_ms,
        "first_s": seconds[0],
    }


def rows(part: str, is_small: bool, n_repeats: int) -> Iterator[Row]:
    """Time what a part consists of, as it is called and, of the protocol, the program without the checks of a call."""
    for program in PARTS[part](is_small):
        if part == "protocol":
            yield timed(program, program.function, ", as called", n_repeats)
            yield timed(program, jax.jit(program.function), ", under `jit`", n_repeats)
        else:
            yield timed(program, program.function, "", n_repeats)
    if part == "training":
        config = TrainConfig(n_epochs=1, batch_size=100) if is_small else TrainConfig()
        with tempfile.TemporaryDirectory() as folder:
            record = train(config, out=folder, show_progress=False, say=lambda line: None)
        accuracy = record["test_accuracy"]["value"]
        what = f"`stdpjax train`, digits, epochs: {config.n_epochs}, compilation included; test accuracy {accuracy:.1%}"
        yield {"what": what, "ms": 1000 * record["seconds"], "bound": None}


def driver() -> str:
    """Return the version of NVIDIA's driver, or that there is none."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return "none"
    return done.stdout.split()[0]


def described() -> dict[str, Any]:
    """Say where numbers come from."""
    versions = {
        distribution.name: distribution.version
        for distribution in importlib.metadata.distributions()
        if distribution.name.startswith(("jaxlib", "jax-cuda"))
    }
    return {**machine(), "driver": driver(), "versions": versions}


def markdown(results: Mapping[str, Mapping[str, Any]], ended: Mapping[str, int], tests: str) -> str:
    """Return the table: of which card, what each part took, and which parts gave nothing."""
    lines = []
    is_card = all(result["machine"]["backend"] == "gpu" for result in results.values())
    for where in [result["machine"] for result in results.values()][:1]:
        versions = ", ".join(f"{name} {version}" for name, version in sorted(where["versions"].items()))
        name = f"One {where['device']}, driver {where['driver']}" if is_card else f"NO GPU: tried on {where['cpu']}"
        lines.append(f"{name}, {where['date']}.")
        lines.append(f"stdpjax {where['stdpjax']}, JAX {where['jax']} ({versions}), Python {where['python']}.")
    small = any(result["is_small"] for result in results.values())
    if small:
        lines.append("Small sizes, which show that the script runs and say nothing about speed.")
    lines += [f"`pytest -m gpu`{'' if is_card else ', the processor with itself'}: {tests}", ""]
    lines += ["| what | ms | over the calls | should be at most | first call (s) |", "|---|---|---|---|---|"]
    for result in results.values():
        for row in result["rows"]:
            spread = "{:.3g} … {:.3g}".format(*row["range"]) if "range" in row else ""
            bound = f"{row['bound']:.3g}" if row["bound"] and not small else ""
            first = f"{row['first_s']:.2g}" if "first_s" in row else ""
            lines.append(f"| {row['what']} | {row['ms']:.3g} | {spread} | {bound} | {first} |")
    lost = [
        f"{part}: did not end in time" if code in (124, 137) else f"{part}: ended with code {code}"
        for part, code in ended.items()
        if code
    ]
    return "\n".join([*lines, *([""] if lost else []), *lost])


def main() -> None:
    """Measure one part, or put the parts together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=(*PARTS, "table"))
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--platform", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="sizes at which the script itself can be tried")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--ended", nargs="*", default=[], metavar="PART=CODE", help="exit codes, for the table")
    options = parser.parse_args()
    if options.part == "table":
        found = {name: options.out / f"{name}.json" for name in PARTS}
        results = {name: json.loads(path.read_text()) for name, path in found.items() if path.exists()}
        log = options.out / "tests.log"
        tests = log.read_text().strip().splitlines()[-1:] if log.exists() else []
        ended = {part: int(code) for part, _, code in (one.partition("=") for one in options.ended)}
        table = markdown(results, ended, tests[0].strip("= ") if tests else "not run")
        (options.out / "on_gpu.md").write_text(table + "\n")
        print(table)
        return
    jax.config.update("jax_enable_compilation_cache", False)
    # The processor beside the card, as arguments are made and checked there; without the card this fails.
    jax.config.update("jax_platforms", "cuda,cpu" if options.platform == "cuda" else "cpu")
    try:
        is_card = jax.devices()[0].platform == "gpu"
    except RuntimeError:
        is_card = False
    if options.platform == "cuda" and not is_card:
        print("on_gpu.py: JAX sees no GPU; --platform cpu --small tries the script without one", file=sys.stderr)
        sys.exit(2)
    result = {"machine": described(), "is_small": options.small, "rows": []}
    for row in rows(options.part, options.small, options.repeats):
        result["rows"].append(row)
        print(f"{row['ms']:10.4g} ms  {row['what']}", file=sys.stderr)
        # After each row: a part that does not end in time leaves what it has.
        (options.out / f"{options.part}.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
