"""Write the claims of a ledger into README's table: `python scripts/readme_table.py results/ledger.json`."""

import argparse
import json
from pathlib import Path
from typing import Any

START, END = "<!-- claims -->", "<!-- end of claims -->"
SIGN = {"within": "", "at_least": "≥ ", "at_most": "≤ "}


def row(record: dict[str, Any]) -> str:
    """Return one line of the table."""
    interval = record["interval"]
    between = f" ({interval[0]:.3g} … {interval[1]:.3g})" if interval else ""
    spread = f" ± {record['tolerance']:g}" if record["comparison"] == "within" else ""
    cells = (
        f"`{record['id']}`",
        record["claim"].replace("|", "\\|"),
        f"{record['measured']:.4g}{between}",
        f"{SIGN[record['comparison']]}{record['expected']:g}{spread}",
        record["verdict"].replace("_", " "),
    )
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Replace what stands between the two marks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ledger", type=Path)
    ledger = json.loads(parser.parse_args().ledger.read_text())
    readme = Path(__file__).parent.parent / "README.md"
    before, rest = readme.read_text().split(START)
    after = rest.split(END)[1]
    head = "| claim | what was measured | measured (95 %) | expected | verdict |\n|---|---|---|---|---|"
    readme.write_text("\n".join([before + START, head, *map(row, ledger), END + after]))


if __name__ == "__main__":
    main()
