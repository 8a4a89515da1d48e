"""Adjusted choice on a device: a kernel of the executor before the choice (LLQ-GEN-11, LLQ-PROG-52)."""

import math
import struct
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.reference.adjusting import WORD_BITS, Adjustment, Mask, allowed_ids
from llq_format.reference.sampling import Sampling
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.execution.sampling import drawn, sampling_words
from llq_format.webgpu.execution.weights import STORAGE

LOWEST = float(np.finfo(np.float32).min)
"""The logit of an id that is not allowed."""

_SETTINGS_BYTES = 32


class Adjuster:
    """The kernel `adjust` on the buffers of an executor."""

    def __init__(self, executor: Executor) -> None:
        """Compile the kernel, and create its buffers."""
        device = executor.device
        self._gpu = device.gpu
        self.vocab_size = executor.program.buffers["logits"].bytes // 4
        words = -(-self.vocab_size // WORD_BITS)
        sizes = {"settings": _SETTINGS_BYTES, "biases": 4 * self.vocab_size, "allowed": 4 * words}
        self._buffers = {
            name: device.buffer(f"adjust {name}", size, STORAGE)
            for name, size in {**sizes, "seen": 4 * words}.items()
        }
        source = (files("llq_format.webgpu") / "execution" / "adjust.wgsl").read_text(encoding="utf-8")
        module = self._gpu.create_shader_module(label="adjust", code=source)
        self._pipeline = self._gpu.create_compute_pipeline(
            label="adjust", layout="auto", compute={"module": module, "entry_point": "adjust"}
        )
        bound = [executor.resource(name) for name in ("logits", "sampling", "tokens")]
        self._bindings = self._gpu.create_bind_group(
            label="adjust",
            layout=self._pipeline.get_bind_group_layout(0),
            entries=[
                {"binding": number, "resource": {"buffer": buffer, "offset": 0, "size": buffer.size}}
                for number, buffer in enumerate([*bound, *self._buffers.values()])
            ],
        )

    def begin(self, sampling: Sampling, adjustment: Adjustment, sequence: Iterable[int]) -> None:
        """Take the parameters of the next choices, and the ids of the prompt and of the output so far.

        The kernel adds the tokens that are chosen. All ids are allowed. Raises ValueError for a bias of an
        id that the vocabulary lacks.
        """
        adjustment.check_ids(self.vocab_size)
        biases = np.zeros(self.vocab_size, np.float32)
        biases[list(adjustment.logit_bias)] = list(adjustment.logit_bias.values())
        seen = np.zeros(self.vocab_size, np.uint8)
        seen[list(sequence)] = 1
        distance = struct.pack("<ff", half_distance(sampling), adjustment.repetition_penalty)
        self._write("settings", np.frombuffer(sampling_words(sampling) + distance, np.uint8))
        self._write("biases", biases)
        self._write("seen", _mask(seen))
        self.allow(None)

    def allow(self, mask: Mask | None) -> None:
        """Allow the ids of a mask, or all, at the next choices. Raises ValueError (LLQ-GEN-13)."""
        if mask is not None:
            allowed_ids(mask, self.vocab_size)  # checks it
        self._write("allowed", _mask(np.ones(self.vocab_size, np.uint8)) if mask is None else mask)

    def encode(self, encoder: Any) -> None:
        """Encode the kernel, which follows pass `last` or `decode` and precedes a choice."""
        compute = encoder.begin_compute_pass(label="adjust")
        compute.set_pipeline(self._pipeline)
        compute.set_bind_group(0, self._bindings)
        compute.dispatch_workgroups(1)
        compute.end()

    def _write(self, name: str, data: Any) -> None:
        self._gpu.queue.write_buffer(self._buffers[name], 0, np.ascontiguousarray(data))


def sample_adjusted(
    executor: Executor, adjuster: Adjuster, logits: NDArray[np.float32], position: int, count: int
) -> list[int]:
    """Return the tokens of `count` positions, each drawn from the same logits, adjusted (LLQ-GEN-11).

    Raises DeviceLostError if the device is lost.
    """
    executor.write("state", np.array([position, 0], np.uint32))
    tokens = []
    for _ in range(count):
        executor.write("logits", logits)  # the adjuster changes them
        encoder = executor.device.gpu.create_command_encoder(label="adjust")
        adjuster.encode(encoder)
        executor.device.gpu.queue.submit([encoder.finish()])
        tokens.append(drawn(executor))
    return tokens


def half_distance(sampling: Sampling) -> float:
    """Return half the largest distance from the maximum logit at which min_p keeps an id; negative or 0."""
    min_p = float(np.float32(sampling.min_p))
    if min_p == 0:
        return LOWEST
    return max(0.5 * float(np.float32(sampling.temperature)) * math.log(min_p), 0.99 * LOWEST)


def _mask(bits: Any) -> Mask:
    """Return the words of one bit an id, from uint8 [vocab_size]."""
    padded = np.zeros(-(-len(bits) // WORD_BITS) * WORD_BITS, np.uint8)
    padded[: len(bits)] = bits
    return np.packbits(padded, bitorder="little").view("<u4").astype(np.uint32)
