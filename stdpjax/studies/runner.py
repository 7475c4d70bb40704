"""Running studies: the only place that shows progress and touches files.

One folder holds a reproduction: a subfolder for each study, `ledger.json` and `report.html`. A study's subfolder
appears complete or not at all, so an interrupted run leaves nothing half written and goes on where it stopped.
"""

import contextlib
import dataclasses
import datetime
import functools
import json
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from stdpjax import _checks, parallel, plotting, report
from stdpjax._files import file_checksum, folder_path, make_folder, remove_leftovers, umask, write_aside
from stdpjax._interrupts import on_interrupt
from stdpjax._lock import sole_writer
from stdpjax._progress import is_watched
from stdpjax.lab.study import Progress, Result, Study, failures, make_record, silent
from stdpjax.provenance import provenance
from stdpjax.random import key, named_key
from stdpjax.studies.record import config_json, identity, make_config
from stdpjax.studies.registry import STUDIES, find

RECORD = "record.json"
LEDGER = "ledger.json"
REPORT = "report.html"
# What a study's folder holds beside its record.
_FILES = ("result.nc", "figure.png", "figure.svg")
_LOCK = ".lock"


def run(name: str, seed: int = 0, smoke: bool = False, *, show_progress: bool = True, **overrides: Any) -> Result:
    """Run one study in memory and judge it.

    Args:
        name: name of the study, see `stdpjax.studies.STUDIES`.
        seed: whole number, 0 or more and below 2**32. The same seed on the same machine gives the same numbers.
        smoke: use the study's smoke configuration, made of seconds; its records carry no verdict.
        show_progress: draw a bar on a terminal or in a notebook.
        **overrides: settings of the study's configuration to replace.

    Returns:
        The result: `.data` (labelled arrays), `.records` (one for each claim), `.figure()`.

    Raises:
        ValueError: unknown study or setting (the known ones are listed), or a value of the wrong type or out of range.

    Example:
        >>> import stdpjax
        >>> result = stdpjax.studies.run("example_traces", smoke=True, show_progress=False)
        >>> [record["id"] for record in result.records]
        ['E2.only_at_spikes', 'E2.mean', 'E2.variance']
    """
    study = find(name)
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


@dataclasses.dataclass(frozen=True)
class _Task:
    study: Study
    config: Any
    identity: str
    origin: dict[str, Any]
    folder: Path


