"""Studies of a user's own: an object, and a file, through the functions and the command line."""

import json
from pathlib import Path

import pytest

from stdpjax import cli, studies
from stdpjax.lab import Study
from stdpjax.lab.from_file import read_studies

MINE = """
import dataclasses

import jax
import numpy as np
import xarray as xr

import constants  # a file beside this one
from stdpjax.lab import plotting
from stdpjax.lab import Claim, Study, at_most
from stdpjax.lab.settings import setting


@dataclasses.dataclass(frozen=True)
class Config:
    n_draws: int = setting(400, "numbers that are drawn")


def run(key, config, progress):
    progress(0.0, "draw")
    return xr.Dataset({"draw": ("n", np.asarray(jax.random.normal(key, (config.n_draws,)), float))})


def plot(data, config):
    figure = plotting.new_figure(2, 2)
    figure.subplots().hist(data.draw)
    return figure


def study(name):
    claim = Claim(
        f"{name}.mean",
        "Distance of the mean of draws from 0.",
        statement="Everybody says so",
        criterion=at_most(constants.LIMIT),
        measure=lambda data: abs(data.draw.mean()),
        control=lambda data: abs(data.draw.mean() + 1),
        control_is="a mean of 1",
        bearing="supports",
    )
    words = (f"Title of {name}", "none", "Somebody 2030", "A caption.")
    return Study(name, *words, Config(), {"n_draws": 40}, (claim,), run, plot)


MINE = study("mine")
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with one study, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "constants.py").write_text("LIMIT = 0.3\n")
    file = tmp_path / "my_study.py"
    file.write_text(MINE)
    return file


@pytest.fixture
def mine(file: Path) -> Study:
    (study,) = read_studies(str(file))
    return study


def write(out: Path, *chosen: str | Study, **options: object) -> list[dict]:
    return studies.run_into(out, chosen, show_progress=False, say=lambda line: None, **options)  # pyright: ignore[reportArgumentType]


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = cli.main(arguments)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_an_object_runs_in_memory(mine):
    result = studies.run(mine, seed=3, show_progress=False, n_draws=900)
    (record,) = result.records
    assert (record["id"], record["study"], record["seed"]) == ("mine.mean", "mine", 3)
    assert record["verdict"] == "met"
    assert result.data.sizes["n"] == 900
    assert result.figure().axes
    assert studies.find(mine) is mine


def test_an_object_runs_into_a_folder_beside_a_study_of_the_paper(mine, tmp_path):
    out = tmp_path / "out"
    write(out, mine)
    ledger = write(out, "example_traces", overrides={"example_traces": {"n_trials": 50}}, smoke=True)
    assert [record["study"] for record in ledger] == ["example_traces", "mine"]
    assert json.loads((out / "ledger.json").read_text(encoding="utf-8")) == ledger
    page = (out / "report.html").read_text(encoding="utf-8")
    assert all(words in page for words in ("Title of mine", "mine.mean", "Everybody says so", "eq2.mean"))
    assert {path.name for path in (out / "mine").iterdir()} == {"figure.png", "figure.svg", "record.json", "result.nc"}


def test_what_a_killed_run_left_of_it_is_cleared_and_its_damage_is_named(mine, tmp_path):
    write(tmp_path / "out", mine)
    (tmp_path / "out" / ".mine.partial-x").mkdir()
    with pytest.raises(ValueError, match="mine would be overwritten; give --force"):
        write(tmp_path / "out", mine)
    assert not (tmp_path / "out" / ".mine.partial-x").exists()
    record = tmp_path / "out" / "mine" / "record.json"
    record.write_text(record.read_text(encoding="utf-8")[:200], encoding="utf-8")
    said: list[str] = []
    studies.run_into(tmp_path / "out", ["example_traces"], smoke=True, show_progress=False, say=said.append)
    assert any(line.startswith("mine: left out of ledger and report") for line in said)


def test_its_source_is_a_part_of_its_identity(file, mine, tmp_path):
    out = tmp_path / "out"
    write(out, mine)
    file.write_text(MINE + "# The same numbers, but who knows.\n")
    (changed,) = read_studies(str(file))
    with pytest.raises(ValueError, match=r"mine \(of another configuration, seed or version, or damaged\)"):
        write(out, changed)
    assert len(write(out, changed, force=True)) == 1
    file.write_text(MINE)
    (same,) = read_studies(str(file))
    assert len(write(tmp_path / "other", same)) == 1
    identities = [
        json.loads((tmp_path / name / "mine" / "record.json").read_text(encoding="utf-8"))["identity"]
        for name in ("out", "other")
    ]
    assert identities[0] != identities[1]


def test_two_studies_of_one_name_are_refused(file, mine, tmp_path):
    (other,) = read_studies(str(file))
    with pytest.raises(ValueError, match="studies: expected different values"):
        write(tmp_path / "out", mine, other)
    assert len(write(tmp_path / "out", mine, mine)) == 1


def test_the_command_runs_a_file_with_its_settings(file, tmp_path, capsys):
    code, out, err = call(capsys, "run", "my_study.py", "--n-draws", "500", "--seed", "2", "--out", "here")
    assert (code, err) == (0, "")
    assert out.startswith("mine: done in ")
    assert "mine.mean  met " in out
    assert out.endswith("report: here/report.html\n")
    record = json.loads((tmp_path / "here" / "mine" / "record.json").read_text(encoding="utf-8"))
    assert (record["configuration"], record["seed"]) == ({"n_draws": 500}, 2)
    assert record["provenance"]["source_hash"]
    code, out, _ = call(capsys, "run", "my_study.py:MINE", "--help")
    assert code == 0
    assert "numbers that are drawn (at least 1; default: 400)" in " ".join(out.split())


def test_the_command_runs_all_studies_of_a_file_or_one(file, tmp_path, capsys):
    file.write_text(MINE + 'SECOND = study("second")\n')
    code, out, _ = call(capsys, "run", "my_study.py", "--set", "second.n_draws=50", "--smoke", "--out", "here")
    assert code == 0
    assert "mine.mean" in out
    assert "second.mean" in out
    sizes = [
        json.loads((tmp_path / "here" / name / "record.json").read_text(encoding="utf-8"))["configuration"]["n_draws"]
        for name in ("mine", "second")
    ]
    assert sizes == [40, 50]
    assert call(capsys, "run", "my_study.py:SECOND", "--n-draws", "30", "--out", "there")[0] == 0
    assert [path.name for path in (tmp_path / "there").iterdir() if path.is_dir()] == ["second"]


BAD = {
    "no file": ("none.py", None, "study: expected a file with studies, got 'none.py', which is not there"),
    "a folder": ("folder.py", None, "study: expected a file with studies, got 'folder.py'"),
    "no study": ("my_study.py", "x = 1", "study: expected a file that binds a Study to a name, got 'my_study.py'"),
    "no Python": ("my_study.py", "x = = 1", "got 'my_study.py' with SyntaxError on line 1: invalid syntax"),
    "an error": ("my_study.py", "\n\nx = y", "'my_study.py' with NameError on line 3: name 'y' is not defined"),
    "an exit": ("my_study.py", "raise SystemExit(3)", "with SystemExit on line 1: 3"),
    "no module": ("my_study.py", "import nothing_there", "with ModuleNotFoundError on line 1: No module named"),
    "a bad study": (
        "my_study.py",
        MINE.replace('study("mine")', 'study("my own")'),
        ": name: expected a word",
    ),
    "no such name": ("my_study.py:YOURS", MINE, "study: expected the name of a Study in 'my_study.py', got 'YOURS'"),
    "no study's name": ("my_study.py:Config", MINE, "study: expected the name of a Study in 'my_study.py'"),
    "no setting": ("my_study.py", MINE, "--n-drawn"),
    "two of one name": ("my_study.py", MINE + 'SECOND = study("mine")', "studies: expected different values"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_gets_one_line_and_code_2_and_writes_nothing(case, file, tmp_path, capsys):
    named, text, message = BAD[case]
    (tmp_path / "folder.py").mkdir()
    if text is not None:
        file.write_text(text)
    options = ["--n-drawn", "3"] if case == "no setting" else []
    code, out, err = call(capsys, "run", named, *options, "--out", "out")
    assert (code, out) == (2, "")
    assert err.startswith("stdpjax: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_study_typed_at_a_prompt_has_an_identity_too(tmp_path):
    home = tmp_path / "constants"
    home.mkdir()
    contents: dict = {}
    exec(MINE.replace("import constants  # a file beside this one\n", "").replace("constants.LIMIT", "0.3"), contents)
    assert len(write(tmp_path / "out", contents["MINE"])) == 1
