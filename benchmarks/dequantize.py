"""Decoding to float32 against gguf's Q4_0 and against copying the result: `python -m benchmarks.dequantize`.

64 Mi weights, 8192 × 8192, on one machine in one run. Exit code 1 if a target is missed.
"""

import sys

import gguf
import numpy as np
from gguf.quants import dequantize as gguf_dequantize

from benchmarks.timing import best_of, report
from llq_format import dequantize

_SIDE = 8192
_WEIGHTS = _SIDE * _SIDE
_RUNS = 7


def main() -> bool:
    """Measure, print and return whether the targets are reached."""
    rng = np.random.default_rng(0)
    blocks = _WEIGHTS // 4096
    packed = rng.integers(0, 256, (blocks, 2048), np.uint8)
    scales = rng.uniform(0.001, 0.01, blocks).astype(np.float16)
    zero_points = rng.integers(0, 16, blocks, np.int8)
    q4_0 = rng.integers(0, 256, (_SIDE, _SIDE // 32, 18), np.uint8)
    q4_0[:, :, :2] = np.array([0.01], "<f2").view(np.uint8)
    q4_0 = q4_0.reshape(_SIDE, -1)
    out, ones = np.empty((_SIDE, _SIDE), np.float32), np.ones((_SIDE, _SIDE), np.float32)
    best = best_of(
        _RUNS,
        {
            "llq": lambda: dequantize(scales, zero_points, packed, (_SIDE, _SIDE), out),
            "gguf": lambda: gguf_dequantize(q4_0, gguf.GGMLQuantizationType.Q4_0),
            "copy": lambda: np.copyto(out, ones),
        },
    )
    for name, seconds in best.items():
        print(f"{name:6} {seconds * 1e3:8.1f} ms {_WEIGHTS / seconds / 1e6:8.0f} Mweights/s")
    faster, slower = best["gguf"] / best["llq"], best["llq"] / best["copy"]
    good = report("weights/s, over gguf.quants.dequantize Q4_0", faster, "at least 4", good=faster >= 4)
    return report("time, over np.copyto of the output", slower, "at most 8", good=slower <= 8) and good


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
