"""What differs between two ledgers or folders of results, claim by claim."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from stdpjax.lab.again.record import Recorded, read_json, read_record
from stdpjax.lab.provenance import differences

__all__ = ["Comparison", "Different", "compare", "compare_claims"]

_NUMBERS = ("measured", "interval", "control")
_OTHERS = ("verdict", "expected", "comparison", "tolerance")


class Different(NamedTuple):
    """A claim whose numbers, verdict or criterion differ."""

    id: str
    fields: tuple[str, ...]
    """Which of its record differ."""
    old: Mapping[str, Any]
    """Its record in the first ledger, and in the second."""
    new: Mapping[str, Any]
    is_within: bool | None
    """Whether each number lies in the other's interval; None where neither has one, or a number is not finite."""


class Comparison(NamedTuple):
    """What differs between two ledgers."""

    n_same: int
    """Claims that are in both, with the same numbers, intervals, verdicts and criteria."""
    different: tuple[Different, ...]
    only_old: tuple[str, ...]
    """Ids of claims."""
    only_new: tuple[str, ...]
    settings: tuple[str, ...] = ()
    """Differences of settings, seed or size, "STUDY: NAME: expected OLD, got NEW"; of folders alone."""
    versions: tuple[str, ...] = ()
    """Those of versions and machines, which may well leave all numbers the same."""

    @property
    def is_same(self) -> bool:
        """Whether the claims are the same, and as far as it is known the settings; versions may differ."""
        return not (self.different or self.only_old or self.only_new or self.settings)

    def __str__(self) -> str:
        """Return a table of the claims that differ, and lines for the rest."""
        rows = [("claim", "old", "new", "verdict", "difference")]
        for one in self.different:
            verdicts = dict.fromkeys((one.old.get("verdict"), one.new.get("verdict")))
            known = {None: "", True: " (within the intervals)", False: " (beyond the intervals)"}[one.is_within]
            words = ", ".join(one.fields) + known * ("measured" in one.fields)
            rows.append((one.id, _in_words(one.old), _in_words(one.new), " -> ".join(map(str, verdicts)), words))
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        padded = [
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
        lines = padded if self.different else []
        lines += [f"only in the old: {name}" for name in self.only_old]
        lines += [f"only in the new: {name}" for name in self.only_new]
        lines += [*self.settings, *self.versions, f"{self.n_same} claims are the same, {len(self.different)} differ"]
        return "\n".join(lines)


def compare(old: str | Path, new: str | Path) -> Comparison:
    """Compare two ledgers, or the folders of two runs, number by number: bit for bit, with the intervals beside it.

    Args:
        old: a `ledger.json`, the folder of results that has it, or a study's folder or `record.json`; of all but the
            first settings and versions are compared, too.
        new: another one.

    Returns:
        The claims that differ, or are in one of them alone.

    Raises:
        ValueError: what is no ledger or folder of results, or one that is damaged.

    Example:
        >>> import json, pathlib, tempfile
        >>> from stdpjax.lab.again import compare
        >>> claim = {"id": "eq1.half", "measured": 0.5, "interval": [0.4, 0.6], "verdict": "met"}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     old, new = (pathlib.Path(folder) / name for name in ("old.json", "new.json"))
        ...     _ = old.write_text(json.dumps([claim])), new.write_text(json.dumps([{**claim, "measured": 0.55}]))
        ...     found = compare(old, new)
        >>> [(one.id, one.fields, one.is_within) for one in found.different], found.is_same
        ([('eq1.half', ('measured',), True)], False)
    """
    (old_claims, old_runs), (new_claims, new_runs) = _read("old", old), _read("new", new)
    settings, versions = [], []
    for name in sorted(old_runs.keys() & new_runs.keys()):
        one, other = old_runs[name], new_runs[name]
        settings += [f"{name}: {text}" for text in differences(_settings(one), _settings(other))]
        versions += [f"{name}: {text}" for text in differences(one.provenance, other.provenance)]
    found = compare_claims(old_claims, new_claims)
    return found._replace(settings=tuple(settings), versions=_once(versions))


def compare_claims(old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]) -> Comparison:
    """Compare the records of claims by their ids."""
    common = [name for name in old if name in new]
    fields = {
        name: tuple(field for field in (*_NUMBERS, *_OTHERS) if old[name].get(field) != new[name].get(field))
        for name in common
    }
    different = tuple(
        Different(name, fields[name], old[name], new[name], _is_within(old[name], new[name]))
        for name in common
        if fields[name]
    )
    only = (tuple(name for name in one if name not in other) for one, other in ((old, new), (new, old)))
    return Comparison(len(common) - len(different), different, *only)


