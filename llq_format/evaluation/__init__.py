"""The evaluation of a package against its checkpoint, as in `llq eval`."""

from llq_format.evaluation.blocks import BlockMap, block_maps
from llq_format.evaluation.evaluate import Evaluation, evaluate, evaluate_weights
from llq_format.evaluation.samples import beginnings, continuations
from llq_format.evaluation.statistics import Estimate, Score

__all__ = [
    "BlockMap",
    "Estimate",
    "Evaluation",
    "Score",
    "beginnings",
    "block_maps",
    "continuations",
    "evaluate",
    "evaluate_weights",
]
