"""Fits of plasticity rules to measured weight changes: gradients through protocols and exact expectations."""

from stdpjax.fitting.fit import compare, fit
from stdpjax.fitting.measurements import PRESETS, Measurements, bi_poo_2001, measurements, sjostrom_2001
from stdpjax.fitting.models import MODELS, Model, Parameter, find_model, predict
from stdpjax.fitting.own import model_of
from stdpjax.fitting.profile import Interval
from stdpjax.fitting.reading import load, read_measurements
from stdpjax.fitting.result import Estimate, Fit
from stdpjax.fitting.searches import Minima, random_starts, search

__all__ = ["MODELS", "PRESETS", "Estimate", "Fit", "Interval", "Measurements", "Minima", "Model", "Parameter"]
__all__ += ["bi_poo_2001", "compare", "find_model", "fit", "load", "measurements", "model_of", "predict"]
__all__ += ["random_starts", "read_measurements", "search", "sjostrom_2001"]
