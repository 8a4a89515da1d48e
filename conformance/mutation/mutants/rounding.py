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
    """Return the largest magnitude of each vector, [n, 1]."""
    return np.asarray(np.abs(x).max(axis=-1, keepdims=True))


def quotient(x: Array, s: Array) -> Array:
    """Return x / s, and 0 for a scale of 0."""
    return np.divide(x, s, out=np.zeros_like(x), where=s > 0)


def half_away_from_zero(x: Array) -> Array:
    """Round to integers, halves away from zero."""
    return np.copysign(np.floor(np.abs(x) + 0.5), x)


@mutant("INT8 scale is max|x| / 128", "ACT-2", *ALL)
def int8_scale_by_128(seam: Seam) -> None:
    quantized(seam, lambda x: (np.clip(np.rint(quotient(x, largest(x) / 128)), -127, 127), largest(x) / 128))


@mutant("INT8 codes of 128·x / max|x|, the scale being max|x| / 127", "ACT-2", *ALL)
def int8_codes_scaled_by_128(seam: Seam) -> None:
    quantized(seam, lambda x: (np.clip(np.rint(quotient(x, largest(x) / 128)), -127, 127), largest(x) / 127))


@mutant("INT8 codes down to −128", "ACT-2", *ALL)
def int8_down_to_minus_128(seam: Seam) -> None:
    def asymmetric(x: Array) -> tuple[Array, Array]:
        s = np.maximum(x.max(axis=-1, keepdims=True) / 127, -x.min(axis=-1, keepdims=True) / 128)
        return np.clip(np.rint(quotient(x, s)), -128, 127), s

    quantized(seam, asymmetric)


@mutant("INT8 scale from the largest element, not the magnitude", "ACT-2", *ALL)
def int8_maximum_without_magnitudes(seam: Seam) -> None:
    def signed(x: Array) -> tuple[Array, Array]:
        s = np.maximum(x.max(axis=-1, keepdims=True), 0) / 127
        return np.clip(np.rint(quotient(x, s)), -127, 127), s

    quantized(seam, signed)


@mutant("INT8 codes truncated", "ACT-2", *ALL)
def int8_truncated(seam: Seam) -> None:
    quantized(seam, lambda x: (np.trunc(quotient(127 * x, largest(x))), largest(x) / 127))


@mutant("INT8 codes rounded down", "ACT-2", *ALL)
def int8_floored(seam: Seam) -> None:
    quantized(seam, lambda x: (np.floor(quotient(127 * x, largest(x))), largest(x) / 127))


@mutant("INT8 codes from 0 to 255 with an offset of 128, wrapped to 8 bits", "ACT-2", *ALL)
def int8_unsigned(seam: Seam) -> None:
    def offset(x: Array) -> tuple[Array, Array]:
        q, s = quantize_int8(x)
        return q + 128, s

    quantized(seam, offset)


@mutant("inputs of INT8 matmuls not rounded", "ACT-2", *ALL)
def int8_not_rounded(seam: Seam) -> None:
    quantized(seam, lambda x: (quotient(127 * x, largest(x)), largest(x) / 127))


@mutant("INT8 codes of −63 to 63", "ACT-2", *ALL)
def int8_7_bits(seam: Seam) -> None:
    quantized(seam, lambda x: (np.rint(quotient(63 * x, largest(x))), largest(x) / 63))


@mutant("INT8 scale from the root mean square", "ACT-2", *ALL)
def int8_scale_root_mean_square(seam: Seam) -> None:
    def spread(x: Array) -> tuple[Array, Array]:
        s = 4 * np.sqrt(np.mean(x * x, axis=-1, keepdims=True)) / 127
        return np.clip(np.rint(quotient(x, s)), -127, 127), s

    quantized(seam, spread)


@mutant("INT8 codes 0 where the reciprocal of max|x| is subnormal and flushed", "ACT-2", "activations")
def int8_reciprocal_flushed(seam: Seam) -> None:
    def flushed(x: Array) -> tuple[Array, Array]:
        q, s = quantize_int8(x)
        return np.where(largest(x) > 2.0**126, 0, q), s

    quantized(seam, flushed)


@mutant("INT8 codes 0 for vectors below 2^−98, as if their reciprocal overflowed", "ACT-2", "activations")
def int8_quotient_overflows(seam: Seam) -> None:
    def overflowing(x: Array) -> tuple[Array, Array]:
        q, s = quantize_int8(x)
        return np.where(largest(x) < 2.0**-98, 0, q), s

    quantized(seam, overflowing)


@mutant("INT8 scale 0 where its square is subnormal and flushed", "ACT-6", "activations")
def int8_small_scale_flushed(seam: Seam) -> None:
    def flushed(x: Array) -> tuple[Array, Array]:
        q, s = quantize_int8(x)
        return q, np.where(s < 2.0**-63, 0, s)

    quantized(seam, flushed)


@mutant("INT8 scale rounded to binary16", "ACT-6", *ALL)
def int8_scale_in_binary16(seam: Seam) -> None:
    def narrow(x: Array) -> tuple[Array, Array]:
        q, s = quantize_int8(x)
        return q, s.astype(np.float16).astype(np.float64)

    quantized(seam, narrow)


