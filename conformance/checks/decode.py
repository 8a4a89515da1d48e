"""Check `decode`: the tensors of a valid vector decode to the expected weights, bit for bit."""

from pathlib import Path

import numpy as np

from conformance.adapter import Runtime
from conformance.arrays import checked
from conformance.check import Failure
from conformance.difference import describe, same
from conformance.explanation import explain
from conformance.package import read_tensor
from conformance.registry import quote, registry
from conformance.vectors import Vector


def decode(runtime: Runtime, vector: Vector, package: Path) -> Failure | None:
    """Compare all tensors; a failure describes the first that differs, and explains all at once."""
    got = {name: checked(runtime.decode(package, name)) for name in vector.tensors}
    expected = {name: np.load(file, allow_pickle=False) for name, file in vector.tensors.items()}
    wrong = [name for name in got if not same(got[name], expected[name])]
    if not wrong:
        return None
    tensors = {name: read_tensor(package, name) for name in got}
    found = explain([(tensors[name], got[name]) for name in got])
    broken = tuple(dict.fromkeys(rule for explanation in found for rule in explanation.rules))
    names = tuple(explanation.name for explanation in found)
    equals = "equals " + " or ".join(f"*{name}*" for name in names)
    first = wrong[0]
    headline = equals if found else f"{first} has wrong weights"
    shape = list(tensors[first].shape)
    lines = [
        f"decode {vector.id}: {headline}",
        f"  vector     {vector.description}",
        *(f"  rule       {quote(rule)}" for rule in dict.fromkeys((*broken, *vector.rules))),
        f"  tensor     {first}, {tensors[first].dtype} {shape}; wrong: {len(wrong)} of {len(got)} tensors",
        *describe(tensors[first], got[first], expected[first]),
    ]
    if found:
        size = got[first].size
        lines.append(f"  misreading {equals} on {size}/{size} weights: see {', '.join(broken)}")
        lines += [f"  remedy     {registry()[rule].remedy}" for rule in broken]
    return Failure(headline, "\n".join(lines), broken or vector.rules[:1], names)
