"""Imports point in one direction: a module imports only from those before it."""

import ast
from pathlib import Path

import pytest

import stdpjax

PACKAGE = Path(stdpjax.__file__).parent

# In order; a folder stands for all of its modules, which may import each other.
ORDER = [
    "_units",
    "_checks",
    "_alike",
    "_threads",
    "_threefry",
    "random",
    "parallel",
    "rates",
    "drives",
    "spikes",
    "protocols",
    "rules",
    "energy",
    "clamps",
    "observers",
    "dynamics",
    "fixed_points",
    "objectives",
    "settings",
    "provenance",
    "stats",
    "power",
    "plotting",
    "learning",
    "networks",
    "theory",
    "fitting",
    "report",
    "lab",
    "studies.figures",
    "studies.points",
    "studies.measures",
    "studies.network_runs",
    "studies.protocol",
    "studies.sweep_points",
    "studies.stdp_window",
    "studies.rising_rate",
    "studies.rule_agreement",
    "studies.example_traces",
    "studies.constant_rate",
    "studies.pairing_schemes",
    "studies.prediction_rules",
    "studies.prediction_protocols",
    "studies.triplet_frequency",
    "studies.fit_window",
    "studies.zoo_rules",
    "studies.rule_zoo",
    "studies.xie_seung_parts",
    "studies.xie_seung",
    "studies.plastic_networks",
    "studies.speed_with_learning",
    "studies.pairing_drift",
    "studies.spike_input_bias",
    "studies.rule_is_semigradient",
    "studies.conditions",
    "studies.energy_gradient",
    "studies.printed_update",
    "studies.langevin_noise",
    "studies.langevin_density",
    "studies.hidden_objective",
    "studies.score_fits",
    "studies.score_matching",
    "studies.em_training",
    "studies.impatient_em",
    "studies.relaxations",
    "studies.inference_speedup",
    "studies.fixed_points",
    "studies.energy_descent",
    "studies.stability",
    "studies.backprop_link",
    "studies.supervised_gradient",
    "studies.digit_training",
    "studies.digits_supervised",
    "studies.two_layer_em",
    "studies.completion",
    "studies.digits_unsupervised",
    "studies.sequence_prediction",
    "studies.reinforce_networks",
    "studies.reinforce_variance",
    "studies",
    "cli",
    "__main__",
]


def layer(module):
    """Position of a module in the order; the longest name that covers it counts."""
    covering = [name for name in ORDER if module == name or module.startswith(name + ".")]
    assert covering, f"{module} has no place in the order"
    return ORDER.index(max(covering, key=len))


def name_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imported_by(path):
    """Modules of this package that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stdpjax"):
            base = (node.module or "").removeprefix("stdpjax").lstrip(".")
            for alias in node.names:
                submodule = PACKAGE.joinpath(*base.split("."), alias.name) if base else PACKAGE / alias.name
                is_module = submodule.with_suffix(".py").exists() or submodule.is_dir()
                yield f"{base}.{alias.name}".strip(".") if is_module else base
        elif isinstance(node, ast.Import):
            yield from (a.name.removeprefix("stdpjax.") for a in node.names if a.name.startswith("stdpjax."))


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=name_of)
def test_imports_point_one_way(path):
    own = name_of(path)
    if not own:
        return  # the package's front door imports everything it shows
    for module in imported_by(path):
        assert layer(module) <= layer(own), f"{own} imports {module}"


def test_numerics_do_not_import_pictures_tables_samplers_or_optimisers():
    import subprocess
    import sys

    heavy = {"blackjax", "optax", "orbax", "sklearn", "matplotlib", "xarray", "pandas", "tqdm"}
    program = f"import sys, stdpjax; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
