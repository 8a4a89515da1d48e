"""Check `decode`: the tensors of a valid vector decode to the expected weights, bit for bit."""

from pathlib import Path

import numpy as np

from ..container.difference import describe, identical
from ..container.package import Tensor, read_tensor
from ..core.check import Failure
from ..core.rules import quote, registry
from ..core.runtime import Runtime
from ..core.vectors import Vector
from ..diagnosis.explanation import explain, reportable

NAMED = 3
"""Number of wrong tensors that a failure names."""


def decode(runtime: Runtime, vector: Vector, package: Path) -> Failure | None:
    """Compare all tensors; a failure describes the first difference and explains all differences together."""
    actual = {name: runtime.decode(package, name) for name in vector.tensors}
    expected = {name: np.load(file, allow_pickle=False) for name, file in vector.tensors.items()}
    differing = [name for name in actual if not identical(actual[name], expected[name])]
    if not differing:
        return None
    decoded = [(read_tensor(package, name), weights) for name, weights in actual.items()]
    explanations = explain(decoded)
    misreadings = reportable(explanations, decoded)
    broken_rules = tuple(dict.fromkeys(rule for rules in misreadings.values() for rule in rules))
    equals = "equals " + " or ".join(f"*{name}*" for name in misreadings)
    tensor = next(tensor for tensor, _ in decoded if tensor.name == differing[0])
    weights = actual[tensor.name]
    headline = equals if misreadings else "wrong weights"
    size = weights.size
    lines = [
        f"decode {vector.id}: {headline}",
        f"  vector     {vector.description}",
        *(f"  breaks     {quote(rule)}" for rule in broken_rules),
        *(f"  about      {quote(rule)}" for rule in vector.rules if rule not in broken_rules),
        f"  wrong      {len(differing)} of {len(actual)} tensors, such as {', '.join(differing[:NAMED])}",
        f"  tensor     {tensor.name}, {tensor.dtype} {list(tensor.shape)}",
        *describe(tensor, weights, expected[tensor.name]),
        *(
            [f"  misreading {equals} on {size}/{size} weights: see {', '.join(broken_rules)}"]
            if misreadings
            else []
        ),
        *(f"  remedy     {registry()[rule].remedy}" for rule in broken_rules),
    ]
    return Failure(headline, "\n".join(lines), broken_rules or _suspects(vector, tensor), explanations)


def _suspects(vector: Vector, tensor: Tensor) -> tuple[str, ...]:
    """Return the decoding rules that the vector tests, or else the rule that any wrong weight breaks."""
    about = tuple(rule for rule in vector.rules if registry()[rule].stage == "decode")
    return about or ("LLQ-DEQ-3" if tensor.quantized else "LLQ-RAW-3",)
