"""Write the vectors: `python -m vectors.build`, or compare them with the stored files with `--check`."""

from __future__ import annotations

import json
import os
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from vectors import cases
from vectors.decoder64.comparison import equivalent
from vectors.kit.computed import COMPUTED, KINDS, Answer
from vectors.kit.npy import npy
from vectors.kit.registry import VECTORS, Vector

DATA = Path(__file__).parent / "data"
DIRECTORIES = ("valid", "invalid", *KINDS)
ROOTS = (*DIRECTORIES, "index.json")
MODULES = cases.__all__  # importing them registered the vectors


def entry(vector: Vector, tree: dict[str, bytes]) -> dict[str, Any]:
    """Add the files of a vector to the tree, and return its entry in the index."""
    sealed = vector.sealed()
    home = f"{vector.kind}/{vector.id}"
    if sealed.base is None:
        tree.update({f"{home}/package/{name}": data for name, data in sealed.files.items()})
    described = {
        "id": vector.id,
        "kind": vector.kind,
        "path": f"valid/{sealed.base}/package" if sealed.base else f"{home}/package",
        "description": vector.description,
        "rules": list(vector.rules),
        **({"extensions": list(vector.extensions)} if vector.extensions else {}),
    }
    if vector.kind == "invalid":
        damaged = {"damaged": list(sealed.damaged)} if sealed.damaged else {}
        return {**described, "setup": sealed.setup, **damaged}
    arrays = {tensor.name: f"{home}/expected/{tensor.name}.npy" for tensor in sealed.tensors}
    tree.update({arrays[tensor.name]: npy(tensor.shape, tensor.weights()) for tensor in sealed.tensors})
    return {**described, "tensors": arrays, "warnings": list(vector.warnings)}


def answer(number: int) -> Answer:
    """Return the entry and the files of a computed vector."""
    return COMPUTED[number].entry()


def answers() -> list[Answer]:
    """Compute the computed vectors, in processes: the bounds of logits take seconds each."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the library reads it as a process of the pool begins
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        return list(pool.map(answer, range(len(COMPUTED))))


def build() -> dict[str, bytes]:
    """Return all files of the vectors by their paths."""
    tree: dict[str, bytes] = {}
    entries = [entry(vector, tree) for vector in VECTORS]
    for described, files in answers():
        entries.append(described)
        tree.update(files)
    index = {"version": "1.0", "vectors": sorted(entries, key=lambda entry: (entry["kind"], entry["id"]))}
    tree["index.json"] = (json.dumps(index, indent=1, ensure_ascii=False) + "\n").encode()
    keep_equivalent(tree, [entry["expected"] for entry in entries if is_logits_of_recipe(entry)])
    return tree


def is_logits_of_recipe(entry: dict[str, Any]) -> bool:
    """Return whether NumPy computes the logits of a vector."""
    return entry["kind"] == "logits" and "recipe" in entry


def keep_equivalent(tree: dict[str, bytes], paths: list[str]) -> None:
    """Replace arrays by those that are there, where they differ in the last bits alone.

    NumPy adds in other orders on other machines.
    """
    for path in paths:
        if (DATA / path).is_file() and equivalent(tree[path], old := (DATA / path).read_bytes()):
            tree[path] = old


def committed() -> dict[str, bytes]:
    """Return the files that are there."""
    paths = [path for root in ROOTS for path in (DATA / root, *(DATA / root).rglob("*"))]
    return {path.relative_to(DATA).as_posix(): path.read_bytes() for path in paths if path.is_file()}


def differences() -> list[str]:
    """Return the paths at which a new build and the files that are there differ."""
    new, old = build(), committed()
    return sorted(path for path in new.keys() | old.keys() if new.get(path) != old.get(path))


def write() -> None:
    """Replace all vectors by new ones."""
    tree = build()
    for root in DIRECTORIES:
        shutil.rmtree(DATA / root, ignore_errors=True)
    for path, data in tree.items():
        target = DATA / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def main(arguments: list[str]) -> int:
    """Write or check, and return the exit status."""
    if arguments == ["--check"]:
        differing = differences()
        sys.stdout.writelines(f"differs: {path}\n" for path in differing)
        return 1 if differing else 0
    if arguments:
        sys.stderr.write("usage: python -m vectors.build [--check]\n")
        return 2
    write()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
