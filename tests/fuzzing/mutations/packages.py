"""One step of mutation: a changed copy of a package, with hashes that match the change as a rule."""

from random import Random

from tests.fuzzing import json_tree, seal
from tests.fuzzing.json_tree import Tree
from tests.fuzzing.mutations import directory, json_text, json_values, module_text, shard_bytes
from tests.fuzzing.package import METADATA, PROGRAM, Package

_WEIGHTS = {
    "metadata": 40,
    "metadata text": 6,
    "shard": 16,
    "module": 40,
    "program": 60,
    "program text": 5,
    "directory": 6,
}


def mutated(package: Package, rng: Random) -> Package:
    """Return a changed copy of a package."""
    copy = dict(package)
    tree = _tree(copy.get(METADATA))
    count = rng.choices([1, 2, 3, 4], [70, 20, 7, 3])[0]
    layers = rng.choices([layer for layer in _WEIGHTS if _has(copy, layer)], _weights(copy), k=count)
    for layer in layers:
        _change(copy, tree, layer, rng)
    if tree is not None:
        if rng.random() < 0.93:
            seal.seal_entries(tree, copy, rng if rng.random() < 0.3 else None)
        copy[METADATA] = json_tree.render(tree, in_order=rng.random() < 0.99)
    text = copy.get(METADATA)
    if "metadata text" in layers and isinstance(text, bytes):
        copy[METADATA] = json_text.mutate(text, rng)
    if rng.random() < 0.96:
        seal.seal_digest(copy)
    return copy


def _tree(text: object) -> Tree:
    try:
        tree = json_tree.parse(text) if isinstance(text, bytes) else None
    except (ValueError, RecursionError):
        return None
    return tree if isinstance(tree, dict) else None


def _module(package: Package) -> str | None:
    return next((name for name in package if name.endswith(".wgsl")), None)


def _shards(package: Package) -> list[str]:
    return [name for name in package if name.endswith(".llq")]


def _has(package: Package, layer: str) -> bool:
    if layer == "module":
        return _module(package) is not None
    return PROGRAM in package if layer.startswith("program") else True


def _weights(package: Package) -> list[int]:
    return [weight for layer, weight in _WEIGHTS.items() if _has(package, layer)]


def _change(package: Package, tree: Tree, layer: str, rng: Random) -> None:
    """Change one layer, in place; the text of metadata.json is changed last, by the caller."""
    if layer == "metadata" and tree is not None:
        json_values.mutate(tree, rng, "metadata")
    elif layer == "shard":
        name = rng.choice(_shards(package) or [""])
        data = package.get(name)
        if isinstance(data, bytes):
            package[name] = shard_bytes.mutate(data, tree, _index(tree, name), rng)
    elif layer == "module":
        name = _module(package) or ""
        data = package.get(name)
        if isinstance(data, bytes):
            package[name] = module_text.mutate(data, rng)
    elif layer.startswith("program"):
        data = package.get(PROGRAM)
        if isinstance(data, bytes):
            package[PROGRAM] = _changed_program(data, rng, as_text=layer == "program text")
    elif layer == "directory":
        directory.mutate(package, rng)


def _changed_program(data: bytes, rng: Random, *, as_text: bool) -> bytes:
    program = None if as_text else _tree(data)
    if program is None:
        return json_text.mutate(data, rng)
    json_values.mutate(program, rng, "program")
    return json_tree.render(program, in_order=rng.random() < 0.99)


def _index(tree: Tree, name: str) -> int:
    shards = tree.get("shards") if isinstance(tree, dict) else None
    files = (
        [entry.get("file") if isinstance(entry, dict) else None for entry in shards]
        if isinstance(shards, list)
        else []
    )
    return files.index(name) if name in files else 0
