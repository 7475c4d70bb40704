"""Studies: run in memory, or into a folder with records, ledger and report.

The folder has a subfolder for each study, `ledger.json`, `statements.json` and `report.html`. A study's subfolder
appears complete or not at all, so an interrupted run leaves nothing half written and goes on where it stopped.
"""

import contextlib
import dataclasses
import functools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stdpjax import _checks, parallel
from stdpjax.lab import folder, plotting, report, settings
from stdpjax.lab.identity import identity, source_of
from stdpjax.lab.provenance import provenance
from stdpjax.lab.statement import Statement, judged
from stdpjax.lab.study import Progress, Result, Study, failures, make_record
from stdpjax.random import key, named_key

RECORD, LEDGER, REPORT, JUDGED = "record.json", "ledger.json", "report.html", "statements.json"
# What a study's folder holds beside its record.
_FILES = ("result.nc", "figure.png", "figure.svg")
_DESCRIPTION = ("title", "figure", "source", "caption")


def make_config(study: Study, is_smoke: bool, overrides: Mapping[str, Any]) -> Any:
    """Return a study's configuration with some settings replaced, refusing those that are wrong or without effect.

    All settings at once, as a record keeps them, may hold some that have no effect beside the others.
    """
    config = settings.replace(study.configuration(is_smoke), overrides, study.name)
    if len(overrides) < len(dataclasses.fields(config)):
        settings.refuse_without_effect(config, overrides)
    return config


def run(study: Study, seed: int = 0, smoke: bool = False, *, show_progress: bool = True, **overrides: Any) -> Result:
    """Run one study in memory and judge it; see `stdpjax.studies.run`."""
    _checks.instance("study", study, Study, "a Study")
    for flag, value in (("smoke", smoke), ("show_progress", show_progress)):
        _checks.flag(flag, value)
    config = make_config(study, smoke, overrides)
    with _bar(study.name, show_progress) as progress:
        return _run(study, config, seed, smoke, progress)


def _run(study: Study, config: Any, seed: int, is_smoke: bool, progress: Progress) -> Result:
    data = study.run(named_key(key(seed), study.name), config, progress)
    wrong = failures(data)
    records = tuple(
        {**make_record(study, claim, claim.measurement(data), config, is_smoke, wrong), "seed": seed}
        for claim in study.claims
    )
    return Result(study, config, seed, is_smoke, data, records)


@contextlib.contextmanager
def _bar(name: str, show: bool) -> Iterator[Progress]:
    with folder.progress(name, 100, "%", show=show) as advance:
        yield lambda fraction, stage: advance(100 * fraction, stage)


class Outline(NamedTuple):
    """What a ledger and a report follow."""

    studies: tuple[str, ...] = ()
    """Names, in their order."""
    statements: tuple[Statement, ...] = ()
    """Of the source, in its order; those whose claims were all run are judged."""


NOTHING = Outline()


class _Task(NamedTuple):
    study: Study
    config: Any
    identity: str
    origin: Mapping[str, Any]
    folder: Path


