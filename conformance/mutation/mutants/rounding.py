"""Mutants of the rounding of what enters a matmul (ACT-1 to ACT-6)."""

from collections.abc import Callable

import numpy as np

from llq_format.reference import matrix
from llq_format.reference.activations import Array, quantize_int8, round_binary16

from ...runtimes import reference
from .mutant import mutant
from .seam import Seam

ALL = ("activations", "matvec", "logits")
BELOW = ("activations", "matvec")


def quantized(seam: Seam, quantize: Callable[[Array], tuple[Array, Array]]) -> None:
    """Quantize to INT8 in another way: vectors [n, d] to codes [n, d] and scales [n, 1]."""
    for module in (matrix, reference):
        seam.replace(module, "quantize_int8", quantize)


def rounded(seam: Seam, rounding: Callable[[Array], Array]) -> None:
    """Round to binary16 in another way."""
    for module in (matrix, reference):
        seam.replace(module, "round_binary16", rounding)


def largest(x: Array) -> Array:
    """Return the greatest magnitude of each vector, [n, 1]."""
    return np.asarray(np.abs(x).max(axis=-1, keepdims=True))


def quotient(x: Array, s: Array) -> Array:
    """Return x / s, and 0 for a scale of 0."""
    return np.divide(x, s, out=np.zeros_like(x), where=s > 0)


def half_away_from_zero(x: Array) -> Array:
    """Round to integers, halves away from zero."""
    return np.copysign(np.floor(np.abs(x) + 0.5), x)


@mutant("int8-scale-by-128", "INT8 scale is max|x| / 128", "ACT-2", *ALL)
def _(seam: Seam) -> None:
    quantized(seam, lambda x: (np.clip(np.rint(quotient(x, largest(x) / 128)), -127, 127), largest(x) / 128))


@mutant(
    "int8-codes-scaled-by-128", "INT8 codes of 128·x / max|x|, the scale being max|x| / 127", "ACT-2", *ALL
)
def _(seam: Seam) -> None:
    quantized(seam, lambda x: (np.clip(np.rint(quotient(x, largest(x) / 128)), -127, 127), largest(x) / 127))


@mutant("int8-down-to-minus-128", "INT8 codes down to −128", "ACT-2", *ALL)
def _(seam: Seam) -> None:
    def asymmetric(x: Array) -> tuple[Array, Array]:
        s = np.maximum(x.max(axis=-1, keepdims=True) / 127, -x.min(axis=-1, keepdims=True) / 128)
        return np.clip(np.rint(quotient(x, s)), -128, 127), s

    quantized(seam, asymmetric)


@mutant(
    "int8-maximum-without-magnitudes",
    "INT8 scale from the greatest element, not the magnitude",
    "ACT-2",
    *ALL,
)
def _(seam: Seam) -> None:
    def signed(x: Array) -> tuple[Array, Array]:
        s = np.maximum(x.max(axis=-1, keepdims=True), 0) / 127
        return np.clip(np.rint(quotient(x, s)), -127, 127), s

    quantized(seam, signed)


@mutant("int8-truncated", "INT8 codes truncated", "ACT-2", *ALL)
def _(seam: Seam) -> None:
    quantized(seam, lambda x: (np.trunc(quotient(127 * x, largest(x))), largest(x) / 127))


@mutant("int8-floored", "INT8 codes rounded down", "ACT-2", *ALL)
def _(seam: Seam) -> None:
    quantized(seam, lambda x: (np.floor(quotient(127 * x, largest(x))), largest(x) / 127))


@mutant("int8-unsigned", "INT8 codes from 0 to 255 with an offset of 128, wrapped to 8 bits", "ACT-2", *ALL)
def _(seam: Seam) -> None:
    def offset(x: Array) -> tuple[Array, Array]:
        q, s = quantize_int8(x)
        return q + 128, s

    quantized(seam, offset)


@mutant("int8-not-rounded", "inputs of INT8 matmuls not rounded", "ACT-2", *ALL)
def _(seam: Seam) -> None:
    quantized(seam, lambda x: (quotient(127 * x, largest(x)), largest(x) / 127))


@mutant("int8-7-bits", "INT8 codes of −63 to 63", "ACT-2", *ALL)
def _(seam: Seam) -> None:
    quantized(seam, lambda x: (np.rint(quotient(63 * x, largest(x))), largest(x) / 63))


@mutant("int8-scale-root-mean-square", "INT8 scale from the root mean square", "ACT-2", *ALL)
def _(seam: Seam) -> None:
    def spread(x: Array) -> tuple[Array, Array]:
        s = 4 * np.sqrt(np.mean(x * x, axis=-1, keepdims=True)) / 127
        return np.clip(np.rint(quotient(x, s)), -127, 127), s

    quantized(seam, spread)


@mutant("int8-scale-in-binary16", "INT8 scale rounded to binary16", "ACT-6", *ALL)
def _(seam: Seam) -> None:
    def narrow(x: Array) -> tuple[Array, Array]:
        q, s = quantize_int8(x)
        return q, s.astype(np.float16).astype(np.float64)

    quantized(seam, narrow)


