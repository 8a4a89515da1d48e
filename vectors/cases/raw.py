"""Valid: raw tensors."""

from __future__ import annotations

from vectors.kit.noise import finite16, finite32
from vectors.kit.package import Package, assemble
from vectors.kit.registry import valid
from vectors.kit.tensor import Raw

F16 = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x83FF, 0x0400, 0x8400, 0x3C00, 0x3C01, 0xBC00, 0x7BFF, 0xFBFF]
F32 = [
    0x00000000,
    0x80000000,
    0x00000001,
    0x80000001,
    0x007FFFFF,
    0x807FFFFF,
    0x00800000,
    0x80800000,
    0x3F800000,
    0x3F800001,
    0xBF800000,
    0x7F7FFFFF,
    0xFF7FFFFF,
    0x00010203,
    0x33221100,
]
SPREAD = [
    sign | exponent << 10 | fraction
    for sign in (0, 0x8000)
    for exponent in range(31)
    for fraction in (0, 1, 0x155, 0x3FF)
]


@valid("LLQ-RAW-3")
def f16_special_values() -> Package:
    """Both zeros, subnormals and the extremes of f16: widening MUST be exact, the sign of zero kept."""
    return assemble([Raw("weight", "f16", (len(F16),), lambda index: F16[index])])


@valid("LLQ-RAW-3")
def f16_of_every_exponent() -> Package:
    """f16 values of both signs, of every exponent, and of several fractions."""
    return assemble([Raw("weight", "f16", (62, 4), lambda index: SPREAD[index])])


@valid("LLQ-RAW-3")
def f32_special_values() -> Package:
    """Both zeros, subnormals and the extremes of f32: values MUST decode as stored."""
    return assemble([Raw("weight", "f32", (len(F32),), lambda index: F32[index])])


SHAPES = {
    "1": (1,),
    "7": (7,),
    "128, without padding": (128,),
    "129": (129,),
    "1 x 7": (1, 7),
    "7 x 1": (7, 1),
    "3 x 5": (3, 5),
    "5 x 3": (5, 3),
    "65 x 3": (65, 3),
}


@valid("LLQ-RAW-3", "LLQ-RAW-1", cases=SHAPES)
def f16_shape(shape: tuple[int, ...]) -> Package:
    """An f16 tensor of the shape {}, row-major."""
    return assemble([Raw("weight", "f16", shape, lambda index: finite16(7, index))])


@valid("LLQ-RAW-3", "LLQ-RAW-1", cases={"1": (1,), "64, without padding": (64,), "9 x 8": (9, 8)})
def f32_shape(shape: tuple[int, ...]) -> Package:
    """An f32 tensor of the shape {}, row-major."""
    return assemble([Raw("weight", "f32", shape, lambda index: finite32(8, index))])
