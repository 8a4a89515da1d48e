"""The part of RFC 8785 that metadata needs."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any


def canonical(value: Any) -> str:
    """Return the canonical JSON text of a value."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{text(name)}:{canonical(value[name])}" for name in names) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, str):
        return text(value)
    if isinstance(value, float):
        return number(value)
    return json.dumps(value)  # null, true, false and integers, which vectors keep below 2^53


def text(value: str) -> str:
    """Return a JSON string; Python's escapes of control characters are those of RFC 8785."""
    return json.dumps(value, ensure_ascii=False)


def number(value: float) -> str:
    """Return a number as ECMAScript writes it: shortest digits, an exponent from 1e21 and below 1e-6."""
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    written = "".join(map(str, digits))
    point = len(written) + int(exponent)  # the number of digits before the decimal point
    if len(written) <= point <= 21:
        body = written.ljust(point, "0")
    elif 0 < point <= 21:
        body = f"{written[:point]}.{written[point:]}"
    elif -6 < point <= 0:
        body = f"0.{written.rjust(len(written) - point, '0')}"
    else:
        fraction = f".{written[1:]}" if written[1:] else ""
        body = f"{written[0]}{fraction}e{point - 1:+d}"
    return "-" * sign + body
