"""Dense Llama: the names of its configuration and its tensors in checkpoints and in LLQ.

A family of models is one such file: functions from a Hugging Face configuration, or from GGUF metadata, to an
`Architecture`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from llq_format.exporting.checkpoint import heads, rope
from llq_format.exporting.checkpoint.checkpoint import (
    Architecture,
    CheckpointError,
    Float32Array,
    Piece,
    TensorSource,
    check_piece,
)
from llq_format.exporting.checkpoint.keys import Keys

HUGGING_FACE_NAMES = {
    "embedding": "model.embed_tokens.weight",
    "attention_norm": "model.layers.{}.input_layernorm.weight",
    "q": "model.layers.{}.self_attn.q_proj.weight",
    "k": "model.layers.{}.self_attn.k_proj.weight",
    "v": "model.layers.{}.self_attn.v_proj.weight",
    "output": "model.layers.{}.self_attn.o_proj.weight",
    "ffn_norm": "model.layers.{}.post_attention_layernorm.weight",
    "gate": "model.layers.{}.mlp.gate_proj.weight",
    "up": "model.layers.{}.mlp.up_proj.weight",
    "down": "model.layers.{}.mlp.down_proj.weight",
    "norm": "model.norm.weight",
    "lm_head": "lm_head.weight",
}
GGUF_NAMES = {
    "embedding": "token_embd.weight",
    "attention_norm": "blk.{}.attn_norm.weight",
    "q": "blk.{}.attn_q.weight",
    "k": "blk.{}.attn_k.weight",
    "v": "blk.{}.attn_v.weight",
    "output": "blk.{}.attn_output.weight",
    "ffn_norm": "blk.{}.ffn_norm.weight",
    "gate": "blk.{}.ffn_gate.weight",
    "up": "blk.{}.ffn_up.weight",
    "down": "blk.{}.ffn_down.weight",
    "norm": "output_norm.weight",
    "lm_head": "output.weight",
}
GGUF_ROPE_FACTORS = "rope_freqs.weight"

ACTIVATIONS = {"silu": "silu", "swish": "silu", "gelu": "gelu"}
"""Names in Hugging Face configurations; their `gelu` is the exact gelu."""

GGUF_KEYS = frozenset(
    {
        "attention.head_count",
        "attention.head_count_kv",
        "attention.key_length",
        "attention.layer_norm_rms_epsilon",
        "attention.value_length",
        "block_count",
        "context_length",
        "embedding_length",
        "expert_count",
        "expert_used_count",
        "feed_forward_length",
        "rope.dimension_count",
        "rope.freq_base",
        "rope.scale_linear",
        "rope.scaling.factor",
        "rope.scaling.finetuned",
        "rope.scaling.original_context_length",
        "rope.scaling.type",
        "tensor_data_layout",
        "vocab_size",
    }
)
"""Known keys under `llama.`; an unknown key may change the results of the model."""


@dataclass(frozen=True, kw_only=True)
class Llama:
    """The numbers of a dense Llama."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    context_length: int
    rms_norm_eps: float
    activation: str
    tied: bool

    def model(self) -> dict[str, Any]:
        """Return the object `model` of metadata.json."""
        layer: dict[str, dict[str, Any]] = {
            "attention": {"rope": True, "qk_norm": False, "chunk_size": None, "temperature": None},
            "ffn": {
                "activation": self.activation,
                "gated": True,
                "intermediate_size": self.intermediate_size,
                "moe": None,
            },
        }
        return {
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "num_heads": self.num_heads,
            "num_kv_heads": self.num_kv_heads,
            "head_dim": self.head_dim,
            "context_length": self.context_length,
            "rms_norm_eps": self.rms_norm_eps,
            "rope_pairing": "halves",
            "tied_embeddings": self.tied,
            "activations": {"fp16_layers": min(2, self.num_layers)},
            "layers": [
                {part: dict(choices) for part, choices in layer.items()} for _ in range(self.num_layers)
            ],
        }

    def pieces(self, names: Mapping[str, str]) -> dict[str, tuple[Piece, ...]]:
        """Return the pieces of each tensor of the package, in canonical order."""
        hidden, wide = self.hidden_size, self.intermediate_size
        attention, key_value = self.num_heads * self.head_dim, self.num_kv_heads * self.head_dim
        tensors: dict[str, tuple[Piece, ...]] = {}
        tensors["embedding"] = (Piece(names["embedding"], (self.vocab_size, hidden)),)
        for n in range(self.num_layers):
            name = {role: template.format(n) for role, template in names.items()}
            tensors[f"layers.{n}.attention_norm"] = (Piece(name["attention_norm"], (hidden,)),)
            tensors[f"layers.{n}.attention.qkv"] = (
                Piece(name["q"], (attention, hidden), rotary_heads=self.num_heads),
                Piece(name["k"], (key_value, hidden), rotary_heads=self.num_kv_heads),
                Piece(name["v"], (key_value, hidden)),
            )
            tensors[f"layers.{n}.attention.output"] = (Piece(name["output"], (hidden, attention)),)
            tensors[f"layers.{n}.ffn_norm"] = (Piece(name["ffn_norm"], (hidden,)),)
            tensors[f"layers.{n}.ffn.gate_up"] = (
                Piece(name["gate"], (wide, hidden)),
                Piece(name["up"], (wide, hidden)),
            )
            tensors[f"layers.{n}.ffn.down"] = (Piece(name["down"], (hidden, wide)),)
        tensors["norm"] = (Piece(names["norm"], (hidden,)),)
        if not self.tied:
            tensors["lm_head"] = (Piece(names["lm_head"], (self.vocab_size, hidden)),)
        return tensors


