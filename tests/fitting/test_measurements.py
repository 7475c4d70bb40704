"""Measurements: presets as published, files in every form that is taken, and each malformed line by its number."""

# pyright: reportOptionalOperand=false, reportOptionalSubscript=false, reportArgumentType=false, reportCallIssue=false
# pyright: reportOperatorIssue=false, reportAttributeAccessIssue=false

import re

import hypothesis.strategies as st
import numpy as np
import pytest
import quantities as pq
from hypothesis import given

from stdpjax import fitting, protocols, random
from stdpjax.fitting import load, measurements, read_measurements

LAG = st.floats(-1e3, -1) | st.floats(1, 1e3)
CHANGE = st.floats(-100, -2) | st.floats(2, 1e3)
PAIRS = [protocols.pairs(10, n_pairs=1)] * 2


@pytest.fixture
def file(tmp_path):
    return tmp_path / "points.csv"


def test_the_ten_points_are_sixty_pairs_each_at_their_lag_and_frequency():
    points = fitting.sjostrom_2001()
    assert len(points.protocols) == 10
    for protocol, lag, frequency in zip(points.protocols, points.lag_ms, points.frequency_hz, strict=True):
        assert protocol.falls_on_bins(1.0)
        np.testing.assert_allclose(protocol.post_ms - protocol.pre_ms, lag)
        np.testing.assert_allclose(np.diff(protocol.pre_ms), 1000 / frequency)
        assert protocol.pre_ms.size == 60
    # The published pattern: pairs of either order potentiate at high frequency.
    assert (points.change[points.frequency_hz >= 40] > 0.5).all()
    assert (points.change[(points.lag_ms < 0) & (points.frequency_hz < 40)] < 0).all()


def test_drawn_points_scatter_about_the_curve_by_their_errors():
    curve = fitting.bi_poo_2001()
    np.testing.assert_allclose(curve.change[curve.lag_ms == 10], 0.777 * np.exp(-10 / 16.8), rtol=1e-9)
    np.testing.assert_allclose(curve.change[curve.lag_ms == -20], -0.273 * np.exp(-20 / 33.7), rtol=1e-9)
    keys = random.member_keys(random.key(0), 60)
    z = np.array([(fitting.bi_poo_2001(key).change - curve.change) / curve.sem for key in keys])
    n = z.size
    assert abs(z.mean()) < 4 / np.sqrt(n)
    assert abs(z.std() - 1) < 4 / np.sqrt(2 * n)
    # Errors of another size would be seen.
    assert abs(1.15 * z.std() - 1) > 4 / np.sqrt(2 * n)


def test_a_preset_is_loaded_by_name_and_only_drawn_ones_depend_on_the_seed():
    assert np.array_equal(load("sjostrom_2001", 0).change, load("sjostrom_2001", 1).change)
    assert np.array_equal(load("bi_poo_2001", 3).change, load("bi_poo_2001", 3).change)
    assert not np.array_equal(load("bi_poo_2001", 0).change, load("bi_poo_2001", 1).change)
    with pytest.raises(
        ValueError, match="data: expected a CSV file or one of sjostrom_2001, bi_poo_2001, got 'bi_poo'"
    ):
        load("bi_poo")


@pytest.mark.parametrize(
    "text",
    [
        "10,45.5,5\n-10,-20,4\n",
        "\ufefflag_ms,change_percent,sem\r\n10,45.5,5\r\n-10,-20,4\r\n",
        "# a comment\n\nchange_percent, lag_ms, sem\n45.5, 10, 5\n# another\n-20,-10,4",
        "pre_ms,post_ms,change_percent,sem\n0,10,45.5,5\n10,0,-20,4\n",
    ],
    ids=["plain", "header", "order of columns", "spike times"],
)
def test_the_same_points_are_read_however_they_are_written(file, text):
    file.write_text(text, encoding="utf-8")
    points = read_measurements(file)
    np.testing.assert_allclose(points.change, (0.455, -0.2))
    np.testing.assert_allclose(points.sem, (0.05, 0.04))
    for protocol, lag in zip(points.protocols, (10, -10), strict=True):
        np.testing.assert_allclose(protocol.post_ms - protocol.pre_ms, lag)
    assert points.name == "points.csv"


