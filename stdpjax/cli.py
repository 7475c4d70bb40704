"""The command line: `stdpjax reproduce`, `run STUDY`, `sweep STUDY`, `train`, `fit`, `compare`, `diff`, `new`, `list`.

A STUDY is the name of one of the paper's or of an installed package's, or a place of one's own: `my_study.py`,
`my_study.py:NAME`, `module:NAME`.

Bad input, or a disk that cannot be written, gets one line on standard error and exit code 2, another process that is
lost one line and exit code 3, and an interrupt exit code 130.
"""

import argparse
import dataclasses
import re
import sys
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import stdpjax
from stdpjax import _compiled, parallel
from stdpjax.parallel import watch

# A command imports what it needs: help and mistyped names come as soon as JAX is there.
if TYPE_CHECKING:
    from stdpjax.lab.study import Study


class _OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage, and whose options are written out."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"stdpjax: error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        options = _parser(arguments).parse_args(arguments)
        if "cache" in options:
            _compiled.ignore_lost_programs()
            if options.cache:
                _compiled.keep_programs()
        return getattr(options, "run", _COMMANDS[options.command].run)(options)
    except (ValueError, OSError) as error:
        if parallel.is_main_process():
            print(f"stdpjax: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 3 if type(error) in (ConnectionError, ChildProcessError) else 2
    except parallel.MainProcessError as error:
        if error.is_refusal:  # which it says itself
            return 2
        print(f"stdpjax: error: {' '.join(str(error).split())}; {watch.GO_ON}", file=sys.stderr)
        return 3
    except KeyboardInterrupt as interrupt:
        how = str(interrupt) or "the same command goes on with the studies not yet done"
        print(f"\nstdpjax: interrupted; {how}", file=sys.stderr)
        return 130


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser, filled for the command that was given alone."""
    parser = _OneLineParser(prog="stdpjax", description=stdpjax.__doc__)
    parser.add_argument("--version", action="version", version=f"stdpjax {stdpjax.__version__}")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="|".join(_COMMANDS), parser_class=_OneLineParser
    )
    chosen = next((text for text in arguments if not text.startswith("-")), None)
    for name, command in _COMMANDS.items():
        described = commands.add_parser(
            name, help=command.what, description=f"{command.what.capitalize()}{command.more}"
        )
        if name == chosen and command.fill is not None:
            command.fill(described, arguments)
    return parser


def _list(options: argparse.Namespace) -> int:
    from stdpjax import studies

    beside = studies.installed()
    chosen = [*studies.STUDIES, *beside.studies.values()]
    width = max(len(study.name) for study in chosen)
    for study in chosen:
        package = f" [{beside.packages[study.name]}]" if study.name in beside.packages else ""
        print(f"{study.name:{width}}  {study.figure}: {study.title} ({len(study.claims)} claims){package}")
    _tell(beside.problems)
    return 0


def _tell(problems: Sequence[str]) -> None:
    for problem in problems:
        print(f"stdpjax: {problem}", file=sys.stderr)


def _fill_new(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    parser.add_argument("what", choices=["study"], help="what is begun")
    parser.add_argument("file", metavar="FILE.py", help="the file to write; it must not be there")


def _new(options: argparse.Namespace) -> int:
    from stdpjax.lab.own import new_study

    print(f"stdpjax run {new_study(options.file)}")
    return 0


def _fill_reproduce(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    from stdpjax import studies

    _add_run(parser)
    _add_set(parser, studies.STUDIES)


def _fill_run(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    if any(text.partition("=")[0] == "--from" for text in arguments):
        _fill_again(parser)
        return
    by_name = _by_name(parser)
    for text, found in _studies_by_name(arguments):
        if len(found) > 1:
            several = by_name.add_parser(text)
            _add_run(several)
            _add_set(several, found)
            continue
        (study,) = found
        one = by_name.add_parser(text, help=study.title, description=study.caption)
        one.set_defaults(studies=found, jobs=1)
        _add_run(one)
        _add_settings(one, study.config)


def _fill_sweep(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    by_name = _by_name(parser)
    for text, found in _studies_by_name(arguments):
        if len(found) == 1:
            (study,) = found
            _add_sweep(by_name.add_parser(text, help=study.title, description=f"Sweep: {study.title}."), study)


def _fill_again(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", required=True, dest="record", metavar="RECORD.json", help="the record to repeat")
    parser.add_argument("--study", metavar="STUDY", help="where the study is now, if it is not where it was")
    parser.add_argument("--out", default="again", metavar="FOLDER", help="folder to write into (default: again)")
    parser.add_argument("--force", action="store_true", help="run again and overwrite what the folder holds")
    _add_cache(parser)
    parser.set_defaults(run=_again)


def _again(options: argparse.Namespace) -> int:
    from stdpjax import studies

    found = studies.repeat(options.record, options.out, study=options.study, force=options.force)
    print(f"\n{found._replace(settings=(), versions=())}\n\nreport: {options.out}/report.html")  # which were said
    return 0


def _fill_diff(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    for name in ("old", "new"):
        parser.add_argument(name, metavar=name.upper(), help="ledger.json, or a folder of results or of one study")


def _diff(options: argparse.Namespace) -> int:
    from stdpjax.lab.again import compare

    found = compare(options.old, options.new)
    print(found)
    return 0 if found.is_same else 1


def _by_name(parser: argparse.ArgumentParser) -> Any:
    """Return where what can be run is added by its name."""
    return parser.add_subparsers(
        dest="study", required=True, metavar="STUDY|FILE.py[:NAME]|MODULE:NAME", parser_class=_OneLineParser
    )


def _studies_by_name(arguments: Sequence[str]) -> list[tuple[str, "Sequence[Study]"]]:
    """Return what can be run: the paper's studies, and those of a place, or a package, named after the command."""
    from stdpjax import studies
    from stdpjax.lab.own.places import names_a_place, studies_at

    named: dict[str, Sequence[Study]] = {study.name: (study,) for study in studies.STUDIES}
    asked = arguments[1] if len(arguments) > 1 and arguments[0] in ("run", "sweep") else ""
    if names_a_place(asked):
        named[asked] = studies_at(asked)
    elif asked not in named:
        beside = studies.installed()
        named |= {name: (study,) for name, study in beside.studies.items()}
        if asked not in named:
            _tell(beside.problems)
    return [*named.items()]


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_folder(parser, "results", "run again and overwrite what the folder holds")
    parser.add_argument("--smoke", action="store_true", help="small configurations, seconds instead of minutes")
    _add_processes(parser)


def _add_folder(parser: argparse.ArgumentParser, out: str, force: str) -> None:
    """Add the options of a run into a folder: its seed, the folder with its default, and what --force does."""
    parser.add_argument("--seed", type=int, default=0, help="whole number, 0 to 2**32 - 1 (default: 0)")
    parser.add_argument("--out", default=out, metavar="FOLDER", help=f"folder to write into (default: {out})")
    parser.add_argument("--force", action="store_true", help=force)
    _add_cache(parser)


def _add_cache(parser: argparse.ArgumentParser) -> None:
    how = "keep no compiled programs; else they are kept in the folder STDPJAX_CACHE, or in the user's cache folder"
    parser.add_argument("--no-cache", dest="cache", action="store_false", help=how)


def _run(options: argparse.Namespace) -> int:
    from stdpjax import studies
    from stdpjax.lab.statement import counts, judged

    _connect(options)
    if options.command == "run" and len(options.studies) == 1:
        (study,) = options.studies
        overrides = {study.name: _given_settings(study.config, study.name, options)}
    else:
        overrides = _reproduce_settings(options.set, options.studies)
    names = None if options.command == "reproduce" else [study.name for study in options.studies]
    try:
        ledger = studies.run_into(
            options.out,
            options.studies,
            seed=options.seed,
            smoke=options.smoke,
            force=options.force,
            overrides=overrides,
            jobs=options.jobs,
        )
    except KeyboardInterrupt as interrupt:
        if options.force:
            how = "the same command starts over; without --force the studies that are done are kept"
            raise KeyboardInterrupt(how) from interrupt
        raise
    if not parallel.is_main_process():
        return 0
    # The folder may hold other studies, run with other settings.
    _print_ledger([record for record in ledger if names is None or record["study"] in names])
    if options.smoke:
        print("\nSmoke configurations are too small to judge, so every verdict is inconclusive.")
    elif found := judged(studies.STATEMENTS, ledger):
        print(f"\n{counts(found)}")
    print(f"\nreport: {options.out}/report.html")
    return 0


def _add_set(parser: argparse.ArgumentParser, chosen: "Sequence[Study]") -> None:
    parser.set_defaults(studies=chosen)
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="processes at a time (default: as cores and memory allow)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="STUDY.NAME=VALUE",
        help="replace a setting of a study; may be repeated",
    )


