"""Mutations of a JSON tree: values, members, items, order and nesting."""

import string
from collections.abc import Callable
from random import Random

from tests.fuzzing.json_tree import Path, Raw, Tree, copy, get, integer, paths, render
from tests.fuzzing.mutations import values

_EXTRA_TEXTS: list[str] = [
    *(*string.ascii_letters, *string.digits, *'._-/+ \n\0"\\é\u2028', "aa" * 40, "\U0001f600"),
]

Change = Callable[[Tree, Path, Random, str], None]
"""Changes the value at a path of a tree, which a schema describes."""


def mutate(tree: Tree, rng: Random, schema: str) -> None:
    """Change one value of a tree, in place."""
    all_paths = paths(tree)
    if not all_paths:
        return
    # Members near the root are few and steer most: a random depth first, then a path of that depth.
    depth = rng.choice([len(path) for path in rng.sample(all_paths, min(4, len(all_paths)))])
    path = rng.choice([path for path in all_paths if len(path) == depth])
    rng.choices(_CHANGES, _WEIGHTS)[0](tree, path, rng, schema)


def _put(tree: Tree, path: Path, value: Tree) -> None:
    get(tree, path[:-1])[path[-1]] = value


def _replace(tree: Tree, path: Path, rng: Random, schema: str) -> None:
    _put(tree, path, values.value(rng, schema))


def _tweak(tree: Tree, path: Path, rng: Random, schema: str) -> None:
    """Change a value into a near one of the same type."""
    old = get(tree, path)
    if isinstance(old, Raw):
        _put(tree, path, _near(old, rng, schema))
    elif isinstance(old, str):
        _put(tree, path, _respelled(old, rng))
    elif isinstance(old, bool):
        _put(tree, path, not old)
    elif isinstance(old, list):
        _change_items(old, rng, schema)
    elif isinstance(old, dict):
        _change_members(old, rng, schema)
    else:
        _put(tree, path, values.number(rng, schema))


def _near(old: Raw, rng: Random, schema: str) -> Raw:
    number = integer(old)
    if number is None or rng.random() < 0.3:
        return values.number(rng, schema)
    change = rng.choice(["add", "add", "add", "factor", "fraction", "exponent", "zeros"])
    if change == "add":
        return Raw(
            str(number + rng.choice([1, -1, 2, -2, 4, 63, 64, -64, 255, 256, -256, 512, 2048, -2048, 2304]))
        )
    if change == "factor":
        return Raw(str(int(number * rng.choice([2, 0.5, 3, 64, 1 << 16, 1 << 32, -1]))))
    return Raw({"fraction": f"{number}.0", "exponent": f"{number}e0", "zeros": f"0{number}"}[change])


def _respelled(old: str, rng: Random) -> str:
    at = rng.randint(0, len(old))
    extra = rng.choice(_EXTRA_TEXTS)
    change = rng.choice(["insert", "insert", "drop", "case", "exchange", "escape", "cut", "text"])
    if change == "insert" or not old:
        return old[:at] + extra + old[at:]
    if change == "drop":
        return old[:at] + old[at + 1 :]
    if change == "case":
        return old.swapcase()
    if change == "exchange":
        return old[:at] + extra + old[at + 1 :]
    if change == "escape":
        position = min(at, len(old) - 1)
        body = f"{old[:position]}\\u{ord(old[position]) & 0xFFFF:04x}{old[position + 1 :]}"
        return Raw(f'"{body}"')
    return old[:at] if change == "cut" else values.text(rng)


def _change_items(items: list[Tree], rng: Random, schema: str) -> None:
    if not items or rng.random() < 0.05:
        items.append(values.value(rng, schema))
        return
    first, second = rng.randrange(len(items)), rng.randrange(len(items))
    change = rng.choice(["drop", "repeat", "exchange", "reverse", "cut", "many"])
    if change == "drop":
        del items[first]
    elif change == "repeat":
        items.insert(second, copy(items[first]))
    elif change == "exchange":
        items[first], items[second] = items[second], items[first]
    elif change == "reverse":
        items.reverse()
    elif change == "cut":
        del items[first:]
    else:
        items += [copy(items[first]) for _ in range(rng.choice([2, 8, 64]))]


def _change_members(members: dict[str, Tree], rng: Random, schema: str) -> None:
    change = rng.choice(["add", "known", "drop", "rename", "double", "exchange", "exchange", "exchange"])
    if change == "add" or not members:
        members[values.text(rng)] = values.value(rng, schema)
        return
    if change == "known":
        members[rng.choice(values.names(schema))] = values.value(rng, schema)
        return
    name = rng.choice(list(members))
    if change == "drop":
        del members[name]
    elif change == "rename":
        members[_respelled(name, rng)] = members.pop(name)
    elif change == "double":
        _double(members, name, rng, schema)
    else:
        other = rng.choice(list(members))
        members[name], members[other] = members[other], members[name]


def _double(members: dict[str, Tree], name: str, rng: Random, schema: str) -> None:
    """Write a member twice, with the same value or another one, the second name in some spelling."""
    value = render(members[name]).decode("utf-8", "surrogatepass")
    if rng.random() < 0.5:
        other = value
    else:
        other = render(values.value(rng, schema)).decode("utf-8", "surrogatepass")
    second = render(name).decode("utf-8", "surrogatepass")
    if rng.random() < 0.3 and name and not isinstance(name, Raw):
        second = f'"\\u{ord(name[0]) & 0xFFFF:04x}{name[1:]}"'
    members[name] = Raw(f"{value},{second}:{other}")


def _drop(tree: Tree, path: Path, _rng: Random, _schema: str) -> None:
    del get(tree, path[:-1])[path[-1]]


def _double_member(tree: Tree, path: Path, rng: Random, schema: str) -> None:
    parent = get(tree, path[:-1])
    if isinstance(parent, dict):
        _double(parent, str(path[-1]) if not isinstance(path[-1], str) else path[-1], rng, schema)


def _copy_from_elsewhere(tree: Tree, path: Path, rng: Random, _schema: str) -> None:
    """Put another value of the tree here, most often one of the same name."""
    candidates = paths(tree)
    of_name = [other for other in candidates if other[-1] == path[-1] and other != path]
    kind = type(get(tree, path))
    of_kind = [
        other for other in rng.choices(candidates, k=8) if type(get(tree, other)) is kind
    ] or candidates
    source = rng.choice(of_name if of_name and rng.random() < 0.7 else of_kind)
    _put(tree, path, copy(get(tree, source)))


def _nest(tree: Tree, path: Path, rng: Random, _schema: str) -> None:
    """Put a value into containers, so that the depth is near its limit of 32."""
    inner = render(get(tree, path)).decode("utf-8", "surrogatepass")
    levels = max(0, rng.randint(30, 35) - len(path))
    opening, closing = rng.choice([("[", "]"), ('{"a":', "}")])
    _put(tree, path, Raw(opening * levels + inner + closing * levels))


_CHANGES: list[Change] = [_tweak, _replace, _drop, _copy_from_elsewhere, _double_member, _nest]
_WEIGHTS = [60, 10, 6, 18, 3, 1]
