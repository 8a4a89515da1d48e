"""From the metadata of a package to its program: which kernel reads what, in which order."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from llq_format.layout import BLOCK, ceil_div, is_int4
from llq_format.metadata import Metadata
from llq_format.model import FFN, Layer, Model
from llq_format.webgpu.bindings import accesses
from llq_format.webgpu.program import (
    Buffer,
    Dispatch,
    Grid,
    Pass,
    PerTokens,
    Program,
    ProgramVariant,
    ShardRange,
)
from llq_format.webgpu.ranges import MAX_BINDING, int4_ranges, raw_ranges
from llq_format.webgpu.tiles import EMBED_COLS, RAW_ROWS, matmul_tile, matvec_tile
from llq_format.webgpu.variants import VARIANTS

Form = Literal["int8", "binary16"]
KVCache = Literal["f16", "f32"]

CHUNK = 128
"""The greatest number of tokens of one prefill, unless told otherwise."""

DECODE_WORKGROUPS = 256
"""Attention of one token is split until so many workgroups have work."""

MAX_SPLITS = 16
CANDIDATES = 64

EACH_TOKEN = PerTokens(1)
NORMALIZE, WEIGHT_F16, SCORED, LAST = 1, 2, 4, 8
GATED, GELU = 1, 2
ROPE, HALVES, QK_NORM, KV_F16 = 1, 2, 4, 8
SYMMETRIC, ADD, CHOSEN = 1, 2, 4
ROUTER_F16 = 16


class UnplannableError(ValueError):
    """The package cannot be executed within WebGPU's default limits, or holds no model."""


@dataclass
class _Parameters:
    """The slots of the parameter arena; equal ones are one."""

    slots: dict[tuple[int | float, ...], int] = field(default_factory=dict)

    def slot(self, words: tuple[int | float, ...]) -> int:
        # 1 and 1.0 are equal in Python and differ as bits
        key = tuple(("f32", word) if isinstance(word, float) else word for word in words)
        return self.slots.setdefault(key, len(self.slots))  # type: ignore[arg-type]

    def table(self) -> tuple[tuple[int | float, ...], ...]:
        return tuple(
            tuple(word[1] if isinstance(word, tuple) else word for word in slot) for slot in self.slots
        )


def plan(metadata: Metadata, *, chunk: int = CHUNK, kv_cache: KVCache = "f16") -> Program:
    """Return the program of a package.

    Raises UnplannableError for a package without a model, or with a tensor that no binding can hold.
    """
    if metadata.model is None:
        raise UnplannableError("this package holds tensors but no model: there is nothing to plan")
    try:
        return _Planner(metadata, metadata.model, chunk, kv_cache).program()
    except UnplannableError:
        raise
    except ValueError as error:
        raise UnplannableError(str(error)) from None