def _add_processes(parser: argparse.ArgumentParser) -> None:
    processes = parser.add_argument_group("several processes", "each is started with the same command and its own id")
    processes.add_argument("--coordinator", metavar="HOST:PORT", help="where process 0 is reached")
    processes.add_argument("--num-processes", type=int, metavar="N", help="number of processes")
    processes.add_argument("--process-id", type=int, metavar="K", help="number of this one, 0 to N - 1")
    processes.add_argument(
        "--start-timeout", type=float, default=20.0, metavar="SECONDS", help="to wait for the others (default: 20)"
    )


def _connect(options: argparse.Namespace) -> None:
    """Join the processes of the run, before JAX starts; errors name the options."""
    names = {"coordinator": "--coordinator", "n_processes": "--num-processes", "process_id": "--process-id"}
    names["start_timeout"] = "--start-timeout"
    given = options.coordinator, options.num_processes, options.process_id
    try:
        parallel.initialize(*given, start_timeout=options.start_timeout, same=_same(options))
    except (ValueError, RuntimeError, ConnectionError) as error:
        # Not within quotes, where a host may have such a name.
        text = re.sub(rf"(?<!')\b({'|'.join(names)})\b", lambda found: names[found[0]], str(error))
        raise (type(error) if isinstance(error, ConnectionError) else ValueError)(text) from error


