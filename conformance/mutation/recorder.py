"""A recorder of answers: their digest shows whether two runtimes give the same answers."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..core.runtime import Rounded

METHODS = frozenset(
    {
        "decode",
        "validate",
        "activations",
        "matvec",
        "logits",
        "trace",
        "generate",
        "sample",
        "adjust",
        "tokenize",
    }
)


class Recorder:
    """Passes calls on to a runtime, and adds its answers to a digest."""

    def __init__(self, runtime: Any) -> None:
        """Record a runtime that answers in this process."""
        self._runtime = runtime
        self._digest = hashlib.sha256()

    def take_digest(self) -> str:
        """Return the digest of all answers since the last call, 16 hexadecimal digits."""
        text = self._digest.hexdigest()[:16]
        self._digest = hashlib.sha256()
        return text

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the runtime, methods so that their answers are recorded."""
        attribute = getattr(self._runtime, name)
        return self._recorded(attribute) if name in METHODS else attribute

    def _recorded(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def recorded_call(*arguments: Any) -> Any:
            try:
                answer = method(*arguments)
            except Exception as error:
                self._add(type(error).__name__)
                raise
            self._add(answer)
            return answer

        return recorded_call

    def _add(self, answer: Any) -> None:
        if isinstance(answer, Rounded):
            self._add(answer.values)
            self._add(answer.scales)
        elif isinstance(answer, Mapping):
            for name, tensor in answer.items():
                self._add(name)
                self._add(tensor)
        elif isinstance(answer, np.ndarray):
            self._digest.update(f"{answer.dtype.str}{answer.shape}".encode())
            self._digest.update(np.ascontiguousarray(answer).tobytes())
        else:
            self._digest.update(f"{answer!r};".encode())
