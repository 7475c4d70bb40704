"""Studies: run in memory, or into a folder with records, ledger and report.

The folder has a subfolder for each study, `ledger.json`, `statements.json` and `report.html`. A study's subfolder
appears complete or not at all, so an interrupted run leaves nothing half written and goes on where it stopped.
"""

import contextlib
import dataclasses
import functools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from stdpjax import _checks, parallel
from stdpjax.lab import folder, plotting, report, settings, workers
from stdpjax.lab.identity import identity, source_of
from stdpjax.lab.own import places
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
    first: tuple[str, ...] = ()
    """Studies with which several processes begin, such as those that take longest."""


NOTHING = Outline()


class _Task(NamedTuple):
    study: Study
    config: Any
    seed: int
    is_smoke: bool
    identity: str
    origin: Mapping[str, Any]
    folder: Path
    label: str


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
    jobs: int | None = 1,
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
    tasks, origin, n_workers = [], provenance(), workers.n_workers(jobs)
    for number, study in enumerate(studies, start=1):
        config = make_config(study, smoke, overrides.get(study.name, {}))
        its = identity(study, config, seed, smoke, origin)
        label = study.name + f" ({number} of {len(studies)})" * (len(studies) > 1)
        origin_of = {**origin, **source_of(study)}
        tasks.append(_Task(study, config, seed, smoke, its, origin_of, out / study.name, label))
    outline = outline._replace(studies=tuple(dict.fromkeys([*outline.studies, *names])))
    summary, died = _Summary(out, outline, say), list[str]()
    with contextlib.ExitStack() as lock, folder.interrupts() as was_interrupted:
        # The folder is the main process's alone, and may be its disk's; all agree on what is to do.
        not_done = parallel.on_main_process(lambda: _open(tasks, summary, force, lock))
        todo = [task for task in tasks if task.study.name in not_done]
        if parallel.is_main_process():
            for task in tasks:
                if task.study.name not in not_done:
                    say(f"{task.study.name}: kept, already done")
                elif task.folder.exists():
                    say(f"{task.study.name}: overwriting {task.folder}")
        if min(n_workers, len(todo)) > 1:
            todo, died = _make_elsewhere(todo, n_workers, summary, show_progress)
        for task in todo:
            with _bar(task.label, show_progress) as progress:
                seconds = _make(task, progress, was_interrupted)
            parallel.on_main_process(functools.partial(summary.add, task.study.name, seconds))
        ledger = parallel.on_main_process(summary.finish)
    if died:
        raise ChildProcessError(f"{', '.join(died)} before it was done; the others are kept, run it again")
    return ledger


def _make(task: _Task, progress: Progress, was_interrupted: Callable[[], bool] = lambda: False) -> float:
    """Run a study, write its folder, and return the seconds that the run took."""
    start = time.perf_counter()
    result = _run(task.study, task.config, task.seed, task.is_smoke, progress)
    if was_interrupted():
        raise KeyboardInterrupt
    seconds = time.perf_counter() - start
    parallel.on_main_process(lambda: _write(task, result, seconds))
    return seconds


def _make_elsewhere(
    tasks: Sequence[_Task], n_workers: int, summary: "_Summary", show_progress: bool
) -> tuple[list[_Task], list[str]]:
    """Have other processes run studies; return those that cannot be sent there, and in words whose process died."""
    first, found = summary.outline.first, places.places_of(task.study for task in tasks)
    left, calls, bars, died = {task.study.name: task for task in tasks}, {}, {}, []
    for name in _in_order(left, first):
        task = left[name]
        values = {field.name: getattr(task.config, field.name) for field in dataclasses.fields(task.config)}
        call = workers.packed(_make_found, found.get(name), name, task._replace(study=None, config=values))
        if name in found and call is not None:
            calls[name] = call
    try:
        with contextlib.ExitStack() as shown, contextlib.closing(workers.run(calls, n_workers)) as events:
            for name, what, value in events:
                if what == "failed":
                    raise value
                if what == "started":
                    bar = shown.enter_context(contextlib.ExitStack())
                    bars[name] = bar.enter_context(_bar(left[name].label, show_progress)), bar.close
                elif what == "progress":
                    bars[name][0](*value)
                else:
                    bars[name][1]()
                    if value is not None:  # else it is not there what it is here
                        del left[name]
                    if what == "died":
                        died.append(f"{name}: its process ended with {value}")
                    elif value is not None:
                        summary.add(name, value)
    finally:
        for task in tasks:
            folder.recover(task.folder)  # what a process that was ended left there
    return list(left.values()), died


def _make_found(place: str, name: str, task: _Task, progress: Progress) -> float | None:
    """Make in another process the study at a place; None if what is found there is not that study."""
    try:
        study = places.found_at(place, name)
        config = make_config(study, task.is_smoke, task.config)
        is_same = identity(study, config, task.seed, task.is_smoke, task.origin) == task.identity
    except Exception:  # of a module that cannot be imported again, or is another now
        return None
    return _make(task._replace(study=study, config=config), progress) if is_same else None


def _open(tasks: Sequence[_Task], summary: "_Summary", force: bool, lock: contextlib.ExitStack) -> list[str]:
    """Lock the folder and return the names of the studies to run."""
    lock.enter_context(folder.held(summary.out, (*summary.outline.studies, LEDGER, REPORT, JUDGED)))
    summary.read()
    _refuse_files_of_others(tasks, summary)
    return [task.study.name for task in (tasks if force else _not_done(tasks, summary))]


