"""The reference with mutants in it, as a runtime: each call runs inside its replacements."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import llq_format
from llq_format.package.reader import Package
from llq_format.reference.observation import Observe

from ...core.runtime import Adjustment, Format, Info, Reals, Rounded, Sampling, Tokenized, Verdict
from ...runtimes.reference import Reference
from .mutant import Mutant
from .seam import mutated


class MutantRuntime:
    """The reference, wrong in what its mutants are wrong in; without mutants, the reference."""

    def __init__(
        self,
        mutants: Sequence[Mutant] = (),
        kv_cache: Literal["f32", "f16"] = "f32",
        opened: Callable[[Path], Package] = llq_format.open,
    ) -> None:
        """Choose mutants, applied in this order, the KV cache that is declared, and who opens packages."""
        name = "+".join(mutant.name for mutant in mutants) or "control"
        self._reference = Reference(kv_cache, opened)
        self.capabilities = self._reference.capabilities
        version, extensions = self._reference.info.version, self._reference.info.extensions
        self.info = Info(f"mutant {name}", version, "Python", kv_cache, extensions)
        self._mutations = tuple(mutant.mutate for mutant in mutants)
        self._memory: dict[str, Any] = {}

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Return the weights of one tensor."""
        with mutated(self._mutations, self._memory):
            return self._reference.decode(package, tensor)

    def validate(self, package: Path) -> Verdict:
        """Return the rules of all findings."""
        with mutated(self._mutations, self._memory):
            return self._reference.validate(package)

    def activations(self, x: NDArray[np.float32], form: Format) -> Rounded:
        """Round vectors."""
        with mutated(self._mutations, self._memory):
            return self._reference.activations(x, form)

    def matvec(self, package: Path, tensor: str, form: Format, x: NDArray[np.float32]) -> Reals:
        """Multiply rounded vectors by a matrix."""
        with mutated(self._mutations, self._memory):
            return self._reference.matvec(package, tensor, form, x)

    def logits(self, package: Path, tokens: Sequence[int], splits: Sequence[int]) -> Reals:
        """Compute a new sequence, `splits` tokens at a time."""
        with mutated(self._mutations, self._memory):
            return self._reference.logits(package, tokens, splits)

    def trace(self, package: Path, tokens: Sequence[int], splits: Sequence[int]) -> Mapping[str, Reals]:
        """Compute a new sequence and return the results of all operations by name."""
        with mutated(self._mutations, self._memory):
            return self._reference.trace(package, tokens, splits)

    def observed(self, package: Path, tokens: Sequence[int], splits: Sequence[int], observe: Observe) -> None:
        """Compute a new sequence under an observer."""
        with mutated(self._mutations, self._memory):
            self._reference.observed(package, tokens, splits, observe)

    def generate(self, package: Path, tokens: Sequence[int], max_tokens: int) -> Sequence[int]:
        """Return the tokens that greedy choice appends to a prompt."""
        with mutated(self._mutations, self._memory):
            return self._reference.generate(package, tokens, max_tokens)

    def sample(self, logits: NDArray[np.float32], sampling: Sampling, count: int) -> Sequence[int] | None:
        """Draw the tokens of consecutive positions from the same logits."""
        with mutated(self._mutations, self._memory):
            return self._reference.sample(logits, sampling, count)

    def adjust(
        self, logits: NDArray[np.float32], sampling: Sampling, adjustment: Adjustment, count: int
    ) -> Sequence[int] | None:
        """Draw the tokens of consecutive positions from the same logits, adjusted."""
        with mutated(self._mutations, self._memory):
            return self._reference.adjust(logits, sampling, adjustment, count)

    def tokenize(self, package: Path, text: str) -> Tokenized:
        """Encode a prompt, then detokenize the ids."""
        with mutated(self._mutations, self._memory):
            return self._reference.tokenize(package, text)

    def close(self) -> None:
        """Clear the memory of the mutants."""
        self._memory.clear()
