"""Bias and weighted norm of heads, of the extension `LLQ_attention_affine` (spec: Affine attention)."""

from dataclasses import dataclass

from llq_format.reference.activations import Array
from llq_format.reference.observation import Observe
from llq_format.reference.ops import rms_norm


@dataclass(frozen=True)
class Affine:
    """The tensors of the extension in one layer, each None if the layer does not have it.

    qkv_bias: [rows of q, k and v]. q_norm, k_norm: [head_dim].
    """

    qkv_bias: Array | None = None
    q_norm: Array | None = None
    k_norm: Array | None = None

    def biased(self, qkv: Array, observe: Observe) -> Array:
        """Return the fused projection [tokens, rows] plus the bias (LLQ-AFFINE-8)."""
        return qkv if self.qkv_bias is None else observe("biased", qkv + self.qkv_bias)

    def normed(self, q: Array, k: Array, eps: float, observe: Observe) -> tuple[Array, Array]:
        """Return q and k [tokens, heads, head_dim] after their weighted norm (LLQ-AFFINE-9)."""
        if self.q_norm is None or self.k_norm is None:
            return q, k
        q, k = head_norm(q, self.q_norm, eps), head_norm(k, self.k_norm, eps)
        return observe("weighted_norm.q", q), observe("weighted_norm.k", k)


NO_AFFINE = Affine()
"""A layer without the extension."""


def head_norm(heads: Array, weight: Array, eps: float) -> Array:
    """Return w · x / sqrt(mean(x²) + eps) of each head x, [tokens, heads, head_dim]."""
    return rms_norm(heads, weight, eps)
