"""Dispatches of decode steps only: fused attention and the fused gated FFN.

Other layers are planned as for a chunk; `attends` and `gates` decide.
"""

from collections.abc import Iterator

from llq_format.format.layout import BLOCK, ceil_div
from llq_format.metadata.model import FFN, Attention
from llq_format.webgpu.planning.dispatches import GATED_GELU, ROUNDED, SYMMETRIC, Dispatches, Form, shares
from llq_format.webgpu.planning.program import Dispatch
from llq_format.webgpu.planning.ranges import int4_ranges
from llq_format.webgpu.planning.sizes import ROPE_FLAGS, Sizes

GATES = 8
"""Number of gates per workgroup of `gated_int8`."""

MAX_HEAD_DIM = 256


def attends(sizes: Sizes, config: Attention) -> bool:
    """Return whether `fused_attention` can execute a layer."""
    head_dim = sizes.model.head_dim
    plain = not config.qk_norm and config.temperature is None
    return plain and sizes.kv_cache == "f16" and head_dim % 16 == 0 and head_dim <= MAX_HEAD_DIM


def attention(make: Dispatches, sizes: Sizes, number: int, config: Attention) -> Dispatch:
    """Return RoPE, the store into the KV cache and the scores of one token."""
    model, splits = sizes.model, sizes.splits(1)
    halves = model.rope_pairing == "halves"
    flags = config.rope * ROPE_FLAGS["rope"] | halves * ROPE_FLAGS["halves"]
    return make.dispatch(
        f"layers.{number}.attention.scores",
        "fused_attention",
        ("qkv", "rope", "state", f"keys.{number}", f"values.{number}", "partials"),
        (model.num_heads, model.num_kv_heads, model.head_dim, splits, config.chunk_size or 0, flags),
        (model.num_heads, splits, 1),
    )


def gates(make: Dispatches, name: str, config: FFN, form: Form) -> bool:
    """Return whether `gated_int8` can execute a gate_up: INT8 inputs, whole blocks of gates, one range."""
    if form != "int8" or not config.gated or config.intermediate_size % BLOCK:
        return False
    return len(list(int4_ranges(make.tensors[name], GATES))) == 1


def gated(make: Dispatches, prefix: str, config: FFN) -> Iterator[Dispatch]:
    """Yield gate_up with its activation, and the rounding of its result."""
    tensor, size = make.tensors[f"{prefix}.gate_up"], config.intermediate_size
    (row_range,) = int4_ranges(tensor, GATES)
    flags = (tensor.dtype == "int4_symmetric") * SYMMETRIC | (config.activation == "gelu") * GATED_GELU
    bindings = (*make.int4_weights(row_range), *ROUNDED["int8"], "hidden", "peaks")
    words = (size, ceil_div(tensor.cols, BLOCK), 0, row_range.first_block, size, make.blocks_stride, flags, 0)
    yield make.dispatch(tensor.name, "gated_int8", bindings, words, (size // GATES, 1, 1))
    yield make.dispatch(
        f"{prefix}.hidden",
        "hidden_int8",
        ("hidden", "peaks", *ROUNDED["int8"]),
        (size, size // GATES),
        (1, shares(size, 1), 1),
    )
