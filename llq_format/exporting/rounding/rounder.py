"""The type of rounders, and the simplest rounder."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from llq_format.format.quantize import METHODS, PackedTensor, Scheme, quantize

Weights = NDArray[np.float32]
Hessian = NDArray[np.float64]
Rounder = Callable[[Weights, Hessian | None, Scheme], PackedTensor]
"""A function of weights, float32 [rows, cols], the Hessian, float64 [cols, cols] or None, and a scheme.

Raises QuantizeError for a weight that is not finite or that no legal scale represents.
"""


def nearest(weights: Weights, _hessian: Hessian | None, scheme: Scheme) -> PackedTensor:
    """Round to nearest over the whole range of each block, and ignore the inputs."""
    return quantize(weights, method=METHODS["rtn"][scheme])
