"""The command line: `stdpjax reproduce`, `run STUDY`, `sweep STUDY`, `train`, `fit`, `list`.

A STUDY is the name of one of the paper's, or a file of one's own: `my_study.py`, `my_study.py:NAME`.

Bad input gets one line on standard error and exit code 2; an interrupt exit code 130.
"""

import argparse
import dataclasses
import re
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any, NoReturn

import stdpjax
from stdpjax import parallel, settings, studies
from stdpjax.lab import from_file
from stdpjax.lab.study import Study


class _OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage, and whose options are written out."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"stdpjax: error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    try:
        return _main(arguments)
    except (ValueError, OSError) as error:
        if parallel.is_main_process():
            print(f"stdpjax: error: {_one_line(error)}", file=sys.stderr)
        return 2
    except parallel.MainProcessError:  # which says what is wrong
        return 2
    except KeyboardInterrupt as interrupt:
        how = str(interrupt) or "the same command goes on with the studies not yet done"
        print(f"\nstdpjax: interrupted; {how}", file=sys.stderr)
        return 130


def _main(arguments: Sequence[str] | None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser(arguments).parse_args(arguments)
    if options.command == "list":
        width = max(len(study.name) for study in studies.STUDIES)
        for study in studies.STUDIES:
            print(f"{study.name:{width}}  {study.figure}: {study.title} ({len(study.claims)} claims)")
        return 0
    if options.command in _INTO:
        return _into(options)
    _connect(options)
    if options.command == "sweep":
        return _sweep(options)
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
    print(f"\nreport: {options.out}/report.html")
    return 0


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = _OneLineParser(prog="stdpjax", description=stdpjax.__doc__)
    parser.add_argument("--version", action="version", version=f"stdpjax {stdpjax.__version__}")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="reproduce|run|sweep|train|fit|list", parser_class=_OneLineParser
    )
    common = _OneLineParser(add_help=False)
    common.add_argument("--seed", type=int, default=0, help="whole number, 0 to 2**32 - 1 (default: 0)")
    common.add_argument("--out", default="results", metavar="FOLDER", help="folder to write into (default: results)")
    common.add_argument("--smoke", action="store_true", help="small configurations, seconds instead of minutes")
    common.add_argument("--force", action="store_true", help="run again and overwrite what the folder holds")
    _add_processes(common)
    reproduce = commands.add_parser("reproduce", parents=[common], help="run all studies and write the report")
    _add_set(reproduce, studies.STUDIES)
    run, sweep = (
        commands.add_parser(name, help=text).add_subparsers(
            dest="study", required=True, metavar="STUDY|FILE.py[:NAME]", parser_class=_OneLineParser
        )
        for name, text in (
            ("run", "run one study, or those of a file"),
            ("sweep", "run one study over a grid of settings and seeds"),
        )
    )
    for text, found in _studies_by_name(arguments):
        if len(found) > 1:
            _add_set(run.add_parser(text, parents=[common]), found)
            continue
        (study,) = found
        one = run.add_parser(text, parents=[common], help=study.title, description=study.caption)
        one.set_defaults(studies=found)
        _add_settings(one, study.config)
        _add_sweep(sweep.add_parser(text, help=study.title, description=f"Sweep: {study.title}."), study)
    for name in _INTO:
        _add_into(commands, name, is_chosen=name in arguments)
    commands.add_parser("list", help="list the studies")
    return parser


def _studies_by_name(arguments: Sequence[str]) -> list[tuple[str, Sequence[Study]]]:
    """Return what can be run: the paper's studies, and those of a file named after the command."""
    named: list[tuple[str, Sequence[Study]]] = [(study.name, (study,)) for study in studies.STUDIES]
    if len(arguments) > 1 and arguments[0] in ("run", "sweep") and from_file.names_a_file(arguments[1]):
        named.append((arguments[1], from_file.read_studies(arguments[1])))
    return named


