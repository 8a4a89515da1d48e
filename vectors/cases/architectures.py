"""Valid: models of every kind that the metadata can describe."""

from __future__ import annotations

from typing import Any

from vectors.kit.model import layer, model_package, model_tensors, tiny, with_tokenizer
from vectors.kit.package import Package, assemble
from vectors.kit.registry import Key, valid
from vectors.kit.tensor import Raw

MOE = {"num_experts": 2, "shared_intermediate_size": 3}
TEMPERATURE = {"attn_scale": 1000.0, "floor_scale": 8192}
LLAMA_4 = tiny(
    rope_pairing="interleaved",
    tied_embeddings=False,
    activations={"fp16_layers": 2},
    layers=[
        layer({"qk_norm": True, "chunk_size": 8}, {"moe": MOE, "intermediate_size": 5}),
        layer({"chunk_size": 8}, {"intermediate_size": 7}),
        layer({"rope": False, "temperature": TEMPERATURE}, {"moe": {**MOE, "num_experts": 1}}),
    ],
)

MODELS: dict[str, dict[str, Any]] = {
    Key("as many key-value heads as heads", "equal numbers of heads and key-value heads"): tiny(
        num_heads=3, num_kv_heads=3
    ),
    "three heads to a key-value head": tiny(num_heads=6, num_kv_heads=2),
    "heads wider than the residual stream": tiny(num_heads=2, head_dim=6),
    "more than one block to a matrix": tiny(
        hidden_size=3, head_dim=34, num_kv_heads=1, layers=[layer(None, {"intermediate_size": 67})]
    ),
    "an ungated FFN with gelu": tiny(layers=[layer(None, {"activation": "gelu", "gated": False})]),
    "no position embedding": tiny(layers=[layer({"rope": False})]),
    "position embedding in one of two layers": tiny(layers=[layer({"rope": False}), layer()]),
    "QK norm and chunks": tiny(
        layers=[layer({"qk_norm": True, "chunk_size": 1})], activations={"fp16_layers": 0}
    ),
    "every choice of Llama 4": LLAMA_4,
    "eleven experts": tiny(layers=[layer(None, {"moe": {**MOE, "num_experts": 11}, "intermediate_size": 1})]),
    "one token, one element, one position": tiny(
        vocab_size=2,
        hidden_size=1,
        num_heads=1,
        context_length=1,
        layers=[layer(None, {"intermediate_size": 1})],
    ),
}


@valid("LLQ-TENSOR-3", "LLQ-TENSOR-4", "LLQ-CANON-3", cases=MODELS)
def model_with(model: dict[str, Any]) -> Package:
    """A model with {}: the package MUST hold exactly the tensors that the model requires."""
    tokens = {"bos_token_id": 0, "eos_token_ids": [1]}
    return with_tokenizer(model_package(model), **tokens)


DTYPES: dict[str, dict[str, str]] = {
    "matrices int4_affine": {"matrix": "int4_affine"},
    "matrices int4_symmetric": {"qkv": "int4_symmetric"},
    "raw tensors f32": {"raw": "f32"},
    "the norms f32, the embedding f16": {"attention_norm": "f32", "ffn_norm": "f32", "norm": "f32"},
}


@valid("LLQ-TENSOR-5", cases=DTYPES)
def model_stores(dtypes: dict[str, str]) -> Package:
    """A model of other dtypes ({})."""
    return with_tokenizer(model_package(tiny(), dtypes))


@valid("LLQ-TENSOR-5", cases={dtype: dtype for dtype in ("f16", "int4_affine")})
def lm_head(dtype: str) -> Package:
    """A model whose lm_head is {}."""
    return with_tokenizer(model_package(tiny(tied_embeddings=False), {"lm_head": dtype}))


EPS = {"1e-12": 1e-12, "1e-7": 1e-07, "1": 1.0}


@valid("LLQ-CANON-1", "LLQ-META-5", cases=EPS)
def eps(value: float) -> Package:
    """rms_norm_eps is written as {}, the form that ECMAScript gives it."""
    return with_tokenizer(model_package(tiny(rms_norm_eps=value)))


@valid("LLQ-MODEL-6")
def inv_freq_extremes() -> Package:
    """rope.inv_freq holds 1, the maximum allowed value, and the smallest positive binary32."""
    tensors = model_tensors(tiny(head_dim=4))[:-1]
    tensors.append(Raw("rope.inv_freq", "f32", (2,), lambda index: 1 if index else 0x3F800000))
    return with_tokenizer(assemble(tensors, model=tiny(head_dim=4)))


@valid("LLQ-CANON-4", "LLQ-PART-10")
def model_in_several_shards() -> Package:
    """A model whose tensors are in several shards, the embedding in two parts."""
    model = tiny(vocab_size=400, layers=[layer(None, {"intermediate_size": 40})])
    return with_tokenizer(model_package(model, shard_limit=3328))