def _is_within(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool | None:
    known = [(one["interval"], other["measured"]) for one, other in ((old, new), (new, old)) if one.get("interval")]
    if not known or any(number is None for interval, value in known for number in (*interval, value)):
        return None
    return all(low <= value <= high for (low, high), value in known)


def _in_words(record: Mapping[str, Any]) -> str:
    """Return a number with its interval."""
    low, high = record.get("interval") or (None, None)
    interval = "" if low is None or high is None else f" [{low:.6g}, {high:.6g}]"
    return ("not finite" if record.get("measured") is None else f"{record['measured']:.8g}") + interval


def _settings(run: Recorded) -> dict[str, Any]:
    return {**run.configuration, "seed": run.seed, "is_smoke": run.is_smoke}


def _once(lines: list[str]) -> tuple[str, ...]:
    """Return lines of studies with those that several have told once."""
    studies: dict[str, list[str]] = {}
    for line in lines:
        name, _, text = line.partition(": ")
        studies.setdefault(text, []).append(name)
    shown = ((names if len(names) < 3 else [f"{len(names)} studies"], text) for text, names in studies.items())
    return tuple(f"{', '.join(names)}: {text}" for names, text in shown)


def _read(argument: str, path: str | Path) -> tuple[dict[str, dict[str, Any]], dict[str, Recorded]]:
    """Return claims by their ids, and the runs that they are of by their studies."""
    if not isinstance(path, str | Path) or not str(path):
        raise ValueError(f"{argument}: expected a ledger or a folder of results, got {path!r:.80}")
    path = Path(path)
    try:
        if path.name == "record.json" or (path / "record.json").is_file():
            run = read_record(path)
            return _by_id(argument, path, run.claims), {run.study: run}
        if not path.is_dir():
            return _by_id(argument, path, read_json(argument, path)), {}
        claims = _by_id(argument, path, read_json(argument, path / "ledger.json"))
        names = {claim["study"] for claim in claims.values() if isinstance(claim.get("study"), str)}
        return claims, {name: read_record(path / name) for name in sorted(names)}
    except ValueError as error:
        raise ValueError(f"{argument}: {str(error).removeprefix(f'{argument}: ').removeprefix('file: ')}") from error


def _by_id(argument: str, path: Path, content: Any) -> dict[str, dict[str, Any]]:
    is_ledger = isinstance(content, list) and all(isinstance(one, dict) and _is_claim(one) for one in content)
    claims = {claim["id"]: claim for claim in content} if is_ledger else {}
    if not is_ledger or len(claims) < len(content):
        how = ", which has an id twice" if is_ledger else ", which is not one record for each claim"
        raise ValueError(f"{argument}: expected a ledger.json or a folder of results, got {str(path)!r}{how}")
    return claims


def _is_claim(record: dict[str, Any]) -> bool:
    """Whether a record has an id, a number or None, and an interval of two such or None."""
    interval = record.get("interval")
    numbers = [record.get("measured"), *(interval if isinstance(interval, list) else ())]
    return (
        isinstance(record.get("id"), str)
        and (interval is None or (isinstance(interval, list) and len(interval) == 2))
        and all(number is None or type(number) in (int, float) for number in numbers)
    )
