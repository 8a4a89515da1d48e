"""Where mutants take hold: parts of the reference, replaced for the length of one call and then put back."""

import warnings
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from ...container.decoding import Reading


class Seam:
    """Replaces functions and methods of the reference; several mutants, one after another, share one seam."""

    def __init__(self, memory: dict[str, Any]) -> None:
        """Begin with nothing replaced; `memory` outlives the seam, for what mutants must not keep."""
        self.memory = memory
        self.reading: Reading | None = None
        self._undo = ExitStack()

    def replace(self, owner: Any, name: str, replacement: Any) -> None:
        """Give a module or class another attribute of this name."""
        self._undo.callback(setattr, owner, name, getattr(owner, name))
        setattr(owner, name, replacement)

    def wrap(self, owner: Any, name: str, mutate: Callable[[Any], Any]) -> None:
        """Replace an attribute by what `wrong` makes of the present one, which may be a mutant's already."""
        self.replace(owner, name, mutate(getattr(owner, name)))

    def item(self, mapping: MutableMapping[str, Any], key: str, replacement: Any) -> None:
        """Give a mapping another item of this key."""
        self._undo.callback(mapping.__setitem__, key, mapping[key])
        mapping[key] = replacement

    def restore(self) -> None:
        """Put everything back, the last replacement first."""
        self._undo.close()


Mutate = Callable[[Seam], None]
"""How a mutant replaces parts of the reference."""


@contextmanager
def mutated(mutations: tuple[Mutate, ...], memory: dict[str, Any]) -> Iterator[None]:
    """Let the reference be wrong within the block; NaN and overflows that this entails do not warn."""
    seam = Seam(memory)
    try:
        for mutate in mutations:
            mutate(seam)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of other threads, which have no errstate
            yield
    finally:
        seam.restore()