def _same(options: argparse.Namespace) -> dict[str, str]:
    """What all processes must be given: the command but for what is a process's or a disk's own, and its studies."""
    from stdpjax.lab.identity import source_of

    own = ("coordinator", "num_processes", "process_id", "start_timeout", "out", "force", "jobs", "cache", "studies")
    given = {name: value for name, value in vars(options).items() if name not in own and value is not None}
    return given | {f"file of {study.name}": text for study in options.studies for text in source_of(study).values()}


def _add_settings(parser: argparse.ArgumentParser, config: Any, names: Collection[str] | None = None) -> None:
    """Add an option for each setting, or for those of some names alone."""
    from stdpjax.lab import settings

    group = parser.add_argument_group("settings", "the default is used for those that are not given")
    for field in dataclasses.fields(config):
        if names is not None and field.name not in names:
            continue
        default = getattr(config, field.name)
        placeholder = field.metadata.get("placeholder", "A,B,..." if isinstance(default, tuple) else "VALUE")
        group.add_argument(
            f"--{field.name.replace('_', '-')}",
            dest=f"setting.{field.name}",
            metavar=placeholder,
            # argparse takes % for its own.
            help=settings.described(field).replace("%", "%%"),
        )


def _add_sweep(parser: argparse.ArgumentParser, study: "Study") -> None:
    parser.set_defaults(studies=(study,))
    parser.add_argument(
        "--grid",
        action="append",
        default=[],
        metavar="NAME=A,B,...|LO:HI:N[:log]",
        help="values of a setting, or a range with both ends, evenly spaced or by even ratios; may be repeated",
    )
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder of the zarr store")
    parser.add_argument("--memory", default="1GiB", metavar="SIZE", help="memory to use (default: 1GiB)")
    parser.add_argument("--smoke", action="store_true", help="small configuration, seconds instead of minutes")
    _add_cache(parser)
    _add_processes(parser)
    used = () if study.point is None else (*study.point.traced, *study.point.structural)
    _add_settings(parser, study.config, used)


