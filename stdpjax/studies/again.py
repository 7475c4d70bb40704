"""A recorded run, run again."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from stdpjax.lab import Study, folder
from stdpjax.lab.again import Comparison, Recorded, read_record
from stdpjax.lab.again.compare import compare_claims
from stdpjax.lab.identity import source_of
from stdpjax.lab.own.places import names_a_place, studies_at
from stdpjax.lab.provenance import differences, provenance
from stdpjax.lab.reproduce import run_into
from stdpjax.studies.index import found

__all__ = ["repeat"]


def repeat(
    record: str | Path,
    out: str | Path,
    *,
    study: str | Study | None = None,
    force: bool = False,
    show_progress: bool = True,
    say: Callable[[str], None] = print,
) -> Comparison:
    """Run again what a record tells of: the same study, settings, seed and size, into a folder of its own.

    Versions, device and the source of a study of one's own are compared with the recorded ones, and what differs is
    said before the run.

    Args:
        record: a `record.json`, or the study's folder that has it.
        out: the folder; it is made if needed.
        study: where the study is now, if it is not where it was: its name, FILE.py:NAME, MODULE:NAME, or a `Study`.
        force: run and overwrite the study if it is there.
        show_progress: a bar on a terminal or in a notebook, elsewhere a line now and then.
        say: receives one line of text at a time.

    Returns:
        What differs between the record's claims and those of this run.

    Raises:
        ValueError: no record of a study, a study that cannot be found, settings that it does not have any more, or
            results that would be overwritten.
        OSError: the folder cannot be written.

    Example:
        >>> import tempfile
        >>> from stdpjax import studies
        >>> options = {"show_progress": False, "say": lambda line: None}
        >>> with tempfile.TemporaryDirectory() as home:
        ...     _ = studies.run_into(f"{home}/first", ["example_traces"], seed=3, smoke=True, **options)
        ...     studies.repeat(f"{home}/first/example_traces", f"{home}/again", **options).is_same
        True
    """
    out = folder.checked_path(out, say, force=force, show_progress=show_progress)
    try:
        recorded = read_record(record)
    except ValueError as error:
        raise ValueError(f"record: {str(error).removeprefix('file: ')}") from error
    chosen = _study_of(recorded, study)
    known = {field.name: getattr(chosen.config, field.name) for field in dataclasses.fields(chosen.config)}
    versions = differences(recorded.provenance, {**provenance(), **source_of(chosen)})
    added = [
        f"{name}: not in the record, {value!r}" for name, value in known.items() if name not in recorded.configuration
    ]
    for line in (*versions, *added):
        say(f"{chosen.name}: not as recorded: {line}")
    ledger = run_into(
        out,
        (chosen,),
        seed=recorded.seed,
        smoke=recorded.is_smoke,
        force=force,
        overrides={chosen.name: {**known, **recorded.configuration}},
        show_progress=show_progress,
        say=say,
    )
    old = {claim["id"]: claim for claim in recorded.claims}
    new = {claim["id"]: claim for claim in ledger if claim["study"] == chosen.name}
    return compare_claims(old, new)._replace(versions=tuple(versions), settings=tuple(added))


def _study_of(recorded: Recorded, study: str | Study | None) -> Study:
    """Return the study that is run again."""
    if study is None and recorded.is_own and recorded.place is None:
        raise ValueError(
            f"record: expected one of a study that can be found again, got one of {recorded.study!r}, which was not "
            "in a file or module; give study"
        )
    where = study if study is not None else recorded.place if recorded.is_own else recorded.study
    if isinstance(where, str) and names_a_place(where):
        several = {one.name: one for one in studies_at(where)}
    else:
        several = {one.name: one for one in [found("study", where)]}  # pyright: ignore[reportArgumentType]
    if recorded.study not in several:
        raise ValueError(f"study: expected {recorded.study!r}, which the record is of, got {', '.join(several)}")
    return several[recorded.study]
