"""What each command does."""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import stdpjax
from stdpjax import parallel
from stdpjax.cli.options import (
    OneLineParser,
    add_folder,
    add_settings,
    assigned_settings,
    connect,
    fill_reproduce,
    fill_run,
    fill_sweep,
    given_settings,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        options = _parser(arguments).parse_args(arguments)
        return _COMMANDS[options.command].run(options)
    except (ValueError, OSError) as error:
        if parallel.is_main_process():
            print(f"stdpjax: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except parallel.MainProcessError:  # which says what is wrong
        return 2
    except KeyboardInterrupt as interrupt:
        how = str(interrupt) or "the same command goes on with the studies not yet done"
        print(f"\nstdpjax: interrupted; {how}", file=sys.stderr)
        return 130


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser, filled for the command that was given alone."""
    parser = OneLineParser(prog="stdpjax", description=stdpjax.__doc__)
    parser.add_argument("--version", action="version", version=f"stdpjax {stdpjax.__version__}")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="|".join(_COMMANDS), parser_class=OneLineParser
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

    width = max(len(study.name) for study in studies.STUDIES)
    for study in studies.STUDIES:
        print(f"{study.name:{width}}  {study.figure}: {study.title} ({len(study.claims)} claims)")
    return 0


def _run(options: argparse.Namespace) -> int:
    from stdpjax import studies

    connect(options)
    if options.command == "run" and len(options.studies) == 1:
        (study,) = options.studies
        overrides = {study.name: given_settings(study.config, study.name, options)}
    else:
        overrides = assigned_settings(options.set, options.studies)
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


def _sweep(options: argparse.Namespace) -> int:
    from stdpjax import studies
    from stdpjax.lab import sweep

    connect(options)
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
            **given_settings(study.config, study.name, options),
        )
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(str(interrupt) or "the same command goes on with the points not yet done") from None
    return 0


class _Into(NamedTuple):
    """A command that runs something of one configuration into a folder."""

    out: str
    """Default folder."""
    force: str
    """What --force does."""
    interrupted: str
    """How an interrupted run goes on."""
    parts: Callable[[], tuple[Any, Callable[..., Any]]]
    """Its default configuration and its function."""


def _training() -> tuple[Any, Callable[..., Any]]:
    from stdpjax.lab.train import TrainConfig, train

    return TrainConfig(), train


def _fitting() -> tuple[Any, Callable[..., Any]]:
    from stdpjax.lab.fit import FitConfig, fit_into

    return FitConfig(), fit_into


_INTO = {
    "train": _Into(
        "training",
        "start over and overwrite the training in the folder",
        "the same command goes on after the last epoch that is complete",
        _training,
    ),
    "fit": _Into(
        "fit", "overwrite the fit in the folder", "nothing was written; the same command starts over", _fitting
    ),
}


def _fill_into(into: _Into, parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    add_folder(parser, into.out, into.force)
    add_settings(parser, into.parts()[0])


def _into(options: argparse.Namespace) -> int:
    from stdpjax.lab import settings

    into = _INTO[options.command]
    defaults, run = into.parts()
    given = given_settings(defaults, options.command, options)
    config = settings.replace(defaults, given, options.command)
    is_training = options.command == "train"
    try:
        run(config, options.seed, options.out, force=options.force, **({"given": given} if is_training else {}))
    except KeyboardInterrupt as interrupt:
        how = str(interrupt) or into.interrupted
        starts_over = "; without --force, with it it starts over" if is_training and options.force else ""
        raise KeyboardInterrupt(how + starts_over) from interrupt
    return 0


def _print_ledger(ledger: Sequence[dict[str, Any]]) -> None:
    width = max((len(record["id"]) for record in ledger), default=0)
    for record in ledger:
        measured = "not finite" if record["measured"] is None else f"{record['measured']:.4g}"
        print(f"{record['id']:{width}}  {record['verdict']:21}  {measured:>10}  {record['claim']}")


class _Command(NamedTuple):
    what: str
    """What it does, in a few words."""
    more: str
    """The rest of that sentence, and more."""
    run: Callable[[argparse.Namespace], int]
    fill: Callable[[argparse.ArgumentParser, Sequence[str]], None] | None = None
    """Adds its options; None where it has none."""


_COMMANDS = {
    "reproduce": _Command("run all studies and write the report", ".", _run, fill_reproduce),
    "run": _Command("run one study, or those of a file", ".", _run, fill_run),
    "sweep": _Command("run one study over a grid of settings and seeds", ".", _sweep, fill_sweep),
    "train": _Command(
        "train a network on labelled images",
        ", in layers, with a checkpoint after each epoch. The same command goes on where an interrupted one stopped.",
        _into,
        partial(_fill_into, _INTO["train"]),
    ),
    "fit": _Command(
        "fit a plasticity rule to measured weight changes",
        ", with intervals by profile likelihood and bootstrap, a figure, and a comparison with other rules.",
        _into,
        partial(_fill_into, _INTO["fit"]),
    ),
    "list": _Command("list the studies", ".", _list),
}
