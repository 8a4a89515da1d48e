"""Rotary position embedding (spec: Decoder, Attention; LLQ-DEC-5)."""

from typing import Literal

import numpy as np

from llq_format.reference.activations import Array


def rotate(x: Array, angles: Array, pairing: Literal["interleaved", "halves"]) -> Array:
    """Rotate the pairs of each head (LLQ-DEC-5).

    x: [tokens, heads, head_dim]; angles: float64 [tokens, head_dim / 2], in radians. The dtype of x remains.
    """
    half = x.shape[-1] // 2
    first, second = slice(0, half), slice(half, None)
    if pairing == "interleaved":
        first, second = slice(0, None, 2), slice(1, None, 2)
    cos, sin = (turn(angles).astype(x.dtype, copy=False)[:, None, :] for turn in (np.cos, np.sin))
    a, b = x[..., first], x[..., second]
    rotated = np.empty_like(x)
    rotated[..., first] = a * cos - b * sin
    rotated[..., second] = b * cos + a * sin
    return rotated
