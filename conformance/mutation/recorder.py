"""A runtime whose answers are overheard: a digest tells whether another one would have said the same."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.runtime import Rounded

METHODS = frozenset({"decode", "validate", "activations", "matvec", "logits", "generate", "tokenize"})


class Overheard:
    """Passes questions on to a runtime, and what it answers into a digest."""

    def __init__(self, runtime: Any) -> None:
        """Listen to a runtime that answers in this process."""
        self._runtime = runtime
        self._digest = hashlib.sha256()

    def taken(self) -> str:
        """Return the digest of all answers since the last call, 16 hexadecimal digits."""
        text = self._digest.hexdigest()[:16]
        self._digest = hashlib.sha256()
        return text

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the runtime, methods so that their answers are heard."""
        attribute = getattr(self._runtime, name)
        return self._heard(attribute) if name in METHODS else attribute

    def _heard(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            try:
                answer = method(*arguments)
            except Exception as error:
                self._take(type(error).__name__)
                raise
            self._take(answer)
            return answer

        return called

    def _take(self, answer: Any) -> None:
        if isinstance(answer, Rounded):
            self._take(answer.values)
            self._take(answer.scales)
        elif isinstance(answer, np.ndarray):
            self._digest.update(f"{answer.dtype.str}{answer.shape}".encode())
            self._digest.update(np.ascontiguousarray(answer).tobytes())
        else:
            self._digest.update(f"{answer!r};".encode())
