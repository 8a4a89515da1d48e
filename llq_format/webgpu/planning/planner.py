"""From the metadata of a package to its program: which kernel reads what, in which order."""

from collections.abc import Iterator

from llq_format.format.layout import ceil_div, is_int4
from llq_format.metadata.metadata import Metadata
from llq_format.metadata.model import Attention, Layer, Model
from llq_format.webgpu.planning.bindings import accesses
from llq_format.webgpu.planning.decode_step import attends, attention, gated, gates
from llq_format.webgpu.planning.dispatches import EACH_TOKEN, ROUNDED, Dispatches, Form, shares
from llq_format.webgpu.planning.program import Dispatch, Program, ProgramVariant
from llq_format.webgpu.planning.ranges import MAX_BINDING, MAX_WORKGROUPS, raw_ranges
from llq_format.webgpu.planning.sizes import CANDIDATES, ROPE_FLAGS, KVCache, Sizes, greatest_context
from llq_format.webgpu.planning.tiles import EMBED_COLS
from llq_format.webgpu.planning.variants import AFFINE_KERNELS, VARIANTS

CHUNK = 128
"""Default maximum number of tokens in one prefill step."""


MAX_BUFFER = 256 << 20
"""maxBufferSize that every device offers, in bytes."""


class UnplannableError(ValueError):
    """The package cannot be executed within WebGPU's default limits, or has no model."""


def plan(metadata: Metadata, *, chunk: int = CHUNK, kv_cache: KVCache = "f16") -> Program:
    """Return the program of a package.

    chunk: the maximum number of tokens of one pass; halved until every buffer fits into a binding.
    Raises UnplannableError for a package without a model, or with a tensor that no binding can hold.
    """
    if metadata.model is None:
        raise UnplannableError("this package has no model: an execution program requires a model package")
    for shard in metadata.shards:
        if shard.byte_length > MAX_BUFFER:
            raise UnplannableError(
                f"shard {shard.file} has {shard.byte_length} bytes, and a buffer of WebGPU's default limits "
                f"holds {MAX_BUFFER}: write the package with this shard limit"
            )
    try:
        chunk = _fitting_chunk(metadata.model, min(chunk, MAX_WORKGROUPS), kv_cache)
        return _Planner(metadata, metadata.model, chunk, kv_cache).program()
    except UnplannableError:
        raise
    except ValueError as error:
        raise UnplannableError(str(error)) from None


def _fitting_chunk(model: Model, chunk: int, kv_cache: KVCache) -> int:
    """Return a chunk for which no buffer exceeds a binding. Raises ValueError if there is no such chunk."""
    while True:
        buffers = Sizes(model, chunk, kv_cache).buffers()
        largest = max(buffers, key=lambda name: buffers[name].bytes)
        if buffers[largest].bytes <= MAX_BINDING:
            return chunk
        if chunk == 1:
            raise ValueError(
                f"buffer {largest!r}: {buffers[largest].bytes} bytes exceed the limit of a binding"
            )
        chunk //= 2


def program_variants(*, affine: bool = False) -> tuple[ProgramVariant, ...]:
    """Return the variants in the form of the program; affine: as for `kernel_sections`."""
    further = AFFINE_KERNELS if affine else ()
    return tuple(
        ProgramVariant(v.name, v.features, v.language, v.directives, (*v.sections, *further))
        for v in VARIANTS
    )


