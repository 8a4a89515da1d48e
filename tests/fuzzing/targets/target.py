"""A reader of untrusted input, and what it may do."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.fuzzing.targets.bytes_changed import changed

Files = dict[str, bytes]
"""Files by their names in a directory."""


@dataclass(frozen=True)
class Target:
    """A reader.

    seeds: inputs that it accepts. read: reads the input in a directory. errors: what it may raise.
    changes: the files that are changed, each with the schema of likely values, or None for binary files.
    """

    name: str
    seeds: Callable[[], list[Files]]
    read: Callable[[Path], None]
    errors: tuple[type[BaseException], ...]
    changes: dict[str, str | None]
    mutate: Callable[[Files, Random], Files] | None = None

    def mutant(self, rng: Random, seeds: list[Files]) -> Files:
        """Return a changed input."""
        files = dict(rng.choice(seeds))
        if self.mutate is not None:
            return self.mutate(files, rng)
        name = rng.choice([name for name in self.changes if name in files])
        return files | {name: changed(files[name], rng, self.changes[name])}