def from_huggingface(config: Keys, _source: TensorSource) -> Architecture:
    """Return the architecture of a config.json with `model_type` llama; raises CheckpointError."""
    for key in ("attention_bias", "mlp_bias"):
        if config.boolean(key, default=False):
            raise config.error(key, "is true, but LLQ does not support biases")
    activation = config.string("hidden_act", "silu")
    if activation not in ACTIVATIONS:
        raise config.error(
            "hidden_act", f"is {activation!r}; supported are {', '.join(map(repr, ACTIVATIONS))}"
        )
    hidden_size = config.integer("hidden_size", 1, 2**20)
    num_heads = config.integer("num_attention_heads", 1, 4096)
    llama = Llama(
        vocab_size=config.integer("vocab_size", 1, 2**24),
        hidden_size=hidden_size,
        intermediate_size=config.integer("intermediate_size", 1, 2**22),
        num_layers=config.integer("num_hidden_layers", 1, 1024),
        num_heads=num_heads,
        num_kv_heads=heads.kv_heads(config, "num_key_value_heads", num_heads),
        head_dim=heads.head_dim(config, "head_dim", hidden_size, num_heads),
        context_length=config.integer("max_position_embeddings", 1, 2**31 - 1),
        rms_norm_eps=config.number("rms_norm_eps", 1e-12, 1),
        activation=ACTIVATIONS[activation],
        tied=config.boolean("tie_word_embeddings", default=False),
    )
    return Architecture(
        name="llama",
        model=llama.model(),
        pieces=llama.pieces(HUGGING_FACE_NAMES),
        inv_freq=rope.from_config(config, llama.head_dim),
        ignored=(r"model\.(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq", r"lm_head\.weight"),
    )


def from_gguf(metadata: Keys, source: TensorSource) -> Architecture:
    """Return the architecture of a GGUF file with `general.architecture` llama; raises CheckpointError."""
    for key in metadata.values:
        if key.startswith("llama.") and key.removeprefix("llama.") not in GGUF_KEYS:
            raise metadata.error(key, "is unknown to this exporter and may change the results of the model")
    if metadata.integer("llama.expert_count", 0, 2**16, 0) != 0:
        raise metadata.error(
            "llama.expert_count", "is not 0: mixtures of experts in GGUF files are not supported"
        )
    embedding = source.tensors.get(GGUF_NAMES["embedding"])
    vocab_size = embedding.shape[0] if embedding is not None and embedding.shape else 0
    hidden_size = metadata.integer("llama.embedding_length", 1, 2**20)
    num_heads = metadata.integer("llama.attention.head_count", 1, 4096)
    head_dim = heads.head_dim(metadata, "llama.attention.key_length", hidden_size, num_heads)
    for key in ("llama.attention.value_length", "llama.rope.dimension_count"):
        if metadata.integer(key, 1, 4096, head_dim) != head_dim:
            raise metadata.error(
                key, f"is {metadata.get(key)}, but the head width is {head_dim}; LLQ requires equal widths"
            )
    llama = Llama(
        vocab_size=metadata.integer("llama.vocab_size", 1, 2**24, vocab_size),
        hidden_size=hidden_size,
        intermediate_size=metadata.integer("llama.feed_forward_length", 1, 2**22),
        num_layers=metadata.integer("llama.block_count", 1, 1024),
        num_heads=num_heads,
        num_kv_heads=heads.kv_heads(metadata, "llama.attention.head_count_kv", num_heads),
        head_dim=head_dim,
        context_length=metadata.integer("llama.context_length", 1, 2**31 - 1),
        rms_norm_eps=metadata.number("llama.attention.layer_norm_rms_epsilon", 1e-12, 1),
        activation="silu",
        tied=GGUF_NAMES["lm_head"] not in source.tensors,
    )
    return Architecture(
        name="llama",
        model=llama.model(),
        pieces=llama.pieces(GGUF_NAMES),
        inv_freq=_gguf_inv_freq(metadata, source, head_dim),
        ignored=(re.escape(GGUF_ROPE_FACTORS),),
    )


def _gguf_inv_freq(metadata: Keys, source: TensorSource, head_dim: int) -> Float32Array:
    """Return `rope.inv_freq`. A llama3 scaling is stored as one divisor for each frequency."""
    theta = rope.frequencies(
        metadata.number("llama.rope.freq_base", 1, rope.HIGHEST_BASE, rope.DEFAULT_BASE), head_dim
    )
    kind = metadata.string("llama.rope.scaling.type", "none")
    legacy = metadata.number("llama.rope.scale_linear", 1, rope.HIGHEST_FACTOR, 1)
    if kind == "linear":
        theta /= metadata.number("llama.rope.scaling.factor", 1, rope.HIGHEST_FACTOR, legacy)
    elif kind == "none":
        theta /= legacy
    else:
        raise metadata.error("llama.rope.scaling.type", f"is {kind!r}; supported are 'none' and 'linear'")
    if GGUF_ROPE_FACTORS in source.tensors:
        theta /= _gguf_rope_factors(source, head_dim)
    return rope.rounded(theta)


def _gguf_rope_factors(source: TensorSource, head_dim: int) -> Float32Array:
    """Return the divisors of a llama3 scaling, float32 [head_dim / 2]."""
    piece = Piece(GGUF_ROPE_FACTORS, (head_dim // 2,))
    check_piece(piece, source)
    factors = np.empty(piece.shape, np.float32)
    source.read(piece, factors)
    if not np.all((factors >= 1) & (factors <= rope.HIGHEST_FACTOR)):
        raise CheckpointError(
            f"{source.tensors[piece.name].file}: tensor {piece.name} divides RoPE frequencies by "
            f"{factors.min():g} to {factors.max():g}, instead of 1 to {rope.HIGHEST_FACTOR:g}",
        )
    return factors
