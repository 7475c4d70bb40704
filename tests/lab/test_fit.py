"""`stdpjax fit`: what it writes, that it writes all or nothing, and one line for every mistake."""

import csv
import dataclasses
import json
import re

import pytest

from stdpjax import cli, fitting, protocols, random
from stdpjax.lab import fit, folder
from stdpjax.lab.fit import FitConfig, fit_into

QUICK = ("fit", "--rule", "pair", "--data", "bi_poo_2001", "--n-starts", "3", "--n-resamples", "20")
QUICK_CONFIG = FitConfig(rule="pair", data="bi_poo_2001", n_starts=3, n_resamples=20)


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
    home = tmp_path / "here"
    assert {path.name for path in home.iterdir()} - {".lock"} == {"fit.json", "fit.png", "fit.svg", "comparison.csv"}
    record = json.loads((home / "fit.json").read_text(encoding="utf-8"))
    assert record["seed"] == 3
    assert record["configuration"]["n_resamples"] == 20
    assert record["provenance"]["stdpjax"]
    assert len(record["measurements"]["fitted"]) == record["n_points"] == 28
    assert record["errors"]["n_fitted"] == 4
    for estimate in record["parameters"].values():
        assert estimate["bound"] is None
        for kind in ("profile", "simultaneous", "bootstrap"):
            low, high = estimate[kind]
            assert low < high
        assert estimate["profile"][0] <= estimate["value"] <= estimate["profile"][1]
    with (home / "comparison.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["rule"] for row in rows] == ["pair", "window"]
    assert [float(row["aic"]) for row in rows] == [row["aic"] for row in record["comparison"]]
    assert rows[0]["aic_above_best"] == rows[0]["aicc_above_best"] == "0.0"
    assert [row["n_fitted"] for row in rows] == ["4", "4"]
    assert [row["on_bound"] for row in rows] == ["", ""]

    before = (home / "fit.json").read_bytes()
    code, out, err = stdp(*command)
    assert (code, out) == (2, "")
    assert err.startswith("stdpjax: error: out: expected a folder without a fit")
    assert err.count("\n") == 1
    assert (home / "fit.json").read_bytes() == before
    assert stdp(*command, "--force")[0] == 0
    again = json.loads((home / "fit.json").read_text(encoding="utf-8"))
    assert again["parameters"] == record["parameters"]


def test_a_comparison_says_how_far_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(folder, "_FEW_SECONDS", 0.0)
    config = dataclasses.replace(QUICK_CONFIG, compare=("window",), n_starts=1, n_resamples=0)
    fit_into(config, out=tmp_path, say=lambda line: None)
    assert re.fullmatch(r"fit: 1 of 2 rules, \S+ rules/s, \S+ left \(window\)\n", capsys.readouterr().err)
    fit_into(config, out=tmp_path, say=lambda line: None, force=True, show_progress=False)
    assert capsys.readouterr().err == ""


def test_a_fit_that_fails_half_way_leaves_no_record(tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "draw", lambda *arguments: 1 / 0)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ZeroDivisionError):
        fit_into(QUICK_CONFIG, out=tmp_path, say=lambda line: None)
    assert not (tmp_path / "fit.json").exists()
    assert not list(tmp_path.glob(".*partial*"))
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_the_figure_comes_in_the_formats_that_are_asked_for_and_no_other_stays(tmp_path):
    def figures(*formats):
        config = dataclasses.replace(QUICK_CONFIG, n_starts=1, n_resamples=0, format=formats)
        fit_into(config, out=tmp_path, say=lambda line: None, force=True)
        return {path.name: path.read_bytes() for path in tmp_path.glob("fit.*") if path.suffix != ".json"}

    first = figures("pdf")
    assert {*first} == {"fit.pdf"}
    assert first["fit.pdf"].startswith(b"%PDF")
    assert {*figures("png")} == {"fit.png"}
    assert figures("pdf") == first


def test_files_without_content_are_no_fit(tmp_path):
    names = ("fit.json", "comparison.csv", "fit.png", "fit.svg")
    for name in names:
        (tmp_path / name).touch()
    config = dataclasses.replace(QUICK_CONFIG, n_starts=1, n_resamples=0)
    fit_into(config, out=tmp_path, say=lambda line: None)
    assert all((tmp_path / name).stat().st_size for name in names)
    # What has content may be somebody's.
    (tmp_path / "fit.json").write_text("")
    with pytest.raises(ValueError, match=r"without a fit, got .* with comparison.csv, fit.png, fit.svg; give --force"):
        fit_into(config, out=tmp_path)


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


SIX = "lag_ms;change_percent;frequency_hz;n_cells\n" + "".join(
    f"{lag};{change};{hz};5\n"
    for lag, change, hz in ((10, -4, 1), (10, 14, 10), (10, 29, 20), (-10, -29, 1), (-10, -41, 10), (-10, -34, 20))
)


