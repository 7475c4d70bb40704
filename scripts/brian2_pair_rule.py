"""Time Brian2 on the nearest job it has: trace-based pair STDP over all trials of the protocol.

    python scripts/brian2_pair_rule.py SEQUENCES STEPS TRIALS THREADS REPEATS DIRECTORY

Run by `benchmark.py --brian2-python`, with the interpreter of an environment that has Brian2. The job is simpler than
the benchmark's: one synapse for each pair of trains, all-to-all pairing by two exponential traces and no table of
lags. C++ standalone with OpenMP; prints the seconds of building and of running as JSON.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import brian2 as b2
import numpy as np

n_sequences, n_steps, n_trials, n_threads, n_repeats = map(int, sys.argv[1:6])
directory = Path(sys.argv[6])
b2.set_device("cpp_standalone", build_on_run=False)
b2.prefs.devices.cpp_standalone.openmp_threads = n_threads
b2.prefs.core.default_float_dtype = b2.float32
b2.defaultclock.dt = 1 * b2.ms
b2.seed(0)

rates = np.random.default_rng(0).uniform(0, 0.2, (2, n_sequences, n_steps)).astype(np.float32)
namespace = {
    name: b2.TimedArray(rate.T, dt=1 * b2.ms, name=name)
    for name, rate in zip(("pre_rate", "post_rate"), rates, strict=True)
}
n_pairs = n_sequences * n_trials
pre, post = (
    b2.NeuronGroup(n_pairs, "sequence : integer (constant)", threshold=f"rand() < {name}(t, sequence)")
    for name in namespace
)
for group in (pre, post):
    group.namespace.update(namespace)
    group.sequence = f"i // {n_trials}"
synapses = b2.Synapses(
    pre,
    post,
    """
    w : 1
    dpre_trace / dt = -pre_trace / (20 * ms) : 1 (event-driven)
    dpost_trace / dt = -post_trace / (20 * ms) : 1 (event-driven)
    """,
    on_pre="pre_trace += 0.01; w += post_trace",
    on_post="post_trace -= 0.0105; w += pre_trace",
)
synapses.connect(j="i")
b2.run(n_steps * b2.ms)
start = time.perf_counter()
b2.device.build(directory=str(directory), compile=True, run=False, debug=False)
built = time.perf_counter() - start
b2.device.run(str(directory), with_output=False, run_args=[])  # untimed; the weights can be read afterwards
seconds = []
for _ in range(n_repeats):
    start = time.perf_counter()
    subprocess.run(["./main"], cwd=directory, check=True, stdout=subprocess.DEVNULL)
    seconds.append(time.perf_counter() - start)
weights = np.asarray(synapses.w[:])
if not weights.any():
    raise SystemExit("expected weights that changed")
print(json.dumps({"version": b2.__version__, "build": built, "run": seconds, "mean weight": float(weights.mean())}))
