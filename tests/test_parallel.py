"""Any number of devices and processes: the same bits, no communication but the final gather, one program a function.

Virtual CPU devices and second processes need interpreters of their own; what those run stands in `SCRIPTS` below.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax import parallel
from tests.tracing import is_traced, may_be_traced, watched

TIMEOUT = 240
# As the console script does, without needing the package to be installed.
PROGRAM = [sys.executable, "-c", "import sys; from stdpjax.cli import main; sys.exit(main())"]

TABLES = """
    import hashlib
    import numpy as np
    import stdpjax
    from stdpjax.spikes import counting

    def fingerprint(arrays):
        return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()

    def tables(words_at_once, n_sequences=(3, 13), n_trials=(100,)):
        "Counts for sequence counts that no number of devices from 2 up divides, and for fewer than devices."
        counting._WORDS_AT_ONCE = words_at_once
        rng, key = np.random.default_rng(0), stdpjax.random.key(5)
        for n in n_sequences:
            rates = rng.uniform(0, 0.4, (2, n, 30)).astype(np.float32)
            for trials in n_trials:
                yield np.asarray(stdpjax.spikes.sample_lag_counts(key, *rates, trials, 5, first_sequence=2))
"""


def environment(n_devices=1, **more):
    flags = f"--xla_force_host_platform_device_count={n_devices}"
    return os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"} | more


def program(*parts):
    return [sys.executable, "-W", "error", "-c", "\n".join(textwrap.dedent(part) for part in parts)]


def finish(*processes):
    """Wait for processes and return what they print; none outlives the test."""
    try:
        outcomes = [process.communicate(timeout=TIMEOUT) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    for process, (_, errors) in zip(processes, outcomes, strict=True):
        assert process.returncode == 0, errors[-3000:]
    return [said for said, _ in outcomes]


def start(command, env, cwd=None):
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd=cwd)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def launched(command, n_processes, n_devices):
    """Processes as Slurm starts them on one machine."""
    slurm = {"SLURM_JOB_ID": "1", "SLURM_STEP_NODELIST": "127.0.0.1", "SLURM_NTASKS": str(n_processes)}
    slurm["JAX_COORDINATOR_PORT"] = str(free_port())
    return [
        start(command, environment(n_devices, **slurm, SLURM_PROCID=str(number), SLURM_LOCALID=str(number)))
        for number in range(n_processes)
    ]


DEVICES = """
    import jax, jax.numpy as jnp
    from stdpjax import parallel
    from stdpjax.parallel import devices

    all_devices, compiled_blocks = jax.devices(), devices.compiled_blocks
    assert len(all_devices) == parallel.n_devices() == parallel.mesh().size == 8
    texts = []

    def recorded(*settings):
        blocks = compiled_blocks(*settings)

        def call(*arguments):
            compiled = blocks.lower(*arguments).compile()
            texts.append(compiled.as_text())
            return compiled(*arguments)

        return call

    devices.compiled_blocks = recorded

    def mixed(key, rate):
        return {"draws": jax.random.normal(key, (5,)), "curve": [jnp.tanh(rate), jnp.cumsum(rate)], "next": key}

    keys = stdpjax.random.member_keys(stdpjax.random.key(1), 11)
    rates = np.random.default_rng(1).uniform(size=(11, 4)).astype(np.float32)
    seen = set()
    for n_devices, words_at_once in ((1, 2**15), (2, 64), (4, 2**15), (8, 64)):
        devices.mesh = lambda: jax.sharding.Mesh(np.array(all_devices[:n_devices]), (devices.AXIS,))
        parallel.n_devices = lambda: n_devices
        seen.add(fingerprint(tables(words_at_once)))
        mapped = parallel.map_sharded(mixed, keys, rates)
        assert mapped["curve"][1].shape == (11, 4) and mapped["next"].shape == (11, 2)
        seen.add("map " + fingerprint(jax.tree.leaves(mapped)))
    assert len(seen) == 2, seen
    assert len(texts) == 3 * (2 + 1) + 1  # on one device the counts take no detour
    for text in texts:
        # The results stay where they were computed. On one process joining them is copying, so there is no gather at
        # all; between processes it is a program of its own, one all-gather for each result.
        for word in ("all-gather", "all-reduce", "reduce-scatter", "all-to-all", "collective", "send", "recv"):
            assert f" {word}" not in text, text
    assert any("num_partitions=8" in text for text in texts)

    # Under jit, and for arrays that were put on a device, placement is the caller's.
    count = lambda pre, post: stdpjax.spikes.sample_lag_counts(stdpjax.random.key(0), pre, post, 40, 5)
    n_texts, whole = len(texts), count(*map(jnp.asarray, rates.repeat(8, axis=1)[:2]))
    assert len(texts) > n_texts
    n_texts = len(texts)
    np.testing.assert_array_equal(jax.jit(count)(*rates.repeat(8, axis=1)[:2]), whole)
    placed = jax.device_put(rates.repeat(8, axis=1)[:2], all_devices[3])
    there = count(*placed)
    assert there.devices() == {all_devices[3]} and len(texts) == n_texts
    np.testing.assert_array_equal(there, whole)
    with jax.default_device(all_devices[2]):
        assert count(*rates.repeat(8, axis=1)[:2]).devices() == {all_devices[2]} and len(texts) == n_texts
    print("same bits")