def test_what_a_fit_does_not_tell_is_said_in_words_in_the_record_and_in_the_table(stdp, tmp_path):
    (tmp_path / "six.csv").write_text(SIX)
    code, out, err = stdp(
        "fit", "--rule", "triplet_minimal", "--data", "six.csv", "--n-repeats", "60", "--n-starts", "1",
        "--n-resamples", "0", "--free", "A2_plus", "--compare", "pair",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert out.startswith("columns not used: n_cells\ntriplet_minimal: ")
    assert "give more starts, --n-starts 4" in out
    record = json.loads((tmp_path / "fit" / "fit.json").read_text(encoding="utf-8"))
    assert record["measurements"]["unused_columns"] == ["n_cells"]
    assert record["configuration"]["n_repeats"] == 60
    marked = {name for name, estimate in record["parameters"].items() if estimate["bound"]}
    assert marked
    for name in marked:
        assert re.search(rf"  {name} .*\((on the (lower|upper) bound|not determined)", out)
    # Six points, and four or five numbers with the error: AICc is far off, or there is none.
    assert record["errors"]["n_fitted"] == 5
    assert record["errors"]["aicc"] is None
    assert "AICc too few points" in out
    assert "(squared shares of the weight)" in out
    with (tmp_path / "fit" / "comparison.csv").open(encoding="utf-8") as file:
        rows = {row["rule"]: row for row in csv.DictReader(file)}
    assert rows["triplet_minimal"]["aicc"] == ""
    assert {part.split()[0] for part in rows["triplet_minimal"]["on_bound"].split("; ")} == marked


def panels(data, **options):
    found = fitting.compare(random.key(0), ["pair", "window"], data, n_starts=2, **options)
    return found[0].figure(found).axes


def test_the_figure_shows_open_intervals_and_says_why_there_is_no_aicc():
    lags = [5.0, 10.0, 20.0, -10.0, -20.0, -40.0]
    done = [protocols.pairs(lag, n_pairs=1) for lag in lags]
    few = fitting.measurements("few", done, [-0.1, -0.08, -0.05, -0.2, -0.15, -0.08], lag_ms=lags)
    _, intervals, comparison = panels(few)
    labels = intervals.get_legend_handles_labels()[1]
    assert {"value on a bound, or not determined", "end of the range of the fit"} <= {*labels}
    assert comparison.get_xlabel() == "AICc needs k + 2 points, these are 6"
    assert not comparison.get_xticks().size
    points, intervals, comparison = panels(fitting.bi_poo_2001())
    assert len(intervals.get_legend_handles_labels()[1]) == 2
    assert comparison.get_xticks().size
    # One rule, one colour.
    rule = points.get_legend_handles_labels()[0][0]
    assert rule.get_color() == points.lines[0].get_color()  # pyright: ignore[reportAttributeAccessIssue]


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
        (("--fix", "tau_plus=1,tau_plus=2"), "fix: expected different values"),
        (("--fix", "tau_plus=-1"), "fix: tau_plus: expected a finite number above 0"),
        (("--free", "tau"), "free: expected "),
        (("--free", "tau_plus"), "free: expected "),
        (("--compare", "pair,window,pair"), "compare: expected different values"),
        (("--compare", "pair"), "compare: expected other rules than 'pair', got pair"),
        (("--data", "often.csv"), "data: expected a column n_repeats beside frequency_hz, which says nothing without"),
        (("--n-repeats", "60"), "n_repeats: expected none for 'bi_poo_2001'"),
        (("--n-repeats", "-1"), "n_repeats: expected a whole number"),
        (
            ("--data", "few.csv", "--n-repeats", "60"),
            "n_repeats: expected none for 'few.csv', which has no frequency_hz",
        ),
        (("--data", "commas.csv"), "data: expected a header, or semicolons between columns"),
        (("--n-starts", "0"), "n_starts: expected a whole number of at least 1"),
        (("--n-resamples", "7"), "n_resamples: expected 0 or at least 20"),
        (("--format", "bmp"), "format: expected one of 'png', 'svg', 'pdf'"),
        (("--confidence", "2"), "confidence: "),
        (("--seed", "-1"), "seed: "),
        (("--out", "few.csv"), "out: expected a folder, got 'few.csv'"),
        (("--out", ""), "out: expected the name of a folder"),
    ],
)
def test_every_mistake_gets_one_line_and_writes_nothing(stdp, tmp_path, arguments, message):
    (tmp_path / "bad.csv").write_text("lag_ms,change_percent\n1,2\n3,x\n")
    (tmp_path / "few.csv").write_text("1,2.0,3\n3,4,5\n")
    (tmp_path / "often.csv").write_text(SIX)
    (tmp_path / "commas.csv").write_text("10,5,45\n-10,-20,5\n")
    code, out, err = stdp(*QUICK, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"stdpjax: error: {message}")
    assert err.count("\n") == 1
    assert not (tmp_path / "fit" / "fit.json").exists()
