"""The known misreadings: decoders that take one sentence of the format another way.

Each names the rule that it breaks and replaces one step of `reading.Reading`. Several of one name are
variants of one misreading. `conformance.diagnosis.explanation` compares the output of runtimes with them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .blocks import BLOCKS
from .formula import FORMULA
from .packing import PACKING
from .raw import PARTS, RAW
from .scales import SCALES
from .zero_points import ZERO_POINTS


@dataclass(frozen=True)
class Misreading:
    """A misreading: its name, the rule that it breaks, the step of reading that it replaces, and by what."""

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