"""


def test_results_do_not_depend_on_the_number_of_devices():
    (said,) = finish(start(program(TABLES, DEVICES), environment(8)))
    assert said.strip() == "same bits"


PROCESSES = """
    import jax
    from stdpjax import parallel

    parallel.initialize()  # from the launcher's environment, if there is one
    parallel.initialize()  # and again: nothing to do

    def draw(key):
        return jax.random.bits(key, (3,)), jax.random.normal(key, (3,))

    keys = stdpjax.random.member_keys(stdpjax.random.key(1), 7)
    mapped = parallel.map_sharded(draw, keys)
    assert [type(array) for array in mapped] == [np.ndarray] * 2
    facts = parallel.on_main_process(lambda: {"main": jax.process_index()})
    try:
        parallel.on_main_process(lambda: 1 / 0)
    except (ZeroDivisionError, parallel.MainProcessError) as error:
        failure = type(error).__name__
    import json
    print(json.dumps({
        "counts": fingerprint(tables(64)), "mapped": fingerprint(mapped), "n_devices": parallel.n_devices(),
        "facts": facts, "is_main": parallel.is_main_process(), "failure": failure,
    }))
"""


def last_line(text):
    return json.loads(text.strip().splitlines()[-1])


def test_two_processes_of_a_launcher_compute_what_one_does():
    command = program(TABLES, PROCESSES)
    (alone,) = map(last_line, finish(start(command, environment())))
    main, other = map(last_line, finish(*launched(command, n_processes=2, n_devices=2)))
    assert (alone["n_devices"], main["n_devices"], other["n_devices"]) == (1, 4, 4)
    for process in (main, other):
        assert (process["counts"], process["mapped"]) == (alone["counts"], alone["mapped"])
        assert process["facts"] == {"main": 0}
    assert (main["is_main"], main["failure"]) == (True, "ZeroDivisionError")
    assert (other["is_main"], other["failure"]) == (False, "MainProcessError")


def run_twice_and_alone(tmp_path, *arguments):
    """The ledger of a command on one process, and on two; return both, and what the two printed."""
    (tmp_path / "other").mkdir()
    alone = start([*PROGRAM, *arguments, "--out", "alone"], environment(), tmp_path)
    finish(alone)
    connected = ["--coordinator", f"127.0.0.1:{free_port()}", "--num-processes", "2", "--process-id"]
    # A disk of its own, so that nothing is right by reading what the main process wrote.
    outs = finish(*(
        start([*PROGRAM, *arguments, "--out", "two", *connected, str(number)], environment(), folder)
        for number, folder in enumerate((tmp_path, tmp_path / "other"))
    ))  # fmt: skip
    assert not any((tmp_path / "other").iterdir())
    return (tmp_path / "alone/ledger.json").read_bytes(), (tmp_path / "two/ledger.json").read_bytes(), outs


def without_connection_notes(text):
    return [line for line in text.splitlines() if not line.startswith("[Gloo]")]


def test_command_line_on_two_processes(tmp_path: Path):
    alone, two, (main, other) = run_twice_and_alone(
        tmp_path, "run", "example_traces", "--smoke", "--n-trials", "50", "--seed", "3"
    )
    assert alone == two
    assert without_connection_notes(other) == []
    assert without_connection_notes(main)[-1] == "report: two/report.html"


@pytest.mark.slow
def test_sampled_study_on_two_processes(tmp_path: Path):
    alone, two, _ = run_twice_and_alone(tmp_path, "run", "rule_agreement", "--smoke", "--seed", "3")
    assert alone == two


ALL_TABLES = """
    sizes, n_sequences, n_trials = (2**15, 256, 64, 8), (1, 7, 8, 21), (0, 1, 33, 300)
    print(*(fingerprint(tables(size, n_sequences, n_trials)) for size in sizes))
