"""A small package that shows a disagreement, from a large one."""

from collections.abc import Callable, Iterator

from tests.fuzzing import json_tree, seal
from tests.fuzzing.json_tree import Path, Tree
from tests.fuzzing.package import METADATA, PROGRAM, Package

ATTEMPTS = 1500
"""Maximum number of smaller packages to read."""

Shows = Callable[[Package], bool]
"""Whether a package still shows the disagreement."""


def minimized(package: Package, shows: Shows) -> Package:
    """Return the smallest package found: without files, members, lines and bytes that do not matter."""
    budget = [ATTEMPTS]

    def smaller(candidate: Package) -> bool:
        budget[0] -= 1
        return budget[0] >= 0 and shows(candidate)

    while budget[0] > 0:
        found = next((candidate for candidate in _candidates(package) if smaller(candidate)), None)
        if found is None or budget[0] <= 0:
            return found or package
        package = found
    return package


def _candidates(package: Package) -> Iterator[Package]:
    """Yield smaller packages, those that lose most first."""
    for name in package:
        if name != METADATA:
            yield {other: entry for other, entry in package.items() if other != name}
    for name in (METADATA, PROGRAM):
        yield from _smaller_trees(package, name)
    for name, entry in package.items():
        if isinstance(entry, bytes):
            separator = b"\n" if name.endswith(".wgsl") else None
            yield from _shorter(package, name, entry, separator)


def _smaller_trees(package: Package, name: str) -> Iterator[Package]:
    """Yield packages whose JSON lacks one value, or has a short one in its place, sealed and not."""
    data = package.get(name)
    try:
        tree = json_tree.parse(data) if isinstance(data, bytes) else None
    except (ValueError, RecursionError):
        return
    if not isinstance(tree, dict) or json_tree.render(tree) != data:
        return  # a spelling matters: the bytes are cut instead
    for path in json_tree.paths(tree):
        yield from _variants(package, name, tree, path)


def _variants(package: Package, name: str, tree: Tree, path: Path) -> Iterator[Package]:
    without = json_tree.copy(tree)
    del json_tree.get(without, path[:-1])[path[-1]]
    yield from _sealed(package, name, without)
    value = json_tree.get(tree, path)
    if isinstance(value, list | dict) and value:
        shorter = json_tree.copy(tree)
        json_tree.get(shorter, path[:-1])[path[-1]] = type(value)()
        yield from _sealed(package, name, shorter)


def _sealed(package: Package, name: str, tree: Tree) -> Iterator[Package]:
    candidate = {**package, name: json_tree.render(tree)}
    if name != METADATA:
        metadata = package.get(METADATA)
        try:
            tree = json_tree.parse(metadata) if isinstance(metadata, bytes) else None
        except (ValueError, RecursionError):
            tree = None
    if tree is not None:
        seal.seal_entries(tree, candidate)
        candidate[METADATA] = json_tree.render(tree)
        seal.seal_digest(candidate)
        yield candidate
    plain = {**package, name: candidate[name]}
    seal.seal_digest(plain)
    yield plain


def _shorter(package: Package, name: str, data: bytes, separator: bytes | None) -> Iterator[Package]:
    """Yield packages with a run of lines or bytes cut out of one file."""
    pieces = data.splitlines(keepends=True) if separator else [data[at : at + 1] for at in range(len(data))]
    if name.endswith(".llq") or len(pieces) > 6000:
        return
    length = len(pieces) // 2
    while length >= 1:
        for begin in range(0, len(pieces), length):
            shorter = b"".join(pieces[:begin] + pieces[begin + length :])
            candidate = {**package, name: shorter}
            if name == METADATA:
                seal.seal_digest(candidate)
                yield candidate
            else:
                yield from _resealed(candidate)
        length //= 2


def _resealed(candidate: Package) -> Iterator[Package]:
    metadata = candidate.get(METADATA)
    try:
        tree = json_tree.parse(metadata) if isinstance(metadata, bytes) else None
    except (ValueError, RecursionError):
        return
    if tree is not None:
        seal.seal_entries(tree, candidate)
        candidate[METADATA] = json_tree.render(tree)
        seal.seal_digest(candidate)
        yield candidate
