"""Mutants of what a runtime keeps from step to step (DEC-17, NUM-2)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from llq_format.reference import attention, forward
from llq_format.reference.activations import Array, quantize_int8, round_binary16
from llq_format.reference.attention import KVCache
from llq_format.reference.forward import Decoder, Sequence

from .mutant import mutant
from .rounding import bfloat16
from .seam import Seam


def _keep(seam: Seam, narrow: Callable[[Array], Array]) -> None:
    """Keep keys and values in another format."""
    seam.wrap(KVCache, "extend", lambda extend: lambda self, k, v: extend(self, narrow(k), narrow(v)))


@mutant("KV cache in INT8", "NUM-2")
def kv_cache_in_int8(seam: Seam) -> None:
    def narrow(x: Array) -> Array:
        q, s = quantize_int8(x)
        return q * s

    _keep(seam, narrow)


@mutant("KV cache in bfloat16", "NUM-2")
def kv_cache_in_bfloat16(seam: Seam) -> None:
    _keep(seam, bfloat16)


@mutant("KV cache in binary16, declared as f32", "NUM-2")
def kv_cache_undeclared_binary16(seam: Seam) -> None:
    _keep(seam, round_binary16)


def _extended(
    seam: Seam, mutated_extend: Callable[[KVCache, Array, Array, Any], tuple[Array, Array]]
) -> None:
    def mutate(extend: Callable[..., tuple[Array, Array]]) -> Callable[..., tuple[Array, Array]]:
        return lambda self, k, v: mutated_extend(self, k, v, extend)

    seam.wrap(KVCache, "extend", mutate)


@mutant("the newest key and value read before they are written", "DEC-17")
def kv_slot_read_before_written(seam: Seam) -> None:
    def early(cache: KVCache, k: Array, v: Array, extend: Any) -> tuple[Array, Array]:
        keys, values = extend(cache, k, v)
        keys, values = keys.copy(), values.copy()
        keys[-1], values[-1] = 0, 0
        return keys, values

    _extended(seam, early)


@mutant("values of earlier steps lost, keys kept", "DEC-17")
def kv_values_lost_between_steps(seam: Seam) -> None:
    def without_old_values(cache: KVCache, k: Array, v: Array, extend: Any) -> tuple[Array, Array]:
        keys, values = extend(cache, k, v)
        return keys, np.concatenate([np.zeros_like(values[: -len(v)]), values[-len(v) :]])

    _extended(seam, without_old_values)


@mutant("a KV cache of 8 positions, older ones overwritten", "DEC-10")
def kv_ring_too_short(seam: Seam) -> None:
    def ring(cache: KVCache, k: Array, v: Array, extend: Any) -> tuple[Array, Array]:
        keys, values = (array.copy() for array in extend(cache, k, v))
        for position in range(len(keys)):
            newest = (len(keys) - 1 - position) // 8 * 8 + position
            keys[position], values[position] = keys[newest], values[newest]
        return keys, values

    _extended(seam, ring)


def _hidden(seam: Seam, mutated_hidden: Callable[[Decoder, Any, Sequence, Any], Array]) -> None:
    def mutate(hidden: Callable[..., Array]) -> Callable[..., Array]:
        return lambda self, tokens, sequence, *rest: mutated_hidden(
            self, tokens, sequence, lambda *arguments: hidden(*arguments, *rest)
        )

    seam.wrap(Decoder, "hidden", mutate)


@mutant("positions starting again at each step", "DEC-17")
def positions_anew_each_step(seam: Seam) -> None:
    def from_zero(decoder: Decoder, tokens: Any, sequence: Sequence, hidden: Any) -> Array:
        length, sequence.length = sequence.length, 0
        result: Array = hidden(decoder, tokens, sequence)
        sequence.length += length
        return result

    _hidden(seam, from_zero)


@mutant("positions counted from 1", "DEC-8")
def positions_from_1(seam: Seam) -> None:
    def mutate(call: Callable[..., Array]) -> Callable[..., Array]:
        attends = attention.attends

        def mutated_call(self: attention.Attention, x: Array, positions: Array, *rest: Any) -> Array:
            inner = Seam({})
            inner.replace(attention, "attends", lambda q, k, size: attends(q - 1, k, size))
            try:
                return call(self, x, positions + 1, *rest)
            finally:
                inner.restore()

        return mutated_call

    seam.wrap(attention.Attention, "__call__", mutate)


@mutant("positions of decoding one too far", "DEC-17")
def positions_skip_one_in_decoding(seam: Seam) -> None:
    def mutate(call: Callable[..., Array]) -> Callable[..., Array]:
        def late(self: attention.Attention, x: Array, positions: Array, cache: KVCache, *rest: Any) -> Array:
            return call(self, x, positions + (1 if cache.keys else 0), cache, *rest)

        return late

    seam.wrap(attention.Attention, "__call__", mutate)


@mutant("KV cache emptied before each step", "DEC-17")
def cache_reset_each_step(seam: Seam) -> None:
    def without_cache(decoder: Decoder, tokens: Any, sequence: Sequence, hidden: Any) -> Array:
        sequence.caches = decoder.start().caches
        sequence.length = 0
        result: Array = hidden(decoder, tokens, sequence)
        return result

    _hidden(seam, without_cache)


@mutant("KV cache kept from sequence to sequence", "DEC-17")
def cache_kept_between_sequences(seam: Seam) -> None:
    def mutate(start: Callable[[Decoder], Sequence]) -> Callable[[Decoder], Sequence]:
        def reused_sequence(self: Decoder) -> Sequence:
            key = str(self._package.directory)
            if key not in seam.memory:
                seam.memory[key] = start(self)
            sequence: Sequence = seam.memory[key]
            return sequence

        return reused_sequence

    seam.wrap(Decoder, "start", mutate)


@mutant("KV cache kept from sequence to sequence, positions not", "DEC-17")
def cache_kept_positions_reset(seam: Seam) -> None:
    def mutate(start: Callable[[Decoder], Sequence]) -> Callable[[Decoder], Sequence]:
        def reused_cache(self: Decoder) -> Sequence:
            key = str(self._package.directory)
            previous = seam.memory.get(key)
            seam.memory[key] = start(self)
            if previous is not None:
                seam.memory[key].caches = previous.caches
            sequence: Sequence = seam.memory[key]
            return sequence

        return reused_cache

    seam.wrap(Decoder, "start", mutate)


@mutant("all layers read the keys and values of the first", "DEC-17")
def layers_share_a_cache(seam: Seam) -> None:
    def shared(decoder: Decoder, tokens: Any, sequence: Sequence, hidden: Any) -> Array:
        first_cache, extend = sequence.caches[0], KVCache.extend
        newest: list[tuple[Array, Array]] = []

        def extended(cache: KVCache, k: Array, v: Array) -> tuple[Array, Array]:
            extension = extend(cache, k, v)
            newest[:] = [extension] if cache is first_cache else newest
            return newest[0]

        inner = Seam({})
        inner.replace(KVCache, "extend", extended)
        try:
            result: Array = hidden(decoder, tokens, sequence)
        finally:
            inner.restore()
        return result

    _hidden(seam, shared)


@mutant("only the last token of every step after the first computed", "DEC-17")
def prefill_in_one_step_only(seam: Seam) -> None:
    def mutate(forwarded: Callable[..., Array]) -> Callable[..., Array]:
        def mutated_forward(self: Decoder, tokens: Any, sequence: Sequence, *rest: Any) -> Array:
            ids = list(tokens)
            if not sequence.length:
                return forwarded(self, ids, sequence, *rest)
            logits = forwarded(self, ids[-1:], sequence, *rest)
            return np.concatenate([np.zeros((len(ids) - 1, logits.shape[1])), logits])

        return mutated_forward

    seam.wrap(forward.Decoder, "forward", mutate)
