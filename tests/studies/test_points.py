"""Measured points from a CSV file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpjax.studies.section_5_simulation.points import is_point, read_lag_points

# Neither in seconds nor in microseconds, nor below -100 %, nor in shares.
LAG = st.floats(0.2, 5000) | st.floats(-5000, -0.2)
CHANGE = st.floats(-100, -1, exclude_max=True) | st.floats(1, exclude_min=True, allow_infinity=False)
PAIRS = st.lists(st.tuples(LAG, CHANGE), min_size=1, max_size=8)
ERROR = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
TRIPLES = st.lists(st.tuples(LAG, CHANGE, ERROR), min_size=1, max_size=8)
POINTS = ((10.0, 45.5), (-10.0, -20.0))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "points.csv"


@pytest.mark.parametrize(
    "text",
    [
        "10,45.5\n-10,-20\n",
        "10,45.5\n-10,-20",
        "lag_ms,change_percent\n10,45.5\n-10,-20\n",
        "\ufefflag_ms,change_percent\n10,45.5\n-10,-20\n",
        "\ufeff10,45.5\n-10,-20\n",
        "# Bi & Poo\n\nlag_ms,change_percent\n# below: their Figure 2\n10,45.5\n\n-10,-20\n\n",
        "lag_ms,change_percent\r\n10,45.5\r\n-10,-20\r\n",
        " 10 , 45.5 \n\t-10,-2e1\n",
        '"10","45.5"\n"-10","-20"\n',
        "change_percent,n_cells,lag_ms\n45.5,3,10\n-20,4,-10\n",
        "pre_ms;post_ms;epsp_ratio\n0;10;1,455\n10;0;0,8\n",
        ",\n10,45.5\n,,\n-10,-20\n",
    ],
    ids=["plain", "no last newline", "header", "BOM", "BOM, no header", "comments", "CRLF", "spaces", "quotes",
         "order of columns", "spike times and ratios", "empty cells"],
)  # fmt: skip
def test_the_same_points_are_read_however_they_are_written(file, text):
    file.write_bytes(text.encode())
    assert read_lag_points(file) == POINTS
    assert read_lag_points(str(file)) == POINTS


def test_what_fits_take_is_taken_and_what_has_no_lag_is_refused(file):
    file.write_text("lag_ms,change_percent,sem,frequency_hz,n_repeats\n1,2,3,20,60\n5,6,7,20,60\n")
    assert read_lag_points(file) == ((1.0, 2.0, 3.0), (5.0, 6.0, 7.0))
    file.write_text("pre_ms,post_ms,change_percent\n0,5,2\n0 10,5,3\n")
    with pytest.raises(ValueError, match=r"data: expected one presynaptic .* on line 3 of .*, got 2 and 1"):
        read_lag_points(file)


@given(points=PAIRS | TRIPLES)
def test_what_was_written_is_read_back_bit_for_bit(tmp_path_factory, points):
    file = tmp_path_factory.mktemp("points") / "points.csv"
    file.write_text("".join("; ".join(map(repr, point)) + "\n" for point in points))
    assert read_lag_points(file) == tuple(points)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("1,2\n3\n", 2),
        ("1,2\n3,4,5.5,6\n", 2),
        ("1;2,3,4,5\n", 1),
        ("1,two\n", 1),
        ("lag_ms,change_percent\n1,2\nx,y\n", 3),
        ("lag_ms,change_percent\nc,d\n1,2\n", 2),
        ("# one\n\n1,2\n1,nan\n", 4),
        ("1,2\ninf,2\n", 2),
        ("1,2\n1,-1e999\n", 2),
        ("1,2,0.1\n1,2,-0.1\n", 2),
        ("1,2,0.1\n1,2,0\n", 2),
        ("1,2,0.1\n1,2\n", 2),
        ("1,2,-0.1\n", 1),
        ("1,2\r\n\r\nx,2\r\n", 3),
        ("1,2\n\x00\n", 2),
        ('1,2\n"3\n4",5\n', 2),
        ("nan,nan\n1,2\n", 1),
    ],
    ids=["one column", "four columns", "semicolon", "text", "text after points", "two headers", "NaN",
         "infinity", "overflow", "negative sem", "no sem", "sem left out",
         "negative sem first", "CRLF", "NUL", "quote left open",
         "not a header"],
)  # fmt: skip
def test_a_malformed_line_is_named(file, text, line):
    file.write_bytes(text.encode())
    with pytest.raises(ValueError, match=rf"^data: expected .* line {line} of .*points\.csv"):
        read_lag_points(file)


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "lag_ms,change_percent\n", "\ufeff", ",,\n"])
def test_a_file_without_points_is_refused(file, text):
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="at least one measurement, got none"):
        read_lag_points(file)


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path):
    for path, reason in ((tmp_path / "missing.csv", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ValueError, match=rf"data: expected a readable CSV file, got '.*{path.name}' \({reason}"):
            read_lag_points(path)


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe",
        "1,2\n".encode("utf-16"),
        "größe,2\n1,2\n".encode("latin-1"),
        b"1" * 200_000,
    ],
    ids=["picture", "UTF-16", "Latin-1", "one endless line"],
)
def test_a_file_that_is_no_text_of_points_is_refused(file, content):
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"^data: expected .*points\.csv"):
        read_lag_points(file)


def test_what_is_no_sequence_is_no_point():
    assert is_point((1.0, 2.0))
    assert not any(is_point(value) for value in (1, (True, 1.0), "12", None, (1.0,), (1.0, 2.0, -1.0)))
