"""Small pictures of numbers: PNG images with 256 colours and one pixel per number."""

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_ANCHORS = np.array([(38, 34, 98), (40, 92, 150), (44, 146, 140), (150, 196, 84), (252, 236, 120)])
"""Colours from the minimum (dark) to the maximum (light), so that pictures are readable without colour."""

_ABSENT = (128, 128, 128)
_COLOURS = 255  # and one colour for absent values


def heatmap(values: NDArray[np.floating], low: float, high: float) -> str:
    """Return an image of values [down, across] as a data URI; values outside low to high are clipped.

    Values that are not finite are grey.
    """
    finite = np.isfinite(values)
    span = high - low if high > low else 1.0
    shares = np.clip((np.where(finite, values, low) - low) / span, 0, 1)
    indices = np.where(finite, np.rint(shares * (_COLOURS - 1)), _COLOURS).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in indices)  # filter 0 before each row
    down, across = values.shape
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, data)
        for kind, data in (
            (b"IHDR", struct.pack(">IIBBBBB", across, down, 8, 3, 0, 0, 0)),
            (b"PLTE", _palette()),
            (b"IDAT", zlib.compress(rows, 9)),
            (b"IEND", b""),
        )
    )
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def legend() -> str:
    """Return an image of all colours, from the minimum to the maximum, as a data URI."""
    return heatmap(np.arange(_COLOURS, dtype=np.float64)[None], 0, _COLOURS - 1)


def _palette() -> bytes:
    at = np.linspace(0, len(_ANCHORS) - 1, _COLOURS)
    colours = np.stack([np.interp(at, range(len(_ANCHORS)), part) for part in _ANCHORS.T], axis=1)
    return bytes(np.rint(np.concatenate([colours, [_ABSENT]])).astype(np.uint8).ravel().tolist())


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
