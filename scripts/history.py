"""The history of the benchmark: `benchmarks.jsonl`, one measurement a line, and its picture."""

import itertools
import json
import math
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.dates as mdates
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from timing import Row

FILE = Path(__file__).with_name("benchmarks.jsonl")
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
MARKERS = ("o", "s", "^", "D", "v")
N_COLUMNS = 5


def keep(where: Mapping[str, Any], rows: list[Row]) -> None:
    """Append a measurement: when, where, and of each row the number and its limit."""
    device = "" if where["backend"] == "cpu" else f", {where['device']}"
    line = {
        "date": where["date"],
        "machine": f"{where['cpu']}, {where['cores']} cores{device}",
        "load_average": round(where["load_average"], 1),
        **{name: where[name] for name in ("stdpjax", "jax", "python")},
        "rows": {row["what"]: [float(f"{row['ratio']:.3g}"), row.get("bound")] for row in rows},
    }
    with FILE.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def picture() -> Figure:
    """Return a picture of each row that the last measurement has: its number over time, by machine, and its limit."""
    lines = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    lines.sort(key=lambda line: line["date"])
    machines = list(dict.fromkeys(line["machine"] for line in lines))
    rows = list(lines[-1]["rows"])
    n_rows = math.ceil(len(rows) / N_COLUMNS)
    height = 2.1 * n_rows + 1
    figure = Figure(figsize=(2.6 * N_COLUMNS, height))
    # By hand, as titles of up to three lines are more than the automatic layouts can place.
    figure.subplots_adjust(0.04, 0.9 / height, 0.985, 1 - 0.5 / height, wspace=0.3, hspace=0.65)
    panels = figure.subplots(n_rows, N_COLUMNS, sharex=True, squeeze=False).ravel()
    for panel, row in zip(panels, rows, strict=False):
        draw_row(panel, [line for line in lines if row in line["rows"]], row, machines)
    for panel in panels[len(rows) :]:
        panel.set_visible(False)
    for panel in panels[max(0, len(rows) - N_COLUMNS) : len(rows)]:
        panel.tick_params(labelbottom=True)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=4, frameon=False, fontsize=8)
    return figure


def draw_row(panel: Axes, lines: list[Any], row: str, machines: list[str]) -> None:
    """Draw one row of the table over time."""
    days = [mdates.datestr2num(line["date"]) for line in lines]
    values, limits = (
        [math.nan if line["rows"][row][i] is None else line["rows"][row][i] for line in lines] for i in (0, 1)
    )
    for name, color, marker in zip(machines, itertools.cycle(COLORS), itertools.cycle(MARKERS), strict=False):
        mine = [i for i, line in enumerate(lines) if line["machine"] == name]
        points = [days[i] for i in mine], [values[i] for i in mine]
        panel.plot(*points, color=color, marker=marker, ms=4, lw=1.2, clip_on=False, label=name)
    panel.step(days, limits, where="post", color="0.35", ls="--", lw=1, label="should be at most")
    panel.plot(days[-1:], limits[-1:], color="0.35", marker="_", ms=8)  # a limit that is new has no line yet
    highest = max(value for value in [*values, *limits] if not math.isnan(value))
    panel.set_ylim(min(0, *values), 1.1 * highest if highest > 0 else 1)
    panel.set_title(textwrap.fill(row.replace("`", ""), 34), fontsize=7)
    locator = mdates.AutoDateLocator(minticks=2, maxticks=4)
    panel.xaxis.set_major_locator(locator)
    panel.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))
    panel.xaxis.get_offset_text().set_fontsize(7)
    panel.tick_params(labelsize=7)
    panel.spines[["top", "right"]].set_visible(False)
