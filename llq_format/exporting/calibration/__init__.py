"""Calibration: a text runs through the model layer by layer, and each matrix is rounded for its inputs."""

from llq_format.exporting.calibration.expected_time import LOSSES, ExpectedTime
from llq_format.exporting.calibration.recipe import RECIPES, Recipe
from llq_format.exporting.calibration.rounded_layers import Calibrated, RoundedLayer, first_streams
from llq_format.exporting.calibration.saved_layers import SavedLayers
from llq_format.exporting.calibration.tokens import Calibration, calibration

__all__ = [
    "LOSSES",
    "RECIPES",
    "Calibrated",
    "Calibration",
    "ExpectedTime",
    "Recipe",
    "RoundedLayer",
    "SavedLayers",
    "calibration",
    "first_streams",
]
