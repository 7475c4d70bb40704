"""Rules side by side into a folder; one that has `compare.json`, written last, has all of the comparison."""

import csv
import io
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stdpjax import _checks, plotting
from stdpjax.lab import folder
from stdpjax.lab.portraits.choose import find_rule
from stdpjax.lab.portraits.figure import figure
from stdpjax.lab.portraits.portrait import portrait
from stdpjax.lab.portraits.settings import PortraitConfig
from stdpjax.lab.portraits.table import as_text, table
from stdpjax.lab.provenance import provenance

RECORD, TABLE, DATA = "compare.json", "table.csv", "portrait.nc"
FORMATS = ("png", "pdf", "svg")


def compare_into(
    rules: Sequence[str],
    config: PortraitConfig | None = None,
    seed: int = 0,
    out: str | Path = "compare",
    *,
    format: str = "png",
    force: bool = False,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Portray rules side by side and write the labelled arrays, a figure and a table into a folder.

    Args:
        rules: names, as `stdpjax.lab.portraits.find_rule` takes them.
        config: the settings; None for the defaults.
        seed: whole number, 0 or more and below 2**32, of spikes and drives.
        out: the folder; it is made if needed. Files of others in it are left as they are.
        format: of the figure: "png", "pdf" or "svg".
        force: overwrite a comparison that the folder holds.
        say: receives one line of text at a time.

    Returns:
        The record, also in `compare.json`: rules with where they come from, configuration, seed, provenance, checksums.

    Raises:
        ValueError: a rule that is not found or does not run, two of one name, a setting out of range, or a folder that
            holds a comparison.
        OSError: the folder cannot be written.

    Example:
        >>> import tempfile
        >>> from stdpjax.lab.portraits import PortraitConfig, compare_into
        >>> small = PortraitConfig(
        ...     n_pairs=1, n_trials=2, n_ramp_trials=2, n_sequences=4, n_trains=2, settle_ms=100.0, n_resamples=2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     record = compare_into(["eq1", "hebb"], small, out=folder, say=lambda line: None)
        >>> list(record["rules"]), sorted(record["files"])
        (['eq1', 'hebb'], ['portrait.nc', 'portrait.png', 'table.csv'])
    """
    config, seed = PortraitConfig() if config is None else config, _checks.seed(seed)
    _checks.instance("config", config, PortraitConfig, "a PortraitConfig or None")
    _checks.choice("format", format, FORMATS)
    out = folder.checked_path(out, say, force=force)
    if not isinstance(rules, list | tuple) or not rules:
        raise ValueError(f"rules: expected a list of names of rules, got {rules!r}")
    chosen = [find_rule(text) for text in rules]
    _checks.distinct("rules", tuple(one.name for one in chosen))
    picture, others = f"portrait.{format}", [f"portrait.{other}" for other in FORMATS]
    with folder.held(out, (RECORD, TABLE, DATA, *others)):
        held = [
            name for name in (RECORD, TABLE, DATA, *others) if (out / name).exists() and (out / name).stat().st_size
        ]
        if held and not force:
            raise ValueError(
                f"out: expected a folder without a comparison, got {str(out)!r} with {', '.join(held)}; give --force "
                "to overwrite it or another --out"
            )
        began = time.perf_counter()
        data = portrait({one.name: one.rule for one in chosen}, seed=seed, **vars(config))
        # Until the new one is complete there is none; a picture in another format is of the one before.
        for name in held:
            (out / name).unlink()
        origin = provenance()
        data.attrs |= {name: str(value) for name, value in origin.items()}
        with folder.aside(out / DATA) as partial:
            data.to_netcdf(partial, engine="h5netcdf")
        folder.write_text(out / TABLE, _as_csv(table(data)))
        with plotting.style():
            folder.save_figure(figure(data), out / picture)
        record = {
            "rules": {one.name: one.source for one in chosen},
            "missing": {name: data[name].attrs["missing"] for name in data if "missing" in data[name].attrs},
            "configuration": folder.plain(config),
            "seed": seed,
            "seconds": round(time.perf_counter() - began, 3),
            "finished": folder.now(),
            "provenance": origin,
            "files": folder.checksums(out, (DATA, TABLE, picture)),
        }
        folder.write_text(out / RECORD, folder.as_text(record))
    for line in as_text(data).splitlines():
        say(line)
    say(f"portraits, figure and table: {out}")
    return record


def _as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as text for spreadsheets, without a number where there is none."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: "" if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()})
    return text.getvalue()
