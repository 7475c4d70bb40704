"""Published rules by citation: one table of parameters, with sources and units.

Times are in milliseconds. Amplitudes are changes relative to the weight before the experiment, so 0.1 is 10 %, but for
Song, Miller & Abbott, where they are fractions of the greatest conductance. Those of Bi & Poo and of Froemke & Dan were
fitted to what a whole experiment of about 60 pairings left; divided by that number they are changes by one pair, as the
others are (`Preset.unit` says which). A time constant that a source leaves out, because its amplitude is 0, is that of
the pair and has no effect.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from stdpjax import _checks
from stdpjax.rules.base import Rule
from stdpjax.rules.pair_schemes import pair_rule
from stdpjax.rules.triplet import suppression_rule, triplet_rule


class Preset(NamedTuple):
    """A published parameter set."""

    make: Callable[..., Rule]
    """What makes the rule of the parameters."""
    parameters: Mapping[str, Any]
    """Arguments of `make`, times in milliseconds."""
    unit: str
    """Of the changes, and whether one pair of spikes or all pairings of an experiment make them."""
    source: str
    """Where the rule was published, and where the numbers were read."""

    def rule(self, **overrides: Any) -> Rule:
        """Return the rule.

        Args:
            **overrides: arguments of `make` in the place of the published ones.

        Raises:
            ValueError: an override that the rule does not have, or a value out of range.

        Example:
            >>> import stdpjax
            >>> rule = stdpjax.rules.presets["bi_poo_2001"].rule()
            >>> events = stdpjax.rules.merge_spike_times([0.0], [10.0])
            >>> round(float(stdpjax.rules.event_weight_change(rule, *events)), 3)
            0.428
        """
        for name in overrides:
            _checks.choice("overrides", name, (*self.parameters, "order", "coincidence"))
        return self.make(**{**self.parameters, **overrides})


class _Presets(dict[str, Preset]):
    """The table; a name that it lacks is a `ValueError` with the known ones."""

    def __missing__(self, name: str) -> Preset:
        return self[_checks.choice("preset", name, self)]


_BY_PAIR = "change relative to the weight before, by one pair or triplet of spikes"
_BY_EXPERIMENT = "change relative to the weight before, by all pairings of an experiment"
_ALL, _NEAREST = "all_to_all", "nearest"
_TRIPLETS = "Pfister & Gerstner 2006 (J Neurosci 26:9673)"
_VISUAL, _HIPPOCAMPUS = "visual cortex", "hippocampal culture"
_TUTORIAL = "numbers as in NESTML's tutorial on triplets"


def _pair(source: str, unit: str, plus: tuple[float, float], minus: tuple[float, float]) -> Preset:
    """Return a set of (amplitude, time constant) for both sides."""
    parameters = {"A_plus": plus[0], "A_minus": minus[0], "tau_plus": plus[1], "tau_minus": minus[1], "scheme": _ALL}
    return Preset(pair_rule, MappingProxyType(parameters), unit, source)


def _triplet(
    region: str,
    scheme: str,
    plus: tuple[float, float],
    minus: tuple[float, float],
    slow: tuple[float | None, float],
    numbers: str,
) -> Preset:
    """Return a set of (pair, triplet) amplitudes for both sides and of the slow time constants."""
    tau_plus, tau_minus, (tau_x, tau_y) = 16.8, 33.7, slow
    names = ("A2_plus", "A3_plus", "A2_minus", "A3_minus", "tau_plus", "tau_minus", "tau_x", "tau_y", "scheme")
    values = (*plus, *minus, tau_plus, tau_minus, tau_plus if tau_x is None else tau_x, tau_y, scheme)
    return Preset(
        triplet_rule,
        MappingProxyType(dict(zip(names, values, strict=True))),
        _BY_PAIR,
        f"{_TRIPLETS}, {region}; {numbers}",
    )


_TABLE = _Presets(
    {
        "bi_poo_2001": _pair(
            "Bi & Poo 2001 (Annu Rev Neurosci 24:139), exponential fit to Bi & Poo 1998 (J Neurosci 18:10464)",
            _BY_EXPERIMENT,
            (0.777, 16.8),
            (0.273, 33.7),
        ),
        "song_miller_abbott_2000": _pair(
            "Song, Miller & Abbott 2000 (Nat Neurosci 3:919); numbers as in VH-Lab's stdp_apply",
            "fraction of the greatest conductance, by one pair",
            (0.005, 20.0),
            (0.005 * 1.05, 20.0),
        ),
        "froemke_dan_2002": Preset(
            suppression_rule,
            MappingProxyType(
                {
                    "A_plus": 1.01,
                    "A_minus": 0.52,
                    "tau_plus": 14.8,
                    "tau_minus": 33.8,
                    "tau_pre": 34.0,
                    "tau_post": 75.0,
                    "scheme": _ALL,
                }
            ),
            _BY_EXPERIMENT,
            "Froemke & Dan 2002 (Nature 416:433); numbers as in BrainGrid's AllSTDPSynapses",
        ),
        "pfister_gerstner_2006_visual_cortex_all_to_all_full": _triplet(
            _VISUAL, _ALL, (5e-10, 6.2e-3), (7e-3, 2.3e-4), (101.0, 125.0), _TUTORIAL
        ),
        "pfister_gerstner_2006_visual_cortex_nearest_full": _triplet(
            _VISUAL, _NEAREST, (8.8e-11, 5.3e-2), (6.6e-3, 3.1e-3), (714.0, 40.0), _TUTORIAL
        ),
        "pfister_gerstner_2006_visual_cortex_all_to_all_minimal": _triplet(
            _VISUAL, _ALL, (0.0, 6.5e-3), (7.1e-3, 0.0), (None, 114.0), "numbers as in an Igor procedure"
        ),
        "pfister_gerstner_2006_visual_cortex_nearest_minimal": _triplet(
            _VISUAL,
            _NEAREST,
            (0.0, 5.0e-2),
            (8e-3, 0.0),
            (None, 40.0),
            "numbers as in Simbrain, with the amplitude of triplets that fits better; SNNUtils has 5.2e-2",
        ),
        "pfister_gerstner_2006_hippocampus_all_to_all_full": _triplet(
            _HIPPOCAMPUS, _ALL, (6.1e-3, 6.7e-3), (1.6e-3, 1.4e-3), (946.0, 27.0), _TUTORIAL
        ),
        "pfister_gerstner_2006_hippocampus_nearest_full": _triplet(
            _HIPPOCAMPUS, _NEAREST, (4.6e-3, 9.1e-3), (3e-3, 7.5e-9), (575.0, 47.0), _TUTORIAL
        ),
        "pfister_gerstner_2006_hippocampus_all_to_all_minimal": _triplet(
            _HIPPOCAMPUS, _ALL, (5.3e-3, 8e-3), (3.5e-3, 0.0), (None, 40.0), "numbers as in an Igor procedure"
        ),
        "pfister_gerstner_2006_hippocampus_nearest_minimal": _triplet(
            _HIPPOCAMPUS, _NEAREST, (4.6e-3, 9.1e-3), (3e-3, 0.0), (None, 48.0), "numbers as in SNNUtils"
        ),
    }
)
presets: Mapping[str, Preset] = MappingProxyType(_TABLE)