class _Planner:
    """Makes the passes of one package."""

    def __init__(self, metadata: Metadata, model: Model, chunk: int, kv_cache: KVCache) -> None:
        self.model = model
        self.chunk = chunk
        self.kv_cache: KVCache = kv_cache
        self.tensors = {tensor.name: tensor for tensor in metadata.tensors}
        self.weights: dict[str, ShardRange] = {}
        self.parameters = _Parameters()
        self.widest = max(self._widths())
        self.blocks_stride = ceil_div(self.widest, BLOCK)

    def program(self) -> Program:
        """Plan all passes and the buffers that they need."""
        prefill, last = tuple(self._layers(self.chunk)), tuple(self._head("logits", last=True))
        passes: dict[Pass, tuple[Dispatch, ...]] = {
            "prefill": prefill,
            "last": last,
            "logits": tuple(self._head("all_logits", last=False)),
            "greedy": tuple(self._greedy()),
            "sample": tuple(self._sample()),
            "decode": (*self._layers(1), *last),
        }
        used = {dispatch.entry_point for run in passes.values() for dispatch in run}
        buffers = self._buffers()
        return Program(
            chunk=self.chunk,
            context_length=min(self.model.context_length, *_positions(buffers)),
            kv_cache=self.kv_cache,
            variants=tuple(
                ProgramVariant(v.name, v.features, v.language, v.directives, v.sections) for v in VARIANTS
            ),
            weights=self.weights,
            buffers=buffers,
            pipelines={entry: accesses(entry) for entry in sorted(used)},
            parameters=self.parameters.table(),
            passes=passes,
        )

    # Sizes.

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
        """Rows of the widest gate_up or up, shared experts apart."""
        return max(layer.ffn.intermediate_size * (2 if layer.ffn.gated else 1) for layer in self.model.layers)

    @property
    def shared_rows(self) -> int:
        """Rows of the widest gate_up of a shared expert; 0 where there is none."""
        mixtures = [layer.ffn.moe for layer in self.model.layers if layer.ffn.moe is not None]
        return max((2 * moe.shared_intermediate_size for moe in mixtures), default=0)

    def _splits(self, tokens: int) -> int:
        """Return into how many runs the positions that one query attends to are cut."""
        if tokens > 1:
            return 1
        return max(1, min(MAX_SPLITS, ceil_div(DECODE_WORKGROUPS, self.model.num_heads)))

    def _buffers(self) -> dict[str, Buffer]:
        model, n = self.model, self.chunk
        inputs = n * self.blocks_stride
        heads, head_dim = model.num_heads, model.head_dim
        splits = max(n * self._splits(n), self._splits(1))
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

    # Passes.

    def _layers(self, tokens: int) -> Iterator[Dispatch]:
        """Yield the dispatches from token ids to the residual stream after the last layer."""
        yield from self._embed()
        for number, layer in enumerate(self.model.layers):
            form: Form = "binary16" if number < self.model.fp16_layers else "int8"
            yield from self._attention(number, layer, form, tokens)
            yield from self._ffn(number, layer, form, tokens)

    def _embed(self) -> Iterator[Dispatch]:
        tensor = self.tensors["embedding"]
        for found in raw_ranges(tensor, MAX_BINDING):  # rows are looked up, not spread over workgroups
            parameters = (
                found.first_row,
                found.rows,
                tensor.cols,
                self.model.hidden_size,
                int(tensor.dtype == "f16"),
            )
            grid = (ceil_div(tensor.cols, EMBED_COLS), EACH_TOKEN, 1)
            yield self._dispatch(
                found.name, "embed", (self._weight(found.name, found.data), "tokens", "x"), parameters, grid
            )

    def _attention(self, number: int, layer: Layer, form: Form, tokens: int) -> Iterator[Dispatch]:
        model, config, prefix = self.model, layer.attention, f"layers.{number}"
        heads, kv_heads, head_dim = model.num_heads, model.num_kv_heads, model.head_dim
        yield self._norm(f"{prefix}.attention_norm", form)
        yield from self._int4(f"{prefix}.attention.qkv", form, "qkv", self.qkv_rows, tokens)
        kv_f16 = self.kv_cache == "f16"
        flags = (
            config.rope * ROPE
            | (model.rope_pairing == "halves") * HALVES
            | config.qk_norm * QK_NORM
            | kv_f16 * KV_F16
        )
        attn_scale, floor_scale = 0.0, 0
        if config.temperature is not None:
            attn_scale, floor_scale = float(config.temperature.attn_scale), config.temperature.floor_scale
        keys, values = f"keys.{number}", f"values.{number}"
        yield self._dispatch(
            f"{prefix}.attention.rope",
            "rope",
            ("qkv", "rope", "state", "q", keys, values),
            (heads, kv_heads, head_dim, flags, float(model.rms_norm_eps), attn_scale, floor_scale),
            (heads + 2 * kv_heads, EACH_TOKEN, 1),
        )
        splits = self._splits(tokens)
        yield self._dispatch(
            f"{prefix}.attention.scores",
            "attention",
            ("q", keys, values, "state", "partials"),
            (heads, kv_heads, head_dim, splits, config.chunk_size or 0, int(kv_f16)),
            (heads, splits, EACH_TOKEN),
        )
        yield self._dispatch(
            f"{prefix}.attention.combine",
            f"combine_{form}",
            ("partials", *_rounded(form)),
            (heads, head_dim, splits, self.blocks_stride),
            (EACH_TOKEN, 1, 1),
        )
        yield from self._int4(f"{prefix}.attention.output", form, "x", model.hidden_size, tokens, add=True)

    def _ffn(self, number: int, layer: Layer, form: Form, tokens: int) -> Iterator[Dispatch]:
        prefix, config, hidden = f"layers.{number}", layer.ffn, self.model.hidden_size
        norm = f"{prefix}.ffn_norm"
        if config.moe is None:
            yield self._norm(norm, form)
            name, rows = (
                ("gate_up", 2 * config.intermediate_size)
                if config.gated
                else ("up", config.intermediate_size)
            )
            yield from self._int4(f"{prefix}.ffn.{name}", form, "hidden", rows, tokens)
            yield self._activate(f"{prefix}.ffn.activate", config, "hidden", rows, form)
            yield from self._int4(f"{prefix}.ffn.down", form, "x", hidden, tokens, add=True)
            return
        # Every norm reads x before any expert adds to it.
        moe = config.moe
        experts = [f"{prefix}.ffn.experts.{expert}" for expert in range(moe.num_experts)]
        shared_rows, rows = 2 * moe.shared_intermediate_size, 2 * config.intermediate_size
        yield self._route(norm, f"{prefix}.ffn.router", moe.num_experts)
        yield self._norm(norm, form)
        yield from self._int4(f"{prefix}.ffn.shared.gate_up", form, "shared_hidden", shared_rows, tokens)
        yield self._norm(norm, form, scored=True)
        for expert, name in enumerate(experts):
            yield from self._int4(f"{name}.gate_up", form, "hidden", rows, tokens, expert=expert)
        yield self._activate(f"{prefix}.ffn.experts.activate", config, "hidden", rows, form)
        for expert, name in enumerate(experts):
            yield from self._int4(f"{name}.down", form, "x", hidden, tokens, add=True, expert=expert)
        yield self._activate(f"{prefix}.ffn.shared.activate", config, "shared_hidden", shared_rows, form)
        yield from self._int4(f"{prefix}.ffn.shared.down", form, "x", hidden, tokens, add=True)

    def _head(self, logits: str, *, last: bool) -> Iterator[Dispatch]:
        """Yield the dispatches from the residual stream to logits, of the last position or of all."""
        model = self.model
        yield self._norm("norm", "binary16", last=last)
        tensor = self.tensors["embedding" if model.tied_embeddings else "lm_head"]
        if is_int4(tensor.dtype):
            yield from self._int4(
                tensor.name, "binary16", logits, model.vocab_size, 1 if last else self.chunk, one=last
            )
            return
        for found in raw_ranges(tensor, RAW_ROWS):
            parameters = (
                found.rows,
                tensor.cols,
                found.first_row,
                model.vocab_size,
                self.blocks_stride * BLOCK,
                int(tensor.dtype == "f16"),
            )
            grid = (ceil_div(found.rows, RAW_ROWS), 1 if last else EACH_TOKEN, 1)
            bindings = (self._weight(found.name, found.data), "rounded", logits)
            yield self._dispatch(f"{found.name}.logits", "matvec_raw", bindings, parameters, grid)

    def _greedy(self) -> Iterator[Dispatch]:
        vocab = (self.model.vocab_size,)
        yield self._dispatch("choice.argmax", "argmax", ("logits", "candidates"), vocab, (CANDIDATES, 1, 1))
        yield self._dispatch("choice.choose", "choose", ("candidates", "state", "tokens"), (), (1, 1, 1))

    def _sample(self) -> Iterator[Dispatch]:
        vocab = (self.model.vocab_size,)
        bindings = ("logits", "sampling", "state", "tokens")
        yield self._dispatch("choice.sample", "sample", bindings, vocab, (1, 1, 1))

    # Parts of passes.

    def _norm(self, name: str, form: Form, *, scored: bool = False, last: bool = False) -> Dispatch:
        tensor = self.tensors[name]
        (found,) = raw_ranges(tensor, MAX_BINDING)
        flags = NORMALIZE | (tensor.dtype == "f16") * WEIGHT_F16 | scored * SCORED | last * LAST
        hidden = self.model.hidden_size
        return self._dispatch(
            name + ".scored" * scored,
            f"norm_{form}",
            ("x", self._weight(name, found.data), "score", "state", *_rounded(form)),
            (hidden, hidden, self.blocks_stride, flags, float(self.model.rms_norm_eps)),
            (1 if last else EACH_TOKEN, 1, 1),
        )

    def _activate(self, label: str, config: FFN, source: str, rows: int, form: Form) -> Dispatch:
        flags = config.gated * GATED | (config.activation == "gelu") * GELU
        size = rows // 2 if config.gated else rows
        return self._dispatch(
            label,
            f"activate_{form}",
            (source, *_rounded(form)),
            (size, rows, self.blocks_stride, flags),
            (EACH_TOKEN, 1, 1),
        )

    def _route(self, norm: str, router: str, num_experts: int) -> Dispatch:
        weight, matrix = self.tensors[norm], self.tensors[router]
        (norm_range,), (router_range,) = raw_ranges(weight, MAX_BINDING), raw_ranges(matrix, MAX_BINDING)
        flags = (weight.dtype == "f16") * WEIGHT_F16 | (matrix.dtype == "f16") * ROUTER_F16
        hidden = self.model.hidden_size
        return self._dispatch(
            router,
            "route",
            (
                "x",
                self._weight(norm, norm_range.data),
                self._weight(router, router_range.data),
                "choice",
                "score",
            ),
            (hidden, hidden, num_experts, flags, float(self.model.rms_norm_eps)),
            (EACH_TOKEN, 1, 1),
        )

    def _int4(  # noqa: PLR0913  # one argument a property of a product
        self,
        name: str,
        form: Form,
        y: str,
        y_stride: int,
        tokens: int,
        *,
        add: bool = False,
        expert: int | None = None,
        one: bool = False,
    ) -> Iterator[Dispatch]:
        """Yield the dispatches of one INT4 product, one for each range of its rows.

        tokens: the greatest number of vectors; one: there is one vector, whatever the chunk.
        """
        tensor = self.tensors[name]
        # A mixture chooses by token, so each token is multiplied by itself.
        tile = matvec_tile(form, tensor) if tokens == 1 or expert is not None else matmul_tile(form, tensor)
        flags = (tensor.dtype == "int4_symmetric") * SYMMETRIC | add * ADD | (expert is not None) * CHOSEN
        blocks = ceil_div(tensor.cols, BLOCK)
        third = "choice" if tile.tokens == 1 else "state"
        for found in int4_ranges(tensor, tile.rows):
            scale = self._weight(f"{found.name}.scale", found.scale)
            zero_point = (
                scale
                if found.zero_point is None
                else self._weight(f"{found.name}.zero_point", found.zero_point)
            )
            packed = self._weight(f"{found.name}.packed", found.packed)
            yield self._dispatch(
                found.name,
                tile.entry_point,
                (packed, scale, zero_point, *_rounded(form), third, y),
                (
                    found.rows,
                    blocks,
                    found.first_row,
                    found.first_block,
                    y_stride,
                    self.blocks_stride,
                    flags,
                    expert or 0,
                ),
                (ceil_div(found.rows, tile.rows), 1 if one else PerTokens(tile.tokens), 1),
            )

    def _weight(self, name: str, found: ShardRange) -> str:
        """Name a range of a shard, and return the name."""
        if self.weights.setdefault(name, found) != found:
            raise ValueError(f"two ranges are called {name!r}")
        return name

    def _dispatch(
        self,
        label: str,
        entry_point: str,
        bindings: tuple[str, ...],
        parameters: tuple[int | float, ...],
        grid: Grid,
    ) -> Dispatch:
        return Dispatch(label, entry_point, bindings, self.parameters.slot(parameters), grid)


def _rounded(form: Form) -> tuple[str, ...]:
    """Return the buffers of a rounded input."""
    return ("codes", "sums", "scales") if form == "int8" else ("rounded", "rounded_sums")


def _positions(buffers: dict[str, Buffer]) -> Iterator[int]:
    """Yield how many positions each buffer that grows with the context can hold within a binding."""
    for buffer in buffers.values():
        if buffer.bytes_per_position:
            yield (MAX_BINDING - buffer.bytes) // buffer.bytes_per_position
