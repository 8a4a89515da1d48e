"""The number of elements of right answers, as far as metadata.json states it, before an answer is read."""

import json
import math
from pathlib import Path
from typing import Any

MAX_METADATA = 1 << 26
"""Bytes of a metadata.json that is read."""


def weights(package: Path, tensor: str) -> int | None:
    """Return the number of weights of a tensor, or None if the metadata does not state it."""
    shape = _shape(package, tensor)
    return None if shape is None else math.prod(shape)


def products(package: Path, tensor: str, vectors: int) -> int | None:
    """Return the number of products of a matrix with vectors, or None if the metadata does not state it."""
    shape = _shape(package, tensor)
    return None if not shape else shape[0] * vectors


def logits(package: Path, tokens: int) -> int | None:
    """Return the number of logits of a sequence, or None if the metadata does not state it."""
    try:
        return int(_metadata(package)["model"]["vocab_size"]) * tokens
    except (KeyError, TypeError, ValueError, OSError):
        return None


def _shape(package: Path, tensor: str) -> list[int] | None:
    try:
        entry = next(entry for entry in _metadata(package)["tensors"] if entry["name"] == tensor)
        return [int(size) for size in entry["shape"]]
    except (KeyError, TypeError, ValueError, OSError, StopIteration):
        return None


def _metadata(package: Path) -> Any:
    """Return the metadata of a package. Raises OSError or ValueError if it cannot be read."""
    file = package / "metadata.json"
    if not file.is_file() or file.stat().st_size > MAX_METADATA:
        raise OSError(f"{file} is not a file that can be read")
    return json.loads(file.read_bytes())