def test_protocols_of_a_file_are_repeated_as_it_says(file):
    file.write_text("pre_ms,post_ms,change_percent,frequency_hz,n_repeats\n0 10,5,30,1,60\n5,0 10,-3,2,60\n")
    points = read_measurements(file)
    assert points.sem is None
    for protocol, made in zip(
        points.protocols, (protocols.triplets(5, -5), protocols.triplets(-5, 5, frequency_hz=2)), strict=True
    ):
        np.testing.assert_array_equal(protocol.pre_ms, made.pre_ms)
        np.testing.assert_array_equal(protocol.post_ms, made.post_ms)
    file.write_text("lag_ms,change_percent,frequency_hz,n_repeats\n10,30,20,75\n")
    assert np.array_equal(read_measurements(file).protocols[0].post_ms, protocols.pairs(10, 20, 75).post_ms)


@pytest.mark.parametrize(
    "text",
    [
        "10,5;45,5;5\n-10,5;-20;4,0\n",
        "lag_ms;change_percent;sem\n10.5;45.5;5\n-10.5;-20;4\n",
        "Lag (ms)\tChange [%]\tSEM\r\n10.5\t45.5\t5\r\n-10.5\t-20\t4\r\n\r\n \r\n",
        '"SEM","lag_ms","note","CHANGE_PERCENT","n_cells"\n"5","10,5","a, b; c","45,5",7\n4,"-10,5",,-20,\n',
        "# change_percent, lag_ms, sem\n45.5,10.5,5\n-20,-10.5,4\n",
        "lag_ms,sem,epsp_ratio\n10.5,0.05,1.455\n-10.5,0.04,0.8\n",
        "lag_ms,epsp_ratio,epsp_ratio_sem\n10.5,1.455,0.05\n-10.5,0.8,0.04\n",
        "lag_ms,percent_of_baseline,sem,\n10.5,145.5,5,\n-10.5,80,4,,\n",
        "lag_ms,weight change (%),sem,sd\n10.5,45.5,5,9\n\N{MINUS SIGN}10.5,\N{MINUS SIGN}20,4,9\n",
        "10.5, 45.5, 5\n-10.5, -20, 4\n",
    ],
    ids=["semicolons", "semicolons and points", "tabs, CRLF, case, units", "quotes and other columns", "savetxt",
         "ratio", "named sem", "baseline", "printed minus, sd beside sem", "spaces"],
)  # fmt: skip
def test_signs_units_and_names_are_told_apart(file, text):
    file.write_bytes(text.encode())
    points = read_measurements(file)
    np.testing.assert_allclose(points.lag_ms, (10.5, -10.5))
    np.testing.assert_allclose(points.change, (0.455, -0.2))
    np.testing.assert_allclose(points.sem, (0.05, 0.04))
    assert points.unused == {'"': ("note", "n_cells"), "w": ("sd",)}.get(text[0] if text[0] == '"' else text[7], ())


def test_a_frequency_needs_a_number_of_repeats_and_has_its_effect_with_it(file):
    file.write_text("lag_ms,change_percent,frequency_hz\n10,30,50\n10,3,0.1\n")
    points = read_measurements(file, n_repeats=60)
    assert np.array_equal(points.protocols[0].post_ms, protocols.pairs(10, 50, 60).post_ms)
    numbers = {"A_plus": 0.01, "A_minus": 0.02, "tau_plus": 16.8, "tau_minus": 33.7}
    lag = (10 + 20 * np.arange(60))[:, None] - 20 * np.arange(60)
    fast = np.where(lag > 0, 0.01 * np.exp(-lag / 16.8), -0.02 * np.exp(lag / 33.7)).sum()
    slow = 60 * 0.01 * np.exp(-10 / 16.8)
    np.testing.assert_allclose(fitting.predict("pair", numbers, points.protocols), (fast, slow), rtol=1e-9)
    assert load(file, n_repeats=60).protocols[1].pre_ms.size == 60
    for wrong in (1, 0, True):
        with pytest.raises(ValueError, match="n_repeats: expected a whole number of at least 2"):
            read_measurements(file, n_repeats=wrong)
    for text, what in (
        ("lag_ms,change_percent\n1,2\n", "has no frequency_hz"),
        ("lag_ms,change_percent,frequency_hz,n_repeats\n1,2,10,60\n", "has n_repeats"),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=f"n_repeats: expected none for .*points.csv', which {what}"):
            read_measurements(file, n_repeats=60)
    with pytest.raises(ValueError, match="n_repeats: expected none for 'bi_poo_2001'"):
        load("bi_poo_2001", n_repeats=60)


