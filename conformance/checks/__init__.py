"""The checks, in the order of reports. A capability is checked once a `Check` that needs it is listed."""

from collections.abc import Callable

from ..core.check import Check
from ..core.vectors import Vector
from .activations import activations
from .api import api
from .decode import decode
from .distribution import distribution
from .generate import generate
from .logits import logits
from .matvec import matvec
from .reject import accept, refuse, refuse_extension, withhold, withholdable
from .sample import adjust, sample
from .tokenize import tokenize
from .trace import OF_AFFINE, SINGLE_OPERATIONS, trace


def _of_kind(kind: str) -> Callable[[Vector], bool]:
    """Return whether a vector is of this kind, as a function."""
    return lambda vector: vector.kind == kind


CHECKS = (
    Check("decode", ("decode",), lambda vector: bool(vector.tensors), decode),
    Check("accept", ("reject",), _of_kind("valid"), accept, instead=refuse_extension),
    Check("refuse", ("reject",), _of_kind("invalid"), refuse),
    Check("withhold", ("decode", "reject"), withholdable, withhold),
    Check("activations", ("activations",), _of_kind("activations"), activations),
    Check("matvec", ("matvec",), _of_kind("matvec"), matvec),
    Check("logits", ("logits",), _of_kind("logits"), logits),
    Check("trace", ("trace",), _of_kind("logits"), trace, (SINGLE_OPERATIONS,), OF_AFFINE),
    Check("distribution", ("logits",), _of_kind("distribution"), distribution),
    Check("generate", ("generate",), _of_kind("generate"), generate),
    Check("sample", ("sample",), _of_kind("sample"), sample),
    Check("adjust", ("adjust",), _of_kind("adjust"), adjust),
    Check("tokenize", ("tokenize",), _of_kind("tokenize"), tokenize),
    Check("api", ("api",), _of_kind("api"), api),
)
