"""How near a package is to the checkpoint that it was made of: what `llq eval` computes."""

from llq_format.evaluation.evaluate import Evaluation, evaluate, evaluate_weights
from llq_format.evaluation.statistics import Estimate, Score

__all__ = ["Estimate", "Evaluation", "Score", "evaluate", "evaluate_weights"]
