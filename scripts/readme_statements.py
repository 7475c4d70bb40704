"""Bring README's index of statements up to a run: `stdpjax reproduce`, then `readme_statements.py results`.

Order, ids, places, verdicts and their counts are those of the run's `statements.json`. The few words in which a row
says its statement are written by hand, in README itself, and stay; a new row starts with the whole sentence.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stdpjax.studies import STATEMENTS

README = Path(__file__).parent.parent / "README.md"
# What README calls each verdict.
VERDICTS = {"holds": "holds", "holds_with_conditions": "conditions", "corrected": "corrected", "open": "open"}
_START, _END = "<!-- The index: scripts/readme_statements.py writes all but the third column. -->\n", "<!-- end -->"
_ROW = re.compile(r"\| (?P<id>\S+) \| (?P<where>[^|]+) \| (?P<words>[^|]+) \| (?P<verdict>\w+) \|")


def rows(readme: str) -> list[dict[str, str]]:
    """Return the rows of the index: id, where, words and verdict of each."""
    index = readme.split(_START, 1)[1].split(_END, 1)[0]
    return [found.groupdict() for line in index.splitlines() if (found := _ROW.fullmatch(line)) and found["id"] != "id"]


def updated(readme: str, judgements: Sequence[Mapping[str, Any]]) -> str:
    """Return README with the index of these statements, each with its id, where, says and verdict."""
    before, _, rest = readme.partition(_START)
    _, _, after = rest.partition(_END)
    words = {row["id"]: row["words"] for row in rows(readme)}
    verdicts = [one["verdict"] for one in judgements]
    hold, limited, corrected, unknown = (verdicts.count(verdict) for verdict in VERDICTS)
    columns = (
        (one["id"], short(one["where"]), words.get(one["id"]) or str(one["says"]), VERDICTS[one["verdict"]])
        for one in judgements
    )
    lines = [
        f"Of {len(verdicts)} statements {hold} hold, {limited} hold with conditions or but for slips, {corrected} are "
        f"corrected, {unknown} are open.",
        "",
        "| id | where | what the paper says | verdict |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in columns),
    ]
    return "\n".join([f"{before}{_START}{lines[0]}", *lines[1:], f"{_END}{after}"])


def short(where: str) -> str:
    """Return a place in the paper with its nouns abbreviated."""
    where = re.sub("[Ss]ection ", "§", where)
    return re.sub("paragraphs?", "par.", where.replace("Figure ", "Fig. "))


def main(out: Path) -> None:
    """Write README's index from a folder of results."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in out.glob("*/record.json")]
    records = [record for record in found if "is_smoke" in record]  # not those of a training or a fit
    if any(record["is_smoke"] or record["seed"] for record in records):
        raise SystemExit(f"{out}: expected a run at full size with seed 0")
    judgements = json.loads((out / "statements.json").read_text(encoding="utf-8"))
    missing = {one.id for one in STATEMENTS} - {one["id"] for one in judgements}
    if missing:
        raise SystemExit(f"{out}: expected a run of all studies, got nothing of {', '.join(sorted(missing))}")
    readme = README.read_text(encoding="utf-8")
    README.write_text(updated(readme, judgements), encoding="utf-8")
    old, new = ({one["id"] for one in side} for side in (rows(readme), judgements))
    print(f"{len(new)} statements from {len(records)} studies; new {sorted(new - old)}, gone {sorted(old - new)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
