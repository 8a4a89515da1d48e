"""Tensors of models that compute something sensible: values of moderate size, without pattern."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vectors.kit.affine import Affine
from vectors.kit.functions import exp
from vectors.kit.model import table
from vectors.kit.noise import noise
from vectors.kit.tensor import Int4, Raw, Tensor

SPREAD = 4.61  # the standard deviation of codes that are equally frequent
LN_10000 = 9.210340371976184
Replace = Callable[[Tensor], Tensor]


def between(seed: int, index: int, least: float, greatest: float) -> float:
    """Return a number of a range."""
    return least + (greatest - least) * (noise(seed, index) / 2**32)


def bits16(value: float) -> int:
    """Return the bits of the binary16 nearest to a number."""
    return int.from_bytes(struct.pack("<e", value), "little")


def bits32(value: float) -> int:
    """Return the bits of the binary32 nearest to a number."""
    return int.from_bytes(struct.pack("<f", value), "little")


def named_seed(seed: int, name: str) -> int:
    """Return a number that depends on a seed and a name."""
    for letter in name:
        seed = noise(seed, ord(letter))
    return seed


def frequency(i: int, head_dim: int) -> float:
    """Return 10000^(-2i / head_dim)."""
    return exp(-2 * i / head_dim * LN_10000)


@dataclass(frozen=True)
class Style:
    """How the tensors of a model are filled; `gains` and `dtypes` are by the last component of a name."""

    gains: dict[str, float] = field(default_factory=dict)
    dtypes: dict[str, str] = field(default_factory=dict)
    zero_points: tuple[int, ...] = (6, 7, 8, 9)
    embedding: float = 1.0
    router: float = 2.0

    def raw(self, name: str, shape: tuple[int, ...], seed: int, last: str) -> Raw:
        """Return a raw tensor."""
        gain = self.gains.get(last, 1.0)
        if last == "inv_freq":
            return Raw(name, "f32", shape, lambda index: bits32(frequency(index, 2 * shape[0])))
        least, greatest = {
            "embedding": (-self.embedding, self.embedding),
            "router": (-self.router / math.sqrt(shape[-1]), self.router / math.sqrt(shape[-1])),
            "qkv_bias": (-2.0 * gain, 2.0 * gain),
            "lm_head": (-1.7 * gain / math.sqrt(shape[-1]), 1.7 * gain / math.sqrt(shape[-1])),
        }.get(last, (0.5 * gain, 1.5 * gain))
        dtype = self.dtypes.get(last, "f16")
        bits = bits16 if dtype == "f16" else bits32
        return Raw(name, dtype, shape, lambda index: bits(between(seed, index, least, greatest)))

    def int4(self, name: str, shape: tuple[int, int], seed: int, last: str) -> Int4:
        """Return an INT4 matrix that preserves the magnitude of its inputs."""
        scale = self.gains.get(last, 1.0) / (SPREAD * math.sqrt(shape[1]))
        affine = self.dtypes.get(last, "int4_affine") == "int4_affine"
        count = len(self.zero_points)
        return Int4(
            name,
            shape,
            code=lambda r, c: noise(seed, r * shape[1] + c) >> 7 & 15,
            scale=lambda i, j: bits16(scale * between(seed + 1, 1000 * i + j, 0.75, 1.25)),
            zero_point=(lambda i, j: self.zero_points[noise(seed + 2, 1000 * i + j) % count])
            if affine
            else None,
        )


def filled(
    model: dict[str, Any],
    seed: int,
    style: Style,
    replace: Replace = lambda tensor: tensor,
    affine: Affine = (),
) -> list[Tensor]:
    """Return the tensors that a model requires, each unchanged or replaced."""
    tensors: list[Tensor] = []
    for name, shape, role in table(model, affine):
        last = name.rpartition(".")[2]
        own = named_seed(seed, name)
        raw = role != "matrix" or style.dtypes.get(last, "").startswith("f")
        rows, *cols = shape
        tensor = style.raw(name, shape, own, last) if raw else style.int4(name, (rows, cols[0]), own, last)
        tensors.append(replace(tensor))
    return tensors
