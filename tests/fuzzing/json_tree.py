"""JSON as a tree in which any text can take the place of a value, so that every spelling can be written."""

import json
from json.encoder import encode_basestring
from typing import Any


class Raw(str):
    """Text that is written as it is: a number in any spelling, a string with escapes, two members at once."""

    __slots__ = ()


Tree = Any
"""None, bool, str, list of trees, dict from str to tree, or Raw."""

Path = tuple[str | int, ...]


def parse(data: bytes) -> Tree:
    """Return the tree of a JSON text; numbers are Raw. Raises ValueError if it has none."""
    return json.loads(data.decode("utf-8"), parse_int=Raw, parse_float=Raw, parse_constant=Raw)


def render(tree: Tree, *, in_order: bool = True) -> bytes:
    """Return the text of a tree, members in canonical order or in that of the tree."""
    pieces: list[str] = []
    _render(tree, pieces.append, in_order=in_order)
    return "".join(pieces).encode("utf-8", "surrogatepass")


def _render(tree: Tree, write: Any, *, in_order: bool) -> None:
    if isinstance(tree, str):
        write(_text(tree))
    elif isinstance(tree, dict):
        write("{")
        names = sorted(tree, key=_utf16) if in_order else list(tree)
        for number, name in enumerate(names):
            write(f"{',' if number else ''}{_text(name)}:")
            _render(tree[name], write, in_order=in_order)
        write("}")
    elif isinstance(tree, list):
        write("[")
        for number, item in enumerate(tree):
            if number:
                write(",")
            _render(item, write, in_order=in_order)
        write("]")
    else:
        write({None: "null", True: "true", False: "false"}[tree])


def _text(value: str) -> str:
    return value if isinstance(value, Raw) else encode_basestring(value)


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


def copy(tree: Tree) -> Tree:
    """Return a tree that shares no container with another one."""
    if isinstance(tree, dict):
        return {name: copy(item) for name, item in tree.items()}
    return [copy(item) for item in tree] if isinstance(tree, list) else tree


def paths(tree: Tree, limit: int = 4000) -> list[Path]:
    """Return the paths of all values of a tree except the root, containers first."""
    found: list[Path] = []
    waiting: list[tuple[Path, Tree]] = [((), tree)]
    for path, node in waiting:
        if isinstance(node, dict):
            waiting += [((*path, name), item) for name, item in node.items()]
        elif isinstance(node, list):
            waiting += [((*path, index), item) for index, item in enumerate(node)]
        found.append(path)
        if len(found) > limit:
            break
    return found[1:]


def get(tree: Tree, path: Path) -> Tree:
    """Return the value at a path."""
    for step in path:
        tree = tree[step]
    return tree


def integer(tree: Tree) -> int | None:
    """Return a number that is written as a short integer, else None."""
    if (
        isinstance(tree, Raw)
        and len(tree) <= 20
        and tree.removeprefix("-").isascii()
        and tree.lstrip("-").isdigit()
    ):
        return int(tree)
    return None


def member(tree: Tree, name: str) -> Tree:
    """Return a member of an object; None for what is no object or lacks it."""
    return tree.get(name) if isinstance(tree, dict) else None


def items(tree: Tree, name: str) -> list[Tree]:
    """Return the items of an array that is a member; none for what is not."""
    value = member(tree, name)
    return value if isinstance(value, list) else []
