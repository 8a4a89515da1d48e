"""The buffers of a program, for the vectors, the logits and the KV cache of a model."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from llq_format.format.layout import BLOCK, ceil_div
from llq_format.metadata.model import Model
from llq_format.webgpu.planning.program import Buffer
from llq_format.webgpu.planning.ranges import MAX_BINDING

KVCache = Literal["f16", "f32"]

ROPE_FLAGS = {"rope": 1, "halves": 2, "qk_norm": 4, "kv_f16": 8}
"""Flags of `rope`, as chapter WGSL module lists them; `fused_attention` has the first two."""

DECODE_WORKGROUPS = 128
"""Number of workgroups into which the attention of one token is split."""

MAX_SPLITS = 4

CANDIDATES = 64
"""Number of workgroups of `argmax`; each finds one candidate."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of one model's vectors, for a size of chunks."""

    model: Model
    chunk: int
    kv_cache: KVCache

    @property
    def blocks_stride(self) -> int:
        """Return the blocks of the widest vector that is rounded."""
        return ceil_div(max(self._widths()), BLOCK)

    def _widths(self) -> Iterator[int]:
        """Yield the lengths of all vectors that are rounded."""
        model = self.model
        yield model.hidden_size
        yield model.num_heads * model.head_dim
        for layer in model.layers:
            yield layer.ffn.intermediate_size
            if layer.ffn.moe is not None:
                yield layer.ffn.moe.shared_intermediate_size

    @property
    def qkv_rows(self) -> int:
        """Rows of the fused projection."""
        return (self.model.num_heads + 2 * self.model.num_kv_heads) * self.model.head_dim

    @property
    def hidden_rows(self) -> int:
        """Rows of the widest gate_up or up, except shared experts."""
        return max(layer.ffn.intermediate_size * (2 if layer.ffn.gated else 1) for layer in self.model.layers)

    @property
    def shared_rows(self) -> int:
        """Rows of the widest gate_up of a shared expert; 0 if there is no shared expert."""
        mixtures = [layer.ffn.moe for layer in self.model.layers if layer.ffn.moe is not None]
        return max((2 * moe.shared_intermediate_size for moe in mixtures), default=0)

    def splits(self, tokens: int) -> int:
        """Return the number of runs into which the positions of one query are split."""
        if tokens > 1:
            return 1
        return max(1, min(MAX_SPLITS, ceil_div(DECODE_WORKGROUPS, self.model.num_heads)))

    def buffers(self) -> dict[str, Buffer]:
        """Return all buffers by name."""
        model, n = self.model, self.chunk
        inputs = n * self.blocks_stride
        heads, head_dim = model.num_heads, model.head_dim
        splits = max(n * self.splits(n), self.splits(1))
        kv_bytes = model.num_kv_heads * head_dim * (2 if self.kv_cache == "f16" else 4)
        sizes = {
            "tokens": n,
            "x": n * model.hidden_size,
            "codes": inputs * 16,
            "sums": inputs,
            "scales": n,
            "rounded": inputs * BLOCK,
            "rounded_sums": inputs,
            "qkv": n * self.qkv_rows,
            "q": n * heads * head_dim,
            "partials": splits * heads * (head_dim + 2),
            "hidden": n * self.hidden_rows,
            "shared_hidden": n * self.shared_rows,
            "peaks": ceil_div(self.hidden_rows, 8),
            "choice": n,
            "score": n,
            "logits": model.vocab_size,
            "all_logits": n * model.vocab_size,
            "candidates": 2 * CANDIDATES,
        }
        return {
            "state": Buffer("state", 256),
            "sampling": Buffer("state", 256),
            **{name: Buffer("activation", 4 * words) for name, words in sizes.items() if words},
            "rope": Buffer("table", 0, 4 * head_dim, "rope"),
            **{
                f"{kind}.{number}": Buffer("kv_cache", 0, kv_bytes)
                for number in range(len(model.layers))
                for kind in ("keys", "values")
            },
        }


def greatest_context(buffers: dict[str, Buffer]) -> Iterator[int]:
    """Yield the maximum number of positions of each buffer that grows with the context."""
    for buffer in buffers.values():
        if buffer.bytes_per_position:
            yield (MAX_BINDING - buffer.bytes) // buffer.bytes_per_position
