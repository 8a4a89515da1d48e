"""The text decoder of Llama 4: the names of its configuration and its tensors in Hugging Face checkpoints.

Layers differ in three ways, each with its own list in the configuration: RoPE or none, full or chunked
attention, and a mixture of experts or one wide FFN.
"""

from llq_format.exporting.checkpoint import biases, heads, llama4_pieces, rope
from llq_format.exporting.checkpoint.checkpoint import Architecture, TensorSource
from llq_format.exporting.checkpoint.keys import Keys
from llq_format.exporting.checkpoint.llama import NAMES, nope_layers, one_a_layer
from llq_format.metadata.model import FFN, Attention, Layer, Model, MoE, Temperature

MULTIMODAL_PREFIX = "language_model."
"""Prefix of the names of the text decoder's tensors in a checkpoint of the whole multimodal model."""

_OTHER_MODELS = (r"vision_model\..*", r"multi_modal_projector\..*")

DEFAULT_ROPE_BASE = 500000.0

_MOST_TENSORS = 65536
"""Maximum number of tensors of a package."""

_PARTS = ("gate", "up", "down")
_LAYER = "model.layers.{}.feed_forward"
_FFN = {
    "router": f"{_LAYER}.router.weight",
    **{role: f"{_LAYER}.{role}_proj.weight" for role in _PARTS},
    **{f"shared_{role}": f"{_LAYER}.shared_expert.{role}_proj.weight" for role in _PARTS},
}
_STACKED_EXPERTS = {f"experts_{role}": f"{_LAYER}.experts.{role}_proj" for role in ("gate_up", "down")}
_SEPARATE_EXPERTS = {f"experts_{role}": f"{_LAYER}.experts.{{}}.{role}_proj.weight" for role in _PARTS}


def text_config(config: Keys) -> Keys:
    """Return the configuration of the text decoder inside the multimodal one; raises CheckpointError."""
    text = config.section("text_config")
    if text is None:
        raise config.error("text_config", "is missing")
    if text.string("model_type", "llama4_text") != "llama4_text":
        raise text.error("model_type", f"is {text.get('model_type')!r}; supported is 'llama4_text'")
    inner = text.boolean("tie_word_embeddings", default=False)
    if config.boolean("tie_word_embeddings", default=inner) != inner:
        raise config.error(
            "tie_word_embeddings", "and the value in text_config differ: keep the correct value"
        )
    return text


def from_huggingface(config: Keys, source: TensorSource) -> Architecture:
    """Return the architecture of a configuration with `model_type` llama4_text; raises CheckpointError."""
    zero_biases = biases.check(config, source, _OTHER_MODELS)
    if config.string("hidden_act", "silu") != "silu":
        raise config.error("hidden_act", f"is {config.get('hidden_act')!r}; supported is 'silu'")
    hidden_size = config.integer("hidden_size", 1, 2**20)
    num_heads = config.integer("num_attention_heads", 1, 4096)
    num_layers = config.integer("num_hidden_layers", 1, 1024)
    attentions, ffns = _attentions(config, num_layers), _ffns(config, num_layers)
    model = Model(
        vocab_size=config.integer("vocab_size", 1, 2**24),
        hidden_size=hidden_size,
        num_heads=num_heads,
        num_kv_heads=heads.kv_heads(config, "num_key_value_heads", num_heads),
        head_dim=heads.head_dim(config, "head_dim", hidden_size, num_heads),
        context_length=config.integer("max_position_embeddings", 1, 2**31 - 1),
        rms_norm_eps=config.number("rms_norm_eps", 1e-12, 1),
        rope_pairing="interleaved",
        tied_embeddings=config.boolean("tie_word_embeddings", default=False),
        fp16_layers=min(2, num_layers),
        layers=tuple(map(Layer, attentions, ffns)),
    )
    rotation = rope.from_config(config, model.head_dim, DEFAULT_ROPE_BASE)
    if rotation.factor != 1:
        raise config.error("rope_parameters", "scales q and k, but LLQ normalizes q and k of Llama 4")
    return Architecture(
        name="llama4",
        model=model.to_json(),
        pieces=llama4_pieces.pieces(model, _names(source), transposed=True),
        inv_freq=rotation.inv_freq,
        ignored=(
            *_OTHER_MODELS,
            r"(language_model\.)?lm_head\.weight",
            *zero_biases,
        ),
    )


