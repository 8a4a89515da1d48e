"""Changes of a model's weights that keep its function (informative).

They make weights easier to round, because outlying columns and rows widen the range of a block. A `Transform`
changes the tensors of one layer at a time, and those at both ends of the model. A model can therefore be
larger than memory. Logits stay equal except for float64 rounding.
"""

from llq_format.exporting.transforms.channels import BalancedChannels
from llq_format.exporting.transforms.heads import BalancedPairs, RotatedValues
from llq_format.exporting.transforms.norms import FoldedNorms
from llq_format.exporting.transforms.orthogonal import orthogonal
from llq_format.exporting.transforms.residual import RotatedResidual
from llq_format.exporting.transforms.transform import Tensors, Transform, TransformedModel

__all__ = [
    "BalancedChannels",
    "BalancedPairs",
    "FoldedNorms",
    "RotatedResidual",
    "RotatedValues",
    "Tensors",
    "Transform",
    "TransformedModel",
    "orthogonal",
]
