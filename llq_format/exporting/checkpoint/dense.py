"""Dense decoders: what their architectures have in common, and the factors that LLQ's decoder lacks.

Some architectures multiply embeddings, residuals, scores or logits by constants. A package states no such
constants, but its tensors can carry them exactly:

* LLQ's residual stream is the original divided by `residual_factor` r. Thus each layer's output is added
  unscaled, the embedding is multiplied by `embedding_factor` / r, and eps by 1 / r², because norms do not
  depend on the length of a vector otherwise. No INT4 matrix changes.
* The final norm carries the factors of the logits. If the head is the embedding, it cancels the
  factor of the embedding.
* Rows of q carry the factors of the scores, which include the square of the factor by which RoPE multiplies
  q and k. Rows of k share blocks with rows of v, and so remain as they are. A bias of q carries the factors,
  too; if q has a weighted norm, its weights carry them instead.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from llq_format.exporting.checkpoint.checkpoint import Architecture, Piece, Rows
from llq_format.exporting.checkpoint.rope import Rope
from llq_format.metadata.model import FFN, Attention, Layer, Model

Pieces = dict[str, tuple[Piece, ...]]


@dataclass(frozen=True, kw_only=True)
class Factors:
    """Constants by which an architecture multiplies, and Llama does not.

    `scores` None denotes head_dim^-½. `logits` multiplies.
    """

    embedding: float = 1.0
    residual: float = 1.0
    logits: float = 1.0
    scores: float | None = None


@dataclass(frozen=True, kw_only=True)
class Dense:
    """A dense decoder.

    `ropes` and `intermediate_sizes` have one element for each layer. `reordered` states that a format which
    reorders rows of q and k for RoPE has done so.
    """

    vocab_size: int
    hidden_size: int
    intermediate_sizes: tuple[int, ...]
    num_heads: int
    num_kv_heads: int
    head_dim: int
    context_length: int
    rms_norm_eps: float
    tied: bool
    rope: Rope
    ropes: tuple[bool, ...]
    activation: Literal["silu", "gelu"] = "silu"
    rope_pairing: Literal["interleaved", "halves"] = "halves"
    factors: Factors = Factors()
    reordered: bool = True

    def architecture(
        self, name: str, names: Mapping[str, str], ignored: tuple[str, ...] = ()
    ) -> Architecture:
        """Return the architecture; `names` has the checkpoint's name of each role, `{}` for the layer.

        A role `qkv` or `gate_up` denotes a fused tensor, which replaces its parts. Roles `q_bias`, `k_bias`
        and `v_bias`, or `q_norm` and `k_norm`, denote choices of `LLQ_attention_affine`.
        """
        model = self.model().to_json()
        choices = {"qkv_bias": "q_bias" in names, "weighted_qk_norm": "q_norm" in names}
        if any(choices.values()):
            for layer in model["layers"]:
                layer["attention"] |= choices
        return Architecture(
            name=name,
            model=model,
            pieces=self._pieces(names),
            inv_freq=self.rope.inv_freq,
            ignored=ignored,
        )

    def model(self) -> Model:
        """Return the object `model` of the metadata."""
        return Model(
            vocab_size=self.vocab_size,
            hidden_size=self.hidden_size,
            num_heads=self.num_heads,
            num_kv_heads=self.num_kv_heads,
            head_dim=self.head_dim,
            context_length=self.context_length,
            rms_norm_eps=self.rms_norm_eps / self.factors.residual**2,
            rope_pairing=self.rope_pairing,
            tied_embeddings=self.tied,
            fp16_layers=min(2, len(self.ropes)),
            layers=tuple(
                Layer(
                    Attention(rope=rope, qk_norm=False, chunk_size=None, temperature=None),
                    FFN(self.activation, gated=True, intermediate_size=size, moe=None),
                )
                for rope, size in zip(self.ropes, self.intermediate_sizes, strict=True)
            ),
        )

    def _pieces(self, names: Mapping[str, str]) -> Pieces:
        """Return the pieces of each tensor of the package, in canonical order."""
        hidden, attention = self.hidden_size, self.num_heads * self.head_dim
        embedding_factor = self.factors.embedding / self.factors.residual
        tensors: Pieces = {
            "embedding": (Piece(names["embedding"], (self.vocab_size, hidden), factor=embedding_factor),)
        }
        for n, (rope, wide) in enumerate(zip(self.ropes, self.intermediate_sizes, strict=True)):
            name = {role: template.format(n) for role, template in names.items()}
            tensors[f"layers.{n}.attention_norm"] = (Piece(name["attention_norm"], (hidden,)),)
            tensors |= self._qkv(f"layers.{n}.attention", name, rope=rope)
            tensors[f"layers.{n}.attention.output"] = (Piece(name["output"], (hidden, attention)),)
            tensors[f"layers.{n}.ffn_norm"] = (Piece(name["ffn_norm"], (hidden,)),)
            tensors[f"layers.{n}.ffn.gate_up"] = (
                (Piece(name["gate_up"], (2 * wide, hidden)),)
                if "gate_up" in name
                else (Piece(name["gate"], (wide, hidden)), Piece(name["up"], (wide, hidden)))
            )
            tensors[f"layers.{n}.ffn.down"] = (Piece(name["down"], (hidden, wide)),)
        norm_factor = self.factors.logits / (embedding_factor if self.tied else 1)
        tensors["norm"] = (Piece(names["norm"], (hidden,), factor=norm_factor),)
        if not self.tied:
            tensors["lm_head"] = (Piece(names["lm_head"], (self.vocab_size, hidden)),)
        return tensors

    def _qkv(self, attention_name: str, name: Mapping[str, str], *, rope: bool) -> Pieces:
        """Return the pieces of the q, k and v projections of a layer, of their biases and of their norms."""
        hidden, attention = self.hidden_size, self.num_heads * self.head_dim
        key_value = self.num_kv_heads * self.head_dim
        scores = 1.0 if self.factors.scores is None else self.factors.scores * math.sqrt(self.head_dim)
        if rope:
            scores *= self.rope.factor**2
        if "qkv" in name:
            rows = attention + 2 * key_value
            return {
                f"{attention_name}.qkv": (
                    Piece(name["qkv"], (attention, hidden), rows=Rows(0, rows), factor=scores),
                    Piece(name["qkv"], (2 * key_value, hidden), rows=Rows(attention, rows)),
                )
            }
        heads, kv_heads = (self.num_heads, self.num_kv_heads) if self.reordered else (None, None)
        factor = 1.0 if "q_norm" in name else scores
        tensors: Pieces = {
            f"{attention_name}.qkv": (
                Piece(name["q"], (attention, hidden), rotary_heads=heads, factor=factor),
                Piece(name["k"], (key_value, hidden), rotary_heads=kv_heads),
                Piece(name["v"], (key_value, hidden)),
            )
        }
        if "q_bias" in name:
            tensors[f"{attention_name}.qkv_bias"] = (
                Piece(name["q_bias"], (attention,), factor=factor),
                Piece(name["k_bias"], (key_value,)),
                Piece(name["v_bias"], (key_value,)),
            )
        if "q_norm" in name:
            tensors[f"{attention_name}.q_norm"] = (Piece(name["q_norm"], (self.head_dim,), factor=scores),)
            tensors[f"{attention_name}.k_norm"] = (Piece(name["k_norm"], (self.head_dim,)),)
        return tensors
