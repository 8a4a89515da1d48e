"""The text decoder of Llama 4: the names of its configuration and its tensors in Hugging Face checkpoints.

Layers differ in three ways, each with its own list in the configuration: RoPE or none, full or chunked
attention, and a mixture of experts or one wide FFN.
"""

from collections.abc import Collection

from llq_format.exporting.checkpoint import biases, heads, rope
from llq_format.exporting.checkpoint.checkpoint import Architecture, Piece, Stack, TensorSource
from llq_format.exporting.checkpoint.keys import Keys
from llq_format.exporting.checkpoint.llama import nope_layers, one_a_layer
from llq_format.metadata.model import FFN, Attention, Layer, Model, MoE, Temperature

MULTIMODAL_PREFIX = "language_model."
"""Prefix of the names of the text decoder's tensors in a checkpoint of the whole multimodal model."""

_OTHER_MODELS = (r"vision_model\..*", r"multi_modal_projector\..*")

DEFAULT_ROPE_BASE = 500000.0

_MOST_TENSORS = 65536
"""Maximum number of tensors of a package."""

Pieces = dict[str, tuple[Piece, ...]]


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
    multimodal = f"{MULTIMODAL_PREFIX}model.embed_tokens.weight" in source.tensors
    return Architecture(
        name="llama4",
        model=model.to_json(),
        pieces=_pieces(model, MULTIMODAL_PREFIX if multimodal else "", source.tensors),
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


def _pieces(model: Model, prefix: str, stored: Collection[str]) -> Pieces:
    """Return the pieces of each tensor of the package, in canonical order.

    prefix: the prefix of the checkpoint's names; stored: all names.
    """
    hidden, vocab = model.hidden_size, model.vocab_size
    query, key_value = model.num_heads * model.head_dim, model.num_kv_heads * model.head_dim
    tensors: Pieces = {"embedding": (Piece(f"{prefix}model.embed_tokens.weight", (vocab, hidden)),)}
    for n, layer in enumerate(model.layers):
        ours, theirs = f"layers.{n}", f"{prefix}model.layers.{n}"
        tensors[f"{ours}.attention_norm"] = (Piece(f"{theirs}.input_layernorm.weight", (hidden,)),)
        tensors[f"{ours}.attention.qkv"] = (
            Piece(f"{theirs}.self_attn.q_proj.weight", (query, hidden)),
            Piece(f"{theirs}.self_attn.k_proj.weight", (key_value, hidden)),
            Piece(f"{theirs}.self_attn.v_proj.weight", (key_value, hidden)),
        )
        tensors[f"{ours}.attention.output"] = (Piece(f"{theirs}.self_attn.o_proj.weight", (hidden, query)),)
        tensors[f"{ours}.ffn_norm"] = (Piece(f"{theirs}.post_attention_layernorm.weight", (hidden,)),)
        tensors |= _ffn_pieces(f"{ours}.ffn", f"{theirs}.feed_forward", layer.ffn, hidden, stored)
    tensors["norm"] = (Piece(f"{prefix}model.norm.weight", (hidden,)),)
    if not model.tied_embeddings:
        tensors["lm_head"] = (Piece(f"{prefix}lm_head.weight", (vocab, hidden)),)
    return tensors


def _ffn_pieces(ours: str, theirs: str, ffn: FFN, hidden: int, stored: Collection[str]) -> Pieces:
    """Return the pieces of one FFN; experts are stored in two common tensors, or in three tensors each."""
    size = ffn.intermediate_size
    if ffn.moe is None:
        return _gated(ours, theirs, size, hidden)
    tensors: Pieces = {f"{ours}.router": (Piece(f"{theirs}.router.weight", (ffn.moe.num_experts, hidden)),)}
    together = f"{theirs}.experts.0.gate_proj.weight" not in stored
    for expert in range(ffn.moe.num_experts):
        if together:
            stack = Stack(expert, ffn.moe.num_experts, transposed=True)
            tensors[f"{ours}.experts.{expert}.gate_up"] = (
                Piece(f"{theirs}.experts.gate_up_proj", (2 * size, hidden), stack=stack),
            )
            tensors[f"{ours}.experts.{expert}.down"] = (
                Piece(f"{theirs}.experts.down_proj", (hidden, size), stack=stack),
            )
        else:
            tensors |= _gated(f"{ours}.experts.{expert}", f"{theirs}.experts.{expert}", size, hidden)
    return tensors | _gated(
        f"{ours}.shared", f"{theirs}.shared_expert", ffn.moe.shared_intermediate_size, hidden
    )


def _gated(ours: str, theirs: str, size: int, hidden: int) -> Pieces:
    return {
        f"{ours}.gate_up": (
            Piece(f"{theirs}.gate_proj.weight", (size, hidden)),
            Piece(f"{theirs}.up_proj.weight", (size, hidden)),
        ),
        f"{ours}.down": (Piece(f"{theirs}.down_proj.weight", (hidden, size)),),
    }
