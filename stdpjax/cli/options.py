"""What each command takes, and how it is read."""

import argparse
import dataclasses
import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from stdpjax import parallel

# A command imports what it needs: help and mistyped names come as soon as JAX is there.
if TYPE_CHECKING:
    from stdpjax.lab.study import Study


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage, and whose options are written out."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end."""
        self.exit(2, f"stdpjax: error: {message}\n")


def fill_reproduce(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add the options of a run of all studies."""
    from stdpjax import studies

    _add_run(parser)
    _add_set(parser, studies.STUDIES)


def fill_run(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add what can be run, each with its options."""
    by_name = parser.add_subparsers(
        dest="study", required=True, metavar="STUDY|FILE.py[:NAME]", parser_class=OneLineParser
    )
    for text, found in _studies_by_name(arguments):
        if len(found) > 1:
            several = by_name.add_parser(text)
            _add_run(several)
            _add_set(several, found)
            continue
        (study,) = found
        one = by_name.add_parser(text, help=study.title, description=study.caption)
        one.set_defaults(studies=found)
        _add_run(one)
        add_settings(one, study.config)


def fill_sweep(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Add what can be swept, each with its options."""
    by_name = parser.add_subparsers(
        dest="study", required=True, metavar="STUDY|FILE.py[:NAME]", parser_class=OneLineParser
    )
    for text, found in _studies_by_name(arguments):
        if len(found) == 1:
            (study,) = found
            _add_sweep(by_name.add_parser(text, help=study.title, description=f"Sweep: {study.title}."), study)


def _studies_by_name(arguments: Sequence[str]) -> list[tuple[str, "Sequence[Study]"]]:
    """Return what can be run: the paper's studies, and those of a file named after the command."""
    from stdpjax import studies
    from stdpjax.lab import from_file

    named: list[tuple[str, Sequence[Study]]] = [(study.name, (study,)) for study in studies.STUDIES]
    if len(arguments) > 1 and arguments[0] in ("run", "sweep") and from_file.names_a_file(arguments[1]):
        named.append((arguments[1], from_file.read_studies(arguments[1])))
    return named


def _add_run(parser: argparse.ArgumentParser) -> None:
    add_folder(parser, "results", "run again and overwrite what the folder holds")
    parser.add_argument("--smoke", action="store_true", help="small configurations, seconds instead of minutes")
    _add_processes(parser)


def add_folder(parser: argparse.ArgumentParser, out: str, force: str) -> None:
    """Add the options of a run into a folder: its seed, the folder with its default, and what --force does."""
    parser.add_argument("--seed", type=int, default=0, help="whole number, 0 to 2**32 - 1 (default: 0)")
    parser.add_argument("--out", default=out, metavar="FOLDER", help=f"folder to write into (default: {out})")
    parser.add_argument("--force", action="store_true", help=force)


def _add_set(parser: argparse.ArgumentParser, chosen: "Sequence[Study]") -> None:
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


def connect(options: argparse.Namespace) -> None:
    """Join the processes of the run, before JAX starts; errors name the options."""
    names = {"coordinator": "--coordinator", "n_processes": "--num-processes", "process_id": "--process-id"}
    try:
        parallel.initialize(options.coordinator, options.num_processes, options.process_id)
    except (ValueError, RuntimeError) as error:
        # Not within quotes, where a host may have such a name.
        text = re.sub(rf"(?<!')\b({'|'.join(names)})\b", lambda found: names[found[0]], str(error))
        raise ValueError(text) from error


def add_settings(parser: argparse.ArgumentParser, config: Any, names: Collection[str] | None = None) -> None:
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
    _add_processes(parser)
    used = () if study.point is None else (*study.point.traced, *study.point.structural)
    add_settings(parser, study.config, used)


def given_settings(config: Any, owner: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that were given as options."""
    from stdpjax.lab import settings

    texts = {field.name: getattr(options, f"setting.{field.name}", None) for field in dataclasses.fields(config)}
    return {name: settings.parse(config, name, text, owner) for name, text in texts.items() if text is not None}


def assigned_settings(assignments: Sequence[str], chosen: "Sequence[Study]") -> dict[str, dict[str, Any]]:
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