@mutant("int8-scale-in-bfloat16", "INT8 scale rounded to bfloat16", "ACT-6", *ALL)
def _(seam: Seam) -> None:
    def narrow(x: Array) -> tuple[Array, Array]:
        q, s = quantize_int8(x)
        return q, bfloat16(s)

    quantized(seam, narrow)


@mutant("int8-nan-for-zeros", "0/0 for a vector of zeros", "ACT-4", *ALL)
def _(seam: Seam) -> None:
    quantized(seam, lambda x: (np.rint(127 * x / largest(x)), largest(x) / 127))


@mutant("int8-scale-1-for-zeros", "INT8 scale of 1 for a vector of zeros", "ACT-4", "activations")
def _(seam: Seam) -> None:
    def one(x: Array) -> tuple[Array, Array]:
        q, s = quantize_int8(x)
        return q, np.where(s == 0, 1.0, s)

    quantized(seam, one)


@mutant("int8-scale-over-all-positions", "INT8 scale over all positions", "ACT-3", *BELOW)
def _(seam: Seam) -> None:
    def batch(x: Array) -> tuple[Array, Array]:
        s = np.full((len(x), 1), np.abs(x).max() / 127)
        return np.rint(quotient(x, s)), s

    quantized(seam, batch)


@mutant("int8-scale-of-blocks", "INT8 scale of every 64 elements averaged over the vector", "ACT-2", *BELOW)
def _(seam: Seam) -> None:
    def averaged(x: Array) -> tuple[Array, Array]:
        padded = np.pad(x, ((0, 0), (0, -x.shape[-1] % 64)))
        blocks = np.abs(padded.reshape(len(x), -1, 64)).max(axis=-1)
        s = blocks.mean(axis=-1, keepdims=True) / 127
        return np.clip(np.rint(quotient(x, s)), -127, 127), s

    quantized(seam, averaged)


@mutant("int8-scale-of-first-position", "INT8 scale of the first position for all", "ACT-3", *BELOW)
def _(seam: Seam) -> None:
    def first(x: Array) -> tuple[Array, Array]:
        s = np.broadcast_to(largest(x)[:1] / 127, (len(x), 1)).copy()
        return np.clip(np.rint(quotient(x, s)), -127, 127), s

    quantized(seam, first)


def bfloat16(x: Array) -> Array:
    """Round to bfloat16, halves away from zero."""
    bits = x.astype(np.float32).view(np.uint32) + np.uint32(0x8000)
    return (bits & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)


def infinite(x: Array) -> Array:
    """Round to binary16, to infinity where binary16 ends."""
    return x.astype(np.float16).astype(np.float64)


def _step(x: Array) -> Array:
    """Return the distance of binary16 numbers around x."""
    exponent = np.floor(np.log2(np.maximum(np.abs(x), 2.0**-14)))
    return np.asarray(2.0 ** (exponent - 10))


@mutant("binary16-no-clamp", "no clamp to ±65504", "ACT-1", *ALL)
def _(seam: Seam) -> None:
    rounded(seam, infinite)


@mutant("binary16-wraps", "0 beyond ±65504", "ACT-1", *ALL)
def _(seam: Seam) -> None:
    rounded(seam, lambda x: np.where(np.isfinite(infinite(x)), infinite(x), 0))


@mutant("binary16-clamped-to-65000", "clamped to ±65000", "ACT-1", *BELOW)
def _(seam: Seam) -> None:
    rounded(seam, lambda x: round_binary16(np.clip(x, -65000, 65000)))


@mutant("binary16-toward-zero", "binary16 rounded toward zero", "ACT-1", *BELOW)
def _(seam: Seam) -> None:
    def toward(x: Array) -> Array:
        a = round_binary16(x).astype(np.float16)
        return np.where(np.abs(a) > np.abs(x), np.nextafter(a, np.float16(0)), a).astype(np.float64)

    rounded(seam, toward)


@mutant("binary16-ties-away", "binary16 with ties away from zero", "ACT-1", "activations")
def _(seam: Seam) -> None:
    rounded(seam, lambda x: np.clip(half_away_from_zero(x / _step(x)) * _step(x), -65504, 65504))


@mutant("binary16-ties-up", "binary16 with ties toward +∞", "ACT-1", "activations")
def _(seam: Seam) -> None:
    rounded(seam, lambda x: np.clip(np.floor(x / _step(x) + 0.5) * _step(x), -65504, 65504))


@mutant("binary16-as-bfloat16", "bfloat16 instead of binary16", "ACT-1", *BELOW)
def _(seam: Seam) -> None:
    rounded(seam, bfloat16)


@mutant("binary16-not-rounded", "inputs of binary16 matmuls not rounded", "ACT-1", *BELOW)
def _(seam: Seam) -> None:
    rounded(seam, lambda x: x)


@mutant(
    "binary16-flushes-normal-numbers", "numbers below 2^−13 flushed, though normal", "ACT-1", "activations"
)
def _(seam: Seam) -> None:
    rounded(seam, lambda x: np.where(np.abs(x) < 2.0**-13, 0, round_binary16(x)))
