"""Time this library against NumPy, Numba and stock JAX, in one run and interleaved; ratios of medians come first.

    python scripts/benchmark.py                      everything, a few minutes on two cores
    python scripts/benchmark.py --only protocol      one section
    python scripts/benchmark.py --device gpu         on an accelerator
    python scripts/benchmark.py --brian2-python PATH interpreter of an environment with Brian2, for one more row

Writes `benchmarks.json` and prints a Markdown table; `--write` puts it into `benchmarks.md`. Needs `pip install numba`.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import opponents

import stdpjax
from stdpjax.dynamics import Langevin, MetropolisLangevin, NoiseHyper, NoisyIntegrator, simulate
from stdpjax.observers import mean_of
from stdpjax.spikes.counting import compiler_options
from stdpjax.spikes.packed import sample_packed_pair

SEQUENCES, STEPS, TRIALS, WINDOW = 500, 160, 1000, 20
START, END = "<!-- benchmarks -->", "<!-- end of benchmarks -->"
Row = dict[str, Any]


def interleaved(ways: Mapping[str, Callable[[], object]], n_repeats: int) -> dict[str, list[float]]:
    """Return the seconds of each way, one run of each per round, after an untimed round."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(n_repeats + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            jax.block_until_ready(way())
            if repeat:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio_row(what: str, seconds: Mapping[str, list[float]], ours: str, other: str, bound: float | None) -> Row:
    """Return one line: the ratio of medians, its range over rounds, both medians, and the bound it should keep."""
    rounds = [a / b for a, b in zip(seconds[ours], seconds[other], strict=True)]
    return {
        "what": what,
        "ratio": statistics.median(seconds[ours]) / statistics.median(seconds[other]),
        "range": [min(rounds), max(rounds)],
        "bound": bound,
        "seconds": [statistics.median(seconds[ours]), statistics.median(seconds[other])],
    }


def rates(n_sequences: int = SEQUENCES, n_steps: int = STEPS) -> tuple[np.ndarray, np.ndarray]:
    """Return spike probabilities per bin for the protocol, presynaptic and postsynaptic."""
    pre, post = np.random.default_rng(0).uniform(0, 0.2, (2, n_sequences, n_steps)).astype(np.float32)
    return pre, post


