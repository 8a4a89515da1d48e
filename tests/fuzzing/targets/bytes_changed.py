"""Mutations of bytes, which know of their format only whether it is JSON."""

from random import Random

from tests.fuzzing import json_tree
from tests.fuzzing.mutations import json_text, json_values

_INTEGERS = [
    *(0, 1, 2, 7, 8, 127, 128, 255, 256, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32),
    *(2**40, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1),
]


def changed(data: bytes, rng: Random, schema: str | None = None) -> bytes:
    """Return other bytes; `schema` names the schema whose values are likely, if the bytes are JSON."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = _json(data, rng, schema) if schema is not None else _binary(data, rng)
    return data


def _json(data: bytes, rng: Random, schema: str) -> bytes:
    if rng.random() < 0.1:
        return json_text.mutate(data, rng)
    try:
        tree = json_tree.parse(data)
    except ValueError:
        return json_text.mutate(data, rng)
    json_values.mutate(tree, rng, schema)
    return json_tree.render(tree, in_order=False)


def _binary(data: bytes, rng: Random) -> bytes:
    at, kind = _place(data, rng), rng.randrange(8)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + data[at + rng.choice((1, 4, 8, 64)) :]
    if kind == 2:
        return data[:at] + rng.randbytes(rng.choice((1, 4, 8, 64))) + data[at:]
    if kind == 3:
        other = _place(data, rng)
        return data[:at] + data[other : other + rng.choice((8, 64, 512))] + data[at:]
    width = rng.choice((1, 2, 4, 8))
    old = int.from_bytes(data[at : at + width], "little")
    value = rng.choice((*_INTEGERS, old + 1, old - 1, old * 2, old ^ 1 << rng.randrange(8)))
    return _put(data, at, (value % 2 ** (8 * width)).to_bytes(width, "little"))


def _place(data: bytes, rng: Random) -> int:
    """Return a place, which is near the beginning as often as elsewhere: headers are there."""
    if not data:
        return 0
    return rng.randrange(min(len(data), rng.choice((64, 512, 4096, len(data)))))


def _put(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]
