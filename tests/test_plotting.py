"""What the helpers of `plotting` put into axes: where points, bands and bars are, and what stands around them."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from stdpjax import plotting
from stdpjax.stats import Estimate

ESTIMATE = Estimate(np.array([1.0, 2.0]), np.array([0.5, 1.0]), np.array([1.25, 4.0]))


@pytest.fixture
def ax() -> Axes:
    return plotting.new_figure(3, 2).subplots()


def test_a_curve_of_an_estimate_has_the_band_of_its_interval(ax):
    plotting.curve(ax, [0.0, 1.0], ESTIMATE, "--", "sum", "words", lw=3)
    (line,), (band,) = ax.lines, ax.collections
    np.testing.assert_array_equal(line.get_xydata(), [[0, 1], [1, 2]])
    assert (line.get_linestyle(), line.get_linewidth(), line.get_label()) == ("--", 3, "words")
    assert to_rgba(line.get_color()) == to_rgba(plotting.COLORS["sum"])
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices.tolist()}
    assert corners == {(0.0, 0.5), (0.0, 1.25), (1.0, 1.0), (1.0, 4.0)}


@pytest.mark.parametrize("is_upright", [True, False])
def test_points_of_an_estimate_have_bars_from_its_lower_to_its_upper_end(ax, is_upright):
    place = [3.0, 5.0]
    plotting.points(ax, *((place, ESTIMATE) if is_upright else (ESTIMATE, place)), "s", "eq1")
    ends = np.array(ax.collections[0].get_segments())[:, :, 1 if is_upright else 0]
    np.testing.assert_allclose(ends, [[0.5, 1.25], [1.0, 4.0]])
    at = ax.lines[0].get_xydata()[:, 0 if is_upright else 1]
    np.testing.assert_array_equal(at, place)


def test_a_value_beyond_its_own_interval_by_rounding_is_drawn(ax):
    plotting.points(ax, [0.0], Estimate([1.0], [1.0 + 1e-15], [1.0 - 1e-15]))
    np.testing.assert_allclose(ax.collections[0].get_segments()[0][:, 1], 1.0)


def test_labelled_numbers_go_together_by_their_names_and_not_by_their_order(ax):
    x = xr.DataArray(np.arange(6.0).reshape(2, 3), dims=("network", "unit"))
    plotting.points(ax, x, 10 * x.transpose("unit", "network"))
    drawn = ax.lines[0].get_xydata()
    np.testing.assert_array_equal(drawn[:, 1], 10 * drawn[:, 0])
    assert len(drawn) == x.size


def test_numbers_along_one_axis_are_repeated_along_the_others(ax):
    plotting.points(ax, xr.DataArray([1.0, 2.0], dims="step"), xr.DataArray(np.ones((2, 3)), dims=("step", "network")))
    assert sorted(ax.lines[0].get_xdata()) == [1.0] * 3 + [2.0] * 3


def test_bars_of_an_estimate_have_their_heights_and_intervals(ax):
    plotting.bars(ax, [0.0, 1.0], ESTIMATE, "pre", width=0.5)
    assert [(bar.get_x(), bar.get_width(), bar.get_height()) for bar in ax.patches] == [
        (-0.25, 0.5, 1.0),
        (0.75, 0.5, 2.0),
    ]
    ends = np.array(ax.collections[0].get_segments())[:, :, 1]
    np.testing.assert_allclose(ends, [[0.5, 1.25], [1.0, 4.0]])


def test_a_frame_sets_scales_limits_and_lines_through_zero(ax):
    plotting.curve(ax, [1.0, 10.0], [-1.0, 1.0])
    plotting.frame(ax, "x (bins)", "y", log="x", zero="y", xlim=(0.5, 20), ylim=(None, 3))
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert ax.get_xlim() == (0.5, 20)
    assert ax.get_ylim()[1] == 3
    assert ax.get_ylim()[0] < -1
    assert ax.lines[-1].get_ydata() == [0, 0]


def test_headroom_is_a_share_of_the_height(ax):
    plotting.curve(ax, [0.0, 1.0], [0.0, 1.0])
    plotting.frame(ax, "x", "y", ylim=(0, 2), headroom=0.25)
    assert ax.get_ylim() == (0, 2.5)


def test_ticks_are_the_numbers_or_words_that_are_asked_for_and_no_others(ax):
    plotting.curve(ax, [0.02, 0.5], [0.0, 1.0])
    plotting.frame(ax, "x", "y", log="x", xticks=(0.02, 0.1, 0.5), yticks=["low", "high"])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0.02", "0.1", "0.5"]
    assert ax.get_xticks(minor=True).size == 0
    assert ax.get_yticks().tolist() == [0, 1]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["low", "high"]


def test_shapes_that_do_not_fit_and_colours_that_nobody_knows_are_refused(ax):
    with pytest.raises(ValueError, match=r"y: expected the shape of x, \(2,\), got \(3,\)"):
        plotting.curve(ax, [0.0, 1.0], [0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match="color: expected one of eq1, sum,"):
        plotting.points(ax, [0.0], [0.0], "o", "no colour")
    with pytest.raises(ValueError, match="zero: expected no logarithmic axis, which has no zero, got 'x'"):
        plotting.frame(ax, "x", "y", log="xy", zero="x")
    with pytest.raises(ValueError, match="y: expected finite numbers for bars, got 1 infinite"):
        plotting.bars(ax, [0.0, 1.0], [1.0, np.inf])
    with pytest.raises(ValueError, match="ylim: expected a lower and an upper limit or None"):
        plotting.frame(ax, "x", "y", ylim=(1,))