class _Planner:
    """The planner of the passes of one package."""

    def __init__(self, metadata: Metadata, model: Model, chunk: int, kv_cache: KVCache) -> None:
        self.model = model
        self.chunk = chunk
        self.kv_cache: KVCache = kv_cache
        self.sizes = Sizes(model, chunk, kv_cache)
        self.make = Dispatches(metadata, self.sizes.blocks_stride)

    def program(self) -> Program:
        """Plan all passes and their buffers."""
        prefill, last = tuple(self._layers(self.chunk)), tuple(self._head("logits", last=True))
        passes: dict[str, tuple[Dispatch, ...]] = {
            "prefill": prefill,
            "last": last,
            "logits": tuple(self._head("all_logits", last=False)),
            "greedy": tuple(self._greedy()),
            "sample": tuple(self._sample()),
            "decode": (*self._layers(1), *last),
        }
        entry_points = {dispatch.entry_point for run in passes.values() for dispatch in run}
        buffers = self.sizes.buffers()
        return Program(
            chunk=self.chunk,
            context_length=min(self.model.context_length, *greatest_context(buffers)),
            kv_cache=self.kv_cache,
            variants=program_variants(affine=bool(self.model.extensions())),
            weights=self.make.weights,
            buffers=buffers,
            pipelines={entry: accesses(entry) for entry in sorted(entry_points)},
            parameters=self.make.parameters.table(),
            passes=passes,
        )

    def _layers(self, tokens: int) -> Iterator[Dispatch]:
        """Yield the dispatches from token ids to the residual stream after the last layer."""
        yield from self._embed()
        for number, layer in enumerate(self.model.layers):
            form: Form = "binary16" if number < self.model.fp16_layers else "int8"
            yield from self._attention(number, layer, form, tokens)
            yield from self._ffn(number, layer, form, tokens)

    def _embed(self) -> Iterator[Dispatch]:
        tensor = self.make.tensors["embedding"]
        for row_range in raw_ranges(
            tensor, MAX_BINDING
        ):  # rows are looked up, not distributed over workgroups
            parameters = (
                row_range.first_row,
                row_range.rows,
                tensor.cols,
                self.model.hidden_size,
                int(tensor.dtype == "f16"),
            )
            grid = (ceil_div(tensor.cols, EMBED_COLS), EACH_TOKEN, 1)
            yield self.make.dispatch(
                row_range.name,
                "embed",
                (self.make.weight(row_range.name, row_range.data), "tokens", "x"),
                parameters,
                grid,
            )

    def _attention(self, number: int, layer: Layer, form: Form, tokens: int) -> Iterator[Dispatch]:
        model, config, prefix = self.model, layer.attention, f"layers.{number}"
        heads, head_dim = model.num_heads, model.head_dim
        yield self.make.norm(f"{prefix}.attention_norm", form, model.rms_norm_eps, tokens)
        yield from self.make.int4(f"{prefix}.attention.qkv", form, "qkv", self.sizes.qkv_rows, tokens)
        yield from self._affine(number, config)
        if tokens == 1 and attends(self.sizes, config):
            yield attention(self.make, self.sizes, number, config)
        else:
            yield from self._scores(number, config, tokens)
        splits = self.sizes.splits(tokens)
        yield self.make.dispatch(
            f"{prefix}.attention.combine",
            f"combine_{form}",
            ("partials", *ROUNDED[form]),
            (heads, head_dim, splits, self.make.blocks_stride),
            (EACH_TOKEN, shares(heads * head_dim, tokens), 1),
        )
        yield from self.make.int4(
            f"{prefix}.attention.output", form, "x", model.hidden_size, tokens, add=True
        )

    def _affine(self, number: int, config: Attention) -> Iterator[Dispatch]:
        """Yield the bias and the weighted norm, which change the result of the qkv product in place."""
        model, prefix = self.model, f"layers.{number}.attention"
        if config.qkv_bias:
            yield from self.make.bias(f"{prefix}.qkv_bias", "qkv", self.sizes.qkv_rows)
        if config.weighted_qk_norm:
            heads = (model.num_heads, model.num_kv_heads, model.head_dim)
            yield self.make.head_norm(prefix, "qkv", heads, model.rms_norm_eps)

    def _scores(self, number: int, config: Attention, tokens: int) -> Iterator[Dispatch]:
        """Yield RoPE with the store into the KV cache, and the scores, of a chunk."""
        model, prefix = self.model, f"layers.{number}"
        heads, kv_heads, head_dim = model.num_heads, model.num_kv_heads, model.head_dim
        kv_f16 = self.kv_cache == "f16"
        flags = (
            config.rope * ROPE_FLAGS["rope"]
            | (model.rope_pairing == "halves") * ROPE_FLAGS["halves"]
            | config.qk_norm * ROPE_FLAGS["qk_norm"]
            | kv_f16 * ROPE_FLAGS["kv_f16"]
        )
        attn_scale, floor_scale = 0.0, 0
        if config.temperature is not None:
            attn_scale, floor_scale = float(config.temperature.attn_scale), config.temperature.floor_scale
        keys, values = f"keys.{number}", f"values.{number}"
        yield self.make.dispatch(
            f"{prefix}.attention.rope",
            "rope",
            ("qkv", "rope", "state", "q", keys, values),
            (heads, kv_heads, head_dim, flags, float(model.rms_norm_eps), attn_scale, floor_scale),
            (heads + 2 * kv_heads, EACH_TOKEN, 1),
        )
        splits = self.sizes.splits(tokens)
        yield self.make.dispatch(
            f"{prefix}.attention.scores",
            "attention",
            ("q", keys, values, "state", "partials"),
            (heads, kv_heads, head_dim, splits, config.chunk_size or 0, int(kv_f16)),
            (heads, splits, EACH_TOKEN),
        )

    def _ffn(self, number: int, layer: Layer, form: Form, tokens: int) -> Iterator[Dispatch]:
        model, prefix, config = self.model, f"layers.{number}", layer.ffn
        hidden = model.hidden_size
        norm = f"{prefix}.ffn_norm"
        if config.moe is None:
            yield self.make.norm(norm, form, model.rms_norm_eps, tokens)
            if tokens == 1 and gates(self.make, f"{prefix}.ffn.gate_up", config, form):
                yield from gated(self.make, f"{prefix}.ffn", config)
                yield from self.make.int4(f"{prefix}.ffn.down", form, "x", hidden, tokens, add=True)
                return
            name, rows = (
                ("gate_up", 2 * config.intermediate_size)
                if config.gated
                else ("up", config.intermediate_size)
            )
            yield from self.make.int4(f"{prefix}.ffn.{name}", form, "hidden", rows, tokens)
            yield self.make.activate(f"{prefix}.ffn.activate", config, "hidden", rows, form, tokens)
            yield from self.make.int4(f"{prefix}.ffn.down", form, "x", hidden, tokens, add=True)
            return
        # Every norm reads x before any expert adds to it.
        moe = config.moe
        experts = [f"{prefix}.ffn.experts.{expert}" for expert in range(moe.num_experts)]
        shared_rows, rows = 2 * moe.shared_intermediate_size, 2 * config.intermediate_size
        yield self.make.route(norm, f"{prefix}.ffn.router", model.rms_norm_eps)
        yield self.make.norm(norm, form, model.rms_norm_eps, tokens)
        yield from self.make.int4(f"{prefix}.ffn.shared.gate_up", form, "shared_hidden", shared_rows, tokens)
        yield self.make.norm(norm, form, model.rms_norm_eps, tokens, scored=True)
        for expert, name in enumerate(experts):
            yield from self.make.int4(f"{name}.gate_up", form, "hidden", rows, tokens, expert=expert)
        yield self.make.activate(f"{prefix}.ffn.experts.activate", config, "hidden", rows, form, tokens)
        for expert, name in enumerate(experts):
            yield from self.make.int4(f"{name}.down", form, "x", hidden, tokens, add=True, expert=expert)
        yield self.make.activate(
            f"{prefix}.ffn.shared.activate", config, "shared_hidden", shared_rows, form, tokens
        )
        yield from self.make.int4(f"{prefix}.ffn.shared.down", form, "x", hidden, tokens, add=True)

    def _head(self, logits: str, *, last: bool) -> Iterator[Dispatch]:
        """Yield the dispatches from the residual stream to logits, of the last position or of all."""
        model = self.model
        yield self.make.norm("norm", "binary16", model.rms_norm_eps, 1 if last else self.chunk, last=last)
        tensor = self.make.tensors["embedding" if model.tied_embeddings else "lm_head"]
        if is_int4(tensor.dtype):
            yield from self.make.int4(
                tensor.name,
                "binary16",
                logits,
                model.vocab_size,
                1 if last else self.chunk,
                single_vector=last,
            )
            return
        yield from self.make.raw(tensor.name, logits, model.vocab_size, 1 if last else EACH_TOKEN)

    def _greedy(self) -> Iterator[Dispatch]:
        vocab = (self.model.vocab_size,)
        yield self.make.dispatch(
            "choice.argmax", "argmax", ("logits", "candidates"), vocab, (CANDIDATES, 1, 1)
        )
        yield self.make.dispatch("choice.choose", "choose", ("candidates", "state", "tokens"), (), (1, 1, 1))

    def _sample(self) -> Iterator[Dispatch]:
        vocab = (self.model.vocab_size,)
        bindings = ("logits", "sampling", "state", "tokens")
        yield self.make.dispatch("choice.sample", "sample", bindings, vocab, (1, 1, 1))
