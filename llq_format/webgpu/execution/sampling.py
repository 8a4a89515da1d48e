"""Sampled choice on a device (spec: Execution program, Sampled choice)."""

import struct

import numpy as np

from llq_format.reference.sampling import Sampling
from llq_format.webgpu.execution.executor import CHOSEN_WORD, Executor
from llq_format.webgpu.planning.operations import OPERATION

_WORD = 0xFFFFFFFF


def sampling_words(sampling: Sampling) -> bytes:
    """Return the first words of the buffer `sampling` (LLQ-PROG-51); a top_k above a u32 keeps all."""
    top_k, seed = min(sampling.top_k or 0, _WORD), sampling.seed
    return struct.pack(
        "<fIfII", sampling.temperature, top_k, sampling.top_p, seed & _WORD, seed >> 32 & _WORD
    )


def sample(executor: Executor, sampling: Sampling, position: int, count: int) -> list[int]:
    """Return the tokens of `count` positions, each drawn from the contents of `logits` (LLQ-GEN-3).

    executor: of `sampling_program`. Raises DeviceLostError if the device is lost.
    """
    executor.write("sampling", np.frombuffer(sampling_words(sampling), np.uint8))
    executor.write("state", np.array([position, 0], np.uint32))  # a choice moves on to the next position
    return [drawn(executor) for _ in range(count)]


def drawn(executor: Executor) -> int:
    """Run the program of a choice and return the token."""
    executor.run(OPERATION, 1)
    return int(executor.read("state", CHOSEN_WORD + 1, np.uint32)[CHOSEN_WORD])