"""


@pytest.mark.slow
def test_counts_on_one_to_eight_devices_in_interpreters_of_their_own():
    said = {finish(start(program(TABLES, ALL_TABLES), environment(n)))[0] for n in (1, 2, 4, 8)}
    assert len(said) == 1
    assert len(set(said.pop().split())) == 1


def test_import_does_not_start_jax():
    finish(start(program("""
        import stdpjax.cli
        from jax._src import xla_bridge
        assert not xla_bridge.backends_are_initialized()
    """), environment()))  # fmt: skip


def test_functions_are_compiled_once():
    @watched
    def scaled(key, settings):
        return jax.random.normal(key) * settings["scale"]

    for seed in range(3):
        keys = stdpjax.random.member_keys(stdpjax.random.key(seed), 4)
        with contextlib.nullcontext() if seed else may_be_traced():
            got = parallel.map_sharded(scaled, keys, {"scale": np.arange(4.0) + seed})
        expected = [float(jax.random.normal(key)) * (number + seed) for number, key in enumerate(keys)]
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    # Power: another number of elements is another program.
    with is_traced():
        parallel.map_sharded(scaled, stdpjax.random.member_keys(stdpjax.random.key(0), 3), {"scale": np.arange(3.0)})


def test_no_elements_give_empty_results():
    keys = stdpjax.random.member_keys(stdpjax.random.key(0), 0)
    got = parallel.map_sharded(lambda key, x: (jax.random.bits(key, (2,)), key, x.sum()), keys, np.zeros((0, 3)))
    assert [(array.shape, array.dtype) for array in got] == [
        ((0, 2), np.uint32), ((0, 2), np.uint32), ((0,), np.float32)
    ]  # fmt: skip


@pytest.mark.parametrize("arrays", [(), (1.0,), (np.zeros(2), np.zeros(3)), ({"a": np.zeros(2), "b": np.float32(0)},)])
def test_arrays_without_a_common_axis_are_refused(arrays):
    with pytest.raises(ValueError, match="arrays: expected"):
        parallel.map_sharded(lambda *elements: elements, *arrays)


def test_a_traced_call_is_refused():
    with pytest.raises(ValueError, match="under jit, vmap or grad"):
        jax.jit(lambda x: parallel.map_sharded(jnp.sin, x))(jnp.zeros(3))


BAD = [
    ({"coordinator": "here"}, "coordinator: expected HOST:PORT"),
    ({"coordinator": "here:0"}, "coordinator: expected HOST:PORT"),
    ({"coordinator": "here:99999", "n_processes": 2, "process_id": 0}, "coordinator: expected HOST:PORT"),
    ({"coordinator": "here:1"}, "n_processes: expected"),
    ({"coordinator": "here:1", "n_processes": 2}, "process_id: expected"),
    ({"n_processes": 2, "process_id": 0}, "coordinator: expected"),
    ({"n_processes": 0}, "n_processes: expected a whole number of at least 1, got 0"),
    ({"process_id": -1}, "process_id: expected"),
    ({"coordinator": "here:1", "n_processes": 2, "process_id": 2}, "process_id: expected 0 to 1"),
    ({"n_processes": 1, "process_id": 1}, "process_id: expected 0 to 0"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_settings_of_processes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        parallel.initialize(**arguments)


def test_an_address_in_the_environment_is_checked_too(monkeypatch):
    monkeypatch.setenv("JAX_COORDINATOR_ADDRESS", "here")
    with pytest.raises(ValueError, match="coordinator: expected HOST:PORT, got 'here'"):
        parallel.initialize(n_processes=2, process_id=0)


def test_one_process_needs_no_connection_and_several_must_connect_first():
    jnp.zeros(1).block_until_ready()
    parallel.initialize()
    parallel.initialize(n_processes=1, process_id=0)
    with pytest.raises(RuntimeError, match="before JAX computes anything"):
        parallel.initialize("127.0.0.1:1", 2, 0)


def test_a_single_pod_is_not_a_cluster(monkeypatch):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    parallel.initialize()


def test_a_launcher_is_not_overlooked_when_it_is_too_late(monkeypatch):
    jnp.zeros(1).block_until_ready()
    slurm = {"JOB_ID": "1", "STEP_NODELIST": "127.0.0.1", "NTASKS": "2", "PROCID": "0", "LOCALID": "0"}
    for name, value in slurm.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    with pytest.raises(RuntimeError, match="before JAX computes anything"):
        parallel.initialize()
    parallel.initialize(n_processes=1)  # what is given overrides the launcher


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--num-processes", "0"], "--num-processes: expected a whole number of at least 1, got 0"),
        (["--coordinator", "here"], "--coordinator: expected HOST:PORT, got 'here'"),
        (["--process-id", "1"], "--coordinator: expected --coordinator, --num-processes and --process-id together"),
        (["--coordinator", "here:1", "--num-processes", "2", "--process-id", "7"], "--process-id: expected 0 to 1"),
        (["--num-processes", "two"], "argument --num-processes: invalid int value: 'two'"),
    ],
)
def test_command_line_refuses_bad_settings_in_one_line(options, message, tmp_path, monkeypatch, capsys):
    from stdpjax import cli

    monkeypatch.chdir(tmp_path)
    try:
        code = cli.main(["run", "example_traces", "--smoke", *options])
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    assert code == 2
    assert captured.err.startswith(f"stdpjax: error: {message}")
    assert captured.err.count("\n") == 1
    assert not any(tmp_path.iterdir())


def test_without_compilation_the_same_results():
    numbers = np.arange(5, dtype=np.float32)
    want = parallel.map_sharded(jnp.cos, numbers)
    with jax.disable_jit():
        np.testing.assert_allclose(parallel.map_sharded(jnp.cos, numbers), want, rtol=1e-6)


def test_blocks_without_arrays_or_of_different_lengths_are_refused():
    for arrays in ((), (np.float32(1),), (np.zeros(2), np.zeros(3)), (np.zeros(0),)):
        with pytest.raises(ValueError, match="arrays: expected arrays with leading axes of one length above 0"):
            parallel.map_blocks(jnp.cos, *arrays)
