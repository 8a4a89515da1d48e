"""The expected time of an export, from the sizes of the model and the measured speed of this machine.

The operations of a method are counted. Short runs of each kind of operation measure how long one takes.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import numpy as np

from llq_format.exporting.calibration.recipe import RECIPES
from llq_format.exporting.calibration.tokens import SEQUENCE
from llq_format.exporting.rounding import Rounder, nearest
from llq_format.exporting.rounding.rounder import Hessian
from llq_format.format.layout import is_int4
from llq_format.metadata.model import Model, TensorRole, tensor_roles
from llq_format.reference.batch import Floats
from llq_format.reference.ops import softmax

LOSSES = {"rtn": 220, "awq": 130, "gptq": 33, "best": 8}
"""Increase of the perplexity of SmolLM2-135M by each method, in percent: docs/quality.md, weights alone."""

_ROWS, _COLS = 512, 128  # of the matrix that is rounded to measure the time of a weight
_SIDE = 384  # of the matrices that are multiplied and inverted
_HEAD_DIM = 64  # of the attention that is measured
_ENOUGH, _RUNS = 0.2, 5  # seconds and runs for each kind of operation, at least
_ROUNDS = 4  # of `error_feedback`
_SEARCH, _SEARCHED_ROWS = 5.6, 512  # of AWQ: 18 coarse searches on a sample, each 0.31 of a rounding


@dataclass(frozen=True)
class Operations:
    """Numbers of operations, or the seconds that one of each kind takes.

    products: multiplications of binary32 in products of matrices.
    scores: attention scores that are computed, normalized and used.
    cubes: columns to the third power of inverted float64 matrices.
    rounded: weights that are rounded, apart from products; visited: weights that are read and rounded to
    nearest.
    """

    products: float = 0.0
    scores: float = 0.0
    cubes: float = 0.0
    rounded: float = 0.0
    visited: float = 0.0

    def __add__(self, other: "Operations") -> "Operations":
        """Return the sums."""
        return Operations(*(mine + theirs for mine, theirs in self._pairs(other)))

    def seconds(self, speeds: "Operations") -> float:
        """Return the time of these operations; speeds: seconds of one operation of each kind."""
        return sum(count * seconds for count, seconds in self._pairs(speeds))

    def _pairs(self, other: "Operations") -> list[tuple[float, float]]:
        return [(getattr(self, field.name), getattr(other, field.name)) for field in fields(self)]


def operations(method: str, model: Model, tokens: int, length: int) -> Operations:
    """Return the operations of an export.

    tokens: of the calibration text, in sequences of `length`; `rtn` uses none.
    """
    roles = [role for role in tensor_roles(model) if any(map(is_int4, role.dtypes))]
    every = Operations(visited=sum(math.prod(role.shape) for role in tensor_roles(model)))
    if method == "rtn":
        return every
    total = every
    for role in roles:
        if role.name != "lm_head":
            total += _matrix(method, role, tokens * _share(model, role))
    streams = 3 if RECIPES[method].activation_aware else 2
    total += Operations(scores=streams * len(model.layers) * tokens * length * model.num_heads)
    if RECIPES[method].corrected:
        total += _correction(model.vocab_size, model.hidden_size, tokens)
    return total


def _matrix(method: str, role: TensorRole, tokens: float) -> Operations:
    """Return the operations of a matrix that receives this number of vectors of the text."""
    recipe = RECIPES[method]
    rows, cols = role.shape
    weights = rows * cols
    streams = 3 if recipe.activation_aware else 2
    squares = cols**2 if recipe.activation_aware else cols**2 / 2  # X Xᵀ is symmetric: half of it is computed
    total = Operations(products=tokens * (streams * weights + squares), rounded=weights)
    if recipe.activation_aware:
        total += Operations(rounded=_SEARCH * min(rows, _SEARCHED_ROWS) * cols)
    else:  # error feedback
        rounds = _ROUNDS if recipe.corrected else 0
        total += Operations(products=weights * cols * (0.5 + rounds), cubes=cols**3)
    if recipe.corrected:
        total += _correction(rows, cols, tokens)
    return total


def _correction(rows: int, cols: int, tokens: float) -> Operations:
    """Return the operations that correct a matrix for the inputs of the rounded model."""
    return Operations(products=tokens * cols**2 + rows * cols**2, cubes=cols**3)


def _share(model: Model, role: TensorRole) -> float:
    """Return the share of the tokens that reach a matrix: an expert receives an equal part."""
    if ".experts." not in role.name:
        return 1.0
    moe = model.layers[int(role.name.split(".")[1])].ffn.moe
    return 1.0 if moe is None else 1.0 / moe.num_experts


@dataclass(frozen=True)
class ExpectedTime:
    """The expected time of an export with `method`, and with other methods.

    text: the number of sequences of the calibration text, and of tokens in each.
    """

    method: str
    model: Model
    text: tuple[int, ...]

    def seconds(self, method: str | None = None) -> float:
        """Return the time in seconds, by default with the export's own method."""
        chosen = method or self.method
        sequences, length = self.text
        return operations(chosen, self.model, sequences * length, length).seconds(speeds_of(chosen))


def speeds_of(method: str) -> Operations:
    """Measure how many seconds one operation of each kind takes on this machine."""
    rounder = RECIPES[method].rounder if method in RECIPES else nearest
    return replace(_speeds(), rounded=_rounding(rounder, np.eye(_COLS)))


@cache
def _speeds() -> Operations:
    """Measure the kinds of operations that are the same for all methods."""
    rng = np.random.default_rng(0)
    square = rng.standard_normal((_SIDE, _SIDE), np.float32)
    wide = rng.standard_normal((_SIDE, 4 * _SIDE), np.float32)
    scores = rng.standard_normal((2, SEQUENCE, SEQUENCE), np.float32)
    heads = rng.standard_normal((2, SEQUENCE, _HEAD_DIM), np.float32)
    definite = np.eye(_SIDE) + (square @ square.T / _SIDE).astype(np.float64)
    return Operations(
        products=_seconds(lambda: square @ wide) / (4 * _SIDE**3),
        scores=_seconds(lambda: _attend(heads, scores)) / scores.size,
        cubes=_seconds(lambda: np.linalg.inv(definite)) / _SIDE**3,
        visited=_rounding(nearest, None),
    )


def _attend(heads: Floats, scores: Floats) -> Floats:
    """Return attention's results, as the batched decoder computes them."""
    summed: Any = heads @ heads.swapaxes(1, 2) + scores
    return softmax(summed) @ heads


def _rounding(rounder: Rounder, hessian: Hessian | None) -> float:
    """Measure how many seconds a weight takes that is rounded and decoded."""
    matrix = np.random.default_rng(0).standard_normal((_ROWS, _COLS), np.float32)
    return _seconds(lambda: rounder(matrix, hessian, "affine").dequantize()) / matrix.size


def _seconds(work: Callable[[], object]) -> float:
    """Return the shortest time of several runs of `work`, in seconds: other programs prolong some of them."""
    shortest, spent = math.inf, 0.0
    runs = 0
    while spent < _ENOUGH or runs < _RUNS:
        start = time.perf_counter()
        work()
        seconds = time.perf_counter() - start
        shortest, spent = min(shortest, seconds), spent + seconds
        runs += 1
    return shortest