def _refuse_files_of_others(tasks: Sequence[_Task], summary: "_Summary") -> None:
    """Refuse to replace what no run of ours has written, whatever `force` says."""
    others = [task.folder.name for task in tasks if task.folder.exists() and not (task.folder / RECORD).exists()]
    if not summary.found:
        others += [name for name in (LEDGER, REPORT, JUDGED) if (summary.out / name).exists()]
    if others:
        raise ValueError(
            f"out: expected a folder without files of others, got {str(summary.out)!r}, where {', '.join(others)} (not "
            "made by a run) would be overwritten; move them away or give another --out"
        )


def _not_done(tasks: Sequence[_Task], summary: "_Summary") -> list[_Task]:
    """Return the tasks still to run, maybe none where ledger or report is missing; refuse to overwrite anything."""
    present = [task for task in tasks if task.folder.exists()]
    wrong = {task.study.name: _what_is_wrong(task, summary.found[task.study.name]) for task in present}
    done = [task for task in present if wrong[task.study.name] is None]
    other = [name for name, text in wrong.items() if text is not None]
    out = f"got {str(summary.out)!r}, where {', '.join(other or wrong)}"
    if other:
        how = "; ".join(f"{name}/{text}" for name, text in wrong.items() if text)
        raise ValueError(
            f"out: expected a folder without other results, {out} (of another configuration, seed or version, or "
            f"damaged{': ' * bool(how)}{how}) would be overwritten; give --force or another --out"
        )
    if tasks and len(done) == len(tasks) and summary.is_written():
        raise ValueError(
            f"out: expected a folder with something left to do, {out} would be overwritten; give --force or another "
            "--out"
        )
    return [task for task in tasks if task not in done]


def _what_is_wrong(task: _Task, read: report.Section | str) -> str | None:
    """Return None for a study that is done, or else which file is damaged, nothing if it is of something else."""
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


def _write(task: _Task, result: Result, seconds: float) -> None:
    """Write a study's folder."""
    record = {
        "study": task.study.name,
        **{name: getattr(task.study, name) for name in _DESCRIPTION},
        "identity": task.identity,
        "seed": result.seed,
        "is_smoke": result.is_smoke,
        "configuration": folder.plain(result.config),
        "provenance": task.origin,
        # Where one of a user's own is found again.
        **({"place": places.places_of([task.study]).get(task.study.name)} if source_of(task.study) else {}),
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


def _attribute(value: str | int | None) -> str | int:
    """Return a value that netCDF can hold, which has neither truth values nor None."""
    return json.dumps(value) if value is None or isinstance(value, bool) else value


class _Summary:
    """Ledger, statements and report of the studies that a folder holds, each of which is read once."""

    def __init__(self, out: Path, outline: Outline, say: Callable[[str], None]) -> None:
        self.out, self.outline, self._say = out, outline, say
        self.found: dict[str, report.Section | str] = {}

    def read(self) -> None:
        """Read all that the folder holds."""
        self.found = {name: _read_study(self.out / name) for name in _names_in(self.out, self.outline)}

    def add(self, name: str, seconds: float) -> None:
        """Read a study that was just made, and write all with it."""
        self.found[name] = _read_study(self.out / name)
        self._write()
        with tqdm.external_write_mode():  # above the bars of other studies
            self._say(f"{name}: done in {seconds:.1f} s")

    def finish(self) -> list[dict[str, Any]]:
        """Write all, name what cannot be read and is left out, and return the ledger."""
        for name, wrong in self.found.items():
            if isinstance(wrong, str):
                self._say(f"{name}: left out of ledger and report, {self.out / name} is damaged ({wrong})")
        return self._write()

    def is_written(self) -> bool:
        """Whether ledger and report are those of the studies in the folder."""
        try:
            return all((self.out / name).read_text(encoding="utf-8") == text for name, text in self._made()[0].items())
        except (OSError, ValueError):
            return False

    def _write(self) -> list[dict[str, Any]]:
        texts, ledger = self._made()
        for name, text in texts.items():
            folder.write_text(self.out / name, text)
        return ledger

    def _made(self) -> tuple[dict[str, str], list[dict[str, Any]]]:
        """Return the texts of the files, and the records of the ledger."""
        ordered = [self.found[name] for name in _in_order(self.found, self.outline.studies)]
        sections = [section for section in ordered if isinstance(section, report.Section)]
        ledger = [claim for section in sections for claim in section.record["claims"]]
        judgements = judged(self.outline.statements, ledger)
        texts = {LEDGER: folder.as_text(ledger), REPORT: report.render(sections, judgements)}
        return texts | ({JUDGED: folder.as_text(judgements)} if self.outline.statements else {}), ledger


def _names_in(out: Path, outline: Outline) -> list[str]:
    """Return the names of the studies that a folder holds, whole or damaged."""
    found = {path.parent.name: path for path in sorted(out.glob(f"*/{RECORD}"))}
    # Others may keep records too, as a training does.
    return [name for name in found if name in outline.studies or f'"study": "{name}"' in _text(found[name])]


def _in_order(names: Iterable[str], first: Sequence[str]) -> list[str]:
    """Return the names that come first, and then the others, by their names."""
    return sorted(names, key=lambda name: (first.index(name) if name in first else len(first), name))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