def _add_set(parser: argparse.ArgumentParser, chosen: Sequence[Study]) -> None:
    parser.set_defaults(studies=chosen)
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


def _connect(options: argparse.Namespace) -> None:
    """Join the processes of the run, before JAX starts; errors name the options."""
    names = {"coordinator": "--coordinator", "n_processes": "--num-processes", "process_id": "--process-id"}
    try:
        parallel.initialize(options.coordinator, options.num_processes, options.process_id)
    except (ValueError, RuntimeError) as error:
        # Not within quotes, where a host may have such a name.
        text = re.sub(rf"(?<!')\b({'|'.join(names)})\b", lambda found: names[found[0]], str(error))
        raise ValueError(text) from error


def _add_settings(parser: argparse.ArgumentParser, config: Any, names: Collection[str] | None = None) -> None:
    """Add an option for each setting, or for those of some names alone."""
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


def _add_sweep(parser: argparse.ArgumentParser, study: Study) -> None:
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
    _add_processes(parser)
    used = () if study.point is None else (*study.point.traced, *study.point.structural)
    _add_settings(parser, study.config, used)


def _sweep(options: argparse.Namespace) -> int:
    from stdpjax.lab import sweep  # zarr takes half a second to import, which the other commands do without

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


# Commands that run something of one configuration into a folder: what they do, more of it, what --force does, and how
# an interrupted one goes on.
_INTO = {
    "train": (
        "train a network on labelled images",
        "in layers, with a checkpoint after each epoch. The same command goes on where an interrupted one stopped.",
        "start over and overwrite the training in the folder",
        "the same command goes on after the last epoch that is complete",
    ),
    "fit": (
        "fit a plasticity rule to measured weight changes",
        "with intervals by profile likelihood and bootstrap, a figure, and a comparison with other rules.",
        "overwrite the fit in the folder",
        "nothing was written; the same command starts over",
    ),
}


def _parts(name: str) -> tuple[Any, Callable[..., Any]]:
    """Return a command's default configuration and its function, whose imports take a second."""
    if name == "train":
        from stdpjax.lab.train import TrainConfig, train

        return TrainConfig(), train
    from stdpjax.lab.fit import FitConfig, fit_into

    return FitConfig(), fit_into


def _add_into(commands: Any, name: str, is_chosen: bool) -> None:
    what, more, force, _ = _INTO[name]
    parser = commands.add_parser(name, help=what, description=f"{what.capitalize()}, {more}")
    out = {"train": "training"}.get(name, name)
    parser.add_argument("--out", default=out, metavar="FOLDER", help=f"folder to write into (default: {out})")
    parser.add_argument("--seed", type=int, default=0, help="whole number, 0 to 2**32 - 1 (default: 0)")
    parser.add_argument("--force", action="store_true", help=force)
    if is_chosen:
        _add_settings(parser, _parts(name)[0])


def _into(options: argparse.Namespace) -> int:
    defaults, into = _parts(options.command)
    given = _given_settings(defaults, options.command, options)
    config = settings.replace(defaults, given, options.command)
    is_training = options.command == "train"
    try:
        into(config, options.seed, options.out, force=options.force, **({"given": given} if is_training else {}))
    except KeyboardInterrupt as interrupt:
        how = str(interrupt) or _INTO[options.command][-1]
        starts_over = "; without --force, with it it starts over" if is_training and options.force else ""
        raise KeyboardInterrupt(how + starts_over) from interrupt
    return 0


def _given_settings(config: Any, owner: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that were given as options."""
    texts = {field.name: getattr(options, f"setting.{field.name}", None) for field in dataclasses.fields(config)}
    return {name: settings.parse(config, name, text, owner) for name, text in texts.items() if text is not None}


def _reproduce_settings(assignments: Sequence[str], chosen: Sequence[Study]) -> dict[str, dict[str, Any]]:
    """Parse `STUDY.NAME=VALUE` assignments."""
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
        print(f"{record['id']:{width}}  {record['verdict']:21}  {measured:>10}  {record['claim']}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
