"""Spikes, tables of lags and draws against NumPy, Numba, Brian2 and stock JAX; memory, scaling and first calls."""

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from timing import Row, in_fresh_process, interleaved, ratio_row

import stdpjax
from stdpjax.spikes.counting import compiler_options
from stdpjax.spikes.packed import sample_packed_pair

SEQUENCES, STEPS, TRIALS, WINDOW = 500, 160, 1000, 20


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
    import opponents  # which alone needs Numba

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


def updates(n_repeats: int) -> Iterator[Row]:
    """What rules change, over trains that are drawn and over given ones, against Numba loops on all cores."""
    import opponents  # which alone needs Numba

    key, (pre, post) = stdpjax.random.key(0), rates()
    thresholds = [np.round(rate.astype(np.float64) * 2**32).astype(np.uint64) for rate in (pre, post)]
    pairs = stdpjax.rules.pair_rule(1.0, 0.5, 10.0, 20.0)
    triplets = stdpjax.rules.triplet_rule(1.0, 0.6, 0.5, 0.4, 10.0, 20.0, 30.0, 40.0)
    numbers = {
        "pairs": np.array([1.0, 0.0, 0.5, 0.0], np.float32),
        "triplets": np.array([1.0, 0.6, 0.5, 0.4], np.float32),
    }
    times = {"pairs": [10.0, 20.0], "triplets": [10.0, 20.0, 30.0, 40.0]}
    fades = {name: tuple(np.exp(-1 / np.array(each, np.float32))) for name, each in times.items()}
    for name, rule in (("pairs", pairs), ("triplets", triplets)):
        opponent = (*thresholds, TRIALS, numbers[name], fades[name])
        ways = {
            "ours": lambda rule=rule: stdpjax.rules.sampled_updates(key, rule, pre, post, TRIALS),
            "numba": lambda opponent=opponent: opponents.numba_sampled_updates(1, *opponent),
        }
        seconds = interleaved(ways, n_repeats)
        yield ratio_row(f"`sampled_updates` of {name} / Numba loop, all cores", seconds, "ours", "numba", 1.0)
    given = np.random.default_rng(0).random((2, 50_000, STEPS)) < 0.1
    trains = [jnp.asarray(train) for train in given]
    total = jax.jit(lambda *trains: stdpjax.rules.train_updates(pairs, *trains).sum(-1))
    amplitudes, (pre_trains, post_trains) = np.array([1.0, 0.5], np.float32), given
    ways = {
        "ours": lambda: stdpjax.rules.train_updates(pairs, *trains),
        "numba": lambda: opponents.numba_train_updates(pre_trains, post_trains, amplitudes, fades["pairs"]),
        "our sum": lambda: total(*trains),
        "numba's sum": lambda: opponents.numba_train_changes(pre_trains, post_trains, amplitudes, fades["pairs"]),
    }
    seconds = interleaved(ways, n_repeats)
    yield ratio_row("`train_updates` of 50,000 trains / Numba loop, all cores", seconds, "ours", "numba", 1.5)
    yield ratio_row("its sum over time / Numba loop, all cores", seconds, "our sum", "numba's sum", 1.0)


def generator(n_repeats: int) -> Iterator[Row]:
    """Draws of 2^22 elements from our key and from JAX's; normal ones against what their bits cost at least."""
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
    # JAX's numbers are `erf_inv` of uniform ones, so the same numbers take these two, in whatever order.
    bits, normal = (jax.jit(draws[name][0]) for name in ("bits", "normal"))
    uniform = jax.random.uniform(ours, shape, minval=-1.0)
    erf_inv = jax.jit(jax.scipy.special.erfinv)
    ways = {"normal": lambda: normal(ours), "parts": lambda: (bits(ours), erf_inv(uniform))}
    seconds = interleaved(ways, n_repeats)
    yield ratio_row("`normal` / `bits` and then `erf_inv`", seconds, "normal", "parts", 1.1)


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
