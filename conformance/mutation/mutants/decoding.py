"""Mutants that decode as a misreading has it, in decoding and in matmul alike."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.package import reader
from llq_format.reference import forward, matrix
from llq_format.reference.activations import Array

from ...container.decoding import Reading
from ...container.misreadings import MISREADINGS, Misreading
from ...container.package import read_tensor
from ...runtimes import reference
from .mutant import Mutant, add
from .seam import Seam

_matrix: Any = matrix
"""Its functions as they are at the time, perhaps another mutant's."""

# fmt: off
NAMES = {
    "nibble pairs, even column in the low nibble": ("nibble-pairs",),
    "nibble pairs, even column in the high nibble": ("nibble-pairs-high-first",),
    "split halves of a row of the block": ("split-halves-nibbles",),
    "split halves within 32 elements (ggml's Q4_0)": ("split-halves-of-32",),
    "split halves of the block": ("split-halves-of-block",),
    "four planes of one bit": ("four-planes", "four-planes-msb-first", "four-planes-high-first"),
    "high plane first": ("high-plane-first",),
    "both planes row by row": ("planes-row-by-row",),
    "first element at the most significant bits of a byte": ("msb-first-in-byte",),
    "words of a plane read big-endian": ("plane-words-big-endian",),
    "elements of a byte a quarter of the plane apart": ("quarters-of-plane",),
    "packed read after a zero_point section that is absent": ("packed-after-absent-section",),
    "rows and columns swapped inside a block": ("block-transposed",),
    "scale read big-endian": ("scale-big-endian",),
    "scale read as bfloat16": ("scale-bfloat16",),
    "scale of the next block": ("scale-of-next", "scale-of-next-wrapped", "scale-of-next-clamped"),
    "scale of the previous block":
        ("scale-of-previous", "scale-of-previous-wrapped", "scale-of-previous-clamped"),
    "scale of the first block for all": ("scale-of-first",),
    "index of scales column-major": ("scale-index-transposed",),
    "index of scales with the blocks across rounded down": ("scale-index-rounded-down",),
    "zero_point ignored": ("zero-point-ignored",),
    "zero_point + 1": ("zero-point-plus-1",),
    "zero_point − 1": ("zero-point-minus-1",),
    "zero_point with its sign flipped": ("zero-point-negated",),
    "zero_point taken as 8 though one is stored": ("zero-point-always-8",),
    "zero_point read as unsigned": ("zero-point-unsigned",),
    "zero_point read as 4 bits": ("zero-point-4-bits",),
    "implicit zero_point 8 forgotten": ("implicit-8-forgotten",),
    "implicit zero_point taken as 7": ("implicit-7",),
    "zero_point read from a section that is absent": ("zero-point-of-absent-section",),
    "zero_point of the next block": ("zero-point-of-next", "zero-point-of-next-clamped"),
    "zero_point of the previous block": ("zero-point-of-previous", "zero-point-of-previous-clamped"),
    "zero_point of the first block for all": ("zero-point-of-first",),
    "index of zero points column-major": ("zero-point-index-transposed",),
    "index of zero points with the blocks across rounded down": ("zero-point-index-rounded-down",),
    "zero_point in the units of weights": ("zero-point-in-weights",),
    "zero_point in the units of weights, and added": ("zero-point-in-weights-added",),
    "zero_point − q": ("weights-negated",),
    "division by the scale": ("division-by-scale",),
    "codes read as signed 4-bit integers": ("codes-signed",),
    "q − zero_point wrapped to 8 bits": ("difference-wrapped",),
    "q − zero_point saturated to 8 bits": ("difference-saturated",),
    "weights rounded to binary16": ("weights-in-binary16",),
    "block grid column-major": ("block-grid-transposed",),
    "number of blocks across rounded down": ("blocks-rounded-down", "blocks-rounded-down-edges-zero"),
    "edge blocks left zero": ("edge-blocks-zero",),
    "edge blocks not cropped to the matrix": ("edge-blocks-uncropped",),
    "edge blocks stored only as wide as the matrix": ("edge-blocks-narrow",),
    "raw values read big-endian": ("raw-big-endian",),
    "f16 read as bfloat16": ("raw-bfloat16",),
    "subnormals of f16 flushed to zero": ("raw-f16-subnormals-flushed",),
    "subnormals of f32 flushed to zero": ("raw-f32-subnormals-flushed",),
    "raw values rounded to binary16": ("raw-in-binary16",),
    "raw tensor column-major": ("raw-column-major",),
    "parts in reverse order": ("parts-reversed",),
    "all parts but the first left zero": ("parts-after-first-zero",),
}
# fmt: on
"""The names of the mutants of each misreading, one for each of its variants."""


