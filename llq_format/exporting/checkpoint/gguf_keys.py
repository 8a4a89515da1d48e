"""The keys of a GGUF file that describe its model: look-ups under the name of the architecture."""

from collections.abc import Collection

import numpy as np

from llq_format.exporting.checkpoint import heads, rope
from llq_format.exporting.checkpoint.checkpoint import (
    CheckpointError,
    Float32Array,
    Piece,
    TensorSource,
    check_piece,
)
from llq_format.exporting.checkpoint.keys import Keys

ROPE_FACTORS = "rope_freqs.weight"
EMBEDDING = "token_embd.weight"
LM_HEAD = "output.weight"

COMMON = frozenset(
    {
        "attention.head_count",
        "attention.head_count_kv",
        "attention.key_length",
        "attention.layer_norm_rms_epsilon",
        "attention.sliding_window",
        "attention.value_length",
        "block_count",
        "context_length",
        "embedding_length",
        "feed_forward_length",
        "rope.dimension_count",
        "rope.freq_base",
        "rope.scale_linear",
        "rope.scaling.attn_factor",
        "rope.scaling.factor",
        "rope.scaling.finetuned",
        "rope.scaling.original_context_length",
        "rope.scaling.type",
        "rope.scaling.yarn_attn_factor",
        "rope.scaling.yarn_beta_fast",
        "rope.scaling.yarn_beta_slow",
        "rope.scaling.yarn_ext_factor",
        "tensor_data_layout",
        "vocab_size",
    }
)
"""Keys that every supported architecture may have; an unknown key may change the results of the model."""

_NEUTRAL: dict[str, tuple[object, ...]] = {
    "attention.causal": (True,),
    "attention.clamp_kqv": (0,),
    "attention.scale": (0,),
    "attn_logit_softcapping": (0,),
    "embedding_scale": (0, 1),
    "expert_count": (0,),
    "expert_used_count": (0,),
    "final_logit_softcapping": (0,),
    "logit_scale": (0, 1),
    "nextn_predict_layers": (0,),
    "residual_scale": (0, 1),
    "rope.scaling.yarn_log_multiplier": (0,),
    "use_parallel_residual": (False,),
}
"""Values that leave the results of the model as they are; 0 denotes that a factor is not used."""

_PROPERTIES = {
    "attention.causal": "attention to later positions",
    "attention.clamp_kqv": "limits of q, k and v",
    "attn_logit_softcapping": "soft caps of scores",
    "expert_count": "mixtures with several experts for each token",
    "final_logit_softcapping": "soft caps of logits",
    "use_parallel_residual": "attention and FFN in parallel",
}