def draws_alone(sequence_keys: jax.Array, pre: jax.Array, post: jax.Array) -> jax.Array:
    """Draw the words of the protocol, ten sequences at a time, and keep next to nothing."""
    fold_in_words = jax.vmap(jax.vmap(jax.random.fold_in, in_axes=(None, 0)), in_axes=(0, None))

    def draw(carry: None, block: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[None, jax.Array]:
        keys, pre_rate, post_rate = block
        word_keys = fold_in_words(keys, jnp.arange(-(-TRIALS // 32), dtype=jnp.uint32))
        return carry, sample_packed_pair(word_keys, pre_rate[:, None], post_rate[:, None])[0, 0, 0, 0]

    keys, pre, post = (array.reshape(-1, 10, *array.shape[1:]) for array in (sequence_keys, pre, post))
    return jax.lax.scan(draw, None, (keys, pre, post))[1]


def protocol(n_repeats: int) -> Iterator[Row]:
    """The whole table of section 5.1: ours, sampled and exact, against two Numba loops, NumPy and the draws alone."""
    numpy_pre, numpy_post = rates()
    pre, post = jnp.asarray(numpy_pre), jnp.asarray(numpy_post)
    to_threshold = [np.round(rate.astype(np.float64) * 2**32).astype(np.uint64) for rate in (numpy_pre, numpy_post)]
    pre_threshold, post_threshold = to_threshold
    key = stdpjax.random.key(0)
    sequence_keys = stdpjax.random.member_keys(key, SEQUENCES)
    generator = np.random.default_rng(0)
    draw = jax.jit(draws_alone, compiler_options=dict(compiler_options()))
    ways = {
        "sampled": lambda: stdpjax.spikes.sample_lag_counts(key, pre, post, TRIALS, WINDOW),
        "exact": lambda: stdpjax.spikes.expected_lag_counts(pre, post, WINDOW),
        "numba": lambda: opponents.numba_lag_counts(1, pre_threshold, post_threshold, TRIALS, WINDOW),
        "numba by bit": lambda: opponents.numba_lag_counts_by_bit(1, pre_threshold, post_threshold, TRIALS, WINDOW),
        "draws": lambda: draw(sequence_keys, pre, post),
        "numpy": lambda: opponents.numpy_lag_counts(generator, numpy_pre, numpy_post, TRIALS, WINDOW),
    }
    seconds = interleaved(ways, n_repeats)
    yield ratio_row("sampled table / Numba loop, all cores", seconds, "sampled", "numba", 0.75)
    yield ratio_row("sampled table / Numba loop by the bit, all cores", seconds, "sampled", "numba by bit", 0.75)
    yield ratio_row("sampled table / NumPy", seconds, "sampled", "numpy", 0.08)
    yield ratio_row("sampled table / drawing its bits alone", seconds, "sampled", "draws", 2.5)
    yield ratio_row("exact table / Numba's sampled table", seconds, "exact", "numba", 0.08)
    yield ratio_row("exact table / Numba's sampled table by the bit", seconds, "exact", "numba by bit", 0.08)


def generator(n_repeats: int) -> Iterator[Row]:
    """Draws of 2^22 elements from our key and from JAX's."""
    shape = (2**22,)
    draws: dict[str, tuple[Callable[[jax.Array], jax.Array], float]] = {
        "bits": (lambda key: jax.random.bits(key, shape), 4),
        "uniform": (lambda key: jax.random.uniform(key, shape), 4),
        "bernoulli": (lambda key: jax.random.bernoulli(key, 0.1, shape), 4),
        "normal": (lambda key: jax.random.normal(key, shape), 3),
    }
    ours, stock = stdpjax.random.key(0), jax.random.key(0, impl="threefry2x32")
    for name, (draw, speedup) in draws.items():
        jitted = jax.jit(draw)
        ways = {"ours": lambda f=jitted: f(ours), "stock": lambda f=jitted: f(stock)}
        seconds = interleaved(ways, n_repeats)
        yield ratio_row(f"`{name}`, our key / stock key", seconds, "ours", "stock", 1 / speedup)


# The peak that getrusage tells is inherited from the process that started this one.
REPORT = """
import json, re
from pathlib import Path
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(json.dumps(result | {"peak": int(peak) / 1024}))
"""


def in_fresh_process(program: str, environment: Mapping[str, str] | None = None) -> dict[str, float]:
    """Run a program in a new interpreter and return its dictionary `result`, with its peak memory in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", program + REPORT],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return json.loads(done.stdout.splitlines()[-1])


RUN = """
import time
start = time.perf_counter()
import numpy as np, jax, stdpjax
imported = time.perf_counter()
pre, post = np.random.default_rng(0).uniform(0, 0.2, (2, {n_sequences}, 160)).astype(np.float32)
key = stdpjax.random.key(0)
jax.block_until_ready(jax.random.bits(key))
seconds = []
for repeat in range({n_repeats}):
    begin = time.perf_counter()
    jax.block_until_ready({call})
    seconds.append(time.perf_counter() - begin)
result = {{"import": imported - start, "first": seconds[0], "again": min(seconds[1:], default=None)}}
"""


def in_fresh_protocol(
    call: str = "stdpjax.spikes.sample_lag_counts(key, pre, post, {n_trials})",
    n_sequences: int = SEQUENCES,
    n_trials: int = TRIALS,
    n_repeats: int = 4,
    environment: Mapping[str, str] | None = None,
) -> dict[str, float]:
    """Time a table in a fresh process: import, first call, later calls, peak memory in MiB."""
    call = call.format(n_trials=n_trials)
    return in_fresh_process(RUN.format(n_sequences=n_sequences, n_repeats=n_repeats, call=call), environment)


def memory(n_repeats: int) -> Iterator[Row]:
    """A thousand times as many trials: peak memory and time."""
    few, many = (in_fresh_protocol(n_sequences=4, n_trials=n, n_repeats=3) for n in (1_000, 1_000_000))
    yield {"what": "peak memory of 10^6 trials minus 10^3 (MiB)", "ratio": many["peak"] - few["peak"], "bound": 50.0}
    base = in_fresh_protocol(n_sequences=4, n_trials=100_000, n_repeats=3)
    ratio = many["again"] / base["again"]
    yield {"what": "time of 10^6 trials / 10^5", "ratio": ratio, "seconds": [many["again"], base["again"]]}
    whole = in_fresh_protocol()
    yield {"what": "peak memory of the protocol (MiB)", "ratio": whole["peak"]}


def scaling(n_repeats: int) -> Iterator[Row]:
    """Four times the trials, the sequences, the window; two virtual devices."""
    base = in_fresh_protocol()
    four_fold = {
        "trials": in_fresh_protocol(n_trials=4 * TRIALS),
        "sequences": in_fresh_protocol(n_sequences=4 * SEQUENCES),
        "window": in_fresh_protocol("stdpjax.spikes.sample_lag_counts(key, pre, post, {n_trials}, 80)"),
    }
    for name, seconds in four_fold.items():
        pair = [seconds["again"], base["again"]]
        yield {"what": f"time of four times the {name} / protocol", "ratio": pair[0] / pair[1], "seconds": pair}
    if jax.default_backend() == "cpu":
        runs: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(n_repeats):
            for n_devices, times in runs.items():
                environment = {"JAX_NUM_CPU_DEVICES": str(n_devices)}
                times.append(in_fresh_protocol(n_repeats=8, environment=environment)["again"])
        pair = [statistics.median(runs[2]), statistics.median(runs[1])]
        yield {"what": "two virtual devices / one", "ratio": pair[0] / pair[1], "seconds": pair, "bound": 1.0}


def brian2(python: Path, n_repeats: int) -> Iterator[Row]:
    """The protocol against Brian2's pair rule, which pairs by traces and keeps no table: a simpler job."""
    program = Path(__file__).with_name("brian2_pair_rule.py")
    sizes = [str(number) for number in (SEQUENCES, STEPS, TRIALS, os.cpu_count())]
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            [python, program, *sizes, str(n_repeats), directory], capture_output=True, text=True, timeout=1800
        )
    if done.returncode:
        raise SystemExit(f"{python}: {done.stderr.strip().splitlines()[-1]}")
    seconds = json.loads(done.stdout.splitlines()[-1])
    ours = in_fresh_protocol(n_repeats=n_repeats + 1)["again"]
    run = statistics.median(seconds["run"])
    what = f"sampled table / Brian2 {seconds['version']} C++ standalone, {os.cpu_count()} threads, pair rule by traces"
    yield {"what": what, "ratio": ours / run, "seconds": [ours, run]}
    yield {"what": "building Brian2's program (s)", "ratio": seconds["build"]}


def cold_start(n_repeats: int) -> Iterator[Row]:
    """Import, first call with compilation, and first call from the persistent compilation cache, in seconds."""
    exact = "stdpjax.spikes.expected_lag_counts(pre, post)"
    first = in_fresh_protocol()
    yield {"what": "import (s)", "ratio": first["import"]}
    yield {"what": "first sampled table, compilation included (s)", "ratio": first["first"], "bound": 3.0}
    yield {"what": "first exact table (s)", "ratio": in_fresh_protocol(exact)["first"], "bound": 3.0}
    cache = {"JAX_COMPILATION_CACHE_DIR": str(Path("benchmarks.cache").resolve())}
    cache |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    in_fresh_protocol(environment=cache)
    again = in_fresh_protocol(environment=cache)
    yield {"what": "first sampled table with a filled compilation cache (s)", "ratio": again["first"]}


UNITS, CHAINS, NETWORK_STEPS = 1024, 256, 1000

NETWORK = """
import jax.numpy as jnp, stdpjax
from stdpjax.dynamics import NoiseHyper, NoisyIntegrator, simulate
from stdpjax.observers import mean_of
params = stdpjax.energy.random_params(stdpjax.random.key(0), 128)
simulate(
    stdpjax.random.key(1), params, NoisyIntegrator(stdpjax.rates.hard_sigmoid()), NoiseHyper(0.1, 0.2),
    state=jnp.zeros((256, 128)), n_steps={n_steps}, observe={{"state": mean_of(lambda s: s.next_post_state)}},
).state.block_until_ready()
result = {{}}
"""


@jax.jit
def products_alone(weights: jax.Array, states: jax.Array) -> jax.Array:
    """Multiply every chain's state by the weights at each step, and do nothing else."""

    def multiply(states: jax.Array, _: None) -> tuple[jax.Array, None]:
        return jax.vmap(lambda state: weights @ state)(states), None

    return jax.lax.scan(multiply, states, None, length=NETWORK_STEPS)[0]


def squared_change(sample: stdpjax.rules.Sample) -> jax.Array:
    """Return |ds|^2 of each unit in a step."""
    return (sample.next_post_state - sample.post_state) ** 2


class Counted(NoisyIntegrator):
    """The noisy step, which notes each time that it is traced."""

    traces: ClassVar[list[None]] = []

    def __call__(self, key: Any, state: Any, field: Any, hyper: Any) -> Any:
        """Return the next state."""
        self.traces.append(None)
        return super().__call__(key, state, field, hyper)


def network(n_repeats: int) -> Iterator[Row]:
    """The noisy update with a streaming statistic against its matrix products alone; memory; compilations."""
    params = stdpjax.energy.random_params(stdpjax.random.key(0), UNITS)
    start = jnp.zeros((CHAINS, UNITS))
    observe = {"speed": mean_of(squared_change)}
    kernel = Counted(stdpjax.rates.hard_sigmoid())

    def run(seed: int = 1, hyper: NoiseHyper = NoiseHyper(0.1, 0.2), n_steps: int = NETWORK_STEPS) -> Any:  # noqa: B008
        key = stdpjax.random.key(seed)
        done = simulate(key, params, kernel, hyper, state=start, n_steps=n_steps, observe=observe)
        return done.state, done.observed

    ways = {"ours": run, "products": lambda: products_alone(params.weights, start)}
    seconds = interleaved(ways, n_repeats)
    what = f"{UNITS} units x {CHAINS} chains x {NETWORK_STEPS} noisy steps / their matrix products alone"
    yield ratio_row(what, seconds, "ours", "products", 1.25)
    before = len(Counted.traces)
    jax.block_until_ready([run(seed, NoiseHyper(0.1 * seed, 0.3 * seed)) for seed in (2, 3)])
    n_traces = len(Counted.traces) - before
    yield {"what": "compilations for other seeds, steps and noise levels", "ratio": n_traces}
    short, long = (in_fresh_process(NETWORK.format(n_steps=n_steps)) for n_steps in (100, 10_000))
    yield {"what": "memory of 10^4 noisy steps - of 100 (MiB)", "ratio": long["peak"] - short["peak"], "bound": 50.0}


RHO = stdpjax.rates.hard_sigmoid()


@partial(jax.jit, static_argnums=2)
def bare_langevin(keys: jax.Array, params: stdpjax.energy.Params, n_steps: int, states: jax.Array) -> jax.Array:
    """Langevin's step in a scan, with the same draws and nothing else: no checks, flags, clamps or observers."""

    def one(states: jax.Array, number: jax.Array) -> tuple[jax.Array, None]:
        now = jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)
        noise = jax.vmap(lambda key: jax.random.normal(key, states.shape[1:]))(now)
        pull = RHO.slope(states) * (RHO.value(states) @ params.weights.T + params.bias) - states
        return states + 0.05 * pull + jnp.sqrt(2 * 0.05) * noise, None

    return jax.lax.scan(one, states, jnp.arange(n_steps, dtype=jnp.uint32))[0]


@partial(jax.jit, static_argnums=2)
def bare_mala(keys: jax.Array, params: stdpjax.energy.Params, n_steps: int, states: jax.Array) -> jax.Array:
    """The loop of blackjax's documentation over its own kernel, with the same draws."""
    from blackjax.mcmc import mala

    def log_density(state: jax.Array) -> jax.Array:
        return -stdpjax.energy.energy_of(params, state, RHO)

    kernel = mala.build_kernel()

    def one(chains: Any, number: jax.Array) -> tuple[Any, None]:
        now = jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)
        return jax.vmap(lambda key, chain: kernel(key, chain, log_density, 0.05)[0])(now, chains), None

    chains = jax.vmap(lambda state: mala.init(state, log_density))(states)
    return jax.lax.scan(one, chains, jnp.arange(n_steps, dtype=jnp.uint32))[0].position


def kernels(n_repeats: int) -> Iterator[Row]:
    """Langevin and Metropolis-adjusted steps in `simulate` against loops that do nothing else."""
    for units, chains in ((16, 1000), (64, 256), (256, 64)):
        params, states = stdpjax.energy.random_params(stdpjax.random.key(0), units), jnp.zeros((chains, units))
        key, n_steps = stdpjax.random.key(1), 500
        keys = stdpjax.random.member_keys(key, chains)
        for make, bare, bound in ((Langevin, bare_langevin, 1.2), (MetropolisLangevin, bare_mala, 1.1)):
            kernel = make(RHO)
            ours = partial(simulate, key, params, kernel, kernel.Hyper(0.05), state=states, n_steps=n_steps)
            alone = partial(bare, keys, params, n_steps, states)
            seconds = interleaved({"ours": ours, "bare": alone}, n_repeats)
            what = f"{make.__name__}, {units} units x {chains} chains / a loop of nothing else"
            yield ratio_row(what, seconds, "ours", "bare", bound)


SECTIONS: dict[str, Callable[[int], Iterator[Row]]] = {
    "protocol": protocol,
    "generator": generator,
    "memory": memory,
    "scaling": scaling,
    "cold_start": cold_start,
    "network": network,
    "kernels": kernels,
}


def machine() -> dict[str, Any]:
    """Describe where the numbers come from."""
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ": unknown")
    return {
        "cpu": cpu.split(":", 1)[1].strip(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "device": jax.devices()[0].device_kind,
        "backend": jax.default_backend(),
        "python": platform.python_version(),
        "jax": jax.__version__,
        "stdpjax": stdpjax.__version__,
    }


def markdown(result: Mapping[str, Any]) -> str:
    """Return the table."""
    where = result["machine"]
    device = "" if where["backend"] == "cpu" else f", {where['device']}"
    lines = [
        f"Measured on {where['cores']} cores ({where['cpu']}{device}), JAX {where['jax']}, Python {where['python']}, "
        f"medians of {result['repeats']} interleaved runs, load average {where['load_average']:.1f} before them:",
        "",
        "| what | ratio or value | over the rounds | should be at most |",
        "|---|---|---|---|",
    ]
    for row in result["rows"]:
        spread = "{:.3g} … {:.3g}".format(*row["range"]) if "range" in row else ""
        bound = f"{row['bound']:.3g}" if row.get("bound") else ""
        lines.append(f"| {row['what']} | {row['ratio']:.3g} | {spread} | {bound} |")
    return "\n".join(lines)


def main() -> None:
    """Parse the arguments, run the sections, write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=SECTIONS, action="append", help="sections to run, all by default")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", choices=("cpu", "gpu", "tpu"), help="where to run; JAX's choice by default")
    parser.add_argument("--out", type=Path, default=Path("benchmarks.json"))
    parser.add_argument("--brian2-python", type=Path, metavar="PATH", help="interpreter of an environment with Brian2")
    parser.add_argument("--write", action="store_true", help="put the table into scripts/benchmarks.md")
    arguments = parser.parse_args()
    if arguments.device:
        platform_name = {"cpu": "cpu", "gpu": "cuda", "tpu": "tpu"}[arguments.device]
        os.environ["JAX_PLATFORMS"] = platform_name  # for the fresh processes
        jax.config.update("jax_platforms", platform_name)
    result: dict[str, Any] = {"machine": machine(), "repeats": arguments.repeats, "rows": []}
    sections = {name: SECTIONS[name] for name in arguments.only or SECTIONS}
    if arguments.brian2_python:
        sections["brian2"] = partial(brian2, arguments.brian2_python)
    for name, section in sections.items():
        for row in section(arguments.repeats):
            result["rows"].append({"section": name, **row})
            print(f"{row['ratio']:8.3g}  {row['what']}  {row.get('seconds', '')}", file=sys.stderr)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    table = markdown(result)
    print(table)
    if arguments.write:
        page = Path(__file__).parent / "benchmarks.md"
        before, rest = page.read_text().split(START)
        page.write_text(f"{before}{START}\n{table}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
