"""Mistakes in what a runtime keeps from step to step (DEC-17, NUM-2)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

import llq_format
from conformance.adapter import Reals
from conformance.reference import Reference
from llq_format.reference import attention, forward
from llq_format.reference.activations import Array, quantize_int8, round_binary16
from tests.mistakes.mistake import Patch, mistake, runtime
from tests.mistakes.rounding import bfloat16


def _keep(patch: Patch, narrow: Callable[[Array], Array]) -> None:
    extend = attention.KVCache.extend
    patch.setattr(attention.KVCache, "extend", lambda self, k, v: extend(self, narrow(k), narrow(v)))


@mistake("KV cache in INT8", "LLQ-NUM-2")
def _(patch: Patch) -> None:
    def narrow(x: Array) -> Array:
        q, s = quantize_int8(x)
        return q * s

    _keep(patch, narrow)


@mistake("KV cache in bfloat16", "LLQ-NUM-2")
def _(patch: Patch) -> None:
    _keep(patch, bfloat16)


@mistake("KV cache in binary16, not declared", "LLQ-NUM-2")
def _(patch: Patch) -> None:
    _keep(patch, round_binary16)


@mistake("positions begin anew at each step of decoding", "LLQ-DEC-17")
def _(patch: Patch) -> None:
    hidden = forward.Decoder.hidden

    def anew(self: forward.Decoder, tokens: Any, sequence: forward.Sequence) -> Array:
        before, sequence.length = sequence.length, 0
        result = hidden(self, tokens, sequence)
        sequence.length += before
        return result

    patch.setattr(forward.Decoder, "hidden", anew)


@mistake("keys lost between the steps", "LLQ-DEC-17")
def _(patch: Patch) -> None:
    hidden = forward.Decoder.hidden

    def lost(self: forward.Decoder, tokens: Any, sequence: forward.Sequence) -> Array:
        sequence.caches = [attention.KVCache() for _ in self.layers]
        sequence.length = 0
        return hidden(self, tokens, sequence)

    patch.setattr(forward.Decoder, "hidden", lost)


@runtime("KV cache kept from sequence to sequence", "LLQ-DEC-17")
class Keeps(Reference):
    """Goes on where the last sequence ended."""

    def __init__(self, kv_cache: Literal["f32", "f16"] = "f32") -> None:
        super().__init__(kv_cache)
        self.known: dict[Path, tuple[forward.Decoder, forward.Sequence]] = {}

    def logits(self, package: Path, tokens: Sequence[int], splits: Sequence[int]) -> Reals:
        """Compute a sequence behind another."""
        if package not in self.known:
            with llq_format.open(package) as opened:
                decoder = forward.Decoder(opened)
            self.known[package] = decoder, decoder.start()
        decoder, sequence = self.known[package]
        runs = np.split(np.array(tokens), np.cumsum(splits)[:-1])
        return np.concatenate([decoder.forward(run, sequence) for run in runs])