def _sweep(options: argparse.Namespace) -> int:
    from stdpjax import studies
    from stdpjax.lab import sweep

    _connect(options)
    (study,) = options.studies
    if study.point is None:
        able = ", ".join(other.name for other in studies.STUDIES if other.point is not None)
        raise ValueError(f"study: expected one that can be swept ({able}), got {study.name!r}")
    try:
        sweep.sweep(
            study,
            sweep.parse_grid(study, options.grid),
            seeds=options.seeds,
            seed=options.seed,
            out=options.out,
            memory=options.memory,
            smoke=options.smoke,
            **_given_settings(study.config, study.name, options),
        )
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(str(interrupt) or "the same command goes on with the points not yet done") from None
    return 0


def _parts_of(command: str) -> tuple[Any, Callable[..., Any]]:
    """Return the default configuration of such a command, and its function."""
    if command == "train":
        from stdpjax.lab.train import TrainConfig, train

        return TrainConfig(), train
    from stdpjax.lab.fit import FitConfig, fit_into

    return FitConfig(), fit_into


class _Into(NamedTuple):
    """A command that runs something of one configuration into a folder."""

    out: str  # default folder
    force: str  # what --force does
    interrupted: str  # how an interrupted run goes on


_INTO = {
    "train": _Into(
        "training",
        "start over and overwrite the training in the folder",
        "the same command goes on after the last epoch that is complete",
    ),
    "fit": _Into("fit", "overwrite the fit in the folder", "nothing was written; the same command starts over"),
}


