"""The methods of `llq export --method`: transforms, then a rounder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from llq_format.exporting.rounding import Rounder, error_feedback, nearest_weighted
from llq_format.exporting.transforms import (
    BalancedChannels,
    BalancedPairs,
    FoldedNorms,
    RotatedResidual,
    RotatedValues,
    Transform,
)
from llq_format.metadata.model import Model

MakeTransforms = Callable[[Model, int], list[Transform]]
"""A function from a model and a seed to transforms, in order."""


@dataclass(frozen=True)
class Recipe:
    """An export method.

    activation_aware: whether columns are scaled by the magnitude of their inputs (AWQ).
    corrected: whether each matrix is corrected for inputs that differ from the original's, because earlier
    layers were rounded.
    """

    rounder: Rounder
    transforms: MakeTransforms = lambda _model, _seed: []
    activation_aware: bool = False
    corrected: bool = False


def _all_transforms(model: Model, seed: int) -> list[Transform]:
    return [
        FoldedNorms(),
        RotatedResidual(model.hidden_size, seed),
        RotatedValues(seed),
        BalancedPairs(),
        BalancedChannels(),
    ]


RECIPES: Mapping[str, Recipe] = {
    "awq": Recipe(nearest_weighted, activation_aware=True),
    "gptq": Recipe(partial(error_feedback, rounds=0)),
    "best": Recipe(error_feedback, _all_transforms, corrected=True),
}
"""The recipes by the name of the method, except `rtn`, which needs no calibration."""
