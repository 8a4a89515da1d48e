"""Tiny models, and the tensors that chapter Metadata calls for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vectors.kit import affine as extension
from vectors.kit.noise import finite16, finite32, noise
from vectors.kit.package import DEFAULT_LIMIT, Package, assemble
from vectors.kit.tensor import Int4, Raw, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = Any


def layer(attention: dict[str, Json] | None = None, ffn: dict[str, Json] | None = None) -> dict[str, Json]:
    """Return a plain dense layer with RoPE, some of its members changed."""
    plain_attention = {"rope": True, "qk_norm": False, "chunk_size": None, "temperature": None}
    plain_ffn = {"activation": "silu", "gated": True, "intermediate_size": 6, "moe": None}
    return {"attention": {**plain_attention, **(attention or {})}, "ffn": {**plain_ffn, **(ffn or {})}}


def tiny(**changes: Json) -> dict[str, Json]:
    """Return the smallest model worth the name, some of its members changed."""
    return {
        "vocab_size": 5,
        "hidden_size": 4,
        "num_heads": 2,
        "num_kv_heads": 1,
        "head_dim": 2,
        "context_length": 32,
        "rms_norm_eps": 1e-05,
        "rope_pairing": "halves",
        "tied_embeddings": True,
        "activations": {"fp16_layers": 1},
        "layers": [layer()],
        **changes,
    }


def table(
    model: dict[str, Json], affine: extension.Affine = ()
) -> Iterator[tuple[str, tuple[int, ...], str]]:
    """Yield name, shape and role (matrix, raw, or f32) of each tensor, in canonical order."""
    hidden, vocab = model["hidden_size"], model["vocab_size"]
    yield "embedding", (vocab, hidden), "raw"
    for index, description in enumerate(model["layers"]):
        choices = affine[index] if affine else extension.PLAIN
        for name, shape, role in layer_table(model, description["ffn"], choices):
            yield f"layers.{index}.{name}", shape, role
    yield "norm", (hidden,), "raw"
    if not model["tied_embeddings"]:
        yield "lm_head", (vocab, hidden), "matrix"
    if any(description["attention"]["rope"] for description in model["layers"]):
        yield "rope.inv_freq", (model["head_dim"] // 2,), "f32"


def layer_table(
    model: dict[str, Json], ffn: dict[str, Json], choices: dict[str, bool]
) -> Iterator[tuple[str, tuple[int, ...], str]]:
    """Yield the tensors of one layer."""
    hidden, width, moe = model["hidden_size"], ffn["intermediate_size"], ffn["moe"]
    query, key = model["num_heads"] * model["head_dim"], model["num_kv_heads"] * model["head_dim"]
    yield "attention_norm", (hidden,), "raw"
    yield "attention.qkv", (query + 2 * key, hidden), "matrix"
    yield from extension.layer_table(model, choices)
    yield "attention.output", (hidden, query), "matrix"
    yield "ffn_norm", (hidden,), "raw"
    if moe is None:
        up = ("ffn.gate_up", 2 * width) if ffn["gated"] else ("ffn.up", width)
        yield up[0], (up[1], hidden), "matrix"
        yield "ffn.down", (hidden, width), "matrix"
        return
    yield "ffn.router", (moe["num_experts"], hidden), "raw"
    for expert in range(moe["num_experts"]):
        yield f"ffn.experts.{expert}.gate_up", (2 * width, hidden), "matrix"
        yield f"ffn.experts.{expert}.down", (hidden, width), "matrix"
    shared = moe["shared_intermediate_size"]
    yield "ffn.shared.gate_up", (2 * shared, hidden), "matrix"
    yield "ffn.shared.down", (hidden, shared), "matrix"


def frequency(dtype: str, index: int) -> int:
    """Return the bits of the frequencies 1, 1/2, 1/4 and so on."""
    return 15 - index << 10 if dtype == "f16" else 127 - index << 23


def some_tensor(name: str, dtype: str, shape: tuple[int, ...]) -> Tensor:
    """Return a tensor whose content depends on its name only."""
    seed = sum(noise(position, ord(letter)) for position, letter in enumerate(name))
    if name == "rope.inv_freq":
        return Raw(name, dtype, shape, lambda index: frequency(dtype, index))
    if dtype in {"f16", "f32"}:
        finite = finite16 if dtype == "f16" else finite32
        return Raw(name, dtype, shape, lambda index: finite(seed, index))
    rows, cols = shape
    return Int4(
        name,
        (rows, cols),
        code=lambda r, c: noise(seed, r * cols + c) & 15,
        scale=lambda i, j: 0x2000 + (noise(seed + 1, i * cols + j) & 0x7FF),
        zero_point=None if dtype == "int4_symmetric" else lambda i, j: noise(seed + 2, i * cols + j) & 15,
    )


def model_tensors(
    model: dict[str, Json], dtypes: dict[str, str] | None = None, affine: extension.Affine = ()
) -> list[Tensor]:
    """Return the tensors that a model calls for; a dtype may be given for the last component of a name."""
    chosen = {"matrix": "int4_symmetric", "raw": "f16", "f32": "f32", "qkv": "int4_affine", **(dtypes or {})}
    return [
        some_tensor(name, chosen.get(name, chosen.get(name.rpartition(".")[2], chosen[role])), shape)
        for name, shape, role in table(model, affine)
    ]


def model_package(
    model: dict[str, Json],
    dtypes: dict[str, str] | None = None,
    shard_limit: int = DEFAULT_LIMIT,
    affine: extension.Affine = (),
) -> Package:
    """Return the package of a model, without tokenizer."""
    tensors = model_tensors(model, dtypes, affine)
    return assemble(tensors, shard_limit=shard_limit, model=model, **extension.members(affine))


def with_tokenizer(package: Package, **members: Json) -> Package:
    """Add a tokenizer, some of its members changed."""
    plain = {"bos_token_id": 1, "eos_token_ids": [2], "chat_template": None}
    return package.attach("tokenizer", "tokenizer.json", b'{"model":{}}\n', **{**plain, **members})
