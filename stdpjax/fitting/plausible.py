"""Numbers that nearly surely are of another unit than is said. All thresholds stand here."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# Fewer points than this may be small or large by chance.
_ENOUGH = 3


def _has_enough(sizes: Floats) -> bool:
    return sizes.size >= _ENOUGH


# What the numbers are -> (whether their sizes tell of another unit, what they look like).
_LOOKS: Mapping[str, tuple[tuple[Callable[[Floats], bool], str], ...]] = MappingProxyType(
    {
        # The shortest lags of experiments are near 1 ms, and windows end within a second.
        "lag_ms": (
            (lambda x: _has_enough(x) and bool(np.all((x > 0) & (x < 0.2))), "seconds: multiply by 1000"),
            (lambda x: _has_enough(x) and np.median(x) > 5000, "microseconds: divide by 1000"),
        ),
        # Potentiation is by less than a factor of 10, and a change of 1 % cannot be measured.
        "change": ((lambda x: _has_enough(x) and np.median(x) > 10, "percent: divide by 100"),),
        "change_percent": (
            (lambda x: _has_enough(x) and 0 < x.max() <= 1, "shares of the weight before: multiply by 100"),
        ),
        "epsp_ratio": (
            (lambda x: np.median(x) > 10, "percent: divide by 100, or name the column percent_of_baseline"),
        ),
        "percent_of_baseline": (
            (
                lambda x: _has_enough(x) and 0 < x.max() <= 10,
                "ratios of after over before: multiply by 100, or name the column epsp_ratio",
            ),
        ),
    }
)
_EXPECTED = {
    "lag_ms": "milliseconds",
    "change": "shares of the weight before",
    "change_percent": "changes in percent",
    "epsp_ratio": "ratios of after over before",
    "percent_of_baseline": "percent of the weight before",
}


def refuse_other_unit(argument: str, what: str, values: Floats, where: str = "") -> None:
    """Refuse numbers that look like another unit, as `_LOOKS` says.

    Args:
        argument: what to name in the message.
        what: "lag_ms", "change", "change_percent", "epsp_ratio" or "percent_of_baseline".
        values: the numbers, shape `[point]`.
        where: which of them, for the message.

    Raises:
        ValueError: they look like another unit (the message names it with the factor).
    """
    sizes = np.abs(values)
    for is_other, hint in _LOOKS[what]:
        if sizes.size and is_other(sizes):
            raise ValueError(
                f"{argument}: expected {_EXPECTED[what]}{where}, got {sizes.size} of sizes from {sizes.min():g} to "
                f"{sizes.max():g}; these look like {hint} (if they are right, give check_unit=False)"
            )
