"""The text decoder of Llama 4 in GGUF files.

GGUF has no keys for several properties: every fourth layer has no RoPE and full attention with temperature,
the other layers have chunks of 8,192 positions, and q and k are normalized unless there are 128 experts. Rows
of q and k are in the order of Hugging Face, because Llama 4 rotates neighbours.
"""

import re

from llq_format.exporting.checkpoint import gguf_dense, gguf_keys, heads, llama4_pieces
from llq_format.exporting.checkpoint.checkpoint import Architecture, TensorSource
from llq_format.exporting.checkpoint.gguf_keys import ModelKeys
from llq_format.exporting.checkpoint.keys import Keys
from llq_format.metadata.model import FFN, Attention, Layer, Model, MoE, Temperature

_KEYS = (gguf_keys.COMMON - {"attention.sliding_window"}) | {
    "expert_count",
    "expert_feed_forward_length",
    "expert_used_count",
    "interleave_moe_layer_step",
}
_CHUNK = 8192
_TEMPERATURE = Temperature(attn_scale=0.1, floor_scale=8192)
_NOPE_INTERVAL = 4
_EXPERTS_WITHOUT_QK_NORM = 128

_NAMES = gguf_dense.NAMES | {
    "router": "blk.{}.ffn_gate_inp.weight",
    **{f"experts_{role}": f"blk.{{}}.ffn_{role}_exps.weight" for role in ("gate", "up", "down")},
    **{f"shared_{role}": f"blk.{{}}.ffn_{role}_shexp.weight" for role in ("gate", "up", "down")},
}


def read(metadata: Keys, source: TensorSource) -> Architecture:
    """Return the architecture of a GGUF file with `general.architecture` llama4; raises CheckpointError."""
    keys = ModelKeys(metadata, "llama4")
    keys.check_known(_KEYS)
    hidden_size = keys.integer("embedding_length", 1, 2**20)
    num_layers = keys.integer("block_count", 1, 1024)
    num_heads = keys.same("attention.head_count", num_layers).integer("attention.head_count", 1, 4096)
    head_dim = keys.head_dim(hidden_size, num_heads)
    rotation = keys.rotation(source, head_dim)
    if rotation.factor != 1:
        raise keys.error("rope.scaling.type", "scales q and k, but LLQ normalizes q and k of Llama 4")
    key = "attention.head_count_kv"
    model = Model(
        vocab_size=keys.integer("vocab_size", 1, 2**24, gguf_keys.vocab_size(source)),
        hidden_size=hidden_size,
        num_heads=num_heads,
        num_kv_heads=heads.kv_heads(keys.same(key, num_layers), key, num_heads),
        head_dim=head_dim,
        context_length=keys.integer("context_length", 1, 2**31 - 1),
        rms_norm_eps=keys.number("attention.layer_norm_rms_epsilon", 1e-12, 1),
        rope_pairing="interleaved",
        tied_embeddings=gguf_keys.LM_HEAD not in source.tensors,
        fp16_layers=min(2, num_layers),
        layers=tuple(map(Layer, _attentions(keys, num_layers), _ffns(keys, num_layers))),
    )
    return Architecture(
        name="llama4",
        model=model.to_json(),
        pieces=llama4_pieces.pieces(model, _NAMES, transposed=False),
        inv_freq=rotation.inv_freq,
        ignored=(re.escape(gguf_keys.ROPE_FACTORS),),
    )


def _attentions(keys: ModelKeys, num_layers: int) -> list[Attention]:
    """Return the attention of each layer."""
    qk_norm = keys.integer("expert_count", 1, 4096) != _EXPERTS_WITHOUT_QK_NORM
    ropes = [number % _NOPE_INTERVAL != 0 for number in range(1, num_layers + 1)]
    return [
        Attention(
            rope=rope,
            qk_norm=qk_norm and rope,
            chunk_size=_CHUNK if rope else None,
            temperature=None if rope else _TEMPERATURE,
        )
        for rope in ropes
    ]


def _ffns(keys: ModelKeys, num_layers: int) -> list[FFN]:
    """Return the FFN of each layer."""
    size = keys.integer("feed_forward_length", 1, 2**22)
    dense = FFN("silu", gated=True, intermediate_size=size, moe=None)
    num_experts = keys.integer("expert_count", 1, 4096)
    step = keys.integer("interleave_moe_layer_step", 1, 2**31 - 1)
    if keys.integer("expert_used_count", 1, 4096) != 1:
        raise keys.error(
            "expert_used_count", f"is {keys.get('expert_used_count')}; LLQ supports one expert per token"
        )
    wide = keys.integer("expert_feed_forward_length", 1, 2**22)
    mixture = FFN("silu", gated=True, intermediate_size=wide, moe=MoE(num_experts, wide))
    return [mixture if number % step == 0 else dense for number in range(1, num_layers + 1)]