def _fill_into(command: str, parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    _add_folder(parser, _INTO[command].out, _INTO[command].force)
    _add_settings(parser, _parts_of(command)[0])


def _into(options: argparse.Namespace) -> int:
    from stdpjax.lab import settings

    defaults, run = _parts_of(options.command)
    given = _given_settings(defaults, options.command, options)
    config = settings.replace(defaults, given, options.command)
    is_training = options.command == "train"
    try:
        run(config, options.seed, options.out, force=options.force, **({"given": given} if is_training else {}))
    except KeyboardInterrupt as interrupt:
        how = str(interrupt) or _INTO[options.command].interrupted
        starts_over = "; without --force, with it it starts over" if is_training and options.force else ""
        raise KeyboardInterrupt(how + starts_over) from interrupt
    return 0


def _fill_compare(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    from stdpjax.lab.portraits.settings import PortraitConfig

    what = "name of a published or short rule, FILE.py:NAME, or the folder of a fit"
    parser.add_argument("rules", nargs="+", metavar="RULE", help=what)
    parser.add_argument("--format", choices=("png", "pdf", "svg"), default="png", help="of the figure (default: png)")
    _add_folder(parser, "compare", "overwrite the comparison in the folder")
    _add_settings(parser, PortraitConfig())


def _compare(options: argparse.Namespace) -> int:
    from stdpjax.lab import settings
    from stdpjax.lab.portraits import PortraitConfig, compare_into

    defaults = PortraitConfig()
    config = settings.replace(defaults, _given_settings(defaults, "compare", options), "compare")
    try:
        compare_into(options.rules, config, options.seed, options.out, format=options.format, force=options.force)
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt("nothing was written; the same command starts over") from interrupt
    return 0


def _given_settings(config: Any, owner: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that were given as options."""
    from stdpjax.lab import settings

    texts = {field.name: getattr(options, f"setting.{field.name}", None) for field in dataclasses.fields(config)}
    return {name: settings.parse(config, name, text, owner) for name, text in texts.items() if text is not None}


def _reproduce_settings(assignments: Sequence[str], chosen: "Sequence[Study]") -> dict[str, dict[str, Any]]:
    """Parse `STUDY.NAME=VALUE` assignments."""
    from stdpjax.lab import settings

    known = {study.name: study for study in chosen}
    overrides: dict[str, dict[str, Any]] = {}
    for assignment in assignments:
        target, equals, text = assignment.partition("=")
        name, dot, field = target.partition(".")
        if not equals or not dot:
            raise ValueError(f"--set: expected STUDY.NAME=VALUE, got {assignment!r}")
        if name not in known:
            raise ValueError(f"--set: expected a study of {', '.join(known)}, got {name!r}")
        overrides.setdefault(name, {})[field] = settings.parse(known[name].config, field, text, name)
    return overrides


def _print_ledger(ledger: Sequence[dict[str, Any]]) -> None:
    width = max((len(record["id"]) for record in ledger), default=0)
    for record in ledger:
        measured = "not finite" if record["measured"] is None else f"{record['measured']:.4g}"
        print(f"{record['id']:{width}}  {record['verdict']:12}  {measured:>10}  {record['claim']}")


class _Command(NamedTuple):
    what: str  # it does, in a few words
    more: str  # the rest of that sentence, and more
    run: Callable[[argparse.Namespace], int]
    fill: Callable[[argparse.ArgumentParser, Sequence[str]], None] | None = None  # adds its options


_RESULTS = (
    ": a figure, a record and labelled arrays for each, and a ledger of all claims. What is complete in the folder is "
    "kept, so that the same command goes on where an interrupted one stopped; other results there are refused."
)
_COMMANDS = {
    "reproduce": _Command("run all studies and write the report", _RESULTS, _run, _fill_reproduce),
    "run": _Command(
        "run one study, or those of a file",
        f"{_RESULTS} With --from RECORD.json: what a record tells of, again, with what differs from it.",
        _run,
        _fill_run,
    ),
    "diff": _Command(
        "compare two ledgers or folders of results",
        ": claims whose numbers, intervals, verdicts or criteria differ, and settings. Exit code 0 if they are the "
        "same, whatever the versions, and 1 if not.",
        _diff,
        _fill_diff,
    ),
    "sweep": _Command(
        "run one study over a grid of settings and seeds",
        ", into a zarr store. All points share the random numbers of a seed, so that differences along the grid are "
        "paired. Numbers such as probabilities are compiled once, windows, lengths and names once for each value.",
        _sweep,
        _fill_sweep,
    ),
    "train": _Command(
        "train a network on labelled images",
        ", in layers, with a checkpoint after each epoch. The same command goes on where an interrupted one stopped. "
        "Rules: the paper's over the second phase (paper, paper_midpoint, paper_two_sided; with _gradient times the "
        "slope of the rate, Eq 5), equilibrium propagation (one_sided, random_sign, symmetric), or back-propagation.",
        _into,
        partial(_fill_into, "train"),
    ),
    "fit": _Command(
        "fit a plasticity rule to measured weight changes",
        ", with intervals by profile likelihood and bootstrap, a figure, and a comparison with other rules (AIC, AICc, "
        "BIC). Decimal points or commas are taken where they are unambiguous, columns of other names are left alone.",
        _into,
        partial(_fill_into, "fit"),
    ),
    "compare": _Command(
        "put plasticity rules side by side",
        ": pairs by lag and by frequency, triplets, constant and changing rates, and Eq 1 on the paper's drives, as "
        "labelled arrays, a figure and a table. A RULE is the name of a published or short one, FILE.py:NAME (a rule, "
        "or a function without arguments that returns one), or the folder of a fit.",
        _compare,
        _fill_compare,
    ),
    "new": _Command(
        "begin a study of one's own",
        ": writes a short one that runs at once, to be changed, and prints the command that runs it.",
        _new,
        _fill_new,
    ),
    "list": _Command("list the studies", ", ours and those of installed packages.", _list),
}
