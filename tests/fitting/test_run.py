"""`stdpjax fit`: what it writes, that it writes all or nothing, and one line for every mistake."""

import csv
import json

import pytest

from stdpjax import cli, fitting
from stdpjax.fitting import run

QUICK = ("fit", "--rule", "pair", "--data", "bi_poo_2001", "--n-starts", "3", "--n-resamples", "20")
QUICK_CONFIG = fitting.FitConfig(rule="pair", data="bi_poo_2001", n_starts=3, n_resamples=20)


@pytest.fixture
def stdp(tmp_path, monkeypatch, capsys):
    """Call the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        try:
            code = cli.main(arguments)
        except SystemExit as stop:
            code = stop.code
        return (code, *capsys.readouterr())

    return call


def test_a_fit_writes_its_parameters_figure_and_comparison_and_overwrites_only_by_force(stdp, tmp_path):
    command = (*QUICK, "--compare", "window", "--seed", "3", "--out", "here")
    code, out, err = stdp(*command)
    assert (code, err) == (0, "")
    assert "tau_plus" in out
    assert out.rstrip().endswith("fit, figure and comparison: here")
    folder = tmp_path / "here"
    assert {path.name for path in folder.iterdir()} - {".lock"} == {"fit.json", "fit.png", "fit.svg", "comparison.csv"}
    record = json.loads((folder / "fit.json").read_text(encoding="utf-8"))
    assert record["seed"] == 3
    assert record["configuration"]["n_resamples"] == 20
    assert record["provenance"]["stdpjax"]
    assert len(record["measurements"]["fitted"]) == record["n_points"] == 28
    for estimate in record["parameters"].values():
        for kind in ("profile", "simultaneous", "bootstrap"):
            low, high = estimate[kind]
            assert low < high
        assert estimate["profile"][0] <= estimate["value"] <= estimate["profile"][1]
    with (folder / "comparison.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["rule"] for row in rows] == ["pair", "window"]
    assert [float(row["aic"]) for row in rows] == [row["aic"] for row in record["comparison"]]
    assert rows[0]["aic_above_best"] == "0.0"

    before = (folder / "fit.json").read_bytes()
    code, out, err = stdp(*command)
    assert (code, out) == (2, "")
    assert err.startswith("stdpjax: error: out: expected a folder without a fit")
    assert err.count("\n") == 1
    assert (folder / "fit.json").read_bytes() == before
    assert stdp(*command, "--force")[0] == 0
    again = json.loads((folder / "fit.json").read_text(encoding="utf-8"))
    assert again["parameters"] == record["parameters"]


def test_a_fit_that_fails_half_way_leaves_no_record(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "plot", lambda *arguments: 1 / 0)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ZeroDivisionError):
        fitting.fit_into(QUICK_CONFIG, out=tmp_path, say=lambda line: None)
    assert not (tmp_path / "fit.json").exists()
    assert not list(tmp_path.glob(".*partial*"))
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_protocols_of_a_file_are_fitted_and_drawn_without_curves(stdp, tmp_path):
    lines = ["pre_ms,post_ms,change_percent,frequency_hz,n_repeats"]
    lines += [f"0,{lag},{40 - lag},1,60" for lag in (5, 10, 15, 20)] + [
        f"{lag},0,{lag - 30},1,60" for lag in (5, 10, 20)
    ]
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    code, out, err = stdp("fit", "--rule", "pair", "--data", "mine.csv", "--n-starts", "3", "--n-resamples", "0")
    assert (code, err) == (0, "")
    record = json.loads((tmp_path / "fit" / "fit.json").read_text(encoding="utf-8"))
    assert record["data"] == "mine.csv"
    assert all(estimate["bootstrap"] is None for estimate in record["parameters"].values())
    assert "bootstrap" not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--rule", "stdp"), "rule: expected one of 'pair', "),
        (("--data", "none.csv"), "data: expected a CSV file or one of sjostrom_2001, bi_poo_2001, got 'none.csv'"),
        (("--data", "bad.csv"), "data: expected a finite number as change_percent on line 3 of 'bad.csv', got 'x'"),
        (("--data", "few.csv"), "data: expected at least 4 points for 4 parameters"),
        (("--compare", "pair,stdp"), "compare: expected one of"),
        (("--fix", "tau_plus"), "fix: expected NAME=NUMBER separated by commas, got 'tau_plus'"),
        (("--fix", "tau=3"), "fix: expected one of 'A_plus'"),
        (("--fix", "tau_plus=1,tau_plus=2"), "fix: expected each parameter once"),
        (("--fix", "tau_plus=-1"), "tau_plus: expected a finite number above 0"),
        (("--free", "tau"), "free: expected one of"),
        (("--n-starts", "0"), "n_starts: expected a whole number of at least 1"),
        (("--n-resamples", "7"), "n_resamples: expected 0 or at least 20"),
        (("--confidence", "2"), "confidence: "),
        (("--seed", "-1"), "seed: "),
        (("--out", "few.csv"), "out: expected a folder, got 'few.csv'"),
        (("--out", ""), "out: expected the name of a folder"),
    ],
)
def test_every_mistake_gets_one_line_and_writes_nothing(stdp, tmp_path, arguments, message):
    (tmp_path / "bad.csv").write_text("lag_ms,change_percent\n1,2\n3,x\n")
    (tmp_path / "few.csv").write_text("1,2.0,3\n3,4,5\n")
    code, out, err = stdp(*QUICK, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"stdpjax: error: {message}")
    assert err.count("\n") == 1
    assert not (tmp_path / "fit" / "fit.json").exists()
