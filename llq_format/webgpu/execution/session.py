"""Generation that continues on a new device if the device is lost."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from llq_format.reference.generation import Choice
from llq_format.webgpu.execution.device_errors import DeviceLostError
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.execution.generation import generate


class Session:
    """An executor that can be created a second time."""

    def __init__(self, make: Callable[[], Executor]) -> None:
        """Create the first executor. Raises the errors of `make`."""
        self._make = make
        self.executor = make()
        self.losses = 0

    def generate(
        self,
        prompt: Sequence[int],
        max_tokens: int,
        eos_token_ids: Sequence[int] = (),
        choice: Choice | None = None,
    ) -> Iterator[int]:
        """Yield the tokens that follow a prompt, as `generation.generate` does.

        After the first loss of a device the prompt and the tokens that were yielded are prefilled on a new
        one, and generation goes on: a draw depends on the seed and the position alone. Raises DeviceLostError
        at the second loss, and what `generate` raises.
        """
        emitted: list[int] = []
        if choice and (mask := choice.mask):
            choice = replace(choice, mask=lambda _: mask(tuple(emitted)))
        while True:
            remaining = max_tokens - len(emitted)
            try:
                for token in generate(self.executor, [*prompt, *emitted], remaining, eos_token_ids, choice):
                    emitted.append(token)
                    yield token
            except DeviceLostError:
                self.losses += 1
                if self.losses > 1:
                    raise
                self.executor = self._make()
            else:
                return
