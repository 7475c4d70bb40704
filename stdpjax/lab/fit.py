"""Fits of rules to measurements, into a folder; one that has `fit.json`, written last, has all of the fit."""

import csv
import io
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optax
from jaxtyping import Array, Key

from stdpjax import _checks, plotting
from stdpjax.fitting.figure import draw
from stdpjax.fitting.fit import compare, fit
from stdpjax.fitting.measurements import Measurements
from stdpjax.fitting.reading import load
from stdpjax.fitting.result import Fit
from stdpjax.lab import folder
from stdpjax.lab.fit_settings import FitConfig
from stdpjax.lab.provenance import provenance
from stdpjax.random import key, named_key

__all__ = ["FitConfig", "fit_into"]

RECORD = "fit.json"
TABLE = "comparison.csv"
FIGURES = ("fit.png", "fit.svg", "fit.pdf")


def fit_into(
    config: FitConfig | None = None,
    seed: int = 0,
    out: str | Path = "fit",
    *,
    force: bool = False,
    show_progress: bool = True,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Fit a rule to measurements and write the fit, its figure and the comparison of rules into a folder.

    Args:
        config: the settings; None for the defaults.
        seed: whole number, 0 or more and below 2**32, of starts, resamples and the data that a preset draws.
        out: the folder; it is made if needed. Files of others in it are left as they are.
        force: overwrite a fit that the folder holds.
        show_progress: a bar over the rules on a terminal or in a notebook, elsewhere a line now and then.
        say: receives one line of text at a time.

    Returns:
        The record, also in `fit.json`: parameters with their intervals, comparison, configuration, seed, provenance.

    Raises:
        ValueError: a setting out of range, data that cannot be read or do not suffice, or a folder that holds a fit.
        OSError: the folder cannot be written.

    Example:
        >>> import tempfile
        >>> from stdpjax.lab.fit import FitConfig, fit_into
        >>> config = FitConfig(rule="pair", data="bi_poo_2001", n_starts=4, n_resamples=20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     record = fit_into(config, out=folder, say=lambda line: None)
        >>> sorted(record["parameters"]), record["n_points"]
        (['A_minus', 'A_plus', 'tau_minus', 'tau_plus'], 28)
    """
    config, seed = FitConfig() if config is None else config, _checks.seed(seed)
    _checks.instance("config", config, FitConfig, "a FitConfig or None")
    out = folder.checked_path(out, say, force=force, show_progress=show_progress)
    data = load(config.data, seed, n_repeats=config.n_repeats or None)
    with folder.held(out, (RECORD, TABLE, *FIGURES)):
        # A machine that goes down may leave files without content.
        held = [name for name in (RECORD, TABLE, *FIGURES) if (out / name).exists() and (out / name).stat().st_size]
        if held and not force:
            raise ValueError(
                f"out: expected a folder without a fit, got {str(out)!r} with {', '.join(held)}; give --force to "
                "overwrite it or another --out"
            )
        began = time.perf_counter()
        found, *others = _fits(config, data, named_key(key(seed), "fit"), show_progress)
        compared = sorted([found, *others], key=lambda one: one.aicc)
        record = _record(config, seed, data, found, compared, time.perf_counter() - began)
        # Until the new one is complete there is none.
        (out / RECORD).unlink(missing_ok=True)
        _write(out, found, compared, record, [f"fit.{one}" for one in config.format])
    for line in _in_words(found, compared, data):
        say(line)
    say(f"fit, figure and comparison: {out}")
    return record


def _fits(config: FitConfig, data: Measurements, random: Key[Array, ""], show_progress: bool) -> list[Fit]:
    """Fit the rule, and then those that it is compared with."""
    others = [name for name in config.compare if name != config.rule]
    shared = {"n_starts": config.n_starts, "confidence": config.confidence}
    with folder.progress("fit", 1 + len(others), "rules", show=show_progress) as advance:
        advance(0, config.rule)
        found = fit(
            named_key(random, config.rule),
            config.rule,
            data,
            n_resamples=config.n_resamples,
            fixed=dict(config.fix),
            free=config.free,
            **shared,
        )
        fits = [found]
        for name in others:
            advance(len(fits), name)
            fits += compare(random, [name], data, **shared)
    return fits


def _record(
    config: FitConfig, seed: int, data: Measurements, found: Fit, compared: Sequence[Fit], seconds: float
) -> dict[str, Any]:
    return {
        "rule": found.model,
        "data": data.name,
        "n_points": found.n_points,
        "parameters": {
            name: {key: list(part) if isinstance(part, tuple) else part for key, part in estimate._asdict().items()}
            for name, estimate in found.parameters.items()
        },
        "held": found.held,
        "errors": _errors(found),
        "starts": {"n": found.n_starts, "n_at_best": found.n_agreeing},
        "comparison": [_row(one, compared) for one in compared],
        "measurements": {
            "change": data.change.tolist(),
            "sem": None if data.sem is None else data.sem.tolist(),
            "fitted": found.prediction.tolist(),
            "unused_columns": list(data.unused),
        },
        "configuration": folder.plain(config),
        "seed": seed,
        "seconds": round(seconds, 3),
        "finished": folder.now(),
        "provenance": {**provenance(), "optax": optax.__version__},
    }


def _errors(found: Fit) -> dict[str, float | None]:
    names = ("sum_of_squares", "mean_square", "log_likelihood", "n_fitted", "aic", "aicc", "bic")
    return {name: number if math.isfinite(number := getattr(found, name)) else None for name in names}


def _row(one: Fit, compared: Sequence[Fit]) -> dict[str, Any]:
    above = one.aicc - compared[0].aicc
    return {
        "rule": one.model,
        "n_parameters": len(one.parameters),
        **_errors(one),
        "aic_above_best": one.aic - min(other.aic for other in compared),
        "aicc_above_best": above if math.isfinite(above) else None,
        "on_bound": "; ".join(f"{name} {_BOUNDS[end][0]}" for name, end in _on_bounds(one).items()),
    }


def _on_bounds(found: Fit) -> dict[str, str]:
    return {name: estimate.bound for name, estimate in found.parameters.items() if estimate.bound}


def _write(out: Path, found: Fit, compared: Sequence[Fit], record: dict[str, Any], figures: Sequence[str]) -> None:
    table = io.StringIO()
    writer = csv.DictWriter(table, record["comparison"][0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(record["comparison"])
    folder.write_text(out / TABLE, table.getvalue())
    with plotting.style():
        folder.save_figure(draw(found, compared), *(out / name for name in figures))
    # One of an earlier fit would be of other numbers.
    for name in {*FIGURES} - {*figures}:
        (out / name).unlink(missing_ok=True)
    folder.write_text(out / RECORD, folder.as_text(record))


# Where an estimate ended, in the table for spreadsheets and on the terminal.
_BOUNDS = {
    "low": ("low", "on the lower bound of its range"),
    "high": ("high", "on the upper bound of its range"),
    "both": ("not determined", "not determined by the measurements"),
}


def _in_words(found: Fit, compared: Sequence[Fit], data: Measurements) -> list[str]:
    width = max(len(name) for name in found.parameters)
    percent = f"{100 * found.confidence:g} %"
    lines = [f"columns not used: {', '.join(data.unused)}"] if data.unused else []
    lines += [
        f"{found.model}: {_mean_square(found)} on {found.n_points} points, "
        f"{found.n_agreeing} of {found.n_starts} starts ended at the best fit"
    ]
    if found.n_agreeing < 2:
        came = "the search for the intervals found it, so " if not found.n_agreeing else ""
        lines.append(f"  {came}there may be a better one: give more starts, --n-starts {4 * found.n_starts}")
    for name, estimate in found.parameters.items():
        unit = {"share of the weight": " of the weight", "": ""}.get(estimate.unit, f" {estimate.unit}")
        line = f"  {name:{width}}  {estimate.value:.4g}{unit}  profile {percent}: {_span(estimate.profile)}"
        line += f"  bootstrap: {_span(estimate.bootstrap)}" if estimate.bootstrap else ""
        lines.append(line + (f"  ({_BOUNDS[estimate.bound][1]})" if estimate.bound else ""))
    if len(compared) > 1:
        width = max(len(one.model) for one in compared)
        for one in compared:
            aicc = f"{one.aicc:8.2f}" if math.isfinite(one.aicc) else "too few points"
            corrected = "" if one.has_errors else f"  AICc {aicc}"
            bounds = f"  on bounds: {', '.join(_on_bounds(one))}" if _on_bounds(one) else ""
            lines.append(
                f"  {one.model:{width}}  k {one.n_fitted:2}{corrected}  AIC {one.aic:8.2f}  BIC {one.bic:8.2f}  "
                f"{_mean_square(one)}{bounds}"
            )
    return lines


def _mean_square(found: Fit) -> str:
    unit = "squared standard errors" if found.has_errors else "squared shares of the weight"
    return f"mean squared error {found.mean_square:.4g} ({unit})"


def _span(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.4g} … {interval[1]:.4g}"
