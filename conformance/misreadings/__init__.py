"""The known misreadings: decoders that take one sentence of the format another way.

Each names the rule that it breaks and replaces one step of `reading.Reading`. Several of one name are
variants of one mistake. `conformance.explanation` compares the output of runtimes with them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..misreadings.blocks import BLOCKS
from ..misreadings.formula import FORMULA
from ..misreadings.packing import PACKING
from ..misreadings.raw import PARTS, RAW
from ..misreadings.scales import SCALES
from ..misreadings.zero_points import ZERO_POINTS


@dataclass(frozen=True)
class Misreading:
    """A mistake: its name, the rule that it breaks, the step of the reading that it replaces, and by what."""

    name: str
    rule: str
    step: str
    replacement: Callable[..., Any]


_TABLES: tuple[tuple[str, Iterable[tuple[str, str, Callable[..., Any]]]], ...] = (
    ("codes", PACKING),
    ("scales", SCALES),
    ("zero_points", ZERO_POINTS),
    ("weigh", FORMULA),
    ("assemble", BLOCKS),
    ("raw", RAW),
    ("join", PARTS),
)
MISREADINGS = tuple(Misreading(name, rule, step, by) for step, table in _TABLES for name, rule, by in table)
