"""Studies of an installed package and of a module, through the functions and the command line."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stdpjax import cli, studies
from stdpjax.lab.own import installed, new_study, studies_at

THEIRS = """
import os

import jax
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from stdpjax.lab import Claim, Study, at_most, configuration, setting


@configuration
class Config:
    n_draws: int = setting(400, "numbers that are drawn", at_least=2)


def run(key, config, progress):
    if "OWN_PROCESSES" in os.environ:
        open(os.path.join(os.environ["OWN_PROCESSES"], str(os.getpid())), "w").close()
    return xr.Dataset({"draw": ("n", np.asarray(jax.random.normal(key, (config.n_draws,)), float))})


def plot(data, config):
    figure = Figure(figsize=(2, 2))
    figure.subplots().hist(data.draw)
    return figure


def study(name):
    claim = Claim(f"{name}.mean", "The mean.", statement="All say so", criterion=at_most(0.3),
                  measure=lambda data: abs(data.draw.mean()), control=lambda data: 1.0, control_is="1",
                  bearing="supports")
    return Study(name, f"Title of {name}", "none", "S 2030", "Caption.", Config(), {"n_draws": 40}, (claim,), run, plot)


ONE, MANY = study("theirs"), (study("second"), study("third"))
OURS = study("stdp_window")
"""
POINTS = """[stdpjax.studies]
one = theirs_package.asked:ONE
many = theirs_package.asked:MANY
"""
BROKEN = """[stdpjax.studies]
clash = theirs_package.asked:OURS
gone = theirs_package.none:ONE
number = theirs_package.asked:THREE
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package with three studies; its metadata, to be written anew."""
    monkeypatch.chdir(tmp_path)
    site = tmp_path / "site"
    (site / "theirs_package").mkdir(parents=True)
    (site / "theirs_package" / "asked.py").write_text(THEIRS)
    home = site / "theirs-1.0.dist-info"
    home.mkdir()
    (home / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (home / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(str(site))
    yield home / "entry_points.txt"
    for name in ("theirs_package.asked", "theirs_package"):
        sys.modules.pop(name, None)


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = cli.main(arguments)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_studies_of_an_installed_package_are_listed_found_and_run_by_name(package, capsys):
    code, out, err = call(capsys, "list")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[-3:]] == ["second", "third", "theirs"]
    assert all(line.endswith("(1 claims) [theirs]") for line in out.splitlines()[-3:])
    assert studies.find("third").title == "Title of third"
    assert [record["id"] for record in studies.run("theirs", smoke=True, show_progress=False).records] == [
        "theirs.mean"
    ]
    code, out, err = call(capsys, "run", "theirs", "--n-draws", "500", "--out", "by_name", "--no-cache")
    assert (code, err) == (0, "")
    assert "theirs.mean  met " in out
    record = json.loads(Path("by_name/theirs/record.json").read_text(encoding="utf-8"))
    assert record["configuration"] == {"n_draws": 500}
    assert "second" in call(capsys, "run", "--help")[1]


def test_a_module_is_run_by_its_name_with_several_processes(package, capsys, monkeypatch):
    module, pids = "theirs_package.asked", Path("pids")
    pids.mkdir()
    monkeypatch.setenv("OWN_PROCESSES", str(pids.absolute()))
    code, out, _ = call(capsys, "run", f"{module}:MANY", "--smoke", "--jobs", "2", "--out", "many", "--no-cache")
    assert code == 0
    assert "second.mean" in out
    assert "third.mean" in out
    assert [*pids.iterdir()]
    assert not (pids / str(os.getpid())).exists()
    monkeypatch.delenv("OWN_PROCESSES")
    # The same as in this process, and by name.
    (second,) = studies.run_into("one", [studies_at(f"{module}:MANY")[0]], smoke=True, say=lambda line: None)
    assert second in json.loads(Path("many/ledger.json").read_text(encoding="utf-8"))


def test_what_does_not_load_or_has_a_taken_name_is_told_in_a_line_and_breaks_nothing(package, capsys):
    package.write_text(POINTS + BROKEN.replace("[stdpjax.studies]\n", ""))
    code, out, err = call(capsys, "list")
    assert (code, out.count("[theirs]")) == (0, 3)
    clash, gone, number = err.splitlines()
    assert clash == (
        "stdpjax: theirs: entry point clash = theirs_package.asked:OURS is left out: stdpjax has a study stdp_window "
        "too; it is run as theirs_package.asked:OURS"
    )
    assert "theirs: entry point gone = theirs_package.none:ONE does not load: ModuleNotFoundError" in gone
    assert "number = theirs_package.asked:THREE does not load: AttributeError" in number
    assert len(installed(["theirs"]).problems) == 3  # of which one is that this name is taken, and no clash
    assert studies.find("stdp_window") is studies.STUDIES[0]
    code, _, err = call(capsys, "run", "stdp_window", "--help")
    assert (code, err) == (0, "")


BAD = {
    "no module": ("no_such_package:ONE", "'no_such_package' with ModuleNotFoundError"),
    "no such name": ("theirs_package.asked:FOUR", "study: expected the name of a Study, or of a sequence of them"),
    "no study": ("theirs_package.asked:run", "study: expected the name of a Study, or of a sequence of them"),
    "neither": ("theirs package", "invalid choice: 'theirs package'"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_place_gets_one_line_and_code_2(case, package, capsys):
    place, message = BAD[case]
    code, out, err = call(capsys, "run", place, "--out", "out")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not Path("out").exists()


def test_the_template_runs_as_it_is_and_nothing_is_overwritten(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert call(capsys, "new", "study", "drift.py") == (0, "stdpjax run drift.py\n", "")
    text = Path("drift.py").read_text(encoding="utf-8")
    code, _, err = call(capsys, "new", "study", "drift.py")
    assert (code, err) == (2, "stdpjax: error: file: expected one that is not there yet, got 'drift.py'\n")
    assert Path("drift.py").read_text(encoding="utf-8") == text
    code, out, err = call(capsys, "run", "drift.py", "--out", "out", "--no-cache")
    assert (code, err) == (0, "")
    assert "drift.ratio  met " in out
    assert "drift.ratio" in Path("out/report.html").read_text(encoding="utf-8")
    (record,) = json.loads(Path("out/ledger.json").read_text(encoding="utf-8"))
    assert not record["note"]  # the control has been told apart
    assert call(capsys, "run", "drift.py", "--smoke", "--out", "smoke", "--no-cache")[0] == 0
    code, _, err = call(capsys, "run", "drift.py", "--rate", "2", "--out", "bad", "--no-cache")
    assert (code, err.count("\n")) == (2, 1)
    assert "rate: expected" in err


@pytest.mark.parametrize("name", ["my-study.py", "study.txt", "study", "none/study.py"])
def test_a_template_has_a_name_that_can_be_a_studys(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="file: expected"):
        new_study(name)
    assert not [*tmp_path.iterdir()]