class MisreadTensor:
    """A replacement of a packed tensor whose weights were misread."""

    def __init__(self, weights: NDArray[np.float32]) -> None:
        """Keep the weights, [rows, cols]."""
        self.weights = weights

    def dequantize(self) -> NDArray[np.float32]:
        """Return the weights."""
        return self.weights


class MisreadInt8Matrix(matrix.Matrix):
    """Misread weights for INT8 inputs; in binary64, where the order of multiplications hardly counts."""

    def __init__(self, weights: NDArray[np.float32]) -> None:
        """Keep the weights, [rows, cols]."""
        self._weights = weights.astype(np.float64)

    def rounded(self, x: Array) -> matrix.Rounded:
        """Quantize to INT8."""
        return matrix.Rounded(*_matrix.quantize_int8(x))

    def product(self, x: matrix.Rounded) -> Array:
        """Return the product with INT8 codes."""
        assert x.scales is not None  # noqa: S101 - codes have scales
        return np.asarray(x.scales * (x.values @ self._weights.T))


def misread(seam: Seam, misreading: Misreading) -> None:
    """Let the reader decode as a misreading has it; several replace a step each of one reading."""
    is_first = seam.reading is None
    seam.reading = replace(seam.reading or Reading(), **{misreading.step: misreading.replacement})
    if not is_first:
        return

    seam.wrap(reader.Package, "get_tensor", partial(_get_tensor, seam))
    seam.wrap(reader.Package, "get_packed", partial(_get_packed, seam))
    for module in (forward, reference):
        seam.wrap(module, "int4_matrix", _int4_matrix)


def _weights(seam: Seam, package: reader.Package, name: str) -> NDArray[np.float32]:
    assert seam.reading is not None  # noqa: S101 - set before anything is replaced
    return seam.reading(read_tensor(package.directory, name))


def _get_tensor(seam: Seam, get_tensor: Callable[..., Any]) -> Callable[..., Any]:
    def misread_tensor(self: reader.Package, name: str) -> NDArray[np.float32]:
        get_tensor(self, name)  # which refuses what breaks a rule
        return _weights(seam, self, name)

    return misread_tensor


def _get_packed(seam: Seam, get_packed: Callable[..., Any]) -> Callable[..., Any]:
    def misread_packed(self: reader.Package, name: str) -> MisreadTensor:
        get_packed(self, name)
        return MisreadTensor(_weights(seam, self, name)[:, : self.entry(name).cols])

    return misread_packed


def _int4_matrix(int4_matrix: Callable[..., Any]) -> Callable[..., Any]:
    def misread_matrix(packed: Any, precision: matrix.Precision) -> matrix.Matrix:
        if precision == "int8" and isinstance(packed, MisreadTensor):
            return MisreadInt8Matrix(packed.weights)
        product: matrix.Matrix = int4_matrix(packed, precision)
        return product

    return misread_matrix


_names = {title: iter(names) for title, names in NAMES.items()}
for _misreading in MISREADINGS:
    add(
        Mutant(
            next(_names[_misreading.name]),
            _misreading.name,
            _misreading.rule,
            ("decode",),
            partial(misread, misreading=_misreading),
        )
    )
