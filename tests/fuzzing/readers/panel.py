"""All readers together, and whether they agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from tests.fuzzing.package import Package
from tests.fuzzing.readers.javascript import JavaScriptReader
from tests.fuzzing.readers.letter import LetterReader
from tests.fuzzing.readers.python import PythonReader
from tests.fuzzing.readers.verdict import Verdict

NAMES = ("python", "javascript", "kit")


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The verdicts of the readers on one package, in the order of NAMES."""

    of_readers: tuple[Verdict, ...]

    @property
    def agree(self) -> bool:
        """Whether all readers name the same first error, and none crashed."""
        return not any(verdict.crash for verdict in self.of_readers) and len(set(self.key)) == 1

    @property
    def key(self) -> tuple[str, ...]:
        """The verdicts in words: disagreements with the same ones count as one."""
        return tuple(str(verdict) for verdict in self.of_readers)

    @property
    def behaviour(self) -> tuple[str, ...]:
        """What makes a package new: the first error and the kinds of all findings."""
        python = self.of_readers[0]
        return (str(python), *python.codes)


class Panel:
    """The readers. Use it as a context manager."""

    def __init__(self) -> None:
        """Start the readers."""
        self._python, self._javascript, self._letter = PythonReader(), JavaScriptReader(), LetterReader()

    def read(self, packages: Sequence[Package]) -> list[Verdicts]:
        """Return the verdicts on some packages; JavaScript reads while Python does."""
        self._javascript.send(packages)
        ours = [(self._python(package), self._letter(package)) for package in packages]
        theirs = self._javascript.receive()
        return [
            Verdicts((python, javascript, letter))
            for (python, letter), javascript in zip(ours, theirs, strict=True)
        ]

    def __enter__(self) -> Self:
        """Return the panel."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End the readers."""
        self._python.close()
        self._javascript.close()