def test_measured_quantities_are_converted():
    points = measurements(
        "with units", PAIRS, [45.0, -20.0] * pq.percent, [5.0, 4.0] * pq.percent,
        lag_ms=[0.01, -0.01] * pq.s, frequency_hz=[1.0, 0.05] * pq.kHz,
    )  # fmt: skip
    for values, expected in zip(points[2:6], ((0.45, -0.2), (0.05, 0.04), (10, -10), (1000, 50)), strict=True):
        np.testing.assert_allclose(values, expected)


@given(st.lists(st.tuples(LAG, CHANGE, st.floats(1e-3, 1e3)), min_size=1, max_size=6))
def test_what_was_written_is_read_back(tmp_path_factory, points):
    file = tmp_path_factory.mktemp("points") / "points.csv"
    file.write_text("lag_ms,change_percent,sem\n" + "".join(",".join(map(repr, point)) + "\n" for point in points))
    found = read_measurements(file)
    expected = np.array(points) / [1, 100, 100]
    np.testing.assert_allclose(np.column_stack([found.lag_ms, found.change, found.sem]), expected, rtol=1e-12)


@given(st.integers(0, 4), st.sampled_from(["1", "a,2,3", "1,nan,3", "1,2,0", "1,2,-1", '"1,2,3', "1,2,3,4", "1,,3"]))
def test_any_malformed_line_is_named(tmp_path_factory, place, line):
    file = tmp_path_factory.mktemp("points") / "points.csv"
    lines = ["1,2,3"] * 5
    lines[place] = line
    file.write_text("lag_ms,change_percent,sem\n" + "\n".join(lines))
    with pytest.raises(ValueError, match=rf"^data: expected .* line {place + 2} of .*points.csv"):
        read_measurements(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected at least one measurement, got none"),
        ("lag_ms,change_percent\n", "expected at least one measurement"),
        ("lag,change_percent\n1,2\n", "lags in ms, .* under the name lag_ms on line 1 .*, got 'lag'"),
        ("lag_ms,lag_ms,change_percent\n", "expected one column of lags .* on line 1 .*, got 'lag_ms' twice"),
        ("lag_ms,sem\n1,2\n", "expected change_percent, epsp_ratio .* on line 1 .*, got lag_ms, sem"),
        ("lag_ms,pre_ms,post_ms,change_percent\n", "expected either lag_ms or both pre_ms and post_ms on line 1"),
        ("pre_ms,change_percent\n", "expected either lag_ms or both pre_ms and post_ms on line 1"),
        ("lag_ms,change_percent,n_repeats\n1,2,60\n", "expected a column frequency_hz beside n_repeats"),
        ("1,2,3,4\n", "or a header, on line 1 of .*, got 4 numbers"),
        ("1,2.0,3\n1,2\n", "expected a sem on every line or on none, got none on line 2"),
        ("pre_ms,post_ms,change_percent\n0 x,5,3\n", "expected spike times separated by spaces as pre_ms on line 2"),
        ("pre_ms,post_ms,change_percent\n0,5,3\n10 5,5,3\n", "a protocol on line 3 of .*, got pre_ms: expected incr"),
        ("lag_ms,change_percent,frequency_hz,n_repeats\n1,2,0,2\n", "protocol on line 2 .* frequency_hz"),
        ("lag_ms,change_percent,frequency_hz,n_repeats\n1,2,1,1.5\n", "expected a whole number .* n_repeats on line 2"),
        ("lag_ms,change_percent,frequency_hz,n_repeats\n1,2,9,0\n", "expected a whole number .* n_repeats on line 2"),
        ("lag_ms,change_percent,frequency_hz,n_repeats\n1,2,9,1\n1,2,8,1\n", "expected n_repeats above 1 on some line"),
        ("lag_ms,change_percent,frequency_hz\n1,2,50\n", r"n_repeats beside frequency_hz, .* or --n-repeats N"),
        ("10,5,45\n-10,-20,5\n", "a header, or semicolons between columns, .* on line 1 .*, got '10,5,45'"),
        ("lag_ms,change_percent\n10,5,45\n", "got 3; where commas are decimal signs, put semicolons"),
        ("lag_ms;change_percent\n10,5;45.5\n", "expected one decimal sign in all numbers, got '45.5' on line 2"),
        ("lag_ms;change_percent\n1;1,250\n", "not those of thousands, got '1,250' on line 2"),
        ("lag_ms;change_percent\n1;1.250,5\n", "expected one decimal sign|expected a finite number"),
        ("lag_ms,change\n1,2\n", "changes in percent under the name change_percent .*, got 'change'"),
        ("lag_ms,change_percent,frequency\n1,2,3\n", "under the name frequency_hz .*, got 'frequency'"),
        ("lag_ms,change_percent,n_pairs\n1,2,3\n", "under the name n_repeats .*, got 'n_pairs'"),
        ("lag_ms,change_percent,SD\n1,2,3\n", "standard errors under the name sem .*, got 'SD'"),
        ("lag_ms,change_percent,semm\n1,2,3\n", "standard errors under the name sem .*, got 'semm'"),
        ("dt (ms),change_percent\n1,2\n", r"lags in ms, post minus pre .*, got 'dt \(ms\)'"),
        (
            "lag_ms,change_percent,epsp_ratio\n1,2,3\n",
            "one column of changes .*, got 'change_percent' and 'epsp_ratio'",
        ),
        ("lag_ms,change_percent,sem,SEM\n1,2,3,4\n", "one column of standard errors .*, got 'sem' twice"),
        ("lag_ms,epsp_ratio\n1,-2\n", "epsp_ratio of at least 0 on line 2"),
        ("10 20\n", "columns with commas, semicolons or tabs between them on line 1"),
        ("10,x\n", "a header, or a finite number in each column, on line 1"),
        ("1_0,20\n", "a header, or a finite number in each column, on line 1"),
    ],
)
def test_refused_files(file, text, message):
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_measurements(file)