def _attentions(config: Keys, num_layers: int) -> list[Attention]:
    """Return the attention of each layer."""
    ropes = nope_layers(config, num_layers)
    chunked = _chunked(config, ropes)
    chunk_size = _chunk_size(config)
    qk_norm = config.boolean("use_qk_norm", default=True)
    temperature = _temperature(config)
    return [
        Attention(
            rope=rope_here,
            qk_norm=qk_norm and rope_here,
            chunk_size=chunk_size if chunked_here else None,
            temperature=None if rope_here else temperature,
        )
        for rope_here, chunked_here in zip(ropes, chunked, strict=True)
    ]


def _chunked(config: Keys, ropes: list[bool]) -> list[bool]:
    """Return which layers have chunked attention, by default those with RoPE."""
    if config.get("layer_types") is None:
        return ropes
    types = one_a_layer(config, "layer_types", str, len(ropes))
    for kind in types:
        if kind not in ("chunked_attention", "full_attention"):
            raise config.error(
                "layer_types", f"has {kind!r}; supported are 'chunked_attention' and 'full_attention'"
            )
    return [kind == "chunked_attention" for kind in types]


def _chunk_size(config: Keys) -> int | None:
    """Return the positions of a chunk; null, unlike absence, makes all attention full."""
    if config.values.get("attention_chunk_size", 8192) is None:
        return None
    return config.integer("attention_chunk_size", 1, 2**31 - 1, 8192)


def _temperature(config: Keys) -> Temperature | None:
    """Return how q is scaled by position, or None; `attn_temperature_tuning` of 2025 is 4, and means true."""
    tuning = config.get("attn_temperature_tuning", True)
    if tuning not in (False, True, 4):
        raise config.error("attn_temperature_tuning", f"is {tuning!r}, not true or false")
    if not tuning:
        return None
    return Temperature(
        attn_scale=config.number("attn_scale", 0, 1000, 0.1),
        floor_scale=config.integer("floor_scale", 1, 2**31 - 1, 8192),
    )


def _ffns(config: Keys, num_layers: int) -> list[FFN]:
    """Return the FFN of each layer."""
    with_experts = _layers_with_experts(config, num_layers)
    return [
        _mixture(config, len(with_experts)) if n in with_experts else _dense(config)
        for n in range(num_layers)
    ]


def _dense(config: Keys) -> FFN:
    size = config.integer("intermediate_size_mlp", 1, 2**22)
    return FFN("silu", gated=True, intermediate_size=size, moe=None)


def _mixture(config: Keys, num_layers: int) -> FFN:
    """Return the mixture of experts of `num_layers` layers; all experts are equally wide."""
    size = config.integer("intermediate_size", 1, 2**22)
    moe = MoE(_num_experts(config, num_layers), shared_intermediate_size=size)
    return FFN("silu", gated=True, intermediate_size=size, moe=moe)


def _layers_with_experts(config: Keys, num_layers: int) -> set[int]:
    if config.get("moe_layers") is not None:
        return set(config.array("moe_layers", int)) & set(range(num_layers))
    step = config.integer("interleave_moe_layer_step", 0, 2**31 - 1, 1)
    return set(range(step - 1, num_layers, step)) if step else set()


def _num_experts(config: Keys, num_layers: int) -> int:
    """Return the number of experts of each of `num_layers` layers."""
    per_token = config.integer("num_experts_per_tok", 1, 2**31 - 1, 1)
    if per_token != 1:
        raise config.error("num_experts_per_tok", f"is {per_token}; LLQ supports one expert per token")
    num_experts = config.integer("num_local_experts", 1, 4096)
    if 2 * num_experts * num_layers > _MOST_TENSORS:
        raise config.error(
            "num_local_experts",
            f"is {num_experts} in {num_layers} layers, more than {_MOST_TENSORS} tensors",
        )
    return num_experts


def _names(source: TensorSource) -> dict[str, str]:
    """Return the names of the checkpoint's tensors by their roles.

    Experts are stored in two common tensors, or in three tensors each.
    """
    stored = source.tensors
    prefix = MULTIMODAL_PREFIX if f"{MULTIMODAL_PREFIX}{NAMES['embedding']}" in stored else ""
    separate = any(".experts.0.gate_proj." in name for name in stored)
    names = NAMES | _FFN | (_SEPARATE_EXPERTS if separate else _STACKED_EXPERTS)
    return {role: f"{prefix}{name}" for role, name in names.items()}
