"""The variants of the module: their sections and required device features.

All variants have the same entry points, bindings and parameters, so that one program serves them all.
"""

from dataclasses import dataclass

KERNELS = (
    "embed",
    "norm",
    "rope",
    "attention",
    "combine",
    "route",
    "activate",
    "matvec_int8",
    "matvec_binary16",
    "matvec_raw",
    "matmul_int8",
    "matmul_binary16",
    "fused_attention",
    "gated_int8",
    "hidden",
    "choose",
    "sample",
    "dequantize",
)
"""Sections with entry points, in the order in which a model needs them."""

AFFINE_KERNELS = ("affine",)
"""Sections with entry points of `LLQ_attention_affine`, which only packages that require it have."""

SHARED = ("rounding", "softmax", "vector_int8", "vector_binary16")
"""Sections that kernels share."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One composition of the module.

    features: names of optional features of a device; language: WGSL language extensions; directives: the
    lines before the sections.
    """

    name: str
    features: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    dot: str = "dot_portable"
    half: str = "half_portable"
    reduce: str = "reduce_portable"

    @property
    def sections(self) -> tuple[str, ...]:
        """Names of the sections, in order."""
        return (self.dot, self.half, self.reduce, *SHARED, *KERNELS)

    @property
    def directives(self) -> tuple[str, ...]:
        """The lines that enable what the sections use."""
        enable = {"shader-f16": "enable f16;", "subgroups": "enable subgroups;"}
        return (
            *(enable[feature] for feature in self.features),
            *(f"requires {name};" for name in self.language),
        )


_PACKED = "packed_4x8_integer_dot_product"

VARIANTS = (
    Variant("portable"),
    Variant("packed-dot", language=(_PACKED,), dot="dot_packed"),
    Variant(
        "shader-f16",
        features=("shader-f16",),
        language=(_PACKED,),
        dot="dot_packed",
        half="half_f16",
    ),
    Variant(
        "subgroups",
        features=("subgroups",),
        language=(_PACKED,),
        dot="dot_packed",
        reduce="reduce_subgroups",
    ),
)
"""The variants in order, from the portable variant to variants with more required features."""
