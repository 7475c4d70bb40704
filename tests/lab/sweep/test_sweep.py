"""Sweeps: right numbers, whatever the chunks; a store that survives; one line for every mistake."""

import dataclasses
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from stdpjax import cli, parallel, stats, studies
from stdpjax.lab.sweep import run, store
from stdpjax.lab.sweep import sweep as sweep_study
from stdpjax.lab.sweep.grid import make_groups, point_of
from stdpjax.lab.sweep.memory import make_program
from stdpjax.random import key, named_key
from stdpjax.spikes import counting
from stdpjax.studies.section_5_simulation import sweep_points
from tests.tracing import is_traced, watched

STUDY = studies.find("stdp_window")
SMALL = {"n_sequences": 6, "n_steps": 24, "n_trials": 40}
GRID = {"window": (4, 3), "max_probability": (0.2, 0.5, 1.0)}
AGREEMENT = {**SMALL, "window": 3, "n_bins": 5}


def sweep(out: Path, grid: Any = None, study: str = "stdp_window", **options: Any) -> xr.Dataset:
    settings = {"seeds": 2, "smoke": True, "say": lambda line: None, **SMALL, **options}
    return sweep_study(studies.find(study), GRID if grid is None else grid, out=out, **settings)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store made in one go."""
    out = tmp_path_factory.mktemp("sweep") / "store"
    sweep(out)
    return out


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """A copy of it to be damaged."""
    return shutil.copytree(finished, tmp_path / "store")


# Numbers.


def test_the_store_holds_what_a_loop_over_points_computes(finished):
    study = studies.find("stdp_window")
    data = xr.open_zarr(finished).load()
    assert dict(data.sizes) == {"window": 2, "max_probability": 3, "seed": 2, "lag": 9}
    assert set(data.data_vars) == set(point_of(study).variables)
    window = 3  # the shorter one, which is padded
    config = dataclasses.replace(study.configuration(is_smoke=True), **SMALL, window=window, width=16.0)
    function = jax.jit(lambda key, values: point_of(study).function(key, values, config))
    for q, seed in itertools.product(GRID["max_probability"], (0, 1)):
        values = {
            name: jnp.asarray(getattr(study.configuration(is_smoke=True), name), float)
            for name in point_of(study).traced
        }
        values["max_probability"] = jnp.asarray(q, float)
        right = function(named_key(key(seed), study.name), values)
        cell = data.sel(window=window, max_probability=q, seed=seed)
        inside, outside = cell.sel(lag=slice(-window, window)), cell.where(abs(cell.lag) > window, drop=True)
        for name, expected in right.items():
            np.testing.assert_allclose(inside[name], expected, rtol=1e-6, atol=1e-7)
            if name == "lag_count":
                np.testing.assert_array_equal(inside[name], expected)
                assert (outside[name] == 0).all()
            else:
                assert np.isnan(outside[name]).all()


@pytest.mark.slow
def test_correlations_are_those_of_double_precision(key):
    study = studies.find("rule_agreement")
    config = dataclasses.replace(study.configuration(is_smoke=True), n_sequences=200, width=16.0)
    values = {
        name: jnp.asarray(getattr(study.configuration(is_smoke=True), name), float) for name in point_of(study).traced
    }
    ours = jax.jit(lambda k: point_of(study).function(k, values, config))(key)
    made = sweep_points.make_sequences(named_key(key, "sequences"), config, values)
    eq1 = np.asarray(made.slope, np.float64) * np.asarray(made.pre_rate, np.float64)
    kernel = np.asarray(sweep_points.kernel_of(config), np.float64)
    bins = stats.quantile_bins(eq1, config.n_bins)
    sizes = np.bincount(bins.ravel())
    sampled = counting.sample_lag_counts(
        named_key(key, "spikes"), made.pre_probability, made.post_probability, config.n_trials, boundary="valid"
    )
    for name, table in (("exact", sweep_points.exact_counts(made, config)), ("sampled", sampled)):
        update = np.asarray(table, np.float64) @ kernel
        per_bin = stats.correlation(update.ravel(), eq1.ravel())
        means = [stats.sums_by_bin(bins, array, config.n_bins).sum(0) / sizes for array in (update, eq1)]
        assert abs(float(ours[f"per_bin_correlation_{name}"]) - per_bin) < 1e-5
        assert abs(float(ours[f"binned_correlation_{name}"]) - stats.correlation(*means)) < 1e-4


def test_all_points_share_the_random_numbers_of_a_seed(finished, tmp_path):
    alone = sweep(tmp_path / "store", {"window": (3,), "max_probability": (0.5,)}, seeds=1, seed=1).load()
    among = xr.open_zarr(finished).sel(window=[3], max_probability=[0.5], seed=[1], lag=slice(-3, 3)).load()
    xr.testing.assert_equal(alone.drop_attrs(), among.drop_attrs())


@pytest.mark.parametrize("study", ["stdp_window", pytest.param("rule_agreement", marks=pytest.mark.slow)])
def test_chunks_and_memory_do_not_change_a_bit(study, tmp_path, monkeypatch):
    grid, settings = ({"tau": (3.0, 10.0), "width": (3.0, 10.0)}, AGREEMENT if study == "rule_agreement" else {})
    stores = []
    for most in (1, 3, 100):
        monkeypatch.setattr("stdpjax.lab.sweep.plan.points_at_once", lambda *_, most=most: most)
        stores.append(contents_of(sweep(tmp_path / str(most), grid, study, **{"seeds": 1, **settings})))
        assert contents(tmp_path / str(most)) == contents(tmp_path / "1")
    assert len(stores[0]) == len(point_of(studies.find(study)).variables)


def contents_of(data: xr.Dataset) -> dict[str, bytes]:
    return {str(name): array.values.tobytes() for name, array in data.data_vars.items()}


def test_a_larger_budget_means_larger_chunks_and_too_small_a_one_is_refused(tmp_path, monkeypatch, finished):
    with pytest.raises(
        ValueError, match=r"memory: expected at least .*iB, what one point with 2 seeds needs"
    ) as caught:
        sweep(tmp_path / "store", memory="1KiB")
    assert not (tmp_path / "store").exists()
    least = str(caught.value).split("at least ")[1].split(",")[0]
    lengths = []
    plain = parallel.map_sharded

    def counted(function, *arrays):
        lengths.append(len(arrays[0]))
        return plain(function, *arrays)

    monkeypatch.setattr(parallel, "map_sharded", counted)
    sweep(tmp_path / "store", memory=least)
    n_small, lengths[:] = len(lengths), []
    sweep(tmp_path / "large")
    assert n_small > len(lengths) == len(GRID["window"])
    assert contents(tmp_path / "store") == contents(tmp_path / "large") == contents(finished)


def test_other_values_seeds_and_chunks_compile_nothing(finished, tmp_path, monkeypatch):
    plain = sweep_points.make_sequences

    @watched
    def made(*arguments):
        return plain(*arguments)

    monkeypatch.setattr(sweep_points, "make_sequences", made)
    grid = {"window": (4, 3), "max_probability": (0.3, 0.7, 0.9)}
    sweep(tmp_path / "store", grid, seed=5, tau=3.0, width=7.0)
    # Power: another length is another program.
    with is_traced():
        make_program(point_of(STUDY), dataclasses.replace(STUDY.configuration(is_smoke=True), n_steps=25))


def test_a_chunk_takes_the_memory_of_one_point_and_its_results_however_many_points_it_has():
    study = studies.find("stdp_window")
    program = make_program(point_of(study), dataclasses.replace(study.configuration(is_smoke=True), width=16.0))
    used = []
    for n in (2, 16):
        values = {name: jax.ShapeDtypeStruct((n,), float) for name in point_of(study).traced}
        mapped = jax.jit(jax.vmap(program.function)).lower(jax.ShapeDtypeStruct((n, 2), jnp.uint32), values)
        analysis = mapped.compile().memory_analysis()
        assert analysis is not None
        used.append(analysis.temp_size_in_bytes)
    results = sum(one.size * one.dtype.itemsize for one in program.results.values())
    assert max(used) < 1.1 * program.working_bytes + 16 * results
    assert program.working_bytes > 100 * results  # power: two points at once would show


# The store.


def test_the_store_opens_without_a_warning_and_says_what_it_is(finished):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = xr.open_zarr(finished)
    assert [str(dim) for dim in data.eq1_mean.dims] == ["window", "max_probability", "seed", "lag"]
    assert data.max_probability.attrs == {"units": "1/bin"}
    assert data.lag.attrs == {"units": "bins"}
    assert all({"units", "long_name"} <= set(variable.attrs) for variable in data.data_vars.values())
    assert json.loads(data.attrs["configuration"])["n_trials"] == 40
    assert json.loads(data.attrs["grid"]) == {name: list(values) for name, values in GRID.items()}
    assert json.loads(data.attrs["provenance"])["jax"] == jax.__version__


def test_words_are_coordinates_too(tmp_path):
    data = sweep(tmp_path / "store", {"kernel": ("sign",)}, window=3, seeds=1)
    assert data.kernel.values.tolist() == ["sign"]


def test_seeds_fill_more_than_one_block(tmp_path, monkeypatch):
    grid = {"window": (3,), "max_probability": (0.2, 0.5)}
    whole = sweep(tmp_path / "whole", grid, seeds=3).load()
    monkeypatch.setattr(store, "SEEDS_PER_BLOCK", 2)
    parted = sweep(tmp_path / "parted", grid, seeds=3).load()
    assert (parted.lag_count >= 0).all()
    xr.testing.assert_identical(parted, whole)


def test_a_complete_store_is_said_to_be_complete_and_left_alone(copy):
    before, lines = contents(copy), []
    sweep(copy, say=lines.append)
    assert contents(copy) == before
    assert lines == [f"stdp_window: complete, 12 points in {copy}"]


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the library may catch it and go on."""


