"""The interface between the suite and a runtime: one method for each capability.

A runtime claims capabilities; the suite calls only the methods of those. A method either answers or raises:
`Errored` and `TimedOut` say that there is no answer, and no answer is neither an acceptance nor a refusal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from .api_scenario import Observations, Scenario
from .printable import printable

Reals = NDArray[np.float32] | NDArray[np.float64]
"""What a runtime computes: numbers in binary32 or wider."""

Format = Literal["binary16", "int8"]
"""What the input of a matmul is rounded to."""

CAPABILITIES = (
    "decode",
    "reject",
    "activations",
    "matvec",
    "logits",
    "trace",
    "generate",
    "sample",
    "adjust",
    "tokenize",
    "api",
)
"""All that a runtime may claim, in the order of reports."""

CLAIMS_OF_EXPORTERS = ("export", "weights", "rounding")
"""What exporters claim, in the order of reports: see `exporters.exporter`."""

KV_CACHES = ("f32", "f16")
"""What a runtime may declare that its KV cache holds: binary32 or wider, or binary16."""

NEED_KV_CACHE = frozenset({"logits", "trace"})
"""Capabilities whose error bounds depend on the KV cache that is declared."""


@dataclass(frozen=True)
class Info:
    """Name, version and language of a runtime, and what else it declares.

    kv_cache: the precision of its KV cache (NUM-2).
    extensions: the names of the extensions of the format that the runtime implements.
    device: what computes, such as the name of a GPU and its driver.
    """

    name: str
    version: str = ""
    language: str = ""
    kv_cache: str = ""
    extensions: tuple[str, ...] = ()
    device: str = ""

    def __post_init__(self) -> None:
        """Escape control characters, which a terminal would obey."""
        for name, value in vars(self).items():
            if isinstance(value, str):
                object.__setattr__(self, name, printable(value))

    def __str__(self) -> str:
        """Return for example `llq-node 1.0.0 (JavaScript)`."""
        language = f"({self.language})" if self.language else ""
        return " ".join(word for word in (self.name, self.version, language) if word)


@dataclass(frozen=True)
class Verdict:
    """The verdict of a validator on a package: the rules of its errors, in order, and of its warnings."""

    rules: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    refused: bool | None = None

    @property
    def accepted(self) -> bool:
        """Whether the package was accepted; a wrong refusal may name no rule."""
        return not self.rules if self.refused is None else not self.refused


@dataclass(frozen=True)
class Rounded:
    """Vectors as they enter a matmul: values of binary16, or INT8 codes and the scale of each vector."""

    values: NDArray[np.float32]
    scales: Reals | None = None


@dataclass(frozen=True)
class Tokenized:
    """The token ids of a text, and the text that these decode to, special tokens left out."""

    ids: tuple[int, ...]
    decoded: str


@dataclass(frozen=True)
class Sampling:
    """The parameters of sampled choice (GEN-6); position: of the first token, counted from 0.

    top_k: 0 keeps all. seed: 64 bits.
    """

    temperature: float
    top_k: int
    top_p: float
    seed: int
    position: int


@dataclass(frozen=True)
class Adjustment:
    """What adjusted choice adds to sampled choice (GEN-11).

    logit_bias: pairs of an id and its bias. sequence: the ids of the prompt and of the output so far.
    mask: words of allowed ids; None allows all.
    """

    min_p: float
    repetition_penalty: float
    logit_bias: tuple[tuple[int, float], ...]
    sequence: tuple[int, ...]
    mask: tuple[int, ...] | None


class Runtime(Protocol):
    """An implementation of LLQ, as the suite sees it."""

    @property
    def capabilities(self) -> frozenset[str]:
        """The capabilities that the runtime claims, a subset of `CAPABILITIES`."""

    @property
    def info(self) -> Info:
        """Name, version and language of the runtime."""

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Capability `decode`: return the weights of one tensor, in its shape."""

    def validate(self, package: Path) -> Verdict:
        """Capability `reject`: return whether the package conforms."""

    def activations(self, x: NDArray[np.float32], form: Format) -> Rounded:
        """Capability `activations`: round vectors, [n, d], independently."""

    def matvec(self, package: Path, tensor: str, form: Format, x: NDArray[np.float32]) -> Reals:
        """Capability `matvec`: round vectors [n, cols], multiply each by a matrix, return [n, rows]."""

    def logits(self, package: Path, tokens: Sequence[int], splits: Sequence[int]) -> Reals:
        """Capability `logits`: compute a new sequence, `splits` tokens at a time; return [tokens, vocab]."""

    def trace(self, package: Path, tokens: Sequence[int], splits: Sequence[int]) -> Mapping[str, Reals]:
        """Capability `trace`: compute as `logits` does; return intermediate results by name (TRACE.md)."""

    def generate(self, package: Path, tokens: Sequence[int], max_tokens: int) -> Sequence[int]:
        """Capability `generate`: return the tokens that greedy choice appends to a prompt."""

    def sample(self, logits: NDArray[np.float32], sampling: Sampling, count: int) -> Sequence[int] | None:
        """Capability `sample`: draw the tokens of `count` positions from the same logits, [vocab_size].

        Return None if the runtime refuses the parameters.
        """

    def adjust(
        self, logits: NDArray[np.float32], sampling: Sampling, adjustment: Adjustment, count: int
    ) -> Sequence[int] | None:
        """Capability `adjust`: as `sample`, from adjusted logits; each token is appended to the sequence."""

    def tokenize(self, package: Path, text: str) -> Tokenized:
        """Capability `tokenize`: encode a prompt, then detokenize the ids."""

    def api(self, scenario: Scenario) -> Observations:
        """Capability `api`: make calls of the JavaScript interface and return what each call did."""

    def close(self) -> None:
        """Release all resources; the suite calls this method once, at the end."""


class NoAnswerError(Exception):
    """The runtime gave no answer; `detail` holds further output, such as the end of its standard error."""

    def __init__(self, message: str, detail: str = "") -> None:
        """Store the message, one line, and the detail, with control characters escaped."""
        super().__init__(printable(message))
        self.detail = printable(detail)


class TimedOut(NoAnswerError):  # noqa: N818 - a verdict
    """The runtime did not answer in time."""


class Errored(NoAnswerError):  # noqa: N818 - a verdict
    """The runtime died, or the adapter is broken."""


class Declined(Errored):
    """The runtime reported an error: an error message, or in-process an exception."""


class BrokenAdapter(Errored):
    """The code between suite and runtime broke the protocol."""

    def __init__(self, message: str, detail: str = "") -> None:
        """Name the adapter at the start of the message."""
        super().__init__(f"the adapter is broken: {message}", detail)


class Unavailable(BrokenAdapter):
    """The adapter reported in its handshake that the runtime is not available, and why."""

    def __init__(self, reason: str) -> None:
        """Write the reason in one line."""
        NoAnswerError.__init__(self, f"the runtime is not available on this machine: {reason}")
