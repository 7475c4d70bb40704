"""Settings of a fit from the command line."""

from stdpjax import _checks
from stdpjax.fitting.measurements import PRESETS
from stdpjax.fitting.models import MODELS, checked_number, find_model
from stdpjax.lab.settings import configuration, setting


def _read_names(text: str) -> tuple[str, ...]:
    return () if text.strip() in ("", "none") else tuple(part.strip() for part in text.split(","))


def _read_values(text: str) -> tuple[tuple[str, float], ...]:
    values = []
    for part in _read_names(text):
        name, _, number = part.partition("=")
        try:
            values.append((name.strip(), float(number)))
        except ValueError as error:
            raise ValueError(f"fix: expected NAME=NUMBER separated by commas, got {text!r}") from error
    return tuple(values)


@configuration
class FitConfig:
    """Settings of `fit_into`."""

    rule: str = setting("triplet", "the rule that is fitted", choices=MODELS)
    data: str = setting(
        "sjostrom_2001",
        f"measured weight changes: {', '.join(PRESETS)}, or a CSV file with a header of lag_ms, or pre_ms and post_ms, "
        "change_percent (or epsp_ratio or percent_of_baseline) and optionally sem, frequency_hz and n_repeats",
        placeholder="PRESET|FILE.csv",
    )
    n_repeats: int = setting(
        0,
        "how often each protocol was repeated, for a file of frequency_hz without n_repeats; else 0",
        at_least=0,
        placeholder="N",
    )
    compare: tuple[str, ...] = setting(
        (),
        "other rules to compare it with, all but their own held parameters free, separated by commas, or all",
        distinct=True,
        read=lambda text: tuple(MODELS) if text.strip() == "all" else _read_names(text),
        placeholder="RULE,...|all",
    )
    fix: tuple[tuple[str, float], ...] = setting(
        (),
        "values of parameters of the rule that are not to be fitted",
        read=_read_values,
        placeholder="NAME=VALUE,...",
    )
    free: tuple[str, ...] = setting(
        (), "parameters of the rule to be fitted although it holds them", read=_read_names, placeholder="NAME,..."
    )
    n_starts: int = setting(20, "random starts")
    n_resamples: int = setting(200, "refits of the bootstrap, 0 for none", at_least=0)
    format: tuple[str, ...] = setting(
        ("png", "svg"), "formats of the figure", choices=("png", "svg", "pdf"), distinct=True, placeholder="FORMAT,..."
    )
    confidence: float = setting(0.95, "coverage of the intervals", above=0, below=1)

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        model = find_model(self.rule)
        known = {parameter.name: parameter for parameter in model.parameters}
        for name in self.compare:
            _checks.choice("compare", name, MODELS)
        if self.compare and not {*self.compare} - {self.rule}:
            raise ValueError(f"compare: expected other rules than {self.rule!r}, got {', '.join(self.compare)}")
        if not all(isinstance(one, tuple) and len(one) == 2 for one in self.fix):
            raise ValueError(f"fix: expected a tuple of names with their values, got {self.fix!r}")
        for name, value in self.fix:
            checked_number(f"fix: {name}", known[_checks.choice("fix", name, known)], value)
        for name in self.free:
            _checks.choice("free", name, model.held)
        for argument, names in (("fix", [name for name, _ in self.fix]), ("free", self.free)):
            _checks.distinct(argument, tuple(names))