@pytest.mark.parametrize(
    "error", ["#N/A", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#NV", "#WERT!", "#N/A "]
)
def test_errors_of_spreadsheets_are_no_comments_wherever_they_stand(file, error):
    for text, line in (
        (f"lag_ms,change_percent\n10,45\n{error},20\n-10,-20\n", 3),
        (f"lag_ms;change_percent\n10;45\n10;{error}\n", 3),
        (f'lag_ms,change_percent\n"{error}","20"\n', 2),
        (f"{error}\t20\n10\t45\n", 1),
        (f"# points\nlag_ms,change_percent\n10,45\n  {error}\n", 4),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=rf"^data: expected .* line {line} of .*{re.escape(error.strip())}|got 1"):
            read_measurements(file)


@pytest.mark.parametrize("comment", ["# N/A: not measured", "#10,45", "#n/a,3", "#", "##, see text!", "#Note! 3, 4"])
def test_comments_between_lines_are_skipped(file, comment):
    file.write_text(f"lag_ms,change_percent\n10,45\n{comment}\n-10,-20\n")
    assert read_measurements(file).change.tolist() == [0.45, -0.2]


@pytest.mark.parametrize(
    ("name", "factor"),
    [("change (%)", 1), ("% change", 1), ("EPSP change [%]", 1), ("weight percent change", 1), ("EPSC ratio", 100)],
)
def test_known_names_of_changes_are_read(file, name, factor):
    file.write_text(f"lag_ms,{name},{name} sem\n10,{145 / 100 if factor == 100 else 45},{20 / factor}\n")
    points = read_measurements(file)
    np.testing.assert_allclose((points.change, points.sem), ([0.45], [0.2]))


@pytest.mark.parametrize("name", ["frequency_change_percent", "abs change (%)", "log change percent", "log_ratio"])
def test_columns_of_other_changes_are_not_those_of_the_weight(file, name):
    file.write_text(f"lag_ms,{name}\n10,45\n")
    with pytest.raises(ValueError, match=rf"changes in percent .* on line 1 of .*, got '{re.escape(name)}'"):
        read_measurements(file)
    # Beside that of the weight they are left alone, or refused as what they seem to be.
    file.write_text(f"lag_ms,change_percent,{name}\n10,45,7\n")
    if "frequency" in name:
        with pytest.raises(
            ValueError, match=r"under the name frequency_hz on line 1 .*, got 'frequency_change_percent'"
        ):
            read_measurements(file)
    else:
        points = read_measurements(file)
        assert (points.change.tolist(), points.unused) == ([0.45], (name,))


@pytest.mark.parametrize(
    ("text", "message", "change"),
    [
        ("epsp_ratio\n10,145\n-10,80\n", "ratios .* as epsp_ratio .* divide by 100, .*percent_of_b", 144),
        ("change_percent\n.010,45\n-.01,-20\n.02,20\n", "as lag_ms of .* like seconds: multiply by 1000", 0.45),
        ("change_percent\n10000,45\n-6e3,-20\n3e4,20\n", "as lag_ms of .* like microseconds: divide by 1000", 0.45),
        ("change_percent\n10,.45\n-10,-.2\n20,.2\n", "as change_percent of .* like shares .* by 100", 0.0045),
        ("percent_of_baseline\n10,1.45\n-10,.8\n20,1.2\n", "as percent_of_baseline of .* like ratios", -0.9855),
    ],
)
def test_columns_that_look_like_another_unit_are_refused_with_factor_and_column(file, text, message, change):
    file.write_text("lag_ms," + text)
    for read in (read_measurements, load):
        with pytest.raises(ValueError, match=f"^data: expected .*{message}.*check_unit=False"):
            read(file)
        assert read(file, check_unit=False).change[0] == pytest.approx(change)


def test_spike_times_in_seconds_are_refused_and_a_few_small_numbers_are_not(file):
    file.write_text("pre_ms,post_ms,change_percent\n0,.01,45\n.01,0,-20\n0 .02,.01,20\n")
    with pytest.raises(ValueError, match=r"as pre_ms and post_ms of .* like seconds: multiply by 1000"):
        read_measurements(file)
    for text in ("lag_ms,change_percent\n.1,.5\n-.1,-.5\n", "lag_ms,change_percent\n.1,.5\n.1,.5\n0,3\n"):
        file.write_text(text)
        assert read_measurements(file).change[0] == 0.005


def test_changes_below_the_loss_of_all_weight_are_refused_by_line(file):
    file.write_text("lag_ms,change_percent\n10,45\n-10,-100\n-20,-100.5\n")
    with pytest.raises(ValueError, match=r"change_percent of at least -100, .* line 4 of .*, got '-100.5'"):
        read_measurements(file, check_unit=False)
    done = [protocols.pairs(lag, n_pairs=1) for lag in (10, -10, 20)]
    with pytest.raises(ValueError, match=r"change: expected shares of at least -1, the loss of all weight, got -1.5"):
        measurements("points", done, [0.4, -1.5, 0.2], check_unit=False)
    for percent in ([-20, -30, 45], [20, 30, 45]):
        with pytest.raises(ValueError, match=r"change: expected shares .* these look like percent: divide by 100"):
            measurements("points", done, percent)
    assert measurements("points", done, [20, 30, 45], check_unit=False).change.tolist() == [20, 30, 45]
    with pytest.raises(ValueError, match=r"lag_ms: expected milliseconds, .* like seconds: multiply by 1000"):
        measurements("points", done, [0.2, 0.3, 0.45], lag_ms=[0.01, -0.01, 0.02])
    # What carries its unit is believed.
    assert measurements("points", done, [0.2, 0.3, 0.45], lag_ms=[10, -10, 20] * pq.us).lag_ms[0] == 0.01


def test_unreadable_files_are_refused(file):
    with pytest.raises(ValueError, match="data: expected a readable CSV file"):
        read_measurements(file)
    file.write_bytes(b"lag_ms,change_percent\n\xff\xfe,1\n")
    with pytest.raises(ValueError, match="data: expected a CSV file in UTF-8"):
        load(file)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], []), "protocols: expected at least one"),
        ((PAIRS, [1.0]), r"change: expected one for each of 2 protocols, got shape \(1,\)"),
        ((PAIRS, [1.0, np.nan]), "change: expected finite numbers"),
        ((PAIRS, [1.0, 2.0], [0.1, 0.0]), "sem: expected standard errors above 0, got 0"),
    ],
)
def test_refused_measurements(arguments, message):
    with pytest.raises(ValueError, match=message):
        measurements("points", *arguments)
