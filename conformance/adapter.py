"""The interface between the suite and a runtime: one method for each capability.

A runtime claims capabilities; the suite calls only the methods of those. A method either answers or raises:
`Errored` and `TimedOut` say that there is no answer, and no answer is neither an acceptance nor a refusal.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

CAPABILITIES = ("decode", "reject", "activations", "matvec", "logits", "generate", "tokenize", "api")
"""All that a runtime may claim, in the order of reports. Not every one has checks yet."""


@dataclass(frozen=True)
class Info:
    """Who a runtime is."""

    name: str
    version: str = ""
    language: str = ""

    def __str__(self) -> str:
        """Return for example `llq-node 1.0.0 (JavaScript)`."""
        language = f"({self.language})" if self.language else ""
        return " ".join(word for word in (self.name, self.version, language) if word)


@dataclass(frozen=True)
class Verdict:
    """What a validator says about a package: the rules that it breaks, first fault first; warnings apart."""

    rules: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    refused: bool | None = None

    @property
    def accepted(self) -> bool:
        """Whether the package was accepted; a refusal may, wrongly, name no rule."""
        return not self.rules if self.refused is None else not self.refused


class Runtime(Protocol):
    """An implementation of LLQ, as the suite sees it."""

    @property
    def capabilities(self) -> frozenset[str]:
        """Those of `CAPABILITIES` that the runtime claims."""

    @property
    def info(self) -> Info:
        """Who the runtime is."""

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Capability `decode`: return the weights of one tensor, in its shape."""

    def validate(self, package: Path) -> Verdict:
        """Capability `reject`: say whether the package conforms."""

    def close(self) -> None:
        """Release what the runtime holds; the suite calls it once, at the end."""


class NoAnswerError(Exception):
    """The runtime gave no answer; `detail` is what it left behind, such as the end of its standard error."""

    def __init__(self, message: str, detail: str = "") -> None:
        """Keep the message in one line and the detail apart."""
        super().__init__(message)
        self.detail = detail


class TimedOut(NoAnswerError):  # noqa: N818 - a verdict
    """The runtime did not answer in time."""


class Errored(NoAnswerError):  # noqa: N818 - a verdict
    """The runtime died, or the adapter is broken."""


class Declined(Errored):
    """The runtime answered that it cannot: by an error message, or in-process by an exception."""


class BrokenAdapter(Errored):
    """The code between suite and runtime broke the protocol, whatever the runtime may be worth."""

    def __init__(self, message: str, detail: str = "") -> None:
        """Say in the first words whom it concerns."""
        super().__init__(f"the adapter is broken: {message}", detail)
