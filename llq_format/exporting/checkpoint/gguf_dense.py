"""Dense decoders in GGUF files."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from llq_format.exporting.checkpoint import biases, gguf_keys, heads
from llq_format.exporting.checkpoint.checkpoint import Architecture, TensorSource
from llq_format.exporting.checkpoint.dense import Dense, Factors
from llq_format.exporting.checkpoint.gguf_keys import ModelKeys
from llq_format.exporting.checkpoint.keys import Keys

_OTHERS = {
    "embedding": gguf_keys.EMBEDDING,
    "attention_norm": "blk.{}.attn_norm.weight",
    "output": "blk.{}.attn_output.weight",
    "ffn_norm": "blk.{}.ffn_norm.weight",
    "down": "blk.{}.ffn_down.weight",
    "norm": "output_norm.weight",
    "lm_head": gguf_keys.LM_HEAD,
}
NAMES = _OTHERS | {
    "q": "blk.{}.attn_q.weight",
    "k": "blk.{}.attn_k.weight",
    "v": "blk.{}.attn_v.weight",
    "gate": "blk.{}.ffn_gate.weight",
    "up": "blk.{}.ffn_up.weight",
}
QWEN2_NAMES = NAMES | {f"{letter}_bias": f"blk.{{}}.attn_{letter}.bias" for letter in "qkv"}
QWEN3_NAMES = NAMES | {f"{letter}_norm": f"blk.{{}}.attn_{letter}_norm.weight" for letter in "qk"}
FUSED_NAMES = _OTHERS | {"qkv": "blk.{}.attn_qkv.weight", "gate_up": "blk.{}.ffn_up.weight"}

_NOPE_INTERVAL = 4
"""Of SmolLM3, for which GGUF has no key: every fourth layer has no RoPE."""


@dataclass(frozen=True, kw_only=True)
class DenseFamily:
    """How a family differs from Llama.

    `factor_keys` are the keys of its factors. `reordered` states that conversion to GGUF reorders its rows of
    q and k.
    """

    name: str
    names: Mapping[str, str]
    nope_layers: bool = False
    factor_keys: frozenset[str] = frozenset()
    reordered: bool = True

    def read(self, metadata: Keys, source: TensorSource) -> Architecture:
        """Return the architecture of a GGUF file; raises CheckpointError."""
        keys = ModelKeys(metadata, self.name)
        keys.check_known(gguf_keys.COMMON | self.factor_keys)
        zero_biases = biases.zero_biases(source, biases.patterns(self.names))
        num_layers = keys.integer("block_count", 1, 1024)
        hidden_size = keys.integer("embedding_length", 1, 2**20)
        num_heads = keys.same("attention.head_count", num_layers).integer("attention.head_count", 1, 4096)
        head_dim = keys.head_dim(hidden_size, num_heads)
        context_length = keys.integer("context_length", 1, 2**31 - 1)
        keys.refuse_windows(context_length)
        key = "attention.head_count_kv"
        dense = Dense(
            vocab_size=keys.integer("vocab_size", 1, 2**24, gguf_keys.vocab_size(source)),
            hidden_size=hidden_size,
            intermediate_sizes=keys.per_layer("feed_forward_length", num_layers, 1, 2**22),
            num_heads=num_heads,
            num_kv_heads=heads.kv_heads(keys.same(key, num_layers), key, num_heads),
            head_dim=head_dim,
            context_length=context_length,
            rms_norm_eps=keys.number("attention.layer_norm_rms_epsilon", 1e-12, 1),
            tied=gguf_keys.LM_HEAD not in source.tensors,
            rope=keys.rotation(source, head_dim),
            ropes=tuple(not self.nope_layers or n % _NOPE_INTERVAL != 0 for n in range(1, num_layers + 1)),
            factors=_factors(keys, self.factor_keys),
            reordered=self.reordered,
        )
        return dense.architecture(self.name, self.names, (re.escape(gguf_keys.ROPE_FACTORS), *zero_biases))


def _factors(keys: Keys, known: frozenset[str]) -> Factors:
    """Return the factors that the family uses; 0 and absence denote that a factor is not used."""

    def factor(key: str) -> float:
        return keys.number(key, 0, 1e6, 0) if key in known else 0

    return Factors(
        embedding=factor("embedding_scale") or 1,
        residual=factor("residual_scale") or 1,
        logits=1 / (factor("logit_scale") or 1),
        scores=factor("attention.scale") or None,
    )


LLAMA = DenseFamily(name="llama", names=NAMES, factor_keys=frozenset({"attention.scale"}))
GRANITE = DenseFamily(
    name="granite",
    names=NAMES,
    factor_keys=frozenset({"attention.scale", "embedding_scale", "residual_scale", "logit_scale"}),
)
PHI3 = DenseFamily(name="phi3", names=FUSED_NAMES)
SMOLLM3 = DenseFamily(name="smollm3", names=NAMES, nope_layers=True)
QWEN2 = DenseFamily(name="qwen2", names=QWEN2_NAMES, reordered=False)
QWEN3 = DenseFamily(name="qwen3", names=QWEN3_NAMES, reordered=False)
