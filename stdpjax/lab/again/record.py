"""The record of a study's run, as far as the run can be repeated."""

import json
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Recorded", "read_record"]


class Recorded(NamedTuple):
    """What a run was: enough to run it again, and what it found."""

    study: str
    place: str | None
    """FILE.py:NAME or MODULE:NAME of a study that is not of this package; None for ours, and for one without."""
    seed: int
    is_smoke: bool
    configuration: dict[str, Any]
    provenance: dict[str, Any]
    claims: list[dict[str, Any]]

    @property
    def is_own(self) -> bool:
        """Whether the study is not one of this package."""
        return "source_hash" in self.provenance


_KINDS = {
    "study": str,
    "place": str | None,
    "seed": int,
    "is_smoke": bool,
    "configuration": dict,
    "provenance": dict,
    "claims": list,
}


def read_record(file: str | Path) -> Recorded:
    """Return what the `record.json` of a study's run says.

    Args:
        file: the record, or the study's folder with it.

    Returns:
        What it takes to repeat the run, and its claims.

    Raises:
        ValueError: no such file, or not the record of a study.

    Example:
        >>> import tempfile, stdpjax
        >>> from stdpjax.lab.again import read_record
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = stdpjax.studies.run_into(
        ...         folder, ["example_traces"], smoke=True, show_progress=False, say=lambda line: None)
        ...     read_record(f"{folder}/example_traces").configuration["n_trials"]
        500
    """
    if not isinstance(file, str | Path) or not str(file):
        raise ValueError(f"file: expected the record.json of a study's run, got {file!r:.80}")
    path = Path(file)
    path = path / "record.json" if path.is_dir() else path
    content = read_json("file", path)
    # Records have had no place at first.
    found = {"place": None, **content} if isinstance(content, dict) else {}
    wrong = [name for name, kind in _KINDS.items() if not isinstance(found.get(name), kind)]
    if wrong or not all(isinstance(claim, dict) and isinstance(claim.get("id"), str) for claim in found["claims"]):
        raise ValueError(
            f"file: expected the record.json of a study's run, got {str(path)!r}, which lacks "
            f"{', '.join(wrong) or 'the ids of its claims'}"
        )
    return Recorded(**{name: found[name] for name in _KINDS})


def read_json(argument: str, path: Path) -> Any:
    """Return what a file of JSON holds, or refuse it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{argument}: expected a file to read, got {str(path)!r}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{argument}: expected JSON, got {str(path)!r}: {error}") from error
