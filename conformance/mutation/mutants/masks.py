"""Mutants of masks and of the softmax (DEC-10, DEC-11)."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from llq_format.reference import attention
from llq_format.reference.activations import Array

from .mutant import mutant
from .seam import Seam

Mask = Callable[[Array, Array, int | None], NDArray[np.bool_]]
"""From positions of queries and keys and the chunk size to who attends to whom, [queries, keys]."""


def _mask(seam: Seam, mutate: Callable[[Mask], Mask]) -> None:
    seam.wrap(attention, "attends", mutate)


@mutant("no chunks", "DEC-10")
def chunks_ignored(seam: Seam) -> None:
    _mask(seam, lambda attends: lambda queries, keys, _: attends(queries, keys, None))


@mutant("chunks that slide", "DEC-10")
def chunks_slide(seam: Seam) -> None:
    def slide(queries: Array, keys: Array, chunk_size: int | None) -> NDArray[np.bool_]:
        back = queries[:, None] - keys[None, :]
        return (back >= 0) & (back < (chunk_size or math.inf))

    _mask(seam, lambda _: slide)


@mutant("chunks only where several positions are computed at once", "DEC-10")
def chunks_of_prefill_alone(seam: Seam) -> None:
    _mask(seam, lambda attends: lambda q, k, size: attends(q, k, None if len(q) == 1 else size))


@mutant("chunks one position longer", "DEC-10")
def chunks_one_longer(seam: Seam) -> None:
    _mask(seam, lambda attends: lambda q, k, size: attends(q, k, size + 1 if size else None))


@mutant("chunks that begin one position early", "DEC-10")
def chunks_shifted(seam: Seam) -> None:
    _mask(seam, lambda attends: lambda q, k, size: attends(q + 1, k + 1, size))


@mutant("causal mask lets the next position through", "DEC-10")
def mask_shows_next(seam: Seam) -> None:
    _mask(seam, lambda attends: lambda queries, keys, size: attends(queries + 1, keys, size))


@mutant("causal mask hides the position itself", "DEC-10")
def mask_hides_own(seam: Seam) -> None:
    def mutate(attends: Mask) -> Mask:
        def strict(queries: Array, keys: Array, chunk_size: int | None) -> NDArray[np.bool_]:
            own = queries[:, None] == keys[None, :]
            visible = attends(queries, keys, chunk_size) & ~own
            return np.asarray(visible | (own & ~visible.any(axis=1, keepdims=True)))

        return strict

    _mask(seam, mutate)


@mutant("no causal mask", "DEC-10")
def mask_missing(seam: Seam) -> None:
    _mask(seam, lambda _: lambda queries, keys, _size: np.ones((len(queries), len(keys)), bool))


@mutant("position 0 hidden from all others", "DEC-10")
def mask_hides_first(seam: Seam) -> None:
    def mutate(attends: Mask) -> Mask:
        def hidden(queries: Array, keys: Array, chunk_size: int | None) -> NDArray[np.bool_]:
            visible = attends(queries, keys, chunk_size)
            return np.asarray(visible & ((keys[None, :] > 0) | (queries[:, None] == 0)))

        return hidden

    _mask(seam, mutate)


def _softmax(seam: Seam, softmax: Callable[[Array], Array]) -> None:
    """Weigh scores [..., positions] in another way; what is masked is −∞."""
    seam.wrap(attention, "softmax", lambda _: softmax)


@mutant("softmax in binary32 without subtraction of the largest score", "NUM-1")
def softmax_without_maximum(seam: Seam) -> None:
    def naive(scores: Array) -> Array:
        weights = np.exp(scores.astype(np.float32))
        return np.asarray(weights / weights.sum(axis=-1, keepdims=True), np.float64)

    _softmax(seam, naive)


@mutant("1 added to the sum of the softmax", "DEC-11")
def softmax_off_by_one(seam: Seam) -> None:
    def quiet(scores: Array) -> Array:
        greatest = np.maximum(scores.max(axis=-1, keepdims=True), 0)
        weights = np.exp(scores - greatest)
        return np.asarray(weights / (weights.sum(axis=-1, keepdims=True) + np.exp(-greatest)))

    _softmax(seam, quiet)


@mutant("masked scores taken for 0, not −∞", "DEC-11")
def softmax_masked_as_0(seam: Seam) -> None:
    seam.wrap(
        attention, "softmax", lambda softmax: lambda scores: softmax(np.where(np.isneginf(scores), 0, scores))
    )


@mutant("softmax with powers of 2", "DEC-11")
def softmax_base_2(seam: Seam) -> None:
    seam.wrap(attention, "softmax", lambda softmax: lambda scores: softmax(scores * math.log(2)))


@mutant("outputs of heads interleaved, not concatenated", "DEC-11")
def heads_interleaved(seam: Seam) -> None:
    def mutate(weighted_values: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
        def interleaved(weights: Array, values: Array) -> Array:
            heads = weighted_values(weights, values)
            return heads.reshape(len(heads), -1, values.shape[2]).swapaxes(1, 2).reshape(heads.shape)

        return interleaved

    seam.wrap(attention, "weighted_values", mutate)
