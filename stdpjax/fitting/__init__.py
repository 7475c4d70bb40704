"""Fits of plasticity rules to measured weight changes: gradients through protocols and exact expectations."""

from stdpjax.fitting.fit import Estimate, Fit, Interval, compare, fit
from stdpjax.fitting.measurements import (
    PRESETS,
    Measurements,
    bi_poo_2001,
    load,
    measurements,
    read_measurements,
    sjostrom_2001,
)
from stdpjax.fitting.models import MODELS, Model, Parameter, find_model, predict

__all__ = [
    "MODELS",
    "PRESETS",
    "Estimate",
    "Fit",
    "Interval",
    "Measurements",
    "Model",
    "Parameter",
    "bi_poo_2001",
    "compare",
    "find_model",
    "fit",
    "load",
    "measurements",
    "predict",
    "read_measurements",
    "sjostrom_2001",
]
