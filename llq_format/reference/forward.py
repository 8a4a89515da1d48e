"""From token ids to logits (spec: Decoder)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from llq_format.format.layout import is_int4
from llq_format.metadata.model import ContextError, Layer, Model
from llq_format.package.reader import Package
from llq_format.reference.activations import Array
from llq_format.reference.affine import Affine
from llq_format.reference.attention import Attention, KVCache, KVPrecision
from llq_format.reference.ffn import FFN
from llq_format.reference.matrix import FloatMatrix, Matrix, Precision, int4_matrix
from llq_format.reference.moe import MoE
from llq_format.reference.observation import Observe, project, unobserved, within
from llq_format.reference.ops import ACTIVATIONS, rms_norm


@dataclass
class Sequence:
    """The state of one sequence: a KV cache a layer and the number of positions computed."""

    caches: list[KVCache]
    length: int = 0


@dataclass(frozen=True)
class DecoderLayer:
    """One layer with its weights."""

    attention_norm: Array
    attention: Attention
    ffn_norm: Array
    ffn: FFN | MoE
    eps: float

    def __call__(self, x: Array, positions: Array, cache: KVCache, observe: Observe = unobserved) -> Array:
        """Return the residual stream after the layer, [tokens, hidden_size] (LLQ-DEC-2)."""
        h = observe("attention.residual", x + self.attend(x, self.attention_norm, positions, cache, observe))
        return observe("ffn.residual", h + self.feed(h, self.ffn_norm, observe))

    def attend(self, x: Array, weight: Array, positions: Array, cache: KVCache, observe: Observe) -> Array:
        """Return the attention of the normed vectors."""
        normed = observe("attention_norm", rms_norm(x, weight, self.eps))
        return self.attention(normed, positions, cache, within(observe, "attention"))

    def feed(self, x: Array, weight: Array, observe: Observe) -> Array:
        """Return the feed-forward network of the normed vectors."""
        return self.ffn(observe("ffn_norm", rms_norm(x, weight, self.eps)), within(observe, "ffn"))


class Decoder:
    """The decoder of a model package.

    mode: `exact` rounds what the specification rounds; `float` rounds nothing, for comparison with other
    implementations of the architecture.
    """

    def __init__(
        self, package: Package, mode: Literal["exact", "float"] = "exact", kv_cache: KVPrecision = "float64"
    ) -> None:
        """Decode all weights. Raises ValueError without a model, LLQError for an invalid package."""
        if package.metadata.model is None:
            raise ValueError("this package has no model: the decoder requires a model package")
        self.model: Model = package.metadata.model
        self.kv_cache: KVPrecision = kv_cache
        self._package = package
        self._mode = mode
        self._inv_freq = self._raw("rope.inv_freq") if "rope.inv_freq" in package else None
        self.embedding = package.get_tensor("embedding")
        self.layers = [self._layer(number, layer) for number, layer in enumerate(self.model.layers)]
        self.norm = self._raw("norm")
        self.head = self._head()

    def start(self) -> Sequence:
        """Return the state of a new sequence."""
        return Sequence([KVCache(self.kv_cache) for _ in self.layers])

    def forward(self, tokens: Iterable[int], sequence: Sequence, observe: Observe = unobserved) -> Array:
        """Compute the next positions of a sequence and return their logits, float64 [tokens, vocab_size].

        One token is a decode step, several are a prefill. Splitting a sequence does not change the results.
        `observe` sees the result of each operation, by the names that conformance/TRACE.md lists.
        Raises ValueError for a token id outside the vocabulary, ContextError (LLQ-DEC-22).
        """
        return project(self.head, "lm_head", self.hidden(tokens, sequence, observe), observe)

    def hidden(self, tokens: Iterable[int], sequence: Sequence, observe: Observe = unobserved) -> Array:
        """Compute the next positions and return what enters the head, float64 [tokens, hidden_size]."""
        ids = np.fromiter(tokens, np.int64)
        if ids.size and (ids.min() < 0 or ids.max() >= self.model.vocab_size):
            raise ValueError(
                f"token ids must be 0 to {self.model.vocab_size - 1}, not {ids.min()} to {ids.max()}"
            )
        end = sequence.length + len(ids)
        self.check_positions(end)
        positions = np.arange(sequence.length, end, dtype=np.float64)
        x = observe("embedding", self.embedding[ids].astype(np.float64))  # [tokens, hidden_size]
        for number, (layer, cache) in enumerate(zip(self.layers, sequence.caches, strict=True)):
            x = layer(x, positions, cache, within(observe, f"layers.{number}"))
        sequence.length = end
        return observe("norm", self.final_norm(x))

    def final_norm(self, x: Array) -> Array:
        """Return the normed residual stream after the last layer (LLQ-DEC-16)."""
        return rms_norm(x, self.norm, self.model.rms_norm_eps)

    def check_positions(self, count: int) -> None:
        """Raise ContextError if a sequence of `count` positions does not fit into the context."""
        context = self.model.context_length
        if count > context:
            raise ContextError(f"{count} positions do not fit into a context of {context}")

    def prefill(self, tokens: Iterable[int]) -> Array:
        """Return the logits of all positions of a new sequence, float64 [tokens, vocab_size]."""
        return self.forward(tokens, self.start())

    def _layer(self, number: int, layer: Layer) -> DecoderLayer:
        prefix = f"layers.{number}"
        precision: Precision = "binary16" if number < self.model.fp16_layers else "int8"
        qkv, output = (self._int4(f"{prefix}.attention.{name}", precision) for name in ("qkv", "output"))
        return DecoderLayer(
            self._raw(f"{prefix}.attention_norm"),
            Attention(self.model, layer.attention, qkv, output, self._inv_freq, self._affine(prefix)),
            self._raw(f"{prefix}.ffn_norm"),
            self._ffn(f"{prefix}.ffn", layer, precision),
            self.model.rms_norm_eps,
        )

    def _affine(self, prefix: str) -> Affine:
        names = (f"{prefix}.attention.{name}" for name in ("qkv_bias", "q_norm", "k_norm"))
        return Affine(*(self._raw(name) if name in self._package else None for name in names))

    def _ffn(self, prefix: str, layer: Layer, precision: Precision) -> FFN | MoE:
        config = layer.ffn

        def ffn(name: str) -> FFN:
            first = self._int4(f"{name}.{'gate_up' if config.gated else 'up'}", precision)
            down = self._int4(f"{name}.down", precision)
            return FFN(first, down, ACTIVATIONS[config.activation], gated=config.gated)

        if config.moe is None:
            return ffn(prefix)
        experts = [ffn(f"{prefix}.experts.{expert}") for expert in range(config.moe.num_experts)]
        return MoE(self._raw(f"{prefix}.router"), experts, ffn(f"{prefix}.shared"))

    def _head(self) -> Matrix:
        precision: Literal["binary16", "float"] = "float" if self._mode == "float" else "binary16"
        name = "embedding" if self.model.tied_embeddings else "lm_head"
        return FloatMatrix(self._package.get_tensor(name), precision)

    def _int4(self, name: str, precision: Precision) -> Matrix:
        assert is_int4(self._package.entry(name).dtype)  # noqa: S101  # LLQ-TENSOR-5 holds
        return int4_matrix(self._package.get_packed(name), "float" if self._mode == "float" else precision)

    def _raw(self, name: str) -> Array:
        return self._package.get_tensor(name).astype(np.float64)
