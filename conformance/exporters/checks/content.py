"""Checks of the content of a package: it conforms, describes the model, and computes the same function."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...container.package import tensor_names
from ...core.check import Failure
from ...core.vectors import Vector
from ..session import Session, decoded, description
from .failure_text import failure, message_line

SAME = "LLQ-WRITE-6"
FREE = {"activations", "rope_pairing", "tied_embeddings"}
"""Members of `model` that a writer may choose: validation checks the first, `weights` the others."""

EPS32 = 2.0**-23
"""Relative distance of binary32 values: numbers of a configuration may have been rounded to binary32."""

THETA = 2.0**-18
"""Relative error that a RoPE frequency may have, for powers computed in binary32."""

FARTHEST = 0.35
"""Maximum RMS error of logits, relative to the RMS of the logits; 4-bit codes stay below."""


def export(session: Session, vector: Vector, _checkpoint: Path) -> Failure | None:
    """Expect a package that conforms."""
    attempt = session.first_attempt(vector)
    if not attempt.export.succeeded:
        headline = "refused a checkpoint that can be exported"
        return failure("export", vector, SAME, headline, [message_line(attempt.export.message)])
    if not attempt.package.is_dir():
        return failure("export", vector, "LLQ-WRITE-7", "reported success, but wrote no package")
    verdict = session.verdict(attempt)
    if verdict.accepted:
        return None
    fault = verdict.rules[0] if verdict.rules else SAME
    headline = f"wrote a package that breaks {fault}"
    return failure("export", vector, fault, headline, [f"all        {', '.join(verdict.rules)}"])


def describe(session: Session, vector: Vector, _checkpoint: Path) -> Failure | None:
    """Expect the `model` that the checkpoint's configuration states, and frequencies near the exact ones."""
    package = session.valid(vector)
    model = description(package)
    stated = {key: value for key, value in vector.members["model"].items() if key not in FREE}
    members = {key: value for key, value in model.items() if key not in FREE}
    differences = list(_differences("model", members, stated))
    if model.get("tied_embeddings") and not vector.members["model"]["tied_embeddings"]:
        differences.append(
            "model.tied_embeddings: found true, expected false: the checkpoint has a separate head"
        )
    theta = vector.members["inv_freq"]
    if not differences and theta is not None and "rope.inv_freq" in tensor_names(package):
        frequencies = decoded(package)["rope.inv_freq"].astype(np.float64)
        off = np.abs(frequencies / np.array(theta) - 1)
        if not (off <= THETA).all():
            at = int(np.argmax(~(off <= THETA)))
            differences.append(f"rope.inv_freq[{at}]: found {frequencies[at]!r}, expected {theta[at]!r}")
    if not differences:
        return None
    headline = f"the package describes a different model: {differences[0]}"
    return failure(
        "describe", vector, SAME, headline, [f"differs    {difference}" for difference in differences]
    )


def _differences(path: str, actual: Any, stated: Any) -> Iterator[str]:
    """Yield the differences of two JSON values; numbers that are equal in binary32 are equal."""
    if isinstance(actual, dict) and isinstance(stated, dict):
        for key in sorted(actual.keys() | stated.keys()):
            yield from _differences(f"{path}.{key}", actual.get(key), stated.get(key))
    elif isinstance(actual, list) and isinstance(stated, list) and len(actual) == len(stated):
        for index, pair in enumerate(zip(actual, stated, strict=True)):
            yield from _differences(f"{path}.{index}", *pair)
    elif isinstance(actual, float) and isinstance(stated, float):
        if not math.isclose(actual, stated, rel_tol=EPS32):
            yield f"{path}: found {actual!r}, expected {stated!r}"
    elif actual != stated:
        yield f"{path}: found {actual!r}, expected {stated!r}"


def compute(session: Session, vector: Vector, _checkpoint: Path) -> Failure | None:
    """Expect logits near the checkpoint's logits: rounding changes them little, a different function much."""
    package = session.valid(vector)
    expected = vector.array("logits")
    logits = np.asarray(session.logits(package, list(vector.members["tokens"])), np.float64)
    distance = float(np.sqrt(np.mean((logits - expected) ** 2) / np.mean(expected**2)))
    if distance <= FARTHEST:
        return None
    headline = "computes a different function than the checkpoint"
    lines = [f"distance   {distance:.3f} (RMS error / RMS of the logits); expected at most {FARTHEST}"]
    return failure("compute", vector, SAME, headline, lines)
