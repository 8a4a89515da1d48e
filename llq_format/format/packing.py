"""Codes to bit-interleaved planes and back (spec: Bit-interleaved packing, LLQ-PACK-2 to LLQ-PACK-4)."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from llq_format.format.layout import BLOCK, BLOCK_BYTES, PLANE_BYTES

_SHIFTS = np.array([0, 2, 4, 6], dtype=np.uint8)  # element e is at bits 2·(e & 3) of byte e >> 2


def pack(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pack the codes of blocks into planes.

    codes: uint8 [..., 64, 64], each 0 to 15, any memory order.
    Returns uint8 [..., 2048]: the low-order plane, then the high-order plane, of each block.
    Raises TypeError for another dtype, ValueError for another shape or a code above 15.
    """
    if codes.dtype != np.uint8:
        raise TypeError(f"codes must be uint8, not {codes.dtype}: convert them with astype(numpy.uint8)")
    if codes.shape[-2:] != (BLOCK, BLOCK):
        raise ValueError(f"codes must have shape [..., 64, 64], not {list(codes.shape)}")
    if codes.size and codes.max() > 15:
        raise ValueError(f"codes must be 0 to 15, not {codes.max()}")
    leading = codes.shape[:-2]
    quads = np.ascontiguousarray(codes).reshape(*leading, PLANE_BYTES, 4)
    low = np.bitwise_or.reduce((quads & 3) << _SHIFTS, axis=-1)
    high = np.bitwise_or.reduce((quads >> 2) << _SHIFTS, axis=-1)
    return np.concatenate([low, high], axis=-1)


def unpack(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Unpack planes into the codes of blocks; the inverse of `pack`.

    packed: uint8 [..., 2048].
    Returns uint8 [..., 64, 64].
    Raises TypeError for another dtype, ValueError for another shape.
    """
    if packed.dtype != np.uint8:
        raise TypeError(f"packed bytes must be uint8, not {packed.dtype}")
    if packed.shape[-1:] != (BLOCK_BYTES,):
        raise ValueError(f"packed bytes must have shape [..., 2048], not {list(packed.shape)}")
    leading = packed.shape[:-1]
    planes = packed.reshape(*leading, 2, PLANE_BYTES, 1)
    pairs = (planes >> _SHIFTS) & 3  # [..., plane, byte, element within byte]
    codes = (pairs[..., 0, :, :] | (pairs[..., 1, :, :] << 2)).astype(np.uint8, copy=False)
    return codes.reshape(*leading, BLOCK, BLOCK)


@cache
def outside_mask(height: int, width: int) -> NDArray[np.uint8]:
    """Return uint8 [2048] with the bits of elements outside `height` rows and `width` columns set."""
    codes = np.full((BLOCK, BLOCK), 15, np.uint8)
    codes[:height, :width] = 0
    return pack(codes)