@mutant("INT8 scale rounded to bfloat16", "ACT-6", *ALL)
def int8_scale_in_bfloat16(seam: Seam) -> None:
    def narrow(x: Array) -> tuple[Array, Array]:
        q, s = quantize_int8(x)
        return q, bfloat16(s)

    quantized(seam, narrow)


@mutant("0/0 for a vector of zeros", "ACT-4", *ALL)
def int8_nan_for_zeros(seam: Seam) -> None:
    quantized(seam, lambda x: (np.rint(127 * x / largest(x)), largest(x) / 127))


@mutant("INT8 scale of 1 for a vector of zeros", "ACT-4", "activations")
def int8_scale_1_for_zeros(seam: Seam) -> None:
    def unit_scale(x: Array) -> tuple[Array, Array]:
        q, s = quantize_int8(x)
        return q, np.where(s == 0, 1.0, s)

    quantized(seam, unit_scale)


@mutant("INT8 scale of the vector before kept for a vector of zeros", "ACT-4", "activations")
def int8_scale_kept_for_zeros(seam: Seam) -> None:
    def stale(x: Array) -> tuple[Array, Array]:
        q, s = quantize_int8(x)
        for row in range(1, len(s)):
            s[row] = s[row] or s[row - 1]
        return q, s

    quantized(seam, stale)


@mutant("INT8 maximum not reset from vector to vector", "ACT-3", *BELOW)
def int8_maximum_not_reset(seam: Seam) -> None:
    def running(x: Array) -> tuple[Array, Array]:
        s = np.maximum.accumulate(largest(x), axis=0) / 127
        return np.rint(quotient(x, s)), s

    quantized(seam, running)


@mutant("INT8 scale over all positions", "ACT-3", *BELOW)
def int8_scale_over_all_positions(seam: Seam) -> None:
    def batch(x: Array) -> tuple[Array, Array]:
        s = np.full((len(x), 1), np.abs(x).max() / 127)
        return np.rint(quotient(x, s)), s

    quantized(seam, batch)


@mutant("INT8 scale of every 64 elements averaged over the vector", "ACT-2", *BELOW)
def int8_scale_of_blocks(seam: Seam) -> None:
    def averaged(x: Array) -> tuple[Array, Array]:
        padded = np.pad(x, ((0, 0), (0, -x.shape[-1] % 64)))
        blocks = np.abs(padded.reshape(len(x), -1, 64)).max(axis=-1)
        s = blocks.mean(axis=-1, keepdims=True) / 127
        return np.clip(np.rint(quotient(x, s)), -127, 127), s

    quantized(seam, averaged)


@mutant("INT8 scale of the first position for all", "ACT-3", *BELOW)
def int8_scale_of_first_position(seam: Seam) -> None:
    def first_scale(x: Array) -> tuple[Array, Array]:
        s = np.broadcast_to(largest(x)[:1] / 127, (len(x), 1)).copy()
        return np.clip(np.rint(quotient(x, s)), -127, 127), s

    quantized(seam, first_scale)


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


@mutant("no clamp to ±65504", "ACT-1", *ALL)
def binary16_no_clamp(seam: Seam) -> None:
    rounded(seam, infinite)


@mutant("0 above ±65504", "ACT-1", *ALL)
def binary16_wraps(seam: Seam) -> None:
    rounded(seam, lambda x: np.where(np.isfinite(infinite(x)), infinite(x), 0))


@mutant("clamped to ±65000", "ACT-1", *BELOW)
def binary16_clamped_to_65000(seam: Seam) -> None:
    rounded(seam, lambda x: round_binary16(np.clip(x, -65000, 65000)))


@mutant("binary16 rounded toward zero", "ACT-1", *BELOW)
def binary16_toward_zero(seam: Seam) -> None:
    def toward(x: Array) -> Array:
        a = round_binary16(x).astype(np.float16)
        return np.where(np.abs(a) > np.abs(x), np.nextafter(a, np.float16(0)), a).astype(np.float64)

    rounded(seam, toward)


@mutant("binary16 with ties away from zero", "ACT-1", "activations")
def binary16_ties_away(seam: Seam) -> None:
    rounded(seam, lambda x: np.clip(half_away_from_zero(x / _step(x)) * _step(x), -65504, 65504))


@mutant("binary16 with ties toward +∞", "ACT-1", "activations")
def binary16_ties_up(seam: Seam) -> None:
    rounded(seam, lambda x: np.clip(np.floor(x / _step(x) + 0.5) * _step(x), -65504, 65504))


@mutant("bfloat16 instead of binary16", "ACT-1", *BELOW)
def binary16_as_bfloat16(seam: Seam) -> None:
    rounded(seam, bfloat16)


@mutant("inputs of binary16 matmuls not rounded", "ACT-1", *BELOW)
def binary16_not_rounded(seam: Seam) -> None:
    rounded(seam, lambda x: x)


@mutant("numbers below 2^−13 flushed, though normal", "ACT-1", "activations")
def binary16_flushes_normal_numbers(seam: Seam) -> None:
    rounded(seam, lambda x: np.where(np.abs(x) < 2.0**-13, 0, round_binary16(x)))