# A step of the store, and which call of it: the first manifest is written by `create`.
STEPS = [("create", 1), *((step, nth) for step in ("write_blocks", "checksum", "write_manifest") for nth in (1, 3))]


@pytest.mark.parametrize(("step", "nth"), STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_between_any_two_steps_it_ends_with_the_same_store(finished, tmp_path, monkeypatch, step, when, nth):
    monkeypatch.setattr("stdpjax.lab.sweep.plan.points_at_once", lambda *_: 2)
    plain, calls, out = getattr(store, step), [], tmp_path / "store"

    def killed(*arguments):
        calls.append(1)
        if when == "before" and len(calls) == nth:
            raise Killed
        result = plain(*arguments)
        if when == "after" and len(calls) == nth:
            raise Killed
        return result

    with monkeypatch.context() as context:
        context.setattr(store, step, killed)
        with pytest.raises(Killed):
            sweep(out)
    (out.parent / ".store.partial-xyz").mkdir()  # what a real kill leaves of a store in the making
    if out.exists():
        (out / "lag_count" / "c" / "0.1234.partial").parent.mkdir(exist_ok=True)
        (out / "lag_count" / "c" / "0.1234.partial").write_text("torn")
    sweep(out)
    assert contents(out) == contents(finished)


@pytest.mark.parametrize("damage", ["flipped", "torn", "gone", "value"])
def test_a_corrupt_chunk_is_found_and_computed_again(copy, finished, damage):
    path = copy / "eq1_mean" / "c" / "1" / "2" / "0" / "0"
    content = path.read_bytes()
    if damage == "flipped":
        path.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    elif damage == "torn":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "gone":
        path.unlink()
    else:  # a chunk that reads well and is wrong
        shutil.copy(copy / "eq1_mean" / "c" / "0" / "0" / "0" / "0", path)
    lines = []
    sweep(copy, say=lines.append)
    assert contents(copy) == contents(finished)
    assert lines[0] == "stdp_window: 1 of 6 stored blocks fail their checksum and are computed again"


def test_lost_coordinates_are_written_again(copy, finished):
    shutil.rmtree(copy / "lag" / "c")
    (copy / "max_probability" / "c" / "0").write_bytes(b"")
    lines = []
    data = sweep(copy, say=lines.append)
    assert data.lag.values.tolist() == list(range(-4, 5))
    assert data.max_probability.values.tolist() == [0.2, 0.5, 1.0]
    assert contents(copy) == contents(finished)
    assert lines[:-1] == [
        f"stdp_window: {name} fails its checksum and is written again" for name in ("lag/c/0", "max_probability/c/0")
    ]
    assert lines[-1].startswith("stdp_window: complete, 12 points")


@pytest.mark.parametrize("name", ["zarr.json", "lag/zarr.json", "eq1_mean/zarr.json"])
@pytest.mark.parametrize("damage", ["torn", "empty", "gone", "edited"])
def test_damaged_metadata_is_named_and_written_again(copy, finished, name, damage):
    text = (copy / name).read_text()
    if damage == "gone":
        (copy / name).unlink()
    else:
        (copy / name).write_text({"torn": text[: len(text) // 2], "empty": "", "edited": text + " "}[damage])
    lines = []
    sweep(copy, say=lines.append)
    assert lines[0] == f"stdp_window: {name} fails its checksum and is written again"
    assert len(lines) == 2
    assert contents(copy) == contents(finished)


def test_a_folder_in_the_place_of_metadata_is_refused_by_name(copy, capsys):
    (copy / "zarr.json").unlink()
    (copy / "zarr.json").mkdir()
    code, out, err = call(capsys, *COMMAND, "--out", str(copy))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"out: expected a file, got '{copy / 'zarr.json'}', which is a folder" in err


@pytest.mark.parametrize(
    "part",
    [{"checksums": []}, {"checksums": {"one": "x"}}, {"files": 3}, {"files": {"../mine": "x"}},
     {"files": {"mine": "x"}}, {"description": 3}, {"format": 1}],
)  # fmt: skip
def test_a_manifest_of_something_else_is_one_line(copy, capsys, part):
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, **part}))
    code, _, err = call(capsys, *COMMAND, "--out", str(copy))
    assert (code, err.count("\n")) == (2, 1)
    assert "out: expected a readable manifest.json" in err or "format: expected 2, got 1" in err


def test_a_block_that_the_sweep_does_not_have_is_dropped(copy, finished):
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["checksums"]["77"] = "x"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert sweep(copy).sizes["lag"] == 9


@pytest.mark.parametrize(
    ("grid", "options", "message"),
    [
        ({"tau": (3.0,)}, {"bin_ms": 2.0}, r"bin_ms: expected a setting that sweeps of stdp_window use \(max_prob"),
        ({"tau": (3.0,)}, {"kernel": "sign"}, r"tau: .* no effect with kernel 'sign', got \(3.0,\)"),
        ({"width": (3.0,)}, {"voltage_scale": 0.3}, r"voltage_scale: .* no effect with voltage 'bounded', got 0.3"),
    ],
)
def test_a_setting_without_effect_is_refused(tmp_path, grid, options, message):
    with pytest.raises(ValueError, match=message):
        sweep(tmp_path / "store", grid, **options)
    assert not (tmp_path / "store").exists()


def test_a_setting_with_effect_in_a_part_of_the_cells_is_taken():
    groups = make_groups(STUDY, {"kernel": ("sign", "exponential"), "tau": (3.0, 5.0)}, True, {})
    assert [group.values["tau"].tolist() for group in groups] == [[3.0, 5.0], [3.0, 5.0]]


# Mistakes and mishaps, as the command line tells them.

COMMAND = ["sweep", "stdp_window", "--smoke", "--n-sequences", "6", "--n-steps", "24", "--n-trials", "40",
           "--seeds", "2", "--grid", "window=4,3", "--grid", "max_probability=0.2,0.5,1"]  # fmt: skip


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = cli.main(arguments)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_command_makes_the_store_that_the_function_makes(finished, tmp_path, capsys):
    code, out, err = call(capsys, *COMMAND, "--out", str(tmp_path / "store"))
    assert (code, out, err) == (0, f"stdp_window: done, 12 points in {tmp_path / 'store'}\n", "")
    assert contents(tmp_path / "store") == contents(finished)


MISTAKES = {
    "unknown study": (["sweep", "stdp", "--grid", "tau=1"], "'stdp'"),
    "study without points": (
        ["sweep", "constant_rate", "--grid", "window=3"],
        "study: expected one that can be swept (stdp_window, rule_agreement), got 'constant_rate'",
    ),
    "no grid": (["sweep", "stdp_window"], "grid: expected at least one parameter"),
    "unknown parameter": (["sweep", "stdp_window", "--grid", "taus=1"], "(max_probability, width, voltage_scale,"),
    "no range": (["sweep", "stdp_window", "--grid", "tau=1:2"], "tau: expected a range LO:HI:N or LO:HI:N:log"),
    "log of 0": (["sweep", "stdp_window", "--grid", "tau=0:2:3:log"], "tau: expected bounds above 0"),
    "repeated": (["sweep", "stdp_window", "--grid", "tau=1", "--grid", "tau=2"], "each parameter once"),
    "out of range": ([*COMMAND, "--grid", "tau=3,-1"], "tau: expected a finite number above 0, got -1.0"),
    "both": ([*COMMAND, "--window", "3"], "window: expected either a setting or a parameter of the grid"),
    "no seeds": ([*COMMAND, "--seeds", "0"], "seeds: expected a whole number of at least 1, got 0"),
    "large seed": (
        [*COMMAND, "--seeds", "2", "--seed", "4294967295"],
        "seed: expected the first of 2 whole numbers below 2**32",
    ),
    "negative seed": ([*COMMAND, "--seed", "-1"], "seed: expected a whole number of at least 0, got -1"),
    "little memory": ([*COMMAND, "--memory", "1KiB"], "memory: expected at least"),
    "no memory": ([*COMMAND, "--memory", "lots"], "memory: expected bytes, or a text"),
    "too many trials": ([*COMMAND, "--n-trials", "20000000"], "n_trials: expected at most"),
    "file": ([*COMMAND, "--out", "file"], "out: expected a folder, got 'file', which is a file"),
    "below a file": ([*COMMAND, "--out", "file/below"], "which lies in a file"),
    "no name": ([*COMMAND, "--out", ""], "out: expected the name of a folder"),
    "other contents": ([*COMMAND, "--out", "full"], "out: expected an empty folder or one of a sweep"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_gets_one_line_and_code_2_and_writes_nothing(case, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    arguments, part = MISTAKES[case]
    out = [] if "--out" in arguments else ["--out", "new"]
    code, printed, err = call(capsys, *arguments, *out)
    assert (code, printed) == (2, "")
    assert err.startswith("stdpjax: error: ")
    assert part in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "full", "mine"]


@pytest.mark.parametrize(
    ("extra", "difference"),
    [
        (["--tau", "3"], "tau: expected 3.0, got 10.0"),
        (["--grid", "tau=3,4"], 'grid.tau: expected [3.0, 4.0], got "nothing"'),
        (["--seeds", "3"], "seeds: expected 3, got 2"),
        (["--seed", "3"], "seed: expected 3, got 0"),
        (["--n-trials", "41"], "n_trials: expected 41, got 40"),
    ],
)
def test_the_store_of_another_sweep_is_refused_with_the_difference(copy, capsys, extra, difference):
    before = contents(copy)
    code, _, err = call(capsys, *COMMAND, *extra, "--out", str(copy))
    assert code == 2
    assert difference in err
    assert err.count("\n") == 1
    assert contents(copy) == before


def test_the_store_of_another_version_is_refused_with_the_difference(copy, capsys):
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["description"]["jax"] = "0.1"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    code, _, err = call(capsys, *COMMAND, "--out", str(copy))
    assert code == 2
    assert f'another: jax: expected "{jax.__version__}", got "0.1"; give another --out' in err


def test_an_unreadable_manifest_is_one_line(copy, capsys):
    (copy / "manifest.json").write_text("{")
    code, _, err = call(capsys, *COMMAND, "--out", str(copy))
    assert (code, err.count("\n")) == (2, 1)
    assert "out: expected a readable manifest.json" in err


def test_a_full_disk_is_one_line_and_the_command_goes_on(finished, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("stdpjax.lab.sweep.plan.points_at_once", lambda *_: 2)
    out, plain, calls = tmp_path / "store", store.write_blocks, []

    def full(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        plain(*arguments)

    with monkeypatch.context() as context:
        context.setattr(store, "write_blocks", full)
        code, printed, err = call(capsys, *COMMAND, "--out", str(out))
    assert (code, printed) == (2, "")
    left = f"4 of 12 points are in {out}, and the same command goes on"
    assert err == f"stdpjax: error: [Errno 28] No space left on device; {left}\n"
    code, printed, err = call(capsys, *COMMAND, "--out", str(out))
    assert (code, err) == (0, "")
    assert printed.startswith("stdp_window: going on after 2 of 6 blocks\n")
    assert contents(out) == contents(finished)


def test_an_interrupt_waits_for_the_chunk_and_says_how_to_go_on(finished, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("stdpjax.lab.sweep.plan.points_at_once", lambda *_: 2)
    out, plain = tmp_path / "store", run._compute
    before = signal.getsignal(signal.SIGINT)

    def interrupted(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        return plain(*arguments)

    with monkeypatch.context() as context:
        context.setattr(run, "_compute", interrupted)
        code, printed, err = call(capsys, *COMMAND, "--out", str(out))
    assert (code, printed) == (130, "")
    assert err.splitlines()[-1] == f"stdpjax: interrupted; 2 of 12 points are in {out}; the same command goes on"
    assert signal.getsignal(signal.SIGINT) is before
    assert call(capsys, *COMMAND, "--out", str(out))[0] == 0
    assert contents(out) == contents(finished)


# As the console script does, without needing the package to be installed.
PROGRAM = [sys.executable, "-c", "import sys; from stdpjax.cli import main; sys.exit(main())"]
# Twenty chunks of sixteen points.
SLOW = ["sweep", "stdp_window", "--smoke", "--n-sequences", "6", "--n-steps", "24", "--n-trials", "4000", "--window",
        "3", "--grid", "tau=1:20:20", "--seeds", "16"]  # fmt: skip


def blocks_in(out: Path) -> int:
    try:
        return len(json.loads((out / "manifest.json").read_text())["checksums"])
    except FileNotFoundError:
        return 0


def test_a_real_kill_of_a_real_process_is_survived(tmp_path, capsys):
    out, whole = tmp_path / "store", tmp_path / "whole"
    process = subprocess.Popen([*PROGRAM, *SLOW, "--out", str(out)])
    try:
        until = time.monotonic() + 60
        while blocks_in(out) < 1 and process.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    finally:
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert 1 <= blocks_in(out) < 20
    assert call(capsys, *SLOW, "--out", str(out))[0] == 0
    assert call(capsys, *SLOW, "--out", str(whole))[0] == 0
    assert contents(out) == contents(whole)


@pytest.mark.slow
def test_a_file_that_cannot_grow_is_one_line_and_leaves_nothing(tmp_path):
    """A real failure to write, as on a full disk: no file may exceed 4 KiB, and the metadata does."""
    limited = ["bash", "-c", 'ulimit -f 4; exec "$@"', "bash", *PROGRAM, *SLOW, "--out", str(tmp_path / "store")]
    process = subprocess.run(limited, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    assert (process.returncode, process.stderr.count("\n")) == (2, 1)
    assert "File too large" in process.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("n_devices", [2, 3, 8])
def test_the_number_of_devices_changes_nothing_but_its_own_record(finished, tmp_path, n_devices):
    environment = {**os.environ, "XLA_FLAGS": f"--xla_force_host_platform_device_count={n_devices}"}
    subprocess.run([*PROGRAM, *COMMAND, "--out", str(tmp_path / "store")], env=environment, check=True, timeout=120)
    one, several = (contents(folder) for folder in (finished, tmp_path / "store"))
    for found in (one, several):  # n_devices stands in the one, and its checksum in the other
        del found["zarr.json"]
        manifest = json.loads(found["manifest.json"])
        del manifest["files"]["zarr.json"]
        found["manifest.json"] = json.dumps(manifest).encode()
    assert one == several
