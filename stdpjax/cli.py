"""The command line: `stdpjax reproduce`, `run STUDY`, `sweep STUDY`, `train`, `fit`, `list`.

Bad input gets one line on standard error and exit code 2; an interrupt exit code 130.
"""

import argparse
import dataclasses
import re
import sys
from collections.abc import Collection, Sequence
from typing import Any, NoReturn

import stdpjax
from stdpjax import parallel, settings, studies
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
    if options.command == "train":
        return _train(options)
    if options.command == "fit":
        return _fit(options)
    _connect(options)
    if options.command == "sweep":
        return _sweep(options)
    if options.command == "run":
        study = studies.find(options.study)
        overrides = {study.name: _given_settings(study.config, study.name, options)}
        names = [study.name]
    else:
        overrides, names = _reproduce_settings(options.set), None
    try:
        ledger = studies.run_into(
            options.out,
            names,
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
    reproduce.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="STUDY.NAME=VALUE",
        help="replace a setting of a study; may be repeated",
    )
    run = commands.add_parser("run", help="run one study")
    by_name = run.add_subparsers(dest="study", required=True, metavar="STUDY", parser_class=_OneLineParser)
    for study in studies.STUDIES:
        one = by_name.add_parser(study.name, parents=[common], help=study.title, description=study.caption)
        _add_settings(one, study.config)
    _add_sweep(commands)
    _add_train(commands, is_chosen="train" in arguments)
    _add_fit(commands, is_chosen="fit" in arguments)
    commands.add_parser("list", help="list the studies")
    return parser


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


def _add_sweep(commands: Any) -> None:
    sweep = commands.add_parser("sweep", help="run one study over a grid of settings and seeds")
    by_name = sweep.add_subparsers(dest="study", required=True, metavar="STUDY", parser_class=_OneLineParser)
    for study in studies.STUDIES:
        one = by_name.add_parser(study.name, help=study.title, description=f"Sweep: {study.title}.")
        one.add_argument(
            "--grid",
            action="append",
            default=[],
            metavar="NAME=A,B,...|LO:HI:N[:log]",
            help="values of a setting, or a range with both ends, evenly spaced or by even ratios; may be repeated",
        )
        one.add_argument("--seeds", type=int, default=1, help="how many seeds (default: 1)")
        one.add_argument("--seed", type=int, default=0, help="the first seed (default: 0)")
        one.add_argument("--out", required=True, metavar="FOLDER", help="folder of the zarr store")
        one.add_argument("--memory", default="1GiB", metavar="SIZE", help="memory to use (default: 1GiB)")
        one.add_argument("--smoke", action="store_true", help="small configuration, seconds instead of minutes")
        _add_processes(one)
        used = () if study.point is None else (*study.point.traced, *study.point.structural)
        _add_settings(one, study.config, used)


def _sweep(options: argparse.Namespace) -> int:
    from stdpjax import sweeps  # zarr takes half a second to import, which the other commands do without

    study = studies.find(options.study)
    try:
        sweeps.sweep(
            study.name,
            sweeps.parse_grid(study, options.grid),
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


def _add_train(commands: Any, is_chosen: bool) -> None:
    train = commands.add_parser(
        "train",
        help="train a network on labelled images",
        description="Train a layered network on labelled images, with a checkpoint after each epoch. The same command "
        "goes on where an interrupted or killed one stopped.",
    )
    train.add_argument("--out", default="training", metavar="FOLDER", help="folder to write into (default: training)")
    train.add_argument("--seed", type=int, default=0, help="whole number, 0 to 2**32 - 1 (default: 0)")
    train.add_argument("--force", action="store_true", help="start over and overwrite the training in the folder")
    if is_chosen:
        from stdpjax import learning  # optax takes a second to import, which the other commands do without

        _add_settings(train, learning.TrainConfig())


def _train(options: argparse.Namespace) -> int:
    from stdpjax import learning

    defaults = learning.TrainConfig()
    given = _given_settings(defaults, "train", options)
    config = settings.replace(defaults, given, "train")
    try:
        learning.train(config, options.seed, options.out, given=given, force=options.force)
    except KeyboardInterrupt as interrupt:
        how = str(interrupt) or "the same command goes on after the last epoch that is complete"
        if options.force:
            how += "; without --force, with it it starts over"
        raise KeyboardInterrupt(how) from interrupt
    return 0


def _add_fit(commands: Any, is_chosen: bool) -> None:
    fit = commands.add_parser(
        "fit",
        help="fit a plasticity rule to measured weight changes",
        description="Fit a plasticity rule to measured weight changes: parameters with intervals by profile likelihood "
        "and bootstrap, a figure, and a comparison with other rules.",
    )
    fit.add_argument("--out", default="fit", metavar="FOLDER", help="folder to write into (default: fit)")
    fit.add_argument("--seed", type=int, default=0, help="whole number, 0 to 2**32 - 1 (default: 0)")
    fit.add_argument("--force", action="store_true", help="overwrite the fit in the folder")
    if is_chosen:
        from stdpjax import fitting  # optax takes a second to import, which the other commands do without

        _add_settings(fit, fitting.FitConfig())


def _fit(options: argparse.Namespace) -> int:
    from stdpjax import fitting

    defaults = fitting.FitConfig()
    config = settings.replace(defaults, _given_settings(defaults, "fit", options), "fit")
    try:
        fitting.fit_into(config, options.seed, options.out, force=options.force)
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(str(interrupt) or "nothing was written; the same command starts over") from interrupt
    return 0


def _given_settings(config: Any, owner: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that were given as options."""
    texts = {field.name: getattr(options, f"setting.{field.name}", None) for field in dataclasses.fields(config)}
    return {name: settings.parse(config, name, text, owner) for name, text in texts.items() if text is not None}


def _reproduce_settings(assignments: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Parse `STUDY.NAME=VALUE` assignments."""
    overrides: dict[str, dict[str, Any]] = {}
    for assignment in assignments:
        target, equals, text = assignment.partition("=")
        name, dot, field = target.partition(".")
        if not equals or not dot:
            raise ValueError(f"--set: expected STUDY.NAME=VALUE, got {assignment!r}")
        study = studies.find(name)
        overrides.setdefault(name, {})[field] = parse_setting(study, field, text)
    return overrides


def parse_setting(study: Study, name: str, text: str) -> Any:
    """Return the value of a study's setting from its text.

    Args:
        study: the study.
        name: name of the setting.
        text: a number, a word, numbers separated by commas, or a file name where the setting is read from a file.

    Returns:
        The value, with the type of the setting.

    Raises:
        ValueError: unknown setting (the known ones are listed), or a text that is not of its type.

    Example:
        >>> from stdpjax import cli, studies
        >>> cli.parse_setting(studies.find("rule_agreement"), "widths", "3,10")
        (3.0, 10.0)
    """
    return settings.parse(study.config, name, text, study.name)


def _print_ledger(ledger: Sequence[dict[str, Any]]) -> None:
    width = max((len(record["id"]) for record in ledger), default=0)
    for record in ledger:
        measured = "not finite" if record["measured"] is None else f"{record['measured']:.4g}"
        print(f"{record['id']:{width}}  {record['verdict']:21}  {measured:>10}  {record['claim']}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
