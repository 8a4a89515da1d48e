"""Dense decoders in Hugging Face checkpoints: Llama, models that compute what Llama computes, and Qwen.

A family of models is a function from a configuration to an `Architecture`. The families differ in defaults of
their configuration, in names of tensors, and in factors that tensors can carry (`dense.Factors`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from llq_format.exporting.checkpoint import biases, heads, rope
from llq_format.exporting.checkpoint.checkpoint import Architecture, TensorSource
from llq_format.exporting.checkpoint.dense import Dense, Factors
from llq_format.exporting.checkpoint.keys import Keys

_ATTENTION = {
    "q": "model.layers.{}.self_attn.q_proj.weight",
    "k": "model.layers.{}.self_attn.k_proj.weight",
    "v": "model.layers.{}.self_attn.v_proj.weight",
}
_FFN = {"gate": "model.layers.{}.mlp.gate_proj.weight", "up": "model.layers.{}.mlp.up_proj.weight"}
_OTHERS = {
    "embedding": "model.embed_tokens.weight",
    "attention_norm": "model.layers.{}.input_layernorm.weight",
    "output": "model.layers.{}.self_attn.o_proj.weight",
    "ffn_norm": "model.layers.{}.post_attention_layernorm.weight",
    "down": "model.layers.{}.mlp.down_proj.weight",
    "norm": "model.norm.weight",
    "lm_head": "lm_head.weight",
}
NAMES = _OTHERS | _ATTENTION | _FFN
FUSED_NAMES = _OTHERS | {
    "qkv": "model.layers.{}.self_attn.qkv_proj.weight",
    "gate_up": "model.layers.{}.mlp.gate_up_proj.weight",
}
QWEN2_NAMES = NAMES | {
    f"{letter}_bias": f"model.layers.{{}}.self_attn.{letter}_proj.bias" for letter in "qkv"
}
QWEN3_NAMES = NAMES | {
    f"{letter}_norm": f"model.layers.{{}}.self_attn.{letter}_norm.weight" for letter in "qk"
}

ACTIVATIONS: dict[str, Literal["silu", "gelu"]] = {"silu": "silu", "swish": "silu", "gelu": "gelu"}
"""Names in Hugging Face configurations; their `gelu` is the exact gelu."""

_IGNORED = (r"model\.(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq", r"lm_head\.weight")

_FULL = "full_attention"


@dataclass(frozen=True, kw_only=True)
class Windows:
    """The keys of sliding windows: the window if the key is absent, and whether another key enables it."""

    default: int | None = None
    has_switch: bool = False


@dataclass(frozen=True, kw_only=True)
class DenseFamily:
    """How a family differs from Llama: its name, and what its configuration means.

    `rope_base`, `head_dim` and `tied` are values of keys that are absent. `nope_layers` states that
    layers may have no RoPE, and `factors` that the configuration has the factors of Granite.
    """

    name: str
    names: Mapping[str, str]
    rope_base: float = rope.DEFAULT_BASE
    rope_pairing: Literal["interleaved", "halves"] = "halves"
    head_dim: int | None = None
    tied: bool = False
    windows: Windows | None = None
    rope_kinds: tuple[str, ...] = rope.KINDS
    nope_layers: bool = False
    factors: bool = False

    def read(self, config: Keys, source: TensorSource) -> Architecture:
        """Return the architecture of a config.json; raises CheckpointError."""
        zero_biases = biases.check(config, source, biases.patterns(self.names))
        activation = config.string("hidden_act", "silu")
        if activation not in ACTIVATIONS:
            raise config.error(
                "hidden_act", f"is {activation!r}; supported are {', '.join(map(repr, ACTIVATIONS))}"
            )
        hidden_size = config.integer("hidden_size", 1, 2**20)
        num_heads = config.integer("num_attention_heads", 1, 4096)
        num_layers = config.integer("num_hidden_layers", 1, 1024)
        head_dim = heads.head_dim(config, "head_dim", hidden_size, num_heads, self.head_dim)
        context_length = config.integer("max_position_embeddings", 1, 2**31 - 1)
        if self.windows is not None:
            _refuse_windows(config, self.windows, context_length)
        dense = Dense(
            vocab_size=config.integer("vocab_size", 1, 2**24),
            hidden_size=hidden_size,
            intermediate_sizes=(config.integer("intermediate_size", 1, 2**22),) * num_layers,
            num_heads=num_heads,
            num_kv_heads=heads.kv_heads(config, "num_key_value_heads", num_heads),
            head_dim=head_dim,
            context_length=context_length,
            rms_norm_eps=config.number("rms_norm_eps", 1e-12, 1),
            activation=ACTIVATIONS[activation],
            tied=config.boolean("tie_word_embeddings", default=self.tied),
            rope=rope.from_config(config, head_dim, self.rope_base, self.rope_kinds),
            ropes=tuple(nope_layers(config, num_layers)) if self.nope_layers else (True,) * num_layers,
            rope_pairing=self.rope_pairing,
            factors=_factors(config) if self.factors else Factors(),
        )
        return dense.architecture(self.name, self.names, (*_IGNORED, *zero_biases))


def _refuse_windows(config: Keys, windows: Windows, context_length: int) -> None:
    """Refuse sliding windows that are shorter than the context."""
    enabled = not windows.has_switch or config.boolean("use_sliding_window", default=False)
    if not enabled or config.values.get("sliding_window", windows.default) is None:
        _refuse_layer_types(config)
        return
    window = config.integer("sliding_window", 0, 2**31 - 1, windows.default)
    if window < context_length:
        raise config.error(
            "sliding_window",
            f"is {window}, shorter than the context of {context_length} positions, "
            "but LLQ has no rule for sliding windows",
        )


def _refuse_layer_types(config: Keys) -> None:
    """Refuse layers with windows where no window is stated."""
    if config.get("layer_types") is None:
        return
    others = sorted(set(config.array("layer_types", str)) - {_FULL})
    if others:
        raise config.error("layer_types", f"has {others[0]!r}; supported is {_FULL!r}")


def nope_layers(config: Keys, num_layers: int) -> list[bool]:
    """Return which layers have RoPE: those with a 1 in `no_rope_layers`, despite the name of the key.

    If the list is absent or empty, every fourth layer has no RoPE.
    """
    if config.get("no_rope_layers", []) == []:
        interval = config.integer("no_rope_layer_interval", 1, 2**31 - 1, 4)
        return [n % interval != 0 for n in range(1, num_layers + 1)]
    flags = one_a_layer(config, "no_rope_layers", int, num_layers)
    if not set(flags) <= {0, 1}:
        raise config.error("no_rope_layers", "is not an array of 0 and 1")
    return [flag == 1 for flag in flags]


def one_a_layer(config: Keys, key: str, kind: type, num_layers: int) -> list[Any]:
    """Return an array with an element for each layer."""
    array = config.array(key, kind)
    if len(array) != num_layers:
        raise config.error(key, f"has {len(array)} elements, but the model has {num_layers} layers")
    return array


def _factors(config: Keys) -> Factors:
    """Return the factors of Granite; `logits_scaling` divides."""
    return Factors(
        embedding=config.number("embedding_multiplier", 1e-6, 1e6, 1),
        residual=config.number("residual_multiplier", 1e-3, 1e3, 1),
        logits=1 / config.number("logits_scaling", 1e-6, 1e6, 1),
        scores=config.number("attention_multiplier", 1e-6, 1e6, 1),
    )


LLAMA = DenseFamily(name="llama", names=NAMES)
MISTRAL = DenseFamily(name="mistral", names=NAMES, windows=Windows(default=4096))
PHI3 = DenseFamily(name="phi3", names=FUSED_NAMES, windows=Windows(), rope_kinds=("default",))
GRANITE = DenseFamily(name="granite", names=NAMES, factors=True)
SMOLLM3 = DenseFamily(
    name="smollm3",
    names=NAMES,
    rope_base=2e6,
    tied=True,
    windows=Windows(has_switch=True),
    nope_layers=True,
)
HELIUM = DenseFamily(name="helium", names=NAMES, rope_base=1e5, rope_pairing="interleaved", head_dim=128)
ERNIE = DenseFamily(
    name="ernie4_5", names=NAMES, rope_base=5e5, rope_pairing="interleaved", head_dim=128, tied=True
)
QWEN2 = DenseFamily(name="qwen2", names=QWEN2_NAMES, windows=Windows(default=4096, has_switch=True))
QWEN3 = DenseFamily(
    name="qwen3", names=QWEN3_NAMES, head_dim=128, windows=Windows(default=4096, has_switch=True)
)