def run_into(
    out: str | Path,
    studies: Sequence[Study],
    *,
    seed: int = 0,
    smoke: bool = False,
    force: bool = False,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    show_progress: bool = True,
    say: Callable[[str], None] = print,
    outline: Outline = NOTHING,
) -> list[dict[str, Any]]:
    """Run studies into a folder; see `stdpjax.studies.run_into`.

    Ledger and report have all studies that the folder holds, those of the outline first, and its statements.
    """
    out = folder.checked_path(out, say, smoke=smoke, force=force, show_progress=show_progress)
    seed = _checks.seed(seed)
    overrides = {} if overrides is None else overrides
    if not isinstance(overrides, Mapping) or not all(isinstance(each, Mapping) for each in overrides.values()):
        raise ValueError(f"overrides: expected study name to settings, got {overrides!r:.80}")
    names = [study.name for study in studies]
    _checks.distinct("studies", tuple(names))
    for name in overrides:
        if name not in names:
            raise ValueError(f"overrides: expected settings of a study that is run ({', '.join(names)}), got {name!r}")
    tasks, origin = [], provenance()
    for study in studies:
        config = make_config(study, smoke, overrides.get(study.name, {}))
        its = identity(study, config, seed, smoke, origin)
        tasks.append(_Task(study, config, its, {**origin, **source_of(study)}, out / study.name))
    outline = outline._replace(studies=tuple(dict.fromkeys([*outline.studies, *names])))
    is_main = parallel.is_main_process()
    with contextlib.ExitStack() as lock, folder.interrupts() as was_interrupted:
        # The folder is the main process's alone, and may be its disk's; all agree on what is to do.
        todo = parallel.on_main_process(lambda: _open(tasks, out, outline, force, lock))
        for number, task in enumerate(tasks, start=1):
            if task.study.name not in todo:
                if is_main:
                    say(f"{task.study.name}: kept, already done")
                continue
            if is_main and task.folder.exists():
                say(f"{task.study.name}: overwriting {task.folder}")
            start = time.perf_counter()
            place = f" ({number} of {len(tasks)})" if len(tasks) > 1 else ""
            with _bar(task.study.name + place, show_progress) as progress:
                result = _run(task.study, task.config, seed, smoke, progress)
            if was_interrupted():
                raise KeyboardInterrupt
            seconds = time.perf_counter() - start
            parallel.on_main_process(functools.partial(_keep, out, outline, task, result, seconds, say))
        return parallel.on_main_process(lambda: _write_summary(out, outline, say))


def _open(tasks: Sequence[_Task], out: Path, outline: Outline, force: bool, lock: contextlib.ExitStack) -> list[str]:
    """Lock the folder and return the names of the studies to run."""
    lock.enter_context(folder.held(out, (*outline.studies, LEDGER, REPORT, JUDGED)))
    _refuse_files_of_others(tasks, out, outline)
    return [task.study.name for task in (tasks if force else _not_done(tasks, out, outline))]


def _refuse_files_of_others(tasks: Sequence[_Task], out: Path, outline: Outline) -> None:
    """Refuse to replace what no run of ours has written, whatever `force` says."""
    others = [task.folder.name for task in tasks if task.folder.exists() and not (task.folder / RECORD).exists()]
    if not _names_in(out, outline):
        others += [name for name in (LEDGER, REPORT, JUDGED) if (out / name).exists()]
    if others:
        raise ValueError(
            f"out: expected a folder without files of others, got {str(out)!r}, where {', '.join(others)} (not made by "
            "a run) would be overwritten; move them away or give another --out"
        )


def _not_done(tasks: Sequence[_Task], out: Path, outline: Outline) -> list[_Task]:
    """Return the tasks still to run, maybe none where ledger or report is missing; refuse to overwrite anything."""
    present = [task for task in tasks if task.folder.exists()]
    wrong = {task.study.name: _what_is_wrong(task) for task in present}
    done = [task for task in present if wrong[task.study.name] is None]
    other = [name for name, text in wrong.items() if text is not None]
    if other:
        how = "; ".join(f"{name}/{text}" for name, text in wrong.items() if text)
        raise ValueError(
            f"out: expected a folder without other results, got {str(out)!r}, where {', '.join(other)} (of another "
            f"configuration, seed or version, or damaged{': ' * bool(how)}{how}) would be overwritten; give --force or "
            "another --out"
        )
    if tasks and len(done) == len(tasks) and _has_summary(out, outline):
        raise ValueError(
            f"out: expected a folder with something left to do, got {str(out)!r}, where "
            f"{', '.join(task.study.name for task in done)} would be overwritten; give --force or another --out"
        )
    return [task for task in tasks if task not in done]


def _what_is_wrong(task: _Task) -> str | None:
    """Return None for a study that is done, or else which file is damaged, nothing if it is of something else."""
    read = _read_study(task.folder)
    if isinstance(read, str):
        return read
    if read.record["identity"] != task.identity:
        return ""
    for name, expected in read.record["files"].items():
        try:
            found = folder.checksum(task.folder / name)
        except OSError as error:
            return f"{name}: {error.strerror}"
        if found != expected:
            return f"{name} is not as it was written"
    return None


