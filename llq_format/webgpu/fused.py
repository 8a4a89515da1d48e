"""Layers of one token in five dispatches: vectors are rounded on load, their peaks left by the writer.

A layer that the fused kernels cannot take is planned as any other: `fusible` tells.
"""

from collections.abc import Iterator

from llq_format.layout import BLOCK, ceil_div, is_int4
from llq_format.model import Layer, Model
from llq_format.webgpu.dispatches import SYMMETRIC, Dispatches
from llq_format.webgpu.program import Dispatch
from llq_format.webgpu.ranges import MAX_BINDING, int4_ranges, raw_ranges
from llq_format.webgpu.sizes import ROPE_FLAGS, Sizes

MAX_COLS = 176 * BLOCK
"""The longest vector that fits into a workgroup's memory beside what else is there."""

RESIDUAL_ROWS = 32
"""Rows of a workgroup that adds to the residual stream."""

HIDDEN_ROWS = 32
"""Elements of `hidden` that a workgroup of `fused_gate_up` makes."""

MEASURE_ROWS = 256
GELU = 2


def fusible(make: Dispatches, sizes: Sizes, number: int) -> bool:
    """Return whether the fused kernels can take a layer, for one token."""
    model = sizes.model
    layer, prefix = model.layers[number], f"layers.{number}"
    attention, ffn = layer.attention, layer.ffn
    if number < model.fp16_layers or sizes.kv_cache != "f16":
        return False
    if ffn.moe is not None or not ffn.gated or attention.qk_norm or attention.temperature is not None:
        return False
    if model.head_dim % 16 or model.head_dim > 256:
        return False
    widths = (model.hidden_size, model.num_heads * model.head_dim, ffn.intermediate_size)
    if any(width % BLOCK or width > MAX_COLS for width in widths):
        return False
    norms = (f"{prefix}.attention_norm", f"{prefix}.ffn_norm", next_norm(model, number))
    if any(make.tensors[norm].dtype != "f32" for norm in norms):
        return False
    names = ("attention.qkv", "attention.output", "ffn.gate_up", "ffn.down")
    matrices = [make.tensors[f"{prefix}.{name}"] for name in names]
    return all(len(list(int4_ranges(matrix, RESIDUAL_ROWS))) == 1 for matrix in matrices)


def next_norm(model: Model, number: int) -> str:
    """Return the name of the norm that reads what a layer leaves."""
    return f"layers.{number + 1}.attention_norm" if number + 1 < len(model.layers) else "norm"


class Fused:
    """Makes the dispatches of fusible layers."""

    def __init__(self, make: Dispatches, sizes: Sizes) -> None:
        """Begin where nobody has left sums and peaks of the residual stream."""
        self.make = make
        self.sizes = sizes
        self.model = sizes.model
        self.stats = 0  # how many partial sums there are in `stats`

    def forget(self) -> None:
        """Note that a kernel has written the residual stream and left no sums."""
        self.stats = 0

    def layer(self, number: int, layer: Layer) -> Iterator[Dispatch]:
        """Yield the dispatches of one layer."""
        model, prefix = self.model, f"layers.{number}"
        hidden, q_rows = model.hidden_size, model.num_heads * model.head_dim
        eps = float(model.rms_norm_eps)
        attention_norm = self._raw(f"{prefix}.attention_norm")
        ffn_norm = self._raw(f"{prefix}.ffn_norm")
        if self.stats == 0:
            self.stats = ceil_div(hidden, MEASURE_ROWS)
            bindings = ("x", attention_norm, "stats")
            yield self._dispatch(
                f"{prefix}.attention_norm.measure", "measure", bindings, (hidden,), self.stats
            )
        rows = self.sizes.qkv_rows
        qkv, flags = self._weights(f"{prefix}.attention.qkv")
        read: tuple[str, ...] = (*qkv, "x", attention_norm, "stats", "qkv")
        words = (rows, hidden, self.stats, flags, eps)
        yield self._dispatch(f"{prefix}.attention.qkv", "fused_qkv", read, words, ceil_div(rows, BLOCK))
        yield self._attention(number, layer)
        output, flags = self._weights(f"{prefix}.attention.output")
        splits, chunk_size = self.sizes.splits(1), layer.attention.chunk_size or 0
        self.stats = ceil_div(hidden, RESIDUAL_ROWS)
        yield self._dispatch(
            f"{prefix}.attention.output",
            "fused_output",
            (*output, "partials", "state", ffn_norm, "x", "stats"),
            (hidden, model.num_heads, q_rows // model.num_heads, splits, chunk_size, flags),
            self.stats,
        )
        size = layer.ffn.intermediate_size
        gate_up, flags = self._weights(f"{prefix}.ffn.gate_up")
        flags |= (layer.ffn.activation == "gelu") * GELU
        peaks = ceil_div(size, HIDDEN_ROWS)
        read = (*gate_up, "x", ffn_norm, "stats", "hidden", "peaks")
        words = (size, hidden, self.stats, flags, eps)
        yield self._dispatch(f"{prefix}.ffn.gate_up", "fused_gate_up", read, words, peaks)
        down, flags = self._weights(f"{prefix}.ffn.down")
        following = self._raw(next_norm(model, number))
        read = (*down, "hidden", "peaks", following, "x", "stats")
        yield self._dispatch(
            f"{prefix}.ffn.down", "fused_down", read, (hidden, size, peaks, flags), self.stats
        )

    def _attention(self, number: int, layer: Layer) -> Dispatch:
        model, splits = self.model, self.sizes.splits(1)
        flags = layer.attention.rope * ROPE_FLAGS["rope"]
        flags |= (model.rope_pairing == "halves") * ROPE_FLAGS["halves"]
        chunk_size = layer.attention.chunk_size or 0
        return self.make.dispatch(
            f"layers.{number}.attention.scores",
            "fused_attention",
            ("qkv", "rope", "state", f"keys.{number}", f"values.{number}", "partials"),
            (model.num_heads, model.num_kv_heads, model.head_dim, splits, chunk_size, flags),
            (model.num_heads, splits, 1),
        )

    def _weights(self, name: str) -> tuple[tuple[str, str, str], int]:
        tensor = self.make.tensors[name]
        assert is_int4(tensor.dtype)  # noqa: S101  # LLQ-TENSOR-5 holds
        (found,) = int4_ranges(tensor, RESIDUAL_ROWS)
        return self.make.int4_weights(found), (tensor.dtype == "int4_symmetric") * SYMMETRIC

    def _raw(self, name: str) -> str:
        (found,) = raw_ranges(self.make.tensors[name], MAX_BINDING)
        return self.make.weight(name, found.data)

    def _dispatch(
        self,
        label: str,
        entry_point: str,
        bindings: tuple[str, ...],
        words: tuple[int | float, ...],
        groups: int,
    ) -> Dispatch:
        return self.make.dispatch(label, entry_point, bindings, words, (groups, 1, 1))
