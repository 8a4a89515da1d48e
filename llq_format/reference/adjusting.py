"""Choice of a token from adjusted logits (spec: Execution program, Adjusted choice)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.reference.activations import Array
from llq_format.reference.sampling import Sampling, choose

Mask = NDArray[np.uint32]
"""Allowed ids: bit id mod 32 of word floor(id / 32); uint32 [ceil(vocab_size / 32)]."""

WORD_BITS = 32

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Adjustment:
    """What changes logits before a choice: a penalty of tokens that the sequence contains, and biases.

    repetition_penalty: above 0; 1 has no effect. logit_bias: what is added to the logits of ids.
    Raises ValueError for a value that is out of range in binary32 (LLQ-GEN-13).
    """

    repetition_penalty: float = 1.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse values that section Adjusted choice forbids."""
        penalty = _rounded(self.repetition_penalty)
        if not (math.isfinite(penalty) and penalty > 0):
            raise ValueError(
                f"repetition_penalty must be above 0 and finite in binary32, not {self.repetition_penalty}"
            )
        for token, bias in self.logit_bias.items():
            if token < 0 or not math.isfinite(_rounded(bias)):
                raise ValueError(
                    f"logit_bias has {token}: {bias}, expected ids and numbers that are finite in binary32"
                )

    @property
    def changes(self) -> bool:
        """Whether any logit can change."""
        return _rounded(self.repetition_penalty) != 1 or any(map(_rounded, self.logit_bias.values()))

    def check_ids(self, vocab_size: int) -> None:
        """Raise ValueError if a bias is of an id that the vocabulary lacks (LLQ-GEN-13)."""
        unknown = [token for token in self.logit_bias if token >= vocab_size]
        if unknown:
            raise ValueError(f"logit_bias has id {unknown[0]}, expected ids less than {vocab_size}")


def choose_adjusted(  # noqa: PLR0913  # everything that a choice depends on
    logits: Array,
    sampling: Sampling,
    adjustment: Adjustment,
    position: int,
    *,
    sequence: Sequence[int],
    mask: Mask | None = None,
) -> int:
    """Return the id of the token at `position` from logits float64 [vocab_size] (LLQ-GEN-11).

    sequence: the ids of the prompt and of the output so far. Raises ValueError for a bias of an id that the
    vocabulary lacks, and for a mask of another length or without an allowed id.
    """
    adjustment.check_ids(len(logits))
    changed = adjusted(logits, adjustment, sequence)
    if mask is None:
        return choose(changed, sampling, position)
    ids = allowed_ids(mask, len(logits))
    return int(ids[choose(changed[ids], sampling, position)])


def adjusted(logits: Array, adjustment: Adjustment, sequence: Iterable[int]) -> Array:
    """Return the adjusted logits, float64 [vocab_size] (steps 1 to 3)."""
    changed = biased(logits, adjustment.logit_bias)
    changed = penalized(changed, _rounded(adjustment.repetition_penalty), sequence)
    return np.clip(changed, -_LARGEST, _LARGEST)


def biased(logits: Array, logit_bias: Mapping[int, float]) -> Array:
    """Return logits with the biases added (step 1)."""
    changed = logits.copy()
    for token, bias in logit_bias.items():
        changed[token] += _rounded(bias)
    return changed


def penalized(logits: Array, penalty: float, sequence: Iterable[int]) -> Array:
    """Return logits where those of the ids of a sequence are smaller, if the penalty is above 1 (step 2)."""
    ids = np.unique(np.fromiter(sequence, np.int64))
    changed = logits.copy()
    changed[ids] = np.where(changed[ids] > 0, changed[ids] / penalty, changed[ids] * penalty)
    return changed


def allowed_ids(mask: Mask, vocab_size: int) -> Any:
    """Return the ids that a mask allows, in ascending order (step 4). Raises ValueError (LLQ-GEN-13)."""
    words = -(-vocab_size // WORD_BITS)
    if len(mask) != words:
        raise ValueError(f"a mask has {len(mask)} words, expected {words} for {vocab_size} ids")
    bits = np.unpackbits(np.asarray(mask, "<u4").view(np.uint8), bitorder="little")
    ids = np.flatnonzero(bits[:vocab_size])
    if not ids.size:
        raise ValueError("a mask allows no id, expected at least one")
    return ids


def _rounded(value: float) -> float:
    """Return the value of binary32 that is nearest, infinite above the largest."""
    with np.errstate(over="ignore"):
        return float(np.float32(value))
