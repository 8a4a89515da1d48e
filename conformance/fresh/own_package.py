"""Vectors of a package that the user gives: `--package DIR`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..container.decoding import Reading
from ..container.package import metadata, read_tensor
from .distribution import distribution_entry
from .oracle import Oracle, expected
from .products import random_products
from .storage import write_array, write_index

TENSORS, MATRICES, PROMPTS, LONGEST = 8, 3, 2, 12
"""Maximum numbers of tensors that are decoded, of matrices that are multiplied, of prompts, of tokens."""

ELEMENTS = 1 << 24
"""Maximum number of elements of a tensor that is decoded or multiplied."""

Entry = dict[str, Any]


def write_vectors(package: Path, oracle: Oracle, seed: int, home: Path) -> None:
    """Write vectors of a package into a directory: decoding, products of matrices, and logits of a model."""
    random = np.random.default_rng(seed)
    value = metadata(package)
    small = [entry for entry in value["tensors"] if int(np.prod(entry["shape"])) <= ELEMENTS]
    entries = [_decoding(package, _chosen(small, TENSORS, random), home)]
    matrices = _chosen([entry for entry in small if entry["dtype"].startswith("int4")], MATRICES, random)
    for entry in matrices:
        entries += _products(package, entry["name"], random, home)
    if "model" in value:
        entries += _logits(package, value["model"], oracle, random, home)
        if oracle.ranks_distributions:
            entries.append(distribution_entry(package, random, home))
    if value.get("extensions_required"):
        entries = [{**entry, "extensions": value["extensions_required"]} for entry in entries]
    write_index(entries, home)


def _chosen(entries: Sequence[Any], count: int, random: np.random.Generator) -> list[Any]:
    """Return some of the entries, in their order."""
    numbers = sorted(random.permutation(len(entries))[:count])
    return [entries[number] for number in numbers]


def _decoding(package: Path, entries: Sequence[Any], home: Path) -> Entry:
    arrays: dict[str, str] = {}
    for entry in entries:
        name = entry["name"]
        arrays[name] = write_array(Reading()(read_tensor(package, name)), f"expected/{name}.npy", home)
    return {
        "id": "package",
        "kind": "valid",
        "path": str(package.resolve()),
        "description": f"{len(arrays)} tensors of {package.name}.",
        "rules": ["LLQ-DEQ-3", "LLQ-RAW-3", "LLQ-PART-10"],
        "tensors": arrays,
    }


def _products(package: Path, name: str, random: np.random.Generator, home: Path) -> list[Entry]:
    entries = []
    tensor = read_tensor(package, name)
    for form in ("binary16", "int8"):
        result = random_products(tensor, "int8" if form == "int8" else "binary16", random)
        arrays: dict[str, NDArray[Any]] = {
            "input": result.x,
            "expected": result.expected,
            "bound": result.bound,
        }
        place = f"matvec/{name}-{form}"
        entries.append(
            {
                "id": f"package-{name}-{form}",
                "kind": "matvec",
                "package": str(package.resolve()),
                "tensor": name,
                "format": form,
                "description": f"{name} of {package.name}, inputs {form}.",
                "rules": ["LLQ-NUM-3"],
                **{key: write_array(array, f"{place}/{key}.npy", home) for key, array in arrays.items()},
            }
        )
    return entries


def _logits(
    package: Path, model: Any, oracle: Oracle, random: np.random.Generator, home: Path
) -> list[Entry]:
    entries = []
    for number in range(PROMPTS):
        count = min(LONGEST, model["context_length"])
        tokens = [int(token) for token in random.integers(0, model["vocab_size"], count)]
        result = expected(oracle, package, tokens)
        splits = [[count], [1] * count] if count > 1 else [[count]]
        entries.append(
            {
                "id": f"package-prompt-{number}",
                "kind": "logits",
                "package": str(package.resolve()),
                "tokens": tokens,
                "splits": splits,
                "expected": write_array(result.logits, f"logits/{number}.npy", home),
                "bounds": result.bounds,
                "description": f"{count} random tokens of {package.name}.",
                "rules": ["LLQ-NUM-4", "LLQ-DEC-17"],
            }
        )
    return entries
