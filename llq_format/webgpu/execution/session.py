"""Sessions: sequences that keep what was computed of them, and continue on a new device after a loss."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from llq_format.metadata.model import ContextError
from llq_format.reference.generation import Choice
from llq_format.webgpu.execution.device_errors import DeviceLostError
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.execution.generation import generate


class Session:
    """A sequence of token ids on an executor that can be created a second time (spec: Runtime API)."""

    def __init__(
        self,
        make: Callable[[], Executor],
        executor: Executor | None = None,
        ids: Sequence[int] = (),
    ) -> None:
        """Create the first executor, unless there is one. Raises the errors of `make`."""
        self._make = make
        self._ids = list(ids)
        self._disposed = False
        self.executor = executor or make()
        self.losses = 0

    @property
    def length(self) -> int:
        """Return the number of tokens of the sequence."""
        return len(self._ids)

    def generate(
        self,
        prompt: Sequence[int] | None,
        max_tokens: int,
        eos_token_ids: Sequence[int] = (),
        choice: Choice | None = None,
    ) -> Iterator[int]:
        """Yield the tokens that follow a prompt, as `generation.generate` does; None continues the sequence.

        What the sequence and the prompt have in common is not computed again. When all tokens were yielded,
        prompt and tokens are the sequence of the session.
        After the first loss of a device the prompt and the tokens that were yielded are prefilled on a new
        one, and generation goes on: a draw depends on the seed and the position alone. Raises DeviceLostError
        at the second loss, ValueError after `dispose` or without ids, and what `generate` raises.
        """
        self._check()
        ids = list(self._ids if prompt is None else prompt)
        emitted: list[int] = []
        if choice and (mask := choice.mask):
            choice = replace(choice, mask=lambda _: mask(tuple(emitted)))
        losses = 0
        while True:
            remaining = max_tokens - len(emitted)
            sequence = [*ids, *emitted]
            try:
                for token in generate(self.executor, sequence, remaining, eos_token_ids, choice, exact=False):
                    emitted.append(token)
                    yield token
            except DeviceLostError:
                self.losses += 1
                losses += 1
                if losses > 1:
                    raise
                self.executor = self._make()
            else:
                self._ids = [*ids, *emitted]
                return

    def append(self, ids: Sequence[int]) -> None:
        """Add ids to the end of the sequence, and compute it. Raises ContextError, or as `generate`."""
        self._check()
        if self.length + len(ids) > self.executor.context:
            raise ContextError(
                f"{self.length + len(ids)} positions do not fit into a context of {self.executor.context}"
            )
        if ids:
            list(self.generate([*self._ids, *ids], 0))

    def truncate(self, length: int) -> None:
        """Keep the first tokens of the sequence alone. Raises ValueError for a length above its length."""
        self._check()
        if not 0 <= length <= self.length:
            raise ValueError(f"length is {length}, expected 0 to {self.length}")
        del self._ids[length:]

    def fork(self) -> "Session":
        """Return a session with the same sequence and a copy of its KV cache. Raises DeviceError."""
        self._check()
        return Session(self._make, self.executor.fork(), self._ids)

    def dispose(self) -> None:
        """Free the memory of the session, but not the shards; its calls then raise ValueError."""
        if not self._disposed:
            self._disposed = True
            self.executor.dispose()

    def _check(self) -> None:
        if self._disposed:
            raise ValueError("the session was disposed of")
