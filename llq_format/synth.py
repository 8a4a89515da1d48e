"""Valid packages of random weights, of any size, for load tests and benchmarks."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from llq_format.format.layout import BLOCK, BLOCK_BYTES, SHARD_LIMIT_DEFAULT, Dtype, block_grid, rows_cols
from llq_format.format.packing import outside_mask
from llq_format.format.quantize import PackedTensor, Scheme
from llq_format.metadata.findings import LLQError
from llq_format.metadata.metadata import Metadata
from llq_format.metadata.model import FFN, Attention, Layer, Model, MoE, Temperature, TensorRole, tensor_roles
from llq_format.metadata.schema import check
from llq_format.package.record_writer import Rows, TensorPlan
from llq_format.package.writer import PackageWriter
from llq_format.webgpu.planning.program_files import PROGRAM, ProgramOptions, package_files

_ROPE = Attention(rope=True, qk_norm=False, chunk_size=None, temperature=None)


def _dense(  # noqa: PLR0913  # one argument for each number of a published configuration
    *,
    layers: int,
    hidden: int,
    heads: tuple[int, int],
    size: int,
    vocab: int,
    context: int,
    tied: bool = False,
    attention: Attention = _ROPE,
    head_dim: int | None = None,
    eps: float = 1e-5,
) -> Model:
    """Return a dense Llama or Qwen.

    heads: (query heads, key-value heads), by default each hidden / query heads wide.
    """
    layer = Layer(attention, FFN("silu", gated=True, intermediate_size=size, moe=None))
    return Model(
        vocab_size=vocab,
        hidden_size=hidden,
        num_heads=heads[0],
        num_kv_heads=heads[1],
        head_dim=head_dim or hidden // heads[0],
        context_length=context,
        rms_norm_eps=eps,
        rope_pairing="halves",
        tied_embeddings=tied,
        fp16_layers=2,
        layers=(layer,) * layers,
    )


def _llama4(layers: int, experts: int, interval: int, *, qk_norm: bool) -> Model:
    """Return a Llama 4 with experts in every `interval`-th layer and no RoPE in every fourth."""
    chunked = Attention(rope=True, qk_norm=qk_norm, chunk_size=8192, temperature=None)
    nope = Attention(rope=False, qk_norm=False, chunk_size=None, temperature=Temperature(0.1, 8192))
    moe = FFN("silu", gated=True, intermediate_size=8192, moe=MoE(experts, 8192))
    dense = FFN("silu", gated=True, intermediate_size=16384, moe=None)
    stack = tuple(
        Layer(nope if number % 4 == 0 else chunked, moe if number % interval == 0 else dense)
        for number in range(1, layers + 1)
    )
    return Model(
        vocab_size=202048,
        hidden_size=5120,
        num_heads=40,
        num_kv_heads=8,
        head_dim=128,
        context_length=10485760 if qk_norm else 1048576,
        rms_norm_eps=1e-5,
        rope_pairing="interleaved",
        tied_embeddings=False,
        fp16_layers=2,
        layers=stack,
    )


GEOMETRIES: Mapping[str, Model] = {
    "tiny": _dense(layers=2, hidden=128, heads=(4, 2), size=192, vocab=256, context=64),
    "smollm2-135m": _dense(
        layers=30, hidden=576, heads=(9, 3), size=1536, vocab=49152, context=8192, tied=True
    ),
    "llama-3.2-1b": _dense(
        layers=16, hidden=2048, heads=(32, 8), size=8192, vocab=128256, context=131072, tied=True
    ),
    "llama-2-7b": _dense(layers=32, hidden=4096, heads=(32, 32), size=11008, vocab=32000, context=4096),
    "qwen2.5-0.5b": _dense(
        layers=24,
        hidden=896,
        heads=(14, 2),
        size=4864,
        vocab=151936,
        context=32768,
        tied=True,
        attention=replace(_ROPE, qkv_bias=True),
        eps=1e-6,
    ),
    "qwen3-0.6b": _dense(
        layers=28,
        hidden=1024,
        heads=(16, 8),
        size=3072,
        vocab=151936,
        context=40960,
        tied=True,
        attention=replace(_ROPE, weighted_qk_norm=True),
        head_dim=128,
        eps=1e-6,
    ),
    "llama-4-scout": _llama4(48, 16, 1, qk_norm=True),
    "llama-4-maverick": _llama4(48, 128, 2, qk_norm=False),
}
"""Models by name, with the numbers of their published configurations."""


def geometry(value: str | Mapping[str, Any] | Model) -> Model:
    """Return the model of a name in GEOMETRIES, of a `model` object, or the value itself.

    Raises KeyError for an unknown name, LLQError for an object that breaks the schema.
    """
    if isinstance(value, Model):
        return value
    if isinstance(value, str):
        return GEOMETRIES[value]
    findings = [
        finding for finding in check({"model": value}) if (finding.where.pointer or "").startswith("/model")
    ]
    if findings:
        raise LLQError(findings[0])
    return Model.from_json(dict(value))


def synth(  # noqa: PLR0913  # one argument an option of `llq synth`
    model: str | Mapping[str, Any] | Model,
    directory: str | os.PathLike[str],
    *,
    scheme: Scheme = "affine",
    seed: int = 0,
    layers: int | None = None,
    shard_limit: int = SHARD_LIMIT_DEFAULT,
    program: ProgramOptions | None = PROGRAM,
    overwrite: bool = False,
    on_total: Callable[[int, str], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Metadata:
    """Write a package of random weights, deterministic for a seed, and return its metadata.

    model: a name in GEOMETRIES, a `model` object or a `Model`; layers: number of layers to keep.
    program: options of the program, which is written with its WGSL module; None omits both.
    on_total: called with the number of bytes of all shards and the stem before the first is written.
    progress: called with numbers of bytes as they are written.
    Raises KeyError, ValueError, FileExistsError, ShardLimitError, LLQError or UnplannableError.
    """
    target = geometry(model)
    if layers is not None:
        if not 1 <= layers <= len(target.layers):
            raise ValueError(f"layers must be 1 to {len(target.layers)} for this geometry, not {layers}")
        target = replace(target, layers=target.layers[:layers], fp16_layers=min(target.fp16_layers, layers))
    int4: Literal["int4_affine", "int4_symmetric"] = "int4_affine" if scheme == "affine" else "int4_symmetric"
    roles = list(tensor_roles(target))
    plans = [TensorPlan(role.name, _dtype(role, int4), role.shape) for role in roles]
    stem = model if isinstance(model, str) else "synthetic"
    options: dict[str, Any] = {
        "stem": stem,
        "model": target,
        "shard_limit": shard_limit,
        "overwrite": overwrite,
        **package_files(program, target),
    }
    extras = {"provenance": {"generator": "synth", "seed": seed}}
    with PackageWriter(directory, plans, extras=extras, progress=progress, **options) as writer:
        if on_total is not None:
            on_total(writer.total_bytes, stem)
        for number, plan in enumerate(plans):
            writer.add(plan.name, _random_rows(plan, np.random.default_rng([seed, number])))
        return writer.finish()


def _dtype(role: TensorRole, int4: Dtype) -> Dtype:
    """Return INT4 where the role allows it, f32 for what is small, f16 for the embedding."""
    if int4 in role.dtypes:
        return int4
    return "f16" if role.name == "embedding" else "f32"


def _random_rows(plan: TensorPlan, rng: np.random.Generator) -> Rows:
    """Return a rows function; weights have a standard deviation near 0.02, norms are near 1."""
    cols = rows_cols(plan.shape)[1]

    streams = rng.spawn(3)  # one a section, so that the weights do not depend on where a tensor is cut

    def packed_rows(_first_row: int, num_rows: int) -> PackedTensor:
        down, across = block_grid(num_rows, cols)
        n = down * across
        scales = streams[0].uniform(0.003, 0.006, n).astype(np.float16)
        zero_points = None
        if plan.dtype == "int4_affine":
            zero_points = (streams[1].random(n) * 4 + 6).astype(np.int8)  # 6 to 9
        packed = np.frombuffer(streams[2].bytes(n * BLOCK_BYTES), np.uint8).reshape(n, BLOCK_BYTES)
        return PackedTensor(
            (num_rows, cols), scales, zero_points, _cleared(packed, down, across, num_rows, cols)
        )

    def raw_rows(first_row: int, num_rows: int) -> NDArray[np.float32]:
        if plan.name == "rope.inv_freq":
            return (10000.0 ** -(np.arange(first_row, first_row + num_rows) / plan.shape[0])).astype(
                np.float32
            )
        mean = 1.0 if plan.name.endswith("norm") else 0.0
        values = rng.standard_normal((num_rows, cols), np.float32) * np.float32(0.02) + np.float32(mean)
        return values.reshape(num_rows, *plan.shape[1:])

    return packed_rows if plan.dtype.startswith("int4") else raw_rows


def _cleared(packed: NDArray[np.uint8], down: int, across: int, rows: int, cols: int) -> NDArray[np.uint8]:
    """Return the blocks with the codes outside the matrix set to 0 (LLQ-PACK-1)."""
    if rows % BLOCK == 0 and cols % BLOCK == 0:
        return packed
    grid = packed.reshape(down, across, BLOCK_BYTES).copy()
    if rows % BLOCK:
        grid[-1] &= ~outside_mask(rows % BLOCK, BLOCK)
    if cols % BLOCK:
        grid[:, -1] &= ~outside_mask(BLOCK, cols % BLOCK)
    return grid.reshape(packed.shape)