def _read_study(home: Path) -> report.Section | str:
    """Return a study's record and figure, as ledger and report need them, or what is wrong with its folder."""
    try:
        record = json.loads((home / RECORD).read_text(encoding="utf-8"))
        section = report.Section(record, (home / "figure.svg").read_text(encoding="utf-8"))
        report.render([section])
        json.dumps(record["claims"], allow_nan=False)
        if {*record["files"]} != {*_FILES}:
            return f"{RECORD} names no checksum of {', '.join(_FILES)}"
        names = {record["study"], *(claim["study"] for claim in record["claims"])}
        if not isinstance(record["identity"], str) or names != {home.name}:
            return f"{RECORD} is of something else"
    except OSError as error:
        return f"{Path(error.filename or home).name}: {error.strerror}"
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        return " ".join(f"{RECORD}: {type(error).__name__}: {error}".split())
    return section


def _keep(out: Path, outline: Outline, task: _Task, result: Result, seconds: float, say: Callable[[str], None]) -> None:
    """Write a study's folder, and ledger and report with it."""
    record = {
        "study": task.study.name,
        **{name: getattr(task.study, name) for name in _DESCRIPTION},
        "identity": task.identity,
        "seed": result.seed,
        "is_smoke": result.is_smoke,
        "configuration": folder.plain(result.config),
        "provenance": task.origin,
        "finished": folder.now(),
        "seconds": round(seconds, 3),
        "claims": list(result.records),
    }
    with folder.folder_aside(task.folder) as home:
        data = result.data.assign_attrs(
            **{name: record[name] for name in ("title", "source", "study", "identity", "seed", "finished")},
            is_smoke=_attribute(result.is_smoke),
            configuration=json.dumps(record["configuration"]),
            **{name: _attribute(value) for name, value in task.origin.items()},
        )
        data.to_netcdf(home / "result.nc", engine="h5netcdf")
        with plotting.style():
            folder.save_figure(result.figure(), home / "figure.png", home / "figure.svg")
        folder.write_text(home / RECORD, folder.as_text({**record, "files": folder.checksums(home, _FILES)}))
    _write_summary(out, outline, lambda line: None)  # the last one says what is missing
    say(f"{task.study.name}: done in {seconds:.1f} s")


def _attribute(value: str | int | None) -> str | int:
    """Return a value that netCDF can hold, which has neither truth values nor None."""
    return json.dumps(value) if value is None or isinstance(value, bool) else value


def _write_summary(out: Path, outline: Outline, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Write ledger and report from the studies that the folder holds; leave out, and name, what cannot be read."""
    texts, ledger, damaged = _summary(out, outline)
    for line in damaged:
        say(line)
    for name, text in texts.items():
        folder.write_text(out / name, text)
    return ledger


def _has_summary(out: Path, outline: Outline) -> bool:
    """Whether ledger and report are those of the studies in the folder."""
    texts, _, _ = _summary(out, outline)
    try:
        return all((out / name).read_text(encoding="utf-8") == text for name, text in texts.items())
    except (OSError, ValueError):
        return False


def _summary(out: Path, outline: Outline) -> tuple[dict[str, str], list[dict[str, Any]], list[str]]:
    """Return the texts of ledger and report, the ledger's records, and a line for each study that cannot be read."""
    read = {name: _read_study(out / name) for name in _names_in(out, outline)}
    sections = [section for section in read.values() if isinstance(section, report.Section)]
    ledger = [claim for section in sections for claim in section.record["claims"]]
    damaged = [
        f"{name}: left out of ledger and report, {out / name} is damaged ({wrong})"
        for name, wrong in read.items()
        if isinstance(wrong, str)
    ]
    found = judged(outline.statements, ledger)
    texts = {LEDGER: folder.as_text(ledger), REPORT: report.render(sections, found)}
    if outline.statements:
        texts[JUDGED] = folder.as_text(found)
    return texts, ledger, damaged


def _names_in(out: Path, outline: Outline) -> list[str]:
    """Return the names of the studies that a folder holds, whole or damaged, those of the outline first."""
    found = [path.parent.name for path in sorted(out.glob(f"*/{RECORD}"))]
    # Others may keep records too, as a training does.
    first = outline.studies
    ours = [name for name in found if name in first or f'"study": "{name}"' in _text(out / name / RECORD)]
    return sorted(ours, key=lambda name: first.index(name) if name in first else len(first))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
