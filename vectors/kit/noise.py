"""Numbers without pattern, the same in every build."""

from __future__ import annotations


def noise(seed: int, index: int) -> int:
    """Return 32 bits that depend on every bit of seed and index (the finalizer of MurmurHash3)."""
    x = (seed * 0x9E3779B1 + index * 0x85EBCA77 + 0x165667B1) & 0xFFFFFFFF
    x = (x ^ x >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    x = (x ^ x >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return x ^ x >> 16


def finite16(seed: int, index: int) -> int:
    """Return the bits of some binary16 of magnitude below 2."""
    return noise(seed, index) & 0xBFFF


def finite32(seed: int, index: int) -> int:
    """Return the bits of some binary32 of magnitude below 2."""
    return noise(seed, index) & 0xBFFFFFFF