class ModelKeys(Keys):
    """The keys of an architecture, without its name in front."""

    def __init__(self, metadata: Keys, name: str) -> None:
        """Look up the keys of the architecture `name`."""
        prefix = f"{name}."
        values = {
            key.removeprefix(prefix): value
            for key, value in metadata.values.items()
            if key.startswith(prefix)
        }
        super().__init__(values, metadata.file, prefix)

    def check_known(self, known: Collection[str]) -> None:
        """Refuse keys that are neither known nor neutral; raises CheckpointError."""
        for key, value in self.values.items():
            if key in known or value in _NEUTRAL.get(key, ()):
                continue
            if key in _PROPERTIES:
                raise self.error(key, f"is {value}, but LLQ has no rule for {_PROPERTIES[key]}")
            raise self.error(key, "is unknown to this exporter and may change the results of the model")

    def same(self, key: str, num_layers: int) -> Keys:
        """Return keys in which an array of one value for each layer is replaced by that value."""
        value = self.get(key)
        if not isinstance(value, list):
            return self
        if len(value) != num_layers or len(set(value)) != 1:
            raise self.error(key, f"is {value}, but LLQ requires the same value in all {num_layers} layers")
        return Keys({**self.values, key: value[0]}, self.file, self.prefix)

    def per_layer(self, key: str, num_layers: int, low: int, high: int) -> tuple[int, ...]:
        """Return an integer for each layer; a value that is not an array applies to all layers."""
        value = self.get(key)
        if not isinstance(value, list):
            return (self.integer(key, low, high),) * num_layers
        if len(value) != num_layers:
            raise self.error(key, f"has {len(value)} elements, but the model has {num_layers} layers")
        return tuple(
            Keys({key: element}, self.file, self.prefix).integer(key, low, high) for element in value
        )

    def head_dim(self, hidden_size: int, num_heads: int) -> int:
        """Return the width of a head, which q, k and v share and RoPE rotates as a whole."""
        width = heads.head_dim(self, "attention.key_length", hidden_size, num_heads)
        if self.integer("attention.value_length", 1, 4096, width) != width:
            raise self.error(
                "attention.value_length",
                f"is {self.get('attention.value_length')}, but the head width is {width}; "
                "LLQ requires equal widths",
            )
        if self.integer("rope.dimension_count", 1, 4096, width) != width:
            raise self.error(
                "rope.dimension_count",
                f"is {self.get('rope.dimension_count')}, but the head width is {width}; "
                "LLQ has no rule for RoPE of a part of each head",
            )
        return width

    def refuse_windows(self, context_length: int) -> None:
        """Refuse sliding windows that are shorter than the context; 0 denotes none."""
        value = self.get("attention.sliding_window", 0)
        windows = value if isinstance(value, list) else [value]
        if any(window != 0 and window < context_length for window in windows):
            raise self.error(
                "attention.sliding_window",
                f"is {value}, shorter than the context of {context_length} positions, "
                "but LLQ has no rule for sliding windows",
            )

    def rotation(self, source: TensorSource, head_dim: int) -> rope.Rope:
        """Return the rotation; raises CheckpointError.

        A llama3 scaling is stored as one divisor for each frequency. YaRN multiplies q and k by its own
        factor and by `attn_factor`.
        """
        base = self.number("rope.freq_base", 1, rope.HIGHEST_BASE, rope.DEFAULT_BASE)
        theta = rope.frequencies(base, head_dim)
        kind = self.string("rope.scaling.type", "none")
        legacy = self.number("rope.scale_linear", 1, rope.HIGHEST_FACTOR, 1)
        factor = self.number("rope.scaling.attn_factor", 1e-3, 1e3, 1)
        if kind == "yarn":
            theta, yarn_factor = self._yarn(theta, base)
            factor *= yarn_factor
        elif kind == "linear":
            theta /= self.number("rope.scaling.factor", 1, rope.HIGHEST_FACTOR, legacy)
        elif kind == "none":
            theta /= legacy
        else:
            raise self.error("rope.scaling.type", f"is {kind!r}; supported are 'none', 'linear' and 'yarn'")
        if ROPE_FACTORS in source.tensors:
            theta /= _rope_factors(source, head_dim)
        return rope.Rope(rope.rounded(theta), factor)

    def _yarn(self, theta: rope.Float64Array, base: float) -> tuple[rope.Float64Array, float]:
        """Return the frequencies of YaRN, and its factor of q and k."""
        factor = self.number("rope.scaling.factor", 1, rope.HIGHEST_FACTOR)
        for key in ("rope.scaling.yarn_ext_factor", "rope.scaling.yarn_attn_factor"):
            if self.number(key, -1e6, 1e6, 1) != 1:
                raise self.error(key, f"is {self.get(key)}; supported is 1")
        if base <= 1:
            raise self.error("rope.freq_base", f"is {base:g}, but YaRN requires a base above 1")
        context_length = self.integer("context_length", 1, rope.HIGHEST_CONTEXT)
        scaled = rope.yarn(
            theta,
            base=base,
            factor=factor,
            original_context_length=self.integer(
                "rope.scaling.original_context_length", 1, rope.HIGHEST_CONTEXT, context_length
            ),
            beta_fast=self.number("rope.scaling.yarn_beta_fast", 1e-3, rope.HIGHEST_FACTOR, 32),
            beta_slow=self.number("rope.scaling.yarn_beta_slow", 1e-3, rope.HIGHEST_FACTOR, 1),
        )
        return scaled, rope.yarn_factor(factor)


def vocab_size(source: TensorSource) -> int:
    """Return the number of rows of the embedding, or 0 without one."""
    embedding = source.tensors.get(EMBEDDING)
    return embedding.shape[0] if embedding is not None and embedding.shape else 0


def _rope_factors(source: TensorSource, head_dim: int) -> Float32Array:
    """Return the divisors of a llama3 scaling, float32 [head_dim / 2]."""
    piece = Piece(ROPE_FACTORS, (head_dim // 2,))
    check_piece(piece, source)
    factors = np.empty(piece.shape, np.float32)
    source.read(piece, factors)
    if not np.all((factors >= 1) & (factors <= rope.HIGHEST_FACTOR)):
        raise CheckpointError(
            f"{source.tensors[piece.name].file}: tensor {piece.name} divides RoPE frequencies by "
            f"{factors.min():g} to {factors.max():g}, instead of 1 to {rope.HIGHEST_FACTOR:g}",
        )
    return factors
