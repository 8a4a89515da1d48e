"""Generation on a device with several tokens in flight; no logits are read back (spec: Generation)."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import wgpu

from llq_format.reference.activations import Array
from llq_format.reference.adjusting import Mask
from llq_format.reference.generation import Choice
from llq_format.webgpu.execution.adjuster import Adjuster
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

    def result(self) -> tuple[int, Array]:
        """Wait for the step; return its token, and the logits that were copied, float64."""
        wait(self.gpu, self.submission)
        self.staging.map_async("READ_NOSYNC").sync_wait()
        data = np.frombuffer(self.staging.read_mapped(copy=True), np.uint32)
        self.staging.unmap()
        logits = data[_STATE_BYTES // 4 :].view(np.float32).astype(np.float64)
        return int(data[CHOSEN_WORD]), logits


class _Plan:
    """What each step executes on an executor."""

    def __init__(self, executor: Executor, choice: Choice) -> None:
        self._executor, self._choice = executor, choice
        self._chooser = "sample" if choice.sampling.temperature > 0 else "greedy"
        self._adjuster = Adjuster(executor) if choice.adjusts else None
        self.logits_bytes = executor.program.buffers["logits"].bytes if choice.on_logits else 0

    def begin(self, prompt: Sequence[int]) -> None:
        """Write the parameters of the choice."""
        if self._adjuster:
            self._adjuster.begin(self._choice.sampling, self._choice.adjustment, prompt)
        if self._chooser == "sample":
            self._executor.write("sampling", np.frombuffer(sampling_words(self._choice.sampling), np.uint8))

    def submit(self, staging: Any, mask: Mask | None, *, first: bool) -> _Step:
        """Submit what computes and chooses one token; the logits of the first token are there already."""
        executor, gpu = self._executor, self._executor.device.gpu
        encoder = gpu.create_command_encoder(label=self._chooser)
        passes = () if first else ("decode",)
        if self._adjuster is None and not self.logits_bytes:
            executor.encode(encoder, (*passes, self._chooser), 1)
        else:
            executor.encode(encoder, passes, 1)
            if self.logits_bytes:
                logits = executor.resource("logits")
                encoder.copy_buffer_to_buffer(logits, 0, staging, _STATE_BYTES, self.logits_bytes)
            if self._adjuster:
                self._adjuster.allow(mask)
                self._adjuster.encode(encoder)
            executor.encode(encoder, (self._chooser,), 1)
        encoder.copy_buffer_to_buffer(executor.resource("state"), 0, staging, 0, _STATE_BYTES)
        return _Step(gpu, submit(gpu, encoder.finish()), staging)


def generate(  # noqa: PLR0913  # one argument for each property of an answer
    executor: Executor,
    prompt: Sequence[int],
    max_tokens: int,
    eos_token_ids: Sequence[int] = (),
    choice: Choice | None = None,
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
    choice = choice or Choice()
    plan = _Plan(executor, choice)
    with executor.device.failures():
        plan.begin(prompt)
    executor.prefill(executor.resume(prompt, exact=exact))
    free = [
        executor.device.buffer(
            f"chosen {n}",
            _STATE_BYTES + plan.logits_bytes,
            wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.MAP_READ,
        )
        for n in range(1 if choice.mask else IN_FLIGHT)  # a mask depends on the token before it
    ]
    # The last token of a full context is selected but never computed.
    steps = min(max_tokens, executor.context - executor.position + 1)
    flight: deque[_Step] = deque()
    submitted = 0
    output: list[int] = []
    try:
        while len(output) < steps:
            while submitted < steps and free:
                mask = choice.mask(tuple(output)) if choice.mask else None
                with executor.device.failures():
                    flight.append(plan.submit(free.pop(), mask, first=submitted == 0))
                submitted += 1
            step = flight.popleft()
            with executor.device.failures():
                token, logits = step.result()
            free.append(step.staging)
            if token in eos_token_ids:
                return
            output.append(token)
            if choice.on_logits:
                choice.on_logits(token, logits)
            yield token
    finally:
        executor.advance(output[:-1])
        while flight and not executor.device.lost:
            flight.popleft().result()
