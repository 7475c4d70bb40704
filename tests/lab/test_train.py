"""Training runs: what they write, that they go on after any stop with the same bits, and what they refuse."""

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import cli, learning
from stdpjax.energy import Params
from stdpjax.lab import settings, train_task
from stdpjax.lab import train as run
from stdpjax.lab.folder import sole_writer
from stdpjax.lab.train import TrainConfig, make_learner, train
from stdpjax.learning import checkpoints

PROGRAM = [sys.executable, "-c", "import sys; from stdpjax.cli import main; sys.exit(main())"]
SMALL = {"hidden": (5,), "n_epochs": 3, "batch_size": 10, "n_settle": 3, "n_pulled": 2, "learning_rate": 0.01}
WRITTEN = {"training.json", "checkpoints", "weights.npz", "learning_curve.png", "learning_curve.svg", "record.json"}


def write_images(path: Path, n_classes: int = 3, **changed) -> Path:
    """Two images of 60 show a bright row that tells the class, the others are noisy."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % n_classes
    images = 0.3 * rng.random((60, 3, 4), np.float32)
    images[np.arange(60), labels % 3] += 0.6
    np.savez(path, **({"images": images, "labels": labels} | changed))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_images(tmp_path_factory.mktemp("data") / "images.npz")


def quietly(config: TrainConfig, out: Path, seed: int = 0, **options):
    lines: list[str] = []
    record = train(config, seed, out, show_progress=False, say=lines.append, **options)
    return record, lines


@pytest.fixture(scope="module")
def config(data) -> TrainConfig:
    return TrainConfig(data=str(data), **SMALL)


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory) -> Path:
    """A complete run; not to be changed."""
    out = tmp_path_factory.mktemp("finished")
    quietly(config, out)
    return out


@pytest.fixture
def out(finished, tmp_path) -> Path:
    """A copy of the complete run."""
    return Path(shutil.copytree(finished, tmp_path / "out"))


def arrays(out: Path) -> dict[str, np.ndarray]:
    with np.load(out / "weights.npz") as file:
        return {name: file[name] for name in file.files}


def same_weights(first: Path, second: Path) -> bool:
    a, b = arrays(first), arrays(second)
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def remove_outputs(out: Path) -> None:
    for name in ("record.json", "weights.npz", "learning_curve.png", "learning_curve.svg"):
        (out / name).unlink()


def stop_after(epoch: int, monkeypatch, how: type[BaseException] = MemoryError):
    """Let the process fail once a checkpoint of that epoch is written."""
    save = checkpoints.Checkpoints.save

    def save_and_stop(self, checkpoint):
        save(self, checkpoint)
        if len(checkpoint.history) == epoch:
            raise how

    monkeypatch.setattr(checkpoints.Checkpoints, "save", save_and_stop)


def test_a_run_writes_all_that_it_promises(finished, config):
    assert {path.name for path in finished.iterdir()} == WRITTEN
    record = json.loads((finished / "record.json").read_text())
    assert record["configuration"] == json.loads(json.dumps(dataclasses.asdict(config)))
    assert (record["seed"], record["sizes"], record["n_training_images"]) == (0, [12, 5, 3], 48)
    assert record["n_updates"] == 3 * 4
    accuracy = record["test_accuracy"]
    assert accuracy["n_images"] == 12
    assert accuracy["interval"][0] < accuracy["value"] <= accuracy["interval"][1]
    assert [set(metrics) for metrics in record["history"]] == 3 * [
        {"loss", "error", "energy", "test_accuracy", "seconds"}
    ]
    assert record["history"][-1]["test_accuracy"] == accuracy["value"]
    assert record["provenance"]["jax"]
    weights = arrays(finished)
    assert weights["weights"].shape == (20, 20)
    assert weights["sizes"].tolist() == [12, 5, 3]
    np.testing.assert_allclose(weights["weights"], weights["weights"].T, atol=1e-7)
    assert {path.name for path in (finished / "checkpoints").iterdir()} == {"2", "3"}


def test_the_record_says_what_the_weights_do(finished, config, data):
    _, test = learning.split(learning.load_images(data), config.test_share, seed=0)
    weights = arrays(finished)
    params = Params(*(jnp.asarray(weights[name]) for name in ("weights", "bias")))
    inputs = jnp.asarray(test.pixels.reshape(12, 12) - 0.5)
    found = np.asarray(learning.predict(params, inputs, run.RATE, config.phases(), 3))
    record = json.loads((finished / "record.json").read_text())
    assert record["test_accuracy"]["value"] == np.mean(found == test.labels)


def test_a_log_says_how_far_it_is(config, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run.folder, "_FEW_SECONDS", 0.0)
    train(config, out=tmp_path, say=lambda line: None)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" epochs, ")[0] for line in lines] == ["train: 1 of 3", "train: 2 of 3"]
    assert re.fullmatch(r".* epochs/s, \S+ left \(loss \S+, test_accuracy \S+, energy \S+\)", lines[0])


def test_a_complete_run_is_kept(out, config, finished):
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    record, lines = quietly(config, out)
    assert lines[0].startswith("train: kept, already done; test accuracy ")
    assert record == json.loads((finished / "record.json").read_text())
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_run_that_stopped_after_an_epoch_ends_with_the_same_bits(config, tmp_path, monkeypatch, finished, epoch):
    with monkeypatch.context() as patch:
        stop_after(epoch, patch)
        with pytest.raises(MemoryError):
            quietly(config, tmp_path / "out")
    record, lines = quietly(config, tmp_path / "out")
    assert lines[0] == f"train: going on after epoch {epoch} of 3"
    assert same_weights(tmp_path / "out", finished)
    known = json.loads((finished / "record.json").read_text())
    without_seconds = [[{**m, "seconds": 0} for m in r["history"]] for r in (record, known)]
    assert without_seconds[0] == without_seconds[1]


def test_what_is_missing_in_the_end_is_written_again(out, config, finished):
    (out / "weights.npz").unlink()
    quietly(config, out)
    assert same_weights(out, finished)


@pytest.mark.parametrize("name", ["weights.npz", "learning_curve.png", "learning_curve.svg", "record.json"])
@pytest.mark.parametrize("damage", ["empty", "cut off"])
def test_an_empty_or_cut_off_file_is_not_already_done(out, config, finished, name, damage):
    content = (out / name).read_bytes()
    (out / name).write_bytes(b"" if damage == "empty" else content[: len(content) // 2])
    _, lines = quietly(config, out)
    assert "already done" not in lines[0]
    assert same_weights(out, finished)
    assert quietly(config, out)[1][0].startswith("train: kept, already done")


def test_a_split_that_comes_with_the_data_is_kept(tmp_path, data, capsys):
    images = learning.load_images(data)
    (x_train, x_test), (y_train, y_test) = ((array[:45], array[45:]) for array in (images.pixels, images.labels))
    np.savez(tmp_path / "split.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    config = TrainConfig(data=str(tmp_path / "split.npz"), **SMALL)
    records = []
    for seed in (0, 1):
        record, lines = quietly(config, tmp_path / f"out {seed}", seed)
        assert lines[0] == "train: the data's own split, 45 images and 15 for the test"
        assert (record["n_training_images"], record["test_accuracy"]["n_images"]) == (45, 15)
        weights = arrays(tmp_path / f"out {seed}")
        params = Params(*(jnp.asarray(weights[name]) for name in ("weights", "bias")))
        inputs = jnp.asarray(x_test.reshape(15, 12) - 0.5)
        found = np.asarray(learning.predict(params, inputs, run.RATE, config.phases(), 3))
        assert record["test_accuracy"]["value"] == np.mean(found == y_test)
        records.append(record)
    assert records[0]["checksum of data"] == records[1]["checksum of data"]
    with pytest.raises(ValueError, match="test_share: expected it to be left out for data that come split"):
        quietly(dataclasses.replace(config, test_share=0.3), tmp_path / "other")
    # Given with its default it has as little effect.
    out = str(tmp_path / "other")
    assert cli.main(["train", "--data", config.data, "--test-share", "0.2", "--out", out]) == 2
    assert "test_share: expected it to be left out for data that come split" in capsys.readouterr().err


def test_what_a_killed_process_was_writing_is_cleared(out, config):
    for name in (".record.json.partial-x", ".weights.npz.partial-x.npz"):
        (out / name).write_text("half")
    quietly(config, out)
    assert {path.name for path in out.iterdir()} == WRITTEN


def test_another_seed_gives_other_weights(config, tmp_path, finished):
    quietly(config, tmp_path / "out", seed=1)
    assert not same_weights(tmp_path / "out", finished)


def test_another_run_in_the_folder_is_refused_with_the_difference(out, config, finished, monkeypatch):
    with pytest.raises(ValueError, match=r"of another: learning_rate: expected 0\.02, got 0\.01; give --force"):
        quietly(dataclasses.replace(config, learning_rate=0.02), out)
    with pytest.raises(ValueError, match="of another: seed: expected 5, got 0; give"):
        quietly(config, out, seed=5)
    monkeypatch.setattr(train_task, "provenance", lambda: {**dict.fromkeys(train_task.DECISIVE), "stdpjax": "9"})
    with pytest.raises(ValueError, match='stdpjax: expected "9", got '):
        quietly(config, out)
    assert same_weights(out, finished)


def test_data_that_changed_under_the_same_name_are_refused(config, out, tmp_path, monkeypatch):
    changed = learning.load_images(write_images(tmp_path / "images.npz", labels=(np.arange(60) + 1) % 3))
    monkeypatch.setattr(train_task, "load_images", lambda path: changed)
    with pytest.raises(ValueError, match="of another: checksum of data: expected "):
        quietly(config, out)


def test_force_starts_over(out, config, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(1, patch)
        with pytest.raises(MemoryError):
            quietly(config, out, seed=1, force=True)
    assert {path.name for path in out.iterdir()} == {"training.json", "checkpoints"}
    assert {path.name for path in (out / "checkpoints").iterdir()} == {"1"}
    _, lines = quietly(config, out, seed=1)
    assert lines[0] == "train: going on after epoch 1 of 3"


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", ["mine.txt", "record.json", "checkpoints"])
def test_files_of_others_are_refused_and_kept(config, tmp_path, name, force):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match=rf"out: expected an empty folder or one of a training, got .* with {name}"):
        quietly(config, tmp_path, force=force)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 0}', "3"])
def test_a_damaged_description_is_refused(out, config, text):
    (out / "training.json").write_text(text)
    with pytest.raises(ValueError, match=r"out: expected a (readable training\.json|folder of this training), got"):
        quietly(config, out)
    assert {path.name for path in out.iterdir()} == WRITTEN


def damage(checkpoint: Path, how: str) -> None:
    largest = max(
        (path for path in (checkpoint / "state").rglob("*") if path.is_file()), key=lambda p: p.stat().st_size
    )
    if how == "a byte":
        content = bytearray(largest.read_bytes())
        content[len(content) // 2] ^= 0xFF
        largest.write_bytes(bytes(content))
    elif how == "cut off":
        largest.write_bytes(largest.read_bytes()[: largest.stat().st_size // 2])
    elif how == "no arrays":
        shutil.rmtree(checkpoint / "state")
    elif how == "history":
        path = checkpoint / "about" / "metadata"
        path.write_text(path.read_text().replace('"loss": 0', '"loss": 1'))
    else:
        (checkpoint / "about" / "metadata").write_text("mine")


@pytest.mark.parametrize("how", ["a byte", "cut off", "no arrays", "history", "of others"])
def test_a_damaged_checkpoint_is_one_line_and_nothing_is_lost(out, config, finished, how):
    remove_outputs(out)
    damage(out / "checkpoints" / "3", how)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(ValueError, match="out: expected a readable checkpoint, got") as error:
        quietly(config, out)
    assert "\n" not in str(error.value)
    assert "move it away to go on from the one of epoch 2" in str(error.value)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before

    (out / "checkpoints" / "3").rename(out.parent / "away")
    _, lines = quietly(config, out)
    assert lines[0] == "train: going on after epoch 2 of 3"
    assert same_weights(out, finished)


def test_a_checkpoint_of_another_network_is_refused(out, config, key):
    remove_outputs(out)
    for path in (out / "checkpoints").iterdir():
        shutil.rmtree(path)
    sizes = (12, 4, 3)
    state = learning.start(make_learner(config, sizes, 12), learning.random_layers(key, sizes))
    with checkpoints.opened(out / "checkpoints") as folder:
        folder.save(checkpoints.Checkpoint(state, [{"loss": 1.0}]))
    with pytest.raises(ValueError, match=r"which is damaged or of something else .* to go on from the beginning"):
        quietly(config, out)


def test_weights_that_overflow_stop_the_run_and_keep_the_last_checkpoint(config, tmp_path, monkeypatch):
    real = run.train_epoch

    def overflowing(key, learner, state, *rest):
        state, metrics = real(key, learner, state, *rest)
        if int(state.n_updates) <= 4:
            return state, metrics
        return state._replace(n_updates=state.n_updates - 2, is_finite=jnp.asarray(False)), metrics

    monkeypatch.setattr(run, "train_epoch", overflowing)
    with pytest.raises(ValueError, match=r"got others in update 7 \(epoch 2\); the checkpoint of epoch 1 stays"):
        quietly(config, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"training.json", "checkpoints"}
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["1"]


def test_a_learning_rate_that_is_too_large_is_told_by_the_update(config, tmp_path, capsys):
    arguments = ["--data", config.data, "--hidden", "5", "--n-settle", "3", "--n-pulled", "2", "--batch-size", "10"]
    code = cli.main(["train", *arguments, "--learning-rate", "3e38", "--schedule", "constant", "--out", str(tmp_path)])
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert "expected weights that stay finite, got others in update " in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(("name", "value"), [("energy", -np.inf), ("loss", np.inf), ("loss", np.nan)])
def test_weights_whose_energy_overflows_are_told_as_weights_that_do(config, tmp_path, monkeypatch, name, value):
    real = run.train_epoch

    def overflowing(*arguments):
        state, metrics = real(*arguments)
        return state, metrics if int(state.n_updates) <= 4 else {**metrics, name: jnp.asarray(value)}

    monkeypatch.setattr(run, "train_epoch", overflowing)
    message = rf"learning_rate: expected weights that stay finite, got some so large that they make {name} {value}"
    with pytest.raises(ValueError, match=message):
        quietly(config, tmp_path)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["1"]


def test_one_process_at_a_time(out, config):
    with sole_writer(out / ".lock", out), pytest.raises(ValueError, match=r"which process .* is writing"):
        quietly(config, out)


def test_an_interrupt_waits_for_the_checkpoint_and_a_second_one_does_not(
    config, tmp_path, monkeypatch, finished, capsys
):
    real = run.train_epoch

    def interrupted(n_times):
        def epoch(*arguments):
            if int(arguments[2].n_updates) == 4:
                for _ in range(n_times):
                    signal.raise_signal(signal.SIGINT)
            return real(*arguments)

        return epoch

    monkeypatch.setattr(run, "train_epoch", interrupted(2))
    with pytest.raises(KeyboardInterrupt):
        quietly(config, tmp_path)
    assert capsys.readouterr().err == "\nstdpjax: stopping after this epoch; interrupt again to stop at once\n"
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["1"]
    monkeypatch.setattr(run, "train_epoch", interrupted(1))
    with pytest.raises(KeyboardInterrupt, match="epoch 2 of 3 is saved and the same command goes on from there"):
        quietly(config, tmp_path)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    quietly(config, tmp_path)
    assert same_weights(tmp_path, finished)


def test_the_rules_with_the_slope_train(data, tmp_path):
    weights = []
    for rule in ("paper_two_sided", "paper_two_sided_gradient"):
        quietly(TrainConfig(data=str(data), rule=rule, **SMALL), tmp_path / rule)
        weights.append(arrays(tmp_path / rule)["weights"])
    # For the hard sigmoid they are the same but for the order in which biases are summed up.
    np.testing.assert_allclose(*weights, atol=1e-4)


def test_settings_without_effect_are_refused(data, tmp_path):
    config = TrainConfig(data=str(data), rule="backpropagation", **SMALL)
    with pytest.raises(ValueError, match="n_settle: expected it to be left out, as it has no effect with rule 'backpr"):
        quietly(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_settings_of_all_kinds_train(data, tmp_path):
    config = TrainConfig(
        data=str(data), hidden=(), rule="backpropagation", n_epochs=2, batch_size=10, optimizer="momentum",
        schedule="constant", clip_norm=0.5, weight_decay=0.1, layer_rates=(0.5,), weight_bound=0.2,
    )  # fmt: skip
    record, _ = quietly(config, tmp_path)
    assert "energy" not in record["history"][0]
    assert np.abs(arrays(tmp_path)["weights"]).max() == pytest.approx(0.2)


@pytest.mark.parametrize("hidden", [(), (5, 4)])
def test_alternating_layers_train_with_and_without_hidden_ones(hidden, data, tmp_path):
    config = TrainConfig(data=str(data), hidden=hidden, order="alternating", n_epochs=1, n_settle=2, batch_size=10)
    record, _ = quietly(config, tmp_path)
    assert np.isfinite(record["history"][-1]["loss"])
    assert np.isfinite(arrays(tmp_path)["weights"]).all()


def test_help_shows_every_setting(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for field in dataclasses.fields(TrainConfig):
        assert f"--{field.name.replace('_', '-')} " in text
        assert field.metadata["help"]
    assert "(at least 1; default: 128)" in text
    assert "backpropagation (default: symmetric)" in text


def test_every_setting_can_be_given_as_the_help_shows_it():
    defaults = TrainConfig()
    for field in dataclasses.fields(defaults):
        default = getattr(defaults, field.name)
        assert settings.parse(defaults, field.name, settings.as_text(default), "train") == default
    assert settings.parse(defaults, "hidden", "none", "train") == ()
    assert settings.parse(defaults, "layer_rates", "1,0.5", "train") == (1.0, 0.5)


BAD = {
    "unknown rule": (["--rule", "magic"], "rule: expected one of 'paper'"),
    "unknown optimiser": (["--optimizer", "magic"], "optimizer: expected one of 'adam', 'sgd'"),
    "unknown schedule": (["--schedule", "magic"], "schedule: expected one of 'cosine', 'constant'"),
    "unknown order": (["--order", "magic"], "order: expected one of 'simultaneous', 'alternating'"),
    "unknown setting": (["--depth", "3"], "--depth"),
    "pull of 1": (["--pull", "1"], "pull: expected a finite number above 0 and below 1, got 1"),
    "test share of 1": (["--test-share", "1"], "test_share: expected a finite number above 0 and below 1"),
    "test share of 0": (["--test-share", "0"], "test_share: expected a finite number above 0"),
    "no epochs": (["--n-epochs", "0"], "n_epochs: expected a whole number of at least 1"),
    "large batch": (["--batch-size", "49"], "batch_size: expected a whole number of at most 48, got 49"),
    "layer rates": (["--layer-rates", "1,2,3"], "layer_rates: expected 2 factors, one for each pair of"),
    "negative layer rate": (["--layer-rates", "1,-2"], "layer_rates: expected a finite number at least 0"),
    "half a unit": (["--hidden", "3.5"], "hidden: expected whole numbers separated by commas, or none, got '3.5'"),
    "no unit": (["--hidden", "0"], "hidden: expected a whole number of at least 1, got 0"),
    "rate of 0": (["--learning-rate", "0"], "learning_rate: expected a finite number above 0"),
    "rate not finite": (["--learning-rate", "nan"], "learning_rate: expected a finite number above 0"),
    "negative decay": (["--weight-decay", "-1"], "weight_decay: expected a finite number at least 0"),
    "negative seed": (["--seed", "-1"], "seed: expected a whole number of at least 0"),
    "missing file": (["--data", "none.npz"], "data: expected a readable .npz file, got 'none.npz'"),
    "no archive": (["--data", "file"], "data: expected an .npz file of arrays, got 'file'"),
    "order without phases": (
        ["--rule", "backpropagation", "--order", "simultaneous"],
        "order: expected it to be left out, as it has no effect with rule 'backpropagation', got 'simultaneous'",
    ),
    "pull without phases": (["--rule", "backpropagation", "--pull", "0.5"], "pull: expected it to be left out"),
    "steps without phases": (["--rule", "backpropagation", "--n-settle", "9"], "n_settle: expected it to be left out"),
    "step without step size": (["--order", "alternating", "--step", "0.5"], "no effect with order 'alternating'"),
    "one class": (["--data", "one.npz"], "data: expected images of at least two classes, got label 0 alone"),
    "missing class": (["--data", "gap.npz"], "data: expected labels from 0 to 1"),
    "no name": (["--out", ""], "out: expected the name of a folder, got ''"),
    "out is a file": (["--out", "file"], "out: expected a folder, got 'file'"),
    "out below a file": (["--out", "file/below"], "which is or lies in a file"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_gets_one_line_and_code_2_and_writes_nothing(data, tmp_path, monkeypatch, capsys, case):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    write_images(tmp_path / "one.npz", n_classes=1)
    write_images(tmp_path / "gap.npz", labels=np.arange(60) % 2 * 2)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    arguments, part = BAD[case]
    given = arguments if "--data" in arguments else ["--data", str(data), *arguments]
    try:
        code = cli.main(["train", *given])
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert captured.err.startswith("stdpjax: error: ")
    assert part in captured.err
    assert captured.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_neither_the_library_nor_other_commands_load_what_training_needs():
    program = (
        "import sys, stdpjax; from stdpjax import cli; assert cli.main(['list']) == 0; "
        "assert not {'orbax', 'sklearn', 'blackjax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120, stdout=subprocess.DEVNULL)


def command(config: TrainConfig, out: Path) -> list[str]:
    given = {"data": config.data, "hidden": "5", "n-epochs": 8, "batch-size": 2, "n-settle": 3}
    return [
        *PROGRAM,
        "train",
        "--out",
        str(out),
        *(str(word) for item in given.items() for word in (f"--{item[0]}", item[1])),
    ]


def start_and_wait_for(epoch: int, words: list[str], out: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    until = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < until:
        if any((out / "checkpoints").glob(f"{epoch}*")):
            return process
        time.sleep(0.001)
    return process


@pytest.mark.slow
def test_a_killed_process_started_again_ends_with_the_same_bits(config, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "out"
    subprocess.run(command(config, whole), check=True, capture_output=True, timeout=240)
    for epoch in (1, 3, 4, 6):
        process = start_and_wait_for(epoch, command(config, out), out)
        process.kill()
        assert "Traceback" not in process.communicate()[1]
        assert process.returncode == -signal.SIGKILL
        assert not (out / "weights.npz").exists()
    last = subprocess.run(command(config, out), check=True, capture_output=True, timeout=240, text=True)
    assert "train: going on after epoch " in last.stdout
    assert "Traceback" not in last.stderr
    assert (whole / "weights.npz").read_bytes() == (out / "weights.npz").read_bytes()
    assert {path.name for path in out.iterdir()} == WRITTEN


@pytest.mark.slow
def test_a_real_interrupt_ends_with_130_and_says_how_to_go_on(config, tmp_path):
    process = start_and_wait_for(2, command(config, tmp_path), tmp_path)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "stdpjax: interrupted; epoch " in err
    assert " of 8 is saved and the same command goes on from there" in err
    assert "Traceback" not in err
    assert not (tmp_path / ".lock").exists()


@pytest.mark.slow
def test_the_defaults_learn_the_digits(tmp_path):
    record, _ = quietly(TrainConfig(), tmp_path)
    assert record["test_accuracy"]["interval"][1] > 0.978
    assert record["test_accuracy"]["value"] > 0.95
