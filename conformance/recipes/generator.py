"""The generator of recipes, SplitMix64 by index, and the formulas over it, in NumPy."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
_U64 = np.uint64


def mixed(seed: int, count: int) -> NDArray[np.uint64]:
    """Return 64 bits for each index below `count`; they depend on every bit of seed and index."""
    with np.errstate(over="ignore"):  # products and sums are modulo 2^64
        z = _U64(seed) + np.arange(1, count + 1, dtype=_U64) * _U64(0x9E3779B97F4A7C15)
        z = (z ^ z >> _U64(30)) * _U64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> _U64(27)) * _U64(0x94D049BB133111EB)
    return z ^ z >> _U64(31)


def elements(formula: Mapping[str, Any], count: int) -> Integers:
    """Return the elements of a formula of recipe.json, integers [count]."""
    bits = mixed(formula["seed"], count)
    high = (bits >> _U64(32)).astype(np.int64)
    if "choices" in formula:
        values = np.array(formula["choices"], np.int64)[high % len(formula["choices"])]
    else:
        values = formula["base"] + (high & formula["mask"])
    if "sign_bit" in formula:
        values ^= (bits & _U64(1)).astype(np.int64) << formula["sign_bit"]
    for first, stride, length, value in formula.get("runs", ()):
        values[first : first + stride * length : stride] = value
    return values
