"""Settings of a fit from the command line."""

import dataclasses

from stdpjax import _checks
from stdpjax.fitting.measurements import PRESETS
from stdpjax.fitting.models import MODELS, find_model
from stdpjax.settings import setting


def _read_names(text: str) -> tuple[str, ...]:
    return () if text.strip() in ("", "none") else tuple(part.strip() for part in text.split(","))


def _read_rules(text: str) -> tuple[str, ...]:
    return tuple(MODELS) if text.strip() == "all" else _read_names(text)


def _read_values(text: str) -> tuple[tuple[str, float], ...]:
    values = []
    for part in _read_names(text):
        name, _, number = part.partition("=")
        try:
            values.append((name.strip(), float(number)))
        except ValueError as error:
            raise ValueError(f"fix: expected NAME=NUMBER separated by commas, got {text!r}") from error
    return tuple(values)


@dataclasses.dataclass(frozen=True)
class FitConfig:
    """Settings of `fit_into`."""

    rule: str = setting("triplet", "the rule that is fitted", choices=MODELS)
    data: str = setting(
        "sjostrom_2001",
        f"measured weight changes: {', '.join(PRESETS)}, or a CSV file with a header of lag_ms, or pre_ms and post_ms, "
        "change_percent and optionally sem, frequency_hz and n_repeats",
        placeholder="PRESET|FILE.csv",
    )
    compare: tuple[str, ...] = setting(
        (), "rules to compare it with, separated by commas, or all", read=_read_rules, placeholder="RULE,...|all"
    )
    fix: tuple[tuple[str, float], ...] = setting(
        (), "values of parameters that are not to be fitted", read=_read_values, placeholder="NAME=VALUE,..."
    )
    free: tuple[str, ...] = setting(
        (), "parameters to be fitted although the rule holds them", read=_read_names, placeholder="NAME,..."
    )
    n_starts: int = setting(20, "random starts")
    n_resamples: int = setting(200, "refits of the bootstrap, 0 for none")
    confidence: float = setting(0.95, "coverage of the intervals")

    def __post_init__(self) -> None:
        """Refuse what cannot run."""
        known = [parameter.name for parameter in find_model(self.rule).parameters]
        for name in self.compare:
            _checks.choice("compare", name, MODELS)
        for name, _ in self.fix:
            _checks.choice("fix", name, known)
        for name in self.free:
            _checks.choice("free", name, known)
        if len(dict(self.fix)) < len(self.fix):
            raise ValueError(f"fix: expected each parameter once, got {self.fix!r}")
        _checks.count("n_starts", self.n_starts)
        _checks.count("n_resamples", self.n_resamples, minimum=0)
        _checks.number("confidence", self.confidence, above=0, below=1)
