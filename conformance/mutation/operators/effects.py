"""What the changed code of value operators calls: a value in, a changed value of the same type out."""

from collections.abc import Callable
from functools import wraps
from operator import is_
from typing import Any

import numpy as np

Effect = Callable[[Any], Any]

EFFECTS: dict[str, Effect] = {}
"""Effects by name."""


class Changes:
    """Whether an effect has changed a value in this process."""

    seen = False


def effect(name: str) -> Callable[[Effect], Effect]:
    """Register an effect, which notes whether it changes a value."""

    def register(function: Effect) -> Effect:
        @wraps(function)
        def noted(value: Any) -> Any:
            value = value if isinstance(value, _VALUES) else list(value)
            result = function(value)
            if not Changes.seen:
                Changes.seen = not equal(value, result)
            return result

        EFFECTS[name] = noted
        return noted

    return register


_VALUES = (np.ndarray, np.generic, int, float, list, tuple)
"""Types of values that effects take as they are; all others are iterated, and become lists."""


def equal(value: Any, result: Any) -> bool:
    """Return whether a value is unchanged; the items of a sequence are compared by identity."""
    if isinstance(value, np.ndarray):
        return bool(np.array_equal(value, result, equal_nan=value.dtype.kind == "f"))
    if isinstance(value, list | tuple):
        return len(value) == len(result) and all(map(is_, value, result))
    return bool(value == result)


for _bits in (0, 4, 6, 8, 10, 16):
    _n = 1 << _bits

    @effect(f"limit-{_n}")
    def _limit(value: Any, n: int = _n) -> Any:
        if isinstance(value, np.ndarray):
            kept = value.copy()
            kept[..., n:] = 0
            return kept
        return min(value, type(value)(n))

    @effect(f"modulo-{_n}")
    def _modulo(value: Any, n: int = _n) -> Any:
        return value % n

    @effect(f"first-{_n}")
    def _first(value: Any, n: int = _n) -> Any:
        return value[:n]


@effect("binary16")
def _binary16(value: Any) -> Any:
    with np.errstate(all="ignore"):
        if isinstance(value, np.ndarray):
            return value.astype(np.float16).astype(value.dtype)
        return type(value)(np.float16(value))


@effect("bfloat16")
def _bfloat16(value: Any) -> Any:
    exact = np.atleast_1d(np.asarray(value))
    with np.errstate(all="ignore"):
        bits = exact.astype(np.float32).view(np.uint32)
        rounded = ((bits + (0x7FFF + (bits >> 16 & 1))) & 0xFFFF0000).astype(np.uint32).view(np.float32)
        rounded = np.where(np.isfinite(exact), rounded, exact)
        if isinstance(value, np.ndarray):
            return rounded.astype(value.dtype).reshape(value.shape)
        return type(value)(rounded[0])


for _type in ("int8", "int16"):

    @effect(_type)
    def _narrow(value: Any, name: str = _type) -> Any:
        if isinstance(value, np.ndarray):
            return value.astype(name).astype(value.dtype)
        bits = int(name[3:])
        return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


@effect("plus-one")
def _plus_one(value: Any) -> Any:
    return value + 1


@effect("minus-one")
def _minus_one(value: Any) -> Any:
    return value - 1


@effect("negated")
def _negated(value: Any) -> Any:
    return -value


@effect("half")
def _half(value: Any) -> Any:
    return value / 2


@effect("without-tail")
def _without_tail(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value[:-1]
    kept = value.copy()
    kept[..., -1:] = 0
    return kept


@effect("reversed")
def _reversed(value: Any) -> Any:
    return value[..., ::-1] if isinstance(value, np.ndarray) else value[::-1]


@effect("first-axis-reversed")
def _first_axis_reversed(value: Any) -> Any:
    return value[::-1]


@effect("by-name")
def _by_name(value: Any) -> Any:
    return sorted(value, key=lambda item: str(item[0] if isinstance(item, tuple) else item))


@effect("order-of-texts")
def _order_of_texts(value: Any) -> Any:
    order = sorted(range(len(value)), key=str)
    return [value[i] for i in order]


@effect("twice")
def _twice(value: Any) -> Any:
    return value + value[-1:]


def fingerprint(value: Any) -> Any:
    """Return what represents an argument in the key of a kept result."""
    if isinstance(value, np.ndarray):
        return value.shape, value.tobytes()
    text = repr(value)
    return type(value) if " object at 0x" in text else text


def kept(ignored: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that keeps results and ignores one of the positional arguments in their keys."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        results: dict[Any, Any] = {}

        @wraps(function)
        def keeping(*arguments: Any, **named: Any) -> Any:
            key = tuple(fingerprint(a) for i, a in enumerate(arguments) if i != ignored), repr(named)
            if key not in results:
                results[key] = function(*arguments, **named)
            else:
                Changes.seen = True
            return results[key]

        return keeping

    return decorate
