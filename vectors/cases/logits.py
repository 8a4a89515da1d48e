"""Logits: whole models."""

from __future__ import annotations

from vectors.kit.computed import computed
from vectors.kit.model import layer, tiny
from vectors.kit.noise import noise
from vectors.kit.sequences import Logits, Subject


def tokens(count: int, vocab_size: int, seed: int = 1) -> list[int]:
    """Return a prompt without pattern."""
    return [noise(seed, index) % vocab_size for index in range(count)]


DENSE = tiny(vocab_size=40, hidden_size=32, num_heads=4, num_kv_heads=4, head_dim=8, context_length=64)


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-1", "LLQ-DEC-2")
def logits_of_binary16_layers() -> Logits:
    """Two dense layers with binary16 inputs."""
    layers = [layer(None, {"intermediate_size": 48})] * 2
    return Logits(Subject({**DENSE, "activations": {"fp16_layers": 2}, "layers": layers}), tokens(8, 40))
