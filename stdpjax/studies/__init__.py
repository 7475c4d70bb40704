"""Studies: each measures one claim of the paper and says whether it holds."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stdpjax.lab import Claim, Result, Study, reproduce
from stdpjax.studies.again import repeat
from stdpjax.studies.index import FIRST, STUDIES, Place, find, found, installed, where
from stdpjax.studies.statements import STATEMENTS

__all__ = ["STATEMENTS", "STUDIES", "Claim", "Place", "Result", "Study", "find", "installed", "repeat", "run"]
__all__ += ["run_into", "where"]


def run(
    study: str | Study, seed: int = 0, smoke: bool = False, *, show_progress: bool = True, **overrides: Any
) -> Result:
    """Run one study in memory and judge it.

    Args:
        study: its name, see `stdpjax.studies.STUDIES` and `installed`, or a `Study` of your own.
        seed: whole number, 0 or more and below 2**32. The same seed on the same machine gives the same numbers.
        smoke: use the study's smoke configuration, made of seconds; its records carry no verdict.
        show_progress: a bar on a terminal or in a notebook, elsewhere a line now and then.
        **overrides: settings of the study's configuration to replace.

    Returns:
        The result: `.data` (labelled arrays), `.records` (one for each claim), `.figure()`.

    Raises:
        ValueError: unknown study or setting (the known ones are listed), or a value of the wrong type or out of range.

    Example:
        >>> import stdpjax
        >>> result = stdpjax.studies.run("example_traces", smoke=True, show_progress=False)
        >>> [record["id"] for record in result.records]
        ['eq2.mean']
    """
    return reproduce.run(find(study), seed, smoke, show_progress=show_progress, **overrides)


def run_into(
    out: str | Path,
    studies: Sequence[str | Study] | None = None,
    *,
    seed: int = 0,
    smoke: bool = False,
    force: bool = False,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    show_progress: bool = True,
    say: Callable[[str], None] = print,
    jobs: int | None = 1,
) -> list[dict[str, Any]]:
    """Run studies into a folder: data, figures, records, ledger and report.

    Studies of this very configuration that the folder already holds are kept, which is how an interrupted run goes
    on. If that leaves nothing to do, or a study is there with another configuration, nothing is run unless `force`
    is given. For a study of your own the text of its file counts as configuration. With several processes all of them
    make the same call and compute; the main one alone touches the folder and speaks.

    Args:
        out: the folder; it is made if needed.
        studies: names of studies, or a `Study` of your own, to run; all of the paper by default.
        seed: whole number, 0 or more and below 2**32.
        smoke: use the smoke configurations.
        force: run and overwrite the studies that are there; files that no run has made are refused all the same.
        overrides: study name to settings to replace.
        show_progress: a bar on a terminal or in a notebook, elsewhere a line now and then.
        say: receives one line of text at a time.
        jobs: how many processes work at a time, a study in each; the results are the same. None for as many as there
            are cores and memory for. A study of your own that no other process can import is run by this one.

    Returns:
        The ledger: one record for each claim of each study in the folder.

    Raises:
        ValueError: unknown study or setting, a value out of range, results that would be overwritten, or a folder
            that somebody else is writing.
        OSError: the folder cannot be written, or a process died (ChildProcessError), whose study is named.
        stdpjax.parallel.MainProcessError: in the other processes, where the main one raised any of these.

    Example:
        >>> import tempfile, stdpjax
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ledger = stdpjax.studies.run_into(
        ...         folder, ["example_traces"], smoke=True, show_progress=False, say=lambda line: None)
        >>> [record["id"] for record in ledger]
        ['eq2.mean']
    """
    if studies is not None and (isinstance(studies, str) or not isinstance(studies, Sequence) or not studies):
        raise ValueError(
            f"studies: expected a sequence of at least one name or Study, or None for all, got {studies!r:.80}"
        )
    chosen = STUDIES if studies is None else [found("studies", one) for one in studies]
    return reproduce.run_into(
        out,
        tuple({id(study): study for study in chosen}.values()),  # each once
        seed=seed,
        smoke=smoke,
        force=force,
        overrides=overrides,
        show_progress=show_progress,
        say=say,
        jobs=jobs,
        outline=reproduce.Outline(tuple(study.name for study in STUDIES), STATEMENTS, FIRST),
    )
