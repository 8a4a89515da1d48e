"""Calibration: text goes through the model a layer at a time, and each matrix is rounded for its inputs."""

from llq_format.calibration.recipe import RECIPES, Recipe
from llq_format.calibration.rounded_layers import Calibrated, RoundedLayer
from llq_format.calibration.tokens import Calibration, calibration

__all__ = ["RECIPES", "Calibrated", "Calibration", "Recipe", "RoundedLayer", "calibration"]
