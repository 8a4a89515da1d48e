"""Generation on a device with several tokens in flight; no logits are read back (spec: Generation)."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import wgpu

from llq_format.reference.generation import Sampling
from llq_format.webgpu.execution.encoding import submit, wait
from llq_format.webgpu.execution.executor import CHOSEN_WORD, Executor
from llq_format.webgpu.execution.sampling import sampling_words

IN_FLIGHT = 4
"""Number of tokens encoded before the first is read, so that the device never waits for the host."""

_STATE_BYTES = 256


@dataclass(frozen=True, slots=True)
class _Step:
    """A submitted step and the buffer that receives its state."""

    gpu: Any
    submission: int
    staging: Any

    def token(self) -> int:
        """Wait for the step and return its token."""
        wait(self.gpu, self.submission)
        self.staging.map_async("READ_NOSYNC").sync_wait()
        data = np.frombuffer(self.staging.read_mapped(copy=True), np.uint32)
        self.staging.unmap()
        return int(data[CHOSEN_WORD])


def generate(  # noqa: PLR0913  # one argument for each property of an answer
    executor: Executor,
    prompt: Sequence[int],
    max_tokens: int,
    eos_token_ids: Sequence[int] = (),
    sampling: Sampling | None = None,
    *,
    exact: bool = True,
) -> Iterator[int]:
    """Yield the tokens that follow a prompt (LLQ-GEN-1, LLQ-GEN-2).

    What the KV cache holds of the prompt is not computed again; exact: only what is equal bit for bit.
    Afterwards `executor.position` counts the prompt and all yielded tokens except the last, because tokens
    computed ahead are discarded. Generation ends at the end of the context too.
    Raises ContextError if the prompt does not fit, ValueError for a token id outside the vocabulary,
    DeviceLostError if the device is lost.
    """
    choice = "greedy"
    if sampling is not None and sampling.temperature > 0:
        choice = "sample"
        with executor.device.failures():
            executor.device.gpu.queue.write_buffer(executor.resource("sampling"), 0, sampling_words(sampling))
    executor.prefill(executor.resume(prompt, exact=exact))
    free = [
        executor.device.buffer(
            f"chosen {n}", _STATE_BYTES, wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.MAP_READ
        )
        for n in range(IN_FLIGHT)
    ]
    # The last token of a full context is selected but never computed.
    steps = min(max_tokens, executor.context - executor.position + 1)
    flight: deque[_Step] = deque()
    submitted = 0
    yielded: list[int] = []
    try:
        while len(yielded) < steps:
            while submitted < steps and free:
                passes = (choice,) if submitted == 0 else ("decode", choice)
                with executor.device.failures():
                    flight.append(_submit(executor, passes, free.pop()))
                submitted += 1
            step = flight.popleft()
            with executor.device.failures():
                token = step.token()
            free.append(step.staging)
            if token in eos_token_ids:
                return
            yielded.append(token)
            yield token
    finally:
        executor.advance(yielded[:-1])
        while flight and not executor.device.lost:
            flight.popleft().token()


def _submit(executor: Executor, passes: tuple[str, ...], staging: Any) -> _Step:
    gpu = executor.device.gpu
    encoder = gpu.create_command_encoder(label=" ".join(passes))
    executor.encode(encoder, passes, 1)
    encoder.copy_buffer_to_buffer(executor.resource("state"), 0, staging, 0, _STATE_BYTES)
    return _Step(gpu, submit(gpu, encoder.finish()), staging)
