"""Write the claims of a ledger into README, folded by study: `python scripts/readme_table.py results/ledger.json`."""

import argparse
import collections
import itertools
import json
from pathlib import Path
from typing import Any

from stdpjax.report import COMPARISONS
from stdpjax.studies import find

START, END = "<!-- claims -->", "<!-- end of claims -->"
HEAD = "| claim | what was measured | measured (95 %) | expected | verdict |\n|---|---|---|---|---|"


def row(record: dict[str, Any]) -> str:
    """Return one line of the table."""
    interval = record["interval"]
    between = f" ({interval[0]:.3g} … {interval[1]:.3g})" if interval else ""
    spread = f" ± {record['tolerance']:g}" if record["comparison"] == "within" else ""
    cells = (
        f"`{record['id']}`",
        record["claim"].replace("|", "\\|"),
        f"{record['measured']:.4g}{between}",
        f"{COMPARISONS[record['comparison']]}{record['expected']:g}{spread}",
        record["verdict"].replace("_", " "),
    )
    return "| " + " | ".join(cells) + " |"


def section(name: str, records: list[dict[str, Any]]) -> str:
    """Return the folded table of one study."""
    counts = collections.Counter(record["verdict"].replace("_", " ") for record in records)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    summary = f"<summary><code>{name}</code>: {find(name).title} ({verdicts})</summary>"
    return "\n".join(["<details>", summary, "", HEAD, *map(row, records), "", "</details>"])


def main() -> None:
    """Replace what stands between the two marks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ledger", type=Path)
    ledger = json.loads(parser.parse_args().ledger.read_text())
    readme = Path(__file__).parent.parent / "README.md"
    before, rest = readme.read_text().split(START)
    after = rest.split(END)[1]
    by_study = itertools.groupby(ledger, key=lambda record: record["study"])
    sections = [section(name, list(records)) for name, records in by_study]
    readme.write_text("\n".join([before + START, *sections, END + after]))


if __name__ == "__main__":
    main()