def run_into(
    out: str | Path,
    names: Sequence[str] | None = None,
    *,
    seed: int = 0,
    smoke: bool = False,
    force: bool = False,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    show_progress: bool = True,
    say: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
    """Run studies into a folder: data, figures, records, ledger and report.

    Studies of this very configuration that the folder already holds are kept, which is how an interrupted run goes
    on. If that leaves nothing to do, or a study is there with another configuration, nothing is run unless `force`
    is given. With several processes all of them make the same call and compute; the main one alone touches the folder
    and speaks.

    Args:
        out: the folder; it is made if needed.
        names: studies to run, all by default.
        seed: whole number, 0 or more and below 2**32.
        smoke: use the smoke configurations.
        force: run and overwrite the studies that are there; files that no run has made are refused all the same.
        overrides: study name to settings to replace.
        show_progress: draw a bar on a terminal or in a notebook.
        say: receives one line of text at a time.

    Returns:
        The ledger: one record for each claim of each study in the folder.

    Raises:
        ValueError: unknown study or setting, a value out of range, results that would be overwritten, or a folder
            that somebody else is writing.
        OSError: the folder cannot be written.
        stdpjax.parallel.MainProcessError: in the other processes, where the main one raised any of these.

    Example:
        >>> import tempfile, stdpjax
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ledger = stdpjax.studies.run_into(
        ...         folder, ["example_traces"], smoke=True, show_progress=False, say=lambda line: None)
        >>> len(ledger)
        3
    """
    out = folder_path(out)
    seed = _checks.seed(seed)
    for flag, value in (("smoke", smoke), ("force", force), ("show_progress", show_progress)):
        _checks.flag(flag, value)
    if not callable(say):
        raise ValueError(f"say: expected a function that takes a line of text, got {say!r}")
    studies = list(STUDIES) if names is None else _named(names)
    overrides = {} if overrides is None else overrides
    if not isinstance(overrides, Mapping) or not all(isinstance(each, Mapping) for each in overrides.values()):
        raise ValueError(f"overrides: expected study name to settings, got {overrides!r:.80}")
    for name in overrides:
        if find(name) not in studies:
            raise ValueError(f"overrides: expected settings of a study that is run, got {name!r}")
    tasks, origin = [], provenance()
    for study in studies:
        config = make_config(study, smoke, dict(overrides.get(study.name, {})))
        tasks.append(_Task(study, config, identity(study, config, seed, smoke, origin), origin, out / study.name))
    with contextlib.ExitStack() as lock:
        return _run_tasks(out, tasks, _agree_on_todo(tasks, out, force, lock), seed, smoke, show_progress, say)


def _named(names: Sequence[str]) -> list[Study]:
    if isinstance(names, str):
        raise ValueError(f"names: expected a sequence of names, got the text {names!r}")
    if not isinstance(names, Sequence) or not names:
        raise ValueError(f"names: expected a sequence of at least one name, or None for all, got {names!r:.80}")
    found: dict[str, Study] = {}
    for name in names:
        study = find(_checks.text("names", name))
        found[study.name] = study
    return list(found.values())


def _run_tasks(
    out: Path,
    tasks: Sequence[_Task],
    todo: Sequence[_Task],
    seed: int,
    smoke: bool,
    show_progress: bool,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Run and write the studies that are to do; return the ledger of all."""
    is_main = parallel.is_main_process()
    for task in tasks:
        if is_main and task not in todo:
            say(f"{task.study.name}: kept, already done")
    with _remembered_interrupt() as raise_if_dropped:
        for task in todo:
            if is_main and task.folder.exists():
                say(f"{task.study.name}: overwriting {task.folder}")
            start = time.perf_counter()
            with _bar(task.study.name, show_progress and is_main) as progress:
                result = _run(task.study, task.config, seed, smoke, progress)
            raise_if_dropped()
            parallel.on_main_process(functools.partial(_write, out, task, result, time.perf_counter() - start, say))
    return parallel.on_main_process(functools.partial(_write_summary, out, say))


def _agree_on_todo(tasks: Sequence[_Task], out: Path, force: bool, lock: contextlib.ExitStack) -> list[_Task]:
    """Lock the folder and return the tasks that all processes will run.

    The folder is the main process's alone, and may be its disk's.
    """

    def names() -> list[str]:
        make_folder(out)
        lock.enter_context(sole_writer(out / _LOCK, out))  # before what another one is writing looks left behind
        _recover(out)
        _refuse_files_of_others(tasks, out)
        return [task.study.name for task in (tasks if force else _not_done(tasks, out))]

    todo = parallel.on_main_process(names)
    return [task for task in tasks if task.study.name in todo]


def _write(out: Path, task: _Task, result: Result, seconds: float, say: Callable[[str], None]) -> None:
    _write_study(out, task, result, seconds)
    _write_summary(out, lambda line: None)  # the last one says what is missing
    say(f"{task.study.name}: done in {seconds:.1f} s")


def _refuse_files_of_others(tasks: Sequence[_Task], out: Path) -> None:
    """Refuse to replace what no run of ours has written, whatever `force` says."""
    others = [task.folder.name for task in tasks if task.folder.exists() and not (task.folder / RECORD).exists()]
    if not any((out / study.name / RECORD).exists() for study in STUDIES):
        others += [name for name in (LEDGER, REPORT) if (out / name).exists()]
    if others:
        raise ValueError(
            f"out: expected a folder without files of others, got {str(out)!r}, where {', '.join(others)} (not made by "
            "a run) would be overwritten; move them away or give another --out"
        )


def _not_done(tasks: Sequence[_Task], out: Path) -> list[_Task]:
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
    if tasks and len(done) == len(tasks) and _has_summary(out):
        raise ValueError(
            f"out: expected a folder with something left to do, got {str(out)!r}, where "
            f"{', '.join(task.study.name for task in done)} would be overwritten; give --force or another --out"
        )
    return [task for task in tasks if task not in done]


def _what_is_wrong(task: _Task) -> str | None:
    """Return None for a study that is done, or else which file is damaged, nothing if it is of something else."""
    read = _read_study(task.study, task.folder)
    if isinstance(read, str):
        return " ".join(read.split())
    record, _ = read
    if record["identity"] != task.identity:
        return ""
    for name, expected in record["files"].items():
        try:
            found = file_checksum(task.folder / name)
        except OSError as error:
            return f"{name}: {error.strerror}"
        if found != expected:
            return f"{name} is not as it was written"
    return None


def _has_summary(out: Path) -> bool:
    """Whether ledger and report are those of the studies in the folder."""
    texts, _, _ = _summary(out)
    try:
        return all((out / name).read_text(encoding="utf-8") == text for name, text in texts.items())
    except (OSError, ValueError):
        return False


def _read_study(study: Study, folder: Path) -> tuple[dict[str, Any], str] | str:
    """Return a study's record and figure, as ledger and report need them, or what is wrong with its folder."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        figure = (folder / "figure.svg").read_text(encoding="utf-8")
        report.render([report.Section(study, record, figure)])
        json.dumps(record["claims"], allow_nan=False)
        if {*record["files"]} != {*_FILES}:
            return f"{RECORD} names no checksum of {', '.join(_FILES)}"
        if not isinstance(record["identity"], str) or any(claim["study"] != study.name for claim in record["claims"]):
            return f"{RECORD} is of something else"
    except OSError as error:
        return f"{Path(error.filename or folder).name}: {error.strerror}"
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        return f"{RECORD}: {type(error).__name__}: {error}"
    return record, figure


def _recover(out: Path) -> None:
    """Clear what a killed run left behind, and bring back a folder that it was about to replace.

    Only names that this module gives are touched: the folder may hold other hidden files.
    """
    for study in STUDIES:
        for partial in out.glob(f".{study.name}.partial-*"):
            shutil.rmtree(partial)
        for old in out.glob(f".{study.name}.old-*"):
            if (out / study.name).exists():
                shutil.rmtree(old)
            else:
                old.rename(out / study.name)
    for name in (LEDGER, REPORT):
        remove_leftovers(out / name)


def _write_study(out: Path, task: _Task, result: Result, seconds: float) -> None:
    """Write a study's folder aside, then put it in place by renaming."""
    record = {
        "study": task.study.name,
        "identity": task.identity,
        "seed": result.seed,
        "is_smoke": result.is_smoke,
        "configuration": config_json(result.config),
        "provenance": task.origin,
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "claims": list(result.records),
    }
    aside = Path(tempfile.mkdtemp(dir=out, prefix=f".{task.study.name}.partial-"))
    try:
        aside.chmod(0o777 & ~umask())
        data = result.data.assign_attrs(
            title=task.study.title,
            source=task.study.source,
            **{name: record[name] for name in ("study", "identity", "seed", "finished")},
            is_smoke=_attribute(result.is_smoke),
            configuration=json.dumps(record["configuration"]),
            **{name: _attribute(value) for name, value in task.origin.items()},
        )
        data.to_netcdf(aside / "result.nc", engine="h5netcdf")
        figure = result.figure()
        with plotting.style():
            figure.savefig(aside / "figure.png")
            figure.set_layout_engine("none")  # where its parts go is settled, and takes as long as drawing them
            figure.savefig(aside / "figure.svg", metadata={"Date": None})
        record["files"] = {name: file_checksum(aside / name) for name in _FILES}
        (aside / RECORD).write_text(json.dumps(record, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        _swap(aside, task.folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def _attribute(value: str | int | None) -> str | int:
    """Return a value that netCDF can hold, which has neither truth values nor None."""
    return json.dumps(value) if value is None or isinstance(value, bool) else value


def _swap(aside: Path, home: Path) -> None:
    if not home.exists():
        aside.rename(home)
        return
    old = Path(tempfile.mkdtemp(dir=home.parent, prefix=f".{home.name}.old-"))
    home.rename(old)
    aside.rename(home)
    shutil.rmtree(old)


def _write_summary(out: Path, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Write ledger and report from the studies that the folder holds; leave out, and name, what cannot be read."""
    texts, ledger, damaged = _summary(out)
    for line in damaged:
        say(line)
    for name, text in texts.items():
        write_aside(out / name, text)
    return ledger


def _summary(out: Path) -> tuple[dict[str, str], list[dict[str, Any]], list[str]]:
    """Return the texts of ledger and report, the ledger's records, and a line for each study that cannot be read."""
    sections, ledger, damaged = [], [], []
    for study in STUDIES:
        folder = out / study.name
        if not (folder / RECORD).exists():
            continue
        read = _read_study(study, folder)
        if isinstance(read, str):
            damaged.append(
                f"{study.name}: left out of ledger and report, {folder} is damaged ({' '.join(read.split())})"
            )
            continue
        record, figure = read
        sections.append(report.Section(study, record, figure))
        ledger.extend(record["claims"])
    texts = {LEDGER: json.dumps(ledger, indent=2, allow_nan=False) + "\n", REPORT: report.render(sections)}
    return texts, ledger, damaged


@contextlib.contextmanager
def _remembered_interrupt() -> Iterator[Callable[[], None]]:
    """A check that raises an interrupt once more that Python dropped, as it does within some callbacks of C code."""
    heard = threading.Event()

    def hear(number: int, frame: Any) -> None:
        heard.set()
        signal.default_int_handler(number, frame)

    def raise_if_dropped() -> None:
        if heard.is_set():
            raise KeyboardInterrupt

    with on_interrupt(hear):
        yield raise_if_dropped


@contextlib.contextmanager
def _bar(name: str, show: bool) -> Iterator[Progress]:
    """A progress bar on a terminal or in a notebook, nothing elsewhere."""
    if not (show and is_watched()):
        yield silent
        return
    with tqdm(
        total=100, desc=name, leave=False, bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed} {postfix}"
    ) as bar:

        def progress(fraction: float, stage: str) -> None:
            bar.set_postfix_str(stage, refresh=False)
            bar.update(round(100 * fraction) - bar.n)
            bar.refresh()

        yield progress
