"""Tokens one after another on a device, several in flight; no logits are read back (spec: Generation)."""

import struct
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import wgpu

from llq_format.reference.generation import Sampling
from llq_format.webgpu.host import CHOSEN, Host
from llq_format.webgpu.replay import submit, wait

IN_FLIGHT = 4
"""Tokens that are encoded before the first of them is read: the device never waits for the host."""

TOGETHER = 2
"""Tokens of a submission on a fast device, which would idle for 0.05 ms between two submissions."""

FAST_SECONDS = 0.005
"""What a token may take on a fast device: waiting for two of them is not noticed."""

_STATE_BYTES = 256


@dataclass(frozen=True, slots=True)
class _Step:
    """A step on its way: its submission, and where its state arrives."""

    gpu: Any
    submission: int
    staging: Any

    def token(self) -> int:
        """Wait for the step and return its token."""
        wait(self.gpu, self.submission)
        self.staging.map_async("READ_NOSYNC").sync_wait()
        data = np.frombuffer(self.staging.read_mapped(copy=True), np.uint32)
        self.staging.unmap()
        return int(data[CHOSEN])


def generate(
    host: Host,
    prompt: Sequence[int],
    max_tokens: int,
    eos_token_ids: Sequence[int] = (),
    sampling: Sampling | None = None,
) -> Iterator[int]:
    """Yield the tokens that follow a prompt in a new sequence (LLQ-GEN-1, LLQ-GEN-2).

    When it ends, however it ends, `host.position` counts the prompt and the tokens that were yielded, less
    the last: what was computed ahead is forgotten. Generation also ends where the context does.
    Raises ContextError if the prompt does not fit, ValueError for a token id outside the vocabulary,
    DeviceLostError where the device goes away.
    """
    choice = "greedy"
    if sampling is not None and sampling.temperature > 0:
        choice = "sample"
        with host.device.failures():
            host.device.gpu.queue.write_buffer(host.resource("sampling"), 0, _sampling_words(sampling))
    host.start()
    host.prefill(prompt)
    start = host.position
    free = [
        host.device.buffer(f"chosen {n}", _STATE_BYTES, wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.MAP_READ)
        for n in range(IN_FLIGHT + TOGETHER)
    ]
    # The last token of a full context is chosen and never computed.
    steps = min(max_tokens, host.context - start + 1)
    flight: deque[_Step] = deque()
    submitted = yielded = 0
    began = 0.0
    together = 1
    try:
        while yielded < steps:
            while submitted < steps and len(flight) < IN_FLIGHT:
                count = min(together, steps - submitted)
                with host.device.failures():
                    flight += _submit(host, choice, [free.pop() for _ in range(count)], first=submitted == 0)
                submitted += count
            step = flight.popleft()
            with host.device.failures():
                token = step.token()
            free.append(step.staging)
            if token in eos_token_ids:
                return
            now = time.perf_counter()
            began = now if yielded == 0 else began
            together = TOGETHER if 0 < now - began < yielded * FAST_SECONDS else 1
            yielded += 1
            yield token
    finally:
        host.position = start + max(0, yielded - 1)
        while flight and not host.device.lost:
            flight.popleft().token()


def _submit(host: Host, choice: str, stagings: list[Any], *, first: bool) -> list[_Step]:
    """Submit a step for each staging buffer; the first of all chooses from logits that are there already."""
    gpu = host.device.gpu
    encoder = gpu.create_command_encoder(label=f"decode {choice}")
    for number, staging in enumerate(stagings):
        host.encode(encoder, (choice,) if first and number == 0 else ("decode", choice), 1)
        encoder.copy_buffer_to_buffer(host.resource("state"), 0, staging, 0, _STATE_BYTES)
    submission = submit(gpu, encoder.finish())
    return [_Step(gpu, submission, staging) for staging in stagings]


def _sampling_words(sampling: Sampling) -> bytes:
    """Return the words of the buffer `sampling`."""
    seed = sampling.seed & (1 << 64) - 1
    return struct.pack(
        "<fIfII", sampling.temperature, sampling.top_k or 0, sampling.top_p, seed & 0xFFFFFFFF, seed >> 32
    )
